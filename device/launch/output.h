/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Output of render processes, passed on to our log at a limited rate. */
#ifndef VGPU_DEVICE_LAUNCH_OUTPUT_H
#define VGPU_DEVICE_LAUNCH_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* Longer lines are cut. */
#define VGPU_OUTPUT_LINE_MAX 300

/*
 * A guest may control a render process, so it does not get the service's
 * stderr. All of them write into one nonblocking pipe, which we read. We print
 * each line with our own name before it and without control characters, as long
 * as there are tokens.
 */
struct vgpu_output {
	int pipe[2]; /* to read, to write */
	char line[VGPU_OUTPUT_LINE_MAX + 1];
	size_t n;	  /* bytes in @line */
	int64_t tokens;	  /* lines that may be printed now */
	int64_t last_s;	  /* up to when there are tokens for the time */
	uint64_t dropped; /* lines, since the last that was printed */
};

/* Returns 0 or -errno. */
int vgpu_output_open(struct vgpu_output *output);
/*
 * The pipe is readable: print what is in it, up to some KiB. Returns whether
 * there may be more.
 */
_Bool vgpu_output_read(struct vgpu_output *output);
/* Nobody writes any more: print what is left. */
void vgpu_output_finish(struct vgpu_output *output);

#endif
