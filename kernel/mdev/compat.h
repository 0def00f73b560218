/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the kernels that the module is built for differ. */
#ifndef VGPU_KERNEL_MDEV_COMPAT_H
#define VGPU_KERNEL_MDEV_COMPAT_H

#include <linux/device/class.h>
#include <linux/eventfd.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/vfio.h>

#define KERNEL_AT_LEAST(major, minor)                                          \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/*
 * Each VFIO device has an inode of its own, by which its mappings are found. Those
 * before shared one, and so cannot take a page from a VMM: they have no window.
 */
#define COMPAT_HAS_WINDOW KERNEL_AT_LEAST(6, 10)

/* Regions are told by an operation of its own, not by ioctl() as before. */
#define COMPAT_HAS_REGION_INFO_OP KERNEL_AT_LEAST(6, 19)

#define COMPAT_IOMMUFD_OPS_6_2                                                 \
	.bind_iommufd = vfio_iommufd_emulated_bind,                            \
	.unbind_iommufd = vfio_iommufd_emulated_unbind,                        \
	.attach_ioas = vfio_iommufd_emulated_attach_ioas
#if KERNEL_AT_LEAST(6, 6)
#define COMPAT_IOMMUFD_OPS                                                     \
	COMPAT_IOMMUFD_OPS_6_2,                                                \
		.detach_ioas = vfio_iommufd_emulated_detach_ioas,
#elif KERNEL_AT_LEAST(6, 2)
#define COMPAT_IOMMUFD_OPS COMPAT_IOMMUFD_OPS_6_2,
#else
#define COMPAT_IOMMUFD_OPS
#endif

/* Whether guest memory is iommufd's, not of type1. */
static inline bool compat_uses_iommufd(const struct vfio_device *device)
{
#if KERNEL_AT_LEAST(6, 2)
	return device->iommufd_access;
#else
	return false;
#endif
}

static inline void compat_free_device(struct vfio_device *device)
{
#if !KERNEL_AT_LEAST(6, 3)
	vfio_free_device(device);
#endif
}

static inline struct class *compat_create_class(const char *name)
{
#if KERNEL_AT_LEAST(6, 4)
	return class_create(name);
#else
	return class_create(THIS_MODULE, name);
#endif
}

static inline void compat_signal(struct eventfd_ctx *eventfd)
{
#if KERNEL_AT_LEAST(6, 8)
	eventfd_signal(eventfd);
#else
	eventfd_signal(eventfd, 1);
#endif
}

/* Pages are put into it one by one; it is not grown, dumped or inherited. */
static inline void compat_mark_mapping(struct vm_area_struct *vma)
{
	const vm_flags_t flags =
		VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY;

#if KERNEL_AT_LEAST(6, 3)
	vm_flags_set(vma, flags);
#else
	vma->vm_flags |= flags;
#endif
}

#endif
