# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud and devices die together: systemd keeps their fds."""

import contextlib
import os
import random
import signal
import socket
import struct
import sys
import time

import harness
from fake_systemd import ServiceManager
from harness import ManagerTest, wait_for
import test_restart

sys.path.insert(0, os.path.join(harness.HERE, '..', 'device'))
import frontend  # noqa: E402

CYCLES = int(os.environ.get('VGPU_CYCLES', '20'))
UUID = test_restart.UUID
# virtio_gpu_ctrl_type
GET_DISPLAY_INFO, RESOURCE_CREATE_2D, CTX_CREATE = 0x100, 0x101, 0x200
SUBMIT_3D = 0x207
VENUS = 4  # its capset
OK_NODATA, OK_DISPLAY_INFO, BAD_RESOURCE = 0x1100, 0x1101, 0x1203


def create_context(front, number):
    queue = front.queues[0]
    queue.submit(struct.pack('<IIQIIII64s', CTX_CREATE, 0, 0, number, 0, 4,
                             VENUS, b'test'), 24)
    return struct.unpack_from('<I', queue.wait()[1])[0]


class FdStoreTest(ManagerTest):
    def service(self, **options):
        manager = ServiceManager(**options)
        self.addCleanup(manager.finish)
        return manager.start()

    def attach(self, m, vgpu, memory=None):
        """A front end as a VM's, up and running."""
        front = frontend.FrontEnd(m.show(vgpu)['socket'])
        self.addCleanup(front.close)
        front.bring_up()
        wait_for(lambda: m.show(vgpu)['state'] == 'attached', 'attach')
        return front

    def ask(self, front, kind, body=b'', size=408):
        """The device's answer to a command."""
        queue = front.queues[0]
        queue.submit(struct.pack('<IIQII', kind, 0, 0, 0, 0) + body, size)
        return struct.unpack_from('<I', queue.wait()[1])[0]

    def assert_works(self, front):
        self.assertEqual(self.ask(front, GET_DISPLAY_INFO), OK_DISPLAY_INFO)

    def create_resource(self, front, number):
        return self.ask(front, RESOURCE_CREATE_2D,
                        struct.pack('<IIII', number, 1, 64, 64), 24)

    def kill_all(self, m):
        """vgpud and every device, at the same moment."""
        pids = [v['devicePid'] for v in m.call('ListVgpus')['vgpus']]
        self.kill_pids(m, pids)

    @staticmethod
    def kill_pids(m, pids):
        pids = [m.process.pid] + pids
        # Stopped first, so that none sees another one's end.
        for number in signal.SIGSTOP, signal.SIGKILL:
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, number)
        m.kill()
        for pid in pids[1:]:
            wait_for(lambda pid=pid: not harness.is_alive(pid), 'its end')


class Vgpud(FdStoreTest):
    def test_next_vgpud(self):
        """The next vgpud gets the connections to devices from the fd store; no
        control socket exists."""
        for number in signal.SIGKILL, signal.SIGTERM:
            m = self.service()
            m.create(type='128MB', name='a', uuid=UUID)
            front = self.attach(m, 'a')
            pid = m.show('a')['devicePid']
            self.assertEqual(sorted(os.listdir(m.folder_of(UUID))),
                             ['keyboard.sock', 'tablet.sock', 'vhost.sock'])
            before = m.store.names()
            for _ in range(3):
                m.restart(number)
                vgpu = m.show('a')
                self.assertEqual(
                    (vgpu['state'], vgpu['devicePid'], vgpu['restarts']),
                    ('attached', pid, 0))
                self.assert_works(front)
                self.assertEqual(m.store.names(), before)
            harness.replace_device(m, 'a')
            self.assert_works(front)
            self.doCleanups()

    def test_probe_fails_once(self):
        """A machine keeps the window into its memory, though the next vgpud finds no
        driver, and the device is started again."""
        m = self.service()
        m.create(type='256MQ', name='a')
        front = self.attach(m, 'a')
        window = front.ask(frontend.GET_SHMEM_CONFIG)
        self.assertEqual(create_context(front, 1), OK_NODATA)
        m.helper('vgpu-probe', '#!/bin/sh\nexit 1\n')
        m.restart()
        harness.replace_device(m, 'a')
        self.assert_works(front)
        self.assertEqual(front.ask(frontend.GET_SHMEM_CONFIG), window)
        self.assertEqual(create_context(front, 2), OK_NODATA)

    def test_probe_fails_first(self):
        """A machine that was given no window gets none later, though the next vgpud
        finds a driver."""
        m = self.service()
        m.helper('vgpu-probe', '#!/bin/sh\nexit 1\n')
        m.restart()
        m.create(type='256MQ', name='a')
        front = self.attach(m, 'a')
        window = front.ask(frontend.GET_SHMEM_CONFIG)
        for probe in '#!/bin/sh\nexit 1\n', None:
            m.helper('vgpu-probe', probe)
            m.restart()
            harness.replace_device(m, 'a')
            self.assert_works(front)
            self.assertEqual(front.ask(frontend.GET_SHMEM_CONFIG), window)
        # Started anew it has what the host has now.
        front.close()
        wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
        m.call('Stop', vgpu='a')
        m.call('Start', vgpu='a')
        front = self.attach(m, 'a')
        self.assertNotEqual(front.ask(frontend.GET_SHMEM_CONFIG), window)
        self.assertEqual(create_context(front, 1), OK_NODATA)

    def test_watchdog(self):
        """systemd is told that vgpud is not frozen."""
        m = self.service()
        for _ in range(2):
            begin = m.store.pings
            wait_for(lambda n=begin: m.store.pings > n + 2, 'pings')
            m.restart()

    def test_nothing_is_kept_of_what_is_gone(self):
        m = self.service()
        self.assertEqual(m.store.names(), ['table'])
        for _ in range(3):
            m.create(type='256MQ', name='a')
            idle = m.store.names()
            front = self.attach(m, 'a')
            self.assertGreater(len(m.store.names()), len(idle))
            front.close()
            wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
            # Two more: the pipes through which a connection's messages go.
            wait_for(lambda n=len(idle): len(m.store.names()) in (n, n + 2),
                     'the fds of the connection to go')
            m.call('Stop', vgpu='a')
            self.assertEqual(m.store.names(), ['table'])
            m.call('Start', vgpu='a')
            m.call('Destroy', vgpu='a')
            wait_for(lambda: m.store.names() == ['table'], 'an empty store')

    def test_destroyed_meanwhile(self):
        """A device whose vGPU has no definition any more ends."""
        m = self.service()
        m.create(type='128MB', name='a', uuid=UUID)
        pid = m.show('a')['devicePid']
        m.kill()
        os.unlink(m.definition(UUID))
        m.start()
        wait_for(lambda: not harness.is_alive(pid), 'the end of the device')
        wait_for(lambda: m.store.names() == ['table'], 'an empty store')
        self.assert_clean(m)

    def test_store_is_lost(self):
        """systemd gave all up: devices end, and vGPUs begin anew."""
        m = self.service()
        m.create(type='128MB', name='a')
        pid = m.show('a')['devicePid']
        m.kill()
        m.store.settle()
        while m.store.kept:
            os.close(m.store.kept.pop()[1])
        m.start()
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')
        self.assertNotEqual(m.show('a')['devicePid'], pid)
        wait_for(lambda: not harness.is_alive(pid), 'the end of the device')

    def test_odd_store(self):
        """Fds that are not in the table, or do not match it, are closed."""
        m = self.service()
        m.create(type='128MB', name='a')
        front = self.attach(m, 'a')
        m.kill()
        m.store.settle()
        for name in 'fffff', 'x', '00001', '123456789', '-1':
            m.store.kept.append((name, os.memfd_create('odd')))
        m.start()
        self.assert_works(front)
        self.assertFalse({'fffff', 'x', '00001', '123456789', '-1'} &
                         set(m.store.names()))
        # Of another version, or not a table.
        for content in b'', b'\0' * 100:
            m.kill()
            m.store.settle()
            m.store.kept = [k for k in m.store.kept if k[0] != 'table']
            fd = os.memfd_create('table')
            os.write(fd, content)
            m.store.kept.append(('table', fd))
            m.start()
            wait_for(lambda: m.show('a')['state'] == 'active', 'active')

    def test_store_is_too_small(self):
        m = self.service(store_size=12)
        m.create(type='128MB', name='a')
        m.create(type='128MB', name='b')
        front = self.attach(m, 'a')
        self.assert_works(front)

        def count():
            return sum('FileDescriptorStoreMax' in e['text']
                       for e in m.events())
        wait_for(count, 'the event')
        harness.wait_for_rest(m)
        self.assertEqual(count(), 1)
        m.restart()
        wait_for(lambda: {v['state'] for v in m.call('ListVgpus')['vgpus']} <=
                 {'active', 'attached'}, 'both to be active')


class Both(FdStoreTest):
    def test_at_once(self):
        m = self.service()
        m.create(type='128MB', name='a')
        front = self.attach(m, 'a')
        self.assertEqual(self.create_resource(front, 7), OK_NODATA)
        kept = None
        for i in range(CYCLES):
            self.kill_all(m)
            m.start()
            self.assert_works(front)
            # What the guest had it still has.
            self.assertEqual(self.create_resource(front, 7), BAD_RESOURCE)
            wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')
            self.assertEqual(m.show('a')['restarts'], i + 1)
            self.assertEqual(m.gpu()['freeMib'], 1024 - 128)
            fds = harness.wait_for_rest(m)[1]
            now = len(m.store.names()), fds
            self.assertEqual(now, kept or now)
            kept = now

    def test_in_the_middle_of_work(self):
        m = self.service()
        m.create(type='128MB', name='a')
        front = self.attach(m, 'a')
        queue = front.queues[0]
        rng = random.Random(3)
        done = 0
        for _ in range(CYCLES):
            pids = [m.show('a')['devicePid']]
            for _ in range(30):
                queue.submit(struct.pack('<IIQII', GET_DISPLAY_INFO, 0, 0, 0,
                                         0), 408)
            time.sleep(rng.random() * 0.002)
            self.kill_pids(m, pids)
            m.start()
            for _ in range(30):
                self.assertEqual(struct.unpack_from('<I', queue.wait()[1])[0],
                                 OK_DISPLAY_INFO)
                done += 1
        self.assertEqual(done, 30 * CYCLES)

    def submit(self, front, context):
        """Nothing but a fence, on the context's own timeline."""
        queue = front.queues[0]
        queue.submit(struct.pack('<IIQIBxxxII', SUBMIT_3D, 1, 5, context, 0, 0,
                                 0), 24)
        return struct.unpack_from('<IIQ', queue.wait()[1])

    def test_contexts_go_on(self):
        """Render processes outlive both, and are those of the next."""
        m = self.service()
        m.create(type='256MQ', name='a')
        front = self.attach(m, 'a')
        for context in 1, 2:
            self.assertEqual(create_context(front, context), OK_NODATA)
            self.assertEqual(self.submit(front, context), (OK_NODATA, 1, 5))
        launcher, = (pid for pid, name in frontend.children_of(m.process.pid)
                     if name == 'vgpu-launch')

        def renders():
            return [pid for pid, name in frontend.children_of(launcher)
                    if name == 'vgpu-render']
        pids = renders()
        self.assertEqual(len(pids), 2)
        for i in range(CYCLES):
            if i % 2:
                self.kill_all(m)
                m.start()
            else:
                harness.replace_device(m, 'a')
            for context in 1, 2:
                self.assertEqual(self.submit(front, context),
                                 (OK_NODATA, 1, 5))
            self.assertEqual(renders(), pids)
        front.close()
        wait_for(lambda: not renders(), 'the ends of render processes')
        wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
        m.call('Destroy', vgpu='a')
        wait_for(lambda: not harness.is_alive(launcher), 'its launcher to end')
        wait_for(lambda: m.store.names() == ['table'], 'an empty store')

    def test_in_the_middle_of_attaching(self):
        """A VMM whose connection was taken in has it, or sees its end."""
        m = self.service()
        m.create(type='128MB', name='a')
        rng = random.Random(4)
        for _ in range(CYCLES):
            pids = [m.show('a')['devicePid']]
            front = frontend.FrontEnd(m.show('a')['socket'])
            front.negotiate()
            time.sleep(rng.random() * 0.003)
            self.kill_pids(m, pids)
            m.start()
            wait_for(lambda: 'socket' in m.show('a'), 'a device')
            try:
                front.set_memory(frontend.Memory())
                front.ask_u64(frontend.GET_QUEUE_NUM)
            except frontend.Gone:
                pass
            front.close()
            wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
        self.assert_works(self.attach(m, 'a'))

    def test_two_vgpus_of_one_machine(self):
        """They have its memory as the same file, which is kept once."""
        m = self.service()
        memory = frontend.Memory()
        fronts = []
        for name in 'a', 'b':
            m.create(type='128MB', name=name)
            front = frontend.FrontEnd(m.show(name)['socket'])
            self.addCleanup(front.close)
            front.negotiate()
            front.open_channel()
            front.set_memory(memory)
            front.memory = None  # closed once
            for index in range(2):
                queue = frontend.Queue(memory, index + 4 * len(fronts))
                queue.index = index
                # One eventfd for all queues, as a machine with one vector.
                os.close(queue.call_fd)
                queue.call_fd = os.dup(fronts[0].queues[0].call_fd) \
                    if fronts else os.eventfd(0, os.EFD_NONBLOCK)
                front.queues.append(queue)
                front.start(queue)
            front.ask_u64(frontend.GET_QUEUE_NUM)
            fronts.append(front)
        self.addCleanup(memory.close)
        for _ in range(3):
            self.kill_all(m)
            m.start()
            for front in fronts:
                self.assert_works(front)
        # One of them goes: the other has all that it had.
        fronts[0].close()
        wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
        m.call('Destroy', vgpu='a')
        self.kill_all(m)
        m.start()
        self.assert_works(fronts[1])

    def test_device_dies_while_there_is_no_vgpud(self):
        m = self.service()
        m.create(type='128MB', name='a')
        front = self.attach(m, 'a')
        for _ in range(3):
            pid = m.show('a')['devicePid']
            m.kill()
            self.assert_works(front)
            harness.kill_to_the_end(pid)
            m.start()
            self.assert_works(front)

    def test_last_words(self):
        """Messages of a device that died unread are read by the next vgpud."""
        m = self.service()
        m.create(type='128MB', name='a')
        pid = m.show('a')['devicePid']
        path = m.show('a')['socket']
        m.kill()
        # A machine connects, and has it, before anything dies.
        front = frontend.FrontEnd(path)
        self.addCleanup(front.close)
        front.bring_up()
        self.assert_works(front)
        harness.kill_to_the_end(pid)
        m.start()
        self.assertNotEqual(m.show('a')['state'], 'defined')
        self.assert_works(front)
        # The successor works before vgpud has read what it says of itself.
        wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')


class Guests(FdStoreTest):
    """Operations that a guest or its VMM repeats many times."""

    @staticmethod
    def descendants(pid):
        """Number of descendants of PID, zombies included."""
        parents = {}
        for name in filter(str.isdigit, os.listdir('/proc')):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                with open(f'/proc/{name}/stat', encoding='utf-8') as f:
                    words = f.read().rpartition(')')[2].split()
                parents[int(name)] = int(words[1])
        found = {pid}
        while True:
            more = {p for p, parent in parents.items()
                    if parent in found and p not in found}
            if not more:
                return len(found) - 1
            found |= more

    def use(self, front):
        """As a guest's driver that has just been loaded, and a program."""
        self.assert_works(front)
        self.assertEqual(self.create_resource(front, 7), OK_NODATA)
        for number in 1, 2:
            self.assertEqual(create_context(front, number), OK_NODATA)

    @staticmethod
    def reset(front):
        front.send(frontend.RESET_DEVICE)
        front.ask_u64(frontend.GET_QUEUE_NUM)
        for queue in front.queues:
            queue.reset()
            front.start(queue)
        front.ask_u64(frontend.GET_QUEUE_NUM)

    def test_again_and_again(self):
        m = self.service()
        m.create(type='256MQ', name='a')
        kept = {}
        for i in range(CYCLES + 2):
            # Another machine, or the same one after system_reset.
            front = frontend.FrontEnd(m.show('a')['socket'])
            front.bring_up()
            for _ in range(3):
                self.use(front)
                self.reset(front)
            self.use(front)
            wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')
            harness.wait_for_rest(m)
            attached = self.descendants(m.process.pid), len(m.store.names())
            front.close()
            wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
            if i < 2:  # what is made once and kept is there by now
                kept[0] = attached
                wait_for(lambda: len(m.store.names()) < kept[0][1], 'rest')
                kept[1] = harness.wait_for_rest(m)[1], len(m.store.names())
                kept[2] = self.descendants(m.process.pid)
                continue
            self.assertGreaterEqual(attached[0], 3)  # with two contexts
            self.assertEqual(attached[1], kept[0][1])
            wait_for(lambda: self.descendants(m.process.pid) <= kept[2],
                     'the ends of render processes')
            wait_for(lambda: (m.fds(), len(m.store.names())) == kept[1],
                     'the fds of the machine to go')
        self.assertEqual(m.show('a')['restarts'], 0,
                         [e['text'] for e in m.events()][-20:] + [m.log()])
        m.call('Destroy', vgpu='a')
        wait_for(lambda: self.descendants(m.process.pid) == 0, 'their end')


class Storm(test_restart.Storm):
    """As without systemd, and devices are killed too."""

    def manager(self, **options):
        manager = ServiceManager(**options)
        self.addCleanup(manager.finish)
        return manager.start()


del test_restart.Storm
if __name__ == '__main__':
    harness.main()
