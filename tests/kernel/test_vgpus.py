#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs of vgpu_core.ko on the hardware model: types, places, schedulers, on
the kernel that VGPU_KERNEL names. In the model's lab (lab/run --model)."""

import os
import re
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import Host, build  # noqa: E402

TYPE_1Q, TYPE_8Q, TYPE_16Q, TYPE_24Q, TYPE_48Q = 1147, 1152, 1154, 1155, 1156
TYPE_8A = 1162
VFS = 32
MIB = 1 << 20
BUSY, INVALID, NO_SPACE = 'resource busy', 'Invalid argument', 'No space left'
RANGE = 'result out of range'


class Vgpus(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.machine = Host(None, 'fb-size=48G')
        cls.start = len(cls.machine.log())
        status, said = cls.machine.do('load')
        if status:
            raise AssertionError(said)

    @classmethod
    def tearDownClass(cls):
        cls.machine.do('unload')
        found = cls.machine.complaint(cls.start)
        refusals = cls.machine.refusals()
        leaks = cls.machine.leaks()
        cls.machine.close()
        if found or refusals or leaks:
            raise AssertionError(found, refusals, leaks)

    def tearDown(self):
        for vf in range(1, VFS + 1):
            if self.read(f'vgpu/vf{vf}/type') != '0':
                self.write(f'vgpu/vf{vf}/type', 0)
        self.write('vgpu/scheduler/policy', 'best_effort')
        self.write('vgpu/placement', 'homogeneous')

    def read(self, path):
        status, said = self.machine.do(f'read {path}')
        self.assertEqual(status, 0, said)
        lines = re.search(r'test: value ?(.*?)\r?\n', said).group(1)
        return lines.replace('|', '\n').removesuffix('\n')

    def write(self, path, value):
        status, said = self.machine.do(f'write {path} {value}')
        self.assertEqual(status, 0, said)

    def refused(self, path, value, why):
        status, said = self.machine.do(f'write {path} {value}')
        self.assertNotEqual(status, 0, (path, value, said))
        self.assertRegex(said, why)

    def available(self, number):
        return int(self.read(f'vgpu/types/{number}/available_instances'))

    def test_types_are_shown(self):
        shown = {name: self.read(f'vgpu/types/{TYPE_8Q}/{name}')
                 for name in ('name', 'class', 'heads', 'max_width',
                              'max_height', 'frame_rate_limit',
                              'max_instances', 'available_instances')}
        self.assertEqual(shown, {
            'name': 'NVIDIA L40S-8Q', 'class': 'Quadro', 'heads': '4',
            'max_width': '7680', 'max_height': '4320',
            'frame_rate_limit': '60', 'max_instances': '6',
            'available_instances': '6'})
        framebuffer = int(self.read(f'vgpu/types/{TYPE_8Q}/framebuffer'))
        self.assertEqual(framebuffer % (128 * MIB), 0)
        self.assertGreater(framebuffer, 7 << 30)
        self.assertLessEqual(framebuffer, 8 << 30)

    def test_a_vf_has_a_type_and_has_it_no_more(self):
        self.assertEqual(self.read('vgpu/vf3/state'), 'none')
        self.assertEqual(self.read('vgpu/vf3/placement'), 'auto')
        self.write('vgpu/vf3/type', TYPE_24Q)
        self.assertEqual(self.read('vgpu/vf3/type'), str(TYPE_24Q))
        self.assertEqual(self.read('vgpu/vf3/state'), 'defined')
        self.assertEqual(self.read('vgpu/vf3/placement'), '0')
        self.assertEqual(self.available(TYPE_24Q), 1)
        self.write('vgpu/vf3/type', TYPE_24Q)  # once more is no harm
        self.refused('vgpu/vf3/type', TYPE_8Q, BUSY)
        self.refused('vgpu/vf3/placement', 24, BUSY)
        self.write('vgpu/vf3/type', 0)
        self.assertEqual(self.read('vgpu/vf3/state'), 'none')
        self.assertEqual(self.available(TYPE_24Q), 2)

    def test_sizes_do_not_mix_unless_they_may(self):
        self.write('vgpu/vf1/type', TYPE_8Q)
        self.assertEqual(self.available(TYPE_24Q), 0)
        self.refused('vgpu/vf2/type', TYPE_24Q, INVALID)
        self.write('vgpu/vf2/type', TYPE_8A)  # another class of that size
        self.refused('vgpu/placement', 'heterogeneous', BUSY)
        self.write('vgpu/vf1/type', 0)
        self.write('vgpu/vf2/type', 0)
        self.write('vgpu/placement', 'heterogeneous')
        self.assertEqual(self.read('vgpu/placement'),
                         'homogeneous [heterogeneous]')
        self.write('vgpu/vf1/type', TYPE_8Q)
        self.write('vgpu/vf2/type', TYPE_24Q)
        self.assertEqual(self.read('vgpu/vf2/placement'), '24')
        self.refused('vgpu/vf3/type', TYPE_24Q, NO_SPACE)
        self.assertEqual(self.available(TYPE_16Q), 0)
        self.assertEqual(self.available(TYPE_8Q), 1)

    def test_a_place_is_asked_for(self):
        self.write('vgpu/placement', 'heterogeneous')
        self.write('vgpu/vf1/placement', 40)
        self.write('vgpu/vf1/type', TYPE_8Q)
        self.assertEqual(self.read('vgpu/vf1/placement'), '40')
        self.write('vgpu/vf2/placement', 8)  # no place of this type's
        self.refused('vgpu/vf2/type', TYPE_8Q, INVALID)
        self.write('vgpu/vf2/placement', 32)
        self.refused('vgpu/vf2/type', TYPE_16Q, NO_SPACE)
        self.write('vgpu/vf2/placement', 'auto')
        self.write('vgpu/vf2/type', TYPE_16Q)
        self.assertEqual(self.read('vgpu/vf2/placement'), '0')

    def test_all_at_once(self):
        self.refused('vgpu/.bulk/type', TYPE_8Q, NO_SPACE)
        self.assertEqual(self.read('vgpu/vf1/type'), '0')
        self.assertEqual(self.available(TYPE_8Q), 6)
        self.write('vgpu/.bulk/type', TYPE_1Q)
        self.assertEqual(self.available(TYPE_1Q), 0)
        self.assertEqual(self.read(f'vgpu/vf{VFS}/placement'), '31')
        self.write('vgpu/.bulk/type', 0)
        self.assertEqual(self.available(TYPE_1Q), VFS)

    def test_what_makes_no_sense(self):
        for value in (1, 99999, -1, 'x', ''):
            self.refused('vgpu/vf1/type', value, INVALID)
        self.refused('vgpu/vf1/placement', 'x', INVALID)
        self.refused('vgpu/placement', 'mixed', INVALID)
        self.refused('vgpu/scheduler/policy', 'fair', INVALID)

    def test_schedulers(self):
        self.assertEqual(self.read('vgpu/scheduler/policy'),
                         '[best_effort] equal_share fixed_share')
        low = int(self.read('vgpu/scheduler/timeslice_min_us'))
        high = int(self.read('vgpu/scheduler/timeslice_max_us'))
        self.assertLess(low, high)
        for value in (low - 1, high + 1):
            self.refused('vgpu/scheduler/timeslice_us', value, RANGE)
        for policy in ('equal_share', 'fixed_share'):
            self.write('vgpu/scheduler/policy', policy)
            self.write('vgpu/scheduler/timeslice_us', high)
            self.assertIn(f'[{policy}]', self.read('vgpu/scheduler/policy'))
        self.refused('vgpu/placement', 'heterogeneous', INVALID)
        self.write('vgpu/scheduler/timeslice_us', 0)
        self.write('vgpu/scheduler/policy', 'equal_share')
        self.write('vgpu/placement', 'heterogeneous')
        self.refused('vgpu/scheduler/policy', 'fixed_share', INVALID)

    def test_nvidias_own_files(self):
        self.write('sriov_numvfs', 2)
        self.addCleanup(self.write, 'sriov_numvfs', 0)
        listed = self.read('virtfn0/nvidia/creatable_vgpu_types')
        self.assertIn('ID    : vGPU Name', listed)
        self.assertIn(f'{TYPE_8Q}  : NVIDIA L40S-8Q', listed)
        self.write('virtfn0/nvidia/current_vgpu_type', TYPE_48Q)
        self.assertEqual(self.read('vgpu/vf1/type'), str(TYPE_48Q))
        self.assertEqual(self.read('virtfn0/nvidia/creatable_vgpu_types'), '')
        self.assertEqual(
            self.read('virtfn1/nvidia/creatable_vgpu_types').split('\n')[1:], [])
        self.assertEqual(self.machine.do('read vgpu/vf1/device/vendor')[0], 0)
        self.assertNotEqual(self.machine.do('read vgpu/vf3/device/vendor')[0], 0)
        self.write('virtfn0/nvidia/current_vgpu_type', 0)
        # Types stay when VFs go.
        self.write('vgpu/vf2/type', TYPE_8Q)
        self.write('sriov_numvfs', 0)
        self.assertEqual(self.read('vgpu/vf2/type'), str(TYPE_8Q))


if __name__ == '__main__':
    build()
    unittest.main()
