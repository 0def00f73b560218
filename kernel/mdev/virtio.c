// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Virtio's registers in BAR0 (virtio 1.3, 4.1.4). All of them are the module's
 * own, so that no processor of a guest waits for the process.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_pci.h>

#include "compat.h"
#include "mdev.h"

#define ISR_QUEUE  1
#define ISR_CONFIG 2

static_assert(offsetofend(struct virtio_gpu_config, num_capsets) ==
	      VGPU_MDEV_CONFIG_BYTES);

static struct vgpu_mdev_ring *virtio_ring(struct vgpu_mdev *v)
{
	return v->queue_select < VGPU_MDEV_QUEUES ? &v->ring[v->queue_select]
						  : NULL;
}

static u32 virtio_half(u64 value, u32 select)
{
	return select < 2 ? value >> 32 * select : 0;
}

static void virtio_set_half(u64 *value, u32 select, u32 half)
{
	if (select < 2)
		*value = (*value & ~((u64)U32_MAX << 32 * select)) |
			 (u64)half << 32 * select;
}

/* Set one half of an address, by its offset from the register of the lower one. */
static void virtio_set_address(__u64 *address, u32 offset, u32 half)
{
	u64 value = *address;

	virtio_set_half(&value, offset / 4, half);
	*address = value;
}

static u32 virtio_read_queue(const struct vgpu_mdev_ring *ring, u32 index,
			     u32 offset)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		return ring->queue.num;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		return ring->vector;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		return ring->queue.is_enabled;
	case VIRTIO_PCI_COMMON_Q_NOFF:
		return index;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		return virtio_half(ring->queue.desc,
				   (offset - VIRTIO_PCI_COMMON_Q_DESCLO) / 4);
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		return virtio_half(ring->queue.driver,
				   (offset - VIRTIO_PCI_COMMON_Q_AVAILLO) / 4);
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		return virtio_half(ring->queue.device,
				   (offset - VIRTIO_PCI_COMMON_Q_USEDLO) / 4);
	default:
		return 0;
	}
}

static u32 virtio_read_common(struct vgpu_mdev *v, u32 offset)
{
	const struct vgpu_mdev_ring *ring = virtio_ring(v);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		return v->offered_select;
	case VIRTIO_PCI_COMMON_DF:
		return virtio_half(v->offered, v->offered_select);
	case VIRTIO_PCI_COMMON_GFSELECT:
		return v->accepted_select;
	case VIRTIO_PCI_COMMON_GF:
		return virtio_half(v->accepted, v->accepted_select);
	case VIRTIO_PCI_COMMON_MSIX:
		return v->config_vector;
	case VIRTIO_PCI_COMMON_NUMQ:
		return VGPU_MDEV_QUEUES;
	case VIRTIO_PCI_COMMON_STATUS:
		return v->status;
	case VIRTIO_PCI_COMMON_CFGGENERATION:
		return v->config_generation;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		return v->queue_select;
	default:
		return ring ? virtio_read_queue(ring, v->queue_select, offset)
			    : 0;
	}
}

static u16 virtio_check_vector(u32 vector)
{
	return vector < VGPU_MDEV_VECTORS ? vector : VIRTIO_MSI_NO_VECTOR;
}

/* True if the process is to be told. */
static bool virtio_write_queue(struct vgpu_mdev *v, struct vgpu_mdev_ring *ring,
			       u32 offset, u32 value)
{
	struct vgpu_mdev_queue *queue = &ring->queue;

	if (offset == VIRTIO_PCI_COMMON_Q_MSIX) {
		ring->vector = virtio_check_vector(value);
		return false;
	}
	/* What is in use stays as it is. */
	if (queue->is_enabled)
		return false;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (is_power_of_2(value) && value <= VGPU_MDEV_QUEUE_NUM)
			queue->num = value;
		return false;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		queue->is_enabled =
			value == 1 && v->status & VIRTIO_CONFIG_S_FEATURES_OK;
		return queue->is_enabled;
	case VIRTIO_PCI_COMMON_Q_DESCLO:
	case VIRTIO_PCI_COMMON_Q_DESCHI:
		virtio_set_address(&queue->desc,
				   offset - VIRTIO_PCI_COMMON_Q_DESCLO, value);
		return false;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
	case VIRTIO_PCI_COMMON_Q_AVAILHI:
		virtio_set_address(&queue->driver,
				   offset - VIRTIO_PCI_COMMON_Q_AVAILLO, value);
		return false;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
	case VIRTIO_PCI_COMMON_Q_USEDHI:
		virtio_set_address(&queue->device,
				   offset - VIRTIO_PCI_COMMON_Q_USEDLO, value);
		return false;
	default:
		return false;
	}
}

static void virtio_write_status(struct vgpu_mdev *v, u8 status)
{
	const u64 version_1 = BIT_ULL(VIRTIO_F_VERSION_1);

	if (!status) {
		vgpu_mdev_reset(v);
		return;
	}
	/* Bits are taken back by a reset alone. */
	status |= v->status;
	if (status & ~v->status & VIRTIO_CONFIG_S_FEATURES_OK &&
	    (v->accepted & ~v->offered || !(v->accepted & version_1)))
		status &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status = status;
	vgpu_mdev_changed(v);
}

static void virtio_write_common(struct vgpu_mdev *v, u32 offset, u32 value)
{
	struct vgpu_mdev_ring *ring = virtio_ring(v);

	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		v->offered_select = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		v->accepted_select = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		if (!(v->status & VIRTIO_CONFIG_S_FEATURES_OK))
			virtio_set_half(&v->accepted, v->accepted_select, value);
		break;
	case VIRTIO_PCI_COMMON_MSIX:
		v->config_vector = virtio_check_vector(value);
		break;
	case VIRTIO_PCI_COMMON_STATUS:
		virtio_write_status(v, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		v->queue_select = value;
		break;
	default:
		if (ring && virtio_write_queue(v, ring, offset, value))
			vgpu_mdev_changed(v);
	}
}

static u32 virtio_read_config(const struct vgpu_mdev *v, u32 offset, u32 bytes)
{
	u32 value = 0;

	for (u32 i = 0; i < bytes && offset + i < sizeof(v->config); i++)
		value |= (u32)v->config[offset + i] << 8 * i;
	return value;
}

/* Only events_clear can be written. */
static void virtio_write_config(struct vgpu_mdev *v, u32 offset, u32 bytes,
				u32 value)
{
	const u32 events_at = offsetof(struct virtio_gpu_config, events_read);

	if (offset != offsetof(struct virtio_gpu_config, events_clear) ||
	    bytes != 4)
		return;
	for (u32 i = 0; i < 4; i++)
		v->config[events_at + i] &= ~(value >> 8 * i);
	v->events_clear |= value;
	vgpu_mdev_changed(v);
}

u32 vgpu_mdev_read_register(struct vgpu_mdev *v, u32 offset, u32 bytes)
{
	const u32 at = offset & ~PAGE_MASK;
	u32 value = 0;

	switch (offset & PAGE_MASK) {
	case VGPU_MDEV_COMMON:
		return virtio_read_common(v, at);
	case VGPU_MDEV_ISR:
		if (at == 0) {
			value = v->isr;
			v->isr = 0;
		}
		return value;
	case VGPU_MDEV_DEVICE:
		return virtio_read_config(v, at, bytes);
	default:
		return 0;
	}
}

void vgpu_mdev_write_register(struct vgpu_mdev *v, u32 offset, u32 bytes,
			      u32 value)
{
	const u32 at = offset & ~PAGE_MASK;
	const u32 index = at / VGPU_MDEV_NOTIFY_STRIDE;

	switch (offset & PAGE_MASK) {
	case VGPU_MDEV_COMMON:
		virtio_write_common(v, at, value);
		break;
	case VGPU_MDEV_DEVICE:
		virtio_write_config(v, at, bytes, value);
		break;
	case VGPU_MDEV_NOTIFY:
		if (index < VGPU_MDEV_QUEUES && v->kick[index])
			compat_signal(v->kick[index]);
		break;
	}
}

void vgpu_mdev_reset(struct vgpu_mdev *v)
{
	v->session++;
	v->accepted = 0;
	v->offered_select = 0;
	v->accepted_select = 0;
	v->queue_select = 0;
	v->events_clear = 0;
	v->config_vector = VIRTIO_MSI_NO_VECTOR;
	v->status = 0;
	v->isr = 0;
	for (u32 i = 0; i < VGPU_MDEV_QUEUES; i++)
		v->ring[i] = (struct vgpu_mdev_ring){
			.queue = {.num = VGPU_MDEV_QUEUE_NUM},
			.vector = VIRTIO_MSI_NO_VECTOR,
		};
	vgpu_mdev_restart_memory(v, v->session,
				 v->is_open && vgpu_mdev_is_master(v));
	vgpu_mdev_restart_window(v, v->session);
	vgpu_mdev_changed(v);
}

int vgpu_mdev_interrupt_queue(struct vgpu_mdev *v,
			      const struct vgpu_mdev_interrupt *interrupt)
{
	if (interrupt->queue >= VGPU_MDEV_QUEUES)
		return -EINVAL;
	if (interrupt->session != v->session)
		return -ESTALE;
	v->isr |= ISR_QUEUE;
	vgpu_mdev_signal(v, v->ring[interrupt->queue].vector);
	return 0;
}

void vgpu_mdev_change_config(struct vgpu_mdev *v, const u8 *config)
{
	memcpy(v->config, config, sizeof(v->config));
	v->config_generation++;
	if (!(v->status & VIRTIO_CONFIG_S_DRIVER_OK))
		return;
	v->isr |= ISR_CONFIG;
	vgpu_mdev_signal(v, v->config_vector);
}

void vgpu_mdev_fill_state(struct vgpu_mdev *v, struct vgpu_mdev_state *state)
{
	state->session = v->session;
	state->is_open = v->is_open;
	state->pid = pid_vnr(v->vmm);
	state->status = v->status;
	state->events_clear = v->events_clear;
	state->features = v->accepted;
	for (u32 i = 0; i < VGPU_MDEV_QUEUES; i++)
		state->queue[i] = v->ring[i].queue;
	v->events_clear = 0;
}
