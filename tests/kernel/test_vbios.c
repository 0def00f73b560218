/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VBIOS: a good one, and one thing broken in each. */
#include <stdlib.h>

#include "kernel/core/pure/vbios.h"
#include "images.h"
#include "test.h"

static u8 rom[ROM_BYTES];
static struct vgpu_vbios vbios;
static struct vgpu_fwsec fwsec;

static int setup(void **state)
{
	make_rom(rom);
	return 0;
}

static void parse(void)
{
	assert_int_equal(vgpu_vbios_parse(&vbios, rom, ROM_BYTES), 0);
	assert_int_equal(vgpu_vbios_find_fwsec(&vbios, &fwsec), 0);
}

static void finds_images_behind_an_ifr(void **state)
{
	parse();
	assert_int_equal(vbios.start, ROM_START);
	assert_int_equal(vbios.image_count, 3);
	assert_int_equal(vbios.bytes, ROM_EXTENSION + ROM_EXTENSION_BYTES);
	assert_int_equal(vbios.extension_shift, ROM_EFI_BYTES);
}

static void finds_images_of_a_directory(void **state)
{
	vgpu_put_le32(rom + 4, 3 << 8);
	vgpu_put_le32(rom + 8, 0x20); /* where the status of the flash is told */
	vgpu_put_le32(rom + 0x20, ROM_BYTES - 0x1000 - 16);
	memcpy(rom + ROM_BYTES - 16, "RFRD", 4);
	vgpu_put_le32(rom + ROM_BYTES - 8, ROM_START);
	parse();
	rom[ROM_BYTES - 16] = 'x';
	assert_int_equal(vgpu_vbios_parse(&vbios, rom, ROM_BYTES), -EINVAL);
}

static void finds_images_at_the_start(void **state)
{
	memmove(rom, rom + ROM_START, ROM_BYTES - ROM_START);
	parse();
	assert_int_equal(vbios.start, 0);
}

static void reads_the_descriptor(void **state)
{
	parse();
	assert_ptr_equal(fwsec.falcon.image, rom + ROM_AT(ROM_FWSEC));
	assert_int_equal(fwsec.falcon.image_bytes, 0xa00);
	assert_int_equal(fwsec.falcon.code_bytes, FWSEC_CODE_BYTES);
	assert_int_equal(fwsec.falcon.code_virtual, 0x100);
	assert_int_equal(fwsec.falcon.data_offset, FWSEC_CODE_BYTES);
	assert_int_equal(fwsec.falcon.data_bytes, FWSEC_DATA_BYTES);
	assert_int_equal(fwsec.falcon.signature_offset, FWSEC_SIGNATURE);
	assert_int_equal(fwsec.falcon.engine_mask, 0x400);
	assert_int_equal(fwsec.falcon.ucode_id, 9);
	assert_int_equal(fwsec.interface_offset, FWSEC_INTERFACE);
}

static void picks_the_signature_of_the_fuses(void **state)
{
	const u8 *first = rom + ROM_AT(ROM_DESCRIPTOR) + 44;

	parse();
	assert_null(vgpu_fwsec_signature(&fwsec, 0));
	assert_ptr_equal(vgpu_fwsec_signature(&fwsec, 1), first);
	assert_null(vgpu_fwsec_signature(&fwsec, 2));
	assert_ptr_equal(vgpu_fwsec_signature(&fwsec, 3), first + 384);
	assert_null(vgpu_fwsec_signature(&fwsec, 16));
	assert_null(vgpu_fwsec_signature(&fwsec, U32_MAX));
	fwsec.signature_versions = 0xffff; /* more than there are signatures */
	assert_null(vgpu_fwsec_signature(&fwsec, 2));
}

static void puts_a_command_and_a_signature(void **state)
{
	static const u32 frts[] = {1, 24, 0,	    0,	   0, 2,
				   1, 20, 0x123400, 0x100, 2};
	u8 copy[FWSEC_CODE_BYTES + FWSEC_DATA_BYTES];
	u8 *data = copy + FWSEC_CODE_BYTES;

	parse();
	memcpy(copy, fwsec.falcon.image, sizeof(copy));
	vgpu_falcon_image_sign(&fwsec.falcon, copy,
			       vgpu_fwsec_signature(&fwsec, 3));
	assert_memory_equal(data + FWSEC_SIGNATURE,
			    rom + ROM_AT(ROM_DESCRIPTOR) + 44 + 384, 384);

	assert_int_equal(
		vgpu_fwsec_command_frts(&fwsec, copy, 0x123400000, 0x100000), 0);
	assert_int_equal(vgpu_get_le32(data + FWSEC_MAPPER + 44), 0x15);
	assert_memory_equal(data + FWSEC_INPUT, frts, sizeof(frts));
	/* Nothing else but the signature was touched. */
	memcpy(data + FWSEC_SIGNATURE,
	       fwsec.falcon.image + FWSEC_CODE_BYTES + FWSEC_SIGNATURE, 384);
	memcpy(data + FWSEC_MAPPER + 44,
	       fwsec.falcon.image + FWSEC_CODE_BYTES + FWSEC_MAPPER + 44, 4);
	memcpy(data + FWSEC_INPUT,
	       fwsec.falcon.image + FWSEC_CODE_BYTES + FWSEC_INPUT, sizeof(frts));
	assert_memory_equal(copy, fwsec.falcon.image, sizeof(copy));

	assert_int_equal(vgpu_fwsec_command_sb(&fwsec, copy), 0);
	assert_int_equal(vgpu_get_le32(data + FWSEC_MAPPER + 44), 0x19);
	assert_memory_equal(data + FWSEC_INPUT, frts, 24);

	assert_int_equal(vgpu_fwsec_command_frts(&fwsec, copy, 0x1001, 0x1000),
			 -EINVAL);
	assert_int_equal(vgpu_fwsec_command_frts(&fwsec, copy, 0, 0x1000),
			 -EINVAL);
	assert_int_equal(vgpu_fwsec_command_frts(&fwsec, copy, 0x1000, 0),
			 -EINVAL);
	assert_int_equal(vgpu_fwsec_command_frts(&fwsec, copy, 1ULL << 44, 0x1000),
			 -EINVAL);
}

static void refuses_broken_commands(void **state)
{
	static const struct {
		u32 at;
		u32 value;
	} broken[] = {
		{FWSEC_INTERFACE, 0x02080402}, /* version */
		{FWSEC_INTERFACE, 0x02080301}, /* header bytes */
		{FWSEC_INTERFACE, 0x02070401}, /* entry bytes */
		{FWSEC_INTERFACE, 0x01080401}, /* too few entries */
		{FWSEC_INTERFACE, 0xff08ff01}, /* entries go on outside */
		{FWSEC_INTERFACE + 12, 5},     /* no mapper */
		{FWSEC_INTERFACE + 16, FWSEC_DATA_BYTES - 63},
		{FWSEC_INTERFACE + 16, U32_MAX},
		{FWSEC_MAPPER + 8, FWSEC_DATA_BYTES - 43},
		{FWSEC_MAPPER + 8, U32_MAX},
	};
	u8 copy[FWSEC_CODE_BYTES + FWSEC_DATA_BYTES];

	parse();
	for (u32 i = 0; i < VGPU_COUNT_OF(broken); i++) {
		memcpy(copy, fwsec.falcon.image, sizeof(copy));
		vgpu_put_le32(copy + FWSEC_CODE_BYTES + broken[i].at,
			      broken[i].value);
		assert_int_equal(vgpu_fwsec_command_frts(&fwsec, copy, 0x100000,
							 0x100000),
				 -EINVAL);
	}
	fwsec.interface_offset = FWSEC_DATA_BYTES - 3;
	assert_int_equal(vgpu_fwsec_command_sb(&fwsec, copy), -EINVAL);
	fwsec.interface_offset = U32_MAX;
	assert_int_equal(vgpu_fwsec_command_sb(&fwsec, copy), -EINVAL);
}

static void refuses_broken_images(void **state)
{
	static const struct {
		u32 at;
		u8 value;
	} broken[] = {
		{0, 'x'},				/* no IFR */
		{5, 9},					/* its version */
		{0x44, 2},				/* no alignment */
		{0x46, 0xff},				/* outside */
		{ROM_START, 0},				/* no signature */
		{ROM_START + 0x19, 0xff},		/* PCI data elsewhere */
		{ROM_START + 0x20, 'x'},		/* not PCI data */
		{ROM_START + 0x48, 0},			/* no length */
		{ROM_START + 0x49, 0xff},		/* too long */
		{ROM_START + 0x4a, 0x80},		/* one image only */
		{ROM_START + ROM_BASE_BYTES + 0x48, 1}, /* next one is off */
		{ROM_START + ROM_BIT, 0},		/* no BIT table */
		{ROM_START + ROM_BIT + 8, 13},		/* sum is wrong */
		{ROM_START + ROM_BIT + 18, 0},		/* no falcon data */
		{ROM_START + ROM_BIT + 19, 1},		/* its version */
		{ROM_START + ROM_BIT + 20, 3},		/* its size */
		{ROM_START + ROM_BIT + 23, 0xff},	/* its pointer */
		{ROM_START + ROM_FALCON_DATA + 3, 0xff},
		{ROM_AT(ROM_UCODE_TABLE), 2},	      /* version */
		{ROM_AT(ROM_UCODE_TABLE) + 1, 5},     /* header bytes */
		{ROM_AT(ROM_UCODE_TABLE) + 2, 5},     /* entry bytes */
		{ROM_AT(ROM_UCODE_TABLE) + 3, 2},     /* entries */
		{ROM_AT(ROM_UCODE_TABLE) + 18, 0x45}, /* debug kind */
		{ROM_AT(ROM_DESCRIPTOR), 0},	      /* no version */
		{ROM_AT(ROM_DESCRIPTOR) + 1, 2},      /* version */
		{ROM_AT(ROM_DESCRIPTOR) + 3, 0xff},   /* its bytes */
		{ROM_AT(ROM_DESCRIPTOR) + 5, 0x04},   /* image bytes */
		{ROM_AT(ROM_DESCRIPTOR) + 7, 0xff},   /* likewise, wraps */
		{ROM_AT(ROM_DESCRIPTOR) + 9, 0x06},   /* signature's place */
		{ROM_AT(ROM_DESCRIPTOR) + 11, 0xff},  /* likewise */
		{ROM_AT(ROM_DESCRIPTOR) + 23, 0xff},  /* code bytes */
		{ROM_AT(ROM_DESCRIPTOR) + 33, 0x07},  /* data bytes */
		{ROM_AT(ROM_DESCRIPTOR) + 39, 3},     /* signatures */
	};

	for (u32 i = 0; i < VGPU_COUNT_OF(broken); i++) {
		int rc;

		make_rom(rom);
		rom[broken[i].at] = broken[i].value;
		rc = vgpu_vbios_parse(&vbios, rom, ROM_BYTES);
		if (rc == 0)
			rc = vgpu_vbios_find_fwsec(&vbios, &fwsec);
		if (rc == 0)
			print_error("broken byte %u passed\n", i);
		assert_int_not_equal(rc, 0);
	}
	assert_int_equal(vgpu_vbios_parse(&vbios, rom, VGPU_VBIOS_BYTES_MAX + 1),
			 -EINVAL);
}

/* In memory that ends there, so that the sanitizer sees any read behind it. */
static void reads_nothing_behind_the_end(void **state)
{
	for (u32 bytes = 0; bytes < ROM_BYTES; bytes += bytes < 0x1300 ? 1 : 61) {
		u8 *copy = malloc(bytes ? bytes : 1);

		assert_non_null(copy);
		memcpy(copy, rom, bytes);
		if (vgpu_vbios_parse(&vbios, copy, bytes) == 0)
			vgpu_vbios_find_fwsec(&vbios, &fwsec);
		free(copy);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(finds_images_behind_an_ifr, setup),
		cmocka_unit_test_setup(finds_images_of_a_directory, setup),
		cmocka_unit_test_setup(finds_images_at_the_start, setup),
		cmocka_unit_test_setup(reads_the_descriptor, setup),
		cmocka_unit_test_setup(picks_the_signature_of_the_fuses, setup),
		cmocka_unit_test_setup(puts_a_command_and_a_signature, setup),
		cmocka_unit_test_setup(refuses_broken_commands, setup),
		cmocka_unit_test_setup(refuses_broken_images, setup),
		cmocka_unit_test_setup(reads_nothing_behind_the_end, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
