/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware's vGPU tasks: one for each VF that is in use. */
#ifndef VGPU_MODEL_VGPU_H
#define VGPU_MODEL_VGPU_H

#include "model/rm.h"

#define VMMU_SEGMENT	   (128 * MiB)
#define VGPU_SEGMENTS_MAX  384
#define VGPU_PAGE	   4096
#define VGPU_ENCODER_WHOLE 100 /* percent of the encoders */

enum vgpu_state {
	VGPU_NONE,
	VGPU_BOOTING, /* its magic is still to come */
	VGPU_UP,
	VGPU_DOWN, /* shut down or crashed: to be cleaned up */
};

/* How far a vGPU is on its way to another host, or from one. */
enum vgpu_migration {
	VGPU_RUNNING,
	VGPU_STOPPED,
	VGPU_SAVING,
	VGPU_SAVED,
	VGPU_RESTORING,
};

/* Of a type, what the firmware checks a new vGPU by. */
#define VGPU_TYPES_MAX 64
struct vgpu_type {
	uint32_t id, max_instance;
	bool ecc;
	uint64_t profile, fb, heap; /* bytes */
	char name[32];
};

/* NV2080_CTRL_CMD_VGPU_SCHEDULER_POLICY_*. */
enum { VGPU_BEST_EFFORT = 2, VGPU_EQUAL_SHARE, VGPU_FIXED_SHARE };

/* What a guest has told of itself, until it or its VF is reset. */
struct vgpu_guest {
	bool driver_loaded;
	uint32_t os;
	uint64_t fb_used;
	uint32_t load; /* percents: graphics 7:0, encoder 15:8, decoder 23:16 */
};

struct vgpu {
	enum vgpu_state state;
	int64_t due; /* when it has something to do, 0: nothing */
	uint32_t dbdf, type, vm_pid;
	uint32_t channels, plugin_channels, first_channel;
	uint32_t segments;
	uint64_t fb_start[VGPU_SEGMENTS_MAX], fb_bytes[VGPU_SEGMENTS_MAX];
	uint64_t fb_total;
	uint64_t heap, heap_bytes, ctrl;
	uint64_t response,
		message; /* where in the heap the last message had them */
	uint32_t sequence, messages;
	bool rung, negotiated, configured, bus_master;
	/* What it has done and not answered yet: it looks at nothing else. */
	bool is_late;
	uint32_t late_result;
	uint8_t late_data[VGPU_PAGE];
	uint32_t resets; /* of its VF */
	struct vgpu_guest guest;
	uint32_t instance, encoder;
	bool migratable;
	enum vgpu_migration migration;
	struct stream *stream; /* while it is saved or restored */
};

/* vgpu.c: NULL for what is no VF's number. */
struct vgpu *model_vgpu_of(GpuModel *m, uint32_t gfid);
/* Whether there is a task, and firmware, to do anything for a VF. */
bool model_vgpu_serves(GpuModel *m, uint32_t gfid);
bool model_vgpu_any(GpuModel *m);
/* Where a vGPU's framebuffer is in VRAM; false: it has not so much. */
bool model_vgpu_address(const struct vgpu *v, uint64_t at, uint64_t *ret_addr);
uint32_t model_vgpu_bootload(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params);
uint32_t model_vgpu_shutdown(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params);
uint32_t model_vgpu_cleanup(GpuModel *m, const struct rm_ref *who,
			    uint8_t *params);
void model_vgpu_doorbell(GpuModel *m, uint32_t value);
/* A task ends by itself; false: there is none for this VF. */
bool model_vgpu_crash(GpuModel *m, uint32_t gfid);
void model_vgpu_finish(GpuModel *m);
/* A VF was reset by PCI's means. */
void model_vgpu_was_reset(GpuModel *m, uint32_t gfid);
void model_vgpu_forget_guest(GpuModel *m, uint32_t gfid);
/* What a guest tells; each sends the event that the host has of it. */
void model_vgpu_guest_driver(GpuModel *m, uint32_t gfid, bool loaded);
void model_vgpu_guest_os(GpuModel *m, uint32_t gfid, uint32_t os);
void model_vgpu_guest_fb(GpuModel *m, uint32_t gfid, uint64_t bytes);

/* vgpu_load.c: what a guest's work keeps busy, and the samples of it. */
void model_vgpu_guest_load(GpuModel *m, uint32_t gfid, uint32_t load);
void model_vgpu_forget_use(GpuModel *m);

/* vgpu_boot.c: a bootload's parameters; NULL, or what is wrong with them. */
const char *model_vgpu_take(GpuModel *m, struct vgpu *v, uint32_t gfid,
			    const uint8_t *params);

/* vgpu_types.c: NULL, or why there cannot be one of this type now. */
const char *model_vgpu_check_type(GpuModel *m, const struct vgpu *v);
const struct vgpu_type *model_vgpu_type(GpuModel *m, uint32_t id);
uint32_t model_vgpu_add_types(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params);
uint32_t model_vgpu_set_heterogeneous(GpuModel *m, const struct rm_ref *who,
				      uint8_t *params);

/* vgpu_ctrl.c */
uint32_t model_vgpu_enumerate(GpuModel *m, const struct rm_ref *who,
			      uint8_t *params);
uint32_t model_vgpu_fb_usage(GpuModel *m, const struct rm_ref *who,
			     uint8_t *params);
uint32_t model_vgpu_clear_guest(GpuModel *m, const struct rm_ref *who,
				uint8_t *params);
uint32_t model_vgpu_set_encoder(GpuModel *m, const struct rm_ref *who,
				uint8_t *params);
uint32_t model_vgpu_migration_support(GpuModel *m, const struct rm_ref *who,
				      uint8_t *params);
uint32_t model_vgpu_get_scheduler(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params);
uint32_t model_vgpu_set_scheduler(GpuModel *m, const struct rm_ref *who,
				  uint8_t *params);
uint32_t model_vgpu_scheduler_caps(GpuModel *m, const struct rm_ref *who,
				   uint8_t *params);

/* vgpu_config.c: NULL, or what is wrong with the host's configuration. */
const char *model_vgpu_configure(GpuModel *m, struct vgpu *v,
				 const uint8_t *data);

/* vgpu_migrate.c: a status; nothing has changed where it is not 0. */
enum vgpu_migrate {
	VGPU_MIGRATE_STOP,
	VGPU_MIGRATE_CANCEL_STOP,
	VGPU_MIGRATE_SAVE,
	VGPU_MIGRATE_CANCEL_SAVE,
	VGPU_MIGRATE_RESTORE,
	VGPU_MIGRATE_RESTORE_END,
	VGPU_MIGRATE_RESUME,
	VGPU_MIGRATE_FORGET, /* whatever was under way */
};
uint32_t model_vgpu_migrate(GpuModel *m, uint32_t gfid, enum vgpu_migrate what);
/* Move some of a stream; in how many ns to look again, 0: there is none. */
int64_t model_vgpu_pump(GpuModel *m, uint32_t gfid);

/* vgpu_rpc.c: the host's messages to a task, in its heap. */
#define VGPU_BOOTLOADED 0x4e654a6f
void model_vgpu_write_magic(GpuModel *m, struct vgpu *v);
void model_vgpu_answer(GpuModel *m, uint32_t gfid);
void model_vgpu_answer_late(GpuModel *m, uint32_t gfid);
/* What it says of the guest has changed. */
void model_vgpu_show_guest(GpuModel *m, struct vgpu *v);
/* It may work, or master the bus, again: what was held back goes out. */
void model_vgpu_may_work(GpuModel *m, uint32_t gfid);

#endif
