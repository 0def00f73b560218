/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tests of the state block: what was mapped is what is unmapped. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "device/state.h"

#define GPU_BYTES 5000

static size_t unmapped_bytes;

int __real_munmap(void *at, size_t bytes);
int __wrap_munmap(void *at, size_t bytes);

int __wrap_munmap(void *at, size_t bytes)
{
	unmapped_bytes += bytes;
	return __real_munmap(at, bytes);
}

static int make_block(uint64_t *ret_bytes)
{
	int fd = memfd_create("state", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct vgpu_state *state;
	struct vgpu_err err = {};

	assert_true(fd >= 0);
	assert_int_equal(vgpu_state_map(fd, GPU_BYTES, &state, &err), 0);
	*ret_bytes = state->bytes;
	vgpu_state_unmap(state, GPU_BYTES);
	assert_int_equal(unmapped_bytes, *ret_bytes);
	unmapped_bytes = 0;
	return fd;
}

static void write_gpu_bytes(int fd, uint64_t value)
{
	assert_int_equal(pwrite(fd, &value, sizeof(value),
				offsetof(struct vgpu_state, gpu_bytes)),
			 sizeof(value));
}

/* A predecessor may have written anything into it. */
static void test_refused_block(void **opaque)
{
	static const uint64_t sizes[] = {0, GPU_BYTES + 1, 1 << 20,
					 UINT64_MAX - 8191};
	struct vgpu_state *state = NULL;
	struct vgpu_err err = {};
	uint64_t bytes;
	int fd;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		unmapped_bytes = 0;
		fd = make_block(&bytes);
		write_gpu_bytes(fd, sizes[i]);
		assert_int_equal(vgpu_state_map(fd, GPU_BYTES, &state, &err),
				 -EBADMSG);
		assert_null(state);
		assert_int_equal(unmapped_bytes, bytes);
		close(fd);
	}
}

/* And so may whoever else has it, while it is in use. */
static void test_changed_block(void **opaque)
{
	struct vgpu_state *state;
	struct vgpu_err err = {};
	uint64_t bytes;
	int fd;

	unmapped_bytes = 0;
	fd = make_block(&bytes);
	assert_int_equal(vgpu_state_map(fd, GPU_BYTES, &state, &err), 0);
	write_gpu_bytes(fd, 1 << 20);
	vgpu_state_unmap(state, GPU_BYTES);
	assert_int_equal(unmapped_bytes, bytes);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused_block),
		cmocka_unit_test(test_changed_block),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
