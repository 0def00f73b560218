/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Layers of the sandbox that a test leaves out: VGPU_SANDBOX_WITHOUT=scope,pid */
#include <stdlib.h>
#include <string.h>

#include "sandbox/report.h"

_Bool vgpu_sandbox_is_without(enum vgpu_sandbox_layer layer)
{
	const char *name = vgpu_sandbox_layer_name(layer);
	const char *list = getenv("VGPU_SANDBOX_WITHOUT");
	size_t length = strlen(name);

	while (list && *list) {
		size_t n = strcspn(list, ",");

		if (n == length && strncmp(list, name, n) == 0)
			return 1;
		list += n + (list[n] == ',');
	}
	return 0;
}
