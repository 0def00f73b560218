/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The listening control socket: lets in a manager that sends the key. */
#include "door.h"

#include <string.h>
#include <sys/epoll.h>

#include "lib/control.h"
#include "lib/peer.h"
#include "lib/util.h"

/* Connections that have not sent ADOPT yet: one more closes the oldest. */
#define VISITORS_MAX 4

struct visitor {
	struct vgpu_door *door;
	int socket; /* -1: none */
	sd_event_source *source;
};

struct vgpu_door {
	sd_event *event;
	const struct vgpu_door_ops *ops;
	void *opaque;
	sd_event_source *listening;
	uint8_t key[VGPU_CONTROL_KEY_BYTES];
	struct visitor visitors[VISITORS_MAX];
	unsigned int next; /* whose place the next visitor takes */
};

static void forget_visitor(struct visitor *visitor)
{
	visitor->source = sd_event_source_disable_unref(visitor->source);
	visitor->socket = vgpu_close(visitor->socket);
}

static void refuse_visitor(struct visitor *visitor)
{
	struct vgpu_door *door = visitor->door;
	int32_t pid = vgpu_peer_pid(visitor->socket);

	forget_visitor(visitor);
	door->ops->refused(door->opaque, pid);
}

/* In constant time. */
static bool is_key(const struct vgpu_door *door,
		   const uint8_t key[VGPU_CONTROL_KEY_BYTES])
{
	uint8_t difference = 0;

	for (size_t i = 0; i < VGPU_CONTROL_KEY_BYTES; i++)
		difference |= (uint8_t)(door->key[i] ^ key[i]);
	return difference == 0;
}

static int on_message(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct visitor *visitor = opaque;
	struct vgpu_door *door = visitor->door;
	struct vgpu_control_msg msg;
	vgpu_autoclose int msg_fd = -1;
	int socket;
	int r;

	r = vgpu_control_receive(visitor->socket, &msg, &msg_fd);
	if (r == -EAGAIN || r == -EINTR)
		return 0;
	if (r != 1 || msg.type != VGPU_CONTROL_ADOPT || !is_key(door, msg.key)) {
		refuse_visitor(visitor);
		return 0;
	}
	socket = vgpu_steal_fd(&visitor->socket);
	forget_visitor(visitor);
	door->ops->admitted(door->opaque, socket, msg.serial);
	return 0;
}

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *opaque)
{
	struct vgpu_door *door = opaque;
	struct visitor *visitor = &door->visitors[door->next];
	int socket = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (socket < 0)
		return 0;
	if (visitor->socket >= 0)
		refuse_visitor(visitor);
	door->next = (door->next + 1) % VISITORS_MAX;
	visitor->socket = socket;
	if (sd_event_add_io(door->event, &visitor->source, socket, EPOLLIN,
			    on_message, visitor) < 0) {
		forget_visitor(visitor);
		return 0;
	}
	sd_event_source_set_priority(visitor->source,
				     SD_EVENT_PRIORITY_IMPORTANT);
	return 0;
}

int vgpu_door_create(sd_event *event, int listening,
		     const uint8_t key[VGPU_CONTROL_KEY_BYTES],
		     const struct vgpu_door_ops *ops, void *opaque,
		     struct vgpu_door **ret_door)
{
	struct vgpu_door *door = calloc(1, sizeof(*door));
	int r;

	if (!door)
		return -ENOMEM;
	door->event = event;
	door->ops = ops;
	door->opaque = opaque;
	memcpy(door->key, key, sizeof(door->key));
	for (size_t i = 0; i < VISITORS_MAX; i++)
		door->visitors[i] = (struct visitor){door, -1, NULL};
	r = sd_event_add_io(event, &door->listening, listening, EPOLLIN,
			    on_connect, door);
	if (r < 0) {
		vgpu_door_destroy(door);
		return r;
	}
	/* A guest that keeps its queues busy must not shut the manager out. */
	sd_event_source_set_priority(door->listening,
				     SD_EVENT_PRIORITY_IMPORTANT);
	*ret_door = door;
	return 0;
}

void vgpu_door_destroy(struct vgpu_door *door)
{
	if (!door)
		return;
	sd_event_source_disable_unref(door->listening);
	for (size_t i = 0; i < VISITORS_MAX; i++)
		forget_visitor(&door->visitors[i]);
	explicit_bzero(door->key, sizeof(door->key));
	free(door);
}
