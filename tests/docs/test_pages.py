# SPDX-License-Identifier: GPL-2.0-or-later
"""Documents agree with the source: links, paths, limits, messages, parameters."""

import ast
import os
import re
import unittest

from pages import SOURCE, files, pages, read, rows, sources, without_code

# Folders whose files are named in text as they lie in the source.
TOP = {path.split('/')[0] for path in files() if '/' in path}


def anchors(text):
    """Those that Markdown makes of headings, as on GitHub."""
    found = set()
    for heading in re.findall(r'^#+ (.*)$', without_code(text), re.M):
        plain = re.sub(r'[^\w\- ]', '', heading.lower())
        found.add(plain.replace(' ', '-'))
    return found


class Links(unittest.TestCase):
    def test_links_lead_somewhere(self):
        for page in pages():
            for link in re.findall(r'\]\(([^)\s]+)\)', without_code(read(page))):
                if re.match(r'[a-z]+:', link):
                    continue
                path, _, anchor = link.partition('#')
                target = os.path.normpath(os.path.join(
                    os.path.dirname(page), path)) if path else page
                with self.subTest(page=page, link=link):
                    self.assertTrue(os.path.exists(
                        os.path.join(SOURCE, target)))
                    if anchor:
                        self.assertIn(anchor, anchors(read(target)))

    def test_every_page_is_in_the_contents(self):
        contents = read('docs/README.md')
        for page in pages():
            if page.startswith('docs/') and page != 'docs/README.md':
                self.assertIn(f'({page.removeprefix("docs/")})', contents)

    def test_paths_exist(self):
        """Those in backticks that begin with one of our folders. A folder or a
        file; an ending may be left out, and braces and stars are patterns."""
        known = set(files())
        known |= {path[:end.start()] for path in known
                  for end in re.finditer('/', path)}
        for page in pages():
            for path in re.findall(r'`([a-z]+/[\w./{},*-]*)`',
                                   without_code(read(page))):
                if path.split('/')[0] not in TOP or path.startswith('build'):
                    continue
                pattern = re.escape(path.rstrip('/')).replace(r'\*', '[^/]*')
                pattern = re.sub(r'\\{(.*?)\\}', lambda match: '(' +
                                 match[1].replace(',', '|') + ')', pattern)
                with self.subTest(page=page, path=path):
                    self.assertTrue(any(re.fullmatch(pattern + r'(\.\w+)?', name)
                                        for name in known))


class Map(unittest.TestCase):
    def test_names_are_in_the_files(self):
        """In "I want to change": a name after a path is in that file, or folder."""
        count = 0
        for row in rows('docs/dev/architecture.md'):
            if row[0].startswith('`'):
                continue
            for path, name in re.findall(r'`([\w/.]+)` `([\w. ]+)(?:\[\])?`', row[1]):
                inside = [file for file in files()
                          if file == path or file.startswith(path + '/')]
                with self.subTest(path=path, name=name):
                    self.assertTrue(any(name.rstrip('.') in read(file)
                                        for file in inside))
                count += 1
        self.assertGreater(count, 10)


class Locks(unittest.TestCase):
    DECLARED = re.compile(r'^\s*(?:static )?(?:struct mutex|struct rw_semaphore|spinlock_t|'
                          r'pthread_mutex_t|pthread_rwlock_t) (\w+)(?: =[^;]*)?;|'
                          r'^static DEFINE_(?:MUTEX|SPINLOCK)\((\w+)\)', re.M)

    def test_every_lock_is_there(self):
        declared = set()
        for path in sources('.h') + sources('.c'):
            declared |= {(one or other, os.path.basename(path))
                         for one, other in self.DECLARED.findall(read(path))}
        said = set()
        for row in rows('docs/dev/locking.md'):
            for lock, file in zip(row, row[1:]):
                lock = re.match(r'`(\w+)`', lock)
                file = re.fullmatch(r'`([\w.]+\.[ch])`', file)
                if lock and file:
                    said.add((lock[1], file[1]))
        self.assertEqual(said, declared)


class Abi(unittest.TestCase):
    """docs/dev/abi has the form of Documentation/ABI in the kernel's tree."""

    def test_form(self):
        folder = 'docs/dev/abi'
        for name in os.listdir(os.path.join(SOURCE, folder)):
            for entry in re.split(r'\n(?=What:)', read(f'{folder}/{name}')):
                self.assertRegex(
                    entry, r'\AWhat:\t\t/sys/\S+\n(\t\t/sys/\S+\n)*'
                    r'Date:\t\t\w+ \d{4}\nContact:\t.+ <\S+@\S+>\n'
                    r'Description:\n(\t\t\S.*\n)+\n?\Z', name)


class Rooms(unittest.TestCase):
    def test_drawing(self):
        """It has the floors that the test of includes has, the highest first."""
        text = read('tests/packaging/test_rooms.py')
        all_floors = ast.literal_eval(re.search(
            r'^FLOORS = (\{.*?^\})', text, re.M | re.S)[1])
        drawings = re.findall(r'^```\n(.*?)^```', read('docs/dev/architecture.md'),
                              re.M | re.S)
        for top, floors in all_floors.items():
            drawn = next(text for text in drawings
                         if re.match(rf'{top}(/\w+)?( |$)', text, re.M))
            # What is in brackets is for readers.
            drawn = [line.split() for line in
                     re.sub(r' *\([^)]*\)', '', drawn).splitlines()]
            rooms = [[name for room in floor
                      for name in (room if isinstance(room, tuple) else (room,))]
                     for floor in reversed(floors)]
            self.assertEqual(drawn, rooms)


def defined(name, file=None):
    """What a constant is: its expression, computed."""
    found = {}
    for path in sources('.h') + sources('.c'):
        if file and os.path.basename(path) != file:
            continue
        for expression in re.findall(
                rf'^#define\s+{name}\s+(.+?)\s*(?:/\*.*)?$', read(path), re.M):
            found[path] = expression
    if len(set(found.values())) != 1:
        raise AssertionError(f'{name} of {file}: {found}')
    return compute(*set(found.values()))


def compute(expression):
    expression = re.sub(r'\((?:size_t|uint\d+_t)\)', '', expression)
    expression = re.sub(r'\b(0x[0-9a-f]+|\d+)[uUlL]+\b', r'\1', expression)
    expression = re.sub(r'\b[A-Z]\w+\b', lambda match: f'({defined(match[0])})',
                        expression)
    if not re.fullmatch(r'[\d\s()*+<x-]+', expression):
        raise AssertionError(f'cannot compute {expression}')
    return eval(expression)  # pylint: disable=eval-used


class Limits(unittest.TestCase):
    # How a page writes a figure, and what the source counts in.
    UNITS = {'MiB': ('MIB', 1 << 20), 's': ('USEC', 1000000)}

    def test_figures_are_those_of_the_source(self):
        """The last number in the first column after the name is the constant's."""
        count = 0
        for row in rows('docs/limits.md'):
            constant = re.fullmatch(r'`(\S+)` `(\w+)`', row[-1])
            if not constant:
                self.assertEqual(row[-1], '', row)
                continue
            count += 1
            file, name = constant.groups()
            # What follows the first figure that is not a range's beginning.
            figure, unit = re.search(r'(?:^|[ ,]|to )(\d+)(?! to)(?: (\w+))?',
                                     row[1]).groups()
            value = int(figure)
            suffix, factor = self.UNITS.get(unit, ('', 1))
            if suffix and not name.endswith(suffix) and f'_{suffix}_' not in name:
                value *= factor
            elif unit == 's':
                value *= factor
            with self.subTest(constant=name):
                self.assertEqual(defined(name, file), value, row[1])
        self.assertGreater(count, 35)


def literals(text):
    """The string constants of C source, those side by side joined."""
    text = re.sub(r'/\*.*?\*/', '', text, flags=re.S)
    joined = re.sub(r'"\s*(?:PRI\w+\s*)?"', '', text)
    return re.findall(r'"((?:[^"\\\n]|\\.)*)"', joined)


class Messages(unittest.TestCase):
    def test_messages_are_those_of_the_source(self):
        """What stands between two dots is all in one string constant."""
        every = [re.sub(r'%[-.*\dlzhu]*[a-zA-Z]', '%', literal)
                 for path in sources() for literal in literals(read(path))]
        count = 0
        for row in rows('docs/troubleshooting.md'):
            if row[0].startswith('QEMU:'):
                continue
            for message in re.findall(r'`([^`]+)`', row[0]):
                if not re.search(r'[a-z]+ [a-z]+', message):
                    continue
                parts = [part.strip() for part in message.split('…')]
                with self.subTest(message=message):
                    self.assertTrue(any(
                        all(part in literal for part in parts)
                        for literal in every))
                count += 1
        self.assertGreater(count, 30)

    def test_events_are_those_of_the_source(self):
        every = {literal for path in sources() for literal in literals(read(path))}
        for row in rows('docs/troubleshooting.md'):
            for event in re.findall(r'^event `([a-z-]+)`', row[0]):
                self.assertIn(event, every)


def calls_allowed(role):
    """System calls of a role's list, but for those of hardware's drivers."""
    return set(re.findall(r'\bALLOW(?:_IF)?\((\w+)',
                          read('sandbox/seccomp_common.c') +
                          read(f'sandbox/seccomp_{role}.c').partition(
                              'vgpu_seccomp_list ')[0]))


class Processes(unittest.TestCase):
    def test_system_calls(self):
        table = {row[0]: row[5] for row in rows('docs/security.md')
                 if len(row) == 7}
        for role in 'render', 'device', 'vnc':
            figure = int(re.match(r'\d+', table[f'`vgpu-{role}`'])[0])
            self.assertEqual(figure, len(calls_allowed(role)), role)


class Modules(unittest.TestCase):
    def test_parameters(self):
        there = set()
        for path in sources(folders=('kernel',)):
            there |= set(re.findall(r'^module_param(?:_named)?\((\w+),',
                                    read(path), re.M))
        said = {match[1] for row in rows('docs/sriov.md')
                if (match := re.fullmatch(r'`(\w+)`', row[0]))}
        self.assertEqual(said, there)


if __name__ == '__main__':
    unittest.main()
