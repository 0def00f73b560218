# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads Prometheus' text format 0.0.4, and takes nothing that the format forbids."""

import re

NAME = re.compile(r'[a-zA-Z_:][a-zA-Z0-9_:]*')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
VALUE = re.compile(r'[+-]?(?:\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|Inf|NaN)')
TYPES = {'counter', 'gauge', 'histogram', 'summary', 'untyped'}


class Malformed(Exception):
    pass


def expect(condition, line):
    if not condition:
        raise Malformed(line)


def unescape(text):
    return re.sub(r'\\(.)', lambda m: {'n': '\n'}.get(m[1], m[1]), text)


def parse_sample(line):
    """NAME{LABELS} VALUE: (name, labels, value); no time stamps."""
    name = NAME.match(line)
    expect(name, line)
    rest, labels = line[name.end():], {}
    if rest.startswith('{'):
        rest = rest[1:]
        while not rest.startswith('}'):
            label = LABEL.match(rest)
            expect(label and label[1] not in labels and
                   not label[1].startswith('__'), line)
            labels[label[1]] = unescape(label[2])
            rest = rest[label.end():]
            expect(rest[:1] in (',', '}'), line)
            rest = rest.removeprefix(',')
        rest = rest[1:]
    expect(rest.startswith(' ') and VALUE.fullmatch(rest[1:]), line)
    return name[0], labels, float(rest[1:])


def family_of(name, families):
    """The metric that a sample's name is of."""
    for suffix in '', '_bucket', '_sum', '_count':
        base = name.removesuffix(suffix) if suffix else name
        if base in families and (not suffix or
                                 families[base]['type'] == 'histogram'):
            return base
    return None


def check_histogram(name, samples):
    series = {}
    for sample, labels, value in samples:
        rest = tuple(sorted((k, v) for k, v in labels.items() if k != 'le'))
        one = series.setdefault(rest, {'buckets': []})
        if sample == name + '_bucket':
            one['buckets'].append((float(labels['le']), value))
        else:
            one[sample.removeprefix(name)] = value
    for one in series.values():
        bounds = [bound for bound, _ in one['buckets']]
        counts = [count for _, count in one['buckets']]
        expect(bounds == sorted(set(bounds)) and bounds[-1] == float('inf'), name)
        expect(counts == sorted(counts) and counts[-1] == one['_count'], name)
        expect('_sum' in one, name)


def parse(text):
    """{name: {type, help, samples: [(name, labels, value)]}}"""
    families, current, seen = {}, None, set()
    expect(text.endswith('\n'), 'the last line has no end')
    for line in text.split('\n')[:-1]:
        expect(line == line.strip() and line, line)
        if line.startswith('# HELP '):
            name, _, about = line[7:].partition(' ')
            expect(NAME.fullmatch(name) and name not in families and about, line)
            families[name] = {'help': about, 'type': None, 'samples': []}
            current = name
        elif line.startswith('# TYPE '):
            name, _, kind = line[7:].partition(' ')
            expect(name == current and families[name]['type'] is None and
                   not families[name]['samples'] and kind in TYPES, line)
            families[name]['type'] = kind
        else:
            expect(not line.startswith('#'), line)
            name, labels, value = parse_sample(line)
            # All samples of one metric stand together.
            expect(family_of(name, families) == current, line)
            key = name, tuple(sorted(labels.items()))
            expect(key not in seen, line)
            seen.add(key)
            families[current]['samples'].append((name, labels, value))
    for name, family in families.items():
        expect(family['type'], name)
        # https://prometheus.io/docs/practices/naming/
        expect((family['type'] == 'counter') == name.endswith('_total'), name)
        if family['type'] == 'histogram':
            check_histogram(name, family['samples'])
        else:
            expect(all(value >= 0 for _, _, value in family['samples']), name)
    return families


def value_of(families, name, /, **labels):
    """Of the one sample that has these labels, among others."""
    found = [value for family in families.values()
             for sample, there, value in family['samples']
             if sample == name and labels.items() <= there.items()]
    if len(found) != 1:
        raise KeyError((name, labels, found))
    return found[0]
