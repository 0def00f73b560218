/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which layers of the sandbox are on, and which the kernel refused. */
#include "sandbox/report.h"

#include <stdio.h>
#include <string.h>

static const struct {
	const char *name; /* for VGPU_SANDBOX_WITHOUT */
	const char *text; /* for a person */
} layers[VGPU_LAYER_MAX] = {
	[VGPU_LAYER_IDS] = {"ids", "user id"},
	[VGPU_LAYER_CAPABILITIES] = {"capabilities", "capabilities"},
	[VGPU_LAYER_PRIVILEGES] = {"privileges", "no_new_privs"},
	[VGPU_LAYER_LIMITS] = {"limits", "resource limits"},
	[VGPU_LAYER_LANDLOCK] = {"landlock", "Landlock"},
	[VGPU_LAYER_SCOPE] = {"scope", "Landlock's scope of signals"},
	[VGPU_LAYER_SECCOMP] = {"seccomp", "seccomp"},
	[VGPU_LAYER_USER] = {"user", "user namespaces"},
	[VGPU_LAYER_PID] = {"pid", "process namespaces"},
	[VGPU_LAYER_NET] = {"net", "network namespaces"},
	[VGPU_LAYER_IPC] = {"ipc", "IPC namespaces"},
	[VGPU_LAYER_UTS] = {"uts", "UTS namespaces"},
	[VGPU_LAYER_ROOT] = {"root", "an empty root directory"},
};

const char *vgpu_sandbox_layer_name(enum vgpu_sandbox_layer layer)
{
	return layers[layer].name;
}

void vgpu_sandbox_report_layer(struct vgpu_sandbox_report *report,
			       enum vgpu_sandbox_layer layer, int result)
{
	if (result == 0) {
		report->on |= 1U << layer;
		return;
	}
	report->refused |= 1U << layer;
	report->error[layer] = -result;
}

int vgpu_sandbox_report_text(const struct vgpu_sandbox_report *report,
			     char *ret_text, size_t size)
{
	size_t used = 0;
	int n = 0;

	ret_text[0] = '\0';
	for (int i = 0; i < VGPU_LAYER_MAX; i++) {
		if (!(report->refused & (1U << i)) || used >= size)
			continue;
		used += (size_t)snprintf(ret_text + used, size - used, "%s%s",
					 n == 0 ? "the kernel does not give: "
						: ", ",
					 layers[i].text);
		if (report->error[i] && used < size)
			used += (size_t)snprintf(ret_text + used, size - used,
						 " (%s)",
						 strerror(report->error[i]));
		n++;
	}
	return n;
}
