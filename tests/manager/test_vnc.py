# SPDX-License-Identifier: GPL-2.0-or-later
"""VNC servers: started, moved, kept and ended, with a double of vgpu-vnc."""

import json
import os
import signal
import socket
import sys

import harness
from harness import ManagerTest, wait_for

FAKE = os.path.join(harness.HERE, 'fake_vnc.py')
DOUBLE = f'#!/bin/sh\nexec {sys.executable} {FAKE} "$@"\n'


class Vnc(ManagerTest):
    def setUp(self):
        self.m = self.manager(helpers={'vgpu-vnc': DOUBLE})
        self.m.create(type='128MB', name='a')
        self.path = os.path.join(self.m.folder, 'vnc')
        self.address = 'unix:' + self.path

    def notes(self, path=None):
        try:
            with open((path or self.path) + '.log', encoding='utf-8') as f:
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
        self.set(self.address + '2')
        self.assertFalse(harness.is_alive(pid))
        self.assertEqual(self.vnc(), self.address + '2')
        wait_for(lambda: self.frames(self.path + '2'), 'a frame')

    def test_restarts(self):
        self.set(self.address)
        wait_for(self.frames, 'a frame')
        # The server dies.
        pid = self.pid()
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: self.pid() != pid and len(self.frames()) == 2,
                 'another server')
        # The device dies.
        os.kill(self.m.show('a')['devicePid'], signal.SIGKILL)
        wait_for(lambda: len(self.frames()) == 3, 'another viewer')
        # vgpud dies, and the server with it.
        pid = self.pid()
        self.m.restart()
        wait_for(lambda: not harness.is_alive(pid), 'its end')
        wait_for(lambda: len(self.frames()) == 4, 'another server')
        self.assertEqual(self.vnc(), self.address)

    def test_destroy_ends_it(self):
        self.set(self.address)
        pid = self.pid()
        self.m.call('Destroy', vgpu='a')
        wait_for(lambda: not harness.is_alive(pid), 'its end')
        self.assert_clean(self.m)

    def test_bad_addresses(self):
        for address in ('', 'unix:', 'unix:vnc', 'unix:./vnc', '5900',
                        ':5900', '0.0.0.0:5900', '192.168.1.1:5900',
                        'localhost:5900', '127.0.0.1', '127.0.0.1:',
                        '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:x',
                        '127.0.0.1:+80', '127.1:5900', '[::]:5900',
                        '[::1]5900', '::1:5900', '[::ffff:127.0.0.1]:5900',
                        'unix:/tmp/a\nb', 'unix:/tmp/ü'):
            with self.subTest(address=address):
                self.assert_refused('BadAddress', self.set, address)
        self.assert_refused('PathTooLong', self.set, 'unix:/' + 'x' * 107)
        self.assert_refused('NoSuchHead', self.set, self.address, head=2)
        self.assertEqual(os.listdir(self.m.folder).count('vnc.log'), 0)

    def test_refusals(self):
        for name, part in (('refuse', 'address in use'),
                           ('crash', 'ended with status 3'),
                           ('silent', 'within 20 s')):
            with self.subTest(name=name):
                refused = self.assert_refused('BadAddress', self.set,
                                              f'{self.address}-{name}')
                self.assertIn(part, refused.parameters['text'])
                self.assertIsNone(self.vnc())
        self.m.helper('vgpu-vnc', '#!/nonexistent\n')
        refused = self.assert_refused('BadAddress', self.set, self.address)
        self.assertIn('cannot be started', refused.parameters['text'])

    def test_frozen(self):
        self.set(self.address + '-frozen')
        wait_for(lambda: len([n for n in self.notes(self.path + '-frozen')
                              if n.startswith('start')]) > 1, 'another server')
        self.assertIn('the VNC server of head 0 did not answer for 5 s and is '
                      'started again', [e['text'] for e in self.m.events()])

    def test_saved_but_not_to_be_had(self):
        self.set(self.address)
        self.m.kill()
        path = self.m.definition(self.m_uuid())
        with open(path, encoding='utf-8') as f:
            definition = json.load(f)
        definition['heads'][0]['vnc'] += '-refuse'
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
        client.send('SetVnc', {'vgpu': 'a', 'address': self.address +
                               '-silent'})
        wait_for(lambda: self.notes(self.path + '-silent'), 'its start')
        self.assert_refused('TryAgain', self.set, self.address)
        # Its vGPU goes meanwhile.
        self.m.call('Destroy', vgpu='a')
        self.assert_refused('NotActive', client.receive)


class Real(ManagerTest):
    """The real vgpu-vnc."""

    def test_handshake(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        path = os.path.join(m.folder, 'vnc')
        m.call('SetVnc', vgpu='a', address='unix:' + path)
        for _ in range(2):
            with socket.socket(socket.AF_UNIX) as viewer:
                viewer.settimeout(harness.TIMEOUT)
                viewer.connect(path)
                self.assertEqual(viewer.recv(12)[:4], b'RFB ')
            harness.replace_device(m, 'a')
        # Another cannot have the same.
        m.create(type='128MB', name='b')
        self.assert_refused('BadAddress', m.call, 'SetVnc', vgpu='b',
                            address='unix:' + path)
        m.call('SetVnc', vgpu='a', address='127.0.0.1:5999')
        with socket.create_connection(('127.0.0.1', 5999)) as viewer:
            self.assertEqual(viewer.recv(12)[:4], b'RFB ')
        m.call('SetVnc', vgpu='a', address=None)
        with self.assertRaises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', 5999))


if __name__ == '__main__':
    harness.main()
