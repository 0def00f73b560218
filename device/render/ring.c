/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status of a guest's rings, which tells the guest that its context is
 * lost.
 */
#include "internal.h"

#include <unistd.h>

static struct vgpu_render_state_ring *
find_ring(struct vgpu_render *render, const struct vgpu_render_message *message)
{
	for (uint32_t i = 0; i < VGPU_RENDER_RINGS_MAX; i++) {
		struct vgpu_render_state_ring *ring = &render->kept->ring[i];

		if (ring->is_used && ring->resource_id == message->resource_id &&
		    ring->status_offset == message->offset)
			return ring;
	}
	return NULL;
}

bool vgpu_render_note_ring(struct vgpu_render *render,
			   const struct vgpu_render_message *message)
{
	struct vgpu_render_state_ring *ring = find_ring(render, message);
	uint32_t i = 0;

	if (!message->n) {
		if (ring)
			__atomic_store_n(&ring->is_used, 0, __ATOMIC_RELEASE);
		/* A predecessor may have been told that. */
		return ring || render->resume_seq;
	}
	if (ring && render->is_resuming)
		return message->n == 1;
	while (i < VGPU_RENDER_RINGS_MAX && render->kept->ring[i].is_used)
		i++;
	if (i == VGPU_RENDER_RINGS_MAX || message->n != 1)
		return false;
	/* Two rings may share a status: known twice, forgotten twice. */
	ring = &render->kept->ring[i];
	ring->resource_id = message->resource_id;
	ring->status_offset = message->offset;
	__atomic_store_n(&ring->is_used, 1, __ATOMIC_RELEASE);
	return true;
}

void vgpu_render_fail_rings(struct vgpu_render *render)
{
	for (uint32_t i = 0; i < VGPU_RENDER_RINGS_MAX; i++) {
		struct vgpu_render_state_ring *ring = &render->kept->ring[i];

		if (ring->is_used && render->ops->fail_ring)
			render->ops->fail_ring(render->opaque, ring->resource_id,
					       ring->status_offset);
		ring->is_used = 0;
	}
}

void vgpu_render_set_fatal(int fd, uint64_t bytes, uint64_t offset)
{
	const uint32_t status = VGPU_RENDER_RING_STATUS_FATAL;

	if (offset % sizeof(status) != 0 || bytes < sizeof(status) ||
	    offset > bytes - sizeof(status))
		return;
	/*
	 * If it fails its guest has made the file smaller itself; and if it is
	 * written elsewhere, it has moved the position, which is its own, too.
	 */
	if (lseek(fd, (off_t)offset, SEEK_SET) >= 0)
		(void)!write(fd, &status, sizeof(status));
}
