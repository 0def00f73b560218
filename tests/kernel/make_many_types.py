#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""make_many_types.py FOLDER: files of as many vGPU types as there may be (64.bin),
and of one more (65.bin), of which the tool's own says that it may not be made."""

import os
import sys

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '../..'))
sys.path.insert(0, os.path.join(TOP, 'kernel/mgr'))

import make_types  # noqa: E402

FIRST = 2000
MAX = 64
# The first of 1 GiB, the last of 8.
GIB = [1, 2, 3, 4, 6, 8, 12, 16, 24, 48] * 6 + [1, 2, 4, 8, 16]
BOARD = """
[board]
name = "NVIDIA L40S"
vendor = 0x10de
device = 0x26b9
gib = 48
firmware = "570.144"
"""
SERIES = """
[[series]]
series = "Q"
class = "Quadro"
heads = 4
max_width = 7680
max_height = 4320
frame_rate_limit = 60
cuda = true
"""


def text(count):
    return (BOARD + SERIES + f'gib = {GIB[:count]}\n'
            f'ids = {list(range(FIRST, FIRST + count))}\n')


def too_many():
    tables = make_types.tomllib.loads(text(MAX + 1))
    board, kind = tables['board'], tables['series'][0]
    infos = [make_types.describe(board, kind, gib, number)
             for gib, number in zip(kind['gib'], kind['ids'])]
    return make_types.pack(board, infos, make_types.told(infos[:MAX]))


def main():
    try:
        make_types.make(text(MAX + 1))
    except ValueError as error:
        assert str(error) == '65 types, 64 are the most', error
    else:
        sys.exit('make_types.py makes 65 types')
    for count, made in ((MAX, make_types.make(text(MAX))), (MAX + 1, too_many())):
        with open(os.path.join(sys.argv[1], f'{count}.bin'), 'wb') as out:
            out.write(made)


if __name__ == '__main__':
    main()
