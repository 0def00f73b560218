# SPDX-License-Identifier: GPL-2.0-or-later
"""A machine at a vGPU of vgpud's, whose guest speaks venus (as venus.Guest)."""

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
        self.next_resource, self.next_offset, self.fence = 1, 0, 0
        self.thread = threading.Thread(target=self.serve_window, daemon=True)
        self.thread.start()
        self.expect(window.OK, window.header(window.CTX_CREATE, 1) +
                    struct.pack('<II64s', 0, venus.vt.VENUS, b''))
        self.resource, self.memory = self.share(1 << 20)
        self.reply = self.share(65536)

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
        offset, self.next_offset = self.next_offset, self.next_offset + size
        self.expect(window.OK_MAP_INFO, window.map_blob(resource, offset))
        file, at = self.mapped[offset]
        return mmap.mmap(file, size, offset=at)

    def begin_blob(self, kind, number, size):
        resource, self.next_resource = self.next_resource, self.next_resource + 1
        self.expect(window.OK, window.header(window.CREATE_BLOB, 1) +
                    struct.pack('<IIIIQQ', resource, kind, 1, 0, number, size))
        return resource

    def share(self, size):
        resource = self.begin_blob(2, 0, size)
        self.expect(window.OK, window.header(window.ATTACH, 1) +
                    struct.pack('<II', resource, 0))
        return resource, self.map(resource, size)

    def map_memory(self, size):
        return self.map(self.begin_blob(2, venus.MEMORY, size), size)

    def send(self, *commands):
        data = b''.join(commands)
        self.memory[:len(data)] = data
        data = venus.execute((self.resource, 0, len(data)))
        self.fence += 1
        self.queue.submit(struct.pack('<IIQIBxxxII', window.SUBMIT,
                                      FENCE | RING_IDX, self.fence, 1, 0,
                                      len(data), 0) + data, 64)

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
