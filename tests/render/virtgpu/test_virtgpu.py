#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mesa's drivers for guests, with their own back end for the kernel's virtio-gpu
driver, on a vGPU: programs of ours, as tests/render/vtest runs them."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import Vtest, has_vtest, native_env

PROGRAMS = os.path.join(os.environ["VGPU_BUILD"], "tests", "render", "vtest")
QUOTA_MIB = 256
TIMEOUT = 120


class Test(unittest.TestCase):
    """All on one vGPU."""

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Vtest(QUOTA_MIB))

    def tearDown(self):
        self.assertIsNone(self.server.process.poll(),
                          f"the device ended: {self.server.log()}")

    def run_program(self, env, name, *args):
        """A program must succeed; returns its output."""
        done = subprocess.run(
            [os.path.join(PROGRAMS, f"vulkan-{name}"), *args], env=env, text=True,
            stdin=subprocess.DEVNULL, capture_output=True, timeout=TIMEOUT,
            check=False)
        self.assertEqual(done.returncode, 0,
                         f"{done.stderr}the device says: {self.server.log()}")
        return json.loads(done.stdout)


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


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
