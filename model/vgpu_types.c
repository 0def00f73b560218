// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * vGPU types as the firmware is told of them, and what it checks a new vGPU by.
 * OGK src/common/sdk/nvidia/inc/ctrl/ctrla081.h (NVA081_CTRL_VGPU_INFO, 5224
 * bytes) and ctrl2080/ctrl2080vgpumgrinternal.h (tag 570.144). Real types are
 * signed, and the signatures NVIDIA's: they are not looked at.
 */
#include "model/vgpu.h"

#define TYPES_DISCARD 0
#define TYPES_COUNT   4
#define TYPES_AT      8

#define INFO_BYTES	  5224
#define INFO_ID		  0
#define INFO_NAME	  4
#define INFO_CLASS	  36
#define INFO_NAME_BYTES	  32
#define INFO_MAX_INSTANCE 324
#define INFO_ECC	  352
#define INFO_GUEST_ID	  368
#define INFO_PROFILE	  384
#define INFO_FB		  392
#define INFO_HEAP	  400
#define INFO_BAR1_MIB	  432

#define INSTANCES_MAX 32

const struct vgpu_type *model_vgpu_type(GpuModel *m, uint32_t id)
{
	unsigned int i;

	for (i = 0; i < m->vgpu_type_count; i++)
		if (m->vgpu_type[i].id == id)
			return &m->vgpu_type[i];
	return NULL;
}

static bool is_text(const uint8_t *p)
{
	return *p && memchr(p, 0, INFO_NAME_BYTES);
}

static const char *read_type(const uint8_t *info, struct vgpu_type *type)
{
	uint64_t bar1_mib = ldq_le_p(info + INFO_BAR1_MIB);

	*type = (struct vgpu_type){
		.id = get32(info + INFO_ID),
		.max_instance = get32(info + INFO_MAX_INSTANCE),
		.ecc = get32(info + INFO_ECC),
		.profile = ldq_le_p(info + INFO_PROFILE),
		.fb = ldq_le_p(info + INFO_FB),
		.heap = ldq_le_p(info + INFO_HEAP),
	};
	if (!type->id)
		return "it has no number";
	if (!is_text(info + INFO_NAME) || !is_text(info + INFO_CLASS))
		return "it has no name, or no class";
	if (!type->max_instance || type->max_instance > INSTANCES_MAX)
		return "there are 1 to 32 of a type";
	if (!(get32(info + INFO_GUEST_ID) >> 16))
		return "a guest would see no PCI id";
	if (!type->profile || !type->fb || type->fb > type->profile ||
	    type->fb % MiB)
		return "its framebuffer is none, or more than its part";
	if (!type->heap || type->heap % VGPU_PAGE)
		return "its task's heap is none, or not of whole pages";
	if (!is_power_of_2(bar1_mib))
		return "its BAR1 is not a power of two";
	g_strlcpy(type->name, (const char *)info + INFO_NAME, INFO_NAME_BYTES);
	return NULL;
}

/* All of them, or none. */
uint32_t model_vgpu_add_types(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params)
{
	bool discard = params[TYPES_DISCARD];
	uint32_t count = get32(params + TYPES_COUNT), i, j;
	uint32_t had = discard ? 0 : m->vgpu_type_count;
	g_autofree struct vgpu_type *type =
		g_new0(struct vgpu_type, VGPU_TYPES_MAX);

	if (discard && model_vgpu_any(m))
		return NV_ERR_INVALID_STATE;
	if (count > VGPU_TYPES_MAX - had)
		return NV_ERR_INVALID_ARGUMENT;
	memcpy(type, m->vgpu_type, had * sizeof(*type));
	for (i = 0; i < count; i++) {
		const char *why = read_type(params + TYPES_AT + i * INFO_BYTES,
					    &type[had + i]);

		for (j = 0; !why && j < had + i; j++)
			if (type[j].id == type[had + i].id)
				why = "its number is another one's";
		if (why) {
			model_refuse(m, "vgpu", "type %u of %u: %s", i, count,
				     why);
			return NV_ERR_INVALID_ARGUMENT;
		}
	}
	memcpy(m->vgpu_type, type, (had + count) * sizeof(*type));
	m->vgpu_type_count = had + count;
	model_log(m, "vgpu", "%u vGPU types", m->vgpu_type_count);
	return NV_OK;
}

/* How vGPUs may be beside each other; only the driver knows the places. */
const char *model_vgpu_check_type(GpuModel *m, const struct vgpu *v)
{
	const struct vgpu_type *type = model_vgpu_type(m, v->type), *other;
	uint32_t count = 0;
	unsigned int i;

	/* The driver of NVIDIA's patches says it with the configuration only. */
	if (!v->type)
		return NULL;
	if (!type)
		return "there is no such type";
	if (v->fb_total > ROUND_UP(type->fb, VMMU_SEGMENT))
		return "its framebuffer is more than its type has";
	if (v->heap_bytes < type->heap)
		return "its heap is less than its type has";
	if (m->ecc && !type->ecc)
		return "its type is not to be had with ECC";
	for (i = 0; i < SRIOV_TOTAL_VFS; i++) {
		const struct vgpu *o = &m->vgpu[i];

		other = o == v || o->state == VGPU_NONE
				? NULL
				: model_vgpu_type(m, o->type);
		if (!other)
			continue;
		count += other == type;
		if (!m->vgpu_heterogeneous && other->profile != type->profile)
			return "its type goes not with those that there are";
	}
	if (count >= type->max_instance)
		return "there are as many of its type as there may be";
	return NULL;
}

/* NvBool: types that differ in size may be beside each other. */
uint32_t model_vgpu_set_heterogeneous(GpuModel *m, const struct rm_ref *who,
				      uint8_t *params)
{
	bool wanted = params[0];

	if (wanted == m->vgpu_heterogeneous)
		return NV_OK;
	if (model_vgpu_any(m))
		return NV_ERR_INVALID_STATE;
	if (wanted && m->vgpu_policy == VGPU_FIXED_SHARE)
		return NV_ERR_INVALID_STATE;
	m->vgpu_heterogeneous = wanted;
	model_log(m, "vgpu", "types %s", wanted ? "mix" : "are of one size");
	return NV_OK;
}
