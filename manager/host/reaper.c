/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reaps helper processes that nobody waits for. */
#include "reaper.h"

#include <string.h>
#include <sys/epoll.h>

#include "lib/util.h"
#include "log.h"

struct watched {
	struct vgpu_process process;
	const char *what;
};

static int on_end(sd_event_source *source, int fd, uint32_t revents,
		  void *userdata)
{
	struct watched *watched = userdata;
	char how[VGPU_PROCESS_REASON_SIZE];
	pid_t pid = watched->process.pid;

	/*
	 * Before its fd is closed, of which a process that was just started may
	 * have a duplicate for a moment.
	 */
	sd_event_source_set_enabled(source, SD_EVENT_OFF);
	vgpu_process_reap(&watched->process, how);
	if (strcmp(how, "ended with status 0") != 0)
		vgpu_log("the %s process %d %s", watched->what, pid, how);
	sd_event_source_disable_unref(source);
	return 0;
}

static void finish_watched(void *userdata)
{
	struct watched *watched = userdata;

	vgpu_process_finish(&watched->process);
	free(watched);
}

int vgpu_reaper_watch(sd_event *event, const char *what,
		      const struct vgpu_process *process)
{
	struct watched *watched = malloc(sizeof(*watched));
	sd_event_source *source = NULL;
	int r;

	if (!watched)
		return -ENOMEM;
	*watched = (struct watched){*process, what};
	r = sd_event_add_io(event, &source, process->pidfd, EPOLLIN, on_end,
			    watched);
	if (r < 0) {
		free(watched);
		return r;
	}
	sd_event_source_set_destroy_callback(source, finish_watched);
	sd_event_source_set_floating(source, true);
	sd_event_source_unref(source);
	return 0;
}
