# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPU types, what the firmware reports of vGPUs, and the scheduler."""

import os
import struct
import sys
import unittest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from gpu import Vf  # noqa: E402
import vgpu  # noqa: E402
from vgpu import CLIENT, MIB, MISSING, SEGMENT, STATE, SUBDEVICE, UNSUPPORTED, WRONG  # noqa: E402

DRIVER, GUEST_OS, FB_USED = 0x2F010, 0x2F014, 0x2F018
SMALL = {"id": 1147, "name": b"NVIDIA L40S-1Q"}
LARGE = {"id": 1151, "profile": 2 * SEGMENT, "fb": 2 * SEGMENT}


class Types(vgpu.Case):
    def refused(self, why, gfid, **changes):
        self.assertEqual(self.bootload(gfid, **changes), WRONG)
        self.assertIn(why, self.gpu.refusals()[-2])

    def boot(self, gfid, **changes):
        self.assertEqual(self.bootload(gfid, **changes), 0)
        self.assertEqual(self.event(), (gfid, 0))

    def test_records(self):
        for why, changes in (
                ("no number", {"id": 0}), ("no name", {"name": b""}),
                ("no name", {"name": b"x" * 32}), ("no class", {"kind": b""}),
                ("1 to 32", {"instances": 0}), ("1 to 32", {"instances": 33}),
                ("no PCI id", {"guest": 1}), ("more than its part", {"fb": 0}),
                ("more than its part", {"fb": SEGMENT + MIB}),
                ("more than its part", {"fb": MIB + 1}), ("heap", {"heap": 1}),
                ("power of two", {"bar1": 48}), ("another one's", {"id": 1147})):
            with self.subTest(why):
                self.assertEqual(self.add_types(SMALL, changes), WRONG)
                self.assertIn(why, self.gpu.refusals()[-2])
        # Nothing came of those.
        self.refused("no such type", 1, type=1147)
        self.assertEqual(self.add_types(count=65), WRONG)
        self.assertEqual(self.add_types(*[{"id": i + 1} for i in range(64)]), 0)
        self.assertEqual(self.add_types(SMALL, discard=0), WRONG)
        self.assertEqual(self.fw.control(CLIENT, SUBDEVICE, 0x20804003, bytes(8))[0], 0x3A)

    def test_bootload(self):
        self.assertEqual(self.add_types(dict(SMALL, instances=2), LARGE), 0)
        self.refused("no such type", 1, type=1)
        self.refused("more than its type", 1, type=1147, size=2 * SEGMENT)
        self.assertEqual(self.add_types({"heap": 16 * MIB}, discard=0), 0)
        self.refused("its heap", 1, type=1150)
        self.boot(1, type=1147)
        self.assertEqual(self.add_types(SMALL), STATE)
        self.refused("goes not with", 2, type=1151)
        self.boot(2, type=1147)
        self.refused("as many of its type", 3, type=1147)
        # One that is configured as a type counts as one that is booted as it.
        self.boot(3)
        self.assertEqual(self.send(3, 1, 0, 0), 0)
        for type_id in (5, 1147, 1151):
            self.assertEqual(self.send(3, 2, *self.config(3, c28=type_id)), WRONG)
        self.assertEqual(self.send(3, 2, *self.config(3)), 0)
        self.assertEqual(self.send(1, 1, 0, 0), 0)
        self.assertEqual(self.send(1, 2, *self.config(1, c28=0)), WRONG)
        self.assertEqual(self.send(1, 2, *self.config(1, c28=1147)), 0)

    def test_mix(self):
        mode = 0x2080400E
        self.assertEqual(self.add_types(SMALL, LARGE), 0)
        self.assertEqual(self.control(mode, b"\1"), 0)
        self.boot(1, type=1147)
        self.boot(2, type=1151)
        self.assertEqual(self.control(mode, b"\1"), 0)
        self.assertEqual(self.control(mode, b"\0"), STATE)
        self.end(1)
        self.end(2)
        self.assertEqual(self.control(mode, b"\0"), 0)


class Told(vgpu.Case):
    def query(self, cmd, count):
        status, data = self.fw.control(CLIENT, SUBDEVICE, cmd, bytes(count))
        self.assertEqual(status, 0)
        return data

    def test_enumerate(self):
        self.assertEqual(self.query(0x20804004, 4872)[:4], bytes(4))
        self.ready(2)
        self.ready(5)
        vf = Vf(self.gpu, 5)
        vf.wr(DRIVER, 1)
        vf.wr(GUEST_OS, 0xA)
        vf.wr(FB_USED, 33)
        self.assertEqual([self.event(), self.event()], [(5, 3), (5, 7)])
        self.assertEqual(self.control(0x20804007, struct.pack("<II", 5, 40)), 0)
        self.assertEqual(self.control(0x20804007, struct.pack("<II", 5, 101)), WRONG)
        self.assertEqual(self.control(0x20804007, struct.pack("<II", 6, 1)), MISSING)
        data = self.query(0x20804004, 4872)
        self.assertEqual(struct.unpack_from("<I", data), (2,))
        for at, expected in ((8, (1234, 0, 0, 2, 0x15, 0, 100, 3, 0)),
                             (160, (1234, 0xA, 1, 5, 0x18, 33 * MIB, 40, 3, 1))):
            self.assertEqual((*struct.unpack_from("<II", data, at),
                              *struct.unpack_from("<II", data, at + 100),
                              *struct.unpack_from("<Q", data, at + 112),
                              *struct.unpack_from("<QII?", data, at + 128)), expected)
        data = self.query(0x20804006, 520)
        self.assertEqual(struct.unpack_from("<I4xI4xQI4xQ", data), (2, 2, 0, 5, 33 * MIB))
        # Forgotten when the host says so.
        self.assertEqual(self.control_with_event(0x20804005, struct.pack("<I", 5)), (0, (5, 4)))
        self.assertEqual(struct.unpack_from("<Q", self.query(0x20804006, 520), 32), (0,))
        self.assertEqual(self.control(0x20804005, struct.pack("<I", 7)), MISSING)
        self.assertEqual(self.query(0x2080400A, 1), b"\1")


class Scheduler(vgpu.Case):
    def set(self, policy, arr=0, slice_ns=0, frequency=0, average=0, engine=1):
        return self.control(0x20801121, struct.pack("<6I", engine, policy, arr, slice_ns,
                                                    frequency, average))

    def get(self, cmd, count):
        status, data = self.fw.control(CLIENT, SUBDEVICE, cmd,
                                       struct.pack("<I", 1).ljust(count, b"\0"))
        self.assertEqual(status, 0)
        return struct.unpack(f"<{count // 4}I", data)[1:]

    def test_caps(self):
        caps = self.get(0x20801122, 44)
        self.assertEqual(caps, (2, 3, 4, 1, 30000000, 1000000, 960, 63, 60, 1))
        self.assertEqual(self.control(0x20801122, struct.pack("<I", 99).ljust(44, b"\0")), WRONG)

    def test_state(self):
        self.assertEqual(self.get(0x20801120, 20), (2, 0, 2000000, 0))
        self.assertEqual(self.set(3, slice_ns=5000000), 0)
        self.assertEqual(self.get(0x20801120, 20), (3, 0, 5000000, 0))
        self.assertEqual(self.set(4, arr=1, frequency=480, average=20), 0)
        self.assertEqual(self.get(0x20801120, 20), (4, 1, 2000000, 20))
        self.assertEqual(self.set(4, arr=1), 0)
        self.assertEqual(self.get(0x20801120, 20), (4, 1, 2000000, 33))
        for wrong in ({"policy": 1}, {"policy": 5}, {"slice_ns": 999999},
                      {"slice_ns": 30000001}, {"arr": 2}, {"arr": 1, "average": 61},
                      {"arr": 1, "frequency": 62}, {"engine": 77},
                      {"policy": 2, "arr": 1, "frequency": 480, "average": 33}):
            self.assertEqual(self.set(**{"policy": 3, **wrong}), WRONG)
        self.assertEqual(self.get(0x20801120, 20), (4, 1, 2000000, 33))

    def test_with_vgpus(self):
        """The slice may change while there are any, the policy may not."""
        self.assertEqual(self.set(3), 0)
        self.up(1)
        self.assertEqual(self.set(2), STATE)
        self.assertEqual(self.set(3, slice_ns=3000000), 0)
        for gfid in range(2, 10):
            self.up(gfid)
        self.assertEqual(self.set(3), 0)
        self.assertEqual(self.get(0x20801120, 20)[2], 1000000)

    def test_fixed_share(self):
        """It goes with types of one size only."""
        self.assertEqual(self.set(4), 0)
        self.assertEqual(self.control(0x2080400E, b"\1"), STATE)
        self.assertEqual(self.set(2), 0)
        self.assertEqual(self.control(0x2080400E, b"\1"), 0)
        self.assertEqual(self.get(0x20801122, 44)[:3], (2, 3, 0))
        self.assertEqual(self.set(4), UNSUPPORTED)


if __name__ == "__main__":
    unittest.main()
