# SPDX-License-Identifier: GPL-2.0-or-later
"""Message queues and the resource manager behind them, right and wrong."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Gpu  # noqa: E402
import firmware as fw  # noqa: E402

CLIENT = 0xC1D00001
DEVICE, SUBDEVICE, VASPACE, CHANNEL = 0x80, 0x2080, 0x90F1, 0xC56F

DUPLICATE, BAD_CLASS, BAD_CLIENT = 0x19, 0x22, 0x23
BAD_HANDLE, BAD_PARENT, BAD_PARAMS = 0x33, 0x36, 0x3A
NOT_SUPPORTED, NOT_FOUND = 0x56, 0x57


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.gpu = Gpu()
        cls.addClassCleanup(cls.gpu.close)
        cls.fw = fw.Firmware(cls.gpu)
        cls.fw.boot()

    def refused(self, text):
        self.gpu.wait(lambda: any(text in line for line in self.gpu.refusals()))

    def alive(self):
        self.assertEqual(self.fw.call(65, bytes(1656))[0], 0)


class Queues(Case):
    def test_checksum(self):
        self.fw.record(65, bytes(1656), spoil=True)
        # A record that was not taken has used no number.
        self.fw.sequence -= 1
        self.fw.ring()
        self.refused("its checksum is wrong")
        self.alive()

    def test_sequence(self):
        self.fw.record(65, bytes(1656), sequence=self.fw.sequence + 5)
        self.fw.ring()
        self.refused("was due")
        self.alive()

    def test_signature(self):
        self.fw.record(65, bytes(1656), signature=0x12345678)
        self.fw.sequence -= 1
        self.fw.ring()
        self.refused("signature 12345678")
        self.alive()

    def test_element_count(self):
        for count in (0, 17, 40):
            self.fw.record(65, bytes(1656), count=count)
            self.fw.sequence -= 1
            self.fw.ring()
            self.refused(f"a record of {count} elements")
            self.alive()

    def test_long_call(self):
        """A call of several records, and one that is cut off."""
        params = bytes(range(256)) * 600
        head = struct.pack("<6I", CLIENT, CLIENT, 0x12345678, 0, len(params), 0)
        call = head + params
        first = 16 * fw.PAGE - 48 - 32
        self.fw.record(76, call[:first])
        for at in range(first, len(call), first):
            self.fw.record(71, call[at:at + first])
        self.fw.ring()
        got = b""
        function, result, data = self.fw.receive()
        self.assertEqual((function, result), (76, 0))
        got += data
        while len(got) < len(call):
            function, _, data = self.fw.receive()
            self.assertEqual(function, 71)
            got += data
        self.assertEqual(got[24:], params)
        self.assertEqual(struct.unpack_from("<I", got, 12)[0], BAD_CLIENT)

        self.fw.record(71, bytes(100))
        self.fw.ring()
        self.refused("but nothing to continue")
        self.fw.record(76, call[:first])
        self.fw.record(65, bytes(1656))
        self.fw.ring()
        self.refused("while a call is continued")
        self.alive()

    def test_write_pointer_beyond(self):
        self.gpu.mem_write(self.fw.head + 16, struct.pack("<I", 1000))
        self.fw.ring()
        self.refused("write pointer 1000")
        self.gpu.mem_write(self.fw.head + 16, struct.pack("<I", self.fw.write))
        self.alive()

    def test_unknown_function(self):
        result, _ = self.fw.call(200, bytes(16))
        self.assertEqual(result, 0x2A)

    def test_wraps(self):
        for _ in range(130):
            self.alive()


class Objects(Case):
    def setUp(self):
        self.assertEqual(self.fw.alloc(CLIENT, CLIENT, CLIENT, 0, bytes(120)), 0)
        self.assertEqual(self.fw.alloc(CLIENT, CLIENT, 0xDE1, DEVICE, bytes(56)), 0)
        self.assertEqual(self.fw.alloc(CLIENT, 0xDE1, 0x5D1, SUBDEVICE, bytes(4)), 0)

    def tearDown(self):
        self.assertEqual(self.fw.free(CLIENT, CLIENT), 0)

    def test_rules(self):
        alloc = self.fw.alloc
        self.assertEqual(alloc(CLIENT, CLIENT, CLIENT, 0, bytes(120)), DUPLICATE)
        self.assertEqual(alloc(CLIENT, CLIENT, 0xDE1, DEVICE, bytes(56)), DUPLICATE)
        self.assertEqual(alloc(7, 7, 8, DEVICE, bytes(56)), BAD_CLIENT)
        self.assertEqual(alloc(CLIENT, 0x77, 0x78, SUBDEVICE), BAD_PARENT)
        self.assertEqual(alloc(CLIENT, CLIENT, 0x78, SUBDEVICE), BAD_PARENT)
        self.assertEqual(alloc(CLIENT, 0xDE1, 0x78, 0xDEAD), BAD_CLASS)
        self.assertEqual(alloc(CLIENT, 0xDE1, 0, VASPACE, bytes(48)), BAD_HANDLE)
        self.assertEqual(alloc(CLIENT, CLIENT, 0x78, DEVICE, bytes(8)), BAD_PARAMS)

    def test_events_have_no_events_below(self):
        event = struct.pack("<4IQ", CLIENT, 0, 0x7E, 0, 0)
        self.assertEqual(self.fw.alloc(CLIENT, 0x5D1, 0xE1, 0x7E, event), 0)
        self.assertEqual(self.fw.alloc(CLIENT, 0xE1, 0xE2, 0x7E, event), BAD_PARENT)

    def test_free_takes_what_is_below(self):
        self.assertEqual(self.fw.free(CLIENT, 0xDE1), 0)
        status, _ = self.fw.control(CLIENT, 0x5D1, 0x20800137, bytes(4))
        self.assertEqual(status, NOT_FOUND)
        self.assertEqual(self.fw.free(CLIENT, 0x5D1), NOT_FOUND)
        self.assertEqual(self.fw.free(7, 7), BAD_CLIENT)

    def test_controls(self):
        control = self.fw.control
        status, data = control(CLIENT, 0x5D1, 0x20800137, bytes(4))
        self.assertEqual((status, struct.unpack("<I", data)[0]), (0, 0xFFF))
        tpcs = 0
        for gpc in range(12):
            status, data = control(CLIENT, 0x5D1, 0x20800138, struct.pack("<II", gpc, 0))
            self.assertEqual(status, 0)
            tpcs += bin(struct.unpack_from("<I", data, 4)[0]).count("1")
        self.assertEqual(tpcs, 71)
        status, _ = control(CLIENT, 0x5D1, 0x20800138, struct.pack("<II", 12, 0))
        self.assertEqual(status, 0x1F)
        self.assertEqual(control(CLIENT, 0xDE1, 0x20800137, bytes(4))[0], NOT_SUPPORTED)
        self.assertEqual(control(CLIENT, 0x5D1, 0x2080FFFF, bytes(4))[0], NOT_SUPPORTED)
        self.assertEqual(control(CLIENT, 0x5D1, 0x20800a5c, bytes(4))[0], BAD_PARAMS)

    def test_what_a_vgpu_manager_asks(self):
        control = self.fw.control
        status, data = control(CLIENT, 0x5D1, 0x2080017E, bytes(8))
        self.assertEqual((status, struct.unpack("<Q", data)[0]), (0, 128 << 20))
        status, data = control(CLIENT, 0x5D1, 0x20803601, bytes(72))
        self.assertEqual((status, data[6:14]), (0, b"570.144\0"))
        status, data = control(CLIENT, 0x5D1, 0x2080012F, bytes(1464))
        self.assertEqual((status, data[:3]), (0, b"\1\1\1"))
        status, data = control(CLIENT, 0x5D1, 0x20800170, bytes(340))
        count, *engines = struct.unpack_from("<I17I", data)
        self.assertEqual((status, count), (0, 17))
        self.assertEqual(engines[:3], [1, 9, 10])
        self.assertEqual(len(set(engines)), 17)

    def test_params_longer_than_the_message(self):
        result, _ = self.fw.call(10, bytes(4))
        self.assertEqual(result, BAD_PARAMS)


if __name__ == "__main__":
    unittest.main()
