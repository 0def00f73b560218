# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs on virtual functions of NVIDIA's own driver, against a model of its sysfs."""

import unittest

import pf_model
from pf_model import PF
from sriov import SriovManager, SriovTest


class Nvidia(SriovTest):
    def model(self, **options):
        model = pf_model.NvidiaGpu(**options)
        self.addCleanup(model.finish)
        return model

    def on(self, model, **options):
        manager = SriovManager(model.sysfs)
        self.addCleanup(manager.finish)

        def let_go():
            model.opened[:] = [0] * len(model.opened)
            for vgpu in manager.call('ListVgpus')['vgpus']:
                if vgpu.get('foreign'):
                    model.set_type(vgpu['vf'], 0)
        self.addCleanup(let_go)
        return manager.start()

    def types(self, m):
        return {t['type']: (t['typeId'], t['series'], t['framebufferMib'], t['available'])
                for t in m.call('ListTypes', gpu=PF)['types']}

    def test_life(self):
        model = self.model()
        m = self.on(model)
        gpu = m.gpu(PF)
        self.assertEqual((gpu['name'], gpu['driver'], gpu['provider'], gpu['vfsTotal'],
                          gpu['framebufferMib']),
                         ('NVIDIA GPU 0x2235', 'nvidia', 'sriov', 4, 48 * 1024))
        self.assertEqual(self.types(m), {'1B': (557, 'B', 1024, 4), '2Q': (558, 'Q', 2048, 4),
                                         '48C': (570, 'C', 48 * 1024, 4)})
        m.create(type='2Q', name='a', gpu=PF)
        self.assertEqual(model.types[1:], [558, 0, 0, 0])
        vgpu = m.show('a')
        self.assertEqual((vgpu['state'], vgpu['type'], vgpu['vf'], vgpu['pciAddress']),
                         ('active', '2Q', 1, model.address(1)))
        # The largest does not fit any more, and is a type all the same.
        self.assertEqual(self.types(m)['48C'][3], 0)
        self.assert_refused('NoRoom', m.create, type='48C', gpu=PF)
        m.create(type='557', name='b', gpu=PF)
        self.assertEqual(model.types[1:], [558, 557, 0, 0])
        self.assertIn(f'host={model.address(2)}',
                      m.call('GetQemuArguments', vgpu='b')['arguments'][1])
        m.restart()
        self.assertEqual([m.show(v)['state'] for v in 'ab'], ['active'] * 2)
        model.opened[1] = 1
        self.assert_refused('InUse', m.call, 'Destroy', vgpu='a', force=True)
        model.opened[1] = 0
        for name in 'ab':
            m.call('Destroy', vgpu=name)
        self.assertEqual(model.types[1:], [0] * 4)
        # Its driver is NVIDIA's business.
        self.assertEqual([model.driver_of(n) for n in range(1, 5)], ['nvidia'] * 4)
        self.assertEqual({name for name, _ in model.writes}, {'current_vgpu_type'})

    def test_others(self):
        model = self.model()
        m = self.on(model)
        model.set_type(3, 557)
        vgpu, = m.call('ListVgpus')['vgpus']
        self.assertEqual((vgpu['foreign'], vgpu['type'], vgpu['vf']), (True, '1B', 3))
        self.assert_refused('Foreign', m.call, 'Destroy', vgpu=vgpu['uuid'])
        model.set_type(3, 0)
        self.assertEqual(m.call('ListVgpus')['vgpus'], [])


if __name__ == '__main__':
    unittest.main()
