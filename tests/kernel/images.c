/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VBIOS and firmware files that are made here, with nothing of a vendor's. */
#include "images.h"

static void put16(u8 *p, u32 value)
{
	p[0] = (u8)value;
	p[1] = (u8)(value >> 8);
}

static void put_words(u8 *p, const u32 *words, u32 count)
{
	for (u32 i = 0; i < count; i++)
		vgpu_put_le32(p + 4 * i, words[i]);
}

/* Contents that tell one part from another. */
static void fill(u8 *p, u32 bytes, u8 tag)
{
	for (u32 i = 0; i < bytes; i++)
		p[i] = (u8)(tag + i * 7);
}

/* An image's header, PCI data and NVIDIA's extension of it. */
static void put_image(u8 *image, u32 bytes, u8 code_type, bool is_last)
{
	u8 *pcir = image + 0x20, *npde = image + 0x40;

	put16(image, 0xaa55);
	put16(image + 0x18, 0x20);
	memcpy(pcir, "PCIR", 4);
	put16(pcir + 4, 0x10de);
	put16(pcir + 0xa, 0x18);
	put16(pcir + 0x10, bytes / 512);
	pcir[0x14] = code_type;
	/* The last one that all can see; the extension's says the rest. */
	pcir[0x15] = 0x80;
	memcpy(npde, "NPDE", 4);
	put16(npde + 4, 0x101);
	put16(npde + 6, 12);
	put16(npde + 8, bytes / 512);
	npde[0xa] = is_last ? 0x80 : 0;
}

static void put_bit(u8 *base)
{
	u8 *bit = base + ROM_BIT, sum = 0;

	put16(bit, 0xb8ff);
	memcpy(bit + 2, "BIT", 4);
	put16(bit + 6, 0x100);
	bit[8] = 12; /* header bytes, then token bytes and their number */
	bit[9] = 6;
	bit[10] = 2;
	for (int i = 0; i < 11; i++)
		sum += bit[i];
	bit[11] = (u8)-sum;
	bit[12] = 'B'; /* another token, which is passed over */
	bit[13] = 2;
	put16(bit + 14, 4);
	bit[18] = 0x70;
	bit[19] = 2;
	put16(bit + 20, 4);
	put16(bit + 22, ROM_FALCON_DATA);
	/* As if the extension followed the base image. */
	vgpu_put_le32(base + ROM_FALCON_DATA, ROM_BASE_BYTES + ROM_UCODE_TABLE);
}

static void put_fwsec(u8 *extension)
{
	static const u8 table[] = {1, 6, 6, 3, 1, 44};
	const u32 descriptor[] = {
		(u32)ROM_DESCRIPTOR_BYTES << 16 | 3 << 8 | 1,
		FWSEC_CODE_BYTES + FWSEC_DATA_BYTES,
		FWSEC_SIGNATURE,
		FWSEC_INTERFACE,
		0,
		FWSEC_CODE_BYTES,
		0x100,
		0,
		FWSEC_DATA_BYTES,
		9 << 16 | 0x400, /* ucode id, engines */
		FWSEC_SIGNATURE_VERSIONS,
	};
	static const u8 interface[] = {1, 4, 8, 2, 1, 0, 0, 0,		 0,
				       0, 0, 0, 4, 0, 0, 0, FWSEC_MAPPER};
	u8 *entries = extension + ROM_UCODE_TABLE + sizeof(table);
	u8 *at = extension + ROM_DESCRIPTOR, *data;

	memcpy(extension + ROM_UCODE_TABLE, table, sizeof(table));
	entries[0] = 0x01; /* another ucode */
	entries[6] = 0x85;
	vgpu_put_le32(entries + 6 + 2, 0xfffffff0); /* broken */
	entries[12] = 0x85;
	vgpu_put_le32(entries + 12 + 2, ROM_BASE_BYTES + ROM_DESCRIPTOR);

	put_words(at, descriptor, VGPU_COUNT_OF(descriptor));
	at[39] = 2; /* signatures */
	fill(at + 44, 384, 0x11);
	fill(at + 44 + 384, 384, 0x22);
	fill(extension + ROM_FWSEC, FWSEC_CODE_BYTES, 0x33);
	data = extension + ROM_FWSEC + FWSEC_CODE_BYTES;
	fill(data, FWSEC_DATA_BYTES, 0x44);
	memcpy(data + FWSEC_INTERFACE, interface, sizeof(interface));
	memset(data + FWSEC_INTERFACE + sizeof(interface), 0, 3);
	memcpy(data + FWSEC_MAPPER, "DMAP", 4);
	put16(data + FWSEC_MAPPER + 4, 3);
	put16(data + FWSEC_MAPPER + 6, 64);
	vgpu_put_le32(data + FWSEC_MAPPER + 8, FWSEC_INPUT);
	vgpu_put_le32(data + FWSEC_MAPPER + 12, 0x100);
}

void make_rom(u8 *rom)
{
	u8 *base = rom + ROM_START, *efi = base + ROM_BASE_BYTES;
	u8 *extension = efi + ROM_EFI_BYTES;

	memset(rom, 0, ROM_BYTES);
	memcpy(rom, "NVGI", 4);
	vgpu_put_le32(rom + 4, 0x40 << 16 | 1 << 8); /* fixed data, version */
	vgpu_put_le32(rom + 0x44, ROM_START);
	put_image(base, ROM_BASE_BYTES, 0, false);
	put_bit(base);
	put_image(efi, ROM_EFI_BYTES, 3, false);
	put_image(extension, ROM_EXTENSION_BYTES, 0xe0, true);
	put_fwsec(extension);
}

void make_booter(u8 *file)
{
	static const u32 bin[] = {0x10de,	    1,
				  BOOTER_BYTES * 2, BOOTER_HS_HEADER,
				  BOOTER_IMAGE,	    BOOTER_IMAGE_BYTES};
	static const u32 hs[] = {
		BOOTER_SIGNATURES,
		2 * 384,
		BOOTER_PATCH,
		BOOTER_PATCH + 4,
		BOOTER_PATCH + 8,
		12,
		BOOTER_PATCH + 20,
		BOOTER_LOAD_HEADER,
		36,
	};
	/* Patch location, signature; fuse version, engines, ucode id; count. */
	static const u32 patch[] = {0xa10, 0, 1, 1, 3, 2};
	static const u32 load[] = {0,	  0x100, 0xa00, 0x600, 1,
				   0x100, 0x900, 0,	0};

	memset(file, 0, BOOTER_BYTES);
	put_words(file, bin, VGPU_COUNT_OF(bin));
	put_words(file + BOOTER_HS_HEADER, hs, VGPU_COUNT_OF(hs));
	fill(file + BOOTER_SIGNATURES, 2 * 384, 0x55);
	put_words(file + BOOTER_PATCH, patch, VGPU_COUNT_OF(patch));
	put_words(file + BOOTER_LOAD_HEADER, load, VGPU_COUNT_OF(load));
	fill(file + BOOTER_IMAGE, BOOTER_IMAGE_BYTES, 0x66);
}

void make_bootloader(u8 *file)
{
	static const u32 bin[] = {0x10de,	    1,
				  0x4000,	    24,
				  BOOTLOADER_IMAGE, BOOTLOADER_IMAGE_BYTES};
	static const u32 desc[21] = {
		[0] = 5,       [7] = 0x1234,  [9] = 0x800,   [10] = 0x800,
		[11] = 0x1000, [12] = 0x1800, [13] = 0x1800, [14] = 1,
	};

	memset(file, 0, BOOTLOADER_BYTES);
	put_words(file, bin, VGPU_COUNT_OF(bin));
	put_words(file + 24, desc, VGPU_COUNT_OF(desc));
	fill(file + BOOTLOADER_IMAGE, BOOTLOADER_IMAGE_BYTES, 0x77);
}

static void put_section(u8 *file, u32 index, u32 name, u32 offset, u32 bytes)
{
	u8 *section = file + GSP_ELF_SECTIONS + index * 64;

	vgpu_put_le32(section, name);
	vgpu_put_le32(section + 24, offset);
	vgpu_put_le32(section + 32, bytes);
}

void make_gsp_elf(u8 *file)
{
	static const char names[] =
		"\0.fwimage\0" GSP_SIGNATURE_SECTION "\0.shstrtab";

	memset(file, 0, GSP_ELF_BYTES);
	memcpy(file, "\177ELF\2\1\1", 7);
	vgpu_put_le32(file + 40, GSP_ELF_SECTIONS);
	put16(file + 58, 64);
	put16(file + 60, GSP_ELF_COUNT);
	put16(file + 62, 3);
	fill(file + GSP_ELF_IMAGE, GSP_ELF_IMAGE_BYTES, 0x88);
	fill(file + GSP_ELF_SIGNATURE, GSP_ELF_SIGNATURE_BYTES, 0x99);
	memcpy(file + GSP_ELF_NAMES, names, sizeof(names));
	put_section(file, 1, 1, GSP_ELF_IMAGE, GSP_ELF_IMAGE_BYTES);
	put_section(file, 2, 10, GSP_ELF_SIGNATURE, GSP_ELF_SIGNATURE_BYTES);
	put_section(file, 3, 10 + sizeof(GSP_SIGNATURE_SECTION), GSP_ELF_NAMES,
		    sizeof(names));
}
