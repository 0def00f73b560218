// SPDX-License-Identifier: GPL-2.0-or-later
/* What is told of a vGPU that is lost, and of errors of its guest's. */
#include <linux/devcoredump.h>
#include <linux/log2.h>
#include <linux/ratelimit.h>
#include <linux/vmalloc.h>

#include "kernel/core/abi/queue_abi.h"
#include "mgr.h"

#define DUMP_TEXT_BYTES 512

/* The kernel keeps one dump of a GPU, until it is read or 5 minutes old. */
#define DUMP_SECONDS 60

/* Areas of the heap in which a task says what it does: error, then three logs. */
struct loss_area {
	const char *name;
	const struct vgpu_task_area *area;
};

static void loss_dump(struct vgpu_vf *vf, const char *why)
{
	const struct vgpu_task_layout *layout = &vf->mgr->pf->abi->task->layout;
	const struct loss_area areas[] = {
		{"error", &layout->error},
		{"init_log", &layout->init_log},
		{"task_log", &layout->task_log},
		{"kernel_log", &layout->kernel_log},
	};
	u32 bytes = DUMP_TEXT_BYTES, at = DUMP_TEXT_BYTES, i;
	int length;
	char *dump;

	for (i = 0; i < ARRAY_SIZE(areas); i++)
		bytes += areas[i].area->bytes;
	dump = vzalloc(bytes);
	if (!dump)
		return;
	length = scnprintf(dump, DUMP_TEXT_BYTES,
			   "vgpu_core task dump 1\nvf: %u\ntype: %u\nuuid: %pU\n"
			   "reason: %s\nfirmware: %s\n",
			   vf->gfid, vf->type->id, &vf->uuid, why,
			   vf->mgr->pf->abi->version);
	for (i = 0; i < ARRAY_SIZE(areas); i++) {
		const struct vgpu_task_area *area = areas[i].area;

		length += scnprintf(dump + length, DUMP_TEXT_BYTES - length,
				    "%s: %u bytes at %u\n", areas[i].name,
				    area->bytes, at);
		memcpy_fromio(dump + at, vgpu_task_area(vf, area), area->bytes);
		at += area->bytes;
	}
	dev_coredumpv(&vf->mgr->pdev->dev, dump, bytes, GFP_KERNEL);
}

void vgpu_vf_tell_loss(struct vgpu_vf *vf, const char *why)
{
	struct vgpu_mgr *mgr = vf->mgr;
	char number[24], reason[96], uuid[48];
	char *environment[4] = {number, uuid, reason, NULL};

	WRITE_ONCE(vf->losses, vf->losses + 1);
	dev_err_ratelimited(&mgr->pdev->dev, "VF %u: its vGPU is lost: %s\n",
			    vf->gfid, why);
	snprintf(number, sizeof(number), "VGPU_LOST=%u", vf->gfid);
	snprintf(uuid, sizeof(uuid), "VGPU_UUID=%pU", &vf->uuid);
	snprintf(reason, sizeof(reason), "VGPU_REASON=%s", why);
	kobject_uevent_env(&mgr->pdev->dev.kobj, KOBJ_CHANGE, environment);
	/* A GPU that is gone, or let go on purpose, has nothing to say. */
	if (vf->task.window.memory && !READ_ONCE(mgr->is_gone) &&
	    mgr->pf->ops->is_present(mgr->pf) && __ratelimit(&mgr->dumps))
		loss_dump(vf, why);
}

void vgpu_vf_count_error(struct vgpu_vf *vf, u32 *count)
{
	/* One event at a time. */
	WRITE_ONCE(*count, *count + 1);
	if (!is_power_of_2(*count))
		return;
	WRITE_ONCE(vf->has_news, true);
	schedule_work(&vf->work);
}

/* Told one after the other, by the firmware's queue. */
static void loss_count_rc_error(struct vgpu_event_subscriber *subscriber,
				const u8 *payload, u32 bytes)
{
	struct vgpu_mgr *mgr =
		container_of(subscriber, struct vgpu_mgr, rc_errors);
	struct vgpu_rc_error error;
	struct vgpu_vf *vf;

	if (mgr->pf->abi->get_rc_error(payload, bytes, &error) ||
	    !error.has_gfid || error.gfid < 1 || error.gfid > mgr->vf_count)
		return;
	vf = &mgr->vfs[error.gfid - 1];
	vgpu_vf_count_error(vf, &vf->channel_errors);
}

void vgpu_mgr_watch_errors(struct vgpu_mgr *mgr)
{
	ratelimit_state_init(&mgr->dumps, DUMP_SECONDS * HZ, 1);
	ratelimit_set_flags(&mgr->dumps, RATELIMIT_MSG_ON_RELEASE);
	mgr->rc_errors.event = VGPU_RPC_EVENT_RC_TRIGGERED;
	mgr->rc_errors.handle = loss_count_rc_error;
	mgr->pf->ops->subscribe(mgr->pf, &mgr->rc_errors);
}

void vgpu_mgr_unwatch_errors(struct vgpu_mgr *mgr)
{
	mgr->pf->ops->unsubscribe(mgr->pf, &mgr->rc_errors);
}
