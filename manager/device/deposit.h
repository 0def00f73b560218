/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Keeps fds in systemd's fd store for the next vgpud. */
#ifndef VGPU_MANAGER_DEVICE_DEPOSIT_H
#define VGPU_MANAGER_DEVICE_DEPOSIT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * systemd keeps fds by name. Names are short here, for all of them have to fit
 * into one environment variable; a table in a memfd, which systemd keeps as
 * well, says which is which slot of which vGPU. A slot's line is changed by one
 * store after its fd is kept, and before the fd that it replaces is not kept
 * any more, so that a vgpud killed at any instruction leaves a table that is
 * right.
 *
 * systemd keeps no file twice. Where two slots have the same one (the memory
 * of a VM that has two vGPUs), both lines say the same name.
 */
struct vgpu_deposit;

typedef void (*vgpu_deposit_full_t)(void *userdata);

/*
 * Take over what systemd kept. *ret_deposit is NULL where there is no such
 * store: vgpud was not started by systemd, or its unit says so. @full is
 * called each time that an fd is not kept because there are too many.
 */
int vgpu_deposit_open(vgpu_deposit_full_t full, void *userdata,
		      struct vgpu_deposit **ret_deposit);
/* Keep it unchanged from here on, for the next vgpud. */
void vgpu_deposit_leave(struct vgpu_deposit *deposit); /* NULL is fine */
void vgpu_deposit_close(struct vgpu_deposit *deposit); /* NULL is fine */

/*
 * Keep @fd, which stays the caller's, as @slot of vGPU @uuid, in place of what
 * @handle says (0: of nothing). Returns the handle, or 0 if it is not kept;
 * @handle is of no use then. All is well with no @deposit.
 */
uint32_t vgpu_deposit_put(struct vgpu_deposit *deposit, uint32_t handle,
			  const char *uuid, uint32_t slot, int fd);
void vgpu_deposit_remove(struct vgpu_deposit *deposit, uint32_t handle);

/* @fd is the callee's. */
typedef void (*vgpu_deposit_found_t)(void *userdata, uint32_t slot, int fd,
				     uint32_t handle);
/* Call @found, once, for each fd that an earlier vgpud kept of vGPU @uuid. */
void vgpu_deposit_recover(struct vgpu_deposit *deposit, const char *uuid,
			  vgpu_deposit_found_t found, void *userdata);
/* Drop the fds of vGPUs for which @is_known(uuid) is false. */
void vgpu_deposit_clean(struct vgpu_deposit *deposit,
			bool (*is_known)(void *userdata, const char *uuid),
			void *userdata);

#endif
