// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A vGPU is stopped, its state taken from its task or given to it, and resumed.
 * Messages and ring are of "RFC v1 vfio/nvidia-vgpu" on the kvm list
 * (dev_vgpu_gsp.h); that the messages go as here, and that the one who writes
 * into the ring leaves a byte free, is our reading of it (docs/dev/kernel.md).
 */
#include <linux/cleanup.h>
#include <linux/module.h>

#include "mgr.h"

static const struct vgpu_task_layout *migrate_layout_of(const struct vgpu_vf *vf)
{
	return &vf->mgr->pf->abi->task->layout;
}

void vgpu_task_end_stream(struct vgpu_vf *vf)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	void __iomem *control = vgpu_task_area(vf, &layout->control);

	if (vf->task.stream == VGPU_TASK_NO_STREAM)
		return;
	iowrite8(0, control + layout->is_migrating_at);
	vf->task.stream = VGPU_TASK_NO_STREAM;
}

static int migrate_begin_stream(struct vgpu_vf *vf, enum vgpu_task_stream stream)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	void __iomem *control = vgpu_task_area(vf, &layout->control);
	int rc;

	vf->task.stream = stream;
	vf->task.stream_offset = 0;
	iowrite32(0, control + layout->host_offset_at);
	iowrite8(1, control + layout->is_migrating_at);
	rc = vgpu_task_tell(vf, stream == VGPU_TASK_SAVES
					? VGPU_TASK_SAVE_STATE
					: VGPU_TASK_RESTORE_STATE);
	if (rc)
		vgpu_task_end_stream(vf);
	return rc;
}

/* How far the task is in the ring; it is not trusted. */
static int migrate_read_task_offset(struct vgpu_vf *vf, u32 *ret_offset)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	void __iomem *response = vgpu_task_area(vf, &layout->response);
	u32 offset = ioread32(response + layout->task_offset_at);

	if (offset >= layout->migration.bytes) {
		dev_err_ratelimited(&vf->mgr->pdev->dev,
				    "VF %u: its task is at %#x of the ring\n",
				    vf->gfid, offset);
		return -EIO;
	}
	*ret_offset = offset;
	return 0;
}

static void migrate_advance_offset(struct vgpu_vf *vf, u32 bytes)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	void __iomem *control = vgpu_task_area(vf, &layout->control);

	vf->task.stream_offset += bytes;
	if (vf->task.stream_offset == layout->migration.bytes)
		vf->task.stream_offset = 0;
	/* What was copied, either way, is so before the task hears of it. */
	mb();
	iowrite32(vf->task.stream_offset, control + layout->host_offset_at);
}

/* By a copy engine: what the CPU reads through BAR1 it waits for, word by word. */
static int migrate_copy_ring(struct vgpu_vf *vf, u32 at, void *data, u32 bytes,
			     bool is_to_ring)
{
	struct vgpu_pf *pf = vf->mgr->pf;

	return pf->ops->copy(pf,
			     vf->place.heap_start +
				     migrate_layout_of(vf)->migration.offset + at,
			     data, bytes, is_to_ring);
}

static ssize_t migrate_read_ring(struct vgpu_vf *vf, u8 *out, size_t bytes)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	void __iomem *response = vgpu_task_area(vf, &layout->response);
	/* Before the offset, which may move until all is saved. */
	bool is_saved = ioread32(response + layout->is_saved_at);
	u32 end, at, part;
	size_t done = 0;
	int rc;

	rc = migrate_read_task_offset(vf, &end);
	if (rc)
		return rc;
	while (done < bytes && vf->task.stream_offset != end) {
		at = vf->task.stream_offset;
		part = (end > at ? end : layout->migration.bytes) - at;
		part = min_t(size_t, part, bytes - done);
		rc = migrate_copy_ring(vf, at, out + done, part, false);
		if (rc)
			return rc;
		migrate_advance_offset(vf, part);
		done += part;
	}
	return done || !is_saved ? (ssize_t)done : -ENODATA;
}

static ssize_t migrate_write_ring(struct vgpu_vf *vf, const u8 *data, size_t bytes)
{
	const struct vgpu_task_layout *layout = migrate_layout_of(vf);
	u32 size = layout->migration.bytes, start, room, part;
	size_t done = 0;
	int rc;

	rc = migrate_read_task_offset(vf, &start);
	if (rc)
		return rc;
	while (done < bytes) {
		/* Equal offsets are an empty ring: so it is never quite full. */
		room = (start + size - vf->task.stream_offset - 1) % size;
		part = min(room, size - vf->task.stream_offset);
		part = min_t(size_t, part, bytes - done);
		if (!part)
			break;
		rc = migrate_copy_ring(vf, vf->task.stream_offset,
				       (u8 *)data + done, part, true);
		if (rc)
			return rc;
		migrate_advance_offset(vf, part);
		done += part;
	}
	return done;
}

bool vgpu_vf_can_migrate(struct pci_dev *pdev)
{
	struct vgpu_vf *vf = vgpu_mgr_get_vf(pdev);
	bool can_migrate;

	if (!vf)
		return false;
	can_migrate = READ_ONCE(vf->mgr->can_migrate);
	vgpu_mgr_put(vf->mgr);
	return can_migrate;
}
EXPORT_SYMBOL_GPL(vgpu_vf_can_migrate);

int vgpu_vf_get_identity(struct vgpu_vf *vf, struct vgpu_vf_identity *ret_identity)
{
	struct vgpu_mgr *mgr = vf->mgr;

	guard(mutex)(&vf->lock);
	if (vf->is_lost)
		return -ENODEV;
	*ret_identity = (struct vgpu_vf_identity){
		.gpu = (u32)mgr->pdev->device << 16 | mgr->pdev->vendor,
		.type = vf->type->id,
		.channels = vf->place.chids,
		.fb_bytes = vf->place.fb_bytes,
	};
	strscpy(ret_identity->firmware, mgr->pf->abi->version,
		sizeof(ret_identity->firmware));
	return 0;
}
EXPORT_SYMBOL_GPL(vgpu_vf_get_identity);

int vgpu_vf_stop_work(struct vgpu_vf *vf)
{
	int rc;

	guard(mutex)(&vf->lock);
	if (vf->is_lost)
		return -ENODEV;
	rc = vgpu_task_tell(vf, VGPU_TASK_STOP_WORK);
	if (rc == 0)
		vf->task.has_been_restored = false;
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_vf_stop_work);

int vgpu_vf_resume_work(struct vgpu_vf *vf)
{
	guard(mutex)(&vf->lock);
	if (vf->is_lost)
		return -ENODEV;
	/* One that goes on where it stopped takes that back. */
	return vgpu_task_tell(vf, vf->task.has_been_restored
					  ? VGPU_TASK_RESUME_WORK
					  : VGPU_TASK_CANCEL_STOP);
}
EXPORT_SYMBOL_GPL(vgpu_vf_resume_work);

int vgpu_vf_begin_saving(struct vgpu_vf *vf)
{
	guard(mutex)(&vf->lock);
	return vf->is_lost ? -ENODEV : migrate_begin_stream(vf, VGPU_TASK_SAVES);
}
EXPORT_SYMBOL_GPL(vgpu_vf_begin_saving);

int vgpu_vf_begin_restoring(struct vgpu_vf *vf)
{
	int rc;

	guard(mutex)(&vf->lock);
	if (vf->is_lost)
		return -ENODEV;
	/* A task may leave out what is zero. */
	rc = vgpu_mgr_scrub_fb(vf->mgr, &vf->place);
	return rc ? rc : migrate_begin_stream(vf, VGPU_TASK_RESTORES);
}
EXPORT_SYMBOL_GPL(vgpu_vf_begin_restoring);

/* Whether there is a stream of this kind to go on with. */
static int migrate_check_stream(struct vgpu_vf *vf, enum vgpu_task_stream stream)
{
	if (vf->is_lost || vf->task.stream != stream)
		return -ENODEV;
	return vgpu_task_check(vf);
}

ssize_t vgpu_vf_take_state(struct vgpu_vf *vf, void *out, size_t bytes)
{
	int rc;

	guard(mutex)(&vf->lock);
	rc = migrate_check_stream(vf, VGPU_TASK_SAVES);
	return rc ? rc : migrate_read_ring(vf, out, bytes);
}
EXPORT_SYMBOL_GPL(vgpu_vf_take_state);

ssize_t vgpu_vf_give_state(struct vgpu_vf *vf, const void *data, size_t bytes)
{
	int rc;

	guard(mutex)(&vf->lock);
	rc = migrate_check_stream(vf, VGPU_TASK_RESTORES);
	return rc ? rc : migrate_write_ring(vf, data, bytes);
}
EXPORT_SYMBOL_GPL(vgpu_vf_give_state);

int vgpu_vf_end_saving(struct vgpu_vf *vf)
{
	int rc;

	guard(mutex)(&vf->lock);
	rc = migrate_check_stream(vf, VGPU_TASK_SAVES);
	if (rc)
		return rc;
	rc = vgpu_task_tell(vf, VGPU_TASK_CANCEL_SAVE);
	vgpu_task_end_stream(vf);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_vf_end_saving);

int vgpu_vf_end_restoring(struct vgpu_vf *vf)
{
	int rc;

	guard(mutex)(&vf->lock);
	rc = migrate_check_stream(vf, VGPU_TASK_RESTORES);
	if (rc)
		return rc;
	rc = vgpu_task_tell(vf, VGPU_TASK_RESTORE_DEFERRED_STATE);
	vf->task.has_been_restored = rc == 0;
	vgpu_task_end_stream(vf);
	return rc;
}
EXPORT_SYMBOL_GPL(vgpu_vf_end_restoring);
