#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Make the file of vGPU types that vgpu_core loads as firmware.

    make_types.py TYPES.toml OUT.bin

types.h says what is in it. What the firmware is told has the layout of
NV2080_CTRL_VGPU_MGR_INTERNAL_PGPU_ADD_VGPU_TYPE_PARAMS (OGK src/common/sdk/
nvidia/inc/ctrl/ctrl2080/ctrl2080vgpumgrinternal.h, tag 570.144), without the
signatures that only NVIDIA can make: the hardware model takes it, a GPU does not.
"""

import struct
import sys
import tomllib
import zlib

MAGIC = b"OVGPUTYP"
VERSION = 1
GIB = 1 << 30
MIB = 1 << 20
INSTANCES_MAX = 32
HEAPS_BYTES = 512 * MIB  # of all vGPUs together, as vgpu_core lays them out
HEAP_MAX_BYTES = 128 * MIB
ECC = 0x1

TYPE = struct.Struct("<IHH32s16sIIIIIIIIQQQ")
TYPES_MAX = 64
# NVA081_CTRL_VGPU_INFO: its parts that are told, by their offsets.
INFO_BYTES = 5224
INFO = {
    "id": (0, "<I"), "name": (4, "<32s"), "class": (36, "<32s"),
    "max_instances": (324, "<I"), "heads": (328, "<I"),
    "max_width": (332, "<I"), "max_height": (336, "<I"),
    "max_pixels": (340, "<I"), "frame_rate_limit": (344, "<I"),
    "cuda": (348, "<I"), "ecc": (352, "<I"), "multi_vgpu": (360, "<I"),
    "guest_id": (368, "<Q"), "pci_id": (376, "<Q"), "profile": (384, "<Q"),
    "framebuffer": (392, "<Q"), "heap": (400, "<Q"), "bar1_mib": (432, "<Q"),
    "frame_rate_limited": (440, "<I"), "adapter": (444, "<64s"),
    "placement_gib": (4952, "<I"),
}


def power_of_2_below(number):
    return 1 << (number.bit_length() - 1)


def describe(board, kind, gib, number):
    """One type, as INFO has it and some more."""
    instances = min(board["gib"] // gib, INSTANCES_MAX)
    # Its part of the heaps, in the smallest halving that it fits.
    heap = power_of_2_below(HEAPS_BYTES // instances)
    guest = (board["device"] << 16) | number
    name = f"{board['name']}-{gib}{kind['series']}"
    return {
        "id": number, "name": name.encode(), "adapter": name.encode(),
        "class": kind["class"].encode(), "max_instances": instances,
        "heads": kind["heads"], "max_width": kind["max_width"],
        "max_height": kind["max_height"],
        "max_pixels": kind["heads"] * kind["max_width"] * kind["max_height"],
        "frame_rate_limit": kind["frame_rate_limit"],
        "frame_rate_limited": int(kind["frame_rate_limit"] > 0),
        "cuda": int(kind["cuda"]), "ecc": 1, "multi_vgpu": 1,
        "guest_id": guest, "pci_id": board["device"], "profile": gib * GIB,
        "framebuffer": gib * GIB, "heap": min(heap, HEAP_MAX_BYTES),
        "bar1_mib": 64 if gib >= 8 else 32, "placement_gib": gib,
    }


def record(info):
    return TYPE.pack(
        info["id"], info["guest_id"] >> 16, info["guest_id"] & 0xffff,
        info["name"], info["class"], info["heads"], info["max_width"],
        info["max_height"], info["frame_rate_limit"], info["max_instances"],
        info["placement_gib"], ECC if info["ecc"] else 0, 0,
        info["framebuffer"], info["heap"], info["bar1_mib"] * MIB)


def told(infos):
    out = bytearray(8 + TYPES_MAX * INFO_BYTES)
    struct.pack_into("<BxxxI", out, 0, 1, len(infos))
    for index, info in enumerate(infos):
        for field, (offset, form) in INFO.items():
            struct.pack_into(form, out, 8 + index * INFO_BYTES + offset,
                             info[field])
    return bytes(out)


def pack(board, infos, payload):
    body = b"".join(record(info) for info in infos)
    header = struct.pack("<I16sIIIIQQ", VERSION, board["firmware"].encode(),
                         board["device"] << 16 | board["vendor"], len(infos),
                         TYPE.size, board["gib"], len(payload), 0)
    rest = header + body + payload
    return MAGIC + struct.pack("<I", zlib.crc32(rest)) + rest


def make(text):
    tables = tomllib.loads(text)
    board = tables["board"]
    infos = [describe(board, kind, gib, number)
             for kind in tables["series"]
             for gib, number in zip(kind["gib"], kind["ids"], strict=True)]
    if len(infos) > TYPES_MAX:
        raise ValueError(f"{len(infos)} types, {TYPES_MAX} are the most")
    return pack(board, infos, told(infos))


def main():
    if len(sys.argv) != 3:
        sys.exit("usage: make_types.py TYPES.toml OUT.bin")
    with open(sys.argv[1], encoding="utf-8") as source:
        try:
            made = make(source.read())
        except ValueError as error:
            sys.exit(f"{sys.argv[1]}: {error}")
    with open(sys.argv[2], "wb") as out:
        out.write(made)


if __name__ == "__main__":
    main()
