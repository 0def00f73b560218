# SPDX-License-Identifier: GPL-2.0-or-later
"""A layout that programs of two versions exchange changes with its version number.

If this fails: raise the version, where an old and a new program would misread each
other (docs/dev/contributing.md says when), and put the new digest, which the failure
shows, below. A change that both understand alike needs the digest only."""

import hashlib
import re
import unittest

from pages import macro_rows, read

# name of the version: (file that defines it, files of the layout, version, digest)
LAYOUTS = {
    'VGPU_CONTROL_VERSION': (
        'lib/control_abi.h', ['lib/control_abi.h', 'lib/figures.h'], 6, '1b71a9b1194637e8'),
    'VGPU_STATE_VERSION': (
        'device/state_abi.h',
        ['device/state_abi.h', 'device/gpu/state_abi.h', 'device/render/state_abi.h',
         'device/input/state_abi.h'],
        6, 'b12276923c26cfb9'),
    'VGPU_DEFINITION_VERSION': (
        'manager/vgpu/store.h', ['manager/vgpu/store.c', 'lib/type_fields.h'], 8, 'b1faded705bd3e46'),
    'VGPU_RECORDING_VERSION': (
        'render/vulkan/recording.h', ['render/vulkan/recording.h'], 3, '273050aed0834caa'),
}


def layout(path):
    """The structs, enums and numbers of a header: no comments, no functions. Of C
    source the names of the JSON fields that it reads; those of a type are a table."""
    if path == 'lib/type_fields.h':
        return '\n'.join(row[2] for row in macro_rows(path, 'VGPU_TYPE_FIELDS'))
    if path.endswith('.c'):
        return '\n'.join(re.findall(r'\{"(\w+)",\s*SD_JSON', read(path)))
    text = re.sub(r'/\*.*?\*/', ' ', read(path), flags=re.S)
    text = re.sub(r'\\\n', ' ', text)
    found = re.findall(r'^(?:struct|enum) \w+ \{.*?^\}[^;]*;|^#define[ \t]+\w+[ \t]+\S[^\n]*',
                       text, re.M | re.S)
    return '\n'.join(' '.join(part.split()) for part in found
                     if '_VERSION' not in part)


class Versions(unittest.TestCase):
    def test_layouts(self):
        for name, (header, paths, version, digest) in LAYOUTS.items():
            with self.subTest(version=name):
                there = int(re.search(rf'^#define\s+{name}\s+(\d+)', read(header),
                                      re.M)[1])
                text = '\n'.join(layout(path) for path in paths)
                found = hashlib.sha256(text.encode()).hexdigest()[:16]
                self.assertEqual((there, found), (version, digest),
                                 f'see the top of {__file__}')


if __name__ == '__main__':
    unittest.main()
