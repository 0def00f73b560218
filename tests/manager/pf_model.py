# SPDX-License-Identifier: GPL-2.0-or-later
"""PFs and their VFs in sysfs, as the ABI documents describe them. No driver
runs: whether a driver does the same, only its own tests can tell."""

import errno
import functools
import os
import signal

import fuse

MIB = 1 << 20
GIB = 1 << 30
PF = '0000:01:00.0'
DRIVER = 'vgpu_vfio_pci'
XE_DRIVER = 'xe-vfio-pci'

ENGINES = ('graphics', 'encoder', 'decoder')

# id: (name, class, GiB, heads, width, height, frames/s, how many at most)
TYPES = {
    1147: ('NVIDIA L40S-1Q', 'Quadro', 1, 4, 5120, 2880, 60, 32),
    1150: ('NVIDIA L40S-4Q', 'Quadro', 4, 4, 7680, 4320, 60, 12),
    1152: ('NVIDIA L40S-8Q', 'Quadro', 8, 4, 7680, 4320, 60, 6),
    1156: ('NVIDIA L40S-48Q', 'Quadro', 48, 4, 7680, 4320, 60, 1),
    1145: ('NVIDIA L40S-1B', 'NVS', 1, 4, 5120, 2880, 45, 32),
    1160: ('NVIDIA L40S-4A', 'NVS', 4, 1, 1280, 1024, 60, 12),
    2345: ('NVIDIA L40S-8C', 'Compute', 8, 1, 5120, 2880, 0, 6),
}


def at_once(change):
    """A reader of sysfs sees all of a change that a test makes, or nothing of
    it."""
    @functools.wraps(change)
    def changed(pf, *arguments):
        with pf.files.lock:
            return change(pf, *arguments)
    return changed


class Vf:
    def __init__(self):
        self.type = 0
        self.wanted = None  # a placement
        self.uuid = None
        self.placement = None
        self.state = None  # None: what its type says
        self.pid = 0
        self.used = 0
        self.guest_driver = 'none'
        self.channel_errors = 0
        self.error_messages = 0
        self.engine_ns = dict.fromkeys(ENGINES, 0)


class Pf:
    """A PF, with the behaviour of the PCI core and of a driver of VFs."""

    vf_driver = DRIVER

    def __init__(self, total):
        self.files = fuse.Files()
        self.total = total
        self.errors = {}  # name of an attribute: errno that a write gets
        self.kill = None  # (name, 'before' or 'after', process)
        self.writes = []  # (name, value), as they came
        self.refuses_vfs = False  # the driver of VFs fails to probe
        self.host_driver = None  # what takes new VFs by itself
        self.autoprobe = 1
        self.files.add('bus/pci/drivers', None)
        self.writable('bus/pci/drivers_probe', None, self.probe)
        self.load_vf_driver()
        device = f'bus/pci/devices/{PF}'
        self.files.add(device + '/vendor', fuse.Attribute(lambda: '0x10de'))
        self.files.add(device + '/sriov_totalvfs',
                       fuse.Attribute(lambda: self.total))
        self.writable(device + '/sriov_numvfs', lambda: self.enabled,
                      self.enable)
        self.writable(device + '/sriov_drivers_autoprobe',
                      lambda: self.autoprobe, self.set_autoprobe)
        # A device that is no GPU.
        self.files.add('bus/pci/devices/0000:00:1f.0/vendor',
                       fuse.Attribute(lambda: '0x8086'))
        self.enabled = 0
        self.overrides = {}

    @property
    def sysfs(self):
        return self.files.folder

    def finish(self):
        self.files.finish()

    def writable(self, path, read, write):
        """An attribute, whose writes are noted and may be told to fail."""
        name = '/'.join(path.split('/')[-2:]) if '/vf' in path \
            else path.rpartition('/')[2]

        def checked(value):
            self.writes.append((name, value))
            kill = self.kill if self.kill and self.kill[0] == name else None
            if kill:
                self.kill = None
            if kill and kill[1] == 'before':
                os.kill(kill[2], signal.SIGKILL)
                raise OSError(errno.EINTR, name)
            if name in self.errors:
                raise OSError(self.errors[name], name)
            write(value)
            if kill:
                os.kill(kill[2], signal.SIGKILL)
        self.files.add(path, fuse.Attribute(read, checked))

    # The driver of VFs.

    def load_vf_driver(self):
        self.writable(f'bus/pci/drivers/{self.vf_driver}/unbind', None, self.unbind_vf)

    def unload_vf_driver(self):
        self.files.remove(f'bus/pci/drivers/{self.vf_driver}')

    def address(self, n):
        return f'0000:01:{n // 8:02x}.{n % 8}'

    def device(self, n):
        return f'bus/pci/devices/{self.address(n)}'

    def driver_of(self, n):
        """Of VF N, counted from 1."""
        link = self.files.nodes.get(self.device(n) + '/driver')
        return link.rpartition('/')[2] if link else None

    @at_once
    def give_driver(self, n, name):
        self.files.add(f'bus/pci/drivers/{name}', None)
        self.files.add(self.device(n) + '/driver',
                       f'../../drivers/{name}')

    def probe(self, address):
        for n in range(1, self.enabled + 1):
            if self.address(n) != address:
                continue
            if (self.overrides[n] == self.vf_driver and not self.refuses_vfs and
                    not self.driver_of(n)):
                self.give_driver(n, self.vf_driver)
            return
        raise OSError(errno.ENODEV, address)

    def unbind_vf(self, address):
        for n in range(1, self.enabled + 1):
            if self.address(n) == address and self.driver_of(n) == self.vf_driver:
                if self.is_open(n):
                    # The kernel would wait, which is worse.
                    raise AssertionError('unbound while it is open')
                self.files.remove(self.device(n) + '/driver')
                return
        raise OSError(errno.ENODEV, address)

    # The PCI core.

    @at_once
    def enable(self, value):
        count = int(value)
        if self.is_in_use():
            raise OSError(errno.EBUSY, 'in use')
        if count and self.enabled:
            raise OSError(errno.EBUSY, 'enabled')
        self.disable()
        self.enabled = count
        for n in range(1, count + 1):
            self.overrides[n] = '(null)'
            self.writable(self.device(n) + '/driver_override',
                          lambda n=n: self.overrides[n],
                          lambda value, n=n: self.override(n, value))
            self.files.add(f'bus/pci/devices/{PF}/virtfn{n - 1}',
                           f'../{self.address(n)}')
            if self.host_driver and self.autoprobe:
                self.give_driver(n, self.host_driver)

    def set_autoprobe(self, value):
        self.autoprobe = int(value)

    def is_in_use(self):
        return any(self.is_open(n) for n in range(1, self.total + 1))

    def override(self, n, value):
        self.overrides[n] = value or '(null)'

    def disable(self):
        for n in range(1, self.total + 1):
            self.files.remove(self.device(n))
            self.files.remove(f'bus/pci/devices/{PF}/virtfn{n - 1}')
        self.enabled = 0
        self.overrides = {}


class Gpu(Pf):
    """A GPU that vgpu_core drives: docs/dev/abi/sysfs-vgpu-*."""

    def __init__(self, total=8, gib=48):
        super().__init__(total)
        self.gib = gib
        self.bind()

    def vf(self, n):
        return self.vfs[n - 1]

    def is_open(self, n):
        return bool(self.vf(n).pid)

    @at_once
    def bind(self):
        self.disable()
        self.vfs = [Vf() for _ in range(self.total)]
        self.mode = 'homogeneous'
        self.state = 'ready'
        top = f'bus/pci/devices/{PF}/vgpu'
        for name, read in (
                ('chip', lambda: 'AD102'), ('name', lambda: 'NVIDIA L40S'),
                ('firmware_version', lambda: '570.144'),
                ('framebuffer_total', lambda: (self.gib + 3) * GIB),
                ('framebuffer_reserved', lambda: GIB),
                ('framebuffer_host', lambda: 2 * GIB),
                ('state', lambda: self.state)):
            self.files.add(f'{top}/{name}', fuse.Attribute(read))
        self.writable(f'{top}/placement', lambda: self.choice(
            self.mode, ('homogeneous', 'heterogeneous')), self.set_mode)
        self.writable(f'{top}/scheduler/policy', lambda: self.choice(
            'best_effort', ('best_effort', 'equal_share', 'fixed_share')),
            lambda value: None)
        for number, fields in TYPES.items():
            self.add_type(f'{top}/types/{number}', number, fields)
        for n in range(1, self.total + 1):
            self.add_vf(f'{top}/vf{n}', n)

    @at_once
    def unbind(self):
        self.files.remove(f'bus/pci/devices/{PF}/vgpu')
        self.disable()

    @staticmethod
    def choice(chosen, names):
        return ' '.join(f'[{n}]' if n == chosen else n for n in names)

    def add_type(self, folder, number, fields):
        name, kind, gib, heads, width, height, rate, most = fields
        for attribute, value in (
                ('name', name), ('class', kind), ('framebuffer', gib * GIB),
                ('heads', heads), ('max_width', width),
                ('max_height', height), ('frame_rate_limit', rate),
                ('max_instances', most)):
            self.files.add(f'{folder}/{attribute}',
                           fuse.Attribute(lambda value=value: value))
        self.files.add(f'{folder}/available_instances',
                       fuse.Attribute(lambda: self.available(number)))

    def add_vf(self, folder, n):
        vf = self.vf(n)
        self.writable(f'{folder}/type', lambda: vf.type,
                      lambda value: self.set_type(n, value))
        self.writable(f'{folder}/placement', lambda: (
            'auto' if vf.placement is None else vf.placement),
            lambda value: self.set_placement(n, value))
        self.writable(f'{folder}/uuid', lambda: vf.uuid or 'none',
                      lambda value: self.set_uuid(n, value))
        for name, read in (
                ('state', lambda: vf.state or
                 ('defined' if vf.type else 'none')),
                ('framebuffer_used', lambda: vf.used),
                ('guest_driver', lambda: vf.guest_driver),
                ('channel_errors', lambda: vf.channel_errors),
                ('error_messages', lambda: vf.error_messages),
                ('opener_pid', lambda: vf.pid)):
            self.files.add(f'{folder}/{name}', fuse.Attribute(read))
        for engine in ENGINES:
            self.files.add(f'{folder}/{engine}_ns', fuse.Attribute(
                lambda engine=engine: vf.engine_ns[engine]))

    def set_mode(self, value):
        if any(vf.type for vf in self.vfs):
            raise OSError(errno.EBUSY, value)
        self.mode = value

    @at_once
    def set_placement(self, n, value):
        if self.vf(n).type:
            raise OSError(errno.EBUSY, value)
        self.vf(n).wanted = None if value == 'auto' else int(value)

    @at_once
    def set_uuid(self, n, value):
        if self.vf(n).pid:
            raise OSError(errno.EBUSY, value)
        self.vf(n).uuid = None if value == 'none' else value

    def places(self, number):
        """Free places that a vGPU of the type could have."""
        size = TYPES[number][2]
        taken = [(vf.placement, TYPES[vf.type][2])
                 for vf in self.vfs if vf.type]
        if self.mode == 'homogeneous' and any(s != size for _, s in taken):
            return None
        return [place for place in range(0, self.gib - size + 1, size)
                if all(place + size <= p or p + s <= place
                       for p, s in taken)][:TYPES[number][7]]

    def available(self, number):
        return len(self.places(number) or []) if self.state == 'ready' else 0

    @at_once
    def set_type(self, n, value):
        vf, number = self.vf(n), int(value)
        if self.state != 'ready':
            raise OSError(errno.ENODEV, value)
        if vf.pid or (number and vf.type):
            raise OSError(errno.EBUSY, value)
        if number == 0:
            vf.type, vf.placement, vf.wanted, vf.uuid = 0, None, None, None
        else:
            places = self.places(number) if number in TYPES else None
            if places is None or (vf.wanted is not None and
                                  vf.wanted % TYPES[number][2]):
                raise OSError(errno.EINVAL, value)
            place = vf.wanted if vf.wanted is not None else \
                places[0] if places else None
            if place not in places:
                raise OSError(errno.ENOSPC, value)
            vf.type, vf.placement = number, place
        self.tell(n)

    # What else happens to a VF.

    def tell(self, n):
        self.files.notify(f'bus/pci/devices/{PF}/vgpu/vf{n}/state')

    @at_once
    def open(self, n, pid):
        vf = self.vf(n)
        vf.state, vf.pid = 'active', pid
        vf.guest_driver, vf.used = 'loaded', 300 * MIB
        self.tell(n)

    @at_once
    def fail(self, n, reason):
        self.vf(n).state = f'failed: {reason}'
        self.tell(n)

    @at_once
    def count_errors(self, n, channel_errors=0, error_messages=0):
        """The firmware has so many errors of a VF to tell of, in all."""
        vf = self.vf(n)
        vf.channel_errors, vf.error_messages = channel_errors, error_messages
        self.tell(n)

    @at_once
    def close(self, n):
        vf = self.vf(n)
        vf.state, vf.pid, vf.used = None, 0, 0
        vf.guest_driver = 'none'
        vf.engine_ns = dict.fromkeys(ENGINES, 0)
        self.tell(n)


class XeGpu(Pf):
    """One of Intel's, as sysfs-driver-intel-xe-sriov of Linux describes it."""

    vf_driver = XE_DRIVER

    def __init__(self, total=4, gib=24):
        self.gib = gib
        self.quotas = [0] * (total + 1)
        self.quanta = [0] * (total + 1)
        self.timeouts = [0] * (total + 1)
        self.opened = [0] * (total + 1)
        super().__init__(total)
        device = f'bus/pci/devices/{PF}'
        self.files.add(device + '/device', fuse.Attribute(lambda: '0xe20b'))
        self.files.add(device + '/tile0/physical_vram_size_bytes',
                       fuse.Attribute(lambda: gib * GIB))
        for n in range(1, total + 1):
            self.add_profile(f'{device}/sriov_admin/vf{n}/profile', n)

    def add_profile(self, folder, n):
        self.writable(f'{folder}/vram_quota', lambda: self.quotas[n],
                      lambda value: self.set_quota(n, int(value)))
        for name, values in (('exec_quantum_ms', self.quanta),
                             ('preempt_timeout_us', self.timeouts)):
            self.writable(
                f'{folder}/{name}', lambda values=values: values[n],
                lambda value, values=values: values.__setitem__(
                    n, int(value)))
        self.files.add(f'{folder}/sched_priority',
                       fuse.Attribute(lambda: '[low] normal high'))

    @at_once
    def set_quota(self, n, value):
        if sum(self.quotas) - self.quotas[n] + value > self.gib * GIB:
            raise OSError(errno.EIO, value)
        self.quotas[n] = value

    def is_open(self, n):
        return bool(self.opened[n])

    @at_once
    def enable(self, value):
        count = int(value)
        if count and not any(self.quotas):
            for n in range(1, count + 1):
                self.quotas[n] = self.gib * GIB // count
        kept = self.quotas[:]
        super().enable(value)
        if count:
            self.quotas[:] = kept
        for n in range(1, count + 1):
            self.files.add(self.device(n) + '/enable',
                           fuse.Attribute(lambda n=n: self.opened[n]))

    def disable(self):
        super().disable()
        self.quotas[:] = [0] * (self.total + 1)


class NvidiaGpu(Pf):
    """One whose VFs NVIDIA's own driver makes, as sriov-manage leaves them."""

    vf_driver = 'nvidia'
    # id: (name, GiB)
    NAMES = {557: ('NVIDIA A40-1B', 1), 558: ('NVIDIA A40-2Q', 2), 570: ('NVIDIA A40-48C', 48)}

    def __init__(self, total=4, gib=48):
        self.gib = gib
        self.types = [0] * (total + 1)
        self.opened = [0] * (total + 1)
        super().__init__(total)
        self.host_driver = 'nvidia'
        self.files.add(f'bus/pci/devices/{PF}/device', fuse.Attribute(lambda: '0x2235'))
        self.enable(str(total))

    def is_open(self, n):
        return bool(self.opened[n])

    @at_once
    def enable(self, value):
        super().enable(value)
        for n in range(1, self.enabled + 1):
            folder = f'{self.device(n)}/nvidia'
            self.files.add(f'{folder}/creatable_vgpu_types',
                           fuse.Attribute(lambda n=n: self.creatable(n)))
            self.writable(f'{folder}/current_vgpu_type', lambda n=n: self.types[n],
                          lambda value, n=n: self.set_type(n, int(value)))

    def free_gib(self):
        return self.gib - sum(self.NAMES[t][1] for t in self.types if t)

    def creatable(self, n):
        fitting = [] if self.types[n] else [
            f'{t:<5} : {name}' for t, (name, gib) in self.NAMES.items()
            if gib <= self.free_gib()]
        return '\n'.join(['ID    : vGPU Name', *fitting]) if fitting else ''

    @at_once
    def set_type(self, n, value):
        if self.opened[n]:
            raise OSError(errno.EBUSY, value)
        if value and value not in self.NAMES:
            raise OSError(errno.ENODEV, value)
        if value and self.NAMES[value][1] > self.free_gib():
            raise OSError(errno.ENOSPC, value)
        self.types[n] = value
