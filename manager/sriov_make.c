/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a virtual function the vGPU that is defined, and unmaking it. */
#include <inttypes.h>
#include <string.h>

#include "lib/util.h"
#include "lifecycle.h"
#include "log.h"
#include "reply.h"
#include "sriov.h"
#include "sysfs.h"
#include "vf_driver.h"

#define GIB (1024 * VGPU_MIB) /* what placements count in */

static int write_vfs(struct vgpu_sriov *sriov, size_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	return vgpu_sysfs_write(sriov->manager->sysfs, text,
				"bus/pci/devices/%s/sriov_numvfs",
				sriov->gpu->id);
}

static int enable_vfs(struct vgpu_sriov *sriov, struct vgpu_err *err)
{
	int r = write_vfs(sriov, sriov->vf_count);

	if (r < 0)
		return vgpu_err_set(
			err, r,
			r == -EACCES || r == -EROFS ? "Internal" : "GpuUnusable",
			"the %zu VFs of %s cannot be enabled: %s%s",
			sriov->vf_count, sriov->gpu->id, strerror(-r),
			r == -EACCES || r == -EROFS
				? ": see \"GPUs with virtual functions\" in vgpud(8)"
				: "; the kernel's log says more");
	sriov->vfs_enabled = sriov->vf_count;
	for (size_t i = 0; i < sriov->vf_count; i++)
		vgpu_sriov_read_vf(&sriov->vfs[i]);
	return 0;
}

/* What must be so before anything is changed. */
static int check(struct vgpu_instance *instance, struct vgpu_vf *vf,
		 struct vgpu_err *err)
{
	const struct vgpu_definition *d = &instance->definition;
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);

	if (!sriov->is_present || instance->gpu->unusable[0])
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its GPU %s cannot be used: %s", d->gpu,
				    instance->gpu->unusable);
	if (!vf)
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its GPU %s can have %zu VFs only, not %u",
				    d->gpu, sriov->vf_count, d->vf.number);
	if (vf->type && vf->type != d->type.id)
		return vgpu_err_set(err, -EBUSY, "InUse",
				    "its VF %u of %s was given type %u by others",
				    vf->number, d->gpu, vf->type);
	if (!vf->type && d->type.id && !vgpu_sriov_type(sriov, d->type.id))
		return vgpu_err_set(err, -EINVAL, "NoSuchType",
				    "%s has no type %s (%u) any more", d->gpu,
				    d->type.name, d->type.id);
	return 0;
}

/* Where it is in truth is what the next vgpud asks for. */
static void keep_placement(struct vgpu_instance *instance,
			   const struct vgpu_vf *vf)
{
	struct vgpu_definition *d = &instance->definition;
	struct vgpu_err err = {};

	if (vf->placement == VGPU_PLACEMENT_ANY)
		return;
	d->place.offset = vf->placement * GIB;
	if (vf->placement == d->vf.placement)
		return;
	d->vf.placement = vf->placement;
	if (vgpu_store_save(&instance->manager->paths, d, &err) < 0)
		vgpu_log("%s: %s", d->uuid, err.text);
}

static int give_type(struct vgpu_instance *instance, struct vgpu_vf *vf,
		     struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vf->sriov;
	bool is_fresh = !vf->type;
	int r;

	if (!vf->address[0])
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its VF %u is not enabled: %zu of %s's are",
				    vf->number, sriov->vfs_enabled,
				    sriov->gpu->id);
	if (is_fresh) {
		r = sriov->backend->set(sriov, vf, &instance->definition, err);
		if (r < 0)
			return r;
	}
	r = vgpu_vf_driver_bind(sriov->manager->sysfs, vf->address,
				vgpu_sriov_vf_driver(sriov), err);
	if (r < 0 && is_fresh)
		sriov->backend->clear(sriov, vf, NULL);
	return r;
}

int vgpu_sriov_make(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);
	bool has_enabled = false;
	int r;

	r = check(instance, vf, err);
	if (r == 0 && sriov->vfs_enabled == 0) {
		r = enable_vfs(sriov, err);
		has_enabled = r == 0;
	}
	if (r == 0)
		r = give_type(instance, vf, err);
	if (r < 0 && has_enabled && write_vfs(sriov, 0) == 0)
		sriov->vfs_enabled = 0;
	if (vf)
		vgpu_sriov_read_vf(vf);
	if (r == 0)
		keep_placement(instance, vf);
	return r;
}

void vgpu_sriov_begin(struct vgpu_instance *instance)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	bool is_new = instance->create_link;
	struct vgpu_err err = {};

	instance->is_placed = true;
	instance->lacks_vf = false;
	/* While that is so it is not tried again. */
	instance->lacks_gpu = !sriov->is_present || sriov->gpu->unusable[0];

	if (vgpu_sriov_make(instance, &err) < 0) {
		if (is_new)
			instance->create_err = err;
		vgpu_lifecycle_fail(instance, "%s", err.text);
		return;
	}
	instance->timer = sd_event_source_disable_unref(instance->timer);
	if (is_new)
		vgpu_instance_event(instance, "created",
				    "a vGPU of type %s on VF %u of %s",
				    instance->definition.type.name,
				    instance->definition.vf.number,
				    instance->definition.gpu);
	else
		vgpu_instance_event(instance, "started", "it was defined before");
	vgpu_reply_later_uuid(&instance->create_link, instance->definition.uuid);
	vgpu_sriov_settle(instance);
	vgpu_manager_on_change(instance->manager);
}

static int refuse_use(const struct vgpu_vf *vf, struct vgpu_err *err)
{
	if (vf->opener > 0)
		return vgpu_err_set(
			err, -EBUSY, "InUse",
			"the process %d has %s open: shut its virtual machine down first; a virtual function cannot be taken away by force",
			vf->opener, vf->address);
	return vgpu_err_set(
		err, -EBUSY, "InUse",
		"%s is in use: end what uses it first; a virtual function cannot be taken away by force",
		vf->address);
}

int vgpu_sriov_release(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	const struct vgpu_definition *d = &instance->definition;
	struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);
	int r = 0;

	if (instance->is_foreign)
		return vgpu_err_set(
			err, -EPERM, "Foreign",
			"VF %u of %s was not given its type by this vgpud: who did takes it back, or write 0 to its type in sysfs",
			d->vf.number, d->gpu);
	if (!sriov->is_present || !vf || vgpu_sriov_read_vf(vf) < 0 ||
	    !vf->type || vf->type != d->type.id)
		return 0; /* nothing of it is left there */
	if (vf->state == VGPU_VF_ACTIVE || vf->opener > 0)
		return refuse_use(vf, err);
	/*
	 * Without a type nobody can open it, so that unbinding its driver,
	 * which waits for who has it open, waits for nobody.
	 */
	r = sriov->backend->clear(sriov, vf, err);
	if (r == 0 && vf->address[0])
		vgpu_vf_driver_unbind(sriov->manager->sysfs, vf->address,
				      vgpu_sriov_vf_driver(sriov));
	vgpu_sriov_read_vf(vf);
	return r;
}
