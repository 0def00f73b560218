/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which layers of the sandbox are on, and which the kernel refused. */
#ifndef VGPU_SANDBOX_REPORT_H
#define VGPU_SANDBOX_REPORT_H

#include <stddef.h>

enum vgpu_sandbox_layer {
	VGPU_LAYER_IDS, /* not user 0, no groups but those of the GPUs */
	VGPU_LAYER_CAPABILITIES, /* none, and no way to gain any */
	VGPU_LAYER_PRIVILEGES,	 /* no_new_privs, not dumpable */
	VGPU_LAYER_LIMITS,	 /* rlimits */
	VGPU_LAYER_LANDLOCK,	 /* files, TCP */
	VGPU_LAYER_SCOPE, /* Landlock's: signals, abstract unix sockets */
	VGPU_LAYER_SECCOMP,
	/* Namespaces of its own. */
	VGPU_LAYER_USER,
	VGPU_LAYER_PID,
	VGPU_LAYER_NET,
	VGPU_LAYER_IPC,
	VGPU_LAYER_UTS,
	VGPU_LAYER_ROOT, /* an empty root directory */
	VGPU_LAYER_MAX
};

struct vgpu_sandbox_report {
	unsigned int on;      /* a bit for each layer */
	unsigned int refused; /* a bit for each layer that the kernel refused */
	int error[VGPU_LAYER_MAX]; /* why: errno, 0 if unknown */
};

/* @result is 0 or -errno. */
void vgpu_sandbox_report_layer(struct vgpu_sandbox_report *report,
			       enum vgpu_sandbox_layer layer, int result);

/*
 * Write "the kernel does not give: Landlock (Function not implemented)", or ""
 * if nothing was refused. Returns the number of refused layers.
 */
int vgpu_sandbox_report_text(const struct vgpu_sandbox_report *report,
			     char *ret_text, size_t size);

/* Hook for tests: a confined process tries what it must not be able to do. */
void vgpu_sandbox_on_entered(void);
/* Whether a test turns this layer off; always false in installed programs. */
_Bool vgpu_sandbox_is_without(enum vgpu_sandbox_layer layer);
/* The layer's name in VGPU_SANDBOX_WITHOUT. */
const char *vgpu_sandbox_layer_name(enum vgpu_sandbox_layer layer);

#endif
