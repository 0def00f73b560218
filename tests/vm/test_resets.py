# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine is reset, or paused, again and again, while its Vulkan programs run."""

import os
import random
import shutil
import tempfile
import time
import unittest

import vulkan
from vulkan import Manager, VulkanGuest

RESETS = int(os.environ.get("VGPU_REPEATS", "20"))
# How long after the programs' start, at most: they start, draw and end.
RESET_SECONDS = 6
REST_SECONDS = 180  # only a hang takes that long
LOOP = "while :; do /run/vulkan-compute; /run/vulkan-hello; done"
PAUSES = RESETS * 10
PAUSE_SECONDS = 0.5  # between two of them, at most
# It ends when a program fails.
CHECKED_LOOP = "while [ ! -e /run/enough ]; do /run/vulkan-compute && /run/vulkan-hello || exit 1; done"


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


class Resets(unittest.TestCase):
    def test_resets(self):
        folder = tempfile.mkdtemp(prefix="vgpu-resets.")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        moments = random.Random(int(os.environ.get("VGPU_SEED", "1")))
        with Manager(folder, framebuffer_mib=1024) as manager:
            manager.ctl("create", "--type", "1Q", "--name", "x")
            manager.ctl("mode", "x", "800x600")
            vm = VulkanGuest(manager, "x")
            with vm:
                vm.wait_desktop()
                device = manager.vgpu("x")["devicePid"]
                fds, longest = count_fds(device), 0
                for i in range(RESETS):
                    vm.unpack_programs()
                    for job in range(3):
                        vm.begin(f"loop{job}", LOOP)
                    time.sleep(moments.uniform(0, RESET_SECONDS))
                    vm.reset()
                    begin = time.monotonic()
                    vm.qmp("query-status")
                    longest = max(longest, time.monotonic() - begin)
                    vm.wait_desktop()
                    self.assertTrue(vm.is_running(), f"reset {i}")
                # The device process is the first one, and holds no more.
                vgpu = manager.vgpu("x")
                self.assertEqual((vgpu["devicePid"], vgpu["state"]),
                                 (device, "attached"))
                end = time.monotonic() + REST_SECONDS
                while count_fds(device) > fds + 2:
                    self.assertLess(time.monotonic(), end, "fds that stay")
                    time.sleep(0.1)
            with open(manager.log_path, encoding="utf-8") as log:
                text = log.read()
        print(f"{RESETS} resets: QEMU answers after {longest * 1000:.0f} ms "
              "at most")
        # It stands still for 5 s where a stopped queue is waited for.
        self.assertNotIn("given up", text)
        self.assertNotIn("change of the window", text)


    def test_pauses(self):
        """The guest knows nothing of a pause, whatever its programs were doing: QEMU stops
        and starts the rings while memory is mapped and unmapped."""
        folder = tempfile.mkdtemp(prefix="vgpu-pauses.")
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        moments = random.Random(int(os.environ.get("VGPU_SEED", "1")))
        with Manager(folder, framebuffer_mib=1024) as manager:
            manager.ctl("create", "--type", "1Q", "--name", "x")
            vm = VulkanGuest(manager, "x")
            with vm:
                vm.wait_desktop()
                vm.unpack_programs()
                jobs = [f"loop{i}" for i in range(3)]
                for job in jobs:
                    vm.begin(job, CHECKED_LOOP)
                for i in range(PAUSES):
                    time.sleep(moments.uniform(0, PAUSE_SECONDS))
                    vm.qmp("stop")
                    vm.qmp("cont")
                    self.assertTrue(vm.is_running(), f"pause {i}")
                vm.check("touch /run/enough")
                end = time.monotonic() + REST_SECONDS
                for job in jobs:
                    while vm.status(job) is None:
                        self.assertLess(time.monotonic(), end, vm.output(job))
                        time.sleep(0.5)
                    self.assertEqual(vm.status(job), 0, vm.output(job))
                self.assertEqual(manager.vgpu("x")["state"], "attached")
            with open(manager.log_path, encoding="utf-8") as log:
                text = log.read()
        print(f"{PAUSES} pauses")
        self.assertNotIn("given up", text)
        self.assertNotIn("change of the window", text)


if __name__ == "__main__":
    vulkan.main()
