# SPDX-License-Identifier: GPL-2.0-or-later
"""Calls of vgpud and vgpu-device fail: each operation succeeds or is refused,
and its resources are released."""

import errno
import os
import resource
import signal
import sys
import time

import faults
import frontend
import harness
from faults import ENDS, FAIL, CUT, LONG, NEVER, points
from harness import wait_for

# How many calls of a name are struck, one at a time: all of them at length.
MOST = NEVER if LONG else 3

# Name, action, errors.
OUT = [errno.ENOMEM]
STRIKES = [
    ('alloc', FAIL, OUT),
    ('memfd_create', FAIL, [errno.EMFILE]),
    ('socket', FAIL, [errno.EMFILE]),
    ('accept4', FAIL, [errno.EMFILE, errno.EINTR]),
    ('bind', FAIL, [errno.ENOSPC]),
    ('listen', FAIL, OUT),
    ('spawn', FAIL, [errno.EAGAIN]),
    ('pidfd_open', FAIL, [errno.EMFILE]),
    ('dup', FAIL, [errno.EMFILE]),
    ('epoll_ctl', FAIL, [errno.ENOSPC]),
    ('open', FAIL, [errno.EMFILE]),
    ('fsync', FAIL, [errno.EIO]),
    ('rename', FAIL, [errno.ENOSPC]),
    ('unlink', FAIL, [errno.EIO]),
    ('mkdir', FAIL, [errno.ENOSPC]),
    ('write', FAIL, [errno.ENOSPC, errno.EINTR]),
    ('write', CUT, [0]),
    ('read', FAIL, [errno.EINTR]),
    ('read', CUT, [0]),
    ('sendmsg', FAIL, [errno.ENOBUFS, errno.EINTR, errno.EAGAIN]),
    ('recvmsg', FAIL, [errno.EINTR, errno.EAGAIN, errno.ENOBUFS]),
    ('send', CUT, [0]),
    ('recv', CUT, [0]),
    ('mmap', FAIL, OUT),
    ('pthread_create', FAIL, [errno.EAGAIN]),
]


def create(m):
    m.create(type='128MB', name='a')
    m.call('Destroy', vgpu='a')


def use(m):
    """The calls made for a vGPU while it exists."""
    m.call('SetMode', vgpu='kept', width=640, height=480)
    m.call('ListVgpus')
    client = m.client()
    try:
        client.call('Capture', vgpu='kept')
    finally:
        client.close()


def attach(m):
    """A machine that comes, sets all up and goes."""
    with frontend.FrontEnd(m.show('kept')['socket']) as front:
        front.bring_up(size=1 << 20)


def reload(m):
    m.process.send_signal(signal.SIGHUP)
    m.call('ListTypes')


ENDS_OF_MACHINES = ENDS + (frontend.Gone, KeyError, AssertionError)
# Calls that get no answer: libsystemd drops a call that it has no memory to
# parse, and lets the caller wait.
UNANSWERED_MAX = 1


class Strikes(faults.FaultTest):
    """One call of one name at a time, in vgpud or in its device."""

    def count(self, m, injector, name, operation):
        injector.arm(name, NEVER)
        try:
            operation(m)
        finally:
            total, _ = injector.disarm()
        return total

    def sweep(self, m, injector, operation, check):
        struck = unanswered = 0
        for name, action, errors in STRIKES:
            total = self.count(m, injector, name, operation)
            for n in points(total, MOST):
                for error in errors if LONG else errors[n // 2 % len(errors):][:1]:
                    injector.arm(name, n, action, error)
                    try:
                        operation(m)
                    except TimeoutError:
                        unanswered += 1
                    except ENDS_OF_MACHINES:
                        pass
                    struck += injector.disarm()[1]
                    what = (f'{operation.__name__}: call {n} of {total} of '
                            f'{name}, {errno.errorcode.get(error, "cut")}')
                    if os.environ.get("VGPU_VERBOSE"):
                        print(f"{time.monotonic():.2f} {what}", file=sys.stderr, flush=True)
                    if name == 'unlink':
                        # What it could not remove goes when vgpud comes.
                        m.restart(signal.SIGTERM)
                        m.call('ListVgpus')
                        create(m)
                    check(what)
        self.assertGreater(struck, 4)
        self.assertLessEqual(unanswered, UNANSWERED_MAX)
        print(f'{operation.__name__}: {struck} calls struck', file=sys.stderr)
        self.log_is_sane(m)

    def test_create_in_vgpud(self):
        m = self.faulty()
        create(m)
        before = self.rest(m)
        self.sweep(m, m.injector, create,
                   lambda what: self.assert_rests(m, before, what))

    def test_create_in_device(self):
        m = self.faulty()
        create(m)
        before = self.rest(m)
        self.sweep(m, m.device, create,
                   lambda what: self.assert_rests(m, before, what))

    def kept(self, operation, injector_of):
        """A vGPU that stays, and serves after each strike as before it."""
        m = self.faulty()
        m.create(type='128MB', name='kept')
        use(m)
        attach(m)

        def serves(what):
            self.assertTrue(m.is_up(), f'{what}: {m.log()[-2000:]}')
            wait_for(lambda: 'socket' in m.show('kept') or
                     m.show('kept')['state'] == 'failed', what)
            if m.show('kept')['state'] == 'failed':
                # Ten strikes in a row ended a device each, within 5 s.
                self.assertIn('10 device processes', m.show('kept')['failure'])
                m.call('Destroy', vgpu='kept', force=True)
                m.create(type='128MB', name='kept')

            def does_all():
                try:
                    use(m)
                    attach(m)
                    return True
                except (TimeoutError, *ENDS_OF_MACHINES):
                    return False
            wait_for(does_all, f'{what}: a vGPU that serves')
        serves('the first time')
        self.sweep(m, injector_of(m), operation, serves)
        self.assertEqual(len(m.devices()), 1)
        self.destroy_all(m)
        wait_for(lambda: not m.devices(), 'the end of the device')

    def test_use_in_vgpud(self):
        self.kept(use, lambda m: m.injector)

    def test_use_in_device(self):
        self.kept(use, lambda m: m.device)

    def test_attach_in_vgpud(self):
        self.kept(attach, lambda m: m.injector)

    def test_attach_in_device(self):
        self.kept(attach, lambda m: m.device)

    def test_reload_in_vgpud(self):
        self.kept(reload, lambda m: m.injector)


class FewFds(faults.FaultTest):
    """A limit on fds that is reached in the middle of something."""

    def test_every_limit(self):
        m = self.faulty()
        create(m)
        before = self.rest(m)
        # A connection that is there already: none can come when fds are few.
        client = m.client()
        self.addCleanup(lambda: client.close())
        fds = m.fds()
        limits = range(fds - 1, fds + (40 if LONG else 12))
        for limit in limits:
            old = resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE)
            resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE,
                             (limit, old[1]))
            try:
                client.call('Create', type='128MB', name='a')
                client.call('Destroy', vgpu='a')
            except ENDS:
                pass
            finally:
                resource.prlimit(m.process.pid, resource.RLIMIT_NOFILE, old)
            client.close()
            self.assert_rests(m, before, f'with {limit} fds at most')
            client = m.client()
        self.log_is_sane(m)


if __name__ == '__main__':
    sys.exit(harness.main())
