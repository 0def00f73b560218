/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes in and out of a request's iovecs, however they are cut. */
#include "device/gpu/core/request.h"

#include <string.h>

void vgpu_gpu_reader_init(struct vgpu_gpu_reader *reader,
			  const struct iovec *iov, unsigned int n)
{
	*reader = (struct vgpu_gpu_reader){.iov = iov, .n = n};
}

bool vgpu_gpu_read(struct vgpu_gpu_reader *reader, void *to, size_t bytes)
{
	uint8_t *at = to;

	while (bytes > 0) {
		size_t here;

		if (reader->n == 0)
			return false;
		here = VGPU_MIN(reader->iov->iov_len - reader->offset, bytes);
		if (here > 0)
			memcpy(at,
			       (uint8_t *)reader->iov->iov_base + reader->offset,
			       here);
		at += here;
		bytes -= here;
		reader->offset += here;
		if (reader->offset == reader->iov->iov_len) {
			reader->iov++;
			reader->n--;
			reader->offset = 0;
		}
	}
	return true;
}

size_t vgpu_gpu_write(const struct iovec *iov, unsigned int n, const void *from,
		      size_t bytes)
{
	const uint8_t *at = from;
	size_t written = 0;

	for (; n > 0 && written < bytes; iov++, n--) {
		size_t here = VGPU_MIN(iov->iov_len, bytes - written);

		if (here > 0)
			memcpy(iov->iov_base, at + written, here);
		written += here;
	}
	return written;
}
