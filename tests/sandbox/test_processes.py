# SPDX-License-Identifier: GPL-2.0-or-later
"""User, groups and capabilities of the processes of vGPUs, started by root and
by an ordinary user."""

import os
import shutil
import socket
import tempfile
import unittest

import client as vt
import harness

NOBODY = 65534
PROGRAMS = ('vgpud', 'vgpu-device', 'vgpu-launch', 'vgpu-render', 'vgpu-vnc')
CAP_SYS_CHROOT = 1 << 18
NAMESPACES = ('user', 'pid', 'net', 'ipc', 'uts', 'mnt')


def status(pid):
    with open(f'/proc/{pid}/status', encoding='ascii') as file:
        return dict(line.rstrip('\n').split(':\t', 1) for line in file)


def limits(pid):
    with open(f'/proc/{pid}/limits', encoding='ascii') as file:
        return {line[:25].strip(): line[25:].split()[:2] for line in file}


def is_dumpable(pid):
    """The kernel gives root the files in /proc of a process that is not."""
    return os.stat(f'/proc/{pid}/environ').st_uid != 0


class Processes(unittest.TestCase):
    """Each test is done for both."""

    user = None  # root, or whoever runs the tests

    def folder(self):
        folder = tempfile.mkdtemp(prefix='sandbox.')
        self.addCleanup(shutil.rmtree, folder, ignore_errors=True)
        os.chmod(folder, 0o755)
        return folder

    def options(self):
        if self.user is None:
            return {}
        return {'user': self.user, 'group': self.user, 'extra_groups': []}

    def programs(self):
        """A folder with our programs into which every user can look."""
        folder = self.folder()
        for name in PROGRAMS:
            shutil.copy(os.path.join(harness.BUILD, name), folder)
        return folder

    def check(self, pid, is_render=False):
        about = status(pid)
        self.assertNotIn('0', about['Uid'].split(), about)
        self.assertNotIn('0', about['Gid'].split(), about)
        self.assertNotIn('0', about['Groups'].split(), about)
        for kind in ('Inh', 'Prm', 'Eff', 'Amb'):
            self.assertEqual(int(about['Cap' + kind], 16), 0, kind)
        if self.user is None and os.getuid() == 0:
            self.assertEqual(int(about['CapBnd'], 16),
                             CAP_SYS_CHROOT if is_render else 0)
        self.assertEqual(about['NoNewPrivs'], '1')
        if os.environ['VGPU_SANITIZED'] == 'none':
            self.assertFalse(is_dumpable(pid))
        limit = limits(pid)
        self.assertEqual(limit['Max core file size'], ['0', '0'])
        self.assertEqual(limit['Max msgqueue size'], ['0', '0'])
        self.assertEqual(limit['Max realtime priority'], ['0', '0'])
        if not is_render:
            self.assertEqual(limit['Max locked memory'], ['0', '0'])
        return limit

    def check_namespaces(self, pid):
        """Of a device or VNC server: its own, but for that of processes."""
        for name in NAMESPACES:
            check = self.assertEqual if name == 'pid' else self.assertNotEqual
            check(os.readlink(f'/proc/{pid}/ns/{name}'),
                  os.readlink(f'/proc/self/ns/{name}'), name)
        if os.environ['VGPU_SANITIZED'] == 'none':
            self.assertEqual(os.listdir(f'/proc/{pid}/root/'), [])

    def test_managed(self):
        if self.user is not None and os.getuid() != 0:
            self.skipTest('only root runs programs as another user')
        programs, folder = self.programs(), self.folder()
        vnc = os.path.join(folder, 'run', 'one.vnc')
        if self.user is not None:
            os.chown(folder, self.user, self.user)
        manager = harness.Manager(folder=folder)
        manager.program = os.path.join(programs, 'vgpud')
        for name in PROGRAMS[1:]:
            path = os.path.join(manager.helpers, name)
            if os.path.lexists(path):
                os.unlink(path)
            shutil.copy(os.path.join(programs, name), path)
        self.addCleanup(manager.finish)
        manager.start(**self.options())
        if self.user is not None:
            self.assertFalse(is_dumpable(manager.process.pid))
        manager.create(type='128MB', name='one')
        self.check(manager.show('one')['devicePid'])
        self.check_namespaces(manager.show('one')['devicePid'])
        manager.call('SetVnc', vgpu='one', head=0, address='unix:' + vnc)
        with socket.socket(socket.AF_UNIX) as viewer:
            viewer.connect(vnc)
            viewer.recv(12)
            pid, = [child for child, name in
                    vt.children_of(manager.process.pid) if name == 'vgpu-vnc']
            self.check(pid)
            self.check_namespaces(pid)
        manager.call('SetVnc', vgpu='one', head=0)
        self.assertFalse(os.path.exists(vnc))

    def test_render(self):
        if self.user is not None and os.getuid() != 0:
            self.skipTest('only root runs programs as another user')
        program = os.path.join(self.programs(), 'vgpu-device')
        device = vt.Device(program=program, user=self.user)
        with device.begin() as client:
            client.capset()
            # There is one when the context is ready, and then no other comes.
            harness.wait_for(device.spares, 'a spare process')
            pid, = device.children()
            self.assertEqual(status(pid)['Seccomp'], '2')
            limit = self.check(pid, is_render=True)
            self.assertEqual(limit['Max open files'], ['1024', '1024'])
            self.assertEqual(os.listdir(f'/proc/{pid}/root/'), [])
            for name in NAMESPACES:
                self.assertNotEqual(os.readlink(f'/proc/{pid}/ns/{name}'),
                                    os.readlink(f'/proc/self/ns/{name}'), name)
            self.assertEqual(status(pid)['NSpid'].split()[1:], ['1'])
            for thread in os.listdir(f'/proc/{pid}/task'):
                self.assertEqual(int(status(f'{pid}/task/{thread}')['CapPrm'],
                                     16), 0)
            self.check(device.process.pid)
            self.check_namespaces(device.process.pid)
            (launcher, _), = vt.children_of(device.process.pid)
            self.check(launcher)
            if os.environ['VGPU_SANITIZED'] == 'none':
                self.assertEqual(status(launcher)['Seccomp_filters'], '1')
        self.assertEqual(device.end(), 0, device.said())
        self.assertFalse(os.path.exists(device.path))


class ProcessesOfAUser(Processes):
    """The same of an ordinary user's."""

    user = NOBODY


if __name__ == '__main__':
    unittest.main(verbosity=2)
