# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest whose shader has taken over its render process (intruder.py) harms no
neighbour, and the log names what it tried."""

import contextlib
import os
import shutil
import socket
import struct
import tempfile
import unittest

import harness
import venus
from intruder import Intruder
from test_attempts import LANDLOCK, NAMESPACES, NOBODY, SECCOMP, Victim
from venus import u64, vt, words

PROGRAMS = ('vgpu-device', 'vgpu-launch', 'vgpu-render')
# Of a take-over, of which about one in a hundred fails.
TRIES = 4
ALL_LAYERS = NAMESPACES + LANDLOCK + SECCOMP
MIB = 1 << 20
LINES_MAX = 100  # at once, of what render processes print (device/launch/output.c)
THREADS_MAX = 512  # of a process (device/launch/start.c)
KILL, STOP = 9, 19
COMMAND, MEMORY = 3, 4  # its sockets (render/abi.h)
F_SETFL, F_SETOWN, F_SETSIG, F_SETOWN_EX, O_ASYNC = 4, 8, 10, 15, 0x2002
FIOSETOWN = 0x8901
UNIX, DGRAM = 1, 2
THREAD = 0x3d0f00
EXPORTED, FENCE_DONE, RING, TAKEN, RESUMED, ALLOC, FREE = 33, 34, 36, 37, 38, 64, 65
NO_MEMORY, AGAIN, NOT_ALLOWED, NO_CALL = -12, -11, -1, -38


def forbidden(intruder, victim):
    """Calls that the sandbox must end the process for, by their names."""
    pid, path = victim.process.pid, intruder.put(victim.path.encode() + b'\0')
    address = intruder.put(struct.pack('<H', UNIX) +
                           victim.path.encode().ljust(108, b'\0'), 256)
    pair = intruder.put(words(1, pid), 512)
    piece = intruder.put(u64(intruder.address) + u64(16), 520)
    arguments = intruder.put(u64(0), 536)
    return {
        'fcntl own': (72, COMMAND, F_SETOWN, pid),
        'fcntl group': (72, COMMAND, F_SETOWN, -pid),
        'fcntl own_ex': (72, COMMAND, F_SETOWN_EX, pair),
        'fcntl signal': (72, COMMAND, F_SETSIG, KILL),
        'fcntl stop': (72, MEMORY, F_SETSIG, STOP),
        'fcntl async': (72, COMMAND, F_SETFL, O_ASYNC),
        'ioctl own': (16, COMMAND, FIOSETOWN, pair + 4),
        'kill': (62, pid, KILL),
        'kill all': (62, -1, KILL),
        'tkill': (200, pid, KILL),
        'tgkill': (234, pid, pid, KILL),
        'rt_sigqueueinfo': (129, pid, KILL, pair),
        'pidfd_open': (434, pid, 0),
        'ptrace': (101, 0x4206, pid),
        'process_vm_writev': (311, pid, piece, 1, piece, 1),
        'process_vm_readv': (310, pid, piece, 1, piece, 1),
        'kcmp': (312, pid, pid, 1),
        'prlimit64': (302, pid, 7, piece),
        'sched_setattr': (314, pid, piece),
        'setpriority': (141, 0, pid, 19),
        'socket': (41, UNIX, DGRAM),
        'socketpair': (53, UNIX, DGRAM, 0, pair),
        'connect': (42, COMMAND, address, 110),
        'bind': (49, COMMAND, address, 110),
        'sendto': (44, COMMAND, pair, 4, 0, address, 110),
        'sendmmsg': (307, COMMAND, piece, 1),
        'dup': (32, COMMAND),
        'pidfd_getfd': (438, COMMAND, 3),
        'execve': (59, path, arguments, arguments),
        'execveat': (322, -100, path, arguments, arguments),
        'fork': (57,),
        'vfork': (58,),
        'clone process': (56, 17),
        'memfd_create': (319, path),
        'fallocate': (285, 5, 0, 0, 1 << 40),
        'chmod': (90, path, 0o777),
        'fchmodat2': (452, -100, path, 0o777),
        'unlink': (87, path),
        'unshare': (272, 0x10000000),
        'setns': (308, COMMAND),
        'chroot': (161, path),
        'mount': (165, path, path),
        'io_uring_setup': (425, 8, piece),
        'bpf': (321, 0, piece),
        'userfaultfd': (323,),
        'perf_event_open': (298, piece, pid),
        'shmget': (29, 0, MIB),
        'seccomp': (317, 1),
        'reboot': (169,),
        'init_module': (175,),
    }


def refused(intruder, victim):
    """What fails without more ado, and with which error."""
    path = intruder.put(victim.path.encode() + b'\0')
    return {
        'openat': ((257, -100, path, 2), NOT_ALLOWED),
        'openat proc': ((257, -100, intruder.put(b'/proc/1/mem\0', 256), 2),
                        NOT_ALLOWED),
        'clone3': ((435, path, 88), NO_CALL),
        'code': ((9, 0, 4096, 7, 0x22, -1), NOT_ALLOWED),
        'affinity': ((203, victim.process.pid, 8, path), NOT_ALLOWED),
        'scheduler': ((144, victim.process.pid, 5, path), NOT_ALLOWED),
        'memory': ((9, 0, 1 << 40, 3, 0x22, -1), NO_MEMORY),
    }


def packet(intruder, body, control=b''):
    """A struct msghdr for sendmsg()."""
    at = intruder.put(body, 1024)
    part = intruder.put(u64(at) + u64(len(body)), 512)
    more = intruder.put(control, 768) if control else 0
    return intruder.put(u64(0) + u64(0) + u64(part) + u64(1) + u64(more) +
                        u64(len(control)) + u64(0), 640)


def message(kind, resource=0, ident=0, offset=0, size=0, number=0):
    return struct.pack('<IIIIQQQIIQ', kind, 0, resource, 0, ident, offset, size,
                       number, 0, 0)


# What a device process is told by one that it takes for its own.
MESSAGES = {
    'fence': (COMMAND, message(FENCE_DONE, ident=2 ** 64 - 1)),
    'export': (COMMAND, message(EXPORTED, 7, offset=2 ** 63)),
    'ring': (COMMAND, message(RING, 2 ** 32 - 1, offset=2 ** 64 - 4, number=1)),
    'taken': (COMMAND, message(TAKEN, ident=1)),
    'resumed': (COMMAND, message(RESUMED, ident=2 ** 64 - 1)),
    'type': (COMMAND, message(2 ** 32 - 1)),
    'short': (COMMAND, b'x'),
    'long': (COMMAND, bytes(16384)),
    'question': (MEMORY, message(FREE, offset=2 ** 64 - 4096)),
    'allocation': (MEMORY, message(ALLOC, size=2 ** 64 - 4096)),
    'fd': (COMMAND, message(FENCE_DONE)),
}


@unittest.skipIf(os.getuid() != 0, 'looks into processes of others')
class Scene(unittest.TestCase):
    user = None

    def setUp(self):
        folder = self.enterContext(tempfile.TemporaryDirectory())
        os.chmod(folder, 0o755)
        os.environ['VK_DRIVER_FILES'] = venus.ICD
        for name in PROGRAMS:
            shutil.copy(os.path.join(vt.BUILD, name), folder)
        self.victim = Victim(folder)
        self.addCleanup(self.victim.finish)
        self.program = os.path.join(folder, 'vgpu-device')
        self.neighbour = self.begin_device()
        self.other = venus.Guest(self.neighbour)
        self.other.run(venus.UP_TO_QUEUE)
        self.addCleanup(self.other.socket.close)
        self.device = self.begin_device()

    def begin_device(self):
        device = vt.Device(program=self.program, user=self.user,
                           args=('--framebuffer-mib', '64'))
        self.addCleanup(device.folder.cleanup)
        self.addCleanup(device.end)
        return device

    @contextlib.contextmanager
    def intruder(self):
        with venus.Guest(self.device) as guest:
            guest.barrier()
            harness.wait_for(lambda: len(self.device.children()) == 1,
                             'one process')
            pid, = self.device.children()
            yield Intruder(guest, pid)
        self.device.end_contexts()
        self.assertIsNone(self.device.process.poll())
        self.assertFalse(self.victim.is_harmed())

    def finish(self):
        """The neighbour has noticed nothing."""
        self.assertIsNone(self.neighbour.process.poll())
        self.assertEqual(self.other.result(venus.allocate(reply=True)), 0)

    def renew(self):
        """A device tells of some lines in a row only."""
        self.assertEqual(self.device.end(), 0, self.device.said())
        self.device = self.begin_device()


class Escape(Scene):
    """vgpu-device was started by root."""

    def test_forbidden(self):
        with self.intruder() as intruder:
            names = list(forbidden(intruder, self.victim))
        for i, name in enumerate(names):
            if i % 4 == 0:
                self.renew()
            with self.subTest(attempt=name):
                for _ in range(TRIES):
                    with self.intruder() as intruder:
                        call = forbidden(intruder, self.victim)[name]
                        intruder.take_over([(39,), call])
                        results = intruder.results(2)
                    # The first shows that it is indeed taken over.
                    if results[0] is not None:
                        break
                self.assertEqual(results, [1, None])
                told = f'for a forbidden system call: {name.split()[0]}\n'
                harness.wait_for(lambda: told in self.device.said(), told)
        self.finish()

    def test_refused(self):
        with self.intruder() as intruder:
            calls, errors = zip(*refused(intruder, self.victim).values())
            intruder.take_over(calls)
            self.assertEqual(intruder.results(len(calls)), list(errors))
        self.finish()

    def test_messages(self):
        for name, (where, body) in MESSAGES.items():
            with self.subTest(message=name), self.intruder() as intruder:
                control = (struct.pack('<QIIi4x', 20, socket.SOL_SOCKET,
                                       socket.SCM_RIGHTS, COMMAND)
                           if name == 'fd' else b'')
                header = packet(intruder, body, control)
                intruder.take_over([(46, where, header, 0x4000)] * 3)
                intruder.results(3)
        self.finish()

    def test_output(self):
        """What it prints reaches the log as a bounded number of the launcher's
        lines, and no other process waits for it."""
        line = b'vgpud: \x1b[2Jforged\n'
        with self.intruder() as intruder:
            text = intruder.put(line * 1000)
            calls = [(1, fd, text, 1000 * len(line)) for fd in (1, 2) * 20]
            intruder.take_over(calls)
            results = intruder.results(len(calls))
            self.assertGreater(results[0], 0)
            self.assertTrue(all(r == AGAIN or r > 0 for r in results), results)
        self.assertEqual(self.device.end(), 0)
        harness.wait_for(lambda: 'left out' in self.device.said(),
                         'the launcher to end')
        log = self.device.said()
        forged = [each for each in log.splitlines() if 'forged' in each]
        self.assertGreater(len(forged), 50)
        self.assertLess(len(forged), LINES_MAX + 30)
        for each in forged:
            self.assertEqual(each, 'vgpu-launch: a render process says: '
                                   'vgpud: ?[2Jforged')
        self.assertRegex(log, r'vgpu-launch: \d+ lines of render processes left out')
        self.finish()

    def test_memory(self):
        with self.intruder() as intruder:
            calls = [(9, 0, 16 * MIB, 3, 0x22, -1)] * 60
            intruder.take_over(calls)
            results = intruder.results(len(calls))
            self.assertIn(NO_MEMORY, results)
            self.assertLess(sum(result > 0 for result in results) * 16, 512)
        self.finish()

    def test_threads(self):
        """Each waits for ever, and there is an end of them."""
        with self.intruder() as intruder:
            stack = intruder.put(intruder.wait_for_ever())
            place = intruder.put(u64(0), 1024)
            intruder.take_over([(56, THREAD, stack, place, place, place)],
                               is_repeated=True)
            harness.wait_for(lambda: intruder.results(1) == [AGAIN] or
                             self.count_threads(intruder) > THREADS_MAX,
                             'the last thread')
            self.assertLessEqual(self.count_threads(intruder), THREADS_MAX)
        self.finish()

    @staticmethod
    def count_threads(intruder):
        return len(os.listdir(f'/proc/{intruder.pid}/task'))


class Layers(Scene):
    """With parts of the sandbox left out: what p07 of the review did."""

    user = NOBODY

    def try_signal(self, layers):
        """Whether the next packet's signal kills the victim, and what is said."""
        without = [layer for layer in ALL_LAYERS if layer not in layers]
        os.environ['VGPU_SANDBOX_WITHOUT'] = ','.join(without)
        self.renew()
        pid = self.victim.process.pid
        with venus.Guest(self.device) as guest:
            guest.barrier()
            child, = self.device.children()
            intruder = Intruder(guest, child)
            calls = [(72, COMMAND, F_SETOWN, pid), (72, COMMAND, F_SETSIG, KILL),
                     (72, COMMAND, F_SETFL, O_ASYNC)]
            intruder.take_over(calls)
            results = intruder.results(3)
            guest.send(venus.seek_reply(0))
            if not layers:
                harness.wait_for(self.victim.is_harmed, 'the victim')
        self.device.end_contexts()
        return self.victim.is_harmed(), results

    def setUp(self):
        self.addCleanup(os.environ.pop, 'VGPU_SANDBOX_WITHOUT', None)
        super().setUp()
        for name in PROGRAMS[1:]:
            path = os.path.join(os.path.dirname(self.program), name)
            os.unlink(path)  # it runs
            shutil.copy(os.path.join(os.environ['VGPU_ATTEMPTS'], name), path)

    def test_layers(self):
        for layers in (NAMESPACES, LANDLOCK, SECCOMP, ALL_LAYERS):
            with self.subTest(layers=layers):
                self.assertFalse(self.try_signal(layers)[0])
        self.assertEqual(self.try_signal(()), (True, [0, 0, 0]))
        self.finish()


class EscapeOfAUser(Escape):
    """vgpu-device was started by an ordinary user."""

    user = NOBODY


if __name__ == '__main__':
    unittest.main(verbosity=2)
