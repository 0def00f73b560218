/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a guest looks for word that its context is lost: its rings' status. */
#include "internal.h"

#include <unistd.h>

bool vgpu_render_note_ring(struct vgpu_render *render,
			   const struct vgpu_render_message *message)
{
	const struct ring ring = {message->resource_id, message->offset};
	uint32_t i = 0;

	while (i < render->n_rings &&
	       (render->ring[i].resource_id != ring.resource_id ||
		render->ring[i].status_offset != ring.status_offset))
		i++;
	if (!message->n) {
		if (i == render->n_rings)
			return false;
		render->ring[i] = render->ring[--render->n_rings];
		return true;
	}
	if (render->n_rings == VGPU_RENDER_RINGS_MAX || message->n != 1)
		return false;
	/* Two rings may share a status: known twice, forgotten twice. */
	render->ring[render->n_rings++] = ring;
	return true;
}

void vgpu_render_fail_rings(struct vgpu_render *render)
{
	for (uint32_t i = 0; render->ops->fail_ring && i < render->n_rings; i++)
		render->ops->fail_ring(render->opaque,
				       render->ring[i].resource_id,
				       render->ring[i].status_offset);
	render->n_rings = 0;
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
