#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The generator writes where it is told, and touches nothing else."""

import os
import subprocess
import sys
import tempfile
import unittest

GENERATE, REGISTRY = sys.argv[1:3]


class Generate(unittest.TestCase):

    def test_leaves_devices_alone(self):
        before = os.stat(os.devnull).st_mode
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([sys.executable, '-B', GENERATE, REGISTRY, folder],
                           check=True)
            self.assertIn('venus.h', os.listdir(folder))
        after = os.stat(os.devnull).st_mode
        if after != before:
            os.chmod(os.devnull, before)
        self.assertEqual(oct(after), oct(before))


if __name__ == '__main__':
    unittest.main(argv=sys.argv[:1])
