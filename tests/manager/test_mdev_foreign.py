# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs that drivers of others make as mediated devices: on trees of sysfs as i915's
GVT-g and NVIDIA's vGPU have them, and the kernel's mtty."""

import errno
import os
import signal

import fuse
from harness import ManagerTest, wait_for
from sriov import SriovManager

UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
OTHER = '6ba7b811-9dad-41d1-80b4-00c04fd430c8'
GVT, NVIDIA, MTTY = '0000:00:02.0', '0000:3b:00.0', 'mtty'
GROUP = 77
# parent: (driver, {folder: (name, description, how many)})
TREES = {
    GVT: ('i915', {
        'i915-GVTg_V5_4': (
            'GVTg_V5_4', 'low_gm_size: 128MB\nhigh_gm_size: 512MB\nfence: 4\n'
            'resolution: 1920x1200\nweight: 4', 2),
        'i915-GVTg_V5_8': (
            'GVTg_V5_8', 'low_gm_size: 64MB\nhigh_gm_size: 384MB\nfence: 4\n'
            'resolution: 1024x768\nweight: 2', 4),
    }),
    NVIDIA: ('nvidia', {
        'nvidia-47': (
            'GRID P40-2Q', 'num_heads=4, frl_config=60, framebuffer=2048M, '
            'max_resolution=7680x4320, max_instance=12', 12),
        'nvidia-63': (
            'GRID P40-1B', 'num_heads=4, frl_config=45, framebuffer=1024M, '
            'max_resolution=5120x2880, max_instance=24', 24),
        'nvidia-286': (
            'GRID P40-24C', 'num_heads=1, frl_config=60, framebuffer=24576M, '
            'max_resolution=4096x2160, max_instance=1', 0),
    }),
    MTTY: ('mtty', {
        'mtty-1': ('Single port serial', None, 24),
        'mtty-2': ('Dual port serial', None, 12),
    }),
}


class Drivers:
    def __init__(self):
        self.files = fuse.Files()
        self.made = {}  # uuid: (parent, folder)
        self.kill = None  # (before or after, process)
        self.writes = []
        for parent in TREES:
            self.bind(parent)

    @property
    def sysfs(self):
        return self.files.folder

    def bind(self, parent):
        driver, types = TREES[parent]
        top = f'class/mdev_bus/{parent}'
        self.files.add(f'{top}/driver', f'../../bus/pci/drivers/{driver}')
        for folder, (name, description, limit) in types.items():
            at = f'{top}/mdev_supported_types/{folder}'
            said = {'name': name, 'device_api': 'vfio-pci', 'description': description}
            for key, text in said.items():
                if text is not None:
                    self.files.add(f'{at}/{key}', fuse.Attribute(lambda t=text: t))
            self.files.add(f'{at}/available_instances', fuse.Attribute(
                lambda p=parent, f=folder, n=limit: n - self.count(p, f)))
            self.files.add(f'{at}/create', fuse.Attribute(
                None, self.checked(lambda u, p=parent, f=folder: self.create(p, f, u))))

    def unbind(self, parent):
        for uuid in [u for u, (p, _) in self.made.items() if p == parent]:
            self.remove(uuid)
        self.files.remove(f'class/mdev_bus/{parent}')

    def count(self, parent, folder):
        return list(self.made.values()).count((parent, folder))

    def checked(self, change):
        def checked(value):
            kill, self.kill = self.kill, None
            if kill and kill[0] == 'before':
                os.kill(kill[1], signal.SIGKILL)
                raise OSError(errno.EINTR, value)
            self.writes.append(value)
            change(value)
            if kill:
                os.kill(kill[1], signal.SIGKILL)
        return checked

    def create(self, parent, folder, uuid):
        if uuid in self.made:
            raise OSError(errno.EEXIST, uuid)
        self.made[uuid] = parent, folder
        device = f'bus/mdev/devices/{uuid}'
        self.files.add(f'class/mdev_bus/{parent}/{uuid}', None)
        self.files.add(f'{device}/mdev_type', f'../mdev_supported_types/{folder}')
        self.files.add(f'{device}/iommu_group', f'../../iommu_groups/{GROUP}')
        self.files.add(f'{device}/remove', fuse.Attribute(
            None, self.checked(lambda _: self.remove(uuid))))

    def remove(self, uuid):
        parent, _ = self.made.pop(uuid)
        self.files.remove(f'class/mdev_bus/{parent}/{uuid}')
        self.files.remove(f'bus/mdev/devices/{uuid}')


class Foreign(ManagerTest):
    def setUp(self):
        self.drivers = Drivers()
        self.addCleanup(self.drivers.files.finish)
        self.m = SriovManager(self.drivers.sysfs)
        self.addCleanup(self.finish)
        self.m.start()

    def finish(self):
        self.drivers.kill = None
        if self.m.process and self.m.process.poll() is not None:
            self.m.process = None
        if not self.m.process:
            self.m.start()
        # What is foreign cannot be ended by vgpud.
        for vgpu in self.m.call('ListVgpus')['vgpus']:
            if vgpu.get('foreign'):
                self.drivers.remove(vgpu['uuid'])
        self.m.finish()

    def types(self, gpu):
        return {t['type']: t for t in self.m.call('ListTypes', gpu=gpu)['types']}

    def create(self, kind='2Q', gpu=NVIDIA, **parameters):
        return self.m.create(type=kind, gpu=gpu, **parameters)

    def test_gpus(self):
        gpus = {g['gpu']: g for g in self.m.call('ListGpus')['gpus']}
        self.assertEqual({g: gpus[g]['provider'] for g in TREES}, dict.fromkeys(TREES, 'mdev'))
        self.assertEqual(gpus[NVIDIA]['driver'], 'nvidia')
        self.assertEqual(gpus[NVIDIA]['framebufferMib'], 24576)
        self.assertEqual(gpus[GVT]['pciAddress'], GVT)
        self.assertNotIn('pciAddress', gpus[MTTY])

    def test_types(self):
        """Name, framebuffer, heads and resolution, as the driver describes them."""
        types = self.types(NVIDIA)
        self.assertEqual(sorted(types), ['1B', '24C', '2Q'])
        of_2q = {k: types['2Q'][k] for k in ('series', 'typeId', 'framebufferMib', 'heads',
                                            'maxWidth', 'maxHeight', 'frameRateLimit',
                                            'available', 'maxInstances')}
        self.assertEqual(of_2q, {
            'series': 'Q', 'typeId': 47, 'framebufferMib': 2048, 'heads': 4,
            'maxWidth': 7680, 'maxHeight': 4320, 'frameRateLimit': 60, 'available': 12,
            'maxInstances': 12})
        types = self.types(GVT)
        of_gvt = {n: (t['framebufferMib'], t['heads'], t['maxWidth'], t['maxHeight'],
                      t['available']) for n, t in types.items()}
        self.assertEqual(of_gvt, {'GVTg_V5_4': (640, 1, 1920, 1200, 2),
                                  'GVTg_V5_8': (448, 1, 1024, 768, 4)})
        self.assertEqual({n: t['available'] for n, t in self.types(MTTY).items()},
                         {'mtty-1': 24, 'mtty-2': 12})

    def test_life(self):
        m = self.m
        self.create(name='v', uuid=UUID)
        self.assertEqual(self.drivers.made, {UUID: (NVIDIA, 'nvidia-47')})
        self.assertEqual(self.types(NVIDIA)['2Q']['available'], 11)
        vgpu = m.show('v')
        self.assertEqual([vgpu[k] for k in ('state', 'provider', 'type', 'typeId',
                                            'framebufferMib', 'sysfsPath')],
                         ['active', 'mdev', '2Q', 47, 2048,
                          f'/sys/bus/mdev/devices/{UUID}'])
        reply = m.call('GetQemuArguments', vgpu='v')
        self.assertEqual(reply['arguments'], ['-device', (
            f'vfio-pci,id=vgpu-{UUID[:8]},sysfsdev=/sys/bus/mdev/devices/{UUID},display=off')])
        self.assertFalse(reply['sharedMemory'])
        self.assertIn(f"<address uuid='{UUID}'/>", m.ctl('qemu-args', 'v', '--libvirt').stdout)
        m.call('Stop', vgpu='v')
        self.assertEqual((self.drivers.made, m.show('v')['state']), ({}, 'defined'))
        m.call('Start', vgpu='v')
        self.assertIn(UUID, self.drivers.made)
        m.call('Destroy', vgpu='v')
        self.assertEqual(self.drivers.made, {})
        self.assertEqual(m.kinds('v'), ['created', 'active', 'stopped', 'started', 'active',
                                        'destroyed'])

    def test_without_a_framebuffer(self):
        """A type of which nothing is known but its name is kept, too."""
        self.create('mtty-2', MTTY, name='t', uuid=UUID)
        self.m.restart()
        self.assertEqual(self.m.show('t')['state'], 'active')
        self.m.call('Destroy', vgpu='t')
        self.assertEqual(self.drivers.made, {})

    def test_refused(self):
        self.assert_refused('NoRoom', self.create, '24C')
        self.assert_refused('NoSuchType', self.create, '8Q')
        self.assert_refused('BadTransport', self.create, transport='mdev')
        self.assert_refused('BadPlacement', self.create, placement=1)
        self.assert_refused('GpuUnusable', self.create, weight=5)
        self.drivers.create(NVIDIA, 'nvidia-63', UUID)
        self.assert_refused('UuidInUse', self.create, uuid=UUID)
        self.assertEqual(self.drivers.writes, [])

    def test_others(self):
        """What others make is shown, and theirs."""
        self.drivers.create(NVIDIA, 'nvidia-63', OTHER)
        vgpu = self.m.show(OTHER)
        self.assertEqual((vgpu['foreign'], vgpu['type'], vgpu['gpu'], vgpu['state']),
                         (True, '1B', NVIDIA, 'active'))
        self.assert_refused('Foreign', self.m.call, 'Destroy', vgpu=OTHER, force=True)
        self.drivers.remove(OTHER)
        self.assert_refused('NoSuchVgpu', self.m.show, OTHER)
        # As after one's own.
        self.create(name='v', uuid=UUID)
        self.drivers.remove(UUID)
        self.assertIn('others removed', self.m.show('v')['failure'])
        self.m.call('Start', vgpu='v')
        self.assertIn(UUID, self.drivers.made)

    def test_nobody_knows(self):
        """A device that a machine may have open is not removed: that would wait."""
        group = f'/dev/vfio/{GROUP}'
        if os.path.exists('/dev/vfio'):
            self.skipTest('there is VFIO here')
        self.create(name='v', uuid=UUID)
        os.makedirs(group)  # which cannot be opened
        try:
            said = self.assert_refused('Internal', self.m.call, 'Destroy', vgpu='v')
            self.assertIn(group, said.parameters['text'])
        finally:
            os.removedirs(group)
        self.assertEqual(self.m.show('v')['state'], 'active')

    def test_next_vgpud(self):
        """Whenever vgpud is killed, the next one goes on with the device."""
        m = self.m
        for when in 'before', 'after':
            self.drivers.kill = when, m.process.pid
            with self.assertRaises((EOFError, ConnectionError)):
                self.create(name='v', uuid=UUID)
            m.process.wait()
            m.process = None
            m.start()
            wait_for(lambda: m.show('v')['state'] == 'active', 'it to be there')
            self.assertEqual(self.drivers.made, {UUID: (NVIDIA, 'nvidia-47')})
            self.drivers.kill = when, m.process.pid
            with self.assertRaises((EOFError, ConnectionError)):
                m.call('Destroy', vgpu='v')
            m.process.wait()
            m.process = None
            m.start()
            wait_for(lambda: m.show('v')['state'] == 'active', 'it to be there')
            m.call('Destroy', vgpu='v')
            self.assertEqual(self.drivers.made, {})

    def test_driver_goes_and_comes(self):
        self.create(name='v', uuid=UUID)
        self.drivers.unbind(NVIDIA)
        self.assertEqual(self.m.show('v')['state'], 'failed')
        self.assertIn('not bound', self.m.gpu(NVIDIA)['unusable'])
        self.m.restart()
        self.assertEqual(self.m.show('v')['state'], 'failed')
        self.drivers.bind(NVIDIA)
        self.assertEqual(self.m.show('v')['state'], 'active')
        self.assertEqual(self.drivers.made, {UUID: (NVIDIA, 'nvidia-47')})


if __name__ == '__main__':
    import unittest
    unittest.main()
