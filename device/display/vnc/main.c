/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-vnc: one head of a vGPU for VNC clients of this machine. */
#include <errno.h>
#include <getopt.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "device/display/vnc/listen.h"
#include "device/display/vnc/server.h"
#include "device/display/vnc/source.h"
#include "lib/fds.h"
#include "lib/oom.h"
#include "lib/util.h"
#include "sandbox/sandbox.h"
#include "sandbox/seccomp.h"

/*
 * The control socket is a SOCK_SEQPACKET to vgpud:
 *
 *   'K' and a password                 ->  first, with --with-password
 *   'V' with a viewer socket attached  ->  its pictures from now on
 *                                      <-  'R': it listens
 *                                      <-  'F': it has the first picture, and
 *                                          takes clients from now on
 *                                      <-  'O': they ended: another, please
 *   'P'                                ->
 *                                      <-  'P': it is not frozen, and the
 *                                          number of clients that look
 *                                      <-  'E' and a text: it cannot, and ends
 *   the end of the connection          ->  it ends
 */

#define NAME_MAX_BYTES 100

struct vnc {
	int control;
	struct vgpu_vnc_listener listener;
	struct vgpu_vnc_source source;
	struct vgpu_vnc_input input;
	struct vgpu_vnc_server *server;
	bool is_view_only;
	char password[VGPU_VNC_PASSWORD_MAX + 1];
	bool owes_ack;	  /* the device waits for one */
	bool has_picture; /* clients would see nothing before, and a wrong size */
};

static volatile sig_atomic_t is_ended;

static void on_signal(int number)
{
	is_ended = 1;
}

static void usage(FILE *to)
{
	fputs("usage: vgpu-vnc --control-fd N --listen ADDRESS [--name NAME]\n"
	      "                [--view-only] [--with-password]\n"
	      "Shows a head of a vGPU by VNC, to this machine only, and takes keys and\n"
	      "pointer unless it is view only. The password comes on the control socket.\n"
	      "ADDRESS is unix:PATH, 127.0.0.1:PORT or [::1]:PORT. vgpud starts\n"
	      "this program; see vgpud(8).\n",
	      to);
}

static void report_state(int control, char tag, const char *text)
{
	char packet[1 + VGPU_ERR_TEXT_MAX];
	size_t length = strnlen(text, sizeof(packet) - 1);

	packet[0] = tag;
	memcpy(packet + 1, text, length);
	if (send(control, packet, 1 + length, MSG_NOSIGNAL) < 0)
		fprintf(stderr, "vgpu-vnc: cannot tell vgpud: %s\n",
			strerror(errno));
}

/* When it listens. It opens nothing after that, and starts no thread. */
static int shut_in(struct vnc *vnc, struct vgpu_err *err)
{
	struct vgpu_sandbox_report lacks = {};
	char text[VGPU_ERR_TEXT_MAX];
	vgpu_autoclose int oom = vgpu_oom_open();
	int r;

	vgpu_oom_raise(oom, VGPU_OOM_VNC);
	r = vgpu_sandbox_begin(VGPU_SANDBOX_VNC, 0, &lacks, err);
	if (r >= 0)
		r = vgpu_sandbox_finish(VGPU_SANDBOX_VNC, -1, &lacks, err);
	if (r >= 0 && vgpu_sandbox_report_text(&lacks, text, sizeof(text)))
		fprintf(stderr, "vgpu-vnc: it is shut in less: %s\n", text);
	return r;
}

static void report_clients(const struct vnc *vnc)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", vgpu_vnc_server_clients(vnc->server));
	report_state(vnc->control, 'P', text);
}

/* False when vgpud is gone. */
static bool handle_control(struct vnc *vnc)
{
	char space[CMSG_SPACE(sizeof(int))], tag = 0;
	struct iovec iov = {&tag, sizeof(tag)};
	struct msghdr header = {
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = space,
		.msg_controllen = sizeof(space),
	};
	ssize_t got =
		recvmsg(vnc->control, &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	int fd = -1;

	if (got < 0)
		return errno == EAGAIN || errno == EINTR;
	if (got == 0)
		return false;
	vgpu_fds_take(&header, &fd, 1);
	if (tag == 'P')
		report_clients(vnc);
	if (tag != 'V') {
		vgpu_close(fd);
		return true;
	}
	vgpu_vnc_source_attach(&vnc->source, fd);
	vgpu_vnc_input_attach(&vnc->input, fd);
	vnc->owes_ack = false;
	return true;
}

static void handle_picture(struct vnc *vnc)
{
	vnc->owes_ack = true;
	if (vnc->has_picture)
		return;
	vnc->has_picture = true;
	report_state(vnc->control, 'F', "");
}

static void handle_source(struct vnc *vnc)
{
	uint32_t *old = NULL;

	switch (vgpu_vnc_source_receive(&vnc->source, &old)) {
	case VGPU_VNC_RESIZED:
		vgpu_vnc_server_resize(vnc->server);
		free(old);
		handle_picture(vnc);
		break;
	case VGPU_VNC_DAMAGE:
		vgpu_vnc_server_damage(vnc->server);
		handle_picture(vnc);
		break;
	case VGPU_VNC_OVER:
		/* Clients keep the last picture; vgpud sends another 'V'. */
		vgpu_vnc_source_attach(&vnc->source, -1);
		vgpu_vnc_input_attach(&vnc->input, -1);
		vnc->owes_ack = false;
		report_state(vnc->control, 'O', "");
		break;
	case VGPU_VNC_NONE:
		break;
	}
}

static void handle_listener(struct vnc *vnc)
{
	int fd = accept4(vnc->listener.fd, NULL, NULL,
			 SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0)
		vgpu_vnc_server_add(vnc->server, fd);
}

static void run(struct vnc *vnc, const sigset_t *unblocked)
{
	while (!is_ended) {
		struct pollfd fds[3 + VGPU_VNC_CLIENTS_MAX] = {
			{.fd = vnc->control, .events = POLLIN},
			{.fd = vnc->source.socket, .events = POLLIN},
			/* Until then they wait to be accepted. */
			{.fd = vnc->has_picture ? vnc->listener.fd : -1,
			 .events = POLLIN},
		};
		int timeout_ms;
		unsigned int n = 3 + vgpu_vnc_server_poll(vnc->server, fds + 3,
							  &timeout_ms);
		int input_ms = vgpu_vnc_input_flush(&vnc->input);
		struct timespec timeout = {};

		if (timeout_ms < 0 || (input_ms >= 0 && input_ms < timeout_ms))
			timeout_ms = input_ms;
		timeout.tv_nsec = timeout_ms * 1000000L;

		if (ppoll(fds, n, timeout_ms < 0 ? NULL : &timeout, unblocked) <
		    0) {
			if (errno == EINTR)
				continue;
			return;
		}
		/* The source first: a new 'V' closes the socket polled. */
		if (fds[1].revents)
			handle_source(vnc);
		if (fds[0].revents && !handle_control(vnc))
			return;
		if (fds[2].revents)
			handle_listener(vnc);
		vgpu_vnc_server_serve(vnc->server);
		if (vnc->owes_ack && vgpu_vnc_server_is_ready(vnc->server)) {
			vnc->owes_ack = false;
			vgpu_vnc_source_acknowledge(&vnc->source);
		}
	}
}

/* False if it does not come. */
static bool read_password(struct vnc *vnc)
{
	char packet[1 + VGPU_VNC_PASSWORD_MAX + 1];
	ssize_t n = recv(vnc->control, packet, sizeof(packet), 0);

	if (n < 2 || (size_t)n == sizeof(packet) || packet[0] != 'K')
		return false;
	memcpy(vnc->password, packet + 1, (size_t)n - 1);
	explicit_bzero(packet, sizeof(packet));
	return vnc->password[0];
}

static int serve(struct vnc *vnc, const char *address, const char *name)
{
	struct sigaction action = {.sa_handler = on_signal};
	sigset_t ends, unblocked;
	struct vgpu_err err = {};

	/* Signals come in only while it waits. */
	sigemptyset(&ends);
	sigaddset(&ends, SIGTERM);
	sigaddset(&ends, SIGINT);
	sigprocmask(SIG_BLOCK, &ends, &unblocked);
	sigdelset(&unblocked, SIGTERM);
	sigdelset(&unblocked, SIGINT);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	signal(SIGPIPE, SIG_IGN);

	if (vgpu_vnc_listen(&vnc->listener, address, &err) < 0 ||
	    shut_in(vnc, &err) < 0) {
		vgpu_vnc_listener_finish(&vnc->listener);
		report_state(vnc->control, 'E', err.text);
		fprintf(stderr, "vgpu-vnc: %s\n", err.text);
		return EXIT_FAILURE;
	}
	vgpu_vnc_input_init(&vnc->input);
	if (vgpu_vnc_source_init(&vnc->source) == 0)
		vnc->server =
			vgpu_vnc_server_create(&(struct vgpu_vnc_server_config){
				.name = name,
				.source = &vnc->source,
				.input = vnc->is_view_only ? NULL : &vnc->input,
				.password = vnc->password,
			});
	if (vnc->server && vgpu_seccomp_enter(VGPU_SANDBOX_VNC, -1, &err) < 0) {
		report_state(vnc->control, 'E', err.text);
	} else if (vnc->server) {
		report_state(vnc->control, 'R', "");
		run(vnc, &unblocked);
	} else {
		report_state(vnc->control, 'E', "no memory for a VNC server");
	}
	vgpu_vnc_listener_finish(&vnc->listener);
	vgpu_vnc_server_destroy(vnc->server);
	vgpu_vnc_source_finish(&vnc->source);
	return vnc->server ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int parse_control(const char *text)
{
	struct stat stat;
	char *end;
	long fd;

	errno = 0;
	fd = strtol(text, &end, 10);
	if (errno || end == text || *end || fd < 0 || fd > INT32_MAX ||
	    fstat((int)fd, &stat) < 0 || !S_ISSOCK(stat.st_mode))
		return -1;
	return (int)fd;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{"control-fd", required_argument, NULL, 'c'},
		{"listen", required_argument, NULL, 'l'},
		{"name", required_argument, NULL, 'n'},
		{"view-only", no_argument, NULL, 'o'},
		{"with-password", no_argument, NULL, 'p'},
		{"help", no_argument, NULL, 'h'},
		{"version", no_argument, NULL, 'v'},
		{},
	};
	const char *address = NULL;
	char name[NAME_MAX_BYTES] = "OpenVGPU";
	struct vnc vnc = {.control = -1};
	bool has_password = false;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
		switch (option) {
		case 'c':
			vnc.control = parse_control(optarg);
			if (vnc.control < 0) {
				fprintf(stderr,
					"vgpu-vnc: --control-fd %s is not an open socket\n",
					optarg);
				return 2;
			}
			break;
		case 'l':
			address = optarg;
			break;
		case 'n':
			snprintf(name, sizeof(name), "%s", optarg);
			break;
		case 'o':
			vnc.is_view_only = true;
			break;
		case 'p':
			has_password = true;
			break;
		case 'h':
			usage(stdout);
			return EXIT_SUCCESS;
		case 'v':
			puts("vgpu-vnc " VGPU_VERSION);
			return EXIT_SUCCESS;
		default:
			usage(stderr);
			return 2;
		}
	}
	if (vnc.control < 0 || !address || optind < argc) {
		usage(stderr);
		return 2;
	}
	if (has_password && !read_password(&vnc)) {
		fputs("vgpu-vnc: no password came on the control socket\n",
		      stderr);
		return 2;
	}
	/* Viewers print it. */
	for (char *c = name; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return serve(&vnc, address, name);
}
