# SPDX-License-Identifier: GPL-2.0-or-later
"""Machines whose guests run Vulkan programs, for the tests of that."""

import collections
import contextlib
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import unittest

BUILD = os.environ["VGPU_BUILD"]
sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = BUILD + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from manager import Manager
from vm import GUEST, QEMU, Vm

# Only to end a test that hangs; machines without KVM are slow.
SLOW = 300
# What the guests get beside their image, as a tar archive on a second disk.
PROGRAMS = [os.path.join(BUILD, "tests", "render", "vtest", name)
            for name in ("vulkan-compute", "vulkan-hello", "vulkan-quota")]
DESKTOP = "export XDG_RUNTIME_DIR=/run/desktop WAYLAND_DISPLAY=wayland-0; "
# vkcube's background, which no machine has as the colour of its desktop.
CUBE_COLOR = "333333"
LOST = "is lost"
# Names of render processes.
CONTEXT, SPARE = "(vgpu-render)", "(vgpu-spare)"


def sockets(pid):
    """The inode numbers of a process' sockets."""
    found = set()
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for fd in os.listdir(f"/proc/{pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.update(re.findall(r"socket:\[(\d+)\]",
                                        os.readlink(f"/proc/{pid}/fd/{fd}")))
    return found


def peers(pid):
    """The processes at the other ends of a process' unix sockets."""
    own, others = sockets(pid), set()
    for line in subprocess.run(["ss", "-xnH"], check=True, text=True,
                               capture_output=True).stdout.splitlines():
        words = line.split()
        if words[5] in own:
            others.add(words[7])
    return {int(other) for other in filter(str.isdigit, os.listdir("/proc"))
            if sockets(other) & others}


class VulkanGuest(Vm):
    """A machine, and Vulkan programs that run in it beside each other."""

    def __init__(self, manager, name, **options):
        disk = os.path.join(manager.folder, "programs.tar")
        if not os.path.exists(disk):
            with tarfile.open(disk, "w") as archive:
                for path in PROGRAMS:
                    archive.add(path, os.path.basename(path))
        super().__init__(
            name, manager.folder,
            [*manager.qemu_args(name),
             "-drive", f"file={disk},format=raw,if=none,id=programs,"
                       "readonly=on",
             "-device", "virtio-blk-pci,drive=programs"],
            title=name, memory_mib=768, time_limit=None, **options)

    def unpack_programs(self):
        self.check("tar xf /dev/vdb -C /run")

    def begin(self, job, command):
        """Start a program on the desktop."""
        self.check(f"{DESKTOP} rm -f /run/{job}.status; "
                   f"(setsid sh -c '{command}' >/run/{job}.log 2>&1; "
                   f"echo $? >/run/{job}.status) >/dev/null 2>&1 &")

    def output(self, job):
        return self.run(f"cat /run/{job}.log")[1]

    def status(self, job):
        """How a program ended, or None."""
        _, output = self.run(f"cat /run/{job}.status")
        # The file is there before what is written to it.
        return int(output) if re.fullmatch(r"\d+\n", output) else None

    def end(self, job, timeout=SLOW):
        """Wait until a program ends; its exit status and output."""
        end = time.monotonic() + timeout
        while (status := self.status(job)) is None:
            if time.monotonic() > end:
                raise AssertionError(
                    f"{self.name}: {job} goes on after {timeout} s: "
                    f"{self.output(job)}")
            time.sleep(0.3)
        return status, self.output(job)


class VulkanTest(unittest.TestCase):
    """The tests run in the order of their names, on the same machines."""

    MACHINES = {}  # a name and the colour of its desktop
    LAYERS = None  # Vulkan layers for the render processes

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.mkdtemp(prefix="vgpu-vm.")
        cls.addClassCleanup(cls.keep_logs)
        if cls.LAYERS:
            cls.use_layers()
        cls.prepare()
        cls.manager = Manager(cls.folder, 1024 * len(cls.MACHINES))
        cls.enterClassContext(cls.manager)
        cls.vms = {}
        for name, color in cls.MACHINES.items():
            cls.manager.ctl("create", "--type", "1Q", "--name", name)
            # Large pictures cost an emulated processor much.
            cls.manager.ctl("mode", name, "1280x720")
            cls.vms[name] = VulkanGuest(cls.manager, name, color=color)
            cls.addClassCleanup(cls.vms[name].kill)
            cls.vms[name].start()
        for name, vm in cls.vms.items():
            vm.wait_desktop()
            cls.manager.wait_desktop(name, vm.color)
            vm.unpack_programs()

    @classmethod
    def prepare(cls):
        """Before vgpud is started."""

    @classmethod
    def use_layers(cls):
        """vgpud gives its devices no environment: have a script do it."""
        cls.use_script("vgpu-launch",
                       f"export VK_INSTANCE_LAYERS={cls.LAYERS}\n"
                       f'exec {BUILD}/vgpu-launch "$@"\n')

    @classmethod
    def use_script(cls, program, lines):
        """vgpud is to start a script in the place of a program."""
        folder = os.path.join(cls.folder, "programs")
        os.mkdir(folder)
        for name in ("vgpu-probe", "vgpu-device", "vgpu-launch", "vgpu-vnc"):
            if name != program:
                os.symlink(os.path.join(BUILD, name), os.path.join(folder, name))
        path = os.path.join(folder, program)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\n{lines}")
        os.chmod(path, 0o755)
        os.environ["VGPU_LIBEXECDIR"] = folder

    @classmethod
    def keep_logs(cls):
        """Logs and pictures outlive the test, beside Meson's log."""
        logs = os.path.join(BUILD, "meson-logs", f"vm-{cls.__name__.lower()}")
        shutil.rmtree(logs, ignore_errors=True)
        shutil.copytree(cls.folder, logs, ignore=shutil.ignore_patterns(
            "*.sock", "run", "state", "programs*"))
        shutil.rmtree(cls.folder, ignore_errors=True)

    def tearDown(self):
        for name, vm in self.vms.items():
            self.manager.run("screenshot", name, os.path.join(
                self.folder, f"{self.id().rpartition('.')[2]}-{name}.png"))
            self.assertTrue(vm.is_running(), f"{name} ended")

    def log(self):
        """What vgpud, the devices and the render processes said."""
        with open(self.manager.log_path, encoding="utf-8",
                  errors="replace") as file:
            return file.read()

    def renderers(self, name):
        """The render processes of a vGPU, by the names that they give
        themselves."""
        launchers = peers(self.manager.vgpu(name)["devicePid"])
        pids = {CONTEXT: [], SPARE: []}
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/stat", encoding="ascii") as file:
                    words = file.read().split()
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[1] in pids and int(words[3]) in launchers:
                pids[words[1]].append(int(pid))
        return pids

    def wait_contexts(self, name, count):
        """Wait until so many contexts have a render process, and a spare one
        exists. A process that has just been given to a context may still have
        the name of a spare one, so let each context execute something first.
        Returns the processes."""
        pids = {}

        def has_come_to_rest():
            pids.update(self.renderers(name))
            return len(pids[CONTEXT]) == count and (
                len(pids[SPARE]) == 1 or not count)
        self.wait_until(has_come_to_rest,
                        f"{name}: there are not {count} contexts")
        return sorted(pids[CONTEXT])

    def wait_until(self, condition, what, timeout=SLOW):
        end = time.monotonic() + timeout
        while not condition():
            self.assertLess(time.monotonic(), end, what)
            time.sleep(0.2)

    def cube_area(self, name):
        """What vkcube's window shows, row by row; None if there is none."""
        frame = self.manager.capture(name)
        at = [(x, y) for y in range(40, frame.height, 8)
              for x in range(0, frame.width, 8)
              if frame.pixel(x, y) == int(CUBE_COLOR, 16)]
        # Letters have this colour at some of their edges.
        columns = [x for x, n in collections.Counter(x for x, _ in at).items()
                   if n > 10]
        rows = [y for y, n in collections.Counter(y for _, y in at).items()
                if n > 10]
        if len(columns) < 10 or len(rows) < 10:
            return None
        left, right = min(columns), max(columns)
        top, bottom = min(rows), max(rows)
        return [frame.data[y * frame.stride + left * 4:
                           y * frame.stride + right * 4]
                for y in range(top, bottom)]

    def assert_cube_turns(self, name, timeout=SLOW):
        """vkcube is in the picture, and its window changes."""
        areas = []

        def turned():
            area = self.cube_area(name)
            if area is not None:
                areas.append(area)
            return any(area != areas[0] for area in areas)
        self.wait_until(turned, f"{name}: no cube turns", timeout)

    def assert_desktop_lives(self, name):
        """It can be seen, and it goes on being drawn."""
        frame = self.manager.wait_desktop(name, self.vms[name].color)
        self.manager.wait_change(name, frame)



def main():
    for path in (GUEST, shutil.which(QEMU), shutil.which("vgpud"), *PROGRAMS):
        if not path or not os.path.exists(path):
            print("skipped: needs the guest image, QEMU and vgpud")
            sys.exit(77)
    unittest.main(verbosity=2, failfast=False)
