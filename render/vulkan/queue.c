/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Queues: what the guest submits, and the thread that waits for its end. */
#include "context.h"

#include <inttypes.h>
#include <time.h>

/*
 * A submit that takes longer is given up, and the context with it: lavapipe
 * runs shaders in this process, and nothing else would end an endless one.
 */
#define SUBMIT_NS_MAX (30 * 1000000000ULL)
/* While the guest submits without asking for fences, one of ours a second. */
#define PROBE_NS 1000000000ULL
#define NO_FENCE UINT64_MAX /* nobody asked for it */

struct vgpu_fence {
	struct vgpu_fence *next;
	VkFence handle;
	uint64_t id;
};

static void retire(struct vgpu_queue *queue, struct vgpu_fence *fence)
{
	struct vgpu_render_message message = {
		.type = VGPU_RENDER_FENCE_DONE,
		.ring_idx = queue->ring_idx,
		.id = fence->id,
	};

	if (fence->id != NO_FENCE)
		vgpu_channel_send(&queue->ctx->channel, &message, NULL, 0);
}

static void wait_for(struct vgpu_queue *queue, struct vgpu_fence *fence)
{
	VkResult result = queue->vk->WaitForFences(
		queue->device, 1, &fence->handle, VK_TRUE, SUBMIT_NS_MAX);

	if (result == VK_TIMEOUT)
		vgpu_context_fatal(queue->ctx,
				   "a submit to queue %u.%u took more than %" PRIu64
				   " s: device lost",
				   queue->family, queue->index,
				   (uint64_t)(SUBMIT_NS_MAX / 1000000000));
	if (result == VK_ERROR_DEVICE_LOST)
		vgpu_context_fatal(queue->ctx, "the driver lost the device");
	queue->vk->ResetFences(queue->device, 1, &fence->handle);
}

static void *queue_thread(void *opaque)
{
	struct vgpu_queue *queue = opaque;

	pthread_setname_np(pthread_self(), "vgpu-queue");
	pthread_mutex_lock(&queue->lock);
	for (;;) {
		struct vgpu_fence *fence = queue->fences;

		if (!fence) {
			if (queue->is_stopping)
				break;
			pthread_cond_wait(&queue->wake, &queue->lock);
			continue;
		}
		queue->fences = fence->next;
		if (!queue->fences)
			queue->fences_end = &queue->fences;
		pthread_mutex_unlock(&queue->lock);
		wait_for(queue, fence);
		retire(queue, fence);
		pthread_mutex_lock(&queue->lock);
		fence->next = queue->spare;
		queue->spare = fence;
	}
	pthread_mutex_unlock(&queue->lock);
	return NULL;
}

static struct vgpu_fence *get_fence(struct vgpu_queue *queue)
{
	VkFenceCreateInfo info = {
		.sType = VK_STRUCTURE_TYPE_FENCE_CREATE_INFO,
	};
	struct vgpu_fence *fence;

	pthread_mutex_lock(&queue->lock);
	fence = queue->spare;
	if (fence)
		queue->spare = fence->next;
	pthread_mutex_unlock(&queue->lock);
	if (fence)
		return fence;
	fence = calloc(1, sizeof(*fence));
	if (!fence || queue->vk->CreateFence(queue->device, &info, NULL,
					     &fence->handle) != VK_SUCCESS)
		vgpu_context_fatal(queue->ctx, "the driver has no fence left");
	return fence;
}

/* Called with the submit lock, so that the order is that of the queue. */
static void put_fence(struct vgpu_queue *queue, uint64_t id)
{
	struct vgpu_fence *fence = get_fence(queue);

	fence->id = id;
	fence->next = NULL;
	if (queue->vk->QueueSubmit(queue->handle, 0, NULL, fence->handle) !=
	    VK_SUCCESS)
		vgpu_context_fatal(queue->ctx, "the driver lost the device");
	pthread_mutex_lock(&queue->lock);
	*queue->fences_end = fence;
	queue->fences_end = &fence->next;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
}

void vgpu_queue_fence(struct vgpu_queue *queue, uint64_t id)
{
	pthread_mutex_lock(&queue->submit_lock);
	put_fence(queue, id);
	queue->probed_ns = vgpu_now_ns();
	pthread_mutex_unlock(&queue->submit_lock);
}

struct vgpu_queue *vgpu_queue_create(struct vgpu_context *ctx, VkDevice device,
				     const struct vgpu_vk *vk,
				     const VkDeviceQueueInfo2 *info)
{
	struct vgpu_queue *queue = calloc(1, sizeof(*queue));

	if (!queue)
		return NULL;
	queue->ctx = ctx;
	queue->device = device;
	queue->vk = vk;
	queue->flags = info->flags;
	queue->family = info->queueFamilyIndex;
	queue->index = info->queueIndex;
	if (info->flags)
		vk->GetDeviceQueue2(device, info, &queue->handle);
	else
		vk->GetDeviceQueue(device, info->queueFamilyIndex,
				   info->queueIndex, &queue->handle);
	queue->fences_end = &queue->fences;
	pthread_mutex_init(&queue->submit_lock, NULL);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_cond_init(&queue->wake, NULL);
	if (!queue->handle ||
	    pthread_create(&queue->thread, NULL, queue_thread, queue)) {
		free(queue);
		return NULL;
	}
	return queue;
}

void vgpu_queue_destroy(struct vgpu_queue *queue)
{
	struct vgpu_context *ctx = queue->ctx;

	pthread_mutex_lock(&ctx->lock);
	if (queue->ring_idx)
		ctx->timeline[queue->ring_idx] = NULL;
	pthread_mutex_unlock(&ctx->lock);
	pthread_mutex_lock(&queue->lock);
	queue->is_stopping = true;
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
	pthread_join(queue->thread, NULL);
	while (queue->spare) {
		struct vgpu_fence *fence = queue->spare;

		queue->spare = fence->next;
		queue->vk->DestroyFence(queue->device, fence->handle, NULL);
		free(fence);
	}
	pthread_mutex_destroy(&queue->submit_lock);
	pthread_mutex_destroy(&queue->lock);
	pthread_cond_destroy(&queue->wake);
	free(queue);
}

/* After a submit of the guest's, called with the submit lock. */
static void watch(struct vgpu_queue *queue)
{
	uint64_t now = vgpu_now_ns();

	if (now - queue->probed_ns < PROBE_NS)
		return;
	queue->probed_ns = now;
	put_fence(queue, NO_FENCE);
}

void vgpu_handle_QueueSubmit(struct vgpu_decoder *d,
			     struct vgpu_args_QueueSubmit *args)
{
	struct vgpu_queue *queue = args->o_queue->priv;

	pthread_mutex_lock(&queue->submit_lock);
	args->ret = queue->vk->QueueSubmit(queue->handle, args->submitCount,
					   args->pSubmits, args->fence);
	watch(queue);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueSubmit2(struct vgpu_decoder *d,
			      struct vgpu_args_QueueSubmit2 *args)
{
	struct vgpu_queue *queue = args->o_queue->priv;

	if (!queue->vk->QueueSubmit2) {
		vgpu_decoder_fail(d, "the host's driver has no vkQueueSubmit2");
		return;
	}
	pthread_mutex_lock(&queue->submit_lock);
	args->ret = queue->vk->QueueSubmit2(queue->handle, args->submitCount,
					    args->pSubmits, args->fence);
	watch(queue);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueBindSparse(struct vgpu_decoder *d,
				 struct vgpu_args_QueueBindSparse *args)
{
	struct vgpu_queue *queue = args->o_queue->priv;

	pthread_mutex_lock(&queue->submit_lock);
	args->ret = queue->vk->QueueBindSparse(queue->handle, args->bindInfoCount,
					       args->pBindInfo, args->fence);
	watch(queue);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueWaitIdle(struct vgpu_decoder *d,
			       struct vgpu_args_QueueWaitIdle *args)
{
	vgpu_decoder_fail(d, "the guest waits for queues by fences");
}

static const VkDeviceQueueTimelineInfoMESA *
find_timeline(const VkDeviceQueueInfo2 *info)
{
	const VkBaseInStructure *s = info->pNext;

	while (s && (uint32_t)s->sType !=
			    VK_STRUCTURE_TYPE_DEVICE_QUEUE_TIMELINE_INFO_MESA)
		s = s->pNext;
	return (const void *)s;
}

void vgpu_handle_GetDeviceQueue2(struct vgpu_decoder *d,
				 struct vgpu_args_GetDeviceQueue2 *args)
{
	const VkDeviceQueueTimelineInfoMESA *timeline =
		find_timeline(args->pQueueInfo);
	const struct vgpu_vk_device *device = args->o_device->priv;
	struct vgpu_context *ctx = vgpu_context_of(d);
	struct vgpu_queue *queue = device->queues;
	bool is_free;

	while (queue && (queue->flags != args->pQueueInfo->flags ||
			 queue->family != args->pQueueInfo->queueFamilyIndex ||
			 queue->index != args->pQueueInfo->queueIndex))
		queue = queue->next;
	if (!queue || queue->ring_idx) {
		vgpu_decoder_fail(d, "no such queue, or fetched before");
		return;
	}
	if (!timeline || timeline->ringIdx == 0 ||
	    timeline->ringIdx >= VGPU_RENDER_TIMELINES) {
		vgpu_decoder_fail(d, "a queue needs a timeline");
		return;
	}
	pthread_mutex_lock(&ctx->lock);
	is_free = !ctx->timeline[timeline->ringIdx];
	if (is_free) {
		ctx->timeline[timeline->ringIdx] = queue;
		queue->ring_idx = timeline->ringIdx;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (!is_free) {
		vgpu_decoder_fail(d, "the timeline has a queue already");
		return;
	}
	*args->pQueue = queue->handle;
	args->new_pQueue[0]->priv = queue;
}

void vgpu_handle_GetDeviceQueue(struct vgpu_decoder *d,
				struct vgpu_args_GetDeviceQueue *args)
{
	vgpu_decoder_fail(d, "a queue needs a timeline");
}

/* What an export to a sync file and its import do to the object itself. */
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
	const struct vgpu_vk *vk = args->o_device->vk;

	if (args->pImportSemaphoreResourceInfo->resourceId ||
	    !vk->ImportSemaphoreFdKHR ||
	    vk->ImportSemaphoreFdKHR(args->device, &info) != VK_SUCCESS)
		vgpu_decoder_fail(d, "nothing that a semaphore can take");
}
