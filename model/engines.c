// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The engines behind the host interface, as many as an L40S has, and what the
 * RM tells of them. Numbers: OGK src/nvidia/inc/kernel/gpu/gpu_engine_type.h,
 * src/nvidia/inc/kernel/gpu/intr/engine_idx.h, gsp_abi_check.c (tag 570.144).
 */
#include "model/model.h"
#include "model/engines.h"

#define MC_ENGINE_GSP 50
#define VECTOR_NONE   0xffffffff

/* RM_ENGINE_TYPE_* of the first of a kind, MC_ENGINE_IDX_*, runlist. */
static const struct engine {
	const char *name;
	uint32_t rm_type, mc_index, instance, runlist;
	uint32_t context_bytes; /* 0: the engine is no falcon */
} engine[] = {
	{"GRAPHICS", 0x01, 84, 0, 0, 0},   {"CE0", 0x09, 15, 0, 0, 0},
	{"CE1", 0x09, 15, 1, 0, 0},	   {"CE2", 0x09, 15, 2, 1, 0},
	{"CE3", 0x09, 15, 3, 2, 0},	   {"CE4", 0x09, 15, 4, 3, 0},
	{"NVDEC0", 0x1d, 65, 0, 4, 8192},  {"NVDEC1", 0x1d, 65, 1, 5, 8192},
	{"NVDEC2", 0x1d, 65, 2, 6, 8192},  {"NVENC0", 0x25, 38, 0, 7, 8192},
	{"NVENC1", 0x25, 38, 1, 8, 8192},  {"NVENC2", 0x25, 38, 2, 9, 8192},
	{"NVJPG0", 0x36, 51, 0, 10, 8192}, {"NVJPG1", 0x36, 51, 1, 11, 8192},
	{"NVJPG2", 0x36, 51, 2, 12, 8192}, {"NVJPG3", 0x36, 51, 3, 13, 8192},
	{"OFA0", 0x3e, 81, 0, 14, 8192},
};

/* The model's own: nothing public tells where runlists lie, or these vectors. */
#define RUNLIST_BASE	   0xd00000
#define RUNLIST_STRIDE	   0x4000
#define CHRAM_BASE	   0xe00000
#define VECTOR_STALL(i)	   (0x20 + (i))
#define VECTOR_NONSTALL(i) (0x00 + (i))

/* What NVIDIA makes of a class's name; the model makes it of the kind. */
static uint32_t engine_desc(const struct engine *e)
{
	return e->mc_index << 8 | e->instance;
}

/*
 * NV2080_ENGINE_TYPE_* of the first of a kind: OGK src/common/sdk/nvidia/inc/
 * class/cl2080_notification.h. It counts otherwise than RM_ENGINE_TYPE_*.
 */
static const struct {
	uint32_t rm_type, public_type;
} public_type[] = {
	{0x01, 0x01}, {0x09, 0x09}, {0x1d, 0x13},
	{0x25, 0x1b}, {0x36, 0x2b}, {0x3e, 0x33},
};

int model_engine_of_type(uint32_t type)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(engine); i++)
		for (j = 0; j < ARRAY_SIZE(public_type); j++)
			if (engine[i].rm_type == public_type[j].rm_type &&
			    type == public_type[j].public_type +
					    engine[i].instance)
				return i;
	return -1;
}

uint32_t model_engine_runlist(int index)
{
	return engine[index].runlist;
}

uint32_t model_engine_nonstall(int index)
{
	return VECTOR_NONSTALL(index);
}

uint32_t model_engines_list(GpuModel *m, const struct rm_ref *who, uint8_t *params)
{
	unsigned int i, j;

	for (i = 0; i < ARRAY_SIZE(engine); i++)
		for (j = 0; j < ARRAY_SIZE(public_type); j++)
			if (engine[i].rm_type == public_type[j].rm_type)
				stl_le_p(params + 4 + i * 4,
					 public_type[j].public_type +
						 engine[i].instance);
	stl_le_p(params, ARRAY_SIZE(engine));
	return NV_OK;
}

#define INTR_TABLE_AT	 4
#define INTR_ENTRY_BYTES 16

uint32_t model_engines_intr_table(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params)
{
	uint8_t *entry = params + INTR_TABLE_AT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(engine); i++, entry += INTR_ENTRY_BYTES) {
		stw_le_p(entry, engine[i].mc_index + engine[i].instance);
		stl_le_p(entry + 8, VECTOR_STALL(i));
		stl_le_p(entry + 12, VECTOR_NONSTALL(i));
	}
	stw_le_p(entry, MC_ENGINE_GSP);
	stl_le_p(entry + 8, INTR_VECTOR_GSP);
	stl_le_p(entry + 12, VECTOR_NONE);
	stl_le_p(params, ARRAY_SIZE(engine) + 1);
	return NV_OK;
}

#define DEVICE_INFO_ENTRIES_AT	    12
#define DEVICE_ENTRY_BYTES	    100
#define DEVICE_ENTRY_MAX	    32
#define DEVICE_ENTRY_NAME_AT	    84
#define DEVICE_ENTRY_PBDMA_COUNT_AT 80

enum { /* ENGINE_INFO_TYPE_* */
       INFO_ENG_DESC = 0,
       INFO_RM_ENGINE_TYPE = 2,
       INFO_RUNLIST = 3,
       INFO_MMU_FAULT_ID = 4,
       INFO_MC = 8,
       INFO_INSTANCE_ID = 10,
       INFO_RUNLIST_PRI_BASE = 11,
       INFO_IS_HOST_DRIVEN = 12,
       INFO_RUNLIST_ENGINE_ID = 13,
       INFO_CHRAM_PRI_BASE = 14,
};

uint32_t model_engines_device_info(GpuModel *m, const struct rm_ref *who,
				   uint8_t *params)
{
	uint32_t base = get32(params), count = 0;
	unsigned int i;

	for (i = base; i < ARRAY_SIZE(engine) && count < DEVICE_ENTRY_MAX;
	     i++, count++) {
		uint8_t *entry = params + DEVICE_INFO_ENTRIES_AT +
				 count * DEVICE_ENTRY_BYTES;
		uint32_t data[16] = {
			[INFO_ENG_DESC] = engine_desc(&engine[i]),
			[INFO_RM_ENGINE_TYPE] =
				engine[i].rm_type + engine[i].instance,
			[INFO_RUNLIST] = engine[i].runlist,
			[INFO_MMU_FAULT_ID] = 0x20 + i,
			[INFO_MC] = engine[i].mc_index + engine[i].instance,
			[INFO_INSTANCE_ID] = engine[i].instance,
			[INFO_RUNLIST_PRI_BASE] =
				RUNLIST_BASE + engine[i].runlist * RUNLIST_STRIDE,
			[INFO_IS_HOST_DRIVEN] = 1,
			[INFO_CHRAM_PRI_BASE] =
				CHRAM_BASE + engine[i].runlist * RUNLIST_STRIDE,
		};
		unsigned int j;

		for (j = 0; j < i; j++)
			if (engine[j].runlist == engine[i].runlist)
				data[INFO_RUNLIST_ENGINE_ID]++;
		for (j = 0; j < ARRAY_SIZE(data); j++)
			stl_le_p(entry + j * 4, data[j]);
		stl_le_p(entry + DEVICE_ENTRY_PBDMA_COUNT_AT, 1);
		g_strlcpy((char *)entry + DEVICE_ENTRY_NAME_AT, engine[i].name,
			  16);
	}
	stl_le_p(params + 4, count);
	params[8] = base + count < ARRAY_SIZE(engine);
	return NV_OK;
}

#define FALCON_ENTRY_BYTES 20

uint32_t model_engines_falcons(GpuModel *m, const struct rm_ref *who,
			       uint8_t *params)
{
	uint8_t *entry = params + 4;
	uint32_t count = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(engine); i++) {
		if (!engine[i].context_bytes)
			continue;
		stl_le_p(entry, engine_desc(&engine[i]));
		stl_le_p(entry + 8, engine[i].context_bytes);
		entry += FALCON_ENTRY_BYTES;
		count++;
	}
	stl_le_p(params, count);
	return NV_OK;
}
