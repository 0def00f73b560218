#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nouveau with the hooks of kernel/nouveau on the hardware model: it boots the
firmware for vGPUs, keeps their part of the GPU, and enables VFs, while its own DRM
device is there. With vgpu_nouveau VFs get vGPUs, beside the host's use of the GPU. In
the model's lab (lab/run --model), after kernel/nouveau/build source."""

import errno
import os
import re
import subprocess
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from cores import OTHER, Nouveau, folder, machine  # noqa: E402
from host import KERNEL, Host  # noqa: E402
from vf_users import LARGE, TYPE, VfUsers  # noqa: E402

FB = 8192  # MiB
QUARTER = 2048
WHOLE = 1156  # L40S-48Q
GUEST_SECONDS = 600
# nouveau's own: what r535_vfn_new() allocates nobody frees, 64 bytes each time that a
# GPU is bound. It is known by the offset and size of the registers that it holds.
KNOWN_LEAK = re.compile(r'unreferenced object \S+ \(size 64\):(?:(?!unreferenced).)*?'
                        r'00 00 03 00 00 00 01 00 .*?(?=\[[ .0-9]+\] unref|\Z)', re.DOTALL)


class Case(VfUsers, unittest.TestCase):
    PROPERTIES = (f'fb-size={FB}M',)
    HAS_GUESTS = False
    PROCESSORS = 2
    allowed = '$.'

    @classmethod
    def setUpClass(cls):
        cls.host = Host(folder(Nouveau), *cls.PROPERTIES, mib=2048, has_guests=cls.HAS_GUESTS,
                        processors=cls.PROCESSORS, initrd=machine(Nouveau))

    @classmethod
    def tearDownClass(cls):
        leaks = cls.host.leaks()
        cls.host.close()
        if leaks and 'unreferenced' in KNOWN_LEAK.sub('', leaks):
            raise AssertionError(leaks)

    def setUp(self):
        self.start = len(self.host.log())
        self.model_start = len(self.host.model_log())
        self.refused = len(self.host.refusals())
        self.addCleanup(self.put_back)

    def put_back(self):
        self.host.fault('none')
        self.host.do('run nouveau unload')
        found = self.host.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual([line for line in self.host.refusals()[self.refused:]
                          if not re.search(self.allowed, line)], [])

    def model_said(self):
        return self.host.model_log()[self.model_start:]

    def load(self, *parameters):
        said = self.do(' '.join(('run nouveau load', *parameters)))
        self.assertIn('Initialized nouveau', said)
        return said


class Alone(Case):
    def vram(self, said):
        return int(re.search(r'VRAM: (\d+) MiB', said).group(1))

    def test_boots_for_vgpus(self):
        said = self.load('vgpu=1')
        self.assertIn(f'vGPUs: 32 VFs, framebuffer from {QUARTER} MiB on', said)
        self.assertLessEqual(self.vram(said), QUARTER)
        for line in ('system info: 32 VFs', 'registry: RMSetSriovMode = 1',
                     '32 partitions', 'INIT_DONE'):
            self.assertIn(line, self.model_said())
        # By this load or an earlier one.
        self.assertIn('all of VRAM is scrubbed', self.host.model_log())
        self.do('vfs 4')
        self.do('count 4')
        groups = [vf[1] for vf in self.host.vfs()]
        self.assertEqual(len(set(groups)), 4)
        self.do('run nouveau node')
        self.do('vfs 0')

    def test_vfs_go_with_it(self):
        self.load('vgpu=1')
        self.do('vfs 4')
        self.do('run nouveau unload')
        self.assertEqual(self.host.vfs(), [])
        self.assertIn('WPR2 is down', self.model_said())
        # Whoever comes next finds a GPU that boots, with VFs.
        self.do('load')
        self.do('vfs 4')
        self.do('vfs 0')
        self.do('unload')

    def test_the_host_says_how_much_it_keeps(self):
        said = self.load('vgpu=1', 'host=1024')
        self.assertIn('framebuffer from 1024 MiB on', said)
        self.assertLessEqual(self.vram(said), 1024)

    def test_none_are_wanted(self):
        """As Debian's nouveau is, in all that the firmware is told."""
        said = self.load()
        self.assertNotIn('vGPUs:', said)
        self.assertGreater(self.vram(said), FB - 1024)
        self.assertNotIn('RMSetSriovMode', self.model_said())
        self.assertNotEqual(self.host.do('vfs 4')[0], 0)
        self.assertEqual(self.host.vfs(), [])

    def test_a_guests_error_is_none_of_its_channels(self):
        self.load('vgpu=1')
        start = len(self.host.log())
        self.host.fault('rc-error:1:3')
        self.host.wait('chid:3 gfid:1', start)
        self.do('run nouveau node')
        self.assertNotRegex(self.host.log()[start:], r'channel 3|errored|not found')

    def test_sleeps_and_wakes(self):
        """Without VFs: with them the kernel cannot restore the PF's BARs."""
        self.load('vgpu=1')
        self.do('sleep')
        self.assertIn('WPR is restored', self.model_said())
        self.do('vfs 4')
        self.do('vfs 0')


class MergedCase(Case):
    """The host uses the GPU by its DRM node, while VFs have vGPUs of two types."""
    PROPERTIES = ('fb-size=48G',)
    HOST = 512  # MiB, and what is asked for is more:
    COPIES = 600

    def setUp(self):
        super().setUp()
        self.load('vgpu=1', f'host={self.HOST}')
        self.do('run nouveau manage')
        self.do('vfs 4')
        self.do('run vf load')
        self.do('run vf bind 1 2')
        self.do('write vgpu/placement heterogeneous')
        self.do(f'run vf type 1 {TYPE}')
        self.do(f'run vf type 2 {LARGE}')

    def put_back(self):
        self.host.do('run nouveau copied')
        self.host.do('run vf kill')
        self.host.do('vfs 0')
        self.host.do('run vf unload')
        super().put_back()

    def copies(self):
        """Have the host use its framebuffer, all of it and more."""
        start = len(self.host.log())
        self.do(f'run nouveau copies {self.COPIES}')
        self.host.wait(r'host_copy: round 1: \d+ of \d+ buffers were moved', start)
        return start

    def copied(self, start):
        """It has gone on, and all of its buffers were right."""
        done = len(re.findall('host_copy: round', self.host.log()[start:]))
        self.host.wait(f'host_copy: round {done + 1}:', start)
        self.do('run nouveau copied')
        self.assertNotIn('host_copy.c:', self.host.log()[start:])


class Merged(MergedCase):
    def test_what_is_shown(self):
        state = self.host.state()
        self.assertEqual(state['framebuffer_host'], str(self.HOST << 20))
        self.assertEqual((state['channels'], state['channels_host']), ('2048', '512'))
        self.assertEqual(state['state'], 'ready')

    def test_host_and_vgpus_at_the_same_time(self):
        start = self.copies()
        for name in ('framebuffer', 'dma', 'interrupts', 'reset', 'second'):
            self.check(name)
        self.check('framebuffer', 2)
        self.check('isolation', 1, TYPE, 2)
        self.copied(start)

    def test_vfs_come_and_go_meanwhile(self):
        """The host's buffers stay as they are, also while VFs get their types."""
        start = self.copies()
        for _ in range(3):
            self.do('vfs 0')
            self.do('vfs 32')
            self.do(f'run vf type 1 {TYPE}')
            self.do('run vf bind 1')
            self.check('framebuffer')
        self.copied(start)

    @unittest.skipIf(KERNEL == 'debug', 'this kernel has no tracing')
    def test_the_host_copies_by_the_engine(self):
        """And not by the CPU, which it would fall back on."""
        self.do('run busybox mount -t tracefs tracefs /sys/kernel/tracing')
        self.do('write /sys/kernel/tracing/events/dma_fence/enable 1')
        self.do(f'run nouveau copy {self.COPIES} 1')
        self.do('write /sys/kernel/tracing/events/dma_fence/enable 0')
        said = self.do('run busybox grep -c copy.engine.channel '
                       '/sys/kernel/tracing/trace')
        moved = int(re.search(r'\] (\d+)\r?\n', said).group(1))
        self.assertGreater(moved, 10)

    def test_nobody_takes_what_the_other_has(self):
        """Types whose places reach into the host's part have fewer."""
        self.do('run vf type 1 0')
        self.do('run vf type 2 0')
        self.assertNotEqual(self.host.do(f'run vf type 1 {WHOLE}')[0], 0)
        self.do('write vgpu/placement homogeneous')
        said = self.do(f'read vgpu/types/{TYPE}/available_instances')
        self.assertIn('value 31|', said)  # of 32
        self.do(f'run vf type 1 {TYPE}')
        self.check('framebuffer')

    def test_vfs_stay_while_one_is_open(self):
        self.hold()
        self.assertNotEqual(self.host.do('vfs 0')[0], 0)
        self.assertNotEqual(self.host.do('run busybox rmmod vgpu_nouveau')[0], 0)
        self.assertEqual(self.state(), 'active')

    def test_the_machine_does_not_sleep(self):
        start = self.copies()
        self.hold()
        for line in ('sleep', 'hibernate'):
            status, said = self.host.do(line)
            self.assertNotEqual(status, 0)
            self.assertIn('it does not sleep: it has 4 VFs', said)
        self.assertEqual(self.state(), 'active')
        self.copied(start)
        self.do('run vf kill')
        self.opens()
        self.do('vfs 0')
        self.do('sleep')
        self.do('vfs 4')
        self.do('run vf bind 1')
        self.check('framebuffer')

    def test_it_is_unbound(self):
        start = self.hold()
        self.do('run vf stop')  # so that it does not let go before that is looked at
        self.do('run vf unbind-gpu')
        self.assertIn('VFs are in use: they stay, without vGPUs',
                      self.host.log()[start:])
        self.opens(2, errno.ENODEV)
        self.do('run vf kill')
        self.do('run nouveau bind')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()
        self.check('framebuffer')

    def test_a_task_crashes(self):
        start = self.copies()
        held = self.hold()
        self.host.fault('vgpu-crash:1')
        self.host.wait('test: let go of', held)
        self.host.fault('none')
        self.opens()
        self.check('framebuffer')
        self.copied(start)

    def recovered(self, start, vfs=4):
        """The GPU was reset, nouveau has it again, and vGPUs can be made."""
        self.host.wait(f'nouveau has the GPU again, with {vfs} VFs', start)
        self.do(f'count {vfs}')
        self.assertEqual(self.host.state()['state'], 'ready')

    def test_the_firmware_crashes(self):
        held = self.hold()
        self.host.fault('crash-now')
        self.host.wait('test: let go of', held)
        self.host.fault('none')
        self.recovered(held)
        self.do('run vf kill')
        self.do('run vf bind 1')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()
        self.check('framebuffer')
        start = self.copies()
        self.copied(start)

    def test_the_firmware_crashes_while_a_vf_is_open(self):
        """Whoever has it need not close it: then the VFs stay."""
        held = self.hold()
        self.do('run vf stop')
        self.host.fault('crash-now')
        self.recovered(held)
        self.opens(2, errno.ENOENT)  # it has no type any more
        self.do('run vf kill')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()

    def test_the_host_has_it_open_when_the_firmware_crashes(self):
        """nouveau does not bear to be unbound below its programs."""
        self.copies()
        start = len(self.host.log())
        self.host.fault('crash-now')
        self.host.wait('it is not reset yet: its DRM device is open', start)
        self.assertEqual(self.host.state()['state'], 'wedged: its firmware crashed')
        self.opens(1, errno.ENODEV)
        self.do('run nouveau copied')
        self.recovered(start)

    def test_it_crashes_again_and_again(self):
        for _ in range(8):
            start = len(self.host.log())
            self.host.fault('crash-now')
            self.recovered(start)
        start = len(self.host.log())
        self.host.fault('crash-now')
        self.host.wait(r'not reset for \d+ s: it was 8 times', start)

    def test_its_framebuffer_cannot_be_scrubbed(self):
        """The channel of that is at fault; the host's copies go on."""
        self.allowed = 'channel .* is at fault'
        start = self.copies()
        self.host.fault(f'copy:{self.HOST}:{48 << 10}')
        self.opens(1, errno.EIO)
        self.host.fault('none')
        self.opens()
        self.copied(start)


@unittest.skipIf(KERNEL == 'debug', 'this kernel has no KVM')
class MergedGuests(MergedCase):
    HAS_GUESTS = True
    # With two, what one writes into BAR1 is lost, or QEMU aborts, while the other
    # changes what is mapped where: see lab/host.py.
    PROCESSORS = 1

    def test_a_guest_beside_the_host(self):
        start = self.copies()
        self.hold(2)
        began = len(self.host.log())
        self.do('run vf guest 1')
        ended = self.host.wait(r'test: the guest ended with (\d+)', began,
                               GUEST_SECONDS)
        said = self.host.log()[began:]
        self.assertEqual(ended.group(1), '0', said)
        self.assertIn('guest: test passed', said)
        self.assertNotIn('FAILED', said)
        self.assertEqual((self.state(1), self.state(2)), ('defined', 'active'))
        self.copied(start)


if __name__ == '__main__':
    packed = subprocess.run([Nouveau.BUILD, *OTHER], cwd=TOP, check=False)
    model = subprocess.run(['model/build'], cwd=TOP, check=False)
    if packed.returncode or model.returncode:
        raise SystemExit(packed.returncode or model.returncode)
    unittest.main()
