/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core driver's allocators: fixed cases, and random sequences. */
#include "kernel/core/pure/bar1.h"
#include "kernel/core/pure/chid.h"
#include "kernel/core/pure/fb.h"
#include "test.h"

#define MIB	  0x100000ULL
#define GIB	  0x40000000ULL
#define SEQUENCES 400
#define STEPS	  120
#define HELD_MAX  40

/* What a sequence holds, as the caller of an allocator knows it. */
struct held {
	u64 start;
	u64 size;
	bool is_quarantined;
};

static struct held held[HELD_MAX];
static u32 n_held;

static bool is_apart(u64 start, u64 size)
{
	for (u32 i = 0; i < n_held; i++)
		if (start < held[i].start + held[i].size &&
		    held[i].start < start + size)
			return false;
	return true;
}

static void hold(u64 start, u64 size)
{
	assert_true(is_apart(start, size));
	assert_true(n_held < HELD_MAX);
	held[n_held++] = (struct held){start, size, false};
}

static struct held drop(u32 index)
{
	struct held dropped = held[index];

	held[index] = held[--n_held];
	return dropped;
}

static u64 held_bytes(bool is_quarantined)
{
	u64 bytes = 0;

	for (u32 i = 0; i < n_held; i++)
		if (held[i].is_quarantined == is_quarantined)
			bytes += held[i].size;
	return bytes;
}

/* Allocate at the lowest place. -ENOSPC: there is none. */
static int alloc_lowest(struct vgpu_fb *fb, u64 size, u64 *ret_offset)
{
	u64 end = fb->base + fb->ranges.size, at;

	for (at = fb->base; at < end; at += fb->unit_bytes) {
		int rc = vgpu_fb_alloc_at(fb, at, size);

		if (rc == 0)
			*ret_offset = at;
		if (rc == 0 || rc == -ENOMEM)
			return rc;
	}
	return -ENOSPC;
}

/* The same of channel ids. */
static int alloc_lowest_chids(struct vgpu_chids *chids, u32 count, u32 *ret_first)
{
	u32 first;

	for (first = chids->own; first < chids->total; first++) {
		if (vgpu_chids_alloc_at(chids, first, count))
			continue;
		*ret_first = first;
		return 0;
	}
	return -ENOSPC;
}

static void gives_framebuffer_in_segments(void **state)
{
	struct vgpu_range array[8];
	struct vgpu_fb fb;

	assert_int_equal(vgpu_fb_init(&fb, 0, 4 * GIB, 128 * MIB, array, 8), 0);
	/* The firmware's part, at the end of the first and in the last. */
	assert_int_equal(vgpu_fb_reserve(&fb, 0, 5), 0);
	assert_int_equal(vgpu_fb_reserve(&fb, 4 * GIB - 7 * MIB, 7 * MIB), 0);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 0, 1), -EBUSY);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 128 * MIB, 1), 0);
	assert_int_equal(fb.bytes[VGPU_FB_USED], 128 * MIB);
	assert_int_equal(vgpu_fb_free_bytes(&fb),
			 4 * GIB - 5 - 7 * MIB - 128 * MIB);

	assert_int_equal(vgpu_fb_alloc_at(&fb, 2 * GIB, GIB), 0);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 2 * GIB, GIB), -EBUSY);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 2 * GIB - 1, GIB), -EINVAL);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 3 * GIB, GIB), -EBUSY);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 4 * GIB, 1), -EINVAL);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 0, UINT64_MAX), -EINVAL);
	/* Gaps: 256 MiB to 2 GiB; 3 GiB to a segment before the end. */
	assert_int_equal(vgpu_fb_alloc_at(&fb, 3 * GIB, 512 * MIB), 0);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 256 * MIB, 2 * GIB), -EBUSY);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 256 * MIB, 0), -EINVAL);
	assert_int_equal(vgpu_fb_free(&fb, 0), -ENOENT); /* reserved */
	assert_int_equal(vgpu_fb_free(&fb, 2 * GIB + 128 * MIB), -ENOENT);
	assert_int_equal(vgpu_fb_free(&fb, 2 * GIB), 0);
	assert_int_equal(vgpu_fb_free(&fb, 2 * GIB), -ENOENT);

	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 3, array, 8), -EINVAL);
	assert_int_equal(vgpu_fb_init(&fb, 1, GIB, MIB, array, 8), -EINVAL);
	assert_int_equal(vgpu_fb_init(&fb, MIB, UINT64_MAX, MIB, array, 8),
			 -EINVAL);
}

static void carves_a_heap_area(void **state)
{
	struct vgpu_range array[4], heap_array[2];
	struct vgpu_fb fb, heap;
	u64 at;

	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 4), 0);
	assert_int_equal(vgpu_fb_reserve(&fb, GIB - MIB, MIB), 0);
	assert_int_equal(
		vgpu_fb_carve(&fb, 2 * GIB, &heap, 0x10000, heap_array, 2),
		-ENOSPC);
	assert_int_equal(
		vgpu_fb_carve(&fb, 100 * MIB, &heap, 0x10000, heap_array, 2), 0);
	assert_int_equal(heap.base, GIB - 256 * MIB);
	assert_int_equal(heap.ranges.size, 128 * MIB);
	assert_int_equal(vgpu_fb_alloc_at(&fb, heap.base, MIB), -EBUSY);
	assert_int_equal(vgpu_fb_alloc_at(&heap, GIB - 384 * MIB, MIB), -EINVAL);
	assert_int_equal(vgpu_fb_reserve(&heap, 0, MIB), -EINVAL);
	assert_int_equal(vgpu_fb_alloc_at(&heap, heap.base, 33 * MIB + 1), 0);
	assert_int_equal(heap.bytes[VGPU_FB_USED], 33 * MIB + 0x10000);
	assert_int_equal(vgpu_fb_alloc_at(&heap, heap.base + 40 * MIB, MIB), 0);
	/* There is room, but the array is full: nothing changes. */
	assert_int_equal(alloc_lowest(&heap, MIB, &at), -ENOMEM);
	assert_int_equal(heap.bytes[VGPU_FB_USED], 34 * MIB + 0x10000);
	assert_int_equal(vgpu_fb_free(&heap, 0), -ENOENT);
	assert_int_equal(vgpu_fb_free(&heap, heap.base), 0);
}

/* How many segments can be allocated, one by one; they are freed again. */
static u32 free_segments(struct vgpu_fb *fb)
{
	u64 at[HELD_MAX];
	u32 count = 0, i;

	while (count < HELD_MAX && alloc_lowest(fb, 1, &at[count]) == 0)
		count++;
	for (i = 0; i < count; i++)
		assert_int_equal(vgpu_fb_free(fb, at[i]), 0);
	return count;
}

static void keeps_what_is_not_usable(void **state)
{
	/* In no order, and the last segment is broken. */
	const struct vgpu_range usable[] = {
		{.start = 512 * MIB, .size = 400 * MIB},
		{.start = MIB, .size = 511 * MIB},
	};
	const struct vgpu_range overlapping[] = {
		{.start = 0, .size = 2 * MIB},
		{.start = MIB, .size = 2 * MIB},
	};
	const struct vgpu_range outside[] = {{.start = MIB, .size = GIB}};
	struct vgpu_range array[16];
	struct vgpu_fb fb;
	u64 at;

	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 16), 0);
	assert_int_equal(vgpu_fb_reserve_others(&fb, usable, 2), 0);
	assert_int_equal(fb.ranges.count, 2);
	assert_int_equal(fb.bytes[VGPU_FB_RESERVED], MIB + 112 * MIB);
	assert_int_equal(free_segments(&fb), 6);
	/* What is smaller than a segment costs none. */
	assert_int_equal(vgpu_fb_reserve_top(&fb, 3 * MIB, 2 * MIB, &at), 0);
	assert_int_equal(at, 908 * MIB);
	assert_int_equal(free_segments(&fb), 6);
	assert_int_equal(vgpu_fb_reserve_top(&fb, 13 * MIB, MIB, &at), 0);
	assert_int_equal(at, 895 * MIB);
	assert_int_equal(free_segments(&fb), 5);
	assert_int_equal(vgpu_fb_reserve_top(&fb, 0, MIB, &at), -EINVAL);
	assert_int_equal(vgpu_fb_reserve_top(&fb, MIB, 3, &at), -EINVAL);
	assert_int_equal(vgpu_fb_reserve_top(&fb, MIB, GIB, &at), -EINVAL);
	assert_int_equal(vgpu_fb_reserve_top(&fb, GIB, MIB, &at), -ENOSPC);

	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 16), 0);
	assert_int_equal(vgpu_fb_reserve_others(&fb, overlapping, 2), -EINVAL);
	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 16), 0);
	assert_int_equal(vgpu_fb_reserve_others(&fb, outside, 1), -EINVAL);
	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 16), 0);
	assert_int_equal(vgpu_fb_reserve_others(&fb, NULL, 0), 0);
	assert_int_equal(vgpu_fb_free_bytes(&fb), 0);
}

static void quarantine_is_never_given(void **state)
{
	struct vgpu_range array[8];
	struct vgpu_fb fb;

	assert_int_equal(vgpu_fb_init(&fb, 0, GIB, 128 * MIB, array, 8), 0);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 0, 512 * MIB), 0);
	assert_int_equal(vgpu_fb_quarantine(&fb, 128 * MIB), -ENOENT);
	assert_int_equal(vgpu_fb_quarantine(&fb, 0), 0);
	assert_int_equal(vgpu_fb_quarantine(&fb, 0), -ENOENT);
	assert_int_equal(vgpu_fb_free(&fb, 0), -ENOENT);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 0, MIB), -EBUSY);
	assert_int_equal(vgpu_fb_reserve(&fb, MIB, MIB), -EBUSY);
	assert_int_equal(free_segments(&fb), 4);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 384 * MIB, 640 * MIB), -EBUSY);
	assert_int_equal(vgpu_fb_scrubbed(&fb, 512 * MIB), -ENOENT);
	assert_int_equal(vgpu_fb_scrubbed(&fb, 0), 0);
	assert_int_equal(vgpu_fb_free_bytes(&fb), GIB);
	assert_int_equal(vgpu_fb_alloc_at(&fb, 0, GIB), 0);
}

static void check_fb(const struct vgpu_fb *fb)
{
	u64 used = held_bytes(false), quarantined = held_bytes(true);

	assert_int_equal(fb->bytes[VGPU_FB_USED], used);
	assert_int_equal(fb->bytes[VGPU_FB_QUARANTINED], quarantined);
	assert_int_equal(fb->ranges.count, n_held + 1); /* the reserve */
	assert_int_equal(vgpu_fb_free_bytes(fb),
			 fb->ranges.size - fb->bytes[VGPU_FB_RESERVED] - used -
				 quarantined);
}

static void fb_step(struct vgpu_fb *fb, u64 *seed)
{
	u64 size = (1 + random_below(seed, 6)) * fb->unit_bytes -
		   random_below(seed, 100);
	u32 i = n_held ? random_below(seed, n_held) : 0;
	struct held h;
	u64 at;

	switch (random_below(seed, 6)) {
	case 0:
	case 1:
		at = UINT64_MAX;
		if (alloc_lowest(fb, size, &at) == 0)
			hold(at, (size + fb->unit_bytes - 1) &
					 ~(fb->unit_bytes - 1));
		break;
	case 2:
		at = fb->base + random_below(seed, 64) * fb->unit_bytes;
		if (vgpu_fb_alloc_at(fb, at, fb->unit_bytes) == 0)
			hold(at, fb->unit_bytes);
		break;
	case 3:
	case 4:
		if (n_held == 0)
			break;
		h = drop(i);
		if (h.is_quarantined) {
			assert_int_equal(vgpu_fb_free(fb, h.start), -ENOENT);
			assert_int_equal(vgpu_fb_scrubbed(fb, h.start), 0);
			break;
		}
		/* What was freed can be had again, there. */
		assert_int_equal(vgpu_fb_free(fb, h.start), 0);
		assert_int_equal(vgpu_fb_alloc_at(fb, h.start, h.size), 0);
		assert_int_equal(vgpu_fb_free(fb, h.start), 0);
		break;
	default:
		if (n_held > 0 && !held[i].is_quarantined) {
			assert_int_equal(vgpu_fb_quarantine(fb, held[i].start),
					 0);
			held[i].is_quarantined = true;
		}
	}
}

static void framebuffer_holds_in_random_sequences(void **state)
{
	struct vgpu_range array[HELD_MAX + 1];
	u64 seed = 0x9e3779b97f4a7c15;
	struct vgpu_fb fb;

	for (u32 s = 0; s < SEQUENCES; s++) {
		u64 unit = 64 * MIB << random_below(&seed, 3);

		n_held = 0;
		assert_int_equal(vgpu_fb_init(&fb, 16 * GIB,
					      60 * unit + random_below(&seed, 999),
					      unit, array, HELD_MAX + 1),
				 0);
		assert_int_equal(
			vgpu_fb_reserve(
				&fb, 16 * GIB + random_below(&seed, 0xe0000000),
				1 + random_below(&seed, 9999)),
			0);
		for (u32 i = 0; i < STEPS; i++) {
			fb_step(&fb, &seed);
			check_fb(&fb);
		}
	}
}

static void shares_channels(void **state)
{
	struct vgpu_chids chids;
	u32 id;

	assert_int_equal(vgpu_chids_init(&chids, 2048, 512, true), 0);
	assert_int_equal(vgpu_chids_share(&chids, 1), 1024);
	assert_int_equal(vgpu_chids_share(&chids, 2), 512);
	assert_int_equal(vgpu_chids_share(&chids, 32), 32);
	assert_int_equal(vgpu_chids_share(&chids, 0), 0);
	assert_int_equal(vgpu_chids_share(&chids, 1537), 0);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 528, 48), -EINVAL);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 512, 0), -EINVAL);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 512 + 32, 64), -EINVAL);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 256, 256), -EINVAL);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 2048, 32), -EINVAL);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 512, 32), 0);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 1024, 1024), 0);
	assert_int_equal(vgpu_chids_alloc_at(&chids, 1024, 1024), -EBUSY);
	assert_int_equal(vgpu_chids_free(&chids, 1025), -ENOENT);
	assert_int_equal(vgpu_chids_free(&chids, 4096), -ENOENT);
	assert_int_equal(vgpu_chids_free(&chids, 1024), 0);

	for (u32 i = 0; i < 512; i++) {
		assert_int_equal(vgpu_chids_alloc_own(&chids, &id), 0);
		assert_int_equal(id, i);
	}
	assert_int_equal(vgpu_chids_alloc_own(&chids, &id), -ENOSPC);
	assert_int_equal(vgpu_chids_free(&chids, 511), 0);
	assert_int_equal(chids.used_by_core, 511);
	assert_int_equal(chids.used_by_vgpus, 32);
	assert_int_equal(vgpu_chids_free(&chids, 512), 0);
	assert_int_equal(chids.used_by_vgpus, 0);

	/* An odd share moves the first range. */
	assert_int_equal(vgpu_chids_init(&chids, 2048, 500, true), 0);
	assert_int_equal(vgpu_chids_share(&chids, 3), 512);
	assert_int_equal(vgpu_chids_init(&chids, 2048, 1024 + 1, true), 0);
	assert_int_equal(vgpu_chids_share(&chids, 1), 512);
	assert_int_equal(vgpu_chids_init(&chids, 2048, 500, false), 0);
	assert_int_equal(vgpu_chids_share(&chids, 3), 516);
	assert_int_equal(vgpu_chids_init(&chids, 2049, 1, true), -EINVAL);
	assert_int_equal(vgpu_chids_init(&chids, 64, 64, true), -EINVAL);
	assert_int_equal(vgpu_chids_init(&chids, 0, 0, true), -EINVAL);
}

static void chid_step(struct vgpu_chids *chids, u64 *seed)
{
	u32 count = chids->is_power_of_2 ? 1u << random_below(seed, 10)
					 : 1 + random_below(seed, 400);
	u32 first;
	struct held h;

	if (n_held < HELD_MAX && random_below(seed, 3)) {
		if (alloc_lowest_chids(chids, count, &first))
			return;
		assert_true(first >= chids->own);
		assert_true(first + count <= chids->total);
		assert_true(!chids->is_power_of_2 || first % count == 0);
		hold(first, count);
	} else if (n_held > 0) {
		h = drop(random_below(seed, n_held));
		assert_int_equal(vgpu_chids_free(chids, (u32)h.start), 0);
		assert_int_equal(
			vgpu_chids_alloc_at(chids, (u32)h.start, (u32)h.size), 0);
		assert_int_equal(vgpu_chids_free(chids, (u32)h.start), 0);
	}
}

static void channels_hold_in_random_sequences(void **state)
{
	struct vgpu_chids chids;
	u64 seed = 77;

	for (u32 s = 0; s < SEQUENCES; s++) {
		n_held = 0;
		assert_int_equal(
			vgpu_chids_init(&chids, 1000 + random_below(&seed, 1049),
					random_below(&seed, 600), s % 2),
			0);
		for (u32 i = 0; i < STEPS; i++) {
			chid_step(&chids, &seed);
			assert_int_equal(chids.used_by_vgpus, held_bytes(false));
		}
		while (n_held > 0)
			assert_int_equal(
				vgpu_chids_free(&chids, (u32)drop(0).start), 0);
		for (u32 i = 0; i < VGPU_CHID_WORDS; i++)
			assert_int_equal(chids.used[i] | chids.first[i], 0);
	}
}

/* Each of so many vGPUs gets its share, whatever the core driver keeps. */
static void shares_can_be_had(void **state)
{
	struct vgpu_chids chids;
	u64 seed = 5;

	for (u32 i = 0; i < 2000; i++) {
		u32 vgpus = 1 + random_below(&seed, 32), share, first;

		assert_int_equal(vgpu_chids_init(&chids, 2048,
						 random_below(&seed, 2000), i % 2),
				 0);
		share = vgpu_chids_share(&chids, vgpus);
		if (share == 0)
			continue;
		for (u32 n = 0; n < vgpus; n++)
			assert_int_equal(
				alloc_lowest_chids(&chids, share, &first), 0);
	}
}

static void opens_windows(void **state)
{
	struct vgpu_range array[4];
	struct vgpu_bar1 bar1;
	u64 at;

	assert_int_equal(
		vgpu_bar1_init(&bar1, 256 * MIB, 16 * MIB, GIB, array, 4), 0);
	assert_int_equal(vgpu_bar1_open(&bar1, 64 * MIB, 4 * MIB,
					VGPU_BAR1_HUGE_PAGE_BYTES, &at),
			 0);
	assert_int_equal(at, 16 * MIB);
	assert_int_equal(vgpu_bar1_open(&bar1, 66 * MIB, 0x10000,
					VGPU_BAR1_PAGE_BYTES, &at),
			 -EEXIST);
	assert_int_equal(vgpu_bar1_open(&bar1, 68 * MIB, 0x10000,
					VGPU_BAR1_PAGE_BYTES, &at),
			 0);
	assert_int_equal(vgpu_bar1_open(&bar1, 68 * MIB, 0x1000, 0x1000, &at),
			 -EINVAL);
	assert_int_equal(vgpu_bar1_open(&bar1, 68 * MIB, 0x1000,
					VGPU_BAR1_PAGE_BYTES, &at),
			 -EINVAL);
	assert_int_equal(
		vgpu_bar1_open(&bar1, GIB, 0x10000, VGPU_BAR1_PAGE_BYTES, &at),
		-EINVAL);
	assert_int_equal(vgpu_bar1_open(&bar1, UINT64_MAX - 0xffff, 0x10000,
					VGPU_BAR1_PAGE_BYTES, &at),
			 -EINVAL);
	assert_int_equal(vgpu_bar1_open(&bar1, 128 * MIB, 236 * MIB,
					VGPU_BAR1_PAGE_BYTES, &at),
			 -ENOSPC);
	assert_int_equal(vgpu_bar1_close(&bar1, 0), -ENOENT); /* reserved */
	assert_int_equal(vgpu_bar1_close(&bar1, 16 * MIB), 0);
	assert_int_equal(vgpu_bar1_close(&bar1, 16 * MIB), -ENOENT);
	assert_int_equal(vgpu_bar1_open(&bar1, 66 * MIB, 0x10000,
					VGPU_BAR1_PAGE_BYTES, &at),
			 0);
	assert_int_equal(vgpu_bar1_init(&bar1, MIB, 2 * MIB, GIB, array, 4),
			 -EINVAL);
}

static void windows_hold_in_random_sequences(void **state)
{
	struct vgpu_range array[HELD_MAX];
	u64 shown[HELD_MAX], seed = 31;
	struct vgpu_bar1 bar1;

	for (u32 s = 0; s < SEQUENCES; s++) {
		n_held = 0;
		assert_int_equal(vgpu_bar1_init(&bar1, 64 * MIB, 0, GIB, array,
						HELD_MAX),
				 0);
		for (u32 i = 0; i < STEPS; i++) {
			u64 page = s % 2 ? VGPU_BAR1_PAGE_BYTES
					 : VGPU_BAR1_HUGE_PAGE_BYTES;
			u64 size = page * (1 + random_below(&seed, 5));
			u64 target = page * random_below(&seed, 200), at;
			u32 n = n_held ? random_below(&seed, n_held) : 0;

			if (random_below(&seed, 2) && n_held > 0) {
				shown[n] = shown[n_held - 1];
				at = drop(n).start;
				assert_int_equal(vgpu_bar1_close(&bar1, at), 0);
			} else if (vgpu_bar1_open(&bar1, target, size, page,
						  &at) == 0) {
				assert_true(at + size <= 64 * MIB);
				for (u32 j = 0; j < n_held; j++)
					assert_true(
						target >= shown[j] + held[j].size ||
						shown[j] >= target + size);
				shown[n_held] = target;
				hold(at, size);
			}
			assert_int_equal(bar1.windows.count, n_held);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_framebuffer_in_segments),
		cmocka_unit_test(carves_a_heap_area),
		cmocka_unit_test(keeps_what_is_not_usable),
		cmocka_unit_test(quarantine_is_never_given),
		cmocka_unit_test(framebuffer_holds_in_random_sequences),
		cmocka_unit_test(shares_channels),
		cmocka_unit_test(channels_hold_in_random_sequences),
		cmocka_unit_test(shares_can_be_had),
		cmocka_unit_test(opens_windows),
		cmocka_unit_test(windows_hold_in_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
