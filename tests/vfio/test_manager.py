#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud and vgpuctl in a host VM whose GPU is the hardware model, with the modules as
they are, on the driver that VGPU_CORE names. In the model's lab (lab/run --model)."""

import os
import re
import subprocess
import sys
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from cores import CORE, folder, machine  # noqa: E402
from host import Host  # noqa: E402
from host_manager import HostManager  # noqa: E402

TYPE_1Q, TYPE_8Q = 1147, 1152
BAR1 = {'1Q': 32, '8Q': 64}  # MiB
VFS = 32
LOAD = (*CORE.LOAD, 'run vf load')
SECOND_NS = 10**9
WORK_SECONDS = 60  # for a second's work
# A vgpud that was asked for something is killed after so many seconds.
MOMENTS = (0, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.3)


class Managed(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.host = Host(folder(), 'fb-size=48G', mib=CORE.HOST_MIB,
                        initrd=machine())
        cls.m = HostManager(cls.host)
        for line in LOAD:
            cls.host.do(line)

    @classmethod
    def tearDownClass(cls):
        cls.host.close()

    def setUp(self):
        self.start = len(self.host.log())
        self.addCleanup(self.put_back)
        self.do('write vgpu/placement heterogeneous')
        self.m.start()
        self.had = self.room()

    def put_back(self):
        self.host.fault('none')
        self.host.do('run vf kill')
        try:
            for vgpu in self.m.json('list'):
                self.m.ctl(f"destroy {vgpu['uuid']}")
            self.assertEqual(self.room(), self.had)
        finally:
            self.host.do('run manager stop')
            self.host.do('vfs 0')
        found = self.host.complaint(self.start)
        self.assertIsNone(found, found)
        self.assertEqual(self.host.refusals(), [])

    def room(self):
        gpu = self.m.gpu()
        del gpu['vfsEnabled']
        return gpu, [self.read(f'vgpu/types/{number}/available_instances')
                     for number in (TYPE_1Q, TYPE_8Q)]

    def do(self, line):
        status, said = self.host.do(line)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def load(self):
        for line in LOAD:
            self.do(line)

    def unload(self):
        """As where the host is shut down: nothing of VFs is kept."""
        self.do('vfs 0')
        self.do('run vf unload')
        for line in CORE.UNLOAD:
            self.do(line)

    def read(self, path):
        return re.search(r'test: value (.*?)\|?\r?\n',
                         self.do(f'read {path}')).group(1)

    def create(self, kind, name, *more):
        words = ' '.join(('create', '--type', kind, '--name', name, *more))
        self.assertRegex(self.m.ctl(words)[0], r'^[0-9a-f-]{36}$')
        return self.m.show(name)

    def refused(self, words, part):
        self.assertIn(part, self.m.refused(words))

    def hold(self, name, check='hold'):
        """Have it open, as a machine's QEMU has."""
        vgpu = self.m.show(name)
        start = len(self.host.log())
        self.do(f"run vf hold {vgpu['vf']} {BAR1[vgpu['type']]} {check}")
        self.host.wait('test: held', start)
        return start

    def where(self, *names):
        """The properties that must not change."""
        vgpus = [self.m.show(name) for name in names]
        return [{k: v[k] for k in ('uuid', 'name', 'type', 'vf', 'state',
                                   'placement', 'pciAddress')}
                for v in vgpus]

    def kinds(self, name):
        uuid = self.m.show(name)['uuid']
        return [event['event'] for event in self.m.events()
                if event.get('uuid') == uuid]


class Life(Managed):
    def test_two_types(self):
        gpu = self.m.gpu()
        self.assertEqual((gpu['provider'], gpu['chip'], gpu['vfsTotal'],
                          gpu['vfsUsed']), ('sriov', 'AD102', VFS, 0))
        one = self.create('8Q', 'a')
        other = self.create(str(TYPE_1Q), 'b')
        self.assertEqual((one['vf'], one['type'], one['typeId'], one['state']),
                         (1, '8Q', TYPE_8Q, 'active'))
        self.assertEqual((other['vf'], other['type'], other['typeId']),
                         (2, '1Q', TYPE_1Q))
        self.assertEqual(self.read('vgpu/vf1/type'), str(TYPE_8Q))
        self.assertEqual([vf[0] for vf in self.host.vfs()[:2]],
                         [one['pciAddress'], other['pciAddress']])
        gpu = self.m.gpu()
        self.assertEqual((gpu['vfsEnabled'], gpu['vfsUsed']), (VFS, 2))
        self.assertEqual(gpu['freeMib'], self.had[0]['freeMib'] -
                         one['framebufferMib'] - other['framebufferMib'])
        arguments, = self.m.ctl('qemu-args a')
        self.assertEqual(arguments, '-device vfio-pci,'
                         f"id=vgpu-{one['uuid'][:8]},"
                         f"host={one['pciAddress']},display=off")
        for vgpu, bar1 in ((one, 64), (other, 32)):
            self.do(f"run vf test config {vgpu['vf']} {bar1} {vgpu['typeId']}")
            self.do(f"run vf test framebuffer {vgpu['vf']} {bar1} 0")
        for name in 'ab':
            self.m.ctl(f'destroy {name}')
        self.assertEqual(self.read('vgpu/vf1/type'), '0')
        self.assertEqual(self.m.json('list'), [])

    def test_every_vf(self):
        self.do('write vgpu/placement homogeneous')
        count = VFS - CORE.PLACES_LOST
        for i in range(count):
            self.create('1Q', f'v{i}')
        self.refused('create --type 1Q', 'no virtual function left' if count == VFS
                     else 'type 1Q')
        self.assertEqual(self.m.gpu()['vfsUsed'], count)
        for i in range(count):
            self.m.ctl(f'destroy v{i}')
        self.do('write vgpu/placement heterogeneous')

    def test_what_is_no_vgpu(self):
        gpu = self.m.gpu()['gpu']
        self.refused('create --type 5X', "no type '5X'")
        self.refused(f'create --type 99999 --gpu {gpu}', "no type '99999'")
        self.refused('create --type 8Q --gpu 0000:09:00.0', 'no GPU')
        self.refused('create --type 8Q --placement 3', 'placement 3')
        for command in ('show', 'destroy', 'qemu-args'):
            self.refused(f'{command} nobody', 'nobody')
        self.create('8Q', 'a')
        self.refused('create --type 8Q --name a', "'a'")
        self.refused('create --type 48Q', '48Q needs')
        self.assertEqual(len(self.m.json('list')), 1)

    def test_types_that_do_not_mix(self):
        self.do('write vgpu/placement homogeneous')
        self.create('8Q', 'a')
        self.refused('create --type 1Q', 'of its size only')
        self.create('8A', 'b')
        for name in 'ab':
            self.m.ctl(f'destroy {name}')
        self.do('write vgpu/placement heterogeneous')

    def test_no_driver_for_vfs(self):
        self.do('run vf unload')
        self.refused('create --type 8Q', 'modprobe vgpu_vfio_pci')
        self.do('run vf load')
        self.create('8Q', 'a')

    def test_what_others_made(self):
        self.create('8Q', 'a')
        self.do(f'run vf type 3 {TYPE_1Q}')
        foreign = next(v for v in self.m.json('list') if v.get('foreign'))
        self.assertEqual((foreign['vf'], foreign['type']), (3, '1Q'))
        self.refused(f"destroy {foreign['uuid']}", 'not given its type by')
        self.do('run vf type 3 0')
        self.assertEqual(len(self.m.json('list')), 1)


class Use(Managed):
    def test_in_use(self):
        self.create('8Q', 'a')
        self.hold('a')
        vgpu = self.m.show('a')
        self.assertEqual(vgpu['state'], 'attached')
        self.assertEqual(str(vgpu['vmPid']), self.read('vgpu/vf1/opener_pid'))
        for force in ('', ' --force'):
            self.refused(f'destroy a{force}', f"{vgpu['vmPid']} has")
        self.create('1Q', 'b')  # others come and go meanwhile
        self.m.ctl('destroy b')
        self.do('run vf kill')
        self.assertEqual(self.m.show('a')['state'], 'active')
        self.assertEqual(self.kinds('a'),
                         ['created', 'active', 'attached', 'detached'])

    def test_engine_time(self):
        def told(name):
            vgpu = self.m.show(name)
            return [vgpu[key] for key in ('graphicsNs', 'encoderNs', 'decoderNs')]
        for name in 'ab':
            self.create('8Q', name)
            self.assertEqual(told(name), [0, 0, 0])
        self.hold('a', 'work')
        end = time.monotonic() + WORK_SECONDS * self.host.patience
        while told('a')[0] < SECOND_NS:
            self.assertLess(time.monotonic(), end)
        graphics, encoder, decoder = told('a')
        self.assertGreater(graphics, decoder)
        self.assertGreater(decoder, 0)
        self.assertEqual(encoder, 0)
        self.assertEqual(told('b'), [0, 0, 0])
        self.assertRegex('\n'.join(self.m.ctl('show a')),
                         r'Engine time: graphics [1-9][0-9]*\.[0-9] s, encoder 0\.0 s')
        self.assertRegex('\n'.join(self.m.ctl('top')), 'GRAPHICS +ENCODER +DECODER')
        self.do('run vf kill')
        self.assertEqual(told('a'), [0, 0, 0])

    def test_lost_while_in_use(self):
        self.create('8Q', 'a')
        start = self.hold('a')
        # That vgpud has seen it is not a matter of time.
        self.assertEqual(self.m.show('a')['state'], 'attached')
        self.host.fault('vgpu-crash:1')
        self.host.wait('test: let go of', start)
        self.host.fault('none')
        self.do('run vf kill')
        self.assertEqual(self.m.show('a')['state'], 'active')
        self.assertIn('attached', self.kinds('a'))
        self.do(f'run vf test open 1 {BAR1["8Q"]} 0')

    def test_vgpud_is_killed_meanwhile(self):
        self.create('8Q', 'a')
        self.create('1Q', 'b')
        self.hold('a')
        before = self.where('a', 'b')
        self.m.kill()
        self.m.start()
        self.assertEqual(self.where('a', 'b'), before)
        self.assertEqual([v['state'] for v in before], ['attached', 'active'])
        self.refused('destroy a', 'open')
        self.m.kill()
        self.do('run vf kill')
        self.m.start()
        self.assertEqual(self.m.show('a')['state'], 'active')


class Restarts(Managed):
    def two(self):
        self.create('8Q', 'a', '--placement', '40')
        self.create('1Q', 'gone')
        self.create('1Q', 'b')
        self.m.ctl('destroy gone')
        return self.where('a', 'b')

    def test_vgpud_restarts(self):
        before = self.two()
        self.assertEqual([v['vf'] for v in before], [1, 3])
        self.m.stop()
        self.m.start()
        self.assertEqual(self.where('a', 'b'), before)

    def test_the_host_restarts(self):
        """Its modules forget all; types and places are those of before."""
        before = self.two()
        self.m.stop()
        self.unload()
        self.load()
        self.m.start()
        self.assertEqual(self.where('a', 'b'), before)
        self.assertEqual(self.read('vgpu/placement'),
                         'homogeneous [heterogeneous]')
        self.do(f'run vf test framebuffer 1 {BAR1["8Q"]} 0')

    def test_the_modules_are_loaded_again(self):
        """Modules are unloaded and loaded below a running vgpud, in the worst
        order."""
        before = self.two()
        self.unload()
        self.assertIn('not bound', self.m.show('a')['failure'])
        for line in CORE.LOAD:
            self.do(line)
        self.assertIn('not loaded', self.m.show('a')['failure'])
        self.do('run vf load')
        self.assertEqual(self.where('a', 'b'), before)

    def test_only_the_gpus_driver_is_bound_again(self):
        before = self.two()
        self.do('vfs 0')
        self.do('run vf unbind-gpu')
        self.assertIn('not bound', self.m.show('b')['failure'])
        self.do(CORE.BIND)
        self.assertEqual(self.where('a', 'b'), before)

    def test_vfs_are_disabled(self):
        """VFs that an administrator disabled are not enabled again."""
        before = self.two()
        self.do('vfs 0')
        self.assertIn('not enabled', self.m.show('b')['failure'])
        self.do(f'vfs {VFS}')
        self.assertEqual(self.where('a', 'b'), before)

    def killed(self, moment, words):
        """Kill vgpud during a call; return whether the call was answered."""
        status, out, _ = self.m.do(f'killed {moment} {words}')
        self.m.start()
        return status == 0, out

    def test_killed_while_it_creates(self):
        for moment in MOMENTS:
            is_answered, _ = self.killed(moment, 'create --type 8Q --name a')
            vgpus = self.m.json('list')
            # What was not answered is as if it had never been asked, or done.
            self.assertLessEqual(len(vgpus), 1)
            for vgpu in vgpus:
                self.assertEqual((vgpu['name'], vgpu['vf'], vgpu['state']),
                                 ('a', 1, 'active'), moment)
                self.m.ctl('destroy a')
            if is_answered:
                self.assertEqual(len(vgpus), 1, moment)
            self.assertEqual(self.room(), self.had)
            self.do('vfs 0')

    def test_killed_while_it_destroys(self):
        for moment in MOMENTS:
            self.create('8Q', 'a')
            is_answered, _ = self.killed(moment, 'destroy a')
            vgpus = self.m.json('list')
            if is_answered:
                self.assertEqual(vgpus, [], moment)
            for vgpu in vgpus:
                self.assertEqual((vgpu['name'], vgpu['vf'], vgpu['state']),
                                 ('a', 1, 'active'), moment)
                self.m.ctl('destroy a')
            self.assertEqual(self.room(), self.had)


if __name__ == '__main__':
    for command in ('model/build', CORE.BUILD):
        built = subprocess.run([os.path.join(TOP, command)], check=False)
        if built.returncode:
            raise SystemExit(built.returncode)
    unittest.main()
