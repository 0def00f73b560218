/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes a whole device process: its front end, its manager, its state. */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "device/device.h"
#include "device/gpu/abi.h"
#include "device/state_abi.h"
#include "device/vhost/abi.h"
#include "fuzz/input.h"
#include "fuzz/render_double.h"
#include "lib/control.h"
#include "lib/fds.h"

/*
 * An input is a program: a step is a vhost-user message that is mostly right,
 * with fds of every kind; a chain of descriptors in a ring of the guest; an
 * answer about the window; a message of vgpud's; something that a render
 * process does; or the death of the process, after which another one goes on
 * from a state block that may have been tampered with.
 */
#define STEPS_MAX	  120
#define GUEST_BYTES	  (256U * 1024)
#define SEGMENT_BYTES	  (256U * 1024)
#define SEGMENTS	  2
#define FRAMEBUFFER_BYTES (SEGMENTS * SEGMENT_BYTES)
#define HOST_MEMORY_BYTES (512ULL << 20)
#define USER_BASE	  0x7f0000000000ULL
#define RING_NUM	  16
#define BUFFERS		  0x10000 /* of guest memory; below are the rings */
#define CAPSET_BYTES	  160

struct descriptor {
	uint64_t address;
	uint32_t bytes;
	uint16_t flags;
	uint16_t next;
};

static sd_event *event;
static struct vgpu_slots *slots;
static struct vgpu_device *device;
static struct vgpu_device_config config;
static int manager = -1;  /* vgpud's end */
static int frontend = -1; /* the VMM's end */
static int channel = -1;  /* the VMM's end of the back-end channel */
static int guest_fd = -1;
static uint8_t *guest;
static int kick[VGPU_STATE_QUEUES] = {-1, -1};
static uint16_t available[VGPU_STATE_QUEUES];
static uint8_t said[4096]; /* by the front end, but not sent yet */
static size_t said_bytes;

static void run_events(void)
{
	/* Bounded, for a source that never rests is a finding, not a wait. */
	for (int i = 0; sd_event_run(event, 0) > 0; i++)
		FUZZ_CHECK(i < 100000);
}

static int make_memory(uint64_t bytes)
{
	int fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	FUZZ_CHECK(fd >= 0 && ftruncate(fd, (off_t)bytes) == 0);
	return fd;
}

/* A socket that listens at an abstract name, which the kernel chooses. */
static int make_listening(int type)
{
	const struct sockaddr_un any = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	FUZZ_CHECK(fd >= 0 && bind(fd, (const struct sockaddr *)&any,
				   sizeof(sa_family_t)) == 0);
	FUZZ_CHECK(listen(fd, 16) == 0);
	return fd;
}

static int connect_to(uint32_t slot, int type)
{
	struct sockaddr_un address = {};
	socklen_t length = sizeof(address);
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	FUZZ_CHECK(fd >= 0);
	FUZZ_CHECK(getsockname(vgpu_slots_get(slots, slot),
			       (struct sockaddr *)&address, &length) == 0);
	if (connect(fd, (struct sockaddr *)&address, length) < 0)
		fd = vgpu_close(fd);
	return fd;
}

/* One of a kind; *ret_fd is the caller's. */
static int make_fd(uint8_t kind)
{
	int pair[2] = {-1, -1};
	int fd;

	switch (kind % 14) {
	case 0:
	case 1:
		return fcntl(guest_fd, F_DUPFD_CLOEXEC, 3);
	case 2:
		return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	case 3:
		return eventfd(1, EFD_CLOEXEC);
	case 4:
		return make_memory(4096);
	case 5:
		fd = make_memory(GUEST_BYTES);
		FUZZ_CHECK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE) == 0);
		return fd;
	case 6:
		FUZZ_CHECK(pipe2(pair, O_CLOEXEC) == 0);
		break;
	case 7:
	case 8:
		FUZZ_CHECK(socketpair(AF_UNIX,
				      kind & 0x80 ? SOCK_SEQPACKET : SOCK_STREAM,
				      0, pair) == 0);
		break;
	case 9:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 10:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	case 11:
		return open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	case 12:
		return fcntl(vgpu_slots_get(slots, VGPU_SLOT_SEGMENT),
			     F_DUPFD_CLOEXEC, 3);
	default:
		return socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	}
	close(pair[1]);
	return pair[0];
}

/* Send what was said, or its first @max bytes, with @n fds. */
static void send_said(size_t max, const int *fds, size_t n)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(40 * sizeof(int))];
	} control = {};
	struct iovec iov = {said, VGPU_MIN(max, said_bytes)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t sent;

	if (frontend < 0 || !iov.iov_len)
		return;
	if (n) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n * sizeof(int));
	}
	sent = sendmsg(frontend, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	if (sent <= 0)
		return;
	said_bytes -= (size_t)sent;
	memmove(said, said + sent, said_bytes);
}

static void say(const void *bytes, size_t n)
{
	n = VGPU_MIN(n, sizeof(said) - said_bytes);
	if (n)
		memcpy(said + said_bytes, bytes, n);
	said_bytes += n;
}

static void say_message(uint32_t request, uint32_t flags, uint32_t size,
			const void *payload, size_t bytes)
{
	const struct vhost_user_header header = {request, flags, size};

	say(&header, sizeof(header));
	say(payload, bytes);
}

/* A good message, at once. */
static void tell(uint32_t request, const void *payload, size_t bytes, int fd)
{
	say_message(request, VHOST_USER_VERSION, (uint32_t)bytes, payload, bytes);
	send_said(SIZE_MAX, &fd, fd >= 0);
}

static void tell_u64(uint32_t request, uint64_t value, int fd)
{
	tell(request, &value, sizeof(value), fd);
}

/* Read all there is of a socket, and close the fds that come. */
static void drain(int socket)
{
	uint8_t bytes[4096];
	char space[CMSG_SPACE(4 * sizeof(int))];
	struct iovec iov = {bytes, sizeof(bytes)};
	int fds[4] = {};

	for (;;) {
		struct msghdr header = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = space,
			.msg_controllen = sizeof(space),
		};

		if (socket < 0 || recvmsg(socket, &header,
					  MSG_DONTWAIT | MSG_CMSG_CLOEXEC) <= 0)
			return;
		for (size_t n = vgpu_fds_take(&header, fds, 4); n > 0; n--)
			close(fds[n - 1]);
	}
}

static uint64_t ring_at(uint32_t index)
{
	return 0x1000 + index * 0x4000ULL;
}

static void set_up_ring(uint32_t index)
{
	const uint64_t at = ring_at(index);
	const struct vhost_user_vring_state num = {index, RING_NUM};
	const struct vhost_user_vring_state zero = {index, 0};
	const struct vhost_user_vring_state one = {index, 1};
	const struct vhost_user_vring_addr addr = {
		.index = index,
		.desc = USER_BASE + at,
		.avail = USER_BASE + at + 0x1000,
		.used = USER_BASE + at + 0x2000,
	};

	tell(VHOST_USER_SET_VRING_NUM, &num, sizeof(num), -1);
	tell(VHOST_USER_SET_VRING_BASE, &zero, sizeof(zero), -1);
	tell(VHOST_USER_SET_VRING_ADDR, &addr, sizeof(addr), -1);
	vgpu_close(kick[index]);
	kick[index] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	tell_u64(VHOST_USER_SET_VRING_KICK, index, kick[index]);
	tell(VHOST_USER_SET_VRING_ENABLE, &one, sizeof(one), -1);
	memset(guest + at, 0, 0x4000);
	available[index] = 0;
}

static void leave(void)
{
	frontend = vgpu_close(frontend);
	channel = vgpu_close(channel);
	said_bytes = 0;
}

/* All that a VMM says till a guest's driver runs; @how leaves something out. */
static void begin_frontend(uint8_t how)
{
	const struct vhost_user_memory memory = {
		.n_regions = 1,
		.region = {{0, GUEST_BYTES, USER_BASE, 0}},
	};
	const uint64_t features = 1ULL << VHOST_USER_F_PROTOCOL_FEATURES |
				  1ULL << 32 | 1ULL << 28 | 0x1f;
	int pair[2];

	leave();
	run_events();
	frontend = connect_to(VGPU_SLOT_LISTEN, SOCK_STREAM);
	run_events();
	if (!(how & 1))
		tell_u64(VHOST_USER_SET_PROTOCOL_FEATURES,
			 1ULL << VHOST_USER_PROTOCOL_F_MQ |
				 1ULL << VHOST_USER_PROTOCOL_F_REPLY_ACK |
				 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_REQ |
				 1ULL << VHOST_USER_PROTOCOL_F_CONFIG |
				 1ULL << VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD |
				 1ULL << VHOST_USER_PROTOCOL_F_RESET_DEVICE |
				 1ULL << VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS |
				 1ULL << VHOST_USER_PROTOCOL_F_SHMEM,
			 -1);
	if (!(how & 2) && !(how & 1)) {
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0,
				      pair) == 0);
		channel = pair[0];
		tell(VHOST_USER_SET_BACKEND_REQ_FD, NULL, 0, pair[1]);
		close(pair[1]);
	}
	tell_u64(VHOST_USER_SET_FEATURES, features, -1);
	if (!(how & 4))
		tell(VHOST_USER_SET_MEM_TABLE, &memory,
		     offsetof(struct vhost_user_memory, region[1]), guest_fd);
	run_events();
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		set_up_ring(i);
	run_events();
	drain(frontend);
}

static struct vhost_user_region make_region(struct input *in)
{
	uint8_t how = take8(in);
	struct vhost_user_region region = {
		.guest_address = (how & 7) * 0x10000ULL,
		.bytes = (1 + (how >> 3 & 7)) * 0x1000ULL,
		.user_address = USER_BASE + (how & 7) * 0x10000ULL,
		.mmap_offset = how & 0x40 ? 0x1000 : 0,
	};

	if (how & 0x80)
		((uint64_t *)&region)[take8(in) % 4] = take_odd(in);
	return region;
}

/* The payload of @request, mostly right; *ret_fds is how many fds it has. */
static size_t make_payload(struct input *in, uint32_t request, void *payload,
			   size_t *ret_fds)
{
	struct vhost_user_memory *memory = payload;
	struct vhost_user_single_region *single = payload;
	struct vhost_user_vring_state *state = payload;
	struct vhost_user_vring_addr *addr = payload;
	struct vhost_user_config *space = payload;
	uint64_t *u64 = payload;
	uint32_t index = take8(in) % 3;

	*ret_fds = 0;
	switch (request) {
	case VHOST_USER_SET_MEM_TABLE:
		memory->n_regions = take8(in) % 5;
		for (uint32_t i = 0; i < memory->n_regions; i++)
			memory->region[i] = make_region(in);
		*ret_fds = memory->n_regions;
		return offsetof(struct vhost_user_memory, region) +
		       memory->n_regions * sizeof(memory->region[0]);
	case VHOST_USER_ADD_MEM_REG:
	case VHOST_USER_REM_MEM_REG:
		single->region = make_region(in);
		*ret_fds = request == VHOST_USER_ADD_MEM_REG;
		return sizeof(*single);
	case VHOST_USER_SET_VRING_ADDR:
		*addr = (struct vhost_user_vring_addr){
			.index = index,
			.desc = USER_BASE + take8(in) * 0x400ULL,
			.avail = USER_BASE + take8(in) * 0x400ULL,
			.used = USER_BASE + take8(in) * 0x400ULL,
		};
		return sizeof(*addr);
	case VHOST_USER_SET_VRING_NUM:
	case VHOST_USER_SET_VRING_BASE:
	case VHOST_USER_GET_VRING_BASE:
	case VHOST_USER_SET_VRING_ENABLE:
		state->index = index;
		state->num = take8(in);
		return sizeof(*state);
	case VHOST_USER_SET_VRING_KICK:
	case VHOST_USER_SET_VRING_CALL:
	case VHOST_USER_SET_VRING_ERR:
		*u64 = index | (take8(in) & 1 ? VHOST_USER_VRING_NO_FD : 0);
		*ret_fds = *u64 < VHOST_USER_VRING_NO_FD;
		return sizeof(*u64);
	case VHOST_USER_SET_FEATURES:
	case VHOST_USER_SET_PROTOCOL_FEATURES:
		*u64 = take_odd(in);
		return sizeof(*u64);
	case VHOST_USER_GET_CONFIG:
	case VHOST_USER_SET_CONFIG:
		space->offset = take8(in);
		space->size = take8(in) % 32;
		return VHOST_USER_CONFIG_HEADER + space->size;
	case VHOST_USER_SET_BACKEND_REQ_FD:
		*ret_fds = 1;
		return 0;
	default:
		return 0;
	}
}

static void say_something(struct input *in)
{
	static const uint8_t requests[] = {
		1,  2,	3,  4,	5,  5,	8,  9,	10, 11, 12, 12, 13, 14, 15, 16,
		17, 18, 21, 21, 24, 25, 34, 36, 37, 37, 37, 38, 38, 44, 44, 11,
	};
	union {
		uint64_t align;
		uint8_t bytes[VGPU_STATE_PAYLOAD_MAX];
		uint32_t words[VGPU_STATE_PAYLOAD_MAX / 4];
	} payload = {};
	uint32_t request = requests[take8(in) % VGPU_ARRAY_SIZE(requests)];
	uint8_t how = take8(in);
	uint32_t flags =
		VHOST_USER_VERSION | (how & 0x80 ? VHOST_USER_NEED_REPLY : 0);
	size_t n_fds, bytes, max = SIZE_MAX;
	int fds[40] = {};

	bytes = make_payload(in, request, &payload, &n_fds);
	if (how % 16 == 1)
		payload.words[take8(in) % 16] = (uint32_t)take_odd(in);
	if (how % 16 == 2)
		n_fds = take8(in) % VGPU_ARRAY_SIZE(fds);
	if (how % 16 == 3)
		request = take8(in) % 50;
	if (how % 16 == 4)
		flags = take8(in);
	if (how % 16 == 5)
		max = 1 + take8(in);
	for (size_t i = 0; i < n_fds; i++)
		fds[i] = make_fd(how & 0x40 ? take8(in)
				 : request == VHOST_USER_SET_BACKEND_REQ_FD ? 7
				 : request >= VHOST_USER_SET_VRING_KICK &&
						 request <= VHOST_USER_SET_VRING_ERR
					 ? 2
					 : 0);
	say_message(request, flags,
		    how % 16 == 6 ? (uint32_t)take_odd(in) : (uint32_t)bytes,
		    &payload, bytes);
	send_said(max, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		vgpu_close(fds[i]);
}

/* A command at @to, mostly one that is carried out. Returns its bytes. */
static uint32_t make_command(struct input *in, uint8_t *to)
{
	static const uint32_t types[] = {
		VGPU_GPU_GET_DISPLAY_INFO,     VGPU_GPU_RESOURCE_CREATE_2D,
		VGPU_GPU_SET_SCANOUT,	       VGPU_GPU_RESOURCE_FLUSH,
		VGPU_GPU_CTX_CREATE,	       VGPU_GPU_CTX_CREATE,
		VGPU_GPU_RESOURCE_CREATE_BLOB, VGPU_GPU_RESOURCE_CREATE_BLOB,
		VGPU_GPU_RESOURCE_MAP_BLOB,    VGPU_GPU_RESOURCE_UNMAP_BLOB,
		VGPU_GPU_RESOURCE_UNREF,       VGPU_GPU_SUBMIT_3D,
		VGPU_GPU_CTX_DESTROY,	       VGPU_GPU_CTX_ATTACH_RESOURCE,
		VGPU_GPU_RESOURCE_MAP_BLOB,    VGPU_GPU_RESOURCE_CREATE_BLOB,
	};
	uint8_t how = take8(in);
	uint32_t id = 1 + take8(in) % 4;
	struct vgpu_gpu_header header = {
		.type = types[how % VGPU_ARRAY_SIZE(types)],
		.flags = how & 0x40 ? take8(in) : 0,
		.fence_id = how,
		.ctx_id = 1 + take8(in) % 2,
		.ring_idx = take8(in) % 3,
	};
	union {
		uint32_t words[24];
		struct vgpu_gpu_resource_create_2d create_2d;
		struct vgpu_gpu_set_scanout scanout;
		struct vgpu_gpu_ctx_create context;
		struct vgpu_gpu_create_blob blob;
		struct vgpu_gpu_map_blob map;
		struct vgpu_gpu_submit_3d submit;
	} body = {.words = {id}};

	switch (header.type) {
	case VGPU_GPU_RESOURCE_CREATE_2D:
		body.create_2d.format = 1;
		body.create_2d.width = body.create_2d.height = 16;
		break;
	case VGPU_GPU_SET_SCANOUT:
		body.scanout.rect = (struct vgpu_gpu_rect){0, 0, 16, 16};
		body.scanout.resource_id = id;
		break;
	case VGPU_GPU_CTX_CREATE:
		body.context = (struct vgpu_gpu_ctx_create){
			.context_init = VGPU_GPU_CAPSET_VENUS};
		break;
	case VGPU_GPU_RESOURCE_CREATE_BLOB:
		body.blob.resource_id = id;
		body.blob.blob_mem = VGPU_GPU_BLOB_MEM_HOST3D;
		body.blob.blob_flags = VGPU_GPU_BLOB_MAPPABLE;
		body.blob.blob_id = take8(in) % 2;
		body.blob.bytes = (1 + take8(in) % 4) * 4096ULL;
		break;
	case VGPU_GPU_RESOURCE_MAP_BLOB:
		body.map.offset = take8(in) % 16 * 4096ULL;
		break;
	case VGPU_GPU_SUBMIT_3D:
		body.submit.bytes = 16;
		break;
	default:
		break;
	}
	if (how & 0x80)
		body.words[take8(in) % 16] = (uint32_t)take_odd(in);
	memcpy(to, &header, sizeof(header));
	memcpy(to + sizeof(header), &body, sizeof(body));
	return sizeof(header) + sizeof(body);
}

/* A command for a ring; its descriptors may be anything. */
static void submit(struct input *in)
{
	uint8_t how = take8(in);
	uint32_t index = how & 1;
	uint8_t *ring = guest + ring_at(index);
	struct descriptor *table = (struct descriptor *)ring;
	uint16_t *avail = (uint16_t *)(ring + 0x1000);
	uint16_t head = available[index] * 2 % RING_NUM;
	uint64_t at = BUFFERS + head * 0x400ULL;

	table[head] = (struct descriptor){at, make_command(in, guest + at), 1,
					  (uint16_t)(head + 1)};
	table[head + 1] = (struct descriptor){at + 0x200, 0x180, 2, 0};
	for (unsigned int i = 0; i < (how >> 1 & 3); i++) {
		uint8_t *bytes = (uint8_t *)&table[head];

		bytes[take8(in) % 32] = take8(in);
	}
	if (how & 0x10)
		table[take8(in) % RING_NUM].flags = take8(in) % 8;
	avail[2 + available[index]++ % RING_NUM] =
		how & 0x20 ? (uint16_t)take_odd(in) : head;
	avail[1] = how & 0x40 ? (uint16_t)take_odd(in) : available[index];
	if (kick[index] >= 0)
		eventfd_write(kick[index], 1);
}

/* Answer what the device asks of the window, rightly or not. */
static void answer_channel(struct input *in)
{
	struct {
		struct vhost_user_header header;
		struct vhost_user_mmap mmap;
	} asked = {};
	struct {
		struct vhost_user_header header;
		uint64_t status;
	} __attribute__((packed)) answer;
	char space[CMSG_SPACE(sizeof(int))];
	struct iovec iov = {&asked.header, sizeof(asked.header)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	uint8_t how = take8(in);
	int fd = -1;

	if (channel < 0)
		return;
	if (recvmsg(channel, &header, MSG_DONTWAIT | MSG_CMSG_CLOEXEC) > 0) {
		vgpu_fds_take(&header, &fd, 1);
		vgpu_close(fd);
		if (asked.header.size)
			recv(channel, &asked.mmap, sizeof(asked.mmap),
			     MSG_DONTWAIT);
	}
	answer.header = (struct vhost_user_header){
		asked.header.request, VHOST_USER_VERSION | VHOST_USER_REPLY, 8};
	answer.status = how & 0x80 ? take_odd(in) : 0;
	if (how % 8 == 1)
		((uint8_t *)&answer)[take8(in) % sizeof(answer)] = take8(in);
	if (how % 8 == 2)
		channel = vgpu_close(channel);
	else
		send(channel, &answer,
		     how % 8 == 3 ? take8(in) % sizeof(answer) : sizeof(answer),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void play_manager(struct input *in)
{
	static const uint32_t types[] = {VGPU_CONTROL_CAPTURE, VGPU_CONTROL_VIEW,
					 VGPU_CONTROL_SET_MODE};
	struct vgpu_control_msg msg = {};
	uint8_t how = take8(in);
	int fd = -1;

	if (how % 8 == 0) {
		vgpu_close(manager);
		manager = connect_to(VGPU_SLOT_CONTROL, SOCK_SEQPACKET);
		msg.type = VGPU_CONTROL_ADOPT;
		memcpy(msg.key, config.start.key, sizeof(msg.key));
		if (how & 0x40)
			msg.key[take8(in) % sizeof(msg.key)] ^= take8(in);
		if (manager >= 0 && !(how & 0x20))
			vgpu_control_send(manager, &msg, -1);
		return;
	}
	msg.type = how % 8 == 1 ? take8(in)
				: types[take8(in) % VGPU_ARRAY_SIZE(types)];
	msg.serial = take8(in);
	msg.mode.head = take8(in) % 20;
	msg.mode.width = (uint32_t)take_odd(in);
	msg.mode.height = (uint32_t)take_odd(in);
	if (how & 0x40)
		fd = make_fd(how & 0x20 ? take8(in) : 0x80 | 7);
	if (how % 8 == 2 && manager >= 0)
		send(manager, &msg, take8(in), MSG_DONTWAIT | MSG_NOSIGNAL);
	else if (manager >= 0)
		vgpu_control_send(manager, &msg, fd);
	vgpu_close(fd);
	/* At times vgpud reads nothing for a while. */
	if (!(how & 0x80))
		drain(manager);
}

static void begin_device(void)
{
	struct vgpu_err err = {};
	int pair[2];

	vgpu_close(manager);
	FUZZ_CHECK(socketpair(AF_UNIX,
			      SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
			      pair) == 0);
	manager = pair[0];
	if (vgpu_device_create(event, slots, &config, pair[1], &device, &err) < 0)
		device = NULL;
	/* Else a slot that changes waits for us to read. */
	drain(manager);
}

/* The process dies, and its state may be another's. */
static void replace_device(struct input *in)
{
	static struct vgpu_state before;
	int fd = vgpu_slots_get(slots, VGPU_SLOT_STATE);
	uint8_t how = take8(in);
	uint8_t byte;

	/* Killed before it could tidy up, or in the middle of that. */
	if (pread(fd, &before, sizeof(before), 0) == sizeof(before)) {
		vgpu_device_destroy(device);
		if (how & 1)
			FUZZ_CHECK(pwrite(fd, &before, sizeof(before), 0) ==
				   sizeof(before));
	}
	for (unsigned int i = 0; i < (how >> 1 & 3); i++) {
		uint32_t at = take32(in) % (sizeof(before) + 8192);

		byte = take8(in);
		pwrite(fd, &byte, 1, at);
	}
	if (how & 8)
		vgpu_slots_drop(slots, take8(in) % VGPU_SLOT_SEGMENT);
	if (how & 0x10)
		vgpu_slots_put(slots, VGPU_SLOT_FRONTEND + take8(in) % 160,
			       make_fd(take8(in)));
	if (how & 0x20) {
		size_t first = offsetof(struct vgpu_control_start, version);
		size_t at = first + take8(in) % (sizeof(config.start) - first);

		((uint8_t *)&config.start)[at] ^= take8(in);
	}
	if (vgpu_slots_get(slots, VGPU_SLOT_STATE) < 0)
		vgpu_slots_put(slots, VGPU_SLOT_STATE, make_memory(0));
	if (vgpu_slots_get(slots, VGPU_SLOT_LISTEN) < 0)
		vgpu_slots_put(slots, VGPU_SLOT_LISTEN,
			       make_listening(SOCK_STREAM));
	if (vgpu_slots_get(slots, VGPU_SLOT_CONTROL) < 0)
		vgpu_slots_put(slots, VGPU_SLOT_CONTROL,
			       make_listening(SOCK_SEQPACKET));
	begin_device();
}

static void do_step(struct input *in)
{
	uint8_t op = take8(in);

	switch (op % 16) {
	case 0:
		begin_frontend(take8(in));
		break;
	case 1:
		leave();
		break;
	case 2:
		send_said(SIZE_MAX, NULL, 0);
		break;
	case 3:
		answer_channel(in);
		answer_channel(in);
		break;
	case 4:
		play_manager(in);
		break;
	case 5:
		replace_device(in);
		break;
	case 6:
		play_render(in);
		break;
	case 7:
	case 8:
	case 9:
	case 10:
		submit(in);
		break;
	default:
		if (frontend < 0)
			begin_frontend(0);
		say_something(in);
		break;
	}
	if (!(op & 0x40) && device)
		run_events();
	drain(frontend);
	if (!(op & 0x80))
		drain(manager);
}

static void set_config(void)
{
	static const uint8_t capset[CAPSET_BYTES] = {1, 2, 3};

	config = (struct vgpu_device_config){
		.start =
			{
				.uuid = "00000000-0000-0000-0000-000000000000",
				.name = "fuzz",
				.key = "the key of this vGPU",
				.version = VGPU_CONTROL_VERSION,
				.heads = 2,
				.max_width = 640,
				.max_height = 480,
				.segments = SEGMENTS,
				.segment_bytes = SEGMENT_BYTES,
				.framebuffer_bytes = FRAMEBUFFER_BYTES,
				.host_memory_bytes = HOST_MEMORY_BYTES,
				.host_visible_bytes = 1 << 20,
				.has_renderer = 1,
				.is_framebuffer_new = 1,
			},
		.capset = capset,
	};
}

static void begin(void)
{
	silence_log();
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	FUZZ_CHECK(sd_event_new(&event) >= 0);
	guest_fd = make_memory(GUEST_BYTES);
	/* As VMMs do; what a VMM does to its own memory is its own affair. */
	FUZZ_CHECK(fcntl(guest_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	guest = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED,
		     guest_fd, 0);
	FUZZ_CHECK(guest != MAP_FAILED);
	/* The event loop keeps fds of its own from its first timer on. */
	LLVMFuzzerTestOneInput((const uint8_t *)"\0\0\7\0\0", 5);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static int fds;

	if (!event)
		begin();
	if (!fds)
		fds = count_fds();
	memset(guest, 0, GUEST_BYTES);
	set_config();
	FUZZ_CHECK(vgpu_slots_create(&slots) == 0);
	vgpu_slots_put(slots, VGPU_SLOT_STATE, make_memory(0));
	vgpu_slots_put(slots, VGPU_SLOT_LISTEN, make_listening(SOCK_STREAM));
	vgpu_slots_put(slots, VGPU_SLOT_CONTROL, make_listening(SOCK_SEQPACKET));
	for (uint32_t i = 0; i < SEGMENTS; i++)
		vgpu_slots_put(slots, VGPU_SLOT_SEGMENT + i,
			       make_memory(SEGMENT_BYTES));
	begin_device();
	FUZZ_CHECK(device);

	for (int i = 0; i < STEPS_MAX && in.left > 0; i++)
		do_step(&in);

	vgpu_device_destroy(device);
	device = NULL;
	FUZZ_CHECK(renders_alive == 0);
	vgpu_slots_destroy(slots);
	leave();
	manager = vgpu_close(manager);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		kick[i] = vgpu_close(kick[i]);
	check_fds(fds + LAZY_FDS);
	return 0;
}
