# SPDX-License-Identifier: GPL-2.0-or-later
"""A host that has mediated devices: a machine with the guest image, in which the
modules that tests/mdev/build_host has built are loaded and all programs are the lab's,
from its root. Virtual machines of its own run in it."""

import os
import re
import shlex
import time

import vm
from host import FAULTS

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), ".."))
BUILT = os.path.join(TOP, "build/mdev/host")
SLOW = 900  # only what hangs takes so long

# The lab is at /lab there. What must be written is not in it; its guest image is the
# disk that the host has, too.
MOUNT = f"""
set -e
mkdir -p /lab /run/guest
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose lab /lab
for folder in dev proc sys; do mount --rbind /$folder /lab/$folder; done
mount -t tmpfs tmpfs /lab/tmp
mount -t tmpfs tmpfs /lab/run
cp /lab/lab/guest/vmlinuz /lab/lab/guest/initrd /run/guest
ln -s /dev/vda /run/guest/root.ext4
mount --bind /run/guest /lab/lab/guest
cd /lab{BUILT}/mod
while read -r module; do insmod $module || [ "${{module#kvm-}}" != "$module" ]; done <order
insmod vgpu_mdev.ko
"""


class MdevHost(vm.Vm):
    """That host, in the lab. Virtual machines in it have @memory_mib and what it
    takes itself."""

    def __init__(self, folder, memory_mib, time_limit=1800):
        arguments = ["-virtfs", "local,path=/,mount_tag=lab,security_model=none,"
                                "readonly=on,multidevs=remap"]
        super().__init__("host", folder, arguments, memory_mib=memory_mib,
                         time_limit=time_limit)

    def _args(self):
        # It has no GPU of its own, and virtual machines.
        arguments = super()._args()
        for option, value in (("-kernel", f"{BUILT}/vmlinuz"),
                              ("-initrd", f"{BUILT}/initrd"), ("-smp", "2")):
            arguments[arguments.index(option) + 1] = value
        return arguments

    def prepare(self):
        """Load the modules, and enter the lab."""
        self.check(MOUNT, SLOW)
        # Probing whether KVM boots a machine takes an emulated one too long.
        kind = "kvm" if self.run("[ -e /dev/kvm ]")[0] == 0 else "tcg"
        self.check(f"printf {kind} >/lab{vm.ACCEL_CACHE}")
        # What the programs map is read once; they have limits of time.
        self.run_inside("vgpu-probe")

    def run_inside(self, command, timeout=SLOW, **environment):
        """(status, output) of a command in the lab there, however long it takes."""
        job = "/run/inside"
        self.check(f"rm -f {job}.status; (({self._inside(command, environment)}) "
                   f">{job}.log 2>&1 </dev/null; echo $? >{job}.new; "
                   f"mv {job}.new {job}.status) >/dev/null 2>&1 &")
        end = time.monotonic() + timeout
        while self.run(f"[ -e {job}.status ]")[0]:
            if time.monotonic() > end:
                raise vm.VmError(f"'{command}' goes on after {timeout} s: "
                                 + self.run(f"tail -n 50 {job}.log")[1])
            time.sleep(0.5)
        return int(self.check(f"cat {job}.status")), self.check(f"cat {job}.log")

    def complaint(self):
        """What its kernel complained of, or None."""
        log = self.check("dmesg | grep -v 'ommand line'")
        found = re.search(FAULTS, log)
        return found and log[found.start():found.start() + 4000]

    @staticmethod
    def _inside(command, environment):
        build = os.environ.get("VGPU_BUILD", os.path.join(TOP, "build"))
        settings = {"PATH": f"{build}:/usr/sbin:/usr/bin", "HOME": "/tmp",
                    "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": "/run", "VGPU_BUILD": build,
                    "VGPU_SOURCE": TOP, "PYTHONDONTWRITEBYTECODE": "1", **environment}
        words = " ".join(f"{name}={shlex.quote(value)}"
                         for name, value in settings.items())
        return f"chroot /lab /usr/bin/env -i -C {TOP} {words} {command}"
