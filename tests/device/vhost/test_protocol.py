# SPDX-License-Identifier: GPL-2.0-or-later
"""vhost-user messages: each in good and in bad form, in and out of order."""

import os
import random
import socket
import struct
import time
import unittest

import frontend as fe
from frontend import command


class Protocol(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.device = fe.Device()
        with cls.device.connect() as front:
            front.bring_up()
        cls.settle()
        cls.fds = fe.count_fds(cls.device.pid)

    @classmethod
    def tearDownClass(cls):
        cls.device.close()
        assert cls.device.process.returncode == 0, cls.device.messages()

    @classmethod
    def settle(cls):
        """Wait until the device is free for the next front end."""
        end = time.monotonic() + fe.TIMEOUT
        while time.monotonic() < end:
            with cls.device.connect() as front:
                try:
                    front.ask_u64(fe.GET_FEATURES)
                except fe.Gone:
                    continue
                front.socket.shutdown(socket.SHUT_WR)
                front.is_gone()
                return
        raise TimeoutError

    def setUp(self):
        self.front = self.device.connect()

    def tearDown(self):
        self.front.close()
        self.settle()
        self.assertIsNone(self.device.process.poll())
        self.assertEqual(fe.count_fds(self.device.pid), self.fds,
                         "fds have leaked")

    def assert_refused(self):
        self.assertTrue(self.front.is_gone(), "the front end was kept")

    def assert_kept(self):
        self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))

    def test_features(self):
        features = self.front.ask_u64(fe.GET_FEATURES)
        for bit in (fe.F_VERSION_1, fe.F_INDIRECT, fe.F_EVENT_IDX,
                    fe.F_PROTOCOL_FEATURES):
            self.assertTrue(features & bit)
        self.assertEqual(self.front.ask_u64(fe.GET_PROTOCOL_FEATURES),
                         fe.P_ALL)

    def test_queries(self):
        self.front.negotiate()
        self.assertEqual(self.front.ask_u64(fe.GET_QUEUE_NUM), 2)
        self.assertEqual(self.front.ask_u64(fe.GET_MAX_MEM_SLOTS), 512)

    def test_feature_not_offered(self):
        self.front.send(fe.SET_FEATURES, struct.pack("<Q", 1 << 34))
        self.assert_refused()

    def test_protocol_feature_not_offered(self):
        self.front.send(fe.SET_PROTOCOL_FEATURES, struct.pack("<Q", 1 << 1))
        self.assert_refused()

    def test_message_without_its_feature(self):
        for request, payload in ((fe.GET_CONFIG, bytes(28)),
                                 (fe.SET_CONFIG, bytes(28)),
                                 (fe.GET_SHMEM_CONFIG, b""),
                                 (fe.RESET_DEVICE, b""),
                                 (fe.GET_QUEUE_NUM, b""),
                                 (fe.GET_MAX_MEM_SLOTS, b""),
                                 (fe.REM_MEM_REG, bytes(40))):
            with self.subTest(request=request):
                self.front.send(request, payload)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_acks(self):
        self.front.negotiate()
        self.assertEqual(self.front.tell(fe.SET_OWNER), 0)
        self.assertEqual(self.front.tell(fe.RESET_OWNER), 0)
        # One that has an answer anyway is not answered twice.
        self.front.send(fe.GET_FEATURES, flags=fe.VERSION | fe.NEED_REPLY)
        self.front.receive(fe.GET_FEATURES)
        self.assertEqual(self.front.tell(fe.SET_OWNER), 0)

    def test_no_ack_unless_negotiated(self):
        self.front.send(fe.SET_OWNER, flags=fe.VERSION | fe.NEED_REPLY)
        self.assert_kept()

    def test_unknown_messages(self):
        for request in (0, 6, 19, 22, 31, 43, 45, 1000, 0xFFFFFFFF):
            with self.subTest(request=request):
                self.front.send(request)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_bad_flags(self):
        for flags in (0, 2, 3, fe.VERSION | fe.REPLY, fe.VERSION | 0x10,
                      0xFFFFFFFF):
            with self.subTest(flags=flags):
                self.front.send(fe.GET_FEATURES, flags=flags)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_bad_sizes(self):
        self.front.negotiate()
        for request, size in ((fe.GET_FEATURES, 8), (fe.SET_FEATURES, 0),
                              (fe.SET_FEATURES, 7), (fe.SET_FEATURES, 9),
                              (fe.SET_MEM_TABLE, 4), (fe.SET_MEM_TABLE, 4096),
                              (fe.SET_VRING_ADDR, 39), (fe.SET_VRING_ADDR, 41),
                              (fe.GET_CONFIG, 11), (fe.GET_CONFIG, 269),
                              (fe.ADD_MEM_REG, 32), (fe.SET_VRING_NUM, 4),
                              (fe.SET_OWNER, 0xFFFFFFFF),
                              (fe.SET_FEATURES, 0x80000000)):
            with self.subTest(request=request, size=size):
                self.front.send(request, size=size)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()
                self.front.negotiate()

    def test_half_a_message_and_gone(self):
        for size in range(1, 20):
            self.front.send_raw(struct.pack("<IIIQ", fe.SET_FEATURES, 1, 8,
                                            0)[:size])
            self.front.close()
            self.front = self.device.connect()
            end = time.monotonic() + fe.TIMEOUT
            while True:
                try:
                    self.assert_kept()
                    break
                except fe.Gone:
                    self.assertLess(time.monotonic(), end)
                    self.front.close()
                    self.front = self.device.connect()

    def test_byte_by_byte(self):
        self.front.negotiate()
        for byte in struct.pack("<III", fe.GET_QUEUE_NUM, 1, 0):
            self.front.send_raw(bytes([byte]))
            time.sleep(0.005)
        self.assertEqual(self.front.receive(fe.GET_QUEUE_NUM),
                         struct.pack("<Q", 2))

    def test_many_at_once(self):
        self.front.send_raw(struct.pack("<III", fe.GET_FEATURES, 1, 0) * 100)
        for _ in range(100):
            self.front.receive(fe.GET_FEATURES)

    def test_answers_that_nobody_reads(self):
        self.front.negotiate()
        self.front.socket.setblocking(False)
        message = struct.pack("<III", fe.GET_SHMEM_CONFIG, 1, 0)
        sent = 0
        end = time.monotonic() + 0.5
        while time.monotonic() < end:
            try:
                sent += self.front.socket.send(message * 100)
            except BlockingIOError:
                time.sleep(0.01)
        self.front.socket.settimeout(fe.TIMEOUT)
        for _ in range(sent // len(message)):
            self.front.receive(fe.GET_SHMEM_CONFIG)
        if sent % len(message):
            self.front.send_raw(message[sent % len(message):])
            self.front.receive(fe.GET_SHMEM_CONFIG)
        self.assert_kept()

    def test_too_many_fds(self):
        fds = [os.dup(0) for _ in range(40)]
        try:
            for request, payload, count in (
                    (fe.GET_FEATURES, b"", 1), (fe.GET_FEATURES, b"", 40),
                    (fe.SET_FEATURES, bytes(8), 1),
                    (fe.SET_VRING_CALL, bytes(8), 2),
                    (fe.SET_VRING_CALL, bytes(8), 0),
                    (fe.SET_VRING_CALL, struct.pack("<Q", fe.NO_FD), 1),
                    (fe.SET_MEM_TABLE, bytes(8), 1),
                    (fe.SET_MEM_TABLE, struct.pack("<II", 40, 0), 40)):
                with self.subTest(request=request, count=count):
                    self.front.send(request, payload, fds[:count])
                    self.assert_refused()
                    self.front.close()
                    self.front = self.device.connect()
        finally:
            for fd in fds:
                os.close(fd)

    def test_fds_stay_with_their_message(self):
        # The kernel shows a later message's fds to whoever looks at this.
        queue_fd = os.eventfd(0, os.EFD_NONBLOCK)
        data = struct.pack("<IIIQ", fe.SET_PROTOCOL_FEATURES, 1, 8, fe.P_ALL)
        for _ in range(50):
            self.front.send_raw(data)
            self.front.send(fe.SET_VRING_CALL, struct.pack("<Q", 0),
                            [queue_fd])
            self.front.send(fe.SET_VRING_CALL, struct.pack("<Q", fe.NO_FD))
        self.assertEqual(self.front.ask_u64(fe.GET_QUEUE_NUM), 2)
        os.close(queue_fd)

    def test_fd_of_wrong_kind(self):
        read, write = os.pipe()
        memfd = os.memfd_create("x")
        self.front.negotiate()
        for request, payload, fd in (
                (fe.SET_VRING_CALL, bytes(8), write),
                (fe.SET_VRING_ERR, bytes(8), memfd),
                (fe.SET_VRING_KICK, bytes(8), read),
                (fe.SET_BACKEND_REQ_FD, b"", memfd),
                (fe.ADD_MEM_REG, struct.pack("<QQQQQ", 0, 0, 4096,
                                             fe.USER_BASE, 0), read)):
            with self.subTest(request=request):
                self.front.send(request, payload, [fd])
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()
                self.front.negotiate()
        for fd in (read, write, memfd):
            os.close(fd)

    def set_regions(self, *regions, size=1 << 20):
        """SET_MEM_TABLE of (gpa, bytes, user, offset), refused or not."""
        memfd = os.memfd_create("guest")
        os.ftruncate(memfd, size)
        self.front.negotiate()
        self.front.send(fe.SET_MEM_TABLE, struct.pack(
            "<II", len(regions), 0) + b"".join(
                struct.pack("<QQQQ", *region) for region in regions),
            [memfd] * len(regions))
        os.close(memfd)
        try:
            self.front.ask_u64(fe.GET_QUEUE_NUM)
        except fe.Gone:
            return False
        return True

    def test_memory_tables(self):
        big = (1 << 64) - 4096
        mib = 1 << 20
        for good, regions in (
                (True, []),
                (True, [(0, mib, mib, 0)]),
                (True, [(0, 4096, 0, 4096), (8192, 4096, 8192, 0)]),
                (True, [(0, 100, 0, 12)]),
                (False, [(0, 0, 0, 0)]),
                (False, [(0, mib + 1, 0, 0)]),
                (False, [(0, mib, 0, 1)]),
                (False, [(0, mib, 0, big)]),
                (False, [(big, mib, 0, 0)]),
                (False, [(0, mib, big, 0)]),
                (False, [(0, (1 << 64) - 1, 0, 0)]),
                (False, [(0, 8192, 0, 0), (4096, 8192, 65536, 0)]),
                (False, [(0, 8192, 0, 0), (65536, 8192, 4096, 0)])):
            with self.subTest(regions=regions):
                self.assertEqual(self.set_regions(*regions), good)
                self.front.close()
                self.front = self.device.connect()

    def test_memory_table_of_wrong_size(self):
        self.front.negotiate()
        self.front.send(fe.SET_MEM_TABLE, struct.pack("<II", 9, 0))
        self.assert_refused()

    def test_memory_slots(self):
        self.front.negotiate()
        memfd = os.memfd_create("guest")
        os.ftruncate(memfd, 1 << 20)

        def region(i):
            return struct.pack("<QQQQQ", 0, i << 16, 4096, i << 16, i << 12)
        for i in range(32):
            self.assertEqual(self.front.tell(fe.ADD_MEM_REG, region(i),
                                             [memfd]), 0)
        for i in range(0, 32, 2):
            self.assertEqual(self.front.tell(fe.REM_MEM_REG, region(i)), 0)
        # "If a file descriptor is passed, the back-end MUST close it"
        self.assertEqual(self.front.tell(fe.REM_MEM_REG, region(1), [memfd]),
                         0)
        for i in range(0, 32, 2):
            self.assertEqual(self.front.tell(fe.ADD_MEM_REG, region(i),
                                             [memfd]), 0)
        self.assertEqual(self.front.tell(fe.ADD_MEM_REG, region(1), [memfd]),
                         0)
        # More than can be kept is left out, and that is all.
        self.assertEqual(self.front.tell(fe.ADD_MEM_REG, region(40), [memfd]),
                         0)
        self.assertEqual(self.front.tell(fe.REM_MEM_REG, region(40)), 0)
        self.assertEqual(self.front.tell(fe.REM_MEM_REG, region(1)), 0)
        self.assertEqual(self.front.tell(fe.ADD_MEM_REG, region(40), [memfd]),
                         0)
        os.close(memfd)

    def test_ring_set_up_wrongly(self):
        one = struct.pack
        for name, act in {
                "queue 2": lambda f, q: f.vring(fe.SET_VRING_NUM, 2, 64),
                "queue 2^32-1": lambda f, q: f.vring(fe.SET_VRING_BASE,
                                                     0xFFFFFFFF, 0),
                "queue 255": lambda f, q: f.send(fe.SET_VRING_CALL,
                                                 one("<Q", 255 | fe.NO_FD)),
                "get base of queue 2": lambda f, q: f.vring(
                    fe.GET_VRING_BASE, 2, 0),
                "enable queue 2": lambda f, q: f.vring(fe.SET_VRING_ENABLE,
                                                       2, 1),
                "enable 2": lambda f, q: f.vring(fe.SET_VRING_ENABLE, 0, 2),
                "num 0": lambda f, q: f.vring(fe.SET_VRING_NUM, 0, 0),
                "num 3": lambda f, q: f.vring(fe.SET_VRING_NUM, 0, 3),
                "num 2048": lambda f, q: f.vring(fe.SET_VRING_NUM, 0, 2048),
                "base 65536": lambda f, q: f.vring(fe.SET_VRING_BASE, 0,
                                                   65536),
                "flags": lambda f, q: f.set_addr(q, flags=1),
                "odd desc": lambda f, q: f.set_addr(
                    q, desc=fe.USER_BASE + 8),
                "odd used": lambda f, q: f.set_addr(
                    q, used=fe.USER_BASE + 2),
                "desc outside": lambda f, q: f.set_addr(q, desc=16),
                "avail outside": lambda f, q: f.set_addr(
                    q, avail=fe.USER_BASE + (16 << 20) - 64),
                "used outside": lambda f, q: f.set_addr(
                    q, used=(1 << 64) - 4),
                "kick bits": lambda f, q: f.send(
                    fe.SET_VRING_KICK, one("<Q", 1 << 9 | fe.NO_FD)),
        }.items():
            with self.subTest(name):
                self.front.negotiate()
                self.front.set_memory(fe.Memory())
                self.front.vring(fe.SET_VRING_NUM, 0, 64)
                queue = fe.Queue(self.front.memory, 0)
                self.front.queues.append(queue)
                act(self.front, queue)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_machine_that_shares_no_memory(self):
        """QEMU aborts if the device refuses to start without shared memory.
        The device starts, never answers, and an event says what to do."""
        # What one device has to complain of is told with moderation.
        with fe.Device() as device, device.connect() as front:
            front.negotiate()
            memory = fe.Memory()
            queue = fe.Queue(memory, 0)
            front.queues.append(queue)
            for _ in range(2):
                front.start(queue)
                queue.submit(fe.command(fe.ECHO, 1))
                self.assertTrue(front.ask_u64(fe.GET_FEATURES))
                self.assertEqual(front.stop(0), 0)
                queue.reset()
            self.assertEqual(device.messages().count("--memory SIZE"), 2)
            # Another driver, with memory that is shared.
            front.set_memory(memory)
            front.start(queue)
            queue.submit(fe.command(fe.ECHO, 7))
            self.assertEqual(fe.answer(queue.wait()[1])[0], 7)

    def test_ring_started_before_set_up(self):
        self.front.negotiate()
        self.front.send(fe.SET_VRING_KICK, struct.pack("<Q", fe.NO_FD))
        self.assert_refused()

    def test_ring_changed_while_running(self):
        for request, value in ((fe.SET_VRING_NUM, 64), (fe.SET_VRING_BASE, 0)):
            with self.subTest(request=request):
                self.front.bring_up()
                self.front.vring(request, 0, value)
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_features_changed_while_running(self):
        self.front.bring_up()
        self.front.send(fe.SET_FEATURES, struct.pack("<Q", fe.F_VERSION_1))
        self.assert_refused()

    def test_config_space(self):
        self.front.negotiate()
        # What QEMU asks for may be larger than what the device has.
        for offset, size in ((0, 16), (0, 24), (4, 8), (0, 256), (255, 1),
                             (256, 0)):
            request = struct.pack("<III", offset, size, 0) + bytes(size)
            got = self.front.ask(fe.GET_CONFIG, request)
            self.assertEqual(len(got), 12 + size)
            self.assertEqual(got[:12], request[:12])
        got = self.front.ask(fe.GET_CONFIG,
                             struct.pack("<III", 0, 24, 0) + bytes(24))
        self.assertEqual(got[12 + 8], 1)
        self.assertEqual(got[12 + 16:], bytes(8))

    def test_config_space_written(self):
        self.front.negotiate()
        self.front.send(fe.SET_CONFIG,
                        struct.pack("<III", 4, 4, 0) + b"\1\2\3\4")
        got = self.front.ask(fe.GET_CONFIG,
                             struct.pack("<III", 4, 4, 0) + bytes(4))
        self.assertEqual(got[12:], b"\1\2\3\4")
        # The guest may try this; its machine goes on.
        self.front.send(fe.SET_CONFIG,
                        struct.pack("<III", 100, 4, 0) + bytes(4))
        self.assert_kept()

    def test_config_space_beyond(self):
        for offset, size, given in ((0, 257, 257 - 1), (1, 256, 256),
                                    (0xFFFFFFFF, 2, 2), (0, 16, 12),
                                    (0, 0xFFFFFFFF, 4)):
            with self.subTest(offset=offset, size=size):
                self.front.negotiate()
                self.front.send(fe.GET_CONFIG, struct.pack(
                    "<III", offset, size, 0) + bytes(given))
                self.assert_refused()
                self.front.close()
                self.front = self.device.connect()

    def test_no_window_by_default(self):
        self.front.negotiate()
        got = self.front.ask(fe.GET_SHMEM_CONFIG)
        self.assertEqual(got, bytes(8 + 256 * 8))

    def test_window(self):
        with fe.Device("--host-visible-mib", "64") as device:
            with device.connect() as front:
                front.negotiate()
                got = front.ask(fe.GET_SHMEM_CONFIG)
                sizes = struct.unpack("<256Q", got[8:])
                self.assertEqual(struct.unpack_from("<I", got)[0], 1)
                self.assertEqual(sizes[1], 64 << 20)
                self.assertEqual(sum(sizes), 64 << 20)

    def test_config_change_is_told(self):
        queues = self.front.bring_up()
        queues[0].submit(command(fe.CONFIG))
        queues[0].wait()
        header = struct.unpack("<III", self.front.read_channel(12)[0])
        self.assertEqual(header, (fe.BACKEND_CONFIG_CHANGE, fe.VERSION, 0))

    def test_channel_closed_by_front_end(self):
        queues = self.front.bring_up()
        self.front.channel.close()
        for _ in range(3):
            queues[0].submit(command(fe.CONFIG))
            queues[0].wait()
        self.assert_kept()

    def test_channel_full(self):
        queues = self.front.bring_up()
        for _ in range(3000):
            queues[0].submit(command(fe.CONFIG))
            queues[0].wait()
        self.assert_kept()

    def test_channel_with_garbage(self):
        queues = self.front.bring_up()
        self.front.channel.send(b"\xff" * 100)
        queues[0].submit(command(fe.ECHO))
        queues[0].wait()
        self.assert_kept()

    def test_second_front_end_is_refused(self):
        self.assert_kept()
        with self.device.connect() as second:
            self.assertTrue(second.is_gone())
        self.assert_kept()

    def test_garbage(self):
        chance = random.Random(1)
        for _ in range(300):
            try:
                self.front.send_raw(chance.randbytes(chance.randrange(1, 600)))
            except fe.Gone:
                pass
            self.front.close()
            self.front = self.device.connect()

    def test_random_messages(self):
        """Valid headers in any order with any numbers in them."""
        chance = random.Random(2)
        sizes = {1: 0, 2: 8, 3: 0, 5: 40, 8: 8, 9: 40, 10: 8, 11: 8, 12: 8,
                 13: 8, 14: 8, 15: 0, 16: 8, 17: 0, 18: 8, 21: 0, 24: 28,
                 25: 28, 34: 0, 36: 0, 37: 40, 38: 40, 44: 0}
        numbers = (0, 0, 1, 2, 64, 256, 4096, 1 << 20, fe.USER_BASE,
                   0xFFFFFFFF, (1 << 64) - 1)
        memfd = os.memfd_create("guest")
        os.ftruncate(memfd, 1 << 20)
        eventfd = os.eventfd(0, os.EFD_NONBLOCK)
        sock, other = socket.socketpair()
        fds = {5: memfd, 37: memfd, 12: eventfd, 13: eventfd, 14: eventfd,
               21: sock.fileno()}
        for _ in range(300):
            try:
                self.front.negotiate()
                for _ in range(20):
                    request = chance.choice(list(sizes))
                    payload = b"".join(
                        struct.pack("<Q", chance.choice(numbers))
                        for _ in range(6))[:sizes[request]]
                    if request == 5:
                        payload = struct.pack("<II", 1, 0) + payload[8:]
                    self.front.send(request, payload,
                                    [fds[request]] if request in fds else [])
            except (fe.Gone, AssertionError):
                pass
            self.front.close()
            self.front = self.device.connect()
        for fd in (memfd, eventfd):
            os.close(fd)
        sock.close()
        other.close()


if __name__ == "__main__":
    unittest.main()
