# SPDX-License-Identifier: GPL-2.0-or-later
"""A host of vGPUs: what the driver of the PF does for each."""

import struct
import unittest

from gpu import Gpu
import firmware as fw

CLIENT, SUBDEVICE = 0xC1E00000, 0xABCD2080
MIB = fw.MIB
SEGMENT = 128 * fw.MIB
HEAP_BYTES = 8 * fw.MIB
MAGIC = 0x4E654A6F
RESPONSE, MESSAGE, RING = 0x1000, 0x2000, 0x3000
WRONG, STATE, UNSUPPORTED, MISSING = 0x1F, 0x40, 0x56, 0x57
ONES = 0xFFFFFFFF


class Case(unittest.TestCase):
    PROPERTIES = ()
    FB = fw.FB

    def setUp(self):
        self.gpu = Gpu(f"fb-size={self.FB // MIB}M", *self.PROPERTIES)
        self.addCleanup(self.gpu.close)
        self.gpu.enable_vfs(32)
        self.fw = f = fw.Firmware(self.gpu)
        f.boot(fb=self.FB, info=f.system_info(total=32, bars=[0xD0000000, 9 << 32, 10 << 32]),
               registry=f.registry(RMSetSriovMode=1))
        self.sequence = MAGIC

    @staticmethod
    def heap(gfid):
        return 0x10000000 + gfid * HEAP_BYTES

    def params(self, gfid, **changes):
        p = bytearray(6616)
        heap = changes.get("heap", self.heap(gfid))
        start, size = SEGMENT * (4 + gfid), SEGMENT
        v = dict(dbdf=0x10 + 4 + gfid - 1, gfid=gfid, channels=32, first=512 + 32 * gfid,
                 segments=1, start=start, size=size, heap=heap, heap_bytes=HEAP_BYTES,
                 ctrl=0, log=heap + 0x204000, type=0)
        v.update(changes)
        struct.pack_into("<6I", p, 0, v["dbdf"], v["gfid"], v["type"], 1234, 0, v["channels"])
        struct.pack_into("<I", p, 24, 1)
        for engine in range(1, 20):
            struct.pack_into("<I", p, 28 + engine * 4, v["first"])
        struct.pack_into("<I", p, 368, v["segments"])
        struct.pack_into("<Q", p, 376, v["start"])
        struct.pack_into("<Q", p, 3448, v["size"])
        struct.pack_into("<9Q", p, 6520, v["heap"], v["heap_bytes"], v["ctrl"],
                         v["log"], 0x20000, heap + 0x224000, 0x40000,
                         heap + 0x264000, 0x10000)
        return bytes(p)

    def control(self, cmd, params):
        return self.fw.control(CLIENT, SUBDEVICE, cmd, params)[0]

    def bootload(self, gfid, **changes):
        return self.control(0x20804001, self.params(gfid, **changes))

    def event(self):
        function, _, data = self.fw.receive()
        self.assertEqual(function, 0x100D)
        return struct.unpack("<II", data)

    def up(self, gfid):
        self.assertEqual(self.bootload(gfid), 0)
        self.assertEqual(self.event(), (gfid, 0))
        self.assertEqual(self.vram(self.heap(gfid) + 8), MAGIC)

    def vram(self, addr, *values):
        """Words of VRAM, by the window; written if there are any."""
        for i, value in enumerate(values):
            self.gpu.wr(0x1700, (addr + i * 4) >> 16)
            self.gpu.wr(0x700000 + ((addr + i * 4) & 0xFFFF), value)
        self.gpu.wr(0x1700, addr >> 16)
        return self.gpu.rd(0x700000 + (addr & 0xFFFF))

    def send(self, gfid, kind, *data):
        """One message of the host's to a task; the result."""
        heap = self.heap(gfid)
        self.sequence += 1
        self.vram(heap + MESSAGE, *data or (0,))
        self.vram(heap, 1, kind, self.sequence, 0, RESPONSE, 0, MESSAGE, 0, RING, 0)
        self.gpu.wr(0xB82200, gfid * 32 + 17)
        self.gpu.rd(0xB82200)
        self.gpu.wait(lambda: self.vram(heap + RESPONSE + 4) == self.sequence)
        self.assertEqual(self.vram(heap + RESPONSE), self.sequence)
        return self.vram(heap + RESPONSE + 8)

    @staticmethod
    def config(gfid, **changes):
        """Words of a configuration; c<offset> and b<offset> change words and bytes."""
        data = bytearray(104)
        for at, value in {0: 0x1D, 16: 0x10 + 4 + gfid - 1, 32: 1234, 36: ONES, 40: 32, 44: 1,
                          52: 0x4000, 56: 4, 60: 2, 64: 4096}.items():
            struct.pack_into("<I", data, at, value)
        data[76:80] = bytes((1, 1, 1, 1))
        for name, value in changes.items():
            struct.pack_into("<I" if name[0] == "c" else "<B", data, int(name[1:]), value)
        return struct.unpack("<26I", data)

    def add_types(self, *types, discard=1, count=None):
        """Send types, each a dictionary of the fields that differ from the
        default."""
        p = bytearray(334344)
        struct.pack_into("<BxxxI", p, 0, discard, len(types) if count is None else count)
        for i, changes in enumerate(types):
            v = dict(id=1150, name=b"NVIDIA L40S-4Q", kind=b"Quadro", instances=12, ecc=1,
                     guest=0x26B91150, profile=SEGMENT, fb=SEGMENT, heap=8 * MIB, bar1=64)
            v.update(changes)
            for at, form, name in ((0, "<I", "id"), (4, "<32s", "name"), (36, "<32s", "kind"),
                                   (324, "<I", "instances"), (352, "<I", "ecc"),
                                   (368, "<Q", "guest"), (384, "<Q", "profile"),
                                   (392, "<Q", "fb"), (400, "<Q", "heap"), (432, "<Q", "bar1")):
                struct.pack_into(form, p, 8 + i * 5224 + at, v[name])
        return self.control(0x20804003, bytes(p))

    def ready(self, gfid):
        """Booted, its versions agreed, configured, allowed to master the bus."""
        self.up(gfid)
        self.assertEqual(self.send(gfid, 1, 0x1A, 0), 0)
        self.assertEqual(self.send(gfid, 2, *self.config(gfid)), 0)
        self.assertEqual(self.send(gfid, 13, 1), 0)

    def control_with_event(self, cmd, params):
        """A control whose event comes before its answer: (status, event)."""
        self.fw.record(76, struct.pack("<6I", CLIENT, SUBDEVICE, cmd, 0, len(params), 0) + params)
        self.fw.ring()
        event = self.event()
        function, _, data = self.fw.receive()
        self.assertEqual(function, 76)
        return struct.unpack_from("<I", data, 12)[0], event

    def end(self, gfid):
        """Shut down and cleaned up."""
        params = struct.pack("<I", gfid)
        self.assertEqual(self.control_with_event(0x20804002, params), (0, (gfid, 1)))
        self.assertEqual(self.control(0x20804008, params), 0)
