# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults on demand: those that the driver's tests use."""

import os
import struct
import sys
import time
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import PGSP, Gpu  # noqa: E402
import firmware as fw  # noqa: E402

STATIC_INFO = 65


class Faults(unittest.TestCase):
    def setUp(self):
        self.gpu = Gpu()
        self.addCleanup(self.gpu.close)
        self.fw = fw.Firmware(self.gpu)
        self.fw.boot()

    def call(self):
        return self.fw.call(STATIC_INFO, bytes(1656))

    def fault(self, text):
        self.gpu.set_property("fault", text)

    def test_no_reply(self):
        self.fault(f"no-reply:{STATIC_INFO}")
        self.fw.record(STATIC_INFO, bytes(1656))
        self.fw.ring()
        self.gpu.wait(self.fw.consumed)
        # Once only: this is the answer to the second call.
        self.assertEqual(self.call()[0], 0)
        self.assertEqual(self.gpu.mem_read(self.fw.status + 16, 4),
                         struct.pack("<I", self.fw.read))

    def test_late_reply(self):
        self.fault("late-reply")
        before = time.monotonic()
        self.assertEqual(self.call()[0], 0)
        self.assertGreater(time.monotonic() - before, 7)

    def test_broken_messages(self):
        for kind, why in (("bad-checksum", "checksum"), ("bad-sequence", "sequence"),
                          ("truncated", "length"), ("overlong", "length")):
            with self.subTest(kind):
                self.fault(f"{kind}:{STATIC_INFO}:1")
                with self.assertRaisesRegex(ValueError, why):
                    self.call()
                if kind == "bad-sequence":
                    self.fw.expected += 8
                elif kind == "bad-checksum":
                    self.fw.expected += 1
                self.assertEqual(self.call()[0], 0)

    def test_error_status(self):
        self.fault("error-status:0:2")
        self.assertEqual(self.call()[0], 0xFFFF)
        self.assertEqual(self.call()[0], 0xFFFF)
        self.assertEqual(self.call()[0], 0)

    def test_crash(self):
        self.fault("crash")
        self.fw.record(STATIC_INFO, bytes(1656))
        self.fw.ring()
        self.gpu.wait(lambda: self.gpu.rd(PGSP + 8) & 0x10)
        self.assertEqual(self.gpu.rd(PGSP + 0x1388) & 0x80, 0)
        self.assertEqual(self.gpu.rd(0xB81010) & 0x200, 0x200)
        # A reset of the engine and a new boot bring it back.
        self.gpu.run_fwsec(0x19)
        self.assertEqual(self.gpu.sec2("booter_unload", 0xFF000000FF), 0)
        fw.Firmware(self.gpu).boot()

    def test_rc_error(self):
        self.fault("rc-error:3:515")
        function, result, event = self.fw.receive()
        self.assertEqual((function, result), (0x1004, 0))
        self.assertEqual(struct.unpack_from("<III", event), (1, 515, 3))

    def test_xid(self):
        self.fault("xid:63")  # a page is retired
        function, _, event = self.fw.receive()
        self.assertEqual(function, 0x1006)
        self.assertEqual(struct.unpack_from("<I", event)[0], 63)
        self.assertIn(b"Xid 63", event[12:])

    def test_bus_lost(self):
        self.fault("bus-lost")
        self.assertEqual(self.gpu.rd(0), 0xFFFFFFFF)
        self.assertEqual(self.gpu.rd(0x1FA828), 0xFFFFFFFF)
        self.assertEqual(self.gpu.config_read(0), 0xFFFFFFFF)
        self.fault("none")
        self.assertEqual(self.gpu.config_read(0), 0x26B910DE)
        self.assertEqual(self.gpu.rd(0), 0x192000A1)

    def test_unknown(self):
        for text in ("nonsense", "crash:x", ""):
            with self.assertRaises(ValueError):
                self.fault(text)


class Unplug(unittest.TestCase):
    def test_unplug(self):
        """A GPU is taken out of its slot, with all that it had; another stays."""
        gpu = Gpu(machine=("-global", "ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off",
                           "-device", "pcie-root-port,id=slot1,slot=1,addr=0x10",
                           "-device", "ad102,id=other,bus=slot1,log=/dev/null"))
        self.addCleanup(gpu.close)

        def devices():
            return [d["name"] for d in gpu.qmp(("qom-list", {"path": "/machine/peripheral"}))]

        self.assertIn("other", devices())
        gpu.qmp(("device_del", {"id": "other"}))
        # What a machine does then: the slot's power goes off, and its light.
        port = 0x10 << 3
        at = gpu.extended_read(0x34, port) & 0xFF
        while gpu.extended_read(at, port) & 0xFF != 0x10:
            at = gpu.extended_read(at, port) >> 8 & 0xFF
        gpu.extended_write(at + 0x18, 1 << 10 | 3 << 8, port)
        gpu.wait(lambda: "other" not in devices())
        fw.Firmware(gpu).boot()


if __name__ == "__main__":
    unittest.main()
