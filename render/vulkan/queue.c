/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Queues: submits of the guest, and the thread that waits until they are done.
 */
#include "recording.h"

#include <inttypes.h>
#include <time.h>

/* While the guest submits without fences, we submit one of ours each second. */
#define PROBE_NS 1000000000ULL
/*
 * Number of submits that one of our fences may cover. Each submit has the limit
 * of work, and only the sum of those before a fence is known. Those before a
 * fence of the guest's that it has waited for are done, and do not count.
 */
#define UNFENCED_MAX 4
#define NO_FENCE     UINT64_MAX /* a fence of our own */

#define GONE UINT32_MAX /* for a timeline: the queue is dying or dead */

#define NO_QUEUE "no such queue, or fetched before"

struct vgpu_fence {
	struct vgpu_fence *next;
	VkFence handle;
	uint32_t ring_idx;
	uint32_t n_submits; /* since the fence before it */
	uint64_t n_batches; /* begun until then */
	uint64_t unmetered_ns;
	uint64_t id;
};

static void put_fence(struct vgpu_queue *queue, uint32_t ring_idx, uint64_t id);

static void retire(struct vgpu_queue *queue, struct vgpu_fence *fence)
{
	struct vgpu_render_message message = {
		.type = VGPU_RENDER_FENCE_DONE,
		.ring_idx = fence->ring_idx,
		.id = fence->id,
	};

	if (fence->id != NO_FENCE)
		vgpu_channel_send(queue->ctx, &message, NULL, 0);
}

/*
 * While waiting for a fence, measure the work. A software GPU works on threads
 * of this process: count the processor time of the thread that worked longest,
 * which does not depend on other processes. It includes the work of other
 * queues of the context at the same time. Of any other GPU only the elapsed
 * time is known, see docs/security.md.
 */
static void begin_work(struct vgpu_queue *queue)
{
	if (queue->ctx->host.is_software) {
		vgpu_work_begin(&queue->work);
		return;
	}
	queue->gpu_ns = 0;
	queue->gpu_seen_ns = vgpu_now_ns();
}

static uint64_t count_work(struct vgpu_queue *queue, uint64_t slice_ns)
{
	uint64_t now, passed;

	if (queue->ctx->host.is_software)
		return vgpu_work_ns(&queue->work);
	now = vgpu_now_ns();
	/* A longer time means that the process was stopped. */
	passed = VGPU_MIN(now - queue->gpu_seen_ns, 2 * slice_ns);
	queue->gpu_seen_ns = now;
	queue->gpu_ns += passed;
	return queue->gpu_ns;
}

static void wait_for_fence(struct vgpu_queue *queue, struct vgpu_fence *fence)
{
	struct vgpu_context *ctx = queue->ctx;
	uint64_t slice_ns = ctx->watch.tick_ns, limit = ctx->watch.limit_ns;
	bool has_begun = false;
	VkResult result;

	while ((result = queue->vk->WaitForFences(queue->device, 1,
						  &fence->handle, VK_TRUE,
						  slice_ns)) == VK_TIMEOUT) {
		/* Do not read clocks for a fence that is signalled already. */
		if (!has_begun)
			begin_work(queue);
		else if (count_work(queue, slice_ns) > fence->n_submits * limit)
			vgpu_context_fatal(ctx, VGPU_LOSS_TIME,
					   "a submit to queue %u.%u took more"
					   " than %" PRIu64 " s: device lost",
					   queue->family, queue->index,
					   limit / 1000000000);
		has_begun = true;
	}
	if (result != VK_SUCCESS)
		vgpu_context_fatal(ctx, VGPU_LOSS_DEVICE,
				   "the driver lost the device");
	queue->vk->ResetFences(queue->device, 1, &fence->handle);
	vgpu_meter_read(queue, fence->n_batches, fence->unmetered_ns);
}

static void wait_for(struct vgpu_queue *queue, struct vgpu_fence *fence)
{
	struct vgpu_context *ctx = queue->ctx;

	/* A software GPU's work is seen by its threads' processor time. */
	if (!ctx->host.is_software)
		atomic_fetch_add(&ctx->n_running, 1);
	wait_for_fence(queue, fence);
	if (!ctx->host.is_software)
		atomic_fetch_sub(&ctx->n_running, 1);
}

/* Called with the lock held, after a change. */
static void update_pending(struct vgpu_queue *queue)
{
	bool is_pending = queue->n_fences || queue->is_unwatched;
	struct vgpu_context *ctx = queue->ctx;

	if (is_pending && !queue->is_pending)
		atomic_fetch_add(&ctx->n_pending, 1);
	else if (!is_pending && queue->is_pending)
		atomic_fetch_sub(&ctx->n_pending, 1);
	queue->is_pending = is_pending;
}

/*
 * No fence to wait for: sleep. If submits came after the last fence, submit one
 * of our own after a while. Called with the lock held.
 */
static void idle(struct vgpu_queue *queue)
{
	const struct timespec until = {queue->watch_ns / 1000000000,
				       queue->watch_ns % 1000000000};

	if (!queue->is_unwatched) {
		pthread_cond_wait(&queue->wake, &queue->lock);
		return;
	}
	if (pthread_cond_timedwait(&queue->wake, &queue->lock, &until) == 0)
		return;
	pthread_mutex_unlock(&queue->lock);
	pthread_mutex_lock(&queue->submit_lock);
	if (queue->handle) {
		queue->probed_ns = vgpu_now_ns();
		put_fence(queue, 0, NO_FENCE);
	}
	pthread_mutex_unlock(&queue->submit_lock);
	pthread_mutex_lock(&queue->lock);
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
			idle(queue);
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
		queue->n_fences--;
		update_pending(queue);
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
		vgpu_context_fatal(queue->ctx, VGPU_LOSS_OTHER,
				   "the driver has no fence left");
	return fence;
}

/* Called with the submit lock held, which keeps the order of the queue. */
static void put_fence(struct vgpu_queue *queue, uint32_t ring_idx, uint64_t id)
{
	struct vgpu_fence *fence = get_fence(queue);

	fence->ring_idx = ring_idx;
	fence->id = id;
	fence->n_submits = VGPU_MAX(queue->n_unfenced, 1U);
	fence->next = NULL;
	fence->n_batches = vgpu_meter_begun(queue);
	fence->unmetered_ns = queue->unmetered_ns;
	queue->unmetered_ns = 0;
	queue->n_unfenced = 0;
	queue->guest_fence = VK_NULL_HANDLE;
	if (queue->vk->QueueSubmit(queue->handle, 0, NULL, fence->handle) !=
	    VK_SUCCESS)
		vgpu_context_fatal(queue->ctx, VGPU_LOSS_DEVICE,
				   "the driver lost the device");
	pthread_mutex_lock(&queue->lock);
	*queue->fences_end = fence;
	queue->fences_end = &fence->next;
	queue->is_unwatched = false;
	queue->n_fences++;
	update_pending(queue);
	pthread_cond_signal(&queue->wake);
	pthread_mutex_unlock(&queue->lock);
}

bool vgpu_queue_fence(struct vgpu_queue *queue, uint32_t ring_idx, uint64_t id)
{
	bool is_there;

	pthread_mutex_lock(&queue->submit_lock);
	is_there = queue->handle && queue->ring_idx == ring_idx;
	if (is_there) {
		put_fence(queue, ring_idx, id);
		queue->probed_ns = vgpu_now_ns();
	}
	pthread_mutex_unlock(&queue->submit_lock);
	return is_there;
}

static struct vgpu_queue *make_queue(struct vgpu_context *ctx)
{
	struct vgpu_queue *queue = calloc(1, sizeof(*queue));
	pthread_condattr_t attr;

	if (!queue)
		return NULL;
	queue->ctx = ctx;
	pthread_mutex_init(&queue->submit_lock, NULL);
	pthread_mutex_init(&queue->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&queue->wake, &attr);
	pthread_condattr_destroy(&attr);
	return queue;
}

static struct vgpu_queue *take_queue(struct vgpu_context *ctx)
{
	struct vgpu_queue *queue;

	pthread_mutex_lock(&ctx->lock);
	queue = ctx->spare_queues;
	if (queue)
		ctx->spare_queues = queue->next;
	pthread_mutex_unlock(&ctx->lock);
	return queue ? queue : make_queue(ctx);
}

static void put_queue(struct vgpu_queue *queue)
{
	struct vgpu_context *ctx = queue->ctx;

	pthread_mutex_lock(&ctx->lock);
	queue->next = ctx->spare_queues;
	ctx->spare_queues = queue;
	pthread_mutex_unlock(&ctx->lock);
}

struct vgpu_queue *vgpu_queue_create(struct vgpu_context *ctx, VkDevice device,
				     const struct vgpu_vk *vk,
				     const VkDeviceQueueInfo2 *info)
{
	struct vgpu_queue *queue = take_queue(ctx);
	VkQueue handle = NULL;

	if (!queue)
		return NULL;
	if (info->flags)
		vk->GetDeviceQueue2(device, info, &handle);
	else
		vk->GetDeviceQueue(device, info->queueFamilyIndex,
				   info->queueIndex, &handle);
	pthread_mutex_lock(&queue->submit_lock);
	queue->device = device;
	queue->vk = vk;
	queue->flags = info->flags;
	queue->family = info->queueFamilyIndex;
	queue->index = info->queueIndex;
	queue->ring_idx = 0;
	queue->probed_ns = 0;
	queue->unmetered_ns = 0;
	queue->done_ns = 0;
	queue->n_unfenced = 0;
	queue->guest_fence = VK_NULL_HANDLE;
	queue->is_stopping = false;
	queue->is_unwatched = false;
	queue->fences_end = &queue->fences;
	vgpu_meter_create(queue);
	if (!handle || vgpu_thread_create(&queue->thread, VGPU_STACK_BYTES_SMALL,
					  queue_thread, queue)) {
		vgpu_meter_destroy(queue);
		pthread_mutex_unlock(&queue->submit_lock);
		put_queue(queue);
		return NULL;
	}
	queue->handle = handle;
	pthread_mutex_unlock(&queue->submit_lock);
	return queue;
}

void vgpu_queue_destroy(struct vgpu_queue *queue)
{
	struct vgpu_context *ctx = queue->ctx;
	uint32_t ring_idx;

	/* From here on, others find no queue. */
	pthread_mutex_lock(&ctx->lock);
	ring_idx = queue->ring_idx;
	queue->ring_idx = GONE;
	pthread_mutex_unlock(&ctx->lock);
	pthread_mutex_lock(&queue->submit_lock);
	queue->handle = NULL;
	pthread_mutex_unlock(&queue->submit_lock);
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
	vgpu_meter_destroy(queue);
	/* Its last submits need not be watched any more. */
	queue->is_unwatched = false;
	update_pending(queue);
	/* All its fences are answered: another queue can have the timeline. */
	pthread_mutex_lock(&ctx->lock);
	if (ring_idx)
		ctx->timeline[ring_idx] = NULL;
	pthread_cond_broadcast(&ctx->timeline_left);
	pthread_mutex_unlock(&ctx->lock);
	put_queue(queue);
}

/* The object's queue with its submit lock held; or NULL, with the error set. */
static struct vgpu_queue *lock_queue(struct vgpu_decoder *d,
				     const struct vgpu_object *object)
{
	struct vgpu_queue *queue = object->priv;

	if (queue) {
		pthread_mutex_lock(&queue->submit_lock);
		if (queue->handle)
			return queue;
		pthread_mutex_unlock(&queue->submit_lock);
	}
	vgpu_decoder_fail(d, "the queue has gone");
	return NULL;
}

bool vgpu_queue_signal(struct vgpu_queue *queue, VkSemaphore semaphore)
{
	const VkSubmitInfo info = {
		.sType = VK_STRUCTURE_TYPE_SUBMIT_INFO,
		.signalSemaphoreCount = 1,
		.pSignalSemaphores = &semaphore,
	};
	bool is_done;

	pthread_mutex_lock(&queue->submit_lock);
	is_done = queue->handle &&
		  queue->vk->QueueSubmit(queue->handle, 1, &info,
					 VK_NULL_HANDLE) == VK_SUCCESS;
	pthread_mutex_unlock(&queue->submit_lock);
	return is_done;
}

/* Called with the submit lock held, after a submit of the guest with @fence. */
static void watch(struct vgpu_queue *queue, VkFence fence)
{
	uint64_t now = vgpu_now_ns();

	if (queue->ctx->replay && vgpu_replay_finish_submit(queue))
		return;
	queue->n_unfenced++;
	if (fence) {
		queue->guest_fence = fence;
		queue->n_guest_fenced = queue->n_unfenced;
	}
	/* What a vGPU with a limit uses is to be known soon. */
	if (!vgpu_gpu_is_limited(queue->ctx) && queue->n_unfenced < UNFENCED_MAX &&
	    now - queue->probed_ns < PROBE_NS) {
		pthread_mutex_lock(&queue->lock);
		if (!queue->is_unwatched) {
			queue->is_unwatched = true;
			queue->watch_ns = queue->probed_ns + PROBE_NS;
			update_pending(queue);
			pthread_cond_signal(&queue->wake);
		}
		pthread_mutex_unlock(&queue->lock);
		return;
	}
	queue->probed_ns = now;
	put_fence(queue, 0, NO_FENCE);
}

void vgpu_queue_note_signalled(struct vgpu_queue *first, VkFence fence)
{
	for (struct vgpu_queue *queue = first; queue; queue = queue->next) {
		/* Whoever holds it submits: it will be watched as ever. */
		if (pthread_mutex_trylock(&queue->submit_lock))
			continue;
		if (fence && queue->guest_fence == fence) {
			queue->n_unfenced -= queue->n_guest_fenced;
			queue->guest_fence = VK_NULL_HANDLE;
		}
		pthread_mutex_unlock(&queue->submit_lock);
	}
}

void vgpu_handle_QueueSubmit(struct vgpu_decoder *d,
			     struct vgpu_args_QueueSubmit *args)
{
	struct vgpu_queue *queue;

	vgpu_gpu_wait(vgpu_stream_of(d));
	queue = lock_queue(d, args->o_queue);
	if (!queue)
		return;
	args->ret = vgpu_meter_submit(queue, args->submitCount, args->pSubmits,
				      args->fence);
	watch(queue, args->fence);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueSubmit2(struct vgpu_decoder *d,
			      struct vgpu_args_QueueSubmit2 *args)
{
	struct vgpu_queue *queue;

	if (!args->o_queue->vk->QueueSubmit2) {
		vgpu_decoder_fail(d, "the host's driver has no vkQueueSubmit2");
		return;
	}
	vgpu_gpu_wait(vgpu_stream_of(d));
	queue = lock_queue(d, args->o_queue);
	if (!queue)
		return;
	args->ret = vgpu_meter_submit2(queue, args->submitCount, args->pSubmits,
				       args->fence);
	watch(queue, args->fence);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueBindSparse(struct vgpu_decoder *d,
				 struct vgpu_args_QueueBindSparse *args)
{
	struct vgpu_queue *queue = lock_queue(d, args->o_queue);

	if (!queue)
		return;
	args->ret = queue->vk->QueueBindSparse(queue->handle, args->bindInfoCount,
					       args->pBindInfo, args->fence);
	watch(queue, args->fence);
	pthread_mutex_unlock(&queue->submit_lock);
}

void vgpu_handle_QueueWaitIdle(struct vgpu_decoder *d,
			       struct vgpu_args_QueueWaitIdle *args)
{
	struct vgpu_queue *queue;

	if (!vgpu_context_of(d)->is_gfxstream) {
		vgpu_decoder_fail(d, "the guest waits for queues by fences");
		return;
	}
	queue = lock_queue(d, args->o_queue);
	if (!queue)
		return;
	args->ret = queue->vk->QueueWaitIdle(queue->handle);
	pthread_mutex_unlock(&queue->submit_lock);
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

/* NULL, with the error set, if the device has no such queue. */
static struct vgpu_queue *find_queue(struct vgpu_decoder *d,
				     const struct vgpu_object *of,
				     const VkDeviceQueueInfo2 *info)
{
	const struct vgpu_vk_device *device = of->priv;
	struct vgpu_queue *queue = device ? device->queues : NULL;

	while (queue && (queue->flags != info->flags ||
			 queue->family != info->queueFamilyIndex ||
			 queue->index != info->queueIndex))
		queue = queue->next;
	if (!queue)
		vgpu_decoder_fail(d, NO_QUEUE);
	return queue;
}

void vgpu_handle_GetDeviceQueue2(struct vgpu_decoder *d,
				 struct vgpu_args_GetDeviceQueue2 *args)
{
	const VkDeviceQueueTimelineInfoMESA *timeline =
		find_timeline(args->pQueueInfo);
	struct vgpu_context *ctx = vgpu_context_of(d);
	struct vgpu_queue *queue =
		find_queue(d, args->o_device, args->pQueueInfo);
	const char *why = NULL;

	if (!queue)
		return;
	if (ctx->is_gfxstream) {
		*args->pQueue = queue->handle;
		args->new_pQueue[0]->priv = queue;
		return;
	}
	if (!timeline || timeline->ringIdx == 0 ||
	    timeline->ringIdx >= VGPU_RENDER_TIMELINES) {
		vgpu_decoder_fail(d, "a queue needs a timeline");
		return;
	}
	/* Another ring may be doing the same. */
	pthread_mutex_lock(&ctx->lock);
	if (queue->ring_idx) {
		why = NO_QUEUE;
	} else if (ctx->timeline[timeline->ringIdx]) {
		why = "the timeline has a queue already";
	} else {
		ctx->timeline[timeline->ringIdx] = queue;
		queue->ring_idx = timeline->ringIdx;
	}
	pthread_mutex_unlock(&ctx->lock);
	if (why) {
		vgpu_decoder_fail(d, why);
		return;
	}
	*args->pQueue = queue->handle;
	args->new_pQueue[0]->priv = queue;
}

void vgpu_handle_GetDeviceQueue(struct vgpu_decoder *d,
				struct vgpu_args_GetDeviceQueue *args)
{
	const VkDeviceQueueInfo2 info = {
		.queueFamilyIndex = args->queueFamilyIndex,
		.queueIndex = args->queueIndex,
	};
	struct vgpu_queue *queue;

	if (!vgpu_context_of(d)->is_gfxstream) {
		vgpu_decoder_fail(d, "a queue needs a timeline");
		return;
	}
	queue = find_queue(d, args->o_device, &info);
	if (!queue)
		return;
	*args->pQueue = queue->handle;
	args->new_pQueue[0]->priv = queue;
}
