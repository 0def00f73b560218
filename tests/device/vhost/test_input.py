# SPDX-License-Identifier: GPL-2.0-or-later
"""Keyboard and tablet: from a viewer of a head to a guest's event queue."""

import fcntl
import os
import random
import socket
import struct
import tempfile
import termios
import time
import unittest

import frontend as fe

# device/display/viewer_abi.h
FRAME, DAMAGE, CURSOR, CURSOR_MOVE, ACK, KEY, POINTER, MODE = range(1, 9)
LEFT, MIDDLE, RIGHT = 1, 2, 4
MSG = struct.Struct("<IIIIii")

# linux/input-event-codes.h
EV_SYN, EV_KEY, EV_REL, EV_ABS, EV_LED, EV_REP = 0, 1, 2, 3, 0x11, 0x14
KEY_A, KEY_LEFTSHIFT, KEY_MICMUTE = 30, 42, 248
BTN_LEFT, BTN_MIDDLE, BTN_RIGHT = 0x110, 0x112, 0x111
ABS_X, ABS_Y, REL_WHEEL, REL_HWHEEL = 0, 1, 8, 6
LED_CAPSL = 1
SYN = (EV_SYN, 0, 0)
# linux/virtio_input.h
ID_NAME, ID_SERIAL, ID_DEVIDS, PROP_BITS, EV_BITS, ABS_INFO = (
    1, 2, 3, 0x10, 0x11, 0x12)
CONFIG_BYTES = 136
EVENT = struct.Struct("<HHi")
RING = 4096  # events that wait for the guest (device/input/state_abi.h)
RANGE = 65536


class Events(fe.Queue):
    """The driver's side of an event queue: buffers of eight bytes."""

    def post(self, n=1, size=8, kick=True):
        for _ in range(n):
            head = self.free.pop()
            gpa = self.buffers + 4096 * head
            self.put_desc(head, gpa + 2048, size, fe.DESC_WRITE)
            self.pending[head] = None
            self.make_available(head)
        if kick:
            self.kick()

    def next(self):
        """One event, for which there is a buffer."""
        return EVENT.unpack(self.wait()[1])

    def get(self, n):
        """N events, each of which needs a buffer."""
        events = []
        for _ in range(n):
            self.post()
            events.append(self.next())
        return events


class Guest:
    """A machine's driver of one input device."""

    def __init__(self, path, num=64):
        self.front = fe.FrontEnd(path)
        self.num = num

    def start(self):
        self.front.negotiate()
        self.front.open_channel()
        self.front.set_memory(fe.Memory())
        self.events = Events(self.front.memory, 0, self.num)
        self.status = fe.Queue(self.front.memory, 1, self.num)
        self.front.queues = [self.events, self.status]
        for queue in self.front.queues:
            self.front.start(queue)
        self.front.ask_u64(fe.GET_QUEUE_NUM)
        return self

    def select(self, select, subsel=0):
        """As QEMU does it: all of the space is written, then read."""
        space = bytes([select, subsel]) + bytes(CONFIG_BYTES - 2)
        self.front.send(fe.SET_CONFIG, struct.pack("<III", 0, CONFIG_BYTES, 0) +
                        space)
        got = self.front.ask(fe.GET_CONFIG, struct.pack(
            "<III", 0, CONFIG_BYTES, 0) + bytes(CONFIG_BYTES))[12:]
        assert got[:2] == bytes([select, subsel]), got[:2]
        return got[8:8 + got[2]]

    def codes(self, kind):
        bits = self.select(EV_BITS, kind)
        return {8 * i + bit for i, byte in enumerate(bits) for bit in range(8)
                if byte >> bit & 1}

    def close(self):
        self.front.close()


class Seat(unittest.TestCase):
    heads = 1

    def setUp(self):
        self.log = tempfile.TemporaryFile("w+")
        self.addCleanup(self.log.close)
        self.manager = fe.Manager(program=fe.DEVICE, log=self.log,
                                  has_seat=True, heads=self.heads)
        self.addCleanup(self.manager.close)
        self.manager.start()
        self.keyboard = self.guest("keyboard")
        self.tablet = self.guest("tablet")

    def guest(self, name, **how):
        guest = Guest(self.manager.input_path(name), **how)
        self.addCleanup(guest.close)
        return guest

    def view(self, head=0, has_input=True):
        viewer = self.manager.view(head, has_input)
        self.addCleanup(viewer.close)
        return viewer

    @staticmethod
    def type(viewer, code, is_down):
        viewer.send(MSG.pack(KEY, code, is_down, 0, 0, 0))

    @staticmethod
    def point(viewer, x, y, buttons=0, up=0, right=0):
        viewer.send(MSG.pack(POINTER, buttons, up & 0xFFFFFFFF,
                             right & 0xFFFFFFFF, x, y))

    def settle(self, viewer):
        """What VIEWER sent has been handled."""
        end = time.monotonic() + fe.TIMEOUT
        while struct.unpack("i", fcntl.ioctl(viewer, termios.TIOCOUTQ, bytes(4)))[0]:
            assert time.monotonic() < end, "it is not read"
            time.sleep(0.001)
        self.manager.set_mode(800, 600)


class Devices(Seat):
    def test_what_they_are(self):
        self.assertEqual(self.keyboard.front.ask_u64(fe.GET_FEATURES) & 0xFFFFFF, 0)
        for guest, name in ((self.keyboard, b"OpenVGPU Keyboard"),
                            (self.tablet, b"OpenVGPU Tablet")):
            guest.start()
            self.assertEqual(guest.select(ID_NAME), name)
            self.assertEqual(guest.select(ID_SERIAL), b"")
            self.assertEqual(len(guest.select(ID_DEVIDS)), 8)
            self.assertEqual(guest.select(PROP_BITS), b"")
            self.assertEqual(guest.select(0x77, 0x99), b"")
        self.assertEqual(self.keyboard.codes(EV_KEY), set(range(1, 249)))
        self.assertEqual(self.keyboard.codes(EV_LED), {0, 1, 2})
        self.assertTrue(self.keyboard.select(EV_BITS, EV_REP))
        for kind in (EV_ABS, EV_REL):
            self.assertEqual(self.keyboard.codes(kind), set())
        self.assertEqual(self.tablet.codes(EV_KEY), set(range(0x110, 0x115)))
        self.assertEqual(self.tablet.codes(EV_ABS), {ABS_X, ABS_Y})
        self.assertEqual(self.tablet.codes(EV_REL), {REL_WHEEL, REL_HWHEEL})
        for axis in ABS_X, ABS_Y:
            self.assertEqual(
                struct.unpack("<5I", self.tablet.select(ABS_INFO, axis)),
                (0, RANGE - 1, 0, 0, 0))
        self.assertEqual(self.tablet.select(ABS_INFO, 2), b"")

    def test_config_by_bytes(self):
        """A VMM may write one byte, and read some."""
        self.keyboard.start()
        front = self.keyboard.front
        for at, value in ((0, ID_NAME), (1, 0)):
            front.send(fe.SET_CONFIG, struct.pack("<III", at, 1, 0) + bytes([value]))
        got = front.ask(fe.GET_CONFIG, struct.pack("<III", 8, 8, 0) + bytes(8))
        self.assertEqual(got[12:], b"OpenVGPU")
        # Beyond what there is: nothing happens.
        front.send(fe.SET_CONFIG, struct.pack("<III", 255, 2, 0) + b"xx")
        front.send(fe.SET_CONFIG, struct.pack("<III", 1 << 31, 2, 0) + b"xx")
        self.manager.wait_event(fe.EVENT_GUEST_FAULT)
        self.assertEqual(self.keyboard.select(ID_NAME), b"OpenVGPU Keyboard")

    def test_messages_of_other_devices(self):
        """A display socket is a GPU's, and the window too."""
        self.keyboard.start()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            self.keyboard.front.send(33, fds=[theirs.fileno()])
            # It closes the connection, and says so: the manager has it, too.
            while not fe.wait_readable(self.keyboard.front.socket, 0.02):
                self.manager.pump()
            self.assertTrue(self.keyboard.front.is_gone())
        self.tablet.start()
        self.assertEqual(self.tablet.front.ask(fe.GET_SHMEM_CONFIG)[:4], bytes(4))
        # The other device lives, and so does the GPU.
        self.assertEqual(self.tablet.select(ID_NAME), b"OpenVGPU Tablet")
        front = self.manager.connect()
        self.addCleanup(front.close)
        self.assertTrue(front.ask_u64(fe.GET_FEATURES))

    def test_no_seat(self):
        """A vGPU that an older vgpud has made."""
        manager = fe.Manager(program=fe.DEVICE, log=self.log)
        self.addCleanup(manager.close)
        manager.start()
        with manager.view() as viewer:
            self.type(viewer, KEY_A, 1)
            self.point(viewer, 1, 1, LEFT)
            viewer.send(MSG.pack(MODE, 640, 480, 0, 0, 0))
            while manager.head[2:] != (640, 480):
                manager.wait_status()


class Keyboard(Seat):
    def setUp(self):
        super().setUp()
        self.keyboard.start()
        self.events = self.keyboard.events
        self.viewer = self.view()

    def test_keys(self):
        self.events.post(8)
        self.type(self.viewer, KEY_LEFTSHIFT, 1)
        self.type(self.viewer, KEY_A, 1)
        self.type(self.viewer, KEY_A, 0)
        self.type(self.viewer, KEY_LEFTSHIFT, 0)
        self.assertEqual([self.events.next() for _ in range(8)], [
            (EV_KEY, KEY_LEFTSHIFT, 1), SYN, (EV_KEY, KEY_A, 1), SYN,
            (EV_KEY, KEY_A, 0), SYN, (EV_KEY, KEY_LEFTSHIFT, 0), SYN])

    def test_buffers_that_come_later(self):
        self.type(self.viewer, KEY_A, 1)
        self.type(self.viewer, KEY_A, 1)  # a client that repeats
        self.type(self.viewer, KEY_A, 0)
        self.type(self.viewer, KEY_A, 0)
        self.assertEqual(self.events.get(4), [
            (EV_KEY, KEY_A, 1), SYN, (EV_KEY, KEY_A, 0), SYN])
        self.events.post()
        self.type(self.viewer, KEY_MICMUTE, 1)
        self.assertEqual(self.events.next(), (EV_KEY, KEY_MICMUTE, 1))

    def test_codes_that_there_are_not(self):
        for code in (0, 249, 255, BTN_LEFT, 767, 768, 1 << 20, (1 << 32) - 1):
            self.type(self.viewer, code, 1)
            self.type(self.viewer, code, 0)
        self.type(self.viewer, KEY_A, 1)
        self.assertEqual(self.events.get(2), [(EV_KEY, KEY_A, 1), SYN])

    def test_a_viewer_that_goes_lets_go(self):
        other = self.view()  # replaces the first: there is one a head
        self.type(other, KEY_A, 1)
        self.type(other, KEY_LEFTSHIFT, 1)
        self.assertEqual(self.events.get(4), [
            (EV_KEY, KEY_A, 1), SYN, (EV_KEY, KEY_LEFTSHIFT, 1), SYN])
        other.close()
        self.assertEqual(self.events.get(4), [
            (EV_KEY, KEY_A, 0), SYN, (EV_KEY, KEY_LEFTSHIFT, 0), SYN])

    def test_a_viewer_that_may_only_look(self):
        """It is cut off as soon as it tries more, and nothing reaches the guest."""
        for message in (MSG.pack(KEY, KEY_A, 1, 0, 0, 0),
                        MSG.pack(POINTER, LEFT, 0, 0, 5, 5),
                        MSG.pack(MODE, 640, 480, 0, 0, 0)):
            viewer = self.view(has_input=False)
            viewer.send(message)
            while viewer.recv(100):
                pass
        self.type(self.view(), KEY_LEFTSHIFT, 1)
        self.assertEqual(self.events.get(1), [(EV_KEY, KEY_LEFTSHIFT, 1)])

    def test_messages_that_make_no_sense(self):
        for message in (MSG.pack(9, 0, 0, 0, 0, 0), MSG.pack(0, 0, 0, 0, 0, 0),
                        MSG.pack(FRAME, 1, 1, 4, 0, 0), b"x", bytes(25)):
            viewer = self.view()
            viewer.send(message)
            while viewer.recv(100):
                pass
        self.type(self.view(), KEY_A, 1)
        self.assertEqual(self.events.get(1), [(EV_KEY, KEY_A, 1)])

    def test_a_guest_that_does_not_listen(self):
        """It misses presses, and no release; the device keeps no more than its
        ring has room for."""
        for _ in range(12):
            for is_down in 1, 0:
                for code in range(1, 200):
                    self.type(self.viewer, code, is_down)
            self.settle(self.viewer)
            time.sleep(0.2)  # within the rate
        self.viewer.close()
        down, seen = set(), []
        self.events.post(30)
        while True:
            try:
                event = EVENT.unpack(self.events.wait(1)[1])
            except TimeoutError:
                break
            self.events.post()
            if event != SYN:
                seen.append(event)
                (down.add if event[2] else down.discard)(event[1])
        self.assertEqual(down, set())
        self.assertGreaterEqual(2 * len(seen), RING // 2)
        self.assertLessEqual(2 * len(seen), RING)

    def test_a_rate(self):
        """A viewer that sends without end is not heard beyond a rate; others
        are, and so is the manager."""
        begin = time.monotonic()
        for i in range(3000):
            self.type(self.viewer, 2 + i % 100, 1)
            self.type(self.viewer, 2 + i % 100, 0)
        self.settle(self.viewer)
        seconds = time.monotonic() - begin
        got, self.presses = 0, 0
        self.events.post(30)
        while True:
            try:
                self.presses += EVENT.unpack(self.events.wait(1)[1])[2]
            except TimeoutError:
                break
            got += 1
            self.events.post()
        self.assertLessEqual(got, RING)
        self.assertLessEqual(self.presses, 200 + 1000 * seconds + 1)

    def test_leds_and_bad_status(self):
        status = self.keyboard.status
        for value in (1, 0):
            status.submit(EVENT.pack(EV_LED, LED_CAPSL, value), writable=0)
            self.assertEqual(status.wait()[1], b"")
        for bad in (EVENT.pack(EV_LED, 77, 1), EVENT.pack(EV_KEY, 1, 1), b"abc"):
            status.submit(bad, writable=0)
            self.assertEqual(status.wait()[1], b"")
        self.manager.wait_event(fe.EVENT_GUEST_FAULT)
        self.type(self.viewer, KEY_A, 1)
        self.assertEqual(self.events.get(1), [(EV_KEY, KEY_A, 1)])

    def test_a_buffer_that_is_too_small(self):
        self.events.post(size=7)
        self.type(self.viewer, KEY_A, 1)
        self.assertEqual(self.events.wait()[1], b"")
        self.manager.wait_event(fe.EVENT_GUEST_FAULT)
        self.assertEqual(self.events.get(1), [(EV_KEY, KEY_A, 1)])

    def test_a_broken_ring(self):
        self.events.make_available(9999)
        self.type(self.viewer, KEY_A, 1)
        self.manager.wait_event(fe.EVENT_GUEST_FAULT)
        self.assertTrue(fe.wait_readable(self.events.err_fd))
        # The GPU is not affected.
        front = self.manager.connect()
        self.addCleanup(front.close)
        self.assertTrue(front.ask_u64(fe.GET_FEATURES))

    def test_a_machine_that_is_reset(self):
        """Nothing that was typed before reaches the next driver."""
        self.type(self.viewer, KEY_A, 1)
        self.settle(self.viewer)
        for index in range(2):
            self.keyboard.front.stop(index)
        self.type(self.viewer, KEY_LEFTSHIFT, 1)
        self.settle(self.viewer)
        for queue in self.keyboard.front.queues:
            queue.reset()
            # Elsewhere than where it ended: another driver.
            self.keyboard.front.vring(fe.SET_VRING_BASE, queue.index, 0)
        self.events.next_avail = self.events.next_used = 0
        self.keyboard.front.send(fe.RESET_DEVICE)
        for queue in self.keyboard.front.queues:
            self.keyboard.front.start(queue)
        self.keyboard.front.ask_u64(fe.GET_QUEUE_NUM)
        self.type(self.viewer, 5, 1)
        self.assertEqual(self.events.get(2), [(EV_KEY, 5, 1), SYN])

    def test_a_machine_that_pauses(self):
        """A release while it pauses comes when it goes on; a press does not."""
        self.type(self.viewer, KEY_A, 1)
        self.assertEqual(self.events.get(2), [(EV_KEY, KEY_A, 1), SYN])
        base = self.keyboard.front.stop(0)
        self.type(self.viewer, KEY_A, 0)
        self.type(self.viewer, KEY_LEFTSHIFT, 1)
        self.settle(self.viewer)
        self.keyboard.front.start(self.events, base)
        self.keyboard.front.ask_u64(fe.GET_QUEUE_NUM)
        self.assertEqual(self.events.get(2), [(EV_KEY, KEY_A, 0), SYN])
        self.type(self.viewer, KEY_LEFTSHIFT, 0)
        self.type(self.viewer, KEY_LEFTSHIFT, 1)
        self.assertEqual(self.events.get(1), [(EV_KEY, KEY_LEFTSHIFT, 1)])


class Successor(Seat):
    def test_goes_on(self):
        """The device process is killed: its successor serves the same driver,
        and lets go of what was held."""
        self.keyboard.start()
        self.tablet.start()
        events = self.keyboard.events
        viewer = self.view()
        self.type(viewer, KEY_A, 1)
        self.assertEqual(events.get(1), [(EV_KEY, KEY_A, 1)])
        self.manager.pump()
        self.manager.kill()
        self.manager.start()
        self.assertEqual(events.get(3), [SYN, (EV_KEY, KEY_A, 0), SYN])
        viewer = self.view()
        self.type(viewer, 5, 1)
        self.assertEqual(events.get(2), [(EV_KEY, 5, 1), SYN])
        self.point(viewer, 0, 0)
        self.assertEqual(self.tablet.events.get(1)[0][:2], (EV_ABS, ABS_X))
        self.assertEqual(self.keyboard.select(ID_NAME), b"OpenVGPU Keyboard")

    def test_killed_while_it_sends(self):
        """Whenever it dies, each press has its release in the end."""
        self.keyboard.start()
        events = self.keyboard.events
        number = random.Random(20)
        down = set()

        def take():
            while (got := events.take()) is not None:
                kind, code, value = EVENT.unpack(got[1])
                if kind == EV_KEY:
                    self.assertEqual(code in down, not value)
                    (down.add if value else down.discard)(code)
                events.post()

        events.post(30)
        for _ in range(15):
            viewer = self.view()
            for _ in range(number.randrange(1, 60)):
                code = number.randrange(1, 60)
                self.type(viewer, code, number.randrange(2))
                if number.randrange(8) == 0:
                    take()
            if number.randrange(2):
                time.sleep(number.random() / 100)
            self.manager.pump()
            self.manager.kill()
            self.manager.start()
            viewer.close()
        end = time.monotonic() + fe.TIMEOUT
        while down and time.monotonic() < end:
            take()
        self.assertEqual(down, set())

    def test_a_state_block_that_is_corrupt(self):
        """What another could have written harms nothing beyond the guest."""
        for at, data in ((0, os.urandom(32)), (4096 * 9, os.urandom(4096))):
            self.keyboard.close()
            manager = fe.Manager(program=fe.DEVICE, log=self.log, has_seat=True)
            self.addCleanup(manager.close)
            manager.start()
            guest = Guest(manager.input_path("keyboard")).start()
            self.addCleanup(guest.close)
            manager.pump()
            manager.kill()
            state = manager.slots[fe.SLOT_INPUTS["keyboard"] + fe.SLOT_STATE]
            os.pwrite(state, data, at)
            if at == 0:  # it is no block: refused, in one line
                with self.assertRaises(fe.Gone):
                    manager.start()
                continue
            manager.start()
            guest.events.post(30)
            viewer = manager.view()
            self.addCleanup(viewer.close)
            self.type(viewer, KEY_A, 1)
            while EVENT.unpack(guest.events.wait()[1]) != (EV_KEY, KEY_A, 1):
                guest.events.post()


class Tablet(Seat):
    heads = 2

    def setUp(self):
        super().setUp()
        self.tablet.start()
        self.events = self.tablet.events
        self.manager.send(fe.control_message(fe.C_SET_MODE, 7, struct.pack(
            "<III", 1, 1280, 1024)))
        self.assertEqual(self.manager.wait_reply()[1], 0)
        self.manager.set_mode(800, 600)

    @staticmethod
    def pixel(value, size):
        """Where a guest finds it (libinput)."""
        return value * size // RANGE

    def position(self):
        (x, y, syn) = self.events.get(3)
        self.assertEqual((x[:2], y[:2], syn), ((EV_ABS, ABS_X), (EV_ABS, ABS_Y), SYN))
        return (self.pixel(x[2], 800 + 1280), self.pixel(y[2], 1024))

    def test_two_heads_side_by_side(self):
        left, right = self.view(0), self.view(1)
        for viewer, x, y, found in (
                (left, 0, 0, (0, 0)), (left, 799, 599, (799, 599)),
                (left, 123, 456, (123, 456)), (right, 0, 0, (800, 0)),
                (right, 1279, 1023, (2079, 1023)), (right, 77, 1000, (877, 1000)),
                # Beyond the head: its edge, and no other head.
                (left, 5000, -5, (799, 0)), (right, -2147483648, 2147483647, (800, 1023))):
            self.point(viewer, x, y)
            self.assertEqual(self.position(), found)

    def test_every_pixel(self):
        viewer = self.view(1)
        for x in range(0, 1280, 7):
            self.point(viewer, x, x % 1024)
            self.assertEqual(self.position(), (800 + x, x % 1024))

    def test_moves_that_nobody_fetched_are_one(self):
        viewer = self.view()
        for x in range(100):
            self.point(viewer, x, 2 * x)
        self.settle(viewer)
        self.assertEqual(self.events.take(), None)
        self.events.post(6)
        got = [self.events.next() for _ in range(3)]
        self.assertEqual(self.events.take(), None)
        self.assertEqual(self.pixel(got[0][2], 800 + 1280), 99)

    def test_buttons_and_wheel(self):
        viewer = self.view()
        self.point(viewer, 5, 5, LEFT)
        self.assertEqual(self.position(), (5, 5))
        self.assertEqual(self.events.get(2), [(EV_KEY, BTN_LEFT, 1), SYN])
        self.point(viewer, 6, 6, LEFT | RIGHT | MIDDLE)
        self.position()
        self.assertEqual(self.events.get(4), [
            (EV_KEY, BTN_MIDDLE, 1), SYN, (EV_KEY, BTN_RIGHT, 1), SYN])
        self.point(viewer, 6, 6, 0, up=-1, right=2)
        self.position()
        self.assertEqual(self.events.get(10), [
            (EV_KEY, BTN_LEFT, 0), SYN, (EV_KEY, BTN_MIDDLE, 0), SYN,
            (EV_KEY, BTN_RIGHT, 0), SYN, (EV_REL, REL_WHEEL, -1), SYN,
            (EV_REL, REL_HWHEEL, 2), SYN])
        self.point(viewer, 6, 6, 0xFFFFFFE0, up=-2147483648, right=2147483647)
        self.position()
        self.assertEqual(self.events.get(4), [
            (EV_REL, REL_WHEEL, -16), SYN, (EV_REL, REL_HWHEEL, 16), SYN])

    def test_two_viewers_hold_one_button(self):
        left, right = self.view(0), self.view(1)
        self.point(left, 5, 5, LEFT)
        self.position()
        self.assertEqual(self.events.get(2), [(EV_KEY, BTN_LEFT, 1), SYN])
        self.point(right, 5, 5, LEFT)
        self.position()
        left.close()
        self.settle(right)
        self.point(right, 6, 6, LEFT)
        self.position()
        self.point(right, 7, 7, 0)
        self.position()
        self.assertEqual(self.events.get(2), [(EV_KEY, BTN_LEFT, 0), SYN])


if __name__ == "__main__":
    unittest.main()
