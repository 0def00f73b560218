#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mesa's drivers for guests, with their own back end for the kernel's virtio-gpu
driver, on a vGPU: programs of ours, as tests/render/vtest runs them."""

import json
import os
import re
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import GFXSTREAM, VENUS, Vtest, has_vtest, native_env, vulkaninfo

BENCH = os.path.join(os.environ["VGPU_BUILD"], "bench", "vulkan")
PROGRAMS = os.path.join(os.environ["VGPU_BUILD"], "tests", "render", "vtest")
QUOTA_MIB = 256
TIMEOUT = 120


class Test(unittest.TestCase):
    """All on one vGPU."""

    options = ()

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Vtest(
            command=["vgpu-device", "--vtest", "{socket}", "--framebuffer-mib",
                     str(QUOTA_MIB), *cls.options]))

    def tearDown(self):
        self.assertIsNone(self.server.process.poll(),
                          f"the device ended: {self.server.log()}")

    def finish(self, program):
        """Wait for a program, which must succeed; returns its output."""
        try:
            out, err = program.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
            self.fail(f"hangs; the device says: {self.server.log()}")
        self.assertEqual(program.returncode, 0,
                         f"{err}the device says: {self.server.log()}")
        return json.loads(out)

    @staticmethod
    def start(env, name, *args, folder=PROGRAMS):
        return subprocess.Popen(
            [os.path.join(folder, f"vulkan-{name}"), *args], env=env, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE)

    def run_program(self, env, name, *args, folder=PROGRAMS):
        return self.finish(self.start(env, name, *args, folder=folder))


class Venus(Test):
    """The wire that tests/render/vtest has, by the other door."""

    def env(self):
        return self.server.virtgpu_env(VN_PERF="no_async_mem_alloc")

    def test_hello(self):
        self.run_program(self.env(), "hello")

    def test_compute(self):
        self.run_program(self.env(), "compute")

    def test_copies_by_the_host(self):
        wanted = self.run_program(native_env(), "copies")
        self.assertEqual(self.run_program(self.env(), "copies"), wanted)

    def test_quota(self):
        pieces = self.run_program(self.env(), "quota", str(QUOTA_MIB))["pieces"]
        self.assertLessEqual(pieces * 16, QUOTA_MIB)

    def test_the_other_driver_steps_aside(self):
        """It is not offered here: a guest with both drivers has one GPU, and nothing
        to read of the other."""
        both = self.server.virtgpu_env(f"{VENUS}:{GFXSTREAM}")
        done = subprocess.run(["vulkaninfo", "--summary"], env=both, text=True,
                              capture_output=True, timeout=TIMEOUT, check=True)
        self.assertEqual(len(re.findall("^GPU", done.stdout, re.M)), 1)
        self.assertIn("Virtio-GPU Venus", done.stdout)
        self.assertNotIn("MESA", done.stderr)


class Gfxstream(Test):
    """Mesa's other driver for guests, as Debian ships it."""

    options = ("--gfxstream",)

    def env(self):
        return self.server.virtgpu_env(GFXSTREAM)

    def test_hello(self):
        self.run_program(self.env(), "hello")

    def test_compute(self):
        self.run_program(self.env(), "compute")

    def test_draws(self):
        for args in ((), ("--secondary",)):
            with self.subTest(args=args):
                self.run_program(self.env(), "draw", "--frames", "20", *args, folder=BENCH)

    def test_quota(self):
        """An allocation past the framebuffer fails in the program, which goes on;
        and its memory is free again."""
        for _ in range(2):
            pieces = self.run_program(self.env(), "quota", str(QUOTA_MIB))["pieces"]
            self.assertLessEqual(pieces * 16, QUOTA_MIB)
            self.assertGreater(pieces * 16, QUOTA_MIB // 2)
        self.assertNotIn("is lost", self.server.log())

    def test_killed(self):
        for _ in range(3):
            victim = self.start(self.env(), "compute")
            try:
                victim.wait(0.5)
            except subprocess.TimeoutExpired:
                victim.kill()
            victim.communicate()
        self.run_program(self.env(), "quota", str(QUOTA_MIB))

    def test_a_program_on_each_wire(self):
        both = [self.start(env, "compute") for env in
                (self.env(), self.server.virtgpu_env())]
        for program in both:
            self.finish(program)

    def test_limits_are_the_hosts(self):
        host, guest = (
            vulkaninfo(env)["properties"]["VkPhysicalDeviceProperties"]["limits"]
            for env in (native_env(), self.env()))
        self.assertGreater(len(host), 100)
        self.assertEqual(guest, host)


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
