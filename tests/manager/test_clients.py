# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients that say nothing, half, too much, or go away; subscribers."""

import contextlib
import os
import select
import shutil
import signal
import socket
import struct
import subprocess
import threading
import time

import harness
from harness import ManagerTest, wait_for, wait_for_rest


class Strangers(ManagerTest):
    """What one client does costs the others nothing."""

    def connect(self, m):
        s = socket.socket(socket.AF_UNIX)
        self.addCleanup(s.close)
        s.settimeout(harness.TIMEOUT)
        s.connect(m.socket)
        return s

    def assert_well(self, m):
        begin = time.monotonic()
        m.create(type='128MB', name='well')
        m.call('Destroy', vgpu='well')
        self.assertLess(time.monotonic() - begin, 60)

    def is_cut_off(self, s):
        try:
            while s.recv(65536):
                pass
        except ConnectionResetError:
            pass
        return True

    def test_silent(self):
        m = self.manager()
        strangers = [self.connect(m) for _ in range(60)]
        self.assert_well(m)
        for s in strangers:
            s.close()
        self.assert_well(m)

    def test_half_a_message(self):
        m = self.manager()
        before = wait_for_rest(m)
        for half in (b'{', b'{"method":"io.openvgpu.Manager.Crea', b'"',
                     b'\xff\xfe'):
            s = self.connect(m)
            s.sendall(half)
            self.assert_well(m)
            s.close()
        self.assertEqual(wait_for_rest(m), before)

    def test_garbage(self):
        m = self.manager()
        for garbage in (b'\0', b'\0\0\0', b'x\0', b'{}\0', b'[]\0', b'null\0',
                        b'{"method":1}\0', b'{"method":"a","parameters":[]}\0',
                        b'{"method":"..","parameters":{}}\0',
                        b'{"method":"io.openvgpu.Manager.Create",'
                        b'"parameters":{"type":"a\\u0000b"}}\0',
                        b'\xff' * 100 + b'\0', b'[' * 100000 + b'\0',
                        b'{"a":' * 100000 + b'\0'):
            with self.subTest(garbage=garbage[:20]):
                s = self.connect(m)
                try:
                    s.sendall(garbage)
                    s.shutdown(socket.SHUT_WR)
                except (BrokenPipeError, OSError):
                    pass
                self.assertTrue(self.is_cut_off(s))
                self.assert_well(m)

    def test_16_mib_of_garbage(self):
        m = self.manager()
        s = self.connect(m)
        done = []

        def flood():
            try:
                for _ in range(20):
                    s.sendall(b'x' * (1 << 20))
            except OSError:
                pass
            done.append(True)
        thread = threading.Thread(target=flood)
        thread.start()
        while not done:
            self.assert_well(m)
        thread.join()
        self.assertTrue(self.is_cut_off(s))

    def test_gone_before_the_answer(self):
        m = self.manager()
        before = wait_for_rest(m)
        for method, parameters in (
                ('Create', {'type': '128MB', 'name': 'a'}),
                ('Capture', {'vgpu': 'a'}),
                ('SetMode', {'vgpu': 'a', 'width': 640, 'height': 480}),
                ('ListVgpus', {}),
                ('Destroy', {'vgpu': 'a'})):
            client = m.client()
            client.send(method, parameters)
            client.close()
            wait_for(lambda method=method: method != 'Create' or any(
                v['state'] == 'active'
                for v in m.call('ListVgpus')['vgpus']), 'creation')
            self.assertIsNone(m.process.poll())
        wait_for(lambda: not m.call('ListVgpus')['vgpus'], 'destruction')
        self.assertEqual(wait_for_rest(m), before)

    def test_calls_in_a_row(self):
        """Sent at once, answered in order, also those answered later."""
        m = self.manager()
        client = m.client()
        self.addCleanup(client.close)
        for name in 'a', 'b':
            client.send('Create', {'type': '128MB', 'name': name})
        client.send('Create', {'type': '128MB', 'name': 'a'})
        client.send('Destroy', {'vgpu': 'b'})
        client.send('ListVgpus', {})
        client.receive()
        client.receive()
        self.assert_refused('NameInUse', client.receive)
        self.assertEqual(client.receive().get('parameters', {}), {})
        self.assertEqual(
            [v['name']
             for v in client.receive()['parameters']['vgpus']], ['a'])

    def test_connections_have_a_limit(self):
        m = self.manager()
        strangers = [self.connect(m) for _ in range(140)]
        # More than the limit is refused, not left waiting.
        refused, _, _ = select.select(strangers, [], [], harness.TIMEOUT)
        self.assertTrue(refused)
        self.assertTrue(self.is_cut_off(refused[0]))
        for s in strangers:
            s.close()
        wait_for(lambda: self.is_well(m), 'vgpud to answer')

    def is_well(self, m):
        try:
            return m.call('GetInfo')['pid'] == m.process.pid
        except (EOFError, OSError):
            return False


class Subscribers(ManagerTest):
    def subscribe(self, m, **parameters):
        client = m.client()
        self.addCleanup(client.close)
        client.send('Subscribe', parameters, more=True)
        first = client.receive()
        self.assertTrue(first['continues'])
        self.assertIsNone(first['parameters'].get('event'))
        return client

    def test_events(self):
        m = self.manager()
        client = self.subscribe(m)
        uuid = m.create(type='128MB', name='a')
        m.call('Destroy', vgpu='a')
        events = [client.receive()['parameters']['event'] for _ in range(3)]
        self.assertEqual([e['event'] for e in events],
                         ['created', 'active', 'destroyed'])
        self.assertEqual({(e['uuid'], e['name']) for e in events},
                         {(uuid, 'a')})
        numbers = [e['sequence'] for e in events]
        self.assertEqual(numbers, list(range(numbers[0], numbers[0] + 3)))
        self.assertAlmostEqual(events[0]['time'] / 1e6, time.time(), delta=600)

    def test_history(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        client = self.subscribe(m, history=True)
        seen = []
        while 'active' not in seen:
            seen.append(client.receive()['parameters']['event']['event'])
        m.call('Destroy', vgpu='a')
        event = client.receive()['parameters']['event']
        self.assertEqual(event['event'], 'destroyed')
        self.assertEqual([e['event'] for e in m.events()][-1], 'destroyed')

    def test_history_has_a_bound(self):
        m = self.manager()
        for _ in range(100):
            m.create(type='128MB', name='a')
            m.call('Destroy', vgpu='a')
        events = m.events()
        self.assertEqual(len(events), 256)
        self.assertEqual(events[-1]['sequence'] - events[0]['sequence'], 255)

    def test_one_that_leaves(self):
        m = self.manager()
        before = wait_for_rest(m)
        clients = [self.subscribe(m) for _ in range(20)]
        for client in clients:
            client.close()
        m.create(type='128MB', name='a')
        m.call('Destroy', vgpu='a')
        self.assertEqual(wait_for_rest(m), before)

    def test_one_that_does_not_read(self):
        m = self.manager()
        slow = self.subscribe(m)
        reader = self.subscribe(m)
        # Reading the types again is the cheapest event.
        for _ in range(5000):
            m.process.send_signal(signal.SIGHUP)
            reader.receive()
            if 'does not read' in m.log():
                break
        self.assertIn('does not read', m.log())
        with self.assertRaises(EOFError):
            while True:
                slow.receive()


class Access(ManagerTest):
    def test_modes(self):
        m = self.manager()
        uuid = m.create(type='128MB')

        def mode(*path):
            return oct(os.stat(os.path.join(*path)).st_mode & 0o777)

        self.assertEqual(mode(m.socket), '0o600')
        self.assertEqual(mode(m.folder_of(uuid)), '0o700')
        self.assertEqual(mode(m.folder_of(uuid), 'vhost.sock'), '0o600')
        self.assertEqual(mode(m.folder_of(uuid), 'control.sock'), '0o600')
        self.assertEqual(mode(m.folder_of(uuid), 'control.key'), '0o600')
        self.assertEqual(mode(m.state), '0o700')
        self.assertEqual(mode(m.definition(uuid)), '0o600')

    def test_stranger_at_the_control_socket(self):
        """Another process of vgpud's user asks a device for its fds."""
        m = self.manager()
        first, second = m.create(type='128MB'), m.create(type='128MB')

        def key_of(uuid):
            with open(os.path.join(m.folder_of(uuid), 'control.key'), 'rb') as f:
                return f.read()
        self.assertNotEqual(key_of(first), key_of(second))
        # One that knows nothing, and a neighbour.
        for key in bytes(32), key_of(second):
            pid = m.show(first)['devicePid']
            stranger = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            stranger.settimeout(harness.TIMEOUT)
            stranger.connect(os.path.join(m.folder_of(first), 'control.sock'))
            stranger.send(struct.pack('<II', 10, 0) + key.ljust(256, b'\0'))
            with contextlib.suppress(ConnectionResetError):
                data, fds, _, _ = socket.recv_fds(stranger, 512, 4)
                self.assertEqual((data, fds), (b'', []))
            stranger.close()
            wait_for(lambda: m.events()[-1]['event'] == 'refused', 'the event')
            self.assertIn(f'process {os.getpid()} asked',
                          m.events()[-1]['text'])
            # vgpud is still its manager, and the next one will be.
            m.call('Capture', vgpu=first)
            m.restart()
            self.assertEqual(m.show(first)['devicePid'], pid)

    def test_memory_of_vgpud(self):
        """Nor does a process of vgpud's user reach into vgpud itself."""
        m = harness.Manager()
        self.addCleanup(m.finish)
        user = {}
        if os.getuid() == 0:
            user = dict(user=65534, group=65534, extra_groups=[])
            # Where that user can read it.
            words = m.arguments()
            words[0] = shutil.copy(words[0], m.folder)
            m.arguments = lambda: words
            for folder, _, names in os.walk(m.folder):
                for name in [''] + names:
                    os.chown(os.path.join(folder, name), 65534, 65534,
                             follow_symlinks=False)
        m.start(**user)
        for name in 'mem', 'fd/0', 'environ':
            reader = subprocess.run(['cat', f'/proc/{m.process.pid}/{name}'],
                                    stdout=subprocess.DEVNULL,
                                    stderr=subprocess.PIPE, check=False,
                                    **user)
            self.assertIn(b'Permission denied', reader.stderr, name)


if __name__ == '__main__':
    harness.main()
