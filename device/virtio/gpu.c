/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A virtio-gpu behind the queues (device/gpu/gpu.h). */
#include <endian.h>
#include <errno.h>
#include <linux/virtio_gpu.h>
#include <string.h>

#include "device/state.h"
#include "device/virtio/internal.h"
#include "lib/util.h"

static void *gpu_guest_range(void *opaque, uint64_t gpa, uint64_t len,
			     uint64_t *ret_part)
{
	struct vgpu_virtio *virtio = opaque;

	return vgpu_memory_guest_part(virtio->memory, gpa, len, ret_part);
}

static void gpu_complete(void *opaque, struct vgpu_gpu_request *request,
			 size_t written)
{
	vgpu_virtio_complete(opaque, request, written);
}

static void gpu_config_changed(void *opaque)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->config_changed(virtio->opaque);
}

static void gpu_guest_fault(void *opaque, const char *text)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->fault(virtio->opaque, text);
}

static void gpu_status_changed(void *opaque)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->status_changed(virtio->opaque);
}

static int gpu_window_map(void *opaque, uint64_t cookie,
			  const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_virtio *virtio = opaque;

	/* It may be all that is left in flight, and need not end now. */
	if (virtio->ring[0].is_draining)
		virtio->ops->drained(virtio->opaque);
	return virtio->ops->window_map(virtio->opaque, cookie, mapping);
}

static int gpu_window_unmap(void *opaque, uint64_t cookie,
			    const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_virtio *virtio = opaque;

	return virtio->ops->window_unmap(virtio->opaque, cookie, mapping);
}

static void gpu_window_resume(void *opaque, const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->window_resume(virtio->opaque, mapping);
}

static void gpu_window_forget(void *opaque)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->window_forget(virtio->opaque);
}

static void gpu_console_over(void *opaque)
{
	struct vgpu_virtio *virtio = opaque;

	virtio->ops->console_over(virtio->opaque);
}

static const struct vgpu_gpu_transport_ops gpu_ops = {
	.guest_range = gpu_guest_range,
	.complete = gpu_complete,
	.config_changed = gpu_config_changed,
	.guest_fault = gpu_guest_fault,
	.status_changed = gpu_status_changed,
	.window_map = gpu_window_map,
	.window_unmap = gpu_window_unmap,
	.window_resume = gpu_window_resume,
	.window_forget = gpu_window_forget,
	.console_over = gpu_console_over,
};

static uint64_t model_features(void *model)
{
	const struct vgpu_virtio *virtio = model;

	return vgpu_gpu_features(virtio->gpu);
}

static void model_set_features(void *model, uint64_t features)
{
	struct vgpu_virtio *virtio = model;

	vgpu_gpu_set_features(virtio->gpu, features);
}

static void model_config_read(void *model, uint8_t space[VGPU_MODEL_CONFIG_MAX])
{
	struct vgpu_virtio *virtio = model;

	vgpu_gpu_config_read(virtio->gpu, space);
}

static int model_config_write(void *model, uint32_t offset, const uint8_t *data,
			      uint32_t size)
{
	struct vgpu_virtio *virtio = model;

	return vgpu_gpu_config_write(virtio->gpu, offset, data, size);
}

static ssize_t model_execute(void *model, uint32_t queue,
			     struct vgpu_gpu_request *request)
{
	struct vgpu_virtio *virtio = model;

	if (queue == 0)
		vgpu_gpu_control(virtio->gpu, request);
	else
		vgpu_gpu_cursor(virtio->gpu, request);
	return VGPU_MODEL_ANSWERS;
}

static size_t model_refuse(void *model, const struct vgpu_gpu_request *request)
{
	struct virtio_gpu_ctrl_hdr in = {}, out = {};

	vgpu_chain_copy_out(request, &in, sizeof(in));
	out.type = htole32(VIRTIO_GPU_RESP_ERR_UNSPEC);
	/* Complete its fence, too: the guest may wait for it. */
	out.flags = in.flags & htole32(VIRTIO_GPU_FLAG_FENCE |
				       VIRTIO_GPU_FLAG_INFO_RING_IDX);
	out.fence_id = in.fence_id;
	out.ctx_id = in.ctx_id;
	out.ring_idx = in.ring_idx;
	return vgpu_chain_copy_in(request, &out, sizeof(out));
}

static uint32_t model_count_held(void *model)
{
	struct vgpu_virtio *virtio = model;

	return vgpu_gpu_count_held(virtio->gpu);
}

static void model_resumed(void *model)
{
	struct vgpu_virtio *virtio = model;

	vgpu_gpu_requests_resumed(virtio->gpu);
}

static void model_reset(void *model)
{
	struct vgpu_virtio *virtio = model;

	vgpu_gpu_reset(virtio->gpu);
}

static const struct vgpu_model_ops gpu_model = {
	.queue_name = {"control queue", "cursor queue"},
	.features = model_features,
	.set_features = model_set_features,
	.config_read = model_config_read,
	.config_write = model_config_write,
	.execute = model_execute,
	.refuse = model_refuse,
	.count_held = model_count_held,
	.resumed = model_resumed,
	.reset = model_reset,
};

int vgpu_virtio_make_gpu(struct vgpu_virtio *virtio,
			 const struct vgpu_gpu_config *config,
			 struct vgpu_err *err)
{
	virtio->model = &gpu_model;
	virtio->model_opaque = virtio;
	return vgpu_gpu_create(config, &gpu_ops, virtio,
			       vgpu_state_gpu(virtio->state), &virtio->gpu, err);
}
