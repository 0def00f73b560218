/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware files: booter, scrubber, bootloader and the GSP's own. */
#ifndef VGPU_KERNEL_CORE_PURE_FWFILE_H
#define VGPU_KERNEL_CORE_PURE_FWFILE_H

#include "falcon_image.h"

/*
 * All parsers return -EINVAL for a file that is not what they expect, or that
 * points outside of itself. What they return points into the file.
 */

/* Booter and scrubber: signed microcode of the SEC2 falcon. */
struct vgpu_booter {
	struct vgpu_falcon_image falcon;
	u32 fuse_version; /* of the newest signature */
};

int vgpu_booter_parse(struct vgpu_booter *booter, const u8 *file, u64 bytes);

/* The signature for the version in the GPU's fuses, or NULL. */
const u8 *vgpu_booter_signature(const struct vgpu_booter *booter,
				u32 fuse_version);

/* What the GSP's RISC-V core runs first. */
struct vgpu_bootloader {
	const u8 *image;
	u32 image_bytes;
	u32 code_offset; /* in the image, as are the others */
	u32 data_offset;
	u32 manifest_offset;
	u32 app_version;
};

int vgpu_bootloader_parse(struct vgpu_bootloader *bootloader, const u8 *file,
			  u64 bytes);

/* The GSP's firmware: an ELF file of which two sections matter. */
struct vgpu_gsp_image {
	const u8 *image;
	u64 image_bytes;
	const u8 *signature;
	u64 signature_bytes;
};

/* @signature_section: ".fwsignature_ad10x", say. */
int vgpu_gsp_image_parse(struct vgpu_gsp_image *gsp, const u8 *file, u64 bytes,
			 const char *signature_section);

#endif
