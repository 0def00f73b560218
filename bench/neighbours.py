# SPDX-License-Identifier: GPL-2.0-or-later
"""What a hostile vGPU takes from its neighbour and from the host, and what the
sandbox costs a vGPU that is alone.

What is compared runs in turns, so that what disturbs one disturbs the other.
"""

import contextlib
import glob
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("VGPU_SOURCE", os.path.dirname(HERE))
os.environ.setdefault("VGPU_BUILD",
                      os.path.join(os.path.dirname(HERE), "build"))
BUILD = os.environ["VGPU_BUILD"]
sys.path[:0] = [os.path.join(HERE, "..", "lab"),
                os.path.join(HERE, "..", "tests", "render", "hostile")]

# pylint: disable=wrong-import-position
import test_host_memory as attacks
import venus
from hostile import Rings
from venus import FREE_ID, MIB, u64, vt
from vtest import NATIVE, VENUS, native_env

DRAW = os.path.join(BUILD, "bench", "vulkan", "vulkan-draw")
KINDS = {"rings": "60 busy rings", "compile": "4 compile bombs",
         "storm": "4 allocation storms", "calls": "10^6 empty calls a second"}
TURNS = 3
FRAMES = 300
SLICE_US = 5000  # lib/share.h
LONE_TURNS = 15
STARTS = 15
SETTLE_S = 0.5
TIMEOUT = 120
PARENT_SHARES = 32768  # so that what else runs on the machine counts for little
HOST_MEMORY_MIB = 512
ALL_LAYERS = "ids,capabilities,privileges,limits,landlock,scope,seccomp,user"


class Groups:
    """Control groups of equal weight. vgpud makes those of vGPUs itself where it
    has cgroup v2. Elsewhere these are of cgroup v1's cpu, which the same scheduler
    of the kernel keeps, and the benchmark puts there what vgpud would."""

    def __init__(self, stack):
        self.mount = tempfile.mkdtemp(prefix="bench-cpu.")
        self.made, self.parent = {}, None
        done = subprocess.run(["mount", "-t", "cgroup", "-o", "cpu", "cgroup",
                               self.mount], check=False, capture_output=True)
        self.is_there = done.returncode == 0
        stack.callback(self.finish)
        if self.is_there:
            self.parent = tempfile.mkdtemp(prefix="openvgpu-bench.",
                                           dir=self.mount)
            self.write(self.parent, "cpu.shares", PARENT_SHARES)
            self.write(self.parent, "cgroup.procs", os.getpid())

    @staticmethod
    def write(folder, name, value):
        with open(os.path.join(folder, name), "w", encoding="ascii") as file:
            file.write(str(value))

    def put(self, name, *pids):
        if not self.is_there:
            return
        if name not in self.made:
            self.made[name] = os.path.join(self.parent, name)
            os.mkdir(self.made[name])
        for pid in pids:
            self.write(self.made[name], "cgroup.procs", pid)

    def limit(self, names, part, slice_us):
        """As lib/share.c: a part of all processors, by time slices; 1: no limit."""
        for path in (self.made.get(name) for name in names):
            if path:
                period = int(slice_us / part)
                self.write(path, "cpu.cfs_quota_us", -1)
                self.write(path, "cpu.cfs_period_us", period)
                if part < 1:
                    self.write(path, "cpu.cfs_quota_us",
                               int(period * part * os.cpu_count()))

    def remove(self, path):
        """What still runs there goes back to where it came from."""
        end = time.monotonic() + TIMEOUT
        while True:
            with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as file:
                pids = file.read().split()
            for pid in pids:
                with contextlib.suppress(OSError):
                    self.write(self.mount, "cgroup.procs", pid)
            try:
                os.rmdir(path)
                return
            except OSError:
                if time.monotonic() > end:
                    raise
                time.sleep(0.05)

    def finish(self):
        if self.is_there:
            for path in (*self.made.values(), self.parent):
                self.remove(path)
            subprocess.run(["umount", self.mount], check=True)
        os.rmdir(self.mount)


def client_env(path, **more):
    return {**native_env(VENUS), "VN_DEBUG": "vtest", "VTEST_SOCKET_NAME": path,
            "VN_PERF": "no_async_mem_alloc", **more}


def start(command, env, groups, name):
    process = subprocess.Popen(command, env=env, stdin=subprocess.DEVNULL,
                               stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL, text=True)
    groups.put(name, process.pid)
    return process


def frames(path, groups):
    """p50 and p99 of a program's frames, in ms."""
    process = start([DRAW, "--frames", str(FRAMES)], client_env(path), groups,
                    "vm-victim")
    said = process.communicate(timeout=TIMEOUT)[0]
    if process.returncode:
        raise RuntimeError("the victim's program fails")
    figures = json.loads(said)
    return figures["frame_p50_ms"], figures["frame_p99_ms"]


def descendants(pid):
    for child, _ in vt.children_of(pid):
        yield child
        yield from descendants(child)


@contextlib.contextmanager
def neighbour(kind, path, groups):
    """One that does what it likes meanwhile; None: an honest one at work."""
    if kind:
        command = [sys.executable, os.path.join(HERE, "hostile.py"), kind, path]
        process = start(command, native_env(), groups, "vm-neighbour")
        process.stdout.readline()  # it begins
    else:
        process = start([DRAW, "--frames", "100000"], client_env(path), groups,
                        "vm-neighbour")
    time.sleep(SETTLE_S)
    try:
        yield
        if process.poll() is not None:
            raise RuntimeError(f"the neighbour ended: {kind or 'honest'}")
    finally:
        process.kill()
        process.wait()


def create(manager, groups, name):
    """The socket of a vGPU for containers."""
    manager.link.call("Create", type="1C", name=name, container=True)
    vgpu = manager.link.call("GetVgpu", vgpu=name)["vgpu"]
    launchers = [pid for pid, what in vt.children_of(manager.process.pid)
                 if what == "vgpu-launch"]
    groups.put(name, vgpu["devicePid"], launchers[-1])
    return vgpu["socket"]


def measure(sockets, groups):
    """Medians of the victim's p99: by kind of neighbour, honest, and alone."""
    p99 = {kind: [] for kind in ("alone", None, *KINDS)}
    for _ in range(TURNS):
        for kind, found in p99.items():
            beside = (contextlib.nullcontext() if kind == "alone" else
                      neighbour(kind, sockets["neighbour"], groups))
            with beside:
                found.append(frames(sockets["victim"], groups)[1])
    return {kind: statistics.median(found) for kind, found in p99.items()}


def bench_neighbours(manager):
    """p99 of a victim's frames beside a hostile neighbour ÷ beside an honest one
    that takes all of its share."""
    names = "victim", "neighbour"
    with contextlib.ExitStack() as stack:
        groups = Groups(stack)
        how = "vgpud's groups"
        if manager.link.call("GetInfo").get("cgroupProblem"):
            how = "cgroup v1" if groups.is_there else "no control groups here"
        sockets = {name: create(manager, groups, name) for name in names}
        for scheduler, part in ("equal-share", 1 / len(names)), ("best-effort", 1):
            manager.link.call("SetScheduler", scheduler=scheduler)
            groups.limit(names, part, SLICE_US)
            p99 = measure(sockets, groups)
            yield (f"{scheduler} ({how}): frame p99 alone / honest neighbour",
                   f"{p99['alone']:.1f} / {p99[None]:.1f} ms", "", None)
            for kind, what in KINDS.items():
                ratio = p99[kind] / p99[None]
                wanted = scheduler == "equal-share"
                yield (f"{scheduler}: frame p99, {what} ÷ honest neighbour",
                       f"{p99[kind]:.1f} / {p99[None]:.1f} ms = {ratio:.2f}",
                       "≤ 1.25" if wanted else "",
                       ratio <= 1.25 if wanted else None)
        for name in names:
            manager.link.call("Destroy", vgpu=name, force=True)


def layered_programs(folder):
    """Ours, of which those that start guests' drivers can leave layers out."""
    for name, place in (("vgpu-device", ""), ("vgpu-launch", "tests/sandbox"),
                        ("vgpu-render", "tests/sandbox")):
        shutil.copy(os.path.join(BUILD, place, name), folder)
    os.chmod(folder, 0o755)
    return os.path.join(folder, "vgpu-device")


@contextlib.contextmanager
def device(program, without="", framebuffer_mib=1024):
    one = vt.Device(None, ("--framebuffer-mib", str(framebuffer_mib)), program,
                    VK_DRIVER_FILES=NATIVE, VGPU_SANDBOX_WITHOUT=without)
    try:
        yield one
    finally:
        one.end()
        one.folder.cleanup()


def compare(program, turns, figure, groups=None):
    """Figures in the sandbox (and a control group), and in neither, in turns."""
    found = {"": [], ALL_LAYERS: []}
    with contextlib.ExitStack() as stack:
        devices = {without: stack.enter_context(device(program, without))
                   for without in found}
        pid = devices[""].process.pid
        if groups:
            groups.put("lone", pid, *descendants(pid))
        for turn in range(turns):
            for without in list(found)[::1 if turn % 2 else -1]:
                found[without].append(figure(devices[without]))
    return list(found.values())


def bench_lone(groups, program):
    """Frames of a vGPU that is alone."""
    in_all, bare = (statistics.median(way) for way in compare(
        program, LONE_TURNS, lambda one: frames(one.path, groups)[0], groups))
    cost = (in_all / bare - 1) * 100
    yield ("frame p50 of a lone vGPU: what sandbox and control group cost",
           f"{in_all:.2f} / {bare:.2f} ms: {cost:+.1f} %", "≤ 1 %", cost <= 1)


def processor_ms(one):
    """Processor time of the device process, its launcher and what that started."""
    total = 0
    for pid in one.process.pid, *descendants(one.process.pid):
        for path in glob.glob(f"/proc/{pid}/task/*/schedstat"):
            with contextlib.suppress(OSError), \
                    open(path, encoding="ascii") as file:
                total += int(file.read().split()[0]) / 1e6
    return total


def start_context(one):
    """Time and processor time until a context has done something. There is no spare
    process: that comes some time after the context before, and goes some time after
    its end."""
    guest = venus.Guest(one)
    guest.barrier()
    time.sleep(0.02)
    used, begin = processor_ms(one), time.perf_counter()
    second = venus.Guest(one)
    second.barrier()
    took = (time.perf_counter() - begin) * 1000
    used = processor_ms(one) - used
    for each in guest, second:
        each.socket.close()
    one.end_contexts()
    while list(one.spares()):
        time.sleep(0.02)
    return took, used


def bench_start(program):
    """Processor time has a wanted value: it does not depend on what else runs."""
    found = compare(program, STARTS, start_context)
    for i, what, wanted in (0, "time", ""), (1, "processor time", "≤ 5 ms"):
        in_all, bare = (statistics.median(each[i] for each in way)
                        for way in found)
        yield (f"start of a context: what sandbox and limits add, {what}",
               f"{in_all:.1f} - {bare:.1f} = {in_all - bare:.1f} ms",
               wanted, in_all - bare <= 5 if wanted else None)


def take_pools(guest):
    guest.run(venus.UP_TO_QUEUE)
    guest.run(*(attacks.create_query_pool(FREE_ID + i, 500_000)
                for i in range(200)))
    guest.run(attacks.create_query_pool(FREE_ID + 999, 100_000_000))


def take_sets(guest):
    guest.run(venus.UP_TO_COMMANDS, attacks.create_set_layout(65536),
              attacks.create_set_pool())
    for i in range(60):
        guest.run(attacks.allocate_sets(FREE_ID + 10 * i, 10))


def take_rings(guest):
    guest.run(venus.UP_TO_QUEUE)
    rings = Rings(guest, 64)
    for _ in range(20):
        rings.feed()
        time.sleep(0.01)


def take_devices(guest):
    guest.run(venus.UP_TO_QUEUE)
    for i in range(64):
        guest.run(venus.create_device(FREE_ID + i))


def take_pipelines(guest):
    guest.run(venus.UP_TO_COMMANDS)
    one = venus.create_pipeline()
    for i in range(4000):
        guest.run(one.replace(u64(venus.PIPELINE), u64(FREE_ID + 3 * i))
                  .replace(u64(venus.MODULE), u64(FREE_ID + 3 * i + 1))
                  .replace(u64(venus.LAYOUT), u64(FREE_ID + 3 * i + 2)))


TAKERS = {"query pools": take_pools, "descriptor sets": take_sets,
          "64 rings": take_rings, "64 devices": take_devices,
          "pipelines": take_pipelines}
CONTEXTS = 6  # that take at once
TAKE_S = 8


class Most(threading.Thread):
    """The most that all processes of a vGPU have at a time, in bytes: private
    memory and their share of what they share. No framebuffer is used."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid, self.most, self.is_over = pid, 0, False

    @staticmethod
    def taken(pid):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
                open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            return sum(int(line.split()[1]) * 1024 for line in file
                       if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
        return 0

    def run(self):
        while not self.is_over:
            self.most = max(self.most, self.taken(self.pid) + sum(
                self.taken(pid) for pid in descendants(self.pid)))
            time.sleep(0.002)


def take_all(take, one):
    def attempt():
        with contextlib.suppress(AssertionError, EOFError, OSError):
            while not watch.is_over:
                guest = venus.Guest(one)
                with contextlib.suppress(AssertionError, EOFError, OSError):
                    take(guest)
                    while not watch.is_over:  # and keeps it
                        guest.barrier()
                        time.sleep(0.05)
                guest.socket.close()
    watch = Most(one.process.pid)
    watch.start()
    threads = [threading.Thread(target=attempt, daemon=True)
               for _ in range(CONTEXTS)]
    for thread in threads:
        thread.start()
    time.sleep(TAKE_S)
    watch.is_over = True
    for thread in threads:
        thread.join(5)
    watch.join()
    return watch.most // MIB


def bench_memory():
    """What a guest takes of the host beyond its framebuffer."""
    for what, take in TAKERS.items():
        with device(os.path.join(BUILD, "vgpu-device"), framebuffer_mib=64) as one:
            mib = take_all(take, one)
        yield (f"host memory beyond the framebuffer, {what} in {CONTEXTS} contexts",
               f"{mib} MiB", "≤ 512 MiB", mib <= HOST_MEMORY_MIB)


def bench_sandbox():
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(
            tempfile.TemporaryDirectory(prefix="bench-programs."))
        groups = Groups(stack)
        program = layered_programs(folder)
        yield from bench_lone(groups, program)
        yield from bench_start(program)
    yield from bench_memory()
