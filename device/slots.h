/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds that a successor needs, by slot number. */
#ifndef VGPU_DEVICE_SLOTS_H
#define VGPU_DEVICE_SLOTS_H

#include <stdint.h>

#include "lib/control_abi.h"

struct vgpu_slots;

/* Called when what @slot holds has changed; see vgpu_slots_get(). */
typedef void vgpu_slots_announce(void *opaque, uint32_t slot);

int vgpu_slots_create(struct vgpu_slots **ret_slots);
/*
 * Those from number @first on, counted from 0 again, as another device's. The
 * fds stay @slots', which outlives the view.
 */
int vgpu_slots_view(struct vgpu_slots *slots, uint32_t first,
		    struct vgpu_slots **ret_view);
void vgpu_slots_destroy(struct vgpu_slots *slots); /* NULL is fine */

/* Call @announce for every change from now on, also by a view. */
void vgpu_slots_on_change(struct vgpu_slots *slots,
			  vgpu_slots_announce *announce, void *opaque);

/* The fd in @slot, which stays the slots', or -1. */
int vgpu_slots_get(const struct vgpu_slots *slots, uint32_t slot);
/* Put @fd, which is taken over, into @slot; what was there is closed. */
void vgpu_slots_put(struct vgpu_slots *slots, uint32_t slot, int fd);
/* Put a duplicate of what @from holds into @to. Returns 0 or -errno. */
int vgpu_slots_copy(struct vgpu_slots *slots, uint32_t from, uint32_t to);
/* Close what @slot holds, if anything. */
void vgpu_slots_drop(struct vgpu_slots *slots, uint32_t slot);

#endif
