/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client's render process, and its submits. */
#include "internal.h"

#include <string.h>

#include "lib/util.h"

static void on_started(void *opaque)
{
	struct connection *c = opaque;

	c->is_started = true;
	vgpu_command_started(c);
}

static void on_ready(void *opaque)
{
	vgpu_resources_ready(opaque);
}

static void on_fence_done(void *opaque, uint32_t ring_idx, uint64_t id)
{
	struct connection *c = opaque;

	if (c->phase < LOST)
		vgpu_sync_fence_done(c, ring_idx, id);
}

static void on_exported(void *opaque, uint32_t resource_id, int status,
			uint64_t offset, uint64_t bytes)
{
	vgpu_resource_exported(opaque, resource_id, status, offset, bytes);
}

static void on_fail_ring(void *opaque, uint32_t resource_id,
			 uint64_t status_offset)
{
	vgpu_resource_fail_ring(opaque, resource_id, status_offset);
}

static void on_lost(void *opaque, const char *why)
{
	struct connection *c = opaque;

	if (c->is_started) {
		c->vtest->figures.losses[vgpu_render_loss(c->render)]++;
		vgpu_connection_end(c, "its context is lost: %s", why);
		return;
	}
	/* No process was started. The client may ask again. */
	vgpu_vtest_fault(c->vtest, "no context: %s", why);
	vgpu_context_finish(c);
	if (c->phase == STARTED)
		c->phase = AGREED;
	vgpu_command_started(c);
}

static const struct vgpu_render_ops render_ops = {
	.started = on_started,
	.ready = on_ready,
	.fence_done = on_fence_done,
	.exported = on_exported,
	.fail_ring = on_fail_ring,
	.lost = on_lost,
};

/* Limit the contexts of one client process. */
static uint32_t count_contexts(const struct connection *c)
{
	const struct connection *other;
	uint32_t n = 0;

	for (other = TAILQ_FIRST(&c->vtest->connections); other;
	     other = TAILQ_NEXT(other, link))
		n += other->render && vgpu_connection_is_of_same(c, other);
	return n;
}

int vgpu_context_start(struct connection *c, uint32_t capset, struct vgpu_err *err)
{
	struct vgpu_vtest *vtest = c->vtest;
	struct vgpu_render_config config = {
		.event = vtest->event,
		.name = vtest->config.name,
		.framebuffer_bytes = vtest->config.framebuffer_bytes,
		.reserve = vtest->config.reserve,
		.udmabuf = vtest->config.udmabuf,
		.gpu_time = vtest->config.gpu_time,
		.memory = &vgpu_own_memory_ops,
		.memory_opaque = vtest->memory,
		.launcher = vtest->launcher,
		.spare = vtest->spare,
		.host_memory = vtest->host_memory,
		.wire = capset,
	};
	int r;

	if (vtest->n_contexts >= vtest->contexts_max)
		return vgpu_err_set(err, -EMFILE, NULL,
				    "there are %u already, the most a vGPU has",
				    vtest->contexts_max);
	if (count_contexts(c) >= vtest->contexts_max - vtest->contexts_max / 4)
		return vgpu_err_set(err, -EMFILE, NULL,
				    "process %d has three quarters of those there"
				    " are already",
				    (int)c->pid);
	memcpy(config.gpu_uuid, vtest->config.gpu_uuid, sizeof(config.gpu_uuid));
	c->is_started = false;
	r = vgpu_render_create(&config, /* state= */ NULL, &render_ops, c,
			       &c->render, err);
	if (r < 0)
		return r;
	vtest->n_contexts++;
	c->capset = capset;
	c->phase = STARTED;
	vgpu_vtest_changed(vtest);
	return 0;
}

void vgpu_context_finish(struct connection *c)
{
	const char *why = vgpu_render_last_words(c->render);

	if (!c->render)
		return;
	if (why && c->is_started) {
		c->vtest->figures.losses[vgpu_render_loss(c->render)]++;
		vgpu_connection_fault(c, "its context is lost: %s", why);
	}
	vgpu_render_destroy(c->render);
	c->render = NULL;
	c->vtest->n_contexts--;
	vgpu_vtest_changed(c->vtest);
}

/* @n items of @item_words words at @offset, in a body of @n_words. */
static bool is_inside(uint32_t offset, uint32_t n, uint32_t item_words,
		      size_t n_words)
{
	return (uint64_t)offset + (uint64_t)n * item_words <= n_words;
}

static int submit_batch(struct connection *c, const struct vtest_batch *batch,
			const uint32_t *body)
{
	bool has_timeline = batch->flags & VTEST_BATCH_RING_IDX;
	uint32_t ring_idx =
		has_timeline ? batch->ring_idx : VGPU_RENDER_TIMELINES;
	uint64_t fence = 0;
	int r = 0;

	if (batch->command_size)
		r = vgpu_render_submit(c->render, body + batch->command_offset,
				       batch->command_size * sizeof(*body),
				       /* fence= */ NULL, /* token= */ NULL);
	c->vtest->figures.submits += r == 0 && batch->command_size;
	if (r == 0 && batch->points)
		r = vgpu_sync_submit(c, ring_idx, body + batch->point_offset,
				     batch->points, &fence);
	if (r == 0 && fence)
		r = vgpu_render_submit(
			c->render, NULL, 0,
			&(struct vgpu_render_fence){ring_idx, fence},
			/* token= */ NULL);
	/* A context that is lost will say so. */
	return r == -ECONNABORTED ? r : 0;
}

int vgpu_context_submit(struct connection *c, const uint32_t *body, size_t n_words)
{
	uint32_t n = body[0];
	int r = 0;

	if (n > BATCHES_MAX || (n && n_words < 1 + (n - 1) * VTEST_BATCH_WORDS +
						       VTEST_BATCH_LAST_WORDS))
		return vgpu_connection_end(c, "submits %u batches in %zu words",
					   n, n_words);
	for (uint32_t i = 0; i < n && r == 0; i++) {
		struct vtest_batch batch;

		memcpy(&batch, body + 1 + i * VTEST_BATCH_WORDS, sizeof(batch));
		if (batch.flags & ~VTEST_BATCH_RING_IDX)
			return vgpu_connection_end(c, "submits with flags %#x",
						   batch.flags);
		if (batch.flags && batch.ring_idx >= VGPU_RENDER_TIMELINES)
			return vgpu_connection_end(c, "names timeline %u",
						   batch.ring_idx);
		if (!is_inside(batch.command_offset, batch.command_size, 1,
			       n_words) ||
		    !is_inside(batch.point_offset, batch.points,
			       VTEST_POINT_WORDS, n_words))
			return vgpu_connection_end(c,
						   "submits what is not there");
		r = submit_batch(c, &batch, body);
	}
	return r;
}
