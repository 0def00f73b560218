# SPDX-License-Identifier: GPL-2.0-or-later
"""What pages say to type is typed, as printed, against a vgpud of the test's own.

A block whose lines begin with "$ " is a session: these lines are run, the others are
what they print. In any other block every line is run. Types that take gigabytes are
replaced by one that takes 256 MiB; commands that change the host are left out, and
listed here."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest

from pages import SOURCE, pages, read

sys.path.insert(0, os.path.join(SOURCE, 'tests/manager'))
from harness import BUILD, TIMEOUT, Manager  # noqa: E402

# The whole block is left out if any line begins so.
CHANGES_THE_HOST = re.compile(
    r'(make |apt |meson |systemctl |usermod |dkms |insmod |modprobe |lab/run|journalctl |'
    r'guest\$|host\$|echo |model/build|cat /)')
TYPES = {'4Q': '256MQ', '8Q': '256MQ', '2B': '128MB', '1Q': '256MQ'}
# The real one is told to start no processor, and ends when it is asked to.
QEMU = """#!/bin/sh
echo '{"execute":"qmp_capabilities"}{"execute":"query-status"}{"execute":"quit"}' |
exec REAL -S -display none -accel tcg -qmp stdio "$@"
"""

SSH = """#!/bin/sh
for line; do :; done
exec sh -c "$line"
"""


def blocks(path):
    """(language, text) of each block of code."""
    return [(match[1], match[2]) for match in
            re.finditer(r'^```(\w*)\n(.*?)^```', read(path), re.M | re.S)]


def lines_to_run(text):
    text = re.sub(r'\\\n\s*', ' ', text)
    lines = text.splitlines()
    if any(line.startswith('$ ') for line in lines):
        lines = [line[2:] for line in lines if line.startswith('$ ')]
    return [line for line in lines if line.strip()]


def replace_types(text):
    return re.sub(r'\b(' + '|'.join(TYPES) + r')\b',
                  lambda match: TYPES[match[1]], text)


class Examples(unittest.TestCase):
    def setUp(self):
        self.manager = Manager(mib=1536).start()
        self.addCleanup(self.manager.finish)
        self.folder = os.path.join(self.manager.folder, 'here')
        os.mkdir(self.folder)
        with open(os.path.join(self.folder, 'disk.img'), 'wb') as file:
            file.truncate(1 << 20)
        programs = os.path.join(self.manager.folder, 'bin')
        os.mkdir(programs)
        real = shutil.which('qemu-system-x86_64')
        if real:
            path = os.path.join(programs, 'qemu-system-x86_64')
            self.manager.write(path, QEMU.replace('REAL', real))
            os.chmod(path, 0o755)
        # Every other host is this one.
        ssh = os.path.join(programs, 'ssh')
        self.manager.write(ssh, SSH)
        os.chmod(ssh, 0o755)
        os.makedirs(f'{self.manager.folder}/config/vgpu')
        self.manager.write(f'{self.manager.folder}/config/vgpu/hosts', 'local\nrack7\n')
        self.environment = dict(
            os.environ, VGPU_SOCKET=self.manager.socket,
            XDG_CONFIG_HOME=f'{self.manager.folder}/config',
            PATH=f'{programs}:{BUILD}:{os.environ["PATH"]}')

    def type_line(self, line):
        """A shell's status and output; one that follows is ended when it has begun."""
        if '--follow' in line:
            with subprocess.Popen(['sh', '-c', 'exec ' + line], cwd=self.folder,
                                  env=self.environment,
                                  stdout=subprocess.PIPE) as process:
                begun = process.stdout.readline()
                process.terminate()
                process.stdout.read()
            return 0, begun.decode()
        done = subprocess.run(['bash', '-o', 'pipefail', '-c', line],
                              cwd=self.folder, env=self.environment, text=True,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=TIMEOUT, check=False)
        return done.returncode, done.stdout

    def run_block(self, text):
        count = 0
        for line in lines_to_run(replace_types(text)):
            if 'jq' in line and not shutil.which('jq'):
                continue
            if 'qemu-system' in line and not shutil.which('qemu-system-x86_64'):
                continue
            status, output = self.type_line(line)
            # What it finds missing in the lab is not of interest here.
            good = (0, 1) if 'vgpuctl doctor' in line else (0,)
            self.assertIn(status, good, f'{line}\n{output}')
            if 'qemu-system' in line:
                self.assertIn('"running": false', output)
            count += 1
        return count

    def run_page(self, path):
        """The blocks of commands of a page, one after the other."""
        count = 0
        for language, text in blocks(path):
            if language or not re.search(r'^(\$ )?(vgpuctl|qemu)', text, re.M) or \
               any(CHANGES_THE_HOST.match(line) for line in lines_to_run(text)
                   if not line.startswith('vgpuctl')):
                continue
            with self.subTest(page=path, block=text):
                count += self.run_block(text)
        return count

    def test_first_vm(self):
        self.assertGreater(self.run_page('docs/first-vm.md'), 6)

    def test_readme(self):
        create = next(line for _, text in blocks('README.md')
                      for line in text.splitlines()
                      if line.startswith('vgpuctl create'))
        self.run_block(create)
        self.assertEqual(self.run_page('README.md'), 1)

    def test_manual(self):
        self.assertGreater(self.run_page('docs/man/vgpuctl.1.scd'), 3)

    def test_administration(self):
        """Blocks there mix commands of ours with journalctl."""
        self.run_block('vgpuctl create --type 4Q --name cad')
        text = '\n'.join(line for _, block in blocks('docs/administration.md')
                         for line in lines_to_run(block)
                         if line.startswith('vgpuctl'))
        self.assertGreater(self.run_block(text), 3)

    def test_libvirt(self):
        """The XML that the page shows is what is printed."""
        self.run_block('vgpuctl create --type 4Q --name cad')
        _, printed = self.type_line('vgpuctl qemu-args cad --libvirt 2>/dev/null')
        shown = next(text for language, text in blocks('docs/first-vm.md')
                     if language == 'xml')
        self.assertEqual(len(printed.splitlines()), len(shown.splitlines()))
        for line, pattern in zip(printed.splitlines(), shown.splitlines()):
            pattern = re.escape(pattern).replace('…', '.*')
            pattern = pattern.replace('/run/vgpu/', '.*/').replace(
                '2b0f6d0e', '[0-9a-f]{8}')
            self.assertRegex(line, f'^{pattern}$')


class Files(unittest.TestCase):
    """Examples of files are such files."""

    def check(self, option, text):
        folder = tempfile.mkdtemp(prefix='example.')
        self.addCleanup(shutil.rmtree, folder)
        path = os.path.join(folder, 'file')
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)
        done = subprocess.run(
            [os.path.join(BUILD, 'vgpud'), '--check', option, path, *(
                ['--types', os.path.join(SOURCE, 'lib/types.ini')]
                if option == '--config' else [])],
            capture_output=True, text=True, timeout=TIMEOUT, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ''), text)

    def test_configurations(self):
        count = 0
        for page in [*pages(), 'docs/man/vgpud.8.scd']:
            for _, text in blocks(page):
                if text.startswith('[embedded]'):
                    self.check('--config', text)
                    count += 1
        self.assertEqual(count, 2)

    def test_types(self):
        text = next(text for _, text in blocks('docs/man/vgpu-types.5.scd')
                    if text.startswith('['))
        self.check('--types', text)

    def test_declarations(self):
        """Those of vgpuctl(1), for `vgpuctl check`: understood, whatever differs."""
        manager = Manager(mib=256).start()
        self.addCleanup(manager.finish)
        count = 0
        for _, text in blocks('docs/man/vgpuctl.1.scd'):
            arguments = (['--config', 'small'] if text.startswith('version:')
                         else [] if text.startswith('{') else None)
            if arguments is None:
                continue
            done = subprocess.run(
                [os.path.join(BUILD, 'vgpuctl'), '--socket', manager.socket,
                 'check', '-', *arguments], input=replace_types(text),
                capture_output=True, text=True, timeout=TIMEOUT, check=False)
            self.assertEqual(done.returncode, 1, text)
            self.assertRegex(done.stderr, r'^vgpuctl: [^\n]* differences?\n$')
            self.assertIn('+', done.stdout)
            count += 1
        self.assertEqual(count, 2)


if __name__ == '__main__':
    unittest.main()
