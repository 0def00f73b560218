# SPDX-License-Identifier: GPL-2.0-or-later
"""Malformed rings, streams and replies."""

import os
import random
import struct
import threading
import time
import unittest

import venus
from venus import MIB, Ring, u64

NO_RING = "this describes no ring"
BIG = 1 << 63


class Layouts(venus.Test):
    """T2, T6: the description of a ring."""

    def refused(self, guest=None, **how):
        guest = guest or self.begin()
        self.ends(Ring(guest, **how).create, guest=guest, why=NO_RING)

    def test_overlap(self):
        for how in ({"head": 64}, {"status": 64}, {"head": 4096},
                    {"tail": 4096 + 65532}, {"status": 4096 + 65536 + 4092},
                    {"extra": 4096 + 65532}, {"buffer": 128},
                    {"extra": 0, "extra_bytes": 4}):
            with self.subTest(**how):
                self.refused(**how)

    def test_misaligned(self):
        for name in ("head", "tail", "status", "buffer", "extra"):
            with self.subTest(name):
                self.refused(**{name: Ring.NAMES.index(name) * 128 + 513})
        self.refused(extra_bytes=3)
        self.refused(offset=2)

    def test_outside(self):
        end = 8192 + 65536
        for how in ({"head": end}, {"tail": end - 2}, {"status": BIG},
                    {"buffer": end - 4096}, {"extra": end, "extra_bytes": 4},
                    {"extra_bytes": 4100}, {"size": end + 4}, {"size": 4096},
                    {"offset": 4}, {"offset": 2 * BIG - 4},
                    {"offset": 2 * BIG - 4096, "size": 8192},
                    {"head": 2 * BIG - 4}, {"extra_bytes": 2 * BIG - 4},
                    {"buffer": 2 * BIG - 4096}, {"size": 0}, {"resource": 0},
                    {"resource": 0xffffffff}):
            with self.subTest(**how):
                self.refused(**how)

    def test_size_of_buffer(self):
        for size in (0, 1, 2, 12, 3 * 4096, 65532, 65540, BIG):
            with self.subTest(size=size):
                self.refused(buffer_bytes=65536, size_said=size)
        self.refused(buffer_bytes=32 * MIB)
        guest = self.begin()
        Ring(guest, buffer_bytes=16 * MIB).begin()
        guest = self.begin()
        Ring(guest, buffer_bytes=8 * MIB).begin()
        Ring(guest, 2, buffer_bytes=4).begin()

    def test_size_of_all_buffers(self):
        """T10: over one blob, too: each ring has a copy of its commands."""
        guest = self.begin()
        first = Ring(guest, 1, buffer_bytes=8 * MIB).begin()
        size = 8192 + 8 * MIB
        values = {"resource": 1, "size": size, "head": 512, "tail": 576,
                  "status": 640}
        second = Ring(guest, 2, buffer_bytes=8 * MIB, **values).begin()
        self.assertEqual(first.word(640), second.word(640))
        self.ends(Ring(guest, 3, buffer_bytes=4).create, guest=guest,
                  why="too large ones")

    def test_not_at_the_beginning(self):
        for offset in (0, 128):
            guest = self.begin()
            ring = Ring(guest)
            struct.pack_into("<I", ring.memory, offset, 1)
            self.ends(ring.create, guest=guest, why=NO_RING)

    def test_device_memory_is_no_ring(self):
        guest = self.begin(venus.UP_TO_DEVICE, venus.allocate(size=1 * MIB))
        number, fd = guest.client.blob(1 * MIB, venus.MEMORY)
        os.close(fd)
        self.refused(guest=guest, resource=number)

    def test_same_id(self):
        guest = self.begin()
        Ring(guest, 7).begin()
        self.ends(Ring(guest, 7).create, guest=guest, why="exists already")

    def test_too_many(self):
        guest = self.begin()
        for number in range(64):
            Ring(guest, number).begin()
        self.ends(Ring(guest, 64).create, guest=guest, why="too many rings")

    def test_idle(self):
        """T10: however long a guest wants its rings to stay awake."""
        guest = self.begin()
        for number in range(16):
            ring = Ring(guest, number, idle=2 * BIG - 1).begin()
            self.until(lambda ring=ring: ring.word(128) & 1, "it sleeps")
            ring.run(venus.seek_reply(0))  # and is woken
            self.until(lambda ring=ring: ring.word(128) & 1, "it sleeps")

    def test_unknown(self):
        for command in (venus.destroy_ring(9), venus.notify_ring(9),
                        venus.write_extra(9, 0, 0), venus.wait_ring(9, 0),
                        venus.command(251, u64(9), u64(0))):
            self.ends(command, why="no such ring")

    def test_gone(self):
        guest = self.begin()
        Ring(guest, 3).begin()
        guest.run(venus.destroy_ring(3))
        self.ends(venus.destroy_ring(3), guest=guest, why="no such ring")

    def test_comes_and_goes(self):
        guest = self.begin()
        for _ in range(200):
            ring = Ring(guest, 3).begin()
            ring.send(venus.seek_reply(0))
            guest.run(venus.destroy_ring(3))

    def test_extra(self):
        guest = self.begin()
        ring = Ring(guest).begin()
        guest.run(venus.write_extra(1, 4092, 77))
        self.assertEqual(ring.word(4096 + 65536 + 4092), 77)
        for offset in (4096, 4093, 1, BIG, 2 * BIG - 4, 2 * BIG - 1):
            guest = self.begin()
            Ring(guest).begin()
            self.ends(venus.write_extra(1, offset, 1), guest=guest,
                      why="extra region")


class Commands(venus.Test):
    """T7, T9: what a ring's thread reads, and when."""

    def ring(self, *commands, **how):
        guest = self.begin(*commands)
        return guest, Ring(guest, **how).begin()

    def test_works(self):
        guest, ring = self.ring(buffer_bytes=4096)
        ring.run(venus.UP_TO_QUEUE)
        for number in range(100, 400):  # many times round
            ring.run(venus.create_fence(number))
        self.assertEqual(ring.word(0), ring.at)
        guest.run(venus.destroy_ring(1))

    def test_tail_beyond_the_buffer(self):
        for tail in (65540, 0xffffffff, 0x80000000):
            guest, ring = self.ring()
            ring.set_tail(tail)
            guest.send(venus.notify_ring(1))
            self.is_over(guest, "tail is beyond its buffer")

    def test_tail_goes_back(self):
        guest, ring = self.ring()
        ring.run(venus.seek_reply(0))
        ring.set_tail(0)
        guest.send(venus.notify_ring(1))
        self.is_over(guest, "tail is beyond its buffer")

    def test_command_is_cut(self):
        for cut in range(1, len(venus.create_instance())):
            if cut > 12 and cut % 12:
                continue
            guest, ring = self.ring()
            ring.put(venus.create_instance())
            ring.set_tail(cut)
            guest.send(venus.notify_ring(1))
            self.is_over(guest, "ends too early" if cut < 16 else "vkCreate")

    def test_only_on_its_own_stream(self):
        for command in (venus.destroy_ring(1), venus.notify_ring(1),
                        venus.wait_ring(1, 0), venus.write_extra(1, 0, 0)):
            guest, ring = self.ring()
            ring.send(command)
            self.is_over(guest, "not allowed on a ring")
        self.ends(venus.command(252, u64(1)), why="allowed on a ring only")

    def test_rings_are_not_made_by_rings(self):
        guest, ring = self.ring()
        ring.send(Ring(guest, 2).create)
        self.is_over(guest, "not allowed on a ring")

    def test_unknown_resource_on_a_ring(self):
        guest, ring = self.ring()
        ring.send(venus.set_reply(12345, 64))
        self.is_over(guest, "no such shared memory")

    def test_memory_is_given_up_in_use(self):
        guest, ring = self.ring()
        reply, _ = guest.share(4096)
        ring.run(venus.set_reply(reply, 4096))
        guest.give_up(reply)
        guest.barrier()  # the device has taken it back by now
        ring.send(venus.create_instance(reply=True))
        guest.send(venus.notify_ring(1))
        self.is_over(guest, "memory that was given up")

    def test_ring_is_given_up_in_use(self):
        guest, ring = self.ring()
        ring.run(venus.seek_reply(0))
        guest.give_up(1)
        guest.send(venus.notify_ring(1))
        self.is_over(guest, "memory that was given up")

    def test_a_seqno_that_never_comes(self):
        guest, ring = self.ring()
        guest.send(venus.wait_ring(1, 0x7fffffff))
        ring.send(venus.seek_reply(0))
        time.sleep(0.2)
        guest.socket.close()  # finish() wants its process gone

    def test_a_virtqueue_that_never_comes(self):
        guest, ring = self.ring()
        ring.send(venus.command(252, u64(1 << 60)))
        guest.run(venus.command(251, u64(1), u64((1 << 60) - 1)))
        time.sleep(0.2)
        self.assertEqual(ring.word(0), 0)
        guest.run(venus.command(251, u64(1), u64(1 << 60)))
        guest.run(venus.wait_ring(1, ring.at))
        # Destroyed while it waits: it does not wait for it.
        ring.send(venus.command(252, u64(1 << 61)))
        guest.run(venus.destroy_ring(1))

    def flip(self, data, seconds, seed, places):
        """A thread changes the ring's bytes while they are decoded."""
        guest = self.begin(venus.UP_TO_QUEUE)
        ring = Ring(guest, buffer_bytes=4096).begin()
        number = venus.FREE_ID
        end = time.monotonic() + seconds
        is_over = threading.Event()

        def flipper():
            choose = random.Random(seed)
            while not is_over.is_set():
                place = choose.choice(places)
                value = choose.choice((0, 1, 2, 0xff, choose.getrandbits(8)))
                ring.memory[place] = value
        thread = threading.Thread(target=flipper)
        thread.start()
        try:
            while time.monotonic() < end and not vt_gone(guest):
                ring.send(data(number))
                number += 1
                time.sleep(0.0005)
        finally:
            is_over.set()
            thread.join()
        guest.socket.close()

    def test_flipped_commands(self):
        for seed in range(8):
            self.flip(lambda n: venus.create_fence(n) + venus.allocate(n + 1000000)
                      + venus.free(n + 1000000), 0.4, seed,
                      range(4096, 4096 + 400))

    def test_flipped_control(self):
        for seed in range(4):
            self.flip(venus.create_fence, 0.3, seed,
                      [*range(4), *range(64, 66), *range(128, 132)])

    def test_destroyed_while_fed(self):
        """Its end does not wait for a guest that never stops."""
        guest, ring = self.ring(venus.create_instance())
        data = venus.seek_reply(0)
        ring.put(data * (ring.bytes // len(data)))
        is_over = threading.Event()

        def feed():
            while not is_over.is_set():
                ring.set_tail((ring.word(0) + 61440) & 0xfffffff0)
        thread = threading.Thread(target=feed)
        thread.start()
        try:
            guest.run(venus.notify_ring(1))
            guest.run(venus.destroy_ring(1))
        finally:
            is_over.set()
            thread.join()

    def test_flood(self):
        """A guest that never stops sending costs others nothing."""
        guest, _ = self.ring()
        batch = venus.vt.batch(venus.seek_reply(0) * 64)
        guest.socket.settimeout(0.5)
        end = time.monotonic() + 2
        try:
            while time.monotonic() < end:
                guest.socket.sendall(batch)
        except OSError:
            pass
        self.other.run(venus.create_fence(50))


def vt_gone(guest):
    return venus.vt.is_ready(guest.socket.fileno(), 0)


class Streams(venus.Test):
    """T4, T9: replies, and streams in shared memory."""

    def test_reply_is_nowhere(self):
        for how in ((0, 64), (99, 64), (1, 8192), (1, 4096, 4), (1, BIG),
                    (1, 2 * BIG - 4096, 8192), (1, 8, 2 * BIG - 4)):
            guest = self.begin()
            guest.share(4096)
            self.ends(venus.set_reply(*how), guest=guest,
                      why="no such shared memory")
        self.ends(venus.create_instance(reply=True), why="no room at all")

    def test_reply_is_too_small(self):
        for size in (0, 4, 16, 20):
            guest = self.begin()
            number, memory = guest.share(4096)
            self.ends(venus.set_reply(number, size, 4096 - size),
                      venus.create_instance(reply=True), guest=guest,
                      why="too little room")
            self.assertEqual(len(memory), 4096)

    def test_seek(self):
        self.begin(venus.seek_reply(0))  # from nowhere to nowhere
        for position in (1, 4096, BIG):
            self.ends(venus.seek_reply(position), why="beyond the end")
        for position in (4097, BIG, 2 * BIG - 4):
            guest = self.begin()
            number, _ = guest.share(4096)
            self.ends(venus.set_reply(number, 4096), venus.seek_reply(position),
                      guest=guest, why="beyond the end")

    def shared(self, data, size=4096):
        guest = self.begin()
        number, memory = guest.share(size)
        memory[:len(data)] = data
        return guest, number

    def test_execute(self):
        data = venus.create_instance()
        guest, number = self.shared(data)
        guest.run(venus.execute((number, 0, len(data)), (number, 0, 0)))
        guest.run(venus.enumerate_gpus())
        guest.run(venus.execute((99, 0, 0)))  # nothing of nothing

    def test_nested(self):
        inner = venus.execute((1, 0, 8))
        guest, number = self.shared(inner)
        self.ends(venus.execute((number, 0, len(inner))), guest=guest,
                  why="inside command streams")

    def test_counts(self):
        self.ends(venus.execute(), why="vkExecuteCommandStreamsMESA")
        self.ends(venus.execute(*[(1, 0, 0)] * 65), why="too many")
        self.ends(venus.execute((1, 0, 0), count=2), why="wrong length")
        self.ends(venus.execute((1, 0, 0), positions=[0, 0]), why="wrong length")
        self.begin(venus.execute(*[(1, 0, 0)] * 64))

    def test_ranges(self):
        for how in ((1, 0, 8192), (1, 4096, 4), (1, BIG, 4), (2, 0, 4),
                    (1, 2 * BIG - 4, 8), (0, 0, 4)):
            guest, _ = self.shared(b"")
            self.ends(venus.execute(how), guest=guest, why="no such shared")
        guest, _ = self.shared(b"")
        self.ends(venus.execute((1, 0, BIG)), guest=guest, why="too long")

    def test_positions(self):
        data = venus.create_instance()
        guest, number = self.shared(data)
        self.ends(venus.execute((number, 0, len(data)), positions=[5]),
                  guest=guest, why="beyond the end")

    def test_cut(self):
        data = venus.create_instance()
        for size in (4, 6, 8, len(data) - 4, len(data) - 1):
            guest, number = self.shared(data)
            self.ends(venus.execute((number, 0, size)), guest=guest,
                      why="too early")

    def test_a_stream_that_is_given_up(self):
        """While it is carried out: the rest of it is there all the same."""
        guest = self.begin()
        reply, answers = guest.share(4096)
        data = (venus.set_reply(reply, 4096) + venus.create_instance(reply=True) +
                venus.command(252, u64(1 << 60)) + venus.enumerate_gpus())
        number, memory = guest.share(4096)
        memory[:len(data)] = data
        ring = Ring(guest).begin()
        ring.send(venus.execute((number, 0, len(data))))
        self.until(lambda: any(answers[:64]), "it has begun")
        guest.give_up(number)
        guest.barrier()
        guest.run(venus.command(251, u64(1), u64(1 << 60)))
        guest.run(venus.wait_ring(1, ring.at))

    def test_large_streams_at_once(self):
        """T10: the bytes copied for all rings together are limited."""
        guest = self.begin(venus.seek_reply(0))
        number, memory = guest.share(80 * MIB)
        never = venus.command(252, u64(1 << 60))
        memory[:len(never)] = never
        first, second = (Ring(guest, i).begin() for i in range(2))
        first.send(venus.execute((number, 0, 40 * MIB)))
        guest.barrier()
        time.sleep(0.5)
        second.send(venus.execute((number, 0, 60 * MIB)))
        self.is_over(guest, "too long")

    def test_garbage(self):
        choose = random.Random(1)
        for _ in range(40):
            data = struct.pack("<II", choose.randrange(360), 1)
            data += choose.randbytes(4 * choose.randrange(40))
            guest = self.begin(venus.UP_TO_QUEUE)
            guest.send(data)
            guest.socket.close()


if __name__ == "__main__":
    unittest.main()
