/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of the vhost-user back end share. */
#ifndef VGPU_DEVICE_VHOST_INTERNAL_H
#define VGPU_DEVICE_VHOST_INTERNAL_H

#include "device/vhost/abi.h"
#include "device/vhost/channel.h"
#include "device/vhost/vhost.h"
#include "device/vhost/window.h"

struct vgpu_vhost {
	struct vgpu_transport transport;
	sd_event *event;
	struct vgpu_state *state;
	struct vgpu_slots *slots;
	struct vgpu_virtio *virtio;
	uint64_t host_visible_bytes;
	const struct vgpu_transport_events *events;
	void *opaque;
	struct vgpu_channel *channel;
	struct vgpu_window *window;
	sd_event_source *listening;
	sd_event_source *connection;
	sd_event_source *step;	   /* go on with messages */
	sd_event_source *deadline; /* of a message that waits, or its rest */
	sd_event_source *config_retry; /* the channel was full */
	uint32_t draining;	       /* queue that a message waits for */
	bool is_waiting; /* the message being handled waits for a queue */
	bool is_blocked; /* the answer waits for room in the socket */
	bool has_hung_up;
	sd_event_source *holder; /* holder.c: the end of who was cut off */
	int32_t holder_pid;
	char fault[VGPU_CONTROL_TEXT_MAX]; /* why a handler said -EPROTO */
};

/* A message and the answer to it. */
struct vgpu_vhost_message {
	struct vhost_user_header header;
	uint32_t n_fds; /* in VGPU_SLOT_MESSAGE */
	union {
		uint64_t u64;
		struct vhost_user_memory memory;
		struct vhost_user_single_region single_region;
		struct vhost_user_vring_state vring_state;
		struct vhost_user_vring_addr vring_addr;
		struct vhost_user_config config;
		uint8_t payload[VGPU_STATE_PAYLOAD_MAX];
	};
	struct {
		uint32_t size; /* 0: the message asks for no answer */
		union {
			uint64_t u64;
			struct vhost_user_vring_state vring_state;
			struct vhost_user_config config;
			struct vhost_user_shmem_config shmem_config;
		};
	} reply;
};

/* holder.c */
/*
 * The front end was disconnected, and its process still has the vGPU's memory
 * mapped.
 */
void vgpu_vhost_hold(struct vgpu_vhost *vhost);
/* Whether a process other than @connection's still has it mapped. */
bool vgpu_vhost_is_held_from(struct vgpu_vhost *vhost, int connection);

/*
 * Carry @message out; what it does may have been done before, by a
 * predecessor that was killed. 0; -EAGAIN if it has to wait for
 * vhost->draining; -EPROTO, with vhost->fault, if the front end must not have
 * sent it; another -errno if it could not be done. (handlers.c)
 */
int vgpu_vhost_handle(struct vgpu_vhost *vhost,
		      struct vgpu_vhost_message *message);
/*
 * Check what can be checked before a message is consumed: 0 or -EPROTO with
 * vhost->fault. (handlers.c)
 */
int vgpu_vhost_check(struct vgpu_vhost *vhost,
		     const struct vhost_user_header *header);
/* How many fds come with a message like this. (handlers.c) */
uint32_t vgpu_vhost_fds_of(const struct vgpu_vhost_message *message);
/* Say in vhost->fault what is wrong; returns -EPROTO. (handlers.c) */
__attribute__((format(printf, 2, 3))) int
vgpu_vhost_violation(struct vgpu_vhost *vhost, const char *fmt, ...);

/* Map the guest memory that the state block lists. (memory_table.c) */
int vgpu_vhost_map_memory(struct vgpu_vhost *vhost);
void vgpu_vhost_forget_memory(struct vgpu_vhost *vhost);
/* Whether the front end has sent any guest memory. (memory_table.c) */
bool vgpu_vhost_has_memory(const struct vgpu_vhost *vhost);
int vgpu_vhost_set_mem_table(struct vgpu_vhost *vhost,
			     struct vgpu_vhost_message *message);
int vgpu_vhost_add_mem_reg(struct vgpu_vhost *vhost,
			   struct vgpu_vhost_message *message);
int vgpu_vhost_rem_mem_reg(struct vgpu_vhost *vhost,
			   struct vgpu_vhost_message *message);

/*
 * Make the channel of the socket in its slot, which a predecessor may have
 * used, or close it. (vhost.c)
 */
int vgpu_vhost_open_channel(struct vgpu_vhost *vhost, bool is_resumed);
void vgpu_vhost_close_channel(struct vgpu_vhost *vhost);
/*
 * Show the heads on the front end's own display, whose socket is in its slot,
 * or no more. Open returns 0 or -errno. (vhost.c)
 */
int vgpu_vhost_open_console(struct vgpu_vhost *vhost);
void vgpu_vhost_close_console(struct vgpu_vhost *vhost);
/* True if the front end can map into the window for us. (vhost.c) */
bool vgpu_vhost_has_window(const struct vgpu_vhost *vhost);
/*
 * The control queue may have started or stopped: the back-end channel is used
 * while it runs, and at no other time. QEMU 11.1 dies of what it reads there
 * before the guest's driver is up or after it has gone. (vhost.c)
 */
void vgpu_vhost_follow_rings(struct vgpu_vhost *vhost);

/*
 * The connection: read, carry out and answer messages until there is none, or
 * one has to wait. 0, or -errno if the connection is to be dropped:
 * -ECONNRESET if the front end closed it, else with vhost->fault.
 * (connection.c)
 */
int vgpu_vhost_step(struct vgpu_vhost *vhost);
/* A predecessor may have been killed in the middle of a message. */
int vgpu_vhost_resume_message(struct vgpu_vhost *vhost);
/* Forget the message that was being handled. */
void vgpu_vhost_forget_message(struct vgpu_vhost *vhost);

#endif
