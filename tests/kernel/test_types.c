/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The file of vGPU types, as make_types.py makes it and with everything broken. */
#include <stdio.h>
#include <stdlib.h>

#include "kernel/mgr/types.h"
#include "test.h"

#define VERSION	   "570.144"
#define PCI_ID	   0x26b910de
#define CRC_AT	   8
#define CRC_OF	   12
#define HEADER	   sizeof(struct vgpu_type_file_header)
#define L40S_TYPES 23
#define GIB	   0x40000000ULL

static const char *path;
static u8 *file;
static long bytes;

static int read_file(void **state)
{
	FILE *stream = fopen(path, "rb");

	(void)state;
	if (!stream || fseek(stream, 0, SEEK_END) != 0)
		return -1;
	bytes = ftell(stream);
	if (bytes < 0 || fseek(stream, 0, SEEK_SET) != 0)
		return -1;
	file = malloc((size_t)bytes);
	if (!file || fread(file, 1, (size_t)bytes, stream) != (size_t)bytes)
		return -1;
	return fclose(stream);
}

static int drop_file(void **state)
{
	(void)state;
	free(file);
	return 0;
}

static int read_types(u64 count, struct vgpu_type_file *ret_types)
{
	const char *why = NULL;
	int rc = vgpu_types_read(file, count, VERSION, PCI_ID, ret_types, &why);

	assert_int_equal(rc != 0, why != NULL);
	return rc;
}

static void sign(void)
{
	vgpu_put_le32(file + CRC_AT,
		      vgpu_crc32(file + CRC_OF, (size_t)bytes - CRC_OF));
}

static void reads_what_the_tool_makes(void **state)
{
	const struct vgpu_type *type;
	struct vgpu_type_file types;

	(void)state;
	assert_int_equal(read_types((u64)bytes, &types), 0);
	assert_int_equal(types.count, L40S_TYPES);
	assert_int_equal(types.gib, 48);
	type = vgpu_types_find(&types, 1152);
	assert_non_null(type);
	assert_string_equal(type->name, "NVIDIA L40S-8Q");
	assert_string_equal(type->class, "Quadro");
	assert_int_equal(type->gib, 8);
	assert_int_equal(type->max_instances, 6);
	assert_int_equal(type->heads, 4);
	assert_true(type->framebuffer_bytes == 8 * GIB);
	assert_int_equal(type->guest_device, 0x26b9);
	assert_null(vgpu_types_find(&types, 0));
	assert_null(vgpu_types_find(&types, 1167));
	/* The firmware is told of as many. */
	assert_int_equal(vgpu_get_le32(types.payload + 4), L40S_TYPES);
}

static void refuses_what_is_for_others(void **state)
{
	struct vgpu_type_file types;
	const char *why;

	(void)state;
	assert_int_equal(vgpu_types_read(file, (u64)bytes, "535.113.01", PCI_ID,
					 &types, &why),
			 -ENOENT);
	assert_int_equal(vgpu_types_read(file, (u64)bytes, VERSION, 0x26b510de,
					 &types, &why),
			 -ENOENT);
}

static void refuses_what_is_cut_or_changed(void **state)
{
	struct vgpu_type_file types;

	(void)state;
	for (u64 n = 0; n < HEADER + 64; n++)
		assert_int_equal(read_types(n, &types), -EBADMSG);
	assert_int_equal(read_types((u64)bytes - 1, &types), -EBADMSG);
	for (u64 at = 0; at < HEADER + 16; at++) {
		file[at] ^= 0x10;
		assert_int_equal(read_types((u64)bytes, &types), -EBADMSG);
		file[at] ^= 0x10;
	}
	file[bytes - 1] ^= 1;
	assert_int_equal(read_types((u64)bytes, &types), -EBADMSG);
	file[bytes - 1] ^= 1;
}

/* With a good checksum, one field after the other makes no sense. */
static void refuses_what_makes_no_sense(void **state)
{
	static const struct {
		size_t at;
		u32 value;
	} cases[] = {
#define IN_HEADER(field) offsetof(struct vgpu_type_file_header, field)
#define IN_TYPE(field)	 HEADER + offsetof(struct vgpu_type, field)
		{IN_HEADER(version), 2},
		{IN_HEADER(firmware_version), 0},
		{IN_HEADER(type_count), 0},
		{IN_HEADER(type_count), VGPU_TYPES_MAX + 1},
		{IN_HEADER(type_count), L40S_TYPES + 1},
		{IN_HEADER(type_bytes), 104},
		{IN_HEADER(gib), 47},
		{IN_HEADER(payload_bytes), 0},
		{IN_HEADER(payload_bytes), 0xffffffff},
		{IN_TYPE(id), 0},
		{IN_TYPE(id), 1148},
		{IN_TYPE(name), 0x20200a20},
		{IN_TYPE(name), 0},
		{IN_TYPE(class), 0},
		{IN_TYPE(max_instances), 0},
		{IN_TYPE(max_instances), 33},
		{IN_TYPE(gib), 0},
		{IN_TYPE(gib), 2},
		{IN_TYPE(framebuffer_bytes), 1},
		{IN_TYPE(heap_bytes), 0},
		{IN_TYPE(heap_bytes), 0x00c00000},
		{IN_TYPE(heap_bytes), 0x00200000},
		{IN_TYPE(heap_bytes), 0x80000000},
		{IN_TYPE(bar1_bytes), 0x00008000},
		{IN_TYPE(bar1_bytes), 0x00030000},
	};
	struct vgpu_type_file types;

	(void)state;
	for (size_t i = 0; i < VGPU_COUNT_OF(cases); i++) {
		u32 was = vgpu_get_le32(file + cases[i].at);

		vgpu_put_le32(file + cases[i].at, cases[i].value);
		if (cases[i].at == IN_TYPE(framebuffer_bytes))
			vgpu_put_le32(file + cases[i].at + 4, 1);
		sign();
		assert_int_equal(read_types((u64)bytes, &types), -EBADMSG);
		vgpu_put_le32(file + cases[i].at, was);
		if (cases[i].at == IN_TYPE(framebuffer_bytes))
			vgpu_put_le32(file + cases[i].at + 4, 0);
	}
	sign();
	assert_int_equal(read_types((u64)bytes, &types), 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reads_what_the_tool_makes),
		cmocka_unit_test(refuses_what_is_for_others),
		cmocka_unit_test(refuses_what_is_cut_or_changed),
		cmocka_unit_test(refuses_what_makes_no_sense),
	};

	if (argc != 2)
		return 2;
	path = argv[1];
	return cmocka_run_group_tests(tests, read_file, drop_file);
}
