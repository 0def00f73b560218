/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a render process is told: commands, fences, resources. */
#include "internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "lib/util.h"

static int ask_fence(struct vgpu_render *render, uint32_t ring_idx, uint64_t id,
		     bool is_internal)
{
	uint64_t wire_id = 0;
	int r = vgpu_render_owe_fence(render, ring_idx, id, is_internal,
				      &wire_id);

	if (r < 0) {
		if (is_internal) /* its fence would do that */
			vgpu_host_memory_uncharge(render->config.host_memory, id);
		return vgpu_render_sent(render, r);
	}
	return vgpu_render_put(render,
			       &(struct vgpu_render_parcel){
				       .message = {.type = VGPU_RENDER_FENCE,
						   .ring_idx = ring_idx,
						   .id = wire_id},
				       .own_fd = -1,
			       });
}

static int write_all(int fd, const char *data, size_t bytes)
{
	while (bytes) {
		ssize_t n = write(fd, data, bytes);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			data += n;
			bytes -= (size_t)n;
		}
	}
	return 0;
}

/* Too much for a packet: in a memfd, and a fence says when it is taken in. */
static int submit_bulk(struct vgpu_render *render, const void *commands,
		       size_t bytes)
{
	int fd, r;

	if (bytes > VGPU_RENDER_QUEUE_BYTES_MAX)
		return vgpu_render_sent(render, -ENOBUFS);
	if (!vgpu_host_memory_charge(render->config.host_memory, bytes))
		return vgpu_render_sent(render, -ENOBUFS);
	fd = memfd_create("vgpu-commands", MFD_CLOEXEC);
	r = fd < 0 ? -errno : write_all(fd, commands, bytes);
	if (r < 0) {
		vgpu_host_memory_uncharge(render->config.host_memory, bytes);
		vgpu_close(fd);
		return vgpu_render_sent(render, r);
	}
	r = vgpu_render_put(
		render,
		&(struct vgpu_render_parcel){
			.message = {.type = VGPU_RENDER_SUBMIT, .bytes = bytes},
			.own_fd = fd,
			.own_bytes = bytes,
		});
	if (r < 0) {
		vgpu_host_memory_uncharge(render->config.host_memory, bytes);
		return r;
	}
	return ask_fence(render, 0, bytes, /* is_internal= */ true);
}

int vgpu_render_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes)
{
	if (render->state != RUNNING)
		return -EPIPE;
	if (bytes > VGPU_RENDER_INLINE_MAX)
		return submit_bulk(render, commands, bytes);
	return vgpu_render_put(
		render,
		&(struct vgpu_render_parcel){
			.message = {.type = VGPU_RENDER_SUBMIT, .bytes = bytes},
			.body = commands,
			.body_bytes = bytes,
			.own_fd = -1,
		});
}

int vgpu_render_fence(struct vgpu_render *render, uint32_t ring_idx, uint64_t id)
{
	if (render->state != RUNNING)
		return -EPIPE;
	if (ring_idx >= VGPU_RENDER_TIMELINES) {
		vgpu_render_end(render, "the guest names timeline %" PRIu32,
				ring_idx);
		return -EPIPE;
	}
	return ask_fence(render, ring_idx, id, /* is_internal= */ false);
}

int vgpu_render_resource_add(struct vgpu_render *render, uint32_t resource_id,
			     int fd, uint64_t offset, uint64_t bytes)
{
	struct vgpu_render_parcel parcel = {
		.message = {.type = VGPU_RENDER_RESOURCE_ADD,
			    .resource_id = resource_id,
			    .offset = offset,
			    .bytes = bytes},
		.own_fd = -1,
	};

	if (render->state != RUNNING)
		return -EPIPE;
	if (fd >= 0) {
		parcel.own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (parcel.own_fd < 0)
			return vgpu_render_sent(render, -errno);
		vgpu_host_memory_share(&render->host, bytes);
		render->outbox.is_held =
			vgpu_host_memory_is_raising(&render->host);
	}
	return vgpu_render_put(render, &parcel);
}

int vgpu_render_resource_remove(struct vgpu_render *render,
				uint32_t resource_id, uint64_t shared_bytes)
{
	vgpu_host_memory_unshare(&render->host, shared_bytes);
	return vgpu_render_put(
		render, &(struct vgpu_render_parcel){
				.message = {.type = VGPU_RENDER_RESOURCE_REMOVE,
					    .resource_id = resource_id},
				.own_fd = -1,
			});
}

int vgpu_render_export(struct vgpu_render *render, uint64_t memory_id,
		       uint32_t resource_id, uint64_t bytes)
{
	int r;

	if (render->state != RUNNING)
		return -EPIPE;
	r = vgpu_render_owe_export(render, resource_id, bytes);
	if (r < 0)
		return vgpu_render_sent(render, r);
	return vgpu_render_put(render,
			       &(struct vgpu_render_parcel){
				       .message = {.type = VGPU_RENDER_EXPORT,
						   .resource_id = resource_id,
						   .id = memory_id,
						   .bytes = bytes},
				       .own_fd = -1,
			       });
}
