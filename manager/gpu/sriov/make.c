/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making a virtual function the vGPU that is defined, and unmaking it. */
#include <inttypes.h>
#include <string.h>

#include "manager/vgpu/capacity.h"
#include "lib/util.h"
#include "manager/vgpu/lifecycle.h"
#include "manager/host/log.h"
#include "sriov.h"
#include "manager/host/sysfs.h"
#include "vf_driver.h"

#define GIB (1024 * VGPU_MIB) /* what placements count in */

int vgpu_sriov_explain(const struct vgpu_vf *vf, const struct vgpu_type *type,
		       int r, struct vgpu_err *err)
{
	if (r == -EACCES || r == -EPERM || r == -EROFS)
		return vgpu_err_set(
			err, r, "Internal",
			"vgpud may not write to sysfs (%s): see \"GPUs with virtual functions\" in vgpud(8)",
			strerror(-r));
	return vgpu_err_set(err, r, "Internal",
			    "VF %u of %s cannot be given type %s: %s", vf->number,
			    vf->sriov->gpu->id, type->name, strerror(-r));
}

static int write_vfs(struct vgpu_sriov *sriov, size_t n)
{
	char text[24];

	snprintf(text, sizeof(text), "%zu", n);
	return vgpu_sysfs_write(sriov->manager->sysfs, text,
				"bus/pci/devices/%s/sriov_numvfs",
				sriov->gpu->id);
}

/* No driver of the host's is to take them before the one that is meant to. */
static int write_vfs_quietly(struct vgpu_sriov *sriov, size_t n)
{
	static const char path[] = "bus/pci/devices/%s/sriov_drivers_autoprobe";
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	uint64_t is_on = 0;
	int r;

	vgpu_sysfs_read_number(root, &is_on, path, pf);
	if (is_on)
		vgpu_sysfs_write(root, "0", path, pf);
	r = write_vfs(sriov, n);
	if (is_on)
		vgpu_sysfs_write(root, "1", path, pf);
	return r;
}

/* If none is. */
static int enable_vfs(struct vgpu_sriov *sriov, bool *has_enabled,
		      struct vgpu_err *err)
{
	bool is_denied;
	int r;

	if (sriov->vfs_enabled > 0)
		return 0;
	r = write_vfs_quietly(sriov, sriov->vf_count);
	is_denied = r == -EACCES || r == -EROFS;
	if (r < 0)
		return vgpu_err_set(
			err, r, is_denied ? "Internal" : "GpuUnusable",
			"the %zu VFs of %s cannot be enabled: %s%s",
			sriov->vf_count, sriov->gpu->id, strerror(-r),
			is_denied ? ": see \"GPUs with virtual functions\" in vgpud(8)"
				  : "; the kernel's log says more");
	*has_enabled = true;
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

	if (!vgpu_sriov_is_ready(sriov))
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its GPU %s cannot be used: %s", d->gpu,
				    instance->gpu->unusable);
	if (!vf)
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its GPU %s can have %zu VFs only, not %u",
				    d->gpu, sriov->vf_count, d->vf.number);
	if (vf->type && !vgpu_sriov_has_type(vf, instance))
		return vgpu_err_set(err, -EBUSY, "InUse",
				    "its VF %u of %s was given type %u by others",
				    vf->number, d->gpu, vf->type);
	if (!vf->type && !vgpu_sriov_type(sriov, sriov->backend->key(&d->type)))
		return vgpu_err_set(err, -EINVAL, "NoSuchType",
				    "%s has no type %s any more", d->gpu,
				    d->type.name);
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
		vgpu_instance_log(instance, "%s", err.text);
}

static int bind(struct vgpu_vf *vf, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vf->sriov;

	if (!vf->address[0])
		return vgpu_err_set(err, -ENODEV, "GpuUnusable",
				    "its VF %u is not enabled: %zu of %s's are",
				    vf->number, sriov->vfs_enabled,
				    sriov->gpu->id);
	if (sriov->backend->keeps_driver)
		return 0;
	return vgpu_vf_driver_bind(sriov->manager->sysfs, vf->address,
				   vgpu_sriov_vf_driver(sriov), err);
}

int vgpu_sriov_make(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	const struct vgpu_sriov_backend *backend = sriov->backend;
	struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);
	bool has_enabled = false, has_set = false;
	int r;

	r = check(instance, vf, err);
	if (r < 0)
		return r;
	if (!backend->is_set_before_enabling)
		r = enable_vfs(sriov, &has_enabled, err);
	if (r == 0 && !vf->type) {
		r = backend->set(sriov, vf, &instance->definition, err);
		has_set = r == 0;
	}
	if (r == 0)
		r = enable_vfs(sriov, &has_enabled, err);
	if (r == 0)
		r = bind(vf, err);
	if (r < 0 && has_set)
		backend->clear(sriov, vf, NULL);
	if (r < 0 && has_enabled && write_vfs(sriov, 0) == 0)
		sriov->vfs_enabled = 0;
	vgpu_sriov_read_vf(vf);
	if (r == 0)
		keep_placement(instance, vf);
	return r;
}

/* Choose the VF of one that had none. */
static int place(struct vgpu_instance *instance, struct vgpu_err *err)
{
	struct vgpu_definition next = instance->definition;
	int r = 0;

	if (next.is_stopped) {
		r = vgpu_capacity_place(instance->manager, instance->gpu, &next,
					err);
		next.is_stopped = false;
		if (r == 0)
			r = vgpu_store_save(&instance->manager->paths, &next,
					    err);
	}
	if (r < 0)
		return r;
	instance->definition = next;
	instance->is_placed = true;
	return 0;
}

static bool is_made(const struct vgpu_instance *instance)
{
	const struct vgpu_vf *vf = vgpu_sriov_vf_of(instance);

	return vf && vgpu_sriov_has_type(vf, instance);
}

void vgpu_sriov_begin(struct vgpu_instance *instance)
{
	struct vgpu_sriov *sriov = vgpu_sriov_of(instance->gpu);
	bool is_asked = instance->creator.ops;
	bool is_new = is_asked && !instance->is_kept;
	struct vgpu_err err = {};

	instance->lacks_vf = false;
	/* When it is there it is tried again. */
	instance->lacks_gpu = !vgpu_sriov_is_ready(sriov);
	/* One that no vgpud starts is there if its VF has kept its type. */
	if (!instance->is_wanted && !instance->lacks_gpu && !is_made(instance)) {
		vgpu_lifecycle_rest(instance);
		return;
	}
	if (place(instance, &err) < 0 || vgpu_sriov_make(instance, &err) < 0) {
		if (is_asked)
			instance->create_err = err;
		vgpu_lifecycle_fail(instance, "%s", err.text);
		return;
	}
	instance->timer = sd_event_source_disable_unref(instance->timer);
	instance->is_wanted = true;
	if (is_new)
		vgpu_instance_event_by(
			instance, vgpu_caller_uid(&instance->creator),
			"created", "a vGPU of type %s on VF %u of %s",
			instance->definition.type.name,
			instance->definition.vf.number, instance->definition.gpu);
	else
		vgpu_instance_event_by(
			instance, vgpu_caller_uid(&instance->creator),
			"started", "%s",
			instance->address[0] ? "what it failed for is over"
					     : "it was defined before");
	vgpu_lifecycle_answer(instance);
	vgpu_sriov_settle(instance);
	instance->manager->hooks->changed(instance->manager);
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
	    !vgpu_sriov_has_type(vf, instance))
		return 0; /* nothing of it is left there */
	if (vf->state == VGPU_VF_ACTIVE || vf->opener > 0)
		return refuse_use(vf, err);
	/*
	 * Without a type nobody can open one of vgpu_core's, so that unbinding
	 * its driver, which waits for who has it open, waits for nobody.
	 */
	r = sriov->backend->clear(sriov, vf, err);
	vgpu_sriov_read_vf(vf);
	if (r == 0 && vf->state == VGPU_VF_ACTIVE) {
		/* Of drivers that let it be opened without a type. */
		sriov->backend->set(sriov, vf, d, NULL);
		return refuse_use(vf, err);
	}
	if (r == 0 && vf->address[0] && !sriov->backend->keeps_driver)
		vgpu_vf_driver_unbind(sriov->manager->sysfs, vf->address,
				      vgpu_sriov_vf_driver(sriov));
	vgpu_sriov_read_vf(vf);
	return r;
}
