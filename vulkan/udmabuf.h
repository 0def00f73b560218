/* SPDX-License-Identifier: GPL-2.0-or-later */
/* dma-bufs of memfds (linux/udmabuf.h). */
#ifndef VGPU_VULKAN_UDMABUF_H
#define VGPU_VULKAN_UDMABUF_H

#include <stdint.h>

#define VGPU_UDMABUF_PATH "/dev/udmabuf"

/* The device for vgpu_udmabuf_create(), or -errno. */
int vgpu_udmabuf_open(void);
/*
 * A dma-buf of the first @bytes, a multiple of the page size, of @memfd, which
 * is sealed against shrinking and not against writing. Its pages are held as
 * long as the dma-buf is. Returns an fd or -errno; -EINVAL also if @bytes is
 * more than the module's size_limit_mb.
 */
int vgpu_udmabuf_create(int device, int memfd, uint64_t bytes);

#endif
