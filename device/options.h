/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The command line of vgpu-device. */
#ifndef VGPU_DEVICE_OPTIONS_H
#define VGPU_DEVICE_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/name.h"

struct vgpu_options {
	const char *socket_path; /* one of these five */
	const char *mdev_path;
	const char *vtest_path;
	int fd;		/* -1 if not given */
	int control_fd; /* -1 if not given */
	uint32_t heads;
	uint32_t max_width;
	uint32_t max_height;
	uint64_t framebuffer_bytes;
	uint64_t host_visible_bytes;
	uint64_t host_memory_bytes;
	bool has_renderer;
	bool has_gfxstream;
	char uuid[VGPU_UUID_SIZE];
	uint8_t gpu_uuid[16]; /* zeroes: the embedded one */
	const char *name;
};

/*
 * Returns -1 to continue, else the exit status of the program, which has
 * printed everything.
 */
int vgpu_options_parse(int argc, char **argv, struct vgpu_options *ret_options);

#endif
