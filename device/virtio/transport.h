/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A transport: by it a VMM reaches a virtio device whose queues are served here. */
#ifndef VGPU_DEVICE_VIRTIO_TRANSPORT_H
#define VGPU_DEVICE_VIRTIO_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-event.h>

#include "device/slots.h"
#include "device/state_abi.h"
#include "device/virtio/device.h"

struct vgpu_transport;

/* What a transport tells its owner. All but removed are required. */
struct vgpu_transport_events {
	/* The guest or the VMM broke a rule; @text says which. */
	void (*fault)(void *opaque, const char *text);
	/* A VMM came or went. */
	void (*link_changed)(void *opaque);
	void (*status_changed)(void *opaque);
	/* There is nothing left to serve. Only of a device that others remove. */
	void (*removed)(void *opaque);
};

/* What each transport is made of. */
struct vgpu_transport_config {
	sd_event *event;
	/* Both stay the caller's and outlive the transport. */
	struct vgpu_state *state;
	struct vgpu_slots *slots;
	struct vgpu_virtio_config virtio;
	/* Size of the host-visible window; 0 for none. A power of two. */
	uint64_t host_visible_bytes;
	const struct vgpu_transport_events *events;
	void *opaque;
};

/* All but set_vgpus are required. */
struct vgpu_transport_ops {
	void (*destroy)(struct vgpu_transport *transport);
	/* NULL if the model is another. */
	struct vgpu_gpu *(*gpu)(struct vgpu_transport *transport);
	bool (*is_attached)(const struct vgpu_transport *transport);
	/* ... or the VMM was cut off, and still has the vGPU's memory mapped. */
	bool (*is_held)(const struct vgpu_transport *transport);
	/* Process id of the VMM, 0 if unknown. */
	int32_t (*peer_pid)(const struct vgpu_transport *transport);
	/* So many vGPUs has the VM, this one included. */
	void (*set_vgpus)(struct vgpu_transport *transport, uint32_t vgpus);
};

struct vgpu_transport {
	const struct vgpu_transport_ops *ops;
};

/* NULL is fine. */
static inline void vgpu_transport_destroy(struct vgpu_transport *transport)
{
	if (transport)
		transport->ops->destroy(transport);
}

#endif
