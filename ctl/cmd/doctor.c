/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the host, and say what to do about what is wrong. */
#include "ctl/ctl.h"

#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/remote.h"
#include "ctl/common/text.h"
#include "ctl/doctor/doctor.h"
#include "lib/util.h"

/* What is to be looked at is there, and not here. */
static enum ctl_exit run_there(struct ctl *ctl)
{
	static const char *const json[] = {
		[CTL_TEXT] = NULL,
		[CTL_JSON_PRETTY] = "--json=pretty",
		[CTL_JSON_SHORT] = "--json=short",
	};
	const char *const arguments[] = {
		"doctor", ctl->report ? "--report" : json[ctl->format], NULL};

	return ctl_remote_run(ctl, arguments, STDOUT_FILENO);
}

static void report_machine(void)
{
	struct utsname name = {};

	uname(&name);
	printf("OpenVGPU %s on %s %s %s\n", VGPU_VERSION, name.sysname,
	       name.release, name.machine);
}

/* What the drivers and the manager say of the GPUs, whole. */
static void report_gpus(struct ctl *ctl, const struct ctl_findings *findings)
{
	ctl_autojson sd_json_variant *gpus = NULL;
	vgpu_autofree char *probe = NULL;

	/* Drivers name their GPUs as they like. */
	if (findings->probe)
		probe = ctl_text_escape_json(findings->probe);
	if (probe)
		printf("vgpu-probe: %s%s", probe,
		       strchr(probe, '\n') ? "" : "\n");
	fflush(stdout);
	if (ctl_call_array(ctl, "ListGpus", NULL, "gpus", &gpus) != CTL_DONE)
		return;
	printf("gpus: ");
	ctl_print_json(ctl, gpus);
}

static enum ctl_exit run(struct ctl *ctl)
{
	struct ctl_findings findings = {.ctl = ctl};
	enum ctl_exit e = CTL_DONE;

	if (ctl->report && ctl->format != CTL_TEXT) {
		ctl_complain(
			"--report is text, with JSON in it: leave out --json");
		return CTL_USAGE;
	}
	if (ctl->host)
		return run_there(ctl);
	if (ctl->report)
		report_machine();
	ctl_doctor_manager(&findings);
	ctl_doctor_unit(&findings);
	ctl_doctor_qemu(&findings);
	ctl_doctor_libvirt(&findings);
	ctl_doctor_kvm(&findings);
	ctl_doctor_mdev(&findings);
	ctl_doctor_namespaces(&findings);
	ctl_doctor_landlock(&findings);
	ctl_doctor_seccomp(&findings);
	ctl_doctor_vulkan(&findings);

	if (ctl->report)
		report_gpus(ctl, &findings);
	if (ctl->format != CTL_TEXT)
		e = ctl_print_json(ctl, findings.list);
	sd_json_variant_unref(findings.list);
	free(findings.probe);
	if (findings.status < 0)
		return ctl_fail(
			"not all that was found could be kept: out of memory, or not UTF-8");
	if (e == CTL_DONE && findings.has_failed)
		return CTL_FAILED;
	return e;
}

const struct ctl_command ctl_command_doctor = {
	.name = "doctor",
	.words = "[--report | --json=pretty|short]",
	.summary = "Look at this machine and say what is missing",
	.help = "Looks at the manager, its service, types file, GPUs and vGPUs, memory, QEMU,\n"
		"libvirt, KVM, namespaces and Vulkan drivers. Each line begins with OK, WARN\n"
		"(works, but less well) or FAIL; what to do about it follows. Needs no manager.\n"
		"\n"
		"  --report  print all else that is known of the machine's GPUs, too: what to\n"
		"            send with a question. Names of vGPUs are not in it.\n"
		"\n"
		"Exit status: 0 if nothing failed, else 1.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl doctor\n"
		"  vgpuctl doctor --report > report.txt\n"
		"  vgpuctl doctor --json=short | jq '.[] | select(.status != \"ok\")'\n",
	.options = CTL_OPTION_JSON | CTL_OPTION_REPORT,
	.run = run,
};
