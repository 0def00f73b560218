/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a transport has on the host, beside the sockets of the vGPU's folder. */
#ifndef VGPU_MANAGER_VGPU_TRANSPORT_H
#define VGPU_MANAGER_VGPU_TRANSPORT_H

#include "instance.h"

/* A transport whose devices the host has; vhost-user has none. All are required. */
struct vgpu_transport_ops {
	uint32_t slot; /* of what a device process serves */
	/*
	 * Whether a vGPU can be reached by it. @is_new: nothing of its uuid may
	 * be on the host.
	 */
	int (*check)(struct vgpu_manager *manager, const char *uuid,
		     bool is_new, struct vgpu_err *err);
	/* Have the device, if it is not there, and put @slot into the store. */
	int (*prepare)(struct vgpu_instance *instance, struct vgpu_err *err);
	/*
	 * From now on no virtual machine can open the device, until a process
	 * begins to serve it. Fails with "InUse" if one has it open.
	 */
	int (*release)(struct vgpu_instance *instance, struct vgpu_err *err);
	/* No process serves it: remove the device. Idempotent. */
	int (*remove)(struct vgpu_instance *instance, struct vgpu_err *err);
	/* Whether the device is there: others can remove it. */
	bool (*is_there)(const struct vgpu_instance *instance);
	/* The device's folder in sysfs. */
	void (*path)(const struct vgpu_instance *instance, char *ret,
		     size_t size);
	/* See struct vgpu_provider_ops. @note has room for a line. */
	int (*qemu_arguments)(struct vgpu_instance *instance,
			      sd_json_variant **ret_json,
			      sd_json_variant **ret_device, char *note,
			      size_t note_size);
};

/* NULL: it has nothing on the host. */
static inline const struct vgpu_transport_ops *
vgpu_transport_of(const struct vgpu_instance *instance)
{
	return instance->manager->transports[instance->definition.transport];
}

/* Before a definition is saved, and before each first process. */
static inline int vgpu_transport_check(struct vgpu_manager *manager,
				       const struct vgpu_definition *definition,
				       bool is_new, struct vgpu_err *err)
{
	const struct vgpu_transport_ops *ops =
		manager->transports[definition->transport];

	return ops ? ops->check(manager, definition->uuid, is_new, err) : 0;
}

static inline int vgpu_transport_prepare(struct vgpu_instance *instance,
					 struct vgpu_err *err)
{
	const struct vgpu_transport_ops *ops = vgpu_transport_of(instance);

	return ops ? ops->prepare(instance, err) : 0;
}

/* What a vGPU that has been served has on the host was removed by others. */
static inline bool vgpu_transport_is_gone(const struct vgpu_instance *instance)
{
	const struct vgpu_transport_ops *ops = vgpu_transport_of(instance);

	return ops && instance->has_host_device && !ops->is_there(instance);
}

static inline int vgpu_transport_release(struct vgpu_instance *instance,
					 struct vgpu_err *err)
{
	const struct vgpu_transport_ops *ops = vgpu_transport_of(instance);

	return ops && instance->has_host_device ? ops->release(instance, err) : 0;
}

/* What others made of the vGPU's uuid stays. */
static inline void vgpu_transport_remove(struct vgpu_instance *instance)
{
	const struct vgpu_transport_ops *ops = vgpu_transport_of(instance);
	struct vgpu_err err = {};

	if (ops && instance->has_host_device && ops->remove(instance, &err) < 0)
		vgpu_instance_log(instance, "%s", err.text);
}

#endif
