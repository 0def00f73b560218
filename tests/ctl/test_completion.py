# SPDX-License-Identifier: GPL-2.0-or-later
"""The bash completion: its syntax, what it offers, and a TAB that is pressed."""

import os
import pty
import re
import select
import shlex
import shutil
import subprocess
import sys
import time
import unittest

import fake_manager as fake
from fake_manager import BUILD, CtlTest, SOURCE, TIMEOUT

SCRIPT = os.path.join(SOURCE, 'packaging/vgpuctl.bash')
LIBRARY = '/usr/share/bash-completion/bash_completion'
UUIDS = [fake.cad()['uuid'], fake.nameless()['uuid']]


class Completion(CtlTest):
    def setUp(self):
        super().setUp()
        self.environment['PATH'] = ':'.join((
            self.patience(), BUILD, os.environ['PATH']))
        self.manager(ListVgpus=fake.vgpus(), ListTypes=fake.types(),
                     ListGpus=fake.gpus())

    def patience(self):
        """A folder with a timeout(1) that waits longer, so that a slow machine
        is not taken for a hang."""
        folder = os.path.join(self.folder, 'patience')
        os.mkdir(folder)
        path = os.path.join(folder, 'timeout')
        with open(path, 'w', encoding='utf-8') as f:
            f.write(f'#!/bin/sh\nshift\nexec {shutil.which("timeout")} '
                    f'{TIMEOUT} "$@"\n')
        os.chmod(path, 0o755)
        return folder

    def complete(self, line):
        """What is offered for the last word of line, as bash splits it."""
        words = re.findall(r'[^\s=:]+|[=:]+', line)
        if not line or line[-1].isspace():
            words.append('')
        script = f'''
            . {LIBRARY}; . {SCRIPT}
            COMP_LINE={shlex.quote(line)} COMP_POINT={len(line)} COMP_TYPE=9
            COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
            _vgpuctl
            printf '%s\\n' "${{COMPREPLY[@]}}"'''
        done = subprocess.run(['bash', '-c', script], capture_output=True,
                              env=self.environment, timeout=TIMEOUT,
                              cwd=self.folder, check=True)
        self.assertEqual(done.stderr, b'')
        return sorted(w.strip() for w in done.stdout.decode().split('\n') if w)

    def test_syntax(self):
        subprocess.run(['bash', '-n', SCRIPT], check=True, timeout=TIMEOUT)

    def test_commands_are_those_of_the_help(self):
        _, out, _ = self.ctl('--help')
        commands = re.findall(r'^  ([a-z][a-z-]+) +[A-Z]', out, re.M)
        self.assertEqual(self.complete('vgpuctl '), sorted(commands))
        self.assertEqual(self.complete('vgpuctl --socket /x de'),
                         ['define', 'destroy'])

    def test_options_are_those_of_the_help(self):
        for command in self.complete('vgpuctl '):
            _, out, _ = self.ctl(command, '--help')
            options = re.findall(r'(--[a-z-]+)', out.partition('\n\n')[0])
            self.assertEqual(self.complete(f'vgpuctl {command} --'),
                             sorted(options + ['--help', '--host', '--socket']), command)

    def test_vgpus(self):
        for command in ('show', 'destroy', 'qemu-args', 'screenshot', 'mode',
                        'vnc', 'start', 'stop', 'undefine', 'modify',
                        'autostart'):
            self.assertEqual(self.complete(f'vgpuctl {command} '),
                             sorted(UUIDS + ['cad']))
        self.assertEqual(self.complete('vgpuctl show c'), ['cad'])
        self.assertEqual(self.complete('vgpuctl show cad '), [])

    def test_values(self):
        self.assertEqual(self.complete('vgpuctl create --type 4'), ['4C', '4Q'])
        self.assertEqual(self.complete('vgpuctl create --type=4'), ['4C', '4Q'])
        self.assertEqual(self.complete('vgpuctl create --gpu e'), ['embedded'])
        # What bash holds to be the last word begins behind the last colon.
        self.assertEqual(self.complete('vgpuctl create --gpu 0000:0'),
                         ['01:00.0'])
        self.assertEqual(self.complete('vgpuctl list --json='),
                         ['pretty', 'short'])
        self.assertEqual(self.complete('vgpuctl vnc cad o'), ['off'])
        self.assertEqual(self.complete('vgpuctl autostart cad o'),
                         ['off', 'on'])
        self.assertEqual(self.complete('vgpuctl define --autostart='),
                         ['off', 'on'])
        self.assertEqual(self.complete('vgpuctl define --mode 19'),
                         ['1920x1080', '1920x1200'])
        self.assertEqual(self.complete('vgpuctl help und'), ['undefine'])
        self.assertEqual(self.complete('vgpuctl mode cad 19'),
                         ['1920x1080', '1920x1200'])

    def test_no_manager(self):
        self.environment['VGPU_SOCKET'] = '/nowhere'
        self.assertEqual(self.complete('vgpuctl show '), [])
        self.assertEqual(self.complete(
            f'vgpuctl --socket {self.socket} show c'), ['cad'])

    def test_tab(self):
        terminal, end = pty.openpty()
        with subprocess.Popen(
                ['bash', '--norc', '--noprofile', '-i'], stdin=end, stdout=end,
                stderr=end, start_new_session=True,
                env=dict(self.environment, TERM='dumb')) as shell:
            os.close(end)
            try:
                os.write(terminal, f'. {LIBRARY}; . {SCRIPT}\n'.encode())
                os.write(terminal, b'vgpuctl destr\tc\t--for\t; :\n')
                seen, deadline = '', time.monotonic() + TIMEOUT
                while 'destroy cad --force ; :' not in seen:
                    self.assertLess(time.monotonic(), deadline, seen)
                    if select.select([terminal], [], [], 1)[0]:
                        seen += os.read(terminal, 65536).decode()
                        seen = seen.replace('\a', '')
            finally:
                shell.kill()
                os.close(terminal)


class Table(CtlTest):
    """What vgpuctl itself says can follow, for every shell."""

    def offered(self, *words):
        code, out, err = self.ctl('__complete', *words)
        self.assertEqual((code, err), (0, ''))
        return [line.split('\t') for line in out.splitlines()]

    def test_all_of_the_help(self):
        _, out, _ = self.ctl('--help')
        commands = dict(re.findall(r'^  ([a-z][a-z-]+) +([A-Z].*)', out, re.M))
        self.assertEqual(dict(self.offered('')), commands)
        self.assertEqual(self.offered('--'), [['--help'], ['--version'],
                                              ['--socket'], ['--host']])
        for command in commands:
            _, out, _ = self.ctl(command, '--help')
            options = re.findall(r'(--[a-z-]+)', out.partition('\n\n')[0])
            self.assertEqual(
                sorted(o for [o] in self.offered(command, '--')),
                sorted(options + ['--help', '--host', '--socket']), command)

    def test_what_is_known(self):
        self.manager(ListVgpus={'vgpus': [fake.cad(), fake.hostile(),
                                          dict(fake.cad(), name='-x')]})
        self.assertEqual(self.offered('show', 'c'), [['cad', '4Q']])
        self.assertEqual(self.offered('show', UUIDS[0][:8])[0],
                         [UUIDS[0], 'cad'])
        self.assertEqual(self.offered('screenshot', 'cad', ''), [[':files']])
        self.assertEqual(self.offered('define', '--file', ''), [[':files']])
        self.assertEqual(self.offered('--json=short', 'autostart', 'a', ''),
                         [['on'], ['off']])
        self.assertEqual(self.offered('frobnicate', ''), [])
        self.assertEqual(self.offered('--frobnicate', 'sho'),
                         [['show', 'Show all about one vGPU']])
        self.assertEqual(self.offered(), self.offered(''))
        self.assertEqual(self.offered('list', '\x1b[2J'), [])


@unittest.skipUnless(shutil.which('fish'), 'no fish')
class Fish(Completion):
    def complete(self, line):
        script = os.path.join(SOURCE, 'packaging/vgpuctl.fish')
        done = subprocess.run(
            ['fish', '--no-config', '-c', f'source {shlex.quote(script)}; '
             f'complete -C {shlex.quote(line)}'], capture_output=True,
            env=dict(self.environment, HOME=self.folder), timeout=TIMEOUT,
            cwd=self.folder, check=True)
        self.assertEqual(done.stderr, b'')
        # With an option its '=' is part of the word here.
        return sorted(line.split('\t')[0].rpartition('=')[2]
                      for line in done.stdout.decode().splitlines())

    def test_syntax(self):
        subprocess.run(['fish', '--no-execute', os.path.join(
            SOURCE, 'packaging/vgpuctl.fish')], check=True, timeout=TIMEOUT)

    def test_values(self):
        self.assertEqual(self.complete('vgpuctl create --type 4'), ['4C', '4Q'])
        self.assertEqual(self.complete('vgpuctl create --type=4'), ['4C', '4Q'])
        self.assertEqual(self.complete('vgpuctl create --gpu 0000:0'),
                         ['0000:01:00.0'])
        self.assertEqual(self.complete('vgpuctl list --json='),
                         ['pretty', 'short'])

    def test_tab(self):
        with open(os.path.join(self.folder, 'a.png'), 'wb'):
            pass
        self.assertEqual(self.complete('vgpuctl screenshot cad a'), ['a.png'])


@unittest.skipUnless(shutil.which('zsh'), 'no zsh')
class Zsh(Completion):
    def complete(self, line):
        """What a TAB makes of the line, where that is one word."""
        terminal, end = pty.openpty()
        with subprocess.Popen(
                ['zsh', '-f', '-i'], stdin=end, stdout=end, stderr=end,
                start_new_session=True, cwd=self.folder,
                env=dict(self.environment, TERM='dumb', HOME=self.folder)) \
                as shell:
            os.close(end)
            try:
                out = os.path.join(self.folder, 'out')
                script = os.path.join(SOURCE, 'packaging')
                os.write(terminal, (
                    'autoload -Uz compinit && compinit -u -D; '
                    'setopt no_list_ambiguous; '
                    f'compdef _vgpuctl vgpuctl; source {script}/vgpuctl.zsh '
                    '2>/dev/null; '
                    'show() { print -r -- "$BUFFER" > out.new; '
                    'mv out.new out; BUFFER=; zle accept-line; }; '
                    'zle -N show; bindkey "^X" show; print ready\n').encode())
                self.read_until(terminal, '\nready')
                os.write(terminal, f'{line}\t\x18'.encode())
                deadline = time.monotonic() + TIMEOUT
                while not os.path.exists(out):
                    self.assertLess(time.monotonic(), deadline)
                    if select.select([terminal], [], [], 0.1)[0]:
                        os.read(terminal, 65536)
                with open(out, encoding='utf-8') as f:
                    return f.read().rstrip('\n')
            finally:
                shell.kill()
                os.close(terminal)
                if os.path.exists(out):
                    os.unlink(out)

    def read_until(self, terminal, text):
        seen, deadline = '', time.monotonic() + TIMEOUT
        while text not in seen.replace('\r', ''):
            self.assertLess(time.monotonic(), deadline, seen)
            if select.select([terminal], [], [], 1)[0]:
                seen += os.read(terminal, 65536).decode()

    def test_syntax(self):
        subprocess.run(['zsh', '-n', os.path.join(
            SOURCE, 'packaging/vgpuctl.zsh')], check=True, timeout=TIMEOUT)

    def test_commands_are_those_of_the_help(self):
        self.assertEqual(self.complete('vgpuctl destr'), 'vgpuctl destroy ')

    def test_options_are_those_of_the_help(self):
        self.assertEqual(self.complete('vgpuctl stop --al'),
                         'vgpuctl stop --all ')

    def test_vgpus(self):
        self.assertEqual(self.complete('vgpuctl show c'), 'vgpuctl show cad ')

    def test_values(self):
        self.assertEqual(self.complete('vgpuctl create --type 4Q --gpu 00'),
                         'vgpuctl create --type 4Q --gpu 0000:01:00.0 ')
        self.assertEqual(self.complete('vgpuctl list --json=pr'),
                         'vgpuctl list --json=pretty ')

    def test_tab(self):
        with open(os.path.join(self.folder, 'a.png'), 'wb'):
            pass
        self.assertEqual(self.complete('vgpuctl screenshot cad a'),
                         'vgpuctl screenshot cad a.png ')

    def test_no_manager(self):
        self.environment['VGPU_SOCKET'] = '/nowhere'
        self.assertEqual(self.complete('vgpuctl show c'), 'vgpuctl show c')


if __name__ == '__main__':
    if not os.path.exists(LIBRARY):
        sys.exit(77)
    unittest.main()
