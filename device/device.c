/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vGPU for a virtual machine: connects the parts of vgpu-device. */
#include "device.h"

#include <inttypes.h>
#include <string.h>
#include <sys/epoll.h>
#include <fcntl.h>

#include "device/control.h"
#include "device/display/viewer.h"
#include "device/display/viewer_abi.h"
#include "device/framebuffer.h"
#include "device/gpu/gpu.h"
#include "device/input/seat.h"
#include "device/mdev/mdev.h"
#include "device/render/host_memory.h"
#include "device/render/launcher.h"
#include "device/render/render.h"
#include "device/report.h"
#include "device/state.h"
#include "device/time_share.h"
#include "device/vhost/vhost.h"
#include "lib/type.h"
#include "lib/util.h"
#include "sandbox/report.h"

/* How soon a viewer may change its head's mode again: the guest is told each. */
#define MODE_USEC 200000ULL

static_assert(VGPU_SEAT_SOURCES >= VGPU_HEADS_MAX, "a source for each head");

struct viewer {
	struct vgpu_device *device;
	uint32_t head;
	int fd; /* a duplicate, so that it outlives what the gpu closes */
	sd_event_source *source;
	uint64_t mode_usec; /* when it last changed the mode */
};

struct vgpu_device {
	sd_event *event;
	struct vgpu_slots *slots;
	struct vgpu_device_config config;
	struct vgpu_state *state;
	struct vgpu_framebuffer framebuffer;
	struct vgpu_render_config render;
	struct vgpu_launcher *launcher; /* NULL: there is no successor either */
	struct vgpu_gpu_time *gpu_time; /* NULL: of a software GPU */
	struct vgpu_transport *transport;
	struct vgpu_seat *seat; /* NULL: an older vgpud made none */
	struct vgpu_link *link; /* NULL if there is no manager */
	struct vgpu_reports reports;
	struct viewer viewer[VGPU_HEADS_MAX];
	bool ends_with_front_end;
};

/* It is made last: what is reported before that has nobody to ask yet. */
static bool has_transport(const struct vgpu_device *device)
{
	return device->transport;
}

static struct vgpu_gpu *gpu_of(struct vgpu_device *device)
{
	return device->transport->ops->gpu(device->transport);
}

static bool is_attached(const struct vgpu_device *device)
{
	return device->transport->ops->is_attached(device->transport);
}

static void on_fault(void *opaque, const char *text)
{
	struct vgpu_device *device = opaque;

	vgpu_report_fault(&device->reports, text);
}

/* Reported once for each process that lacks a layer of the sandbox. */
static void on_render_lacks(void *opaque, const char *text)
{
	struct vgpu_device *device = opaque;

	vgpu_report_weak_sandbox(&device->reports, "render", text);
}

static void on_link_changed(void *opaque)
{
	struct vgpu_device *device = opaque;

	if (!has_transport(device))
		return; /* a status follows when the device is made */
	vgpu_link_status_now(device->link);
	if (device->ends_with_front_end && !is_attached(device))
		sd_event_exit(device->event, 0);
}

static void on_status_changed(void *opaque)
{
	struct vgpu_device *device = opaque;

	if (has_transport(device))
		vgpu_link_status_soon(device->link);
}

static void on_removed(void *opaque)
{
	struct vgpu_device *device = opaque;

	vgpu_report_fault(&device->reports, "its mediated device was removed");
	sd_event_exit(device->event, 0);
}

static const struct vgpu_transport_events transport_events = {
	.fault = on_fault,
	.link_changed = on_link_changed,
	.status_changed = on_status_changed,
	.removed = on_removed,
};

static void fill_status(void *opaque, struct vgpu_control_status *ret_status)
{
	struct vgpu_device *device = opaque;
	const struct vgpu_transport *transport = device->transport;

	ret_status->link = transport->ops->is_held(transport)
				   ? VGPU_LINK_ATTACHED
				   : VGPU_LINK_LISTENING;
	ret_status->peer_pid = transport->ops->peer_pid(transport);
	ret_status->heads = device->config.start.heads;
	ret_status->generation = device->state->generation;
	vgpu_gpu_status(gpu_of(device), ret_status);
}

static void fill_figures(void *opaque, struct vgpu_figures *ret_figures)
{
	struct vgpu_device *device = opaque;

	if (has_transport(device))
		vgpu_gpu_figures(gpu_of(device), ret_figures);
	vgpu_time_share_count(device->gpu_time, ret_figures);
}

static void on_key(void *opaque, uint32_t head, uint32_t code, bool is_down)
{
	struct viewer *viewer = opaque;

	vgpu_seat_key(viewer->device->seat, head, code, is_down);
}

/* The place of @at on one axis of a head at @first of @size, among all. */
static uint32_t find_place(int32_t at, uint32_t first, uint32_t size)
{
	int64_t place = VGPU_MIN(VGPU_MAX((int64_t)at, 0), (int64_t)size - 1);

	return first + (uint32_t)place;
}

static void on_pointer(void *opaque, uint32_t head,
		       const struct vgpu_viewer_msg *msg)
{
	struct viewer *viewer = opaque;
	struct vgpu_device *device = viewer->device;
	struct vgpu_gpu_layout at;
	struct vgpu_seat_pointer pointer;

	vgpu_gpu_layout(gpu_of(device), head, &at);
	if (!at.head_width || !at.head_height)
		return;
	pointer = (struct vgpu_seat_pointer){
		.x = find_place(msg->x, at.x, at.head_width),
		.y = find_place(msg->y, at.y, at.head_height),
		.width = at.width,
		.height = at.height,
		.buttons = msg->buttons,
		.wheel_up = msg->wheel_up,
		.wheel_right = msg->wheel_right,
	};
	vgpu_seat_point(device->seat, head, &pointer);
}

/* Not saved: vgpud's own mode is the head's again at the vGPU's next start. */
static void on_mode(void *opaque, uint32_t head, uint32_t width, uint32_t height)
{
	struct viewer *viewer = opaque;
	struct vgpu_gpu_layout at;
	struct vgpu_err err = {};
	uint64_t now = 0;

	sd_event_now(viewer->device->event, CLOCK_MONOTONIC, &now);
	/* 0 x 0 would unplug the head: that is not for those who look at it. */
	if (now - viewer->mode_usec < MODE_USEC || !width || !height)
		return;
	/* Nor is it theirs to plug one in. */
	vgpu_gpu_layout(gpu_of(viewer->device), head, &at);
	if (!at.head_width)
		return;
	viewer->mode_usec = now;
	vgpu_gpu_set_mode(gpu_of(viewer->device), head, width, height, &err);
}

static const struct vgpu_viewer_sink viewer_sink = {
	.key = on_key,
	.pointer = on_pointer,
	.mode = on_mode,
};

static void drop_viewer(struct viewer *viewer)
{
	vgpu_seat_leave(viewer->device->seat, viewer->head);
	viewer->source = sd_event_source_disable_unref(viewer->source);
	viewer->fd = vgpu_close(viewer->fd);
}

static int on_viewer(sd_event_source *source, int fd, uint32_t revents,
		     void *opaque)
{
	struct viewer *viewer = opaque;
	struct vgpu_gpu *gpu = gpu_of(viewer->device);

	/*
	 * Unread messages come before end of file, for which this is called
	 * again.
	 */
	vgpu_gpu_viewer_readable(gpu, viewer->head);
	if (vgpu_gpu_viewer_fd(gpu, viewer->head) < 0)
		drop_viewer(viewer);
	return 0;
}

static int poll_viewer(struct vgpu_device *device, uint32_t head)
{
	struct viewer *viewer = &device->viewer[head];
	int fd = vgpu_gpu_viewer_fd(gpu_of(device), head);

	drop_viewer(viewer);
	if (fd < 0)
		return 0;
	viewer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (viewer->fd < 0)
		return -errno;
	return sd_event_add_io(device->event, &viewer->source, viewer->fd,
			       EPOLLIN, on_viewer, viewer);
}

static int attach_viewer(struct vgpu_device *device,
			 const struct vgpu_control_view *view, int fd,
			 struct vgpu_err *err)
{
	uint32_t head = view->head;
	struct vgpu_gpu *gpu = gpu_of(device);
	int r;

	if (fd < 0)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "no viewer socket came with the request");
	if (head >= VGPU_HEADS_MAX) {
		vgpu_close(fd);
		return vgpu_err_set(err, -EINVAL, NULL, "there is no head %u",
				    head);
	}
	if (fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0) {
		vgpu_close(fd);
		return vgpu_err_set(err, -EINVAL, NULL,
				    "the viewer socket is none");
	}
	r = vgpu_gpu_view(gpu, head, fd, err);
	if (r < 0)
		return r;
	if (view->has_input)
		vgpu_gpu_take_input(gpu, head, &viewer_sink,
				    &device->viewer[head]);
	r = poll_viewer(device, head);
	return r < 0 ? vgpu_err_set(err, r, NULL, "cannot poll the viewer") : 0;
}

/* An unplugged head is an error rather than a black picture. */
static int capture_head(struct vgpu_device *device, uint32_t head,
			struct vgpu_control_frame *ret_frame, int *ret_fd,
			struct vgpu_err *err)
{
	struct vgpu_gpu *gpu = gpu_of(device);
	struct vgpu_control_status status = {};

	vgpu_gpu_status(gpu, &status);
	if (head < device->config.start.heads && status.head[head].width == 0 &&
	    status.head[head].preferred_width == 0)
		return vgpu_err_set(err, -ENOTCONN, NULL,
				    "head %u is unplugged", head);
	return vgpu_gpu_capture(gpu, head, ret_frame, ret_fd, err);
}

static void on_request(void *opaque, const struct vgpu_control_msg *msg, int fd,
		       struct vgpu_control_reply *ret_reply, int *ret_fd)
{
	struct vgpu_device *device = opaque;
	struct vgpu_gpu *gpu = gpu_of(device);
	struct vgpu_err err = {};
	int r;

	switch (msg->type) {
	case VGPU_CONTROL_CAPTURE:
		vgpu_close(fd);
		r = capture_head(device, msg->head, &ret_reply->frame, ret_fd,
				 &err);
		break;
	case VGPU_CONTROL_VIEW:
		r = attach_viewer(device, &msg->view, fd, &err);
		break;
	case VGPU_CONTROL_SET_FRAME_RATE:
		vgpu_close(fd);
		vgpu_gpu_set_frame_rate_limit(gpu, msg->frame_rate);
		r = 0;
		break;
	case VGPU_CONTROL_SET_TIME:
		vgpu_close(fd);
		vgpu_time_share_set(device->gpu_time, &msg->time);
		r = 0;
		break;
	case VGPU_CONTROL_SET_VGPUS:
		vgpu_close(fd);
		if (device->transport->ops->set_vgpus)
			device->transport->ops->set_vgpus(device->transport,
							  msg->vgpus);
		r = 0;
		break;
	default:
		vgpu_close(fd);
		r = vgpu_gpu_set_mode(gpu, msg->mode.head, msg->mode.width,
				      msg->mode.height, &err);
		break;
	}
	ret_reply->status = VGPU_MIN(r, 0);
	if (r < 0)
		snprintf(ret_reply->text, sizeof(ret_reply->text), "%.190s",
			 err.text);
}

static const struct vgpu_link_ops link_ops = {
	.status = fill_status,
	.figures = fill_figures,
	.request = on_request,
};

static int check_start(const struct vgpu_control_start *start,
		       struct vgpu_err *err)
{
	if (start->heads > VGPU_HEADS_MAX)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "%u heads; at most %u can be had",
				    start->heads, VGPU_HEADS_MAX);
	if (start->max_width > VGPU_DIMENSION_MAX ||
	    start->max_height > VGPU_DIMENSION_MAX ||
	    (start->heads && (!start->max_width || !start->max_height)))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "heads of %u x %u; at most %u x %u can be"
				    " had",
				    start->max_width, start->max_height,
				    VGPU_DIMENSION_MAX, VGPU_DIMENSION_MAX);
	if (start->host_visible_bytes & (start->host_visible_bytes - 1))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "a window of %" PRIu64
				    " bytes; it must be a power of two",
				    start->host_visible_bytes);
	return 0;
}

/* What the render process of each context is started with. */
static int configure_render(struct vgpu_device *device, struct vgpu_err *err)
{
	const struct vgpu_control_start *start = &device->config.start;
	int r = vgpu_time_share_open(device->slots, start, &device->gpu_time,
				     err);

	if (r < 0)
		return r;
	device->render = (struct vgpu_render_config){
		.event = device->event,
		.launcher = device->launcher,
		.name = start->name,
		.framebuffer_bytes = start->framebuffer_bytes,
		.udmabuf = device->config.udmabuf,
		.gpu_time = vgpu_slots_get(device->slots, VGPU_SLOT_TIME),
	};
	device->render.lacks = on_render_lacks;
	device->render.lacks_opaque = device;
	memcpy(device->render.gpu_uuid, start->gpu_uuid,
	       sizeof(device->render.gpu_uuid));
	r = vgpu_host_memory_create(device->event, start->host_memory_bytes,
				    start->framebuffer_bytes,
				    vgpu_render_is_software(start->gpu_uuid),
				    &device->render.host_memory);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "host memory: %s",
				    strerror(-r));
	return 0;
}

/* It starts render processes, and keeps files for a successor. */
static int find_launcher(struct vgpu_device *device, struct vgpu_err *err)
{
	int fd = vgpu_slots_get(device->slots, VGPU_SLOT_LAUNCHER);
	int r;

	if (fd < 0 && !device->config.start.has_renderer)
		return 0;
	r = vgpu_launcher_create(device->event, fd, &vgpu_report_launcher_ops,
				 &device->reports, &device->launcher);
	return r < 0 ? vgpu_err_set(err, r, NULL, "no launcher: %s", strerror(-r))
		     : 0;
}

static int make_transport(struct vgpu_device *device,
			  const struct vgpu_virtio_config *virtio,
			  struct vgpu_err *err)
{
	const struct vgpu_transport_config config = {
		.event = device->event,
		.state = device->state,
		.slots = device->slots,
		.virtio = *virtio,
		.host_visible_bytes = device->config.start.host_visible_bytes,
		.events = &transport_events,
		.opaque = device,
	};

	return vgpu_slots_get(device->slots, VGPU_SLOT_MDEV) >= 0
		       ? vgpu_mdev_create(&config, &device->transport, err)
		       : vgpu_vhost_create(&config, &device->transport, err);
}

static int bring_up(struct vgpu_device *device, struct vgpu_err *err)
{
	const struct vgpu_control_start *start = &device->config.start;
	int state_fd = vgpu_slots_get(device->slots, VGPU_SLOT_STATE);
	struct vgpu_virtio_config config = {
		.gpu =
			{
				.heads = start->heads,
				.max_width = start->max_width,
				.max_height = start->max_height,
				.frame_rate_limit = start->frame_rate_limit,
				.event = device->event,
				.window_bytes = start->host_visible_bytes,
				.framebuffer_bytes = start->framebuffer_bytes,
				.is_framebuffer_new = start->is_framebuffer_new,
				.is_retired = start->is_retired,
			},
	};
	int r;

	r = check_start(start, err);
	if (r < 0)
		return r;
	if (state_fd < 0)
		return vgpu_err_set(err, -EPROTO, NULL,
				    "no state block was given");
	r = vgpu_state_map(state_fd, vgpu_gpu_state_bytes(), &device->state, err);
	if (r < 0)
		return r;
	r = vgpu_framebuffer_init(&device->framebuffer, device->event,
				  device->slots, start->segments,
				  start->segment_bytes,
				  start->framebuffer_bytes, err);
	if (r >= 0)
		r = find_launcher(device, err);
	if (r < 0)
		return r;
	config.gpu.reserve = device->framebuffer.reserve;
	config.gpu.launcher = device->launcher;
	if (start->has_renderer) {
		r = configure_render(device, err);
		if (r < 0)
			return r;
		config.gpu.render = &device->render;
		config.gpu.capset = device->config.capset;
		config.gpu.has_gfxstream = device->config.has_gfxstream;
	}
	r = make_transport(device, &config, err);
	if (r >= 0)
		r = vgpu_seat_create(device->event, device->slots, on_fault,
				     device, &device->seat, err);
	/*
	 * End render processes of a predecessor whose contexts were not
	 * resumed.
	 */
	if (r >= 0 && device->launcher)
		vgpu_launcher_end_others(device->launcher);
	return r;
}

int vgpu_device_create(sd_event *event, struct vgpu_slots *slots,
		       const struct vgpu_device_config *config, int control,
		       struct vgpu_device **ret_device, struct vgpu_err *err)
{
	struct vgpu_device *device = calloc(1, sizeof(*device));
	char text[VGPU_CONTROL_TEXT_MAX];
	int r;

	if (!device) {
		vgpu_close(control);
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	}
	device->event = event;
	device->slots = slots;
	device->config = *config;
	vgpu_reports_init(&device->reports, event, device->config.start.name);
	for (uint32_t i = 0; i < VGPU_HEADS_MAX; i++)
		device->viewer[i] = (struct viewer){device, i, -1, NULL, 0};

	/*
	 * The link comes first, to announce what the rest changes in the slots.
	 */
	if (control >= 0) {
		r = vgpu_link_create(event, slots, control, config->start.key,
				     &link_ops, device, &device->link);
		if (r < 0) {
			vgpu_err_set(err, r, NULL, "control socket: %s",
				     strerror(-r));
			goto fail;
		}
		device->reports.link = device->link;
	}
	r = bring_up(device, err);
	if (r < 0)
		goto fail;
	vgpu_link_status_now(device->link);
	if (vgpu_sandbox_report_text(&config->sandbox, text, sizeof(text)))
		vgpu_report_weak_sandbox(&device->reports, "device", text);
	if (device->state->generation) {
		snprintf(text, sizeof(text),
			 "successor %u of its device process goes on",
			 device->state->generation);
		vgpu_link_event(device->link, VGPU_EVENT_RESUMED, 0, text);
	}
	*ret_device = device;
	return 0;
fail:
	vgpu_device_destroy(device);
	return r;
}

void vgpu_device_destroy(struct vgpu_device *device)
{
	if (!device)
		return;
	for (uint32_t i = 0; i < VGPU_HEADS_MAX; i++)
		drop_viewer(&device->viewer[i]);
	vgpu_reports_finish(&device->reports);
	vgpu_link_destroy(device->link);
	device->link = NULL; /* the rest changes something still as it ends */
	vgpu_seat_destroy(device->seat);
	vgpu_transport_destroy(device->transport);
	vgpu_launcher_destroy(device->launcher);
	vgpu_framebuffer_finish(&device->framebuffer);
	vgpu_state_unmap(device->state, vgpu_gpu_state_bytes());
	vgpu_host_memory_destroy(device->render.host_memory);
	vgpu_gpu_time_unmap(device->gpu_time);
	free(device);
}

void vgpu_device_end_with_front_end(struct vgpu_device *device)
{
	device->ends_with_front_end = true;
	if (!is_attached(device))
		sd_event_exit(device->event, 0);
}

int vgpu_device_serve_one(struct vgpu_device *device, int fd)
{
	device->ends_with_front_end = true;
	return vgpu_vhost_attach(vgpu_vhost_of(device->transport), fd);
}
