/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Preloaded where the kernel has no /dev/udmabuf: the dma-buf of a memfd is the
 * memfd, which lavapipe maps like one. tests/vm/test_udmabuf.py has the real ones.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/dma-buf.h>
#include <linux/udmabuf.h>
#include <stdarg.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

static int open_as(const char *function, const char *path, int flags, mode_t mode)
{
	int (*real)(const char *path, int flags, ...) =
		(int (*)(const char *, int, ...))dlsym(RTLD_NEXT, function);

	if (strcmp(path, "/dev/udmabuf") == 0)
		return memfd_create("no-udmabuf", MFD_CLOEXEC);
	return real(path, flags, mode);
}

static mode_t mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
}

/* Under the symbol's name: "open" may be the other one's here. */
#define OPEN(name, symbol)                                                     \
	EXPORT int name(const char *path, int flags, ...) __asm__(symbol);     \
	int name(const char *path, int flags, ...)                             \
	{                                                                      \
		va_list args;                                                  \
		mode_t mode;                                                   \
                                                                               \
		va_start(args, flags);                                         \
		mode = mode_of(flags, args);                                   \
		va_end(args);                                                  \
		return open_as(symbol, path, flags, mode);                     \
	}
OPEN(open_plain, "open")
OPEN(open_large, "open64")

EXPORT int ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *argument;

	va_start(args, request);
	argument = va_arg(args, void *);
	va_end(args);
	if (request == UDMABUF_CREATE) {
		const struct udmabuf_create *create = argument;
		const int seals = fcntl((int)create->memfd, F_GET_SEALS);

		if (seals < 0 || !(seals & F_SEAL_SHRINK) ||
		    seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE) ||
		    create->size % 4096 || create->offset % 4096) {
			errno = EINVAL;
			return -1;
		}
		return fcntl((int)create->memfd, F_DUPFD_CLOEXEC, 3);
	}
	if (request == DMA_BUF_IOCTL_SYNC)
		return 0;
	return (int)syscall(SYS_ioctl, fd, request, argument);
}
