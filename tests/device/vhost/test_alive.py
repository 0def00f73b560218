# SPDX-License-Identifier: GPL-2.0-or-later
"""Contexts outlive their device process: its successor goes on with them."""

import collections
import json
import mmap
import os
import random
import shutil
import socket
import struct
import tempfile
import threading
import time
import unittest

import frontend as fe
from test_window import (ATTACH, CREATE_BLOB, CTX_CREATE, CTX_DESTROY,
                         ERR_UNSPEC, OK, OK_MAP_INFO, SEGMENT, SHMEM_MAP,
                         SHMEM_UNMAP, SUBMIT, UNMAP_BLOB, UNREF, WINDOW, Channel,
                         create_shared, header, map_blob)

DETACH = 0x203
FENCE, RING_IDX = 1, 2
SOURCE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FAKE = os.path.join(SOURCE, "vtest", "fake_render.py")
SHARED, MEMORY, LATE = 1, 2, 3  # resources
LONG = os.environ.get("VGPU_LONG") == "1"


def fenced(kind, context=1, ring=0, fence=0):
    return struct.pack("<IIQIBxxx", kind, FENCE | RING_IDX, fence, context,
                       ring)


def script(*lines):
    text = json.dumps(lines).encode()
    return text + b" " * (-len(text) % 4)


def submit(*lines, context=1, ring=None, fence=0):
    body = script(*lines) if lines else b""
    head = (header(SUBMIT, context) if ring is None else
            fenced(SUBMIT, context, ring, fence))
    return head + struct.pack("<II", len(body), 0) + body


def attach(resource, context=1):
    return header(ATTACH, context) + struct.pack("<II", resource, 0)


def detach(resource, context=1):
    return header(DETACH, context) + struct.pack("<II", resource, 0)


def unref(resource):
    return header(UNREF) + struct.pack("<II", resource, 0)


def create_context(context=1):
    return header(CTX_CREATE, context) + struct.pack("<II64s", 0, 4, b"")


def create_memory(resource, number, size, context=1):
    return header(CREATE_BLOB, context) + struct.pack(
        "<IIIIQQ", resource, 2, 1, 0, number, size)


class Vmm(threading.Thread):
    """It answers about the window at once, whichever device asks."""

    def __init__(self, front):
        super().__init__(daemon=True)
        self.channel = Channel(front)
        self.channel.is_after_a_death = True
        self.mapped = {}  # offset: file
        self.seen = set()  # what was there

    def run(self):
        while True:
            try:
                request, fields, fds = self.channel.take()
                status = 0
                if request == SHMEM_MAP:
                    status = int(fields[2] in self.mapped)
                    if status:
                        os.close(fds[0])
                    else:
                        self.mapped[fields[2]] = fds[0]
                        self.seen.add(os.pread(fds[0], 16, fields[1]))
                elif request == SHMEM_UNMAP:
                    status = int(fields[2] not in self.mapped)
                    if not status:
                        os.close(self.mapped.pop(fields[2]))
                self.channel.answer(request, status)
            except (OSError, struct.error):
                return

    def close(self):
        self.channel.socket.shutdown(socket.SHUT_RDWR)
        self.join()
        for fd in self.mapped.values():
            os.close(fd)


class Guest(unittest.TestCase):
    """A guest with fake render processes (fake_render.py)."""

    render = FAKE
    environment = {}  # of devices
    alone_seconds = "1000"
    never_said = ("Sanitizer", "runtime error", "makes no sense")

    def prepare(self):
        pass

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.prepare()
        os.chmod(self.folder.name, 0o755)
        path = os.path.join(self.folder.name, "render")
        shutil.copyfile(self.render, path)
        os.chmod(path, 0o755)
        self.log = tempfile.TemporaryFile("w+")
        self.manager = fe.Manager(
            program=fe.DEVICE, window=WINDOW, segments=8, segment_bytes=SEGMENT,
            log=self.log, launcher={"VGPU_RENDER": path,
                                    "VGPU_ALONE_SECONDS": self.alone_seconds})
        self.front = None
        self.addCleanup(self.finish)
        self.manager.environment = self.environment
        self.manager.start()
        self.front = self.manager.connect()
        self.queue = self.front.bring_up(size=32 << 20)[0]
        self.vmm = Vmm(self.front)
        self.vmm.start()

    def finish(self):
        if self.front:
            self.vmm.close()
            self.front.close()
        self.manager.close()
        self.log.seek(0)
        said = self.log.read()
        self.log.close()
        self.folder.cleanup()
        for word in self.never_said:
            self.assertFalse(word in said, said[-4000:])
        if os.environ.get("VGPU_VERBOSE"):
            print(said)

    def send(self, data, tag=None, room=64):
        self.queue.submit(data, room, tag=tag)

    def answer(self):
        """(type, flags, fence, tag) of the next answer."""
        _, data, tag = self.queue.wait()
        kind, flags, fence = struct.unpack_from("<IIQ", data)
        return kind, flags, fence, tag

    def ask(self, data):
        self.send(data)
        return self.answer()[0]

    def succeed(self):
        self.manager.kill()
        self.manager.start()

    def begin(self, context=1):
        """A context with a ring's memory, 4096 bytes, and device memory."""
        self.assertEqual(self.ask(create_context(context)), OK)
        self.assertEqual(self.ask(create_shared(SHARED, 65536, context)), OK)
        self.assertEqual(self.ask(attach(SHARED, context)), OK)

    def map(self, resource, offset=0):
        """The file that the guest sees there."""
        self.assertEqual(self.ask(map_blob(resource, offset)), OK_MAP_INFO)
        return self.vmm.mapped[offset]

    def unmap(self, resource):
        self.assertEqual(self.ask(header(UNMAP_BLOB) +
                                  struct.pack("<II", resource, 0)), OK)

    def report(self, resource=SHARED, context=1):
        """What the fake render process received, from the memory that it
        shares."""
        self.assertEqual(self.ask(submit(["report", resource],
                                         context=context, ring=0)), OK)
        with mmap.mmap(self.map(resource), 0) as memory:
            size = struct.unpack_from("<Q", memory)[0]
            told = json.loads(memory[8:8 + size])
        self.unmap(resource)
        return told

    def collect(self, *tags):
        """Each of them is answered well, once."""
        left = collections.Counter(tags)
        order = []
        while left.total():
            kind, _, fence, tag = self.answer()
            self.assertGreater(left[tag], 0, f"{tag} is answered again")
            self.assertEqual(kind & ~0xff, OK & ~0xff, tag)
            left[tag] -= 1
            order.append(tag)
        return order

    def notes(self):
        return self.report()["notes"]

    def mixed(self, i, tags):
        """Some requests that a guest sends without waiting for any of them."""
        def send(data, tag):
            tag = f"{tag} {i}"
            tags.append(tag)
            self.send(data, tag)

        send(submit(["note", 4 * i], ring=i % 4, fence=i), "fence")
        send(submit(["note", 4 * i + 1]), "plain")
        send(create_shared(LATE, 8192), "create")
        send(attach(LATE), "attach")
        send(submit(["alloc", i + 1, 4096], ["poke", i + 1, f"memory {i}"],
                    ["note", 4 * i + 2], ring=1), "alloc")
        send(create_memory(MEMORY, i + 1, 4096), "export")
        send(attach(MEMORY), "attach memory")
        send(map_blob(MEMORY, 1 << 20), "map")
        send(detach(LATE), "detach")
        send(unref(LATE), "unref")
        send(submit(["free", i + 1], ["note", 4 * i + 3]), "free")
        send(unref(MEMORY), "unref memory")
        send(submit(ring=2), "bare")

    def until_renders(self, count):
        end = time.monotonic() + fe.TIMEOUT
        while len(self.manager.renders()) != count:
            self.assertLess(time.monotonic(), end, self.manager.renders())
            time.sleep(0.002)

    def until_ended(self):
        self.until_renders(0)


class Alive(Guest):
    """Killed at any moment."""

    def test_idle(self):
        self.begin()
        pids = self.manager.renders()
        for i in range(3):
            self.succeed()
            self.assertEqual(self.manager.renders()[:1], pids[:1])
            self.assertEqual(self.ask(submit(["note", i], ring=0)), OK)
        self.assertEqual(self.notes(), [0, 1, 2])
        self.assertEqual(self.ask(detach(SHARED)), OK)
        self.assertEqual(self.ask(unref(SHARED)), OK)
        self.assertEqual(self.ask(header(CTX_DESTROY, 1)), OK)

    def test_programs_are_apart(self):
        """A process has files of its own memory, and of what is attached to its
        context; nothing else of the vGPU."""
        self.begin()
        self.assertEqual(self.ask(submit(["alloc", 5, 8192], ["poke", 5, "one"],
                                         ring=0)), OK)
        self.assertEqual(self.ask(create_memory(MEMORY, 5, 8192)), OK)
        other = {"context": 2}
        self.assertEqual(self.ask(create_context(2)), OK)
        self.assertEqual(self.ask(create_shared(LATE, 65536, 2)), OK)
        self.assertEqual(self.ask(attach(LATE, 2)), OK)
        for _ in range(2):
            tries = [["open", resource, 7] for resource in range(6)]
            self.assertEqual(self.ask(submit(*tries, **other)), OK)
            told = self.report(LATE, 2)
            self.assertEqual([(a["status"], a["fds"]) for a in told["answers"][-6:]],
                             [(22, 0)] * 6)
            files = [link for link in told["fds"].values() if "memfd:" in link]
            self.assertEqual(len(files), 1, told["fds"])  # the ring's
            self.succeed()
        self.assertEqual(self.ask(attach(MEMORY, 2)), OK)
        self.succeed()
        self.assertEqual(self.ask(submit(["open", MEMORY, 7], ["peek", 7], **other)),
                         OK)
        seen = self.report(LATE, 2)
        self.assertEqual(seen["answers"][-1]["bytes"], 8192)
        self.assertEqual(seen["notes"], [b"one".ljust(16, b"\0").hex()])
        self.assertEqual(self.ask(detach(MEMORY, 2)), OK)
        self.assertEqual(self.ask(submit(["open", MEMORY, 8], ["peek", 7], **other)),
                         OK)
        told = self.report(LATE, 2)
        self.assertEqual(told["answers"][-1]["status"], 22)
        # What it kept it sees until that is free, and then nothing.
        self.assertEqual(told["notes"][-1], seen["notes"][0])
        self.assertEqual(self.ask(submit(["free", 5])), OK)
        self.assertEqual(self.ask(unref(MEMORY)), OK)
        self.assertEqual(self.ask(submit(["alloc", 6, 8192], ["poke", 6, "new"])),
                         OK)
        # The free is in the other process's hands: no fence orders the two.
        end = time.monotonic() + fe.TIMEOUT
        while told["notes"][-1] == seen["notes"][0]:
            self.assertLess(time.monotonic(), end)
            self.assertEqual(self.ask(submit(["peek", 7], **other)), OK)
            told = self.report(LATE, 2)
        self.assertEqual(told["notes"][-1], bytes(16).hex())

    def test_large_memory_holds_nobody_up(self):
        """It is given its pages while others have their turn; and however often
        the device dies meanwhile it is whole, and counted once."""
        self.begin()
        self.assertEqual(self.ask(create_context(2)), OK)
        self.send(submit(["alloc", 5, 6 << 20], ["poke", 5, "large"], ["note", 5],
                         ring=1, fence=1), "large")
        self.succeed()
        self.collect("large")
        self.assertEqual(self.notes(), [5])
        while self.manager.statuses[-1][6] != 6 << 20:
            self.manager.wait_status()
        self.assertEqual(self.ask(submit(["free", 5])), OK)
        while self.manager.statuses[-1][6]:
            self.manager.wait_status()

    def test_fences_owed(self):
        self.begin()
        self.assertEqual(self.ask(submit(["hold"])), OK)
        for i in range(30):
            self.send(submit(*[["note", i]] * (i % 2), ring=i % 3, fence=i), i)
        for _ in range(2):
            self.succeed()
        self.assertEqual(self.ask(submit(["note", 100])), OK)
        self.assertIsNone(self.queue.take())
        self.send(submit(["release"]), "release")
        order = self.collect("release", *range(30))
        order.remove("release")
        for ring in range(3):
            self.assertEqual([i for i in order if i % 3 == ring],
                             list(range(ring, 30, 3)))
        self.assertEqual(self.notes(), [*range(1, 30, 2), 100])

    def test_random_moments(self):
        self.begin()
        rounds = 200 if LONG else 40
        for i in range(rounds):
            tags = []
            self.mixed(i, tags)
            time.sleep(random.random() ** 2 * 0.01)
            self.succeed()
            self.collect(*tags)
        told = self.report()
        self.assertEqual(told["notes"], list(range(4 * rounds)))
        self.assertEqual(told["resources"], [SHARED])
        for i in range(rounds):
            self.assertIn(f"memory {i}".encode().ljust(16, b"\0"), self.vmm.seen)
        self.assertEqual(self.manager.statuses[-1][3], rounds)

    def test_contexts_come_and_go(self):
        for i in range(60 if LONG else 15):
            tags = []
            for context in (1, 2, 3):
                for what, data in enumerate((
                        create_context(context),
                        submit(["note", 1], context=context, ring=0),
                        submit(context=context, ring=5))):
                    tags.append((context, what))
                    self.send(data, tags[-1])
            time.sleep(random.random() ** 2 * 0.2)
            self.succeed()
            self.collect(*tags)
            # What nobody goes on with ends, and a spare one gets its name.
            self.until_renders(3)
            for context in (1, 2, 3):
                self.send(header(CTX_DESTROY, context), context)
            time.sleep(random.random() ** 2 * 0.01)
            self.succeed()
            self.collect(1, 2, 3)
            self.until_ended()


class Alone(Guest):
    """Nobody goes on with a context for longer than may be."""

    alone_seconds = "1"

    def test_no_successor(self):
        self.begin()
        self.assertEqual(self.ask(submit(["note", 1], ring=0)), OK)
        self.assertEqual(self.ask(submit(["hold"])), OK)
        self.send(submit(ring=3), "owed")
        self.manager.kill()
        self.until_ended()
        self.manager.start()
        self.assertEqual(self.answer()[0], ERR_UNSPEC)
        self.assertEqual(self.ask(header(CTX_DESTROY, 1)), OK)
        self.assertEqual(self.ask(create_context(2)), OK)
        # While there is a device they have all the time there is.
        self.assertEqual(self.ask(submit(["sleep", 3], context=2, ring=0)), OK)


# Offsets in the state block (device/state_abi.h, device/gpu/state_abi.h).
GPU_OFFSET = 24  # where the gpu's part is said to be
RESOURCES = 4096
CONTEXTS = RESOURCES + 4096 * 72
ALLOCATIONS = CONTEXTS + 26 * 4096
RINGS = 8 + 64
ATTACHED = RINGS + 64 * 16

GET_DISPLAY_INFO = 0x100


class Strange(Guest):
    """A predecessor that its guest had taken over leaves any state: the context
    is lost at worst, with one line that says why."""

    never_said = ("Sanitizer", "runtime error")

    def place(self, offset):
        return self.gpu_offset + offset

    def damage(self, offset, size, value):
        fd = self.manager.slots[fe.SLOT_STATE]
        at = self.place(offset)
        old = int.from_bytes(os.pread(fd, size, at), "little")
        value = value(old) if callable(value) else value
        os.pwrite(fd, (value % (1 << 8 * size)).to_bytes(size, "little"), at)

    def said(self):
        self.log.seek(0)
        return self.log.read()

    def ask_any(self, data):
        self.send(data)
        return self.answer()[0]

    def play(self, offset, size, value):
        """A context in the middle of everything; then its state is changed."""
        self.begin()
        self.assertEqual(self.ask(submit(["alloc", 5, 8192], ring=1)), OK)
        self.assertEqual(self.ask(create_memory(MEMORY, 5, 8192)), OK)
        self.assertEqual(self.ask(attach(MEMORY)), OK)
        self.assertEqual(self.ask(submit(
            ["say", {"type": 36, "resource_id": SHARED, "offset": 128, "n": 1}],
            ["hold"])), OK)
        self.send(submit(ring=3), "owed")
        self.manager.kill()
        at = len(self.said())
        self.damage(offset, size, value)
        self.manager.start()
        self.send(submit(["release"]), "release")
        self.send(header(GET_DISPLAY_INFO), "info", 512)
        got = {tag: kind for kind, _, _, tag in
               (self.answer() for _ in range(3))}
        self.assertEqual(got["info"], 0x1101)
        self.assertIn(got["owed"], (OK, ERR_UNSPEC, 0x1202, 0x1203, 0x1204))
        text = self.said()[at:]
        self.assertLessEqual(text.count("context 1 is lost"), 1, text)
        # One that its guest was destroying is not told of.
        if got["owed"] == ERR_UNSPEC and offset != CONTEXTS + 4:
            self.assertEqual(text.count("is lost: "), 1, text)
        # Others find all as it was.
        self.assertEqual(self.ask(create_context(9)), OK)
        self.assertEqual(self.ask(submit(["note", 1], context=9, ring=0)), OK)
        for data in (header(CTX_DESTROY, 9), header(CTX_DESTROY, 1),
                     unref(SHARED), unref(MEMORY)):
            self.ask_any(data)
        return got["owed"]

    def test_each_field(self):
        fd = self.manager.slots[fe.SLOT_STATE]
        self.gpu_offset = struct.unpack("<Q", os.pread(fd, 8, GPU_OFFSET))[0]
        self.play(GPU_OFFSET, 0, 0)  # once with nothing damaged
        self.clear()
        fds = self.rest()
        fields = [(CONTEXTS + at, 4) for at in (0, 4, 8, 12, 64, 68)]
        fields += [(CONTEXTS + at, 8) for at in range(16, 64, 8)]
        fields += [(CONTEXTS + RINGS + 8, 4), (CONTEXTS + RINGS, 8),
                   (CONTEXTS + RINGS + 12, 4), (CONTEXTS + ATTACHED, 8),
                   (CONTEXTS + 1608, 4)]
        fields += [(ALLOCATIONS, 8), (ALLOCATIONS + 8, 8),
                   (ALLOCATIONS + 16, 8), (ALLOCATIONS + 24, 4), (36, 4)]
        fields += [(RESOURCES + at, size) for at, size in (
            (0, 4), (4, 4), (24, 8), (32, 8), (64, 8))]
        lost = 0
        for offset, size in fields:
            values = (0, (1 << 8 * size) - 1, lambda old: old + 1)
            if LONG:
                values += (1, 1 << 8 * size - 2, lambda old: old - 1)
            for value in values:
                try:
                    lost += self.play(offset, size, value) != OK
                    self.clear()
                except Exception as error:
                    # One that does not serve any more hides no other fault.
                    raise AssertionError(f"{offset} {value}") from error
        self.assertGreater(lost, 10)
        end = time.monotonic() + fe.TIMEOUT
        while self.rest() > fds:
            self.assertLess(time.monotonic(), end, "it keeps what is no more")
        while self.manager.statuses[-1][6]:  # bytes in use
            self.manager.wait_status()

    def rest(self):
        """Wait until all processes have ended; return the fds that the
        launcher has open."""
        end = time.monotonic() + fe.TIMEOUT
        while list(fe.children_of(self.manager.launcher.pid)):
            self.assertLess(time.monotonic(), end, "a process does not end")
            time.sleep(0.02)
        return fe.count_fds(self.manager.launcher.pid)

    def clear(self):
        """Nothing is left, whatever there was."""
        for number in (1, 2, 3, 1 << 30, (1 << 32) - 1):
            self.ask_any(header(CTX_DESTROY, number))
        for number in (1, 2, 3, 1 << 30, (1 << 32) - 1):
            self.ask_any(unref(number))
        self.until_ended()
        self.manager.pump()


if __name__ == "__main__":
    unittest.main()
