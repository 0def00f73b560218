# SPDX-License-Identifier: GPL-2.0-or-later
"""T3, T6, T8, T10: the framebuffer, to the last byte and back."""

import mmap
import os
import unittest

import venus
from venus import BUFFER, COMMANDS, FREE_ID, MEMORY, MIB, vt

QUOTA = 64 * MIB
NO_MEMORY = -2  # VK_ERROR_OUT_OF_DEVICE_MEMORY
OTHERS = 4096   # what the neighbour may have


class Memory(venus.Test):
    def takes_all(self, guest, number=FREE_ID):
        """Every byte is there, and not one more."""
        self.assertEqual(guest.result(
            venus.allocate(number, QUOTA, reply=True)), 0)
        self.assertEqual(guest.result(
            venus.allocate(number + 1, 1, reply=True)), NO_MEMORY)
        guest.run(venus.free(number))

    def test_sizes(self):
        guest = self.begin(venus.UP_TO_DEVICE)
        for size in (0, QUOTA + 1, QUOTA + 4096, 1 << 32, 1 << 63,
                     (1 << 63) + 1, (1 << 64) - 4096, (1 << 64) - 1):
            self.assertEqual(guest.result(
                venus.allocate(FREE_ID, size, reply=True)), NO_MEMORY, size)
        self.takes_all(guest)
        self.assertEqual(guest.result(
            venus.allocate(FREE_ID, QUOTA - 1, reply=True)), 0)
        self.assertEqual(guest.result(
            venus.allocate(FREE_ID + 1, 1, reply=True)), NO_MEMORY)

    def test_types(self):
        guest = self.begin(venus.UP_TO_DEVICE)
        for kind in (31, 32, 33, 0x7fffffff, 0xffffffff):
            self.assertLess(guest.result(
                venus.allocate(FREE_ID, kind=kind, reply=True)), 0, kind)
        self.takes_all(guest)

    def test_imports(self):
        """Of a resource that is none, and of shared memory."""
        guest = self.begin(venus.UP_TO_DEVICE)
        number, _ = guest.share(4096)
        for resource in (0, number, 999, 0xffffffff):
            more = venus.chain((1000384002, venus.words(resource)))
            self.assertEqual(guest.result(venus.allocate(
                FREE_ID, more=more, reply=True)), -1000072003)
        self.takes_all(guest)

    def test_properties(self):
        guest = self.begin(venus.UP_TO_DEVICE)
        asked = venus.command(192, venus.u64(venus.DEVICE), venus.words(77),
                              venus.info(1000384001))
        self.ends(asked, guest=guest, why="no such resource")

    def test_cycles(self):
        guest = self.begin(venus.UP_TO_DEVICE)
        for _ in range(100):
            guest.send(*(venus.allocate(FREE_ID, 20000) + venus.free(FREE_ID)
                         for _ in range(100)))
        self.takes_all(guest)

    def test_with_their_device(self):
        guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
        for _ in range(3):
            guest.run(venus.create_device(),
                      *(venus.allocate(FREE_ID + i, 100000) for i in range(100)),
                      venus.destroy_device())
        guest.run(venus.create_device())
        self.takes_all(guest)

    def test_with_their_context(self):
        """In the middle of a command, and without a word."""
        for last in (b"", venus.create_device(90)[:40], venus.words(9999, 0)):
            guest = self.begin(venus.UP_TO_DEVICE,
                               venus.allocate(size=QUOTA - OTHERS))
            guest.send(last)
            if last:
                self.assertTrue(guest.is_gone())
            guest.socket.close()
            self.until(lambda: len(self.device.children()) == 1, "it is gone")
        self.takes_all(self.begin(venus.UP_TO_DEVICE))

    def test_killed(self):
        victim = self.begin(venus.UP_TO_DEVICE,
                            venus.allocate(size=QUOTA - OTHERS))
        ring = venus.Ring(victim).begin()
        ring.send(venus.command(252, venus.u64(1 << 60)))  # in mid-command
        others = [self.begin(venus.UP_TO_DEVICE) for _ in range(2)]
        self.assertEqual(others[0].result(
            venus.allocate(FREE_ID, MIB, reply=True)), NO_MEMORY)
        os.kill(self.device.children()[1], 9)
        self.is_over(victim, "signal 9")
        for other in others:
            self.takes_all(other)

    def test_is_zero(self):
        """What one context has written no other reads."""
        for turn in range(2):
            dirty = self.begin(venus.UP_TO_DEVICE,
                               venus.allocate(size=16 * MIB))
            number, fd = dirty.client.blob(16 * MIB, MEMORY)
            with mmap.mmap(fd, 0) as memory:
                self.assertEqual(memory[:], bytes(16 * MIB))
                memory[:] = b"\xa5" * (16 * MIB)
            os.close(fd)
            dirty.give_up(number)
            if turn:
                dirty.run(venus.free())
            dirty.socket.close()
            self.until(lambda: len(self.device.children()) == 1, "it is gone")

    def test_export(self):
        """Export of no object, of too much, and of an object that is not
        memory."""
        for number, size in ((999, 4096), (0xffffffffffffffff, 4096),
                             (venus.DEVICE, 4096), (MEMORY, 8192),
                             (MEMORY, 1 << 62)):
            guest = self.begin(venus.UP_TO_DEVICE, venus.allocate())
            self.ends_asking(guest, number, size)

    def ends_asking(self, guest, number, size):
        guest.client.send(vt.blob(size, number))
        self.is_over(guest, "memory that is not there")


class Careless(venus.Careless):
    def test_freed_in_use(self):
        """Memory is freed while an object bound to it is in use by a submit.
        """
        for wait in (True, False):
            guest = self.begin(
                venus.UP_TO_COMMANDS, venus.create_buffer(size=8 * MIB),
                venus.allocate(size=8 * MIB), venus.bind_buffer(),
                venus.record(*[venus.fill(value=7)] * 50))
            guest.send(venus.submit(COMMANDS), venus.free(),
                       venus.command(51, venus.u64(venus.DEVICE),
                                     venus.u64(BUFFER), venus.NULL))
            if wait:
                guest.is_gone(1)
            guest.socket.close()


if __name__ == "__main__":
    unittest.main()
