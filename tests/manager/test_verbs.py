# SPDX-License-Identifier: GPL-2.0-or-later
"""The lives of vGPUs: defined, started, stopped, changed, undefined."""

import json
import os
import random
import shutil
import socket
import time

import harness
import test_restart
from harness import ManagerTest, wait_for
from sriov import SriovTest
from pf_model import DRIVER, PF

UUID = '12345678-9abc-4def-8123-456789abcdef'
DEAD_DEVICE = '#!/bin/sh\nexit 3\n'


class VerbsTest(ManagerTest):
    def attach(self, manager, vgpu):
        vmm = socket.socket(socket.AF_UNIX)
        self.addCleanup(vmm.close)
        vmm.connect(manager.show(vgpu)['socket'])
        wait_for(lambda: manager.show(vgpu)['state'] == 'attached', 'attach')
        return vmm

    def kinds(self, manager, name):
        return [e['event'] for e in manager.events() if e.get('name') == name]

    def assert_stopped(self, m, vgpu):
        """Nothing is held for it."""
        shown = m.show(vgpu)
        self.assertEqual(shown['state'], 'defined')
        for key in ('devicePid', 'socket', 'vmPid', 'failure',
                    'framebufferOffsetMib'):
            self.assertNotIn(key, shown)
        self.assertFalse(os.path.exists(m.folder_of(shown['uuid'])))

    def reboot(self, m):
        """No process is left, and nothing below /run."""
        pids = [v['devicePid'] for v in m.call('ListVgpus')['vgpus']
                if 'devicePid' in v]
        m.kill()
        for pid in pids:
            harness.kill_to_the_end(pid)
        shutil.rmtree(m.runtime)
        m.start()
        wait_for(lambda: all(v['state'] == 'active' or
                             'framebufferOffsetMib' not in v
                             for v in m.call('ListVgpus')['vgpus']),
                 'all to be started')


class Lives(VerbsTest):
    def test_life(self):
        m = self.manager()
        self.assertEqual(m.call('Define', type='128MB', name='a', uuid=UUID),
                         {'uuid': UUID})
        self.assert_stopped(m, 'a')
        self.assertIs(m.show('a')['autostart'], False)
        self.assertEqual(m.gpu()['freeMib'], 1024)
        self.assertEqual(m.call('Start', vgpu='a'), {})
        vgpu = m.show(UUID)
        self.assertEqual((vgpu['state'], vgpu['name']), ('active', 'a'))
        self.assertEqual(m.gpu()['freeMib'], 1024 - 128)
        self.assertEqual(m.call('Stop', vgpu='a'), {})
        self.assertFalse(harness.is_alive(vgpu['devicePid']))
        self.assert_stopped(m, 'a')
        self.assertEqual(m.gpu()['freeMib'], 1024)
        m.call('Start', vgpu='a')
        self.assertTrue(harness.is_alive(m.show('a')['devicePid']))
        m.call('Stop', vgpu='a')
        self.assertEqual(m.call('Undefine', vgpu='a'), {})
        self.assert_clean(m)
        self.assertEqual(self.kinds(m, 'a'), [
            'defined', 'started', 'active', 'stopped', 'started', 'active',
            'stopped', 'destroyed'])

    def test_created_is_defined_and_started(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        self.assertIs(m.show('a')['autostart'], True)
        m.call('Stop', vgpu='a')
        self.assert_stopped(m, 'a')
        m.call('Destroy', vgpu='a')
        self.assert_clean(m)

    def test_nothing_is_left_of_many_lives(self):
        m = self.manager(mib=256)
        m.call('Define', type='256MQ', name='a')
        m.call('Start', vgpu='a')
        before = harness.wait_for_rest(m)
        for _ in range(20):
            m.call('Stop', vgpu='a')
            m.call('Start', vgpu='a')
        self.assertEqual(harness.wait_for_rest(m), before)

    def test_no_room(self):
        m = self.manager(mib=256)
        m.create(type='256MQ', name='a')
        # It is no matter yet that there is none.
        m.call('Define', type='256MQ', name='b')
        refused = self.assert_refused('NoRoom', m.call, 'Start', vgpu='b')
        self.assertEqual(refused.parameters['fits'], [])
        self.assert_stopped(m, 'b')
        m.call('Stop', vgpu='a')
        m.call('Start', vgpu='b')
        self.assert_refused('NoRoom', m.call, 'Start', vgpu='a')
        self.assertEqual(m.show('b')['state'], 'active')

    def test_attached_is_refused(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        self.attach(m, 'a')
        refused = self.assert_refused('InUse', m.call, 'Stop', vgpu='a')
        self.assertIn(str(os.getpid()), refused.parameters['text'])
        self.assertEqual(m.show('a')['state'], 'attached')
        m.call('Stop', vgpu='a', force=True)
        self.assert_stopped(m, 'a')

    def test_impossible_transitions(self):
        m = self.manager()
        m.call('Define', type='128MB', name='stopped')
        m.create(type='128MB', name='active')
        m.create(type='128MB', name='attached')
        self.attach(m, 'attached')
        table = {
            'stopped': {'Stop': 'BadState', 'Capture': 'NotActive',
                        'GetQemuArguments': 'NotActive'},
            'active': {'Start': 'BadState', 'Undefine': 'BadState'},
            'attached': {'Start': 'BadState', 'Undefine': 'BadState',
                         'Stop': 'InUse', 'Destroy': 'InUse'},
            'none': {'Start': 'NoSuchVgpu', 'Stop': 'NoSuchVgpu',
                     'Undefine': 'NoSuchVgpu', 'Modify': 'NoSuchVgpu'},
        }
        before = m.call('ListVgpus')
        for vgpu, verbs in table.items():
            for verb, error in verbs.items():
                with self.subTest(vgpu=vgpu, verb=verb):
                    self.assert_refused(error, m.call, verb, vgpu=vgpu)
        for vgpu in 'active', 'attached':
            self.assert_refused('BadState', m.call, 'Modify', vgpu=vgpu,
                                type='256MQ')
        self.assertEqual(m.call('ListVgpus'), before)

    def test_bad_definitions(self):
        m = self.manager(mib=2048)
        m.create(type='128MB', name='a', uuid=UUID)
        for error, parameters in (
                ('NoSuchType', dict(type='x')),
                ('NoSuchType', dict(type='x', gpu='embedded')),
                ('NoSuchGpu', dict(type='128MB', gpu='x')),
                ('GpuUnusable', dict(type='128MB', gpu='0000:01:00.0')),
                ('NameInUse', dict(type='128MB', name='a')),
                ('UuidInUse', dict(type='128MB', uuid=UUID)),
                ('BadName', dict(type='128MB', name='\x1b[2J')),
                ('BadUuid', dict(type='128MB', uuid='x')),
                ('BadPlacement', dict(type='128MB', placement=1)),
                ('BadShare', dict(type='128MB', weight=0)),
                ('BadShare', dict(type='128MB', weight=1 << 62)),
                ('BadShare', dict(type='128MB', weight=-5)),
                ('BadShare', dict(type='128MB', frameRateLimit=241)),
                ('NoSuchHead', dict(type='128MB', heads=[{'head': 2}])),
                ('NoSuchHead', dict(type='1C', heads=[{'head': 0}])),
                ('NoSuchHead', dict(type='128MB',
                                    heads=[{'head': 0}, {'head': 0}])),
                ('BadMode', dict(type='128MB', heads=[
                    {'head': 0, 'preferredWidth': 1921,
                     'preferredHeight': 1080}])),
                ('BadMode', dict(type='128MB', heads=[
                    {'head': 0, 'preferredWidth': 1 << 40,
                     'preferredHeight': 1080}])),
                ('BadMode', dict(type='128MB', heads=[
                    {'head': 0, 'preferredWidth': 800}])),
                ('BadMode', dict(type='128MB', heads=[
                    {'head': 0, 'preferredWidth': 20,
                     'preferredHeight': 20}])),
                ('BadAddress', dict(type='128MB', heads=[
                    {'head': 0, 'vnc': '0.0.0.0:5900'}]))):
            for method in 'Define', 'Create':
                with self.subTest(method=method, **parameters):
                    self.assert_refused(error, m.call, method, **parameters)
        self.assertEqual(len(m.call('ListVgpus')['vgpus']), 1)
        self.assertEqual(os.listdir(os.path.join(m.state, 'vgpus')),
                         [UUID + '.json'])

    def test_full_disk(self):
        """What cannot be written is not done, or is found out later."""
        m = self.manager()
        m.call('Define', type='128MB', name='a', uuid=UUID)
        # No file can be made in a folder's place.
        os.mkdir(m.definition(UUID) + '.new')
        self.assert_refused('CannotSave', m.call, 'Start', vgpu='a')
        self.assert_refused('CannotSave', m.call, 'Modify', vgpu='a', name='b')
        self.assert_refused('CannotSave', m.call, 'SetMode', vgpu='a',
                            width=800, height=600)
        self.assert_stopped(m, 'a')
        os.rmdir(m.definition(UUID) + '.new')
        m.call('Start', vgpu='a')
        os.mkdir(m.definition(UUID) + '.new')
        m.call('Stop', vgpu='a')
        self.assert_stopped(m, 'a')
        self.assertIn('cannot be written', m.log())
        os.rmdir(m.definition(UUID) + '.new')
        m.restart()
        self.assert_stopped(m, 'a')

    def test_one_that_cannot_start(self):
        m = self.manager()
        m.call('Define', type='128MB', name='a')
        m.helper('vgpu-device', DEAD_DEVICE)
        refused = self.assert_refused('Internal', m.call, 'Start', vgpu='a')
        self.assertIn('cannot be started', refused.parameters['text'])
        self.assert_stopped(m, 'a')
        self.assertEqual(m.gpu()['freeMib'], 1024)
        m.helper('vgpu-device')
        m.call('Start', vgpu='a')
        self.assertEqual(m.show('a')['state'], 'active')

    def test_what_bounds_a_stop_ends_with_it(self):
        """And cuts no later start short."""
        m = self.manager()
        m.create(type='128MB', name='a')
        m.call('Stop', vgpu='a')
        m.helper('vgpu-device', '#!/bin/sh\nexec sleep 1000\n')
        for _ in range(2):
            refused = self.assert_refused('Internal', m.call, 'Start', vgpu='a')
            self.assertIn('cannot be started', refused.parameters['text'])
        m.helper('vgpu-device')
        m.call('Start', vgpu='a')

    def test_one_that_failed(self):
        """A failed vGPU can be started again, or stopped; what it held is free
        then."""
        m = self.manager()
        for verb in 'Start', 'Stop', 'Undefine':
            with self.subTest(verb=verb):
                m.helper('vgpu-device')
                m.create(type='128MB', name='a')
                m.helper('vgpu-device', DEAD_DEVICE)
                os.kill(m.show('a')['devicePid'], 9)
                wait_for(lambda: m.show('a')['state'] == 'failed', 'failure')
                m.helper('vgpu-device')
                m.call(verb, vgpu='a')
                if verb == 'Start':
                    self.assertEqual(m.show('a')['state'], 'active')
                elif verb == 'Stop':
                    self.assert_stopped(m, 'a')
                    self.assertEqual(m.gpu()['freeMib'], 1024)
                if verb != 'Undefine':
                    m.call('Destroy', vgpu='a')
                self.assert_clean(m)

    def test_damaged(self):
        m = self.manager()
        m.call('Define', type='128MB', uuid=UUID)
        m.kill()
        m.write(m.definition(UUID), '{"version": 1')
        m.start()
        self.assertEqual(m.show(UUID)['state'], 'failed')
        for verb in 'Start', 'Stop':
            self.assert_refused('BadState', m.call, verb, vgpu=UUID)
        self.assert_refused('BadState', m.call, 'Modify', vgpu=UUID, name='b')
        m.call('Undefine', vgpu=UUID)
        self.assert_clean(m)


class Changes(VerbsTest):
    def test_name(self):
        m = self.manager()
        m.create(type='128MB', name='a', uuid=UUID)
        m.call('Define', type='128MB', name='b')
        m.call('Modify', vgpu='a', name='c')
        self.assertEqual(m.show(UUID)['name'], 'c')
        self.assert_refused('NameInUse', m.call, 'Modify', vgpu='c', name='b')
        self.assert_refused('BadName', m.call, 'Modify', vgpu='c', name='a\n')
        self.assert_refused('BadName', m.call, 'Modify', vgpu='c',
                            name='x' * 65)
        m.call('Modify', vgpu='c', name='c')
        m.call('Modify', vgpu='b', name='')
        m.restart()
        self.assertEqual(m.show(UUID)['name'], 'c')
        self.assertEqual([v.get('name') for v in m.call('ListVgpus')['vgpus']],
                         ['c', None])

    def test_type(self):
        m = self.manager()
        m.call('Define', type='128MB', name='a', weight=7, heads=[
            {'head': 0, 'preferredWidth': 1920, 'preferredHeight': 1080},
            {'head': 1, 'preferredWidth': 640, 'preferredHeight': 480}])
        m.call('Modify', vgpu='a', type='256MQ')
        vgpu = m.show('a')
        self.assertEqual((vgpu['type'], vgpu['framebufferMib'],
                          vgpu['weight'], len(vgpu['heads'])),
                         ('256MQ', 256, 100, 1))
        m.call('Start', vgpu='a')
        self.assertEqual(m.gpu()['freeMib'], 1024 - 256)
        m.call('Stop', vgpu='a')
        # Its mode is larger than what this one has.
        m.call('Modify', vgpu='a', type='2Q')
        self.assertEqual(m.show('a')['heads'][0]['preferredWidth'], 1024)
        self.assert_refused('NoSuchType', m.call, 'Modify', vgpu='a', type='x')
        self.assert_refused('NoRoom', m.call, 'Start', vgpu='a')

    def test_nothing_changes_if_one_is_wrong(self):
        m = self.manager()
        m.create(type='128MB', name='a')
        before = m.show('a')
        for wrong in (dict(weight=0), dict(frameRateLimit=1000),
                      dict(type='256MQ'), dict(name='-')):
            self.assertTrue(self.assert_refused(
                {'weight': 'BadShare', 'frameRateLimit': 'BadShare',
                 'type': 'BadState', 'name': 'BadName'}[list(wrong)[0]],
                m.call, 'Modify', vgpu='a',
                **dict({'name': 'b', 'autostart': False, 'weight': 5},
                       **wrong)))
            self.assertEqual(m.show('a')['weight'], before['weight'])
            self.assertIs(m.show('a')['autostart'], True)

    def test_settings_of_a_stopped_one(self):
        """Modes and VNC servers set while it is stopped apply when it starts.
        """
        m = self.manager()
        m.call('Define', type='128MB', name='a', heads=[
            {'head': 0, 'preferredWidth': 800, 'preferredHeight': 600}])
        vnc = f'unix:{m.runtime}/a.vnc'
        m.call('SetMode', vgpu='a', head=1, width=1024, height=768)
        m.call('SetVnc', vgpu='a', head=0, address=vnc)
        self.assert_refused('BadMode', m.call, 'SetMode', vgpu='a', width=1,
                            height=1)
        self.assert_refused('BadAddress', m.call, 'SetVnc', vgpu='a',
                            address='x')

        def heads():
            return [(h['preferredWidth'], h['preferredHeight'], h.get('vnc'))
                    for h in m.show('a')['heads']]
        wanted = [(800, 600, vnc), (1024, 768, None)]
        self.assertEqual(heads(), wanted)
        self.assertFalse(os.path.exists(vnc[5:]))
        m.restart()
        self.assertEqual(heads(), wanted)
        m.call('Start', vgpu='a')
        wait_for(lambda: heads() == wanted, 'the modes')
        wait_for(lambda: os.path.exists(vnc[5:]), 'the VNC server')
        m.call('Stop', vgpu='a')
        self.assertEqual(heads(), wanted)
        m.call('SetVnc', vgpu='a', head=0)
        self.assertEqual(heads()[0], (800, 600, None))

    def test_heads_of_one_never_started(self):
        """Heads are shown as they will be after the start; what is shown can
        be defined again."""
        m = self.manager()
        m.call('Define', type='128MB', name='a')

        def modes():
            return [(h['preferredWidth'], h['preferredHeight'])
                    for h in m.show('a')['heads']]
        self.assertEqual(modes(), [(1920, 1080), (0, 0)])
        m.call('Start', vgpu='a')
        wait_for(lambda: modes() == [(1920, 1080), (0, 0)], 'the modes')

    def test_order(self):
        """By name, then those without one by uuid; over restarts, too."""
        m = self.manager()
        for name in 'b', 'a10', 'c', None, 'a9', None:
            m.call('Define', type='128MB', name=name)
        vgpus = m.call('ListVgpus')['vgpus']
        self.assertEqual([v.get('name') for v in vgpus],
                         ['a10', 'a9', 'b', 'c', None, None])
        self.assertLess(vgpus[4]['uuid'], vgpus[5]['uuid'])
        m.restart()
        self.assertEqual(m.call('ListVgpus')['vgpus'], vgpus)


class Autostart(VerbsTest):
    def test_reboot(self):
        m = self.manager()
        m.create(type='128MB', name='on')
        m.create(type='128MB', name='on-stopped')
        m.create(type='128MB', name='off', autostart=False)
        m.call('Define', type='128MB', name='never')
        m.call('Define', type='128MB', name='set')
        m.call('Modify', vgpu='set', autostart=True)
        m.call('Stop', vgpu='on-stopped')
        self.reboot(m)
        self.assertEqual({v['name']: v['state']
                          for v in m.call('ListVgpus')['vgpus']},
                         {'on': 'active', 'on-stopped': 'active',
                          'set': 'active', 'off': 'defined',
                          'never': 'defined'})
        for name in 'off', 'never':
            self.assert_stopped(m, name)
        self.assertEqual(m.gpu()['freeMib'], 1024 - 3 * 128)

    def test_what_runs_runs_on(self):
        """Only a start of its own is meant, not that it goes on."""
        m = self.manager()
        m.create(type='128MB', name='a', autostart=False)
        vmm = self.attach(m, 'a')
        pid = m.show('a')['devicePid']
        m.restart()
        self.assertEqual((m.show('a')['state'], m.show('a')['devicePid']),
                         ('attached', pid))
        # And it has a successor still.
        harness.replace_device(m, 'a')
        vmm.close()

    def test_place_of_a_stopped_one(self):
        """A place that another vGPU has taken stays that one's, after a
        restart too."""
        m = self.manager(mib=512)
        first = m.create(type='256MQ', name='first', uuid=UUID)
        m.call('Stop', vgpu=first)
        m.create(type='256MQ', name='second', autostart=False,
                 uuid='ffffffff-9abc-4def-8123-456789abcdef')
        self.assertEqual(m.show('second')['framebufferOffsetMib'], 0)
        m.restart()
        wait_for(lambda: m.show('first')['state'] == 'active', 'start')
        self.assertEqual((m.show('second')['state'],
                          m.show('second')['framebufferOffsetMib'],
                          m.show('first')['framebufferOffsetMib']),
                         ('active', 0, 256))

    def test_room_of_one_that_is_not_started(self):
        """A vGPU that is not started holds no framebuffer."""
        m = self.manager(mib=256)
        m.create(type='256MQ', name='off', autostart=False, uuid=UUID)
        m.call('Define', type='256MQ', name='on', autostart=True)
        self.reboot(m)
        wait_for(lambda: m.show('on')['state'] == 'active', 'start')
        self.assert_stopped(m, 'off')

    def test_old_definitions_start(self):
        """As they are of a vgpud that knew nothing of this."""
        m = self.manager()
        m.create(type='128MB', name='a', uuid=UUID)
        with open(m.definition(UUID), encoding='utf-8') as f:
            definition = json.load(f)
        self.assertNotIn('autostart', definition)
        m.kill()
        definition['version'] = 1
        m.write(m.definition(UUID), json.dumps(
            {key: value for key, value in definition.items()
             if key not in ('ownerUid', 'ownerGid')}))
        m.start()
        self.assertTrue(m.show('a')['autostart'])
        m.call('Modify', vgpu='a', autostart=False)
        with open(m.definition(UUID), encoding='utf-8') as f:
            definition = json.load(f)
        self.assertEqual((definition['version'], definition['autostart']),
                         (4, False))


class Storm(VerbsTest):
    """vgpud is killed at any moment of starts and stops."""

    def test_storm(self):
        m = self.manager(mib=512, helpers={
            'vgpu-device': test_restart.Storm.DEVICE})
        rng = random.Random(4)
        names = ['a', 'b', 'c']
        for name in names:
            m.call('Define', type='128MB', name=name, autostart=name == 'a')
        for _ in range(25):
            clients = []
            for name in names:
                client = m.client()
                clients.append(client)
                for verb in rng.sample(['Start', 'Stop'], 2):
                    client.send(verb, {'vgpu': name})
            time.sleep(rng.random() * 0.04)
            m.kill()
            for client in clients:
                client.close()
            m.start()

            def are_settled():
                vgpus = m.call('ListVgpus')['vgpus']
                return all((v['state'] == 'active') ==
                           ('framebufferOffsetMib' in v) for v in vgpus) and \
                    {v['devicePid'] for v in vgpus if 'devicePid' in v} == \
                    test_restart.Storm.devices(m)
            wait_for(are_settled, 'every vGPU to run or to be stopped')
            vgpus = m.call('ListVgpus')['vgpus']
            self.assertEqual([v['name'] for v in vgpus], names)
            self.assertEqual(vgpus[0]['state'], 'active')
            running = [v for v in vgpus if v['state'] == 'active']
            self.assertEqual(m.gpu()['freeMib'], 512 - 128 * len(running))
            places = [v['framebufferOffsetMib'] for v in running]
            self.assertEqual(len(places), len(set(places)))


class VirtualFunctions(SriovTest):
    def test_life(self):
        model = self.model()
        m = self.on(model)
        m.call('Define', type='8Q', name='a')
        self.assertEqual(model.enabled, 0)
        vgpu = m.show('a')
        self.assertEqual((vgpu['state'], vgpu['provider'], vgpu['gpu'],
                          vgpu['autostart']), ('defined', 'sriov', PF, False))
        self.assertNotIn('vf', vgpu)
        self.assertNotIn('pciAddress', vgpu)
        self.assert_refused('NotActive', m.call, 'GetQemuArguments', vgpu='a')
        m.call('Start', vgpu='a')
        self.assertEqual((model.vf(1).type, model.driver_of(1)),
                         (1152, DRIVER))
        self.assertEqual(m.show('a')['vf'], 1)
        m.call('Stop', vgpu='a')
        self.assert_as_new(model, enabled=8)
        # Another one takes the VF, and keeps it.
        m.create(type='8Q', name='b')
        self.assertEqual(m.show('b')['vf'], 1)
        self.assertNotIn('vf', m.show('a'))
        self.assert_refused('NotActive', m.call, 'GetQemuArguments', vgpu='a')
        m.call('Start', vgpu='a')
        self.assertEqual((m.show('a')['vf'], m.show('b')['vf']), (2, 1))
        m.call('Stop', vgpu='b')
        m.call('Undefine', vgpu='b')
        m.call('Destroy', vgpu='a')
        self.assert_as_new(model, enabled=8)
        self.assert_clean(m)
        self.assertEqual(m.kinds('a'), ['defined', 'started', 'active',
                                        'stopped', 'started', 'active',
                                        'destroyed'])

    def test_in_use(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.open(1, 4711)
        for force in False, True:
            self.assert_refused('InUse', m.call, 'Stop', vgpu='a', force=force)
        self.assert_refused('BadState', m.call, 'Undefine', vgpu='a')
        self.assertEqual(m.show('a')['state'], 'attached')
        model.close(1)
        m.call('Stop', vgpu='a')
        self.assert_as_new(model, enabled=8)

    def test_foreign(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.set_type(3, '1152')
        foreign = next(v['uuid'] for v in m.call('ListVgpus')['vgpus']
                       if v.get('foreign'))
        for verb in 'Stop', 'Undefine', 'Modify':
            self.assert_refused('Foreign', m.call, verb, vgpu=foreign)
        self.assert_refused('BadState', m.call, 'Start', vgpu=foreign)
        self.assertNotIn('autostart', m.show(foreign))

    def test_others_take_the_vf_of_a_stopped_one(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        m.call('Stop', vgpu='a')
        model.set_type(1, '1152')
        vgpus = m.call('ListVgpus')['vgpus']
        self.assertEqual([(v.get('name'), v.get('foreign'), v.get('vf'))
                          for v in vgpus],
                         [('a', None, None), (None, True, 1)])
        m.call('Start', vgpu='a')
        self.assertEqual(m.show('a')['vf'], 2)

    def test_no_room(self):
        model = self.model()
        m = self.on(model)
        for _ in range(6):
            m.create(type='8Q')
        m.call('Define', type='8Q', name='a')
        self.assert_refused('NoRoom', m.call, 'Start', vgpu='a')
        self.assertEqual(m.show('a')['state'], 'defined')
        # Another type can be had while it is stopped; shares are the driver's.
        m.call('Modify', vgpu='a', type='4Q', name='b')
        self.assertEqual((m.show('b')['type'], m.show('b')['framebufferMib']),
                         ('4Q', 4096))
        self.assert_refused('GpuUnusable', m.call, 'Modify', vgpu='b', weight=5)
        self.assert_refused('GpuUnusable', m.call, 'Define', type='8Q',
                            weight=5)
        self.assert_refused('NoSuchHead', m.call, 'Define', type='8Q',
                            heads=[{'head': 0}])

    def test_reboot(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='on')
        m.create(type='8Q', name='off', autostart=False)
        m.create(type='8Q', name='on-stopped')
        m.call('Stop', vgpu='on-stopped')
        # Over a restart of vgpud alone what runs runs on.
        m.restart()
        self.assertEqual({v['name']: v['state']
                          for v in m.call('ListVgpus')['vgpus']},
                         {'on': 'active', 'off': 'active',
                          'on-stopped': 'active'})
        m.call('Stop', vgpu='on-stopped')
        m.kill()
        model.unbind()
        model.bind()
        m.start()
        self.assertEqual({v['name']: (v['state'], 'vf' in v)
                          for v in m.call('ListVgpus')['vgpus']},
                         {'on': ('active', True), 'off': ('defined', False),
                          'on-stopped': ('active', True)})

    def test_driver_comes_late(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='on')
        m.create(type='8Q', name='off', autostart=False)
        m.create(type='8Q', name='on-stopped')
        m.call('Stop', vgpu='on-stopped')
        m.kill()
        model.unbind()
        m.start()
        self.assertEqual(m.show('on')['state'], 'failed')
        model.bind()
        wait_for(lambda: {v['name']: v['state']
                          for v in m.call('ListVgpus')['vgpus']} ==
                 {'on': 'active', 'off': 'defined', 'on-stopped': 'active'},
                 'the driver to be noticed')


if __name__ == '__main__':
    harness.main()
