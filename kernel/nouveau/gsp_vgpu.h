/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPUs on a GPU that nouveau drives: what its files ask of gsp/vgpu.c. */
#ifndef __NVKM_GSP_VGPU_H__
#define __NVKM_GSP_VGPU_H__

#include <linux/pci.h>

#include <core/falcon.h>
#include <subdev/gsp.h>

struct nvkm_gsp;
struct nvkm_memory;
struct nvkm_vma;

#define NVKM_GSP_VGPU_BARS 3

/*
 * Told of each event of the firmware's, by its number, and once of the firmware
 * being out of order (0). It may not ask the firmware anything.
 */
typedef void (*nvkm_gsp_vgpu_listener)(void *owner, u32 event,
				       const void *payload, u32 bytes);

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

	struct nvkm_gsp_client client; /* what controls are sent by */
	struct nvkm_gsp_device device;
	/* These two are protected by cmdq.mutex. */
	nvkm_gsp_vgpu_listener listener;
	void *owner;
	const char *why_wedged; /* a static text, or NULL */
};

/* A window of BAR1: it shows a part of the framebuffer, or nothing. */
struct nvkm_gsp_vgpu_window {
	struct nvkm_vma *vma;
	void __iomem *memory;
	struct nvkm_memory *range; /* what it shows */
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

/* Ids of channels below it are nouveau's. */
#define NVKM_GSP_VGPU_HOST_CHIDS 512

/* The client that controls are sent by, and who is told of events. */
int nvkm_gsp_vgpu_open(struct nvkm_gsp *gsp, nvkm_gsp_vgpu_listener listener,
		       void *owner);
/* When it returns nobody is being told any more. */
void nvkm_gsp_vgpu_close(struct nvkm_gsp *gsp);

/*
 * A control of that client's subdevice, or of the firmware's own one; the
 * answer replaces @params. 0: it was answered, with @ret_status. Errors as
 * those of struct vgpu_core_ops.
 */
int nvkm_gsp_vgpu_control(struct nvkm_gsp *gsp, bool is_internal, u32 command,
			  void *params, u32 bytes, u32 *ret_status);
/* What the firmware says of itself once it is up. */
int nvkm_gsp_vgpu_read_static_info(struct nvkm_gsp *gsp, void *out, u32 bytes);

int nvkm_gsp_vgpu_make_window(struct nvkm_gsp *gsp, u64 bytes,
			      struct nvkm_gsp_vgpu_window *ret_window);
void nvkm_gsp_vgpu_drop_window(struct nvkm_gsp *gsp,
			       struct nvkm_gsp_vgpu_window *window);
int nvkm_gsp_vgpu_show(struct nvkm_gsp *gsp, struct nvkm_gsp_vgpu_window *window,
		       u64 offset, u64 bytes);
void nvkm_gsp_vgpu_hide(struct nvkm_gsp *gsp,
			struct nvkm_gsp_vgpu_window *window);

/* It is out of order, for the reason @why, a static text: nothing is asked any more. */
void nvkm_gsp_vgpu_wedge(struct nvkm_gsp *gsp, const char *why);
/* NULL: it is not out of order. */
const char *nvkm_gsp_vgpu_why_wedged(struct nvkm_gsp *gsp);
bool nvkm_gsp_vgpu_is_wedged(struct nvkm_gsp *gsp);

/* Whether the firmware has ended by itself. */
bool nvkm_gsp_vgpu_has_halted(struct nvkm_gsp *gsp);

/* For nouveau's own calls, under cmdq.mutex: how one ended; an event has come. */
void nvkm_gsp_vgpu_called(struct nvkm_gsp *gsp, const void *reply);
bool nvkm_gsp_vgpu_event(struct nvkm_gsp *gsp, u32 event, const void *payload,
			 u32 bytes);
/* The same after an interrupt: a firmware that has halted is out of order. */
void nvkm_gsp_vgpu_look(struct nvkm_gsp *gsp);

/* As struct pci_driver's sriov_configure(), and before its remove(). */
int nouveau_vgpu_set_vfs(struct pci_dev *pdev, int count);
/* At the end of its probe(). */
void nouveau_vgpu_probe(struct pci_dev *pdev);
/* Before the machine sleeps: -EBUSY: it does not. */
int nouveau_vgpu_suspend(struct pci_dev *pdev);
void nouveau_vgpu_remove(struct pci_dev *pdev);

#endif
