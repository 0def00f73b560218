/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpu_vfio_pci: what is between its files. */
#ifndef VGPU_KERNEL_VFIO_VFIO_H
#define VGPU_KERNEL_VFIO_VFIO_H

#include <linux/mutex.h>
#include <linux/vfio_pci_core.h>
#include <linux/workqueue.h>

#include "kernel/mgr/vf_api.h"

/*
 * Locks, outer ones first: the VF's device lock (resets by sysfs), the core's
 * memory_lock (resets by the user), ours, a stream's, the manager's. Nothing of
 * the user's memory is touched under ours: page faults take memory_lock. What
 * is before all of these is a stream's lock for those who read or write it.
 */
struct vgpu_vfio_stream;

struct vgpu_vfio {
	struct vfio_pci_core_device core;
	/* Protects vgpu, is_master, changes of bar1, state and stream. */
	struct mutex lock;
	struct vgpu_vf *vgpu; /* NULL: not open */
	bool is_master; /* what the vGPU was told of the VF's bus mastering */
	u64 bar1;	/* the address that the guest gave to BAR1 */
	enum vfio_device_mig_state state; /* unless something has failed */
	struct vgpu_vfio_stream *stream;  /* while its state is moved */

	/* What is below stays as it is while the VF is open, but for is_lost. */
	struct vgpu_vf_user user;
	struct vgpu_vf_config config;
	bool is_lost;	   /* set once, in any context */
	bool is_loss_told; /* lost_work's own */
	struct work_struct lost_work;
	struct page *ones; /* what is seen of BARs when the vGPU is lost */
	const struct vm_operations_struct *core_vm_ops;
};

static inline struct vgpu_vfio *vgpu_vfio_of(struct vfio_device *device)
{
	return container_of(device, struct vgpu_vfio, core.vdev);
}

/* state.c: the vGPU's life. */
int vgpu_vfio_start(struct vgpu_vfio *v);
void vgpu_vfio_stop(struct vgpu_vfio *v);
bool vgpu_vfio_is_lost(const struct vgpu_vfio *v);
/*
 * Whether the GPU is no more; its user is told. It must not be reset then: the
 * end of that is waited for, for a minute.
 */
bool vgpu_vfio_check_gone(struct vgpu_vfio *v);
/* Tell the vGPU of the VF's bus mastering, where that has changed. */
int vgpu_vfio_update_master(struct vgpu_vfio *v);
void vgpu_vfio_init_lost(struct vgpu_vfio *v);
extern const struct pci_error_handlers vgpu_vfio_error_handlers;

/* migration.c: callers of the last two hold the lock. */
void vgpu_vfio_init_migration(struct vgpu_vfio *v);
enum vfio_device_mig_state vgpu_vfio_migration_state(struct vgpu_vfio *v);
/* It was reset, or is to be closed. */
void vgpu_vfio_end_migration(struct vgpu_vfio *v);

/* config.c: the configuration space that the guest is shown. */
ssize_t vgpu_vfio_read_config(struct vgpu_vfio *v, char __user *buf,
			      size_t count, loff_t *ppos);
ssize_t vgpu_vfio_write_config(struct vgpu_vfio *v, const char __user *buf,
			       size_t count, loff_t *ppos);

/* region.c: BARs no larger than the type's; none at all of a lost vGPU. */
ssize_t vgpu_vfio_read(struct vfio_device *device, char __user *buf,
		       size_t count, loff_t *ppos);
ssize_t vgpu_vfio_write(struct vfio_device *device, const char __user *buf,
			size_t count, loff_t *ppos);
int vgpu_vfio_mmap(struct vfio_device *device, struct vm_area_struct *vma);
int vgpu_vfio_get_region_info(struct vfio_device *device,
			      struct vfio_region_info *info,
			      struct vfio_info_cap *caps);
long vgpu_vfio_ioctl_region_info(struct vgpu_vfio *v, unsigned long arg);

#endif
