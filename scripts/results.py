#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""What checks came to. They run in several labs, so that the results of the first
ones wait in a file for the report; run as a program, this is the report of them, or,
as `results.py --failed NAME WHY`, one result that waits for it."""

import json
import os
import re
import subprocess
import sys
import time

WAITING = 'build/results.jsonl'
TAIL_LINES = 80
SKIPPED = 77

# Passed, but not at the first try: counted as passed, and told.
UNSTEADY = 'unsteady'

results = []  # (name, 'passed', 'failed', 'skipped' or UNSTEADY, log)


def note(name, outcome, log=''):
    results.append((name, outcome, log))


def run(name, command, noise=None):
    """
    Run a command as one check; returns whether it passed. Lines that begin
    with noise, a pattern, are left out of its log.
    """
    start = time.monotonic()
    print(f'{name} ...', flush=True)
    done = subprocess.run(command, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, errors='replace')
    outcome = {0: 'passed', SKIPPED: 'skipped'}.get(done.returncode, 'failed')
    print(f'{name} {outcome} in {time.monotonic() - start:.1f} s', flush=True)
    note(name, outcome, '\n'.join(line for line in done.stdout.splitlines()
                                  if not (noise and re.match(noise, line))))
    return outcome == 'passed'


def put_off():
    """Leave the results to the report of another process."""
    os.makedirs(os.path.dirname(WAITING), exist_ok=True)
    with open(WAITING, 'a', encoding='utf-8') as file:
        for result in results:
            file.write(json.dumps(result) + '\n')


def report():
    if os.path.exists(WAITING):
        with open(WAITING, encoding='utf-8') as file:
            results[:0] = [json.loads(line) for line in file]
        os.unlink(WAITING)
    for name, outcome, log in results:
        lines = log.rstrip().splitlines()
        # A test that is skipped says why in its last line of output.
        keep = {'failed': TAIL_LINES, UNSTEADY: TAIL_LINES,
                'skipped': 2}.get(outcome, 0)
        if keep:
            print(f'\n==== {outcome}: {name}', *lines[-keep:], sep='\n')
    count = {outcome: sum(1 for r in results if r[1] == outcome)
             for outcome in ('passed', 'failed', 'skipped', UNSTEADY)}
    print()
    if count[UNSTEADY]:
        print(f'{count[UNSTEADY]} of these passed at the second try only, see '
              'above: each is a fault of the test or of the product')
    print(f'{count["passed"] + count[UNSTEADY]} passed, '
          f'{count["failed"]} failed, {count["skipped"]} skipped', flush=True)
    return 0 if count['failed'] == 0 and count['passed'] > 0 else 1


def main(arguments):
    if arguments[:1] == ['--failed']:
        note(arguments[1], 'failed', arguments[2])
        return put_off()
    return report()


if __name__ == '__main__':
    sys.exit(main(sys.argv[1:]))
