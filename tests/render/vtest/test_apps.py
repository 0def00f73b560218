# SPDX-License-Identifier: GPL-2.0-or-later
"""Every scene of vkmark on a vGPU, under Vulkan's validation on the host."""

import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import Vtest, has_vtest, native_env

SCENES = ("vertex", "texture", "shading", "effect2d", "desktop", "cube",
          "clear")
LAYER = "VK_LAYER_KHRONOS_validation"
HERE = os.path.join(os.environ["VGPU_BUILD"], "tests", "render", "vtest")
BENCH = os.path.join(os.environ["VGPU_BUILD"], "bench", "vulkan")
TIMEOUT = 300


# Vulkan has no image that is both imported and preinitialized, and vkmark has
# preinitialized ones: see is_image_external() in render/vulkan/memory.c.
PREINITIALIZED = ("VUID-VkBindImageMemoryInfo-memory-02989",)


class Apps(unittest.TestCase):
    """Applications; the device's log has messages of the validation layer."""

    @classmethod
    def setUpClass(cls):
        # The render processes inherit the device's environment.
        cls.server = cls.enterClassContext(
            Vtest(1024, environment={"VK_INSTANCE_LAYERS": LAYER}))

    @staticmethod
    def errors(said):
        """The first lines of each rule that was broken."""
        return {rule: text[:600] for rule, text in
                re.findall(r"Validation Error: \[ (\S+) \](.*?)(?=Validation|$)",
                           said, re.DOTALL)}

    def run_clean(self, command, known=()):
        before = len(self.server.log())
        done = subprocess.run(command, env=self.server.env(), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT, check=False)
        said = self.server.log()[before:]
        self.assertEqual(done.returncode, 0,
                         f"{done.stdout[-500:]}{done.stderr[-500:]}{said}")
        errors = self.errors(said)
        self.assertEqual({rule: text for rule, text in errors.items()
                          if rule not in known}, {})
        self.assertNotIn("is lost", said)
        return done.stdout

    def test_vkmark(self):
        for scene in SCENES:
            with self.subTest(scene=scene):
                out = self.run_clean(["vkmark", "--winsys", "headless", "-b",
                                      f"{scene}:duration=2"], PREINITIALIZED)
                self.assertRegex(out, rf"\[{scene}\].*FPS: [1-9]")

    def test_compute(self):
        self.run_clean([os.path.join(HERE, "vulkan-compute")])

    def test_quota(self):
        self.run_clean([os.path.join(HERE, "vulkan-quota"), "1024"])

    def test_draws(self):
        for args in ((), ("--secondary",)):
            with self.subTest(args=args):
                self.run_clean([os.path.join(BENCH, "vulkan-draw"), *args])

    def test_two_apps_and_the_host(self):
        """Two apps of one guest, while the host uses the same GPU itself."""
        command = ["vkmark", "--winsys", "headless", "-b", "cube:duration=4"]
        apps = [subprocess.Popen(command, env=env, text=True,
                                 stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE,
                                 stderr=subprocess.STDOUT)
                for env in (self.server.env(), self.server.env(),
                            native_env())]
        for app in apps:
            out, _ = app.communicate(timeout=TIMEOUT)
            self.assertEqual(app.returncode, 0, out[-500:])
            self.assertTrue(re.search(r"FPS: [1-9]", out), out)


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
