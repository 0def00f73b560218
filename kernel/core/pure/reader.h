/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads little-endian fields out of a blob, at any offset, never outside. */
#ifndef VGPU_KERNEL_CORE_PURE_READER_H
#define VGPU_KERNEL_CORE_PURE_READER_H

#include "port.h"

/*
 * The error is sticky: a field outside of the blob reads 0 and sets it, and
 * one check behind a few reads is enough. Offsets are 64 bits wide, so that
 * sums of the 32-bit fields that they come from do not wrap.
 */
struct vgpu_reader {
	const u8 *data;
	u64 size;
	bool is_outside;
};

static inline const u8 *vgpu_read_bytes(struct vgpu_reader *reader, u64 offset,
					u64 size)
{
	if (!vgpu_is_inside(offset, size, reader->size)) {
		reader->is_outside = true;
		return NULL;
	}
	return reader->data + offset;
}

static inline u8 vgpu_read8(struct vgpu_reader *reader, u64 offset)
{
	const u8 *p = vgpu_read_bytes(reader, offset, 1);

	return p ? *p : 0;
}

static inline u16 vgpu_read16(struct vgpu_reader *reader, u64 offset)
{
	const u8 *p = vgpu_read_bytes(reader, offset, 2);

	return p ? vgpu_get_le16(p) : 0;
}

static inline u32 vgpu_read32(struct vgpu_reader *reader, u64 offset)
{
	const u8 *p = vgpu_read_bytes(reader, offset, 4);

	return p ? vgpu_get_le32(p) : 0;
}

static inline u64 vgpu_read64(struct vgpu_reader *reader, u64 offset)
{
	const u8 *p = vgpu_read_bytes(reader, offset, 8);

	return p ? vgpu_get_le64(p) : 0;
}

#endif
