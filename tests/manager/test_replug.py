# SPDX-License-Identifier: GPL-2.0-or-later
"""A mode for a head that shows another: a guest follows, or sees it replugged."""

import os
import struct
import sys
import time

import harness
from harness import wait_for
import test_fd_store
from test_fd_store import OK_NODATA

sys.path.insert(0, os.path.join(harness.HERE, '..', 'device'))

GET_DISPLAY_INFO, RESOURCE_CREATE_2D, SET_SCANOUT = 0x100, 0x101, 0x103
FORMAT = 2
OLD, NEW = (1280, 720), (1024, 768)
# Of device/gpu/display/replug.c, and what a busy machine may take besides.
FOLLOW_S, AWAY_S = 4, 10


class Replug(test_fd_store.FdStoreTest):
    def setUp(self):
        self.m = self.manager(mib=512)
        self.m.create(type='256MQ', name='a')
        self.front = self.attach(self.m, 'a')
        self.resources = 0
        self.show(*OLD)

    def show(self, width, height):
        """What a guest's driver does for a desktop of that size."""
        self.resources += 1
        for kind, body in ((RESOURCE_CREATE_2D, (self.resources, FORMAT, width, height)),
                           (SET_SCANOUT, (0, 0, width, height, 0, self.resources))):
            self.assertEqual(self.ask(self.front, kind,
                                      struct.pack(f'<{len(body)}I', *body)), OK_NODATA)

    def show_nothing(self):
        self.assertEqual(self.ask(self.front, SET_SCANOUT, bytes(24)), OK_NODATA)

    def plugged(self):
        """The mode of head 0 as a guest's driver reads it, or None."""
        queue = self.front.queues[0]
        queue.submit(struct.pack('<IIQII', GET_DISPLAY_INFO, 0, 0, 0, 0), 408)
        _, _, width, height, enabled = struct.unpack_from('<IIIII', queue.wait()[1], 24)
        return (width, height) if enabled else None

    def set_mode(self):
        self.m.call('SetMode', vgpu='a', width=NEW[0], height=NEW[1])
        self.assertEqual(self.plugged(), NEW)

    def test_desktop_follows(self):
        self.set_mode()
        self.show(*NEW)
        end = time.monotonic() + FOLLOW_S + 1
        while time.monotonic() < end:
            self.assertEqual(self.plugged(), NEW)
            time.sleep(0.05)

    def test_desktop_stays(self):
        self.set_mode()
        wait_for(lambda: self.plugged() is None, 'the head to go')
        # That is between the device and the guest.
        head = self.m.show('a')['heads'][0]
        self.assertEqual((head['preferredWidth'], head['preferredHeight']), NEW)
        self.show_nothing()
        wait_for(lambda: self.plugged() == NEW, 'the head to come back')
        self.show(*NEW)
        time.sleep(FOLLOW_S + 1)
        self.assertEqual(self.plugged(), NEW)

    def test_console_stays(self):
        """Its picture is not taken away, and the head comes back."""
        self.set_mode()
        wait_for(lambda: self.plugged() is None, 'the head to go')
        begin = time.monotonic()
        wait_for(lambda: self.plugged() == NEW, 'the head to come back')
        self.assertGreater(time.monotonic() - begin, AWAY_S / 2)
        head = self.m.show('a')['heads'][0]
        self.assertEqual((head['width'], head['height']), OLD)

    def test_successor(self):
        """A device that dies meanwhile does not leave the guest without a head."""
        self.set_mode()
        wait_for(lambda: self.plugged() is None, 'the head to go')
        harness.replace_device(self.m, 'a')
        wait_for(lambda: self.plugged() == NEW, 'the head to come back')

    def test_nothing_is_shown(self):
        self.show_nothing()
        self.set_mode()
        time.sleep(FOLLOW_S + 1)
        self.assertEqual(self.plugged(), NEW)


if __name__ == '__main__':
    harness.main()
