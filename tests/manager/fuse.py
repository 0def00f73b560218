# SPDX-License-Identifier: GPL-2.0-or-later
"""Folders whose files are implemented by a test, like sysfs, by speaking FUSE.
Regular files cannot refuse a write with an errno, act on it before it returns,
or wake a process that polls; these files do all three."""

import ctypes
import errno
import os
import select
import stat
import struct
import tempfile
import threading
import unittest

LOOKUP, FORGET, GETATTR, SETATTR, READLINK = 1, 2, 3, 4, 5
OPEN, READ, WRITE, STATFS, RELEASE = 14, 15, 16, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR = 25, 26, 27, 28, 29
ACCESS, INTERRUPT, POLL, BATCH_FORGET = 34, 36, 40, 42
DIRECT_IO = 1
POLL_SCHEDULE = 1
NOTIFY_POLL = 1
MNT_DETACH = 2
LIBC = ctypes.CDLL(None, use_errno=True)


class Attribute:
    """A file: its contents, and the effect of a write."""

    def __init__(self, read=None, write=None):
        self.read = read
        self.write = write
        self.changes = 0  # as far as who polls is told


class Handle:
    def __init__(self, path):
        self.path = path
        self.seen = 0
        self.kernel = None  # its name for one that is polled


def mount(source, target, kind, flags, options):
    if LIBC.mount(source.encode(), target.encode(), kind.encode(), flags,
                  options.encode()) != 0:
        raise OSError(ctypes.get_errno(), f'mount {kind}')


def open_fuse(folder):
    """/dev/fuse, or one like it where /dev has none."""
    try:
        return os.open('/dev/fuse', os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        pass
    mount('none', folder, 'tmpfs', 0, 'size=64k')
    path = os.path.join(folder, 'fuse')
    try:
        os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(10, 229))
        return os.open(path, os.O_RDWR | os.O_CLOEXEC)
    finally:
        LIBC.umount2(folder.encode(), MNT_DETACH)


class Files:
    """Paths, without a leading slash: Attributes, links (str), folders (None).

    The lock is held while an Attribute is read or written.
    """

    def __init__(self):
        self.lock = threading.RLock()
        self.nodes = {'': None}
        self.ids = {'': 1}
        self.paths = {1: ''}
        self.handles = {}
        self.next_handle = 1
        self.woken = 0  # who polled
        self.folder = tempfile.mkdtemp(prefix='sysfs.')
        try:
            self.fd = open_fuse(self.folder)
            mount('sysfs', self.folder, 'fuse', 0,
                  f'fd={self.fd},rootmode=40000,user_id=0,group_id=0')
        except OSError as error:
            os.rmdir(self.folder)
            raise unittest.SkipTest(f'no FUSE here: {error}') from error
        self.wake, self.sleep = os.pipe()
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def finish(self):
        LIBC.umount2(self.folder.encode(), MNT_DETACH)
        os.close(self.sleep)
        self.thread.join()
        os.close(self.wake)
        os.close(self.fd)
        os.rmdir(self.folder)

    def add(self, path, node):
        """Add a node, and the folders that it is in."""
        with self.lock:
            self.nodes[path] = node
            parent = path
            while parent:
                parent = parent.rpartition('/')[0]
                self.nodes.setdefault(parent, None)

    def remove(self, path):
        """Remove a node and all that is in it; none is fine."""
        with self.lock:
            for p in list(self.nodes):
                if p == path or p.startswith(path + '/'):
                    del self.nodes[p]

    def notify(self, path):
        """Wake processes that poll the file PATH."""
        with self.lock:
            node = self.nodes.get(path)
            if node is None:
                return
            node.changes += 1
            for handle in self.handles.values():
                if handle.path == path and handle.kernel is not None:
                    os.write(self.fd, struct.pack('<IiQQ', 24, NOTIFY_POLL, 0,
                                                  handle.kernel))
                    handle.kernel = None
                    self.woken += 1

    def serve(self):
        while True:
            ready, _, _ = select.select([self.fd, self.wake], [], [])
            if self.wake in ready:
                return
            try:
                request = os.read(self.fd, 1 << 20)
            except OSError:  # unmounted
                return
            _, opcode, unique, node = struct.unpack_from('<IIQQ', request)
            if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
                continue
            try:
                with self.lock:
                    answer = self.answer(opcode, node, request[40:])
                error = 0
            except OSError as e:
                answer, error = b'', -e.errno
            try:
                os.write(self.fd, struct.pack('<IiQ', 16 + len(answer), error,
                                              unique) + answer)
            except OSError:  # who asked was killed
                pass

    def number(self, path):
        if path not in self.ids:
            self.ids[path] = len(self.ids) + 1
            self.paths[self.ids[path]] = path
        return self.ids[path]

    def node(self, path):
        if path not in self.nodes:
            raise OSError(errno.ENOENT, path)
        return self.nodes[path]

    def attributes(self, path):
        node = self.node(path)
        if node is None:
            mode = stat.S_IFDIR | 0o755
        elif isinstance(node, str):
            mode = stat.S_IFLNK | 0o777
        else:
            mode = (stat.S_IFREG | (0o444 if node.read else 0) |
                    (0o200 if node.write else 0))
        return struct.pack('<6Q10I', self.number(path), 4096, 8, 0, 0, 0, 0,
                           0, 0, mode, 1, 0, 0, 0, 4096, 0)

    def names(self, path):
        prefix = path + '/' if path else ''
        return sorted(p[len(prefix):] for p in self.nodes
                      if p and p.startswith(prefix) and
                      '/' not in p[len(prefix):])

    def answer(self, opcode, number, body):
        if opcode == INIT:
            major, minor = struct.unpack_from('<II', body)
            return struct.pack('<IIIIHHIIHHI7I', major, min(minor, 31), 0, 0,
                               0, 0, 65536, 1, 16, 0, 0, *([0] * 7))
        path = self.paths[number]
        if opcode == LOOKUP:
            name = body.partition(b'\0')[0].decode()
            child = f'{path}/{name}' if path else name
            attributes = self.attributes(child)
            return struct.pack('<4Q2I', self.number(child), 0, 0, 0, 0,
                               0) + attributes
        if opcode in (GETATTR, SETATTR):
            return struct.pack('<QII', 0, 0, 0) + self.attributes(path)
        if opcode == READLINK:
            return self.node(path).encode()
        if opcode in (OPEN, OPENDIR):
            return self.open(path)
        if opcode in (READ, READDIR, WRITE, POLL, RELEASE, RELEASEDIR):
            return self.use(opcode, body)
        if opcode in (ACCESS, FLUSH):
            return b''
        if opcode == STATFS:
            return struct.pack('<5Q4I24x', 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
        raise OSError(errno.ENOSYS, 'opcode')

    def open(self, path):
        self.node(path)
        handle = self.next_handle
        self.next_handle += 1
        self.handles[handle] = Handle(path)
        return struct.pack('<QII', handle, DIRECT_IO, 0)

    def use(self, opcode, body):
        number, offset, size = struct.unpack_from('<QQI', body)
        handle = self.handles[number]
        if opcode in (RELEASE, RELEASEDIR):
            del self.handles[number]
            return b''
        if handle.path not in self.nodes:
            raise OSError(errno.ENODEV, handle.path)
        node = self.nodes[handle.path]
        if opcode == READDIR:
            return self.list(handle.path, offset, size)
        if opcode == READ:
            if not node.read:
                raise OSError(errno.EACCES, handle.path)
            handle.seen = node.changes
            return (str(node.read()) + '\n').encode()[offset:offset + size]
        if opcode == WRITE:
            if not node.write:
                raise OSError(errno.EACCES, handle.path)
            node.write(body[40:40 + size].decode().strip())
            return struct.pack('<II', size, 0)
        kernel, flags = struct.unpack_from('<QI', body, 8)
        events = select.POLLIN | select.POLLOUT
        if handle.seen != node.changes:
            events |= select.POLLPRI | select.POLLERR
        elif flags & POLL_SCHEDULE:
            handle.kernel = kernel
        return struct.pack('<II', events, 0)

    def list(self, path, offset, size):
        listing = b''
        for i, name in enumerate(self.names(path)):
            if i < offset:
                continue
            text = name.encode()
            entry = struct.pack('<QQII', 1, i + 1, len(text), 0) + text
            entry += bytes(-len(entry) % 8)
            if len(listing) + len(entry) > size:
                break
            listing += entry
        return listing
