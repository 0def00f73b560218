/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pictures from a device process, which is not trusted: a guest may control it.
 */
#include "device/display/vnc/source.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "device/display/viewer_abi.h"
#include "lib/fds.h"
#include "lib/util.h"

#define FIRST_WIDTH  640
#define FIRST_HEIGHT 480
/* RFB counts in 16 bits; heads of ours are no larger than 8192. */
#define SIDE_MAX 16384

int vgpu_vnc_source_init(struct vgpu_vnc_source *source)
{
	*source = (struct vgpu_vnc_source){
		.socket = -1,
		.width = FIRST_WIDTH,
		.height = FIRST_HEIGHT,
	};
	source->pixels = calloc((size_t)FIRST_WIDTH * FIRST_HEIGHT, 4);
	return source->pixels ? 0 : -ENOMEM;
}

static void forget_frame(struct vgpu_vnc_source *source)
{
	if (source->frame)
		munmap((void *)source->frame, source->frame_bytes);
	source->frame = NULL;
}

void vgpu_vnc_source_attach(struct vgpu_vnc_source *source, int socket)
{
	forget_frame(source);
	source->has_cursor = false;
	source->is_cursor_new = true;
	vgpu_close(source->socket);
	source->socket = socket;
}

void vgpu_vnc_source_finish(struct vgpu_vnc_source *source)
{
	vgpu_vnc_source_attach(source, -1);
	free(source->pixels);
	source->pixels = NULL;
}

/* Map @bytes of a file that is sealed against shrinking, or NULL. */
static void *map_memfd(int fd, uint64_t bytes)
{
	struct stat stat;
	int seals = fcntl(fd, F_GET_SEALS);
	void *at;

	if (seals < 0 || !(seals & F_SEAL_SHRINK) || fstat(fd, &stat) < 0 ||
	    (uint64_t)stat.st_size < bytes)
		return NULL;
	at = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	return at == MAP_FAILED ? NULL : at;
}

static bool take_frame(struct vgpu_vnc_source *source,
		       const struct vgpu_viewer_msg *msg, int fd)
{
	if (fd < 0 || msg->width == 0 || msg->width > SIDE_MAX ||
	    msg->height == 0 || msg->height > SIDE_MAX ||
	    msg->stride_bytes != msg->width * 4)
		return false;
	forget_frame(source);
	source->frame_bytes = (uint64_t)msg->stride_bytes * msg->height;
	source->frame = map_memfd(fd, source->frame_bytes);
	source->frame_width = msg->width;
	source->frame_height = msg->height;
	return source->frame;
}

static bool take_cursor(struct vgpu_vnc_source *source, int fd)
{
	void *image;

	source->is_cursor_new = true;
	source->has_cursor = fd >= 0;
	if (fd < 0)
		return true;
	image = map_memfd(fd, sizeof(source->cursor));
	if (!image)
		return false;
	memcpy(source->cursor, image, sizeof(source->cursor));
	munmap(image, sizeof(source->cursor));
	return true;
}

static void copy_rect(struct vgpu_vnc_source *source,
		      const struct vgpu_vnc_rect *rect)
{
	for (uint32_t row = 0; row < rect->height; row++) {
		size_t at = (size_t)(rect->y + row) * source->width + rect->x;

		memcpy(source->pixels + at, source->frame + at,
		       (size_t)rect->width * 4);
	}
}

/* Where the cursor is on the picture: nothing if it is beside it. */
static struct vgpu_vnc_rect cursor_rect(const struct vgpu_vnc_source *source)
{
	int64_t x = source->cursor_x, y = source->cursor_y;
	int64_t left = VGPU_MAX(x, (int64_t)0), top = VGPU_MAX(y, (int64_t)0);
	int64_t right = VGPU_MIN(x + VGPU_CURSOR_SIDE, (int64_t)source->width);
	int64_t bottom = VGPU_MIN(y + VGPU_CURSOR_SIDE, (int64_t)source->height);

	if (!source->has_cursor || left >= right || top >= bottom)
		return (struct vgpu_vnc_rect){};
	return (struct vgpu_vnc_rect){left, top, right - left, bottom - top};
}

/* Copy @damage, and redraw the cursor. */
static void compose_picture(struct vgpu_vnc_source *source,
			    const struct vgpu_vnc_rect *damage)
{
	const struct vgpu_vnc_rect before = source->cursor_rect;
	const struct vgpu_picture whole = {
		.pixels = source->pixels,
		.stride_bytes = source->width * 4,
		.width = source->width,
		.height = source->height,
	};

	source->cursor_rect = cursor_rect(source);
	/*
	 * Copy the areas of the old and the new cursor first: blending twice
	 * would be wrong.
	 */
	copy_rect(source, damage);
	copy_rect(source, &before);
	copy_rect(source, &source->cursor_rect);
	if (source->has_cursor)
		vgpu_pixels_blend_cursor(&whole, source->cursor,
					 source->cursor_x, source->cursor_y);
	memset(source->damage, 0, sizeof(source->damage));
	source->damage[0] = *damage;
	if (source->is_cursor_new) {
		source->damage[1] = before;
		source->damage[2] = source->cursor_rect;
	}
	source->is_cursor_new = false;
}

static enum vgpu_vnc_news take_damage(struct vgpu_vnc_source *source,
				      const struct vgpu_viewer_msg *msg,
				      uint32_t **ret_old)
{
	struct vgpu_vnc_rect rect = {(uint32_t)msg->x, (uint32_t)msg->y,
				     msg->width, msg->height};

	if (!source->frame || rect.width > source->frame_width ||
	    rect.height > source->frame_height ||
	    rect.x > source->frame_width - rect.width ||
	    rect.y > source->frame_height - rect.height)
		return VGPU_VNC_OVER;

	if (source->width != source->frame_width ||
	    source->height != source->frame_height) {
		uint32_t *pixels = malloc(source->frame_bytes);

		if (!pixels)
			return VGPU_VNC_OVER;
		*ret_old = source->pixels;
		source->pixels = pixels;
		source->width = source->frame_width;
		source->height = source->frame_height;
		source->cursor_rect = (struct vgpu_vnc_rect){};
		/* All of it, whatever the device says is new. */
		rect = (struct vgpu_vnc_rect){0, 0, source->width,
					      source->height};
		compose_picture(source, &rect);
		return VGPU_VNC_RESIZED;
	}
	compose_picture(source, &rect);
	return VGPU_VNC_DAMAGE;
}

static ssize_t receive_message(int socket, struct vgpu_viewer_msg *msg,
			       int *ret_fd)
{
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {msg, sizeof(*msg)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	ssize_t got;

	do
		got = recvmsg(socket, &header,
			      MSG_CMSG_CLOEXEC | MSG_DONTWAIT | MSG_TRUNC);
	while (got < 0 && errno == EINTR);
	/* The space is enough for one; the kernel drops what is more. */
	if (got >= 0)
		vgpu_fds_take(&header, ret_fd, 1);
	return got;
}

enum vgpu_vnc_news vgpu_vnc_source_receive(struct vgpu_vnc_source *source,
					   uint32_t **ret_old)
{
	vgpu_autoclose int fd = -1;
	struct vgpu_viewer_msg msg;
	ssize_t got = receive_message(source->socket, &msg, &fd);
	bool is_good = true;

	if (got < 0 && errno == EAGAIN)
		return VGPU_VNC_NONE;
	if (got != sizeof(msg))
		return VGPU_VNC_OVER;
	switch (msg.type) {
	case VGPU_VIEWER_FRAME:
		is_good = take_frame(source, &msg, fd);
		break;
	case VGPU_VIEWER_CURSOR:
		is_good = take_cursor(source, fd);
		break;
	case VGPU_VIEWER_CURSOR_MOVE:
		source->cursor_x = msg.x;
		source->cursor_y = msg.y;
		source->is_cursor_new = true;
		break;
	case VGPU_VIEWER_DAMAGE:
		return take_damage(source, &msg, ret_old);
	default:
		is_good = false;
		break;
	}
	return is_good ? VGPU_VNC_NONE : VGPU_VNC_OVER;
}

void vgpu_vnc_source_acknowledge(struct vgpu_vnc_source *source)
{
	const struct vgpu_viewer_msg msg = {.type = VGPU_VIEWER_ACK};

	/* If it cannot be sent the device is gone: its end is read next. */
	send(source->socket, &msg, sizeof(msg), MSG_DONTWAIT | MSG_NOSIGNAL);
}
