# SPDX-License-Identifier: GPL-2.0-or-later
"""Control groups of vGPUs, with a vgpud that was started in a delegated group,
as by `systemd-run -p Delegate=yes --pipe --wait`. tests/cgroup has a machine
for it."""

import os
import re
import signal
import subprocess
import sys
import time
import unittest

import harness
from harness import Manager, ManagerTest, wait_for

UUID = '12345678-9abc-4def-8123-456789abcdef'
MIB = 1 << 20
# A type's host_memory_mib, what its processes themselves may take, and the
# framebuffer of 128MB, whose pages become files of the vGPU's own.
MEMORY_MAX = (512 + 64 + 128) * MIB
# Shares are measured for so long, where the clock is the processors' own.
IS_MEASURING, SECONDS = bool(os.environ.get('VGPU_MEASURE')), 10
# Takes as many MiB as it is told.
HOG = ('import sys\n'
       'taken = bytearray(int(sys.argv[1]) << 20)\n'
       'for at in range(0, len(taken), 4096):\n'
       '    taken[at] = 1\n')


def group_of(pid):
    with open(f'/proc/{pid}/cgroup', encoding='utf-8') as f:
        return next(line[3:] for line in f.read().splitlines()
                    if line.startswith('0::'))


class CgroupTest(ManagerTest):
    def setUp(self):
        self.m = self.manager()
        self.top = self.m.call('GetInfo')['cgroup']

    def path(self, uuid, name=''):
        return os.path.join(self.top, 'vgpu-' + uuid, name)

    def read(self, uuid, name):
        with open(self.path(uuid, name), encoding='utf-8') as f:
            return f.read().strip()

    def assert_in(self, pid, uuid):
        self.assertEqual(os.path.basename(group_of(pid)), 'vgpu-' + uuid)

    def groups(self):
        return [name for name in os.listdir(self.top)
                if name.startswith('vgpu-')]

    def put(self, uuid, *command):
        """A process of ours, in a vGPU's group."""
        process = subprocess.Popen(
            ['sh', '-c', 'echo $$ >"$0/cgroup.procs"; exec "$@"',
             self.path(uuid), *command], stdin=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        return process


class Cgroup(CgroupTest):
    def test_processes_are_in_their_vgpus_group(self):
        uuid = self.m.create(type='128MB', name='a')
        other = self.m.create(type='128MB')
        self.m.call('SetVnc', vgpu='a', address=f'unix:{self.m.runtime}/a.vnc')
        self.assertEqual(os.path.basename(group_of(self.m.process.pid)),
                         'manager')
        self.assert_in(self.m.show(uuid)['devicePid'], uuid)
        self.assert_in(self.m.show(other)['devicePid'], other)
        # The device and the VNC server, and whom these have started.
        self.assertGreaterEqual(len(self.read(uuid, 'cgroup.procs').split()), 2)
        harness.replace_device(self.m, uuid)
        self.assert_in(self.m.show(uuid)['devicePid'], uuid)

    def test_limits_are_the_types(self):
        uuid = self.m.create(type='128MB')
        self.assertEqual(self.read(uuid, 'memory.max'), str(MEMORY_MAX))
        self.assertEqual(self.read(uuid, 'memory.oom.group'), '0')
        self.assertEqual(self.read(uuid, 'pids.max'), '2048')
        self.assertEqual(self.read(uuid, 'cpu.weight'), '100')
        self.assertTrue(self.read(uuid, 'cpu.max').startswith('max '))

    def test_framebuffer_is_not_charged_to_the_vgpu(self):
        uuid = self.m.create(type='256MQ')
        self.assertLess(int(self.read(uuid, 'memory.current')), 64 * MIB)

    def test_groups_go_with_their_vgpus(self):
        for _ in range(3):
            self.m.create(type='128MB', uuid=UUID)
            self.assertEqual(self.groups(), ['vgpu-' + UUID])
            self.m.call('Destroy', vgpu=UUID)
            self.assertEqual(self.groups(), [])

    def test_what_stays_behind_is_killed(self):
        self.m.create(type='128MB', uuid=UUID)
        left = self.put(UUID, 'sh', '-c', 'trap "" TERM; sleep 1000 & wait')
        wait_for(lambda: str(left.pid) in self.read(UUID, 'cgroup.procs'),
                 'the process to be there')
        self.m.call('Destroy', vgpu=UUID)
        self.assertEqual(left.wait(harness.TIMEOUT), -signal.SIGKILL)
        self.assertEqual(self.groups(), [])

    def test_vgpud_comes_back(self):
        for number in signal.SIGKILL, signal.SIGTERM:
            uuid = self.m.create(type='128MB')
            pid = self.m.show(uuid)['devicePid']
            with open(self.path(uuid, 'cpu.weight'), 'w', encoding='utf-8') as f:
                f.write('7')
            self.m.restart(number)
            self.assertEqual(self.m.call('GetInfo')['cgroup'], self.top)
            self.assertEqual(self.m.show(uuid)['devicePid'], pid)
            self.assert_in(pid, uuid)
            # Whatever others made of it meanwhile.
            self.assertEqual(self.read(uuid, 'cpu.weight'), '100')
            self.m.call('Destroy', vgpu=uuid)
            self.assertEqual(self.groups(), [])

    def test_group_of_nobody_is_removed(self):
        self.m.kill()
        os.mkdir(self.path(UUID))
        self.m.start()
        self.assertEqual(self.groups(), [])

    def test_device_outside_is_taken_in(self):
        """A device process that an earlier vgpud without groups started is
        moved into a group."""
        uuid = self.m.create(type='128MB')
        pid = self.m.show(uuid)['devicePid']
        self.m.kill()
        # The device and its launcher.
        for process in self.read(uuid, 'cgroup.procs').split():
            with open(os.path.join(self.top, 'manager/cgroup.procs'), 'w',
                      encoding='utf-8') as f:
                f.write(process)
        os.rmdir(self.path(uuid))
        self.m.start()
        self.assertEqual(self.m.show(uuid)['devicePid'], pid)
        self.assert_in(pid, uuid)

    def test_second_vgpud_is_told(self):
        second = Manager(mib=256)
        self.addCleanup(second.finish)
        second.start()
        self.assertIn('another vgpud uses',
                      second.call('GetInfo')['cgroupProblem'])
        # It works without.
        uuid = second.create(type='128MB')
        self.assertNotIn('vgpu-' + uuid, self.groups())
        self.assertIn('not limited', second.log())

    def test_memory_ends_who_takes_it(self):
        uuid = self.m.create(type='128MB', name='a')
        other = self.m.create(type='128MB', name='b')
        pids = [self.m.show(name)['devicePid'] for name in ('a', 'b')]
        hog = self.put(uuid, sys.executable, '-c', HOG, '900')
        self.assertEqual(hog.wait(harness.TIMEOUT), -signal.SIGKILL)
        self.assertRegex(self.read(uuid, 'memory.events'), r'oom_kill [1-9]')
        self.assertRegex(self.read(other, 'memory.events'), r'oom_kill 0')
        self.assertEqual([self.m.show(name)['devicePid']
                          for name in ('a', 'b')], pids)
        self.assertEqual(self.m.show('a')['restarts'], 0)

    def test_threads_have_an_end(self):
        uuid = self.m.create(type='128MB')
        bomb = self.put(uuid, sys.executable, '-c',
                        'import threading\n'
                        'for _ in range(10000):\n'
                        '    threading.Thread(target=threading.Event().wait,\n'
                        '                     daemon=True).start()\n')
        self.assertNotEqual(bomb.wait(harness.TIMEOUT), 0)
        self.assertRegex(self.read(uuid, 'pids.events'), r'max [1-9]')
        # A successor begins all the same.
        harness.replace_device(self.m, uuid)


class Shares(CgroupTest):
    def quota(self, uuid):
        """As a part of all processors."""
        quota, period = self.read(uuid, 'cpu.max').split()
        return 1 if quota == 'max' else \
            int(quota) / int(period) / os.cpu_count()

    def assert_quotas(self, uuids):
        for uuid in uuids:
            self.assertAlmostEqual(self.quota(uuid), 1 / len(uuids), 4)

    def test_equal_shares_are_of_those_who_serve(self):
        self.m.call('SetScheduler', scheduler='equal-share')
        uuids = []
        for _ in range(4):
            uuids.append(self.m.create(type='128MB'))
            self.assert_quotas(uuids)
        self.m.restart()
        self.assert_quotas(uuids)
        harness.replace_device(self.m, uuids[0])
        self.assert_quotas(uuids)
        while uuids:
            self.m.call('Destroy', vgpu=uuids.pop())
            self.assert_quotas(uuids)
        uuids = [self.m.create(type='128MB') for _ in range(2)]
        self.m.call('SetScheduler', scheduler='best-effort')
        self.assertEqual([self.quota(uuid) for uuid in uuids], [1, 1])


@unittest.skipUnless(IS_MEASURING, 'long')
class Measured(CgroupTest):
    """What busy processes in the groups of vGPUs get of the processors."""

    def load(self, uuid):
        for _ in range(os.cpu_count()):
            self.put(uuid, 'sh', '-c', 'while :; do :; done')
        wait_for(lambda: self.used(uuid) > 100000, 'it to run')

    def used(self, uuid):
        """Processor time used, in microseconds."""
        return int(re.search(r'usage_usec (\d+)',
                             self.read(uuid, 'cpu.stat'))[1])

    def measure(self, what, uuids, wanted):
        """Each group's share of all processors, and the largest error of the
        shares relative to each other."""
        begin, before = time.monotonic(), [self.used(u) for u in uuids]
        time.sleep(SECONDS)
        after, passed = [self.used(u) for u in uuids], time.monotonic() - begin
        parts = [(b - a) / (passed * 1e6 * os.cpu_count())
                 for a, b in zip(before, after)]
        per_wanted = [part / sum(parts) / w for part, w in zip(parts, wanted)]
        jain = sum(per_wanted) ** 2 / (len(per_wanted) *
                                       sum(p * p for p in per_wanted))
        off = max(abs(p - 1) for p in per_wanted)
        print(f'measured: {what}, {os.cpu_count()} processors: '
              f'{" ".join(f"{100 * p:.3f}" for p in parts)} %, '
              f'{100 * off:.2f} % off at most, Jain {jain:.5f}',
              file=sys.stderr)
        return off, jain, parts

    def test_equal_shares(self):
        self.m.call('SetScheduler', scheduler='equal-share')
        uuids = []
        for count in 2, 4, 8:
            while len(uuids) < count:
                uuids.append(self.m.create(type='128MB'))
                self.load(uuids[-1])
            off, jain, _ = self.measure('equal shares', uuids,
                                        [1 / count] * count)
            self.assertLess(off, 0.01)
            self.assertGreater(jain, 0.999)

    def test_share_beside_idle_ones(self):
        uuids = [self.m.create(type='128MB') for _ in range(4)]
        self.load(uuids[0])
        for scheduler in 'equal-share', 'fixed-share':
            self.m.call('SetScheduler', scheduler=scheduler)
            granted = self.m.show(uuids[0])['grantedPpm'] / 1e6
            part = self.measure(f'{scheduler} of {granted} beside idle ones',
                                uuids[:1], [1])[-1][0]
            self.assertLess(part, granted * 1.01)
            self.assertGreater(part, granted * 0.99)

    def test_weights(self):
        uuids = [self.m.create(type='128MB') for _ in range(3)]
        for i, uuid in enumerate(uuids):
            self.m.call('Modify', vgpu=uuid, weight=100 << i)
            self.load(uuid)
        off, _, _ = self.measure('weights 1:2:4', uuids, [1 / 7, 2 / 7, 4 / 7])
        self.assertLess(off, 0.02)


def what_lacks():
    """Why not, if vgpud cannot divide the group that this is in."""
    manager = Manager(mib=0)
    try:
        return manager.start().call('GetInfo').get('cgroupProblem')
    finally:
        manager.finish()


if __name__ == '__main__':
    problem = what_lacks()
    if problem:
        print('skipped:', problem)
        sys.exit(77)
    harness.main()
