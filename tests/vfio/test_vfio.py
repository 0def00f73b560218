#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""VFs of the hardware model, by VFIO: vgpu_vfio_pci.ko as VMMs use it, and a guest
in the host VM. In the model's lab (lab/run --model)."""

import errno
import os
import re
import subprocess
import sys
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import COMPLAINTS, Host  # noqa: E402

BUILT = os.path.join(TOP, 'build/vfio')
TYPE, TYPE_BAR1 = 1147, 32  # L40S-1Q, MiB
LARGE, LARGE_BAR1 = 1152, 64  # L40S-8Q
VFS, VFS_MAX = 4, 32
STEPS = range(1, 5)  # as kernel/mgr/lifecycle.c counts them
REPEATS = int(os.environ.get('VGPU_REPEATS', '20'))
SLAB_KIB = 1024
GUEST_SECONDS = 600  # more than a minute on a busy machine


class Vfio(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(BUILT, 'fb-size=48G', mib=1536,
                        initrd=os.path.join(BUILT, 'machine.cpio'))

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def setUp(self):
        self.start = len(self.host.log())
        self.addCleanup(self.put_back)
        self.do('load')
        self.do(f'vfs {VFS}')
        self.do('run vf load')
        self.do('run vf bind 1 2')
        self.do('write vgpu/placement heterogeneous')
        self.do(f'run vf type 1 {TYPE}')
        self.do(f'run vf type 2 {LARGE}')

    def put_back(self):
        self.host.fault('none')
        self.host.do('run vf kill')
        self.do('vfs 0')
        self.do('run vf unload')
        self.do('unload')
        said = self.host.log()[self.start:]
        self.assertIsNone(COMPLAINTS.search(said), said)
        self.assertEqual(self.host.refusals(), [])

    def do(self, line):
        status, said = self.host.do(line)
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
        self.host.wait('test: held', start, 30)
        return start

    def state(self, vf=1):
        return re.search(r'test: state is (.*?)\r?\n',
                         self.do(f'run vf show {vf} state')).group(1)

    def test_config_space_is_the_types(self):
        self.check('config')
        self.check('config', 2, LARGE)

    def test_bar1_is_sized_as_the_types(self):
        self.check('sizing')
        self.check('sizing', 2)

    def test_no_region_is_larger(self):
        self.check('regions')
        self.check('regions', 2)

    def test_framebuffer_is_fresh(self):
        self.check('framebuffer')

    def test_two_are_isolated(self):
        self.do('run vf type 2 0')
        self.do(f'run vf type 2 {TYPE}')
        self.check('isolation', 1, TYPE, 2)

    def test_interrupts_and_bus_mastering(self):
        self.check('interrupts')

    def test_dma(self):
        self.check('dma')

    def test_engine_time(self):
        self.check('time', 1, 1)

    def test_reset_leaves_nothing(self):
        self.check('reset')

    def test_who_comes_second(self):
        self.check('second')

    def test_without_a_type_it_does_not_open(self):
        self.do('run vf type 1 0')
        self.opens(1, errno.ENOENT)
        self.do('run vf bind 3')
        self.opens(3, errno.ENOENT)
        self.do(f'run vf type 1 {TYPE}')
        self.opens()

    def test_a_task_crashes(self):
        start = self.hold()
        self.host.fault('vgpu-crash:1')
        self.host.wait('test: let go of', start, 30)
        self.assertIn('its user is told', self.host.log()[start:])
        self.assertRegex(self.state(), 'defined|failed')
        self.host.fault('none')
        self.opens()
        self.check('framebuffer')

    def test_the_firmware_crashes(self):
        start = self.hold()
        self.host.fault('crash-now')
        self.host.wait('test: let go of', start, 30)
        self.host.wait('VF 1: its vGPU is lost: the GPU.s firmware', start, 30)
        self.host.wait('MiB, 32 VFs', start, 60)  # it has booted again
        self.do('run vf kill')
        self.opens()
        self.assertEqual(self.state(), 'defined')

    def test_the_machine_does_not_sleep(self):
        self.hold()
        status, said = self.host.do('sleep')
        self.assertNotEqual(status, 0)
        self.assertIn('it does not sleep: 1 vGPUs are open', said)
        self.assertEqual(self.state(), 'active')
        self.do('run vf kill')
        self.opens()

    def test_the_gpu_is_gone(self):
        start = self.hold()
        self.host.fault('bus-lost')
        self.do('read vgpu/vf1/framebuffer_used')  # which asks the firmware
        self.host.wait('VF 1: its vGPU is lost', start, 30)
        self.do('run vf kill')
        # To open it now waits for a minute, in the PCI core's own reset.
        self.host.fault('none')
        self.do('reset')
        self.opens()

    def test_a_crashed_one_is_reset(self):
        start = self.hold()
        self.host.fault('vgpu-crash:1')
        self.host.do('run vf reset 1')
        self.host.wait('test: let go of', start, 30)
        self.host.fault('none')
        self.opens()

    def test_the_user_is_killed(self):
        for _ in range(3):
            self.hold()
            self.assertEqual(self.state(), 'active')
            self.do('run vf kill')
            self.opens()
            self.assertEqual(self.state(), 'defined')

    def tried(self, file, step):
        """Have a step of making a vGPU fail or last; 0: none."""
        self.do(f'write /sys/kernel/debug/vgpu-0000:01:00.0/{file} {step}')

    def test_each_step_fails(self):
        for step in STEPS:
            self.tried('vgpu_fail_step', step)
            self.opens(1, errno.EIO)
            self.assertRegex(self.state(), 'failed: ')
            self.tried('vgpu_fail_step', 0)
            self.opens()
            self.assertEqual(self.state(), 'defined')

    def test_the_user_is_killed_in_each_step(self):
        for step in STEPS:
            self.tried('vgpu_slow_step', step)
            self.do(f'run vf hold 1 {TYPE_BAR1}')
            time.sleep(1)
            self.do('run vf kill')
            self.tried('vgpu_slow_step', 0)
            self.assertRegex(self.state(), 'failed: |defined')
            self.opens()

    def slab(self):
        return int(re.search(r'slab (\d+)', self.do('memory')).group(1))

    def test_again_and_again(self):
        self.do('run vf again 3')
        before = self.slab()
        # Each makes a vGPU, uses it and destroys it.
        for _ in range(0, REPEATS, 20):
            self.do('run vf again 20')
        # What is left is caches of the kernel's, however often it was.
        self.assertLess(self.slab() - before, SLAB_KIB)

    def test_all_vfs_at_once(self):
        self.do('run vf type 1 0')
        self.do('run vf type 2 0')
        self.do('vfs 0')
        self.do('write vgpu/placement homogeneous')
        self.do(f'vfs {VFS_MAX}')
        self.do(f'write vgpu/.bulk/type {TYPE}')
        every = range(1, VFS_MAX + 1)
        self.do('run vf bind ' + ' '.join(map(str, every)))
        for vf in every:
            start = len(self.host.log())
            self.do(f'run vf hold {vf} {TYPE_BAR1}')
            self.host.wait('test: held', start, 30)
        self.assertEqual({self.state(vf) for vf in every}, {'active'})
        self.do('run vf kill')
        self.assertEqual({self.state(vf) for vf in every}, {'defined'})

    def test_the_vf_is_unbound(self):
        start = self.hold()
        self.do('run vf unbind 1')
        self.assertIn('test: asked for', self.host.log()[start:])
        self.do('run vf bind 1')
        self.opens()

    def test_vfs_are_not_disabled_while_one_is_open(self):
        self.hold()
        self.assertNotEqual(self.host.do('vfs 0')[0], 0)
        self.do('run vf kill')
        self.do('vfs 0')

    def test_the_gpu_is_unbound(self):
        start = self.hold()
        self.do('run vf unbind-gpu')
        self.host.wait('test: let go of', start, 30)
        self.opens(1, errno.ENODEV)
        # The VFs have stayed, for they were in use; the driver has them again.
        self.do('run vf bind-gpu')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()

    def test_a_whole_gpu_is_vfio_pcis(self):
        self.do('vfs 0')
        self.do('run vf whole')
        self.do('run vf bind-gpu')

    def test_a_guest(self):
        start = len(self.host.log())
        self.do('run vf guest 1 2')
        ended = self.host.wait(r'test: the guest ended with (\d+)', start,
                               GUEST_SECONDS)
        said = self.host.log()[start:]
        self.assertEqual(ended.group(1), '0', said)
        self.assertEqual(len(re.findall('guest: test passed', said)), 2, said)
        self.assertNotIn('FAILED', said)
        # It uses its framebuffer without anybody's help.
        self.assertIn('test: 0 exits', said)
        self.assertEqual(self.state(), 'defined')
        self.check('framebuffer')


if __name__ == '__main__':
    for command in ('model/build', 'tests/vfio/build'):
        built = subprocess.run([os.path.join(TOP, command)], check=False)
        if built.returncode:
            raise SystemExit(built.returncode)
    unittest.main()
