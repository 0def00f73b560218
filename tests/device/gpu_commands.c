/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Each virtio-gpu command as a well-behaved guest sends it. */
#include "tests/device/gpu_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define OK VGPU_GPU_OK_NODATA

static int set_up(void **state)
{
	*state = guest_create(2, GUEST_WIDTH, GUEST_HEIGHT, 64, 64);
	return 0;
}

static uint32_t *pixels_at(struct guest *guest, uint64_t at)
{
	return (uint32_t *)(guest->memory + at);
}

static void fill(struct guest *guest, uint64_t at, size_t bytes, uint32_t seed)
{
	uint32_t *pixels = pixels_at(guest, at);

	for (size_t i = 0; i < bytes / 4; i++)
		pixels[i] = seed = seed * 1664525u + 1013904223u;
}

static uint32_t config_at(struct guest *guest, size_t offset)
{
	uint8_t config[VGPU_GPU_CONFIG_BYTES];
	uint32_t value;

	vgpu_gpu_config_read(guest->gpu, config);
	memcpy(&value, config + offset, sizeof(value));
	return value;
}

static void test_display_info(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_answer_display_info *info =
		&guest->answer.display_info;
	struct vgpu_err err = {};

	assert_int_equal(guest_send(guest, VGPU_GPU_GET_DISPLAY_INFO, NULL, 0),
			 VGPU_GPU_OK_DISPLAY_INFO);
	assert_int_equal(guest->written, sizeof(*info));
	assert_int_equal(info->modes[0].rect.width, GUEST_WIDTH);
	assert_int_equal(info->modes[0].rect.height, GUEST_HEIGHT);
	assert_int_equal(info->modes[0].enabled, 1);
	for (int i = 1; i < VGPU_GPU_SCANOUTS_MAX; i++)
		assert_int_equal(info->modes[i].enabled, 0);

	/* A second monitor, to the right of the first. */
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 1, 640, 480, &err), 0);
	guest_send(guest, VGPU_GPU_GET_DISPLAY_INFO, NULL, 0);
	assert_int_equal(info->modes[1].enabled, 1);
	assert_int_equal(info->modes[1].rect.x, GUEST_WIDTH);
	assert_int_equal(info->modes[1].rect.width, 640);
}

static void test_mode_change_tells_the_guest(void **state)
{
	struct guest *guest = *state;
	const uint8_t clear[4] = {VGPU_GPU_EVENT_DISPLAY};
	struct vgpu_control_status status = {};
	struct vgpu_err err = {};

	assert_int_equal(config_at(guest, 0), 0);
	assert_int_equal(config_at(guest, 8), 2);
	assert_int_equal(config_at(guest, 12), 0);
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 0, 0, 0, &err), 0);
	assert_int_equal(guest->config_changes, 1);
	assert_int_equal(config_at(guest, 0), VGPU_GPU_EVENT_DISPLAY);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.head[0].preferred_width, 0);
	/* The same again is no change. */
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 0, 0, 0, &err), 0);
	assert_int_equal(guest->config_changes, 1);

	assert_int_equal(vgpu_gpu_config_write(guest->gpu, 0, clear, 4), 0);
	assert_int_equal(config_at(guest, 0), VGPU_GPU_EVENT_DISPLAY);
	assert_int_equal(vgpu_gpu_config_write(guest->gpu, 4, clear, 4), 0);
	assert_int_equal(config_at(guest, 0), 0);
	assert_int_equal(vgpu_gpu_config_write(guest->gpu, 13, clear, 4),
			 -EINVAL);
	assert_int_equal(vgpu_gpu_config_write(guest->gpu, UINT32_MAX, clear, 4),
			 -EINVAL);

	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 2, 640, 480, &err),
			 -ENOENT);
	assert_string_equal(err.name, "NoSuchHead");
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 0, 641, 480, &err),
			 -EINVAL);
	assert_string_equal(err.name, "BadMode");
	assert_int_equal(vgpu_gpu_set_mode(guest->gpu, 0, 0, 480, &err), -EINVAL);
}

static void test_edid_command(void **state)
{
	struct guest *guest = *state;
	struct vgpu_gpu_get_edid body = {.scanout_id = 1};
	uint8_t sum = 0;

	assert_int_equal(guest_send(guest, VGPU_GPU_GET_EDID, &body, sizeof(body)),
			 VGPU_GPU_OK_EDID);
	assert_int_equal(guest->written, sizeof(guest->answer.edid));
	assert_int_equal(guest->answer.edid.bytes, 128);
	for (int i = 0; i < 128; i++)
		sum += guest->answer.edid.edid[i];
	assert_int_equal(sum, 0);
	for (int i = 128; i < VGPU_GPU_EDID_MAX; i++)
		assert_int_equal(guest->answer.edid.edid[i], 0);
}

static void test_formats(void **state)
{
	/* Red 0x11, green 0x22, blue 0x33, alpha 0x44, by order in memory. */
	static const struct {
		uint32_t format;
		uint8_t bytes[4];
	} formats[] = {
		{VGPU_GPU_B8G8R8A8, {0x33, 0x22, 0x11, 0x44}},
		{VGPU_GPU_B8G8R8X8, {0x33, 0x22, 0x11, 0x44}},
		{VGPU_GPU_A8R8G8B8, {0x44, 0x11, 0x22, 0x33}},
		{VGPU_GPU_X8R8G8B8, {0x44, 0x11, 0x22, 0x33}},
		{VGPU_GPU_R8G8B8A8, {0x11, 0x22, 0x33, 0x44}},
		{VGPU_GPU_X8B8G8R8, {0x44, 0x33, 0x22, 0x11}},
		{VGPU_GPU_A8B8G8R8, {0x44, 0x33, 0x22, 0x11}},
		{VGPU_GPU_R8G8B8X8, {0x11, 0x22, 0x33, 0x44}},
	};
	struct guest *guest = *state;
	struct picture picture;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(formats); i++) {
		uint32_t id = i + 1;

		memcpy(guest->memory, formats[i].bytes, 4);
		assert_int_equal(
			guest_create_2d(guest, id, formats[i].format, 1, 1), OK);
		assert_int_equal(guest_attach(guest, id, 0, 4), OK);
		assert_int_equal(guest_transfer(guest, id, 0, 0, 1, 1, 0), OK);
		assert_int_equal(guest_scanout(guest, 0, id, 0, 0, 1, 1), OK);
		guest_capture(guest, 0, &picture);
		assert_int_equal(picture.width, 1);
		assert_int_equal(picture.pixels[0], 0x112233);
		picture_finish(&picture);
	}
}

static void test_full_frame_from_scattered_pages(void **state)
{
	struct guest *guest = *state;
	const uint32_t width = GUEST_WIDTH, height = GUEST_HEIGHT;
	const uint32_t bytes = width * height * 4, pages = bytes / GUEST_PAGE;
	struct picture picture;

	fill(guest, 0, bytes, 1);
	assert_int_equal(
		guest_create_2d(guest, 9, VGPU_GPU_B8G8R8X8, width, height), OK);
	assert_int_equal(guest_attach_scattered(guest, 9, 0, bytes), OK);
	assert_int_equal(guest_transfer(guest, 9, 0, 0, width, height, 0), OK);
	assert_int_equal(guest_scanout(guest, 1, 9, 0, 0, width, height), OK);
	assert_int_equal(guest_flush(guest, 9, 0, 0, width, height), OK);
	guest_capture(guest, 1, &picture);
	for (uint32_t i = 0; i < width * height; i++) {
		uint32_t page = pages - 1 - i * 4 / GUEST_PAGE;
		uint32_t at = page * GUEST_PAGE + i * 4 % GUEST_PAGE;

		assert_int_equal(picture.pixels[i],
				 *pixels_at(guest, at) & 0xffffff);
	}
	picture_finish(&picture);
}

static void test_partial_transfer(void **state)
{
	struct guest *guest = *state;
	const uint32_t width = 100, height = 50;
	struct picture picture;

	fill(guest, 0, width * height * 4, 2);
	assert_int_equal(
		guest_create_2d(guest, 3, VGPU_GPU_B8G8R8X8, width, height), OK);
	assert_int_equal(guest_attach_scattered(guest, 3, 0, width * height * 4),
			 OK);
	assert_int_equal(guest_scanout(guest, 0, 3, 0, 0, width, height), OK);
	assert_int_equal(
		guest_transfer(guest, 3, 10, 20, 30, 15, (20 * width + 10) * 4),
		OK);
	guest_capture(guest, 0, &picture);
	for (uint32_t y = 0; y < height; y++)
		for (uint32_t x = 0; x < width; x++) {
			uint32_t offset = (y * width + x) * 4;
			uint32_t page = 4 - offset / GUEST_PAGE;
			uint32_t want = 0;

			if (x >= 10 && x < 40 && y >= 20 && y < 35)
				want = *pixels_at(guest,
						  page * GUEST_PAGE +
							  offset % GUEST_PAGE);
			assert_int_equal(picture.pixels[y * width + x],
					 want & 0xffffff);
		}
	picture_finish(&picture);
	/* Nothing at all is a transfer too. */
	assert_int_equal(guest_transfer(guest, 3, 0, 0, 0, 0, 0), OK);
	/* The last row of the box may end with the backing. */
	assert_int_equal(
		guest_transfer(guest, 3, 99, 49, 1, 1, 5 * GUEST_PAGE - 4), OK);
	assert_int_equal(
		guest_transfer(guest, 3, 99, 49, 1, 1, 5 * GUEST_PAGE - 3),
		VGPU_GPU_ERR_INVALID_PARAMETER);
}

static void test_scanout_of_a_part(void **state)
{
	struct guest *guest = *state;
	const uint32_t width = 200, height = 100;
	struct picture picture;

	fill(guest, 0, width * height * 4, 3);
	guest_show(guest, 0, 5, 0, width, height);
	assert_int_equal(guest_scanout(guest, 0, 5, 50, 25, 60, 30), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.width, 60);
	assert_int_equal(picture.height, 30);
	for (uint32_t y = 0; y < 30; y++)
		for (uint32_t x = 0; x < 60; x++)
			assert_int_equal(
				picture.pixels[y * 60 + x],
				pixels_at(guest, 0)[(y + 25) * width + x + 50] &
					0xffffff);
	picture_finish(&picture);

	/* One resource may be on two heads. */
	assert_int_equal(guest_scanout(guest, 1, 5, 0, 0, 10, 10), OK);
	assert_int_equal(guest_scanout(guest, 0, 0, 0, 0, 0, 0), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.width, GUEST_WIDTH);
	assert_int_equal(picture.pixels[0], 0);
	picture_finish(&picture);
	assert_int_equal(guest_unref(guest, 5), OK);
	guest_capture(guest, 1, &picture);
	assert_int_equal(picture.pixels[0], 0);
	picture_finish(&picture);
}

static void test_blob_scanout(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_set_scanout_blob set = {
		.rect = {3, 4, 70, 40},
		.scanout_id = 0,
		.resource_id = 8,
		.width = 80,
		.height = 50,
		.format = VGPU_GPU_B8G8R8X8,
		.strides = {400},
		.offsets = {1000},
	};
	const struct vgpu_gpu_create_blob create = {
		.resource_id = 8,
		.blob_mem = VGPU_GPU_BLOB_MEM_GUEST,
		.blob_flags = VGPU_GPU_BLOB_FLAGS,
		.n_entries = 3,
		.bytes = 1000 + 50 * 400,
	};
	/* Cut at odd places, backwards, one piece used twice. */
	const struct vgpu_gpu_entry entries[] = {
		{GUEST_BASE + 70001, 5003, 0},
		{GUEST_BASE + 1, 10007, 0},
		{GUEST_BASE + 3, 6000, 0},
	};
	uint8_t *flat = calloc(1, 5003 + 10007 + 6000);
	struct picture picture;

	assert_non_null(flat);
	fill(guest, 0, 80000, 4);
	memcpy(flat, guest->memory + 70001, 5003);
	memcpy(flat + 5003, guest->memory + 1, 10007);
	memcpy(flat + 15010, guest->memory + 3, 6000);

	assert_int_equal(guest_send_entries(guest, VGPU_GPU_RESOURCE_CREATE_BLOB,
					    &create, sizeof(create), entries, 3),
			 OK);
	assert_int_equal(
		guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB, &set, sizeof(set)),
		OK);
	/* Linux transfers to blobs behind dumb buffers: nothing to do. */
	assert_int_equal(guest_transfer(guest, 8, 0, 0, 80, 50, 0), OK);
	assert_int_equal(guest_flush(guest, 8, 0, 0, 80, 50), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.width, 70);
	for (uint32_t y = 0; y < 40; y++)
		for (uint32_t x = 0; x < 70; x++) {
			uint32_t pixel;

			memcpy(&pixel,
			       flat + 1000 + (y + 4) * 400 + (x + 3) * 4, 4);
			assert_int_equal(picture.pixels[y * 70 + x],
					 pixel & 0xffffff);
		}
	picture_finish(&picture);

	/* Without its memory it is black, until it has memory again. */
	assert_int_equal(guest_detach(guest, 8), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[0], 0);
	picture_finish(&picture);
	assert_int_equal(guest_attach(guest, 8, 0, 20999),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(guest_attach(guest, 8, 0, 21000), OK);
	free(flat);
}

static void test_cursor(void **state)
{
	struct guest *guest = *state;
	uint32_t *cursor = pixels_at(guest, 4 * VGPU_MIB);
	struct picture picture;

	for (uint32_t i = 0; i < 100 * 100; i++)
		pixels_at(guest, 0)[i] = 0x00808080;
	guest_show(guest, 0, 1, 0, 100, 100);
	cursor[0] = 0xffff0000; /* opaque */
	cursor[1] = 0x80004000; /* half, premultiplied */
	cursor[63 * 64 + 63] = 0xff0000ff;
	assert_int_equal(guest_create_2d(guest, 2, VGPU_GPU_B8G8R8A8, 64, 64),
			 OK);
	assert_int_equal(guest_attach(guest, 2, 4 * VGPU_MIB, 16384), OK);
	assert_int_equal(guest_transfer(guest, 2, 0, 0, 64, 64, 0), OK);
	assert_int_equal(guest_cursor(guest, 0, 2, 30, 20), OK);
	/* The picture was taken: the resource may go. */
	assert_int_equal(guest_unref(guest, 2), OK);

	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[20 * 100 + 30], 0xff0000);
	assert_int_equal(picture.pixels[20 * 100 + 31], 0x408040);
	assert_int_equal(picture.pixels[20 * 100 + 32], 0x808080);
	assert_int_equal(picture.pixels[83 * 100 + 93], 0x0000ff);
	picture_finish(&picture);

	/* Partly beyond each side, and wholly beyond. */
	assert_int_equal(guest_send_cursor(guest, VGPU_GPU_MOVE_CURSOR,
					   &(struct vgpu_gpu_cursor_request){
						   .x = (uint32_t)-63,
						   .y = (uint32_t)-63}),
			 OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[0], 0x0000ff);
	assert_int_equal(picture.pixels[1], 0x808080);
	picture_finish(&picture);
	assert_int_equal(guest_send_cursor(guest, VGPU_GPU_MOVE_CURSOR,
					   &(struct vgpu_gpu_cursor_request){
						   .x = 99, .y = 99}),
			 OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[99 * 100 + 99], 0xff0000);
	picture_finish(&picture);
	for (int i = 0; i < 2; i++) {
		uint32_t far = i ? INT32_MAX : (uint32_t)INT32_MIN;

		guest_send_cursor(
			guest, VGPU_GPU_MOVE_CURSOR,
			&(struct vgpu_gpu_cursor_request){.x = far, .y = far});
		guest_capture(guest, 0, &picture);
		for (uint32_t j = 0; j < 100 * 100; j++)
			assert_int_equal(picture.pixels[j], 0x808080);
		picture_finish(&picture);
	}

	/* A blob as Linux makes it, then none. */
	assert_int_equal(guest_blob(guest, 3, 4 * VGPU_MIB, 16384), OK);
	guest->writable = 0; /* nor does Linux want an answer */
	assert_int_equal(guest_cursor(guest, 0, 3, 5, 5), 0);
	assert_int_equal(guest->written, 0);
	guest->writable = sizeof(guest->answer);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[5 * 100 + 5], 0xff0000);
	picture_finish(&picture);
	assert_int_equal(guest_cursor(guest, 0, 0, 5, 5), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[5 * 100 + 5], 0x808080);
	picture_finish(&picture);
	assert_int_equal(guest->faults, 0);
}

static void test_uuid(void **state)
{
	struct guest *guest = *state;
	struct vgpu_gpu_resource_only body = {.resource_id = 1};
	uint8_t first[16];

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4, 4);
	guest_create_2d(guest, 2, VGPU_GPU_B8G8R8A8, 4, 4);
	assert_int_equal(guest_send(guest, VGPU_GPU_RESOURCE_ASSIGN_UUID, &body,
				    sizeof(body)),
			 VGPU_GPU_OK_RESOURCE_UUID);
	assert_int_equal(guest->written, sizeof(guest->answer.uuid));
	memcpy(first, guest->answer.uuid.uuid, 16);
	assert_int_equal(first[6] >> 4, 4);
	assert_int_equal(first[8] >> 6, 2);
	guest_resume(guest);
	guest_send(guest, VGPU_GPU_RESOURCE_ASSIGN_UUID, &body, sizeof(body));
	assert_memory_equal(first, guest->answer.uuid.uuid, 16);
	body.resource_id = 2;
	guest_send(guest, VGPU_GPU_RESOURCE_ASSIGN_UUID, &body, sizeof(body));
	assert_memory_not_equal(first, guest->answer.uuid.uuid, 16);
}

static void test_fence_comes_back(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_header *header = &guest->answer.header;

	guest->flags = VGPU_GPU_FLAG_FENCE;
	assert_int_equal(guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4, 4), OK);
	assert_int_equal(header->flags, VGPU_GPU_FLAG_FENCE);
	assert_true(header->fence_id == 0x1122334455667788ull);
	assert_int_equal(header->ctx_id, 77);
	assert_int_equal(header->ring_idx, 0);
	guest->flags = VGPU_GPU_FLAG_FENCE | VGPU_GPU_FLAG_RING_IDX | 0xff00;
	/* With an error too: a guest waits for it all the same. */
	assert_int_equal(guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4, 4),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(header->flags,
			 VGPU_GPU_FLAG_FENCE | VGPU_GPU_FLAG_RING_IDX);
	assert_int_equal(header->ring_idx, 5);
	guest->flags = 0;
	guest_unref(guest, 1);
	assert_int_equal(header->flags, 0);
	assert_true(header->fence_id == 0);
}

static void test_no_capsets(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_get_capset body = {};

	assert_int_equal(guest_send(guest, VGPU_GPU_GET_CAPSET_INFO, &body,
				    sizeof(body)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(
		guest_send(guest, VGPU_GPU_GET_CAPSET, &body, sizeof(body)),
		VGPU_GPU_ERR_INVALID_PARAMETER);
}

static void test_features_bind(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_get_edid body = {};

	vgpu_gpu_set_features(guest->gpu, 0);
	assert_int_equal(guest_send(guest, VGPU_GPU_GET_EDID, &body, sizeof(body)),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest_blob(guest, 1, 0, 4096), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4, 4), OK);
}

static void test_framebuffer_is_counted(void **state)
{
	struct guest *guest = *state;
	struct vgpu_control_status status = {};

	assert_int_equal(
		guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 4096, 2048), OK);
	assert_int_equal(
		guest_create_2d(guest, 2, VGPU_GPU_B8G8R8A8, 4096, 2048), OK);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.framebuffer_used_bytes, 64 * VGPU_MIB);
	assert_int_equal(guest_create_2d(guest, 3, VGPU_GPU_B8G8R8A8, 1, 1),
			 VGPU_GPU_ERR_OUT_OF_MEMORY);
	/* It is the guest's own memory: no offence. */
	assert_int_equal(guest->faults, 0);
	assert_int_equal(guest_unref(guest, 1), OK);
	assert_int_equal(guest_create_2d(guest, 3, VGPU_GPU_B8G8R8A8, 1, 1), OK);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.framebuffer_used_bytes, 32 * VGPU_MIB + 4096);
	assert_int_equal(status.commands, 5);
	assert_int_equal(status.errors, 1);
}

static uint64_t intervals(const struct guest *guest)
{
	struct vgpu_figures figures;
	uint64_t n = 0;

	vgpu_gpu_figures(guest->gpu, &figures);
	for (unsigned int i = 0; i < VGPU_FRAME_INTERVALS; i++)
		n += figures.intervals[i];
	return n;
}

/* Between frames of one head; what no head shows is no frame. */
static void test_frame_intervals(void **state)
{
	struct guest *guest = *state;
	struct vgpu_control_status status = {};

	guest_show(guest, 0, 1, 0, 64, 64);
	assert_int_equal(guest_create_2d(guest, 9, VGPU_GPU_B8G8R8A8, 64, 64),
			 OK);
	guest_flush(guest, 9, 0, 0, 64, 64);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.frames, 0);
	for (unsigned int i = 0; i < 4; i++) {
		assert_int_equal(intervals(guest), i ? i - 1 : 0);
		guest_flush(guest, 1, 0, 0, 64, 64);
	}
	assert_int_equal(intervals(guest), 3);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.frames, 4);
}

static void test_reset(void **state)
{
	struct guest *guest = *state;
	struct vgpu_control_status status = {};

	guest_show(guest, 0, 1, 0, 64, 64);
	guest_cursor(guest, 0, 1, 0, 0);
	vgpu_gpu_reset(guest->gpu);
	vgpu_gpu_status(guest->gpu, &status);
	assert_int_equal(status.head[0].width, 0);
	assert_int_equal(status.head[0].preferred_width, GUEST_WIDTH);
	assert_int_equal(status.framebuffer_used_bytes, 0);
	assert_int_equal(guest_unref(guest, 1), VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	guest_show(guest, 0, 1, 0, 64, 64);
}

static void test_retry_is_idempotent(void **state)
{
	struct guest *guest = *state;

	guest->is_retry = true;
	for (int i = 0; i < 2; i++) {
		guest_show(guest, 0, 1, 0, 64, 64);
		assert_int_equal(guest_blob(guest, 2, 0, 4096), OK);
	}
	for (int i = 0; i < 2; i++)
		assert_int_equal(guest_detach(guest, 1), OK);
	for (int i = 0; i < 2; i++)
		assert_int_equal(guest_unref(guest, 1), OK);
	/* Another resource of that name is not the same again. */
	assert_int_equal(guest_create_2d(guest, 2, VGPU_GPU_B8G8R8A8, 1, 1),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(guest_unref(guest, 0), VGPU_GPU_ERR_INVALID_RESOURCE_ID);
}

static void test_requests_cut_anywhere(void **state)
{
	struct guest *guest = *state;

	for (size_t each = 1; each < 60; each++) {
		guest->cut = each;
		guest_show(guest, 0, 1, 0, 64, 64);
		assert_int_equal(
			guest_send(guest, VGPU_GPU_GET_DISPLAY_INFO, NULL, 0),
			VGPU_GPU_OK_DISPLAY_INFO);
		assert_int_equal(guest->written, 408);
		assert_int_equal(guest_unref(guest, 1), OK);
	}
}

static void test_no_heads(void **state)
{
	struct guest *guest = guest_create(0, 0, 0, 16, 16);
	struct vgpu_gpu_get_edid body = {};
	struct vgpu_control_frame frame;
	struct vgpu_err err = {};
	int fd;

	/* Drivers older than Linux 6.4 give up where there is no scanout. */
	assert_int_equal(config_at(guest, 8), 1);
	guest_send(guest, VGPU_GPU_GET_DISPLAY_INFO, NULL, 0);
	assert_int_equal(guest->answer.display_info.modes[0].enabled, 0);
	assert_int_equal(guest_send(guest, VGPU_GPU_GET_EDID, &body, sizeof(body)),
			 VGPU_GPU_OK_EDID);
	assert_int_equal(guest_scanout(guest, 0, 0, 0, 0, 0, 0), OK);
	assert_int_equal(guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, 64, 64),
			 OK);
	assert_int_equal(guest_scanout(guest, 0, 1, 0, 0, 64, 64),
			 VGPU_GPU_ERR_INVALID_SCANOUT_ID);
	assert_int_equal(guest_cursor(guest, 0, 1, 0, 0),
			 VGPU_GPU_ERR_INVALID_SCANOUT_ID);
	assert_int_equal(vgpu_gpu_capture(guest->gpu, 0, &frame, &fd, &err),
			 -ENOENT);
	guest_check(guest);
	guest_destroy(guest);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, set_up, guest_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_display_info),
		TEST(test_mode_change_tells_the_guest),
		TEST(test_edid_command),
		TEST(test_formats),
		TEST(test_full_frame_from_scattered_pages),
		TEST(test_partial_transfer),
		TEST(test_scanout_of_a_part),
		TEST(test_blob_scanout),
		TEST(test_cursor),
		TEST(test_uuid),
		TEST(test_fence_comes_back),
		TEST(test_no_capsets),
		TEST(test_features_bind),
		TEST(test_framebuffer_is_counted),
		TEST(test_frame_intervals),
		TEST(test_reset),
		TEST(test_retry_is_idempotent),
		TEST(test_requests_cut_anywhere),
		cmocka_unit_test(test_no_heads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
