# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests do with VFs that have a type, in the machine that tests/vfio/build
packs."""

import re

TYPE, TYPE_BAR1 = 1147, 32  # L40S-1Q, MiB
LARGE, LARGE_BAR1 = 1152, 64  # L40S-8Q


class VfUsers:
    """Of a test case that has a host: VF 1 is of type TYPE, others of LARGE."""

    def do(self, line, **limit):
        status, said = self.host.do(line, **limit)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def check(self, name, vf=1, argument=TYPE, other=''):
        bar1 = TYPE_BAR1 if vf == 1 else LARGE_BAR1
        return self.do(f'run vf test {name} {vf} {bar1} {argument} {other}')

    def opens(self, vf=1, with_errno=0):
        self.check('open', vf, with_errno)

    def hold(self, vf=1):
        """Have it open, until 'run vf kill'."""
        start = len(self.host.log())
        self.do(f'run vf hold {vf} {TYPE_BAR1 if vf == 1 else LARGE_BAR1}')
        self.host.wait('test: held', start)
        return start

    def state(self, vf=1):
        return re.search(r'test: state is (.*?)\r?\n',
                         self.do(f'run vf show {vf} state')).group(1)
