# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs that are VFIO devices: mediated devices in a sysfs of the test's, whose files
in /dev are plain ones. What the kernel module does about them: tests/mdev."""

import errno
import json
import os
import signal
import subprocess
import sys

import fuse
import harness
from fake_systemd import ServiceManager
from harness import Manager, ManagerTest, wait_for

PARENT = 'class/vgpu-mdev/vgpu_mdev'
TYPE = f'{PARENT}/mdev_supported_types/vgpu-mdev-gpu'
TYPES = f'{PARENT}/types'
FILES = '/dev/vgpu-mdev'
UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
OTHER = '6ba7b811-9dad-41d1-80b4-00c04fd430c8'
SLOT_MDEV = 10
# Serves, and writes down which slots it was given.
DEVICE = """#!/bin/sh
VGPU_FAKE_NOTES='{notes}' exec '{python}' '{here}/fake_device.py' notes "$@"
"""


class Module:
    """vgpu_mdev, as far as sysfs shows it."""

    def __init__(self):
        self.files = fuse.Files()
        self.error = None  # what a write gets
        self.kill = None   # (before or after, process)
        self.done = []
        self.types = ''
        os.makedirs(FILES, exist_ok=True)
        self.load()

    def load(self):
        self.files.add(f'{TYPE}/create', fuse.Attribute(None, self.checked(self.create)))
        self.files.add(TYPES, fuse.Attribute(lambda: self.types, self.write_types))
        self.files.add('bus/mdev/devices', None)

    def write_types(self, text):
        self.types = text

    def unload(self):
        self.files.remove(PARENT)

    def finish(self):
        for uuid in self.uuids():
            self.take_away(uuid)
        self.files.finish()

    def uuids(self):
        return os.listdir(FILES)

    def checked(self, change):
        def checked(value):
            kill, self.kill = self.kill, None
            if self.error:
                raise OSError(self.error, value)
            if kill and kill[0] == 'before':
                os.kill(kill[1], signal.SIGKILL)
                raise OSError(errno.EINTR, value)
            change(value)
            self.done.append((change.__name__, value))
            if kill:
                os.kill(kill[1], signal.SIGKILL)
        return checked

    def create(self, uuid, kind='vgpu-mdev-gpu'):
        if uuid in self.uuids():
            raise OSError(errno.EEXIST, uuid)
        device = f'bus/mdev/devices/{uuid}'
        self.files.add(f'{device}/mdev_type', f'../../{kind}')
        self.files.add(f'{device}/driver', '../../vgpu_mdev')
        self.files.add(f'{device}/iommu_group', '../../kernel/iommu_groups/7')

        def remove(_):
            self.take_away(uuid)
        self.files.add(f'{device}/remove', fuse.Attribute(None, self.checked(remove)))
        with open(f'{FILES}/{uuid}', 'w', encoding='utf-8'):
            pass

    def take_away(self, uuid):
        self.files.remove(f'bus/mdev/devices/{uuid}')
        os.unlink(f'{FILES}/{uuid}')


class OnSysfs:
    """A vgpud on that sysfs, with device processes that know nothing of it."""

    def arguments(self):
        return super().arguments() + ['--sysfs', self.sysfs]

    def slots(self):
        """What each device process was given, in their order."""
        path = os.path.join(self.folder, 'slots')
        with open(path, encoding='utf-8') as file:
            return [json.loads(line) for line in file]

    def ctl(self, *words, status=0):
        done = subprocess.run(
            [os.path.join(harness.BUILD, 'vgpuctl'), '--socket', self.socket, *words],
            capture_output=True, text=True, check=False, timeout=harness.TIMEOUT)
        assert done.returncode == status, done
        return done.stdout if status == 0 else done.stderr


class MdevManager(OnSysfs, Manager):
    pass


class MdevService(OnSysfs, ServiceManager):
    pass


class Mdev(ManagerTest):
    def setUp(self):
        if os.path.isdir(FILES):
            self.skipTest('there are such devices here')
        self.module = Module()
        self.addCleanup(os.rmdir, FILES)
        self.addCleanup(self.module.finish)

    def vgpud(self, kind=MdevManager):
        m = kind()
        m.helper('vgpu-device', DEVICE.format(
            notes=os.path.join(m.folder, 'slots'), python=sys.executable,
            here=harness.HERE))
        m.sysfs = self.module.files.folder
        self.addCleanup(m.finish)
        self.addCleanup(setattr, self.module, 'error', None)
        return m.start()

    def create(self, m, name='v', **parameters):
        m.create(type='128MB', name=name, transport='mdev', **parameters)
        return m.show(name)

    def test_life(self):
        """The device is there while the vGPU is started, and no longer."""
        m = self.vgpud()
        vgpu = self.create(m, uuid=UUID)
        self.assertEqual(vgpu['transport'], 'mdev')
        self.assertEqual(vgpu['sysfsPath'], f'/sys/bus/mdev/devices/{UUID}')
        self.assertNotIn('socket', vgpu)
        self.assertEqual(os.listdir(FILES), [UUID])
        self.assertIn(SLOT_MDEV, m.slots()[-1])
        self.assertIn('Transport:   mdev', m.ctl('show', 'v'))
        m.call('Stop', vgpu='v')
        self.assertEqual(os.listdir(FILES), [])
        self.assertNotIn('sysfsPath', m.show('v'))
        m.call('Start', vgpu='v')
        self.assertEqual(os.listdir(FILES), [UUID])
        m.call('Destroy', vgpu='v')
        self.assertEqual(os.listdir(FILES), [])
        self.assertNotIn('sysfsPath', m.show(m.create(type='128MB')))

    def test_arguments(self):
        m = self.vgpud()
        self.create(m, uuid=UUID)
        device = (f'vfio-pci,id=vgpu-{UUID[:8]},sysfsdev=/sys/bus/mdev/devices/{UUID},'
                  'display=off')
        reply = m.call('GetQemuArguments', vgpu='v', input=False)
        self.assertEqual(reply['arguments'], ['-device', device])
        self.assertFalse(reply['sharedMemory'])
        self.assertIn('/dev/vfio/7', reply['note'])
        reply = m.call('GetQemuArguments', vgpu='v')
        self.assertEqual(reply['arguments'][:2], ['-device', device])
        self.assertEqual(len(reply['devices']), 3)
        self.assertTrue(reply['sharedMemory'])
        xml = m.ctl('qemu-args', 'v', '--libvirt', '--no-input')
        self.assertIn("<hostdev mode='subsystem' type='mdev' model='vfio-pci'", xml)
        self.assertIn(f"<address uuid='{UUID}'/>", xml)
        self.assertNotIn('memoryBacking', xml)
        xml = m.ctl('qemu-args', 'v', '--libvirt')
        self.assertIn("<access mode='shared'/>", xml)
        self.assertEqual(xml.count('<qemu:arg'), 8)
        self.assertNotIn('sysfsdev', xml)
        self.assert_refused('NoSuchHead', m.call, 'GetQemuArguments', vgpu='v',
                            display=True)

    def test_refused(self):
        m = self.vgpud()
        said = self.assert_refused('BadTransport', m.create, type='128MB',
                                   transport='vfio')
        self.assertIn("'vfio'", said.parameters['text'])
        self.assert_refused('BadTransport', m.create, type='128MB', transport='mdev',
                            container=True)
        self.module.error = errno.EUSERS
        self.assertIn('no more mediated devices',
                      m.ctl('create', '--type', '128MB', '--transport', 'mdev', status=1))
        self.module.error = errno.EACCES
        self.assertIn('vgpud(8)',
                      m.ctl('create', '--type', '128MB', '--transport', 'mdev', status=1))
        self.module.error = None
        self.module.unload()
        said = self.assert_refused('GpuUnusable', self.create, m)
        self.assertIn('modprobe vgpu_mdev', said.parameters['text'])
        self.assertEqual(m.call('ListVgpus')['vgpus'], [])

    def test_others(self):
        """What others made of such a device is theirs."""
        m = self.vgpud()
        self.module.create(OTHER)
        self.assert_refused('UuidInUse', self.create, m, uuid=OTHER)
        m.call('Define', type='128MB', name='d', uuid=OTHER, transport='mdev')
        self.assert_refused('UuidInUse', m.call, 'Start', vgpu='d')
        m.restart()
        m.call('Destroy', vgpu='d')
        self.assertEqual((os.listdir(FILES), self.module.done), ([OTHER], []))

    def test_next_vgpud(self):
        """Without a fd store, devices of plain files end with vgpud: the mediated
        device stays, and the next process serves it."""
        m = self.vgpud()
        self.create(m, uuid=UUID, autostart=True)
        for number in signal.SIGKILL, signal.SIGTERM:
            m.restart(number)
            wait_for(lambda: m.show('v')['state'] == 'active', 'it to serve')
        self.assertEqual(self.module.done, [('create', UUID)])
        self.assertEqual(len(m.slots()), 3)
        # A module that was loaded again has none.
        m.kill()
        self.module.take_away(UUID)
        m.start()
        wait_for(lambda: m.show('v')['state'] == 'active', 'it to serve')
        self.assertEqual(os.listdir(FILES), [UUID])

    def test_kept_by_systemd(self):
        """A successor of a device that died with vgpud has the same file."""
        m = self.vgpud(MdevService)
        pid = self.create(m, uuid=UUID)['devicePid']
        os.kill(pid, signal.SIGSTOP)
        m.kill()
        harness.kill_to_the_end(pid)
        m.start()
        wait_for(lambda: len(m.slots()) == 2 and 'sysfsPath' in m.show('v'),
                 'a successor')
        self.assertEqual(m.show('v')['restarts'], 1)
        self.assertIn(SLOT_MDEV, m.slots()[-1])
        self.assertEqual(self.module.done, [('create', UUID)])
        m.call('Destroy', vgpu='v')
        self.assertEqual(m.store.names(), ['table'])

    def test_killed_halfway(self):
        """Whenever vgpud is killed, the next one has the device or removes it."""
        m = self.vgpud()
        for when in 'before', 'after':
            self.module.kill = when, m.process.pid
            with self.assertRaises((EOFError, ConnectionError)):
                self.create(m, uuid=UUID)
            m.process.wait()
            m.process = None
            m.start()
            wait_for(lambda: m.show('v')['state'] == 'active', 'it to serve')
            self.module.kill = when, m.process.pid
            with self.assertRaises((EOFError, ConnectionError)):
                m.call('Destroy', vgpu='v')
            m.process.wait()
            m.process = None
            m.start()
            wait_for(lambda: m.show('v')['state'] == 'active', 'it to serve')
            m.call('Destroy', vgpu='v')
            self.assertEqual(os.listdir(FILES), [])

    def test_module_is_missing(self):
        """At the start of vgpud; it is tried again when somebody starts it."""
        m = self.vgpud()
        self.create(m, uuid=UUID)
        m.kill()
        self.module.take_away(UUID)
        self.module.unload()
        m.start()
        self.assertEqual(m.show('v')['state'], 'failed')
        self.assertIn('modprobe vgpu_mdev', m.show('v')['failure'])
        self.module.load()
        m.call('Start', vgpu='v')
        self.assertEqual(m.show('v')['state'], 'active')

    def test_removed_by_others(self):
        """Its process finds nothing to serve any more, and one more would not."""
        m = self.vgpud()
        pid = self.create(m, uuid=UUID)['devicePid']
        self.module.take_away(UUID)
        os.kill(pid, signal.SIGKILL)
        wait_for(lambda: m.show('v')['state'] == 'failed', 'it to fail')
        self.assertIn('others removed', m.show('v')['failure'])
        self.assertEqual(len(m.slots()), 1)
        m.call('Start', vgpu='v')
        self.assertEqual(os.listdir(FILES), [UUID])

    def types(self):
        """What the module was told: the parent, and how many of each type fit."""
        lines = self.module.types.splitlines()
        return lines[0], {line.split()[0]: int(line.split()[1]) for line in lines[1:]}

    def make(self, uuid, kind='vgpu-mdev-128MB'):
        """As mdevctl does."""
        self.module.create(uuid, kind)
        self.module.files.notify(TYPES)

    def take_away(self, uuid):
        self.module.take_away(uuid)
        self.module.files.notify(TYPES)

    def test_types(self):
        """The module knows the types, and how many more fit."""
        m = self.vgpud()
        wait_for(lambda: self.module.types, 'the types')
        parent, types = self.types()
        self.assertEqual(parent, 'parent vgpud')
        self.assertEqual(sorted(types), ['128MB', '1C', '256MQ', '2Q'])
        self.assertEqual(types['2Q'], 0)
        self.assertIn('num_heads=2, framebuffer=128M, max_resolution=1920x1080',
                      self.module.types)
        before = types['128MB']
        self.create(m)
        wait_for(lambda: self.types()[1]['128MB'] == before - 1, 'one less')
        m.call('Destroy', vgpu='v')
        wait_for(lambda: self.types()[1]['128MB'] == before, 'one more')
        # Not before a module is there.
        self.module.unload()
        self.module.types = ''
        m.call('ListVgpus')
        self.module.load()
        m.call('ListVgpus')
        wait_for(lambda: self.module.types, 'the types')

    def test_made_by_others(self):
        """A device that is made of vgpud's types is a vGPU, and ends with it."""
        m = self.vgpud()
        wait_for(lambda: self.module.types, 'the types')
        self.make(UUID)
        wait_for(lambda: [v['state'] for v in m.call('ListVgpus')['vgpus']] == ['active'],
                 'the vGPU')
        vgpu = m.show(UUID)
        self.assertEqual((vgpu['type'], vgpu['transport']), ('128MB', 'mdev'))
        self.assertEqual(vgpu['sysfsPath'], f'/sys/bus/mdev/devices/{UUID}')
        with open(m.definition(UUID), encoding='utf-8') as f:
            stored = json.load(f)
        self.assertEqual((stored['version'], stored['transient']), (8, True))
        # It is kept by the next vgpud, which makes none.
        m.restart(signal.SIGKILL)
        wait_for(lambda: m.show(UUID)['state'] == 'active', 'it to serve')
        self.assertEqual(self.module.done, [])
        self.take_away(UUID)
        wait_for(lambda: not m.call('ListVgpus')['vgpus'], 'its end')
        self.assertFalse(os.path.exists(m.definition(UUID)))
        # One that went while no vgpud ran is forgotten, and not made again.
        self.make(UUID)
        wait_for(lambda: m.call('ListVgpus')['vgpus'], 'the vGPU')
        m.kill()
        self.module.take_away(UUID)
        m.start()
        self.assertEqual(m.call('ListVgpus')['vgpus'], [])
        self.assertEqual(os.listdir(FILES), [])

    def test_made_and_stopped(self):
        """Stopped and started by vgpuctl it is vgpud's own."""
        m = self.vgpud()
        self.make(UUID)
        wait_for(lambda: m.call('ListVgpus')['vgpus'], 'the vGPU')
        wait_for(lambda: m.show(UUID)['state'] == 'active', 'it to serve')
        m.call('Stop', vgpu=UUID)
        self.assertEqual(os.listdir(FILES), [])
        m.call('Start', vgpu=UUID)
        self.assertEqual(self.module.done, [('remove', '1'), ('create', UUID)])
        with open(m.definition(UUID), encoding='utf-8') as f:
            self.assertNotIn('transient', json.load(f))
        m.call('Destroy', vgpu=UUID)
        self.assertEqual(os.listdir(FILES), [])

    def test_made_without_room(self):
        """What cannot be served is removed."""
        m = self.vgpud()
        wait_for(lambda: self.module.types, 'the types')
        self.make(UUID, 'vgpu-mdev-2Q')
        wait_for(lambda: os.listdir(FILES) == [], 'its removal')
        self.assertEqual(m.call('ListVgpus')['vgpus'], [])
        # A device of the module's own type is nobody's.
        self.make(OTHER, 'vgpu-mdev-gpu')
        self.make(UUID)
        wait_for(lambda: [v['state'] for v in m.call('ListVgpus')['vgpus']] == ['active'],
                 'the vGPU')
        self.assertEqual(m.call('ListVgpus')['vgpus'][0]['uuid'], UUID)

    def test_definition(self):
        """It is kept and round-trips, in a version of its own."""
        m = self.vgpud()
        uuid = self.create(m)['uuid']
        with open(m.definition(uuid), encoding='utf-8') as f:
            stored = json.load(f)
        self.assertEqual((stored['version'], stored['transport']), (7, 'mdev'))
        text = m.ctl('show', 'v', '--json=short')
        path = os.path.join(m.folder, 'd.json')
        Manager.write(path, text)
        m.ctl('define', '--file', path, '--name', 'd', '--new-ids')
        self.assertEqual(m.show('d')['transport'], 'mdev')
        m.ctl('undefine', 'd')
        Manager.write(path, m.ctl('list', '--json=short'))
        self.assertEqual(m.ctl('check', path), '')
        # Of another transport it is another one.
        Manager.write(path, json.dumps([{'name': 'v', 'type': '128MB', 'gpu': 'embedded',
                                         'transport': 'vhost-user'}]))
        m.ctl('apply', path)
        self.assertNotEqual(m.show('v')['uuid'], uuid)
        self.assertEqual(os.listdir(FILES), [])


if __name__ == '__main__':
    import unittest
    unittest.main()
