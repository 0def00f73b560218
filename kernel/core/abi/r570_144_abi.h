/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Structures of the firmware 570.144. Only r570_144.c includes this. */
#ifndef VGPU_KERNEL_CORE_ABI_R570_144_ABI_H
#define VGPU_KERNEL_CORE_ABI_R570_144_ABI_H

#include "kernel/core/pure/port.h"

/*
 * Sizes and offsets are asserted as NVIDIA's gsp_abi_check.c has them at
 * 570.144, under the names there. What it leaves open (the end of
 * GspSystemInfo, the signature in GspFwWprMeta) is as compiling the headers of
 * that version gives it.
 */
#define R570_ASSERT_OFFSET(type, field, offset, name)                          \
	static_assert(offsetof(struct type, field) == (offset), name)

struct r570_vf_info {
	u32 total;
	u32 first_offset;
	u64 bar_address[3];
	u8 is_bar_64bit[3];
	u8 padding[5];
};
static_assert(sizeof(struct r570_vf_info) == 40, "GSP_VF_INFO");
R570_ASSERT_OFFSET(r570_vf_info, bar_address, 8, "FirstVFBar0Address");
R570_ASSERT_OFFSET(r570_vf_info, is_bar_64bit, 32, "b64bitBar0");

struct r570_system_info {
	u64 gpu_address;
	u64 gpu_fb_address;
	u64 gpu_inst_address;
	u64 gpu_io_address;
	u64 domain_bus_device_func;
	u64 sim_access_buffer;
	u64 notify_op_surface;
	u64 pcie_atomics_op_mask;
	u64 console_bytes;
	u64 max_user_address;
	u32 config_mirror_offset;
	u32 config_mirror_bytes;
	u32 device_id;
	u32 subsystem_id;
	u32 revision;
	u32 pcie_atomics_completer_mask;
	u8 oor_arch;
	u8 padding0[7];
	u64 chipset_properties;
	u32 chipset;
	u8 is_behind_bridge;
	u8 has_flr;
	u8 has_64bit_bar0;
	u8 has_mnoc;
	u32 chipset_l1ss;
	u8 upstream[4];
	u8 has_mux;
	u8 upstream_address_valid;
	u8 host_bridge[10];
	u8 chipset_id[10];
	u8 padding1[2];
	u8 acpi_methods[676];
	u32 hypervisor_type;
	u8 is_passthrough;
	u8 padding2[7];
	u64 timer_offset_ns;
	struct r570_vf_info vfs;
	u8 is_primary;
	u8 is_grid_build;
	u8 padding3[2];
	u32 pcie_link_capabilities;
	u32 grid_build_csp;
	u8 features[6];
	u8 padding4[6];
	u64 page_bytes;
};
static_assert(sizeof(struct r570_system_info) == 928, "GspSystemInfo");
R570_ASSERT_OFFSET(r570_system_info, domain_bus_device_func, 32,
		   "nvDomainBusDeviceFunc");
R570_ASSERT_OFFSET(r570_system_info, max_user_address, 72, "maxUserVa");
R570_ASSERT_OFFSET(r570_system_info, config_mirror_offset, 80,
		   "pciConfigMirrorBase");
R570_ASSERT_OFFSET(r570_system_info, device_id, 88, "PCIDeviceID");
R570_ASSERT_OFFSET(r570_system_info, chipset_properties, 112, "clPdbProperties");
R570_ASSERT_OFFSET(r570_system_info, has_flr, 125, "bFlrSupported");
R570_ASSERT_OFFSET(r570_system_info, upstream, 132, "bUpstreamL0sUnsupported");
R570_ASSERT_OFFSET(r570_system_info, host_bridge, 138, "FHBBusInfo");
R570_ASSERT_OFFSET(r570_system_info, acpi_methods, 160, "acpiMethodData");
R570_ASSERT_OFFSET(r570_system_info, hypervisor_type, 836, "hypervisorType");
R570_ASSERT_OFFSET(r570_system_info, timer_offset_ns, 848, "sysTimerOffsetNs");
R570_ASSERT_OFFSET(r570_system_info, vfs, 856, "gspVFInfo");
R570_ASSERT_OFFSET(r570_system_info, is_primary, 896, "bIsPrimary");
R570_ASSERT_OFFSET(r570_system_info, pcie_link_capabilities, 900,
		   "pcieConfigReg");
R570_ASSERT_OFFSET(r570_system_info, features, 908,
		   "bPreserveVideoMemoryAllocations");
R570_ASSERT_OFFSET(r570_system_info, page_bytes, 920, "hostPageSize");

struct r570_rm_args {
	u64 queues_address;
	u32 page_count;
	u32 padding0;
	u64 command_queue_offset;
	u64 status_queue_offset;
	u32 old_level;
	u32 resume_flags;
	u8 is_resume;
	u8 padding1[3];
	u32 gpu_instance;
	u8 has_dmem_stack;
	u8 padding2[7];
	u64 profiler_address;
	u64 profiler_bytes;
};
static_assert(sizeof(struct r570_rm_args) == 72, "GSP_ARGUMENTS_CACHED");
R570_ASSERT_OFFSET(r570_rm_args, command_queue_offset, 16, "cmdQueueOffset");
R570_ASSERT_OFFSET(r570_rm_args, old_level, 32, "srInitArguments");
R570_ASSERT_OFFSET(r570_rm_args, gpu_instance, 44, "gpuInstance");
R570_ASSERT_OFFSET(r570_rm_args, has_dmem_stack, 48, "bDmemStack");
R570_ASSERT_OFFSET(r570_rm_args, profiler_address, 56, "profilerArgs");

#define R570_WPR_META_MAGIC    0xdc3aae21371a60b3ULL
#define R570_WPR_META_REVISION 1

struct r570_wpr_meta {
	u64 magic;
	u64 revision;
	u64 gsp_radix3_address;
	u64 gsp_bytes;
	u64 bootloader_address;
	u64 bootloader_bytes;
	u64 bootloader_code_offset;
	u64 bootloader_data_offset;
	u64 bootloader_manifest_offset;
	u64 signature_address;
	u64 signature_bytes;
	u64 reserved_start;
	u64 non_wpr_heap_offset;
	u64 non_wpr_heap_bytes;
	u64 wpr_start;
	u64 heap_offset;
	u64 heap_bytes;
	u64 gsp_offset;
	u64 bootloader_offset;
	u64 frts_offset;
	u64 frts_bytes;
	u64 wpr_end;
	u64 fb_bytes;
	u64 vga_workspace_offset;
	u64 vga_workspace_bytes;
	u64 boot_count;
	u8 stages[32]; /* the firmware's own notes, from stage to stage */
	u8 vf_partitions;
	u8 flags;
	u8 padding[2];
	u32 pmu_reserved_bytes;
	u64 verified;
};
static_assert(sizeof(struct r570_wpr_meta) == VGPU_WPR_META_BYTES,
	      "GspFwWprMeta");
static_assert(VGPU_WPR_META_BYTES == 256, "GspFwWprMeta");
R570_ASSERT_OFFSET(r570_wpr_meta, bootloader_address, 32,
		   "sysmemAddrOfBootloader");
R570_ASSERT_OFFSET(r570_wpr_meta, signature_address, 72, "sysmemAddrOfSignature");
R570_ASSERT_OFFSET(r570_wpr_meta, reserved_start, 88, "gspFwRsvdStart");
R570_ASSERT_OFFSET(r570_wpr_meta, wpr_start, 112, "gspFwWprStart");
R570_ASSERT_OFFSET(r570_wpr_meta, gsp_offset, 136, "gspFwOffset");
R570_ASSERT_OFFSET(r570_wpr_meta, frts_offset, 152, "frtsOffset");
R570_ASSERT_OFFSET(r570_wpr_meta, wpr_end, 168, "gspFwWprEnd");
R570_ASSERT_OFFSET(r570_wpr_meta, vga_workspace_bytes, 192, "vgaWorkspaceSize");
R570_ASSERT_OFFSET(r570_wpr_meta, boot_count, 200, "bootCount");
R570_ASSERT_OFFSET(r570_wpr_meta, vf_partitions, 240,
		   "gspFwHeapVfPartitionCount");
R570_ASSERT_OFFSET(r570_wpr_meta, pmu_reserved_bytes, 244, "pmuReservedSize");
R570_ASSERT_OFFSET(r570_wpr_meta, verified, 248, "verified");

struct r570_sriov_caps {
	u32 total;
	u32 first_offset;
	u32 feature_mask;
	u32 padding0;
	u64 bar_address[3];
	u64 bar_bytes[3];
	u8 is_bar_64bit[3];
	u8 is_enabled;
	u8 is_heavy;
	u8 emulates_tlb_invalidation;
	u8 has_client_context_buffer;
	u8 allows_any_channel_count;
	u8 has_resizable_bar1;
	u8 padding1[7];
};
static_assert(sizeof(struct r570_sriov_caps) == 80,
	      "NV0080_CTRL_GPU_GET_SRIOV_CAPS_PARAMS");
R570_ASSERT_OFFSET(r570_sriov_caps, bar_address, 16, "FirstVFBar0Address");
R570_ASSERT_OFFSET(r570_sriov_caps, bar_bytes, 40, "bar0Size");
R570_ASSERT_OFFSET(r570_sriov_caps, is_enabled, 67, "bSriovEnabled");
R570_ASSERT_OFFSET(r570_sriov_caps, allows_any_channel_count, 71,
		   "bNonPowerOf2ChannelCountSupported");

struct r570_fb_region {
	u64 base;
	u64 limit;
	u64 reserved;
	u32 performance;
	u8 has_compression;
	u8 has_iso;
	u8 is_protected;
	u8 unsupported_kinds[17];
};
static_assert(sizeof(struct r570_fb_region) == 48,
	      "NV2080_CTRL_CMD_FB_GET_FB_REGION_FB_REGION_INFO");
R570_ASSERT_OFFSET(r570_fb_region, is_protected, 30, "bProtected");

struct r570_static_info {
	u8 gr_caps[24];
	u8 gid[268];
	u8 sku[48];
	u8 padding0[4];
	u32 region_count;
	u32 padding1;
	struct r570_fb_region regions[16];
	struct r570_sriov_caps sriov;
	u32 max_gfid;
	u32 engine_caps[3];
	u8 has_poison_fuse;
	u8 padding2[7];
	u64 fb_bytes;
	u64 fbio_mask;
	u32 fb_bus_width;
	u32 fb_ram_type;
	u64 fbp_mask;
	u32 l2_cache_bytes;
	u8 name[64];
	u8 short_name[64];
	u8 unicode_name[128];
	u8 kinds[14];
	u16 gc6_power;
	u16 gc6_delay;
	u8 padding3[2];
	u64 bar1_page_directory;
	u64 bar2_page_directory;
	u8 is_vbios_valid;
	u8 padding4[3];
	u32 vbios_sub_vendor;
	u32 vbios_sub_device;
	u8 has_page_retirement;
	u8 splits_vas;
	u8 needs_nosnoop_workaround;
	u8 padding5;
	u8 displayless[32];
	u32 client;
	u32 device;
	u32 subdevice;
	u8 modes[4];
	u8 ecid[24];
	u64 non_wpr_heap_offset;
	u64 frts_offset;
};
static_assert(sizeof(struct r570_static_info) == 1656, "GspStaticConfigInfo");
R570_ASSERT_OFFSET(r570_static_info, region_count, 344, "fbRegionInfoParams");
R570_ASSERT_OFFSET(r570_static_info, regions, 352, "fbRegionInfoParams.fbRegion");
R570_ASSERT_OFFSET(r570_static_info, sriov, 1120, "sriovCaps");
R570_ASSERT_OFFSET(r570_static_info, max_gfid, 1200, "sriovMaxGfid");
R570_ASSERT_OFFSET(r570_static_info, fb_bytes, 1224, "fb_length");
R570_ASSERT_OFFSET(r570_static_info, l2_cache_bytes, 1256, "l2_cache_size");
R570_ASSERT_OFFSET(r570_static_info, name, 1260, "gpuNameString");
R570_ASSERT_OFFSET(r570_static_info, kinds, 1516, "bGpuInternalSku");
R570_ASSERT_OFFSET(r570_static_info, bar1_page_directory, 1536, "bar1PdeBase");
R570_ASSERT_OFFSET(r570_static_info, vbios_sub_vendor, 1556, "vbiosSubVendor");
R570_ASSERT_OFFSET(r570_static_info, has_page_retirement, 1564,
		   "bPageRetirementSupported");
R570_ASSERT_OFFSET(r570_static_info, displayless, 1568, "displaylessMaxHeads");
R570_ASSERT_OFFSET(r570_static_info, client, 1600, "hInternalClient");
R570_ASSERT_OFFSET(r570_static_info, ecid, 1616, "ecidInfo");
R570_ASSERT_OFFSET(r570_static_info, non_wpr_heap_offset, 1640,
		   "fwWprLayoutOffset");

/* The firmware's own log of the error, of as many bytes, follows. */
struct r570_rc_triggered {
	u32 engine;
	u32 channel;
	u32 gfid;
	u32 level;
	u32 type;
	u32 scope;
	u16 partition;
	u16 padding0;
	u32 fault_address_lo;
	u32 fault_address_hi;
	u32 fault_type;
	u8 needs_callback;
	u8 padding1[3];
	u32 journal_bytes;
};
static_assert(sizeof(struct r570_rc_triggered) == 48, "rpc_rc_triggered_v17_02");
R570_ASSERT_OFFSET(r570_rc_triggered, gfid, 8, "gfid");
R570_ASSERT_OFFSET(r570_rc_triggered, type, 16, "exceptType");
R570_ASSERT_OFFSET(r570_rc_triggered, fault_address_lo, 28, "mmuFaultAddrLo");
R570_ASSERT_OFFSET(r570_rc_triggered, journal_bytes, 44, "rcJournalBufferSize");

/* Of a client; the driver fills nothing in but its own handle. */
struct r570_root_params {
	u32 client;
	u32 process;
	char process_name[100];
	u32 padding;
	u64 os_process;
};
static_assert(sizeof(struct r570_root_params) == 120, "NV0000_ALLOC_PARAMETERS");
static_assert(offsetof(struct r570_root_params, os_process) == 112,
	      "NV0000_ALLOC_PARAMETERS.pOsPidInfo");

struct r570_device_params {
	u32 device;
	u32 client_share;
	u32 target_client;
	u32 target_device;
	u32 flags;
	u32 padding;
	u64 va_bytes;
	u64 va_start;
	u64 va_limit;
	u32 va_mode;
	u32 padding_2;
};
static_assert(sizeof(struct r570_device_params) == 56, "NV0080_ALLOC_PARAMETERS");
static_assert(offsetof(struct r570_device_params, va_bytes) == 24,
	      "NV0080_ALLOC_PARAMETERS.vaSpaceSize");

#define R570_ECC_UNITS	 36
#define R570_ECC_UNIT_FB 0

struct r570_ecc_unit {
	u8 is_enabled;
	u8 is_scrubbed;
	u8 is_supported;
	u8 padding[5];
	u64 counts[4];
};
static_assert(sizeof(struct r570_ecc_unit) == 40,
	      "NV2080_CTRL_GPU_QUERY_ECC_UNIT_STATUS");

struct r570_ecc_status {
	struct r570_ecc_unit units[R570_ECC_UNITS];
	u8 is_poisoned;
	u8 has_uncorrectable;
	u8 padding[2];
	u32 flags;
	u64 route[2];
};
static_assert(sizeof(struct r570_ecc_status) == 1464,
	      "NV2080_CTRL_GPU_QUERY_ECC_STATUS_PARAMS");
static_assert(offsetof(struct r570_ecc_status, flags) == 1444,
	      "NV2080_CTRL_GPU_QUERY_ECC_STATUS_PARAMS.flags");

#define R570_ENGINES_MAX 84

struct r570_engine_list {
	u32 count;
	u32 types[R570_ENGINES_MAX];
};
static_assert(sizeof(struct r570_engine_list) == 340,
	      "NV2080_CTRL_GPU_GET_ENGINES_V2_PARAMS");

struct r570_save {
	u32 client;
	u32 memory;
	u8 is_to_power_off;
	u8 padding[7];
	u64 meta_address;
};
static_assert(sizeof(struct r570_save) == 24,
	      "NV2080_CTRL_INTERNAL_FBSR_INIT_PARAMS");
static_assert(offsetof(struct r570_save, meta_address) == 16,
	      "NV2080_CTRL_INTERNAL_FBSR_INIT_PARAMS.sysmemAddrOfSuspendResumeData");

#define R570_HOST_ENGINES_MAX 32
#define R570_HOST_DATA_MAX    16
#define R570_HOST_RM_ENGINE   2 /* ENGINE_INFO_TYPE_RM_ENGINE_TYPE */
#define R570_HOST_RUNLIST     3
#define R570_RM_GRAPHICS_0    0x01 /* RM_ENGINE_TYPE_GR0 to 7 */
#define R570_RM_GRAPHICS_7    0x08
#define R570_RM_COPY_0	      0x09 /* the public types of these are the same */
#define R570_RM_COPY_9	      0x12

struct r570_host_engine {
	u32 data[R570_HOST_DATA_MAX];
	u32 pbdma_ids[2];
	u32 pbdma_fault_ids[2];
	u32 pbdma_count;
	char name[16];
};
static_assert(sizeof(struct r570_host_engine) == 100,
	      "NV2080_CTRL_FIFO_DEVICE_ENTRY");

struct r570_host_engines {
	u32 first;
	u32 count;
	u8 has_more;
	u8 padding[3];
	struct r570_host_engine entries[R570_HOST_ENGINES_MAX];
};
static_assert(sizeof(struct r570_host_engines) == 3212,
	      "NV2080_CTRL_FIFO_GET_DEVICE_INFO_TABLE_PARAMS");

#define R570_INTERRUPTS_MAX   128
#define R570_INTERRUPT_OF_GSP 50 /* MC_ENGINE_IDX_GSP */

struct r570_interrupt {
	u16 engine;
	u16 padding;
	u32 pmc_mask;
	u32 vector_stall;
	u32 vector_nonstall;
};
static_assert(sizeof(struct r570_interrupt) == 16,
	      "NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_ENTRY");

struct r570_interrupt_table {
	u32 count;
	struct r570_interrupt entries[R570_INTERRUPTS_MAX];
	u8 subtrees[14];
	u8 padding[2];
};
static_assert(sizeof(struct r570_interrupt_table) == 2068,
	      "NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS");
static_assert(offsetof(struct r570_interrupt_table, subtrees) == 2052,
	      "NV2080_CTRL_INTERNAL_INTR_GET_KERNEL_TABLE_PARAMS.subtreeMap");

#endif
