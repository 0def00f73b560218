# SPDX-License-Identifier: GPL-2.0-or-later
"""Faults that a review found, each with the test that failed before it."""

import contextlib
import os
import signal
import socket
import struct
import time
import unittest

import frontend as fe

OK, ERR_UNSPEC = 0x1100, 0x1200


def header(kind, flags=0):
    return struct.pack("<IIQIBxxx", kind, flags, 0, 0, 0)


def send(queue, kind, body=b"", writable=1056, wait=True):
    """One command; the type of its answer."""
    queue.submit(header(kind) + body, writable)
    if not wait:
        return None
    return struct.unpack_from("<I", queue.wait()[1])[0]


def send_large(queue, data, at, kick=True):
    """One command whose readable part lies at @at."""
    queue.memory.write(at, data)
    head = queue.free.pop()
    queue.put_desc(head, at, len(data), fe.DESC_NEXT, head + 1)
    queue.put_desc(head + 1, queue.buffers + 4096 * head + 2048, 24,
                   fe.DESC_WRITE)
    queue.pending[head] = None
    queue.make_available(head)
    if kick:
        queue.kick()


def answer_of(queue):
    return struct.unpack_from("<I", queue.wait()[1])[0]


@contextlib.contextmanager
def stopped(device):
    """Nothing is looked at before all of it is there."""
    os.kill(device.pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(device.pid, signal.SIGCONT)


class Faults(unittest.TestCase):
    def test_new_driver_keeps_its_features(self):
        """QEMU: SET_FEATURES, then SET_VRING_BASE 0 after a guest's reset."""
        with fe.Device(program=fe.DEVICE) as device, \
                device.connect() as front:
            queues = front.bring_up()
            self.assertEqual(send(queues[0], 0x10a, bytes(8)), 0x1104)
            for queue in queues:
                front.stop(queue.index)
                queue.reset()
            front.send(fe.SET_FEATURES, struct.pack("<Q", front.features))
            for queue in queues:
                front.start(queue)
            self.assertEqual(hex(send(queues[0], 0x10a, bytes(8))), "0x1104")

    def test_entry_over_a_seam(self):
        """Two regions side by side, one backing entry over both."""
        with fe.Device(program=fe.DEVICE) as device, \
                device.connect() as front:
            front.negotiate()
            front.open_channel()
            low, high = fe.Memory(8 << 20), fe.Memory(8 << 20, 8 << 20)
            front.memory = low
            front.send(fe.SET_MEM_TABLE, struct.pack("<II", 2, 0) +
                       low.region() + high.region(), [low.fd, high.fd])
            queue = fe.Queue(low, 0)
            front.queues.append(queue)
            front.start(queue)
            self.assertEqual(send(queue, 0x101,
                                  struct.pack("<IIII", 1, 2, 64, 64)), OK)
            entry = struct.pack("<IIQII", 1, 1, (8 << 20) - 8192, 16384, 0)
            self.assertEqual(hex(send(queue, 0x106, entry)), hex(OK))
            high.close()

    def test_others_get_their_turn(self):
        """64 of the dearest commands, and a message behind them."""
        with fe.Device("--framebuffer-mib", "300", program=fe.DEVICE) as \
                device, device.connect() as front:
            queues = front.bring_up(num=256)
            queue = queues[0]
            side = 8192
            self.assertEqual(send(queue, 0x101, struct.pack(
                "<IIII", 1, 2, side, side)), OK)
            size = 1024
            n = side * side * 4 // size
            body = struct.pack("<II", 1, n)
            body += struct.pack("<QII", 0x500000, size, 0) * n
            send_large(queue, header(0x106) + body, 0x600000)
            self.assertEqual(answer_of(queue), OK)
            for _ in range(64):
                queue.submit(header(0x105) + struct.pack(
                    "<IIIIQII", 0, 0, side, side, 0, 1, 0), 24, kick=False)
            begun = queue.used_index()
            queue.kick()
            while queue.used_index() == begun:
                time.sleep(0.001)
            # However long we are kept from the processor: nothing is done
            # between this count and the message, nor after its answer.
            with stopped(device):
                begun = queue.used_index()
                front.send(fe.GET_VRING_BASE, struct.pack("<II", 0, 0))
            front.socket.settimeout(120)
            done = struct.unpack("<II", front.receive(
                fe.GET_VRING_BASE))[1] - begun
            print(f"a message waited for {done} of 64 transfers")
            self.assertLess(done, 48)

    def test_full_call_eventfd(self):
        """A VMM makes its call eventfd block again, and fills it."""
        with fe.Device() as device, device.connect() as front:
            queue = front.bring_up()[0]
            fe.drain(queue.call_fd)
            os.eventfd_write(queue.call_fd, 2**64 - 2)
            os.set_blocking(queue.call_fd, True)
            for number in range(4):
                queue.submit(fe.command(fe.ECHO, number))
                got = None
                while not got:
                    front.ask_u64(fe.GET_FEATURES)  # fails if it hangs
                    got = queue.take()
                self.assertEqual(fe.answer(got[1])[0], number)


class Pieces(unittest.TestCase):
    """Messages whose sender gives a few bytes at a time."""

    def talk(self, front, held):
        with held():
            front.send(fe.GET_QUEUE_NUM)
            high = fe.Memory(1 << 20, 1 << 32)
            front.send(fe.SET_MEM_TABLE, struct.pack("<II", 2, 0) +
                       front.memory.region() + high.region(),
                       [front.memory.fd, high.fd])
            high.close()
            for index, queue in enumerate(front.queues):
                front.send(fe.SET_VRING_CALL, struct.pack("<Q", index),
                           [queue.call_fd])
            front.send(fe.SET_VRING_ERR, struct.pack("<Q", 1 | fe.NO_FD))
        self.assertEqual(front.receive(fe.GET_QUEUE_NUM), b"\2" + bytes(7))
        with held():
            front.send(fe.GET_CONFIG, struct.pack("<III", 0, 256, 0) +
                       bytes(256))
            front.send(fe.GET_QUEUE_NUM)
        self.assertEqual(len(front.receive(fe.GET_CONFIG)), 268)
        front.receive(fe.GET_QUEUE_NUM)
        queue = front.queues[0]
        queue.submit(fe.command(fe.ECHO, 7))
        self.assertEqual(fe.answer(queue.wait()[1])[0], 7)

    def test_pieces(self):
        for piece in (1, 2, 11, 13):
            with self.subTest(piece=piece), fe.Device() as device, \
                    device.connect() as front:
                front.piece = piece
                front.bring_up()
                self.talk(front, contextlib.nullcontext)
                # A sender's buffer holds some 70 pieces before it is full.
                if piece > 2:
                    self.talk(front, lambda: stopped(device))

    def test_wrong_fds_in_pieces(self):
        with fe.Device() as device:
            for fds in (0, 2):
                with device.connect() as front:
                    queue = front.bring_up()[0]
                    front.piece = 1
                    front.send(fe.SET_VRING_CALL, struct.pack("<Q", 0),
                               [queue.call_fd] * fds)
                    self.assertTrue(front.is_gone())

    def test_half_a_message(self):
        """It is waited for, for some time; the next front end is served."""
        with fe.Device() as device:
            with device.connect() as front:
                front.send_raw(struct.pack("<II", fe.GET_FEATURES, fe.VERSION))
                self.assertTrue(front.is_gone())
            self.assertEqual(device.messages().count("half a message"), 1)
            with device.connect() as front:
                front.bring_up()
                time.sleep(6)
                front.ask_u64(fe.GET_FEATURES)


class Managed(unittest.TestCase):
    def test_slow_manager(self):
        """The manager does not read for a while; then the device dies."""
        with fe.Manager(fe.DEVICE) as manager:
            manager.start()
            front = manager.connect()
            front.bring_up()
            manager.pump()
            calls = front.queues[0].call_fd
            for _ in range(400):
                front.send(fe.SET_VRING_CALL, struct.pack("<Q", 0), [calls])
            high = fe.Memory(1 << 20, 1 << 32)
            front.send(fe.SET_MEM_TABLE, struct.pack("<II", 2, 0) +
                       front.memory.region() + high.region(),
                       [front.memory.fd, high.fd])
            front.ask_u64(fe.GET_FEATURES)
            high.close()
            manager.kill()
            # What the manager never got is lost, the connection with it; the
            # vGPU is not.
            manager.start()
            front.close()
            manager.connect().close()

    def test_stale_memory(self):
        """... and has an older file in the slot of the memory."""
        with fe.Manager(fe.DEVICE) as manager:
            manager.start()
            front = manager.connect()
            front.bring_up()
            manager.pump()
            old = front.memory
            for _ in range(400):
                front.send(fe.SET_VRING_CALL, struct.pack("<Q", 0),
                           [front.queues[0].call_fd])
            front.set_memory(fe.Memory(old.size))
            front.ask_u64(fe.GET_FEATURES)
            manager.kill()
            self.assertIn(16, manager.slots)
            self.assertTrue(os.path.sameopenfile(manager.slots[16], old.fd))
            manager.start()
            self.assertEqual(manager.statuses[-1][0], 0)
            text = manager.wait_event(fe.EVENT_GUEST_FAULT)[2]
            self.assertRegex(text, "^cannot go on with the front end: "
                             "memory region 0 is another file than before$")
            self.assertTrue(front.is_gone())
            front.close()
            old.close()
            with manager.connect() as front:
                front.bring_up()

    def test_stale_message(self):
        """The same for a file that came with a message not carried out yet."""
        with fe.Manager() as manager:
            manager.start()
            front = manager.connect()
            front.bring_up()
            manager.pump()
            manager.kill()
            meant, other = fe.Memory(1 << 20, 1 << 32), fe.Memory(1 << 20)
            table = struct.pack("<II", 1, 0) + meant.region()
            state = manager.slots[fe.SLOT_STATE]
            os.pwrite(state, struct.pack("<IIIIIII", 2, 1, 0, 0, fe.SET_MEM_TABLE,
                                         fe.VERSION, len(table)) + table,
                      fe.STATE_MESSAGE)
            stat = os.fstat(meant.fd)
            os.pwrite(state, struct.pack("<QQ", stat.st_dev, stat.st_ino),
                      fe.STATE_MESSAGE_FILES)
            manager.slots[fe.SLOT_MESSAGE] = os.dup(other.fd)
            manager.start()
            self.assertEqual(manager.statuses[-1][0], 0)
            self.assertIn("a message's fd",
                          manager.wait_event(fe.EVENT_GUEST_FAULT)[2])
            for gone in (front, meant, other):
                gone.close()

    def test_only_kinds_that_messages_carry(self):
        """Fds of other kinds are refused: the last close of a TCP socket can
        block."""
        with fe.Manager(fe.DEVICE) as manager:
            manager.start()
            front = manager.connect()
            front.negotiate()
            with socket.create_server(("127.0.0.1", 0)) as server:
                front.send(fe.SET_BACKEND_REQ_FD, fds=[server.fileno()])
                manager.wait_event(fe.EVENT_GUEST_FAULT)
            self.assertNotIn(fe.SLOT_BACKEND_REQ, manager.slots)
            front.close()

    def test_viewer_that_goes_with_its_ack(self):
        with fe.Manager(fe.DEVICE) as manager:
            manager.start()
            pid = manager.process.pid
            before = fe.count_fds(pid)
            ours, theirs = socket.socketpair(socket.AF_UNIX,
                                             socket.SOCK_SEQPACKET)
            manager.send(fe.control_message(fe.C_VIEW, 1,
                                            struct.pack("<I", 0)),
                         theirs.fileno())
            theirs.close()
            self.assertEqual(manager.wait_reply()[1], 0)
            kind = 0
            while kind != 2:
                data, fds, _, _ = socket.recv_fds(ours, 64, 4)
                kind = struct.unpack_from("<I", data)[0]
                for fd in fds:
                    os.close(fd)
            os.kill(pid, signal.SIGSTOP)
            ours.send(struct.pack("<IIIIii", 5, 0, 0, 0, 0, 0))
            ours.close()
            os.kill(pid, signal.SIGCONT)
            end = time.monotonic() + fe.TIMEOUT
            while fe.count_fds(pid) != before:
                self.assertLess(time.monotonic(), end, os.listdir(
                    f"/proc/{pid}/fd"))
                time.sleep(0.01)

    def test_outlives_a_hostile_machine(self):
        """A VMM cuts its memory, which kills the device, and goes."""
        with fe.Manager(fe.DEVICE) as manager:
            manager.start()
            front = manager.connect()
            front.bring_up()
            manager.pump()
            os.ftruncate(front.memory.fd, 4096)
            front.queues[0].kick()
            manager.process.wait(fe.TIMEOUT)
            manager.end()
            front.close()
            manager.start()
            manager.connect().close()


if __name__ == "__main__":
    unittest.main()
