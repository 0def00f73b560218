#!/usr/bin/python3 -I
# SPDX-License-Identifier: GPL-2.0-or-later
"""A render process (render/abi.h) that executes commands given as JSON."""

import array
import ctypes
import json
import mmap
import os
import signal
import socket
import struct
import time

MESSAGE = struct.Struct("<IIIIQQQIIQ")
FIELDS = ("type", "status", "resource_id", "ring_idx", "id", "offset", "bytes",
          "n", "flags", "seq")
START, SUBMIT, ADD, REMOVE, EXPORT, FENCE, TAKE, RESUME = range(1, 9)
READY, EXPORTED, FENCE_DONE, FATAL, RING, TAKEN, RESUMED = range(32, 39)
ALLOC, FREE, OPEN = 64, 65, 66
PR_SET_NAME = 15
PR_SET_SECCOMP = 22
SECCOMP_MODE_STRICT, SECCOMP_MODE_FILTER = 1, 2
SPARE = 4  # flag of START
WITH_FENCE = 16  # flag of SUBMIT


def call_me(name):
    ctypes.CDLL(None).prctl(PR_SET_NAME, name.encode())


def die_of(number):
    """The first process of a namespace is deaf to signals that come from it:
    these are the kernel's."""
    libc = ctypes.CDLL(None)
    if number == signal.SIGSEGV:
        ctypes.string_at(0)
    elif number == signal.SIGKILL:
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)
        os.getppid()
    elif number == signal.SIGSYS:
        kill_process = struct.pack("<HBBI", 6, 0, 0, 0x80000000)
        code = ctypes.create_string_buffer(kill_process)
        program = struct.pack("<HxxxxxxQ", 1, ctypes.addressof(code))
        libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, program)
    raise ValueError(f"alive after signal {number}")


def pack(**fields):
    return MESSAGE.pack(*(fields.get(name, 0) for name in FIELDS))


class Render:
    def __init__(self):
        self.sockets = {
            "command": socket.socket(fileno=3),
            "memory": socket.socket(fileno=4),
        }
        self.memory = {}
        self.resources = {}
        self.heard = []
        self.answers = []
        self.held = None
        self.lie = {}
        self.questions = 0
        self.last_seq = 0
        self.last_done = None
        self.notes = []

    def say(self, where, data, n_fds=0):
        extra = []
        if n_fds:
            extra = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                      array.array("i", [0] * n_fds))]
        self.sockets[where].sendmsg([data], extra)

    def ask(self, **fields):
        self.questions += 1
        self.say("memory", pack(**{"id": self.questions, **fields}))
        answer = {"id": None}
        while answer["id"] != fields.get("id", self.questions):
            # One before may have been answered twice.
            data, fds, _, _ = socket.recv_fds(self.sockets["memory"], 4096, 4)
            answer = dict(zip(FIELDS, MESSAGE.unpack(data)))
        answer["fds"] = len(fds)
        self.answers.append(answer)
        return answer, fds

    def report(self, resource_id):
        text = json.dumps({
            "heard": self.heard,
            "answers": self.answers,
            "notes": self.notes,
            "resources": sorted(self.resources),
            "environment": dict(os.environ),
            "fds": {fd: os.readlink(f"/proc/self/fd/{fd}")
                    for fd in os.listdir("/proc/self/fd")
                    if os.path.exists(f"/proc/self/fd/{fd}")},
            # As others know it: in its own namespace it is 1.
            "pid": int(os.readlink("/proc/self")),
        }).encode()
        with mmap.mmap(self.resources[resource_id], 0) as memory:
            memory[8:8 + len(text)] = text
            memory[:8] = struct.pack("<Q", len(text))

    def do(self, op, *args):
        if op == "say":
            self.say("command", pack(**args[0]) + bytes.fromhex("".join(args[1:])))
        elif op == "ask":
            self.ask(**args[0])
        elif op == "raw":  # where, hex, fds
            self.say(args[0], bytes.fromhex(args[1]), *args[2:])
        elif op == "flood":  # where, fields
            while True:
                self.questions += 1
                self.say(args[0], pack(**{"id": self.questions, **args[1]}))
        elif op == "alloc":  # object id, bytes, flags
            answer, fds = self.ask(type=ALLOC, bytes=args[1],
                                   flags=args[2] if len(args) > 2 else 0)
            self.memory[args[0]] = (answer["offset"], args[1], fds)
        elif op == "poke":  # object id, text
            os.pwrite(self.memory[args[0]][2][0], args[1].encode(), 0)
        elif op == "open":  # resource id, object id
            answer, fds = self.ask(type=OPEN, resource_id=args[0])
            self.memory[args[1]] = (0, answer["bytes"], fds)
        elif op == "peek":  # object id
            self.notes.append(os.pread(self.memory[args[0]][2][0], 16, 0).hex())
        elif op == "free":
            self.ask(type=FREE, offset=self.memory.pop(args[0])[0])
        elif op == "note":
            self.notes.append(args[0])
        elif op == "hold":
            self.held = self.held or []
        elif op == "release":
            held, self.held = self.held, None
            for message in held:
                self.say("command", message)
        elif op == "again":  # the last fence is done
            self.say("command", self.last_done)
        elif op == "lie":  # in answers to EXPORT
            self.lie = args[0]
        elif op == "sleep":
            time.sleep(args[0])
        elif op == "close":
            self.sockets[args[0]].close()
            time.sleep(100)
        elif op == "exit":
            os._exit(args[0])
        elif op == "kill":
            die_of(args[0])
        elif op == "report":
            self.report(args[0])

    def answer(self, data):
        if self.held is None:
            self.say("command", data)
        else:
            self.held.append(data)

    def finish(self, fence):
        self.last_done = pack(type=FENCE_DONE, ring_idx=fence["ring_idx"],
                              id=fence["id"])
        self.answer(self.last_done)

    def handle(self, message, body, fds):
        kind = message["type"]
        if kind == SUBMIT:
            if fds:
                body = os.pread(fds[0], message["bytes"], 0)
                self.say("command", pack(type=TAKEN, id=message["seq"]))
            for line in json.loads(body):
                self.do(*line)
            if message["flags"] & WITH_FENCE:
                self.finish(message)
        elif kind == ADD:
            assert message["resource_id"] not in self.resources
            self.resources[message["resource_id"]] = (
                os.dup(fds[0]) if fds else -1)
        elif kind == REMOVE:
            fd = self.resources.pop(message["resource_id"], -1)
            if fd >= 0:
                os.close(fd)
        elif kind == EXPORT:
            offset, size, _ = self.memory.get(message["id"], (0, 0, []))
            fields = {"status": 0 if size else 22, "offset": offset,
                      "bytes": size, **self.lie}
            self.answer(pack(type=EXPORTED, resource_id=message["resource_id"],
                             **fields))
        elif kind == FENCE:
            self.finish(message)
        elif kind == RESUME:
            self.say("command", pack(type=RESUMED, id=message["seq"],
                                     offset=self.last_seq))

    def run(self):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        while True:
            data, fds, _, _ = socket.recv_fds(self.sockets["command"],
                                              1 << 17, 253)
            if not data:
                return
            message = dict(zip(FIELDS, MESSAGE.unpack(data[:MESSAGE.size])))
            body = data[MESSAGE.size:]
            if message["type"] == TAKE:
                call_me("vgpu-render")
            if message["type"] == START:
                if message["flags"] & SPARE:
                    call_me("vgpu-spare")
                self.say("command", pack(type=READY))
            self.heard = self.heard[-20:] + [[message, len(body), len(fds)]]
            self.handle(message, body, fds)
            self.last_seq = message["seq"]
            for fd in fds:
                os.close(fd)


if __name__ == "__main__":
    Render().run()
