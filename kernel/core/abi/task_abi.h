/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How vGPUs' tasks are started and spoken to, of no firmware version. */
#ifndef VGPU_KERNEL_CORE_ABI_TASK_ABI_H
#define VGPU_KERNEL_CORE_ABI_TASK_ABI_H

#include "kernel/core/pure/port.h"

struct vgpu_engine_set;

/*
 * A task serves one vGPU. Its heap, in framebuffer, begins with areas by which
 * the manager speaks to it: it writes control and message, rings, and reads
 * response and message. Steps and numbers: "RFC v2 nvidia-vgpu" of 3 September
 * 2025 on the kvm list, patches 9 and 10; OGK src/nvidia/interface/
 * nv_sriov_defines.h for the doorbell.
 */
struct vgpu_task_area {
	u32 offset; /* in the heap */
	u32 bytes;
};

struct vgpu_task_layout {
	struct vgpu_task_area control;
	struct vgpu_task_area response;
	struct vgpu_task_area message;
	struct vgpu_task_area migration;
	struct vgpu_task_area error;
	struct vgpu_task_area init_log;
	struct vgpu_task_area task_log;
	struct vgpu_task_area kernel_log;
	u32 bytes; /* of all this; the task's own heap follows */
	/* In the response. */
	u32 processed_at;
	u32 result_at;
	/*
	 * The migration area is a ring, where each side says how far it has
	 * got: the task in the response, the host in the control area.
	 */
	u32 task_offset_at;
	u32 is_saved_at; /* all of the vGPU is in the ring, or was */
	u32 host_offset_at;
	u32 is_migrating_at; /* one byte */
};

struct vgpu_task_boot {
	u32 dbdf; /* domain << 16 | bus << 8 | devfn */
	u32 gfid;
	u32 type;
	u32 opener; /* what the firmware names it by; of no other vGPU */
	u32 chids;
	u32 first_chid;
	const struct vgpu_engine_set *engines; /* each has these channels */
	u64 fb_start;
	u64 fb_bytes;
	u64 heap_start;
	u64 heap_bytes;
};

struct vgpu_task_config {
	u8 uuid[16];
	u32 dbdf;
	u32 instance; /* of no other vGPU of its VM, whichever GPU it is of */
	u32 type;
	u32 opener;
	u32 chids;
	u16 place;
	bool is_migratable;
};

/* Engines whose time is counted. */
enum vgpu_use {
	VGPU_USE_GRAPHICS,
	VGPU_USE_ENCODER,
	VGPU_USE_DECODER,
	VGPU_USE_ENGINES,
};

/* How busy engines were in the time before, and with whose work. */
struct vgpu_use_sample {
	u64 ns; /* by the GPU's clock; 0: none was taken */
	struct {
		u32 parts;   /* of VGPU_USE_WHOLE */
		u32 process; /* as of vgpu_task_boot.opener */
	} engine[VGPU_USE_ENGINES];
};

#define VGPU_USE_WHOLE 10000

struct vgpu_task_abi {
	struct vgpu_task_layout layout;
	u32 boot_bytes;
	u32 config_bytes;
	u32 types_bytes;
	u32 usage_bytes;

	/* Each fills the whole structure, of the size above. */
	void (*put_boot)(void *out, const struct vgpu_task_layout *layout,
			 const struct vgpu_task_boot *boot);
	void (*put_config)(void *out, const struct vgpu_task_config *config);
	/* Of the vGPU @gfid; 0 where the firmware names it not. */
	u64 (*get_fb_usage)(const void *params, u32 gfid);
	/*
	 * Of an event of samples the one that is @index-th in time, which may
	 * be none. -ENOENT: there are not so many; -EBADMSG: it is cut off.
	 */
	int (*get_use_sample)(const u8 *payload, u32 bytes, u32 index,
			      struct vgpu_use_sample *ret_sample);
};

/* In the control area, in every version. */
enum vgpu_task_control {
	VGPU_TASK_VERSION = 0,
	VGPU_TASK_TYPE = 4,
	VGPU_TASK_SEQUENCE = 8,
	VGPU_TASK_RESPONSE = 16, /* from here on 64-bit offsets in the heap */
	VGPU_TASK_MESSAGE = 24,
	VGPU_TASK_MIGRATION = 32,
	VGPU_TASK_ERROR = 40,
};

#define VGPU_TASK_VERSION_1 1
#define VGPU_TASK_BOOTLOADED                                                   \
	0x4e654a6f /* the first sequence number it writes */

enum vgpu_task_message {
	VGPU_TASK_NEGOTIATE_VERSION = 1,
	VGPU_TASK_SET_CONFIG = 2,
	VGPU_TASK_RESET = 3,
	VGPU_TASK_STOP_WORK = 4,
	VGPU_TASK_CANCEL_STOP = 5,
	VGPU_TASK_SAVE_STATE = 6,
	VGPU_TASK_CANCEL_SAVE = 7,
	VGPU_TASK_RESTORE_STATE = 8,
	VGPU_TASK_RESTORE_DEFERRED_STATE = 9,
	VGPU_TASK_RESUME_WORK = 10,
	VGPU_TASK_UPDATE_BUS_MASTER = 13,
};

struct vgpu_task_version {
	u32 offered;
	u32 negotiated;
};

struct vgpu_task_bus_master {
	u8 enable;
	u8 is_allowed;
};

struct vgpu_task_gfid { /* of shutdown and cleanup */
	u32 gfid;
};

struct vgpu_task_scheduler {
	u32 engine;
	u32 policy;
	u32 enable_arr; /* adaptive round robin */
	u32 timeslice_ns;
	u32 arr_frequency;
	u32 arr_average;
};
static_assert(sizeof(struct vgpu_task_scheduler) == 24,
	      "NV2080_CTRL_FIFO_OBJSCHED_SET_STATE_PARAMS");

struct vgpu_task_scheduler_caps {
	u32 engine;
	u32 policies[3];
	u8 has_arr;
	u8 padding[3];
	u32 max_timeslice_ns;
	u32 min_timeslice_ns;
	u32 max_arr_frequency;
	u32 min_arr_frequency;
	u32 max_arr_average;
	u32 min_arr_average;
};
static_assert(sizeof(struct vgpu_task_scheduler_caps) == 44,
	      "NV2080_CTRL_FIFO_OBJSCHED_GET_CAPS_PARAMS");

/* OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/ctrl2080fifo.h */
enum vgpu_task_policy {
	VGPU_TASK_BEST_EFFORT = 2,
	VGPU_TASK_EQUAL_SHARE = 3,
	VGPU_TASK_FIXED_SHARE = 4,
};

/* Of event 0x100d: OGK src/common/sdk/nvidia/inc/class/cla084_notification.h */
enum vgpu_task_event {
	VGPU_TASK_IS_BOOTLOADED = 0,
	VGPU_TASK_IS_UNLOADED = 1,
	VGPU_TASK_HAS_CRASHED = 2,
	VGPU_TASK_DRIVER_LOADED = 3,
	VGPU_TASK_DRIVER_UNLOADED = 4,
	VGPU_TASK_ERROR_MESSAGE = 5,
};

/* Controls: OGK src/common/sdk/nvidia/inc/ctrl/ctrl2080/ */
enum vgpu_task_command {
	VGPU_TASK_BOOTLOAD = 0x20804001,
	VGPU_TASK_SHUTDOWN = 0x20804002,
	VGPU_TASK_ADD_TYPES = 0x20804003,
	VGPU_TASK_GET_FB_USAGE = 0x20804006,
	VGPU_TASK_CLEANUP = 0x20804008,
	VGPU_TASK_GET_MIGRATION_SUPPORT = 0x2080400a,
	VGPU_TASK_SET_HETEROGENEOUS = 0x2080400e,
	VGPU_TASK_GET_SCHEDULER = 0x20801120,
	VGPU_TASK_SET_SCHEDULER = 0x20801121,
	VGPU_TASK_GET_SCHEDULER_CAPS = 0x20801122,
};

/* Of the PF's BAR0. */
#define VGPU_TASK_DOORBELL	0x00b82200
#define VGPU_TASK_DOORBELL_BITS 32 /* of each VF, from number 0 on */
#define VGPU_TASK_DOORBELL_TASK 17

extern const struct vgpu_task_abi vgpu_task_abi_r570_144;

#endif
