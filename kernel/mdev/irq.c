// SPDX-License-Identifier: GPL-2.0-or-later
/* Interrupts: eventfds that the VMM, or KVM itself, waits for. */
#include <linux/uaccess.h>

#include "compat.h"
#include "mdev.h"

int vgpu_mdev_irq_count(u32 index)
{
	switch (index) {
	case VFIO_PCI_MSIX_IRQ_INDEX:
		return VGPU_MDEV_VECTORS;
	case VFIO_PCI_REQ_IRQ_INDEX:
		return 1;
	default:
		return 0;
	}
}

long vgpu_mdev_irq_info(unsigned long arg)
{
	const size_t bytes = offsetofend(struct vfio_irq_info, count);
	struct vfio_irq_info info = {};

	if (copy_from_user(&info, (void __user *)arg, bytes))
		return -EFAULT;
	if (info.argsz < bytes || info.index >= VFIO_PCI_NUM_IRQS)
		return -EINVAL;
	info.count = vgpu_mdev_irq_count(info.index);
	info.flags = 0;
	if (info.count)
		info.flags = VFIO_IRQ_INFO_EVENTFD | VFIO_IRQ_INFO_NORESIZE;
	return copy_to_user((void __user *)arg, &info, bytes) ? -EFAULT : 0;
}

static struct eventfd_ctx **irq_slot(struct vgpu_mdev *v, u32 index, u32 n)
{
	return index == VFIO_PCI_REQ_IRQ_INDEX ? &v->request : &v->vector[n];
}

static void irq_put(struct eventfd_ctx **slot, struct eventfd_ctx *eventfd)
{
	if (*slot)
		eventfd_ctx_put(*slot);
	*slot = eventfd;
}

static int irq_set_eventfds(struct vgpu_mdev *v, const struct vfio_irq_set *set,
			    const s32 *fds)
{
	for (u32 i = 0; i < set->count; i++) {
		struct eventfd_ctx *eventfd = NULL;

		if (fds[i] >= 0) {
			eventfd = eventfd_ctx_fdget(fds[i]);
			if (IS_ERR(eventfd))
				return PTR_ERR(eventfd);
		}
		irq_put(irq_slot(v, set->index, set->start + i), eventfd);
	}
	return 0;
}

/* @set was validated, and @data has what it says. */
int vgpu_mdev_set_irqs(struct vgpu_mdev *v, const struct vfio_irq_set *set,
		       const void *data)
{
	const u8 *bools = data;

	/* KVM masks, not we. */
	if ((set->flags & VFIO_IRQ_SET_ACTION_TYPE_MASK) !=
	    VFIO_IRQ_SET_ACTION_TRIGGER)
		return -ENOTTY;
	switch (set->flags & VFIO_IRQ_SET_DATA_TYPE_MASK) {
	case VFIO_IRQ_SET_DATA_EVENTFD:
		return irq_set_eventfds(v, set, data);
	case VFIO_IRQ_SET_DATA_NONE:
		/* All are disabled so; or some raised. */
		if (!set->count) {
			for (int i = 0; i < vgpu_mdev_irq_count(set->index); i++)
				irq_put(irq_slot(v, set->index, i), NULL);
			return 0;
		}
		break;
	case VFIO_IRQ_SET_DATA_BOOL:
		break;
	default:
		return -EINVAL;
	}
	for (u32 i = 0; i < set->count; i++) {
		struct eventfd_ctx *eventfd =
			*irq_slot(v, set->index, set->start + i);

		if (eventfd && (!bools || bools[i]))
			compat_signal(eventfd);
	}
	return 0;
}

void vgpu_mdev_drop_irqs(struct vgpu_mdev *v)
{
	for (u32 i = 0; i < VGPU_MDEV_VECTORS; i++)
		irq_put(&v->vector[i], NULL);
	irq_put(&v->request, NULL);
}

void vgpu_mdev_signal(struct vgpu_mdev *v, u16 vector)
{
	if (vector < VGPU_MDEV_VECTORS && v->vector[vector])
		compat_signal(v->vector[vector]);
}
