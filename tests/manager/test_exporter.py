# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-exporter on a real vgpud, with no right but to see."""

import os
import shutil
import socket
import subprocess
import sys
import unittest

import harness
from harness import BUILD, HERE, ManagerTest, wait_for
from users import ALICE, BOB, WATCHERS, Service

sys.path.insert(0, os.path.join(HERE, '../ctl'))
import exposition  # pylint: disable=wrong-import-position


@unittest.skipIf(os.getuid() != 0, 'only root can be several users')
class Exporter(ManagerTest):
    def setUp(self):
        self.m = Service(mib=512)
        self.addCleanup(self.m.finish)
        self.m.start()
        program = os.path.join(self.m.helpers, 'vgpu-exporter')
        shutil.copy(os.path.join(BUILD, 'vgpu-exporter'), program)
        folder = os.path.join(self.m.folder, 'http')
        os.mkdir(folder)
        os.chown(folder, BOB, BOB)
        self.path = os.path.join(folder, 's')
        self.exporter = subprocess.Popen(
            [program, '--socket', self.m.socket, '--listen', f'unix:{self.path}'],
            user=BOB, group=BOB, extra_groups=[WATCHERS])
        self.addCleanup(self.exporter.wait)
        self.addCleanup(self.exporter.kill)
        wait_for(lambda: os.path.exists(self.path), 'the exporter')

    def metrics(self):
        data = b''
        with socket.socket(socket.AF_UNIX) as client:
            client.settimeout(harness.TIMEOUT)
            client.connect(self.path)
            client.sendall(b'GET /metrics HTTP/1.1\r\n\r\n')
            while got := client.recv(65536):
                data += got
        return exposition.parse(data.decode().partition('\r\n\r\n')[2])

    def value(self, name, /, **labels):
        try:
            return exposition.value_of(self.metrics(), name, **labels)
        except KeyError:
            return None

    def test_life(self):
        uuid = self.m.create(type='128MB', name='a', ownerUid=ALICE)
        wait_for(lambda: self.value('vgpu_contexts', uuid=uuid) == 0, 'counters')
        self.assertEqual(self.value('vgpu_memory_limit_bytes', uuid=uuid), 2**27)
        self.assertEqual(self.value('vgpu_state', uuid=uuid, state='active'), 1)
        self.assertEqual(self.value('vgpu_info', uuid=uuid, name='a', vm=''), 1)
        self.assertEqual(self.value('vgpu_contexts_lost_total', uuid=uuid,
                                    reason='stream'), 0)
        self.assertEqual(self.value('vgpu_frame_interval_seconds_count', uuid=uuid), 0)
        harness.replace_device(self.m, 'a')
        wait_for(lambda: self.value('vgpu_device_restarts_total', uuid=uuid) == 1,
                 'the successor')
        self.m.restart()
        wait_for(lambda: self.value('vgpu_device_restarts_total', uuid=uuid) == 1,
                 'another vgpud')
        self.m.call('Destroy', vgpu='a')
        wait_for(lambda: self.value('vgpu_info', uuid=uuid) is None, 'its end')
        self.assertEqual(self.value('vgpu_up'), 1)

    def test_frozen_vgpud(self):
        """It is down for who scrapes, and up again when it goes on."""
        wait_for(lambda: self.value('vgpu_up') == 1, 'vgpud')
        self.m.process.send_signal(19)
        self.addCleanup(self.m.process.send_signal, 18)
        wait_for(lambda: self.value('vgpu_up') == 0, 'that to be seen')
        self.m.process.send_signal(18)
        wait_for(lambda: self.value('vgpu_up') == 1, 'vgpud again')


if __name__ == '__main__':
    harness.main()
