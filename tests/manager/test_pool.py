# SPDX-License-Identifier: GPL-2.0-or-later
"""The framebuffer: accounting, room, waiting for it, and nothing that leaks."""

import contextlib
import os
import random
import signal

import harness
from harness import Manager, ManagerTest, wait_for, wait_for_rest

SEGMENT = 128 << 20


class Pool(ManagerTest):
    def paths(self, pid):
        """Paths of the framebuffer segments that a process has open."""
        paths = []
        for fd in os.listdir(f'/proc/{pid}/fd'):
            path = f'/proc/{pid}/fd/{fd}'
            # A connection may be closed meanwhile; a segment is not.
            with contextlib.suppress(FileNotFoundError):
                if 'vgpu-framebuffer' in os.readlink(path):
                    paths.append(path)
        return paths

    def segments(self, pid):
        """Files of framebuffer segments that a process has."""
        return {os.stat(path).st_ino for path in self.paths(pid)}

    def test_is_real(self):
        """Ready segments are populated memory; a vGPU holds them."""
        m = self.manager()
        wait_for(lambda: m.gpu()['readyMib'] == 1024, 'the pool')
        for path in self.paths(m.process.pid):
            status = os.stat(path)
            self.assertEqual(status.st_size, SEGMENT)
            self.assertEqual(status.st_blocks * 512, SEGMENT)
        m.create(type='256MQ', name='a')
        self.assertEqual(len(self.segments(m.show('a')['devicePid'])), 2)
        self.assertEqual(len(self.segments(m.process.pid)), 8)

    def test_no_segment_is_shared_or_used_again(self):
        m = self.manager()
        m.create(type='256MQ', name='a')
        m.create(type='256MQ', name='b')
        a = self.segments(m.show('a')['devicePid'])
        b = self.segments(m.show('b')['devicePid'])
        self.assertFalse(a & b)
        wait_for_rest(m)
        # Someone keeps the memory of a vGPU that is gone.
        pid = m.show('a')['devicePid']
        kept = [os.open(path, os.O_RDWR) for path in self.paths(pid)]
        self.assertEqual(len(kept), 2)
        m.call('Destroy', vgpu='a')
        wait_for_rest(m)
        m.call('Destroy', vgpu='b')
        m.create(type='1C', name='c')
        inodes = {os.fstat(fd).st_ino for fd in kept}
        self.assertFalse(inodes & self.segments(m.show('c')['devicePid']))
        for fd in kept:
            os.close(fd)

    def test_creation_waits_for_memory(self):
        m = self.manager()
        for _ in range(3):
            # Nothing is ready just after all of it came back.
            m.create(type='1C', name='a')
            self.assertEqual(m.gpu()['readyMib'], 0)
            m.call('Destroy', vgpu='a')

    def test_others_go_on_while_one_waits(self):
        m = self.manager()
        client = m.client()
        self.addCleanup(client.close)

        def is_refused_meanwhile():
            m.create(type='1C', name='a')
            m.call('Destroy', vgpu='a')
            client.send('Create', {'type': '1C', 'name': 'a'})
            wait_for(lambda: m.call('ListVgpus')['vgpus'], 'the vGPU')
            self.assert_refused('NoRoom', m.create, type='128MB')
            try:
                m.call('Destroy', vgpu='a')
            except harness.Refused as refused:
                self.assertEqual(refused.error, 'TryAgain')
                return True
            # It was there before: nothing waited that could be looked at.
            client.receive()
            return False
        wait_for(is_refused_meanwhile, 'a creation that waits')
        client.receive()
        self.assertEqual(m.show('a')['state'], 'active')

    def test_killed_while_one_waits(self):
        m = self.manager()
        m.create(type='1C', name='a')
        m.call('Destroy', vgpu='a')
        client = m.client()
        client.send('Create', {'type': '1C', 'name': 'a'})
        wait_for(lambda: m.call('ListVgpus')['vgpus'], 'the vGPU')
        m.restart()
        client.close()
        wait_for(lambda: m.show('a')['state'] == 'active', 'active')

    def test_accounting(self):
        """Random creations and destructions: the counts are always exact."""
        m = self.manager()
        rng = random.Random(1)
        sizes = {'128MB': 1, '256MQ': 2, '1C': 8, '2Q': 16}
        live = {}
        for _ in range(60):
            types = {t['type']: t['available']
                     for t in m.call('ListTypes')['types']}
            free = 8 - sum(live.values())
            self.assertEqual(m.gpu()['freeMib'], 128 * free)
            self.assertEqual(types['128MB'], free)
            if live and rng.random() < 0.4:
                uuid = rng.choice(sorted(live))
                m.call('Destroy', vgpu=uuid)
                del live[uuid]
                continue
            kind = rng.choice(sorted(sizes))
            if types[kind] == 0:
                self.assert_refused('NoRoom', m.create, type=kind)
            else:
                live[m.create(type=kind)] = sizes[kind]
        places = sorted((v['framebufferOffsetMib'], v['framebufferMib'])
                        for v in m.call('ListVgpus')['vgpus'])
        end = 0
        for offset, size in places:
            self.assertGreaterEqual(offset, end)
            end = offset + size

    def test_200_lives_leave_nothing(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.call('Destroy', vgpu='a')
        before = wait_for_rest(m)
        for _ in range(200):
            m.create(type='128MB', name='a')
            m.call('Destroy', vgpu='a')
        self.assertEqual(wait_for_rest(m), before)
        self.assert_clean(m)
        children = [pid for pid in os.listdir('/proc') if pid.isdigit() and
                    self.parent(pid) == m.process.pid]
        self.assertEqual(children, [])

    @staticmethod
    def parent(pid):
        try:
            with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
                return int(f.read().rpartition(')')[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            return 0

    def test_64_at_once(self):
        m = self.manager(mib=64 * 128)
        if self.available_mib() < 64 * 128 + 2048:
            self.skipTest('not enough memory here')
        uuids = [m.create(type='128MB') for _ in range(64)]
        self.assert_refused('NoRoom', m.create, type='128MB')
        m.restart()
        self.assertEqual({v['uuid']: v['state']
                          for v in m.call('ListVgpus')['vgpus']},
                         {uuid: 'active' for uuid in uuids})

    @staticmethod
    def available_mib():
        with open('/proc/meminfo', encoding='utf-8') as f:
            for line in f:
                if line.startswith('MemAvailable:'):
                    return int(line.split()[1]) // 1024
        return 0

    def test_short_of_memory(self):
        """A pool larger than the machine: no crash, and a clear answer."""
        m = self.manager(mib=512)
        m.kill(signal.SIGTERM)
        # A limit on files makes allocation fail as want of memory does.
        limit = f'#!/bin/sh\nulimit -f 100\nexec "{harness.BUILD}/vgpud" "$@"\n'
        wrapper = os.path.join(m.folder, 'vgpud')
        Manager.write(wrapper, limit)
        os.chmod(wrapper, 0o755)
        arguments = m.arguments

        m.arguments = lambda: [wrapper] + arguments()[1:]
        m.start()
        wait_for(lambda: 'short of memory' in m.log(), 'the report')
        refused = self.assert_refused('NoRoom', m.create, type='128MB')
        self.assertIn('short of memory', refused.parameters['text'])
        self.assertEqual(refused.parameters['freeMib'], 0)
        self.assertEqual(refused.parameters['fits'], [])
        self.assertEqual(m.gpu()['freeMib'], 0)
        self.assertEqual(m.call('ListTypes')['types'][0]['available'], 0)
        m.arguments = arguments
        m.restart()
        m.create(type='128MB')

    def test_reserve(self):
        m = self.manager()
        m.kill(signal.SIGTERM)
        Manager.write(m.config, '[embedded]\nframebuffer_mib = 1100\n'
                      'host_reserve_mib = 200\n')
        m.start()
        # Whole segments: eight, of which two are kept.
        self.assertEqual(m.gpu()['framebufferMib'], 768)
        m.create(type='128MB', name='a')
        self.assertEqual(m.show('a')['framebufferOffsetMib'], 256)

    def test_no_framebuffer(self):
        m = self.manager(mib=0)
        self.assert_refused('NoRoom', m.create, type='128MB')
        self.assertEqual(m.gpu()['framebufferMib'], 0)


if __name__ == '__main__':
    harness.main()
