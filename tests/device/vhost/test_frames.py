# SPDX-License-Identifier: GPL-2.0-or-later
"""The frame rate limit: when the real device answers a guest's flushes."""

import os
import struct
import time
import unittest

import frontend as fe

GET_DISPLAY_INFO, CREATE_2D, SET_SCANOUT, FLUSH = 0x100, 0x101, 0x103, 0x104
OK, OK_DISPLAY_INFO = 0x1100, 0x1101
# Less than a frame's time at any limit that there may be.
SOONEST = 1 / 240 / 2
TRIES = 20
C_SET_FRAME_RATE = 12
WIDTH, HEIGHT = 64, 48
HEADER = struct.pack("<QIII", 0, 0, 0, 0)


def rect():
    return struct.pack("<IIII", 0, 0, WIDTH, HEIGHT)


def flush(resource):
    return struct.pack("<I", FLUSH) + HEADER + rect() + struct.pack(
        "<II", resource, 0)


class Frames(unittest.TestCase):
    def begin(self, rate, heads=1):
        self.manager = fe.Manager(program=fe.DEVICE, heads=heads, segments=8,
                                  frame_rate=rate)
        self.addCleanup(self.manager.close)
        self.manager.start()
        self.front = self.manager.connect()
        self.addCleanup(self.front.close)
        self.queue = self.front.bring_up()[0]
        for head in range(heads):
            # Of this resource every head shows all.
            self.ask(struct.pack("<I", CREATE_2D) + HEADER + struct.pack(
                "<IIII", head + 1, 2, WIDTH, HEIGHT))
            self.ask(struct.pack("<I", SET_SCANOUT) + HEADER + rect() +
                     struct.pack("<II", head, head + 1))

    def take(self):
        """The tag of the next request that is answered."""
        end = time.monotonic() + fe.TIMEOUT
        while time.monotonic() < end:
            got = self.queue.take()
            if got:
                self.assertIn(struct.unpack_from("<I", got[1])[0],
                              (OK, OK_DISPLAY_INFO))
                return got[2]
            fe.wait_readable(self.queue.call_fd, 1)
            fe.drain(self.queue.call_fd)
        self.fail("no answer")

    def ask(self, data):
        self.queue.submit(data, 64)
        self.take()

    def seconds(self, frames, resource):
        """How long it takes to have so many frames shown, one after the other."""
        begin = time.monotonic()
        for _ in range(frames):
            self.ask(flush(resource))
        return time.monotonic() - begin

    def assert_not_paced(self, resource):
        """However busy the machine, some come sooner than any limit lets them;
        with one the first would, and those before which the test was late."""
        took = sorted(self.seconds(1, resource) for _ in range(300))
        self.assertLess(took[10], SOONEST)

    def cpu_seconds(self):
        with open(f"/proc/{self.manager.process.pid}/stat",
                  encoding="ascii") as file:
            words = file.read().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")

    def set_rate(self, rate):
        self.manager.send(fe.control_message(C_SET_FRAME_RATE, 1,
                                             struct.pack("<I", rate)))
        while not self.manager.replies:
            self.manager.receive_one()
        self.manager.replies.clear()

    def test_no_more_frames_than_the_limit(self):
        for rate in 30, 60:
            with self.subTest(rate=rate):
                self.begin(rate)
                before = self.cpu_seconds()
                # The first one is shown at once.
                took = self.seconds(rate + 1, 1)
                # The device keeps whole microseconds.
                self.assertGreaterEqual(took, 1 - rate * 1e-6)
                self.assertLess(self.cpu_seconds() - before, took / 2)
                self.doCleanups()

    def test_no_limit(self):
        self.begin(0)
        self.assert_not_paced(1)

    def overtakes(self, other):
        """Whether it is answered before a frame of the first head that waits."""
        self.ask(flush(1))
        self.queue.submit(flush(1), 64, kick=False, tag="waits")
        self.queue.submit(other, 408, tag="other")
        first = self.take()
        self.assertEqual({first, self.take()}, {"waits", "other"})
        return first == "other"

    def assert_overtaken(self, other):
        """It waits for a second. On a busy machine that may be over at once."""
        self.assertTrue(any(self.overtakes(other) for _ in range(TRIES)))

    def test_heads_have_frames_of_their_own(self):
        self.begin(1, heads=2)
        self.assert_overtaken(flush(2))

    def test_other_commands_do_not_wait(self):
        self.begin(1)
        self.assert_overtaken(struct.pack("<I", GET_DISPLAY_INFO) + HEADER)

    def test_flush_that_nobody_sees_does_not_wait(self):
        self.begin(1)
        self.ask(struct.pack("<I", CREATE_2D) + HEADER + struct.pack(
            "<IIII", 9, 2, WIDTH, HEIGHT))
        self.assert_not_paced(9)

    def test_limit_changes_while_it_runs(self):
        self.begin(0)
        self.seconds(10, 1)
        self.set_rate(30)
        self.assertGreaterEqual(self.seconds(16, 1), 15 / 30 - 0.001)
        self.set_rate(0)
        self.assert_not_paced(1)

    def test_reset_forgets_frames_that_wait(self):
        self.begin(1)
        self.ask(flush(1))
        self.queue.submit(flush(1), 64)
        self.front.close()
        self.front = self.manager.connect()
        self.addCleanup(self.front.close)
        self.queue = self.front.bring_up()[0]
        self.ask(struct.pack("<I", CREATE_2D) + HEADER + struct.pack(
            "<IIII", 1, 2, WIDTH, HEIGHT))


if __name__ == "__main__":
    unittest.main(verbosity=2)
