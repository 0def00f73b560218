/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Register programs: a good one, and one thing broken in each. */
#include "kernel/core/pure/sequencer.h"
#include "test.h"

#define REGISTERS 0x1000000

/* Two words, the save area, then a command of each kind. */
static const u32 good[] = {
	64, 24,	      0,    0,	  0,	    0,	    0,
	0,  0,	      0,    0,	  0x110040, 0xabcd, /* write */
	1,  0x110044, 0xff, 0x12,		    /* modify */
	2,  0x110100, 0x10, 0x10, 500,	    1,	    /* poll */
	3,  1000,				    /* delay */
	4,  0x1180f8, 7,			    /* store */
	5,  6,	      7,    8,	  3,	    5,
};

static u32 program[VGPU_COUNT_OF(good)];
static struct vgpu_sequencer sequencer;
static struct vgpu_sequencer_step step;

static int setup(void **state)
{
	memcpy(program, good, sizeof(good));
	return 0;
}

static int begin(void)
{
	return vgpu_sequencer_init(&sequencer, (u8 *)program, sizeof(program),
				   REGISTERS);
}

/* All steps; what ended it. */
static int run(void)
{
	int rc = begin();

	for (u32 i = 0; rc == 0; i++) {
		assert_true(i < VGPU_COUNT_OF(good));
		rc = vgpu_sequencer_next(&sequencer, &step);
	}
	return rc;
}

static void next(enum vgpu_sequencer_op op)
{
	assert_int_equal(vgpu_sequencer_next(&sequencer, &step), 0);
	assert_int_equal(step.op, op);
}

static void decodes_each_step(void **state)
{
	assert_int_equal(begin(), 0);
	next(VGPU_SEQUENCER_WRITE);
	assert_int_equal(step.address, 0x110040);
	assert_int_equal(step.value, 0xabcd);
	next(VGPU_SEQUENCER_MODIFY);
	assert_int_equal(step.mask, 0xff);
	assert_int_equal(step.value, 0x12);
	next(VGPU_SEQUENCER_POLL);
	assert_int_equal(step.address, 0x110100);
	assert_int_equal(step.mask, 0x10);
	assert_int_equal(step.us, 500);
	next(VGPU_SEQUENCER_DELAY);
	assert_int_equal(step.us, 1000);
	next(VGPU_SEQUENCER_STORE);
	assert_int_equal(step.address, 0x1180f8);
	next(VGPU_SEQUENCER_CORE_RESET);
	next(VGPU_SEQUENCER_CORE_START);
	next(VGPU_SEQUENCER_CORE_WAIT_HALT);
	next(VGPU_SEQUENCER_CORE_RESUME);
	next(VGPU_SEQUENCER_DELAY);
	assert_int_equal(vgpu_sequencer_next(&sequencer, &step), -ENOENT);
	assert_int_equal(vgpu_sequencer_next(&sequencer, &step), -ENOENT);
}

static void refuses_what_is_broken(void **state)
{
	static const struct {
		u32 at;
		u32 value;
	} broken[] = {
		{0, 24}, /* the buffer is no longer than that */
		{1, 25}, /* words that did not come */
		{1, U32_MAX},
		{1, 23}, /* the last delay has no time */
		{1, 1},	 /* the write has no address */
		{10, 9}, /* no such command */
		{10, U32_MAX},
		{11, 0x110042},	 /* not a whole word */
		{11, REGISTERS}, /* outside */
		{11, U32_MAX - 3},
		{14, REGISTERS - 2},
		{18, REGISTERS},
		{21, 4000001}, /* too long */
		{24, U32_MAX},
		{26, REGISTERS},
		{27, 8}, /* not in the save area */
	};

	assert_int_equal(run(), -ENOENT);
	for (u32 i = 0; i < VGPU_COUNT_OF(broken); i++) {
		setup(NULL);
		program[broken[i].at] = broken[i].value;
		if (run() != -EBADMSG)
			fail_msg("broken word %u passed", i);
	}
	for (u32 bytes = 0; bytes < sizeof(program); bytes++)
		assert_int_equal(vgpu_sequencer_init(&sequencer, (const u8 *)good,
						     bytes, REGISTERS),
				 -EBADMSG);
}

static void an_empty_one_is_one(void **state)
{
	program[1] = 0;
	assert_int_equal(run(), -ENOENT);
	program[0] = 0;
	assert_int_equal(run(), -EBADMSG);
}

static void random_programs_end(void **state)
{
	u64 seed = 3;

	for (u32 n = 0; n < 100000; n++) {
		setup(NULL);
		for (u32 i = 0; i < 4; i++)
			program[10 + random_below(&seed, 24)] =
				random_below(&seed, n % 2 ? 10 : U32_MAX);
		assert_int_not_equal(run(), 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(decodes_each_step, setup),
		cmocka_unit_test_setup(refuses_what_is_broken, setup),
		cmocka_unit_test_setup(an_empty_one_is_one, setup),
		cmocka_unit_test_setup(random_programs_end, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
