/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One guest context's render process: its life, and what it says. */
#include "internal.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "device/render/host_memory.h"
#include "device/render/launcher.h"
#include "lib/util.h"
#include "sandbox/report.h"

/* Opening a driver takes long where it is compiled with sanitizers. */
#define READY_US (60 * 1000 * 1000ULL)
/* How long a process that says goodbye may take to go. */
#define GRACE_US (1000 * 1000ULL)
/* Packets handled before others have their turn. */
#define TURN 64
/* Devices that may die while they handle one message of a process. */
#define DEATHS_MAX 3
/* Nobody gets there by counting. */
#define SEQ_MAX (1ULL << 62)

static void commit(uint64_t *word, uint64_t value)
{
	__atomic_store_n(word, value, __ATOMIC_RELEASE);
	__atomic_signal_fence(__ATOMIC_SEQ_CST);
}

static void kill_process(struct vgpu_render *render)
{
	render->is_killed = true;
	vgpu_launched_kill(&render->process);
}

/* The first reason counts. */
__attribute__((format(printf, 2, 0))) static void
set_why(struct vgpu_render *render, const char *fmt, va_list args)
{
	char text[VGPU_ERR_TEXT_MAX];

	if (render->why.status)
		return;
	vsnprintf(text, sizeof(text), fmt, args);
	vgpu_err_set(&render->why, -ECONNRESET, NULL, "%s", text);
}

static bool stop(struct vgpu_render *render)
{
	if (render->state != RUNNING)
		return false;
	render->state = ENDING;
	sd_event_source_set_enabled(render->on_command, SD_EVENT_OFF);
	sd_event_source_set_enabled(render->on_memory, SD_EVENT_OFF);
	sd_event_source_set_enabled(render->on_late, SD_EVENT_OFF);
	return true;
}

/* A rule is broken. on_process_exit() goes on from here. */
void vgpu_render_end(struct vgpu_render *render, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_why(render, fmt, args);
	va_end(args);
	if (stop(render))
		kill_process(render);
}

/* It says or shows that it is ending. Its exit status tells more. */
static void let_end(struct vgpu_render *render)
{
	if (!stop(render))
		return;
	if (sd_event_source_set_time_relative(render->on_late, GRACE_US) < 0 ||
	    sd_event_source_set_enabled(render->on_late, SD_EVENT_ONESHOT) < 0)
		kill_process(render);
}

static void update_events(struct vgpu_render *render)
{
	bool wants_room = render->waits_for_socket ||
			  vgpu_render_outbox_wants_room(&render->outbox);

	if (render->on_command)
		sd_event_source_set_io_events(
			render->on_command,
			EPOLLIN | (wants_room ? EPOLLOUT : 0));
}

int vgpu_render_sent(struct vgpu_render *render, int r)
{
	if (r == -EPIPE)
		let_end(render);
	else if (r == -ENOBUFS)
		vgpu_render_end(
			render,
			"the guest sends much more than its context takes");
	else if (r < 0)
		vgpu_render_end(render, "cannot talk to the render process: %s",
				strerror(-r));
	else
		update_events(render);
	return r == 0 || r == -ENOBUFS || r == -EPIPE ? r : -ENOBUFS;
}

/* Which a successor, too, must give to no other message. */
static uint64_t next_seq(struct vgpu_render *render)
{
	uint64_t seq = render->kept->seq + 1;

	commit(&render->kept->seq, seq);
	return seq;
}

int vgpu_render_put(struct vgpu_render *render,
		    const struct vgpu_render_parcel *parcel)
{
	struct vgpu_render_parcel numbered = *parcel;

	if (render->state != RUNNING) {
		vgpu_close(parcel->own_fd);
		return -EPIPE;
	}
	numbered.message.seq = next_seq(render);
	numbered.is_ours = true;
	return vgpu_render_sent(
		render, vgpu_render_outbox_put(&render->outbox, &numbered));
}

int vgpu_render_may_tell(struct vgpu_render *render)
{
	if (render->state != RUNNING)
		return -EPIPE;
	if (!render->has_successor ||
	    (!render->is_resuming && !render->outbox.is_held &&
	     STAILQ_EMPTY(&render->outbox.packets)))
		return 0;
	render->wants_room = true;
	return -EAGAIN;
}

int vgpu_render_tell(struct vgpu_render *render,
		     const struct vgpu_render_parcel *parcel, uint64_t *token)
{
	struct vgpu_render_parcel numbered = *parcel;
	uint64_t seq;
	int r = vgpu_render_may_tell(render);

	if (r < 0) {
		vgpu_close(parcel->own_fd);
		return r;
	}
	seq = next_seq(render);
	numbered.message.seq = seq;
	if (numbered.message.type == VGPU_RENDER_FENCE ||
	    numbered.message.flags & VGPU_RENDER_FLAG_FENCE)
		numbered.message.id = seq;
	if (!render->has_successor)
		return vgpu_render_sent(
			render,
			vgpu_render_outbox_put(&render->outbox, &numbered));
	/* If we die here, RESUMED says whether it was sent. */
	if (token)
		commit(token, seq);
	r = vgpu_render_outbox_try(&render->outbox, &numbered);
	if (r < 0 && token)
		commit(token, 0);
	if (r != -EAGAIN)
		return vgpu_render_sent(render, r);
	render->wants_room = render->waits_for_socket = true;
	update_events(render);
	return r;
}

/* Something that stood in the way of the guest's messages does no more. */
static void give_room(struct vgpu_render *render)
{
	if (!render->wants_room || vgpu_render_may_tell(render) < 0)
		return;
	render->wants_room = false;
	render->ops->room(render->opaque);
}

/*
 * From here on it has more than another process could be given: a context has
 * it, it knows that, and is ready.
 */
static void note_ready(struct vgpu_render *render)
{
	if (render->has_successor && render->is_ready &&
	    !render->kept->is_ready && STAILQ_EMPTY(&render->outbox.packets))
		__atomic_store_n(&render->kept->is_ready, 1, __ATOMIC_RELEASE);
}

static void flush(struct vgpu_render *render)
{
	if (render->state != RUNNING)
		return;
	vgpu_render_sent(render, vgpu_render_outbox_flush(&render->outbox));
	note_ready(render);
	if (!render->waits_for_socket)
		give_room(render);
}

static void on_fatal(struct vgpu_render *render, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
static void on_fatal(struct vgpu_render *render, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	set_why(render, fmt, args);
	va_end(args);
	let_end(render);
}

static void become_started(struct vgpu_render *render)
{
	if (render->is_started)
		return;
	render->is_started = true;
	if (render->ops->started)
		render->ops->started(render->opaque);
}

static void become_ready(struct vgpu_render *render)
{
	vgpu_render_spare_ready(render->config.spare, &render->config);
	render->ops->ready(render->opaque);
}

/* What the kernel does not give one it gives none: it is said once. */
static void report_sandbox(const struct vgpu_render *render, uint32_t refused)
{
	const struct vgpu_sandbox_report report = {.refused = refused};
	static uint32_t said;
	char text[VGPU_ERR_TEXT_MAX];

	if (!(refused & ~said) ||
	    !vgpu_sandbox_report_text(&report, text, sizeof(text)))
		return;
	said |= refused;
	if (render->config.lacks)
		render->config.lacks(render->config.lacks_opaque, text);
	else
		fprintf(stderr,
			"vgpu-device %s: the render process is shut in less:"
			" %s\n",
			render->config.name, text);
}

/* The first message. Returns whether it makes sense. */
static bool receive_ready(struct vgpu_render *render,
			  const struct vgpu_render_message *message,
			  const int *files, unsigned int n_files)
{
	render->is_ready = true;
	render->kept->fixed_bytes = message->bytes;
	for (unsigned int i = 0; i < n_files; i++)
		vgpu_launched_keep_file(&render->process, files[i]);
	vgpu_host_memory_ready(&render->host, message->bytes, files, n_files);
	note_ready(render);
	report_sandbox(render, message->n);
	/* The launcher's word may be late. */
	become_started(render);
	sd_event_source_set_enabled(render->on_late, SD_EVENT_OFF);
	become_ready(render);
	return true;
}

/* Returns whether it makes sense. */
static bool handle_resumed(struct vgpu_render *render,
			   const struct vgpu_render_message *message)
{
	/* What a predecessor asked. */
	if (message->id < render->resume_seq)
		return true;
	if (!render->is_resuming || message->id != render->resume_seq ||
	    message->offset >= render->resume_seq)
		return false;
	render->is_resuming = false;
	render->received_seq = message->offset;
	vgpu_render_owe_until(render, render->received_seq);
	render->wants_room = true;
	render->ops->resumed(render->opaque);
	return true;
}

/* Returns whether it makes sense. */
static bool handle(struct vgpu_render *render,
		   const struct vgpu_render_message *message, const char *body,
		   size_t body_bytes)
{
	if (message->type == VGPU_RENDER_FATAL) {
		if (!body_bytes || message->bytes != body_bytes)
			return false;
		if (!render->why.status && message->n < VGPU_LOSS_MAX)
			render->loss = message->n;
		on_fatal(render, "%.*s", (int)body_bytes, body);
		return true;
	}
	if (body_bytes)
		return false;
	switch (message->type) {
	case VGPU_RENDER_EXPORTED:
		return vgpu_render_settle_export(render, message);
	case VGPU_RENDER_FENCE_DONE:
		return vgpu_render_settle_fence(render, message);
	case VGPU_RENDER_RING:
		return vgpu_render_note_ring(render, message);
	case VGPU_RENDER_TAKEN:
		return vgpu_render_settle_bulk(render, message);
	case VGPU_RENDER_RESUMED:
		return handle_resumed(render, message);
	default:
		return false;
	}
}

struct packet {
	struct vgpu_render_message message;
	char body[VGPU_RENDER_TEXT_MAX];
};

/* READY, or the end. Returns whether it makes sense. */
static bool receive_first(struct vgpu_render *render, ssize_t *ret_n)
{
	int files[VGPU_RENDER_FILES_MAX];
	unsigned int n_files = 0;
	struct packet packet;
	bool makes_sense;
	ssize_t n;

	/* Before it is ready no guest has a say in what it sends. */
	n = vgpu_render_receive_files(render->command, &packet, sizeof(packet),
				      files, &n_files);
	*ret_n = n;
	if (n <= 0)
		return n == 0 || n == -EAGAIN;
	if (n == sizeof(packet.message) &&
	    packet.message.type == VGPU_RENDER_READY)
		return receive_ready(render, &packet.message, files, n_files);
	makes_sense = n >= (ssize_t)sizeof(packet.message) && !n_files &&
		      handle(render, &packet.message, packet.body,
			     (size_t)n - sizeof(packet.message));
	while (n_files)
		vgpu_close(files[--n_files]);
	return makes_sense;
}

static void begin_handling(struct vgpu_render *render)
{
	if (render->has_successor)
		__atomic_store_n(&render->kept->is_handling, 1, __ATOMIC_RELEASE);
}

static void end_handling(struct vgpu_render *render)
{
	if (!render->has_successor)
		return;
	render->kept->deaths = 0;
	__atomic_store_n(&render->kept->is_handling, 0, __ATOMIC_RELEASE);
}

/*
 * What it says stays in the socket until all that follows from it is done, for
 * a successor. Returns whether it makes sense.
 */
static bool receive_next(struct vgpu_render *render, ssize_t *ret_n)
{
	struct packet packet;
	bool makes_sense;
	ssize_t n;

	n = vgpu_render_peek(render->command, &packet, sizeof(packet));
	*ret_n = n;
	if (n == 0 || n == -EAGAIN)
		return true;
	if (n < (ssize_t)sizeof(packet.message))
		return false;
	begin_handling(render);
	makes_sense = handle(render, &packet.message, packet.body,
			     (size_t)n - sizeof(packet.message));
	vgpu_render_take_packet(render->command);
	end_handling(render);
	return makes_sense;
}

/* Returns whether there was a packet. */
static bool receive(struct vgpu_render *render)
{
	ssize_t n = 0;
	bool makes_sense = render->is_ready ? receive_next(render, &n)
					    : receive_first(render, &n);

	if (n == -EAGAIN)
		return false;
	if (n == 0) {
		let_end(render);
		return false;
	}
	if (!makes_sense) {
		vgpu_render_end(render,
				"the render process says what makes no sense");
		return false;
	}
	return true;
}

static int on_command(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_render *render = opaque;

	for (int i = 0; i < TURN && render->state == RUNNING; i++)
		if (!receive(render))
			break;
	if (revents & EPOLLOUT)
		render->waits_for_socket = false;
	flush(render);
	return 0;
}

static int on_memory(sd_event_source *source, int fd, uint32_t revents,
		     void *opaque)
{
	struct vgpu_render *render = opaque;
	struct vgpu_err err = {};
	int r;

	begin_handling(render);
	r = vgpu_render_answer(render, &err);
	end_handling(render);
	if (r == 0)
		let_end(render);
	else if (r < 0 && r != -EAGAIN)
		vgpu_render_end(render, "%s", err.text);
	else if (render->is_answer_held)
		sd_event_source_set_enabled(source, SD_EVENT_OFF);
	return 0;
}

void vgpu_render_release(struct vgpu_render *render)
{
	struct vgpu_err err = {};
	int r;

	render->outbox.is_held = vgpu_host_memory_is_raising(&render->host);
	if (render->state != RUNNING)
		return;
	flush(render);
	r = vgpu_render_answer_held(render, &err);
	if (r == 0)
		let_end(render);
	else if (r < 0)
		vgpu_render_end(render, "%s", err.text);
	else if (render->state == RUNNING && !render->is_answer_held)
		sd_event_source_set_enabled(render->on_memory, SD_EVENT_ON);
}

/* It may map what it has been given. */
static void on_raised(void *opaque)
{
	vgpu_render_release(opaque);
}

static int on_late(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_render *render = opaque;

	if (render->state == RUNNING)
		vgpu_render_end(render, "the render process does not get ready");
	else
		kill_process(render);
	return 0;
}

static void say_how_it_ended(struct vgpu_render *render)
{
	const struct vgpu_launched *process = &render->process;
	bool is_signal = process->code != CLD_EXITED;
	int number = process->status;
	const char *name;

	if (process->call >= 0) {
		char call[VGPU_LAUNCH_CALL_MAX];

		/* Whatever it said to hide that. */
		render->loss = VGPU_LOSS_FORBIDDEN_CALL;
		vgpu_launch_name_call(process->call, call);
		vgpu_err_set(&render->why, -ECONNRESET, NULL,
			     "the render process made a forbidden system call: %s",
			     call);
		return;
	}
	if (!render->why.status)
		render->why = process->why;
	if (render->why.status)
		return;
	if (!is_signal && number == VGPU_RENDER_EXIT_ABORT) {
		is_signal = true;
		number = SIGABRT;
	}
	name = sigdescr_np(number);
	if (!is_signal)
		vgpu_err_set(&render->why, -ECONNRESET, NULL,
			     number == 127
				     ? "the render process cannot be executed"
				     : "the render process ended by itself"
				       " (status %d)",
			     number);
	else if (render->is_killed)
		vgpu_err_set(&render->why, -ECONNRESET, NULL,
			     "the render process closed its socket");
	else if (number == SIGSYS) {
		render->loss = VGPU_LOSS_FORBIDDEN_CALL;
		vgpu_err_set(&render->why, -ECONNRESET, NULL,
			     "the render process made a forbidden system call;"
			     " the kernel's log has its number (type=1326)");
	} else {
		render->loss = VGPU_LOSS_SIGNAL;
		vgpu_err_set(&render->why, -ECONNRESET, NULL,
			     "the render process died of signal %d%s%s%s",
			     number, name ? ", " : "", name ? name : "",
			     vgpu_host_memory_was_short(&render->host)
				     ? ", with its host memory used up"
				     : "");
	}
}

enum vgpu_loss vgpu_render_loss(const struct vgpu_render *render)
{
	return render ? render->loss : VGPU_LOSS_OTHER;
}

const char *vgpu_render_last_words(struct vgpu_render *render)
{
	struct packet packet;
	ssize_t n = 0;

	if (!render || render->state == LOST || render->is_killed)
		return NULL;
	while (!render->why.status && render->command >= 0) {
		n = recv(render->command, &packet, sizeof(packet), MSG_DONTWAIT);
		if (n <= 0)
			break;
		if (n >= (ssize_t)sizeof(packet.message) &&
		    packet.message.type == VGPU_RENDER_FATAL)
			handle(render, &packet.message, packet.body,
			       (size_t)n - sizeof(packet.message));
	}
	return render->why.status ? render->why.text : NULL;
}

static void become_lost(struct vgpu_render *render)
{
	render->state = LOST;
	render->on_command = sd_event_source_disable_unref(render->on_command);
	render->on_memory = sd_event_source_disable_unref(render->on_memory);
	render->on_late = sd_event_source_disable_unref(render->on_late);
	vgpu_render_answer_forget(render);
	vgpu_render_outbox_finish(&render->outbox);
	vgpu_render_owe_nothing(render);
	vgpu_host_memory_leave(&render->host);
}

static void on_process_exit(void *opaque)
{
	struct vgpu_render *render = opaque;

	/* Its last words, if its own doing does not say it all already. */
	while (render->command >= 0 && !render->why.status && receive(render))
		;
	say_how_it_ended(render);
	if (render->loss == VGPU_LOSS_DEVICE)
		vgpu_render_spare_drop(render->config.spare, render);
	become_lost(render);
	vgpu_render_fail_rings(render);
	render->ops->lost(render->opaque, render->why.text);
}

/* Take its sockets. Whoever listens to COMMAND enables that. */
static int add_sources(struct vgpu_render *render)
{
	int r;

	render->command = vgpu_steal_fd(&render->process.command);
	render->memory = vgpu_steal_fd(&render->process.memory);
	render->outbox.socket = render->command;
	r = sd_event_add_io(render->config.event, &render->on_command,
			    render->command, EPOLLIN, on_command, render);
	if (r >= 0)
		r = sd_event_source_set_enabled(render->on_command, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_io(render->config.event, &render->on_memory,
				    render->memory, EPOLLIN, on_memory, render);
	return r;
}

static void on_process_start(void *opaque)
{
	struct vgpu_render *render = opaque;
	int r;

	if (render->state != RUNNING)
		return;
	report_sandbox(render, render->process.refused);
	r = add_sources(render);
	if (r >= 0)
		r = sd_event_source_set_enabled(render->on_command, SD_EVENT_ON);
	if (r < 0)
		vgpu_render_end(render, "no event source: %s", strerror(-r));
	flush(render);
	become_started(render);
}

static int start_process(struct vgpu_render *render, struct vgpu_err *err)
{
	int r;

	vgpu_render_outbox_init(&render->outbox, /* socket= */ -1,
				render->config.host_memory);
	render->process.started = on_process_start;
	render->process.ended = on_process_exit;
	render->process.opaque = render;
	r = vgpu_launcher_start(render->config.launcher, &render->process, err);
	if (r < 0)
		return r;
	render->kept->process = render->process.id;
	vgpu_host_memory_started(&render->host, &render->process, on_raised,
				 render);
	r = sd_event_add_time_relative(render->config.event, &render->on_late,
				       CLOCK_MONOTONIC, READY_US, 0, on_late,
				       render);
	return r < 0 ? vgpu_err_set(err, r, NULL, "no event source: %s",
				    strerror(-r))
		     : 0;
}

static int send_start(struct vgpu_render *render, bool is_spare,
		      uint64_t host_bytes)
{
	const struct vgpu_render_config *config = &render->config;
	uint32_t flags = is_spare ? VGPU_RENDER_FLAG_SPARE : 0;
	bool is_software = vgpu_render_is_software(config->gpu_uuid);

	if (is_software)
		flags |= VGPU_RENDER_FLAG_SOFTWARE;
	return vgpu_render_put(
		render, &(struct vgpu_render_parcel){
				.message = {.type = VGPU_RENDER_START,
					    .bytes = config->framebuffer_bytes,
					    .offset = host_bytes,
					    .n = config->wire,
					    .flags = flags},
				.body = config->gpu_uuid,
				.body_bytes = sizeof(config->gpu_uuid),
				.fds = &config->gpu_time,
				.n_fds = is_software ? 0 : 1,
				.own_fd = -1,
			});
}

static struct vgpu_render *make(const struct vgpu_render_config *config,
				struct vgpu_render_state *state,
				const struct vgpu_render_ops *ops, void *opaque)
{
	struct vgpu_render *render = malloc(sizeof(*render));

	if (!render)
		return NULL;
	*render = (struct vgpu_render){
		.config = *config,
		.ops = ops,
		.opaque = opaque,
		.command = -1,
		.memory = -1,
		.process = {.command = -1, .memory = -1, .statm = -1},
		.answer_fd = -1,
		.has_successor = state,
	};
	render->kept = state ? state : &render->own;
	/* A context's own; see vgpu_render_create(). */
	render->config.spare = NULL;
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		TAILQ_INIT(&render->fences[i]);
	STAILQ_INIT(&render->exports);
	STAILQ_INIT(&render->bulks);
	vgpu_render_outbox_init(&render->outbox, -1, NULL);
	return render;
}

int vgpu_render_start(const struct vgpu_render_config *config, bool is_spare,
		      struct vgpu_render_state *state,
		      const struct vgpu_render_ops *ops, void *opaque,
		      struct vgpu_render **ret_render, struct vgpu_err *err)
{
	struct vgpu_render *render = make(config, state, ops, opaque);
	uint64_t host_bytes = 0;
	int r;

	if (!render)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	if (state)
		*state = (struct vgpu_render_state){};
	r = vgpu_host_memory_join(config->host_memory, &render->host, is_spare,
				  &host_bytes);
	if (r < 0) {
		vgpu_err_set(err, r, NULL,
			     "the vGPU's other contexts have its host memory");
	} else {
		vgpu_host_memory_keep(&render->host, render->kept->granted);
		r = start_process(render, err);
	}
	if (r < 0) {
		vgpu_render_destroy(render);
		return r;
	}
	/* If this fails, lost() comes and says why. */
	send_start(render, is_spare, host_bytes);
	*ret_render = render;
	return 0;
}

/* @render is a spare one no more. */
static void take(struct vgpu_render *render, uint32_t wire,
		 struct vgpu_render_state *state,
		 const struct vgpu_render_ops *ops, void *opaque)
{
	render->ops = ops;
	render->opaque = opaque;
	if (state) {
		*state = render->own;
		render->kept = state;
		render->has_successor = true;
		vgpu_host_memory_keep(&render->host, state->granted);
	}
	/* If this fails, lost() comes and says why. */
	vgpu_render_put(render,
			&(struct vgpu_render_parcel){
				.message = {.type = VGPU_RENDER_TAKE, .n = wire},
				.own_fd = -1,
			});
	note_ready(render);
}

int vgpu_render_create(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	struct vgpu_render *render = vgpu_render_spare_take(config->spare);
	int r;

	if (render) {
		take(render, config->wire, state, ops, opaque);
	} else {
		r = vgpu_render_start(config, /* is_spare= */ false, state, ops,
				      opaque, &render, err);
		if (!render)
			return r;
	}
	render->config.spare = config->spare;
	vgpu_render_spare_used(config->spare);
	*ret_render = render;
	if (render->is_started && ops->started)
		ops->started(opaque);
	if (render->is_ready)
		become_ready(render);
	return 0;
}

/* What a predecessor left can be anything. */
static int check(struct vgpu_render_state *state, struct vgpu_err *err)
{
	state->deaths += state->is_handling ? 1 : 0;
	state->is_handling = 0;
	if (state->deaths >= DEATHS_MAX)
		return vgpu_err_set(err, -EPROTO, NULL,
				    "what its render process says has ended %u"
				    " devices",
				    state->deaths);
	if (state->seq > SEQ_MAX)
		return vgpu_err_set(err, -EBADMSG, NULL,
				    "the state says what cannot be of it");
	return 0;
}

static int adopt_process(struct vgpu_render *render, struct vgpu_err *err)
{
	struct vgpu_launched *process = &render->process;
	unsigned int n_files;
	int r;

	process->started = on_process_start;
	process->ended = on_process_exit;
	process->opaque = render;
	r = vgpu_launcher_adopt(render->config.launcher, process,
				render->kept->process, err);
	if (r < 0)
		return r;
	n_files = process->n_files;
	process->n_files = 0;
	if (vgpu_host_memory_resume(render->config.host_memory, &render->host,
				    process, render->kept->fixed_bytes,
				    render->kept->granted, process->file,
				    n_files, on_raised, render) < 0)
		return vgpu_err_set(err, -EBADMSG, NULL,
				    "the state says that it has more memory of"
				    " the host's than it can have");
	r = add_sources(render);
	if (r >= 0)
		r = sd_event_add_time(render->config.event, &render->on_late,
				      CLOCK_MONOTONIC, 0, 0, on_late, render);
	if (r >= 0)
		r = sd_event_source_set_enabled(render->on_late, SD_EVENT_OFF);
	return r < 0 ? vgpu_err_set(err, r, NULL, "no event source: %s",
				    strerror(-r))
		     : 0;
}

int vgpu_render_resume(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	struct vgpu_render *render = make(config, state, ops, opaque);
	int r;

	if (!render)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	vgpu_render_outbox_init(&render->outbox, -1, config->host_memory);
	render->is_started = render->is_ready = true;
	render->is_resuming = render->is_question_new = true;
	r = check(state, err);
	if (r == 0)
		r = adopt_process(render, err);
	if (r < 0) {
		vgpu_render_destroy(render);
		return r;
	}
	render->config.spare = config->spare;
	vgpu_render_spare_used(config->spare);
	vgpu_render_spare_ready(config->spare, &render->config);
	*ret_render = render;
	return 0;
}

static void ignore_end(void *opaque)
{
}

bool vgpu_render_end_process(const struct vgpu_render_config *config,
			     uint64_t process)
{
	struct vgpu_launched launched = {.ended = ignore_end};
	struct vgpu_err err = {};
	bool is_ended;
	int r = vgpu_launcher_adopt(config->launcher, &launched, process, &err);

	if (r < 0)
		return r == -ESRCH;
	vgpu_launched_kill(&launched);
	is_ended = vgpu_launched_wait(&launched);
	vgpu_launched_forget(&launched);
	return is_ended;
}

void vgpu_render_resume_told(struct vgpu_render *render,
			     const struct vgpu_render_told *told)
{
	vgpu_host_memory_resume_told(&render->host, told->shared_bytes,
				     told->attached_bytes, told->memory_bytes);
}

int vgpu_render_expect_fence(struct vgpu_render *render,
			     const struct vgpu_render_fence *fence,
			     uint64_t token)
{
	return vgpu_render_owe_fence(render, fence, token);
}

int vgpu_render_expect_export(struct vgpu_render *render, uint32_t resource_id,
			      uint64_t bytes, uint64_t token)
{
	return vgpu_render_owe_export(render, resource_id, bytes, token);
}

void vgpu_render_listen(struct vgpu_render *render)
{
	if (render->state != RUNNING || render->resume_seq)
		return;
	sd_event_source_set_enabled(render->on_command, SD_EVENT_ON);
	render->resume_seq = render->kept->seq + 1;
	/* If this fails, lost() comes and says why. */
	vgpu_render_put(render, &(struct vgpu_render_parcel){
					.message = {.type = VGPU_RENDER_RESUME},
					.own_fd = -1,
				});
}

bool vgpu_render_was_sent(const struct vgpu_render *render, uint64_t token)
{
	if (!token || render->is_resuming)
		return false;
	return token <= render->received_seq ||
	       (token > render->resume_seq && token <= render->kept->seq);
}

/* Returns whether the process has ended. */
static bool end_process(struct vgpu_render *render)
{
	if (render->state == LOST)
		return true;
	kill_process(render);
	return vgpu_launched_wait(&render->process);
}

/* Its process has ended, and its owner wants it no more. */
static void free_all(struct vgpu_render *render)
{
	vgpu_launched_forget(&render->process);
	if (render->state != LOST)
		become_lost(render);
	render->config.memory->free_all(render->config.memory_opaque, render);
	free(render);
}

/* Say nothing more to it, and listen no more. */
static void leave(struct vgpu_render *render)
{
	vgpu_render_outbox_finish(&render->outbox);
	vgpu_render_owe_nothing(render);
	render->on_command = sd_event_source_disable_unref(render->on_command);
	render->on_memory = sd_event_source_disable_unref(render->on_memory);
	render->on_late = sd_event_source_disable_unref(render->on_late);
	render->command = vgpu_close(render->command);
	render->memory = vgpu_close(render->memory);
	vgpu_render_answer_forget(render);
}

static void on_late_exit(void *opaque)
{
	free_all(opaque);
}

void vgpu_render_destroy(struct vgpu_render *render)
{
	bool is_dead;

	if (!render)
		return;
	vgpu_render_spare_unused(render->config.spare);
	is_dead = end_process(render);
	leave(render);
	if (is_dead) {
		free_all(render);
		return;
	}
	/*
	 * What it may still write to is nobody else's: its memory stays taken,
	 * in the name of this context, and no other may get that name.
	 */
	fprintf(stderr,
		"vgpu-device %s: a render process does not end; its memory stays"
		" taken until it does\n",
		render->config.name);
	render->state = ENDING;
	render->process.ended = on_late_exit;
	render->process.left = free;
}
