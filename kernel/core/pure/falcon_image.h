/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signed microcode for a falcon, wherever it comes from. */
#ifndef VGPU_KERNEL_CORE_PURE_FALCON_IMAGE_H
#define VGPU_KERNEL_CORE_PURE_FALCON_IMAGE_H

#include "port.h"

#define VGPU_FALCON_SIGNATURE_BYTES 384 /* RSA-3072 */

/*
 * All offsets and sizes were checked against image_bytes, and point into the
 * blob that was parsed. Before it is loaded the caller copies the image, and
 * one of the signatures into the copy.
 */
struct vgpu_falcon_image {
	const u8 *image;
	u32 image_bytes;
	u32 code_offset;
	u32 code_bytes;
	u32 code_physical; /* in the falcon's instruction memory */
	u32 code_virtual;
	u32 data_offset;
	u32 data_bytes;
	u32 data_physical;    /* in the falcon's data memory */
	u32 signature_offset; /* in the data */
	const u8 *signatures;
	u32 signature_count;
	u32 engine_mask;
	u32 ucode_id;
};

/* Put @signature (VGPU_FALCON_SIGNATURE_BYTES) into @copy of the image. */
static inline void vgpu_falcon_image_sign(const struct vgpu_falcon_image *image,
					  u8 *copy, const u8 *signature)
{
	memcpy(copy + image->data_offset + image->signature_offset, signature,
	       VGPU_FALCON_SIGNATURE_BYTES);
}

/* Are the data and the place of the signature inside the image? */
static inline bool vgpu_falcon_image_is_sound(const struct vgpu_falcon_image *image)
{
	return vgpu_is_inside(image->code_offset, image->code_bytes,
			      image->image_bytes) &&
	       vgpu_is_inside(image->data_offset, image->data_bytes,
			      image->image_bytes) &&
	       vgpu_is_inside(image->signature_offset,
			      VGPU_FALCON_SIGNATURE_BYTES, image->data_bytes);
}

#endif
