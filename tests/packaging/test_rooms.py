#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Includes between the folders of the source run one way: from a room to those
listed before it. A room is a folder, a file, or a file with its header. The drawing
of them is in docs/dev/architecture.md."""

import glob
import os
import re
import unittest

SOURCE = os.environ['VGPU_SOURCE']

# From the lowest floor up. Rooms of one floor do not include each other; what is in
# one tuple is one room.
FLOORS = {
    'manager': [
        ['manager/host'],
        ['manager/device', 'manager/catalogue', 'manager/config'],
        ['manager/gpu'],
        ['manager/vgpu'],
        ['manager/gpu/mediated', 'manager/gpu/mdev', 'manager/gpu/sriov', 'manager/api'],
        ['manager/manager'],
        ['manager/main'],
    ],
    'ctl': [
        ['ctl/ctl.h'],
        ['ctl/common'],
        ['ctl/plan', 'ctl/doctor', 'ctl/exporter', 'ctl/console', 'ctl/web'],
        ['ctl/cmd'],
        ['ctl'],
    ],
    'device': [
        ['device/display', 'device/launch', 'device/slots', 'device/state_abi',
         'device/door', 'device/harden', 'device/options'],
        ['device/display/vnc', 'device/render', 'device/state', 'device/control'],
        [('device/gpu/gpu.h', 'device/gpu/abi', 'device/gpu/state_abi'),
         'device/vtest', 'device/framebuffer', 'device/report', 'device/time_share'],
        ['device/gpu/core', 'device/virtio'],
        ['device/gpu/memory', 'device/vhost', 'device/mdev'],
        ['device/gpu/context', 'device/gpu/display', 'device/input'],
        ['device/gpu'],
        ['device/device'],
        ['device/container'],
        ['device/main'],
    ],
    'kernel': [
        [('kernel/core/pure', 'kernel/core/abi'), 'kernel/uapi'],
        ['kernel/core/core_ops', 'kernel/mgr/vf_api'],
        ['kernel/core/hw', 'kernel/vfio', 'kernel/mdev', 'kernel/nouveau'],
        ['kernel/core/gsp'],
        ['kernel/core/rm', 'kernel/mgr'],
        ['kernel/core/pf_files'],
        ['kernel/core', 'kernel/nouveau/adapter'],
    ],
}
# Rooms that may not use all that is below them. Another driver of the PF can have
# the vGPU manager, and another driver of VFs can use it; the device model can have
# another transport.
GPU_INTERFACE = ('device/gpu/gpu.h', 'device/gpu/abi', 'device/gpu/state_abi')
ONLY = {
    'device/virtio': [GPU_INTERFACE, 'device/slots', 'device/state', 'device/state_abi'],
    'device/vhost': ['device/virtio', GPU_INTERFACE, 'device/slots', 'device/state',
                     'device/state_abi'],
    'device/input': ['device/vhost', 'device/virtio', 'device/display', 'device/slots',
                     'device/state', 'device/state_abi'],
    'device/mdev': ['device/virtio', GPU_INTERFACE, 'device/slots', 'device/state',
                    'device/state_abi'],
    'device/render': ['device/launch'],
    'device/vtest': ['device/render'],
    'kernel/mgr': [('kernel/core/pure', 'kernel/core/abi'),
                   'kernel/core/core_ops', 'kernel/mgr/vf_api'],
    'kernel/vfio': ['kernel/mgr/vf_api'],
    'kernel/mdev': ['kernel/uapi'],
    'kernel/nouveau': [],
}
# The most files of one folder that are not headers: more are different concerns.
SOURCES_MAX = 15
# Unless they are of one kind: each has this.
SAME_IN_EACH = {'ctl/cmd': r'^const struct ctl_command ctl_command_(\w+) = \{'}


def files_of(top):
    return [os.path.relpath(path, SOURCE)
            for path in glob.glob(f'{SOURCE}/{top}/**/*.[ch]',
                                  recursive=True)]


def included(path):
    """The files of ours that @path includes, from the top of the tree."""
    with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
        names = re.findall(r'^#include "([^"]+)"', file.read(), re.M)
    for name in names:
        beside = os.path.normpath(os.path.join(os.path.dirname(path), name))
        if os.path.exists(os.path.join(SOURCE, beside)):
            yield beside
        else:
            yield name


def room_of(path, floors):
    """(floor, room) of a file: a room that names the file itself comes first."""
    for place in (path, os.path.splitext(path)[0], os.path.dirname(path)):
        for floor, row in enumerate(floors):
            for room in row:
                if place == room or isinstance(room, tuple) and place in room:
                    return floor, room
    return None


class Rooms(unittest.TestCase):
    def test_every_file_has_a_room(self):
        for top, floors in FLOORS.items():
            for path in files_of(top):
                with self.subTest(path=path):
                    self.assertIsNotNone(room_of(path, floors))

    def test_includes_run_down(self):
        for top, floors in FLOORS.items():
            for path in files_of(top):
                floor, room = room_of(path, floors)
                for name in included(path):
                    if not name.startswith(top + '/'):
                        continue
                    to_floor, to_room = room_of(name, floors)
                    with self.subTest(path=path, includes=name):
                        self.assertTrue(to_floor < floor or to_room == room,
                                        f'{room} is no room above {to_room}')
                        if room in ONLY and to_room != room:
                            self.assertIn(to_room, ONLY[room])

    def test_no_include_climbs(self):
        """By its path from the top: "../" would hide which room it is of."""
        for top in FLOORS:
            for path in files_of(top):
                with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
                    self.assertNotIn('#include "../', file.read(), path)

    def test_one_folder_knows_the_firmware_version(self):
        """In code: comments may cite a version's headers."""
        for path in files_of('kernel'):
            # nouveau has a table of versions of its own.
            if path.startswith(('kernel/core/abi/', 'kernel/nouveau/')):
                continue
            with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
                code = re.sub(r'/\*.*?\*/', '', file.read(), flags=re.S)
            with self.subTest(path=path):
                self.assertIsNone(re.search(r'570.144', code))

    def test_static_functions_name_their_file(self):
        """In the kernel, for stack traces and ftrace. Of main.c the module is named;
        what sysfs' macros need ends in _show or _store."""
        definition = re.compile(r'^static (?:[\w ]|\*)*?[ *](\w+)\([^;]*?\)\n\{',
                                re.M | re.S)
        count = 0
        for path in files_of('kernel'):
            if not path.endswith('.c'):
                continue
            base = os.path.basename(path)[:-2]
            prefixes = [base.replace('_144', '') + '_']
            if base == 'main':
                prefixes += ['vgpu_core_', 'vgpu_vfio_', 'core_']
            with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
                names = definition.findall(file.read())
            count += len(names)
            for name in names:
                with self.subTest(path=path, name=name):
                    self.assertTrue(name.startswith(tuple(prefixes)) or
                                    name.endswith(('_show', '_store')))
        self.assertGreater(count, 300)

    def test_no_room_is_crowded(self):
        for top in FLOORS:
            folders = {}
            for path in files_of(top):
                if path.endswith('.c'):
                    folders.setdefault(os.path.dirname(path), []).append(path)
            for folder, paths in folders.items():
                with self.subTest(folder=folder):
                    if folder not in SAME_IN_EACH:
                        self.assertLessEqual(len(paths), SOURCES_MAX, paths)

    def test_files_of_one_kind(self):
        for folder, pattern in SAME_IN_EACH.items():
            paths = [path for path in files_of(folder) if path.endswith('.c')]
            self.assertGreater(len(paths), SOURCES_MAX)
            for path in paths:
                with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
                    names = re.findall(pattern, file.read(), re.M)
                with self.subTest(path=path):
                    self.assertEqual(names, [os.path.basename(path)[:-2]])


if __name__ == '__main__':
    unittest.main()
