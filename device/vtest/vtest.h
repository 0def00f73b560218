/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vtest protocol: Mesa's venus driver on this host, without a VM. */
#ifndef VGPU_DEVICE_VTEST_H
#define VGPU_DEVICE_VTEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/render/reserve.h"
#include "lib/control_abi.h"
#include "lib/err.h"

/*
 * A connection has one context, which is one process with a Vulkan driver. The
 * limit is lower where RLIMIT_NOFILE is below some 10000.
 */
#define VGPU_VTEST_CONTEXTS_MAX 64U
/* Rings, streams and replies of all contexts; Mesa takes some 10 MiB each. */
#define VGPU_VTEST_SHM_BYTES_MAX (1024ULL * 1024 * 1024)

struct vgpu_launcher_ops;
struct vgpu_vtest;

/* What it tells its owner. All are required. */
struct vgpu_vtest_ops {
	/* A client broke a rule, or lost its context. Any number may come. */
	void (*fault)(void *opaque, const char *text);
	/* vgpu_vtest_status() has changed. */
	void (*changed)(void *opaque);
};

struct vgpu_vtest_config {
	const char *name; /* of the vGPU */
	uint8_t gpu_uuid[16];
	uint64_t framebuffer_bytes;
	uint64_t host_memory_bytes; /* of contexts, beyond that */
	int launcher_fd;	    /* of a vgpu-launch; stays the caller's */
	int udmabuf, gpu_time;	    /* see struct vgpu_render_config */
	const struct vgpu_launcher_ops *launcher_ops;
	void *launcher_opaque;
	struct vgpu_reserve *reserve;	  /* of vgpu_own_memory_create() */
	const struct vgpu_vtest_ops *ops; /* NULL: nobody wants to know */
	void *opaque;
	const void *capset; /* what GET_CAPSET answers for venus */
	size_t capset_bytes;
	bool has_gfxstream; /* that wire is offered, too */
};

/*
 * Serve all that connect to @socket, which stays the caller's. @config is
 * copied but for what it points to.
 */
int vgpu_vtest_create(sd_event *event, int socket,
		      const struct vgpu_vtest_config *config,
		      struct vgpu_vtest **ret_vtest, struct vgpu_err *err);
void vgpu_vtest_destroy(struct vgpu_vtest *vtest); /* NULL is fine */

/*
 * Fill in what is known here: whether some program has a context, and which;
 * commands and errors are those since the beginning.
 */
void vgpu_vtest_status(const struct vgpu_vtest *vtest,
		       struct vgpu_control_status *status);
/* What this process has counted; there are no frames. */
void vgpu_vtest_figures(const struct vgpu_vtest *vtest,
			struct vgpu_figures *figures);

#endif
