/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the tests of the pure parts use of cmocka, by KUnit. */
#ifndef VGPU_TESTS_KERNEL_CMOCKA_KUNIT_H
#define VGPU_TESTS_KERNEL_CMOCKA_KUNIT_H

#include <kunit/test-bug.h>
#include <kunit/test.h>
#include <linux/limits.h>

#define UINT64_MAX U64_MAX

struct CMUnitTest {
	const char *name;
	void (*run)(void **state);
};

#define cmocka_unit_test(f) {.name = #f, .run = f}
#define cmocka_run_group_tests(tests, set_up, tear_down)                       \
	vgpu_run_tests(tests, ARRAY_SIZE(tests))

/* A test that fails ends the case with the tests before it in its log. */
#define assert_true(condition)                                                 \
	KUNIT_ASSERT_TRUE(kunit_get_current_test(), condition)
#define assert_int_equal(a, b)                                                 \
	KUNIT_ASSERT_EQ(kunit_get_current_test(), (long long)(a),              \
			(long long)(b))

int vgpu_run_tests(const struct CMUnitTest *tests, size_t count);

/* What is main() of each file in userspace. */
int vgpu_test_allocators(void);
int vgpu_test_place(void);

#endif
