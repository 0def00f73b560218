/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the host, and say what to do about what is wrong. */
#include "doctor.h"

#include <stdarg.h>

#include "lib/util.h"

#include "manager.h"
#include "message.h"
#include "table.h"
#include "text.h"

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

void ctl_find(struct ctl_findings *findings, const char *check,
	      enum ctl_verdict verdict, const char *advice, const char *fmt, ...)
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

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_findings findings = {.ctl = ctl};
	enum ctl_exit e = CTL_DONE;

	ctl_doctor_manager(&findings);
	ctl_doctor_unit(&findings);
	ctl_doctor_qemu(&findings);
	ctl_doctor_libvirt(&findings);
	ctl_doctor_kvm(&findings);
	ctl_doctor_namespaces(&findings);
	ctl_doctor_landlock(&findings);
	ctl_doctor_seccomp(&findings);
	ctl_doctor_vulkan(&findings);

	if (ctl->format != CTL_TEXT)
		e = ctl_print_json(ctl, findings.list);
	sd_json_variant_unref(findings.list);
	if (findings.status < 0)
		return ctl_fail(
			"not all that was found could be kept: out of memory, or not UTF-8");
	if (e == CTL_DONE && findings.has_failed)
		return CTL_FAILED;
	return e;
}

const struct ctl_command ctl_command_doctor = {
	.name = "doctor",
	.words = "[--json=pretty|short]",
	.summary = "Look at this machine and say what is missing",
	.help = "Looks at the manager, its service, types file, GPUs and vGPUs, memory, QEMU,\n"
		"libvirt, KVM, namespaces and Vulkan drivers. Each line begins with OK, WARN\n"
		"(works, but less well) or FAIL; what to do about it follows. Needs no manager.\n"
		"\n"
		"Exit status: 0 if nothing failed, else 1.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl doctor\n"
		"  vgpuctl doctor --json=short | jq '.[] | select(.status != \"ok\")'\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
