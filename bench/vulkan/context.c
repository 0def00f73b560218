/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How long a program waits for its first queue: instance, GPU, device, pool. */
#include "tests/render/vtest/program.h"

#define RUNS 21u

int main(void)
{
	uint64_t times[RUNS], first;

	for (uint32_t i = 0; i < RUNS; i++) {
		struct program p;
		uint64_t start = program_now_ns();

		program_init(&p);
		times[i] = program_now_ns() - start;
		program_finish(&p);
	}
	first = times[0];
	printf("{\"program\": \"context\", \"first_us\": %.1f,"
	       " \"p50_us\": %.1f, \"p99_us\": %.1f}\n",
	       (double)first / 1000,
	       (double)program_percentile(times, RUNS, 50) / 1000,
	       (double)program_percentile(times, RUNS, 99) / 1000);
	return 0;
}
