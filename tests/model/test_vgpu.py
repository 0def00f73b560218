# SPDX-License-Identifier: GPL-2.0-or-later
"""The firmware's vGPU tasks: booted, spoken to, shut down, and misused."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Gpu  # noqa: E402
import firmware as fw  # noqa: E402
import vgpu  # noqa: E402
from vgpu import CLIENT, HEAP_BYTES, MESSAGE, MISSING, SEGMENT, STATE, SUBDEVICE, WRONG  # noqa: E402

class Vgpu(vgpu.Case):
    def test_life(self):
        self.up(1)
        self.assertEqual(self.send(1, 1, 0x1A, 0), 0)
        self.assertEqual(self.vram(self.heap(1) + MESSAGE + 4), 0x1A)
        self.assertEqual(self.send(1, 2, *self.config(1)), 0)
        self.assertEqual(self.send(1, 13, 1), 0)
        self.assertEqual(self.vram(self.heap(1) + MESSAGE), 0x0101)
        self.assertEqual(self.send(1, 3), 0)
        gfid = struct.pack("<I", 1)
        self.assertEqual(self.control(0x20804008, gfid), STATE)
        self.fw.record(76, struct.pack("<6I", CLIENT, SUBDEVICE, 0x20804002, 0, 4, 0) + gfid)
        self.fw.ring()
        self.assertEqual(self.event(), (1, 1))
        self.assertEqual(self.fw.receive()[0], 76)
        self.assertEqual(self.control(0x20804008, gfid), 0)
        self.assertEqual(self.control(0x20804008, gfid), MISSING)
        self.up(1)

    def test_all_of_them(self):
        for gfid in range(1, 9):
            self.up(gfid)
        for gfid in range(1, 9):
            self.assertEqual(self.send(gfid, 1, 5, 0), 0)

    def test_order_of_messages(self):
        self.up(2)
        self.assertEqual(self.send(2, 3), STATE)
        self.assertEqual(self.send(2, 2, *self.config(2)), STATE)
        self.assertEqual(self.send(2, 1, 1, 0), 0)
        self.assertEqual(self.send(2, 2, *self.config(2, c40=64)), WRONG)
        self.assertEqual(self.send(2, 99), 0x56)

    def test_wrong_parameters(self):
        self.up(3)
        for why, gfid, changes in (
                ("is not enabled", 33, {}),
                ("is not enabled", 0, {}),
                ("has a task", 3, {}),
                ("not the VF's address", 4, {"dbdf": 0x20}),
                ("384 segments", 4, {"segments": 385}),
                ("whole VMMU segments", 4, {"size": SEGMENT + 4096}),
                ("not in usable VRAM", 4, {"start": fw.FB - SEGMENT}),
                ("not in usable VRAM", 4, {"start": (1 << 64) - SEGMENT}),
                ("too small", 4, {"heap_bytes": 0x274000}),
                ("control buffer", 4, {"ctrl": HEAP_BYTES}),
                ("a log is not", 4, {"log": 0}),
                ("a power of two", 4, {"channels": 33}),
                ("within 2048", 4, {"first": 2040}),
                ("has these channels", 4, {"first": 512 + 96 + 31}),
                ("another vGPU has this memory", 4, {"start": SEGMENT * 7}),
                ("has the heap's memory", 4, {"heap": 0x10000000 + 3 * HEAP_BYTES})):
            with self.subTest(why):
                self.assertEqual(self.bootload(gfid, **changes), WRONG)
                lines = self.gpu.refusals()
                self.assertIn(why, lines[-2])
        self.up(4)

    def test_crash(self):
        self.up(5)
        with self.assertRaises(ValueError):
            self.gpu.set_property("fault", "vgpu-crash:6")
        self.gpu.set_property("fault", "vgpu-crash:5")
        self.assertEqual(self.event(), (5, 2))
        self.gpu.wr(0xB82200, 5 * 32 + 17)
        self.assertIn("no task", self.gpu.refusals()[-1])
        self.assertEqual(self.control(0x20804008, struct.pack("<I", 5)), 0)
        self.up(5)


class Off(unittest.TestCase):
    def test_without_sriov_mode(self):
        gpu = Gpu()
        self.addCleanup(gpu.close)
        gpu.enable_vfs(32)
        f = fw.Firmware(gpu)
        f.boot()
        status, _ = f.control(CLIENT, SUBDEVICE, 0x20804001, bytes(6616))
        self.assertEqual(status, WRONG)
        self.assertTrue(any("RMSetSriovMode" in line for line in gpu.refusals()))


if __name__ == "__main__":
    unittest.main()
