/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process says of its guest and of itself: to the log, and to vgpud. */
#ifndef VGPU_DEVICE_REPORT_H
#define VGPU_DEVICE_REPORT_H

#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/control.h"
#include "device/render/launcher.h"
#include "sandbox/report.h"

struct vgpu_reports;

/*
 * Events of one kind, of which a guest can cause any number: a few in each
 * period are reported at once. How many others there were is said with the next
 * one, or at the end of the period with the last of them.
 */
struct vgpu_report_limit {
	struct vgpu_reports *reports;
	sd_event_source *timer;		  /* NULL: it was never set */
	uint64_t since_usec;		  /* begin of this period */
	uint32_t kind;			  /* VGPU_EVENT_... */
	uint32_t n;			  /* reported in this period */
	uint32_t n_left_out;		  /* since the last report */
	char last[VGPU_CONTROL_TEXT_MAX]; /* of those left out */
};

struct vgpu_reports {
	sd_event *event;
	const char *name;	/* of the vGPU */
	struct vgpu_link *link; /* NULL: there is no manager */
	/* A guest cannot hide a forbidden call behind other faults. */
	struct vgpu_report_limit faults, forbidden_calls;
};

/* @name stays the caller's. There is no link yet. */
void vgpu_reports_init(struct vgpu_reports *reports, sd_event *event,
		       const char *name);
/* From here on nobody is told. It may be zeroed. */
void vgpu_reports_finish(struct vgpu_reports *reports);

/* The guest broke a rule. */
void vgpu_report_fault(struct vgpu_reports *reports, const char *text);
/* @process, "device" or "render", is confined less than it should be. */
void vgpu_report_weak_sandbox(struct vgpu_reports *reports, const char *process,
			      const char *lacks);
/* The opaque of these is a struct vgpu_reports. */
extern const struct vgpu_launcher_ops vgpu_report_launcher_ops;

#endif
