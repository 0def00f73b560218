/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes vtest: several clients of one socket, and their render processes. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "device/vtest/abi.h"
#include "device/vtest/vtest.h"
#include "fuzz/input.h"
#include "fuzz/render_double.h"

/*
 * An input is a program: a step lets a client come, go, say something that is
 * mostly right, say it in pieces or with an fd, or read what there is for it;
 * or it lets a render process, which is a double here, become ready, finish a
 * fence, answer an export, ask for memory, or be lost. At the end all clients
 * leave, and nothing may be left of them.
 */
#define STEPS_MAX	  200
#define CLIENTS		  4
#define PENDING_BYTES_MAX 4096
#define FRAMEBUFFER_BYTES (1ULL << 20)
#define HOST_MEMORY_BYTES (512ULL << 20)

struct client {
	int socket;
	uint8_t pending[PENDING_BYTES_MAX]; /* said, but not sent yet */
	size_t pending_bytes;
};

static sd_event *event;
static struct vgpu_vtest *vtest;
static int listening;
static struct sockaddr_un address = {.sun_family = AF_UNIX};
static socklen_t address_bytes;
static struct client client[CLIENTS];

static void run_events(void)
{
	/* Bounded, for a source that never rests is a finding, not a wait. */
	for (int i = 0; sd_event_run(event, 0) > 0; i++)
		FUZZ_CHECK(i < 100000);
}

static void come(struct client *c)
{
	vgpu_close(c->socket);
	c->pending_bytes = 0;
	c->socket =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_CHECK(c->socket >= 0);
	if (connect(c->socket, (struct sockaddr *)&address, address_bytes) < 0)
		c->socket = vgpu_close(c->socket);
}

static void say(struct client *c, const void *bytes, size_t n)
{
	n = VGPU_MIN(n, sizeof(c->pending) - c->pending_bytes);
	memcpy(c->pending + c->pending_bytes, bytes, n);
	c->pending_bytes += n;
}

static void say_words(struct client *c, uint32_t command, const uint32_t *words,
		      size_t n)
{
	const uint32_t header[] = {(uint32_t)n, command};

	say(c, header, sizeof(header));
	say(c, words, n * sizeof(*words));
}

/* Send what was said, or only the first @max bytes of it. */
static void send_said(struct client *c, size_t max, bool with_fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = {c->pending, VGPU_MIN(max, c->pending_bytes)};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};
	ssize_t n;

	if (c->socket < 0 || !iov.iov_len)
		return;
	if (with_fd) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &listening, sizeof(int));
	}
	n = sendmsg(c->socket, &header, MSG_NOSIGNAL);
	if (n <= 0)
		return;
	c->pending_bytes -= (size_t)n;
	memmove(c->pending, c->pending + n, c->pending_bytes);
}

/* All that Mesa says before its first resource. */
static void begin_client(struct client *c)
{
	static const char name[] = "fuzz";
	const uint32_t create[] = {sizeof(name), VTEST_CREATE_RENDERER};

	say(c, create, sizeof(create));
	say(c, name, sizeof(name));
	say_words(c, VTEST_PROTOCOL_VERSION, (const uint32_t[]){3}, 1);
	say_words(c, VTEST_GET_CAPSET,
		  (const uint32_t[]){VTEST_CAPSET_VENUS, 0}, 2);
	say_words(c, VTEST_CONTEXT_INIT, (const uint32_t[]){VTEST_CAPSET_VENUS},
		  1);
	send_said(c, SIZE_MAX, false);
}

/* One batch with commands and points behind it. */
static size_t make_submit(struct input *in, uint32_t *words)
{
	uint32_t n = take8(in) % 4, points = take8(in) % 4;
	uint8_t how = take8(in);
	size_t at = 1 + VTEST_BATCH_WORDS;

	words[0] = how % 16 == 1 ? take8(in) : 1;
	words[1] = how & 0x10 ? VTEST_BATCH_RING_IDX : 0;
	words[2] = (uint32_t)at;
	words[3] = n;
	words[4] = (uint32_t)at + n;
	words[5] = points;
	words[6] = how & 0x20 ? take8(in) : how & 1;
	words[7] = words[8] = 0;
	for (uint32_t i = 0; i < n; i++)
		words[at++] = take32(in);
	for (uint32_t i = 0; i < points; i++) {
		words[at++] = 1 + take8(in) % 4;
		words[at++] = take8(in);
		words[at++] = 0;
	}
	return at;
}

/* The body of a command that is right, mostly. Returns its words. */
static size_t make_body(struct input *in, uint32_t command, uint32_t *words)
{
	size_t n = 0;

	switch (command) {
	case VTEST_RESOURCE_CREATE_BLOB:
		words[0] = VTEST_BLOB_HOST3D;
		words[1] = take8(in) % 8;
		words[2] = (1 + take8(in) % 16) * 1024;
		words[3] = 0;
		words[4] = take8(in) % 3;
		words[5] = 0;
		return 6;
	case VTEST_SYNC_WAIT:
		n = take8(in) % 4;
		words[0] = take8(in) % 2;
		words[1] = take32(in);
		for (size_t i = 0; i < n; i++) {
			words[2 + i * 3] = 1 + take8(in) % 4;
			words[3 + i * 3] = take8(in);
			words[4 + i * 3] = 0;
		}
		return 2 + n * 3;
	case VTEST_SUBMIT_CMD2:
		return make_submit(in, words);
	case VTEST_SYNC_WRITE:
		words[n++] = 1 + take8(in) % 4;
		words[n++] = take8(in);
		words[n++] = 0;
		return n;
	case VTEST_SYNC_CREATE:
	case VTEST_GET_CAPSET:
	case VTEST_RESOURCE_BUSY_WAIT:
		words[n++] = take8(in) % 8;
		words[n++] = 0;
		return n;
	case VTEST_PING_PROTOCOL_VERSION:
		return 0;
	default:
		words[n++] = take8(in) % 8;
		return n;
	}
}

static void say_command(struct input *in, struct client *c)
{
	static const uint32_t commands[] = {
		VTEST_RESOURCE_CREATE_BLOB,
		VTEST_RESOURCE_UNREF,
		VTEST_SYNC_CREATE,
		VTEST_SYNC_CREATE,
		VTEST_SYNC_UNREF,
		VTEST_SYNC_READ,
		VTEST_SYNC_WRITE,
		VTEST_SYNC_WAIT,
		VTEST_SYNC_WAIT,
		VTEST_SUBMIT_CMD2,
		VTEST_SUBMIT_CMD2,
		VTEST_RESOURCE_CREATE_BLOB,
		VTEST_PING_PROTOCOL_VERSION,
		VTEST_GET_PARAM,
		VTEST_GET_CAPSET,
		VTEST_RESOURCE_BUSY_WAIT,
	};
	uint32_t words[64] = {};
	uint8_t how = take8(in);
	uint32_t command = commands[how % VGPU_ARRAY_SIZE(commands)];
	size_t n = make_body(in, command, words);
	uint32_t header[2];

	if (how >> 4 == 1 && n)
		words[take8(in) % n] = (uint32_t)take_odd(in);
	if (how >> 4 == 2)
		n = take8(in) % VGPU_ARRAY_SIZE(words);
	if (how >> 4 == 3)
		command = take8(in) % 32;
	header[0] = how >> 4 == 4 ? (uint32_t)take_odd(in) : (uint32_t)n;
	header[1] = command;
	say(c, header, sizeof(header));
	say(c, words, n * sizeof(*words));
	if (how >> 4 == 5)
		send_said(c, take8(in), false);
	else
		send_said(c, SIZE_MAX, how >> 4 == 6);
}

/* Read at most @max bytes of what there is, with fds as they come. */
static void read_some(struct client *c, size_t max)
{
	uint8_t bytes[256];
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;

	while (c->socket >= 0 && max > 0) {
		struct iovec iov = {bytes, VGPU_MIN(max, sizeof(bytes))};
		struct msghdr header = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = &control,
			.msg_controllen = sizeof(control),
		};
		ssize_t n = recvmsg(c->socket, &header, MSG_CMSG_CLOEXEC);
		const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);
		int fd;

		if (n <= 0)
			return;
		if (cmsg) {
			memcpy(&fd, CMSG_DATA(cmsg), sizeof(fd));
			close(fd);
		}
		max -= (size_t)n;
	}
}

static void do_step(struct input *in)
{
	uint8_t op = take8(in);
	struct client *c = &client[op / 16 % CLIENTS];
	uint8_t raw[32] = {};

	switch (op % 16) {
	case 0:
		come(c);
		break;
	case 1:
		come(c);
		begin_client(c);
		break;
	case 2:
		c->socket = vgpu_close(c->socket);
		break;
	case 3:
		read_some(c, take8(in));
		break;
	case 4:
		read_some(c, SIZE_MAX);
		break;
	case 5:
		say(c, raw, take_bytes(in, raw, take8(in) % sizeof(raw)));
		send_said(c, SIZE_MAX, op & 0x80);
		break;
	case 6:
		if (c->socket >= 0)
			shutdown(c->socket, op & 0x80 ? SHUT_RD : SHUT_WR);
		break;
	case 7:
	case 8:
	case 9:
		play_render(in);
		break;
	default:
		if (c->socket < 0) {
			come(c);
			begin_client(c);
			run_events();
		}
		say_command(in, c);
		break;
	}
	/* Mostly one after the other, at times many at once. */
	if (!(op & 0x40))
		run_events();
}

static void begin(void)
{
	silence_log();
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	FUZZ_CHECK(sd_event_new(&event) >= 0);
	listening =
		socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* The kernel chooses an abstract name. */
	FUZZ_CHECK(listening >= 0 && bind(listening, (struct sockaddr *)&address,
					  sizeof(sa_family_t)) == 0);
	FUZZ_CHECK(listen(listening, 64) == 0);
	address_bytes = sizeof(address);
	FUZZ_CHECK(getsockname(listening, (struct sockaddr *)&address,
			       &address_bytes) == 0);
	for (int i = 0; i < CLIENTS; i++)
		client[i].socket = -1;
	/* The event loop keeps fds of its own from its first timer on. */
	LLVMFuzzerTestOneInput((const uint8_t *)"\1", 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const uint8_t capset[160] = {1, 2, 3};
	const struct vgpu_vtest_config config = {
		.name = "fuzz",
		.framebuffer_bytes = FRAMEBUFFER_BYTES,
		.host_memory_bytes = HOST_MEMORY_BYTES,
		.capset = capset,
		.capset_bytes = sizeof(capset),
	};
	struct input in = {data, size};
	struct vgpu_err err = {};
	static int fds;

	if (!event)
		begin();
	if (!fds)
		fds = count_fds();
	FUZZ_CHECK(vgpu_vtest_create(event, listening, &config, &vtest, &err) >=
		   0);
	for (int i = 0; i < STEPS_MAX && in.left > 0; i++)
		do_step(&in);
	for (int i = 0; i < CLIENTS; i++)
		client[i].socket = vgpu_close(client[i].socket);
	/* With nobody left there is nothing left: not only when vtest ends. */
	run_events();
	FUZZ_CHECK(renders_alive == 0);
	end_late_renders();
	vgpu_vtest_destroy(vtest);
	check_fds(fds + LAZY_FDS);
	return 0;
}
