/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile guest says: boxes, sizes, ids and counts (classes T1 to T6). */
#include "tests/device/gpu_guest.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK	      VGPU_GPU_OK_NODATA
#define BAD_ID	      VGPU_GPU_ERR_INVALID_RESOURCE_ID
#define BAD_SCANOUT   VGPU_GPU_ERR_INVALID_SCANOUT_ID
#define BAD_PARAMETER VGPU_GPU_ERR_INVALID_PARAMETER

static void test_t1_transfer_box_and_offset(void **state)
{
	struct guest *guest = *state;
	const uint32_t bytes = GUEST_SIDE * GUEST_SIDE * 4;

	/* Of three the middle one is written, the others must stay. */
	for (uint32_t id = 1; id <= 3; id++)
		guest_create_2d(guest, id, VGPU_GPU_B8G8R8A8, GUEST_SIDE,
				GUEST_SIDE);
	memset(guest->memory, 0xee, 2ul * bytes);
	guest_attach_scattered(guest, 2, 0, bytes);

	for (size_t i = 0; i < GUEST_N_ODD * GUEST_N_ODD; i++) {
		uint32_t from = guest_odd_values[i / GUEST_N_ODD];
		uint32_t size = guest_odd_values[i % GUEST_N_ODD];
		bool fits = (uint64_t)from + size <= GUEST_SIDE;
		uint32_t want = fits ? OK : BAD_PARAMETER;

		assert_int_equal(guest_transfer(guest, 2, from, 0, size, 1, 0),
				 want);
		assert_int_equal(guest_transfer(guest, 2, 0, from, 1, size, 0),
				 want);
		assert_int_equal(guest_flush(guest, 2, from, from, size, size),
				 want);
	}
	for (size_t i = 0; i < GUEST_N_ODD; i++) {
		uint64_t low = guest_odd_values[i];
		uint64_t offsets[] = {low, low << 32, UINT64_MAX - low};

		for (size_t j = 0; j < VGPU_ARRAY_SIZE(offsets); j++) {
			/* One row less than the backing has. */
			bool fits = offsets[j] <= GUEST_SIDE * 4;

			assert_int_equal(
				guest_transfer(guest, 2, 0, 0, GUEST_SIDE,
					       GUEST_SIDE - 1, offsets[j]),
				fits ? OK : BAD_PARAMETER);
		}
	}
	for (uint32_t id = 1; id <= 3; id += 2) {
		const struct vgpu_gpu_state_resource *other;
		const uint8_t *storage;

		other = vgpu_gpu_resource_find(guest->gpu, id);
		storage = vgpu_gpu_storage_map(guest->gpu, other->storage);
		for (uint32_t i = 0; i < bytes; i++)
			assert_int_equal(storage[i], 0);
	}
}

static void test_t1_backing_shorter_than_claimed(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_attach_backing attach = {1, 3};
	const struct vgpu_gpu_entry entries[2] = {{GUEST_BASE, 4096, 0},
						  {GUEST_BASE, 4096, 0}};

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, GUEST_SIDE, GUEST_SIDE);
	assert_int_equal(guest_send_entries(guest,
					    VGPU_GPU_RESOURCE_ATTACH_BACKING,
					    &attach, sizeof(attach), entries, 2),
			 BAD_PARAMETER);
	assert_int_equal(
		guest_attach(guest, 1, 0, GUEST_SIDE * GUEST_SIDE * 4 - 1), OK);
	assert_int_equal(guest_transfer(guest, 1, 0, 0, GUEST_SIDE, GUEST_SIDE, 0),
			 BAD_PARAMETER);
	assert_int_equal(
		guest_transfer(guest, 1, 0, 0, GUEST_SIDE, GUEST_SIDE - 1, 0),
		OK);
}

static uint32_t create_blob(struct guest *guest, uint32_t id, uint32_t mem,
			    uint64_t bytes, uint32_t backed)
{
	const struct vgpu_gpu_create_blob create = {
		.resource_id = id,
		.blob_mem = mem,
		.n_entries = 1,
		.bytes = bytes,
	};
	const struct vgpu_gpu_entry entry = {GUEST_BASE, backed, 0};

	return guest_send_entries(guest, VGPU_GPU_RESOURCE_CREATE_BLOB, &create,
				  sizeof(create), &entry, 1);
}

static void test_t2_blob_larger_than_backing(void **state)
{
	struct guest *guest = *state;
	static const uint32_t mems[] = {0, 1, 2, 3, 4, 0x80000001, UINT32_MAX};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(mems); i++) {
		uint32_t mem = mems[i];

		assert_int_equal(create_blob(guest, 1, mem, 16384, 1),
				 BAD_PARAMETER);
		assert_int_equal(create_blob(guest, 1, mem, UINT64_MAX, 4096),
				 BAD_PARAMETER);
		assert_int_equal(create_blob(guest, 1, mem, 0, 4096),
				 BAD_PARAMETER);
		assert_int_equal(create_blob(guest, 1 + i, mem, 4096, 4096),
				 mem == 1 ? OK : BAD_PARAMETER);
	}
	/* Memory attached later is held to the same. */
	assert_int_equal(guest_detach(guest, 2), OK);
	assert_int_equal(guest_attach(guest, 2, 0, 4095), BAD_PARAMETER);
	assert_int_equal(guest_attach(guest, 2, 0, 4096), OK);
}

static uint32_t show_blob(struct guest *guest, uint32_t width, uint32_t height,
			  uint32_t stride, uint32_t offset)
{
	const struct vgpu_gpu_set_scanout_blob set = {
		.rect = {0, 0, 16, 16},
		.resource_id = 1,
		.width = width,
		.height = height,
		.format = VGPU_GPU_B8G8R8X8,
		.strides = {stride},
		.offsets = {offset},
	};

	return guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB, &set, sizeof(set));
}

static void test_t2_scanout_larger_than_resource(void **state)
{
	struct guest *guest = *state;
	struct picture picture;

	assert_int_equal(create_blob(guest, 1, 1, 4096, 8192), OK);
	assert_int_equal(show_blob(guest, 32, 32, 128, 0), OK);
	assert_int_equal(show_blob(guest, 32, 32, 128, 1), BAD_PARAMETER);
	assert_int_equal(show_blob(guest, 32, 33, 128, 0), BAD_PARAMETER);
	assert_int_equal(show_blob(guest, 32, 32, 129, 0), BAD_PARAMETER);
	assert_int_equal(show_blob(guest, 32, 32, 127, 0), BAD_PARAMETER);
	for (size_t i = 0; i < GUEST_N_ODD * GUEST_N_ODD; i++) {
		uint64_t a = guest_odd_values[i / GUEST_N_ODD],
			 b = guest_odd_values[i % GUEST_N_ODD];

		assert_int_equal(show_blob(guest, a, 16, b, 0),
				 a >= 16 && a <= 16384 && b >= a * 4 &&
						 15 * b + a * 4 <= 4096
					 ? OK
					 : BAD_PARAMETER);
		assert_int_equal(show_blob(guest, 16, a, 64, b),
				 a >= 16 && a <= 16384 && a * 64 + b <= 4096
					 ? OK
					 : BAD_PARAMETER);
		assert_int_equal(guest_scanout(guest, 0, 1, a, a, b, b),
				 BAD_ID); /* a blob has no size of its own */
	}
	guest_capture(guest, 0, &picture);
	picture_finish(&picture);

	guest_create_2d(guest, 2, VGPU_GPU_B8G8R8X8, GUEST_SIDE, GUEST_SIDE);
	for (size_t i = 0; i < GUEST_N_ODD * GUEST_N_ODD; i++) {
		uint64_t a = guest_odd_values[i / GUEST_N_ODD],
			 b = guest_odd_values[i % GUEST_N_ODD];
		uint32_t want = b > 0 && a + b <= GUEST_SIDE ? OK : BAD_PARAMETER;

		assert_int_equal(guest_scanout(guest, 0, 2, a, 0, b, 1), want);
		assert_int_equal(guest_scanout(guest, 0, 2, 0, a, 1, b), want);
	}
	/* Nor can a head be larger than its type. */
	guest_create_2d(guest, 3, VGPU_GPU_B8G8R8X8, GUEST_WIDTH + 1, 16);
	assert_int_equal(guest_scanout(guest, 0, 3, 0, 0, GUEST_WIDTH + 1, 16),
			 BAD_PARAMETER);
	assert_int_equal(guest_scanout(guest, 0, 3, 1, 0, GUEST_WIDTH, 16), OK);
}

static void test_t3_nothing_uninitialised_reaches_the_guest(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_header zero = {};
	struct picture picture;
	const uint8_t body[72] = {};

	/* Whatever is asked, padding and unused fields of answers are zero;
	 * guest_send() itself checks that no more is written than is said. */
	for (uint32_t type = 0; type < 0x400; type++) {
		const struct vgpu_gpu_header *header = &guest->answer.header;

		guest_send(guest, type, body, sizeof(body));
		assert_true(guest->written >= sizeof(*header));
		assert_memory_equal((uint8_t *)header + 4, (uint8_t *)&zero + 4,
				    sizeof(zero) - 4);
	}
	/* Nor does the picture of a resource that is gone. */
	memset(guest->memory, 0xee, 4 * GUEST_SIDE * GUEST_SIDE);
	guest_show(guest, 0, 1, 0, GUEST_SIDE, GUEST_SIDE);
	guest_unref(guest, 1);
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8X8, GUEST_SIDE, GUEST_SIDE);
	guest_scanout(guest, 0, 1, 0, 0, GUEST_SIDE, GUEST_SIDE);
	guest_capture(guest, 0, &picture);
	for (uint32_t i = 0; i < GUEST_SIDE * GUEST_SIDE; i++)
		assert_int_equal(picture.pixels[i], 0);
	picture_finish(&picture);
}

static void test_t4_every_id_and_index(void **state)
{
	struct guest *guest = *state;
	static const uint32_t ids[] = {0,	   2,	       0x7fffffff,
				       0x80000000, 0xfffffffe, UINT32_MAX};
	static const uint32_t scanouts[] = {2,	3,	    15,	       16,
					    17, 0x80000000, UINT32_MAX};

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 64, 64);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ids); i++) {
		uint32_t id = ids[i];
		struct vgpu_gpu_resource_only only = {.resource_id = id};
		struct vgpu_gpu_set_scanout_blob blob = {.rect = {0, 0, 1, 1},
							 .resource_id = id};

		assert_int_equal(guest_unref(guest, id), BAD_ID);
		assert_int_equal(guest_attach(guest, id, 0, 4096), BAD_ID);
		assert_int_equal(guest_detach(guest, id), BAD_ID);
		assert_int_equal(guest_transfer(guest, id, 0, 0, 1, 1, 0),
				 BAD_ID);
		assert_int_equal(guest_flush(guest, id, 0, 0, 1, 1), BAD_ID);
		assert_int_equal(guest_send(guest, VGPU_GPU_RESOURCE_ASSIGN_UUID,
					    &only, sizeof(only)),
				 BAD_ID);
		if (id == 0)
			continue; /* turns scanout and cursor off */
		assert_int_equal(guest_scanout(guest, 0, id, 0, 0, 1, 1), BAD_ID);
		assert_int_equal(guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB,
					    &blob, sizeof(blob)),
				 BAD_ID);
		assert_int_equal(guest_cursor(guest, 0, id, 0, 0), BAD_ID);
	}
	/* Ids may be any number but 0, once. */
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ids); i++) {
		assert_int_equal(
			guest_create_2d(guest, ids[i], VGPU_GPU_B8G8R8A8, 1, 1),
			ids[i] ? OK : BAD_ID);
		assert_int_equal(
			guest_create_2d(guest, ids[i], VGPU_GPU_B8G8R8A8, 1, 1),
			BAD_ID);
		assert_int_equal(guest_blob(guest, ids[i], 0, 4096), BAD_ID);
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(scanouts); i++) {
		struct vgpu_gpu_get_edid edid = {.scanout_id = scanouts[i]};
		struct vgpu_gpu_set_scanout_blob blob = {
			.rect = {0, 0, 1, 1},
			.scanout_id = scanouts[i],
			.resource_id = 1,
		};
		struct vgpu_gpu_cursor_request cursor = {.scanout_id =
								 scanouts[i]};

		assert_int_equal(guest_scanout(guest, scanouts[i], 1, 0, 0, 1, 1),
				 BAD_SCANOUT);
		assert_int_equal(guest_scanout(guest, scanouts[i], 0, 0, 0, 0, 0),
				 BAD_SCANOUT);
		assert_int_equal(guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB,
					    &blob, sizeof(blob)),
				 BAD_SCANOUT);
		assert_int_equal(guest_send(guest, VGPU_GPU_GET_EDID, &edid,
					    sizeof(edid)),
				 BAD_SCANOUT);
		assert_int_equal(guest_cursor(guest, scanouts[i], 1, 0, 0),
				 BAD_SCANOUT);
		assert_int_equal(
			guest_send_cursor(guest, VGPU_GPU_MOVE_CURSOR, &cursor),
			BAD_SCANOUT);
	}
	for (uint32_t format = 0; format < 300; format++)
		assert_int_equal(
			guest_create_2d(guest, 1000 + format, format, 1, 1),
			vgpu_gpu_format_order(format) ? OK : BAD_PARAMETER);
}

static void test_t4_cursor_of_wrong_size(void **state)
{
	struct guest *guest = *state;
	static const struct {
		uint32_t width, height;
	} sizes[] = {{63, 64}, {64, 63}, {65, 64}, {128, 128}, {1, 1}};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(sizes); i++) {
		guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, sizes[i].width,
				sizes[i].height);
		assert_int_equal(guest_cursor(guest, 0, 1, 0, 0), BAD_PARAMETER);
		guest_unref(guest, 1);
	}
	guest_blob(guest, 2, 0, 16383);
	assert_int_equal(guest_cursor(guest, 0, 2, 0, 0), BAD_PARAMETER);
}

static void *attach_many(void *argument)
{
	struct guest *guest = argument;

	/* 65000 entries: 1 MiB of request on a stack of an eighth of that. */
	return (void *)(uintptr_t)guest_attach_scattered(guest, 1, 0,
							 65000 * 256);
}

static void test_t5_counts_do_not_size_the_stack(void **state)
{
	struct guest *guest = *state;
	const uint32_t counts[] = {
		0,	    2,		1u << 20,   (1u << 20) + 1,
		0x10000000, 0x10000001, 0x80000000, UINT32_MAX};
	pthread_attr_t attr;
	pthread_t thread;
	void *answer;

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, GUEST_SIDE, GUEST_SIDE);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(counts); i++) {
		struct vgpu_gpu_attach_backing attach = {1, counts[i]};
		struct vgpu_gpu_create_blob blob = {
			.resource_id = 7,
			.blob_mem = 1,
			.n_entries = counts[i],
			.bytes = 1,
		};
		struct vgpu_gpu_entry entry = {GUEST_BASE, 4096, 0};

		assert_int_equal(guest_send_entries(
					 guest, VGPU_GPU_RESOURCE_ATTACH_BACKING,
					 &attach, sizeof(attach), &entry, 1),
				 BAD_PARAMETER);
		assert_int_equal(
			guest_send_entries(guest, VGPU_GPU_RESOURCE_CREATE_BLOB,
					   &blob, sizeof(blob), &entry, 1),
			BAD_PARAMETER);
	}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 * 1024);
	assert_int_equal(pthread_create(&thread, &attr, attach_many, guest), 0);
	pthread_join(thread, &answer);
	pthread_attr_destroy(&attr);
	assert_int_equal((uintptr_t)answer, OK);
}

static void test_t6_sizes_that_overflow(void **state)
{
	struct guest *guest = *state;
	struct vgpu_gpu_attach_backing attach = {1, 1};
	static const struct vgpu_gpu_entry bad[] = {
		{GUEST_BASE, 0, 0},
		{0, 4096, 0},
		{GUEST_BASE - 1, 4096, 0},
		{GUEST_BASE + 32 * VGPU_MIB - 1, 2, 0},
		{GUEST_BASE + 32 * VGPU_MIB, 1, 0},
		{UINT64_MAX, 1, 0},
		{UINT64_MAX - 4095, 4096, 0},
		{UINT64_MAX - 4094, UINT32_MAX, 0},
		{GUEST_BASE, UINT32_MAX, 0},
	};

	for (size_t i = 0; i < GUEST_N_ODD * GUEST_N_ODD; i++) {
		uint32_t a = guest_odd_values[i / GUEST_N_ODD],
			 b = guest_odd_values[i % GUEST_N_ODD];
		bool sane = a > 0 && b > 0 && a <= VGPU_GPU_SIDE_MAX &&
			    b <= VGPU_GPU_SIDE_MAX;
		bool fits =
			(uint64_t)a * b * 4 <= guest->config.framebuffer_bytes;

		assert_int_equal(
			guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, a, b),
			!sane  ? BAD_PARAMETER
			: fits ? OK
			       : VGPU_GPU_ERR_OUT_OF_MEMORY);
		if (sane && fits)
			assert_int_equal(guest_unref(guest, 1), OK);
	}
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, GUEST_SIDE, GUEST_SIDE);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++)
		assert_int_equal(guest_send_entries(
					 guest, VGPU_GPU_RESOURCE_ATTACH_BACKING,
					 &attach, sizeof(attach), &bad[i], 1),
				 BAD_PARAMETER);
}

static void test_t6_tables_fill_up(void **state)
{
	struct guest *guest = *state;
	uint32_t id = 1;

	while (guest_create_2d(guest, id, VGPU_GPU_B8G8R8A8, 1, 1) == OK)
		id++;
	assert_int_equal(id, VGPU_GPU_RESOURCES_MAX + 1);
	assert_int_equal(guest->answer.header.type, VGPU_GPU_ERR_OUT_OF_MEMORY);
	assert_int_equal(guest_blob(guest, id, 0, 4096),
			 VGPU_GPU_ERR_OUT_OF_MEMORY);
	/* 17 times 65000 entries are more than there is room for. */
	for (uint32_t i = 1; i <= 16; i++)
		assert_int_equal(
			guest_attach_scattered(guest, i, 0, 65000 * 256), OK);
	for (uint32_t i = 17; i < 300; i++)
		guest_attach_scattered(guest, i, 0, 4096 * 4096);
	assert_int_equal(guest->answer.header.type, VGPU_GPU_ERR_OUT_OF_MEMORY);
	guest_check(guest);
	assert_int_equal(guest_unref(guest, 5), OK);
	assert_int_equal(guest_blob(guest, id, 0, 4096), OK);
}

static void test_short_requests_and_answers(void **state)
{
	struct guest *guest = *state;
	const uint8_t body[72] = {};
	static const struct {
		uint32_t type;
		size_t body_bytes;
		size_t answer_bytes;
	} commands[] = {
		{VGPU_GPU_GET_DISPLAY_INFO, 0, 408},
		{VGPU_GPU_RESOURCE_CREATE_2D, 16, 24},
		{VGPU_GPU_RESOURCE_UNREF, 8, 24},
		{VGPU_GPU_SET_SCANOUT, 24, 24},
		{VGPU_GPU_RESOURCE_FLUSH, 24, 24},
		{VGPU_GPU_TRANSFER_TO_HOST_2D, 32, 24},
		{VGPU_GPU_RESOURCE_ATTACH_BACKING, 8, 24},
		{VGPU_GPU_RESOURCE_DETACH_BACKING, 8, 24},
		{VGPU_GPU_GET_CAPSET_INFO, 8, 24},
		{VGPU_GPU_GET_CAPSET, 8, 24},
		{VGPU_GPU_GET_EDID, 8, 1056},
		{VGPU_GPU_RESOURCE_ASSIGN_UUID, 8, 40},
		{VGPU_GPU_RESOURCE_CREATE_BLOB, 32, 24},
		{VGPU_GPU_SET_SCANOUT_BLOB, 72, 24},
	};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(commands); i++) {
		size_t whole = commands[i].body_bytes;

		for (size_t bytes = 0; bytes < whole; bytes++)
			assert_int_equal(guest_send(guest, commands[i].type,
						    body, bytes),
					 VGPU_GPU_ERR_UNSPEC);
		for (size_t room = 0; room < commands[i].answer_bytes; room++) {
			guest->writable = room;
			guest_send(guest, commands[i].type, body, whole);
			assert_int_equal(guest->written, room < 24 ? 0 : 24);
			if (room >= 24)
				assert_int_equal(guest->answer.header.type,
						 VGPU_GPU_ERR_UNSPEC);
		}
		guest->writable = sizeof(guest->answer);
	}
	/* With no room for an answer nothing was done either. */
	guest->writable = 23;
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4, 4);
	guest->writable = sizeof(guest->answer);
	assert_int_equal(guest_unref(guest, 1), BAD_ID);
	assert_true(guest->faults > 0);
}

static void test_unknown_commands(void **state)
{
	struct guest *guest = *state;
	static const uint32_t types[] = {0,	 0xff,	  0x10e,     0x200,
					 0x208,	 0x300,	  0x301,     0x1100,
					 0x1200, 0x10100, UINT32_MAX};
	const uint8_t body[72] = {};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(types); i++)
		assert_int_equal(guest_send(guest, types[i], body, sizeof(body)),
				 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest_send_cursor(guest, VGPU_GPU_RESOURCE_UNREF,
					   &(struct vgpu_gpu_cursor_request){}),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest_send_cursor(guest, 0x302,
					   &(struct vgpu_gpu_cursor_request){}),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest->faults, VGPU_ARRAY_SIZE(types) + 2);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, guest_set_up, guest_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_t1_transfer_box_and_offset),
		TEST(test_t1_backing_shorter_than_claimed),
		TEST(test_t2_blob_larger_than_backing),
		TEST(test_t2_scanout_larger_than_resource),
		TEST(test_t3_nothing_uninitialised_reaches_the_guest),
		TEST(test_t4_every_id_and_index),
		TEST(test_t4_cursor_of_wrong_size),
		TEST(test_t5_counts_do_not_size_the_stack),
		TEST(test_t6_sizes_that_overflow),
		TEST(test_t6_tables_fill_up),
		TEST(test_short_requests_and_answers),
		TEST(test_unknown_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
