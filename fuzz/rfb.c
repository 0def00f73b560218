/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes the VNC server: hostile viewers, and a device that is no better. */
#include <signal.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "device/display/viewer_abi.h"
#include "device/display/vnc/input.h"
#include "device/display/vnc/server.h"
#include "device/display/vnc/source.h"
#include "fuzz/input.h"

/*
 * An input is a program: a step is a message of a viewer that is mostly right,
 * a message of the device, or a turn of the server. A viewer says all that it
 * has to say in a turn and no more: then it has left, so that nothing has to
 * wait for it. LibVNCServer is not instrumented, hence whole messages.
 */
#define STEPS_MAX   100
#define VIEWERS	    3
#define WIDTH	    48
#define HEIGHT	    32
#define SAID_MAX    2048
#define FRAME_BYTES (64U * 1024)

struct viewer {
	uint8_t said[SAID_MAX];
	size_t said_bytes;
	int socket; /* once it is connected */
};

static struct viewer viewer[VIEWERS];
static struct vgpu_vnc_source source;
static struct vgpu_vnc_input hands;
static struct vgpu_vnc_server *server;
static int device = -1; /* the device's end of the source's socket */
static int frame_fd = -1;

static void say(struct viewer *v, const void *bytes, size_t n)
{
	n = VGPU_MIN(n, sizeof(v->said) - v->said_bytes);
	memcpy(v->said + v->said_bytes, bytes, n);
	v->said_bytes += n;
}

static void say8(struct viewer *v, uint8_t value)
{
	say(v, &value, 1);
}

static void say16(struct viewer *v, uint32_t value)
{
	say8(v, (uint8_t)(value >> 8));
	say8(v, (uint8_t)value);
}

static void say32(struct viewer *v, uint32_t value)
{
	say16(v, value >> 16);
	say16(v, value);
}

static void greet(struct input *in, struct viewer *v)
{
	static const char *const versions[] = {
		"RFB 003.008\n", "RFB 003.007\n", "RFB 003.003\n",
		"RFB 003.889\n", "RFB 004.001\n", "GET / HTTP/1.1\r\n\r\n",
	};
	uint8_t how = take8(in);
	const char *version =
		how < 0xd0 ? versions[0]
			   : versions[how % VGPU_ARRAY_SIZE(versions)];

	say(v, version, strlen(version));
	if (strcmp(version, versions[2]) != 0)
		say8(v, how % 32 == 1 ? take8(in) : 1); /* security: none */
	say8(v, how & 1);				/* shared */
}

static void say_pixel_format(struct input *in, struct viewer *v)
{
	static const uint8_t depths[] = {8, 16, 32, 24, 1, 0, 64, 255};
	uint8_t how = take8(in);

	say32(v, 0);
	say8(v, depths[how % (how & 0x80 ? 8 : 3)]);
	say8(v, how & 0x40 ? take8(in) : 24);
	say8(v, how >> 3 & 1); /* big-endian */
	say8(v, how >> 4 & 1); /* true colour */
	for (int i = 0; i < 3; i++)
		say16(v, how & 0x20 ? (uint32_t)take_odd(in) : 255);
	for (int i = 0; i < 3; i++)
		say8(v, how & 0x20 ? take8(in) : (uint8_t)(16 - 8 * i));
	say16(v, 0);
	say8(v, 0);
}

static void say_encodings(struct input *in, struct viewer *v)
{
	/* Raw, CopyRect, RRE, CoRRE, Hextile, Zlib, Tight, ..., then pseudo. */
	static const uint32_t encodings[] = {
		0,	    1,		2,	    4,		5,
		6,	    7,		8,	    9,		15,
		16,	    17,		18,	    19,		0xfffffecc,
		0xffffff11, 0xffffff10, 0xffffff21, 0xffffff20, 0xfffffecb,
		0xffffffe0, 0xffffffef, 0xffffff00, 0xffffff09, 0xffff0000,
		0xffff0001, 0xfffe0000, 0xfffe0002, 0xc0a1e5ce, 0xfffffefc,
		0xfffffe00, 0xfffffe64, 0xfffffec7, 0xffff8003, 0xfffffefe,
	};
	uint8_t how = take8(in);
	uint32_t n = how % 12;

	say8(v, 0);
	say16(v, how & 0x80 ? (uint32_t)take_odd(in) : n);
	for (uint32_t i = 0; i < n; i++)
		say32(v,
		      how & 0x40
			      ? take32(in)
			      : encodings[take8(in) % VGPU_ARRAY_SIZE(encodings)]);
}

static void say_cut_text(struct input *in, struct viewer *v)
{
	uint8_t bytes[64];
	size_t n = take_bytes(in, bytes, take8(in) % sizeof(bytes));
	uint8_t how = take8(in);

	say8(v, 0);
	say16(v, 0);
	/* A negative length is an extended message. */
	say32(v, how & 0x80   ? (uint32_t)take_odd(in)
		 : how & 0x40 ? (uint32_t)-n
			      : (uint32_t)n);
	if (how & 0x40)
		say32(v, 1U << (how % 32));
	say(v, bytes, n);
}

static void say_desktop_size(struct input *in, struct viewer *v)
{
	uint8_t n = take8(in) % 4;

	say8(v, 0);
	say16(v, (uint32_t)take_odd(in));
	say16(v, (uint32_t)take_odd(in));
	say8(v, n & 2 ? take8(in) : n);
	say8(v, 0);
	for (int i = 0; i < n * 4; i++)
		say32(v, take32(in));
}

static void say_message(struct input *in, struct viewer *v)
{
	static const uint8_t types[] = {0, 2, 2, 3,  3,	 3,  4,	  5,   6,
					7, 8, 9, 10, 11, 15, 250, 251, 255};
	uint8_t how = take8(in);
	uint8_t type = types[how % VGPU_ARRAY_SIZE(types)];
	size_t begin = v->said_bytes;

	say8(v, type);
	switch (type) {
	case 0:
		say_pixel_format(in, v);
		break;
	case 2:
		say_encodings(in, v);
		break;
	case 3:
		say8(v, how >> 7); /* incremental */
		for (int i = 0; i < 4; i++)
			say16(v, how & 0x40 ? (uint32_t)take_odd(in)
					    : (i < 2 ? 0 : WIDTH));
		break;
	case 4:
	case 10:
		say8(v, take8(in));
		say16(v, 0);
		say32(v, take32(in));
		break;
	case 5:
		say8(v, take8(in));
		say32(v, take32(in));
		break;
	case 6:
		say_cut_text(in, v);
		break;
	case 7:
	case 11:
		say8(v, take8(in) % 16);
		say16(v, take8(in));
		say32(v, (uint32_t)take_odd(in));
		say32(v, take8(in) % 32);
		break;
	case 251:
		say_desktop_size(in, v);
		break;
	case 255: /* an extended key event */
		say8(v, how & 0x80 ? take8(in) : 0);
		say16(v, how & 1);
		say32(v, take32(in));
		say32(v, take8(in));
		break;
	default:
		say8(v, take8(in));
		say16(v, take8(in));
		break;
	}
	if (how >= 0xf0 && v->said_bytes > begin)
		v->said[begin + take8(in) % (v->said_bytes - begin)] = take8(in);
}

/* Read all that came for a viewer. */
static void read_all(struct viewer *v)
{
	uint8_t bytes[16384];

	while (v->socket >= 0 &&
	       recv(v->socket, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* Say all at once to a new connection, and leave. */
static void connect_viewer(struct viewer *v)
{
	const int room = 1 << 20;
	int pair[2];

	read_all(v);
	vgpu_close(v->socket);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
	/* An answer that does not fit would have to be waited for. */
	setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	v->socket = pair[0];
	FUZZ_CHECK(send(v->socket, v->said, v->said_bytes, MSG_NOSIGNAL) ==
		   (ssize_t)v->said_bytes);
	shutdown(v->socket, SHUT_WR);
	v->said_bytes = 0;
	vgpu_vnc_server_add(server, pair[1]);
}

/* As main.c of vgpu-vnc does. */
static void receive_device(void)
{
	uint32_t *old = NULL;

	if (source.socket < 0)
		return;
	switch (vgpu_vnc_source_receive(&source, &old)) {
	case VGPU_VNC_RESIZED:
		vgpu_vnc_server_resize(server);
		free(old);
		vgpu_vnc_source_acknowledge(&source);
		break;
	case VGPU_VNC_DAMAGE:
		vgpu_vnc_server_damage(server);
		vgpu_vnc_source_acknowledge(&source);
		break;
	case VGPU_VNC_OVER:
		vgpu_vnc_source_attach(&source, -1);
		vgpu_vnc_input_attach(&hands, -1);
		break;
	case VGPU_VNC_NONE:
		break;
	}
}

static void send_device(const struct vgpu_viewer_msg *msg, size_t bytes, int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control = {};
	struct iovec iov = {(void *)msg, bytes};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (fd >= 0) {
		header.msg_control = &control;
		header.msg_controllen = sizeof(control);
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control.header), &fd, sizeof(int));
	}
	if (device >= 0)
		sendmsg(device, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
	receive_device();
}

static void connect_device(void)
{
	int pair[2];

	vgpu_close(device);
	FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) ==
		   0);
	device = pair[0];
	vgpu_vnc_source_attach(&source, pair[1]);
	vgpu_vnc_input_attach(&hands, pair[1]);
}

static void show(uint32_t width, uint32_t height)
{
	const struct vgpu_viewer_msg frame = {
		.type = VGPU_VIEWER_FRAME,
		.width = width,
		.height = height,
		.stride_bytes = width * 4,
	};
	const struct vgpu_viewer_msg damage = {
		.type = VGPU_VIEWER_DAMAGE,
		.width = width,
		.height = height,
	};

	send_device(&frame, sizeof(frame), frame_fd);
	send_device(&damage, sizeof(damage), -1);
}

static void play_device(struct input *in)
{
	uint8_t how = take8(in);
	struct vgpu_viewer_msg msg = {
		.type = 1 + how % 4,
		.width = take8(in) % 64,
		.height = take8(in) % 64,
		.x = take8(in) % 64,
		.y = take8(in) % 64,
	};
	int fd = how & 0x10 ? frame_fd : -1;

	msg.stride_bytes = msg.width * 4;
	if (how & 0x20)
		((uint32_t *)&msg)[take8(in) % 6] = (uint32_t)take_odd(in);
	if (how & 0x40)
		((uint32_t *)&msg)[4 + take8(in) % 2] = (uint32_t)take_odd(in);
	if (source.socket < 0 || how >= 0xf0)
		connect_device();
	send_device(&msg, how % 128 == 127 ? take8(in) % 24 : sizeof(msg), fd);
}

static void serve(void)
{
	struct pollfd fds[VGPU_VNC_CLIENTS_MAX];
	int timeout_ms;

	FUZZ_CHECK(vgpu_vnc_server_poll(server, fds, &timeout_ms) <=
		   VGPU_VNC_CLIENTS_MAX);
	vgpu_vnc_server_serve(server);
	for (int i = 0; i < VIEWERS; i++)
		read_all(&viewer[i]);
}

static void do_step(struct input *in)
{
	uint8_t op = take8(in);
	struct viewer *v = &viewer[op / 64 % VIEWERS];
	uint8_t raw[32] = {};

	switch (op % 16) {
	case 0:
	case 1:
		connect_viewer(v);
		serve();
		break;
	case 2:
		serve();
		break;
	case 3:
		v->said_bytes = 0;
		say(v, raw, take_bytes(in, raw, take8(in) % sizeof(raw)));
		break;
	case 4:
	case 5:
	case 6:
		play_device(in);
		break;
	case 7:
		show(1 + take8(in) % 80, 1 + take8(in) % 80);
		break;
	default:
		if (!v->said_bytes)
			greet(in, v);
		say_message(in, v);
		break;
	}
}

static void begin(void)
{
	silence_log();
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	frame_fd = memfd_create("frame", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	FUZZ_CHECK(frame_fd >= 0 && ftruncate(frame_fd, FRAME_BYTES) == 0);
	FUZZ_CHECK(fcntl(frame_fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
	for (int i = 0; i < VIEWERS; i++)
		viewer[i].socket = -1;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {data, size};
	static int fds;

	if (frame_fd < 0)
		begin();
	if (!fds)
		fds = count_fds();
	FUZZ_CHECK(vgpu_vnc_source_init(&source) == 0);
	/* The source's socket, as vgpu-vnc does it, once there is a device. */
	vgpu_vnc_input_init(&hands);
	server = vgpu_vnc_server_create(&(struct vgpu_vnc_server_config){
		.name = "fuzz",
		.source = &source,
		.input = &hands,
		.password = "",
	});
	FUZZ_CHECK(server);
	connect_device();
	show(WIDTH, HEIGHT);

	for (int i = 0; i < STEPS_MAX && in.left > 0; i++)
		do_step(&in);
	for (int i = 0; i < VIEWERS; i++) {
		if (viewer[i].said_bytes)
			connect_viewer(&viewer[i]);
		serve();
	}
	vgpu_vnc_server_damage(server);
	serve();

	vgpu_vnc_server_destroy(server);
	vgpu_vnc_source_finish(&source);
	device = vgpu_close(device);
	for (int i = 0; i < VIEWERS; i++) {
		viewer[i].socket = vgpu_close(viewer[i].socket);
		viewer[i].said_bytes = 0;
	}
	check_fds(fds + LAZY_FDS);
	return 0;
}
