#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-vnc between a device played here and a small RFB client."""
import array
import fcntl
import mmap
import os
import select
import socket
import stat
import struct
import subprocess
import sys
import tempfile
import time
import unittest

FRAME, DAMAGE, CURSOR, CURSOR_MOVE, ACK = 1, 2, 3, 4, 5
MSG = struct.Struct('=IIIIii')
LONG = 180  # seconds: only a hang takes as long
HELD = 1  # for so long the server waits for a client (device/display/vnc/server.c)
F_ADD_SEALS, F_SEAL_SHRINK = 1033, 2
RAW, NEW_SIZE = 0, -223


def pixels(width, height, seed):
    """Something that differs at each place, as x8r8g8b8."""
    return array.array('I', (((x * 7 + y * 131 + seed * 8191) * 2654435761) >> 4 & 0xffffff
                             for y in range(height) for x in range(width)))


def memfd(data, seals=F_SEAL_SHRINK):
    fd = os.memfd_create('frame', os.MFD_ALLOW_SEALING | os.MFD_CLOEXEC)
    os.write(fd, bytes(data))
    if seals:
        fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


class Device:
    """The device's end of viewer_abi.h."""

    def __init__(self, server):
        self.socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(LONG)
        socket.send_fds(server.control, [b'V'], [theirs.fileno()])
        theirs.close()
        self.map = None

    def send(self, kind, width=0, height=0, stride=0, x=0, y=0, fd=None):
        message = MSG.pack(kind, width, height, stride, x, y)
        socket.send_fds(self.socket, [message], [] if fd is None else [fd])
        if fd is not None:
            os.close(fd)

    def frame(self, width, height, data):
        fd = memfd(data)
        self.map = mmap.mmap(fd, width * height * 4)
        self.width = width
        self.send(FRAME, width, height, width * 4, fd=fd)

    def write(self, x, y, width, height, value):
        for row in range(y, y + height):
            at = (row * self.width + x) * 4
            self.map[at:at + width * 4] = struct.pack('=I', value) * width

    def damage(self, width, height, x=0, y=0):
        self.send(DAMAGE, width, height, x=x, y=y)

    def wait_ack(self):
        kind = MSG.unpack(self.socket.recv(100))[0]
        assert kind == ACK, kind

    def has_ack(self, seconds=0.3):
        self.socket.settimeout(seconds)
        try:
            return bool(self.socket.recv(100))
        except TimeoutError:
            return False
        finally:
            self.socket.settimeout(LONG)

    def close(self):
        if self.map:
            self.map.close()
        self.socket.close()


class Client:
    """RFB 3.8 with raw encoding."""

    def __init__(self, where, encodings=(RAW, NEW_SIZE)):
        if isinstance(where, str):
            self.socket = socket.socket(socket.AF_UNIX)
        elif ':' in where[0]:
            self.socket = socket.socket(socket.AF_INET6)
        else:
            self.socket = socket.socket()
        self.socket.settimeout(LONG)
        try:
            self.begin(where, encodings)
        except (OSError, EOFError):
            self.socket.close()
            raise

    def begin(self, where, encodings):
        self.socket.settimeout(None)  # or it would not wait for its turn
        self.socket.connect(where)
        self.socket.settimeout(LONG)
        assert self.read(12) == b'RFB 003.008\n'
        self.socket.sendall(b'RFB 003.008\n')
        types = self.read(self.read(1)[0])
        assert 1 in types, types
        self.socket.sendall(b'\x01')
        assert self.read(4) == bytes(4)
        self.socket.sendall(b'\x00')  # not shared: others stay all the same
        self.width, self.height = struct.unpack('>HH', self.read(4))
        self.format = self.read(16)
        self.name = self.read(struct.unpack('>I', self.read(4))[0])
        # 32 bit little-endian true colour, red at 16: x8r8g8b8.
        self.socket.sendall(struct.pack('>B3xBBBBHHHBBB3x', 0, 32, 24, 0, 1, 255, 255, 255,
                                        16, 8, 0))
        self.socket.sendall(struct.pack(f'>BxH{len(encodings)}i', 2, len(encodings), *encodings))
        self.picture = array.array('I', bytes(self.width * self.height * 4))
        self.rectangles = []

    def read(self, n):
        data = b''
        while len(data) < n:
            more = self.socket.recv(n - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def request(self, incremental):
        self.socket.sendall(struct.pack('>BBHHHH', 3, incremental, 0, 0,
                                        self.width, self.height))

    def update(self):
        """One FramebufferUpdate into the picture."""
        assert self.read(1)[0] == 0
        self.rectangles = []
        for _ in range(struct.unpack('>xH', self.read(3))[0]):
            x, y, width, height, encoding = struct.unpack('>HHHHi', self.read(12))
            if encoding == NEW_SIZE:
                self.width, self.height = width, height
                self.picture = array.array('I', bytes(width * height * 4))
                continue
            assert encoding == RAW, encoding
            self.rectangles.append((x, y, width, height))
            data = array.array('I', self.read(width * height * 4))
            for row in range(height):
                at = (y + row) * self.width + x
                self.picture[at:at + width] = data[row * width:(row + 1) * width]

    def full(self):
        self.request(0)
        self.update()

    def close(self):
        self.socket.close()


class Server:
    def __init__(self, listen, name='test', wait=True, options=(), password=None):
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.control.settimeout(LONG)
        self.process = subprocess.Popen(
            ['vgpu-vnc', '--control-fd', str(theirs.fileno()), '--listen', listen,
             '--name', name, *options], pass_fds=[theirs.fileno()], stderr=subprocess.PIPE)
        theirs.close()
        if password is not None:
            self.control.send(b'K' + password)
        self.answer = self.control.recv(1000) if wait else None

    def end(self):
        self.control.close()
        try:
            return self.process.wait(LONG)
        finally:
            self.process.kill()
            self.process.wait()
            self.process.stderr.close()


class Vnc(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory()
        self.addCleanup(self.directory.cleanup)
        self.path = os.path.join(self.directory.name, 'vnc')

    def serve(self, listen=None, **more):
        server = Server('unix:' + self.path if listen is None else listen, **more)
        self.addCleanup(server.end)
        return server

    def start(self):
        server = self.serve()
        self.assertEqual(server.answer, b'R')
        device = self.device(server)
        return server, device

    def device(self, server):
        """A device that has shown a picture: before that vgpu-vnc accepts no
        viewer."""
        device = Device(server)
        self.addCleanup(device.close)
        self.show(device)
        device.wait_ack()
        return device

    def show(self, device, width=100, height=60, seed=1):
        data = pixels(width, height, seed)
        device.frame(width, height, data)
        device.send(CURSOR)
        device.damage(width, height)
        return data

    def client(self, where=None, **more):
        client = Client(where or self.path, **more)
        self.addCleanup(client.close)
        return client

    def test_picture_arrives(self):
        server, device = self.start()
        data = self.show(device)
        device.wait_ack()  # at once: there is no client
        client = self.client()
        self.assertEqual((client.width, client.height), (100, 60))
        self.assertEqual(client.name, b'test')
        client.full()
        self.assertEqual(client.picture, data)
        self.assertEqual(server.end(), 0)
        self.assertFalse(os.path.exists(self.path))

    def test_nobody_is_let_in_before_the_first_picture(self):
        server = self.serve()
        early = self.raw()
        # A greeting that must not come has time to.
        self.assertEqual(select.select([early, server.control], [], [], 1)[0], [])
        self.device(server)
        self.assertEqual(server.control.recv(100), b'F')
        client = self.client(encodings=(RAW,))
        self.assertEqual((client.width, client.height), (100, 60))
        client.full()
        self.assertEqual(early.recv(12), b'RFB 003.008\n')
        # Once is enough, whatever else comes.
        early.close()
        client.close()
        self.device(server)
        server.control.send(b'P')
        self.assertEqual(server.control.recv(100), b'P0')
        client = self.client(encodings=(RAW,))
        client.full()
        server.control.send(b'P')
        self.assertEqual(server.control.recv(100), b'P1')

    def test_only_damage_is_sent(self):
        _, device = self.start()
        data = self.show(device)
        device.wait_ack()
        client = self.client()
        client.full()
        client.request(1)
        device.write(10, 20, 30, 5, 0x123456)
        device.write(90, 50, 5, 5, 0xffffff)  # not told
        device.damage(30, 5, 10, 20)
        client.update()
        device.wait_ack()
        self.assertEqual(client.rectangles, [(10, 20, 30, 5)])
        for y in range(20, 25):
            data[y * 100 + 10:y * 100 + 40] = array.array('I', [0x123456] * 30)
        self.assertEqual(client.picture, data)

    def test_slow_client_holds_the_ack_back(self):
        _, device = self.start()
        self.show(device)
        device.wait_ack()
        client = self.client()
        client.full()
        device.write(0, 0, 10, 10, 0xabcdef)
        device.damage(10, 10)
        self.assertFalse(device.has_ack())  # it did not ask for more yet
        client.request(1)
        client.update()
        device.wait_ack()
        self.assertEqual(client.picture[0], 0xabcdef)
        # An empty one is answered at once: nothing is owed to anybody.
        device.damage(0, 0)
        device.wait_ack()
        # A client that goes away owes nothing either.
        device.damage(10, 10)
        self.assertFalse(device.has_ack())
        client.close()
        device.wait_ack()

    def test_resize(self):
        _, device = self.start()
        self.show(device)
        device.wait_ack()
        client = self.client()
        old = self.client(encodings=(RAW,))
        client.full()
        client.request(1)
        data = self.show(device, 333, 77, 2)
        client.update()
        if not client.rectangles:
            client.request(0)
            client.update()
        self.assertEqual((client.width, client.height), (333, 77))
        self.assertEqual(client.picture, data)
        device.wait_ack()
        # One that cannot change its size is sent away.
        with self.assertRaises((EOFError, ConnectionResetError, BrokenPipeError)):
            old.full()
            old.full()
        self.client(encodings=(RAW,)).full()

    def test_cursor_is_in_the_picture(self):
        _, device = self.start()
        data = self.show(device)
        device.wait_ack()
        client = self.client()
        client.full()
        client.request(1)
        image = array.array('I', [0] * 4096)
        image[0] = 0xff112233
        image[1] = 0x80000000
        device.send(CURSOR, fd=memfd(image))
        device.send(CURSOR_MOVE, x=5, y=6)
        device.damage(0, 0)
        client.update()
        device.wait_ack()
        expected = array.array('I', data)
        expected[605] = 0x112233
        half = data[606]
        expected[606] = sum((((half >> s & 255) * 127 + 127) // 255) << s for s in (0, 8, 16))
        self.assertEqual(client.picture, expected)
        # It leaves no trace, and may be partly outside.
        client.request(1)
        device.send(CURSOR_MOVE, x=99, y=-1)
        device.damage(0, 0)
        client.update()
        device.wait_ack()
        self.assertEqual(client.picture, data)
        client.request(1)
        device.send(CURSOR_MOVE, x=99, y=59)
        device.damage(0, 0)
        client.update()
        device.wait_ack()
        self.assertEqual(client.picture[5999], 0x112233)
        # New pixels below it are blended once.
        client.request(1)
        device.write(99, 59, 1, 1, 0)
        device.damage(1, 1, 99, 59)
        client.update()
        device.wait_ack()
        self.assertEqual(client.picture[5999], 0x112233)
        client.request(1)
        device.send(CURSOR)
        device.damage(0, 0)
        client.update()
        data[5999] = 0
        self.assertEqual(client.picture, data)

    def test_another_viewer_replaces(self):
        server, device = self.start()
        self.show(device)
        device.wait_ack()
        client = self.client()
        client.full()
        client.request(1)
        other = Device(server)
        self.addCleanup(other.close)
        data = self.show(other, seed=9)
        client.update()
        other.wait_ack()
        self.assertEqual(client.picture, data)
        self.assertEqual(device.socket.recv(100), b'')

    def test_device_goes_away_and_the_picture_stays(self):
        server, device = self.start()
        data = self.show(device)
        device.wait_ack()
        device.socket.close()
        client = self.client()
        client.full()
        self.assertEqual(client.picture, data)
        other = Device(server)
        self.addCleanup(other.close)
        client.request(1)
        data = self.show(other, seed=3)
        client.update()
        other.wait_ack()
        self.assertEqual(client.picture, data)

    def test_device_that_breaks_the_rules_is_cut_off(self):
        server, _ = self.start()
        good = memfd(bytes(40000))
        cases = {
            'short message': lambda d: d.socket.send(b'x'),
            'long message': lambda d: d.socket.send(bytes(1000)),
            'unknown type': lambda d: d.send(77),
            'no frame': lambda d: d.damage(1, 1),
            'frame without memory': lambda d: d.send(FRAME, 100, 100, 400),
            'frame of nothing': lambda d: d.send(FRAME, 0, 100, 0, fd=os.dup(good)),
            'frame too large': lambda d: d.send(FRAME, 100, 101, 400, fd=os.dup(good)),
            'huge frame': lambda d: d.send(FRAME, 2**31, 2**31, 2**31, fd=os.dup(good)),
            'stride too small': lambda d: d.send(FRAME, 100, 100, 4, fd=os.dup(good)),
            'frame that can shrink': lambda d: d.send(
                FRAME, 100, 100, 400, fd=memfd(bytes(40000), 0)),
            'no memfd': lambda d: d.send(FRAME, 100, 100, 400, fd=os.open('/dev/null', os.O_RDWR)),
            'small cursor': lambda d: d.send(CURSOR, fd=memfd(bytes(16383))),
            'damage outside': lambda d: (d.send(FRAME, 100, 100, 400, fd=os.dup(good)),
                                         d.damage(100, 100, 1, 0)),
            'damage before': lambda d: (d.send(FRAME, 100, 100, 400, fd=os.dup(good)),
                                        d.damage(10, 10, -1, -1)),
            'huge damage': lambda d: (d.send(FRAME, 100, 100, 400, fd=os.dup(good)),
                                      d.damage(2**32 - 1, 2, 1, 1)),
        }
        for name, misbehave in cases.items():
            with self.subTest(name):
                device = Device(server)
                misbehave(device)
                try:
                    self.assertEqual(device.socket.recv(100), b'')
                except ConnectionResetError:
                    pass
                device.close()
        os.close(good)
        device = Device(server)
        self.addCleanup(device.close)
        data = self.show(device)
        device.wait_ack()
        client = self.client()
        client.full()
        self.assertEqual(client.picture, data)

    def test_input_is_ignored(self):
        server = self.serve(options=['--view-only'])
        self.assertEqual(server.answer, b'R')
        device = self.device(server)
        data = self.show(device)
        device.wait_ack()
        client = self.client()
        client.socket.sendall(struct.pack('>BBxxI', 4, 1, 0x61) +  # a key
                              struct.pack('>BBHH', 5, 1, 10, 10) +  # the pointer
                              struct.pack('>B3xI', 6, 5) + b'hello')  # cut text
        client.full()
        self.assertEqual(client.picture, data)

    def test_clients_are_bounded(self):
        self.start()
        clients = [self.client() for _ in range(8)]
        with self.assertRaises((EOFError, ConnectionResetError, BrokenPipeError)):
            self.client()
        clients.pop().close()
        deadline = time.monotonic() + LONG
        while True:
            try:
                self.client().full()
                break
            except (EOFError, ConnectionResetError, BrokenPipeError):
                self.assertLess(time.monotonic(), deadline)

    def test_no_websockets_and_no_http(self):
        self.start()
        raw = socket.socket(socket.AF_UNIX)
        raw.settimeout(LONG)
        raw.connect(self.path)
        raw.sendall(b'GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n'
                    b'Connection: Upgrade\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n'
                    b'Sec-WebSocket-Version: 13\r\nOrigin: http://example.org\r\n'
                    b'Sec-WebSocket-Protocol: binary\r\n\r\n')
        answer = b''
        try:
            while more := raw.recv(1000):
                answer += more
        except ConnectionResetError:
            pass
        raw.close()
        self.assertNotIn(b'RFB 003.008\n\x01', answer)
        self.client().full()

    def test_garbage(self):
        self.start()
        for data in (b'', b'\x00' * 100, b'RFB 999.999\n' + b'\xff' * 1000, os.urandom(5000)):
            raw = socket.socket(socket.AF_UNIX)
            raw.connect(self.path)
            try:
                raw.sendall(data)
            except OSError:
                pass
            raw.close()
        self.client().full()

    def frames_beside(self, disturb, n):
        """How long each of @n frames takes a viewer, with @disturb before it."""
        client = self.client()
        took = []
        for _ in range(n):
            disturb()
            begin = time.monotonic()
            client.full()
            took.append(time.monotonic() - begin)
        client.close()
        return sorted(took)

    def raw(self, data=b''):
        raw = socket.socket(socket.AF_UNIX)
        self.addCleanup(raw.close)
        raw.connect(self.path)
        raw.settimeout(LONG)
        if data:
            raw.sendall(data)
        return raw

    def test_viewers_that_only_connect_hold_nobody_up(self):
        _, device = self.start()
        self.show(device)
        device.wait_ack()
        took = self.frames_beside(self.raw, 100)
        print(f'a frame beside one that only connects: {took[50] * 1000:.1f} ms')
        # Each of them would hold it up, and a busy machine does so at times.
        self.assertLess(took[50], HELD / 2)

    def test_half_messages_hold_nobody_up(self):
        _, device = self.start()
        self.show(device)
        device.wait_ack()
        halves = []
        for half in (struct.pack('>B3xI', 6, 1000) + b'x', b'\x06', b'\x03\x00',
                     struct.pack('>BxH', 2, 200) + b'1234', b'\x00' * 19,
                     b'\x04\x00'):
            halves.append(self.client())
            halves[-1].socket.sendall(half)
        took = self.frames_beside(lambda: None, 20)
        print(f'20 frames beside 6 half messages: {sum(took) * 1000:.1f} ms')
        self.assertLess(sum(took), len(halves) * HELD)
        # Who goes on is served as if nothing had been.
        halves[0].socket.sendall(b'x' * 999)
        halves[0].full()
        halves[2].socket.sendall(struct.pack('>HHHH', 0, 0, 100, 60))
        halves[2].update()
        for client in halves:
            client.close()

    def test_viewer_byte_by_byte(self):
        _, device = self.start()
        data = self.show(device)
        device.wait_ack()
        client = self.client()
        for byte in struct.pack('>B3xI', 6, 5) + b'hello' + struct.pack(
                '>BxHi', 2, 1, RAW) + struct.pack('>BBHHHH', 3, 0, 0, 0, 100, 60):
            client.socket.sendall(bytes([byte]))
            time.sleep(0.001)
        client.update()
        self.assertEqual(client.picture, data)

    def test_who_does_not_begin_makes_room(self):
        self.start()
        silent = [self.raw() for _ in range(20)]
        looking = [self.client() for _ in range(8)]
        for client in looking:
            client.full()
            client.close()
        for raw in silent:
            raw.close()

    def test_beginning_has_a_deadline(self):
        self.start()
        silent, half = self.raw(), self.raw(b'RFB 003.0')
        for raw in (silent, half):
            self.assertEqual(raw.recv(100), b'RFB 003.008\n')
            try:
                self.assertEqual(raw.recv(100), b'')
            except ConnectionResetError:
                pass

    def test_messages_that_no_viewer_needs_end_it(self):
        self.start()
        for data in (b'\x07' * 100, b'\xff' * 100, struct.pack('>BxH', 2, 60000),
                     struct.pack('>B3xI', 6, 1 << 30)):
            client = self.client()
            client.full()
            client.socket.sendall(data)
            with self.assertRaises((EOFError, ConnectionResetError)):
                client.read(1)
            client.close()
        self.client().full()

    def test_loopback(self):
        for family, host, form in ((socket.AF_INET, '127.0.0.1', '127.0.0.1:%d'),
                                   (socket.AF_INET6, '::1', '[::1]:%d')):
            with self.subTest(host):
                with socket.socket(family) as holder:
                    # While this holds it the port is given to nobody else; who
                    # reuses addresses too, and asks for it, has it.
                    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                    try:
                        holder.bind((host, 0))
                    except OSError:
                        continue
                    port = holder.getsockname()[1]
                    server = self.serve(form % port)
                    self.assertEqual(server.answer, b'R')
                    self.device(server)
                    self.client((host, port)).full()
                    self.assertEqual(server.end(), 0)

    def test_bad_addresses(self):
        for address in ('0.0.0.0:5900', '5900', ':5900', 'localhost:5900', '127.0.0.1', '[::]:5900',
                        '127.0.0.1:0', '127.0.0.1:65536', '127.0.0.1:59x', '127.0.0.1:-1',
                        '192.168.0.1:5900', '', 'unix:', 'unix:' + 'x' * 108, '[::1]:',
                        'unix:/no/such/folder/socket'):
            with self.subTest(address):
                server = self.serve(address)
                self.assertEqual(server.answer[:1], b'E')
                self.assertGreater(len(server.answer), 10)
                self.assertNotIn(b'\n', server.answer)
                self.assertEqual(server.end(), 1)

    def test_what_is_in_the_place_of_the_socket(self):
        with open(self.path, 'w', encoding='ascii') as file:
            file.write('precious')
        server = self.serve()
        self.assertIn(b'no socket', server.answer)
        self.assertEqual(server.end(), 1)
        with open(self.path, encoding='ascii') as file:
            self.assertEqual(file.read(), 'precious')
        os.unlink(self.path)
        # Left by a server that was killed: replaced.
        server = self.serve()
        server.process.kill()
        server.end()
        self.assertTrue(os.path.exists(self.path))
        server = self.serve()
        self.assertEqual(server.answer, b'R')
        self.assertEqual(stat.S_IMODE(os.stat(self.path).st_mode), 0o600)
        # In use: left alone.
        second = self.serve()
        self.assertIn(b'in use', second.answer)
        self.assertEqual(second.end(), 1)
        self.device(server)
        self.client().full()
        # Another's by now: not removed.
        os.unlink(self.path)
        third = self.serve()
        self.assertEqual(server.end(), 0)
        self.assertTrue(os.path.exists(self.path))
        self.assertEqual(third.end(), 0)

    def test_sigterm(self):
        server, _ = self.start()
        server.process.terminate()
        self.assertEqual(server.process.wait(LONG), 0)
        self.assertFalse(os.path.exists(self.path))
        server.end()

    def test_usage(self):
        for args in ([], ['--listen', 'unix:x'], ['--control-fd', '77', '--listen', 'unix:x'],
                     ['--control-fd', '0', '--listen', 'unix:x'], ['--control-fd', 'x'],
                     ['--no-such-option']):
            done = subprocess.run(['vgpu-vnc', *args], capture_output=True, timeout=LONG,
                                  stdin=subprocess.DEVNULL, check=False)
            self.assertEqual(done.returncode, 2, args)
            self.assertTrue(done.stderr)
        done = subprocess.run(['vgpu-vnc', '--help'], capture_output=True, timeout=LONG, check=True)
        self.assertIn(b'--listen', done.stdout)


if __name__ == '__main__':
    if sys.argv[1:2] and os.path.isdir(sys.argv[1]):
        os.environ['PATH'] = sys.argv.pop(1) + ':' + os.environ['PATH']
    unittest.main()
