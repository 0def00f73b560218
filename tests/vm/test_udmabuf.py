# SPDX-License-Identifier: GPL-2.0-or-later
"""GPUs whose drivers take dma-bufs only, on a kernel that makes them: all of our
programs run in a machine, from the lab's own root."""

import os
import sys
import tempfile
import unittest

SOURCE, BUILD = os.environ["VGPU_SOURCE"], os.environ["VGPU_BUILD"]
sys.path.insert(0, os.path.join(SOURCE, "lab"))

# pylint: disable=wrong-import-position
import vm  # noqa: E402

# The lab is at /lab there, and everything in it that must be written is not.
MOUNT = """
mkdir -p /lab
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose lab /lab
for folder in dev proc sys; do mount --rbind /$folder /lab/$folder; done
mount -t tmpfs tmpfs /lab/tmp
mount -t tmpfs tmpfs /lab/run
# As udev's rules say.
chgrp kvm /dev/udmabuf && chgrp render /dev/dri/renderD128
chmod 660 /dev/udmabuf /dev/dri/renderD128
"""


class LabMachine(unittest.TestCase):
    """A machine that has the lab's root, and a kernel of its own."""

    TIME_LIMIT = 540  # only a hang reaches it

    @classmethod
    def setUpClass(cls):
        folder = cls.enterClassContext(tempfile.TemporaryDirectory(prefix="udmabuf."))
        cls.machine = cls.enterClassContext(vm.Vm(
            "udmabuf", folder, [
                "-virtfs", "local,path=/,mount_tag=lab,security_model=none,"
                           "readonly=on,multidevs=remap",
                "-device", "virtio-gpu-pci"],
            memory_mib=3072, time_limit=cls.TIME_LIMIT))
        cls.machine.check(MOUNT, timeout=60)

    def run_inside(self, command, timeout=300):
        return self.machine.check(
            f"chroot /lab /usr/bin/env -C {SOURCE} "
            f"PATH={BUILD}:/usr/sbin:/usr/bin:/sbin:/bin "
            f"HOME=/tmp XDG_RUNTIME_DIR=/tmp PYTHONDONTWRITEBYTECODE=1 "
            f"PYTHONPATH={SOURCE}/tests/gpu VGPU_BUILD={BUILD} "
            f"VGPU_SOURCE={SOURCE} VGPU_TEST_MIB=96 {command} 2>&1", timeout)


class Udmabuf(LabMachine):
    def test_memory(self):
        """The real dma-bufs: types, heaps, quota, and what the GPU writes."""
        self.assertIn("/dev/udmabuf", self.machine.check("ls /dev/udmabuf"))
        self.run_inside("python3 tests/gpu/test_gpus.py Gpus.test_memory")

    def test_doctor(self):
        self.run_inside("python3 tests/gpu/test_gpus.py Doctor")


if __name__ == "__main__":
    unittest.main()
