# SPDX-License-Identifier: GPL-2.0-or-later
"""GPUs with virtual functions in recorded trees of files."""

import json
import os
import shutil
import sys
import tempfile

import harness
from harness import ManagerTest
from pf_model import PF
from sriov import SriovManager


class RecordedTree(ManagerTest):
    """Regular files: they test what is read, not what is written."""

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
