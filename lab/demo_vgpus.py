# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of `make demo-sriov` that has vGPUs: in the host VM, vgpuctl makes two of
different types; one goes into a guest there, the other one is used by VFIO at the
same time. What the guest and the checks are is in tests/vfio."""

import re
import time

from host_manager import HostManager

# Name, type, and that type's BAR1 in MiB.
GUESTS = ("cad", "8Q", 64)
DIRECT = ("probe", "1Q", 32)
CHECKS = ("config", "sizing", "regions", "framebuffer", "interrupts", "dma",
          "reset")
ATTACH_SECONDS = 120
GUEST_SECONDS = 600


class VgpuError(Exception):
    """A vGPU was not as it was to be."""


def print_command(command, lines=()):
    print(f"\n  # {command}")
    for line in lines:
        print(f"  {line}")
    print(end="", flush=True)


class Vgpus:
    """Two vGPUs in a host whose GPU is ready, from their making to their end."""

    def __init__(self, host):
        self.host = host
        self.manager = HostManager(host)
        self.had = None

    def do(self, line):
        status, said = self.host.do(line)
        if status:
            raise VgpuError(f"'{line}' ended with {status}:\n{said.strip()}")

    def ctl(self, words, keep=None):
        """Run a vgpuctl command and print it, with the lines of its output
        that match KEEP."""
        lines = self.manager.ctl(words)
        shown = [line for line in lines if keep(line)] if keep else lines
        if len(shown) < len(lines):
            shown.append(f"… {len(lines) - len(shown)} more")
        print_command(f"vgpuctl {words}", shown)
        return lines

    def room(self):
        """The framebuffer of the GPU, and how much is free. VFs stay enabled.
        """
        gpu = self.manager.gpu()
        gpu.pop("vfsEnabled")
        return gpu, self.manager.types()

    def start(self):
        """As modules-load.d and the service do it: no systemd is here."""
        self.do("run vf load")
        self.do("write vgpu/placement heterogeneous")
        self.manager.start()
        self.had = self.room()

    def show_gpu(self):
        print_command("echo heterogeneous >/sys/bus/pci/devices/"
                      f"{self.had[0]['gpu']}/vgpu/placement")
        self.ctl("gpus")
        self.ctl(f"types --gpu {self.had[0]['gpu']}",
                 lambda line: line.split()[0] in ("TYPE", GUESTS[1], DIRECT[1]))

    def make(self):
        for name, kind, _ in (GUESTS, DIRECT):
            self.ctl(f"create --type {kind} --name {name}")
        self.ctl("list")
        self.ctl(f"qemu-args {GUESTS[0]}")

    def give_to_guest(self):
        """Start a guest, as far as that its QEMU has the vGPU."""
        name = GUESTS[0]
        start = len(self.host.log())
        self.manager.must(f"guest {name}")
        end = time.monotonic() + ATTACH_SECONDS
        while self.manager.show(name)["state"] != "attached":
            if time.monotonic() > end:
                raise VgpuError(f"no machine took {name}")
        return start

    def show_used(self):
        """It has a process, and is not destroyed."""
        name = GUESTS[0]
        self.ctl(f"show {name}")
        print_command(f"vgpuctl destroy {name}",
                      [self.manager.refused(f"destroy {name}")])

    def use(self, start):
        """Use the other vGPU meanwhile; print what the guest reports of its
        own."""
        name, _, bar1 = DIRECT
        vgpu = self.manager.show(name)
        for check in CHECKS:
            self.do(f"run vf test {check} {vgpu['vf']} {bar1} {vgpu['typeId']}")
        ended = self.host.wait(r"test: the guest ended with (\d+)", start,
                               GUEST_SECONDS)
        said = re.findall(r"guest: (.*?)\r*\n", self.host.log()[start:])
        if ended.group(1) != "0" or "test passed" not in said:
            raise VgpuError("the guest's test failed: " + "; ".join(said))
        exits = re.search(r"test: (\d+) exits", self.host.log()[start:])
        if not exits or exits.group(1) != "0":
            raise VgpuError("QEMU had to serve the guest's use of BAR1")
        return said

    def destroy(self):
        for name, _, _ in (GUESTS, DIRECT):
            if self.manager.show(name)["state"] != "active":
                raise VgpuError(f"{name} is still in use")
            self.ctl(f"destroy {name}")
        # Each check is an opening of its own.
        self.ctl("events",
                 lambda line: DIRECT[0] not in line or "tached" not in line)
        self.ctl("gpus")
        room = self.room()
        if room != self.had:
            raise VgpuError(f"there is {room} now, there was {self.had}")

    def stop(self):
        self.manager.stop()
        self.do("write vgpu/placement homogeneous")
