# SPDX-License-Identifier: GPL-2.0-or-later
"""A private vgpud, a varlink client with fds, and what tests do with them."""

import array
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
HERE = os.path.dirname(os.path.abspath(__file__))
INTERFACE = 'io.openvgpu.Manager'
# Generous: only a hang is longer, also under a sanitizer on a busy machine.
TIMEOUT = 180

TYPE = """[{name}]
framebuffer_mib = {mib}
heads = {heads}
max_width = {width}
max_height = {height}
frame_rate_limit = 0
weight = 100
"""

# One, two and sixteen segments of 128 MiB; the last is larger than the pool.
TYPES = (TYPE.format(name='128MB', mib=128, heads=2, width=1920, height=1080) +
         TYPE.format(name='256MQ', mib=256, heads=1, width=2560, height=1600) +
         TYPE.format(name='1C', mib=1024, heads=0, width=0, height=0) +
         TYPE.format(name='2Q', mib=2048, heads=1, width=1024, height=768))

PROBE = """#!/bin/sh
echo '{"gpus":[{"name":"Soft","driver":"soft 1","deviceUuid":"ab","software":true,"memoryMib":4096,'
echo '"memoryImport":"host-pointer","memoryImportFailure":""},'
echo '{"name":"Hard","driver":"hard 2","deviceUuid":"cd","pciAddress":"0000:01:00.0","software":false,"memoryMib":8192,'
echo '"memoryImport":"none","memoryImportFailure":"host-pointer: no"}]}'
"""


class Refused(Exception):
    """A call ended with an error of the interface."""

    def __init__(self, error, parameters):
        super().__init__(error, parameters)
        self.error = error.removeprefix(INTERFACE + '.')
        self.parameters = parameters or {}


class Client:
    """One varlink connection."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.socket.settimeout(TIMEOUT)
        try:
            self.socket.connect(path)
        except OSError:
            self.socket.close()
            raise
        self.buffer = b''
        self.fds = []

    def close(self):
        for fd in self.fds:
            os.close(fd)
        self.fds = []
        self.socket.close()

    def send(self, method, parameters, more=False):
        message = {'method': f'{INTERFACE}.{method}', 'parameters': parameters}
        if more:
            message['more'] = True
        self.socket.sendall(json.dumps(message).encode() + b'\0')

    def receive(self):
        while b'\0' not in self.buffer:
            data, control, _, _ = self.socket.recvmsg(
                65536, socket.CMSG_SPACE(16 * 4))
            for _, kind, content in control:
                if kind == socket.SCM_RIGHTS:
                    fds = array.array('i')
                    fds.frombytes(content)
                    self.fds.extend(fds)
            if not data:
                raise EOFError('vgpud closed the connection')
            self.buffer += data
        text, _, self.buffer = self.buffer.partition(b'\0')
        message = json.loads(text)
        if 'error' in message:
            raise Refused(message['error'], message.get('parameters'))
        return message

    def call(self, method, **parameters):
        self.send(method, parameters)
        return self.receive().get('parameters', {})


class Manager:
    """A vgpud with folders of its own."""

    def __init__(self, mib=1024, types=TYPES, helpers=None, probe=PROBE,
                 folder=None, has_types_option=True):
        self.owned = folder is None
        self.has_types_option = has_types_option
        self.folder = folder or tempfile.mkdtemp(prefix='vgpud.')
        self.state = os.path.join(self.folder, 'state')
        self.runtime = os.path.join(self.folder, 'run')
        self.types = os.path.join(self.folder, 'types.ini')
        self.config = os.path.join(self.folder, 'vgpud.conf')
        self.helpers = os.path.join(self.folder, 'helpers')
        self.log_path = os.path.join(self.folder, 'log')
        self.socket = os.path.join(self.runtime, INTERFACE)
        self.program = os.path.join(BUILD, 'vgpud')
        self.process = None
        self.notify = None  # path of systemd's socket
        self.write(self.types, types)
        self.write(self.config, f'[embedded]\nframebuffer_mib = {mib}\n')
        os.makedirs(self.helpers, exist_ok=True)
        self.helper('vgpu-probe', probe)
        for name in ('vgpu-device', 'vgpu-vnc'):
            self.helper(name, (helpers or {}).get(name))

    @staticmethod
    def write(path, text):
        with open(path, 'w', encoding='utf-8') as f:
            f.write(text)

    def helper(self, name, text=None):
        """Make helper program NAME a script, or the real one."""
        path = os.path.join(self.helpers, name)
        if os.path.lexists(path):
            os.unlink(path)
        if text is None:
            os.symlink(os.path.join(BUILD, name), path)
        else:
            self.write(path, text)
            os.chmod(path, 0o755)

    def arguments(self):
        types = ['--types', self.types] if self.has_types_option else []
        return [self.program, '--state-dir', self.state,
                '--runtime-dir', self.runtime, *types,
                '--config', self.config]

    def spawn(self, **options):
        environment = dict(os.environ, VGPU_LIBEXECDIR=self.helpers)
        environment.pop('NOTIFY_SOCKET', None)
        if self.notify:
            environment['NOTIFY_SOCKET'] = self.notify
        with open(self.log_path, 'ab') as log:
            return subprocess.Popen(self.arguments(), stderr=log,
                                    stdin=subprocess.DEVNULL,
                                    env=environment, **options)

    def start(self, **options):
        if os.path.exists(self.socket):
            os.unlink(self.socket)
        self.process = self.spawn(**options)
        wait_for(lambda: self.is_serving() or
                 self.process.poll() is not None, 'vgpud to serve')
        if self.process.poll() is not None:
            raise AssertionError(f'vgpud ended at once: {self.log()}')
        return self

    def is_serving(self):
        try:
            self.client().close()
            return True
        except (FileNotFoundError, ConnectionRefusedError):
            return False

    def kill(self, number=signal.SIGKILL):
        if self.process:
            self.process.send_signal(number)
            status = self.process.wait(TIMEOUT)
            self.process = None
            return status
        return None

    def restart(self, number=signal.SIGKILL):
        self.kill(number)
        return self.start()

    def finish(self):
        """End every vGPU, then vgpud, which must end cleanly."""
        try:
            if not self.process:
                self.start()
            for vgpu in self.call('ListVgpus')['vgpus']:
                self.call('Destroy', vgpu=vgpu['uuid'], force=True)
            status = self.kill(signal.SIGTERM)
            if status != 0:
                raise AssertionError(
                    f'vgpud ended with {status}: {self.log()}')
            if 'runtime error' in self.log():
                raise AssertionError(self.log())
        finally:
            self.kill()
            if self.owned:
                shutil.rmtree(self.folder, ignore_errors=True)

    def client(self):
        return Client(self.socket)

    def call(self, method, **parameters):
        client = self.client()
        try:
            return client.call(method, **parameters)
        finally:
            client.close()

    def create(self, **parameters):
        return self.call('Create', **parameters)['uuid']

    def show(self, vgpu):
        return self.call('GetVgpu', vgpu=vgpu)['vgpu']

    def gpu(self, name='embedded'):
        for gpu in self.call('ListGpus')['gpus']:
            if gpu['gpu'] == name:
                return gpu
        raise AssertionError(f'no GPU {name}')

    def events(self):
        client = self.client()
        try:
            client.send('Subscribe', {'history': True, 'follow': False}, True)
            events = []
            while True:
                message = client.receive()
                if message.get('parameters', {}).get('event'):
                    events.append(message['parameters']['event'])
                if not message.get('continues'):
                    return events
        finally:
            client.close()

    def log(self):
        with open(self.log_path, encoding='utf-8') as f:
            return f.read()

    def definition(self, uuid):
        return os.path.join(self.state, 'vgpus', uuid + '.json')

    def folder_of(self, uuid):
        return os.path.join(self.runtime, uuid)

    def fds(self):
        return len(os.listdir(f'/proc/{self.process.pid}/fd'))

    def files(self):
        """All files below both folders."""
        return sorted(os.path.join(folder, name)
                      for top in (self.state, self.runtime)
                      for folder, _, names in os.walk(top) for name in names)


def wait_for(condition, what):
    end = time.monotonic() + TIMEOUT
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise AssertionError(f'waited {TIMEOUT} s in vain for {what}')
        time.sleep(0.01)


def wait_for_rest(manager):
    """The files and fds of an idle manager with a full pool."""
    wait_for(lambda: manager.gpu()['readyMib'] == manager.gpu()['freeMib'],
             'the pool')
    pids = [manager.process.pid] + [
        vgpu['devicePid'] for vgpu in manager.call('ListVgpus')['vgpus']
        if 'devicePid' in vgpu]
    seen = []

    def is_steady():
        now = manager.files(), manager.fds()
        # Whoever has something to do and gets no processor does not sleep.
        if any(state != 'S' for pid in pids for state in thread_states(pid)) \
                or (seen and now != seen[-1]):
            seen.clear()
        seen.append(now)
        time.sleep(0.02)
        return len(seen) > 4
    wait_for(is_steady, 'vgpud to rest')
    return seen[-1]


def replace_device(manager, name):
    """Kill a vGPU's device; its pid, when another one serves."""
    pid = manager.show(name)['devicePid']
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: manager.show(name).get('devicePid', pid) != pid and
             'socket' in manager.show(name), 'a successor')
    return pid


def kill_to_the_end(pid):
    """Kill it; when this returns, no vgpud that starts takes it for alive."""
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(pid), f'the end of process {pid}')


def thread_state(path):
    with open(path + '/stat', encoding='utf-8') as f:
        return f.read().rpartition(')')[2].split()[0]


def thread_states(pid):
    """A letter of proc(5) for each thread that a process has."""
    threads = f'/proc/{pid}/task'
    while os.path.exists(threads):
        try:
            return [thread_state(f'{threads}/{thread}')
                    for thread in os.listdir(threads)]
        except (FileNotFoundError, ProcessLookupError):
            pass  # one ended meanwhile: the others are looked at again
    return []


def is_alive(pid):
    # The first thread may be a zombie while others still have all fds.
    return any(state not in 'ZX' for state in thread_states(pid))


class ManagerTest(unittest.TestCase):
    """A test with a vgpud of its own."""

    def manager(self, **options):
        manager = Manager(**options)
        self.addCleanup(manager.finish)
        return manager.start()

    def assert_refused(self, error, call, *arguments, **parameters):
        with self.assertRaises(Refused) as caught:
            call(*arguments, **parameters)
        refused = caught.exception
        self.assertEqual(refused.error, error, refused.parameters)
        text = refused.parameters.get('text')
        if error.startswith('org.varlink'):
            return refused
        self.assertTrue(text and '\n' not in text and text.isprintable(),
                        repr(text))
        return refused

    def assert_clean(self, manager):
        """Nothing of any vGPU is left."""
        self.assertEqual(manager.call('ListVgpus')['vgpus'], [])
        self.assertEqual(os.listdir(os.path.join(manager.state, 'vgpus')), [])
        self.assertEqual([name for name in os.listdir(manager.runtime)
                          if not name.startswith('.')], [INTERFACE])


def main():
    unittest.main(verbosity=2)
