# SPDX-License-Identifier: GPL-2.0-or-later
"""Messages of a host to a vGPU's task: each of them, and a vGPU that moves."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Vf  # noqa: E402
import vgpu  # noqa: E402
from vgpu import MESSAGE, MIB, RESPONSE, RING, STATE, UNSUPPORTED, WRONG  # noqa: E402

RING_BYTES = 2 * MIB
VERSION, CONFIG, RESET, STOP, CANCEL_STOP, SAVE, CANCEL_SAVE = range(1, 8)
RESTORE, RESTORE_END, RESUME, CONSOLE, REGISTER, BUS_MASTER, INFO = range(8, 15)
DATA, MISMATCH = 0x25, 0x6A
DOORBELL, SCRATCH, TEST = 0x30090, 0x2100, 0x2F000
DRIVER, GUEST_OS, HELD, TOKEN = TEST + 16, TEST + 20, TEST + 44, TEST + 36


class Messages(vgpu.Case):
    PROPERTIES = ("vgpu-version-min=4",)

    def answer(self, gfid, word=0):
        return self.vram(self.heap(gfid) + MESSAGE + 4 * word)

    def test_version(self):
        self.up(1)
        self.assertEqual(self.send(1, VERSION, 3, 0), MISMATCH)
        self.assertEqual(self.send(1, CONFIG, *self.config(1)), STATE)
        for said, agreed in ((0, 0x1A), (4, 4), (0x1A, 0x1A), (0x100, 0x1A)):
            self.assertEqual(self.send(1, VERSION, said, 0), 0)
            self.assertEqual(self.answer(1, 1), agreed)

    def test_config(self):
        self.up(1)
        self.assertEqual(self.send(1, VERSION, 0, 0), 0)
        for why, changes in (
                ("no UUID", {"c0": 0}), ("VF's address", {"c16": 0x15}),
                ("another process", {"c32": 1}), ("GPU instances", {"c36": 1}),
                ("many channels", {"c40": 16}), ("many channels", {"c44": 3}),
                ("not KVM", {"c56": 0}), ("no such processor", {"c60": 3}),
                ("no such pages", {"c64": 512}), ("no such pages", {"c68": 1}),
                ("a flag", {"b75": 2}), ("a flag", {"b77": 0xFF}), ("a flag", {"b80": 2}),
                ("100 percent", {"c92": 101})):
            with self.subTest(why):
                self.assertEqual(self.send(1, CONFIG, *self.config(1, **changes)), WRONG)
                self.assertIn(why, self.gpu.refusals()[-2])
        self.assertEqual(self.send(1, CONFIG, *self.config(1)), 0)
        self.assertEqual(self.send(1, CONFIG, *self.config(1)), STATE)

    def test_order(self):
        self.up(1)
        for kind in range(RESET, INFO + 1):
            self.assertEqual(self.send(1, kind), STATE)
        for kind in (0, INFO + 1, 99):
            self.assertEqual(self.send(1, kind), UNSUPPORTED)

    def test_overlap(self):
        """Buffers that are one and the same are not used."""
        self.up(1)
        heap = self.heap(1)
        for response, message in ((0x1000, 0x1800), (0, 0x1000), (0x1000, 8),
                                  (0x1000, 8 * MIB - 8), (0x1004, 0x2000)):
            before = len(self.gpu.refusals())
            self.vram(heap, 1, VERSION, 77, 0, response, 0, message, 0)
            self.gpu.wr(0xB82200, 32 + 17)
            self.gpu.wait(lambda: len(self.gpu.refusals()) > before)
        self.assertEqual(self.send(1, VERSION, 0, 0), 0)

    def test_registers(self):
        self.ready(1)
        vf = Vf(self.gpu, 1)
        vf.wr(SCRATCH + 8, 0xCAFE)
        self.assertEqual(self.send(1, REGISTER, SCRATCH + 8, 0, 0), 0)
        self.assertEqual(self.answer(1, 2), 0xCAFE)
        self.assertEqual(self.send(1, REGISTER, SCRATCH + 8, 1, 0xF00D), 0)
        self.assertEqual(vf.rd(SCRATCH + 8), 0xF00D)
        self.assertEqual(self.send(1, REGISTER, 0x40000, 0, 0), WRONG)
        self.assertEqual(self.send(1, REGISTER, 2, 0, 0), WRONG)
        self.assertEqual(self.send(1, CONSOLE, 0), UNSUPPORTED)

    def test_guest(self):
        self.ready(1)
        vf = Vf(self.gpu, 1)
        vf.wr(DRIVER, 1)
        self.assertEqual(self.event(), (1, 3))
        vf.wr(GUEST_OS, 0xA)
        self.assertEqual(self.event(), (1, 7))
        self.assertEqual(self.vram(self.heap(1) + RESPONSE + 320), 0xA)
        self.assertEqual(self.send(1, INFO), 0)
        self.assertEqual((self.answer(1), self.answer(1, 1)), (1, 0xA))
        # A reset: the guest is forgotten, what the host has said is not.
        self.assertEqual(self.send(1, RESET), 0)
        self.assertEqual(self.event(), (1, 4))
        self.assertEqual(self.send(1, INFO), 0)
        self.assertEqual((self.answer(1), self.answer(1, 1)), (0, 0))
        self.assertEqual((vf.rd(DRIVER), vf.rd(TEST + 4)), (0, 3))

    def test_bus_master(self):
        self.ready(1)
        self.assertEqual(self.send(1, BUS_MASTER, 2), WRONG)
        self.assertEqual(self.send(1, BUS_MASTER, 0), 0)
        self.assertEqual(self.answer(1) >> 8, 1)
        self.assertEqual(Vf(self.gpu, 1).rd(TEST + 4), 1)


class Migration(vgpu.Case):
    def task(self, gfid):
        return self.vram(self.heap(gfid) + RESPONSE + 16)

    def host(self, gfid, offset, active=1):
        heap = self.heap(gfid)
        self.vram(heap + 52, active)
        self.vram(heap + 48, offset)

    def begin(self, gfid, kind):
        self.host(gfid, 0)
        self.assertEqual(self.send(gfid, kind), 0)

    def complete(self, gfid):
        return self.vram(self.heap(gfid) + RESPONSE + 20)

    def ring_read(self, gfid, at, count):
        words = b"".join(struct.pack("<I", self.vram(self.heap(gfid) + RING + at + i))
                         for i in range(0, count, 4))
        return words[:count]

    def ring_write(self, gfid, at, data):
        padded = data + bytes(-len(data) % 4)
        self.vram(self.heap(gfid) + RING + at, *struct.unpack(f"<{len(padded) // 4}I", padded))

    def save(self, gfid):
        self.begin(gfid, SAVE)
        data, at = b"", 0
        while True:
            self.gpu.wait(lambda: self.task(gfid) != at or self.complete(gfid))
            put = self.task(gfid)
            if put == at:
                return data
            count = (put - at) % RING_BYTES
            count = min(count, RING_BYTES - at)
            data += self.ring_read(gfid, at, count)
            at = (at + count) % RING_BYTES
            self.host(gfid, at)

    def restore(self, gfid, data):
        self.begin(gfid, RESTORE)
        at, part = 0, 0x10000
        for i in range(0, len(data), part):
            self.ring_write(gfid, at, data[i:i + part])
            at += len(data[i:i + part])
            self.host(gfid, at)

    def test_move(self):
        """What one vGPU was, another is: its registers, guest and framebuffer."""
        self.ready(1)
        self.ready(2)
        one, two = Vf(self.gpu, 1), Vf(self.gpu, 2)
        one.fb_write(0x1234, b"moved")
        one.fb_write((64 << 20) - 8, b"the last")
        two.fb_write(0, b"else")
        one.wr(SCRATCH, 0x5C)
        one.wr(DRIVER, 1)
        self.assertEqual(self.event(), (1, 3))
        self.assertEqual(self.send(1, STOP), 0)
        one.wr(DOORBELL, 3)
        self.assertEqual(one.rd(HELD), 1 << 3)
        data = self.save(1)
        self.assertEqual(self.complete(1), 1)
        self.assertLess(len(data), 3 * 0x10000)
        self.assertEqual(self.send(1, CANCEL_SAVE), 0)
        self.assertEqual(self.send(1, CANCEL_STOP), 0)
        self.assertEqual(one.rd(HELD), 0)

        self.assertEqual(self.send(2, STOP), 0)
        self.restore(2, data)
        self.assertEqual(self.send(2, RESTORE_END), 0)
        self.assertEqual(self.event(), (2, 3))
        self.assertEqual((two.rd(SCRATCH), two.rd(TOKEN), two.rd(HELD)), (0x5C, 3, 1 << 3))
        self.assertEqual(self.send(2, RESUME), 0)
        self.assertEqual(two.fb_read(0x1234, 5), b"moved")
        self.assertEqual(two.fb_read((64 << 20) - 8, 8), b"the last")
        self.assertEqual(two.rd(HELD), 0)

    def test_order(self):
        self.ready(1)
        for kind in (CANCEL_STOP, SAVE, CANCEL_SAVE, RESTORE, RESTORE_END, RESUME):
            self.assertEqual(self.send(1, kind), STATE)
        self.assertEqual(self.send(1, STOP), 0)
        for kind in (STOP, CANCEL_SAVE, RESTORE_END):
            self.assertEqual(self.send(1, kind), STATE)
        self.assertEqual(self.send(1, SAVE), WRONG)  # the host has not said that it begins
        self.begin(1, SAVE)
        self.gpu.wait(lambda: self.complete(1))
        for kind in (STOP, CANCEL_STOP, SAVE, RESTORE):
            self.assertEqual(self.send(1, kind), STATE)
        self.assertEqual(self.send(1, CANCEL_SAVE), 0)
        self.assertEqual(self.send(1, RESUME), 0)
        # A reset ends it, wherever it is.
        self.assertEqual(self.send(1, STOP), 0)
        self.begin(1, RESTORE)
        self.assertEqual(self.send(1, RESTORE_END), STATE)
        self.assertEqual(self.send(1, RESET), 0)
        self.assertEqual(self.send(1, CANCEL_STOP), STATE)
        self.end(1)

    def test_ends(self):
        """A task that is shut down, or crashes, with a stream half way."""
        self.ready(1)
        self.ready(2)
        for offset in range(0, 4 * MIB, 0x10000):
            Vf(self.gpu, 1).fb_write(offset, b"full")
        self.assertEqual(self.send(1, STOP), 0)
        self.begin(1, SAVE)
        self.gpu.wait(lambda: self.task(1))
        self.assertEqual(self.complete(1), 0)
        self.end(1)
        self.assertEqual(self.send(2, STOP), 0)
        self.restore(2, bytes(12))
        self.gpu.set_property("fault", "vgpu-crash:2")
        self.assertEqual(self.event(), (2, 2))
        self.assertEqual(self.control(0x20804008, struct.pack("<I", 2)), 0)
        self.ready(1)
        self.ready(2)

    def test_unsupported(self):
        self.up(1)
        self.assertEqual(self.send(1, VERSION, 0, 0), 0)
        self.assertEqual(self.send(1, CONFIG, *self.config(1, b77=0)), 0)
        self.assertEqual(self.send(1, STOP), 0)
        self.host(1, 0)
        self.assertEqual(self.send(1, SAVE), UNSUPPORTED)
        self.assertEqual(self.send(1, CANCEL_STOP), 0)

    def test_hostile(self):
        """Streams that no task has written."""
        self.ready(1)
        begin = struct.pack("<IIQIIQ", 1, 16, 0, 0x55504756, 1, 128 * MIB)
        for data in (b"\0" * 64, struct.pack("<IIQ", 1, 0xFFFFFFFF, 0),
                     struct.pack("<IIQIIQ", 1, 16, 0, 0x55504756, 1, 64 * MIB), begin + begin,
                     begin + struct.pack("<IIQ", 4, 0x10000, 128 * MIB) + bytes(0x10000),
                     begin + struct.pack("<IIQ", 4, 0x10000, (1 << 64) - 0x10000) + bytes(0x10000),
                     begin + struct.pack("<IIQQ", 3, 8, 0, 0),
                     begin + struct.pack("<IIQQ", 5, 8, 0, 1)):
            self.assertEqual(self.send(1, STOP), 0)
            self.restore(1, data)
            self.assertEqual(self.send(1, RESTORE_END), DATA)
            self.assertEqual(self.send(1, RESET), 0)
        self.assertEqual(self.send(1, STOP), 0)
        self.begin(1, SAVE)
        self.host(1, RING_BYTES)
        self.gpu.wait(lambda: "in the ring" in self.gpu.refusals()[-1] or self.complete(1))
        self.assertEqual(self.send(1, RESET), 0)


if __name__ == "__main__":
    unittest.main()
