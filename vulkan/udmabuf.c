/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma-bufs of memfds (linux/udmabuf.h). */
#include "vulkan/udmabuf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/udmabuf.h>
#include <sys/ioctl.h>

int vgpu_udmabuf_open(void)
{
	int fd = open(VGPU_UDMABUF_PATH, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int vgpu_udmabuf_create(int device, int memfd, uint64_t bytes)
{
	struct udmabuf_create create = {
		.memfd = (uint32_t)memfd,
		.flags = UDMABUF_FLAGS_CLOEXEC,
		.size = bytes,
	};
	int fd = ioctl(device, UDMABUF_CREATE, &create);

	return fd < 0 ? -errno : fd;
}
