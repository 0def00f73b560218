# SPDX-License-Identifier: GPL-2.0-or-later
"""What tests of the documents share: pages, their tables, and the source."""

import functools
import os
import re

SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
SKIPPED = re.compile(r'(build|demo|\.)')


@functools.cache
def files():
    """Paths of all files, from the top folder."""
    found = []
    for folder, folders, names in os.walk(SOURCE):
        if folder == SOURCE:
            folders[:] = [f for f in folders if not SKIPPED.match(f)]
        found += [os.path.relpath(os.path.join(folder, name), SOURCE)
                  for name in names]
    return sorted(found)


def pages():
    """Paths of all pages in Markdown."""
    return [path for path in files() if path.endswith('.md')]


@functools.cache
def read(path):
    with open(os.path.join(SOURCE, path), encoding='utf-8') as file:
        return file.read()


def without_code(text):
    return re.sub(r'```.*?```', '', text, flags=re.S)


def rows(path):
    """The rows of a page's tables, as lists of cells; no headings."""
    found = []
    previous = ''
    for line in read(path).splitlines():
        cells = [cell.strip() for cell in
                 re.findall(r'(?:[^|`]|`[^`]*`)+', line.strip('|'))]
        if not line.startswith('|'):
            previous = ''
            continue
        if re.fullmatch(r'[|-]+', line):
            previous = line
        elif previous:
            found.append(cells)
    return found


def sources(ending='.c', folders=('lib', 'manager', 'ctl', 'device', 'render',
                                  'sandbox', 'kernel')):
    return [path for path in files()
            if path.endswith(ending) and path.split('/')[0] in folders]


def macro_rows(path, table):
    """The arguments of each row(...) of a macro, strings as they are written."""
    text = re.search(rf'#define {table}\(row\)\s*\\\n(.*?)\n// clang-format on',
                     read(path), re.S)[1]
    text = re.sub(r'\s*\\\n\s*', ' ', text)
    return [re.findall(r'"(?:[^"\\]|\\.)*"|[^\s,"][^,"]*', row)
            for row in re.findall(r'row\(((?:"(?:[^"\\]|\\.)*"|[^")])*)\)', text)]
