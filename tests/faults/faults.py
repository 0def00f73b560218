# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults in real programs, and what must hold after each of them."""

import errno
import mmap
import os
import re
import struct
import sys
import tempfile

TESTS = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..')
sys.path.append(os.path.join(TESTS, 'manager'))
sys.path.append(os.path.join(TESTS, 'device'))

# pylint: disable=wrong-import-position
import harness
from harness import Refused, wait_for

INJECT = os.environ.get('VGPU_INJECT', '')
LONG = os.environ.get('VGPU_LONG') == '1'
FAIL, KILL, CUT, END = 1, 2, 3, 4
NEVER = 0xffffffff
# What an operation may end with when a call in it is struck.
ENDS = (Refused, EOFError, ConnectionError, BrokenPipeError)


class Injector:
    """The struct control of inject.c, in one program."""

    LAYOUT = struct.Struct('<IIIIIIII32s')

    def __init__(self, folder):
        fd, self.path = tempfile.mkstemp(dir=folder, prefix='fault.')
        os.ftruncate(fd, 4096)
        self.map = mmap.mmap(fd, 4096)
        os.close(fd)

    def environment(self):
        return {'LD_PRELOAD': INJECT, 'VGPU_FAULT_FILE': self.path}

    def wrapper(self, program):
        """A script that runs a program with this injector."""
        return (f'#!/bin/sh\nLD_PRELOAD={INJECT} VGPU_FAULT_FILE={self.path} '
                f'exec {program} "$@"\n')

    def arm(self, name, n, action=FAIL, error=errno.ENOMEM, times=1):
        self.map[4:self.LAYOUT.size] = self.LAYOUT.pack(
            0, n, times, action, error, 0, 0, 0, name.encode())[4:]
        self.map[:4] = b'\1\0\0\0'

    def disarm(self):
        """How many calls there were, and how many of them were struck."""
        self.map[:4] = bytes(4)
        fields = self.LAYOUT.unpack(self.map[:self.LAYOUT.size])
        return fields[5], fields[6]


def points(total, most):
    """Which of so many calls to strike: all, or so many spread evenly."""
    if total <= most:
        return list(range(1, total + 1))
    return sorted({1 + i * (total - 1) // (most - 1) for i in range(most)})


def processes_with(text):
    """Live processes in whose environment a text is."""
    found = []
    for pid in filter(str.isdigit, os.listdir('/proc')):
        try:
            with open(f'/proc/{pid}/environ', 'rb') as file:
                if text.encode() in file.read() and harness.is_alive(pid):
                    found.append(int(pid))
        except (FileNotFoundError, ProcessLookupError, PermissionError):
            pass
    return found


class Faulty(harness.Manager):
    """A vgpud, and devices, that can be struck."""

    def __init__(self, **options):
        super().__init__(**options)
        self.injector = Injector(self.folder)
        self.device = Injector(self.folder)
        self.helper('vgpu-device', self.device.wrapper(
            os.path.join(harness.BUILD, 'vgpu-device')))

    def spawn(self, **options):
        environment = dict(os.environ, VGPU_LIBEXECDIR=self.helpers,
                           **self.injector.environment())
        environment.pop('NOTIFY_SOCKET', None)
        with open(self.log_path, 'ab') as log:
            return harness.subprocess.Popen(
                self.arguments(), stderr=log, stdin=harness.subprocess.DEVNULL,
                env=environment, **options)

    def devices(self):
        return processes_with(self.device.path)

    def is_up(self):
        return self.process.poll() is None


class FaultTest(harness.ManagerTest):
    """A test with a vgpud that can be struck, and what must hold of it."""

    def faulty(self, mib=256):
        m = Faulty(mib=mib)
        self.addCleanup(m.finish)
        m.start()
        return m

    def destroy_all(self, m):
        """Every vGPU can be destroyed, whatever happened to it."""
        def is_gone():
            for vgpu in m.call('ListVgpus')['vgpus']:
                try:
                    m.call('Destroy', vgpu=vgpu['uuid'], force=True)
                except Refused as refused:
                    if refused.error not in ('TryAgain', 'NoSuchVgpu'):
                        raise
            return not m.call('ListVgpus')['vgpus']
        wait_for(is_gone, 'the end of every vGPU')

    def rest(self, m):
        """The resources of a vgpud that has no vGPU."""
        self.destroy_all(m)
        files, fds = harness.wait_for_rest(m)
        wait_for(lambda: not m.devices(), 'the end of every device process')
        return files, fds, m.gpu()['freeMib']

    def assert_rests(self, m, before, what):
        self.assertTrue(m.is_up(), f'{what}: {m.log()[-2000:]}')
        after = self.rest(m)
        if after == before:
            return
        # A struck call may have left work for later, not something for ever.
        try:
            wait_for(lambda: self.rest(m) == before, what)
        except AssertionError:
            self.assertEqual(self.rest(m), before, what)

    def log_is_sane(self, m):
        self.assertIsNone(re.search('Assertion|runtime error|Sanitizer',
                                    m.log()), m.log()[-2000:])
