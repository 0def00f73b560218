# SPDX-License-Identifier: GPL-2.0-or-later
"""The device dies before and after each message of a context: its successor
does the rest, and nothing twice."""

import os
import sys
import unittest

import faults

sys.path.append(os.path.join(faults.TESTS, 'device', 'vhost'))

# pylint: disable=wrong-import-position
import frontend as fe
import test_alive
from test_alive import SHARED, create_context, header, submit
from test_window import CTX_DESTROY

# Calls of a device while it serves one round of requests.
CALLS = ('sendmsg', 'recvmsg')
STEP = 1 if faults.LONG else 3


class Takeover(test_alive.Guest):
    def prepare(self):
        self.injector = faults.Injector(self.folder.name)
        os.chmod(self.injector.path, 0o666)
        self.environment = self.injector.environment()

    def answer(self):
        """The next answer, of whichever device is alive by then."""
        while True:
            got = self.queue.take()
            if got:
                kind, flags = (int.from_bytes(got[1][i:i + 4], 'little')
                               for i in (0, 4))
                return kind, flags, got[1][8:16], got[2]
            if self.manager.process.poll() is not None:
                self.revive()
            self.manager.pump()
            if fe.wait_readable(self.queue.call_fd, 0.002):
                fe.drain(self.queue.call_fd)

    def revive(self):
        """One of the calls that are struck may be the successor's."""
        while True:
            self.manager.end()
            try:
                self.manager.start()
                return
            except (ConnectionError, fe.Gone):
                pass

    def strike_each(self, play, step, least):
        """Run play(number) with each call struck, a round for each."""
        number = 0
        for name in CALLS:
            for action in (faults.KILL, faults.END):
                n = 1
                while True:
                    self.injector.arm(name, n, action)
                    play(number)
                    _, struck = self.injector.disarm()
                    number += 1
                    if not struck:
                        break
                    n += step
                # That many calls there were.
                self.assertGreater(n, least)
        return number

    def play_requests(self, number):
        tags = []
        self.mixed(number, tags)
        self.collect(*tags)

    def test_requests(self):
        self.begin()
        rounds = self.strike_each(self.play_requests, STEP, 10)
        told = self.report()
        self.assertEqual(told['notes'], list(range(4 * rounds)))
        self.assertEqual(told['resources'], [SHARED])
        for i in range(rounds):
            self.assertIn(f'memory {i}'.encode().ljust(16, b'\0'), self.vmm.seen)

    def play_life(self, _number):
        self.send(create_context(7), 'create')
        self.send(submit(['note', 1], context=7, ring=0), 'submit')
        self.collect('create', 'submit')
        self.send(header(CTX_DESTROY, 7), 'destroy')
        self.collect('destroy')
        self.until_ended()

    def test_contexts(self):
        self.strike_each(self.play_life, 1, 4)


if __name__ == '__main__':
    unittest.main()
