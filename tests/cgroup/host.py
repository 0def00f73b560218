# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian host in a VM, where OpenVGPU is installed and systemd has cgroup v2."""

import os
import subprocess
import sys

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
sys.path.insert(0, os.path.join(SOURCE, 'lab'))

# pylint: disable=wrong-import-position
from vm import GUEST, QEMU, Vm

IMAGE = os.path.join(BUILD, 'tests', 'cgroup', 'host.ext4')
SLOW = 300


def is_possible():
    """Whether such a machine can be booted here."""
    return os.path.exists(GUEST) and any(
        os.access(os.path.join(folder, QEMU), os.X_OK)
        for folder in os.environ['PATH'].split(':'))


def make_image():
    os.makedirs(os.path.dirname(IMAGE), exist_ok=True)
    subprocess.run([os.path.join(SOURCE, 'tests/cgroup/make_host'), IMAGE], check=True,
                   env=dict(os.environ, VGPU_BUILD=BUILD, VGPU_SOURCE=SOURCE))


class HostVm(Vm):
    """
    The machine; its image stays as it is. With @is_counted its time passes by the
    instructions that it runs (4 ns each), so that what else runs here is not seen in it.
    """

    def __init__(self, folder, processors=2, memory_mib=2560, is_counted=False):
        super().__init__('host', folder, [], memory_mib=memory_mib)
        self.processors = processors
        self.is_counted = is_counted

    def _args(self):
        args = [arg.replace(f'{GUEST}/root.ext4', IMAGE) for arg in super()._args()]
        args[args.index('-smp') + 1] = str(self.processors)
        if self.is_counted:
            accel = args.index('-accel')
            args[accel:accel + 4] = ['-accel', 'tcg,thread=single', '-cpu', 'max',
                                     '-icount', 'shift=2,sleep=off']
        append = args.index('-append') + 1
        args[append] += ' systemd.unit=host.target'
        return args
