/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back-end channel: requests that the device makes of the front end. */
#include "channel.h"

#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "device/vhost/abi.h"
#include "lib/fds.h"
#include "lib/util.h"

/* Requests in flight; more are refused with -EAGAIN. */
#define PENDING_MAX 64

struct reply {
	struct vhost_user_header header;
	uint64_t status;
} __attribute__((packed));

struct pending {
	uint32_t request;
	vgpu_channel_done *done;
	void *opaque;
};

struct vgpu_channel {
	int socket;
	bool has_replies;
	bool is_dead;
	bool must_resume; /* before the first request */
	/*
	 * Outstanding answers to the requests of sync_channel(). When they come
	 * one right after the other, no answer to a predecessor is left in the
	 * socket.
	 */
	unsigned int n_resuming;
	sd_event_source *source;
	/* Requests in flight, a ring: the front end answers in order. */
	struct pending pending[PENDING_MAX];
	unsigned int first;
	unsigned int n_pending;
	char in[sizeof(struct reply)];
	size_t n_in;
};

static void finish_first(struct vgpu_channel *channel, int status)
{
	struct pending pending = channel->pending[channel->first];

	channel->first = (channel->first + 1) % PENDING_MAX;
	channel->n_pending--;
	pending.done(pending.opaque, status);
}

static void end_channel(struct vgpu_channel *channel)
{
	channel->is_dead = true;
	channel->source = sd_event_source_disable_unref(channel->source);
	while (channel->n_pending)
		finish_first(channel, -ECONNRESET);
}

#define SYNC	     VHOST_USER_BACKEND_CONFIG_CHANGE_MSG
#define RESUME_SYNCS 2 /* in a row, which else never happens */

/* True if @request answers one of ours, and not a predecessor's. */
static bool is_ours(struct vgpu_channel *channel, uint32_t request)
{
	if (channel->n_resuming) {
		channel->n_resuming = request == SYNC ? channel->n_resuming - 1
						      : RESUME_SYNCS;
		return false;
	}
	/* Answers to earlier predecessors, which did not get further. */
	return channel->n_pending &&
	       (request != SYNC ||
		channel->pending[channel->first].request == SYNC);
}

/* False if the front end said something that is no answer. */
static bool handle_reply(struct vgpu_channel *channel)
{
	struct reply reply;

	memcpy(&reply, channel->in, sizeof(reply));
	channel->n_in = 0;
	if (reply.header.size != sizeof(reply.status) ||
	    !(reply.header.flags & VHOST_USER_REPLY))
		return false;
	if (!is_ours(channel, reply.header.request))
		return true;
	if (reply.header.request != channel->pending[channel->first].request)
		return false;
	finish_first(channel, reply.status ? -EIO : 0);
	return true;
}

static int on_readable(sd_event_source *source, int fd, uint32_t revents,
		       void *opaque)
{
	struct vgpu_channel *channel = opaque;
	ssize_t n;

	n = recv(channel->socket, channel->in + channel->n_in,
		 sizeof(channel->in) - channel->n_in, MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (n <= 0) {
		end_channel(channel);
		return 0;
	}
	channel->n_in += (size_t)n;
	if (channel->n_in == sizeof(channel->in) && !handle_reply(channel))
		end_channel(channel);
	return 0;
}

static int send_message(struct vgpu_channel *channel, uint32_t request,
			uint32_t flags, const void *payload, uint32_t size,
			int fd)
{
	struct vhost_user_header header = {
		.request = request,
		.flags = VHOST_USER_VERSION | flags,
		.size = size,
	};
	struct iovec part[2] = {
		{&header, sizeof(header)},
		{(void *)payload, size},
	};
	ssize_t sent;

	if (channel->is_dead)
		return -ECONNRESET;
	/* A unix socket takes so small a message as a whole or not at all. */
	sent = vgpu_fds_send(channel->socket, part, size ? 2 : 1, fd,
			     MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

static int sync_channel(struct vgpu_channel *channel)
{
	for (int i = 0; i < RESUME_SYNCS; i++) {
		int r = send_message(channel, SYNC, VHOST_USER_NEED_REPLY, NULL,
				     0, /* fd= */ -1);

		/* Give up on a full socket: the front end does not read. */
		if (r < 0)
			return r;
	}
	channel->must_resume = false;
	channel->n_resuming = RESUME_SYNCS;
	return 0;
}

int vgpu_channel_create(sd_event *event, int socket, bool has_replies,
			bool is_resumed, struct vgpu_channel **ret_channel)
{
	struct vgpu_channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->socket = socket;
	channel->has_replies = has_replies;
	r = sd_event_add_io(event, &channel->source, socket, EPOLLIN,
			    on_readable, channel);
	if (r < 0) {
		free(channel);
		return r;
	}
	channel->must_resume = is_resumed && has_replies;
	*ret_channel = channel;
	return 0;
}

void vgpu_channel_destroy(struct vgpu_channel *channel)
{
	if (!channel)
		return;
	end_channel(channel);
	free(channel);
}

int vgpu_channel_config_changed(struct vgpu_channel *channel)
{
	return send_message(channel, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0,
			    NULL, 0, /* fd= */ -1);
}

static int send_question(struct vgpu_channel *channel, uint32_t request,
			 const void *payload, uint32_t size, int fd,
			 vgpu_channel_done *done, void *opaque)
{
	uint32_t flags = channel->has_replies ? VHOST_USER_NEED_REPLY : 0;
	unsigned int last;
	int r;

	if (channel->must_resume) {
		r = sync_channel(channel);
		if (r < 0)
			return r;
	}
	if (channel->n_pending == PENDING_MAX || channel->n_resuming)
		return -EAGAIN;
	r = send_message(channel, request, flags, payload, size, fd);
	if (r < 0)
		return r;
	if (!channel->has_replies) {
		done(opaque, 0);
		return 0;
	}
	last = (channel->first + channel->n_pending++) % PENDING_MAX;
	channel->pending[last] = (struct pending){request, done, opaque};
	return 0;
}

int vgpu_channel_sync(struct vgpu_channel *channel, vgpu_channel_done *done,
		      void *opaque)
{
	return send_question(channel, SYNC, NULL, 0, /* fd= */ -1, done, opaque);
}

int vgpu_channel_map(struct vgpu_channel *channel, uint8_t shmid, int fd,
		     uint64_t fd_offset, uint64_t shm_offset, uint64_t bytes,
		     bool is_writable, vgpu_channel_done *done, void *opaque)
{
	struct vhost_user_mmap mmap = {
		.shmid = shmid,
		.fd_offset = fd_offset,
		.shm_offset = shm_offset,
		.bytes = bytes,
		.flags = is_writable ? VHOST_USER_MAP_WRITABLE : 0,
	};

	return send_question(channel, VHOST_USER_BACKEND_SHMEM_MAP, &mmap,
			     sizeof(mmap), fd, done, opaque);
}

int vgpu_channel_unmap(struct vgpu_channel *channel, uint8_t shmid,
		       uint64_t shm_offset, uint64_t bytes,
		       vgpu_channel_done *done, void *opaque)
{
	struct vhost_user_mmap mmap = {
		.shmid = shmid,
		.shm_offset = shm_offset,
		.bytes = bytes,
	};

	return send_question(channel, VHOST_USER_BACKEND_SHMEM_UNMAP, &mmap,
			     sizeof(mmap),
			     /* fd= */ -1, done, opaque);
}
