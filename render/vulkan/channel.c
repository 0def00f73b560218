/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets to vgpu-device. */
#include "recording.h"

#include <string.h>
#include <sys/socket.h>

void vgpu_channel_init(struct vgpu_channel *channel)
{
	pthread_mutex_init(&channel->command_lock, NULL);
	pthread_mutex_init(&channel->memory_lock, NULL);
}

/* Bytes of the packet, 0 at the end, -errno. */
static ssize_t receive(int socket, struct vgpu_render_message *ret_message,
		       void *data, size_t data_max, int *ret_fds,
		       unsigned int *ret_n_fds)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(int) * VGPU_RENDER_FDS_MAX)];
	} control;
	struct iovec iov[2] = {
		{ret_message, sizeof(*ret_message)},
		{data, data_max},
	};
	struct msghdr msg = {
		.msg_iov = iov,
		.msg_iovlen = data ? 2 : 1,
		.msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg;
	ssize_t n;

	do {
		n = recvmsg(socket, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n <= 0)
		return n < 0 ? -errno : 0;

	*ret_n_fds = 0;
	for (cmsg = CMSG_FIRSTHDR(&msg); cmsg; cmsg = CMSG_NXTHDR(&msg, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET ||
		    cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		*ret_n_fds = (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		memcpy(ret_fds, CMSG_DATA(cmsg), *ret_n_fds * sizeof(int));
	}
	if (msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
	    (size_t)n < sizeof(*ret_message))
		return -EPROTO;
	return n;
}

int vgpu_channel_receive(struct vgpu_context *ctx,
			 struct vgpu_render_message *ret_message, void *data,
			 size_t data_max, int *ret_fds, unsigned int *ret_n_fds)
{
	ssize_t n;

	if (ctx->replay)
		return vgpu_replay_receive(ctx, ret_message, data, data_max,
					   ret_fds, ret_n_fds);
	n = receive(VGPU_RENDER_FD_COMMAND, ret_message, data, data_max,
		    ret_fds, ret_n_fds);
	if (n == 0)
		return -ECONNRESET;
	if (n < 0)
		return (int)n;
	ctx->channel.seq_before = ctx->channel.seq;
	ctx->channel.seq = ret_message->seq;
	n -= (ssize_t)sizeof(*ret_message);
	vgpu_record_message(ctx, ret_message, *ret_n_fds, data, (size_t)n);
	return (int)n;
}

static void send_packet(int socket, const struct vgpu_render_message *message,
			const void *data, size_t bytes, const int *fd,
			unsigned int n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(VGPU_RENDER_FILES_MAX * sizeof(int))];
	} control = {};
	struct iovec iov[2] = {
		{(void *)message, sizeof(*message)},
		{(void *)data, bytes},
	};
	struct msghdr msg = {.msg_iov = iov, .msg_iovlen = bytes ? 2 : 1};
	ssize_t n;

	if (n_fds) {
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fd, n_fds * sizeof(int));
	}
	do {
		n = sendmsg(socket, &msg, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		_exit(0); /* the device has gone: nobody is left to serve */
}

void vgpu_channel_send(struct vgpu_context *ctx,
		       const struct vgpu_render_message *message,
		       const void *data, size_t bytes)
{
	if (ctx->replay)
		return;
	atomic_fetch_add(&ctx->n_asking, 1);
	pthread_mutex_lock(&ctx->channel.command_lock);
	send_packet(VGPU_RENDER_FD_COMMAND, message, data, bytes, NULL, 0);
	pthread_mutex_unlock(&ctx->channel.command_lock);
	atomic_fetch_sub(&ctx->n_asking, 1);
}

void vgpu_channel_send_files(struct vgpu_context *ctx,
			     const struct vgpu_render_message *message,
			     const int *fd, unsigned int n_fds)
{
	if (ctx->replay)
		return;
	pthread_mutex_lock(&ctx->channel.command_lock);
	send_packet(VGPU_RENDER_FD_COMMAND, message, NULL, 0, fd, n_fds);
	pthread_mutex_unlock(&ctx->channel.command_lock);
}

/* Returns whether @ret_answer is to question @id, and not to one before it. */
static bool receive_answer(uint64_t id, struct vgpu_render_message *ret_answer,
			   int *ret_fds, unsigned int *ret_n_fds)
{
	ssize_t n = receive(VGPU_RENDER_FD_MEMORY, ret_answer, NULL, 0, ret_fds,
			    ret_n_fds);

	if (n <= 0 || ret_answer->id > id)
		_exit(0);
	if (ret_answer->id == id)
		return true;
	while (*ret_n_fds)
		close(ret_fds[--*ret_n_fds]);
	return false;
}

void vgpu_channel_ask(struct vgpu_context *ctx,
		      struct vgpu_render_message *message, int *ret_fd)
{
	int fds[VGPU_RENDER_FDS_MAX];
	unsigned int n_fds = 0;
	uint32_t type = message->type;

	atomic_fetch_add(&ctx->n_asking, 1);
	pthread_mutex_lock(&ctx->channel.memory_lock);
	message->id = ++ctx->channel.last_question;
	send_packet(VGPU_RENDER_FD_MEMORY, message, NULL, 0, NULL, 0);
	while (!receive_answer(ctx->channel.last_question, message, fds, &n_fds))
		;
	if (message->type != type || n_fds > 1)
		_exit(0);
	pthread_mutex_unlock(&ctx->channel.memory_lock);
	atomic_fetch_sub(&ctx->n_asking, 1);
	*ret_fd = n_fds ? fds[0] : -1;
}
