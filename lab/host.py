# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a GPU: a VM with the hardware model in it, in which vgpu_core.ko
is loaded. What it boots is packed by tests/kernel/build_module. In the model's
lab (lab/run --model)."""

import glob
import json
import os
import re
import socket
import subprocess
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '..'))
BUILT = os.path.join(TOP, 'build/module')
MODEL = os.path.join(TOP, 'build/model/ad102.so')
BOOT_SECONDS = 120
COMMAND_SECONDS = 60
COMPLAINTS = re.compile(r'WARNING:|BUG:|Call Trace|Oops|panic')


def connect(path):
    end = time.monotonic() + COMMAND_SECONDS
    while True:
        try:
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(path)
            return sock
        except (FileNotFoundError, ConnectionRefusedError):
            sock.close()
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


class Host:
    """Does what it is told line by line, see tests/kernel/init; its console and
    the model's log are kept in a folder."""

    def __init__(self, folder=BUILT, *properties, initrd=None, mib=1024,
                 options=()):
        self.dir = tempfile.TemporaryDirectory()
        self.log_path = os.path.join(folder, 'machine.log')
        self.model_log = os.path.join(folder, 'ad102.log')
        for path in (self.log_path, self.model_log):
            if os.path.exists(path):
                os.unlink(path)
        qmp = os.path.join(self.dir.name, 'qmp')
        lines = os.path.join(self.dir.name, 'lines')
        kernel = glob.glob('/lab/kernel/usr/lib/modules/*/vmlinuz')[0]
        device = ['ad102', 'id=gpu', 'bus=gpu_port', f'log={self.model_log}',
                  *properties]
        self.process = subprocess.Popen(
            ['env', 'LD_PRELOAD=' + MODEL, 'qemu-system-x86_64',
             '-M', 'q35,kernel-irqchip=split', '-accel', 'tcg,thread=multi',
             '-cpu', 'max', '-smp', '2', '-m', f'{mib}M', '-nodefaults',
             '-nographic', '-no-reboot', '-serial', 'file:' + self.log_path,
             '-chardev', f'socket,id=lines,path={lines},server=on,wait=off',
             '-serial', 'chardev:lines',
             '-qmp', f'unix:{qmp},server=on,wait=off',
             '-kernel', kernel,
             '-initrd', initrd or BUILT + '/machine.cpio', *options,
             # On a busy host the kernel's check of its timer may fail.
             '-append', 'console=ttyS0 panic=-1 printk.devkmsg=on '
                        'intel_iommu=on pci=realloc=on no_timer_check',
             '-device', 'intel-iommu,intremap=on',
             '-device', 'pcie-root-port,id=gpu_port,slot=1',
             '-device', ','.join(device)],
            stdin=subprocess.DEVNULL)
        self.qmp = connect(qmp).makefile('rw')
        self.qmp.readline()
        self.ask('qmp_capabilities')
        self.lines = connect(lines)
        self.wait(r'test: ready', 0, BOOT_SECONDS)

    def ask(self, command, **arguments):
        self.qmp.write(json.dumps({'execute': command,
                                   'arguments': arguments}) + '\n')
        self.qmp.flush()
        while True:
            answer = json.loads(self.qmp.readline())
            if 'error' in answer:
                raise RuntimeError(answer['error'])
            if 'return' in answer:
                return answer['return']

    def fault(self, fault):
        self.ask('qom-set', path='/machine/peripheral/gpu',
                 property='fault', value=fault)

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def refusals(self):
        with open(self.model_log, errors='replace') as file:
            return [line for line in file if 'refused' in line]

    def wait(self, pattern, start, seconds):
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.log()[start:])
            if found:
                return found
            if self.process.poll() is not None:
                raise RuntimeError('the machine ended')
            if time.monotonic() > end:
                raise TimeoutError(pattern)
            time.sleep(0.05)

    def do(self, line):
        """Run one line; its exit status and what the kernel said meanwhile."""
        start = len(self.log())
        self.lines.sendall(line.encode() + b'\n')
        done = self.wait(r'test: done (\d+)', start, COMMAND_SECONDS)
        return int(done.group(1)), self.log()[start:]

    def state(self):
        """What the GPU's folder in sysfs says, file by file."""
        return dict(re.findall(r'test: state (\w+) (.*?)\r?\n',
                               self.do('state')[1]))

    def vfs(self):
        """(address, IOMMU group) of each VF, in their order."""
        found = re.findall(r'test: vf (\d+) (\S+) (\d+)', self.do('list')[1])
        return [vf[1:] for vf in sorted(found, key=lambda vf: int(vf[0]))]

    def power_off(self):
        """Turn it off from inside; QEMU's exit status."""
        self.lines.sendall(b'off\n')
        return self.process.wait(COMMAND_SECONDS)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(COMMAND_SECONDS)
        self.dir.cleanup()
