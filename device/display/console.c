/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads on the VMM's own display: QEMU's vhost-user-gpu and vhost-user-vga. */
#include "device/display/console.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "device/display/console_abi.h"
#include "device/display/damage.h"
#include "lib/fds.h"

/*
 * Messages are small enough that the kernel takes each as a whole or not at all
 * (a buffer of a stream socket holds 32 KiB). So a device process that is
 * killed never leaves part of a message behind, and its successor starts with
 * whole pictures. What does not fit into the socket is kept as flags and
 * rectangles, merged with later changes, and sent when there is room.
 */
#define MESSAGE_MAX 32768U
#define PIXELS_MAX                                                             \
	((MESSAGE_MAX - sizeof(struct vhost_user_gpu_header) -                 \
	  sizeof(struct vhost_user_gpu_update)) /                              \
	 sizeof(uint32_t))

struct head {
	/* The size last sent to the VMM; 0 x 0: the head shows nothing. */
	uint32_t width;
	uint32_t height;
	bool is_picture_new;
	bool is_cursor_new;
	bool is_cursor_moved;
	struct vgpu_damage damage;
};

struct message {
	struct vhost_user_gpu_header header;
	union {
		struct vhost_user_gpu_cursor_pos cursor_pos;
		struct vhost_user_gpu_cursor_update cursor;
		struct vhost_user_gpu_scanout scanout;
		struct {
			struct vhost_user_gpu_update update;
			uint32_t pixels[PIXELS_MAX];
		};
	};
};
static_assert(sizeof(struct message) <= MESSAGE_MAX, "a message is one buffer");

struct answer {
	struct vhost_user_gpu_header header;
	struct vhost_user_gpu_display_info info;
};

struct vgpu_console {
	int socket;
	uint32_t heads;
	const struct vgpu_viewer_source *source;
	const struct vgpu_console_ops *ops;
	void *opaque;
	sd_event_source *io;
	bool is_over;
	bool is_full; /* the socket: EPOLLOUT says when it is not */
	bool is_to_ask;
	uint32_t questions; /* that are not answered */
	struct answer answer;
	size_t answer_bytes; /* of it that have come */
	struct head head[VHOST_USER_GPU_SCANOUTS_MAX];
	struct message message; /* the one that is sent now */
};

static void end_console(struct vgpu_console *console, const char *why)
{
	if (console->is_over)
		return;
	console->is_over = true;
	console->io = sd_event_source_disable_unref(console->io);
	console->ops->over(console->opaque, why);
}

static void watch_socket(struct vgpu_console *console, bool is_full)
{
	if (console->is_full == is_full)
		return;
	console->is_full = is_full;
	sd_event_source_set_io_events(console->io,
				      EPOLLIN | (is_full ? EPOLLOUT : 0));
}

/* Send what is in console->message, with a payload of @bytes. */
static bool send_message(struct vgpu_console *console, uint32_t request,
			 size_t bytes)
{
	struct iovec part = {&console->message,
			     sizeof(struct vhost_user_gpu_header) + bytes};
	ssize_t sent;

	console->message.header = (struct vhost_user_gpu_header){
		.request = request,
		.size = (uint32_t)bytes,
	};
	sent = vgpu_fds_send(console->socket, &part, 1, -1, MSG_DONTWAIT);
	if (sent == (ssize_t)part.iov_len)
		return true;
	if (sent == -EAGAIN)
		watch_socket(console, true);
	else if (sent < 0)
		end_console(console, sent == -EPIPE || sent == -ECONNRESET
					     ? NULL
					     : strerror((int)-sent));
	else
		end_console(console, "its socket takes parts of messages");
	return false;
}

static bool send_scanout(struct vgpu_console *console, uint32_t id)
{
	struct head *head = &console->head[id];
	uint32_t width = 0, height = 0;

	if (console->source->is_shown(console->opaque, id))
		console->source->size(console->opaque, id, &width, &height);
	/* The VMM keeps its picture until the first part of the new one. */
	if (width != head->width || height != head->height) {
		console->message.scanout = (struct vhost_user_gpu_scanout){
			.scanout_id = id,
			.width = width,
			.height = height,
		};
		if (!send_message(console, VHOST_USER_GPU_SCANOUT,
				  sizeof(console->message.scanout)))
			return false;
		head->width = width;
		head->height = height;
	}
	head->is_picture_new = false;
	head->damage = (struct vgpu_damage){0, 0, width, height};
	return true;
}

static bool send_part(struct vgpu_console *console, uint32_t id, uint32_t x,
		      uint32_t y, uint32_t width, uint32_t height)
{
	struct vgpu_picture part = {
		.pixels = console->message.pixels,
		.stride_bytes = width * (uint32_t)sizeof(uint32_t),
		.x = x,
		.y = y,
		.width = width,
		.height = height,
	};

	console->source->read(console->opaque, id, &part);
	console->message.update = (struct vhost_user_gpu_update){
		.scanout_id = id,
		.x = x,
		.y = y,
		.width = width,
		.height = height,
	};
	return send_message(console, VHOST_USER_GPU_UPDATE,
			    sizeof(console->message.update) +
				    (size_t)height * part.stride_bytes);
}

/* As many whole rows as a message holds, or a row in several. */
static bool send_rows(struct vgpu_console *console, uint32_t id)
{
	struct vgpu_damage *damage = &console->head[id].damage;
	uint32_t width = damage->right - damage->left;
	uint32_t rows = VGPU_MIN((uint32_t)PIXELS_MAX / width,
				 damage->bottom - damage->top);
	uint32_t part;

	if (rows) {
		if (!send_part(console, id, damage->left, damage->top, width,
			       rows))
			return false;
		damage->top += rows;
		return true;
	}
	for (uint32_t x = damage->left; x < damage->right; x += part) {
		part = VGPU_MIN((uint32_t)PIXELS_MAX, damage->right - x);
		if (!send_part(console, id, x, damage->top, part, 1))
			return false;
	}
	damage->top++;
	return true;
}

static bool send_damage(struct vgpu_console *console, uint32_t id)
{
	struct head *head = &console->head[id];

	vgpu_damage_clip(&head->damage, head->width, head->height);
	while (!vgpu_damage_is_empty(&head->damage))
		if (!send_rows(console, id))
			return false;
	return true;
}

static bool send_cursor(struct vgpu_console *console, uint32_t id)
{
	struct head *head = &console->head[id];
	struct vgpu_viewer_cursor cursor = {};
	const uint32_t *image = NULL;
	struct vhost_user_gpu_cursor_pos pos = {.scanout_id = id};
	bool sent;

	if (console->source->is_shown(console->opaque, id))
		image = console->source->cursor(console->opaque, id, &cursor);
	pos.x = (uint32_t)cursor.x;
	pos.y = (uint32_t)cursor.y;
	if (image && head->is_cursor_new) {
		console->message.cursor.pos = pos;
		console->message.cursor.hot_x = cursor.hot_x;
		console->message.cursor.hot_y = cursor.hot_y;
		memcpy(console->message.cursor.pixels, image,
		       sizeof(console->message.cursor.pixels));
		sent = send_message(console, VHOST_USER_GPU_CURSOR_UPDATE,
				    sizeof(console->message.cursor));
	} else {
		console->message.cursor_pos = pos;
		sent = send_message(console,
				    image ? VHOST_USER_GPU_CURSOR_POS
					  : VHOST_USER_GPU_CURSOR_POS_HIDE,
				    sizeof(pos));
	}
	if (sent)
		head->is_cursor_new = head->is_cursor_moved = false;
	return sent;
}

static bool send_question(struct vgpu_console *console)
{
	if (!send_message(console, VHOST_USER_GPU_GET_DISPLAY_INFO, 0))
		return false;
	console->is_to_ask = false;
	console->questions++;
	return true;
}

static bool send_head(struct vgpu_console *console, uint32_t id)
{
	const struct head *head = &console->head[id];

	if (head->is_picture_new && !send_scanout(console, id))
		return false;
	if (!send_damage(console, id))
		return false;
	return !(head->is_cursor_new || head->is_cursor_moved) ||
	       send_cursor(console, id);
}

/* Send what is new, as far as the socket has room. */
static void send_news(struct vgpu_console *console)
{
	if (console->is_over || console->is_full)
		return;
	if (console->is_to_ask && !send_question(console))
		return;
	for (uint32_t id = 0; id < console->heads; id++)
		if (!send_head(console, id))
			return;
}

static void take_answer(struct vgpu_console *console)
{
	const struct vhost_user_gpu_display_info *info = &console->answer.info;
	struct vgpu_console_mode mode[VHOST_USER_GPU_SCANOUTS_MAX] = {};

	/* The last of them knows best. */
	if (--console->questions || console->is_to_ask)
		return;
	for (uint32_t id = 0; id < console->heads; id++)
		if (info->mode[id].enabled)
			mode[id] = (struct vgpu_console_mode){
				info->mode[id].width, info->mode[id].height};
	console->ops->modes(console->opaque, mode);
}

static bool is_answer(const struct vgpu_console *console)
{
	const struct vhost_user_gpu_header *header = &console->answer.header;

	return console->questions &&
	       header->request == VHOST_USER_GPU_GET_DISPLAY_INFO &&
	       header->flags & VHOST_USER_GPU_REPLY &&
	       header->size == sizeof(console->answer.info);
}

/* Returns whether there may be more. */
static bool receive_answers(struct vgpu_console *console)
{
	struct answer *answer = &console->answer;
	ssize_t n;

	n = recv(console->socket, (uint8_t *)answer + console->answer_bytes,
		 sizeof(*answer) - console->answer_bytes, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return errno == EINTR;
	if (n <= 0) {
		end_console(console, n == 0 || errno == ECONNRESET
					     ? NULL
					     : strerror(errno));
		return false;
	}
	console->answer_bytes += (size_t)n;
	if (console->answer_bytes < sizeof(answer->header))
		return true;
	if (!is_answer(console)) {
		end_console(console, "it sends what was not asked for");
		return false;
	}
	if (console->answer_bytes < sizeof(*answer))
		return true;
	console->answer_bytes = 0;
	take_answer(console);
	return true;
}

static int on_io(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	struct vgpu_console *console = opaque;

	if (revents & ~(uint32_t)EPOLLOUT)
		while (receive_answers(console))
			;
	if (!console->is_over && revents & EPOLLOUT)
		watch_socket(console, false);
	send_news(console);
	return 0;
}

int vgpu_console_create(sd_event *event, int socket, uint32_t heads,
			const struct vgpu_viewer_source *source,
			const struct vgpu_console_ops *ops, void *opaque,
			struct vgpu_console **ret_console)
{
	struct vgpu_console *console;
	int r;

	if (heads > VHOST_USER_GPU_SCANOUTS_MAX)
		return -EINVAL;
	console = calloc(1, sizeof(*console));
	if (!console)
		return -ENOMEM;
	console->socket = socket;
	console->heads = heads;
	console->source = source;
	console->ops = ops;
	console->opaque = opaque;
	/*
	 * Taken as full at first, so that no callback comes from within
	 * create().
	 */
	console->is_full = true;
	console->is_to_ask = true;
	r = sd_event_add_io(event, &console->io, socket, EPOLLIN | EPOLLOUT,
			    on_io, console);
	if (r < 0) {
		free(console);
		return r;
	}
	for (uint32_t id = 0; id < heads; id++)
		if (source->is_shown(opaque, id))
			console->head[id].is_picture_new =
				console->head[id].is_cursor_new = true;
	*ret_console = console;
	return 0;
}

void vgpu_console_destroy(struct vgpu_console *console)
{
	if (!console)
		return;
	sd_event_source_disable_unref(console->io);
	free(console);
}

void vgpu_console_damage(struct vgpu_console *console, uint32_t head,
			 uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	if (!console)
		return;
	vgpu_damage_add(&console->head[head].damage, x, y, width, height);
	send_news(console);
}

void vgpu_console_picture_changed(struct vgpu_console *console, uint32_t head)
{
	if (!console)
		return;
	console->head[head].is_picture_new = true;
	/* The cursor is shown only while the head shows a picture. */
	console->head[head].is_cursor_new = true;
	send_news(console);
}

void vgpu_console_cursor_changed(struct vgpu_console *console, uint32_t head)
{
	if (!console)
		return;
	console->head[head].is_cursor_new = true;
	send_news(console);
}

void vgpu_console_cursor_moved(struct vgpu_console *console, uint32_t head)
{
	if (!console)
		return;
	console->head[head].is_cursor_moved = true;
	send_news(console);
}

bool vgpu_console_is_open(const struct vgpu_console *console)
{
	return console && !console->is_over;
}

bool vgpu_console_ask(struct vgpu_console *console)
{
	if (!vgpu_console_is_open(console))
		return false;
	console->is_to_ask = true;
	send_news(console);
	return !console->is_over;
}

bool vgpu_console_is_asking(const struct vgpu_console *console)
{
	return vgpu_console_is_open(console) &&
	       (console->is_to_ask || console->questions);
}
