// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The configuration space that the guest is shown: the core's view of the VF's
 * (with the capabilities that the VF has), but for the ids, the class and BAR1,
 * which are the type's.
 */
#include <linux/uaccess.h>

#include "vfio.h"

#define BAR1_END (PCI_BASE_ADDRESS_1 + sizeof(u64))

static u8 config_byte_of(u64 value, unsigned int index)
{
	return value >> (8 * index);
}

/* As hardware would: the bits below its size say what kind of BAR it is. */
static u64 config_bar1_value(const struct vgpu_vfio *v)
{
	u64 value = READ_ONCE(v->bar1) & ~(v->config.bar1_bytes - 1);

	value |= PCI_BASE_ADDRESS_MEM_TYPE_64;
	if (pci_resource_flags(v->core.pdev, VFIO_PCI_BAR1_REGION_INDEX) &
	    IORESOURCE_PREFETCH)
		value |= PCI_BASE_ADDRESS_MEM_PREFETCH;
	return value;
}

/* Whether a byte of the header is not the VF's own. */
static bool config_is_ours(const struct vgpu_vfio *v, unsigned int at,
			   u8 *ret_byte)
{
	switch (at) {
	case PCI_DEVICE_ID ... PCI_DEVICE_ID + 1:
		*ret_byte = config_byte_of(v->config.device, at - PCI_DEVICE_ID);
		return true;
	case PCI_CLASS_PROG:
		*ret_byte = 0;
		return true;
	/* Guests' drivers know vGPUs as displays, VFs are 3D controllers. */
	case PCI_CLASS_DEVICE ... PCI_CLASS_DEVICE + 1:
		*ret_byte = config_byte_of(PCI_CLASS_DISPLAY_VGA,
					   at - PCI_CLASS_DEVICE);
		return true;
	case PCI_BASE_ADDRESS_1 ... BAR1_END - 1:
		*ret_byte = config_byte_of(config_bar1_value(v),
					   at - PCI_BASE_ADDRESS_1);
		return true;
	/* The board's maker has put its own there; drivers go by NVIDIA's. */
	case PCI_SUBSYSTEM_VENDOR_ID ... PCI_SUBSYSTEM_VENDOR_ID + 1:
		*ret_byte = config_byte_of(PCI_VENDOR_ID_NVIDIA,
					   at - PCI_SUBSYSTEM_VENDOR_ID);
		return true;
	case PCI_SUBSYSTEM_ID ... PCI_SUBSYSTEM_ID + 1:
		*ret_byte = config_byte_of(v->config.subsystem,
					   at - PCI_SUBSYSTEM_ID);
		return true;
	}
	return false;
}

ssize_t vgpu_vfio_read_config(struct vgpu_vfio *v, char __user *buf,
			      size_t count, loff_t *ppos)
{
	loff_t start = *ppos & VFIO_PCI_OFFSET_MASK;
	ssize_t rc = vfio_pci_core_read(&v->core.vdev, buf, count, ppos);
	loff_t at, end;
	u8 byte;

	if (rc < 0)
		return rc;
	end = min_t(loff_t, start + rc, PCI_STD_HEADER_SIZEOF);
	for (at = start; at < end; at++)
		if (config_is_ours(v, at, &byte) &&
		    put_user(byte, (u8 __user *)buf + (at - start)))
			return -EFAULT;
	return rc;
}

/* The core keeps the BAR, too, but with as many bits as the VF's has. */
static int config_keep_bar1(struct vgpu_vfio *v, const char __user *buf,
			    size_t count, loff_t start)
{
	loff_t first = max_t(loff_t, start, PCI_BASE_ADDRESS_1);
	loff_t end = min_t(loff_t, start + count, BAR1_END);
	u8 bytes[sizeof(u64)];
	u64 value, shift;
	loff_t at;

	if (first >= end)
		return 0;
	if (copy_from_user(bytes, buf + (first - start), end - first))
		return -EFAULT;
	mutex_lock(&v->lock);
	value = v->bar1;
	for (at = first; at < end; at++) {
		shift = 8 * (at - PCI_BASE_ADDRESS_1);
		value &= ~(0xffULL << shift);
		value |= (u64)bytes[at - first] << shift;
	}
	WRITE_ONCE(v->bar1, value);
	mutex_unlock(&v->lock);
	return 0;
}

ssize_t vgpu_vfio_write_config(struct vgpu_vfio *v, const char __user *buf,
			       size_t count, loff_t *ppos)
{
	loff_t start = *ppos & VFIO_PCI_OFFSET_MASK;
	ssize_t done;
	int rc;

	/* More than that is no configuration space, and would overflow. */
	if (start >= PCI_CFG_SPACE_EXP_SIZE)
		return -EINVAL;
	/* It may be an FLR. */
	if (vgpu_vfio_check_gone(v)) {
		*ppos += count;
		return count;
	}
	count = min_t(size_t, count, PCI_CFG_SPACE_EXP_SIZE - start);
	rc = config_keep_bar1(v, buf, count, start);
	if (rc)
		return rc;
	done = vfio_pci_core_write(&v->core.vdev, buf, count, ppos);
	/* A reset turns it off, too; that is told where the reset is. */
	if (done > 0 && start < PCI_COMMAND + 2 && start + done > PCI_COMMAND) {
		rc = vgpu_vfio_update_master(v);
		if (rc)
			return rc;
	}
	return done;
}
