# SPDX-License-Identifier: GPL-2.0-or-later
"""Vulkan in a guest, and what may happen to the processes that serve it."""

import os
import re
import signal

import vulkan
from gpu import check_vulkan, start_cube
from manager import ManagerError
from vulkan import SLOW, VulkanTest

# Venus ends a program whose GPU is gone (what a shell says of abort), or the
# program ends itself if that comes before it has its instance.
ENDED = (134, 1)
DEVICE_KILLS = 3


class Vulkan(VulkanTest):
    """Vulkan in one machine."""

    MACHINES = {"one": "204060"}

    def setUp(self):
        self.vm = self.vms["one"]

    def is_served(self):
        try:
            self.manager.capture("one")
        except ManagerError:
            return False
        return True

    def new_program(self):
        self.vm.check("/run/vulkan-hello", SLOW)

    def test_1_guest_sees_its_gpu(self):
        seen = check_vulkan(self.vm, 1024)
        self.assertIsNotNone(seen, "the GPU does not render")
        self.assertRegex(seen.device, r"^Virtio-GPU Venus \(.+\)$")

    def test_2_cube_turns(self):
        start_cube(self.vm)
        self.assert_cube_turns("one")

    def test_3_render_process_is_killed(self):
        of_cube = self.wait_contexts("one", 1)
        self.vm.begin("victim", "exec vkmark --winsys wayland -s 100x100 "
                                "-b clear:duration=600")
        self.wait_until(lambda: "Venus" in self.vm.output("victim"),
                        "no second program uses the GPU")
        victim, = set(self.wait_contexts("one", 2)) - set(of_cube)
        os.kill(victim, signal.SIGKILL)
        self.wait_until(
            lambda: re.search(rf"context \d+ {vulkan.LOST}", self.log()),
            "nothing was said")
        self.assert_cube_turns("one")
        self.assertEqual(self.wait_contexts("one", 1), of_cube)
        self.new_program()
        status, output = self.vm.end("victim")
        self.assertIn(status, ENDED, output)
        self.assert_cube_turns("one")

    def test_4_device_is_killed(self):
        """The cube turns on: its program notices nothing but a pause."""
        cube = self.vm.check("pidof vkcube")
        of_cube = self.wait_contexts("one", 1)
        said = len(self.log())
        for _ in range(DEVICE_KILLS):
            before = self.manager.vgpu("one")
            os.kill(before["devicePid"], signal.SIGKILL)
            self.manager.wait_vgpu(
                "one", lambda v, n=before["restarts"]: v["restarts"] == n + 1
                and v["state"] == "attached")
            self.wait_until(self.is_served, "no successor serves")
            self.assertNotEqual(self.manager.vgpu("one")["devicePid"],
                                before["devicePid"])
            self.assert_cube_turns("one")
            self.assertEqual(self.wait_contexts("one", 1), of_cube)
        self.assertEqual(self.vm.check("pidof vkcube"), cube)
        self.new_program()
        self.assertNotIn(vulkan.LOST, self.log()[said:])
        self.assert_cube_turns("one")


if __name__ == "__main__":
    vulkan.main()
