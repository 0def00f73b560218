# SPDX-License-Identifier: GPL-2.0-or-later
"""Commands, options, targets and packages that pages name are there."""

import os
import re
import subprocess
import unittest

from pages import SOURCE, files, pages, read, rows

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
TIMEOUT = 180
OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]*')
MANUALS = [path for path in files() if path.endswith('.scd')]


def help_of(*command):
    return subprocess.run([os.path.join(BUILD, command[0]), *command[1:], '--help'],
                          capture_output=True, text=True, check=True,
                          timeout=TIMEOUT).stdout


def code(path):
    """What a page shows as code: blocks, and words in backticks."""
    text = re.sub(r'\\\n\s*', ' ', read(path))
    found = []
    for block in re.findall(r'^```\w*\n(.*?)^```', text, re.M | re.S):
        found += block.splitlines()
    text = re.sub(r'```.*?```', '', text, flags=re.S)
    # Bold words are how manual pages write commands.
    quoted = r'`([^`\n]+)`' if path.endswith('.md') else r'\*([^*\n]+)\*'
    return found + re.findall(quoted, text)


def all_code():
    return [(path, line) for path in pages() + MANUALS for line in code(path)]


class Names(unittest.TestCase):
    def test_commands_of_vgpuctl(self):
        commands = set(re.findall(r'^  ([a-z][a-z-]+) +[A-Z]', help_of('vgpuctl'),
                                  re.M))
        everywhere = set(OPTION.findall(help_of('vgpuctl')))
        options = {name: set(OPTION.findall(help_of('vgpuctl', name)))
                   for name in commands}
        count = 0
        for path, line in all_code():
            for command, rest in re.findall(
                    r'\bvgpuctl ([a-z][a-z-]*)((?: [^)|;&#]*)?)', line):
                with self.subTest(page=path, line=line):
                    self.assertIn(command, commands)
                    self.assertLessEqual(set(OPTION.findall(rest)),
                                         options[command] | everywhere)
                count += 1
        self.assertGreater(count, 60)

    def test_options_of_programs(self):
        for program in 'vgpud', 'vgpu-device':
            there = set(OPTION.findall(help_of(program)))
            for path, line in all_code():
                for rest in re.findall(rf'(?:^|[ (]){program}((?: [^|;&#]*)?)', line):
                    with self.subTest(page=path, line=line):
                        self.assertLessEqual(set(OPTION.findall(rest)), there)

    def test_targets_of_make(self):
        targets = set(re.findall(r'^([a-z-]+):', read('Makefile'), re.M))
        for path, line in all_code():
            for target in re.findall(r'(?:^|[ (])make ([a-z][a-z-]*)', line):
                with self.subTest(page=path, line=line):
                    self.assertIn(target, targets)

    def test_options_of_meson(self):
        ours = set(re.findall(r"option\('(\w+)'", read('meson.options')))
        for path, line in all_code():
            for name in re.findall(r'(?:^| )-D(\w+)=(?:true|false)', line):
                if name != 'werror':
                    with self.subTest(page=path, line=line):
                        self.assertIn(name, ours)

    def test_files(self):
        """Programs of the tree that a line runs."""
        for path, line in all_code():
            for name in re.findall(r'(?:^| )((?:scripts|lab|tests|fuzz|bench)/[\w./-]+)',
                                   line):
                with self.subTest(page=path, line=line):
                    self.assertTrue(os.path.exists(os.path.join(SOURCE, name)))

    def test_packages(self):
        """What is to be installed for a build is what Debian's build installs."""
        wanted = re.search(r'^Build-Depends:\n((?: .*\n)+)', read('debian/control'),
                           re.M)[1]
        wanted = {re.match(r'[\w-]+', line.strip())[0]
                  for line in wanted.splitlines()}
        said = next(line for line in code('docs/install.md')
                    if line.startswith('apt install gcc')).split()
        self.assertLessEqual(
            {name for name in wanted if not re.match('debhelper|dh-', name)},
            set(said))

    def test_kernels(self):
        """The table of tests of the modules is what check-modules prints."""
        printed = subprocess.run(
            [os.path.join(SOURCE, 'scripts/check-modules'), 'table'], text=True,
            capture_output=True, check=True, timeout=TIMEOUT).stdout
        self.assertIn(printed, read('docs/dev/testing.md'))

    def test_figures(self):
        """What prints a figure is there, and wants what the page says."""
        count = 0
        for row in rows('docs/performance.md'):
            program = re.fullmatch(r'`(\S+)`', row[-1])
            if program:
                text = read(program[1])
                with self.subTest(row=row):
                    self.assertIn(row[2] if len(row) == 4 else '', text)
                count += bool(len(row) == 4 and row[2])
        self.assertGreater(count, 10)

    def test_environment(self):
        """Variables of ours are read by something."""
        source = '\n'.join(read(path) for path in files()
                           if re.search(r'\.(c|h|py)$', path) or
                           path.startswith(('lab/', 'scripts/')) and
                           '.' not in os.path.basename(path))
        for path in pages() + MANUALS:
            for name in set(re.findall(r'\bVGPU_[A-Z_]+[A-Z]\b', read(path))):
                with self.subTest(page=path, name=name):
                    self.assertIn(name, source)


if __name__ == '__main__':
    unittest.main()
