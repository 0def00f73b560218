/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process says of its guest and of itself: to the log, and to vgpud. */
#include "report.h"

#include <stdio.h>
#include <string.h>

#include "lib/util.h"

#define REPORTS_MAX 10
#define PERIOD_USEC (10 * 1000 * 1000ULL)

static void log_line(const struct vgpu_reports *reports, const char *text,
		     uint32_t n_left_out)
{
	if (n_left_out)
		fprintf(stderr, "vgpu-device %s: %s (%u such lines left out)\n",
			reports->name, text, n_left_out);
	else
		fprintf(stderr, "vgpu-device %s: %s\n", reports->name, text);
}

/* Returns for how long nothing may be reported, in microseconds. */
static uint64_t count_report(struct vgpu_report_limit *limit)
{
	uint64_t now = 0;

	sd_event_now(limit->reports->event, CLOCK_MONOTONIC, &now);
	if (now - limit->since_usec > PERIOD_USEC) {
		limit->since_usec = now;
		limit->n = 0;
	}
	if (limit->n == REPORTS_MAX)
		return limit->since_usec + PERIOD_USEC + 1 - now;
	limit->n++;
	return 0;
}

static void report_event(struct vgpu_report_limit *limit, const char *text);

/* No other came that would have told of those left out. */
static int on_period_over(sd_event_source *source, uint64_t usec, void *opaque)
{
	struct vgpu_report_limit *limit = opaque;
	char text[VGPU_CONTROL_TEXT_MAX];

	if (!limit->n_left_out)
		return 0;
	limit->n_left_out--;
	memcpy(text, limit->last, sizeof(text));
	report_event(limit, text);
	return 0;
}

/* Without a timer the next that comes tells of it. */
static void report_later(struct vgpu_report_limit *limit, uint64_t usec)
{
	if (!limit->timer) {
		sd_event_add_time_relative(limit->reports->event, &limit->timer,
					   CLOCK_MONOTONIC, usec, 0,
					   on_period_over, limit);
		return;
	}
	sd_event_source_set_time_relative(limit->timer, usec);
	sd_event_source_set_enabled(limit->timer, SD_EVENT_ONESHOT);
}

static void report_event(struct vgpu_report_limit *limit, const char *text)
{
	uint64_t wait_usec = count_report(limit);
	uint32_t n_left_out = limit->n_left_out;

	if (wait_usec) {
		limit->n_left_out++;
		snprintf(limit->last, sizeof(limit->last), "%s", text);
		report_later(limit, wait_usec);
		return;
	}
	limit->n_left_out = 0;
	log_line(limit->reports, text, n_left_out);
	vgpu_link_event(limit->reports->link, limit->kind, n_left_out, text);
}

void vgpu_reports_init(struct vgpu_reports *reports, sd_event *event,
		       const char *name)
{
	*reports = (struct vgpu_reports){
		.event = event,
		.name = name,
		.faults = {.reports = reports, .kind = VGPU_EVENT_GUEST_FAULT},
		.forbidden_calls = {.reports = reports,
				    .kind = VGPU_EVENT_FORBIDDEN_CALL},
	};
}

void vgpu_reports_finish(struct vgpu_reports *reports)
{
	struct vgpu_report_limit *const limits[] = {&reports->faults,
						    &reports->forbidden_calls};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(limits); i++)
		limits[i]->timer =
			sd_event_source_disable_unref(limits[i]->timer);
	reports->link = NULL;
}

void vgpu_report_fault(struct vgpu_reports *reports, const char *text)
{
	report_event(&reports->faults, text);
}

void vgpu_report_weak_sandbox(struct vgpu_reports *reports, const char *process,
			      const char *lacks)
{
	char text[VGPU_CONTROL_TEXT_MAX];

	snprintf(text, sizeof(text), "the %s process is shut in less: %.150s",
		 process, lacks);
	log_line(reports, text, 0);
	vgpu_link_event(reports->link, VGPU_EVENT_SANDBOX, 0, text);
}

/* vgpud started it, and kills it. */
static void on_launcher_frozen(void *opaque)
{
	struct vgpu_reports *reports = opaque;

	vgpu_link_event(reports->link, VGPU_EVENT_FROZEN, 0,
			"the launcher of render processes does not answer");
}

static void on_forbidden_call(void *opaque, const char *name)
{
	struct vgpu_reports *reports = opaque;
	char text[VGPU_CONTROL_TEXT_MAX];

	snprintf(text, sizeof(text), VGPU_LAUNCH_FORBIDDEN, name);
	report_event(&reports->forbidden_calls, text);
}

const struct vgpu_launcher_ops vgpu_report_launcher_ops = {
	.frozen = on_launcher_frozen,
	.forbidden = on_forbidden_call,
};
