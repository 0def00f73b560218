/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vgpu-launch of each vGPU, which starts its render processes. */
#include "launcher.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "lib/control_abi.h"
#include "lib/util.h"
#include "manager/host/log.h"
#include "manager/host/process.h"
#include "manager/host/reaper.h"

static bool is_alive(int socket)
{
	struct pollfd poll_fd = {.fd = socket};

	return socket >= 0 && poll(&poll_fd, 1, 0) == 0;
}

/* A duplicate of its pidfd, for this vgpud and the next one to kill it by. */
static int keep_pidfd(struct vgpu_fd_store *store,
		      const struct vgpu_process *process)
{
	int pidfd = fcntl(process->pidfd, F_DUPFD_CLOEXEC, 3);

	if (pidfd < 0)
		return -errno;
	return vgpu_fd_store_put(store, VGPU_SLOT_OWN_LAUNCHER, pidfd);
}

bool vgpu_launcher_kill(const struct vgpu_fd_store *store)
{
	const struct vgpu_process process = {
		.pidfd = vgpu_fd_store_get(store, VGPU_SLOT_OWN_LAUNCHER),
	};

	if (process.pidfd < 0)
		return false;
	vgpu_process_signal(&process, SIGKILL);
	return true;
}

int vgpu_launcher_have(sd_event *event, struct vgpu_fd_store *store, int group,
		       struct vgpu_err *err)
{
	char *const argv[] = {(char *)"vgpu-launch", NULL};
	struct vgpu_process process = VGPU_PROCESS_NONE;
	vgpu_autoclose int ours = -1, theirs = -1;
	int pair[2];
	int r;

	if (is_alive(vgpu_fd_store_get(store, VGPU_SLOT_LAUNCHER)))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "no socket of a launcher: %s",
				    strerror(errno));
	ours = pair[0];
	theirs = pair[1];
	r = vgpu_process_start(argv, theirs, group, 0, &process, err);
	if (r < 0)
		return r;
	r = keep_pidfd(store, &process);
	if (r >= 0)
		r = vgpu_reaper_watch(event, "launcher", &process);
	if (r < 0)
		vgpu_process_finish(&process);
	if (r >= 0)
		r = vgpu_fd_store_put(store, VGPU_SLOT_LAUNCHER,
				      vgpu_steal_fd(&ours));
	return r < 0 ? vgpu_err_set(err, r, "Internal",
				    "the launcher process cannot be kept: %s",
				    strerror(-r))
		     : 0;
}
