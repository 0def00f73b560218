/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors that a person reads. */
#include "err.h"

#include <stdio.h>

int vgpu_err_set(struct vgpu_err *err, int status, const char *name,
		 const char *fmt, ...)
{
	va_list args;

	if (!err)
		return status;

	err->status = status;
	err->name = name;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);

	for (char *c = err->text; *c; c++)
		if ((unsigned char)*c < 0x20 || *c == 0x7f)
			*c = '?';
	return status;
}
