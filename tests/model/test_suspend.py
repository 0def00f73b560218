# SPDX-License-Identifier: GPL-2.0-or-later
"""Suspend and resume: the firmware's way into a driver's memory and back."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Gpu  # noqa: E402
import firmware as fw  # noqa: E402

SR_META, SR_RADIX3, SR_DATA, FBSR = 0x5000000, 0x5001000, 0x6000000, 0x5400000
WPR_BYTES = 104 * fw.MIB  # of fw.metadata()
CLIENT, DEVICE, SUBDEVICE = 0xC1E00000, 0xABCD0080, 0xABCD2080


class Suspend(unittest.TestCase):
    def setUp(self):
        self.gpu = Gpu()
        self.addCleanup(self.gpu.close)
        self.fw = fw.Firmware(self.gpu)
        self.fw.boot()

    def refused(self, text):
        self.gpu.wait(lambda: any(text in line for line in self.gpu.refusals()))

    def put_meta(self, magic=0x8A3BB9E6C6C39D93, size=WPR_BYTES, where=SR_META):
        self.gpu.mem_write(where, struct.pack(
            "<QQQQ", magic, 2, SR_RADIX3, size).ljust(256, b"\0"))
        pages = WPR_BYTES // fw.PAGE
        level1, level2 = SR_RADIX3 + fw.PAGE, SR_RADIX3 + 2 * fw.PAGE
        self.gpu.mem_write(SR_RADIX3, struct.pack("<Q", level1))
        self.gpu.mem_write(level1, b"".join(
            struct.pack("<Q", level2 + i * fw.PAGE) for i in range(pages // 512 + 1)))
        # All of the data in one page: only the first is looked into.
        self.gpu.mem_write(level2, struct.pack("<Q", SR_DATA) * pages)

    def fbsr_init(self):
        """A list of pages long enough to come in several records."""
        pages = 20000
        head = struct.pack("<7I4xQI4xI4x", CLIENT, DEVICE, 0xCAF3, 0x81, 0, 0, 0,
                           pages * fw.PAGE, pages, pages & 0xFFFF)
        call = head + b"".join(struct.pack("<Q", (FBSR >> 12) + i % 4)
                               for i in range(pages))
        first = 16 * fw.PAGE - 48 - 32
        self.fw.record(4, call[:first])
        for at in range(first, len(call), first):
            self.fw.record(71, call[at:at + first])
        self.fw.ring()
        got = 0
        while got < len(call):
            function, result, data = self.fw.receive()
            self.assertEqual(result, 0)
            got += len(data)
        self.assertEqual(self.control(0x20800AC2, struct.pack(
            "<IIB7xQ", CLIENT, 0xCAF3, 0, SR_META)), 0)
        self.assertEqual(self.fw.free(CLIENT, 0xCAF3), 0)

    def control(self, cmd, params):
        return self.fw.control(CLIENT, SUBDEVICE, cmd, params)[0]

    def unload(self):
        return self.fw.call(47, struct.pack("<BBxxI", 1, 0, 3))[0]

    def sleep(self):
        self.put_meta()
        self.assertEqual(self.control(0x20800AC3, b"\1"), 0)
        self.fbsr_init()
        self.assertEqual(self.unload(), 0)
        self.assertEqual(self.gpu.run_fwsec(0x19), 0)
        self.assertEqual(self.gpu.sec2("booter_unload", SR_META), 0)
        self.assertEqual(self.gpu.rd(0x1FA828), 0)

    def tell_of_resume(self):
        self.gpu.mem_write(fw.RMARGS + 32, struct.pack("<IIB", 3, 0x21, 1))

    def test_sleeps_and_wakes(self):
        self.assertEqual(self.fw.alloc(7, 7, 7, 0, bytes(120)), 0)
        self.sleep()
        self.tell_of_resume()
        self.assertEqual(self.gpu.sec2("booter_load", SR_META), 0)
        self.assertEqual(self.fw.receive()[:2], (0x1001, 0))
        # What was there before is there still.
        self.assertEqual(self.fw.alloc(7, 7, 7, 0, bytes(120)), 0x19)
        self.assertEqual(self.control(0x20800AC3, b"\0"), 0)
        self.assertEqual(len(self.gpu.refusals()), 1, "that one alone")
        # And once more.
        self.sleep()
        self.tell_of_resume()
        self.assertEqual(self.gpu.sec2("booter_load", SR_META), 0)
        self.assertEqual(self.fw.receive()[:2], (0x1001, 0))

    def test_the_machine_forgets(self):
        """Out of a suspend a driver may also boot anew."""
        self.sleep()
        fw.Firmware(self.gpu).boot()

    def test_out_of_order(self):
        self.put_meta()
        self.assertEqual(self.unload(), 0x40)
        self.refused("with no FBSR_INIT before")
        self.assertEqual(self.fw.call(65, bytes(1656))[0], 0)
        self.assertEqual(self.fw.call(47, bytes(8))[0], 0)
        self.assertNotEqual(self.gpu.sec2("booter_unload", SR_META), 0)
        self.refused("was not unloaded for that")
        self.assertNotEqual(self.gpu.sec2("booter_load", SR_META), 0)
        self.refused("there is nothing to resume")

    def test_wrong_metadata(self):
        self.put_meta()
        self.fbsr_init()
        self.assertEqual(self.unload(), 0)
        for why, meta, where in (
                ("have not the size of WPR", {"size": fw.MIB}, SR_META),
                ("the magic or the revision", {"magic": 1}, SR_META),
                ("told of other suspend metadata", {"where": SR_META + 256}, SR_META + 256)):
            self.put_meta(**meta)
            self.assertNotEqual(self.gpu.sec2("booter_unload", where), 0)
            self.refused(why)
        self.put_meta()
        self.assertEqual(self.gpu.sec2("booter_unload", SR_META), 0)
        self.gpu.mem_write(SR_DATA, bytes(8))
        self.assertNotEqual(self.gpu.sec2("booter_load", SR_META), 0)
        self.refused("not what was saved")

    def test_arguments_of_a_boot(self):
        self.sleep()
        self.assertEqual(self.gpu.sec2("booter_load", SR_META), 0)
        self.refused("do not tell of a resume")


if __name__ == "__main__":
    unittest.main()
