# SPDX-License-Identifier: GPL-2.0-or-later
"""A libvirt domain with a vGPU, as an administrator defines it. Its kernel loads the
driver of the GPU, and waits for a disk that never comes."""

from xml.etree import ElementTree

DOMAIN = """<domain type='qemu'>
  <name>{name}</name>
  <memory unit='MiB'>256</memory>
  <vcpu>1</vcpu>
  <os>
    <type arch='x86_64' machine='{machine}'>hvm</type>
    <kernel>/mnt/guest/vmlinuz</kernel>
    <initrd>/mnt/guest/initrd</initrd>
    <cmdline>console=ttyS0 quiet mitigations=off panic=-1</cmdline>
  </os>
  <features><acpi/></features>
  <cpu mode='maximum'/>
  <devices>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='/var/log/libvirt/qemu/{name}-console.log'/></serial>
  </devices>
</domain>
"""


def xml(name, printed, machine='q35', kind='qemu'):
    """The domain's, with what `vgpuctl qemu-args --libvirt` PRINTED."""
    domain = ElementTree.fromstring(DOMAIN.format(name=name, machine=machine))
    domain.set('type', kind)
    for part in ElementTree.fromstring(f'<domain>{printed}</domain>'):
        if part.tag == 'devices':
            domain.find('devices').extend(part)
        else:
            domain.append(part)
    return ElementTree.tostring(domain, encoding='unicode')
