# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud, its probe and its devices on GPUs that are not like the software one."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import unittest

SOURCE = os.environ["VGPU_SOURCE"]
for folder in ("lab", "tests/manager"):
    sys.path.insert(0, os.path.join(SOURCE, folder))

# pylint: disable=wrong-import-position
import gpus  # noqa: E402
import harness  # noqa: E402
from vtest import VENUS, native_env  # noqa: E402

TIMEOUT = 120


class Gpus(harness.ManagerTest):
    def begin(self, kind, folder=None):
        folder = folder or self.enterContext(
            tempfile.TemporaryDirectory(prefix="gpu-"))
        os.chmod(folder, 0o755)
        environment = gpus.layer_environment(folder, kind)
        for name, value in environment.items():
            self.assertNotIn(name, os.environ)
            os.environ[name] = value
            self.addCleanup(os.environ.pop, name)
        manager = self.manager(mib=512, probe=None)
        manager.helper("vgpu-launch", gpus.launch_script(environment))
        manager.restart()
        return manager

    def program_environment(self, vgpu):
        return {**native_env(VENUS), "VN_DEBUG": "vtest",
                "VTEST_SOCKET_NAME": vgpu["socket"],
                "VN_PERF": "no_async_mem_alloc"}

    def run_program(self, vgpu, *command):
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=TIMEOUT, check=False,
            env=self.program_environment(vgpu))
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def test_vgpus(self):
        m = self.begin("takes-files")
        gpu = m.gpu("gpu1")
        self.assertEqual(
            (gpu["name"], gpu["software"], gpu["provider"], gpu["memoryImport"]),
            ("Test GPU that takes files", False, "mediated", "host-pointer"))
        # An eighth of its memory is the host's.
        self.assertEqual((gpu["memoryMib"], gpu["framebufferMib"], gpu["freeMib"]),
                         (2048, 1792, 1792))
        self.assertNotIn("unusable", gpu)
        self.assertEqual((gpu["scheduler"], gpu["timeSliceMs"]), ("best-effort", 5))
        uuid = gpus.device_uuid()
        for name in (uuid.upper(), "test gpu that takes files"):
            m.call("Destroy", vgpu=m.create(type="128MB", gpu=name))
        self.assert_refused("NoSuchGpu", m.create, type="128MB", gpu=uuid[:-1])
        # It comes before the embedded one, in containers and for VMs.
        m.create(type="256MQ", name="c", container=True)
        m.create(type="256MQ", name="d")
        vgpu = m.show("c")
        self.assertEqual((vgpu["gpu"], vgpu["state"]), ("gpu1", "active"))
        self.assertEqual((m.show("d")["gpu"], m.show("d")["state"]),
                         ("gpu1", "active"))
        said = json.loads(self.run_program(
            vgpu, os.path.join(gpus.HERE, "gpu-memory"), "256"))
        self.assertEqual([have[0] for have in said["types"]],
                         gpus.KINDS["takes-files"][1])
        m.restart()
        self.assertEqual(m.gpu("gpu1")["freeMib"], 1792 - 512)
        self.run_program(vgpu, os.path.join(
            gpus.BUILD, "tests", "render", "vtest", "vulkan-compute"))
        for _ in range(5):
            m.create(type="256MQ", gpu="gpu1")
        self.assert_refused("NoRoom", m.create, type="256MQ", gpu="gpu1")
        self.assertEqual(m.show(m.create(type="256MQ"))["gpu"], "embedded")
        harness.wait_for(lambda: m.show("c")["state"] == "active", "its program to go")
        m.call("Destroy", vgpu="c")
        self.assertEqual(m.gpu("gpu1")["freeMib"], 256)

    def events(self, m, name):
        return [(event.get("name", ""), event["text"])
                for event in m.events() if event["event"] == name]

    def start_endless(self, vgpu, scene="clear"):
        program = subprocess.Popen(
            ["vkmark", "--winsys", "headless", "--size", "200x150",
             "-b", f"{scene}:duration=100000"], text=True,
            env=self.program_environment(vgpu), stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        return program

    def measure_share(self, m, name, seconds=10):
        """Of the GPU's time that passes, what part the vGPU's work takes."""
        def look():
            # It is counted in vgpud once a second.
            last = m.show(name).get("graphicsNs")
            harness.wait_for(lambda: m.show(name).get("graphicsNs") != last, "its work")
            return time.monotonic(), m.show(name)["graphicsNs"]
        began, used = look()
        time.sleep(seconds)
        ended, used_then = look()
        return (used_then - used) / 1e9 / (ended - began)

    def test_share(self):
        """A scheduler limits GPU time, as it is measured on the GPU, at once."""
        m = self.begin("takes-files")
        for name in "a", "b":
            m.create(type="256MQ", name=name, container=True, gpu="gpu1")
        self.start_endless(m.show("a"), "shading")
        self.assertGreater(self.measure_share(m, "a", 3), 0.3)
        # Its framebuffer's part: 256 of 1792 MiB.
        m.call("SetScheduler", gpu="gpu1", scheduler="fixed-share")
        self.assertEqual(m.show("a")["grantedPpm"], 142857)
        time.sleep(2)
        self.assertTrue(0.07 < self.measure_share(m, "a") < 0.153)
        # It stays so without its device process, and with another vgpud.
        os.kill(m.show("a")["devicePid"], signal.SIGKILL)
        harness.wait_for(lambda: m.show("a")["state"] == "active", "its successor")
        m.restart()
        self.start_endless(m.show("a"), "shading")
        harness.wait_for(lambda: m.show("a").get("submits", 0) > 10, "it to draw")
        self.assertTrue(0.07 < self.measure_share(m, "a") < 0.153)
        m.call("Modify", vgpu="a", weight=4 * m.show("a")["weight"])
        time.sleep(2)
        self.assertTrue(0.2 < self.measure_share(m, "a", 5) < 0.581)
        m.call("SetScheduler", gpu="gpu1", scheduler="equal-share")
        self.assertEqual(m.show("a")["grantedPpm"], 500000)
        # Alone on the GPU there is nobody to share with.
        m.call("Destroy", vgpu="b")
        self.assertEqual(m.show("a")["grantedPpm"], 1000000)
        self.assertEqual(m.show("a")["state"], "attached")

    def test_lost(self):
        """The driver loses the GPU under two vGPUs: both are told, and go on."""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        fate = gpus.Fate(folder, "takes-files")
        m = self.begin("takes-files", folder)
        for name in "a", "b":
            m.create(type="256MQ", name=name, container=True, gpu="gpu1")
        pids = {name: m.show(name)["devicePid"] for name in ("a", "b")}
        programs = [self.start_endless(m.show(name)) for name in ("a", "b")]
        harness.wait_for(lambda: all(m.show(name).get("submits", 0) > 10
                                     for name in ("a", "b")), "both to draw")
        fate.reset()
        for program in programs:
            program.wait(TIMEOUT)
        harness.wait_for(lambda: self.events(m, "gpu-found") and
                         len(self.events(m, "gpu-lost")) >= 3, "an answer")
        told = self.events(m, "gpu-lost")
        self.assertEqual({name for name, _ in told}, {"", "a", "b"}, told)
        self.assertEqual([text for _, text in self.events(m, "gpu-found")],
                         ["gpu1 (Test GPU that takes files) works: its vGPUs go on"])
        # The same vGPUs, for programs that start now.
        for name in "a", "b":
            self.run_program(m.show(name), os.path.join(
                gpus.BUILD, "tests", "render", "vtest", "vulkan-compute"))
            self.assertEqual(m.show(name)["devicePid"], pids[name])
            harness.wait_for(lambda name=name: {
                "what": "device", "count": 1} in m.show(name)["contextsLost"],
                "its count")

    def test_lost_by_who_leaves(self):
        """A program ends as soon as it sees a loss: the device, which is stopped
        meanwhile, finds it gone and hears of the loss for all that."""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        fate = gpus.Fate(folder, "takes-files")
        m = self.begin("takes-files", folder)
        m.create(type="256MQ", name="a", container=True, gpu="gpu1")
        pid = m.show("a")["devicePid"]
        for lost in range(1, 6):
            submits = m.show("a").get("submits", 0)
            program = self.start_endless(m.show("a"))
            harness.wait_for(lambda submits=submits: m.show("a").get(
                "submits", 0) > submits + 30, "it to draw")
            os.kill(pid, signal.SIGSTOP)
            fate.reset()
            # vgpud ends a device that does not answer for 5 s.
            end = time.monotonic() + 3
            while time.monotonic() < end and program.poll() is None:
                time.sleep(0.01)
            os.kill(pid, signal.SIGCONT)
            program.wait(TIMEOUT)
            harness.wait_for(lambda: m.show("a").get("contexts", 0) == 0, "its end")
            harness.wait_for(lambda lost=lost: {
                "what": "device", "count": lost} in m.show("a")["contextsLost"],
                "its count")
        self.assertEqual(m.show("a")["devicePid"], pid)

    def test_gone(self):
        """It does not return for a while: no other vGPU is made on it."""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        fate = gpus.Fate(folder, "takes-files")
        m = self.begin("takes-files", folder)
        m.create(type="256MQ", name="a", container=True, gpu="gpu1")
        fate.become(True)
        program = self.start_endless(m.show("a"))
        program.wait(TIMEOUT)
        harness.wait_for(lambda: "unusable" in m.gpu("gpu1"), "it to be unusable")
        self.assertIn("its driver lost it: ", m.gpu("gpu1")["unusable"])
        self.assertIn("its context is lost: the host has no GPU", m.log())
        self.assert_refused("GpuUnusable", m.create, type="256MQ", gpu="gpu1")
        self.assertEqual(m.show("a")["state"], "active")
        fate.reset()
        harness.wait_for(lambda: "unusable" not in m.gpu("gpu1"), "its return")
        self.run_program(m.show("a"), os.path.join(
            gpus.BUILD, "tests", "render", "vtest", "vulkan-compute"))
        m.call("Destroy", vgpu=m.create(type="256MQ", gpu="gpu1"))

    def test_arrives(self):
        """Its driver is loaded late: vGPUs that wait for it start by themselves."""
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="gpu-"))
        devices = self.enterContext(tempfile.TemporaryDirectory(prefix="dev-"))
        fate = gpus.Fate(folder, "takes-files")
        m = self.begin("takes-files", folder)
        arguments = m.arguments()
        m.arguments = lambda: [*arguments, "--devices", devices]
        m.create(type="256MQ", name="a", gpu="gpu1")
        m.create(type="256MQ", name="b", gpu="gpu1", container=True)
        for name in "c", "d":
            m.create(type="256MQ", name=name, gpu="gpu1", autostart=False)
        m.call("Stop", vgpu="d")
        pids = [m.show(name)["devicePid"] for name in ("a", "c")]
        m.kill(signal.SIGTERM)
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        fate.become(gpus.UNPLUGGED)
        m.start()
        self.assertRaises(AssertionError, m.gpu, "gpu1")
        self.assertIn("its GPU gpu1 is gone", m.show("a")["failure"])
        self.assert_refused("GpuUnusable", m.call, "Start", vgpu="d")
        # A node of another device is nothing; one of a GPU is looked at.
        os.mkdir(os.path.join(devices, "input"))
        fate.reset()
        os.mkdir(os.path.join(devices, "dri"))
        harness.wait_for(lambda: self.events(m, "gpu-found"), "the GPU")
        for name in "a", "b":
            harness.wait_for(lambda name=name: m.show(name)["state"] == "active",
                             f"{name} to start")
        self.run_program(m.show("b"), os.path.join(
            gpus.BUILD, "tests", "render", "vtest", "vulkan-compute"))
        m.call("Start", vgpu="d")
        self.assertEqual(m.gpu("gpu1")["freeMib"], 1792 - 3 * 256)
        # It is unplugged, and nobody uses it: it is missed all the same.
        fate.become(gpus.UNPLUGGED)
        node = os.path.join(devices, "dri", "renderD128")
        with open(node, "wb"):
            pass
        harness.wait_for(lambda: "unusable" in m.gpu("gpu1"), "it to be missed")
        self.assertIn("it is not there any more", m.gpu("gpu1")["unusable"])
        fate.reset()
        os.unlink(node)
        harness.wait_for(lambda: "unusable" not in m.gpu("gpu1"), "its return")
        self.assertEqual([text for _, text in self.events(m, "gpu-found")],
                         ["gpu1 (Test GPU that takes files) is there, for vGPUs with 2048 MiB",
                          "gpu1 (Test GPU that takes files) works: its vGPUs go on"])
        # Without a node to see: by a reload.
        fate.become(gpus.UNPLUGGED)
        m.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: "unusable" in m.gpu("gpu1"), "it to be missed")

    @unittest.skipIf(os.path.exists("/dev/udmabuf"), "it can be imported here")
    def test_no_way(self):
        m = self.begin("refuses-files")
        gpu = m.gpu("gpu1")
        self.assertEqual(gpu["memoryImport"], "none")
        for part in ("host-pointer: VkResult", "/dev/udmabuf: No such file"):
            self.assertIn(part, gpu["unusable"])
        self.assert_refused("GpuUnusable", m.create, type="128MB", gpu="gpu1")


if __name__ == "__main__":
    unittest.main()
