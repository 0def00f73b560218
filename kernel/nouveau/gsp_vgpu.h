/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs on a GPU that nouveau drives: what its files ask of gsp/vgpu.c. */
#ifndef __NVKM_GSP_VGPU_H__
#define __NVKM_GSP_VGPU_H__

#include <linux/pci.h>

#include <core/falcon.h>

struct nvkm_gsp;

#define NVKM_GSP_VGPU_BARS 3

/* Of a GSP whose firmware is to serve vGPUs; others have none (gsp->vgpu). */
struct nvkm_gsp_vgpu {
	/* As the SR-IOV capability has it; the firmware sends VF events by these. */
	struct {
		u16 total;
		u16 first_offset;
		u64 bar_address[NVKM_GSP_VGPU_BARS];
		bool is_bar_64bit[NVKM_GSP_VGPU_BARS];
	} vf;
	const struct firmware *file; /* of the scrubber */
	struct nvkm_falcon_fw scrubber;
	bool has_scrubber;
	u64 host_end; /* of the framebuffer: from here on it is vGPUs' */
};

/*
 * For firmware of a version that vGPUs are known of: with vgpu=1, and a PF. 0
 * where there are to be none, too; an error: they are wanted and cannot be had.
 */
int nvkm_gsp_vgpu_new(struct nvkm_gsp *gsp, const char *version);
void nvkm_gsp_vgpu_del(struct nvkm_gsp *gsp);

/* Its microcode, once SEC2 is there; and run it before each boot of the firmware. */
int nvkm_gsp_vgpu_oneinit(struct nvkm_gsp *gsp);
int nvkm_gsp_vgpu_scrub(struct nvkm_gsp *gsp);

/* What is left to nouveau of these. */
u32 nvkm_gsp_vgpu_host_chids(struct nvkm_gsp *gsp, u32 first, u32 count);
u64 nvkm_gsp_vgpu_host_bytes(struct nvkm_gsp *gsp, u64 start, u64 bytes);

/* As struct pci_driver's sriov_configure(), and before its remove(). */
int nouveau_vgpu_set_vfs(struct pci_dev *pdev, int count);
void nouveau_vgpu_remove(struct pci_dev *pdev);

#endif
