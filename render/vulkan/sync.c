/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fences and semaphores: sync files of the guest, and waits. */
#include "context.h"

/* The effect of an export to, or import from, a sync file on the object. */
void vgpu_handle_ResetFenceResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_ResetFenceResourceMESA *args)
{
	VkFenceGetFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_GET_FD_INFO_KHR,
		.fence = args->fence,
		.handleType = VK_EXTERNAL_FENCE_HANDLE_TYPE_SYNC_FD_BIT,
	};
	const struct vgpu_vk *vk = args->o_device->vk;
	int fd = -1;

	if (!vk->GetFenceFdKHR ||
	    vk->GetFenceFdKHR(args->device, &info, &fd) != VK_SUCCESS)
		vgpu_decoder_fail(d, "the fence cannot be a sync file");
	vgpu_close(fd);
}

void vgpu_handle_WaitSemaphoreResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_WaitSemaphoreResourceMESA *args)
{
	VkSemaphoreGetFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_SEMAPHORE_GET_FD_INFO_KHR,
		.semaphore = args->semaphore,
		.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
	};
	const struct vgpu_vk *vk = args->o_device->vk;
	int fd = -1;

	if (!vk->GetSemaphoreFdKHR ||
	    vk->GetSemaphoreFdKHR(args->device, &info, &fd) != VK_SUCCESS)
		vgpu_decoder_fail(d, "the semaphore cannot be a sync file");
	vgpu_close(fd);
}

void vgpu_handle_ImportSemaphoreResourceMESA(
	struct vgpu_decoder *d, struct vgpu_args_ImportSemaphoreResourceMESA *args)
{
	VkImportSemaphoreFdInfoKHR info = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_SEMAPHORE_FD_INFO_KHR,
		.semaphore = args->pImportSemaphoreResourceInfo->semaphore,
		.flags = VK_SEMAPHORE_IMPORT_TEMPORARY_BIT,
		.handleType = VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT,
		.fd = -1, /* signalled already */
	};
	const struct vgpu_vk_device *device = args->o_device->priv;
	const struct vgpu_host *host = &vgpu_context_of(d)->host;
	bool is_done = false;

	if (args->pImportSemaphoreResourceInfo->resourceId)
		is_done =
			false; /* a guest can import signalled sync files only */
	else if (host->signals_by_submit)
		is_done = device && device->queues &&
			  vgpu_queue_signal(device->queues, info.semaphore);
	else if (device && device->vk->ImportSemaphoreFdKHR)
		is_done = device->vk->ImportSemaphoreFdKHR(args->device,
							   &info) == VK_SUCCESS;
	if (!is_done)
		vgpu_decoder_fail(d, "nothing that a semaphore can take");
}

void vgpu_handle_GetPhysicalDeviceExternalSemaphoreProperties(
	struct vgpu_decoder *d,
	struct vgpu_args_GetPhysicalDeviceExternalSemaphoreProperties *args)
{
	VkExternalSemaphoreProperties *props = args->pExternalSemaphoreProperties;

	vgpu_default_GetPhysicalDeviceExternalSemaphoreProperties(d, args);
	if (args->pExternalSemaphoreInfo->handleType ==
		    VK_EXTERNAL_SEMAPHORE_HANDLE_TYPE_SYNC_FD_BIT &&
	    vgpu_context_of(d)->host.signals_by_submit)
		props->externalSemaphoreFeatures |=
			VK_EXTERNAL_SEMAPHORE_FEATURE_IMPORTABLE_BIT;
}

/* How often a waiting ring checks whether it is to stop. */
#define SLICE_NS (200 * 1000000ULL)

/* The time at which a wait of @timeout ns ends. */
static uint64_t get_end(uint64_t timeout)
{
	uint64_t end;

	return vgpu_checked_add(vgpu_now_ns(), timeout, &end) ? end : UINT64_MAX;
}

/* Compute the timeout of the next slice; false if it is the last one. */
static bool next_slice(uint64_t end, uint64_t *ret_timeout)
{
	uint64_t now = vgpu_now_ns();

	*ret_timeout = VGPU_MIN(end - VGPU_MIN(now, end), SLICE_NS);
	return *ret_timeout == SLICE_NS;
}

/*
 * Whether to give up the wait: the guest destroys the ring of this command, and
 * nothing that was submitted can end the wait. Later commands of the ring are
 * not executed either.
 */
static bool is_given_up(struct vgpu_decoder *d)
{
	struct vgpu_stream *stream = vgpu_stream_of(d);
	struct vgpu_context *ctx = stream->ctx;

	if (stream->stop && atomic_load(stream->stop) &&
	    (!atomic_load(&ctx->n_pending) || atomic_load(&ctx->watch.stalled_ns)))
		stream->is_cut = true;
	return stream->is_cut;
}

/* A program that waits for each of its submits needs no fence of ours. */
static void note_signalled(const struct vgpu_args_WaitForFences *args)
{
	const struct vgpu_vk_device *device = args->o_device->priv;

	for (uint32_t i = 0; device && i < args->fenceCount; i++)
		vgpu_queue_note_signalled(device->queues, args->pFences[i]);
}

void vgpu_handle_WaitForFences(struct vgpu_decoder *d,
			       struct vgpu_args_WaitForFences *args)
{
	uint64_t end = get_end(args->timeout);
	bool has_more;

	do {
		has_more = next_slice(end, &args->timeout);
		vgpu_default_WaitForFences(d, args);
	} while (args->ret == VK_TIMEOUT && has_more && !is_given_up(d));
	if (args->ret == VK_SUCCESS && (args->waitAll || args->fenceCount == 1))
		note_signalled(args);
}

void vgpu_handle_WaitSemaphores(struct vgpu_decoder *d,
				struct vgpu_args_WaitSemaphores *args)
{
	uint64_t end = get_end(args->timeout);
	bool has_more;

	do {
		has_more = next_slice(end, &args->timeout);
		vgpu_default_WaitSemaphores(d, args);
	} while (args->ret == VK_TIMEOUT && has_more && !is_given_up(d));
}
