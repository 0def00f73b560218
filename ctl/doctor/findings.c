/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the checks of vgpuctl doctor find: a line each, or an object in JSON. */
#include "ctl/doctor/doctor.h"

#include <stdarg.h>

#include "ctl/common/table.h"
#include "ctl/common/text.h"
#include "lib/util.h"

static void print_finding(const char *check, enum ctl_verdict verdict,
			  const char *text, const char *advice)
{
	static const char *const words[CTL_VERDICT_MAX] = {
		[CTL_OK] = "OK",
		[CTL_WARN] = "WARN",
		[CTL_FAIL] = "FAIL",
	};
	static const char *const colours[CTL_VERDICT_MAX] = {
		[CTL_OK] = "\x1b[32m",
		[CTL_WARN] = "\x1b[33m",
		[CTL_FAIL] = "\x1b[31m",
	};
	vgpu_autofree char *escaped = ctl_text_escape(text);
	bool has_colours = ctl_has_colours();

	printf("%s%-4s%s  %s: %s\n", has_colours ? colours[verdict] : "",
	       words[verdict], has_colours ? "\x1b[0m" : "", check,
	       escaped ? escaped : "?");
	if (advice)
		printf("      -> %s\n", advice);
}

void ctl_add_finding(struct ctl_findings *findings, const char *check,
		     enum ctl_verdict verdict, const char *advice,
		     const char *fmt, ...)
{
	static const char *const words[CTL_VERDICT_MAX] = {
		[CTL_OK] = "ok",
		[CTL_WARN] = "warn",
		[CTL_FAIL] = "fail",
	};
	vgpu_autofree char *text = NULL;
	va_list args;
	int r;

	va_start(args, fmt);
	if (vasprintf(&text, fmt, args) < 0)
		text = NULL;
	va_end(args);
	if (!text) {
		findings->status = -ENOMEM;
		return;
	}

	if (verdict == CTL_FAIL)
		findings->has_failed = true;
	if (findings->ctl->format == CTL_TEXT) {
		print_finding(check, verdict, text, advice);
		/* The next check may take a while. */
		fflush(stdout);
		return;
	}
	r = sd_json_variant_append_arraybo(
		&findings->list, SD_JSON_BUILD_PAIR_STRING("check", check),
		SD_JSON_BUILD_PAIR_STRING("status", words[verdict]),
		SD_JSON_BUILD_PAIR_STRING("text", text),
		SD_JSON_BUILD_PAIR_CONDITION(!!advice, "advice",
					     SD_JSON_BUILD_STRING(advice)));
	if (r < 0)
		findings->status = r;
}
