/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making the state block, or taking one over. */
#ifndef VGPU_DEVICE_STATE_H
#define VGPU_DEVICE_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "device/state_abi.h"
#include "lib/err.h"

/*
 * Map the state block in @fd, which stays the caller's. An empty file, or one
 * whose making was never finished, becomes a new block with room for
 * @gpu_bytes of the gpu's; another is checked as if a stranger had written it.
 * -EBADMSG with err if it makes no sense.
 */
int vgpu_state_map(int fd, size_t gpu_bytes, struct vgpu_state **ret_state,
		   struct vgpu_err *err);
/*
 * @gpu_bytes as it was mapped with: the block itself does not know, as others
 * may write to it. NULL is fine.
 */
void vgpu_state_unmap(struct vgpu_state *state, size_t gpu_bytes);

/* The gpu's part. */
void *vgpu_state_gpu(struct vgpu_state *state);

/* Note in @file which file @fd is of. */
void vgpu_state_note_file(struct vgpu_state_file *file, int fd);
/* Whether @fd, which may be -1, is of @file. */
bool vgpu_state_is_file(const struct vgpu_state_file *file, int fd);

#endif
