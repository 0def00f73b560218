# SPDX-License-Identifier: GPL-2.0-or-later
"""The same, often: what would grow in a year shows in some minutes."""

import os
import unittest

import frontend as fe
from frontend import command

os.environ["VGPU_CYCLES"] = "1000"

import test_managed  # noqa: E402  pylint: disable=wrong-import-position

CONNECTIONS = 100000


class Long(unittest.TestCase):
    def test_connections(self):
        """T10: fds and memory stay flat."""
        with fe.Device() as device:
            before = None
            i = 0
            while i < CONNECTIONS:
                with device.connect() as front:
                    try:
                        queue = front.bring_up(num=16)[0]
                        queue.submit(command(fe.KEEP))
                        queue.submit(command(fe.ECHO))
                        queue.wait()
                        if i % 2:
                            front.send(fe.RESET_DEVICE)
                            front.ask_u64(fe.GET_QUEUE_NUM)
                    except fe.Gone:
                        continue
                    i += 1
                    if i in (1000, CONNECTIONS):
                        now = (fe.count_fds(device.pid),
                               fe.rss_kib(device.pid))
                        if before:
                            self.assertEqual(now[0], before[0])
                            self.assertLess(now[1], before[1] + 256)
                        before = now


class Kills(test_managed.Managed):
    pass


del test_managed.Managed

if __name__ == "__main__":
    unittest.main()
