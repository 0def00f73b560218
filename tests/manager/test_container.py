# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs for containers: Mesa's venus driver on this host is the program there."""

import json
import os
import re
import shutil
import subprocess
import sys

import harness
from harness import ManagerTest, wait_for

sys.path.insert(0, os.path.join(harness.HERE, '..', 'device', 'vtest'))
os.environ.setdefault('VGPU_BUILD', harness.BUILD)
from client import batch, Client  # noqa: E402

ICD = '/usr/share/vulkan/icd.d/virtio_icd.json'
MIB = 1 << 20
RESERVED = 'memfd:vgpu-framebuffer'


def vgpuctl(m, *words, text=None, status=0):
    done = subprocess.run([os.path.join(harness.BUILD, 'vgpuctl'), '--socket', m.socket,
                           *words], text=True, input=text, capture_output=True,
                          timeout=harness.TIMEOUT, check=False)
    assert done.returncode == status, (words, done)
    return done.stdout if status == 0 else done.stderr


def reserved_bytes(pid):
    """What a device has of the framebuffer that was made ahead."""
    blocks = 0
    folder = f'/proc/{pid}/fd'
    for fd in os.listdir(folder):
        path = f'{folder}/{fd}'
        if RESERVED in os.readlink(path):
            blocks += os.stat(path).st_blocks
    return blocks * 512


class Container(ManagerTest):
    def setUp(self):
        # With a Vulkan driver, so that there are contexts.
        self.m = self.manager(mib=1024, probe=None)
        for name in 'vgpu-launch', 'vgpu-render':
            self.m.helper(name)

    def create(self, name='c', kind='256MQ', **parameters):
        self.m.create(type=kind, name=name, container=True, **parameters)
        return self.m.show(name)

    def begin(self, path):
        """A client that has a context."""
        client = Client(path)
        self.addCleanup(client.socket.close)
        return client.begin()

    def test_definition(self):
        """It is one as any other, but for heads; it round-trips."""
        m = self.m
        free = m.gpu()['freeMib']
        vgpu = self.create(weight=50)
        self.assertEqual(free - m.gpu()['freeMib'], 256)
        self.assertIs(vgpu['container'], True)
        self.assertEqual((vgpu['state'], vgpu['heads'], vgpu['weight']), ('active', [], 50))
        self.assertEqual(os.path.basename(vgpu['socket']), 'vtest.sock')
        self.assertNotIn('container', m.show(m.create(type='128MB')))
        self.assert_refused('NoSuchHead', m.call, 'SetMode', vgpu='c', width=640, height=480)
        self.assert_refused('NoSuchHead', m.call, 'Capture', vgpu='c')
        self.assert_refused('NoSuchHead', m.create, type='128MB', container=True,
                            heads=[{'head': 0, 'preferredWidth': 640, 'preferredHeight': 480}])
        refused = self.assert_refused('BadState', m.call, 'GetQemuArguments', vgpu='c')
        self.assertIn('vgpuctl cdi', refused.parameters['text'])
        m.call('Stop', vgpu='c')
        m.call('Modify', vgpu='c', type='128MB')
        self.assertEqual(m.show('c')['heads'], [])
        text = vgpuctl(m, 'show', 'c', '--json=short')
        vgpuctl(m, 'define', '--file', '-', '--name', 'd', '--new-ids', text=text)
        self.assertTrue(m.show('d')['container'])
        self.assertIn('For:         containers', vgpuctl(m, 'show', 'd'))
        self.assertEqual(vgpuctl(m, 'check', '-', text=vgpuctl(m, 'list', '--json=short')), '')
        m.restart()
        self.assertTrue(m.show('c')['container'])

    def test_another_use_is_another_vgpu(self):
        """What apply does of one that is to be for a VM."""
        uuid = self.create()['uuid']
        wanted = json.dumps([{'name': 'c', 'type': '256MQ', 'gpu': 'embedded'}])
        vgpuctl(self.m, 'apply', '-', text=wanted)
        self.assertNotEqual(self.m.show('c')['uuid'], uuid)
        self.assertNotIn('container', self.m.show('c'))

    def test_earlier_version_reads_the_others(self):
        m = self.m
        for uuid, version in ((self.create()['uuid'], 5), (m.create(type='128MB'), 4)):
            with open(m.definition(uuid), encoding='utf-8') as f:
                self.assertEqual(json.load(f)['version'], version)

    def test_life(self):
        """Who uses it is seen, and it cannot be taken away unasked."""
        m = self.m
        vgpu = self.create()
        client = self.begin(vgpu['socket'])
        wait_for(lambda: m.show('c')['state'] == 'attached', 'attach')
        self.assertEqual(m.show('c')['clientPid'], os.getpid())
        self.assertGreater(m.show('c')['commands'], 3)
        refused = self.assert_refused('InUse', m.call, 'Destroy', vgpu='c')
        self.assertIn(f'program {os.getpid()}', refused.parameters['text'])
        m.restart()
        self.assertEqual(m.show('c')['state'], 'attached')
        self.assertEqual(m.show('c')['devicePid'], vgpu['devicePid'])
        client.socket.close()
        wait_for(lambda: m.show('c')['state'] == 'active', 'detach')
        said = [e['text'] for e in m.events() if e['event'] == 'detached']
        self.assertEqual(said, [f'the program {os.getpid()} let go of it'])
        # Another process listens where the last did.
        harness.replace_device(m, 'c')
        self.begin(vgpu['socket'])
        wait_for(lambda: m.show('c')['state'] == 'attached', 'attach')
        m.call('Destroy', vgpu='c', force=True)
        self.assertFalse(os.path.exists(m.folder_of(vgpu['uuid'])))

    def test_rule_is_broken(self):
        m = self.m
        client = self.begin(self.create()['socket'])
        client.send(b'\xff' * 8)
        wait_for(lambda: [e for e in m.events() if e['event'] == 'guest-fault'], 'event')
        wait_for(lambda: m.show('c')['errors'] == 1, 'an error to be counted')

    def test_lost_contexts(self):
        """Each is counted by how it was lost, by a real render process."""
        m = self.m
        path = self.create()['socket']

        def losses():
            return {one['what']: one['count'] for one in
                    m.show('c').get('contextsLost', []) if one['count']}
        bad, gone, _ = (self.begin(path) for _ in range(3))
        wait_for(lambda: m.show('c').get('contexts') == 3, 'three contexts')
        # No command has this number.
        bad.send(batch(b'\xff' * 64))
        wait_for(lambda: losses() == {'stream': 1}, 'the stream to be counted')
        self.assertEqual(m.show('c')['contexts'], 2)
        # To leave is no loss.
        gone.socket.close()
        wait_for(lambda: m.show('c')['contexts'] == 1, 'the client to be gone')
        self.assertEqual(losses(), {'stream': 1})
        self.assertEqual(m.show('c')['submits'], 1)

    def test_rules_are_broken_often(self):
        """Of many in a row a few are told of at once, and of the rest how many
        there were, though no other follows."""
        count = 13

        def told():
            return [event['text'] for event in self.m.events()
                    if event['event'] == 'guest-fault']

        def stand_for():
            more = (re.search(r'\((\d+) more events', text) for text in told())
            return sum(1 + (int(found[1]) if found else 0) for found in more)

        path = self.create()['socket']
        for _ in range(count):
            with Client(path) as client:
                client.send(b'\xff' * 8)
                self.assertTrue(client.is_gone())
        wait_for(lambda: stand_for() >= count, 'all of them')
        self.assertEqual(stand_for(), count)
        self.assertLess(len(told()), count)

    def test_framebuffer_is_exchanged(self):
        """What programs have is the vGPU's own: never more, and never less."""
        m = self.m
        vgpu = self.create()
        self.assertEqual(reserved_bytes(vgpu['devicePid']), 256 * MIB)
        environment = self.environment(vgpu)
        environment['VN_PERF'] = 'no_async_mem_alloc'
        program = subprocess.Popen(
            ['vkmark', '--winsys', 'headless', '--size', '200x150', '-b',
             'cube:duration=100000'], env=environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL)
        self.addCleanup(program.wait)
        self.addCleanup(program.kill)

        def used():
            return m.show('c')['usedBytes']
        wait_for(lambda: used() > 0 and
                 reserved_bytes(vgpu['devicePid']) + used() == 256 * MIB,
                 'pages to change sides')
        harness.kill_to_the_end(vgpu['devicePid'])
        program.wait(harness.TIMEOUT)
        wait_for(lambda: 'socket' in m.show('c') and
                 m.show('c').get('devicePid', vgpu['devicePid']) != vgpu['devicePid'],
                 'a successor')
        self.assertEqual(reserved_bytes(m.show('c')['devicePid']), 256 * MIB)
        self.run_vulkaninfo(vgpu)
        wait_for(lambda: reserved_bytes(m.show('c')['devicePid']) == 256 * MIB, 'all back')

    @staticmethod
    def environment(vgpu):
        return dict(os.environ, VN_DEBUG='vtest', VK_DRIVER_FILES=ICD,
                    VTEST_SOCKET_NAME=vgpu['socket'])

    def run_vulkaninfo(self, vgpu):
        said = subprocess.run(['vulkaninfo'], env=self.environment(vgpu), text=True,
                              capture_output=True, timeout=harness.TIMEOUT, check=False)
        self.assertEqual(said.returncode, 0, said.stdout + said.stderr + self.m.log())
        return said.stdout

    def test_mesa(self):
        """A stock driver has its framebuffer as the only device-local heap."""
        said = self.run_vulkaninfo(self.create())
        self.assertRegex(said, r'deviceName *= Virtio-GPU Venus \(')
        self.assertIn(str(256 * MIB),
                      re.findall(r'memoryHeaps\[\d+\]:\s+size *= (\d+)', said))

    def test_cdi(self):
        """What it says of a container is all that a program needs."""
        m = self.m
        self.assertIn('--container', vgpuctl(m, 'cdi', status=1))
        vgpu = self.create()
        m.create(type='128MB', name='vm')
        self.create('ends-with-a-dot.', kind='128MB')
        m.call('Define', type='128MB', name='off', container=True)
        spec = json.loads(vgpuctl(m, 'cdi'))
        self.assertEqual((spec['kind'], spec['cdiVersion']), ('openvgpu.org/vgpu', '0.6.0'))
        devices = {d['name']: d['containerEdits'] for d in spec['devices']}
        self.assertEqual(set(devices), {vgpu['uuid'], 'c', m.show('ends-with-a-dot.')['uuid']})
        self.assertEqual(devices['c'], devices[vgpu['uuid']])
        mount, = devices['c']['mounts']
        self.assertEqual(mount['hostPath'], vgpu['socket'])
        # A container has that at another place.
        environment = dict(os.environ, **dict(v.split('=', 1) for v in devices['c']['env']))
        self.assertEqual(environment['VTEST_SOCKET_NAME'], mount['containerPath'])
        environment['VTEST_SOCKET_NAME'] = mount['hostPath']
        said = subprocess.run(['vulkaninfo', '--summary'], env=environment, text=True,
                              capture_output=True, timeout=harness.TIMEOUT, check=True).stdout
        self.assertIn('Virtio-GPU Venus', said)

    def test_cdi_of_a_manager_that_lies(self):
        """Nothing but a socket is put into a container."""
        m = self.m
        vgpu = self.create()
        m.kill()
        os.unlink(vgpu['socket'])
        os.symlink('/etc', vgpu['socket'])
        m.start()
        self.assertIn('cannot be found', vgpuctl(m, 'cdi', status=1))

    def test_no_vulkan(self):
        m = self.manager(probe='#!/bin/sh\necho \'{"gpus":[]}\'\n')
        self.assert_refused('GpuUnusable', m.create, type='128MB', container=True)


if __name__ == '__main__':
    if not os.path.exists(ICD) or not shutil.which('vulkaninfo'):
        print('no venus driver or vulkaninfo here')
        sys.exit(77)
    harness.main()
