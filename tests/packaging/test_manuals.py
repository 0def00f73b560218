# SPDX-License-Identifier: GPL-2.0-or-later
"""Manual pages have the options that programs say they have, and no others."""

import os
import re
import subprocess
import unittest

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
TIMEOUT = 180

OPTION = re.compile(r'(?<![\w-])--[a-z][a-z-]*')


def help_of(program, *arguments):
    return subprocess.run([os.path.join(BUILD, program), *arguments, '--help'],
                          capture_output=True, text=True, check=True,
                          timeout=TIMEOUT).stdout


def manual(name):
    with open(os.path.join(SOURCE, 'docs/man', name + '.scd'),
              encoding='utf-8') as f:
        return f.read()


def section(page, title):
    """The text of a section, without its code blocks."""
    text = page.partition(f'# {title}\n')[2].partition('\n# ')[0]
    return re.sub(r'```.*?```', '', text, flags=re.S)


def options_described(page):
    """The options that head an entry of the section OPTIONS."""
    return {option for line in section(page, 'OPTIONS').splitlines()
            if line.startswith('*-') for option in OPTION.findall(line)}


class Manuals(unittest.TestCase):
    def test_options(self):
        for program, page in (('vgpud', 'vgpud.8'),
                              ('vgpu-device', 'vgpu-device.1'),
                              ('vgpu-exporter', 'vgpu-exporter.8'),
                              ('vgpu-web', 'vgpu-web.8')):
            with self.subTest(program=program):
                self.assertEqual(options_described(manual(page)),
                                 set(OPTION.findall(help_of(program))))

    def commands(self):
        return re.findall(r'^  ([a-z][a-z-]+) +[A-Z]', help_of('vgpuctl'), re.M)

    def test_options_of_vgpuctl(self):
        options = set(OPTION.findall(help_of('vgpuctl')))
        for command in self.commands():
            usage = help_of('vgpuctl', command).partition('\n\n')[0]
            options |= set(OPTION.findall(usage))
        self.assertEqual(options_described(manual('vgpuctl.1')), options)

    def test_commands_of_vgpuctl(self):
        """Each is there, with the options that it has."""
        entries = {}
        for entry in re.split(r'\n(?=\*)', section(manual('vgpuctl.1'),
                                                   'COMMANDS')):
            head = entry.partition('\n\t')[0]
            name = re.match(r'\s*\*([a-z-]+)\*', head)
            if name:
                entries[name[1]] = OPTION.findall(head)
        self.assertEqual(sorted(entries), sorted(self.commands()))
        for command, options in entries.items():
            with self.subTest(command=command):
                text = help_of('vgpuctl', command)
                usage = OPTION.findall(text.partition('\n\n')[0])
                self.assertEqual(sorted(options), sorted(usage))
                # And its help says of each what it is.
                for option in set(usage) - {'--json', '--file'}:
                    self.assertRegex(text, r'(?m)^  .*' + option + r'\b')

    def test_programs_without_a_page(self):
        """They are started by others, and say so."""
        for program in 'vgpu-vnc', 'vgpu-launch', 'vgpu-render', 'vgpu-probe':
            path = os.path.join(BUILD, program)
            if not os.path.exists(path):
                continue
            done = subprocess.run([path, '--help'], capture_output=True,
                                  text=True, check=False, timeout=TIMEOUT)
            self.assertIn(program, done.stdout + done.stderr)


if __name__ == '__main__':
    unittest.main()
