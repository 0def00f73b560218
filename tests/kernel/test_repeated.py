#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Operations that are repeated VGPU_REPEATS times leak nothing, on the kernel
that VGPU_KERNEL names. In the model's lab (lab/run --model)."""

import os
import re
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import KERNEL, Host, build  # noqa: E402

REPEATS = int(os.environ.get('VGPU_REPEATS', '5'))
# The first ones leave caches of the kernel's, and so do, now and then, others.
WARM = 2
SLACK_KIB = 1024


class Repeated(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Host()

    @classmethod
    def tearDownClass(cls):
        cls.machine.close()

    def do(self, line):
        status, said = self.machine.do(line)
        self.assertEqual(status, 0, said)
        return said

    def repeat(self, *lines):
        kib = []
        for _ in range(WARM + REPEATS):
            for line in lines:
                self.do(line)
            kib.append({name: int(value) for name, value in re.findall(
                r'(slab|vmalloc) (\d+)', self.do('memory'))})
        for name in ('slab', 'vmalloc'):
            series = [each[name] for each in kib]
            print(f'{KERNEL}: {name}, KiB: {series[WARM]} after {WARM}, '
                  f'{series[-1]} after {len(series)}')
            self.assertLess(series[-1] - series[WARM], SLACK_KIB, series)

    def tearDown(self):
        self.machine.do('unload')
        self.assertIsNone(self.machine.leaks())
        self.assertIsNone(self.machine.complaint())
        self.assertEqual(self.machine.refusals(), [])

    def test_loads(self):
        self.repeat('load', 'unload')

    def test_vfs(self):
        self.do('load')
        self.repeat('vfs 32', 'count 32', 'vfs 0')


if __name__ == '__main__':
    build()
    unittest.main()
