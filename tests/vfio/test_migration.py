#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs that move from one VF to another by VFIO, on the hardware model, and what
goes wrong with that. In the model's lab (lab/run --model)."""

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
TYPE, BAR1 = 1147, 32  # L40S-1Q, MiB
OTHER_TYPE, OTHER_BAR1 = 1152, 64  # L40S-8Q
# How much of the framebuffer moves: the ring is 2 MiB; the model takes 0.2 s a MiB.
MIB = int(os.environ.get('VGPU_MIGRATE_MIB', '32'))
# As linux/vfio.h counts them.
STOP, RUNNING, STOP_COPY, RESUMING = 1, 2, 3, 4


class Migration(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(BUILT, 'fb-size=48G', mib=1536,
                        initrd=os.path.join(BUILT, 'machine.cpio'))

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def setUp(self):
        self.start = len(self.host.log())
        self.refused_before = len(self.host.refusals())
        self.refused = None  # what the model may refuse
        self.addCleanup(self.put_back)
        self.do('load')
        self.do('vfs 4')
        self.do('run vf load')
        self.do('run vf bind 1 2 3 4')
        self.do('write vgpu/placement heterogeneous')
        for vf in (1, 2):
            self.do(f'run vf type {vf} {TYPE}')

    def put_back(self):
        self.host.fault('none')
        self.host.do('run vf kill')
        self.do('vfs 0')
        self.do('run vf unload')
        self.do('unload')
        said = self.host.log()[self.start:]
        self.assertIsNone(COMPLAINTS.search(said), said)
        self.assertEqual([line for line in
                          self.host.refusals()[self.refused_before:]
                          if not self.refused or
                          not re.search(self.refused, line)], [])

    def do(self, line, seconds=300):
        # As the host's do(), but for what takes longer.
        start = len(self.host.log())
        self.host.lines.sendall(line.encode() + b'\n')
        done = self.host.wait(r'test: done (\d+)', start, seconds)
        said = self.host.log()[start:]
        self.assertEqual(done.group(1), '0', f'{line}: {said}')
        return said

    def check(self, name, vf=1, other='', bar1=BAR1, mib=''):
        return self.do(f'run vf migrate {name} {vf} {bar1} {other} {mib}')

    def hold(self, name, said, vf=1, state=''):
        start = len(self.host.log())
        self.do(f'run vf migrate-hold {name} {vf} {BAR1} {state}')
        self.host.wait(said, start, 60)
        return start

    def test_one_moves(self):
        self.check('move', 1, 2)

    def test_much_of_it_moves(self):
        said = self.check('full', 1, 2, mib=MIB)
        print(re.search('moved .* ms', said).group())

    def test_two_at_once(self):
        for vf in (3, 4):
            self.do(f'run vf type {vf} {TYPE}')
        said = self.do(f'run vf migrate-pairs {BAR1} 1 2 3 4 {MIB}')
        self.assertEqual(len(re.findall('test: full is as', said)), 2)

    def test_another_type_is_refused(self):
        self.do(f'run vf type 3 {OTHER_TYPE}')
        for vf, other, bar1 in ((3, 1, OTHER_BAR1), (1, 3, BAR1)):
            self.assertIn('of a vGPU of another type',
                          self.check('type', vf, other, bar1))

    def test_hostile_streams(self):
        self.refused = 'a stream to restore|message of type 9'
        said = self.check('hostile', 1, 2)
        for why in ('is not whole', 'not of a vGPU', 'another driver.s version',
                    'another kind of GPU', 'another firmware', 'another type',
                    'another framebuffer', 'another number of channels',
                    'is missing', 'is broken', 'behind the stream.s end'):
            self.assertRegex(said, why)

    def test_states(self):
        self.check('states')

    def test_the_user_is_killed_in_each_state(self):
        for state in (STOP, STOP_COPY, RESUMING):
            self.hold('hold', f'held in state {state}', 1, state)
            self.do('run vf kill')
            self.check('states')

    def test_the_user_is_killed_while_the_firmware_is_silent(self):
        # Of version, configuration, bus mastering, stop and save, the last.
        self.host.fault('vgpu-no-answer:1:5')
        start = len(self.host.log())
        self.do(f'run vf migrate-hold hold 1 {BAR1} {STOP_COPY}')
        self.host.wait('VF 1: .* made in', start, 30)
        time.sleep(3)
        self.do('run vf kill')
        self.assertNotIn('held in state', self.host.log()[start:])
        self.assertIn('no answer to message 6', self.host.log()[start:])
        self.check('states')

    def test_the_firmware_does_not_go_on(self):
        self.refused = 'a stream to restore'
        self.assertIn('does not go on', self.check('stall'))

    def test_a_task_crashes_in_each_state(self):
        for state in (STOP, STOP_COPY, RESUMING):
            start = self.hold('hold', f'held in state {state}', 1, state)
            self.host.fault('vgpu-crash:1')
            self.host.wait('test: let go of', start, 30)
            self.do('run vf kill')
            self.host.fault('none')
            self.check('states')

    def test_a_task_crashes_while_it_is_read(self):
        start = self.hold('read', 'test: reads')
        self.host.fault('vgpu-crash:1')
        self.host.wait(r'test: read no more: errno (5|19)\b', start, 30)
        self.host.wait('test: read is as it is to be', start, 30)
        self.host.fault('none')
        self.check('states')

    def test_the_firmware_crashes_while_it_is_read(self):
        start = self.hold('read', 'test: reads')
        self.host.fault('crash-now')
        self.host.wait('test: read is as it is to be', start, 30)
        self.host.wait('MiB, 32 VFs', start, 60)  # it has booted again
        self.check('states')

    def test_the_gpu_is_unbound_while_it_is_read(self):
        start = self.hold('read', 'test: reads')
        self.do('run vf unbind-gpu')
        self.host.wait('test: read is as it is to be', start, 30)
        self.do('run vf bind-gpu')


if __name__ == '__main__':
    for command in ('model/build', 'tests/vfio/build'):
        built = subprocess.run([os.path.join(TOP, command)], check=False)
        if built.returncode:
            raise SystemExit(built.returncode)
    unittest.main()
