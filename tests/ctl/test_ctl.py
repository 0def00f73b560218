# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl against a manager that is played: output, errors, usage."""

import json
import os
import pty
import shlex
import signal
import socket
import subprocess
import termios
import time
import unittest
from xml.etree import ElementTree

import exposition
import fake_manager as fake
from fake_manager import CtlTest, Error, Raw, Several, TIMEOUT, VGPUCTL

UUID = fake.cad()['uuid']


def events():
    first = {'sequence': 1, 'time': 1763696712123456, 'event': 'started',
             'text': 'vgpud 0.1.0 started'}
    second = {'sequence': 2, 'time': 1763696713000001, 'event': 'created',
              'uuid': UUID, 'name': 'cad', 'text': 'a 4Q on embedded'}
    third = {'sequence': 3, 'time': 1763696714999999, 'event': 'guest-fault',
             'uuid': UUID, 'text': '\x1b[31mbad\ncommand'}
    return [{'event': e} for e in (first, second, third)]


class Stats(CtlTest):
    def start(self, **more):
        self.calls = 0

        def vgpus(_):
            self.calls += 1
            vgpu = dict(fake.counted(), **more)
            # From the second sample on all frames are of the fastest class.
            vgpu['frameIntervals'][0]['frames'] += 100 * (self.calls - 1)
            return {'vgpus': [vgpu, fake.nameless()]}
        self.manager(GetInfo={'version': '1'}, ListGpus=fake.gpus(), ListVgpus=vgpus)

    def test_json(self):
        self.start()
        code, out, _ = self.ctl('stats', '--json=short')
        self.assertEqual(code, 0)
        sample = json.loads(out)
        self.assertEqual(out.count('\n'), 1)
        self.assertAlmostEqual(sample['time'] / 1e6, time.time(), delta=600)
        self.assertEqual(sample['gpus'], fake.gpus()['gpus'])
        vgpu = sample['vgpus'][0]
        self.assertEqual(vgpu | fake.counted(), vgpu)
        # 510 of 511 are within 18 ms; half of all lies within (16, 18].
        self.assertEqual(vgpu['frameIntervalP50Usec'],
                         16000 + int(2000 * (511 / 2 - 10) / 500))
        self.assertEqual(vgpu['frameIntervalP99Usec'],
                         16000 + int(2000 * (511 * 0.99 - 10) / 500))
        self.assertNotIn('frameIntervalP50Usec', sample['vgpus'][1])

    def test_follow(self):
        """A line a second, each at once, with what is new since the last."""
        self.start()
        with subprocess.Popen([VGPUCTL, 'stats', '--follow', '--json=short'],
                              stdout=subprocess.PIPE, env=self.environment) as stats:
            samples = [json.loads(stats.stdout.readline()) for _ in range(3)]
            stats.terminate()
        p99 = [sample['vgpus'][0]['frameIntervalP99Usec'] for sample in samples]
        self.assertGreater(p99[0], 16000)
        self.assertEqual(p99[1:], [int(16000 * 0.99)] * 2)
        self.assertLess(samples[0]['time'], samples[1]['time'])

    def test_vm(self):
        uuid = '6f2d1f3c-0001-4222-8333-abcdefabcdef'
        with subprocess.Popen(['/bin/sh', '-c', 'read x', 'qemu', '-name',
                               'guest=a,,b\x1b[2J,debug-threads=on', '-uuid', uuid],
                              stdin=subprocess.PIPE) as vm:
            self.start(vmPid=vm.pid)
            _, out, _ = self.ctl('stats', '--json=short')
            vgpu = json.loads(out)['vgpus'][0]
            self.assertEqual((vgpu['vmName'], vgpu['vmUuid']), ('a,b\x1b[2J', uuid))
            for command in 'stats', 'list':
                self.assertIn('a,b\\x1b[2J\n', self.ctl(command)[1])
            vm.communicate()

    def test_prometheus(self):
        self.start()
        code, out, err = self.ctl('stats', '--prometheus')
        self.assertEqual((code, err), (0, ''))
        families = exposition.parse(out)
        self.assertEqual(exposition.value_of(families, 'vgpu_contexts', uuid=UUID), 2)
        for extra in '--follow', '--json=short':
            self.assert_fails(2, 'stats', '--prometheus', extra)


class Golden(CtlTest):
    """Every read, as text and as both kinds of JSON."""

    def check(self, name, *arguments, notes=''):
        for suffix, extra in (('txt', ()), ('pretty.json', ('--json=pretty',)),
                              ('short.json', ('--json=short',))):
            with self.subTest(format=suffix):
                code, out, err = self.ctl(*arguments, *extra)
                self.assertEqual((code, err), (0, '' if extra else notes))
                self.assert_golden(f'{name}.{suffix}', out)
                if suffix == 'short.json' and name != 'events':
                    json.loads(out)
                    self.assertEqual(out.count('\n'), 1)

    def test_gpus(self):
        self.manager(ListGpus=fake.gpus())
        self.check('gpus', 'gpus', notes='0000:01:00.0: no vGPU can be made '
                   'on it: its memory comes with the renderer\n')

    def test_types(self):
        manager = self.manager(ListTypes=fake.types())
        self.check('types', 'types', '--gpu', 'embedded')
        self.assertEqual(manager.calls[0], ('ListTypes', {'gpu': 'embedded'}))

    def test_list(self):
        self.manager(ListVgpus=fake.vgpus())
        self.check('list', 'list')

    def test_show(self):
        manager = self.manager(GetVgpu={'vgpu': fake.cad()})
        self.check('show', 'show', 'cad')
        self.assertEqual(manager.calls[0], ('GetVgpu', {'vgpu': 'cad'}))

    def test_show_failed(self):
        self.manager(GetVgpu={'vgpu': fake.nameless()})
        self.check('show-failed', 'show', 'x')

    def test_show_hostile(self):
        self.manager(GetVgpu={'vgpu': fake.hostile()})
        self.check('show-hostile', 'show', 'x')

    def test_list_hostile(self):
        self.manager(ListVgpus={'vgpus': [fake.hostile(), {}, fake.cad()]})
        self.check('list-hostile', 'list')

    def test_top(self):
        self.manager(ListVgpus=fake.vgpus(), ListGpus=fake.gpus())
        self.check('top', 'top')

    def test_counted(self):
        """What a device process counts; the VM's process is none here."""
        vgpu = dict(fake.counted(), vmPid=2**22 + 1)
        self.manager(GetVgpu={'vgpu': vgpu}, ListGpus=fake.gpus(), ListVgpus={
            'vgpus': [vgpu, fake.nameless()]})
        self.check('show-counted', 'show', 'cad')
        self.check('list-counted', 'list')
        code, out, err = self.ctl('stats')
        self.assertEqual((code, err), (0, ''))
        self.assert_golden('stats.txt', out)

    def test_qemu_args(self):
        self.manager(GetQemuArguments={
            'arguments': ['-chardev', 'socket,id=c,path=/run/a b/$x\'s',
                          '-device', 'vhost-user-test-device-pci,chardev=c',
                          '', 'esc\x1b[0m'],
            'note': 'memory must be shared'})
        self.check('qemu-args', 'qemu-args', 'cad',
                   notes='note: memory must be shared\n')

    def test_events(self):
        manager = self.manager(Subscribe=Several({}, *events()))
        self.check('events', 'events')
        self.assertEqual(manager.calls[0], ('Subscribe', {'history': True,
                                                          'follow': False}))

    def test_help(self):
        code, out, _ = self.ctl('--help')
        self.assertEqual(code, 0)
        self.assert_golden('help.txt', out)
        for line in out.splitlines():
            if line.startswith('  ') and line[2] != ' ' and '--' not in line \
               and 'vgpuctl' not in line:
                code, text, err = self.ctl(line.split()[0], '--help')
                self.assertEqual((code, err), (0, ''))
                self.assertIn('Examples:\n  ', text)
                self.assertLessEqual(max(map(len, text.splitlines())), 80)


DEVICE = {'driver': 'vhost-user-test-device-pci', 'virtio-id': 16,
          'chardev': 'c'}
ARGUMENTS = ['-chardev', "socket,id=c,path=/run/<a> & b's/\"x\"",
             '-device', 'vhost-user-test-device-pci,virtio-id=16,chardev=c']
MEDIATED = {'arguments': ARGUMENTS, 'device': DEVICE, 'sharedMemory': True,
            'note': 'memory must be shared'}
VF = {'arguments': ['-device', 'vfio-pci,host=0000:0a:1b.7'],
      'device': {'driver': 'vfio-pci', 'host': '0000:0a:1b.7'},
      'sharedMemory': False, 'note': 'memory is pinned'}
QEMU_XML = '{http://libvirt.org/schemas/domain/qemu/1.0}'


class QemuArguments(CtlTest):
    def domain(self, *arguments):
        """The XML printed for libvirt, inside a <domain>."""
        code, out, _ = self.ctl('qemu-args', 'cad', '--libvirt', *arguments)
        self.assertEqual(code, 0)
        return ElementTree.fromstring(f'<domain>{out}</domain>')

    def test_memory(self):
        self.manager(GetQemuArguments=MEDIATED)
        for size, printed in (('4G', '4096M'), ('512', '512M'),
                              ('512M', '512M'), ('2T', '2097152M')):
            code, out, err = self.ctl('qemu-args', 'cad', '--memory', size)
            self.assertEqual((code, err), (0, ''))
            self.assertEqual(shlex.split(out), [
                '-m', printed, '-object',
                f'memory-backend-memfd,id=vgpu-memory,size={printed},share=on',
                '-machine', 'memory-backend=vgpu-memory', '-vga', 'none',
                *ARGUMENTS])
        code, out, _ = self.ctl('qemu-args', 'cad', '--memory', '4G',
                                '--json=short')
        self.assertEqual(code, 0)
        self.assertEqual(json.loads(out)['arguments'][:2], ['-m', '4096M'])

    def test_memory_of_a_machine_that_pins_it(self):
        self.manager(GetQemuArguments=VF)
        self.assertEqual(
            self.ctl('qemu-args', 'cad', '--memory', '4G'),
            (0, '-m 4096M -device vfio-pci,host=0000:0a:1b.7\n',
             'note: memory is pinned\n'))

    def test_libvirt(self):
        self.manager(GetQemuArguments=MEDIATED)
        domain = self.domain()
        self.assertEqual(domain.find('memoryBacking/source').get('type'),
                         'memfd')
        self.assertEqual(domain.find('memoryBacking/access').get('mode'),
                         'shared')
        self.assertEqual(domain.find('devices/video/model').get('type'), 'none')
        words = [argument.get('value') for argument in
                 domain.findall(f'{QEMU_XML}commandline/{QEMU_XML}arg')]
        self.assertEqual(words[:3], ARGUMENTS[:3])
        self.assertEqual(json.loads(words[3]), DEVICE)
        self.assertEqual(len(words), 4)

    def test_libvirt_with_input(self):
        extra = ['-chardev', 'socket,id=k,path=/k', '-device', 'vhost-user-input-pci,chardev=k']
        devices = [DEVICE, {'driver': 'vhost-user-input-pci', 'chardev': 'k'}]
        self.manager(GetQemuArguments=dict(
            MEDIATED, arguments=ARGUMENTS + extra, devices=devices))
        words = [argument.get('value') for argument in
                 self.domain().findall(f'{QEMU_XML}commandline/{QEMU_XML}arg')]
        self.assertEqual(len(words), 8)
        self.assertEqual([json.loads(words[i]) for i in (3, 7)], devices)
        self.assertEqual(words[4:6], extra[:2])
        for short in ([], [DEVICE], [DEVICE, 'x'], [None, None]):
            self.setUp()
            self.manager(GetQemuArguments=dict(
                MEDIATED, arguments=ARGUMENTS + extra, devices=short))
            code, _, err = self.ctl('qemu-args', 'cad', '--libvirt')
            self.assertEqual(code, 1)
            self.assertIn('device', err)

    def test_no_input(self):
        manager = self.manager(GetQemuArguments=MEDIATED)
        self.assertEqual(self.ctl('qemu-args', 'cad', '--no-input')[0], 0)
        self.assertEqual(manager.calls, [
            ('GetQemuArguments', {'vgpu': 'cad', 'input': False})])

    def test_display(self):
        manager = self.manager(GetQemuArguments=MEDIATED)
        self.ctl('qemu-args', 'cad')
        self.assertEqual(self.ctl('qemu-args', 'cad', '--display')[0], 0)
        self.assertEqual(manager.calls, [
            ('GetQemuArguments', {'vgpu': 'cad'}),
            ('GetQemuArguments', {'vgpu': 'cad', 'display': True})])

    def test_libvirt_with_a_virtual_function(self):
        self.manager(GetQemuArguments=VF)
        hostdev = self.domain().find('devices/hostdev')
        self.assertEqual(hostdev.attrib, {'mode': 'subsystem', 'type': 'pci',
                                          'managed': 'no'})
        self.assertEqual(hostdev.find('source/address').attrib, {
            'domain': '0x0000', 'bus': '0x0a', 'slot': '0x1b',
            'function': '0x7'})

    def test_what_is_no_xml(self):
        self.manager(GetQemuArguments=dict(
            MEDIATED, arguments=['-chardev', 'path=\x1b[0m']))
        code, _, err = self.ctl('qemu-args', 'cad', '--libvirt')
        self.assertEqual(code, 1)
        self.assertIn('XML', err)

    def test_hostile_characters(self):
        words = ['\u202e\u009b', 'a\tb\nc', 'ü\U0001f600']
        self.manager(GetQemuArguments=dict(MEDIATED, arguments=words))
        found = self.domain().iter(f'{QEMU_XML}arg')
        self.assertEqual([one.get('value') for one in found], words)

    def test_a_manager_that_says_less(self):
        self.manager(GetQemuArguments={'arguments': ARGUMENTS})
        self.assertIn('older', self.assert_fails(1, 'qemu-args', 'cad',
                                                 '--libvirt'))
        for host in ('', '0000:01:00', '0000:01:00.0\'/>', None):
            self.setUp()
            self.manager(GetQemuArguments=dict(
                VF, device={'driver': 'vfio-pci', 'host': host}))
            self.assertIn('PCI address', self.assert_fails(
                1, 'qemu-args', 'cad', '--libvirt'))

    def test_wrong_usage(self):
        for extra in (('--memory', '0'), ('--memory', ''), ('--memory', '4GB'),
                      ('--memory', '-4'), ('--memory', '4g'),
                      ('--memory', '4294967296'), ('--libvirt', '--memory=4G'),
                      ('--libvirt', '--json=short')):
            self.assert_fails(2, 'qemu-args', 'cad', *extra)


class Output(CtlTest):
    def test_hostile_text_has_no_controls(self):
        self.manager(ListVgpus={'vgpus': [fake.hostile()]},
                     ListGpus=fake.gpus(), GetVgpu={'vgpu': fake.hostile()})
        for arguments in (('list',), ('top',), ('show', 'x'),
                          ('list', '--json=short'), ('show', 'x', '--json=pretty')):
            _, out, _ = self.ctl(*arguments)
            for line in out.splitlines():
                self.assertTrue(all(c.isprintable() or c == '\t'
                                    for c in line), repr(line))

    def test_hostile_json_keeps_the_name(self):
        self.manager(ListVgpus={'vgpus': [fake.hostile()]})
        _, out, _ = self.ctl('list', '--json=short')
        self.assertEqual(json.loads(out)[0]['name'], fake.hostile()['name'])

    def test_qemu_args_survive_a_shell(self):
        words = ['-x', 'a b', "it's", '$HOME`id`', '', '*', '~', 'a\\b"c',
                 '\x1b[0m\'\\', 'ü', '#', '-a=b,c:d/e.f']
        self.manager(GetQemuArguments={'arguments': words})
        _, out, err = self.ctl('qemu-args', 'cad')
        self.assertEqual(err, '')
        self.assertEqual(out.count('\n'), 1)
        shown = subprocess.run(
            ['bash', '-c', f'for w in {out.strip()}; do printf "%s\\0" "$w"; '
             'done'], capture_output=True, check=True, timeout=TIMEOUT)
        self.assertEqual(shown.stdout.decode().split('\0')[:-1], words)

    def test_nothing_to_list(self):
        self.manager(ListGpus={'gpus': []}, ListTypes={'types': []},
                     ListVgpus={'vgpus': []})
        for command in 'gpus', 'types', 'list':
            code, out, err = self.ctl(command)
            self.assertEqual((code, out), (0, ''))
            self.assert_line(err)
            self.assertEqual(self.ctl(command, '--json=short')[:2], (0, '[]\n'))

    def test_full_disk(self):
        self.manager(ListVgpus=fake.vgpus())
        with open('/dev/full', 'wb') as full:
            done = subprocess.run([VGPUCTL, 'list'], stdout=full,
                                  stderr=subprocess.PIPE, timeout=TIMEOUT,
                                  env=self.environment, check=False)
        self.assertEqual(done.returncode, 1)
        self.assert_line(done.stderr.decode())

    def test_follow_prints_each_line_at_once(self):
        self.manager(Subscribe=Several({}, *events(), is_open=True))
        with subprocess.Popen([VGPUCTL, 'events', '--follow', '--json=short'],
                              stdout=subprocess.PIPE,
                              env=self.environment) as follower:
            try:
                for i in range(3):
                    line = json.loads(follower.stdout.readline())
                    self.assertEqual(line['sequence'], i + 1)
                self.assertIsNone(follower.poll())
            finally:
                follower.kill()

    def test_follow_goes_on_with_the_next_manager(self):
        """After a reconnection no event is printed twice, and missed ones are
        counted."""
        manager = self.manager(Subscribe=Several({}, *events(), is_open=True))
        last = events()[2]['event']
        # The same manager, which had cut us off, and then another one.
        cut_off = {'sequence': last['sequence'] + 3, 'time': last['time'] + 1}
        new = {'sequence': 4, 'time': last['time'] + 2}
        with subprocess.Popen([VGPUCTL, 'events', '--follow', '--json=short'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, env=self.environment) as follower:
            try:
                for _ in range(3):
                    follower.stdout.readline()
                for told, missed in (([last, cut_off], 2), ([new], 4)):
                    manager.close()
                    self.assert_line(follower.stderr.readline())
                    os.unlink(self.socket)
                    manager = self.manager(Subscribe=Several(
                        {}, *({'event': event} for event in told),
                        is_open=True))
                    self.assertEqual(json.loads(follower.stdout.readline()),
                                     told[-1])
                    self.assertIn(f'{missed} events were missed',
                                  follower.stderr.readline())
                self.assertIsNone(follower.poll())
            finally:
                follower.kill()


class Writes(CtlTest):
    def test_create(self):
        manager = self.manager(Create={'uuid': UUID})
        self.assertEqual(self.ctl('create', '--type', '4Q'), (0, UUID + '\n', ''))
        self.ctl('create', '--type=4Q', '--gpu=embedded', '--name=n',
                 '--uuid', UUID)
        self.assertEqual(manager.calls, [
            ('Create', {'type': '4Q'}),
            ('Create', {'type': '4Q', 'gpu': 'embedded', 'name': 'n',
                        'uuid': UUID})])

    def test_owner(self):
        manager = self.manager(Create={'uuid': 'u'}, ListVgpus=fake.vgpus(),
                               GetVgpu={'vgpu': dict(
                                   fake.cad(), ownerUid=1, ownerGid=4242)})
        for owner, fields in (('root', {'ownerUid': 0, 'ownerGid': 0}),
                              ('root:root', {'ownerUid': 0, 'ownerGid': 0}),
                              ('4101:4242', {'ownerUid': 4101,
                                             'ownerGid': 4242}),
                              (':4242', {'ownerUid': 0,
                                         'ownerGid': 4242})):
            manager.calls.clear()
            self.assertEqual(self.ctl('create', '--type', '4Q', '--owner',
                                      owner), (0, 'u\n', ''))
            self.assertEqual(manager.calls,
                             [('Create', {'type': '4Q', **fields})])
        for owner in ('', ':', 'root:', 'no such user', ':nogroupofthis',
                      '-1', '4294967296', 'root:root:root'):
            self.assert_fails(2, 'create', '--type', '4Q', '--owner', owner)
        self.assertIn('Owner:       daemon (1), group 4242 (4242)\n',
                      self.ctl('show', 'cad')[1])
        self.assertNotIn('OWNER', self.ctl('list')[1])
        manager.replies['ListVgpus'] = {'vgpus': [
            dict(fake.cad(), ownerUid=1, ownerGid=4242),
            dict(fake.nameless(), ownerUid=0, ownerGid=4242),
            dict(fake.nameless(), ownerUid=0, ownerGid=0)]}
        lines = self.ctl('list')[1].splitlines()
        self.assertEqual([line.split()[-2] for line in lines],
                         ['OWNER', 'daemon', ':4242', '-'])

    def test_destroy(self):
        manager = self.manager(Destroy={})
        self.assertEqual(self.ctl('destroy', 'cad'), (0, '', ''))
        self.assertEqual(self.ctl('destroy', '--force', 'cad'), (0, '', ''))
        self.assertEqual(manager.calls, [
            ('Destroy', {'vgpu': 'cad'}),
            ('Destroy', {'vgpu': 'cad', 'force': True})])

    def test_mode(self):
        manager = self.manager(SetMode={})
        self.assertEqual(self.ctl('mode', 'cad', '1920x1080'), (0, '', ''))
        self.ctl('mode', 'cad', '0x0', '--head', '3')
        self.assertEqual(manager.calls, [
            ('SetMode', {'vgpu': 'cad', 'width': 1920, 'height': 1080}),
            ('SetMode', {'vgpu': 'cad', 'head': 3, 'width': 0, 'height': 0})])

    def test_vnc(self):
        manager = self.manager(SetVnc={})
        self.assertEqual(self.ctl('vnc', 'cad', 'unix:/x'), (0, '', ''))
        self.ctl('vnc', 'cad', 'off', '--head=1')
        self.assertEqual(manager.calls, [
            ('SetVnc', {'vgpu': 'cad', 'address': 'unix:/x'}),
            ('SetVnc', {'vgpu': 'cad', 'head': 1})])

    def test_vnc_with_less_or_more(self):
        manager = self.manager(SetVnc={})
        self.assertEqual(self.ctl('vnc', 'cad', 'unix:/x', '--view-only'), (0, '', ''))
        self.assertEqual(self.ctl('vnc', 'cad', 'unix:/x', '--password',
                                  input=b'pa ss"$1\nmore\n'), (0, '', ''))
        self.assertEqual(manager.calls, [
            ('SetVnc', {'vgpu': 'cad', 'address': 'unix:/x', 'viewOnly': True}),
            ('SetVnc', {'vgpu': 'cad', 'address': 'unix:/x', 'password': 'pa ss"$1'})])
        for said in b'', b'\n':
            self.assertIn('no password', self.assert_fails(
                1, 'vnc', 'cad', 'unix:/x', '--password', input=said))
        for option in '--view-only', '--password':
            self.assert_fails(2, 'vnc', 'cad', 'off', option)

    def test_password_on_a_terminal(self):
        """It is not shown, and whatever ends the program leaves a terminal that
        shows what is typed."""
        manager = self.manager(SetVnc={})
        # Under nohup it is ignored, by programs that are started too.
        self.addCleanup(signal.signal, signal.SIGHUP,
                        signal.signal(signal.SIGHUP, signal.SIG_DFL))
        for end in signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None:
            with self.subTest(end=end):
                terminal, theirs = pty.openpty()
                self.addCleanup(os.close, terminal)
                before = termios.tcgetattr(theirs)
                process = subprocess.Popen(
                    [VGPUCTL, 'vnc', 'cad', 'unix:/x', '--password'],
                    env=self.environment, stdin=theirs, stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE)
                self.assertEqual(process.stderr.read(10), b'Password: ')
                while termios.tcgetattr(theirs)[3] & termios.ECHO:
                    time.sleep(0.01)
                if end:
                    process.send_signal(end)
                else:
                    os.write(terminal, b'secret\n')
                process.communicate(timeout=TIMEOUT)
                self.assertEqual(process.returncode, -end if end else 0)
                self.assertEqual(termios.tcgetattr(theirs), before)
                os.close(theirs)
        self.assertEqual(manager.calls, [
            ('SetVnc', {'vgpu': 'cad', 'address': 'unix:/x', 'password': 'secret'})])

    def viewer(self, name):
        """A program in the PATH that says what it was started with."""
        folder = os.path.join(self.folder, 'bin')
        os.makedirs(folder, exist_ok=True)
        path = os.path.join(folder, name)
        with open(path, 'w', encoding='ascii') as file:
            file.write(f'#!/bin/sh\nprintf "{name} %s\\n" "$*"\n')
        os.chmod(path, 0o755)
        self.environment['PATH'] = folder

    def test_console(self):
        cad = fake.cad()
        manager = self.manager(GetVgpu={'vgpu': cad}, SetVnc={})
        # No desktop: the address.
        self.viewer('vncviewer')
        self.assertEqual(self.ctl('console', 'cad'), (0, 'unix:/tmp/cad.vnc\n', ''))
        self.environment['DISPLAY'] = ':0'
        self.assertEqual(self.ctl('console', 'cad'), (0, 'vncviewer /tmp/cad.vnc\n', ''))
        # A head without a server gets one in the vGPU's folder.
        folder = os.path.dirname(cad['socket'])
        self.assertEqual(self.ctl('console', 'cad', '--head', '1'),
                         (0, f'vncviewer {folder}/console-1.vnc\n', ''))
        self.assertEqual(manager.calls[-1], ('SetVnc', {
            'vgpu': 'cad', 'head': 1, 'address': f'unix:{folder}/console-1.vnc'}))
        self.assertIn('no head 7', self.assert_fails(1, 'console', 'cad', '--head', '7'))
        self.assertEqual(len(manager.calls), 5)

    def test_console_at_a_port(self):
        cad = fake.cad()
        cad['heads'][0]['vnc'] = '127.0.0.1:5901'
        cad['heads'][1]['vnc'] = '[::1]:5902'
        self.manager(GetVgpu={'vgpu': cad})
        self.environment['WAYLAND_DISPLAY'] = 'wayland-0'
        self.viewer('vncviewer')
        self.assertEqual(self.ctl('console', 'cad'), (0, 'vncviewer 127.0.0.1::5901\n', ''))
        self.assertEqual(self.ctl('console', 'cad', '--head=1'),
                         (0, 'vncviewer [::1]::5902\n', ''))
        self.viewer('remote-viewer')
        self.assertEqual(self.ctl('console', 'cad'),
                         (0, 'remote-viewer vnc://127.0.0.1:5901\n', ''))
        self.environment['PATH'] = '/nowhere'
        code, out, err = self.ctl('console', 'cad')
        self.assertEqual((code, out), (0, '127.0.0.1:5901\n'))
        self.assertIn('remote-viewer', err)

    def test_console_of_a_manager_that_lies(self):
        """Nothing that it says becomes an option of a viewer."""
        self.environment['DISPLAY'] = ':0'
        self.viewer('vncviewer')
        for address in '-via', 'unix:-via', 'unix:', 'x:1', '--:5', ':':
            cad = fake.cad()
            cad['heads'][0]['vnc'] = address
            manager = self.manager(GetVgpu={'vgpu': cad})
            self.assertIn('address', self.assert_fails(1, 'console', 'cad'))
            manager.close()
            os.unlink(self.socket)

    def test_option_after_two_dashes_is_a_word(self):
        manager = self.manager(Destroy={})
        self.ctl('destroy', '--', '--force')
        self.assertEqual(manager.calls, [('Destroy', {'vgpu': '--force'})])


class Refusals(CtlTest):
    def test_text_of_an_error(self):
        text = 'no room for a 4Q on embedded: 2048 MiB are free; 1B, 2B fit'
        self.manager(Create=Error('NoRoom', text=text, freeMib=2048,
                                  fits=['1B', '2B']))
        self.assertEqual(self.assert_fails(1, 'create', '--type', '4Q'),
                         f'vgpuctl: {text}\n')

    def test_error_without_text(self):
        self.manager(Destroy=Error('InUse'), GetVgpu=Error('NoSuchVgpu', text=7))
        self.assertIn('InUse', self.assert_fails(1, 'destroy', 'cad'))
        self.assertIn('NoSuchVgpu', self.assert_fails(1, 'show', 'cad'))

    def test_hostile_error(self):
        self.manager(Destroy=Error('InUse', text='a\nb\x1b[2J\u202e\u009b'),
                     GetVgpu=Error('NoSuchVgpu', text='x' * 100000))
        self.assert_fails(1, 'destroy', 'cad')
        self.assertLess(len(self.assert_fails(1, 'show', 'cad')), 1000)

    def test_older_manager(self):
        self.manager()
        self.assertIn('does not know', self.assert_fails(1, 'list'))
        self.assertIn('does not know', self.assert_fails(1, 'events'))

    def test_parameter_refused(self):
        self.manager(Destroy=Error('org.varlink.service.InvalidParameter',
                                   parameter='vgpu'))
        self.assertIn("'vgpu'", self.assert_fails(1, 'destroy', 'x'))

    def test_replies_that_make_no_sense(self):
        for reply in ({}, {'gpus': None}, {'gpus': 7}, {'gpus': [1]},
                      {'gpus': {'a': 1}}):
            with self.subTest(reply=reply):
                self.setUp()
                self.manager(ListGpus=reply)
                self.assertIn('reply to ListGpus', self.assert_fails(1, 'gpus'))
        self.setUp()
        self.manager(GetVgpu={'vgpu': []}, Create={}, GetQemuArguments={
            'arguments': ['-x', 1]}, Subscribe=Several({'event': 'x'}))
        for arguments in (('show', 'x'), ('create', '--type=T'),
                          ('qemu-args', 'x'), ('events',)):
            self.assertIn('reply to', self.assert_fails(1, *arguments))

    def test_what_is_no_varlink(self):
        for data in (b'', b'HTTP/1.1 400 Bad Request\r\n\r\n\0', b'{"par',
                     b'{}\0', b'[]\0', b'{"parameters":7}\0', b'\0',
                     b'{"parameters":{"gpus":["\xff\xfe"]}}\0',
                     b'{"error":"x","parameters":{}}\0', b'x' * 70000):
            with self.subTest(data=data[:40]):
                self.setUp()
                self.manager(ListGpus=Raw(data), Subscribe=Raw(data))
                self.assert_fails(1, 'gpus')
                # An empty reply says no more than that there are no events.
                if data != b'{}\0':
                    self.assert_fails(1, 'events')

    def test_no_manager(self):
        err = self.assert_fails(1, 'list')
        self.assertIn(self.socket, err)
        self.assertIn('systemctl start vgpud', err)
        # A socket whose owner is gone.
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(self.socket)
        self.assertIn('no manager listens', self.assert_fails(1, 'list'))

    def test_socket_path_too_long(self):
        path = '/tmp/' + 'x' * 200
        self.assertIn('205 bytes', self.assert_fails(1, '--socket', path, 'list'))

    def test_socket_option_wins(self):
        self.environment['VGPU_SOCKET'] = '/nowhere'
        self.manager(ListVgpus=fake.vgpus())
        self.assertEqual(self.ctl('list', '--socket', self.socket)[0], 0)
        # A relative path, which is how a long one is used.
        self.assertEqual(self.ctl('--socket', 's', 'list', cwd=self.folder)[0],
                         0)

    def test_words_that_are_not_utf8(self):
        self.manager()
        self.assertIn('UTF-8', self.assert_fails(1, 'show', b'\xff\xfe'))


class Usage(CtlTest):
    def test_each_is_one_line(self):
        for arguments in (
                (), ('list', 'x'), ('show',), ('show', 'a', 'b'), ('create',),
                ('create', '--type'), ('destroy',), ('qemu-args',),
                ('screenshot', 'a'), ('mode', 'a'), ('mode', 'a', '1920'),
                ('mode', 'a', '1920x'), ('mode', 'a', 'x1080'),
                ('mode', 'a', '1920x1080x'), ('mode', 'a', '-1x5'),
                ('mode', 'a', '99999999999x5'), ('vnc', 'a'),
                ('mode', 'a', '1x1', '--head', '-1'),
                ('mode', 'a', '1x1', '--head', ''), ('help', 'x'),
                ('list', '--json='), ('stop',), ('stop', 'a', '--all'),
                ('autostart', 'a'), ('autostart', 'a', 'yes'), ('modify', 'a'),
                ('apply',), ('check',), ('check', 'a', '--dry-run'),
                ('define', '--type', 'x', '--new-ids'),
                ('define',), ('define', '--type', 'x', '--head', '1'),
                ('define', '--type', 'x', '--autostart', '1'),
                ('define', '--type', 'x', '--mode', '1920'),
                ('modify', 'a', '--head', '1'), ('start', 'a', '--force'),
                ('list', '--json=yaml'), ('list', '--nope'), ('list', '-x'),
                ('list', '--force'), ('destroy', 'a', '--json=short'),
                ('list', '--head', '1'), ('\x1b[2Jls',), ('--force',)):
            with self.subTest(arguments=arguments):
                self.assert_fails(2, *arguments)

    def test_suggestions(self):
        for wrong, right in (('lst', 'list'), ('ls', 'list'), ('typ', 'types'),
                             ('delete', 'destroy'), ('screenshoot', 'screenshot'),
                             ('qemuargs', 'qemu-args')):
            self.assertIn(f"is '{right}' meant?", self.assert_fails(2, wrong))
        self.assertNotIn('meant', self.assert_fails(2, 'frobnicate'))

    def test_version(self):
        self.assertEqual(self.ctl('--version'), (0, 'vgpuctl 0.1.0\n', ''))

    def test_create_says_what_it_needs(self):
        self.assertIn('--type', self.assert_fails(2, 'create', '--name=x'))


if __name__ == '__main__':
    unittest.main()
