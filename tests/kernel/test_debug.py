#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What only the debug kernel can do: KUnit, and allocations that fail, each one of
those that loading the module takes. In the model's lab (lab/run --model)."""

import os
import re
import sys
import unittest

os.environ['VGPU_KERNEL'] = 'debug'
TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import Host, build  # noqa: E402


class Debug(unittest.TestCase):
    def setUp(self):
        self.machine = Host()
        self.addCleanup(self.machine.close)

    def do(self, line):
        status, said = self.machine.do(line)
        self.assertEqual(status, 0, said)
        return said

    def check(self):
        self.assertIsNone(self.machine.leaks())
        self.assertIsNone(self.machine.complaint())
        self.assertEqual(self.machine.refusals(), [])

    def test_kunit(self):
        said = self.do('kunit')
        self.assertRegex(said, r'\] ok 1 openvgpu')
        self.assertNotIn('not ok', said)
        print('\n'.join(re.findall(r'# .*', said)))
        self.check()

    def test_every_allocation_fails_once(self):
        """The module is not loaded then, or loaded well in spite of it."""
        self.do('load')
        self.do('unload')
        self.do('struck 0')
        self.do('forget')
        nth, outcomes = 0, {}
        while True:
            nth += 1
            said = self.do(f'failing /mod/vgpu_core.ko {nth}')
            found = re.search(r'nth \d+: error (\d+), (\w+)', said)
            outcomes[found.group(1)] = outcomes.get(found.group(1), 0) + 1
            if found.group(2) == 'not':
                break
            self.machine.do('unload')
        print(f'{nth - 1} allocations; loads by their error: {outcomes}')
        self.do('unload')
        self.check()


if __name__ == '__main__':
    build()
    unittest.main()
