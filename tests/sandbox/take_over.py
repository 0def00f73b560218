# SPDX-License-Identifier: GPL-2.0-or-later
"""take_over.py SOCKET CALL...: a guest of the vGPU at SOCKET takes over its render
process, the only one there is, which then makes the system call of these numbers. By
root, where the vGPU's service runs."""

import glob
import sys
import time

import venus
from intruder import Intruder
from machine import Machine

# Of a take-over, of which about one in a hundred fails.
TRIES = 4
GETPID = (39,)


def wait_for(condition, what):
    end = time.monotonic() + venus.vt.TIMEOUT
    while not condition():
        assert time.monotonic() < end, f'waited in vain for {what}'
        time.sleep(0.01)


def is_taken_over(path, find_processes, *calls):
    """Whether the first of these calls was made by the only render process of those
    that @find_processes returns, which has ended afterwards."""
    machine = Machine(path)
    try:
        machine.run(venus.seek_reply(0))  # there is a process then
        # What the launcher has forked on the way to it ends by itself.
        wait_for(lambda: len(find_processes()) == 1, 'one process')
        pid, = find_processes()
        intruder = Intruder(machine, pid)
        intruder.take_over(calls)
        is_taken = intruder.results(len(calls))[0] is not None
        wait_for(lambda: not find_processes(), 'its end')
        return is_taken
    finally:
        machine.close()


def take_over(path, find_processes, call):
    """A stack may be another than it was guessed to be: then not even the first call
    is made, and it is tried again."""
    for _ in range(TRIES):
        if is_taken_over(path, find_processes, GETPID, call):
            return
    raise AssertionError('it is not taken over')


def find_renders():
    found = set()
    for path in glob.glob('/proc/[0-9]*/comm'):
        try:
            with open(path, encoding='ascii', errors='replace') as comm:
                if comm.read().strip() == 'vgpu-render':
                    found.add(int(path.split('/')[2]))
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


if __name__ == '__main__':
    take_over(sys.argv[1], find_renders,
              tuple(int(number, 0) for number in sys.argv[2:]))
