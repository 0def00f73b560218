/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sends commands, fences and resources to a render process. */
#include "internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <sys/mman.h>

#include "lib/util.h"

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

/* Too much for a packet: in a memfd, until it says that it has taken it in. */
static int make_bulk(struct vgpu_render *render, const void *commands,
		     size_t bytes, int *ret_fd)
{
	int fd, r;

	if (bytes > VGPU_RENDER_QUEUE_BYTES_MAX ||
	    !vgpu_host_memory_charge(render->config.host_memory, bytes))
		return -ENOBUFS;
	fd = memfd_create("vgpu-commands", MFD_CLOEXEC);
	r = fd < 0 ? -errno : write_all(fd, commands, bytes);
	if (r < 0) {
		vgpu_host_memory_uncharge(render->config.host_memory, bytes);
		vgpu_close(fd);
		return r;
	}
	*ret_fd = fd;
	return 0;
}

static int submit_bulk(struct vgpu_render *render, const void *commands,
		       size_t bytes, uint32_t ring_idx, uint32_t flags,
		       uint64_t *token)
{
	struct vgpu_render_parcel parcel = {
		.message = {.type = VGPU_RENDER_SUBMIT,
			    .bytes = bytes,
			    .ring_idx = ring_idx,
			    .flags = flags},
		.own_bytes = bytes,
	};
	int r;

	/* One at a time is on its way. */
	if (render->has_successor && render->outbox.is_bulk_out) {
		render->wants_room = true;
		return -EAGAIN;
	}
	r = make_bulk(render, commands, bytes, &parcel.own_fd);
	if (r < 0)
		return vgpu_render_sent(render, r);
	r = vgpu_render_tell(render, &parcel, token);
	if (r == 0)
		r = vgpu_render_owe_bulk(render, bytes, render->kept->seq);
	if (r < 0)
		vgpu_host_memory_uncharge(render->config.host_memory, bytes);
	/* It would never be known when the next one may follow. */
	return r == -ENOMEM ? vgpu_render_sent(render, r) : r;
}

static int send_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes, uint32_t ring_idx, uint32_t flags,
		       uint64_t *token)
{
	struct vgpu_render_parcel parcel = {
		.message = {.type = VGPU_RENDER_SUBMIT,
			    .bytes = bytes,
			    .ring_idx = ring_idx,
			    .flags = flags},
		.body = commands,
		.body_bytes = bytes,
		.own_fd = -1,
	};

	if (bytes > VGPU_RENDER_INLINE_MAX)
		return submit_bulk(render, commands, bytes, ring_idx, flags,
				   token);
	if (!bytes)
		parcel.message.type = VGPU_RENDER_FENCE;
	return vgpu_render_tell(render, &parcel, token);
}

int vgpu_render_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes, const struct vgpu_render_fence *fence,
		       uint64_t *token)
{
	int r = vgpu_render_may_tell(render);

	if (r < 0)
		return r;
	if (!fence)
		return send_submit(render, commands, bytes, 0, 0, token);
	if (fence->ring_idx >= VGPU_RENDER_TIMELINES) {
		vgpu_render_end(render, "the guest names timeline %" PRIu32,
				fence->ring_idx);
		return -EPIPE;
	}
	r = send_submit(render, commands, bytes, fence->ring_idx,
			VGPU_RENDER_FLAG_FENCE, token);
	if (r < 0)
		return r;
	/* What was asked for and cannot be waited for ends the context. */
	r = vgpu_render_owe_fence(render, fence, render->kept->seq);
	return r < 0 ? vgpu_render_sent(render, r) : 0;
}

/* Let it map so much more. Returns 0, or -EAGAIN until it may. */
static int share_memory(struct vgpu_render *render, uint32_t resource_id,
			uint64_t bytes)
{
	if (render->sharing != resource_id)
		vgpu_host_memory_share(&render->host, bytes);
	render->sharing = render->has_successor ? resource_id : 0;
	render->outbox.is_held = vgpu_host_memory_is_raising(&render->host);
	return vgpu_render_may_tell(render);
}

int vgpu_render_resource_add(struct vgpu_render *render, uint32_t resource_id,
			     int fd, uint64_t bytes, uint64_t *token)
{
	struct vgpu_render_parcel parcel = {
		.message = {.type = VGPU_RENDER_RESOURCE_ADD,
			    .resource_id = resource_id,
			    .bytes = bytes},
		.fds = &fd,
		.n_fds = fd >= 0,
		.own_fd = -1,
	};
	int r = vgpu_render_may_tell(render);

	if (r == 0 && fd >= 0)
		r = share_memory(render, resource_id, bytes);
	if (r < 0)
		return r;
	/* Only what may have to be kept needs an fd of its own. */
	if (fd >= 0 && !render->has_successor) {
		parcel.own_fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (parcel.own_fd < 0)
			return vgpu_render_sent(render, -errno);
	}
	r = vgpu_render_tell(render, &parcel, token);
	if (r == 0)
		render->sharing = 0;
	return r;
}

int vgpu_render_resource_remove(struct vgpu_render *render, uint32_t resource_id,
				bool is_memory, uint64_t bytes)
{
	int r = vgpu_render_tell(
		render,
		&(struct vgpu_render_parcel){
			.message = {.type = VGPU_RENDER_RESOURCE_REMOVE,
				    .resource_id = resource_id},
			.own_fd = -1,
		},
		NULL);

	if (r != -EAGAIN && is_memory)
		vgpu_host_memory_detach(&render->host, bytes);
	else if (r != -EAGAIN)
		vgpu_host_memory_unshare(&render->host, bytes);
	return r;
}

int vgpu_render_export(struct vgpu_render *render, uint64_t memory_id,
		       uint32_t resource_id, uint64_t bytes, uint64_t *token)
{
	int r = vgpu_render_tell(render,
				 &(struct vgpu_render_parcel){
					 .message = {.type = VGPU_RENDER_EXPORT,
						     .id = memory_id,
						     .resource_id = resource_id,
						     .bytes = bytes},
					 .own_fd = -1,
				 },
				 token);

	if (r < 0)
		return r;
	r = vgpu_render_owe_export(render, resource_id, bytes, render->kept->seq);
	return r < 0 ? vgpu_render_sent(render, r) : 0;
}
