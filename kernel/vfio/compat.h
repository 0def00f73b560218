/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where the kernels that the module is built for differ. */
#ifndef VGPU_KERNEL_VFIO_COMPAT_H
#define VGPU_KERNEL_VFIO_COMPAT_H

#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/version.h>
#include <linux/vfio_pci_core.h>

#define KERNEL_AT_LEAST(major, minor)                                          \
	(LINUX_VERSION_CODE >= KERNEL_VERSION(major, minor, 0))

/* What a device is asked for by VFIO's core: all of that is as vfio-pci has it. */
#define COMPAT_CORE_OPS_6_1                                                    \
	.request = vfio_pci_core_request, .match = vfio_pci_core_match
#define COMPAT_CORE_OPS_6_2                                                    \
	COMPAT_CORE_OPS_6_1, .bind_iommufd = vfio_iommufd_physical_bind,       \
		.unbind_iommufd = vfio_iommufd_physical_unbind,                \
		.attach_ioas = vfio_iommufd_physical_attach_ioas
#define COMPAT_CORE_OPS_6_6                                                    \
	COMPAT_CORE_OPS_6_2, .detach_ioas = vfio_iommufd_physical_detach_ioas
#define COMPAT_CORE_OPS_6_17                                                   \
	COMPAT_CORE_OPS_6_6, .match_token_uuid = vfio_pci_core_match_token_uuid
#if KERNEL_AT_LEAST(6, 17)
#define COMPAT_CORE_OPS COMPAT_CORE_OPS_6_17
#elif KERNEL_AT_LEAST(6, 6)
#define COMPAT_CORE_OPS COMPAT_CORE_OPS_6_6
#elif KERNEL_AT_LEAST(6, 2)
#define COMPAT_CORE_OPS COMPAT_CORE_OPS_6_2
#else
#define COMPAT_CORE_OPS COMPAT_CORE_OPS_6_1
#endif

/* Regions are told by an operation of its own, not by ioctl() as before. */
#define COMPAT_HAS_REGION_INFO_OP KERNEL_AT_LEAST(6, 19)

/* Who migrates is told beforehand how much there may be. */
#define COMPAT_HAS_MIGRATION_DATA_SIZE KERNEL_AT_LEAST(6, 2)

/* Mappings of BARs are by huge pages where they can be. */
#define COMPAT_HAS_HUGE_FAULT KERNEL_AT_LEAST(6, 6)

/* Take all mappings of the device's BARs; they may come back by faults. */
static inline void compat_unmap_bars(struct vfio_pci_core_device *core)
{
#if KERNEL_AT_LEAST(6, 10)
	loff_t start = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_BAR0_REGION_INDEX);
	loff_t end = VFIO_PCI_INDEX_TO_OFFSET(VFIO_PCI_ROM_REGION_INDEX);

	down_write(&core->memory_lock);
	unmap_mapping_range(core->vdev.inode->i_mapping, start, end - start,
			    true);
	up_write(&core->memory_lock);
#else
	/*
	 * Only the core knows the mappings. It takes them when the user wants
	 * the device to sleep; if the user wanted that already, it has.
	 */
	vfio_pci_core_ioctl_feature(&core->vdev,
				    VFIO_DEVICE_FEATURE_SET |
					    VFIO_DEVICE_FEATURE_LOW_POWER_ENTRY,
				    NULL, 0);
#endif
}

#endif
