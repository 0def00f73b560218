/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Whether AppArmor lets libvirt's virtual machines connect to vGPUs. */
#ifndef VGPU_CTL_DOCTOR_APPARMOR_H
#define VGPU_CTL_DOCTOR_APPARMOR_H

#include <stdbool.h>

#define CTL_APPARMOR_FOLDER "/etc/apparmor.d"

bool ctl_apparmor_is_enabled(void);
/*
 * Whether the abstraction for libvirt's QEMU below @folder, or a file that it
 * includes, has a rule for the sockets of vGPUs.
 */
bool ctl_apparmor_allows_qemu(const char *folder);

#endif
