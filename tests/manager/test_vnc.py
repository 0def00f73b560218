# SPDX-License-Identifier: GPL-2.0-or-later
"""VNC servers: started, moved, kept and ended, with a double of vgpu-vnc."""

import contextlib
import json
import os
import select
import signal
import socket
import struct
import sys

import harness
from harness import ManagerTest, wait_for

FAKE = os.path.join(harness.HERE, 'fake_vnc.py')
DOUBLE = f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n'


class Vnc(ManagerTest):
    def setUp(self):
        self.m = self.manager(helpers={'vgpu-vnc': DOUBLE})
        self.m.create(type='128MB', name='a')
        self.path = self.path_of()
        self.address = 'unix:' + self.path

    def path_of(self, how=''):
        return os.path.join(self.m.runtime, f'a{how}.vnc')

    def notes(self, path=None):
        try:
            with open(os.path.join(self.m.folder, os.path.basename(
                    path or self.path) + '.log'), encoding='utf-8') as f:
                return f.read().splitlines()
        except FileNotFoundError:
            return []

    def frames(self, path=None):
        return [line for line in self.notes(path) if line.startswith('V ')]

    def pid(self, path=None):
        return int([line for line in self.notes(path)
                    if line.startswith('start')][-1].split()[1])

    def vnc(self, head=0):
        return self.m.show('a')['heads'][head].get('vnc')

    def set(self, address, **more):
        return self.m.call('SetVnc', vgpu='a', address=address, **more)

    def test_clients(self):
        """How many look is what the server said, if that can be."""
        for name, clients in ('watched', 3), ('liar', 0), ('watched', 3), ('x', 0):
            self.set(f'unix:{self.m.runtime}/{name}.vnc')
            wait_for(lambda: self.m.show('a')['heads'][0].get('vncClients') == clients,
                     name)
        self.assertNotIn('vncClients', self.m.show('a')['heads'][1])

    def test_life(self):
        self.set(self.address, head=1)
        self.assertIsNone(self.vnc(0))
        self.assertEqual(self.vnc(1), self.address)
        self.assertIn('a head 1', self.notes()[0])
        # The viewer is joined with the device: it sends a frame.
        wait_for(self.frames, 'a frame')
        self.assertRegex(self.frames()[0], r'^V 1 \d+x\d+ 1$')
        # The same again changes nothing.
        self.set(self.address, head=1)
        self.assertEqual(len(self.notes()), 2)
        pid = self.pid()
        self.set(None, head=1)
        self.assertFalse(harness.is_alive(pid))
        self.assertIsNone(self.vnc(1))
        self.set(None, head=1)

    def test_move(self):
        self.set(self.address)
        pid = self.pid()
        self.set('unix:' + self.path_of('2'))
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(self.vnc(), 'unix:' + self.path_of('2'))
        wait_for(lambda: self.frames(self.path_of('2')), 'a frame')

    def test_restarts(self):
        self.set(self.address)
        wait_for(self.frames, 'a frame')
        # The server dies.
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.pid() != pid and len(self.frames()) == 2,
                 'another server')
        # Its list of calls ends it.
        os.kill(self.pid(), signal.SIGSYS)
        wait_for(lambda: ('forbidden-call', 'the VNC server of head 0 was ended'
                          ' for a forbidden system call (SIGSYS)') in
                 [(e['event'], e['text']) for e in self.m.events()],
                 'the event')
        wait_for(lambda: len(self.frames()) == 3, 'another server')
        # The device dies.
        os.kill(self.m.show('a')['devicePid'], signal.SIGKILL)
        wait_for(lambda: len(self.frames()) == 4, 'another viewer')
        # vgpud dies, and the server with it.
        pid = self.pid()
        self.m.restart()
        wait_for(lambda: not harness.is_alive(pid), 'its end')
        wait_for(lambda: len(self.frames()) == 5, 'another server')
        self.assertEqual(self.vnc(), self.address)

    def test_destroy_ends_it(self):
        self.set(self.address)
        pid = self.pid()
        self.m.call('Destroy', vgpu='a')
        wait_for(lambda: not harness.is_alive(pid), 'its end')
        self.assert_clean(self.m)

    def test_bad_addresses(self):
        uuid, other = self.m_uuid(), self.m.create(type='128MB')
        for address in ('', 'unix:', 'unix:vnc', 'unix:./vnc', '5900',
                        ':5900', '0.0.0.0:5900', '192.168.1.1:5900',
                        'localhost:5900', '127.0.0.1', '127.0.0.1:',
                        '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:x',
                        '127.0.0.1:+80', '127.1:5900', '[::]:5900',
                        '[::1]5900', '::1:5900', '[::ffff:127.0.0.1]:5900',
                        'unix:/tmp/a.vnc', 'unix:/a.vnc',
                        f'unix:{self.m.folder}/a.vnc',
                        f'unix:{self.m.runtime}', f'unix:{self.m.runtime}/',
                        f'unix:{self.m.runtime}/a',
                        f'unix:{self.m.runtime}/.vnc',
                        f'unix:{self.m.runtime}/.a.vnc',
                        f'unix:{self.m.runtime}//a.vnc',
                        f'unix:{self.m.runtime}/../a.vnc',
                        f'unix:{self.m.runtime}/x/a.vnc',
                        f'unix:{self.m.runtime}/a b.vnc',
                        f'unix:{self.m.runtime}/a\n.vnc',
                        f'unix:{self.m.runtime}/ü.vnc',
                        f'unix:{self.m.socket}',
                        f'unix:{self.m.folder_of(other)}/a.vnc',
                        f'unix:{self.m.folder_of(uuid)}/vhost.sock',
                        f'unix:{self.m.folder_of(uuid)}/../a.vnc'):
            with self.subTest(address=address):
                self.assert_refused('BadAddress', self.set, address)
        self.assert_refused('PathTooLong', self.set, 'unix:/' + 'x' * 107)
        self.assert_refused('NoSuchHead', self.set, self.address, head=2)
        self.assertFalse([name for name in os.listdir(self.m.folder)
                          if name.endswith('.log')])

    def test_refusals(self):
        for name, part in (('refuse', 'address in use'),
                           ('crash', 'ended with status 3'),
                           ('silent', 'within 20 s')):
            with self.subTest(name=name):
                refused = self.assert_refused('BadAddress', self.set,
                                              'unix:' + self.path_of(name))
                self.assertIn(part, refused.parameters['text'])
                self.assertIsNone(self.vnc())
        self.m.helper('vgpu-vnc', '#!/nonexistent\n')
        refused = self.assert_refused('BadAddress', self.set, self.address)
        self.assertIn('cannot be started', refused.parameters['text'])

    def test_frozen(self):
        self.set('unix:' + self.path_of('frozen'))
        wait_for(lambda: len([n for n in self.notes(self.path_of('frozen'))
                              if n.startswith('start')]) > 1, 'another server')
        self.assertIn('the VNC server of head 0 did not answer for 5 s and is '
                      'started again', [e['text'] for e in self.m.events()])

    def test_saved_but_not_to_be_had(self):
        self.set(self.address)
        self.m.kill()
        path = self.m.definition(self.m_uuid())
        with open(path, encoding='utf-8') as f:
            definition = json.load(f)
        definition['heads'][0]['vnc'] = 'unix:' + self.path_of('refuse')
        harness.Manager.write(path, json.dumps(definition))
        self.m.start()
        wait_for(lambda: [e for e in self.m.events() if
                          'VNC server of head 0' in e['text']], 'the report')
        self.assertEqual(self.m.show('a')['state'], 'active')

    def m_uuid(self):
        return os.listdir(os.path.join(self.m.state, 'vgpus'))[0][:36]

    def test_busy(self):
        client = self.m.client()
        self.addCleanup(client.close)
        client.send('SetVnc', {'vgpu': 'a', 'address':
                               'unix:' + self.path_of('silent')})
        wait_for(lambda: self.notes(self.path_of('silent')), 'its start')
        self.assert_refused('TryAgain', self.set, self.address)
        # Its vGPU goes meanwhile.
        self.m.call('Destroy', vgpu='a')
        self.assert_refused('NotActive', client.receive)

    def head(self):
        return self.m.show('a')['heads'][0]

    def saved(self):
        path = os.path.join(self.m.state, 'vgpus', self.m.show('a')['uuid'] + '.json')
        with open(path, encoding='utf-8') as file:
            return json.load(file)

    def test_who_may_only_look_is_cut_off(self):
        """By the device, whatever the server does."""
        for name, more, found in (('look', {'viewOnly': True}, 'cut off'),
                                  ('type', {}, 'heard')):
            path = f'{self.m.runtime}/{name}-injects.vnc'
            self.set('unix:' + path, **more)
            wait_for(lambda: found in self.notes(path), found)
            self.assertEqual('view only' in self.notes(path), bool(more))
            self.assertIs(self.head()['vncInput'], not more)
            self.assertEqual([n for n in self.notes(path) if n in ('cut off', 'heard')][0],
                             found)

    def test_password(self):
        self.set(self.address, password='Ab3$!~xy')
        self.assertIn('password KAb3$!~xy', self.notes())
        self.assertIs(self.head()['vncPassword'], True)
        self.assertNotIn('Ab3', json.dumps(self.m.show('a')))
        self.assertNotIn('Ab3', self.m.log())
        saved = self.saved()
        self.assertEqual(saved['version'], 6)
        self.assertEqual(saved['heads'][0]['vncPassword'], 'Ab3$!~xy')
        # Another password, or none: another server.
        pid = self.pid()
        self.set(self.address)
        self.assertFalse(harness.is_alive(pid))
        self.assertIs(self.head()['vncPassword'], False)
        for bad in '', '123456789', 'xxxxpppp', 'a b', 'a\n', 'ä', '\x7f':
            self.assert_refused('BadAddress', self.set, self.address, password=bad)
        self.set(None)
        self.assertEqual(self.saved()['version'], 4)

    def test_what_was_saved_before_there_was_input(self):
        """Its viewers only look, as before."""
        self.set(self.address)
        saved = self.saved()
        self.assertEqual(saved['heads'][0]['vncInput'], True)
        uuid = self.m.show('a')['uuid']
        self.m.kill()
        saved['version'] = 4
        del saved['heads'][0]['vncInput']
        with open(os.path.join(self.m.state, 'vgpus', uuid + '.json'), 'w',
                  encoding='utf-8') as file:
            json.dump(saved, file)
        self.m.start()
        wait_for(lambda: 'view only' in self.notes(), 'a server')
        self.assertIs(self.head()['vncInput'], False)

    def test_settings_of_a_new_one(self):
        m = self.m
        m.create(type='128MB', name='b', heads=[
            {'head': 0, 'vnc': f'unix:{m.runtime}/b.vnc', 'vncInput': True},
            {'head': 1, 'vnc': f'unix:{m.runtime}/c.vnc'}])
        heads = m.show('b')['heads']
        self.assertEqual([h['vncInput'] for h in heads], [True, False])
        m.call('Stop', vgpu='b')
        m.call('SetVnc', vgpu='b', head=1, address=f'unix:{m.runtime}/c.vnc',
               password='x')
        self.assertEqual([(h['vncInput'], h['vncPassword']) for h in m.show('b')['heads']],
                         [(True, False), (True, True)])


class Real(ManagerTest):
    """Tests with the real vgpu-vnc."""

    def setUp(self):
        self.m = self.manager()
        self.uuid = self.m.create(type='128MB', name='a')
        self.path = os.path.join(self.m.runtime, 'a.vnc')

    def set(self, path=None):
        self.m.call('SetVnc', vgpu='a', address=path and 'unix:' + path)

    def server(self):
        """The process that listens."""
        def find():
            for pid in os.listdir('/proc'):
                if not pid.isdigit():
                    continue
                with contextlib.suppress(OSError):
                    with open(f'/proc/{pid}/stat', encoding='utf-8') as f:
                        name, _, rest = f.read().partition(') ')
                    state, parent = rest.split()[:2]
                    if name.endswith('(vgpu-vnc') and state != 'Z' and \
                            parent == str(self.m.process.pid):
                        return int(pid)
            return None
        return wait_for(find, 'a VNC server')

    def viewer(self, path=None):
        viewer = socket.socket(socket.AF_UNIX)
        self.addCleanup(viewer.close)
        viewer.settimeout(harness.TIMEOUT)
        viewer.connect(path or self.path)
        return viewer

    @staticmethod
    def read(viewer, n):
        data = b''
        while len(data) < n:
            more = viewer.recv(n - len(data))
            if not more:
                raise EOFError('the server closed the connection')
            data += more
        return data

    def look(self, viewer):
        """Connect as a viewer that does not support resizing; return the size.
        """
        self.assertEqual(self.read(viewer, 12), b'RFB 003.008\n')
        viewer.sendall(b'RFB 003.008\n')
        self.read(viewer, self.read(viewer, 1)[0])
        viewer.sendall(b'\x01')
        self.assertEqual(self.read(viewer, 4), bytes(4))
        viewer.sendall(b'\x01')
        width, height = struct.unpack('>HH', self.read(viewer, 4))
        self.read(viewer, 16)
        self.read(viewer, struct.unpack('>I', self.read(viewer, 4))[0])
        # A corner of it, which is not too much to be read at once.
        viewer.sendall(struct.pack('>BBHHHH', 3, 0, 0, 0, 1, 1))
        kind, rectangles = struct.unpack('>BxH', self.read(viewer, 4))
        self.assertEqual(kind, 0)
        for _ in range(rectangles):
            _, _, columns, rows, _ = struct.unpack('>HHHHi',
                                                   self.read(viewer, 12))
            self.read(viewer, columns * rows * 4)
        return width, height

    def size(self):
        reply = self.m.call('Capture', vgpu='a')
        return reply['width'], reply['height']

    def test_handshake(self):
        m = self.m
        self.set(self.path)
        for _ in range(2):
            self.assertEqual(self.viewer().recv(12)[:4], b'RFB ')
            harness.replace_device(m, 'a')
        # Another cannot have the same.
        m.create(type='128MB', name='b')
        refused = self.assert_refused('BadAddress', m.call, 'SetVnc', vgpu='b',
                                      address='unix:' + self.path)
        self.assertEqual(refused.parameters['text'],
                         'the VNC server of head 0 failed: cannot listen on '
                         f'unix:{self.path}: Address already in use')
        m.call('SetVnc', vgpu='a', address='127.0.0.1:5999')
        self.assertFalse(os.path.exists(self.path))
        with socket.create_connection(('127.0.0.1', 5999)) as viewer:
            self.assertEqual(viewer.recv(12)[:4], b'RFB ')
        m.call('SetVnc', vgpu='a', address=None)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', 5999))
        # In the vGPU's own folder, which goes with it.
        path = os.path.join(m.folder_of(self.uuid), 'a.vnc')
        self.set(path)
        self.look(self.viewer(path))
        m.call('Destroy', vgpu='a')
        wait_for(lambda: not os.path.exists(m.folder_of(self.uuid)),
                 'the end of its folder')

    def test_first_picture(self):
        """Whoever connects when the call has returned sees the head."""
        size = self.size()
        self.assertNotEqual(size, (640, 480))
        for _ in range(40):
            self.set(self.path)
            viewers = [self.viewer() for _ in range(2)]
            self.assertEqual([self.look(viewer) for viewer in viewers],
                             [size] * 2)
            self.set()
            self.assertFalse(os.path.exists(self.path))

    def test_before_the_first_picture(self):
        """With a slow device, no viewer is shown another picture first."""
        device = self.m.show('a')['devicePid']
        client = self.m.client()
        self.addCleanup(client.close)
        os.kill(device, signal.SIGSTOP)
        client.send('SetVnc', {'vgpu': 'a', 'address': 'unix:' + self.path})

        def connect():
            with contextlib.suppress(FileNotFoundError,
                                     ConnectionRefusedError):
                return self.viewer()
            return None
        viewer = wait_for(connect, 'the socket')
        # What must not come has time to: a server that greets at once did.
        self.assertEqual(select.select([viewer], [], [], 1)[0], [])
        # It may have been replaced by now.
        with contextlib.suppress(ProcessLookupError):
            os.kill(device, signal.SIGCONT)
        self.look(viewer)
        client.receive()
        self.assertEqual(self.look(self.viewer()), self.size())

    def test_killed_server_leaves_nothing(self):
        self.set(self.path)
        os.kill(self.server(), signal.SIGKILL)
        self.set()
        self.assertFalse(os.path.exists(self.path))
        self.set(self.path)
        os.kill(self.server(), signal.SIGKILL)
        self.m.call('Destroy', vgpu='a')
        wait_for(lambda: not os.path.exists(self.path), 'the end of it')
        # Killed together with vgpud, and not wanted any more.
        self.uuid = self.m.create(type='128MB', name='a')
        self.set(self.path)
        server = self.server()
        os.kill(server, signal.SIGSTOP)
        self.m.kill()
        os.kill(server, signal.SIGKILL)
        self.edit(None)
        self.m.start()
        self.assertFalse(os.path.exists(self.path))

    def edit(self, address):
        """Change the saved definition."""
        path = self.m.definition(self.uuid)
        with open(path, encoding='utf-8') as f:
            definition = json.load(f)
        definition['heads'] = [{'head': 0, 'vnc': address}] if address else []
        self.m.write(path, json.dumps(definition))

    def test_saved_elsewhere(self):
        """Editing a definition does not give the rights of vgpud's user."""
        elsewhere = os.path.join(self.m.folder, 'b.vnc')
        self.m.kill()
        self.edit('unix:' + elsewhere)
        self.m.start()
        wait_for(lambda: [e for e in self.m.events()
                          if 'head 0 is not started' in e['text']], 'the event')
        self.set(self.path)
        self.look(self.viewer())
        self.assertFalse(os.path.exists(elsewhere))


if __name__ == '__main__':
    harness.main()
