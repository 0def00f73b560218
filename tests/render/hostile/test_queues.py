# SPDX-License-Identifier: GPL-2.0-or-later
"""Work that never ends costs only the context that submitted it."""

import os
import time
import unittest

import venus
from venus import COMMANDS, vt

LOST = "took more than 2 s: device lost"


class Endless(venus.Test):
    environment = {"VGPU_SUBMIT_SECONDS_MAX": "2"}

    def begin_endless(self):
        """Eight dispatches of as many groups as lavapipe can count."""
        return self.begin(
            venus.UP_TO_COMMANDS, venus.create_pipeline(),
            venus.allocate_commands(90),
            venus.record(*[venus.dispatch(32767, 65535, 1)] * 8),
            venus.record(number=90))

    def test_alone(self):
        guest = self.begin_endless()
        guest.send(venus.submit(COMMANDS))
        self.other.run(venus.create_fence(50))
        self.is_over(guest, LOST)

    def test_soon_after_another(self):
        """The first submit is watched, and so is one that follows it at once.
        """
        guest = self.begin_endless()
        guest.run(venus.submit(90))
        guest.send(venus.submit(COMMANDS))
        self.is_over(guest, LOST)

    def test_with_a_fence(self):
        guest = self.begin_endless()
        guest.send(venus.submit(COMMANDS))
        sync = guest.client.sync()
        guest.client.send(vt.batch(points=[(sync, 1)], ring=1))
        self.is_over(guest, LOST)

    def test_destroyed_meanwhile(self):
        guest = self.begin_endless()
        guest.run(venus.submit(90))
        guest.send(venus.submit(COMMANDS), venus.destroy_device())
        self.is_over(guest, LOST)

    def test_given_up_by_its_guest(self):
        guest = self.begin_endless()
        guest.send(venus.submit(COMMANDS))
        time.sleep(0.2)
        guest.socket.close()  # finish() wants its process gone

    def test_many_short_ones(self):
        """Nobody asks for fences for longer than the limit: no harm."""
        guest = self.begin_endless()
        end = time.monotonic() + 4
        while time.monotonic() < end:
            guest.run(*[venus.submit(90)] * 20)
        guest.barrier()

    def test_only_one_is_given_up(self):
        endless, other = self.begin_endless(), self.begin_endless()
        endless.send(venus.submit(COMMANDS))
        other.run(venus.submit(90))
        self.is_over(endless, LOST)
        other.run(venus.submit(90))
        sync = other.client.sync()
        other.client.send(vt.batch(points=[(sync, 1)], ring=1))
        fd = other.client.wait([(sync, 1)])
        self.assertTrue(vt.is_ready(fd, vt.TIMEOUT))
        os.close(fd)


if __name__ == "__main__":
    unittest.main()
