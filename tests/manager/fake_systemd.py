# SPDX-License-Identifier: GPL-2.0-or-later
"""What systemd does for vgpud: its fd store, and starting it again with it."""

import array
import ctypes
import os
import shutil
import socket
import sys
import threading

from harness import TIMEOUT, Manager

KCMP = {'x86_64': 312, 'aarch64': 272}[os.uname().machine]
libc = ctypes.CDLL(None)


def is_same_file(a, b):
    pid = os.getpid()
    return libc.syscall(KCMP, pid, pid, 0, a, b) == 0


class FdStore:
    """The notify socket, and the fds that came through it by name."""

    def __init__(self, path, size):
        self.size = size
        self.kept = []  # (name, fd), as systemd has them: the last one first
        self.problems = []
        self.pings = 0
        self.is_ready = False
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(path)
        self.path = path
        self.read = threading.Event()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        while True:
            data, control, flags, _ = self.socket.recvmsg(
                65536, socket.CMSG_SPACE(1024))
            fds = array.array('i')
            for _, kind, content in control:
                if kind == socket.SCM_RIGHTS:
                    fds.frombytes(content)
            if flags & socket.MSG_CTRUNC:
                self.problems.append('fds were cut off')
            if data == b'END':
                return
            if data == b'SYNC':
                self.read.set()
            else:
                self.handle(dict(line.split('=', 1) for line
                                 in data.decode().splitlines()), list(fds))

    def handle(self, words, fds):
        self.is_ready |= words.get('READY') == '1'
        if words.get('WATCHDOG') == '1':
            self.pings += 1
            if not self.is_ready:
                self.problems.append('its watchdog runs before it is ready')
        if words.get('FDSTORE') == '1':
            if words.get('FDPOLL') != '0':
                self.problems.append('systemd would poll it')
            for fd in fds:
                self.keep(words['FDNAME'], fd)
            return
        if words.get('FDSTOREREMOVE') == '1':
            gone = [(n, fd) for n, fd in self.kept if n == words['FDNAME']]
            if not gone:
                self.problems.append(f'{words["FDNAME"]} is not kept')
            self.kept = [k for k in self.kept if k not in gone]
            for _, fd in gone:
                os.close(fd)
        for fd in fds:
            os.close(fd)

    def keep(self, name, fd):
        if len(self.kept) >= self.size:
            self.problems.append('too many fds')
            os.close(fd)
        elif any(is_same_file(fd, other) for _, other in self.kept):
            # This is what systemd does, without a word to the service.
            self.problems.append(f'{name} is kept already')
            os.close(fd)
        else:
            self.kept.insert(0, (name, fd))

    def settle(self):
        """All that was sent so far is done."""
        self.read.clear()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b'SYNC', self.path)
        assert self.read.wait(TIMEOUT)

    def names(self):
        self.settle()
        return sorted(name for name, _ in self.kept)

    def close(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as own:
            own.sendto(b'END', self.path)
        self.thread.join(TIMEOUT)
        self.socket.close()
        for _, fd in self.kept:
            os.close(fd)
        self.kept = []


class ServiceManager(Manager):
    """A vgpud that is started as by systemd, with an fd store."""

    def __init__(self, store_size=4096, **options):
        super().__init__(**options)
        self.owned = False  # the socket stays until the store is closed
        self.notify = os.path.join(self.folder, 'notify')
        self.store = FdStore(self.notify, store_size)

    def arguments(self):
        return [sys.executable, os.path.abspath(__file__)] + \
            super().arguments()

    def spawn(self, **options):
        self.store.settle()
        self.store.is_ready = False
        kept = list(self.store.kept)
        fds = [fd for _, fd in kept]
        os.environ['FDSTORE'] = str(self.store.size)
        os.environ['WATCHDOG_USEC'] = '1000000'
        os.environ['VGPU_TEST_FDS'] = ' '.join(map(str, fds))
        os.environ['LISTEN_FDNAMES'] = ':'.join(name for name, _ in kept)
        try:
            return super().spawn(pass_fds=fds, **options)
        finally:
            for name in ('FDSTORE', 'WATCHDOG_USEC', 'VGPU_TEST_FDS',
                         'LISTEN_FDNAMES'):
                del os.environ[name]

    def finish(self):
        try:
            super().finish()
            self.store.settle()
            if self.store.problems:
                raise AssertionError(self.store.problems)
        finally:
            self.store.close()
            shutil.rmtree(self.folder, ignore_errors=True)


def become(arguments):
    """Be the service: its fds from 3 on, and how many there are."""
    fds = [int(fd) for fd in os.environ.pop('VGPU_TEST_FDS').split()]
    high = [os.dup2(fd, 10000 + i) for i, fd in enumerate(fds)]
    for fd in fds:
        os.close(fd)
    for i, fd in enumerate(high):
        os.dup2(fd, 3 + i)
        os.close(fd)
    os.closerange(3 + len(fds), 1000)
    os.environ['WATCHDOG_PID'] = str(os.getpid())
    if fds:
        os.environ['LISTEN_FDS'] = str(len(fds))
        os.environ['LISTEN_PID'] = str(os.getpid())
    os.execv(arguments[0], arguments)


if __name__ == '__main__':
    become(sys.argv[1:])
