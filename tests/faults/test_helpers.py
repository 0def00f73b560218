# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of vgpu-vnc that fail, and clients that are slow."""

import errno
import os
import socket
import sys

import faults
import frontend
import harness
from faults import CUT, ENDS, FAIL, LONG, NEVER, points
from harness import wait_for

sys.path.append(os.path.join(faults.TESTS, 'device', 'vtest'))
import client as vtest  # pylint: disable=wrong-import-position

MOST = 40 if LONG else 2

VNC = [
    ('alloc', FAIL, errno.ENOMEM),
    ('mmap', FAIL, errno.ENOMEM),
    ('socket', FAIL, errno.EMFILE),
    ('bind', FAIL, errno.EACCES),
    ('listen', FAIL, errno.EADDRINUSE),
    ('accept4', FAIL, errno.EMFILE),
    ('recvmsg', FAIL, errno.ENOBUFS),
    ('send', FAIL, errno.EPIPE),
    ('write', CUT, 0),
    ('read', CUT, 0),
]


def sweep(injector, strikes, operation, check):
    """Strike some calls of an operation; check() must hold after each."""
    struck = 0
    for name, action, error in strikes:
        injector.arm(name, NEVER)
        operation()
        total, _ = injector.disarm()
        for n in points(total, MOST):
            injector.arm(name, n, action, error)
            try:
                operation()
            except (*ENDS, OSError, AssertionError):
                pass
            struck += injector.disarm()[1]
            check(f'call {n} of {total} of {name}')
    return struck


class Acls(faults.FaultTest):
    """A runtime folder on a file system that has no ACLs."""

    def test_owners_are_refused(self):
        m = faults.Faulty(mib=256)
        self.addCleanup(m.finish)
        m.injector.arm('xattr', 1, error=errno.EOPNOTSUPP, times=faults.NEVER)
        m.start()
        for method in 'Create', 'Define', 'CheckDefinition':
            for owner in {'ownerUid': 4101}, {'ownerGid': 4101}:
                refused = self.assert_refused('BadOwner', m.call, method,
                                              type='128MB', **owner)
                self.assertIn('has no ACLs', refused.parameters['text'])
        # vgpud's own user needs none.
        uuid = m.create(type='128MB', name='a')
        self.assert_refused('BadOwner', m.call, 'Modify', vgpu='a',
                            ownerUid=4101)
        for path in m.socket, os.path.join(m.folder_of(uuid), 'vhost.sock'):
            self.assertEqual(os.stat(path).st_mode & 0o777, 0o600)
            self.assertEqual(os.listxattr(path), [])

    def test_lost_with_the_file_system(self):
        """The owner of a vGPU that comes back where there are none."""
        m = faults.Faulty(mib=256)
        self.addCleanup(m.finish)
        m.start()
        uuid = m.create(type='128MB', name='a', ownerUid=4101)
        device = m.show('a')['devicePid']
        m.kill()
        harness.kill_to_the_end(device)
        m.injector.arm('xattr', 1, error=errno.EOPNOTSUPP, times=faults.NEVER)
        m.start()
        wait_for(lambda: m.show('a')['state'] == 'failed', 'failure')
        self.assertIn('has no ACLs', m.show('a')['failure'])
        for path in (m.socket, m.folder_of(uuid),
                     os.path.join(m.folder_of(uuid), 'vhost.sock')):
            if os.path.exists(path):
                self.assertEqual(os.stat(path).st_mode & 0o077, 0)


class Vnc(faults.FaultTest):
    def test_vnc(self):
        m = faults.Faulty(mib=256)
        injector = faults.Injector(m.folder)
        m.helper('vgpu-vnc', injector.wrapper(
            os.path.join(harness.BUILD, 'vgpu-vnc')))
        self.addCleanup(m.finish)
        m.start()
        m.create(type='128MB', name='kept')
        path = os.path.join(m.runtime, 'kept.vnc')

        def use():
            m.call('SetVnc', vgpu='kept', address='unix:' + path)
            with socket.socket(socket.AF_UNIX) as viewer:
                viewer.settimeout(harness.TIMEOUT)
                viewer.connect(path)
                self.assertEqual(viewer.recv(4), b'RFB ')
                viewer.sendall(b'RFB 003.008\n\1\1')
                viewer.recv(1000)
            m.call('SetVnc', vgpu='kept')

        def serves(what):
            def does_all():
                try:
                    m.call('SetVnc', vgpu='kept')
                    use()
                    return True
                except (*ENDS, OSError, AssertionError):
                    return False
            wait_for(does_all, f'{what}: a VNC server')
            wait_for(lambda: not faults.processes_with(injector.path),
                     f'{what}: no orphan')
            self.assertFalse(os.path.exists(path), what)
        serves('as before')
        fds = harness.wait_for_rest(m)[1]
        struck = sweep(injector, VNC, use, serves)
        self.assertGreater(struck, 3)
        wait_for(lambda: harness.wait_for_rest(m)[1] <= fds + 1, 'no fd')
        self.log_is_sane(m)
        print(f'{struck} calls of vgpu-vnc struck', file=sys.stderr)


class Slow(faults.FaultTest):
    """A peer that sends or reads almost nothing does not block others."""

    def test_callers(self):
        m = self.faulty()
        call = b'{"method":"io.openvgpu.Manager.ListTypes"}\0'
        slow = [m.client() for _ in range(20)]
        for at in range(len(call) - 1):
            for client in slow:
                client.socket.sendall(call[at:at + 1])
            m.call('GetInfo')
        m.create(type='128MB', name='a')
        m.call('Destroy', vgpu='a')
        # And each gets its answer once it has asked.
        for client in slow:
            client.socket.sendall(call[-1:])
            self.assertTrue(client.receive()['parameters']['types'])
            client.close()

    def test_callers_that_never_read(self):
        m = self.faulty()
        _, before = harness.wait_for_rest(m)
        deaf = [m.client() for _ in range(5)]
        for client in deaf:
            client.socket.setblocking(False)
            try:
                for _ in range(20000):
                    client.socket.send(
                        b'{"method":"io.openvgpu.Manager.ListTypes"}\0')
            except BlockingIOError:
                pass
            m.call('GetInfo')
        m.create(type='128MB', name='a')
        m.call('Destroy', vgpu='a')
        for client in deaf:
            client.close()
        wait_for(lambda: harness.wait_for_rest(m)[1] == before, 'no fd')

    def test_machines(self):
        m = self.faulty()
        m.create(type='128MB', name='a')
        with frontend.FrontEnd(m.show('a')['socket']) as front:
            front.piece = 1
            front.bring_up(size=1 << 20)
            # A message that never ends, and answers that nobody reads.
            front.socket.setblocking(False)
            try:
                for _ in range(100000):
                    front.socket.send(b'\1\0\0\0\1\0\0\0\0\0\0\0')
            except BlockingIOError:
                pass
            m.call('SetMode', vgpu='a', width=640, height=480)
            client = m.client()
            client.call('Capture', vgpu='a')
            client.close()
            m.call('Destroy', vgpu='a', force=True)
        wait_for(lambda: not m.devices(), 'the end of the device')
        self.assert_clean(m)

    def test_programs(self):
        device = vtest.Device(vtest.Test.render, ('--framebuffer-mib', '64'))
        self.addCleanup(device.folder.cleanup)
        slow = [device.client() for _ in range(10)]
        hello = vtest.hello()
        for at in range(len(hello) - 1):
            for one in slow:
                one.send(hello[at:at + 1])
        quick = device.begin()
        quick.sync()
        quick.barrier()
        # One that asks for ever and reads nothing is stopped by that.
        deaf = device.begin()
        deaf.socket.setblocking(False)
        try:
            for _ in range(1000000):
                deaf.send(vtest.command(vtest.SYNC_CREATE, vtest.u64(0)))
        except (BlockingIOError, ConnectionError):
            pass
        quick.barrier()
        for one in [*slow, quick, deaf]:
            one.socket.close()
        wait_for(lambda: not list(device.processes()), 'the end of all')
        self.assertEqual(device.end(), 0)


if __name__ == '__main__':
    sys.exit(harness.main())
