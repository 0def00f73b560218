#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What clients of vgpu-vnc type and point at reaches the device, and no more."""
import ctypes
import os
import random
import select
import socket
import struct
import sys
import tempfile
import time
import unittest

from gpu_vnc import ACK, LONG, MSG, RAW, Client, Device, Server, pixels

KEY, POINTER, MODE = 6, 7, 8
EXTENDED_KEYS, DESKTOP_SIZE = -258, -308
SHIFT_L, SHIFT_R, CONTROL_L, ALT_R, LEVEL3, CAPS = (
    0xffe1, 0xffe2, 0xffe3, 0xffea, 0xfe03, 0xffe5)
LEFT_SHIFT, RIGHT_SHIFT, CAPS_LOCK, RIGHT_ALT = 42, 54, 58, 100

# A US keyboard, by the codes of its keys.
US = {2 + i: pair for i, pair in enumerate(zip('1234567890-=', '!@#$%^&*()_+'))}
US |= {16 + i: (c, c.upper()) for i, c in enumerate('qwertyuiop')}
US |= {30 + i: (c, c.upper()) for i, c in enumerate('asdfghjkl')}
US |= {44 + i: (c, c.upper()) for i, c in enumerate('zxcvbnm')}
US |= {26: '[{', 27: ']}', 39: ';:', 40: '\'"', 41: '`~', 43: '\\|', 51: ',<', 52: '.>',
       53: '/?', 57: '  '}


class Guest:
    """Turns keys into text, as a guest with a US layout does."""

    def __init__(self):
        self.down = set()
        self.text = ''
        self.is_capital = False

    def key(self, code, is_down):
        assert (code in self.down) != is_down, f'key {code} twice {is_down}'
        (self.down.add if is_down else self.down.discard)(code)
        if not is_down:
            return
        if code == CAPS_LOCK:
            self.is_capital = not self.is_capital
        elif code in US and RIGHT_ALT not in self.down:
            shift = bool(self.down & {LEFT_SHIFT, RIGHT_SHIFT})
            if self.is_capital and US[code][0].isalpha():
                shift = not shift
            self.text += US[code][shift]


class Seat(Device):
    """The device's end, where input comes in between the acknowledgements."""

    def __init__(self, server):
        super().__init__(server)
        self.guest = Guest()

    def next(self, seconds=LONG):
        """(type, first three fields, x, y) of the next input, or None."""
        end = time.monotonic() + seconds
        while True:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.socket], [], [], left)[0]:
                return None
            kind, a, b, c, x, y = MSG.unpack(self.socket.recv(100))
            if kind == KEY:
                assert b in (0, 1)
                self.guest.key(a, bool(b))
            if kind != ACK:
                return kind, a, b, c, x, y

    def keys(self, n):
        return [self.next()[1:3] for _ in range(n)]

    def drain(self, seconds=0.5):
        got = []
        while (message := self.next(seconds)) is not None:
            got.append(message)
        return got

    def text(self):
        self.drain()
        return self.guest.text


class Hands(Client):
    def key(self, keysym, is_down):
        self.socket.sendall(struct.pack('>BBxxI', 4, is_down, keysym))

    def press(self, keysym):
        self.key(keysym, 1)
        self.key(keysym, 0)

    def point(self, x, y, mask=0):
        self.socket.sendall(struct.pack('>BBHH', 5, mask, x, y))

    def extended(self, number, is_down, keysym=0):
        self.socket.sendall(struct.pack('>BBHII', 255, 0, is_down, keysym, number))

    def size(self, width, height, screens=1):
        self.socket.sendall(struct.pack('>BxHHBx', 251, width, height, screens) +
                            struct.pack('>IHHHHI', 1, 0, 0, width, height, 0) * screens)


class Input(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, 'vnc')
        self.server, self.seat = self.serve()

    def serve(self, *options, password=None):
        server = Server('unix:' + self.path, options=options, password=password)
        self.addCleanup(server.end)
        self.assertEqual(server.answer, b'R')
        seat = Seat(server)
        self.addCleanup(seat.close)
        seat.frame(640, 480, pixels(640, 480, 1))
        seat.damage(640, 480)
        seat.wait_ack()
        return server, seat

    def again(self, *options, **more):
        """Another server in the first one's place."""
        self.server.end()
        self.server, self.seat = self.serve(*options, **more)

    def client(self, **more):
        client = Hands(self.path, **more)
        self.addCleanup(client.close)
        return client

    def test_keys(self):
        client = self.client()
        client.press(ord('a'))
        client.press(0xff0d)  # Return
        for keysym, code in ((0xff51, 105), (0xffbe, 59), (0xffc9, 88), (0xffb5, 76),
                             (CONTROL_L, 29), (0xffeb, 125), (0xff08, 14)):
            client.press(keysym)
            with self.subTest(keysym=keysym):
                self.seat.drain(0.05) if keysym == 0xff51 else None
                if keysym != 0xff51:
                    self.assertEqual(self.seat.keys(2), [(code, 1), (code, 0)])
        self.assertEqual(self.seat.guest.text, 'a')

    def test_all_characters(self):
        text = ''.join(map(chr, range(0x20, 0x7f)))
        client = self.client()
        for c in text:
            client.press(ord(c))
        self.assertEqual(self.seat.text(), text)
        self.assertEqual(self.seat.guest.down, set())

    def test_with_shift_as_a_us_keyboard_has_it(self):
        client = self.client()
        client.key(SHIFT_L, 1)
        for c in 'A!~ ':
            client.press(ord(c))
        client.key(SHIFT_L, 0)
        self.assertEqual(self.seat.text(), 'A!~ ')
        self.assertEqual(self.seat.guest.down, set())

    def test_with_modifiers_of_another_layout(self):
        """A German keyboard: / is Shift 7, @ is AltGr Q, ? is Shift ß."""
        client = self.client()
        for modifier, c in ((SHIFT_R, '/'), (LEVEL3, '@'), (SHIFT_L, '?'), (LEVEL3, '{')):
            client.key(modifier, 1)
            client.press(ord(c))
            client.key(modifier, 0)
        self.assertEqual(self.seat.text(), '/@?{')
        self.assertEqual(self.seat.guest.down, set())

    def test_alt_is_not_altgr(self):
        client = self.client()
        client.key(ALT_R, 1)
        client.press(ord('x'))
        self.assertEqual(self.seat.keys(3), [(RIGHT_ALT, 1), (45, 1), (45, 0)])

    def test_caps_lock(self):
        client = self.client()
        client.press(CAPS)
        for c in 'AB1':
            client.press(ord(c))
        client.key(SHIFT_L, 1)
        client.press(ord('c'))
        client.key(SHIFT_L, 0)
        client.press(CAPS)
        client.press(ord('D'))
        self.assertEqual(self.seat.text(), 'AB1cD')

    def test_a_repeated_key_is_pressed_once(self):
        client = self.client()
        for _ in range(5):
            client.key(ord('a'), 1)
        client.key(ord('a'), 0)
        client.key(ord('a'), 0)
        self.assertEqual(self.seat.text(), 'a')

    def test_symbols_without_a_key(self):
        client = self.client()
        number = random.Random(7)
        for _ in range(2000):
            client.key(number.choice((0, 0xe4, 0x1000000 + number.randrange(1 << 20),
                                      0xffffffff, 0xfe50, 0x7f, 0x1f)), number.randrange(2))
        client.press(ord('a'))
        self.assertEqual(self.seat.text(), 'a')

    def test_who_leaves_lets_go(self):
        one, two = self.client(), self.client()
        one.key(ord('a'), 1)
        one.key(SHIFT_L, 1)
        one.point(5, 6, 1)
        two.key(ord('a'), 1)
        self.seat.drain()
        self.assertEqual(self.seat.guest.down, {30, LEFT_SHIFT})
        one.close()
        got = self.seat.drain()
        self.assertEqual(self.seat.guest.down, {30})
        self.assertIn((POINTER, 0, 0, 0, 5, 6), got)
        two.close()
        self.seat.drain()
        self.assertEqual(self.seat.guest.down, set())

    def test_more_keys_than_hands(self):
        """What is down stays bounded, and all of it goes up."""
        client = self.client()
        for c in 'qwertyuiopasdfghjklzxcvbnm':
            client.key(ord(c), 1)
        self.seat.drain()
        self.assertLessEqual(len(self.seat.guest.down), 16)
        client.close()
        self.seat.drain()
        self.assertEqual(self.seat.guest.down, set())

    def test_pointer(self):
        client = self.client()
        client.point(12, 34)
        self.assertEqual(self.seat.next(), (POINTER, 0, 0, 0, 12, 34))
        for mask, buttons in ((1, 1), (2, 2), (4, 4), (7, 7), (128, 8), (0, 0)):
            client.point(639, 479, mask)
            self.assertEqual(self.seat.next(), (POINTER, buttons, 0, 0, 639, 479))
        for mask, up, right in ((8, 1, 0), (16, -1, 0), (32, 0, -1), (64, 0, 1)):
            client.point(1, 2, mask)
            client.point(1, 2, 0)
            self.assertEqual(self.seat.next(), (POINTER, 0, up & 0xffffffff,
                                                right & 0xffffffff, 1, 2))
            self.seat.drain(0.1)

    def test_moves_are_joined(self):
        client = self.client()
        for i in range(3000):
            client.point(i % 640, i % 480)
        client.point(321, 123)
        begin = time.monotonic()
        got = self.seat.drain()
        self.assertEqual(got[-1], (POINTER, 0, 0, 0, 321, 123))
        self.assertLess(len(got), 250 * (time.monotonic() - begin) + 100)

    def test_a_device_that_does_not_read(self):
        """Presses may be lost, releases never are, and pictures go on."""
        client = self.client()
        for i in range(4000):
            client.press(ord('a') + i % 26)
            client.point(i % 640, 1, i % 2)
        client.point(7, 8)
        client.full()
        got = []
        while not got or got[-1] != (POINTER, 0, 0, 0, 7, 8):
            got += self.seat.drain(1)
        self.seat.drain()
        self.assertEqual(self.seat.guest.down, set())
        client.press(ord('z'))
        self.assertEqual(self.seat.text()[-1:], 'z')

    def test_another_device(self):
        """What was held when the device went away is not held for the next."""
        client = self.client()
        client.key(ord('a'), 1)
        self.assertEqual(self.seat.keys(1), [(30, 1)])
        self.seat.socket.close()
        self.assertEqual(self.server.control.recv(100)[:1], b'F')
        self.assertEqual(self.server.control.recv(100)[:1], b'O')
        client.key(ord('b'), 1)
        client.full()
        seat = Seat(self.server)
        self.addCleanup(seat.close)
        seat.frame(640, 480, pixels(640, 480, 2))
        seat.damage(640, 480)
        client.full()
        client.key(ord('a'), 0)
        client.press(ord('c'))
        self.assertEqual(seat.text(), 'c')
        self.assertLessEqual(seat.guest.down, {48})

    def test_extended_keys(self):
        client = self.client(encodings=(RAW, EXTENDED_KEYS))
        self.assertEqual(client.read(4), b'\0\0\0\1')
        self.assertEqual(struct.unpack('>HHHHi', client.read(12))[4], EXTENDED_KEYS)
        for number, code in ((0x1e, 30), (0x56, 86), (0x58, 88), (0xc8, 103), (0x9d, 97),
                             (0xc6, 119), (0xdb, 125), (0x70, 93)):
            client.extended(number, 1)
            client.extended(number, 0)
            self.assertEqual(self.seat.keys(2), [(code, 1), (code, 0)], hex(number))
        number = random.Random(3)
        for _ in range(2000):
            client.extended(number.choice((0, 0x54 + 0x80, 0x7f, 0x100, 0xffffffff, 0x55)),
                            number.randrange(2), number.randrange(1 << 32))
        client.extended(0x1e, 1)
        client.extended(0x1e, 0)
        self.assertEqual(self.seat.text()[-2:], 'aa')
        client.full()

    def desktop_size(self, client):
        """(reason, result) of the next size that the server tells."""
        client.request(1)
        assert client.read(1) == b'\0'
        for _ in range(struct.unpack('>xH', client.read(3))[0]):
            x, y, width, height, encoding = struct.unpack('>HHHHi', client.read(12))
            if encoding == DESKTOP_SIZE:
                client.width, client.height = width, height
                screens = client.read(4)[0]
                client.read(16 * screens)
                return x, y
            client.read(width * height * 4)
        return None

    def next_size(self, client):
        while (size := self.desktop_size(client)) is None:
            pass
        return size

    def show_less(self):
        """A picture that fits into a socket: of those sent there may be more than
        the test reads."""
        self.seat.frame(64, 48, pixels(64, 48, 1))
        self.seat.damage(64, 48)
        self.seat.wait_ack()

    def test_size(self):
        self.show_less()
        client = self.client(encodings=(RAW, DESKTOP_SIZE))
        self.next_size(client)
        client.size(800, 600)
        self.assertEqual(self.seat.next(), (MODE, 800, 600, 0, 0, 0))
        client.size(900, 600)  # at once: not yet
        self.assertEqual(self.next_size(client), (1, 2))
        # The guest follows.
        self.seat.frame(80, 60, pixels(80, 60, 2))
        self.seat.damage(80, 60)
        while (client.width, client.height) != (80, 60):
            self.next_size(client)
        time.sleep(0.4)
        client.size(65535, 1)  # what a head can be, the device knows
        self.assertEqual(self.seat.next(), (MODE, 65535, 1, 0, 0, 0))
        time.sleep(0.4)
        for width, height, screens in ((0, 600, 1), (800, 0, 1), (800, 600, 2), (800, 600, 0)):
            client.size(width, height, screens)
        client.press(ord('a'))
        self.assertEqual(self.seat.next()[:3], (KEY, 30, 1))

    def test_view_only(self):
        self.again('--view-only')
        self.show_less()
        client = self.client(encodings=(RAW, EXTENDED_KEYS, DESKTOP_SIZE))
        client.press(ord('a'))
        client.point(1, 2, 1)
        client.extended(0x1e, 1)
        self.next_size(client)
        client.size(800, 600)
        self.assertEqual(self.next_size(client)[1], 1)
        self.assertEqual(self.seat.drain(), [])

    def test_messages_that_make_no_sense(self):
        for data in (b'\xff\x01' + bytes(10), b'\xff\xff', struct.pack('>BxHHBx', 251, 8, 8, 17)):
            client = self.client()
            client.full()
            client.socket.sendall(data)
            with self.assertRaises((EOFError, ConnectionResetError)):
                client.read(1)
        for half in (b'\xff', b'\xff\x00\x00', b'\xfb', struct.pack('>BxHHBx', 251, 8, 8, 2),
                     b'\x04\x01', b'\x05\x00\x00'):
            self.client().socket.sendall(half)
        client = self.client()
        client.press(ord('a'))
        self.assertEqual(self.seat.text(), 'a')

    def test_random_input(self):
        """Whatever comes, what is down in the end is up when all have left."""
        number = random.Random(11)
        clients = [self.client() for _ in range(4)]
        for _ in range(4000):
            client = number.choice(clients)
            what = number.randrange(4)
            if what == 0:
                client.extended(number.randrange(256), number.randrange(2))
            elif what == 1:
                client.point(number.randrange(700), number.randrange(500), number.randrange(256))
            else:
                client.key(number.choice((SHIFT_L, LEVEL3, CAPS, number.randrange(0x20, 0x7f))),
                           number.randrange(2))
        self.seat.drain()
        for client in clients:
            client.close()
        got = self.seat.drain()
        self.assertEqual(self.seat.guest.down, set())
        self.assertEqual([m for m in got if m[0] == POINTER][-1:][0][1] if got else 0, 0)

    def answer(self, password):
        """Begin, and answer the challenge: the result, 0 for good."""
        raw = socket.socket(socket.AF_UNIX)
        self.addCleanup(raw.close)
        raw.settimeout(LONG)
        raw.connect(self.path)

        def read(n):
            data = b''
            while len(data) < n:
                more = raw.recv(n - len(data))
                if not more:
                    raise EOFError
                data += more
            return data
        read(12)
        raw.sendall(b'RFB 003.008\n')
        types = read(read(1)[0])
        self.assertNotIn(1, types)  # none
        self.assertIn(2, types)
        raw.sendall(b'\x02')
        challenge = ctypes.create_string_buffer(read(16), 16)
        # DES, as VNC does it.
        ctypes.CDLL('libvncserver.so.1').rfbEncryptBytes(challenge, password)
        raw.sendall(challenge.raw)
        return struct.unpack('>I', read(4))[0]

    def test_password(self):
        self.again('--with-password', password=b'sEcr3t!x')
        self.assertEqual(self.answer(b'sEcr3t!x'), 0)
        for wrong in b'sEcr3t!y', b'', b'\xff' * 8:
            self.assertNotEqual(self.answer(wrong), 0)
        # A moment after a wrong one even the right one is refused.
        self.assertNotEqual(self.answer(b'sEcr3t!x'), 0)
        time.sleep(1.1)
        self.assertEqual(self.answer(b'sEcr3t!x'), 0)

    def test_password_that_does_not_come(self):
        for what in (None, b'', b'123456789'):
            server = Server('unix:' + self.path + '2', options=['--with-password'],
                            password=what, wait=False)
            server.control.shutdown(socket.SHUT_WR)
            self.assertEqual(server.process.wait(LONG), 2)
            self.assertFalse(os.path.exists(self.path + '2'))
            server.end()


if __name__ == '__main__':
    if sys.argv[1:2] and os.path.isdir(sys.argv[1]):
        os.environ['PATH'] = sys.argv.pop(1) + ':' + os.environ['PATH']
    unittest.main()
