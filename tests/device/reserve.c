/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framebuffer and the files that are exchanged for it: never more, never less. */
#include "device/render/reserve.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "lib/util.h"

#define MIB	      (1ULL << 20)
#define SEGMENT_BYTES (16 * MIB)
#define SEGMENTS      4
#define BYTES	      (SEGMENTS * SEGMENT_BYTES)
#define SLICE	      VGPU_RESERVE_SLICE_BYTES
#define FILES_MAX     8

struct held {
	sd_event *event;
	int segment[SEGMENTS];
	struct vgpu_reserve *reserve;
	int fd[FILES_MAX];
	unsigned int n_files;
	struct vgpu_fill fill[FILES_MAX];
	unsigned int n_filled;
};

static uint64_t pages_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return (uint64_t)st.st_blocks * 512;
}

static uint64_t held_bytes(const struct held *held)
{
	uint64_t bytes = 0;

	for (int i = 0; i < SEGMENTS; i++)
		bytes += pages_of(held->segment[i]);
	return bytes;
}

static uint64_t all_bytes(const struct held *held)
{
	uint64_t bytes = held_bytes(held);

	for (unsigned int i = 0; i < held->n_files; i++)
		bytes += pages_of(held->fd[i]);
	return bytes;
}

static void begin(struct held *held)
{
	assert_int_equal(vgpu_reserve_create(held->event, held->segment,
					     SEGMENTS, SEGMENT_BYTES, BYTES,
					     &held->reserve),
			 0);
}

static int set_up(void **state)
{
	struct held *held = calloc(1, sizeof(*held));

	assert_non_null(held);
	assert_true(sd_event_new(&held->event) >= 0);
	for (int i = 0; i < SEGMENTS; i++) {
		held->segment[i] = memfd_create("segment", MFD_CLOEXEC);
		assert_int_equal(ftruncate(held->segment[i], SEGMENT_BYTES), 0);
		assert_int_equal(
			fallocate(held->segment[i], 0, 0, SEGMENT_BYTES), 0);
	}
	begin(held);
	*state = held;
	return 0;
}

static int tear_down(void **state)
{
	struct held *held = *state;

	vgpu_reserve_destroy(held->reserve);
	for (int i = 0; i < SEGMENTS; i++)
		close(held->segment[i]);
	for (unsigned int i = 0; i < held->n_files; i++)
		close(held->fd[i]);
	sd_event_unref(held->event);
	free(held);
	return 0;
}

static void on_filled(void *opaque, int status)
{
	struct held *held = opaque;

	assert_int_equal(status, 0);
	held->n_filled++;
}

/* A file of @bytes that asks for its pages. Returns as vgpu_reserve_fill(). */
static int add(struct held *held, uint64_t bytes)
{
	unsigned int i = held->n_files++;

	held->fd[i] = memfd_create("file", MFD_CLOEXEC);
	assert_int_equal(ftruncate(held->fd[i], (off_t)bytes), 0);
	held->fill[i] = (struct vgpu_fill){.filled = on_filled, .opaque = held};
	return vgpu_reserve_fill(held->reserve, &held->fill[i], held->fd[i],
				 bytes, /* is_new= */ true);
}

static void drain(struct held *held, unsigned int i, uint64_t bytes)
{
	vgpu_reserve_drain(held->reserve, dup(held->fd[i]), bytes);
}

/* Turns of the event loop until nothing is left to do for @usec. */
static unsigned int run(struct held *held, uint64_t usec)
{
	unsigned int turns = 0;

	while (sd_event_run(held->event, usec) > 0) {
		uint64_t all = all_bytes(held);

		turns++;
		/* The machine has a slice of it at most, and we no more. */
		assert_in_range(all, BYTES - 2 * SLICE, BYTES);
	}
	return turns;
}

static void test_slices(void **state)
{
	struct held *held = *state;

	/* What is small is there at once. */
	assert_int_equal(add(held, MIB), 0);
	assert_int_equal(pages_of(held->fd[0]), MIB);
	assert_int_equal(held_bytes(held), BYTES - MIB);
	/* Two that are large have their turns. */
	assert_int_equal(add(held, 32 * MIB), 1);
	assert_int_equal(add(held, 24 * MIB), 1);
	assert_int_equal(pages_of(held->fd[1]), 0);
	assert_true(vgpu_fill_is_active(&held->fill[1]));
	for (int i = 0; i < 4; i++) {
		sd_event_run(held->event, 0);
		assert_int_equal(all_bytes(held), BYTES);
	}
	assert_int_equal(pages_of(held->fd[1]), 16 * MIB);
	assert_int_equal(pages_of(held->fd[2]), 16 * MIB);
	assert_int_equal(add(held, MIB), 0);
	run(held, 0);
	assert_int_equal(held->n_filled, 2);
	assert_int_equal(pages_of(held->fd[1]), 32 * MIB);
	assert_int_equal(pages_of(held->fd[2]), 24 * MIB);
	assert_int_equal(held_bytes(held), BYTES - 58 * MIB);
	/* All comes back, and a slice of it after a while. */
	for (unsigned int i = 0; i < 4; i++)
		drain(held, i,
		      (const uint64_t[]){MIB, 32 * MIB, 24 * MIB, MIB}[i]);
	assert_true(run(held, 0) >= 7);
	assert_in_range(held_bytes(held), BYTES - SLICE, BYTES);
	run(held, 500000);
	assert_int_equal(held_bytes(held), BYTES);
	for (unsigned int i = 0; i < 4; i++)
		assert_int_equal(pages_of(held->fd[i]), 0);
}

/* One gets what another gives back, and the segments have no part in it. */
static void test_exchange(void **state)
{
	struct held *held = *state;

	assert_int_equal(add(held, BYTES), 1);
	run(held, 0);
	assert_int_equal(held_bytes(held), 0);
	drain(held, 0, BYTES);
	assert_int_equal(add(held, BYTES), 1);
	assert_true(run(held, 0) >= BYTES / SLICE);
	assert_int_equal(pages_of(held->fd[0]), 0);
	assert_int_equal(pages_of(held->fd[1]), BYTES);
	assert_int_equal(held_bytes(held), 0);
}

/* Nobody waits for it any more: what it had comes back, too. */
static void test_cancel(void **state)
{
	struct held *held = *state;

	assert_int_equal(add(held, 32 * MIB), 1);
	sd_event_run(held->event, 0);
	sd_event_run(held->event, 0);
	assert_int_equal(pages_of(held->fd[0]), 16 * MIB);
	vgpu_fill_cancel(&held->fill[0]);
	assert_false(vgpu_fill_is_active(&held->fill[0]));
	drain(held, 0, 32 * MIB);
	run(held, 500000);
	assert_int_equal(held->n_filled, 0);
	assert_int_equal(held_bytes(held), BYTES);
}

/* A predecessor died in the middle of an exchange. */
static void test_successor(void **state)
{
	struct held *held = *state;

	assert_int_equal(add(held, 20 * MIB), 1);
	assert_int_equal(add(held, 16 * MIB), 1);
	for (int i = 0; i < 3; i++)
		sd_event_run(held->event, 0);
	vgpu_reserve_destroy(held->reserve);
	/* The second file was freed, and what is in the segments is anything. */
	assert_int_equal(ftruncate(held->fd[1], 0), 0);
	assert_int_equal(fallocate(held->segment[3],
				   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				   MIB, 2 * MIB),
			 0);
	begin(held);
	vgpu_reserve_resume(held->reserve, 20 * MIB);
	held->fill[0] = (struct vgpu_fill){.filled = on_filled, .opaque = held};
	assert_int_equal(vgpu_reserve_fill(held->reserve, &held->fill[0],
					   held->fd[0], 20 * MIB,
					   /* is_new= */ false),
			 1);
	while (sd_event_run(held->event, 500000) > 0)
		;
	assert_int_equal(held->n_filled, 1);
	assert_int_equal(pages_of(held->fd[0]), 20 * MIB);
	assert_int_equal(held_bytes(held), BYTES - 20 * MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_slices),
		TEST(test_exchange),
		TEST(test_cancel),
		TEST(test_successor),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
