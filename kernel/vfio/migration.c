// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The states of migration, as VFIO has them:
 *
 *	RUNNING <---> RUNNING_P2P <---> STOP <---> STOP_COPY   its state is read
 *					     <---> RESUMING    its state is written
 *
 * In RUNNING_P2P it is stopped already: it begins no access any more, and others
 * may access its BARs, as in STOP.
 *
 *	any of them ---> ERROR, and by a reset back to RUNNING
 *
 * The vGPU tells of no memory that it writes (there are no log_ops): who
 * migrates one takes all that it could reach for written, or goes by the IOMMU.
 */
#include <linux/sizes.h>

#include "compat.h"
#include "stream.h"

/* What a state has beside the framebuffer is not known before it is saved. */
#define STATE_EXTRA_BYTES SZ_16M

enum vfio_device_mig_state vgpu_vfio_migration_state(struct vgpu_vfio *v)
{
	lockdep_assert_held(&v->lock);
	if (vgpu_vfio_is_lost(v) ||
	    (v->stream && vgpu_vfio_check_stream(v->stream)))
		return VFIO_DEVICE_STATE_ERROR;
	return v->state;
}

static void migration_close_stream(struct vgpu_vfio *v)
{
	if (v->stream)
		vgpu_vfio_close_stream(v->stream);
	v->stream = NULL;
}

void vgpu_vfio_end_migration(struct vgpu_vfio *v)
{
	lockdep_assert_held(&v->lock);
	migration_close_stream(v);
	v->state = VFIO_DEVICE_STATE_RUNNING;
}

/* What the firmware only refused has changed nothing. */
static int migration_report(struct vgpu_vfio *v, int rc)
{
	if (rc && rc != -EREMOTEIO)
		v->state = VFIO_DEVICE_STATE_ERROR;
	return rc;
}

static int migration_stop_vgpu(struct vgpu_vfio *v)
{
	return migration_report(v, vgpu_vf_stop_work(v->vgpu));
}

static int migration_resume_vgpu(struct vgpu_vfio *v)
{
	return migration_report(v, vgpu_vf_resume_work(v->vgpu));
}

/* Between RUNNING_P2P and STOP nothing is another. */
static int migration_stay(struct vgpu_vfio *v)
{
	return 0;
}

static int migration_begin_stream(struct vgpu_vfio *v, bool is_saving,
				  int (*begin_stream)(struct vgpu_vf *vgpu))
{
	struct vgpu_vfio_stream *stream = vgpu_vfio_open_stream(v, is_saving);
	int rc = PTR_ERR_OR_ZERO(stream);

	if (rc)
		return rc;
	rc = begin_stream(v->vgpu);
	if (rc)
		vgpu_vfio_close_stream(stream);
	else
		v->stream = stream;
	return migration_report(v, rc);
}

static int migration_begin_saving(struct vgpu_vfio *v)
{
	return migration_begin_stream(v, true, vgpu_vf_begin_saving);
}

static int migration_end_saving(struct vgpu_vfio *v)
{
	migration_close_stream(v);
	return migration_report(v, vgpu_vf_end_saving(v->vgpu));
}

static int migration_begin_restoring(struct vgpu_vfio *v)
{
	return migration_begin_stream(v, false, vgpu_vf_begin_restoring);
}

/* One that is half restored is good for nothing. */
static int migration_end_restoring(struct vgpu_vfio *v)
{
	int rc = vgpu_vfio_finish_stream(v->stream);

	migration_close_stream(v);
	if (rc == 0)
		rc = vgpu_vf_end_restoring(v->vgpu);
	if (rc)
		v->state = VFIO_DEVICE_STATE_ERROR;
	return rc == -EREMOTEIO ? -EINVAL : rc;
}

static const struct {
	enum vfio_device_mig_state from, to;
	int (*go)(struct vgpu_vfio *v);
} ways[] = {
	{VFIO_DEVICE_STATE_RUNNING, VFIO_DEVICE_STATE_RUNNING_P2P,
	 migration_stop_vgpu},
	{VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_RUNNING,
	 migration_resume_vgpu},
	{VFIO_DEVICE_STATE_RUNNING_P2P, VFIO_DEVICE_STATE_STOP, migration_stay},
	{VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RUNNING_P2P, migration_stay},
	{VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_STOP_COPY,
	 migration_begin_saving},
	{VFIO_DEVICE_STATE_STOP_COPY, VFIO_DEVICE_STATE_STOP,
	 migration_end_saving},
	{VFIO_DEVICE_STATE_STOP, VFIO_DEVICE_STATE_RESUMING,
	 migration_begin_restoring},
	{VFIO_DEVICE_STATE_RESUMING, VFIO_DEVICE_STATE_STOP,
	 migration_end_restoring},
};

static int migration_step(struct vgpu_vfio *v, enum vfio_device_mig_state to)
{
	unsigned int i;
	int rc;

	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		if (ways[i].from != v->state || ways[i].to != to)
			continue;
		rc = ways[i].go(v);
		if (rc == 0)
			v->state = to;
		return rc;
	}
	pci_dbg(v->core.pdev, "no way from migration state %d to %d\n",
		v->state, to);
	return -EINVAL;
}

static int migration_go_to(struct vgpu_vfio *v, enum vfio_device_mig_state wanted)
{
	enum vfio_device_mig_state next;
	int rc = 0;

	while (rc == 0 && v->state != wanted) {
		rc = vfio_mig_get_next_state(&v->core.vdev, v->state, wanted,
					     &next);
		if (rc == 0)
			rc = migration_step(v, next);
	}
	return rc;
}

/*
 * Nothing here touches the user's memory, streams do that without our lock: so
 * a reset, which comes with memory_lock held, may wait for it.
 */
static struct file *migration_set_state(struct vfio_device *device,
					enum vfio_device_mig_state wanted)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	struct file *file = NULL;
	bool is_new = false;
	int rc = -EIO;

	mutex_lock(&v->lock);
	if (vgpu_vfio_migration_state(v) != VFIO_DEVICE_STATE_ERROR) {
		is_new = v->state != wanted;
		rc = migration_go_to(v, wanted);
	}
	if (rc)
		file = ERR_PTR(rc);
	else if (is_new && v->stream)
		file = vgpu_vfio_stream_file(v->stream);
	mutex_unlock(&v->lock);
	return file;
}

static int migration_get_state(struct vfio_device *device,
			       enum vfio_device_mig_state *ret_state)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);

	mutex_lock(&v->lock);
	*ret_state = vgpu_vfio_migration_state(v);
	mutex_unlock(&v->lock);
	return 0;
}

#if COMPAT_HAS_MIGRATION_DATA_SIZE
/* No less than the whole framebuffer: the firmware tells nothing beforehand. */
static int migration_get_data_size(struct vfio_device *device,
				   unsigned long *ret_bytes)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	struct vgpu_vf_identity identity;
	int rc = -ENODEV;

	mutex_lock(&v->lock);
	if (v->vgpu)
		rc = vgpu_vf_get_identity(v->vgpu, &identity);
	if (rc == 0)
		*ret_bytes = identity.fb_bytes + identity.fb_bytes / 64 +
			     STATE_EXTRA_BYTES;
	mutex_unlock(&v->lock);
	return rc;
}
#endif

static const struct vfio_migration_ops migration_ops = {
	.migration_set_state = migration_set_state,
	.migration_get_state = migration_get_state,
#if COMPAT_HAS_MIGRATION_DATA_SIZE
	.migration_get_data_size = migration_get_data_size,
#endif
};

void vgpu_vfio_init_migration(struct vgpu_vfio *v)
{
	v->core.vdev.migration_flags =
		VFIO_MIGRATION_STOP_COPY | VFIO_MIGRATION_P2P;
	v->core.vdev.mig_ops = &migration_ops;
}
