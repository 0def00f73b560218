# SPDX-License-Identifier: GPL-2.0-or-later
"""Vulkan programs of ours on a vGPU, each on its own and side by side."""

import json
import os
import subprocess
import sys
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import ZINK, Vtest, has_vtest, native_env

HERE = os.path.join(os.environ["VGPU_BUILD"], "tests", "render", "vtest")
SOURCE = os.path.dirname(os.path.abspath(__file__))
QUOTA_MIB = 256
TIMEOUT = 120
CONTEXTS = 30


def start(env, name, *args):
    return subprocess.Popen(
        [os.path.join(HERE, f"vulkan-{name}"), *args], env=env, text=True,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE)


class Test(unittest.TestCase):
    """All on one vGPU."""

    environment = {}

    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(
            Vtest(QUOTA_MIB, environment=cls.environment))

    def tearDown(self):
        self.assertIsNone(self.server.process.poll(),
                          f"the device ended: {self.server.log()}")

    def finish(self, program):
        """Wait for a program, which must succeed; return its output."""
        try:
            out, err = program.communicate(timeout=TIMEOUT)
        except subprocess.TimeoutExpired:
            program.kill()
            program.communicate()
            self.fail(f"hangs; the device says: {self.server.log()}")
        self.assertEqual(program.returncode, 0,
                         f"{err}the device says: {self.server.log()}")
        return json.loads(out)


class Programs(Test):
    def test_compute_natively(self):
        self.finish(start(native_env(), "compute"))

    def test_compute(self):
        self.finish(start(self.server.env(), "compute"))

    def test_copies_by_the_host(self):
        """Vulkan 1.4: as natively, for the same formats."""
        wanted = self.finish(start(native_env(), "copies"))
        # lavapipe has none of the three with depth.
        self.assertGreaterEqual(wanted["cases"], 5)
        self.assertEqual(wanted["version"], "1.4")
        self.assertEqual(self.finish(start(self.server.env(), "copies")), wanted)

    def test_large_texture(self):
        """OpenGL by Zink: more pixels than a command may have. What it does with
        copies by the host is up to what it is told of them."""
        with Vtest(1024) as server:
            program = subprocess.Popen(
                [sys.executable, os.path.join(SOURCE, "texture.py"), "4096"],
                env={**server.env(), **ZINK, "EGL_PLATFORM": "surfaceless"}, text=True, stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            said = self.finish(program)
            self.assertEqual(server.log(), "")
        self.assertRegex(said["renderer"], "zink.*Venus")
        self.assertEqual(said["pixel"], "07070707")

    def test_two_at_once(self):
        programs = [start(self.server.env(), "compute") for _ in range(2)]
        for program in programs:
            self.finish(program)

    def test_quota(self):
        pieces = self.finish(
            start(self.server.env(), "quota", str(QUOTA_MIB)))["pieces"]
        self.assertLessEqual(pieces * 16, QUOTA_MIB)

    def test_quota_while_the_guest_does_not_ask(self):
        """Mesa's default: it does not wait for the result of an allocation.
        The program may fail; its memory is free again."""
        greedy = start({**self.server.env(), "VN_PERF": ""}, "quota",
                       str(QUOTA_MIB))
        greedy.communicate(timeout=TIMEOUT)
        self.finish(start(self.server.env(), "quota", str(QUOTA_MIB)))

    def test_killed(self):
        for _ in range(3):
            victim = start(self.server.env(), "compute")
            try:
                victim.wait(0.7)
            except subprocess.TimeoutExpired:
                victim.kill()
            victim.communicate()
        self.finish(start(self.server.env(), "quota", str(QUOTA_MIB)))

    def test_many_contexts(self):
        """One after the other, as they come and go in a long day."""
        for i in range(CONTEXTS):
            with self.subTest(i=i):
                self.finish(start(self.server.env(), "hello"))


class Slow(Test):
    """More than three seconds of work loses the context; these programs do
    less."""

    environment = {"VGPU_WORK_SECONDS_MAX": "3"}

    def test_work_that_waits_for_the_program(self):
        self.finish(start(self.server.env(), "late", "8"))


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
