# SPDX-License-Identifier: GPL-2.0-or-later
"""The host is suspended, and its vGPUs and their programs go on after it."""

import unittest

import test_udmabuf


class Suspend(test_udmabuf.LabMachine):
    TIME_LIMIT = 840

    def test_suspend(self):
        self.run_inside("python3 tests/gpu/suspend.py", timeout=600)


if __name__ == "__main__":
    unittest.main()
