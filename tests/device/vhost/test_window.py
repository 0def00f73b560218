# SPDX-License-Identifier: GPL-2.0-or-later
"""The host-visible window: what the device asks of the front end, and when."""

import fcntl
import os
import struct
import time
import unittest

import frontend as fe

SHMEM_MAP, SHMEM_UNMAP = 9, 10
SET_VGPUS = 13  # lib/control_abi.h
F_GET_RW_HINT, F_SET_RW_HINT = 1035, 1036
WINDOW = 64 << 20
SEGMENT = 1 << 20

CTX_CREATE, CTX_DESTROY = 0x200, 0x201
ATTACH, SUBMIT = 0x202, 0x207
CREATE_BLOB, UNREF = 0x10C, 0x102
MAP_BLOB, UNMAP_BLOB = 0x208, 0x209
OK, OK_MAP_INFO = 0x1100, 0x1106
ERR_UNSPEC, ERR_PARAMETER = 0x1200, 0x1205


def header(kind, context=0):
    return struct.pack("<IIQIBxxx", kind, 0, 0, context, 0)


def create_shared(resource, size, context=1):
    return header(CREATE_BLOB, context) + struct.pack(
        "<IIIIQQ", resource, 2, 1, 0, 0, size)


def map_blob(resource, offset):
    return header(MAP_BLOB) + struct.pack("<IIQ", resource, 0, offset)


def only(kind, resource):
    return header(kind) + struct.pack("<II", resource, 0)


class Channel:
    """The front end's end of the back-end channel, as QEMU keeps it."""

    def __init__(self, front):
        self.front = front
        self.socket = front.channel
        self.sync = (fe.BACKEND_HOST_NOTIFIER
                     if front.protocol & fe.P_HOST_NOTIFIER
                     else fe.BACKEND_CONFIG_CHANGE)
        self.mapped = {}
        self.log = []
        self.is_after_a_death = False

    def take(self):
        """(request, fields, fds) of the next message."""
        while True:
            data, fds = self.front.read_channel(12)
            request, flags, size = struct.unpack("<III", data)
            body = self.front.read_channel(size)[0] if size else b""
            if flags & fe.NEED_REPLY or not self.is_after_a_death:
                break
            # What ends one that may have been begun, and the news it may have been.
            assert request > 10 or request == fe.BACKEND_CONFIG_CHANGE
        assert flags == fe.VERSION | fe.NEED_REPLY, flags
        if request in (SHMEM_MAP, SHMEM_UNMAP):
            assert size == 40
            fields = struct.unpack("<B7xQQQQ", body)
        elif request == fe.BACKEND_HOST_NOTIFIER:
            # No notifier for the first ring, as before.
            assert struct.unpack("<QQQ", body) == (fe.NO_FD, 0, 0)
            fields = None
        else:
            assert (request, size) == (fe.BACKEND_CONFIG_CHANGE, 0)
            fields = None
        assert fields or request == self.sync
        return request, fields, fds

    def answer(self, request, status=0):
        self.socket.sendall(struct.pack("<IIIQ", request,
                                        fe.VERSION | fe.REPLY, 8, status))

    def carry_out(self, request, fields, fds):
        """0, or 1 for what QEMU would refuse."""
        self.log.append(request)
        if request == self.sync:
            return 0
        shmid, fd_offset, offset, size, flags = fields
        assert shmid == 1 and offset + size <= WINDOW and size
        if request == SHMEM_UNMAP:
            assert not fds
            return int(self.mapped.pop((offset, size), None) is None)
        assert flags == 1 and len(fds) == 1
        stat = os.fstat(fds[0])
        os.close(fds[0])
        if any(at < offset + size and offset < at + its
               for at, its in self.mapped):
            return 1
        assert fd_offset + size <= stat.st_size
        self.mapped[(offset, size)] = (stat.st_ino, fd_offset)
        return 0

    def serve(self, count):
        """Carry @count messages out and answer them."""
        for _ in range(count):
            message = self.take()
            self.answer(message[0], self.carry_out(*message))

    def is_quiet(self):
        return not fe.wait_readable(self.socket, 0.2)


class Window(unittest.TestCase):
    """As QEMU has it, which takes messages in two parts."""
    protocol = fe.P_ALL

    def setUp(self):
        self.manager = fe.Manager(program=fe.DEVICE, window=WINDOW, segments=8,
                                  segment_bytes=SEGMENT)
        self.manager.start()
        self.begin()

    def begin(self):
        self.front = self.manager.connect()
        self.queue = self.front.bring_up(size=32 << 20,
                                         protocol=self.protocol)[0]
        self.assertEqual(self.front.features & 0x1F, 0x1F)
        self.channel = Channel(self.front)
        # The process of a context may not start here: its memory needs none.
        self.assertEqual(self.ask(header(CTX_CREATE, 1) + struct.pack(
            "<II64s", 0, 4, b"")), OK)

    def tearDown(self):
        if self.front:
            self.front.close()
        self.manager.close()

    def send(self, data):
        self.queue.submit(data, 64)

    def answer(self):
        return struct.unpack_from("<I", self.queue.wait()[1])[0]

    def ask(self, data):
        self.send(data)
        return self.answer()

    def is_unanswered(self):
        """Whether no answer comes within a moment."""
        end = time.monotonic() + 0.2
        while self.queue.used_index() == self.queue.next_used & 0xFFFF:
            if time.monotonic() > end:
                return True
            time.sleep(0.002)
        return False

    def map(self, resource, offset):
        self.send(map_blob(resource, offset))
        self.channel.serve(2)
        return self.answer()

    def test_map_and_unmap(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 4096))
        message = self.channel.take()
        self.assertEqual(message[:2], (SHMEM_MAP, (1, 0, 4096, 8192, 1)))
        self.channel.carry_out(*message)
        self.channel.answer(SHMEM_MAP)
        # QEMU answers a map before it is in effect: only the next answer
        # says that it is.
        self.assertEqual(self.channel.take()[0], self.channel.sync)
        self.assertTrue(self.is_unanswered())
        self.channel.answer(self.channel.sync)
        self.assertEqual(self.answer(), OK_MAP_INFO)

        self.send(only(UNMAP_BLOB, 5))
        self.assertTrue(self.is_unanswered())
        self.channel.serve(1)
        self.assertEqual(self.answer(), OK)
        self.assertEqual(self.channel.mapped, {})
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)
        # The end of a resource is the end of its mapping.
        self.send(only(UNREF, 5))
        self.channel.serve(1)
        self.assertEqual(self.answer(), OK)
        self.assertEqual(self.channel.mapped, {})
        self.assertTrue(self.channel.is_quiet())

    def test_a_refusal(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        for _ in range(2):
            request = self.channel.take()[0]
            self.channel.answer(request, int(request == SHMEM_MAP))
        self.assertEqual(self.answer(), ERR_UNSPEC)
        # Whatever is there of it is to go.
        self.assertEqual(self.channel.take()[0], SHMEM_UNMAP)
        self.channel.answer(SHMEM_UNMAP, 1)
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)
        self.assertEqual(self.manager.wait_event(fe.EVENT_GUEST_FAULT)[2],
                         "the VMM refuses a change of the window")

    def test_no_answer(self):
        """A front end that says nothing holds up the guest's map alone."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.assertEqual(self.ask(create_shared(6, 4096)), OK)
        self.assertEqual(self.answer(), ERR_UNSPEC)
        # When it comes to its senses, nothing is mapped.
        self.channel.serve(3)
        self.assertEqual(self.channel.mapped, {})
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)

    def add_context(self, context):
        self.assertEqual(self.ask(header(CTX_CREATE, context) + struct.pack(
            "<II64s", 0, 4, b"")), OK)

    def fill(self, context, tries):
        """How many blobs of it can be mapped."""
        done = 0
        for i in range(tries):
            resource = 1000 * context + i
            self.assertEqual(self.ask(create_shared(resource, 4096, context)),
                             OK)
            self.send(map_blob(resource, (context << 22) + 4096 * i))
            while self.queue.used_index() == self.queue.next_used & 0xFFFF:
                if fe.wait_readable(self.channel.socket, 0.001):
                    self.channel.serve(1)
            answer = self.answer()
            self.assertIn(answer, (OK_MAP_INFO, ERR_UNSPEC))
            done += answer == OK_MAP_INFO
        return done

    def test_many(self):
        """QEMU dies of more than 512 mappings: there are never as many. One
        program leaves some to others, and all to those that begin."""
        for context in (2, 3, 4):
            self.add_context(context)
        self.assertEqual(self.fill(1, 345), 336)
        self.assertEqual(self.fill(2, 65), 56)
        self.assertEqual(self.fill(3, 10), 8)
        self.assertEqual(self.fill(4, 10), 8)
        self.assertEqual(len(self.channel.mapped), 336 + 56 + 8 + 8)
        # What is given back is for those with few.
        for resource in 1000, 3000:
            self.send(only(UNMAP_BLOB, resource))
            self.channel.serve(1)
            self.assertEqual(self.answer(), OK)
        self.assertEqual(self.ask(map_blob(1340, 0)), ERR_UNSPEC)
        self.assertEqual(self.map(3009, 0), OK_MAP_INFO)

    def test_many_of_a_predecessor(self):
        """What it had mapped counts as well."""
        self.assertEqual(self.fill(1, 336), 336)
        self.manager.kill()
        self.manager.start()
        # Another's place: a context that was not ready is lost, and keeps it.
        self.add_context(2)
        self.assertEqual(self.fill(2, 65), 56)

    def test_vgpus_of_one_machine(self):
        """They share what QEMU can bear."""
        self.manager.send(fe.control_message(SET_VGPUS, 7,
                                             struct.pack("<I", 4)))
        self.assertEqual(self.manager.wait_reply()[1], 0)
        self.assertEqual(self.fill(1, 100), 84)
        # What is mapped stays, whoever comes to the machine or goes.
        for vgpus in 14, 1:
            self.manager.send(fe.control_message(SET_VGPUS, 7,
                                                 struct.pack("<I", vgpus)))
            self.assertEqual(self.manager.wait_reply()[1], 0)
        self.assertEqual(len(self.channel.mapped), 84)
        self.assertEqual(self.map(1099, 0), OK_MAP_INFO)

    def take_withdrawn(self):
        """The rest of a message of which the first byte waits, and which was withdrawn:
        one that QEMU has no handler for, whenever it reads it."""
        data, fds = self.front.read_channel(12)
        request, flags, size = struct.unpack("<III", data)
        self.assertGreater(request, 10)  # all that QEMU has
        self.assertFalse(flags & fe.NEED_REPLY)
        self.assertLessEqual(size, 268)  # what QEMU takes
        self.front.read_channel(size)
        for fd in fds:
            os.close(fd)
        return request & 0xFF

    def test_stop_before_a_map_is_read(self):
        """QEMU crashes on a map that it reads after it has stopped."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 3)
        self.assertEqual(self.take_withdrawn(), SHMEM_MAP)
        self.assertTrue(self.channel.is_quiet())
        self.assertTrue(self.is_unanswered())
        # A pause of the machine, of which the guest knows nothing.
        self.front.start(self.queue, 3)
        self.channel.serve(2)
        self.assertEqual(self.answer(), OK_MAP_INFO)
        self.assertEqual(list(self.channel.mapped), [(0, 8192)])

    def test_reset_after_a_stop_before_a_map_is_read(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 3)
        self.assertEqual(self.take_withdrawn(), SHMEM_MAP)
        self.assertEqual(self.front.tell(fe.RESET_DEVICE), 0)
        self.queue.reset()
        self.front.start(self.queue)
        self.assertTrue(self.channel.is_quiet())
        self.assertTrue(self.is_unanswered())
        self.assertEqual(self.ask(create_shared(5, 8192)), 0x1204)  # no context

    def test_successor_after_a_stop_before_a_map_is_read(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 3)
        self.assertEqual(self.take_withdrawn(), SHMEM_MAP)
        self.manager.kill()
        self.manager.start()
        self.assertTrue(self.channel.is_quiet())
        self.front.start(self.queue, 3)
        while self.is_unanswered():
            if not self.channel.is_quiet():
                self.channel.serve(1)
        self.assertIn(self.answer(), (OK_MAP_INFO, ERR_UNSPEC))

    def test_stop_before_an_unmap_is_read(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)
        self.send(only(UNMAP_BLOB, 5))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 4)
        self.assertEqual(self.answer(), OK)
        self.assertEqual(self.take_withdrawn(), SHMEM_UNMAP)
        self.assertTrue(self.channel.is_quiet())
        # The front end may have kept the mapping: it is unmapped when it can be.
        self.front.start(self.queue, 4)
        self.channel.serve(1)
        self.assertEqual(self.channel.mapped, {})
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)

    def test_stop_before_a_mode_is_read(self):
        self.manager.set_mode(800, 600)
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 1)
        self.assertEqual(self.take_withdrawn(), fe.BACKEND_CONFIG_CHANGE)
        self.assertTrue(self.channel.is_quiet())
        self.front.start(self.queue, 1)
        self.assertEqual(self.take_news(), fe.BACKEND_CONFIG_CHANGE)
        self.assertTrue(self.channel.is_quiet())

    def test_stop_with_a_map_half_read(self):
        """QEMU stops nothing while it reads a message: it gets all of it."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.channel.serve(1)
        # What is left says only that the map is in effect.
        self.assertEqual(self.front.stop(0), 3)
        self.assertEqual(self.answer(), OK_MAP_INFO)
        self.assertEqual(self.channel.take()[0], self.channel.sync)
        self.assertTrue(self.channel.is_quiet())
        self.assertEqual(len(self.channel.mapped), 1)

    def test_successor_of_one_that_has_begun(self):
        """The first byte of a message is sent, and the process dies: its successor ends
        the message, for the front end reads it to its end before all else."""
        for is_sent in (True, False):
            with self.subTest(is_sent=is_sent):
                self.successor_of_begun(is_sent)

    def successor_of_begun(self, is_sent):
        if is_sent:
            self.assertEqual(self.ask(create_shared(5, 8192)), OK)
            self.send(map_blob(5, 0))
            self.assertTrue(fe.wait_readable(self.channel.socket))
            self.manager.kill()
        else:  # it died right before
            self.manager.kill()
            os.pwrite(self.manager.slots[fe.SLOT_STATE], struct.pack("<I", 1),
                      fe.STATE_IS_REQUEST_BEGUN)
        self.manager.start()
        expected = [SHMEM_MAP] if is_sent else [0xFF, 0xFF]
        self.assertEqual([self.take_withdrawn() for _ in expected], expected)
        # Nothing is left half told: the next message is whole. It might have been
        # this one.
        self.assertEqual(self.take_news(), fe.BACKEND_CONFIG_CHANGE)
        if is_sent:
            while self.is_unanswered():
                if not self.channel.is_quiet():
                    self.channel.serve(1)
            self.assertIn(self.answer(), (OK_MAP_INFO, ERR_UNSPEC))

    def test_reset_with_a_map_under_way(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.assertEqual(self.ask(create_shared(6, 8192)), OK)
        self.assertEqual(self.map(6, 1 << 20), OK_MAP_INFO)
        self.send(map_blob(5, 0))
        first = self.channel.take()
        self.assertEqual(self.front.tell(fe.RESET_DEVICE), 0)
        # QEMU empties the window, and then finds the map in its socket.
        self.channel.mapped.clear()
        self.channel.answer(SHMEM_MAP, self.channel.carry_out(*first))
        self.channel.serve(1)
        self.assertTrue(self.channel.is_quiet())
        # It is unmapped for the next driver, when that one has begun.
        self.queue.reset()
        self.front.start(self.queue)
        self.channel.serve(1)
        self.assertEqual(self.channel.log[-1], SHMEM_UNMAP)
        self.assertEqual(self.channel.mapped, {})
        self.assertTrue(self.channel.is_quiet())

    def test_stop_with_requests_that_wait_for_a_map(self):
        """While the front end stops the rings, requests that a finished map
        unblocks send it nothing more."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.send(only(UNMAP_BLOB, 5))
        self.send(map_blob(5, 4096))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.stop_with_waiting()
        self.assertTrue(self.channel.is_quiet())
        # None was given up after a time, and the guest is not to blame.
        self.manager.pump()
        self.assertEqual([event for event in self.manager.events
                          if event[0] == fe.EVENT_GUEST_FAULT], [])

        self.front.start(self.queue, 5)
        self.start_with_waiting()
        self.assertEqual(list(self.channel.mapped), [(4096, 8192)])

    def stop_with_waiting(self):
        self.assertEqual(self.front.stop(0), 5)
        self.assertEqual(self.take_withdrawn(), SHMEM_MAP)
        self.assertTrue(self.is_unanswered())

    def start_with_waiting(self):
        self.channel.serve(5)
        self.assertEqual([self.answer() for _ in range(3)],
                         [OK_MAP_INFO, OK, OK_MAP_INFO])

    def test_nothing_is_sent_while_the_rings_stand(self):
        """No back-end message is sent before the guest's driver runs or after
        it stopped: stock QEMU crashes on one."""
        self.front.close()
        self.front = self.manager.connect()
        self.front.negotiate(protocol=self.protocol)
        self.front.open_channel()
        self.front.set_memory(fe.Memory(32 << 20))
        self.channel = Channel(self.front)
        self.queue = fe.Queue(self.front.memory, 0)
        self.front.queues.append(self.queue)
        self.assert_silent(800)
        self.front.start(self.queue)
        self.assertEqual(self.take_news(), fe.BACKEND_CONFIG_CHANGE)
        self.assertEqual(self.front.stop(0), 0)
        self.assert_silent(900)
        self.front.start(self.queue)
        self.assertEqual(self.take_news(), fe.BACKEND_CONFIG_CHANGE)
        self.assertTrue(self.channel.is_quiet())

    def assert_silent(self, width):
        """Neither a mode nor a successor is told of."""
        self.manager.set_mode(width, 600)
        self.manager.kill()
        self.manager.start()
        self.assertTrue(self.channel.is_quiet())

    def take_news(self):
        """A message that wants no answer."""
        data, _ = self.front.read_channel(12)
        request, flags, size = struct.unpack("<III", data)
        self.assertEqual((flags, size), (fe.VERSION, 0))
        return request

    def test_ends_with_a_context(self):
        self.manager.process.terminate()
        self.assertEqual(self.manager.process.wait(fe.TIMEOUT), 0)

    def test_successor(self):
        """Killed at each step of a map: a successor carries it out anew."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.assertEqual(self.map(5, 0), OK_MAP_INFO)
        for served in range(3):
            for answered in range(served + 1):
                with self.subTest(served=served, answered=answered):
                    self.successor(served, answered)

    def successor(self, served, answered):
        # A context of this process' and shared memory: both are lost.
        context = 10 + 10 * served + answered
        self.assertEqual(self.ask(header(CTX_CREATE, context) + struct.pack(
            "<II64s", 0, 4, b"")), OK)
        resource = 100 + context
        self.assertEqual(self.ask(create_shared(resource, 4096, context)), OK)
        self.send(map_blob(resource, 1 << 20))
        taken = [self.channel.take() for _ in range(served)]
        for i, message in enumerate(taken):
            status = self.channel.carry_out(*message)
            if i < answered:
                self.channel.answer(message[0], status)
        if not served:
            self.assertTrue(fe.wait_readable(self.channel.socket))
        self.manager.kill()
        self.manager.start()
        if not served and self.protocol & fe.P_HOST_NOTIFIER:
            self.assertEqual(self.take_withdrawn(), SHMEM_MAP)
            self.assertEqual(self.take_news(), fe.BACKEND_CONFIG_CHANGE)
        # It may have died before it noted that a message was whole.
        self.channel.is_after_a_death = True
        # What the dead one still had in the socket is answered, too.
        for message in taken[answered:]:
            self.channel.answer(message[0])
        while self.is_unanswered():
            if not self.channel.is_quiet():
                self.channel.serve(1)
        got = self.answer()
        self.assertIn(got, (ERR_UNSPEC, OK_MAP_INFO))
        # The one before is mapped still; ours can be ended, and is gone.
        self.assertIn((0, 8192), self.channel.mapped)
        self.send(only(UNREF, resource))
        while self.is_unanswered():
            if not self.channel.is_quiet():
                self.channel.serve(1)
        self.assertEqual(self.answer(), OK)
        self.assertEqual(list(self.channel.mapped), [(0, 8192)])
        self.assertEqual(self.ask(header(SUBMIT, context) + bytes(8)),
                         ERR_UNSPEC)
        self.assertEqual(self.ask(header(CTX_DESTROY, context)), OK)
        self.assertEqual(self.ask(header(CTX_DESTROY, 1)),
                         OK if context == 10 else 0x1204)
        self.assertEqual(self.ask(header(CTX_CREATE, 1) + struct.pack(
            "<II64s", 0, 4, b"")), OK)
        self.assertEqual(self.ask(header(CTX_DESTROY, 1)), OK)
        # What nobody waited for is not the next one's.
        while not self.channel.is_quiet():
            self.channel.serve(1)

    def kept(self):
        """Slots in use, but for those of a message under way."""
        # Messages before this one are done, and what they changed in the slots
        # is told before the manager has its answer, an error.
        self.front.ask_u64(fe.GET_QUEUE_NUM)
        self.manager.send(fe.control_message(fe.C_CAPTURE, 1,
                                             struct.pack("<I", 99)))
        self.assertLess(self.manager.wait_reply()[1], 0)
        return {slot for slot in self.manager.slots
                if not 128 <= slot < fe.SLOT_SEGMENT}

    def test_memory_of_the_window_is_not_the_guests(self):
        """QEMU tells us of each mapping as of a region of memory."""
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        message = self.channel.take()
        shared = os.dup(message[2][0])
        self.channel.answer(SHMEM_MAP, self.channel.carry_out(*message))
        self.channel.serve(1)
        self.assertEqual(self.answer(), OK_MAP_INFO)
        before = self.kept()
        self.assertEqual(self.front.ask_u64(fe.GET_MAX_MEM_SLOTS), 512)
        for i in range(100):
            region = struct.pack("<QQQQQ", 0, (1 << 40) + (i << 20), 8192,
                                 (1 << 45) + (i << 20), 0)
            # Not taken while a queue runs; but a start depends on it.
            for index in (() if i < 90 else range(2)):
                base = self.front.stop(index)
            status = self.front.tell(fe.ADD_MEM_REG, region, [shared])
            self.assertEqual(bool(status), i < 90)
            self.assertEqual(self.front.tell(fe.REM_MEM_REG, region), 0)
            for index in (() if i < 90 else range(2)):
                self.front.start(self.front.queues[index],
                                 base if index else 3)
        os.close(shared)
        self.assertEqual(self.kept(), before)

    def test_windows_of_others(self):
        """What other vGPUs of the machine show there takes no slot of ours,
        and what is still too much is left out: the connection stays."""
        neighbour = fe.Manager(program=fe.DEVICE, window=WINDOW, segments=2,
                               segment_bytes=SEGMENT)
        self.addCleanup(neighbour.close)
        neighbour.start()
        front = neighbour.connect()
        self.addCleanup(front.close)
        queue = front.bring_up(size=32 << 20)[0]
        queue.submit(header(CTX_CREATE, 1) + struct.pack("<II64s", 0, 4, b""),
                     64)
        queue.wait()
        queue.submit(create_shared(5, 8192), 64)
        queue.wait()
        queue.submit(map_blob(5, 0), 64)
        shared = Channel(front).take()[2][0]
        self.addCleanup(os.close, shared)
        plain = os.memfd_create("guest")
        self.addCleanup(os.close, plain)
        os.ftruncate(plain, 1 << 20)
        mark = fcntl.fcntl(shared, F_GET_RW_HINT, bytes(8))
        for slot in range(fe.SLOT_SEGMENT, fe.SLOT_SEGMENT + 2):
            # As vgpud does.
            fcntl.fcntl(neighbour.slots[slot], F_SET_RW_HINT, mark)
        before = self.kept()
        for i, fd in enumerate([shared, neighbour.slots[fe.SLOT_SEGMENT]] * 50):
            region = struct.pack("<QQQQQ", 0, (1 << 40) + (i << 20), 8192,
                                 (1 << 45) + (i << 20), 0)
            self.assertNotEqual(self.front.tell(fe.ADD_MEM_REG, region, [fd]), 0)
        self.assertEqual(self.kept(), before)
        for i in range(100):
            region = struct.pack("<QQQQQ", 0, (1 << 41) + (i << 20), 8192,
                                 (1 << 46) + (i << 20), 0)
            self.front.tell(fe.ADD_MEM_REG, region, [plain])
        self.assertLessEqual(len(self.kept()), len(before) + 32)
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)


class PlainWindow(Window):
    """As a VMM has it that takes whole messages only: one that waits when the rings stop
    is read then, and counts as carried out."""
    protocol = fe.P_ALL & ~fe.P_HOST_NOTIFIER

    test_stop_before_a_map_is_read = None
    test_reset_after_a_stop_before_a_map_is_read = None
    test_successor_after_a_stop_before_a_map_is_read = None
    test_stop_before_an_unmap_is_read = None
    test_stop_before_a_mode_is_read = None
    test_successor_of_one_that_has_begun = None

    def test_stop_with_a_map_under_way(self):
        self.assertEqual(self.ask(create_shared(5, 8192)), OK)
        self.send(map_blob(5, 0))
        self.assertTrue(fe.wait_readable(self.channel.socket))
        self.assertEqual(self.front.stop(0), 3)
        self.assertEqual(self.answer(), OK_MAP_INFO)
        self.channel.serve(2)
        self.assertEqual(len(self.channel.mapped), 1)
        self.front.start(self.queue, 3)
        self.send(only(UNMAP_BLOB, 5))
        self.channel.serve(1)
        self.assertEqual(self.answer(), OK)

    def stop_with_waiting(self):
        self.assertEqual(self.front.stop(0), 5)
        self.assertEqual([self.answer() for _ in range(2)], [OK_MAP_INFO, OK])
        self.channel.serve(2)
        self.assertEqual(self.channel.log, [SHMEM_MAP, self.channel.sync])
        self.assertTrue(self.is_unanswered())

    def start_with_waiting(self):
        self.channel.serve(3)
        self.assertEqual(self.answer(), OK_MAP_INFO)


if __name__ == "__main__":
    unittest.main()
