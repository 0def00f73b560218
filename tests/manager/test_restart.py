# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud ends, dies and returns; files on disk are damaged."""

import contextlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import unittest

import harness
from harness import Manager, ManagerTest, wait_for

UUID = '12345678-9abc-4def-8123-456789abcdef'


class Restart(ManagerTest):
    def attach(self, manager, vgpu):
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(manager.show(vgpu)['socket'])
        wait_for(lambda: manager.show(vgpu)['state'] == 'attached', 'attach')
        return vmm

    def assert_connected(self, vmm):
        vmm.setblocking(False)
        with self.assertRaises(BlockingIOError):
            vmm.recv(1)
        vmm.setblocking(True)

    def test_killed_vgpud_adopts(self):
        for number in signal.SIGKILL, signal.SIGTERM:
            with self.subTest(number=number):
                m = self.manager()
                m.create(type='256MQ', name='a')
                m.create(type='128MB', uuid=UUID)
                vmm = self.attach(m, 'a')
                before = m.call('ListVgpus')['vgpus']
                m.restart(number)
                after = m.call('ListVgpus')['vgpus']
                for vgpu in before + after:
                    vgpu.pop('heads')

                def by_uuid(vgpu):
                    return vgpu['uuid']
                self.assertEqual(sorted(after, key=by_uuid),
                                 sorted(before, key=by_uuid))
                self.assert_connected(vmm)
                self.assertEqual(m.gpu()['freeMib'], 1024 - 256 - 128)
                # What was taken over can be ended.
                pid = m.show(UUID)['devicePid']
                m.call('Destroy', vgpu=UUID)
                self.assertFalse(harness.is_alive(pid))
                self.doCleanups()

    def test_adopted_device_has_a_successor(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        vmm = self.attach(m, 'a')
        m.restart()
        for _ in range(3):
            pid = m.show('a')['devicePid']
            os.kill(pid, signal.SIGKILL)
            wait_for(lambda: m.show('a').get('devicePid', pid) != pid and
                     m.show('a')['state'] == 'attached', 'a successor')
            self.assert_connected(vmm)

    def test_reboot(self):
        """No process is left: everything is started again."""
        m = self.manager()
        m.create(type='128MB', name='a')
        pid = m.show('a')['devicePid']
        m.kill()
        harness.kill_to_the_end(pid)
        shutil.rmtree(m.runtime)
        m.start()
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')
        self.assertNotEqual(m.show('a')['devicePid'], pid)
        self.assertEqual([e['event'] for e in m.events() if 'uuid' in e],
                         ['started', 'active'])

    def test_hung_device_is_replaced(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        pid = m.show('a')['devicePid']
        m.kill()
        os.kill(pid, signal.SIGSTOP)
        m.start()
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(m.gpu()['freeMib'], 1024 - 128)

    def test_answer_that_is_read_late(self):
        """Devices that answered run on, however late vgpud gets to it."""
        m = self.manager()
        for _ in range(8):
            m.create(type='128MB')
        vgpus = m.call('ListVgpus')['vgpus']
        pids = [vgpu['devicePid'] for vgpu in vgpus]
        m.kill()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        m.process = m.spawn()

        def is_waiting():
            with open('/proc/net/unix', encoding='utf-8') as f:
                text = f.read()
            # One listens, the other is vgpud's connection.
            return all(text.count(f'{vgpu["uuid"]}/control.sock\n') == 2
                       for vgpu in vgpus) and \
                set(harness.thread_states(m.process.pid)) == {'S'}
        wait_for(is_waiting, 'vgpud to ask the devices')
        m.process.send_signal(signal.SIGSTOP)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        time.sleep(6)  # longer than vgpud waits for an answer
        wait_for(lambda: all(set(harness.thread_states(pid)) == {'S'}
                             for pid in pids), 'the answers')
        m.process.send_signal(signal.SIGCONT)
        wait_for(m.is_serving, 'vgpud to serve')
        self.assertEqual(
            {(vgpu['state'], vgpu['devicePid'], vgpu['restarts'])
             for vgpu in m.call('ListVgpus')['vgpus']},
            {('active', pid, 0) for pid in pids})

    def test_hung_device_has_an_end(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        os.kill(m.show('a')['devicePid'], signal.SIGSTOP)
        m.call('Destroy', vgpu='a')
        self.assert_clean(m)

    def test_process_number_of_another(self):
        """The recorded process is not the device any more: it is spared."""
        m = self.manager()
        uuid = m.create(type='128MB')
        pid = m.show(uuid)['devicePid']
        m.kill()
        harness.kill_to_the_end(pid)
        with subprocess.Popen(['sleep', '1000']) as stranger:
            with open(os.path.join(m.folder_of(uuid), 'device.pid'), 'w',
                      encoding='utf-8') as f:
                f.write(f'{stranger.pid} 1\n')
            m.start()
            wait_for(lambda: m.show(uuid)['state'] == 'active', 'active')
            self.assertIsNone(stranger.poll())
            stranger.kill()

    def test_old_folders_go(self):
        m = self.manager()
        m.kill()
        os.mkdir(m.folder_of(UUID))
        Manager.write(os.path.join(m.folder_of(UUID), 'device.pid'), 'x')
        m.start()
        self.assert_clean(m)


class HiddenManager(Manager):
    """As the unit runs it: an ordinary user's, to whom processes that cannot
    be dumped are not in /proc (ProtectProc=invisible)."""

    USER = 65534
    SCRIPT = ('mount -t proc -o hidepid=invisible proc /proc && '
              'exec setpriv --reuid "$0" --regid "$0" --clear-groups "$@"')

    def arguments(self):
        vgpud = os.path.join(self.helpers, 'vgpud')
        # The checkout may lie where that user may not go.
        for name in ('vgpud', 'vgpu-device', 'vgpu-launch', 'vgpu-render',
                     'vgpu-vnc'):
            path = os.path.join(self.helpers, name)
            if os.path.lexists(path):
                os.unlink(path)
            shutil.copy(os.path.join(harness.BUILD, name), path)
        for folder, _, names in os.walk(self.folder):
            for path in [folder] + [os.path.join(folder, name)
                                    for name in names]:
                os.chown(path, self.USER, self.USER)
        return ['unshare', '--mount', 'sh', '-c', self.SCRIPT, str(self.USER),
                vgpud] + super().arguments()[1:]


@unittest.skipIf(os.getuid(), 'needs root, to become another user')
class Hidden(ManagerTest):
    def test_create_and_restart(self):
        m = HiddenManager()
        self.addCleanup(m.finish)
        m.start()
        self.assertNotIn(str(os.getpid()), subprocess.run(
            ['nsenter', '--mount', '--target', str(m.process.pid), 'setpriv',
             '--reuid', str(m.USER), '--regid', str(m.USER), '--clear-groups',
             'ls', '/proc'], check=True, capture_output=True,
            text=True).stdout.split())
        m.create(type='128MB', name='a')
        for i in range(20):
            m.call('Destroy', vgpu=m.create(type='128MB', name=f'b{i}'))
        pid = m.show('a')['devicePid']
        for number in (signal.SIGTERM, signal.SIGKILL):
            m.restart(number)
            wait_for(lambda: m.show('a')['state'] == 'active', 'active')
            self.assertEqual(m.show('a')['devicePid'], pid)


class Storm(ManagerTest):
    """vgpud is killed at any moment of creations and destructions."""

    # Under a name of the test's own: other tests have devices, too.
    DEVICE = ('#!/bin/bash\n'
              f'exec -a "$0" {harness.BUILD}/vgpu-device "$@"\n')

    @staticmethod
    def devices(m):
        """Processes that this manager started as devices."""
        name = os.path.join(m.helpers, 'vgpu-device').encode()
        found = set()
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as f:
                    words = f.read().split(b'\0')
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The second word while it still is the shell.
            if name in words[:2] and harness.is_alive(pid):
                found.add(int(pid))
        return found

    def test_storm(self):
        m = self.manager(mib=512, helpers={'vgpu-device': self.DEVICE})
        rng = random.Random(2)
        known = set()
        for _ in range(25):
            clients = []
            for i in range(3):
                client = m.client()
                clients.append(client)
                if known and rng.random() < 0.5:
                    client.send('Destroy', {'vgpu': rng.choice(sorted(known))})
                else:
                    client.send('Create', {'type': '128MB'})
            time.sleep(rng.random() * 0.04)
            m.kill()
            for client in clients:
                client.close()
            m.start()
            wait_for(lambda: {v['state'] for v in
                              m.call('ListVgpus')['vgpus']} <= {'active'},
                     'every vGPU to be active')
            vgpus = m.call('ListVgpus')['vgpus']
            known = {v['uuid'] for v in vgpus}
            wait_for(lambda vgpus=vgpus: self.devices(m) ==
                     {v['devicePid'] for v in vgpus}, 'stray devices to end')
            self.assertEqual(m.gpu()['freeMib'], 512 - 128 * len(vgpus))
        for uuid in known:
            m.call('Destroy', vgpu=uuid)
        self.assert_clean(m)


class Definitions(ManagerTest):
    """Files that a manager finds and cannot use."""

    def broken(self, change, **options):
        """A manager that starts when CHANGE(path) has been at a definition."""
        m = self.manager(**{'mib': 512, **options})
        m.create(type='128MB', name='good')
        m.create(type='256MQ', name='bad', uuid=UUID)
        pids = [v['devicePid'] for v in m.call('ListVgpus')['vgpus']]
        m.kill()
        for pid in pids:
            harness.kill_to_the_end(pid)
        change(m.definition(UUID))
        with open(m.definition(UUID), 'rb') as f:
            content = f.read()
        m.start()
        wait_for(lambda: m.show('good')['state'] == 'active', 'active')
        vgpu = m.show(UUID)
        self.assertEqual(vgpu['state'], 'failed')
        with open(m.definition(UUID), 'rb') as f:
            self.assertEqual(f.read(), content)
        for method in 'GetQemuArguments', 'Capture':
            error = 'NotActive' if vgpu['heads'] or \
                method == 'GetQemuArguments' else 'NoSuchHead'
            self.assert_refused(error, m.call, method, vgpu=UUID)
        self.assert_refused('UuidInUse', m.create, type='128MB', uuid=UUID)
        # The next one finds the same.
        m.restart()
        self.assertEqual(m.show(UUID)['failure'], vgpu['failure'])
        m.call('Destroy', vgpu=UUID)
        self.assertFalse(os.path.exists(m.definition(UUID)))
        m.call('Destroy', vgpu='good')
        self.assert_clean(m)
        self.doCleanups()  # many of them at once would take much memory
        return vgpu

    def edit(self, **fields):
        def change(path):
            with open(path, encoding='utf-8') as f:
                definition = json.load(f)
            definition.update(fields)
            Manager.write(path, json.dumps(definition))
        return change

    def test_empty(self):
        vgpu = self.broken(lambda path: Manager.write(path, ''))
        self.assertIn('is empty', vgpu['failure'])

    def test_truncated(self):
        vgpu = self.broken(lambda path: os.truncate(path, 100))
        self.assertIn('is damaged', vgpu['failure'])

    def test_another_type(self):
        """A fd that was passed by hand does not match its name."""
        for fields in ({'type': '2Q'}, {'framebufferMib': 128},
                       {'series': 'B'}, {'type': '256MX'}, {'type': ''}):
            with self.subTest(fields=fields):
                vgpu = self.broken(self.edit(**fields))
                self.assertIn('is damaged', vgpu['failure'])

    def test_garbage(self):
        for content in (b'\0' * 100, b'[]', b'{}', b'\xff' * 1000, b'null',
                        b'[' * 60000):
            with self.subTest(content=content[:4]):
                def change(path, content=content):
                    with open(path, 'wb') as f:
                        f.write(content)
                self.assertIn('is damaged', self.broken(change)['failure'])

    def test_large(self):
        vgpu = self.broken(lambda path: os.truncate(path, 1 << 30))
        self.assertIn('cannot be read', vgpu['failure'])

    def test_future(self):
        vgpu = self.broken(self.edit(version=99, news={'a': [1]}))
        self.assertIn('version 99', vgpu['failure'])
        self.assertEqual((vgpu['name'], vgpu['type']), ('bad', '256MQ'))

    def test_wrong_fields(self):
        for fields in (dict(version=0), dict(version='1'), dict(uuid='x'),
                       dict(size=0), dict(size=-1), dict(maxHeads=17),
                       dict(maxWidth=1 << 20), dict(type='x' * 100),
                       dict(heads=[{'head': 1, 'width': 1, 'height': 1}]),
                       dict(heads=[{'head': 0, 'width': 99999, 'height': 1}]),
                       dict(heads=[{'head': 0, 'vnc': 'x' * 200}]),
                       dict(unknown=1), dict(framebufferMib=0),
                       dict(series='')):
            with self.subTest(fields=str(fields)[:50]):
                vgpu = self.broken(self.edit(**fields))
                self.assertIn('is damaged', vgpu['failure'])

    def test_gpu_gone(self):
        vgpu = self.broken(self.edit(gpu='0000:99:00.0'))
        self.assertIn('0000:99:00.0 is gone', vgpu['failure'])

    def test_framebuffer_shrank(self):
        vgpu = self.broken(self.edit(type='4Q', framebufferMib=4096,
                                     size=4 << 30))
        self.assertIn('no room', vgpu['failure'])

    def test_overlap_is_placed_again(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.create(type='256MQ', uuid=UUID)
        pids = [v['devicePid'] for v in m.call('ListVgpus')['vgpus']]
        m.kill()
        for pid in pids:
            harness.kill_to_the_end(pid)
        self.edit(offset=0)(m.definition(UUID))
        m.start()
        wait_for(lambda: all(v['state'] == 'active'
                             for v in m.call('ListVgpus')['vgpus']), 'active')
        self.assertEqual(m.gpu()['freeMib'], 1024 - 256 - 128)

    def test_type_gone_and_back(self):
        m = self.manager()
        m.create(type='256MQ', name='a')
        pid = m.show('a')['devicePid']
        self.take_type(m)
        # A device that runs, runs on.
        m.restart()
        self.assertEqual(m.show('a')['state'], 'active')
        m.kill()
        harness.kill_to_the_end(pid)
        m.start()
        self.assert_lacks_type(m)
        self.give_type(m)

    def test_type_gone_and_hung(self):
        """Its device runs, but cannot be taken over."""
        m = self.manager()
        m.create(type='256MQ', name='a')
        pid = m.show('a')['devicePid']
        self.take_type(m)
        m.kill()
        os.kill(pid, signal.SIGSTOP)
        m.start()
        self.assert_lacks_type(m)
        self.assertFalse(harness.is_alive(pid))
        self.give_type(m)

    @staticmethod
    def take_type(manager):
        Manager.write(manager.types, harness.TYPE.format(
            name='128MB', mib=128, heads=1, width=800, height=600))

    def assert_lacks_type(self, manager):
        vgpu = wait_for(lambda: manager.show('a').get('failure') and
                        manager.show('a'), 'failure')
        self.assertEqual(vgpu['state'], 'failed')
        self.assertIn('type 256MQ is no longer in', vgpu['failure'])
        # Its place is kept for it.
        self.assertEqual(manager.gpu()['freeMib'], 1024 - 256)

    @staticmethod
    def give_type(manager):
        Manager.write(manager.types, harness.TYPES)
        manager.process.send_signal(signal.SIGHUP)
        wait_for(lambda: manager.show('a')['state'] == 'active', 'active')

    def test_other_files_are_left(self):
        m = self.manager()
        m.kill()
        folder = os.path.join(m.state, 'vgpus')
        for name in ('README', UUID + '.json~', UUID.upper() + '.json',
                     'x.json', UUID + '.json.new'):
            Manager.write(os.path.join(folder, name), 'x')
        m.start()
        self.assertEqual(m.call('ListVgpus')['vgpus'], [])
        self.assertNotIn(UUID + '.json.new', os.listdir(folder))
        self.assertEqual(len(os.listdir(folder)), 4)


class Types(ManagerTest):
    def test_broken_file_keeps_the_last_good(self):
        m = self.manager()
        for content in ('', '[128MB]\nframebuffer_mib = x\n', '\0\0', '[',
                        harness.TYPES + '[128MB]\n'):
            with self.subTest(content=content[:20]):
                Manager.write(m.types, content)
                m.process.send_signal(signal.SIGHUP)
                problem = wait_for(
                    lambda: m.call('GetInfo').get('typesProblem'), 'notice')
                self.assertIn(m.types, problem)
                self.assertIn('last good catalogue', problem)
                self.assertEqual(len(m.call('ListTypes')['types']), 4)
                # Also over a restart, while the file is still broken.
                m.restart()
                self.assertEqual(m.call('GetInfo')['typesProblem'], problem)
                m.create(type='128MB', name='a')
                m.call('Destroy', vgpu='a')
                Manager.write(m.types, harness.TYPES)
                m.process.send_signal(signal.SIGHUP)
                wait_for(lambda: 'typesProblem' not in m.call('GetInfo'),
                         'notice')

    def test_missing_file(self):
        m = self.manager()
        os.unlink(m.types)
        m.restart()
        self.assertIn('No such file', m.call('GetInfo')['typesProblem'])

    def test_own_file_comes_and_goes(self):
        """types.ini beside the configuration: seen by a reload, as is its end."""
        m = Manager(has_types_option=False)
        self.addCleanup(m.finish)
        os.unlink(m.types)
        m.start()
        shipped = m.call('GetInfo')['typesFile']
        self.assertNotEqual(shipped, m.types)
        types = m.call('ListTypes')['types']
        self.assertNotIn('128MB', [t['type'] for t in types])

        for text, file, known in ((harness.TYPES, m.types, '128MB'),
                                  (harness.TYPE.format(
                                      name='384MQ', mib=384, heads=1,
                                      width=640, height=480),
                                   m.types, '384MQ'),
                                  (None, shipped, types[0]['type'])):
            if text:
                Manager.write(m.types, text)
            else:
                os.unlink(m.types)
            m.process.send_signal(signal.SIGHUP)
            wait_for(lambda known=known: known in [
                t['type'] for t in m.call('ListTypes')['types']], 'a reload')
            info = m.call('GetInfo')
            self.assertEqual(info['typesFile'], file)
            self.assertNotIn('typesProblem', info)

    def check(self, m, status):
        """What vgpud --check says of the files."""
        done = subprocess.run([*m.arguments(), '--check'], text=True,
                              capture_output=True, timeout=harness.TIMEOUT,
                              check=False)
        self.assertEqual((done.returncode, done.stdout), (status, ''))
        return done.stderr

    def test_check(self):
        """It needs nothing but the files, and starts nothing."""
        m = self.manager()
        before = m.files()
        self.assertEqual(self.check(m, 0), '')
        Manager.write(m.types, '[128MB]\nframebuffer_mib = x\n')
        self.assertIn(m.types, self.check(m, 1))
        Manager.write(m.types, harness.TYPES)
        Manager.write(m.config, '[embedded]\ncolour = red\n')
        self.assertIn(m.config, self.check(m, 1))
        self.assertEqual(m.files(), before)


class Refusals(unittest.TestCase):
    """A manager that does not start: one line, exit status 1."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vgpud.')
        self.addCleanup(shutil.rmtree, self.folder)

    def refuse(self, manager, status=1):
        with open(manager.log_path, 'w', encoding='utf-8'):
            pass
        process = manager.spawn()
        try:
            self.assertEqual(process.wait(harness.TIMEOUT), status)
        finally:
            process.kill()
        text = manager.log()
        self.assertEqual(text.count('\n'), 1, text)
        return text

    def test_two_managers(self):
        m = Manager(folder=self.folder)
        self.addCleanup(m.finish)
        m.start()
        m.create(type='128MB', name='a')
        self.assertIn('another vgpud uses the folder', self.refuse(m))
        # Also if only one folder is shared.
        other = Manager(folder=self.folder)
        other.state += '2'
        self.assertIn(m.runtime, self.refuse(other))
        other.state, other.runtime = m.state, m.runtime + '2'
        self.assertIn(m.state, self.refuse(other))
        self.assertEqual(m.show('a')['state'], 'active')

    def test_long_path(self):
        m = Manager(folder=self.folder)
        m.runtime = os.path.join(self.folder, 'x' * 100)
        self.assertIn('bytes too long for sockets', self.refuse(m))

    def test_longest_path(self):
        m = Manager(folder=self.folder)
        socket_name = f'/{"0" * 36}/control.sock'
        m.runtime = os.path.join(self.folder, '')
        m.runtime += 'x' * (107 - len(m.runtime) - len(socket_name))
        m.socket = os.path.join(m.runtime, harness.INTERFACE)
        self.addCleanup(m.finish)
        m.start()
        m.create(type='128MB')
        self.assertEqual(len(m.folder_of('0' * 36)) + len('/control.sock'),
                         107)

    def test_folder_is_a_file(self):
        m = Manager(folder=self.folder)
        m.state = m.config
        self.assertIn('is not a folder', self.refuse(m))

    def test_broken_types_and_no_older(self):
        m = Manager(folder=self.folder, types='[4Q]\n')
        self.assertIn(m.types, self.refuse(m))

    def test_broken_config(self):
        m = Manager(folder=self.folder)
        for text, part in (
                ('[embedded]\nframebuffer_mib = 1x\n', 'line 2'),
                ('[embedded]\nframebuffer_mib = -1\n', 'line 2'),
                ('[embedded]\nframebuffer_mib = 99999999999999\n', 'line 2'),
                ('[embedded]\ncolour = red\n', 'colour'),
                ('framebuffer_mib = 1\n', 'line 1'),
                ('[embedded\n', 'line 1'),
                ('[embedded]\nframebuffer_mib = 1\nhost_reserve_mib = 2\n',
                 'host_reserve_mib is more')):
            with self.subTest(text=text):
                Manager.write(m.config, text)
                line = self.refuse(m)
                self.assertIn(part, line)
                self.assertIn(m.config, line)
        os.unlink(m.config)
        self.assertIn('cannot be read', self.refuse(m))

    def test_wrong_usage(self):
        for arguments in (['--colour'], ['x'], ['--types']):
            result = subprocess.run(
                [os.path.join(harness.BUILD, 'vgpud'), *arguments],
                capture_output=True, timeout=harness.TIMEOUT, check=False)
            self.assertEqual(result.returncode, 2)
            self.assertEqual(result.stdout, b'')
        for option in '--help', '--version':
            result = subprocess.run(
                [os.path.join(harness.BUILD, 'vgpud'), option],
                capture_output=True, timeout=harness.TIMEOUT, check=True)
            self.assertEqual(result.stderr, b'')
            self.assertIn(b'vgpud', result.stdout)


class Service(ManagerTest):
    """What systemd is told."""

    def test_notifications(self):
        m = Manager()
        self.addCleanup(m.finish)
        path = os.path.join(m.folder, 'notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(harness.TIMEOUT)
            m.notify = path
            m.start()

            def expect(*parts):
                text = ''
                while not all(part in text for part in parts):
                    text = notify.recv(4096).decode()

            expect('READY=1')
            m.create(type='128MB')
            expect('STATUS=1 vGPUs, 0 of them in use, 896 MiB free')
            m.process.send_signal(signal.SIGHUP)
            expect('RELOADING=1', 'MONOTONIC_USEC=')
            expect('READY=1')
            m.process.send_signal(signal.SIGTERM)
            expect('STOPPING=1')
            self.assertEqual(m.process.wait(harness.TIMEOUT), 0)
            m.process = m.notify = None

    def test_ready_when_vgpus_serve(self):
        """Services that start after vgpud find each vGPU's socket."""
        m = self.manager()
        pid = m.show(m.create(type='128MB', name='a'))['devicePid']
        m.kill()
        harness.kill_to_the_end(pid)
        go = os.path.join(m.folder, 'go')
        device = os.path.join(harness.BUILD, 'vgpu-device')
        m.helper('vgpu-device', f'#!/bin/sh\nwhile [ ! -e {go} ]; do sleep 0.01; done\n'
                                f'exec {device} "$@"\n')
        path = os.path.join(m.folder, 'notify')
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
            notify.bind(path)
            notify.settimeout(harness.TIMEOUT)
            m.notify = path
            m.start()
            # What it said before it answered is there to be read.
            self.assertEqual(m.show('a')['state'], 'defined')
            notify.setblocking(False)
            said = b''
            with contextlib.suppress(BlockingIOError):
                while True:
                    said += notify.recv(4096)
            self.assertNotIn(b'READY=1', said)
            m.write(go, '')
            notify.settimeout(harness.TIMEOUT)
            while b'READY=1' not in said:
                said = notify.recv(4096)
            self.assertIn(m.show('a')['state'], ('active', 'attached'))
            m.notify = None
            m.restart()


class FullDisk(ManagerTest):
    """A state folder on a file system of a few kilobytes."""

    def full_disk(self, path):
        os.makedirs(path)
        mount = subprocess.run(
            ['mount', '-t', 'tmpfs', '-o', 'size=64k', 'none', path],
            capture_output=True, check=False)
        if mount.returncode != 0:
            self.skipTest(f'no mount here: {mount.stderr.decode().strip()}')
        self.addCleanup(subprocess.run, ['umount', '-l', path], check=True)

    def test_create_and_settings(self):
        m = Manager()
        self.full_disk(m.state)
        self.addCleanup(m.finish)
        m.start()
        m.create(type='128MB', name='a')
        filler = os.path.join(m.state, 'filler')
        with open(filler, 'wb', buffering=0) as f:
            try:
                while True:
                    f.write(b'x' * 4096)
            except OSError:
                pass
        before = harness.wait_for_rest(m)
        refused = self.assert_refused('CannotSave', m.create, type='128MB')
        self.assertIn('No space left', refused.parameters['text'])
        self.assert_refused('CannotSave', m.call, 'SetMode', vgpu='a',
                            width=640, height=480)
        self.assertEqual(harness.wait_for_rest(m), before)
        self.assertEqual(m.gpu()['freeMib'], 1024 - 128)
        self.assertEqual(m.show('a')['state'], 'active')
        os.unlink(filler)
        m.create(type='128MB', name='b')
        m.restart()
        self.assertEqual(len(m.call('ListVgpus')['vgpus']), 2)


if __name__ == '__main__':
    sys.exit(harness.main())
