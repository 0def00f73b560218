# SPDX-License-Identifier: GPL-2.0-or-later
"""A device with a manager: its fds, its successors, a manager's successors."""

import contextlib
import os
import random
import socket
import struct
import tempfile
import threading
import time
import unittest

import frontend as fe
from frontend import command

CYCLES = int(os.environ.get("VGPU_CYCLES", "100"))


class Managed(unittest.TestCase):
    def setUp(self):
        self.log = tempfile.TemporaryFile("w+")
        self.manager = fe.Manager(log=self.log)
        self.front = None

    def tearDown(self):
        if self.front:
            self.front.close()
        self.manager.close()
        self.log.seek(0)
        self.said = self.log.read()
        self.log.close()
        if self.said and os.environ.get("VGPU_VERBOSE"):
            print(self.said)

    def bring_up(self, **how):
        self.manager.start()
        self.front = self.manager.connect()
        queues = self.front.bring_up(**how)
        self.manager.pump()
        return queues

    def succeed(self, **how):
        self.manager.kill()
        self.manager.start(**how)

    def echo(self, queue, number=1):
        queue.submit(command(fe.ECHO, number))
        self.assertEqual(fe.answer(queue.wait()[1])[0], number)

    def test_status(self):
        self.manager.start()
        self.assertEqual(self.manager.statuses[-1][:4], (0, 0, 1, 0))
        self.front = self.manager.connect()
        status = self.manager.wait_status()
        self.assertEqual(status[:2], (1, os.getpid()))
        self.front.close()
        self.front = None
        self.assertEqual(self.manager.wait_status()[:2], (0, 0))
        self.succeed()
        self.assertEqual(self.manager.statuses[-1][:4], (0, 0, 1, 1))

    def test_cut_off_and_alive(self):
        """A VM that was cut off has the framebuffer in its window until it
        ends: nobody else gets it before."""
        self.manager.start()
        told, tell = os.pipe()
        vmm = os.fork()
        if vmm == 0:
            try:
                front = self.manager.connect()
                front.send(99, b"")
                front.is_gone()
                os.write(tell, b"x")
                time.sleep(fe.TIMEOUT)
            finally:
                os._exit(1)
        os.close(tell)
        while not fe.wait_readable(told, 0.02):
            self.manager.pump()
        self.assertEqual(os.read(told, 1), b"x")
        os.close(told)
        try:
            while self.manager.statuses[-1][:2] != (1, vmm):
                self.manager.wait_status()
            for _ in range(3):
                with self.manager.connect() as other:
                    self.assertTrue(other.is_gone())
            self.manager.pump()
            self.assertEqual(self.manager.statuses[-1][:2], (1, vmm))
        finally:
            os.kill(vmm, 9)
            os.waitpid(vmm, 0)
        while self.manager.statuses[-1][0]:
            self.manager.wait_status()
        self.front = self.manager.connect()
        self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))
        # One that comes again is let in.
        self.front.send(99, b"")
        self.manager.wait_event(fe.EVENT_GUEST_FAULT)
        self.manager.pump()
        self.front.close()
        self.front = self.manager.connect()
        self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))

    def test_fds_come_and_go(self):
        self.manager.start()
        before = set(self.manager.slots)
        for _ in range(3):
            self.front = self.manager.connect()
            self.front.bring_up()
            self.manager.pump()
            # connection, channel, memory, kick, call and error fds
            self.assertEqual(set(self.manager.slots) - before,
                             {4, 5, 16, 64, 65, 80, 81, 96, 97})
            self.front.close()
            self.front = None
            while self.manager.wait_status()[0] != 0:
                pass
            self.manager.pump()
            self.assertEqual(set(self.manager.slots), before | {6, 7})
            before |= {6, 7}

    def test_no_segments(self):
        """The framebuffer of a GPU with memory of its own is not held in files."""
        self.manager.segments = 0
        self.manager.start()
        self.front = self.manager.connect()
        self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))

    def test_bad_starts(self):
        good = struct.pack(fe.START_FORMAT, b"", b"test", b"1Q",
                           fe.START_VERSION, 1, 1920, 1080, 2, 60, 1 << 20,
                           2 << 20, 0, b"", 0, 1, 1 << 29,
                           self.manager.key)
        at = 128

        def with_u32(index, value):
            return (good[:at + 4 * index] + struct.pack("<I", value) +
                    good[at + 4 * index + 4:])

        def with_u64(index, value):
            return (good[:at + 24 + 8 * index] + struct.pack("<Q", value) +
                    good[at + 32 + 8 * index:])
        for name, start in {
                "version": with_u32(0, fe.START_VERSION + 1), "heads": with_u32(1, 17),
                "width": with_u32(2, 8193), "height": with_u32(3, 0),
                "many segments": with_u32(4, 0xFFFFFFFF),
                "segment size": with_u64(0, 4 << 20),
                "odd size": with_u64(1, 12345),
                "size": with_u64(1, 4 << 20),
                "window": with_u64(2, 3 << 20)}.items():
            with self.subTest(name):
                ours, theirs = socket.socketpair(socket.AF_UNIX,
                                                 socket.SOCK_SEQPACKET)
                ours.settimeout(fe.TIMEOUT)
                self.manager.socket = ours
                process = fe.subprocess.Popen(
                    [fe.TEST_DEVICE, "--control-fd", str(theirs.fileno())],
                    pass_fds=[theirs.fileno()],
                    stderr=fe.subprocess.PIPE, text=True)
                theirs.close()
                for slot, fd in self.manager.slots.items():
                    self.manager.send(fe.control_message(
                        fe.C_FD, 0, struct.pack("<I", slot)), fd)
                self.manager.send(fe.control_message(fe.C_START, 0, start))
                _, said = process.communicate(timeout=fe.TIMEOUT)
                self.assertEqual(process.returncode, 1)
                self.assertEqual(len(said.splitlines()), 1, said)
                ours.close()
                self.manager.socket = None

    def test_manager_gone_before_start(self):
        for data in (None, fe.control_message(fe.C_STATUS), b"short"):
            ours, theirs = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_SEQPACKET)
            process = fe.subprocess.Popen(
                [fe.TEST_DEVICE, "--control-fd", str(theirs.fileno())],
                pass_fds=[theirs.fileno()], stderr=fe.subprocess.PIPE,
                text=True)
            theirs.close()
            if data:
                ours.send(data)
            else:
                ours.close()
            _, said = process.communicate(timeout=fe.TIMEOUT)
            self.assertEqual(process.returncode, 1)
            self.assertEqual(len(said.splitlines()), 1, said)
            ours.close()

    def test_requests(self):
        self.manager.start()
        pixel = b"\1\2\3\4"
        self.manager.send(fe.control_message(fe.C_CAPTURE, 5))
        serial, status, frame, text, fds = self.manager.wait_reply()
        self.assertEqual((serial, status, frame, text), (5, 0, (1, 1, 4), ""))
        self.assertEqual(os.pread(fds[0], 8, 0), pixel)
        os.close(fds[0])

        self.manager.send(fe.control_message(fe.C_CAPTURE, 6,
                                             struct.pack("<I", 9)))
        serial, status, _, text, fds = self.manager.wait_reply()
        self.assertEqual((serial, fds), (6, []))
        self.assertLess(status, 0)
        self.assertIn("head 9", text)

        self.manager.set_mode(800, 600)

    def test_viewers(self):
        self.manager.start()
        for head, good in ((0, True), (0, True), (99, False)):
            ours, theirs = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_SEQPACKET)
            ours.settimeout(fe.TIMEOUT)
            self.manager.send(fe.control_message(
                fe.C_VIEW, 8, struct.pack("<I", head)), theirs.fileno())
            theirs.close()
            self.assertEqual(self.manager.wait_reply()[1] == 0, good)
            if good:
                ours.send(b"x")
                self.assertEqual(ours.recv(1), b"x")
            else:
                self.assertEqual(ours.recv(1), b"")
            ours.close()
        self.manager.send(fe.control_message(fe.C_VIEW, 9))
        self.assertLess(self.manager.wait_reply()[1], 0)

    def test_goes_on_without_manager(self):
        queue = self.bring_up()[0]
        self.manager.socket.close()
        for i in range(20):
            self.echo(queue, i)
        self.manager.socket = None
        self.front.close()
        self.front = self.manager.connect()
        self.echo(self.front.bring_up()[0])

    def test_a_manager_that_does_not_listen(self):
        """Its socket fills up; the device does not wait for it."""
        queue = self.bring_up()[0]
        i = 0
        while i < 400:
            self.front.close()
            self.front = self.manager.connect()
            try:
                queue = self.front.bring_up()[0]
            except fe.Gone:
                continue
            self.echo(queue, i)
            i += 1
        # Then it listens, and has what a successor needs.
        self.manager.pump()
        self.manager.set_mode(800, 600)
        self.succeed()
        self.echo(queue, 5)

    def test_next_manager(self):
        queue = self.bring_up()[0]
        had = set(self.manager.slots)
        for i in range(5):
            self.manager.take_over()
            self.assertEqual(set(self.manager.slots), had)
            self.assertEqual(self.manager.statuses[-1][0], 1)
            self.echo(queue, i)
            self.succeed()
            self.echo(queue, i)

    def test_next_manager_on_the_same_connection(self):
        """Its socket was kept: it asks for all there is, and gets on."""
        queue = self.bring_up()[0]
        had = set(self.manager.slots)
        self.manager.pump()
        for i in range(1, 4):
            for slot in had - {fe.SLOT_STATE, fe.SLOT_LISTEN}:
                self.manager.drop(slot)
            self.manager.send(fe.control_message(fe.C_ADOPT, i))
            while self.manager.status_serial != i:
                self.manager.wait_status()
            self.assertEqual(set(self.manager.slots), had)
            self.echo(queue, i)
            self.succeed()
            self.echo(queue, i)

    def test_no_next_manager(self):
        """No other could ever reach it: the device ends with its manager."""
        self.manager.close()
        self.manager = fe.Manager(log=self.log, door=False)
        queue = self.bring_up()[0]
        self.echo(queue)
        self.manager.socket.close()
        self.assertEqual(self.manager.process.wait(fe.TIMEOUT), 0)
        self.manager.socket = None

    def test_next_manager_without_the_key(self):
        """Nobody is handed the guest's memory for being let in."""
        queue = self.bring_up()[0]
        key = self.manager.key
        for words in ([], [fe.control_message(fe.C_ADOPT)],
                      [fe.control_message(fe.C_ADOPT, 0, key[:31] + b"x")],
                      [fe.control_message(fe.C_ADOPT, 0, os.urandom(32)),
                       fe.control_message(fe.C_ADOPT, 0, key)],
                      [fe.control_message(fe.C_START, 0, key)],
                      [fe.control_message(fe.C_ADOPT, 0, key)[:100]]):
            with self.subTest(words=words):
                stranger = self.manager.ask_for_all(*words)
                if not words:
                    stranger.shutdown(socket.SHUT_WR)
                with contextlib.suppress(ConnectionResetError):
                    data, fds, _, _ = socket.recv_fds(stranger, 512, 4)
                    self.assertEqual((data, fds), (b"", []))
                stranger.close()
                text = self.manager.wait_event(fe.EVENT_REFUSED)[2]
                self.assertIn(f"process {os.getpid()} asked", text)
                self.manager.events.clear()
        # Those who say nothing keep nobody out.
        silent = [self.manager.ask_for_all() for _ in range(12)]
        self.manager.take_over()
        self.echo(queue, 1)
        for stranger in silent:
            stranger.close()
        self.succeed()
        self.echo(queue, 2)

    def test_killed_between_requests(self):
        queues = self.bring_up()
        for i in range(20):
            self.echo(queues[0], i)
            self.succeed()
            self.assertEqual(self.manager.wait_event(fe.EVENT_RESUMED)[2],
                             f"successor {i + 1} of its device process "
                             "goes on")
            self.manager.events.clear()
            queues[1].submit(bytes(56), 0)
            queues[1].wait()

    def test_request_while_nobody_is_there(self):
        queue = self.bring_up()[0]
        self.manager.kill()
        for i in range(20):
            queue.submit(command(fe.ECHO, i))
        self.manager.start()
        for i in range(20):
            self.assertEqual(fe.answer(queue.wait()[1])[0], i)

    def test_killed_in_a_request(self):
        queue = self.bring_up()[0]
        queue.submit(command(fe.DIE, 7))
        self.manager.end()
        self.manager.start()
        number, is_retry, executed, _ = fe.answer(queue.wait()[1])
        self.assertEqual((number, is_retry, executed), (7, 1, 2))
        self.echo(queue)

    def test_killed_twice_in_a_request(self):
        queue = self.bring_up()[0]
        # With a fence that somebody waits for, as virtio_gpu_ctrl_hdr has it.
        queue.submit(struct.pack("<IIQII", fe.DIE_AGAIN, 1, 77, 5, 0))
        queue.submit(command(fe.ECHO, 8))
        self.manager.end()
        self.manager.start(wait=False)
        self.manager.end()
        self.manager.start()
        head = struct.unpack("<IIQII", queue.wait()[1])
        self.assertEqual(head, (0x1200, 1, 77, 5, 0))
        self.assertEqual(fe.answer(queue.wait()[1])[0], 8)
        self.assertIn("killed", self.manager.wait_event(
            fe.EVENT_GUEST_FAULT)[2])
        self.echo(queue)

    def test_killed_while_requests_wait(self):
        """Requests that only wait are not blamed for the death of the device,
        however often it dies."""
        queue = self.bring_up()[0]
        for i in range(4):
            queue.submit(command(fe.KEEP, i))
        for i in range(4):
            self.echo(queue, 100 + i)
            self.succeed()
        queue.submit(command(fe.RELEASE, 200))
        got = [fe.answer(queue.wait()[1]) for _ in range(5)]
        self.assertEqual(sorted(number for number, *_ in got),
                         [0, 1, 2, 3, 200])
        self.assertEqual([retry for _, retry, *_ in got], [1, 1, 1, 1, 0])

    def test_killed_while_a_queue_is_to_stop(self):
        queue = self.bring_up()[0]
        queue.submit(command(fe.KEEP, 7))
        self.echo(queue)
        self.front.send(fe.GET_VRING_BASE, struct.pack("<II", 0, 0))
        time.sleep(0.05)
        self.succeed()
        # The request was begun again, and is given up in the end.
        self.assertEqual(struct.unpack("<II", self.front.receive(
            fe.GET_VRING_BASE)), (0, 2))
        self.assertEqual(struct.unpack_from("<I", queue.wait()[1])[0], 0x1200)

    def test_front_end_gone_while_nobody_is_there(self):
        self.bring_up()
        self.manager.kill()
        self.front.close()
        self.manager.start()
        self.front = self.manager.connect()
        while True:
            try:
                self.echo(self.front.bring_up()[0])
                break
            except fe.Gone:
                self.front.close()
                self.front = self.manager.connect()

    def test_broken_ring_stays_broken(self):
        queue = self.bring_up()[0]
        queue.make_available(1000)
        queue.kick()
        self.assertTrue(fe.wait_readable(queue.err_fd))
        self.succeed()
        queue.submit(command(fe.ECHO))
        self.front.ask_u64(fe.GET_FEATURES)
        self.assertEqual(queue.used_index(), 0)

    def test_hostile_state_blocks(self):
        self.bring_up()
        self.manager.kill()
        fd = self.manager.slots[fe.SLOT_STATE]
        good = os.pread(fd, 1 << 16, 0)
        chance = random.Random(5)
        outcomes = set()
        for i in range(150):
            bad = bytearray(good)
            for _ in range(chance.randrange(1, 8)):
                at = chance.randrange(0, 3000)
                bad[at] = chance.choice((0, 1, 0x7F, 0xFF,
                                         chance.randrange(256)))
            if i < 8:
                bad[i] ^= 0xFF  # the magic number
            os.pwrite(fd, bad, 0)
            begin = len(self.manager.statuses)
            self.manager.start(wait=False)
            try:
                self.manager.wait_status()
                outcomes.add("serves")
            except (fe.Gone, ConnectionResetError):
                outcomes.add("refuses")
            self.manager.process.kill()
            code = self.manager.process.wait(fe.TIMEOUT)
            self.assertIn(code, (1, -9), f"{code} after {begin}")
            # What the manager's copies were is of no use any more.
            os.pwrite(fd, good, 0)
            self.manager.socket.close()
        self.assertIn("refuses", outcomes)

    def test_state_of_another_size(self):
        self.manager.drop(fe.SLOT_STATE)
        fd = os.memfd_create("state")
        os.write(fd, bytes(4096))
        self.manager.slots[fe.SLOT_STATE] = fd
        self.manager.start(wait=False)
        self.assertEqual(self.manager.process.wait(fe.TIMEOUT), 1)

    def test_killed_in_messages(self):
        """Each message is handled once, whenever the device is killed."""
        self.bring_up()
        chance = random.Random(6)
        done = threading.Event()
        failures = []

        def talk():
            try:
                number = 0
                while not done.is_set():
                    number += 1
                    self.front.piece = number % 4 * 3
                    assert self.front.ask_u64(fe.GET_QUEUE_NUM) == 2
                    config = struct.pack("<III", 4, 4, 0)
                    self.front.send(fe.SET_CONFIG, config + bytes(4))
                    assert self.front.tell(
                        fe.SET_VRING_CALL, struct.pack("<Q", 0),
                        [self.front.queues[0].call_fd]) == 0
                    assert self.front.ask(
                        fe.GET_CONFIG, config + bytes(4))[:12] == config
                    assert self.front.stop(1) == 0
                    self.front.start(self.front.queues[1])
                    assert self.front.tell(
                        fe.SET_MEM_TABLE, struct.pack("<II", 1, 0) +
                        self.front.memory.region(),
                        [self.front.memory.fd]) == 0
            except Exception as error:  # pylint: disable=broad-except
                failures.append(repr(error))
        thread = threading.Thread(target=talk)
        thread.start()
        try:
            for _ in range(CYCLES):
                end = time.monotonic() + chance.random() * 0.01
                while time.monotonic() < end:
                    self.manager.pump()
                self.succeed()
                self.assertEqual(failures, [])
        finally:
            done.set()
            thread.join(2 * fe.TIMEOUT)
        self.assertEqual(failures, [])
        self.echo(self.front.queues[0])

    def test_killed_at_random_moments(self):
        """Commands flow, the device is killed; each is answered once."""
        queue = self.bring_up()[0]
        chance = random.Random(7)
        number = 0
        answered = 0
        refused = 0
        gap = 0.0
        for _ in range(CYCLES):
            end = time.monotonic() + chance.random() * 0.01
            while True:
                while queue.free and len(queue.pending) < 8:
                    queue.submit(command(fe.ECHO, number), tag=number,
                                 indirect=bool(number & 1))
                    number += 1
                got = queue.take()
                while got:
                    # take() fails if there is no such request in flight.
                    value = struct.unpack_from("<I", got[1])[0]
                    if value != got[2]:
                        self.assertEqual(value, 0x1200)
                        refused += 1
                    answered += 1
                    got = queue.take()
                if time.monotonic() > end:
                    break
            killed = time.monotonic()
            self.succeed()
            gap = max(gap, time.monotonic() - killed)
        while queue.pending:
            queue.wait()
            answered += 1
        self.assertEqual(answered, number)
        self.assertLess(refused, 1 + CYCLES // 20)
        print(f"{CYCLES} kills, {number} requests, {refused} refused, "
              f"longest gap {gap * 1000:.1f} ms", flush=True)


if __name__ == "__main__":
    unittest.main()
