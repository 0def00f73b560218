/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFs of Intel's xe: sysfs-driver-intel-xe-sriov of the kernel's documentation.
 *
 * xe has no types: a VF has as much VRAM as is written to its vram_quota. The
 * types are those of the types file, and the VF's is known by its size.
 */
#include <inttypes.h>
#include <string.h>

#include "manager/host/json.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "sriov.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "vf_driver.h"

#define PF	"bus/pci/devices/%s"
#define PROFILE PF "/sriov_admin/vf%u/profile"

#define TILES_MAX 8 /* the most that a GPU of xe's has is 2 */
/*
 * A type's weight as time: 2 ms for 100, so that the smallest type has what is
 * usual for a time slice, and larger ones as much more as they weigh. A VF that
 * does not yield is preempted after as long again.
 */
#define QUANTUM_MS(weight) (((weight) + 49) / 50)

static uint32_t xe_key(const struct vgpu_type *type)
{
	return type->framebuffer_mib;
}

static void xe_describe(uint32_t key, struct vgpu_type *ret_type)
{
	*ret_type = (struct vgpu_type){.series = '?', .framebuffer_mib = key};
	snprintf(ret_type->name, sizeof(ret_type->name), "%uM", key);
}

static uint64_t read_vram(const struct vgpu_sriov *sriov)
{
	uint64_t sum = 0, bytes;

	for (unsigned int i = 0; i < TILES_MAX; i++)
		if (vgpu_sysfs_read_number(sriov->manager->sysfs, &bytes,
					   PF "/tile%u/physical_vram_size_bytes",
					   sriov->gpu->id, i) == 0 &&
		    !vgpu_checked_add(sum, bytes, &sum))
			return 0;
	return sum;
}

static int take_types(struct vgpu_sriov *sriov)
{
	const struct vgpu_types *types = sriov->manager->catalogue.types;
	uint64_t total_mib = sriov->gpu->framebuffer.size / VGPU_MIB;

	free(sriov->types);
	sriov->type_count = 0;
	sriov->types = calloc(vgpu_types_count(types) + 1, sizeof(*sriov->types));
	if (!sriov->types)
		return -ENOMEM;
	for (size_t i = 0; i < vgpu_types_count(types); i++) {
		struct vgpu_type type = *vgpu_types_at(types, i);

		if (type.framebuffer_mib > total_mib)
			continue;
		type.max_instances = (uint32_t)VGPU_MIN(
			total_mib / type.framebuffer_mib, VGPU_VF_MAX);
		sriov->types[sriov->type_count++] = type;
	}
	return 0;
}

static int xe_read_gpu(struct vgpu_sriov *sriov)
{
	int root = sriov->manager->sysfs;
	struct vgpu_gpu *gpu = sriov->gpu;
	char device[16];
	uint64_t vram;

	if (!vgpu_sysfs_exists(root, PF "/sriov_admin", gpu->id))
		return -ENODEV;
	/* What a Vulkan driver says of it is better known. */
	if (!gpu->name[0] && vgpu_sysfs_read(root, device, sizeof(device),
					     PF "/device", gpu->id) == 0)
		snprintf(gpu->name, sizeof(gpu->name), "Intel GPU %s", device);
	if (!gpu->driver[0])
		VGPU_TEXT_SET(gpu->driver, "xe");
	vram = read_vram(sriov);
	if (vram > 0)
		gpu->memory_mib = vram / VGPU_MIB;
	gpu->framebuffer.size = vram;

	gpu->unusable[0] = '\0';
	if (vram == 0 ||
	    !vgpu_sysfs_exists(root, PROFILE "/vram_quota", gpu->id, 1))
		VGPU_TEXT_SET(
			gpu->unusable,
			"xe does not let its VFs' VRAM be set: it has none, or the kernel is older than 7.0");
	sriov->is_mixed = true;
	return take_types(sriov);
}

/* A driver for VFIO enables the device for as long as it is open. */
static bool is_open(const struct vgpu_sriov *sriov, const struct vgpu_vf *vf)
{
	uint64_t enabled = 0;
	char bound[32];

	return vf->address[0] &&
	       !vgpu_vf_driver_is_other(sriov->manager->sysfs, vf->address,
					vgpu_sriov_vf_driver(sriov), bound) &&
	       bound[0] &&
	       vgpu_sysfs_read_number(sriov->manager->sysfs, &enabled,
				      PF "/enable", vf->address) == 0 &&
	       enabled > 0;
}

static int xe_read_vf(struct vgpu_sriov *sriov, struct vgpu_vf *vf)
{
	uint64_t quota;

	vf->type = 0;
	vf->placement = VGPU_PLACEMENT_ANY;
	if (vgpu_sysfs_read_number(sriov->manager->sysfs, &quota,
				   PROFILE "/vram_quota", sriov->gpu->id,
				   vf->number) == 0)
		vf->type = (uint32_t)VGPU_MIN(quota / VGPU_MIB,
					      VGPU_TYPE_FRAMEBUFFER_MIB_MAX);
	vf->state = vf->type ? VGPU_VF_DEFINED : VGPU_VF_NONE;
	if (is_open(sriov, vf))
		vf->state = VGPU_VF_ACTIVE;
	return 0;
}

static uint64_t xe_count(struct vgpu_sriov *sriov, const struct vgpu_type *type)
{
	uint64_t free_mib = sriov->gpu->framebuffer.size / VGPU_MIB;

	for (size_t i = 0; i < sriov->vf_count; i++)
		free_mib -= VGPU_MIN(free_mib, sriov->vfs[i].type);
	return free_mib / type->framebuffer_mib;
}

static int write_number(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
			uint64_t value, const char *name)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return vgpu_sysfs_write(sriov->manager->sysfs, text, PROFILE "/%s",
				sriov->gpu->id, vf->number, name);
}

/* Not all of xe's GPUs have these; without them VFs take turns all the same. */
static void write_shares(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
			 const struct vgpu_type *type)
{
	uint64_t quantum_ms = QUANTUM_MS((uint64_t)type->weight);
	int r;

	r = write_number(sriov, vf, quantum_ms, "exec_quantum_ms");
	if (r == 0)
		r = write_number(sriov, vf, quantum_ms * 1000,
				 "preempt_timeout_us");
	if (r < 0)
		vgpu_log("%s: VF %u has its driver's share of time: %s",
			 sriov->gpu->id, vf->number, strerror(-r));
}

static int explain_quota(const struct vgpu_sriov *sriov,
			 const struct vgpu_vf *vf, const struct vgpu_type *type,
			 int r, struct vgpu_err *err)
{
	const char *gpu = sriov->gpu->id;

	switch (r) {
	case -EIO:
	case -ENOSPC:
	case -ENOMEM:
		return vgpu_err_set(
			err, r, "NoRoom",
			"%s has no room for type %s: its firmware refuses %u MiB (%s)",
			gpu, type->name, type->framebuffer_mib, strerror(-r));
	case -EPERM:
	case -ENOENT:
	case -ENODEV:
		return vgpu_err_set(err, r, "GpuUnusable",
				    "the VRAM of VF %u of %s cannot be set: %s",
				    vf->number, gpu, strerror(-r));
	default:
		return vgpu_sriov_explain(vf, type, r, err);
	}
}

static int xe_set(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		  const struct vgpu_definition *d, struct vgpu_err *err)
{
	int r;

	r = write_number(sriov, vf, d->type.framebuffer_mib * VGPU_MIB,
			 "vram_quota");
	if (r < 0)
		return explain_quota(sriov, vf, &d->type, r, err);
	write_shares(sriov, vf, &d->type);
	return 0;
}

static int xe_clear(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		    struct vgpu_err *err)
{
	int r = write_number(sriov, vf, 0, "vram_quota");

	if (r < 0)
		return vgpu_err_set(
			err, r, "Internal",
			"the VRAM of VF %u of %s cannot be taken back: %s",
			vf->number, sriov->gpu->id, strerror(-r));
	write_number(sriov, vf, 0, "exec_quantum_ms");
	write_number(sriov, vf, 0, "preempt_timeout_us");
	return 0;
}

static int xe_show_gpu(struct vgpu_sriov *sriov, sd_json_variant **json)
{
	return 0;
}

static int xe_show(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
		   sd_json_variant **json)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	uint64_t quantum = 0, timeout = 0;
	char priority[16] = "";
	bool has_shares;

	has_shares = vgpu_sysfs_read_number(root, &quantum,
					    PROFILE "/exec_quantum_ms", pf,
					    vf->number) == 0 &&
		     vgpu_sysfs_read_number(root, &timeout,
					    PROFILE "/preempt_timeout_us", pf,
					    vf->number) == 0;
	vgpu_sysfs_read_choice(root, priority, sizeof(priority),
			       PROFILE "/sched_priority", pf, vf->number);
	return sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(has_shares, "execQuantumMs",
					     SD_JSON_BUILD_UNSIGNED(quantum)),
		SD_JSON_BUILD_PAIR_CONDITION(has_shares, "preemptTimeoutUs",
					     SD_JSON_BUILD_UNSIGNED(timeout)),
		SD_JSON_BUILD_PAIR_CONDITION(priority[0], "schedulingPriority",
					     SD_JSON_BUILD_STRING(priority)));
}

const struct vgpu_sriov_backend vgpu_sriov_xe_backend = {
	.folder = "sriov_admin",
	.vf_drivers = {"xe-vfio-pci", "vfio-pci"},
	/* Else xe divides all of its VRAM among those that are enabled. */
	.is_set_before_enabling = true,
	.key = xe_key,
	.describe = xe_describe,
	.read_gpu = xe_read_gpu,
	.read_vf = xe_read_vf,
	.count = xe_count,
	.set = xe_set,
	.clear = xe_clear,
	.show_gpu = xe_show_gpu,
	.show = xe_show,
};
