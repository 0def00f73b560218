/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a vGPU has used of a GPU's time, and when it may go on. */
#include "lib/gpu_time.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "lib/share.h"
#include "lib/util.h"
#include "test.h"

#define MS    UINT64_C(1000000)
#define S     (1000 * MS)
#define START (1000 * S)

static struct vgpu_gpu_time *make(uint32_t part, uint32_t slice_usec)
{
	struct vgpu_gpu_time *time;
	int fd;

	assert_return_code(vgpu_gpu_time_create(&time, &fd), 0);
	vgpu_gpu_time_grant(time, part, slice_usec);
	close(fd);
	return time;
}

/*
 * A guest that always has a submit of @work_ns ready. Returns its part of the
 * GPU's time in @for_ns, in millionths.
 */
static uint64_t run(struct vgpu_gpu_time *time, uint64_t work_ns, uint64_t for_ns)
{
	uint64_t now = START;

	while (now < START + for_ns) {
		now += vgpu_gpu_time_wait_ns(time, now);
		now += work_ns;
		vgpu_gpu_time_charge(time, now, work_ns);
	}
	return atomic_load(&time->used_ns) * VGPU_SHARE_WHOLE / (now - START);
}

static void without_a_limit_nobody_waits(void **state)
{
	struct vgpu_gpu_time *time = make(VGPU_SHARE_WHOLE, 5000);

	assert_int_equal(run(time, 7 * MS, S), VGPU_SHARE_WHOLE);
	vgpu_gpu_time_unmap(time);
}

static void a_share_is_not_exceeded(void **state)
{
	static const uint32_t parts[] = {1000, 125000, 333333, 500000, 900000};
	static const uint64_t work[] = {20000, MS, 16 * MS, 300 * MS};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(parts); i++) {
		for (size_t k = 0; k < VGPU_ARRAY_SIZE(work); k++) {
			struct vgpu_gpu_time *time = make(parts[i], 5000);
			/* A thousand times what one submit is worth. */
			uint64_t for_ns = VGPU_MAX(work[k], 5 * MS) * 1000 *
					  VGPU_SHARE_WHOLE / parts[i];
			uint64_t got = run(time, work[k], for_ns);

			assert_in_range(got, parts[i] * 99ULL / 100,
					parts[i] * 101ULL / 100);
			vgpu_gpu_time_unmap(time);
		}
	}
}

static void time_not_used_is_not_saved(void **state)
{
	struct vgpu_gpu_time *time = make(250000, 5000);

	/* It was idle for long, and now works as it can. */
	vgpu_gpu_time_charge(time, START, MS);
	vgpu_gpu_time_charge(time, START + 100 * S, 100 * MS);
	assert_int_equal(vgpu_gpu_time_wait_ns(time, START + 100 * S),
			 300 * MS - 5 * MS);
	vgpu_gpu_time_unmap(time);
}

static void a_new_share_counts_at_once(void **state)
{
	struct vgpu_gpu_time *time = make(100000, 1000);

	vgpu_gpu_time_charge(time, START, S);
	assert_int_equal(vgpu_gpu_time_wait_ns(time, START), 9 * S - MS);
	vgpu_gpu_time_grant(time, VGPU_SHARE_WHOLE, 1000);
	assert_int_equal(vgpu_gpu_time_wait_ns(time, START), 0);
	vgpu_gpu_time_unmap(time);
}

static void no_value_overflows(void **state)
{
	struct vgpu_gpu_time *time = make(0, 0);

	vgpu_gpu_time_charge(time, 5, UINT64_MAX);
	assert_in_range(vgpu_gpu_time_wait_ns(time, 5), 1,
			VGPU_GPU_TIME_DEBT_NS_MAX);
	/* What a render process may write there. */
	atomic_store(&time->due_ns, UINT64_MAX);
	atomic_store(&time->slice_usec, UINT32_MAX);
	assert_in_range(vgpu_gpu_time_wait_ns(time, START), 1,
			VGPU_GPU_TIME_DEBT_NS_MAX);
	vgpu_gpu_time_charge(time, START, S);
	assert_in_range(atomic_load(&time->due_ns), START,
			START + VGPU_GPU_TIME_DEBT_NS_MAX);
	vgpu_gpu_time_unmap(time);
}

static void a_page_is_shared_and_keeps_its_size(void **state)
{
	struct vgpu_gpu_time *time, *other;
	int fd, none = memfd_create("none", MFD_CLOEXEC);

	assert_return_code(vgpu_gpu_time_create(&time, &fd), 0);
	other = vgpu_gpu_time_map(fd);
	assert_non_null(other);
	vgpu_gpu_time_charge(other, START, MS);
	assert_int_equal(atomic_load(&time->used_ns), MS);
	assert_int_equal(ftruncate(fd, 0), -1);
	vgpu_gpu_time_unmap(other);
	vgpu_gpu_time_unmap(time);
	close(fd);
	assert_null(vgpu_gpu_time_map(none));
	assert_null(vgpu_gpu_time_map(-1));
	close(none);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(without_a_limit_nobody_waits),
		cmocka_unit_test(a_share_is_not_exceeded),
		cmocka_unit_test(time_not_used_is_not_saved),
		cmocka_unit_test(a_new_share_counts_at_once),
		cmocka_unit_test(no_value_overflows),
		cmocka_unit_test(a_page_is_shared_and_keeps_its_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
