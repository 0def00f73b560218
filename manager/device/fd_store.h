/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds of one vGPU by slot: what a successor of its device would need. */
#ifndef VGPU_MANAGER_DEVICE_FD_STORE_H
#define VGPU_MANAGER_DEVICE_FD_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "deposit.h"
#include "lib/control_abi.h"

/* Slots of vgpud's own, which are not sent to devices. */
enum vgpu_own_slot {
	VGPU_SLOT_OWN_CONTROL = VGPU_SLOT_MAX, /* its end of the control socket */
	VGPU_SLOT_OWN_PROCESS,		       /* the device's pidfd */
	VGPU_SLOT_OWN_LAUNCHER,		       /* vgpu-launch's */
	VGPU_SLOT_OWN_MAX,
};

struct vgpu_fd_store {
	struct vgpu_fd_entry {
		uint32_t slot;
		int fd;
		uint32_t kept;	   /* in the deposit, 0: it is not */
		bool is_recovered; /* from the deposit, and not put since */
	} *entries;
	size_t count;
	size_t allocated;
	/* Also keeps all fds for the next vgpud; NULL: nothing does. */
	struct vgpu_deposit *deposit;
	const char *uuid; /* whose it is there */
};

bool vgpu_fd_store_is_slot(uint32_t slot); /* one of the contract's */

/* Slots that only the manager fills, not the device. */
bool vgpu_fd_store_is_given(uint32_t slot);

/*
 * Keep @fd as @slot, closing what was there; takes @fd even where it fails
 * (-EINVAL for no slot, -ENOMEM).
 */
int vgpu_fd_store_put(struct vgpu_fd_store *store, uint32_t slot, int fd);
void vgpu_fd_store_drop(struct vgpu_fd_store *store, uint32_t slot);
/* The fd of @slot, still the store's, or -1. */
int vgpu_fd_store_get(const struct vgpu_fd_store *store, uint32_t slot);

/* Recover what an earlier vgpud kept in the deposit. */
void vgpu_fd_store_recover(struct vgpu_fd_store *store);
/*
 * Close recovered fds in the device's own slots that the device has not
 * announced.
 */
void vgpu_fd_store_drop_recovered(struct vgpu_fd_store *store);

/* Take the segments out, @n at most, into @ret_fds. Returns how many. */
size_t vgpu_fd_store_take_segments(struct vgpu_fd_store *store, int *ret_fds,
				   size_t n);
size_t vgpu_fd_store_count_segments(const struct vgpu_fd_store *store);
/* Close all that are no segments. */
void vgpu_fd_store_keep_segments(struct vgpu_fd_store *store);
void vgpu_fd_store_finish(struct vgpu_fd_store *store);

#endif
