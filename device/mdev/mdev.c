/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A mediated device of kernel/mdev. The kernel counts its sessions: each reset
 * begins one, and so does a VMM that comes or goes. What is in the state block
 * is of the session that it names.
 */
#include "mdev.h"

#include <endian.h>
#include <inttypes.h>
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>

#include "device/mdev/guest_memory.h"
#include "device/mdev/window.h"
#include "kernel/uapi/vgpu_mdev.h"
#include "lib/util.h"

static_assert(VGPU_STATE_QUEUES == VGPU_MDEV_QUEUES, "queues");
static_assert(VGPU_STATE_QUEUE_NUM == VGPU_MDEV_QUEUE_NUM, "size of queues");
static_assert(VGPU_GPU_CONFIG_BYTES == VGPU_MDEV_CONFIG_BYTES, "config space");

struct vgpu_mdev {
	struct vgpu_transport transport;
	sd_event *event;
	struct vgpu_state *state;
	struct vgpu_slots *slots;
	const struct vgpu_transport_events *events;
	void *opaque;
	int fd; /* that in the slot */
	struct vgpu_guest_memory *guest;
	struct vgpu_mdev_window *window;
	struct vgpu_virtio *virtio;
	sd_event_source *source;
	struct vgpu_mdev_state seen; /* what the kernel said last */
};

static uint32_t session_of(const struct vgpu_mdev *mdev)
{
	return (uint32_t)mdev->state->mdev_session;
}

static void virtio_fault(void *opaque, const char *text)
{
	struct vgpu_mdev *mdev = opaque;

	mdev->events->fault(mdev->opaque, text);
}

static void virtio_config_changed(void *opaque)
{
	struct vgpu_mdev *mdev = opaque;
	struct vgpu_mdev_config_space config;

	vgpu_gpu_config_read(vgpu_virtio_gpu(mdev->virtio), config.config);
	ioctl(mdev->fd, VGPU_MDEV_SET_CONFIG, &config);
}

static void virtio_status_changed(void *opaque)
{
	struct vgpu_mdev *mdev = opaque;

	mdev->events->status_changed(mdev->opaque);
}

/* No queue is stopped but by a reset, which forgets what is in flight. */
static void virtio_drained(void *opaque)
{
}

static int virtio_window_map(void *opaque, uint64_t cookie,
			     const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_mdev *mdev = opaque;

	return vgpu_mdev_window_map(mdev->window, session_of(mdev), cookie,
				    mapping);
}

static int virtio_window_unmap(void *opaque, uint64_t cookie,
			       const struct vgpu_gpu_mapping *mapping)
{
	struct vgpu_mdev *mdev = opaque;

	return vgpu_mdev_window_unmap(mdev->window, session_of(mdev), cookie,
				      mapping);
}

/* The kernel still has it. */
static void virtio_window_resume(void *opaque,
				 const struct vgpu_gpu_mapping *mapping)
{
}

static void virtio_window_forget(void *opaque)
{
	struct vgpu_mdev *mdev = opaque;

	vgpu_mdev_window_forget(mdev->window);
}

/* There is none. */
static void virtio_console_over(void *opaque)
{
}

static void virtio_interrupt(void *opaque, uint32_t index)
{
	struct vgpu_mdev *mdev = opaque;
	const struct vgpu_mdev_interrupt interrupt = {
		.session = session_of(mdev),
		.queue = index,
	};

	/* Of a session that is over, nobody wants to hear. */
	ioctl(mdev->fd, VGPU_MDEV_INTERRUPT, &interrupt);
}

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
	.interrupt = virtio_interrupt,
};

static void window_done(void *opaque, uint64_t cookie, int status)
{
	struct vgpu_mdev *mdev = opaque;
	char text[VGPU_CONTROL_TEXT_MAX];

	if (status < 0 && status != -ESTALE) {
		snprintf(text, sizeof(text), "the window cannot be changed: %s",
			 strerror(-status));
		mdev->events->fault(mdev->opaque, text);
	}
	vgpu_gpu_window_done(vgpu_virtio_gpu(mdev->virtio), cookie, status);
}

/* All that is of an older session goes; a successor that finds it does the same. */
static void begin_session(struct vgpu_mdev *mdev)
{
	struct vgpu_state *state = mdev->state;

	vgpu_state_commit(state->mdev_session, 0ULL);
	vgpu_virtio_reset(mdev->virtio);
	vgpu_virtio_set_features(mdev->virtio, 0);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		state->queue[i].num = 0;
		state->queue[i].is_addressed = 0;
	}
	state->features = 0;
	vgpu_guest_memory_restart(mdev->guest, mdev->seen.session);
	vgpu_virtio_resolve(mdev->virtio);
	vgpu_state_commit(state->mdev_session, (uint64_t)mdev->seen.session);
}

static void start_queue(struct vgpu_mdev *mdev, uint32_t index)
{
	const struct vgpu_mdev_queue *queue = &mdev->seen.queue[index];
	struct vgpu_state_queue *state = &mdev->state->queue[index];

	state->num = queue->num;
	state->desc = queue->desc;
	state->avail = queue->driver;
	state->used = queue->device;
	state->is_addressed = 1;
	state->is_enabled = 1;
	vgpu_virtio_resolve(mdev->virtio);
	if (!vgpu_virtio_is_resolved(mdev->virtio, index)) {
		state->is_addressed = 0;
		mdev->events->fault(mdev->opaque,
				    "a queue that is not in the guest's memory");
		return;
	}
	/* A process that has left nothing behind may have been here before. */
	vgpu_virtio_join(mdev->virtio, index);
	if (vgpu_virtio_start(mdev->virtio, index) < 0)
		mdev->events->fault(mdev->opaque, "a queue cannot be polled");
}

static void follow_driver(struct vgpu_mdev *mdev)
{
	const struct vgpu_mdev_state *seen = &mdev->seen;

	if (!(seen->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	if (mdev->state->features != seen->features) {
		mdev->state->features = seen->features;
		vgpu_virtio_set_features(mdev->virtio, seen->features);
	}
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		if (seen->queue[i].is_enabled && !mdev->state->queue[i].is_started)
			start_queue(mdev, i);
}

static void clear_events(struct vgpu_mdev *mdev, uint32_t events)
{
	const uint32_t value = htole32(events);

	vgpu_gpu_config_write(vgpu_virtio_gpu(mdev->virtio),
			      offsetof(struct virtio_gpu_config, events_clear),
			      (const uint8_t *)&value, sizeof(value));
}

static void follow_link(struct vgpu_mdev *mdev)
{
	struct vgpu_state *state = mdev->state;

	if (state->is_connected == !!mdev->seen.is_open)
		return;
	vgpu_state_commit(state->is_connected, mdev->seen.is_open ? 1U : 0U);
	mdev->events->link_changed(mdev->opaque);
}

static int update(struct vgpu_mdev *mdev)
{
	const uint32_t generation = mdev->seen.generation;

	if (ioctl(mdev->fd, VGPU_MDEV_GET_STATE, &mdev->seen) < 0)
		return -errno;
	if (mdev->state->mdev_session != mdev->seen.session) {
		begin_session(mdev);
	} else if (generation != mdev->seen.generation) {
		vgpu_guest_memory_restart(mdev->guest, mdev->seen.session);
		vgpu_virtio_resolve(mdev->virtio);
	}
	if (mdev->seen.events_clear)
		clear_events(mdev, mdev->seen.events_clear);
	follow_driver(mdev);
	follow_link(mdev);
	return 0;
}

static int on_change(sd_event_source *source, int fd, uint32_t revents,
		     void *opaque)
{
	struct vgpu_mdev *mdev = opaque;

	if (revents & (EPOLLHUP | EPOLLERR) || update(mdev) < 0) {
		mdev->source = sd_event_source_disable_unref(mdev->source);
		mdev->events->removed(mdev->opaque);
	}
	return 0;
}

/* Eventfds of queues, unless a predecessor has left them. */
static int make_kicks(struct vgpu_mdev *mdev)
{
	for (uint32_t i = 0; i < VGPU_MDEV_QUEUES; i++) {
		int fd;

		if (vgpu_slots_get(mdev->slots, VGPU_SLOT_KICK + i) >= 0)
			continue;
		fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (fd < 0)
			return -errno;
		vgpu_slots_put(mdev->slots, VGPU_SLOT_KICK + i, fd);
	}
	return 0;
}

static int set_up(struct vgpu_mdev *mdev, uint64_t window_bytes)
{
	struct vgpu_mdev_setup setup = {
		.features = vgpu_virtio_features(mdev->virtio),
		.window_bytes = window_bytes,
	};

	vgpu_gpu_config_read(vgpu_virtio_gpu(mdev->virtio), setup.config);
	for (uint32_t i = 0; i < VGPU_MDEV_QUEUES; i++)
		setup.kick[i] = vgpu_slots_get(mdev->slots, VGPU_SLOT_KICK + i);
	return ioctl(mdev->fd, VGPU_MDEV_SETUP, &setup) < 0 ? -errno : 0;
}

/* Go on where a predecessor was killed, if the guest is still the same. */
static int resume(struct vgpu_mdev *mdev)
{
	if (ioctl(mdev->fd, VGPU_MDEV_GET_STATE, &mdev->seen) < 0)
		return -errno;
	if (mdev->state->mdev_session != mdev->seen.session)
		return 0;
	vgpu_guest_memory_restart(mdev->guest, mdev->seen.session);
	vgpu_virtio_set_features(mdev->virtio, mdev->state->features);
	vgpu_virtio_resolve(mdev->virtio);
	vgpu_virtio_resume(mdev->virtio);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		vgpu_virtio_run(mdev->virtio, i);
	return 0;
}

static int begin(struct vgpu_mdev *mdev,
		 const struct vgpu_transport_config *config)
{
	int r = make_kicks(mdev);

	if (r >= 0)
		r = set_up(mdev, config->host_visible_bytes);
	if (r >= 0)
		r = vgpu_guest_memory_create(mdev->fd,
					     vgpu_virtio_memory(mdev->virtio),
					     &mdev->guest);
	if (r >= 0)
		r = resume(mdev);
	if (r >= 0)
		r = update(mdev);
	if (r >= 0)
		r = sd_event_add_io(mdev->event, &mdev->source, mdev->fd,
				    EPOLLIN, on_change, mdev);
	return r;
}

static const struct vgpu_transport_ops transport_ops;

static struct vgpu_mdev *mdev_of(struct vgpu_transport *transport)
{
	assert(transport->ops == &transport_ops);
	return vgpu_container_of(transport, struct vgpu_mdev, transport);
}

static void destroy_mdev(struct vgpu_transport *transport)
{
	struct vgpu_mdev *mdev = mdev_of(transport);

	sd_event_source_disable_unref(mdev->source);
	vgpu_virtio_destroy(mdev->virtio);
	vgpu_mdev_window_destroy(mdev->window);
	vgpu_guest_memory_destroy(mdev->guest);
	free(mdev);
}

static void explain(int r, struct vgpu_err *err)
{
	if (r == -EBUSY)
		vgpu_err_set(
			err, r, NULL,
			"a VMM has the mediated device open, which knows other features or another window of it");
	else if (r == -EOPNOTSUPP)
		vgpu_err_set(
			err, r, NULL,
			"this kernel's mediated devices have no window for a guest's Vulkan: it takes Linux 6.10 or newer");
	else
		vgpu_err_set(err, r, NULL, "cannot serve the mediated device: %s",
			     strerror(-r));
}

int vgpu_mdev_create(const struct vgpu_transport_config *config,
		     struct vgpu_transport **ret_transport, struct vgpu_err *err)
{
	struct vgpu_mdev *mdev = calloc(1, sizeof(*mdev));
	int r;

	if (!mdev)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	mdev->transport.ops = &transport_ops;
	mdev->event = config->event;
	mdev->state = config->state;
	mdev->slots = config->slots;
	mdev->events = config->events;
	mdev->opaque = config->opaque;
	mdev->fd = vgpu_slots_get(mdev->slots, VGPU_SLOT_MDEV);
	r = vgpu_mdev_window_create(mdev->event, mdev->fd, window_done, mdev,
				    &mdev->window);
	if (r < 0) {
		vgpu_err_set(err, r, NULL, "cannot make the window: %s",
			     strerror(-r));
		goto fail;
	}
	r = vgpu_virtio_create(mdev->event, mdev->state, mdev->slots,
			       &config->virtio, &virtio_ops, mdev,
			       &mdev->virtio, err);
	if (r < 0)
		goto fail;
	r = begin(mdev, config);
	if (r < 0) {
		explain(r, err);
		goto fail;
	}
	*ret_transport = &mdev->transport;
	return 0;
fail:
	destroy_mdev(&mdev->transport);
	return r;
}

static struct vgpu_gpu *transport_gpu(struct vgpu_transport *transport)
{
	return vgpu_virtio_gpu(mdev_of(transport)->virtio);
}

static const struct vgpu_mdev_state *state_of(const struct vgpu_transport *transport)
{
	assert(transport->ops == &transport_ops);
	return &vgpu_container_of(transport, struct vgpu_mdev, transport)->seen;
}

static bool transport_is_attached(const struct vgpu_transport *transport)
{
	return state_of(transport)->is_open;
}

static int32_t transport_peer_pid(const struct vgpu_transport *transport)
{
	return state_of(transport)->pid;
}

/* A VMM that closes it has nothing of it any more. */
static const struct vgpu_transport_ops transport_ops = {
	.destroy = destroy_mdev,
	.gpu = transport_gpu,
	.is_attached = transport_is_attached,
	.is_held = transport_is_attached,
	.peer_pid = transport_peer_pid,
};
