/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The other transport: a VFIO mediated device of kernel/mdev, whose registers,
 * interrupts and window the kernel has, and whose queues are served here.
 */
#ifndef VGPU_DEVICE_MDEV_MDEV_H
#define VGPU_DEVICE_MDEV_MDEV_H

#include "device/virtio/transport.h"
#include "lib/err.h"

/*
 * Serve the device whose file is in VGPU_SLOT_MDEV. If the config's state is a
 * predecessor's and the device was not reset since, go on where that one was.
 */
int vgpu_mdev_create(const struct vgpu_transport_config *config,
		     struct vgpu_transport **ret_transport, struct vgpu_err *err);

#endif
