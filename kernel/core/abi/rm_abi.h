/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RPC payloads and boot arguments that 535.113.01 and 570.144 share. */
#ifndef VGPU_KERNEL_CORE_ABI_RM_ABI_H
#define VGPU_KERNEL_CORE_ABI_RM_ABI_H

#include "kernel/core/pure/port.h"

/*
 * Sizes and offsets are those of NVIDIA's gsp_abi_check.c at 570.144, where it
 * names the structure, and those that its headers give at both versions.
 */
struct vgpu_rm_control {
	u32 client;
	u32 object;
	u32 command;
	u32 status;
	u32 params_bytes;
	u32 flags;
	u8 params[];
};
static_assert(offsetof(struct vgpu_rm_control, command) == 8,
	      "rpc_gsp_rm_control_v03_00.cmd");
static_assert(offsetof(struct vgpu_rm_control, params_bytes) == 16,
	      "rpc_gsp_rm_control_v03_00.paramsSize");
static_assert(offsetof(struct vgpu_rm_control, params) == 24,
	      "rpc_gsp_rm_control_v03_00.params");

struct vgpu_rm_alloc {
	u32 client;
	u32 parent;
	u32 object;
	u32 class;
	u32 status;
	u32 params_bytes;
	u32 flags;
	u8 reserved[4];
	u8 params[];
};
static_assert(offsetof(struct vgpu_rm_alloc, status) == 16,
	      "rpc_gsp_rm_alloc_v03_00.status");
static_assert(offsetof(struct vgpu_rm_alloc, reserved) == 28,
	      "rpc_gsp_rm_alloc_v03_00.reserved");
static_assert(offsetof(struct vgpu_rm_alloc, params) == 32,
	      "rpc_gsp_rm_alloc_v03_00.params");

struct vgpu_rm_free {
	u32 client;
	u32 parent;
	u32 object;
	u32 status;
};
static_assert(sizeof(struct vgpu_rm_free) == 16, "NVOS00_PARAMETERS_v03_00");

struct vgpu_rm_unloading {
	u8 is_suspend;
	u8 is_gc6;
	u8 padding[2];
	u32 level;
};
static_assert(sizeof(struct vgpu_rm_unloading) == 8,
	      "rpc_unloading_guest_driver_v1F_07");
static_assert(offsetof(struct vgpu_rm_unloading, level) == 4,
	      "rpc_unloading_guest_driver_v1F_07.newLevel");

struct vgpu_rm_plugin_triggered {
	u32 gfid;
	u32 notify_index;
};
static_assert(sizeof(struct vgpu_rm_plugin_triggered) == 8,
	      "rpc_vgpu_gsp_plugin_triggered_v17_00");

struct vgpu_rm_error_log {
	u32 type; /* Xid */
	u32 runlist;
	u32 channel;
	char text[256];
	u32 previous_type;
};
static_assert(offsetof(struct vgpu_rm_error_log, text) == 12,
	      "rpc_os_error_log_v17_00.errString");

struct vgpu_rm_subdevice_params {
	u32 subdevice;
};

struct vgpu_rm_gsp_features {
	u32 features;
	u8 is_valid;
	u8 is_default;
	char version[64];
	u8 padding[2];
};
static_assert(sizeof(struct vgpu_rm_gsp_features) == 72,
	      "NV2080_CTRL_GSP_GET_FEATURES_PARAMS");
static_assert(offsetof(struct vgpu_rm_gsp_features, version) == 6,
	      "NV2080_CTRL_GSP_GET_FEATURES_PARAMS.firmwareVersion");

/* An address space: the firmware's choice of all there is to choose. */
struct vgpu_rm_vaspace_params {
	u32 index;
	u32 flags;
	u64 bytes;
	u64 internal_start;
	u64 internal_limit;
	u32 big_page_bytes;
	u32 padding;
	u64 base;
};
static_assert(sizeof(struct vgpu_rm_vaspace_params) == 48,
	      "NV_VASPACE_ALLOCATION_PARAMETERS");
static_assert(offsetof(struct vgpu_rm_vaspace_params, base) == 40,
	      "NV_VASPACE_ALLOCATION_PARAMETERS.vaBase");

/* The directories of an address space, for the firmware's own entries. */
struct vgpu_rm_directory {
	u64 address;
	u64 bytes;
	u32 aperture;
	u8 shift;
	u8 padding[3];
};

struct vgpu_rm_directories_params {
	u32 subdevice;
	u32 subdevice_id;
	u64 page_bytes;
	u64 first;
	u64 last;
	u32 count;
	u32 padding;
	struct vgpu_rm_directory levels[6];
};
static_assert(sizeof(struct vgpu_rm_directories_params) == 184,
	      "NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS");
static_assert(offsetof(struct vgpu_rm_directories_params, levels) == 40,
	      "NV90F1_CTRL_VASPACE_COPY_SERVER_RESERVED_PDES_PARAMS.levels");

#define VGPU_RM_APERTURE_VRAM 1 /* of a directory */

struct vgpu_rm_memory {
	u64 address;
	u64 bytes;
	u32 space;
	u32 cache;
};
static_assert(sizeof(struct vgpu_rm_memory) == 24, "NV_MEMORY_DESC_PARAMS");

#define VGPU_RM_SPACE_SYSMEM 1
#define VGPU_RM_SPACE_VRAM   2
#define VGPU_RM_CACHE_NO     0
#define VGPU_RM_CACHE_YES    1

/* 535.113.01 has all of it but the last two words. */
struct vgpu_rm_channel_params {
	u32 error_object;
	u32 buffer_object;
	u64 ring_address;
	u32 ring_entries;
	u32 flags;
	u32 context_share;
	u32 vaspace;
	u32 userd_objects[8];
	u64 userd_offsets[8];
	u32 engine;
	u32 id;
	u32 subdevice_id;
	u32 ecc_error_object;
	struct vgpu_rm_memory instance;
	struct vgpu_rm_memory userd;
	struct vgpu_rm_memory ramfc;
	struct vgpu_rm_memory method_buffer;
	u32 group;
	u32 internal_flags;
	struct vgpu_rm_memory error_notifier;
	struct vgpu_rm_memory ecc_error_notifier;
	u32 process;
	u32 subprocess;
	u32 encryption[14];
	u32 tpc_configuration;
	u32 padding;
};
static_assert(sizeof(struct vgpu_rm_channel_params) == 368,
	      "NV_CHANNEL_ALLOC_PARAMS");
static_assert(offsetof(struct vgpu_rm_channel_params, engine) == 128,
	      "NV_CHANNEL_ALLOC_PARAMS.engineType");
static_assert(offsetof(struct vgpu_rm_channel_params, instance) == 144,
	      "NV_CHANNEL_ALLOC_PARAMS.instanceMem");
static_assert(offsetof(struct vgpu_rm_channel_params, internal_flags) == 244,
	      "NV_CHANNEL_ALLOC_PARAMS.internalFlags");
static_assert(offsetof(struct vgpu_rm_channel_params, tpc_configuration) == 360,
	      "NV_CHANNEL_ALLOC_PARAMS.tpcConfigID");

/* The channel's number goes by the place of its USERD: 8 of them a page. */
#define VGPU_RM_CHANNEL_PRIVILEGED  0x00000020
#define VGPU_RM_CHANNEL_INDEX_SHIFT 8
#define VGPU_RM_CHANNEL_PAGE_SHIFT  12
#define VGPU_RM_CHANNEL_PAGE_FIXED  0x00200000
#define VGPU_RM_CHANNELS_PER_PAGE   8
/* Internal flags: whose it is, and that it has neither notifier. */
#define VGPU_RM_CHANNEL_ADMIN		0x00000001
#define VGPU_RM_CHANNEL_NO_NOTIFIER	0x00000004
#define VGPU_RM_CHANNEL_NO_ECC_NOTIFIER 0x00000010

struct vgpu_rm_schedule_params {
	u8 is_on;
	u8 skips_submit;
};
static_assert(sizeof(struct vgpu_rm_schedule_params) == 2,
	      "NVA06F_CTRL_GPFIFO_SCHEDULE_PARAMS");

struct vgpu_rm_copy_params {
	u32 version; /* 1: the engine is one of the subdevice's types */
	u32 engine;
};
static_assert(sizeof(struct vgpu_rm_copy_params) == 8,
	      "NVC0B5_ALLOCATION_PARAMETERS");

/* Memory of the CPU's, page by page. */
struct vgpu_rm_alloc_memory {
	u32 client;
	u32 device;
	u32 object;
	u32 class;
	u32 flags;
	u32 adjustment;
	u32 format;
	u32 padding;
	u64 bytes;
	u32 page_count;
	u32 padding_2;
	u32 entries; /* the count of pages again, in the upper half */
	u32 padding_3;
	u64 pages[]; /* their numbers */
};
static_assert(offsetof(struct vgpu_rm_alloc_memory, bytes) == 32,
	      "rpc_alloc_memory_v13_01.length");
static_assert(offsetof(struct vgpu_rm_alloc_memory, entries) == 48,
	      "rpc_alloc_memory_v13_01.pteDesc");
static_assert(offsetof(struct vgpu_rm_alloc_memory, pages) == 56,
	      "rpc_alloc_memory_v13_01.pteDesc.pte_pde");

#define VGPU_RM_MEMORY_SCATTERED  0x00000010
#define VGPU_RM_MEMORY_NOT_MAPPED 0x40000000

struct vgpu_rm_channels_params {
	u8 is_stop;
};

/* What Booter saves WPR2 by, and restores it. */
struct vgpu_rm_sleep_meta {
	u64 magic;
	u64 revision;
	u64 radix3_address;
	u64 bytes;
	u32 internal[32];
	u32 flags;
	u32 subrevision;
	u32 padding[22];
};
static_assert(sizeof(struct vgpu_rm_sleep_meta) == 256, "GspFwSRMeta");
static_assert(offsetof(struct vgpu_rm_sleep_meta, flags) == 160,
	      "GspFwSRMeta.flags");

#define VGPU_RM_SLEEP_META_MAGIC    0x8a3bb9e6c6c39d93ULL
#define VGPU_RM_SLEEP_META_REVISION 2

enum vgpu_rm_class {
	VGPU_RM_CLASS_ROOT = 0x0000,
	VGPU_RM_CLASS_DEVICE = 0x0080,
	VGPU_RM_CLASS_MEMORY_LIST = 0x0081, /* of the CPU's memory */
	VGPU_RM_CLASS_SUBDEVICE = 0x2080,
	VGPU_RM_CLASS_VASPACE = 0x90f1,
	VGPU_RM_CLASS_CHANNEL = 0xc56f, /* of Ampere, and of Ada */
	VGPU_RM_CLASS_COPY = 0xc7b5,	/* likewise */
};

/* Of a subdevice. */
enum vgpu_rm_command {
	VGPU_RM_QUERY_ECC_STATUS = 0x2080012f,
	VGPU_RM_GET_ENGINES = 0x20800170,
	VGPU_RM_GET_VMMU_SEGMENT_SIZE = 0x2080017e,
	VGPU_RM_GET_INTERRUPT_TABLE = 0x20800a5c,
	VGPU_RM_SAVE_VRAM = 0x20800ac2,
	VGPU_RM_STOP_CHANNELS = 0x20800ac3,
	VGPU_RM_GET_HOST_ENGINES = 0x20801112,
	VGPU_RM_GET_METHOD_BUFFER_BYTES = 0x20802a08,
	VGPU_RM_GET_GSP_FEATURES = 0x20803601,
};

/* Of an address space, and of a channel. */
enum vgpu_rm_object_command {
	VGPU_RM_COPY_DIRECTORIES = 0x90f10106,
	VGPU_RM_SCHEDULE_CHANNEL = 0xa06f0103,
	VGPU_RM_BIND_CHANNEL = 0xa06f0104,
};

struct vgpu_registry_entry {
	u32 name_offset;
	u8 type;
	u8 padding[3];
	u32 data;
	u32 length;
};
static_assert(sizeof(struct vgpu_registry_entry) == 16, "PACKED_REGISTRY_ENTRY");
static_assert(offsetof(struct vgpu_registry_entry, data) == 8,
	      "PACKED_REGISTRY_ENTRY.data");

struct vgpu_registry_table {
	u32 size;
	u32 entry_count;
	struct vgpu_registry_entry entries[];
};
static_assert(sizeof(struct vgpu_registry_table) == 8, "PACKED_REGISTRY_TABLE");

#define VGPU_REGISTRY_DWORD 1

struct vgpu_libos_region {
	u64 id;
	u64 address;
	u64 size;
	u8 kind;
	u8 location;
	u8 padding[6];
};
static_assert(sizeof(struct vgpu_libos_region) == 32,
	      "LibosMemoryRegionInitArgument");
static_assert(offsetof(struct vgpu_libos_region, kind) == 24,
	      "LibosMemoryRegionInitArgument.kind");

#define VGPU_LIBOS_CONTIGUOUS 1
#define VGPU_LIBOS_SYSMEM     1

#endif
