# SPDX-License-Identifier: GPL-2.0-or-later
"""Nonsense, a good deal of it: the model stays up, and boots right afterwards.
VGPU_MODEL_SEED chooses another run; the seed is named when something fails."""

import os
import random
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import PGSP, PSEC, Gpu, Vf  # noqa: E402
import firmware as fw  # noqa: E402
import vgpu  # noqa: E402

SEED = int(os.environ.get("VGPU_MODEL_SEED", "1"))
CALLS = (4, 10, 65, 70, 71, 72, 73, 76, 103, 0, 200, 0x1001)
CLASSES = (0, 0x41, 0x80, 0x2080, 0x90F1, 0x7E, 0xA06C, 0xC56F, 0xC7B5, 0xC997)
CONTROLS = (0x801813, 0x801814, 0x2080012B, 0x20800137, 0x20800138, 0x208001B0,
            0x20800A32, 0x20800A5C, 0x20800AC2, 0x20800AC3, 0x20801112, 0x90F10106,
            0xA06F0103, 0xA06F0104, 0x20804001, 0x20804002, 0x20804003, 0x20804004,
            0x20804005, 0x20804006, 0x20804007, 0x20804008, 0x2080400A, 0x2080400E,
            0x20801120, 0x20801121, 0x20801122)
HANDLES = (0, 1, 2, 3, 0xC1D00001, 0xC1E00000, 0xABCD0080, 0xABCD2080)


class Random(unittest.TestCase):
    def setUp(self):
        self.random = random.Random(SEED)
        self.gpu = Gpu("fb-size=4G")
        self.addCleanup(self.gpu.close)

    def word(self):
        r = self.random
        return r.choice((0, 1, 2, 0xFF, 0x1000, 0xFFFFFFFF, r.getrandbits(32),
                         1 << r.randrange(32)))

    def bytes(self, most):
        return b"".join(struct.pack("<I", self.word())
                        for _ in range(self.random.randrange(most // 4 + 1)))

    def payload(self, function):
        r = self.random
        if function == 103:
            params = self.bytes(400)
            return struct.pack("<8I", r.choice(HANDLES), r.choice(HANDLES),
                               r.choice(HANDLES), r.choice(CLASSES), 0,
                               r.choice((len(params), self.word())), 0, 0) + params
        if function == 76:
            params = self.bytes(r.choice((300, 3300, 6700)))
            return struct.pack("<6I", r.choice(HANDLES), r.choice(HANDLES),
                               r.choice(CONTROLS), 0,
                               r.choice((len(params), self.word())), 0) + params
        if function == 10:
            return struct.pack("<4I", r.choice(HANDLES), 0, r.choice(HANDLES), 0)
        return self.bytes(2000)

    def drain(self, f):
        written, = struct.unpack("<I", self.gpu.mem_read(f.status + 16, 4))
        f.read = written
        self.gpu.mem_write(f.head + 32, struct.pack("<I", written))

    def boots(self):
        self.gpu.run_fwsec(0x19)
        self.gpu.sec2("booter_unload", 0xFF000000FF)
        self.assertEqual(self.gpu.rd(0x1FA828), 0, f"seed {SEED}")
        fw.Firmware(self.gpu).boot()

    def test_calls(self):
        f = fw.Firmware(self.gpu)
        f.boot()
        for _ in range(1500):
            function = self.random.choice(CALLS)
            f.record(function, self.payload(function))
            f.ring()
            self.gpu.wait(f.consumed)
            self.drain(f)
        self.boots()

    def test_queue_memory(self):
        f = fw.Firmware(self.gpu)
        f.boot()
        for _ in range(500):
            f.record(65, bytes(1656))
            at = self.random.choice((
                fw.SHARED, f.head, f.status,
                f.head + fw.PAGE * self.random.randrange(64)))
            self.gpu.mem_write(at + 4 * self.random.randrange(32),
                               struct.pack("<I", self.word()))
            f.ring()
            self.drain(f)
        self.boots()

    def test_registers(self):
        """Of every block, with a driver's own sequences in between."""
        r = self.random
        blocks = ((PGSP, 0x2000), (PSEC, 0x2000), (0xB80000, 0x40000), (0x1400, 0x400),
                  (0x88000, 0x1000), (0x118000, 0x1000), (0x700000, 0x100000), (0, 0x1000000))
        for i in range(6000):
            base, size = r.choice(blocks)
            reg = base + 4 * r.randrange(size // 4)
            if 0xB90000 <= reg < 0xBB0000:
                continue  # the table of MSI-X is QEMU's
            if r.random() < 0.7:
                self.gpu.wr(reg, self.word())
            else:
                self.gpu.rd(reg)
            if i % 1500 == 0:
                self.gpu.run_fwsec(0x15, fw.FRTS)
        self.boots()

    def test_metadata(self):
        self.gpu.run_fwsec(0x15, fw.FRTS)
        fw.put_radix3(self.gpu)
        for _ in range(60):
            field = self.random.choice(fw.META_FIELDS)
            self.gpu.mem_write(fw.META, fw.metadata(**{
                field: self.random.getrandbits(self.random.choice((8, 21, 33, 64)))}))
            fw.Firmware(self.gpu).prepare()
            self.gpu.reset_gsp(fw.LIBOS)
            self.gpu.sec2("booter_load", fw.META)
            if self.gpu.rd(PGSP + 0x1388) & 0x80:
                self.gpu.run_fwsec(0x19)
                self.gpu.sec2("booter_unload", 0xFF000000FF)
                self.gpu.run_fwsec(0x15, fw.FRTS)
        self.boots()


class RandomGuest(vgpu.Case):
    """A guest, and a host, that write anything to a VF and to its task."""

    def setUp(self):
        super().setUp()
        self.random = random.Random(SEED)

    def word(self):
        r = self.random
        return r.choice((0, 1, 2, 3, 0x10000, 0xFFFFFFFF, r.getrandbits(32),
                         1 << r.randrange(32)))

    def drain(self):
        """Events come as they like."""
        self.fw.read, = struct.unpack("<I", self.gpu.mem_read(self.fw.status + 16, 4))
        self.gpu.mem_write(self.fw.head + 32, struct.pack("<I", self.fw.read))
        return self.fw

    def secret(self):
        return self.vram(vgpu.SEGMENT * 6)

    def test_guest(self):
        self.ready(1)
        self.ready(2)
        Vf(self.gpu, 2).fb_write(0, b"mine")
        vf = Vf(self.gpu, 1)
        known = [0x0, 0xF40, 0x1000, 0x1200, 0x1608, 0x1640, 0x2100, 0x2200, 0x3000,
                 0x30A0, 0x30B0, 0x10000, 0x1000C, 0x20000, 0x2F000, 0x30090]
        for _ in range(3000):
            what = self.random.randrange(8)
            if what < 5:
                reg = self.random.choice(known) + 4 * self.random.randrange(24)
                vf.wr(reg, self.word())
                vf.rd(reg)
            elif what == 5:
                vf.config_write(self.random.choice((4, 0x7C, 0x8C, 0x48)), self.word())
            elif what == 6:
                at = self.random.randrange(self.gpu.vf_bar1_size // 4) * 4
                vf.fb_write(at, struct.pack("<I", self.word()))
            else:
                for at in range(0x40, 0x54, 4):
                    vf.wr(0x2F000 + at, self.word())
                vf.wr(0x2F054, self.random.randrange(4))
            if self.random.randrange(50) == 0:
                vf.flr()
                vf.bus_master()
            self.drain()
        self.assertEqual(self.secret(), int.from_bytes(b"mine", "little"), f"seed {SEED}")
        vf.flr()
        vf.config_write(0x8C, 0)
        self.assertEqual(vf.rd(0), 0x192000A1)

    def test_host(self):
        self.ready(1)
        self.ready(2)
        Vf(self.gpu, 2).fb_write(0, b"mine")
        heap = self.heap(1)
        for i in range(400):
            words = [self.word() for _ in range(28)]
            self.vram(heap + vgpu.MESSAGE, *words)
            offsets = [vgpu.RESPONSE, 0, vgpu.MESSAGE, 0, vgpu.RING, 0]
            if self.random.randrange(4) == 0:
                offsets[self.random.randrange(6)] = self.word()
            self.vram(heap, 1, self.random.randrange(1, 16), 1000 + i, 0, *offsets)
            self.vram(heap + 48, self.random.choice((0, 0, 64, 0x1FFFFF, self.word())),
                      self.random.randrange(2))
            for _ in range(8):
                self.vram(heap + vgpu.RING + self.random.randrange(64) * 4, self.word())
            self.gpu.wr(0xB82200, 32 + 17)
            self.drain()
        self.assertEqual(self.secret(), int.from_bytes(b"mine", "little"), f"seed {SEED}")
        self.gpu.set_property("fault", "vgpu-crash:1")
        self.assertEqual(self.event(), (1, 2))
        self.assertEqual(self.control(0x20804008, struct.pack("<I", 1)), 0)
        self.up(1)


if __name__ == "__main__":
    unittest.main()
