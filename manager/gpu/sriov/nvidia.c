/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VFs of NVIDIA's own driver (R550 and later on Linux 6.8 and later): each VF
 * has nvidia/creatable_vgpu_types, a list that is empty once it has a type, and
 * nvidia/current_vgpu_type. VFs are enabled by NVIDIA's sriov-manage, and stay
 * bound to its driver. Of a type its number and its name are known.
 */
#include <inttypes.h>
#include <string.h>

#include "lib/util.h"
#include "manager/host/json.h"
#include "manager/host/sysfs.h"
#include "manager/host/text.h"
#include "sriov.h"

#define PF	  "bus/pci/devices/%s"
#define VF	  PF "/virtfn%u/nvidia"
#define TYPES_MAX 256 /* GPUs have some 30 */
#define LIST_MAX  8192

/* "588  : NVIDIA A40-1Q": 0 and "" for a line that is none. */
static uint32_t parse_line(const char *line, char ret_name[VGPU_TYPE_NAME_MAX])
{
	const char *end = line + strcspn(line, "\n");
	char full[128] = "", *dash;
	unsigned int id = 0;
	int at = 0;

	ret_name[0] = '\0';
	if (sscanf(line, " %u : %n", &id, &at) != 1 || at == 0 ||
	    line + at >= end || (size_t)(end - line - at) >= sizeof(full))
		return 0;
	memcpy(full, line + at, (size_t)(end - line - at));
	full[strcspn(full, "\r")] = '\0';
	vgpu_text_make_printable(full);
	dash = strrchr(full, '-');
	if (!dash || !vgpu_text_copy(ret_name, VGPU_TYPE_NAME_MAX, dash + 1))
		snprintf(ret_name, VGPU_TYPE_NAME_MAX, "%u", id);
	return id;
}

/* What VF @number can be given now. */
static int read_list(const struct vgpu_sriov *sriov, uint32_t number,
		     char ret[LIST_MAX])
{
	vgpu_autoclose int fd = vgpu_sysfs_open(sriov->manager->sysfs,
						VF "/creatable_vgpu_types",
						sriov->gpu->id, number - 1);
	ssize_t n;

	if (fd < 0)
		return fd;
	n = pread(fd, ret, LIST_MAX - 1, 0);
	if (n < 0)
		return -errno;
	ret[n] = '\0';
	return 0;
}

static const char *next_line(const char *line)
{
	line += strcspn(line, "\n");
	return *line ? line + 1 : line;
}

static void add_type(struct vgpu_sriov *sriov, uint32_t id, const char *name)
{
	struct vgpu_type type = {.id = id, .series = '?', .weight = 100};
	struct vgpu_type *more;
	char series;
	uint32_t mib;

	if (vgpu_sriov_type(sriov, id) || sriov->type_count >= TYPES_MAX)
		return;
	VGPU_TEXT_SET(type.name, name);
	if (vgpu_type_parse_name(name, &series, &mib)) {
		type.series = series;
		type.framebuffer_mib = mib;
	}
	more = reallocarray(sriov->types, sriov->type_count + 1, sizeof(*more));
	if (!more)
		return;
	sriov->types = more;
	sriov->types[sriov->type_count++] = type;
}

/* Types that nothing can be made of now are not listed: those known stay. */
static void read_types(struct vgpu_sriov *sriov, uint64_t vfs)
{
	char list[LIST_MAX], name[VGPU_TYPE_NAME_MAX];

	for (uint32_t vf = 1; vf <= vfs; vf++) {
		if (read_list(sriov, vf, list) < 0)
			continue;
		for (const char *line = list; *line; line = next_line(line)) {
			uint32_t id = parse_line(line, name);

			if (id > 0)
				add_type(sriov, id, name);
		}
	}
}

static uint32_t nvidia_key(const struct vgpu_type *type)
{
	return type->id;
}

static void nvidia_describe(uint32_t key, struct vgpu_type *ret_type)
{
	*ret_type = (struct vgpu_type){.series = '?', .id = key};
	snprintf(ret_type->name, sizeof(ret_type->name), "%u", key);
}

static int nvidia_read_gpu(struct vgpu_sriov *sriov)
{
	struct vgpu_gpu *gpu = sriov->gpu;
	int root = sriov->manager->sysfs;
	uint64_t vfs = 0;
	char device[16];

	vgpu_sysfs_read_number(root, &vfs, PF "/sriov_numvfs", gpu->id);
	if (vfs == 0 || !vgpu_sysfs_exists(root, VF, gpu->id, 0))
		return -ENODEV;
	if (!gpu->name[0] && vgpu_sysfs_read(root, device, sizeof(device),
					     PF "/device", gpu->id) == 0)
		snprintf(gpu->name, sizeof(gpu->name), "NVIDIA GPU %s", device);
	if (!gpu->driver[0])
		VGPU_TEXT_SET(gpu->driver, "nvidia");
	gpu->unusable[0] = '\0';
	read_types(sriov, VGPU_MIN(vfs, VGPU_VF_MAX));
	/* The largest type has all of the GPU. */
	for (size_t i = 0; i < sriov->type_count; i++)
		gpu->framebuffer.size =
			VGPU_MAX(gpu->framebuffer.size,
				 sriov->types[i].framebuffer_mib * VGPU_MIB);
	sriov->is_mixed = true;
	return 0;
}

/* Whether it is open is not said. */
static int nvidia_read_vf(struct vgpu_sriov *sriov, struct vgpu_vf *vf)
{
	uint64_t type = 0;

	vgpu_sysfs_read_number(sriov->manager->sysfs, &type,
			       VF "/current_vgpu_type", sriov->gpu->id,
			       vf->number - 1);
	vf->type = type <= UINT32_MAX ? (uint32_t)type : 0;
	vf->placement = VGPU_PLACEMENT_ANY;
	vf->state = vf->type ? VGPU_VF_DEFINED : VGPU_VF_NONE;
	return 0;
}

/* On how many VFs one can be made; together they may not all fit. */
static uint64_t nvidia_count(struct vgpu_sriov *sriov,
			     const struct vgpu_type *type)
{
	char list[LIST_MAX], name[VGPU_TYPE_NAME_MAX];
	uint64_t n = 0;

	for (uint32_t vf = 1; vf <= sriov->vfs_enabled; vf++) {
		bool is_listed = false;

		if (read_list(sriov, vf, list) < 0)
			continue;
		for (const char *line = list; *line; line = next_line(line))
			is_listed |= parse_line(line, name) == type->id;
		n += is_listed;
	}
	return n;
}

static int write_type(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
		      uint32_t id)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", id);
	return vgpu_sysfs_write(sriov->manager->sysfs, text,
				VF "/current_vgpu_type", sriov->gpu->id,
				vf->number - 1);
}

static int nvidia_set(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		      const struct vgpu_definition *d, struct vgpu_err *err)
{
	int r = write_type(sriov, vf, d->type.id);

	if (r == -ENOSPC || r == -EINVAL)
		return vgpu_err_set(
			err, r, "NoRoom",
			"%s has no room for type %s beside the vGPUs that it has",
			sriov->gpu->id, d->type.name);
	return r < 0 ? vgpu_sriov_explain(vf, &d->type, r, err) : 0;
}

static int nvidia_clear(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
			struct vgpu_err *err)
{
	int r = write_type(sriov, vf, 0);

	if (r == -EBUSY)
		return vgpu_err_set(
			err, r, "InUse",
			"%s is open: shut its virtual machine down first; a virtual function cannot be taken away by force",
			vf->address);
	return r < 0 ? vgpu_err_set(
			       err, r, "Internal",
			       "the type of VF %u of %s cannot be taken back: %s",
			       vf->number, sriov->gpu->id, strerror(-r))
		     : 0;
}

static int nvidia_show_gpu(struct vgpu_sriov *sriov, sd_json_variant **json)
{
	return 0;
}

static int nvidia_show(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
		       sd_json_variant **json)
{
	return 0;
}

const struct vgpu_sriov_backend vgpu_sriov_nvidia_backend = {
	.folder = "virtfn0/nvidia",
	.vf_drivers = {"nvidia"},
	.keeps_driver = true,
	.key = nvidia_key,
	.describe = nvidia_describe,
	.read_gpu = nvidia_read_gpu,
	.read_vf = nvidia_read_vf,
	.count = nvidia_count,
	.set = nvidia_set,
	.clear = nvidia_clear,
	.show_gpu = nvidia_show_gpu,
	.show = nvidia_show,
};
