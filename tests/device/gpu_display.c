/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What leaves the gpu for people: EDIDs, pictures, viewers. */
#include "tests/device/gpu_guest.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "device/display/edid.h"
#include "device/display/viewer_abi.h"

#define OK   VGPU_GPU_OK_NODATA
#define SIDE 64u

static uint8_t sum_of(const uint8_t *from, size_t n)
{
	uint8_t sum = 0;

	while (n-- > 0)
		sum += *from++;
	return sum;
}

static void test_edid_of_full_hd(void **state)
{
	/* CVT-RB 1920x1080: 138.5 MHz, 1920+160, 1080+31; 508 x 285 mm. */
	static const uint8_t detailed[18] = {
		0x1a, 0x36, 0x80, 0xa0, 0x70, 0x38, 0x1f, 0x40, 0x30,
		0x20, 0x35, 0x00, 0xfc, 0x1d, 0x11, 0x00, 0x00, 0x1a,
	};
	uint8_t edid[VGPU_EDID_BYTES_MAX];
	const struct vgpu_edid_config config = {0, 1920, 1080, 1920, 1080};

	assert_int_equal(vgpu_edid_make(&config, edid), 128);
	assert_int_equal(sum_of(edid, 128), 0);
	assert_memory_equal(edid, "\0\xff\xff\xff\xff\xff\xff\0", 8);
	assert_int_equal(edid[18], 1);
	assert_int_equal(edid[19], 4);
	assert_int_equal(edid[126], 0);
	assert_memory_equal(edid + 54, detailed, sizeof(detailed));
	assert_memory_equal(edid + 90, "\0\0\0\xfc\0OpenVGPU 1\n  ", 18);
	assert_memory_equal(edid + 108, "\0\0\0\xff\0HEAD0001\n    ", 18);
	/* 1920x1200 is beyond the type: not listed. */
	assert_int_equal(edid[38], 1920 / 8 - 31);
	assert_int_equal(edid[39], 0xc0);
}

static void test_edid_beyond_a_detailed_timing(void **state)
{
	/* 5120x2880: 938.25 MHz, 5120+160, 2880+81, preferred. */
	static const uint8_t timing[20] = {
		0x80, 0x6e, 0x01, 0x88, 0xff, 0x13, 0x9f, 0x00, 0x2f, 0x80,
		0x1f, 0x00, 0x3f, 0x0b, 0x50, 0x00, 0x02, 0x00, 0x04, 0x00,
	};
	uint8_t edid[VGPU_EDID_BYTES_MAX];
	const struct vgpu_edid_config config = {1, 5120, 2880, 5120, 2880};
	const uint8_t *section = edid + 128;
	const uint8_t *at;

	assert_int_equal(vgpu_edid_make(&config, edid), 256);
	assert_int_equal(sum_of(edid, 128), 0);
	assert_int_equal(sum_of(section, 128), 0);
	assert_int_equal(edid[126], 1);
	assert_int_equal(section[0], 0x70);
	assert_int_equal(sum_of(section + 1, 5 + section[2]), 0);
	/* Walk the data blocks to the timings: they end with the section. */
	at = section + 5;
	while (at[0] != 0x03) {
		at += 3 + at[2];
		assert_true(at < section + 5 + section[2]);
	}
	assert_int_equal(at[2] % 20, 0);
	assert_true(at + 3 + at[2] == section + 5 + section[2]);
	/* The vertical blanking of 5120x2880 is 80 or 81 lines by rounding. */
	assert_memory_equal(at + 3, timing, 14);
	assert_in_range(at[3 + 14], 0x4f, 0x51);
	/* The base block begins with a mode that every guest can show. */
	assert_int_equal(edid[56] | (edid[58] & 0xf0) << 4, 1024);
}

static void test_edid_of_every_size(void **state)
{
	for (uint32_t width = 640; width <= 8192; width += 61)
		for (uint32_t height = 480; height <= 8192; height += 67) {
			const struct vgpu_edid_config config = {
				15, width, height, 8192, 8192};
			uint8_t edid[VGPU_EDID_BYTES_MAX];
			size_t bytes = vgpu_edid_make(&config, edid);

			assert_int_equal(bytes, 256);
			assert_int_equal(sum_of(edid, 128), 0);
			assert_int_equal(sum_of(edid + 128, 128), 0);
			assert_true(edid[130] <= 121);
		}
}

struct viewer {
	struct guest *guest;
	int socket;
	int fd; /* came with the last message, or -1 */
	struct vgpu_viewer_msg msg;
	const uint32_t *pixels;
	size_t bytes;
};

static int set_up(void **state)
{
	struct viewer *viewer = calloc(1, sizeof(*viewer));
	struct vgpu_err err = {};
	int pair[2];

	assert_non_null(viewer);
	viewer->guest = guest_create(2, GUEST_WIDTH, GUEST_HEIGHT, 16, 16);
	viewer->fd = -1;
	for (uint32_t i = 0; i < VGPU_MIB; i++)
		((uint32_t *)viewer->guest->memory)[i] = i * 2654435761u;
	assert_int_equal(socketpair(AF_UNIX,
				    SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC,
				    0, pair),
			 0);
	viewer->socket = pair[0];
	assert_int_equal(vgpu_gpu_view(viewer->guest->gpu, 0, pair[1], &err), 0);
	*state = viewer;
	return 0;
}

static int tear_down(void **state)
{
	struct viewer *viewer = *state;

	guest_destroy(viewer->guest);
	if (viewer->pixels)
		munmap((void *)viewer->pixels, viewer->bytes);
	vgpu_close(viewer->fd);
	vgpu_close(viewer->socket);
	free(viewer);
	return 0;
}

/* The type of the next message, or 0 if there is none, or -1 at the end. */
static int next(struct viewer *viewer)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&viewer->msg, sizeof(viewer->msg)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	ssize_t got = recvmsg(viewer->socket, &header, MSG_CMSG_CLOEXEC);
	struct cmsghdr *control;

	if (got < 0 && errno == EAGAIN)
		return 0;
	if (got <= 0)
		return -1;
	assert_int_equal(got, sizeof(viewer->msg));
	viewer->fd = vgpu_close(viewer->fd);
	control = CMSG_FIRSTHDR(&header);
	if (control)
		memcpy(&viewer->fd, CMSG_DATA(control), sizeof(int));
	return (int)viewer->msg.type;
}

static void acknowledge(struct viewer *viewer)
{
	const struct vgpu_viewer_msg msg = {.type = VGPU_VIEWER_ACK};

	assert_int_equal(send(viewer->socket, &msg, sizeof(msg), 0), sizeof(msg));
	vgpu_gpu_viewer_readable(viewer->guest->gpu, 0);
}

/* A FRAME of that size, mapped. */
static void expect_frame(struct viewer *viewer, uint32_t width, uint32_t height)
{
	struct stat stat;
	int seals;

	assert_int_equal(next(viewer), VGPU_VIEWER_FRAME);
	assert_int_equal(viewer->msg.width, width);
	assert_int_equal(viewer->msg.height, height);
	assert_int_equal(viewer->msg.stride_bytes, width * 4);
	assert_int_equal(fstat(viewer->fd, &stat), 0);
	assert_int_equal(stat.st_size, width * height * 4);
	seals = fcntl(viewer->fd, F_GET_SEALS);
	assert_true(seals & F_SEAL_SHRINK);
	assert_true(seals & F_SEAL_FUTURE_WRITE);
	if (viewer->pixels)
		munmap((void *)viewer->pixels, viewer->bytes);
	viewer->bytes = stat.st_size;
	/* Nobody but the device writes it. */
	assert_true(mmap(NULL, viewer->bytes, PROT_READ | PROT_WRITE,
			 MAP_SHARED, viewer->fd, 0) == MAP_FAILED);
	viewer->pixels =
		mmap(NULL, viewer->bytes, PROT_READ, MAP_SHARED, viewer->fd, 0);
	assert_true(viewer->pixels != MAP_FAILED);
}

static void expect_damage(struct viewer *viewer, int32_t x, int32_t y,
			  uint32_t width, uint32_t height)
{
	assert_int_equal(next(viewer), VGPU_VIEWER_DAMAGE);
	assert_int_equal(viewer->msg.x, x);
	assert_int_equal(viewer->msg.y, y);
	assert_int_equal(viewer->msg.width, width);
	assert_int_equal(viewer->msg.height, height);
	assert_int_equal(next(viewer), 0);
}

/* Past what a viewer gets at first: a black head, no cursor. */
static void begin(struct viewer *viewer)
{
	expect_frame(viewer, GUEST_WIDTH, GUEST_HEIGHT);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR);
	assert_int_equal(viewer->fd, -1);
	expect_damage(viewer, 0, 0, GUEST_WIDTH, GUEST_HEIGHT);
	acknowledge(viewer);
	assert_int_equal(next(viewer), 0);
}

static void show(struct viewer *viewer)
{
	guest_show(viewer->guest, 0, 1, 0, SIDE, SIDE);
	expect_frame(viewer, SIDE, SIDE);
	/* Below another picture the cursor may be another one. */
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR);
	expect_damage(viewer, 0, 0, SIDE, SIDE);
	acknowledge(viewer);
}

static void test_viewer_begins(void **state)
{
	struct viewer *viewer = *state;

	begin(viewer);
	for (uint32_t i = 0; i < GUEST_WIDTH * GUEST_HEIGHT; i++)
		assert_int_equal(viewer->pixels[i], 0);
	show(viewer);
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		assert_int_equal(viewer->pixels[i],
				 ((uint32_t *)viewer->guest->memory)[i] &
					 0xffffff);
}

static void test_viewer_gets_only_damage(void **state)
{
	struct viewer *viewer = *state;
	struct guest *guest = viewer->guest;
	uint32_t *memory = (uint32_t *)guest->memory;

	begin(viewer);
	show(viewer);
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
		memory[i] = 0x123456;
	guest_transfer(guest, 1, 0, 0, SIDE, SIDE, 0);
	assert_int_equal(next(viewer), 0); /* not before the flush */
	guest_flush(guest, 1, 8, 9, 10, 11);
	expect_damage(viewer, 8, 9, 10, 11);
	for (uint32_t i = 0; i < SIDE * SIDE; i++) {
		bool is_new = i % SIDE >= 8 && i % SIDE < 18 && i / SIDE >= 9 &&
			      i / SIDE < 20;

		assert_int_equal(viewer->pixels[i] == 0x123456, is_new);
	}
	/* While it is not answered, what comes is joined. */
	guest_flush(guest, 1, 1, 2, 3, 4);
	guest_flush(guest, 1, 20, 30, 5, 6);
	assert_int_equal(next(viewer), 0);
	acknowledge(viewer);
	expect_damage(viewer, 1, 2, 24, 34);
	acknowledge(viewer);
	assert_int_equal(next(viewer), 0);
}

static void test_viewer_of_a_part(void **state)
{
	struct viewer *viewer = *state;
	struct guest *guest = viewer->guest;

	begin(viewer);
	show(viewer);
	assert_int_equal(guest_scanout(guest, 0, 1, 10, 20, 30, 40), OK);
	expect_frame(viewer, 30, 40);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR);
	expect_damage(viewer, 0, 0, 30, 40);
	assert_int_equal(viewer->pixels[31],
			 ((uint32_t *)guest->memory)[21 * SIDE + 11] & 0xffffff);
	acknowledge(viewer);
	guest_flush(guest, 1, 0, 0, SIDE, 21);
	expect_damage(viewer, 0, 0, 30, 1);
	acknowledge(viewer);
	guest_flush(guest, 1, 0, 0, 10, SIDE); /* beside it */
	assert_int_equal(next(viewer), 0);
	/* The guest's screen goes away: black again. */
	guest_scanout(guest, 0, 0, 0, 0, 0, 0);
	expect_frame(viewer, GUEST_WIDTH, GUEST_HEIGHT);
	assert_int_equal(viewer->pixels[0], 0);
}

static void test_viewer_cursor(void **state)
{
	struct viewer *viewer = *state;
	struct guest *guest = viewer->guest;
	const uint32_t *image;

	begin(viewer);
	show(viewer);
	assert_int_equal(guest_cursor(guest, 0, 1, -3, 7), OK);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR);
	assert_true(viewer->fd >= 0);
	image = mmap(NULL, 16384, PROT_READ, MAP_SHARED, viewer->fd, 0);
	assert_true(image != MAP_FAILED);
	/* The resource has no alpha: the cursor is opaque. */
	for (uint32_t i = 0; i < VGPU_GPU_CURSOR_PIXELS; i++)
		assert_int_equal(image[i],
				 ((uint32_t *)guest->memory)[i] | 0xff000000);
	munmap((void *)image, 16384);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR_MOVE);
	assert_int_equal(viewer->msg.x, -3);
	assert_int_equal(viewer->msg.y, 7);
	expect_damage(viewer, 0, 0, 0, 0);

	for (uint32_t i = 0; i < 1000; i++)
		guest_send_cursor(
			guest, VGPU_GPU_MOVE_CURSOR,
			&(struct vgpu_gpu_cursor_request){.x = i, .y = 2 * i});
	assert_int_equal(next(viewer), 0);
	acknowledge(viewer);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR_MOVE);
	assert_int_equal(viewer->msg.x, 999);
	expect_damage(viewer, 0, 0, 0, 0);
	acknowledge(viewer);
	guest_cursor(guest, 0, 0, 0, 0);
	assert_int_equal(next(viewer), VGPU_VIEWER_CURSOR);
	assert_int_equal(viewer->fd, -1);
}

static void test_viewer_that_never_answers_costs_nothing(void **state)
{
	struct viewer *viewer = *state;
	int fd = vgpu_gpu_viewer_fd(viewer->guest->gpu, 0);

	guest_show(viewer->guest, 0, 1, 0, SIDE, SIDE);
	for (int i = 0; i < 10000; i++) {
		guest_flush(viewer->guest, 1, 0, 0, SIDE, SIDE);
		guest_scanout(viewer->guest, 0, 1, 0, 0, SIDE - i % 2, SIDE);
	}
	assert_int_equal(vgpu_gpu_viewer_fd(viewer->guest->gpu, 0), fd);
	vgpu_gpu_viewer_readable(viewer->guest->gpu, 0); /* of nothing */
	assert_int_equal(vgpu_gpu_viewer_fd(viewer->guest->gpu, 0), fd);
}

static void test_viewer_that_misbehaves_is_dropped(void **state)
{
	struct viewer *viewer = *state;
	struct guest *guest = viewer->guest;
	struct vgpu_viewer_msg msg = {};
	uint8_t large[4096] = {VGPU_VIEWER_ACK};
	const struct {
		const void *bytes;
		size_t n;
	} bad[] = {{&msg, sizeof(msg)}, {&msg, 1}, {large, 4096}};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad) + 2; i++) {
		struct vgpu_err err = {};
		int pair[2];

		assert_int_equal(socketpair(AF_UNIX,
					    SOCK_SEQPACKET | SOCK_NONBLOCK, 0,
					    pair),
				 0);
		assert_int_equal(vgpu_gpu_view(guest->gpu, 0, pair[1], &err), 0);
		if (i < VGPU_ARRAY_SIZE(bad)) {
			send(pair[0], bad[i].bytes, bad[i].n, 0);
		} else if (i == VGPU_ARRAY_SIZE(bad)) {
			/* The second one was not asked for. */
			msg.type = VGPU_VIEWER_ACK;
			send(pair[0], &msg, sizeof(msg), 0);
			vgpu_gpu_viewer_readable(guest->gpu, 0);
			assert_int_equal(vgpu_gpu_viewer_fd(guest->gpu, 0),
					 pair[1]);
			send(pair[0], &msg, sizeof(msg), 0);
		} else {
			shutdown(pair[0], SHUT_RDWR);
		}
		vgpu_gpu_viewer_readable(guest->gpu, 0);
		assert_int_equal(vgpu_gpu_viewer_fd(guest->gpu, 0), -1);
		close(pair[0]);
	}
	/* The first of all was replaced: after what it was sent, the end. */
	while (next(viewer) > 0)
		;
	assert_int_equal(next(viewer), -1);
}

static void test_viewer_that_goes_away(void **state)
{
	struct viewer *viewer = *state;
	struct guest *guest = viewer->guest;

	begin(viewer);
	viewer->socket = vgpu_close(viewer->socket);
	/* The gpu finds out by itself, and says so by its end of the socket. */
	guest_show(guest, 0, 1, 0, SIDE, SIDE);
	guest_flush(guest, 1, 0, 0, SIDE, SIDE);
	assert_true(vgpu_gpu_viewer_fd(guest->gpu, 0) >= 0);
	vgpu_gpu_viewer_readable(guest->gpu, 0);
	assert_int_equal(vgpu_gpu_viewer_fd(guest->gpu, 0), -1);
	guest_flush(guest, 1, 0, 0, SIDE, SIDE);
}

static void test_viewer_needs_a_head_and_a_socket(void **state)
{
	struct viewer *viewer = *state;
	struct vgpu_err err = {};
	int pair[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(vgpu_gpu_view(viewer->guest->gpu, 1, pair[1], &err),
			 -EINVAL);
	assert_int_equal(vgpu_gpu_view(viewer->guest->gpu, 2, pair[0], &err),
			 -ENOENT);
	assert_string_equal(err.name, "NoSuchHead");
	/* Both were taken over, and closed. */
	assert_int_equal(fcntl(pair[0], F_GETFD), -1);
	assert_int_equal(fcntl(pair[1], F_GETFD), -1);
	assert_int_equal(vgpu_gpu_viewer_fd(viewer->guest->gpu, 99), -1);
	vgpu_gpu_viewer_readable(viewer->guest->gpu, 99);
}

static void test_capture_is_sealed(void **state)
{
	struct viewer *viewer = *state;
	struct vgpu_control_frame frame;
	struct vgpu_err err = {};
	int fd;

	assert_int_equal(
		vgpu_gpu_capture(viewer->guest->gpu, 0, &frame, &fd, &err), 0);
	assert_int_equal(fcntl(fd, F_GET_SEALS), F_SEAL_SHRINK | F_SEAL_GROW |
							 F_SEAL_FUTURE_WRITE |
							 F_SEAL_SEAL);
	assert_ptr_equal(
		mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(frame.width, GUEST_WIDTH);
	assert_int_equal(frame.height, GUEST_HEIGHT);
	close(fd);
	assert_int_equal(
		vgpu_gpu_capture(viewer->guest->gpu, 2, &frame, &fd, &err),
		-ENOENT);
	assert_string_equal(err.name, "NoSuchHead");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_edid_of_full_hd),
		cmocka_unit_test(test_edid_beyond_a_detailed_timing),
		cmocka_unit_test(test_edid_of_every_size),
		TEST(test_viewer_begins),
		TEST(test_viewer_gets_only_damage),
		TEST(test_viewer_of_a_part),
		TEST(test_viewer_cursor),
		TEST(test_viewer_that_never_answers_costs_nothing),
		TEST(test_viewer_that_misbehaves_is_dropped),
		TEST(test_viewer_that_goes_away),
		TEST(test_viewer_needs_a_head_and_a_socket),
		TEST(test_capture_is_sealed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
