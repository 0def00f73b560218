#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""A long run with random faults: processes of all kinds are killed and stopped
while two machines, VNC viewers, Vulkan programs and clients of the manager have
work. Nobody may notice but who was struck, nothing is left over, nothing grows.

soak.py [--seconds N] [--seed N]: what it does follows from the seed, but for how
long each thing takes. Exits with 1 at the first thing that is wrong.
"""

import argparse
import os
import random
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
for folder in 'manager', 'device':
    sys.path.insert(0, os.path.join(HERE, '..', folder))

# pylint: disable=wrong-import-position
import frontend
import harness
from harness import Refused, wait_for

MACHINES = ('left', 'right')
IDLE, STEADY = 'idle', 'steady'
# A device that ends ten times within 5 s each is given up, see vgpud(8).
BETWEEN_DEATHS_S = 6
STOPPED_S = (0.5, 3)  # less than vgpud waits for an answer
BETWEEN_FAULTS_S = (0.3, 2)
RSS_KIB_MAX = 1024  # more than that, and it grows
GET_DISPLAY_INFO, OK_DISPLAY_INFO = 0x100, 0x1101
COMPUTE = os.path.join(harness.BUILD, 'tests', 'render', 'vtest',
                       'vulkan-compute')
VENUS = '/usr/share/vulkan/icd.d/virtio_icd.json'
# What a call may end with while vgpud is killed.
GONE = (EOFError, ConnectionError, BrokenPipeError, FileNotFoundError)


class Wrong(Exception):
    """Something is not as it must be."""


class Worker(threading.Thread):
    """Does one thing again and again; the main thread looks how it goes."""

    def __init__(self, name):
        super().__init__(name=name, daemon=True)
        self.is_over = threading.Event()
        self.done = 0
        self.problem = None

    def run(self):
        try:
            while not self.is_over.is_set():
                self.step()
                self.done += 1
        except Exception as error:  # whatever it is: it ends the run
            self.problem = f'{self.name}: {error!r}'

    def step(self):
        raise NotImplementedError

    def finish(self):
        self.is_over.set()
        self.join(harness.TIMEOUT)
        if self.is_alive():
            raise Wrong(f'{self.name} hangs')


class Machine(Worker):
    """A front end whose guest asks for its displays, whatever is killed."""

    def __init__(self, manager, name):
        super().__init__(name)
        self.front = frontend.FrontEnd(manager.show(name)['socket'])
        self.queue = self.front.bring_up(size=4 << 20)[0]

    def step(self):
        self.queue.submit(struct.pack('<IIQII', GET_DISPLAY_INFO, 0, 0, 0, 0),
                          writable=408)
        _, answer, _ = self.queue.wait(harness.TIMEOUT)
        if struct.unpack('<I', answer[:4])[0] != OK_DISPLAY_INFO:
            raise Wrong(f'answer {answer[:4].hex()}')
        self.is_over.wait(0.005)

    def finish(self):
        super().finish()
        self.front.close()


class Client(Worker):
    """Makes, changes, looks at and destroys vGPUs."""

    def __init__(self, manager, chance):
        super().__init__('client')
        self.manager = manager
        self.chance = random.Random(chance.random())
        self.refused = {}

    def call(self, method, **parameters):
        try:
            return self.manager.call(method, **parameters)
        except Refused as refused:
            # A vGPU in the middle of something; or vgpud died after it had
            # done what it was asked.
            if refused.error not in ('TryAgain', 'NoSuchVgpu', 'NameInUse',
                                     'NotActive', 'NoRoom', 'DeviceFailed'):
                raise
            self.refused[refused.error] = self.refused.get(refused.error, 0) + 1
        except GONE:
            self.is_over.wait(0.05)
        return None

    def step(self):
        if not self.call('Create', type='128MB', name='churn'):
            self.call('Destroy', vgpu='churn', force=True)
            return
        for _ in range(self.chance.randrange(4)):
            name = self.chance.choice((*MACHINES, IDLE, 'churn'))
            self.chance.choice((
                lambda name=name: self.call('SetMode', vgpu=name, head=1,
                                            width=1280, height=720),
                lambda name=name: self.call('SetMode', vgpu=name, head=1,
                                            width=0, height=0),
                lambda name=name: self.call('Capture', vgpu=name),
                lambda name=name: self.call('GetVgpu', vgpu=name)))()
        self.call('Destroy', vgpu='churn', force=True)


class Programs(Worker):
    """Vulkan programs on a vgpu-device without a machine, one after another."""

    def __init__(self, folder):
        super().__init__('programs')
        self.path = os.path.join(folder, 'vtest.sock')
        self.log = open(os.path.join(folder, 'vtest.log'), 'wb')
        self.device = subprocess.Popen(
            [os.path.join(harness.BUILD, 'vgpu-device'), '--vtest', self.path,
             '--framebuffer-mib', '256', '--name', 'soak'],
            stdin=subprocess.DEVNULL, stderr=self.log)
        self.program = None
        self.strikes = 0  # how often something of a program's was struck
        self.failures = 0
        wait_for(self.listens, 'vgpu-device --vtest')

    def listens(self):
        with socket.socket(socket.AF_UNIX) as client:
            try:
                client.connect(self.path)
                return True
            except (FileNotFoundError, ConnectionRefusedError):
                return False

    def step(self):
        strikes = self.strikes
        environment = dict(os.environ, VN_DEBUG='vtest', VK_DRIVER_FILES=VENUS,
                           VTEST_SOCKET_NAME=self.path)
        self.program = subprocess.Popen(
            [COMPUTE], env=environment, stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        status = self.program.wait(harness.TIMEOUT)
        # A process that waits for the next context may be struck before it has
        # one.
        if status != 0 and strikes == self.strikes and self.failures >= strikes:
            raise Wrong(f'a program ended with {status}, and nothing hit it')
        self.failures += status != 0

    def renders(self):
        return [child for launcher, _ in frontend.children_of(self.device.pid)
                for child, _ in frontend.children_of(launcher)]

    def finish(self):
        super().finish()
        wait_for(lambda: len(self.renders()) <= 1, 'the end of every context')
        self.device.terminate()
        status = self.device.wait(harness.TIMEOUT)
        self.log.close()
        if status != 0 or os.path.exists(self.path):
            raise Wrong(f'vgpu-device --vtest ended with {status}')


class Soak:
    def __init__(self, seconds, seed):
        self.chance = random.Random(seed)
        self.seconds = seconds
        self.begun = time.monotonic()
        self.faults = {}
        self.last_death = {}
        self.manager = harness.Manager(mib=1024)
        self.workers = []
        self.programs = None

    def say(self, text):
        print(f'{time.monotonic() - self.begun:7.2f}  {text}', flush=True)

    def start(self):
        m = self.manager.start()
        for name in (*MACHINES, IDLE, STEADY):
            m.create(type='128MB', name=name)
        for name in MACHINES:
            self.workers.append(Machine(m, name))
            m.call('SetVnc', vgpu=name, address='unix:' +
                   os.path.join(m.runtime, name + '.vnc'))
        self.workers.append(Client(m, self.chance))
        if os.path.exists(VENUS) and os.path.exists(COMPUTE):
            self.programs = Programs(m.folder)
            self.workers.append(self.programs)
        for worker in self.workers:
            worker.start()

    # What may be struck: each returns the pid, or None if there is none now.

    def vgpud(self):
        return self.manager.process.pid

    def device(self):
        now = time.monotonic()
        names = [name for name in (*MACHINES, IDLE)
                 if now - self.last_death.get(name, 0) > BETWEEN_DEATHS_S]
        if not names:
            return None
        name = self.chance.choice(names)
        self.last_death[name] = now
        return self.manager.show(name).get('devicePid')

    def vnc(self):
        path = self.manager.folder.encode()
        found = []
        for pid in filter(str.isdigit, os.listdir('/proc')):
            try:
                with open(f'/proc/{pid}/cmdline', 'rb') as file:
                    words = file.read().split(b'\0')
            except (FileNotFoundError, ProcessLookupError):
                continue
            if words[0].endswith(b'vgpu-vnc') and any(path in w for w in words):
                found.append(int(pid))
        return self.chance.choice(sorted(found)) if found else None

    def render(self):
        renders = self.programs.renders() if self.programs else []
        if not renders:
            return None
        self.programs.strikes += 1
        return self.chance.choice(renders)

    def program(self):
        if not self.programs or not self.programs.program:
            return None
        self.programs.strikes += 1
        return self.programs.program.pid

    def strike(self):
        kind = self.chance.choice(('vgpud', 'device', 'vnc', 'render',
                                   'program'))
        how = self.chance.choice(('killed', 'stopped'))
        pause = self.chance.uniform(*STOPPED_S)
        pid = getattr(self, kind)()
        if pid is None:
            return
        self.say(f'{kind} {pid} is {how}')
        try:
            if how == 'killed' and kind == 'vgpud':
                self.manager.restart()
            elif how == 'killed':
                os.kill(pid, signal.SIGKILL)
            else:
                os.kill(pid, signal.SIGSTOP)
                time.sleep(pause)
                os.kill(pid, signal.SIGCONT)
        except ProcessLookupError:
            return  # it has just ended by itself
        self.faults[f'{kind} {how}'] = self.faults.get(f'{kind} {how}', 0) + 1

    def check(self):
        """Nobody was hurt for whom it was not meant."""
        for worker in self.workers:
            if worker.problem:
                raise Wrong(worker.problem)
        before = [worker.done for worker in self.workers[:len(MACHINES)]]
        wait_for(lambda: all(
            worker.done > done or worker.problem
            for worker, done in zip(self.workers, before)),
            'both machines to go on')
        if self.manager.process.poll() is not None:
            raise Wrong(f'vgpud ended: {self.manager.log()[-2000:]}')
        vgpus = {v.get('name'): v for v in
                 self.manager.call('ListVgpus')['vgpus']}
        missing = {*MACHINES, IDLE, STEADY} - vgpus.keys()
        if missing:
            raise Wrong(f'{missing} are gone')
        for vgpu in vgpus.values():
            if vgpu['state'] == 'failed':
                raise Wrong(f'{vgpu["name"]} failed: {vgpu["failure"]}')
        for name in MACHINES:
            wait_for(lambda name=name:
                     self.manager.show(name)['state'] == 'attached',
                     f'{name} to be attached')

    def run(self):
        m = self.manager
        steady = m.show(STEADY)['devicePid']
        before = frontend.rss_kib(steady), frontend.count_fds(steady)
        while time.monotonic() - self.begun < self.seconds:
            time.sleep(self.chance.uniform(*BETWEEN_FAULTS_S))
            self.strike()
            self.check()
        if m.show(STEADY)['devicePid'] != steady:
            raise Wrong('the device that nobody struck was replaced')
        after = frontend.rss_kib(steady), frontend.count_fds(steady)
        if after[0] > before[0] + RSS_KIB_MAX or after[1] > before[1] + 1:
            raise Wrong(f'an idle device grew: {before} to {after} (KiB, fds)')
        self.say(f'the device that nobody struck: {before} to {after} KiB, fds')

    def rounds(self, n):
        """What vgpud has when it rests after so many lives of a vGPU."""
        m = self.manager
        for _ in range(n):
            m.create(type='128MB', name='life')
            m.call('SetMode', vgpu='life', width=1280, height=720)
            client = m.client()
            client.call('Capture', vgpu='life')
            client.close()
            m.call('Destroy', vgpu='life')
        _, fds = harness.wait_for_rest(m)
        return frontend.rss_kib(m.process.pid), fds

    def end(self):
        """Everything is given back."""
        m = self.manager
        for worker in self.workers:
            worker.finish()
            if worker.problem:
                raise Wrong(worker.problem)
        for vgpu in m.call('ListVgpus')['vgpus']:
            m.call('Destroy', vgpu=vgpu['uuid'], force=True)
        before = self.rounds(20)
        after = self.rounds(60)
        self.say(f'vgpud after 20 and 80 lives of a vGPU: {before} and {after}'
                 ' KiB, fds')
        if after[0] > before[0] + RSS_KIB_MAX or after[1] != before[1]:
            raise Wrong(f'vgpud grew: {before} to {after} (KiB, fds)')
        left = [path for path in m.files() if os.path.basename(path)[0] != '.'
                and os.path.basename(path) not in (harness.INTERFACE,
                                                   'types.ini')]
        if left:
            raise Wrong(f'files are left: {left}')
        pids = []

        def devices():
            pids[:] = [pid for pid, name in frontend.children_of(m.process.pid)]
            return pids
        wait_for(lambda: not devices(), 'the end of every device')

    def report(self):
        counts = ', '.join(f'{n} {what}' for what, n in
                           sorted(self.faults.items()))
        done = ', '.join(f'{w.done} of {w.name}' for w in self.workers)
        self.say(f'{sum(self.faults.values())} faults ({counts}); steps: {done}')


def main():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', 1)[0])
    parser.add_argument('--seconds', type=float, default=600)
    parser.add_argument('--seed', type=int, default=int(time.time()))
    arguments = parser.parse_args()
    print(f'soak: {arguments.seconds:g} s, --seed {arguments.seed}', flush=True)
    soak = Soak(arguments.seconds, arguments.seed)
    try:
        soak.start()
        soak.run()
        soak.end()
        soak.manager.finish()
    except (Wrong, AssertionError, Refused) as wrong:
        soak.report()
        soak.say(f'wrong: {wrong}')
        print(soak.manager.log()[-4000:], file=sys.stderr)
        kept = os.path.join(harness.BUILD, 'meson-logs', 'soak')
        shutil.rmtree(kept, ignore_errors=True)
        shutil.copytree(soak.manager.folder, kept, ignore=lambda folder, names:
                        [n for n in names if not os.path.isfile(
                            os.path.join(folder, n))
                         and not os.path.isdir(os.path.join(folder, n))])
        return 1
    soak.report()
    return 0


if __name__ == '__main__':
    status = main()
    sys.stdout.flush()
    # Threads that hang must not keep it.
    os._exit(status)
