# SPDX-License-Identifier: GPL-2.0-or-later
"""Recordings of vgpu-render: what render/vulkan/recording.h says of the file."""

import struct

HEADER = struct.Struct("<8sII")
RECORD = struct.Struct("<IIIIQ")
MESSAGE = struct.Struct("<IIIIQQQIIQ")  # struct vgpu_render_message
MAGIC, VERSION = b"vgpu-rec", 3
KIND_MESSAGE, KIND_BATCH, KIND_COPY, KIND_ANSWER = range(1, 5)
# Of render/abi.h.
START, SUBMIT, RESOURCE_ADD, RESOURCE_REMOVE = range(1, 5)


class Record:
    """One record: what came, and where from."""

    def __init__(self, kind, stream, n_fds, n_commands, data):
        self.kind = kind
        self.stream = stream
        self.n_fds = n_fds
        self.n_commands = n_commands
        self.data = data

    def pack(self):
        return RECORD.pack(self.kind, self.stream, self.n_fds, len(self.data),
                           self.n_commands) + self.data

    def is_message(self, *types):
        return (self.kind == KIND_MESSAGE and
                MESSAGE.unpack_from(self.data)[0] in types)

    def commands(self):
        """The commands that it holds, most of them after those before it."""
        if self.kind in (KIND_BATCH, KIND_COPY):
            return self.data
        return self.data[MESSAGE.size:] if self.is_message(SUBMIT) else b""


def read(path):
    """All whole records of a file. A process that was killed may have left a
    part of one more."""
    with open(path, "rb") as file:
        data = file.read()
    if HEADER.unpack_from(data) != (MAGIC, VERSION, 0):
        raise ValueError(f"{path} is no recording")
    records, at = [], HEADER.size
    while at + RECORD.size <= len(data):
        kind, stream, n_fds, size, n_commands = RECORD.unpack_from(data, at)
        at += RECORD.size + size
        if at <= len(data):
            records.append(Record(kind, stream, n_fds, n_commands,
                                  data[at - size:at]))
    return records


def pack(records):
    return (HEADER.pack(MAGIC, VERSION, 0) +
            b"".join(record.pack() for record in records))
