# SPDX-License-Identifier: GPL-2.0-or-later
"""A manager that gives the replies that a test chose, over real varlink."""

import array
import json
import os
import shutil
import socket
import subprocess
import tempfile
import threading
import unittest

BUILD = os.environ.get('VGPU_BUILD', os.path.join(os.getcwd(), 'build'))
SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
VGPUCTL = os.path.join(BUILD, 'vgpuctl')
INTERFACE = 'io.openvgpu.Manager'
TIMEOUT = 180  # seconds; only a hang takes so long


class Error:
    """A reply that is an error."""

    def __init__(self, name, **parameters):
        self.name = name if '.' in name else f'{INTERFACE}.{name}'
        self.parameters = parameters


class Raw:
    """Bytes sent instead of a reply; the connection is closed behind them."""

    def __init__(self, data):
        self.data = data


class Several:
    """The replies to a call with more; the last one ends it unless open."""

    def __init__(self, *parameters, is_open=False):
        self.parameters = parameters
        self.is_open = is_open


class WithFds:
    """A reply with file descriptors."""

    def __init__(self, fds, **parameters):
        self.fds = fds
        self.parameters = parameters


class FakeManager:
    """Answers each method with what replies[method] is, or returns if called."""

    def __init__(self, path, replies):
        self.replies = replies
        self.calls = []  # (method, parameters), as they came
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()
        self.connections = []
        self.thread = threading.Thread(target=self.accept, daemon=True)
        self.thread.start()

    def accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.connections.append(connection)
            threading.Thread(target=self.serve, args=(connection,),
                             daemon=True).start()

    def serve(self, connection):
        data = b''
        try:
            while True:
                got = connection.recv(65536)
                if not got:
                    break
                data += got
                while b'\0' in data:
                    message, data = data.split(b'\0', 1)
                    if not self.answer(connection, json.loads(message)):
                        connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        connection.close()

    def answer(self, connection, call):
        method = call['method'].removeprefix(INTERFACE + '.')
        parameters = call.get('parameters') or {}
        self.calls.append((method, parameters))
        reply = self.replies.get(method, Error(
            'org.varlink.service.MethodNotFound', method=call['method']))
        if callable(reply):
            reply = reply(parameters)
        if isinstance(reply, Raw):
            connection.sendall(reply.data)
            return False
        if isinstance(reply, Error):
            self.send(connection, {'error': reply.name,
                                   'parameters': reply.parameters})
        elif isinstance(reply, WithFds):
            self.send(connection, {'parameters': reply.parameters}, reply.fds)
        elif isinstance(reply, Several):
            last = len(reply.parameters) - 1
            for i, one in enumerate(reply.parameters):
                self.send(connection, {'parameters': one,
                                       'continues': reply.is_open or i < last})
        else:
            self.send(connection, {'parameters': reply})
        return True

    @staticmethod
    def send(connection, message, fds=()):
        data = json.dumps(message).encode() + b'\0'
        ancillary = []
        if fds:
            ancillary = [(socket.SOL_SOCKET, socket.SCM_RIGHTS,
                          array.array('i', fds))]
        connection.sendmsg([data], ancillary)

    def close(self):
        for one in (self.listener, *self.connections):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            one.close()
        self.thread.join(TIMEOUT)


class CtlTest(unittest.TestCase):
    """Has a folder, a fake manager when asked, and vgpuctl to run."""

    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix='vgpuctl-')
        self.addCleanup(shutil.rmtree, self.folder)
        self.socket = os.path.join(self.folder, 's')
        self.environment = {
            'PATH': os.environ['PATH'],
            'LANG': 'C.UTF-8',
            'TZ': 'UTC',
            'VGPU_SOCKET': self.socket,
        }

    def manager(self, **replies):
        manager = FakeManager(self.socket, replies)
        self.addCleanup(manager.close)
        return manager

    def ctl(self, *arguments, **options):
        """Run vgpuctl: its exit status, stdout and stderr."""
        options.setdefault('env', self.environment)
        if 'input' not in options:
            options['stdin'] = subprocess.DEVNULL
        done = subprocess.run([VGPUCTL, *arguments], capture_output=True,
                              timeout=TIMEOUT, check=False, **options)
        return done.returncode, done.stdout.decode(), done.stderr.decode()

    def assert_line(self, text):
        """One line with nothing in it that a terminal would obey."""
        self.assertTrue(text.endswith('\n'), text)
        self.assertEqual(text.count('\n'), 1, text)
        self.assertTrue(all(c.isprintable() for c in text[:-1]), repr(text))

    def assert_fails(self, status, *arguments, **options):
        """It exits with status and one line, which is returned."""
        code, out, err = self.ctl(*arguments, **options)
        self.assertEqual((code, out), (status, ''), err)
        self.assert_line(err)
        self.assertTrue(err.startswith('vgpuctl: '), err)
        return err

    def assert_golden(self, name, text):
        path = os.path.join(SOURCE, 'tests/ctl/golden', name)
        if os.environ.get('VGPU_GOLDEN') == 'write':
            with open(path, 'w', encoding='utf-8') as f:
                f.write(text)
        with open(path, encoding='utf-8') as f:
            self.assertEqual(f.read(), text)


def gpus():
    return {'gpus': [
        {'gpu': 'embedded', 'name': 'llvmpipe (LLVM 19.1.7, 256 bits)',
         'driver': 'llvmpipe Mesa 26.1.6', 'provider': 'mediated',
         'deviceUuid': '6d657361-3236-2e31-2e36-2d317e627000',
         'software': True, 'memoryMib': 24105, 'framebufferMib': 8192,
         'freeMib': 2048, 'readyMib': 1024, 'vgpus': 2},
        {'gpu': '0000:01:00.0', 'name': 'A GPU', 'driver': 'its driver 1.2',
         'provider': 'mediated', 'pciAddress': '0000:01:00.0',
         'deviceUuid': '00112233-4455-6677-8899-aabbccddeeff',
         'unusable': 'its memory comes with the renderer',
         'software': False, 'memoryMib': 16384, 'framebufferMib': 0,
         'freeMib': 0, 'readyMib': 0, 'vgpus': 0}]}


def types():
    def one(name, mib, heads, width, height, limit, available):
        return {'type': name, 'series': name[-1], 'gpu': 'embedded',
                'framebufferMib': mib, 'heads': heads, 'maxWidth': width,
                'maxHeight': height, 'frameRateLimit': limit, 'weight': 100,
                'hostMemoryMib': 512,
                'available': available}
    return {'types': [one('1B', 1024, 4, 2560, 1600, 45, 2),
                      one('4C', 4096, 0, 0, 0, 0, 0),
                      one('4Q', 4096, 4, 7680, 4320, 60, 0)]}


def cad():
    return {'uuid': '2b0f6d0e-8c0b-4f0e-9d3e-6a1f0f0f7a11', 'name': 'cad',
            'type': '4Q', 'gpu': 'embedded', 'provider': 'mediated',
            'state': 'attached',
            'socket': '/run/vgpu/2b0f6d0e-8c0b-4f0e-9d3e-6a1f0f0f7a11/vhost.sock',
            'framebufferMib': 4096, 'framebufferOffsetMib': 0,
            'hostMemoryMib': 512,
            'usedBytes': 33554433, 'devicePid': 1234, 'vmPid': 1240,
            'restarts': 1, 'commands': 1500, 'errors': 2,
            'heads': [{'head': 0, 'width': 1920, 'height': 1080,
                       'preferredWidth': 1920, 'preferredHeight': 1080,
                       'vnc': 'unix:/tmp/cad.vnc', 'vncInput': True,
                       'vncPassword': True},
                      {'head': 1, 'width': 0, 'height': 0,
                       'preferredWidth': 1280, 'preferredHeight': 1024},
                      {'head': 2, 'width': 0, 'height': 0,
                       'preferredWidth': 0, 'preferredHeight': 0}]}


def counted():
    """A vGPU that has everything that is counted."""
    vgpu = cad()
    vgpu.update(
        cpuUsec=1234567, memoryBytes=2**30, memoryMaxBytes=2**31, grantedPpm=250000,
        graphicsNs=1500000000, encoderNs=0, decoderNs=7, frames=600,
        frameRateLimit=60, queueDepth=3, contexts=2, submits=99, framesPerSecond=59,
        contextsLost=[{'what': 'time', 'count': 1}, {'what': 'stream', 'count': 0}],
        refusals=[{'what': 'resource', 'count': 4}],
        frameIntervals=[{'upToUsec': 16000, 'frames': 10},
                        {'upToUsec': 18000, 'frames': 500},
                        {'upToUsec': 1000000, 'frames': 1}],
        frameIntervalsUsec=9000000)
    vgpu['heads'][0]['vncClients'] = 2
    return vgpu


def nameless():
    return {'uuid': '9f1d5c1e-63a2-4a0c-8f67-0d2b6c3e4f55', 'name': None,
            'type': '4C', 'gpu': 'embedded', 'provider': 'mediated',
            'state': 'failed', 'failure': 'its device ended 10 times in a row',
            'framebufferMib': 4096, 'framebufferOffsetMib': 4096,
            'usedBytes': 0, 'restarts': 10, 'commands': 0, 'errors': 0,
            'heads': []}


def vgpus():
    return {'vgpus': [cad(), nameless()]}


def hostile():
    """A vGPU whose strings would take a terminal over."""
    vgpu = cad()
    vgpu.update(name='\x1b[2J\x07\r\n\u009b1m\u202eevil\x7f\u2028', state='\t')
    vgpu['heads'][0]['vnc'] = 'unix:\x1b]0;title\x07'
    return vgpu
