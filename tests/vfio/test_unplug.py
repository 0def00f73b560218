#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A GPU that is taken out of its slot, asked for or not, while a VF of it is in use,
and another that is put in, on the kernel that VGPU_KERNEL names. In the model's lab
(lab/run --model)."""

import time
import unittest

from vfio_case import COMMAND_SECONDS, VFS, VfioCase, build  # first: it says where
from vf_users import TYPE

HANG_SECONDS = 5


class Unplug(VfioCase):
    def put_back(self):
        if not self.host.is_plugged:
            self.put_in()
        super().put_back()

    def slot(self, says, start):
        self.host.wait(rf'pciehp: .*{says}', start)

    def until(self, is_so, limit):
        seconds = self.host.stopwatch()
        while not is_so():
            self.assertLess(seconds(), limit, self.host.log()[-4000:])
            time.sleep(0.5)

    def is_gone(self):
        """PF and VFs, soon."""
        self.until(lambda: self.host.do('there')[0], HANG_SECONDS)

    def put_in(self):
        self.until(lambda: not self.host.is_plugged, COMMAND_SECONDS)
        # What comes while the slot's power goes, pciehp takes for a button.
        self.until(lambda: 'Already disabled' in
                   self.host.do('run vf slot-off')[1], COMMAND_SECONDS)
        start = len(self.host.log())
        self.host.plug()
        self.host.wait('MiB, 32 VFs', start)

    def plug(self):
        """Plug in another GPU; it must work like the first."""
        self.put_in()
        self.do(f'vfs {VFS}')
        self.do('run vf bind 1 2')
        self.do('write vgpu/placement heterogeneous')
        self.do(f'run vf type 1 {TYPE}')
        self.opens()
        self.check('framebuffer')

    def test_the_button_is_pressed(self):
        start = self.hold()
        self.host.unplug()
        # Its user is asked, and has a vGPU until it lets go.
        self.host.wait('test: asked for', start)
        self.is_gone()
        self.assertNotIn('test: lost', self.host.log()[start:])
        self.plug()

    def test_it_is_pulled(self):
        for _ in range(2):
            start = self.hold()
            self.host.fault('pulled')
            self.slot('Link Down|Card not present', start)
            self.host.wait('test: let go of', start)
            self.is_gone()
            self.plug()

    def test_it_is_pulled_and_nobody_lets_go(self):
        """Whoever has no ear for it: killed in the end."""
        start = self.hold()
        self.do('run vf stop')
        self.host.fault('pulled')
        self.slot('Link Down|Card not present', start)
        self.host.wait('its user is told', start)
        # All else goes on; closing ends it.
        self.do('memory')
        self.do('run vf kill')
        self.is_gone()
        self.plug()

    def test_it_is_pulled_with_nobody_there(self):
        start = len(self.host.log())
        self.host.fault('pulled')
        self.slot('Link Down|Card not present', start)
        self.is_gone()
        self.plug()


if __name__ == '__main__':
    build()
    unittest.main()
