/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framebuffer's reserve of pages, exchanged for pages of other files. */
#include "reserve.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/util.h"

#define HOLE (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)
/*
 * How long less than a slice of freed pages is kept: programs often allocate it
 * again.
 */
#define SETTLE_US (100 * 1000ULL)
/* How soon to try again after the machine had no memory. */
#define RETRY_US (1000 * 1000ULL)

/* A file whose pages are taken back. */
struct drain {
	TAILQ_ENTRY(drain) link;
	int fd;
	uint64_t done, bytes;
};

struct vgpu_reserve {
	const int *segment;
	uint64_t segment_bytes;
	uint64_t bytes;
	/*
	 * The first `lent` bytes of the segments may have no pages, and those
	 * of them before `empty` have none. It is `owed - missing` that should
	 * have none: what files have been promised, without what the fills
	 * have not given them yet.
	 */
	uint64_t empty, lent;
	uint64_t owed, missing;
	bool is_short; /* the machine had none for what came back */
	TAILQ_HEAD(, vgpu_fill) fills;
	TAILQ_HEAD(, drain) drains;
	/* There is work. No deferred source: those keep others from their fds. */
	sd_event_source *timer;
};

/* Fill or empty [@from, @to) of @fd. Returns 0 or -errno. */
static int change_file(int fd, uint64_t from, uint64_t to, int mode)
{
	int r;

	do
		r = fallocate(fd, mode, (off_t)from, (off_t)(to - from));
	while (r < 0 && errno == EINTR);
	return r < 0 ? -errno : 0;
}

/* The same for the segments. On failure part of it may be done. */
static int change_pages(const struct vgpu_reserve *reserve, uint64_t from,
			uint64_t to, int mode)
{
	int r = 0;

	while (r == 0 && from < to) {
		uint64_t at = from % reserve->segment_bytes;
		uint64_t n = VGPU_MIN(reserve->segment_bytes - at, to - from);

		r = change_file(reserve->segment[from / reserve->segment_bytes],
				at, at + n, mode);
		from += n;
	}
	return r;
}

static uint64_t get_out(const struct vgpu_reserve *reserve)
{
	return VGPU_MIN(reserve->owed - reserve->missing, reserve->bytes);
}

/* Let the first @bytes have no pages. */
static void lend_pages(struct vgpu_reserve *reserve, uint64_t bytes)
{
	bytes = VGPU_MIN(bytes, reserve->bytes);
	if (bytes <= reserve->empty)
		return;
	change_pages(reserve, reserve->empty, bytes, HOLE);
	reserve->empty = bytes;
	reserve->lent = VGPU_MAX(reserve->lent, bytes);
}

/* Make a slice of what is missing in the segments. */
static void refill_slice(struct vgpu_reserve *reserve)
{
	uint64_t out = get_out(reserve), from;
	int r;

	if (reserve->lent <= out)
		return;
	from = reserve->lent -
	       VGPU_MIN(reserve->lent - out, VGPU_RESERVE_SLICE_BYTES);
	r = change_pages(reserve, from, reserve->lent, 0);
	if (r < 0 && !reserve->is_short)
		fprintf(stderr,
			"vgpu-device: %llu MiB of the framebuffer cannot be taken back from the machine now: %s\n",
			(unsigned long long)((reserve->lent - out) / VGPU_MIB),
			strerror(-r));
	reserve->is_short = r < 0;
	if (r < 0)
		return;
	reserve->lent = from;
	reserve->empty = VGPU_MIN(reserve->empty, from);
}

/* Returns 0 or -errno, and then it has less than it should. */
static int fill_slice(struct vgpu_reserve *reserve, struct vgpu_fill *fill)
{
	uint64_t n = VGPU_MIN(fill->bytes - fill->done, VGPU_RESERVE_SLICE_BYTES);
	int r;

	reserve->missing -= n;
	lend_pages(reserve, get_out(reserve));
	r = change_file(fill->fd, fill->done, fill->done + n, 0);
	fill->done += n;
	return r;
}

static void end_fill(struct vgpu_reserve *reserve, struct vgpu_fill *fill)
{
	reserve->missing -= fill->bytes - fill->done;
	TAILQ_REMOVE(&reserve->fills, fill, link);
	fill->reserve = NULL;
}

/* The next one has its turn after this. */
static void fill_next(struct vgpu_reserve *reserve)
{
	struct vgpu_fill *fill = TAILQ_FIRST(&reserve->fills);
	int r;

	if (!fill)
		return;
	r = fill_slice(reserve, fill);
	if (r == 0 && fill->done < fill->bytes) {
		TAILQ_REMOVE(&reserve->fills, fill, link);
		TAILQ_INSERT_TAIL(&reserve->fills, fill, link);
		return;
	}
	end_fill(reserve, fill);
	fill->filled(fill->opaque, r);
}

static void end_drain(struct vgpu_reserve *reserve, struct drain *drain)
{
	TAILQ_REMOVE(&reserve->drains, drain, link);
	vgpu_close(drain->fd);
	free(drain);
}

static void drain_next(struct vgpu_reserve *reserve)
{
	struct drain *drain = TAILQ_FIRST(&reserve->drains);
	uint64_t n;

	if (!drain)
		return;
	n = VGPU_MIN(drain->bytes - drain->done, VGPU_RESERVE_SLICE_BYTES);
	change_file(drain->fd, drain->done, drain->done + n, HOLE);
	drain->done += n;
	reserve->owed -= n;
	if (drain->done == drain->bytes)
		end_drain(reserve, drain);
}

static void set_timer(struct vgpu_reserve *reserve, uint64_t usec)
{
	if (sd_event_source_set_time_relative(reserve->timer, usec) >= 0)
		sd_event_source_set_enabled(reserve->timer, SD_EVENT_ONESHOT);
}

/* See to it that what is left to do is done. */
static void continue_fills(struct vgpu_reserve *reserve)
{
	uint64_t out = get_out(reserve);

	if (!TAILQ_EMPTY(&reserve->fills) || !TAILQ_EMPTY(&reserve->drains) ||
	    (!reserve->is_short && reserve->lent > out + VGPU_RESERVE_SLICE_BYTES))
		set_timer(reserve, 0);
	else if (reserve->lent > out)
		set_timer(reserve, reserve->is_short ? RETRY_US : SETTLE_US);
}

/*
 * Give freed pages to files that are being filled, and the rest to the reserve.
 */
static void take_turn(struct vgpu_reserve *reserve)
{
	drain_next(reserve);
	if (!TAILQ_EMPTY(&reserve->fills))
		fill_next(reserve);
	else
		refill_slice(reserve);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_reserve *reserve = opaque;

	take_turn(reserve);
	continue_fills(reserve);
	return 0;
}

static int add_timer(struct vgpu_reserve *reserve, sd_event *event)
{
	/* sd-event's default accuracy is a quarter of a second. */
	int r = sd_event_add_time(event, &reserve->timer, CLOCK_MONOTONIC, 0,
				  /* accuracy= */ 1, on_timer, reserve);

	return r < 0 ? r
		     : sd_event_source_set_enabled(reserve->timer, SD_EVENT_OFF);
}

int vgpu_reserve_create(sd_event *event, const int *segment, uint32_t n,
			uint64_t segment_bytes, uint64_t bytes,
			struct vgpu_reserve **ret_reserve)
{
	struct vgpu_reserve *reserve = malloc(sizeof(*reserve));
	uint64_t total = 0;
	int r;

	if (!reserve)
		return -ENOMEM;
	*reserve = (struct vgpu_reserve){
		.segment = segment,
		.segment_bytes = segment_bytes,
		.bytes = bytes,
	};
	TAILQ_INIT(&reserve->fills);
	TAILQ_INIT(&reserve->drains);
	r = !vgpu_checked_mul(segment_bytes, (uint64_t)n, &total) || bytes > total
		    ? -EINVAL
		    : add_timer(reserve, event);
	if (r < 0) {
		vgpu_reserve_destroy(reserve);
		return r;
	}
	*ret_reserve = reserve;
	return 0;
}

void vgpu_reserve_destroy(struct vgpu_reserve *reserve)
{
	if (!reserve)
		return;
	while (!TAILQ_EMPTY(&reserve->drains))
		end_drain(reserve, TAILQ_FIRST(&reserve->drains));
	while (!TAILQ_EMPTY(&reserve->fills))
		end_fill(reserve, TAILQ_FIRST(&reserve->fills));
	sd_event_source_disable_unref(reserve->timer);
	free(reserve);
}

int vgpu_reserve_fill_up(struct vgpu_reserve *reserve)
{
	return change_pages(reserve, 0, reserve->bytes, 0);
}

void vgpu_reserve_resume(struct vgpu_reserve *reserve, uint64_t bytes)
{
	if (!reserve)
		return;
	reserve->owed = bytes;
	reserve->lent = reserve->bytes;
	lend_pages(reserve, bytes);
	continue_fills(reserve);
}

/* As small as this it delays nobody. */
static bool is_small(uint64_t bytes)
{
	return bytes <= VGPU_RESERVE_SLICE_BYTES;
}

int vgpu_reserve_fill(struct vgpu_reserve *reserve, struct vgpu_fill *fill,
		      int fd, uint64_t bytes, bool is_new)
{
	int r;

	if (!reserve)
		return change_file(fd, 0, bytes, 0);
	fill->fd = fd;
	fill->done = 0;
	fill->bytes = bytes;
	if (is_new)
		reserve->owed += bytes;
	reserve->missing += bytes;
	if (is_small(bytes)) {
		drain_next(reserve);
		r = fill_slice(reserve, fill);
		continue_fills(reserve);
		return r;
	}
	fill->reserve = reserve;
	TAILQ_INSERT_TAIL(&reserve->fills, fill, link);
	continue_fills(reserve);
	return 1;
}

void vgpu_fill_cancel(struct vgpu_fill *fill)
{
	if (fill->reserve)
		end_fill(fill->reserve, fill);
}

void vgpu_reserve_drain(struct vgpu_reserve *reserve, int fd, uint64_t bytes)
{
	struct drain *drain = NULL;

	if (reserve && !is_small(bytes))
		drain = malloc(sizeof(*drain));
	if (drain) {
		*drain = (struct drain){.fd = fd, .bytes = bytes};
		TAILQ_INSERT_TAIL(&reserve->drains, drain, link);
		continue_fills(reserve);
		return;
	}
	change_file(fd, 0, bytes, HOLE);
	vgpu_close(fd);
	vgpu_reserve_uncharge(reserve, bytes);
}

void vgpu_reserve_charge(struct vgpu_reserve *reserve, uint64_t bytes)
{
	if (!reserve)
		return;
	reserve->owed += bytes;
	lend_pages(reserve, get_out(reserve));
}

void vgpu_reserve_uncharge(struct vgpu_reserve *reserve, uint64_t bytes)
{
	if (!reserve)
		return;
	reserve->owed -= bytes;
	continue_fills(reserve);
}
