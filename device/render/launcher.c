/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The device's side of vgpu-launch: starts render processes, and reports their
 * end.
 */
#include "device/render/launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#include "device/launch/abi.h"
#include "lib/fds.h"
#include "lib/util.h"

/*
 * For how long one turn of the event loop may be held up by all its waits: less
 * than after which a device is taken for frozen (manager/watchdog.h).
 */
#define PATIENCE_MS 2500
/*
 * It answers within a few ms, if it gets a processor. A tick that came late
 * does not count: then we got none either.
 */
#define TICK_US	     (1000 * 1000ULL)
#define FROZEN_TICKS 30
/* Also those that were killed and have not ended; it has room for twice that. */
#define PROCESSES_MAX (VGPU_LAUNCH_PROCESSES_MAX / 2)

/* A successor that begins waits so long for all answers together. */
#define BEGIN_MS 4000
/* Answers that are on their way to us at a time: each brings an fd. */
#define FETCHES_MAX 32

/* What the socket had no room for. */
struct waiting {
	STAILQ_ENTRY(waiting) entry; /* of vgpu_launcher.waiting */
	struct vgpu_launch_request request;
	int fd; /* ours; -1: none */
};

/* Answers to FETCH, in order. */
struct fetch {
	const uint32_t *number;
	int *fd;
	size_t n, n_done;
};

struct vgpu_launcher {
	sd_event *event;
	int fd;
	const struct vgpu_launcher_ops *ops;
	void *opaque;
	bool is_gone;
	uint64_t last_id;
	LIST_HEAD(launched_list, vgpu_launched) processes;
	unsigned int n_processes;
	TAILQ_HEAD(sync_list, vgpu_launcher_sync) syncs; /* in order */
	STAILQ_HEAD(waiting_list, waiting) waiting;
	uint64_t begin_id;
	int64_t begin_end; /* see BEGIN_MS */
	int lease; /* the launcher sees by it that we live; -1: not yet */
	struct fetch fetch;
	sd_event_source *source;
	sd_event_source *deferred; /* for what was read while we waited */
	uint64_t turn;		   /* of the event loop, the last that waited */
	int64_t patience_ms;	   /* what is left for it */
	bool is_slow;		   /* no answer since we waited in vain */
	/* While something is unanswered. */
	sd_event_source *ticker;
	unsigned int ticks; /* since the last answer */
};

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void vgpu_launch_name_call(int call, char ret_name[VGPU_LAUNCH_CALL_MAX])
{
	vgpu_autofree char *name =
		seccomp_syscall_resolve_num_arch(SCMP_ARCH_NATIVE, call);

	if (name)
		snprintf(ret_name, VGPU_LAUNCH_CALL_MAX, "%s", name);
	else
		snprintf(ret_name, VGPU_LAUNCH_CALL_MAX, "number %d", call);
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
	process->call = -1;
	process->code = code;
	process->status = status;
	sd_event_source_set_enabled(process->launcher->deferred,
				    SD_EVENT_ONESHOT);
}

static bool is_asked(const struct vgpu_launcher *launcher)
{
	const struct vgpu_launched *process;

	if (!TAILQ_EMPTY(&launcher->syncs))
		return true;
	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		if (!process->is_started && !process->is_ended)
			return true;
	return false;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_launcher *launcher = opaque;
	uint64_t now = usec;

	if (!is_asked(launcher))
		return 0;
	sd_event_now(launcher->event, CLOCK_MONOTONIC, &now);
	if (now - usec < TICK_US / 2 && ++launcher->ticks % FROZEN_TICKS == 0) {
		fputs("vgpu-device: vgpu-launch does not answer\n", stderr);
		if (launcher->ops->frozen)
			launcher->ops->frozen(launcher->opaque);
	}
	sd_event_source_set_time_relative(source, TICK_US);
	sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
	return 0;
}

/*
 * A request was sent: watch for its answer. If this fails, a frozen launcher
 * goes unnoticed.
 */
static void expect_answer(struct vgpu_launcher *launcher)
{
	int is_on = SD_EVENT_OFF;

	sd_event_source_get_enabled(launcher->ticker, &is_on);
	if (is_on != SD_EVENT_OFF)
		return;
	launcher->ticks = 0;
	sd_event_source_set_time_relative(launcher->ticker, TICK_US);
	sd_event_source_set_enabled(launcher->ticker, SD_EVENT_ONESHOT);
}

/* All that it started have died with it. */
static void lose_launcher(struct vgpu_launcher *launcher)
{
	struct vgpu_launched *process;

	if (launcher->is_gone)
		return;
	launcher->is_gone = true;
	sd_event_source_set_enabled(launcher->source, SD_EVENT_OFF);
	sd_event_source_set_enabled(launcher->ticker, SD_EVENT_OFF);
	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		end_process(process, CLD_KILLED, SIGKILL);
	fputs("vgpu-device: vgpu-launch has ended\n", stderr);
	sd_event_exit(launcher->event, 1);
}

static void close_fds(struct vgpu_launched *process)
{
	process->command = vgpu_close(process->command);
	process->memory = vgpu_close(process->memory);
	process->statm = vgpu_close(process->statm);
	while (process->n_files)
		vgpu_close(process->file[--process->n_files]);
}

static void note_start(struct vgpu_launched *process,
		       const struct vgpu_launch_reply *reply, int *fd)
{
	if (process->is_started)
		return;
	if (reply->status || fd[0] < 0 || fd[1] < 0) {
		vgpu_err_set(&process->why, -ECHILD, NULL, "%.*s",
			     (int)sizeof(reply->text) - 1, reply->text);
		end_process(process, CLD_EXITED, 0);
		return;
	}
	process->command = vgpu_steal_fd(fd++);
	process->memory = vgpu_steal_fd(fd++);
	while (process->n_files < VGPU_MIN(reply->n_files, VGPU_LAUNCH_FILES_MAX))
		process->file[process->n_files++] = vgpu_steal_fd(fd++);
	process->statm = vgpu_steal_fd(fd);
	process->refused = reply->refused;
	process->is_started = true;
	sd_event_source_set_enabled(process->launcher->deferred,
				    SD_EVENT_ONESHOT);
}

static void note_fetch(struct fetch *fetch,
		       const struct vgpu_launch_reply *reply, int *fd)
{
	/* Ignore answers to an earlier device process. */
	if (fetch->n_done == fetch->n ||
	    reply->id != fetch->number[fetch->n_done])
		return;
	fetch->fd[fetch->n_done++] = vgpu_steal_fd(fd);
}

/* The launcher handles requests in order. */
static void note_sync(struct vgpu_launcher *launcher, uint64_t id)
{
	struct vgpu_launcher_sync *sync;

	for (sync = TAILQ_FIRST(&launcher->syncs); sync;
	     sync = TAILQ_NEXT(sync, entry))
		if (sync->id == id)
			sync->is_done = true;
	sd_event_source_set_enabled(launcher->deferred, SD_EVENT_ONESHOT);
}

static void note_end(struct vgpu_launcher *launcher,
		     struct vgpu_launched *process,
		     const struct vgpu_launch_reply *reply)
{
	if (process) {
		end_process(process, reply->code, reply->status);
		process->call = reply->call;
	}
	if (reply->call >= 0) {
		char name[VGPU_LAUNCH_CALL_MAX];

		vgpu_launch_name_call(reply->call, name);
		launcher->ops->forbidden(launcher->opaque, name);
	}
}

/* What is left in @fd is closed by the caller. */
static void handle_reply(struct vgpu_launcher *launcher,
			 const struct vgpu_launch_reply *reply, int *fd)
{
	/* Ignore processes of an earlier device that were not adopted. */
	struct vgpu_launched *process = find_process(launcher, reply->id);

	launcher->ticks = 0;
	launcher->is_slow = false;
	if (reply->type == VGPU_LAUNCH_SYNCED)
		note_sync(launcher, reply->id);
	else if (reply->type == VGPU_LAUNCH_FETCHED)
		note_fetch(&launcher->fetch, reply, fd);
	else if (reply->type == VGPU_LAUNCH_BEGUN &&
		 reply->id == launcher->begin_id && launcher->lease < 0)
		launcher->lease = vgpu_steal_fd(fd);
	else if (process && reply->type == VGPU_LAUNCH_STARTED)
		note_start(process, reply, fd);
	else if (reply->type == VGPU_LAUNCH_ENDED)
		note_end(launcher, process, reply);
}

static ssize_t receive_reply(const struct vgpu_launcher *launcher,
			     struct vgpu_launch_reply *ret_reply, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VGPU_LAUNCH_FDS_MAX * sizeof(int))];
	} control;
	struct iovec iov = {ret_reply, sizeof(*ret_reply)};
	struct msghdr header = {.msg_iov = &iov,
				.msg_iovlen = 1,
				.msg_control = &control,
				.msg_controllen = sizeof(control)};
	ssize_t n =
		recvmsg(launcher->fd, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	if (n >= 0)
		vgpu_fds_take(&header, ret_fd, VGPU_LAUNCH_FDS_MAX);
	return n;
}

/* Read all there is. */
static void receive_replies(struct vgpu_launcher *launcher)
{
	while (!launcher->is_gone) {
		/* One more, which is no fd, for who looks behind the last. */
		int fd[VGPU_LAUNCH_FDS_MAX + 1];
		struct vgpu_launch_reply reply;
		ssize_t n;

		memset(fd, -1, sizeof(fd));
		n = receive_reply(launcher, &reply, fd);
		if (n == sizeof(reply))
			handle_reply(launcher, &reply, fd);
		for (size_t i = 0; i < VGPU_ARRAY_SIZE(fd); i++)
			vgpu_close(fd[i]);
		if (n == sizeof(reply))
			continue;
		if (n >= 0 || (errno != EAGAIN && errno != EINTR))
			lose_launcher(launcher);
		else if (errno == EAGAIN)
			return;
	}
}

/* @fd, -1 for none, stays the caller's. */
static int send_now(struct vgpu_launcher *launcher,
		    const struct vgpu_launch_request *request, int fd)
{
	const struct iovec part = {(void *)request, sizeof(*request)};
	ssize_t n = vgpu_fds_send(launcher->fd, &part, 1, fd, MSG_DONTWAIT);

	return (int)VGPU_MIN(n, 0);
}

static void update_events(struct vgpu_launcher *launcher)
{
	sd_event_source_set_io_events(
		launcher->source,
		EPOLLIN | (STAILQ_EMPTY(&launcher->waiting) ? 0 : EPOLLOUT));
}

static void drop_first(struct vgpu_launcher *launcher)
{
	struct waiting *first = STAILQ_FIRST(&launcher->waiting);

	STAILQ_REMOVE_HEAD(&launcher->waiting, entry);
	vgpu_close(first->fd);
	free(first);
}

/* A closed socket is handled where answers are read. */
static void send_waiting(struct vgpu_launcher *launcher)
{
	while (!STAILQ_EMPTY(&launcher->waiting)) {
		const struct waiting *first = STAILQ_FIRST(&launcher->waiting);

		if (send_now(launcher, &first->request, first->fd) == -EAGAIN)
			break;
		drop_first(launcher);
	}
	update_events(launcher);
}

static int queue_request(struct vgpu_launcher *launcher,
			 const struct vgpu_launch_request *request, int fd)
{
	vgpu_autoclose int own = -1;
	struct waiting *waiting;

	if (fd >= 0) {
		own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
		if (own < 0)
			return -errno;
	}
	waiting = malloc(sizeof(*waiting));
	if (!waiting)
		return -ENOMEM;
	*waiting =
		(struct waiting){.request = *request, .fd = vgpu_steal_fd(&own)};
	STAILQ_INSERT_TAIL(&launcher->waiting, waiting, entry);
	update_events(launcher);
	return 0;
}

/* @fd, -1 for none, stays the caller's. */
static int send_request(struct vgpu_launcher *launcher,
			const struct vgpu_launch_request *request, int fd)
{
	int r = -EAGAIN;

	if (launcher->is_gone)
		return -EPIPE;
	if (STAILQ_EMPTY(&launcher->waiting))
		r = send_now(launcher, request, fd);
	return r == -EAGAIN ? queue_request(launcher, request, fd) : r;
}

static int on_event(sd_event_source *source, int fd, uint32_t revents,
		    void *opaque)
{
	struct vgpu_launcher *launcher = opaque;

	if (revents & ~(uint32_t)EPOLLOUT)
		receive_replies(launcher);
	if (!launcher->is_gone && revents & EPOLLOUT)
		send_waiting(launcher);
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

static struct vgpu_launched *find_started(struct vgpu_launcher *launcher)
{
	struct vgpu_launched *process;

	for (process = LIST_FIRST(&launcher->processes); process;
	     process = LIST_NEXT(process, entry))
		if (process->is_started && !process->is_told)
			return process;
	return NULL;
}

static struct vgpu_launcher_sync *find_done(struct vgpu_launcher *launcher)
{
	struct vgpu_launcher_sync *sync;

	for (sync = TAILQ_FIRST(&launcher->syncs); sync;
	     sync = TAILQ_NEXT(sync, entry))
		if (sync->is_done)
			return sync;
	return NULL;
}

static void remove_process(struct vgpu_launcher *launcher,
			   struct vgpu_launched *process)
{
	LIST_REMOVE(process, entry);
	launcher->n_processes--;
	process->launcher = NULL;
}

static int on_deferred(sd_event_source *source, void *opaque)
{
	struct vgpu_launcher *launcher = opaque;
	struct vgpu_launcher_sync *sync;
	struct vgpu_launched *process;

	/* They may destroy whatever they like. */
	while ((process = find_started(launcher))) {
		process->is_told = true;
		process->started(process->opaque);
	}
	while ((sync = find_done(launcher))) {
		vgpu_launcher_sync_forget(sync);
		sync->done(sync->opaque);
	}
	while ((process = find_ended(launcher))) {
		remove_process(launcher, process);
		process->ended(process->opaque);
	}
	return 0;
}

static int add_sources(struct vgpu_launcher *launcher)
{
	int r = sd_event_add_io(launcher->event, &launcher->source,
				launcher->fd, EPOLLIN, on_event, launcher);

	if (r >= 0)
		r = sd_event_add_defer(launcher->event, &launcher->deferred,
				       on_deferred, launcher);
	if (r >= 0)
		r = sd_event_source_set_enabled(launcher->deferred, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time_relative(launcher->event, &launcher->ticker,
					       CLOCK_MONOTONIC, TICK_US, 0,
					       on_tick, launcher);
	if (r >= 0)
		r = sd_event_source_set_enabled(launcher->ticker, SD_EVENT_OFF);
	return r;
}

static int send_begin(struct vgpu_launcher *launcher)
{
	const struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_BEGIN,
		.id = ++launcher->last_id,
	};
	int r;

	launcher->begin_id = request.id;
	launcher->begin_end = now_ms() + BEGIN_MS;
	r = send_request(launcher, &request, -1);
	return r == -EPIPE ? 0 : r; /* which is seen where answers are read */
}

int vgpu_launcher_create(sd_event *event, int fd,
			 const struct vgpu_launcher_ops *ops, void *opaque,
			 struct vgpu_launcher **ret_launcher)
{
	struct vgpu_launcher *launcher = calloc(1, sizeof(*launcher));
	struct timespec now;
	int r;

	if (!launcher)
		return -ENOMEM;
	launcher->event = event;
	launcher->fd = fd;
	launcher->ops = ops;
	launcher->opaque = opaque;
	launcher->lease = -1;
	launcher->patience_ms = PATIENCE_MS; /* before the first turn */
	/* Must differ from the numbers of the previous device process. */
	clock_gettime(CLOCK_BOOTTIME, &now);
	launcher->last_id =
		(uint64_t)now.tv_sec * 1000000000ULL + (uint64_t)now.tv_nsec;
	LIST_INIT(&launcher->processes);
	TAILQ_INIT(&launcher->syncs);
	STAILQ_INIT(&launcher->waiting);
	r = add_sources(launcher);
	if (r >= 0)
		r = send_begin(launcher);
	if (r < 0) {
		vgpu_launcher_destroy(launcher);
		return r;
	}
	*ret_launcher = launcher;
	return 0;
}

void vgpu_launcher_destroy(struct vgpu_launcher *launcher)
{
	struct vgpu_launched *process;

	if (!launcher)
		return;
	while ((process = LIST_FIRST(&launcher->processes))) {
		vgpu_launched_forget(process);
		if (process->left)
			process->left(process->opaque);
	}
	while (!TAILQ_EMPTY(&launcher->syncs))
		vgpu_launcher_sync_forget(TAILQ_FIRST(&launcher->syncs));
	while (!STAILQ_EMPTY(&launcher->waiting))
		drop_first(launcher);
	sd_event_source_disable_unref(launcher->source);
	sd_event_source_disable_unref(launcher->deferred);
	sd_event_source_disable_unref(launcher->ticker);
	vgpu_close(launcher->lease);
	free(launcher);
}

static int64_t get_patience(struct vgpu_launcher *launcher)
{
	uint64_t turn = 0;

	sd_event_get_iteration(launcher->event, &turn);
	if (turn != launcher->turn)
		launcher->patience_ms = PATIENCE_MS;
	launcher->turn = turn;
	return launcher->is_slow ? 0 : launcher->patience_ms;
}

/* Until replies have changed @is_done, or it takes too long. */
static bool wait_for(struct vgpu_launcher *launcher, const bool *is_done)
{
	int64_t left = get_patience(launcher);
	int64_t last = now_ms(), now;

	for (;;) {
		struct pollfd poll_fd = {.fd = launcher->fd, .events = POLLIN};

		receive_replies(launcher);
		if (*is_done || launcher->is_gone)
			break;
		send_waiting(launcher);
		if (left <= 0) {
			launcher->is_slow = true;
			break;
		}
		if (!STAILQ_EMPTY(&launcher->waiting))
			poll_fd.events |= POLLOUT;
		poll(&poll_fd, 1, (int)left);
		now = now_ms();
		left -= now - last;
		launcher->patience_ms -= now - last;
		last = now;
	}
	return *is_done;
}

static int add_process(struct vgpu_launcher *launcher,
		       struct vgpu_launched *process, uint32_t type,
		       uint64_t id, struct vgpu_err *err)
{
	struct vgpu_launch_request request = {.type = type, .id = id};
	int r = -EAGAIN;

	if (launcher->n_processes < PROCESSES_MAX)
		r = send_request(launcher, &request, -1);
	if (r < 0)
		return vgpu_err_set(err, r, NULL,
				    "no render process can be started: %s",
				    strerror(-r));
	process->launcher = launcher;
	process->id = request.id;
	process->command = process->memory = process->statm = -1;
	process->n_files = 0;
	process->is_started = process->is_ended = process->is_told = false;
	process->why = (struct vgpu_err){};
	LIST_INSERT_HEAD(&launcher->processes, process, entry);
	launcher->n_processes++;
	expect_answer(launcher);
	return 0;
}

int vgpu_launcher_start(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, struct vgpu_err *err)
{
	return add_process(launcher, process, VGPU_LAUNCH_START,
			   ++launcher->last_id, err);
}

/* For a reply, while there is no event loop. False: it takes too long. */
static bool wait_long(struct vgpu_launcher *launcher)
{
	struct pollfd poll_fd = {.fd = launcher->fd, .events = POLLIN};
	int64_t left = launcher->begin_end - now_ms();

	if (!STAILQ_EMPTY(&launcher->waiting))
		poll_fd.events |= POLLOUT;
	if (launcher->is_gone || left <= 0 ||
	    (poll(&poll_fd, 1, (int)left) < 0 && errno != EINTR))
		return false;
	receive_replies(launcher);
	if (!launcher->is_gone)
		send_waiting(launcher);
	return true;
}

int vgpu_launcher_adopt(struct vgpu_launcher *launcher,
			struct vgpu_launched *process, uint64_t id,
			struct vgpu_err *err)
{
	int r;

	if (find_process(launcher, id))
		return vgpu_err_set(err, -EEXIST, NULL,
				    "its render process is another's");
	r = add_process(launcher, process, VGPU_LAUNCH_ADOPT, id, err);
	if (r < 0)
		return r;
	process->is_told = true;
	while (!process->is_started && !process->is_ended && wait_long(launcher))
		;
	if (process->is_started && !process->is_ended)
		return 0;
	r = process->is_ended ? vgpu_err_set(err, -ESRCH, NULL,
					     "its render process has ended")
			      : vgpu_err_set(err, -ETIMEDOUT, NULL,
					     "vgpu-launch does not answer");
	vgpu_launched_forget(process);
	return r;
}

void vgpu_launcher_end_others(struct vgpu_launcher *launcher)
{
	const struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_END_OTHERS,
	};

	send_request(launcher, &request, -1);
}

/*
 * What is kept must be on its way before the state says that it is. Where there
 * is no room for long it is kept too late, and lost if we die before.
 */
static void send_kept(struct vgpu_launcher *launcher, uint32_t type,
		      uint64_t id, int fd)
{
	const struct vgpu_launch_request request = {.type = type, .id = id};
	int64_t end = now_ms() + get_patience(launcher);

	send_request(launcher, &request, fd);
	while (!STAILQ_EMPTY(&launcher->waiting) && !launcher->is_gone) {
		struct pollfd poll_fd = {.fd = launcher->fd, .events = POLLOUT};
		int64_t left = end - now_ms();

		if (left <= 0)
			break;
		poll(&poll_fd, 1, (int)left);
		send_waiting(launcher);
	}
}

void vgpu_launched_keep_file(struct vgpu_launched *process, int fd)
{
	if (process->launcher)
		send_kept(process->launcher, VGPU_LAUNCH_KEEP_FILE, process->id,
			  fd);
}

void vgpu_launcher_keep(struct vgpu_launcher *launcher, uint32_t number, int fd)
{
	if (launcher)
		send_kept(launcher, VGPU_LAUNCH_KEEP, number, fd);
}

void vgpu_launcher_drop(struct vgpu_launcher *launcher, uint32_t number)
{
	const struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_DROP,
		.id = number,
	};

	if (launcher)
		send_request(launcher, &request, -1);
}

void vgpu_launcher_fetch(struct vgpu_launcher *launcher, const uint32_t *number,
			 int *ret_fd, size_t n)
{
	struct vgpu_launch_request request = {.type = VGPU_LAUNCH_FETCH};
	size_t asked = 0;

	for (size_t i = 0; i < n; i++)
		ret_fd[i] = -1;
	if (!launcher)
		return;
	launcher->fetch = (struct fetch){number, ret_fd, n, 0};
	do {
		while (asked < n && asked < launcher->fetch.n_done + FETCHES_MAX) {
			request.id = number[asked++];
			send_request(launcher, &request, -1);
		}
	} while (launcher->fetch.n_done < n && wait_long(launcher));
	launcher->fetch = (struct fetch){};
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
		send_request(process->launcher, &request, -1);
}

void vgpu_launcher_sync(struct vgpu_launcher *launcher,
			struct vgpu_launcher_sync *sync)
{
	struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_SYNC,
		.id = ++launcher->last_id,
	};

	vgpu_launcher_sync_forget(sync);
	sync->launcher = launcher;
	sync->id = request.id;
	sync->is_done = false;
	TAILQ_INSERT_TAIL(&launcher->syncs, sync, entry);
	send_request(launcher, &request, -1);
	expect_answer(launcher);
}

bool vgpu_launcher_sync_wait(struct vgpu_launcher_sync *sync)
{
	if (!wait_for(sync->launcher, &sync->is_done))
		return false;
	vgpu_launcher_sync_forget(sync);
	return true;
}

void vgpu_launcher_sync_forget(struct vgpu_launcher_sync *sync)
{
	if (sync->launcher)
		TAILQ_REMOVE(&sync->launcher->syncs, sync, entry);
	sync->launcher = NULL;
}

void vgpu_launched_kill(struct vgpu_launched *process)
{
	const struct vgpu_launch_request request = {
		.type = VGPU_LAUNCH_KILL,
		.id = process->id,
	};

	if (process->launcher && !process->is_ended)
		send_request(process->launcher, &request, -1);
}

bool vgpu_launched_wait(struct vgpu_launched *process)
{
	return !process->launcher ||
	       wait_for(process->launcher, &process->is_ended);
}

void vgpu_launched_forget(struct vgpu_launched *process)
{
	if (process->launcher)
		remove_process(process->launcher, process);
	close_fds(process);
}
