# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with vgpud and vgpu_mdev, and a machine with a desktop in it: runs tests of
inside.py there, those that are named or all. After tests/mdev/build_host."""

import os
import sys
import tempfile
import unittest

SOURCE, BUILD = os.environ["VGPU_SOURCE"], os.environ["VGPU_BUILD"]
sys.path.insert(0, os.path.join(SOURCE, "lab"))

# pylint: disable=wrong-import-position
import mdev_host  # noqa: E402
from vm import GUEST  # noqa: E402

MEMORY_MIB = 4096
INSIDE_SECONDS = 1500  # only a hang reaches it
LIMIT_SECONDS = 2400
TESTS = sys.argv[1:]


class MediatedHost(unittest.TestCase):
    def test_inside(self):
        folder = self.enterContext(tempfile.TemporaryDirectory(prefix="mdev."))
        with mdev_host.MdevHost(folder, MEMORY_MIB, time_limit=LIMIT_SECONDS) as machine:
            machine.prepare()
            status, said = machine.run_inside(
                " ".join(["python3 tests/mdev/inside.py", *TESTS]), INSIDE_SECONDS)
            print(said, file=sys.stderr)
            complaint = machine.complaint()
        self.assertEqual(status, 0)
        self.assertIsNone(complaint, complaint)


if __name__ == "__main__":
    for path in (GUEST, f"{mdev_host.BUILT}/initrd"):
        if not os.path.exists(path):
            print(f"skipped: {path} is missing: see lab/guest, tests/mdev/build_host")
            sys.exit(77)
    unittest.main(argv=sys.argv[:1])
