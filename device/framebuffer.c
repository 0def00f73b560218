/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's framebuffer: its segments, mapped in one piece. */
#include "framebuffer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/util.h"

static int map_segment(char *at, uint64_t bytes, int fd, uint32_t index,
		       struct vgpu_err *err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < bytes)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "framebuffer segment %u is not a file of"
				    " %" PRIu64 " bytes",
				    index, bytes);
	if (mmap(at, bytes, PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_FIXED | MAP_NORESERVE, fd, 0) == MAP_FAILED)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot map framebuffer segment %u: %s",
				    index, strerror(errno));
	return 0;
}

int vgpu_framebuffer_map(const struct vgpu_slots *slots, uint32_t n,
			 uint64_t segment_bytes, uint64_t bytes,
			 void **ret_framebuffer, struct vgpu_err *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t total;
	char *framebuffer;
	int r;

	if (n > VGPU_SLOT_MAX - VGPU_SLOT_SEGMENT || !segment_bytes ||
	    segment_bytes % page || !bytes || bytes % page ||
	    !vgpu_checked_mul(segment_bytes, (uint64_t)n, &total) ||
	    bytes > total)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "a framebuffer of %" PRIu64
				    " bytes in %u segments of %" PRIu64,
				    bytes, n, segment_bytes);
	/* The range is ours before the segments come to lie in it. */
	framebuffer = mmap(NULL, bytes, PROT_NONE,
			   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (framebuffer == MAP_FAILED)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot reserve %" PRIu64
				    " bytes of addresses: %s",
				    bytes, strerror(errno));
	for (uint32_t i = 0; (uint64_t)i * segment_bytes < bytes; i++) {
		uint64_t offset = (uint64_t)i * segment_bytes;

		r = map_segment(framebuffer + offset,
				VGPU_MIN(segment_bytes, bytes - offset),
				vgpu_slots_get(slots, VGPU_SLOT_SEGMENT + i), i,
				err);
		if (r < 0) {
			vgpu_framebuffer_unmap(framebuffer, bytes);
			return r;
		}
	}
	madvise(framebuffer, bytes, MADV_DONTDUMP);
	*ret_framebuffer = framebuffer;
	return 0;
}

void vgpu_framebuffer_unmap(void *framebuffer, uint64_t bytes)
{
	if (framebuffer)
		munmap(framebuffer, bytes);
}
