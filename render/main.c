/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-render: carries out the Vulkan commands of one guest context. */
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "render/vulkan/recording.h"
#include "sandbox/sandbox.h"

static bool is_packet_socket(int fd)
{
	socklen_t bytes = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
	       type == SOCK_SEQPACKET;
}

static bool is_file(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

static void on_abort(int number)
{
	_exit(VGPU_RENDER_EXIT_ABORT);
}

/*
 * The first process of a process namespace, which this one is, does not die of
 * a signal that it sends itself.
 */
static void catch_abort(void)
{
	const struct sigaction action = {.sa_handler = on_abort};

	sigaction(SIGABRT, &action, NULL);
}

/*
 * What a client gives up, or cuts off, is taken from under whoever still uses
 * it: its own context. Any thread may find out, inside the driver, too.
 */
static void on_bus_error(int number, siginfo_t *info, void *machine)
{
	static const char text[] = "memory that was given up is used";
	static struct vgpu_render_message message = {
		.type = VGPU_RENDER_FATAL,
		.n = VGPU_LOSS_OTHER,
		.bytes = sizeof(text) - 1,
	};
	struct iovec part[2] = {{&message, sizeof(message)},
				{(void *)text, sizeof(text) - 1}};
	const struct msghdr packet = {.msg_iov = part, .msg_iovlen = 2};

	if (info->si_code == BUS_ADRERR)
		sendmsg(VGPU_RENDER_FD_COMMAND, &packet, MSG_NOSIGNAL);
	_exit(EXIT_FAILURE);
}

static void catch_bus_error(void)
{
	const struct sigaction action = {.sa_sigaction = on_bus_error,
					 .sa_flags = SA_SIGINFO};

	sigaction(SIGBUS, &action, NULL);
}

static int print_usage(void)
{
	fputs("vgpu-render is started by vgpu-device;"
	      " vgpu-render --replay FILE carries out what it recorded\n",
	      stderr);
	return 2;
}

int main(int argc, char **argv)
{
	static struct vgpu_context ctx;
	struct vgpu_err err = {};
	const char *option = argc > 1 ? argv[1] : "";

	if (argc == 2 && strcmp(option, "--version") == 0) {
		puts("vgpu-render " VGPU_VERSION);
		return 0;
	}
	if (argc == 3 && strcmp(option, "--replay") == 0) {
		ctx.replay = vgpu_replay_create(argv[2]);
		if (!ctx.replay)
			return EXIT_FAILURE;
		/* As under vgpu-device. */
		setenv("MESA_SHADER_CACHE_DISABLE", "true", 1);
		vgpu_context_run(&ctx); /* it says how that went, and exits */
	}
	if ((argc > 1 && (argc != 3 || strcmp(option, "--record") != 0)) ||
	    !is_packet_socket(VGPU_RENDER_FD_COMMAND) ||
	    !is_packet_socket(VGPU_RENDER_FD_MEMORY))
		return print_usage();
	if (argc == 3)
		ctx.recorder = vgpu_recorder_create(vgpu_recorder_open(argv[2]));
	else if (is_file(VGPU_RENDER_FD_RECORD))
		ctx.recorder = vgpu_recorder_create(VGPU_RENDER_FD_RECORD);
	catch_abort();
	catch_bus_error();
	vgpu_limits_prepare();
	if (vgpu_sandbox_begin(VGPU_SANDBOX_RENDER, 0, &ctx.sandbox, &err) < 0)
		vgpu_context_fatal(&ctx, VGPU_LOSS_OTHER, "%s", err.text);
	/*
	 * libc's arenas for other threads than the first grow by a page and a
	 * system call at a time, which is half of what a driver takes here to
	 * create a device.
	 */
	mallopt(M_ARENA_MAX, 1);
	vgpu_context_run(&ctx);
	/* The driver's own end takes long and may hang: the kernel is faster. */
	_exit(0);
}
