// SPDX-License-Identifier: GPL-2.0-or-later
/* The configuration space: an image, with the bits that the VMM can change. */
#include <linux/pci.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#include "mdev.h"

/*
 * PCI Express capability, version 2. Not PCI_CAP_EXP_ENDPOINT_SIZEOF_V2, which
 * is 0x32 in older headers: capabilities begin at multiples of 4.
 */
#define PCI_EXPRESS_BYTES 0x3c

/* Capabilities, in the order of their list. */
enum {
	PCI_EXPRESS_AT = 0x40,
	PCI_PM_AT = PCI_EXPRESS_AT + PCI_EXPRESS_BYTES,
	PCI_MSIX_AT = PCI_PM_AT + PCI_PM_SIZEOF,
	PCI_COMMON_AT = PCI_MSIX_AT + PCI_CAP_MSIX_SIZEOF,
	PCI_NOTIFY_AT = PCI_COMMON_AT + sizeof(struct virtio_pci_cap),
	PCI_ISR_AT = PCI_NOTIFY_AT + sizeof(struct virtio_pci_notify_cap),
	PCI_DEVICE_AT = PCI_ISR_AT + sizeof(struct virtio_pci_cap),
	PCI_ACCESS_AT = PCI_DEVICE_AT + sizeof(struct virtio_pci_cap),
	PCI_WINDOW_AT = PCI_ACCESS_AT + sizeof(struct virtio_pci_cfg_cap),
	PCI_END = PCI_WINDOW_AT + sizeof(struct virtio_pci_cap64),
};

static_assert(PCI_END <= VGPU_MDEV_PCI_BYTES);
static_assert(PCI_PM_AT % 4 == 0 && PCI_MSIX_AT % 4 == 0 &&
	      PCI_ACCESS_AT % 4 == 0);

#define VIRTIO_DEVICE_ID (0x1040 + VIRTIO_ID_GPU)
#define SUBSYSTEM_ID	 0x1100 /* any; as QEMU's own */
#define WINDOW_SHMID	 1	/* VIRTIO_GPU_SHM_ID_HOST_VISIBLE */
#define MSIX_PENDING_AT	 0x800

static void pci_put(struct vgpu_mdev_pci *pci, u32 at, u32 bytes, u32 value)
{
	for (u32 i = 0; i < bytes; i++)
		pci->image[at + i] = value >> 8 * i;
}

static u32 pci_get(const struct vgpu_mdev_pci *pci, u32 at, u32 bytes)
{
	u32 value = 0;

	for (u32 i = 0; i < bytes; i++)
		value |= (u32)pci->image[at + i] << 8 * i;
	return value;
}

static void pci_allow(struct vgpu_mdev_pci *pci, u32 at, u32 bytes, u32 mask)
{
	for (u32 i = 0; i < bytes; i++)
		pci->writable[at + i] = mask >> 8 * i;
}

static void pci_put_bar(struct vgpu_mdev_pci *pci, u32 at, u64 bytes, u32 flags)
{
	const u64 mask = ~(bytes - 1);

	pci_put(pci, at, 4, flags);
	pci_allow(pci, at, 4, mask);
	if (flags & PCI_BASE_ADDRESS_MEM_TYPE_64)
		pci_allow(pci, at + 4, 4, mask >> 32);
}

static void pci_put_virtio(struct vgpu_mdev_pci *pci, u32 at, u8 next, u8 size,
			   u8 type, u8 bar, u32 offset, u32 length)
{
	const struct virtio_pci_cap cap = {
		.cap_vndr = PCI_CAP_ID_VNDR,
		.cap_next = next,
		.cap_len = size,
		.cfg_type = type,
		.bar = bar,
		.offset = cpu_to_le32(offset),
		.length = cpu_to_le32(length),
	};

	memcpy(pci->image + at, &cap, sizeof(cap));
}

static void pci_put_header(struct vgpu_mdev *v)
{
	struct vgpu_mdev_pci *pci = &v->pci;

	pci_put(pci, PCI_VENDOR_ID, 2, PCI_VENDOR_ID_REDHAT_QUMRANET);
	pci_put(pci, PCI_DEVICE_ID, 2, VIRTIO_DEVICE_ID);
	pci_allow(pci, PCI_COMMAND, 2,
		  PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER |
			  PCI_COMMAND_INTX_DISABLE);
	pci_put(pci, PCI_STATUS, 2, PCI_STATUS_CAP_LIST);
	pci_put(pci, PCI_CLASS_REVISION, 4, PCI_CLASS_DISPLAY_OTHER << 16 | 1);
	pci_allow(pci, PCI_CACHE_LINE_SIZE, 1, 0xff);
	pci_put(pci, PCI_SUBSYSTEM_VENDOR_ID, 2, PCI_VENDOR_ID_REDHAT_QUMRANET);
	pci_put(pci, PCI_SUBSYSTEM_ID, 2, SUBSYSTEM_ID);
	pci_put(pci, PCI_CAPABILITY_LIST, 1, PCI_EXPRESS_AT);
	pci_allow(pci, PCI_INTERRUPT_LINE, 1, 0xff);
	pci_put_bar(pci, PCI_BASE_ADDRESS_0, VGPU_MDEV_BAR0_BYTES,
		    PCI_BASE_ADDRESS_MEM_TYPE_32);
	pci_put_bar(pci, PCI_BASE_ADDRESS_1, VGPU_MDEV_BAR1_BYTES,
		    PCI_BASE_ADDRESS_MEM_TYPE_32);
	if (v->window_bytes)
		pci_put_bar(pci, PCI_BASE_ADDRESS_2, v->window_bytes,
			    PCI_BASE_ADDRESS_MEM_TYPE_64 |
				    PCI_BASE_ADDRESS_MEM_PREFETCH);
}

static void pci_put_express(struct vgpu_mdev_pci *pci)
{
	pci_put(pci, PCI_EXPRESS_AT, 2, PCI_CAP_ID_EXP | PCI_PM_AT << 8);
	pci_put(pci, PCI_EXPRESS_AT + PCI_EXP_FLAGS, 2,
		2 | PCI_EXP_TYPE_ENDPOINT << 4);
	pci_put(pci, PCI_EXPRESS_AT + PCI_EXP_DEVCAP, 4,
		PCI_EXP_DEVCAP_RBER | PCI_EXP_DEVCAP_FLR);
	pci_allow(pci, PCI_EXPRESS_AT + PCI_EXP_DEVCTL, 2, 0x7fff);
	pci_put(pci, PCI_EXPRESS_AT + PCI_EXP_LNKCAP, 4,
		PCI_EXP_LNKCAP_SLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
	pci_put(pci, PCI_EXPRESS_AT + PCI_EXP_LNKSTA, 2,
		PCI_EXP_LNKSTA_CLS_2_5GB | PCI_EXP_LNKSTA_NLW_X1);
}

static void pci_put_capabilities(struct vgpu_mdev *v)
{
	struct vgpu_mdev_pci *pci = &v->pci;
	const u8 size = sizeof(struct virtio_pci_cap);

	pci_put_express(pci);
	pci_put(pci, PCI_PM_AT, 2, PCI_CAP_ID_PM | PCI_MSIX_AT << 8);
	pci_put(pci, PCI_PM_AT + PCI_PM_PMC, 2, 3);
	pci_put(pci, PCI_PM_AT + PCI_PM_CTRL, 2, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_allow(pci, PCI_PM_AT + PCI_PM_CTRL, 2, PCI_PM_CTRL_STATE_MASK);

	pci_put(pci, PCI_MSIX_AT, 2, PCI_CAP_ID_MSIX | PCI_COMMON_AT << 8);
	pci_put(pci, PCI_MSIX_AT + PCI_MSIX_FLAGS, 2, VGPU_MDEV_VECTORS - 1);
	pci_allow(pci, PCI_MSIX_AT + PCI_MSIX_FLAGS, 2,
		  PCI_MSIX_FLAGS_ENABLE | PCI_MSIX_FLAGS_MASKALL);
	pci_put(pci, PCI_MSIX_AT + PCI_MSIX_TABLE, 4, 1);
	pci_put(pci, PCI_MSIX_AT + PCI_MSIX_PBA, 4, MSIX_PENDING_AT | 1);

	pci_put_virtio(pci, PCI_COMMON_AT, PCI_NOTIFY_AT, size,
		       VIRTIO_PCI_CAP_COMMON_CFG, 0, VGPU_MDEV_COMMON,
		       sizeof(struct virtio_pci_common_cfg));
	pci_put_virtio(pci, PCI_NOTIFY_AT, PCI_ISR_AT,
		       sizeof(struct virtio_pci_notify_cap),
		       VIRTIO_PCI_CAP_NOTIFY_CFG, 0, VGPU_MDEV_NOTIFY,
		       VGPU_MDEV_QUEUES * VGPU_MDEV_NOTIFY_STRIDE);
	pci_put(pci,
		PCI_NOTIFY_AT + offsetof(struct virtio_pci_notify_cap,
					 notify_off_multiplier),
		4, VGPU_MDEV_NOTIFY_STRIDE);
	pci_put_virtio(pci, PCI_ISR_AT, PCI_DEVICE_AT, size,
		       VIRTIO_PCI_CAP_ISR_CFG, 0, VGPU_MDEV_ISR, 4);
	pci_put_virtio(pci, PCI_DEVICE_AT, PCI_ACCESS_AT, size,
		       VIRTIO_PCI_CAP_DEVICE_CFG, 0, VGPU_MDEV_DEVICE,
		       VGPU_MDEV_CONFIG_BYTES);
	pci_put_virtio(pci, PCI_ACCESS_AT, v->window_bytes ? PCI_WINDOW_AT : 0,
		       sizeof(struct virtio_pci_cfg_cap),
		       VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0);
	pci_allow(pci, PCI_ACCESS_AT + offsetof(struct virtio_pci_cap, bar), 1,
		  0xff);
	pci_allow(pci, PCI_ACCESS_AT + offsetof(struct virtio_pci_cap, offset),
		  4, U32_MAX);
	pci_allow(pci, PCI_ACCESS_AT + offsetof(struct virtio_pci_cap, length),
		  4, U32_MAX);
	if (!v->window_bytes)
		return;
	pci_put_virtio(pci, PCI_WINDOW_AT, 0, sizeof(struct virtio_pci_cap64),
		       VIRTIO_PCI_CAP_SHARED_MEMORY_CFG, 2, 0, v->window_bytes);
	pci_put(pci, PCI_WINDOW_AT + offsetof(struct virtio_pci_cap, id), 1,
		WINDOW_SHMID);
	pci_put(pci, PCI_WINDOW_AT + offsetof(struct virtio_pci_cap64, length_hi),
		4, v->window_bytes >> 32);
}

void vgpu_mdev_init_pci(struct vgpu_mdev *v)
{
	memset(&v->pci, 0, sizeof(v->pci));
	pci_put_header(v);
	pci_put_capabilities(v);
}

bool vgpu_mdev_is_master(const struct vgpu_mdev *v)
{
	return pci_get(&v->pci, PCI_COMMAND, 2) & PCI_COMMAND_MASTER;
}

/*
 * Access to BAR0 by way of the configuration space, for firmware that has no
 * memory space yet (virtio 1.3, 4.1.4.9). Returns whether it is to be one.
 */
static bool pci_find_access(const struct vgpu_mdev *v, u32 *ret_offset,
			    u32 *ret_bytes)
{
	const struct vgpu_mdev_pci *pci = &v->pci;
	const u32 at = PCI_ACCESS_AT;
	u32 offset =
		pci_get(pci, at + offsetof(struct virtio_pci_cap, offset), 4);
	u32 bytes = pci_get(pci, at + offsetof(struct virtio_pci_cap, length), 4);

	if (pci->image[at + offsetof(struct virtio_pci_cap, bar)] != 0 ||
	    (bytes != 1 && bytes != 2 && bytes != 4) || offset % bytes ||
	    offset >= VGPU_MDEV_BAR0_BYTES)
		return false;
	*ret_offset = offset;
	*ret_bytes = bytes;
	return true;
}

#define ACCESS_DATA_AT                                                         \
	(PCI_ACCESS_AT + offsetof(struct virtio_pci_cfg_cap, pci_cfg_data))

void vgpu_mdev_read_pci(struct vgpu_mdev *v, u32 offset, u8 *data, u32 bytes)
{
	u32 at, size;

	if (offset == ACCESS_DATA_AT && pci_find_access(v, &at, &size) &&
	    bytes >= size)
		pci_put(&v->pci, ACCESS_DATA_AT, size,
			vgpu_mdev_read_register(v, at, size));
	for (u32 i = 0; i < bytes; i++)
		data[i] = offset + i < VGPU_MDEV_PCI_BYTES
				  ? v->pci.image[offset + i]
				  : 0;
}

void vgpu_mdev_write_pci(struct vgpu_mdev *v, u32 offset, const u8 *data,
			 u32 bytes)
{
	const u32 control_at = PCI_EXPRESS_AT + PCI_EXP_DEVCTL;
	struct vgpu_mdev_pci *pci = &v->pci;
	const bool was_master = vgpu_mdev_is_master(v);
	bool must_reset = false;
	u32 at, size;

	for (u32 i = 0; i < bytes && offset + i < VGPU_MDEV_PCI_BYTES; i++) {
		const u8 mask = pci->writable[offset + i];
		u8 *image = &pci->image[offset + i];

		*image = (*image & ~mask) | (data[i] & mask);
		if (offset + i == control_at + 1 &&
		    data[i] & (PCI_EXP_DEVCTL_BCR_FLR >> 8))
			must_reset = true;
	}
	if (offset == ACCESS_DATA_AT && pci_find_access(v, &at, &size) &&
	    bytes >= size) {
		for (u32 i = 0; i < size; i++)
			pci->image[ACCESS_DATA_AT + i] = data[i];
		vgpu_mdev_write_register(v, at, size,
					 pci_get(pci, ACCESS_DATA_AT, size));
	}
	if (must_reset) {
		vgpu_mdev_init_pci(v);
		vgpu_mdev_reset(v);
	} else if (vgpu_mdev_is_master(v) != was_master) {
		vgpu_mdev_restart_memory(v, v->session, !was_master);
		vgpu_mdev_changed(v);
	}
}
