/* SPDX-License-Identifier: GPL-2.0-or-later */
/* In installed programs no layer can be turned off. */
#include "sandbox/report.h"

_Bool vgpu_sandbox_is_without(enum vgpu_sandbox_layer layer)
{
	return 0;
}

void vgpu_sandbox_on_entered(void)
{
}
