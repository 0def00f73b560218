# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs on GPUs that are not like the software one."""

import json
import os
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))

import gpus  # noqa: E402  pylint: disable=wrong-import-position

QUOTA_MIB = int(os.environ.get("VGPU_TEST_MIB", "256"))
TIMEOUT = 120
VTEST = os.path.join(gpus.BUILD, "tests", "render", "vtest")


class Gpus(unittest.TestCase):
    def serve(self, kind, **options):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        return self.enterContext(gpus.serve(folder, kind, QUOTA_MIB, **options))

    def start(self, server, *command):
        return subprocess.Popen(
            command, env=server.env(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, server, program):
        said = program.communicate(timeout=TIMEOUT)[0]
        self.assertEqual(program.returncode, 0, said + server.log())
        return said

    def run_program(self, server, *command):
        return self.finish(server, self.start(server, *command))

    def check_log(self, server):
        """No context is lost. In a chroot less of the sandbox can be had."""
        for line in server.log().splitlines():
            self.assertRegex(line, "^vgpu-device vgpu: the .* is shut in less: ")

    def test_memory(self):
        """Types and heaps are a guest's, and the quota is one of all of them."""
        for kind, (_, flags) in gpus.KINDS.items():
            with self.subTest(kind=kind):
                server = self.serve(kind)
                for _ in range(2):
                    said = json.loads(self.run_program(
                        server, os.path.join(gpus.HERE, "gpu-memory"),
                        str(QUOTA_MIB)))
                    self.assertEqual([have[0] for have in said["types"]], flags)
                    self.assertEqual(said["heaps"], [QUOTA_MIB, QUOTA_MIB // 2])
                self.check_log(server)

    def test_programs(self):
        """What the other programs of the tests do works there too."""
        for kind in gpus.KINDS:
            with self.subTest(kind=kind):
                server = self.serve(kind)
                programs = [self.start(server, os.path.join(VTEST, "vulkan-compute"))
                            for _ in range(2)]
                for program in programs:
                    self.finish(server, program)
                self.run_program(server, os.path.join(gpus.HERE, "gpu-batches"))
                said = self.run_program(
                    server, "vkmark", "--winsys", "headless", "--size", "200x150",
                    *(word for scene in ("vertex", "texture", "shading",
                                         "effect2d", "desktop", "cube", "clear")
                      for word in ("-b", f"{scene}:duration=0.2")))
                self.assertIn("Virtio-GPU Venus (Test GPU", said)
                self.check_log(server)

    @unittest.skipIf(os.path.exists("/dev/udmabuf"), "it can be imported here")
    def test_no_way(self):
        """A GPU that takes no memory of ours is refused, with the reason."""
        for kind, reason in (("refuses-files", "host-pointer: VkResult -1000072003"),
                             ("no-pointers", "VK_EXT_external_memory_host")):
            server = self.serve(kind, has_udmabuf=False)
            program = self.start(server, "vulkaninfo", "--summary")
            program.communicate(timeout=TIMEOUT)
            self.assertIn(reason, server.log())
            self.assertIn("/dev/udmabuf: No such file", server.log())


@unittest.skipUnless(os.path.exists("/dev/udmabuf"), "no dma-bufs here")
class Doctor(unittest.TestCase):
    LIMIT = "/sys/module/udmabuf/parameters/size_limit_mb"

    def doctor(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        return subprocess.run(
            [os.path.join(gpus.BUILD, "vgpuctl"), "doctor"], text=True,
            env={**os.environ, **gpus.layer_environment(folder, "no-pointers"),
                 "VK_DRIVER_FILES": gpus.NATIVE},
            stdout=subprocess.PIPE, timeout=TIMEOUT, check=False).stdout

    def test_size_limit(self):
        """What is larger than a dma-buf may be is told before it is missed."""
        for limit, warns in (("64", True), ("2147483647", False)):
            with open(self.LIMIT, "w", encoding="ascii") as file:
                file.write(limit)
            said = self.doctor()
            self.assertIn("imported (udmabuf)", said)
            self.assertEqual("of more than 64 MiB fails" in said, warns, said)


if __name__ == "__main__":
    unittest.main()
