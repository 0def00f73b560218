# SPDX-License-Identifier: GPL-2.0-or-later
"""The log and the journal: messages, fields, and who asked for what."""

import os
import socket
import struct
import unittest

import harness
from harness import ManagerTest, wait_for

JOURNAL = '/run/systemd/journal/socket'
UUID = '12345678-9abc-4def-8123-456789abcdef'


def parse(data):
    """A datagram of the journal's own protocol."""
    fields = {}
    while data:
        line, _, data = data.partition(b'\n')
        key, equals, value = line.partition(b'=')
        if not equals:
            size, = struct.unpack('<Q', data[:8])
            value, data = data[8:8 + size], data[9 + size:]
        fields[key.decode()] = value.decode()
    return fields


class Log(ManagerTest):
    def journal(self):
        """A journal of the test's own, where there is none."""
        if os.path.exists(JOURNAL):
            raise unittest.SkipTest('a journal runs here')
        try:
            os.makedirs(os.path.dirname(JOURNAL), exist_ok=True)
            listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            self.addCleanup(listener.close)
            listener.bind(JOURNAL)
        except OSError as e:
            raise unittest.SkipTest(f'{JOURNAL} cannot be made: {e}') from e
        self.addCleanup(os.unlink, JOURNAL)
        listener.setblocking(False)
        entries = []

        def look():
            try:
                while True:
                    entries.append(parse(listener.recv(1 << 16)))
            except BlockingIOError:
                return entries
        return look

    def with_stream(self, stream):
        os.environ['JOURNAL_STREAM'] = stream
        self.addCleanup(os.environ.pop, 'JOURNAL_STREAM')

    def test_journal_has_fields(self):
        look = self.journal()
        m = harness.Manager()
        self.addCleanup(m.finish)
        m.write(m.log_path, '')
        log = os.stat(m.log_path)
        self.with_stream(f'{log.st_dev}:{log.st_ino}')
        m.start()
        m.create(type='128MB', name='a', uuid=UUID)
        m.call('Define', type='128MB')

        def find(event):
            return [e for e in look() if e.get('VGPU_EVENT') == event]
        wait_for(lambda: find('created') and find('defined'), 'the entries')
        created, = find('created')
        self.assertEqual(
            {k: created[k] for k in ('SYSLOG_IDENTIFIER', 'PRIORITY',
                                     'VGPU_UUID', 'VGPU_NAME', 'MESSAGE')},
            {'SYSLOG_IDENTIFIER': 'vgpud', 'PRIORITY': '6', 'VGPU_UUID': UUID,
             'VGPU_NAME': 'a',
             'MESSAGE': f'{UUID} (a) created: a vGPU of type 128MB'})
        self.assertNotIn('VGPU_NAME', find('defined')[0])
        serves, = [e for e in look() if 'serves on' in e['MESSAGE']]
        self.assertNotIn('VGPU_UUID', serves)
        self.assertNotIn('CODE_LINE', serves)
        self.assertEqual(m.log(), '')

    def test_a_file_has_lines(self):
        look = self.journal()
        m = harness.Manager()
        self.addCleanup(m.finish)
        # Of another stream: what systemd started is our parent.
        self.with_stream('1:1')
        m.start()
        m.create(type='128MB', name='a', uuid=UUID)
        self.assertIn(f'vgpud: {UUID} (a) created: a vGPU of type 128MB\n',
                      m.log())
        self.assertEqual(look(), [])

    def test_no_journal(self):
        """It says it on stderr then, whatever that is."""
        if os.path.exists(JOURNAL):
            self.skipTest('a journal runs here')
        m = harness.Manager()
        self.addCleanup(m.finish)
        m.write(m.log_path, '')
        log = os.stat(m.log_path)
        self.with_stream(f'{log.st_dev}:{log.st_ino}')
        m.start()
        self.assertIn('serves on', m.log())

    def test_events_say_who(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.call('Modify', vgpu='a', weight=5)
        m.call('Stop', vgpu='a')
        m.call('Start', vgpu='a')
        os.kill(m.show('a')['devicePid'], 9)
        wait_for(lambda: [e for e in m.events() if e['event'] == 'restarted'],
                 'a successor')
        m.call('Destroy', vgpu='a')
        by = {e['event']: e.get('uid') for e in m.events()
              if e.get('name') == 'a' and e['event'] != 'resumed'}
        me = os.getuid()
        self.assertEqual(by, {
            'created': me, 'modified': me, 'stopped': me, 'started': me,
            'destroyed': me, 'active': None, 'restarted': None})

    def test_events_say_whose_setting_it_is(self):
        m = self.manager()
        m.create(type='128MB', name='a', uuid=UUID)
        m.call('SetMode', vgpu='a', width=800, height=600)
        path = f'unix:{m.folder_of(UUID)}/a.vnc'
        m.call('SetVnc', vgpu='a', address=path)
        m.call('SetVnc', vgpu='a')
        m.call('Stop', vgpu='a')
        m.call('SetMode', vgpu='a', head=1, width=640, height=480)
        m.call('SetScheduler', scheduler='equal-share')
        said = [(e.get('uid'), e['text']) for e in m.events()
                if e['event'] == 'modified' or 'equal-share' in e['text']]
        me = os.getuid()
        self.assertEqual(said, [
            (me, 'head 0 prefers 800 x 600'), (me, f'head 0 has a VNC server at {path}, with input'),
            (me, 'head 0 has no VNC server'), (me, 'what is set of head 1'),
            (me, 'embedded is shared by equal-share from now on, in slices of 5 ms')])


if __name__ == '__main__':
    harness.main()
