#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that speaks gfxstream by hand to a real render process, and breaks its
rules: each ends its context, with a reason, and no other."""

import hashlib
import mmap
import os
import struct
import sys
import time
import unittest

for folder in ("lab", "tests/device/vtest"):
    sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], folder))
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
from client import GFXSTREAM, Client, batch, words
from vtest import Vtest, has_vtest

TIMEOUT = 120
CREATE, PING = 0x1001, 0x1002
RINGS, BUFFER, RING = 12288, 1 << 20, 2048
LARGE, ANSWERS = 4096, 8192            # the second ring, and the third
WRITE, READ, DATA, STATE, MODE = 8, 64, 128, 2176, 2196
ASLEEP, WORKING = 0, 4
ENUMERATE_VERSION, CREATE_INSTANCE, ENUMERATE_DEVICES = 20137, 20000, 20002
DESTROY_INSTANCE, FLUSH, DRAW, LAYERS = 20001, 20340, 20106, 20015


def number(name):
    """Of a command that has none of its own."""
    return 200000000 + int(hashlib.sha256(name.encode()).hexdigest()[:8],
                           16) % 100000000


def packet(command, seqno, body=b"", length=None):
    return words(command, len(body) + 12 if length is None else length,
                 seqno) + body


def pointer(is_there=True):
    return struct.pack(">Q", is_there)


CREATE_INFO = words(1) + struct.pack(">I", 0) + words(0) + pointer(False) + \
    words(0) + struct.pack(">I", 0) + words(0) + struct.pack(">I", 0)


class Guest:
    """A context, and one connection of it."""

    def __init__(self, server):
        self.server = server
        self.client = Client(server.socket).begin(GFXSTREAM)
        self.connections = []
        self.connect()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for connection in self.connections:
            connection.memory.close()
        self.client.socket.close()

    def connect(self):
        connection = Connection(self)
        self.connections.append(connection)
        return connection

    def submit(self, *what):
        self.client.send(batch(words(*what)))


class Connection:
    def __init__(self, guest, begin=True):
        self.guest = guest
        self.resource, fd = guest.client.blob(RINGS + BUFFER)
        self.memory = mmap.mmap(fd, 0)
        os.close(fd)
        self.entries = self.large = self.answers = 0
        guest.submit(CREATE, self.resource)
        guest.client.barrier()
        if begin:
            self.write(words(0))

    def word(self, at):
        return struct.unpack_from("<I", self.memory, at)[0]

    def put(self, at, *values):
        """At once: struct.pack_into() writes zeros first."""
        self.memory[at:at + 4 * len(values)] = words(*values)

    def ping(self):
        self.guest.submit(PING, self.resource)

    def put_entry(self, offset, size):
        self.put(DATA + self.entries % RING, offset, size)
        self.entries += 8
        self.put(WRITE, self.entries)
        self.ping()

    def write(self, data):
        """As an entry of the first ring."""
        self.memory[RINGS:RINGS + len(data)] = data
        self.put_entry(0, len(data))
        self.wait(lambda: self.word(READ) == self.entries)

    def write_large(self, data, is_slow=False):
        """Through the buffer as a ring."""
        self.put(MODE, 3)
        is_first = True
        while data:
            at = self.large % BUFFER
            part = data[:min(BUFFER - at, BUFFER // 4)]
            if is_slow and not is_first:
                self.wait(lambda: self.word(STATE) == ASLEEP)
            self.memory[RINGS + at:RINGS + at + len(part)] = part
            self.large += len(part)
            self.put(LARGE + WRITE, self.large)
            # Mesa's driver pings once for all of it, however slow it is.
            if is_first or not is_slow:
                self.ping()
            self.wait(lambda: self.word(LARGE + READ) == self.large)
            data, is_first = data[len(part):], False
        self.put(MODE, 1)

    def read(self, size):
        data = b""
        while len(data) < size:
            self.wait(lambda: self.word(ANSWERS + WRITE) != self.answers)
            at = self.answers % BUFFER
            n = min((self.word(ANSWERS + WRITE) - self.answers) % BUFFER,
                    BUFFER - at, size - len(data))
            data += self.memory[RINGS + at:RINGS + at + n]
            self.answers += n
            self.put(ANSWERS + READ, self.answers)
        return data

    def wait(self, condition):
        end = time.monotonic() + TIMEOUT
        while not condition():
            if time.monotonic() > end:
                raise TimeoutError(
                    f"state {self.word(STATE)}, written {self.word(WRITE)}, read "
                    f"{self.word(READ)}; the device says: {self.guest.server.log()}")
            time.sleep(0.001)

    def version(self, seqno):
        """A command that works, and its answer."""
        self.write(packet(ENUMERATE_VERSION, seqno, words(0)))
        return struct.unpack("<Ii", self.read(8))

    def instance(self, seqno):
        """Its id."""
        self.write(packet(CREATE_INSTANCE, seqno,
                          CREATE_INFO + pointer(False) + bytes(8)))
        answer = self.read(12)
        assert answer[8:] == words(0), answer
        return answer[:8]


class Connections(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = cls.enterClassContext(Vtest(
            command=["vgpu-device", "--vtest", "{socket}", "--gfxstream"]))
        # What happens to others must not matter to it.
        cls.bystander = cls.enterClassContext(Guest(cls.server))
        cls.seqno = 0

    def guest(self):
        guest = self.enterContext(Guest(self.server))
        return guest, guest.connections[0]

    def tearDown(self):
        cls = type(self)
        cls.seqno += 1
        self.assertEqual(self.bystander.connections[0].version(cls.seqno)[1], 0)

    def assert_lost(self, why, act):
        before = len(self.server.log())
        act()
        end = time.monotonic() + TIMEOUT
        while "is lost" not in self.server.log()[before:]:
            self.assertLess(time.monotonic(), end, f"nothing comes of it: {why}")
            time.sleep(0.01)
        self.assertRegex(self.server.log()[before:], why)

    # -- what works -----------------------------------------------------------------

    def test_capset(self):
        """Drivers of Mesa 25 take the first 26 words."""
        client = self.enterContext(Client(self.server.socket))
        client.agree()
        capset = client.capset(GFXSTREAM)
        self.assertEqual(len(capset), 1 + 28)
        self.assertEqual(capset[:4], (1, 1, RINGS, BUFFER))

    def test_answers(self):
        _, connection = self.guest()
        version, result = connection.version(1)
        self.assertEqual((version >> 22, result), (1, 0))
        instance = connection.instance(2)
        self.assertNotEqual(instance, bytes(8))
        connection.write(packet(ENUMERATE_DEVICES, 3, instance + pointer() +
                                words(4) + pointer() + bytes(32)))
        answer = connection.read(8 + 4 + 8 + 8 + 4)
        self.assertEqual(answer[8:12], words(1))
        self.assertNotIn(answer[20:28], (bytes(8), instance))
        self.assertEqual(answer[28:], words(0))

    def test_a_stream_in_any_pieces(self):
        """A packet may come as bytes, as parts of both kinds, and with others."""
        _, connection = self.guest()
        one = packet(ENUMERATE_VERSION, 1, words(0))
        for i in range(len(one)):
            connection.write(one[i:i + 1])
        self.assertEqual(connection.read(8)[4:], words(0))
        two = packet(ENUMERATE_VERSION, 2, words(0)) + \
            packet(ENUMERATE_VERSION, 3, words(0))
        connection.write(two[:9])
        connection.write_large(two[9:])
        self.assertEqual(len(connection.read(16)), 16)

    def test_a_slow_large_piece(self):
        """It sleeps amid a large piece, and is not woken for the rest of it."""
        _, connection = self.guest()
        one = packet(ENUMERATE_DEVICES, 1, bytes(3 * BUFFER // 4))
        self.assert_lost("not known",
                         lambda: connection.write_large(one, is_slow=True))

    def test_the_order_of_threads(self):
        """A command waits for those with lower numbers, on another connection."""
        guest, first = self.guest()
        second = guest.connect()
        second.write(packet(ENUMERATE_VERSION, 2, words(0)))
        time.sleep(0.2)
        self.assertEqual(second.word(ANSWERS + WRITE), 0)
        first.version(1)
        self.assertEqual(len(second.read(8)), 8)

    def test_it_sleeps(self):
        """A connection without commands says so, and takes no time."""
        _, connection = self.guest()
        connection.version(1)
        connection.wait(lambda: connection.word(STATE) == ASLEEP)
        self.assertEqual(connection.version(2)[1], 0)

    def test_connections_come_and_go(self):
        """As the threads of a program do."""
        guest, first = self.guest()
        for i in range(100):
            connection = guest.connect()
            connection.version(i + 1)
            connection.memory.close()
            guest.connections.remove(connection)
            guest.client.send(words(1, 3, connection.resource))
        self.assertEqual(first.version(101)[1], 0)

    # -- what does not ----------------------------------------------------------------

    def test_submissions(self):
        for what, why in (((0x1234, 1), "unknown kind"), ((PING, 77), "no such conn"),
                          ((CREATE, 77), "no shared memory"), ((0,), "unknown kind")):
            with self.subTest(what=what):
                guest, _ = self.guest()
                self.assert_lost(why, lambda g=guest, w=what: g.submit(*w))

    def test_a_connection_twice_or_too_small(self):
        guest, connection = self.guest()
        self.assert_lost("exists already",
                         lambda: guest.submit(CREATE, connection.resource))
        guest, _ = self.guest()
        small, fd = guest.client.blob(RINGS + BUFFER - 4096)
        os.close(fd)
        self.assert_lost("no shared memory", lambda: guest.submit(CREATE, small))

    def test_too_many_connections(self):
        guest, _ = self.guest()

        def connect():
            try:
                for _ in range(70):
                    resource, fd = guest.client.blob(RINGS + BUFFER)
                    os.close(fd)
                    guest.submit(CREATE, resource)
            except (OSError, EOFError, AssertionError):
                pass  # it is lost already
        # Or too much memory, whichever comes first.
        self.assert_lost("too many connections|memory", connect)

    def test_entries(self):
        for offset, size in ((BUFFER, 1), (1, BUFFER), (0xffffffff, 2),
                             (0, 0xffffffff)):
            with self.subTest(offset=offset, size=size):
                _, connection = self.guest()
                self.assert_lost("beyond the buffer", lambda c=connection, o=offset,
                                 s=size: c.put_entry(o, s))

    def test_packets(self):
        good = words(0)
        for what, why in (
                (packet(ENUMERATE_VERSION, 1, good, length=7), "impossible length"),
                (packet(ENUMERATE_VERSION, 1, good, length=0xffffffff),
                 "impossible length"),
                (words(ENUMERATE_VERSION, 8), "ends too early"),
                (packet(ENUMERATE_VERSION, 1, b"\0\0\0"), "longer than its command"),
                (packet(ENUMERATE_VERSION, 1, bytes(8)), "longer than its param"),
                (packet(12345, 1), "unknown command"),
                (packet(number("vkGetPhysicalDeviceXYZ"), 1), "unknown command"),
                (packet(DRAW, 1, bytes(24)), "outside of a command buffer"),
                (packet(DESTROY_INSTANCE, 1, words(7, 0) + pointer(False)),
                 "not known"),
                (packet(CREATE_INSTANCE, 1, CREATE_INFO + pointer() + bytes(8)),
                 "allocation callbacks"),
                (packet(CREATE_INSTANCE, 1, words(2) + CREATE_INFO[4:] +
                        pointer(False) + bytes(8)), "wrong type"),
                (packet(LAYERS, 1, pointer(False)), "must not be NULL"),
                (packet(ENUMERATE_DEVICES, 1, bytes(8)), "not known")):
            with self.subTest(why=why, what=what[:16].hex()):
                _, connection = self.guest()
                self.assert_lost(why, lambda c=connection, w=what: c.write(w))

    def test_counts(self):
        """More than a command has is not believed, whatever it would come to."""
        for count in (3, 0x7fffffff, 0xffffffff):
            with self.subTest(count=count):
                _, connection = self.guest()
                instance = connection.instance(1)
                self.assert_lost("longer than its command", lambda c=connection,
                                 i=instance, n=count: c.write(packet(
                                     ENUMERATE_DEVICES, 2, i + pointer() + words(n) +
                                     pointer() + bytes(16))))

    def test_sequence_numbers(self):
        _, connection = self.guest()
        connection.version(1)
        self.assert_lost("that was used", lambda: connection.write(
            packet(ENUMERATE_VERSION, 1, words(0))))
        guest, connection = self.guest()
        other = guest.connect()
        connection.version(1)
        self.assert_lost("that was used", lambda: other.write(
            packet(ENUMERATE_VERSION, 0xfffffff0, words(0))))

    def test_what_is_never_read(self):
        """A guest that asks and asks, and reads nothing: it waits, and can leave."""
        guest, connection = self.guest()
        for _ in range(3):
            connection.memory[RINGS:RINGS + 16] = packet(ENUMERATE_VERSION, 1, words(0))
            connection.put_entry(0, 16)
        guest.client.socket.close()

    def test_positions_at_random(self):
        """Rings that are anything: it may end the context, and nothing else."""
        for seed in range(20):
            with self.subTest(seed=seed):
                guest, connection = self.guest()
                noise = hashlib.shake_128(words(seed)).digest(RINGS)
                connection.memory[RINGS:RINGS + 4096] = noise[:4096]
                for at in (WRITE, READ, LARGE + WRITE, LARGE + READ, ANSWERS + WRITE,
                           ANSWERS + READ):
                    connection.memory[at:at + 4] = noise[at:at + 4]
                connection.memory[DATA:DATA + RING] = noise[:RING]
                guest.submit(PING, connection.resource)
                guest.client.socket.close()


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
