# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs' control groups, where vgpud is started in one that it may divide: as by
`systemd-run -p Delegate=yes --pipe --wait`. tests/cgroup has a machine for it."""

import os
import signal
import subprocess
import sys
import unittest

import harness
from harness import Manager, ManagerTest, wait_for

UUID = '12345678-9abc-4def-8123-456789abcdef'
MIB = 1 << 20
# A type's host_memory_mib, and what its processes themselves may take.
MEMORY_MAX = (512 + 64) * MIB
# Takes as many MiB as it is told.
HOG = ('import sys\n'
       'taken = bytearray(int(sys.argv[1]) << 20)\n'
       'for at in range(0, len(taken), 4096):\n'
       '    taken[at] = 1\n')


def group_of(pid):
    with open(f'/proc/{pid}/cgroup', encoding='utf-8') as f:
        return next(line[3:] for line in f.read().splitlines()
                    if line.startswith('0::'))


class Cgroup(ManagerTest):
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

    def test_processes_are_in_their_vgpus_group(self):
        uuid = self.m.create(type='128MB', name='a')
        other = self.m.create(type='128MB')
        self.m.call('SetVnc', vgpu='a', address=f'unix:{self.m.folder}/vnc')
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
        """One that an earlier vgpud started, which made no groups."""
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
        hog = self.put(uuid, sys.executable, '-c', HOG, '700')
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
