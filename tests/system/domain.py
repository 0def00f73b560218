# SPDX-License-Identifier: GPL-2.0-or-later
"""A libvirt domain with a vGPU, as an administrator defines it. Its kernel loads the
driver of the GPU, and waits for a disk that never comes."""

import json
from xml.sax.saxutils import quoteattr

TEMPLATE = """<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
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
  <memoryBacking>
    <source type='memfd'/>
    <access mode='shared'/>
  </memoryBacking>
  <devices>
    <video><model type='none'/></video>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    <serial type='file'><source path='/var/log/libvirt/qemu/{name}-console.log'/></serial>
  </devices>
  <qemu:commandline>
{arguments}
  </qemu:commandline>
</domain>
"""


def as_json(device):
    """QEMU's -device in the form that libvirt's own are in: it gives those of the
    other form their slots first, whatever libvirt has chosen for its own."""
    if device.startswith('{'):
        return device
    driver, *pairs = device.split(',')
    fields = dict(pair.split('=', 1) for pair in pairs)
    return json.dumps({'driver': driver, **{
        key: int(value) if value.isdigit() else value for key, value in fields.items()}})


def xml(name, arguments, machine='q35'):
    """The domain's, from what `vgpuctl qemu-args` prints."""
    words = arguments.split()
    words = [as_json(word) if i and words[i - 1] == '-device' else word
             for i, word in enumerate(words)]
    return TEMPLATE.format(
        name=name, machine=machine,
        arguments='\n'.join(f'    <qemu:arg value={quoteattr(word)}/>' for word in words))
