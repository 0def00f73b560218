# SPDX-License-Identifier: GPL-2.0-or-later
"""Stock QEMU and a stock guest, on a device that is killed under them."""

import os
import sys
import tempfile
import threading
import time
import unittest

import frontend as fe

# Of the kernel's clocks and watchdogs.
BUSY = ("clocksource:", "hrtimer: interrupt took", "rcu:", "soft lockup",
        "workqueue: ", "perf: interrupt took")

TOP = os.path.join(os.path.dirname(__file__), "../../..")
sys.path.insert(0, os.path.join(TOP, "lab"))

import vm  # noqa: E402  pylint: disable=wrong-import-position


def gpu_args(path):
    return ["-chardev", f"socket,id=gpu,path={path}", "-device",
            "vhost-user-test-device-pci,virtio-id=16,num_vqs=2,"
            "config_size=16,chardev=gpu"]


def display_args(path):
    """QEMU's own GPU with a display of its own."""
    return ["-chardev", f"socket,id=gpu,path={path}", "-device",
            "vhost-user-vga,chardev=gpu,max_outputs=2,xres=1024,yres=768"]


class Qemu(unittest.TestCase):
    def setUp(self, **options):
        self.folder = tempfile.TemporaryDirectory()
        self.log = tempfile.TemporaryFile("w+")
        self.manager = fe.Manager(program=fe.DEVICE, heads=2,
                                  segment_bytes=64 << 20, log=self.log,
                                  **options)
        self.manager.start()
        self.done = threading.Event()
        self.lock = threading.Lock()
        self.reader = threading.Thread(target=self.read_manager)
        self.reader.start()

    def read_manager(self):
        while not self.done.is_set():
            with self.lock:
                self.manager.pump()
            time.sleep(0.01)

    def tearDown(self):
        self.done.set()
        self.reader.join()
        self.manager.close()
        self.log.seek(0)
        print(self.log.read(), end="")
        self.log.close()
        self.folder.cleanup()

    def succeed(self):
        """Kill the device process; the milliseconds until one serves."""
        with self.lock:
            begin = time.monotonic()
            self.manager.kill()
            self.manager.start()
            return (time.monotonic() - begin) * 1000

    def wait_contexts(self, wanted):
        """Until the guest has a context, or none."""
        pid = self.manager.process.pid
        end = time.monotonic() + fe.TIMEOUT
        while True:
            names = [name for child, launcher in fe.children_of(pid)
                     if launcher == "vgpu-launch"
                     for _, name in fe.children_of(child)]
            if wanted == any(name != "vgpu-spare" for name in names):
                return
            self.assertLess(time.monotonic(), end, names)
            time.sleep(0.02)

    def dmesg(self, machine):
        """What the guest's kernel logged (its systemd writes there too), without
        lines about clocks and stalls that a busy host causes."""
        return [line for line in machine.check("dmesg --kernel").splitlines()
                if not any(word in line for word in BUSY)]

    def capture(self):
        """(width, height, x8r8g8b8) of the first head, as the device has it."""
        with self.lock:
            self.manager.send(fe.control_message(fe.C_CAPTURE, 5))
            _, status, (width, height, stride), _, fds = \
                self.manager.wait_reply()
        self.assertEqual(status, 0)
        with open(fds[0], "rb") as file:
            self.assertEqual(stride, 4 * width)
            return width, height, os.pread(file.fileno(), stride * height, 0)

    def screen(self, machine):
        """The same, as QEMU shows it."""
        path = os.path.join(self.folder.name, "screen.ppm")
        machine.qmp("screendump", filename=path)
        with open(path, "rb") as file:
            self.assertEqual(file.readline(), b"P6\n")
            width, height = map(int, file.readline().split())
            file.readline()
            rgb = file.read()
        pixels = bytearray(4 * width * height)
        for byte in range(3):
            pixels[byte::4] = rgb[2 - byte::3]
        return width, height, bytes(pixels)

    def wait_same(self, machine):
        """Until QEMU shows what the guest draws; its size."""
        end = time.monotonic() + fe.TIMEOUT
        while True:
            ours, theirs = self.capture(), self.screen(machine)
            if ours == theirs and len(set(ours[2])) > 4:
                return ours[:2]
            self.assertLess(time.monotonic(), end, (ours[:2], theirs[:2]))
            time.sleep(0.5)

    @unittest.skipUnless(os.path.exists(vm.GUEST), "no guest image")
    def test_qemus_own_display(self):
        """A stock desktop on QEMU's own display, and its size QEMU's."""
        self.tearDown()
        self.setUp(segments=4, launcher={})
        machine = vm.Vm("display", self.folder.name,
                        display_args(self.manager.path))
        with machine:
            self.assertEqual(machine.wait_desktop(), 1)
            self.assertEqual(self.wait_same(machine), (1024, 768))
            before = self.dmesg(machine)
            self.succeed()
            self.wait_same(machine)
            self.assertEqual(self.dmesg(machine), before)
            machine.qmp("system_reset")
            machine.wait_desktop()
            self.assertEqual(self.wait_same(machine), (1024, 768))
        self.assertEqual(self.faults(), [])

    def faults(self):
        with self.lock:
            return [event for event in self.manager.events
                    if event[0] == fe.EVENT_GUEST_FAULT]

    @unittest.skipUnless(os.path.exists(vm.GUEST), "no guest image")
    def test_vulkan(self):
        """Vulkan in the guest: through a pause, a successor and a reset."""
        self.tearDown()
        self.setUp(window=512 << 20, segments=4)
        machine = vm.Vm("vulkan", self.folder.name, gpu_args(self.manager.path),
                        memory_mib=1536)
        mark = "vkmark --winsys headless -s 64x64 -b vertex:duration="
        with machine:
            machine.wait_desktop()
            features = machine.check("dmesg | grep features:")
            for name in ("+virgl", "+host_visible", "+context_init"):
                self.assertIn(name, features)
            self.assertIn("cap set 0: id 4", machine.check("dmesg"))
            summary = machine.check("vulkaninfo --summary 2>&1", timeout=120)
            self.assertIn("Virtio-GPU Venus", summary)
            # The guest's heap is the framebuffer.
            info = machine.check("vulkaninfo 2>&1 | grep -A1 'memoryHeaps.0'",
                                 timeout=120)
            self.assertIn(f"size   = {256 << 20} ", info)

            # A pause, with maps and fences under way.
            work = threading.Thread(target=lambda: results.append(
                machine.run(f"{mark}6", timeout=120)))
            results = []
            work.start()
            for _ in range(4):
                time.sleep(0.7)
                machine.qmp("stop")
                machine.qmp("cont")
            work.join()
            self.assertEqual(results[0][0], 0, results)
            self.assertEqual(self.faults(), [])

            # A successor: the program ends, the next one works.
            results.clear()
            self.wait_contexts(False)
            work = threading.Thread(target=lambda: results.append(
                machine.run(f"{mark}60", timeout=120)))
            work.start()
            self.wait_contexts(True)
            time.sleep(3)  # somewhere in the middle
            self.succeed()
            work.join()
            self.assertNotEqual(results[0][0], 0)
            machine.check(f"{mark}1", timeout=120)

            # A reset, with the window in use: QEMU lives, and so do we.
            machine.run(f"({mark}60 >/dev/null 2>&1 &) ; sleep 2", timeout=60)
            machine.qmp("system_reset")
            machine.wait_desktop()
            machine.check(f"{mark}1", timeout=120)

    def test_realised_and_reset_without_a_guest(self):
        for window in ("0", "256"):
            with fe.Device("--host-visible-mib", window,
                           program=fe.DEVICE) as device:
                machine = vm.Vm("bare", self.folder.name,
                                gpu_args(device.path) + ["-S"],
                                memory_mib=256, time_limit=60)
                with machine:
                    for _ in range(3):
                        machine.qmp("system_reset")
                self.assertEqual(device.messages(), "")

    def test_mode_and_successor_before_the_guest(self):
        """Stopped before its first instruction, in its firmware, and in a
        reset, QEMU lives through a new mode and a new device process."""
        for window in (0, 256 << 20):
            self.tearDown()
            self.setUp(window=window, segments=4)
            machine = vm.Vm("early", self.folder.name,
                            gpu_args(self.manager.path) + ["-S"],
                            memory_mib=256, time_limit=120)
            with machine:
                for width, command in ((800, "cont"), (1024, "system_reset"),
                                       (1280, "stop"), (1600, "cont")):
                    with self.lock:
                        self.manager.set_mode(width, 600)
                    self.succeed()
                    machine.qmp(command)
                self.assertIn("running", str(machine.qmp("query-status")))
            self.assertEqual(self.faults(), [])

    @unittest.skipUnless(os.path.exists(vm.GUEST), "no guest image")
    def test_guest_notices_nothing(self):
        self.tearDown()
        self.setUp(launcher={})  # which keeps what is drawn, as vgpud's does
        machine = vm.Vm("guest", self.folder.name, gpu_args(self.manager.path))
        with machine:
            # While the guest boots: messages and first commands.
            gaps = []
            for _ in range(30):
                time.sleep(0.1)
                gaps.append(self.succeed())
            self.assertEqual(machine.wait_desktop(), 1)
            before = self.dmesg(machine)
            for _ in range(20):
                gaps.append(self.succeed())
                time.sleep(0.05)
            status = self.manager.statuses[-1]
            # The heads are back in the very first status of a successor.
            self.assertEqual(status[0], 1)
            self.assertGreater(status[4], 0)
            # The guest draws on, and its driver has nothing to say.
            machine.check("true")
            self.assertEqual(self.dmesg(machine), before)

            # A paused machine keeps what it shows.
            machine.qmp("stop")
            machine.qmp("cont")
            machine.check("true")
            self.assertEqual(self.dmesg(machine), before)
            self.assertEqual(self.faults(), [])

            # A reboot begins anew, with no resource left of the old life.
            machine.qmp("system_reset")
            self.assertEqual(machine.wait_desktop(), 1)
            gaps.append(self.succeed())
            machine.check("true")
        gaps.sort()
        print(f"{len(gaps)} successors: median {gaps[len(gaps) // 2]:.0f} ms, "
              f"longest {gaps[-1]:.0f} ms")
        self.assertLess(gaps[len(gaps) // 2], 500)
        self.assertEqual(self.faults(), [])


if __name__ == "__main__":
    unittest.main()
