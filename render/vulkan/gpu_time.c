/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GPU time of a hardware GPU: each batch of a submit lies between two
 * timestamps of ours, and a vGPU with a limit waits before it submits. A
 * software GPU's time is its threads' processor time, which the kernel counts
 * and limits.
 */
#include "context.h"

#include <stdlib.h>
#include <time.h>

#include "lib/gpu_time.h"
#include "lib/share.h"

/* Batches that may be under way; of more only the elapsed time is known. */
#define BATCHES_MAX 64

/* How long at most until a limit that was changed is looked at. */
#define LOOK_AGAIN_NS 20000000ULL

struct vgpu_meter {
	VkQueryPool queries; /* two of each batch, its begin and its end */
	VkCommandPool pool;
	VkCommandBuffer commands[BATCHES_MAX][2]; /* that write them */
	uint64_t mask;				  /* bits that count */
	uint64_t n_begun; /* protected by the submit lock */
	atomic_uint_fast64_t n_read;
	/* Of the queue's thread: */
	bool has_end;
	uint64_t end; /* of the last batch, in ticks */
};

static bool record(const struct vgpu_queue *queue, struct vgpu_meter *meter,
		   uint32_t i)
{
	const VkCommandBufferBeginInfo info = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_BEGIN_INFO,
		/* A batch may be found done before the driver has retired it. */
		.flags = VK_COMMAND_BUFFER_USAGE_SIMULTANEOUS_USE_BIT,
	};
	const struct vgpu_vk *vk = queue->vk;
	VkCommandBuffer begin = meter->commands[i][0];
	VkCommandBuffer end = meter->commands[i][1];

	if (vk->BeginCommandBuffer(begin, &info) != VK_SUCCESS ||
	    vk->BeginCommandBuffer(end, &info) != VK_SUCCESS)
		return false;
	vk->CmdResetQueryPool(begin, meter->queries, 2 * i, 2);
	vk->CmdWriteTimestamp(begin, VK_PIPELINE_STAGE_TOP_OF_PIPE_BIT,
			      meter->queries, 2 * i);
	vk->CmdWriteTimestamp(end, VK_PIPELINE_STAGE_BOTTOM_OF_PIPE_BIT,
			      meter->queries, 2 * i + 1);
	return vk->EndCommandBuffer(begin) == VK_SUCCESS &&
	       vk->EndCommandBuffer(end) == VK_SUCCESS;
}

static bool set_up(const struct vgpu_queue *queue, struct vgpu_meter *meter)
{
	const VkQueryPoolCreateInfo queries = {
		.sType = VK_STRUCTURE_TYPE_QUERY_POOL_CREATE_INFO,
		.queryType = VK_QUERY_TYPE_TIMESTAMP,
		.queryCount = 2 * BATCHES_MAX,
	};
	const VkCommandPoolCreateInfo pool = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_POOL_CREATE_INFO,
		.queueFamilyIndex = queue->family,
	};
	VkCommandBufferAllocateInfo commands = {
		.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_ALLOCATE_INFO,
		.commandBufferCount = 2 * BATCHES_MAX,
	};
	const struct vgpu_vk *vk = queue->vk;

	if (vk->CreateQueryPool(queue->device, &queries, NULL,
				&meter->queries) != VK_SUCCESS ||
	    vk->CreateCommandPool(queue->device, &pool, NULL, &meter->pool) !=
		    VK_SUCCESS)
		return false;
	commands.commandPool = meter->pool;
	if (vk->AllocateCommandBuffers(queue->device, &commands,
				       &meter->commands[0][0]) != VK_SUCCESS)
		return false;
	for (uint32_t i = 0; i < BATCHES_MAX; i++)
		if (!record(queue, meter, i))
			return false;
	return true;
}

void vgpu_meter_create(struct vgpu_queue *queue)
{
	const struct vgpu_host *host = &queue->ctx->host;
	const VkQueueFamilyProperties *family = &host->families[queue->family];
	struct vgpu_meter *meter;

	/* The driver needs one of the two to reset queries. */
	if (!queue->ctx->gpu_time || !family->timestampValidBits ||
	    !(family->queueFlags & (VK_QUEUE_GRAPHICS_BIT | VK_QUEUE_COMPUTE_BIT)))
		return;
	meter = calloc(1, sizeof(*meter));
	if (!meter)
		return;
	meter->mask = family->timestampValidBits < 64
			      ? (UINT64_C(1) << family->timestampValidBits) - 1
			      : UINT64_MAX;
	queue->meter = meter;
	if (!set_up(queue, meter))
		vgpu_meter_destroy(queue);
}

void vgpu_meter_destroy(struct vgpu_queue *queue)
{
	struct vgpu_meter *meter = queue->meter;

	if (!meter)
		return;
	queue->meter = NULL;
	queue->vk->DestroyCommandPool(queue->device, meter->pool, NULL);
	queue->vk->DestroyQueryPool(queue->device, meter->queries, NULL);
	free(meter);
}

/* The next batch's number in the pool, or -1. */
static int begin_batch(struct vgpu_meter *meter)
{
	if (!meter || meter->n_begun - atomic_load(&meter->n_read) >= BATCHES_MAX)
		return -1;
	return (int)(meter->n_begun++ % BATCHES_MAX);
}

/* Whether the driver is told nothing more about each of the command buffers. */
static bool is_plain(const void *next)
{
	for (const VkBaseInStructure *s = next; s; s = s->pNext)
		if (s->sType == VK_STRUCTURE_TYPE_DEVICE_GROUP_SUBMIT_INFO ||
		    s->sType == VK_STRUCTURE_TYPE_PROTECTED_SUBMIT_INFO)
			return false;
	return true;
}

/* The queue's work is not between timestamps from now on, until a fence. */
static void note_unmetered(struct vgpu_queue *queue)
{
	if (!queue->unmetered_ns)
		queue->unmetered_ns = vgpu_now_ns();
}

VkResult vgpu_meter_submit(struct vgpu_queue *queue, uint32_t n,
			   const VkSubmitInfo *submits, VkFence fence)
{
	vgpu_autofree VkSubmitInfo *own = NULL;
	vgpu_autofree VkCommandBuffer *commands = NULL;
	size_t n_commands = 0, at = 0;

	if (!queue->ctx->gpu_time)
		return queue->vk->QueueSubmit(queue->handle, n, submits, fence);
	for (uint32_t i = 0; i < n; i++)
		n_commands += submits[i].commandBufferCount + 2ULL;
	if (n) {
		own = calloc(n, sizeof(*own));
		commands =
			(VkCommandBuffer *)calloc(n_commands, sizeof(*commands));
	}
	if (!own || !commands) {
		if (n)
			note_unmetered(queue);
		return queue->vk->QueueSubmit(queue->handle, n, submits, fence);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t count = submits[i].commandBufferCount;
		int batch = -1;

		own[i] = submits[i];
		if (!count)
			continue;
		if (is_plain(submits[i].pNext))
			batch = begin_batch(queue->meter);
		if (batch < 0) {
			note_unmetered(queue);
			continue;
		}
		own[i].commandBufferCount = count + 2;
		own[i].pCommandBuffers = &commands[at];
		commands[at++] = queue->meter->commands[batch][0];
		for (uint32_t k = 0; k < count; k++)
			commands[at++] = submits[i].pCommandBuffers[k];
		commands[at++] = queue->meter->commands[batch][1];
	}
	return queue->vk->QueueSubmit(queue->handle, n, own, fence);
}

VkResult vgpu_meter_submit2(struct vgpu_queue *queue, uint32_t n,
			    const VkSubmitInfo2 *submits, VkFence fence)
{
	vgpu_autofree VkSubmitInfo2 *own = NULL;
	vgpu_autofree VkCommandBufferSubmitInfo *commands = NULL;
	size_t n_commands = 0, at = 0;

	if (!queue->ctx->gpu_time)
		return queue->vk->QueueSubmit2(queue->handle, n, submits, fence);
	for (uint32_t i = 0; i < n; i++)
		n_commands += submits[i].commandBufferInfoCount + 2ULL;
	if (n) {
		own = calloc(n, sizeof(*own));
		commands = calloc(n_commands, sizeof(*commands));
	}
	if (!own || !commands) {
		if (n)
			note_unmetered(queue);
		return queue->vk->QueueSubmit2(queue->handle, n, submits, fence);
	}
	for (uint32_t i = 0; i < n; i++) {
		uint32_t count = submits[i].commandBufferInfoCount;
		int batch = -1;

		own[i] = submits[i];
		if (!count)
			continue;
		if (!(submits[i].flags & VK_SUBMIT_PROTECTED_BIT))
			batch = begin_batch(queue->meter);
		if (batch < 0) {
			note_unmetered(queue);
			continue;
		}
		own[i].commandBufferInfoCount = count + 2;
		own[i].pCommandBufferInfos = &commands[at];
		for (uint32_t k = 0; k < count; k++)
			commands[at + 1 + k] = submits[i].pCommandBufferInfos[k];
		for (uint32_t k = 0; k < 2; k++)
			commands[at + (size_t)k * (count + 1)] =
				(VkCommandBufferSubmitInfo){
					.sType = VK_STRUCTURE_TYPE_COMMAND_BUFFER_SUBMIT_INFO,
					.commandBuffer =
						queue->meter->commands[batch][k],
				};
		at += count + 2;
	}
	return queue->vk->QueueSubmit2(queue->handle, n, own, fence);
}

uint64_t vgpu_meter_begun(const struct vgpu_queue *queue)
{
	return queue->meter ? queue->meter->n_begun : 0;
}

/* Ticks of batch @i in which no batch before it worked. */
static uint64_t read_batch(const struct vgpu_queue *queue, uint64_t i)
{
	struct vgpu_meter *meter = queue->meter;
	uint64_t ticks[2], length;

	if (queue->vk->GetQueryPoolResults(queue->device, meter->queries,
					   2 * (i % BATCHES_MAX), 2,
					   sizeof(ticks), ticks, sizeof(*ticks),
					   VK_QUERY_RESULT_64_BIT) != VK_SUCCESS)
		return 0;
	/* The GPU may begin a batch before it has finished the last one. */
	if (meter->has_end &&
	    ((meter->end - ticks[0]) & meter->mask) < meter->mask / 2)
		ticks[0] = meter->end;
	length = (ticks[1] - ticks[0]) & meter->mask;
	if (length > meter->mask / 2)
		return 0;
	meter->end = ticks[1];
	meter->has_end = true;
	return length;
}

void vgpu_meter_read(struct vgpu_queue *queue, uint64_t until,
		     uint64_t unmetered_ns)
{
	struct vgpu_context *ctx = queue->ctx;
	struct vgpu_meter *meter = queue->meter;
	uint64_t now, ticks = 0, ns, i;

	if (!ctx->gpu_time)
		return;
	if (meter) {
		for (i = atomic_load(&meter->n_read); i < until; i++)
			ticks += read_batch(queue, i);
		atomic_store(&meter->n_read, until);
	}
	ns = (uint64_t)((double)ticks *
			(double)ctx->host.properties.limits.timestampPeriod);
	now = vgpu_now_ns();
	/* What lay between timestamps as well is not counted twice. */
	if (unmetered_ns)
		ns = VGPU_MAX(ns, now - VGPU_MAX(unmetered_ns, queue->done_ns));
	queue->done_ns = now;
	if (ns)
		vgpu_gpu_time_charge(ctx->gpu_time, now, ns);
}

bool vgpu_gpu_is_limited(const struct vgpu_context *ctx)
{
	return ctx->gpu_time &&
	       atomic_load_explicit(&ctx->gpu_time->part, memory_order_relaxed) <
		       VGPU_SHARE_WHOLE;
}

void vgpu_gpu_wait(struct vgpu_stream *stream)
{
	struct vgpu_context *ctx = stream->ctx;
	uint64_t ns;

	if (!vgpu_gpu_is_limited(ctx))
		return;
	atomic_fetch_add(&ctx->n_asking, 1);
	while ((ns = vgpu_gpu_time_wait_ns(ctx->gpu_time, vgpu_now_ns())) &&
	       !(stream->stop && atomic_load(stream->stop))) {
		const struct timespec time = {
			.tv_nsec = (long)VGPU_MIN(ns, LOOK_AGAIN_NS)};

		nanosleep(&time, NULL);
	}
	atomic_fetch_sub(&ctx->n_asking, 1);
}
