/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vhost-user back end: one front end at a time, from a listening socket. */
#include "vhost.h"

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "device/state.h"
#include "device/vhost/internal.h"
#include "lib/peer.h"
#include "lib/util.h"

/*
 * How long a front end that stops a queue waits for what is in flight, and how
 * long we wait for the rest of a message.
 */
#define DEADLINE_US (5 * 1000 * 1000ULL)
/* Retry interval while the back-end channel is full. */
#define CONFIG_RETRY_US (20 * 1000ULL)

/* Disconnect the front end, and reset for the next one. */
static void detach_front_end(struct vgpu_vhost *vhost)
{
	struct vgpu_state *state = vhost->state;

	/* From here on a successor does the same. */
	vgpu_state_commit(state->is_connected, 0U);
	vhost->connection = sd_event_source_disable_unref(vhost->connection);
	sd_event_source_set_enabled(vhost->step, SD_EVENT_OFF);
	sd_event_source_set_enabled(vhost->deadline, SD_EVENT_OFF);
	sd_event_source_set_enabled(vhost->config_retry, SD_EVENT_OFF);
	vgpu_vhost_close_channel(vhost);
	vgpu_vhost_close_console(vhost);

	vgpu_virtio_reset(vhost->virtio);
	vgpu_virtio_set_features(vhost->virtio, 0);
	vgpu_vhost_forget_memory(vhost);
	vgpu_vhost_forget_message(vhost);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		state->queue[i].num = 0;
		state->queue[i].is_addressed = 0;
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_KICK + i);
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_CALL + i);
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_ERROR + i);
	}
	vgpu_virtio_resolve(vhost->virtio);
	state->features = 0;
	state->protocol_features = 0;
	state->has_config_changed = 0;
	state->is_request_begun = 0;
	vgpu_slots_drop(vhost->slots, VGPU_SLOT_BACKEND_REQ);
	vgpu_slots_drop(vhost->slots, VGPU_SLOT_FRONTEND);
}

/* Disconnect the front end because of error @r. */
static void give_up(struct vgpu_vhost *vhost, int r)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	if (r != -ECONNRESET) {
		snprintf(text, sizeof(text), "vhost-user: %.180s",
			 r == -EPROTO ? vhost->fault : strerror(-r));
		vhost->events->fault(vhost->opaque, text);
		vgpu_vhost_hold(vhost);
	}
	detach_front_end(vhost);
	vhost->events->link_changed(vhost->opaque);
}

/* Whether the rest of a message is still to come. */
static bool has_half(const struct vgpu_vhost *vhost)
{
	return vhost->state->message.phase == VGPU_MESSAGE_GATHERING;
}

static void step_connection(struct vgpu_vhost *vhost)
{
	bool was_blocked = vhost->is_blocked;
	int r = vgpu_vhost_step(vhost);

	/* Nobody is there who would hear the answer. */
	if (r >= 0 && vhost->is_waiting && vhost->has_hung_up)
		r = -ECONNRESET;
	if (r < 0) {
		give_up(vhost, r);
		return;
	}
	if ((vhost->is_waiting || has_half(vhost)) &&
	    sd_event_source_get_enabled(vhost->deadline, NULL) == 0) {
		sd_event_source_set_time_relative(vhost->deadline, DEADLINE_US);
		sd_event_source_set_enabled(vhost->deadline, SD_EVENT_ONESHOT);
	}
	/* This looks for an edge again, so never without need. */
	if (vhost->is_blocked != was_blocked)
		sd_event_source_set_io_events(
			vhost->connection,
			EPOLLIN | EPOLLRDHUP | EPOLLET |
				(vhost->is_blocked ? EPOLLOUT : 0));
}

static int on_message(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	/*
	 * Edge-triggered, or half a message would keep us busy. Whoever hangs
	 * up can send no more: half a message will never be whole.
	 */
	if (revents & (EPOLLHUP | EPOLLRDHUP | EPOLLERR))
		vhost->has_hung_up = true;
	step_connection(vhost);
	return 0;
}

static int on_step(sd_event_source *source, void *opaque)
{
	step_connection(opaque);
	return 0;
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	if (has_half(vhost))
		give_up(vhost, vgpu_vhost_violation(
				       vhost, "half a message, and no more"));
	if (!vhost->is_waiting)
		return 0;
	vhost->events->fault(vhost->opaque,
			     "requests in flight were given up: their queue was"
			     " to stop");
	vgpu_virtio_abandon(vhost->virtio, vhost->draining);
	step_connection(vhost);
	return 0;
}

static int attach_front_end(struct vgpu_vhost *vhost)
{
	int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND);

	vhost->has_hung_up = false;
	return sd_event_add_io(vhost->event, &vhost->connection, fd,
			       EPOLLIN | EPOLLRDHUP | EPOLLET, on_message, vhost);
}

int vgpu_vhost_attach(struct vgpu_vhost *vhost, int fd)
{
	int r;

	vgpu_slots_put(vhost->slots, VGPU_SLOT_FRONTEND, fd);
	r = attach_front_end(vhost);
	if (r < 0) {
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_FRONTEND);
		return r;
	}
	vgpu_state_note_file(&vhost->state->frontend, fd);
	vgpu_state_commit(vhost->state->is_connected, 1U);
	vhost->events->link_changed(vhost->opaque);
	return 0;
}

static bool poll_front_end(const struct vgpu_vhost *vhost, short events)
{
	struct pollfd poll_fd = {
		.fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND),
		.events = events,
	};

	return poll(&poll_fd, 1, 0) > 0;
}

static bool has_peer_gone(const struct vgpu_vhost *vhost)
{
	return poll_front_end(vhost, POLLRDHUP);
}

static void refuse_second(struct vgpu_vhost *vhost, int connection)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	snprintf(text, sizeof(text),
		 "vhost-user: a second virtual machine, of process %d, is sent away: that of process %d has the vGPU",
		 vgpu_peer_pid(connection), vgpu_vhost_peer_pid(vhost));
	vgpu_close(connection);
	vhost->events->fault(vhost->opaque, text);
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_vhost *vhost = opaque;
	int connection = accept4(fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

	if (connection < 0)
		return 0;
	/*
	 * A machine may start at the moment when the previous one has just
	 * ended.
	 */
	if (vgpu_vhost_is_attached(vhost) && has_peer_gone(vhost)) {
		detach_front_end(vhost);
		vhost->events->link_changed(vhost->opaque);
	}
	if (vgpu_vhost_is_attached(vhost)) {
		refuse_second(vhost, connection);
	} else if (vgpu_vhost_is_held_from(vhost, connection)) {
		vgpu_close(connection);
		vhost->events->fault(
			vhost->opaque,
			"vhost-user: refused, for the VM that was cut off still has the vGPU's memory: shut it down");
	} else if (vgpu_vhost_attach(vhost, connection) < 0) {
		vhost->events->fault(vhost->opaque,
				     "vhost-user: a front end cannot be polled");
	}
	return 0;
}

static bool is_running(const struct vgpu_vhost *vhost)
{
	const struct vgpu_state_queue *control = &vhost->state->queue[0];

	return control->is_started && control->is_enabled;
}

/* It may be the one that stops the rings. */
static bool has_message(const struct vgpu_vhost *vhost)
{
	return poll_front_end(vhost, POLLIN);
}

static void on_config_told(void *opaque, int status)
{
	struct vgpu_vhost *vhost = opaque;

	if (status == -ECANCELED)
		vgpu_state_commit(vhost->state->has_config_changed, 1U);
}

static void send_config_changed(struct vgpu_vhost *vhost)
{
	int r;

	if (!vhost->state->has_config_changed || !is_running(vhost))
		return;
	if (!vhost->channel)
		r = 0;
	else if (has_message(vhost))
		r = -EAGAIN;
	else
		r = vgpu_channel_config_changed(vhost->channel, on_config_told,
						vhost);
	if (r == -EAGAIN) {
		sd_event_source_set_time_relative(vhost->config_retry,
						  CONFIG_RETRY_US);
		sd_event_source_set_enabled(vhost->config_retry,
					    SD_EVENT_ONESHOT);
		return;
	}
	vgpu_state_commit(vhost->state->has_config_changed, 0U);
}

static int on_config_retry(sd_event_source *source, uint64_t usec, void *opaque)
{
	send_config_changed(opaque);
	return 0;
}

int vgpu_vhost_open_channel(struct vgpu_vhost *vhost, bool is_resumed)
{
	int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_BACKEND_REQ);
	const uint64_t features = vhost->state->protocol_features;
	bool has_replies = features & 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK;
	bool has_handover =
		has_replies &&
		(features & 1ULL << VHOST_USER_PROTOCOL_F_HOST_NOTIFIER);
	int r;

	/* It may be what a predecessor did not hand over to its end. */
	if (vhost->state->is_request_begun &&
	    (features & 1ULL << VHOST_USER_PROTOCOL_F_CONFIG))
		vgpu_state_commit(vhost->state->has_config_changed, 1U);
	/* Only requests about the window are answered. */
	r = vgpu_channel_create(vhost->event, fd, has_replies,
				is_resumed && vgpu_vhost_has_window(vhost),
				has_handover ? &vhost->state->is_request_begun
					     : NULL,
				&vhost->channel);
	if (r >= 0)
		vgpu_window_set_channel(vhost->window, vhost->channel);
	return r;
}

void vgpu_vhost_follow_rings(struct vgpu_vhost *vhost)
{
	if (!is_running(vhost)) {
		if (vhost->channel)
			vgpu_channel_withdraw(vhost->channel);
		vgpu_window_settle(vhost->window);
		return;
	}
	vgpu_window_resume(vhost->window);
	send_config_changed(vhost);
}

void vgpu_vhost_close_channel(struct vgpu_vhost *vhost)
{
	vgpu_window_set_channel(vhost->window, NULL);
	vgpu_channel_destroy(vhost->channel);
	vhost->channel = NULL;
}

bool vgpu_vhost_has_window(const struct vgpu_vhost *vhost)
{
	const uint64_t needed = 1ULL << VHOST_USER_PROTOCOL_F_SHMEM |
				1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |
				1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
				1ULL << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD;

	return vhost->host_visible_bytes &&
	       (vhost->state->protocol_features & needed) == needed;
}

static void virtio_fault(void *opaque, const char *text)
{
	struct vgpu_vhost *vhost = opaque;

	vhost->events->fault(vhost->opaque, text);
}

static void virtio_config_changed(void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	if (!(vhost->state->protocol_features &
	      1ULL << VHOST_USER_PROTOCOL_F_CONFIG))
		return;
	/* A VMM with a display of its own tells the guest what changes there. */
	if (vgpu_slots_get(vhost->slots, VGPU_SLOT_DISPLAY) >= 0)
		return;
	vgpu_state_commit(vhost->state->has_config_changed, 1U);
	send_config_changed(vhost);
}

static void virtio_status_changed(void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	vhost->events->status_changed(vhost->opaque);
}

static void virtio_drained(void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	/* Defer it: the device model is still running. */
	sd_event_source_set_enabled(vhost->step, SD_EVENT_ONESHOT);
}

static int virtio_window_map(void *opaque, uint64_t cookie,
			     const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_vhost *vhost = opaque;
	int r = -ENOTCONN;

	if (vgpu_vhost_has_window(vhost))
		r = vgpu_window_map(vhost->window, cookie, mapping);
	if (r < 0)
		vhost->events->fault(
			vhost->opaque,
			r == -ENOSPC ? "the window holds as many mappings"
				       " as the VMM can bear"
				     : "the VMM cannot map into the window");
	return r;
}

static int virtio_window_unmap(void *opaque, uint64_t cookie,
			       const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_vhost *vhost = opaque;

	if (!vgpu_vhost_has_window(vhost))
		return -ENOTCONN;
	return vgpu_window_unmap(vhost->window, cookie, mapping);
}

static void virtio_window_resume(void *opaque,
				 const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_vhost *vhost = opaque;

	vgpu_window_count(vhost->window, mapping);
}

static void virtio_window_forget(void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	vgpu_window_forget(vhost->window);
}

static void virtio_console_over(void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	vgpu_slots_drop(vhost->slots, VGPU_SLOT_DISPLAY);
}

int vgpu_vhost_open_console(struct vgpu_vhost *vhost)
{
	struct vgpu_gpu *gpu = vgpu_virtio_gpu(vhost->virtio);

	return gpu ? vgpu_gpu_set_console(gpu, vgpu_slots_get(vhost->slots,
							      VGPU_SLOT_DISPLAY))
		   : 0;
}

void vgpu_vhost_close_console(struct vgpu_vhost *vhost)
{
	struct vgpu_gpu *gpu = vgpu_virtio_gpu(vhost->virtio);

	if (gpu)
		vgpu_gpu_set_console(gpu, -1);
	vgpu_slots_drop(vhost->slots, VGPU_SLOT_DISPLAY);
}

static void window_done(void *opaque, uint64_t cookie, int status)
{
	struct vgpu_vhost *vhost = opaque;

	if (status < 0)
		vhost->events->fault(vhost->opaque,
				     status == -ETIMEDOUT
					     ? "the VMM does not answer about the"
					       " window"
					     : "the VMM refuses a change of the"
					       " window");
	vgpu_gpu_window_done(vgpu_virtio_gpu(vhost->virtio), cookie, status);
}

static bool window_is_running(void *opaque)
{
	return is_running(opaque);
}

static bool window_has_message(void *opaque)
{
	return has_message(opaque);
}

static const struct vgpu_window_ops window_ops = {
	.done = window_done,
	.is_running = window_is_running,
	.has_message = window_has_message,
};

static const struct vgpu_virtio_ops virtio_ops = {
	.fault = virtio_fault,
	.config_changed = virtio_config_changed,
	.status_changed = virtio_status_changed,
	.drained = virtio_drained,
	.window_map = virtio_window_map,
	.window_unmap = virtio_window_unmap,
	.window_resume = virtio_window_resume,
	.window_forget = virtio_window_forget,
	.console_over = virtio_console_over,
};

/* Go on with the front end of a predecessor. */
static int resume_front_end(struct vgpu_vhost *vhost)
{
	int r;

	if (!vgpu_state_is_file(&vhost->state->frontend,
				vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND)))
		return vgpu_vhost_violation(vhost, "its connection is lost");
	if (vhost->state->features & ~(vgpu_virtio_features(vhost->virtio) |
				       1ULL << VHOST_USER_F_PROTOCOL_FEATURES))
		return vgpu_vhost_violation(
			vhost, "features that this program does not have");
	r = vgpu_vhost_map_memory(vhost);
	if (r < 0)
		return r;
	vgpu_virtio_set_features(vhost->virtio, vhost->state->features);
	r = vgpu_vhost_resume_message(vhost);
	if (r < 0)
		return r;
	r = attach_front_end(vhost);
	if (r >= 0 && vgpu_slots_get(vhost->slots, VGPU_SLOT_BACKEND_REQ) >= 0)
		r = vgpu_vhost_open_channel(vhost, /* is_resumed= */ true);
	if (r >= 0)
		r = vgpu_vhost_open_console(vhost);
	if (r < 0)
		return r;
	vgpu_virtio_resume(vhost->virtio);
	/* Resume the message first: it may set up the rings. */
	step_connection(vhost);
	if (!vgpu_vhost_is_attached(vhost))
		return 0;
	vgpu_vhost_follow_rings(vhost);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		vgpu_virtio_run(vhost->virtio, i);
	return 0;
}

static int make_pipe(struct vgpu_vhost *vhost)
{
	int fd[2];

	if (vgpu_slots_get(vhost->slots, VGPU_SLOT_PIPE_READ) >= 0 &&
	    vgpu_slots_get(vhost->slots, VGPU_SLOT_PIPE_WRITE) >= 0)
		return 0;
	if (vhost->state->message.phase != VGPU_MESSAGE_NONE)
		return -EBADMSG;
	if (pipe2(fd, O_NONBLOCK | O_CLOEXEC) < 0)
		return -errno;
	vgpu_slots_put(vhost->slots, VGPU_SLOT_PIPE_READ, fd[0]);
	vgpu_slots_put(vhost->slots, VGPU_SLOT_PIPE_WRITE, fd[1]);
	return 0;
}

static int add_sources(struct vgpu_vhost *vhost)
{
	int listening = vgpu_slots_get(vhost->slots, VGPU_SLOT_LISTEN);
	int r;

	r = sd_event_add_defer(vhost->event, &vhost->step, on_step, vhost);
	if (r >= 0)
		r = sd_event_source_set_enabled(vhost->step, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(vhost->event, &vhost->deadline,
				      CLOCK_MONOTONIC, 0, 0, on_deadline, vhost);
	if (r >= 0)
		r = sd_event_source_set_enabled(vhost->deadline, SD_EVENT_OFF);
	if (r >= 0)
		r = sd_event_add_time(vhost->event, &vhost->config_retry,
				      CLOCK_MONOTONIC, 0, 0, on_config_retry,
				      vhost);
	if (r >= 0)
		r = sd_event_source_set_enabled(vhost->config_retry,
						SD_EVENT_OFF);
	if (r >= 0 && listening >= 0)
		r = sd_event_add_io(vhost->event, &vhost->listening, listening,
				    EPOLLIN, on_connect, vhost);
	return r;
}

static const struct vgpu_transport_ops transport_ops;

struct vgpu_vhost *vgpu_vhost_of(struct vgpu_transport *transport)
{
	assert(transport->ops == &transport_ops);
	return vgpu_container_of(transport, struct vgpu_vhost, transport);
}

static const struct vgpu_vhost *
vhost_of_const(const struct vgpu_transport *transport)
{
	assert(transport->ops == &transport_ops);
	return vgpu_container_of(transport, struct vgpu_vhost, transport);
}

/* Go on with the front end that the state names, or be as without one. */
static void settle_front_end(struct vgpu_vhost *vhost)
{
	char text[VGPU_CONTROL_TEXT_MAX];
	int r;

	if (!vhost->state->is_connected) {
		/* A predecessor may have been killed halfway. */
		detach_front_end(vhost);
		return;
	}
	/*
	 * If the front end cannot be resumed (for example, its memory file has
	 * shrunk), close its connection; the vGPU stays.
	 */
	r = resume_front_end(vhost);
	if (r < 0) {
		snprintf(text, sizeof(text),
			 "cannot go on with the front end: %.150s",
			 r == -EPROTO ? vhost->fault : strerror(-r));
		detach_front_end(vhost);
		vhost->events->fault(vhost->opaque, text);
	}
}

static void destroy_vhost(struct vgpu_transport *transport)
{
	struct vgpu_vhost *vhost = vgpu_vhost_of(transport);

	sd_event_source_disable_unref(vhost->listening);
	sd_event_source_disable_unref(vhost->connection);
	sd_event_source_disable_unref(vhost->step);
	sd_event_source_disable_unref(vhost->deadline);
	sd_event_source_disable_unref(vhost->config_retry);
	sd_event_source_disable_unref(vhost->holder);
	vgpu_channel_destroy(vhost->channel);
	vgpu_virtio_destroy(vhost->virtio);
	vgpu_window_destroy(vhost->window);
	free(vhost);
}

int vgpu_vhost_create(const struct vgpu_transport_config *config,
		      struct vgpu_transport **ret_transport, struct vgpu_err *err)
{
	struct vgpu_vhost *vhost = calloc(1, sizeof(*vhost));
	int r;

	if (!vhost)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	vhost->transport.ops = &transport_ops;
	vhost->event = config->event;
	vhost->state = config->state;
	vhost->slots = config->slots;
	vhost->host_visible_bytes = config->host_visible_bytes;
	vhost->events = config->events;
	vhost->opaque = config->opaque;
	r = vgpu_window_create(vhost->event, &window_ops, vhost, &vhost->window);
	if (r < 0) {
		vgpu_err_set(err, r, NULL, "cannot make the window: %s",
			     strerror(-r));
		goto fail;
	}
	r = vgpu_virtio_create(vhost->event, vhost->state, vhost->slots,
			       &config->virtio, &virtio_ops, vhost,
			       &vhost->virtio, err);
	if (r < 0)
		goto fail;
	r = make_pipe(vhost);
	if (r >= 0)
		r = add_sources(vhost);
	if (r < 0) {
		vgpu_err_set(err, r, NULL, "cannot listen: %s", strerror(-r));
		goto fail;
	}
	settle_front_end(vhost);
	*ret_transport = &vhost->transport;
	return 0;
fail:
	destroy_vhost(&vhost->transport);
	return r;
}

bool vgpu_vhost_is_attached(const struct vgpu_vhost *vhost)
{
	return vhost->state->is_connected;
}

int32_t vgpu_vhost_peer_pid(const struct vgpu_vhost *vhost)
{
	if (!vgpu_vhost_is_attached(vhost))
		return vhost->holder_pid;
	return vgpu_peer_pid(vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND));
}

static struct vgpu_gpu *transport_gpu(struct vgpu_transport *transport)
{
	return vgpu_virtio_gpu(vgpu_vhost_of(transport)->virtio);
}

static bool transport_is_attached(const struct vgpu_transport *transport)
{
	return vgpu_vhost_is_attached(vhost_of_const(transport));
}

static bool transport_is_held(const struct vgpu_transport *transport)
{
	const struct vgpu_vhost *vhost = vhost_of_const(transport);

	return vgpu_vhost_is_attached(vhost) || vhost->holder;
}

static int32_t transport_peer_pid(const struct vgpu_transport *transport)
{
	return vgpu_vhost_peer_pid(vhost_of_const(transport));
}

static void transport_set_vgpus(struct vgpu_transport *transport, uint32_t vgpus)
{
	vgpu_window_set_vgpus(vgpu_vhost_of(transport)->window, vgpus);
}

static const struct vgpu_transport_ops transport_ops = {
	.destroy = destroy_vhost,
	.gpu = transport_gpu,
	.is_attached = transport_is_attached,
	.is_held = transport_is_held,
	.peer_pid = transport_peer_pid,
	.set_vgpus = transport_set_vgpus,
};

bool vgpu_vhost_is_running(const struct vgpu_vhost *vhost)
{
	return vgpu_virtio_is_running(vhost->virtio, 0);
}

void vgpu_vhost_run(struct vgpu_vhost *vhost)
{
	vgpu_virtio_run(vhost->virtio, 0);
}
