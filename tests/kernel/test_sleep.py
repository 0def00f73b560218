#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu_core.ko on the hardware model: the machine sleeps and wakes. In the model's
lab (lab/run --model)."""

import os
import re
import sys
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import Host, build  # noqa: E402

BLOCKS = ('64k 16 11', '64k 9000 222', '2M 3 333')


class Sleep(unittest.TestCase):
    mib = 2048  # what serves vGPUs has more than half a GiB to save

    @classmethod
    def setUpClass(cls):
        cls.machine = Host(mib=cls.mib)

    @classmethod
    def tearDownClass(cls):
        cls.machine.close()

    def setUp(self):
        self.start = len(self.machine.log())
        self.saved = self.said('WPR is saved')
        self.restored = self.said('WPR is restored')

    def tearDown(self):
        self.machine.fault('none')
        self.machine.do('unload')
        found = self.machine.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual(self.machine.refusals(), [])

    def said(self, text):
        with open(self.machine.model_logs[0], errors='replace') as file:
            return file.read().count(text)

    def load(self, *parameters):
        self.assertEqual(self.machine.do(' '.join(('load', *parameters)))[0], 0)
        self.start = len(self.machine.log())

    def works(self):
        self.assertEqual(self.machine.state()['state'], 'ready')
        self.assertEqual(self.machine.do('ecc')[0], 0)
        for block in BLOCKS:
            self.assertEqual(self.machine.do('fill ' + block)[0], 0)
        for block in BLOCKS:
            self.assertEqual(self.machine.do('holds ' + block)[0], 0)
        self.assertEqual(self.machine.do('scrub 0 0x10000000')[0], 0)
        self.assertEqual(self.machine.do('holds 64k 16 0')[0], 0)

    def sleep(self, saved):
        status, said = self.machine.do('sleep')
        self.assertEqual(status, 0, said)
        self.assertEqual(self.said('WPR is saved') - self.saved, saved)
        self.assertEqual(self.said('WPR is restored') - self.restored, saved)
        self.works()
        return said


class WithRoom(Sleep):
    def test_sleeps_and_wakes(self):
        self.load()
        self.works()
        said = self.sleep(1)
        self.assertNotIn('is up', said)  # it is the one that was
        self.sleep(2)
        self.assertEqual(self.machine.do('unload')[0], 0)
        self.load()
        self.works()

    def test_hibernates(self):
        """Its firmware is unloaded, and boots anew when the devices are thawed."""
        self.load()
        self.assertEqual(self.machine.do('vfs 4')[0], 0)
        status, said = self.machine.do('hibernate')
        self.assertEqual(status, 0, said)
        self.assertRegex(said, r'GSP 570.144 is up')
        self.assertEqual(self.said('WPR is saved'), self.saved)
        self.assertEqual(self.machine.do('count 4')[0], 0)
        self.works()
        self.assertEqual(self.machine.do('vfs 0')[0], 0)

    def test_does_not_hibernate_under_a_vgpu(self):
        self.load()
        self.assertEqual(self.machine.do('use 1')[0], 0)
        status, said = self.machine.do('hibernate')
        self.assertNotEqual(status, 0)
        self.assertIn('it does not sleep: 1 vGPUs are open', said)
        self.works()
        self.assertEqual(self.machine.do('use 0')[0], 0)

    def test_wakes_to_its_interrupts(self):
        self.load()
        self.sleep(1)
        start = len(self.machine.log())
        self.machine.fault('xid:63')
        self.machine.wait('GSP: Xid 63', start)

    def test_vfs_are_there_again(self):
        self.load()
        self.assertEqual(self.machine.do('vfs 4')[0], 0)
        self.sleep(1)
        self.assertEqual(self.machine.do('count 4')[0], 0)
        self.assertEqual(self.machine.do('vfs 0')[0], 0)

    def test_does_not_save(self):
        """Its own memory is not taken: it boots anew."""
        self.load()
        self.machine.fault('error-status:4')
        said = self.sleep(0)
        self.assertIn('the firmware cannot sleep', said)
        self.assertRegex(said, r'GSP 570.144 is up')

    def test_crashes_before_it_sleeps(self):
        self.load()
        self.machine.fault('crash:47')
        said = self.sleep(0)
        self.assertIn('the firmware cannot sleep', said)
        self.assertRegex(said, r'GSP 570.144 is up')

    def test_does_not_wake(self):
        """Its first message is broken: it boots anew."""
        self.load()
        self.machine.fault('bad-checksum:4097')
        status, said = self.machine.do('sleep')
        self.assertEqual(status, 0)
        self.assertIn('the firmware did not wake', said)
        self.assertRegex(said, r'GSP 570.144 is up')
        self.machine.fault('none')
        self.works()

    def test_does_not_sleep_under_a_vgpu(self):
        self.load()
        self.assertEqual(self.machine.do('use 1')[0], 0)
        status, said = self.machine.do('sleep')
        self.assertNotEqual(status, 0)
        self.assertIn('it does not sleep: 1 vGPUs are open', said)
        self.works()
        self.assertEqual(self.machine.do('use 0')[0], 0)
        self.sleep(1)
        self.assertEqual(self.machine.do('use 1')[0], 0)

    def test_sleeps_wedged(self):
        self.load()
        self.machine.fault('bus-lost')
        self.assertNotEqual(self.machine.do('ecc')[0], 0)
        # Nothing more is tried, and then it is there again.
        self.machine.wait('not reset: the GPU does not', self.start)
        self.machine.fault('none')
        self.assertNotEqual(self.machine.do('use 1')[0], 0)
        said = self.sleep(0)
        self.assertRegex(said, r'GSP 570.144 is up')


class WithoutRoom(Sleep):
    mib = 1024

    def test_boots_anew(self):
        self.load()
        said = self.sleep(0)
        self.assertIn('no memory for a sleep', said)
        self.assertRegex(said, r'GSP 570.144 is up')
        self.assertTrue(re.search('Killed process', said) is None)

    def test_has_room_without_vgpus(self):
        self.load('vgpu=0')
        self.sleep(1)


del Sleep  # what the two have in common is no test

if __name__ == '__main__':
    build()
    unittest.main()
