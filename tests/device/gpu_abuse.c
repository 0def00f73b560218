/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile guest does: races, orders, repetition, reach (T7 to T11). */
#include "tests/device/gpu_guest.h"

#include <dirent.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include <cmocka.h>

#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#define IS_SANITIZED __has_feature(address_sanitizer)
#else
#define IS_SANITIZED 0
#endif

#define OK     VGPU_GPU_OK_NODATA
#define BAD_ID VGPU_GPU_ERR_INVALID_RESOURCE_ID

struct flipper {
	uint32_t *words;
	size_t n;
	atomic_bool is_over;
};

static void *flip(void *argument)
{
	struct flipper *flipper = argument;
	uint32_t random = 1;

	while (!atomic_load(&flipper->is_over)) {
		random = random * 1664525u + 1013904223u;
		__atomic_store_n(&flipper->words[random >> 8 & 15],
				 random >> 4 & 1
					 ? guest_odd_values[random % GUEST_N_ODD]
					 : random >> 20 & 63,
				 __ATOMIC_RELAXED);
	}
	return NULL;
}

static void test_t7_request_that_changes_while_it_is_read(void **state)
{
	struct guest *guest = *state;
	struct flipper flipper = {.words = (uint32_t *)guest->request + 6};
	static const uint32_t types[] = {
		VGPU_GPU_RESOURCE_CREATE_2D,	  VGPU_GPU_RESOURCE_CREATE_BLOB,
		VGPU_GPU_RESOURCE_ATTACH_BACKING, VGPU_GPU_SET_SCANOUT,
		VGPU_GPU_TRANSFER_TO_HOST_2D,	  VGPU_GPU_SET_SCANOUT_BLOB,
		VGPU_GPU_RESOURCE_UNREF,
	};
	const uint8_t body[72] = {};
	struct vgpu_gpu_entry entry = {GUEST_BASE, 4096, 0};
	struct picture picture;
	pthread_t thread;

	assert_int_equal(pthread_create(&thread, NULL, flip, &flipper), 0);
	for (uint32_t i = 0; i < 60000; i++) {
		guest_send_entries(guest, types[i % VGPU_ARRAY_SIZE(types)],
				   body, sizeof(body), &entry, 1);
		if (i % 1000 == 0) {
			guest_check(guest);
			guest_capture(guest, 0, &picture);
			picture_finish(&picture);
		}
	}
	atomic_store(&flipper.is_over, true);
	pthread_join(thread, NULL);
}

/* Which allocation fails next: counted down by the wrappers below. */
static int fail_in = -1;

static bool must_fail(void)
{
	return fail_in >= 0 && fail_in-- == 0;
}

void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
int __real_memfd_create(const char *name, unsigned int flags);
int __wrap_memfd_create(const char *name, unsigned int flags);
void *__real_mmap64(void *at, size_t bytes, int prot, int flags, int fd,
		    off_t offset);
void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd,
		    off_t offset);

void *__wrap_calloc(size_t n, size_t size)
{
	return must_fail() ? NULL : __real_calloc(n, size);
}

int __wrap_memfd_create(const char *name, unsigned int flags)
{
	if (must_fail()) {
		errno = EMFILE;
		return -1;
	}
	return __real_memfd_create(name, flags);
}

void *__wrap_mmap64(void *at, size_t bytes, int prot, int flags, int fd,
		    off_t offset)
{
	if (must_fail()) {
		errno = ENOMEM;
		return MAP_FAILED;
	}
	return __real_mmap64(at, bytes, prot, flags, fd, offset);
}

static unsigned int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	assert_non_null(dir);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void test_t8_every_allocation_fails_once(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_transport_ops *ops = guest->gpu->ops;
	unsigned int fds;

	guest_show(guest, 0, 1, 0, GUEST_SIDE, GUEST_SIDE);
	fds = count_fds();
	for (int n = 0; n < 3; n++) {
		struct vgpu_gpu *gpu = NULL;
		struct vgpu_err err = {};

		fail_in = n;
		assert_int_equal(vgpu_gpu_create(&guest->config, ops, guest,
						 guest->state, &gpu, &err),
				 -ENOMEM);
		assert_int_equal(err.status, -ENOMEM);
		assert_null(gpu);
	}
	for (int n = 0; n < 2; n++) {
		struct vgpu_control_frame frame;
		struct vgpu_err err = {};
		int fd = -1;

		fail_in = n;
		assert_true(vgpu_gpu_capture(guest->gpu, 0, &frame, &fd, &err) <
			    0);
		assert_int_equal(fd, -1);
	}
	for (int n = 0; n < 4; n++) {
		struct vgpu_err err = {};
		int pair[2], ret;

		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair);
		fail_in = n;
		ret = vgpu_gpu_view(guest->gpu, 0, pair[1], &err);
		fail_in = -1;
		/* What fails after the first allocation ends the viewer. */
		if (ret == 0)
			vgpu_gpu_viewer_readable(guest->gpu, 0);
		if (n < 3)
			assert_int_equal(vgpu_gpu_viewer_fd(guest->gpu, 0), -1);
		close(pair[0]);
		vgpu_gpu_viewer_readable(guest->gpu, 0);
		assert_int_equal(vgpu_gpu_viewer_fd(guest->gpu, 0), -1);
	}
	fail_in = -1;
	assert_int_equal(count_fds(), fds);
}

static void test_t8_resource_gone_while_in_use(void **state)
{
	struct guest *guest = *state;
	struct vgpu_err err = {};
	struct picture picture;
	int pair[2];

	assert_int_equal(
		socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair), 0);
	guest_show(guest, 0, 1, 0, 64, 64);
	assert_int_equal(guest_cursor(guest, 0, 1, 3, 3), OK);
	assert_int_equal(vgpu_gpu_view(guest->gpu, 0, pair[1], &err), 0);
	guest_flush(guest, 1, 0, 0, 64, 64);
	assert_int_equal(guest_unref(guest, 1), OK);
	assert_int_equal(guest_flush(guest, 1, 0, 0, 64, 64), BAD_ID);
	/* The name is free for another kind of resource, shown by nobody. */
	assert_int_equal(guest_blob(guest, 1, 0, 4096), OK);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.width, GUEST_WIDTH);
	picture_finish(&picture);
	vgpu_gpu_reset(guest->gpu);
	close(pair[0]);
}

static void test_t9_random_order_against_a_model(void **state)
{
	enum { IDS = 6 };
	struct guest *guest = *state;
	struct {
		enum { NONE, IS_2D, IS_BLOB } kind;
		bool is_backed;
	} model[IDS + 1] = {};
	uint32_t shown = 0;
	struct vgpu_control_status status = {};

	srand(7);
	for (int i = 0; i < 200000; i++) {
		uint32_t id = rand() % (IDS + 1);
		uint32_t want, got;
		bool exists = model[id].kind != NONE;

		switch (rand() % 7) {
		case 0:
			want = id && !exists ? OK : BAD_ID;
			got = guest_create_2d(guest, id, VGPU_GPU_B8G8R8A8, 8, 8);
			if (want == OK)
				model[id].kind = IS_2D;
			break;
		case 1:
			want = id && !exists ? OK : BAD_ID;
			got = guest_blob(guest, id, 0, 4096);
			if (want == OK) {
				model[id].kind = IS_BLOB;
				model[id].is_backed = true;
			}
			break;
		case 2:
			want = exists ? OK : BAD_ID;
			got = guest_unref(guest, id);
			model[id].kind = NONE;
			model[id].is_backed = false;
			if (exists && shown == id)
				shown = 0;
			break;
		case 3:
			want = !exists		     ? BAD_ID
			       : model[id].is_backed ? VGPU_GPU_ERR_UNSPEC
						     : OK;
			got = guest_attach(guest, id, 0, 4096);
			model[id].is_backed = exists;
			break;
		case 4:
			want = !exists		     ? BAD_ID
			       : model[id].is_backed ? OK
						     : VGPU_GPU_ERR_UNSPEC;
			got = guest_detach(guest, id);
			model[id].is_backed = false;
			break;
		case 5:
			want = id == 0 || model[id].kind == IS_2D ? OK : BAD_ID;
			got = guest_scanout(guest, 0, id, 0, 0, 8, 8);
			if (want == OK)
				shown = id;
			break;
		default:
			want = !exists			   ? BAD_ID
			       : model[id].kind == IS_BLOB ? OK
			       : model[id].is_backed	   ? OK
						     : VGPU_GPU_ERR_UNSPEC;
			got = guest_transfer(guest, id, 0, 0, 8, 8, 0);
			break;
		}
		assert_int_equal(got, want);
		if (i % 997 == 0)
			guest_resume(guest);
		if (i % 101 == 0) {
			guest_check(guest);
			vgpu_gpu_status(guest->gpu, &status);
			assert_int_equal(status.head[0].width, shown ? 8 : 0);
		}
	}
}

static long resident_kib(void)
{
	FILE *file = fopen("/proc/self/statm", "re");
	long all, resident;

	assert_non_null(file);
	assert_int_equal(fscanf(file, "%ld %ld", &all, &resident), 2);
	fclose(file);
	return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

static void churn(struct guest *guest, uint32_t n)
{
	struct picture picture;

	for (uint32_t i = 1; i <= n; i++) {
		guest_show(guest, 0, i, 0, GUEST_SIDE, GUEST_SIDE);
		guest_unref(guest, i);
		guest_blob(guest, i, 0, 4096);
		guest_unref(guest, i);
		if (i % 100 == 0) {
			guest_show(guest, 0, i, 0, 64, 64);
			guest_cursor(guest, 0, i, 0, 0);
			guest_capture(guest, 0, &picture);
			picture_finish(&picture);
			vgpu_gpu_reset(guest->gpu);
			vgpu_gpu_set_features(guest->gpu,
					      vgpu_gpu_features(guest->gpu));
		}
		if (i % 1000 == 0)
			guest_resume(guest);
	}
}

static void test_t10_no_growth(void **state)
{
	struct guest *guest = *state;
	unsigned int fds;
	long before, after;

	churn(guest, 5000);
	fds = count_fds();
	before = resident_kib();
	churn(guest, 100000);
	after = resident_kib();
	assert_int_equal(count_fds(), fds);
	/* Freed memory waits in a quarantine under AddressSanitizer. */
#if !IS_SANITIZED
	assert_true(after - before < 256);
#else
	(void)before;
	(void)after;
#endif
}

static void test_t11_two_guests_with_the_same_names(void **state)
{
	struct guest *one = *state;
	struct guest *two = guest_create(1, GUEST_WIDTH, GUEST_HEIGHT, 16, 16);
	struct picture picture;

	memset(one->memory, 0x11, 4 * GUEST_SIDE * GUEST_SIDE);
	memset(two->memory, 0x22, 4 * GUEST_SIDE * GUEST_SIDE);
	guest_show(one, 0, 1, 0, GUEST_SIDE, GUEST_SIDE);
	assert_int_equal(guest_scanout(two, 0, 1, 0, 0, GUEST_SIDE, GUEST_SIDE),
			 BAD_ID);
	assert_int_equal(guest_unref(two, 1), BAD_ID);
	guest_show(two, 0, 1, 0, GUEST_SIDE, GUEST_SIDE);
	guest_capture(one, 0, &picture);
	assert_int_equal(picture.pixels[0], 0x111111);
	picture_finish(&picture);
	guest_unref(two, 1);
	guest_capture(one, 0, &picture);
	assert_int_equal(picture.pixels[GUEST_SIDE * GUEST_SIDE - 1], 0x111111);
	picture_finish(&picture);
	guest_destroy(two);
}

static void test_t11_memory_that_was_taken_away(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_set_scanout_blob set = {
		.rect = {0, 0, GUEST_SIDE, GUEST_SIDE},
		.resource_id = 2,
		.width = GUEST_SIDE,
		.height = GUEST_SIDE,
		.format = VGPU_GPU_B8G8R8X8,
		.strides = {GUEST_SIDE * 4},
	};
	uint64_t bytes = guest->memory_bytes;
	struct picture picture;

	memset(guest->memory + 65536, 0x11, GUEST_SIDE * GUEST_SIDE * 4);
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8X8, GUEST_SIDE, GUEST_SIDE);
	assert_int_equal(
		guest_attach(guest, 1, 65536, GUEST_SIDE * GUEST_SIDE * 4), OK);
	assert_int_equal(guest_blob(guest, 2, 65536, 65536), OK);
	assert_int_equal(
		guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB, &set, sizeof(set)),
		OK);
	/* The memory is unplugged: no address of it was kept. */
	mprotect(guest->memory + 65536, bytes - 65536, PROT_NONE);
	guest->memory_bytes = 65536;
	assert_int_equal(guest_transfer(guest, 1, 0, 0, GUEST_SIDE, GUEST_SIDE, 0),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(guest_cursor(guest, 0, 2, 0, 0), VGPU_GPU_ERR_UNSPEC);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[0], 0);
	picture_finish(&picture);
	guest->memory_bytes = bytes;
	mprotect(guest->memory, bytes, PROT_READ | PROT_WRITE);
	guest_capture(guest, 0, &picture);
	assert_int_equal(picture.pixels[0], 0x111111);
	picture_finish(&picture);
}

#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, guest_set_up, guest_tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_t7_request_that_changes_while_it_is_read),
		TEST(test_t8_every_allocation_fails_once),
		TEST(test_t8_resource_gone_while_in_use),
		TEST(test_t9_random_order_against_a_model),
		TEST(test_t10_no_growth),
		TEST(test_t11_two_guests_with_the_same_names),
		TEST(test_t11_memory_that_was_taken_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
