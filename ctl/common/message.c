/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages of vgpuctl on stderr. */
#include "ctl/common/message.h"

#include <stdarg.h>

#include "ctl/common/text.h"
#include "lib/util.h"

static void say(const char *prefix, const char *fmt, va_list args)
{
	vgpu_autofree char *line = NULL;
	vgpu_autofree char *escaped = NULL;

	/* Keep the order if stdout and stderr are the same file. */
	fflush(stdout);
	if (vasprintf(&line, fmt, args) < 0) {
		line = NULL;
		return;
	}
	escaped = ctl_text_escape(line);
	fprintf(stderr, "%s%s\n", prefix, escaped ? escaped : "out of memory");
}

enum ctl_exit ctl_fail(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("vgpuctl: ", fmt, args);
	va_end(args);
	return CTL_FAILED;
}

bool ctl_complain(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("vgpuctl: ", fmt, args);
	va_end(args);
	return false;
}

void ctl_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	say("", fmt, args);
	va_end(args);
}
