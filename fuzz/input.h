/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An input of a fuzz target, read as a program: bytes past its end are 0. */
#ifndef VGPU_FUZZ_INPUT_H
#define VGPU_FUZZ_INPUT_H

#include <fcntl.h>
#include <poll.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
	const uint8_t *at;
	size_t left;
};

static inline uint8_t take8(struct input *in)
{
	if (in->left == 0)
		return 0;
	in->left--;
	return *in->at++;
}

static inline uint32_t take32(struct input *in)
{
	uint32_t value = 0;

	for (int i = 0; i < 4; i++)
		value = value << 8 | take8(in);
	return value;
}

/* Values at which a check could be wrong. */
static inline uint64_t take_odd(struct input *in)
{
	static const uint64_t odd[] = {
		0,	    1,		2,	    63,
		64,	    65,		4095,	    4096,
		0x10000,    0x7fffffff, 0x80000000, 0xfffffffc,
		UINT32_MAX, 1ULL << 32, INT64_MAX,  UINT64_MAX,
	};
	uint8_t byte = take8(in);

	return byte < 0xc0 ? odd[byte % VGPU_ARRAY_SIZE(odd)]
			   : (uint64_t)take32(in) << 32 | take32(in);
}

/* Fill @buffer with what the input has. Returns how much that was. */
static inline size_t take_bytes(struct input *in, void *buffer, size_t size)
{
	size_t n = VGPU_MIN(size, in->left);

	memcpy(buffer, in->at, n);
	in->at += n;
	in->left -= n;
	return n;
}

/* What must hold after each input: else it is a finding. */
#define FUZZ_CHECK(condition)                                                  \
	do {                                                                   \
		if (!(condition)) {                                            \
			dprintf(STDERR_FILENO, "%s:%d: not so: %s\n",          \
				__FILE__, __LINE__, #condition);               \
			abort();                                               \
		}                                                              \
	} while (0)

#define FDS_MAX 256
/* An event loop gets one with the first timer of each kind. */
#define LAZY_FDS 2

/* How many fds are open. */
static inline int count_fds(void)
{
	struct pollfd fds[FDS_MAX];
	int n = 0;

	for (int i = 0; i < FDS_MAX; i++)
		fds[i] = (struct pollfd){.fd = i};
	FUZZ_CHECK(poll(fds, FDS_MAX, 0) >= 0);
	for (int i = 0; i < FDS_MAX; i++)
		n += !(fds[i].revents & POLLNVAL);
	return n;
}

/* No more are open than these. */
static inline void check_fds(int most)
{
	char path[32], name[128];
	ssize_t n;

	if (count_fds() <= most)
		return;
	for (int fd = 0; fd < FDS_MAX; fd++) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		n = readlink(path, name, sizeof(name));
		if (n > 0)
			dprintf(STDERR_FILENO, "%d: %.*s\n", fd, (int)n, name);
	}
	FUZZ_CHECK(count_fds() <= most);
}

/* Let the code under test log nothing; libFuzzer and the sanitizers still do. */
static inline void silence_log(void)
{
	FILE *null = fopen("/dev/null", "we");

	FUZZ_CHECK(null);
	stderr = null;
}

#endif
