# SPDX-License-Identifier: GPL-2.0-or-later
"""
What there is to encode: commands, structs, types, lengths, chains and handles
of the registry and of the private tables, without a word about any wire.
"""

import re
import sys
import tempfile
from dataclasses import dataclass, field

SCALARS = {
    'uint8_t': 'u8', 'int8_t': 'u8', 'char': 'char', 'uint16_t': 'u16',
    'uint32_t': 'u32', 'int32_t': 'i32', 'int': 'i32', 'uint64_t': 'u64',
    'int64_t': 'u64', 'float': 'float', 'size_t': 'size',
}
BYTES = {'u8': 1, 'char': 1, 'u16': 2, 'u32': 4, 'i32': 4, 'u64': 8,
         'float': 4, 'size': 8, 'enum': 4, 'bit': 4, 'bit64': 8, 'handle': 8}


@dataclass
class Field:
    """A struct's member or a command's parameter."""
    name: str
    type: str                 # without const and *
    kind: str                 # see Model.kind()
    declaration: str          # in C
    pointers: int = 0
    const: bool = False
    fixed: list = field(default_factory=list)   # sizes of an array in place
    length: str = None        # in C, of names of its siblings
    string: bool = False      # each element is null-terminated
    optional: bool = False    # the pointer, or the value if it is none
    optional_value: bool = False   # what the pointer points to
    unchecked: bool = False   # the registry makes it depend on other things

    @property
    def may_be_null(self):
        return self.optional or self.unchecked

    @property
    def is_out(self):
        """Of a parameter: the driver writes to it."""
        return self.pointers > 0 and not self.const


@dataclass
class Struct:
    name: str
    fields: list
    union: bool = False
    stype: str = None
    stype_value: int = 0
    extenders: list = field(default_factory=list)
    may_repeat: bool = False
    wire: str = None          # the only one that has it

    @property
    def body(self):
        """What is not the head of a chain."""
        return self.fields[2:] if self.stype else self.fields


@dataclass
class Command:
    name: str                 # vkCmdDraw
    fields: list
    ret: str
    number: int = None        # of the wire; None if it is only called
    aliases: list = field(default_factory=list)
    level: str = 'device'     # or 'instance' or 'global'
    private: bool = False
    handled: bool = False

    @property
    def short(self):
        return self.name[2:]


@dataclass
class Enum:
    name: str
    values: list              # sorted
    bits: int = 0             # of an enum of flags: all that are known


def read_lines(path):
    """The lines of a data file, without comments and empty ones."""
    with open(path, encoding='ascii') as file:
        for line in file:
            line = line.partition('#')[0].rstrip()
            if line:
                yield line


class Model:
    def __init__(self, registry, folder):
        self.registry = registry
        self.folder = folder
        self.extensions = list(read_lines(f'{folder}/extensions.txt'))
        self.never = set(read_lines(f'{folder}/never.txt'))
        self.null_ok = set(read_lines(f'{folder}/null-ok.txt'))
        self.numbers = {}
        for line in read_lines(f'{folder}/commands.txt'):
            number, name = line.split()
            self.numbers[name] = int(number)
        self.structs = {}
        self.commands = {}
        self.enums = {}
        self.handles = {}     # VkFence: VK_OBJECT_TYPE_FENCE
        self.dispatchable = set()
        self.constants = {}
        self.flags = {}       # VkAccessFlags: 32 or 64
        self._load(registry)

    # -- the registry ---------------------------------------------------

    def _load(self, registry):
        sys.path.insert(0, registry)
        # pylint: disable=import-outside-toplevel,import-error
        import base_generator
        from reg import Registry
        # It copies a file there, rights included: /dev/null would lose its.
        nowhere = tempfile.TemporaryDirectory()
        base_generator.SetOutputFileName('unused')
        base_generator.SetOutputDirectory(nowhere.name)
        base_generator.SetTargetApiName('vulkan')
        base_generator.SetMergedApiNames(None)
        values = {}

        class Reader(base_generator.BaseGenerator):
            """Collects what vulkan_object.py leaves out: enums' values."""

            def genGroup(self, groupinfo, groupName, alias):
                super().genGroup(groupinfo, groupName, alias)
                for elem in groupinfo.elem.findall('enum'):
                    number, _ = self.enumToValue(elem, True)
                    if number is not None:
                        values.setdefault(alias or groupName, {})[
                            elem.get('name')] = number

            def generate(self):
                pass

        reader = Reader()
        tree = Registry(reader, base_generator.BaseGeneratorOptions())
        tree.loadFile(f'{registry}/vk.xml')
        tree.apiGen()
        nowhere.cleanup()
        self.type_aliases = {**reader.enumAliasMap, **reader.bitmaskAliasMap}
        self._take_types(tree.tree, reader.vk, values)
        self._take_structs(reader.vk)
        self._take_commands(tree.tree, reader.vk)
        self.private_structs, private = self._take_private('private.txt', 'venus',
                                                           'MESA')
        for command in private:
            command.number = self.numbers[command.name]
            self.commands[command.name] = command
        self._take_extras(reader.vk)
        self._take_gfxstream()
        self.header_version = int(reader.vk.headerVersion)
        self.extension_info = {}
        for elem in tree.tree.findall('extensions/extension'):
            if elem.get('name') in self.extensions:
                self.extension_info[elem.get('name')] = (
                    int(elem.get('number')), self._spec_version(elem))
        for name in self.extensions:
            if name not in self.extension_info:
                raise SystemExit(f'extensions.txt: the registry has no {name}')

    @staticmethod
    def _spec_version(elem):
        for enum in elem.iter('enum'):
            if enum.get('name', '').endswith('_SPEC_VERSION'):
                return int(enum.get('value'))
        return 1

    def _take_types(self, tree, vk, values):
        for elem in tree.findall('types/type'):
            name = elem.get('name') or elem.findtext('name')
            if elem.get('category') == 'bitmask' and not elem.get('alias'):
                self.flags[name] = \
                    64 if elem.findtext('type') == 'VkFlags64' else 32
            if elem.get('category') == 'basetype' and elem.find('type') is not None:
                base = elem.findtext('type')
                if base in SCALARS and '*' not in ''.join(elem.itertext()):
                    SCALARS[name] = SCALARS[base]
        for elem in tree.findall('types/type[@category="bitmask"][@alias]'):
            self.flags[elem.get('name')] = self.flags[elem.get('alias')]
        for handle in vk.handles.values():
            self.handles[handle.name] = handle.type
            if handle.dispatchable:
                self.dispatchable.add(handle.name)
        for enum in vk.enums.values():
            self.enums[enum.name] = Enum(
                enum.name, sorted(set(values.get(enum.name, {}).values())))
        for mask in vk.bitmasks.values():
            known = values.get(mask.name, {}).values()
            enum = Enum(mask.name, sorted(set(known)))
            for value in known:
                enum.bits |= value
            self.enums[mask.name] = enum
            self.flags.setdefault(mask.flagName, mask.bitWidth)
        self.stype_values = values['VkStructureType']
        self.format_values = values['VkFormat']
        self.formats = vk.formats
        for elem in tree.findall('enums[@name="API Constants"]/enum'):
            if re.fullmatch(r'\d+', elem.get('value') or ''):
                self.constants[elem.get('name')] = int(elem.get('value'))
        self.wide = {m.name for m in vk.bitmasks.values() if m.bitWidth == 64}
        self.bit_names = {m.name for m in vk.bitmasks.values()}

    def kind(self, name):
        """The class of a type; None if it cannot pass to another process."""
        if name in SCALARS:
            return SCALARS[name]
        if name in self.flags:
            return 'u64' if self.flags[name] == 64 else 'u32'
        if name in self.bit_names:
            return 'bit64' if name in self.wide else 'bit'
        if name in self.enums:
            return 'enum'
        if name in self.handles:
            return 'handle'
        if name == 'void':
            return 'void'
        if name in self.structs or name in self.pending:
            return 'struct'
        return None

    def _field(self, source):
        declaration = ' '.join(source.cDeclaration.split())
        name = self.type_aliases.get(source.type, source.type)
        return Field(
            name=source.name, type=name, kind=self.kind(name),
            declaration=declaration,
            pointers=declaration.count('*'), const=source.const,
            fixed=list(source.fixedSizeArray),
            length=None if source.fixedSizeArray else source.length,
            string=source.nullTerminated and not source.fixedSizeArray,
            optional=source.optional,
            optional_value=source.optionalPointer,
            unchecked=source.noAutoValidity)

    def _is_ours(self, source):
        """Is it of Vulkan 1.0 to 1.4, or of an extension that is listed?"""
        return (source.version is not None or not source.extensions or
                any(e.name in self.extensions for e in source.extensions))

    @staticmethod
    def _is_asked(source):
        """
        Is it what programs ask a GPU for? Through gfxstream they may chain any, which
        need not be of an extension that they were offered.
        """
        return not source.protect and \
            not any(e.protect for e in source.extensions) and \
            {'VkPhysicalDeviceFeatures2', 'VkPhysicalDeviceProperties2'} & \
            set(source.extends or [])

    def _take_structs(self, vk):
        self.pending = {s.name for s in vk.structs.values()
                        if (self._is_ours(s) or self._is_asked(s)) and
                        s.name not in self.never}
        for source in vk.structs.values():
            if source.name not in self.pending:
                continue
            fields = [self._field(m) for m in source.members]
            for f in fields:
                f.optional_value |= f'{source.name}.{f.name}' in self.null_ok
            struct = Struct(source.name, fields,
                            union=source.union, stype=source.sType,
                            may_repeat=source.allowDuplicate,
                            wire=None if self._is_ours(source) else 'gfxstream')
            if source.sType:
                struct.stype_value = self.stype_values[source.sType]
            struct.extenders = [s for s in source.extendedBy or []
                                if s in self.pending]
            self.structs[struct.name] = struct

    def _take_commands(self, tree, vk):
        lacking = {}
        for elem in tree.findall('commands/command[@alias]'):
            lacking.setdefault(elem.get('alias'), []).append(elem.get('name'))
        self.aliases = lacking
        for source in vk.commands.values():
            if source.alias or source.name in self.never or \
                    not self._is_ours_command(source, vk):
                continue
            number = self.numbers.get(source.name)
            if number is None:
                self._refuse_command(source)
            self.commands[source.name] = self._command(source, number)

    @staticmethod
    def _refuse_command(source):
        """A guest that is offered an extension is offered all of its commands."""
        names = ', '.join(extension.name for extension in source.extensions)
        raise SystemExit(
            f'extensions.txt: {source.name} (of {names or "Vulkan itself"}) has no '
            'number on the wire in commands.txt, so no guest could call it: leave '
            'the extension out, or name the command in never.txt if nothing of the '
            'extension needs it')

    def _is_ours_command(self, source, vk):
        names = [source.name, *self.aliases.get(source.name, [])]
        return any(self._is_ours(vk.commands[n]) for n in names
                   if n in vk.commands)

    def _command(self, source, number):
        fields = [self._field(p) for p in source.params]
        for f in fields:
            if f.fixed:
                # As a parameter it is a pointer.
                f.length, f.pointers, f.const = f.fixed[0], 1, True
                f.declaration = f'const {f.type} *{f.name}'
                f.fixed = []
        level = 'device'
        if fields[0].kind != 'handle':
            level = 'global'
        elif fields[0].type in ('VkInstance', 'VkPhysicalDevice'):
            level = 'instance'
        return Command(source.name, fields, source.returnType, number,
                       self.aliases.get(source.name, []), level)

    def _take_extras(self, vk):
        self.extra_calls = {}
        for name in read_lines(f'{self.folder}/extra-calls.txt'):
            self.extra_calls[name] = self._command(vk.commands[name], None)
        handled = list(read_lines(f'{self.folder}/handlers.txt'))
        for name in handled:
            if name not in self.commands:
                raise SystemExit(f'handlers.txt: {name} is not decoded')
            self.commands[name].handled = True
        for command in self.commands.values():
            if command.private and not command.handled:
                raise SystemExit(f'{command.name} needs a handler')

    # -- the private tables ----------------------------------------------

    def _private_field(self, line):
        match = re.fullmatch(r'(const )?(\w+)(\*?) (\w+)( \[(\w+)\])?( optional)?'
                             r'( present)?', line.strip())
        const, kind, star, name, _, length, optional, present = match.groups()
        return Field(name=name, type=kind, kind=self.kind(kind),
                     declaration=f'{const or ""}{kind}{star} {name}',
                     pointers=len(star), const=bool(const), length=length,
                     optional=bool(optional), optional_value=bool(present))

    def _take_private(self, path, wire, vendor):
        """The structs and the commands that are in a file of ours."""
        current, structs, commands = None, [], []
        for line in read_lines(f'{self.folder}/{path}'):
            if line.startswith(' '):
                current.fields.append(self._private_field(line))
                continue
            words = line.split()
            if words[0] == 'like':
                continue
            if words[0] == 'command':
                current = Command(words[2], [], words[1], level='private',
                                  private=True)
                commands.append(current)
                continue
            current = Struct(words[1], [], wire=wire)
            if len(words) > 2:
                const = '' if words[0] == 'out' else 'const '
                current.stype = f'VK_STRUCTURE_TYPE_{words[2]}_{vendor}'
                current.stype_value = int(words[3])
                current.fields = [
                    Field('sType', 'VkStructureType', 'enum',
                          'VkStructureType sType'),
                    Field('pNext', 'void', 'void', f'{const}void* pNext',
                          pointers=1, const=bool(const))]
                for root in words[4:]:
                    self.structs[root].extenders.append(current.name)
            self.structs[current.name] = current
            structs.append(current)
        return structs, commands

    def _take_gfxstream(self):
        """
        Its private calls, those that are like others (name: the other and what it
        returns), and the numbers that do not follow from a name.
        """
        self.gfxstream_structs, self.gfxstream_commands = self._take_private(
            'gfxstream.txt', 'gfxstream', 'GOOGLE')
        for command in self.gfxstream_commands:
            command.handled = True
        self.gfxstream_like = {}
        for line in read_lines(f'{self.folder}/gfxstream.txt'):
            if line.startswith('like '):
                _, ret, name, other = line.split()
                self.gfxstream_like[name] = other, ret
        self.gfxstream_numbers = {}
        for line in read_lines(f'{self.folder}/gfxstream-numbers.txt'):
            number, name = line.split()
            self.gfxstream_numbers[name] = int(number)
