/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Framebuffer that is held, and exchanged for pages of other files. */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

struct vgpu_reserve {
	const int *segment;
	uint64_t segment_bytes;
	uint64_t bytes;
	uint64_t lent; /* these have no pages: the first */
	bool is_short; /* the machine had none for what came back */
};

/* Fill or empty [@from, @to). Returns 0 or -errno; then part of it may be so. */
static int change(const struct vgpu_reserve *reserve, uint64_t from,
		  uint64_t to, int mode)
{
	while (from < to) {
		uint64_t at = from % reserve->segment_bytes;
		uint64_t n = VGPU_MIN(reserve->segment_bytes - at, to - from);
		int fd = reserve->segment[from / reserve->segment_bytes];

		if (fallocate(fd, mode, (off_t)at, (off_t)n) == 0)
			from += n;
		else if (errno != EINTR)
			return -errno;
	}
	return 0;
}

int vgpu_reserve_create(const int *segment, uint32_t n, uint64_t segment_bytes,
			uint64_t bytes, struct vgpu_reserve **ret_reserve)
{
	vgpu_autofree struct vgpu_reserve *reserve = malloc(sizeof(*reserve));
	uint64_t total;
	int r;

	if (!reserve)
		return -ENOMEM;
	if (!segment_bytes ||
	    !vgpu_checked_mul(segment_bytes, (uint64_t)n, &total) ||
	    bytes > total)
		return -EINVAL;
	*reserve = (struct vgpu_reserve){
		.segment = segment,
		.segment_bytes = segment_bytes,
		.bytes = bytes,
	};
	r = change(reserve, 0, bytes, 0);
	if (r < 0)
		return r;
	*ret_reserve = vgpu_steal(&reserve);
	return 0;
}

void vgpu_reserve_destroy(struct vgpu_reserve *reserve)
{
	free(reserve);
}

void vgpu_reserve_lend(struct vgpu_reserve *reserve, uint64_t bytes)
{
	int r;

	if (!reserve)
		return;
	bytes = VGPU_MIN(bytes, reserve->bytes);
	if (bytes > reserve->lent) {
		r = change(reserve, reserve->lent, bytes,
			   FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
		reserve->lent = bytes;
	} else {
		r = change(reserve, bytes, reserve->lent, 0);
		/* What is missing is tried again when more comes back. */
		if (r == 0)
			reserve->lent = bytes;
	}
	if (r < 0 && !reserve->is_short)
		fprintf(stderr,
			"vgpu-device: %llu MiB of the framebuffer cannot be taken back from the machine now: %s\n",
			(unsigned long long)((reserve->lent - bytes) / VGPU_MIB),
			strerror(-r));
	reserve->is_short = r < 0;
}
