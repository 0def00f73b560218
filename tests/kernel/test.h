/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka with the headers that it needs before it (KUnit), and random numbers. */
#ifndef VGPU_TESTS_KERNEL_TEST_H
#define VGPU_TESTS_KERNEL_TEST_H

#ifdef __KERNEL__
#include "cmocka_kunit.h"
#else
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#endif

#include "kernel/core/pure/port.h"

/* xorshift64: the same sequence in every run, so that a failure comes back. */
static inline u64 next_random(u64 *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static inline u32 random_below(u64 *state, u32 limit)
{
	return (u32)(next_random(state) >> 16) % limit;
}

#endif
