# SPDX-License-Identifier: GPL-2.0-or-later
"""Time limits: a context's own work counts, and waiting for what never comes.
What other processes do, and how long a guest takes, does not."""

import os
import signal
import subprocess
import tempfile
import time
import unittest

import venus
from venus import COMMANDS, FENCE, SEMAPHORE, Ring, vt

LIMIT = 2
LONGER = 2.5 * LIMIT  # what must not count lasts that long
# Work that is not too much, though the same takes a processor more time when
# others are on it, too.
LESS = 0.6 * LIMIT
NEVER = "waits for what nothing can bring"
TICKS = os.sysconf("SC_CLK_TCK")
SET = 60

SLOW_LINE = ("x = x * y + sin(x * {0}.5); y = y - x / (y * {0}.25); "
             "if (x > {0}.0) {{ y = cos(y) * a[{0}]; }}\n")
SLOW_TO_COMPILE = """#version 460
layout(local_size_x = 1) in;
layout(binding = 0) buffer A { float a[]; };
void main() { float x = a[0], y = a[1];
%s a[2] = x + y; }
"""


def compile_shader(source):
    """Text of GLSL to SPIR-V."""
    with tempfile.TemporaryDirectory(prefix="glsl.") as folder:
        text, code = os.path.join(folder, "x.comp"), os.path.join(folder, "x")
        with open(text, "w", encoding="ascii") as file:
            file.write(source)
        subprocess.run(["glslang", "-V", "--quiet", "--target-env", "vulkan1.1",
                        text, "-o", code], check=True)
        with open(code, "rb") as file:
            return file.read()


def record_work(groups):
    """Dispatches of as many times 64 groups."""
    return venus.record(*[venus.dispatch(16384, 64, 1)] * (groups // 16384),
                        venus.dispatch(groups % 16384, 64, 1))


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class Limits(venus.Test):
    environment = {"VGPU_WORK_SECONDS_MAX": str(LIMIT)}

    def begin_with_process(self, *commands):
        self.until(self.device.spares, "a process waits for the next guest")
        pid, = self.device.spares()
        guest = self.begin(*commands)
        self.assertIn(pid, self.device.children())
        return guest, pid

    def ask_fence(self, guest):
        """A fence behind all that was submitted."""
        sync = guest.client.sync()
        guest.client.send(vt.batch(points=[(sync, 1)], ring=1))
        return guest.client.wait([(sync, 1)])

    def is_done(self, fd):
        self.assertTrue(vt.is_ready(fd, vt.TIMEOUT), self.device.said())
        os.close(fd)

    def finish_work(self, guest):
        self.is_done(self.ask_fence(guest))


class Work(Limits):
    """Work on a context's own threads."""

    UP_TO_PIPELINE = (venus.UP_TO_COMMANDS, venus.create_pipeline())

    def begin_work(self, seconds):
        """A guest whose COMMANDS are so much work for the driver's two threads
        together, and its process."""
        guest, pid = self.begin_with_process(*self.UP_TO_PIPELINE)
        groups = 1 << 10
        while True:
            guest.run(record_work(groups))
            before = processor_seconds(pid)
            guest.send(venus.submit(COMMANDS))
            self.finish_work(guest)
            used = processor_seconds(pid) - before
            if used > seconds / 8:
                break
            groups *= 2
        guest.work = record_work(int(groups * seconds / used))
        guest.run(guest.work)
        return guest, pid

    def test_command(self):
        """One command that keeps a processor busy: the reason names it."""
        code = compile_shader(SLOW_TO_COMPILE % "".join(
            SLOW_LINE.format(i) for i in range(8000)))
        guest = self.begin(venus.UP_TO_COMMANDS, venus.create_set_layout(SET))
        data = venus.create_pipeline(code, sets=(SET,))
        number, memory = guest.share(len(data) + 4096 & ~4095)
        memory[:len(data)] = data
        guest.send(venus.execute((number, 0, len(data))))
        self.other.run(venus.create_fence(50))
        self.is_over(guest, f"vkCreateComputePipelines: more than {LIMIT} s"
                            " of work")

    def test_neighbours(self):
        """Eight at once, each of less work than the limit: they take longer
        than that, and none is lost."""
        guests = [self.begin_work(LESS)[0]]
        for _ in range(7):
            guests.append(self.begin(*self.UP_TO_PIPELINE))
            guests[-1].run(guests[0].work)
        before = time.monotonic()
        for guest in guests:
            guest.send(venus.submit(COMMANDS))
        for fd in [self.ask_fence(guest) for guest in guests]:
            self.is_done(fd)
        self.assertGreater(time.monotonic() - before, LIMIT,
                           "this machine has too many processors for the test")
        for guest in guests:
            guest.run(venus.create_fence(50))

    def test_many_submits(self):
        """All of them together are more work than the limit of one."""
        guest, _ = self.begin_work(LESS)
        guest.send(*[venus.submit(COMMANDS)] * 8)
        self.finish_work(guest)

    def test_stopped(self):
        """As by a debugger, or with all the host."""
        guest, pid = self.begin_work(LESS)
        before = processor_seconds(pid)
        guest.send(venus.submit(COMMANDS))
        fd = self.ask_fence(guest)
        self.until(lambda: processor_seconds(pid) > before + 0.1, "it works")
        os.kill(pid, signal.SIGSTOP)
        time.sleep(LONGER)
        os.kill(pid, signal.SIGCONT)
        self.is_done(fd)

    def test_stopped_while_it_waits(self):
        """Time in which the process was stopped does not count, not even
        during a wait."""
        guest, pid = self.begin_with_process(venus.UP_TO_QUEUE,
                                             venus.create_fence())
        ring = Ring(guest).begin()
        ring.send(venus.wait_for_fence())
        os.kill(pid, signal.SIGSTOP)
        time.sleep(LONGER)
        os.kill(pid, signal.SIGCONT)
        guest.run(venus.submit(fence=FENCE), venus.wait_ring(1, ring.at))


class Guests(Limits):
    """How long a guest takes is its own affair."""

    def test_queue_waits_for_the_guest(self):
        guest = self.begin(venus.UP_TO_QUEUE,
                           venus.create_semaphore(is_timeline=True),
                           venus.submit(wait=[(SEMAPHORE, 1)]))
        fd = self.ask_fence(guest)
        time.sleep(LONGER)
        self.assertFalse(vt.is_ready(fd))
        guest.run(venus.signal_semaphore(1))
        self.is_done(fd)

    def test_ring_waits_for_the_guest(self):
        guest = self.begin(venus.UP_TO_QUEUE)
        ring = Ring(guest).begin()
        ring.send(venus.wait_virtqueue_seqno(1))
        time.sleep(LONGER)
        guest.run(venus.submit_virtqueue_seqno(1, 1),
                  venus.wait_ring(1, ring.at))

    def test_wait_that_another_command_ends(self):
        """A wait lasts as long as the guest does other things meanwhile."""
        guest = self.begin(venus.UP_TO_QUEUE, venus.create_fence())
        ring = Ring(guest).begin()
        ring.send(venus.wait_for_fence())
        end = time.monotonic() + LONGER
        while time.monotonic() < end:
            guest.run(venus.create_fence(50), venus.command(
                36, venus.u64(venus.DEVICE), venus.u64(50), venus.NULL))
        guest.run(venus.submit(fence=FENCE), venus.wait_ring(1, ring.at))


class Never(Limits):
    """Waits that nothing can end."""

    UP_TO_FENCE = (venus.UP_TO_QUEUE, venus.create_fence(),
                   venus.create_semaphore(is_timeline=True))

    def test_fence(self):
        guest = self.begin(*self.UP_TO_FENCE)
        guest.send(venus.wait_for_fence())
        self.is_over(guest, f"vkWaitForFences: {NEVER}")

    def test_fence_on_a_ring(self):
        guest = self.begin(*self.UP_TO_FENCE)
        Ring(guest).begin().send(venus.wait_for_fence())
        self.is_over(guest, f"vkWaitForFences: {NEVER}")

    def test_semaphore(self):
        guest = self.begin(*self.UP_TO_FENCE)
        guest.send(venus.wait_for_semaphore(1))
        self.is_over(guest, f"vkWaitSemaphores: {NEVER}")

    def test_device(self):
        for command, name in ((venus.wait_idle(), "vkDeviceWaitIdle"),
                              (venus.destroy_device(), "vkDestroyDevice")):
            guest = self.begin(*self.UP_TO_FENCE)
            guest.send(venus.submit(wait=[(SEMAPHORE, 1)]), command)
            self.is_over(guest, f"{name}: {NEVER}")

    def test_ring_and_context_wait_for_each_other(self):
        guest = self.begin(*self.UP_TO_FENCE)
        ring = Ring(guest).begin()
        ring.send(venus.wait_virtqueue_seqno(1))
        guest.send(venus.wait_ring(1, ring.at))
        self.is_over(guest, f"vkWaitRingSeqnoMESA: {NEVER}")

    def test_ring_that_has_nothing(self):
        guest = self.begin(*self.UP_TO_FENCE)
        ring = Ring(guest).begin()
        guest.send(venus.wait_ring(1, ring.at + 1))
        self.is_over(guest, f"vkWaitRingSeqnoMESA: {NEVER}")


class Destroyed(Limits):
    """Destroying a ring ends its waits, long before a limit."""

    environment = {"VGPU_WORK_SECONDS_MAX": "86399"}

    def check(self, *commands):
        guest = self.begin(*Never.UP_TO_FENCE)
        ring = Ring(guest).begin()
        # The id is taken: carried out, the last one would end the context.
        ring.send(b"".join(commands) + venus.create_fence())
        guest.run(venus.destroy_ring(1))
        Ring(guest, 2).begin().run(venus.create_fence(50))

    def test_fence(self):
        self.check(venus.wait_for_fence())

    def test_semaphore(self):
        self.check(venus.wait_for_semaphore(1))

    def test_in_a_stream(self):
        guest = self.begin(*Never.UP_TO_FENCE)
        data = venus.wait_for_fence() + venus.create_fence()
        number, memory = guest.share(4096)
        memory[:len(data)] = data
        ring = Ring(guest).begin()
        ring.send(venus.execute((number, 0, len(data))) + venus.create_fence())
        guest.run(venus.destroy_ring(1))
        Ring(guest, 2).begin().run(venus.create_fence(50))

    def test_queue_that_waits_for_the_guest(self):
        self.check(venus.submit(wait=[(SEMAPHORE, 1)], fence=FENCE),
                   venus.wait_for_fence())


if __name__ == "__main__":
    unittest.main()
