# SPDX-License-Identifier: GPL-2.0-or-later
"""Vulkan on a vGPU against the same driver used natively, and against a peer.

What is compared runs in turns, so that what disturbs one disturbs the other.
"""

import contextlib
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile

for place in ("lab", os.path.join("tests", "gpu")):
    sys.path.insert(0, os.path.join(
        os.path.dirname(os.path.abspath(__file__)), "..", place))

os.environ.setdefault("VGPU_BUILD", os.path.abspath("build"))

# pylint: disable=wrong-import-position
import gpus
from vtest import Vtest, VtestError, has_vtest, native_env

FRAMEBUFFER_MIB = 2048
STAND_IN_MIB = 1024  # of its 2,048
# What a stand-in has on the GPU is a file of its driver's, an eighth of this.
STAND_IN_HOST = ("--host-memory-mib", "16384")
TURNS = 3
TIMEOUT = 60  # far more than any of them takes
PEER_TIMEOUT = 15
GPUS = tuple(gpus.KINDS)
SCENES = ("vertex", "texture", "shading", "effect2d", "desktop", "cube",
          "clear")
PEER = ["virgl_test_server", "--venus", "--no-virgl", "--multi-clients",
        "--socket-path", "{socket}"]


class Failed(Exception):
    """A program ended badly; the text says how."""


def output(command, env, timeout=TIMEOUT):
    try:
        done = subprocess.run(command, env=env, text=True, check=False,
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=timeout)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"hangs for {timeout} s") from error
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()
        raise Failed(f"ended with {done.returncode}"
                     f"{': ' + said[-1][-80:] if said else ''}")
    return done.stdout


def figures(name, *args, timeout=TIMEOUT):
    """A function that runs a program of ours in an environment."""
    program = os.path.join("build", "bench", "vulkan", f"vulkan-{name}")
    if not os.path.exists(program):
        program = os.path.join("build", "tests", "render", "vtest",
                               f"vulkan-{name}")
    return lambda env: json.loads(output([program, *args], env, timeout))


def vkmark(scene, seconds):
    def run(env):
        out = output(["vkmark", "--winsys", "headless", "-b",
                      f"{scene}:duration={seconds}"], env)
        match = re.search(r"FPS: (\d+)", out)
        if not match:
            raise Failed("vkmark names no figure")
        return {"fps": int(match[1])}
    return run


class Turns:
    """The ways to run a program, and the medians of what each has measured."""

    def __init__(self, native, ours, peer):
        self.ways = {"native": native, "ours": ours, "peer": peer}

    def measure(self, run, turns=TURNS):
        """For each way of running: the medians of all turns, or why it failed.
        """
        results = {way: [] for way, env in self.ways.items() if env}
        failed = {}
        for _ in range(turns):
            for way in results:
                if way in failed:
                    continue
                try:
                    results[way].append(run(self.ways[way]))
                except Failed as error:
                    failed[way] = str(error)
        medians = {
            way: {key: statistics.median(r[key] for r in runs)
                  for key, value in runs[0].items()
                  if isinstance(value, (int, float))}
            for way, runs in results.items() if way not in failed}
        return medians, failed


def ratio_rows(what, medians, failed, key, unit, want, bigger_is_better=True):
    """Rows with the figures of a program as ratios to native and to the peer.
    """
    if "native" in failed or "ours" in failed:
        for way, why in failed.items():
            yield (f"{what}, {way}", why, "", False if way == "ours" else None)
        return
    native, ours = medians["native"][key], medians["ours"][key]
    ratio = ours / native if bigger_is_better else native / ours
    yield (f"{what}: ratio to native",
           f"{ours:.4g} / {native:.4g} {unit} = {ratio:.2f}",
           f"≥ {want}" if want else "", ratio >= want if want else None)
    yield from peer_rows(what, medians, failed, key, unit, bigger_is_better)


def peer_rows(what, medians, failed, key, unit, bigger_is_better):
    if "peer" in failed:
        yield (f"{what}: the peer", failed["peer"], "", None)
    elif "peer" in medians and "ours" in medians:
        ours, peer = medians["ours"][key], medians["peer"][key]
        ratio = ours / peer if bigger_is_better else peer / ours
        yield (f"{what}: ratio to the peer",
               f"{ours:.4g} / {peer:.4g} {unit} = {ratio:.2f}", "≥ 1.0",
               ratio >= 1.0)


def bench_draws(turns):
    for name, args in (("primary", ()), ("secondary", ("--secondary",))):
        medians, failed = turns.measure(figures("draw", *args))
        yield from ratio_rows(f"100,000 draws a frame, {name}", medians, failed,
                              "frame_ms", "ms", 0.85, bigger_is_better=False)


def bench_latency(turns):
    medians, failed = turns.measure(figures("latency"))
    for way, why in failed.items():
        yield (f"latency, {way}", why, "", False if way == "ours" else None)
    if "ours" not in medians or "native" not in medians:
        return
    ours, native = medians["ours"], medians["native"]
    call, idle = ours["call_p50_us"], ours["idle_call_p50_us"]
    over = ours["submit_p50_us"] - native["submit_p50_us"]
    yield ("synchronous call, p50", f"{call:.1f} us", "≤ 10 us", call <= 10)
    yield ("synchronous call after 5 ms of rest, p50", f"{idle:.0f} us", "",
           None)
    yield ("submit to fence over native, p50",
           f"{ours['submit_p50_us']:.0f} - {native['submit_p50_us']:.0f} "
           f"= {over:.0f} us", "≤ 25 us", over <= 25)
    for key, what in (("call_p50_us", "synchronous call"),
                      ("submit_p50_us", "submit to fence")):
        yield from peer_rows(what, medians, failed, key, "us", False)


def bench_alloc(turns):
    medians, failed = turns.measure(figures("alloc"))
    for key, what in (("same_p50_us", "1 MiB"), ("large_p50_us", "8 MiB"),
                      ("different_p50_us", "some 1 MiB, never the same")):
        yield from ratio_rows(f"memory allocated, written to and freed, {what}",
                              medians, failed, key, "us", None,
                              bigger_is_better=False)


def bench_context(turns):
    medians, failed = turns.measure(figures("context"))
    for way, why in failed.items():
        yield (f"new context, {way}", why, "", False if way == "ours" else None)
    if "ours" not in medians or "native" not in medians:
        return
    # A context is a new process that loads the driver, as is a program's first
    # native one; later ones of the same program find it loaded.
    for key, what, want in (("first_us", "a program's first", 1.5),
                            ("p50_us", "its later ones", None)):
        ours, native = medians["ours"][key], medians["native"][key]
        yield (f"new context, {what}: ratio to native instance and device",
               f"{ours / 1000:.1f} / {native / 1000:.1f} ms "
               f"= {ours / native:.2f}",
               f"≤ {want}" if want else "",
               ours / native <= want if want else None)
        yield from peer_rows(f"new context, {what}", medians, failed, key, "us",
                             False)


def bench_compute(turns):
    medians, failed = turns.measure(figures("compute"))
    yield from ratio_rows("sums over 64 MiB", medians, failed, "p50_us", "us",
                          None, bigger_is_better=False)


def bench_transfer(turns):
    medians, failed = turns.measure(figures("transfer"))
    for key, what in (("upload_ms", "256 MiB to the GPU"),
                      ("read_ms", "256 MiB read back")):
        yield from ratio_rows(what, medians, failed, key, "ms", None,
                              bigger_is_better=False)


def bench_vkmark(turns, seconds):
    ratios = []
    for scene in SCENES:
        medians, failed = turns.measure(vkmark(scene, seconds))
        yield from ratio_rows(f"vkmark {scene}", medians, failed, "fps", "fps",
                              None)
        if "ours" in medians and "native" in medians:
            ratios.append(medians["ours"]["fps"] / medians["native"]["fps"])
    if not ratios:
        return
    median, worst = statistics.median(ratios), min(ratios)
    every = len(ratios) == len(SCENES)
    yield ("vkmark, all scenes: median ratio", f"{median:.2f}", "≥ 0.95",
           every and median >= 0.95)
    yield ("vkmark, all scenes: worst ratio", f"{worst:.2f}", "≥ 0.85",
           every and worst >= 0.85)


def start_peer(stack):
    """The peer if it is there, and whether it can map memory: else it does
    little more than make contexts."""
    if not shutil.which(PEER[0]):
        raise VtestError("is not installed")
    peer = stack.enter_context(Vtest(command=PEER))
    try:
        figures("hello", timeout=PEER_TIMEOUT)(peer.env())
    except Failed as error:
        said = [line for line in peer.log().splitlines() if "failed" in line]
        return peer, f"{error}; {said[-1][-70:] if said else ''}"
    return peer, None


def bench_vulkan(seconds):
    """All of it; rows as the other benchmarks yield them."""
    if not has_vtest():
        yield ("Vulkan", "vgpu-device has no --vtest", "", None)
        return
    with contextlib.ExitStack() as stack:
        ours = stack.enter_context(Vtest(FRAMEBUFFER_MIB)).env()
        peer, why = None, None
        try:
            server, why = start_peer(stack)
            peer = server.env()
        except VtestError as error:
            why = str(error)
        if why:
            yield (f"the peer, {PEER[0]}, with mapped memory", why, "", None)
        yield from bench_context(Turns(native_env(), ours, peer))
        turns = Turns(native_env(), ours, None if why else peer)
        yield from bench_draws(turns)
        yield from bench_latency(turns)
        yield from bench_alloc(turns)
        yield from bench_compute(turns)
        yield from bench_transfer(turns)
        yield from bench_vkmark(turns, seconds)


def bench_gpu(kind, seconds):
    """The same on a stand-in for a GPU with memory of its own, natively as on a
    vGPU; no peer can be on one of its kind."""
    way = gpus.KINDS[kind][0]
    with tempfile.TemporaryDirectory(prefix="gpu-") as folder, \
            gpus.serve(folder, kind, STAND_IN_MIB, options=STAND_IN_HOST) as server:
        native = {**native_env(), **gpus.layer_environment(folder, kind)}
        turns = Turns(native, server.env(), None)
        for bench in (bench_transfer(turns), bench_compute(turns),
                      bench_latency(turns), bench_draws(turns),
                      bench_vkmark(turns, seconds)):
            for what, *rest in bench:
                yield (f"{way}: {what}", *rest)
