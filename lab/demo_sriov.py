# SPDX-License-Identifier: GPL-2.0-or-later
"""What `make demo-sriov` shows, in the model's lab: a host whose GPU's firmware
vgpu_core boots, the GPU's VFs, and vGPUs on two of them by vgpuctl."""

import contextlib
import os
import subprocess
import sys
import threading
import time

from demo_vgpus import CHECKS, Vgpus, VgpuError
from host import Host
from host_manager import ManagerError

OUT = "demo/sriov"
MACHINE = "build/vfio/machine.cpio"
HOST_MIB = 1536
FRAMEBUFFER = "48G"  # as the board that is modelled has it
VFS = 32
COLUMNS = 4
PATIENCE_SECONDS = 10

start = time.monotonic()


class DemoError(Exception):
    """A step of the demo failed."""


def say(text):
    print(f"demo: {time.monotonic() - start:3.0f} s  {text}", flush=True)


def say_below(text):
    print()
    say(text)


@contextlib.contextmanager
def patience(text):
    """Say again and again that this goes on."""
    ended = threading.Event()

    def remind():
        while not ended.wait(PATIENCE_SECONDS):
            say(f"… {text}")

    say(text)
    thread = threading.Thread(target=remind)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


def do(host, line):
    status, said = host.do(line)
    if status:
        raise DemoError(f"'{line}' ended with {status}:\n{said.strip()}")


def mib(text):
    return f"{int(text) >> 20} MiB"


def print_gpu(state):
    rows = [("board", state["name"]),
            ("chip", state["chip"]),
            ("state", state["state"]),
            ("firmware", f"GSP {state['firmware_version']}"),
            ("boot", f"{state['boot_driver_ms']} ms of the driver's, "
                     f"{state['boot_firmware_ms']} ms of the firmware's"),
            ("framebuffer", f"{mib(state['framebuffer_total'])}, "
                            f"{mib(state['framebuffer_reserved'])} of it "
                            "reserved"),
            ("channels", state["channels"])]
    print("\nGPU")
    for name, value in rows:
        print(f"  {name:12} {value}")


def print_vfs(vfs):
    print(f"\n{len(vfs)} VFs: address, IOMMU group")
    rows = -(-len(vfs) // COLUMNS)
    for row in range(rows):
        print("  " + "   ".join(f"{address} {group:>3}"
                                for address, group in vfs[row::rows]))
    print(flush=True)


def show_vfs(host):
    vfs = host.vfs()
    if len(vfs) != VFS or len({group for _, group in vfs}) != VFS:
        raise DemoError(f"{len(vfs)} VFs of {VFS}, or not each in a group")
    print_vfs(vfs)


def show_vgpus(host):
    vgpus = Vgpus(host)
    with patience("vgpu_vfio_pci is loaded, vgpud is started"):
        vgpus.start()
    vgpus.show_gpu()
    say_below(f"two vGPUs are made, for which vgpud enables the GPU's {VFS} VFs")
    vgpus.make()
    show_vfs(host)
    with patience("the first goes into a guest: QEMU in the host, with these "
                  "arguments"):
        start = vgpus.give_to_guest()
    vgpus.show_used()
    print()
    with patience("the other one is used by VFIO, while the guest runs"):
        said = vgpus.use(start)
    print("\nWhat the guest says")
    for line in said:
        print(f"  {line}")
    print("\nChecked by VFIO: " + ", ".join(CHECKS))
    say_below("both are destroyed; all that they had must be free")
    vgpus.destroy()
    print()
    vgpus.stop()


def show(host):
    with patience("vgpu_core is loaded, and boots the GPU's firmware"):
        do(host, "load")
    state = host.state()
    if state.get("state") != "ready":
        raise DemoError(f"the GPU is not ready: {state.get('state')}")
    print_gpu(state)
    print()
    show_vgpus(host)
    with patience("the VFs are disabled, the firmware and the modules unloaded"):
        do(host, "vfs 0")
        do(host, "run vf unload")
        do(host, "unload")
    if host.vfs() or host.state():
        raise DemoError("something of the GPU is left")
    with patience("the host shuts down"):
        status = host.power_off()
    if status:
        raise DemoError(f"QEMU ended with {status}")


def check_logs(host):
    """Neither the host's kernel nor the model of the GPU had to complain."""
    found = host.complaint()
    if found:
        raise DemoError(f"the kernel says '{found}'")
    refusals = host.refusals()
    if refusals:
        raise DemoError(f"the GPU refused something: {refusals[0].strip()}")


def main():
    os.makedirs(OUT, exist_ok=True)
    logs = f"{OUT}/machine.log (the host), {OUT}/ad102.log (the GPU)"
    host = None
    try:
        with patience(f"a host with a GPU of {FRAMEBUFFER} (a model) boots"):
            host = Host(OUT, f"fb-size={FRAMEBUFFER}", initrd=MACHINE,
                        mib=HOST_MIB, has_guests=True)
        show(host)
        check_logs(host)
    except (OSError, RuntimeError, ValueError, subprocess.SubprocessError,
            DemoError, ManagerError, VgpuError, KeyboardInterrupt) as error:
        text = "interrupted" if isinstance(error, KeyboardInterrupt) else error
        say(f"failed: {text}; logs: {logs}")
        return 1
    finally:
        if host:
            host.close()
    say(f"done, all taken down; logs: {logs}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
