/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Notices that GPUs come and go, by their device nodes. */
#include "nodes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>

#include "lib/util.h"

/* udev gives a node its rights a little later, and a GPU has several. */
#define SETTLE_USEC (1000 * 1000ULL)
#define CHANGES	    (IN_CREATE | IN_DELETE | IN_MOVED_TO | IN_ATTRIB)

/* The folder of most drivers' nodes; NVIDIA's are in /dev itself. */
#define DRI    "dri"
#define NVIDIA "nvidia"

struct vgpu_gpu_nodes {
	sd_event *event;
	void (*changed)(void *userdata);
	void *userdata;
	char *dri_path;
	sd_event_source *all; /* of the folder */
	sd_event_source *dri; /* NULL while there is no such folder */
	sd_event_source *settled;
};

static int on_settled(sd_event_source *source, uint64_t usec, void *userdata)
{
	struct vgpu_gpu_nodes *nodes = userdata;

	nodes->settled = sd_event_source_disable_unref(nodes->settled);
	nodes->changed(nodes->userdata);
	return 0;
}

static void note_change(struct vgpu_gpu_nodes *nodes)
{
	nodes->settled = sd_event_source_disable_unref(nodes->settled);
	if (sd_event_add_time_relative(nodes->event, &nodes->settled,
				       CLOCK_MONOTONIC, SETTLE_USEC, 0,
				       on_settled, nodes) < 0)
		nodes->changed(nodes->userdata);
}

static int on_dri(sd_event_source *source, const struct inotify_event *change,
		  void *userdata)
{
	struct vgpu_gpu_nodes *nodes = userdata;

	/* The folder itself: whoever sees its parent sees it come again. */
	if (change->mask & IN_IGNORED)
		nodes->dri = sd_event_source_disable_unref(nodes->dri);
	note_change(nodes);
	return 0;
}

static void watch_dri(struct vgpu_gpu_nodes *nodes)
{
	if (!nodes->dri)
		sd_event_add_inotify(nodes->event, &nodes->dri, nodes->dri_path,
				     CHANGES | IN_ONLYDIR, on_dri, nodes);
}

static int on_all(sd_event_source *source, const struct inotify_event *change,
		  void *userdata)
{
	struct vgpu_gpu_nodes *nodes = userdata;

	/* Without a name: more changes than the kernel counts. */
	if (change->len > 0 && strcmp(change->name, DRI) != 0 &&
	    strncmp(change->name, NVIDIA, strlen(NVIDIA)) != 0)
		return 0;
	watch_dri(nodes);
	note_change(nodes);
	return 0;
}

int vgpu_gpu_nodes_create(sd_event *event, const char *folder,
			  void (*changed)(void *userdata), void *userdata,
			  struct vgpu_gpu_nodes **ret_nodes)
{
	struct vgpu_gpu_nodes *nodes = malloc(sizeof(*nodes));
	int r;

	if (!nodes)
		return -ENOMEM;
	*nodes = (struct vgpu_gpu_nodes){
		.event = event,
		.changed = changed,
		.userdata = userdata,
	};
	r = asprintf(&nodes->dri_path, "%s/" DRI, folder) < 0 ? -ENOMEM : 0;
	if (r < 0)
		nodes->dri_path = NULL;
	else
		r = sd_event_add_inotify(event, &nodes->all, folder, CHANGES,
					 on_all, nodes);
	if (r < 0) {
		vgpu_gpu_nodes_destroy(nodes);
		return r;
	}
	watch_dri(nodes);
	*ret_nodes = nodes;
	return 0;
}

void vgpu_gpu_nodes_destroy(struct vgpu_gpu_nodes *nodes)
{
	if (!nodes)
		return;
	sd_event_source_disable_unref(nodes->settled);
	sd_event_source_disable_unref(nodes->dri);
	sd_event_source_disable_unref(nodes->all);
	free(nodes->dri_path);
	free(nodes);
}
