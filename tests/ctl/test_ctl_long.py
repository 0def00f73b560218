# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpuctl against a manager that is played, for longer than a call may take."""

import subprocess
import time
import unittest

from fake_manager import CtlTest, Several, VGPUCTL

# A varlink call of libsystemd's has 45 s to be answered.
CALL_SECONDS = 45


class Follow(CtlTest):
    def test_follow_has_no_end(self):
        """Nothing happens for a while: that is no reason to give up."""
        self.manager(Subscribe=Several({}, is_open=True))
        with subprocess.Popen([VGPUCTL, 'events', '--follow'],
                              stdout=subprocess.PIPE,
                              env=self.environment) as follower:
            try:
                time.sleep(CALL_SECONDS + 5)
                self.assertIsNone(follower.poll())
            finally:
                follower.kill()


if __name__ == '__main__':
    unittest.main(verbosity=2)
