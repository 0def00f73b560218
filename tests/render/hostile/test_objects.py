# SPDX-License-Identifier: GPL-2.0-or-later
"""T4, T8, T9: objects that are not there, not that, or in use elsewhere."""

import random
import time
import unittest

import venus
from venus import (BUFFER, COMMANDS, DEVICE, FENCE, FREE_ID, GPU, INSTANCE,
                   MEMORY, NULL, POOL, QUEUE, Ring, SEMAPHORE, u64, words)

UNKNOWN = "an object id that is not known"
TAKEN = "an id for a new object that is 0 or taken"
NOWHERE = (0, 999, (1 << 64) - 1)


class Ids(venus.Test):
    def test_create(self):
        """0 or taken, for each kind."""
        up_to = venus.UP_TO_QUEUE + venus.create_pool()
        for make in (venus.create_device, venus.get_queue, venus.allocate,
                     venus.create_buffer, venus.create_fence,
                     venus.create_semaphore, venus.create_pool,
                     venus.allocate_commands):
            for number in (0, INSTANCE, POOL):
                with self.subTest(make.__name__, number=number):
                    self.ends(up_to, make(number), why=TAKEN)
        for number in (0, GPU):
            self.ends(venus.create_instance(), venus.enumerate_gpus(),
                      venus.create_instance(number), why=TAKEN)
            self.ends(venus.create_instance(), venus.enumerate_gpus(),
                      venus.enumerate_gpus(number), why=TAKEN)
        self.ends(up_to, venus.allocate_commands(100, 101, 100), why=TAKEN)

    def test_use(self):
        """Nobody's, or another kind's, for each place that takes one."""
        up_to = (venus.UP_TO_COMMANDS + venus.create_buffer() +
                 venus.allocate() + venus.create_fence() +
                 venus.create_semaphore())
        uses = {
            "instance": lambda n: venus.enumerate_gpus(90, instance=n),
            "gpu": lambda n: venus.create_device(90, gpu=n),
            "device": lambda n: venus.create_fence(90, device=n),
            "memory's device": lambda n: venus.allocate(90, device=n),
            "queue": lambda n: venus.submit(queue=n),
            "pool": lambda n: venus.allocate_commands(90, pool=n),
            "commands": lambda n: venus.record(number=n),
            "buffer": lambda n: venus.bind_buffer(buffer=n),
            "memory": lambda n: venus.bind_buffer(memory=n),
            "submitted": lambda n: venus.submit(n),
        }
        for name, use in uses.items():
            for number in (*NOWHERE, SEMAPHORE):
                with self.subTest(name, number=number):
                    self.ends(up_to, use(number), why=UNKNOWN)

    def test_destroy(self):
        up_to = venus.UP_TO_COMMANDS + venus.create_fence() + venus.allocate()
        for number in (999, (1 << 64) - 1, SEMAPHORE, FENCE, MEMORY):
            for end in (venus.destroy_device, venus.destroy_instance,
                        venus.free):
                if (end, number) == (venus.free, MEMORY):
                    continue
                with self.subTest(end.__name__, number=number):
                    self.ends(up_to, end(number), why=UNKNOWN)
        # Of nothing: nothing.
        self.begin(up_to, venus.destroy_device(0), venus.free(0),
                   venus.free_commands(0), venus.destroy_instance(0))

    def test_destroy_twice(self):
        for make, end in ((venus.allocate, venus.free),
                          (venus.create_device, venus.destroy_device)):
            self.ends(venus.create_instance(), venus.enumerate_gpus(),
                      venus.create_device(90), make(91, **(
                          {"device": 90} if make is venus.allocate else {})),
                      end(91), end(91), why=UNKNOWN)
        self.ends(venus.create_instance(), venus.destroy_instance(),
                  venus.destroy_instance(), why=UNKNOWN)
        self.ends(venus.UP_TO_COMMANDS, venus.free_commands(COMMANDS, COMMANDS),
                  why="freed twice")


class Instances(venus.Test):
    def test_twice(self):
        self.ends(venus.create_instance(), venus.create_instance(100),
                  why="one instance")

    def test_again_and_again(self):
        guest = self.begin()
        for _ in range(20):
            guest.run(venus.UP_TO_COMMANDS, venus.allocate(),
                      venus.destroy_instance())

    def test_gpus(self):
        guest = self.begin(venus.create_instance())
        answer = guest.ask(venus.enumerate_gpus(50, 51, 52, reply=True))
        self.assertEqual(answer[:16], words(2, 0) + u64(1))
        guest.run(venus.create_device(gpu=50))
        self.ends(venus.create_device(60, gpu=51), guest=guest, why=UNKNOWN)
        self.ends(venus.create_instance(), venus.enumerate_gpus(50, count=3),
                  why="wrong length")
        # Asked for none: told that there is more.
        guest = self.begin(venus.create_instance())
        self.assertEqual(guest.result(venus.command(
            2, u64(INSTANCE), u64(1), words(0), NULL, reply=True)), 0)


class Devices(venus.Test):
    # Memory is not the end: a software driver maps 31 MiB for each device.
    args = venus.Test.args + ("--host-memory-mib", "4096")

    def test_queues(self):
        """Families and counts that the driver would believe."""
        guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
        info = venus.queue_info
        for queues in ([], [info(count=0)], [info(count=2)], [info(family=1)],
                       [info(family=0xffffffff)], [info(), info()],
                       [info(count=1000)], [info()] * 5000):
            made = guest.result(venus.create_device(queues=queues, reply=True))
            self.assertEqual(made, -3)  # VK_ERROR_INITIALIZATION_FAILED
        self.assertEqual(guest.result(venus.create_device(reply=True)), 0)

    def test_many(self):
        """A device is threads: there are not as many as one likes."""
        guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
        made = [guest.result(venus.create_device(FREE_ID + i, reply=True))
                for i in range(66)]
        self.assertEqual(made[:60], [0] * 60)
        self.assertEqual(made[-1], -10)  # VK_ERROR_TOO_MANY_OBJECTS
        guest.run(*(venus.destroy_device(FREE_ID + i) for i in range(60)))
        self.assertEqual(guest.result(venus.create_device(reply=True)), 0)

    def test_families(self):
        """Wherever a driver looks into a table by a family's number."""
        for family in (1, 64, 0x7fffffff, 0xffffffff):
            self.ends(venus.UP_TO_DEVICE, venus.create_pool(family=family),
                      why="no such queue family")
            self.ends(venus.UP_TO_DEVICE,
                      venus.create_buffer(families=(0, family)),
                      why="no such queue family")

    def test_destroyed_with_all_in_it(self):
        guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
        for _ in range(20):
            guest.run(venus.create_device(), venus.get_queue(),
                      venus.create_pool(), venus.allocate_commands(),
                      venus.allocate(), venus.create_buffer(),
                      venus.bind_buffer(), venus.create_fence(),
                      venus.record(venus.fill()),
                      venus.submit(COMMANDS, fence=FENCE),
                      venus.destroy_device())

    def test_of_another_device(self):
        """An object freed with the wrong device is destroyed with the one that
        made it."""
        guest = self.begin(venus.UP_TO_DEVICE, venus.create_device(50),
                           venus.allocate(51, device=50))
        guest.run(venus.free(51), venus.destroy_device(50),
                  venus.destroy_device())

    def test_fences_while_it_dies(self):
        """The device asks for fences on a queue that another ring ends."""
        guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
        ring = Ring(guest, 1, buffer_bytes=1 << 20).begin()
        for timeline in range(60):
            ring.send(venus.create_device() + venus.get_queue(
                timeline=1 + timeline % 3) + venus.destroy_device())
        sync = guest.client.sync()
        while ring.word(0) != ring.at:
            for timeline in range(1, 4):
                guest.client.send(venus.vt.batch(points=[(sync, 1)],
                                                 ring=timeline))
            guest.barrier()


class Careless(venus.Careless):
    def test_used_by_another_ring(self):
        """A device is destroyed while another ring creates and uses its
        objects."""
        choose = random.Random(3)
        for _ in range(8):
            guest = self.begin(venus.create_instance(), venus.enumerate_gpus())
            user = Ring(guest, 1).begin()
            killer = Ring(guest, 2).begin()
            killer.run(venus.create_device() + venus.get_queue())
            number = FREE_ID
            for _ in range(12):
                batch = b""
                for _ in range(40):
                    batch += venus.create_fence(number)
                    number += 1
                user.send(batch + venus.submit())
                time.sleep(choose.random() * 0.002)
            killer.send(venus.destroy_device())
            time.sleep(0.05)
            guest.socket.close()


class Queues(venus.Test):
    def test_fetched(self):
        """Twice, on no timeline, on another's, or none at all."""
        again = "no such queue, or fetched before"
        self.ends(venus.UP_TO_QUEUE, venus.get_queue(50, timeline=2), why=again)
        for how in ({"index": 1}, {"family": 1}, {"flags": 1},
                    {"index": 0xffffffff}, {"family": 0xffffffff}):
            self.ends(venus.UP_TO_DEVICE, venus.get_queue(**how), why=again)
        for timeline in (None, 0, 64, 0xffffffff):
            self.ends(venus.UP_TO_DEVICE, venus.get_queue(timeline=timeline),
                      why="needs a timeline")
        self.ends(venus.UP_TO_QUEUE, venus.create_device(50),
                  venus.get_queue(51, device=50), why="has a queue already")
        self.begin(venus.UP_TO_DEVICE, venus.get_queue(timeline=63),
                   venus.destroy_device(), venus.create_device(),
                   venus.get_queue(timeline=63))
        self.ends(venus.UP_TO_DEVICE,
                  venus.command(17, u64(DEVICE), words(0, 0), venus.new(QUEUE)),
                  why="needs a timeline")

    def test_wait_idle(self):
        self.ends(venus.UP_TO_QUEUE, venus.command(19, u64(QUEUE)),
                  why="by fences")

    def test_sync_files(self):
        """Of fences and semaphores that never promised any."""
        for number, body in ((244, u64(FENCE)), (245, u64(SEMAPHORE)),
                             (246, venus.info(1000384004, u64(SEMAPHORE),
                                              words(7)))):
            guest = self.begin(venus.UP_TO_DEVICE, venus.create_fence(),
                               venus.create_semaphore())
            guest.send(venus.command(number, u64(DEVICE), body))
            guest.is_gone(2)  # or the driver took it, or waits for ever

    def test_imported_semaphore(self):
        guest = self.begin(venus.UP_TO_QUEUE, venus.create_semaphore())
        guest.send(venus.command(246, u64(DEVICE), venus.info(
            1000384004, u64(SEMAPHORE), words(0))))
        guest.is_gone(2)

    def test_of_a_dead_device(self):
        self.ends(venus.UP_TO_QUEUE, venus.destroy_device(), venus.submit(),
                  why=UNKNOWN)
        self.ends(venus.UP_TO_COMMANDS, venus.create_buffer(BUFFER),
                  venus.destroy_device(), venus.record(), why=UNKNOWN)


if __name__ == "__main__":
    unittest.main()
