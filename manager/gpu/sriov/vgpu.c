/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFs of vgpu_core, or of nouveau with vgpu_nouveau:
 * docs/dev/abi/sysfs-vgpu-core and docs/dev/abi/sysfs-vgpu-manager.
 */
#include <inttypes.h>
#include <string.h>

#include "manager/host/json.h"
#include "lib/util.h"
#include "sriov.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"

#define PF   "bus/pci/devices/%s/vgpu"
#define TYPE PF "/types/%s"
#define VF   PF "/vf%u"

/* "NVIDIA L40S-8Q" is "8Q" here, unless another type is. */
static void name_type(const struct vgpu_sriov *sriov, struct vgpu_type *type,
		      const char *full_name)
{
	const char *dash = strrchr(full_name, '-');
	const char *name = dash ? dash + 1 : full_name;
	bool is_taken = !*name || strlen(name) >= sizeof(type->name);

	for (size_t i = 0; i < sriov->type_count && !is_taken; i++)
		is_taken = strcmp(sriov->types[i].name, name) == 0;
	if (is_taken)
		snprintf(type->name, sizeof(type->name), "%u", type->id);
	else
		VGPU_TEXT_SET(type->name, name);
}

/* The series is the name's last letter; else what the class is most often. */
static char series_of(const struct vgpu_type *type, const char *class)
{
	char last = type->name[strlen(type->name) - 1];

	if (strchr("QBAC", last))
		return last;
	if (strcmp(class, "Compute") == 0)
		return 'C';
	return strcmp(class, "NVS") == 0 ? 'B' : 'Q';
}

/* False where it makes no sense: then it is left out. */
static bool read_type(struct vgpu_sriov *sriov, const char *folder,
		      struct vgpu_type *ret_type)
{
	const char *pf = sriov->gpu->id;
	int root = sriov->manager->sysfs;
	uint64_t id, bytes, heads, width, height, limit, max;
	char name[128], class[32], text[16];
	struct vgpu_type type;

	id = strtoull(folder, NULL, 10);
	snprintf(text, sizeof(text), "%" PRIu64, id);
	if (id == 0 || id > UINT32_MAX || strcmp(text, folder) != 0 ||
	    vgpu_sysfs_read(root, name, sizeof(name), TYPE "/name", pf, folder) <
		    0 ||
	    vgpu_sysfs_read(root, class, sizeof(class), TYPE "/class", pf,
			    folder) < 0 ||
	    vgpu_sysfs_read_number(root, &bytes, TYPE "/framebuffer", pf,
				   folder) < 0 ||
	    vgpu_sysfs_read_number(root, &heads, TYPE "/heads", pf, folder) < 0 ||
	    vgpu_sysfs_read_number(root, &width, TYPE "/max_width", pf, folder) <
		    0 ||
	    vgpu_sysfs_read_number(root, &height, TYPE "/max_height", pf,
				   folder) < 0 ||
	    vgpu_sysfs_read_number(root, &limit, TYPE "/frame_rate_limit", pf,
				   folder) < 0 ||
	    vgpu_sysfs_read_number(root, &max, TYPE "/max_instances", pf,
				   folder) < 0)
		return false;
	if (bytes < VGPU_MIB || bytes / VGPU_MIB > VGPU_TYPE_FRAMEBUFFER_MIB_MAX ||
	    heads > VGPU_HEADS_MAX || width > UINT16_MAX ||
	    height > UINT16_MAX || limit > UINT16_MAX || max > VGPU_VF_MAX)
		return false;

	type = (struct vgpu_type){
		.framebuffer_mib = (uint32_t)(bytes / VGPU_MIB),
		.heads = (uint32_t)heads,
		.max_width = (uint32_t)width,
		.max_height = (uint32_t)height,
		.frame_rate_limit = (uint32_t)limit,
		.id = (uint32_t)id,
		.max_instances = (uint32_t)max,
	};
	name_type(sriov, &type, name);
	type.series = series_of(&type, class);
	*ret_type = type;
	return true;
}

/* As lib/type.h sorts a catalogue: by series, then by framebuffer. */
static int compare_types(const void *a, const void *b)
{
	static const char order[] = "QBAC";
	const struct vgpu_type *one = a, *other = b;

	if (one->series != other->series)
		return strchr(order, one->series) < strchr(order, other->series)
			       ? -1
			       : 1;
	if (one->framebuffer_mib != other->framebuffer_mib)
		return one->framebuffer_mib < other->framebuffer_mib ? -1 : 1;
	return one->id < other->id ? -1 : one->id > other->id;
}

static int read_types(struct vgpu_sriov *sriov)
{
	vgpu_autofree char(*names)[VGPU_SYSFS_NAME_SIZE] = NULL;
	size_t count;
	int r;

	r = vgpu_sysfs_list(sriov->manager->sysfs, &names, &count, PF "/types",
			    sriov->gpu->id);
	if (r < 0)
		return r;
	free(sriov->types);
	sriov->types = calloc(count + 1, sizeof(*sriov->types));
	for (size_t i = 0; sriov->types && i < count; i++)
		sriov->type_count += read_type(sriov, names[i],
					       &sriov->types[sriov->type_count]);
	if (!sriov->types)
		return -ENOMEM;
	qsort(sriov->types, sriov->type_count, sizeof(*sriov->types),
	      compare_types);
	return 0;
}

static uint32_t vgpu_key(const struct vgpu_type *type)
{
	return type->id;
}

static void vgpu_describe(uint32_t key, struct vgpu_type *ret_type)
{
	*ret_type = (struct vgpu_type){.series = '?', .id = key};
	snprintf(ret_type->name, sizeof(ret_type->name), "%u", key);
}

static int vgpu_read_gpu(struct vgpu_sriov *sriov)
{
	int root = sriov->manager->sysfs;
	struct vgpu_gpu *gpu = sriov->gpu;
	uint64_t total = 0, reserved = 0, host = 0;
	char state[sizeof(gpu->unusable)], version[32], mode[32], driver[32];
	int r;

	r = vgpu_sysfs_read(root, state, sizeof(state), PF "/state", gpu->id);
	if (r < 0)
		return r;
	vgpu_sysfs_read_number(root, &total, PF "/framebuffer_total", gpu->id);
	vgpu_sysfs_read_number(root, &reserved, PF "/framebuffer_reserved",
			       gpu->id);
	vgpu_sysfs_read_number(root, &host, PF "/framebuffer_host", gpu->id);
	if (vgpu_sysfs_read(root, version, sizeof(version),
			    PF "/firmware_version", gpu->id) < 0)
		VGPU_TEXT_SET(version, "?");
	if (vgpu_sysfs_read(root, gpu->name, sizeof(gpu->name), PF "/name",
			    gpu->id) < 0)
		VGPU_TEXT_SET(gpu->name, "?");
	if (vgpu_sysfs_read_link(root, driver, sizeof(driver),
				 "bus/pci/devices/%s/driver", gpu->id) < 0)
		VGPU_TEXT_SET(driver, "?");
	snprintf(gpu->driver, sizeof(gpu->driver), "%s, firmware %s", driver,
		 version);
	gpu->memory_mib = total / VGPU_MIB;
	gpu->framebuffer.size = total - VGPU_MIN(total, reserved);
	gpu->framebuffer.size -= VGPU_MIN(gpu->framebuffer.size, host);

	gpu->unusable[0] = '\0';
	if (strcmp(state, "ready") != 0)
		VGPU_TEXT_SET(gpu->unusable, state);
	else if (sriov->type_count == 0 && read_types(sriov) < 0)
		VGPU_TEXT_SET(
			gpu->unusable,
			"its driver offers no types: was it loaded with vgpu=0?");
	sriov->is_mixed = vgpu_sysfs_read_choice(root, mode, sizeof(mode),
						 PF "/placement", gpu->id) == 0 &&
			  strcmp(mode, "heterogeneous") == 0;
	return 0;
}

static void read_state(const struct vgpu_sriov *sriov, struct vgpu_vf *vf)
{
	char state[sizeof(vf->failure) + 16];
	const char *reason;

	vf->state = vf->type ? VGPU_VF_DEFINED : VGPU_VF_NONE;
	if (vgpu_sysfs_read(sriov->manager->sysfs, state, sizeof(state),
			    VF "/state", sriov->gpu->id, vf->number) < 0)
		return;
	if (strcmp(state, "active") == 0) {
		vf->state = VGPU_VF_ACTIVE;
	} else if (strncmp(state, "failed", 6) == 0) {
		reason = state + 6 + strspn(state + 6, ": ");
		vf->state = VGPU_VF_FAILED;
		VGPU_TEXT_SET(vf->failure, *reason ? reason : "no reason given");
	}
}

/* An older vgpu_core has no such files. */
static void read_errors(const struct vgpu_sriov *sriov, struct vgpu_vf *vf)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;

	if (!vf->type)
		return;
	if (vgpu_sysfs_read_number(root, &vf->channel_errors,
				   VF "/channel_errors", pf, vf->number) < 0)
		vf->channel_errors = 0;
	if (vgpu_sysfs_read_number(root, &vf->error_messages,
				   VF "/error_messages", pf, vf->number) < 0)
		vf->error_messages = 0;
}

static int vgpu_read_vf(struct vgpu_sriov *sriov, struct vgpu_vf *vf)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	uint64_t number;
	int r;

	r = vgpu_sysfs_read_number(root, &number, VF "/type", pf, vf->number);
	if (r < 0)
		return r;
	vf->type = number > UINT32_MAX ? UINT32_MAX : (uint32_t)number;
	vf->placement = VGPU_PLACEMENT_ANY;
	if (vf->type && vgpu_sysfs_read_number(root, &number, VF "/placement",
					       pf, vf->number) == 0)
		vf->placement = (uint32_t)VGPU_MIN(number, VGPU_PLACEMENT_ANY);

	read_state(sriov, vf);
	read_errors(sriov, vf);
	vf->opener = 0;
	if (vf->state != VGPU_VF_ACTIVE && vf->state != VGPU_VF_FAILED)
		return 0;
	if (vgpu_sysfs_read_number(root, &number, VF "/opener_pid", pf,
				   vf->number) == 0)
		vf->opener = (pid_t)VGPU_MIN(number, (uint64_t)INT32_MAX);
	return 0;
}

static uint64_t vgpu_count(struct vgpu_sriov *sriov, const struct vgpu_type *type)
{
	uint64_t n;

	if (vgpu_sysfs_read_number(sriov->manager->sysfs, &n,
				   PF "/types/%u/available_instances",
				   sriov->gpu->id, type->id) < 0)
		return 0;
	return n;
}

static int write_placement(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
			   uint32_t placement)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", placement);
	return vgpu_sysfs_write(sriov->manager->sysfs,
				placement == VGPU_PLACEMENT_ANY ? "auto" : text,
				VF "/placement", sriov->gpu->id, vf->number);
}

/* What the guest's driver shows; an older vgpu_core has no such file. */
static int write_uuid(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		      const char *uuid)
{
	int r = vgpu_sysfs_write(sriov->manager->sysfs, uuid, VF "/uuid",
				 sriov->gpu->id, vf->number);

	return r == -ENOENT ? 0 : r;
}

static int write_type(struct vgpu_sriov *sriov, struct vgpu_vf *vf, uint32_t id)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", id);
	return vgpu_sysfs_write(sriov->manager->sysfs, text, VF "/type",
				sriov->gpu->id, vf->number);
}

/* Each errno of the ABI has one meaning. */
static int explain_type(const struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
			const struct vgpu_definition *d, int r,
			struct vgpu_err *err)
{
	const char *gpu = sriov->gpu->id;
	const struct vgpu_type *type = &d->type;

	switch (r) {
	case -EBUSY:
		return vgpu_err_set(
			err, r, "InUse",
			"VF %u of %s is in use, or was given another type",
			vf->number, gpu);
	case -EINVAL:
		if (d->vf.is_pinned)
			return vgpu_err_set(
				err, r, "BadPlacement",
				"type %s cannot be at placement %u of %s, or does not go with the types that its other VFs have",
				type->name, d->vf.placement, gpu);
		return vgpu_err_set(
			err, r, "NoRoom",
			"type %s does not go with the types that other VFs of %s have: its placement is %s",
			type->name, gpu,
			sriov->is_mixed ? "heterogeneous" : "homogeneous");
	case -ENOSPC:
		return vgpu_err_set(
			err, r, "NoRoom", "%s has no room for type %s%s", gpu,
			type->name, d->vf.is_pinned ? " at that placement" : "");
	case -ENODEV:
	case -ENOENT:
		return vgpu_err_set(err, r, "GpuUnusable",
				    "%s is not ready, or its driver is gone",
				    gpu);
	default:
		return vgpu_sriov_explain(vf, type, r, err);
	}
}

/* The GPU's mode is forgotten with its driver, and types of vGPUs need it. */
static void make_mixed(struct vgpu_sriov *sriov)
{
	for (size_t i = 0; i < sriov->vf_count; i++)
		if (sriov->vfs[i].type)
			return;
	if (vgpu_sysfs_write(sriov->manager->sysfs, "heterogeneous",
			     PF "/placement", sriov->gpu->id) == 0)
		sriov->is_mixed = true;
}

static int vgpu_set(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		    const struct vgpu_definition *d, struct vgpu_err *err)
{
	bool is_auto = d->vf.placement == VGPU_PLACEMENT_ANY;
	int r;

	if (d->vf.is_mixed && !sriov->is_mixed)
		make_mixed(sriov);
	r = write_uuid(sriov, vf, d->uuid);
	if (r < 0)
		return explain_type(sriov, vf, d, r, err);
	r = write_placement(sriov, vf, d->vf.placement);
	if (r == 0 || !d->vf.is_pinned)
		r = write_type(sriov, vf, d->type.id);
	if (r < 0 && !is_auto) {
		/* The VF is left as it was, or where it was is taken now. */
		write_placement(sriov, vf, VGPU_PLACEMENT_ANY);
		if (!d->vf.is_pinned)
			r = write_type(sriov, vf, d->type.id);
	}
	if (r == 0)
		return 0;
	write_uuid(sriov, vf, "none");
	return explain_type(sriov, vf, d, r, err);
}

static int vgpu_clear(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		      struct vgpu_err *err)
{
	int r = write_type(sriov, vf, 0);

	if (r == -EBUSY)
		return vgpu_err_set(
			err, r, "InUse",
			"VF %u of %s is in use%s: end what uses it first",
			vf->number, sriov->gpu->id,
			vf->opener > 0 ? " by a virtual machine" : "");
	if (r < 0)
		return vgpu_err_set(
			err, r, "Internal",
			"the type of VF %u of %s cannot be taken back: %s",
			vf->number, sriov->gpu->id, strerror(-r));
	write_placement(sriov, vf, VGPU_PLACEMENT_ANY);
	return 0;
}

static int vgpu_show_gpu_more(struct vgpu_sriov *sriov, sd_json_variant **json)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	char chip[32] = "", placement[32] = "", scheduler[32] = "";

	vgpu_sysfs_read(root, chip, sizeof(chip), PF "/chip", pf);
	vgpu_sysfs_read_choice(root, placement, sizeof(placement),
			       PF "/placement", pf);
	vgpu_sysfs_read_choice(root, scheduler, sizeof(scheduler),
			       PF "/scheduler/policy", pf);
	return sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_CONDITION(chip[0], "chip",
					     SD_JSON_BUILD_STRING(chip)),
		SD_JSON_BUILD_PAIR_CONDITION(placement[0], "placement",
					     SD_JSON_BUILD_STRING(placement)),
		SD_JSON_BUILD_PAIR_CONDITION(scheduler[0], "scheduler",
					     SD_JSON_BUILD_STRING(scheduler)));
}

/* Those that the driver tells of: it may be an older one. */
static int show_engines(const struct vgpu_sriov *sriov,
			const struct vgpu_vf *vf, sd_json_variant **json)
{
	static const struct {
		const char *file, *field;
	} engines[] = {
		{"graphics_ns", "graphicsNs"},
		{"encoder_ns", "encoderNs"},
		{"decoder_ns", "decoderNs"},
	};
	uint64_t ns;
	int r = 0;

	for (size_t i = 0; r >= 0 && i < VGPU_ARRAY_SIZE(engines); i++)
		if (vgpu_sysfs_read_number(sriov->manager->sysfs, &ns, VF "/%s",
					   sriov->gpu->id, vf->number,
					   engines[i].file) == 0)
			r = sd_json_variant_set_field_unsigned(
				json, engines[i].field,
				VGPU_MIN(ns, (uint64_t)INT64_MAX));
	return r;
}

static int vgpu_show_more(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
			  sd_json_variant **json)
{
	int root = sriov->manager->sysfs;
	const char *pf = sriov->gpu->id;
	uint64_t used = 0;
	char driver[16] = "";
	int r;

	/* The firmware is asked for it: only where a person asks for that. */
	if (vf->state == VGPU_VF_ACTIVE) {
		vgpu_sysfs_read_number(root, &used, VF "/framebuffer_used", pf,
				       vf->number);
		vgpu_sysfs_read(root, driver, sizeof(driver),
				VF "/guest_driver", pf, vf->number);
	}
	r = sd_json_variant_merge_objectbo(
		json,
		SD_JSON_BUILD_PAIR_UNSIGNED("usedBytes",
					    VGPU_MIN(used, (uint64_t)INT64_MAX)),
		SD_JSON_BUILD_PAIR_CONDITION(
			vf->placement != VGPU_PLACEMENT_ANY, "placement",
			SD_JSON_BUILD_UNSIGNED(vf->placement)),
		SD_JSON_BUILD_PAIR_CONDITION(driver[0], "guestDriver",
					     SD_JSON_BUILD_STRING(driver)));
	return r < 0 ? r : show_engines(sriov, vf, json);
}

const struct vgpu_sriov_backend vgpu_sriov_vgpu_backend = {
	.folder = "vgpu",
	.vf_drivers = {"vgpu_vfio_pci"},
	.watched = "vgpu/vf%u/state",
	.has_placements = true,
	.key = vgpu_key,
	.describe = vgpu_describe,
	.read_gpu = vgpu_read_gpu,
	.read_vf = vgpu_read_vf,
	.count = vgpu_count,
	.set = vgpu_set,
	.clear = vgpu_clear,
	.show_gpu = vgpu_show_gpu_more,
	.show = vgpu_show_more,
};
