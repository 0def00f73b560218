# SPDX-License-Identifier: GPL-2.0-or-later
"""
What the back ends of all wires have in common: what can pass to another process, what
of it is used, and expressions in C that do not depend on an encoding.
"""

import re

# Objects named in a struct that the decoder keeps: the pool of what is allocated, and
# images whose format a handler has to know.
KEPT = {('VkCommandBufferAllocateInfo', 'commandPool'),
        ('VkDescriptorSetAllocateInfo', 'descriptorPool'),
        ('VkCopyImageToMemoryInfoMESA', 'srcImage'),
        ('VkCopyMemoryToImageInfoMESA', 'dstImage')}

# So many bytes of a command are looked for at once.
TAKE_MAX = 1024


def indent(lines, by=1):
    return ['\t' * by + line if line else '' for line in lines]


class Wire:
    name = None               # of a back end
    checks = 'venus'          # how functions that look at enums are called

    def __init__(self, model, commands, enums_used):
        self.model = model
        self.structs = model.structs
        self._good = {}
        self._min = {}
        self.decoded, self.shaped, self.replied = set(), set(), set()
        self.enums_used = enums_used
        self.commands = [c for c in commands if self._is_good_command(c)]
        for command in self.commands:
            self._reach(command)

    # -- what can pass, and what is used ----------------------------------

    def is_good(self, name):
        """Can this struct pass to another process?"""
        if name not in self._good:
            self._good[name] = True    # unless a member says otherwise
            self._good[name] = all(self._is_good_field(f)
                                   for f in self.structs[name].body)
        return self._good[name]

    def _is_good_field(self, f):
        if f.type == 'VkAllocationCallbacks':
            return True
        if f.kind is None or f.pointers > 1 and not f.string:
            return False
        if f.kind == 'void' and (f.pointers != 1 or not f.length):
            return False
        if f.kind == 'struct':
            return f.type in self.structs and self.is_good(f.type)
        return not ':' in f.declaration

    def _is_good_command(self, command):
        return all(self._is_good_field(f) for f in command.fields)

    def extenders(self, struct):
        return [self.structs[n] for n in struct.extenders
                if self.is_good(n) and self.structs[n].wire in (None, self.name)]

    def _reach(self, command):
        for f in command.fields:
            if f.kind != 'struct':
                continue
            if f.is_out:
                self._reach_struct(f.type, self.shaped)
                self._reach_struct(f.type, self.replied)
            else:
                self._reach_struct(f.type, self.decoded)

    def _reach_struct(self, name, names):
        if name in names:
            return
        names.add(name)
        struct = self.structs[name]
        for f in struct.body:
            if f.kind == 'struct':
                self._reach_struct(f.type, names)
        for extender in self.extenders(struct):
            self._reach_struct(extender.name, names)

    # -- expressions --------------------------------------------------------

    def array_size(self, f):
        size = 1
        for dimension in f.fixed:
            size *= int(self.model.constants.get(dimension, dimension))
        return size

    @staticmethod
    def lengths(fields):
        """The members that others' lengths depend on."""
        names = set()
        for f in fields:
            if f.length:
                names.update(re.findall(r'[A-Za-z_]\w*', f.length))
        return names & {f.name for f in fields}

    def length(self, f, fields, v='v->'):
        siblings = {s.name: s for s in fields}

        def replace(match):
            name, member = match.group(1), match.group(2)
            if name not in siblings:
                return match.group(0)
            if member:
                return f'({v}{name} ? (uint64_t){v}{name}{member} : 0)'
            if siblings[name].pointers:
                return f'({v}{name} ? (uint64_t)*{v}{name} : 0)'
            return f'(uint64_t){v}{name}'

        return re.sub(r'([A-Za-z_]\w*)(->\w+)?', replace, f.length)

    def enum_value(self, f, value):
        """A value of an enum that the driver knows; 0 where it is ignored."""
        self.enums_used.add(f.type)
        how = 'lax' if f.unchecked else 'check'
        may = ', true' if f.kind == 'bit' and f.optional else \
            ', false' if f.kind == 'bit' else ''
        return f'({f.type})venus_{how}_{f.type}(d, {value}{may})'

    def handle(self, f, value, is_optional, owner):
        arguments = (f'(d, {value}, {self.model.handles[f.type]}, '
                     f'{"true" if is_optional else "false"})')
        if (owner, f.name) in KEPT:
            return f'({f.type})(uintptr_t)vgpu_decoder_kept{arguments}'
        return f'({f.type})(uintptr_t)vgpu_decoder_handle{arguments}'

    # -- what can be read at once -----------------------------------------

    def decode_fields(self, fields, owner):
        """Lines that decode members or in-parameters of v."""
        lines, run = [], []
        for f in fields:
            leaves = self.flat(f, f'v->{f.name}', owner)
            if leaves is not None:
                if sum(b for b, _ in run + leaves) > TAKE_MAX:
                    self.flush(run, lines)
                run += leaves
                continue
            self.flush(run, lines)
            lines += self.decode_variable(f, fields, owner)
        self.flush(run, lines)
        return lines

    @staticmethod
    def flush(run, lines):
        if not run:
            return
        lines.append(f'in = vgpu_decoder_take(d, {sum(b for b, _ in run)});')
        offset = 0
        for bytes_, emit in run:
            lines += emit(f'in + {offset}' if offset else 'in')
            offset += bytes_
        run.clear()
