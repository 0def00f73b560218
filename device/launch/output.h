/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What render processes print, as a bounded number of log lines of ours. */
#ifndef VGPU_DEVICE_LAUNCH_OUTPUT_H
#define VGPU_DEVICE_LAUNCH_OUTPUT_H

#include <stddef.h>
#include <stdint.h>

/* Longer lines are cut. */
#define VGPU_OUTPUT_LINE_MAX 300

/*
 * A guest may control a render process, so that has no stderr of the service's:
 * all of them write into one pipe, which never makes them wait, and which we
 * read. A line is printed behind our own name, without control characters, as
 * long as there are tokens for it.
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
