# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl --host and fleet: managers of other machines, by a command that stands for
ssh, and by a real sshd where there is one."""

import getpass
import json
import os
import pty
import re
import shutil
import socket
import subprocess
import sys
import time
import unittest

import fake_manager as fake
from fake_manager import BUILD, CtlTest, Error, Several, TIMEOUT, VGPUCTL, WithFds

# It notes what it is called with; what host is asked for says what it does.
SSH = """#!{python}
import os, sys, time
words = sys.argv[1:]
with open({log!r}, 'a') as f:
    f.write(repr(words) + '\\n')
host, line = words[-2:]
assert words[-3] == '--', words
if host.startswith('dead'):
    sys.stderr.write('Welcome\\nssh: connect to host dead port 22: No route to host\\n')
    sys.exit(255)
if host.startswith('hangs'):
    time.sleep(1000)
if host.startswith('slow'):
    time.sleep(1)
environment = dict(os.environ, VGPU_SOCKET={socket!r}, PATH={path!r})
if host.startswith('bare'):
    environment['PATH'] = '/nowhere'
if host.startswith('none'):
    environment['VGPU_SOCKET'] = '/nowhere/s'
os.execve('/bin/sh', ['sh', '-c', line], environment)
"""


def frame(width, height, pixels):
    fd = os.memfd_create('frame')
    os.write(fd, pixels)
    return WithFds([fd], width=width, height=height, stride=4 * width, fileDescriptor=0)


class Remote(CtlTest):
    def setUp(self):
        super().setUp()
        self.far = os.path.join(self.folder, 'far')
        self.log = os.path.join(self.folder, 'ssh.log')
        self.ssh = os.path.join(self.folder, 'ssh')
        with open(self.ssh, 'w', encoding='utf-8') as f:
            f.write(SSH.format(python=sys.executable, log=self.log, socket=self.far,
                               path=f'{BUILD}:{os.environ["PATH"]}'))
        os.chmod(self.ssh, 0o755)
        self.environment['VGPU_SSH'] = self.ssh
        del self.environment['VGPU_SOCKET']

    def manager(self, **replies):
        manager = fake.FakeManager(self.far, replies)
        self.addCleanup(manager.close)
        return manager

    def words(self):
        with open(self.log, encoding='utf-8') as f:
            return [eval(line) for line in f]  # pylint: disable=eval-used

    def host(self, *arguments, host='ssh://h', **options):
        return self.ctl('--host', host, *arguments, **options)


class Verbs(Remote):
    def test_as_on_the_spot(self):
        """Each prints there what it prints here, and calls the same."""
        vgpu = dict(fake.counted(), vmPid=2**22 + 1)
        manager = self.manager(
            GetInfo={'version': '1'}, ListGpus=fake.gpus(), ListTypes=fake.types(),
            ListVgpus=fake.vgpus(), GetVgpu={'vgpu': vgpu}, Create={'uuid': 'x'},
            Define={'uuid': 'x'}, CheckDefinition={}, Start={}, Stop={}, Undefine={},
            Destroy={}, Modify={}, SetMode={}, SetVnc={}, SetScheduler={},
            GetQemuArguments={'arguments': ['-a', 'b c']},
            Subscribe=Several({'event': {'sequence': 0, 'time': 1, 'event': 'x'}}))
        definition = os.path.join(self.folder, 'd.json')
        with open(definition, 'w', encoding='utf-8') as f:
            json.dump([{'type': '4Q', 'name': 'cad', 'state': 'defined',
                        'uuid': vgpu['uuid']}], f)
        for words in (
                'gpus', 'types', 'types --gpu embedded', 'list', 'list --json=short',
                'show cad', 'show cad --json', 'top', 'stats --prometheus',
                'create --type 4Q --owner 1000:7', 'define --type 4Q',
                f'apply {definition} --dry-run', f'check {definition}', 'start cad',
                'stop cad --force', 'undefine cad', 'destroy cad', 'modify cad --weight 5',
                'autostart cad on', 'mode cad 800x600', 'vnc cad 127.0.0.1:5900',
                'scheduler --gpu embedded', 'qemu-args cad', 'events', 'show nothing extra'):
            with self.subTest(words=words):
                del manager.calls[:]
                here = self.ctl('--socket', self.far, *words.split())
                calls = list(manager.calls)
                del manager.calls[:]
                self.assertEqual(self.host(*words.split()), here)
                # How many processors a machine has its manager knows.
                self.assertEqual([c for c in manager.calls if c[0] != 'GetInfo'],
                                 [c for c in calls if c[0] != 'GetInfo'])

    def test_screenshot(self):
        """No file descriptor passes by ssh: the picture comes as a file."""
        pixels = os.urandom(30 * 20 * 4)
        self.manager(Capture=lambda p: frame(30, 20, pixels) if p.get('head') == 1 else
                     Error('NoSuchHead', text='there is no head 0'))
        path = os.path.join(self.folder, 'there.png')
        self.assertEqual(self.host('screenshot', 'cad', path, '--head', '1'), (0, '', ''))
        here = os.path.join(self.folder, 'here.png')
        self.assertEqual(self.ctl('--socket', self.far, 'screenshot', 'cad', here,
                                  '--head', '1')[0], 0)
        with open(path, 'rb') as one, open(here, 'rb') as other:
            self.assertEqual(one.read(), other.read())
        done = subprocess.run([VGPUCTL, '--host', 'ssh://h', 'screenshot', 'cad', '-'],
                              capture_output=True, env=self.environment, check=False,
                              timeout=TIMEOUT)
        self.assertEqual((done.returncode, done.stdout, done.stderr),
                         (1, b'', b'vgpuctl: there is no head 0\n'))
        lost = os.path.join(self.folder, 'lost.png')
        self.assertEqual(self.host('screenshot', 'cad', lost)[0], 1)
        self.assertEqual(self.host('screenshot', 'cad', lost, host='ssh://dead')[0], 1)
        self.assertFalse([name for name in os.listdir(self.folder)
                          if name.startswith(('lost', '.vgpuctl'))])

    def test_doctor(self):
        """It looks at that machine, by the vgpuctl there."""
        self.manager(GetInfo={'version': '1'}, ListGpus=fake.gpus(), ListVgpus=fake.vgpus())
        code, out, _ = self.host('doctor', '--json=short')
        self.assertIn(code, (0, 1))
        self.assertGreater(len(json.loads(out)), 5)
        self.assertEqual(self.words()[0][-1], 'env VGPU_HOST= vgpuctl doctor --json=short')

    def test_owners(self):
        """Numbers are the other machine's, names are not."""
        vgpu = dict(fake.cad(), ownerUid=os.getuid() or 1, ownerGid=0)
        manager = self.manager(ListVgpus={'vgpus': [vgpu]}, Create={'uuid': 'x'})
        self.assertRegex(self.host('list')[1], f" {vgpu['ownerUid']} ")
        error = self.assert_fails(2, '--host', 'ssh://h', 'create', '--type', 'x',
                                  '--owner', 'root')
        self.assertIn("not 'root'", error)
        self.assertEqual([name for name, _ in manager.calls if name == 'Create'], [])

    def test_vm_of_another_machine(self):
        """A process of the same number here is not it."""
        vgpu = dict(fake.cad(), vmPid=os.getpid())
        self.manager(GetVgpu={'vgpu': vgpu})
        self.assertIn(f'VM PID:      {os.getpid()}\n', self.host('show', 'cad')[1])

    def test_processors_of_another_machine(self):
        """A part of all the processors' time is of those there."""
        calls = []

        def vgpus(_):
            calls.append(time.monotonic())
            return {'vgpus': [dict(fake.cad(), cpuUsec=int(calls[-1] * 10**6))]}
        self.manager(GetInfo={'version': '1', 'processors': 4}, ListGpus=fake.gpus(),
                     ListVgpus=vgpus)
        main, end = pty.openpty()
        self.addCleanup(os.close, main)
        with subprocess.Popen([VGPUCTL, '--host', 'ssh://h', 'top'], stdin=end, stdout=end,
                              env=dict(self.environment, TERM='dumb')) as top:
            os.close(end)
            seen = ''
            # One processor of four, as far as the second was one.
            while not re.search(r' (2[0-9]|3[0-9])\.\d% ', seen):
                seen += os.read(main, 65536).decode()
            os.write(main, b'q')
            self.assertEqual(top.wait(TIMEOUT), 0)

    def test_large_replies(self):
        """The bridge carries megabytes both ways."""
        vgpus = [dict(fake.counted(), failure='x' * 1000) for _ in range(2000)]
        self.manager(ListVgpus={'vgpus': vgpus})
        code, out, _ = self.host('list', '--json=short')
        self.assertEqual((code, json.loads(out)), (0, vgpus))

    def test_socket_there(self):
        self.manager(ListVgpus=fake.vgpus())
        path = os.path.join(self.folder, "it's there")
        os.symlink(self.far, path)
        code, _, err = self.ctl('--host', 'ssh://none', '--socket', path, 'list')
        self.assertEqual((code, err), (0, ''))

    def test_events_follow(self):
        event = {'event': {'sequence': 0, 'time': 1, 'event': 'created', 'text': 'x'}}
        manager = self.manager(Subscribe=Several(event, is_open=True))
        with subprocess.Popen([VGPUCTL, '--host', 'ssh://h', 'events', '--follow'],
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              env=self.environment) as events:
            self.assertIn(b'created', events.stdout.readline())
            manager.close()
            _, err = events.communicate(timeout=TIMEOUT)
        self.assertEqual(events.returncode, 1)
        self.assertIn('ssh://h', err.decode())
        self.assert_line(err.decode())


class Ssh(Remote):
    def test_words(self):
        self.manager(ListVgpus=fake.vgpus())
        for url, expected in (
                ('ssh://host', ['--', 'host']),
                ('ssh://me@host.example', ['-l', 'me', '--', 'host.example']),
                ('ssh://me@10.0.0.1:2222', ['-l', 'me', '-p', '2222', '--', '10.0.0.1']),
                ('ssh://[fe80::1%eth0]:22', ['-p', '22', '--', 'fe80::1%eth0']),
                ('ssh://[::1]', ['--', '::1'])):
            with self.subTest(url=url):
                self.assertEqual(self.host('list', host=url)[0], 0)
                words = self.words()[-1]
                self.assertEqual(words[-len(expected) - 1:-1], expected)
                self.assertEqual(words[-1], 'env VGPU_HOST= vgpuctl bridge')
        self.environment['VGPU_HOST'] = 'ssh://other'
        self.assertEqual(self.ctl('list')[0], 0)
        self.assertEqual(self.words()[-1][-2], 'other')

    def test_bad_urls(self):
        for url in ('host', 'http://host', 'ssh://', 'ssh://-oProxyCommand=x',
                    'ssh://me@', 'ssh://-l@host', 'ssh://a b', 'ssh://host:0',
                    'ssh://host:65536', 'ssh://host:x', 'ssh://host/path', 'ssh://[::1',
                    'ssh://[::1]x', 'ssh://$(id)', 'ssh://a;b', 'ssh://me@me@host',
                    'ssh://' + 'a' * 300, 'ssh://h\x1b'):
            with self.subTest(url=url):
                self.assertIn('--host takes', self.assert_fails(2, '--host', url, 'list'))
        self.assertFalse(os.path.exists(self.log))

    def test_failures(self):
        """Each is one line, which says what failed."""
        for host, expected in (
                ('dead', 'ssh://dead cannot be reached by ssh: '
                         'ssh: connect to host dead port 22: No route to host'),
                ('bare', 'ssh://bare has no vgpuctl: install OpenVGPU there'),
                ('none', 'ssh://none: no manager listens at /nowhere/s')):
            for command in (['list'], ['create', '--type', '4Q'], ['events', '--follow'],
                            ['top'], ['stats']):
                with self.subTest(host=host, command=command):
                    error = self.assert_fails(1, '--host', f'ssh://{host}', *command)
                    self.assertTrue(error.startswith('vgpuctl: ' + expected), error)
        self.environment['VGPU_SSH'] = '/nowhere/ssh'
        self.assertIn('/nowhere/ssh: No such file',
                      self.assert_fails(1, '--host', 'ssh://h', 'list'))

    def test_manager_that_fails(self):
        self.manager(ListVgpus=Error('Internal', text='it failed'),
                     ListGpus=fake.Raw(b'nonsense\0'))
        self.assertEqual(self.assert_fails(1, '--host', 'ssh://h', 'list'),
                         'vgpuctl: it failed\n')
        self.assertIn('ssh://h', self.assert_fails(1, '--host', 'ssh://h', 'gpus'))

    def test_nothing_is_left(self):
        self.manager(ListVgpus=fake.vgpus())
        for _ in range(3):
            self.host('list')
        deadline = time.monotonic() + TIMEOUT
        while subprocess.run(['pgrep', '-f', f'{BUILD}/vgpuctl bridge'],
                             stdout=subprocess.DEVNULL, check=False).returncode == 0:
            self.assertLess(time.monotonic(), deadline)
            time.sleep(0.05)

    def test_bridge_is_for_programs(self):
        main, end = pty.openpty()
        self.addCleanup(os.close, main)
        self.addCleanup(os.close, end)
        done = subprocess.run([VGPUCTL, 'bridge'], stdin=end, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, env=self.environment, check=False,
                              timeout=TIMEOUT)
        self.assertEqual(done.returncode, 1)
        self.assertIn(b'--host', done.stderr)

    def test_completion_asks_nobody(self):
        self.manager(ListVgpus=fake.vgpus())
        self.assertEqual(self.ctl('__complete', '--host', 'ssh://h', 'show', '')[1], '')
        self.assertFalse(os.path.exists(self.log))


class Fleet(Remote):
    def hosts(self, text):
        path = os.path.join(self.folder, 'hosts')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)
        return path

    def test_list(self):
        self.manager(ListVgpus=fake.vgpus())
        path = self.hosts('# racks\n\nssh://me@a:22  # the first\nb\n dead1\nnone\n')
        code, out, err = self.ctl('fleet', 'list', '--file', path)
        lines = out.splitlines()
        self.assertEqual([line.split()[:2] for line in lines], [
            ['HOST', 'VGPU'], ['ssh://me@a:22', 'cad'],
            ['ssh://me@a:22', fake.nameless()['uuid']], ['b', 'cad'],
            ['b', fake.nameless()['uuid']]])
        self.assertEqual(code, 1)
        dead, none = err.splitlines()
        self.assertIn('dead1: ssh://dead1 cannot be reached', dead)
        self.assertIn('none: ssh://none: no manager listens', none)
        self.assertIn('-oBatchMode=yes', self.words()[0])

    def test_json(self):
        self.manager(ListVgpus=fake.vgpus())
        path = self.hosts('b\ndead\n')
        code, out, _ = self.ctl('fleet', 'list', '--file', path, '--json=short')
        b, dead = json.loads(out)
        self.assertEqual(b, {'host': 'b', 'vgpus': fake.vgpus()['vgpus']})
        self.assertEqual(sorted(dead), ['error', 'host'])
        self.assertEqual(code, 1)

    def test_local(self):
        """This machine is one of them, by its own socket; one without vGPUs is shown."""
        self.manager(ListVgpus={'vgpus': []})
        path = self.hosts('local\nb\n')
        code, out, err = self.ctl('--socket', self.far, 'fleet', 'list', '--file', path)
        self.assertEqual((code, err), (0, ''))
        self.assertEqual([line.split()[:2] for line in out.splitlines()[1:]],
                         [['local', '-'], ['b', '-']])

    def test_default_files(self):
        self.manager(ListVgpus=fake.vgpus())
        config = os.path.join(self.folder, 'config/vgpu')
        os.makedirs(config)
        with open(os.path.join(config, 'hosts'), 'w', encoding='utf-8') as f:
            f.write('b\n')
        self.environment['XDG_CONFIG_HOME'] = os.path.dirname(config)
        self.assertEqual(self.ctl('fleet', 'list')[0], 0)
        self.environment['XDG_CONFIG_HOME'] = '/nowhere'
        self.assertIn('/etc/vgpu/hosts', self.assert_fails(1, 'fleet', 'list'))

    def test_at_the_same_time(self):
        """A hundred hosts that take a second each take a few."""
        self.manager(ListVgpus={'vgpus': []})
        path = self.hosts(''.join(f'slow{i}\n' for i in range(100)))
        begin = time.monotonic()
        code, out, _ = self.ctl('fleet', 'list', '--file', path)
        self.assertEqual((code, len(out.splitlines())), (0, 101))
        self.assertLess(time.monotonic() - begin, 60)

    def test_bad_files(self):
        for text, expected in (
                ('', 'names no host'), ('# none\n', 'names no host'),
                ('a\nssh://-x\n', ':2: '), ('http://x\n', ':1: '), ('a b\n-c\n', ':1: '),
                ('x\n' * 1025, 'more than 1024'), ('a' * 70000, 'longer than')):
            with self.subTest(text=text[:20]):
                self.assertIn(expected, self.assert_fails(
                    1, 'fleet', 'list', '--file', self.hosts(text)))
        self.assert_fails(2, 'fleet', 'destroy')
        self.assert_fails(2, '--host', 'ssh://h', 'fleet', 'list')
        self.assert_fails(1, 'fleet', 'list', '--file', '/nowhere/hosts')

    def test_hostile_host(self):
        """What a host says gets nobody's terminal."""
        self.manager(ListVgpus={'vgpus': [fake.hostile()]})
        _, out, _ = self.ctl('fleet', 'list', '--file', self.hosts('b\n'))
        self.assertTrue(all(c.isprintable() or c == '\n' for c in out), repr(out))
        self.manager_text = '\x1b[2J\nvgpuctl: all is well'
        far = os.path.join(self.folder, 'far2')
        os.rename(self.far, far)
        self.manager(ListVgpus=Error('Internal', text=self.manager_text))
        _, _, err = self.ctl('fleet', 'list', '--file', self.hosts('b\n'))
        self.assert_line(err)


@unittest.skipUnless(shutil.which('sshd') and shutil.which('ssh'), 'no sshd')
class Sshd(Remote):
    """A real sshd on the loopback address."""

    def start_sshd(self):
        keys = {}
        for name in 'host', 'user':
            keys[name] = os.path.join(self.folder, name)
            subprocess.run(['ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-f',
                            keys[name]], check=True, timeout=TIMEOUT)
        with socket.create_server(('127.0.0.1', 0)) as server:
            port = server.getsockname()[1]
        config = os.path.join(self.folder, 'sshd_config')
        with open(config, 'w', encoding='utf-8') as f:
            f.write(f'ListenAddress 127.0.0.1\nPort {port}\nHostKey {keys["host"]}\n'
                    f'AuthorizedKeysFile {keys["user"]}.pub\nStrictModes no\n'
                    f'PidFile none\nUsePAM no\nPermitRootLogin yes\n'
                    f'SetEnv VGPU_SOCKET={self.far} PATH={BUILD}:/usr/bin:/bin\n')
        sshd = subprocess.Popen([shutil.which('sshd'), '-D', '-e', '-f', config],
                                stderr=subprocess.DEVNULL)
        self.addCleanup(sshd.wait)
        self.addCleanup(sshd.terminate)
        with open(self.ssh, 'w', encoding='utf-8') as f:
            f.write(f'#!/bin/sh\nexec {shutil.which("ssh")} -F /dev/null -i {keys["user"]} '
                    '-oStrictHostKeyChecking=no -oUserKnownHostsFile=/dev/null '
                    '-oLogLevel=ERROR "$@"\n')
        deadline = time.monotonic() + TIMEOUT
        while True:
            try:
                socket.create_connection(('127.0.0.1', port), 1).close()
                return port
            except OSError:
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)

    def test_verbs(self):
        url = f'ssh://{getpass.getuser()}@127.0.0.1:{self.start_sshd()}'
        event = {'event': {'sequence': 0, 'time': 1, 'event': 'created', 'text': 'x'}}
        pixels = os.urandom(30 * 20 * 4)
        self.manager(ListGpus=fake.gpus(), ListVgpus=fake.vgpus(),
                     GetVgpu={'vgpu': fake.cad()}, Capture=lambda _: frame(30, 20, pixels),
                     Subscribe=Several(event))
        for words in 'gpus', 'list', 'list --json', 'show cad', 'events':
            with self.subTest(words=words):
                here = self.ctl('--socket', self.far, *words.split())
                self.assertEqual(self.host(*words.split(), host=url), here)
        path = os.path.join(self.folder, 'there.png')
        self.assertEqual(self.host('screenshot', 'cad', path, host=url), (0, '', ''))
        self.assertGreater(os.path.getsize(path), 30 * 20 * 3)
        hosts = os.path.join(self.folder, 'hosts')
        with open(hosts, 'w', encoding='utf-8') as f:
            f.write(f'{url}\nssh://127.0.0.1:1\n')
        code, out, err = self.ctl('fleet', 'list', '--file', hosts)
        self.assertEqual((code, len(out.splitlines())), (1, 3))
        self.assert_line(err)
        self.assertIn('refused', err)


if __name__ == '__main__':
    unittest.main()
