# SPDX-License-Identifier: GPL-2.0-or-later
"""Each field of a vGPU, over a restart of vgpud: it is kept, or named here."""

import os
import re
import signal
import unittest

from harness import Manager, wait_for

SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
# What goes on meanwhile, and may differ.
MOVING = {'cpuUsec', 'memoryBytes', 'threads', 'commands', 'errors', 'frames',
          'queueDepth', 'usedBytes', 'contexts', 'submits', 'contextsLost', 'refusals',
          'frameIntervals', 'frameIntervalsUsec', 'framesPerSecond'}
# Only of vGPUs that are virtual functions: see test_sriov.py.
OF_VFS = {'vf', 'pciAddress', 'typeId', 'placement', 'pinned', 'maxHeads',
          'guestDriver', 'graphicsNs', 'encoderNs', 'decoderNs', 'execQuantumMs',
          'preemptTimeoutUs', 'schedulingPriority', 'foreign'}
# Only of vGPUs in another state, of another kind, or on another host.
ABSENT = {'failure', 'sysfsPath', 'vmPid', 'clientPid', 'container', 'memoryMaxBytes', 'cpuUsec',
          'memoryBytes', 'threads'}


def fields_of_interface():
    with open(os.path.join(SOURCE, 'manager/api/interface.c'),
              encoding='utf-8') as file:
        text = file.read()
    struct = re.search(r'\n\tVgpu, (.*?)\);\n\n', text, re.S)[1]
    return set(re.findall(r'FIELD(?:_BY_TYPE)?\((\w+),', struct))


class Fields(unittest.TestCase):
    def setUp(self):
        self.manager = Manager(mib=512).start()
        self.addCleanup(self.manager.finish)

    def test_kept_over_a_restart(self):
        address = f'unix:{self.manager.runtime}/fields.vnc'
        uuid = self.manager.create(
            type='128MB', name='fields', ownerUid=os.getuid(), weight=321,
            frameRateLimit=30, autostart=True, heads=[
                {'head': 0, 'preferredWidth': 800, 'preferredHeight': 600,
                 'vnc': address},
                {'head': 1, 'preferredWidth': 640, 'preferredHeight': 480}])
        os.kill(self.manager.show(uuid)['devicePid'], signal.SIGKILL)
        wait_for(lambda: self.manager.show(uuid)['restarts'] == 1,
                 'a successor')
        wait_for(lambda: self.manager.show(uuid).get('socket'), 'it to serve')
        before = self.manager.show(uuid)
        self.manager.restart()
        wait_for(lambda: self.manager.show(uuid).get('socket'),
                 'it to be taken over')
        after = self.manager.show(uuid)
        for field in sorted(fields_of_interface() - MOVING):
            with self.subTest(field=field):
                self.assertEqual(before.get(field), after.get(field))

    def test_every_field_is_seen(self):
        """A field that the test above does not set is named at the top."""
        uuid = self.manager.create(type='128MB', name='fields')
        # The device process says what it counts once a second.
        wait_for(lambda: 'submits' in self.manager.show(uuid), 'its counters')
        self.assertLessEqual(
            fields_of_interface() - set(self.manager.show(uuid)), OF_VFS | ABSENT)


if __name__ == '__main__':
    unittest.main()
