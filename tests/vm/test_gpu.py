# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine whose vGPU is on a GPU with memory of its own (tests/gpu)."""

import os
import re
import sys

import vulkan
from vulkan import SLOW, VulkanTest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "tests", "gpu"))

# pylint: disable=wrong-import-position
import gpus  # noqa: E402
from gpu import start_cube  # noqa: E402


class Gpu(VulkanTest):
    MACHINES = {"one": "204060"}

    @classmethod
    def prepare(cls):
        os.chmod(cls.folder, 0o755)
        environment = gpus.layer_environment(cls.folder, "takes-files")
        programs = os.path.join(cls.folder, "programs")
        os.mkdir(programs)
        for name in "vgpu-probe", "vgpu-vnc", "vgpu-device":
            os.symlink(os.path.join(vulkan.BUILD, name),
                       os.path.join(programs, name))
        path = os.path.join(programs, "vgpu-launch")
        with open(path, "w", encoding="ascii") as file:
            file.write(gpus.launch_script(environment))
        os.chmod(path, 0o755)
        os.environ.update(environment, VGPU_LIBEXECDIR=programs)

    def test_1_is_on_it(self):
        vgpu = self.manager.vgpu("one")
        self.assertEqual((vgpu["gpu"], vgpu["state"]), ("gpu1", "attached"))

    def test_2_memory(self):
        """The guest sees its framebuffer, and can have all of it once."""
        vm = self.vms["one"]
        said = vm.check("vulkaninfo 2>&1 | grep -A1 -e deviceName -e 'memoryHeaps.[01]'",
                        SLOW)
        self.assertIn("Virtio-GPU Venus (Test GPU that takes files)", said)
        self.assertEqual(re.findall(r"size *= (\d+) \(", said),
                         [str(1024 << 20), str(512 << 20)])
        vm.check("/run/gpu-memory 1024 64", SLOW)

    def test_3_programs(self):
        vm = self.vms["one"]
        start_cube(vm)
        self.assert_cube_turns("one")
        vm.check("/run/vulkan-compute", SLOW)
        self.assertNotIn(vulkan.LOST, self.log())


if __name__ == "__main__":
    vulkan.PROGRAMS.append(os.path.join(gpus.HERE, "gpu-memory"))
    vulkan.main()
