# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine with two heads is typed into and pointed at by VNC: its kernel's
drivers are stock, and so are those of its desktop."""

import json
import os
import shutil
import struct
import sys
import tempfile
import time
import unittest

sys.path[:0] = [os.path.join(os.environ["VGPU_SOURCE"], folder)
                for folder in ("lab", "tests/device")]
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from chromium import Chromium
from gpu_vnc import Client
from manager import Manager
from vm import Vm
from web_console import CANVAS, WebConsole

# Only to end a test that hangs.
SECONDS = 240
COLOR = "204060"
# A folder for a picture of the page, if one wants it.
PICTURES = os.environ.get("VGPU_PICTURES")
LEFT_SIZE, RIGHT_SIZE = (1920, 1080), (1280, 1024)
RANGE = 65536

# linux/input-event-codes.h
EV_SYN, EV_KEY, EV_REL, EV_ABS = 0, 1, 2, 3
KEY_LEFTSHIFT, BTN_LEFT, REL_WHEEL = 42, 0x110, 8
EVENT = struct.Struct("<qqHHi")  # struct input_event
# X's keysyms
RETURN, SHIFT, CONTROL = 0xff0d, 0xffe1, 0xffe3

TERMINAL = """cat >/tmp/reader <<'END'
#!/bin/sh
# What is typed until the window has the keyboard: "ready", or the end of it.
while case ready in *"$line") ;; *) false ;; esac; do
	read -r line
	touch /tmp/reading
done
printf '%s' "$line" >/tmp/typed
sleep 600
END
chmod +x /tmp/reader
systemctl stop card
export XDG_RUNTIME_DIR=/run/desktop WAYLAND_DISPLAY=wayland-0 HOME=/root
export WESTON_CONFIG_FILE=/run/weston.ini
rm -f /tmp/typed /tmp/reading
setsid weston-terminal --shell=/tmp/reader >/tmp/terminal.log 2>&1 </dev/null &
"""


class Hands(Client):
    """A client that types and points."""

    def key(self, keysym, is_down):
        self.socket.sendall(struct.pack(">BBxxI", 4, is_down, keysym))

    def press(self, keysym):
        self.key(keysym, 1)
        self.key(keysym, 0)

    def point(self, x, y, buttons=0):
        self.socket.sendall(struct.pack(">BBHH", 5, buttons, x, y))


class Input(unittest.TestCase):
    """The tests run in the order of their names, all on one machine."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vgpu-vm.")
        cls.addClassCleanup(cls.keep_logs)
        cls.manager = Manager(cls.folder, framebuffer_mib=1024)
        cls.enterClassContext(cls.manager)
        cls.manager.ctl("create", "--type", "1Q", "--name", "seat")
        for head, (width, height) in enumerate((LEFT_SIZE, RIGHT_SIZE)):
            cls.manager.ctl("mode", "seat", f"{width}x{height}", "--head", str(head))
        cls.vm = Vm("seat", cls.folder, cls.manager.qemu_args("seat"), color=COLOR,
                    memory_mib=768)
        cls.addClassCleanup(cls.vm.kill)
        cls.vm.start()
        cls.vm.wait_desktop()
        cls.manager.wait_desktop("seat", COLOR)
        cls.clients = []
        for head in range(2):
            path = os.path.join(cls.manager.runtime, f"{head}.vnc")
            cls.manager.ctl("vnc", "seat", f"unix:{path}", "--head", str(head))
            client = Hands(path)
            cls.addClassCleanup(client.close)
            cls.clients.append(client)
        # The desktop has seen them when it has opened them.
        cls.devices = {}
        end = time.monotonic() + SECONDS
        while len(cls.devices) < 2 and time.monotonic() < end:
            cls.devices = cls.find_devices()
        while int(cls.vm.run(
                "ls -l /proc/$(systemctl show -p MainPID --value desktop)/fd | "
                "grep -c /dev/input/event")[1]) < 2:
            assert time.monotonic() < end, "the desktop has no input"
            time.sleep(0.5)

    @classmethod
    def keep_logs(cls):
        logs = os.path.join(os.environ["VGPU_BUILD"], "meson-logs", "vm-input")
        shutil.rmtree(logs, ignore_errors=True)
        shutil.copytree(cls.folder, logs, ignore=shutil.ignore_patterns(
            "*.sock", "run", "state"))
        shutil.rmtree(cls.folder, ignore_errors=True)

    @classmethod
    def find_devices(cls):
        """The event node of each of our devices, by its name."""
        found = cls.vm.check(
            "cd /sys/class/input; for e in event*; do "
            "[ -e $e ] && echo $e $(basename $(readlink -f $e/device/device/driver)) "
            "$(cat $e/device/name); done; true")
        devices = {}
        for line in found.splitlines():
            node, driver, name = line.split(" ", 2)
            if name.startswith("OpenVGPU "):
                assert driver == "virtio_input", line
                devices[name.split()[1].lower()] = f"/dev/input/{node}"
        return devices

    def record(self, name, act, count):
        """The first COUNT events of a device of the guest while ACT is done."""
        node = self.devices[name]
        self.vm.check(f"rm -f /tmp/events; (setsid cat {node} >/tmp/events "
                      "2>/dev/null </dev/null & echo $! >/tmp/cat)")
        end = time.monotonic() + SECONDS
        while self.vm.run(f"ls -l /proc/$(cat /tmp/cat)/fd | grep -q {node}")[0]:
            self.assertLess(time.monotonic(), end)
        act()
        while int(self.vm.check("stat -c %s /tmp/events")) < count * EVENT.size:
            self.assertLess(time.monotonic(), end, "no more events came: " +
                            self.vm.check("od -An -tx1 /tmp/events | tail -n 20"))
            time.sleep(0.1)
        data = bytes.fromhex(self.vm.check(
            "kill $(cat /tmp/cat); od -An -v -tx1 /tmp/events").replace("\n", ""))
        return [EVENT.unpack_from(data, at)[2:]
                for at in range(0, len(data) - EVENT.size + 1, EVENT.size)]

    def test_01_devices(self):
        self.assertEqual(set(self.devices), {"keyboard", "tablet"})
        self.assertIn("virtio_input", self.vm.check("cat /proc/modules"))

    def test_02_keys_reach_the_guest(self):
        client = self.clients[0]

        def act():
            for keysym in (SHIFT, ord("A")):
                client.key(keysym, 1)
            for keysym in (ord("A"), SHIFT):
                client.key(keysym, 0)
        self.assertEqual(self.record("keyboard", act, 8), [
            (EV_KEY, 42, 1), (EV_SYN, 0, 0), (EV_KEY, 30, 1), (EV_SYN, 0, 0),
            (EV_KEY, 30, 0), (EV_SYN, 0, 0), (EV_KEY, 42, 0), (EV_SYN, 0, 0)])

    def test_03_text_reaches_a_terminal(self):
        self.vm.check(TERMINAL)
        end = time.monotonic() + SECONDS
        # Its window has the keyboard when something arrives.
        while self.vm.run("test -e /tmp/reading")[0]:
            self.assertLess(time.monotonic(), end, self.vm.run("cat /tmp/terminal.log")[1])
            for c in "ready":
                self.clients[0].press(ord(c))
            self.clients[0].press(RETURN)
            time.sleep(2)
        text = "Hello, World ~ 42! {a|b} \\n \"x\" <y> #%&*()_+-=[]:;'/?@^$`"
        for c in text:
            self.clients[0].press(ord(c))
            time.sleep(0.02)  # a fast hand
        self.clients[0].press(RETURN)
        while self.vm.run("test -s /tmp/typed")[0]:
            self.assertLess(time.monotonic(), end, "nothing was typed")
            time.sleep(0.5)
        self.assertEqual(self.vm.check("cat /tmp/typed"), text)

    def pixel(self, events):
        """The pixel of the desktop at which the last position is (libinput)."""
        last = {code: value for kind, code, value in events if kind == EV_ABS}
        width = LEFT_SIZE[0] + RIGHT_SIZE[0]
        height = max(LEFT_SIZE[1], RIGHT_SIZE[1])
        return last[0] * width // RANGE, last[1] * height // RANGE

    def test_04_pointer_on_two_heads(self):
        # Not where it is, or the kernel says nothing of an axis.
        for head, x, y, at in ((0, 10, 20, (10, 20)), (0, 1919, 1079, (1919, 1079)),
                               (1, 0, 0, (1920, 0)), (1, 1279, 1023, (3199, 1023)),
                               (1, 640, 512, (2560, 512)), (0, 512, 384, (512, 384))):
            events = self.record(
                "tablet", lambda h=head, x=x, y=y: self.clients[h].point(x, y), 3)
            self.assertEqual(self.pixel(events), at)

    def test_05_buttons_and_wheel(self):
        def act():
            for buttons in (1, 0, 8, 0):
                self.clients[1].point(300, 301 + buttons, buttons)
        events = [e for e in self.record("tablet", act, 12) if e[0] in (EV_KEY, EV_REL)]
        self.assertEqual(events[:3], [(EV_KEY, BTN_LEFT, 1), (EV_KEY, BTN_LEFT, 0),
                                      (EV_REL, REL_WHEEL, 1)])

    def test_06_cursor_is_where_it_points(self):
        """What changes in the picture is where the pointer was, and is. Weston puts
        a tablet on one of its outputs: all of it on the first."""
        client = self.clients[0]
        client.point(100, 1000)
        frames = []
        for x in 100, 300, 500:
            client.point(x, 1000)
            time.sleep(3)
            frames.append(self.manager.capture("seat"))
        first, last = frames[0], frames[-1]

        def row(frame, y, x, n):
            return frame.data[y * frame.stride + 4 * x:y * frame.stride + 4 * (x + n)]
        changed = {x for y in range(980, 1070) for x in range(0, 1000, 10)
                   if row(first, y, x, 10) != row(last, y, x, 10)}
        self.assertTrue(changed, "no cursor moved")
        was, is_ = (x * LEFT_SIZE[0] // (LEFT_SIZE[0] + RIGHT_SIZE[0]) for x in (100, 500))
        for x in changed:
            self.assertTrue(was - 20 <= x <= was + 64 or is_ - 20 <= x <= is_ + 64,
                            sorted(changed))
        self.assertTrue(any(x >= is_ - 20 for x in changed), sorted(changed))

    def test_07_a_successor_goes_on(self):
        """The device process is killed: the guest notices nothing."""
        pid = self.manager.vgpu("seat")["devicePid"]
        os.kill(pid, 9)
        self.manager.wait_vgpu("seat", lambda v: v["devicePid"] not in (None, pid) and
                               v["state"] == "attached")
        end = time.monotonic() + SECONDS

        def act():
            # The server's viewer comes again a moment later.
            while not int(self.vm.check("stat -c %s /tmp/events")):
                self.assertLess(time.monotonic(), end, "no key came")
                self.clients[0].press(ord("x"))
                time.sleep(0.2)
        self.assertEqual(self.record("keyboard", act, 4)[:4], [
            (EV_KEY, 45, 1), (EV_SYN, 0, 0), (EV_KEY, 45, 0), (EV_SYN, 0, 0)])

    def test_08_reboot(self):
        """Of the machine: its next driver starts anew."""
        self.vm.reset()
        self.vm.wait_desktop()
        end = time.monotonic() + SECONDS
        devices = self.find_devices()
        while len(devices) < 2:
            self.assertLess(time.monotonic(), end)
            devices = self.find_devices()
        type(self).devices = devices
        self.test_02_keys_reach_the_guest()
        self.assertTrue(self.vm.is_running())

    def test_09_a_browser_is_typed_into(self):
        """The web console's page: what is typed there reaches the guest's terminal,
        and is seen on the head."""
        web = WebConsole(self.manager, self.folder)
        self.addCleanup(web.stop)
        browser = Chromium()
        self.addCleanup(browser.close)
        page = browser.page(web.link("seat"))
        page.wait(f"{CANVAS}?.width === {LEFT_SIZE[0]}", "the picture")
        page.run(f"{CANVAS}.focus()")
        self.vm.check(TERMINAL)
        end = time.monotonic() + SECONDS
        while self.vm.run("test -e /tmp/reading")[0]:
            self.assertLess(time.monotonic(), end, self.vm.run("cat /tmp/terminal.log")[1])
            page.write("ready\n")
            time.sleep(2)
        before = page.run(f"{CANVAS}.toDataURL()")
        text = "Typed in a browser: 42 times, \"x\" <y> #%&*()_+-=[];/?@^$`~"
        page.write(text)
        page.wait(f"{CANVAS}.toDataURL() !== {json.dumps(before)}", "the text on the head")
        if PICTURES:
            page.picture(os.path.join(PICTURES, "console.png"))
        page.write("\n")
        while self.vm.run("test -s /tmp/typed")[0]:
            self.assertLess(time.monotonic(), end, "nothing was typed")
            time.sleep(0.5)
        self.assertEqual(self.vm.check("cat /tmp/typed"), text)


if __name__ == "__main__":
    unittest.main()
