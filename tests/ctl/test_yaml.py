# SPDX-License-Identifier: GPL-2.0-or-later
"""The YAML that vgpuctl reads: as PyYAML reads it, or refused."""

import json
import os
import random
import subprocess
import unittest

from fake_manager import BUILD, TIMEOUT

try:
    import yaml
except ImportError:
    yaml = None

PROGRAM = os.path.join(BUILD, 'tests/ctl/yaml-to-json')

GOOD = {
    'a: 1': {'a': 1},
    '---\na: b # c\n\n# d\nb: "x # y"': {'a': 'b', 'b': 'x # y'},
    'a:\n- 1\n- 2\nb: 3\n': {'a': [1, 2], 'b': 3},
    'a:\n    - b: 1\n      c:\n        d: 2\n    - e: 3\n':
        {'a': [{'b': 1, 'c': {'d': 2}}, {'e': 3}]},
    '- - 1\n  - 2\n- 3\n': [[1, 2], 3],
    '-\n  a: 1\n-\n': [{'a': 1}, None],
    'a: []\nb: {}\nc: [1, two, {d: 4}]\n':
        {'a': [], 'b': {}, 'c': [1, 'two', {'d': 4}]},
    'a: [ ]\nb: { }\n': {'a': [], 'b': {}},
    "'it''s': \"a\\\"b\\\\\"\n": {"it's": 'a"b\\'},
    '"k": v\n"k2" : 1\n': {'k': 'v', 'k2': 1},
    'a: true\nb: false\nc: null\nd: ~\ne:\n':
        {'a': True, 'b': False, 'c': None, 'd': None, 'e': None},
    'a: x:y\nb: http://z/#1\nc: it\'s\n':
        {'a': 'x:y', 'b': 'http://z/#1', 'c': "it's"},
    'a: 0\nb: 9007199254740993\n': {'a': 0, 'b': 9007199254740993},
    'a: 1\r\nb: 2\r\n': {'a': 1, 'b': 2},
    'A40-4Q: 12\n': {'A40-4Q': 12},
    '[1, 2]\n': [1, 2],
    'just words\n': 'just words',
    'version: v1\nvgpu-configs:\n    s:\n        - devices: all\n'
    '          vgpu-devices:\n            A2-1Q: 16\n':
        {'version': 'v1', 'vgpu-configs': {
            's': [{'devices': 'all', 'vgpu-devices': {'A2-1Q': 16}}]}},
}

BAD = (
    '', '\n# only this\n', 'a: &x 1', 'a: *x', 'a: !t 1', 'a: |\n  b', 'a: >\n  b',
    '? a\n: b', '%YAML 1.2\n---\na: 1', 'a: 1\n---\nb: 2', 'a: 1\n...',
    'a: 1\na: 2', '{a: 1, a: 2}', 'a:\n\t- b', '\ta: 1', 'a: [1, 2', 'a: {b: 1',
    'a: [1\n  , 2]', 'a: "b', "a: 'b", 'a: "\\n"', 'a: "b" c', 'a: [1] 2',
    'a: 1\n  b: 2', 'a:\n    b: 1\n  c: 2', '- 1\na: 2', 'a: 1\n- 2',
    'words\nmore words', ': 1', 'a: @b', 'a: `b', 'a: [,]', 'a: [1,,2]',
    'a: b: c', 'a: \x01', 'a: - b', '<<: *x', '{a}', '{: 1}', 'a: %b',
    '- ' * 40 + 'x', '[' * 40 + ']' * 40,
    '\n'.join(' ' * i + 'a:' for i in range(40)),
    ''.join(f'k{i}: 1\n' for i in range(5000)), '- 1\n' * 5000,
    '[' + '1, ' * 5000 + '1]',
)


class Yaml(unittest.TestCase):
    def read(self, text):
        if isinstance(text, str):
            text = text.encode()
        return subprocess.run([PROGRAM], input=text, capture_output=True,
                              timeout=TIMEOUT, check=False)

    def assert_refused(self, text):
        done = self.read(text)
        self.assertEqual((done.returncode, done.stdout), (1, b''), done)
        self.assertRegex(done.stderr, b'^stdin:[^\n]+\n$')

    def test_good(self):
        for text, value in GOOD.items():
            with self.subTest(text=text):
                done = self.read(text)
                self.assertEqual(done.stderr, b'')
                self.assertEqual(json.loads(done.stdout), value)
                if yaml:
                    self.assertEqual(yaml.safe_load(text), value)

    def test_bad(self):
        for text in BAD:
            with self.subTest(text=text[:80]):
                self.assert_refused(text)

    def test_line(self):
        self.assertEqual(self.read('a: 1\n\nb: *x\n').stderr[:8], b'stdin:3:')

    def test_no_utf8(self):
        self.assert_refused(b'a: \xff\xfe\n')

    def test_keys_of_any_kind_are_text(self):
        """Where others make numbers of them."""
        self.assertEqual(json.loads(self.read('1: a\ntrue: b\n').stdout),
                         {'1': 'a', 'true': 'b'})

    @unittest.skipUnless(yaml, 'no PyYAML')
    def test_what_others_write(self):
        rng = random.Random(5)
        words = ['a', 'A40-4Q', 'x y', 'all', 'v1', '4Q', '0000:01:00.0', '#',
                 "it's", '"', 'a: b', '- c', '[d]', '{e}', 'true', 'null', '12',
                 '', ' f', 'g ', 'a#b', 'c #d', '&h', '*i', '!j', '|', '>', '%',
                 '@', '?', ':', '-', 'ü', 'x,y', "''", '~', 'a\\b', '---']

        def make(depth):
            kind = rng.randrange(5 if depth < 4 else 3)
            if kind == 3:
                return [make(depth + 1) for _ in range(rng.randrange(4))]
            if kind == 4:
                return {rng.choice(words): make(depth + 1)
                        for _ in range(rng.randrange(4))}
            return (rng.choice(words), rng.randrange(1 << 40),
                    rng.choice((True, False, None)))[kind]

        refused = 0
        for _ in range(300):
            value = make(0)
            text = yaml.safe_dump(value, width=10000, allow_unicode=True,
                                  default_flow_style=rng.choice(
                                      (True, False, None)))
            # What it adds to a lone scalar is a document's end.
            done = self.read(text.removesuffix('...\n'))
            if done.returncode == 1:
                refused += 1
                continue
            self.assertEqual(json.loads(done.stdout), value, text)
        # Of its escapes, long keys and the like.
        self.assertLess(refused, 60)

    def test_garbage(self):
        """It says something, whatever it is given."""
        rng = random.Random(6)
        pieces = ['a', ':', ' ', '-', '\n', '[', ']', '{', '}', ',', '"', "'",
                  '#', '  ', '- ', ': ', '\n  ', '\\', '1', '---', '&', '\t',
                  'ü', '\0', '?']
        for _ in range(400):
            text = ''.join(rng.choice(pieces)
                           for _ in range(rng.randrange(60)))
            self.assertIn(self.read(text).returncode, (0, 1), text)


if __name__ == '__main__':
    unittest.main()
