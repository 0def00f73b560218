# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of VFs by VFIO begin with: a host on the kernel that VGPU_KERNEL
names, with VFs, of which two have a type."""

import os
import re
import subprocess
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import COMMAND_SECONDS, KERNEL, Host  # noqa: E402

OTHER = [] if KERNEL == '7.2' else [KERNEL]
BUILT = os.path.join(TOP, '-'.join(['build/vfio', *OTHER]))
TYPE, TYPE_BAR1 = 1147, 32  # L40S-1Q, MiB
LARGE, LARGE_BAR1 = 1152, 64  # L40S-8Q
VFS = 4


def build():
    """Modules for another kernel than the model's lab has were built before."""
    for command in (['model/build'], ['tests/vfio/build', *OTHER]):
        built = subprocess.run(command, cwd=TOP, check=False)
        if built.returncode:
            raise SystemExit(built.returncode)


class VfioCase(unittest.TestCase):
    MACHINE = os.path.join(BUILT, 'machine.cpio')
    OPTIONS = ()
    PROPERTIES = ('fb-size=48G',)  # of the GPU
    HAS_GUESTS = False
    TYPES = {1: TYPE, 2: LARGE}  # by VF
    allowed = '^$'  # what the model may refuse

    @classmethod
    def setUpClass(cls):
        cls.host = Host(BUILT, *cls.PROPERTIES, mib=1536, options=cls.OPTIONS,
                        initrd=cls.MACHINE, has_guests=cls.HAS_GUESTS)

    @classmethod
    def tearDownClass(cls):
        leaks = cls.host.leaks()
        cls.host.close()
        if leaks:
            raise AssertionError(leaks)

    def setUp(self):
        self.start = len(self.host.log())
        self.refused = len(self.host.refusals())
        self.addCleanup(self.put_back)
        self.do('load')
        self.do(f'vfs {VFS}')
        self.do('run vf load')
        self.do('run vf bind 1 2')
        self.do('write vgpu/placement heterogeneous')
        for vf, number in self.TYPES.items():
            self.do(f'run vf type {vf} {number}')

    def put_back(self):
        if self.host.is_plugged:
            self.host.fault('none')
        self.host.do('run vf kill')
        self.do('vfs 0')
        self.do('run vf unload')
        self.do('unload')
        found = self.host.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual([line for line in self.host.refusals()[self.refused:]
                          if not re.search(self.allowed, line)], [])

    def do(self, line, **limit):
        status, said = self.host.do(line, **limit)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def check(self, name, vf=1, argument=TYPE, other=''):
        bar1 = TYPE_BAR1 if vf == 1 else LARGE_BAR1
        self.do(f'run vf test {name} {vf} {bar1} {argument} {other}')

    def opens(self, vf=1, with_errno=0):
        self.check('open', vf, with_errno)

    def hold(self, vf=1):
        start = len(self.host.log())
        self.do(f'run vf hold {vf} {TYPE_BAR1 if vf == 1 else LARGE_BAR1}')
        self.host.wait('test: held', start)
        return start

    def state(self, vf=1):
        return re.search(r'test: state is (.*?)\r?\n',
                         self.do(f'run vf show {vf} state')).group(1)
