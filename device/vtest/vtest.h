/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vtest protocol: Mesa's venus driver on this host, without a VM. */
#ifndef VGPU_DEVICE_VTEST_H
#define VGPU_DEVICE_VTEST_H

#include <stddef.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "lib/err.h"

/*
 * A connection is one context, which is one process with a Vulkan driver. There
 * are fewer where RLIMIT_NOFILE is below some 10000.
 */
#define VGPU_VTEST_CONTEXTS_MAX 64U
/* Rings, streams and replies of all contexts; Mesa takes some 10 MiB each. */
#define VGPU_VTEST_SHM_BYTES_MAX (1024ULL * 1024 * 1024)

struct vgpu_vtest;

struct vgpu_vtest_config {
	const char *name; /* of the vGPU, for the log */
	uint8_t gpu_uuid[16];
	uint64_t framebuffer_bytes;
	uint64_t host_memory_bytes; /* of contexts, beyond that */
	int launcher_fd;	    /* of a vgpu-launch; stays the caller's */
	const void *capset;	    /* what GET_CAPSET answers for venus */
	size_t capset_bytes;
};

/*
 * Serve all that connect to @socket, which stays the caller's. @config is
 * copied but for what it points to.
 */
int vgpu_vtest_create(sd_event *event, int socket,
		      const struct vgpu_vtest_config *config,
		      struct vgpu_vtest **ret_vtest, struct vgpu_err *err);
void vgpu_vtest_destroy(struct vgpu_vtest *vtest); /* NULL is fine */

#endif
