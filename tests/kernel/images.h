/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A VBIOS and firmware files that are made here, with nothing of a vendor's. */
#ifndef VGPU_TESTS_KERNEL_IMAGES_H
#define VGPU_TESTS_KERNEL_IMAGES_H

#include "kernel/core/pure/port.h"

/*
 * The ROM: an IFR header where ROM_START is not 0, a base image with the BIT
 * table, an EFI image, and an extension with FWSEC and two signatures.
 */
#define ROM_BYTES		 0x8000
#define ROM_START		 0x1000
#define ROM_BASE_BYTES		 0x800
#define ROM_EFI_BYTES		 0x400
#define ROM_EXTENSION_BYTES	 0x4000
#define ROM_EXTENSION		 (ROM_BASE_BYTES + ROM_EFI_BYTES)
#define ROM_BIT			 0x100 /* in the base image */
#define ROM_FALCON_DATA		 0x180 /* likewise */
#define ROM_UCODE_TABLE		 0x80  /* in the extension, as are the others */
#define ROM_DESCRIPTOR		 0x100
#define ROM_DESCRIPTOR_BYTES	 (44 + 2 * 384)
#define ROM_FWSEC		 (ROM_DESCRIPTOR + ROM_DESCRIPTOR_BYTES)
#define FWSEC_CODE_BYTES	 0x400
#define FWSEC_DATA_BYTES	 0x600
#define FWSEC_INTERFACE		 0x20
#define FWSEC_MAPPER		 0x40
#define FWSEC_INPUT		 0x100
#define FWSEC_SIGNATURE		 0x400
#define FWSEC_SIGNATURE_VERSIONS 0x0a /* for fuse versions 1 and 3 */

/* Where in the ROM something of the extension is. */
#define ROM_AT(offset) (ROM_START + ROM_EXTENSION + (offset))

void make_rom(u8 *rom);

#define BOOTER_BYTES	   0x1400
#define BOOTER_HS_HEADER   24
#define BOOTER_SIGNATURES  60
#define BOOTER_PATCH	   (BOOTER_SIGNATURES + 2 * 384)
#define BOOTER_LOAD_HEADER (BOOTER_PATCH + 24)
#define BOOTER_IMAGE	   (BOOTER_LOAD_HEADER + 36)
#define BOOTER_IMAGE_BYTES 0x1000

void make_booter(u8 *file);

#define BOOTLOADER_BYTES       (24 + 84 + 0x3000)
#define BOOTLOADER_IMAGE       (24 + 84)
#define BOOTLOADER_IMAGE_BYTES 0x3000

void make_bootloader(u8 *file);

#define GSP_ELF_BYTES		0x1000
#define GSP_ELF_IMAGE		0x40
#define GSP_ELF_IMAGE_BYTES	0x600
#define GSP_ELF_SIGNATURE	0x640
#define GSP_ELF_SIGNATURE_BYTES 0x180
#define GSP_ELF_NAMES		0x7c0
#define GSP_ELF_SECTIONS	0x800
#define GSP_ELF_COUNT		4
#define GSP_SIGNATURE_SECTION	".fwsignature_ad10x"

void make_gsp_elf(u8 *file);

#endif
