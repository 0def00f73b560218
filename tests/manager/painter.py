# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that shows plain colours on a head of its vGPU."""

import os
import struct
import sys

from harness import HERE

sys.path.insert(0, os.path.join(HERE, '../device'))
import frontend as fe  # pylint: disable=wrong-import-position

CREATE_2D, SET_SCANOUT, FLUSH, TRANSFER, ATTACH = 0x101, 0x103, 0x104, 0x105, 0x106
OK = 0x1100
HEADER = struct.pack('<QIII', 0, 0, 0, 0)
X8R8G8B8 = 2
PIXELS = 0x800000  # in guest memory


class Painter:
    def __init__(self, path, width, height, head=0):
        self.front = fe.FrontEnd(path)
        self.queue = self.front.bring_up()[0]
        self.rect = struct.pack('<4I', 0, 0, width, height)
        self.pixels = width * height
        self.ask(CREATE_2D, struct.pack('<4I', 1, X8R8G8B8, width, height))
        self.ask(ATTACH, struct.pack('<IIQII', 1, 1, PIXELS, 4 * self.pixels, 0))
        self.ask(SET_SCANOUT, self.rect + struct.pack('<II', head, 1))

    def ask(self, kind, body):
        self.queue.submit(struct.pack('<I', kind) + HEADER + body, 64)
        answer = struct.unpack_from('<I', self.queue.wait()[1])[0]
        assert answer == OK, hex(answer)

    def paint(self, color):
        self.write(struct.pack('<I', color) * self.pixels)
        self.show()

    def write(self, pixels):
        self.front.memory.write(PIXELS, pixels)

    def show(self):
        self.ask(TRANSFER, self.rect + struct.pack('<QII', 0, 1, 0))
        self.ask(FLUSH, self.rect + struct.pack('<II', 1, 0))

    def close(self):
        self.front.close()
