# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock Mesa's venus driver over vtest, with the real render process."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

import client as vt

ICD = "/usr/share/vulkan/icd.d/virtio_icd.json"
TOOLS = ("vulkaninfo", "vkmark")
MIB = 1 << 20
LONG = 300  # of a whole program, sanitized and on a busy machine


class MesaTest(vt.Test):
    render = None
    args = ("--framebuffer-mib", "320")

    def setUp(self):
        super().setUp()
        self.environment = dict(os.environ, VN_DEBUG="vtest", VK_DRIVER_FILES=ICD,
                                VTEST_SOCKET_NAME=self.device.path,
                                XDG_RUNTIME_DIR=self.device.folder.name)

    def start(self, *args):
        return subprocess.Popen(args, env=self.environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def run_program(self, *args):
        got = subprocess.run(args, env=self.environment, capture_output=True,
                             text=True, timeout=LONG, check=False)
        self.assertEqual(got.returncode, 0,
                         got.stdout + got.stderr + self.device.said())
        return got.stdout

    def mark(self, *scenes, size="200x150"):
        args = ["vkmark", "--winsys", "headless", "--size", size]
        for scene in scenes:
            args += ["-b", scene]
        return args


class Mesa(MesaTest):
    def test_vulkaninfo(self):
        said = self.run_program("vulkaninfo")
        self.assertRegex(said, r"deviceName *= Virtio-GPU Venus \(")
        self.assertRegex(said, r"driverID *= DRIVER_ID_MESA_VENUS")
        heaps = re.findall(r"memoryHeaps\[\d+\]:\s+size *= (\d+)", said)
        self.assertIn(str(320 * MIB), heaps)
        self.assertEqual(self.device.said(), "")

    def test_vulkan_version(self):
        self.assertRegex(self.run_program("vulkaninfo", "--summary"),
                         r"apiVersion *= 1\.4\.")

    def test_every_scene(self):
        scenes = [f"{scene}:duration=0.3" for scene in
                  ("vertex", "texture", "shading", "effect2d", "desktop", "cube",
                   "clear")]
        said = self.run_program(*self.mark(*scenes))
        for scene in scenes:
            # How many frames is a matter of what else the machine does.
            self.assertRegex(said, re.escape(f"[{scene[:4]}") + r".*FPS: \d")
        self.assertIn("Virtio-GPU Venus", said)
        self.assertEqual(self.device.said(), "")

    def start_endless(self):
        """A program that draws until it is killed, and its context."""
        spares = self.device.spares()
        program = self.start(*self.mark("cube:duration=100000"))
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)

        def contexts():
            # It takes the spare. Without one it is the first process of all;
            # the next is a spare, which has no name at the beginning.
            return [child for child in self.device.children()
                    if child in spares or not spares]
        self.until(lambda: contexts() and self.device.spares(),
                   "its context, and a spare for the next")
        return program, contexts()[0]

    def test_two_at_once(self):
        endless, context = self.start_endless()
        programs = [self.start(*self.mark("cube:duration=1")) for _ in range(2)]
        for program in programs:
            said = program.communicate(timeout=LONG)[0]
            self.assertEqual(program.returncode, 0, said + self.device.said())
        # This one was there all the time.
        self.assertIsNone(endless.poll(), self.device.said())
        self.assertIn(context, self.device.children())
        endless.kill()

    def test_program_dies(self):
        for number in (signal.SIGKILL, signal.SIGSEGV):
            program = self.start(*self.mark("cube:duration=1000"))
            self.until(self.device.children, "its context")
            time.sleep(0.3)  # somewhere in the middle; anywhere will do
            program.send_signal(number)
            program.communicate(timeout=LONG)
            self.until(lambda: not self.device.children(), "it is gone")
        self.run_program("vulkaninfo", "--summary")

    def test_context_dies(self):
        program, context = self.start_endless()
        other, its = self.start_endless()
        time.sleep(0.5)  # somewhere in the middle; anywhere will do
        os.kill(context, signal.SIGKILL)
        self.until(lambda: program.poll() is not None, "it has noticed")
        self.assertIn("signal 9", self.device.said())
        self.assertIsNone(other.poll())
        self.assertIn(its, self.device.children())
        other.kill()
        self.run_program("vulkaninfo", "--summary")

    def test_framebuffer_has_an_end(self):
        # Its swapchain alone is larger than this vGPU. Venus does not wait to
        # see whether memory is there, unless it is told to.
        for perf, why in ((None, "client"), ("no_async_mem_alloc", None)):
            if perf:
                self.environment["VN_PERF"] = perf
            before = len(self.device.said())
            got = subprocess.run(self.mark("cube:duration=1", size="12000x9000"),
                                 env=self.environment, capture_output=True,
                                 text=True, timeout=LONG, check=False)
            self.assertNotEqual(got.returncode, 0)
            said = self.device.said()[before:]
            if why:
                self.assertIn(why, said)
            else:
                self.assertEqual(said, "")
            self.run_program(*self.mark("cube:duration=0.3"))


class NoSyncFiles(MesaTest):
    """A driver without sync files, as lavapipe before Mesa 25.1: semaphores that
    a window system signals are signalled by the queue."""

    def setUp(self):
        # Where any user finds it: no render process is root.
        folder = tempfile.mkdtemp(prefix="vtest-render.")
        self.addCleanup(shutil.rmtree, folder)
        os.chmod(folder, 0o755)
        shim = shutil.copy(os.path.join(
            vt.BUILD, "tests", "device", "vtest", "libno-sync-files.so"), folder)
        program = shutil.copy(os.path.join(vt.BUILD, "vgpu-render"), folder)
        self.render = os.path.join(folder, "render.sh")
        with open(self.render, "w", encoding="ascii") as script:
            script.write(
                f"#!/bin/sh\nLD_PRELOAD={shim} ASAN_OPTIONS=$ASAN_OPTIONS:"
                f"verify_asan_link_order=0 exec {program} \"$@\"\n")
        super().setUp()

    def test_vulkan_version(self):
        self.assertRegex(self.run_program("vulkaninfo", "--summary"),
                         r"apiVersion *= 1\.4\.")

    def test_window_system(self):
        """Each frame waits for a semaphore that the swapchain signals."""
        self.run_program(*self.mark("cube:duration=1", "clear:duration=0.3"))
        self.assertEqual(self.device.said(), "")


def can_run():
    return os.path.exists(ICD) and all(shutil.which(tool) for tool in TOOLS)


if __name__ == "__main__":
    if not can_run():
        print("no venus driver, vulkaninfo or vkmark here")
        sys.exit(77)
    unittest.main()
