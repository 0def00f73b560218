// SPDX-License-Identifier: GPL-2.0-or-later
/* The firmware's task that serves one vGPU. */
#include "task.h"

#include <linux/delay.h>
#include <linux/io-64-nonatomic-lo-hi.h>
#include <linux/jiffies.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "kernel/core/pure/bar1.h"
#include "mgr.h"

#define BOOT_MS	    10000
#define CONFIG_MS   120000
#define ANSWER_MS   5000
#define AGAIN_MS    100 /* before it is asked to end once more */
#define POLL_US	    100
#define VERSION_CPU 0x0001

static const struct vgpu_task_layout *task_layout_of(const struct vgpu_vf *vf)
{
	return &vf->mgr->pf->abi->task->layout;
}

void __iomem *vgpu_task_area(struct vgpu_vf *vf, const struct vgpu_task_area *area)
{
	return vf->task.window.memory + area->offset;
}

static int task_control(struct vgpu_vf *vf, u32 command, void *params, u32 bytes)
{
	ktime_t began = ktime_get();
	int rc = vf->mgr->pf->ops->control_internal(vf->mgr->pf, command,
						    params, bytes);

	vf->task.waited_us += ktime_us_delta(ktime_get(), began);
	return rc;
}

int vgpu_task_check(struct vgpu_vf *vf)
{
	struct vgpu_mgr *mgr = vf->mgr;

	if (READ_ONCE(mgr->is_gone) || vgpu_pf_is_wedged(mgr->pf) ||
	    vf->task.is_dead || test_bit(VGPU_TASK_HAS_CRASHED, &vf->events))
		return -EIO;
	return 0;
}

static int task_poll_word(struct vgpu_vf *vf, void __iomem *word, u32 wanted,
			  u32 ms)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(ms);

	while (ioread32(word) != wanted) {
		if (vgpu_task_check(vf))
			return -EIO;
		if (fatal_signal_pending(current))
			return -EINTR;
		if (time_after(jiffies, deadline))
			return ioread32(word) == wanted ? 0 : -ETIMEDOUT;
		usleep_range(POLL_US, 2 * POLL_US);
	}
	return 0;
}

static int task_wait_word(struct vgpu_vf *vf, void __iomem *word, u32 wanted,
			  u32 ms)
{
	ktime_t began = ktime_get();
	int rc = task_poll_word(vf, word, wanted, ms);

	vf->task.waited_us += ktime_us_delta(ktime_get(), began);
	return rc;
}

static void task_ring_doorbell(struct vgpu_vf *vf)
{
	struct vgpu_pf *pf = vf->mgr->pf;
	u32 value = vf->gfid * VGPU_TASK_DOORBELL_BITS + VGPU_TASK_DOORBELL_TASK;

	/* All that was written is there before it rings. */
	wmb();
	pf->ops->ring_doorbell(pf, value);
}

/* Send @data and wait; the answer takes its place. */
static int task_send_message(struct vgpu_vf *vf, enum vgpu_task_message type,
			     void *data, u32 bytes)
{
	const struct vgpu_task_layout *layout = task_layout_of(vf);
	void __iomem *ctrl = vgpu_task_area(vf, &layout->control);
	void __iomem *response = vgpu_task_area(vf, &layout->response);
	void __iomem *message = vgpu_task_area(vf, &layout->message);
	u32 result, ms = type == VGPU_TASK_SET_CONFIG ? CONFIG_MS : ANSWER_MS;
	int rc;

	if (!vf->task.is_booted)
		return -ENODEV;
	rc = vgpu_task_check(vf);
	if (rc)
		return rc;
	memcpy_toio(message, data, bytes);
	iowrite32(type, ctrl + VGPU_TASK_TYPE);
	/* The number is what tells of the rest. */
	wmb();
	iowrite32(++vf->task.sequence, ctrl + VGPU_TASK_SEQUENCE);
	task_ring_doorbell(vf);
	rc = task_wait_word(vf, response + layout->processed_at,
			    vf->task.sequence, ms);
	if (rc) {
		dev_err_ratelimited(&vf->mgr->pdev->dev,
				    "VF %u: no answer to message %u: %d\n",
				    vf->gfid, type, rc);
		WRITE_ONCE(vf->task.is_dead, true);
		/* Where vf->lock is not held, its vGPU is lost. */
		schedule_work(&vf->work);
		return rc;
	}
	result = ioread32(response + layout->result_at);
	if (result) {
		dev_err_ratelimited(&vf->mgr->pdev->dev,
				    "VF %u: message %u refused: %#x\n",
				    vf->gfid, type, result);
		return -EREMOTEIO;
	}
	memcpy_fromio(data, message, bytes);
	return 0;
}

static int task_bootload(struct vgpu_vf *vf)
{
	struct vgpu_pf *pf = vf->mgr->pf;
	const struct vgpu_task_abi *abi = pf->abi->task;
	struct vgpu_task_boot boot = {
		.dbdf = vf->dbdf,
		.gfid = vf->gfid,
		.type = vf->type->id,
		.opener = vgpu_vf_process(vf),
		.chids = vf->place.chids,
		.first_chid = vf->place.first_chid,
		.engines = &pf->engines,
		.fb_start = vf->place.fb_start,
		.fb_bytes = vf->place.fb_bytes,
		.heap_start = vf->place.heap_start,
		.heap_bytes = vf->place.heap_bytes,
	};
	void *params = kvzalloc(abi->boot_bytes, GFP_KERNEL);
	int rc;

	if (!params)
		return -ENOMEM;
	abi->put_boot(params, &abi->layout, &boot);
	rc = task_control(vf, VGPU_TASK_BOOTLOAD, params, abi->boot_bytes);
	kvfree(params);
	/* Where it may be booted, its end tells whether it is. */
	vf->task.is_booted = rc != -EREMOTEIO && rc != -ENODEV && rc != -ENOMEM;
	return rc;
}

int vgpu_task_boot(struct vgpu_vf *vf)
{
	const struct vgpu_task_layout *layout = task_layout_of(vf);
	struct vgpu_pf *pf = vf->mgr->pf;
	void __iomem *ctrl;
	int rc;

	clear_bit(VGPU_TASK_HAS_CRASHED, &vf->events);
	rc = pf->ops->map_fb(pf, vf->place.heap_start,
			     round_up(layout->bytes, VGPU_BAR1_PAGE_BYTES),
			     &vf->task.window);
	if (rc)
		return rc;
	vf->task.sequence = 0;
	vf->task.stream = VGPU_TASK_NO_STREAM;
	vf->task.has_been_restored = false;
	vf->task.is_shut_down = false;
	WRITE_ONCE(vf->task.is_dead, false);
	rc = task_bootload(vf);
	if (rc)
		return rc;
	ctrl = vgpu_task_area(vf, &layout->control);
	rc = task_wait_word(vf, ctrl + VGPU_TASK_SEQUENCE, VGPU_TASK_BOOTLOADED,
			    BOOT_MS);
	if (rc)
		return rc;
	iowrite64(layout->response.offset, ctrl + VGPU_TASK_RESPONSE);
	iowrite64(layout->message.offset, ctrl + VGPU_TASK_MESSAGE);
	iowrite64(layout->migration.offset, ctrl + VGPU_TASK_MIGRATION);
	iowrite64(layout->error.offset, ctrl + VGPU_TASK_ERROR);
	iowrite32(VGPU_TASK_VERSION_1, ctrl + VGPU_TASK_VERSION);
	return 0;
}

int vgpu_task_configure(struct vgpu_vf *vf)
{
	const struct vgpu_task_abi *abi = vf->mgr->pf->abi->task;
	struct vgpu_task_version version = {.offered = VERSION_CPU};
	struct vgpu_task_config config = {
		.dbdf = vf->dbdf,
		.instance = vf->dbdf,
		.type = vf->type->id,
		.opener = vgpu_vf_process(vf),
		.chids = vf->place.chids,
		.place = (u16)vf->place.id,
		.is_migratable = READ_ONCE(vf->mgr->can_migrate),
	};
	void *params;
	int rc;

	rc = task_send_message(vf, VGPU_TASK_NEGOTIATE_VERSION, &version,
			       sizeof(version));
	if (rc)
		return rc;
	params = kzalloc(abi->config_bytes, GFP_KERNEL);
	if (!params)
		return -ENOMEM;
	export_uuid(config.uuid, &vf->uuid);
	abi->put_config(params, &config);
	rc = task_send_message(vf, VGPU_TASK_SET_CONFIG, params,
			       abi->config_bytes);
	kfree(params);
	return rc;
}

/* From where it got to the last time. */
static int task_ask_to_end(struct vgpu_vf *vf)
{
	struct vgpu_task_gfid gfid = {.gfid = vf->gfid};
	struct vgpu_pf *pf = vf->mgr->pf;
	int rc = 0;

	if (vgpu_pf_is_wedged(pf))
		return -EIO;
	if (!vf->task.is_shut_down)
		rc = task_control(vf, VGPU_TASK_SHUTDOWN, &gfid, sizeof(gfid));
	if (rc)
		return rc;
	vf->task.is_shut_down = true;
	gfid.gfid = vf->gfid;
	return task_control(vf, VGPU_TASK_CLEANUP, &gfid, sizeof(gfid));
}

int vgpu_task_end(struct vgpu_vf *vf)
{
	struct vgpu_pf *pf = vf->mgr->pf;
	int rc = 0;

	if (vf->task.is_booted)
		rc = task_ask_to_end(vf);
	if (rc && !vgpu_pf_is_wedged(pf)) {
		msleep(AGAIN_MS);
		rc = task_ask_to_end(vf);
	}
	vf->task.is_booted = false;
	WRITE_ONCE(vf->task.is_dead, false);
	clear_bit(VGPU_TASK_HAS_CRASHED, &vf->events);
	if (vf->task.window.memory)
		pf->ops->unmap_fb(pf, &vf->task.window);
	vf->task.window = (struct vgpu_fb_window){};
	return rc;
}

int vgpu_task_tell(struct vgpu_vf *vf, enum vgpu_task_message type)
{
	u32 none = 0;

	return task_send_message(vf, type, &none, sizeof(none));
}

int vgpu_task_reset(struct vgpu_vf *vf)
{
	/* Whatever it was doing is over, whether it answers or not. */
	vgpu_task_end_stream(vf);
	vf->task.has_been_restored = false;
	return vgpu_task_tell(vf, VGPU_TASK_RESET);
}

int vgpu_task_set_bus_master(struct vgpu_vf *vf, bool is_on)
{
	struct vgpu_task_bus_master state = {.enable = is_on};
	int rc;

	rc = task_send_message(vf, VGPU_TASK_UPDATE_BUS_MASTER, &state,
			       sizeof(state));
	if (rc == 0 && is_on && !state.is_allowed)
		return -EPERM;
	return rc;
}
