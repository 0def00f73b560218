# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud's VFIO devices, in a host that test_host.py boots: a guest without a desktop,
which two machines emulated one in the other would draw too slowly, its console and
its Vulkan, and what may happen to the processes that serve it."""

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import unittest

SOURCE = os.environ["VGPU_SOURCE"]
sys.path.insert(0, os.path.join(SOURCE, "tests/vm"))

# pylint: disable=wrong-import-position
import vulkan  # noqa: E402
from manager import Manager  # noqa: E402
from vm import GUEST  # noqa: E402

DEVICES = "/sys/bus/mdev/devices"
TYPE = "/sys/class/vgpu-mdev/vgpu_mdev/mdev_supported_types/vgpu-mdev-gpu"
OTHERS = "6ba7b811-9dad-41d1-80b4-00c04fd430c8"
FRAMEBUFFER_MIB = 1024
DEVICE_KILLS = 3
BOOT_SECONDS = 900
SLOW = vulkan.SLOW


class Guest(vulkan.VulkanGuest):
    """A guest in which nothing runs but who takes commands."""

    def _args(self):
        path = os.path.join(os.path.dirname(self.folder), "initrd")
        if not os.path.exists(path):
            self.make_initrd(path)
        arguments = super()._args()
        arguments[arguments.index("-initrd") + 1] = path
        return arguments

    @staticmethod
    def make_initrd(path):
        """The image's, and behind it an init that ends otherwise."""
        with tempfile.TemporaryDirectory() as folder:
            init = os.path.join(folder, "init")
            with open(f"{SOURCE}/lab/guest.d/init", encoding="ascii") as file:
                text = file.read()
            with open(init, "w", encoding="ascii") as file:
                file.write(text.replace("/sbin/init", "/usr/lib/openvgpu/agent"))
            os.chmod(init, 0o755)
            archive = subprocess.run(["cpio", "--quiet", "-o", "-H", "newc"], cwd=folder,
                                     input=b"init\n", stdout=subprocess.PIPE, check=True)
        with open(path, "wb") as file, open(f"{GUEST}/initrd", "rb") as image:
            shutil.copyfileobj(image, file)
            file.write(archive.stdout)


class Inside(unittest.TestCase):
    """In the order of their names, on the same guest."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vgpu-mdev.")
        cls.addClassCleanup(cls.tell_logs)
        cls.manager = Manager(cls.folder, FRAMEBUFFER_MIB)
        cls.enterClassContext(cls.manager)
        cls.manager.wait_ready()
        cls.manager.ctl("create", "--type", "1Q", "--name", "one", "--transport", "mdev")
        cls.manager.ctl("mode", "one", "1280x720")
        cls.vm = Guest(cls.manager, "one")
        cls.addClassCleanup(cls.vm.kill)
        cls.vm.start()
        cls.vm.check("mkdir -p /run/desktop", BOOT_SECONDS)
        cls.vm.unpack_programs()

    @classmethod
    def tell_logs(cls):
        for path in (cls.manager.log_path, cls.vm.qemu_log_path, cls.vm.console_path):
            with open(path, encoding="utf-8", errors="replace") as file:
                print(f"--- {path}\n{file.read()}")
        shutil.rmtree(cls.folder, ignore_errors=True)

    def wait_served(self, restarts):
        self.manager.wait_vgpu(
            "one", lambda v: v["restarts"] == restarts and v["state"] == "attached"
            and "sysfsPath" in v)

    def assert_computes(self):
        self.vm.check("/run/vulkan-compute", SLOW)

    def test_1_it_is_a_vfio_device(self):
        vgpu = self.manager.vgpu("one")
        self.assertEqual((vgpu["state"], vgpu["vmPid"]),
                         ("attached", self.vm.process.pid))
        self.assertEqual(vgpu["sysfsPath"], f"{DEVICES}/{vgpu['uuid']}")
        self.assertEqual(os.listdir(DEVICES), [vgpu["uuid"]])
        self.assertIn("0x038000", self.vm.check("cat /sys/bus/pci/devices/*/class"))

    def test_2_console(self):
        """What the guest writes to its console is on the head."""
        frame = self.manager.capture("one")
        self.assertEqual((frame.width, frame.height), (1280, 720))
        self.vm.check("for i in 1 2 3 4 5; do echo 'a VFIO device' >/dev/tty1; done")
        self.manager.wait_change("one", frame)

    def test_3_vulkan(self):
        """The guest's image has no Vulkan driver but venus."""
        self.vm.check("/run/vulkan-hello", SLOW)
        self.assert_computes()
        self.assertGreater(self.manager.vgpu("one")["submits"], 0)

    def test_4_it_is_not_taken_away(self):
        said = self.manager.run("destroy", "one", "--force")
        self.assertEqual(said.returncode, 1)
        self.assertIn(f"process {self.vm.process.pid} has it open", said.stderr)

    def test_5_processes_are_replaced(self):
        """The device process, and vgpud."""
        for _ in range(DEVICE_KILLS):
            before = self.manager.vgpu("one")
            os.kill(before["devicePid"], signal.SIGKILL)
            self.wait_served(before["restarts"] + 1)
        self.assert_computes()
        before = self.manager.vgpu("one")
        self.manager.kill()
        self.manager.start()
        after = self.manager.vgpu("one")
        for key in ("state", "devicePid", "vmPid", "sysfsPath"):
            self.assertEqual(before[key], after[key])
        frame = self.manager.capture("one")
        self.vm.check("echo 'on and on' >/dev/tty1")
        self.manager.wait_change("one", frame)

    def test_6_others_and_the_end(self):
        """A device that others made is not vgpud's; its own goes with the vGPU."""
        with open(f"{TYPE}/create", "w", encoding="ascii") as file:
            file.write(OTHERS)
        said = self.manager.run("define", "--type", "1B", "--name", "other", "--uuid",
                                OTHERS, "--transport", "mdev")
        self.assertEqual(said.returncode, 0, said.stderr)
        self.assertIn("others made", self.manager.run("start", "other").stderr)
        self.vm.kill()
        self.manager.wait_vgpu("one", lambda v: v["state"] == "active")
        # What vgpud and the device had together is lost, and the device is not.
        pid = self.manager.vgpu("one")["devicePid"]
        self.manager.kill()
        os.kill(pid, signal.SIGKILL)
        self.manager.start()
        self.manager.wait_ready()
        vgpu = self.manager.wait_vgpu("one", lambda v: v["state"] == "active")
        self.assertNotEqual(vgpu["devicePid"], pid)
        self.manager.ctl("destroy", "one")
        self.assertEqual(os.listdir(DEVICES), [OTHERS])
        with open(f"{DEVICES}/{OTHERS}/remove", "w", encoding="ascii") as file:
            file.write("1")


if __name__ == "__main__":
    vulkan.main()
