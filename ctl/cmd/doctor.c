/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the host, and say what to do about what is wrong. */
#include "ctl/ctl.h"

#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/remote.h"
#include "ctl/doctor/doctor.h"

/* What is to be looked at is there, and not here. */
static enum ctl_exit run_there(struct ctl *ctl)
{
	static const char *const json[] = {
		[CTL_TEXT] = NULL,
		[CTL_JSON_PRETTY] = "--json=pretty",
		[CTL_JSON_SHORT] = "--json=short",
	};
	const char *const arguments[] = {"doctor", json[ctl->format], NULL};

	return ctl_remote_run(ctl, arguments, STDOUT_FILENO);
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_findings findings = {.ctl = ctl};
	enum ctl_exit e = CTL_DONE;

	if (ctl->host)
		return run_there(ctl);
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
