/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Schedulers, and the figures that follow from them. */
#include "lib/share.h"

#include <string.h>

#include "lib/type.h"
#include "lib/util.h"
#include "test.h"

#define GIB (1024 * VGPU_MIB)

static void names_are_read_back(void **state)
{
	enum vgpu_scheduler scheduler;

	for (unsigned int i = 0; i < VGPU_SCHEDULER_MAX; i++) {
		assert_true(vgpu_scheduler_parse(vgpu_scheduler_name(i),
						 &scheduler));
		assert_int_equal(scheduler, i);
	}
	assert_false(vgpu_scheduler_parse("", &scheduler));
	assert_false(vgpu_scheduler_parse("best_effort", &scheduler));
}

static void fixed_share_is_the_part_of_the_gpu(void **state)
{
	assert_int_equal(vgpu_share_fixed(GIB, 8 * GIB, 100, 100), 125000);
	assert_int_equal(vgpu_share_fixed(8 * GIB, 8 * GIB, 800, 800), 1000000);
	/* Its own weight counts against its type's. */
	assert_int_equal(vgpu_share_fixed(GIB, 8 * GIB, 200, 100), 250000);
	assert_int_equal(vgpu_share_fixed(GIB, 8 * GIB, 50, 100), 62500);
	assert_int_equal(vgpu_share_fixed(GIB, 8 * GIB, 10000, 100), 1000000);
	/* All that fits together is never more than the whole. */
	assert_true(3 * vgpu_share_fixed(GIB, 3 * GIB, 1, 1) <= VGPU_SHARE_WHOLE);
	assert_int_equal(vgpu_share_fixed(VGPU_MIB, 1ULL << 43, 1, 10000), 1);
	assert_int_equal(vgpu_share_fixed(GIB, 0, 1, 1), 1000000);
	assert_int_equal(vgpu_share_fixed(GIB, GIB, 1, 0), 1000000);
}

static struct vgpu_cpu_share cpu(enum vgpu_scheduler scheduler, uint32_t slice,
				 uint32_t weight, uint32_t fixed,
				 uint32_t processors)
{
	const struct vgpu_scheduling scheduling = {scheduler, slice};
	struct vgpu_cpu_share share;

	vgpu_share_of_cpu(&scheduling, weight, fixed, processors, &share);
	return share;
}

static void best_effort_goes_by_weight(void **state)
{
	struct vgpu_cpu_share share =
		cpu(VGPU_SCHEDULER_BEST_EFFORT, 5, 400, 125000, 2);

	assert_int_equal(share.weight, 400);
	assert_int_equal(share.quota_usec, 0);
}

static void equal_share_knows_no_weight(void **state)
{
	struct vgpu_cpu_share one =
		cpu(VGPU_SCHEDULER_EQUAL_SHARE, 5, 400, 125000, 2);
	struct vgpu_cpu_share other =
		cpu(VGPU_SCHEDULER_EQUAL_SHARE, 5, 1, 125000, 2);

	assert_int_equal(one.weight, other.weight);
	assert_int_equal(one.quota_usec, 10000);
	assert_int_equal(one.period_usec, 40000);
	assert_int_equal(other.quota_usec, one.quota_usec);
	assert_int_equal(other.period_usec, one.period_usec);
	/* The only one has it all. */
	one = cpu(VGPU_SCHEDULER_EQUAL_SHARE, 5, 400, VGPU_SHARE_WHOLE, 2);
	assert_int_equal(one.quota_usec, 0);
}

static void fixed_share_is_a_quota(void **state)
{
	struct vgpu_cpu_share share =
		cpu(VGPU_SCHEDULER_FIXED_SHARE, 5, 400, 125000, 2);

	/* 5 ms on each of two processors, of 40. */
	assert_int_equal(share.period_usec, 40000);
	assert_int_equal(share.quota_usec, 10000);
	share = cpu(VGPU_SCHEDULER_FIXED_SHARE, 5, 400, VGPU_SHARE_WHOLE, 2);
	assert_int_equal(share.quota_usec, 0);
}

/* The share is kept, and the kernel takes it, for every slice and share. */
static void fixed_share_fits_the_kernel(void **state)
{
	for (uint32_t slice = 1; slice <= VGPU_TIME_SLICE_MS_MAX; slice++) {
		for (uint32_t fixed = 1; fixed < VGPU_SHARE_WHOLE;
		     fixed += 1 + fixed / 7) {
			struct vgpu_cpu_share share = cpu(
				VGPU_SCHEDULER_FIXED_SHARE, slice, 1, fixed, 64);
			uint64_t got = share.quota_usec * VGPU_SHARE_WHOLE /
				       share.period_usec / 64;

			assert_in_range(share.period_usec, 1000, 1000000);
			assert_true(share.quota_usec >= 1000);
			/* What is too small for the kernel is rounded up. */
			if (share.quota_usec > 1000)
				assert_in_range(got, fixed * 98 / 100, fixed);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_read_back),
		cmocka_unit_test(fixed_share_is_the_part_of_the_gpu),
		cmocka_unit_test(best_effort_goes_by_weight),
		cmocka_unit_test(equal_share_knows_no_weight),
		cmocka_unit_test(fixed_share_is_a_quota),
		cmocka_unit_test(fixed_share_fits_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
