/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Having render processes started, and learning of their end. */
#include "device/render/launcher.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "device/launch/abi.h"
#include "lib/fds.h"
#include "lib/util.h"

/* It starts a process in a few ms, if it gets a processor. */
#define ANSWER_MS 10000

struct vgpu_launcher {
	sd_event *event;
	int fd;
	bool is_gone;
	uint64_t last_id;
	uint64_t sync_id; /* of the SYNC that we wait for */
	bool is_synced;
	LIST_HEAD(launched_list, vgpu_launched) processes;
	sd_event_source *source;
	sd_event_source *deferred;	 /* for what was read while we waited */
	char text[VGPU_LAUNCH_TEXT_MAX]; /* why the last one was not started */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static struct vgpu_launched *find_process(struct vgpu_launcher *launcher,
					  uint64_t id)
{
	struct vgpu_launched *process;

	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		if (process->id == id)
			return process;
	return NULL;
}

static void end_process(struct vgpu_launched *process, int code, int status)
{
	process->is_ended = true;
	process->code = code;
	process->status = status;
	sd_event_source_set_enabled(process->launcher->deferred,
				    SD_EVENT_ONESHOT);
}

/* All that it started have died with it. */
static void lose_launcher(struct vgpu_launcher *launcher)
{
	struct vgpu_launched *process;

	if (launcher->is_gone)
		return;
	launcher->is_gone = true;
	sd_event_source_set_enabled(launcher->source, SD_EVENT_OFF);
	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		end_process(process, CLD_KILLED, SIGKILL);
	fputs("vgpu-device: vgpu-launch has ended\n", stderr);
	sd_event_exit(launcher->event, 1);
}

static void handle_reply(struct vgpu_launcher *launcher,
			 const struct vgpu_launch_reply *reply, int *fd)
{
	/* What an earlier device had started is nothing to us. */
	struct vgpu_launched *process = find_process(launcher, reply->id);

	if (reply->type == VGPU_LAUNCH_SYNCED && reply->id == launcher->sync_id)
		launcher->is_synced = true;
	if (!process)
		return;
	if (reply->type == VGPU_LAUNCH_STARTED) {
		process->is_started = reply->status == 0;
		process->refused = reply->refused;
		vgpu_close(process->statm);
		process->statm = vgpu_steal_fd(fd);
		memcpy(launcher->text, reply->text, sizeof(launcher->text));
		launcher->text[sizeof(launcher->text) - 1] = '\0';
		if (reply->status)
			end_process(process, CLD_EXITED, 0);
	} else if (reply->type == VGPU_LAUNCH_ENDED) {
		end_process(process, reply->code, reply->status);
	}
}

static ssize_t receive_reply(const struct vgpu_launcher *launcher,
			     struct vgpu_launch_reply *ret_reply, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = {ret_reply, sizeof(*ret_reply)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t n =
		recvmsg(launcher->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		vgpu_fds_take(&header, ret_fd, 1);
	return n;
}

/* Read all there is. */
static void receive_replies(struct vgpu_launcher *launcher)
{
	while (!launcher->is_gone) {
		vgpu_autoclose int fd = -1;
		struct vgpu_launch_reply reply;
		ssize_t n = receive_reply(launcher, &reply, &fd);

		if (n == sizeof(reply))
			handle_reply(launcher, &reply, &fd);
		else if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			lose_launcher(launcher);
		else if (errno == EAGAIN)
			return;
	}
}

static int on_reply(sd_event_source *source, int fd, uint32_t revents,
		    void *opaque)
{
	receive_replies(opaque);
	return 0;
}

static struct vgpu_launched *find_ended(struct vgpu_launcher *launcher)
{
	struct vgpu_launched *process;

	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		if (process->is_ended)
			return process;
	return NULL;
}

static int on_deferred(sd_event_source *source, void *opaque)
{
	struct vgpu_launcher *launcher = opaque;
	struct vgpu_launched *process;

	while ((process = find_ended(launcher))) {
		/* It may destroy whatever it likes. */
		LIST_REMOVE(process, entry);
		process->launcher = NULL;
		process->ended(process->opaque);
	}
	return 0;
}

int vgpu_launcher_create(sd_event *event, int fd,
			 struct vgpu_launcher **ret_launcher)
{
	struct vgpu_launcher *launcher = calloc(1, sizeof(*launcher));
	struct timespec now;
	int r;

	if (!launcher)
		return -ENOMEM;
	launcher->event = event;
	launcher->fd = fd;
	/* Unlike the numbers of the device process before this one. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	launcher->last_id =
		(uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
	LIST_INIT(&launcher->processes);
	r = sd_event_add_io(event, &launcher->source, fd, EPOLLIN, on_reply,
			    launcher);
	if (r >= 0)
		r = sd_event_add_defer(event, &launcher->deferred, on_deferred,
				       launcher);
	if (r >= 0)
		r = sd_event_source_set_enabled(launcher->deferred, SD_EVENT_OFF);
	if (r < 0) {
		vgpu_launcher_destroy(launcher);
		return r;
	}
	*ret_launcher = launcher;
	return 0;
}

void vgpu_launcher_destroy(struct vgpu_launcher *launcher)
{
	if (!launcher)
		return;
	while (!LIST_EMPTY(&launcher->processes))
		vgpu_launched_forget(LIST_FIRST(&launcher->processes));
	sd_event_source_disable_unref(launcher->source);
	sd_event_source_disable_unref(launcher->deferred);
	free(launcher);
}

static int send_request(struct vgpu_launcher *launcher,
			const struct vgpu_launch_request *request,
			const int *fds, size_t n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(2 * sizeof(int))];
	} control = {};
	struct iovec iov = {(void *)request, sizeof(*request)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header = (struct cmsghdr){
			.cmsg_level = SOL_SOCKET,
			.cmsg_type = SCM_RIGHTS,
			.cmsg_len = CMSG_LEN(n_fds * sizeof(int)),
		};
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	if (sendmsg(launcher->fd, &header, MSG_NOSIGNAL) < 0)
		return -errno;
	return 0;
}

/* Until @is_done, which replies change. */
static bool wait_for(struct vgpu_launcher *launcher, const bool *is_done,
		     const bool *is_ended, int ms)
{
	int64_t end = now_ms() + ms;

	for (;;) {
		struct pollfd poll_fd = {.fd = launcher->fd, .events = POLLIN};
		int64_t left = end - now_ms();

		receive_replies(launcher);
		if (*is_done || *is_ended || launcher->is_gone)
			return true;
		if (left <= 0)
			return false;
		poll(&poll_fd, 1, (int)left);
	}
}

int vgpu_launcher_start(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, int command, int memory,
			struct vgpu_err *err)
{
	const int fds[2] = {command, memory};
	struct vgpu_launch_request request = {.type = VGPU_LAUNCH_START};
	int r;

	process->launcher = launcher;
	process->id = request.id = ++launcher->last_id;
	process->statm = -1;
	process->is_started = process->is_ended = false;
	launcher->text[0] = '\0';
	LIST_INSERT_HEAD(&launcher->processes, process, entry);
	r = launcher->is_gone ? -EPIPE : send_request(launcher, &request, fds, 2);
	if (r == 0 && !wait_for(launcher, &process->is_started,
				&process->is_ended, ANSWER_MS))
		r = -ETIMEDOUT;
	/* One that has ended by now is told of by the event loop. */
	if (process->is_started)
		return 0;
	vgpu_launched_forget(process);
	if (launcher->text[0])
		return vgpu_err_set(err, -ECHILD, NULL, "%s", launcher->text);
	return vgpu_err_set(err, r < 0 ? r : -EPIPE, NULL,
			    "no render process can be started: %s",
			    strerror(r < 0 ? -r : EPIPE));
}

void vgpu_launched_limit(struct vgpu_launched *process,
			 const uint64_t limit[VGPU_LAUNCH_LIMITS])
{
	struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_LIMIT,
		.id = process->id,
	};

	memcpy(request.limit, limit, sizeof(request.limit));
	if (process->launcher && !process->is_ended)
		send_request(process->launcher, &request, NULL, 0);
}

bool vgpu_launcher_sync(struct vgpu_launcher *launcher)
{
	struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_SYNC,
		.id = ++launcher->last_id,
	};

	launcher->sync_id = request.id;
	launcher->is_synced = false;
	if (launcher->is_gone || send_request(launcher, &request, NULL, 0) < 0)
		return false;
	wait_for(launcher, &launcher->is_synced, &launcher->is_synced, ANSWER_MS);
	return launcher->is_synced;
}

void vgpu_launched_kill(struct vgpu_launched *process)
{
	const struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_KILL,
		.id = process->id,
	};

	if (process->launcher && !process->is_ended)
		send_request(process->launcher, &request, NULL, 0);
}

bool vgpu_launched_wait(struct vgpu_launched *process, int ms)
{
	if (!process->launcher)
		return true;
	wait_for(process->launcher, &process->is_ended, &process->is_ended, ms);
	return process->is_ended;
}

void vgpu_launched_forget(struct vgpu_launched *process)
{
	if (process->launcher)
		LIST_REMOVE(process, entry);
	process->launcher = NULL;
	process->statm = vgpu_close(process->statm);
}
