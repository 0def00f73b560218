/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A vGPU for programs on the host, such as those in containers: no VM. */
#include "container.h"

#include <string.h>

#include "device/control.h"
#include "device/framebuffer.h"
#include "device/gpu/abi.h"
#include "device/report.h"
#include "device/time_share.h"
#include "device/vtest/vtest.h"
#include "lib/util.h"

struct vgpu_container {
	sd_event *event;
	struct vgpu_slots *slots;
	struct vgpu_control_start start;
	struct vgpu_framebuffer framebuffer;
	struct vgpu_gpu_time *gpu_time; /* NULL: of a software GPU */
	struct vgpu_vtest *vtest;
	struct vgpu_link *link; /* NULL if there is no manager */
	struct vgpu_reports reports;
};

static void on_fault(void *opaque, const char *text)
{
	struct vgpu_container *container = opaque;

	vgpu_report_fault(&container->reports, text);
}

static void on_changed(void *opaque)
{
	struct vgpu_container *container = opaque;

	vgpu_link_status_soon(container->link);
}

static const struct vgpu_vtest_ops vtest_ops = {
	.fault = on_fault,
	.changed = on_changed,
};

static void fill_status(void *opaque, struct vgpu_control_status *ret_status)
{
	struct vgpu_container *container = opaque;

	vgpu_vtest_status(container->vtest, ret_status);
}

static void fill_figures(void *opaque, struct vgpu_figures *ret_figures)
{
	struct vgpu_container *container = opaque;

	vgpu_vtest_figures(container->vtest, ret_figures);
	vgpu_time_share_count(container->gpu_time, ret_figures);
}

/* It has no heads: of all requests, only those about its share apply. */
static void on_request(void *opaque, const struct vgpu_control_msg *msg, int fd,
		       struct vgpu_control_reply *ret_reply, int *ret_fd)
{
	struct vgpu_container *container = opaque;

	vgpu_close(fd);
	if (msg->type == VGPU_CONTROL_SET_FRAME_RATE)
		return;
	if (msg->type == VGPU_CONTROL_SET_TIME) {
		vgpu_time_share_set(container->gpu_time, &msg->time);
		return;
	}
	ret_reply->status = -ENOENT;
	snprintf(ret_reply->text, sizeof(ret_reply->text),
		 "a vGPU for containers has no heads");
}

static const struct vgpu_link_ops link_ops = {
	.status = fill_status,
	.figures = fill_figures,
	.request = on_request,
};

static int reserve_framebuffer(struct vgpu_container *container,
			       struct vgpu_err *err)
{
	const struct vgpu_control_start *start = &container->start;
	int r;

	r = vgpu_framebuffer_init(&container->framebuffer, container->event,
				  container->slots, start->segments,
				  start->segment_bytes,
				  start->framebuffer_bytes, err);
	if (r < 0)
		return r;
	/* A predecessor's clients are gone: refill what it had given out. */
	r = vgpu_reserve_fill_up(container->framebuffer.reserve);
	return r < 0 ? vgpu_err_set(err, r, NULL,
				    "its framebuffer cannot be filled: %s",
				    strerror(-r))
		     : 0;
}

int vgpu_container_create(sd_event *event, struct vgpu_slots *slots,
			  const struct vgpu_device_config *config,
			  struct vgpu_container **ret_container,
			  struct vgpu_err *err)
{
	struct vgpu_container *container = calloc(1, sizeof(*container));
	struct vgpu_vtest_config vtest = {
		.framebuffer_bytes = config->start.framebuffer_bytes,
		.host_memory_bytes = config->start.host_memory_bytes,
		.launcher_fd = vgpu_slots_get(slots, VGPU_SLOT_LAUNCHER),
		.launcher_ops = &vgpu_report_launcher_ops,
		.udmabuf = config->udmabuf,
		.capset = config->capset,
		.capset_bytes = VGPU_GPU_CAPSET_BYTES,
		.has_gfxstream = config->has_gfxstream,
		.ops = &vtest_ops,
		.opaque = container,
	};
	int r = 0;

	if (!container)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	container->event = event;
	container->slots = slots;
	container->start = config->start;
	vgpu_reports_init(&container->reports, event, container->start.name);
	vtest.name = container->start.name;
	vtest.launcher_opaque = &container->reports;
	memcpy(vtest.gpu_uuid, config->start.gpu_uuid, sizeof(vtest.gpu_uuid));
	r = reserve_framebuffer(container, err);
	vtest.reserve = container->framebuffer.reserve;
	if (r >= 0)
		r = vgpu_time_share_open(slots, &config->start,
					 &container->gpu_time, err);
	vtest.gpu_time = vgpu_slots_get(slots, VGPU_SLOT_TIME);
	if (r >= 0)
		r = vgpu_vtest_create(event,
				      vgpu_slots_get(slots, VGPU_SLOT_LISTEN),
				      &vtest, &container->vtest, err);
	if (r < 0) {
		vgpu_container_destroy(container);
		return r;
	}
	*ret_container = container;
	return 0;
}

void vgpu_container_destroy(struct vgpu_container *container)
{
	if (!container)
		return;
	vgpu_reports_finish(&container->reports);
	vgpu_link_destroy(container->link);
	container->link = NULL; /* the rest changes something still as it ends */
	vgpu_vtest_destroy(container->vtest);
	vgpu_framebuffer_finish(&container->framebuffer);
	vgpu_gpu_time_unmap(container->gpu_time);
	free(container);
}

int vgpu_container_serve(struct vgpu_container *container, int control,
			 const struct vgpu_sandbox_report *sandbox,
			 struct vgpu_err *err)
{
	char lacks[VGPU_CONTROL_TEXT_MAX];
	int r;

	if (control < 0)
		return 0;
	r = vgpu_link_create(container->event, container->slots, control,
			     container->start.key, &link_ops, container,
			     &container->link);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "control socket: %s",
				    strerror(-r));
	container->reports.link = container->link;
	vgpu_link_status_now(container->link);
	if (vgpu_sandbox_report_text(sandbox, lacks, sizeof(lacks)))
		vgpu_report_weak_sandbox(&container->reports, "device", lacks);
	return 0;
}
