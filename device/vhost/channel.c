/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back-end channel: requests that the device makes of the front end. */
#include "channel.h"

#include <fcntl.h>
#include <linux/sockios.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include "device/state_abi.h"
#include "device/vhost/abi.h"
#include "lib/fds.h"
#include "lib/util.h"

/*
 * QEMU 11.1.3 reads a message when its main loop comes to it, and crashes on a
 * map, an unmap or a change of the configuration that it finds after it has
 * stopped the device. So such a message is handed over: its first byte is sent
 * with its fd, and the rest when QEMU has taken that byte, for then it waits
 * for the rest and stops nothing meanwhile. If the rings are to stop first,
 * another rest follows, which makes an unknown message of it: that is refused
 * and does nothing, whenever it is read.
 */

/*
 * What SIOCOUTQ counts of a message that was read, while the kernel says so:
 * sock_wfree() takes all but one byte away, wakes us, and then takes the last.
 */
#define COUNTED_WHILE_WAKING 1

/* Requests in flight; more are refused with -EAGAIN. */
#define PENDING_MAX 64

/* One that is handed over, and what says that it is in effect. */
#define HANDOVER_MAX                                                           \
	(2 * sizeof(struct vhost_user_header) +                                \
	 sizeof(struct vhost_user_mmap) + sizeof(struct vhost_user_vring_area))

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
	bool has_handover;
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
	/* What is handed over: its first byte is sent, if there is one. */
	uint8_t handover[HANDOVER_MAX];
	size_t n_handover;
	unsigned int n_questions; /* the last of pending[], not in effect */
	vgpu_channel_done *told;  /* if it is no question */
	void *told_opaque;
	uint32_t *is_begun; /* of the state block: a first byte may be sent */
	sd_event_source *taken;
};

static void finish_first(struct vgpu_channel *channel, int status)
{
	struct pending pending = channel->pending[channel->first];

	channel->first = (channel->first + 1) % PENDING_MAX;
	channel->n_pending--;
	pending.done(pending.opaque, status);
}

static void finish_news(struct vgpu_channel *channel, int status)
{
	vgpu_channel_done *told = channel->told;

	channel->told = NULL;
	if (told)
		told(channel->told_opaque, status);
}

static void end_channel(struct vgpu_channel *channel)
{
	channel->is_dead = true;
	channel->n_handover = 0;
	channel->n_questions = 0;
	channel->source = sd_event_source_disable_unref(channel->source);
	channel->taken = sd_event_source_disable_unref(channel->taken);
	while (channel->n_pending)
		finish_first(channel, -ECONNRESET);
	finish_news(channel, -ECONNRESET);
}

#define RESUME_SYNCS 2 /* in a row, which else never happens */

/*
 * A request whose answer says that all before it is in effect. The second one
 * takes no notifier from a ring that has none: it does nothing at any time.
 */
static uint32_t sync_request(const struct vgpu_channel *channel)
{
	return channel->has_handover ? VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG
				     : VHOST_USER_BACKEND_CONFIG_CHANGE_MSG;
}

/* True if @request answers one of ours, and not a predecessor's. */
static bool is_ours(struct vgpu_channel *channel, uint32_t request)
{
	const uint32_t sync = sync_request(channel);

	if (channel->n_resuming) {
		channel->n_resuming = request == sync ? channel->n_resuming - 1
						      : RESUME_SYNCS;
		return false;
	}
	/* Answers to earlier predecessors, which did not get further. */
	return channel->n_pending &&
	       (request != sync ||
		channel->pending[channel->first].request == sync);
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
	if (channel->n_pending == channel->n_questions ||
	    reply.header.request != channel->pending[channel->first].request)
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

static size_t write_message(uint8_t *to, uint32_t request, uint32_t flags,
			    const void *payload, uint32_t size)
{
	const struct vhost_user_header header = {
		.request = request,
		.flags = VHOST_USER_VERSION | flags,
		.size = size,
	};

	memcpy(to, &header, sizeof(header));
	if (size)
		memcpy(to + sizeof(header), payload, size);
	return sizeof(header) + size;
}

/* 0 or -errno: a unix socket takes so few bytes as a whole or not at all. */
static int send_bytes(struct vgpu_channel *channel, const uint8_t *bytes,
		      size_t n, int fd)
{
	const struct iovec part = {(void *)bytes, n};
	ssize_t sent;

	if (channel->is_dead)
		return -ECONNRESET;
	sent = vgpu_fds_send(channel->socket, &part, 1, fd, MSG_DONTWAIT);
	return sent < 0 ? (int)sent : 0;
}

static int hand_over(struct vgpu_channel *channel, uint32_t request,
		     uint32_t flags, const void *payload, uint32_t size, int fd)
{
	int r;

	if (channel->n_handover)
		return -EAGAIN;
	channel->n_handover =
		write_message(channel->handover, request, flags, payload, size);
	/* Before: a successor ends what may be begun, see end_handover(). */
	vgpu_state_commit(*channel->is_begun, 1U);
	r = send_bytes(channel, channel->handover, 1, fd);
	if (r < 0) {
		vgpu_state_commit(*channel->is_begun, 0U);
		channel->n_handover = 0;
	}
	return r;
}

static int send_message(struct vgpu_channel *channel, uint32_t request,
			uint32_t flags, const void *payload, uint32_t size,
			int fd)
{
	uint8_t bytes[HANDOVER_MAX];

	if (channel->is_dead)
		return -ECONNRESET;
	if (channel->has_handover && request != sync_request(channel))
		return hand_over(channel, request, flags, payload, size, fd);
	if (!channel->n_handover) {
		size_t n = write_message(bytes, request, flags, payload, size);

		return send_bytes(channel, bytes, n, fd);
	}
	/* The sync of what is handed over goes with it. */
	if (channel->n_questions != 1)
		return -EAGAIN;
	channel->n_handover +=
		write_message(channel->handover + channel->n_handover, request,
			      flags, payload, size);
	return 0;
}

static int on_taken(sd_event_source *source, int fd, uint32_t revents,
		    void *opaque)
{
	struct vgpu_channel *channel = opaque;
	int unread = 0;

	if (!channel->n_handover)
		return 0;
	if (ioctl(channel->socket, SIOCOUTQ, &unread) < 0 ||
	    unread > COUNTED_WHILE_WAKING)
		return 0;
	if (send_bytes(channel, channel->handover + 1, channel->n_handover - 1,
		       /* fd= */ -1) < 0) {
		end_channel(channel);
		return 0;
	}
	vgpu_state_commit(*channel->is_begun, 0U);
	channel->n_handover = 0;
	channel->n_questions = 0;
	finish_news(channel, 0);
	return 0;
}

/*
 * Make a whole, unknown message of a first byte that may have been sent: a
 * predecessor can have died before it was. So what is sent reads as whole
 * messages either way. After a first byte it is the rest of one: 11 bytes of
 * its header, and a payload of 256. Without, it is one with a payload of a
 * byte and one with a payload of 242. QEMU takes up to 268, looks at the flags
 * for one that is not set here, and knows no request of these numbers.
 */
static int end_handover(struct vgpu_channel *channel)
{
	const uint8_t rest[11 + 256] = {
		[0] = 0xff,
		[8] = 1,
		[13] = 0xff,
		[21] = 242,
	};
	int r = send_bytes(channel, rest, sizeof(rest), /* fd= */ -1);

	if (r >= 0)
		vgpu_state_commit(*channel->is_begun, 0U);
	return r;
}

void vgpu_channel_withdraw(struct vgpu_channel *channel)
{
	struct pending withdrawn[2];
	unsigned int n = channel->n_questions;

	if (!channel->n_handover)
		return;
	if (end_handover(channel) < 0) {
		end_channel(channel);
		return;
	}
	channel->n_handover = 0;
	channel->n_questions = 0;
	channel->n_pending -= n;
	for (unsigned int i = 0; i < n; i++)
		withdrawn[i] =
			channel->pending[(channel->first + channel->n_pending + i) %
					 PENDING_MAX];
	for (unsigned int i = 0; i < n; i++)
		withdrawn[i].done(withdrawn[i].opaque, -ECANCELED);
	finish_news(channel, -ECANCELED);
}

static int send_sync(struct vgpu_channel *channel)
{
	const struct vhost_user_vring_area area = {
		.index = VHOST_USER_VRING_NO_FD, /* of ring 0 */
	};

	return send_message(channel, sync_request(channel), VHOST_USER_NEED_REPLY,
			    &area, channel->has_handover ? sizeof(area) : 0,
			    /* fd= */ -1);
}

static int sync_channel(struct vgpu_channel *channel)
{
	for (int i = 0; i < RESUME_SYNCS; i++) {
		int r = send_sync(channel);

		/* Give up on a full socket: the front end does not read. */
		if (r < 0)
			return r;
	}
	channel->must_resume = false;
	channel->n_resuming = RESUME_SYNCS;
	return 0;
}

/* Learn when the front end has read what was sent: each time, and only then. */
static int watch_taken(sd_event *event, struct vgpu_channel *channel)
{
	vgpu_autoclose int fd = fcntl(channel->socket, F_DUPFD_CLOEXEC, 3);
	int r;

	if (fd < 0)
		return -errno;
	r = sd_event_add_io(event, &channel->taken, fd, EPOLLOUT | EPOLLET,
			    on_taken, channel);
	if (r < 0)
		return r;
	sd_event_source_set_io_fd_own(channel->taken, true);
	vgpu_steal_fd(&fd);
	return 0;
}

int vgpu_channel_create(sd_event *event, int socket, bool has_replies,
			bool is_resumed, uint32_t *is_begun,
			struct vgpu_channel **ret_channel)
{
	struct vgpu_channel *channel = calloc(1, sizeof(*channel));
	int r;

	if (!channel)
		return -ENOMEM;
	channel->socket = socket;
	channel->has_replies = has_replies;
	channel->has_handover = is_begun;
	channel->is_begun = is_begun;
	channel->must_resume = is_resumed && has_replies;
	r = sd_event_add_io(event, &channel->source, socket, EPOLLIN,
			    on_readable, channel);
	if (r >= 0 && is_begun)
		r = watch_taken(event, channel);
	if (r < 0) {
		vgpu_channel_destroy(channel);
		return r;
	}
	/* QEMU waits for it, whether the rings run or not. */
	if (is_begun && *is_begun && end_handover(channel) < 0)
		end_channel(channel);
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

int vgpu_channel_config_changed(struct vgpu_channel *channel,
				vgpu_channel_done *done, void *opaque)
{
	int r = send_message(channel, VHOST_USER_BACKEND_CONFIG_CHANGE_MSG, 0,
			     NULL, 0, /* fd= */ -1);

	if (r < 0)
		return r;
	if (channel->has_handover) {
		channel->told = done;
		channel->told_opaque = opaque;
	} else {
		done(opaque, 0);
	}
	return 0;
}

/* Room for a question's answer, and none of a predecessor's to come. */
static int prepare_question(struct vgpu_channel *channel)
{
	if (channel->must_resume) {
		int r = sync_channel(channel);

		if (r < 0)
			return r;
	}
	return channel->n_pending == PENDING_MAX || channel->n_resuming ? -EAGAIN
									: 0;
}

static void add_question(struct vgpu_channel *channel, uint32_t request,
			 vgpu_channel_done *done, void *opaque)
{
	unsigned int last;

	if (!channel->has_replies) {
		done(opaque, 0);
		return;
	}
	last = (channel->first + channel->n_pending++) % PENDING_MAX;
	channel->pending[last] = (struct pending){request, done, opaque};
	channel->n_questions += channel->n_handover != 0;
}

static int send_question(struct vgpu_channel *channel, uint32_t request,
			 const void *payload, uint32_t size, int fd,
			 vgpu_channel_done *done, void *opaque)
{
	uint32_t flags = channel->has_replies ? VHOST_USER_NEED_REPLY : 0;
	int r = prepare_question(channel);

	if (r >= 0)
		r = send_message(channel, request, flags, payload, size, fd);
	if (r < 0)
		return r;
	add_question(channel, request, done, opaque);
	return 0;
}

int vgpu_channel_sync(struct vgpu_channel *channel, vgpu_channel_done *done,
		      void *opaque)
{
	int r = prepare_question(channel);

	if (r >= 0)
		r = send_sync(channel);
	if (r < 0)
		return r;
	add_question(channel, sync_request(channel), done, opaque);
	return 0;
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
