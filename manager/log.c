/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log, and text from outside made fit to print. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void vgpu_log(const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	vgpu_make_printable(line);
	/* One call, so that lines of several processes do not mix. */
	fprintf(stderr, "vgpud: %s\n", line);
}

void vgpu_make_printable(char *text)
{
	for (char *c = text; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			*c = '?';
}

const char *vgpu_quote(char ret[VGPU_QUOTED_SIZE], const char *text)
{
	if (snprintf(ret, VGPU_QUOTED_SIZE, "%s", text) >= VGPU_QUOTED_SIZE)
		memcpy(ret + VGPU_QUOTED_SIZE - 4, "...", 4);
	vgpu_make_printable(ret);
	return ret;
}
