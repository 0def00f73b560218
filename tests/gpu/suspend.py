# SPDX-License-Identifier: GPL-2.0-or-later
"""The host is suspended while programs use its vGPUs. Run as root of a machine that may
be: the kernel freezes all processes, waits 5 s, and thaws them (pm_test, which leaves out
the devices, for the machine of the tests would lose its disk)."""

import os
import subprocess
import sys
import time
import unittest

SOURCE = os.environ["VGPU_SOURCE"]
for folder in ("lab", "tests/manager"):
    sys.path.insert(0, os.path.join(SOURCE, folder))

# pylint: disable=wrong-import-position
import gpus  # noqa: E402
import harness  # noqa: E402
from vtest import VENUS, native_env  # noqa: E402

TIMEOUT = 240
SUSPENDS = 3
LOOP = 'while [ ! -e "$1" ]; do "$0" || exit 1; done'
# One keeps its GPU busy, the other begins and ends all the time.
PROGRAMS = {"a": "vulkan-compute", "b": "vulkan-hello"}


def suspend():
    for name, text in (("pm_test", "freezer"), ("state", "freeze")):
        with open(f"/sys/power/{name}", "w", encoding="ascii") as file:
            file.write(text)


class Suspend(harness.ManagerTest):
    def test_programs_go_on(self):
        m = self.manager(mib=512)
        enough = os.path.join(m.folder, "enough")
        programs = []
        for name, program in PROGRAMS.items():
            program = os.path.join(gpus.BUILD, "tests", "render", "vtest", program)
            m.create(type="256MQ", name=name, container=True)
            programs.append(subprocess.Popen(
                ["sh", "-c", LOOP, program, enough], text=True,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                env={**native_env(VENUS), "VN_DEBUG": "vtest",
                     "VTEST_SOCKET_NAME": m.show(name)["socket"]}))
        harness.wait_for(lambda: all(m.show(name)["state"] == "attached"
                                     for name in PROGRAMS), "programs")
        before = [m.show(name)["devicePid"] for name in PROGRAMS]
        for _ in range(SUSPENDS):
            begin = time.monotonic()
            suspend()
            self.assertGreater(time.monotonic() - begin, 4, "nothing was suspended")
            time.sleep(3)
        with open(enough, "w", encoding="ascii"):
            pass
        for program in programs:
            said = program.communicate(timeout=TIMEOUT)[0]
            self.assertEqual(program.returncode, 0, said)
        for name, pid in zip(PROGRAMS, before):
            vgpu = m.show(name)
            self.assertEqual((vgpu["devicePid"], vgpu["restarts"]), (pid, 0))
            self.assertNotEqual(vgpu["state"], "failed")
        told = {event["event"] for event in m.events()}
        self.assertFalse(told & {"guest-fault", "frozen", "restarted", "failed",
                                 "refused", "forbidden-call"}, told)


if __name__ == "__main__":
    unittest.main()
