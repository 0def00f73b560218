/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the parsers of the VBIOS, firmware files, register programs and types. */
#include <stdlib.h>

#include "kernel/core/pure/fwfile.h"
#include "kernel/core/pure/sequencer.h"
#include "kernel/core/pure/vbios.h"
#include "kernel/mgr/types.h"
#include "tests/kernel/images.h"

/*
 * The first byte says of which kind the input is, and whether it is a file as
 * it is or a list of bytes to change in a good one. The file lies in memory
 * that ends with it, and what a parser returns is read to its last byte.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile u8 sum;

static void touch(const u8 *p, u64 bytes)
{
	for (u64 i = 0; i < bytes; i++)
		sum += p[i];
}

static void use_falcon(const struct vgpu_falcon_image *falcon)
{
	if (!vgpu_falcon_image_is_sound(falcon))
		abort();
	touch(falcon->image, falcon->image_bytes);
	touch(falcon->signatures,
	      (u64)falcon->signature_count * VGPU_FALCON_SIGNATURE_BYTES);
}

/* As the driver does: a copy, a signature in it, and a command. */
static void load_falcon(const struct vgpu_falcon_image *falcon,
			const u8 *signature, const struct vgpu_fwsec *fwsec)
{
	u8 *copy = malloc(falcon->image_bytes);

	if (!copy)
		abort();
	memcpy(copy, falcon->image, falcon->image_bytes);
	if (signature)
		vgpu_falcon_image_sign(falcon, copy, signature);
	if (fwsec) {
		vgpu_fwsec_command_frts(fwsec, copy, 0x100000, 0x100000);
		vgpu_fwsec_command_sb(fwsec, copy);
	}
	free(copy);
}

static void use_rom(const u8 *rom, size_t bytes)
{
	struct vgpu_vbios vbios;
	struct vgpu_fwsec fwsec;

	if (vgpu_vbios_parse(&vbios, rom, (u32)bytes))
		return;
	touch(vbios.rom + vbios.start, vbios.bytes);
	if (vgpu_vbios_find_fwsec(&vbios, &fwsec))
		return;
	use_falcon(&fwsec.falcon);
	for (u32 version = 0; version < 17; version++)
		load_falcon(&fwsec.falcon,
			    vgpu_fwsec_signature(&fwsec, version), &fwsec);
}

static void use_booter(const u8 *file, size_t bytes)
{
	struct vgpu_booter booter;

	if (vgpu_booter_parse(&booter, file, bytes))
		return;
	use_falcon(&booter.falcon);
	for (u32 version = 0; version < 4; version++)
		load_falcon(&booter.falcon,
			    vgpu_booter_signature(&booter, version), NULL);
}

static void use_bootloader(const u8 *file, size_t bytes)
{
	struct vgpu_bootloader bootloader;

	if (vgpu_bootloader_parse(&bootloader, file, bytes))
		return;
	touch(bootloader.image, bootloader.image_bytes);
	if (bootloader.code_offset > bootloader.image_bytes ||
	    bootloader.data_offset > bootloader.image_bytes ||
	    bootloader.manifest_offset > bootloader.image_bytes)
		abort();
}

static void use_gsp(const u8 *file, size_t bytes)
{
	struct vgpu_gsp_image gsp;

	if (vgpu_gsp_image_parse(&gsp, file, bytes, GSP_SIGNATURE_SECTION))
		return;
	touch(gsp.image, gsp.image_bytes);
	touch(gsp.signature, gsp.signature_bytes);
}

#define PROGRAM_WORDS 60

static void make_program(u8 *file)
{
	for (u32 i = 0; i < PROGRAM_WORDS; i++)
		vgpu_put_le32(file + 4 * i, 0);
	vgpu_put_le32(file, PROGRAM_WORDS);
	vgpu_put_le32(file + 4, PROGRAM_WORDS - 10);
}

static void use_program(const u8 *file, size_t bytes)
{
	struct vgpu_sequencer sequencer;
	struct vgpu_sequencer_step step;
	size_t steps = 0;

	if (vgpu_sequencer_init(&sequencer, file, (u32)bytes, ROM_BYTES))
		return;
	while (vgpu_sequencer_next(&sequencer, &step) == 0)
		if (step.address > ROM_BYTES - 4 ||
		    step.us > VGPU_SEQUENCER_US_MAX || ++steps > bytes)
			abort();
}

#define TYPES	      3
#define PAYLOAD_BYTES 16
#define TYPES_BYTES                                                            \
	(sizeof(struct vgpu_type_file_header) +                                \
	 TYPES * sizeof(struct vgpu_type) + PAYLOAD_BYTES)
#define PCI_ID 0x26b910de

static void make_types(u8 *file)
{
	struct vgpu_type_file_header *header = (void *)file;
	struct vgpu_type *types = (void *)(header + 1);

	memset(file, 0, TYPES_BYTES);
	*header = (struct vgpu_type_file_header){
		.version = VGPU_TYPE_FILE_VERSION,
		.firmware_version = "570.144",
		.pci_id = PCI_ID,
		.type_count = TYPES,
		.type_bytes = sizeof(*types),
		.gib = 48,
		.payload_bytes = PAYLOAD_BYTES,
	};
	memcpy(header->magic, VGPU_TYPE_FILE_MAGIC, sizeof(header->magic));
	for (u32 i = 0; i < TYPES; i++)
		types[i] = (struct vgpu_type){
			.id = i + 1,
			.name = "name",
			.class = "class",
			.max_instances = 6,
			.gib = 8,
			.framebuffer_bytes = 1ULL << 33,
			.heap_bytes = 1 << 26,
			.bar1_bytes = 1 << 26,
		};
}

/* With the right checksum, which stops most of what is changed. */
static void use_types(const u8 *file, size_t bytes)
{
	struct vgpu_type_file types;
	const char *why;
	u8 *copy = malloc(bytes ? bytes : 1);

	if (!copy)
		abort();
	memcpy(copy, file, bytes);
	if (bytes >= sizeof(struct vgpu_type_file_header))
		vgpu_put_le32(copy + 8, vgpu_crc32(copy + 12, bytes - 12));
	if (vgpu_types_read(copy, bytes, "570.144", PCI_ID, &types, &why) == 0) {
		touch((const u8 *)types.types,
		      types.count * sizeof(*types.types));
		touch(types.payload, types.payload_bytes);
		for (u32 i = 0; i < types.count; i++)
			if (vgpu_types_find(&types, types.types[i].id) !=
				    &types.types[i] ||
			    !types.types[i].max_instances)
				abort();
	}
	free(copy);
}

static const struct {
	void (*make)(u8 *file);
	void (*use)(const u8 *file, size_t bytes);
	u32 bytes;
} kinds[] = {
	{make_rom, use_rom, ROM_BYTES},
	{make_booter, use_booter, BOOTER_BYTES},
	{make_bootloader, use_bootloader, BOOTLOADER_BYTES},
	{make_gsp_elf, use_gsp, GSP_ELF_BYTES},
	{make_program, use_program, 4 * PROGRAM_WORDS},
	{make_types, use_types, TYPES_BYTES},
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	u32 kind = size ? (data[0] & 7) % VGPU_COUNT_OF(kinds) : 0;
	bool is_raw = size && data[0] & 8;
	size_t bytes = is_raw ? size - 1 : kinds[kind].bytes;
	u8 *file = malloc(bytes ? bytes : 1);

	if (!file)
		abort();
	if (is_raw)
		memcpy(file, data + 1, bytes);
	else
		kinds[kind].make(file);
	/* An offset of two bytes and a byte for it, each. */
	for (size_t i = 1; !is_raw && i + 3 <= size; i += 3)
		file[(data[i] << 8 | data[i + 1]) % bytes] = data[i + 2];
	kinds[kind].use(file, bytes);
	free(file);
	return 0;
}
