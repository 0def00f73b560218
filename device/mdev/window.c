/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The host-visible window: the kernel changes it at once, and is told of here. */
#include "window.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/queue.h>

#include "kernel/uapi/vgpu_mdev.h"

/* Done, but its owner hears of it from the event loop. */
struct change {
	TAILQ_ENTRY(change) entry;
	uint64_t cookie;
	int status;
};

struct vgpu_mdev_window {
	int fd;
	vgpu_mdev_window_done *done;
	void *opaque;
	TAILQ_HEAD(, change) changes;
	sd_event_source *report;
};

static int on_report(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_mdev_window *window = opaque;
	struct change *change;

	while ((change = TAILQ_FIRST(&window->changes))) {
		TAILQ_REMOVE(&window->changes, change, entry);
		window->done(window->opaque, change->cookie, change->status);
		free(change);
	}
	return 0;
}

int vgpu_mdev_window_create(sd_event *event, int fd, vgpu_mdev_window_done *done,
			    void *opaque, struct vgpu_mdev_window **ret_window)
{
	struct vgpu_mdev_window *window = calloc(1, sizeof(*window));
	int r;

	if (!window)
		return -ENOMEM;
	window->fd = fd;
	window->done = done;
	window->opaque = opaque;
	TAILQ_INIT(&window->changes);
	r = sd_event_add_time(event, &window->report, CLOCK_MONOTONIC, 0, 1,
			      on_report, window);
	if (r >= 0)
		r = sd_event_source_set_enabled(window->report, SD_EVENT_OFF);
	if (r < 0) {
		vgpu_mdev_window_destroy(window);
		return r;
	}
	*ret_window = window;
	return 0;
}

void vgpu_mdev_window_destroy(struct vgpu_mdev_window *window)
{
	if (!window)
		return;
	vgpu_mdev_window_forget(window);
	sd_event_source_disable_unref(window->report);
	free(window);
}

static int report_soon(struct vgpu_mdev_window *window, uint64_t cookie,
		       int status)
{
	struct change *change = malloc(sizeof(*change));

	if (!change)
		return -ENOMEM;
	*change = (struct change){.cookie = cookie, .status = status};
	TAILQ_INSERT_TAIL(&window->changes, change, entry);
	sd_event_source_set_enabled(window->report, SD_EVENT_ONESHOT);
	return 0;
}

int vgpu_mdev_window_map(struct vgpu_mdev_window *window, uint32_t session,
			 uint64_t cookie, const struct vgpu_gpu_mapping *mapping)
{
	const struct vgpu_mdev_map map = {
		.session = session,
		.fd = mapping->fd,
		.offset = mapping->window_offset,
		.bytes = mapping->bytes,
	};
	int status = 0;

	/* A predecessor may have been killed when it had mapped it. */
	if (ioctl(window->fd, VGPU_MDEV_MAP, &map) < 0 && errno != EEXIST)
		status = -errno;
	return report_soon(window, cookie, status);
}

int vgpu_mdev_window_unmap(struct vgpu_mdev_window *window, uint32_t session,
			   uint64_t cookie,
			   const struct vgpu_gpu_mapping *mapping)
{
	const struct vgpu_mdev_unmap unmap = {
		.session = session,
		.offset = mapping->window_offset,
		.bytes = mapping->bytes,
	};
	int status = 0;

	/* It may never have been there. */
	if (ioctl(window->fd, VGPU_MDEV_UNMAP, &unmap) < 0 && errno != ENOENT)
		status = -errno;
	return report_soon(window, cookie, status);
}

void vgpu_mdev_window_forget(struct vgpu_mdev_window *window)
{
	struct change *change;

	while ((change = TAILQ_FIRST(&window->changes))) {
		TAILQ_REMOVE(&window->changes, change, entry);
		free(change);
	}
}
