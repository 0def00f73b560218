# SPDX-License-Identifier: GPL-2.0-or-later
"""Channels and copy engines: pushbuffers and faults."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Gpu  # noqa: E402
import firmware as fw  # noqa: E402

CLIENT, DEVICE, SUBDEVICE, VASPACE, CHANNEL = 0xC1D00001, 0xDE1, 0x5D1, 0x90F1, 0xF1F
COPY2 = 0x0B  # NV2080_ENGINE_TYPE_COPY2, alone on runlist 1
CHID = 5

# VRAM: page directories, the channel's own, and buffers.
PD3, PD2, PD1, PD0, PT = (0x100000 + i * 0x1000 for i in range(5))
INSTANCE, USERD, RING, PUSH = 0x110000, 0x112000, 0x113000, 0x114000
SEM, SRC, DST = 0x115000, 0x120000, 0x130000
SYSMEM = 0x4000000
# Addresses 0x100000 to 0x13ffff are VRAM's own; 0x180000 is SYSMEM, 0x181000 may
# only be read, and after that there is nothing.
FIRST_PAGE, PAGES = 0x100, 0x40


class Channel(unittest.TestCase):
    def setUp(self):
        self.gpu = gpu = Gpu()
        self.addCleanup(gpu.close)
        self.fw = f = fw.Firmware(gpu)
        f.boot()
        self.page_tables()
        self.assertEqual(f.alloc(CLIENT, CLIENT, CLIENT, 0, bytes(120)), 0)
        self.assertEqual(f.alloc(CLIENT, CLIENT, DEVICE, 0x80, bytes(56)), 0)
        self.assertEqual(f.alloc(CLIENT, DEVICE, SUBDEVICE, 0x2080, bytes(4)), 0)
        self.assertEqual(f.alloc(CLIENT, DEVICE, VASPACE, 0x90F1, bytes(48)), 0)
        status, _ = f.control(CLIENT, DEVICE, 0x801813, struct.pack(
            "<QIIIIII", PD3, 4, 0, VASPACE, 0, 0, 0))
        self.assertEqual(status, 0)
        self.assertEqual(self.alloc(), 0)
        self.assertEqual(f.control(CLIENT, CHANNEL, 0xA06F0104,
                                   struct.pack("<I", COPY2))[0], 0)
        self.assertEqual(f.control(CLIENT, CHANNEL, 0xA06F0103, b"\1\0")[0], 0)
        self.put = 0

    def alloc(self, handle=CHANNEL, chid=CHID, engine=COPY2, **changes):
        params = bytearray(368)
        struct.pack_into("<QII", params, 8, RING, 16,
                         (chid % 8) << 8 | (chid // 8) << 12 | 1 << 21)
        struct.pack_into("<I", params, 28, VASPACE)
        struct.pack_into("<I", params, 128, engine)
        for at, base in ((144, changes.get("instance", INSTANCE)),
                         (168, changes.get("userd", USERD)), (192, INSTANCE)):
            struct.pack_into("<QQII", params, at, base, 0x1000, 2, 1)
        return self.fw.alloc(CLIENT, DEVICE, handle, 0xC56F, bytes(params))

    # VRAM through the window of BAR0.

    def vram_write(self, addr, data):
        for at in range(0, len(data), 4):
            self.gpu.wr(0x1700, (addr + at) >> 16)
            self.gpu.wr(0x700000 + ((addr + at) & 0xFFFF),
                        struct.unpack_from("<I", data, at)[0])

    def vram_read(self, addr, count):
        out = b""
        for at in range(0, count, 4):
            self.gpu.wr(0x1700, (addr + at) >> 16)
            out += struct.pack("<I", self.gpu.rd(0x700000 + ((addr + at) & 0xFFFF)))
        return out

    def page_tables(self):
        def pde(addr):
            return struct.pack("<Q", 1 << 1 | addr >> 12 << 8)
        self.vram_write(PD3, pde(PD2))
        self.vram_write(PD2, pde(PD1))
        self.vram_write(PD1, pde(PD0))
        self.vram_write(PD0, bytes(8) + pde(PT))
        self.vram_write(PT + FIRST_PAGE * 8, b"".join(
            struct.pack("<Q", 1 | page << 8)
            for page in range(FIRST_PAGE, FIRST_PAGE + PAGES)))
        self.vram_write(PT + 0x180 * 8, struct.pack(
            "<QQQ", 1 | 2 << 1 | SYSMEM >> 12 << 8, 1 | 1 << 6 | SRC >> 12 << 8, 0))

    def run_methods(self, *words, token=1 << 16 | CHID):
        data = b"".join(struct.pack("<I", w) for w in words)
        self.vram_write(PUSH, data)
        self.vram_write(RING + self.put * 8, struct.pack(
            "<II", PUSH, len(words) << 10))
        self.put = (self.put + 1) % 16
        self.vram_write(USERD + 0x8C, struct.pack("<I", self.put))
        self.gpu.wr(0xBB0090, token)

    def done(self):
        return struct.unpack("<I", self.vram_read(USERD + 0x88, 4))[0] == self.put

    @staticmethod
    def inc(subchannel, method, *data):
        return (1 << 29 | len(data) << 16 | subchannel << 13 | method >> 2, *data)

    def sem(self, value, va=SEM, operation=1):
        return self.inc(0, 0x5C, va, 0, value, 0, operation)

    def copy(self, src, dst, count, launch=0, lines=1, pitch=0):
        return (*self.inc(4, 0, 0xC7B5),
                *self.inc(4, 0x400, 0, src, 0, dst, pitch, pitch, count, lines),
                *self.inc(4, 0x300, 2 | 1 << 2 | 1 << 7 | 1 << 8 | launch))

    def test_semaphore(self):
        self.run_methods(*self.sem(0x1234))
        self.gpu.wait(self.done)
        self.assertEqual(self.vram_read(SEM, 4), struct.pack("<I", 0x1234))

    def test_waits_for_a_semaphore(self):
        self.run_methods(*self.sem(7, operation=3), *self.sem(9, va=SEM + 16))
        for _ in range(20):
            self.assertFalse(self.done())
        self.vram_write(SEM, struct.pack("<I", 8))
        self.gpu.wait(self.done)
        self.assertEqual(self.vram_read(SEM + 16, 4), struct.pack("<I", 9))

    def test_ring_wraps(self):
        for i in range(40):
            self.run_methods(*self.sem(i))
            self.gpu.wait(self.done)
        self.assertEqual(self.vram_read(SEM, 4), struct.pack("<I", 39))

    def test_copy(self):
        data = bytes(range(256)) * 4
        self.vram_write(SRC, data)
        self.run_methods(*self.copy(SRC, DST, 64, lines=4, pitch=128, launch=1 << 9),
                         *self.sem(1))
        self.gpu.wait(self.done)
        for line in range(4):
            self.assertEqual(self.vram_read(DST + line * 128, 64),
                             data[line * 128:line * 128 + 64])
            self.assertEqual(self.vram_read(DST + line * 128 + 64, 64), bytes(64))

    def test_copy_to_memory_and_interrupt(self):
        self.vram_write(SRC, b"to system memory")
        self.gpu.wr(0xB81200, 1 << 3)
        self.run_methods(*self.copy(SRC, 0x180000, 16), *self.inc(0, 0x20, 0))
        self.gpu.wait(self.done)
        self.assertEqual(self.gpu.mem_read(SYSMEM, 16), b"to system memory")
        self.assertEqual(self.gpu.rd(0xB81000) & 1 << 3, 1 << 3, "CE2's vector")

    def test_fill(self):
        self.vram_write(DST, b"\xff" * 0x40)
        fill = (*self.inc(4, 0, 0xC7B5),
                *self.inc(4, 0x700, 0xABCD0123, 0, 4 | 3 << 16),
                *self.inc(4, 0x408, 0, DST), *self.inc(4, 0x418, 8, 1),
                *self.inc(4, 0x300, 2 | 1 << 8 | 1 << 10))
        self.run_methods(*fill)
        self.gpu.wait(self.done)
        self.assertEqual(self.vram_read(DST, 0x40),
                         struct.pack("<I", 0xABCD0123) * 8 + b"\xff" * 0x20)

    def fault(self, kind):
        function, _, event = self.fw.receive()
        self.assertEqual(function, 0x1004)
        engine, chid, gfid, _, got = struct.unpack_from("<5I", event)
        self.assertEqual((engine, chid, gfid, got), (COPY2, CHID, 0, kind))
        # It runs no more.
        self.run_methods(*self.sem(0x99))
        for _ in range(20):
            self.assertFalse(self.done())

    def test_no_page(self):
        self.run_methods(*self.copy(SRC, 0x182000, 16))
        self.fault(31)

    def test_read_only_page(self):
        self.run_methods(*self.copy(SRC, 0x181000, 16))
        self.fault(31)

    def test_wpr_by_its_address(self):
        self.run_methods(*self.inc(4, 0x264, 0),
                         *self.copy(SRC, fw.FRTS & 0xFFFFFFFF, 16, launch=1 << 13))
        self.fault(31)
        self.assertTrue(any("in WPR2" in line for line in self.gpu.refusals()))

    def test_wpr_is_not_read_either(self):
        self.run_methods(*self.inc(4, 0x260, 0),
                         *self.copy(fw.FRTS & 0xFFFFFFFF, DST, 16, launch=1 << 12))
        self.fault(31)

    def test_too_much(self):
        self.run_methods(*self.copy(SRC, DST, 0xFFFFFFFF, lines=0xFFFF, launch=1 << 9))
        self.fault(31)

    def test_no_such_header(self):
        self.run_methods(0xC0000000)
        self.fault(32)

    def test_misaligned_semaphore(self):
        self.run_methods(*self.sem(1, va=SEM + 2))
        self.fault(32)

    def test_copy_fails_on_demand(self):
        self.gpu.set_property("fault", "copy:1:1")
        self.run_methods(*self.copy(SRC, DST, 16))
        self.fault(31)

    def test_copy_hangs_on_demand(self):
        self.gpu.set_property("fault", "copy-hang:1")
        self.run_methods(*self.copy(SRC, DST, 16), *self.sem(1))
        self.assertEqual(self.fw.call(65, bytes(1656))[0], 0)
        self.assertFalse(self.done())
        # A new channel, and it works again.
        self.gpu.set_property("fault", "none")
        self.assertEqual(self.fw.free(CLIENT, CHANNEL), 0)
        self.assertEqual(self.alloc(), 0)

    def test_allocation_rules(self):
        self.assertEqual(self.alloc(handle=1), 0x19, "the number is taken")
        self.assertEqual(self.alloc(handle=1, chid=6, engine=0x77), 0x1F)
        self.assertEqual(self.alloc(handle=1, chid=6, userd=1 << 40), 0x1E)
        self.assertEqual(self.alloc(handle=1, chid=6, instance=0x1010), 0x1E)
        self.assertEqual(self.alloc(handle=1, chid=6), 0)
        self.run_methods(token=1 << 16 | 6)
        self.run_methods(token=2 << 16 | CHID)
        lines = self.gpu.refusals()
        self.assertTrue(any("not scheduled" in line for line in lines), lines)
        self.assertTrue(any("no such channel" in line for line in lines), lines)
        self.assertEqual(self.fw.free(CLIENT, CHANNEL), 0)
        self.assertEqual(self.alloc(), 0)


if __name__ == "__main__":
    unittest.main()
