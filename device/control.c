/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's end of the control socket (lib/control_abi.h). */
#include "control.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "device/door.h"
#include "lib/util.h"

/* How long vgpud may take to send START. */
#define BEGIN_MS 10000
/*
 * How long to wait until the manager has room for the fds that we announce: the
 * state block will refer to them, and a successor needs both.
 */
#define ROOM_MS 200
/* Status changes within this time are sent as one message. */
#define SOON_US (50 * 1000ULL)

struct vgpu_link {
	sd_event *event;
	struct vgpu_slots *slots;
	const struct vgpu_link_ops *ops;
	void *opaque;
	int socket; /* -1 while there is no manager */
	sd_event_source *source;
	struct vgpu_door *door;
	sd_event_source *soon;
	/* Slots that changed and are to be announced when there is room. */
	uint32_t n_changed;
	uint8_t is_changed[VGPU_SLOT_MAX];
	bool is_stuck; /* it did not read for that long: it has had its wait */
	bool has_status;	/* to send */
	uint32_t status_serial; /* of the ADOPT that it answers, or 0 */
	bool is_soon;		/* the timer runs */
	bool has_reply;		/* to send, before the next request is read */
	struct vgpu_control_msg reply;
	int reply_fd;
	uint32_t events_lost;
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

int vgpu_link_begin(int socket, struct vgpu_slots *slots,
		    struct vgpu_control_start *ret_start, struct vgpu_err *err)
{
	int64_t deadline = now_ms() + BEGIN_MS;
	struct vgpu_control_msg msg;

	for (;;) {
		struct pollfd poll_fd = {.fd = socket, .events = POLLIN};
		int64_t left = deadline - now_ms();
		vgpu_autoclose int fd = -1;
		int r;

		if (left <= 0 || poll(&poll_fd, 1, (int)left) == 0)
			return vgpu_err_set(err, -ETIMEDOUT, NULL,
					    "the manager does not say START");
		r = vgpu_control_receive(socket, &msg, &fd);
		if (r == -EINTR || r == -EAGAIN)
			continue;
		if (r <= 0)
			return vgpu_err_set(err, r < 0 ? r : -EPIPE, NULL,
					    "the manager went away before"
					    " START: %s",
					    strerror(r < 0 ? -r : EPIPE));
		if (msg.type == VGPU_CONTROL_START &&
		    msg.start.version != VGPU_CONTROL_VERSION)
			return vgpu_err_set(err, -EPROTO, NULL,
					    "the manager speaks version %u, this"
					    " program version %u",
					    msg.start.version,
					    VGPU_CONTROL_VERSION);
		if (msg.type == VGPU_CONTROL_START) {
			*ret_start = msg.start;
			return 0;
		}
		if (msg.type != VGPU_CONTROL_FD || fd < 0 ||
		    msg.slot >= VGPU_SLOT_MAX)
			return vgpu_err_set(err, -EPROTO, NULL,
					    "the manager says %u before START",
					    msg.type);
		vgpu_slots_put(slots, msg.slot, vgpu_steal_fd(&fd));
	}
}

static void drop_reply(struct vgpu_link *link)
{
	link->reply_fd = vgpu_close(link->reply_fd);
	link->has_reply = false;
}

static void drop_manager(struct vgpu_link *link)
{
	link->source = sd_event_source_disable_unref(link->source);
	link->socket = vgpu_close(link->socket);
	drop_reply(link);
}

/* It went away, or cannot be understood. */
static void lose_manager(struct vgpu_link *link)
{
	drop_manager(link);
	/* With no door there can be no other. */
	if (!link->door)
		sd_event_exit(link->event, EXIT_SUCCESS);
}

static void clear_changed(struct vgpu_link *link)
{
	/* Entry by entry, to leave pages that were never used untouched. */
	for (uint32_t i = 0; link->n_changed && i < VGPU_SLOT_MAX; i++) {
		link->n_changed -= link->is_changed[i];
		if (link->is_changed[i])
			link->is_changed[i] = 0;
	}
}

static void arm_soon(struct vgpu_link *link)
{
	if (link->is_soon)
		return;
	link->is_soon = true;
	sd_event_source_set_time_relative(link->soon, SOON_US);
	sd_event_source_set_enabled(link->soon, SD_EVENT_ONESHOT);
}

static int send_slot(struct vgpu_link *link, uint32_t slot)
{
	int fd = vgpu_slots_get(link->slots, slot);
	struct vgpu_control_msg msg = {
		.type = fd >= 0 ? VGPU_CONTROL_FD : VGPU_CONTROL_FD_DROP,
		.slot = slot,
	};

	return vgpu_control_send(link->socket, &msg, fd);
}

static int send_changed(struct vgpu_link *link)
{
	int r;

	for (uint32_t i = 0; link->n_changed && i < VGPU_SLOT_MAX; i++) {
		if (!link->is_changed[i])
			continue;
		r = send_slot(link, i);
		if (r < 0)
			return r;
		link->is_changed[i] = 0;
		link->n_changed--;
	}
	return 0;
}

static int send_status(struct vgpu_link *link)
{
	struct vgpu_control_msg msg = {
		.type = VGPU_CONTROL_STATUS,
		.serial = link->status_serial,
	};

	link->ops->status(link->opaque, &msg.status);
	return vgpu_control_send(link->socket, &msg, /* fd= */ -1);
}

static int send_all(struct vgpu_link *link)
{
	int r = send_changed(link);

	if (r >= 0)
		link->is_stuck = false;
	if (r >= 0 && link->has_reply) {
		r = vgpu_control_send(link->socket, &link->reply, link->reply_fd);
		if (r >= 0)
			drop_reply(link);
	}
	if (r >= 0 && link->has_status) {
		r = send_status(link);
		if (r >= 0) {
			link->has_status = false;
			link->status_serial = 0;
		}
	}
	return r;
}

/* Send what there is to send and fits. */
static void flush_messages(struct vgpu_link *link)
{
	uint32_t events;
	int r;

	if (link->socket < 0)
		return;
	r = send_all(link);
	/*
	 * Too many fds in flight: no event tells when there are fewer, so
	 * retry.
	 */
	if (r == -ETOOMANYREFS)
		arm_soon(link);
	else if (r < 0 && r != -EAGAIN) {
		lose_manager(link);
		return;
	}
	events = (link->has_reply ? 0 : EPOLLIN) | (r == -EAGAIN ? EPOLLOUT : 0);
	sd_event_source_set_io_events(link->source, events);
}

static void mark_changed(struct vgpu_link *link, uint32_t slot)
{
	link->n_changed += !link->is_changed[slot];
	link->is_changed[slot] = 1;
}

static void on_slot_change(void *opaque, uint32_t slot)
{
	struct vgpu_link *link = opaque;
	struct pollfd poll_fd = {.fd = link->socket, .events = POLLOUT};

	if (link->socket < 0)
		return; /* whoever comes next is told all there is */
	if (!link->n_changed && send_slot(link, slot) >= 0)
		return;
	mark_changed(link, slot);
	flush_messages(link);
	int64_t deadline = now_ms() + ROOM_MS;
	while (link->n_changed && !link->is_stuck && link->socket >= 0) {
		int64_t left = deadline - now_ms();

		link->is_stuck = left <= 0 || poll(&poll_fd, 1, (int)left) <= 0;
		if (!link->is_stuck)
			flush_messages(link);
	}
}

/* Announce every fd and the status: a new manager knows nothing yet. */
static void announce_all(struct vgpu_link *link, uint32_t serial)
{
	for (uint32_t i = 0; i < VGPU_SLOT_MAX; i++)
		if (vgpu_slots_get(link->slots, i) >= 0 && !link->is_changed[i])
			mark_changed(link, i);
	link->is_stuck = false;
	link->has_status = true;
	link->status_serial = serial;
}

static void handle_message(struct vgpu_link *link,
			   const struct vgpu_control_msg *msg, int fd)
{
	switch (msg->type) {
	case VGPU_CONTROL_CAPTURE:
	case VGPU_CONTROL_VIEW:
	case VGPU_CONTROL_SET_MODE:
	case VGPU_CONTROL_SET_FRAME_RATE:
	case VGPU_CONTROL_SET_VGPUS:
	case VGPU_CONTROL_SET_TIME:
		link->reply = (struct vgpu_control_msg){
			.type = VGPU_CONTROL_REPLY,
			.serial = msg->serial,
		};
		link->ops->request(link->opaque, msg, fd, &link->reply.reply,
				   &link->reply_fd);
		link->has_reply = true;
		break;
	case VGPU_CONTROL_PING:
		vgpu_close(fd);
		link->reply = (struct vgpu_control_msg){
			.type = VGPU_CONTROL_REPLY,
			.serial = msg->serial,
		};
		link->ops->figures(link->opaque, &link->reply.reply.figures);
		link->has_reply = true;
		break;
	case VGPU_CONTROL_ADOPT:
		vgpu_close(fd);
		announce_all(link, msg->serial);
		break;
	default:
		/* Ignore unknown messages: a newer manager may send them. */
		vgpu_close(fd);
		break;
	}
}

static int on_manager(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_link *link = opaque;
	struct vgpu_control_msg msg;
	int msg_fd = -1;
	int r;

	if (!link->has_reply && (revents & (EPOLLIN | EPOLLHUP | EPOLLERR))) {
		r = vgpu_control_receive(link->socket, &msg, &msg_fd);
		if (r == 1)
			handle_message(link, &msg, msg_fd);
		else if (r != -EAGAIN && r != -EINTR) {
			lose_manager(link);
			return 0;
		}
	} else if (revents & (EPOLLHUP | EPOLLERR)) {
		lose_manager(link);
		return 0;
	}
	flush_messages(link);
	return 0;
}

static int set_manager(struct vgpu_link *link, int socket)
{
	int r;

	drop_manager(link);
	clear_changed(link);
	link->is_stuck = false;
	link->socket = socket;
	r = fcntl(socket, F_SETFL, O_RDWR | O_NONBLOCK);
	if (r < 0)
		return -errno;
	r = sd_event_add_io(link->event, &link->source, socket, EPOLLIN,
			    on_manager, link);
	if (r < 0)
		return r;
	/* A guest that keeps its queues busy must not shut the manager out. */
	return sd_event_source_set_priority(link->source,
					    SD_EVENT_PRIORITY_IMPORTANT);
}

static void on_admitted(void *opaque, int socket, uint32_t serial)
{
	struct vgpu_link *link = opaque;

	if (set_manager(link, socket) < 0) {
		drop_manager(link);
		return;
	}
	announce_all(link, serial);
	flush_messages(link);
}

static void on_refused(void *opaque, int32_t pid)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	/* The user cannot be told from within our user namespace. */
	snprintf(text, sizeof(text),
		 "process %d asked for what the vGPU has and is not vgpud: refused",
		 pid);
	vgpu_link_event(opaque, VGPU_EVENT_REFUSED, 0, text);
}

static const struct vgpu_door_ops door_ops = {
	.admitted = on_admitted,
	.refused = on_refused,
};

static int on_soon(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_link *link = opaque;

	link->is_soon = false;
	flush_messages(link);
	return 0;
}

int vgpu_link_create(sd_event *event, struct vgpu_slots *slots, int socket,
		     const uint8_t key[VGPU_CONTROL_KEY_BYTES],
		     const struct vgpu_link_ops *ops, void *opaque,
		     struct vgpu_link **ret_link)
{
	int listening = vgpu_slots_get(slots, VGPU_SLOT_CONTROL);
	struct vgpu_link *link = calloc(1, sizeof(*link));
	int r;

	if (!link) {
		vgpu_close(socket);
		return -ENOMEM;
	}
	link->event = event;
	link->slots = slots;
	link->ops = ops;
	link->opaque = opaque;
	link->socket = -1;
	link->reply_fd = -1;
	r = set_manager(link, socket);
	if (r >= 0 && listening >= 0)
		r = vgpu_door_create(event, listening, key, &door_ops, link,
				     &link->door);
	if (r >= 0)
		r = sd_event_add_time(event, &link->soon, CLOCK_MONOTONIC, 0, 0,
				      on_soon, link);
	if (r >= 0)
		r = sd_event_source_set_enabled(link->soon, SD_EVENT_OFF);
	if (r < 0) {
		vgpu_link_destroy(link);
		return r;
	}
	vgpu_slots_on_change(slots, on_slot_change, link);
	*ret_link = link;
	return 0;
}

void vgpu_link_destroy(struct vgpu_link *link)
{
	if (!link)
		return;
	vgpu_slots_on_change(link->slots, NULL, NULL);
	drop_manager(link);
	vgpu_door_destroy(link->door);
	sd_event_source_disable_unref(link->soon);
	free(link);
}

void vgpu_link_status_now(struct vgpu_link *link)
{
	if (!link)
		return;
	link->has_status = true;
	flush_messages(link);
}

void vgpu_link_status_soon(struct vgpu_link *link)
{
	if (!link)
		return;
	link->has_status = true;
	arm_soon(link);
}

void vgpu_link_event(struct vgpu_link *link, uint32_t kind, uint32_t suppressed,
		     const char *text)
{
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_EVENT};

	if (!link || link->socket < 0)
		return;
	msg.event.kind = kind;
	msg.event.suppressed = suppressed + link->events_lost;
	snprintf(msg.event.text, sizeof(msg.event.text), "%s", text);
	/*
	 * If fds are still queued it would have to wait behind them: drop and
	 * count it.
	 */
	if (!link->n_changed &&
	    vgpu_control_send(link->socket, &msg, /* fd= */ -1) >= 0)
		link->events_lost = 0;
	else
		link->events_lost += 1 + suppressed;
}
