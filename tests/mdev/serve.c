// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * serve PATH: keeps a vgpu-device for the mediated device whose file is PATH,
 * as a manager does: a device process that ends has a successor. Reads commands
 * from standard input, a line each: "picture" tells the colours of the head,
 * "kill" kills the process, "mode W H" changes the mode, "end" ends both.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/control_abi.h"

#define FRAMEBUFFER_BYTES (64u << 20)
#define WINDOW_BYTES	  (128u << 20)

static int slot_fd[VGPU_SLOT_MAX]; /* + 1 */
static pid_t device;
static int control = -1;
static unsigned int processes;

static void die(const char *what)
{
	printf("test: serve: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void put_slot(uint32_t slot, int fd)
{
	if (slot >= VGPU_SLOT_MAX)
		die("a slot that there is not");
	if (slot_fd[slot])
		close(slot_fd[slot] - 1);
	slot_fd[slot] = fd + 1;
}

static void send_msg(struct vgpu_control_msg *msg, int fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control_data = {};
	struct iovec part = {msg, sizeof(*msg)};
	struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};

	if (fd >= 0) {
		header.msg_control = &control_data;
		header.msg_controllen = sizeof(control_data);
		control_data.header.cmsg_level = SOL_SOCKET;
		control_data.header.cmsg_type = SCM_RIGHTS;
		control_data.header.cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(&control_data.header), &fd, sizeof(fd));
	}
	if (sendmsg(control, &header, MSG_NOSIGNAL) < 0)
		printf("test: serve: a message is not sent\n");
}

/* False at the end of the process. */
static bool receive_msg(struct vgpu_control_msg *msg, int *ret_fd)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control_data = {};
	struct iovec part = {msg, sizeof(*msg)};
	struct msghdr header = {
		.msg_iov = &part,
		.msg_iovlen = 1,
		.msg_control = &control_data,
		.msg_controllen = sizeof(control_data),
	};
	ssize_t n = recvmsg(control, &header, MSG_CMSG_CLOEXEC);
	const struct cmsghdr *cmsg = CMSG_FIRSTHDR(&header);

	*ret_fd = -1;
	if (n != (ssize_t)sizeof(*msg))
		return false;
	if (cmsg && cmsg->cmsg_type == SCM_RIGHTS)
		memcpy(ret_fd, CMSG_DATA(cmsg), sizeof(*ret_fd));
	return true;
}

static void start_device(void)
{
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_START};
	char number[16];
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, pair) < 0)
		die("socketpair");
	fcntl(pair[0], F_SETFD, FD_CLOEXEC);
	snprintf(number, sizeof(number), "%d", pair[1]);
	fflush(stdout);
	device = fork();
	if (device == 0) {
		execlp("vgpu-device", "vgpu-device", "--control-fd", number,
		       NULL);
		_exit(127);
	}
	close(pair[1]);
	control = pair[0];
	for (uint32_t i = 0; i < VGPU_SLOT_MAX; i++) {
		struct vgpu_control_msg fd = {.type = VGPU_CONTROL_FD, .slot = i};

		if (slot_fd[i])
			send_msg(&fd, slot_fd[i] - 1);
	}
	msg.start = (struct vgpu_control_start){
		.name = "mdev",
		.uuid = "6ba7b810-9dad-41d1-80b4-00c04fd430c8",
		.version = VGPU_CONTROL_VERSION,
		.heads = 1,
		.max_width = 1920,
		.max_height = 1080,
		.segments = 1,
		.segment_bytes = FRAMEBUFFER_BYTES,
		.framebuffer_bytes = FRAMEBUFFER_BYTES,
		.host_visible_bytes = WINDOW_BYTES,
		.is_framebuffer_new = processes == 0,
	};
	send_msg(&msg, -1);
	processes++;
}

static void make_memory(uint32_t slot, const char *name, off_t bytes)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, bytes) < 0)
		die("memfd");
	put_slot(slot, fd);
}

static uint32_t pixel(const char *pixels, const struct vgpu_control_frame *frame,
		      uint32_t x, uint32_t y)
{
	uint32_t value;

	memcpy(&value, pixels + (size_t)y * frame->stride_bytes + (size_t)x * 4,
	       sizeof(value));
	return value & 0xffffff;
}

/* The colour in the middle of each quarter. */
static void tell_picture(const struct vgpu_control_msg *msg, int fd)
{
	const struct vgpu_control_frame *frame = &msg->reply.frame;
	size_t bytes = (size_t)frame->stride_bytes * frame->height;
	uint32_t w = frame->width, h = frame->height;
	char *pixels;

	if (msg->reply.status < 0 || fd < 0) {
		printf("test: no picture: %d %s\n", msg->reply.status,
		       msg->reply.text);
		return;
	}
	pixels = mmap(NULL, bytes, PROT_READ, MAP_SHARED, fd, 0);
	if (pixels == MAP_FAILED)
		die("the picture");
	printf("test: picture %ux%u %06x %06x %06x %06x\n", w, h,
	       pixel(pixels, frame, w / 4, h / 4),
	       pixel(pixels, frame, w * 3 / 4, h / 4),
	       pixel(pixels, frame, w / 4, h * 3 / 4),
	       pixel(pixels, frame, w * 3 / 4, h * 3 / 4));
	munmap(pixels, bytes);
}

static void on_message(void)
{
	struct vgpu_control_msg msg;
	int fd, status;

	if (!receive_msg(&msg, &fd)) {
		close(control);
		waitpid(device, &status, 0);
		printf("test: device process %u ended with %d\n", processes,
		       WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					   : WEXITSTATUS(status));
		if (processes == 1 || WIFSIGNALED(status))
			start_device();
		else
			exit(1);
		return;
	}
	switch (msg.type) {
	case VGPU_CONTROL_FD:
		put_slot(msg.slot, fd);
		return;
	case VGPU_CONTROL_FD_DROP:
		put_slot(msg.slot, -1);
		break;
	case VGPU_CONTROL_STATUS:
		printf("test: status link %u pid %d generation %u commands %llu errors %llu head %ux%u\n",
		       msg.status.link, msg.status.peer_pid,
		       msg.status.generation,
		       (unsigned long long)msg.status.commands,
		       (unsigned long long)msg.status.errors,
		       msg.status.head[0].width, msg.status.head[0].height);
		break;
	case VGPU_CONTROL_EVENT:
		printf("test: event %u %s\n", msg.event.kind, msg.event.text);
		break;
	case VGPU_CONTROL_REPLY:
		if (msg.serial == 1)
			tell_picture(&msg, fd);
		else
			printf("test: mode %d %s\n", msg.reply.status,
			       msg.reply.text);
		break;
	}
	if (fd >= 0)
		close(fd);
}

static void on_line(char *line)
{
	struct vgpu_control_msg msg = {};
	unsigned int width, height;

	if (!strcmp(line, "picture")) {
		msg.type = VGPU_CONTROL_CAPTURE;
		msg.serial = 1;
		send_msg(&msg, -1);
	} else if (sscanf(line, "mode %u %u", &width, &height) == 2) {
		msg.type = VGPU_CONTROL_SET_MODE;
		msg.serial = 2;
		msg.mode = (struct vgpu_control_mode){0, width, height};
		send_msg(&msg, -1);
	} else if (!strcmp(line, "kill")) {
		kill(device, SIGKILL);
	} else if (!strcmp(line, "end")) {
		kill(device, SIGKILL);
		waitpid(device, NULL, 0);
		printf("test: served by %u\n", processes);
		exit(0);
	}
}

int main(int argc, char **argv)
{
	int file = argc == 2 ? open(argv[1], O_RDWR | O_CLOEXEC) : -1;
	char line[64];

	setvbuf(stdout, NULL, _IOLBF, 0);
	if (file < 0)
		die("the device's file");
	put_slot(VGPU_SLOT_MDEV, file);
	make_memory(VGPU_SLOT_STATE, "state", 0);
	make_memory(VGPU_SLOT_SEGMENT, "framebuffer", FRAMEBUFFER_BYTES);
	start_device();
	printf("test: serving\n");
	for (;;) {
		struct pollfd fds[] = {{0, POLLIN, 0}, {control, POLLIN, 0}};
		ssize_t n;

		if (poll(fds, 2, -1) < 0)
			die("poll");
		if (fds[1].revents)
			on_message();
		if (!fds[0].revents)
			continue;
		n = read(0, line, sizeof(line) - 1);
		if (n <= 0)
			die("no commands");
		line[n] = '\0';
		for (char *next = line, *one; (one = strsep(&next, "\n"));)
			on_line(one);
	}
}
