# SPDX-License-Identifier: GPL-2.0-or-later
"""The VMM's own display, as QEMU's vhost-user-gpu has it (docs/interop in QEMU)."""

import errno
import os
import socket
import struct
import time
import unittest

import frontend as fe

SET_SOCKET = 33
(GET_INFO, CURSOR_POS, CURSOR_HIDE, CURSOR_UPDATE, SCANOUT,
 UPDATE) = range(3, 9)
REPLY = 4
INFO_BYTES = 24 + 16 * 24

GET_DISPLAY_INFO, CREATE_2D, SET_SCANOUT, GET_EDID = 0x100, 0x101, 0x103, 0x10a
FLUSH, TRANSFER, ATTACH = 0x104, 0x105, 0x106
UPDATE_CURSOR, MOVE_CURSOR = 0x300, 0x301
OK, OK_DISPLAY_INFO = 0x1100, 0x1101
X8R8G8B8 = 2  # B8G8R8X8 in memory
HEADER = struct.pack("<QIII", 0, 0, 0, 0)
PIXELS = 0x800000  # in guest memory


def request(kind, *words):
    return struct.pack("<I", kind) + HEADER + struct.pack(
        f"<{len(words)}I", *words)


def information(*modes):
    """GET_DISPLAY_INFO's answer: a mode for each scanout, None: disabled."""
    body = bytes(24)
    for mode in modes:
        body += struct.pack("<6I", 0, 0, *(mode or (0, 0)), mode is not None, 0)
    return body.ljust(INFO_BYTES, b"\0")


class Display:
    """QEMU's end of the socket, and what it would show."""

    def __init__(self, front, manager):
        self.manager = manager
        self.socket, theirs = socket.socketpair()
        self.socket.settimeout(fe.TIMEOUT)
        front.send(SET_SOCKET, fds=[theirs.fileno()])
        theirs.close()
        self.scanout = {}  # id: (width, height, pixels)
        self.cursor = {}   # id: (x, y, hot_x, hot_y, picture), None if hidden
        self.largest = 0
        self.questions = 0
        self.log = []

    def close(self):
        self.socket.close()

    def wait(self):
        """Until there is something to read, its end for one."""
        end = time.monotonic() + fe.TIMEOUT
        while not fe.wait_readable(self.socket, 0.05):
            assert time.monotonic() < end
            # The manager has a duplicate until it is told to drop it.
            self.manager.pump()

    def read(self, size):
        data = b""
        while len(data) < size:
            self.wait()
            part = self.socket.recv(size - len(data))
            if not part:
                raise fe.Gone
            data += part
        return data

    def step(self):
        kind, flags, size = struct.unpack("<III", self.read(12))
        assert flags == 0, f"flags {flags:#x}"
        body = self.read(size)
        self.largest = max(self.largest, 12 + size)
        self.log.append(kind)
        {GET_INFO: self.on_question, SCANOUT: self.on_scanout,
         UPDATE: self.on_update, CURSOR_POS: self.on_position,
         CURSOR_HIDE: self.on_hide, CURSOR_UPDATE: self.on_cursor}[kind](body)
        return kind

    def until(self, condition):
        end = time.monotonic() + fe.TIMEOUT
        while not condition():
            assert time.monotonic() < end, self.log[-20:]
            if fe.wait_readable(self.socket, 0.1):
                self.step()

    def is_quiet(self, seconds=0.3):
        while fe.wait_readable(self.socket, seconds):
            self.step()
        return True

    def on_question(self, body):
        assert not body
        self.questions += 1

    def answer(self, *modes):
        """All that was asked, in pieces, as a stream may bring it."""
        data = self.questions * (
            struct.pack("<III", GET_INFO, REPLY, INFO_BYTES) +
            information(*modes))
        self.questions = 0
        for at in range(0, len(data), 100):
            self.socket.sendall(data[at:at + 100])
            time.sleep(0.002)

    def on_scanout(self, body):
        head, width, height = struct.unpack("<III", body)
        self.scanout[head] = (width, height, bytearray(4 * width * height))

    def on_update(self, body):
        head, x, y, width, height = struct.unpack_from("<5I", body)
        whole, tall, pixels = self.scanout[head]
        assert width and height and x + width <= whole and y + height <= tall
        assert len(body) == 20 + 4 * width * height
        for row in range(height):
            at = 4 * ((y + row) * whole + x)
            pixels[at:at + 4 * width] = body[20 + 4 * row * width:
                                            20 + 4 * (row + 1) * width]

    def on_position(self, body):
        head, x, y = struct.unpack("<Iii", body)
        self.cursor[head] = (x, y, *self.cursor[head][2:])

    def on_hide(self, body):
        self.cursor[struct.unpack("<III", body)[0]] = None

    def on_cursor(self, body):
        head, x, y, hot_x, hot_y = struct.unpack_from("<IiiII", body)
        assert len(body) == 20 + 4 * 64 * 64
        self.cursor[head] = (x, y, hot_x, hot_y, body[20:])


class Console(unittest.TestCase):
    heads = 2

    def setUp(self):
        # The launcher keeps what is drawn for a successor.
        self.manager = fe.Manager(program=fe.DEVICE, heads=self.heads,
                                  segments=40, frame_rate=0, launcher={})
        self.addCleanup(self.manager.close)
        self.manager.start()
        self.connect()

    def connect(self):
        self.front = self.manager.connect()
        self.addCleanup(self.front.close)
        self.control, self.cursor_queue = self.front.bring_up(size=32 << 20)
        self.display = Display(self.front, self.manager)
        self.addCleanup(self.display.close)

    def ask(self, *words, queue=None):
        queue = queue or self.control
        queue.submit(request(*words), 408)
        answer = queue.wait()[1]
        self.assertIn(struct.unpack_from("<I", answer)[0],
                      (OK, OK_DISPLAY_INFO))
        return answer

    def draw(self, resource, width, height, picture):
        """A 2D resource with these pixels."""
        self.front.memory.write(PIXELS, picture)
        self.ask(CREATE_2D, resource, X8R8G8B8, width, height)
        self.ask(ATTACH, resource, 1, PIXELS, 0, 4 * width * height, 0)
        self.transfer(resource, 0, 0, width, height, width)

    def transfer(self, resource, x, y, width, height, stride):
        offset = 4 * (y * stride + x)
        self.ask(TRANSFER, x, y, width, height, offset, 0, resource, 0)

    def show(self, head, resource, width, height):
        self.ask(SET_SCANOUT, 0, 0, width, height, head, resource)
        self.ask(FLUSH, 0, 0, width, height, resource, 0)

    def shows(self, head, width, height, picture):
        return self.display.scanout.get(head) == (width, height,
                                                  bytearray(picture))

    @staticmethod
    def noise(width, height):
        """Pixels without alpha, each unlike its neighbours."""
        data = bytearray(os.urandom(4 * width * height))
        data[3::4] = bytes(width * height)
        return bytes(data)

    def test_a_picture_of_each_head(self):
        first, second = self.noise(640, 480), self.noise(33, 7)
        self.draw(1, 640, 480, first)
        self.draw(2, 33, 7, second)
        self.show(0, 1, 640, 480)
        self.show(1, 2, 33, 7)
        self.display.until(lambda: self.shows(0, 640, 480, first) and
                           self.shows(1, 33, 7, second))
        # A message is taken by the kernel whole, or not.
        self.assertLessEqual(self.display.largest, 32768)

    def test_nothing_is_sent_of_what_shows_nothing(self):
        """A VGA console of QEMU's goes on until the guest's driver draws."""
        self.display.is_quiet()
        self.assertEqual(self.display.log, [GET_INFO])

    def test_edid_waits_for_the_modes(self):
        """Linux asks for both at once, and wants them to agree."""
        self.control.submit(request(GET_DISPLAY_INFO), 408)
        self.control.submit(request(GET_EDID, 0, 0), 1056)
        self.wait_answered((1280, 720), None)
        edid = self.control.wait()[1][32:]
        # The first detailed timing (EDID 1.4, 3.10.2).
        width = edid[56] | (edid[58] & 0xf0) << 4
        height = edid[59] | (edid[61] & 0xf0) << 4
        self.assertEqual((width, height), (1280, 720))

    def test_a_part_that_is_new(self):
        picture = bytearray(self.noise(640, 480))
        self.draw(1, 640, 480, bytes(picture))
        self.show(0, 1, 640, 480)
        self.display.until(lambda: self.shows(0, 640, 480, picture))
        self.display.is_quiet()
        before = len(self.display.log)
        for row in range(10, 20):
            at = 4 * (row * 640 + 100)
            picture[at:at + 400] = self.noise(100, 1)
        self.front.memory.write(PIXELS, bytes(picture))
        self.transfer(1, 100, 10, 100, 10, 640)
        self.ask(FLUSH, 100, 10, 100, 10, 1, 0)
        self.display.until(lambda: self.shows(0, 640, 480, picture))
        self.display.is_quiet()
        self.assertEqual(self.display.log[before:], [UPDATE])

    def test_a_row_wider_than_a_message(self):
        manager = fe.Manager(program=fe.DEVICE, segments=40, frame_rate=0)
        self.addCleanup(manager.close)
        manager.max_width = 8192
        self.manager = manager
        manager.start()
        self.connect()
        picture = self.noise(8192, 3)
        self.draw(1, 8192, 3, picture)
        self.show(0, 1, 8192, 3)
        self.display.until(lambda: self.shows(0, 8192, 3, picture))
        self.assertLessEqual(self.display.largest, 32768)

    def test_off_and_on_again(self):
        picture = self.noise(64, 64)
        self.draw(1, 64, 64, picture)
        self.show(0, 1, 64, 64)
        self.display.until(lambda: self.shows(0, 64, 64, picture))
        self.ask(SET_SCANOUT, 0, 0, 0, 0, 0, 0)
        self.display.until(lambda: self.shows(0, 0, 0, b""))
        self.show(0, 1, 64, 64)
        self.display.until(lambda: self.shows(0, 64, 64, picture))

    def test_another_buffer_of_the_same_size(self):
        """A page flip is no new scanout, which would lose a frame in QEMU."""
        pictures = [self.noise(64, 64) for _ in range(2)]
        for index, picture in enumerate(pictures):
            self.draw(1 + index, 64, 64, picture)
        for _ in range(5):
            for index, picture in enumerate(pictures):
                self.show(0, 1 + index, 64, 64)
                self.display.until(lambda p=picture: self.shows(0, 64, 64, p))
        self.assertEqual(self.display.log.count(SCANOUT), 1)

    def test_cursor(self):
        picture, image = self.noise(64, 64), os.urandom(4 * 64 * 64)
        self.draw(1, 64, 64, picture)
        self.show(0, 1, 64, 64)
        self.front.memory.write(PIXELS, image)
        self.ask(CREATE_2D, 9, 1, 64, 64)
        self.ask(ATTACH, 9, 1, PIXELS, 0, 4 * 64 * 64, 0)
        self.transfer(9, 0, 0, 64, 64, 64)
        negative = (1 << 32) - 5
        for words in ((UPDATE_CURSOR, 0, 20, negative, 0, 9, 3, 4, 0),
                      (MOVE_CURSOR, 0, 30, 40, 0, 0, 0, 0, 0)):
            self.cursor_queue.submit(request(*words), 24)
            self.cursor_queue.wait()
            x, y = words[2], -5 if words[3] == negative else words[3]
            self.display.until(lambda p=(x, y, 3, 4, image):
                               self.display.cursor.get(0) == p)
        self.cursor_queue.submit(request(UPDATE_CURSOR, 0, 1, 1, 0, 0, 0, 0, 0),
                                 24)
        self.cursor_queue.wait()
        self.display.until(lambda: self.display.cursor.get(0, 1) is None)

    def wait_answered(self, *modes):
        """The guest's next answer, which needs these modes."""
        self.assertIsNone(self.control.take())
        end = time.monotonic() + fe.TIMEOUT
        while not (got := self.control.take()):
            self.assertLess(time.monotonic(), end)
            self.display.is_quiet(0.05)
            self.display.answer(*modes)
        return got[1]

    def test_modes_are_the_displays(self):
        """It is asked each time that the guest asks; what cannot be is cut."""
        for modes, wanted in ((((800, 600), None), [(800, 600), (0, 0)]),
                              (((100000, 20), (640, 480)),
                               [(self.manager.max_width, 480), (640, 480)]),
                              ((None, (1, 0)), [(0, 0), (0, 0)])):
            self.control.submit(request(GET_DISPLAY_INFO), 408)
            answer = self.wait_answered(*modes)
            found = []
            for head in range(2):
                _, _, width, height, enabled, _ = struct.unpack_from(
                    "<6I", answer, 24 + 24 * head)
                found.append((width, height) if enabled else (0, 0))
            self.assertEqual(found, wanted)

    def test_a_display_that_goes_leaves_nobody_waiting(self):
        self.control.submit(request(GET_DISPLAY_INFO), 408)
        self.display.until(lambda: self.display.questions)
        self.display.close()
        self.assertEqual(struct.unpack_from("<I", self.control.wait()[1])[0],
                         OK_DISPLAY_INFO)
        self.ask(GET_DISPLAY_INFO)  # not asked of anybody
        display = Display(self.front, self.manager)
        self.addCleanup(display.close)
        self.display = display
        picture = self.noise(64, 64)
        self.draw(1, 64, 64, picture)
        self.show(0, 1, 64, 64)
        display.until(lambda: self.shows(0, 64, 64, picture))

    def test_modes_are_set_when_the_display_is_gone(self):
        """As long as it is there, it says what modes the heads have."""
        self.assertEqual(self.manager.try_mode(720, 480), -errno.EBUSY)
        self.display.close()
        # Its end may be noticed after the next request.
        self.ask(GET_DISPLAY_INFO)
        self.assertEqual(self.manager.try_mode(720, 480), 0)

    def test_a_display_that_does_not_read(self):
        """The guest never waits for it, and later it sees the last picture."""
        for index in range(2):
            self.draw(1 + index, 640, 480, self.noise(640, 480))
        for index in range(100):
            self.show(0, 1 + index % 2, 640, 480)
        last = self.noise(640, 480)
        self.draw(3, 640, 480, last)
        self.show(0, 3, 640, 480)
        self.display.until(lambda: self.shows(0, 640, 480, last))

    def test_a_display_that_breaks_the_protocol(self):
        head = struct.pack("<III", GET_INFO, REPLY, INFO_BYTES)
        # It was asked once.
        for data in (b"\xff" * 12, 2 * (head + information()),
                     struct.pack("<III", GET_INFO, REPLY, 0xffffffff)):
            self.display.socket.sendall(data)
            with self.assertRaises((fe.Gone, ConnectionResetError)):
                while True:
                    self.display.step()
            self.display = Display(self.front, self.manager)
            self.addCleanup(self.display.close)
        self.ask_display(lambda: struct.pack("<III", GET_INFO, 0, INFO_BYTES))
        self.ask_display(lambda: struct.pack("<III", GET_INFO, REPLY, 24))

    def ask_display(self, answer):
        """What is no answer ends the display, and the guest gets its own."""
        self.control.submit(request(GET_DISPLAY_INFO), 408)
        self.display.until(lambda: self.display.questions)
        self.display.socket.sendall(answer())
        self.control.wait()
        self.display = Display(self.front, self.manager)
        self.addCleanup(self.display.close)

    def test_features_that_qemu_answers_for(self):
        """vhost-user-vga offers RING_RESET whatever its back end offers."""
        self.front.close()
        self.front = self.manager.connect()
        self.addCleanup(self.front.close)
        ring_reset = 1 << 40
        self.assertFalse(self.front.ask_u64(fe.GET_FEATURES) & ring_reset)
        self.front.send(fe.SET_PROTOCOL_FEATURES, struct.pack("<Q", fe.P_ALL))
        self.assertEqual(self.front.tell(fe.SET_FEATURES, struct.pack(
            "<Q", fe.F_VERSION_1 | fe.F_PROTOCOL_FEATURES | ring_reset)), 0)

    def test_what_is_no_display(self):
        datagrams = socket.socketpair(type=socket.SOCK_SEQPACKET)
        with datagrams[0], datagrams[1]:
            self.front.send(SET_SOCKET, fds=[datagrams[0].fileno()])
            self.assertIn("no stream socket", self.manager.wait_event(
                fe.EVENT_GUEST_FAULT)[2])

    def test_a_successor_shows_it_all_again(self):
        picture = self.noise(640, 480)
        self.draw(1, 640, 480, picture)
        self.show(0, 1, 640, 480)
        for _ in range(5):
            self.display.until(lambda: self.shows(0, 640, 480, picture))
            self.ask(FLUSH, 0, 0, 640, 480, 1, 0)
            self.manager.kill()
            self.display.is_quiet()
            self.display.scanout[0] = (0, 0, bytearray())
            self.manager.start()

    def test_reset_lets_the_display_go(self):
        self.front.close()
        with self.assertRaises((fe.Gone, ConnectionResetError)):
            while True:
                self.display.step()


if __name__ == "__main__":
    unittest.main()
