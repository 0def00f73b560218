/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What device processes count, and what that is called. */
#include "lib/figures.h"

#include <string.h>

#include "lib/util.h"
#include "test.h"

static void an_interval_counts_in_one_class(void **state)
{
	struct vgpu_figures figures = {};

	for (unsigned int i = 0; i < VGPU_FRAME_INTERVALS; i++) {
		uint32_t usec = vgpu_figures_interval_usec(i);

		if (i > 0)
			assert_true(usec > vgpu_figures_interval_usec(i - 1));
		/* Up to that, and not more. */
		vgpu_figures_count_interval(&figures, usec);
		assert_int_equal(figures.intervals[i], i ? 2 : 1);
		vgpu_figures_count_interval(&figures, usec + 1);
	}
	assert_int_equal(vgpu_figures_interval_usec(VGPU_FRAME_INTERVALS - 1),
			 VGPU_FRAME_INTERVAL_USEC_MAX);
}

static void pauses_do_not_count(void **state)
{
	const struct vgpu_figures none = {};
	struct vgpu_figures figures = {};

	vgpu_figures_count_interval(&figures, VGPU_FRAME_INTERVAL_USEC_MAX + 1);
	vgpu_figures_count_interval(&figures, UINT64_MAX);
	assert_memory_equal(&figures, &none, sizeof(none));
	vgpu_figures_count_interval(&figures, 0);
	vgpu_figures_count_interval(&figures, 16667);
	assert_int_equal(figures.intervals[0], 1);
	assert_int_equal(figures.intervals_usec, 16667);
}

static void names_differ(void **state)
{
	for (unsigned int i = 0; i < VGPU_LOSS_MAX; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(vgpu_loss_name(i),
						vgpu_loss_name(j));
	for (unsigned int i = 0; i < VGPU_REFUSAL_MAX; i++)
		for (unsigned int j = 0; j < i; j++)
			assert_string_not_equal(vgpu_refusal_name(i),
						vgpu_refusal_name(j));
	assert_string_equal(vgpu_loss_name(VGPU_LOSS_MAX), "other");
	assert_string_equal(vgpu_refusal_name(-1), "unspecified");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_interval_counts_in_one_class),
		cmocka_unit_test(pauses_do_not_count),
		cmocka_unit_test(names_differ),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
