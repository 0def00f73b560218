# SPDX-License-Identifier: GPL-2.0-or-later
"""A lost context reports the loss to its program, or ends it. It never reports
unfinished work as done, and never changes memory that the program maps."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
import unittest

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import Vtest, has_vtest

HERE = os.path.join(os.environ["VGPU_BUILD"], "tests", "render", "vtest")
TIMEOUT = 300  # only a hang takes that long
CALLS = ("wait", "bounded", "idle", "submit")
SUCCESS, NOT_READY, TIMEOUT_RESULT, EVENT_RESET, DEVICE_LOST = 0, 1, 2, 4, -4
# How Mesa ends a program, by itself or because of what it finds.
ENDS = (-signal.SIGABRT, -signal.SIGPIPE, -signal.SIGBUS)


def crash(pid):
    """Let a process that waits in a system call make an invalid instruction. It
    is the first of its namespace: but for SIGKILL it gets no signal that ends it,
    unless it is its own fault."""
    said = "running"
    while said == "running":  # between two calls
        with open(f"/proc/{pid}/syscall", encoding="ascii") as file:
            said = file.read().split()[-1]
    after = int(said, 16)
    with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
        memory.seek(after - 2)
        assert memory.read(2) == b"\x0f\x05"  # syscall
        memory.seek(after - 2)
        memory.write(b"\x0f\x0b")  # ud2
    # The call begins anew, with that.
    os.kill(pid, signal.SIGSTOP)
    os.kill(pid, signal.SIGCONT)


class Losses(unittest.TestCase):
    """Programs whose work is under way when their context is lost."""

    environment = {}

    def setUp(self):
        self.server = self.enterContext(
            Vtest(64, environment=self.environment))

    def start(self, *args):
        program = subprocess.Popen(
            [os.path.join(HERE, "vulkan-lost"), *args], text=True,
            env=self.server.env(), stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.addCleanup(program.communicate)
        self.addCleanup(program.kill)
        self.assertEqual(program.stdout.readline(), "submitted\n",
                         self.server.log())
        return program

    def until(self, condition, what):
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end,
                            f"not so: {what}: {self.server.log()}")
            time.sleep(0.01)

    def until_lost(self, n):
        self.until(lambda: self.server.log().count("client") >= n,
                   f"{n} contexts are lost")

    def contexts(self):
        """The render processes: the device's launcher has started them."""
        found, left = [], [self.server.process.pid]
        while left:
            pid = left.pop()
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f"/proc/{pid}/task/{pid}/children",
                          encoding="ascii") as file:
                    left += [int(child) for child in file.read().split()]
                with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                    if file.read() == "vgpu-render\n":
                        found.append(pid)
        return found

    def check(self, name, program):
        """The program goes on: nothing that it hears or sees is untrue."""
        out, err = program.communicate("go\n", timeout=TIMEOUT)
        said = [json.loads(line) for line in out.splitlines()]
        about = f"{name}: {program.returncode}, {out}{err}{self.server.log()}"
        for line in said:
            if "result" in line:
                self.assertIn(line["result"], (TIMEOUT_RESULT, DEVICE_LOST),
                              about)
                continue
            self.assertIn(line["fence"], (NOT_READY, DEVICE_LOST), about)
            self.assertIn(line["event"], (EVENT_RESET, DEVICE_LOST), about)
            self.assertTrue(line["input"] and line["output"], about)
        self.assertIn(program.returncode, (0, *ENDS), about)
        if name == "bounded":  # that wait ends before anybody can know
            self.assertIn("result", said[1], about)
        elif program.returncode == 0:
            self.assertEqual(said[1]["result"], DEVICE_LOST, about)

    def check_all(self, programs):
        for name, program in programs.items():
            self.check(name, program)

    def test_render_process_killed(self):
        # Who only polls makes no call that could fail, and sees the end of it
        # when its memory is taken back.
        programs = {name: self.start(name) for name in (*CALLS, "poll")}
        for child in self.contexts():
            os.kill(child, signal.SIGKILL)
        self.until_lost(len(programs))
        self.check_all(programs)

    def test_render_process_crashed(self):
        program = self.start("wait")
        for child in self.contexts():
            crash(child)
        self.until_lost(1)
        self.assertIn("signal 4", self.server.log())
        self.check("wait", program)

    def test_client_broke_a_rule(self):
        programs = {name: self.start(name, "break") for name in CALLS}
        self.until_lost(len(CALLS))
        self.check_all(programs)

    def test_device_killed(self):
        programs = {name: self.start(name) for name in CALLS}
        self.server.process.kill()
        self.server.process.wait()
        self.check_all(programs)

    def test_device_ended(self):
        programs = {name: self.start(name) for name in (*CALLS, "poll")}
        self.server.process.terminate()
        self.assertEqual(self.server.process.wait(), 0)
        # Their memory is taken back, and they cannot look at it any more.
        for name, program in programs.items():
            out, _ = program.communicate("go\n", timeout=TIMEOUT)
            self.assertEqual((program.returncode, out),
                             (-signal.SIGBUS, ""), name)


class Limit(Losses):
    """The same, when work takes longer than it may."""

    environment = {"VGPU_SUBMIT_SECONDS_MAX": "1"}

    def test_limit(self):
        programs = {name: self.start(name) for name in CALLS}
        self.until_lost(len(CALLS))
        self.check_all(programs)


for test in [name for name in vars(Losses) if name.startswith("test_")]:
    setattr(Limit, test, None)

if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
