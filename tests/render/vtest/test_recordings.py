# SPDX-License-Identifier: GPL-2.0-or-later
"""What programs send is recorded and carried out again; broken recordings."""

import os
import re
import socket
import stat
import subprocess
import sys
import tempfile
import unittest

sys.path[:0] = [os.path.join(os.environ["VGPU_SOURCE"], "lab"),
                os.path.join(os.environ["VGPU_SOURCE"], "fuzz")]
os.environ["PATH"] = os.environ["VGPU_BUILD"] + ":" + os.environ["PATH"]

# pylint: disable=wrong-import-position
import recording
import seeds
from recording import MESSAGE, Record
from vtest import Vtest, has_vtest, native_env

BUILD = os.environ["VGPU_BUILD"]
HERE = os.path.join(BUILD, "tests", "render", "vtest")
STREAM = os.path.join(BUILD, "tests", "render", "wire-stream")
TIMEOUT = 120
MIB = 1 << 20
NAMES = ("compute", "hello")
# Bytes between the places where a recording is cut.
STRIDE = 331


def program(name):
    return [os.path.join(HERE, f"vulkan-{name}")]


def replay(path):
    return subprocess.run(["vgpu-render", "--replay", path], env=native_env(),
                          stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=TIMEOUT, check=False)


class Recordings(unittest.TestCase):
    """Made once; each test breaks them in its own way."""

    @classmethod
    def setUpClass(cls):
        cls.folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.path = dict(seeds.record(cls.folder, {name: program(name)
                                                  for name in NAMES}))
        cls.records = {name: recording.read(path)
                       for name, path in cls.path.items()}
        for name, path in cls.path.items():
            # What was begun of one more when the process was killed is gone.
            with open(path, "wb") as file:
                file.write(recording.pack(cls.records[name]))

    def write(self, data):
        path = os.path.join(self.folder, "changed")
        with open(path, "wb") as file:
            file.write(data)
        return path

    def is_clean(self, path):
        """Returns how many commands were carried out."""
        done = replay(path)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        self.assertEqual(done.stderr, "")
        match = re.fullmatch(r"(\d+) commands carried out, clean end\n",
                             done.stdout)
        self.assertTrue(match, done.stdout)
        return int(match[1])

    def is_refused(self, data, text=""):
        """One line says why, and nothing worse happens."""
        path = data if isinstance(data, str) else self.write(data)
        done = replay(path)
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, said)
        self.assertEqual(said.count("\n"), 1, said)
        self.assertIn(text, said)

    def is_harmless(self, records):
        """Whether the changed recording is still something that a guest could
        send."""
        done = replay(self.write(recording.pack(records)))
        said = done.stdout + done.stderr
        self.assertIn(done.returncode, (0, 1), said)
        self.assertEqual(said.count("\n"), 1, said)

    def test_replay(self):
        """All that was sent is carried out, the same each time; a decoder
        with no driver finds as many commands in it."""
        for name in NAMES:
            with self.subTest(name):
                n = self.is_clean(self.path[name])
                self.assertGreater(n, 50)
                self.assertEqual(self.is_clean(self.path[name]), n)
                seed = seeds.cut(self.records[name], MIB)
                done = subprocess.run([STREAM, self.write(seed)], text=True,
                                      capture_output=True, check=False)
                self.assertRegex(done.stdout, rf": {n} commands\n")
                self.assertEqual(done.returncode, 0)

    def test_only_its_owner_can_read_it(self):
        mode = os.stat(self.path["hello"]).st_mode
        self.assertEqual(stat.S_IMODE(mode), 0o600)

    def test_cut(self):
        records = self.records["hello"]
        data = recording.pack(records)
        whole = [recording.HEADER.size]
        for record in records:
            whole.append(whole[-1] + len(record.pack()))
        for size in range(0, len(data), STRIDE):
            with self.subTest(size=size):
                if size < whole[0]:
                    self.is_refused(data[:size], "this is no recording")
                elif size in whole:
                    self.is_clean(self.write(data[:size]))
                else:
                    n = sum(end <= size for end in whole) - 1
                    self.is_refused(data[:size],
                                    f"is cut off in record {n}\n")

    def test_nothing_came(self):
        path = self.write(recording.pack([]))
        self.assertEqual(self.is_clean(path), 0)

    def test_broken_header(self):
        data = recording.pack(self.records["hello"])
        for i in range(recording.HEADER.size):
            with self.subTest(i=i):
                self.is_refused(data[:i] + bytes([data[i] ^ 4]) + data[i + 1:],
                                "this is no recording" if i < 8 else
                                "another version")

    def first_of_each_kind(self):
        records = self.records["hello"]
        for kind in (recording.KIND_MESSAGE, recording.KIND_BATCH,
                     recording.KIND_ANSWER):
            yield next(i for i, record in enumerate(records)
                       if record.kind == kind)

    def test_broken_records(self):
        """Each field of a record of each kind."""
        records = self.records["hello"]
        for i in self.first_of_each_kind():
            before = recording.pack(records[:i])
            after = recording.pack(records[i:])[recording.HEADER.size:]
            for at in range(0, recording.RECORD.size, 4):
                head = bytearray(after)
                head[at + 2] ^= 0x21
                with self.subTest(i=i, at=at):
                    self.is_refused(before + bytes(head))

    def test_broken_messages(self):
        """Each field of the messages about memory."""
        records = self.records["hello"]
        places = [next(i for i, record in enumerate(records)
                       if record.is_message(kind))
                  for kind in (recording.START, recording.RESOURCE_ADD)]
        places.append(next(i for i, record in enumerate(records)
                           if record.kind == recording.KIND_ANSWER))
        for i in places:
            for at in range(0, MESSAGE.size, 4):
                data = bytearray(records[i].data)
                data[at + 3] ^= 0x41
                broken = Record(records[i].kind, records[i].stream,
                                records[i].n_fds, records[i].n_commands,
                                bytes(data))
                with self.subTest(i=i, at=at):
                    self.is_harmless(records[:i] + [broken] + records[i + 1:])

    def test_lacking_and_twice(self):
        records = self.records["hello"]
        for i in self.first_of_each_kind():
            with self.subTest(i=i):
                self.is_refused(recording.pack(records[:i] + records[i + 1:]))
                self.is_refused(recording.pack(records[:i + 1] + records[i:]))

    def test_fatal_command(self):
        """It says so in the words that the device would have heard."""
        data = MESSAGE.pack(recording.SUBMIT, 0, 0, 0, 0, 0, 8, 0, 0, 0)
        start = self.records["hello"][0]
        bad = Record(recording.KIND_MESSAGE, 0, 0, 0,
                     data + (0x7fffffff).to_bytes(4, "little") + bytes(4))
        self.is_refused(recording.pack([start, bad]),
                        "0 commands carried out, fatal: ")

    def test_no_file(self):
        for path in (self.folder, "/dev/null",
                     os.path.join(self.folder, "missing")):
            with self.subTest(path=path):
                self.is_refused(path)


class Places(unittest.TestCase):
    """Where nothing can be recorded the context goes on without."""

    def setUp(self):
        self.folder = self.enterContext(tempfile.TemporaryDirectory())

    def works(self, server):
        done = subprocess.run(program("hello"), env=server.env(),
                              stdin=subprocess.DEVNULL, capture_output=True,
                              timeout=TIMEOUT, check=False)
        self.assertEqual(done.returncode, 0, server.log())

    def test_missing(self):
        place = os.path.join(self.folder, "missing")
        with Vtest(64, environment={"VGPU_RECORD_DIR": place}) as server:
            self.works(server)
            self.assertIn("No such file or directory", server.log())

    def test_full(self):
        """The disk is full long before the program ends."""
        mount = (f"mount -t tmpfs -o size=8k none {self.folder} &&"
                 " exec vgpu-device --vtest $0 --framebuffer-mib 64")
        # Root has no other user in a namespace where it is the only one.
        unshare = ["unshare", "--mount"]
        if os.getuid() != 0:
            unshare += ["--user", "--map-root-user"]
        command = [*unshare, "sh", "-c", mount, "{socket}"]
        probe = subprocess.run([*unshare, "true"], check=False,
                               stderr=subprocess.DEVNULL)
        if probe.returncode:
            self.skipTest("no file system of one's own here")
        with Vtest(command=command, environment={
                "VGPU_RECORD_DIR": self.folder}) as server:
            self.works(server)
            self.works(server)
            self.assertIn("No space left on device", server.log())

    def render(self, *arguments):
        """A render process whose device leaves at once."""
        pairs = [socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
                 for _ in range(2)]
        theirs = [theirs.fileno() for _, theirs in pairs]

        def arrange():  # at 3 and 4, whatever lies there now
            for i, fd in enumerate([os.dup2(fd, 100 + i)
                                    for i, fd in enumerate(theirs)]):
                os.dup2(fd, 3 + i)

        with subprocess.Popen(
                ["vgpu-render", *arguments], stdin=subprocess.DEVNULL,
                stderr=subprocess.PIPE, text=True, close_fds=False,
                preexec_fn=arrange) as process:
            for ours, _ in pairs:
                ours.shutdown(socket.SHUT_RDWR)
            _, said = process.communicate(timeout=TIMEOUT)
        for pair in pairs:
            for end in pair:
                end.close()
        self.assertEqual(process.returncode, 0, said)
        return said

    def test_never_over_a_file(self):
        path = os.path.join(self.folder, "file")
        link = os.path.join(self.folder, "link")
        with open(path, "wb") as file:
            file.write(b"kept")
        os.symlink(os.path.join(self.folder, "elsewhere"), link)
        for place in (path, link):
            self.assertIn("File exists", self.render("--record", place))
        with open(path, "rb") as file:
            self.assertEqual(file.read(), b"kept")
        self.assertEqual(sorted(os.listdir(self.folder)), ["file", "link"])

    def test_empty(self):
        path = os.path.join(self.folder, "file")
        self.assertEqual(self.render("--record", path), "")
        self.assertEqual(recording.read(path), [])


if __name__ == "__main__":
    if not has_vtest():
        print("skipped: vgpu-device has no --vtest")
        sys.exit(77)
    unittest.main(verbosity=2)
