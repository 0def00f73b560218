# SPDX-License-Identifier: GPL-2.0-or-later
"""A vgpu-device that misbehaves: `fake_device.py HOW --control-fd N`."""

import array
import json
import os
import signal
import socket
import struct
import sys
import time

SIZE = 264
FD, FD_DROP, START, STATUS, EVENT, CAPTURE, VIEW, SET_MODE, REPLY = range(1, 10)
PING = 11
FRONTEND, SEGMENT = 4, 1024


class Control:
    def __init__(self, fd):
        self.socket = socket.socket(fileno=fd)

    def send(self, kind, body=b'', serial=0, fds=()):
        message = struct.pack('<II', kind, serial) + body
        self.raw(message.ljust(SIZE, b'\0'), fds)

    def raw(self, data, fds=()):
        control = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array('i', fds))] if fds else []
        self.socket.sendmsg([data], control)

    def receive(self):
        data, control, _, _ = self.socket.recvmsg(SIZE, 256)
        fds = array.array('i')
        for _, kind, content in control:
            if kind == socket.SCM_RIGHTS:
                fds.frombytes(content)
        if not data:
            sys.exit(0)
        kind, serial = struct.unpack_from('<II', data)
        return kind, serial, data[8:], list(fds)

    def begin(self):
        """The slots of what was given."""
        slots = []
        while True:
            kind, _, body, _ = self.receive()
            if kind == START:
                return slots
            slots.append(struct.unpack_from('<I', body)[0])

    def rest(self):
        """Do nothing, and not look frozen."""
        serve_on(self, lambda *_: None)

    def status(self, link=0, heads=()):
        body = struct.pack('<IiIIQQQ', link, 1, len(heads), 0, 2**64 - 1,
                           2**64 - 1, 2**64 - 1)
        for width, height in heads:
            body += struct.pack('<HHHH', width, height, 640, 480)
        self.send(STATUS, body)


def serve(control, answer):
    """Answer every request by ANSWER(kind, serial, body)."""
    control.begin()
    control.status()
    serve_on(control, answer)


def serve_on(control, answer):
    while True:
        kind, serial, body, _ = control.receive()
        if kind == PING:
            control.send(REPLY, serial=serial)
        else:
            answer(kind, serial, body)


def memfd(size, seals=True):
    fd = os.memfd_create('frame', os.MFD_CLOEXEC |
                         (os.MFD_ALLOW_SEALING if seals else 0))
    os.truncate(fd, size)
    return fd


def frame(width, height, stride, status=0, text=b''):
    return struct.pack('<iIIIII', status, 0, width, height, stride, 0) + text


def slow_to_close(seconds):
    """A connection with unsent data that the peer does not read: its last
    close blocks for that long. Returns it, and what must stay open meanwhile.
    """
    server = socket.create_server(('127.0.0.1', 0))
    slow = socket.create_connection(server.getsockname())
    taker, _ = server.accept()
    slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                    struct.pack('ii', 1, seconds))
    slow.setblocking(False)
    try:
        while True:
            slow.send(bytes(65536))
    except BlockingIOError:
        return slow, taker


def run(how, control):
    null = os.open('/dev/null', os.O_RDWR)
    if how == 'silent':
        time.sleep(1000)
    elif how == 'early':
        control.send(FD, struct.pack('<I', FRONTEND), fds=[null])
        time.sleep(1000)
    elif how == 'notes':
        slots = control.begin()
        with open(os.environ['VGPU_FAKE_NOTES'], 'a', encoding='utf-8') as file:
            print(json.dumps(slots), file=file)
        control.status()
        control.rest()
    elif how == 'deaf':
        # Serves, then answers nothing and ignores SIGTERM.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        serve(control, lambda *_: None)
    elif how == 'frozen':
        control.begin()
        control.status()
        time.sleep(1000)
    elif how == 'closes':
        control.begin()
        control.status()
        control.socket.close()
        time.sleep(1000)
    elif how == 'slow-closes':
        control.begin()
        control.status()
        kept = []
        for _ in range(2):
            slow, taker = slow_to_close(1000)
            kept.append(taker)
            control.send(FD, struct.pack('<I', FRONTEND), fds=[slow.fileno()])
            slow.close()
        control.send(FD_DROP, struct.pack('<I', FRONTEND))
        control.send(EVENT, struct.pack('<II', 1, 0) + b'dropped')
        control.rest()
    elif how == 'counts':
        # More than an integer of varlink's holds.
        control.begin()
        control.status()
        while True:
            kind, serial, _, _ = control.receive()
            if kind == PING:
                control.send(REPLY, struct.pack('<iIII', 0, 0, 1, 2**32 - 1) +
                             b'\xff' * 212, serial)
    elif how == 'lacks':
        control.begin()
        control.status()
        control.send(EVENT, struct.pack('<II', 4, 0) + b'it lacks\x1b layers')
        control.rest()
    elif how == 'flood':
        control.begin()
        control.status()
        heads = 0
        while True:
            heads += 1
            control.status(heads & 1, [(heads % 1000, 480)] * 16)
            control.send(EVENT, struct.pack('<II', 1, 2**32 - 1) +
                         b'\x1b[31m\xff\n fault' + b'x' * 180)
    elif how in ('bad-frames', 'bad-modes'):
        answers = iter([
            (frame(640, 480, 2560), []),
            (frame(640, 480, 2560), [memfd(640 * 480 * 4 - 1)]),
            (frame(640, 480, 2559), [memfd(640 * 480 * 4)]),
            (frame(0, 480, 2560), [memfd(640 * 480 * 4)]),
            (frame(2**32 - 1, 2**32 - 1, 2**32 - 4), [memfd(4096)]),
            (frame(640, 480, 2560), [null]),
            (frame(640, 480, 2560), [memfd(640 * 480 * 4, seals=False)]),
            (frame(0, 0, 0, -2**31, b'\x1b\xff' * 100), []),
        ])

        def answer(kind, serial, _):
            # One answer too many, for a serial that nobody waits for.
            control.send(REPLY, frame(1, 1, 4), serial + 99, [null])
            body, fds = next(answers)
            control.send(REPLY, body, serial, fds)
        serve(control, answer)
    elif how == 'later':
        control.begin()
        control.send(99, fds=[null])
        control.status(heads=[(640, 480)])
        control.send(98)
        control.rest()
    else:
        control.begin()
        control.status()
        bad = {
            'type0': lambda: control.send(0),
            'start': lambda: control.send(START),
            'slot': lambda: control.send(FD, struct.pack('<I', 2**31),
                                         fds=[null]),
            'gap': lambda: control.send(FD, struct.pack('<I', 1000),
                                        fds=[null]),
            'given': lambda: control.send(FD, struct.pack('<I', 1),
                                          fds=[null]),
            'segment': lambda: control.send(FD, struct.pack('<I', SEGMENT),
                                            fds=[null]),
            'drop-given': lambda: control.send(FD_DROP,
                                               struct.pack('<I', SEGMENT)),
            'no-fd': lambda: control.send(FD, struct.pack('<I', FRONTEND)),
            'two-fds': lambda: control.send(FD, struct.pack('<I', FRONTEND),
                                            fds=[null, null]),
            'fd-too-much': lambda: control.send(STATUS, fds=[null]),
            'short': lambda: control.raw(b'x'),
            'long': lambda: control.raw(b'\1' * 4096),
        }
        bad[how]()
        time.sleep(1000)


if __name__ == '__main__':
    assert sys.argv[2] == '--control-fd', sys.argv
    try:
        run(sys.argv[1], Control(int(sys.argv[3])))
    except (BrokenPipeError, ConnectionResetError):
        pass
