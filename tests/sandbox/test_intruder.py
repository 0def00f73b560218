# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest of one of vgpud's vGPUs takes over its render process: vgpud and the
neighbour live, and an event names what was tried."""

import os
import re
import shutil
import struct
import tempfile
import unittest

import frontend as fe
import harness
import test_window as window
import venus
from machine import Machine
from take_over import take_over

NOBODY = 65534
PROGRAMS = ('vgpud', 'vgpu-device', 'vgpu-launch', 'vgpu-probe', 'vgpu-render')
F_SETOWN, KILL = 8, 9
MANY = 13  # more than are told of at once (device/device.c)


def memfds(pid):
    """What a process has of files in memory: their names and inodes."""
    with open(f'/proc/{pid}/maps', encoding='ascii') as maps:
        lines = [line.split(None, 5) for line in maps if '/memfd:vgpu' in line]
    found = {(words[5].split()[0].removeprefix('/memfd:'), int(words[4]))
             for words in lines}
    folder = f'/proc/{pid}/fd'
    for fd in os.listdir(folder):
        name = os.readlink(f'{folder}/{fd}')
        if name.startswith('/memfd:vgpu'):
            found.add((name.split()[0].removeprefix('/memfd:'),
                       os.stat(f'{folder}/{fd}').st_ino))
    return found


@unittest.skipIf(os.getuid() != 0, 'looks into processes of others')
class Intruders(unittest.TestCase):
    user = None

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        os.environ['VK_DRIVER_FILES'] = venus.ICD
        os.chmod(folder, 0o755)
        if self.user is not None:
            os.chown(folder, self.user, self.user)
        self.manager = harness.Manager(folder=folder)
        for name in PROGRAMS:
            path = os.path.join(self.manager.helpers, name)
            if os.path.lexists(path):
                os.unlink(path)
            shutil.copy(os.path.join(harness.BUILD, name), path)
        self.manager.program = os.path.join(self.manager.helpers, 'vgpud')
        self.addCleanup(self.manager.finish)
        options = {} if self.user is None else {
            'user': self.user, 'group': self.user, 'extra_groups': []}
        self.manager.start(**options)
        self.sockets = {}
        for name in ('attacker', 'victim'):
            self.manager.create(type='128MB', name=name)
            self.sockets[name] = self.manager.show(name)['socket']
        self.victim = fe.FrontEnd(self.sockets['victim'])
        self.addCleanup(self.victim.close)
        self.queue = self.victim.bring_up()[0]
        self.device = self.manager.show('victim')['devicePid']

    def renders(self):
        return {pid for launcher, name in fe.children_of(self.manager.process.pid)
                if name == 'vgpu-launch'
                for pid, name in fe.children_of(launcher)
                if name == 'vgpu-render'}

    def is_unharmed(self):
        """The neighbour's device and vgpud run, and serve."""
        self.queue.submit(window.header(0x100), 408)
        self.assertEqual(self.queue.wait()[1][:4], (0x1101).to_bytes(4, 'little'))
        self.assertIsNone(self.manager.process.poll())
        shown = self.manager.show('victim')
        self.assertEqual((shown['devicePid'], shown['state']),
                         (self.device, 'attached'))

    def attack(self, call):
        take_over(self.sockets['attacker'], self.renders, call)
        self.is_unharmed()
        harness.wait_for(
            lambda: self.manager.show('attacker')['state'] == 'active', 'an end')

    def told(self):
        """Texts of events about forbidden calls."""
        return [event['text'] for event in self.manager.events()
                if event['event'] == 'forbidden-call']

    def count(self):
        """Calls that these events stand for."""
        more = (re.search(r'\((\d+) more events', text) for text in self.told())
        return sum(1 + (int(found[1]) if found else 0) for found in more)

    def test_programs_are_apart(self):
        """A render process has open or mapped what is its own context's, and what
        the guest has attached to that; nothing of another's, nor what is shown."""
        machine = Machine(self.sockets['attacker'])
        self.addCleanup(machine.close)
        machine.run(venus.seek_reply(0))
        harness.wait_for(lambda: len(self.renders()) == 1, 'one process')
        pid, = self.renders()
        machine.expect(window.OK, window.header(0x101) +
                       struct.pack('<IIII', 900, 1, 64, 64))  # a 2D resource
        other = machine.another(2)
        programs = [(pid, machine)]
        other.run(venus.seek_reply(0))
        harness.wait_for(lambda: len(self.renders()) == 2, 'two processes')
        programs.append((*(self.renders() - {pid}), other))
        before = [memfds(pid) for pid, _ in programs]
        for _, program in programs:
            program.run(venus.UP_TO_DEVICE, venus.allocate(size=65536))
        its = [memfds(pid) - old for (pid, _), old in zip(programs, before)]
        for files, rest in zip(its, reversed(its)):
            self.assertEqual([name for name, _ in files], ['vgpu-memory'])
            self.assertFalse(files & rest)
        for files in before + its:
            self.assertFalse([name for name, _ in files if 'framebuffer' in name])
        # Until it is attached it cannot be imported either.
        shown = machine.begin_blob(2, venus.MEMORY, 65536)
        machine.attach(shown)
        picture = machine.map(shown, 65536)
        picture[:4] = b'both'
        other.attach(shown)
        other.run(venus.allocate(
            number=100, size=65536,
            more=venus.chain((1000384002, venus.words(shown)))))
        self.assertEqual(memfds(programs[1][0]) - before[1], its[0] | its[1])
        self.assertEqual(memfds(pid) - before[0], its[0])

    def test_named(self):
        pids = {'vgpud': self.manager.process.pid, 'neighbour': self.device}
        for whose, pid in pids.items():
            for name, call in {'fcntl': (72, 3, F_SETOWN, pid),
                               'kill': (62, pid, KILL),
                               'ptrace': (101, 0x4206, pid),
                               'process_vm_writev': (311, pid, 0, 0, 0, 0),
                               'socket': (41, 1, 1, 0)}.items():
                with self.subTest(victim=whose, call=name):
                    before = len(self.told())
                    self.attack(call)
                    # It comes by way of the launcher, after the process's end.
                    harness.wait_for(lambda n=before: len(self.told()) > n,
                                     'the event')
                    self.assertIn('the sandbox ended a render process for a'
                                  f' forbidden system call: {name}',
                                  self.told()[before:])

    def test_none_is_lost(self):
        """Of many in a row a few are told of at once, and of the rest how many
        there were, whether or not another follows."""
        for _ in range(MANY):
            self.attack((62, self.device, KILL))
        # A take-over may have been tried again that took after all.
        harness.wait_for(lambda: self.count() >= MANY, 'all of them')


class IntrudersOfAUser(Intruders):
    """vgpud was started by an ordinary user."""

    user = NOBODY


if __name__ == '__main__':
    unittest.main(verbosity=2)
