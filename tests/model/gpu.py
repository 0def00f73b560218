# SPDX-License-Identifier: GPL-2.0-or-later
"""QEMU with the model and a halted processor: a test does what a driver does,
one access at a time, over QEMU's qtest protocol. Runs in the model's lab
(lab/run --model)."""

import json
import os
import re
import socket
import struct
import subprocess
import tempfile
import time

# Only QEMU may load the model, and what checks it: nothing else has what it calls.
PRELOAD = os.path.abspath("build/model/ad102.so")
if os.environ.get("VGPU_MODEL_ASAN"):
    PRELOAD = "libasan.so.8:libubsan.so.1:" + os.path.abspath("build/model-asan/ad102.so")
BAR0 = 0xC0000000
BAR1 = 0x800000000
BAR3 = 0x810000000
DEVICE = 2 << 3  # where the GPU is put on bus 0

VF_BAR0 = 0xD0000000
VF_BAR1 = 9 << 32
VF_BAR3 = 10 << 32

PGSP = 0x110000
PSEC = 0x840000


class Gpu:
    """The model on a bus of its own, with 256 MiB of memory beside it."""

    def __init__(self, *properties, machine=()):
        self.dir = tempfile.TemporaryDirectory()
        self.vf_bar1_size = 64 << 20
        for name, _, value in (p.partition("=") for p in properties):
            if name == "vf-bar1-size":
                self.vf_bar1_size = int(value.rstrip("M")) << 20
        path = os.path.join(self.dir.name, "qtest")
        self.log_path = os.path.join(self.dir.name, "log")
        # Debian's QEMU has no qtest accelerator: the processor runs, and halts.
        bios = os.path.join(self.dir.name, "bios")
        with open(bios, "wb") as f:
            f.write(b"\x90" * 0xFFF0 + b"\xfa\xf4\xeb\xfc" + b"\x90" * 12)
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(path)
        listener.listen(1)
        listener.settimeout(30)
        device = ["ad102", "id=gpu", "addr=2", "log=" + self.log_path, *properties]
        self.qemu = subprocess.Popen(
            ["qemu-system-x86_64", "-M", "q35", "-accel", "tcg", "-m", "256M", "-bios", bios,
             "-nodefaults", "-display", "none", "-qtest", "unix:" + path,
             "-qtest-log", "/dev/null",
             "-qmp", f"unix:{path}.qmp,server=on,wait=off",
             "-device", ",".join(device), *machine],
            env={**os.environ, "LD_PRELOAD": PRELOAD,
                 # QEMU's coroutines and leaks are not what is looked for.
                 "ASAN_OPTIONS": "detect_leaks=0:log_path=" + self.dir.name + "/asan"},
            stdin=subprocess.DEVNULL)
        self.sock, _ = listener.accept()
        self.sock.settimeout(30)
        listener.close()
        self.file = self.sock.makefile("rw")
        for bar, base in ((0, BAR0), (1, BAR1), (3, BAR3)):
            self.config_write(0x10 + bar * 4, base & 0xFFFFFFFF)
            if bar:
                self.config_write(0x14 + bar * 4, base >> 32)
        self.config_write(0x04, 0x06)  # memory, bus master

    def qmp(self, *commands):
        """Run commands, each a name and its arguments; the last one's answer."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(30)
            sock.connect(os.path.join(self.dir.name, "qtest.qmp"))
            with sock.makefile("rw") as f:
                f.readline()
                for execute, arguments in (("qmp_capabilities", {}), *commands):
                    f.write(json.dumps({"execute": execute, "arguments": arguments}) + "\n")
                    f.flush()
                    answer = {}
                    while not {"return", "error"} & answer.keys():  # events between
                        answer = json.loads(f.readline())
                    if "error" in answer:
                        raise ValueError(answer["error"]["desc"])
                return answer["return"]

    def set_property(self, name, value):
        """Set a property of the device while it runs."""
        self.qmp(("qom-set", {"path": "/machine/peripheral/gpu",
                              "property": name, "value": value}))

    def close(self):
        self.sock.close()
        self.qemu.terminate()
        self.qemu.wait(30)
        for name in os.listdir(self.dir.name):
            if name.startswith("asan."):
                with open(os.path.join(self.dir.name, name)) as f:
                    text = f.read()
                assert "ERROR: AddressSanitizer" not in text, text
        self.dir.cleanup()

    def command(self, text):
        self.file.write(text + "\n")
        self.file.flush()
        while True:
            line = self.file.readline().split()
            if not line:
                raise EOFError("QEMU went away")
            if line[0] == "OK":
                return line[1:]
            if line[0] != "IRQ":
                raise RuntimeError(" ".join(line))

    def config_write(self, offset, value):
        self.command(f"outl 0xcf8 {0x80000000 | DEVICE << 8 | offset:#x}")
        self.command(f"outl 0xcfc {value:#x}")

    def config_read(self, offset):
        self.command(f"outl 0xcf8 {0x80000000 | DEVICE << 8 | offset:#x}")
        return int(self.command("inl 0xcfc")[0], 0)

    def extended(self, offset, devfn):
        """Where extended configuration space is in q35's MMCONFIG window."""
        base = 0xB0000000
        self.command("outl 0xcf8 0x80000060")
        self.command(f"outl 0xcfc {base | 1:#x}")
        return base + (devfn << 12) + offset

    def extended_write(self, offset, value, devfn=DEVICE):
        self.command(f"writel {self.extended(offset, devfn):#x} {value:#x}")

    def extended_read(self, offset, devfn=DEVICE):
        return int(self.command(f"readl {self.extended(offset, devfn):#x}")[0], 0)

    def enable_vfs(self, count):
        """VF BARs above everything, NumVFs, then VF and memory enable."""
        for offset, value in ((0x24, VF_BAR0), (0x28, VF_BAR1 & 0xFFFFFFFF),
                              (0x2C, VF_BAR1 >> 32), (0x30, VF_BAR3 & 0xFFFFFFFF),
                              (0x34, VF_BAR3 >> 32), (0x10, count), (0x08, 0x09)):
            self.extended_write(0xBCC + offset, value)

    def disable_vfs(self):
        self.extended_write(0xBCC + 0x08, 0)

    def rd(self, reg):
        return int(self.command(f"readl {BAR0 + reg:#x}")[0], 0)

    def wr(self, reg, value):
        self.command(f"writel {BAR0 + reg:#x} {value:#x}")

    def mem_write(self, addr, data):
        for at in range(0, len(data), 4096):
            part = data[at:at + 4096]
            self.command(f"write {addr + at:#x} {len(part):#x} 0x{part.hex()}")

    def mem_read(self, addr, count):
        return bytes.fromhex(self.command(f"read {addr:#x} {count:#x}")[0][2:])

    def wait(self, what, seconds=20):
        """Wait until what() is true; a bound for hangs, not a measure."""
        end = time.monotonic() + seconds
        while not what():
            assert time.monotonic() < end, "nothing happened:\n" + self.log()
            time.sleep(0.002)

    def log(self):
        with open(self.log_path) as f:
            return f.read()

    def refusals(self):
        return re.findall(r"refused: (.*)", self.log())

    # What a driver does, step by step.

    def rom(self):
        data = self.mem_read(BAR0 + 0x300000, 0x20000)
        assert data[:2] == b"\x55\xaa"
        return data

    def fwsec(self):
        """FWSEC as a driver finds it: (code, data, signatures, descriptor)."""
        rom = self.rom()
        bit = rom.index(b"\xff\xb8BIT\0")
        assert sum(rom[bit:bit + rom[bit + 8]]) & 0xFF == 0
        tokens = {}
        for i in range(rom[bit + 10]):
            at = bit + rom[bit + 8] + i * rom[bit + 9]
            ident, _, _, where = struct.unpack_from("<BBHH", rom, at)
            tokens[chr(ident)] = where
        table, = struct.unpack_from("<I", rom, tokens["p"])
        app, _, desc = struct.unpack_from("<BBI", rom, table + rom[table + 1])
        assert app == 0x85
        d = struct.unpack_from("<9IHBBHH", rom, desc)
        size = d[0] >> 16
        at = desc + size
        code = rom[at:at + d[5]]
        data = rom[at + d[5]:at + d[5] + d[8]]
        signatures = [rom[desc + 44 + i * 384:desc + 44 + (i + 1) * 384]
                      for i in range(d[11])]
        return code, data, signatures, d

    def load(self, base, image, code_at, code, data, para, engine, ucode, boot):
        """Load a falcon by DMA: image lies at a fixed place in memory."""
        where = 0x1000000
        self.mem_write(where, image)
        self.wr(base + 0x3C0, 1)
        self.wr(base + 0x3C0, 0)
        self.wr(base + 0x1668, 0)
        self.wr(base + 0x624, 0x80)
        self.wr(base + 0x10C, 0)
        self.wr(base + 0x600, 0x5)
        for at, count, dst, flags, dma in (
                (code_at, code, 0, 0x14, where),
                (0, data[1], 0, 0, where + data[0])):
            self.wr(base + 0x110, dma >> 8)
            self.wr(base + 0x128, 0)
            for off in range(0, count, 256):
                self.wr(base + 0x114, dst + off)
                self.wr(base + 0x11C, at + off)
                self.wr(base + 0x118, 0x600 | flags)
                assert self.rd(base + 0x118) & 2
        self.wr(base + 0x1210, para)
        self.wr(base + 0x119C, engine)
        self.wr(base + 0x1198, ucode)
        self.wr(base + 0x1180, 1)
        self.wr(base + 0x104, boot)

    def start(self, base, mailbox0=0, mailbox1=0):
        self.wr(base + 0x040, mailbox0)
        self.wr(base + 0x044, mailbox1)
        self.wr(base + 0x100, 2)
        self.wait(lambda: self.rd(base + 0x100) & 0x10)
        return self.rd(base + 0x040)

    def run_fwsec(self, command, addr=0, pages=0x100, media=2, signature=1,
                  code=None):
        own, data, signatures, d = self.fwsec()
        code = code or own
        data = bytearray(data)
        data[d[2]:d[2] + 384] = signatures[signature]
        header = d[3]
        for i in range(data[header + 3]):
            ident, mapper = struct.unpack_from("<II", data, header + 4 + i * 8)
            if ident == 4:
                break
        struct.pack_into("<I", data, mapper + 44, command)
        buffer, = struct.unpack_from("<I", data, mapper + 8)
        struct.pack_into("<IIQII", data, buffer, 1, 24, 0, 0, 2)
        struct.pack_into("<5I", data, buffer + 24, 1, 20, addr >> 12, pages, media)
        self.load(PGSP, code + bytes(data), 0, len(code),
                  (len(code), len(data)), d[2], 0x400, d[10], 0)
        return self.start(PGSP)

    def sec2(self, name, mailbox=0, spoil=None, para=None, engine=1):
        path = f"/usr/lib/firmware/nvidia/ad102/gsp/{name}-570.144.bin"
        with open(path, "rb") as f:
            blob = f.read()
        head = struct.unpack_from("<6I", blob)
        hs = struct.unpack_from("<9I", blob, head[3])
        loc, = struct.unpack_from("<I", blob, hs[2])
        meta = struct.unpack_from("<3I", blob, hs[4])
        load = struct.unpack_from("<8I", blob, hs[7])
        image = bytearray(blob[head[4]:head[4] + head[5]])
        image[loc:loc + 384] = blob[hs[0]:hs[0] + 384]
        if spoil is not None:
            image[spoil] ^= 1
        if para is None:
            para = loc - load[2]
        self.load(PSEC, bytes(image), load[5], load[6], (load[2], load[3]),
                  para, engine, meta[2], load[5])
        return self.start(PSEC, mailbox & 0xFFFFFFFF, mailbox >> 32)

    def reset_gsp(self, libos):
        """Reset the GSP into RISC-V and leave it its arguments."""
        self.wr(PGSP + 0x3C0, 1)
        self.wr(PGSP + 0x3C0, 0)
        self.wr(PGSP + 0x1668, 0x111)
        self.wr(PGSP + 0x040, libos & 0xFFFFFFFF)
        self.wr(PGSP + 0x044, libos >> 32)


class Vf:
    """One of its VFs, as a guest has it; GFIDs are from 1."""

    CONFIG = {"command": 0x04, "express": 0x40, "msix": 0x7C, "pm": 0x88}

    def __init__(self, gpu, gfid):
        self.gpu = gpu
        self.devfn = DEVICE + 4 + gfid - 1
        self.bar0 = VF_BAR0 + (gfid - 1) * 0x40000
        self.bar1 = VF_BAR1 + (gfid - 1) * gpu.vf_bar1_size
        self.bar3 = VF_BAR3 + (gfid - 1) * 0x2000000

    def config_read(self, offset):
        return self.gpu.extended_read(offset, self.devfn)

    def config_write(self, offset, value):
        self.gpu.extended_write(offset, value, self.devfn)

    def bus_master(self, on=True):
        self.config_write(self.CONFIG["command"], 4 if on else 0)

    def flr(self):
        self.config_write(self.CONFIG["express"] + 8, 1 << 15)

    def rd(self, reg):
        return int(self.gpu.command(f"readl {self.bar0 + reg:#x}")[0], 0)

    def wr(self, reg, value):
        self.gpu.command(f"writel {self.bar0 + reg:#x} {value:#x}")

    def fb_read(self, at, count=4):
        return self.gpu.mem_read(self.bar1 + at, count)

    def fb_write(self, at, data):
        self.gpu.mem_write(self.bar1 + at, data)

    def msix(self, address):
        """Unmask all vectors; vector N writes N + 1 to address + 4 * N."""
        for i in range(6):
            entry = 0x10000 + i * 16
            for at, value in ((0, address + 4 * i), (4, 0), (8, i + 1), (12, 0)):
                self.wr(entry + at, value)
        self.config_write(self.CONFIG["msix"],
                          self.config_read(self.CONFIG["msix"]) | 1 << 31)
