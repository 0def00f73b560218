# SPDX-License-Identifier: GPL-2.0-or-later
"""Split rings, used by a correct driver and by a hostile one."""

import os
import random
import struct
import threading
import time
import unittest

import frontend as fe
from frontend import command

# Outside the guest's 16 MiB.
OUTSIDE = 1 << 30


class Ring(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.device = fe.Device()

    @classmethod
    def tearDownClass(cls):
        cls.device.close()
        assert cls.device.process.returncode == 0, cls.device.messages()

    def setUp(self):
        self.fronts = []

    def tearDown(self):
        for front in self.fronts:
            front.close()
        self.assertIsNone(self.device.process.poll(), "the device has ended")

    def bring_up(self, **how):
        """Queues of a new machine, when the device is free for it."""
        for front in self.fronts:
            front.close()
        end = time.monotonic() + fe.TIMEOUT
        while True:
            front = self.device.connect()
            try:
                queues = front.bring_up(**how)
                break
            except fe.Gone:
                front.close()
                self.assertLess(time.monotonic(), end)
        self.fronts.append(front)
        self.front = front
        return queues

    def echo(self, queue, number=1, **how):
        queue.submit(command(fe.ECHO, number), **how)
        _, data, _ = queue.wait()
        self.assertEqual(fe.answer(data)[0], number)

    def test_one_by_one(self):
        for features in (0, fe.F_EVENT_IDX, fe.F_INDIRECT,
                         fe.F_EVENT_IDX | fe.F_INDIRECT):
            for num in (2, 64, 1024):
                with self.subTest(features=features, num=num):
                    queue = self.bring_up(features=features, num=num)[0]
                    for i in range(2 * num + 3):
                        self.echo(queue, i, indirect=bool(
                            features & fe.F_INDIRECT and i & 1))

    def test_index_wraps(self):
        queue = self.bring_up()[0]
        for i in range(66000):
            queue.submit(command(fe.ECHO, i), kick=i % 16 == 15)
            if i % 16 == 15:
                for _ in range(16):
                    queue.wait()
        self.echo(queue)

    def test_many_at_once(self):
        queue = self.bring_up(num=1024)[0]
        for i in range(512):
            queue.submit(command(fe.ECHO, i), kick=False, tag=i)
        queue.kick()
        for _ in range(512):
            _, data, tag = queue.wait()
            self.assertEqual(fe.answer(data)[0], tag)

    def test_cursor_queue(self):
        queue = self.bring_up()[1]
        for _ in range(100):
            queue.submit(bytes(56), 0)
            self.assertEqual(queue.wait()[1], b"")

    def test_without_kick_fd(self):
        queue = self.bring_up(kick=False)[0]
        for i in range(5):
            self.echo(queue, i, kick=False)

    def test_out_of_order(self):
        queue = self.bring_up()[0]
        for i in range(8):
            queue.submit(command(fe.KEEP, i))
        self.echo(queue, 100)
        queue.submit(command(fe.RELEASE, 101))
        numbers = [fe.answer(queue.wait()[1])[0] for _ in range(9)]
        self.assertEqual(numbers, [7, 6, 5, 4, 3, 2, 1, 0, 101])

    def test_no_kick_is_lost(self):
        """A driver that kicks only when it is asked to."""
        for features in (0, fe.F_EVENT_IDX):
            queue = self.bring_up(features=features)[0]
            kicks = 0
            for i in range(3000):
                queue.submit(command(fe.ECHO, i), kick=False)
                if queue.needs_kick():
                    queue.kick()
                    kicks += 1
                queue.wait()
            self.assertGreater(kicks, 0)

    def test_no_call_when_not_wanted(self):
        queue = self.bring_up(features=0)[0]
        queue.memory.put16(queue.avail, 1)  # VRING_AVAIL_F_NO_INTERRUPT
        fe.drain(queue.call_fd)
        queue.submit(command(fe.ECHO))
        while not queue.take():
            time.sleep(0.001)
        self.front.ask_u64(fe.GET_QUEUE_NUM)
        self.assertEqual(fe.drain(queue.call_fd), 0)

        queue = self.bring_up()[0]
        queue.memory.put16(queue.avail + 4 + 2 * queue.num, 9)
        fe.drain(queue.call_fd)
        for i in range(10):
            self.front.ask_u64(fe.GET_QUEUE_NUM)
            self.assertEqual(fe.drain(queue.call_fd), 0, i)
            queue.submit(command(fe.ECHO))
            while queue.used_index() != i + 1:
                time.sleep(0.001)
        self.assertTrue(fe.wait_readable(queue.call_fd))

    def test_stop_and_go_on(self):
        """Rings are stopped and started again, as when a machine is paused."""
        queue = self.bring_up()[0]
        for i in range(1, 20, 2):
            self.echo(queue, i)
            base = self.front.stop(0)
            self.assertEqual(base, i)
            queue.submit(command(fe.ECHO, 99), kick=False)
            time.sleep(0.002)
            self.assertIsNone(queue.take())
            # The request that came meanwhile is seen without a kick.
            self.front.start(queue, base)
            queue.wait()

    def test_new_driver(self):
        """A ring that begins anew, as after a reboot of the guest."""
        queue = self.bring_up()[0]
        for i in range(10):
            for j in range(i + 1):
                self.echo(queue, j)
            self.assertEqual(self.front.stop(0), i + 1)
            queue.reset()
            self.front.start(queue)

    def test_new_driver_has_its_features(self):
        """They are accepted before the ring is set up."""
        queue = self.bring_up()[0]
        for _ in range(3):
            queue.submit(command(fe.FEATURES))
            self.assertEqual(fe.answer(queue.wait()[1])[3],
                             self.front.features & 0xFFFFFF)
            self.front.stop(0)
            self.front.send(fe.SET_FEATURES,
                            struct.pack("<Q", self.front.features))
            queue.reset()
            self.front.start(queue)

    def test_disabled(self):
        queue = self.bring_up()[0]
        self.front.vring(fe.SET_VRING_ENABLE, 0, 0)
        self.front.ask_u64(fe.GET_QUEUE_NUM)
        queue.submit(command(fe.ECHO))
        time.sleep(0.05)
        self.assertIsNone(queue.take())
        self.front.vring(fe.SET_VRING_ENABLE, 0, 1)
        queue.wait()

    def test_stop_waits_for_what_is_in_flight(self):
        queue = self.bring_up()[0]
        queue.submit(command(fe.KEEP, 7))
        self.echo(queue, 8)
        # Nobody will release it: it is refused after a while.
        self.assertEqual(self.front.stop(0), 2)
        _, data, _ = queue.wait()
        self.assertEqual(struct.unpack_from("<I", data)[0], 0x1200)
        self.front.start(queue, 2)
        self.echo(queue, 9)

    def test_reset(self):
        queues = self.bring_up()
        for _ in range(50):
            queues[0].submit(command(fe.KEEP))
            self.echo(queues[0])
            self.front.send(fe.RESET_DEVICE)
            self.front.ask_u64(fe.GET_QUEUE_NUM)
            for queue in queues:
                queue.reset()
                self.front.start(queue)
            self.echo(queues[0])

    def test_guest_memory_is_found(self):
        queue = self.bring_up()[0]
        memory = self.front.memory
        memory.write(0xFFFFF8, b"the end.")
        for address, value in ((0xFFFFF8, b"the end."), (0xFFFFF9, bytes(8)),
                               (OUTSIDE, bytes(8)),
                               ((1 << 64) - 4, bytes(8))):
            queue.submit(command(fe.ECHO, 0, address))
            data = queue.wait()[1]
            self.assertEqual(data[16:], value, hex(address))

    def test_memory_moves_under_running_rings(self):
        queue = self.bring_up()[0]
        old = self.front.memory
        for i in range(20):
            new = fe.Memory()
            new.map[:] = old.map[:]
            self.assertEqual(self.front.tell(
                fe.SET_MEM_TABLE, struct.pack("<II", 1, 0) + new.region(),
                [new.fd]), 0)
            for each in self.front.queues:
                each.memory = new
            old.close()
            self.front.memory = old = new
            self.echo(queue, i)

    def test_parts_over_two_regions(self):
        self.bring_up()
        first, second = fe.Memory(), fe.Memory(1 << 20, 16 << 20)
        self.assertEqual(self.front.tell(
            fe.SET_MEM_TABLE, struct.pack("<II", 2, 0) + first.region() +
            second.region(), [first.fd, second.fd]), 0)
        queue = self.front.queues[0]
        self.front.stop(0)
        queue.memory = first
        queue.reset()
        self.front.start(queue)
        seam = 16 << 20
        data = command(fe.ECHO, 77)
        first.write(seam - 10, data[:10])
        second.write(seam, data[10:])
        head = queue.free.pop()
        queue.put_desc(head, seam - 10, 16, fe.DESC_NEXT, head + 1)
        queue.put_desc(head + 1, queue.buffers + 4096 * head + 2048, 24,
                       fe.DESC_WRITE)
        queue.pending[head] = None
        queue.make_available(head)
        queue.kick()
        self.assertEqual(fe.answer(queue.wait()[1])[0], 77)
        second.close()

    # Attacks: the ring is stopped, its error fd signalled, all else lives.

    def assert_broken(self, queue, what):
        self.assertTrue(fe.wait_readable(queue.err_fd), f"{what}: no error")
        fe.drain(queue.err_fd)
        # Not this ring any more ...
        used = queue.used_index()
        queue.submit(command(fe.ECHO))
        # ... but the other one, and the connection.
        other = self.front.queues[1]
        other.submit(bytes(56), 0)
        other.wait()
        self.assertEqual(queue.used_index(), used, what)
        self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))
        # A reset makes it good again.
        self.front.stop(0)
        queue.reset()
        self.front.start(queue)
        self.echo(queue)

    def attack(self, name, act, **how):
        with self.subTest(name):
            queue = self.bring_up(**how)[0]
            self.echo(queue)
            head = queue.free.pop()
            if act(queue, head):
                queue.make_available(head)
                queue.kick()
            self.assert_broken(queue, name)

    def test_bad_descriptors(self):
        n, w, i = fe.DESC_NEXT, fe.DESC_WRITE, fe.DESC_INDIRECT
        ok = 0x400000
        for name, descs in {
                "outside memory": [(OUTSIDE, 16, 0, 0)],
                "at the last byte": [((16 << 20) - 1, 2, 0, 0)],
                "wraps around": [((1 << 64) - 8, 16, 0, 0)],
                "huge": [(ok, 0xFFFFFFFF, 0, 0)],
                "no length": [(ok, 0, 0, 0)],
                "unknown flags": [(ok, 16, 8, 0)],
                "all flags": [(ok, 16, 0xFFFF, 0)],
                "next beyond the table": [(ok, 16, n, 64)],
                "next far beyond": [(ok, 16, n, 0xFFFF)],
                "readable after writable": [(ok, 16, w | n, 1), (ok, 16, 0, 0)],
                "loop of one": [(ok, 16, n, 0)],
                "loop of two": [(ok, 16, n, 1), (ok, 16, n, 0)],
                "indirect outside": [(OUTSIDE, 32, i, 0)],
                "indirect wraps": [((1 << 64) - 16, 32, i, 0)],
                "indirect huge": [(ok, 0xFFFFFFF0, i, 0)],
                "indirect odd": [(ok, 17, i, 0)],
                "indirect empty": [(ok, 0, i, 0)],
                "indirect with next": [(ok, 32, i | n, 1), (ok, 16, 0, 0)],
        }.items():
            def act(queue, head, descs=descs):
                for j, (gpa, size, flags, next_) in enumerate(descs):
                    at = (head + j) % queue.num
                    if next_ < queue.num:
                        next_ = (head + next_) % queue.num
                    queue.put_desc(at, gpa, size, flags, next_)
                return True
            self.attack(name, act)

    def test_bad_indirect_tables(self):
        n, i = fe.DESC_NEXT, fe.DESC_INDIRECT
        table = 0x500000
        for name, descs in {
                "nested": [(table, 32, i, 0), (0, 0, 0, 0)],
                "loop": [(table, 16, n, 1), (table, 16, n, 0)],
                "next beyond": [(table, 16, n, 2), (table, 16, 0, 0)],
                "outside": [(OUTSIDE, 16, 0, 0), (0, 0, 0, 0)],
        }.items():
            def act(queue, head, descs=descs):
                for j, desc in enumerate(descs):
                    queue.put_desc(j, *desc, table=table)
                queue.put_desc(head, table, 32, i)
                return True
            self.attack(name, act)

    def test_indirect_not_negotiated(self):
        def act(queue, head):
            queue.put_desc(0, 0x400000, 16, 0, table=0x500000)
            queue.put_desc(head, 0x500000, 16, fe.DESC_INDIRECT)
            return True
        self.attack("indirect", act, features=0)

    def test_chain_too_long(self):
        def act(queue, head):
            for j in range(2000):
                queue.put_desc(j, 0x400000, 16, fe.DESC_NEXT, j + 1,
                               table=0x500000)
            queue.put_desc(2000, 0x400000, 16, 0, table=0x500000)
            queue.put_desc(head, 0x500000, 2001 * 16, fe.DESC_INDIRECT)
            return True
        self.attack("long", act)

    def test_longest_chain(self):
        queue = self.bring_up()[0]
        head = queue.free.pop()
        queue.memory.write(0x400000, command(fe.ECHO, 5))
        gpa = queue.buffers + 4096 * head + 2048
        for j in range(1022):
            queue.put_desc(j, 0x400000, 16, fe.DESC_NEXT, j + 1,
                           table=0x500000)
        queue.put_desc(1022, gpa, 24, fe.DESC_WRITE, 0, table=0x500000)
        queue.put_desc(head, 0x500000, 1023 * 16, fe.DESC_INDIRECT)
        queue.pending[head] = None
        queue.make_available(head)
        queue.kick()
        self.assertEqual(fe.answer(queue.wait()[1])[0], 5)

    def test_bad_heads(self):
        for bad in (64, 65, 0x7FFF, 0x8000, 0xFFFF):
            def act(queue, head, bad=bad):
                queue.make_available(bad)
                queue.kick()
            self.attack(f"head {bad}", act)

    def test_index_jumps(self):
        for jump in (65, 1000, 0x7FFF, 0x8000, 0xFFFF):
            def act(queue, head, jump=jump):
                queue.memory.put16(queue.avail + 2, queue.next_avail + jump)
                queue.kick()
            self.attack(f"jump {jump}", act)

    def test_same_head_twice(self):
        def act(queue, head):
            queue.memory.write(0x400000, command(fe.KEEP))
            queue.put_desc(head, 0x400000, 16, 0)
            queue.make_available(head)
            return True
        self.attack("twice", act)

    def test_chain_of_4_gib(self):
        def act(queue, head):
            for j in range(600):
                queue.put_desc(j, 0x100000, 8 << 20, fe.DESC_NEXT, j + 1,
                               table=0x500000)
            queue.put_desc(600, 0x100000, 16, 0, table=0x500000)
            queue.put_desc(head, 0x500000, 601 * 16, fe.DESC_INDIRECT)
            return True
        self.attack("4 GiB", act)

    def test_ring_overlaps_its_buffers(self):
        """Answers that are written over the ring they came by."""
        queue = self.bring_up()[0]
        for target in (queue.desc, queue.avail, queue.used):
            head = queue.free[-1]
            queue.submit(command(fe.ECHO, 0xFFFFFFFF), 1, kick=False)
            queue.put_desc(head + 1, target, 24, fe.DESC_WRITE)
            queue.kick()
            self.front.ask_u64(fe.GET_QUEUE_NUM)
        self.bring_up()

    def test_ring_is_changed_while_it_is_read(self):
        """T7: another processor writes into the ring all the time."""
        chance = random.Random(3)
        for _ in range(4):
            queue = self.bring_up()[0]
            stop = threading.Event()
            memory = queue.memory

            def flip(memory=memory, queue=queue, stop=stop):
                while not stop.is_set():
                    at = queue.desc + chance.randrange(0, 64 * 16)
                    memory.map[at] = chance.randrange(256)
            thread = threading.Thread(target=flip)
            thread.start()
            try:
                for i in range(500):
                    if not queue.free:
                        break
                    queue.submit(command(fe.ECHO, i))
                    try:
                        queue.take()
                    except KeyError:
                        break
            finally:
                stop.set()
                thread.join()
            self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))

    def test_memory_of_noise(self):
        chance = random.Random(4)
        for _ in range(200):
            queue = self.bring_up(num=16)[0]
            noise = bytearray(chance.randbytes(16 * 16))
            for j in range(16):
                # Mostly addresses that exist and flags that mean something.
                struct.pack_into("<QIHH", noise, 16 * j,
                                 chance.choice((0x400000, queue.desc,
                                                OUTSIDE, 0)),
                                 chance.choice((16, 32, 64, 0, 4096)),
                                 chance.choice((0, 1, 2, 3, 4)),
                                 chance.randrange(18))
            queue.memory.write(queue.desc, bytes(noise))
            queue.memory.write(0x400000, bytes(noise))
            for j in range(chance.randrange(1, 16)):
                queue.make_available(chance.randrange(17))
            queue.kick()
            self.assertTrue(self.front.ask_u64(fe.GET_FEATURES))

    def test_faults_are_told_within_bounds(self):
        begin = time.monotonic()
        with fe.Device() as device:
            with device.connect() as front:
                queue = front.bring_up()[0]
                for _ in range(200):
                    queue.submit(command(fe.FAULT))
                    queue.wait()
            lines = device.messages().splitlines()
        # Ten in ten seconds, and one for all the others.
        periods = 1 + int((time.monotonic() - begin) / 10)
        self.assertLessEqual(len(lines), 10 * periods + 1)
        self.assertIn("the test says so", lines[0])

    def test_nothing_grows(self):
        """T10: machines that come and go, and resets."""
        pid = self.device.pid
        for i in range(400):
            queue = self.bring_up()[0]
            for _ in range(5):
                self.echo(queue)
            queue.submit(command(fe.KEEP))
            if i % 2:
                self.front.send(fe.RESET_DEVICE)
            for front in self.fronts:
                front.close()
            self.fronts.clear()
            if i == 50:
                before = fe.count_fds(pid), fe.rss_kib(pid)
        self.bring_up()
        self.front.close()
        self.fronts.clear()
        end = time.monotonic() + fe.TIMEOUT
        while fe.count_fds(pid) > before[0]:
            self.assertLess(time.monotonic(), end, os.listdir(
                f"/proc/{pid}/fd"))
            time.sleep(0.01)
        if not fe.SANITIZED:
            self.assertLess(fe.rss_kib(pid), before[1] + 512)


if __name__ == "__main__":
    unittest.main()
