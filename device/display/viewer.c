/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's side of a viewer (device/display/viewer_abi.h). */
#include "device/display/viewer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "device/display/damage.h"
#include "device/display/frame.h"
#include "device/display/viewer_abi.h"
#include "lib/fds.h"
#include "lib/util.h"

/*
 *            what is new, joined
 *           +-------------------+
 *           v                   |
 *   READY --+--> send a batch --+--> WAITING -- ACK --> READY
 *                    |                  |
 *                    | cannot be sent   | breach of rules, end of file
 *                    v                  v
 *                  OVER  <--------------+
 *
 * A batch is [FRAME] [CURSOR] [CURSOR_MOVE] DAMAGE, so that a viewer has four
 * messages unread at most: its socket can only be full if it breaks the rules.
 */
enum state { READY, WAITING, OVER };

struct vgpu_viewer {
	int socket;
	uint32_t head;
	const struct vgpu_viewer_source *source;
	void *opaque;
	const struct vgpu_viewer_sink *sink; /* NULL: it may only look */
	void *sink_opaque;
	enum state state;

	struct vgpu_frame frame; /* what the viewer sees */
	/* Not sent yet. */
	bool is_picture_new;
	bool is_cursor_new;
	bool is_cursor_moved;
	struct vgpu_damage damage;
};

static bool send_msg(struct vgpu_viewer *viewer,
		     const struct vgpu_viewer_msg *msg, int fd)
{
	const struct iovec part = {(void *)msg, sizeof(*msg)};

	return vgpu_fds_send(viewer->socket, &part, 1, fd, MSG_DONTWAIT) ==
	       sizeof(*msg);
}

static bool send_frame(struct vgpu_viewer *viewer)
{
	struct vgpu_frame frame = VGPU_FRAME_NONE;
	uint32_t width, height;

	viewer->source->size(viewer->opaque, viewer->head, &width, &height);
	viewer->damage = (struct vgpu_damage){0, 0, width, height};
	if (viewer->frame.width == width && viewer->frame.height == height)
		return true;

	if (vgpu_frame_init(&frame, width, height) < 0)
		return false;
	vgpu_frame_finish(&viewer->frame);
	viewer->frame = frame;
	if (vgpu_frame_seal(&viewer->frame) < 0)
		return false;
	return send_msg(viewer,
			&(struct vgpu_viewer_msg){
				.type = VGPU_VIEWER_FRAME,
				.width = width,
				.height = height,
				.stride_bytes = frame.stride_bytes,
			},
			frame.fd);
}

static bool send_cursor(struct vgpu_viewer *viewer)
{
	struct vgpu_frame frame = VGPU_FRAME_NONE;
	struct vgpu_viewer_cursor cursor = {};
	const uint32_t *image;
	bool sent;

	image = viewer->source->cursor(viewer->opaque, viewer->head, &cursor);
	if (image && viewer->is_cursor_new) {
		if (vgpu_frame_init(&frame, VGPU_CURSOR_SIDE, VGPU_CURSOR_SIDE) <
		    0)
			return false;
		memcpy(frame.pixels, image, frame.bytes);
		if (vgpu_frame_seal_contents(&frame) < 0) {
			vgpu_frame_finish(&frame);
			return false;
		}
	}
	if (viewer->is_cursor_new) {
		sent = send_msg(viewer,
				&(struct vgpu_viewer_msg){
					.type = VGPU_VIEWER_CURSOR,
					.x = (int32_t)cursor.hot_x,
					.y = (int32_t)cursor.hot_y,
				},
				frame.fd);
		vgpu_frame_finish(&frame);
		if (!sent)
			return false;
	}
	return !image || send_msg(viewer,
				  &(struct vgpu_viewer_msg){
					  .type = VGPU_VIEWER_CURSOR_MOVE,
					  .x = cursor.x,
					  .y = cursor.y,
				  },
				  -1);
}

static bool send_damage(struct vgpu_viewer *viewer)
{
	struct vgpu_viewer_msg msg = {.type = VGPU_VIEWER_DAMAGE};
	struct vgpu_damage *damage = &viewer->damage;

	/* The picture may have shrunk since; a new FRAME follows then. */
	vgpu_damage_clip(damage, viewer->frame.width, viewer->frame.height);
	if (!vgpu_damage_is_empty(damage)) {
		struct vgpu_picture part = {
			.pixels = viewer->frame.pixels +
				  (size_t)damage->top * viewer->frame.width +
				  damage->left,
			.stride_bytes = viewer->frame.stride_bytes,
			.x = damage->left,
			.y = damage->top,
			.width = damage->right - damage->left,
			.height = damage->bottom - damage->top,
		};

		viewer->source->read(viewer->opaque, viewer->head, &part);
		msg.x = (int32_t)part.x;
		msg.y = (int32_t)part.y;
		msg.width = part.width;
		msg.height = part.height;
	}
	return send_msg(viewer, &msg, -1);
}

static bool send_batch(struct vgpu_viewer *viewer)
{
	if (viewer->is_picture_new && !send_frame(viewer))
		return false;
	if ((viewer->is_cursor_new || viewer->is_cursor_moved) &&
	    !send_cursor(viewer))
		return false;
	if (!send_damage(viewer))
		return false;
	viewer->is_picture_new = false;
	viewer->is_cursor_new = false;
	viewer->is_cursor_moved = false;
	viewer->damage = (struct vgpu_damage){};
	return true;
}

static void end_viewer(struct vgpu_viewer *viewer)
{
	viewer->state = OVER;
	shutdown(viewer->socket, SHUT_RDWR);
}

static void send_news(struct vgpu_viewer *viewer)
{
	if (viewer->state != READY)
		return;
	if (!viewer->is_picture_new && !viewer->is_cursor_new &&
	    !viewer->is_cursor_moved && vgpu_damage_is_empty(&viewer->damage))
		return;
	if (send_batch(viewer))
		viewer->state = WAITING;
	else
		end_viewer(viewer);
}

int vgpu_viewer_create(int socket, uint32_t head,
		       const struct vgpu_viewer_source *source, void *opaque,
		       struct vgpu_viewer **ret_viewer, struct vgpu_err *err)
{
	struct vgpu_viewer *viewer;
	int type;
	socklen_t length = sizeof(type);

	if (getsockopt(socket, SOL_SOCKET, SO_TYPE, &type, &length) < 0 ||
	    type != SOCK_SEQPACKET) {
		vgpu_close(socket);
		return vgpu_err_set(err, -EINVAL, "Internal",
				    "a viewer needs a SOCK_SEQPACKET socket");
	}
	viewer = calloc(1, sizeof(*viewer));
	if (!viewer) {
		vgpu_close(socket);
		return vgpu_err_set(err, -ENOMEM, "Internal",
				    "no memory for a viewer");
	}
	viewer->socket = socket;
	viewer->head = head;
	viewer->source = source;
	viewer->opaque = opaque;
	viewer->frame = VGPU_FRAME_NONE;
	viewer->is_picture_new = true;
	viewer->is_cursor_new = true;
	send_news(viewer);
	*ret_viewer = viewer;
	return 0;
}

void vgpu_viewer_destroy(struct vgpu_viewer *viewer)
{
	if (!viewer)
		return;
	vgpu_frame_finish(&viewer->frame);
	vgpu_close(viewer->socket);
	free(viewer);
}

void vgpu_viewer_set_sink(struct vgpu_viewer *viewer,
			  const struct vgpu_viewer_sink *sink, void *opaque)
{
	viewer->sink = sink;
	viewer->sink_opaque = opaque;
}

int vgpu_viewer_fd(const struct vgpu_viewer *viewer)
{
	return viewer->socket;
}

void vgpu_viewer_damage(struct vgpu_viewer *viewer, uint32_t x, uint32_t y,
			uint32_t width, uint32_t height)
{
	if (!viewer)
		return;
	vgpu_damage_add(&viewer->damage, x, y, width, height);
	send_news(viewer);
}

void vgpu_viewer_picture_changed(struct vgpu_viewer *viewer)
{
	if (!viewer)
		return;
	viewer->is_picture_new = true;
	/* The cursor comes and goes with what is below it. */
	viewer->is_cursor_new = true;
	send_news(viewer);
}

void vgpu_viewer_cursor_changed(struct vgpu_viewer *viewer)
{
	if (!viewer)
		return;
	viewer->is_cursor_new = true;
	send_news(viewer);
}

void vgpu_viewer_cursor_moved(struct vgpu_viewer *viewer)
{
	if (!viewer)
		return;
	viewer->is_cursor_moved = true;
	send_news(viewer);
}

/* False if the viewer must not send such. */
static bool pass_input(const struct vgpu_viewer *viewer,
		       const struct vgpu_viewer_msg *msg)
{
	const struct vgpu_viewer_sink *sink = viewer->sink;

	if (!sink)
		return false;
	switch (msg->type) {
	case VGPU_VIEWER_KEY:
		sink->key(viewer->sink_opaque, viewer->head, msg->code,
			  msg->is_down);
		return true;
	case VGPU_VIEWER_POINTER:
		sink->pointer(viewer->sink_opaque, viewer->head, msg);
		return true;
	case VGPU_VIEWER_MODE:
		sink->mode(viewer->sink_opaque, viewer->head, msg->width,
			   msg->height);
		return viewer->state != OVER;
	default:
		return false;
	}
}

bool vgpu_viewer_readable(struct vgpu_viewer *viewer)
{
	struct vgpu_viewer_msg msg = {};
	ssize_t got;

	if (viewer->state == OVER)
		return false;
	do
		got = recv(viewer->socket, &msg, sizeof(msg),
			   MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno == EAGAIN)
		return true;
	if (got != sizeof(msg))
		return false;
	if (msg.type != VGPU_VIEWER_ACK)
		return pass_input(viewer, &msg);
	if (viewer->state != WAITING)
		return false;
	viewer->state = READY;
	send_news(viewer);
	return viewer->state != OVER;
}
