# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines as a person starts them: with all that qemu-args prints, or with memory
that is not shared."""

import os
import shlex
import shutil
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from manager import Manager
from vm import Vm

COLOR = "204060"


class PlainVm(Vm):
    """One whose memory is whatever gpu_args say, or QEMU's default."""

    def _args(self):
        args = super()._args()
        for option in "-object", "-m", "-vga":
            at = args.index(option)
            del args[at:at + 2]
        args[args.index("-M") + 1] = "q35"
        return args


class Memory(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="vgpu-vm.")
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.manager = self.enterContext(
            Manager(self.folder, framebuffer_mib=1024))
        self.manager.ctl("create", "--type", "1A", "--name", "a")

    def machine(self, args):
        vm = PlainVm("a", self.folder, args, color=COLOR)
        self.addCleanup(vm.kill)
        vm.start()
        return vm

    def test_all_that_is_printed(self):
        """No other argument is needed for a desktop."""
        printed = self.manager.ctl("qemu-args", "a", "--memory", "768M")
        vm = self.machine(shlex.split(printed))
        vm.wait_desktop()
        self.manager.wait_desktop("a", COLOR)

    def test_memory_that_is_not_shared(self):
        """QEMU would abort if the device were not started: the guest goes on
        without a GPU, after a reset too, and what to do is told."""
        vm = self.machine([*self.manager.qemu_args("a"), "-m", "768M",
                           "-vga", "none"])
        for times in 1, 2:
            vm.check("true", timeout=600)
            self.assertIn("failed with error", vm.check("dmesg"))
            self.assertEqual(
                self.manager.ctl("events").count("--memory SIZE"), times)
            self.assertTrue(vm.is_running())
            vm.reset()


if __name__ == "__main__":
    unittest.main(verbosity=2)
