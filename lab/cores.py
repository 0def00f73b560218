# SPDX-License-Identifier: GPL-2.0-or-later
"""The drivers that can have a GPU whose VFs are vGPUs: vgpu_core, and nouveau with
the hooks of kernel/nouveau. VGPU_CORE names the one that tests are to load."""

import os

from host import KERNEL, TOP

NOUVEAU_HOST_MIB = 512  # of framebuffer that nouveau has


class VgpuCore:
    """It has the GPU to itself."""
    NAME = 'vgpu_core'
    BUILD = 'tests/vfio/build'
    BUILT = 'build/vfio'
    HOST_MIB = 1536
    # Lines for tests/kernel/init.
    LOAD = ('load',)
    UNLOAD = ('unload',)
    BIND = 'run vf bind-gpu'
    # What it logs once a GPU whose firmware crashed is of use again; do VFs have their
    # types and drivers still?
    RECOVERED = 'MiB, 32 VFs'
    KEEPS_TYPES = True
    PLACES_LOST = 0  # of the smallest type's, to the host


class Nouveau:
    """The host may use the GPU by its DRM device."""
    NAME = 'nouveau'
    BUILD = 'tests/nouveau/pack'
    BUILT = 'build/nouveau'
    HOST_MIB = 2048
    LOAD = (f'run nouveau load vgpu=1 host={NOUVEAU_HOST_MIB}', 'run nouveau manage')
    UNLOAD = ('run nouveau unload',)
    BIND = 'run nouveau bind'
    RECOVERED = 'nouveau has the GPU again'
    KEEPS_TYPES = False
    PLACES_LOST = 1


CORES = {core.NAME: core for core in (VgpuCore, Nouveau)}
CORE = CORES[os.environ.get('VGPU_CORE', 'vgpu_core')]
# Arguments of BUILD; modules for another kernel than the model's lab has were built
# before.
OTHER = [] if KERNEL == '7.2' else [KERNEL]


def folder(core=CORE):
    """Where its machine is, and where logs of that go."""
    return os.path.join(TOP, '-'.join([core.BUILT, *OTHER]))


def machine(core=CORE):
    return os.path.join(folder(core), 'machine.cpio')
