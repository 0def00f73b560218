/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The mark on files of ours that a VMM shows in a machine. */
#ifndef VGPU_LIB_MARK_H
#define VGPU_LIB_MARK_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * A VMM tells every vhost-user device of all that it has mapped into a machine,
 * another vGPU's window included. It is no memory of the machine's, and there
 * may be hundreds of it. By the mark each vGPU knows it, whoever made it: the
 * hint for storage that nobody gives to memory, which every owner of a file may
 * set and everybody read. Where it cannot be set files go without.
 */
#define VGPU_MARK RWH_WRITE_LIFE_EXTREME

static inline void vgpu_mark_file(int fd)
{
	uint64_t hint = VGPU_MARK;

	fcntl(fd, F_SET_RW_HINT, &hint);
}

static inline bool vgpu_is_marked(int fd)
{
	uint64_t hint = 0;

	return fcntl(fd, F_GET_RW_HINT, &hint) == 0 && hint == VGPU_MARK;
}

#endif
