// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * GspStaticConfigInfo: what the RM tells of this GPU in one piece. Offsets: OGK
 * src/nvidia/interface/gsp_abi_check.c, tag 570.144; the names are its own.
 */
#include "model/model.h"
#include "model/rm.h"

#define STATIC_INFO_BYTES     1656
#define FB_REGION_INFO	      344
#define FB_REGIONS_AT	      (FB_REGION_INFO + 8)
#define FB_REGION_BYTES	      48
#define SRIOV_CAPS	      1120
#define SRIOV_MAX_GFID	      1200
#define FB_LENGTH	      1224
#define FB_BUS_WIDTH	      1240
#define FB_RAM_TYPE	      1244
#define L2_CACHE_BYTES	      1256
#define GPU_NAME	      1260
#define GPU_SHORT_NAME	      1324
#define BAR1_PDE_BASE	      1536
#define BAR2_PDE_BASE	      1544
#define VBIOS_VALID	      1552
#define PAGE_RETIREMENT	      1564
#define INTERNAL_CLIENT_AT    1600
#define INTERNAL_DEVICE_AT    1604
#define INTERNAL_SUBDEVICE_AT 1608
#define WPR_LAYOUT	      1640

#define RAM_TYPE_GDDR6 0x13
#define AD102_L2_BYTES (96 * MiB)

static void put_region(uint8_t *info, unsigned int i, uint64_t base,
		       uint64_t end, bool usable)
{
	uint8_t *region = info + FB_REGIONS_AT + i * FB_REGION_BYTES;

	stq_le_p(region, base);
	stq_le_p(region + 8, end - 1);
	stq_le_p(region + 16, usable ? 0 : end - base);
	region[28] = region[29] = usable; /* compression, isochronous clients */
	region[30] = !usable;
}

static void put_sriov(GpuModel *m, uint8_t *caps)
{
	stl_le_p(caps, m->vf_total);
	stl_le_p(caps + 4, SRIOV_VF_OFFSET);
	stq_le_p(caps + 40, VF_BAR0_BYTES);
	stq_le_p(caps + 48, m->vf_bar1_size);
	stq_le_p(caps + 56, VF_BAR3_BYTES);
	caps[65] = caps[66] = 1; /* BAR1 and BAR2 are of 64 bits */
	caps[67] = m->sriov_mode;
}

void model_static_info(GpuModel *m, uint8_t *info, uint32_t bytes)
{
	if (bytes < STATIC_INFO_BYTES) {
		model_refuse(m, "rpc", "GET_GSP_STATIC_INFO of %u bytes", bytes);
		return;
	}
	memset(info, 0, bytes);
	stl_le_p(info + FB_REGION_INFO, 2);
	put_region(info, 0, 0, m->rsvd_start, true);
	put_region(info, 1, m->rsvd_start, m->fb_size, false);
	put_sriov(m, info + SRIOV_CAPS);
	stl_le_p(info + SRIOV_MAX_GFID, m->sriov_mode ? SRIOV_TOTAL_VFS + 1 : 0);
	stq_le_p(info + FB_LENGTH, m->fb_size);
	stl_le_p(info + FB_BUS_WIDTH, 384);
	stl_le_p(info + FB_RAM_TYPE, RAM_TYPE_GDDR6);
	stl_le_p(info + L2_CACHE_BYTES, AD102_L2_BYTES);
	g_strlcpy((char *)info + GPU_NAME, "OpenVGPU model of an L40S", 64);
	g_strlcpy((char *)info + GPU_SHORT_NAME, "AD102", 64);
	stq_le_p(info + BAR1_PDE_BASE, m->bar1_pdb);
	stq_le_p(info + BAR2_PDE_BASE, m->bar2_pdb);
	info[VBIOS_VALID] = 1;
	info[PAGE_RETIREMENT] = 1;
	stl_le_p(info + INTERNAL_CLIENT_AT, INTERNAL_CLIENT);
	stl_le_p(info + INTERNAL_DEVICE_AT, INTERNAL_DEVICE);
	stl_le_p(info + INTERNAL_SUBDEVICE_AT, INTERNAL_SUBDEVICE);
	stq_le_p(info + WPR_LAYOUT, m->non_wpr_heap);
	stq_le_p(info + WPR_LAYOUT + 8, m->frts_offset);
}
