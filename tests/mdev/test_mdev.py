#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mediated devices: vgpu_mdev.ko as VMMs and the process that serves them use it, on
the kernel that VGPU_KERNEL names. In the model's lab (lab/run --model)."""

import os
import subprocess
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import KERNEL, Host  # noqa: E402

OTHER = [] if KERNEL == '7.2' else [KERNEL]
BUILT = os.path.join(TOP, '-'.join(['build/mdev', *OTHER]))
ROUNDS = int(os.environ.get('VGPU_REPEATS', '20')) * 1000
UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
OTHER_UUID = '6ba7b811-9dad-41d1-80b4-00c04fd430c8'


def build():
    """Modules for another kernel than the model's lab has were built before."""
    built = subprocess.run(['tests/mdev/build', *OTHER], cwd=TOP, check=False)
    if built.returncode:
        raise SystemExit(built.returncode)


class Mdev(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        os.makedirs(BUILT, exist_ok=True)
        cls.host = Host(BUILT, mib=1536, has_gpu=False,
                        initrd=os.path.join(BUILT, 'machine.cpio'))

    @classmethod
    def tearDownClass(cls):
        leaks = cls.host.leaks()
        cls.host.close()
        if leaks:
            raise AssertionError(leaks)

    def setUp(self):
        self.start = len(self.host.log())
        self.do('run mediated load')
        self.do(f'run mediated create {UUID}')

    def tearDown(self):
        self.do(f'run mediated remove {UUID}')
        self.do('run mediated unload')
        found = self.host.complaint(self.start)
        self.assertIsNone(found, found)

    def do(self, line, **limit):
        status, said = self.host.do(line, **limit)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def test_types(self):
        said = self.do('run mediated types')
        self.assertIn('device_api is vfio-pci', said)
        self.assertIn('available_instances is 255', said)
        self.do(f'run mediated create {OTHER_UUID}')
        self.assertIn('available_instances is 254', self.do('run mediated types'))
        self.do(f'run mediated remove {OTHER_UUID}')
        self.assertNotEqual(self.host.do(f'run mediated create {UUID}')[0], 0)

    def test_both_sides(self):
        self.assertIn('both sides passed', self.do(f'run mdev_test {UUID}'))

    def test_anything(self):
        for seed in range(1, 4):
            self.do(f'run mediated create {OTHER_UUID}')
            self.assertIn('anything passed', self.do(
                f'run mdev_test {OTHER_UUID} {seed} {ROUNDS}'))
            self.do(f'run mediated remove {OTHER_UUID}')


if __name__ == '__main__':
    build()
    unittest.main()
