# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs on virtual functions of Intel's driver xe, against a model of its sysfs."""

import errno
import sys

import harness
import pf_model
from pf_model import PF
from sriov import SriovManager, SriovTest

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
        self.assertNotIn('graphicsNs', vgpu)  # xe does not tell of it
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


if __name__ == '__main__':
    sys.exit(harness.main())
