// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of firmware 570.144. */
#include "abi.h"
#include "r570_144_abi.h"
#include "rm_abi.h"

#define MIB 0x100000ULL

/* Of the firmware's heap: its fixed parts, and what grows with the GPU. */
#define HEAP_OS_BYTES	  (22 * MIB)
#define HEAP_BASE_BYTES	  (8 * MIB)
#define HEAP_CLIENT_BYTES (96 * MIB) /* 2048 channels of 48 KiB */
#define HEAP_PER_GIB	  (96ULL << 10)
#define HEAP_MIN_BYTES	  (88 * MIB)
#define HEAP_VGPU_BYTES	  (581 * MIB)

/* For a resume: the level that was left; state was kept, and it is power's. */
#define RESUME_LEVEL 3
#define RESUME_FLAGS (1 << 0 | 1 << 2)

static u64 r570_wpr_heap_bytes(u64 fb_bytes, bool is_vgpu)
{
	u64 gib = (fb_bytes >> 30) + ((fb_bytes & 0x3fffffff) ? 1 : 0);
	u64 growing = (gib * HEAP_PER_GIB + MIB - 1) & ~(MIB - 1);
	u64 bytes = HEAP_OS_BYTES + HEAP_BASE_BYTES + HEAP_CLIENT_BYTES + growing;

	if (is_vgpu)
		return HEAP_VGPU_BYTES;
	return bytes < HEAP_MIN_BYTES ? HEAP_MIN_BYTES : bytes;
}

static void r570_put_system_info(void *out, const struct vgpu_system_info *info)
{
	struct r570_system_info raw = {
		.gpu_address = info->registers_address,
		.gpu_fb_address = info->framebuffer_address,
		.gpu_inst_address = info->instance_address,
		.domain_bus_device_func = (u64)info->domain << 32 |
					  (u32)info->bus << 8 | info->devfn,
		.max_user_address = info->max_user_address,
		.config_mirror_offset = info->config_mirror_offset,
		.config_mirror_bytes = info->config_mirror_bytes,
		.device_id = info->device_id,
		.subsystem_id = info->subsystem_id,
		.revision = info->revision,
		.has_flr = info->has_function_reset,
		.is_primary = info->is_primary,
		.page_bytes = info->page_bytes,
		.vfs =
			{
				.total = info->vfs.total,
				.first_offset = info->vfs.first_offset,
			},
	};
	u32 i;

	for (i = 0; i < VGPU_VF_BARS; i++) {
		raw.vfs.bar_address[i] = info->vfs.bar_address[i];
		raw.vfs.is_bar_64bit[i] = info->vfs.is_bar_64bit[i];
	}
	memcpy(out, &raw, sizeof(raw));
}

static void r570_put_rm_args(void *out, const struct vgpu_rm_args *args)
{
	struct r570_rm_args raw = {
		.queues_address = args->queues_address,
		.page_count = args->page_count,
		.command_queue_offset = args->command_queue_offset,
		.status_queue_offset = args->status_queue_offset,
		.has_dmem_stack = 1,
	};

	if (args->is_resume) {
		raw.old_level = RESUME_LEVEL;
		raw.resume_flags = RESUME_FLAGS;
		raw.is_resume = 1;
	}
	memcpy(out, &raw, sizeof(raw));
}

static void r570_put_wpr_meta(void *out, const struct vgpu_wpr_layout *layout,
			      const struct vgpu_wpr_images *images)
{
	struct r570_wpr_meta raw = {
		.magic = R570_WPR_META_MAGIC,
		.revision = R570_WPR_META_REVISION,
		.gsp_radix3_address = images->gsp_radix3_address,
		.gsp_bytes = images->gsp_bytes,
		.bootloader_address = images->bootloader_address,
		.bootloader_bytes = images->bootloader_bytes,
		.bootloader_code_offset = images->bootloader_code_offset,
		.bootloader_data_offset = images->bootloader_data_offset,
		.bootloader_manifest_offset = images->bootloader_manifest_offset,
		.signature_address = images->signature_address,
		.signature_bytes = images->signature_bytes,
		.reserved_start = layout->non_wpr_heap_offset,
		.non_wpr_heap_offset = layout->non_wpr_heap_offset,
		.non_wpr_heap_bytes =
			layout->wpr_start - layout->non_wpr_heap_offset,
		.wpr_start = layout->wpr_start,
		.heap_offset = layout->heap_offset,
		.heap_bytes = layout->heap_bytes,
		.gsp_offset = layout->gsp_offset,
		.bootloader_offset = layout->bootloader_offset,
		.frts_offset = layout->frts_offset,
		.frts_bytes = VGPU_FRTS_BYTES,
		.wpr_end = layout->wpr_end,
		.fb_bytes = layout->fb_bytes,
		.vga_workspace_offset = layout->vga_workspace_offset,
		.vga_workspace_bytes =
			layout->fb_bytes - layout->vga_workspace_offset,
		.vf_partitions = images->vf_partitions,
	};

	memcpy(out, &raw, sizeof(raw));
}

/* The framebuffer's regions do not go on behind its end. */
static int r570_get_regions(const struct r570_static_info *raw,
			    struct vgpu_static_info *info)
{
	u32 i;

	if (raw->region_count > VGPU_FB_REGIONS_MAX)
		return -EBADMSG;
	info->region_count = raw->region_count;
	for (i = 0; i < raw->region_count; i++) {
		const struct r570_fb_region *region = &raw->regions[i];

		if (region->limit < region->base || region->limit >= raw->fb_bytes)
			return -EBADMSG;
		info->regions[i] = (struct vgpu_fb_region){
			.base = region->base,
			.bytes = region->limit - region->base + 1,
			.is_usable =
				region->reserved == 0 && !region->is_protected,
		};
	}
	return 0;
}

static int r570_get_static_info(const u8 *payload, u32 bytes,
				struct vgpu_static_info *ret_info)
{
	const struct r570_static_info *raw = (const void *)payload;
	struct vgpu_static_info info = {};
	int rc;

	if (bytes < sizeof(*raw))
		return -EBADMSG;
	rc = r570_get_regions(raw, &info);
	if (rc)
		return rc;
	info.fb_bytes = raw->fb_bytes;
	info.client = raw->client;
	info.device = raw->device;
	info.subdevice = raw->subdevice;
	info.bar1_page_directory = raw->bar1_page_directory;
	info.vf_total = raw->sriov.total;
	info.needs_power_of_2_channels = !raw->sriov.allows_any_channel_count;
	/* The firmware may not have ended it. */
	memcpy(info.name, raw->name, VGPU_GPU_NAME_BYTES - 1);
	*ret_info = info;
	return 0;
}

static int r570_get_rc_error(const u8 *payload, u32 bytes,
			     struct vgpu_rc_error *ret_error)
{
	const struct r570_rc_triggered *raw = (const void *)payload;

	if (bytes < sizeof(*raw))
		return -EBADMSG;
	*ret_error = (struct vgpu_rc_error){
		.engine = raw->engine,
		.channel = raw->channel,
		.gfid = raw->gfid,
		.has_gfid = true,
		.type = raw->type,
		.fault_address = (u64)raw->fault_address_hi << 32 |
				 raw->fault_address_lo,
	};
	return 0;
}

static int r570_get_ecc_state(const u8 *payload, u32 bytes, bool *ret_is_on)
{
	const struct r570_ecc_status *raw = (const void *)payload;
	const struct r570_ecc_unit *fb = &raw->units[R570_ECC_UNIT_FB];

	if (bytes < sizeof(*raw))
		return -EBADMSG;
	*ret_is_on = fb->is_supported && fb->is_enabled;
	return 0;
}

static int r570_get_engines(const u8 *payload, u32 bytes,
			    struct vgpu_engine_set *ret_engines)
{
	const struct r570_engine_list *raw = (const void *)payload;
	struct vgpu_engine_set engines = {};
	u32 i;

	if (bytes < sizeof(*raw) || raw->count > R570_ENGINES_MAX)
		return -EBADMSG;
	for (i = 0; i < raw->count; i++) {
		u32 type = raw->types[i];

		if (type >= VGPU_ENGINE_TYPES)
			return -EBADMSG;
		engines.words[type / 64] |= 1ULL << (type % 64);
	}
	*ret_engines = engines;
	return 0;
}

static void r570_put_save(void *out, u32 client, u32 memory, u64 meta_address)
{
	struct r570_save raw = {
		.client = client,
		.memory = memory,
		.meta_address = meta_address,
	};

	memcpy(out, &raw, sizeof(raw));
}

static void r570_put_host_engines(void *out, const struct vgpu_host_engines *list)
{
	struct r570_host_engines *raw = out;

	memset(raw, 0, sizeof(*raw));
	raw->first = list->count;
}

static int r570_add_host_engines(const u8 *payload, u32 bytes,
				 struct vgpu_host_engines *list,
				 bool *ret_has_more)
{
	const struct r570_host_engines *raw = (const void *)payload;
	u32 i;

	/* Each part brings something: it ends. */
	if (bytes < sizeof(*raw) || raw->count > R570_HOST_ENGINES_MAX ||
	    raw->count > VGPU_HOST_ENGINES_MAX - list->count ||
	    (raw->has_more && raw->count == 0))
		return -EBADMSG;
	for (i = 0; i < raw->count; i++) {
		u32 type = raw->entries[i].data[R570_HOST_RM_ENGINE];

		list->engines[list->count++] = (struct vgpu_host_engine){
			.is_graphics = type >= R570_RM_GRAPHICS_0 &&
				       type <= R570_RM_GRAPHICS_7,
			.is_copy = type >= R570_RM_COPY_0 &&
				   type <= R570_RM_COPY_9,
			.type = type,
			.runlist = raw->entries[i].data[R570_HOST_RUNLIST],
		};
	}
	*ret_has_more = raw->has_more;
	return 0;
}

static int r570_get_gsp_vector(const u8 *payload, u32 bytes, u32 *ret_vector)
{
	const struct r570_interrupt_table *raw = (const void *)payload;
	u32 i;

	if (bytes < sizeof(*raw) || raw->count > R570_INTERRUPTS_MAX)
		return -EBADMSG;
	for (i = 0; i < raw->count; i++) {
		if (raw->entries[i].engine != R570_INTERRUPT_OF_GSP)
			continue;
		*ret_vector = raw->entries[i].vector_stall;
		return 0;
	}
	return -ENOENT;
}

const struct vgpu_abi vgpu_abi_r570_144 = {
	.version = "570.144",
	.task = &vgpu_task_abi_r570_144,
	.system_info_bytes = sizeof(struct r570_system_info),
	.static_info_bytes = sizeof(struct r570_static_info),
	.root_params_bytes = sizeof(struct r570_root_params),
	.device_params_bytes = sizeof(struct r570_device_params),
	.ecc_status_bytes = sizeof(struct r570_ecc_status),
	.engine_list_bytes = sizeof(struct r570_engine_list),
	.interrupt_table_bytes = sizeof(struct r570_interrupt_table),
	.host_engines_bytes = sizeof(struct r570_host_engines),
	.save_bytes = sizeof(struct r570_save),
	.channel_params_bytes = sizeof(struct vgpu_rm_channel_params),
	.wpr_heap_bytes = r570_wpr_heap_bytes,
	.put_system_info = r570_put_system_info,
	.put_rm_args = r570_put_rm_args,
	.put_wpr_meta = r570_put_wpr_meta,
	.get_static_info = r570_get_static_info,
	.get_rc_error = r570_get_rc_error,
	.get_ecc_state = r570_get_ecc_state,
	.get_engines = r570_get_engines,
	.put_save = r570_put_save,
	.put_host_engines = r570_put_host_engines,
	.add_host_engines = r570_add_host_engines,
	.get_gsp_vector = r570_get_gsp_vector,
};
