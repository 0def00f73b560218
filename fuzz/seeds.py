#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
seeds.py BUILD FOLDER [COMMAND...]: fill FOLDER with seeds for the fuzzing of
venus: what Vulkan programs send to vgpu-device --vtest of BUILD, recorded and
cut. Then become COMMAND. Where venus cannot run there are no such seeds, and
COMMAND goes without. In the lab.
"""

import os
import subprocess
import sys
import tempfile
import time

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..")
sys.path[:0] = [os.path.join(TOP, "lab"),
                os.path.join(TOP, "tests", "render", "vtest")]

# pylint: disable=wrong-import-position
import recording
from vtest import Vtest, VtestError

# What makes an input of fuzz/venus_stream.c a stream as it is.
MARK = b"\1"
# As -max_len in fuzz/meson.build.
BYTES_MAX = 16384
SCENES = ("vertex", "texture", "shading", "effect2d", "desktop", "cube")
TIMEOUT = 60


def programs(build):
    here = os.path.join(build, "tests", "render", "vtest")
    return {
        "vulkaninfo": ["vulkaninfo"],
        "compute": [os.path.join(here, "vulkan-compute")],
        "hello": [os.path.join(here, "vulkan-hello")],
        **{scene: ["vkmark", "--winsys", "headless", "--size", "64x64", "-b",
                   f"{scene}:duration=0.1"] for scene in SCENES}}


def cut(records, bytes_max=BYTES_MAX):
    """The longest beginning of a stream, in whole records, as a seed."""
    seed = MARK
    for record in records:
        commands = record.commands()
        if len(seed) + len(commands) > bytes_max:
            break
        seed += commands
    return seed


def wait_for_file(folder, seen):
    """The recording that is new in the folder."""
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        new = sorted(set(os.listdir(folder)) - seen)
        if new:
            return os.path.join(folder, new[0])
        time.sleep(0.02)
    raise VtestError("nothing is recorded")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(child) for child in file.read().split()]


def wait_for_end(server):
    """A context's process goes on for a while when its program has ended."""
    pid = server.process.pid
    end = time.monotonic() + TIMEOUT
    while time.monotonic() < end:
        if not any(children(launcher) for launcher in children(pid)):
            return
        time.sleep(0.02)
    raise VtestError("it is still recorded")


def record(folder, commands):
    """Record programs, by name; yields (name, path) of each, which is whole."""
    with Vtest(512, environment={"VGPU_RECORD_DIR": folder}) as server:
        for name, command in commands.items():
            seen = set(os.listdir(folder))
            subprocess.run(command, env=server.env(), timeout=TIMEOUT,
                           stdin=subprocess.DEVNULL, capture_output=True,
                           check=True)
            wait_for_end(server)
            yield name, wait_for_file(folder, seen)


def make_seeds(build, folder):
    os.makedirs(folder, exist_ok=True)
    with tempfile.TemporaryDirectory() as recordings:
        for name, path in record(recordings, programs(build)):
            with open(os.path.join(folder, name), "wb") as file:
                file.write(cut(recording.read(path)))


def main(arguments):
    if len(arguments) < 2:
        print(__doc__.strip(), file=sys.stderr)
        return 2
    build, folder, *command = arguments
    os.environ["PATH"] = f"{build}:{os.environ['PATH']}"
    try:
        make_seeds(build, folder)
    except (VtestError, OSError, subprocess.SubprocessError) as error:
        print(f"no seeds of real programs: {error}", flush=True)
    if command:
        os.execv(command[0], command)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
