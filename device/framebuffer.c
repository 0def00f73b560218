/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vGPU's framebuffer: the segments that it was given. */
#include "framebuffer.h"

#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/util.h"

static int check_segment(int fd, uint64_t bytes, uint32_t index,
			 struct vgpu_err *err)
{
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) ||
	    (uint64_t)st.st_size < bytes)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "framebuffer segment %u is not a file of"
				    " %" PRIu64 " bytes",
				    index, bytes);
	return 0;
}

static int check_sizes(uint32_t n, uint64_t segment_bytes, uint64_t bytes,
		       struct vgpu_err *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t total;

	if (n <= VGPU_SLOT_MAX - VGPU_SLOT_SEGMENT && segment_bytes &&
	    segment_bytes % page == 0 && bytes && bytes % page == 0 &&
	    vgpu_checked_mul(segment_bytes, (uint64_t)n, &total) &&
	    bytes <= total)
		return 0;
	return vgpu_err_set(err, -EINVAL, NULL,
			    "a framebuffer of %" PRIu64
			    " bytes in %u segments of %" PRIu64,
			    bytes, n, segment_bytes);
}

int vgpu_framebuffer_init(struct vgpu_framebuffer *framebuffer, sd_event *event,
			  const struct vgpu_slots *slots, uint32_t n,
			  uint64_t segment_bytes, uint64_t bytes,
			  struct vgpu_err *err)
{
	int r;

	/* Nothing to exchange, but there are turns. */
	if (n == 0) {
		r = vgpu_reserve_create(event, NULL, 0, 0, 0,
					&framebuffer->reserve);
		return r < 0 ? vgpu_err_set(err, r, NULL, "no timer: %s",
					    strerror(-r))
			     : 0;
	}
	r = check_sizes(n, segment_bytes, bytes, err);
	if (r < 0)
		return r;
	framebuffer->segment = calloc(n, sizeof(framebuffer->segment[0]));
	if (!framebuffer->segment)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	for (uint32_t i = 0; r == 0 && i < n; i++) {
		uint64_t offset = VGPU_MIN((uint64_t)i * segment_bytes, bytes);

		framebuffer->segment[i] =
			vgpu_slots_get(slots, VGPU_SLOT_SEGMENT + i);
		r = check_segment(framebuffer->segment[i],
				  VGPU_MIN(segment_bytes, bytes - offset), i,
				  err);
	}
	if (r < 0)
		return r;
	r = vgpu_reserve_create(event, framebuffer->segment, n, segment_bytes,
				bytes, &framebuffer->reserve);
	return r < 0 ? vgpu_err_set(err, r, NULL,
				    "its framebuffer cannot be held: %s",
				    strerror(-r))
		     : 0;
}

void vgpu_framebuffer_finish(struct vgpu_framebuffer *framebuffer)
{
	vgpu_reserve_destroy(framebuffer->reserve);
	free(framebuffer->segment);
	*framebuffer = (struct vgpu_framebuffer){};
}
