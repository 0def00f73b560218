# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud.service as it is shipped, and its vGPUs' cgroups, on a host in a VM."""

import ast
import json
import os
import sys
import tempfile
import unittest

import host
from host import SLOW, SOURCE

MANAGER_TEST = os.path.join(SOURCE, 'tests/manager/test_cgroup.py')
SERVICE = '/sys/fs/cgroup/system.slice/vgpud.service'
DROP_IN = '/run/systemd/system/vgpud.service.d/undelegated.conf'
# As vgpud was shipped before it made groups.
UNDELEGATED = '[Service]\\nDelegate=no\\nDelegateSubgroup=\\n'
CONFIG = '[embedded]\\nframebuffer_mib = 512\\n'
TYPES = ('[128MQ]\\nframebuffer_mib = 128\\nheads = 1\\nmax_width = 1280\\n'
         'max_height = 720\\nframe_rate_limit = 0\\nweight = 100\\n')


def tests_of_manager():
    with open(MANAGER_TEST, encoding='utf-8') as file:
        parsed = ast.parse(file.read())
    for each in parsed.body:
        if isinstance(each, ast.ClassDef) and each.name != 'Measured':
            for function in each.body:
                if getattr(function, 'name', '').startswith('test_'):
                    yield f'{each.name}.{function.name}'


class Service(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        host.make_image()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.vm = cls.enterClassContext(host.HostVm(folder))
        cls.vm.check(f"mkdir -p /etc/vgpu; printf '{CONFIG}' >/etc/vgpu/vgpud.conf", SLOW)
        cls.vm.check(f"printf '{TYPES}' >/etc/vgpu/types.ini")

    def tearDown(self):
        self.vm.run('for v in $(vgpuctl list --json=short | grep -o "[0-9a-f-]\\{36\\}"); do '
                    'vgpuctl destroy $v --force; done; systemctl stop vgpud', SLOW)

    def start(self):
        self.vm.check('systemctl daemon-reload; systemctl start vgpud', SLOW)

    def create(self):
        """Its uuid, and the pid of its device."""
        uuid = self.vm.check('vgpuctl create --type 128MQ', SLOW).strip()
        return uuid, self.device(uuid)

    def device(self, uuid):
        return json.loads(self.vm.check(f'vgpuctl show {uuid} --json=short'))['devicePid']

    def group(self, pid):
        return self.vm.check(f'cat /proc/{pid}/cgroup').strip().removeprefix('0::')

    def assert_in_group(self, pid, uuid):
        self.assertEqual(self.group(pid), f'/system.slice/vgpud.service/vgpu-{uuid}')

    def assert_no_groups(self):
        self.assertEqual(self.vm.check(f'ls {SERVICE} | grep vgpu- || true'), '')

    def main_pid(self):
        return int(self.vm.check('systemctl show -P MainPID vgpud'))

    def test_vgpus_have_groups(self):
        self.start()
        uuid, pid = self.create()
        self.assert_in_group(pid, uuid)
        self.assertEqual(self.group(self.main_pid()), '/system.slice/vgpud.service/manager')
        self.assertEqual(self.vm.check(f'cat {SERVICE}/vgpu-{uuid}/cpu.weight'), '100\n')
        found = json.loads(self.vm.run('vgpuctl doctor --json=short')[1])
        self.assertEqual([each['status'] for each in found if each['check'] == 'shares'],
                         ['ok'])
        self.vm.check(f'vgpuctl destroy {uuid}', SLOW)
        self.assert_no_groups()

    def test_devices_outlive_vgpud(self):
        """Killed, restarted, and stopped: the next one finds them in their groups."""
        self.start()
        uuid, pid = self.create()
        main = self.main_pid()
        self.vm.check(f'kill -9 {main}; while [ "$(systemctl show -P MainPID vgpud)" = {main} ] '
                      '|| ! systemctl is-active -q vgpud; do sleep 0.1; done', SLOW)
        for command in ('systemctl restart vgpud', 'systemctl stop vgpud; systemctl start vgpud'):
            self.assertEqual(self.device(uuid), pid)
            self.assert_in_group(pid, uuid)
            self.vm.check(command, SLOW)
        self.assertEqual(self.device(uuid), pid)
        self.assert_in_group(pid, uuid)
        self.assertEqual(self.group(self.main_pid()), '/system.slice/vgpud.service/manager')
        self.vm.check(f'vgpuctl destroy {uuid}', SLOW)
        self.assert_no_groups()

    def wait_for_another(self, main):
        self.vm.check(f'while [ "$(systemctl show -P MainPID vgpud)" = {main} ] || '
                      '! systemctl is-active -q vgpud; do sleep 0.1; done', SLOW)

    def test_vgpud_and_device_die_together(self):
        """More often than systemd starts a service by default: the VM goes on."""
        self.start()
        uuid, pid = self.create()
        front = f'{SOURCE}/tests/cgroup/front_end.py'
        self.vm.check(f'python3 {front} /run/vgpu/{uuid}/vhost.sock /run/answers '
                      '>/run/front.log 2>&1 & echo $! >/run/front.pid')

        def wait_for_answers():
            self.vm.check('n=$(cat /run/answers 2>/dev/null || echo 0); '
                          'while [ "$(cat /run/answers 2>/dev/null || echo 0)" -le $((n + 3)) ]; '
                          'do kill -0 $(cat /run/front.pid) || { cat /run/front.log; exit 1; }; '
                          'sleep 0.05; done', SLOW)
        wait_for_answers()
        for _ in range(7):
            main = self.main_pid()
            self.vm.check(f'kill -STOP {main} {pid}; kill -KILL {main} {pid}')
            self.wait_for_another(main)
            wait_for_answers()
            another = self.device(uuid)
            self.assertNotEqual(another, pid)
            pid = another
        # Frozen, and killed by systemd's watchdog.
        main = self.main_pid()
        self.vm.check(f'kill -STOP {main}')
        self.wait_for_another(main)
        self.assertEqual(self.device(uuid), pid)
        wait_for_answers()
        self.assertEqual(self.vm.check(f'ls /run/vgpu/{uuid}').split(),
                         ['keyboard.sock', 'tablet.sock', 'vhost.sock'])
        self.vm.check('kill $(cat /run/front.pid)')
        self.vm.check(f'vgpuctl destroy {uuid} --force', SLOW)
        # Nothing is kept but the table of what is.
        self.vm.check('while [ "$(systemctl show -P NFileDescriptorStore vgpud)" != 1 ]; do '
                      'sleep 0.1; done', SLOW)

    def test_upgrade_from_a_service_without_groups(self):
        self.vm.check(f"mkdir -p $(dirname {DROP_IN}); printf '{UNDELEGATED}' >{DROP_IN}")
        self.addCleanup(self.vm.run, f'rm -f {DROP_IN}; systemctl daemon-reload')
        self.start()
        uuid, pid = self.create()
        self.assertEqual(self.group(pid), '/system.slice/vgpud.service')
        found = json.loads(self.vm.run('vgpuctl doctor --json=short')[1])
        self.assertIn('is not delegated', next(each['text'] for each in found
                                               if each['check'] == 'shares'))
        self.vm.check(f'rm {DROP_IN}; systemctl daemon-reload; systemctl restart vgpud', SLOW)
        self.assertEqual(self.device(uuid), pid)
        self.assert_in_group(pid, uuid)
        self.assertEqual(self.vm.check(f'cat {SERVICE}/vgpu-{uuid}/pids.max'), '2048\n')

    def test_manager(self):
        """tests/manager/test_cgroup.py, which needs a host like this one."""
        for name in tests_of_manager():
            with self.subTest(name=name):
                status, output = self.vm.run(
                    f'cd {SOURCE}/tests/manager && export VGPU_BUILD={host.BUILD} && '
                    f'../cgroup/delegated python3 test_cgroup.py {name}', SLOW)
                self.assertEqual(status, 0, output)


if __name__ == '__main__':
    if not host.is_possible():
        print('skipped: needs the guest image and QEMU')
        sys.exit(77)
    unittest.main(verbosity=2)
