# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs on virtual functions, against a model of sysfs and recorded trees."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

import harness
import pf_model
from harness import Manager, ManagerTest
from pf_model import DRIVER, MIB, PF

NO_GPU = """#!/bin/sh
echo '{"gpus":[]}'
"""


class SriovManager(Manager):
    def __init__(self, sysfs, **options):
        super().__init__(**dict({'probe': NO_GPU, 'mib': 0}, **options))
        self.sysfs = sysfs

    def arguments(self):
        return super().arguments() + ['--sysfs', self.sysfs]

    def ctl(self, *arguments):
        return subprocess.run(
            [os.path.join(harness.BUILD, 'vgpuctl'), '--socket', self.socket,
             *arguments], capture_output=True, text=True, check=False,
            timeout=harness.TIMEOUT)

    def kinds(self, vgpu):
        return [e['event'] for e in self.events()
                if vgpu in (e.get('name'), e.get('uuid'))]


class SriovTest(ManagerTest):
    def model(self, **options):
        model = pf_model.Gpu(**options)
        self.addCleanup(model.finish)
        return model

    def on(self, model, **options):
        """A vgpud of its own; its vGPUs are closed and ended at the end."""
        manager = SriovManager(model.sysfs, **options)
        self.addCleanup(manager.finish)

        def let_go():
            model.errors, model.kill = {}, None
            for n, vf in enumerate(model.vfs, 1):
                if vf.pid or vf.state:
                    model.close(n)
            if manager.process and manager.process.poll() is not None:
                manager.process = None
            if not manager.process:
                manager.start()
            for vgpu in manager.call('ListVgpus')['vgpus']:
                if vgpu.get('foreign'):
                    model.vf(vgpu['vf']).type = 0
        self.addCleanup(let_go)
        return manager.start()

    def assert_as_new(self, model, enabled):
        """Nothing of any vGPU is left in sysfs."""
        self.assertEqual([vf.type for vf in model.vfs], [0] * model.total)
        self.assertEqual([vf.wanted for vf in model.vfs],
                         [None] * model.total)
        self.assertEqual(model.enabled, enabled)
        for n in range(1, enabled + 1):
            self.assertIsNone(model.driver_of(n))
            self.assertEqual(model.overrides[n], '(null)')


class Life(SriovTest):
    def test_gpu(self):
        m = self.on(self.model())
        gpu = m.gpu(PF)
        self.assertEqual(
            (gpu['name'], gpu['chip'], gpu['provider'], gpu['pciAddress']),
            ('NVIDIA L40S', 'AD102', 'sriov', PF))
        self.assertEqual((gpu['memoryMib'], gpu['framebufferMib'],
                          gpu['freeMib'], gpu['vgpus']),
                         (49 * 1024, 48 * 1024, 48 * 1024, 0))
        self.assertEqual((gpu['vfsTotal'], gpu['vfsEnabled'], gpu['vfsUsed']),
                         (8, 0, 0))
        self.assertEqual((gpu['placement'], gpu['scheduler']),
                         ('homogeneous', 'best_effort'))
        self.assertNotIn('unusable', gpu)
        self.assertIn('0 of 8, off', m.ctl('gpus').stdout)

    def test_types(self):
        m = self.on(self.model())
        types = m.call('ListTypes', gpu=PF)['types']
        self.assertEqual([t['type'] for t in types],
                         ['1Q', '4Q', '8Q', '48Q', '1B', '4A', '8C'])
        eight = types[2]
        self.assertEqual(
            {k: eight[k] for k in ('typeId', 'framebufferMib', 'heads',
                                   'maxWidth', 'maxHeight', 'maxInstances',
                                   'available', 'series')},
            dict(typeId=1152, framebufferMib=8192, heads=4, maxWidth=7680,
                 maxHeight=4320, maxInstances=6, available=6, series='Q'))
        # No more than there are VFs.
        self.assertEqual((types[0]['maxInstances'], types[0]['available']),
                         (32, 8))
        text = m.ctl('types', '--gpu', PF).stdout
        self.assertRegex(text, r'8Q +1152 +8192 MiB +4 +7680x4320')

    def test_life(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        # The VF has its type before its driver may have it.
        self.assertEqual([w for w, _ in model.writes],
                         ['sriov_drivers_autoprobe', 'sriov_numvfs',
                          'sriov_drivers_autoprobe', 'vf1/placement',
                          'vf1/type', 'driver_override', 'drivers_probe'])
        self.assertEqual((model.vf(1).type, model.driver_of(1)),
                         (1152, DRIVER))
        vgpu = m.show('a')
        self.assertEqual(
            {k: vgpu[k] for k in ('type', 'typeId', 'gpu', 'provider', 'vf',
                                  'pciAddress', 'state', 'placement',
                                  'maxHeads', 'framebufferMib')},
            dict(type='8Q', typeId=1152, gpu=PF, provider='sriov', vf=1,
                 pciAddress=model.address(1), state='active', placement=0,
                 maxHeads=4, framebufferMib=8192))
        self.assertEqual(m.show(model.address(1)), vgpu)
        self.assertEqual(m.gpu(PF)['freeMib'], 40 * 1024)
        m.create(type='1152', name='b', gpu=PF)  # by number
        self.assertEqual(m.show('b')['placement'], 8)

        m.call('Destroy', vgpu='a')
        self.assertEqual((model.vf(1).type, model.driver_of(1),
                          model.overrides[1]), (0, None, '(null)'))
        self.assertEqual(model.driver_of(2), DRIVER)
        m.call('Destroy', vgpu='b', force=True)
        self.assert_as_new(model, enabled=8)
        self.assert_clean(m)
        self.assertEqual(m.kinds('a'), ['created', 'active', 'destroyed'])
        self.assertEqual(m.gpu(PF)['freeMib'], 48 * 1024)

    def test_ctl(self):
        m = self.on(self.model())
        made = m.ctl('create', '--type', '8Q', '--gpu', PF, '--name', 'cad',
                     '--placement', '16')
        self.assertEqual((made.returncode, made.stderr), (0, ''))
        arguments = m.ctl('qemu-args', 'cad')
        self.assertEqual(
            arguments.stdout, '-device vfio-pci,id=vgpu-'
            f'{made.stdout[:8]},host=0000:01:00.1,display=off\n')
        self.assertIn('locked memory', arguments.stderr)
        text = m.ctl('show', 'cad').stdout
        for part in ('VF:          1, at 0000:01:00.1', 'Provider:    sriov',
                     'Framebuffer: 8192 MiB at 16384 MiB', 'Heads:       4',
                     'Placement:   16'):
            self.assertIn(part, text)
        self.assertNotIn('Restarts', text)
        self.assertRegex(m.ctl('list').stdout,
                         r'cad +8Q +0000:01:00.0 +8192 MiB +4 +active')
        self.assertEqual(m.ctl('destroy', 'cad').returncode, 0)
        self.assertIn('created', m.ctl('events').stdout)

    def test_hardware_comes_first(self):
        model = self.model()
        m = self.on(model, mib=1024)
        m.write(m.types, harness.TYPE.format(name='1Q', mib=1024, heads=1,
                                             width=640, height=480))
        m.restart(signal.SIGTERM)
        m.create(type='1Q', name='a')
        self.assertEqual(m.show('a')['gpu'], PF)
        m.create(type='1Q', name='b', gpu='embedded')
        self.assertEqual(m.show('b')['gpu'], 'embedded')

    def test_a_driver_that_vulkan_has_too(self):
        model = self.model()
        m = SriovManager(model.sysfs, probe=harness.PROBE)
        self.addCleanup(m.finish)
        m.start()
        gpus = [g for g in m.call('ListGpus')['gpus'] if g['gpu'] == PF]
        self.assertEqual([(g['provider'], g['deviceUuid']) for g in gpus],
                         [('sriov', 'cd')])
        self.assertNotIn('unusable', gpus[0])

    def test_heads_are_the_guests(self):
        m = self.on(self.model())
        m.create(type='8Q', name='a')
        self.assert_refused('NoSuchHead', m.call, 'Capture', vgpu='a')
        self.assert_refused('NoSuchHead', m.call, 'SetMode', vgpu='a',
                            width=640, height=480)
        self.assert_refused('NoSuchHead', m.call, 'SetVnc', vgpu='a')

    def test_all_vfs(self):
        model = self.model(total=32)
        m = self.on(model)
        for i in range(32):
            m.create(type='1Q', name=f'v{i}')
        refused = self.assert_refused('NoRoom', m.create, type='1Q', gpu=PF)
        self.assertIn('no virtual function left', refused.parameters['text'])
        self.assertEqual(sorted(vf.placement for vf in model.vfs),
                         list(range(32)))
        for i in range(32):
            m.call('Destroy', vgpu=f'v{i}')
        self.assert_as_new(model, enabled=32)


class Refusals(SriovTest):
    def test_types_that_do_not_mix(self):
        m = self.on(self.model())
        m.create(type='8Q')
        refused = self.assert_refused('NoRoom', m.create, type='4Q', gpu=PF)
        self.assertEqual(refused.parameters['fits'], ['8Q', '8C'])
        self.assertEqual(refused.parameters['freeMib'], 40 * 1024)
        self.assertIn('8Q 8C', refused.parameters['text'])
        m.create(type='8C')

    def test_placement(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', placement=24, name='a')
        self.assertEqual(m.show('a')['placement'], 24)
        for placement in (24, 3, 48, 2**32 - 2):
            with self.subTest(placement=placement):
                self.assert_refused(
                    'NoRoom' if placement in (24, 48) else 'BadPlacement',
                    m.create, type='8Q', placement=placement)
        for placement in (-1, 2**32, 2**40, 'x'):
            self.assert_refused('org.varlink.service.InvalidParameter',
                                m.create, type='8Q', placement=placement)
        self.assert_refused('BadPlacement', m.create, type='128MB',
                            gpu='embedded', placement=1)
        self.assertEqual([vf.wanted for vf in model.vfs[1:]], [None] * 7)
        self.assertEqual(len(m.call('ListVgpus')['vgpus']), 1)

    def test_every_errno(self):
        """Of each attribute: one clear line, and nothing is left."""
        model = self.model()
        m = self.on(model)
        cases = [
            ('vf1/type', errno.EBUSY, 'InUse', 'another type'),
            ('vf1/type', errno.EINVAL, 'NoRoom', 'does not go with'),
            ('vf1/type', errno.ENOSPC, 'NoRoom', 'has no room'),
            ('vf1/type', errno.ENODEV, 'GpuUnusable', 'not ready'),
            ('vf1/type', errno.EROFS, 'Internal', 'vgpud(8)'),
            ('vf1/type', errno.EIO, 'Internal', 'Input/output'),
            ('sriov_numvfs', errno.EOPNOTSUPP, 'GpuUnusable', 'VFs of'),
            ('sriov_numvfs', errno.EBUSY, 'GpuUnusable', 'busy'),
            ('sriov_numvfs', errno.EROFS, 'Internal', 'vgpud(8)'),
            ('driver_override', errno.EINVAL, 'Internal', 'driver_override'),
            ('drivers_probe', errno.ENODEV, 'Internal', 'does not take'),
        ]
        for name, number, error, part in cases:
            with self.subTest(name=name, errno=errno.errorcode[number]):
                model.errors = {name: number}
                refused = self.assert_refused(error, m.create, type='8Q')
                self.assertIn(part, refused.parameters['text'])
                model.errors = {}
                # VFs are off again where they were enabled for it alone.
                self.assert_as_new(model, enabled=0)
                self.assert_clean(m)
        # A placement that was not asked for is worth a try only.
        model.errors = {'vf1/placement': errno.EINVAL}
        m.create(type='8Q', name='a')
        model.errors = {'vf1/type': errno.EBUSY}
        refused = self.assert_refused('InUse', m.call, 'Destroy', vgpu='a')
        self.assertIn('in use', refused.parameters['text'])
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(model.driver_of(1), DRIVER)

    def test_drivers(self):
        model = self.model()
        m = self.on(model)
        model.unload_vf_driver()
        refused = self.assert_refused('GpuUnusable', m.create, type='8Q')
        self.assertIn(f'modprobe {DRIVER}', refused.parameters['text'])
        self.assertIn('not loaded', m.gpu(PF)['unusable'])
        self.assertIn('not loaded', m.ctl('doctor').stdout)
        model.load_vf_driver()
        model.refuses_vfs = True
        refused = self.assert_refused('Internal', m.create, type='8Q')
        self.assertIn('kernel\'s log', refused.parameters['text'])
        self.assert_as_new(model, enabled=0)
        model.refuses_vfs = False
        # Drivers of the host do not take VFs that vgpud enables.
        model.host_driver = 'nouveau'
        m.create(type='8Q', name='first')
        self.assertEqual((model.driver_of(1), model.driver_of(2)),
                         (DRIVER, None))
        self.assertEqual(model.autoprobe, 1)
        m.call('Destroy', vgpu='first')
        model.enable('0')
        model.host_driver = None
        # One that another driver has is nobody's to take.
        model.enable('8')
        model.give_driver(1, 'vfio-pci')
        m.create(type='8Q', name='a')
        self.assertEqual(m.show('a')['vf'], 2)
        self.assertEqual(model.driver_of(1), 'vfio-pci')

    def test_wedged(self):
        model = self.model()
        m = self.on(model)
        model.state = 'wedged: the firmware\x1b crashed'
        refused = self.assert_refused('GpuUnusable', m.create, type='8Q')
        self.assertIn('wedged: the firmware? crashed',
                      refused.parameters['text'])
        self.assertIn('wedged', m.gpu(PF)['unusable'])
        model.state = 'ready'
        m.create(type='8Q', name='a')
        # One that was lost with it says so once, and is back after a reset.
        model.open(1, 5)
        model.fail(1, 'the firmware crashed')
        model.state = 'wedged: again'
        harness.wait_for(lambda: m.show('a')['state'] == 'failed', 'the loss')
        model.close(1)
        for _ in range(3):
            self.assertEqual(m.show('a')['state'], 'failed')
        self.assertEqual(m.kinds('a').count('failed'), 1)
        model.state = 'ready'
        self.assertEqual(m.show('a')['state'], 'active')

    def test_in_use(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.open(1, 4711)
        for force in (False, True):
            refused = self.assert_refused('InUse', m.call, 'Destroy',
                                          vgpu='a', force=force)
            self.assertIn('4711', refused.parameters['text'])
        vgpu = m.show('a')
        self.assertEqual((vgpu['state'], vgpu['vmPid'], vgpu['usedBytes'],
                          vgpu['guestDriver']),
                         ('attached', 4711, 300 * MIB, 'loaded'))
        model.close(1)
        m.call('Destroy', vgpu='a')
        self.assert_as_new(model, enabled=8)


class Following(SriovTest):
    def follow(self, m):
        """Events as they come, asking for nothing else."""
        client = m.client()
        self.addCleanup(client.close)
        client.send('Subscribe', {'follow': True}, True)
        client.receive()

        def next_event(kind):
            while True:
                event = client.receive()['parameters']['event']
                if event['event'] == kind:
                    return event['text']
        return next_event

    def test_events(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        next_event = self.follow(m)
        for pid in (11, 12):
            model.open(1, pid)
            self.assertIn(str(pid), next_event('attached'))
            model.close(1)
            self.assertIn(str(pid), next_event('detached'))
        model.open(1, 13)
        next_event('attached')
        model.fail(1, 'the vGPU\'s task crashed')
        self.assertIn('task crashed', next_event('failed'))
        vgpu = m.show('a')
        self.assertEqual((vgpu['state'], vgpu['failure']),
                         ('failed', 'the vGPU\'s task crashed'))
        self.assertEqual(m.ctl('qemu-args', 'a').returncode, 1)
        model.close(1)
        next_event('active')
        self.assertEqual(m.show('a')['state'], 'active')
        # The last attempt to open it failed: the next one may not.
        model.fail(1, 'the firmware refused')
        next_event('failed')
        self.assertEqual(m.ctl('qemu-args', 'a').returncode, 0)
        model.open(1, 14)
        next_event('attached')
        # It was told so, and did not only look now and then.
        self.assertGreater(model.files.woken, 4)

    def test_others(self):
        """What others make is shown, followed and left alone."""
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.set_type(3, '1152')
        vgpus = {v['vf']: v for v in m.call('ListVgpus')['vgpus']}
        foreign = vgpus[3]
        self.assertEqual((foreign['foreign'], foreign['type'],
                          foreign['placement'], foreign['state']),
                         (True, '8Q', 8, 'active'))
        self.assertNotIn('foreign', vgpus[1])
        self.assertIn('active, foreign', m.ctl('list').stdout)
        self.assertIn('host=0000:01:00.3',
                      m.ctl('qemu-args', '0000:01:00.3').stdout)
        self.assert_refused('Foreign', m.call, 'Destroy',
                            vgpu=foreign['uuid'], force=True)
        model.open(3, 99)
        self.assertEqual(m.show('0000:01:00.3')['state'], 'attached')
        self.assertEqual(m.gpu(PF)['vfsUsed'], 2)
        # The next vgpud calls it the same; nothing of it is on disk.
        self.assertFalse(os.path.exists(m.definition(foreign['uuid'])))
        m.restart()
        self.assertEqual(m.show(foreign['uuid'])['vmPid'], 99)
        # A new vGPU goes elsewhere.
        m.create(type='8Q', name='b')
        self.assertEqual(m.show('b')['vf'], 2)
        model.close(3)
        model.set_type(3, '0')
        self.assert_refused('NoSuchVgpu', m.show, foreign['uuid'])

    def test_taken_by_others(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.set_type(1, '0')
        self.assertIn('others', m.show('a')['failure'])
        model.set_type(1, '2345')
        m.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: 'type 2345' in m.show('a').get('failure', ''),
                         'the reload')
        self.assertEqual(model.vf(1).type, 2345)
        model.set_type(1, '0')
        m.process.send_signal(signal.SIGHUP)
        harness.wait_for(lambda: m.show('a')['state'] == 'active',
                         'the vGPU to be back')
        self.assertEqual((model.vf(1).type, model.vf(1).placement),
                         (1152, 0))

    def test_vfs_disabled(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.enable('0')
        self.assertIn('not enabled', m.show('a')['failure'])
        self.assertEqual(model.enabled, 0)  # who disabled them wants that
        model.enable('8')
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(model.driver_of(1), DRIVER)

    def test_driver_comes_and_goes(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a', placement=16)
        model.unbind()
        vgpu = m.show('a')
        self.assertEqual(vgpu['state'], 'failed')
        self.assertIn('not bound', vgpu['failure'])
        self.assertIn('not bound', m.gpu(PF)['unusable'])
        self.assert_refused('GpuUnusable', m.create, type='8Q', gpu=PF)
        model.bind()
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual((model.vf(1).type, model.vf(1).placement),
                         (1152, 16))
        self.assertEqual(model.driver_of(1), DRIVER)

    def test_driver_goes_after_vfs(self):
        """As who unloads modules does it: then VFs are enabled again."""
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.enable('0')
        self.assertIn('not enabled', m.show('a')['failure'])
        model.unbind()
        self.assertIn('not bound', m.show('a')['failure'])
        model.bind()
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(model.driver_of(1), DRIVER)

    def test_vf_driver_comes_late(self):
        """As where modules are loaded again: it needs vgpu_core itself."""
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        model.unload_vf_driver()
        model.unbind()
        self.assertIn('not bound', m.show('a')['failure'])
        model.bind()
        self.assertIn(f'{DRIVER} is not loaded', m.show('a')['failure'])
        self.assertEqual(model.enabled, 0)
        model.load_vf_driver()
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(model.driver_of(1), DRIVER)

    def test_gpu_comes_late(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        m.kill()
        model.unbind()
        m.start()
        self.assertIn('gone', m.show('a')['failure'])
        model.bind()
        # Without a call, too: it is looked for now and then.
        harness.wait_for(lambda: model.vf(1).type == 1152, 'the rescan')
        self.assertEqual(m.show('a')['state'], 'active')


class Restarts(SriovTest):
    def test_reboot(self):
        """Types, VFs and placements come back, mixed ones too."""
        model = self.model()
        model.set_mode('heterogeneous')
        m = self.on(model)
        wanted = {}
        for name, kind in (('a', '1Q'), ('b', '8Q'), ('c', '1Q'),
                           ('d', '4A')):
            m.create(type=kind, name=name, uuid=None)
        m.call('Destroy', vgpu='a')
        m.create(type='8C', name='e', placement=40)
        for name in 'bcde':
            vgpu = m.show(name)
            wanted[name] = (vgpu['vf'], vgpu['type'], vgpu['placement'])
        m.kill()
        model.unbind()
        model.bind()
        m.start()
        self.assertEqual(model.mode, 'heterogeneous')
        for name, what in wanted.items():
            vgpu = m.show(name)
            self.assertEqual((vgpu['vf'], vgpu['type'],
                              vgpu.get('placement'), vgpu['state']),
                             what + ('active',), vgpu)
            self.assertEqual(model.driver_of(what[0]), DRIVER)

    def test_restart_finds_all(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        m.create(type='8Q', name='b')
        model.open(2, 77)
        model.writes.clear()
        m.restart()
        self.assertEqual([m.show(n)['state'] for n in 'ab'],
                         ['active', 'attached'])
        self.assertEqual(m.show('b')['vmPid'], 77)
        self.assertNotIn('vf2/type', [w for w, _ in model.writes])

    def test_what_cannot_come_back_says_why(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        m.create(type='8Q', name='pinned', placement=16)
        m.create(type='8Q', name='c')
        m.kill()
        model.unbind()
        model.bind()
        # Others were there before: on its VF, and at its place.
        model.set_placement(3, '16')
        model.set_type(3, '1152')
        m.start()
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(m.show('pinned')['state'], 'failed')
        self.assertIn('no room for type 8Q at that placement',
                      m.show('pinned')['failure'])
        self.assertEqual(m.show('c')['state'], 'active')
        self.assertEqual(m.show('c')['vf'], 3)  # as it had been before

    def test_another_type_there(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')
        m.kill()
        model.set_type(1, '0')
        model.set_type(1, '2345')
        m.start()
        self.assertIn('given type 2345 by others', m.show('a')['failure'])
        self.assertEqual(model.vf(1).type, 2345)
        m.call('Destroy', vgpu='a')  # the definition only
        self.assertEqual(model.vf(1).type, 2345)

    def crash(self, doing, steps):
        for name in steps:
            for when in ('before', 'after'):
                with self.subTest(doing=doing, step=name, when=when):
                    self.crash_at(doing, name, when)

    def crash_at(self, doing, name, when):
        model = self.model()
        m = self.on(model)
        if doing == 'Destroy':
            m.create(type='8Q', name='a')
        model.writes.clear()
        model.kill = (name, when, m.process.pid)
        with self.assertRaises((EOFError, ConnectionResetError)):
            if doing == 'Create':
                m.create(type='8Q', name='a')
            else:
                m.call('Destroy', vgpu='a')
        m.process.wait(harness.TIMEOUT)
        m.process = None
        m.start()
        # What was not answered is as if it had not been asked, or as if it
        # had been done; here the definition was written, or still is.
        vgpus = m.call('ListVgpus')['vgpus']
        self.assertEqual([(v['name'], v['state'], v['vf']) for v in vgpus],
                         [('a', 'active', 1)])
        self.assertEqual((model.vf(1).type, model.driver_of(1),
                          model.overrides[1]), (1152, DRIVER, DRIVER))
        m.call('Destroy', vgpu='a')
        self.assert_as_new(model, enabled=8)
        self.assert_clean(m)

    def test_killed_in_create(self):
        self.crash('Create', ['sriov_numvfs', 'vf1/placement', 'vf1/type',
                              'driver_override', 'drivers_probe'])

    def test_killed_in_destroy(self):
        self.crash('Destroy', ['vf1/type', 'vf1/placement', 'unbind',
                               'driver_override'])


XE_TYPES = ''.join(harness.TYPE.format(name=f'{gib}Q', mib=gib * 1024,
                                       heads=4, width=1920, height=1080)
                   for gib in (1, 4, 8, 12, 48))


class Xe(SriovTest):
    """Intel's driver: VRAM by the byte, types by the types file."""

    def on(self, model, **options):
        manager = SriovManager(model.sysfs, types=XE_TYPES)

        def let_go():
            model.errors = {}
            model.opened[:] = [0] * len(model.opened)
            for vgpu in manager.call('ListVgpus')['vgpus']:
                if vgpu.get('foreign'):
                    model.set_quota(vgpu['vf'], 0)
        self.addCleanup(manager.finish)
        self.addCleanup(let_go)
        return manager.start()

    def model(self, **options):
        model = pf_model.XeGpu(**options)
        self.addCleanup(model.finish)
        return model

    def test_life(self):
        model = self.model()
        m = self.on(model)
        gpu = m.gpu(PF)
        self.assertEqual((gpu['name'], gpu['driver'], gpu['provider'],
                          gpu['framebufferMib'], gpu['vfsTotal']),
                         ('Intel GPU 0xe20b', 'xe', 'sriov', 24 * 1024, 4))
        self.assertEqual(
            {t['type']: (t['maxInstances'], t['available'])
             for t in m.call('ListTypes', gpu=PF)['types']},
            {'1Q': (24, 4), '4Q': (6, 4), '8Q': (3, 3), '12Q': (2, 2)})
        m.create(type='8Q', name='a', gpu=PF)
        # Before VFs are there, so that xe does not divide its memory itself.
        names = [w for w, _ in model.writes]
        self.assertLess(names.index('profile/vram_quota'),
                        names.index('sriov_numvfs'))
        m.create(type='1Q', name='b', gpu=PF)
        self.assertEqual(model.quotas[1:], [8 << 30, 1 << 30, 0, 0])
        self.assertEqual((model.quanta[1:3], model.timeouts[1:3]),
                         ([2, 2], [2000, 2000]))
        vgpu = m.show('a')
        self.assertEqual(
            (vgpu['type'], vgpu['state'], vgpu['vf'], vgpu['pciAddress'],
             vgpu['execQuantumMs'], vgpu['schedulingPriority']),
            ('8Q', 'active', 1, model.address(1), 2, 'low'))
        self.assertNotIn('typeId', vgpu)
        self.assertIn('2 ms at once', m.ctl('show', 'a').stdout)
        self.assertEqual(model.driver_of(1), pf_model.XE_DRIVER)
        self.assert_refused('NoSuchType', m.create, type='48Q', gpu=PF)
        self.assert_refused('BadPlacement', m.create, type='8Q', gpu=PF,
                            placement=0)
        m.create(type='12Q', name='c', gpu=PF)
        refused = self.assert_refused('NoRoom', m.create, type='4Q', gpu=PF)
        self.assertEqual(refused.parameters['fits'], ['1Q'])
        for name in 'abc':
            m.call('Destroy', vgpu=name)
        self.assertEqual((model.quotas, model.quanta), ([0] * 5, [0] * 5))
        self.assertEqual([model.driver_of(n) for n in range(1, 5)],
                         [None] * 4)
        self.assert_clean(m)

    def test_in_use(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a', gpu=PF)
        model.opened[1] = 1
        self.assertEqual(m.show('a')['state'], 'attached')
        self.assert_refused('InUse', m.call, 'Destroy', vgpu='a', force=True)
        self.assertEqual(model.quotas[1], 8 << 30)
        model.opened[1] = 0
        self.assertEqual(m.show('a')['state'], 'active')
        self.assertEqual(m.kinds('a'), ['created', 'active', 'attached',
                                        'detached'])

    def test_errors(self):
        model = self.model()
        m = self.on(model)
        for number, error in ((errno.EIO, 'NoRoom'), (errno.ENOSPC, 'NoRoom'),
                              (errno.EPERM, 'GpuUnusable'),
                              (errno.EROFS, 'Internal'),
                              (errno.EINVAL, 'Internal')):
            with self.subTest(errno=errno.errorcode[number]):
                model.errors = {'profile/vram_quota': number}
                self.assert_refused(error, m.create, type='8Q', gpu=PF)
        # Without shares of time it is a vGPU all the same.
        model.errors = {'profile/exec_quantum_ms': errno.EPERM}
        m.create(type='8Q', name='a', gpu=PF)
        model.errors = {}
        m.call('Destroy', vgpu='a')
        model.refuses_vfs = True
        model.enable('0')
        self.assert_refused('Internal', m.create, type='8Q', gpu=PF)
        self.assertEqual((model.quotas, model.enabled), ([0] * 5, 0))

    def test_reboot(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a', gpu=PF)
        m.create(type='1Q', name='b', gpu=PF)
        m.call('Destroy', vgpu='a')
        m.kill()
        model.enable('0')
        m.start()
        self.assertEqual((m.show('b')['state'], m.show('b')['vf']),
                         ('active', 2))
        self.assertEqual(model.quotas[1:], [0, 1 << 30, 0, 0])
        model.opened[2] = 1
        m.restart()
        self.assertEqual(m.show('b')['state'], 'attached')

    def test_divided_by_xe(self):
        """VFs that were enabled without a word are provisioned by xe."""
        model = self.model(total=3, gib=25)
        model.enable('3')
        m = self.on(model)
        vgpus = m.call('ListVgpus')['vgpus']
        self.assertEqual([(v['type'], v['foreign'], v['framebufferMib'])
                          for v in vgpus], [('8533M', True, 8533)] * 3)
        self.assert_refused('NoRoom', m.create, type='1Q', gpu=PF)

    def test_no_vram(self):
        model = self.model()
        model.files.remove(f'bus/pci/devices/{PF}/tile0')
        m = self.on(model)
        self.assertIn('VRAM', m.gpu(PF)['unusable'])
        self.assert_refused('GpuUnusable', m.create, type='1Q', gpu=PF)


class RecordedTree(ManagerTest):
    """Regular files: they tell what is read, and nothing of what is done."""

    def tree(self, files):
        folder = tempfile.mkdtemp(prefix='recorded.')
        self.addCleanup(shutil.rmtree, folder)
        for path, text in files.items():
            path = os.path.join(folder, 'bus/pci/devices', path)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
        return folder

    def manager_on(self, files, **options):
        m = SriovManager(self.tree(files), **options)
        self.addCleanup(m.finish)
        return m.start()

    @staticmethod
    def type_files(number, **fields):
        fields = dict({'name': f'NVIDIA X-{number}Q', 'class': 'Quadro',
                       'framebuffer': 1 << 30, 'heads': 1, 'max_width': 640,
                       'max_height': 480, 'frame_rate_limit': 0,
                       'max_instances': 2, 'available_instances': 2},
                      **fields)
        return {f'{PF}/vgpu/types/{number}/{name}': f'{value}\n'
                for name, value in fields.items() if value is not None}

    def pf_files(self):
        return {f'{PF}/{name}': text for name, text in (
            ('sriov_totalvfs', '2\n'), ('sriov_numvfs', '2\n'),
            ('vgpu/state', 'ready\n'), ('vgpu/name', 'NVIDIA \x1b[31m X\n'),
            ('vgpu/framebuffer_total', '8589934592\n'),
            ('vgpu/framebuffer_reserved', '0\n'),
            ('vgpu/vf1/type', '7\n'), ('vgpu/vf1/state', 'defined\n'),
            ('vgpu/vf1/placement', '0\n'),
            ('vgpu/vf2/type', '0\n'), ('vgpu/vf2/state', 'none\n'))}

    def test_no_such_gpu(self):
        """A machine without one, and one with an empty sysfs."""
        for files in ({}, {'0000:00:1f.0/vendor': '0x8086\n'}):
            m = self.manager_on(files)
            self.assertEqual([g['gpu'] for g in m.call('ListGpus')['gpus']],
                             ['embedded'])
            self.assertNotIn('vfsTotal', m.gpu())
            self.assertTrue(all('typeId' not in t
                                for t in m.call('ListTypes')['types']))

    def test_types_that_make_no_sense(self):
        files = self.pf_files()
        files.update(self.type_files(7))
        files.update(self.type_files(8, name='NVIDIA X-7Q'))  # a second one
        files.update(self.type_files(9, name='X' * 200))
        for number, broken in enumerate((
                {'framebuffer': 'x'}, {'framebuffer': 0}, {'heads': 99},
                {'framebuffer': 1 << 62}, {'max_width': 1 << 20},
                {'max_instances': -1}, {'name': None}), 20):
            files.update(self.type_files(number, **broken))
        for name in ('0', '07', 'x', '4294967296', '99999999999999999999'):
            files.update(self.type_files(name))
        m = self.manager_on(files)
        types = m.call('ListTypes', gpu=PF)['types']
        self.assertEqual(sorted((t['type'], t['typeId']) for t in types),
                         [('7Q', 7), ('8', 8), ('9', 9)])
        self.assertEqual(m.gpu(PF)['name'], 'NVIDIA ?[31m X')
        m.write(os.path.join(m.sysfs, 'bus/pci/devices', PF, 'vgpu/vf1/type'),
                '0\n')

    def test_states_are_read_now_and_then(self):
        """Where nothing wakes vgpud, it looks by itself."""
        files = self.pf_files()
        files.update(self.type_files(7))
        m = self.manager_on(files)
        vgpu, = m.call('ListVgpus')['vgpus']
        self.assertEqual((vgpu['foreign'], vgpu['type']), (True, '7Q'))
        top = os.path.join(m.sysfs, 'bus/pci/devices', PF, 'vgpu/vf1')
        m.write(os.path.join(top, 'opener_pid'), '5\n')
        m.write(os.path.join(top, 'state'), 'active\n')
        harness.wait_for(lambda: 'attached' in [e['event']
                                                for e in m.events()],
                         'the rescan')
        m.write(os.path.join(top, 'type'), '0\n')

    def test_no_virtualization(self):
        files = {path: text for path, text in self.pf_files().items()
                 if 'vgpu/vf' not in path}
        m = self.manager_on(files)
        gpu = m.gpu(PF)
        self.assertIn('vgpu=0', gpu['unusable'])
        self.assertEqual((gpu['vfsTotal'], gpu['vfsUsed']), (2, 0))
        self.assert_refused('GpuUnusable', m.create, type='7Q', gpu=PF)
        self.assertIn('vgpu=0', m.ctl('gpus').stderr)

    def test_no_types(self):
        m = self.manager_on(self.pf_files())
        self.assertIn('vgpu=0', m.gpu(PF)['unusable'])
        for vf in (1, 2):
            m.write(os.path.join(m.sysfs, 'bus/pci/devices', PF,
                                 f'vgpu/vf{vf}/type'), '0\n')

    def test_damaged_definitions(self):
        m = self.manager_on(self.pf_files(), mib=256)
        m.write(os.path.join(m.sysfs, 'bus/pci/devices', PF, 'vgpu/vf1/type'),
                '0\n')
        m.create(type='128MB', name='a')
        path = m.definition(m.show('a')['uuid'])
        with open(path, encoding='utf-8') as f:
            good = json.load(f)
        m.kill()
        for change in (dict(version=2, vf=70000), dict(version=2, vf=-1),
                       dict(version=2, vf='x'), dict(version=2, gpu=PF),
                       dict(version=2, vf=3, gpu=PF, typeId=7),
                       dict(version=2, vf=1, gpu=PF, typeId=7,
                            placement=2**32)):
            with self.subTest(change=change):
                m.write(path, json.dumps(dict(good, **change)))
                m.start()
                self.assertEqual(m.show(good['uuid'])['state'], 'failed')
                m.kill()
        m.write(path, json.dumps(good))


if __name__ == '__main__':
    sys.exit(harness.main())
