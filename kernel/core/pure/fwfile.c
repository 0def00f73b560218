// SPDX-License-Identifier: GPL-2.0-or-later
/* The firmware files: booter, scrubber, bootloader and the GSP's own. */
#include "fwfile.h"
#include "reader.h"

#define BIN_MAGIC	0x10de
#define BIN_VERSION	1
#define HS_META_BYTES	12
#define LOAD_WORDS	9
#define RISCV_DESC_SIZE 84

#define ELF_MAGIC	 0x464c457f
#define ELF_CLASS_64	 2
#define ELF_DATA_LITTLE	 1
#define ELF_SECTION	 64
#define ELF_SECTIONS_MAX 64 /* the real file has 14 */

/*
 * The header in front of the small files. Its total size is rounded up, and
 * the file may end before that: it is not looked at.
 */
struct bin {
	u32 header_offset;
	u32 data_offset;
	u32 data_bytes;
};

static int fwfile_read_bin(struct vgpu_reader *file, struct bin *ret_bin)
{
	struct bin bin = {
		.header_offset = vgpu_read32(file, 12),
		.data_offset = vgpu_read32(file, 16),
		.data_bytes = vgpu_read32(file, 20),
	};

	if (file->is_outside || vgpu_read32(file, 0) != BIN_MAGIC ||
	    vgpu_read32(file, 4) != BIN_VERSION || bin.data_bytes == 0 ||
	    !vgpu_is_inside(bin.data_offset, bin.data_bytes, file->size))
		return -EINVAL;
	*ret_bin = bin;
	return 0;
}

/* Where what belongs to the signatures is in the file. */
struct hs_header {
	u32 signatures;
	u32 signatures_bytes;
	u32 patch_location; /* in the image */
	u32 patch_signature;
	u32 fuse_version;
	u32 engine_mask;
	u32 ucode_id;
	u32 signature_count;
	u32 load_header;
};

static int fwfile_read_hs_header(struct vgpu_reader *file, u64 at,
				 struct hs_header *ret_header)
{
	u32 meta = vgpu_read32(file, at + 16);
	struct hs_header header = {
		.signatures = vgpu_read32(file, at),
		.signatures_bytes = vgpu_read32(file, at + 4),
		/* These are said to be at an offset, not to be one. */
		.patch_location = vgpu_read32(file, vgpu_read32(file, at + 8)),
		.patch_signature = vgpu_read32(file, vgpu_read32(file, at + 12)),
		.fuse_version = vgpu_read32(file, meta),
		.engine_mask = vgpu_read32(file, (u64)meta + 4),
		.ucode_id = vgpu_read32(file, (u64)meta + 8),
		.signature_count = vgpu_read32(file, vgpu_read32(file, at + 24)),
		.load_header = vgpu_read32(file, at + 28),
	};

	if (vgpu_read32(file, at + 20) < HS_META_BYTES ||
	    vgpu_read32(file, at + 32) < LOAD_WORDS * sizeof(u32) ||
	    header.patch_signature != 0 || header.signature_count == 0 ||
	    header.signature_count > U32_MAX / VGPU_FALCON_SIGNATURE_BYTES ||
	    header.signature_count * VGPU_FALCON_SIGNATURE_BYTES !=
		    header.signatures_bytes ||
	    !vgpu_read_bytes(file, header.signatures, header.signatures_bytes) ||
	    file->is_outside)
		return -EINVAL;
	*ret_header = header;
	return 0;
}

int vgpu_booter_parse(struct vgpu_booter *booter, const u8 *file, u64 bytes)
{
	struct vgpu_reader reader = {.data = file, .size = bytes};
	struct vgpu_falcon_image falcon = {};
	struct hs_header hs;
	struct bin bin;
	int rc;

	rc = fwfile_read_bin(&reader, &bin);
	if (rc == 0)
		rc = fwfile_read_hs_header(&reader, bin.header_offset, &hs);
	if (rc)
		return rc;

	falcon.image = file + bin.data_offset;
	falcon.image_bytes = bin.data_bytes;
	falcon.data_offset = vgpu_read32(&reader, (u64)hs.load_header + 8);
	falcon.data_bytes = vgpu_read32(&reader, (u64)hs.load_header + 12);
	falcon.code_offset = vgpu_read32(&reader, (u64)hs.load_header + 20);
	falcon.code_bytes = vgpu_read32(&reader, (u64)hs.load_header + 24);
	falcon.code_virtual = falcon.code_offset;
	falcon.signatures = file + hs.signatures;
	falcon.signature_count = hs.signature_count;
	falcon.engine_mask = hs.engine_mask;
	falcon.ucode_id = hs.ucode_id;
	if (reader.is_outside ||
	    /* One application, or the words behind it are not what they are. */
	    vgpu_read32(&reader, (u64)hs.load_header + 16) != 1 ||
	    hs.patch_location < falcon.data_offset)
		return -EINVAL;
	falcon.signature_offset = hs.patch_location - falcon.data_offset;
	if (!vgpu_falcon_image_is_sound(&falcon))
		return -EINVAL;
	*booter = (struct vgpu_booter){
		.falcon = falcon,
		.fuse_version = hs.fuse_version,
	};
	return 0;
}

const u8 *vgpu_booter_signature(const struct vgpu_booter *booter, u32 fuse_version)
{
	const struct vgpu_falcon_image *falcon = &booter->falcon;
	u32 index = 0;

	/* A single one fits all; of several the first is the newest. */
	if (falcon->signature_count > 1) {
		if (fuse_version > falcon->signature_count - 1)
			return NULL;
		index = falcon->signature_count - 1 - fuse_version;
	}
	return falcon->signatures + (size_t)index * VGPU_FALCON_SIGNATURE_BYTES;
}

int vgpu_bootloader_parse(struct vgpu_bootloader *bootloader, const u8 *file,
			  u64 bytes)
{
	struct vgpu_reader reader = {.data = file, .size = bytes};
	struct vgpu_bootloader found;
	u32 manifest_bytes, code_bytes, data_bytes;
	struct bin bin;
	u64 desc;
	int rc;

	rc = fwfile_read_bin(&reader, &bin);
	if (rc)
		return rc;
	/* RM_RISCV_UCODE_DESC: "monitor" is what runs first. */
	desc = bin.header_offset;
	if (!vgpu_read_bytes(&reader, desc, RISCV_DESC_SIZE))
		return -EINVAL;
	found = (struct vgpu_bootloader){
		.image = file + bin.data_offset,
		.image_bytes = bin.data_bytes,
		.app_version = vgpu_read32(&reader, desc + 28),
		.manifest_offset = vgpu_read32(&reader, desc + 32),
		.data_offset = vgpu_read32(&reader, desc + 40),
		.code_offset = vgpu_read32(&reader, desc + 48),
	};
	manifest_bytes = vgpu_read32(&reader, desc + 36);
	data_bytes = vgpu_read32(&reader, desc + 44);
	code_bytes = vgpu_read32(&reader, desc + 52);
	if (!vgpu_is_inside(found.manifest_offset, manifest_bytes,
			    found.image_bytes) ||
	    !vgpu_is_inside(found.data_offset, data_bytes, found.image_bytes) ||
	    !vgpu_is_inside(found.code_offset, code_bytes, found.image_bytes))
		return -EINVAL;
	*bootloader = found;
	return 0;
}

/* Is what is at @at of @names, its end included, @name? */
static bool fwfile_is_named(const struct vgpu_reader *names, u64 at,
			    const char *name)
{
	size_t bytes = strlen(name) + 1;

	return vgpu_is_inside(at, bytes, names->size) &&
	       memcmp(names->data + at, name, bytes) == 0;
}

/* The contents of section header @at. False where they are not in the file. */
static bool fwfile_read_section(struct vgpu_reader *elf, u64 at,
				struct vgpu_reader *ret_section)
{
	u64 offset = vgpu_read64(elf, at + 24), size = vgpu_read64(elf, at + 32);
	const u8 *data = vgpu_read_bytes(elf, offset, size);

	if (elf->is_outside)
		return false;
	*ret_section = (struct vgpu_reader){.data = data, .size = size};
	return true;
}

int vgpu_gsp_image_parse(struct vgpu_gsp_image *gsp, const u8 *file, u64 bytes,
			 const char *signature_section)
{
	struct vgpu_reader elf = {.data = file, .size = bytes};
	u64 headers = vgpu_read64(&elf, 40);
	u32 header_bytes = vgpu_read16(&elf, 58), count = vgpu_read16(&elf, 60);
	u32 names_index = vgpu_read16(&elf, 62), i;
	struct vgpu_reader names, section;
	struct vgpu_gsp_image found = {};

	if (elf.is_outside || vgpu_read32(&elf, 0) != ELF_MAGIC ||
	    vgpu_read8(&elf, 4) != ELF_CLASS_64 ||
	    vgpu_read8(&elf, 5) != ELF_DATA_LITTLE ||
	    header_bytes != ELF_SECTION || count > ELF_SECTIONS_MAX ||
	    names_index >= count || headers > bytes ||
	    !vgpu_is_inside(headers, (u64)count * ELF_SECTION, bytes) ||
	    !fwfile_read_section(&elf, headers + (u64)names_index * ELF_SECTION,
				 &names))
		return -EINVAL;

	for (i = 0; i < count; i++) {
		u64 at = headers + (u64)i * ELF_SECTION;
		u32 name = vgpu_read32(&elf, at);

		if (fwfile_is_named(&names, name, ".fwimage")) {
			if (!fwfile_read_section(&elf, at, &section))
				return -EINVAL;
			found.image = section.data;
			found.image_bytes = section.size;
		} else if (fwfile_is_named(&names, name, signature_section)) {
			if (!fwfile_read_section(&elf, at, &section))
				return -EINVAL;
			found.signature = section.data;
			found.signature_bytes = section.size;
		}
	}
	if (found.image_bytes == 0 || found.signature_bytes == 0)
		return -EINVAL;
	*gsp = found;
	return 0;
}
