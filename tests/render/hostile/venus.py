# SPDX-License-Identifier: GPL-2.0-or-later
"""Venus by hand: a guest that says what no driver would, on a real device."""

import mmap
import os
import re
import struct
import sys

sys.path.insert(0, os.path.join(os.environ["VGPU_SOURCE"], "tests", "device",
                                "vtest"))

# pylint: disable=wrong-import-position
import client as vt
from client import u64, words

NULL = u64(0)
MIB = 1 << 20
ICD = "/usr/share/vulkan/icd.d/lvp_icd.json"

INSTANCE, GPU, DEVICE, QUEUE, POOL, BUFFER, MEMORY = range(1, 8)
MODULE, LAYOUT, PIPELINE, FENCE, SEMAPHORE, COMMANDS = range(8, 14)
FREE_ID = 1000
LINES_MAX = 9  # what the device says about one guest after the other

# What an empty compute shader is in SPIR-V.
EMPTY_SHADER = words(
    0x07230203, 0x10000, 0, 6, 0,
    2 << 16 | 17, 1,                                      # Shader
    3 << 16 | 14, 0, 1,                                   # Logical, GLSL450
    5 << 16 | 15, 5, 4, 0x6e69616d, 0,                    # GLCompute 4 "main"
    6 << 16 | 16, 4, 17, 1, 1, 1,                         # LocalSize 1 1 1
    2 << 16 | 19, 2, 3 << 16 | 33, 3, 2,                  # void, void()
    5 << 16 | 54, 2, 4, 0, 3, 2 << 16 | 248, 5,           # a function
    1 << 16 | 253, 1 << 16 | 56)


def command(number, *body, reply=False):
    return words(number, int(reply)) + b"".join(body)


def chain(*structs):
    """Heads first, then the bodies, last one first. Each is (sType, body)."""
    heads = b"".join(u64(1) + words(stype) for stype, _ in structs)
    return heads + NULL + b"".join(body for _, body in reversed(structs))


def info(stype, *body, more=NULL):
    return u64(1) + words(stype) + more + b"".join(body)


def array(*items):
    return u64(len(items)) + b"".join(items)


def new(number):
    return u64(1) + u64(number)


def create_instance(number=INSTANCE, **how):
    return command(0, info(1, words(0), NULL, words(0), NULL, words(0), NULL),
                   NULL, new(number), **how)


def destroy_instance(number=INSTANCE):
    return command(1, u64(number), NULL)


def enumerate_gpus(*numbers, instance=INSTANCE, count=None, **how):
    numbers = numbers or (GPU,)
    return command(2, u64(instance), u64(1),
                   words(len(numbers) if count is None else count),
                   array(*map(u64, numbers)), **how)


def queue_info(family=0, count=1, flags=0):
    return (words(2) + NULL + words(flags, family, count) +
            array(*[words(0x3f800000)] * count))


def create_device(number=DEVICE, gpu=GPU, queues=None, **how):
    queues = [queue_info()] if queues is None else queues
    return command(11, u64(gpu), info(3, words(0, len(queues)), array(*queues),
                                      words(0), NULL, words(0), NULL, NULL),
                   NULL, new(number), **how)


def destroy_device(number=DEVICE):
    return command(12, u64(number), NULL)


def get_queue(number=QUEUE, device=DEVICE, timeline=1, family=0, index=0,
              flags=0):
    more = NULL if timeline is None else chain((1000384005, words(timeline)))
    return command(155, u64(device),
                   info(1000145003, words(flags, family, index), more=more),
                   new(number))


def allocate(number=MEMORY, size=4096, kind=0, device=DEVICE, more=NULL, **how):
    return command(21, u64(device), info(5, u64(size), words(kind), more=more),
                   NULL, new(number), **how)


def free(number=MEMORY, device=DEVICE):
    return command(22, u64(device), u64(number), NULL)


def create_fence(number=FENCE, device=DEVICE):
    return command(35, u64(device), info(8, words(0)), NULL, new(number))


def wait_for_fence(fence=FENCE, device=DEVICE, timeout=2 ** 64 - 1):
    return command(39, u64(device), words(1), array(u64(fence)), words(1),
                   u64(timeout))


def wait_idle(device=DEVICE):
    return command(20, u64(device))


def create_semaphore(number=SEMAPHORE, device=DEVICE, is_timeline=False):
    more = chain((1000207002, words(1) + u64(0))) if is_timeline else NULL
    return command(40, u64(device), info(9, words(0), more=more), NULL,
                   new(number))


def wait_for_semaphore(value, semaphore=SEMAPHORE, device=DEVICE):
    return command(173, u64(device),
                   info(1000207004, words(0, 1), array(u64(semaphore)),
                        array(u64(value))), u64(2 ** 64 - 1))


def signal_semaphore(value, semaphore=SEMAPHORE, device=DEVICE):
    return command(174, u64(device),
                   info(1000207005, u64(semaphore), u64(value)))


def create_buffer(number=BUFFER, size=4096, families=(), device=DEVICE):
    return command(50, u64(device),
                   info(12, words(0), u64(size), words(3, 1 if families else 0),
                        words(len(families)), array(*map(words, families))),
                   NULL, new(number))


def bind_buffer(buffer=BUFFER, memory=MEMORY, offset=0, device=DEVICE):
    return command(28, u64(device), u64(buffer), u64(memory), u64(offset))


def create_pool(number=POOL, family=0, device=DEVICE):
    return command(85, u64(device), info(39, words(2, family)), NULL,
                   new(number))


def allocate_commands(*numbers, pool=POOL, device=DEVICE):
    numbers = numbers or (COMMANDS,)
    return command(88, u64(device),
                   info(40, u64(pool), words(0, len(numbers))),
                   array(*map(u64, numbers)))


def free_commands(*numbers, pool=POOL, device=DEVICE):
    return command(89, u64(device), u64(pool), words(len(numbers)),
                   array(*map(u64, numbers)))


def record(*commands, number=COMMANDS):
    return (command(90, u64(number), info(42, words(0), NULL)) +
            b"".join(commands) + command(91, u64(number)))


def fill(buffer=BUFFER, value=0, number=COMMANDS):
    return command(118, u64(number), u64(buffer), u64(0),
                   u64((1 << 64) - 1), words(value))


def dispatch(x, y, z, number=COMMANDS):
    return (command(93, u64(number), words(1), u64(PIPELINE)) +
            command(110, u64(number), words(x, y, z)))


def push(data, number=COMMANDS):
    return command(132, u64(number), u64(LAYOUT), words(0x20, 0, len(data)),
                   u64(len(data)), data)


def submit(*numbers, queue=QUEUE, fence=0, wait=(), **how):
    """@wait: (timeline semaphore, value) pairs."""
    more = chain((1000207003, words(len(wait)) +
                  array(*(u64(value) for _, value in wait)) + words(0) +
                  NULL)) if wait else NULL
    one = (words(4) + more + words(len(wait)) +
           array(*(u64(semaphore) for semaphore, _ in wait)) +
           array(*[words(0x10000)] * len(wait)) + words(len(numbers)) +
           array(*map(u64, numbers)) + words(0) + NULL)
    return command(18, u64(queue), words(1), array(one), u64(fence), **how)


def create_set_layout(number, device=DEVICE):
    """A storage buffer, for compute shaders."""
    return command(72, u64(device),
                   info(32, words(0, 1), array(words(0, 7, 1, 0x20) + NULL)),
                   NULL, new(number))


def create_pipeline(code=EMPTY_SHADER, device=DEVICE, sets=(), pushed=0):
    stage = (words(18) + NULL + words(0, 0x20) + u64(MODULE) + u64(5) +
             b"main\0\0\0\0" + NULL)
    one = (words(29) + NULL + words(0) + stage + u64(LAYOUT) + NULL +
           words(0xffffffff))
    return (command(59, u64(device),
                    info(16, words(0), u64(len(code)), u64(len(code) // 4),
                         code), NULL, new(MODULE)) +
            command(68, u64(device),
                    info(30, words(0, len(sets)), array(*map(u64, sets)),
                         words(int(pushed > 0)),
                         array(words(0x20, 0, pushed)) if pushed else NULL),
                    NULL, new(LAYOUT)) +
            command(66, u64(device), u64(0), words(1), array(one), NULL,
                    array(u64(PIPELINE))))


def set_reply(resource, size, offset=0):
    return command(178, u64(1), words(resource), u64(offset), u64(size))


def seek_reply(position):
    return command(179, u64(position))


def execute(*streams, positions=None, count=None):
    """Streams are (resource, offset, size)."""
    return command(180, words(len(streams) if count is None else count),
                   array(*(words(resource) + u64(offset) + u64(size)
                           for resource, offset, size in streams)),
                   array(*map(u64, positions or ())), words(0), NULL, words(0))


def destroy_ring(number):
    return command(189, u64(number))


def notify_ring(number, seqno=0):
    return command(190, u64(number), words(seqno, 0))


def write_extra(number, offset, value):
    return command(191, u64(number), u64(offset), words(value))


def submit_virtqueue_seqno(number, seqno):
    return command(251, u64(number), u64(seqno))


def wait_virtqueue_seqno(seqno):
    return command(252, u64(seqno))


def wait_ring(number, seqno):
    return command(253, u64(number), u64(seqno))


UP_TO_DEVICE = create_instance() + enumerate_gpus() + create_device()
UP_TO_QUEUE = UP_TO_DEVICE + get_queue()
UP_TO_COMMANDS = UP_TO_QUEUE + create_pool() + allocate_commands()


class Ring:
    """A ring: one page of control words, then the buffer, then the extra
    region."""

    NAMES = ("resource", "offset", "size", "idle", "head", "tail", "status",
             "buffer", "buffer_bytes", "extra", "extra_bytes")

    def __init__(self, guest, number=1, buffer_bytes=65536, **how):
        self.guest, self.number = guest, number
        self.bytes = buffer_bytes
        size = 8192 + max(buffer_bytes, 4096)
        resource, self.memory = guest.share(size)
        values = {"resource": resource, "offset": 0, "size": size,
                  "idle": 5000000, "head": 0, "tail": 64, "status": 128,
                  "buffer": 4096, "buffer_bytes": buffer_bytes,
                  "extra": 4096 + max(buffer_bytes, 4096), "extra_bytes": 4096}
        more = how.pop("more", NULL)
        values["buffer_bytes"] = how.pop("size_said", buffer_bytes)
        values.update(how)
        self.at = 0
        self.create = command(
            188, u64(number),
            info(1000384000, words(0, values["resource"]),
                 *(u64(values[name]) for name in self.NAMES[1:]), more=more))

    def begin(self):
        self.guest.run(self.create)
        return self

    def word(self, offset):
        with memoryview(self.memory) as view, view.cast("I") as words:
            return words[offset // 4]

    def put(self, data):
        """Into the buffer, without a word to anybody."""
        for i in range(0, len(data), 4):
            place = 4096 + (self.at + i) % self.bytes
            self.memory[place:place + 4] = data[i:i + 4]
        self.at = (self.at + len(data)) & 0xffffffff

    def set_tail(self, tail=None):
        # In one store: struct.pack_into() writes a byte at a time, and the
        # ring's thread may look in between.
        with memoryview(self.memory) as view, view.cast("I") as words:
            words[64 // 4] = self.at if tail is None else tail

    def send(self, data):
        self.put(data)
        self.set_tail()
        self.guest.send(notify_ring(self.number))

    def run(self, data):
        self.send(data)
        self.guest.run(wait_ring(self.number, self.at))


class Guest:
    """A client and the commands it sends to its context."""

    def __init__(self, device):
        self.client = device.begin()
        self.socket = self.client.socket
        self.barrier = self.client.barrier
        self.is_gone = self.client.is_gone
        self.reply = None

    def __enter__(self):
        return self

    def __exit__(self, *args):
        self.socket.close()

    def send(self, *commands):
        """Commands for the context's own stream."""
        try:
            self.client.send(vt.batch(b"".join(commands)))
        except OSError:
            pass  # it is gone before all is said

    def run(self, *commands):
        """The same, done when it returns."""
        self.send(*commands)
        self.barrier()

    def share(self, size):
        """Shared memory: its resource id and a mapping of it."""
        number, fd = self.client.blob(size)
        memory = mmap.mmap(fd, 0)
        os.close(fd)
        return number, memory

    def map_memory(self, size):
        """Device memory MEMORY."""
        _, fd = self.client.blob(size, MEMORY)
        memory = mmap.mmap(fd, size)
        os.close(fd)
        return memory

    def give_up(self, resource):
        self.client.send(vt.command(vt.UNREF, words(resource)))

    def ask(self, asked):
        """The answer to one command that was made with reply=True."""
        if not self.reply:
            self.reply = self.share(65536)
        self.run(set_reply(self.reply[0], 65536), asked)
        return self.reply[1][:]

    def result(self, asked):
        """Read a VkResult."""
        return struct.unpack_from("<Ii", self.ask(asked))[1]


class Test(vt.Test):
    """A device with real render processes. None may ever crash."""

    render = None
    args = ("--framebuffer-mib", "64")
    environment = {}
    may_crash = False

    def setUp(self):
        self.set_environment()
        super().setUp()
        self.settle_in()

    def set_environment(self):
        for name, value in {"VK_DRIVER_FILES": ICD, "LP_NUM_THREADS": "2",
                            **self.environment}.items():
            if name in os.environ:
                self.addCleanup(os.environ.__setitem__, name, os.environ[name])
            else:
                self.addCleanup(os.environ.pop, name)
            os.environ[name] = value

    def settle_in(self):
        """Start a neighbour that behaves correctly."""
        self.n_over = 0
        self.other = Guest(self.device)
        self.other.run(UP_TO_QUEUE)

    def finish(self):
        # Whatever one guest did, the other is served to the end.
        if self.device.process.poll() is None:
            self.assertEqual(self.other.result(allocate(reply=True)), 0)
        said = self.device.said()
        self.other.socket.close()
        super().finish()
        if not self.may_crash:
            self.assertIsNone(re.search("signal (4|6|7|8|11)|by itself", said),
                              said)

    def renew(self):
        """Another device: each says a few lines about its guests at most."""
        self.finish()
        self.device = vt.Device(self.render, self.args)
        self.settle_in()

    def begin(self, *commands):
        if self.n_over >= LINES_MAX:
            self.renew()
        guest = Guest(self.device)
        self.addCleanup(guest.socket.close)
        if commands:
            guest.run(*commands)
        return guest

    def is_over(self, guest, why):
        """The context has ended for this reason."""
        self.n_over += 1
        self.assertTrue(guest.is_gone())
        guest.socket.close()
        self.assertIn(why, self.device.said().rstrip("\n").split("\n")[-1])

    def ends(self, *commands, why, guest=None):
        guest = guest or self.begin()
        guest.send(*commands)
        self.is_over(guest, why)


class Careless(Test):
    """Where a driver need not live on: that is the guest's own harm."""

    may_crash = True
    environment = {"ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") +
                                   ":handle_segv=0:handle_abort=0"}
