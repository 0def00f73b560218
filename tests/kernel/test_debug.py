#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What only the debug kernel can do: KUnit, and allocations that fail, one in each
of some VGPU_REPEATS tries. In the model's lab (lab/run --model)."""

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

REPEATS = int(os.environ.get('VGPU_REPEATS', '200'))
NEVER = 10 ** 9
GPU = '0000:01:00.0'
DRIVER = '/sys/bus/pci/drivers/vgpu_core'


def places(total):
    """Of 1 to total: each one near both ends, ever fewer towards the middle."""
    if total <= REPEATS:
        return list(range(1, total + 1))
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
        self.assertIsNone(self.machine.complaint(pattern=pattern))
        self.assertEqual(self.machine.refusals(), [])

    def test_kunit(self):
        said = self.do('kunit')
        self.assertRegex(said, r'\] ok 1 openvgpu')
        self.assertNotIn('not ok', said)
        print('\n'.join(re.findall(r'# .*', said)))
        self.check()

    def fail(self, nth, path, value):
        """Write a file while the nth allocation fails: errno, allocations."""
        said = self.do(f'failing {path} {value} {nth}')
        found = re.search(r'nth \d+: error (\d+), (\d+) alloc', said)
        return int(found.group(1)), int(found.group(2))

    def fail_each(self, path, value, undo):
        """
        One in each try: nothing has happened then, or all of it in spite of it.
        Where there are too many, those in the middle, which are of one kind, are
        tried at ever larger distances.
        """
        error, total = self.fail(NEVER, path, value)
        self.assertEqual(error, 0)
        self.do(undo)
        outcomes = collections.Counter()
        tried = places(total)
        for nth in tried:
            error, _ = self.fail(nth, path, value)
            outcomes[errno.errorcode.get(error, 'done')] += 1
            if not error:
                self.do(undo)
        print(f'{path}: {len(tried)} of {total} allocations: {dict(outcomes)}')
        self.assertGreater(outcomes['ENOMEM'], 0)
        # And now it is done.
        self.assertEqual(self.fail(NEVER, path, value)[0], 0)

    def test_allocations_fail(self):
        self.do('load')
        self.do('struck')
        self.do(f'write {DRIVER}/unbind {GPU}')
        self.fail_each(f'{DRIVER}/bind', GPU, f'write {DRIVER}/unbind {GPU}')
        # Not while VFs are enabled: 7.2's own pci_iov_add_virtfn() takes back what
        # device_add() has not done, and crashes.
        self.do('unload')
        # An allocation that fails may be told of with a trace.
        self.check(FAULTS)


if __name__ == '__main__':
    build()
    unittest.main()
