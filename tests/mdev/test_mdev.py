#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Mediated devices: vgpu_mdev.ko as VMMs and the process that serves them use it, and
a guest in the host VM with its stock driver, on Debian's QEMU, on the kernel that
VGPU_KERNEL names. After tests/mdev/pack_device; in the model's lab (lab/run --model)."""

import os
import re
import subprocess
import sys
import time
import unittest

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'lab'))

from host import COMPLAINTS, KERNEL, REPORT, Host  # noqa: E402

OTHER = [] if KERNEL == '7.2' else [KERNEL]
BUILT = os.path.join(TOP, '-'.join(['build/mdev', *OTHER]))
ROUNDS = int(os.environ.get('VGPU_REPEATS', '20')) * 1000
UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
OTHER_UUID = '6ba7b811-9dad-41d1-80b4-00c04fd430c8'
PCI_PARENT = '0000:00:1f.2'  # one that a machine has
QUARTERS = 'c02040 20c040 2040c0 c0c020'
FRAMES = 200
DEATHS = 5
# Of its console: what its kernel or its init says, and how it was told to end.
GUESTS_LINE = re.compile(r'\] (\[ *\d+\.\d+\]|guest: |panic$)')
REBOOTS = 10
KILL_SECONDS = 1
GUEST_SECONDS = 600


def build():
    """Modules for another kernel than the model's lab has were built before."""
    built = subprocess.run(['tests/mdev/build', *OTHER], cwd=TOP, check=False)
    if built.returncode:
        raise SystemExit(built.returncode)


class MdevCase(unittest.TestCase):
    HAS_GUESTS = False

    @classmethod
    def setUpClass(cls):
        os.makedirs(BUILT, exist_ok=True)
        cls.host = Host(BUILT, mib=1536, has_guests=cls.HAS_GUESTS, has_gpu=False,
                        initrd=os.path.join(BUILT, 'machine.cpio'))

    @classmethod
    def tearDownClass(cls):
        leaks = cls.host.leaks()
        cls.host.close()
        if leaks:
            raise AssertionError(leaks)

    def setUp(self):
        self.start = len(self.host.log())
        self.do('run mediated load')
        self.do(f'run mediated create {UUID}')

    def tearDown(self):
        self.host.do('run mediated say end')
        self.do(f'run mediated remove {UUID}')
        self.do('run mediated unload')
        found = self.complaint()
        self.assertIsNone(found, found)

    def complaint(self):
        return self.host.complaint(self.start)

    def do(self, line, **limit):
        status, said = self.host.do(line, **limit)
        self.assertEqual(status, 0, f'{line}: {said}')
        return said

    def said(self):
        return self.host.log()[self.start:]


class Mdev(MdevCase):
    def test_types(self):
        said = self.do('run mediated types')
        self.assertIn('device_api is vfio-pci', said)
        self.assertIn('available_instances is 255', said)
        self.do(f'run mediated create {OTHER_UUID}')
        self.assertIn('available_instances is 254', self.do('run mediated types'))
        self.do(f'run mediated remove {OTHER_UUID}')
        self.assertNotEqual(self.host.do(f'run mediated create {UUID}')[0], 0)

    def fails(self, line):
        self.assertNotEqual(self.host.do(line)[0], 0, line)

    def offers(self, parent):
        return re.findall(r'test: (\S+ \d+ .*?)\s*$',
                          self.do(f'run mediated offered {parent}'), re.M)

    def test_offered_types(self):
        """A manager's types: at a parent of their own, and at a PCI device."""
        for parent, prefix in ('vgpud', 'vgpu-mdev'), (PCI_PARENT, '[a-z_]+'):
            self.do(f'run mediated offer {parent} 1Q 2Q')
            one, two = self.offers(parent)
            self.assertRegex(one, f"^{prefix}-1Q 3 a type of a test's$")
            self.assertRegex(two, f'^{prefix}-2Q 3 ')
            kind = two.split()[0]
            self.do(f'run mediated make {parent} {kind} {OTHER_UUID}')
            self.assertIn(f'{kind} 2 ', self.offers(parent)[1])
            # They stay as they are while there is a device; their numbers need not.
            self.fails(f'run mediated offer {parent} 1Q')
            self.fails('run mediated offer other 1Q 2Q')
            self.do(f'run mediated offer {parent} 1Q 2Q')
            self.assertIn(f'{kind} 3 ', self.offers(parent)[1])
            # A VMM waits for who serves it. Nobody does, and it is removed all the same.
            self.do(f'run mediated remove {OTHER_UUID}')
            self.do(f'run mediated offer {parent} 1Q')
            self.assertEqual(len(self.offers(parent)), 1)
        self.do('run mediated offer vgpud')
        # A parent that has types already, and what is no list of them.
        for text in ('parent~vgpu_mdev|1Q~1~x', '1Q~1~x', 'parent~a/b|1Q~1~x',
                     'parent~vgpud|1Q~x', 'parent~vgpud|1Q~x~x', 'parent~|1Q~1~x',
                     'parent~vgpud|1Q~1~x|1Q~1~x', 'parent~vgpud|/~1~x',
                     'parent~vgpud|..~1~x'):
            self.fails(f'run mediated text {text}')

    def test_no_room_in_an_offered_type(self):
        self.do('run mediated offer vgpud 1Q')
        for n in range(3):
            self.do(f'run mediated make vgpud vgpu-mdev-1Q {n}{UUID[1:]}')
        self.fails(f'run mediated make vgpud vgpu-mdev-1Q 3{UUID[1:]}')
        # The module goes, and all with it.
        self.do(f'run mediated remove {UUID}')
        self.do('run mediated unload')
        self.do('run mediated load')
        self.do(f'run mediated create {UUID}')

    def test_both_sides(self):
        self.assertIn('both sides passed', self.do(f'run mdev_test {UUID}'))

    def test_anything(self):
        for seed in range(1, 4):
            self.do(f'run mediated create {OTHER_UUID}')
            self.assertIn('anything passed', self.do(
                f'run mdev_test {OTHER_UUID} {seed} {ROUNDS}'))
            self.do(f'run mediated remove {OTHER_UUID}')

    def test_removed_while_served(self):
        self.do(f'run mediated serve {UUID}')
        self.host.wait('test: status link 0', self.start)
        self.do(f'run mediated remove {UUID}')
        self.host.wait('event 1 its mediated device was removed', self.start)
        self.do(f'run mediated create {UUID}')


@unittest.skipIf(KERNEL == 'debug', 'this kernel has no KVM')
class Guests(MdevCase):
    HAS_GUESTS = True

    def complaint(self):
        """The host's, not what a guest says when it panics."""
        said = '\n'.join(line for line in self.said().splitlines()
                         if not GUESTS_LINE.search(line))
        found = re.search(COMPLAINTS, said)
        return found and said[max(found.start() - 200, 0):found.end() + REPORT]

    def wait(self, pattern, start=None):
        return self.host.wait(pattern, self.start if start is None else start,
                              GUEST_SECONDS)

    def begin(self, frames=1):
        """A guest whose vGPU is served; it paints."""
        self.do(f'run mediated serve {UUID}')
        self.wait('test: status link 0')
        start = len(self.host.log())
        self.do(f'run mediated guest {frames} {UUID}')
        self.wait('test: status link 1', start)
        return start

    def shows(self, size='1920x1080'):
        start = len(self.host.log())
        self.do('run mediated say picture')
        found = self.wait(r'test: (picture|no picture).*', start)
        self.assertIn(f'picture {size} {QUARTERS}', found.group(0))

    def end(self, start):
        self.do('run mediated end')
        ended = self.wait(r'test: the guest ended with (\d+)', start)
        said = self.host.log()[start:]
        self.assertEqual(ended.group(1), '0', said)
        self.assertNotIn('FAILED', said)
        self.wait('test: status link 0', start)
        self.assertIsNone(re.search(r'guest: kernel .*(error|BUG|WARN)', said), said)
        return said

    def test_a_guest(self):
        """The stock driver binds, sets a mode, and what it paints is on the head;
        then the next guest does."""
        for n in range(2):
            start = self.again() if n else self.begin()
            self.wait('guest: painted', start)
            self.shows()
            said = self.end(start)
            self.assertIn('guest: 0x1af4:0x1050 class 0x038000 driver virtio_gpu', said)
            self.assertRegex(said, 'guest: head .* connected')
            # A vector for the configuration and one for each queue.
            self.assertEqual(len(re.findall('guest: interrupts .*virtio0-', said)), 3)
            self.assertNotIn('event 1', said)

    def again(self):
        start = len(self.host.log())
        self.do(f'run mediated guest 1 {UUID}')
        self.wait('test: status link 1', start)
        return start

    def test_the_process_is_replaced(self):
        """It is killed again and again while frames are shown: none is lost."""
        start = self.begin(FRAMES)
        self.wait('guest: head', start)
        for n in range(1, DEATHS + 1):
            here = len(self.host.log())
            self.do('run mediated say kill')
            self.wait(f'test: status link 1 .*generation {n} ', here)
        self.wait(f'guest: painted .* {FRAMES} frames', start)
        self.shows()
        self.end(start)

    def reboot(self, how, start):
        """The guest's next boot; returns where its output begins."""
        here = len(self.host.log())
        self.do(f'run mediated end {how}')
        self.wait(f'guest: ends by {how}', here)
        return here

    def painted(self, start):
        said = self.wait('guest: (painted|FAILED).*', start).group(0)
        self.assertNotIn('FAILED', said)

    def reboots(self, how):
        """It shows a picture each time, and no process is replaced."""
        start = self.begin()
        self.painted(start)
        for _ in range(REBOOTS):
            here = self.reboot(how, start)
            self.painted(here)
            self.shows()
        said = self.end(start)
        self.assertNotIn('generation 1', said)

    def test_reset(self):
        self.reboots('reset')

    def test_panic(self):
        self.reboots('panic')

    def test_kexec(self):
        """The next kernel finds the device as the last one has left it."""
        self.reboots('kexec')

    def test_replaced_while_it_boots(self):
        """Processes die in the firmware, while the kernel boots, while its driver
        starts and while it paints: the guest comes up each time."""
        start = self.begin()
        self.painted(start)
        kills = 0
        for how in ['reset', 'kexec', 'panic'] * 3:
            here = self.reboot(how, start)
            while 'guest: painted' not in self.host.log()[here:]:
                # At once again and again, they would be all that this machine does.
                time.sleep(KILL_SECONDS)
                kills += 1
                now = len(self.host.log())
                self.do('run mediated say kill')
                self.wait(f'test: status link 1 .*generation {kills} ', now)
            self.shows()
        print(f'{kills} processes were replaced', file=sys.stderr)
        self.assertGreater(kills, 18)
        self.end(start)

    def test_two(self):
        """Two vGPUs in one machine; one's process dies, and the machine is reset."""
        self.do(f'run mediated create {OTHER_UUID}')
        self.do(f'run mediated serve {OTHER_UUID} 2')
        self.wait('test: status link 0')
        self.do(f'run mediated serve {UUID}')
        self.wait(r'test: status link 0(.*\n)*.*test: status link 0')
        start = len(self.host.log())
        self.do(f'run mediated guest 1 {UUID} {OTHER_UUID}')
        for n in range(2):
            self.wait(r'guest: painted(.*\n)*.*guest: painted', start)
            self.shows()
            here = len(self.host.log())
            self.do('run mediated say2 picture')
            self.assertIn(QUARTERS, self.wait('test: (picture|no picture).*', here).group(0))
            if n == 0:
                self.do('run mediated say2 kill')
                start = self.reboot('reset', start)
        said = self.end(start)
        self.assertEqual(len(re.findall('0x1af4:0x1050 class .* driver virtio_gpu', said)), 2)
        self.do('run mediated say2 end')
        self.do(f'run mediated remove {OTHER_UUID}')


if __name__ == '__main__':
    build()
    unittest.main()
