# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs that files describe: define --file, apply and check, with a manager."""

import itertools
import json
import os
import re
import socket
import subprocess

import harness
from harness import ManagerTest, wait_for
from pf_model import PF
from sriov import SriovTest

UUID = '12345678-9abc-4def-8123-456789abcdef'
CTL = os.path.join(harness.BUILD, 'vgpuctl')

# What a vGPU is; all else is how it does.
DEFINITION = ('name', 'type', 'gpu', 'autostart', 'weight', 'frameRateLimit')


def definition(vgpu):
    heads = [{k: v for k, v in head.items() if k not in ('width', 'height')}
             for head in vgpu['heads']]
    return {k: vgpu.get(k) for k in DEFINITION}, heads


class DeclaredTest(ManagerTest):
    def ctl(self, m, *arguments, text='', check=True):
        done = subprocess.run([CTL, '--socket', m.socket, *arguments],
                              input=text if isinstance(text, bytes)
                              else text.encode(), capture_output=True,
                              timeout=harness.TIMEOUT, check=False)
        out, err = done.stdout.decode(), done.stderr.decode()
        if check:
            self.assertEqual((done.returncode, err), (0, ''), out)
            return out
        return done.returncode, out, err

    def assert_fails(self, m, *arguments, text='', status=1):
        code, out, err = self.ctl(m, *arguments, text=text, check=False)
        self.assertEqual((code, out), (status, ''), err)
        self.assertEqual(err.count('\n'), 1, err)
        self.assertTrue(err.startswith('vgpuctl: ') and err[:-1].isprintable(),
                        repr(err))
        return err

    def attach(self, manager, vgpu):
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(manager.show(vgpu)['socket'])
        wait_for(lambda: manager.show(vgpu)['state'] == 'attached', 'attach')

    def listed(self, m):
        """What is listed, without what a device counts: that comes when it has answered
        for the first time."""
        return [dict(itertools.takewhile(lambda field: field[0] != 'contexts', vgpu.items()))
                for vgpu in json.loads(self.ctl(m, 'list', '--json'))]

    def file(self, m, value):
        path = os.path.join(m.folder, 'file')
        m.write(path, value if isinstance(value, str) else json.dumps(value))
        return path


class RoundTrip(DeclaredTest):
    def make(self, m):
        m.create(type='128MB', name='a', uuid=UUID, weight=7,
                 frameRateLimit=30, autostart=False, heads=[
                     {'head': 0, 'preferredWidth': 800,
                      'preferredHeight': 600, 'vnc': f'unix:{m.runtime}/a.vnc'},
                     {'head': 1, 'preferredWidth': 640,
                      'preferredHeight': 480}])
        wait_for(lambda: [h['preferredWidth'] for h in m.show('a')['heads']] ==
                 [800, 640], 'the modes')
        return m.show('a')

    def test_equal(self):
        m = self.manager()
        before = self.make(m)
        shown = self.ctl(m, 'show', 'a', '--json')
        m.call('Destroy', vgpu='a')
        self.assertEqual(self.ctl(m, 'define', '--file', '-', text=shown),
                         UUID + '\n')
        after = m.show('a')
        self.assertEqual(after['state'], 'defined')
        self.assertEqual(definition(after), definition(before))
        # And what is defined and never started is told as well.
        shown = self.ctl(m, 'show', 'a', '--json=short')
        m.call('Undefine', vgpu=UUID)
        self.ctl(m, 'create', '--file', self.file(m, shown))
        wait_for(lambda: definition(m.show('a')) == definition(before),
                 'the modes')
        self.assertEqual(m.show('a')['state'], 'active')

    def test_shown_to_a_person(self):
        m = self.manager()
        m.call('Define', type='128MB', name='a')
        lines = self.ctl(m, 'show', 'a').splitlines()
        self.assertIn('State:       defined', lines)
        self.assertIn('Autostart:   off', lines)
        self.ctl(m, 'autostart', 'a', 'on')
        self.assertIn('Autostart:   on', self.ctl(m, 'show', 'a').splitlines())

    def test_verbs(self):
        """From the command line what test_verbs.py does by varlink."""
        m = self.manager()
        uuid = self.ctl(m, 'define', '--type', '128MB', '--name', 'a',
                        '--mode', '800x600', '--head', '1', '--weight',
                        '5').strip()
        self.assertIn('is started already',
                      self.assert_fails(m, 'start', self.start(m, 'a')))
        self.assertEqual(m.show(uuid)['weight'], 5)
        self.assertIn('stop it first', self.assert_fails(m, 'undefine', 'a'))
        self.ctl(m, 'stop', 'a')
        self.assertIn('is stopped already', self.assert_fails(m, 'stop', 'a'))
        self.ctl(m, 'modify', 'a', '--name', 'b', '--type', '256MQ', '--mode',
                 '1280x1024', '--autostart', 'on')
        vgpu = m.show('b')
        self.assertEqual((vgpu['type'], vgpu['autostart'],
                          vgpu['heads'][0]['preferredWidth']),
                         ('256MQ', True, 1280))
        self.ctl(m, 'undefine', 'b')
        self.assert_clean(m)

    def start(self, m, vgpu):
        self.ctl(m, 'start', vgpu)
        return vgpu

    def test_stop_all(self):
        m = self.manager()
        for name in 'abc':
            m.create(type='128MB', name=name)
        m.call('Define', type='128MB', name='d')
        self.attach(m, 'b')
        code, out, err = self.ctl(m, 'stop', '--all', check=False)
        self.assertEqual((code, out), (1, ''))
        self.assertRegex(err, r'^vgpuctl: b: the virtual machine of process '
                         r'\d+ has it[^\n]*\n$')
        self.assertEqual({v['name']: v['state']
                          for v in m.call('ListVgpus')['vgpus']},
                         {'a': 'defined', 'b': 'attached', 'c': 'defined',
                          'd': 'defined'})
        self.ctl(m, 'stop', '--all', '--force')
        self.assertEqual({v['state'] for v in m.call('ListVgpus')['vgpus']},
                         {'defined'})
        self.ctl(m, 'stop', '--all')

    def test_another_like_it(self):
        m = self.manager()
        before = self.make(m)
        shown = self.ctl(m, 'show', 'a', '--json')
        self.assertIn("'a'", self.assert_fails(m, 'define', '--file', '-',
                                               text=shown))
        self.assertIn(UUID, self.assert_fails(m, 'define', '--file', '-',
                                              '--name', 'b', text=shown))
        # A VNC server's address is of no use to two, which is found out later.
        uuid = self.ctl(m, 'define', '--file', '-', '--new-ids',
                        text=shown).strip()
        self.assertNotIn('name', m.show(uuid))
        self.assertEqual(definition(m.show(uuid))[1], definition(before)[1])
        self.ctl(m, 'define', '--file', '-', '--new-ids', '--name', 'b',
                 '--weight', '9', '--autostart', 'on', text=shown)
        self.assertEqual((m.show('b')['weight'], m.show('b')['autostart']),
                         (9, True))

    def test_every_field_is_known(self):
        """Of a vGPU and of its heads; whatever the interface gets."""
        m = self.manager()
        text = subprocess.run(
            ['varlinkctl', 'introspect', m.socket, harness.INTERFACE],
            check=True, capture_output=True, text=True,
            timeout=harness.TIMEOUT).stdout
        text = re.sub(r'#.*', '', text)

        def example(name):
            fields = re.search(r'type %s *\((.*?)\)' % name, text, re.S)[1]
            values = {'string': 'x', 'int': 0, 'bool': False}
            return {key: values[kind] for key, kind in
                    re.findall(r'(\w+)\s*:\s*\??(string|int|bool)\b', fields)} | {
                        key: [] for key in
                        re.findall(r'(\w+)\s*:\s*\??\[\]', fields)}
        vgpu = example('Vgpu')
        head = example('Head')
        self.assertGreater(len(vgpu), 30)
        self.assertIn('preferredWidth', head)
        self.assertEqual(vgpu['refusals'], [])
        del head['vnc']
        vgpu.update(uuid=UUID, name='a', type='128MB', gpu='embedded',
                    weight=5, state='active', transport='vhost-user',
                    heads=[head])
        self.ctl(m, 'define', '--file', '-', text=json.dumps(vgpu))

    def test_hostile(self):
        m = self.manager(mib=2048)
        good = {'type': '128MB', 'name': 'good'}

        def with_(**more):
            return json.dumps(dict(good, **more))
        cases = [
            '', ' ', 'nonsense', '[]', '[1]', '1', '"x"', 'null', '{', '{}',
            '{"type":}', '{"type":"128MB"} x', '{"type":"128MB","type":"1C"}',
            '{"type":"128MB","name":"a","name":"b"}', b'\xff\xfe', b'{"\xff":1}',
            b'{"type":"128MB"}\0', '{"type":"128MB\\u0000"}',
            '{"type":"128MB","\\u001b[2J":1}', '{"type":"\\u001b[2J"}',
            '[' * 5000, '{"a":' * 5000, '{"type":' + '"x' * (1 << 20) + '"}',
            with_(frobnicate=1), with_(type=1), with_(type=None), with_(type=''),
            with_(type=['128MB']), with_(name=5), with_(name='a\n'),
            with_(name='\x1b]0;x\x07'), with_(name='-'), with_(name='x' * 65),
            with_(name='\u202ea'), with_(uuid='x'), with_(uuid=UUID + '0'),
            with_(uuid='00000000-0000-0000-0000-000000000000'),
            with_(gpu='nowhere'), with_(gpu='x' * 500), with_(gpu={}),
            with_(weight=0), with_(weight=-1), with_(weight=1.5),
            with_(weight='5'), with_(weight=10001), with_(weight=1 << 70),
            '{"type":"128MB","weight":1e300}', with_(frameRateLimit=241),
            with_(autostart='on'), with_(autostart=1), with_(heads={}),
            with_(heads=[1]), with_(heads=[{}]), with_(heads=[{'head': 2}]),
            with_(heads=[{'head': -1}]), with_(heads=[{'head': 1 << 63}]),
            with_(heads=[{'head': 0}, {'head': 0}]),
            with_(heads=[{'head': 0, 'x': 1}]),
            with_(heads=[{'head': 0, 'preferredWidth': 800}]),
            with_(heads=[{'head': 0, 'width': 800, 'height': 600}]),
            with_(heads=[{'head': 0, 'preferredWidth': 1 << 32,
                          'preferredHeight': 600}]),
            with_(heads=[{'head': 0, 'preferredWidth': 8000,
                          'preferredHeight': 600}]),
            with_(heads=[{'head': 0, 'vnc': '0.0.0.0:5900'}]),
            with_(heads=[{'head': 0, 'vnc': 'unix:/' + 'x' * 200}]),
            with_(heads=[{'head': i} for i in range(5000)]),
            with_(placement=0), with_(placement=1 << 40), with_(state='dead'),
            with_(foreign=True), with_(usedBytes='many'), with_(devicePid=-1),
            'type: 128MB\nname: &a b\n', 'type: 128MB\ntype: 1C\n',
        ]
        path = os.path.join(m.folder, 'file')
        for case in cases:
            with self.subTest(case=case[:60]):
                with open(path, 'wb') as f:
                    f.write(case if isinstance(case, bytes) else case.encode())
                self.assert_fails(m, 'define', '--file', path)
                self.assert_fails(m, 'create', '--file', path)
                # Of many the others are good.
                one = case if isinstance(case, bytes) else case.encode()
                with open(path, 'wb') as f:
                    f.write(b'[{"type":"128MB","name":"first"},' + one + b']')
                if one.strip() and b'foreign' not in one:
                    self.assert_fails(m, 'apply', path)
        self.assert_fails(m, 'define', '--file', m.folder)
        self.assert_fails(m, 'define', '--file', m.folder + '/none')
        self.assert_clean(m)


class Apply(DeclaredTest):
    def names(self, m):
        return {v.get('name'): (v['type'], v['state'])
                for v in m.call('ListVgpus')['vgpus']}

    def apply(self, m, value, *arguments):
        """Apply it, twice: the second time there is nothing to do."""
        path = self.file(m, value)
        code, told, err = self.ctl(m, 'check', path, *arguments, check=False)
        out = self.ctl(m, 'apply', path, *arguments)
        self.assertEqual(told, out)
        self.assertEqual(code, 1 if out else 0)
        self.assertEqual('difference' in err, bool(out))
        self.assertEqual(self.ctl(m, 'check', path, *arguments), '')
        self.assertEqual(self.ctl(m, 'apply', path, *arguments), '')
        return out.splitlines()

    def test_from_nothing_to_nothing(self):
        m = self.manager()
        wanted = [{'type': '128MB', 'name': 'a', 'weight': 5},
                  {'type': '256MQ', 'name': 'b', 'state': 'defined'},
                  {'type': '128MB'}, {'type': '128MB'}]
        self.assertEqual(self.apply(m, wanted), [
            '+ a: 128MB', '+ b: 256MQ, not started', '+ a new one: 128MB',
            '+ a new one: 128MB'])
        vgpus = m.call('ListVgpus')['vgpus']
        self.assertEqual([(v.get('name'), v['type'], v['state'], v['autostart'])
                          for v in vgpus],
                         [('a', '128MB', 'active', True),
                          ('b', '256MQ', 'defined', False),
                          (None, '128MB', 'active', True),
                          (None, '128MB', 'active', True)])
        # Those that are there stay, whoever made them.
        self.assertEqual(self.apply(m, {'version': 1, 'vgpus': wanted[:3]}),
                         [f"- {vgpus[3]['uuid']}: 128MB on embedded, "
                          'which is not wanted'])
        self.assertEqual(m.show(vgpus[0]['uuid'])['devicePid'],
                         vgpus[0]['devicePid'])
        self.assertEqual(len(self.apply(m, [])), 3)
        self.assert_clean(m)

    def test_what_list_prints(self):
        m = self.manager()
        m.create(type='128MB', name='a', heads=[
            {'head': 1, 'preferredWidth': 640, 'preferredHeight': 480}])
        m.call('Define', type='256MQ', uuid=UUID)
        m.create(type='128MB')
        listed = self.ctl(m, 'list', '--json')
        before = [definition(v) for v in m.call('ListVgpus')['vgpus']]
        self.assertEqual(self.apply(m, listed), [])
        for vgpu in m.call('ListVgpus')['vgpus']:
            m.call('Destroy', vgpu=vgpu['uuid'])
        m.create(type='128MB', name='else')
        self.assertEqual(len(self.apply(m, listed)), 4)
        after = m.call('ListVgpus')['vgpus']
        self.assertEqual([definition(v) for v in after], before)
        self.assertEqual([v['uuid'] for v in after],
                         [v['uuid'] for v in json.loads(listed)])

    def test_changes(self):
        m = self.manager()
        m.create(type='128MB', name='a', uuid=UUID)
        m.create(type='128MB', name='b')
        m.call('Define', type='128MB', name='c')
        vnc = f'unix:{m.runtime}/a.vnc'
        pid = m.show('a')['devicePid']
        self.assertEqual(self.apply(m, [
            {'uuid': UUID, 'name': 'z', 'type': '128MB', 'autostart': False,
             'frameRateLimit': 60, 'heads': [
                 {'head': 0, 'preferredWidth': 800, 'preferredHeight': 600,
                  'vnc': vnc}]},
            {'name': 'b', 'type': '256MQ', 'weight': 9},
            {'name': 'c', 'type': '128MB', 'state': 'active', 'heads': [
                {'head': 1, 'preferredWidth': 640, 'preferredHeight': 480}]},
        ]), [
            '~ b: stop (it becomes of another type)',
            '~ b: type 128MB -> 256MQ, weight 100 -> 9',
            '~ c: head 1 mode 0x0 -> 640x480',
            '~ b: start', '~ c: start',
            '~ a: name a -> z, frameRateLimit 0 -> 60, autostart off',
            '~ a: head 0 mode 1920x1080 -> 800x600',
            f'~ a: head 0 vnc off -> {vnc}'])
        self.assertEqual(self.names(m), {'z': ('128MB', 'active'),
                                         'b': ('256MQ', 'active'),
                                         'c': ('128MB', 'active')})
        # What can be changed while it runs has not ended it.
        self.assertEqual(m.show('z')['devicePid'], pid)
        self.assertEqual(m.show('b')['weight'], 9)
        self.assertEqual(self.apply(m, [
            {'uuid': UUID, 'type': '128MB', 'state': 'defined'},
            {'name': 'b', 'type': '256MQ'}, {'name': 'c', 'type': '128MB'}]),
            ['~ z: stop (it is not to run)'])

    def test_a_password_is_kept(self):
        """A file has no passwords, so a server that has one is not started again."""
        m = self.manager()
        m.create(type='128MB', name='a')
        vnc = f'unix:{m.runtime}/a.vnc'
        m.call('SetVnc', vgpu='a', head=0, address=vnc, password='secret',
               viewOnly=True)
        for head in ({'vncInput': True}, {'vnc': f'unix:{m.runtime}/b.vnc'}):
            err = self.assert_fails(m, 'apply', self.file(m, [
                {'name': 'a', 'type': '128MB',
                 'heads': [{'head': 0, 'vnc': vnc, **head}]}]))
            self.assertIn('has a password', err)
        head = m.show('a')['heads'][0]
        self.assertEqual((head['vnc'], head['vncPassword'], head['vncInput']),
                         (vnc, True, False))

    def test_one_that_failed_is_started(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.helper('vgpu-device', '#!/bin/sh\nexit 3\n')
        os.kill(m.show('a')['devicePid'], 9)
        wait_for(lambda: m.show('a')['state'] == 'failed', 'failure')
        m.helper('vgpu-device')
        lines = self.apply(m, [{'type': '128MB', 'name': 'a'}])
        self.assertEqual(len(lines), 1)
        self.assertIn('~ a: start (it failed: ', lines[0])

    def test_attached(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        m.create(type='128MB', name='b')
        self.attach(m, 'a')
        before = self.listed(m)
        for wanted in ([], [{'type': '256MQ', 'name': 'a'}],
                       [{'type': '128MB', 'name': 'a', 'state': 'defined'}]):
            err = self.assert_fails(m, 'apply', self.file(m, wanted))
            self.assertIn('a virtual machine has it', err)
            self.assertEqual(self.listed(m), before)
        # What needs no end of it is done.
        self.apply(m, [{'type': '128MB', 'name': 'a', 'weight': 3}])
        self.assertEqual(self.names(m), {'a': ('128MB', 'attached')})
        self.ctl(m, 'apply', '--force', self.file(m, []))
        self.assert_clean(m)

    def test_dry_run(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        before = self.listed(m)
        path = self.file(m, [{'type': '128MB', 'name': 'b'}])
        out = self.ctl(m, 'apply', '--dry-run', path)
        self.assertEqual(self.listed(m), before)
        steps = json.loads(self.ctl(m, 'apply', path, '--dry-run', '--json'))
        self.assertEqual([s['text'] for s in steps], out.splitlines())
        self.assertEqual([s['method'] for s in steps], ['Destroy', 'Create'])
        self.assertEqual(json.loads(self.ctl(m, 'apply', path, '--json')), steps)
        self.assertEqual(self.ctl(m, 'check', '-', '--json=short',
                                  text='[{type: 128MB, name: b}]'
                                  .replace('type', '"type"')
                                  .replace('name', '"name"')
                                  .replace('128MB', '"128MB"')
                                  .replace(': b', ': "b"')), '[]\n')

    def test_nothing_is_done_of_what_cannot_be(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        before = self.listed(m)
        good = {'type': '128MB', 'name': 'b'}
        for wrong in (
                {'type': 'x'}, {'type': '128MB', 'gpu': 'x'},
                {'type': '128MB', 'gpu': '0000:01:00.0'},
                {'type': '128MB', 'name': '\x1b'},
                {'type': '128MB', 'uuid': '5'}, {'type': ''}, {'type': '128MB', 'name': 'b'},
                {'type': '128MB', 'weight': 0},
                {'type': '128MB', 'frameRateLimit': 1000},
                {'type': '1C', 'heads': [{'head': 0}]},
                {'type': '128MB', 'heads': [{'head': 0, 'vnc': 'x'}]},
                {'type': '128MB', 'heads': [{'head': 2}]},
                {'type': '128MB', 'heads': [
                    {'head': 0, 'preferredWidth': 9, 'preferredHeight': 9}]},
                {'type': '128MB', 'name': 'a', 'heads': [
                    {'head': 0, 'preferredWidth': 3000,
                     'preferredHeight': 900}]}):
            with self.subTest(wrong=wrong):
                path = self.file(m, [good, wrong])
                for verb in 'apply', 'check':
                    self.assert_fails(m, verb, path)
        for value in ({}, {'vgpus': []}, {'version': 2, 'vgpus': []},
                      {'version': 1, 'vgpus': {}}, {'version': 1},
                      {'version': 1, 'vgpus': [], 'x': 1}, 'version: 1\n',
                      '{"version":1,"version":1,"vgpus":[]}',
                      [{'type': '128MB', 'uuid': UUID},
                       {'type': '128MB', 'uuid': UUID.upper()}]):
            self.assert_fails(m, 'apply', self.file(m, value))
        self.assert_fails(m, 'apply', self.file(m, []), '--config', 'x')
        self.assertEqual(self.listed(m), before)

    def test_no_room(self):
        """If a step fails, earlier steps are reported, and a second run does
        the rest."""
        m = self.manager(mib=256)
        path = self.file(m, [{'type': '128MB', 'name': 'a'},
                             {'type': '256MQ', 'name': 'b'}])
        code, out, err = self.ctl(m, 'apply', path, check=False)
        self.assertEqual((code, out), (1, '+ a: 128MB\n'))
        self.assertIn('+ b: 256MQ', err)
        self.assertIn('1 of 2 changes', err)
        self.assertEqual(self.names(m), {'a': ('128MB', 'active')})

    def test_yaml(self):
        m = self.manager()
        self.apply(m, '# ours\nversion: 1\nvgpus:\n  - type: 128MB\n'
                   '    name: a\n    heads: [{head: 1, preferredWidth: 800, '
                   'preferredHeight: 600}]\n  - {type: 256MQ, state: defined}\n')
        self.assertEqual(self.names(m), {'a': ('128MB', 'active'),
                                         None: ('256MQ', 'defined')})

    def test_types_are_what_a_scheduler_needs(self):
        m = self.manager()
        m.create(type='128MB')
        types = json.loads(self.ctl(m, 'types', '--json'))
        self.assertEqual(
            {k: types[0][k] for k in (
                'type', 'series', 'gpu', 'framebufferMib', 'heads', 'maxWidth',
                'maxHeight', 'frameRateLimit', 'weight', 'available')},
            dict(type='256MQ', series='Q', gpu='embedded', framebufferMib=256,
                 heads=1, maxWidth=2560, maxHeight=1600, frameRateLimit=0,
                 weight=100, available=3))


NVIDIA = '''version: v1
vgpu-configs:
  # Two on the embedded GPU, one on each VF's.
  both:
    - devices: [0]
      vgpu-devices:
        128MB: 2
    - devices: [1]
      vgpu-devices:
        "L40S-8Q": 1
  hardware:
    - devices:
        - 1
      vgpu-devices: {L40S-8Q: 2}
  none:
    - devices: all
      vgpu-devices: {}
  all:
    - devices: all
      vgpu-devices:
        128MB: 1
'''


class DeviceManager(SriovTest, Apply):
    """Files of NVIDIA's vGPU Device Manager."""

    PROBE = ('#!/bin/sh\necho \'{"gpus":[{"name":"Soft","driver":"soft 1",'
             '"deviceUuid":"ab","software":true,"memoryMib":4096,'
             '"memoryImport":"host-pointer","memoryImportFailure":""}]}\'\n')

    def test_configurations(self):
        model = self.model()
        m = self.on(model, mib=512, probe=self.PROBE)
        self.assertEqual([g['gpu'] for g in m.call('ListGpus')['gpus']],
                         ['embedded', PF])
        lines = self.apply(m, NVIDIA, '--config', 'both')
        self.assertEqual(lines, ['+ a new one: 128MB on embedded'] * 2 +
                         [f'+ a new one: 8Q on {PF}'])
        # Of the other GPU nothing is said: what is there stays.
        m.call('Modify', vgpu=next(v['uuid'] for v in
                                   m.call('ListVgpus')['vgpus']
                                   if v['gpu'] == PF), name='named')
        self.assertEqual(self.apply(m, NVIDIA, '--config', 'hardware'),
                         [f'+ a new one: 8Q on {PF}'])
        self.assertEqual(len(m.call('ListVgpus')['vgpus']), 4)
        self.assertIn("no type '128MB'", self.assert_fails(
            m, 'apply', self.file(m, NVIDIA), '--config', 'all'))
        self.assertEqual(len(self.apply(m, NVIDIA, '--config', 'none')), 4)
        self.assert_as_new(model, enabled=8)
        self.assert_clean(m)

    def test_bad(self):
        m = self.manager()
        self.assertIn('choose one', self.assert_fails(
            m, 'check', self.file(m, NVIDIA)))
        self.assertIn("no configuration 'x'", self.assert_fails(
            m, 'check', self.file(m, NVIDIA), '--config', 'x'))

        def of(entry):
            return f'version: v1\nvgpu-configs:\n  c:\n    - {entry}\n'
        good = '{devices: [0], vgpu-devices: {128MB: 1}}'
        self.assertEqual(self.ctl(m, 'apply', '--dry-run',
                                  self.file(m, of(good))),
                         '+ a new one: 128MB on embedded\n')
        for text in (
                of(good).replace('v1', 'v2'), of(good) + 'x: 1\n',
                of(good) + '  c: []\n', 'version: v1\nvgpu-configs: {}\n',
                'version: v1\nvgpu-configs: {c: []}\n',
                'version: v1\nvgpu-configs: []\n',
                'vgpu-configs: {c: [%s]}\n' % good,
                of('1'), of('{}'), of('{devices: all}'),
                of('{vgpu-devices: {128MB: 1}}'),
                of('{devices: some, vgpu-devices: {128MB: 1}}'),
                of('{devices: 0, vgpu-devices: {128MB: 1}}'),
                of('{devices: [9], vgpu-devices: {128MB: 1}}'),
                of('{devices: [0, 0], vgpu-devices: {128MB: 1}}'),
                of('{devices: [-1], vgpu-devices: {128MB: 1}}'),
                of('{devices: [x], vgpu-devices: {128MB: 1}}'),
                of('{devices: all, vgpu-devices: {x: 1}}'),
                of('{devices: all, vgpu-devices: {128MB: x}}'),
                of('{devices: all, vgpu-devices: {128MB: -1}}'),
                of('{devices: all, vgpu-devices: {128MB: 99999}}'),
                of('{devices: all, vgpu-devices: [128MB]}'),
                of('{devices: all, vgpu-devices: {128MB: 1}, x: 1}'),
                of('{device-filter: 0x1, devices: all, '
                   'vgpu-devices: {128MB: 1}}'),
                of(good) + f'    - {good}\n'):
            with self.subTest(text=text):
                self.assert_fails(m, 'apply', self.file(m, text))
        self.assert_clean(m)


if __name__ == '__main__':
    harness.main()
