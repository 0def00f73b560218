/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RPC payloads and boot arguments that 535.113.01 and 570.144 share. */
#ifndef VGPU_KERNEL_CORE_ABI_RM_ABI_H
#define VGPU_KERNEL_CORE_ABI_RM_ABI_H

#include "kernel/core/port.h"

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

struct vgpu_rm_post_event {
	u32 client;
	u32 event;
	u32 notify_index;
	u32 data;
	u16 info;
	u16 padding;
	u32 status;
	u32 event_data_bytes;
	u8 is_list;
	u8 event_data[];
};
static_assert(offsetof(struct vgpu_rm_post_event, status) == 20,
	      "rpc_post_event_v17_00.status");
static_assert(offsetof(struct vgpu_rm_post_event, event_data) == 29,
	      "rpc_post_event_v17_00.eventData");

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

enum vgpu_rm_class {
	VGPU_RM_CLASS_ROOT = 0x0000,
	VGPU_RM_CLASS_DEVICE = 0x0080,
	VGPU_RM_CLASS_SUBDEVICE = 0x2080,
};

/* Of a subdevice. */
enum vgpu_rm_command {
	VGPU_RM_QUERY_ECC_STATUS = 0x2080012f,
	VGPU_RM_GET_ENGINES = 0x20800170,
	VGPU_RM_GET_VMMU_SEGMENT_SIZE = 0x2080017e,
	VGPU_RM_GET_INTERRUPT_TABLE = 0x20800a5c,
	VGPU_RM_GET_GSP_FEATURES = 0x20803601,
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
