#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""VFs of the hardware model, by VFIO: vgpu_vfio_pci.ko as VMMs use it, and a guest
in the host VM, on the kernel that VGPU_KERNEL names. In the model's lab
(lab/run --model)."""

import errno
import os
import re
import time
import unittest

from vfio_case import KERNEL, VFS, VfioCase, build  # first: it says where
from vf_users import LARGE, TYPE, TYPE_BAR1

VFS_MAX = 32
STEPS = range(1, 5)  # as kernel/mgr/lifecycle.c counts them
REPEATS = int(os.environ.get('VGPU_REPEATS', '20'))
SLAB_KIB = 1024
VGPU_KIB = 1024
GUEST_SECONDS = 600  # more than a minute on a busy machine
HANG_SECONDS = 5
ANSWER_SECONDS = 5  # the driver's own
GPU = '/sys/bus/pci/devices/0000:01:00.0'
TYPES = '/lib/firmware/openvgpu/10de-26b9-570.144.bin'


class Vfio(VfioCase):
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
        self.host.wait('test: let go of', start)
        self.assertIn('its user is told', self.host.log()[start:])
        self.assertRegex(self.state(), 'defined|failed')
        self.host.fault('none')
        self.opens()
        self.check('framebuffer')

    def test_a_loss_is_told(self):
        """What the task has written stays, and so does how often it was."""
        dump = '/sys/class/devcoredump/devcd*/data'
        self.host.do(f'run busybox cp /proc/version {dump}')  # another's
        uuid = '1b2a3c4d-0000-4000-8000-00000000abcd'
        self.do(f'write vgpu/vf1/uuid {uuid}')
        start = self.hold()
        self.host.fault('rc-error:1:17')
        self.host.wait('VF 1: error 31 of channel 17', start)
        self.host.fault('vgpu-crash:1')
        self.host.wait('test: let go of', start)
        said = self.do(f'run busybox head -n 7 {dump}')
        for line in ('vgpu_core task dump 1', 'vf: 1', f'type: {TYPE}',
                     f'uuid: {uuid}', 'reason: its task crashed',
                     'firmware: 570.144', 'error: 4096 bytes at 512'):
            self.assertIn(line, said)
        for name in ('losses', 'channel_errors'):
            self.assertIn(f'{name} is 1', self.do(f'run vf show 1 {name}'))
        self.assertIn('error_messages is 0',
                      self.do('run vf show 1 error_messages'))

    def test_a_life_is_traced(self):
        self.host.trace()
        self.opens()
        start = self.hold()
        self.host.fault('vgpu-crash:1')
        self.host.wait('test: let go of', start)
        life = rf'vgpu_{{}}: 0000:01:00.0 gfid=1 type={TYPE} place=\d+ rc=0 us=\d+'
        wanted = (life.format('created'), life.format('destroyed'),
                  'vgpu_lost: 0000:01:00.0 gfid=1 its task crashed')
        lines = self.host.traced()
        for line in wanted:
            self.assertTrue(any(re.fullmatch(line, one) for one in lines),
                            f'{line}: {lines}')

    def test_vgpuds_user_has_what_it_writes_to(self):
        """As udev's rule has vgpu-own give it: enough, and no more than that."""
        self.do('run vf type 1 0')
        self.do('run vf type 2 0')
        self.do('run vf own')
        for line in ('echo heterogeneous >vgpu/placement',
                     f'echo {TYPE} >vgpu/vf1/type', 'cat vgpu/vf1/opener_pid',
                     'echo 0 >vgpu/vf1/type', 'echo >virtfn0/driver_override',
                     'cat vgpu/vf1/state'):
            self.do('run vf as-vgpud ' + line)
        for line in ('echo 1 >reset', 'echo 1 >virtfn0/reset',
                     'echo best_effort >vgpu/scheduler/policy',
                     f'echo {TYPE} >vgpu/.bulk/type', 'echo 1 >remove'):
            self.assertNotEqual(self.host.do('run vf as-vgpud ' + line)[0], 0, line)

    def test_what_the_guest_is_told(self):
        """The UUID that was written, and an instance that no other VF is."""
        uuid = '1b2a3c4d-0000-4000-8000-00000000abcd'
        random = self.state_of('uuid')
        self.assertRegex(random, '^[0-9a-f-]{36}$')
        self.do(f'write vgpu/vf1/uuid {uuid}')
        self.assertEqual(self.state_of('uuid'), uuid)
        for wrong in ('none', uuid[:-1], uuid + '0', uuid.replace('b', 'x')):
            self.assertNotEqual(self.host.do(f'write vgpu/vf1/uuid {wrong}')[0], 0)
        self.hold()
        self.assertNotEqual(self.host.do(f'write vgpu/vf1/uuid {uuid}')[0], 0)
        told = re.findall(r'configured: dbdf (\w+), instance (\w+), uuid (\w+)',
                          self.host.model_log())[-1]
        self.assertEqual(told[1:], (told[0], uuid.replace('-', '')))
        self.do('run vf kill')
        # It goes with the type.
        self.do('run vf type 1 0')
        self.assertEqual(self.state_of('uuid'), 'none')
        self.do(f'write vgpu/vf1/uuid {uuid}')
        self.do(f'run vf type 1 {TYPE}')
        self.assertEqual(self.state_of('uuid'), uuid)

    def state_of(self, name, vf=1):
        return re.search(rf'test: {name} is (.*?)\r?\n',
                         self.do(f'run vf show {vf} {name}')).group(1)

    def test_the_firmware_crashes(self):
        start = self.hold()
        self.host.fault('crash-now')
        self.host.wait('test: let go of', start)
        self.host.wait('VF 1: its vGPU is lost: the GPU.s firmware', start)
        self.host.wait('MiB, 32 VFs', start)  # it has booted again
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

    def reset_is_given_up(self, start):
        """Or there is one of the driver's own while we have ours."""
        self.host.wait('it is not reset: the GPU does not answer', start)

    def test_the_gpu_is_gone(self):
        start = self.hold()
        self.host.fault('bus-lost')
        self.do('read vgpu/vf1/framebuffer_used')  # which asks the firmware
        self.host.wait('VF 1: its vGPU is lost', start)
        # Neither is waited for, as its reset would be: for a minute.
        seconds = self.host.stopwatch()
        self.do('run vf kill')
        self.opens(1, errno.ENODEV)
        self.assertLess(seconds(), HANG_SECONDS)
        self.assertNotRegex(self.host.log()[start:], r'not ready \d+ms after')
        self.reset_is_given_up(start)
        self.host.fault('none')
        self.do('reset')
        self.opens()

    def test_the_user_finds_the_gpu_gone(self):
        start = len(self.host.log())
        self.do(f'run vf hold 1 {TYPE_BAR1} gone')
        self.host.wait('test: held', start)
        self.host.fault('bus-lost')
        self.host.wait('test: let go of', start)
        self.reset_is_given_up(start)
        self.host.fault('none')
        self.do('reset')
        self.opens()

    def test_a_task_is_not_ended(self):
        """Nobody gets what it has before the GPU is reset."""
        self.allowed = 'rm: control 2080400[28]'
        for control in ('shutdown', 'cleanup'):
            start = self.hold()
            self.do('use 1')  # which holds the reset back
            self.host.fault(f'vgpu-no-{control}:1:99')
            self.do('run vf kill')
            self.host.fault('none')
            said = self.host.log()[start:]
            self.assertIn('VF 1: its task was not ended', said)
            self.assertNotIn('destroyed', said)
            self.assertRegex(self.state(), 'failed: its task did not end')
            self.opens(1, errno.ENODEV)
            self.do('run vf type 1 0')
            self.do('use 0')
            self.host.wait('MiB, 32 VFs', start)
            self.do('run vf bind 3')
            self.do(f'run vf type 3 {TYPE}')
            self.do(f'run vf test framebuffer 3 {TYPE_BAR1} {TYPE}')
            self.do('run vf type 3 0')
            self.do('run vf unbind 3')
            self.do(f'run vf type 1 {TYPE}')
            self.opens()

    def test_a_task_is_ended_at_the_second_try(self):
        self.allowed = 'rm: control 2080400[28]'
        for control in ('shutdown', 'cleanup'):
            start = self.hold()
            self.host.fault(f'vgpu-no-{control}:1:1')
            self.do('run vf kill')
            self.assertIn('destroyed', self.host.log()[start:])
            self.assertNotIn('wedged', self.host.log()[start:])
            self.opens()

    def test_a_task_takes_long_to_end(self):
        """The other vGPUs' calls do not wait for it for half a minute."""
        start = self.hold()
        self.host.fault('vgpu-late-shutdown:1:10')
        self.do('run vf kill')
        self.host.fault('none')
        self.assertIn('wedged: it does not answer', self.host.log()[start:])
        self.host.wait('MiB, 32 VFs', start)
        self.opens()

    def test_a_task_may_have_booted(self):
        """Its bootload is done, but said to have failed."""
        self.opens()
        self.host.fault('error-status:76')
        self.opens(1, errno.EIO)
        self.opens()
        self.assertEqual(self.state(), 'defined')

    def test_a_task_is_refused(self):
        """Whatever the firmware's reason is, the user is told the same."""
        self.allowed = 'rm: control 20804001'
        for status in (0x1f, 0x40, 0x57):
            self.host.fault(f'vgpu-boot-error:1:{status}')
            self.opens(1, errno.EREMOTEIO)
        self.opens()

    def test_a_silent_task_is_closed(self):
        """And not asked again, nor is anybody else kept waiting."""
        start = self.hold()
        self.host.fault('vgpu-late-answer:1:4')
        seconds = self.host.stopwatch()
        self.do('run vf kill')
        self.opens(2)
        self.assertLess(seconds(), HANG_SECONDS)
        self.assertNotIn('no answer', self.host.log()[start:])
        self.host.fault('none')
        self.opens()

    def test_a_silent_task_is_reset(self):
        """Once it has missed an answer it is lost, and not spoken to."""
        start = self.hold()
        self.host.fault('vgpu-late-answer:1:4')
        seconds = self.host.stopwatch()
        self.host.do('run vf reset 1')
        self.assertLess(seconds(), ANSWER_SECONDS + HANG_SECONDS)
        self.host.wait('test: let go of', start)
        said = self.host.log()[start:]
        self.assertEqual(len(re.findall('VF 1: no answer to message', said)), 1)
        self.host.wait('its vGPU is lost: its task does not answer', start)
        self.do('run vf kill')
        self.opens()
        self.check('framebuffer')

    def test_nobody_waits_for_another(self):
        """Who opens, while the task of another does not come up."""
        start = len(self.host.log())
        self.host.fault('vgpu-no-boot:1')
        self.do(f'run vf hold 1 {TYPE_BAR1}')
        self.host.wait('vgpu-no-boot strikes', 0, log=self.host.model_log)
        self.opens(2)
        self.assertNotIn('VF 1: no vGPU', self.host.log()[start:])
        self.do('run vf kill')
        self.opens()

    def test_nobody_waits_for_one_that_ends(self):
        """Who opens and closes, while the firmware takes its time to end another's
        task: it is asked for both at the same time."""
        start = self.hold()
        struck = len(self.host.model_log())
        self.host.fault('vgpu-late-shutdown:1:4')
        self.do('run busybox killall -9 vf_test')
        self.host.wait('vgpu-late-shutdown strikes', struck, log=self.host.model_log)
        self.opens(2)
        self.host.wait('VF 1: .* destroyed', start)
        said = self.host.log()[start:]
        self.assertRegex(said, r'(?s)VF 2: [^\n]* destroyed.*VF 1: [^\n]* destroyed')
        self.assertNotIn('wedged', said)
        self.do('run vf kill')
        self.opens()

    def test_a_loss_waits_for_no_other(self):
        """While the firmware takes its time to end a task that crashed."""
        self.hold(1)
        start = self.hold(2)
        struck = len(self.host.model_log())
        self.host.fault('vgpu-late-shutdown:1:4')
        self.host.fault('vgpu-crash:1')
        self.host.wait('vgpu-late-shutdown strikes', struck, log=self.host.model_log)
        self.host.fault('vgpu-crash:2')
        self.host.wait('VF 2: its vGPU is lost: its task crashed', start)
        self.assertNotIn('gfid 1 is cleaned up', self.host.model_log()[struck:])
        self.do('run vf kill')
        self.opens()
        self.opens(2)

    def test_a_crashed_one_is_reset(self):
        start = self.hold()
        self.host.fault('vgpu-crash:1')
        self.host.do('run vf reset 1')
        self.host.wait('test: let go of', start)
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

    def memory(self, kind):
        """Of the kernel's, KiB."""
        return int(re.search(fr'{kind} (\d+)', self.do('memory')).group(1))

    def test_again_and_again(self):
        self.do('run vf again 3')
        before = self.memory('slab')
        # Each makes a vGPU, uses it and destroys it.
        for _ in range(0, REPEATS, 20):
            self.do('run vf again 20')
        # What is left is caches of the kernel's, however often it was.
        self.assertLess(self.memory('slab') - before, SLAB_KIB)

    def test_all_vfs_at_once(self):
        self.do('run vf type 1 0')
        self.do('run vf type 2 0')
        self.do('vfs 0')
        self.do('write vgpu/placement homogeneous')
        self.do(f'vfs {VFS_MAX}')
        self.do(f'write vgpu/.bulk/type {TYPE}')
        every = range(1, VFS_MAX + 1)
        self.do('run vf bind ' + ' '.join(map(str, every)))
        before = {kind: self.memory(kind) for kind in ('slab', 'vmalloc')}
        for vf in every:
            start = len(self.host.log())
            self.do(f'run vf hold {vf} {TYPE_BAR1}')
            self.host.wait('test: held', start)
        for kind, kib in before.items():
            each = (self.memory(kind) - kib) / VFS_MAX
            print(f'{kind}: {each:.0f} KiB for each vGPU and its process')
            self.assertLess(each, VGPU_KIB)
        self.assertEqual({self.state(vf) for vf in every}, {'active'})
        self.do('run vf kill')
        self.assertEqual({self.state(vf) for vf in every}, {'defined'})

    def load_types(self, file):
        """Let the driver load another types file; return what it logs."""
        self.do('vfs 0')
        self.do('run vf unload')
        self.do('unload')
        self.do(f'run busybox cp {file} {TYPES}')
        said = self.do('load')
        self.do(f'vfs {VFS}')
        self.do('run vf load')
        self.do('run vf bind 1 2')
        return said

    def test_64_types(self):
        self.do(f'run busybox cp {TYPES} /types/own.bin')
        self.addCleanup(self.load_types, '/types/own.bin')
        self.assertIn('64 vGPU types', self.load_types('/types/64.bin'))
        listed = self.do('run busybox ls -1 ' + GPU + '/vgpu/types')
        self.assertEqual(sorted(map(int, re.findall(r'\] (\d+)\r?$', listed, re.M))),
                         list(range(2000, 2064)))
        self.do('write vgpu/placement heterogeneous')
        self.do('run vf type 1 2000')
        self.do('run vf type 2 2063')
        self.check('isolation', 1, 2000, 2)
        self.check('framebuffer', 2)
        # A 65th is too many: there are none, and the GPU is of use all the same.
        said = self.load_types('/types/65.bin')
        self.assertIn('it has more types than the firmware takes', said)
        self.assertNotEqual(self.host.do('run vf type 1 2000')[0], 0)

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
        self.host.wait('test: let go of', start)
        self.opens(1, errno.ENODEV)
        # The VFs have stayed, for they were in use; the driver has them again.
        self.do('run vf bind-gpu')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()

    def test_the_modules_are_in_use(self):
        start = self.hold()
        for line in ('unload', 'run vf unload'):
            seconds = self.host.stopwatch()
            status, said = self.host.do(line)
            self.assertNotEqual(status, 0)
            self.assertIn('Resource temporarily unavailable', said)
            self.assertLess(seconds(), HANG_SECONDS)
        self.assertEqual(self.state(), 'active')
        # Its user finds what it has written, and lets go.
        self.do('run vf unbind 1')
        self.assertIn('test: asked for', self.host.log()[start:])
        self.do('vfs 0')
        self.do('run vf unload')
        self.do('unload')
        self.do('load')
        self.do('run vf load')

    def test_a_whole_gpu_is_vfio_pcis(self):
        self.do('vfs 0')
        self.do('run vf whole')
        self.do('run vf bind-gpu')


@unittest.skipIf(KERNEL == 'debug', 'this kernel has no KVM')
class Guests(VfioCase):
    HAS_GUESTS = True
    OPTIONS = ('-device', 'pcie-root-port,id=usb_port,slot=2',
               '-device', 'qemu-xhci,id=usb,bus=usb_port',
               '-device', 'usb-tablet,bus=usb.0')

    def guest(self, *devices):
        """Run a guest that has these VFs; return its output."""
        start = len(self.host.log())
        self.do('run vf guest ' + ' '.join(map(str, devices)))
        ended = self.host.wait(r'test: the guest ended with (\d+)', start,
                               GUEST_SECONDS)
        said = self.host.log()[start:]
        self.assertEqual(ended.group(1), '0', said)
        self.assertNotIn('FAILED', said)
        return said

    def test_a_guest(self):
        said = self.guest(1, 2)
        self.assertEqual(len(re.findall('guest: test passed', said)), 2, said)
        # It uses its framebuffer without anybody's help.
        self.assertIn('test: 0 exits', said)
        self.assertEqual(self.state(), 'defined')
        self.check('framebuffer')

    def test_a_guest_with_a_usb_controller(self):
        self.do('run vf usb')
        said = self.guest(1, 'usb')
        self.assertIn('guest: USB: QEMU USB Tablet', said)
        self.assertEqual(len(re.findall('guest: test passed', said)), 1, said)
        self.assertIn('test: 0 exits', said)
        self.assertEqual(self.state(), 'defined')
        self.check('framebuffer')


if __name__ == '__main__':
    build()
    unittest.main()
