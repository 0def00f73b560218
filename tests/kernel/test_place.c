/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Placement of vGPUs: every type beside every other one, in both modes. */
#include "kernel/mgr/place.h"
#include "test.h"

#define MIB	      0x100000ULL
#define GIB	      0x40000000ULL
#define SEGMENT	      (128 * MIB)
#define BOARD_GIB     48
#define HEAPS_BYTES   (512 * MIB)
#define HEAP_UNIT     (16 * MIB)
#define FIRMWARE_SEGS 6 /* what the GSP takes of the GPU's memory */
#define RANGES	      80
#define PLACES_MAX    32

static const u32 sizes[] = {1, 2, 3, 4, 6, 8, 12, 16, 24, 48};

struct gpu {
	struct vgpu_place_gpu place;
	struct vgpu_fb fb;
	struct vgpu_fb heaps;
	struct vgpu_chids chids;
	struct vgpu_range fb_ranges[RANGES];
	struct vgpu_range heap_ranges[RANGES];
};

static struct gpu gpu;

static u32 max_instances(u32 gib)
{
	return BOARD_GIB / gib > 32 ? 32 : BOARD_GIB / gib;
}

static struct vgpu_type make_type(u32 gib)
{
	u64 heap = 128 * MIB;

	while (heap > HEAPS_BYTES / max_instances(gib))
		heap /= 2;
	return (struct vgpu_type){
		.id = gib,
		.gib = gib,
		.max_instances = max_instances(gib),
		.framebuffer_bytes = gib * GIB,
		.heap_bytes = heap,
		.bar1_bytes = 32 * MIB,
	};
}

/* A GPU whose memory the firmware and the heaps have the upper end of. */
static void make_gpu(u64 bytes)
{
	u64 end = bytes - FIRMWARE_SEGS * SEGMENT;

	assert_int_equal(
		vgpu_fb_init(&gpu.fb, 0, bytes, SEGMENT, gpu.fb_ranges, RANGES),
		0);
	assert_int_equal(vgpu_fb_reserve(&gpu.fb, end, FIRMWARE_SEGS * SEGMENT),
			 0);
	assert_int_equal(vgpu_fb_carve(&gpu.fb, HEAPS_BYTES, &gpu.heaps,
				       HEAP_UNIT, gpu.heap_ranges, RANGES),
			 0);
	assert_int_equal(vgpu_chids_init(&gpu.chids, 2048, 512, true), 0);
	gpu.place = (struct vgpu_place_gpu){
		.fb = &gpu.fb,
		.heaps = &gpu.heaps,
		.chids = &gpu.chids,
		.fb_start = 0,
		.fb_end = end - HEAPS_BYTES,
		.gib = BOARD_GIB,
	};
}

static u32 get_places(enum vgpu_place_mode mode, const struct vgpu_type *type,
		      struct vgpu_place *places)
{
	u32 n = 0;

	while (n < PLACES_MAX &&
	       vgpu_place_get(&gpu.place, mode, type, n, &places[n]) == 0)
		n++;
	return n;
}

static bool overlap(u64 a, u64 a_size, u64 b, u64 b_size)
{
	return a < b + b_size && b < a + a_size;
}

/* How many of memory, heap and channels two places share. */
static u32 count_shared(const struct vgpu_place *a, const struct vgpu_place *b)
{
	return overlap(a->fb_start, a->fb_bytes, b->fb_start, b->fb_bytes) +
	       overlap(a->heap_start, a->heap_bytes, b->heap_start,
		       b->heap_bytes) +
	       overlap(a->first_chid, a->chids, b->first_chid, b->chids);
}

static void check_inside(const struct vgpu_place *place)
{
	assert_true(place->fb_start >= gpu.place.fb_start);
	assert_true(place->fb_start + place->fb_bytes <= gpu.place.fb_end);
	assert_true(vgpu_is_aligned(place->fb_start | place->fb_bytes, SEGMENT));
	assert_true(place->heap_start >= gpu.heaps.base);
	assert_true(place->heap_start + place->heap_bytes <=
		    gpu.heaps.base + HEAPS_BYTES);
	assert_true(place->first_chid >= 512);
	assert_true(place->first_chid + place->chids <= 2048);
	assert_true(vgpu_is_power_of_2(place->chids));
	assert_true(vgpu_is_aligned(place->first_chid, place->chids));
}

/*
 * Whether two vGPUs can be together depends on them alone: all pairs of places
 * are all mixes. They may be if and only if their ids do not overlap, and then
 * they share nothing at all.
 */
static void mixes_whatever_does_not_overlap(void **state)
{
	struct vgpu_place a[PLACES_MAX], b[PLACES_MAX];
	u32 pairs = 0;

	(void)state;
	make_gpu(BOARD_GIB * GIB);
	for (u32 i = 0; i < VGPU_COUNT_OF(sizes); i++) {
		struct vgpu_type one = make_type(sizes[i]);
		u32 n = get_places(VGPU_PLACE_HETEROGENEOUS, &one, a);

		assert_true(n > 0);
		for (u32 j = 0; j < VGPU_COUNT_OF(sizes); j++) {
			struct vgpu_type other = make_type(sizes[j]);
			u32 m = get_places(VGPU_PLACE_HETEROGENEOUS, &other, b);

			for (u32 k = 0; k < n * m; k++) {
				const struct vgpu_place *p = &a[k / m];
				const struct vgpu_place *q = &b[k % m];
				bool is_same = i == j && k / m == k % m;
				bool clash = overlap(p->id, one.gib, q->id,
						     other.gib);

				check_inside(p);
				assert_true(!is_same || clash);
				assert_int_equal(count_shared(p, q) > 0, clash);
				pairs++;
			}
		}
	}
	assert_true(pairs > 2000);
}

static void has_nvidias_ids(void **state)
{
	static const struct {
		u32 gib, n, ids[16];
	} cases[] = {
		{48, 1, {0}},
		{24, 2, {0, 24}},
		{16, 2, {0, 32}},
		{12, 4, {0, 12, 24, 36}},
		{8, 4, {0, 16, 24, 40}},
		{6, 8, {0, 6, 12, 18, 24, 30, 36, 42}},
		{4, 8, {0, 8, 12, 20, 24, 32, 36, 44}},
		{2,
		 16,
		 {0, 4, 6, 10, 12, 16, 18, 22, 24, 28, 30, 34, 36, 40, 42, 46}},
		{1,
		 16,
		 {0, 5, 6, 11, 12, 17, 18, 23, 24, 29, 30, 35, 36, 41, 42, 47}},
	};
	struct vgpu_place places[PLACES_MAX];

	(void)state;
	make_gpu(BOARD_GIB * GIB);
	for (u32 i = 0; i < VGPU_COUNT_OF(cases); i++) {
		struct vgpu_type type = make_type(cases[i].gib);

		assert_int_equal(
			get_places(VGPU_PLACE_HETEROGENEOUS, &type, places),
			cases[i].n);
		for (u32 j = 0; j < cases[i].n; j++)
			assert_int_equal(places[j].id, cases[i].ids[j]);
	}
}

/* Every type fills the GPU, up to its number, and leaves it as it was. */
static void fills_the_gpu_with_one_type(void **state)
{
	struct vgpu_place places[PLACES_MAX];
	u64 free_bytes;

	(void)state;
	make_gpu(BOARD_GIB * GIB);
	free_bytes = vgpu_fb_free_bytes(&gpu.fb);
	for (u32 i = 0; i < VGPU_COUNT_OF(sizes); i++) {
		struct vgpu_type type = make_type(sizes[i]);

		for (u32 j = 0; j < type.max_instances; j++) {
			assert_int_equal(vgpu_place_available(
						 &gpu.place,
						 VGPU_PLACE_HOMOGENEOUS, &type),
					 type.max_instances - j);
			assert_int_equal(vgpu_place_take(&gpu.place,
							 VGPU_PLACE_HOMOGENEOUS,
							 &type, VGPU_PLACE_AUTO,
							 &places[j]),
					 0);
			check_inside(&places[j]);
			assert_int_equal(places[j].id, j * sizes[i]);
		}
		assert_int_equal(vgpu_place_take(&gpu.place,
						 VGPU_PLACE_HOMOGENEOUS, &type,
						 VGPU_PLACE_AUTO, &places[0]),
				 -ENOSPC);
		for (u32 j = 0; j < type.max_instances; j++)
			vgpu_place_free(&gpu.place, &places[j], true);
		assert_int_equal(vgpu_fb_free_bytes(&gpu.fb), free_bytes);
		assert_int_equal(gpu.chids.used_by_vgpus, 0);
	}
}

static void takes_the_place_asked_for(void **state)
{
	struct vgpu_type small = make_type(8), large = make_type(24);
	struct vgpu_place a, b;

	(void)state;
	make_gpu(BOARD_GIB * GIB);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HETEROGENEOUS,
					 &small, 16, &a),
			 0);
	assert_int_equal(a.id, 16);
	/* It is taken; there is none at 8; the first half has no room left. */
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HETEROGENEOUS,
					 &small, 16, &b),
			 -ENOSPC);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HETEROGENEOUS,
					 &small, 8, &b),
			 -EINVAL);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HETEROGENEOUS,
					 &large, 0, &b),
			 -ENOSPC);
	assert_int_equal(vgpu_place_available(&gpu.place,
					      VGPU_PLACE_HETEROGENEOUS, &large),
			 1);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HETEROGENEOUS,
					 &large, VGPU_PLACE_AUTO, &b),
			 0);
	assert_int_equal(b.id, 24);
}

static void keeps_what_is_not_scrubbed(void **state)
{
	struct vgpu_type type = make_type(24);
	struct vgpu_place first, place;

	(void)state;
	make_gpu(BOARD_GIB * GIB);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HOMOGENEOUS,
					 &type, 0, &first),
			 0);
	vgpu_place_free(&gpu.place, &first, false);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HOMOGENEOUS,
					 &type, 0, &place),
			 -ENOSPC);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HOMOGENEOUS,
					 &type, VGPU_PLACE_AUTO, &place),
			 0);
	assert_int_equal(place.id, 24);
	/* Its channels, too: what uses them may still be there. */
	assert_int_equal(gpu.chids.used_by_vgpus, first.chids + place.chids);
	vgpu_place_scrubbed(&gpu.place, &first);
	assert_int_equal(gpu.chids.used_by_vgpus, place.chids);
	assert_int_equal(
		vgpu_place_available(&gpu.place, VGPU_PLACE_HOMOGENEOUS, &type),
		1);
}

static void offers_nothing_that_does_not_fit(void **state)
{
	struct vgpu_type type = make_type(1);
	struct vgpu_place place;

	(void)state;
	make_gpu(4 * GIB);
	assert_int_equal(vgpu_place_fb_bytes(&gpu.place, &type), 0);
	assert_int_equal(
		vgpu_place_available(&gpu.place, VGPU_PLACE_HOMOGENEOUS, &type),
		0);
	assert_int_equal(vgpu_place_take(&gpu.place, VGPU_PLACE_HOMOGENEOUS,
					 &type, 0, &place),
			 -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mixes_whatever_does_not_overlap),
		cmocka_unit_test(has_nvidias_ids),
		cmocka_unit_test(fills_the_gpu_with_one_type),
		cmocka_unit_test(takes_the_place_asked_for),
		cmocka_unit_test(keeps_what_is_not_scrubbed),
		cmocka_unit_test(offers_nothing_that_does_not_fit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
