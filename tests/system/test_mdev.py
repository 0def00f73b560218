# SPDX-License-Identifier: GPL-2.0-or-later
"""vGPUs as mediated devices, by the programs that users have for these: Debian's mdevctl
and libvirt, in a virtual machine with the kernel module, on which our packages are
installed. After make deb, and tests/mdev/build_host in the model's lab.

Each test is a step of one system's life, in the order of their names.
"""

import json
import os
import re
import tempfile
import unittest

import domain
import machine
import system
from test_system import APT, TYPES, package
from system import SOURCE

CONFIG = f'[embedded]\nframebuffer_mib = 512\n[mdev]\nparent = {machine.GPU}\n'
TYPE = 'pci-128MQ'  # no driver is bound to that GPU
PARENT = 'pci_' + re.sub('[:.]', '_', machine.GPU)
UUID = '6ba7b810-9dad-41d1-80b4-00c04fd430c8'
OTHER = '6ba7b811-9dad-41d1-80b4-00c04fd430c8'
NODE = f'mdev_{OTHER.replace("-", "_")}_' + re.sub('[:.]', '_', machine.GPU)
DEVICE = f"""<device>
  <parent>{PARENT}</parent>
  <capability type='mdev'><type id='{TYPE}'/><uuid>{OTHER}</uuid></capability>
</device>
"""
HOSTDEV = f"""<devices>
  <video><model type='none'/></video>
  <hostdev mode='subsystem' type='mdev' model='vfio-pci' managed='yes'>
    <source><address uuid='{OTHER}'/></source>
  </hostdev>
</devices>
"""
# It is emulated, and reads its programs by 9p: nothing is as quick as the unit wants.
SLOW_UNIT = '[Service]\nTimeoutStartSec=600\n'
MEMORY_MIB = 3072
LIMIT_SECONDS = 3000


class Mdev(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        installed = cls.enterClassContext(system.System())
        installed.write('/etc/vgpu/vgpud.conf', CONFIG)
        installed.write('/etc/vgpu/types.ini', TYPES)
        installed.write('/etc/systemd/system/vgpud.service.d/slow.conf', SLOW_UNIT)
        packages = ' '.join(package(name).replace(SOURCE, '/mnt/source')
                            for name in ('openvgpu', 'openvgpu-device'))
        installed.check(f'{APT} {packages}')
        installed.check('systemctl stop vgpud')
        installed.write('/root/device.xml', DEVICE)
        for kind in 'kvm', 'qemu':
            installed.write(f'/root/{kind}.xml', domain.xml('cad', HOSTDEV, kind=kind))
        installed.end()
        folder = cls.enterClassContext(tempfile.TemporaryDirectory())
        cls.host = cls.enterClassContext(
            machine.Machine(installed.tree, folder, MEMORY_MIB, LIMIT_SECONDS))
        cls.host.prepare()
        cls.host.wait(lambda: cls.host.run('systemctl is-active vgpud')[0] == 0, 'vgpud')

    @classmethod
    def tearDownClass(cls):
        complaint = cls.host.complaint()
        assert complaint is None, complaint

    def tearDown(self):
        if not self._outcome.success:
            print(self.host.run('journalctl --no-pager -o short-monotonic -n 100; '
                                'tail -n 30 /var/log/libvirt/qemu/*')[1])

    def do(self, command):
        return self.host.do(command)

    def vgpus(self):
        """Their states."""
        listed = json.loads(self.do('vgpuctl list --json=short'))
        return {vgpu['uuid']: vgpu['state'] for vgpu in listed}

    def wait_for_vgpu(self, uuid, state):
        self.host.wait(lambda: self.vgpus() == {uuid: state}, f'{uuid} to be {state}')

    def wait_for_none(self):
        self.host.wait(lambda: self.vgpus() == {}, 'no vGPU')

    def available(self):
        types = json.loads(self.do(f'mdevctl types --parent {machine.GPU} --dumpjson'))
        return types[0][machine.GPU][0][TYPE]['available_instances']

    def test_1_types(self):
        """vgpud, which runs, is told that the module was loaded."""
        self.do('modprobe vgpu_mdev')
        self.host.wait(lambda: TYPE in self.do('mdevctl types'), 'the types')
        self.assertIn('num_heads=1, framebuffer=128M, max_resolution=1280x720',
                      self.do('mdevctl types'))
        self.assertEqual(self.available(), 4)
        self.assertEqual(self.do('virsh nodedev-list --cap mdev_types').split(), [PARENT])
        self.assertRegex(self.do(f'virsh nodedev-dumpxml {PARENT}'),
                         f"<type id='{TYPE}'>\\s*<name>128MQ</name>\\s*"
                         "<deviceAPI>vfio-pci</deviceAPI>\\s*"
                         '<availableInstances>4</availableInstances>')
        self.assertEqual(self.vgpus(), {})

    def test_2_mdevctl(self):
        """A device of mdevctl's is a vGPU as long as it is started."""
        self.do(f'mdevctl define --uuid {UUID} --parent {machine.GPU} --type {TYPE}')
        self.assertEqual(self.vgpus(), {})
        for _ in range(2):
            self.do(f'mdevctl start --uuid {UUID}')
            self.assertRegex(self.do('mdevctl list'), f'{UUID} {machine.GPU} {TYPE}')
            self.wait_for_vgpu(UUID, 'active')
            self.assertEqual(self.available(), 3)
            self.do(f'mdevctl stop --uuid {UUID}')
            self.wait_for_none()
            self.host.wait(lambda: self.available() == 4, 'its place to be free')
        self.do(f'mdevctl undefine --uuid {UUID}')
        self.assertEqual(self.do('mdevctl list; mdevctl list --defined'), '')

    def test_3_vgpuctl(self):
        """A vGPU of vgpuctl's is a device that mdevctl and libvirt show."""
        uuid = self.do('vgpuctl create --type 128MQ --name cad --transport mdev').strip()
        self.assertIn(uuid, self.do('mdevctl list'))
        name = f'mdev_{uuid.replace("-", "_")}'
        self.host.wait(lambda: name in self.do('virsh nodedev-list --cap mdev'),
                       'libvirt to see it')
        self.assertEqual(self.available(), 3)
        self.do('vgpuctl destroy cad')
        self.assertEqual(self.do('mdevctl list'), '')
        self.host.wait(lambda: name not in self.do('virsh nodedev-list --cap mdev'),
                       'libvirt to see that it is gone')

    def test_4_no_room(self):
        """No more can be made than fit, whoever makes them."""
        uuids = [f'{n}{UUID[1:]}' for n in range(4)]
        for uuid in uuids:
            self.do(f'mdevctl start --uuid {uuid} --parent {machine.GPU} --type {TYPE}')
        self.host.wait(lambda: self.vgpus() == dict.fromkeys(uuids, 'active'), 'all')
        self.assertNotEqual(self.host.try_to(
            f'mdevctl start --uuid {UUID} --parent {machine.GPU} --type {TYPE}')[0], 0)
        self.assertIn('is free', self.host.try_to(
            'vgpuctl create --type 128MQ --transport mdev')[1])
        # vgpuctl takes it away as mdevctl does.
        self.do(f'vgpuctl destroy {uuids[0]}')
        self.assertNotIn(uuids[0], self.do('mdevctl list'))
        for uuid in uuids[1:]:
            self.do(f'mdevctl stop --uuid {uuid}')
        self.wait_for_none()

    def test_5_domain(self):
        """libvirt defines a device and starts it, and gives it to a machine at once:
        the machine waits until vgpud serves it. The guest's driver shows a console."""
        self.do('virsh nodedev-define /root/device.xml')
        self.assertIn(NODE, self.do('virsh nodedev-list --cap mdev --inactive'))
        # An emulated processor has SVM, where QEMU emulates one of AMD's.
        self.do('virsh define /root/$([ -e /dev/kvm ] && echo kvm || echo qemu).xml')
        self.do(f'virsh nodedev-start {NODE} && virsh start cad')
        self.wait_for_vgpu(OTHER, 'attached')
        self.assertRegex(self.do('vgpuctl list'), 'attached *cad')
        self.wait_for_driver(0)
        self.do(f'vgpuctl screenshot {OTHER} /tmp/cad.png')
        # The device process is another, and so is the service.
        self.do(f"kill -9 $(vgpuctl show {OTHER} --json=short | "
                'python3 -c "import json,sys; print(json.load(sys.stdin)[\'devicePid\'])")')
        self.wait_for_vgpu(OTHER, 'attached')
        self.do('systemctl restart vgpud')
        self.wait_for_vgpu(OTHER, 'attached')

    def test_6_end(self):
        """A machine has it: who removes it waits for the machine, or is refused."""
        self.assertNotEqual(self.host.try_to(f'vgpuctl destroy {OTHER} --force')[0], 0)
        self.assertNotEqual(self.host.try_to(f'virsh nodedev-destroy {NODE}')[0], 0)
        self.do('virsh destroy cad')
        self.wait_for_vgpu(OTHER, 'active')
        self.do(f'virsh nodedev-destroy {NODE}')
        self.wait_for_none()
        self.do(f'virsh nodedev-undefine {NODE}')
        self.do('virsh undefine cad')
        self.do('rmmod vgpu_mdev')
        self.assertNotIn(TYPE, self.do('mdevctl types'))

    def shown(self):
        """How often the guest's driver, when it came up, showed a console."""
        return int(self.do("journalctl --no-pager -u vgpud | "
                           f"grep -c '{OTHER} head: head 0 shows 1280 x 720' || :"))

    def wait_for_driver(self, before):
        """It has come up more often than that."""
        self.host.wait(lambda: self.shown() > before or self.domain_state() != 'running',
                       "the guest's driver")
        self.assertEqual(self.domain_state(), 'running')

    def domain_state(self):
        return self.do('virsh domstate cad').strip()


if __name__ == '__main__':
    WHY_NOT = system.why_not() or machine.why_not()
    if WHY_NOT:
        print(f'skipped: {WHY_NOT}')
        os._exit(77)
    unittest.main()
