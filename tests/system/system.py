# SPDX-License-Identifier: GPL-2.0-or-later
"""A Debian 13 with its own systemd, in namespaces, for packages to be installed on.

Its root is a copy of the lab's (lab/system), made of a layer on top of it. It has
its own processes, devices, network (loopback only) and control groups.
"""

import glob
import os
import subprocess
import tempfile
import time

SOURCE = os.environ.get('VGPU_SOURCE', os.getcwd())
ROOT = '/lab/system'
GUEST = '/lab/guest'
PACKAGES = os.path.join(SOURCE, 'build-deb')
HERE = os.path.dirname(os.path.abspath(__file__))
# A limit ends what hangs; what is waited for is an event or a state.
SLOW = 600
NAMESPACES = ['--mount', '--pid', '--fork', '--ipc', '--uts', '--net', '--cgroup',
              '--kill-child', '--propagation', 'private']
# They would look for a network, or change the time that things take.
MASKED = ['apt-daily.timer', 'apt-daily-upgrade.timer', 'dpkg-db-backup.timer',
          'e2scrub_all.timer', 'fstrim.timer', 'man-db.timer',
          'systemd-networkd-wait-online.service', 'systemd-timesyncd.service',
          'podman-auto-update.timer', 'getty.target', 'console-getty.service']


def packages():
    return sorted(glob.glob(f'{PACKAGES}/*.deb'))


def why_not():
    """Why no such system can be booted here, or None."""
    for path, what in ((ROOT, 'there is no lab/system'), (GUEST, 'there is no lab/guest'),
                       ('/usr/bin/nsenter', 'there is no nsenter')):
        if not os.path.exists(path):
            return what
    if not packages():
        return 'there are no packages: make deb'
    done = subprocess.run(
        ['unshare', *NAMESPACES, 'sh', '-ec',
         'd=$(mktemp -d); mount -t tmpfs tmpfs $d; mkdir $d/c $d/s; mknod $d/null c 1 3;'
         ': >$d/null; mount -t cgroup2 none $d/c; mount -t sysfs -o ro sysfs $d/s'],
        text=True, capture_output=True, timeout=SLOW, check=False)
    if done.returncode:
        return f'this machine lends no namespaces to boot in: {done.stderr.strip()}'
    return None


class Failed(Exception):
    """A command failed."""


class ControlGroup:
    """Below that of the test, in the unified hierarchy, for all of the system's."""

    def __init__(self, folder):
        self.mount = f'{folder}/cgroup'
        os.mkdir(self.mount)
        subprocess.run(['mount', '-t', 'cgroup2', 'cgroup2', self.mount], check=True)
        with open('/proc/self/cgroup', encoding='ascii') as file:
            own = next(line[3:].strip() for line in file if line.startswith('0::'))
        # One that begins with .. is outside of what this mount shows.
        own = '/' if own.startswith('/..') else own
        # A name of its own: process numbers are those of this lab alone.
        self.path = tempfile.mkdtemp(prefix='openvgpu-system.', dir=self.mount + own)
        os.chmod(self.path, 0o755)

    def remove(self):
        """It and all groups below; their processes have ended."""
        for folder, folders, _ in os.walk(self.path, topdown=False):
            for name in folders:
                os.rmdir(os.path.join(folder, name))
        os.rmdir(self.path)
        subprocess.run(['umount', self.mount], check=True)
        os.rmdir(self.mount)


class System:
    """One system; it may be booted again and again."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix='system.')
        self.tree = f'{self.folder}/tree'
        self.process = self.group = None
        self.pid = 0

    def __enter__(self):
        try:
            self._make_tree()
            self.group = ControlGroup(self.folder)
            self.boot()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        self.end()
        if self.group:
            self.group.remove()
        for path in (self.tree, f'{self.folder}/layer'):
            if os.path.ismount(path):
                subprocess.run(['umount', path], check=True)
        # Nothing is deleted through what may still be mounted here.
        subprocess.run(['rm', '-rf', '--one-file-system', self.folder], check=True)

    def _make_tree(self):
        layer = f'{self.folder}/layer'
        os.mkdir(layer)
        os.mkdir(self.tree)
        subprocess.run(['mount', '-t', 'tmpfs', '-o', 'mode=755', 'tmpfs', layer], check=True)
        os.mkdir(f'{layer}/upper')
        os.mkdir(f'{layer}/work')
        done = subprocess.run(
            ['mount', '-t', 'overlay', '-o',
             f'lowerdir={ROOT},upperdir={layer}/upper,workdir={layer}/work',
             'overlay', self.tree], capture_output=True, check=False)
        if done.returncode:
            subprocess.run(['cp', '-a', f'{ROOT}/.', self.tree], check=True)
        for unit in MASKED:
            path = f'{self.tree}/etc/systemd/system/{unit}'
            if os.path.lexists(path):
                os.unlink(path)
            os.symlink('/dev/null', path)
        target = f'{self.tree}/etc/systemd/system/default.target'
        if os.path.lexists(target):
            os.unlink(target)
        os.symlink('/usr/lib/systemd/system/multi-user.target', target)
        self.write('/etc/hostname', 'system\n')
        self.write('/etc/machine-id', '6f70656e7667707573797374656d0000\n')

    def write(self, path, text):
        path = self.tree + path
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, 'w', encoding='utf-8') as file:
            file.write(text)

    def _join_group(self):
        with open(f'{self.group.path}/cgroup.procs', 'w', encoding='ascii') as file:
            file.write('0')

    def boot(self):
        with open(f'{self.folder}/boot.log', 'ab') as log:
            self.process = subprocess.Popen(
                ['unshare', *NAMESPACES, '--', f'{HERE}/boot', self.tree, SOURCE, GUEST],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                preexec_fn=self._join_group)
        self.wait_for(self._find_init, 'systemd to begin')
        self.wait_for(lambda: self.run('systemctl is-system-running')[1].strip()
                      in ('running', 'degraded'), 'the system to be up')

    def _find_init(self):
        """Its PID 1: a child of unshare that has become systemd."""
        if self.process.poll() is not None:
            with open(f'{self.folder}/boot.log', encoding='utf-8', errors='replace') as file:
                raise Failed(f'it did not boot: {file.read()[-2000:]}')
        number = self.process.pid
        with open(f'/proc/{number}/task/{number}/children', encoding='ascii') as file:
            children = file.read().split()
        if not children:
            return False
        with open(f'/proc/{children[0]}/comm', encoding='ascii') as file:
            if file.read().strip() != 'systemd':
                return False
        self.pid = int(children[0])
        return True

    def end(self):
        """At once, whatever runs there."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None
            self._wait_for_no_process()

    def reboot(self):
        """As an administrator does; services are stopped in their order."""
        self.run('systemctl reboot')
        self.process.wait(SLOW)
        self._wait_for_no_process()
        self.boot()

    def _wait_for_no_process(self):
        """Its namespaces, and so its mounts, end with its last process."""
        def is_over():
            with open(f'{self.group.path}/cgroup.events', encoding='ascii') as file:
                return 'populated 0' in file.read()
        if self.group:
            self.wait_for(is_over, 'all its processes to end')

    def run(self, command, timeout=SLOW, user=None):
        """Run a shell command there; returns (status, output)."""
        command = ['/bin/sh', '-c', command]
        if user:
            command = ['runuser', '-u', user, '--', *command]
        done = subprocess.run(
            ['nsenter', '--target', str(self.pid), '--mount', '--pid', '--ipc', '--uts',
             '--net', '--cgroup', '--root', '--wd', '--', 'env', '-i',
             'PATH=/usr/sbin:/usr/bin:/sbin:/bin', 'LANG=C.UTF-8', 'HOME=/root',
             'DEBIAN_FRONTEND=noninteractive', *command],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors='replace', timeout=timeout, check=False)
        return done.returncode, done.stdout

    def check(self, command, timeout=SLOW, user=None):
        """The output of a command that must succeed."""
        status, output = self.run(command, timeout, user)
        if status:
            raise Failed(f"'{command}' ended with {status}: {output.strip()[-4000:]}")
        return output

    def journal(self, lines=60):
        return self.run(f'journalctl --no-pager -o short-monotonic -n {lines}')[1]

    def wait_for(self, condition, what):
        end = time.monotonic() + SLOW
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > end:
                raise Failed(f'waited {SLOW} s in vain for {what}: {self.journal()}')
            time.sleep(0.1)
