# SPDX-License-Identifier: GPL-2.0-or-later
"""vgpu-web, those who act for its sessions, browsers, and WebSockets."""

import base64
import hashlib
import os
import re
import select
import shutil
import socket
import struct
import subprocess
import sys
import urllib.parse

import harness
from harness import BUILD, HERE, TIMEOUT, wait_for

SOURCE = os.path.dirname(os.path.dirname(HERE))
PAGE = os.path.join(SOURCE, 'ctl/web/page')
sys.path.insert(0, os.path.join(HERE, '../device'))
import gpu_vnc  # pylint: disable=wrong-import-position

UUID = b'258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
NOBODY = 65534


class Web:
    """A vgpu-web of a user that has no rights."""

    def __init__(self, folder, novnc=None, user=NOBODY, listen=None, more=()):
        self.folder = os.path.join(folder, 'web')
        os.mkdir(self.folder)
        os.chmod(self.folder, 0o755)
        if os.getuid() == 0:
            os.chown(self.folder, user, user)
        self.agents = os.path.join(self.folder, 'agents')
        self.http = os.path.join(self.folder, 'http')
        self.listen = listen or f'unix:{self.http}'
        # In a folder that this user can look into.
        self.program = os.path.join(folder, 'vgpu-web')
        self.page = os.path.join(folder, 'page')
        shutil.copy(os.path.join(BUILD, 'vgpu-web'), self.program)
        shutil.copytree(PAGE, self.page)
        self.arguments = [self.program, '--listen', self.listen,
                          '--agents', self.agents, '--page', self.page,
                          '--novnc', novnc or '/usr/share/novnc', *more]
        self.user = user
        self.process = None
        self.links = []

    def start(self):
        who = {'user': self.user, 'group': self.user, 'extra_groups': []} \
            if os.getuid() == 0 else {}
        with open(os.path.join(self.folder, '../web.log'), 'ab') as log:
            self.process = subprocess.Popen(self.arguments, stderr=log, **who)
        wait_for(self.is_serving, 'vgpu-web')
        os.chmod(self.agents, 0o666)
        return self

    def is_serving(self):
        assert self.process.poll() is None, self.log()
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as agent:
            try:
                agent.connect(self.agents)
            except (FileNotFoundError, ConnectionRefusedError):
                return False
        return True

    def log(self):
        with open(os.path.join(self.folder, '../web.log'), encoding='utf-8') as f:
            return f.read()

    def finish(self):
        for link in self.links:
            link.end()
        if self.process:
            self.process.terminate()
            status = self.process.wait(TIMEOUT)
            assert status == 0 and not self.log(), (status, self.log())

    def link(self, manager_socket, *words, user=None, groups=()):
        link = Link(self, manager_socket, words, user, groups)
        self.links.append(link)
        return link

    def browser(self):
        return Browser(self)

    def connect(self):
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(TIMEOUT)
        client.connect(self.http)
        return client


class Link:
    """'vgpuctl console', which made a link and acts for its session."""

    def __init__(self, web, manager_socket, words, user, groups):
        program = os.path.join(os.path.dirname(web.folder), 'vgpuctl')
        if not os.path.exists(program):
            shutil.copy(os.path.join(BUILD, 'vgpuctl'), program)
        who = {} if user is None else {'user': user, 'group': user,
                                       'extra_groups': list(groups)}
        self.process = subprocess.Popen(
            [program, '--socket', manager_socket, 'console', '--web', *words],
            env=dict(os.environ, VGPU_WEB_SOCKET=web.agents), text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, **who)
        self.url = self.process.stdout.readline().strip()
        self.errors = '' if self.url else self.process.stderr.read()
        self.token = self.url.partition('#')[2]

    def end(self):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


class Answer:
    def __init__(self, status, headers, body):
        self.status = status
        self.headers = headers  # {name in lower case: value}
        self.body = body

    def text(self):
        return self.body.decode()


def read_head(client):
    data = b''
    while not data.endswith(b'\r\n\r\n'):
        got = client.recv(1)
        if not got:
            raise EOFError(data)
        data += got
    lines = data.decode().split('\r\n')
    headers = {}
    for line in lines[1:-2]:
        name, _, value = line.partition(': ')
        headers[name.lower()] = value
    return int(lines[0].split(' ')[1]), headers


def read_bytes(client, n):
    data = bytearray()
    while len(data) < n:
        got = client.recv(n - len(data))
        if not got:
            raise EOFError(bytes(data))
        data += got
    return bytes(data)


class Browser:
    """A cookie, and requests as a page of ours makes them."""

    host = 'localhost'

    def __init__(self, web):
        self.web = web
        self.cookie = None

    def head(self, method, target, **more):
        headers = {'Host': self.host, 'Origin': f'http://{self.host}'}
        if self.cookie:
            headers['Cookie'] = f'other=1; vgpu-web={self.cookie}'
        headers.update({name.replace('_', '-'): value for name, value in more.items()})
        lines = [f'{method} {target} HTTP/1.1']
        lines += [f'{name}: {value}' for name, value in headers.items()
                  if value is not None]
        return ('\r\n'.join(lines) + '\r\n\r\n').encode()

    def ask(self, method, target, body=b'', **more):
        if body or method == 'POST':
            more['Content_Length'] = len(body)
        with self.web.connect() as client:
            client.sendall(self.head(method, target, Connection='close', **more) + body)
            status, headers = read_head(client)
            data = b'' if method == 'HEAD' else \
                read_bytes(client, int(headers['content-length']))
        return Answer(status, headers, data)

    def get(self, target, **more):
        return self.ask('GET', target, **more)

    def log_in(self, token, **more):
        answer = self.ask('POST', '/login', token.encode(), **more)
        cookie = answer.headers.get('set-cookie')
        if cookie:
            self.cookie = re.match(r'vgpu-web=([0-9a-f]{64});', cookie)[1]
        return answer

    def vnc(self, uuid, head=0, **more):
        """A WebSocket; raises Refused."""
        return WebSocket(self, '/vnc?' + urllib.parse.urlencode(
            {'vgpu': uuid, 'head': head}), **more)


class Refused(Exception):
    """No WebSocket: the arguments are status and text."""


class WebSocket:
    """What is written is a binary message each; what is read is a stream of bytes.
    It can stand for the socket of a client of VNC."""

    def __init__(self, browser, target, **more):
        key = base64.b64encode(os.urandom(16))
        headers = {'Upgrade': 'websocket', 'Connection': 'keep-alive, Upgrade',
                   'Sec_WebSocket_Version': '13', 'Sec_WebSocket_Key': key.decode()}
        headers.update(more)
        self.socket = browser.web.connect()
        self.buffer = b''
        try:
            self.socket.sendall(browser.head('GET', target, **headers))
            status, answer = read_head(self.socket)
            if status != 101:
                raise Refused(status, read_bytes(
                    self.socket, int(answer['content-length'])).decode())
        except BaseException:
            self.socket.close()
            raise
        wanted = base64.b64encode(hashlib.sha1(key + UUID).digest()).decode()
        assert answer['sec-websocket-accept'] == wanted

    def settimeout(self, seconds):
        self.socket.settimeout(TIMEOUT)

    def connect(self, where):
        pass

    def send_frame(self, opcode, data, last=True, masked=True):
        mask = os.urandom(4)
        length = len(data)
        head = bytes([opcode | (0x80 if last else 0)])
        bit = 0x80 if masked else 0
        if length < 126:
            head += bytes([bit | length])
        elif length < 65536:
            head += struct.pack('>BH', bit | 126, length)
        else:
            head += struct.pack('>BQ', bit | 127, length)
        if masked:
            head += mask
            data = bytes(byte ^ mask[i % 4] for i, byte in enumerate(data))
        self.socket.sendall(head + data)

    def sendall(self, data):
        self.send_frame(BINARY, data)

    def read_frame(self):
        opcode, length = read_bytes(self.socket, 2)
        assert opcode & 0x80 and not length & 0x80
        if length == 126:
            length = struct.unpack('>H', read_bytes(self.socket, 2))[0]
        elif length == 127:
            length = struct.unpack('>Q', read_bytes(self.socket, 8))[0]
        return opcode & 15, read_bytes(self.socket, length)

    def recv(self, n):
        while not self.buffer:
            try:
                opcode, data = self.read_frame()
            except (EOFError, ConnectionError):
                return b''
            if opcode == CLOSE:
                return b''
            if opcode == PING:
                self.send_frame(PONG, data)
            if opcode == BINARY:
                self.buffer = data
        data, self.buffer = self.buffer[:n], self.buffer[n:]
        return data

    def has_ended(self, seconds=TIMEOUT):
        """Whether it does so, whatever comes before."""
        while True:
            if not select.select([self.socket], [], [], seconds)[0]:
                return False
            try:
                if not self.socket.recv(1 << 20):
                    return True
            except ConnectionError:
                return True

    def close(self):
        self.socket.close()


class WebVnc(gpu_vnc.Client):
    """RFB over a WebSocket."""

    def __init__(self, websocket,  # pylint: disable=super-init-not-called
                 encodings=(gpu_vnc.RAW, gpu_vnc.NEW_SIZE)):
        self.socket = websocket
        try:
            self.begin(None, encodings)
        except (OSError, EOFError):
            websocket.close()
            raise

    def key(self, symbol, is_down):
        self.socket.sendall(struct.pack('>BBxxI', 4, is_down, symbol))
