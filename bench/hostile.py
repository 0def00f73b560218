#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""hostile.py KIND SOCKET: a client of a vtest socket that does others all the harm
it can, until it is killed. KIND: rings, compile, storm, calls."""

import os
import subprocess
import sys
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
os.environ.setdefault("VGPU_SOURCE", os.path.dirname(HERE))
os.environ.setdefault("VGPU_BUILD",
                      os.path.join(os.path.dirname(HERE), "build"))
sys.path.insert(0, os.path.join(HERE, "..", "tests", "render", "hostile"))

# pylint: disable=wrong-import-position
import venus
from venus import u64, vt, words

RINGS = 60
RING_BYTES = 1 << 17
EMPTY = venus.seek_reply(0)  # a command that does nothing
CALLS_PER_S = 1_000_000
TICK_S = 0.001
CONTEXTS = 4  # at a time, where one takes a processor at most
SHADER = """#version 460
#extension GL_EXT_buffer_reference : require
#extension GL_EXT_shader_explicit_arithmetic_types_int64 : require
layout(local_size_x = 1) in;
layout(buffer_reference, std430, buffer_reference_align = 4) buffer P { float v[]; };
layout(push_constant) uniform C { uint64_t at; };
void main() { P a = P(at); float x = a.v[0], y = a.v[1];
%s
a.v[0] = x + y; }
"""
LINES = 600


class Socket:
    """What venus.Guest wants of a device."""

    def __init__(self, path):
        self.path = path

    def begin(self):
        return vt.Client(self.path).begin()


def compile_shader():
    """SPIR-V that a driver compiles for longer than it may."""
    body = "\n".join(f"x = x * y + sin(x * {i}.5); y = y - x / (y * {i}.25);"
                     f" if (x > {i}.0) {{ y = cos(y) * a.v[{i % 100}]; }}"
                     for i in range(LINES))
    with tempfile.TemporaryDirectory() as folder:
        source = os.path.join(folder, "bomb.comp")
        with open(source, "w", encoding="ascii") as file:
            file.write(SHADER % body)
        subprocess.run(["glslang", "-V", "--quiet", "--target-env",
                        "vulkan1.3", "-o", source + ".spv", source], check=True,
                       stdout=subprocess.DEVNULL)
        with open(source + ".spv", "rb") as file:
            return file.read()


class Rings:
    """Rings over one piece of memory that is full of commands which do nothing,
    each with control words of its own."""

    def __init__(self, guest, n):
        self.first = venus.Ring(guest, 1, buffer_bytes=RING_BYTES)
        self.fill = len(EMPTY) * (RING_BYTES // len(EMPTY))
        self.first.memory[4096:4096 + self.fill] = EMPTY * (self.fill // len(EMPTY))
        for i in range(1, n + 1):
            at = 12 * i
            guest.run(venus.command(188, u64(i), venus.info(
                1000384000, words(0, 1), u64(0), u64(8192 + RING_BYTES),
                u64((1 << 64) - 1), u64(at), u64(at + 4), u64(at + 8), u64(4096),
                u64(RING_BYTES), u64(4096 + RING_BYTES), u64(4096))))
        self.guest = guest
        self.tails = {i: 0 for i in range(1, n + 1)}

    def feed(self, size=None):
        """So much more, or a buffer full, for each that is not behind by it."""
        size = size or self.fill
        fed = []
        with memoryview(self.first.memory) as view, view.cast("I") as control:
            for i, tail in self.tails.items():
                if (tail - control[3 * i]) & 0xffffffff > self.fill - size:
                    continue
                self.tails[i] = (tail + size) & 0xffffffff
                control[3 * i + 1] = self.tails[i]
                fed.append(i)
        # They may have gone to sleep.
        self.guest.send(*(venus.notify_ring(i) for i in fed))


def burn_rings(device):
    guest = venus.Guest(device)
    guest.run(venus.UP_TO_QUEUE)
    rings = Rings(guest, RINGS)
    while True:
        rings.feed()
        time.sleep(2 * TICK_S)


def call(device):
    guest = venus.Guest(device)
    guest.run(venus.UP_TO_QUEUE)
    rings = Rings(guest, 1)
    size = len(EMPTY) * int(CALLS_PER_S * TICK_S)
    due = time.monotonic()
    while True:
        rings.feed(size)
        due = max(due + TICK_S, time.monotonic() - TICK_S)
        time.sleep(max(0, due - time.monotonic()))


def compile_for_ever(device, code):
    pipeline = venus.create_pipeline(code, pushed=8)
    guest = venus.Guest(device)
    guest.run(venus.UP_TO_QUEUE)
    number, memory = guest.share((len(pipeline) + 4095) & ~4095)
    memory[:len(pipeline)] = pipeline
    guest.run(venus.execute((number, 0, len(pipeline))))


def allocate_for_ever(device):
    guest = venus.Guest(device)
    guest.run(venus.UP_TO_QUEUE)
    storm = b"".join(venus.allocate(1000 + i, 65536) + venus.free(1000 + i)
                     for i in range(200))
    while True:
        guest.run(storm)


def repeat(harm, *args):
    """Again, whenever its context has ended."""
    while True:
        try:
            harm(*args)
        except (AssertionError, EOFError, OSError):
            time.sleep(0.01)


def main(kind, path):
    device = Socket(path)
    harm = {"rings": (burn_rings, 1), "calls": (call, 1),
            "compile": (compile_for_ever, CONTEXTS),
            "storm": (allocate_for_ever, CONTEXTS)}[kind]
    args = (device, compile_shader()) if kind == "compile" else (device,)
    print("begins", flush=True)
    for _ in range(harm[1]):
        threading.Thread(target=repeat, args=(harm[0], *args),
                         daemon=True).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
