# SPDX-License-Identifier: GPL-2.0-or-later
"""A vgpud on a sysfs made by the tests, see pf_model.py."""

import os
import subprocess

import harness
import pf_model
from harness import Manager, ManagerTest

NO_GPU = """#!/bin/sh
echo '{"gpus":[]}'
"""


class SriovManager(Manager):
    def __init__(self, sysfs, **options):
        super().__init__(**dict({'probe': NO_GPU, 'mib': 0}, **options))
        self.sysfs = sysfs

    def arguments(self):
        return super().arguments() + ['--sysfs', self.sysfs]

    def ctl(self, *arguments):
        return subprocess.run(
            [os.path.join(harness.BUILD, 'vgpuctl'), '--socket', self.socket,
             *arguments], capture_output=True, text=True, check=False,
            timeout=harness.TIMEOUT)

    def kinds(self, vgpu):
        return [e['event'] for e in self.events()
                if vgpu in (e.get('name'), e.get('uuid'))]


class SriovTest(ManagerTest):
    def model(self, **options):
        model = pf_model.Gpu(**options)
        self.addCleanup(model.finish)
        return model

    def on(self, model, **options):
        """A vgpud of its own; its vGPUs are closed and ended at the end."""
        manager = SriovManager(model.sysfs, **options)
        self.addCleanup(manager.finish)

        def let_go():
            model.errors, model.kill = {}, None
            for n, vf in enumerate(model.vfs, 1):
                if vf.pid or vf.state:
                    model.close(n)
            if manager.process and manager.process.poll() is not None:
                manager.process = None
            if not manager.process:
                manager.start()
            for vgpu in manager.call('ListVgpus')['vgpus']:
                if vgpu.get('foreign'):
                    model.vf(vgpu['vf']).type = 0
        self.addCleanup(let_go)
        return manager.start()

    def assert_as_new(self, model, enabled):
        """Nothing of any vGPU is left in sysfs."""
        self.assertEqual([vf.type for vf in model.vfs], [0] * model.total)
        self.assertEqual([vf.wanted for vf in model.vfs],
                         [None] * model.total)
        self.assertEqual(model.enabled, enabled)
        for n in range(1, enabled + 1):
            self.assertIsNone(model.driver_of(n))
            self.assertEqual(model.overrides[n], '(null)')
