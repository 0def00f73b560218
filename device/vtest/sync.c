/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Syncs: values that submits set and clients wait for. */
#include "internal.h"

#include <assert.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>

#include "lib/util.h"

#define GROWTH	    64U
#define HEAP_GROWTH 4U
#define SWEEP_MIN   64U

/*
 * Points that are waited for are in a heap of their sync, the lowest value
 * first: a new value costs what it reaches, not what waits for more.
 */
struct sync {
	uint32_t references; /* its id, and each point */
	uint64_t value;
	struct point **heap;
	uint32_t n_heap;
	uint32_t heap_capacity;
};

struct point {
	struct sync *sync; /* NULL: it was reached */
	uint64_t value;
	struct wait *wait; /* that it is in a heap for, or NULL */
	uint32_t at;	   /* there */
};

/*
 * The client has the read end of a pipe: a byte says that the wait is over,
 * an end without one that the context is lost (Mesa: VK_ERROR_DEVICE_LOST),
 * which an eventfd could not say. It counts its time itself, and that it
 * gave up shows at the write end.
 */
struct wait {
	TAILQ_ENTRY(wait) link;
	int pipe;
	bool is_any;
	bool is_reached; /* one of them is */
	uint32_t n;
	uint32_t n_left;
	struct point point[];
};

struct submission {
	STAILQ_ENTRY(submission) link;
	uint64_t id;
	uint32_t n;
	struct point point[];
};

void vgpu_syncs_init(struct vgpu_syncs *syncs, struct vgpu_fd_share *fds)
{
	*syncs = (struct vgpu_syncs){.fds = fds, .sweep_at = SWEEP_MIN};
	TAILQ_INIT(&syncs->waits);
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		STAILQ_INIT(&syncs->submissions[i]);
}

static void put_sync(struct sync *sync)
{
	if (!sync || --sync->references)
		return;
	free((void *)sync->heap);
	free(sync);
}

static void place_point(struct sync *sync, struct point *point, uint32_t at)
{
	sync->heap[at] = point;
	point->at = at;
}

/* Put @point where it belongs, from the gap at @at upwards or downwards. */
static void sift_point(struct sync *sync, struct point *point, uint32_t at)
{
	while (at && sync->heap[(at - 1) / 2]->value > point->value) {
		place_point(sync, sync->heap[(at - 1) / 2], at);
		at = (at - 1) / 2;
	}
	for (;;) {
		uint32_t child = 2 * at + 1;

		if (child + 1 < sync->n_heap &&
		    sync->heap[child + 1]->value < sync->heap[child]->value)
			child++;
		if (child >= sync->n_heap ||
		    sync->heap[child]->value >= point->value)
			break;
		place_point(sync, sync->heap[child], at);
		at = child;
	}
	place_point(sync, point, at);
}

static bool heap_add(struct point *point, struct wait *wait)
{
	struct sync *sync = point->sync;

	assert(sync);
	if (sync->n_heap == sync->heap_capacity) {
		uint32_t n = VGPU_MAX(HEAP_GROWTH, 2 * sync->heap_capacity);
		struct point **heap = (struct point **)reallocarray(
			(void *)sync->heap, n, sizeof(*heap));

		if (!heap)
			return false;
		sync->heap = heap;
		sync->heap_capacity = n;
	}
	point->wait = wait;
	sift_point(sync, point, sync->n_heap++);
	return true;
}

static void heap_remove(struct point *point)
{
	struct sync *sync = point->sync;
	struct point *last;

	assert(sync);
	last = sync->heap[--sync->n_heap];
	point->wait = NULL;
	if (last != point)
		sift_point(sync, last, point->at);
}

static struct sync *find_sync(const struct vgpu_syncs *syncs, uint32_t id)
{
	return id && id <= syncs->n_slots ? syncs->slot[id - 1] : NULL;
}

static void set_point(struct point *point, struct sync *sync,
		      const uint32_t *words)
{
	sync->references++;
	*point = (struct point){.sync = sync, .value = vgpu_words_u64(words + 1)};
}

static void free_wait(struct vgpu_syncs *syncs, struct wait *wait)
{
	for (uint32_t i = 0; i < wait->n; i++) {
		if (wait->point[i].wait)
			heap_remove(&wait->point[i]);
		put_sync(wait->point[i].sync);
	}
	syncs->n_points -= wait->n;
	if (wait->pipe >= 0)
		vgpu_fd_share_give(syncs->fds, 1);
	vgpu_close(wait->pipe);
	free(wait);
}

static void drop_wait(struct vgpu_syncs *syncs, struct wait *wait)
{
	TAILQ_REMOVE(&syncs->waits, wait, link);
	syncs->n_waits--;
	free_wait(syncs, wait);
}

static void free_submission(struct vgpu_syncs *syncs,
			    struct submission *submission)
{
	for (uint32_t i = 0; i < submission->n; i++)
		put_sync(submission->point[i].sync);
	syncs->n_points -= submission->n;
	free(submission);
}

void vgpu_syncs_finish(struct vgpu_syncs *syncs)
{
	while (!TAILQ_EMPTY(&syncs->waits))
		drop_wait(syncs, TAILQ_FIRST(&syncs->waits));
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++) {
		struct submissions *list = &syncs->submissions[i];

		while (!STAILQ_EMPTY(list)) {
			struct submission *first = STAILQ_FIRST(list);

			STAILQ_REMOVE_HEAD(list, link);
			free_submission(syncs, first);
		}
	}
	for (uint32_t i = 0; i < syncs->n_slots; i++)
		put_sync(syncs->slot[i]);
	free((void *)syncs->slot);
}

/* A point stays reached even if its sync's value is lowered later. */
static void reach_point(struct point *point, struct wait *wait)
{
	put_sync(vgpu_steal(&point->sync));
	wait->is_reached = true;
	wait->n_left--;
}

static bool is_over(const struct wait *wait)
{
	return !wait->n_left || (wait->is_any && wait->is_reached);
}

/* Its value has changed: tell those who waited for it. */
static void settle_points(struct vgpu_syncs *syncs, struct sync *sync)
{
	const char byte = 1;

	sync->references++; /* it may be some point's alone */
	while (sync->n_heap && sync->heap[0]->value <= sync->value) {
		struct point *point = sync->heap[0];
		struct wait *wait = point->wait;

		heap_remove(point);
		reach_point(point, wait);
		if (!is_over(wait))
			continue;
		/*
		 * An empty pipe has room. If the reader has gone, the error
		 * does not matter.
		 */
		(void)!write(wait->pipe, &byte, sizeof(byte));
		drop_wait(syncs, wait);
	}
	put_sync(sync);
}

/* Reach what is, and put the rest into heaps. Returns false for no memory. */
static bool enter_points(struct wait *wait)
{
	for (uint32_t i = 0; i < wait->n; i++)
		if (wait->point[i].sync->value >= wait->point[i].value)
			reach_point(&wait->point[i], wait);
	for (uint32_t i = 0; !is_over(wait) && i < wait->n; i++)
		if (wait->point[i].sync && !heap_add(&wait->point[i], wait))
			return false;
	return true;
}

int vgpu_sync_create(struct connection *c, uint64_t value)
{
	struct vgpu_syncs *syncs = &c->syncs;
	uint32_t i = syncs->lowest_free;
	struct sync *sync, **slot;

	while (i < syncs->n_slots && syncs->slot[i])
		i++;
	if (i == SYNCS_MAX)
		return vgpu_connection_end(c, "makes more than %u syncs",
					   SYNCS_MAX);
	if (i == syncs->n_slots) {
		uint32_t n = i + VGPU_MAX(GROWTH, i);

		n = VGPU_MIN(n, SYNCS_MAX);
		slot = (struct sync **)reallocarray((void *)syncs->slot, n,
						    sizeof(*slot));
		if (!slot)
			return vgpu_connection_end(c, "no memory for syncs");
		memset((void *)(slot + i), 0, (n - i) * sizeof(*slot));
		syncs->slot = slot;
		syncs->n_slots = n;
	}
	sync = malloc(sizeof(*sync));
	if (!sync)
		return vgpu_connection_end(c, "no memory for syncs");
	*sync = (struct sync){.references = 1, .value = value};
	syncs->slot[i] = sync;
	syncs->lowest_free = ++i;
	vgpu_connection_answer(c, &i, 1, /* fd= */ -1);
	return 0;
}

static int no_such(struct connection *c, uint32_t id)
{
	return vgpu_connection_end(c, "names sync %u, which is not there", id);
}

int vgpu_sync_unref(struct connection *c, uint32_t id)
{
	struct vgpu_syncs *syncs = &c->syncs;

	if (!find_sync(syncs, id))
		return no_such(c, id);
	put_sync(vgpu_steal(&syncs->slot[id - 1]));
	syncs->lowest_free = VGPU_MIN(syncs->lowest_free, id - 1);
	return 0;
}

int vgpu_sync_read(struct connection *c, uint32_t id)
{
	const struct sync *sync = find_sync(&c->syncs, id);
	uint32_t answer[2];

	if (!sync)
		return no_such(c, id);
	memcpy(answer, &sync->value, sizeof(answer));
	vgpu_connection_answer(c, answer, 2, /* fd= */ -1);
	return 0;
}

int vgpu_sync_write(struct connection *c, uint32_t id, uint64_t value)
{
	struct sync *sync = find_sync(&c->syncs, id);

	if (!sync)
		return no_such(c, id);
	sync->value = value;
	settle_points(&c->syncs, sync);
	return 0;
}

/* Free waits that their clients have given up. */
static void sweep_waits(struct vgpu_syncs *syncs)
{
	struct wait *wait, *next;

	for (wait = TAILQ_FIRST(&syncs->waits); wait; wait = next) {
		struct pollfd pipe = {.fd = wait->pipe};

		next = TAILQ_NEXT(wait, link);
		if (poll(&pipe, 1, 0) == 1 && (pipe.revents & POLLERR))
			drop_wait(syncs, wait);
	}
	syncs->sweep_at = VGPU_MAX(SWEEP_MIN, 2 * syncs->n_waits);
}

static bool take_fd(struct vgpu_syncs *syncs)
{
	if (vgpu_fd_share_take(syncs->fds, 1))
		return true;
	sweep_waits(syncs);
	return vgpu_fd_share_take(syncs->fds, 1);
}

static int begin_wait(struct connection *c, struct wait *wait)
{
	struct vgpu_syncs *syncs = &c->syncs;
	int fds[2];

	if (syncs->n_waits >= syncs->sweep_at)
		sweep_waits(syncs);
	if (syncs->n_waits >= WAITS_MAX) {
		free_wait(syncs, wait);
		return vgpu_connection_end(c, "waits %u times at once",
					   WAITS_MAX);
	}
	if (!take_fd(syncs)) {
		free_wait(syncs, wait);
		return vgpu_connection_end(c, "has more waits than are for it");
	}
	if (pipe2(fds, O_CLOEXEC | O_NONBLOCK) < 0) {
		vgpu_fd_share_give(syncs->fds, 1);
		free_wait(syncs, wait);
		return vgpu_connection_end(c, "no pipe for its wait: %s",
					   strerror(errno));
	}
	wait->pipe = fds[1];
	TAILQ_INSERT_TAIL(&syncs->waits, wait, link);
	syncs->n_waits++;
	vgpu_connection_answer(c, NULL, 0, fds[0]);
	return 0;
}

static int end_wait(struct connection *c, struct wait *wait)
{
	int fd = fcntl(c->vtest->always_ready, F_DUPFD_CLOEXEC, 3);

	free_wait(&c->syncs, wait);
	if (fd < 0)
		return vgpu_connection_end(c, "no fd for its wait: %s",
					   strerror(errno));
	vgpu_connection_answer(c, NULL, 0, fd);
	return 0;
}

int vgpu_sync_wait(struct connection *c, const uint32_t *body, size_t n_words)
{
	struct vgpu_syncs *syncs = &c->syncs;
	size_t n = (n_words - 2) / VTEST_POINT_WORDS;
	struct wait *wait;

	if ((n_words - 2) % VTEST_POINT_WORDS || (body[0] & ~VTEST_WAIT_ANY) ||
	    n > POINTS_MAX - syncs->n_points)
		return vgpu_connection_end(c, "waits for %zu words", n_words);
	wait = calloc(1, sizeof(*wait) + n * sizeof(wait->point[0]));
	if (!wait)
		return vgpu_connection_end(c, "no memory for its wait");
	wait->pipe = -1;
	wait->is_any = body[0] & VTEST_WAIT_ANY;
	for (; wait->n < n; wait->n++) {
		const uint32_t *words = body + 2 + wait->n * VTEST_POINT_WORDS;
		struct sync *sync = find_sync(syncs, words[0]);

		if (!sync)
			break;
		set_point(&wait->point[wait->n], sync, words);
	}
	wait->n_left = wait->n;
	syncs->n_points += wait->n;
	if (wait->n < n) {
		uint32_t id = body[2 + wait->n * VTEST_POINT_WORDS];

		free_wait(syncs, wait);
		return no_such(c, id);
	}
	if (!enter_points(wait)) {
		free_wait(syncs, wait);
		return vgpu_connection_end(c, "no memory for its wait");
	}
	return is_over(wait) ? end_wait(c, wait) : begin_wait(c, wait);
}

static void carry_out(struct vgpu_syncs *syncs, struct submission *submission)
{
	for (uint32_t i = 0; i < submission->n; i++)
		submission->point[i].sync->value = submission->point[i].value;
	for (uint32_t i = 0; i < submission->n; i++)
		settle_points(syncs, submission->point[i].sync);
	free_submission(syncs, submission);
}

int vgpu_sync_submit(struct connection *c, uint32_t ring_idx,
		     const uint32_t *points, uint32_t n, uint64_t *ret_id)
{
	struct vgpu_syncs *syncs = &c->syncs;
	struct submission *submission;

	if (n > POINTS_MAX - syncs->n_points)
		return vgpu_connection_end(c, "submits %u points", n);
	submission =
		malloc(sizeof(*submission) + n * sizeof(submission->point[0]));
	if (!submission)
		return vgpu_connection_end(c, "no memory for its submit");
	submission->n = 0;
	for (; submission->n < n; submission->n++, points += VTEST_POINT_WORDS) {
		struct sync *sync = find_sync(syncs, points[0]);

		if (!sync)
			break;
		set_point(&submission->point[submission->n], sync, points);
	}
	syncs->n_points += submission->n;
	if (submission->n < n) {
		free_submission(syncs, submission);
		return no_such(c, points[0]);
	}
	if (ring_idx == VGPU_RENDER_TIMELINES) {
		carry_out(syncs, submission);
		return 0;
	}
	submission->id = ++syncs->last_submission;
	STAILQ_INSERT_TAIL(&syncs->submissions[ring_idx], submission, link);
	*ret_id = submission->id;
	return 0;
}

void vgpu_sync_fence_done(struct connection *c, uint32_t ring_idx, uint64_t id)
{
	struct submissions *list = &c->syncs.submissions[ring_idx];
	struct submission *submission;

	/* They come in order, so it is the first. */
	while ((submission = STAILQ_FIRST(list)) && submission->id <= id) {
		STAILQ_REMOVE_HEAD(list, link);
		carry_out(&c->syncs, submission);
	}
}
