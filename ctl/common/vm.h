/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a virtual machine is called. */
#ifndef VGPU_CTL_COMMON_VM_H
#define VGPU_CTL_COMMON_VM_H

#include <stdint.h>

#include "ctl/ctl.h"

#define CTL_VM_NAME_SIZE 129

/* Of any origin: escape it. Empty: unknown. */
struct ctl_vm {
	char name[CTL_VM_NAME_SIZE];
	char uuid[37];
};

/*
 * What the command line of QEMU's process @pid on this machine says (-name,
 * -uuid; libvirt gives both). Nobody vouches for it: the process may have
 * changed that line.
 */
void ctl_vm_find(uint64_t pid, struct ctl_vm *ret);
/*
 * The same of a vGPU that a virtual machine has, as the manager shows it;
 * nothing of another machine's.
 */
void ctl_vm_of_vgpu(const struct ctl *ctl, sd_json_variant *vgpu,
		    struct ctl_vm *ret);

#endif
