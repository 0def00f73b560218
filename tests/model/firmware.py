# SPDX-License-Identifier: GPL-2.0-or-later
"""What a driver prepares for the GSP's firmware and sends to it: WPR metadata,
arguments, message queues, calls."""

import struct

MIB = 1 << 20
FB = 4096 * MIB

# Where the tests keep things in the machine's 256 MiB.
META = 0x2000000
LIBOS = 0x2001000
RMARGS = 0x2002000
LOGS = 0x2010000
SHARED = 0x2100000
RADIX3 = 0x2300000

FRTS = FB - 2 * MIB
PAGE = 4096
QUEUE = 0x40000

META_FIELDS = """magic revision radix3_pa radix3_bytes bootloader_pa
bootloader_bytes bootloader_code bootloader_data bootloader_manifest
signature_pa signature_bytes rsvd_start non_wpr_heap non_wpr_heap_bytes
wpr_start heap heap_bytes elf boot_bin frts frts_bytes wpr_end fb_bytes
vga_workspace vga_workspace_bytes boot_count rpc0 rpc1 rpc2 version partitions
verified""".split()


def metadata(fb=FB, **changes):
    """WPR metadata in the layout that OpenRM computes, with changes."""
    frts = fb - 2 * MIB
    m = dict.fromkeys(META_FIELDS, 0)
    m.update(
        magic=0xDC3AAE21371A60B3, revision=1,
        radix3_pa=RADIX3, radix3_bytes=16 * PAGE,
        bootloader_pa=RADIX3 + 0x10000, bootloader_bytes=PAGE,
        bootloader_code=0x100, bootloader_data=0x800,
        bootloader_manifest=0xC00,
        signature_pa=RADIX3 + 0x12000, signature_bytes=PAGE,
        fb_bytes=fb, frts=frts, frts_bytes=MIB, wpr_end=frts + MIB,
        vga_workspace=fb - MIB, vga_workspace_bytes=MIB,
        boot_bin=frts - PAGE, elf=frts - 2 * MIB,
        heap=frts - 102 * MIB, heap_bytes=100 * MIB,
        wpr_start=frts - 103 * MIB, non_wpr_heap=frts - 104 * MIB,
        non_wpr_heap_bytes=MIB)
    m.update(changes)
    data = b"".join(struct.pack("<Q", m[name] & (1 << 64) - 1)
                    for name in META_FIELDS)
    assert len(data) == 256
    return data


def put_radix3(gpu, pages=16, missing=None):
    level1, level2 = RADIX3 + PAGE, RADIX3 + 2 * PAGE
    gpu.mem_write(RADIX3, struct.pack("<Q", level1))
    gpu.mem_write(level1, struct.pack("<Q", level2))
    gpu.mem_write(level2, b"".join(
        struct.pack("<Q", 0 if i == missing else 0x3000000 + i * PAGE)
        for i in range(pages)))


def id8(name):
    return int.from_bytes(name.encode(), "big")


class Firmware:
    """The GSP's firmware as a driver boots it and speaks to it."""

    def __init__(self, gpu):
        self.gpu = gpu
        self.sequence = 0
        self.write = 0
        self.read = 0
        self.expected = 0

    def prepare(self, args=None, **queue):
        """Prepare arguments and queues; members of queue override fields of
        its header."""
        gpu = self.gpu
        shared_pages = queue.get("pages", 1 + 2 * QUEUE // PAGE)
        if args is None:
            args = [("LOGINIT", LOGS, 0x10000), ("LOGINTR", LOGS + 0x10000, 0x10000),
                    ("LOGRM", LOGS + 0x20000, 0x10000), ("RMARGS", RMARGS, PAGE)]
        gpu.mem_write(LIBOS, b"".join(
            struct.pack("<QQQBB6x", id8(name), pa, size, 1, 1)
            for name, pa, size in args).ljust(PAGE, b"\0"))
        for i in range(3):
            gpu.mem_write(LOGS + i * 0x10000, struct.pack("<QQ", 0, LOGS + i * 0x10000))
        gpu.mem_write(SHARED, b"".join(
            struct.pack("<Q", SHARED + i * PAGE) for i in range(shared_pages)))
        gpu.mem_write(RMARGS, struct.pack(
            "<QI4xQQ", queue.get("shared", SHARED), shared_pages,
            queue.get("cmd", PAGE), queue.get("stat", PAGE + QUEUE)).ljust(PAGE, b"\0"))
        gpu.mem_write(SHARED + PAGE + QUEUE, bytes(64))  # of an earlier boot
        self.head = SHARED + PAGE
        self.status = SHARED + PAGE + QUEUE
        gpu.mem_write(self.head, struct.pack(
            "<9I", queue.get("version", 0), queue.get("size", QUEUE),
            queue.get("msg_size", PAGE), queue.get("count", QUEUE // PAGE - 1),
            0, queue.get("flags", 1), 32, PAGE, 0))

    def record(self, function, payload=b"", sequence=None, spoil=False, count=None,
               signature=0x43505256):
        """Put one record into the command queue; the doorbell is for ring()."""
        rpc = struct.pack("<8I", 0x03000000, signature, 32 + len(payload), function,
                          0xFFFFFFFF, 0xFFFFFFFF, 0, 0) + payload
        pages = -(-(48 + len(rpc)) // PAGE)
        element = bytearray((b"\0" * 48 + rpc).ljust(pages * PAGE, b"\0"))
        if sequence is None:
            sequence = self.sequence
            self.sequence += 1
        struct.pack_into("<II", element, 36, sequence, pages if count is None else count)
        total = 0
        for word, in struct.iter_unpack("<Q", element):
            total ^= word
        total = (total >> 32 ^ total) & 0xFFFFFFFF
        struct.pack_into("<I", element, 32, total ^ spoil)
        entries = QUEUE // PAGE - 1
        for i in range(pages):
            at = (self.write + i) % entries
            self.gpu.mem_write(self.head + (at + 1) * PAGE,
                               bytes(element[i * PAGE:(i + 1) * PAGE]))
        self.write = (self.write + pages) % entries
        self.gpu.mem_write(self.head + 16, struct.pack("<I", self.write))

    def ring(self):
        self.gpu.wr(0x110C00, 0)

    def consumed(self):
        taken, = struct.unpack("<I", self.gpu.mem_read(self.status + 32, 4))
        return taken == self.write

    def receive(self):
        """The next record from the firmware: (function, result, payload)."""
        def pending():
            written, = struct.unpack("<I", self.gpu.mem_read(self.status + 16, 4))
            return written != self.read
        self.gpu.wait(pending)
        entries = QUEUE // PAGE - 1
        at = self.status + (self.read + 1) * PAGE
        pages, = struct.unpack("<I", self.gpu.mem_read(at + 40, 4))
        element = b"".join(
            self.gpu.mem_read(self.status + ((self.read + i) % entries + 1) * PAGE, PAGE)
            for i in range(pages))
        self.read = (self.read + pages) % entries
        self.gpu.mem_write(self.head + 32, struct.pack("<I", self.read))
        total = 0
        for word, in struct.iter_unpack("<Q", element):
            total ^= word
        if (total >> 32 ^ total) & 0xFFFFFFFF:
            raise ValueError("checksum")
        sequence, = struct.unpack_from("<I", element, 36)
        if sequence != self.expected:
            raise ValueError("sequence")
        self.expected += 1
        rpc = struct.unpack_from("<8I", element, 48)
        assert rpc[:2] == (0x03000000, 0x43505256)
        if not 32 <= rpc[2] <= len(element) - 48:
            raise ValueError("length")
        return rpc[3], rpc[4], element[80:48 + rpc[2]]

    def call(self, function, payload=b""):
        self.record(function, payload)
        self.ring()
        answer, result, data = self.receive()
        assert answer == function, f"{answer:#x} instead of {function}"
        return result, data

    def system_info(self, **vf):
        info = bytearray(920)
        struct.pack_into("<Q", info, 0, vf.get("bar0", 0xC0000000))
        struct.pack_into("<I", info, 88, 0x26B910DE)
        if "total" in vf:
            struct.pack_into("<IIQQQ3B", info, 856, vf["total"], vf.get("offset", 4),
                             *vf["bars"], 0, 1, 1)
        return bytes(info)

    @staticmethod
    def registry(**values):
        names = b"".join(name.encode() + b"\0" for name in values)
        size = 8 + 16 * len(values)
        table = struct.pack("<II", size + len(names), len(values))
        for name, value in values.items():
            table += struct.pack("<IB3xII", size, 1, value, 4)
            size += len(name) + 1
        return table + names

    def boot(self, info=None, registry=None, fb=FB):
        """All of a driver's way to INIT_DONE."""
        gpu = self.gpu
        assert gpu.run_fwsec(0x15, fb - 2 * MIB) == 0
        put_radix3(gpu)
        gpu.mem_write(META, metadata(fb))
        self.prepare()
        self.record(72, info or self.system_info())
        self.record(73, registry or self.registry(RMDevidCheckIgnore=1))
        gpu.reset_gsp(LIBOS)
        assert gpu.sec2("booter_load", META) == 0, gpu.log()
        function, _, program = self.receive()
        assert function == 0x1002
        self.run_sequencer(program)
        function, result, _ = self.receive()
        assert (function, result) == (0x1001, 0)

    def run_sequencer(self, program):
        """The registers that the firmware has the driver access while it boots."""
        words = struct.unpack(f"<{len(program) // 4}I", program)
        commands = words[10:10 + words[1]]
        at = 0
        while at < len(commands):
            op, at = commands[at], at + 1
            if op == 0:  # write
                self.gpu.wr(commands[at], commands[at + 1])
            elif op == 1:  # modify
                reg, mask, value = commands[at:at + 3]
                self.gpu.wr(reg, self.gpu.rd(reg) & ~mask | value)
            elif op == 2:  # poll
                reg, mask, value = commands[at:at + 3]
                assert self.gpu.rd(reg) & mask == value
            elif op == 4:  # store
                self.gpu.rd(commands[at])
            at += (2, 3, 5, 1, 2)[op]

    # Resource manager calls; each gives the status.

    def alloc(self, client, parent, handle, oclass, params=b""):
        result, data = self.call(103, struct.pack(
            "<7I4x", client, parent, handle, oclass, 0, len(params), 0) + params)
        assert result == 0
        return struct.unpack_from("<I", data, 16)[0]

    def long_call(self, function, payload):
        """A call, and its answer, of as many records as it takes."""
        part = 16 * PAGE - 48 - 32
        for at in range(0, len(payload), part):
            self.record(71 if at else function, payload[at:at + part])
            self.ring()
            self.gpu.wait(self.consumed)
        answer, result, data = self.receive()
        assert answer == function, f"{answer:#x} instead of {function}"
        while len(data) < len(payload):
            answer, _, more = self.receive()
            assert answer == 71
            data += more
        return result, data

    def control(self, client, handle, cmd, params):
        call = self.long_call if len(params) > 8 * PAGE else self.call
        result, data = call(76, struct.pack(
            "<6I", client, handle, cmd, 0, len(params), 0) + params)
        assert result == 0
        return struct.unpack_from("<I", data, 12)[0], data[24:]

    def free(self, client, handle):
        return self.call(10, struct.pack("<4I", client, 0, handle, 0))[0]
