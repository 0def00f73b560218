/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks vgpu-probe for the machine's GPUs while vgpud goes on. */
#include "probing.h"

#include <signal.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#include "lib/util.h"

#define TIMEOUT_USEC (10 * 1000 * 1000ULL)
/* What a pipe holds, and more than so many GPUs need. */
#define OUTPUT_MAX (64 * 1024)

struct vgpu_probing {
	struct vgpu_process process;
	int reader;
	sd_event_source *on_end;
	sd_event_source *on_late;
	vgpu_probing_done_t done;
	void *userdata;
	bool is_late;
};

static void destroy(struct vgpu_probing *probing)
{
	sd_event_source_disable_unref(probing->on_end);
	sd_event_source_disable_unref(probing->on_late);
	vgpu_process_finish(&probing->process);
	vgpu_close(probing->reader);
	free(probing);
}

/* It has ended, and what it printed is in the pipe. */
static int read_output(struct vgpu_probing *probing,
		       struct vgpu_inventory *ret_found, struct vgpu_err *err)
{
	vgpu_autofree char *text = malloc(OUTPUT_MAX + 1);
	char reason[VGPU_PROCESS_REASON_SIZE];
	size_t used = 0;
	ssize_t n = -1;

	probing->on_end = sd_event_source_disable_unref(probing->on_end);
	vgpu_process_reap(&probing->process, reason);
	if (probing->is_late)
		return vgpu_err_set(err, -ETIMEDOUT, "Internal",
				    "vgpu-probe: it did not end within 10 s");
	if (strcmp(reason, "ended with status 0") != 0)
		return vgpu_err_set(err, -EIO, "Internal", "vgpu-probe %s",
				    reason);
	while (text && used < OUTPUT_MAX) {
		n = read(probing->reader, text + used, OUTPUT_MAX - used);
		if (n <= 0)
			break;
		used += (size_t)n;
	}
	/* A helper of a driver's may have it still; the probe has ended. */
	if (n < 0 && errno == EAGAIN)
		n = 0;
	if (!text || n != 0)
		return vgpu_err_set(err, -EIO, "Internal",
				    "vgpu-probe: what it prints cannot be read");
	text[used] = '\0';
	return vgpu_inventory_read(ret_found, text, err);
}

static int on_end(sd_event_source *source, int fd, uint32_t events, void *opaque)
{
	struct vgpu_probing *probing = opaque;
	vgpu_probing_done_t done = probing->done;
	void *userdata = probing->userdata;
	struct vgpu_inventory found = {};
	struct vgpu_err err = {};
	int r;

	r = read_output(probing, &found, &err);
	destroy(probing);
	done(userdata, r < 0 ? NULL : &found, err.text);
	if (r >= 0)
		vgpu_inventory_finish(&found);
	return 0;
}

/* Its end follows. */
static int on_late(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_probing *probing = opaque;

	probing->is_late = true;
	vgpu_process_signal(&probing->process, SIGKILL);
	return 0;
}

int vgpu_probing_start(sd_event *event, vgpu_probing_done_t done, void *userdata,
		       struct vgpu_probing **ret_probing, struct vgpu_err *err)
{
	struct vgpu_probing *probing = malloc(sizeof(*probing));
	int r;

	if (!probing)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	*probing = (struct vgpu_probing){
		.process = VGPU_PROCESS_NONE,
		.reader = -1,
		.done = done,
		.userdata = userdata,
	};
	r = vgpu_inventory_ask(&probing->process, &probing->reader, err);
	if (r < 0) {
		destroy(probing);
		return r;
	}
	r = fcntl(probing->reader, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
	if (r >= 0)
		r = sd_event_add_io(event, &probing->on_end,
				    probing->process.pidfd, EPOLLIN, on_end,
				    probing);
	if (r >= 0)
		r = sd_event_add_time_relative(event, &probing->on_late,
					       CLOCK_MONOTONIC, TIMEOUT_USEC, 0,
					       on_late, probing);
	if (r < 0) {
		vgpu_probing_cancel(probing);
		return vgpu_err_set(err, r, "Internal", "no event source: %s",
				    strerror(-r));
	}
	*ret_probing = probing;
	return 0;
}

void vgpu_probing_cancel(struct vgpu_probing *probing)
{
	if (!probing)
		return;
	vgpu_process_signal(&probing->process, SIGKILL);
	destroy(probing);
}
