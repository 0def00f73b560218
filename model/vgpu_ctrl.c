// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the firmware tells of its vGPUs, and how they share the engines' time.
 * OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/ctrl2080vgpumgrinternal.h,
 * ctrl2080fifo.h (tag 570.144). The limits of the scheduler are the model's
 * own: the firmware tells them, and no header has them. 0 is the firmware's
 * choice, as in NVML's nvmlVgpuSchedulerSetParams_t.
 */
#include "model/vgpu.h"
#include "model/engines.h"

/* NV2080_VGPU_GUEST, and in it NV2080_HOST_VGPU_DEVICE from 104. */
#define GUESTS_AT      8
#define GUEST_BYTES    152
#define GUEST_VM_PID   0
#define GUEST_OS       4
#define GUEST_STATE    100
#define GUEST_GFID     104
#define GUEST_PCI_ID   112
#define GUEST_INSTANCE 120
#define GUEST_FB_USED  128
#define GUEST_ENCODER  136
#define GUEST_ECC      140
#define GUEST_DRIVER   144
#define ECC_DISABLED   2
#define ECC_ENABLED    3
#define USAGE_AT       8
#define USAGE_BYTES    16
#define USAGE_FB_USED  8

static bool is_there(const struct vgpu *v)
{
	return v->state == VGPU_UP;
}

/* A list of the vGPUs that there are: their number, then an entry for each. */
static uint32_t list(GpuModel *m, uint8_t *params, uint32_t at, uint32_t bytes,
		     void (*put)(GpuModel *m, uint32_t gfid, uint8_t *entry))
{
	uint32_t gfid, count = 0;

	memset(params, 0, at + SRIOV_TOTAL_VFS * bytes);
	for (gfid = 1; gfid <= SRIOV_TOTAL_VFS; gfid++)
		if (is_there(model_vgpu_of(m, gfid)))
			put(m, gfid, params + at + count++ * bytes);
	stl_le_p(params, count);
	return NV_OK;
}

static void put_guest(GpuModel *m, uint32_t gfid, uint8_t *guest)
{
	const struct vgpu *v = model_vgpu_of(m, gfid);

	stl_le_p(guest + GUEST_VM_PID, v->vm_pid);
	stl_le_p(guest + GUEST_OS, v->guest.os);
	stl_le_p(guest + GUEST_STATE, v->guest.driver_loaded);
	stl_le_p(guest + GUEST_GFID, gfid);
	stq_le_p(guest + GUEST_PCI_ID, v->dbdf);
	stl_le_p(guest + GUEST_INSTANCE, v->instance);
	stq_le_p(guest + GUEST_FB_USED, v->guest.fb_used);
	stl_le_p(guest + GUEST_ENCODER, v->encoder);
	stl_le_p(guest + GUEST_ECC, m->ecc ? ECC_ENABLED : ECC_DISABLED);
	guest[GUEST_DRIVER] = v->guest.driver_loaded;
}

uint32_t model_vgpu_enumerate(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params)
{
	return list(m, params, GUESTS_AT, GUEST_BYTES, put_guest);
}

static void put_usage(GpuModel *m, uint32_t gfid, uint8_t *usage)
{
	stl_le_p(usage, gfid);
	stq_le_p(usage + USAGE_FB_USED, model_vgpu_of(m, gfid)->guest.fb_used);
}

uint32_t model_vgpu_fb_usage(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	return list(m, params, USAGE_AT, USAGE_BYTES, put_usage);
}

uint32_t model_vgpu_clear_guest(GpuModel *m, const struct rm_ref *who,
				uint8_t *params)
{
	struct vgpu *v = model_vgpu_of(m, get32(params));

	if (!v || !is_there(v))
		return NV_ERR_OBJECT_NOT_FOUND;
	model_vgpu_forget_guest(m, get32(params));
	return NV_OK;
}

uint32_t model_vgpu_set_encoder(GpuModel *m, const struct rm_ref *who,
				uint8_t *params)
{
	struct vgpu *v = model_vgpu_of(m, get32(params));

	if (!v || !is_there(v))
		return NV_ERR_OBJECT_NOT_FOUND;
	if (get32(params + 4) > VGPU_ENCODER_WHOLE)
		return NV_ERR_INVALID_ARGUMENT;
	v->encoder = get32(params + 4);
	return NV_OK;
}

uint32_t model_vgpu_migration_support(GpuModel *m, const struct rm_ref *who,
				      uint8_t *params)
{
	params[0] = m->vgpu_migration;
	return NV_OK;
}

#define SLICE_MIN_NS	    (1 * SCALE_MS)
#define SLICE_MAX_NS	    (30 * SCALE_MS)
#define SLICE_FEW_NS	    (2 * SCALE_MS) /* the firmware's choice, to 8 vGPUs */
#define FEW		    8
#define ARR_FREQUENCY_MIN   63
#define ARR_FREQUENCY_MAX   960
#define ARR_AVERAGE_MIN	    1
#define ARR_AVERAGE_MAX	    60
#define ARR_AVERAGE_DEFAULT 33

static uint32_t count_vgpus(GpuModel *m)
{
	uint32_t i, count = 0;

	for (i = 0; i < SRIOV_TOTAL_VFS; i++)
		count += m->vgpu[i].state != VGPU_NONE;
	return count;
}

static uint32_t slice_ns(GpuModel *m)
{
	if (m->vgpu_slice_ns)
		return m->vgpu_slice_ns;
	return count_vgpus(m) > FEW ? SLICE_MIN_NS : SLICE_FEW_NS;
}

static uint32_t policy_of(GpuModel *m)
{
	return m->vgpu_policy ? m->vgpu_policy : VGPU_BEST_EFFORT;
}

uint32_t model_vgpu_get_scheduler(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params)
{
	if (model_engine_of_type(get32(params)) < 0)
		return NV_ERR_INVALID_ARGUMENT;
	stl_le_p(params + 4, policy_of(m));
	stl_le_p(params + 8, m->vgpu_arr);
	stl_le_p(params + 12, slice_ns(m));
	stl_le_p(params + 16, m->vgpu_arr ? m->vgpu_arr_average : 0);
	return NV_OK;
}

uint32_t model_vgpu_set_scheduler(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params)
{
	uint32_t policy = get32(params + 4), arr = get32(params + 8);
	uint32_t slice = get32(params + 12), frequency = get32(params + 16);
	uint32_t average = get32(params + 20);

	if (model_engine_of_type(get32(params)) < 0 ||
	    policy < VGPU_BEST_EFFORT || policy > VGPU_FIXED_SHARE || arr > 1 ||
	    (slice && (slice < SLICE_MIN_NS || slice > SLICE_MAX_NS)))
		return NV_ERR_INVALID_ARGUMENT;
	if (arr && (policy == VGPU_BEST_EFFORT || average > ARR_AVERAGE_MAX ||
		    (frequency && (frequency < ARR_FREQUENCY_MIN ||
				   frequency > ARR_FREQUENCY_MAX))))
		return NV_ERR_INVALID_ARGUMENT;
	if (policy == VGPU_FIXED_SHARE && m->vgpu_heterogeneous)
		return NV_ERR_NOT_SUPPORTED;
	if (policy != policy_of(m) && count_vgpus(m))
		return NV_ERR_INVALID_STATE;
	m->vgpu_policy = policy;
	m->vgpu_slice_ns = slice;
	m->vgpu_arr = arr;
	m->vgpu_arr_average = average ? average : ARR_AVERAGE_DEFAULT;
	model_log(m, "vgpu", "policy %u, slices of %u us", policy,
		  slice_ns(m) / 1000);
	return NV_OK;
}

uint32_t model_vgpu_scheduler_caps(GpuModel *m, const struct rm_ref *who,
				   uint8_t *params)
{
	if (model_engine_of_type(get32(params)) < 0)
		return NV_ERR_INVALID_ARGUMENT;
	stl_le_p(params + 4, VGPU_BEST_EFFORT);
	stl_le_p(params + 8, VGPU_EQUAL_SHARE);
	stl_le_p(params + 12, m->vgpu_heterogeneous ? 0 : VGPU_FIXED_SHARE);
	params[16] = 1;
	stl_le_p(params + 20, SLICE_MAX_NS);
	stl_le_p(params + 24, SLICE_MIN_NS);
	stl_le_p(params + 28, ARR_FREQUENCY_MAX);
	stl_le_p(params + 32, ARR_FREQUENCY_MIN);
	stl_le_p(params + 36, ARR_AVERAGE_MAX);
	stl_le_p(params + 40, ARR_AVERAGE_MIN);
	return NV_OK;
}
