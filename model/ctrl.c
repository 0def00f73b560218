// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Controls of the RM's objects, by number and by the size of their parameters:
 * OGK src/common/sdk/nvidia/inc/ctrl/ and src/nvidia/interface/gsp_abi_check.c
 * (tag 570.144). One that is not here is refused as not supported.
 */
#include "model/model.h"
#include "model/engines.h"
#include "model/host.h"
#include "model/rm.h"
#include "model/vgpu.h"

/* An L40S: 142 SMs in 71 TPCs of 12 GPCs. */
#define GPC_COUNT 12
#define TPC_COUNT 71

static uint32_t gpc_mask(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	stl_le_p(params, (1u << GPC_COUNT) - 1);
	return NV_OK;
}

static uint32_t tpc_mask(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	uint32_t gpc = get32(params), tpcs;

	if (gpc >= GPC_COUNT)
		return NV_ERR_INVALID_ARGUMENT;
	tpcs = TPC_COUNT / GPC_COUNT + (gpc < TPC_COUNT % GPC_COUNT);
	stl_le_p(params + 4, (1u << tpcs) - 1);
	return NV_OK;
}

#define FAULT_METHOD_BUFFER_BYTES 0x8000

static uint32_t fault_method_buffer(GpuModel *m, const struct rm_ref *who,
				    uint8_t *params)
{
	stl_le_p(params, FAULT_METHOD_BUFFER_BYTES);
	return NV_OK;
}

#define ECC_UNIT_ENABLED   0
#define ECC_UNIT_SCRUBBED  1
#define ECC_UNIT_SUPPORTED 2

/* Unit 0 is the framebuffer: the one that a driver sizes vGPUs by. */
static uint32_t ecc_status(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	params[ECC_UNIT_SUPPORTED] = 1;
	params[ECC_UNIT_ENABLED] = m->ecc;
	params[ECC_UNIT_SCRUBBED] = m->ecc;
	return NV_OK;
}

#define FEATURES_VALID	       4
#define FEATURES_VERSION_AT    6
#define FEATURES_VERSION_BYTES 64

static uint32_t gsp_features(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	params[FEATURES_VALID] = 1;
	g_strlcpy((char *)params + FEATURES_VERSION_AT, "570.144",
		  FEATURES_VERSION_BYTES);
	return NV_OK;
}

#define VMMU_SEGMENT_BYTES (128 * MiB)

static uint32_t vmmu_segment(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	stq_le_p(params, VMMU_SEGMENT_BYTES);
	return NV_OK;
}

/* Sizes are far below a real GPU's: nothing is ever drawn in them. */
static uint32_t context_buffers(GpuModel *m, const struct rm_ref *who,
				uint8_t *params)
{
	/* By ENGINE_CONTEXT_PROPERTIES_ENGINE_ID: bytes of graphics engine 0. */
	static const uint32_t bytes[26] = {
		[0x00] = 0x40000, [0x08] = 0x10000, [0x0d] = 0x10000,
		[0x10] = 0x4000,  [0x11] = 0x10000, [0x12] = 0x10000,
		[0x13] = 0x20000, [0x14] = 0x10000, [0x17] = 0x10000,
		[0x18] = 0x10000,
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bytes); i++) {
		stl_le_p(params + i * 8, bytes[i]);
		stl_le_p(params + i * 8 + 4, bytes[i] ? 4096 : 0);
	}
	return NV_OK;
}

static uint32_t zcull_info(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	static const uint32_t info[10] = {0x80, 0x20, 0x400, 0x800, 0x20,
					  0x20, 0xc0, 0x10,  0x40,  0x20};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(info); i++)
		stl_le_p(params + i * 4, info[i]);
	return NV_OK;
}

/* Of contexts promoted and notifications nothing is kept. */
static uint32_t done(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	return NV_OK;
}

#define SET_DIRECTORY_VASPACE_AT   16
#define UNSET_DIRECTORY_VASPACE_AT 0

static uint32_t set_page_directory(GpuModel *m, const struct rm_ref *who,
				   uint8_t *params)
{
	struct rm_object *vaspace = model_rm_object(
		m, who->client, get32(params + SET_DIRECTORY_VASPACE_AT));
	uint64_t pdb = ldq_le_p(params);

	if (!vaspace || vaspace->oclass != CLASS_VASPACE)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (pdb % 4096 || !model_fb_contains(m, pdb, 4096))
		return NV_ERR_INVALID_ADDRESS;
	vaspace->pdb = pdb;
	return NV_OK;
}

static uint32_t unset_page_directory(GpuModel *m, const struct rm_ref *who,
				     uint8_t *params)
{
	struct rm_object *vaspace = model_rm_object(
		m, who->client, get32(params + UNSET_DIRECTORY_VASPACE_AT));

	if (!vaspace || vaspace->oclass != CLASS_VASPACE)
		return NV_ERR_OBJECT_NOT_FOUND;
	vaspace->pdb = 0;
	return NV_OK;
}

static uint32_t bind_channel(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params)
{
	struct channel *c = model_rm_object(m, who->client, who->handle)->channel;

	if (get32(params) != c->engine_type)
		return NV_ERR_INVALID_ARGUMENT;
	c->bound = true;
	return NV_OK;
}

static uint32_t schedule_channel(GpuModel *m, const struct rm_ref *who,
				 uint8_t *params)
{
	model_rm_object(m, who->client, who->handle)->channel->scheduled =
		params[0];
	return NV_OK;
}

/* Where the RM may keep what it has in VRAM while the GPU sleeps. */
static uint32_t fbsr_init(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	struct rm_object *memory =
		model_rm_object(m, get32(params), get32(params + 4));

	if (!memory || memory->oclass != CLASS_MEMORY_LIST_SYSTEM)
		return NV_ERR_OBJECT_NOT_FOUND;
	if (!memory->page[0] || !memory->page[1])
		return NV_ERR_INVALID_ARGUMENT;
	memcpy(m->suspend.fbsr_page, memory->page, sizeof(memory->page));
	m->suspend.meta_pa = ldq_le_p(params + 16);
	m->suspend.prepared = true;
	return NV_OK;
}

static uint32_t stop_channels(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params)
{
	m->channels_stopped = params[0];
	if (!m->channels_stopped)
		model_channel_resume(m);
	return NV_OK;
}

#define PDE_LEVELS_AT	40
#define PDE_LEVEL_BYTES 24
#define PDE_LEVEL_MAX	6

/* The RM would write its own entries at these levels: they must be in VRAM. */
static uint32_t server_pdes(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	uint32_t i, levels = get32(params + 32);

	if (!levels || levels > PDE_LEVEL_MAX)
		return NV_ERR_INVALID_ARGUMENT;
	for (i = 0; i < levels; i++) {
		const uint8_t *level =
			params + PDE_LEVELS_AT + i * PDE_LEVEL_BYTES;

		if (!model_fb_contains(m, ldq_le_p(level), ldq_le_p(level + 8)))
			return NV_ERR_INVALID_ADDRESS;
	}
	/* The first level is the directory that the address space goes by. */
	model_rm_object(m, who->client, who->handle)->pdb =
		ldq_le_p(params + PDE_LEVELS_AT);
	return NV_OK;
}

static const struct {
	uint32_t cmd, bytes;
	uint32_t (*run)(GpuModel *m, const struct rm_ref *who, uint8_t *params);
} control[] = {
	{0x00801813, 32, set_page_directory},  /* DMA_SET_PAGE_DIRECTORY */
	{0x00801814, 8, unset_page_directory}, /* DMA_UNSET_PAGE_DIRECTORY */
	{0x2080012b, 560, done},	       /* GPU_PROMOTE_CTX */
	{0x2080012f, 1464, ecc_status},	       /* GPU_QUERY_ECC_STATUS */
	{0x20800137, 4, gpc_mask},	       /* GPU_GET_FERMI_GPC_INFO */
	{0x20800138, 8, tpc_mask},	       /* GPU_GET_FERMI_TPC_INFO */
	{0x20800170, 340, model_engines_list}, /* GPU_GET_ENGINES_V2 */
	{0x2080017e, 8, vmmu_segment},	       /* GPU_GET_VMMU_SEGMENT_SIZE */
	{0x208001b0, 1284,
	 model_engines_falcons}, /* GPU_GET_CONSTRUCTED_FALCON_INFO */
	{0x20800301, 24, done},	 /* EVENT_SET_NOTIFICATION */
	{0x20800a32, 1664,
	 context_buffers}, /* INTERNAL_STATIC_KGR_GET_CONTEXT_BUFFERS_INFO */
	{0x20800a5c, 2068,
	 model_engines_intr_table},  /* INTERNAL_INTR_GET_KERNEL_TABLE */
	{0x20800ac2, 24, fbsr_init}, /* INTERNAL_FBSR_INIT */
	{0x20800ac3, 1,
	 stop_channels}, /* INTERNAL_FIFO_TOGGLE_ACTIVE_CHANNEL_SCHEDULING */
	{0x20801112, 3212,
	 model_engines_device_info}, /* FIFO_GET_DEVICE_INFO_TABLE */
	{0x20801120, 20, model_vgpu_get_scheduler}, /* FIFO_OBJSCHED_GET_STATE */
	{0x20801121, 24, model_vgpu_set_scheduler}, /* FIFO_OBJSCHED_SET_STATE */
	{0x20801122, 44, model_vgpu_scheduler_caps}, /* FIFO_OBJSCHED_GET_CAPS */
	{0x20801206, 40, zcull_info},		     /* GR_GET_ZCULL_INFO */
	{0x20802a08, 4, fault_method_buffer}, /* CE_GET_FAULT_METHOD_BUFFER_SIZE */
	{0x20803601, 72, gsp_features},	      /* GSP_GET_FEATURES */
	{0x20804001, 6616,
	 model_vgpu_bootload}, /* VGPU_MGR_INTERNAL_BOOTLOAD_GSP_VGPU_PLUGIN_TASK */
	{0x20804002, 4, model_vgpu_shutdown}, /* SHUTDOWN_GSP_VGPU_PLUGIN_TASK */
	{0x20804003, 334344, model_vgpu_add_types}, /* PGPU_ADD_VGPU_TYPE */
	{0x20804004, 4872, model_vgpu_enumerate}, /* ENUMERATE_VGPU_PER_PGPU */
	{0x20804005, 4, model_vgpu_clear_guest},  /* CLEAR_GUEST_VM_INFO */
	{0x20804006, 520, model_vgpu_fb_usage},	  /* GET_VGPU_FB_USAGE */
	{0x20804007, 8, model_vgpu_set_encoder}, /* SET_VGPU_ENCODER_CAPACITY */
	{0x20804008, 4, model_vgpu_cleanup},	 /* VGPU_PLUGIN_CLEANUP */
	{0x2080400a, 1,
	 model_vgpu_migration_support}, /* GET_PGPU_MIGRATION_SUPPORT */
	{0x2080400e, 1,
	 model_vgpu_set_heterogeneous}, /* SET_VGPU_HETEROGENEOUS_MODE */
	{0x90f10106, 184, server_pdes}, /* VASPACE_COPY_SERVER_RESERVED_PDES */
	{0xa06f0103, 2, schedule_channel}, /* GPFIFO_SCHEDULE */
	{0xa06f0104, 4, bind_channel},	   /* BIND */
};

uint32_t model_rm_control(GpuModel *m, uint32_t client, uint32_t handle,
			  uint32_t cmd, uint8_t *params, uint32_t bytes)
{
	uint32_t oclass, status, family = cmd >> 16;
	unsigned int i;

	oclass = model_rm_class(m, client, handle, &status);
	if (oclass == UINT32_MAX)
		return status;
	if (oclass != family &&
	    !(family == CLASS_CHANNEL_CONTROLS && oclass == CLASS_CHANNEL))
		return NV_ERR_NOT_SUPPORTED;
	for (i = 0; i < ARRAY_SIZE(control); i++)
		if (control[i].cmd == cmd)
			break;
	if (i == ARRAY_SIZE(control))
		return NV_ERR_NOT_SUPPORTED;
	/* GSP-RM takes longer parameters of a later version of the same call. */
	if (bytes < control[i].bytes)
		return NV_ERR_INVALID_PARAM_STRUCT;
	return control[i].run(m, &(struct rm_ref){client, handle}, params);
}
