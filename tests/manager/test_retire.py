# SPDX-License-Identifier: GPL-2.0-or-later
"""A vGPU that is taken away from a VMM, which goes on with nothing behind it."""

import os
import struct
import sys

import harness
from harness import ManagerTest, wait_for

sys.path.insert(0, os.path.join(harness.HERE, '..', 'device'))
import frontend as fe  # noqa: E402

# virtio_gpu_ctrl_type
GET_DISPLAY_INFO, RESOURCE_CREATE_2D, GET_CAPSET_INFO, CTX_CREATE = 0x100, 0x101, 0x108, 0x200
OK_NODATA, OK_DISPLAY_INFO, ERRORS = 0x1100, 0x1101, 0x1200
VENUS = 4
FORMAT = 2


def devices_of(uuid):
    """The device processes of a vGPU, the last one included."""
    found = []
    for name in os.listdir('/proc'):
        if not name.isdigit():
            continue
        try:
            with open(f'/proc/{name}/cmdline', encoding='utf-8') as file:
                words = file.read().split('\0')
                if words[0] == 'vgpu-device' and uuid in words:
                    found.append(int(name))
        except OSError:
            pass
    return found


class Retire(ManagerTest):
    def attach(self, m, vgpu):
        front = fe.FrontEnd(m.show(vgpu)['socket'])
        self.addCleanup(front.close)
        front.bring_up()
        wait_for(lambda: m.show(vgpu)['state'] == 'attached', 'attach')
        return front

    def ask(self, front, kind, body=b''):
        queue = front.queues[0]
        queue.submit(struct.pack('<IIQII', kind, 0, 0, 0, 0) + body, 408)
        return struct.unpack_from('<I', queue.wait()[1])[0]

    def resource(self, front, number):
        return self.ask(front, RESOURCE_CREATE_2D,
                        struct.pack('<IIII', number, FORMAT, 640, 480))

    def assert_answers(self, front):
        """To all that QEMU and a guest's driver want, and to nothing else."""
        self.assertEqual(front.ask_u64(fe.GET_QUEUE_NUM), 2)
        self.assertEqual(self.ask(front, GET_DISPLAY_INFO), OK_DISPLAY_INFO)
        self.assertGreaterEqual(self.resource(front, 7), ERRORS)
        self.assertGreaterEqual(self.ask(front, CTX_CREATE, struct.pack(
            '<II64s', 4, VENUS, b'x')), ERRORS)

    def run_case(self, end):
        m = self.manager(mib=512)
        self.uuid = m.create(type='256MQ', name='a')
        front = self.attach(m, 'a')
        self.assertEqual(self.resource(front, 1), OK_NODATA)
        end(m)
        self.assert_answers(front)
        # A reset, and the driver anew, with what was offered at the beginning.
        for index in range(2):
            front.stop(index)
        front.send(fe.SET_FEATURES, struct.pack('<Q', front.features))
        for queue in front.queues:
            queue.reset()
            front.start(queue)
        self.assert_answers(front)
        return m, front

    def test_destroy(self):
        m, front = self.run_case(
            lambda m: m.call('Destroy', vgpu='a', force=True))
        self.assert_clean(m)
        # All its framebuffer is there for others, while the VMM still runs.
        wait_for(lambda: m.gpu()['readyMib'] == m.gpu()['freeMib'] == 512, 'the pool')
        m.create(type='256MQ', name='a')
        self.assertEqual(self.resource(self.attach(m, 'a'), 1), OK_NODATA)
        # It is nobody's, and ends with the VMM.
        m.restart()
        self.assert_answers(front)
        self.assertEqual(len(devices_of(self.uuid)), 1)
        front.close()
        wait_for(lambda: not devices_of(self.uuid), 'its end')

    def test_stop(self):
        m, _ = self.run_case(lambda m: m.call('Stop', vgpu='a', force=True))
        m.call('Start', vgpu='a')
        self.assertEqual(self.resource(self.attach(m, 'a'), 1), OK_NODATA)

    def test_failure(self):
        """Its device does not come back."""
        def fail(m):
            pid = m.show('a')['devicePid']
            m.helper('vgpu-device', '#!/bin/sh\n[ ! -e "$0.last" ] || exec '
                     f'{harness.BUILD}/vgpu-device "$@"\n'
                     'n=$(cat "$0.n" 2>/dev/null || echo 0); n=$((n + 1)); echo $n >"$0.n"\n'
                     '[ $n -lt 9 ] || : >"$0.last"\nexit 1\n')
            os.kill(pid, 9)
            wait_for(lambda: m.show('a')['state'] == 'failed', 'its failure')
        self.run_case(fail)

    def test_no_vmm(self):
        """Nothing is left where nobody has it."""
        m = self.manager(mib=512)
        uuid = m.create(type='256MQ', name='a')
        self.attach(m, 'a').close()
        wait_for(lambda: m.show('a')['state'] == 'active', 'detach')
        self.assertEqual(devices_of(uuid), [m.show('a')['devicePid']])
        m.call('Destroy', vgpu='a')
        self.assertEqual(devices_of(uuid), [])


if __name__ == '__main__':
    harness.main()
