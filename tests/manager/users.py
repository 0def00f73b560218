# SPDX-License-Identifier: GPL-2.0-or-later
"""A vgpud as the service has it, with no rights of root's, and users of it."""

import os
import shutil
import socket

import harness
from harness import BUILD, Client, Manager

SERVICE = 4990  # uid and gid of vgpud; who is in the group manages
USERS = 4991    # the group of whom root's vGPUs are for
WATCHERS = 4993 # the group of who may see all there is
ALICE, BOB, CAROL, QEMU = 4101, 4102, 4103, 4104
QEMU_GROUP = 4992

PROGRAMS = ('vgpud', 'vgpu-device', 'vgpu-launch', 'vgpu-render', 'vgpu-vnc')


class Service(Manager):
    """vgpud as a user of its own, with a configuration that names groups."""

    def __init__(self, **options):
        super().__init__(**options)
        with open(self.config, 'a', encoding='utf-8') as f:
            f.write(f'[access]\nmanagers = {SERVICE}\nusers = {USERS}\n'
                    f'watchers = {WATCHERS}\n')
        # Copies, in a folder that others can read.
        for name in PROGRAMS:
            path = os.path.join(self.helpers, name)
            if os.path.islink(path):
                os.unlink(path)
            if not os.path.exists(path):
                shutil.copy(os.path.join(BUILD, name), path)
        self.program = os.path.join(self.helpers, 'vgpud')
        os.makedirs(self.state, 0o700)
        os.makedirs(self.runtime)
        for folder in self.folder, self.state, self.runtime:
            os.chown(folder, SERVICE, SERVICE)
        os.chmod(self.folder, 0o711)
        os.chmod(self.runtime, 0o755)

    def spawn(self, **options):
        return super().spawn(user=SERVICE, group=SERVICE, extra_groups=[],
                             umask=0o007, **options)

    def client_of(self, uid, *groups):
        return ClientOf(connect_as(self.socket, uid, *groups))


class ClientOf(Client):
    """A connection made by another user."""

    def __init__(self, connection):  # pylint: disable=super-init-not-called
        self.socket = connection
        self.socket.settimeout(harness.TIMEOUT)
        self.buffer = b''
        self.fds = []


def connect_as(path, uid, *groups):
    """Connect to a socket as a user whose groups these are."""
    ours, theirs = socket.socketpair()
    pid = os.fork()
    if pid == 0:
        try:
            os.setgroups(groups)
            os.setresgid(uid, uid, uid)
            os.setresuid(uid, uid, uid)
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(path)
                socket.send_fds(theirs, [b'0'], [client.fileno()])
        except OSError as error:
            theirs.send(str(error.errno).encode())
        finally:
            os._exit(0)
    theirs.close()
    try:
        ours.settimeout(harness.TIMEOUT)
        data, fds, _, _ = socket.recv_fds(ours, 16, 1)
    finally:
        ours.close()
        os.waitpid(pid, 0)
    number = int(data)
    if number:
        raise OSError(number, os.strerror(number), path)
    return socket.socket(fileno=fds[0])


def may_connect(path, uid, *groups):
    try:
        connect_as(path, uid, *groups).close()
        return True
    except PermissionError:
        return False
