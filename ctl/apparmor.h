/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What AppArmor's profiles allow the machines of libvirt. */
#ifndef VGPU_CTL_APPARMOR_H
#define VGPU_CTL_APPARMOR_H

#include <stdbool.h>

#define CTL_APPARMOR_FOLDER "/etc/apparmor.d"

bool ctl_apparmor_is_enabled(void);
/*
 * Whether a rule about sockets of vGPUs is in the abstraction of libvirt's
 * QEMU below @folder, or in what that includes.
 */
bool ctl_apparmor_allows_qemu(const char *folder);

#endif
