# SPDX-License-Identifier: GPL-2.0-or-later
"""What a client keeps of a context that was lost, and for how long."""

import mmap
import os
import select
import signal
import socket
import struct
import subprocess
import sys
import unittest

import client as vt
from client import command, u64, words

MIB = 1 << 20
RING_MESSAGE = 36
FATAL = 2
OUT_OF_MEMORY = 12
KILL = ["kill", signal.SIGKILL]
# Touches each page of the file that it is given, as a program that maps it.
TOUCH = """
import mmap, sys
with mmap.mmap(int(sys.argv[1]), int(sys.argv[2])) as memory:
    print(sys.stdin.readline(), end="", flush=True)
    sys.stdin.readline()
    print(memory[0])
"""


class Lost(vt.Test):
    def lose(self, client, *lines):
        """Kill the render process; @lines are the last that it does."""
        client.send(vt.batch(vt.script(*lines, KILL)))
        self.assertTrue(client.is_gone())

    def ring(self, client, offset=64, size=65536):
        """Shared memory in which the render process says that a ring is."""
        number, fd = client.blob(size)
        self.addCleanup(os.close, fd)
        client.run(["say", {"type": RING_MESSAGE, "resource_id": number,
                            "offset": offset, "n": 1}])
        return number, fd

    @staticmethod
    def status(fd, offset=64):
        return struct.unpack("<I", os.pread(fd, 4, offset))[0]

    def allocations(self, client, *sizes):
        """What becomes of each, by status."""
        before = len(client.report()["answers"])
        client.run(*(["alloc", 100 + i, size] for i, size in enumerate(sizes)))
        return [answer["status"] for answer in
                client.report()["answers"][before:]]

    def test_memory_stays_as_it_is(self):
        with self.begin() as client:
            client.run(["alloc", 1, MIB], ["poke", 1, "device"])
            _, memory = client.blob(MIB, 1)
            _, shared = client.blob(4096)
            os.pwrite(shared, b"shared", 0)
            self.lose(client)
            self.assertEqual(os.pread(memory, 6, 0), b"device")
            self.assertEqual(os.pread(shared, 6, 0), b"shared")
            self.assertEqual(os.fstat(memory).st_blocks * 512, MIB)
        # It has left: nothing that it keeps has a page any more.
        self.until(lambda: os.fstat(memory).st_size == 0 and
                   os.fstat(shared).st_size == 0, "the memory is taken back")
        os.close(memory)
        os.close(shared)

    def test_memory_is_its_own_until_it_leaves(self):
        other = self.begin()
        with self.begin() as client:
            client.run(["alloc", 1, 40 * MIB])
            self.lose(client)
            self.assertEqual(self.allocations(other, 40 * MIB),
                             [OUT_OF_MEMORY])
        self.until(lambda: self.allocations(other, 40 * MIB) == [0],
                   "its memory can be had again")
        other.socket.close()

    def test_who_keeps_the_memory_has_none(self):
        """Connect, allocate, lose the context, keep the memory, again."""
        kept = []
        for _ in range(5):
            with self.begin() as client:
                client.run(["alloc", 1, 60 * MIB])
                kept.append(client.blob(60 * MIB, 1)[1])
                self.lose(client)
                # Whatever it does with its socket, it has left.
                client.socket.shutdown(socket.SHUT_RDWR)
                self.until(lambda: os.fstat(kept[-1]).st_blocks == 0,
                           "the memory is taken back")
        for fd in kept:
            self.assertRaises(PermissionError, os.ftruncate, fd, 4096)
            os.close(fd)

    def test_who_stays_loses_the_memory_in_the_end(self):
        other = self.begin()
        client = self.begin()
        client.run(["alloc", 1, 40 * MIB])
        _, fd = client.blob(40 * MIB, 1)
        program = subprocess.Popen(
            [sys.executable, "-c", TOUCH, str(fd), str(40 * MIB)], text=True,
            pass_fds=[fd], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        program.stdin.write("mapped\n")
        program.stdin.flush()
        self.assertEqual(program.stdout.readline(), "mapped\n")
        self.lose(client)
        self.until(lambda: os.fstat(fd).st_size == 0, "the memory is taken back")
        self.assertEqual(self.allocations(other, 40 * MIB), [0])
        # Zeros would be an answer. There is none.
        out, _ = program.communicate("now\n", timeout=vt.TIMEOUT)
        self.assertEqual((program.returncode, out), (-signal.SIGBUS, ""))
        os.close(fd)
        other.socket.close()

    def test_rings_say_so(self):
        with self.begin() as client:
            _, one = self.ring(client)
            _, two = self.ring(client, 128)
            os.pwrite(two, struct.pack("<I", 5), 128)
            self.lose(client)
            self.until(lambda: self.status(one) == FATAL and
                       self.status(two, 128) == FATAL, "both say so")
            self.assertEqual(os.pread(one, 64, 0), bytes(64))

    def test_rings_say_so_when_the_client_is_to_blame(self):
        with self.begin() as client:
            _, fd = self.ring(client)
            client.send(command(99))
            self.assertTrue(client.is_gone())
            self.until(lambda: self.status(fd) == FATAL, "it says so")

    def test_rings_that_have_gone_say_nothing(self):
        with self.begin() as client:
            number, fd = self.ring(client)
            self.lose(client, ["say", {"type": RING_MESSAGE, "offset": 64,
                                       "resource_id": number}])
            self.until(lambda: "signal 9" in self.device.said(), "it is lost")
            self.assertEqual(self.status(fd), 0)

    def test_rings_that_cannot_be(self):
        for offset in (65536, 65534, 65533, 1 << 40, (1 << 64) - 4, 66):
            with self.begin() as client:
                _, fd = self.ring(client, offset)
                self.lose(client)
                self.assertFalse(any(os.pread(fd, 65536, 0)))
        with self.begin() as client:
            client.run(*(["say", {"type": RING_MESSAGE, "resource_id": number,
                                  "n": 1}] for number in (0, 1, 5, 1 << 31)))
            self.lose(client)

    def test_ring_messages_that_make_no_sense(self):
        many = [["say", {"type": RING_MESSAGE, "n": 1}]] * 65
        tried = (many, [["say", {"type": RING_MESSAGE, "n": 2}]],
                 [["say", {"type": RING_MESSAGE}]])
        for lines in tried:
            with self.begin() as client:
                client.send(vt.batch(vt.script(*lines)))
                self.assertTrue(client.is_gone())
        self.assertEqual(self.device.said().count("makes no sense"), len(tried))

    def test_ring_in_memory_that_its_client_made_smaller(self):
        with self.begin() as client:
            _, fd = self.ring(client)
            os.ftruncate(fd, 0)
            self.lose(client)
            self.assertEqual(os.fstat(fd).st_size, 0)

    def test_later_commands_fail(self):
        with self.begin() as client:
            self.lose(client)
            for data in (vt.batch(), command(vt.SYNC_CREATE, u64(0)),
                         vt.blob(4096)):
                self.assertRaises(BrokenPipeError, client.send, data)

    def test_commands_under_way_are_answered(self):
        """Mesa waits for ever for an answer that does not come."""
        data = (command(vt.SYNC_CREATE, u64(7)) + command(vt.PING) +
                command(vt.SYNC_READ, words(1)) + command(vt.BUSY_WAIT, words(0, 0)) +
                command(vt.PARAM, words(1)) + command(vt.CAPSET, words(4, 0)) +
                command(vt.SYNC_WAIT, words(0, 0, 1) + u64(9)) +
                command(vt.UNREF, words(1)) + vt.batch() + vt.blob(4096) +
                vt.blob(4096, 1) + command(vt.SYNC_CREATE, u64(0)))
        with self.begin() as client:
            client.hold(["alloc", 1, 4096])
            # Whose answer waits for the render process, which dies before it.
            client.send(vt.batch(vt.script(["sleep", 0.5], KILL)) +
                        vt.blob(4096, 1) + data)
            self.refused(client)
            self.assertEqual(client.answer(vt.SYNC_CREATE), (0,))
            client.answer(vt.PING)
            self.assertEqual(client.answer(vt.SYNC_READ), (0, 0))
            client.answer(vt.BUSY_WAIT)
            self.assertEqual(client.answer(vt.PARAM), (0, 0))
            self.assertEqual(client.answer(vt.CAPSET), (0,))
            self.assertEqual(client.answer(vt.SYNC_WAIT), ())
            fd = client.fd()
            self.assertEqual(vt.is_ready(fd, vt.TIMEOUT), select.POLLHUP)
            os.close(fd)
            self.refused(client)
            self.refused(client)
            self.assertEqual(client.answer(vt.SYNC_CREATE), (0,))
            self.assertTrue(client.is_gone())

    def refused(self, client):
        """No fd comes with it: Mesa gives up instead of waiting for ever."""
        self.assertEqual(client.answer(vt.BLOB), (0,))
        data, fds, _, _ = socket.recv_fds(client.socket, 1, 1)
        self.assertEqual((data, fds), (b"\0", []))

    def test_last_command_is_answered(self):
        """The command that exceeds the limit is answered, too."""
        with self.begin() as client:
            client.send(vt.blob((1 << 30) + 1))
            self.refused(client)
            self.assertTrue(client.is_gone())
        with self.begin() as client:
            client.send(command(vt.SYNC_READ, words(5)))
            self.assertEqual(client.answer(vt.SYNC_READ), (0, 0))
            self.assertTrue(client.is_gone())
        with self.begin() as client:
            client.send(command(vt.SYNC_WAIT, words(2, 0)))
            self.assertEqual(client.answer(vt.SYNC_WAIT), ())
            fd = client.fd()
            self.assertEqual(vt.is_ready(fd, vt.TIMEOUT), select.POLLHUP)
            os.close(fd)

    def test_half_a_command_and_no_reader(self):
        for rest in (command(vt.SYNC_CREATE, u64(0))[:9], b"\xff" * 20,
                     command(vt.SYNC_READ, words(1)) * 1000):
            with self.begin() as client:
                client.send(vt.batch(vt.script(KILL)) + rest)
                self.assertTrue(client.is_gone())

    def test_device_ends(self):
        client = self.begin()
        client.run(["alloc", 1, MIB])
        _, fd = client.blob(MIB, 1)
        with mmap.mmap(fd, MIB):
            self.assertEqual(self.device.end(), 0)
            self.assertEqual(os.fstat(fd).st_blocks, 0)
            self.assertEqual(os.fstat(fd).st_size, 0)
        os.close(fd)


if __name__ == "__main__":
    unittest.main()
