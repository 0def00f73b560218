// SPDX-License-Identifier: GPL-2.0-or-later
/* Regions: BAR1 as large as the type has it; of a lost vGPU, nothing. */
#include <linux/uaccess.h>

#include "compat.h"
#include "vfio.h"

#define INDEX_SHIFT (VFIO_PCI_OFFSET_SHIFT - PAGE_SHIFT)

/* As from a device that is not there: reads give ones, writes are dropped. */
static ssize_t region_read_nothing(struct vgpu_vfio *v, char __user *buf,
				   size_t count, loff_t *ppos)
{
	static const u8 ones[64] = {[0 ... 63] = 0xff};
	size_t done, part;

	for (done = 0; done < count; done += part) {
		part = min(count - done, sizeof(ones));
		if (copy_to_user(buf + done, ones, part))
			return -EFAULT;
	}
	*ppos += count;
	return count;
}

/* How much of an access is within the type's BAR1; or an error. */
static ssize_t region_limit_bar1(const struct vgpu_vfio *v, size_t count,
				 loff_t pos)
{
	u64 start = pos & VFIO_PCI_OFFSET_MASK;

	if (start >= v->config.bar1_bytes)
		return -EINVAL;
	return min_t(u64, count, v->config.bar1_bytes - start);
}

ssize_t vgpu_vfio_read(struct vfio_device *device, char __user *buf,
		       size_t count, loff_t *ppos)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(*ppos);
	ssize_t limit;

	if (!count)
		return 0;
	if (vgpu_vfio_is_lost(v) && index < VFIO_PCI_NUM_REGIONS)
		return region_read_nothing(v, buf, count, ppos);
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return vgpu_vfio_read_config(v, buf, count, ppos);
	if (index == VFIO_PCI_BAR1_REGION_INDEX) {
		limit = region_limit_bar1(v, count, *ppos);
		if (limit < 0)
			return limit;
		count = limit;
	}
	return vfio_pci_core_read(device, buf, count, ppos);
}

ssize_t vgpu_vfio_write(struct vfio_device *device, const char __user *buf,
			size_t count, loff_t *ppos)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	unsigned int index = VFIO_PCI_OFFSET_TO_INDEX(*ppos);
	ssize_t limit;

	if (!count)
		return 0;
	if (vgpu_vfio_is_lost(v) && index < VFIO_PCI_NUM_REGIONS) {
		*ppos += count;
		return count;
	}
	if (index == VFIO_PCI_CONFIG_REGION_INDEX)
		return vgpu_vfio_write_config(v, buf, count, ppos);
	if (index == VFIO_PCI_BAR1_REGION_INDEX) {
		limit = region_limit_bar1(v, count, *ppos);
		if (limit < 0)
			return limit;
		count = limit;
	}
	return vfio_pci_core_write(device, buf, count, ppos);
}

static struct vgpu_vfio *region_of_vma(const struct vm_area_struct *vma)
{
	return container_of((struct vfio_pci_core_device *)vma->vm_private_data,
			    struct vgpu_vfio, core);
}

static void region_vma_open(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = region_of_vma(vma)->core_vm_ops;

	if (ops->open)
		ops->open(vma);
}

static void region_vma_close(struct vm_area_struct *vma)
{
	const struct vm_operations_struct *ops = region_of_vma(vma)->core_vm_ops;

	if (ops->close)
		ops->close(vma);
}

/*
 * A SIGBUS would end the user, and with it the guest's whole machine. It is
 * ordinary memory, though the rest of the mapping is not cached.
 */
static vm_fault_t region_show_nothing(struct vgpu_vfio *v, struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;

	return vmf_insert_pfn_prot(vma, vmf->address & PAGE_MASK,
				   page_to_pfn(v->ones),
				   vm_get_page_prot(vma->vm_flags));
}

/* What was mapped while the vGPU was being lost is taken once more. */
static vm_fault_t region_recheck_loss(struct vgpu_vfio *v, vm_fault_t rc)
{
	if (vgpu_vfio_is_lost(v))
		schedule_work(&v->lost_work);
	return rc;
}

static vm_fault_t region_vma_fault(struct vm_fault *vmf)
{
	struct vgpu_vfio *v = region_of_vma(vmf->vma);

	if (vgpu_vfio_is_lost(v))
		return region_show_nothing(v, vmf);
	return region_recheck_loss(v, v->core_vm_ops->fault(vmf));
}

#if COMPAT_HAS_HUGE_FAULT
static vm_fault_t region_vma_huge_fault(struct vm_fault *vmf, unsigned int order)
{
	struct vgpu_vfio *v = region_of_vma(vmf->vma);

	if (vgpu_vfio_is_lost(v) || !v->core_vm_ops->huge_fault)
		return VM_FAULT_FALLBACK;
	return region_recheck_loss(v, v->core_vm_ops->huge_fault(vmf, order));
}
#endif

static const struct vm_operations_struct vma_ops = {
	.open = region_vma_open,
	.close = region_vma_close,
	.fault = region_vma_fault,
#if COMPAT_HAS_HUGE_FAULT
	.huge_fault = region_vma_huge_fault,
#endif
};

int vgpu_vfio_mmap(struct vfio_device *device, struct vm_area_struct *vma)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	u64 pages = vma_pages(vma), limit = v->config.bar1_bytes >> PAGE_SHIFT;
	u64 first = vma->vm_pgoff & ((1ULL << INDEX_SHIFT) - 1);
	int rc;

	if (vgpu_vfio_is_lost(v))
		return -ENODEV;
	if (vma->vm_pgoff >> INDEX_SHIFT == VFIO_PCI_BAR1_REGION_INDEX &&
	    (first > limit || pages > limit - first))
		return -EINVAL;
	rc = vfio_pci_core_mmap(device, vma);
	if (rc)
		return rc;
	/* Without its faults a mapping could not be taken from the user. */
	if (vma->vm_private_data != &v->core || !vma->vm_ops)
		return -EOPNOTSUPP;
	/* It is the same one for all mappings. */
	WRITE_ONCE(v->core_vm_ops, vma->vm_ops);
	vma->vm_ops = &vma_ops;
	return 0;
}

#if COMPAT_HAS_REGION_INFO_OP
int vgpu_vfio_get_region_info(struct vfio_device *device,
			      struct vfio_region_info *info,
			      struct vfio_info_cap *caps)
{
	struct vgpu_vfio *v = vgpu_vfio_of(device);
	int rc;

	if (vgpu_vfio_is_lost(v))
		return -ENODEV;
	rc = vfio_pci_ioctl_get_region_info(device, info, caps);
	if (rc == 0 && info->index == VFIO_PCI_BAR1_REGION_INDEX)
		info->size = v->config.bar1_bytes;
	return rc;
}
#else
long vgpu_vfio_ioctl_region_info(struct vgpu_vfio *v, unsigned long arg)
{
	struct vfio_region_info __user *info = (void __user *)arg;
	long rc = vfio_pci_core_ioctl(&v->core.vdev,
				      VFIO_DEVICE_GET_REGION_INFO, arg);
	u32 index;

	if (rc)
		return rc;
	if (get_user(index, &info->index))
		return -EFAULT;
	if (index == VFIO_PCI_BAR1_REGION_INDEX &&
	    put_user(v->config.bar1_bytes, &info->size))
		return -EFAULT;
	return 0;
}
#endif
