// SPDX-License-Identifier: GPL-2.0-or-later
/* The board's VBIOS: the walk over its images. */
#include "vbios.h"
#include "reader.h"

#define IFR_SIGNATURE	       0x4947564e /* "NVGI" */
#define IFR_FLASH_STATUS_BYTES 4096
#define ROM_DIRECTORY	       0x44524652 /* "RFRD" */

#define ROM_SIGNATURE	   0xaa55
#define ROM_SIGNATURE_NV   0x4e56
#define ROM_SIGNATURE_NV2  0xbb77
#define ROM_PCIR_POINTER   0x18
#define ROM_BLOCK_BYTES	   512
#define PCIR_SIGNATURE	   0x52494350 /* "PCIR" */
#define PCIR_SIGNATURE_NV  0x5344504e /* "NPDS" */
#define PCIR_SIGNATURE_NV2 0x53494752 /* "RGIS" */
#define PCIR_BYTES	   0x0a
#define PCIR_BLOCKS	   0x10
#define PCIR_CODE_TYPE	   0x14
#define PCIR_INDICATOR	   0x15
#define PCIR_IS_LAST	   0x80
#define NPDE_SIGNATURE	   0x4544504e /* "NPDE" */
#define NPDE_REVISION	   0x04
#define NPDE_BYTES	   0x06
#define NPDE_BLOCKS	   0x08
#define NPDE_INDICATOR	   0x0a

#define CODE_TYPE_BASE	    0x00
#define CODE_TYPE_EXTENSION 0xe0

/* One image of the ROM. */
struct rom_image {
	u32 bytes;
	u8 code_type;
	bool is_last;
};

static bool vbios_is_rom_signature(u16 signature)
{
	return signature == ROM_SIGNATURE || signature == ROM_SIGNATURE_NV ||
	       signature == ROM_SIGNATURE_NV2;
}

static bool vbios_is_pcir_signature(u32 signature)
{
	return signature == PCIR_SIGNATURE || signature == PCIR_SIGNATURE_NV ||
	       signature == PCIR_SIGNATURE_NV2;
}

/* A ROM may begin with a table for the hardware: where it says images begin. */
static int vbios_skip_ifr(struct vgpu_reader *rom, u32 *ret_start)
{
	u32 fixed1 = vgpu_read32(rom, 4), fixed2 = vgpu_read32(rom, 8);
	u64 directory;
	u32 start;

	if (vgpu_read32(rom, 0) != IFR_SIGNATURE)
		return -EINVAL;
	switch (fixed1 >> 8 & 0xff) {
	case 1:
	case 2:
		start = vgpu_read32(rom, (u64)(fixed1 >> 16 & 0x7fff) + 4);
		break;
	case 3:
		directory = (u64)vgpu_read32(rom, fixed2 & 0xfffff) +
			    IFR_FLASH_STATUS_BYTES;
		if (vgpu_read32(rom, directory) != ROM_DIRECTORY)
			return -EINVAL;
		start = vgpu_read32(rom, directory + 8);
		break;
	default:
		return -EINVAL;
	}
	if (rom->is_outside || !vgpu_is_aligned(start, 4))
		return -EINVAL;
	*ret_start = start;
	return 0;
}

/* NVIDIA's extension of the PCI data, where there is one, has the last word. */
static void vbios_apply_npde(struct vgpu_reader *rom, u64 npde,
			     struct rom_image *image)
{
	u32 own_bytes = image->bytes;
	u16 revision = vgpu_read16(rom, npde + NPDE_REVISION);

	if (vgpu_read32(rom, npde) != NPDE_SIGNATURE ||
	    (revision != 0x100 && revision != 0x101))
		return;
	image->bytes = vgpu_read16(rom, npde + NPDE_BLOCKS) * ROM_BLOCK_BYTES;
	if (vgpu_read16(rom, npde + NPDE_BYTES) > NPDE_INDICATOR)
		image->is_last =
			vgpu_read8(rom, npde + NPDE_INDICATOR) & PCIR_IS_LAST;
	else if (image->bytes < own_bytes)
		image->is_last = false;
}

static int vbios_read_image(struct vgpu_reader *rom, u64 at,
			    struct rom_image *ret_image)
{
	u64 pcir = at + vgpu_read16(rom, at + ROM_PCIR_POINTER), npde;
	struct rom_image image;

	if (!vbios_is_rom_signature(vgpu_read16(rom, at)) ||
	    !vbios_is_pcir_signature(vgpu_read32(rom, pcir)))
		return -EINVAL;
	image.bytes = vgpu_read16(rom, pcir + PCIR_BLOCKS) * ROM_BLOCK_BYTES;
	image.code_type = vgpu_read8(rom, pcir + PCIR_CODE_TYPE);
	image.is_last = vgpu_read8(rom, pcir + PCIR_INDICATOR) & PCIR_IS_LAST;
	npde = (pcir + vgpu_read16(rom, pcir + PCIR_BYTES) + 15) & ~15ULL;
	/* Where the ROM ends right behind the PCI data there is none. */
	if (!rom->is_outside && vgpu_is_inside(npde, 12, rom->size))
		vbios_apply_npde(rom, npde, &image);
	if (rom->is_outside || image.bytes == 0 ||
	    !vgpu_is_inside(at, image.bytes, rom->size))
		return -EINVAL;
	*ret_image = image;
	return 0;
}

int vgpu_vbios_parse(struct vgpu_vbios *vbios, const u8 *rom, u32 bytes)
{
	struct vgpu_reader reader = {.data = rom, .size = bytes};
	struct vgpu_vbios found = {.rom = rom};
	u32 base_bytes = 0, extension = 0;
	struct rom_image image;
	u64 at;
	int rc;

	if (bytes > VGPU_VBIOS_BYTES_MAX)
		return -EINVAL;
	if (!vbios_is_rom_signature(vgpu_read16(&reader, 0))) {
		rc = vbios_skip_ifr(&reader, &found.start);
		if (rc)
			return rc;
	}
	at = found.start;
	do {
		rc = vbios_read_image(&reader, at, &image);
		if (rc)
			return rc;
		if (image.code_type == CODE_TYPE_BASE && base_bytes == 0)
			base_bytes = image.bytes;
		if (image.code_type == CODE_TYPE_EXTENSION && extension == 0)
			extension = (u32)at - found.start;
		at += image.bytes;
		found.image_count++;
	} while (!image.is_last);

	if (extension > 0 && base_bytes > 0) {
		if (extension < base_bytes)
			return -EINVAL;
		found.extension_shift = extension - base_bytes;
	}
	found.bytes = (u32)at - found.start;
	*vbios = found;
	return 0;
}
