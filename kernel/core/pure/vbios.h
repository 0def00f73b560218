/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The board's VBIOS: its images, and FWSEC, the microcode that sets up WPR2. */
#ifndef VGPU_KERNEL_CORE_PURE_VBIOS_H
#define VGPU_KERNEL_CORE_PURE_VBIOS_H

#include "falcon_image.h"

#define VGPU_VBIOS_BYTES_MAX 0x100000 /* what the ROM's window in BAR0 shows */

/*
 *   ROM:     | IFR | base image | EFI image | ... | extension | ...
 *            0     start                          start + extension
 *
 * Tables of the base image point to offsets as if the extension followed it;
 * the difference is kept, and added where such a pointer is followed.
 */
struct vgpu_vbios {
	const u8 *rom;
	u32 start;
	u32 bytes; /* of all images, from start on */
	u32 extension_shift;
	u32 image_count;
};

/* -EINVAL: @rom holds no sound chain of images. */
int vgpu_vbios_parse(struct vgpu_vbios *vbios, const u8 *rom, u32 bytes);

/* FWSEC of the production kind, and where its commands go. */
struct vgpu_fwsec {
	struct vgpu_falcon_image falcon;
	u32 interface_offset;	/* in the data */
	u32 signature_versions; /* bit n: there is one for fuse version n */
};

/* -ENOENT: the VBIOS has none that an Ada GPU can run. */
int vgpu_vbios_find_fwsec(const struct vgpu_vbios *vbios,
			  struct vgpu_fwsec *ret_fwsec);

/* The signature for the version in the GPU's fuses, or NULL. */
const u8 *vgpu_fwsec_signature(const struct vgpu_fwsec *fwsec, u32 fuse_version);

/*
 * Tell FWSEC, in a copy of its image, to make the region of the framebuffer
 * that begins at @offset, or to end what it made. -EINVAL: the image has no
 * place for commands, or the region is not of whole 4 KiB pages below 16 TiB.
 */
int vgpu_fwsec_command_frts(const struct vgpu_fwsec *fwsec, u8 *copy,
			    u64 offset, u64 bytes);
int vgpu_fwsec_command_sb(const struct vgpu_fwsec *fwsec, u8 *copy);

#endif
