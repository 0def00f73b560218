# SPDX-License-Identifier: GPL-2.0-or-later
"""T10: limits of host memory hold, whatever a guest asks a driver for."""

import contextlib
import mmap
import os
import threading
import time
import unittest

import venus
from venus import BUFFER, COMMANDS, DEVICE, FREE_ID, MIB, NULL, u64, words

LIMIT_MIB = 256
NO_HOST_MEMORY = -1  # VK_ERROR_OUT_OF_HOST_MEMORY
SET_LAYOUT, SET_POOL = 500, 501


def status(pid, *names):
    """The sum of these fields of /proc/PID/status, in bytes."""
    total = 0
    try:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            for line in file:
                if line.split(":")[0] in names:
                    total += int(line.split()[1]) * 1024
    except (FileNotFoundError, ProcessLookupError):
        pass
    return total


def unmapped(pid):
    """Bytes in the driver's memfd."""
    total = 0
    try:
        for fd in os.listdir(f"/proc/{pid}/fd"):
            path = f"/proc/{pid}/fd/{fd}"
            if os.readlink(path).startswith("/memfd:allocation"):
                total += os.stat(path).st_blocks * 512
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        pass
    return total


def is_shut_in(pid):
    with contextlib.suppress(FileNotFoundError, ProcessLookupError), \
            open(f"/proc/{pid}/status", encoding="ascii") as file:
        return "\nSeccomp:\t2\n" in file.read()
    return False


def file_limit(pid):
    with open(f"/proc/{pid}/limits", encoding="ascii") as file:
        for line in file:
            if line.startswith("Max file size"):
                return int(line[26:].split()[0])
    return 0


class Watch(threading.Thread):
    """The most that all processes of a vGPU take at any time."""

    def __init__(self, device):
        super().__init__(daemon=True)
        self.device, self.most, self.is_over = device, 0, False

    def look(self):
        taken = 0
        for pid, _ in self.device.processes():
            # The framebuffer is shared, too, but these tests use none.
            shared = status(pid, "RssShmem")
            taken += status(pid, "RssAnon") + max(shared, unmapped(pid))
        self.most = max(self.most, taken)

    def run(self):
        while not self.is_over:
            self.look()
            time.sleep(0.002)


def create_query_pool(number, count, kind=0, **how):
    return venus.command(47, u64(DEVICE), venus.info(11, words(0, kind, count, 0)),
                         NULL, venus.new(number), **how)


def create_set_layout(count):
    return venus.command(72, u64(DEVICE), venus.info(
        32, words(0, 1), venus.array(words(0, 7, count, 0x20) + NULL)),
        NULL, venus.new(SET_LAYOUT))


def create_set_pool():
    return venus.command(74, u64(DEVICE), venus.info(
        33, words(1, 1000000, 1), venus.array(words(7, 4000000))),
        NULL, venus.new(SET_POOL))


def allocate_sets(first, n, **how):
    return venus.command(77, u64(DEVICE), venus.info(
        34, u64(SET_POOL), words(n), venus.array(*[u64(SET_LAYOUT)] * n)),
        venus.array(*(u64(first + i) for i in range(n))), **how)


def reset_set_pool():
    return venus.command(76, u64(DEVICE), u64(SET_POOL), words(0))


def update_buffer(size=65536):
    return venus.command(117, u64(COMMANDS), u64(BUFFER), u64(0), u64(size),
                         u64(size), b"x" * size)


class HostMemory(venus.Careless):
    args = ("--framebuffer-mib", "64", "--host-memory-mib", str(LIMIT_MIB))

    def setUp(self):
        super().setUp()
        self.watch = Watch(self.device)
        self.watch.start()

    def finish(self):
        self.watch.is_over = True
        self.watch.join()
        self.watch.look()
        # Whoever took all, the neighbour has what it needs.
        self.assertEqual(self.other.result(
            create_query_pool(FREE_ID, 10000, reply=True)), 0)
        super().finish()
        print(f"{self.id()}: {self.watch.most // MIB} MiB of {LIMIT_MIB}")
        self.assertLessEqual(self.watch.most, LIMIT_MIB * MIB)

    def last_process(self):
        """The process of the newest context, once it has executed something:
        before, it may not have its name yet, or still be the spare one."""
        ready = [pid for pid in self.device.children() if is_shut_in(pid)]
        self.assertGreaterEqual(len(ready), 2)  # with the neighbour's
        return ready[-1]

    def is_alive(self, guest):
        return guest.result(create_query_pool(FREE_ID, 1, reply=True)) == 0

    def take(self, guest, chunk, turns):
        """Until it gets no more, or its context is at its end."""
        try:
            for i in range(turns):
                guest.run(chunk(i))
        except (AssertionError, EOFError, OSError):
            pass

    def test_one_query_pool(self):
        """844 MiB by a command of 60 bytes."""
        guest = self.begin(venus.UP_TO_QUEUE)
        for count in (100_000_000, 0xffffffff):
            self.assertEqual(guest.result(create_query_pool(
                FREE_ID + 1, count, reply=True)), NO_HOST_MEMORY)
        self.assertTrue(self.is_alive(guest))

    def test_query_pools(self):
        guest = self.begin(venus.UP_TO_QUEUE)
        results = {guest.result(create_query_pool(i + FREE_ID, 500000,
                                                  reply=True))
                   for i in range(100)}
        self.assertEqual(results, {0, NO_HOST_MEMORY})

    def test_descriptor_sets(self):
        guest = self.begin(venus.UP_TO_COMMANDS, create_set_layout(65536),
                           create_set_pool())
        self.take(guest, lambda i: allocate_sets(FREE_ID + 10 * i, 10), 30)
        self.assertTrue(guest.is_gone())

    def test_descriptor_sets_that_are_freed(self):
        """Memory that a driver keeps for them in a file still counts."""
        guest = self.begin(venus.UP_TO_COMMANDS, create_set_layout(8192),
                           create_set_pool())
        pid = self.last_process()
        for i in range(8):
            # Each takes 512 KiB, and only what is used makes it get more.
            self.until(lambda i=i: file_limit(pid) > (i + 2) * MIB / 2,
                       "it may take that")
            guest.run(allocate_sets(FREE_ID + i, 1))
        guest.run(reset_set_pool())
        self.assertGreaterEqual(unmapped(pid), 4 * MIB)
        for i in range(100):
            guest.result(create_query_pool(i + FREE_ID, 500000, reply=True))

    def test_recorded_commands(self):
        guest = self.begin(
            venus.UP_TO_COMMANDS, venus.create_buffer(size=65536),
            venus.allocate(size=65536), venus.bind_buffer(),
            venus.command(90, u64(COMMANDS), venus.info(42, words(0), NULL)))
        self.take(guest, lambda i: update_buffer() * 50, 100)

    def test_pipelines(self):
        guest = self.begin(venus.UP_TO_COMMANDS)
        one = venus.create_pipeline()
        parts = [one.replace(u64(venus.PIPELINE), u64(FREE_ID + 3 * i))
                 .replace(u64(venus.MODULE), u64(FREE_ID + 3 * i + 1))
                 .replace(u64(venus.LAYOUT), u64(FREE_ID + 3 * i + 2))
                 for i in range(3000)]
        self.take(guest, lambda i: b"".join(parts[20 * i:20 * i + 20]), 150)

    def test_devices(self):
        """854 MiB of 64 devices."""
        guest = self.begin(venus.UP_TO_QUEUE)
        self.take(guest, lambda i: venus.create_device(FREE_ID + i), 64)

    def test_sparse_buffers(self):
        """Of which a shader could write every page."""
        guest = self.begin(venus.UP_TO_QUEUE)
        pid = self.last_process()
        before = status(pid, "VmSize")
        self.take(guest, lambda i: venus.command(
            50, u64(DEVICE), venus.info(12, words(1), u64(64 * MIB), words(3, 0),
                                        words(0), NULL), NULL,
            venus.new(FREE_ID + i)), 20)
        self.assertLess(status(pid, "VmSize") - before, LIMIT_MIB * MIB)

    def test_many_contexts(self):
        """1359 MiB of 64 contexts that do nothing with their devices."""
        guests = []
        for _ in range(16):
            try:
                guest = self.begin(venus.UP_TO_QUEUE)
            except (AssertionError, EOFError, OSError):
                break
            guests.append(guest)
        self.assertIn(len(guests), range(2, 16))
        for guest in guests:
            guest.barrier()

    def test_shared_memory(self):
        """Blobs count, mapped or not."""
        guest = self.begin(venus.UP_TO_QUEUE)
        fds = []
        try:
            for _ in range(20):
                fds.append(guest.client.blob(16 * MIB)[1])
                with mmap.mmap(fds[-1], 0) as memory:
                    memory[:] = b"x" * 16 * MIB
        except (EOFError, OSError):
            pass
        finally:
            for fd in fds:
                os.close(fd)
        self.assertLess(len(fds), 20)

    def test_who_dies_first(self):
        """Contexts, then the device; what started that stays as it is."""
        def adjustment(pid):
            with open(f"/proc/{pid}/oom_score_adj", encoding="ascii") as file:
                return int(file.read())
        own = adjustment("self")
        device = adjustment(self.device.process.pid)
        self.assertGreater(device, own)
        for pid, _ in self.device.processes():
            self.assertGreater(adjustment(pid), device)


if __name__ == "__main__":
    unittest.main()
