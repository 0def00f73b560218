/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The checks of vgpuctl doctor, and the list of findings. */
#ifndef VGPU_CTL_DOCTOR_DOCTOR_H
#define VGPU_CTL_DOCTOR_DOCTOR_H

#include <stdbool.h>

#include "ctl/ctl.h"

enum ctl_verdict {
	CTL_OK,
	CTL_WARN, /* it works, but less well */
	CTL_FAIL, /* vGPUs do not work */
	CTL_VERDICT_MAX,
};

struct ctl_findings {
	struct ctl *ctl;
	sd_json_variant *list; /* the findings, for --json */
	char *probe;	       /* what vgpu-probe printed, or NULL */
	bool has_failed;       /* at least one is CTL_FAIL */
	int status; /* 0, or a negative errno: a finding could not be added */
};

/* findings.c: add one. @check is its short name, @advice what to do about it, or NULL. */
__attribute__((format(printf, 5, 6))) void
ctl_add_finding(struct ctl_findings *findings, const char *check,
		enum ctl_verdict verdict, const char *advice, const char *fmt,
		...);

/* manager.c: the manager, its types file, its GPUs, memory for them */
void ctl_doctor_manager(struct ctl_findings *findings);

/* host.c: what virtual machines need of this machine */
void ctl_doctor_qemu(struct ctl_findings *findings);
void ctl_doctor_kvm(struct ctl_findings *findings);
void ctl_doctor_namespaces(struct ctl_findings *findings);
void ctl_doctor_landlock(struct ctl_findings *findings);
void ctl_doctor_seccomp(struct ctl_findings *findings);
void ctl_doctor_mdev(struct ctl_findings *findings);

/* service.c: the service as systemd sees it, and what libvirt needs */
void ctl_doctor_unit(struct ctl_findings *findings);
void ctl_doctor_libvirt(struct ctl_findings *findings);

/* vulkan.c */
void ctl_doctor_vulkan(struct ctl_findings *findings);

#endif
