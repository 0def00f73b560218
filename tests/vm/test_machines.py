# SPDX-License-Identifier: GPL-2.0-or-later
"""Two machines with a vGPU each, and what may happen while they run."""

import contextlib
import os
import re
import shutil
import signal
import struct
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from manager import Manager, ManagerError
from vm import BOOT_SECONDS, GUEST, QEMU, Vm

# Only to end a test that hangs: what was measured is printed.
GUEST_SECONDS = 120
SUCCESSOR_SECONDS = 120
DEVICE_KILLS = 5

TYPES = {"left": ("1Q", 2560, 1600, "204060"),
         "right": ("1A", 1280, 1024, "602040")}
# Not "MP-BIOS bug": so the kernel calls a timer that ticks late on a busy emulator.
BAD_KERNEL_LINES = re.compile(
    r"(virtio|drm|gpu).*(error|fail|timed out|response 0x12)|"
    r"(?<!MP-BIOS )BUG:|WARNING:|Oops|hung task|blocked for more", re.IGNORECASE)


def png_size(path):
    with open(path, "rb") as file:
        head = file.read(24)
    assert head[:8] == b"\x89PNG\r\n\x1a\n" and head[12:16] == b"IHDR"
    return struct.unpack(">II", head[16:24])


class Machines(unittest.TestCase):
    """The tests run in the order of their names, all on one pair."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vgpu-vm.")
        cls.addClassCleanup(cls.keep_logs)
        cls.manager = Manager(cls.folder, framebuffer_mib=2048)
        cls.enterClassContext(cls.manager)
        cls.vms = {}
        for name, (type_name, *_) in TYPES.items():
            cls.manager.ctl("create", "--type", type_name, "--name", name)
            cls.vms[name] = cls.machine(name)
            cls.vms[name].start()
        for name, vm in cls.vms.items():
            vm.wait_desktop()
            cls.manager.wait_desktop(name, vm.color)

    @classmethod
    def keep_logs(cls):
        """Logs and the last pictures outlive the test, beside Meson's log."""
        logs = os.path.join(os.environ["VGPU_BUILD"], "meson-logs",
                            "vm-machines")
        shutil.rmtree(logs, ignore_errors=True)
        shutil.copytree(cls.folder, logs, ignore=shutil.ignore_patterns(
            "*.sock", "run", "state"))
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def machine(cls, name, memory_mib=768):
        vm = Vm(name, cls.folder, cls.manager.qemu_args(name),
                color=TYPES[name][3], title=f"{name}:_{TYPES[name][0]}",
                memory_mib=memory_mib)
        cls.addClassCleanup(vm.kill)
        return vm

    def tearDown(self):
        for name, vm in self.vms.items():
            self.manager.run("screenshot", name, os.path.join(
                self.folder, f"{self.id().rpartition('.')[2]}-{name}.png"))
            self.assertTrue(vm.is_running(), f"{name} ended")

    def assert_desktop_lives(self, name):
        """It can be seen, and it goes on being drawn."""
        frame = self.manager.wait_desktop(name, self.vms[name].color)
        self.manager.wait_change(name, frame)

    def assert_no_kernel_errors(self):
        for name, vm in self.vms.items():
            for line in vm.check("dmesg").splitlines():
                self.assertIsNone(BAD_KERNEL_LINES.search(line),
                                  f"{name}: {line}")

    def test_01_two_desktops(self):
        names = [v["name"] for v in self.manager.vgpus()]
        self.assertCountEqual(names, TYPES)
        for name, (type_name, width, height, _) in TYPES.items():
            vgpu = self.manager.vgpu(name)
            self.assertEqual(vgpu["state"], "attached")
            self.assertEqual(vgpu["type"], type_name)
            self.assertEqual(vgpu["vmPid"], self.vms[name].process.pid)
            self.assertEqual(vgpu["errors"], 0)
            head = vgpu["heads"][0]
            self.assertEqual((head["width"], head["height"]), (width, height))
            path = os.path.join(self.folder, f"{name}.png")
            self.manager.ctl("screenshot", name, path)
            self.assertEqual(png_size(path), (width, height))
            self.assert_desktop_lives(name)
        left = self.manager.capture("left").colors()
        right = self.manager.capture("right").colors()
        self.assertNotIn(TYPES["right"][3], left)
        self.assertNotIn(TYPES["left"][3], right)
        self.assert_no_kernel_errors()

    def test_02_guest_sees_a_stock_device(self):
        for vm in self.vms.values():
            self.assertEqual(
                vm.check("basename $(readlink /sys/class/drm/card0/device/"
                         "driver)").strip(), "virtio-pci")
            self.assertIn("virtio_gpu", vm.check("cat /proc/modules"))

    def test_03_destroy_of_an_attached_vgpu_is_refused(self):
        done = self.manager.run("destroy", "left")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(len(done.stderr.strip().splitlines()), 1)
        self.assertEqual(self.manager.vgpu("left")["state"], "attached")
        self.assert_desktop_lives("left")

    def test_04_manager_is_killed(self):
        before = {v["uuid"]: v for v in self.manager.vgpus()}
        self.manager.kill()
        for vm in self.vms.values():
            # The guest draws on, and waits for nobody while it does.
            vm.check("cat /sys/class/drm/card0-Virtual-1/status")
            answered = self.commands_answered(vm)
            self.wait_guest(
                lambda vm=vm, answered=answered:
                self.commands_answered(vm) > answered,
                f"{vm.name} draws no more")
        self.manager.start()
        after = {v["uuid"]: v for v in self.manager.vgpus()}
        self.assertEqual(before.keys(), after.keys())
        for uuid, vgpu in after.items():
            for field in ("name", "type", "state", "devicePid", "vmPid",
                          "framebufferOffsetMib", "restarts"):
                self.assertEqual(vgpu.get(field), before[uuid].get(field),
                                 field)
            self.assertGreater(vgpu["commands"], before[uuid]["commands"])
            self.assertEqual(vgpu["errors"], 0)
        for name in TYPES:
            self.assert_desktop_lives(name)
        self.assert_no_kernel_errors()

    @staticmethod
    def commands_answered(vm):
        """The interrupts by which the guest was told of answers."""
        name, _, lines = vm.check(
            "basename /sys/class/drm/card0/device/virtio*; "
            "cat /proc/interrupts").partition("\n")
        return sum(int(line.split()[1]) for line in lines.splitlines()
                   if re.search(rf"\b{name}(-\S+)?$", line))

    def kill_device(self, name):
        """kill -9 of a device process; how long until its successor serves,
        and until the picture moves again, both in milliseconds."""
        vgpu = self.manager.vgpu(name)
        start = time.monotonic()
        os.kill(vgpu["devicePid"], signal.SIGKILL)
        first = served = moved = None
        while moved is None:
            spent = time.monotonic() - start
            self.assertLess(spent, SUCCESSOR_SECONDS, "no successor")
            with contextlib.suppress(ManagerError):
                frame = self.manager.capture(name)
                spent = time.monotonic() - start
                if first is None:
                    first, served = frame, spent
                elif frame.data != first.data:
                    moved = spent
            time.sleep(0.002)
        now = self.manager.vgpu(name)
        self.assertNotEqual(now["devicePid"], vgpu["devicePid"])
        self.assertEqual(now["state"], "attached")
        self.assertEqual(now["restarts"], vgpu["restarts"] + 1)
        return served * 1000, moved * 1000

    def test_05_device_is_killed(self):
        vm = self.vms["right"]
        # A window that is drawn anew for every frame.
        vm.check("XDG_RUNTIME_DIR=/run/desktop WAYLAND_DISPLAY=wayland-0 "
                 "setsid weston-simple-shm >/dev/null 2>&1 &")
        self.wait_guest(lambda: not vm.run("pidof weston-simple-shm")[0],
                        "weston-simple-shm does not start")
        for _ in range(DEVICE_KILLS):
            served, moved = self.kill_device("right")
            print(f"killed device: served again after {served:.0f} ms, the "
                  f"picture moves after {moved:.0f} ms", flush=True)
            time.sleep(0.5)
        vm.check("kill $(pidof weston-simple-shm)")
        self.assert_desktop_lives("right")
        self.assertEqual(self.manager.vgpu("left")["restarts"], 0)
        self.assert_desktop_lives("left")
        self.assert_no_kernel_errors()

    def test_06_device_and_then_manager_are_killed(self):
        self.kill_device("left")
        self.manager.kill()
        self.manager.start()
        self.kill_device("left")
        self.assert_desktop_lives("left")
        self.assert_no_kernel_errors()

    def test_07_machine_stops_and_goes_on(self):
        vm = self.vms["left"]
        vm.qmp("stop")
        first = self.manager.capture("left")
        time.sleep(2.5)
        self.assertEqual(self.manager.capture("left").data, first.data)
        self.assertEqual(self.manager.vgpu("left")["state"], "attached")
        vm.qmp("cont")
        self.manager.wait_change("left", first)
        self.assert_desktop_lives("left")

    def guest_modes(self, name, connector):
        return self.vms[name].check(
            f"cat /sys/class/drm/card0-Virtual-{connector}/modes").split()

    def wait_guest(self, condition, what):
        end = time.monotonic() + GUEST_SECONDS
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.2)

    def test_08_preferred_mode_changes(self):
        self.manager.ctl("mode", "left", "1920x1080")
        self.wait_guest(
            lambda: self.guest_modes("left", 1)[:1] == ["1920x1080"],
            "the guest does not see the mode")
        # Weston keeps its mode as long as the monitor stays.
        self.wait_shown("left", 1920, 1080)
        self.assert_desktop_lives("left")
        done = self.manager.run("mode", "left", "2561x1600")
        self.assertEqual(done.returncode, 1)
        self.manager.ctl("mode", "left", "2560x1600")
        self.wait_guest(
            lambda: self.guest_modes("left", 1)[:1] == ["2560x1600"],
            "the guest does not see the mode")
        self.wait_shown("left", 2560, 1600)
        self.assert_desktop_lives("left")

    def wait_shown(self, name, width, height):
        self.manager.wait_vgpu(
            name, lambda v: (v["heads"][0]["width"],
                             v["heads"][0]["height"]) == (width, height))

    def test_09_second_head_is_plugged_in(self):
        vm = self.vms["left"]
        self.manager.ctl("mode", "left", "1280x720", "--head", "1")
        self.wait_guest(
            lambda: self.guest_modes("left", 2)[:1] == ["1280x720"],
            "the guest does not see the head")
        frame = self.manager.wait_desktop("left", vm.color, head=1)
        self.assertEqual((frame.width, frame.height), (1280, 720))
        self.manager.wait_change("left", frame, head=1)
        self.manager.ctl("mode", "left", "0x0", "--head", "1")
        self.wait_guest(
            lambda: vm.check("cat /sys/class/drm/card0-Virtual-2/status")
            .strip() == "disconnected", "the guest still sees the head")
        self.assert_desktop_lives("left")
        self.assert_no_kernel_errors()

    def test_10_reset_and_next_machine(self):
        left, right = self.vms["left"], self.vms["right"]
        left.reset()
        right.qmp("quit")
        right.process.wait(GUEST_SECONDS)
        right.kill()
        vgpu = self.manager.wait_vgpu("right",
                                      lambda v: v["state"] == "active")
        self.assertIsNone(vgpu.get("vmPid"))
        # What the last machine showed is not there for the next to see.
        self.assertEqual(self.manager.capture("right").main_color(), "000000")
        self.vms["right"] = self.machine("right", memory_mib=512)
        self.vms["right"].start()
        for name, vm in self.vms.items():
            vm.wait_desktop()
            self.assert_desktop_lives(name)
            self.assertEqual(self.manager.vgpu(name)["state"], "attached")
        self.assert_no_kernel_errors()

    def test_11_vgpu_is_taken_away(self):
        self.manager.ctl("destroy", "right", "--force")
        self.assertEqual([v["name"] for v in self.manager.vgpus()], ["left"])
        self.assert_desktop_lives("left")
        # Its guest goes on, and starts anew, with a GPU that has nothing.
        right = self.vms["right"]
        right.check("true")
        right.reset()
        right.check("true", timeout=BOOT_SECONDS)

    def test_12_vgpu_is_taken_away_before_the_guest(self):
        """QEMU lives, whose firmware has not begun, and the guest boots."""
        self.vms["right"].kill()
        self.manager.ctl("create", "--type", "1A", "--name", "right")
        right = self.vms["right"] = Vm(
            "right", self.folder, [*self.manager.qemu_args("right"), "-S"],
            memory_mib=512)
        self.addClassCleanup(right.kill)
        right.start()
        right.qmp("query-status")
        self.manager.wait_vgpu("right", lambda v: v["state"] == "attached")
        self.manager.ctl("destroy", "right", "--force")
        right.qmp("cont")
        right.check("true", timeout=BOOT_SECONDS)


def main():
    for path in (GUEST, shutil.which(QEMU), shutil.which("vgpud")):
        if not path or not os.path.exists(path):
            print("skipped: needs the guest image, QEMU and vgpud")
            sys.exit(77)
    unittest.main(verbosity=2, failfast=False)


if __name__ == "__main__":
    main()
