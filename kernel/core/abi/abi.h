/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What differs between firmware versions, behind one table for each. */
#ifndef VGPU_KERNEL_CORE_ABI_ABI_H
#define VGPU_KERNEL_CORE_ABI_ABI_H

#include "kernel/core/pure/wpr.h"
#include "task_abi.h"

/*
 * Nothing outside of this folder includes a version's own header: it fills and
 * reads these structures instead, which are of no version.
 */

#define VGPU_VF_BARS	    3
#define VGPU_FB_REGIONS_MAX 16
#define VGPU_GPU_NAME_BYTES 64

/* The VFs, as the GSP has to know them before it starts. */
struct vgpu_vf_info {
	u32 total;
	u32 first_offset;
	u64 bar_address[VGPU_VF_BARS];
	bool is_bar_64bit[VGPU_VF_BARS];
};

struct vgpu_system_info {
	u64 registers_address; /* of BAR0, BAR1 and BAR3 */
	u64 framebuffer_address;
	u64 instance_address;
	u32 domain;
	u8 bus;
	u8 devfn;
	u64 max_user_address;
	u32 config_mirror_offset;
	u32 config_mirror_bytes;
	u32 device_id;	  /* device << 16 | vendor */
	u32 subsystem_id; /* likewise */
	u32 revision;
	u64 page_bytes;
	bool has_function_reset;
	bool is_primary;
	struct vgpu_vf_info vfs; /* all 0 where there are none */
};

struct vgpu_fb_region {
	u64 base;
	u64 bytes;
	bool is_usable; /* not reserved, and not protected */
};

struct vgpu_static_info {
	u64 fb_bytes;
	u32 region_count;
	struct vgpu_fb_region regions[VGPU_FB_REGIONS_MAX];
	u32 client; /* the firmware's own objects */
	u32 device;
	u32 subdevice;
	u64 bar1_page_directory;
	u32 vf_total;
	bool needs_power_of_2_channels;
	char name[VGPU_GPU_NAME_BYTES];
};

/* What the metadata says beyond the layout. */
struct vgpu_wpr_images {
	u64 gsp_radix3_address;
	u64 gsp_bytes;
	u64 bootloader_address;
	u64 bootloader_bytes;
	u64 bootloader_code_offset;
	u64 bootloader_data_offset;
	u64 bootloader_manifest_offset;
	u64 signature_address;
	u64 signature_bytes;
	u8 vf_partitions; /* 0 where there will be no vGPUs */
};

struct vgpu_rm_args {
	u64 queues_address;
	u32 page_count;
	u64 command_queue_offset;
	u64 status_queue_offset;
	bool is_resume;
};

/* A robust channel error, and whose it is. */
struct vgpu_rc_error {
	u32 engine;
	u32 channel;
	u32 gfid;
	bool has_gfid; /* otherwise the channel says whose it is */
	u32 type;
	u64 fault_address;
};

/* Engine types are numbers below this one: bits of two words. */
#define VGPU_ENGINE_TYPES 128

struct vgpu_engine_set {
	u64 words[VGPU_ENGINE_TYPES / 64];
};

/* The engines that channels are for, and on which runlist each one is. */
#define VGPU_HOST_ENGINES_MAX 128

struct vgpu_host_engine {
	bool is_graphics;
	bool is_copy;
	u32 type; /* as channels name it; of copy engines */
	u32 runlist;
};

struct vgpu_host_engines {
	u32 count;
	struct vgpu_host_engine engines[VGPU_HOST_ENGINES_MAX];
};

struct vgpu_abi {
	const char *version;
	const struct vgpu_task_abi *task;

	u32 system_info_bytes;
	u32 static_info_bytes;
	u32 root_params_bytes; /* of objects, and of controls, from here on */
	u32 device_params_bytes;
	u32 ecc_status_bytes;
	u32 engine_list_bytes;
	u32 interrupt_table_bytes;
	u32 host_engines_bytes;
	u32 channel_params_bytes;
	u32 save_bytes;

	/* @is_vgpu: there will be vGPUs, which are served from it too. */
	u64 (*wpr_heap_bytes)(u64 fb_bytes, bool is_vgpu);

	/* Each fills the whole structure, of the size above. */
	void (*put_system_info)(void *out, const struct vgpu_system_info *info);
	void (*put_rm_args)(void *out, const struct vgpu_rm_args *args);
	void (*put_wpr_meta)(void *out, const struct vgpu_wpr_layout *layout,
			     const struct vgpu_wpr_images *images);

	/* @payload is 8-byte aligned. -EBADMSG: too short, or not possible. */
	int (*get_static_info)(const u8 *payload, u32 bytes,
			       struct vgpu_static_info *ret_info);
	int (*get_rc_error)(const u8 *payload, u32 bytes,
			    struct vgpu_rc_error *ret_error);
	/* Has the framebuffer ECC, and is it on? */
	int (*get_ecc_state)(const u8 *payload, u32 bytes, bool *ret_is_on);
	int (*get_engines)(const u8 *payload, u32 bytes,
			   struct vgpu_engine_set *ret_engines);
	/* The memory that the firmware saves its own in, and the metadata's. */
	void (*put_save)(void *out, u32 client, u32 memory, u64 meta_address);
	/*
	 * The firmware lists them in parts: ask for the one from @list->count
	 * on, and add it; @ret_has_more: there is another one.
	 */
	void (*put_host_engines)(void *out, const struct vgpu_host_engines *list);
	int (*add_host_engines)(const u8 *payload, u32 bytes,
				struct vgpu_host_engines *list,
				bool *ret_has_more);
	/* Of the GSP itself; -ENOENT: it has none. */
	int (*get_gsp_vector)(const u8 *payload, u32 bytes, u32 *ret_vector);
};

/*
 * A copy engine, on a runlist without graphics if there is one: there nobody's
 * shaders keep it waiting. NULL: there is none.
 */
const struct vgpu_host_engine *
vgpu_host_engines_pick_copy(const struct vgpu_host_engines *list);

/*
 * The firmware version that the driver boots, and whose files it asks for. Only
 * this folder, and the lists of sources in Kbuild and meson.build, name it.
 */
#define VGPU_ABI_VERSION "570.144"

/* The table for @version, or NULL. */
const struct vgpu_abi *vgpu_abi_find(const char *version);

extern const struct vgpu_abi vgpu_abi_r570_144;

#endif
