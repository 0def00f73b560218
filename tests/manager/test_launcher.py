# SPDX-License-Identifier: GPL-2.0-or-later
"""A launcher of render processes that is frozen: a display goes on without it,
and in the end it is replaced."""

import os
import signal
import struct
import sys
import time

import harness
from harness import wait_for
import test_fd_store
from test_fd_store import OK_NODATA, frontend

CTX_DESTROY, SUBMIT_3D = 0x201, 0x207
FENCE = 1
# Longer than a device may go without an answer (manager/host/watchdog.c), and much
# shorter than a launcher may (device/render/launcher.c).
HELD_S = 12


def launcher_of(m):
    """The launcher of the manager's only vGPU."""
    names = frontend.children_of(m.process.pid)
    found = [pid for pid, name in names if name == 'vgpu-launch']
    assert len(found) == 1, found
    return found[0]


def freeze(pid):
    os.kill(pid, signal.SIGSTOP)
    wait_for(lambda: set(harness.thread_states(pid)) == {'T'}, 'a stop')


class Launcher(test_fd_store.FdStoreTest):
    def begin(self, m):
        m.create(type='256MQ', name='a')
        front = self.attach(m, 'a')
        # One that it has started, so that it is known to work.
        self.submit_context(front, 1)
        self.assert_context(front)
        return front

    @staticmethod
    def submit_context(front, number):
        """Ask for a context, and for an answer when that has come up."""
        queue = front.queues[0]
        queue.submit(struct.pack('<IIQIIII64s', test_fd_store.CTX_CREATE, 0, 0,
                                 number, 0, 4, test_fd_store.VENUS, b'test'),
                     24, tag='create')
        queue.submit(struct.pack('<IIQIIII', SUBMIT_3D, FENCE, 1, number, 0, 0,
                                 0), 24, tag='use')

    def assert_context(self, front):
        """Both have their answers."""
        tags = []
        for _ in range(2):
            _, answer, tag = front.queues[0].wait()
            self.assertEqual(struct.unpack_from('<I', answer)[0], OK_NODATA,
                             tag)
            tags.append(tag)
        self.assertEqual(sorted(tags), ['create', 'use'])

    def test_it_holds_nobody_up(self):
        m = self.service()
        front = self.begin(m)
        pid = m.show('a')['devicePid']
        launcher = launcher_of(m)
        freeze(launcher)
        self.submit_context(front, 2)
        client = m.client()
        self.addCleanup(client.close)
        create = front.queues[0].wait()
        self.assertEqual(create[2], 'create')
        end = time.monotonic() + HELD_S
        while time.monotonic() < end:
            self.assert_works(front)
            client.call('Capture', vgpu='a')
            time.sleep(0.1)
        # A context that is destroyed is so for the guest, too.
        self.assertEqual(self.destroy_context(front, 1), OK_NODATA)
        self.assert_works(front)
        os.kill(launcher, signal.SIGCONT)
        _, answer, tag = front.queues[0].wait()
        self.assertEqual((struct.unpack_from('<I', answer)[0], tag),
                         (OK_NODATA, 'use'))
        vgpu = m.show('a')
        self.assertEqual((vgpu['devicePid'], vgpu['restarts']), (pid, 0))
        self.assertEqual(launcher_of(m), launcher)

    @staticmethod
    def destroy_context(front, number):
        queue = front.queues[0]
        queue.submit(struct.pack('<IIQII', CTX_DESTROY, 0, 0, number, 0), 24)
        return struct.unpack_from('<I', queue.wait()[1])[0]

    def test_it_is_replaced(self):
        """Where vgpud has its pidfd, and where it never had."""
        managers = [self.service(), self.manager()]
        for m in managers:
            m.front = self.begin(m)
            m.launcher = launcher_of(m)
            m.restart()
            wait_for(lambda m=m: m.show('a')['state'] == 'attached', 'attach')
        # The second one's vgpud is not the one that started it.
        pids = [m.show('a')['devicePid'] for m in managers]
        for m in managers:
            freeze(m.launcher)
            self.submit_context(m.front, 2)
        for m, pid in zip(managers, pids):
            wait_for(lambda m=m, pid=pid: m.show('a').get('devicePid') not in
                     (None, pid) and m.show('a')['state'] == 'attached',
                     'a successor')
            self.assertIn('frozen', [e['event'] for e in m.events()])
            queue = m.front.queues[0]
            for _ in range(2):
                queue.wait()
            self.submit_context(m.front, 3)
            self.assert_context(m.front)
            if m is managers[1]:
                os.kill(m.launcher, signal.SIGCONT)
            wait_for(lambda m=m: not harness.is_alive(m.launcher),
                     'the end of the launcher')


if __name__ == '__main__':
    sys.exit(harness.main())
