/* SPDX-License-Identifier: GPL-2.0-or-later WITH Linux-syscall-note */
/*
 * /dev/vgpu-mdev/UUID: the device model's side of a mediated virtio-gpu.
 *
 * One process at a time has the file open and serves the device. The kernel
 * keeps the PCI function, virtio's registers, and what the window shows, so a
 * VMM and its guest do not notice that a process ends and another one goes on.
 *
 * The guest's memory: mmap() of the file, MAP_SHARED, at the offset that is the
 * guest-physical address. A page shows the guest's after VGPU_MDEV_PIN and
 * until generation changes; otherwise it shows a page of nobody's, so that no
 * access is fatal.
 *
 * Sessions: a reset of the device, by whomever, begins a new one, and so does a
 * VMM that opens or closes it. The guest's memory and the window are empty
 * then. A request of an older session fails with ESTALE: no guest meets what
 * was meant for the one before.
 *
 * Who is to remove the device asks with VGPU_MDEV_END first, for removing one
 * that a VMM has open waits for that VMM.
 *
 * poll(): readable when VGPU_MDEV_GET_STATE has something new; hung up when the
 * device was removed, after which all requests fail with ENODEV.
 */
#ifndef VGPU_KERNEL_UAPI_VGPU_MDEV_H
#define VGPU_KERNEL_UAPI_VGPU_MDEV_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define VGPU_MDEV_QUEUES       2    /* control and cursor (virtio 1.3, 5.7.2) */
#define VGPU_MDEV_QUEUE_NUM    1024 /* the largest ring */
#define VGPU_MDEV_CONFIG_BYTES 16   /* struct virtio_gpu_config */

/* What the process serves, before anything else. */
struct vgpu_mdev_setup {
	__u64 features; /* offered to the driver; VIRTIO_F_VERSION_1 among them */
	/*
	 * The host-visible window: 0, or a power of two. It stays as it is while a
	 * VMM has the device open (EBUSY). Not before Linux 6.10 (EOPNOTSUPP).
	 */
	__u64 window_bytes;
	__s32 kick[VGPU_MDEV_QUEUES]; /* eventfds: the driver notified a queue */
	__u8 config[VGPU_MDEV_CONFIG_BYTES];
};

struct vgpu_mdev_queue {
	__u64 desc;
	__u64 driver;
	__u64 device;
	__u32 num;
	__u32 is_enabled;
};

struct vgpu_mdev_state {
	__u32 session;
	__u32 generation;   /* of the guest's memory */
	__u32 is_open;	    /* by a VMM */
	__s32 pid;	    /* of that VMM; 0: unknown here */
	__u32 status;	    /* virtio's device status */
	__u32 events_clear; /* what the driver wrote since the last time */
	__u64 features;	    /* accepted; final when status has FEATURES_OK */
	struct vgpu_mdev_queue queue[VGPU_MDEV_QUEUES];
};

/*
 * Have [address, address + bytes) of the guest's memory mapped; bytes becomes
 * how much of it, from its beginning, is memory that the device may write. 0:
 * none. ESTALE as well where the guest does not let the device master the bus.
 */
struct vgpu_mdev_pin {
	__u32 session;
	__u32 pad; /* 0 */
	__u64 address;
	__u64 bytes;
};

/* Interrupt the driver for a queue. */
struct vgpu_mdev_interrupt {
	__u32 session;
	__u32 queue;
};

/* Change the configuration space, and tell the driver. */
struct vgpu_mdev_config_space {
	__u8 config[VGPU_MDEV_CONFIG_BYTES];
};

/*
 * Show @bytes of a memfd, which must be writable, from fd_offset on, in the
 * window at @offset. All whole pages. EEXIST if something is there.
 */
struct vgpu_mdev_map {
	__u32 session;
	__s32 fd;
	__u64 fd_offset;
	__u64 offset;
	__u64 bytes;
};

/* Undo such a map: all of it. ENOENT if there is no such one. */
struct vgpu_mdev_unmap {
	__u32 session;
	__u32 pad; /* 0 */
	__u64 offset;
	__u64 bytes;
};

#define VGPU_MDEV_SETUP	     _IOW(0xb7, 0x40, struct vgpu_mdev_setup)
#define VGPU_MDEV_GET_STATE  _IOR(0xb7, 0x41, struct vgpu_mdev_state)
#define VGPU_MDEV_PIN	     _IOWR(0xb7, 0x42, struct vgpu_mdev_pin)
#define VGPU_MDEV_INTERRUPT  _IOW(0xb7, 0x43, struct vgpu_mdev_interrupt)
#define VGPU_MDEV_SET_CONFIG _IOW(0xb7, 0x44, struct vgpu_mdev_config_space)
#define VGPU_MDEV_MAP	     _IOW(0xb7, 0x45, struct vgpu_mdev_map)
#define VGPU_MDEV_UNMAP	     _IOW(0xb7, 0x46, struct vgpu_mdev_unmap)
/*
 * From now until a VGPU_MDEV_SETUP no VMM can open the device. EBUSY if one has
 * it open. Needs no VGPU_MDEV_SETUP before.
 */
#define VGPU_MDEV_END _IO(0xb7, 0x47)

#endif
