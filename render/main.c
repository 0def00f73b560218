/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu-render: carries out the Vulkan commands of one guest context. */
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "render/vulkan/context.h"

static bool is_packet_socket(int fd)
{
	socklen_t bytes = sizeof(int);
	int type = 0;

	return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &bytes) == 0 &&
	       type == SOCK_SEQPACKET;
}

int main(int argc, char **argv)
{
	static struct vgpu_context ctx;
	const struct rlimit no_core = {0, 0};

	if (argc > 1 && strcmp(argv[1], "--version") == 0) {
		puts("vgpu-render " VGPU_VERSION);
		return 0;
	}
	if (argc > 1 || !is_packet_socket(VGPU_RENDER_FD_COMMAND) ||
	    !is_packet_socket(VGPU_RENDER_FD_MEMORY)) {
		fputs("vgpu-render is started by vgpu-device\n", stderr);
		return 2;
	}
	/* What a guest has in its memory ends up in no file. */
	setrlimit(RLIMIT_CORE, &no_core);
	prctl(PR_SET_DUMPABLE, 0);
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
