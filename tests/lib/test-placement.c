/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Placement: fixed cases, and properties over random sequences. */
#include "lib/placement.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/util.h"
#include "test.h"

#define SEQUENCES 5000
#define STEPS	  50
#define USED_MAX  96

static void rounds_sizes_up(void **state)
{
	struct vgpu_framebuffer fb = {1024, 0, 128};

	assert_int_equal(vgpu_placement_size(&fb, 0), 0);
	assert_int_equal(vgpu_placement_size(&fb, 1), 128);
	assert_int_equal(vgpu_placement_size(&fb, 128), 128);
	assert_int_equal(vgpu_placement_size(&fb, 129), 256);
	assert_int_equal(vgpu_placement_size(&fb, UINT64_MAX), 0);
	assert_int_equal(vgpu_placement_size(&fb, UINT64_MAX - 127),
			 UINT64_MAX - 127);
	fb.alignment = 0;
	assert_int_equal(vgpu_placement_size(&fb, 128), 0);
	fb.alignment = 96;
	assert_int_equal(vgpu_placement_size(&fb, 128), 0);
}

static void takes_the_best_gap(void **state)
{
	struct vgpu_framebuffer fb = {2048, 0, 128};
	/* Gaps: 256 at 128, 128 at 512, 128 at 768, 896 at 1152. */
	struct vgpu_extent used[] = {{640, 128}, {0, 128}, {896, 256}, {384, 128}};
	struct vgpu_extent e;

	assert_int_equal(vgpu_placement_find(&fb, used, 4, 100, &e), 0);
	assert_int_equal(e.offset, 512); /* the lower of two equal ones */
	assert_int_equal(e.size, 128);
	assert_int_equal(vgpu_placement_find(&fb, used, 4, 200, &e), 0);
	assert_int_equal(e.offset, 128);
	assert_int_equal(vgpu_placement_find(&fb, used, 4, 384, &e), 0);
	assert_int_equal(e.offset, 1152);
	assert_int_equal(vgpu_placement_find(&fb, used, 4, 1024, &e), -ENOSPC);
	assert_int_equal(vgpu_placement_free(&fb, used, 4), 1408);
	assert_int_equal(vgpu_placement_count(&fb, used, 4, 128), 11);
	assert_int_equal(vgpu_placement_count(&fb, used, 4, 384), 2);
	assert_int_equal(vgpu_placement_count(&fb, used, 4, 1024), 0);
}

static void keeps_the_hosts_reserve(void **state)
{
	struct vgpu_framebuffer fb = {1000, 130, 128};
	struct vgpu_extent e;

	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, 128, &e), 0);
	assert_int_equal(e.offset, 256);
	assert_int_equal(vgpu_placement_free(&fb, NULL, 0), 640);
	fb.host_reserve = 1000;
	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, 128, &e), -ENOSPC);
	assert_int_equal(vgpu_placement_free(&fb, NULL, 0), 0);
	fb.host_reserve = 897; /* into the part that alignment cuts off */
	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, 128, &e), -ENOSPC);
	fb = (struct vgpu_framebuffer){UINT64_MAX, UINT64_MAX, 1ULL << 63};
	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, 128, &e), -ENOSPC);
}

static void refuses_nonsense(void **state)
{
	static const struct vgpu_framebuffer bad_fb[] = {
		{1024, 0, 0}, {1024, 0, 96}, {1024, 1025, 128}};
	static const struct vgpu_extent bad_used[][2] = {
		{{0, 128}, {256, 128}},	   /* in the host's reserve */
		{{128, 256}, {256, 128}},  /* overlap */
		{{256, 128}, {256, 128}},  /* the same */
		{{128, 128}, {1024, 128}}, /* outside */
		{{128, 128}, {896, 256}},  /* partly outside */
		{{128, 128}, {256, 0}},	   /* empty */
		{{128, 128}, {300, 128}},  /* offset not aligned */
		{{128, 128}, {256, 100}},  /* size not aligned */
		{{128, 128}, {256, UINT64_MAX - 127}},
		{{128, 128}, {UINT64_MAX - 127, 128}},
	};
	struct vgpu_framebuffer fb = {1024, 128, 128};
	struct vgpu_extent e = {1, 2};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad_fb); i++) {
		assert_int_equal(vgpu_placement_find(&bad_fb[i], NULL, 0, 1, &e),
				 -EINVAL);
		assert_int_equal(vgpu_placement_count(&bad_fb[i], NULL, 0, 1), 0);
		assert_int_equal(vgpu_placement_free(&bad_fb[i], NULL, 0), 0);
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad_used); i++) {
		const struct vgpu_extent *used = bad_used[i];

		assert_int_equal(vgpu_placement_find(&fb, used, 2, 1, &e),
				 -EINVAL);
		assert_int_equal(vgpu_placement_count(&fb, used, 2, 1), 0);
		assert_int_equal(vgpu_placement_free(&fb, used, 2), 0);
		assert_false(vgpu_placement_is_valid(&fb, &used[0], 1, &used[1]) &&
			     vgpu_placement_is_valid(&fb, &used[1], 1, &used[0]));
	}
	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, 0, &e), -EINVAL);
	assert_int_equal(vgpu_placement_find(&fb, NULL, 0, UINT64_MAX, &e),
			 -EINVAL);
	assert_int_equal(e.offset, 1);
	assert_int_equal(e.size, 2);
}

/* One random sequence: a framebuffer, what lies in it, a plain bitmap of it. */
struct sequence {
	uint64_t random;
	struct vgpu_framebuffer fb;
	struct vgpu_extent used[USED_MAX];
	size_t n;
	bool is_taken[USED_MAX]; /* one for each unit of alignment */
};

static uint64_t next_random(struct sequence *s) /* xorshift64* */
{
	s->random ^= s->random >> 12;
	s->random ^= s->random << 25;
	s->random ^= s->random >> 27;
	return s->random * 0x2545f4914f6cdd1dULL;
}

static uint64_t random_below(struct sequence *s, uint64_t limit)
{
	return (next_random(s) >> 16) % limit;
}

/* Free units that follow each other, from @unit on. */
static size_t run_length(const struct sequence *s, size_t unit)
{
	size_t length = 0;

	while ((unit + length + 1) * s->fb.alignment <= s->fb.size &&
	       !s->is_taken[unit + length])
		length++;
	return length;
}

static bool is_run_start(const struct sequence *s, size_t unit)
{
	return !s->is_taken[unit] && (unit == 0 || s->is_taken[unit - 1]);
}

/* The smallest sufficient run by the bitmap; 0 if there is none. */
static size_t best_run(const struct sequence *s, size_t units, size_t *ret_at)
{
	size_t best = 0;

	for (size_t i = 0; i < USED_MAX; i++) {
		size_t length = is_run_start(s, i) ? run_length(s, i) : 0;

		if (length >= units && (best == 0 || length < best)) {
			best = length;
			*ret_at = i;
		}
	}
	return best;
}

static void mark(struct sequence *s, const struct vgpu_extent *e, bool is_taken)
{
	for (uint64_t at = e->offset; at < e->offset + e->size;
	     at += s->fb.alignment) {
		bool *unit = &s->is_taken[at / s->fb.alignment];

		/* Neither given twice nor freed twice. */
		assert_int_not_equal(*unit, is_taken);
		*unit = is_taken;
	}
}

/* Place @size if the bitmap says that it must fit, else see it refused. */
static bool place(struct sequence *s, uint64_t size)
{
	size_t units = (size + s->fb.alignment - 1) / s->fb.alignment;
	size_t at = 0, run = best_run(s, units, &at);
	struct vgpu_extent e;
	int rc = vgpu_placement_find(&s->fb, s->used, s->n, size, &e);

	assert_int_equal(rc, run ? 0 : -ENOSPC);
	if (rc < 0)
		return false;
	assert_int_equal(e.offset, at * s->fb.alignment);
	assert_int_equal(e.size, units * s->fb.alignment);
	assert_true(e.offset >= s->fb.host_reserve);
	assert_true(e.offset + e.size <= s->fb.size);
	assert_true(vgpu_placement_is_valid(&s->fb, s->used, s->n, &e));
	mark(s, &e, true);
	s->used[s->n++] = e;
	/* What was just placed cannot be placed there again. */
	assert_false(vgpu_placement_is_valid(&s->fb, s->used, s->n, &e));
	return true;
}

static void release(struct sequence *s, size_t i)
{
	mark(s, &s->used[i], false);
	s->used[i] = s->used[--s->n]; /* any order */
}

static uint64_t free_units(const struct sequence *s)
{
	uint64_t units = 0;

	for (size_t i = 0; i < USED_MAX; i++)
		if (is_run_start(s, i))
			units += run_length(s, i);
	return units;
}

/* The count is what can really be placed, one after another. */
static void check_count(const struct sequence *s, uint64_t size)
{
	uint64_t count = vgpu_placement_count(&s->fb, s->used, s->n, size);
	struct sequence copy = *s;
	uint64_t placed = 0;

	while (place(&copy, size))
		placed++;
	assert_int_equal(count, placed);
}

static void begin(struct sequence *s, uint64_t seed)
{
	uint64_t units;

	memset(s, 0, sizeof(*s));
	s->random = seed * 2 + 1; /* never 0 */
	for (int i = 0; i < 8; i++)
		next_random(s);
	s->fb.alignment = 1ULL << random_below(s, 40);
	units = 1 + random_below(s, USED_MAX);
	s->fb.size = units * s->fb.alignment;
	if (random_below(s, 2)) /* a tail that alignment cuts off */
		s->fb.size -= random_below(s, s->fb.alignment);
	if (random_below(s, 2))
		s->fb.host_reserve = random_below(s, s->fb.size / 2 + 1);

	for (uint64_t i = 0; i * s->fb.alignment < s->fb.host_reserve; i++)
		s->is_taken[i] = true;
}

/* A size of a type: from less than a unit to more than there is. */
static uint64_t random_size(struct sequence *s)
{
	uint64_t units = random_below(s, 4) ? 1ULL << random_below(s, 6)
					    : 1 + random_below(s, USED_MAX);
	uint64_t size = units * s->fb.alignment;

	return random_below(s, 2) ? size
				  : size - random_below(s, s->fb.alignment);
}

static void run_sequence(uint64_t seed)
{
	struct sequence s;
	size_t i;

	begin(&s, seed);
	for (int step = 0; step < STEPS; step++) {
		uint64_t size = random_size(&s);

		switch (random_below(&s, 4)) {
		case 0:
			if (s.n > 0)
				release(&s, random_below(&s, s.n));
			break;
		case 1:
			if (s.n == 0)
				break;
			/* Free, then the same create: always succeeds. */
			i = random_below(&s, s.n);
			size = s.used[i].size;
			release(&s, i);
			assert_true(place(&s, size));
			break;
		default:
			place(&s, size);
			break;
		}
		assert_int_equal(vgpu_placement_free(&s.fb, s.used, s.n),
				 free_units(&s) * s.fb.alignment);
		if (step % 10 == 0)
			check_count(&s, random_size(&s));
	}
	while (s.n > 0)
		release(&s, s.n - 1);
	check_count(&s, s.fb.alignment);
}

static void holds_over_random_sequences(void **state)
{
	const char *given = getenv("VGPU_SEED");
	uint64_t seed = given ? strtoull(given, NULL, 0) : (uint64_t)time(NULL);

	print_message("seed: VGPU_SEED=%" PRIu64 " repeats this\n", seed);
	for (uint64_t i = 0; i < SEQUENCES; i++)
		run_sequence(seed + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rounds_sizes_up),
		cmocka_unit_test(takes_the_best_gap),
		cmocka_unit_test(keeps_the_hosts_reserve),
		cmocka_unit_test(refuses_nonsense),
		cmocka_unit_test(holds_over_random_sequences),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
