# SPDX-License-Identifier: GPL-2.0-or-later
"""
What tests need of the same model: a guest that encodes every command, with
sample values, good or broken, and a driver that does nothing but look.
"""

import re

from emit import function, head
from wire import indent

COUNT = 2          # of arrays in samples
BLOB_BYTES = 6     # not a multiple of 4
# The member by which a union is sent.
UNION_TAGS = {'VkClearColorValue': 2}
# What each kind of word is called when one is to be broken.
SITES = {'enum': 'ENUM', 'bit': 'ENUM', 'handle': 'ID'}


class TestEmitter:
    def __init__(self, model, wire, emitter):
        self.model, self.wire, self.emitter = model, wire, emitter
        self.structs = model.structs
        # Members of a parameter that say how many other parameters there are.
        self.outer_lengths = {f.length.rpartition('->')[2]
                              for c in wire.commands for f in c.fields
                              if f.length and '->' in f.length}

    # -- encoding -------------------------------------------------------------

    def put(self, f, value, lengths=()):
        """Encode one value."""
        if f.kind == 'struct':
            return f'encode_{f.type}(e, &{value});'
        if f.kind == 'handle':
            return f'vgpu_put_id(e, (uint64_t)(uintptr_t){value}, ' \
                   f'{self.model.handles[f.type]});'
        if f.kind == 'float':
            return f'vgpu_put_float(e, {value});'
        site = 'LENGTH' if f.name in lengths else \
            'LAX' if f.kind in ('enum', 'bit') and f.unchecked else \
            SITES.get(f.kind, 'VALUE')
        size = 64 if self.wire.scalar_bytes(f.kind) == 8 else 32
        return f'vgpu_put_u{size}(e, VGPU_SITE_{site}, (uint{size}_t){value});'

    def put_elements(self, f, v, n, is_new=False):
        if f.kind in ('void', 'u8', 'char') and not f.string:
            return [f'vgpu_put_bytes(e, {v}, {n});']
        value = f'{v}[i]'
        if is_new:
            call = f'vgpu_put_u64(e, VGPU_SITE_NEW_ID, vgpu_get_id(e, ' \
                   f'(uint64_t)(uintptr_t){value}));'
        elif f.string:
            call = f'vgpu_put_string(e, {value});'
        else:
            call = self.put(f, value)
        return [f'for (uint64_t i = 0; i < {n}; i++)', '\t' + call]

    def put_fields(self, fields, answers=False):
        lines, lengths = [], self.wire.lengths(fields)
        for f in fields:
            v = f'v->{f.name}'
            if f.type == 'VkAllocationCallbacks':
                lines.append('vgpu_put_pointer(e, NULL);')
            elif f.pointers == 0 and f.fixed:
                n = self.wire.array_size(f)
                lines += [f'vgpu_put_u64(e, VGPU_SITE_COUNT, {n});',
                          *self.put_elements(f, v, n)]
            elif f.pointers == 0:
                lines.append(self.put(f, v, lengths))
            elif f.string and f.pointers == 1:
                lines.append(f'vgpu_put_string(e, {v});')
            elif not f.length:
                lines += [f'vgpu_put_pointer(e, {v});', f'if ({v})',
                          '\t' + self.put(f, f'(*{v})', lengths)]
            else:
                n = self.wire.length(f, fields)
                lines += [f'n = {v} ? {n} : 0;',
                          'vgpu_put_u64(e, VGPU_SITE_COUNT, n);',
                          *self.put_elements(f, v, 'n')]
        return lines

    def put_shape(self, fields, is_command=False):
        """What the driver is to fill: pointers, counts and handles."""
        lines, lengths = [], self.wire.lengths(fields)
        w = self.wire
        for f in fields:
            v = f'v->{f.name}'
            if f.pointers and f.length:
                n = w.length(f, fields)
                lines += [f'n = {v} ? {n} : 0;',
                          'vgpu_put_u64(e, VGPU_SITE_COUNT, n);']
                if f.kind == 'handle':
                    lines += self.put_elements(f, v, 'n', is_new=True)
                elif f.kind == 'struct' and w.min_shape(f.type):
                    lines += ['for (uint64_t i = 0; i < n; i++)',
                              f'\tshape_{f.type}(e, &{v}[i]);']
            elif f.pointers:
                lines.append(f'vgpu_put_pointer(e, {v});')
                inner = None
                if f.kind == 'handle':
                    inner = 'vgpu_put_u64(e, VGPU_SITE_NEW_ID, vgpu_get_id(e, ' \
                            f'(uint64_t)(uintptr_t)*{v}));'
                elif f.kind == 'struct':
                    if w.min_shape(f.type):
                        inner = f'shape_{f.type}(e, {v});'
                elif f.name in lengths or f.optional_value:
                    inner = self.put(f, f'(*{v})', lengths)
                if inner:
                    lines += [f'if ({v})', '\t' + inner]
            elif f.kind == 'struct' and f.fixed:
                n = w.array_size(f)
                lines.append(f'vgpu_put_u64(e, VGPU_SITE_COUNT, {n});')
                if w.min_shape(f.type):
                    lines += [f'for (uint64_t i = 0; i < {n}; i++)',
                              f'\tshape_{f.type}(e, &{v}[i]);']
            elif f.kind == 'struct':
                if w.min_shape(f.type):
                    lines.append(f'shape_{f.type}(e, &{v});')
            elif f.kind == 'handle':
                n = w.array_size(f)
                lines += [f'vgpu_put_u64(e, VGPU_SITE_COUNT, {n});',
                          f'for (uint64_t i = 0; i < {n}; i++)',
                          f'\tvgpu_put_u64(e, VGPU_SITE_VALUE, '
                          f'(uint64_t)(uintptr_t){v}[i]);']
            elif f.name in lengths:
                lines.append(self.put(f, v, lengths))
        return lines

    def struct_encoders(self):
        """Functions for every struct that is sent, shaped or answered."""
        w = self.wire
        declare, text = '', ''
        for name in sorted(w.decoded | w.shaped):
            struct = self.structs[name]
            kinds = []
            if name in w.decoded or name in w.replied:
                kinds.append(('encode', self._encode_body(struct)))
            if name in w.shaped:
                kinds.append(('shape', self.put_shape(struct.body)))
            for kind, lines in kinds:
                body = f'static void {kind}_body_{name}(struct vgpu_encoder *e, const void *p)'
                declare += body.replace('static void', 'static __attribute__((unused)) void') + ';\n'
                text += function(body, lines, (
                    ('v', f'const {name} *v = p;'), ('n', 'uint64_t n;')))
                whole = f'static void {kind}_{name}(struct vgpu_encoder *e, const {name} *v)'
                declare += whole.replace('static void', 'static __attribute__((unused)) void') + ';\n'
                lines = [f'{kind}_body_{name}(e, v);']
                if struct.stype:
                    lines = ['vgpu_put_u32(e, VGPU_SITE_STYPE, (uint32_t)v->sType);',
                             f'vgpu_put_chain(e, v->pNext, {kind}_chained);'] + lines
                text += function(whole, lines)
        for kind, names in (('encode', w.decoded | w.replied), ('shape', w.shaped)):
            declare += f'static void {kind}_chained(struct vgpu_encoder *e, const VkBaseInStructure *s);\n'
            lines = ['switch ((int32_t)s->sType) {']
            for name in sorted(names, key=lambda n: self.structs[n].stype_value):
                if self.structs[name].stype:
                    lines += [f'case {self.structs[name].stype_value}:',
                              f'\t{kind}_body_{name}(e, s);', '\tbreak;']
            text += function(f'static void {kind}_chained(struct vgpu_encoder *e, '
                             'const VkBaseInStructure *s)',
                             lines + ['default:', '\tbreak;', '}'])
        return declare + '\n' + text

    def _encode_body(self, struct):
        if not struct.union:
            lines = self.put_fields(struct.body)
            if struct.name not in self.wire.decoded:
                # What is only answered has the guest's ids in it already.
                lines = [re.sub(r'vgpu_put_id\(e, (.*), \w+\);$',
                                r'vgpu_put_u64(e, VGPU_SITE_VALUE, \1);', line)
                         for line in lines]
            return lines
        tag = UNION_TAGS.get(struct.name, 0)
        return [f'vgpu_put_u32(e, VGPU_SITE_TAG, {tag});',
                *self.put_fields([struct.fields[tag]])]

    def encode_file(self):
        text = head('A guest that encodes commands, and the answers to expect.') + \
            '#include "venus_test.h"\n\n' + self.struct_encoders()
        for c in self.wire.commands:
            lines = [f'const struct vgpu_args_{c.short} *v = args;',
                     f'vgpu_put_u32(e, VGPU_SITE_COMMAND, {c.number});',
                     'vgpu_put_u32(e, VGPU_SITE_VALUE, flags);']
            lengths = self.wire.lengths(c.fields)
            for f in c.fields:
                if f.is_out:
                    lines += self._put_out(f, c, lengths)
                else:
                    one = self.put_fields([f]) if not f.length else \
                        self._put_array(f, c.fields)
                    if f.name in lengths and not f.pointers:
                        one = [self.put(f, f'v->{f.name}', lengths)]
                    lines += one
            text += function(f'static void command_{c.short}(struct vgpu_encoder *e, '
                             'const void *args, uint32_t flags)', lines,
                             (('n', 'uint64_t n;'),))
            text += function(f'static void answer_{c.short}(struct vgpu_encoder *e, '
                             'const void *args)', self._answer(c),
                             (('v', f'const struct vgpu_args_{c.short} *v = args;'),
                              ('n', 'uint64_t n;')))
        return text + self._table()

    def _put_array(self, f, fields):
        n = self.wire.length(f, fields)
        return [f'n = v->{f.name} ? {n} : 0;',
                'vgpu_put_u64(e, VGPU_SITE_COUNT, n);',
                *self.put_elements(f, f'v->{f.name}', 'n')]

    def _put_out(self, f, command, lengths):
        lines = self.put_shape([f], True) if not f.length and f.name not in lengths \
            else None
        if lines is None and not f.length:
            lines = [f'vgpu_put_pointer(e, v->{f.name});', f'if (v->{f.name})',
                     '\t' + self.put(f, f'(*v->{f.name})', lengths)]
        if lines is None:
            n = self.wire.length(f, command.fields)
            shaped = self.put_shape([f])
            shaped[0] = f'n = v->{f.name} ? {n} : 0;'
            lines = shaped
        return lines

    def _answer(self, command):
        lines = [f'vgpu_put_u32(e, VGPU_SITE_VALUE, {command.number});']
        if command.ret != 'void':
            size = 64 if self.model.kind(command.ret) == 'u64' else 32
            lines.append(f'vgpu_put_u{size}(e, VGPU_SITE_VALUE, (uint{size}_t)v->ret);')
        for f in command.fields:
            if not f.is_out:
                continue
            v = f'v->{f.name}'
            if f.length:
                lines += self._put_array(f, command.fields)
            else:
                lines += [f'vgpu_put_pointer(e, {v});', f'if ({v})',
                          '\t' + self.put(f, f'(*{v})')]
        return lines

    def _table(self):
        text = 'const struct venus_test_command venus_test_commands[] = {\n'
        for c in self.wire.commands:
            flags = [f'.is_handled = {"true" if c.handled else "false"}',
                     f'.is_destroy = {"true" if self.emitter.destroys(c) else "false"}']
            text += f'\t{{"{c.name}", {c.number}, sizeof(struct vgpu_args_{c.short}),\n' \
                    f'\t command_{c.short}, answer_{c.short}, venus_sample_{c.short},\n' \
                    f'\t venus_fill_{c.short}, {", ".join(flags)}}},\n'
        return text + '\t{.name = NULL},\n};\n'

    # -- samples ----------------------------------------------------------------

    def value(self, f):
        if f.kind in ('enum', 'bit', 'bit64'):
            values = [v for v in self.model.enums[f.type].values
                      if f.kind == 'enum' or v and v & v - 1 == 0]
            if f.kind == 'bit' and f.type == 'VkSampleCountFlagBits':
                values = [1, 4]
            if not values:
                return f'({f.type})0'
            picks = [values[i * (len(values) - 1) // 3] for i in range(4)]
            return f'({f.type})vgpu_sample_pick(s, {", ".join(map(str, picks))})'
        if f.kind == 'handle':
            return f'({f.type})(uintptr_t)vgpu_sample_id(s, {self.model.handles[f.type]})'
        if f.kind == 'float':
            return '(float)vgpu_sample_value(s) / 4'
        return f'({f.type})vgpu_sample_value(s)'

    def length_values(self, fields):
        """{name of a length: the value that samples give it}"""
        values = {}
        for f in fields:
            if not f.length:
                continue
            is_blob = f.kind in ('void', 'u8', 'char') and not f.string
            n = BLOB_BYTES if is_blob else COUNT
            match = re.fullmatch(r'(\w+)', f.length)
            if match and match.group(1) in {g.name for g in fields}:
                values[match.group(1)] = n
            match = re.fullmatch(r'(\w+) / 4', f.length)
            if match:
                values[match.group(1)] = 4 * n
        for f in fields:
            if f.name in self.outer_lengths:
                values[f.name] = COUNT
        return values

    def sample_fields(self, fields, is_command=False):
        lines, values = [], self.length_values(fields)
        for f in fields:
            v = f'v->{f.name}'
            if f.type == 'VkAllocationCallbacks':
                lines.append(f'{v} = NULL;')
            elif f.name in values and not f.pointers:
                lines.append(f'{v} = {values[f.name]};')
            elif f.pointers == 0 and f.fixed:
                n = self.wire.array_size(f)
                if f.kind == 'struct':
                    one = f'sample_{f.type}(s, &{v}[i]);'
                elif f.kind == 'char':
                    one = f'{v}[i] = i < 3 ? \'a\' : 0;'
                else:
                    one = f'{v}[i] = {self.value(f)};'
                lines += [f'for (uint32_t i = 0; i < {n}; i++)', '\t' + one]
            elif f.pointers == 0 and f.kind == 'struct':
                lines.append(f'sample_{f.type}(s, &{v});')
            elif f.pointers == 0:
                lines.append(f'{v} = {self.value(f)};')
            elif f.string and f.pointers == 1:
                lines.append(self._maybe(f, f'{v} = vgpu_sample_string(s);'))
            else:
                lines += self._sample_pointer(f, fields, values, is_command)
        return lines

    @staticmethod
    def _maybe(f, line):
        return f'if (vgpu_sample_has(s))\n\t\t{line}' if f.may_be_null else line

    def _sample_pointer(self, f, fields, values, is_command):
        v = f'v->{f.name}'
        is_new = is_command and f.is_out and f.kind == 'handle'
        n = self.wire.length(f, fields) if f.length else '1'
        kind = f.type if f.kind != 'void' else 'uint8_t'
        if f.string:
            kind = 'const char *'
        if is_new:
            value = f'({f.type})(uintptr_t)vgpu_sample_new_id(s)'
        elif f.string:
            value = 'vgpu_sample_string(s)'
        elif f.name in values:
            value = str(values[f.name])
        elif f.kind == 'void':
            value = '(uint8_t)vgpu_sample_value(s)'
        else:
            value = self.value(f) if f.kind != 'struct' else None
        if value is None:
            one = f'sample_{f.type}(s, &all[i]);'
        else:
            one = f'all[i] = {value};'
        lines = [f'{kind} *all = vgpu_sample_alloc(s, {n} * sizeof(*all));', '',
                 f'for (uint64_t i = 0; i < {n}; i++)', '\t' + one, f'{v} = all;']
        if f.may_be_null:
            # If the array that it is the length of is there.
            return [f'{v} = NULL;', 'if (vgpu_sample_has(s)) {', *indent(lines), '}']
        return ['{', *indent(lines), '}']

    def fill_fields(self, fields):
        """What a driver would write: all but heads, lengths and handles."""
        lines, lengths = [], self.wire.lengths(fields)
        for f in fields:
            v = f'v->{f.name}'
            if f.name in lengths or f.kind == 'handle':
                continue
            if f.pointers:
                n = self.wire.length(f, fields)
                lines += [f'n = {v} ? {n} : 0;', 'for (uint64_t i = 0; i < n; i++)',
                          f'\t{self._fill_one(f, f"{v}[i]")}']
            elif f.fixed:
                n = self.wire.array_size(f)
                lines += [f'for (uint32_t i = 0; i < {n}; i++)',
                          f'\t{self._fill_one(f, f"{v}[i]")}']
            else:
                lines.append(self._fill_one(f, v))
        return lines

    def _fill_one(self, f, v):
        if f.kind == 'struct':
            return f'fill_{f.type}(s, &{v});'
        if f.kind == 'float':
            return f'{v} = (float)vgpu_sample_value(s) / 4;'
        if f.kind == 'void':
            return f'((uint8_t *){v[:-3]})[i] = (uint8_t)vgpu_sample_value(s);'
        return f'{v} = ({f.type})vgpu_sample_value(s);'

    def sample_file(self):
        w = self.wire
        text = head('Sample values for every command and its answer.') + \
            '#include "venus_test.h"\n\n'
        samples = w.decoded | w.shaped
        for name in sorted(samples):
            text += f'static __attribute__((unused)) void sample_{name}(struct vgpu_sampler *s, {name} *v);\n'
            text += f'static void sample_body_{name}(struct vgpu_sampler *s, void *p);\n'
        for name in sorted(w.shaped):
            text += f'static __attribute__((unused)) void fill_{name}(struct vgpu_sampler *s, {name} *v);\n'
            text += f'static void fill_body_{name}(struct vgpu_sampler *s, void *p);\n'
        text += 'static void fill_chained(struct vgpu_sampler *s, void *next);\n\n'
        for name in sorted(samples):
            text += self._sample_struct(self.structs[name])
        for name in sorted(w.shaped):
            struct = self.structs[name]
            text += function(f'static void fill_body_{name}(struct vgpu_sampler *s, void *p)',
                             self.fill_fields(struct.body),
                             (('v', f'{name} *v = p;'), ('n', 'uint64_t n;')))
            lines = [f'fill_body_{name}(s, v);']
            if struct.stype:
                lines.append('fill_chained(s, v->pNext);')
            text += function(f'static void fill_{name}(struct vgpu_sampler *s, {name} *v)',
                             lines)
        lines = ['for (VkBaseOutStructure *o = next; o; o = o->pNext) {',
                 '\tswitch ((int32_t)o->sType) {']
        for name in sorted(w.shaped, key=lambda n: self.structs[n].stype_value):
            if self.structs[name].stype:
                lines += [f'\tcase {self.structs[name].stype_value}:',
                          f'\t\tfill_body_{name}(s, o);', '\t\tbreak;']
        lines += ['\tdefault:', '\t\tbreak;', '\t}', '}']
        text += function('static void fill_chained(struct vgpu_sampler *s, void *next)', lines)
        for c in w.commands:
            text += function(
                f'void venus_sample_{c.short}(struct vgpu_sampler *s, void *args)',
                self.sample_fields(c.fields, True),
                (('v', f'struct vgpu_args_{c.short} *v = args;'),))
            text += function(f'void venus_fill_{c.short}(struct vgpu_sampler *s, void *args)',
                             self._fill_command(c),
                             (('v', f'struct vgpu_args_{c.short} *v = args;'),
                              ('n', 'uint64_t n;')))
        return text

    def _fill_command(self, c):
        lines = []
        for f in c.fields:
            if not f.is_out:
                continue
            v = f'v->{f.name}'
            if f.length:
                n = self.wire.length(f, c.fields)
                one = self._fill_one(f, f'{v}[i]') if f.kind != 'handle' else \
                    f'{v}[i] = ({f.type})(uintptr_t)vgpu_sample_handle(s);'
                lines += [f'n = {v} ? {n} : 0;', 'for (uint64_t i = 0; i < n; i++)',
                          '\t' + one]
            elif f.kind == 'handle':
                lines.append(f'*{v} = ({f.type})(uintptr_t)vgpu_sample_handle(s);')
            elif f.name not in self.wire.lengths(c.fields):
                lines += [f'if ({v})', '\t' + self._fill_one(f, f'(*{v})')]
        if c.ret != 'void':
            ok = 'VK_SUCCESS' if c.ret == 'VkResult' else f'({c.ret})vgpu_sample_value(s)'
            lines.append(f'v->ret = {ok};')
        return lines

    def _sample_struct(self, struct):
        name = struct.name
        if struct.union:
            lines = ['memset(v, 0, sizeof(*v));', *self.sample_fields(
                [struct.fields[UNION_TAGS.get(name, 0)]])]
        else:
            lines = self.sample_fields(struct.body)
        text = function(f'static void sample_body_{name}(struct vgpu_sampler *s, void *p)',
                        lines, (('v', f'{name} *v = p;'),))
        head_lines = []
        if struct.stype:
            extenders = self.wire.extenders(struct)
            head_lines = [f'v->sType = {struct.stype};', 'v->pNext = NULL;']
            if extenders:
                text += f'static const struct vgpu_sample_link links_{name}[] = {{\n'
                for e in extenders:
                    text += f'\t{{{e.stype_value}, sizeof({e.name}), sample_body_{e.name}}},\n'
                text += '};\n\n'
                head_lines.append(f'v->pNext = vgpu_sample_chain(s, links_{name}, '
                                  f'{len(extenders)});')
        return text + function(
            f'static void sample_{name}(struct vgpu_sampler *s, {name} *v)',
            head_lines + [f'sample_body_{name}(s, v);'])

    # -- the driver that only looks ---------------------------------------------

    def null_file(self):
        text = head('A Vulkan driver that does nothing but say what it saw.') + \
            '#include "venus_test.h"\n\n'
        called = [c for c in self.wire.commands if not c.private]
        for c in called:
            names = ', '.join(f.declaration for f in c.fields)
            ret = '' if c.ret == 'void' else 'return args.ret;'
            lines = [f'struct vgpu_args_{c.short} args = {{0}};', '']
            lines += [f'args.{f.name} = {f.name};' for f in c.fields]
            lines += [f'vgpu_null_saw({c.number}, &args);']
            if ret:
                lines.append(ret)
            text += function(f'static VKAPI_ATTR {c.ret} VKAPI_CALL null_{c.short}({names})',
                             lines)
        text += 'const struct vgpu_vk vgpu_null_vk = {\n'
        text += ''.join(f'\t.{c.short} = null_{c.short},\n' for c in called)
        return text + '};\n'

    def header(self):
        text = head('What the generated parts of tests share.', 'VGPU_VENUS_TEST_H')
        text += '#include "tests/render/guest.h"\n#include "venus.h"\n\n' + TABLE
        for c in self.wire.commands:
            text += f'void venus_sample_{c.short}(struct vgpu_sampler *s, void *args);\n' \
                    f'void venus_fill_{c.short}(struct vgpu_sampler *s, void *args);\n'
        text += '\n/* Every kind of object, and how it goes. */\n'
        text += 'struct venus_test_type {\n\tVkObjectType type, parent;\n};\n' \
                'extern const struct venus_test_type venus_test_types[];\n'
        return text + '\n#endif\n'

    def handlers_file(self):
        """The null driver's in place of render/vulkan's: no more than defaults."""
        text = head('Handlers that call the null driver.') + '#include "venus_test.h"\n\n'
        for c in self.wire.commands:
            if not c.handled:
                continue
            if self.emitter.has_default(c):
                lines = [f'vgpu_default_{c.short}(d, args);']
            else:
                lines = [f'vgpu_null_handle(d, {c.number}, args);']
            text += function(f'void vgpu_handle_{c.short}(struct vgpu_decoder *d, '
                             f'struct vgpu_args_{c.short} *args)', lines)
        parents = {'VkInstance': None, 'VkPhysicalDevice': 'VkInstance',
                   'VkDevice': 'VkPhysicalDevice', 'VkCommandBuffer': 'VkCommandPool',
                   'VkDescriptorSet': 'VkDescriptorPool'}
        types = {f.type for c in self.wire.commands for f in c.fields if f.kind == 'handle'}
        types |= {f.type for n in self.wire.decoded for f in self.structs[n].fields
                  if f.kind == 'handle'}
        order = [t for t in parents if t in types]
        text += 'const struct venus_test_type venus_test_types[] = {\n'
        # Parents before children.
        rest = sorted(types - set(parents))
        for t in order[:3] + rest + order[3:]:
            parent = parents.get(t, 'VkDevice')
            p = self.model.handles[parent] if parent else 'VK_OBJECT_TYPE_UNKNOWN'
            text += f'\t{{{self.model.handles[t]}, {p}}},\n'
        return text + '\t{VK_OBJECT_TYPE_UNKNOWN, VK_OBJECT_TYPE_UNKNOWN},\n};\n'

    def files(self):
        return {'venus_test.h': self.header(), 'venus_encode.c': self.encode_file(),
                'venus_sample.c': self.sample_file(), 'venus_null.c': self.null_file(),
                'venus_null_handlers.c': self.handlers_file()}


TABLE = '''struct venus_test_command {
	const char *name;
	uint32_t number;
	size_t args_bytes;
	void (*encode)(struct vgpu_encoder *e, const void *args, uint32_t flags);
	/* What the answer must be, from what the driver left in the arguments. */
	void (*answer)(struct vgpu_encoder *e, const void *args);
	void (*sample)(struct vgpu_sampler *s, void *args);
	/* As a driver: all that it is to write. */
	void (*fill)(struct vgpu_sampler *s, void *args);
	bool is_handled, is_destroy;
};

/* Ends with a name of NULL. */
extern const struct venus_test_command venus_test_commands[];

/* A driver that passes all calls to vgpu_null_saw(), which is the test's. */
extern const struct vgpu_vk vgpu_null_vk;
void vgpu_null_saw(uint32_t number, void *args);
/* The same for commands that never go to a driver. */
void vgpu_null_handle(struct vgpu_decoder *d, uint32_t number, void *args);

'''
