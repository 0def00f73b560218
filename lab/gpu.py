# SPDX-License-Identifier: GPL-2.0-or-later
"""Use of a vGPU in a guest: check Vulkan, and draw something."""

import collections
import time

from vm import VmError

NO_RENDERER = 3
PROBE_SECONDS = 120
DEVICE_NAME_MAX = 46

Vulkan = collections.namedtuple("Vulkan", "driver heap_bytes device")


def guest_vulkan(machine):
    """The Vulkan of the guest, or None if its GPU does not render at all."""
    status, output = machine.run("/usr/lib/openvgpu/vulkan", PROBE_SECONDS)
    if status == NO_RENDERER:
        return None
    words = output.strip().split("|", 2)
    if status or len(words) != 3 or not words[1].isdigit():
        raise VmError(f"{machine.name}: its GPU renders, but the guest has no "
                      f"Vulkan ({status}): {' '.join(output.split())}")
    return Vulkan(words[0], int(words[1]), words[2])


def check_vulkan(machine, framebuffer_mib):
    """As guest_vulkan(); it must be venus, with all of the framebuffer."""
    vulkan = guest_vulkan(machine)
    if vulkan is None:
        return None
    if vulkan.driver != "venus":
        raise VmError(
            f"{machine.name}: THE GUEST DOES NOT USE ITS VIRTUAL GPU: its "
            f"Vulkan is {vulkan.driver} on {vulkan.device}, not venus")
    if vulkan.heap_bytes != framebuffer_mib << 20:
        raise VmError(
            f"{machine.name}: the guest's heap is {vulkan.heap_bytes >> 20} "
            f"MiB, its framebuffer {framebuffer_mib} MiB")
    return vulkan


def start_cube(machine, timeout=300):
    """Start vkcube on the desktop, and wait until it has drawn for a while."""
    machine.check("systemctl start --no-block cube.service")
    end = time.monotonic() + timeout
    while machine.run("pidof vkcube")[0]:
        if time.monotonic() > end:
            raise VmError(f"{machine.name}: vkcube does not start")
        time.sleep(0.2)
    time.sleep(3)
    machine.check("pidof vkcube")
