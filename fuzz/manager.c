/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Fuzzes a whole vgpud: its clients, and devices that are not what they seem. */
#include <ftw.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "fuzz/input.h"
#include "lib/control.h"
#include "lib/fds.h"
#include "manager/host/closer.h"
#include "manager/vgpu/create.h"
#include "manager/vgpu/instance.h"
#include "manager/manager.h"
#include "manager/gpu/mediated/pool.h"
#include "manager/host/process.h"

/*
 * An input is a program: a step is a call of a varlink client, right or broken
 * somewhere; a message of a device process, with an fd of any kind or several;
 * the death of one; or a new vgpud, which takes over what the last one left.
 * Helper processes and the pool of framebuffer are doubles. At the end every
 * vGPU is destroyed, and nothing may be left of it.
 */
#define STEPS_MAX     100
#define CLIENTS	      3
#define HELPERS_MAX   8
#define TEXT_MAX      4096
#define POOL_SEGMENTS 3

static const char types[] = "[128MB]\nframebuffer_mib = 128\nheads = 2\n"
			    "max_width = 1920\nmax_height = 1080\n"
			    "frame_rate_limit = 0\nweight = 100\n"
			    "[256MQ]\nframebuffer_mib = 256\nheads = 1\n"
			    "max_width = 1920\nmax_height = 1080\n"
			    "frame_rate_limit = 0\nweight = 100\n";
static const char gpus[] =
	"{\"gpus\":[{\"name\":\"Soft\",\"driver\":\"soft 1\","
	"\"deviceUuid\":\"ab\",\"software\":true,\"memoryMib\":4096}]}";

/* A device process or a VNC server; its number is its place and one more. */
struct helper {
	bool is_alive;
	bool is_device;
	bool is_probe;
	int death;     /* an eventfd: readable once it is dead */
	int control;   /* its end */
	int listening; /* where the next vgpud connects to */
	int segment;   /* the first of its framebuffer */
	uint8_t key[VGPU_CONTROL_KEY_BYTES];
	uint32_t segments;
	uint32_t serial; /* of the last request */
};

static sd_event *event;
static struct vgpu_manager manager;
static struct vgpu_manager_options options;
static char folder[] = "/tmp/fuzz-manager.XXXXXX";
static char runtime[64], state[64], types_path[64], config_path[64];
static struct helper helper[HELPERS_MAX];
static int client[CLIENTS] = {-1, -1, -1};

struct vgpu_pool {
	size_t held;
};
static struct vgpu_pool pool;

int vgpu_pool_create(sd_event *unused, size_t segments,
		     vgpu_pool_progress_t progress, void *userdata,
		     struct vgpu_pool **ret_pool)
{
	pool.held = 0;
	*ret_pool = &pool;
	return 0;
}

int vgpu_pool_start(struct vgpu_pool *its)
{
	return 0;
}

void vgpu_pool_destroy(struct vgpu_pool *its)
{
}

int vgpu_pool_take(struct vgpu_pool *its, size_t n, int *ret_fds)
{
	if (n > POOL_SEGMENTS - its->held)
		return -EAGAIN;
	for (size_t i = 0; i < n; i++) {
		ret_fds[i] =
			memfd_create("segment", MFD_CLOEXEC | MFD_ALLOW_SEALING);
		FUZZ_CHECK(ret_fds[i] >= 0);
		FUZZ_CHECK(ftruncate(ret_fds[i],
				     VGPU_POOL_SEGMENT_MIB * VGPU_MIB) == 0);
		fcntl(ret_fds[i], F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW);
	}
	its->held += n;
	return 0;
}

void vgpu_pool_adopt(struct vgpu_pool *its, size_t n)
{
	its->held += n;
}

void vgpu_pool_give(struct vgpu_pool *its, size_t held, const int *fds, size_t n)
{
	FUZZ_CHECK(held <= its->held);
	its->held -= held;
	for (size_t i = 0; i < n; i++)
		close(fds[i]);
}

size_t vgpu_pool_ready(struct vgpu_pool *its)
{
	return POOL_SEGMENTS - VGPU_MIN(its->held, (size_t)POOL_SEGMENTS);
}

bool vgpu_pool_is_short(struct vgpu_pool *its)
{
	return false;
}

void vgpu_closer_close(int fd)
{
	vgpu_close(fd);
}

static void die(struct helper *h)
{
	if (!h->is_alive)
		return;
	h->is_alive = false;
	eventfd_write(h->death, 1);
	h->control = vgpu_close(h->control);
	h->listening = vgpu_close(h->listening);
	h->segment = vgpu_close(h->segment);
}

static struct helper *helper_of(const struct vgpu_process *process)
{
	return process->pid > 1 ? &helper[(process->pid - 2) % HELPERS_MAX]
				: NULL;
}

int vgpu_process_start(char *const argv[], int fd, int group, unsigned int flags,
		       struct vgpu_process *ret_process, struct vgpu_err *err)
{
	struct helper *h = NULL;

	for (int i = 0; i < HELPERS_MAX && !h; i++)
		if (!helper[i].is_alive)
			h = &helper[i];
	if (!h)
		return vgpu_err_set(err, -EAGAIN, "Internal", "no more of them");
	vgpu_close(h->death);
	*h = (struct helper){
		.is_alive = true,
		.is_device = strcmp(argv[0], "vgpu-device") == 0,
		.is_probe = strcmp(argv[0], "vgpu-probe") == 0,
		.death = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK),
		.control = fcntl(fd, F_DUPFD_CLOEXEC, 3),
		.listening = -1,
		.segment = -1,
	};
	FUZZ_CHECK(h->death >= 0 && h->control >= 0);
	ret_process->pid = (pid_t)(h - helper) + 2;
	ret_process->pidfd = fcntl(h->death, F_DUPFD_CLOEXEC, 3);
	if (h->is_probe) {
		FUZZ_CHECK(write(h->control, gpus, sizeof(gpus) - 1) > 0);
		die(h);
	}
	return 0;
}

void vgpu_process_signal(const struct vgpu_process *process, int signal)
{
	if (process->pidfd >= 0)
		die(helper_of(process));
}

bool vgpu_process_reap(struct vgpu_process *process,
		       char ret_reason[VGPU_PROCESS_REASON_SIZE])
{
	const struct helper *h = helper_of(process);

	snprintf(ret_reason, VGPU_PROCESS_REASON_SIZE, "%s",
		 h && h->is_probe ? "ended with status 0"
				  : "was killed by SIGKILL");
	vgpu_process_finish(process);
	return false;
}

void vgpu_process_finish(struct vgpu_process *process)
{
	vgpu_close(process->pidfd);
	*process = VGPU_PROCESS_NONE;
}

int vgpu_process_record(const struct vgpu_process *process, const char *path,
			const char *temporary)
{
	FILE *file = fopen(path, "we");

	if (!file)
		return -errno;
	fprintf(file, "%d\n", process->pid);
	fclose(file);
	return 0;
}

int vgpu_process_recall(const char *path, struct vgpu_process *ret_process)
{
	FILE *file = fopen(path, "re");
	int pid = 0;
	int n;

	if (!file)
		return -errno;
	n = fscanf(file, "%d", &pid);
	fclose(file);
	if (n != 1 || pid < 2 || pid >= 2 + HELPERS_MAX ||
	    !helper[pid - 2].is_alive || !helper[pid - 2].is_device)
		return -ESRCH;
	ret_process->pid = pid;
	ret_process->pidfd = fcntl(helper[pid - 2].death, F_DUPFD_CLOEXEC, 3);
	return 0;
}

static void run_events(void)
{
	/* Bounded, for a source that never rests is a finding, not a wait. */
	for (int i = 0; sd_event_run(event, 0) > 0; i++)
		FUZZ_CHECK(i < 100000);
}

/* What vgpud said to a device: fds, its configuration, requests. */
static void read_control(struct helper *h)
{
	struct vgpu_control_msg msg;
	int *place = NULL;
	int fd = -1;

	while (h->control >= 0 && h->is_device &&
	       fcntl(h->control, F_SETFL, O_NONBLOCK) == 0 &&
	       vgpu_control_receive(h->control, &msg, &fd) == 1) {
		place = NULL;
		if (msg.type == VGPU_CONTROL_START) {
			h->segments = msg.start.segments;
			memcpy(h->key, msg.start.key, sizeof(h->key));
		} else if (msg.type != VGPU_CONTROL_FD) {
			h->serial = msg.serial;
		} else if (msg.slot == VGPU_SLOT_CONTROL) {
			place = &h->listening;
		} else if (msg.slot == VGPU_SLOT_SEGMENT) {
			place = &h->segment;
		}
		if (place) {
			vgpu_close(*place);
			*place = fd;
		} else {
			vgpu_close(fd);
		}
		fd = -1;
	}
}

/* Another vgpud may have come: it is at the listening socket. */
static void accept_manager(struct helper *h)
{
	int fd = h->listening < 0 ? -1
				  : accept4(h->listening, NULL, NULL,
					    SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0)
		return;
	vgpu_close(h->control);
	h->control = fd;
	read_control(h);
}

static int make_fd(uint8_t kind, const struct helper *h)
{
	int pair[2];

	switch (kind % 8) {
	case 0:
	case 1:
		return memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	case 2:
		return eventfd(0, EFD_CLOEXEC);
	case 3:
		FUZZ_CHECK(pipe2(pair, O_CLOEXEC) == 0);
		break;
	case 4:
		FUZZ_CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
				      pair) == 0);
		break;
	case 5:
		return open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case 6:
		return h->segment < 0 ? -1
				      : fcntl(h->segment, F_DUPFD_CLOEXEC, 3);
	default:
		return open("/dev/null", O_RDWR | O_CLOEXEC);
	}
	close(pair[1]);
	return pair[0];
}

static void send_fds(int socket, const void *bytes, size_t n, const int *fds,
		     size_t n_fds)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(3 * sizeof(int))];
	} control = {};
	struct iovec iov = {(void *)bytes, n};
	struct msghdr header = {.msg_iov = &iov, .msg_iovlen = 1};

	if (n_fds) {
		header.msg_control = &control;
		header.msg_controllen = CMSG_SPACE(n_fds * sizeof(int));
		control.header.cmsg_level = SOL_SOCKET;
		control.header.cmsg_type = SCM_RIGHTS;
		control.header.cmsg_len = CMSG_LEN(n_fds * sizeof(int));
		memcpy(CMSG_DATA(&control.header), fds, n_fds * sizeof(int));
	}
	if (socket >= 0)
		sendmsg(socket, &header, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* All that a successor of vgpud needs, as a good device says it. */
static void hand_over(struct helper *h)
{
	static const uint32_t slots[] = {VGPU_SLOT_STATE, VGPU_SLOT_LISTEN};
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD};
	int fd;

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(slots); i++) {
		fd = make_fd(0, h);
		msg.slot = slots[i];
		send_fds(h->control, &msg, sizeof(msg), &fd, 1);
		close(fd);
	}
	msg.slot = VGPU_SLOT_CONTROL;
	if (h->listening >= 0)
		send_fds(h->control, &msg, sizeof(msg), &h->listening, 1);
	for (uint32_t i = 0; i < h->segments && h->segment >= 0; i++) {
		msg.slot = VGPU_SLOT_SEGMENT + i;
		send_fds(h->control, &msg, sizeof(msg), &h->segment, 1);
	}
}

static void play_device(struct input *in, struct helper *h)
{
	static const uint32_t kinds[] = {
		VGPU_CONTROL_STATUS, VGPU_CONTROL_STATUS, VGPU_CONTROL_FD,
		VGPU_CONTROL_FD,     VGPU_CONTROL_EVENT,  VGPU_CONTROL_REPLY,
		VGPU_CONTROL_REPLY,  VGPU_CONTROL_FD_DROP};
	struct vgpu_control_msg msg = {};
	uint8_t how = take8(in);
	size_t n_fds = 0, bytes = sizeof(msg);
	int fds[3] = {};

	accept_manager(h);
	read_control(h);
	msg.type = kinds[how % VGPU_ARRAY_SIZE(kinds)];
	switch (msg.type) {
	case VGPU_CONTROL_STATUS:
		if (how & 0x40)
			hand_over(h);
		msg.status.link = how >> 5 & 1;
		msg.status.heads = 2;
		msg.status.head[0].width = take8(in);
		msg.status.head[0].height = take8(in);
		break;
	case VGPU_CONTROL_FD:
		n_fds = 1;
		msg.slot = how & 0x40 ? (uint32_t)take_odd(in) : take8(in);
		break;
	case VGPU_CONTROL_FD_DROP:
		msg.slot = how & 0x40 ? (uint32_t)take_odd(in) : take8(in);
		break;
	case VGPU_CONTROL_EVENT:
		msg.event.kind = take8(in) % 5;
		msg.event.suppressed = (uint32_t)take_odd(in);
		take_bytes(in, msg.event.text, take8(in) % 64);
		break;
	default:
		msg.serial = h->serial - (how >> 3 & 1);
		msg.reply.status = how & 0x40 ? -(int)take8(in) : 0;
		msg.reply.frame.width = (uint32_t)take_odd(in);
		msg.reply.frame.height = take8(in);
		msg.reply.frame.stride_bytes = msg.reply.frame.width * 4;
		memset(msg.reply.text, take8(in), sizeof(msg.reply.text));
		n_fds = how >> 5 & 1;
		break;
	}
	if (how >= 0xf0)
		((uint8_t *)&msg)[take8(in) % 255] = take8(in);
	if (how >= 0xe0 && how < 0xe8)
		n_fds = take8(in) % 4;
	if (how >= 0xe8 && how < 0xec)
		bytes = take8(in);
	for (size_t i = 0; i < n_fds; i++) {
		fds[i] = make_fd(take8(in), h);
		if (fds[i] < 0)
			fds[i] = make_fd(0, h);
	}
	send_fds(h->control, &msg, bytes, fds, n_fds);
	for (size_t i = 0; i < n_fds; i++)
		close(fds[i]);
}

/* A VNC server says that it listens, or why it cannot. */
static void play_vnc(struct input *in, struct helper *h)
{
	uint8_t bytes[64] = "R";
	uint8_t how = take8(in);
	size_t n = 1;
	int fd = -1;

	if (how & 1)
		bytes[0] = 'E';
	if (how & 2)
		n += take_bytes(in, bytes + 1, take8(in) % 60);
	if (how & 4)
		bytes[0] = take8(in);
	if (how & 8)
		fd = make_fd(how >> 4, h);
	send_fds(h->control, bytes, n, &fd, fd >= 0);
	vgpu_close(fd);
}

static void play_helper(struct input *in)
{
	uint8_t how = take8(in);
	struct helper *h = NULL;

	for (int i = 0; i < HELPERS_MAX && !h; i++)
		if (helper[(how + i) % HELPERS_MAX].is_alive)
			h = &helper[(how + i) % HELPERS_MAX];
	if (!h)
		return;
	if (how >> 3 == 1)
		die(h);
	else if (how >> 3 == 2)
		h->control = vgpu_close(h->control);
	else if (h->is_device)
		play_device(in, h);
	else
		play_vnc(in, h);
}

static void connect_client(int *c)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	vgpu_close(*c);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s",
		 manager.paths.socket);
	*c = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	FUZZ_CHECK(*c >= 0);
	if (connect(*c, (struct sockaddr *)&address, sizeof(address)) < 0)
		*c = vgpu_close(*c);
}

static void read_client(int c)
{
	static char bytes[65536];
	char space[CMSG_SPACE(8 * sizeof(int))];
	struct iovec iov = {bytes, sizeof(bytes)};
	int fds[8];

	for (;;) {
		struct msghdr header = {
			.msg_iov = &iov,
			.msg_iovlen = 1,
			.msg_control = space,
			.msg_controllen = sizeof(space),
		};

		if (c < 0 || recvmsg(c, &header, MSG_CMSG_CLOEXEC) <= 0)
			return;
		for (size_t n = vgpu_fds_take(&header, fds, 8); n > 0; n--)
			close(fds[n - 1]);
	}
}

struct text {
	char bytes[TEXT_MAX];
	size_t n;
};

__attribute__((format(printf, 2, 3))) static void put(struct text *text,
						      const char *fmt, ...)
{
	va_list args;
	int n;

	va_start(args, fmt);
	n = vsnprintf(text->bytes + text->n, sizeof(text->bytes) - text->n, fmt,
		      args);
	va_end(args);
	if (n > 0)
		text->n = VGPU_MIN(text->n + (size_t)n, sizeof(text->bytes) - 1);
}

/* A value that some field may have. */
static void put_value(struct input *in, struct text *text)
{
	static const char *const values[] = {
		"\"a\"",
		"\"b\"",
		"\"128MB\"",
		"\"256MQ\"",
		"\"embedded\"",
		"\"unix:/x/y\"",
		"\"127.0.0.1:1\"",
		"\"00000000-0000-0000-0000-000000000001\"",
		"null",
		"true",
		"false",
		"-1",
		"1e400",
		"18446744073709551616",
		"[]",
		"{}",
		"\"\\u0000\"",
		"\"\\ud800\"",
		"\"%s%n\"",
		"[[[[[[[[[[{}]]]]]]]]]]",
	};
	uint8_t how = take8(in);

	if (how & 0x80)
		put(text, "%u", how & 0x40 ? (uint32_t)take_odd(in) : how & 7);
	else
		put(text, "%s", values[how % VGPU_ARRAY_SIZE(values)]);
}

static void put_field(struct input *in, struct text *text, const char *name)
{
	if (text->bytes[text->n - 1] != '{')
		put(text, ",");
	put(text, "\"%s\":", name);
	put_value(in, text);
}

static void make_call(struct input *in, struct text *text)
{
	static const char *const methods[] = {
		"Create",	    "Create",	 "Destroy", "GetInfo",
		"ListGpus",	    "ListTypes", "GetVgpu", "Capture",
		"GetQemuArguments", "SetMode",	 "SetVnc",  "Subscribe",
	};
	static const char *const names[] = {
		"type",	   "gpu",    "name",  "uuid",	"placement",
		"vgpu",	   "head",   "width", "height", "address",
		"history", "follow", "x",     "force",
	};
	uint8_t how = take8(in);
	const char *method = methods[how % VGPU_ARRAY_SIZE(methods)];
	uint8_t more = take8(in);

	put(text, "{\"method\":\"io.openvgpu.Manager.%s\"", method);
	if (strcmp(method, "Subscribe") == 0 || more >= 0xf0)
		put(text, ",\"more\":true");
	if (more >= 0xe0 && more < 0xe8)
		put(text, ",\"oneway\":true");
	put(text, ",\"parameters\":{");
	if (strcmp(method, "Create") == 0) {
		put(text, "\"type\":\"%s\"", more & 1 ? "256MQ" : "128MB");
		put(text, ",\"name\":\"%c\"", 'a' + (more >> 1 & 1));
	} else if (how % VGPU_ARRAY_SIZE(methods) != 3 &&
		   how % VGPU_ARRAY_SIZE(methods) != 4 &&
		   how % VGPU_ARRAY_SIZE(methods) != 5 &&
		   strcmp(method, "Subscribe") != 0) {
		put(text, "\"vgpu\":\"%c\"", 'a' + (more >> 1 & 1));
	}
	if (strcmp(method, "SetMode") == 0)
		put(text, ",\"width\":640,\"height\":%u", more & 4 ? 480 : 9000);
	if (strcmp(method, "SetVnc") == 0 && more & 4)
		put(text, ",\"address\":\"unix:%s/a.vnc\"", runtime);
	for (unsigned int i = 0; i < (how >> 6); i++)
		put_field(in, text, names[take8(in) % VGPU_ARRAY_SIZE(names)]);
	put(text, "}}");
}

static void say(struct input *in, int c)
{
	struct text text = {};
	uint8_t how = take8(in);

	if (how < 0xe0)
		make_call(in, &text);
	else
		text.n = take_bytes(in, text.bytes, take8(in));
	if (how % 16 == 1 && text.n)
		text.bytes[take32(in) % text.n] = (char)take8(in);
	if (how % 16 == 2 && text.n)
		text.n = take32(in) % text.n;
	/* Messages end with a NUL; at times half of one is all there is. */
	if (c >= 0)
		send(c, text.bytes, text.n + (how % 16 != 3), MSG_NOSIGNAL);
}

static void begin_manager(void)
{
	struct vgpu_err err = {};

	FUZZ_CHECK(vgpu_manager_init(&manager, event, &options, &err) >= 0);
	FUZZ_CHECK(vgpu_manager_start(&manager, &err) >= 0);
}

static void do_step(struct input *in)
{
	uint8_t op = take8(in);
	int *c = &client[op / 64 % CLIENTS];

	switch (op % 16) {
	case 0:
		connect_client(c);
		break;
	case 1:
		*c = vgpu_close(*c);
		break;
	case 2:
		vgpu_manager_finish(&manager);
		begin_manager();
		break;
	case 3:
	case 4:
	case 5:
	case 6:
	case 7:
	case 8:
		play_helper(in);
		break;
	default:
		if (*c < 0)
			connect_client(c);
		say(in, *c);
		break;
	}
	if (op % 16 != 15)
		run_events();
	for (int i = 0; i < CLIENTS; i++)
		read_client(client[i]);
}

static int remove_one(const char *path, const struct stat *st, int kind,
		      struct FTW *ftw)
{
	return remove(path);
}

static void remove_folder(void)
{
	nftw(folder, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "we");

	FUZZ_CHECK(file && fputs(text, file) >= 0 && fclose(file) == 0);
}

/* All files that vgpud has. */
static unsigned int n_files;

static int count_one(const char *path, const struct stat *st, int kind,
		     struct FTW *ftw)
{
	n_files++;
	return 0;
}

static unsigned int count_files(void)
{
	n_files = 0;
	nftw(folder, count_one, 16, FTW_PHYS);
	return n_files;
}

static void begin(void)
{
	silence_log();
	signal(SIGPIPE, SIG_IGN); /* as the program does */
	FUZZ_CHECK(mkdtemp(folder));
	atexit(remove_folder);
	snprintf(runtime, sizeof(runtime), "%s/run", folder);
	snprintf(state, sizeof(state), "%s/state", folder);
	snprintf(types_path, sizeof(types_path), "%s/types.ini", folder);
	snprintf(config_path, sizeof(config_path), "%s/vgpud.conf", folder);
	write_file(types_path, types);
	write_file(config_path, "[embedded]\nframebuffer_mib = 384\n");
	options = (struct vgpu_manager_options){
		.state = state,
		.runtime = runtime,
		.config = config_path,
		.types = types_path,
		.sysfs = folder, /* no GPU is there */
	};
	for (int i = 0; i < HELPERS_MAX; i++)
		helper[i] = (struct helper){.death = -1,
					    .control = -1,
					    .listening = -1,
					    .segment = -1};
	FUZZ_CHECK(sd_event_default(&event) >= 0);
	begin_manager();
	run_events();
	/* What it has of its own from the first vGPU on. */
	LLVMFuzzerTestOneInput((const uint8_t *)"\x09\0\0\0", 4);
}

/* Destroy every vGPU, whatever happened to it. */
static void destroy_all(void)
{
	const struct vgpu_caller nobody = {};
	struct vgpu_instance *instance, *next;
	struct vgpu_err err = {};

	for (int i = 0; i < 4 && !TAILQ_EMPTY(&manager.instances); i++) {
		for (int j = 0; j < HELPERS_MAX; j++)
			die(&helper[j]);
		run_events();
		for (instance = TAILQ_FIRST(&manager.instances); instance;
		     instance = next) {
			next = TAILQ_NEXT(instance, entry);
			vgpu_destroy(&manager, instance->definition.uuid, true,
				     &nobody, &err);
		}
		run_events();
	}
	FUZZ_CHECK(TAILQ_EMPTY(&manager.instances));
	for (int j = 0; j < HELPERS_MAX; j++) {
		die(&helper[j]);
		helper[j].death = vgpu_close(helper[j].death);
	}
	run_events();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static unsigned int files;
	static int fds;
	struct input in = {data, size};

	if (!event)
		begin();
	for (int i = 0; i < STEPS_MAX && in.left > 0; i++)
		do_step(&in);
	for (int i = 0; i < CLIENTS; i++)
		client[i] = vgpu_close(client[i]);
	run_events();
	destroy_all();

	FUZZ_CHECK(pool.held == 0);
	if (!files) {
		files = count_files();
		fds = count_fds();
	}
	FUZZ_CHECK(count_files() == files);
	check_fds(fds + LAZY_FDS);
	return 0;
}
