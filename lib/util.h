/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Small helpers: scope cleanup, ownership, checked arithmetic. */
#ifndef VGPU_LIB_UTIL_H
#define VGPU_LIB_UTIL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VGPU_ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define VGPU_MIN(a, b)	   ((a) < (b) ? (a) : (b))
#define VGPU_MAX(a, b)	   ((a) > (b) ? (a) : (b))
#define VGPU_MIB	   (1024ULL * 1024ULL)

#define vgpu_container_of(ptr, type, member)                                   \
	((type *)((char *)(ptr) - offsetof(type, member)))

/*
 * Close @fd unless it is negative. Keeps errno. Returns -1, to be assigned to
 * @fd.
 */
static inline int vgpu_close(int fd)
{
	int saved = errno;

	if (fd >= 0)
		close(fd);
	errno = saved;
	return -1;
}

static inline void vgpu_cleanup_close(int *fd)
{
	vgpu_close(*fd);
}

static inline void vgpu_cleanup_free(void *p)
{
	free(*(void **)p);
}

static inline void vgpu_cleanup_fclose(FILE **f)
{
	if (*f)
		fclose(*f);
}

/* Scope cleanup: the variable must be initialised where it is declared. */
#define vgpu_autofree	__attribute__((cleanup(vgpu_cleanup_free)))
#define vgpu_autoclose	__attribute__((cleanup(vgpu_cleanup_close)))
#define vgpu_autofclose __attribute__((cleanup(vgpu_cleanup_fclose)))

/* Hand ownership out of a scope: *ret = vgpu_steal(&local). */
#define vgpu_steal(p)                                                          \
	({                                                                     \
		__typeof__(*(p)) stolen = *(p);                                \
		*(p) = NULL;                                                   \
		stolen;                                                        \
	})

static inline int vgpu_steal_fd(int *fd)
{
	int stolen = *fd;

	*fd = -1;
	return stolen;
}

/* True and *res set if a op b is representable, else false. */
#define vgpu_checked_add(a, b, res) (!__builtin_add_overflow((a), (b), (res)))
#define vgpu_checked_mul(a, b, res) (!__builtin_mul_overflow((a), (b), (res)))

static inline uint64_t vgpu_align_up(uint64_t value, uint64_t power_of_two)
{
	return (value + power_of_two - 1) & ~(power_of_two - 1);
}

#endif
