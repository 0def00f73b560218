# SPDX-License-Identifier: GPL-2.0-or-later
"""A vgpu-vnc whose address tells it how to behave; it records what it gets."""

import argparse
import array
import os
import socket
import struct
import sys
import time

parser = argparse.ArgumentParser()
parser.add_argument('--control-fd', type=int)
parser.add_argument('--listen')
parser.add_argument('--name')
parser.add_argument('--view-only', action='store_true')
parser.add_argument('--with-password', action='store_true')
options = parser.parse_args()
path = options.listen.removeprefix('unix:')
control = socket.socket(fileno=options.control_fd)


# Beside the runtime folder, in which nothing may be left.
log = os.path.join(os.path.dirname(os.path.dirname(path)),
                   os.path.basename(path) + '.log')


def note(text):
    with open(log, 'a', encoding='utf-8') as f:
        f.write(text + '\n')


note(f'start {os.getpid()} {options.name}')
if options.view_only:
    note('view only')
if options.with_password:
    note('password ' + control.recv(64).decode())
if 'refuse' in path:
    control.send(b'Eaddress in use\x1b[0m')
    sys.exit(1)
if 'crash' in path:
    # At once: vgpud kills one that closed its socket and does not end.
    os._exit(3)
if 'silent' in path:
    time.sleep(1000)
control.send(b'R')
viewers = []
while True:
    data, messages, _, _ = control.recvmsg(64, 64)
    if not data:
        note('end')
        sys.exit(0)
    if data == b'P':
        if 'frozen' not in path:
            control.send(b'P3' if 'watched' in path else b'P99' if 'liar' in path else b'P')
        continue
    fds = array.array('i')
    for _, kind, content in messages:
        if kind == socket.SCM_RIGHTS:
            fds.frombytes(content)
    viewer = socket.socket(fileno=fds[0])
    viewers.append(viewer)
    if 'injects' in path:
        # KEY: a. Who may not is cut off; who may has a picture, and no more comes.
        viewer.send(struct.pack('<IIIIii', 6, 30, 1, 0, 0, 0))
        viewer.settimeout(2)
        try:
            while viewer.recv(24):
                pass
            note('cut off')
        except TimeoutError:
            note('heard')
        control.send(b'F')
        continue
    # viewer_abi.h: FRAME, with the pixels.
    frame, messages, _, _ = viewer.recvmsg(24, 64)
    kind, width, height = struct.unpack_from('<III', frame)
    note(f'{data.decode()} {kind} {width}x{height} {len(messages)}')
    if len(viewers) == 1:
        control.send(b'F')
