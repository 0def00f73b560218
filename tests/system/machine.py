# SPDX-License-Identifier: GPL-2.0-or-later
"""A virtual machine whose root is that of a system (system.py), and whose kernel is the
one that tests/mdev/build_host has built: with modules, which namespaces share."""

import glob
import os
import re
import shutil
import subprocess
import sys
import time

from system import SOURCE, Failed

sys.path.insert(0, os.path.join(SOURCE, 'lab'))

# pylint: disable=wrong-import-position
import vm  # noqa: E402
from host import FAULTS  # noqa: E402

BUILT = f'{SOURCE}/build/mdev/host'
INIT = """#!/bin/busybox sh
set -e
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do
	insmod "/modules/$module"
done </modules/order
mount -t 9p -o ro,trans=virtio,version=9p2000.L,msize=262144,cache=loose system /image
mount -t tmpfs -o mode=755 tmpfs /own
mkdir /own/upper /own/work
mount -t overlay -o lowerdir=/image,upperdir=/own/upper,workdir=/own/work overlay /root
mount --move /dev /root/dev
mount --move /sys /root/sys
mount --move /proc /root/proc
exec switch_root /root /sbin/init
"""
AGENT = """[Unit]
Description=Commands from the host by the second serial port

[Service]
ExecStart=/usr/lib/openvgpu-test/agent
Restart=always

[Install]
WantedBy=multi-user.target
"""
GPU = '0000:00:10.0'  # a display controller that no driver has
SLOW = 1200  # only what hangs takes so long


def why_not():
    """Why it cannot be booted here, or None."""
    return None if os.path.exists(f'{BUILT}/initrd') else \
        'there is no host: tests/mdev/build_host'


class Machine(vm.Vm):
    """That machine. The tree is read when it boots, and what is written to it is lost."""

    def __init__(self, tree, folder, memory_mib, time_limit):
        self.tree = tree
        self.initrd = os.path.join(folder, 'initrd')
        share = 'path={},mount_tag={},security_model=none,readonly=on,multidevs=remap'
        super().__init__('system', folder,
                         ['-device', f'bochs-display,addr={GPU[8:10]}',
                          '-virtfs', 'local,' + share.format(tree, 'system'),
                          '-virtfs', 'local,' + share.format('/', 'lab')],
                         memory_mib=memory_mib, time_limit=time_limit)
        self._add_modules()
        self._add_agent()
        self._make_initrd(folder)

    def _add_modules(self):
        """Where modprobe finds them."""
        to = f'{self.tree}/run/modules'
        os.makedirs(to, exist_ok=True)
        for path in glob.glob(f'{BUILT}/mod/*.ko'):
            shutil.copy(path, to)
        subprocess.run(
            ['chroot', self.tree, '/bin/sh', '-ec',
             'release=$(modinfo -F vermagic /run/modules/vgpu_mdev.ko); '
             'release=${release%% *}; mkdir -p /usr/lib/modules; '
             'mv /run/modules /usr/lib/modules/$release; depmod $release 2>/dev/null'],
            env={'PATH': '/usr/sbin:/usr/bin'}, check=True)

    def _add_agent(self):
        folder = f'{self.tree}/usr/lib/openvgpu-test'
        units = f'{self.tree}/etc/systemd/system'
        os.makedirs(folder, exist_ok=True)
        shutil.copy(f'{SOURCE}/lab/guest.d/root/usr/lib/openvgpu/agent', folder)
        with open(f'{units}/agent.service', 'w', encoding='ascii') as file:
            file.write(AGENT)
        os.makedirs(f'{units}/multi-user.target.wants', exist_ok=True)
        os.symlink('../agent.service', f'{units}/multi-user.target.wants/agent.service')

    def _make_initrd(self, folder):
        """build_host's, and behind it an init that takes another root."""
        tree = os.path.join(folder, 'tree')
        os.makedirs(tree)
        with open(f'{tree}/init', 'w', encoding='ascii') as file:
            file.write(INIT)
        os.chmod(f'{tree}/init', 0o755)
        archive = subprocess.run(['cpio', '--quiet', '-o', '-H', 'newc'], cwd=tree,
                                 input=b'init\n', stdout=subprocess.PIPE, check=True)
        with open(self.initrd, 'wb') as file, open(f'{BUILT}/initrd', 'rb') as image:
            shutil.copyfileobj(image, file)
            file.write(archive.stdout)

    def _args(self):
        arguments = super()._args()
        for option, value in (('-kernel', f'{BUILT}/vmlinuz'), ('-initrd', self.initrd),
                              ('-smp', '2')):
            arguments[arguments.index(option) + 1] = value
        return arguments

    def prepare(self):
        """Wait until it is up; show it what System shows."""
        self.check('mkdir -p /mnt/lab /mnt/source /mnt/guest && mount -t 9p -o ro,'
                   'trans=virtio,version=9p2000.L,msize=262144,cache=loose lab /mnt/lab &&'
                   f' mount --bind /mnt/lab{SOURCE} /mnt/source &&'
                   ' mount --bind /mnt/lab/lab/guest /mnt/guest', SLOW)
        self.wait(lambda: self.run('systemctl is-system-running')[1].strip()
                  in ('running', 'degraded'), 'the system to be up')

    def do(self, command, timeout=SLOW):
        """The output of a command that must succeed, however long it takes."""
        status, output = self.try_to(command, timeout)
        if status:
            raise Failed(f"'{command}' ended with {status}: {output.strip()[-4000:]}")
        return output

    def try_to(self, command, timeout=SLOW):
        """(status, output) of a command."""
        job = '/run/job'
        with_status = f'({command}) >{job}.log 2>&1 </dev/null; echo $? >{job}.new; ' \
                      f'mv {job}.new {job}.status'
        self.check(f'rm -f {job}.status; ({with_status}) >/dev/null 2>&1 &')
        self.wait(lambda: self.run(f'[ -e {job}.status ]')[0] == 0, command, timeout)
        return int(self.check(f'cat {job}.status')), self.check(f'cat {job}.log')

    def wait(self, condition, what, timeout=SLOW):
        end = time.monotonic() + timeout
        while True:
            result = condition()
            if result:
                return result
            if time.monotonic() > end:
                raise Failed(f'waited {timeout} s in vain for {what}')
            time.sleep(0.5)

    def complaint(self):
        """What its kernel complained of, or None."""
        log = self.check("dmesg | grep -v 'ommand line'")
        found = re.search(FAULTS, log)
        return found and log[found.start():found.start() + 4000]
