# SPDX-License-Identifier: GPL-2.0-or-later
"""demo_sriov.py [CORE]: what `make demo-sriov` shows, in the model's lab: a host whose
GPU's firmware a driver boots, the GPU's VFs, and vGPUs on two of them by vgpuctl. The
driver is vgpu_core, or nouveau: then the host uses the GPU, too, all the time."""

import contextlib
import os
import re
import subprocess
import sys
import threading
import time

from cores import CORES, NOUVEAU_HOST_MIB, machine
from demo_vgpus import CHECKS, Vgpus, VgpuError
from host import Host
from host_manager import ManagerError

OUT = "demo/sriov"
FRAMEBUFFER = "48G"  # as the board that is modelled has it
VFS = 32
COLUMNS = 4
PATIENCE_SECONDS = 10

COPIES_MIB = 600  # which the host has buffers of, at the same time
ROUND_SECONDS = 600

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


class Alone:
    """vgpu_core has the GPU to itself."""
    CORE = CORES["vgpu_core"]
    LOADED = "vgpu_core is loaded, and boots the GPU's firmware"
    PROCESSORS = 2

    def __init__(self, host):
        self.host = host

    def start_use(self):
        """The host cannot use the GPU."""

    def show_use(self):
        pass

    def end_use(self):
        pass


class Merged(Alone):
    """The host uses the GPU all the time, by nouveau's DRM device: buffers in
    framebuffer, which the CPU fills, the copy engine moves, and the CPU checks."""
    CORE = CORES["nouveau"]
    LOADED = "nouveau and vgpu_nouveau are loaded: nouveau boots the GPU's firmware"
    # What one processor writes while another changes what is mapped where may be lost
    # in QEMU: see lab/host.py.
    PROCESSORS = 1

    def __init__(self, host):
        super().__init__(host)
        self.began = 0

    def rounds(self):
        said = self.host.log()[self.began:]
        if "host_copy.c:" in said:
            raise DemoError("the host's buffers are not right:\n"
                            + said[said.index("host_copy.c:"):][:200])
        return re.findall(r"host_copy: (round .*?)\r*\n", said)

    def more(self):
        """Wait for the end of another round, and return what it said."""
        done = len(self.rounds())
        self.host.wait(f"host_copy: round {done + 1}:", self.began, ROUND_SECONDS)
        return self.rounds()[-1]

    def start_use(self):
        with patience("the host uses the GPU: it fills buffers of "
                      f"{COPIES_MIB} MiB by nouveau's DRM device, of which "
                      f"{NOUVEAU_HOST_MIB} MiB of framebuffer hold a part"):
            self.began = len(self.host.log())
            do(self.host, f"run nouveau copies {COPIES_MIB}")
            said = self.more()
        say(f"host: {said}")

    def show_use(self):
        with patience("the host's copies go on beside both vGPUs"):
            said = self.more()
        say(f"host: {said}")

    def end_use(self):
        self.rounds()
        do(self.host, "run nouveau copied")
        say(f"host: {len(self.rounds())} rounds of copies by the engine, none wrong")


def print_gpu(state):
    rows = [("board", state["name"]),
            ("chip", state["chip"]),
            ("state", state["state"]),
            ("firmware", f"GSP {state['firmware_version']}"),
            ("framebuffer", f"{mib(state['framebuffer_total'])}, "
                            f"{mib(state['framebuffer_reserved'])} of it "
                            "reserved"),
            ("channels", state["channels"])]
    if "boot_driver_ms" in state:
        rows.insert(4, ("boot", f"{state['boot_driver_ms']} ms of the driver's, "
                                f"{state['boot_firmware_ms']} ms of the firmware's"))
    if int(state["framebuffer_host"]):
        rows.append(("the host has", f"{mib(state['framebuffer_host'])}, "
                                     f"{state['channels_host']} channels"))
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


def show_vgpus(host, core):
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
    core.show_use()
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


def show(host, core):
    with patience(core.LOADED):
        for line in core.CORE.LOAD:
            do(host, line)
    state = host.state()
    if state.get("state") != "ready":
        raise DemoError(f"the GPU is not ready: {state.get('state')}")
    print_gpu(state)
    print()
    core.start_use()
    show_vgpus(host, core)
    core.end_use()
    with patience("the VFs are disabled, the firmware and the modules unloaded"):
        do(host, "vfs 0")
        do(host, "run vf unload")
        for line in core.CORE.UNLOAD:
            do(host, line)
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


KINDS = {kind.CORE.NAME: kind for kind in (Alone, Merged)}


def main(kind):
    os.makedirs(OUT, exist_ok=True)
    logs = f"{OUT}/machine.log (the host), {OUT}/ad102.log (the GPU)"
    host = None
    try:
        with patience(f"a host with a GPU of {FRAMEBUFFER} (a model) boots"):
            host = Host(OUT, f"fb-size={FRAMEBUFFER}", initrd=machine(kind.CORE),
                        mib=kind.CORE.HOST_MIB, has_guests=True,
                        processors=kind.PROCESSORS)
        show(host, kind(host))
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
    sys.exit(main(KINDS[sys.argv[1] if len(sys.argv) > 1 else "vgpu_core"]))
