# SPDX-License-Identifier: GPL-2.0-or-later
"""OpenGL programs of piglit, as Debian packages it, through Zink: each on the
host's driver and on a vGPU. What passes natively must pass there, too."""

import argparse
import ast
import collections
import concurrent.futures
import contextlib
import gzip
import json
import os
import queue
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "lab"))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from vtest import ZINK, Vtest, native_env

PIGLIT = "/usr/lib/x86_64-linux-gnu/piglit"
PROFILE = os.path.join(PIGLIT, "tests", "quick_gl.xml.gz")
CHOSEN = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chosen.txt")
N_CHOSEN = 200
HEADER = """\
# SPDX-License-Identifier: GPL-2.0-or-later
# Each n-th program of piglit's quick_gl, or the next after it that passes on the
# host's software driver: written by test_piglit.py --choose.
"""
PLATFORM = "surfaceless_egl"
FRAMEBUFFER_MIB = 1024
FRAMEBUFFER_MIB_ALL = 4096  # for textures as large as there can be
HOST_MEMORY_MIB = 4096
TIMEOUT = 300  # of what takes half a minute on an idle machine
SLOWER = 4  # and on a vGPU so many times as long as it took natively
SETTINGS = {
    **ZINK, "PIGLIT_PLATFORM": PLATFORM, "PIGLIT_SOURCE_DIR": PIGLIT,
    "MESA_SHADER_CACHE_DISABLE": "1",
    # Venus has no descriptor buffers. Of descriptor sets lavapipe bears some
    # 60,000 in a process, natively as in ours: each is a mapping.
    "ZINK_DESCRIPTORS": "lazy"}
# These need VK_EXT_external_memory_host, which no guest has.
NOT_OFFERED = {"amd_pinned_memory"}

Program = collections.namedtuple("Program", "name, command")


def read_profile():
    """The programs of quick_gl that need no window system."""
    with gzip.open(PROFILE) as file:
        tests = xml.etree.ElementTree.parse(file).getroot()
    for test in tests.iter("Test"):
        option = {each.get("name"): ast.literal_eval(each.get("value"))
                  for each in test.iter("option")}
        if (PLATFORM not in option.get("require_platforms", [PLATFORM]) or
                PLATFORM in option.get("exclude_platforms", []) or
                option["command"][0] in NOT_OFFERED):
            continue
        command = [os.path.join(PIGLIT, "bin", option["command"][0]),
                   *option["command"][1:]]
        if test.get("type") == "gl_builtin":
            command[1] = os.path.join(PIGLIT, "tests", command[1])
        else:
            command += ["-auto"] + ["-fbo"] * option["run_concurrent"]
        yield Program(test.get("name"), command)


def read_chosen():
    with open(CHOSEN, encoding="utf-8") as file:
        names = [line.rstrip("\n") for line in file if not line.startswith("#")]
    have = {program.name: program for program in read_profile()}
    return [have[name] for name in names]


def run(program, env, timeout=TIMEOUT):
    """What it says of itself ("") and of its subtests, and how long it took."""
    began = time.monotonic()
    with subprocess.Popen(program.command, env={**env, **SETTINGS}, text=True,
                          cwd=os.path.dirname(program.command[0]),
                          errors="replace", stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          start_new_session=True) as process:
        try:
            said = process.communicate(timeout=timeout)[0]
            end = process.returncode
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            said, end = process.communicate()[0], "timeout"
    results = {"": "none"}
    for line in said.splitlines():
        if not line.startswith("PIGLIT: "):
            continue
        try:
            told = json.loads(line.removeprefix("PIGLIT: "))
        except ValueError:  # it ended while it said that
            continue
        results.update(told.get("subtest", {}))
        results[""] = told.get("result", results[""])
    if end == "timeout" or end < 0:
        results[""] = f"ended by {end}"
    return results, said, time.monotonic() - began


def passes(results):
    return {name for name, result in results.items() if result == "pass"}


class Comparison:
    """Counts, and what is different."""

    def __init__(self, servers, keep=None):
        # A vGPU for each job: programs have as much memory as they want.
        self.servers = queue.SimpleQueue()
        for server in servers:
            self.servers.put(server)
        self.keep = keep
        self.native = collections.Counter()
        self.ours = collections.Counter()
        self.differences = []

    def compare(self, program):
        native, _, native_s = run(program, native_env())
        wanted = passes(native)
        if not wanted:
            return program, native, None, native_s, 0, ""
        server = self.servers.get()
        try:
            ours, said, ours_s = run(program, server.env(),
                                     max(TIMEOUT, SLOWER * native_s))
        finally:
            self.servers.put(server)
        if wanted - passes(ours):
            # Some do not always pass natively: they count for nothing.
            wanted &= passes(run(program, native_env())[0])
        missing = wanted - passes(ours)
        if missing:
            self.differences.append((program, {
                name: ours.get(name, "none") for name in sorted(missing)}, said))
        return program, native, ours, native_s, ours_s, said

    def add(self, program, native, ours, native_s, ours_s, _):
        for name, result in native.items():
            self.native[result] += 1
            if ours and result == "pass":
                self.ours[ours.get(name, "none")] += 1
        if self.keep:
            self.keep.write(json.dumps(
                [program.name, native, ours, round(native_s, 2),
                 round(ours_s, 2)]) + "\n")
            self.keep.flush()

    def run(self, programs, jobs):
        with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
            for done in pool.map(self.compare, programs):
                self.add(*done)

    def report(self, n_programs):
        print(f"{n_programs} programs, {sum(self.native.values())} results: "
              f"natively {dict(self.native.most_common())}; of those that pass, "
              f"on a vGPU {dict(self.ours.most_common())}")
        for program, missing, said in self.differences:
            print(f"\n{program.name}: {' '.join(program.command)}")
            for name, result in list(missing.items())[:10]:
                print(f"  {name or '(the whole)'}: {result}")
            print("  " + "\n  ".join(said.splitlines()[-5:]))


def check_control(program):
    """What would pass without a vGPU says nothing of one."""
    with Vtest(FRAMEBUFFER_MIB) as server:
        env = server.env()
    if passes(run(program, env)[0]):
        sys.exit(f"{program.name} passes where no vGPU is")


def choose():
    """Write the list: each n-th of all, or the next after it that passes."""
    programs = list(read_profile())
    with open(CHOSEN, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for i in range(N_CHOSEN):
            for program in programs[i * len(programs) // N_CHOSEN:]:
                results, _, seconds = run(program, native_env())
                if passes(results) and seconds < 10:
                    break
            file.write(program.name + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--all", action="store_true",
                        help="not only those of the list")
    parser.add_argument("--every", type=int, default=1,
                        help="with --all: only every Nth")
    parser.add_argument("--name", help="only those whose name has this in it")
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--keep", type=argparse.FileType("w"),
                        help="where all results go, a line each")
    parser.add_argument("--choose", action="store_true",
                        help="write the list anew")
    args = parser.parse_args()
    if not os.path.exists(PROFILE):
        print("no piglit here")
        sys.exit(77)
    if args.choose:
        choose()
        return
    programs = list(read_profile()) if args.all else read_chosen()
    if args.name:
        programs = [each for each in programs if args.name in each.name]
    programs = programs[::args.every]
    check_control(programs[0])
    mib = FRAMEBUFFER_MIB_ALL if args.all else FRAMEBUFFER_MIB
    command = ["vgpu-device", "--vtest", "{socket}", "--framebuffer-mib", str(mib),
               "--host-memory-mib", str(HOST_MEMORY_MIB)]
    with contextlib.ExitStack() as stack:
        servers = [stack.enter_context(Vtest(command=command))
                   for _ in range(args.jobs)]
        comparison = Comparison(servers, args.keep)
        comparison.run(programs, args.jobs)
        comparison.report(len(programs))
        if not comparison.native["pass"]:
            sys.exit("nothing passes natively: nothing was compared")
        for server in servers:
            print(server.log(), end="")
            if server.process.poll() is not None:
                sys.exit("a device ended")
    sys.exit(bool(comparison.differences))


if __name__ == "__main__":
    main()
