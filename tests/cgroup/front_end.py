# SPDX-License-Identifier: GPL-2.0-or-later
"""A VM's front end at a vGPU: `front_end.py SOCKET FILE` counts answers in FILE."""

import os
import struct
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '../device'))

# pylint: disable=wrong-import-position
import frontend

GET_DISPLAY_INFO, OK_DISPLAY_INFO = 0x100, 0x1101


def main(path, counter):
    front = frontend.FrontEnd(path)
    queue = front.bring_up()[0]
    answers = 0
    while True:
        queue.submit(struct.pack('<IIQII', GET_DISPLAY_INFO, 0, 0, 0, 0), 408)
        assert struct.unpack_from('<I', queue.wait()[1])[0] == OK_DISPLAY_INFO
        answers += 1
        with open(counter + '.new', 'w', encoding='ascii') as file:
            print(answers, file=file)
        os.rename(counter + '.new', counter)
        time.sleep(0.02)


if __name__ == '__main__':
    main(*sys.argv[1:])
