/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A running vgpu-device, and the manager's end of its control socket. */
#include "device_process.h"

#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "manager/host/closer.h"
#include "lib/control.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/text.h"
#include "manager/host/watchdog.h"

#define USEC_PER_S 1000000ULL
/* Time limit of the start: long, for a busy machine. */
#define START_TIMEOUT_USEC (20 * USEC_PER_S)
#define ADOPT_TIMEOUT_USEC (5 * USEC_PER_S)
#define STOP_TIMEOUT_USEC  (1 * USEC_PER_S)
#define REPLY_TIMEOUT_USEC (5 * USEC_PER_S)
#define REQUESTS_MAX	   64 /* unanswered at once */
/* Messages read before other vGPUs and clients get a turn. */
#define MESSAGES_AT_ONCE 64

struct request {
	TAILQ_ENTRY(request) entry; /* of vgpu_device.requests */
	struct vgpu_device *device;
	uint32_t serial;
	vgpu_device_reply_t callback;
	void *userdata;
	sd_event_source *timer;
};

struct vgpu_device {
	sd_event *event;
	const struct vgpu_device_ops *ops;
	void *owner;
	struct vgpu_process process;
	int control;
	sd_event_source *control_source;
	sd_event_source *process_source;
	sd_event_source *timer; /* for its first status, then for its end */
	struct vgpu_watchdog watchdog; /* while it serves */
	struct vgpu_figures figures;   /* it says them when it is asked */
	uint64_t figures_usec;	       /* ... and did so then */
	uint64_t frame_rate;
	uint32_t ping_serial;
	bool is_serving;
	bool is_of_old; /* of an earlier version: it knows no PING */
	bool is_kept;	/* in the deposit: what it sends must never get lost */
	bool was_started_here; /* by this vgpud: it has counted from zero */
	uint32_t adopt_serial; /* of the status that is awaited, or 0 */
	char why[160];	       /* why it was killed, "" if it was not */

	/* While it is being started: what remains to be sent. */
	const struct vgpu_fd_store *store;
	struct vgpu_control_start start;
	size_t sent;
	bool is_start_sent;

	TAILQ_HEAD(requests, request) requests;
	size_t n_requests;
	uint32_t last_serial;
};

static void begin_watchdog(struct vgpu_device *device);

static void end_request(struct request *request,
			const struct vgpu_control_reply *reply, int fd,
			const struct vgpu_err *err)
{
	TAILQ_REMOVE(&request->device->requests, request, entry);
	request->device->n_requests--;
	sd_event_source_disable_unref(request->timer);
	request->callback(request->userdata, reply, fd, err);
	free(request);
}

static void fail_requests(struct vgpu_device *device)
{
	struct vgpu_err err = {};

	vgpu_err_set(&err, -ESHUTDOWN, "TryAgain",
		     "the device process ended meanwhile: try again");
	while (!TAILQ_EMPTY(&device->requests))
		end_request(TAILQ_FIRST(&device->requests), NULL, -1, &err);
}

void vgpu_device_kill(struct vgpu_device *device, const char *why)
{
	if (device->why[0])
		return;
	snprintf(device->why, sizeof(device->why), "%s", why);
	vgpu_process_signal(&device->process, SIGKILL);
	vgpu_watchdog_stop(&device->watchdog);
	/* Nothing more is wanted from it but its end. */
	sd_event_source_set_enabled(device->control_source, SD_EVENT_OFF);
	sd_event_source_set_enabled(device->timer, SD_EVENT_OFF);
}

static int on_stop_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_device *device = userdata;

	vgpu_process_signal(&device->process, SIGKILL);
	return 0;
}

void vgpu_device_stop(struct vgpu_device *device)
{
	vgpu_process_signal(&device->process, SIGTERM);
	vgpu_watchdog_stop(&device->watchdog);
	device->timer = sd_event_source_disable_unref(device->timer);
	if (sd_event_add_time_relative(device->event, &device->timer,
				       CLOCK_MONOTONIC, STOP_TIMEOUT_USEC, 0,
				       on_stop_timeout, device) < 0)
		vgpu_process_signal(&device->process, SIGKILL);
}

static void take_figures(struct vgpu_device *device,
			 const struct vgpu_figures *figures)
{
	uint64_t now = 0, passed, frames;
	uint32_t lost;
	bool is_new;

	sd_event_now(device->event, CLOCK_MONOTONIC, &now);
	passed = now - device->figures_usec;
	frames = figures->frames - device->figures.frames;
	device->frame_rate = 0;
	/* More frames are not credible, and the product would overflow. */
	if (device->figures.is_known && passed > 0 && frames <= UINT32_MAX)
		device->frame_rate = (frames * USEC_PER_S + passed / 2) / passed;
	lost = figures->losses[VGPU_LOSS_DEVICE] -
	       device->figures.losses[VGPU_LOSS_DEVICE];
	/* Of one taken over, the first are what an earlier vgpud has heard. */
	is_new = (device->figures.is_known || device->was_started_here) &&
		 lost > 0 && lost <= INT32_MAX;
	device->figures = *figures;
	device->figures_usec = now;
	if (is_new)
		device->ops->gpu_lost(device->owner, lost);
}

uint64_t vgpu_device_frame_rate(const struct vgpu_device *device)
{
	return device->frame_rate;
}

static void handle_reply(struct vgpu_device *device,
			 const struct vgpu_control_msg *msg, int fd)
{
	struct request *request;

	if (msg->serial == device->ping_serial) {
		vgpu_watchdog_answered(&device->watchdog);
		take_figures(device, &msg->reply.figures);
	}
	TAILQ_FOREACH(request, &device->requests, entry)
	{
		if (request->serial != msg->serial)
			continue;
		end_request(request, &msg->reply, fd, NULL);
		return;
	}
	vgpu_close(fd); /* it comes after the request's time was over */
}

const struct vgpu_figures *vgpu_device_figures(const struct vgpu_device *device)
{
	return device && device->figures.is_known ? &device->figures : NULL;
}

static void ask_for_life(void *opaque)
{
	struct vgpu_device *device = opaque;
	struct vgpu_control_msg msg = {
		.type = VGPU_CONTROL_PING,
		.serial = ++device->last_serial,
	};

	device->ping_serial = msg.serial;
	vgpu_control_send(device->control, &msg, -1);
}

static void drain_messages(struct vgpu_device *device);

static void on_frozen(void *opaque)
{
	struct vgpu_device *device = opaque;

	/* Its answer may be here unread. */
	drain_messages(device);
	if (device->watchdog.is_waiting)
		vgpu_device_kill(device, VGPU_WATCHDOG_REASON);
	else
		begin_watchdog(device);
}

static const struct vgpu_watchdog_ops watchdog_ops = {
	.ask = ask_for_life,
	.frozen = on_frozen,
};

static void begin_watchdog(struct vgpu_device *device)
{
	if (!device->is_of_old &&
	    vgpu_watchdog_start(&device->watchdog, device->event, &watchdog_ops,
				device) < 0)
		vgpu_log("device process %d: nobody notices if it freezes",
			 device->process.pid);
}

/* Takes @fd. Returns -EPROTO for what a device may not send. */
static int handle_message(struct vgpu_device *device,
			  const struct vgpu_control_msg *msg, int fd)
{
	bool is_fd_expected = msg->type == VGPU_CONTROL_FD;
	/* A later version's, see docs/dev/contributing.md. */
	bool is_ignored = msg->type >= VGPU_CONTROL_MAX;

	/* It may send nothing before it has received everything. */
	if (!device->is_start_sent ||
	    (msg->type != VGPU_CONTROL_REPLY && !is_ignored &&
	     is_fd_expected != (fd >= 0))) {
		vgpu_close(fd);
		return -EPROTO;
	}
	if (is_ignored) {
		vgpu_close(fd);
		return 0;
	}
	switch (msg->type) {
	case VGPU_CONTROL_FD:
		return device->ops->fd(device->owner, msg->slot, fd);
	case VGPU_CONTROL_FD_DROP:
		return device->ops->fd(device->owner, msg->slot, -1);
	case VGPU_CONTROL_STATUS:
		/* It was meant for the vgpud before. */
		if (device->adopt_serial && msg->serial != device->adopt_serial)
			return 0;
		device->adopt_serial = 0;
		device->timer = sd_event_source_disable_unref(device->timer);
		device->store = NULL;
		if (!device->is_serving)
			begin_watchdog(device);
		device->is_serving = true;
		device->ops->status(device->owner, &msg->status);
		return 0;
	case VGPU_CONTROL_EVENT:
		device->ops->event(device->owner, &msg->event);
		return 0;
	case VGPU_CONTROL_REPLY:
		handle_reply(device, msg, fd);
		return 0;
	default:
		return -EPROTO;
	}
}

/*
 * A message about an fd stays in the socket, which is kept as well, until what
 * it says is in the deposit. Returns 1 if there was such a message.
 */
static int receive_fd(struct vgpu_device *device)
{
	struct vgpu_control_msg msg;
	int fd = -1;
	int r;

	r = vgpu_control_peek(device->control, &msg, &fd);
	if (r != 1)
		return r == 0 ? -EPIPE : r;
	if (msg.type != VGPU_CONTROL_FD && msg.type != VGPU_CONTROL_FD_DROP) {
		vgpu_close(fd);
		return 0;
	}
	r = handle_message(device, &msg, fd);
	fd = -1;
	if (vgpu_control_receive(device->control, &msg, &fd) == 1)
		vgpu_closer_close(fd);
	return r < 0 ? r : 1;
}

/* Returns 1 if there may be more, 0 if there is nothing now, or an error. */
static int receive_one(struct vgpu_device *device)
{
	struct vgpu_control_msg msg;
	int fd = -1;
	int r;

	r = device->is_kept ? receive_fd(device) : 0;
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	if (r != 0)
		return r;
	r = vgpu_control_receive(device->control, &msg, &fd);
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	if (r == 0)
		return -EPIPE;
	if (r < 0)
		return r;
	r = handle_message(device, &msg, fd);
	return r < 0 ? r : 1;
}

static void send_rest(struct vgpu_device *device)
{
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD};
	int r = 0;

	while (device->store && device->sent < device->store->count) {
		const struct vgpu_fd_entry *entry =
			&device->store->entries[device->sent];

		msg.slot = entry->slot;
		r = entry->slot < VGPU_SLOT_MAX
			    ? vgpu_control_send(device->control, &msg, entry->fd)
			    : 0;
		if (r < 0)
			goto out;
		device->sent++;
	}
	msg = (struct vgpu_control_msg){.type = VGPU_CONTROL_START,
					.start = device->start};
	r = vgpu_control_send(device->control, &msg, -1);
	if (r == 0) {
		device->is_start_sent = true;
		sd_event_source_set_io_events(device->control_source, EPOLLIN);
	}
out:
	/* Other failures show up as the end of the process. */
	if (r < 0 && r != -EAGAIN && r != -ETOOMANYREFS)
		sd_event_source_set_io_events(device->control_source, EPOLLIN);
}

static int on_still_running(sd_event_source *source, uint64_t usec, void *userdata)
{
	vgpu_device_kill(userdata, "closed its control socket and ");
	return 0;
}

/* It is dying, or of no use any more: kill it if it has not ended shortly. */
static void on_closed(struct vgpu_device *device)
{
	sd_event_source_set_enabled(device->control_source, SD_EVENT_OFF);
	vgpu_watchdog_stop(&device->watchdog);
	device->timer = sd_event_source_disable_unref(device->timer);
	if (sd_event_add_time_relative(device->event, &device->timer,
				       CLOCK_MONOTONIC, STOP_TIMEOUT_USEC, 0,
				       on_still_running, device) < 0)
		vgpu_device_kill(device, "closed its control socket and ");
}

static int on_control(sd_event_source *source, int fd, uint32_t revents,
		      void *userdata)
{
	struct vgpu_device *device = userdata;
	int r = 1;

	if (revents & EPOLLOUT && !device->is_start_sent)
		send_rest(device);
	for (int i = 0; r > 0 && i < MESSAGES_AT_ONCE; i++)
		r = receive_one(device);
	if (r == -EPIPE)
		on_closed(device);
	else if (r == -EPROTO || r == -EINVAL)
		vgpu_device_kill(device, "broke the control protocol and ");
	else if (r < 0)
		vgpu_device_kill(device, "could not be understood and ");
	return 0;
}

/* What it sent before it died still counts. */
static void drain_messages(struct vgpu_device *device)
{
	/* A full socket buffer holds less. */
	for (int i = 0; i < 4096 && receive_one(device) > 0; i++)
		;
}

/*
 * The process cannot report the call itself. The kernel's audit log, if any,
 * names it.
 */
static void report_forbidden_call(struct vgpu_device *device, const char *reason)
{
	struct vgpu_control_event event = {.kind = VGPU_EVENT_FORBIDDEN_CALL};

	snprintf(event.text, sizeof(event.text), "%.190s", reason);
	device->ops->event(device->owner, &event);
}

static int on_process_end(sd_event_source *source, int fd, uint32_t revents,
			  void *userdata)
{
	struct vgpu_device *device = userdata;
	char how[VGPU_PROCESS_REASON_SIZE];
	char reason[320];
	pid_t pid = device->process.pid;
	char number[16] = "";
	bool is_forbidden;

	/* The pid of one that died before this vgpud started is not known. */
	if (pid > 0)
		snprintf(number, sizeof(number), " %d", pid);
	drain_messages(device);
	vgpu_watchdog_stop(&device->watchdog);
	device->is_serving = false;
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	sd_event_source_set_enabled(device->control_source, SD_EVENT_OFF);
	is_forbidden = vgpu_process_reap(&device->process, how);
	snprintf(reason, sizeof(reason), "the device process%s %s%s", number,
		 device->why, how);
	fail_requests(device);
	if (is_forbidden)
		report_forbidden_call(device, reason);
	device->ops->ended(device->owner, reason);
	return 0;
}

static int on_first_status_timeout(sd_event_source *source, uint64_t usec,
				   void *userdata)
{
	struct vgpu_device *device = userdata;

	/*
	 * If we got no processor for long, its answer may be unread in the
	 * socket.
	 */
	drain_messages(device);
	if (!device->is_serving)
		vgpu_device_kill(device, "did not answer and ");
	return 0;
}

/* Takes @process and @control; on failure they are the device's to close. */
static int watch_device(struct vgpu_device *device, uint32_t control_events,
			uint64_t timeout_usec)
{
	int r;

	r = sd_event_add_io(device->event, &device->control_source,
			    device->control, control_events, on_control, device);
	if (r >= 0)
		r = sd_event_add_io(device->event, &device->process_source,
				    device->process.pidfd, EPOLLIN,
				    on_process_end, device);
	if (r >= 0)
		r = sd_event_add_time_relative(device->event, &device->timer,
					       CLOCK_MONOTONIC, timeout_usec, 0,
					       on_first_status_timeout, device);
	return r;
}

static struct vgpu_device *
new_device(sd_event *event, const struct vgpu_device_ops *ops, void *owner)
{
	struct vgpu_device *device = calloc(1, sizeof(*device));

	if (!device)
		return NULL;
	device->event = event;
	device->ops = ops;
	device->owner = owner;
	device->process = VGPU_PROCESS_NONE;
	device->control = -1;
	TAILQ_INIT(&device->requests);
	return device;
}

static void cleanup_device(struct vgpu_device **device)
{
	vgpu_device_destroy(*device);
}

/* Put a duplicate of @fd into @store. */
static int put_own(struct vgpu_fd_store *store, uint32_t slot, int fd)
{
	int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	return own < 0 ? -errno : vgpu_fd_store_put(store, slot, own);
}

static int start_process(struct vgpu_device *device, char *const argv[],
			 int theirs, struct vgpu_fd_store *store, int group,
			 const char *pid_path, const char *pid_temporary,
			 struct vgpu_err *err)
{
	int r = 0;

	device->is_kept = store->deposit;
	if (device->is_kept)
		r = put_own(store, VGPU_SLOT_OWN_CONTROL, device->control);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "no control socket: %s",
				    strerror(-r));
	r = vgpu_process_start(argv, theirs, group, 0, &device->process, err);
	if (r < 0)
		return r;
	r = device->is_kept
		    ? put_own(store, VGPU_SLOT_OWN_PROCESS, device->process.pidfd)
		    : vgpu_process_record(&device->process, pid_path,
					  pid_temporary);
	if (r >= 0)
		r = watch_device(device, EPOLLIN | EPOLLOUT, START_TIMEOUT_USEC);
	if (r < 0) {
		char how[VGPU_PROCESS_REASON_SIZE];

		/* The store may keep a duplicate of its fd open. */
		device->process_source =
			sd_event_source_disable_unref(device->process_source);
		/* If it does not end quickly, init reaps it. */
		vgpu_process_signal(&device->process, SIGKILL);
		vgpu_process_reap(&device->process, how);
		return vgpu_err_set(err, r, "Internal",
				    "the device process cannot be watched: %s",
				    strerror(-r));
	}
	return 0;
}

int vgpu_device_start(sd_event *event, const struct vgpu_device_ops *ops,
		      void *owner, struct vgpu_fd_store *store,
		      const struct vgpu_control_start *start,
		      const char *pid_path, const char *pid_temporary, int group,
		      struct vgpu_device **ret_device, struct vgpu_err *err)
{
	/* Arguments for ps(1) only: the device gets its name by the socket. */
	char *const argv[] = {
		(char *)"vgpu-device", (char *)"--control-fd",
		(char *)"3",	       (char *)"--uuid",
		(char *)start->uuid,   start->name[0] ? (char *)"--name" : NULL,
		(char *)start->name,   NULL};
	__attribute__((cleanup(cleanup_device))) struct vgpu_device *device =
		new_device(event, ops, owner);
	vgpu_autoclose int theirs = -1;
	int pair[2];
	int r;

	static_assert(VGPU_PROCESS_CHILD_FD == 3, "the fd in argv");
	if (!device)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "no control socket: %s", strerror(errno));
	device->control = pair[0];
	theirs = pair[1];
	device->was_started_here = true;
	device->store = store;
	device->start = *start;

	r = fcntl(device->control, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r < 0)
		return vgpu_err_set(err, r, "Internal", "no control socket: %s",
				    strerror(-r));
	r = start_process(device, argv, theirs, store, group, pid_path,
			  pid_temporary, err);
	if (r < 0)
		return r;
	*ret_device = vgpu_steal(&device);
	return 0;
}

void vgpu_device_forget_kept(struct vgpu_fd_store *store)
{
	vgpu_fd_store_drop(store, VGPU_SLOT_OWN_CONTROL);
	vgpu_fd_store_drop(store, VGPU_SLOT_OWN_PROCESS);
}

static int connect_to(const char *path, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd = -1;

	if (!VGPU_TEXT_SET(address.sun_path, path))
		return -ENAMETOOLONG;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

/* @key: NULL if there is no door where it is asked for. */
static int ask_for_all(struct vgpu_device *device, const uint8_t *key)
{
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_ADOPT};

	/* Not one that the vgpud before may have used. */
	if (getrandom(&msg.serial, sizeof(msg.serial), 0) != sizeof(msg.serial))
		return -EIO;
	msg.serial |= 1;
	device->adopt_serial = msg.serial;
	if (key)
		memcpy(msg.key, key, sizeof(msg.key));
	return vgpu_control_send(device->control, &msg, -1);
}

/* @r is the result so far. A device that is taken over is not sent START. */
static int finish_takeover(struct vgpu_device *device, int r, struct vgpu_err *err)
{
	if (r < 0)
		return vgpu_err_set(
			err, r, "Internal",
			"the device process %d cannot be taken over: %s",
			device->process.pid, strerror(-r));
	device->is_start_sent = true;
	return 0;
}

int vgpu_device_adopt_kept(sd_event *event, const struct vgpu_device_ops *ops,
			   void *owner, struct vgpu_fd_store *store,
			   struct vgpu_device **ret_device, struct vgpu_err *err)
{
	int control = vgpu_fd_store_get(store, VGPU_SLOT_OWN_CONTROL);
	int pidfd = vgpu_fd_store_get(store, VGPU_SLOT_OWN_PROCESS);
	__attribute__((cleanup(cleanup_device))) struct vgpu_device *device =
		NULL;
	int r;

	if (control < 0 || pidfd < 0)
		return vgpu_err_set(err, -ENOENT, NULL, "none runs");
	device = new_device(event, ops, owner);
	if (!device)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	device->is_kept = true;
	device->control = fcntl(control, F_DUPFD_CLOEXEC, 3);
	device->process.pidfd = fcntl(pidfd, F_DUPFD_CLOEXEC, 3);
	if (device->control < 0 || device->process.pidfd < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "its fds cannot be had: %s", strerror(errno));
	device->process.pid = pidfd_getpid(device->process.pidfd);
	r = ask_for_all(device, /* key= */ NULL);
	if (r >= 0 || r == -EPIPE) /* its end comes next */
		r = watch_device(device, EPOLLIN, ADOPT_TIMEOUT_USEC);
	r = finish_takeover(device, r, err);
	if (r >= 0)
		*ret_device = vgpu_steal(&device);
	return r;
}

int vgpu_device_adopt(sd_event *event, const struct vgpu_device_ops *ops,
		      void *owner, const char *control_path, const uint8_t *key,
		      const char *pid_path, struct vgpu_device **ret_device,
		      struct vgpu_err *err)
{
	__attribute__((cleanup(cleanup_device))) struct vgpu_device *device =
		new_device(event, ops, owner);
	int r;

	if (!device)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	/*
	 * Identify the process by the record. The socket's credentials are of
	 * whoever called listen(), an earlier vgpud.
	 */
	if (vgpu_process_recall(pid_path, &device->process) < 0)
		return vgpu_err_set(err, -ENOENT, NULL, "none runs");

	r = connect_to(control_path, &device->control);
	/* A device without a key sends everything to whoever connects. */
	device->is_of_old = !key;
	if (r >= 0 && key)
		r = ask_for_all(device, key);
	if (r < 0) {
		/* It runs but cannot be reached: it is of no use any more. */
		vgpu_process_signal(&device->process, SIGKILL);
		return vgpu_err_set(err, -ENOENT, NULL, "it cannot be reached");
	}
	r = watch_device(device, EPOLLIN, ADOPT_TIMEOUT_USEC);
	r = finish_takeover(device, r, err);
	if (r >= 0)
		*ret_device = vgpu_steal(&device);
	return r;
}

void vgpu_device_destroy(struct vgpu_device *device)
{
	if (!device)
		return;
	fail_requests(device);
	sd_event_source_disable_unref(device->control_source);
	sd_event_source_disable_unref(device->process_source);
	sd_event_source_disable_unref(device->timer);
	vgpu_watchdog_stop(&device->watchdog);
	vgpu_close(device->control);
	vgpu_process_finish(&device->process);
	free(device);
}

bool vgpu_device_is_serving(const struct vgpu_device *device)
{
	return device && device->is_serving && !device->why[0];
}

pid_t vgpu_device_pid(const struct vgpu_device *device)
{
	return device ? device->process.pid : 0;
}

static int on_reply_timeout(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_err err = {};

	vgpu_err_set(&err, -ETIMEDOUT, "TryAgain",
		     "the device did not answer within 5 s: try again");
	end_request(userdata, NULL, -1, &err);
	return 0;
}

int vgpu_device_request(struct vgpu_device *device, struct vgpu_control_msg *msg,
			int fd, vgpu_device_reply_t callback, void *userdata,
			struct vgpu_err *err)
{
	struct request *request;
	int r;

	if (!vgpu_device_is_serving(device) || device->n_requests >= REQUESTS_MAX)
		return vgpu_err_set(err, -EAGAIN, "TryAgain",
				    "the device is busy: try again");
	request = calloc(1, sizeof(*request));
	if (!request)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");

	*request = (struct request){
		.device = device,
		.serial = ++device->last_serial,
		.callback = callback,
		.userdata = userdata,
	};
	msg->serial = request->serial;
	r = vgpu_control_send(device->control, msg, fd);
	if (r >= 0)
		r = sd_event_add_time_relative(
			device->event, &request->timer, CLOCK_MONOTONIC,
			REPLY_TIMEOUT_USEC, 0, on_reply_timeout, request);
	if (r < 0) {
		free(request);
		return vgpu_err_set(err, r, "TryAgain",
				    "the device cannot be asked now: %s",
				    strerror(-r));
	}
	TAILQ_INSERT_TAIL(&device->requests, request, entry);
	device->n_requests++;
	return 0;
}

void vgpu_device_ignore_reply(void *userdata,
			      const struct vgpu_control_reply *reply, int fd,
			      const struct vgpu_err *err)
{
	vgpu_close(fd);
}
