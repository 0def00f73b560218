# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine at a vGPU of vgpud's, whose guest speaks venus (as venus.Guest)."""

import copy
import itertools
import mmap
import os
import struct
import threading

import frontend as fe
import test_window as window
import venus

FENCE, RING_IDX = 1, 2


class Machine:
    """A thread of its own maps what the device wants in the guest's window."""

    def __init__(self, path):
        self.front = fe.FrontEnd(path)
        self.queue = self.front.bring_up(num=256, size=32 << 20)[0]
        self.channel = window.Channel(self.front)
        self.mapped = {}  # offset in the window: (file, offset in it)
        self.resources, self.fences = itertools.count(1), itertools.count(1)
        self.offsets = itertools.count(0, 1 << 20)
        self.thread = threading.Thread(target=self.serve_window, daemon=True)
        self.thread.start()
        self.begin(1)

    def begin(self, context):
        self.context = context
        self.expect(window.OK, window.header(window.CTX_CREATE, context) +
                    struct.pack('<II64s', 0, venus.vt.VENUS, b''))
        self.resource, self.memory = self.share(1 << 20)
        self.reply = self.share(65536)

    def another(self, context):
        """Another program in the same machine, which is closed with it."""
        program = copy.copy(self)
        program.begin(context)
        return program

    def attach(self, resource):
        self.expect(window.OK, window.header(window.ATTACH, self.context) +
                    struct.pack('<II', resource, 0))

    def serve_window(self):
        try:
            while True:
                request, fields, fds = self.channel.take()
                if request == window.SHMEM_MAP:
                    self.mapped[fields[2]] = fds[0], fields[1]
                self.channel.answer(request)
        except (OSError, struct.error):
            pass

    def expect(self, answer, request):
        self.queue.submit(request, 64)
        got, = struct.unpack_from('<I', self.queue.wait()[1])
        assert got == answer, hex(got)

    def map(self, resource, size):
        assert size <= 1 << 20
        offset = next(self.offsets)
        self.expect(window.OK_MAP_INFO, window.map_blob(resource, offset))
        file, at = self.mapped[offset]
        return mmap.mmap(file, size, offset=at)

    def begin_blob(self, kind, number, size):
        resource = next(self.resources)
        self.expect(window.OK, window.header(window.CREATE_BLOB, self.context) +
                    struct.pack('<IIIIQQ', resource, kind, 1, 0, number, size))
        return resource

    def share(self, size):
        resource = self.begin_blob(2, 0, size)
        self.attach(resource)
        return resource, self.map(resource, size)

    def map_memory(self, size):
        return self.map(self.begin_blob(2, venus.MEMORY, size), size)

    def send(self, *commands):
        data = b''.join(commands)
        self.memory[:len(data)] = data
        data = venus.execute((self.resource, 0, len(data)))
        self.queue.submit(struct.pack('<IIQIBxxxII', window.SUBMIT,
                                      FENCE | RING_IDX, next(self.fences),
                                      self.context, 0, len(data), 0) + data, 64)

    def run(self, *commands):
        self.send(*commands)
        got, = struct.unpack_from('<I', self.queue.wait()[1])
        assert got == window.OK, hex(got)

    def ask(self, asked):
        self.run(venus.set_reply(self.reply[0], 65536), asked)
        return self.reply[1][:]

    def close(self):
        self.channel.socket.shutdown(fe.socket.SHUT_RDWR)
        self.thread.join()
        self.front.close()
        for file, _ in self.mapped.values():
            os.close(file)
