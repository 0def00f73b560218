#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What only the debug kernel can do: KUnit, and allocations that fail, one in each
of some VGPU_REPEATS loads. In the model's lab (lab/run --model)."""

import collections
import errno
import os
import re
import sys
import unittest

os.environ['VGPU_KERNEL'] = 'debug'
TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import COMPLAINTS, FAULTS, Host, build  # noqa: E402

REPEATS = int(os.environ.get('VGPU_REPEATS', '70'))
NEVER = 10 ** 9


def places(total):
    """Of 1 to total: each one near both ends, ever fewer towards the middle."""
    growth = total ** (2 / REPEATS)
    steps = {round(growth ** step) for step in range(REPEATS // 2)}
    return sorted(steps | {total + 1 - step for step in steps})


class Debug(unittest.TestCase):
    def setUp(self):
        self.machine = Host()
        self.addCleanup(self.machine.close)

    def do(self, line):
        status, said = self.machine.do(line)
        self.assertEqual(status, 0, said)
        return said

    def check(self, pattern=COMPLAINTS):
        self.assertIsNone(self.machine.leaks())
        self.assertIsNone(self.machine.complaint(pattern))
        self.assertEqual(self.machine.refusals(), [])

    def test_kunit(self):
        said = self.do('kunit')
        self.assertRegex(said, r'\] ok 1 openvgpu')
        self.assertNotIn('not ok', said)
        print('\n'.join(re.findall(r'# .*', said)))
        self.check()

    def fail(self, nth):
        """Load while the nth allocation fails: the load's errno, allocations."""
        said = self.do(f'failing /mod/vgpu_core.ko {nth}')
        found = re.search(r'nth \d+: error (\d+), (\d+) alloc', said)
        return int(found.group(1)), int(found.group(2))

    def test_allocations_fail(self):
        """
        One in each load: the module is not loaded then, or well in spite of it.
        The many in the middle are of one kind, pages of the firmware's files.
        """
        self.do('load')
        self.do('unload')
        self.do('struck 0')
        error, total = self.fail(NEVER)
        self.assertEqual(error, 0)
        self.do('unload')
        outcomes = collections.Counter()
        tried = places(total)
        for nth in tried:
            error, _ = self.fail(nth)
            outcomes[errno.errorcode.get(error, 'loaded')] += 1
            self.machine.do('unload')
        print(f'{len(tried)} of {total} allocations: {dict(outcomes)}')
        self.do('load')
        self.do('unload')
        # An allocation that fails may be told of with a trace.
        self.check(FAULTS)


if __name__ == '__main__':
    build()
    unittest.main()
