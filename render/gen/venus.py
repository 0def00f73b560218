# SPDX-License-Identifier: GPL-2.0-or-later
"""
The wire of Mesa's venus: how each kind of thing is encoded, as C that decodes
commands, and that answers them.
"""

import re

from model import BYTES
from wire import TAKE_MAX, Wire, indent

# The C getter of each kind.
GETTERS = {'u32': 'vgpu_get_u32({})', 'i32': '(int32_t)vgpu_get_u32({})',
           'u64': 'vgpu_get_u64({})', 'size': 'vgpu_get_u64({})',
           'float': 'vgpu_get_float({})', 'u8': '(uint8_t)vgpu_get_u32({})',
           'u16': '(uint16_t)vgpu_get_u32({})', 'bit64': 'vgpu_get_u64({})'}
# Kinds of which an array is on the wire as it is in memory.
PACKED = {'u32', 'i32', 'float', 'u64', 'size', 'enum', 'bit', 'bit64'}


class Venus(Wire):
    name = 'venus'

    def __init__(self, model, enums_used):
        super().__init__(model, sorted(model.commands.values(),
                                       key=lambda c: c.number), enums_used)

    # -- sizes --------------------------------------------------------------

    @staticmethod
    def scalar_bytes(kind):
        return max(4, BYTES[kind])

    def min_bytes(self, f):
        """The least that a member takes on the wire."""
        if f.pointers:
            return 8
        if f.kind == 'struct':
            one = self.min_struct(f.type)
        elif f.fixed and f.kind in ('u8', 'char'):
            return 8 + (self.array_size(f) + 3) // 4 * 4
        else:
            one = self.scalar_bytes(f.kind)
        return 8 + self.array_size(f) * one if f.fixed else one

    def min_struct(self, name):
        if name not in self._min:
            self._min[name] = 4        # a union's tag, or for recursion
            struct = self.structs[name]
            if struct.union:
                self._min[name] = 4 + min(map(self.min_bytes, struct.fields))
            else:
                self._min[name] = (12 if struct.stype else 0) + \
                    sum(map(self.min_bytes, struct.body))
        return self._min[name]

    def min_shape(self, name):
        """The same of one that is still to be filled."""
        struct = self.structs[name]
        size = 12 if struct.stype else 0
        lengths = self.lengths(struct.body)
        for f in struct.body:
            if f.pointers or f.name in lengths or f.kind == 'handle':
                size += self.min_bytes(f)
            elif f.kind == 'struct':
                size += (8 + self.array_size(f) * self.min_shape(f.type)
                         if f.fixed else self.min_shape(f.type))
        return size

    def layout(self, name):
        """'words' or 'copy' if an array of it is the same in memory."""
        result, offset = 'words', 0
        for kind in self._leaf_kinds(name):
            if kind not in ('u32', 'i32', 'float', 'u64', 'size'):
                return None
            size = BYTES[kind]
            if size == 8:
                result = 'copy'
            if offset % size:
                return None
            offset += size
        return None if result == 'copy' and offset % 8 else result

    def _leaf_kinds(self, name):
        struct = self.structs[name]
        if struct.stype or struct.union:
            yield None
        for f in struct.fields:
            if f.pointers or f.fixed:
                yield None
            elif f.kind == 'struct':
                yield from self._leaf_kinds(f.type)
            else:
                yield f.kind

    # -- expressions ----------------------------------------------------------

    def scalar(self, f, at, owner):
        if f.kind in ('enum', 'bit'):
            return self.enum_value(f, f'vgpu_get_u32({at})')
        if f.kind == 'handle':
            return self.handle(f, f'vgpu_get_u64({at})', f.may_be_null, owner)
        return GETTERS[f.kind].format(at)

    # -- decoding -------------------------------------------------------------

    def flat(self, f, path, owner):
        """
        [(bytes, function of the place -> lines)] of a member that always takes
        the same room; None if it does not.
        """
        if f.pointers:
            return None
        if f.kind == 'struct':
            return self._flat_structs(f, path)
        if not f.fixed:
            return [(self.scalar_bytes(f.kind),
                     lambda at: [f'{path} = {self.scalar(f, at, owner)};'])]
        n = self.array_size(f)
        bytes_ = (n * BYTES[f.kind] + 3) // 4 * 4

        def copy(at):
            lines = [f'vgpu_decoder_expect(d, vgpu_get_u64({at}), {n});',
                     f'memcpy({path}, {at} + 8, sizeof({path}));']
            if f.kind in ('enum', 'bit'):
                check = self.enum_value(f, f'(uint32_t){path}[i]')
                lines += [f'for (uint32_t i = 0; i < {n}; i++)',
                          f'\t{path}[i] = {check};']
            return lines
        if f.kind == 'handle' or 8 + bytes_ > TAKE_MAX:
            raise SystemExit(f'{owner}.{f.name}: not expected in a struct')
        return [(8 + bytes_, copy)]

    def _flat_structs(self, f, path):
        struct = self.structs[f.type]
        if struct.union or struct.stype:
            return None
        if not f.fixed:
            return self._flat_fields(struct, path + '.')
        n = self.array_size(f)
        if n > 4:
            return None
        leaves = [(8, lambda at: [
            f'vgpu_decoder_expect(d, vgpu_get_u64({at}), {n});'])]
        for i in range(n):
            one = self._flat_fields(struct, f'{path}[{i}].')
            if one is None:
                return None
            leaves += one
        return leaves

    def _flat_fields(self, struct, path):
        leaves = []
        for f in struct.fields:
            one = self.flat(f, path + f.name, struct.name)
            if one is None:
                return None
            leaves += one
        return leaves

    def call_decode(self, name, pointer):
        kind = 'decode' if self.structs[name].stype else 'body'
        return f'venus_{kind}_{name}(d, {pointer});'

    def decode_variable(self, f, fields, owner):
        v = f'v->{f.name}'
        optional = 'true' if f.may_be_null else 'false'
        if f.type == 'VkAllocationCallbacks':
            return [f'{v} = NULL;', 'venus_expect_null(d);']
        if f.pointers == 0:
            if f.fixed:
                n = self.array_size(f)
                return ['in = vgpu_decoder_take(d, 8);',
                        f'vgpu_decoder_expect(d, vgpu_get_u64(in), {n});',
                        f'for (uint32_t i = 0; i < {n}; i++)',
                        '\t' + self.call_decode(f.type, f'&{v}[i]')]
            return [self.call_decode(f.type, f'&{v}')]
        if f.string and f.pointers == 1:
            return [f'{v} = vgpu_decoder_string(d, {optional});']
        if f.string:
            return [f'{v} = vgpu_decoder_strings(d, '
                    f'{self.length(f, fields)}, {optional});']
        if not f.length:
            return self._decode_single(f, optional, owner)
        return self._decode_array(f, self.length(f, fields), optional, owner)

    def _decode_single(self, f, optional, owner):
        v = f'v->{f.name}'
        lines = [f'{v} = NULL;',
                 f'if (vgpu_decoder_pointer(d, {optional})) {{',
                 f'\t{f.type} *one = vgpu_decoder_alloc(d, 1, sizeof(*one));', '',
                 '\tif (!one)', '\t\treturn;']
        if f.kind == 'struct':
            lines.append('\t' + self.call_decode(f.type, 'one'))
        else:
            bytes_ = self.scalar_bytes(f.kind)
            lines.append(f'\t*one = {self.scalar(f, f"vgpu_decoder_take(d, {bytes_})", owner)};')
        return lines + [f'\t{v} = one;', '}']

    def element_bytes(self, f):
        if f.kind == 'struct':
            return self.min_struct(f.type)
        return 1 if f.kind in ('void', 'u8', 'char') else self.scalar_bytes(f.kind)

    def _decode_array(self, f, length, optional, owner):
        v = f'v->{f.name}'
        lines = [f'{v} = NULL;',
                 f'n = vgpu_decoder_count(d, {length}, {self.element_bytes(f)}, '
                 f'{optional});']
        # The driver takes the bytes for its word, all of them.
        bytes_ = re.fullmatch(r'(\w+) / (\d+)', f.length)
        if bytes_:
            lines += [f'if (v->{bytes_[1]} % {bytes_[2]})',
                      '\tvgpu_decoder_fail(d, "half an element of an array");']
        inner = self._decode_elements(f, v, owner)
        if len(inner) == 1:
            return lines + ['if (n)', '\t' + inner[0]]
        return lines + ['if (n) {', *indent(inner), '}']

    def _decode_elements(self, f, v, owner):
        cast = f'({f.type} *)' if not f.const else ''
        if f.kind in ('void', 'u8', 'char'):
            # Only ever read, whatever the declaration says.
            return [f'{v} = {cast}vgpu_decoder_blob(d, n);']
        layout = self.layout(f.type) if f.kind == 'struct' else \
            'words' if f.kind in ('u32', 'i32', 'float') else \
            'copy' if f.kind in ('u64', 'size', 'bit64') else None
        if layout:
            return [f'{v} = {cast}vgpu_decoder_{layout}(d, n, sizeof(*{v}));']
        lines = [f'{f.type} *all = vgpu_decoder_alloc(d, n, sizeof(*all));', '',
                 'if (!all)', '\treturn;']
        if f.kind == 'struct':
            lines += ['for (uint64_t i = 0; i < n && !d->fatal; i++)',
                      '\t' + self.call_decode(f.type, '&all[i]')]
        else:
            one = type(f)(**{**f.__dict__, 'optional': f.optional_value})
            bytes_ = self.scalar_bytes(f.kind)
            value = self.scalar(one, f'vgpu_decoder_take(d, {bytes_})', owner)
            lines += ['for (uint64_t i = 0; i < n && !d->fatal; i++)',
                      f'\tall[i] = {value};']
        return lines + [f'{v} = all;']

    def decode_union(self, struct):
        lines = ['in = vgpu_decoder_take(d, 4);', 'switch (vgpu_get_u32(in)) {']
        for tag, f in enumerate(struct.fields):
            lines += [f'case {tag}:',
                      *indent(self.decode_fields([f], struct.name)), '\tbreak;']
        return lines + ['default:',
                        '\tvgpu_decoder_fail(d, "a union that is none of its '
                        'members");', '\tbreak;', '}']

    # -- the shape of what the driver fills -------------------------------------

    def shape_fields(self, fields):
        lines, lengths = [], self.lengths(fields)
        for f in fields:
            v = f'v->{f.name}'
            if f.pointers:
                lines += self.shape_array(f, fields)
            elif f.kind == 'struct' and self.min_shape(f.type):
                call = self.call_shape(f.type, f'&{v}[i]' if f.fixed else f'&{v}')
                if f.fixed:
                    call = self._each_fixed(f, '\t' + call)
                    lines += call
                else:
                    lines.append(call)
            elif f.kind == 'struct' and f.fixed:
                lines += self._each_fixed(f, None)
            elif f.kind == 'handle':
                lines += self._each_fixed(
                    f, f'\t{v}[i] = ({f.type})(uintptr_t)'
                    'vgpu_get_u64(vgpu_decoder_take(d, 8));')
            elif f.name in lengths:
                bytes_ = self.scalar_bytes(f.kind)
                lines.append(f'{v} = {GETTERS[f.kind].format(f"vgpu_decoder_take(d, {bytes_})")};')
        return lines

    def _each_fixed(self, f, line):
        n = self.array_size(f)
        lines = [f'vgpu_decoder_expect(d, vgpu_get_u64(vgpu_decoder_take(d, 8)), {n});']
        if line:
            lines += [f'for (uint32_t i = 0; i < {n}; i++)', line]
        return lines

    def shape_array(self, f, fields):
        """A pointer to what the driver fills."""
        v = f'v->{f.name}'
        if f.kind == 'struct':
            bytes_ = self.min_shape(f.type)
        else:
            bytes_ = 0
        size = '1' if f.kind == 'void' else f'sizeof(*{v})'
        optional = 'true' if f.may_be_null else 'false'
        lines = [f'{v} = NULL;',
                 f'n = vgpu_decoder_count(d, {self.length(f, fields)}, {bytes_}, '
                 f'{optional});', 'if (n) {',
                 f'\t{v} = vgpu_decoder_alloc_out(d, n, {size});',
                 f'\tif (!{v})', '\t\treturn;']
        if f.kind == 'struct' and bytes_:
            lines += ['\tfor (uint64_t i = 0; i < n && !d->fatal; i++)',
                      '\t\t' + self.call_shape(f.type, f'&{v}[i]')]
        return lines + ['}']

    def call_shape(self, name, pointer):
        kind = 'shape' if self.structs[name].stype else 'shape_body'
        return f'venus_{kind}_{name}(d, {pointer});'

    # -- answers ----------------------------------------------------------------

    @staticmethod
    def reply_scalar(kind, value):
        if kind == 'handle':
            return f'vgpu_reply_u64(d, (uint64_t)(uintptr_t){value});'
        if kind in ('u64', 'size', 'bit64'):
            return f'vgpu_reply_u64(d, {value});'
        if kind == 'float':
            return f'vgpu_reply_float(d, {value});'
        return f'vgpu_reply_u32(d, (uint32_t){value});'

    def call_reply(self, name, pointer):
        kind = 'reply' if self.structs[name].stype else 'reply_body'
        return f'venus_{kind}_{name}(d, {pointer});'

    def reply_elements(self, f, v, n):
        """@n elements of an array, after their count."""
        if f.kind in ('void', 'u8', 'char'):
            return [f'vgpu_reply_bytes(d, {v}, {n});']
        if f.kind in PACKED:
            return [f'vgpu_reply_bytes(d, {v}, {n} * sizeof(*{v}));']
        call = self.call_reply(f.type, f'&{v}[i]') if f.kind == 'struct' else \
            self.reply_scalar(f.kind, f'{v}[i]')
        return [f'for (uint64_t i = 0; i < {n}; i++)', '\t' + call]

    def reply_fields(self, fields):
        lines = []
        for f in fields:
            v = f'v->{f.name}'
            if f.pointers:
                n = self.length(f, fields)
                lines += [f'n = {v} ? {n} : 0;', 'vgpu_reply_u64(d, n);',
                          *self.reply_elements(f, v, 'n')]
            elif f.fixed:
                n = self.array_size(f)
                lines += [f'vgpu_reply_u64(d, {n});',
                          *self.reply_elements(f, v, n)]
            elif f.kind == 'struct':
                lines.append(self.call_reply(f.type, f'&{v}'))
            else:
                lines.append(self.reply_scalar(f.kind, v))
        return lines
