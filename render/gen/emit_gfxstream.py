# SPDX-License-Identifier: GPL-2.0-or-later
"""The decoder's C files for gfxstream: what it does not share with venus' (emit.py)."""

from emit import LOCALS, function, head
from gfxstream import WAITS, number
from model import BYTES
from wire import indent

FILES = 4


class GfxstreamEmitter:
    def __init__(self, model, wire, emitter):
        self.model, self.wire, self.emitter = model, wire, emitter
        self.structs = model.structs
        shared = {c.name for c in emitter.wire.commands}
        self.own = [c for c in wire.commands if c.name not in shared]

    def files(self):
        texts = {f'gfxstream_structs_{i}.c': text
                 for i, text in enumerate(self._struct_files())}
        texts.update({f'gfxstream_commands_{i}.c': text
                      for i, text in enumerate(self._command_files())})
        texts['gfxstream_chains.c'] = self._chains_file()
        texts['gfxstream_table.c'] = self._table_file()
        texts['gfxstream_calls.h'] = self._header()
        texts['gfxstream_decode.h'] = self._decode_header()
        return texts

    # -- headers ------------------------------------------------------------------

    def _header(self):
        text = head('What gfxstream adds: its types, and calls of its own.',
                    'VGPU_GFXSTREAM_CALLS_H')
        text += '#include "venus.h"\n\n'
        for s in self.model.gfxstream_structs:
            if s.stype:
                text += f'#define {s.stype} ((VkStructureType){s.stype_value})\n'
        text += '\n'
        for s in self.model.gfxstream_structs:
            text += f'typedef struct {s.name} {{\n'
            text += ''.join(f'\t{f.declaration};\n' for f in s.fields)
            text += f'}} {s.name};\n\n'
        for command in self.own:
            text += self.emitter.args(command)
        for command in self.own:
            text += f'void vgpu_handle_{command.short}(struct vgpu_decoder *d, ' \
                    f'struct vgpu_args_{command.short} *args);\n'
        return text + DISPATCH_HEAD + '\n#endif\n'

    def _decode_header(self):
        w = self.wire
        text = head('What the decoder\'s files for gfxstream share.',
                    'VGPU_GFXSTREAM_DECODE_H')
        text += '#include "gfxstream_calls.h"\n' \
                '#include "render/wire/gfxstream.h"\n' \
                '#include "venus_decode.h"\n\n'
        for kind, names, const in (('decode', w.decoded, ''), ('shape', w.shaped, ''),
                                   ('reply', w.replied, 'const ')):
            for name in sorted(names):
                if self.structs[name].stype:
                    text += f'void gfx_{kind}_{name}(struct vgpu_decoder *d, ' \
                            f'{const}{name} *v);\n'
                text += f'void gfx_{kind}_body_{name}(struct vgpu_decoder *d, ' \
                        f'{const}void *p);\n'
        for name in sorted(self._chained()):
            text += f'extern const struct vgpu_chain gfx_chain_{name};\n'
        for name, _ in self._dispatched():
            text += f'void gfx_do_{name[2:]}(struct vgpu_decoder *d);\n'
        return text + '\n#endif\n'

    # -- structs ------------------------------------------------------------------

    def _chained(self):
        names = self.wire.decoded | self.wire.shaped
        return [n for n in names if self.structs[n].stype]

    def _spread(self, texts, what):
        files = [head(what) + '#include "gfxstream_decode.h"\n\n'
                 for _ in range(FILES)]
        for text in texts:
            shortest = min(range(FILES), key=lambda i: len(files[i]))
            files[shortest] += text
        return files

    def _struct_files(self):
        w = self.wire
        texts = []
        for name in sorted(w.decoded | w.shaped):
            struct, text = self.structs[name], ''
            if name in w.decoded:
                text += self._struct('decode', struct, w.decode_struct(struct))
            if name in w.shaped:
                text += self._struct('shape', struct, w.shape_struct(struct))
            if name in w.replied:
                text += self._struct('reply', struct, w.reply_struct(struct))
            texts.append(text)
        return self._spread(texts, 'Structs, decoded and encoded.')

    @staticmethod
    def _struct(kind, struct, lines):
        const = 'const ' if kind == 'reply' else ''
        name = struct.name
        text = function(f'void gfx_{kind}_body_{name}(struct vgpu_decoder *d, '
                        f'{const}void *p)', lines,
                        (('v', f'{const}{name} *v = p;'), *LOCALS))
        if not struct.stype:
            return text
        # A number: not all that have a struct have a name without beta extensions.
        stype = f'(VkStructureType){struct.stype_value}'
        if kind == 'reply':
            lines = [f'vgpu_gfx_put_u32(d, {struct.stype_value}U);',
                     f'vgpu_gfx_reply_chain(d, &gfx_chain_{name}, v->pNext);']
        else:
            chain = 'chain' if kind == 'decode' else 'shape_chain'
            lines = [f'v->sType = {stype};',
                     f'venus_stype(d, {stype});',
                     f'v->pNext = vgpu_gfx_{chain}(d, &gfx_chain_{name});']
        if name == 'VkGraphicsPipelineCreateInfo':
            lines = ['d->has_rasterization = vgpu_get_be32(vgpu_decoder_take(d, 4));',
                     'd->has_tessellation = vgpu_get_be32(vgpu_decoder_take(d, 4));',
                     *lines]
        lines.append(f'gfx_{kind}_body_{name}(d, v);')
        return text + function(
            f'void gfx_{kind}_{name}(struct vgpu_decoder *d, {const}{name} *v)', lines)

    def _chains_file(self):
        w = self.wire
        text = head('What may be chained to what.') + \
            '#include "gfxstream_decode.h"\n\n'
        for name in sorted(self._chained()):
            extenders = sorted(w.extenders(self.structs[name]),
                               key=lambda s: s.stype_value)
            text += self.emitter.chain(
                f'gfx_chain_{name}', extenders,
                (('gfx_decode_body_', w.decoded), ('gfx_shape_body_', w.shaped),
                 ('gfx_reply_body_', w.replied)))
        return text

    # -- commands -----------------------------------------------------------------

    def _dispatched(self):
        """(name, command) of all that have a number, without other names of theirs."""
        commands = {c.name: c for c in self.wire.commands}
        recorded = {c.name for c in self.wire.commands
                    if self._is_recorded(c) and c.ret != 'void'}
        named = [(c.name, c) for c in self.wire.commands if c.name not in recorded]
        named += [(name, commands[other])
                  for name, (other, _) in self.model.gfxstream_like.items()]
        return sorted(named)

    @staticmethod
    def _is_recorded(command):
        return command.fields[0].type == 'VkCommandBuffer'

    def _command_files(self):
        return self._spread([self._do(name, c) for name, c in self._dispatched()],
                            'Commands, decoded, carried out and answered.')

    def _do(self, name, command):
        short, w = command.short, self.wire
        ret = self.model.gfxstream_like.get(name, (None, command.ret))[1]
        lines, run = [], []
        for i, f in enumerate(command.fields):
            if f.kind == 'handle' and not f.pointers:
                if i == 0 and self._is_recorded(command):
                    lines += [f'v->o_{f.name} = d->recorded;',
                              f'v->{f.name} = venus_handle(d->recorded);']
                    continue
                run.append((8, self.emitter.in_handle(f)))
                continue
            leaves = None if f.is_out else w.flat(f, f'v->{f.name}', command.name)
            if leaves is not None:
                run += leaves
                continue
            w.flush(run, lines)
            lines += self._parameter(f, command)
        w.flush(run, lines)
        lines += ['if (d->fatal)', '\treturn;']
        if command.name in WAITS:
            lines += ['if (d->overtake)', '\td->overtake(d);']
        kind = 'handle' if command.handled else 'default'
        lines.append(f'vgpu_{kind}_{short}(d, v);')
        if command.ret == 'VkResult':
            lines += ['if (v->ret == VK_ERROR_DEVICE_LOST)',
                      '\td->is_device_lost = true;']
        lines += self.emitter.settle(command)
        lines += self._answer(command, ret)
        variables = [('v', f'struct vgpu_args_{short} args, *const v = &args;'),
                     *LOCALS, ('result', 'VkResult result = VK_SUCCESS;')]
        for f in self.emitter.out_handles(command):
            variables += [(f'n_{f.name}', f'uint64_t n_{f.name} = 0;')]
            if not f.length:
                variables += [
                    (f'one_{f.name}', f'{f.type} one_{f.name} = VK_NULL_HANDLE;'),
                    (f'object_{f.name}', f'struct vgpu_object *object_{f.name} = NULL;'),
                    (f'the_{f.name}', f'uint64_t the_{f.name} = 0;')]
        return function(f'void gfx_do_{name[2:]}(struct vgpu_decoder *d)', lines,
                        variables)

    def _parameter(self, f, command):
        w, owner = self.wire, command.name
        if not f.is_out or f.type == 'VkAllocationCallbacks':
            if f in self.emitter.object_arrays(command):
                return self._object_array(f, command)
            return w.decode_variable(f, command.fields, owner)
        if f.kind == 'handle':
            return self._new_handles(f, command)
        # What says how many of something there are, or there is room for.
        if not f.length and f.kind != 'struct' and \
                (f.name in w.lengths(command.fields) or f.optional_value):
            return w.decode_variable(f, command.fields, owner)
        return w.shape_pointer(f, command.fields, owner)

    def _object_array(self, f, command):
        element = 'true' if f.optional_value or f.unchecked else 'false'
        length = self.wire.length(f, command.fields)
        lines = [f'n = vgpu_gfx_count(d, {length}, 8);', 'if (n) {',
                 f'\t{f.type} *all = vgpu_decoder_alloc(d, n, sizeof(*all));', '',
                 f'\tv->o_{f.name} = vgpu_decoder_alloc(d, n, sizeof(*v->o_{f.name}));',
                 f'\tif (!all || !v->o_{f.name})', '\t\treturn;',
                 '\tfor (uint64_t i = 0; i < n; i++) {',
                 f'\t\tv->o_{f.name}[i] = vgpu_decoder_object(d, '
                 f'vgpu_get_u64(vgpu_decoder_take(d, 8)), '
                 f'{self.model.handles[f.type]}, {element});',
                 f'\t\tall[i] = venus_handle(v->o_{f.name}[i]);', '\t}',
                 f'\tv->{f.name} = all;', '}']
        return [f'v->{f.name} = NULL;', f'v->o_{f.name} = NULL;',
                *self.wire.where_there(f, command.name, lines)]

    def _new_handles(self, f, command):
        """This side chooses their ids."""
        kind = self.model.handles[f.type]
        if not f.length:
            return ['vgpu_gfx_skip(d, 8);',
                    f'the_{f.name} = vgpu_objects_next_id(d->objects);',
                    f'object_{f.name} = vgpu_decoder_reserve(d, the_{f.name}, {kind});',
                    f'v->{f.name} = &one_{f.name};',
                    f'v->new_{f.name} = &object_{f.name};',
                    f'v->id_{f.name} = &the_{f.name};', f'n_{f.name} = 1;']
        length = self.wire.length(f, command.fields)
        lines = [f'n_{f.name} = vgpu_gfx_count(d, {length}, 8);',
                 f'vgpu_gfx_skip(d, n_{f.name} * 8);',
                 f'if (n_{f.name}) {{',
                 f'\tv->id_{f.name} = vgpu_gfx_new_ids(d, n_{f.name});',
                 f'\tv->{f.name} = vgpu_decoder_alloc_out(d, n_{f.name}, sizeof(*v->{f.name}));',
                 '\tif (d->fatal)', '\t\treturn;',
                 f'\tv->new_{f.name} = venus_reserve(d, v->id_{f.name}, n_{f.name}, {kind});',
                 '\tif (d->fatal)', '\t\treturn;', '}']
        return [f'v->{f.name} = NULL;', f'v->new_{f.name} = NULL;',
                f'v->id_{f.name} = NULL;',
                *self.wire.where_there(f, command.name, lines)]

    def _answer(self, command, ret):
        lines = []
        for f in command.fields:
            if not f.is_out:
                continue
            if f.kind == 'handle':
                lines += self._answer_handles(f, command)
            else:
                lines += self.wire.reply_field(f, command.fields, command.name)
        if ret == 'void' and not lines:
            return []
        if ret != 'void' and command.ret != 'void':
            lines.append(f'vgpu_gfx_put(d, &v->ret, sizeof(v->ret));')
        elif ret != 'void':
            lines.append('vgpu_gfx_put(d, &result, sizeof(result));')
        return ['if (d->fatal)', '\treturn;', *lines]

    def _answer_handles(self, f, command):
        if not f.length:
            return [f'vgpu_gfx_put_u64(d, object_{f.name} ? the_{f.name} : 0);']
        length = self.wire.length(f, command.fields)
        lines = []
        if self.wire.is_checked(f, command.name):
            lines.append(f'vgpu_gfx_put_be64(d, v->{f.name} ? 1 : 0);')
        return lines + [
            f'n = v->{f.name} ? {length} : 0;',
            'for (uint64_t i = 0; i < n; i++)',
            f'\tvgpu_gfx_put_u64(d, i < n_{f.name} && v->new_{f.name}[i] ? '
            f'v->id_{f.name}[i] : 0);']

    # -- the table ------------------------------------------------------------------

    def _table_file(self):
        rows, taken = [], set()
        for name, command in self._dispatched():
            names = [name]
            if name == command.name:
                names += command.aliases
            for one in names:
                value = number(one, self.model.gfxstream_numbers, taken)
                taken.add(value)
                rows.append((value, one, f'gfx_do_{name[2:]}',
                             self._is_recorded(command)))
        text = head('Commands by number.') + '#include "gfxstream_decode.h"\n\n'
        text += 'const struct vgpu_gfx_command vgpu_gfx_commands[] = {\n'
        for value, name, do, is_recorded in sorted(rows):
            text += f'\t{{{value}, {"true" if is_recorded else "false"}, {do}, ' \
                    f'"{name}"}},\n'
        return text + '};\n\nconst uint32_t vgpu_gfx_n_commands = ' \
                      f'{len(rows)};\n'


DISPATCH_HEAD = '''
struct vgpu_gfx_command {
	uint32_t number;
	bool is_recorded; /* in a command buffer, and only there */
	void (*act)(struct vgpu_decoder *d);
	const char *name;
};
/* Sorted by number. */
extern const struct vgpu_gfx_command vgpu_gfx_commands[];
extern const uint32_t vgpu_gfx_n_commands;
'''
