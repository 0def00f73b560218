# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients of one socket: what some take is never what others need."""

import multiprocessing
import os
import random
import resource
import select
import time
import unittest

import client as vt
from client import command, u64, words

OUT_OF_MEMORY = 12
FILES = 4096
SILENT = 40
SILENT_SECONDS = 10


def stay_silent(path, n, is_there):
    """A process with @n connections that say nothing, until it is killed."""
    sockets = []
    for _ in range(n):
        try:
            sockets.append(vt.Client(path))
        except OSError:
            pass
    is_there.set()
    time.sleep(vt.TIMEOUT)


class Connections(vt.Test):
    # Memory is no matter here: what many that start at once are granted.
    args = vt.Test.args + ("--host-memory-mib", "8192")

    def handshakes(self, n):
        """How many of @n clients that speak at once are served."""
        served = 0
        for _ in range(n):
            with self.device.client() as client:
                try:
                    client.agree()
                    served += 1
                except (OSError, EOFError):
                    pass
        return served

    def test_silent_ones_of_one_process(self):
        silent = [self.device.client() for _ in range(160)]
        self.assertEqual(self.handshakes(50), 50)
        # The newest of them are there still, and so are those with contexts.
        self.until(lambda: self.device.fds() <= self.idle_fds + 2 * 16,
                   "the rest of them have gone")
        for client in silent:
            client.socket.close()

    def test_silent_ones_of_many_processes(self):
        context = self.begin()
        processes = []
        for _ in range(10):
            is_there = multiprocessing.Event()
            processes.append(multiprocessing.Process(
                target=stay_silent, args=(self.device.path, SILENT, is_there)))
            processes[-1].start()
            self.assertTrue(is_there.wait(vt.TIMEOUT))
        self.assertEqual(self.handshakes(50), 50)
        context.barrier()
        for process in processes:
            process.kill()
            process.join()

    def test_silent_ones_end(self):
        since = time.monotonic()
        silent, half, spoken = (self.device.client() for _ in range(3))
        half.send(vt.hello()[:3])
        spoken.agree()
        self.assertTrue(silent.is_gone() and half.is_gone())
        self.assertGreaterEqual(time.monotonic() - since, SILENT_SECONDS - 1)
        spoken.send(command(vt.PING))
        spoken.answer(vt.PING)
        for client in (silent, half, spoken):
            client.socket.close()

    def test_contexts_of_one_process(self):
        mine = [self.begin() for _ in range(48)]
        with self.device.client() as client:
            client.agree()
            self.assertEqual(client.capset(), (0,))
        self.assertIn("three quarters", self.device.said())
        if os.fork() == 0:  # another has what is left
            status = 1
            try:
                others = [self.device.begin() for _ in range(16)]
                others[0].barrier()
                status = 0
            finally:
                os._exit(status)
        self.assertEqual(os.wait()[1], 0)
        for client in mine:
            client.socket.close()


class Files(vt.Test):
    """With few files in all, so that they can be used up quickly."""

    args = Connections.args

    def setUp(self):
        self.device = vt.Device(self.render, self.args, files=FILES)
        self.addCleanup(self.finish)
        self.idle_fds = self.device.fds() + 2

    def test_greedy_clients(self):
        """They take all that they are given, and stay. No one else is short."""
        first = self.begin()
        greedy = [self.begin() for _ in range(10)]
        given = []
        for client in greedy:
            client.run(*(["alloc", i, 4096] for i in range(FILES)))
            # As many more in shared memory and waits, but not too many.
            number = client.sync()
            for _ in range(4):
                os.close(client.blob(4096)[1])
                os.close(client.wait([(number, 1)]))
            given.append(client)
        self.assertLess(self.device.fds(), FILES)
        for client in (first, self.begin()):
            for _ in range(6):
                os.close(client.blob(4096)[1])
            client.run(["alloc", 1, 4096], ["alloc", 2, 4096])
            self.assertEqual([a["status"] for a in client.report()["answers"]],
                             [0, 0])
            client.barrier()
            client.socket.close()
        for client in greedy:
            client.barrier()  # nor have they lost anything
            client.socket.close()

    def test_one_may_have_most_of_them(self):
        with self.begin() as client:
            client.run(*(["alloc", i, 4096] for i in range(FILES)))
            self.assertGreater(self.device.fds(), FILES // 4)


class Waits(vt.Test):
    def cpu_ticks(self):
        with open(f"/proc/{self.device.process.pid}/stat",
                  encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return int(fields[11]) + int(fields[12])

    def cost_of_writes(self, client, number, n):
        before = self.cpu_ticks()
        for i in range(0, n, 1000):
            client.send(b"".join(command(vt.SYNC_WRITE, words(number) + u64(j))
                                 for j in range(i, i + 1000)))
            client.sync_read(number)
        return self.cpu_ticks() - before

    def test_a_write_costs_what_it_reaches(self):
        with self.begin() as client:
            number = client.sync()
            alone = self.cost_of_writes(client, number, 50000)
            others = [client.sync() for _ in range(8000)]
            for i in range(0, 8000, 1000):
                client.wait([(one, 1) for one in others[i:i + 1000]])
                client.wait([(number, (1 << 40) + j) for j in range(900)])
            beside = self.cost_of_writes(client, number, 50000)
            print(f"50000 writes: {alone} ticks of the processor alone, "
                  f"{beside} with 15200 points that wait")
            self.assertLess(beside, 3 * alone + 10)

    def test_many_waits_at_random(self):
        """All that is reached is told, and nothing else."""
        pick = random.Random(1)
        with self.begin() as client:
            numbers = [client.sync() for _ in range(5)]
            values = dict.fromkeys(numbers, 0)
            waits = []
            for step in range(2000):
                if step % 4 or len(waits) > 200:
                    number = pick.choice(numbers)
                    value = pick.randrange(100 + step)
                    values[number] = value
                    client.send(command(vt.SYNC_WRITE,
                                        words(number) + u64(value)))
                    for wait in waits:
                        wait[1] -= {point for point in wait[1]
                                    if values[point[0]] >= point[1]}
                else:
                    points = {(pick.choice(numbers),
                               pick.randrange(1, 200 + step))
                              for _ in range(pick.randrange(1, 6))}
                    left = {point for point in points
                            if values[point[0]] < point[1]}
                    is_any = pick.randrange(2)
                    fd = client.wait(list(points), flags=is_any)
                    waits.append([fd, left, is_any, len(points)])
                client.sync_read(numbers[0])  # it has taken all that in
                for wait in waits[:]:
                    fd, left, is_any, n = wait
                    is_over = not left or (is_any and len(left) < n)
                    self.assertEqual(bool(vt.is_ready(fd) & select.POLLIN),
                                     is_over)
                    if is_over or pick.randrange(50) == 0:
                        os.close(fd)
                        waits.remove(wait)
            for fd, *_ in waits:
                os.close(fd)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_NOFILE,
                       (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
    unittest.main()
