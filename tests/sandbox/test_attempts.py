# SPDX-License-Identifier: GPL-2.0-or-later
"""A render process that is a guest's cannot harm another, by any one layer.

The programs are built for this: VGPU_SANDBOX_WITHOUT leaves layers out, and
VGPU_SANDBOX_ATTEMPT is done when the process is shut in."""

import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import unittest

import client as vt

NOBODY = 65534
NAMESPACES = ('user', 'pid', 'net', 'ipc', 'uts', 'root')
LANDLOCK = ('landlock', 'scope')
SECCOMP = ('seccomp',)
SIGNALS = ('setown-kill', 'setown-stop', 'setown-group', 'setown-ex',
           'fiosetown-kill', 'fiosetown-stop', 'kill', 'kill-group', 'tkill',
           'tgkill', 'sigqueue', 'pidfd', 'proc-pidfd')
MEMORY = ('ptrace', 'read-memory', 'proc-memory', 'compare')
OTHERS = ('scheduler', 'sched-attr', 'affinity', 'priority', 'io-priority',
          'limit', 'datagram', 'mode')
ALL = SIGNALS + MEMORY + OTHERS


class Victim:
    """A process of the same user, with a socket, in a session of its own."""

    def __init__(self, folder):
        self.path = os.path.join(folder, 'victim')
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        os.chown(self.path, NOBODY, NOBODY)
        os.chmod(self.path, 0o700)
        self.process = subprocess.Popen(
            ['sleep', '600'], start_new_session=True, user=NOBODY,
            group=NOBODY, extra_groups=[])
        self.before = self.state()

    def state(self):
        pid = self.process.pid
        if self.process.poll() is not None:
            return 'ended'
        with open(f'/proc/{pid}/stat', encoding='ascii') as file:
            state = file.read().rpartition(')')[2].split()[0]
        with open(f'/proc/{pid}/limits', encoding='ascii') as file:
            limits = file.read()
        ionice = subprocess.run(['ionice', '-p', str(pid)], check=False,
                                capture_output=True, text=True).stdout
        return (state in 'Tt', os.sched_getscheduler(pid),
                os.getpriority(os.PRIO_PROCESS, pid),
                os.sched_getaffinity(pid), limits, ionice,
                os.stat(self.path).st_mode)

    def is_harmed(self):
        try:
            self.socket.recv(1, socket.MSG_DONTWAIT)
            return True
        except BlockingIOError:
            return self.state() != self.before

    def finish(self):
        self.process.kill()
        self.process.wait()
        self.socket.close()
        os.unlink(self.path)


@unittest.skipIf(os.getuid() != 0, 'victims are another user')
class Attempts(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='attempts.')
        self.addCleanup(shutil.rmtree, self.folder)
        os.chmod(self.folder, 0o755)
        for name, place in (('vgpu-device', vt.BUILD),
                            ('vgpu-launch', os.environ['VGPU_ATTEMPTS']),
                            ('vgpu-render', os.environ['VGPU_ATTEMPTS'])):
            shutil.copy(os.path.join(place, name), self.folder)

    def attempt(self, name, layers):
        """With @layers only: whether the attempt did harm, and what the device
        logged."""
        without = [layer for layer in NAMESPACES + LANDLOCK + SECCOMP
                   if layer not in layers]
        victim = Victim(self.folder)
        device = vt.Device(
            program=os.path.join(self.folder, 'vgpu-device'),
            VGPU_SANDBOX_WITHOUT=','.join(without),
            VGPU_SANDBOX_ATTEMPT=f'{name} {victim.process.pid} {victim.path}')
        try:
            with device.client() as client:
                client.agree()
                client.capset()
                end = vt.time.monotonic() + vt.TIMEOUT
                while 'attempt: ' not in device.said() and \
                        'context is lost' not in device.said():
                    self.assertLess(vt.time.monotonic(), end, device.said())
                    vt.time.sleep(0.005)
                # A packet for the process, and no command that there is.
                with contextlib.suppress(BrokenPipeError,
                                         ConnectionResetError):
                    client.send(vt.command(vt.INIT, vt.words(vt.VENUS)) +
                                vt.batch(b'\xff' * 8))
                device.end_contexts()
            said = device.said()
            if name in MEMORY:
                return f'{name}: done' in said, said
            # A signal, say, may take a moment to arrive.
            end = vt.time.monotonic() + (0 if layers else vt.TIMEOUT)
            while not (harmed := victim.is_harmed()) and \
                    vt.time.monotonic() < end:
                vt.time.sleep(0.005)
            return harmed, said
        finally:
            device.end()
            device.folder.cleanup()
            victim.finish()

    def check(self, layers, names):
        for name in names:
            with self.subTest(attempt=name):
                harmed, said = self.attempt(name, layers)
                self.assertFalse(harmed, said)

    def test_without_any(self):
        """Without any layer each attempt does harm."""
        for name in ALL:
            with self.subTest(attempt=name):
                harmed, said = self.attempt(name, ())
                self.assertTrue(harmed, said)

    def test_namespaces_alone(self):
        self.check(NAMESPACES, ALL)

    def test_landlock_alone(self):
        self.check(LANDLOCK, SIGNALS + MEMORY)

    def test_seccomp_alone(self):
        self.check(SECCOMP, ALL)

    def test_all(self):
        self.check(NAMESPACES + LANDLOCK + SECCOMP, ALL)
        _, said = self.attempt('setown-kill', NAMESPACES + LANDLOCK + SECCOMP)
        self.assertIn('made a forbidden system call', said)


if __name__ == '__main__':
    unittest.main(verbosity=2)
