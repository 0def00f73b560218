#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs that move from one VF to another by VFIO, on the hardware model, and what
goes wrong with that, on the kernel that VGPU_KERNEL names. In the model's lab
(lab/run --model)."""

import os
import re
import unittest

from vfio_case import VfioCase, build  # first: it says where
from cores import CORE
from host import KERNEL
from vf_users import LARGE, LARGE_BAR1, TYPE, TYPE_BAR1

# How much of the framebuffer moves: the ring is 2 MiB; the model takes 0.2 s a MiB.
MIB = int(os.environ.get('VGPU_MIGRATE_MIB', '32'))
# As linux/vfio.h counts them.
STOP, RUNNING, STOP_COPY, RESUMING = 1, 2, 3, 4
MOVE_SECONDS = 300
GUEST_SECONDS = 600
BROKEN_STREAM = 'a stream to restore|message of type 9'


class Migrating(VfioCase):
    TYPES = {1: TYPE, 2: TYPE}

    def migrate(self, name, vf=1, other='', bar1=TYPE_BAR1, mib=''):
        return self.do(f'run vf migrate {name} {vf} {bar1} {other} {mib}',
                       seconds=MOVE_SECONDS)



class Unable(Migrating):
    PROPERTIES = ('fb-size=48G', 'vgpu-migration=off')

    def test_it_is_not_offered(self):
        self.migrate('none')


class Migration(Migrating):
    def begin(self, name, said, vf=1, state=''):
        start = len(self.host.log())
        self.do(f'run vf migrate-hold {name} {vf} {TYPE_BAR1} {state}')
        self.host.wait(said, start)
        return start

    def test_one_moves(self):
        self.migrate('move', 1, 2)

    def test_much_of_it_moves(self):
        said = self.migrate('full', 1, 2, mib=MIB)
        print(re.search('moved .* ms', said).group())

    def test_two_at_once(self):
        self.do('run vf bind 3 4')
        for vf in (3, 4):
            self.do(f'run vf type {vf} {TYPE}')
        said = self.do(f'run vf migrate-pairs {TYPE_BAR1} 1 2 3 4 {MIB}',
                       seconds=MOVE_SECONDS)
        self.assertEqual(len(re.findall('test: full is as', said)), 2)

    def test_another_type_is_refused(self):
        self.do('run vf bind 3')
        self.do(f'run vf type 3 {LARGE}')
        for vf, other, bar1 in ((3, 1, LARGE_BAR1), (1, 3, TYPE_BAR1)):
            self.assertIn('of a vGPU of another type',
                          self.migrate('type', vf, other, bar1))

    def test_hostile_streams(self):
        self.allowed = BROKEN_STREAM
        said = self.migrate('hostile', 1, 2)
        for why in ('is not whole', 'not of a vGPU', 'another driver.s version',
                    'another kind of GPU', 'another firmware', 'another type',
                    'another framebuffer', 'another number of channels',
                    'is missing', 'is broken', 'behind the stream.s end'):
            self.assertRegex(said, why)

    def test_states(self):
        self.migrate('states')

    def test_the_user_is_killed_in_each_state(self):
        for state in (STOP, STOP_COPY, RESUMING):
            self.begin('hold', f'held in state {state}', 1, state)
            self.do('run vf kill')
            self.migrate('states')

    def test_the_user_is_killed_while_the_firmware_is_silent(self):
        # Of version, configuration, bus mastering, stop and save, the last.
        struck = len(self.host.model_log())
        self.host.fault('vgpu-no-answer:1:5')
        start = len(self.host.log())
        self.do(f'run vf migrate-hold hold 1 {TYPE_BAR1} {STOP_COPY}')
        self.host.wait('vgpu-no-answer strikes', struck, log=self.host.model_log)
        self.do('run vf kill')
        self.assertNotIn('held in state', self.host.log()[start:])
        self.assertIn('no answer to message 6', self.host.log()[start:])
        self.migrate('states')

    def test_the_firmware_does_not_go_on(self):
        self.allowed = BROKEN_STREAM
        self.assertIn('does not go on', self.migrate('stall'))

    def test_a_task_crashes_in_each_state(self):
        for state in (STOP, STOP_COPY, RESUMING):
            start = self.begin('hold', f'held in state {state}', 1, state)
            self.host.fault('vgpu-crash:1')
            self.host.wait('test: let go of', start)
            self.do('run vf kill')
            self.host.fault('none')
            self.migrate('states')

    def test_a_task_crashes_while_it_is_read(self):
        start = self.begin('read', 'test: reads')
        self.host.fault('vgpu-crash:1')
        self.host.wait(r'test: read no more: errno (5|19)\b', start)
        self.host.wait('test: read is as it is to be', start)
        self.host.fault('none')
        self.migrate('states')

    def test_the_firmware_crashes_while_it_is_read(self):
        start = self.begin('read', 'test: reads')
        self.host.fault('crash-now')
        self.host.wait('test: read is as it is to be', start)
        self.recovered(start)
        self.migrate('states')

    def test_the_gpu_is_unbound_while_it_is_read(self):
        start = self.begin('read', 'test: reads')
        self.do('run vf unbind-gpu')
        self.host.wait('test: read is as it is to be', start)
        self.do(CORE.BIND)


@unittest.skipIf(KERNEL == 'debug', 'this kernel has no KVM')
class Machines(VfioCase):
    """QEMU moves a guest from one VF to another of the same type, in one host."""
    HAS_GUESTS = True
    TYPES = {1: TYPE, 2: TYPE}

    def test_qemu_migrates_a_guest(self):
        start = len(self.host.log())
        self.addCleanup(self.host.do, 'run moved end')
        self.do('run vf move 1 2')
        self.host.wait('test: from: guest: test passed', start, GUEST_SECONDS)
        self.host.wait('test: from: guest: look 5 is right', start, GUEST_SECONDS)
        self.do('run moved now')
        self.host.wait(r'test: to: guest: look \d+ is right', start, GUEST_SECONDS)
        self.host.wait(r'test: to: guest: look \d+5 is right', start, GUEST_SECONDS)
        said = self.host.log()[start:]
        self.assertNotIn('FAILED', said)
        looks = [(who, int(number)) for who, number in
                 re.findall(r'test: (from|to): guest: look (\d+) is right', said)]
        # It went on where it was: no look is twice there, and none is missing.
        self.assertEqual([number for _, number in looks],
                         list(range(1, len(looks) + 1)))
        self.assertEqual([who for who, _ in looks],
                         sorted(who for who, _ in looks))
        self.do('run moved told from info status')
        self.host.wait('test: from: monitor: VM status: paused .postmigrate.', start)


if __name__ == '__main__':
    build()
    unittest.main()
