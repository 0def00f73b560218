# SPDX-License-Identifier: GPL-2.0-or-later
"""A host with a GPU: a VM with the hardware model in it, in which vgpu_core.ko
is loaded, on one of several kernels. What it boots is packed by
tests/kernel/pack_machine. In the model's lab (lab/run --model)."""

import glob
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

TOP = os.path.realpath(os.path.join(os.path.dirname(__file__), '..'))
BUILT = os.path.join(TOP, 'build/module')
# (image, folder of what is built for it, MiB, how much slower it is)
KERNELS = {
    '7.2': ('/lab/kernel/usr/lib/modules/*/vmlinuz', BUILT, 1024, 1),
    '6.1': ('/lab/kernels/boot/vmlinuz-6.1.*', BUILT + '-6.1', 1024, 1),
    '6.12': ('/lab/kernels/boot/vmlinuz-6.12*', BUILT + '-6.12', 1024, 1),
    '7.3': ('/lab/kernels/usr/lib/modules/7.3.*/vmlinuz', BUILT + '-7.3', 1024, 1),
    # What KASAN keeps beside the memory is taken from it.
    'debug': ('/lab/debug-kernel/vmlinuz', BUILT + '-debug', 2048, 5),
}
MODEL = os.path.join(TOP, 'build/model/ad102.so')
# Which one is booted where nothing else is said.
KERNEL = os.environ.get('VGPU_KERNEL', '7.2')
# These end what hangs: a busy machine takes long for all that it does.
BOOT_SECONDS = 300
COMMAND_SECONDS = 300
BOOTED = 'Run /init as init process'
FAULTS = (r'WARNING:|BUG:|UBSAN:|DMA-API:|ODEBUG:|Oops|panic|INFO: task|'
          r'possible \w+ locking|kmemleak: \d+ new')
COMPLAINTS = FAULTS + '|Call Trace'
REPORT = 8000  # characters that are told of a complaint
# Linux 7.2 with lockdep has this to say of every driver that is unbound from a PF
# whose VFs are enabled: sriov_numvfs takes the lock that it misses, unbind does not.
KNOWN = re.compile(r'WARNING: drivers/pci/remove\.c:\d+ at pci_stop_and_remove_bus_dev'
                   r'ice\+(?:(?!end trace).)*sriov_disable\+(?:(?!end trace).)*'
                   r'(?:core_destroy|nouveau_\w+_remove)\+.*?end trace'
                   # VFIO's type 1 containers call dma_unmap() of a device under a lock
                   # that they take within the one that vfio_unpin_pages() takes, which
                   # dma_unmap() has to call. lockdep says it once, and then no more.
                   r'|WARNING: possible circular locking dependency(?:(?!</TASK>).)*'
                   r'vfio_iommu_type1_unpin_pages\+(?:(?!</TASK>).)*'
                   r'vgpu_mdev_dma_unmap\+.*?</TASK>', re.DOTALL)


def build():
    """Build the model, and pack what boots on KERNEL. Modules for another kernel
    than the model's lab has were built by tests/kernel/build_module before."""
    pack = (['tests/kernel/build_module'] if KERNEL == '7.2' else
            ['tests/kernel/pack_machine', KERNEL])
    for command in (['model/build'], pack):
        built = subprocess.run(command, cwd=TOP, check=False)
        if built.returncode:
            raise SystemExit(built.returncode)


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


def delays(pid):
    """How many seconds each thread of a process has waited for a processor so far."""
    waited = {}
    for path in glob.glob(f'/proc/{pid}/task/*/schedstat'):
        try:
            with open(path) as file:
                waited[path] = int(file.read().split()[1]) / 1e9
        except (FileNotFoundError, ProcessLookupError):
            pass  # it ended meanwhile
    return waited


class Host:
    """A host VM that executes commands line by line, see tests/kernel/init.
    Its console and the log of the model are kept in a folder."""

    # QEMU 10.0 (system/physmem.c, iotlb_to_section()) may lead what a processor
    # reads or writes of a device to another device while one in another thread
    # changes what is mapped where: hosts hung, or QEMU aborted, once in some
    # hundred loads and opens. In one thread KVM is too slow: there the APICs, at
    # least, are out of it, for an x2APIC is not mapped. Where the host uses BAR1 all
    # the time, by nouveau, it is one processor that is right.
    def __init__(self, folder=None, *properties, kernel=KERNEL, initrd=None,
                 mib=None, has_guests=False, has_gpu=True, processors=2,
                 options=()):
        image, built, mib_least, self.patience = KERNELS[kernel]
        self.has_kmemleak = kernel == 'debug'
        folder = folder or built
        mib = max(mib or 0, mib_least)
        self.dir = tempfile.TemporaryDirectory()
        self.log_path = os.path.join(folder, 'machine.log')
        for path in glob.glob(os.path.join(folder, 'ad102*.log')) + [self.log_path]:
            if os.path.exists(path):
                os.unlink(path)
        # Of the GPU in the slot, and of those that were in it before.
        self.model_logs = [os.path.join(folder, 'ad102.log')]
        self.properties = properties
        self.threads = 'multi' if has_guests else 'single'
        self.processors = str(processors)
        self.has_gpu = has_gpu
        self.options = ['-m', f'{mib}M', '-kernel', glob.glob(image)[0],
                        '-initrd', initrd or built + '/machine.cpio', *options]
        try:
            self.boot()
        except TimeoutError as error:
            # Seen twice, before one thread ran both processors.
            if BOOTED in self.log():
                raise
            print(f'the machine did not boot: once more; {error}', file=sys.stderr)
            self.boot()

    def boot(self):
        qmp = os.path.join(self.dir.name, 'qmp')
        lines = os.path.join(self.dir.name, 'lines')
        self.process = subprocess.Popen(
            [*(['env', 'LD_PRELOAD=' + MODEL] if self.has_gpu else []),
             'qemu-system-x86_64', '-M', 'q35,kernel-irqchip=split',
             '-accel', 'tcg,thread=' + self.threads,
             '-cpu', 'max', '-smp', self.processors, '-nodefaults',
             '-nographic', '-no-reboot', '-serial', 'file:' + self.log_path,
             '-chardev', f'socket,id=lines,path={lines},server=on,wait=off',
             '-serial', 'chardev:lines',
             '-qmp', f'unix:{qmp},server=on,wait=off',
             # On a busy host the kernel's check of its timer may fail.
             '-append', 'console=ttyS0 panic=-1 printk.devkmsg=on '
                        'intel_iommu=on pci=realloc=on no_timer_check '
                        # Nor are processors locked up that get little time.
                        'watchdog_thresh=60 rcupdate.rcu_cpu_stall_timeout=120 '
                        # Of a machine that hangs: what each processor does,
                        # and which tasks wait.
                        'unknown_nmi_panic panic_print=0xc0',
             '-device', 'intel-iommu,intremap=on,eim=on',
             # Slots are the kernel's, and not ACPI's: as in a server.
             '-global', 'ICH9-LPC.acpi-pci-hotplug-with-bridge-support=off',
             '-device', 'pcie-root-port,id=gpu_port,slot=1',
             *(['-device', self.device()] if self.has_gpu else []), *self.options],
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

    def monitor(self, line):
        """Run a command of QEMU's monitor (for properties, in words); return
        its output."""
        return self.ask('human-monitor-command', **{'command-line': line})

    def fault(self, fault):
        self.ask('qom-set', path='/machine/peripheral/gpu',
                 property='fault', value=fault)

    def device(self):
        return ','.join(('ad102', 'id=gpu', 'bus=gpu_port',
                         f'log={self.model_logs[-1]}', *self.properties))

    @property
    def is_plugged(self):
        return any(each['name'] == 'gpu' for each in
                   self.ask('qom-list', path='/machine/peripheral'))

    def unplug(self):
        """Ask for the GPU, as by the button at its slot."""
        self.ask('device_del', id='gpu')

    def plug(self):
        """Another GPU of that kind, in the same slot."""
        first = self.model_logs[0].removesuffix('.log')
        self.model_logs.append(f'{first}-{len(self.model_logs)}.log')
        said = self.monitor('device_add ' + self.device())
        if said:
            raise RuntimeError(said)

    def log(self):
        with open(self.log_path, errors='replace') as file:
            return file.read()

    def complaint(self, start=None, pattern=COMPLAINTS):
        """What the kernel complained of since the log was at start, or since
        the host was ready; None if it did not."""
        said = self.log()
        if start is None:
            start = said.index('test: ready')
        said = KNOWN.sub('', said[start:])
        found = re.search(pattern, said)
        return found and said[max(found.start() - 200, 0):found.end() + REPORT]

    def leaks(self):
        """Memory that nothing points to any more, where the kernel knows."""
        if not self.has_kmemleak:
            return None
        status, said = self.do('leaks')
        return said if status else None

    def refusals(self):
        lines = []
        for path in self.model_logs:
            with open(path, errors='replace') as file:
                lines += [line for line in file if 'refused' in line]
        return lines

    def model_log(self):
        with open(self.model_logs[-1], errors='replace') as file:
            return file.read()

    def wait(self, pattern, start, seconds=COMMAND_SECONDS, log=None):
        """Wait until the kernel, or another writer of a log, has printed it
        since start."""
        log = log or self.log
        end = time.monotonic() + seconds * self.patience
        while True:
            found = re.search(pattern, log()[start:])
            if found:
                return found
            if self.process.poll() is not None:
                raise RuntimeError('the machine ended')
            if time.monotonic() > end:
                raise TimeoutError(f'no "{pattern}": {self.autopsy()}')
            time.sleep(0.05)

    def stopwatch(self):
        """A function that says how many seconds have passed from now on, but for
        those in which the host, or the test, was kept waiting for a processor. On
        a host that is slower by nature, they are fewer."""
        def read():
            return time.monotonic(), {**delays(self.process.pid),
                                      **delays(os.getpid())}
        began, before = read()

        def seconds():
            now, waited = read()
            waited = sum(wait - before.get(thread, 0)
                         for thread, wait in waited.items())
            return (now - began - waited) / self.patience
        return seconds

    def autopsy(self):
        """What each processor does in a machine that hangs, and where tasks wait:
        a line for each. It ends by this."""
        said = re.findall(r'RIP=\S+ RFL=\S+ \S+|HLT=\d',
                          self.monitor('info registers -a'))
        start = len(self.log())
        self.ask('inject-nmi')
        try:
            self.process.wait(10 * self.patience)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for line in self.log()[start:].splitlines():
            called = re.search(r'\] (?:RIP: \w+:| +)(\w\S*)\+0x', line)
            if called:
                said[-1] += ' < ' + called.group(1)
            elif re.search(r'CPU: \d+ .*Comm|task:|panic', line):
                said.append(line)
        return '\n'.join(said)

    def trace(self):
        """Have the modules' tracepoints written down, from now on."""
        self.do('run busybox mount -t tracefs tracefs /sys/kernel/tracing')
        self.do('write /sys/kernel/tracing/trace ')
        self.do('write /sys/kernel/tracing/events/vgpu/enable 1')

    def traced(self):
        """What was written down since: lines of an event's name and its fields."""
        self.do('write /traced busybox sed -n s/^.*:.vgpu_/traced.vgpu_/p '
                '/sys/kernel/tracing/trace')
        said = self.do('run busybox sh /traced')[1]
        return re.findall(r'traced.(vgpu_.*?)\r?$', said, re.M)

    def do(self, line, seconds=COMMAND_SECONDS):
        """Run one line; return its exit status and what the kernel logged
        meanwhile."""
        start = len(self.log())
        self.lines.sendall(line.encode() + b'\n')
        done = self.wait(r'test: done (\d+)\n', start, seconds)
        return int(done.group(1)), self.log()[start:]

    def state(self):
        """The contents of the files in the GPU's sysfs folder."""
        return dict(re.findall(r'test: state (\w+) (.*?)\r?\n',
                               self.do('state')[1]))

    def vfs(self):
        """(address, IOMMU group) of each VF, in their order."""
        found = re.findall(r'test: vf (\d+) (\S+) (\d+)', self.do('list')[1])
        return [vf[1:] for vf in sorted(found, key=lambda vf: int(vf[0]))]

    def power_off(self):
        """Turn it off from inside; QEMU's exit status."""
        self.lines.sendall(b'off\n')
        return self.process.wait(COMMAND_SECONDS * self.patience)

    def close(self):
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait(COMMAND_SECONDS)
        self.dir.cleanup()
