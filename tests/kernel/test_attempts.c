// SPDX-License-Identifier: GPL-2.0-or-later
/* How often something may be tried in an hour. */
#include "kernel/core/pure/attempts.h"

#include "test.h"

static void allows_some_an_hour(void **state)
{
	struct vgpu_attempts attempts = {};
	u64 now;
	u32 i;

	(void)state;
	for (i = 0; i < VGPU_ATTEMPTS_MAX; i++) {
		assert_int_equal(vgpu_attempts_wait(&attempts, 100 + i), 0);
		vgpu_attempts_add(&attempts, 100 + i);
	}
	assert_int_equal(vgpu_attempts_wait(&attempts, 200), 3500);
	assert_int_equal(vgpu_attempts_wait(&attempts, 3699), 1);
	/* The first one is forgotten, and only that one. */
	assert_int_equal(vgpu_attempts_wait(&attempts, 3700), 0);
	vgpu_attempts_add(&attempts, 3700);
	assert_int_equal(vgpu_attempts_wait(&attempts, 3700), 1);
	/* However many there were. */
	for (i = 0, now = 10000; i < 1000; i++, now += VGPU_ATTEMPTS_WITHIN) {
		assert_int_equal(vgpu_attempts_wait(&attempts, now), 0);
		vgpu_attempts_add(&attempts, now);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(allows_some_an_hour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
