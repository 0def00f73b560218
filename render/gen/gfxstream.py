# SPDX-License-Identifier: GPL-2.0-or-later
"""
The wire of Mesa's gfxstream: how each kind of thing is encoded, as C that decodes
commands, and that answers them.

Members come in the order of their struct, in the processor's byte order and without
padding. What could have been left out begins with 8 bytes that say whether it is
there. These, sizes (size_t), the lengths of strings and the sizes of chained structs
are big-endian.
"""

import copy
import hashlib

from model import BYTES
from wire import TAKE_MAX, Wire, indent

GETTERS = {'u32': 'vgpu_get_u32({})', 'i32': '(int32_t)vgpu_get_u32({})',
           'u64': 'vgpu_get_u64({})', 'size': 'vgpu_get_be64({})',
           'float': 'vgpu_get_float({})', 'u8': '*({})', 'char': '(char)*({})',
           'u16': 'vgpu_get_u16({})', 'bit64': 'vgpu_get_u64({})'}
# Kinds of which an array is on the wire as it is in memory.
PACKED = {'u8', 'char', 'u16', 'u32', 'i32', 'float', 'u64', 'enum', 'bit', 'bit64',
          'void'}
# Mesa's guest only says that these are there, or only sends them, where they count.
FILTERS = {
    ('VkGraphicsPipelineCreateInfo', 'pTessellationState'): 'd->has_tessellation',
    ('VkGraphicsPipelineCreateInfo', 'pViewportState'): 'd->has_rasterization',
    ('VkGraphicsPipelineCreateInfo', 'pMultisampleState'): 'd->has_rasterization',
    ('VkGraphicsPipelineCreateInfo', 'pDepthStencilState'): 'd->has_rasterization',
    ('VkGraphicsPipelineCreateInfo', 'pColorBlendState'): 'd->has_rasterization',
    ('VkWriteDescriptorSet', 'pImageInfo'):
        'vgpu_gfx_has_images(v->descriptorType)',
    ('VkWriteDescriptorSet', 'pBufferInfo'):
        'vgpu_gfx_has_buffers(v->descriptorType)',
    ('VkWriteDescriptorSet', 'pTexelBufferView'):
        'vgpu_gfx_has_views(v->descriptorType)',
    ('VkFramebufferCreateInfo', 'pAttachments'):
        '!(v->flags & VK_FRAMEBUFFER_CREATE_IMAGELESS_BIT)',
}
# Became optional in the registry after the wire was made: always there.
ALWAYS = {
    'VkSubmitInfo.pWaitDstStageMask', 'VkPipelineLayoutCreateInfo.pSetLayouts',
    'VkGraphicsPipelineCreateInfo.pStages',
    'VkPipelineColorBlendStateCreateInfo.pAttachments',
    'VkFramebufferCreateInfo.pAttachments',
    'vkCmdBindDescriptorSets.pDescriptorSets', 'vkCmdBindVertexBuffers.pBuffers',
    'vkCmdClearColorImage.pColor',
}
# Decoded for venus only by another name, or not at all.
TAKEN = ('vkFlushMappedMemoryRanges', 'vkInvalidateMappedMemoryRanges')
# Other threads' commands may overtake them, for they may end the wait.
WAITS = {'vkWaitForFences', 'vkWaitSemaphores', 'vkDeviceWaitIdle', 'vkQueueWaitIdle',
         'vkGetQueryPoolResults'}


def number(name, numbers, taken):
    """The number of a command of that name; @taken are those of others."""
    if name in numbers:
        return numbers[name]
    digest = hashlib.sha256(name.encode()).hexdigest()
    value = 200000000 + int(digest[:8], 16) % 100000000
    while value in taken:
        value += 1
    return value


class Gfxstream(Wire):
    name = 'gfxstream'

    def __init__(self, model, enums_used):
        commands = [c for c in model.commands.values() if not c.private]
        for name in TAKEN:
            command = copy.copy(model.extra_calls[name])
            command.handled = True
            commands.append(command)
        commands += model.gfxstream_commands
        super().__init__(model, sorted(commands, key=lambda c: c.name), enums_used)

    # -- sizes ------------------------------------------------------------------

    @staticmethod
    def is_checked(f, owner):
        """Does a word say whether the pointer is NULL?"""
        return f.pointers == 1 and f'{owner}.{f.name}' not in ALWAYS and \
            (f.optional or f.optional_value or f.unchecked)

    def min_bytes(self, f, owner):
        """The least that a member takes on the wire."""
        if f.pointers:
            if f.string and f.pointers == 2:
                return 4
            if self.is_checked(f, owner):
                return 8
            if f.string:
                return 4
            if f.length or (owner, f.name) in FILTERS:
                return 0
        one = self.min_struct(f.type) if f.kind == 'struct' else \
            BYTES.get(f.kind, 1)
        return self.array_size(f) * one if f.fixed else one

    def min_struct(self, name):
        if name not in self._min:
            self._min[name] = 1
            struct = self.structs[name]
            fields = struct.fields[:1] if struct.union else struct.body
            self._min[name] = (8 if struct.stype else 0) + \
                sum(self.min_bytes(f, name) for f in fields)
        return max(self._min[name], 1)

    def is_as_in_memory(self, name):
        """Is an array of it on the wire as it is in memory?"""
        offset, largest = 0, 1
        for kind in self._leaf_kinds(name):
            if kind not in ('u8', 'u16', 'u32', 'i32', 'float', 'u64'):
                return False
            size = BYTES[kind]
            if offset % size:
                return False
            offset += size
            largest = max(largest, size)
        return offset % largest == 0

    def _leaf_kinds(self, name):
        struct = self.structs[name]
        if struct.stype or struct.union:
            yield None
        for f in struct.fields:
            if f.pointers:
                yield None
            for _ in range(self.array_size(f) if f.fixed else 1):
                if f.kind == 'struct':
                    yield from self._leaf_kinds(f.type)
                else:
                    yield f.kind

    # -- decoding ---------------------------------------------------------------

    def scalar(self, f, at, owner):
        if f.kind in ('enum', 'bit'):
            return self.enum_value(f, f'vgpu_get_u32({at})')
        if f.kind == 'handle':
            return self.handle(f, f'vgpu_get_u64({at})', f.may_be_null, owner)
        return GETTERS[f.kind].format(at)

    def flat(self, f, path, owner):
        """
        [(bytes, function of the place -> lines)] of a member that always takes
        the same room; None if it does not.
        """
        if f.pointers:
            return None
        if f.kind == 'struct':
            struct = self.structs[f.type]
            if f.fixed or struct.union or struct.stype:
                return None
            leaves = []
            for member in struct.fields:
                one = self.flat(member, f'{path}.{member.name}', struct.name)
                if one is None:
                    return None
                leaves += one
            return leaves
        if not f.fixed:
            return [(BYTES[f.kind],
                     lambda at: [f'{path} = {self.scalar(f, at, owner)};'])]
        n = self.array_size(f)
        bytes_ = n * BYTES[f.kind]
        if bytes_ > TAKE_MAX or f.kind not in PACKED:
            raise SystemExit(f'{owner}.{f.name}: not expected in a struct')

        def take(at):
            lines = [f'memcpy({path}, {at}, sizeof({path}));']
            if f.kind in ('enum', 'bit'):
                check = self.enum_value(f, f'(uint32_t){path}[i]')
                lines += [f'for (uint32_t i = 0; i < {n}; i++)',
                          f'\t{path}[i] = {check};']
            return lines
        return [(bytes_, take)]

    def call(self, kind, name, pointer):
        """Decode, shape or answer a struct."""
        body = '' if self.structs[name].stype else '_body'
        return f'gfx_{kind}{body}_{name}(d, {pointer});'

    def decode_variable(self, f, fields, owner):
        v = f'v->{f.name}'
        if f.type == 'VkAllocationCallbacks':
            return [f'{v} = NULL;', 'if (vgpu_gfx_pointer(d))',
                    '\tvgpu_decoder_fail(d, "allocation callbacks");']
        if f.pointers == 0:
            if f.fixed:
                n = self.array_size(f)
                return [f'for (uint32_t i = 0; i < {n}; i++)',
                        '\t' + self.call('decode', f.type, f'&{v}[i]')]
            return [self.call('decode', f.type, f'&{v}')]
        if f.string and f.pointers == 2:
            return [f'{v} = vgpu_gfx_strings(d, {self.length(f, fields)});']
        return [f'{v} = NULL;'] + self.where_there(
            f, owner, self._decode_pointer(f, fields, owner))

    def where_there(self, f, owner, lines):
        """Of a pointer: what decodes what it points to, where something is there."""
        condition = FILTERS.get((owner, f.name))
        if condition:
            lines = [f'if ({condition}) {{', *indent(lines), '}']
        elif not self.is_checked(f, owner) and lines[0].endswith(';') and ' *one' in lines[0]:
            lines = ['{', *indent(lines), '}']
        if not self.is_checked(f, owner):
            return lines
        lines = ['if (vgpu_gfx_pointer(d)) {', *indent(lines), '}']
        if not f.may_be_null:
            lines[-1] += ' else {'
            lines += ['\tvgpu_decoder_fail(d, "a pointer that must not be NULL");',
                      '}']
        return lines

    def _decode_pointer(self, f, fields, owner):
        v = f'v->{f.name}'
        if f.string:
            return [f'{v} = vgpu_gfx_string(d);']
        if not f.length:
            if f.kind == 'struct':
                inner = [self.call('decode', f.type, 'one')]
            else:
                bytes_ = BYTES[f.kind]
                at = f'vgpu_decoder_take(d, {bytes_})'
                inner = [f'*one = {self.scalar(f, at, owner)};']
            return [f'{f.type} *one = vgpu_decoder_alloc_out(d, 1, sizeof(*one));',
                    '', 'if (!one)', '\treturn;', *inner, f'{v} = one;']
        lines = []
        n = self.length(f, fields)
        if '/ 4' in f.length:
            lines += [f'if (v->{f.length.split()[0]} % 4)',
                      '\tvgpu_decoder_fail(d, "half an element of an array");']
        lines.append(f'n = vgpu_gfx_count(d, {n}, {self.element_bytes(f)});')
        cast = f'({f.type} *)' if not f.const else ''
        bytes_ = '1' if f.kind == 'void' else f'sizeof(*{v})'
        if f.kind == 'struct' and self.is_as_in_memory(f.type) or \
                f.kind in PACKED and f.kind not in ('enum', 'bit'):
            return lines + ['if (n)',
                            f'\t{v} = {cast}vgpu_decoder_copy(d, n, {bytes_});']
        inner = [f'{f.type} *all = vgpu_decoder_alloc_out(d, n, sizeof(*all));', '',
                 'if (!all)', '\treturn;',
                 'for (uint64_t i = 0; i < n && !d->fatal; i++)']
        if f.kind == 'struct':
            inner.append('\t' + self.call('decode', f.type, '&all[i]'))
        else:
            one = type(f)(**{**f.__dict__, 'optional': f.optional_value})
            value = self.scalar(one, f'vgpu_decoder_take(d, {BYTES[f.kind]})', owner)
            inner.append(f'\tall[i] = {value};')
        return lines + ['if (n) {', *indent(inner + [f'{v} = all;']), '}']

    def element_bytes(self, f):
        return self.min_struct(f.type) if f.kind == 'struct' else \
            BYTES.get(f.kind, 1)

    def decode_struct(self, struct):
        """Its members, but for the head of a chain."""
        fields = struct.fields[:1] if struct.union else struct.body
        return self.decode_fields(fields, struct.name)

    # -- the shape of what the driver fills: sent whole, and mostly ignored -----

    def shape_struct(self, struct):
        fields = struct.fields[:1] if struct.union else struct.body
        return self.shape_fields(fields, struct.name)

    def shape_fields(self, fields, owner):
        lines, skip, lengths = [], 0, self.lengths(fields)

        def skip_now():
            nonlocal skip
            if skip:
                lines.append(f'vgpu_gfx_skip(d, {skip});')
            skip = 0
        for f in fields:
            v = f'v->{f.name}'
            if f.pointers:
                skip_now()
                lines += self.shape_pointer(f, fields, owner)
            elif f.kind == 'struct':
                bytes_ = self.skipped_bytes(f.type)
                if bytes_:
                    skip += bytes_ * (self.array_size(f) if f.fixed else 1)
                    continue
                skip_now()
                call = self.call('shape', f.type, f'&{v}[i]' if f.fixed else f'&{v}')
                if f.fixed:
                    lines.append(
                        f'for (uint32_t i = 0; i < {self.array_size(f)}; i++)')
                    call = '\t' + call
                lines.append(call)
            elif f.name in lengths and not f.fixed:
                skip_now()
                at = f'vgpu_decoder_take(d, {BYTES[f.kind]})'
                lines.append(f'{v} = {GETTERS[f.kind].format(at)};')
            else:
                skip += BYTES[f.kind] * (self.array_size(f) if f.fixed else 1)
        skip_now()
        return lines

    def skipped_bytes(self, name):
        """How long a struct is of which nothing is looked at; 0 for others."""
        struct, bytes_ = self.structs[name], 0
        if struct.stype or self.lengths(struct.fields):
            return 0
        for f in struct.fields[:1] if struct.union else struct.fields:
            if f.pointers:
                return 0
            one = self.skipped_bytes(f.type) if f.kind == 'struct' else BYTES[f.kind]
            if not one:
                return 0
            bytes_ += one * (self.array_size(f) if f.fixed else 1)
        return bytes_

    def shape_pointer(self, f, fields, owner):
        """A pointer to what the driver fills."""
        v = f'v->{f.name}'
        n = self.length(f, fields) if f.length else '1'
        size = '1' if f.kind == 'void' else f'sizeof(*{v})'
        known = self.skipped_bytes(f.type) if f.kind == 'struct' else \
            BYTES.get(f.kind, 1)
        lines = [f'n = vgpu_gfx_count(d, {n}, {known or self.element_bytes(f)});',
                 f'{v} = n ? vgpu_decoder_alloc_out(d, n, {size}) : NULL;']
        if known:
            lines.append(f'vgpu_gfx_skip(d, n * {known});')
        else:
            lines += [f'for (uint64_t i = 0; {v} && i < n && !d->fatal; i++)',
                      '\t' + self.call('shape', f.type, f'&{v}[i]')]
        return [f'{v} = NULL;'] + self.where_there(f, owner, lines)

    # -- answers ------------------------------------------------------------------

    @staticmethod
    def reply_scalar(f, value):
        if f.kind == 'size':
            return f'vgpu_gfx_put_be64(d, {value});'
        return f'vgpu_gfx_put(d, &{value}, {BYTES[f.kind]});'

    def reply_struct(self, struct):
        fields = struct.fields[:1] if struct.union else struct.body
        lines = []
        for f in fields:
            lines += self.reply_field(f, fields, struct.name)
        return lines

    def reply_field(self, f, fields, owner):
        v = f'v->{f.name}'
        if f.pointers:
            n = self.length(f, fields) if f.length else '1'
            lines = []
            if self.is_checked(f, owner):
                lines.append(f'vgpu_gfx_put_be64(d, {v} ? 1 : 0);')
            return lines + [f'n = {v} ? {n} : 0;', *self.reply_elements(f, v, 'n')]
        if f.fixed and f.kind != 'struct':
            return [f'vgpu_gfx_put(d, {v}, '
                    f'{self.array_size(f) * BYTES[f.kind]});']
        if f.fixed:
            return self.reply_elements(f, v, str(self.array_size(f)))
        if f.kind == 'struct':
            return [self.call('reply', f.type, f'&{v}')]
        return [self.reply_scalar(f, v)]

    def reply_elements(self, f, v, n):
        if f.kind in PACKED or f.kind == 'handle' or \
                f.kind == 'struct' and self.is_as_in_memory(f.type):
            bytes_ = '1' if f.kind in ('void', 'u8', 'char') else f'sizeof(*{v})'
            return [f'vgpu_gfx_put(d, {v}, {n} * {bytes_});']
        call = self.call('reply', f.type, f'&{v}[i]') if f.kind == 'struct' else \
            self.reply_scalar(f, f'{v}[i]')
        return [f'for (uint64_t i = 0; i < {n}; i++)', '\t' + call]
