/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Handlers of vhost-user messages, and the table that checks them. */
#include <stdarg.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <fcntl.h>

#include "device/vhost/internal.h"
#include "lib/util.h"

#define PROTOCOL_FEATURES                                                      \
	(1ULL << VHOST_USER_PROTOCOL_F_MQ |                                    \
	 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |                             \
	 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ |                           \
	 1ULL << VHOST_USER_PROTOCOL_F_CONFIG |                                \
	 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |                       \
	 1ULL << VHOST_USER_PROTOCOL_F_HOST_NOTIFIER |                         \
	 1ULL << VHOST_USER_PROTOCOL_F_RESET_DEVICE |                          \
	 1ULL << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |                   \
	 1ULL << VHOST_USER_PROTOCOL_F_SHMEM)

/* What QEMU 11.1.3 can handle. */
#define MEM_SLOTS 512

/*
 * QEMU's vhost-user-vga offers the guest this without asking its back end, and
 * passes on what the guest accepts: VIRTIO_F_RING_RESET (virtio 1.3, 6), which
 * is between the guest and QEMU.
 */
#define VMM_FEATURES (1ULL << 40)

typedef int handler(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message);

int vgpu_vhost_violation(struct vgpu_vhost *vhost, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(vhost->fault, sizeof(vhost->fault), fmt, args);
	va_end(args);
	return -EPROTO;
}

static int reply_u64(struct vgpu_vhost_message *message, uint64_t value)
{
	message->reply.u64 = value;
	message->reply.size = sizeof(value);
	return 0;
}

static uint64_t features(const struct vgpu_vhost *vhost)
{
	return vgpu_virtio_features(vhost->virtio) |
	       1ULL << VHOST_USER_F_PROTOCOL_FEATURES;
}

/* The queue that a message is about, NULL with vhost->fault if none. */
static struct vgpu_state_queue *queue_of(struct vgpu_vhost *vhost, uint32_t index)
{
	if (index < VGPU_STATE_QUEUES)
		return &vhost->state->queue[index];
	vgpu_vhost_violation(vhost, "queue %u of %u", index, VGPU_STATE_QUEUES);
	return NULL;
}

/* The guest's driver starts again, with the features accepted before. */
static void reset_model(struct vgpu_vhost *vhost)
{
	vgpu_virtio_reset_model(vhost->virtio);
	vgpu_virtio_set_features(vhost->virtio, vhost->state->features);
}

static int get_features(struct vgpu_vhost *vhost,
			struct vgpu_vhost_message *message)
{
	return reply_u64(message, features(vhost));
}

static int set_features(struct vgpu_vhost *vhost,
			struct vgpu_vhost_message *message)
{
	struct vgpu_state *state = vhost->state;
	uint64_t accepted = message->u64 & ~VMM_FEATURES;

	if (accepted & ~features(vhost))
		return vgpu_vhost_violation(
			vhost, "features 0x%llx that were not offered",
			(unsigned long long)(accepted & ~features(vhost)));
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		if (state->queue[i].is_started && state->features != accepted)
			return vgpu_vhost_violation(
				vhost, "other features while queue %u runs", i);
		if (!(accepted & 1ULL << VHOST_USER_F_PROTOCOL_FEATURES))
			state->queue[i].is_enabled = 1;
	}
	state->features = accepted;
	vgpu_virtio_set_features(vhost->virtio, accepted);
	return 0;
}

static int get_protocol_features(struct vgpu_vhost *vhost,
				 struct vgpu_vhost_message *message)
{
	return reply_u64(message, PROTOCOL_FEATURES);
}

static int set_protocol_features(struct vgpu_vhost *vhost,
				 struct vgpu_vhost_message *message)
{
	if (message->u64 & ~PROTOCOL_FEATURES)
		return vgpu_vhost_violation(
			vhost, "protocol features 0x%llx that were not offered",
			(unsigned long long)(message->u64 & ~PROTOCOL_FEATURES));
	vhost->state->protocol_features = message->u64;
	return 0;
}

static int get_queue_num(struct vgpu_vhost *vhost,
			 struct vgpu_vhost_message *message)
{
	return reply_u64(message, VGPU_STATE_QUEUES);
}

/*
 * The connection has started the session that SET_OWNER would; RESET_OWNER
 * should be ignored, as the specification says.
 */
static int do_nothing(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message)
{
	return 0;
}

static int set_vring_num(struct vgpu_vhost *vhost,
			 struct vgpu_vhost_message *message)
{
	struct vgpu_state_queue *queue =
		queue_of(vhost, message->vring_state.index);
	uint32_t num = message->vring_state.num;

	if (!queue)
		return -EPROTO;
	if (!num || (num & (num - 1)) || num > VGPU_STATE_QUEUE_NUM)
		return vgpu_vhost_violation(vhost, "a ring of %u", num);
	if (queue->is_started)
		return vgpu_vhost_violation(vhost,
					    "a new size for a running ring");
	vgpu_state_commit(queue->num, num);
	vgpu_virtio_resolve(vhost->virtio);
	return 0;
}

static int set_vring_addr(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	const struct vhost_user_vring_addr *addr = &message->vring_addr;
	struct vgpu_state_queue *queue = queue_of(vhost, addr->index);

	if (!queue)
		return -EPROTO;
	if (addr->flags)
		return vgpu_vhost_violation(vhost, "ring address flags 0x%x",
					    addr->flags);
	queue->desc = addr->desc;
	queue->avail = addr->avail;
	queue->used = addr->used;
	vgpu_state_commit(queue->is_addressed, 1U);
	vgpu_virtio_resolve(vhost->virtio);
	if (vgpu_virtio_is_resolved(vhost->virtio, addr->index))
		return 0;
	if (vgpu_vhost_has_memory(vhost))
		return vgpu_vhost_violation(vhost,
					    "ring %u is not in guest"
					    " memory",
					    addr->index);
	/*
	 * None of the machine's memory is shared, which QEMU 11.1 tells in no
	 * other way, and not before the guest's driver starts. It aborts if the
	 * device cannot be started then: so the guest gets one that never
	 * answers, and the machine goes on. The input devices beside the GPU
	 * would only repeat it.
	 */
	if (addr->index == 0 && vgpu_virtio_gpu(vhost->virtio))
		vhost->events->fault(
			vhost->opaque,
			"the VM shares no memory, so it cannot use the vGPU: start it with what `vgpuctl qemu-args --memory SIZE` prints, or --libvirt");
	return 0;
}

static int set_vring_base(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	struct vgpu_state_queue *queue =
		queue_of(vhost, message->vring_state.index);
	uint32_t base = message->vring_state.num;

	if (!queue)
		return -EPROTO;
	if (base > UINT16_MAX)
		return vgpu_vhost_violation(vhost, "a ring base of %u", base);
	if (queue->is_started)
		return vgpu_vhost_violation(vhost,
					    "a new base for a running ring");
	/*
	 * A ring that begins elsewhere than it ended belongs to a new driver:
	 * QEMU 11.1.3 says so in no other way. (That a reboot hits the one
	 * count in 65536 which looks like a pause is not worth more.)
	 */
	if (!message->vring_state.index && base != (uint16_t)queue->fetched)
		reset_model(vhost);
	vgpu_state_commit(queue->fetched, (uint64_t)base);
	return 0;
}

static int get_vring_base(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	uint32_t index = message->vring_state.index;
	struct vgpu_state_queue *queue = queue_of(vhost, index);
	int r;

	if (!queue)
		return -EPROTO;
	vhost->draining = index;
	r = vgpu_virtio_stop(vhost->virtio, index);
	vgpu_vhost_follow_rings(vhost);
	if (r == -EAGAIN) /* what waited for the window does no more */
		r = vgpu_virtio_stop(vhost->virtio, index);
	if (r < 0)
		return r;
	vgpu_slots_drop(vhost->slots, VGPU_SLOT_KICK + index);
	message->reply.vring_state.index = index;
	message->reply.vring_state.num = (uint16_t)queue->fetched;
	message->reply.size = sizeof(message->reply.vring_state);
	return 0;
}

/*
 * Put the eventfd of a SET_VRING_KICK, _CALL or _ERR into its slot of @slots.
 * Returns the queue's index or -EPROTO.
 */
static int take_eventfd(struct vgpu_vhost *vhost,
			struct vgpu_vhost_message *message, uint32_t slots)
{
	uint64_t index = message->u64 & VHOST_USER_VRING_INDEX_MASK;
	bool has_fd = !(message->u64 & VHOST_USER_VRING_NO_FD);
	struct stat st;
	int fd;

	if (!queue_of(vhost, (uint32_t)index))
		return -EPROTO;
	if (message->u64 >> 9)
		return vgpu_vhost_violation(vhost, "an eventfd message 0x%llx",
					    (unsigned long long)message->u64);
	if (slots == VGPU_SLOT_KICK)
		vgpu_virtio_unhook(vhost->virtio, (uint32_t)index);
	if (!has_fd) {
		vgpu_slots_drop(vhost->slots, slots + (uint32_t)index);
		return (int)index;
	}

	fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_MESSAGE);
	/*
	 * An eventfd has no file type. Make it nonblocking: we must never wait.
	 */
	if (fstat(fd, &st) < 0 || (st.st_mode & S_IFMT) ||
	    fcntl(fd, F_SETFL, O_RDWR | O_NONBLOCK) < 0)
		return vgpu_vhost_violation(vhost, "an fd that is no eventfd");
	if (vgpu_slots_copy(vhost->slots, VGPU_SLOT_MESSAGE,
			    slots + (uint32_t)index) < 0)
		return vgpu_vhost_violation(vhost, "no fd is free");
	return (int)index;
}

static int set_vring_kick(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	int index = take_eventfd(vhost, message, VGPU_SLOT_KICK);

	if (index < 0)
		return index;
	if (vgpu_virtio_start(vhost->virtio, (uint32_t)index) < 0) {
		const struct vgpu_state_queue *queue =
			&vhost->state->queue[index];

		if (queue->num && queue->is_addressed &&
		    !vgpu_vhost_has_memory(vhost))
			return 0; /* never runs: see set_vring_addr() */
		return vgpu_vhost_violation(vhost,
					    "ring %d is started before"
					    " it is set up",
					    index);
	}
	vgpu_vhost_follow_rings(vhost);
	return 0;
}

static int set_vring_call(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	return VGPU_MIN(take_eventfd(vhost, message, VGPU_SLOT_CALL), 0);
}

static int set_vring_err(struct vgpu_vhost *vhost,
			 struct vgpu_vhost_message *message)
{
	return VGPU_MIN(take_eventfd(vhost, message, VGPU_SLOT_ERROR), 0);
}

static int set_vring_enable(struct vgpu_vhost *vhost,
			    struct vgpu_vhost_message *message)
{
	uint32_t index = message->vring_state.index;
	struct vgpu_state_queue *queue = queue_of(vhost, index);

	if (!queue)
		return -EPROTO;
	if (message->vring_state.num > 1)
		return vgpu_vhost_violation(vhost, "a ring enabled by %u",
					    message->vring_state.num);
	vgpu_state_commit(queue->is_enabled, message->vring_state.num);
	vgpu_vhost_follow_rings(vhost);
	vgpu_virtio_run(vhost->virtio, index);
	return 0;
}

static int set_backend_req_fd(struct vgpu_vhost *vhost,
			      struct vgpu_vhost_message *message)
{
	int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_MESSAGE);
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || !S_ISSOCK(st.st_mode))
		return vgpu_vhost_violation(vhost, "a channel that is no socket");
	vgpu_vhost_close_channel(vhost);
	r = vgpu_slots_copy(vhost->slots, VGPU_SLOT_MESSAGE,
			    VGPU_SLOT_BACKEND_REQ);
	if (r < 0)
		return r;
	return vgpu_vhost_open_channel(vhost, /* is_resumed= */ false);
}

/* Of the protocol in device/display/console_abi.h: QEMU's docs/interop. */
static int gpu_set_socket(struct vgpu_vhost *vhost,
			  struct vgpu_vhost_message *message)
{
	int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_MESSAGE);
	socklen_t length = sizeof(int);
	int r, type;

	if (!vgpu_virtio_gpu(vhost->virtio))
		return vgpu_vhost_violation(vhost, "a display for no GPU");
	if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length) < 0 ||
	    type != SOCK_STREAM)
		return vgpu_vhost_violation(
			vhost, "a display that is no stream socket");
	vgpu_vhost_close_console(vhost);
	r = vgpu_slots_copy(vhost->slots, VGPU_SLOT_MESSAGE, VGPU_SLOT_DISPLAY);
	if (r < 0)
		return r;
	return vgpu_vhost_open_console(vhost);
}

static int get_config(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message)
{
	uint8_t space[VHOST_USER_CONFIG_MAX];
	const struct vhost_user_config *in = &message->config;

	if (in->offset > sizeof(space) || in->size > sizeof(space) - in->offset ||
	    message->header.size != VHOST_USER_CONFIG_HEADER + in->size)
		return vgpu_vhost_violation(vhost,
					    "config space of %u bytes at %u",
					    in->size, in->offset);
	static_assert(sizeof(space) == VGPU_MODEL_CONFIG_MAX, "config space");
	vgpu_virtio_config_read(vhost->virtio, space);
	message->reply.config.offset = in->offset;
	message->reply.config.size = in->size;
	message->reply.config.flags = in->flags;
	memcpy(message->reply.config.data, space + in->offset, in->size);
	message->reply.size = message->header.size;
	return 0;
}

static int set_config(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message)
{
	const struct vhost_user_config *in = &message->config;
	int r;

	if (in->size > sizeof(in->data) ||
	    message->header.size != VHOST_USER_CONFIG_HEADER + in->size)
		return vgpu_vhost_violation(vhost,
					    "config space of %u bytes at %u",
					    in->size, in->offset);
	r = vgpu_virtio_config_write(vhost->virtio, in->offset, in->data,
				     in->size);
	/* The guest did that: keep the connection. */
	if (r < 0)
		vhost->events->fault(vhost->opaque,
				     "a write beyond the config space");
	return 0;
}

static int reset_device(struct vgpu_vhost *vhost,
			struct vgpu_vhost_message *message)
{
	vgpu_virtio_reset(vhost->virtio);
	vgpu_vhost_follow_rings(vhost);
	vgpu_virtio_set_features(vhost->virtio, vhost->state->features);
	return 0;
}

static int get_max_mem_slots(struct vgpu_vhost *vhost,
			     struct vgpu_vhost_message *message)
{
	/*
	 * Each mapping in a window, ours or another vGPU's, takes a slot of the
	 * front end's; we keep none of them.
	 */
	return reply_u64(message, MEM_SLOTS);
}

static int get_shmem_config(struct vgpu_vhost *vhost,
			    struct vgpu_vhost_message *message)
{
	struct vhost_user_shmem_config *config = &message->reply.shmem_config;

	memset(config, 0, sizeof(*config));
	config->bytes[VHOST_USER_SHMID_WINDOW] = vhost->host_visible_bytes;
	config->n_regions = vhost->host_visible_bytes ? 1 : 0;
	message->reply.size = sizeof(*config);
	return 0;
}

#define NO_FEATURE 64

/* Payload sizes are minimum and maximum; see fds_of() for fds. */
static const struct rule {
	handler *handle;
	uint16_t size_min;
	uint16_t size_max;
	uint8_t feature; /* that must have been negotiated, or NO_FEATURE */
} rules[VHOST_USER_MAX] = {
#define RULE(name, smin, smax, feat, fn)                                       \
	[VHOST_USER_##name] = {fn, smin, smax, feat}
	RULE(GET_FEATURES, 0, 0, NO_FEATURE, get_features),
	RULE(SET_FEATURES, 8, 8, NO_FEATURE, set_features),
	RULE(SET_OWNER, 0, 0, NO_FEATURE, do_nothing),
	RULE(RESET_OWNER, 0, 0, NO_FEATURE, do_nothing),
	RULE(SET_MEM_TABLE, 8, sizeof(struct vhost_user_memory), NO_FEATURE,
	     vgpu_vhost_set_mem_table),
	RULE(SET_VRING_NUM, 8, 8, NO_FEATURE, set_vring_num),
	RULE(SET_VRING_ADDR, 40, 40, NO_FEATURE, set_vring_addr),
	RULE(SET_VRING_BASE, 8, 8, NO_FEATURE, set_vring_base),
	RULE(GET_VRING_BASE, 8, 8, NO_FEATURE, get_vring_base),
	RULE(SET_VRING_KICK, 8, 8, NO_FEATURE, set_vring_kick),
	RULE(SET_VRING_CALL, 8, 8, NO_FEATURE, set_vring_call),
	RULE(SET_VRING_ERR, 8, 8, NO_FEATURE, set_vring_err),
	RULE(GET_PROTOCOL_FEATURES, 0, 0, NO_FEATURE, get_protocol_features),
	RULE(SET_PROTOCOL_FEATURES, 8, 8, NO_FEATURE, set_protocol_features),
	RULE(GET_QUEUE_NUM, 0, 0, VHOST_USER_PROTOCOL_F_MQ, get_queue_num),
	RULE(SET_VRING_ENABLE, 8, 8, NO_FEATURE, set_vring_enable),
	RULE(SET_BACKEND_REQ_FD, 0, 0, VHOST_USER_PROTOCOL_F_BACKEND_REQ,
	     set_backend_req_fd),
	RULE(GET_CONFIG, VHOST_USER_CONFIG_HEADER,
	     sizeof(struct vhost_user_config), VHOST_USER_PROTOCOL_F_CONFIG,
	     get_config),
	RULE(SET_CONFIG, VHOST_USER_CONFIG_HEADER,
	     sizeof(struct vhost_user_config), VHOST_USER_PROTOCOL_F_CONFIG,
	     set_config),
	RULE(GPU_SET_SOCKET, 0, 0, NO_FEATURE, gpu_set_socket),
	RULE(RESET_DEVICE, 0, 0, VHOST_USER_PROTOCOL_F_RESET_DEVICE, reset_device),
	RULE(GET_MAX_MEM_SLOTS, 0, 0, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
	     get_max_mem_slots),
	RULE(ADD_MEM_REG, 40, 40, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
	     vgpu_vhost_add_mem_reg),
	RULE(REM_MEM_REG, 40, 40, VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS,
	     vgpu_vhost_rem_mem_reg),
	RULE(GET_SHMEM_CONFIG, 0, 0, VHOST_USER_PROTOCOL_F_SHMEM,
	     get_shmem_config),
#undef RULE
};

int vgpu_vhost_check(struct vgpu_vhost *vhost,
		     const struct vhost_user_header *header)
{
	uint64_t negotiated = vhost->state->protocol_features;
	const struct rule *rule;

	if ((header->flags & VHOST_USER_VERSION_MASK) != VHOST_USER_VERSION ||
	    (header->flags & ~(VHOST_USER_VERSION_MASK | VHOST_USER_NEED_REPLY)))
		return vgpu_vhost_violation(vhost, "message %u with flags 0x%x",
					    header->request, header->flags);
	if (header->request >= VHOST_USER_MAX || !rules[header->request].handle)
		return vgpu_vhost_violation(vhost, "unknown message %u",
					    header->request);
	rule = &rules[header->request];
	if (header->size < rule->size_min || header->size > rule->size_max)
		return vgpu_vhost_violation(vhost, "message %u with %u bytes",
					    header->request, header->size);
	if (rule->feature != NO_FEATURE && !(negotiated >> rule->feature & 1))
		return vgpu_vhost_violation(
			vhost, "message %u without protocol feature %u",
			header->request, rule->feature);
	return 0;
}

uint32_t vgpu_vhost_fds_of(const struct vgpu_vhost_message *message)
{
	switch (message->header.request) {
	case VHOST_USER_SET_BACKEND_REQ_FD:
	case VHOST_USER_GPU_SET_SOCKET:
	case VHOST_USER_ADD_MEM_REG:
		return 1;
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		return message->u64 & VHOST_USER_VRING_NO_FD ? 0 : 1;
	case VHOST_USER_SET_MEM_TABLE:
		return message->memory.n_regions;
	default:
		return 0;
	}
}

int vgpu_vhost_handle(struct vgpu_vhost *vhost, struct vgpu_vhost_message *message)
{
	int r;

	/* Check it: it may come from a corrupted state block. */
	r = vgpu_vhost_check(vhost, &message->header);
	if (r < 0)
		return r;
	if (message->n_fds != vgpu_vhost_fds_of(message))
		return vgpu_vhost_violation(vhost, "message %u with %u fds",
					    message->header.request,
					    message->n_fds);
	return rules[message->header.request].handle(vhost, message);
}
