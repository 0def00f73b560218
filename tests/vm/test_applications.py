# SPDX-License-Identifier: GPL-2.0-or-later
"""Vulkan programs in two guests, with the validation layer on the host."""

import os
import re
import subprocess
import time

import vulkan
from gpu import check_vulkan, start_cube
from vtest import native_env
from vulkan import SLOW, VulkanTest

SCENES = ("vertex", "texture", "shading", "effect2d", "desktop", "cube",
          "clear")
GL_SCENES = ("build", "texture", "shading", "bump", "effect2d", "jellyfish")
# Mesa's Zink passes over Vulkan devices that are no hardware, unless this asks
# for one; it stands in the way of the others.
GL_SOFTWARE = "LIBGL_ALWAYS_SOFTWARE=1"
FRAMEBUFFER_MIB = 1024
DESKTOP_MIB = 96  # of that, at the most
PAUSE_SECONDS = 10
# A program that ends when it has shown so many frames.
FRAMES = "exec vkcube --wsi wayland --c 30"
# Vulkan has no image that is both imported and preinitialized, see
# render/vulkan/memory.c.
ACCEPTED = {"VUID-VkBindImageMemoryInfo-memory-02989"}


def vkmark(scene, seconds=1):
    return ("exec vkmark --winsys wayland -s 400x300 "
            f"-b {scene}:duration={seconds}")


class Applications(VulkanTest):
    """Applications in two machines."""

    MACHINES = {"left": "204060", "right": "602040"}
    LAYERS = "VK_LAYER_KHRONOS_validation"

    def setUp(self):
        self.left, self.right = self.vms.values()
        self.said_before = len(self.log())

    def tearDown(self):
        super().tearDown()
        said = self.log()[self.said_before:]
        rules = {rule: text[:400] for rule, text in re.findall(
            r"Validation Error: \[ (\S+) \](.*?)(?=Validation|$)", said,
            re.DOTALL)}
        self.assertEqual(rules.keys() - ACCEPTED, set(), rules)
        self.assertEqual("Validation Error" in said, bool(rules))
        self.assertNotIn(vulkan.LOST, said)

    def assert_ends_well(self, machine, job, pattern):
        status, output = machine.end(job)
        self.assertEqual(status, 0, f"{machine.name} {job}: {output}")
        self.assertRegex(output, pattern)

    def test_01_the_layer_is_there(self):
        for vm in self.vms.values():
            self.assertIsNotNone(check_vulkan(vm, FRAMEBUFFER_MIB))
        start_cube(self.left)
        pid, = self.wait_contexts("left", 1)
        with open(f"/proc/{pid}/maps", encoding="ascii") as maps:
            self.assertIn("validation", maps.read())
        # What it says is heard, by vgpu-launch.
        self.assertRegex(os.readlink(f"/proc/{pid}/fd/1"), "^pipe:")
        self.assert_cube_turns("left")

    def test_02_machine_stops_and_goes_on(self):
        """In the middle of a frame; the guest's clock stands still."""
        for _ in range(2):
            self.left.qmp("stop")
            time.sleep(PAUSE_SECONDS)
            self.left.qmp("cont")
            self.assert_cube_turns("left")
        self.left.check("pidof vkcube")

    def test_03_compute(self):
        """In both guests at once, beside the cube in one."""
        for vm in self.vms.values():
            vm.begin("compute", "exec /run/vulkan-compute")
        for vm in self.vms.values():
            self.assert_ends_well(vm, "compute", '"mib": 64')
        self.assert_cube_turns("left")

    def test_04_two_programs_two_guests_and_the_host(self):
        """All on the same GPU, which the host uses itself meanwhile."""
        with subprocess.Popen(
                ["vkmark", "--winsys", "headless", "-b", "cube:duration=20"],
                env=native_env(), text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as native:
            self.left.begin("one", vkmark("vertex", 5))
            self.left.begin("two", FRAMES)
            self.right.begin("one", FRAMES)
            self.assert_ends_well(self.left, "one", r"\[vertex\].*FPS: \d")
            self.assert_ends_well(self.left, "two", "Virtio-GPU Venus")
            self.assert_ends_well(self.right, "one", "Virtio-GPU Venus")
            output, _ = native.communicate(timeout=SLOW)
        self.assertEqual(native.returncode, 0, output)
        self.assertRegex(output, r"FPS: [1-9]")
        self.assert_cube_turns("left")

    def test_05_framebuffer_is_a_limit(self):
        """For the guest whose it is, and for no other."""
        self.left.check("systemctl stop cube.service")
        start_cube(self.right)
        quota = f"exec /run/vulkan-quota {FRAMEBUFFER_MIB} {DESKTOP_MIB}"
        self.left.begin("quota", quota)
        self.right.begin("compute", "exec /run/vulkan-compute")
        self.assert_ends_well(self.left, "quota", '"pieces": ')
        self.assert_ends_well(self.right, "compute", '"mib": 64')
        self.assert_cube_turns("right")
        self.right.check("systemctl stop cube.service")
        self.left.check("/run/vulkan-hello", SLOW)

    def test_06_every_scene_of_vkmark(self):
        for scene in SCENES:
            with self.subTest(scene=scene):
                self.left.begin("vkmark", vkmark(scene))
                self.assert_ends_well(self.left, "vkmark",
                                      rf"\[{scene}\].*FPS: \d")

    def test_07_opengl_through_zink(self):
        software = "llvmpipe" in self.left.check("cat /run/vulkan-device")
        for scene in GL_SCENES:
            with self.subTest(scene=scene):
                self.left.begin(
                    "glmark2", f"{GL_SOFTWARE if software else ''} "
                    "glmark2-es2-wayland -s 400x300 "
                    f"-b {scene}:duration=1")
                self.assert_ends_well(
                    self.left, "glmark2",
                    r"(?s)GL_RENDERER: +zink .*Virtio-GPU Venus.*FPS: \d")

    def test_08_desktops_live(self):
        for name in self.vms:
            self.assert_desktop_lives(name)
            self.assertEqual(self.manager.vgpu(name)["restarts"], 0)
            self.wait_contexts(name, 0)


if __name__ == "__main__":
    vulkan.main()
