# SPDX-License-Identifier: GPL-2.0-or-later
"""VFs as their guests have them: configuration space, windows, interrupts, reset."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import VF_BAR1, Gpu, Vf  # noqa: E402
import firmware as fw  # noqa: E402
import vgpu  # noqa: E402
from vgpu import SEGMENT  # noqa: E402

ONES = 0xFFFFFFFF
DOORBELL, SCRATCH = 0x30090, 0x2100
TEST = 0x2F000
STATUS, FB_MIB, CHANNELS, DRIVER = TEST + 4, TEST + 8, TEST + 12, TEST + 16
GUEST_OS, FB_USED, DOORBELLS, TOKEN = TEST + 20, TEST + 24, TEST + 32, TEST + 36
INTERRUPTS, HELD, RESETS, LOAD = TEST + 40, TEST + 44, TEST + 48, TEST + 52
DMA = TEST + 64
MESSAGES = 0x4000000  # where interrupts write, in the machine's memory
BUFFER = 0x4100000


class Function(vgpu.Case):
    def capabilities(self, vf):
        found, at = {}, vf.config_read(0x34) & 0xFF
        while at:
            head = vf.config_read(at)
            found[head & 0xFF] = at
            at = head >> 8 & 0xFF
        return found

    def test_config(self):
        for gfid in (1, 32):
            vf = Vf(self.gpu, gfid)
            self.assertEqual(vf.config_read(0x08), 0x030200A1)
            vf.config_write(4, 7)
            self.assertEqual(vf.config_read(4) & 7, 4)  # memory is the PF's to enable
            self.assertEqual(self.capabilities(vf), {0x10: 0x40, 0x11: 0x7C, 0x01: 0x88})
            self.assertTrue(vf.config_read(0x44) & 1 << 28, "no FLR")
            self.assertEqual(vf.config_read(0x7C) >> 16, 5)  # 6 vectors
            self.assertEqual((vf.config_read(0x80), vf.config_read(0x84)), (0x10000, 0x20000))

    def test_memory_enable(self):
        vf = Vf(self.gpu, 2)
        self.assertEqual(vf.rd(0), 0x192000A1)
        self.gpu.extended_write(0xBCC + 8, 1)
        self.assertEqual(vf.rd(0), 0)
        self.gpu.extended_write(0xBCC + 8, 9)
        self.assertEqual(vf.rd(0), 0x192000A1)

    def test_power(self):
        vf = Vf(self.gpu, 1)
        self.assertEqual(vf.rd(0), 0x192000A1)
        vf.config_write(0x8C, 3)
        self.assertEqual(vf.config_read(0x8C) & 3, 3)
        self.assertEqual(vf.rd(0), 0)  # nothing is there
        vf.config_write(0x8C, 0)
        self.assertEqual(vf.rd(0), 0x192000A1)

    def test_registers(self):
        vf, other = Vf(self.gpu, 1), Vf(self.gpu, 2)
        self.assertEqual((vf.rd(0), vf.rd(4), vf.rd(0xA00)),
                         (0x192000A1, 0x20000, 0x192A1000))
        vf.wr(SCRATCH + 60, 0x1234)
        self.assertEqual(vf.rd(SCRATCH + 60), 0x1234)
        self.assertEqual(other.rd(SCRATCH + 60), 0)
        before = vf.rd(0x30084) << 32 | vf.rd(0x30080)
        self.gpu.wait(lambda: vf.rd(0x30084) << 32 | vf.rd(0x30080) > before)
        # Nobody is there for the service, nor for a doorbell.
        self.assertEqual(vf.rd(TEST), ONES)
        vf.wr(DOORBELL, 3)
        self.ready(1)
        self.assertEqual(vf.rd(TEST), 0x54534554)
        self.assertEqual((vf.rd(FB_MIB), vf.rd(CHANNELS), vf.rd(DOORBELLS)), (128, 32, 0))
        self.assertEqual(other.rd(TEST), ONES)

    def test_bus_lost(self):
        vf = Vf(self.gpu, 1)
        self.ready(1)
        vf.fb_write(0, b"here")
        self.gpu.set_property("fault", "bus-lost")
        self.assertEqual((vf.config_read(0), vf.rd(0), vf.rd(TEST)), (ONES, ONES, ONES))
        self.assertEqual(vf.fb_read(0), b"\xff" * 4)
        self.gpu.set_property("fault", "none")
        self.assertEqual(vf.fb_read(0), b"here")


    def test_firmware_crash(self):
        """After a crash no task answers; what the hardware does alone still
        works."""
        vf = Vf(self.gpu, 1)
        self.ready(1)
        vf.fb_write(0, b"here")
        self.gpu.set_property("fault", "crash")
        self.fw.record(65, bytes(1656))
        self.fw.ring()
        self.gpu.wait(lambda: self.gpu.rd(0x110008) & 0x10)
        self.assertEqual((vf.rd(0), vf.rd(TEST), vf.fb_read(0)), (0x192000A1, ONES, b"here"))
        vf.wr(DOORBELL, 1)
        vf.flr()
        # The next firmware knows of no vGPU.
        self.gpu.run_fwsec(0x19)
        self.gpu.sec2("booter_unload", 0xFF000000FF)
        self.fw = fw.Firmware(self.gpu)
        self.fw.boot()
        self.assertEqual(vf.fb_read(0), b"\xff" * 4)


class Framebuffer(vgpu.Case):
    PROPERTIES = ("vf-bar1-size=256M",)

    def refusals(self):
        return [line for line in self.gpu.refusals() if line.startswith("vf:")]

    def test_window(self):
        """Each has its own framebuffer, from the first byte to the last."""
        one, two = Vf(self.gpu, 1), Vf(self.gpu, 2)
        self.assertEqual(one.fb_read(0), b"\xff" * 4)
        self.assertEqual(self.refusals(), [])
        self.ready(1)
        self.ready(2)
        one.fb_write(0, b"one")
        two.fb_write(0, b"two")
        one.fb_write(SEGMENT - 4, b"last")
        self.assertEqual(one.fb_read(0, 3), b"one")
        self.assertEqual(self.vram(SEGMENT * 5) & 0xFFFFFF, int.from_bytes(b"one", "little"))
        self.assertEqual(self.vram(SEGMENT * 6) & 0xFFFFFF, int.from_bytes(b"two", "little"))
        self.assertEqual(self.vram(SEGMENT * 6 - 4), int.from_bytes(b"last", "little"))
        # BAR3 shows nothing.
        self.assertEqual(self.gpu.mem_read(one.bar3, 4), b"\xff" * 4)

    def test_beyond(self):
        one = Vf(self.gpu, 1)
        self.ready(1)
        self.vram(SEGMENT * 6, 0x5EC2E7)
        self.assertEqual(self.refusals(), [])
        self.assertEqual(one.fb_read(SEGMENT), b"\xff" * 4)
        one.fb_write(SEGMENT, b"evil")
        one.fb_write(2 * SEGMENT - 4, b"evil")
        self.assertEqual(self.vram(SEGMENT * 6), 0x5EC2E7)
        self.assertIn("BAR1 at 8000000", self.refusals()[0])
        # Many of them are few lines.
        for _ in range(100):
            one.fb_read(SEGMENT)
        self.assertLess(len(self.refusals()), 12)

    def test_segments(self):
        """Two segments that are not side by side are one framebuffer."""
        p = bytearray(self.params(1))
        struct.pack_into("<I", p, 368, 2)
        struct.pack_into("<QQ", p, 376, SEGMENT * 9, SEGMENT * 7)
        struct.pack_into("<QQ", p, 3448, SEGMENT, SEGMENT)
        self.assertEqual(self.control(0x20804001, bytes(p)), 0)
        self.assertEqual(self.event(), (1, 0))
        one = Vf(self.gpu, 1)
        one.fb_write(SEGMENT - 2, b"both")
        self.assertEqual(self.vram(SEGMENT * 10 - 4) >> 16, int.from_bytes(b"bo", "little"))
        self.assertEqual(self.vram(SEGMENT * 7) & 0xFFFF, int.from_bytes(b"th", "little"))

    def test_closed(self):
        """A task that was shut down or crashed shows nothing; the next one
        starts fresh."""
        one = Vf(self.gpu, 1)
        self.ready(1)
        one.fb_write(0, b"gone")
        self.gpu.set_property("fault", "vgpu-crash:1")
        self.assertEqual(self.event(), (1, 2))
        self.assertEqual(one.fb_read(0), b"\xff" * 4)
        self.assertEqual(one.rd(TEST), ONES)
        self.assertEqual(self.control(0x20804008, struct.pack("<I", 1)), 0)
        self.ready(1)
        self.assertEqual(one.fb_read(0), b"gone")  # to scrub is the host's duty
        self.end(1)
        self.assertEqual(one.fb_read(0), b"\xff" * 4)

    def test_disabled(self):
        """VFs off: the windows go, the task stays until it is shut down."""
        one = Vf(self.gpu, 1)
        self.ready(1)
        one.fb_write(0, b"stay")
        self.gpu.disable_vfs()
        self.assertEqual(one.config_read(0), ONES)
        self.assertNotEqual(self.gpu.mem_read(VF_BAR1, 4), b"stay")
        self.assertEqual(self.send(1, 3), 0)
        self.gpu.enable_vfs(32)
        self.assertEqual(one.fb_read(0), b"stay")
        self.gpu.disable_vfs()
        self.end(1)


class Interrupts(vgpu.Case):
    def setUp(self):
        super().setUp()
        self.gpu.mem_write(MESSAGES, bytes(24))
        self.vf = Vf(self.gpu, 1)
        self.vf.bus_master()
        self.vf.msix(MESSAGES)

    def came(self):
        words = struct.unpack("<6I", self.gpu.mem_read(MESSAGES, 24))
        self.gpu.mem_write(MESSAGES, bytes(24))
        return [i for i, word in enumerate(words) if word == i + 1]

    def test_doorbell(self):
        self.ready(1)
        for token in range(8):
            self.vf.wr(DOORBELL, token)
            self.assertEqual(self.came(), [token % 6])
        self.assertEqual((self.vf.rd(DOORBELLS), self.vf.rd(TOKEN), self.vf.rd(INTERRUPTS)),
                         (8, 7, 8))
        # Another VF's doorbell is its own.
        Vf(self.gpu, 2).wr(DOORBELL, 1)
        self.assertEqual((self.came(), self.vf.rd(DOORBELLS)), ([], 8))

    def test_masked(self):
        self.ready(1)
        self.vf.wr(0x10000 + 2 * 16 + 12, 1)
        self.vf.wr(DOORBELL, 2)
        self.assertEqual(self.came(), [])
        self.assertEqual(self.vf.rd(0x20000), 1 << 2)
        self.vf.wr(0x10000 + 2 * 16 + 12, 0)
        self.assertEqual(self.came(), [2])

    def test_bus_master(self):
        """The firmware holds interrupts back until it is told that they may go."""
        self.up(1)
        self.assertEqual(self.send(1, 1, 0x1A, 0), 0)
        self.assertEqual(self.send(1, 2, *self.config(1)), 0)
        self.vf.wr(DOORBELL, 1)
        self.vf.wr(DOORBELL, 4)
        self.assertEqual((self.came(), self.vf.rd(HELD), self.vf.rd(STATUS)),
                         ([], 1 << 1 | 1 << 4, 1))
        self.assertEqual(self.send(1, 13, 1), 0)
        self.assertEqual((self.came(), self.vf.rd(HELD), self.vf.rd(STATUS)), ([1, 4], 0, 3))
        self.assertEqual(self.send(1, 13, 0), 0)
        self.vf.wr(DOORBELL, 1)
        self.assertEqual(self.came(), [])
        # And PCI's own bit stops what the firmware lets pass.
        self.assertEqual(self.send(1, 13, 1), 0)
        self.came()
        self.vf.bus_master(False)
        self.vf.wr(DOORBELL, 1)
        self.assertEqual(self.came(), [])

    def test_tree(self):
        """The tree of interrupts that a VF has as the PF does."""
        self.ready(1)
        self.vf.wr(0x1200, 1 << 5)
        self.vf.wr(0x1608, 1)
        self.vf.wr(0x1640, 5)
        self.assertEqual(self.came(), [0])
        self.assertEqual((self.vf.rd(0x1000), self.vf.rd(0x1600)), (1 << 5, 1))
        self.vf.wr(0x1640, 5)
        self.assertEqual(self.came(), [])
        self.vf.wr(0x1000, 1 << 5)
        self.vf.wr(0x1640, 5)
        self.assertEqual(self.came(), [0])
        self.assertEqual(Vf(self.gpu, 2).rd(0x1200), 0)

    def dma(self, command, fb, count, addr=BUFFER):
        for at, value in ((0, addr & ONES), (4, addr >> 32), (8, fb & ONES), (12, fb >> 32),
                          (16, count), (20, command)):
            self.vf.wr(DMA + at, value)
        return self.vf.rd(DMA + 24)

    def test_dma(self):
        self.ready(1)
        self.gpu.mem_write(BUFFER, b"from memory")
        self.assertEqual(self.dma(1, SEGMENT - 11, 11), 1)
        self.vf.fb_write(0x100, b"from the framebuffer")
        self.assertEqual(self.dma(2, 0x100, 20, BUFFER + 0x1000), 1)
        self.assertEqual(self.gpu.mem_read(BUFFER + 0x1000, 20), b"from the framebuffer")
        self.assertEqual(self.dma(2, SEGMENT - 11, 11, BUFFER + 0x2000), 1)
        self.assertEqual(self.gpu.mem_read(BUFFER + 0x2000, 11), b"from memory")
        for command, fb, count in ((1, SEGMENT - 10, 11), (2, (1 << 64) - 1, 2), (3, 0, 4),
                                   (1, 0, 0x100001)):
            self.assertEqual(self.dma(command, fb, count), 3)
        self.vf.bus_master(False)
        self.assertEqual(self.dma(1, 0, 4), 4)
        self.assertEqual(self.send(1, 13, 0), 0)
        self.assertEqual(self.dma(1, 0, 4), 2)

    def test_reset(self):
        """FLR resets the VF's registers, not its task or the framebuffer's
        contents."""
        self.ready(1)
        self.vf.fb_write(0, b"kept")
        self.vf.wr(SCRATCH, 7)
        self.vf.wr(0x1608, 1)
        self.vf.wr(DRIVER, 1)
        self.assertEqual(self.event(), (1, 3))
        self.vf.wr(DOORBELL, 1)
        self.assertEqual(self.came(), [1])
        self.vf.flr()
        self.assertEqual(self.event(), (1, 4))
        self.assertEqual(self.vf.config_read(4) & 4, 0)
        self.assertEqual(self.vf.config_read(0x7C) >> 30, 0)  # not enabled
        self.assertEqual(self.vf.config_read(0x48) >> 15 & 1, 0)
        self.assertEqual((self.vf.rd(SCRATCH), self.vf.rd(0x1608), self.vf.rd(DOORBELLS),
                          self.vf.rd(DRIVER)), (0, 0, 0, 0))
        self.assertEqual(self.vf.rd(0x1000C), 1)  # masked
        self.assertEqual(self.vf.rd(RESETS), 1)
        self.vf.wr(DOORBELL, 1)
        self.assertEqual(self.came(), [])
        self.assertEqual(self.vf.fb_read(0), b"kept")
        self.assertEqual(Vf(self.gpu, 2).config_read(8), 0x030200A1)
        # And it goes on.
        self.vf.bus_master()
        self.vf.msix(MESSAGES)
        self.vf.wr(DOORBELL, 5)
        self.assertEqual(self.came(), [5])

    def test_guest(self):
        self.ready(1)
        self.vf.wr(DRIVER, 1)
        self.assertEqual(self.event(), (1, 3))
        self.vf.wr(DRIVER, 1)
        self.vf.wr(GUEST_OS, 0x0C0A)
        self.assertEqual(self.event(), (1, 7))
        self.vf.wr(FB_USED, 100)
        self.assertEqual(self.vf.rd(FB_USED), 100)
        self.vf.wr(FB_USED, 4096)
        self.assertEqual(self.vf.rd(FB_USED), 128)
        self.vf.wr(DRIVER, 0)
        self.assertEqual(self.event(), (1, 4))

    def test_load(self):
        """Samples of the engines name the vGPUs in turn."""
        self.ready(1)
        self.ready(2)
        other = Vf(self.gpu, 2)
        self.vf.wr(LOAD, 0x0A001E)
        other.wr(LOAD, 50)
        function, _, data = self.fw.receive()
        self.assertEqual((function, len(data)), (0x1008, 4048))
        kind, count, tracker = struct.unpack_from("<B7xII", data)
        self.assertEqual((kind, count, tracker), (2, 72, 7))
        samples = [struct.unpack_from("<Q12I", data, 16 + 56 * i) for i in range(8)]
        self.assertEqual(samples[7][0], 0)
        self.assertEqual(sorted(samples[:7]), samples[:7])
        graphics = [sample[4:6] for sample in samples[:7]]
        self.assertEqual(sorted(set(graphics)), [(6000, 1234), (10000, 1234)])
        self.assertEqual([sample[10:12] for sample in samples[:7]], [(1000, 1234)] * 7)
        self.assertEqual({sample[7:9] for sample in samples[:7]}, {(0, 0xffffffff)})
        self.vf.wr(LOAD, 0)
        other.wr(LOAD, 0)

    def test_flood(self):
        """A guest causes events that nobody reads: some are lost."""
        self.ready(1)
        for i in range(700):
            self.vf.wr(DRIVER, i % 2 ^ 1)
        lines = [line for line in self.gpu.refusals() if "nobody reads" in line]
        self.assertEqual(len(lines), 1)
        # An answer is not among what is lost.
        self.fw.record(65, bytes(1656))
        self.fw.ring()
        functions = [self.fw.receive()[0]]
        while functions[-1] != 65:
            functions.append(self.fw.receive()[0])
        self.assertGreater(len(functions), 512)


class Bare(unittest.TestCase):
    """VFs while no firmware runs."""

    def test_bare(self):
        gpu = Gpu()
        self.addCleanup(gpu.close)
        gpu.enable_vfs(4)
        vf = Vf(gpu, 4)
        self.assertEqual((vf.rd(0), vf.rd(TEST), vf.fb_read(0)), (0x192000A1, ONES, b"\xff" * 4))
        vf.wr(DOORBELL, 1)
        vf.flr()
        vf.fb_write(0, b"x")
        self.assertEqual(vf.rd(0), 0x192000A1)
        fw.Firmware(gpu).boot()


if __name__ == "__main__":
    unittest.main()
