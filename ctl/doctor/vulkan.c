/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl doctor: check the GPUs that Vulkan drivers offer. */
#include "ctl/doctor/doctor.h"

#include <inttypes.h>
#include <limits.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/doctor/process.h"
#include "lib/util.h"

#define PROBE	   "vgpu-probe"
#define SIZE_LIMIT "/sys/module/udmabuf/parameters/size_limit_mb"
#define INSTALL                                                                \
	"install a Vulkan driver for the GPU; the software GPU is in mesa-vulkan-drivers"

/*
 * The path FOLDER/vgpu-probe if that can be run, or NULL. The caller frees it.
 */
static char *probe_in(const char *folder)
{
	vgpu_autofree char *path = NULL;

	if (!folder || !folder[0])
		return NULL;
	if (asprintf(&path, "%s/" PROBE, folder) < 0) {
		path = NULL;
		return NULL;
	}
	return access(path, X_OK) == 0 ? vgpu_steal(&path) : NULL;
}

/*
 * Search where vgpud does: VGPU_LIBEXECDIR, beside itself, the installed
 * folder.
 */
static char *find_probe(void)
{
	char own[PATH_MAX];
	ssize_t n;
	char *path;

	path = probe_in(getenv("VGPU_LIBEXECDIR"));
	if (path)
		return path;
	n = readlink("/proc/self/exe", own, sizeof(own) - 1);
	if (n > 0) {
		own[n] = '\0';
		*strrchr(own, '/') = '\0';
		path = probe_in(own);
		if (path)
			return path;
	}
	return probe_in(VGPU_LIBEXECDIR);
}

/* A dma-buf is no larger than that, and so is no allocation of a guest's. */
static void find_size_limit(struct ctl_findings *findings, const char *name)
{
	vgpu_autofclose FILE *file = fopen(SIZE_LIMIT, "re");
	uint64_t mib = 0;

	/* From Linux 7.3 on it is 2^31 - 1. */
	if (!file || fscanf(file, "%" SCNu64, &mib) != 1 || mib >= 1 << 20)
		return;
	ctl_add_finding(
		findings, "guest-memory", CTL_WARN,
		"write a larger number to " SIZE_LIMIT
		", and to /etc/modprobe.d or the kernel's command line (udmabuf.size_limit_mb=)",
		"%s: an allocation of more than %" PRIu64
		" MiB fails, for udmabuf makes no larger one",
		name, mib);
}

/* Without a way guests fall back to llvmpipe on their own processors. */
static void find_guest_memory(struct ctl_findings *findings,
			      sd_json_variant *gpu, const char *name)
{
	const char *way = ctl_json_string(gpu, "memoryImport");
	const char *why = ctl_json_string(gpu, "memoryImportFailure");

	if (!way)
		return; /* an older vgpu-probe does not say */
	if (strcmp(way, "udmabuf") == 0)
		find_size_limit(findings, name);
	if (strcmp(way, "none") != 0)
		ctl_add_finding(
			findings, "guest-memory", CTL_OK, NULL,
			"%s: guests' Vulkan memory is their framebuffer, imported (%s)",
			name, way);
	else
		ctl_add_finding(
			findings, "guest-memory", CTL_WARN,
			"use a driver with VK_EXT_external_memory_host, or load the kernel's udmabuf (CONFIG_UDMABUF) and let vgpud's user open /dev/udmabuf",
			"%s: its driver cannot import memory, so GUESTS ON IT GET NO VULKAN: %s",
			name, why && *why ? why : "no reason is known");
}

/* Guests get the driver's Vulkan version, at most 1.4. */
static void find_version(struct ctl_findings *findings, sd_json_variant *gpu,
			 const char *name)
{
	const char *version = ctl_json_string(gpu, "vulkanVersion");
	unsigned int major, minor;

	if (!version || sscanf(version, "%u.%u", &major, &minor) != 2)
		return; /* an older vgpu-probe does not say */
	if (major > 1 || minor >= 3)
		ctl_add_finding(findings, "guest-vulkan", CTL_OK, NULL,
				"%s: guests get Vulkan %s", name,
				major == 1 && minor == 3 ? "1.3" : "1.4");
	else
		ctl_add_finding(
			findings, "guest-vulkan", CTL_WARN,
			"install a newer driver; Mesa has Vulkan 1.3 on the software GPU since 22.1",
			"%s: its driver has Vulkan %u.%u, so guests get no more",
			name, major, minor);
}

static void find_gpu(struct ctl_findings *findings, sd_json_variant *gpu)
{
	const char *name = ctl_json_string(gpu, "name");
	const char *driver = ctl_json_string(gpu, "driver");
	const char *address = ctl_json_string(gpu, "pciAddress");
	uint64_t mib = 0;

	ctl_json_unsigned(gpu, "memoryMib", &mib);
	ctl_add_finding(
		findings, "vulkan", CTL_OK, NULL,
		"%s%s%s, %" PRIu64 " MiB, %s, driver %s", name ? name : "?",
		address ? " at " : "", address ? address : "", mib,
		ctl_json_is_true(gpu, "software") ? "software" : "hardware",
		driver ? driver : "?");
	find_guest_memory(findings, gpu, name ? name : "?");
	find_version(findings, gpu, name ? name : "?");
}

void ctl_doctor_vulkan(struct ctl_findings *findings)
{
	vgpu_autofree char *path = find_probe();
	char *const argv[] = {path, NULL};
	ctl_autojson sd_json_variant *reply = NULL;
	struct vgpu_err err = {};
	sd_json_variant *gpus;

	if (!VGPU_WITH_EMBEDDED)
		return; /* this build does not use Vulkan */
	if (!path) {
		ctl_add_finding(
			findings, "vulkan", CTL_FAIL,
			"install OpenVGPU whole, or name its folder in VGPU_LIBEXECDIR",
			PROBE
			" is neither beside vgpuctl nor in " VGPU_LIBEXECDIR);
		return;
	}
	if (ctl_process_run(argv, &findings->probe, &err) < 0) {
		ctl_add_finding(findings, "vulkan", CTL_FAIL,
				"a Vulkan driver is broken: run " PROBE
				" by hand, then mend or remove that driver",
				"%s", err.text);
		return;
	}
	if (sd_json_parse(findings->probe, 0, &reply, NULL, NULL) < 0 ||
	    !sd_json_variant_is_object(reply)) {
		ctl_add_finding(findings, "vulkan", CTL_FAIL,
				"install OpenVGPU anew: vgpuctl and " PROBE
				" do not belong together",
				"%s printed what is no JSON", path);
		return;
	}
	gpus = sd_json_variant_by_key(reply, "gpus");
	if (!sd_json_variant_is_array(gpus) ||
	    sd_json_variant_elements(gpus) == 0) {
		ctl_add_finding(findings, "vulkan", CTL_WARN, INSTALL,
				"no driver shows a GPU");
		return;
	}
	for (size_t i = 0; i < sd_json_variant_elements(gpus); i++)
		find_gpu(findings, sd_json_variant_by_index(gpus, i));
}
