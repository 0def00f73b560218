# SPDX-License-Identifier: GPL-2.0-or-later
"""Processes killed at named points and at any time, under load: nothing hangs,
nothing is left over, and neighbours notice nothing."""

import contextlib
import os
import random
import signal
import sys
import threading

import faults
import frontend
import harness
from faults import ENDS, KILL, LONG, NEVER, points
from harness import Refused, wait_for

# How many calls of a name are where a process dies, one at a time.
MOST = NEVER if LONG else 2
VGPUD_KILLS = 1000 if LONG else 12
DEVICE_KILLS = 200 if LONG else 12
BOTH_KILLS = 100 if LONG else 5
RENDER_KILLS = 1000 if LONG else 6
# A row of ends within 5 s each ends the vGPU: see vgpud(8).
ROW = 8

POINTS = ('rename', 'fsync', 'unlink', 'mkdir', 'bind', 'spawn', 'write',
          'memfd_create', 'sendmsg', 'open')


def create(m):
    m.create(type='128MB', name='a')
    m.call('Destroy', vgpu='a')


class AtPoints(faults.FaultTest):
    """vgpud dies before the n-th call of a name, in a creation or its end."""

    def test_vgpud(self):
        m = self.faulty()
        m.create(type='128MB', name='neighbour')
        neighbour = m.show('neighbour')['devicePid']
        with frontend.FrontEnd(m.show('neighbour')['socket']) as front:
            queues = front.bring_up(size=1 << 20)
            create(m)
            self.kill_at_each(m, neighbour, front)
            self.assertEqual(len(queues), 2)
        self.destroy_all(m)
        wait_for(lambda: not m.devices(), 'the end of every device')
        self.log_is_sane(m)

    def kill_at_each(self, m, neighbour, front):
        kills = 0
        before = harness.wait_for_rest(m)[0]
        for name in POINTS:
            m.injector.arm(name, NEVER)
            create(m)
            total, _ = m.injector.disarm()
            for n in points(total, MOST):
                m.injector.arm(name, n, KILL)
                with contextlib.suppress(*ENDS):
                    create(m)
                _, struck = m.injector.disarm()
                what = f'vgpud dies in call {n} of {total} of {name}'
                if struck:
                    kills += 1
                    self.assertEqual(m.process.wait(harness.TIMEOUT),
                                     -signal.SIGKILL, what)
                    m.process = None
                    m.start()
                self.settle(m, neighbour, before, what)
                # The machine that has the neighbour noticed nothing.
                front.ask_u64(frontend.GET_FEATURES)
        self.assertGreaterEqual(kills, len(POINTS))
        print(f'{kills} kills of vgpud at named points', file=sys.stderr)

    def settle(self, m, neighbour, before, what):
        """A vGPU that was being created exists or does not, and can be
        destroyed."""
        wait_for(lambda: all(v['state'] in ('active', 'attached')
                             for v in m.call('ListVgpus')['vgpus']), what)
        self.assertEqual(m.show('neighbour')['devicePid'], neighbour, what)
        for vgpu in m.call('ListVgpus')['vgpus']:
            if vgpu['name'] != 'neighbour':
                m.call('Destroy', vgpu=vgpu['uuid'], force=True)
        wait_for(lambda: m.devices() == [neighbour], f'{what}: no orphan')
        files, _ = harness.wait_for_rest(m)
        self.assertEqual(files, before, what)
        self.assertEqual(m.gpu()['freeMib'], 128, what)


class Load:
    """A client that creates, asks and destroys all the time, whatever is
    killed."""

    def __init__(self, m):
        self.m = m
        self.done = 0
        self.is_over = threading.Event()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while not self.is_over.is_set():
            try:
                create(self.m)
                self.done += 1
            except (*ENDS, OSError):
                self.is_over.wait(0.01)

    def finish(self):
        self.is_over.set()
        self.thread.join()


class Loops(faults.FaultTest):
    """Any time is as good as another to die."""

    def test_vgpud(self):
        m = self.faulty(mib=384)
        m.create(type='128MB', name='kept')
        pid = m.show('kept')['devicePid']
        with frontend.FrontEnd(m.show('kept')['socket']) as front:
            front.bring_up(size=1 << 20)
            load = Load(m)
            chance = random.Random(12)
            try:
                for _ in range(VGPUD_KILLS):
                    # At times a creation comes to its end, mostly not.
                    load.is_over.wait(chance.random() * 0.1)
                    m.restart()
                    m.call('GetInfo')
                    front.ask_u64(frontend.GET_FEATURES)
            finally:
                load.finish()
            wait_for(lambda: m.show('kept')['state'] == 'attached', 'attached')
            self.assertEqual(m.show('kept')['devicePid'], pid)
        self.end(m, f'{VGPUD_KILLS} kills of vgpud, {load.done} creations')

    def end(self, m, what):
        def destroy(vgpu):
            with contextlib.suppress(Refused):
                m.call('Destroy', vgpu=vgpu['uuid'], force=True)

        def is_empty():
            for vgpu in m.call('ListVgpus')['vgpus']:
                destroy(vgpu)
            return not m.call('ListVgpus')['vgpus']
        wait_for(is_empty, f'{what}: the end of all')
        wait_for(lambda: not m.devices(), f'{what}: no orphan')
        gpu = m.gpu()
        self.assertEqual(gpu['freeMib'], gpu['framebufferMib'])
        self.assert_clean(m)
        self.log_is_sane(m)
        print(what, file=sys.stderr)

    def test_device(self):
        m = self.faulty(mib=384)
        m.create(type='128MB', name='neighbour')
        pid = m.show('neighbour')['devicePid']
        load = Load(m)
        left = DEVICE_KILLS
        try:
            while left:
                m.create(type='128MB', name='kept')
                with frontend.FrontEnd(m.show('kept')['socket']) as front:
                    front.bring_up(size=1 << 20)
                    for _ in range(min(left, ROW)):
                        harness.replace_device(m, 'kept')
                        front.ask_u64(frontend.GET_FEATURES)
                        left -= 1
                m.call('Destroy', vgpu='kept', force=True)
            self.assertEqual(m.show('neighbour')['devicePid'], pid)
        finally:
            load.finish()
        self.end(m, f'{DEVICE_KILLS} kills of a device, {load.done} creations')

    def test_both(self):
        m = self.faulty(mib=384)
        m.create(type='128MB', name='kept')
        for _ in range(BOTH_KILLS):
            pid = wait_for(lambda: 'socket' in m.show('kept') and
                           m.show('kept')['devicePid'], 'a device')
            m.kill()
            harness.kill_to_the_end(pid)
            m.start()
        wait_for(lambda: m.show('kept')['state'] == 'active', 'active')
        self.end(m, f'{BOTH_KILLS} kills of vgpud with a device')


class Renders(faults.FaultTest):
    """Render processes of a vGPU with which programs are at work."""

    def test_render(self):
        sys.path.append(os.path.join(faults.TESTS, 'device', 'vtest'))
        import client  # pylint: disable=import-outside-toplevel
        device = client.Device(args=('--framebuffer-mib', '64'))
        self.addCleanup(device.folder.cleanup)
        neighbour = device.begin()
        number, fd = neighbour.blob(4096)
        os.close(fd)
        wait_for(device.spares, 'a spare process')
        pids = set(device.children())
        left = RENDER_KILLS
        fds = None
        while left:
            victims = [device.begin() for _ in range(min(left, 2))]
            for victim in victims:
                victim.barrier()
            # Those that have just begun, and not the next one's in its place.
            wait_for(lambda n=len(victims): device.spares() and
                     len(set(device.children()) - pids) == n, 'contexts')
            for pid in set(device.children()) - pids:
                os.kill(pid, signal.SIGKILL)
                left -= 1
            for victim in victims:
                self.assertTrue(victim.is_gone())
                victim.socket.close()
            wait_for(lambda: set(device.children()) == pids, 'no orphan')
            neighbour.sync()
            wait_for(lambda: fds is None or device.fds() <= fds + 4, 'no fd')
            fds = fds or device.fds()
        neighbour.send(client.command(client.UNREF, client.words(number)))
        neighbour.sync()
        neighbour.socket.close()
        wait_for(lambda: not list(device.processes()), 'no process')
        self.assertEqual(device.end(), 0)
        print(f'{RENDER_KILLS} kills of render processes', file=sys.stderr)


if __name__ == '__main__':
    sys.exit(harness.main())
