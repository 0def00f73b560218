// SPDX-License-Identifier: GPL-2.0-or-later
/* The VFIO device that a VMM opens. */
#include <linux/pci.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat.h"
#include "mdev.h"

/* A manager has noticed the device by then, or runs no more. */
#define PROCESS_WAIT (30 * HZ)

#define REGION_MASK (BIT_ULL(VGPU_MDEV_REGION_SHIFT) - 1)

static int vfio_init(struct vfio_device *device)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);
	int rc;

	mutex_init(&v->lock);
	init_waitqueue_head(&v->wait);
	v->minor = -1;
	rc = vgpu_mdev_init_memory(&v->memory);
	if (rc)
		return rc;
	rc = vgpu_mdev_init_window(&v->window);
	if (rc) {
		vgpu_mdev_finish_memory(&v->memory);
		return rc;
	}
	vgpu_mdev_init_pci(v);
	vgpu_mdev_reset(v);
	return 0;
}

static void vfio_release(struct vfio_device *device)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);

	/* What a process has mapped while no VMM had it open. */
	vgpu_mdev_restart_window(v, 0);
	vgpu_mdev_finish_window(&v->window);
	vgpu_mdev_finish_memory(&v->memory);
	mutex_destroy(&v->lock);
	compat_free_device(device);
}

/* Whoever starts a machine right after the device was made need not ask again. */
static int vfio_wait_for_process(struct vgpu_mdev *v)
{
	long left = wait_event_interruptible_timeout(
		v->wait, READ_ONCE(v->is_set_up) || READ_ONCE(v->is_ended),
		PROCESS_WAIT);

	return left < 0 ? left : 0;
}

static int vfio_open(struct vfio_device *device)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);
	int rc = v->is_managed ? vfio_wait_for_process(v) : 0;

	if (rc)
		return rc;
	mutex_lock(&v->lock);
	/* Nobody has said yet how large the window is, or it is to be removed. */
	if (!v->is_set_up || v->is_ended) {
		mutex_unlock(&v->lock);
		return -ENOTCONN;
	}
	v->is_open = true;
	v->vmm = get_pid(task_tgid(current));
	vgpu_mdev_init_pci(v);
	vgpu_mdev_reset(v);
	mutex_unlock(&v->lock);
	return 0;
}

static void vfio_close(struct vfio_device *device)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);

	/* What is being pinned is unpinned while VFIO still knows it. */
	mutex_lock(&v->memory.pin_lock);
	mutex_lock(&v->lock);
	v->is_open = false;
	vgpu_mdev_drop_irqs(v);
	vgpu_mdev_init_pci(v);
	vgpu_mdev_reset(v);
	put_pid(v->vmm);
	v->vmm = NULL;
	mutex_unlock(&v->lock);
	mutex_unlock(&v->memory.pin_lock);
}

static u64 vfio_region_bytes(const struct vgpu_mdev *v, u32 index)
{
	switch (index) {
	case VFIO_PCI_BAR0_REGION_INDEX:
		return VGPU_MDEV_BAR0_BYTES;
	case VFIO_PCI_BAR1_REGION_INDEX:
		return VGPU_MDEV_BAR1_BYTES;
	case VFIO_PCI_BAR2_REGION_INDEX:
		return v->window_bytes;
	case VFIO_PCI_CONFIG_REGION_INDEX:
		return PCI_CFG_SPACE_EXP_SIZE;
	default:
		return 0;
	}
}

/* At most 8 bytes, within one page of a region. */
static void vfio_region_access(struct vgpu_mdev *v, u32 index, u64 offset,
			       u8 *data, u32 bytes, bool is_write)
{
	__le32 value = 0;

	switch (index) {
	case VFIO_PCI_CONFIG_REGION_INDEX:
		if (is_write)
			vgpu_mdev_write_pci(v, offset, data, bytes);
		else
			vgpu_mdev_read_pci(v, offset, data, bytes);
		return;
	case VFIO_PCI_BAR2_REGION_INDEX:
		vgpu_mdev_access_window(v, offset, data, bytes, is_write);
		return;
	case VFIO_PCI_BAR0_REGION_INDEX:
		break;
	default: /* the table of MSI-X is the VMM's */
		if (!is_write)
			memset(data, 0, bytes);
		return;
	}
	if (is_write) {
		memcpy(&value, data, bytes);
		vgpu_mdev_write_register(v, offset, bytes, le32_to_cpu(value));
	} else {
		value = cpu_to_le32(vgpu_mdev_read_register(v, offset, bytes));
		memcpy(data, &value, bytes);
	}
}

/* The largest access, 4 bytes at most, that is aligned. */
static u32 vfio_region_access_bytes(u64 offset, size_t left)
{
	u32 bytes = 4;

	while (bytes > left || offset & (bytes - 1))
		bytes /= 2;
	return bytes;
}

static ssize_t vfio_region_transfer(struct vfio_device *device, char __user *buf,
				    size_t count, loff_t *ppos, bool is_write)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);
	const u32 index = *ppos >> VGPU_MDEV_REGION_SHIFT;
	const u64 offset = *ppos & REGION_MASK;
	const u64 limit = vfio_region_bytes(v, index);
	size_t done = 0;

	if (offset >= limit)
		return -EINVAL;
	count = min_t(u64, count, limit - offset);
	while (done < count) {
		const u32 bytes =
			vfio_region_access_bytes(offset + done, count - done);
		u8 data[4];

		if (is_write && copy_from_user(data, buf + done, bytes))
			return -EFAULT;
		mutex_lock(&v->lock);
		vfio_region_access(v, index, offset + done, data, bytes,
				   is_write);
		mutex_unlock(&v->lock);
		if (!is_write && copy_to_user(buf + done, data, bytes))
			return -EFAULT;
		done += bytes;
		if (fatal_signal_pending(current))
			break;
		cond_resched();
	}
	*ppos += done;
	return done;
}

static ssize_t vfio_read(struct vfio_device *device, char __user *buf,
			 size_t count, loff_t *ppos)
{
	return vfio_region_transfer(device, buf, count, ppos, false);
}

static ssize_t vfio_write(struct vfio_device *device, const char __user *buf,
			  size_t count, loff_t *ppos)
{
	return vfio_region_transfer(device, (char __user *)buf, count, ppos,
				    true);
}

static int vfio_mmap(struct vfio_device *device, struct vm_area_struct *vma)
{
	return vgpu_mdev_mmap_window(vgpu_mdev_of(device), vma);
}

static int vfio_region_fill_info(struct vgpu_mdev *v,
				 struct vfio_region_info *info)
{
	if (info->index >= VFIO_PCI_NUM_REGIONS)
		return -EINVAL;
	info->offset = (u64)info->index << VGPU_MDEV_REGION_SHIFT;
	info->size = vfio_region_bytes(v, info->index);
	info->flags = 0;
	if (info->size)
		info->flags = VFIO_REGION_INFO_FLAG_READ |
			      VFIO_REGION_INFO_FLAG_WRITE;
	if (info->size && info->index == VFIO_PCI_BAR2_REGION_INDEX)
		info->flags |= VFIO_REGION_INFO_FLAG_MMAP;
	return 0;
}

#if COMPAT_HAS_REGION_INFO_OP
static int vfio_get_region_info(struct vfio_device *device,
				struct vfio_region_info *info,
				struct vfio_info_cap *caps)
{
	return vfio_region_fill_info(vgpu_mdev_of(device), info);
}
#else
static long vfio_ioctl_region_info(struct vgpu_mdev *v, unsigned long arg)
{
	const size_t bytes = offsetofend(struct vfio_region_info, offset);
	struct vfio_region_info info = {};
	int rc;

	if (copy_from_user(&info, (void __user *)arg, bytes))
		return -EFAULT;
	if (info.argsz < bytes)
		return -EINVAL;
	rc = vfio_region_fill_info(v, &info);
	info.cap_offset = 0;
	if (rc)
		return rc;
	return copy_to_user((void __user *)arg, &info, bytes) ? -EFAULT : 0;
}
#endif

static long vfio_ioctl_info(unsigned long arg)
{
	const size_t bytes = offsetofend(struct vfio_device_info, num_irqs);
	struct vfio_device_info info = {};

	if (copy_from_user(&info, (void __user *)arg, bytes))
		return -EFAULT;
	if (info.argsz < bytes)
		return -EINVAL;
	info.flags = VFIO_DEVICE_FLAGS_PCI | VFIO_DEVICE_FLAGS_RESET;
	info.num_regions = VFIO_PCI_NUM_REGIONS;
	info.num_irqs = VFIO_PCI_NUM_IRQS;
	return copy_to_user((void __user *)arg, &info, bytes) ? -EFAULT : 0;
}

static long vfio_ioctl_set_irqs(struct vgpu_mdev *v, unsigned long arg)
{
	const size_t bytes = offsetofend(struct vfio_irq_set, count);
	struct vfio_irq_set set;
	size_t data_bytes = 0;
	void *data = NULL;
	int rc;

	if (copy_from_user(&set, (void __user *)arg, bytes))
		return -EFAULT;
	if (set.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	rc = vfio_set_irqs_validate_and_prepare(&set,
						vgpu_mdev_irq_count(set.index),
						VFIO_PCI_NUM_IRQS, &data_bytes);
	if (rc)
		return rc;
	if (data_bytes) {
		data = memdup_user((void __user *)(arg + bytes), data_bytes);
		if (IS_ERR(data))
			return PTR_ERR(data);
	}
	mutex_lock(&v->lock);
	rc = vgpu_mdev_set_irqs(v, &set, data);
	mutex_unlock(&v->lock);
	kfree(data);
	return rc;
}

static long vfio_ioctl(struct vfio_device *device, unsigned int cmd,
		       unsigned long arg)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);

	switch (cmd) {
	case VFIO_DEVICE_GET_INFO:
		return vfio_ioctl_info(arg);
#if !COMPAT_HAS_REGION_INFO_OP
	case VFIO_DEVICE_GET_REGION_INFO:
		return vfio_ioctl_region_info(v, arg);
#endif
	case VFIO_DEVICE_GET_IRQ_INFO:
		return vgpu_mdev_irq_info(arg);
	case VFIO_DEVICE_SET_IRQS:
		return vfio_ioctl_set_irqs(v, arg);
	case VFIO_DEVICE_RESET:
		mutex_lock(&v->lock);
		vgpu_mdev_init_pci(v);
		vgpu_mdev_reset(v);
		mutex_unlock(&v->lock);
		return 0;
	default:
		return -ENOTTY;
	}
}

/* The device is to be removed: its VMM is asked to let go, again and again. */
static void vfio_request(struct vfio_device *device, unsigned int count)
{
	struct vgpu_mdev *v = vgpu_mdev_of(device);

	mutex_lock(&v->lock);
	if (v->request)
		compat_signal(v->request);
	mutex_unlock(&v->lock);
}

const struct vfio_device_ops vgpu_mdev_vfio_ops = {
	.name = "vgpu-mdev",
	.init = vfio_init,
	.release = vfio_release,
	COMPAT_IOMMUFD_OPS.open_device = vfio_open,
	.close_device = vfio_close,
	.read = vfio_read,
	.write = vfio_write,
	.ioctl = vfio_ioctl,
#if COMPAT_HAS_REGION_INFO_OP
	.get_region_info_caps = vfio_get_region_info,
#endif
	.mmap = vfio_mmap,
	.request = vfio_request,
	.dma_unmap = vgpu_mdev_dma_unmap,
};
