# SPDX-License-Identifier: GPL-2.0-or-later
"""The vtest protocol as Mesa uses it, with a fake render process."""

import errno
import fcntl
import mmap
import os
import select
import signal
import stat
import time
import unittest

import client as vt
from client import command, u64, words

MIB = 1 << 20


class Handshake(vt.Test):
    def test_versions(self):
        for asked, got in ((3, 3), (4, 3), (1000, 3), (2, 2), (0, 0)):
            with self.device.client() as client:
                client.send(vt.hello(version=asked))
                client.answer(vt.PING)
                client.answer(vt.BUSY_WAIT)
                self.assertEqual(client.answer(vt.VERSION), (got,))
                if got < 3:
                    self.assertTrue(client.is_gone())

    def test_params(self):
        with self.device.client() as client:
            client.agree()
            for param, want in ((1, (1, 64)), (2, (0, 0)), (99, (0, 0))):
                client.send(command(vt.PARAM, words(param)))
                self.assertEqual(client.answer(vt.PARAM), want)

    def test_capset(self):
        with self.device.client() as client:
            client.agree()
            self.assertEqual(client.capset(1), (0,))
            self.assertEqual(client.capset(vt.VENUS, 1), (0,))
            self.assertEqual(self.device.children(), [])
            capset = client.capset()
            self.assertEqual(len(capset), 41)
            self.assertEqual(capset[:2], (1, 1))  # valid; the wire format
            self.assertEqual(capset[5], 1)        # supports_blob_id_0
            self.assertEqual(capset[6] & 1, 1)    # the mask is a mask
            self.assertEqual(capset[38:40], (1, 1))  # waits, timelines
            self.assertEqual(client.capset(), capset)
            # A spare that begins may not have its name yet.
            self.until(lambda: len(self.device.children()) == 1, "a process")

    def test_socket_is_private(self):
        mode = stat.S_IMODE(os.stat(self.device.path).st_mode)
        self.assertEqual(mode & 0o077, 0)

    def test_no_render_program(self):
        device = vt.Device("/nowhere/vgpu-render")
        with device.client() as client:
            client.agree()
            self.assertEqual(client.capset(), (0,))
            self.assertIn("/nowhere/vgpu-render", device.said())
        status = device.end()
        self.assertEqual(status, 0, device.said())

    def test_contexts_have_an_end(self):
        script = os.path.join(self.device.folder.name, "render")
        with open(script, "w", encoding="ascii") as file:
            file.write("#!/bin/sh\nexec sleep 1000\n")
        os.chmod(script, 0o700)
        device = vt.Device(script, ("--host-memory-mib", "8192"))
        # Of 64 one process has 48; of others see test_shares.py.
        clients = [device.begin() for _ in range(48)]
        with device.client() as client:
            client.agree()
            self.assertEqual(client.capset(), (0,))
            clients.pop().socket.close()
            self.until(lambda: client.capset()[0] == 1, "there is room")
        for client in clients:
            client.socket.close()
        status = device.end()
        self.assertEqual(status, 0, device.said())


class Process(vt.Test):
    def setUp(self):
        os.environ["VN_DEBUG"] = "vtest"
        os.environ["VK_LAYER_PATH"] = "/layers"
        super().setUp()
        del os.environ["VN_DEBUG"], os.environ["VK_LAYER_PATH"]

    def test_start(self):
        with self.begin() as client:
            report = client.report()
        (first, body, fds) = report["heard"][0]
        self.assertEqual((first["type"], first["bytes"], first["n"], body, fds),
                         (1, 64 * MIB, vt.VENUS, 16, 0))

    def test_what_it_has(self):
        with self.begin() as client:
            report = client.report()
        environment = report["environment"]
        self.assertEqual(environment.pop("MESA_SHADER_CACHE_DISABLE"), "true")
        self.assertEqual(environment.pop("VK_LAYER_PATH"), "/layers")
        self.assertLessEqual(set(environment) - {"LC_CTYPE"}, {
            "VK_DRIVER_FILES", "VK_ICD_FILENAMES", "VK_INSTANCE_LAYERS",
            "LP_NUM_THREADS", "ASAN_OPTIONS", "UBSAN_OPTIONS", "LSAN_OPTIONS",
            "TSAN_OPTIONS"})
        fds = report["fds"]
        self.assertEqual(fds["0"], "/dev/null")
        self.assertTrue(fds["3"].startswith("socket:"))
        self.assertTrue(fds["4"].startswith("socket:"))
        self.assertEqual(fds.pop("5", "/"), "/")  # nothing is in there
        # For the listener of its seccomp filter, which this one does not have.
        self.assertTrue(fds.pop("7", "socket:").startswith("socket:"))
        # What it opened itself is the one resource that it was given.
        others = [fds[fd] for fd in fds if int(fd) > 4]
        self.assertEqual([fd for fd in others if "vgpu-shm" not in fd], [])

    def test_dies_with_the_device(self):
        device = vt.Device(self.render)
        client = device.begin()
        pid = client.report()["pid"]
        number = client.sync()
        fd = client.wait([(number, 1)])
        device.process.kill()
        device.process.wait()
        self.until(lambda: not os.path.exists(f"/proc/{pid}"), "it is dead")
        self.assertEqual(vt.is_ready(fd, vt.TIMEOUT), select.POLLHUP)

    def test_its_end_is_reaped(self):
        with self.begin() as client:
            pid = client.report()["pid"]
        self.until(lambda: not os.path.exists(f"/proc/{pid}"), "it is dead")


class Spare(vt.Test):
    """A process that waits for the next context."""

    def spare(self):
        self.until(self.device.spares, "a spare")
        return self.device.spares()[0]

    def test_next_context_takes_it(self):
        self.assertEqual(self.device.spares(), [])
        with self.begin() as first:
            spare = self.spare()
            self.assertEqual(len(self.device.children()), 1)
            with self.begin() as second:
                report = second.report()
                self.assertEqual(report["pid"], spare)
                kinds = [message["type"] for message, _, _ in report["heard"]]
                self.assertEqual(kinds[:2], [1, 7])
                self.assertIn(spare, self.device.children())
                # Nothing of one context is in another.
                self.assertNotEqual(first.report()["pid"], spare)
                self.assertNotEqual(self.spare(), spare)
        self.until(lambda: not self.device.spares(), "none without contexts")

    def test_it_may_die(self):
        with self.begin():
            spare = self.spare()
            os.kill(spare, signal.SIGKILL)
            self.until(lambda: not self.device.spares(), "it is dead")
            self.until(lambda: "signal 9" in self.device.said(), "it is said")
            with self.begin() as second:
                self.assertNotEqual(second.report()["pid"], spare)
                self.spare()

    def test_it_dies_when_taken(self):
        with self.begin():
            os.kill(self.spare(), signal.SIGSTOP)
            with self.begin() as second:
                stopped = [child for child, name in self.device.processes()
                           if name == vt.SPARE]
                os.kill(stopped[0], signal.SIGKILL)
                self.assertTrue(second.is_gone())
            with self.begin() as third:
                third.report()


class Sync(vt.Test):
    def test_values(self):
        with self.begin() as client:
            one, two = client.sync(5), client.sync(1 << 40)
            self.assertNotEqual(one, two)
            self.assertEqual(client.sync_read(one), 5)
            self.assertEqual(client.sync_read(two), 1 << 40)
            client.send(command(vt.SYNC_WRITE, words(one) + u64(7 << 33)))
            self.assertEqual(client.sync_read(one), 7 << 33)
            client.send(command(vt.SYNC_UNREF, words(one)))
            self.assertEqual(client.sync(), one)

    def test_waits(self):
        with self.begin() as client:
            one, two = client.sync(), client.sync()
            self.assertEqual(vt.is_ready(client.wait([])), select.POLLIN)
            self.assertEqual(vt.is_ready(client.wait([(one, 0)])), select.POLLIN)
            both = client.wait([(one, 1), (two, 1)])
            either = client.wait([(one, 1), (two, 1)], flags=1)
            far = client.wait([(one, 9)])
            self.assertEqual([vt.is_ready(fd) for fd in (both, either, far)],
                             [0, 0, 0])
            client.send(command(vt.SYNC_WRITE, words(one) + u64(1)))
            self.assertEqual(vt.is_ready(either, vt.TIMEOUT) & select.POLLIN,
                             select.POLLIN)
            self.assertEqual(vt.is_ready(both), 0)
            # Set back, and its id given up: what was reached is reached.
            client.send(command(vt.SYNC_WRITE, words(one) + u64(0)))
            client.send(command(vt.SYNC_UNREF, words(one)))
            client.send(command(vt.SYNC_WRITE, words(two) + u64(1)))
            self.assertEqual(vt.is_ready(both, vt.TIMEOUT) & select.POLLIN,
                             select.POLLIN)
            self.assertEqual(vt.is_ready(far), 0)

    def test_submits_set_them(self):
        with self.begin() as client:
            syncs = [client.sync() for _ in range(3)]
            client.hold()
            for ring, number in enumerate(syncs):
                client.send(vt.batch(points=[(number, 10 + ring)], ring=ring))
            fds = [client.wait([(number, 1)]) for number in syncs]
            self.assertEqual([vt.is_ready(fd) for fd in fds], [0, 0, 0])
            client.send(vt.batch(vt.script(["release"])))
            for fd in fds:
                self.assertTrue(vt.is_ready(fd, vt.TIMEOUT) & select.POLLIN)
            self.assertEqual([client.sync_read(n) for n in syncs], [10, 11, 12])

    def test_submit_without_timeline(self):
        with self.begin() as client:
            number = client.sync()
            client.send(vt.batch(points=[(number, 3)], flags=0))
            self.assertEqual(client.sync_read(number), 3)

    def test_a_batch_may_be_short(self):
        with self.begin() as client:
            number = client.sync()
            client.send(command(vt.SUBMIT, words(1, vt.RING, 7, 0, 7, 1, 0) +
                                words(number) + u64(4)))
            client.barrier()
            self.assertEqual(client.sync_read(number), 4)
            client.send(command(vt.SUBMIT, words(0)))
            two = (words(2, 0, 17, 0, 17, 1, 0, 0, 0, 0, 17, 0, 20, 1, 0, 0, 0) +
                   words(number) + u64(5) + words(number) + u64(6))
            client.send(command(vt.SUBMIT, two))
            self.assertEqual(client.sync_read(number), 6)

    def test_given_up_waits_go(self):
        with self.begin() as client:
            number = client.sync()
            before = self.device.fds()
            for _ in range(3000):
                os.close(client.wait([(number, 1)]))
            self.assertLess(self.device.fds(), before + 130)

    def test_lost_context(self):
        with self.begin() as client:
            number = client.sync()
            fd = client.wait([(number, 1)])
            client.send(vt.batch(vt.script(["kill", signal.SIGSEGV])))
            self.assertEqual(vt.is_ready(fd, vt.TIMEOUT), select.POLLHUP)
            self.assertTrue(client.is_gone())
        self.assertIn("signal 11", self.device.said())


class Memory(vt.Test):
    def test_shm(self):
        with self.begin() as client:
            number, fd = client.blob(10000)
            self.assertEqual(os.fstat(fd).st_size, 12288)
            for change in (lambda: os.ftruncate(fd, 16384),
                           lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS,
                                               fcntl.F_SEAL_WRITE)):
                self.assertRaises(PermissionError, change)
            heard = client.report()["heard"]
            add = [m for m, _, _ in heard if m["type"] == 3][0]
            self.assertEqual((add["resource_id"], add["bytes"]), (number, 12288))
            os.pwrite(fd, b"x", 0)
            client.send(command(vt.UNREF, words(number)))
            heard = client.report()["heard"]
            self.assertTrue([m for m, _, _ in heard if m["type"] == 4 and
                             m["resource_id"] == number])
            # Whoever keeps the file has nothing of the device's any more.
            self.assertEqual(os.fstat(fd).st_size, 0)
            self.assertRaises(PermissionError, os.ftruncate, fd, 4096)
            self.assertGreater(client.blob(4096)[0], number)

    def test_ids_come_again_late(self):
        with self.begin() as client:
            first, fd = client.blob(4096)
            os.close(fd)
            for i in range(1, 16384 + 10):
                number, fd = client.blob(4096)
                os.close(fd)
                self.assertNotEqual(number, first)
                if i < 16384:
                    self.assertEqual(number, first + i)
                client.send(command(vt.UNREF, words(number)))
                if i % 500 == 0:
                    client.barrier()

    def test_memory(self):
        with self.begin() as client:
            client.run(["alloc", 77, MIB], ["poke", 77, "hello"])
            number, fd = client.blob(MIB - 1, 77)
            self.assertGreater(number, 0)
            self.assertEqual(os.fstat(fd).st_blocks * 512, MIB)
            with mmap.mmap(fd, 0) as memory:
                self.assertEqual(memory[:5], b"hello")
                self.assertFalse(any(memory[5:]))
            self.assertRaises(PermissionError, os.ftruncate, fd, 2 * MIB)
            # It is kept for the next allocation of its size, if it is small.
            client.run(["free", 77], ["alloc", 78, MIB], ["alloc", 79, 16 * MIB])
            client.send(command(vt.UNREF, words(number)))
            _, again = client.blob(MIB, 78)
            self.assertEqual(os.fstat(again).st_ino, os.fstat(fd).st_ino)
            _, large = client.blob(16 * MIB, 79)
            self.assertEqual(os.fstat(large).st_blocks * 512, 16 * MIB)
            client.run(["free", 78], ["free", 79])
            self.assertEqual(os.fstat(fd).st_blocks * 512, MIB)
            self.assertEqual(os.fstat(large).st_blocks, 0)
        # Nobody has its pages when it is gone.
        end = time.monotonic() + 20
        while os.fstat(fd).st_blocks and time.monotonic() < end:
            time.sleep(0.01)
        self.assertEqual(os.fstat(fd).st_blocks, 0)

    def test_quota(self):
        one, two = self.begin(), self.begin()
        one.run(["alloc", 1, 40 * MIB], ["alloc", 2, 8 * MIB, 2])
        two.run(["alloc", 1, 20 * MIB], ["alloc", 2, 16 * MIB],
                ["alloc", 3, 4096])
        self.assertEqual([a["status"] for a in one.report()["answers"]], [0, 0])
        answers = two.report()["answers"]
        self.assertEqual([a["status"] for a in answers], [12, 0, 12])
        self.assertEqual([a["fds"] for a in answers], [0, 1, 0])
        one.run(["free", 2])
        two.run(["alloc", 4, 8 * MIB])
        self.assertEqual(two.report()["answers"][-1]["status"], 0)
        one.socket.close()
        self.until(lambda: len(self.device.children()) == 1, "one is gone")
        two.run(["alloc", 5, 40 * MIB])
        self.assertEqual(two.report()["answers"][-1]["status"], 0)
        two.socket.close()

    def test_dmabuf_where_none_can_be_made(self):
        """It is refused, and nothing stays counted."""
        with self.begin() as client:
            for _ in range(2):
                client.run(["alloc", 1, 64 * MIB, 1 << 5])
                answer = client.report()["answers"][-1]
                self.assertEqual((answer["status"], answer["fds"], answer["offset"]),
                                 (errno.ENODEV, 0, 0))
            client.run(["alloc", 1, 64 * MIB])
            self.assertEqual(client.report()["answers"][-1]["status"], 0)

    def test_export_holds_only_its_client(self):
        with self.begin() as client, self.begin() as other:
            client.hold(["alloc", 1, 4096])
            client.send(vt.blob(4096, 1) + command(vt.PARAM, words(1)))
            other.barrier()
            client.socket.settimeout(0.2)
            self.assertRaises(TimeoutError, client.read, 1)

    def test_commands_of_all_sizes(self):
        with self.begin() as client:
            for size in (4, 65536 - 4, 65536, 65536 + 4, 3 << 20):
                for _ in range(3):
                    client.send(vt.batch(b"[]" + b" " * (size - 2)))
            client.barrier()
            self.assertEqual(client.report()["heard"][-1][0]["type"], 2)


if __name__ == "__main__":
    unittest.main()
