# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs on virtual functions, against a model of sysfs."""

import errno
import os
import signal
import sys

import harness
from pf_model import DRIVER, MIB, PF
from sriov import SriovManager, SriovTest


class Life(SriovTest):
    def test_gpu(self):
        m = self.on(self.model())
        gpu = m.gpu(PF)
        self.assertEqual(
            (gpu['name'], gpu['chip'], gpu['provider'], gpu['pciAddress']),
            ('NVIDIA L40S', 'AD102', 'sriov', PF))
        self.assertEqual((gpu['memoryMib'], gpu['framebufferMib'],
                          gpu['freeMib'], gpu['vgpus']),
                         (51 * 1024, 48 * 1024, 48 * 1024, 0))
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
                          'sriov_drivers_autoprobe', 'vf1/uuid',
                          'vf1/placement', 'vf1/type', 'driver_override',
                          'drivers_probe'])
        self.assertEqual((model.vf(1).type, model.driver_of(1)),
                         (1152, DRIVER))
        vgpu = m.show('a')
        self.assertEqual(model.vf(1).uuid, vgpu['uuid'])
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
        xml = m.ctl('qemu-args', 'cad', '--libvirt').stdout
        self.assertIn("<address domain='0x0000' bus='0x01' slot='0x00' "
                      "function='0x1'/>", xml)
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

    def test_engine_time(self):
        model = self.model()
        m = self.on(model)
        m.create(type='8Q', name='a')

        def told():
            vgpu = m.show('a')
            return [vgpu.get(key)
                    for key in ('graphicsNs', 'encoderNs', 'decoderNs')]
        self.assertEqual(told(), [0, 0, 0])
        model.open(1, 4711)
        model.vf(1).engine_ns.update(graphics=2_500_000_000, decoder=2**64 - 1)
        # varlink has integers of 63 bits
        self.assertEqual(told(), [2_500_000_000, 0, 2**63 - 1])
        model.vf(1).engine_ns.update(decoder=40_000_000)
        self.assertIn('Engine time: graphics 2.5 s, encoder 0.0 s, '
                      'decoder 0.0 s\n', m.ctl('show', 'a').stdout)
        self.assertRegex(m.ctl('top').stdout,
                         'FRAMEBUFFER +GRAPHICS +ENCODER +DECODER +COMMANDS/S')
        # Of an engine that the driver does not tell of, nothing is told.
        model.files.remove(f'bus/pci/devices/{PF}/vgpu/vf1/encoder_ns')
        self.assertEqual(told(), [2_500_000_000, None, 40_000_000])
        self.assertIn('Engine time: graphics 2.5 s, decoder 0.0 s\n',
                      m.ctl('show', 'a').stdout)
        for engine in ('graphics', 'decoder'):
            model.files.remove(f'bus/pci/devices/{PF}/vgpu/vf1/{engine}_ns')
        self.assertEqual(told(), [None] * 3)
        self.assertNotIn('Engine time', m.ctl('show', 'a').stdout)
        self.assertNotIn('GRAPHICS', m.ctl('top').stdout)
        model.close(1)

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
            ('vf1/uuid', errno.EBUSY, 'InUse', 'another type'),
            ('vf1/uuid', errno.EROFS, 'Internal', 'vgpud(8)'),
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
        self.assertIsNone(model.vf(1).uuid)
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
        # A guest can cause any number of these.
        for count, is_told in ((1, True), (2, True), (3, False), (9, True)):
            model.count_errors(1, count)
            if is_told:
                self.assertIn(f'{count} errors of channels', next_event('guest-fault'))
        model.count_errors(1, 9, 1)
        self.assertIn('1 error messages', next_event('guest-fault'))
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
        """VFs are disabled before the driver is unloaded, and enabled again
        later."""
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
        self.crash('Create', ['sriov_numvfs', 'vf1/uuid', 'vf1/placement',
                              'vf1/type', 'driver_override', 'drivers_probe'])

    def test_killed_in_destroy(self):
        self.crash('Destroy', ['vf1/type', 'vf1/placement', 'unbind',
                               'driver_override'])


if __name__ == '__main__':
    sys.exit(harness.main())
