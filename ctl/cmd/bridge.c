/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl bridge: the manager's socket, on standard input and output. */
#include "ctl/ctl.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "lib/util.h"

#define BUFFER_BYTES (64UL * 1024)

/* Bytes on their way from one fd to another. */
struct way {
	int from;
	int to;
	size_t begin;
	size_t end;
	bool is_over; /* no more will come */
	char bytes[BUFFER_BYTES];
};

static int set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0 ? -errno
								       : 0;
}

/* Read what there is, if what was read before is gone. Returns 0 or -errno. */
static int fill(struct way *way)
{
	ssize_t n;

	if (way->begin < way->end || way->is_over)
		return 0;
	n = read(way->from, way->bytes, sizeof(way->bytes));
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	way->is_over = n == 0;
	way->begin = 0;
	way->end = (size_t)n;
	return 0;
}

static int drain(struct way *way)
{
	ssize_t n;

	if (way->begin == way->end)
		return 0;
	n = write(way->to, way->bytes + way->begin, way->end - way->begin);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	way->begin += (size_t)n;
	return 0;
}

static bool has_bytes(const struct way *way)
{
	return way->begin < way->end;
}

/* Until one of them is at its end, and what came before that has gone on. */
static int pump(struct way *in, struct way *out)
{
	int r = 0;

	while (r == 0 && !(in->is_over && !has_bytes(in)) &&
	       !(out->is_over && !has_bytes(out))) {
		struct pollfd fds[] = {
			{has_bytes(in) ? -1 : in->from, POLLIN, 0},
			{has_bytes(in) ? in->to : -1, POLLOUT, 0},
			{has_bytes(out) ? -1 : out->from, POLLIN, 0},
			{has_bytes(out) ? out->to : -1, POLLOUT, 0},
		};

		if (poll(fds, VGPU_ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return -errno;
		if (fds[0].revents)
			r = fill(in);
		if (r == 0 && (fds[0].revents || fds[1].revents))
			r = drain(in);
		if (r == 0 && fds[2].revents)
			r = fill(out);
		if (r == 0 && (fds[2].revents || fds[3].revents))
			r = drain(out);
	}
	return r;
}

static enum ctl_exit run(struct ctl *ctl)
{
	static struct way in, out;
	vgpu_autoclose int fd = -1;
	struct vgpu_err err = {};
	int r;

	if (isatty(STDIN_FILENO) || isatty(STDOUT_FILENO))
		return ctl_fail(
			"bridge is for programs: 'vgpuctl --host ssh://HOST' runs it there");
	if (ctl_manager_open(ctl, &fd, &err) < 0)
		return ctl_fail("%s", err.text);
	in.from = STDIN_FILENO;
	in.to = out.from = fd;
	out.to = STDOUT_FILENO;
	r = set_nonblocking(fd);
	if (r == 0)
		r = set_nonblocking(STDIN_FILENO);
	if (r == 0)
		r = set_nonblocking(STDOUT_FILENO);
	if (r == 0)
		r = pump(&in, &out);
	/* One of both has left in the middle: the other sees that, too. */
	if (r < 0 && r != -EPIPE && r != -ECONNRESET)
		return ctl_fail("the connection is cut: %s", strerror(-r));
	return CTL_DONE;
}

const struct ctl_command ctl_command_bridge = {
	.name = "bridge",
	.words = "",
	.summary = "Carry a connection to the manager, for --host",
	.help = "Connects standard input and output to the manager's socket. 'vgpuctl --host'\n"
		"runs it by ssh on the other machine; so can other programs that speak varlink.\n"
		"File descriptors do not pass.\n"
		"\n"
		"Examples:\n"
		"  ssh host vgpuctl bridge\n"
		"  varlinkctl call ssh-exec:host:\"vgpuctl bridge\" io.openvgpu.Manager.GetInfo {}\n",
	.run = run,
};
