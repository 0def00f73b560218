#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""nouveau with the hooks of kernel/nouveau on the hardware model: it boots the
firmware for vGPUs, keeps their part of the GPU, and enables VFs, while its own DRM
device is there. In the model's lab (lab/run --model), after kernel/nouveau/build."""

import os
import re
import subprocess
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import Host  # noqa: E402

BUILT = os.path.join(TOP, 'build/nouveau')
FB = 8192  # MiB
QUARTER = 2048


class Nouveau(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(BUILT, f'fb-size={FB}M', mib=2048,
                        initrd=os.path.join(BUILT, 'machine.cpio'))

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

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
        self.assertEqual(self.host.refusals()[self.refused:], [])

    def do(self, line):
        status, said = self.host.do(line)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def model_said(self):
        return self.host.model_log()[self.model_start:]

    def load(self, *parameters):
        said = self.do(' '.join(('run nouveau load', *parameters)))
        self.assertIn('Initialized nouveau', said)
        return said

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


if __name__ == '__main__':
    packed = subprocess.run(['tests/nouveau/pack'], cwd=TOP, check=False)
    model = subprocess.run(['model/build'], cwd=TOP, check=False)
    if packed.returncode or model.returncode:
        raise SystemExit(packed.returncode or model.returncode)
    unittest.main()
