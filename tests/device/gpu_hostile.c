/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a hostile guest tries: the classes of bugs that such devices had. */
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

#define OK	      VGPU_GPU_OK_NODATA
#define BAD_ID	      VGPU_GPU_ERR_INVALID_RESOURCE_ID
#define BAD_SCANOUT   VGPU_GPU_ERR_INVALID_SCANOUT_ID
#define BAD_PARAMETER VGPU_GPU_ERR_INVALID_PARAMETER

#define SIDE 32u

static const uint32_t odd_values[] = {
	0,	    1,		SIDE - 1,   SIDE,	SIDE + 1,
	4095,	    4096,	0xffff,	    0x10000,	0x3fffffff,
	0x40000000, 0x7fffffff, 0x80000000, 0xfffffffe, UINT32_MAX,
};
#define N_ODD VGPU_ARRAY_SIZE(odd_values)

static int set_up(void **state)
{
	*state = guest_create(2, GUEST_WIDTH, GUEST_HEIGHT, 32, 32);
	return 0;
}

static int tear_down(void **state)
{
	guest_check(*state);
	guest_destroy(*state);
	return 0;
}

static void test_t1_transfer_box_and_offset(void **state)
{
	struct guest *guest = *state;
	const uint32_t bytes = SIDE * SIDE * 4;
	const struct vgpu_gpu_state_resource *middle;
	uint8_t *storage;

	/* Three in a row: the middle one is written, the others must stay. */
	for (uint32_t id = 1; id <= 3; id++)
		guest_create_2d(guest, id, VGPU_GPU_B8G8R8A8, SIDE, SIDE);
	memset(guest->memory, 0xee, 2ul * bytes);
	guest_attach_scattered(guest, 2, 0, bytes);
	middle = vgpu_gpu_resource_find(guest->gpu, 2);
	storage = guest->framebuffer + middle->offset;

	for (size_t i = 0; i < N_ODD * N_ODD; i++) {
		uint32_t from = odd_values[i / N_ODD];
		uint32_t size = odd_values[i % N_ODD];
		bool fits = (uint64_t)from + size <= SIDE;
		uint32_t want = fits ? OK : BAD_PARAMETER;

		assert_int_equal(guest_transfer(guest, 2, from, 0, size, 1, 0),
				 want);
		assert_int_equal(guest_transfer(guest, 2, 0, from, 1, size, 0),
				 want);
		assert_int_equal(guest_flush(guest, 2, from, from, size, size),
				 want);
	}
	for (size_t i = 0; i < N_ODD; i++) {
		uint64_t low = odd_values[i];
		uint64_t offsets[] = {low, low << 32, UINT64_MAX - low};

		for (size_t j = 0; j < VGPU_ARRAY_SIZE(offsets); j++) {
			/* One row less than the backing has. */
			bool fits = offsets[j] <= SIDE * 4;

			assert_int_equal(guest_transfer(guest, 2, 0, 0, SIDE,
							SIDE - 1, offsets[j]),
					 fits ? OK : BAD_PARAMETER);
		}
	}
	for (uint32_t i = 0; i < bytes; i++) {
		assert_int_equal(storage[(int64_t)i - bytes], 0);
		assert_int_equal(storage[i + bytes], 0);
	}
}

static void test_t1_backing_shorter_than_claimed(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_attach_backing attach = {1, 3};
	const struct vgpu_gpu_entry entries[2] = {{GUEST_BASE, 4096, 0},
						  {GUEST_BASE, 4096, 0}};

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, SIDE, SIDE);
	assert_int_equal(guest_send_entries(guest,
					    VGPU_GPU_RESOURCE_ATTACH_BACKING,
					    &attach, sizeof(attach), entries, 2),
			 BAD_PARAMETER);
	assert_int_equal(guest_attach(guest, 1, 0, SIDE * SIDE * 4 - 1), OK);
	assert_int_equal(guest_transfer(guest, 1, 0, 0, SIDE, SIDE, 0),
			 BAD_PARAMETER);
	assert_int_equal(guest_transfer(guest, 1, 0, 0, SIDE, SIDE - 1, 0), OK);
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
	for (size_t i = 0; i < N_ODD * N_ODD; i++) {
		uint64_t a = odd_values[i / N_ODD], b = odd_values[i % N_ODD];

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

	guest_create_2d(guest, 2, VGPU_GPU_B8G8R8X8, SIDE, SIDE);
	for (size_t i = 0; i < N_ODD * N_ODD; i++) {
		uint64_t a = odd_values[i / N_ODD], b = odd_values[i % N_ODD];
		uint32_t want = b > 0 && a + b <= SIDE ? OK : BAD_PARAMETER;

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
	memset(guest->memory, 0xee, 4 * SIDE * SIDE);
	guest_show(guest, 0, 1, 0, SIDE, SIDE);
	guest_unref(guest, 1);
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8X8, SIDE, SIDE);
	guest_scanout(guest, 0, 1, 0, 0, SIDE, SIDE);
	guest_capture(guest, 0, &picture);
	for (uint32_t i = 0; i < SIDE * SIDE; i++)
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

	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, SIDE, SIDE);
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

	for (size_t i = 0; i < N_ODD * N_ODD; i++) {
		uint32_t a = odd_values[i / N_ODD], b = odd_values[i % N_ODD];
		bool sane = a > 0 && b > 0 && a <= VGPU_GPU_SIDE_MAX &&
			    b <= VGPU_GPU_SIDE_MAX;
		bool fits = (uint64_t)a * b * 4 <= guest->framebuffer_bytes;

		assert_int_equal(
			guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, a, b),
			!sane  ? BAD_PARAMETER
			: fits ? OK
			       : VGPU_GPU_ERR_OUT_OF_MEMORY);
		if (sane && fits)
			assert_int_equal(guest_unref(guest, 1), OK);
	}
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8A8, SIDE, SIDE);
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
				 random >> 4 & 1 ? odd_values[random % N_ODD]
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
	unsigned int fds = count_fds();
	const struct vgpu_gpu_transport_ops *ops = guest->gpu->ops;

	guest_show(guest, 0, 1, 0, SIDE, SIDE);
	for (int n = 0; n < 3; n++) {
		struct vgpu_gpu *gpu = NULL;
		struct vgpu_err err = {};

		fail_in = n;
		assert_int_equal(
			vgpu_gpu_create(&guest->config, ops, guest,
					guest->state, guest->framebuffer,
					guest->framebuffer_bytes, &gpu, &err),
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
		guest_show(guest, 0, i, 0, SIDE, SIDE);
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
#ifndef __SANITIZE_ADDRESS__
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

	memset(one->memory, 0x11, 4 * SIDE * SIDE);
	memset(two->memory, 0x22, 4 * SIDE * SIDE);
	guest_show(one, 0, 1, 0, SIDE, SIDE);
	assert_int_equal(guest_scanout(two, 0, 1, 0, 0, SIDE, SIDE), BAD_ID);
	assert_int_equal(guest_unref(two, 1), BAD_ID);
	guest_show(two, 0, 1, 0, SIDE, SIDE);
	guest_capture(one, 0, &picture);
	assert_int_equal(picture.pixels[0], 0x111111);
	picture_finish(&picture);
	guest_unref(two, 1);
	guest_capture(one, 0, &picture);
	assert_int_equal(picture.pixels[SIDE * SIDE - 1], 0x111111);
	picture_finish(&picture);
	guest_destroy(two);
}

static void test_t11_memory_that_was_taken_away(void **state)
{
	struct guest *guest = *state;
	const struct vgpu_gpu_set_scanout_blob set = {
		.rect = {0, 0, SIDE, SIDE},
		.resource_id = 2,
		.width = SIDE,
		.height = SIDE,
		.format = VGPU_GPU_B8G8R8X8,
		.strides = {SIDE * 4},
	};
	uint64_t bytes = guest->memory_bytes;
	struct picture picture;

	memset(guest->memory + 65536, 0x11, SIDE * SIDE * 4);
	guest_create_2d(guest, 1, VGPU_GPU_B8G8R8X8, SIDE, SIDE);
	assert_int_equal(guest_attach(guest, 1, 65536, SIDE * SIDE * 4), OK);
	assert_int_equal(guest_blob(guest, 2, 65536, 65536), OK);
	assert_int_equal(
		guest_send(guest, VGPU_GPU_SET_SCANOUT_BLOB, &set, sizeof(set)),
		OK);
	/* The memory is unplugged: no address of it was kept. */
	mprotect(guest->memory + 65536, bytes - 65536, PROT_NONE);
	guest->memory_bytes = 65536;
	assert_int_equal(guest_transfer(guest, 1, 0, 0, SIDE, SIDE, 0),
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

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

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
		TEST(test_t7_request_that_changes_while_it_is_read),
		TEST(test_t8_every_allocation_fails_once),
		TEST(test_t8_resource_gone_while_in_use),
		TEST(test_t9_random_order_against_a_model),
		TEST(test_t10_no_growth),
		TEST(test_t11_two_guests_with_the_same_names),
		TEST(test_t11_memory_that_was_taken_away),
		TEST(test_short_requests_and_answers),
		TEST(test_unknown_commands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
