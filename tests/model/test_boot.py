# SPDX-License-Identifier: GPL-2.0-or-later
"""The boot of the model, right and wrong: each mistake that a driver can make is
refused with a line that names it."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import PGSP, PSEC, Gpu  # noqa: E402
import firmware as fw  # noqa: E402


class Case(unittest.TestCase):
    properties = ()

    def setUp(self):
        self.gpu = Gpu(*self.properties)
        self.addCleanup(self.gpu.close)

    def refused(self, text):
        lines = self.gpu.refusals()
        self.assertTrue(any(text in line for line in lines), (text, lines))


class Registers(Case):
    properties = ("fb-size=512M",)

    def test_names_itself(self):
        self.assertEqual(self.gpu.rd(0), 0x192000A1)
        self.assertEqual(self.gpu.rd(0x88000), 0x26B910DE)
        self.assertEqual(self.gpu.rd(0x1183A4), 512)
        self.assertEqual(self.gpu.rd(0x118234), 0xFF)

    def test_time_passes(self):
        before = self.gpu.rd(0x9400)
        self.gpu.wait(lambda: self.gpu.rd(0x9400) != before)

    def test_vram_through_the_window(self):
        self.gpu.wr(0x1700, 0x1000)  # 256 MiB
        self.gpu.wr(0x700010, 0x12345678)
        self.gpu.wr(0x1700, 0)
        self.assertEqual(self.gpu.rd(0x700010), 0)
        self.gpu.wr(0x1700, 0x1000)
        self.assertEqual(self.gpu.rd(0x700010), 0x12345678)

    def test_vram_ends(self):
        self.gpu.wr(0x1700, 0x2000)  # 512 MiB
        self.assertEqual(self.gpu.rd(0x700000) >> 16, 0xBADF)
        self.refused("beyond VRAM")

    def test_interrupt_tree(self):
        self.gpu.wr(0xB81640, 0x89)
        self.assertEqual(self.gpu.rd(0xB81010), 0x200)
        self.assertEqual(self.gpu.rd(0xB81600), 0, "a blocked leaf is no pending one")
        self.gpu.wr(0xB81210, 0x200)
        self.assertEqual(self.gpu.rd(0xB81600), 1 << 2)
        self.gpu.wr(0xB81010, 0x200)
        self.assertEqual(self.gpu.rd(0xB81600), 0)
        self.gpu.wr(0xB81640, 0xFFF)
        self.refused("no vector")

    def test_falcon_without_code(self):
        self.gpu.wr(PSEC + 0x100, 2)
        self.refused("no code is loaded")
        self.gpu.wr(PSEC + 0x118, 0x614)
        self.refused("no context bound")


class Fwsec(Case):
    def test_frts(self):
        self.assertEqual(self.gpu.run_fwsec(0x15, fw.FRTS), 0)
        self.assertEqual(self.gpu.rd(0x1400 + 0xE * 4) >> 16, 0)
        self.assertEqual(self.gpu.rd(0x1FA824), fw.FRTS >> 12 << 4)
        self.assertEqual(self.gpu.rd(0x1FA828), fw.FRTS + fw.MIB >> 12 << 4)
        self.assertEqual(self.gpu.refusals(), [])
        # And it is closed to the CPU.
        self.gpu.wr(0x1700, fw.FRTS >> 16)
        self.assertEqual(self.gpu.rd(0x700000) >> 16, 0xBADF)
        self.refused("in WPR2")
        self.gpu.run_fwsec(0x15, fw.FRTS)
        self.refused("WPR2 is up already")

    def test_wrong_regions(self):
        for why, arguments in (
                ("misaligned", {"addr": fw.FRTS + 4096}),
                ("beyond VRAM", {"addr": fw.FB}),
                ("not 1 MiB", {"addr": fw.FRTS, "pages": 0x80}),
                ("not in VRAM", {"addr": fw.FRTS, "media": 1})):
            with self.subTest(why):
                self.gpu.run_fwsec(0x15, **arguments)
                self.refused(why)
                self.assertNotEqual(self.gpu.rd(0x1400 + 0xE * 4) >> 16, 0)
                self.assertEqual(self.gpu.rd(0x1FA828), 0)

    def test_wrong_signature(self):
        self.assertNotEqual(self.gpu.run_fwsec(0x15, fw.FRTS, signature=0), 0)
        self.refused("not the one for this fuse version")
        self.assertEqual(self.gpu.rd(0x1FA828), 0)

    def test_other_code(self):
        code = bytearray(self.gpu.fwsec()[0])
        code[77] ^= 1
        self.assertNotEqual(self.gpu.run_fwsec(0x15, fw.FRTS, code=bytes(code)), 0)
        self.refused("not FWSEC's")

    def test_no_such_command(self):
        self.gpu.run_fwsec(0x33)
        self.refused("no such command")


class Booter(Case):
    def boot(self, reset=True, missing=None, **meta):
        fw.put_radix3(self.gpu, missing=missing)
        self.gpu.mem_write(fw.META, fw.metadata(**meta))
        if reset:
            self.gpu.reset_gsp(fw.LIBOS)
        return self.gpu.sec2("booter_load", fw.META)

    def test_refusals(self):
        self.assertNotEqual(self.boot(), 0)
        self.refused("FWSEC has not run")
        self.gpu.run_fwsec(0x15, fw.FRTS)
        for why, meta in (
                ("the magic", {"magic": 1}),
                ("the revision", {"revision": 2}),
                ("say that they are verified", {"verified": 0xA0A0A0A0A0A0A0A0}),
                ("the heap overlaps the firmware", {"heap_bytes": 101 * fw.MIB}),
                ("the firmware overlaps the bootloader", {"elf": fw.FRTS - 0x10000,
                                                          "radix3_bytes": 0x10000}),
                ("the heap is misaligned", {"heap": fw.FRTS - 102 * fw.MIB + 4096}),
                ("the end of WPR is misaligned", {"wpr_end": fw.FRTS + fw.MIB + 4096}),
                ("the heap is misaligned or beyond", {"heap_bytes": -1}),
                ("the heap is too small", {"heap_bytes": 64 * fw.MIB}),
                ("the heap is too small", {"partitions": 32}),
                ("the size of VRAM", {"fb_bytes": fw.FB * 2}),
                ("not where FWSEC put it", {"frts": fw.FRTS - fw.MIB,
                                            "boot_bin": fw.FRTS - fw.MIB - 4096,
                                            "elf": fw.FRTS - 3 * fw.MIB,
                                            "heap_bytes": 99 * fw.MIB}),
                ("below what is scrubbed", {"wpr_start": fw.FRTS - 300 * fw.MIB,
                                            "non_wpr_heap": fw.FRTS - 301 * fw.MIB}),
                ("page table is misaligned", {"radix3_pa": 0x10}),
                ("a page of the firmware is missing", {"missing": 3}),
                ("beyond the bootloader", {"bootloader_code": 1 << 40}),
                ("is misaligned", {"signature_pa": 0x11})):
            with self.subTest(why):
                self.assertNotEqual(self.boot(**meta), 0)
                self.refused(why)
                self.assertEqual(self.gpu.rd(0x1FA824), fw.FRTS >> 12 << 4)
                self.assertEqual(self.gpu.rd(PGSP + 0x1388) & 0x80, 0)
        self.gpu.wr(PGSP + 0x1668, 0)
        self.assertNotEqual(self.boot(reset=False), 0)
        self.refused("not reset into RISC-V")

    def test_scrubber_opens_the_rest(self):
        self.gpu.run_fwsec(0x15, fw.FRTS)
        self.assertEqual(self.gpu.rd(0x1180FC) >> 29, 0)
        self.assertEqual(self.gpu.sec2("scrubber"), 0)
        self.assertGreaterEqual(self.gpu.rd(0x1180FC) >> 29, 3)
        heap = 600 * fw.MIB
        self.assertEqual(self.boot(
            partitions=32, heap=fw.FRTS - 2 * fw.MIB - heap, heap_bytes=heap,
            wpr_start=fw.FRTS - 3 * fw.MIB - heap,
            non_wpr_heap=fw.FRTS - 4 * fw.MIB - heap), 0)
        self.assertEqual(self.gpu.rd(PGSP + 0x1388) & 0x80, 0x80)

    def test_code_is_known(self):
        self.assertNotEqual(self.gpu.sec2("booter_load", fw.META, spoil=0x200), 0)
        self.refused("unknown code")
        self.assertNotEqual(self.gpu.sec2("booter_load", fw.META, engine=0x400), 0)
        self.refused("not for this falcon")
        self.assertNotEqual(self.gpu.sec2("booter_load", fw.META, para=0x8000), 0)
        self.refused("no signature")


class Up(Case):
    def test_boot_and_unload(self):
        f = fw.Firmware(self.gpu)
        f.boot()
        self.assertEqual(self.gpu.rd(PGSP + 0x1388) & 0x80, 0x80)
        put, word = struct.unpack("<QQ", self.gpu.mem_read(fw.LOGS, 16))
        self.assertEqual((put, word), (2, fw.LIBOS))
        result, info = f.call(65, bytes(1656))
        self.assertEqual(result, 0)
        self.assertEqual(struct.unpack_from("<Q", info, 1224)[0], fw.FB)

        self.assertNotEqual(self.gpu.sec2("booter_unload", 0xFF000000FF), 0)
        self.refused("still runs")
        result, _ = f.call(47, bytes(8))
        self.assertEqual(result, 0)
        self.assertEqual(self.gpu.rd(PGSP + 0x40), 0x80000000)
        self.assertEqual(self.gpu.rd(PGSP + 0x1388) & 0x80, 0)
        self.assertEqual(self.gpu.run_fwsec(0x19), 0)
        self.assertEqual(self.gpu.sec2("booter_unload", 0xFF000000FF), 0)
        self.assertEqual(self.gpu.rd(0x1FA828), 0)
        # And once more, from the start.
        fw.Firmware(self.gpu).boot()

    def test_bad_arguments(self):
        """Each of these boots to nothing, says why, and boots when it is right."""
        for why, args, queue in (
                ("not LOGINIT", [("LOGRM", fw.LOGS, 0x10000)], {}),
                ("no RMARGS", [("LOGINIT", fw.LOGS, 0x10000)], {}),
                ("LOGINIT: kind", [("LOGINIT", fw.LOGS + 8, 0x10000)], {}),
                ("a page of the shared memory is missing", None,
                 {"shared": fw.SHARED + fw.PAGE}),
                ("not of this version", None, {"msg_size": 512}),
                ("swaps read pointers", None, {"flags": 0}),
                ("size is wrong", None, {"size": 1 << 30}),
                ("size is wrong", None, {"count": 64}),
                ("no room for the status queue", None, {"stat": 2 * fw.PAGE}),
                ("a queue is misaligned", None, {"cmd": 0x1234})):
            with self.subTest(why):
                gpu = self.gpu
                gpu.run_fwsec(0x15, fw.FRTS)
                fw.put_radix3(gpu)
                gpu.mem_write(fw.META, fw.metadata())
                fw.Firmware(gpu).prepare(args, **queue)
                gpu.reset_gsp(fw.LIBOS)
                self.assertEqual(gpu.sec2("booter_load", fw.META), 0)
                gpu.wait(lambda: any(why in line for line in gpu.refusals()))
                # A reset of the engine ends it; then the way down.
                gpu.run_fwsec(0x19)
                self.assertEqual(gpu.sec2("booter_unload", 0xFF000000FF), 0)
        fw.Firmware(self.gpu).boot()

    def test_vf_information(self):
        def config(offset):
            return self.gpu.rd(0x88000 + 0xBCC + offset)
        for offset, value in ((0x24, 0xD0000000), (0x28, 0), (0x2C, 9), (0x30, 0), (0x34, 10)):
            self.ecam(0xBCC + offset, value)
        bars = [config(0x24) & ~15, (config(0x2C) << 32 | config(0x28)) & ~15,
                (config(0x34) << 32 | config(0x30)) & ~15]
        self.assertEqual(bars, [0xD0000000, 9 << 32, 10 << 32])
        f = fw.Firmware(self.gpu)
        f.boot(info=f.system_info(total=32, bars=bars),
               registry=f.registry(RMSetSriovMode=1))
        self.assertIn("32 VFs from 4", self.gpu.log())
        _, info = f.call(65, bytes(1656))
        self.assertEqual(struct.unpack_from("<I", info, 1120)[0], 32)
        self.assertEqual(info[1120 + 67], 1, "SR-IOV is on")

    def ecam(self, offset, value):
        """A write to extended configuration space, by q35's MMCONFIG window."""
        base = 0xB0000000
        self.gpu.command(f"outl 0xcf8 {0x80000060:#x}")
        self.gpu.command(f"outl 0xcfc {base | 1:#x}")
        self.gpu.command(f"writel {base + (2 << 15) + offset:#x} {value:#x}")


if __name__ == "__main__":
    unittest.main()
