/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A vGPU: its definition, its phase, its device process and its fds.
 *
 *              +------------------ FAILED <---- from every other phase
 *              | its type is back, start
 *              v                 memory
 *   create -> DEFINED ------------------------> STARTING <----------+
 *              ^                                  |  |  ^           |
 *              | no answer                 status |  |  | process   |
 *              |                                  v  |  | ended     |
 *   vgpud  -> ADOPTING ------- status --------> ACTIVE -+           |
 *   starts      |                               |    ^  |           |
 *               |                    VM connects|    |VM gone       |
 *               |                               v    |  |           |
 *               +------------- status --------> ATTACHED ----------+
 *
 *   every phase -> STOPPING -> gone (or FAILED: its definition stays on disk)
 *                         `--> STOPPED, if its definition is kept
 *   STOPPED -- start --> DEFINED
 *   define, or vgpud starts and it does not start by itself: STOPPED
 *
 * A process that ends in STARTING, ACTIVE or ATTACHED has a successor at once
 * (STARTING again), which gets all that the one before had; the tenth in a row
 * that served for less than five seconds makes it FAILED.
 */
#include "instance.h"

#include <stdarg.h>
#include <string.h>

#include "lib/util.h"
#include "manager/host/log.h"
#include "share.h"
#include "manager/host/text.h"
#include "vnc.h"

#define TO(phase) (1U << VGPU_PHASE_##phase)

static const struct {
	const char *name;
	unsigned int next; /* the phases that may follow, a bit each */
} phases[] = {
	[VGPU_PHASE_DEFINED] = {"defined", TO(STARTING) | TO(ADOPTING) |
						   TO(FAILED) | TO(STOPPING) |
						   TO(STOPPED)},
	[VGPU_PHASE_ADOPTING] = {"adopting", TO(ACTIVE) | TO(ATTACHED) |
						     TO(DEFINED) | TO(STARTING) |
						     TO(FAILED) | TO(STOPPING)},
	[VGPU_PHASE_STARTING] = {"starting", TO(STARTING) | TO(ACTIVE) |
						     TO(ATTACHED) | TO(FAILED) |
						     TO(STOPPING)},
	[VGPU_PHASE_ACTIVE] = {"active", TO(ATTACHED) | TO(STARTING) |
						 TO(FAILED) | TO(STOPPING)},
	[VGPU_PHASE_ATTACHED] = {"attached", TO(ACTIVE) | TO(STARTING) |
						     TO(FAILED) | TO(STOPPING)},
	[VGPU_PHASE_FAILED] = {"failed", TO(DEFINED) | TO(STOPPING)},
	[VGPU_PHASE_STOPPING] = {"stopping", TO(FAILED) | TO(STOPPED)},
	[VGPU_PHASE_STOPPED] = {"stopped", TO(DEFINED) | TO(STOPPING)},
};

static_assert(VGPU_ARRAY_SIZE(phases) == VGPU_PHASE_MAX, "a row a phase");

struct vgpu_instance *vgpu_instance_create(struct vgpu_manager *manager,
					   const struct vgpu_definition *definition)
{
	struct vgpu_instance *instance = calloc(1, sizeof(*instance));

	if (!instance)
		return NULL;
	instance->manager = manager;
	instance->group = -1;
	instance->definition = *definition;
	instance->gpu = vgpu_inventory_find(&manager->inventory, definition->gpu);
	instance->fds.deposit = manager->deposit;
	instance->fds.uuid = instance->definition.uuid;
	TAILQ_INSERT_TAIL(&manager->instances, instance, entry);
	return instance;
}

void vgpu_instance_destroy(struct vgpu_instance *instance)
{
	if (!instance)
		return;
	TAILQ_REMOVE(&instance->manager->instances, instance, entry);
	vgpu_vnc_finish(instance);
	vgpu_device_destroy(instance->device);
	if (instance->has_memory)
		instance->gpu->memory->give(instance->gpu,
					    instance->definition.place.size,
					    &instance->fds);
	vgpu_fd_store_finish(&instance->fds);
	vgpu_share_finish(instance);
	sd_event_source_disable_unref(instance->timer);
	vgpu_caller_drop(&instance->creator);
	vgpu_caller_drop(&instance->ender);
	free(instance);
}

int vgpu_instance_set_phase(struct vgpu_instance *instance, enum vgpu_phase next)
{
	enum vgpu_phase last = instance->phase;

	if (!(phases[last].next & 1U << next)) {
		vgpu_instance_log(instance, "refused to go from %s to %s",
				  phases[last].name, phases[next].name);
		return -EINVAL;
	}
	instance->phase = next;
	if (next != VGPU_PHASE_FAILED)
		instance->failure[0] = '\0';
	return 0;
}

bool vgpu_instance_is_started(const struct vgpu_instance *instance)
{
	return instance->phase != VGPU_PHASE_STOPPED &&
	       instance->phase != VGPU_PHASE_STOPPING &&
	       instance->phase != VGPU_PHASE_FAILED;
}

const char *vgpu_instance_doing(const struct vgpu_instance *instance)
{
	if (instance->creator.ops)
		return instance->is_kept ? "started" : "made";
	return instance->is_kept ? "stopped" : "destroyed";
}

const char *vgpu_instance_state(const struct vgpu_instance *instance)
{
	switch (instance->phase) {
	case VGPU_PHASE_ACTIVE:
	case VGPU_PHASE_ATTACHED:
	case VGPU_PHASE_FAILED:
		return phases[instance->phase].name;
	case VGPU_PHASE_STARTING:
		/* Between two processes a VM still has it. */
		if (!instance->has_served)
			return "defined";
		return vgpu_instance_is_attached(instance) ? "attached"
							   : "active";
	default:
		return "defined";
	}
}

bool vgpu_instance_is_attached(const struct vgpu_instance *instance)
{
	return (instance->phase == VGPU_PHASE_STARTING ||
		instance->phase == VGPU_PHASE_ATTACHED) &&
	       instance->status.link == VGPU_LINK_ATTACHED;
}

bool vgpu_instance_is_serving(const struct vgpu_instance *instance)
{
	return (instance->phase == VGPU_PHASE_ACTIVE ||
		instance->phase == VGPU_PHASE_ATTACHED) &&
	       vgpu_device_is_serving(instance->device);
}

static bool is_called(const struct vgpu_instance *instance, const char *uuid,
		      const char *name)
{
	if (uuid)
		return strcmp(instance->definition.uuid, uuid) == 0;
	/* No name has a colon, and every PCI address has. */
	if (*name && strcasecmp(instance->address, name) == 0)
		return true;
	return *name && strcmp(instance->definition.name, name) == 0;
}

int vgpu_instance_set_unknown(const char *uuid_or_name, struct vgpu_err *err)
{
	char quoted[VGPU_QUOTED_SIZE];

	return vgpu_err_set(err, -ENOENT, "NoSuchVgpu",
			    "there is no vGPU of the uuid or name '%s'",
			    vgpu_text_quote(quoted, uuid_or_name));
}

struct vgpu_instance *vgpu_instance_find(struct vgpu_manager *manager,
					 const char *uuid_or_name,
					 struct vgpu_err *err)
{
	char uuid[VGPU_UUID_SIZE];
	bool is_uuid = vgpu_uuid_parse(uuid_or_name, uuid, NULL) == 0;
	struct vgpu_instance *instance;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (is_called(instance, is_uuid ? uuid : NULL, uuid_or_name))
		return instance;
	vgpu_instance_set_unknown(uuid_or_name, err);
	return NULL;
}

static int compare(const void *a, const void *b)
{
	const struct vgpu_definition *d =
		&(*(struct vgpu_instance *const *)a)->definition;
	const struct vgpu_definition *e =
		&(*(struct vgpu_instance *const *)b)->definition;

	if (!d->name[0] != !e->name[0])
		return d->name[0] ? -1 : 1;
	if (d->name[0])
		return strcmp(d->name, e->name);
	return strcmp(d->uuid, e->uuid);
}

int vgpu_instance_sort(struct vgpu_manager *manager,
		       struct vgpu_instance ***ret_sorted, size_t *ret_count)
{
	struct vgpu_instance *instance, **sorted;
	size_t n = 0;

	TAILQ_FOREACH(instance, &manager->instances, entry)
	n++;
	sorted = (struct vgpu_instance **)calloc(n + 1,
						 sizeof(struct vgpu_instance *));
	if (!sorted)
		return -ENOMEM;
	n = 0;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	sorted[n++] = instance;
	qsort((void *)sorted, n, sizeof(struct vgpu_instance *), compare);
	*ret_sorted = sorted;
	*ret_count = n;
	return 0;
}

void vgpu_instance_event(struct vgpu_instance *instance, const char *event,
			 const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vgpu_events_addv(&instance->manager->events,
			 instance->definition.owner.uid, VGPU_EVENT_BY_NOBODY,
			 event, instance->definition.uuid,
			 instance->definition.name, fmt, args);
	va_end(args);
}

void vgpu_instance_event_by(struct vgpu_instance *instance, int64_t uid,
			    const char *event, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vgpu_events_addv(&instance->manager->events,
			 instance->definition.owner.uid, uid, event,
			 instance->definition.uuid, instance->definition.name,
			 fmt, args);
	va_end(args);
}

void vgpu_instance_log(const struct vgpu_instance *instance, const char *fmt, ...)
{
	char text[VGPU_ERR_TEXT_MAX + 64];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	vgpu_log_vgpu(instance->definition.uuid, instance->definition.name,
		      /* event= */ NULL, "%s", text);
}
