# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings by hand: how the streams of a context wait for each other."""

import os
import subprocess
import sys
import tempfile
import types
import unittest

import venus
from venus import MIB, UP_TO_DEVICE, create_fence, u64

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "tests", "render",
                                "vtest"))

# pylint: disable=wrong-import-position
import recording
from recording import MESSAGE, Record

FENCE_MESSAGE, ALLOC, OPEN = 6, 64, 66
RING, MORE = 5, 6  # resources
CLEAN = "clean end"


def wait_seqno(seqno):
    return venus.command(252, u64(seqno))


def submit_seqno(seqno, ring=1):
    return venus.command(251, u64(ring), u64(seqno))


def create_ring(number=1):
    """Create a ring in the shared memory RING, which no guest has to see."""
    guest = types.SimpleNamespace(share=lambda size: (RING, bytearray(size)))
    return venus.Ring(guest, number).create


class Tape:
    """Records as a context would have written them."""

    def __init__(self):
        self.records = []
        self.done = {}
        self.message(recording.START, nbytes=64 * MIB, more=bytes(16))
        self.add_resource(RING)

    def put(self, kind, stream, data, n=0, n_fds=0):
        """@n commands are done before the stream's next record."""
        done = self.done.get(stream, 0)
        self.records.append(Record(kind, stream, n_fds, done, data))
        self.done[stream] = done + n
        return self

    def message(self, number, resource=0, nbytes=0, more=b"", **how):
        return self.put(recording.KIND_MESSAGE, 0,
                        MESSAGE.pack(number, 0, resource, 0, 0, 0, nbytes, 0, 0,
                                     0) + more, **how)

    def answer(self, nbytes, question=ALLOC, n_fds=1, before=1):
        """To the question of the command @before the stream's next record."""
        self.records.append(Record(
            recording.KIND_ANSWER, 0, n_fds, self.done[0] - before,
            MESSAGE.pack(question, 0, 0, 0, 0, 1, nbytes, 0, 0, 0)))
        return self

    def add_resource(self, resource):
        return self.message(recording.RESOURCE_ADD, resource, MIB, n_fds=1)

    def submit(self, *commands, n=None):
        data = b"".join(commands)
        return self.message(recording.SUBMIT, nbytes=len(data), more=data,
                            n=len(commands) if n is None else n)

    def batch(self, *commands, stream=1, n=None):
        return self.put(recording.KIND_BATCH, stream, b"".join(commands),
                        n=len(commands) if n is None else n)

    def copy(self, *commands, stream=1):
        return self.put(recording.KIND_COPY, stream, b"".join(commands),
                        n=len(commands))


class Recordings(unittest.TestCase):

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())
        self.tape = Tape()
        self.tape.submit(create_ring())

    def ends(self, n, how=CLEAN):
        """It is all carried out on one thread: what waits in vain hangs."""
        path = os.path.join(self.folder, "recording")
        with open(path, "wb") as file:
            file.write(recording.pack(self.tape.records))
        done = subprocess.run(
            ["vgpu-render", "--replay", path], text=True, check=False,
            env={**os.environ, "VK_DRIVER_FILES": venus.ICD},
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60)
        self.assertEqual(done.stdout, f"{n} commands carried out, {how}\n",
                         done.stderr)
        self.assertEqual(done.returncode, 0 if how == CLEAN else 1)

    def misfits(self, n, record):
        self.ends(n, f"record {record} is not what has to come there")

    def test_ring(self):
        self.tape.batch(UP_TO_DEVICE, n=3).batch(create_fence())
        self.ends(5)

    def test_ring_waits_for_context(self):
        self.tape.batch(wait_seqno(7), create_fence())
        self.tape.submit(UP_TO_DEVICE, n=3).submit(submit_seqno(7))
        self.ends(7)

    def test_context_waits_for_ring(self):
        at = len(UP_TO_DEVICE)
        self.tape.submit(venus.wait_ring(1, at), create_fence())
        self.tape.batch(UP_TO_DEVICE, n=3)
        self.ends(6)

    def test_ring_waits_for_memory(self):
        self.tape.batch(venus.set_reply(MORE, 4096))
        self.tape.submit(UP_TO_DEVICE, n=3).add_resource(MORE)
        self.ends(5)

    def test_ring_ends(self):
        """Commands left in a ring are executed before it is destroyed."""
        self.tape.submit(venus.destroy_ring(1), create_fence())
        self.tape.batch(UP_TO_DEVICE, n=3).batch(create_fence(100))
        self.tape.submit(create_fence(101))
        self.ends(8)

    def test_ring_ends_while_another_waits(self):
        self.tape.submit(create_ring(2))
        self.tape.batch(UP_TO_DEVICE, n=3)
        self.tape.batch(wait_seqno(3), stream=2)
        self.tape.submit(venus.destroy_ring(1), submit_seqno(3, ring=2))
        self.tape.batch(create_fence(), stream=2)
        self.ends(9)

    def test_commands_from_elsewhere(self):
        size = len(UP_TO_DEVICE)
        self.tape.batch(venus.execute((RING, 0, size)), create_fence(), n=0)
        self.tape.put(recording.KIND_COPY, 1, UP_TO_DEVICE, n=5)
        self.tape.batch(create_fence(100))
        self.ends(7)

    def test_long_submit(self):
        """Its commands came in a file, and are a record of their own."""
        self.tape.message(recording.SUBMIT, nbytes=len(UP_TO_DEVICE), n_fds=1)
        self.tape.copy(UP_TO_DEVICE, stream=0)
        self.ends(4)

    def test_waits_to_the_end(self):
        """The process was killed there."""
        self.tape.batch(UP_TO_DEVICE + wait_seqno(7), n=3)
        self.ends(4)

    def test_waits_for_itself(self):
        self.tape.submit(venus.wait_ring(1, 4)).submit(create_fence())
        self.misfits(1, 4)

    def test_two_wait_for_each_other(self):
        self.tape.batch(wait_seqno(7), n=0)
        self.tape.submit(venus.wait_ring(1, 4), n=0).batch(create_fence())
        self.misfits(1, 5)

    def test_no_such_ring(self):
        self.tape.batch(UP_TO_DEVICE, stream=2)
        self.misfits(1, 3)

    def test_longer_than_the_ring(self):
        self.tape.batch(bytes(65540))
        self.misfits(1, 3)

    def test_copies_of_the_wrong_length(self):
        self.tape.batch(venus.execute((RING, 0, 64)), n=0)
        self.tape.put(recording.KIND_COPY, 1, bytes(60))
        self.misfits(1, 4)

    def test_copies_of_nothing(self):
        self.tape.batch(UP_TO_DEVICE, n=3)
        self.tape.put(recording.KIND_COPY, 1, bytes(60))
        self.tape.batch(create_fence())
        self.misfits(4, 4)

    def test_other_number_of_commands(self):
        self.tape.batch(UP_TO_DEVICE, n=2).batch(create_fence())
        self.misfits(4, 4)

    def test_many_fds(self):
        self.tape.message(FENCE_MESSAGE, n_fds=4)
        self.ends(1, "fatal: no message of the device's")

    def use(self, size):
        """Commands that fill the memory."""
        self.tape.submit(
            venus.get_queue(), venus.create_buffer(size=size),
            venus.bind_buffer(), venus.create_pool(), venus.allocate_commands())
        self.tape.submit(venus.record(venus.fill(value=7)), n=3)
        self.tape.submit(venus.submit(venus.COMMANDS), venus.wait_idle(),
                         venus.free())

    def test_memory(self):
        self.tape = Tape()
        self.tape.submit(UP_TO_DEVICE, n=3)
        self.tape.submit(venus.allocate(size=6 * MIB))
        self.tape.answer(6 * MIB)
        self.use(6 * MIB)
        self.ends(15)

    def test_memory_of_a_resource(self):
        """It is opened when it is imported, and once."""
        import_it = venus.chain((1000384002, venus.words(MORE)))
        self.tape = Tape()
        self.tape.message(recording.RESOURCE_ADD, MORE, 6 * MIB)
        self.tape.submit(UP_TO_DEVICE, n=3)
        self.tape.submit(venus.allocate(size=6 * MIB, more=import_it))
        self.tape.answer(6 * MIB, OPEN)
        self.tape.submit(venus.allocate(number=100, size=MIB, more=import_it))
        self.tape.message(recording.RESOURCE_REMOVE, MORE)
        self.use(6 * MIB)
        self.ends(16)

    def test_memory_without_a_file(self):
        """What cannot be is an allocation that fails."""
        import_it = venus.chain((1000384002, venus.words(MORE)))
        for question, more in (ALLOC, venus.NULL), (OPEN, import_it):
            with self.subTest(question):
                self.tape = Tape()
                self.tape.message(recording.RESOURCE_ADD, MORE, MIB)
                self.tape.submit(UP_TO_DEVICE, n=3)
                self.tape.submit(venus.allocate(size=MIB, more=more))
                self.tape.answer(MIB, question, n_fds=0)
                self.tape.submit(create_fence())
                self.ends(5)

    def test_endless_memory(self):
        self.tape.message(recording.RESOURCE_ADD, MORE, 1 << 63, n_fds=1)
        self.misfits(1, 3)


if __name__ == "__main__":
    unittest.main()
