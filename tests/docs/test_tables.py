#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What a new row of a table of the source needs besides: it fails on what is missing.
The fields of a vGPU type, the methods and errors of the interface, the commands of
vgpuctl."""

import os
import re
import unittest

from pages import files, macro_rows, read


def sources(folder):
    return {path: read(path) for path in files()
            if path.startswith(folder + '/') and path.endswith(('.c', '.h'))}


def value(word):
    """Of a number, or of a constant of lib/type.h."""
    if not word.isdigit():
        word = re.search(rf'#define {word}\s+(\S.*?)\s*(?:/\*|$)', read('lib/type.h'),
                         re.M)[1]
    factors = re.findall(r'\d+', word)
    product = 1
    for factor in factors:
        product *= int(factor)
    return product


class TypeFields(unittest.TestCase):
    def setUp(self):
        self.rows = macro_rows('lib/type_fields.h', 'VGPU_TYPE_FIELDS')
        self.assertGreater(len(self.rows), 5)

    def test_rows(self):
        for member, json, stored, low, high, fallback, about in self.rows:
            with self.subTest(field=member):
                words = member.split('_')
                self.assertEqual(json, words[0] + ''.join(map(str.title, words[1:])))
                self.assertLessEqual(value(low), value(high))
                self.assertTrue(fallback == '0' or
                                value(low) <= value(fallback) <= value(high))
                self.assertRegex(stored, r'^[a-zA-Z]+$')
                self.assertRegex(about, r'^".+"$')

    def test_manual(self):
        """vgpu-types(5) says what each key is, and what it may be."""
        page = read('docs/man/vgpu-types.5.scd')
        entries = re.findall(r'^(\*\w+\*(?:, \*\w+\*)*)\n((?:\t.*\n)+)', page, re.M)
        for member, _, _, low, high, fallback, _ in self.rows:
            with self.subTest(field=member):
                found = [text for keys, text in entries if f'*{member}*' in keys]
                self.assertEqual(len(found), 1)
                self.assertRegex(found[0], rf'(?<!\d){value(high)}(?!\d)')
                if value(low):
                    self.assertRegex(found[0], rf'\b{value(low)} to {value(high)}\b')
                if fallback != '0':
                    self.assertRegex(found[0], rf'\b{value(fallback)} if it is not said')

    def test_column(self):
        """`vgpuctl types` has it."""
        text = read('ctl/cmd/types.c')
        for _, json, *_ in self.rows:
            with self.subTest(field=json):
                self.assertIn(f'"{json}"', text)

    def test_use(self):
        """vgpud sends it to the device, or goes by it itself."""
        text = ''.join(text for path, text in sources('manager').items()
                       if path not in ('manager/api/show.c', 'manager/vgpu/store.c'))
        for member, *_ in self.rows:
            with self.subTest(field=member):
                self.assertRegex(text, rf'\btype(\.|->){member}\b')


class Methods(unittest.TestCase):
    def test_clients(self):
        """vgpuctl can call each, and calls no other."""
        known = [row[0] for row in macro_rows('manager/api/method_table.h', 'VGPU_METHODS')]
        self.assertGreater(len(known), 15)
        text = ''.join(sources('ctl').values())
        called = set(re.findall(r'"([A-Z][a-z]+(?:[A-Z][a-z]+)*)"', text))
        self.assertLessEqual(set(known), called)
        used = set(re.findall(r'\bctl_\w*call\w*\(\s*&?\w+,\s*"(\w+)"', text))
        self.assertGreater(len(used), 10)
        self.assertLessEqual(used, set(known))


class Errors(unittest.TestCase):
    def test_names(self):
        """vgpud gives no other than those of the interface, and each of them."""
        path = 'manager/api/error_table.h'
        known = set(re.findall(r'\b(?:row|own)\((\w+), ', re.sub(
            r'\s*\\\n\s*', ' ', read(path))))
        self.assertGreater(len(known), 20)
        text = ''.join(source for name, source in
                       {**sources('manager'), **sources('lib')}.items() if name != path)
        given = set(re.findall(
            r'\bvgpu_err_set\(\s*[^,"]+,\s*[^,"]+,\s*"([A-Z]\w+)"', text))
        self.assertGreater(len(given), 15)
        self.assertLessEqual(given, known)
        for name in known:
            self.assertIn(f'"{name}"', text)


class Commands(unittest.TestCase):
    def test_files(self):
        """Each has its file, and no file is forgotten."""
        names = [row[0] for row in macro_rows('ctl/ctl.h', 'CTL_COMMANDS')]
        self.assertGreater(len(names), 20)
        self.assertEqual(sorted(names), sorted(
            os.path.basename(path)[:-2] for path in sources('ctl/cmd')))


if __name__ == '__main__':
    unittest.main()
