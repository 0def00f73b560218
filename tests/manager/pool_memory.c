/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A pool on a machine whose memory others take: it steps back in time. */
#include <semaphore.h>
#include <unistd.h>

#include "lib/util.h"
#include "manager/host/memory.h"
#include "manager/gpu/mediated/pool.h"
#include "tests/lib/test.h"

#define SEGMENT_BYTES (VGPU_POOL_SEGMENT_MIB * VGPU_MIB)

/* What the machine has, and at which look somebody else takes it. */
static uint64_t available;
static unsigned int looks;
static unsigned int taken_at_look;
static sem_t may_look_again;

uint64_t vgpu_memory_available(void)
{
	/* The pool tries again after a while: not before the test is there. */
	if (looks == taken_at_look)
		sem_wait(&may_look_again);
	if (++looks == taken_at_look)
		__atomic_store_n(&available, 0, __ATOMIC_RELAXED);
	return __atomic_load_n(&available, __ATOMIC_RELAXED);
}

/* Run the pool's events until @segments are ready, and it is short or not. */
static void wait_for(sd_event *event, struct vgpu_pool *pool, size_t segments,
		     bool is_short)
{
	for (int i = 0; i < 600; i++) {
		if (vgpu_pool_ready(pool) == segments &&
		    vgpu_pool_is_short(pool) == is_short)
			return;
		assert_true(sd_event_run(event, 100 * 1000) >= 0);
	}
	fail_msg("%zu segments are ready", vgpu_pool_ready(pool));
}

static void on_progress(void *userdata)
{
	(*(unsigned int *)userdata)++;
}

static void test_others_take_memory(void **state)
{
	struct vgpu_pool *pool;
	unsigned int progress = 0;
	sd_event *event;
	int fd;

	available = 4 * SEGMENT_BYTES;
	/* The second segment has begun. */
	taken_at_look = 8 + 4;
	assert_int_equal(sem_init(&may_look_again, 0, 0), 0);
	assert_true(sd_event_new(&event) >= 0);
	assert_int_equal(
		vgpu_pool_create(event, 2, on_progress, &progress, &pool), 0);
	assert_int_equal(vgpu_pool_start(pool), 0);
	wait_for(event, pool, 1, true);
	assert_int_equal(looks, taken_at_look);
	assert_true(progress > 0);

	/* Memory is back: one that is given back wakes the pool at once. */
	__atomic_store_n(&available, 4 * SEGMENT_BYTES, __ATOMIC_RELAXED);
	sem_post(&may_look_again);
	assert_int_equal(vgpu_pool_take(pool, 1, &fd), 0);
	vgpu_pool_give(pool, 1, &fd, 1);
	wait_for(event, pool, 2, false);
	vgpu_pool_destroy(pool);
	sd_event_unref(event);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_others_take_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
