# SPDX-License-Identifier: GPL-2.0-or-later
"""Clients and render processes that break every rule lose their context only."""

import array
import os
import select
import signal
import socket
import struct
import unittest

import client as vt
from client import command, u64, words

MIB = 1 << 20
NOTHING = 0xffffffff


class Clients(vt.Test):
    def setUp(self):
        super().setUp()
        self.other = self.device.begin()

    def finish(self):
        # One that does as it should is served to the end.
        if self.device.process.poll() is None:
            self.other.barrier()
        self.other.socket.close()
        super().finish()

    def ends(self, data, client=None):
        with client or self.begin() as client:
            try:
                client.send(data)
            except OSError:  # it is gone before all is said
                pass
            self.assertTrue(client.is_gone())

    def test_half_messages(self):
        whole = vt.hello() + command(vt.CAPSET, words(vt.VENUS, 0))
        for cut in range(0, len(whole), 3):
            with self.device.client() as client:
                client.send(whole[:cut])
        served = (vt.blob(4096) + command(vt.SYNC_CREATE, u64(0)) +
                  command(vt.SYNC_WAIT, words(0, 0, 1) + u64(1)) +
                  vt.batch(vt.script(["hold"]), [(1, 1)]) +
                  command(vt.UNREF, words(1)))
        for cut in range(0, len(served), 17):
            with self.begin() as client:
                client.send(served[:cut])
        self.assertIsNone(self.device.process.poll())

    def test_byte_by_byte(self):
        with self.device.client() as client:
            for byte in vt.hello():
                client.send(bytes([byte]))
            client.answer(vt.PING)

    def test_lengths(self):
        for number in range(40):
            for length in (0xffffffff, 0x40000000, 0x80000000, (4 << 20) + 1):
                self.ends(command(number, b"", length), self.device.client())
                self.ends(vt.hello() + command(number, b"", length),
                          self.device.client())
        with self.begin() as first:
            number = first.sync()
        for number, body in ((vt.BLOB, 5), (vt.BLOB, 7), (vt.UNREF, 0),
                             (vt.UNREF, 2), (vt.SYNC_CREATE, 1),
                             (vt.SYNC_READ, 2), (vt.SYNC_WRITE, 1),
                             (vt.SYNC_WAIT, 1), (vt.SYNC_WAIT, 3),
                             (vt.SYNC_WAIT, 4), (vt.SUBMIT, 0), (vt.PING, 1),
                             (vt.BLOB, 0x40000006), (vt.SUBMIT, NOTHING),
                             (vt.SYNC_WAIT, 0xfffffffe)):
            self.ends(command(number, words(*[0] * min(body, 8)), body))

    def test_out_of_turn(self):
        for number in range(40):
            if number != vt.CREATE:
                self.ends(command(number), self.device.client())
        self.ends(vt.hello() + vt.hello(), self.device.client())
        self.ends(vt.hello() + command(vt.INIT, words(vt.VENUS)),
                  self.device.client())
        self.ends(vt.hello() + vt.blob(4096), self.device.client())
        self.ends(command(vt.INIT, words(vt.VENUS)))
        with self.device.client() as client:
            client.agree()
            client.capset()
            self.ends(command(vt.INIT, words(1)), client)

    def test_ids(self):
        for number in (0, 1, 2, 16385, NOTHING):
            self.ends(command(vt.UNREF, words(number)))
            self.ends(command(vt.SYNC_UNREF, words(number)))
            self.ends(command(vt.SYNC_READ, words(number)))
            self.ends(command(vt.SYNC_WRITE, words(number) + u64(1)))
            self.ends(command(vt.SYNC_WAIT, words(0, 0, number) + u64(1)))
            self.ends(vt.batch(points=[(number, 1)]))
            self.ends(vt.batch(points=[(number, 1)], flags=0))
        for flags in (2, 4, 0x80000000):
            self.ends(vt.batch(flags=flags))
            self.ends(command(vt.SYNC_WAIT, words(flags, 0)))
        self.ends(vt.batch(ring=64))
        self.ends(command(vt.BUSY_WAIT, words(1, 0)))

    def test_unref_twice(self):
        with self.begin() as client:
            number, fd = client.blob(4096)
            os.close(fd)
            client.send(command(vt.UNREF, words(number)))
            self.ends(command(vt.UNREF, words(number)), client)
        with self.begin() as client:
            number = client.sync()
            client.send(command(vt.SYNC_UNREF, words(number)))
            self.ends(command(vt.SYNC_UNREF, words(number)), client)

    def test_sync_given_up_while_in_use(self):
        with self.begin() as client:
            number = client.sync()
            client.hold()
            fd = client.wait([(number, 1)])
            client.send(vt.batch(points=[(number, 1)]))
            client.send(command(vt.SYNC_UNREF, words(number)))
            client.send(vt.batch(vt.script(["release"])))
            self.assertTrue(vt.is_ready(fd, vt.TIMEOUT) & select.POLLIN)

    def test_batches(self):
        for body in (words(1), words(1, 0, 0, 0, 0, 0), words(65),
                     words(NOTHING), words(0x20000000, *[0] * 8),
                     words(2, *[0] * 8),
                     words(1, 0, 9, 1, 9, 0, 0, 0, 0),
                     words(1, 0, NOTHING, 1, 9, 0, 0, 0, 0),
                     words(1, 0, 9, NOTHING, 9, 0, 0, 0, 0),
                     words(1, 0, 9, 0x40000000, 9, 0, 0, 0, 0),
                     words(1, 0, 9, 0, NOTHING, 1, 0, 0, 0),
                     words(1, 0, 9, 0, 0, NOTHING, 0, 0, 0),
                     words(1, 0, 9, 0, 0, 0x55555556, 0, 0, 0)):
            self.ends(command(vt.SUBMIT, body))

    def test_blobs(self):
        for blob in (vt.blob(0), vt.blob((1 << 64) - 1), vt.blob(1 << 63),
                     vt.blob((1 << 63) - 1), vt.blob((1 << 30) + 1),
                     vt.blob(4096, kind=0), vt.blob(4096, kind=1),
                     vt.blob(4096, kind=3), vt.blob(4096, flags=8),
                     vt.blob(4096, flags=4), vt.blob(4096, object_id=5)):
            self.ends(blob)
        with self.begin() as client:
            client.run(["alloc", 9, 4096], ["alloc", 10, 4096, 2])
            self.ends(vt.blob(8192, 9), client)
        with self.begin() as client:
            client.run(["alloc", 10, 4096, 2])  # a mere charge has no bytes
            self.ends(vt.blob(4096, 10), client)

    def test_shared_memory_has_an_end(self):
        one, two = self.begin(), self.begin()
        one.barrier()  # they are ready, and need nothing for themselves
        two.barrier()
        one.blob(250 * MIB)
        two.blob(150 * MIB)
        self.ends(vt.blob(200 * MIB), two)

        def others_can():
            with self.begin() as client:
                return client.begin_blob(150 * MIB) != 0
        self.until(others_can, "what it had is there for others")
        one.socket.close()

    def test_resources_have_an_end(self):
        with self.begin() as client:
            n = 0
            while client.begin_blob(4096):  # as many as there are fds for it
                os.close(client.fd())
                n += 1
                if n % 500 == 0:
                    client.barrier()  # more at once is another offence
            self.assertIn(n, range(100, 8193))
            self.assertTrue(client.is_gone())

    def test_syncs_have_an_end(self):
        with self.begin() as client:
            for _ in range(16384):
                client.sync()
            self.ends(command(vt.SYNC_CREATE, u64(0)), client)

    def test_waits_have_an_end(self):
        with self.begin() as client:
            number = client.sync()
            fds = [client.wait([(number, 1)]) for _ in range(1024)]
            self.ends(command(vt.SYNC_WAIT, words(0, 0, number) + u64(1)), client)
            self.assertEqual(vt.is_ready(fds[0], vt.TIMEOUT), select.POLLHUP)
            for fd in fds:
                os.close(fd)
        with self.begin() as client:
            number = client.sync()
            points = [(number, 1)] * 16000
            client.wait(points)
            self.ends(command(vt.SYNC_WAIT, words(0, 0) + b"".join(
                words(i) + u64(v) for i, v in points)), client)

    def test_fds(self):
        for at in (0, 4, 8):
            with self.begin() as client:
                data = command(vt.SYNC_CREATE, u64(0))
                client.send(data[:at])
                client.socket.sendmsg([data[at:]], [
                    (socket.SOL_SOCKET, socket.SCM_RIGHTS,
                     array.array("i", [0] * 50))])
                self.assertTrue(client.is_gone())

    def test_answers_that_nobody_reads(self):
        with self.begin() as client:
            number = client.sync()
            client.socket.setblocking(False)
            data = command(vt.SYNC_READ, words(number)) * 1000
            with self.assertRaises(BlockingIOError):
                for _ in range(100000):
                    client.socket.send(data)
            self.other.barrier()

    def test_context_that_does_not_listen(self):
        with self.begin() as client:
            client.send(vt.batch(vt.script(["sleep", 1000])))
            data = vt.batch(b" " * 60000)
            self.ends(data * 600, client)
        self.assertIn("more than its context takes", self.device.said())
        with self.begin() as client:
            client.send(vt.batch(vt.script(["sleep", 1000])))
            data = vt.batch(b" " * (3 << 20))
            self.ends(data * 10, client)
        with self.begin() as client:
            client.send(vt.batch(vt.script(["sleep", 1000])))
            self.ends(vt.batch() * 10 + (vt.batch(b"    ") * 20000), client)

    def test_leaves_in_every_state(self):
        for data in (vt.blob(4096, 1), vt.batch(vt.script(["sleep", 1000])),
                     vt.batch(vt.script(["kill", signal.SIGKILL])),
                     vt.batch(b" " * (1 << 20)) * 3,
                     vt.batch(vt.script(["raw", "command", "00"]))):
            for start in ([], [["hold"]], [["alloc", 1, 4096], ["hold"]]):
                with self.begin() as client:
                    if start:
                        client.send(vt.batch(vt.script(*start)))
                    client.send(data)

    def test_many_come_and_go(self):
        for _ in range(300):
            self.device.client().socket.close()
        self.assertIsNone(self.device.process.poll())


class Renders(vt.Test):
    """Messages of a render process are as hostile as the guest that it serves.
    """

    def loses(self, why, *lines, before=()):
        with self.begin() as other, self.begin() as client:
            for line in before:
                client.run(line)
            fd = client.wait([(client.sync(), 1)])
            client.send(vt.batch(vt.script(*lines)))
            self.assertEqual(vt.is_ready(fd, vt.TIMEOUT), select.POLLHUP, lines)
            os.close(fd)
            self.assertTrue(client.is_gone())
            other.barrier()
        self.assertIn(why, self.device.said())

    def test_sizes_and_types(self):
        senseless = "makes no sense"
        ready = struct.pack("<I52x", 32).hex()
        for line in (["raw", "command", "00"], ["raw", "command", ready[2:]],
                     ["raw", "command", ready + "00"],
                     ["raw", "command", "00" * 500], ["raw", "command", ready],
                     ["raw", "command", struct.pack("<I52x", 0).hex()]):
            self.loses(senseless, line)

    def test_sizes_and_types_2(self):
        for kind in (1, 3, 7, 31, 37, 38, 39, 64, 65, NOTHING):
            self.loses("makes no sense", ["say", {"type": kind}])

    def test_fds(self):
        self.loses("makes no sense",
                   ["raw", "command", struct.pack("<I52x", 34).hex(), 1])
        self.loses("makes no sense",
                   ["raw", "command", struct.pack("<I52x", 34).hex(), 100])
        self.loses("asks for memory",
                   ["raw", "memory", struct.pack("<I52x", 65).hex(), 1])

    def test_fences_never_asked_for(self):
        for fields in ({"id": 0}, {"id": 5000}, {"id": NOTHING},
                       {"id": 1, "ring_idx": 1}, {"id": 1, "ring_idx": 64},
                       {"id": 1, "ring_idx": NOTHING}):
            self.loses("makes no sense", ["say", {"type": 34, **fields}])
        # One that is done is asked for no more.
        self.loses("makes no sense", ["again"],
                   before=(["sleep", 0],))

    def test_exports_never_asked_for(self):
        for number in (0, 1, NOTHING):
            self.loses("makes no sense",
                       ["say", {"type": 33, "resource_id": number}])

    def test_exports_that_cannot_be(self):
        for fields in ({"bytes": 4096}, {"bytes": 0}, {"status": 4096},
                       {"status": NOTHING}, {"bytes": 1 << 40},
                       {"bytes": 8192, "offset": 12345},
                       {"bytes": 8192, "offset": (1 << 64) - 1},
                       {"status": 22}):
            with self.begin() as other, self.begin() as client:
                other.run(["alloc", 1, 8192])
                client.run(["alloc", 1, 8192], ["lie", fields])
                client.send(vt.blob(8192, 1))
                self.assertEqual(client.answer(vt.BLOB), (0,))
                self.assertTrue(client.is_gone())
                other.barrier()
            self.assertIn("client", self.device.said())

    def test_memory_of_another_context(self):
        with self.begin() as other, self.begin() as client:
            other.run(["alloc", 1, 8192])
            offset = other.report()["answers"][0]["offset"]
            client.run(["alloc", 1, 8192], ["ask", {"type": 65, "offset": offset}],
                       ["lie", {"offset": offset, "bytes": 8192}])
            self.assertEqual(client.report()["answers"][1]["status"], 22)
            client.send(vt.blob(8192, 1))
            self.assertEqual(client.answer(vt.BLOB), (0,))
            self.assertTrue(client.is_gone())
            self.assertGreater(other.blob(8192, 1)[0], 0)
        self.assertIn("memory that is not there", self.device.said())

    def test_questions(self):
        for fields in ({"type": 64}, {"type": 64, "bytes": 1},
                       {"type": 64, "bytes": 4097},
                       {"type": 64, "bytes": NOTHING},
                       {"type": 64, "bytes": 4096, "flags": 1},
                       {"type": 64, "bytes": 4096, "flags": 4}, {"type": 0},
                       {"type": 67}, {"type": 32}):
            self.loses("asks for memory", ["ask", fields])
        self.loses("asks for memory", ["raw", "memory", "40"])
        self.loses("asks for memory", ["raw", "memory", "40" + "00" * 60])

    def test_questions_that_are_refused(self):
        with self.begin() as client:
            client.run(["ask", {"type": 64, "bytes": 1 << 63}],
                       ["ask", {"type": 64, "bytes": (1 << 64) - 4096}],
                       ["ask", {"type": 64, "bytes": (1 << 64) - 4096,
                                "flags": 2}],
                       ["ask", {"type": 65}],
                       ["ask", {"type": 65, "offset": NOTHING}],
                       ["ask", {"type": 65, "offset": 1 << 32}],
                       ["alloc", 1, 4096], ["free", 1])
            answers = client.report()["answers"]
            gone = answers[-2]["offset"]
            client.run(["ask", {"type": 65, "offset": gone}])
            answers = client.report()["answers"]
        self.assertEqual([a["status"] for a in answers],
                         [12, 12, 12, 22, 22, 22, 0, 0, 22])
        self.assertEqual(sum(a["fds"] for a in answers), 1)

    def test_floods(self):
        self.loses("takes no answers",
                   ["flood", "memory", {"type": 65}])
        self.loses("makes no sense", ["flood", "command", {"type": 32}])

    def test_many_allocations(self):
        with self.begin() as client:
            for i in range(0, 16000, 1000):
                client.run(*(["alloc", j, 4096] for j in range(i, i + 1000)))
            client.run(["alloc", 0, 4096])  # which may fail; no more than that
        with self.begin() as client:
            client.run(["alloc", 1, 64 * MIB])
            self.assertEqual(client.report()["answers"][0]["status"], 0)

    def test_fatal(self):
        text = "bad \x1b[31m\n\x07\xff end".encode("latin1")
        self.loses("context is lost: bad ?[31m???", [
            "say", {"type": 35, "bytes": len(text)}, text.hex()], ["exit", 1])

    def test_fatal_2(self):
        for fields, body in (({"bytes": 4}, "41"), ({"bytes": 1}, "4141"),
                             ({}, ""), ({"bytes": 201}, "41" * 201),
                             ({"bytes": 1 << 40}, "41")):
            self.loses("makes no sense", ["say", {"type": 35, **fields}, body])
        self.loses("A" * 200, ["say", {"type": 35, "bytes": 200}, "41" * 200])

    def test_ends(self):
        self.loses("(status 3)", ["exit", 3])
        self.loses("(status 0)", ["exit", 0])
        self.loses("signal 9", ["kill", signal.SIGKILL])
        self.loses("signal 11", ["kill", signal.SIGSEGV])
        self.loses("made a forbidden system call", ["kill", signal.SIGSYS])
        self.loses("closed its socket", ["close", "command"])
        self.loses("closed its socket", ["close", "memory"])

    def test_no_end(self):
        # Stopped by a signal, it must go all the same.
        with self.begin() as client:
            os.kill(client.report()["pid"], signal.SIGSTOP)

    def test_dies_at_once(self):
        device = vt.Device("/bin/false")
        with device.client() as client:
            client.agree()
            client.send(command(vt.CAPSET, words(vt.VENUS, 0)))
            self.assertTrue(client.is_gone())
        self.assertIn("(status 1)", device.said())
        self.assertEqual(device.end(), 0)

    def test_leaves_before_an_export(self):
        with self.begin() as client:
            client.hold(["alloc", 1, 4096])
            client.send(vt.blob(4096, 1) + vt.batch(vt.script(["exit", 1])))
            client.socket.shutdown(socket.SHUT_WR)
        with self.begin() as client:
            client.send(vt.batch(vt.script(["exit", 1])) + vt.blob(4096, 1))
            # No fd comes with it: Mesa gives up instead of waiting for ever.
            self.assertEqual(client.answer(vt.BLOB), (0,))
            self.assertTrue(client.is_gone())


if __name__ == "__main__":
    unittest.main()
