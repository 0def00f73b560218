# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpud and vgpuctl in a host VM, in the machine that tests/vfio/build packs."""

import json
import re


class ManagerError(Exception):
    """vgpud, or a vgpuctl command, failed."""


class HostManager:
    """Commands for tests/vfio/manager, which runs vgpud in the host VM."""

    def __init__(self, host):
        self.host = host

    def do(self, words):
        """Its exit status, and the lines of its two outputs."""
        status, said = self.host.do(f'run manager {words}')
        return (status, *(re.findall(rf'test: {word} (.*?)\r*\n', said)
                          for word in ('out', 'err')))

    def must(self, words):
        status, out, err = self.do(words)
        if status:
            raise ManagerError(f"'{words}' ended with {status}: "
                               + ' '.join(err))
        return out

    def start(self):
        self.must('start')

    def stop(self):
        self.must('stop')

    def kill(self):
        """Kill vgpud with SIGKILL."""
        self.must('kill')

    def ctl(self, words):
        """The lines that a vgpuctl command prints; it must succeed."""
        return self.must(f'ctl {words}')

    def refused(self, words):
        """Run a vgpuctl command that must be refused; return its message."""
        status, _, err = self.do(f'ctl {words}')
        if status != 1:
            raise ManagerError(f"'{words}' ended with {status}, not with 1")
        return ' '.join(err)

    def json(self, words):
        return json.loads('\n'.join(self.ctl(f'{words} --json=pretty')))

    def show(self, vgpu):
        return self.json(f'show {vgpu}')

    def events(self):
        return [json.loads(line) for line in self.ctl("events --json=short")]

    def gpu(self):
        """The GPU with virtual functions."""
        return next(gpu for gpu in self.json('gpus') if 'vfsTotal' in gpu)

    def types(self):
        """Its types by name."""
        return {t['type']: t
                for t in self.json(f"types --gpu {self.gpu()['gpu']}")}
