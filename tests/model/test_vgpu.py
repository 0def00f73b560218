# SPDX-License-Identifier: GPL-2.0-or-later
"""The firmware's vGPU tasks: booted, spoken to, shut down, and misused."""

import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import BAR0, BAR1, BAR3, VF_BAR0, VF_BAR1, VF_BAR3, Gpu, Vf  # noqa: E402
import firmware as fw  # noqa: E402
import vgpu  # noqa: E402
from vgpu import (CLIENT, HEAP_BYTES, MAGIC, MESSAGE, MISSING, ONES, RESPONSE,  # noqa: E402
                  RING, SEGMENT, STATE, SUBDEVICE, WRONG)

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
        self.assertEqual(self.control_with_event(0x20804002, gfid), (0, (1, 1)))
        self.assertEqual(self.control(0x20804008, gfid), 0)
        self.assertEqual(self.control(0x20804008, gfid), MISSING)
        self.up(1)

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
                ("a multiple of", 4, {"first": 512 + 96 + 31}),
                ("has these channels", 4, {"first": 512 + 96}),
                ("another vGPU has this memory", 4, {"start": SEGMENT * 7}),
                ("has the heap's memory", 4, {"heap": 0x10000000 + 3 * HEAP_BYTES})):
            with self.subTest(why):
                self.assertEqual(self.bootload(gfid, **changes), WRONG)
                lines = self.gpu.refusals()
                self.assertIn(why, lines[-2])
        self.up(4)

    def test_channels(self):
        p = bytearray(self.params(4))
        struct.pack_into("<I", p, 28 + 4, 0)
        self.assertEqual(self.control(0x20804001, bytes(p)), WRONG)
        self.assertIn("graphics engine", self.gpu.refusals()[-2])
        struct.pack_into("<I", p, 28 + 4, 512 + 128)
        for count in (0, 33):
            struct.pack_into("<I", p, 24, count)
            self.assertEqual(self.control(0x20804001, bytes(p)), WRONG)
            self.assertIn("its task has no channels", self.gpu.refusals()[-2])
        # One that the host uses itself is no guest's.
        f = self.fw
        for parent, handle, oclass, count in ((0xC1D1, 0xC1D1, 0, 120), (0xC1D1, 2, 0x80, 56),
                                              (2, 3, 0x90F1, 48)):
            self.assertEqual(f.alloc(0xC1D1, parent, handle, oclass, bytes(count)), 0)
        chid = 512 + 128 + 31
        channel = bytearray(368)
        struct.pack_into("<QII", channel, 8, 0, 16, chid % 8 << 8 | chid // 8 << 12 | 1 << 21)
        struct.pack_into("<I", channel, 28, 3)
        struct.pack_into("<I", channel, 128, 0xB)
        for at in (144, 168, 192):
            struct.pack_into("<QQII", channel, at, 0x110000, 0x1000, 2, 1)
        self.assertEqual(f.alloc(0xC1D1, 2, 4, 0xC56F, bytes(channel)), 0)
        self.assertEqual(self.bootload(4), WRONG)
        self.assertIn("the host's", self.gpu.refusals()[-2])
        self.assertEqual(f.free(0xC1D1, 4), 0)
        self.up(4)

    def test_sleep(self):
        """A GPU with vGPUs does not sleep."""
        self.up(1)
        self.assertEqual(self.fw.call(47, struct.pack("<BBxxI", 1, 0, 3))[0], STATE)
        self.assertIn("there are vGPUs", "".join(self.gpu.refusals()))
        self.end(1)

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


class Many(vgpu.Case):
    FB = 8192 * fw.MIB

    def test_32(self):
        """32 vGPUs at once, each with resources of its own, and all destroyed.
        """
        gfids = range(1, 33)
        for gfid in gfids:
            self.ready(gfid)
            Vf(self.gpu, gfid).fb_write(0, struct.pack("<I", gfid * 0x1001))
        for gfid in gfids:
            self.assertEqual(Vf(self.gpu, gfid).fb_read(0), struct.pack("<I", gfid * 0x1001))
        # A reset of the PF ends them all.
        self.gpu.config_write(0x78 + 8, 1 << 15)
        self.gpu.config_write(0x04, 0x06)
        for bar, base in ((0, BAR0), (1, BAR1), (3, BAR3)):
            self.gpu.config_write(0x10 + bar * 4, base & 0xFFFFFFFF)
            if bar:
                self.gpu.config_write(0x14 + bar * 4, base >> 32)
        self.gpu.enable_vfs(32)
        for gfid in gfids:
            self.assertEqual(Vf(self.gpu, gfid).fb_read(0), b"\xff" * 4)
        self.fw = f = fw.Firmware(self.gpu)
        f.boot(fb=self.FB,
               info=f.system_info(total=32, bars=[VF_BAR0, VF_BAR1, VF_BAR3]),
               registry=f.registry(RMSetSriovMode=1))
        self.ready(32)


class Faults(vgpu.Case):
    def fault(self, text):
        self.gpu.set_property("fault", text)

    def test_boot(self):
        self.fault("vgpu-boot-error:2")
        self.up(1)
        self.assertEqual(self.bootload(2), 0xFFFF)
        self.up(2)
        self.fault("vgpu-no-boot")
        self.assertEqual(self.bootload(3), 0)
        time.sleep(0.3)
        self.assertNotEqual(self.vram(self.heap(3) + 8), MAGIC)
        self.assertEqual(Vf(self.gpu, 3).rd(0x2F000), ONES)
        self.end(3)
        self.up(3)
        self.fault("vgpu-crash-at:4:0")
        self.assertEqual(self.bootload(4), 0)
        self.assertEqual(self.event(), (4, 2))

    def test_messages(self):
        self.fault("vgpu-no-answer:1:2")
        self.up(1)
        self.up(2)
        self.assertEqual(self.send(1, 1, 0, 0), 0)
        self.assertEqual(self.send(2, 1, 0, 0), 0)
        self.assertEqual(self.send(2, 2, *self.config(2)), 0)
        self.vram(self.heap(1), 1, 2, 99)
        self.gpu.wr(0xB82200, 32 + 17)
        self.gpu.wait(lambda: self.vram(self.heap(1) + 0x1000) == 99)
        self.assertNotEqual(self.vram(self.heap(1) + 0x1004), 99)
        self.fault("vgpu-crash-at:2:3")
        self.vram(self.heap(2), 1, 13, 100)
        self.gpu.wr(0xB82200, 64 + 17)
        self.assertEqual(self.event(), (2, 2))
        self.assertNotEqual(self.vram(self.heap(2) + 0x1004), 100)
        self.assertEqual(self.send(1, 1, 0, 0), 0)

    def test_a_late_answer(self):
        """It comes over what was written since."""
        self.fault("vgpu-late-answer:1:1")
        self.up(1)
        heap = self.heap(1)
        for sequence, data in ((99, 0x10), (100, 0x12)):
            self.vram(heap + MESSAGE, data, 0)
            self.vram(heap, 1, 1, sequence, 0, RESPONSE, 0, MESSAGE, 0, RING, 0)
            self.gpu.wr(0xB82200, 32 + 17)
            self.gpu.wait(lambda: self.vram(heap + RESPONSE) == 99)
        self.assertNotEqual(self.vram(heap + RESPONSE + 4), 99)
        self.gpu.wait(lambda: self.vram(heap + RESPONSE + 4) == 100, 30)
        self.assertEqual(self.vram(heap + MESSAGE + 4), 0x10)
        self.assertTrue(any("message 100 before the answer to 99" in line
                            for line in self.gpu.refusals()))

    def test_refused(self):
        self.up(1)
        gfid = struct.pack("<I", 1)
        self.fault("vgpu-no-shutdown:1:2")
        for _ in range(2):
            self.assertEqual(self.control(0x20804002, gfid), STATE)
        self.assertEqual(self.control_with_event(0x20804002, gfid), (0, (1, 1)))
        self.fault("vgpu-no-cleanup:1")
        self.assertEqual(self.control(0x20804008, gfid), STATE)
        self.assertEqual(self.control(0x20804008, gfid), 0)
        self.fault("vgpu-boot-error:1:0x1f")
        self.assertEqual(self.bootload(1), WRONG)
        self.up(1)

    def test_late(self):
        """The reply comes later; others' calls are served meanwhile."""
        self.up(1)
        for kind, cmd in (("shutdown", 0x20804002), ("cleanup", 0x20804008)):
            self.fault(f"vgpu-late-{kind}:1:2")
            before = time.monotonic()
            self.fw.record(76, struct.pack("<6I", CLIENT, SUBDEVICE, cmd, 0, 4, 0) +
                           struct.pack("<I", 1))
            self.fw.ring()
            if kind == "shutdown":
                self.assertEqual(self.event(), (1, 1))
            self.assertEqual(self.control(0x2080400A, b"\0"), 0)
            self.assertEqual(self.fw.receive()[0], 76)
            self.assertGreater(time.monotonic() - before, 1.5)
        self.up(1)


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
