# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest with Mesa's two drivers, on a vGPU that offers both wires."""

import json

import vulkan
from vulkan import BUILD, SLOW, VulkanTest

# The guests' image has venus alone; the lab's Mesa is the same.
LIBRARY = "libvulkan_gfxstream.so"
MANIFEST = {"file_format_version": "1.0.0",
            "ICD": {"api_version": "1.1.0", "library_path": f"/run/{LIBRARY}"}}
VENUS, GFXSTREAM = "/usr/share/vulkan/icd.d/virtio_icd.json", "/run/gfxstream.json"


class Gfxstream(VulkanTest):
    """One machine; its display is of venus, or of none."""

    MACHINES = {"one": "204060"}

    @classmethod
    def prepare(cls):
        """vgpud does not ask for it."""
        cls.use_script("vgpu-device", f'exec {BUILD}/vgpu-device --gfxstream "$@"\n')
        vulkan.PROGRAMS.append(f"/usr/lib/x86_64-linux-gnu/{LIBRARY}")

    def setUp(self):
        self.vm = self.vms["one"]
        self.vm.check(f"echo '{json.dumps(MANIFEST)}' >{GFXSTREAM}")

    def test_1_both_drivers_find_it(self):
        said = self.vm.check(
            f"VK_DRIVER_FILES={VENUS}:{GFXSTREAM} vulkaninfo --summary 2>&1", SLOW)
        self.assertIn("Virtio-GPU Venus (", said)
        self.assertIn("Virtio-GPU GFXStream (", said)
        self.assertNotIn("MESA: ", said)

    def test_2_programs(self):
        for program in ("hello", "compute", "quota 1024"):
            with self.subTest(program=program):
                self.vm.check(f"VK_DRIVER_FILES={GFXSTREAM} /run/vulkan-{program}",
                              SLOW)
        self.assertNotIn(vulkan.LOST, self.log())

    def test_3_both_at_once(self):
        self.vm.begin("other",
                      f"VK_DRIVER_FILES={GFXSTREAM} exec /run/vulkan-compute")
        self.vm.check("/run/vulkan-compute", SLOW)
        status, output = self.vm.end("other")
        self.assertEqual(status, 0, output)
        self.assertNotIn(vulkan.LOST, self.log())


if __name__ == "__main__":
    vulkan.main()
