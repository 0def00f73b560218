/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver of a PCI device: chosen by name, as driver_override has it. */
#ifndef VGPU_MANAGER_GPU_SRIOV_VF_DRIVER_H
#define VGPU_MANAGER_GPU_SRIOV_VF_DRIVER_H

#include <stdbool.h>

#include "lib/err.h"

/*
 * Bind the device @address below @sysfs to @driver, which is loaded. One that
 * has another driver is left to it. On failure it is as it was.
 */
int vgpu_vf_driver_bind(int sysfs, const char *address, const char *driver,
			struct vgpu_err *err);
/*
 * Undo that, if the device has @driver. It must not be in use: the kernel waits
 * for its users, however long they stay.
 */
void vgpu_vf_driver_unbind(int sysfs, const char *address, const char *driver);
bool vgpu_vf_driver_is_loaded(int sysfs, const char *driver);
/* Whether it has a driver that is not @driver, whose name goes to @ret. */
bool vgpu_vf_driver_is_other(int sysfs, const char *address, const char *driver,
			     char ret[32]);

#endif
