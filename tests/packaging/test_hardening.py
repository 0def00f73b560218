# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that are installed are built as meson.build's `hardening` says."""

import glob
import json
import os
import re
import subprocess
import sys
import unittest

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
TIMEOUT = 180
# C programs that install under these names; a new one is found by itself.
KNOWN = {'vgpud', 'vgpuctl', 'vgpu-device', 'vgpu-render', 'vgpu-vnc',
         'vgpu-probe', 'vgpu-launch'}


def intro(name):
    with open(os.path.join(BUILD, f'meson-info/intro-{name}.json'),
              encoding='utf-8') as file:
        return json.load(file)


def option(name):
    return next(o['value'] for o in intro('buildoptions')
                if o['name'] == name)


def readelf(*arguments):
    return subprocess.run(['readelf', '--wide', *arguments], check=True,
                          text=True, timeout=TIMEOUT,
                          capture_output=True).stdout


def segments(path):
    """[(type, begin, end, flags)]"""
    return [(kind, int(begin, 16), int(begin, 16) + int(size, 16), flags)
            for kind, begin, size, flags in re.findall(
                r'^ +(\w+) +0x\w+ (0x\w+) 0x\w+ 0x\w+ (0x\w+) ([RWE ]{3})',
                readelf('--segments', path), re.M)]


def symbols(path):
    """{name: (address, bytes)}; bytes may be 0, for what others define."""
    return {name: (int(value, 16), int(size, 0)) for value, size, name in
            re.findall(r'^ *\d+: (\w+) +(\w+) \w+ +\w+ +\w+ +\w+ ([^@\s]+)',
                       readelf('--symbols', path), re.M)}


class Hardening(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.programs = {
            os.path.basename(target['filename'][0]): target['filename'][0]
            for target in intro('targets')
            if target['type'] == 'executable' and target['installed']}

    def fail_for(self, faults):
        """FAULTS: names of programs, or of their parts, that lack something."""
        self.assertEqual(sorted(faults), [])

    def test_all_programs_are_looked_at(self):
        wanted = KNOWN if option('embedded') else {'vgpud', 'vgpuctl'}
        self.assertEqual(wanted - set(self.programs), set())

    def test_anywhere_in_memory(self):
        self.fail_for(
            name for name, path in self.programs.items()
            if not re.search(r'Type: +DYN', readelf('--file-header', path)) or
            not re.search(r'FLAGS_1.*\bPIE\b', readelf('--dynamic', path)))

    def test_bound_at_start(self):
        """All symbols are looked up at once, and what holds them is sealed."""
        for name, path in self.programs.items():
            dynamic = readelf('--dynamic', path)
            self.assertRegex(dynamic, r'FLAGS\).*\bBIND_NOW\b', name)
            self.assertNotRegex(dynamic, r'TEXTREL|R(UN)?PATH', name)
            self.assertIn('GNU_RELRO', [s[0] for s in segments(path)], name)

    def test_writable_or_executable(self):
        for name, path in self.programs.items():
            of = segments(path)
            self.assertIn(('GNU_STACK', 'RW '), [(s[0], s[3]) for s in of], name)
            self.assertEqual([s for s in of if {'W', 'E'} <= set(s[3])], [],
                             name)

    def test_stack_protector(self):
        self.fail_for(name for name, path in self.programs.items()
                      if '__stack_chk_fail' not in symbols(path))

    def test_fortify(self):
        self.fail_for(name for name, path in self.programs.items()
                      if not any(re.fullmatch(r'__\w+_chk', symbol)
                                 for symbol in symbols(path)))

    @unittest.skipUnless(os.uname().machine == 'x86_64', 'another processor')
    def test_jumps_are_marked(self):
        """
        By all that is ours. The linker marks a program only if the C library's
        start file is marked, too, and Debian's is not.
        """
        for name, path in self.programs.items():
            objects = glob.glob(f'{path}.p/**/*.o', recursive=True)
            self.assertTrue(objects, name)
            self.fail_for(o for o in objects if not re.search(
                r'x86 feature:.*\bIBT\b.*\bSHSTK\b', readelf('--notes', o)))

    @unittest.skipUnless(option('embedded'), 'there is no vgpu-render')
    def test_table_of_commands(self):
        """vgpu-render's dispatch table is read-only once it runs."""
        path = self.programs['vgpu-render']
        begin, size = symbols(path)['commands']
        self.assertGreater(size, 1000)
        sealed = [(first, last) for kind, first, last, _ in segments(path)
                  if kind == 'GNU_RELRO']
        self.assertTrue([first <= begin and begin + size <= last
                         for first, last in sealed] == [True], sealed)


if __name__ == '__main__':
    if option('b_sanitize') != 'none':
        print('a build with sanitizers is not what users get')
        sys.exit(77)
    unittest.main()
