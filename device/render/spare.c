/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A spare render process, started ahead for the next context. */
#include "internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/*
 * Delay, so that a context that has just become ready does not compete with it.
 */
#define START_AFTER_US (200 * 1000ULL)
/* How long there is a spare without a context. */
#define KEEP_US (2000 * 1000ULL)

struct vgpu_render_spare {
	struct vgpu_render_config config; /* once a context is ready */
	struct vgpu_render *render;	  /* or NULL */
	unsigned int n_contexts;
	bool is_wanted; /* when the timer ends; else it is given up then */
	sd_event_source *timer;
};

static void set_timer(struct vgpu_render_spare *spare, uint64_t usec);

static void on_ready(void *opaque)
{
}

static void on_fence_done(void *opaque, uint32_t ring_idx, uint64_t id)
{
}

static void on_exported(void *opaque, uint32_t resource_id, int status,
			uint64_t offset, uint64_t bytes)
{
}

/* No guest notices. It is tried again when the next context is ready. */
static void on_lost(void *opaque, const char *why)
{
	struct vgpu_render_spare *spare = opaque;

	fprintf(stderr, "vgpu-device %s: a spare render process is lost: %s\n",
		spare->config.name, why);
	vgpu_render_destroy(spare->render);
	spare->render = NULL;
}

static const struct vgpu_render_ops spare_ops = {
	.ready = on_ready,
	.fence_done = on_fence_done,
	.exported = on_exported,
	.lost = on_lost,
};

static void start_spare(struct vgpu_render_spare *spare)
{
	struct vgpu_err err = {};
	int r = 0;

	if (!spare->render)
		r = vgpu_render_start(&spare->config, /* is_spare= */ true,
				      /* state= */ NULL, &spare_ops, spare,
				      &spare->render, &err);
	/* Without memory for it there is none, which is no error. */
	if (r < 0 && r != -ENOMEM)
		fprintf(stderr, "vgpu-device %s: no spare render process: %s\n",
			spare->config.name, err.text);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_render_spare *spare = opaque;

	if (spare->is_wanted) {
		spare->is_wanted = false;
		start_spare(spare);
		if (!spare->n_contexts)
			set_timer(spare, KEEP_US);
	} else if (!spare->n_contexts) {
		vgpu_render_destroy(spare->render);
		spare->render = NULL;
	}
	return 0;
}

/* If this fails, contexts take longer to start, or a process stays longer. */
static void set_timer(struct vgpu_render_spare *spare, uint64_t usec)
{
	if (!spare->timer) {
		sd_event_add_time_relative(spare->config.event, &spare->timer,
					   CLOCK_MONOTONIC, usec, 0, on_timer,
					   spare);
		return;
	}
	sd_event_source_set_time_relative(spare->timer, usec);
	sd_event_source_set_enabled(spare->timer, SD_EVENT_ONESHOT);
}

struct vgpu_render *vgpu_render_spare_take(struct vgpu_render_spare *spare)
{
	struct vgpu_render *render = spare ? spare->render : NULL;

	if (!render || render->state != RUNNING)
		return NULL;
	spare->render = NULL;
	return render;
}

void vgpu_render_spare_used(struct vgpu_render_spare *spare)
{
	if (spare)
		spare->n_contexts++;
}

void vgpu_render_spare_ready(struct vgpu_render_spare *spare,
			     const struct vgpu_render_config *config)
{
	if (!spare)
		return;
	spare->config = *config;
	spare->config.wire = 0; /* whose it will be is not known yet */
	spare->is_wanted = true;
	set_timer(spare, START_AFTER_US);
}

void vgpu_render_spare_unused(struct vgpu_render_spare *spare)
{
	/* Without a timer no context was ready, and no spare is there. */
	if (spare && --spare->n_contexts == 0 && spare->timer && !spare->is_wanted)
		set_timer(spare, KEEP_US);
}

void vgpu_render_spare_drop(struct vgpu_render_spare *spare,
			    const struct vgpu_render *render)
{
	if (!spare || spare->render == render)
		return;
	vgpu_render_destroy(spare->render);
	spare->render = NULL;
}

static bool is_recording(void)
{
	const char *folder = secure_getenv("VGPU_RECORD_DIR");

	return folder && *folder;
}

struct vgpu_render_spare *vgpu_render_spare_new(void)
{
	/* Each process is recorded, and a file for nothing helps nobody. */
	if (is_recording())
		return NULL;
	return calloc(1, sizeof(struct vgpu_render_spare));
}

void vgpu_render_spare_free(struct vgpu_render_spare *spare)
{
	if (!spare)
		return;
	sd_event_source_disable_unref(spare->timer);
	vgpu_render_destroy(spare->render);
	free(spare);
}
