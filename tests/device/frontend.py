# SPDX-License-Identifier: GPL-2.0-or-later
"""A vhost-user front end, a split ring's driver and a manager, for tests."""

import array
import contextlib
import mmap
import os
import select
import socket
import struct
import subprocess
import tempfile
import time

BUILD = os.environ.get("VGPU_BUILD", os.path.join(os.getcwd(), "build"))
LAUNCHER = os.path.join(BUILD, "vgpu-launch")
TEST_DEVICE = os.path.join(BUILD, "tests/device/vhost/vgpu-device-test")
DEVICE = os.path.join(BUILD, "vgpu-device")

# A sanitizer's memory says nothing about ours.
SANITIZED = os.environ.get("VGPU_SANITIZED", "none") not in ("", "none")

# Generous: only a hang is longer, also under a sanitizer on a busy machine.
TIMEOUT = 180

GET_FEATURES = 1
SET_FEATURES = 2
SET_OWNER = 3
RESET_OWNER = 4
SET_MEM_TABLE = 5
SET_VRING_NUM = 8
SET_VRING_ADDR = 9
SET_VRING_BASE = 10
GET_VRING_BASE = 11
SET_VRING_KICK = 12
SET_VRING_CALL = 13
SET_VRING_ERR = 14
GET_PROTOCOL_FEATURES = 15
SET_PROTOCOL_FEATURES = 16
GET_QUEUE_NUM = 17
SET_VRING_ENABLE = 18
SET_BACKEND_REQ_FD = 21
GET_CONFIG = 24
SET_CONFIG = 25
RESET_DEVICE = 34
GET_MAX_MEM_SLOTS = 36
ADD_MEM_REG = 37
REM_MEM_REG = 38
GET_SHMEM_CONFIG = 44

BACKEND_CONFIG_CHANGE = 2
BACKEND_HOST_NOTIFIER = 3

F_INDIRECT = 1 << 28
F_EVENT_IDX = 1 << 29
F_PROTOCOL_FEATURES = 1 << 30
F_VERSION_1 = 1 << 32

P_MQ = 1 << 0
P_REPLY_ACK = 1 << 3
P_BACKEND_REQ = 1 << 5
P_CONFIG = 1 << 9
P_BACKEND_SEND_FD = 1 << 10
P_HOST_NOTIFIER = 1 << 11
P_RESET_DEVICE = 1 << 13
P_MEM_SLOTS = 1 << 15
P_SHMEM = 1 << 22
P_ALL = (P_MQ | P_REPLY_ACK | P_BACKEND_REQ | P_CONFIG | P_BACKEND_SEND_FD |
         P_HOST_NOTIFIER | P_RESET_DEVICE | P_MEM_SLOTS | P_SHMEM)

VERSION = 1
REPLY = 4
NEED_REPLY = 8
NO_FD = 1 << 8

DESC_NEXT = 1
DESC_WRITE = 2
DESC_INDIRECT = 4

USER_BASE = 0x7F0000000000


class Gone(Exception):
    """The device closed the connection."""


def wait_readable(fd, timeout=TIMEOUT):
    return bool(select.select([fd], [], [], timeout)[0])


def drain(fd):
    """The value of a nonblocking eventfd, 0 if it has none."""
    try:
        return os.eventfd_read(fd)
    except BlockingIOError:
        return 0


class Memory:
    """Guest memory: one memfd, at guest-physical `base`."""

    def __init__(self, size=16 << 20, base=0):
        self.size = size
        self.base = base
        self.fd = os.memfd_create("guest")
        os.ftruncate(self.fd, size)
        self.map = mmap.mmap(self.fd, size)

    def close(self):
        self.map.close()
        os.close(self.fd)

    def region(self):
        return struct.pack("<QQQQ", self.base, self.size,
                           USER_BASE + self.base, 0)

    def write(self, gpa, data):
        self.map[gpa - self.base:gpa - self.base + len(data)] = data

    def read(self, gpa, size):
        return self.map[gpa - self.base:gpa - self.base + size]

    def put16(self, gpa, value):
        self.write(gpa, struct.pack("<H", value & 0xFFFF))

    def get16(self, gpa):
        return struct.unpack("<H", self.read(gpa, 2))[0]


class Queue:
    """The driver's side of a split ring."""

    def __init__(self, memory, index, num=64, event_idx=True):
        self.memory = memory
        self.index = index
        self.num = num
        self.event_idx = event_idx
        base = 0x20000 * (index + 1)
        self.desc = base
        self.avail = base + 0x8000
        self.used = base + 0x10000
        self.buffers = 0x100000 * (index + 1)
        self.kick_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.call_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.err_fd = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self.reset()

    def reset(self):
        for at in (self.desc, self.avail, self.used):
            self.memory.write(at, bytes(0x8000))
        self.next_avail = 0
        self.next_used = 0
        self.free = list(range(0, self.num, 2))
        self.pending = {}

    def close(self):
        for fd in (self.kick_fd, self.call_fd, self.err_fd):
            os.close(fd)

    def put_desc(self, index, gpa, size, flags, next_=0, table=None):
        at = (self.desc if table is None else table) + 16 * index
        self.memory.write(at, struct.pack("<QIHH", gpa, size, flags, next_))

    def make_available(self, head):
        slot = self.avail + 4 + 2 * (self.next_avail % self.num)
        self.memory.put16(slot, head)
        self.next_avail += 1
        self.memory.put16(self.avail + 2, self.next_avail)

    def kick(self):
        os.eventfd_write(self.kick_fd, 1)

    def needs_kick(self):
        if self.event_idx:
            event = self.memory.get16(self.used + 4 + 8 * self.num)
            return event == (self.next_avail - 1) & 0xFFFF
        return not self.memory.get16(self.used) & 1

    def submit(self, readable, writable=24, indirect=False, kick=True,
               tag=None):
        """One request of two descriptors. Returns its head."""
        head = self.free.pop()
        gpa = self.buffers + 4096 * head
        self.memory.write(gpa, readable)
        self.memory.write(gpa + 2048, b"\xee" * min(writable, 1024))
        table = gpa + 3072 if indirect else None
        first = 0 if indirect else head
        self.put_desc(first, gpa, len(readable),
                      DESC_NEXT if writable else 0, first + 1, table)
        if writable:
            self.put_desc(first + 1, gpa + 2048, writable, DESC_WRITE, 0,
                          table)
        if indirect:
            self.put_desc(head, table, 32 if writable else 16, DESC_INDIRECT)
        self.pending[head] = tag
        self.make_available(head)
        if kick:
            self.kick()
        return head

    def used_index(self):
        return self.memory.get16(self.used + 2)

    def take(self):
        """(head, answer, tag) of the next used request, or None."""
        if self.used_index() == self.next_used & 0xFFFF:
            return None
        at = self.used + 4 + 8 * (self.next_used % self.num)
        head, size = struct.unpack("<II", self.memory.read(at, 8))
        self.next_used += 1
        if self.event_idx:
            self.memory.put16(self.avail + 4 + 2 * self.num, self.next_used)
        tag = self.pending.pop(head)
        self.free.append(head)
        gpa = self.buffers + 4096 * head + 2048
        return head, self.memory.read(gpa, size), tag

    def wait(self, timeout=TIMEOUT):
        """The next used request; fails if it does not come with a call."""
        end = time.monotonic() + timeout
        while True:
            got = self.take()
            if got:
                return got
            left = end - time.monotonic()
            if left <= 0 or not wait_readable(self.call_fd, left):
                raise TimeoutError("no answer")
            drain(self.call_fd)


class FrontEnd:
    """A connection to a device."""

    def __init__(self, where):
        if isinstance(where, socket.socket):
            self.socket = where
        else:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(where)
            except OSError:
                self.socket.close()
                raise
        self.socket.settimeout(TIMEOUT)
        self.queues = []
        self.channel = None
        self.memory = None
        self.piece = 0  # bytes sent at a time; 0 for all

    def close(self):
        self.socket.close()
        if self.channel:
            self.channel.close()
        for queue in self.queues:
            queue.close()
        self.queues = []
        if self.memory:
            self.memory.close()
            self.memory = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def send_raw(self, data, fds=()):
        ancillary = []
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", fds))]
        first, rest = data, b""
        if self.piece:
            first, rest = data[:self.piece], data[self.piece:]
        try:
            self.socket.sendmsg([first], ancillary)
            while rest:
                self.socket.sendall(rest[:self.piece])
                rest = rest[self.piece:]
        except (BrokenPipeError, ConnectionResetError) as error:
            raise Gone from error

    def send(self, request, payload=b"", fds=(), flags=VERSION, size=None):
        size = len(payload) if size is None else size
        self.send_raw(struct.pack("<III", request, flags, size) + payload, fds)

    def read(self, size):
        data = b""
        while len(data) < size:
            try:
                part = self.socket.recv(size - len(data))
            except ConnectionResetError as error:
                raise Gone from error
            if not part:
                raise Gone
            data += part
        return data

    def receive(self, request):
        got, flags, size = struct.unpack("<III", self.read(12))
        assert got == request, f"reply to {got} instead of {request}"
        assert flags == VERSION | REPLY, f"reply flags {flags:#x}"
        return self.read(size)

    def ask(self, request, payload=b"", fds=()):
        self.send(request, payload, fds)
        return self.receive(request)

    def ask_u64(self, request, payload=b""):
        return struct.unpack("<Q", self.ask(request, payload))[0]

    def tell(self, request, payload=b"", fds=()):
        """Send with NEED_REPLY; the status of the answer."""
        self.send(request, payload, fds, VERSION | NEED_REPLY)
        return struct.unpack("<Q", self.receive(request))[0]

    def is_gone(self):
        """True once the device has closed the connection."""
        try:
            while self.socket.recv(4096):
                pass
        except ConnectionResetError:
            pass
        except TimeoutError:
            return False
        return True

    def negotiate(self, features=F_INDIRECT | F_EVENT_IDX,
                  protocol=P_ALL):
        offered = self.ask_u64(GET_FEATURES)
        assert offered & F_PROTOCOL_FEATURES
        self.protocol = protocol
        self.send(SET_PROTOCOL_FEATURES, struct.pack("<Q", protocol))
        self.send(SET_OWNER)
        self.features = offered & (F_VERSION_1 | F_PROTOCOL_FEATURES |
                                   features | 0xFFFFFF)
        self.send(SET_FEATURES, struct.pack("<Q", self.features))

    def open_channel(self):
        self.channel, theirs = socket.socketpair()
        self.channel.settimeout(TIMEOUT)
        assert self.tell(SET_BACKEND_REQ_FD, fds=[theirs.fileno()]) == 0
        theirs.close()

    def read_channel(self, count):
        """The bytes and the fds of a message's next @count bytes. The device sends the
        first byte of one alone, and the rest when that was read."""
        data, fds, _, _ = socket.recv_fds(self.channel, 1, 4)
        while data and len(data) < count:
            more = self.channel.recv(count - len(data))
            assert more, "the device closed the channel in a message"
            data += more
        return data, fds

    def set_memory(self, memory):
        self.memory = memory
        self.send(SET_MEM_TABLE, struct.pack("<II", 1, 0) + memory.region(),
                  [memory.fd])

    def vring(self, request, index, num):
        self.send(request, struct.pack("<II", index, num))

    def set_addr(self, queue, flags=0, desc=None, avail=None, used=None):
        desc = USER_BASE + queue.desc if desc is None else desc
        avail = USER_BASE + queue.avail if avail is None else avail
        used = USER_BASE + queue.used if used is None else used
        self.send(SET_VRING_ADDR, struct.pack("<IIQQQQ", queue.index, flags,
                                              desc, used, avail, 0))

    def start(self, queue, base=0, kick=True):
        self.vring(SET_VRING_NUM, queue.index, queue.num)
        self.vring(SET_VRING_BASE, queue.index, base)
        self.set_addr(queue)
        for request, fd in ((SET_VRING_CALL, queue.call_fd),
                            (SET_VRING_ERR, queue.err_fd)):
            self.send(request, struct.pack("<Q", queue.index), [fd])
        if kick:
            self.send(SET_VRING_KICK, struct.pack("<Q", queue.index),
                      [queue.kick_fd])
        else:
            self.send(SET_VRING_KICK, struct.pack("<Q", queue.index | NO_FD))
        self.vring(SET_VRING_ENABLE, queue.index, 1)

    def stop(self, index):
        """Stop a ring; where it stood."""
        got, num = struct.unpack("<II", self.ask(
            GET_VRING_BASE, struct.pack("<II", index, 0)))
        assert got == index
        return num

    def bring_up(self, num=64, features=F_INDIRECT | F_EVENT_IDX, kick=True,
                 size=16 << 20, protocol=P_ALL):
        """All that a VMM does before the guest's driver runs."""
        self.negotiate(features, protocol)
        self.open_channel()
        self.set_memory(Memory(size))
        for index in range(2):
            queue = Queue(self.memory, index, num,
                          bool(features & F_EVENT_IDX))
            self.queues.append(queue)
            self.start(queue, kick=kick)
        # The answer to this says that all before it was done.
        self.ask_u64(GET_QUEUE_NUM)
        return self.queues


# What the device model of vgpu-device-test understands (test_gpu.c).
ECHO, KEEP, RELEASE, DIE, DIE_AGAIN, FAULT, FEATURES, CONFIG = range(1, 9)


def command(verb, number=0, address=0):
    return struct.pack("<IIQ", verb, number, address)


def answer(data):
    """(number, is_retry, executed, value)"""
    return struct.unpack("<IIQQ", data)


def count_fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def rss_kib(pid):
    # Counted. What statm has is an estimate: each CPU keeps some to itself.
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        return next(int(line.split()[1]) for line in file
                    if line.startswith("Rss:"))


def children_of(pid):
    """(pid, name) of each child of a process that may end meanwhile."""
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
    """A device that listens on a path of its own."""

    def __init__(self, *args, program=TEST_DEVICE):
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "s")
        self.log = tempfile.TemporaryFile("w+")
        self.process = subprocess.Popen(
            [program, "--socket-path", self.path, "--framebuffer-mib", "1",
             *args], stderr=self.log)
        self.pid = self.process.pid
        end = time.monotonic() + TIMEOUT
        while not os.path.exists(self.path):
            assert self.process.poll() is None, "the device does not start"
            assert time.monotonic() < end, "the device does not listen"
            time.sleep(0.002)

    def connect(self):
        end = time.monotonic() + TIMEOUT
        while True:
            try:
                return FrontEnd(self.path)
            except ConnectionRefusedError:
                # Between bind and listen.
                assert time.monotonic() < end
                time.sleep(0.002)

    def messages(self):
        self.log.seek(0)
        return self.log.read()

    def close(self):
        self.process.terminate()
        self.process.wait(TIMEOUT)
        self.log.close()
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


# The control socket (lib/control_abi.h).
(C_FD, C_FD_DROP, C_START, C_STATUS, C_EVENT, C_CAPTURE, C_VIEW, C_SET_MODE,
 C_REPLY, C_ADOPT) = range(1, 11)
SLOT_STATE, SLOT_LISTEN, SLOT_CONTROL, SLOT_FRONTEND = 1, 2, 3, 4
SLOT_BACKEND_REQ, SLOT_LAUNCHER = 5, 8
SLOT_MESSAGE, SLOT_SEGMENT = 128, 1024
SLOT_INPUTS = {"keyboard": 256, "tablet": 512}  # + the slots above
# Offsets in the state block (device/state_abi.h).
STATE_IS_REQUEST_BEGUN = 80
STATE_MESSAGE = 88
STATE_MESSAGE_FILES = STATE_MESSAGE + 352
EVENT_GUEST_FAULT, EVENT_RESUMED, EVENT_REFUSED = 1, 2, 3
MESSAGE_SIZE = 264
START_VERSION = 6
START_FORMAT = "<40s72s16sIIIIIIQQQ16sIIQ32s"


def control_message(kind, serial=0, body=b""):
    return struct.pack("<II", kind, serial) + body.ljust(256, b"\0")


class Manager:
    """What vgpud does for one device: keeps its fds, starts successors."""

    def __init__(self, program=TEST_DEVICE, heads=1, segments=2,
                 segment_bytes=1 << 20, log=None, window=0, door=True,
                 frame_rate=60, launcher=None, has_seat=False):
        self.program = program
        self.window = window  # with one there is a renderer
        self.heads = heads
        self.max_width = 1920
        self.frame_rate = frame_rate
        self.key = os.urandom(32)
        self.segments = segments
        self.segment_bytes = segment_bytes
        self.log = log
        self.folder = tempfile.TemporaryDirectory()
        self.path = os.path.join(self.folder.name, "vhost")
        self.control_path = os.path.join(self.folder.name, "control")
        self.slots = {SLOT_STATE: os.memfd_create("state",
                                                  os.MFD_ALLOW_SEALING)}
        for slot, path, kind in (
                (SLOT_LISTEN, self.path, socket.SOCK_STREAM),
                (SLOT_CONTROL, self.control_path, socket.SOCK_SEQPACKET)):
            if slot == SLOT_CONTROL and not door:
                continue
            sock = socket.socket(socket.AF_UNIX, kind)
            sock.bind(path)
            sock.listen(4)
            self.slots[slot] = sock.detach()
        for name, first in SLOT_INPUTS.items() if has_seat else ():
            self.slots[first + SLOT_STATE] = os.memfd_create(
                name, os.MFD_ALLOW_SEALING)
            sock = socket.socket(socket.AF_UNIX)
            sock.bind(self.input_path(name))
            sock.listen(4)
            self.slots[first + SLOT_LISTEN] = sock.detach()
        for i in range(segments):
            fd = os.memfd_create("segment")
            os.ftruncate(fd, segment_bytes)
            self.slots[SLOT_SEGMENT + i] = fd
        self.environment = {}  # of devices
        self.launcher = None
        if launcher is not None:  # its environment
            self.start_launcher(launcher)
        self.process = None
        self.socket = None
        self.statuses = []
        self.status_serial = None  # of the last one
        self.head = None
        self.events = []
        self.replies = []

    def input_path(self, name):
        return os.path.join(self.folder.name, name)

    def start_launcher(self, environment):
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        # It finds its socket at 3.
        self.launcher = subprocess.Popen(
            ["bash", "-c", f"exec {LAUNCHER} 3<&{theirs.fileno()}"],
            pass_fds=[theirs.fileno()], stderr=self.log,
            env=dict(os.environ, **environment))
        theirs.close()
        self.slots[SLOT_LAUNCHER] = ours.detach()

    def renders(self):
        """The processes of contexts, oldest first."""
        return [pid for pid, name in children_of(self.launcher.pid)
                if name != "vgpu-spare"]

    def start(self, wait=True):
        """Start a device process; the seconds until it serves."""
        begin = time.monotonic()
        self.socket, theirs = socket.socketpair(socket.AF_UNIX,
                                                socket.SOCK_SEQPACKET)
        self.socket.settimeout(TIMEOUT)
        self.statuses.clear()
        self.process = subprocess.Popen(
            [self.program, "--control-fd", str(theirs.fileno())],
            pass_fds=[theirs.fileno()], stderr=self.log,
            env=dict(os.environ, **self.environment))
        theirs.close()
        for slot, fd in sorted(self.slots.items()):
            self.send(control_message(C_FD, 0, struct.pack("<I", slot)), fd)
        self.send(control_message(C_START, 0, struct.pack(
            START_FORMAT, b"", b"test", b"1Q", START_VERSION, self.heads,
            self.max_width, 1080, self.segments, self.frame_rate, self.segment_bytes,
            self.segments * self.segment_bytes, self.window, b"",
            bool(self.window), 1, 512 << 20, self.key)))
        if wait:
            self.wait_status()
        return time.monotonic() - begin

    def send(self, data, fd=-1):
        ancillary = []
        if fd >= 0:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                    array.array("i", [fd]))]
        self.socket.sendmsg([data], ancillary)

    def receive_one(self):
        """Take one message in. False at the end of the connection."""
        data, fds, _, _ = socket.recv_fds(self.socket, 512, 4)
        if not data:
            return False
        assert len(data) == MESSAGE_SIZE
        kind, serial = struct.unpack_from("<II", data)
        slot = struct.unpack_from("<I", data, 8)[0]
        if kind == C_FD:
            assert len(fds) == 1
            self.drop(slot)
            self.slots[slot] = fds.pop()
        elif kind == C_FD_DROP:
            self.drop(slot)
        elif kind == C_STATUS:
            self.status_serial = serial
            self.statuses.append(struct.unpack_from("<IiIIQQQ", data, 8))
            # Of the first: width and height, and those preferred.
            self.head = struct.unpack_from("<4H", data, 48)
        elif kind == C_EVENT:
            event, suppressed, text = struct.unpack_from("<II200s", data, 8)
            self.events.append((event, suppressed,
                                text.split(b"\0")[0].decode()))
        elif kind == C_REPLY:
            status, _, width, height, stride, _, text = struct.unpack_from(
                "<iIIIII200s", data, 8)
            self.replies.append((serial, status, (width, height, stride),
                                 text.split(b"\0")[0].decode(), list(fds)))
            fds = []
        for fd in fds:
            os.close(fd)
        return True

    def pump(self):
        """Handle the messages that have arrived."""
        while self.socket and wait_readable(self.socket, 0):
            if not self.receive_one():
                return False
        return True

    def wait_status(self):
        count = len(self.statuses)
        while len(self.statuses) == count:
            if not self.receive_one():
                raise Gone
        return self.statuses[-1]

    def wait_reply(self):
        while not self.replies:
            if not self.receive_one():
                raise Gone
        return self.replies.pop()

    def try_mode(self, width, height):
        """Returns 0 or a negative errno."""
        self.send(control_message(C_SET_MODE, 7, struct.pack(
            "<III", 0, width, height)))
        serial, status = self.wait_reply()[:2]
        assert serial == 7
        return status

    def set_mode(self, width, height):
        assert self.try_mode(width, height) == 0

    def view(self, head=0, has_input=True):
        """The socket of a viewer of HEAD (viewer_abi.h)."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.settimeout(TIMEOUT)
        self.send(control_message(C_VIEW, 9, struct.pack(
            "<II", head, has_input)), theirs.fileno())
        theirs.close()
        serial, status, _, text, _ = self.wait_reply()
        assert (serial, status) == (9, 0), text
        return ours

    def wait_event(self, kind):
        while not any(event[0] == kind for event in self.events):
            if not self.receive_one():
                raise Gone
        return [event for event in self.events if event[0] == kind][-1]

    def drop(self, slot):
        if slot in self.slots:
            os.close(self.slots.pop(slot))

    def end(self):
        """Take in all that a killed device said, and forget it."""
        self.process.wait(TIMEOUT)
        with contextlib.suppress(ConnectionResetError):
            while self.receive_one():
                pass
        self.socket.close()
        self.socket = None

    def kill(self):
        self.process.kill()
        self.end()

    def connect(self):
        return FrontEnd(self.path)

    def ask_for_all(self, *messages):
        """A connection to the control socket that begins with MESSAGES."""
        asker = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        asker.connect(self.control_path)
        asker.settimeout(TIMEOUT)
        with contextlib.suppress(BrokenPipeError):  # refused after the first
            for message in messages:
                asker.send(message)
        return asker

    def take_over(self):
        """A new manager connects to the device."""
        self.socket.close()
        for slot in list(self.slots):
            if slot not in (SLOT_STATE, SLOT_LISTEN, SLOT_CONTROL):
                self.drop(slot)
        self.statuses.clear()
        self.socket = self.ask_for_all(control_message(C_ADOPT, 0, self.key))
        self.wait_status()

    def close(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(TIMEOUT)
        if self.socket:
            self.socket.close()
        for slot in list(self.slots):
            self.drop(slot)
        if self.launcher:
            # Nobody has its socket any more.
            self.launcher.wait(TIMEOUT)
        self.folder.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
