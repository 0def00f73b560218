// SPDX-License-Identifier: GPL-2.0-or-later
/* vGPUs' tasks of firmware 570.144. */
#include "abi.h"
#include "task_abi.h"

#define ENGINES		 0x54 /* NV2080_GPU_MAX_ENGINES */
#define SEGMENTS_MAX	 384
#define VGPUS_MAX	 32
#define TYPES_BYTES	 334344
#define USE_SAMPLES	 72 /* NV2080_CTRL_PERF_GPUMON_SAMPLE_COUNT_PERFMON_UTIL */
#define USE_TYPE_PERFMON 2 /* NV2080_CTRL_GPUMON_SAMPLE_TYPE_PERFMON_UTIL */

/* NV2080_CTRL_VGPU_MGR_INTERNAL_BOOTLOAD_GSP_VGPU_PLUGIN_TASK_PARAMS */
struct boot {
	u32 dbdf;
	u32 gfid;
	u32 type;
	u32 opener;
	u32 swizz_id;
	u32 channels;
	u32 plugin_channels;
	u32 first_channel[ENGINES];
	u8 disable_smc_restore;
	u8 padding1[3];
	u32 segments;
	u64 segment_address[SEGMENTS_MAX];
	u64 segment_bytes[SEGMENTS_MAX];
	u64 heap_address;
	u64 heap_bytes;
	u64 control_offset;   /* in the heap */
	u64 init_log_address; /* in the framebuffer, these three */
	u64 init_log_bytes;
	u64 task_log_address;
	u64 task_log_bytes;
	u64 kernel_log_address;
	u64 kernel_log_bytes;
	u64 migration_heap_address;
	u64 migration_heap_bytes;
	u8 is_profiled;
	u8 padding2[7];
};

static_assert(offsetof(struct boot, first_channel) == 28, "chidOffset");
static_assert(offsetof(struct boot, segments) == 368, "numGuestFbSegments");
static_assert(offsetof(struct boot, segment_address) == 376,
	      "guestFbPhysAddrList");
static_assert(offsetof(struct boot, heap_address) == 6520,
	      "pluginHeapMemoryPhysAddr");
static_assert(offsetof(struct boot, migration_heap_address) == 6592,
	      "migRmHeapMemoryPhysAddr");
static_assert(sizeof(struct boot) == 6616, "BOOTLOAD_GSP_VGPU_PLUGIN_TASK");

/* NV_VGPU_CPU_RPC_DATA_COPY_CONFIG_PARAMS */
struct config {
	u8 uuid[16];
	u32 dbdf;
	u32 driver_vm_dbdf;
	u32 instance;
	u32 type;
	u32 opener;
	u32 swizz_id;
	u32 channels;
	u32 plugin_channels;
	u32 vmm_capabilities;
	u32 migration_feature;
	u32 hypervisor;
	u32 host_cpu;
	u64 host_page_bytes;
	u8 reserved1[3];
	u8 enable_uvm;
	u8 optimize_linux_interrupts;
	u8 is_migration_supported;
	u8 reserved2;
	u8 enable_console_vnc;
	u8 use_non_stall_events;
	u8 reserved3[3];
	u16 place;
	u16 padding1;
	u32 reserved4;
	u32 channel_threshold_percent;
	u8 reserved5;
	u8 padding2[3];
	u32 reserved6;
	u8 reserved7;
	u8 padding3[7];
};

static_assert(offsetof(struct config, channels) == 40, "num_channels");
static_assert(offsetof(struct config, host_page_bytes) == 64, "host_page_size");
static_assert(offsetof(struct config, enable_uvm) == 75, "enable_uvm");
static_assert(offsetof(struct config, is_migration_supported) == 77,
	      "vmm_migration_supported");
static_assert(offsetof(struct config, place) == 84, "placement_id");
static_assert(sizeof(struct config) == 112, "COPY_CONFIG_PARAMS");

#define HYPERVISOR_KVM	  4
#define HOST_CPU_X86_64	  2
#define HOST_PAGE_BYTES	  4096
#define MIGRATION_FEATURE 0x4000

/* NV2080_CTRL_VGPU_MGR_INTERNAL_GET_VGPU_FB_USAGE_PARAMS */
struct usage {
	u32 count;
	u32 padding;
	struct {
		u32 gfid;
		u32 padding;
		u64 bytes;
	} vgpu[VGPUS_MAX];
};
static_assert(sizeof(struct usage) == 520, "GET_VGPU_FB_USAGE");

/* rpc_gpuacct_perfmon_util_samples_v1F_0E: a ring, and where its oldest is. */
struct engine_use {
	u32 parts;
	u32 process;
	u32 process_of_guest;
};

struct use_sample {
	u64 ns;
	struct engine_use memory;
	struct engine_use graphics;
	struct engine_use encoder;
	struct engine_use decoder;
};

struct use_samples {
	u8 type;
	u8 padding[3];
	u32 ring_bytes;
	u32 count;
	u32 oldest;
	struct use_sample ring[USE_SAMPLES];
};
static_assert(sizeof(struct use_samples) == 4048, "PERFMON_UTIL_SAMPLES");

static void r570_task_put_boot(void *out, const struct vgpu_task_layout *layout,
			       const struct vgpu_task_boot *boot)
{
	u64 heap = boot->heap_start;
	struct boot *params = out; /* too large for a stack */
	u32 i;

	memset(params, 0, sizeof(*params));
	params->dbdf = boot->dbdf;
	params->gfid = boot->gfid;
	params->type = boot->type;
	params->opener = boot->opener;
	params->channels = boot->chids;
	params->plugin_channels = 1;
	for (i = 0; i < ENGINES; i++)
		if (boot->engines->words[i / 64] >> (i % 64) & 1)
			params->first_channel[i] = boot->first_chid;
	params->segments = 1;
	params->segment_address[0] = boot->fb_start;
	params->segment_bytes[0] = boot->fb_bytes;
	params->heap_address = heap;
	params->heap_bytes = boot->heap_bytes;
	params->control_offset = layout->control.offset;
	params->init_log_address = heap + layout->init_log.offset;
	params->init_log_bytes = layout->init_log.bytes;
	params->task_log_address = heap + layout->task_log.offset;
	params->task_log_bytes = layout->task_log.bytes;
	params->kernel_log_address = heap + layout->kernel_log.offset;
	params->kernel_log_bytes = layout->kernel_log.bytes;
}

/* What is not named here is off, or the firmware's own choice. */
static void r570_task_put_config(void *out, const struct vgpu_task_config *config)
{
	struct config params = {
		.dbdf = config->dbdf,
		.instance = config->instance,
		.type = config->type,
		.opener = config->opener,
		.channels = config->chids,
		.plugin_channels = 1,
		.migration_feature = MIGRATION_FEATURE,
		.hypervisor = HYPERVISOR_KVM,
		.host_cpu = HOST_CPU_X86_64,
		.host_page_bytes = HOST_PAGE_BYTES,
		.optimize_linux_interrupts = 1,
		.is_migration_supported = config->is_migratable,
		.place = config->place,
	};

	memcpy(params.uuid, config->uuid, sizeof(params.uuid));
	memcpy(out, &params, sizeof(params));
}

static u64 r570_task_get_fb_usage(const void *usage, u32 gfid)
{
	const struct usage *params = usage;
	u32 i;

	for (i = 0; i < params->count && i < VGPUS_MAX; i++)
		if (params->vgpu[i].gfid == gfid)
			return params->vgpu[i].bytes;
	return 0;
}

static int r570_task_get_use_sample(const u8 *payload, u32 bytes, u32 index,
				    struct vgpu_use_sample *ret_sample)
{
	const struct use_samples *params = (const void *)payload;
	const struct use_sample *sample;

	if (bytes < sizeof(*params) || params->type != USE_TYPE_PERFMON)
		return -EBADMSG;
	if (index >= USE_SAMPLES)
		return -ENOENT;
	sample = &params->ring[(params->oldest % USE_SAMPLES + index) % USE_SAMPLES];
	*ret_sample = (struct vgpu_use_sample){
		.ns = sample->ns,
		.engine =
			{
				[VGPU_USE_GRAPHICS] = {sample->graphics.parts,
						       sample->graphics.process},
				[VGPU_USE_ENCODER] = {sample->encoder.parts,
						      sample->encoder.process},
				[VGPU_USE_DECODER] = {sample->decoder.parts,
						      sample->decoder.process},
			},
	};
	return 0;
}

const struct vgpu_task_abi vgpu_task_abi_r570_144 = {
	.layout =
		{
			.control = {0x0, 0x1000},
			.response = {0x1000, 0x1000},
			.message = {0x2000, 0x1000},
			.migration = {0x3000, 0x200000},
			.error = {0x203000, 0x1000},
			.init_log = {0x204000, 0x20000},
			.task_log = {0x224000, 0x40000},
			.kernel_log = {0x264000, 0x10000},
			.bytes = 0x274000,
			.processed_at = 4,
			.result_at = 8,
			.task_offset_at = 16,
			.is_saved_at = 20,
			.host_offset_at = 48,
			.is_migrating_at = 52,
		},
	.boot_bytes = sizeof(struct boot),
	.config_bytes = sizeof(struct config),
	.types_bytes = TYPES_BYTES,
	.usage_bytes = sizeof(struct usage),
	.put_boot = r570_task_put_boot,
	.put_config = r570_task_put_config,
	.get_fb_usage = r570_task_get_fb_usage,
	.get_use_sample = r570_task_get_use_sample,
};
