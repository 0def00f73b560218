/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the manager, its types file, GPUs and memory. */
#include "ctl/doctor/doctor.h"

#include <inttypes.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "lib/util.h"

/* Memory that guests and host need besides the framebuffer. */
#define MEMORY_SPARE_MIB 1024
/* Without a manager: its default pool is a third of the memory, up to 8 GiB. */
#define POOL_SHARE   3
#define POOL_MAX_MIB 8192

/* One line of /proc/meminfo, in MiB; 0 if it is not there. */
static uint64_t memory_mib(const char *key)
{
	vgpu_autofclose FILE *f = fopen("/proc/meminfo", "re");
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		unsigned long long kib;

		if (strncmp(line, key, strlen(key)) == 0 &&
		    sscanf(line + strlen(key), ": %llu kB", &kib) == 1)
			return kib / 1024;
	}
	return 0;
}

/* Framebuffer in main memory that is not allocated yet. */
static uint64_t wanted_mib(sd_json_variant *gpus)
{
	uint64_t sum = 0;

	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);
		uint64_t free_mib, ready_mib;

		if (ctl_json_is_true(gpu, "software") &&
		    ctl_json_unsigned(gpu, "freeMib", &free_mib) &&
		    ctl_json_unsigned(gpu, "readyMib", &ready_mib) &&
		    free_mib > ready_mib &&
		    !vgpu_checked_add(sum, free_mib - ready_mib, &sum))
			return UINT64_MAX;
	}
	return sum;
}

/* @gpus: NULL if no manager runs. */
static void check_memory(struct ctl_findings *findings, sd_json_variant *gpus)
{
	static const char smaller[] =
		"end other programs, or give vgpud a smaller framebuffer: framebuffer_mib in /etc/vgpu/vgpud.conf, see vgpud(8)";
	const char *takes =
		gpus ? "of which framebuffer still takes"
		     : "of which vgpud takes when it starts, unless framebuffer_mib in /etc/vgpu/vgpud.conf says otherwise:";
	uint64_t available = memory_mib("MemAvailable");
	uint64_t wanted = gpus ? wanted_mib(gpus)
			  : VGPU_WITH_EMBEDDED
				  ? VGPU_MIN(memory_mib("MemTotal") / POOL_SHARE,
					     POOL_MAX_MIB)
				  : 0;

	if (available == 0)
		ctl_add_finding(findings, "memory", CTL_WARN,
				"mount /proc, so that it can be read",
				"how much is free cannot be read");
	else if (wanted > available || available - wanted < MEMORY_SPARE_MIB)
		ctl_add_finding(findings, "memory", CTL_WARN, smaller,
				"%" PRIu64 " MiB are free, %s %" PRIu64
				" MiB; virtual machines need memory besides",
				available, takes, wanted);
	else
		ctl_add_finding(findings, "memory", CTL_OK, NULL,
				"%" PRIu64 " MiB are free, %s %" PRIu64 " MiB",
				available, takes, wanted);
}

static void check_types(struct ctl_findings *findings, sd_json_variant *info)
{
	const char *file = ctl_json_string(info, "typesFile");
	const char *problem = ctl_json_string(info, "typesProblem");

	if (problem)
		ctl_add_finding(
			findings, "types", CTL_WARN,
			"mend the file, then 'systemctl reload vgpud'; until then the last good types are used",
			"%s", problem);
	else
		ctl_add_finding(findings, "types", CTL_OK, NULL, "%s",
				file ? file : "?");
}

static void check_shares(struct ctl_findings *findings, sd_json_variant *info)
{
	const char *group = ctl_json_string(info, "cgroup");
	const char *problem = ctl_json_string(info, "cgroupProblem");

	if (problem)
		ctl_add_finding(
			findings, "shares", CTL_WARN,
			"boot with cgroup v2 alone (systemd.unified_cgroup_hierarchy=1), and start vgpud as the service, or by 'systemd-run --user -p Delegate=yes -p DelegateSubgroup=manager'",
			"the kernel does not hold vGPUs to their shares: %s",
			problem);
	else if (group)
		ctl_add_finding(
			findings, "shares", CTL_OK, NULL,
			"each vGPU has a cgroup below %s: processor, memory, threads",
			group);
}

/* What vGPUs found when they began says more than what this user could have. */
static void check_sandbox(struct ctl_findings *findings, sd_json_variant *info)
{
	const char *problem = ctl_json_string(info, "sandboxProblem");

	if (problem)
		ctl_add_finding(
			findings, "sandbox", CTL_WARN,
			"see \"Processes\" in the documentation's security.md: the kernel, its settings or the service's unit lack it",
			"%s", problem);
	else
		ctl_add_finding(
			findings, "sandbox", CTL_OK, NULL,
			"no vGPU that has begun since the manager did lacks a layer");
}

static void check_gpus(struct ctl_findings *findings, sd_json_variant *gpus)
{
	size_t usable = 0;

	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++) {
		sd_json_variant *gpu = sd_json_variant_by_index(gpus, i);
		const char *name = ctl_json_string(gpu, "gpu");
		const char *why = ctl_json_string(gpu, "unusable");
		uint64_t mib = 0;

		if (!why && ctl_json_unsigned(gpu, "framebufferMib", &mib) &&
		    mib == 0)
			ctl_add_finding(
				findings, "gpu", CTL_WARN,
				ctl_json_is_true(gpu, "software")
					? "set framebuffer_mib in /etc/vgpu/vgpud.conf, then 'systemctl restart vgpud'"
					: "nothing, if the other GPUs will do",
				"%s: no vGPU fits on it: it has no framebuffer for them",
				name ? name : "?");
		else if (why)
			ctl_add_finding(findings, "gpu", CTL_WARN,
					"nothing, if the other GPUs will do",
					"%s: no vGPU can be made on it: %s",
					name ? name : "?", why);
		else
			usable++;
	}
	if (usable == 0)
		ctl_add_finding(
			findings, "gpu", CTL_FAIL,
			"see what is said of Vulkan below, then 'systemctl restart vgpud'",
			"the manager has no GPU that vGPUs can be made on");
	else
		ctl_add_finding(findings, "gpu", CTL_OK, NULL,
				"vGPUs can be made on %zu", usable);
}

/* vGPUs that are defined and cannot be used. */
static void check_vgpus(struct ctl_findings *findings)
{
	ctl_autojson sd_json_variant *vgpus = NULL;
	struct vgpu_err err = {};
	size_t failed = 0;

	if (ctl_manager_call_array(findings->ctl, "ListVgpus", NULL, "vgpus",
				   &vgpus, &err) < 0) {
		ctl_add_finding(findings, "vgpus", CTL_FAIL,
				"look at the manager's log ('journalctl -u vgpud')",
				"%s", err.text);
		return;
	}
	for (size_t i = 0; i < sd_json_variant_elements(vgpus); i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(vgpus, i);
		const char *state = ctl_json_string(vgpu, "state");
		const char *why = ctl_json_string(vgpu, "failure");
		const char *name = ctl_json_string(vgpu, "name");

		if (!state || strcmp(state, "failed") != 0)
			continue;
		failed++;
		if (!name)
			name = ctl_json_string(vgpu, "uuid");
		ctl_add_finding(
			findings, "vgpus", CTL_WARN,
			"mend what is said, then 'systemctl restart vgpud'; or end it: 'vgpuctl destroy'",
			"%s cannot be used: %s", name ? name : "?",
			why ? why : "it does not say why");
	}
	if (failed == 0)
		ctl_add_finding(findings, "vgpus", CTL_OK, NULL,
				"%zu are defined, and none has failed",
				sd_json_variant_elements(vgpus));
}

void ctl_doctor_manager(struct ctl_findings *findings)
{
	ctl_autojson sd_json_variant *info = NULL;
	ctl_autojson sd_json_variant *gpus = NULL;
	struct ctl *ctl = findings->ctl;
	struct vgpu_err err = {};
	const char *version;
	uint64_t pid = 0;
	int r;

	r = ctl_manager_call(ctl, "GetInfo", NULL, &info, &err);
	if (r < 0) {
		/* The text already says what to do. */
		ctl_add_finding(findings, "manager", CTL_FAIL, NULL, "%s",
				err.text);
		/* A running manager has allocated its memory already. */
		if (r == -ENOENT || r == -ECONNREFUSED)
			check_memory(findings, NULL);
		return;
	}
	version = ctl_json_string(info, "version");
	ctl_json_unsigned(info, "pid", &pid);
	if (version && strcmp(version, VGPU_VERSION) == 0)
		ctl_add_finding(findings, "manager", CTL_OK, NULL,
				"vgpud %s at %s, process %" PRIu64, version,
				ctl->socket, pid);
	else
		ctl_add_finding(
			findings, "manager", CTL_WARN,
			"after an upgrade: 'systemctl restart vgpud'; running virtual machines notice nothing",
			"vgpud %s at %s, process %" PRIu64
			", and this is vgpuctl " VGPU_VERSION,
			version ? version : "of no version", ctl->socket, pid);
	check_types(findings, info);
	check_shares(findings, info);
	check_sandbox(findings, info);

	if (ctl_manager_call_array(ctl, "ListGpus", NULL, "gpus", &gpus, &err) <
	    0) {
		ctl_add_finding(findings, "gpu", CTL_FAIL,
				"look at the manager's log ('journalctl -u vgpud')",
				"%s", err.text);
		return;
	}
	check_gpus(findings, gpus);
	check_vgpus(findings);
	check_memory(findings, gpus);
}
