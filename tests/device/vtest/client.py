# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-device --vtest, and clients of it that are not as polite as Mesa."""

import json
import mmap
import os
import resource
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ["VGPU_BUILD"]
HERE = os.path.dirname(os.path.abspath(__file__))
SPARE = "vgpu-spare"
TIMEOUT = 180  # only a hang takes that long

UNREF, BUSY_WAIT, CREATE, PING, VERSION = 3, 7, 8, 10, 11
PARAM, CAPSET, INIT, BLOB = 15, 16, 17, 18
SYNC_CREATE, SYNC_UNREF, SYNC_READ, SYNC_WRITE, SYNC_WAIT, SUBMIT = range(19, 25)
RING = 1
GFXSTREAM, VENUS = 3, 4


def words(*values):
    return struct.pack(f"<{len(values)}I", *values)


def u64(value):
    return words(value & 0xffffffff, value >> 32)


def command(number, body=b"", length=None):
    return words(len(body) // 4 if length is None else length, number) + body


def hello(name=b"test\0", version=3):
    return (command(CREATE, name, len(name)) + command(PING) +
            command(BUSY_WAIT, words(0, 0)) + command(VERSION, words(version)))


def blob(size, object_id=0, flags=1, kind=2):
    return command(BLOB, words(kind, flags) + u64(size) + u64(object_id))


def batch(commands=b"", points=(), ring=0, flags=RING):
    at = 1 + 8
    points_at = at + len(commands) // 4
    return command(SUBMIT, words(1, flags, at, len(commands) // 4, points_at,
                                 len(points), ring, 0, 0) + commands +
                   b"".join(words(i) + u64(v) for i, v in points))


def script(*lines):
    text = json.dumps(lines).encode()
    return text + b" " * (-len(text) % 4)


class Client:
    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.settimeout(TIMEOUT)

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = self.socket.recv(size - len(data))
            if not more:
                raise EOFError(data)
            data += more
        return data

    def answer(self, number):
        length, got = struct.unpack("<II", self.read(8))
        assert got == number, (got, number)
        return struct.unpack(f"<{length}I", self.read(4 * length))

    def fd(self):
        data, fds, _, _ = socket.recv_fds(self.socket, 1, 1)
        assert len(data) == 1 and len(fds) == 1, (data, fds)
        return fds[0]

    def agree(self):
        self.send(hello())
        self.answer(PING)
        assert self.answer(BUSY_WAIT) == (0,)
        return self.answer(VERSION)[0]

    def capset(self, number=VENUS, version=0):
        self.send(command(CAPSET, words(number, version)))
        return self.answer(CAPSET)

    def begin(self, capset=VENUS):
        assert self.agree() == 3
        assert self.capset(capset)[0] == 1
        self.send(command(INIT, words(capset)))
        return self

    def begin_blob(self, *args, **how):
        """Its number, or 0 if the client gets none."""
        self.send(blob(*args, **how))
        return self.answer(BLOB)[0]

    def blob(self, *args, **how):
        return self.begin_blob(*args, **how), self.fd()

    def run(self, *lines):
        """Have the fake render process do something; done when it returns."""
        self.send(batch(script(*lines)))
        self.barrier()

    def hold(self, *lines):
        """The same, and then have it hold its answers."""
        self.run(*lines)
        self.send(batch(script(["hold"])))

    def barrier(self):
        number = self.sync()
        self.send(batch(points=[(number, 1)]))
        fd = self.wait([(number, 1)])
        assert is_ready(fd, TIMEOUT) & select.POLLIN
        os.close(fd)
        self.send(command(SYNC_UNREF, words(number)))

    def report(self):
        number, fd = self.blob(1 << 16)
        self.run(["report", number])
        with mmap.mmap(fd, 0) as memory:
            size, = struct.unpack("<Q", memory[:8])
            text = memory[8:8 + size]
        os.close(fd)
        self.send(command(UNREF, words(number)))
        return json.loads(text)

    def sync(self, value=0):
        self.send(command(SYNC_CREATE, u64(value)))
        return self.answer(SYNC_CREATE)[0]

    def sync_read(self, number):
        self.send(command(SYNC_READ, words(number)))
        low, high = self.answer(SYNC_READ)
        return high << 32 | low

    def wait(self, points, flags=0, timeout=0xffffffff):
        self.send(command(SYNC_WAIT, words(flags, timeout) + b"".join(
            words(i) + u64(v) for i, v in points)))
        assert self.answer(SYNC_WAIT) == ()
        return self.fd()

    def is_gone(self, seconds=TIMEOUT):
        """Wait until the device takes no more commands of this client."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                self.socket.send(b"")  # fails, but never blocks
            except (BrokenPipeError, ConnectionResetError):
                return True
            time.sleep(0.01)
        return False


def is_ready(fd, seconds=0):
    poll = select.poll()
    poll.register(fd, select.POLLIN)
    events = poll.poll(seconds * 1000)
    return events[0][1] if events else 0


def children_of(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            children = file.read().split()
    except (FileNotFoundError, ProcessLookupError):
        return
    for child in children:
        try:
            with open(f"/proc/{child}/comm", encoding="ascii") as file:
                yield int(child), file.read().strip()
        except (FileNotFoundError, ProcessLookupError):
            pass


class Device:
    def __init__(self, render=None, args=(),
                 program=os.path.join(BUILD, "vgpu-device"), user=None,
                 files=None, **environment):
        self.folder = tempfile.TemporaryDirectory(prefix="vtest-")
        self.path = os.path.join(self.folder.name, "socket")
        self.log = open(os.path.join(self.folder.name, "log"), "w+b")
        if user is not None:
            os.chown(self.folder.name, user, user)
        environment = dict(os.environ, **environment)
        if render:
            environment["VGPU_RENDER"] = self.publish(render)
        self.process = subprocess.Popen(
            [program, "--vtest", self.path, "--name", "tested", *args],
            stderr=self.log, env=environment, user=user, group=user,
            extra_groups=user and [],
            preexec_fn=files and (lambda: resource.setrlimit(
                resource.RLIMIT_NOFILE, (files, files))))
        end = time.monotonic() + TIMEOUT
        while self.process.poll() is None and time.monotonic() < end:
            try:
                with Client(self.path):
                    break
            except OSError:
                time.sleep(0.01)

    def publish(self, render):
        """A copy of the program where any user finds it: a script is opened by
        its path, and no render process is root."""
        path = os.path.join(self.folder.name, os.path.basename(render))
        if not os.path.exists(render):
            return render
        os.chmod(self.folder.name, 0o755)
        shutil.copyfile(render, path)
        os.chmod(path, 0o755)
        return path

    def client(self):
        return Client(self.path)

    def begin(self):
        return self.client().begin()

    def said(self):
        with open(self.log.name, encoding="utf-8") as log:
            return log.read()

    def children(self):
        """The processes of contexts, oldest first."""
        return [child for child, name in self.processes() if name != SPARE]

    def spares(self):
        """The processes that wait for a context."""
        return [child for child, name in self.processes() if name == SPARE]

    def processes(self):
        """The processes that the device's launcher has started."""
        for launcher, name in children_of(self.process.pid):
            if name == "vgpu-launch":
                yield from children_of(launcher)

    def end_contexts(self):
        """Wait for the end of all processes but a spare."""
        end = time.monotonic() + TIMEOUT
        while self.children():
            assert time.monotonic() < end, self.said()
            time.sleep(0.005)

    def fds(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def end(self):
        """Returns its exit status."""
        self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(TIMEOUT)
        self.log.close()
        return status


class Test(unittest.TestCase):
    """A device with fake render processes, which must outlive each test."""

    render = os.path.join(HERE, "fake_render.py")
    args = ("--framebuffer-mib", "64")

    def setUp(self):
        self.device = Device(self.render, self.args)
        self.addCleanup(self.finish)
        # The event loop may come to have a timer and little else.
        self.idle_fds = self.device.fds() + 2

    def finish(self):
        device = self.device
        if device.process.poll() is None:
            self.until(lambda: not list(device.processes()) and
                       device.fds() <= self.idle_fds, "everything is given back")
        status = device.end()
        said = device.said()
        self.assertEqual(status, 0, said)
        self.assertNotIn("Sanitizer", said)
        self.assertNotIn("runtime error", said)
        self.assertFalse(os.path.exists(device.path))
        device.folder.cleanup()

    def until(self, condition, what):
        end = time.monotonic() + TIMEOUT
        while not condition():
            self.assertLess(time.monotonic(), end, f"not so: {what}")
            time.sleep(0.01)

    def begin(self):
        client = self.device.begin()
        # Runs before finish(), which wants all clients gone.
        self.addCleanup(client.socket.close)
        return client
