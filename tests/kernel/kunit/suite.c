// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs in the kernel what tests/kernel/ runs in userspace, one case a file. */
#include "cmocka_kunit.h"

#include <linux/module.h>

int vgpu_run_tests(const struct CMUnitTest *tests, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		kunit_info(kunit_get_current_test(), "%s", tests[i].name);
		tests[i].run(NULL);
	}
	return 0;
}

static void allocators(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vgpu_test_allocators(), 0);
}

static void place(struct kunit *test)
{
	KUNIT_EXPECT_EQ(test, vgpu_test_place(), 0);
}

static struct kunit_case vgpu_cases[] = {
	KUNIT_CASE(allocators),
	KUNIT_CASE(place),
	{},
};

static struct kunit_suite vgpu_suite = {
	.name = "openvgpu",
	.test_cases = vgpu_cases,
};
kunit_test_suite(vgpu_suite);

MODULE_DESCRIPTION("Tests of OpenVGPU's pure parts");
MODULE_LICENSE("GPL");
