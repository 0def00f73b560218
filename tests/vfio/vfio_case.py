# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of VFs by VFIO begin with: a host on the kernel that VGPU_KERNEL
names, whose GPU has the driver that VGPU_CORE names, with VFs, of which two have a
type."""

import os
import re
import subprocess
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from cores import CORE, OTHER, folder, machine  # noqa: E402
from host import COMMAND_SECONDS, KERNEL, Host  # noqa: E402
from vf_users import LARGE, TYPE, VfUsers  # noqa: E402

BUILT = folder()
VFS = 4


def build():
    for command in (['model/build'], [CORE.BUILD, *OTHER]):
        built = subprocess.run(command, cwd=TOP, check=False)
        if built.returncode:
            raise SystemExit(built.returncode)


class VfioCase(VfUsers, unittest.TestCase):
    MACHINE = machine()
    OPTIONS = ()
    PROPERTIES = ('fb-size=48G',)  # of the GPU
    HAS_GUESTS = False
    TYPES = {1: TYPE, 2: LARGE}  # by VF
    allowed = '^$'  # what the model may refuse

    @classmethod
    def setUpClass(cls):
        cls.host = Host(BUILT, *cls.PROPERTIES, mib=CORE.HOST_MIB, options=cls.OPTIONS,
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
        self.load()
        self.do(f'vfs {VFS}')
        self.do('run vf load')
        self.do('run vf bind 1 2')
        self.set_types()

    def put_back(self):
        if self.host.is_plugged:
            self.host.fault('none')
        self.host.do('run vf kill')
        self.do('vfs 0')
        self.do('run vf unload')
        self.unload()
        found = self.host.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual([line for line in self.host.refusals()[self.refused:]
                          if not re.search(self.allowed, line)], [])

    def load(self):
        for line in CORE.LOAD:
            self.do(line)

    def set_types(self):
        self.do('write vgpu/placement heterogeneous')
        for vf, number in self.TYPES.items():
            self.do(f'run vf type {vf} {number}')

    def recovered(self, start):
        """The firmware has crashed since, and vGPUs can be made again."""
        self.host.wait(CORE.RECOVERED, start)
        if not CORE.KEEPS_TYPES:
            self.host.do('run vf bind 1 2')  # unless VFs stayed, for one was open
            self.set_types()

    def unload(self):
        for line in CORE.UNLOAD:
            self.do(line)
