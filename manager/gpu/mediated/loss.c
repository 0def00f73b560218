/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPUs that their drivers have lost. */
#include "loss.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrival.h"
#include "manager/gpu/probing.h"
#include "manager/host/log.h"
#include "manager/host/text.h"
#include "manager/vgpu/context.h"
#include "lib/util.h"

/*
 * A guest that owns its render process can say that the GPU is lost as often as
 * it likes: the driver is asked no more often than this. One that has lost a
 * GPU is asked less and less often whether it is there again.
 */
#define PAUSE_USEC     (10 * 1000 * 1000ULL)
#define PAUSE_USEC_MAX (6 * PAUSE_USEC)

struct vgpu_gpu_loss {
	struct vgpu_manager *manager;
	struct vgpu_probing *probing; /* NULL: nobody is being asked */
	sd_event_source *pause;	      /* NULL: somebody may be */
	uint64_t pause_usec;	      /* the next one's */
	bool is_due;		      /* ... after that */
	bool is_looking;	      /* for those that have come or gone */
};

static void ask(struct vgpu_gpu_loss *loss);

static int on_pause_over(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_gpu_loss *loss = opaque;

	loss->pause = sd_event_source_disable_unref(loss->pause);
	if (loss->is_due)
		ask(loss);
	return 0;
}

/* Without a timer the next loss is asked about at once. */
static void begin_pause(struct vgpu_gpu_loss *loss, bool must_ask)
{
	if (must_ask) {
		loss->is_due = true;
		loss->pause_usec = VGPU_MIN(2 * loss->pause_usec, PAUSE_USEC_MAX);
	} else {
		loss->pause_usec = PAUSE_USEC;
	}
	sd_event_add_time_relative(loss->manager->event, &loss->pause,
				   CLOCK_MONOTONIC, loss->pause_usec, 0,
				   on_pause_over, loss);
}

/* The embedded one is in each render process, and works in the next. */
static bool is_asked_about(const struct vgpu_gpu *gpu)
{
	return !gpu->is_software && gpu->memory;
}

static void become_lost(struct vgpu_gpu_loss *loss, struct vgpu_gpu *gpu,
			const char *why)
{
	bool is_news = !gpu->is_lost;

	gpu->is_lost = gpu->is_doubted = true;
	snprintf(gpu->unusable, sizeof(gpu->unusable),
		 "its driver lost it: %.280s", why);
	if (is_news)
		vgpu_events_add(
			&loss->manager->events, "gpu-lost", NULL, NULL,
			"%s (%.60s) makes no vGPU: %.160s; it is asked again and again",
			gpu->id, gpu->name, gpu->unusable);
}

static void become_usable(struct vgpu_gpu_loss *loss, struct vgpu_gpu *gpu,
			  const struct vgpu_gpu *same)
{
	bool is_other = strcmp(gpu->device_uuid, same->device_uuid) != 0;

	VGPU_TEXT_SET(gpu->device_uuid, same->device_uuid);
	VGPU_TEXT_SET(gpu->driver, same->driver);
	gpu->is_lost = gpu->is_doubted = false;
	gpu->unusable[0] = '\0';
	vgpu_events_add(
		&loss->manager->events, "gpu-found", NULL, NULL,
		"%s (%.60s) works%s", gpu->id, gpu->name,
		is_other ? ", as another to its driver: its vGPUs must be started again"
			 : ": its vGPUs go on");
}

static void take_answer(struct vgpu_gpu_loss *loss, struct vgpu_gpu *gpu,
			const struct vgpu_inventory *found, const char *problem)
{
	const struct vgpu_gpu *same =
		found ? vgpu_inventory_find_same(found, gpu) : NULL;

	if (!found)
		become_lost(loss, gpu, problem);
	else if (!same)
		become_lost(loss, gpu, "it is not there any more");
	else if (same->unusable[0])
		become_lost(loss, gpu, same->unusable);
	else
		become_usable(loss, gpu, same);
}

/* What is not there any more is lost, if nothing else says it. */
static void doubt_missing(const struct vgpu_inventory *inventory,
			  const struct vgpu_inventory *found)
{
	for (size_t i = 0; i < inventory->count; i++) {
		struct vgpu_gpu *gpu = &inventory->gpus[i];

		if (is_asked_about(gpu) && !vgpu_inventory_find_same(found, gpu))
			gpu->is_doubted = true;
	}
}

static void on_answer(void *opaque, const struct vgpu_inventory *found,
		      const char *problem)
{
	struct vgpu_gpu_loss *loss = opaque;
	struct vgpu_inventory *inventory = &loss->manager->inventory;
	/* Something was lost since it was asked: it is asked again. */
	const bool is_stale = loss->is_due;
	bool is_any_lost = false;

	loss->probing = NULL;
	if (loss->is_looking && found) {
		doubt_missing(inventory, found);
		vgpu_gpu_arrival_take(loss->manager, found);
	}
	/* Without an answer none is missed, and it is asked a few times more. */
	loss->is_looking &=
		is_stale || (!found && loss->pause_usec < PAUSE_USEC_MAX);
	for (size_t i = 0; i < inventory->count; i++) {
		struct vgpu_gpu *gpu = &inventory->gpus[i];

		if (gpu->is_doubted) {
			take_answer(loss, gpu, found, problem);
			gpu->is_doubted |= is_stale;
		}
		is_any_lost |= gpu->is_lost;
	}
	begin_pause(loss, is_any_lost || loss->is_looking);
}

static void ask(struct vgpu_gpu_loss *loss)
{
	struct vgpu_err err = {};

	loss->is_due = false;
	if (vgpu_probing_start(loss->manager->event, on_answer, loss,
			       &loss->probing, &err) < 0)
		on_answer(loss, NULL, err.text);
}

void vgpu_gpu_loss_look(struct vgpu_gpu_loss *loss)
{
	loss->is_looking = true;
	if (loss->probing) {
		loss->is_due = true;
		return;
	}
	loss->pause = sd_event_source_disable_unref(loss->pause);
	ask(loss);
}

void vgpu_gpu_loss_note(struct vgpu_gpu_loss *loss, struct vgpu_gpu *gpu)
{
	if (!is_asked_about(gpu))
		return;
	if (!gpu->is_doubted)
		vgpu_events_add(
			&loss->manager->events, "gpu-lost", NULL, NULL,
			"%s (%.60s): its driver lost contexts; it is asked whether it works",
			gpu->id, gpu->name);
	gpu->is_doubted = true;
	if (loss->probing || loss->pause)
		loss->is_due = true;
	else
		ask(loss);
}

int vgpu_gpu_loss_create(struct vgpu_manager *manager,
			 struct vgpu_gpu_loss **ret_loss)
{
	struct vgpu_gpu_loss *loss = malloc(sizeof(*loss));

	if (!loss)
		return -ENOMEM;
	*loss = (struct vgpu_gpu_loss){
		.manager = manager,
		.pause_usec = PAUSE_USEC,
	};
	*ret_loss = loss;
	return 0;
}

void vgpu_gpu_loss_destroy(struct vgpu_gpu_loss *loss)
{
	if (!loss)
		return;
	vgpu_probing_cancel(loss->probing);
	sd_event_source_disable_unref(loss->pause);
	free(loss);
}
