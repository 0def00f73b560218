/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framebuffer's reserve of pages, exchanged for pages of other files. */
#ifndef VGPU_DEVICE_RENDER_RESERVE_H
#define VGPU_DEVICE_RENDER_RESERVE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

/*
 * A vGPU's framebuffer is pages of its segments, which nobody else can have.
 * What its programs use is in files of their own: for each page of theirs one
 * of the segments is given back to the machine, and made anew when theirs is
 * gone. Both happen a slice at a time, so that the machine never has more than
 * a slice of it, and that the event loop is never held up for long.
 */
struct vgpu_reserve;

#define VGPU_RESERVE_SLICE_BYTES (8ULL * 1024 * 1024)

/* A file that is being filled with pages. Zeroed: none. */
struct vgpu_fill {
	TAILQ_ENTRY(vgpu_fill) link;
	struct vgpu_reserve *reserve; /* NULL: none, or it is done */
	int fd;			      /* the caller's */
	uint64_t done, bytes;
	/* From the event loop; @status is 0 or -errno. */
	void (*filled)(void *opaque, int status);
	void *opaque;
};

/*
 * The first @bytes of @n segments, whose fds stay the caller's, and which have
 * all their pages.
 */
int vgpu_reserve_create(sd_event *event, const int *segment, uint32_t n,
			uint64_t segment_bytes, uint64_t bytes,
			struct vgpu_reserve **ret_reserve);
void vgpu_reserve_destroy(struct vgpu_reserve *reserve); /* NULL is fine */
/* Fill what has no pages, at once. -ENOSPC if the machine has not so much. */
int vgpu_reserve_fill_up(struct vgpu_reserve *reserve);
/*
 * A predecessor has left @bytes in files, and whatever pages in the segments.
 * What is missing there comes in time.
 */
void vgpu_reserve_resume(struct vgpu_reserve *reserve, uint64_t bytes);

/*
 * Where @reserve is NULL in what follows, nothing is held, and all is done at
 * once.
 */

/*
 * Give @fd, an empty file of @bytes, its pages; if not @is_new, a predecessor
 * may have given it some. @fill has its callback and opaque filled in. Returns
 * 0 if it has them all, 1 if filled() follows, or -errno: it counts as filled
 * all the same.
 */
int vgpu_reserve_fill(struct vgpu_reserve *reserve, struct vgpu_fill *fill,
		      int fd, uint64_t bytes, bool is_new);
/* Cancel the callback. The file counts as filled. */
void vgpu_fill_cancel(struct vgpu_fill *fill);
/* Whether filled() is still to come. */
static inline bool vgpu_fill_is_active(const struct vgpu_fill *fill)
{
	return fill->reserve;
}
/* Take back the @bytes of @fd, which was filled. Takes ownership of @fd. */
void vgpu_reserve_drain(struct vgpu_reserve *reserve, int fd, uint64_t bytes);
/* @bytes are somewhere else, with pages of their own; they are no more. */
void vgpu_reserve_charge(struct vgpu_reserve *reserve, uint64_t bytes);
void vgpu_reserve_uncharge(struct vgpu_reserve *reserve, uint64_t bytes);

#endif
