#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""generate.py REGISTRY OUTPUT: write the decoder's C files."""

import os
import sys

from capset import capset_files
from emit import Emitter
from emit_gfxstream import GfxstreamEmitter
from formats import format_files
from gfxstream import Gfxstream
from model import Model
from testgen import TestEmitter
from venus import Venus


def main(registry, output):
    model = Model(registry, os.path.dirname(os.path.abspath(__file__)))
    enums_used = set()
    wire = Venus(model, enums_used)
    emitter = Emitter(model, wire)
    # The structs' and commands' files decide which enums are needed.
    files = {f'venus_structs_{i}.c': text
             for i, text in enumerate(emitter.struct_files())}
    files.update({f'venus_{name}.c': text
                  for name, text in emitter.command_files().items()})
    gfxstream = Gfxstream(model, enums_used)
    files.update(GfxstreamEmitter(model, gfxstream, emitter).files())
    files.update({
        'venus.h': emitter.header(),
        'venus_private.h': emitter.private_header(),
        'venus_decode.h': emitter.decode_header(),
        'venus_chains.c': emitter.chains_file(),
        'venus_enums.c': emitter.enums_file(),
        'venus_calls.c': emitter.calls_file(),
        'venus_table.c': emitter.table_file(),
        'venus_destroy.c': emitter.destroy_file(),
    })
    files.update(capset_files(model))
    files.update(format_files(model))
    files.update(TestEmitter(model, wire, emitter).files())
    for name, text in files.items():
        with open(os.path.join(output, name), 'w', encoding='ascii') as file:
            file.write(text)


if __name__ == '__main__':
    main(*sys.argv[1:])
