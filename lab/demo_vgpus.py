# SPDX-License-Identifier: GPL-2.0-or-later
"""The part of `make demo-sriov` that has vGPUs: two of different types are made;
one goes into a guest in the host VM, the other one is used by VFIO at the same
time. What the guest and the checks are is in tests/vfio."""

import re

# VF, its type (L40S-8Q, L40S-1Q) and that type's BAR1 in MiB
GUESTS = (1, 1152, 64)
DIRECT = (2, 1147, 32)
CHECKS = ("config", "sizing", "regions", "framebuffer", "interrupts", "dma",
          "reset")
GUEST_SECONDS = 600


class VgpuError(Exception):
    """A vGPU was not as it was to be."""


def do(host, line):
    status, said = host.do(line)
    if status:
        raise VgpuError(f"'{line}' ended with {status}:\n{said.strip()}")
    return said


def read(host, path):
    """A file in the GPU's folder in sysfs."""
    return re.search(r"test: value (.*?)\|?\r?\n",
                     do(host, f"read {path}")).group(1)


def room(host):
    """How many vGPUs of each of the types there could be."""
    return {number: read(host, f"vgpu/types/{number}/available_instances")
            for _, number, _ in (GUESTS, DIRECT)}


def make(host):
    """The two vGPUs: number of the VF, type's name, bytes of framebuffer."""
    do(host, "run vf load")
    do(host, "write vgpu/placement heterogeneous")
    made = []
    for vf, number, _ in (GUESTS, DIRECT):
        do(host, f"run vf bind {vf}")
        do(host, f"run vf type {vf} {number}")
        made.append((vf, read(host, f"vgpu/types/{number}/name"),
                     int(read(host, f"vgpu/types/{number}/framebuffer")),
                     read(host, f"vgpu/vf{vf}/placement")))
    return made


def use(host):
    """Both at once; what the guest says of its vGPU."""
    start = len(host.log())
    do(host, f"run vf guest {GUESTS[0]}")
    vf, number, bar1 = DIRECT
    for check in CHECKS:
        do(host, f"run vf test {check} {vf} {bar1} {number}")
    ended = host.wait(r"test: the guest ended with (\d+)", start, GUEST_SECONDS)
    said = re.findall(r"guest: (.*?)\r*\n", host.log()[start:])
    if ended.group(1) != "0" or "test passed" not in said:
        raise VgpuError("the guest's test failed: " + "; ".join(said))
    exits = re.search(r"test: (\d+) exits", host.log()[start:])
    if not exits or exits.group(1) != "0":
        raise VgpuError("QEMU had to serve the guest's use of BAR1")
    return said


def destroy(host, had_room):
    for vf, _, _ in (GUESTS, DIRECT):
        if read(host, f"vgpu/vf{vf}/state") != "defined":
            raise VgpuError(f"VF {vf} is still in use")
        do(host, f"run vf type {vf} 0")
        do(host, f"run vf unbind {vf}")
    do(host, "write vgpu/placement homogeneous")
    do(host, "run vf unload")
    if room(host) != had_room:
        raise VgpuError(f"room for {room(host)} is left, there was {had_room}")
