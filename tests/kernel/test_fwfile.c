/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The firmware files: good ones, and one thing broken in each. */
#include <stdlib.h>

#include "kernel/core/pure/fwfile.h"
#include "images.h"
#include "test.h"

/* The largest of them. */
static u8 file[BOOTLOADER_BYTES];

struct broken {
	u32 at;
	u32 value;
};

static int parse_booter(const u8 *data, u64 bytes)
{
	struct vgpu_booter booter;

	return vgpu_booter_parse(&booter, data, bytes);
}

static int parse_bootloader(const u8 *data, u64 bytes)
{
	struct vgpu_bootloader bootloader;

	return vgpu_bootloader_parse(&bootloader, data, bytes);
}

static int parse_gsp(const u8 *data, u64 bytes)
{
	struct vgpu_gsp_image gsp;

	return vgpu_gsp_image_parse(&gsp, data, bytes, GSP_SIGNATURE_SECTION);
}

/* Each word makes the file one that is refused; without it all is well. */
static void expect_refused(void (*make)(u8 *), u32 bytes,
			   int (*parse)(const u8 *, u64),
			   const struct broken *broken, u32 count)
{
	make(file);
	assert_int_equal(parse(file, bytes), 0);
	for (u32 i = 0; i < count; i++) {
		make(file);
		vgpu_put_le32(file + broken[i].at, broken[i].value);
		if (parse(file, bytes) != -EINVAL)
			fail_msg("broken word %u passed", i);
	}
	/* In memory that ends there, for the sanitizer. */
	make(file);
	for (u32 n = 0; n < bytes; n += n < 0x500 ? 1 : 61) {
		u8 *copy = malloc(n ? n : 1);

		assert_non_null(copy);
		memcpy(copy, file, n);
		parse(copy, n);
		free(copy);
	}
}

static void reads_a_booter(void **state)
{
	struct vgpu_booter booter;
	const u8 *first = file + BOOTER_SIGNATURES;

	make_booter(file);
	assert_int_equal(vgpu_booter_parse(&booter, file, BOOTER_BYTES), 0);
	assert_ptr_equal(booter.falcon.image, file + BOOTER_IMAGE);
	assert_int_equal(booter.falcon.image_bytes, BOOTER_IMAGE_BYTES);
	assert_int_equal(booter.falcon.code_offset, 0x100);
	assert_int_equal(booter.falcon.code_virtual, 0x100);
	assert_int_equal(booter.falcon.code_bytes, 0x900);
	assert_int_equal(booter.falcon.data_offset, 0xa00);
	assert_int_equal(booter.falcon.data_bytes, 0x600);
	assert_int_equal(booter.falcon.signature_offset, 0x10);
	assert_int_equal(booter.falcon.engine_mask, 1);
	assert_int_equal(booter.falcon.ucode_id, 3);
	assert_int_equal(booter.fuse_version, 1);
	assert_ptr_equal(vgpu_booter_signature(&booter, 0), first + 384);
	assert_ptr_equal(vgpu_booter_signature(&booter, 1), first);
	assert_null(vgpu_booter_signature(&booter, 2));
	booter.falcon.signature_count = 1;
	assert_ptr_equal(vgpu_booter_signature(&booter, 2), first);
}

static void refuses_broken_booters(void **state)
{
	static const struct broken broken[] = {
		{0, 0x10df},
		{4, 2},
		{12, BOOTER_BYTES},
		{12, U32_MAX},
		{16, BOOTER_IMAGE + BOOTER_BYTES},
		{16, U32_MAX},
		{20, 0},
		{20, BOOTER_BYTES},
		{BOOTER_HS_HEADER, BOOTER_BYTES},
		{BOOTER_HS_HEADER, U32_MAX},
		{BOOTER_HS_HEADER + 4, 384},
		{BOOTER_HS_HEADER + 8, BOOTER_BYTES},
		{BOOTER_HS_HEADER + 12, U32_MAX},
		{BOOTER_HS_HEADER + 12, BOOTER_PATCH + 8}, /* not 0 there */
		{BOOTER_HS_HEADER + 16, BOOTER_BYTES},
		{BOOTER_HS_HEADER + 20, 8},
		{BOOTER_HS_HEADER + 24, U32_MAX},
		{BOOTER_HS_HEADER + 28, BOOTER_BYTES - 20},
		{BOOTER_HS_HEADER + 28, U32_MAX},
		{BOOTER_HS_HEADER + 32, 20},
		{BOOTER_PATCH, 0x9ff},
		{BOOTER_PATCH, 0xe81},
		{BOOTER_PATCH, U32_MAX},
		{BOOTER_PATCH + 20, 0},
		{BOOTER_PATCH + 20, 3},
		{BOOTER_PATCH + 20, 0x80000002},
		{BOOTER_LOAD_HEADER + 8, 0xa11},
		{BOOTER_LOAD_HEADER + 12, 0x601},
		{BOOTER_LOAD_HEADER + 12, U32_MAX},
		{BOOTER_LOAD_HEADER + 16, 2},
		{BOOTER_LOAD_HEADER + 20, U32_MAX},
		{BOOTER_LOAD_HEADER + 24, 0xf01},
	};

	expect_refused(make_booter, BOOTER_BYTES, parse_booter, broken,
		       VGPU_COUNT_OF(broken));
}

static void reads_a_bootloader(void **state)
{
	struct vgpu_bootloader bootloader;

	make_bootloader(file);
	assert_int_equal(
		vgpu_bootloader_parse(&bootloader, file, BOOTLOADER_BYTES), 0);
	assert_ptr_equal(bootloader.image, file + BOOTLOADER_IMAGE);
	assert_int_equal(bootloader.image_bytes, BOOTLOADER_IMAGE_BYTES);
	assert_int_equal(bootloader.app_version, 0x1234);
	assert_int_equal(bootloader.manifest_offset, 0);
	assert_int_equal(bootloader.data_offset, 0x800);
	assert_int_equal(bootloader.code_offset, 0x1800);
}

static void refuses_broken_bootloaders(void **state)
{
	static const struct broken broken[] = {
		{0, 0},
		{12, BOOTLOADER_BYTES - 83},
		{12, U32_MAX},
		{16, U32_MAX},
		{20, BOOTLOADER_IMAGE_BYTES + 1},
		{24 + 32, U32_MAX},
		{24 + 36, BOOTLOADER_IMAGE_BYTES + 1},
		{24 + 40, BOOTLOADER_IMAGE_BYTES},
		{24 + 44, U32_MAX},
		{24 + 48, BOOTLOADER_IMAGE_BYTES},
		{24 + 52, 0x1801},
	};

	expect_refused(make_bootloader, BOOTLOADER_BYTES, parse_bootloader,
		       broken, VGPU_COUNT_OF(broken));
}

static void reads_a_gsp_image(void **state)
{
	struct vgpu_gsp_image gsp;

	make_gsp_elf(file);
	assert_int_equal(vgpu_gsp_image_parse(&gsp, file, GSP_ELF_BYTES,
					      GSP_SIGNATURE_SECTION),
			 0);
	assert_ptr_equal(gsp.image, file + GSP_ELF_IMAGE);
	assert_int_equal(gsp.image_bytes, GSP_ELF_IMAGE_BYTES);
	assert_ptr_equal(gsp.signature, file + GSP_ELF_SIGNATURE);
	assert_int_equal(gsp.signature_bytes, GSP_ELF_SIGNATURE_BYTES);
	/* A name that another one begins with is not the other one. */
	assert_int_equal(vgpu_gsp_image_parse(&gsp, file, GSP_ELF_BYTES,
					      ".fwsignature_ad10"),
			 -EINVAL);
}

static void refuses_broken_gsp_images(void **state)
{
	static const struct broken broken[] = {
		{0, 0x464c4580},
		{4, 0x010101}, /* 32 bits */
		{4, 0x010202}, /* big endian */
		{40, GSP_ELF_BYTES - 255},
		{40, U32_MAX},
		{44, U32_MAX},	  /* its upper half */
		{58, 0x00040028}, /* section bytes */
		{60, 0x00030003}, /* names are not in the table */
		{60, 0x0003ffff},
		{GSP_ELF_SECTIONS + 64, 0}, /* names */
		{GSP_ELF_SECTIONS + 64, U32_MAX},
		{GSP_ELF_SECTIONS + 128, 0},
		{GSP_ELF_SECTIONS + 192 + 28, 1}, /* the names' contents */
		{GSP_ELF_SECTIONS + 192 + 32, 12},
		{GSP_ELF_SECTIONS + 64 + 24, GSP_ELF_BYTES},
		{GSP_ELF_SECTIONS + 64 + 28, U32_MAX},
		{GSP_ELF_SECTIONS + 64 + 32, 0},
		{GSP_ELF_SECTIONS + 64 + 36, U32_MAX},
		{GSP_ELF_SECTIONS + 128 + 32, GSP_ELF_BYTES},
		{GSP_ELF_SECTIONS + 128 + 32, 0},
	};

	expect_refused(make_gsp_elf, GSP_ELF_BYTES, parse_gsp, broken,
		       VGPU_COUNT_OF(broken));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_a_booter),
		cmocka_unit_test(refuses_broken_booters),
		cmocka_unit_test(reads_a_bootloader),
		cmocka_unit_test(refuses_broken_bootloaders),
		cmocka_unit_test(reads_a_gsp_image),
		cmocka_unit_test(refuses_broken_gsp_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
