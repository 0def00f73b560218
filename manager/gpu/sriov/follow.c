/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs on virtual functions follow what sysfs says of these. */
#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>

#include "lib/util.h"
#include "manager/vgpu/lifecycle.h"
#include "manager/host/log.h"
#include "sriov.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "vf_driver.h"

#define PF "bus/pci/devices/%s"

static void unwatch(struct vgpu_vf *vf)
{
	vf->watch = sd_event_source_disable_unref(vf->watch);
	vf->watch_fd = vgpu_close(vf->watch_fd);
}

void vgpu_sriov_forget_vfs(struct vgpu_sriov *sriov)
{
	for (size_t i = 0; i < sriov->vf_count; i++)
		unwatch(&sriov->vfs[i]);
	free(sriov->vfs);
	sriov->vfs = NULL;
	sriov->vf_count = 0;
	sriov->vfs_enabled = 0;
}

static int on_state(sd_event_source *source, int fd, uint32_t revents,
		    void *userdata)
{
	struct vgpu_vf *vf = userdata;
	struct vgpu_gpu *gpu = vf->sriov->gpu;
	char ignored[64];

	/* Reading it rearms it; one that is gone would be ready for ever. */
	if (pread(fd, ignored, sizeof(ignored), 0) <= 0)
		unwatch(vf);
	vgpu_sriov_refresh(gpu); /* may free @vf */
	return 0;
}

/* Wait for the kernel's word that its state is another. */
static void watch(struct vgpu_vf *vf)
{
	struct vgpu_sriov *sriov = vf->sriov;
	char path[64], ignored[64];
	int r;

	if (vf->watch_fd >= 0 || !sriov->backend->watched)
		return;
	snprintf(path, sizeof(path), sriov->backend->watched, vf->number);
	vf->watch_fd = vgpu_sysfs_open(sriov->manager->sysfs, PF "/%s",
				       sriov->gpu->id, path);
	/* Only what changes after it was read is told. */
	if (vf->watch_fd < 0 ||
	    pread(vf->watch_fd, ignored, sizeof(ignored), 0) <= 0) {
		unwatch(vf);
		return;
	}
	r = sd_event_add_io(sriov->manager->event, &vf->watch, vf->watch_fd,
			    EPOLLPRI, on_state, vf);
	/* -EPERM: it cannot be waited for, and is read now and then. */
	if (r < 0 && r != -EPERM)
		vgpu_log("%s: VF %u cannot be watched: %s", sriov->gpu->id,
			 vf->number, strerror(-r));
}

static int read_vfs(struct vgpu_sriov *sriov)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	uint64_t total = 0, enabled = 0;

	if (vgpu_sysfs_read_number(root, &total, PF "/sriov_totalvfs", pf) < 0)
		total = 0;
	total = VGPU_MIN(total, VGPU_VF_MAX);
	if (total != sriov->vf_count) {
		vgpu_sriov_forget_vfs(sriov);
		sriov->vfs = calloc(total + 1, sizeof(*sriov->vfs));
		if (!sriov->vfs)
			return -ENOMEM;
		sriov->vf_count = total;
		for (size_t i = 0; i < total; i++)
			sriov->vfs[i] = (struct vgpu_vf){
				.sriov = sriov,
				.number = (uint32_t)i + 1,
				.watch_fd = -1,
			};
	}
	vgpu_sysfs_read_number(root, &enabled, PF "/sriov_numvfs", pf);
	sriov->vfs_enabled = VGPU_MIN(enabled, total);
	for (size_t i = 0; i < total; i++)
		/* Without virtualization a GPU has no attributes of VFs. */
		if (vgpu_sriov_read_vf(&sriov->vfs[i]) < 0 &&
		    !sriov->gpu->unusable[0])
			return -ENODEV;
	return 0;
}

/* What making a vGPU needs besides the PF's driver. */
static void check_rest(struct vgpu_sriov *sriov)
{
	const char *driver = vgpu_sriov_vf_driver(sriov);
	struct vgpu_gpu *gpu = sriov->gpu;
	int root = sriov->manager->sysfs;

	if (gpu->unusable[0])
		return;
	if (!vgpu_vf_driver_is_loaded(root, driver))
		snprintf(gpu->unusable, sizeof(gpu->unusable),
			 "the driver %s is not loaded: `modprobe %s` loads it",
			 driver, driver);
	else if (vgpu_sysfs_is_denied(root, "bus/pci/drivers_probe"))
		VGPU_TEXT_SET(
			gpu->unusable,
			"vgpud may not write to sysfs: see \"GPUs with virtual functions\" in vgpud(8)");
}

static void read_all(struct vgpu_sriov *sriov)
{
	bool was_present = sriov->is_present;

	sriov->is_present =
		sriov->backend->read_gpu(sriov) == 0 && read_vfs(sriov) == 0;
	if (sriov->is_present) {
		check_rest(sriov);
		return;
	}
	vgpu_sriov_forget_vfs(sriov);
	free(sriov->types);
	sriov->types = NULL;
	sriov->type_count = 0;
	VGPU_TEXT_SET(sriov->gpu->unusable, "its driver is not bound any more");
	if (was_present)
		vgpu_log("%s: %s", sriov->gpu->id, sriov->gpu->unusable);
}

static void attach(struct vgpu_instance *instance, const struct vgpu_vf *vf)
{
	if (vgpu_instance_set_phase(instance, VGPU_PHASE_ATTACHED) < 0)
		return;
	instance->status.link = VGPU_LINK_ATTACHED;
	instance->status.peer_pid = vf->opener;
	if (vf->opener > 0)
		vgpu_instance_event(instance, "attached",
				    "the virtual machine of process %d has it",
				    vf->opener);
	else
		vgpu_instance_event(instance, "attached",
				    "a virtual machine has it");
}

static void detach(struct vgpu_instance *instance)
{
	pid_t pid = instance->status.peer_pid;

	if (vgpu_instance_set_phase(instance, VGPU_PHASE_ACTIVE) < 0)
		return;
	instance->status.link = VGPU_LINK_LISTENING;
	instance->status.peer_pid = 0;
	if (pid > 0)
		vgpu_instance_event(
			instance, "detached",
			"the virtual machine of process %d let go of it", pid);
	else
		vgpu_instance_event(instance, "detached",
				    "its virtual machine let go of it");
}

/* Of one that is ACTIVE or ATTACHED: what became of its VF? */
static void follow_state(struct vgpu_instance *instance, const struct vgpu_vf *vf)
{
	if (vf->state == VGPU_VF_FAILED) {
		vgpu_lifecycle_fail(instance, "%s", vf->failure);
		return;
	}
	if (vf->state == VGPU_VF_ACTIVE &&
	    instance->phase == VGPU_PHASE_ATTACHED &&
	    instance->status.peer_pid != vf->opener)
		detach(instance); /* and another came before we looked */
	if (vf->state == VGPU_VF_ACTIVE && instance->phase == VGPU_PHASE_ACTIVE)
		attach(instance, vf);
	else if (vf->state == VGPU_VF_DEFINED &&
		 instance->phase == VGPU_PHASE_ATTACHED)
		detach(instance);
	else
		return;
	instance->manager->hooks->changed(instance->manager);
}

/* What the VF has counted for others before is not of this vGPU. */
static void forget_errors(struct vgpu_vf *vf)
{
	vf->told_channel_errors = vf->channel_errors;
	vf->told_error_messages = vf->error_messages;
}

/*
 * A guest can cause these at will: an event comes when there are twice as many
 * as the last one told of.
 */
static bool is_to_be_told(uint64_t *told, uint64_t count)
{
	/* Its driver was bound again, and has begun anew. */
	if (count < *told)
		*told = 0;
	if (count == *told || count / 2 < *told)
		return false;
	*told = count;
	return true;
}

static void follow_errors(struct vgpu_instance *instance, struct vgpu_vf *vf)
{
	if (is_to_be_told(&vf->told_channel_errors, vf->channel_errors))
		vgpu_instance_event(instance, "guest-fault",
				    "the GPU's firmware has reported %" PRIu64
				    " errors of channels of VF %u",
				    vf->channel_errors, vf->number);
	if (is_to_be_told(&vf->told_error_messages, vf->error_messages))
		vgpu_instance_event(instance, "guest-fault",
				    "the firmware's task for VF %u had %" PRIu64
				    " error messages: the host's log may have them",
				    vf->number, vf->error_messages);
}

void vgpu_sriov_settle(struct vgpu_instance *instance)
{
	struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);

	forget_errors(vf);

	instance->lacks_gpu = false;
	VGPU_TEXT_SET(instance->address, vf->address);
	if (vgpu_instance_set_phase(instance, VGPU_PHASE_STARTING) < 0 ||
	    vgpu_instance_set_phase(instance, VGPU_PHASE_ACTIVE) < 0)
		return;
	if (vf->address[0])
		vgpu_instance_event(instance, "active",
				    "%s can be given to a machine", vf->address);
	watch(vf);
	follow_state(instance, vf);
}

static bool is_running(const struct vgpu_instance *instance)
{
	return instance->phase == VGPU_PHASE_ACTIVE ||
	       instance->phase == VGPU_PHASE_ATTACHED;
}

static bool is_bound(const struct vgpu_vf *vf)
{
	char bound[32];

	return vgpu_sysfs_read_link(vf->sriov->manager->sysfs, bound,
				    sizeof(bound), PF "/driver",
				    vf->address) == 0 &&
	       strcmp(bound, vgpu_sriov_vf_driver(vf->sriov)) == 0;
}

/*
 * Of one that failed: what it lacked may be there again, a driver or its VF; or
 * what was lost while a machine had it was closed.
 */
static bool can_be_again(const struct vgpu_instance *instance,
			 const struct vgpu_vf *vf)
{
	if (instance->lacks_gpu)
		return vf || instance->definition.is_stopped;
	if (!vf || !vgpu_sriov_has_type(vf, instance) || !vf->address[0] ||
	    (vf->state != VGPU_VF_DEFINED && vf->state != VGPU_VF_ACTIVE))
		return false;
	return instance->lacks_vf || is_bound(vf);
}

static void follow(struct vgpu_instance *instance)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	const struct vgpu_definition *d = &instance->definition;
	struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);

	if (!is_running(instance)) {
		if (instance->phase != VGPU_PHASE_FAILED)
			return;
		/* A driver that is bound again knows of nothing. */
		if (!sriov->is_present)
			instance->lacks_gpu = true;
		if (vgpu_sriov_is_ready(sriov) && can_be_again(instance, vf))
			vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED);
		else if (instance->lacks_gpu && sriov->gpu->unusable[0])
			snprintf(instance->failure, sizeof(instance->failure),
				 "its GPU %s cannot be used: %s", d->gpu,
				 sriov->gpu->unusable);
	} else if (!vf || !sriov->is_present) {
		instance->lacks_gpu = true;
		vgpu_lifecycle_fail(instance, "its GPU %s cannot be used: %s",
				    d->gpu, sriov->gpu->unusable);
	} else if (vf->address[0] && !vgpu_sriov_has_type(vf, instance)) {
		unwatch(vf);
		vgpu_lifecycle_fail(instance,
				    "its VF %u of %s was given type %u by others",
				    vf->number, d->gpu, vf->type);
	} else if (!vf->address[0]) {
		instance->lacks_vf = true;
		vgpu_lifecycle_fail(instance,
				    "its VF %u of %s is not enabled any more",
				    vf->number, d->gpu);
	} else {
		instance->lacks_vf = false;
		watch(vf);
		follow_errors(instance, vf);
		follow_state(instance, vf);
	}
}

/* The same each time, so that it can be told from one call to the next. */
static void name_foreign(const struct vgpu_vf *vf, char ret_uuid[VGPU_UUID_SIZE])
{
	unsigned int domain = 0, bus = 0, device = 0, function = 0;

	sscanf(vf->sriov->gpu->id, "%x:%x:%x.%x", &domain, &bus, &device,
	       &function);
	/* RFC 9562: version 8 is what the one who makes it likes. */
	snprintf(ret_uuid, VGPU_UUID_SIZE, "%08x-%02x%02x-8000-8000-%012x",
		 domain, bus & 0xff, (device << 3 | function) & 0xff, vf->number);
}

static void adopt_foreign(struct vgpu_vf *vf)
{
	struct vgpu_sriov *sriov = vf->sriov;
	const struct vgpu_type *type = vgpu_sriov_type(sriov, vf->type);
	struct vgpu_definition d = {
		.vf = {.number = vf->number, .placement = vf->placement},
	};
	struct vgpu_instance *instance;

	name_foreign(vf, d.uuid);
	VGPU_TEXT_SET(d.gpu, sriov->gpu->id);
	if (type)
		d.type = *type;
	else
		sriov->backend->describe(vf->type, &d.type);
	d.place.size = d.type.framebuffer_mib * VGPU_MIB;
	if (vf->placement != VGPU_PLACEMENT_ANY)
		d.place.offset = vf->placement * (1024 * VGPU_MIB);
	instance = vgpu_instance_create(sriov->manager, &d);
	if (!instance)
		return;
	instance->is_foreign = true;
	instance->is_placed = true;
	vgpu_instance_event(instance, "started",
			    "others gave VF %u of %s its type", vf->number,
			    d.gpu);
	vgpu_sriov_settle(instance);
}

/* It is followed where others made it, too, until they take it back. */
static void follow_foreign(struct vgpu_instance *instance)
{
	const struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);

	if (vf && vgpu_sriov_has_type(vf, instance)) {
		if (is_running(instance))
			follow_state(instance, vf);
		else if (vf->state != VGPU_VF_FAILED &&
			 vgpu_instance_set_phase(instance, VGPU_PHASE_DEFINED) ==
				 0)
			vgpu_sriov_settle(instance);
		return;
	}
	vgpu_instance_event(instance, "destroyed",
			    "others took the type of VF %u of %s back",
			    instance->definition.vf.number,
			    instance->definition.gpu);
	vgpu_instance_destroy(instance);
}

static void find_foreign(struct vgpu_sriov *sriov)
{
	struct vgpu_instance *instance;

	for (size_t i = 0; i < sriov->vf_count; i++) {
		struct vgpu_vf *vf = &sriov->vfs[i];
		bool is_known = false;

		if (!vf->type)
			continue;
		TAILQ_FOREACH(instance, &sriov->manager->instances, entry)
		if (instance->gpu == sriov->gpu &&
		    instance->definition.vf.number == vf->number &&
		    !instance->definition.is_stopped)
			is_known = true;
		if (!is_known)
			adopt_foreign(vf);
	}
}

/*
 * Those whose place is fixed come first, then those that are to be where they
 * were, then those that may be anywhere.
 */
static unsigned int rank(const struct vgpu_definition *d)
{
	if (d->vf.is_pinned)
		return 0;
	return d->vf.placement != VGPU_PLACEMENT_ANY ? 1 : 2;
}

static void make_defined(struct vgpu_sriov *sriov)
{
	struct vgpu_instance *instance;

	if (!sriov->is_present)
		return;
	for (unsigned int i = 0; i <= 2; i++)
		TAILQ_FOREACH(instance, &sriov->manager->instances, entry)
	if (instance->gpu == sriov->gpu && instance->phase == VGPU_PHASE_DEFINED &&
	    instance->definition.vf.number > 0 && !instance->creator.ops &&
	    rank(&instance->definition) == i)
		vgpu_sriov_begin(instance);
}

void vgpu_sriov_refresh(struct vgpu_gpu *gpu)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(gpu);
	struct vgpu_instance *instance, *next;

	read_all(sriov);
	for (instance = TAILQ_FIRST(&sriov->manager->instances); instance;
	     instance = next) {
		next = TAILQ_NEXT(instance, entry);
		if (instance->gpu != gpu || instance->definition.vf.number == 0)
			continue;
		if (instance->is_foreign)
			follow_foreign(instance);
		else
			follow(instance);
	}
	if (!sriov->manager->is_loaded)
		return;
	make_defined(sriov);
	find_foreign(sriov);
}
