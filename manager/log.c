/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines for the log. */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>

#include "text.h"

void vgpu_log(const char *fmt, ...)
{
	char line[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	vgpu_text_make_printable(line);
	/* One call, so that lines of several processes do not mix. */
	fprintf(stderr, "vgpud: %s\n", line);
}
