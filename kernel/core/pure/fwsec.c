// SPDX-License-Identifier: GPL-2.0-or-later
/* FWSEC: where the VBIOS has it, and the commands that go into its data. */
#include "vbios.h"
#include "reader.h"

#define BIT_ID		   0xb8ff
#define BIT_SIGNATURE	   0x00544942 /* "BIT" */
#define BIT_HEADER_BYTES   8
#define BIT_TOKEN_BYTES	   9
#define BIT_TOKEN_COUNT	   10
#define BIT_SMALL_TOKEN	   6 /* with a 16-bit pointer */
#define BIT_LARGE_TOKEN	   8 /* with a 32-bit pointer */
#define TOKEN_FALCON_DATA  0x70
#define TOKEN_FALCON_VER   2
#define UCODE_TABLE_VER	   1
#define UCODE_TABLE_HEADER 6
#define UCODE_TABLE_ENTRY  6
#define UCODE_FWSEC	   0x05
#define UCODE_FWSEC_PROD   0x85

#define DESC_HAS_VERSION 0x1
#define DESC_V3		 3
#define DESC_V3_BYTES	 44

#define INTERFACE_VERSION      1
#define INTERFACE_HEADER_BYTES 4
#define INTERFACE_ENTRY_BYTES  8
#define INTERFACE_DMEMMAPPER   4
#define DMEMMAPPER_BYTES       64
#define DMEMMAPPER_IN_OFFSET   8
#define DMEMMAPPER_INIT_CMD    44
#define COMMAND_FRTS	       0x15
#define COMMAND_SB	       0x19
#define FRTS_IN_FRAMEBUFFER    2

/* Words of what a command is given. */
enum fwsec_input {
	INPUT_VBIOS_VERSION,
	INPUT_VBIOS_BYTES,
	INPUT_VBIOS_ADDRESS_LO,
	INPUT_VBIOS_ADDRESS_HI,
	INPUT_VBIOS_SIZE,
	INPUT_VBIOS_FLAGS,
	INPUT_VBIOS_WORDS,
	INPUT_FRTS_VERSION = INPUT_VBIOS_WORDS,
	INPUT_FRTS_BYTES,
	INPUT_FRTS_PAGE,
	INPUT_FRTS_PAGES,
	INPUT_FRTS_MEDIA,
	INPUT_FRTS_WORDS,
};

static struct vgpu_reader fwsec_read_images(const struct vgpu_vbios *vbios)
{
	return (struct vgpu_reader){
		.data = vbios->rom + vbios->start,
		.size = vbios->bytes,
	};
}

/* The BIT header is found by its signature, and its bytes sum up to 0. */
static int fwsec_find_bit(struct vgpu_reader *images, u32 *ret_offset)
{
	u32 at, i, header_bytes;
	u8 sum;

	for (at = 0; at + 12 <= images->size; at++) {
		if (vgpu_get_le16(images->data + at) != BIT_ID ||
		    vgpu_get_le32(images->data + at + 2) != BIT_SIGNATURE)
			continue;
		header_bytes = images->data[at + BIT_HEADER_BYTES];
		if (!vgpu_is_inside(at, header_bytes, images->size))
			continue;
		for (sum = 0, i = 0; i < header_bytes; i++)
			sum += images->data[at + i];
		if (sum != 0 || header_bytes == 0)
			continue;
		*ret_offset = at;
		return 0;
	}
	return -ENOENT;
}

/* Fill @fwsec from the descriptor at @at; the signatures lie behind it. */
static int fwsec_read_descriptor(struct vgpu_reader *images, u64 at,
				 struct vgpu_fwsec *fwsec)
{
	struct vgpu_falcon_image *falcon = &fwsec->falcon;
	u32 header = vgpu_read32(images, at), bytes = header >> 16;
	u64 stored;

	if (!(header & DESC_HAS_VERSION) || (header >> 8 & 0xff) != DESC_V3 ||
	    bytes < DESC_V3_BYTES)
		return -ENOENT;
	if (!vgpu_align_up(vgpu_read32(images, at + 4), 256, &stored))
		return -ENOENT;
	falcon->image_bytes = (u32)stored;
	falcon->signature_offset = vgpu_read32(images, at + 8);
	fwsec->interface_offset = vgpu_read32(images, at + 12);
	falcon->code_physical = vgpu_read32(images, at + 16);
	falcon->code_bytes = vgpu_read32(images, at + 20);
	falcon->code_virtual = vgpu_read32(images, at + 24);
	falcon->data_physical = vgpu_read32(images, at + 28);
	falcon->data_offset = falcon->code_bytes;
	falcon->data_bytes = vgpu_read32(images, at + 32);
	falcon->engine_mask = vgpu_read16(images, at + 36);
	falcon->ucode_id = vgpu_read8(images, at + 38);
	falcon->signature_count = vgpu_read8(images, at + 39);
	fwsec->signature_versions = vgpu_read16(images, at + 40);
	falcon->signatures = vgpu_read_bytes(images, at + DESC_V3_BYTES,
					     bytes - DESC_V3_BYTES);
	falcon->image = vgpu_read_bytes(images, at + bytes, stored);
	if (images->is_outside || stored > VGPU_VBIOS_BYTES_MAX ||
	    !vgpu_falcon_image_is_sound(falcon) ||
	    falcon->signature_count * VGPU_FALCON_SIGNATURE_BYTES >
		    bytes - DESC_V3_BYTES)
		return -ENOENT;
	return 0;
}

/* The first entry of the table at @table that is a FWSEC we can run. */
static int fwsec_search_ucode_table(const struct vgpu_vbios *vbios, u64 table,
				    struct vgpu_fwsec *fwsec)
{
	struct vgpu_reader images = fwsec_read_images(vbios);
	u32 version = vgpu_read8(&images, table);
	u32 header_bytes = vgpu_read8(&images, table + 1);
	u32 entry_bytes = vgpu_read8(&images, table + 2);
	u32 count = vgpu_read8(&images, table + 3), i;

	if (images.is_outside || version != UCODE_TABLE_VER ||
	    header_bytes < UCODE_TABLE_HEADER || entry_bytes < UCODE_TABLE_ENTRY)
		return -ENOENT;
	for (i = 0; i < count; i++) {
		u64 entry = table + header_bytes + (u64)i * entry_bytes;
		u8 application = vgpu_read8(&images, entry);
		u64 descriptor = (u64)vgpu_read32(&images, entry + 2) +
				 vbios->extension_shift;

		if (!images.is_outside &&
		    (application == UCODE_FWSEC ||
		     application == UCODE_FWSEC_PROD) &&
		    fwsec_read_descriptor(&images, descriptor, fwsec) == 0)
			return 0;
		/* A broken entry does not hide a good one. */
		images.is_outside = false;
	}
	return -ENOENT;
}

int vgpu_vbios_find_fwsec(const struct vgpu_vbios *vbios,
			  struct vgpu_fwsec *ret_fwsec)
{
	struct vgpu_reader images = fwsec_read_images(vbios);
	u32 bit, header_bytes, token_bytes, count, i;
	struct vgpu_fwsec fwsec = {};
	int rc;

	rc = fwsec_find_bit(&images, &bit);
	if (rc)
		return rc;
	header_bytes = vgpu_read8(&images, bit + BIT_HEADER_BYTES);
	token_bytes = vgpu_read8(&images, bit + BIT_TOKEN_BYTES);
	count = vgpu_read8(&images, bit + BIT_TOKEN_COUNT);
	if (token_bytes < BIT_SMALL_TOKEN)
		return -ENOENT;

	for (i = 0; i < count; i++) {
		u64 token = bit + header_bytes + (u64)i * token_bytes;
		u64 data = token_bytes < BIT_LARGE_TOKEN
				   ? vgpu_read16(&images, token + 4)
				   : vgpu_read32(&images, token + 4);
		u64 table;

		if (vgpu_read8(&images, token) != TOKEN_FALCON_DATA ||
		    vgpu_read8(&images, token + 1) != TOKEN_FALCON_VER ||
		    vgpu_read16(&images, token + 2) < 4)
			continue;
		table = (u64)vgpu_read32(&images, data) + vbios->extension_shift;
		if (images.is_outside)
			return -ENOENT;
		if (fwsec_search_ucode_table(vbios, table, &fwsec) == 0) {
			*ret_fwsec = fwsec;
			return 0;
		}
	}
	return -ENOENT;
}

const u8 *vgpu_fwsec_signature(const struct vgpu_fwsec *fwsec, u32 fuse_version)
{
	u32 index = 0, version;

	if (fuse_version >= 16 ||
	    !(fwsec->signature_versions >> fuse_version & 1))
		return NULL;
	for (version = 0; version < fuse_version; version++)
		index += fwsec->signature_versions >> version & 1;
	if (index >= fwsec->falcon.signature_count)
		return NULL;
	return fwsec->falcon.signatures +
	       (size_t)index * VGPU_FALCON_SIGNATURE_BYTES;
}

/* Where in the data the mapper of commands is. */
static int fwsec_find_mapper(const struct vgpu_fwsec *fwsec, const u8 *data,
			     u32 *ret_mapper)
{
	struct vgpu_reader reader = {
		.data = data,
		.size = fwsec->falcon.data_bytes,
	};
	u64 header = fwsec->interface_offset;
	u32 version = vgpu_read8(&reader, header);
	u32 header_bytes = vgpu_read8(&reader, header + 1);
	u32 entry_bytes = vgpu_read8(&reader, header + 2);
	u32 count = vgpu_read8(&reader, header + 3), i;

	if (reader.is_outside || version != INTERFACE_VERSION ||
	    header_bytes < INTERFACE_HEADER_BYTES ||
	    entry_bytes < INTERFACE_ENTRY_BYTES)
		return -EINVAL;
	for (i = 0; i < count; i++) {
		u64 entry = header + header_bytes + (u64)i * entry_bytes;
		u32 id = vgpu_read32(&reader, entry);
		u32 mapper = vgpu_read32(&reader, entry + 4);

		if (reader.is_outside)
			return -EINVAL;
		if (id != INTERFACE_DMEMMAPPER)
			continue;
		if (!vgpu_read_bytes(&reader, mapper, DMEMMAPPER_BYTES))
			return -EINVAL;
		*ret_mapper = mapper;
		return 0;
	}
	return -EINVAL;
}

static int fwsec_put_command(const struct vgpu_fwsec *fwsec, u8 *copy,
			     u32 command, const u32 *input, u32 words)
{
	u8 *data = copy + fwsec->falcon.data_offset;
	u32 mapper, at, i;
	int rc;

	rc = fwsec_find_mapper(fwsec, data, &mapper);
	if (rc)
		return rc;
	at = vgpu_get_le32(data + mapper + DMEMMAPPER_IN_OFFSET);
	if (!vgpu_is_inside(at, words * sizeof(u32), fwsec->falcon.data_bytes))
		return -EINVAL;
	vgpu_put_le32(data + mapper + DMEMMAPPER_INIT_CMD, command);
	for (i = 0; i < words; i++)
		vgpu_put_le32(data + at + i * sizeof(u32), input[i]);
	return 0;
}

int vgpu_fwsec_command_frts(const struct vgpu_fwsec *fwsec, u8 *copy,
			    u64 offset, u64 bytes)
{
	u32 input[INPUT_FRTS_WORDS] = {
		[INPUT_VBIOS_VERSION] = 1,
		[INPUT_VBIOS_BYTES] = INPUT_VBIOS_WORDS * sizeof(u32),
		[INPUT_VBIOS_FLAGS] = 2,
		[INPUT_FRTS_VERSION] = 1,
		[INPUT_FRTS_BYTES] =
			(INPUT_FRTS_WORDS - INPUT_VBIOS_WORDS) * sizeof(u32),
		[INPUT_FRTS_PAGE] = (u32)(offset >> 12),
		[INPUT_FRTS_PAGES] = (u32)(bytes >> 12),
		[INPUT_FRTS_MEDIA] = FRTS_IN_FRAMEBUFFER,
	};

	if (!vgpu_is_aligned(offset | bytes, 0x1000) || offset == 0 ||
	    bytes == 0 || offset >> 12 > U32_MAX || bytes >> 12 > U32_MAX)
		return -EINVAL;
	return fwsec_put_command(fwsec, copy, COMMAND_FRTS, input,
				 INPUT_FRTS_WORDS);
}

int vgpu_fwsec_command_sb(const struct vgpu_fwsec *fwsec, u8 *copy)
{
	u32 input[INPUT_VBIOS_WORDS] = {
		[INPUT_VBIOS_VERSION] = 1,
		[INPUT_VBIOS_BYTES] = sizeof(input),
		[INPUT_VBIOS_FLAGS] = 2,
	};

	return fwsec_put_command(fwsec, copy, COMMAND_SB, input,
				 INPUT_VBIOS_WORDS);
}
