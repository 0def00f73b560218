# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl doctor, with programs and a manager that are played."""

import json
import os
import unittest

import fake_manager as fake
from fake_manager import CtlTest, Error

PROBE = '{"gpus":[{"name":"A \\u001b[1mGPU","driver":"d","deviceUuid":"u",' \
        '"pciAddress":"0000:01:00.0","software":false,"memoryMib":16384}]}'
INFO = {'version': '0.1.0', 'stateDirectory': '/s', 'runtimeDirectory': '/r',
        'typesFile': '/t/types.ini', 'pid': 12}


class Doctor(CtlTest):
    def setUp(self):
        super().setUp()
        self.bin = os.path.join(self.folder, 'bin')
        os.mkdir(self.bin)
        self.environment['PATH'] = self.bin
        self.environment['VGPU_LIBEXECDIR'] = self.bin
        self.program('vgpu-probe', f"echo '{PROBE}'")
        self.qemu('11.1.3', 'name "vhost-user-test-device-pci", bus PCI')

    def program(self, name, script):
        path = os.path.join(self.bin, name)
        with open(path, 'w', encoding='utf-8') as f:
            f.write('#!/bin/bash\n' + script + '\n')
        os.chmod(path, 0o755)

    def qemu(self, version, devices):
        self.program('qemu-system-x86_64',
                     f'[ "$1" = --version ] && '
                     f'echo "QEMU emulator version {version} (Debian)" || '
                     f"echo '{devices}'")

    def doctor(self):
        """Run doctor; return its exit status and {check: finding}."""
        code, out, err = self.ctl('doctor', '--json=short')
        self.assertEqual(err, '')
        found = json.loads(out)
        for one in found:
            self.assertTrue(one.keys() <= {'check', 'status', 'text', 'advice'})
            if one['status'] != 'ok' and one['check'] != 'manager':
                self.assertTrue(one['advice'])
        self.assertEqual(code, int(any(f['status'] == 'fail' for f in found)))
        return code, {f['check']: f for f in found}

    def assert_found(self, check, status, text=''):
        _, found = self.doctor()
        self.assertEqual(found[check]['status'], status, found[check])
        self.assertIn(text, found[check]['text'])

    def test_all_is_well(self):
        gpus = fake.gpus()
        del gpus['gpus'][1]
        gpus['gpus'][0].update(freeMib=128, readyMib=128)
        self.manager(GetInfo=INFO, ListGpus=gpus, ListVgpus={'vgpus': []})
        code, found = self.doctor()
        self.assertEqual(code, 0, found)
        for check in ('manager', 'types', 'gpu', 'vgpus', 'qemu',
                      'qemu-device', 'vulkan'):
            self.assertEqual(found[check]['status'], 'ok', found[check])
        self.assertLessEqual({'memory', 'kvm', 'namespaces', 'landlock',
                              'seccomp'}, found.keys())

    def test_text(self):
        self.manager(GetInfo=INFO, ListGpus=fake.gpus(),
                     ListVgpus={'vgpus': []})
        code, out, err = self.ctl('doctor')
        self.assertEqual((code, err), (0, ''))
        for line in out.splitlines():
            self.assertRegex(line, '^(OK  |WARN|FAIL)  [a-z-]+: |^      -> ')
            self.assertTrue(line.isprintable(), repr(line))
        self.assertIn('A \\x1b[1mGPU at 0000:01:00.0, 16384 MiB, hardware', out)

    def test_no_manager(self):
        self.assert_found('manager', 'fail', 'no manager listens')
        code, out, _ = self.ctl('doctor')
        self.assertEqual(code, 1)
        self.assertIn('FAIL  manager: ', out)

    def test_manager_of_another_version(self):
        self.manager(GetInfo=dict(INFO, version='0.0.9'), ListGpus=fake.gpus())
        self.assert_found('manager', 'warn', '0.0.9')

    def test_types_problem(self):
        self.manager(GetInfo=dict(INFO, typesProblem='types.ini:3: no size'),
                     ListGpus=fake.gpus())
        self.assert_found('types', 'warn', 'types.ini:3: no size')

    def test_shares(self):
        self.manager(GetInfo=dict(INFO, cgroup='/sys/fs/cgroup/v'),
                     ListGpus=fake.gpus())
        self.assert_found('shares', 'ok', '/sys/fs/cgroup/v')

    def test_shares_that_are_not_enforced(self):
        self.manager(GetInfo=dict(INFO, cgroup='/sys/fs/cgroup/v',
                                  cgroupProblem='/v has no controller that '
                                  'limits memory'), ListGpus=fake.gpus())
        self.assert_found('shares', 'warn', 'no controller that limits memory')

    def test_sandbox(self):
        self.manager(GetInfo=INFO, ListGpus=fake.gpus())
        self.assert_found('sandbox', 'ok')

    def test_sandbox_that_lacks_a_layer(self):
        self.manager(GetInfo=dict(INFO, sandboxProblem='no IPC namespaces'),
                     ListGpus=fake.gpus())
        self.assert_found('sandbox', 'warn', 'no IPC namespaces')

    def test_no_usable_gpu(self):
        self.manager(GetInfo=INFO, ListGpus={'gpus': [fake.gpus()['gpus'][1]]})
        self.assert_found('gpu', 'fail')

    def test_framebuffer_beyond_memory(self):
        gpus = fake.gpus()
        gpus['gpus'][0].update(freeMib=2 ** 50, readyMib=0)
        self.manager(GetInfo=INFO, ListGpus=gpus)
        self.assert_found('memory', 'warn')

    def test_manager_that_knows_no_gpus(self):
        self.manager(GetInfo={}, ListGpus=Error('Internal'))
        self.assert_found('gpu', 'fail', 'Internal')

    def test_no_framebuffer(self):
        """A GPU without any is none that vGPUs can be made on."""
        gpus = fake.gpus()
        gpus['gpus'][0].update(framebufferMib=0, freeMib=0, readyMib=0)
        self.manager(GetInfo=INFO, ListGpus=gpus, ListVgpus={'vgpus': []})
        self.assert_found('gpu', 'fail')
        self.assertIn('embedded: no vGPU fits on it',
                      self.ctl('doctor')[1])

    def test_failed_vgpus(self):
        self.manager(GetInfo=INFO, ListGpus=fake.gpus(), ListVgpus=fake.vgpus())
        self.assert_found('vgpus', 'warn', 'ended 10 times in a row')
        out = self.ctl('doctor')[1]
        self.assertIn('WARN  vgpus: 9f1d5c1e', out)
        self.assertNotIn('vgpus: cad', out)

    def test_vgpus_that_are_well(self):
        self.manager(GetInfo=INFO, ListGpus=fake.gpus(),
                     ListVgpus={'vgpus': [fake.cad()]})
        self.assert_found('vgpus', 'ok', '1 are defined')

    def test_memory_that_is_taken_already(self):
        """A manager that one may not ask has its framebuffer: no second one."""
        self.manager(GetInfo=Error('org.varlink.service.PermissionDenied'))
        self.assertNotIn('memory', self.doctor()[1])

    def test_memory_that_will_be_taken(self):
        """Said before vgpud is started the first time, with the way out."""
        _, found = self.doctor()
        self.assertIn('vgpud takes when it starts', found['memory']['text'])
        self.assertIn('framebuffer_mib', found['memory']['text'])

    def systemctl(self, **properties):
        said = {'LoadState': 'loaded', 'ActiveState': 'active',
                'UnitFileState': 'enabled', 'NeedDaemonReload': 'no',
                'Before': 'shutdown.target libvirtd.service', **properties}
        self.program('systemctl', '\n'.join(
            f'echo "{key}={value}"' for key, value in said.items()))

    def test_service(self):
        self.program('libvirtd', 'exit 1')
        self.systemctl()
        self.assert_found('service', 'ok', 'enabled, and active')
        for properties, status, text in (
                ({'ActiveState': 'failed'}, 'fail', 'has failed'),
                ({'UnitFileState': 'disabled'}, 'warn', 'does not start'),
                ({'NeedDaemonReload': 'yes'}, 'warn', 'has changed'),
                ({'Before': 'libvirtd.service.d shutdown.target'}, 'warn',
                 'not started before libvirt')):
            self.systemctl(**properties)
            self.assert_found('service', status, text)

    def test_no_service(self):
        self.systemctl(LoadState='not-found')
        self.assertNotIn('service', self.doctor()[1])
        self.program('systemctl', 'exit 1')
        self.assertNotIn('service', self.doctor()[1])

    def test_libvirt(self):
        if not os.path.exists('/usr/sbin/libvirtd'):
            self.assertNotIn('libvirt', self.doctor()[1])
        self.program('virtqemud', 'exit 1')
        self.assertIn('libvirt', self.doctor()[1])

    def test_no_qemu(self):
        os.unlink(os.path.join(self.bin, 'qemu-system-x86_64'))
        self.assert_found('qemu', 'fail', 'not in PATH')

    def test_old_qemu(self):
        self.qemu('10.0.13', '')
        self.assert_found('qemu', 'warn', '10.0')
        self.assert_found('qemu-device', 'fail')

    def test_qemu_that_fails(self):
        self.program('qemu-system-x86_64', 'exit 3')
        self.assert_found('qemu', 'fail', 'exited with 3')

    def test_probe_that_crashes(self):
        self.program('vgpu-probe', 'kill -SEGV $$')
        self.assert_found('vulkan', 'fail', 'signal 11')

    def test_probe_that_prints_nonsense(self):
        for output in ('', 'x', '[]', '{"gpus":[', '7'):
            self.program('vgpu-probe', f"echo '{output}'")
            self.assert_found('vulkan', 'fail')
        for output in ('{}', '{"gpus":[]}', '{"gpus":7}'):
            self.program('vgpu-probe', f"echo '{output}'")
            self.assert_found('vulkan', 'warn')
        self.program('vgpu-probe', 'echo \'{"gpus":[1,{}]}\'')
        self.assert_found('vulkan', 'ok')

    def test_report(self):
        """All of it in one text, and nothing else of the machine's."""
        self.manager(GetInfo=INFO, ListGpus=fake.gpus(), ListVgpus={'vgpus': []})
        code, out, err = self.ctl('doctor', '--report')
        self.assertEqual((code, err), (0, ''))
        lines = out.splitlines()
        self.assertRegex(lines[0], f'^OpenVGPU .* {os.uname().release} ')
        self.assertRegex(lines[1], '^(OK  |WARN|FAIL)  ')
        self.assertEqual(lines[-2], f'vgpu-probe: {PROBE}')
        self.assertEqual(json.loads(lines[-1].removeprefix('gpus: ')),
                         fake.gpus()['gpus'])
        # A driver may name its GPU as it likes.
        self.program('vgpu-probe', "printf '%s\\n' '" '{"gpus":[{"name":"A\u202eB\u009b"}]}' "'")
        self.assertIn('vgpu-probe: {"gpus":[{"name":"A\\u202eB\\u009b"}]}\n',
                      self.ctl('doctor', '--report')[1])
        code, out, err = self.ctl('doctor', '--report', '--json')
        self.assertEqual((code, out), (2, ''))
        self.assertIn('leave out --json', err)

    def test_probe_that_prints_without_end(self):
        self.program('vgpu-probe', 'echo \'{"gpus":[{"name":"G",'
                     '"memoryImport":"none","memoryImportFailure":"udmabuf: x"}]}\'')
        self.assert_found('guest-memory', 'warn', 'NO VULKAN: udmabuf: x')
        self.program('vgpu-probe', 'echo \'{"gpus":[{"name":"G",'
                     '"memoryImport":"udmabuf","memoryImportFailure":""}]}\'')
        self.assert_found('guest-memory', 'ok', 'imported (udmabuf)')
        for version, status in (('1.2', 'warn'), ('1.3', 'ok'), ('1.4', 'ok'),
                                ('2.0', 'ok')):
            self.program('vgpu-probe', 'echo \'{"gpus":[{"name":"G",'
                         f'"vulkanVersion":"{version}"}}]}}\'')
            self.assert_found('guest-vulkan', status, 'guests get')
        self.program('vgpu-probe', 'exec /usr/bin/yes')
        self.assert_found('vulkan', 'fail', 'was ended')


if __name__ == '__main__':
    unittest.main()
