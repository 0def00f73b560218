/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks vgpu-probe for the machine's GPUs while vgpud goes on. */
#ifndef VGPU_MANAGER_GPU_PROBING_H
#define VGPU_MANAGER_GPU_PROBING_H

#include <systemd/sd-event.h>

#include "inventory.h"

struct vgpu_probing;

/*
 * Called once, from the event loop; the probing is over then, and freed.
 * @found is NULL if it failed: @problem says why.
 */
typedef void (*vgpu_probing_done_t)(void *userdata,
				    const struct vgpu_inventory *found,
				    const char *problem);

int vgpu_probing_start(sd_event *event, vgpu_probing_done_t done, void *userdata,
		       struct vgpu_probing **ret_probing, struct vgpu_err *err);
/* End it before it is over. NULL is fine. */
void vgpu_probing_cancel(struct vgpu_probing *probing);

#endif
