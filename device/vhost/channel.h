/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The back-end channel: requests that the device makes of the front end. */
#ifndef VGPU_DEVICE_VHOST_CHANNEL_H
#define VGPU_DEVICE_VHOST_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

struct vgpu_channel;

/* The front end's answer to a request: 0, or -errno. */
typedef void vgpu_channel_done(void *opaque, int status);

/*
 * @socket stays the caller's. With @has_replies (REPLY_ACK was negotiated)
 * requests are answered by the front end, else at once. With @is_resumed a
 * predecessor may have left requests unanswered: none is taken before they are.
 * With @is_begun (VHOST_USER_PROTOCOL_F_HOST_NOTIFIER was negotiated) messages
 * are handed over one by one, and can be withdrawn until the front end has
 * begun to read them. It is a word of the state block, and says that a
 * predecessor may have begun one: that is ended. Else nothing is sent before
 * the first request.
 */
int vgpu_channel_create(sd_event *event, int socket, bool has_replies,
			bool is_resumed, uint32_t *is_begun,
			struct vgpu_channel **ret_channel);
/* Requests in flight are completed with -ECONNRESET. NULL is fine. */
void vgpu_channel_destroy(struct vgpu_channel *channel);

/*
 * The rings are to stop: what the front end has not begun to read is completed
 * with -ECANCELED, and has no effect.
 */
void vgpu_channel_withdraw(struct vgpu_channel *channel);

/* All below return 0, or -EAGAIN if the channel is full: try again later. */
/* @done is called once, later or at once, when it can be withdrawn no more. */
int vgpu_channel_config_changed(struct vgpu_channel *channel,
				vgpu_channel_done *done, void *opaque);

/*
 * @done is called when all that was asked before is in effect: QEMU 11.1.3
 * answers a map before the guest can use it, but does one after the other.
 * Never twice without a map or unmap in between.
 */
int vgpu_channel_sync(struct vgpu_channel *channel, vgpu_channel_done *done,
		      void *opaque);

/*
 * Map [fd_offset, fd_offset + bytes) of @fd at @shm_offset of the shared
 * memory region @shmid, or unmap exactly such a range. @done is called once,
 * later or at once, if 0 was returned.
 */
int vgpu_channel_map(struct vgpu_channel *channel, uint8_t shmid, int fd,
		     uint64_t fd_offset, uint64_t shm_offset, uint64_t bytes,
		     bool is_writable, vgpu_channel_done *done, void *opaque);
int vgpu_channel_unmap(struct vgpu_channel *channel, uint8_t shmid,
		       uint64_t shm_offset, uint64_t bytes,
		       vgpu_channel_done *done, void *opaque);

#endif
