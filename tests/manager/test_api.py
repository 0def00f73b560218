# SPDX-License-Identifier: GPL-2.0-or-later
"""The methods of io.openvgpu.Manager, used well and badly."""

import json
import os
import shutil
import socket
import stat
import subprocess
import tempfile
import uuid

import harness
from harness import ManagerTest

UUID = '12345678-9abc-4def-8123-456789abcdef'


class Api(ManagerTest):
    def test_life(self):
        m = self.manager()
        created = m.create(type='128MB', name='a', uuid=UUID.upper())
        self.assertEqual(created, UUID)
        vgpu = m.show('a')
        self.assertEqual((vgpu['uuid'], vgpu['type'], vgpu['state']),
                         (UUID, '128MB', 'active'))
        self.assertEqual(vgpu, m.show(UUID.upper()))
        self.assertEqual(vgpu['framebufferMib'], 128)
        self.assertEqual(len(vgpu['heads']), 2)
        self.assertTrue(harness.is_alive(vgpu['devicePid']))
        self.assertTrue(os.path.exists(vgpu['socket']))
        self.assertEqual(m.call('Destroy', vgpu='a'), {})
        self.assertFalse(harness.is_alive(vgpu['devicePid']))
        self.assert_clean(m)

    def test_processes_can_be_told_apart(self):
        """ps(1) says whose device a process is."""
        m = self.manager()
        for name in 'a', None:
            named = {'name': name} if name else {}
            uuid_ = m.create(type='128MB', **named)
            pid = m.show(uuid_)['devicePid']
            with open(f'/proc/{pid}/cmdline', encoding='ascii') as file:
                words = file.read().split('\0')[:-1]
            self.assertEqual(words[3:], ['--uuid', uuid_] +
                             (['--name', name] if name else []))

    def test_unnamed_vgpus_differ(self):
        m = self.manager()
        first, second = m.create(type='128MB'), m.create(type='128MB')
        self.assertNotEqual(first, second)
        self.assertEqual(uuid.UUID(first).version, 4)
        self.assertNotIn('name', m.show(first))
        self.assertEqual([m.show(v)['framebufferOffsetMib']
                          for v in (first, second)], [0, 128])

    def test_info(self):
        m = self.manager()
        info = m.call('GetInfo')
        self.assertEqual(info['pid'], m.process.pid)
        self.assertEqual(info['stateDirectory'], m.state)
        self.assertEqual(info['typesFile'], m.types)
        self.assertNotIn('typesProblem', info)

    def test_gpus(self):
        m = self.manager()
        soft, hard = m.call('ListGpus')['gpus']
        self.assertEqual((soft['gpu'], soft['name'], soft['software']),
                         ('embedded', 'Soft', True))
        self.assertNotIn('unusable', soft)
        self.assertEqual((hard['gpu'], hard['pciAddress'], hard['freeMib']),
                         ('0000:01:00.0', '0000:01:00.0', 0))
        self.assertEqual(hard['unusable'],
                         "its driver cannot take a vGPU's memory (host-pointer: no)")

    def test_types(self):
        m = self.manager()
        types = m.call('ListTypes')['types']
        self.assertEqual({t['type']: t['available'] for t in types},
                         {'128MB': 8, '256MQ': 4, '1C': 1, '2Q': 0})
        self.assertEqual({t['gpu'] for t in types}, {'embedded'})
        self.assertEqual(m.call('ListTypes', gpu='embedded')['types'], types)
        self.assertEqual(m.call('ListTypes', gpu='0000:01:00.0')['types'], [])

    def test_qemu_arguments(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        answer = m.call('GetQemuArguments', vgpu='a')
        words = ' '.join(answer['arguments'])
        self.assertIn('path=' + m.show('a')['socket'], words)
        self.assertIn('vhost-user-test-device-pci,virtio-id=16', words)
        self.assertIn('share=on', answer['note'])
        self.assertIs(answer['sharedMemory'], True)
        # QEMU's own syntax and JSON say the same.
        driver, *properties = answer['arguments'][3].split(',')
        self.assertEqual(
            {'driver': driver, **dict(p.split('=') for p in properties)},
            {key: str(value) for key, value in answer['device'].items()})

    def test_qemu_arguments_of_input(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        answer = m.call('GetQemuArguments', vgpu='a')
        words = answer['arguments']
        self.assertEqual(answer['devices'][0], answer['device'])
        self.assertEqual(words[::4], ['-chardev'] * 3)
        self.assertEqual(words[2::4], ['-device'] * 3)
        for i, name in enumerate(('keyboard', 'tablet'), 1):
            chardev, device = words[4 * i + 1], words[4 * i + 3]
            path = os.path.join(os.path.dirname(m.show('a')['socket']), name + '.sock')
            self.assertTrue(chardev.endswith(f',path={path}'), chardev)
            self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
            driver, id_ = device.split(',chardev=')
            self.assertEqual(driver, 'vhost-user-input-pci')
            self.assertIn(f',id={id_},', chardev)
            self.assertEqual(answer['devices'][i],
                             {'driver': driver, 'chardev': id_})
        self.assertEqual(
            m.call('GetQemuArguments', vgpu='a', input=False)['arguments'], words[:4])
        # The folder goes with the vGPU.
        folder = os.path.dirname(m.show('a')['socket'])
        m.call('Destroy', vgpu='a')
        self.assertFalse(os.path.exists(folder))
        # Without a head there is nothing to type into.
        m.create(type='1C', name='c')
        self.assertEqual(len(m.call('GetQemuArguments', vgpu='c')['arguments']), 4)

    def test_qemu_arguments_of_a_display(self):
        m = self.manager()
        for name, type_, mode, head in (
                ('a', '128MB', {}, 'max_outputs=2,xres=1920,yres=1080'),
                ('b', '128MB', {'preferredWidth': 1024, 'preferredHeight': 768},
                 'max_outputs=2,xres=1024,yres=768')):
            heads = [{'head': 0, **mode}] if mode else []
            m.create(type=type_, name=name, heads=heads)
            answer = m.call('GetQemuArguments', vgpu=name, display=True)
            text = answer['arguments'][3]
            self.assertTrue(text.startswith('vhost-user-vga,chardev=vgpu-'))
            self.assertTrue(text.endswith(head), text)
            driver, *properties = text.split(',')
            self.assertEqual(
                {'driver': driver, **dict(p.split('=') for p in properties)},
                {key: str(value) for key, value in answer['device'].items()})
            m.call('Destroy', vgpu=name)
        m.create(type='1C', name='c')
        self.assert_refused('NoSuchHead', m.call, 'GetQemuArguments', vgpu='c',
                            display=True)

    def test_qemu_arguments_double_commas(self):
        folder = tempfile.mkdtemp(prefix='vgpud,.')
        self.addCleanup(shutil.rmtree, folder)
        m = self.manager(folder=folder)
        m.create(type='128MB', name='a')
        chardev = m.call('GetQemuArguments', vgpu='a')['arguments'][1]
        path = m.show('a')['socket']
        self.assertIn(',', path)
        self.assertIn('path=' + path.replace(',', ',,'), chardev)

    def test_varlinkctl(self):
        m = self.manager()

        def varlinkctl(*arguments):
            return subprocess.run(['varlinkctl', *arguments], check=True,
                                  timeout=harness.TIMEOUT, text=True,
                                  capture_output=True).stdout

        self.assertIn('Product: vgpud', varlinkctl('info', m.socket))
        text = varlinkctl('introspect', m.socket, harness.INTERFACE)
        self.assertIn('method Create(', text)
        self.assertIn('# Make a vGPU', text)
        answer = varlinkctl('call', m.socket, harness.INTERFACE + '.ListVgpus',
                            '{}')
        self.assertEqual(json.loads(answer), {'vgpus': []})

    def test_capture(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        client = m.client()
        self.addCleanup(client.close)
        frame = client.call('Capture', vgpu='a')
        self.assertEqual(frame['fileDescriptor'], 0)
        self.assertEqual(len(client.fds), 1)
        size = os.fstat(client.fds[0]).st_size
        self.assertGreaterEqual(size, frame['stride'] * frame['height'])
        # Nothing is shown where nothing is plugged in.
        self.assert_refused('NotPlugged', m.call, 'Capture', vgpu='a', head=1)
        m.call('SetMode', vgpu='a', head=1, width=800, height=600)
        frame = m.call('Capture', vgpu='a', head=1)
        self.assertEqual((frame['width'], frame['height']), (800, 600))
        m.call('SetMode', vgpu='a', head=1, width=0, height=0)
        self.assert_refused('NotPlugged', m.call, 'Capture', vgpu='a', head=1)

    def test_mode(self):
        m = self.manager()
        m.create(type='128MB', name='a')

        def preferred():
            head = m.show('a')['heads'][0]
            return head['preferredWidth'], head['preferredHeight']

        m.call('SetMode', vgpu='a', width=800, height=600)
        harness.wait_for(lambda: preferred() == (800, 600), 'the mode')
        m.call('SetMode', vgpu='a', head=0, width=1920, height=1080)
        harness.wait_for(lambda: preferred() == (1920, 1080), 'the mode')
        # A machine that was restarted has it still.
        os.kill(m.show('a')['devicePid'], 9)
        m.restart()
        harness.wait_for(lambda: preferred() == (1920, 1080), 'the mode')


class BadCalls(ManagerTest):
    def test_create(self):
        m = self.manager()
        m.create(type='128MB', name='a', uuid=UUID)
        before = harness.wait_for_rest(m)
        bad = {
            'NoSuchType': [dict(type='9Z'), dict(type=''),
                           dict(type='x' * 5000), dict(type='\x1b[0m'),
                           dict(type='ü' * 400)],
            'NoSuchGpu': [dict(type='128MB', gpu='nope'),
                          dict(type='128MB', gpu='../../etc')],
            'GpuUnusable': [dict(type='128MB', gpu='0000:01:00.0')],
            'NameInUse': [dict(type='128MB', name='a')],
            'UuidInUse': [dict(type='128MB', uuid=UUID),
                          dict(type='128MB', uuid=UUID.upper())],
            'BadUuid': [dict(type='128MB', uuid=u) for u in
                        ('', 'x', UUID[:-1], UUID + '0', UUID[:-1] + 'g',
                         '{' + UUID + '}', UUID.replace('-', ''),
                         '00000000-0000-0000-0000-000000000000',
                         '../' + UUID[3:])],
            'BadName': [dict(type='128MB', name=n) for n in
                        ('', '/', 'a/b', '..', '.', '-a', 'a b', 'a\nb',
                         'a\x1b[0m', 'x' * 65, 'x' * 300, 'ü', UUID)],
        }
        for error, calls in bad.items():
            for call in calls:
                with self.subTest(error=error, call=str(call)[:60]):
                    self.assert_refused(error, m.create, **call)
        self.assertEqual(harness.wait_for_rest(m), before)

    def test_no_room_says_what_fits(self):
        m = self.manager()
        m.create(type='256MQ')
        refused = self.assert_refused('NoRoom', m.create, type='1C')
        self.assertEqual(refused.parameters['freeMib'], 768)
        self.assertEqual(sorted(refused.parameters['fits']), ['128MB', '256MQ'])
        for part in ('1C', '1024 MiB', '768 MiB', '256MQ 128MB'):
            self.assertIn(part, refused.parameters['text'])
        self.assert_refused('NoRoom', m.create, type='2Q', gpu='embedded')

    def test_wrong_parameters(self):
        m = self.manager()
        invalid = 'org.varlink.service.InvalidParameter'
        self.assert_refused(invalid, m.create)
        self.assert_refused(invalid, m.create, type=1)
        self.assert_refused(invalid, m.create, type='128MB', colour='red')
        self.assert_refused(invalid, m.create, type=None)
        self.assert_refused(invalid, m.call, 'Destroy', vgpu='a', force='x')
        self.assert_refused('org.varlink.service.MethodNotFound', m.call,
                            'Explode')
        self.assert_refused('org.varlink.service.ExpectedMore', m.call,
                            'Subscribe')
        # Unset and null are the same.
        m.create(type='128MB', gpu=None, name=None, uuid=None)

    def test_no_such_vgpu(self):
        m = self.manager()
        for vgpu in ('', 'a', UUID, '/', '\x1b', 'x' * 1000):
            for method in ('GetVgpu', 'Destroy', 'GetQemuArguments',
                           'Capture', 'SetVnc'):
                self.assert_refused('NoSuchVgpu', m.call, method, vgpu=vgpu)

    def test_heads_and_modes(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.create(type='256MQ', name='b')
        for head in (2, 16, 2**31, 2**32, 2**40, -1):
            self.assert_refused('NoSuchHead', m.call, 'Capture', vgpu='a',
                                head=head)
            self.assert_refused('NoSuchHead', m.call, 'SetMode', vgpu='a',
                                head=head, width=640, height=480)
        for width, height in ((0, 480), (640, 0), (1921, 1080), (1920, 1081),
                              (2**32 + 640, 480), (-640, 480)):
            self.assert_refused('BadMode', m.call, 'SetMode', vgpu='a',
                                width=width, height=height)

    def test_no_heads(self):
        m = self.manager()
        m.create(type='1C', name='c')
        refused = self.assert_refused('NoSuchHead', m.call, 'Capture',
                                      vgpu='c')
        self.assertIn('no heads', refused.parameters['text'])

    def test_destroy_attached(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(m.show('a')['socket'])
        harness.wait_for(lambda: m.show('a')['state'] == 'attached', 'attach')
        self.assertEqual(m.show('a')['vmPid'], os.getpid())
        refused = self.assert_refused('InUse', m.call, 'Destroy', vgpu='a')
        self.assertIn(str(os.getpid()), refused.parameters['text'])
        self.assert_refused('InUse', m.call, 'Destroy', vgpu='a', force=False)
        self.assertEqual(m.show('a')['state'], 'attached')
        m.call('Destroy', vgpu='a', force=True)
        self.assert_clean(m)
        kinds = [e['event'] for e in m.events() if e.get('name') == 'a']
        self.assertEqual(kinds, ['created', 'active', 'attached', 'destroyed'])


if __name__ == '__main__':
    harness.main()
