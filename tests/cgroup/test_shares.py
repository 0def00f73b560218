# SPDX-License-Identifier: GPL-2.0-or-later
"""Shares of busy vGPUs, in a VM whose clock counts the time that its processor
ran, so that load on the host does not matter."""

import os
import sys
import tempfile
import unittest

import host
from host import SLOW, SOURCE

FOLDER = os.path.join(SOURCE, 'tests/manager')


class Shares(unittest.TestCase):
    def test_shares(self):
        host.make_image()
        folder = self.enterContext(tempfile.TemporaryDirectory())
        vm = self.enterContext(host.HostVm(folder, processors=1, is_counted=True))
        for name in 'equal_shares', 'share_beside_idle_ones', 'weights':
            with self.subTest(name=name):
                status, output = vm.run(
                    f'cd {FOLDER} && VGPU_MEASURE=1 VGPU_BUILD={host.BUILD} ../cgroup/delegated '
                    f'python3 test_cgroup.py Measured.test_{name}', 4 * SLOW)
                for line in output.splitlines():
                    if 'measured: ' in line:
                        print(line, file=sys.stderr)
                self.assertEqual(status, 0, output)


if __name__ == '__main__':
    if not host.is_possible():
        print('skipped: needs the guest image and QEMU')
        sys.exit(77)
    unittest.main(verbosity=2)
