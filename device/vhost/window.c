/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible window: maps and unmaps that the front end carries out. */
#include "window.h"

#include <fcntl.h>
#include <string.h>
#include <sys/queue.h>

#include "device/vhost/abi.h"
#include "lib/util.h"

/*
 * A map is a message and one that says that it is done: all go out in order and
 * are answered in order, so a later operation finds what an earlier one left,
 * however long its answer takes.
 */

/* How long the guest waits for the front end. */
#define ANSWER_US (10 * 1000 * 1000ULL)
/* Retry interval while the channel is full. */
#define RETRY_US (2 * 1000ULL)
/*
 * Mapped at a time. QEMU 11.1.3 counts each as a memory region of the device's
 * and asserts that there are 512 at most, the guest's own among them.
 */
#define MAPPINGS_MAX 448
/*
 * Of these, or of a vGPU's part of them where its machine has several, an
 * eighth is for programs that have no more than they need to begin, and
 * another for those that are not the largest one.
 */
#define MAPPINGS_TO_BEGIN 8U
#define RESERVE_FACTOR	  8U
#define VGPUS_MAX	  (MAPPINGS_MAX / 32U)

struct operation {
	TAILQ_ENTRY(operation) entry;
	struct vgpu_window *window;
	uint64_t cookie; /* 0: nobody waits for it */
	bool is_map;
	bool has_failed;
	bool is_sent;			 /* all of it */
	struct vgpu_gpu_mapping mapping; /* a map's fd is its own */
	bool is_asked;			 /* sent, but for what says its end */
	uint32_t unanswered;
	uint64_t deadline;
};

struct vgpu_window {
	sd_event *event;
	const struct vgpu_window_ops *ops;
	void *opaque;
	struct vgpu_channel *channel;
	TAILQ_HEAD(, operation) operations;
	uint32_t mappings; /* there, or about to be */
	uint32_t mappings_of[VGPU_GPU_PROGRAMS];
	uint32_t vgpus; /* of the machine */
	sd_event_source *pump;
	sd_event_source *timer; /* to try again, and for deadlines */
};

/* Whether @program may have another mapping, with room left for others. */
static bool has_room(const struct vgpu_window *window, uint32_t program)
{
	const uint32_t all = MAPPINGS_MAX / window->vgpus;
	const uint32_t reserve = all / RESERVE_FACTOR;
	const uint32_t its = window->mappings_of[program] + 1;

	if (window->mappings >= all)
		return false;
	return its <= MAPPINGS_TO_BEGIN ||
	       (window->mappings + 1 <= all - reserve && its <= all - 2 * reserve);
}

static void count_mapping(struct vgpu_window *window,
			  const struct vgpu_gpu_mapping *mapping)
{
	window->mappings++;
	window->mappings_of[mapping->program]++;
}

static void uncount_mapping(struct vgpu_window *window,
			    const struct vgpu_gpu_mapping *mapping)
{
	uint32_t *its = &window->mappings_of[mapping->program];

	window->mappings -= VGPU_MIN(1U, window->mappings);
	*its -= VGPU_MIN(1U, *its);
}

static void pump_soon(struct vgpu_window *window)
{
	sd_event_source_set_enabled(window->pump, SD_EVENT_ONESHOT);
}

static void on_answer(void *opaque, int status)
{
	struct operation *operation = opaque;

	operation->unanswered--;
	if (status == -ECANCELED) { /* it is still to be sent */
		operation->is_asked = false;
		operation->is_sent = false;
	} else if (status < 0)
		operation->has_failed = true;
	pump_soon(operation->window);
}

static struct operation *add_operation(struct vgpu_window *window,
				       uint64_t cookie, bool is_map,
				       const struct vgpu_gpu_mapping *mapping)
{
	struct operation *operation = malloc(sizeof(*operation));
	uint64_t now = 0;

	if (!operation)
		return NULL;
	sd_event_now(window->event, CLOCK_MONOTONIC, &now);
	*operation = (struct operation){
		.window = window,
		.cookie = cookie,
		.is_map = is_map,
		.mapping = *mapping,
		.deadline = now + ANSWER_US,
	};
	operation->mapping.fd = -1;
	TAILQ_INSERT_TAIL(&window->operations, operation, entry);
	pump_soon(window);
	return operation;
}

/* Undo a map that nobody wants any more. */
static void undo_map(struct vgpu_window *window, struct operation *map)
{
	uncount_mapping(window, &map->mapping);
	map->is_sent = true;
	if (map->is_asked)
		add_operation(window, 0, /* is_map= */ false, &map->mapping);
}

/* Tell the waiter, if any; the operation itself may still be in flight. */
static void notify_waiter(struct vgpu_window *window,
			  struct operation *operation, int status)
{
	uint64_t cookie = operation->cookie;

	operation->cookie = 0;
	if (!cookie)
		return;
	if (operation->is_map && status < 0)
		undo_map(window, operation);
	window->ops->done(window->opaque, cookie, status);
}

static void drop_operation(struct vgpu_window *window, struct operation *operation)
{
	TAILQ_REMOVE(&window->operations, operation, entry);
	vgpu_close(operation->mapping.fd);
	free(operation);
}

static int send_operation(struct vgpu_window *window, struct operation *operation)
{
	const struct vgpu_gpu_mapping *mapping = &operation->mapping;
	int r;

	if (operation->is_map)
		r = vgpu_channel_map(window->channel, VHOST_USER_SHMID_WINDOW,
				     mapping->fd, 0, mapping->window_offset,
				     mapping->bytes, /* is_writable= */ true,
				     on_answer, operation);
	else
		r = vgpu_channel_unmap(window->channel, VHOST_USER_SHMID_WINDOW,
				       mapping->window_offset, mapping->bytes,
				       on_answer, operation);
	if (r < 0)
		return r;
	operation->unanswered++;
	operation->is_asked = true;
	return 0;
}

/* Send what is to be sent of it. False if the channel takes no more now. */
static bool send_all(struct vgpu_window *window, struct operation *operation)
{
	int r = window->channel ? 0 : -ENOTCONN;

	while (r >= 0 && !operation->is_sent) {
		if (!operation->is_asked) {
			r = send_operation(window, operation);
			continue;
		}
		if (operation->is_map) {
			r = vgpu_channel_sync(window->channel, on_answer,
					      operation);
			operation->unanswered += r >= 0;
		}
		operation->is_sent = r >= 0;
	}
	if (r >= 0 || operation->is_sent)
		return true;
	if (r == -EAGAIN)
		return false;
	operation->has_failed = true;
	operation->is_sent = true;
	return true;
}

static void arm_timer(struct vgpu_window *window, uint64_t usec)
{
	sd_event_source_set_time_relative(window->timer, usec);
	sd_event_source_set_enabled(window->timer, SD_EVENT_ONESHOT);
}

static bool is_running(const struct vgpu_window *window)
{
	return window->ops->is_running(window->opaque);
}

/* It waits until the rings run again. */
static bool is_held(const struct operation *operation)
{
	return operation->is_map && !operation->is_sent;
}

static void send_waiting(struct vgpu_window *window)
{
	struct operation *operation;

	/* Without a channel nothing is sent, and all of it fails. */
	if (window->channel && !is_running(window))
		return;
	for (operation = TAILQ_FIRST(&window->operations); operation;
	     operation = TAILQ_NEXT(operation, entry)) {
		if (operation->is_sent)
			continue;
		if (window->ops->has_message(window->opaque) ||
		    !send_all(window, operation)) {
			arm_timer(window, RETRY_US);
			return;
		}
	}
}

static void send_operations(struct vgpu_window *window)
{
	struct operation *operation, *next;
	uint64_t now = 0;

	send_waiting(window);
	sd_event_now(window->event, CLOCK_MONOTONIC, &now);
	for (operation = TAILQ_FIRST(&window->operations); operation;
	     operation = next) {
		bool is_over = operation->is_sent && !operation->unanswered;

		if (is_over)
			notify_waiter(window, operation,
				      operation->has_failed ? -EIO : 0);
		else if (!is_running(window) && !is_held(operation))
			notify_waiter(window, operation, 0);
		else if (is_running(window) && operation->deadline <= now)
			notify_waiter(window, operation, -ETIMEDOUT);
		/* Callbacks may have added operations behind this one. */
		next = TAILQ_NEXT(operation, entry);
		if (is_over)
			drop_operation(window, operation);
	}
	if (!TAILQ_EMPTY(&window->operations) &&
	    sd_event_source_get_enabled(window->timer, NULL) == 0)
		arm_timer(window, ANSWER_US);
}

static int on_pump(sd_event_source *source, void *opaque)
{
	send_operations(opaque);
	return 0;
}

static int on_timer(sd_event_source *source, uint64_t usec, void *opaque)
{
	send_operations(opaque);
	return 0;
}

int vgpu_window_create(sd_event *event, const struct vgpu_window_ops *ops,
		       void *opaque, struct vgpu_window **ret_window)
{
	struct vgpu_window *window = calloc(1, sizeof(*window));
	int r;

	if (!window)
		return -ENOMEM;
	window->event = event;
	window->ops = ops;
	window->opaque = opaque;
	window->vgpus = 1;
	TAILQ_INIT(&window->operations);
	r = sd_event_add_defer(event, &window->pump, on_pump, window);
	if (r >= 0)
		r = sd_event_source_set_enabled(window->pump, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(event, &window->timer, CLOCK_MONOTONIC, 0,
				      0, on_timer, window);
	if (r >= 0)
		r = sd_event_source_set_enabled(window->timer, SD_EVENT_OFF);
	if (r < 0) {
		vgpu_window_destroy(window);
		return r;
	}
	*ret_window = window;
	return 0;
}

void vgpu_window_destroy(struct vgpu_window *window)
{
	if (!window)
		return;
	while (!TAILQ_EMPTY(&window->operations))
		drop_operation(window, TAILQ_FIRST(&window->operations));
	sd_event_source_disable_unref(window->pump);
	sd_event_source_disable_unref(window->timer);
	free(window);
}

void vgpu_window_set_channel(struct vgpu_window *window,
			     struct vgpu_channel *channel)
{
	struct operation *operation;

	window->channel = channel;
	if (channel)
		return;
	/* Whatever was sent will not be answered. */
	TAILQ_FOREACH(operation, &window->operations, entry)
	{
		operation->has_failed = true;
		operation->is_sent = true;
	}
	pump_soon(window);
}

int vgpu_window_map(struct vgpu_window *window, uint64_t cookie,
		    const struct vgpu_gpu_mapping *mapping)
{
	vgpu_autoclose int fd = -1;
	struct operation *operation;

	if (!window->channel)
		return -ENOTCONN;
	if (!has_room(window, mapping->program))
		return -ENOSPC;
	fd = fcntl(mapping->fd, F_DUPFD_CLOEXEC, 3);
	if (fd < 0)
		return -errno;
	operation = add_operation(window, cookie, /* is_map= */ true, mapping);
	if (!operation)
		return -ENOMEM;
	operation->mapping.fd = vgpu_steal_fd(&fd);
	count_mapping(window, mapping);
	return 0;
}

int vgpu_window_unmap(struct vgpu_window *window, uint64_t cookie,
		      const struct vgpu_gpu_mapping *mapping)
{
	if (!window->channel)
		return -ENOTCONN;
	if (!add_operation(window, cookie, /* is_map= */ false, mapping))
		return -ENOMEM;
	/* A refused map was uncounted already. */
	uncount_mapping(window, mapping);
	return 0;
}

void vgpu_window_count(struct vgpu_window *window,
		       const struct vgpu_gpu_mapping *mapping)
{
	count_mapping(window, mapping);
}

void vgpu_window_set_vgpus(struct vgpu_window *window, uint32_t vgpus)
{
	window->vgpus = VGPU_MIN(VGPU_MAX(vgpus, 1U), VGPUS_MAX);
}

void vgpu_window_forget(struct vgpu_window *window)
{
	struct operation *operation, *next;

	for (operation = TAILQ_FIRST(&window->operations); operation;
	     operation = next) {
		next = TAILQ_NEXT(operation, entry);
		/* It may come after the front end has emptied the window. */
		if (operation->is_map && operation->cookie &&
		    operation->unanswered)
			undo_map(window, operation);
		operation->cookie = 0;
		if (!operation->unanswered && !operation->is_asked &&
		    operation->is_map)
			drop_operation(window, operation);
	}
	window->mappings = 0;
	memset(window->mappings_of, 0, sizeof(window->mappings_of));
}

void vgpu_window_resume(struct vgpu_window *window)
{
	struct operation *operation;
	uint64_t now = 0;

	if (TAILQ_EMPTY(&window->operations))
		return;
	sd_event_now(window->event, CLOCK_MONOTONIC, &now);
	for (operation = TAILQ_FIRST(&window->operations); operation;
	     operation = TAILQ_NEXT(operation, entry))
		operation->deadline = now + ANSWER_US;
	pump_soon(window);
}

void vgpu_window_settle(struct vgpu_window *window)
{
	struct operation *operation;

	/* Callbacks may add operations, all of them behind this one. */
	for (operation = TAILQ_FIRST(&window->operations); operation;
	     operation = TAILQ_NEXT(operation, entry))
		if (!is_held(operation))
			notify_waiter(window, operation, 0);
}
