# SPDX-License-Identifier: GPL-2.0-or-later
"""Copies by the host, of more bytes than the guest has sent or asked for."""

import unittest

import venus
from venus import DEVICE, NULL, u64, words

IMAGE, MEMORY = 60, 61
GENERAL = 1
COLOR, DEPTH = 1, 2
RAW = 1  # VK_HOST_IMAGE_COPY_MEMCPY_BIT
SIZE = 16
LAYERS = 2
BYTES = SIZE * SIZE * 4 * LAYERS
MOST = 2 ** 32 - 1
# Where memcpy() would go far beyond what is mapped.
FAR = 2 ** 20

MORE = "a copy by the host of more bytes than there are"
NONE = "a copy by the host that cannot be"


def create_image():
    return venus.command(
        54, u64(DEVICE),
        venus.info(14, words(0, 1, 37, SIZE, SIZE, 1, 1, LAYERS, 1, 0, 1 << 22 | 1,
                             0, 0), NULL, words(0)),
        NULL, venus.new(IMAGE))


def bind_image():
    return venus.command(29, u64(DEVICE), u64(IMAGE), u64(MEMORY), u64(0))


def place(row=0, height=0, aspect=COLOR, base=0, layers=LAYERS,
          extent=(SIZE, SIZE, 1)):
    return words(row, height, aspect, 0, base, layers, 0, 0, 0, *extent)


def to_image(size=BYTES, flags=0, **where):
    region = (words(1000384009) + NULL + u64(size) + u64(size) +
              bytes(size + -size % 4) + place(**where))
    return venus.command(298, u64(DEVICE),
                         venus.info(1000384010, words(flags), u64(IMAGE),
                                    words(GENERAL, 1), venus.array(region)),
                         reply=True)


def from_image(size=BYTES, flags=0, **where):
    return venus.command(297, u64(DEVICE),
                         venus.info(1000384008, words(flags), u64(IMAGE),
                                    words(GENERAL), place(**where)),
                         u64(size), u64(size), reply=True)


class Copies(venus.Test):
    def begin_with_image(self):
        return self.begin(venus.UP_TO_QUEUE, create_image(),
                          venus.allocate(MEMORY, 1 << 20), bind_image())

    def test_what_fits(self):
        guest = self.begin_with_image()
        for copy in (to_image, from_image):
            for where in ({}, {"row": SIZE, "height": SIZE}, {"layers": MOST},
                          {"size": BYTES + 4}, {"base": 1, "layers": 1}):
                with self.subTest(copy.__name__, **where):
                    self.assertEqual(guest.result(copy(**where)), 0)

    def test_what_does_not(self):
        for copy in (to_image, from_image):
            for where, why in (
                    ({"size": BYTES - 1}, MORE), ({"size": 4}, MORE),
                    ({"row": SIZE + 1}, MORE), ({"row": FAR}, MORE),
                    ({"height": SIZE + 1}, MORE), ({"height": FAR}, MORE),
                    ({"extent": (SIZE, SIZE, FAR)}, MORE),
                    ({"size": BYTES // 2, "layers": MOST}, MORE),
                    ({"flags": RAW, "size": 4}, MORE),
                    ({"flags": RAW, "size": BYTES // 2}, MORE),
                    ({"layers": LAYERS + 1}, NONE), ({"layers": 0}, NONE),
                    ({"base": LAYERS, "layers": 1}, NONE),
                    ({"base": MOST, "layers": MOST}, NONE),
                    ({"flags": RAW, "base": 1}, NONE),
                    ({"aspect": DEPTH}, NONE), ({"aspect": COLOR | DEPTH}, NONE),
                    ({"extent": (0, 1, 1)}, NONE), ({"extent": (1, 0, 1)}, NONE),
                    ({"extent": (1, 1, 0)}, NONE),
                    ({"extent": (MOST, MOST, MOST)}, NONE)):
                with self.subTest(copy.__name__, **where):
                    guest = self.begin_with_image()
                    reply = guest.share(65536)
                    guest.run(venus.set_reply(reply[0], 65536))
                    self.ends(copy(**where), why=why, guest=guest)


if __name__ == "__main__":
    unittest.main()
