/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Programs of checks, of which one is named: what fails ends the program. */
#ifndef VGPU_TESTS_VFIO_CHECK_H
#define VGPU_TESTS_VFIO_CHECK_H

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MIB	 1048576ULL
#define WAIT_MS	 25000 /* for what is to come; a stream stalls for 30 s */
#define QUIET_MS 300   /* for what is not */

struct arguments {
	const char *vf, *other; /* addresses; NULL: there is no other */
	uint64_t bar1_bytes;
	uint32_t number; /* each check has its own use for it */
};

struct check {
	const char *name; /* NULL: there are no more */
	void (*check)(const struct arguments *arg);
};

/* The program's own; check.c has its main(). */
extern const struct check checks[];

#define FAIL(...)                                                              \
	do {                                                                   \
		printf("test: %s:%d: ", __FILE__, __LINE__);                   \
		printf(__VA_ARGS__);                                           \
		printf(" (errno %d)\n", errno);                                \
		exit(1);                                                       \
	} while (0)

#define CHECK(condition)                                                       \
	do {                                                                   \
		if (!(condition))                                              \
			FAIL("%s", #condition);                                \
	} while (0)

#define CHECK_EQUAL(have, want)                                                \
	do {                                                                   \
		unsigned long long have_ = (have), want_ = (want);             \
                                                                               \
		if (have_ != want_)                                            \
			FAIL("%s is %#llx, not %#llx", #have, have_, want_);   \
	} while (0)

/* An expression that fails, and so. */
#define CHECK_ERRNO(expression, number)                                        \
	do {                                                                   \
		errno = 0;                                                     \
		if ((long)(expression) != -1 || errno != (number))             \
			FAIL("%s is not -1, %d", #expression, number);         \
	} while (0)

#endif
