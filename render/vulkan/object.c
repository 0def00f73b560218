/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Destruction of objects that have data of ours. */
#include "context.h"

#include <stdlib.h>

bool vgpu_object_end(struct vgpu_decoder *d, struct vgpu_object *object)
{
	struct vgpu_context *ctx = vgpu_context_of(d);

	switch (object->type) {
	case VK_OBJECT_TYPE_INSTANCE:
		/*
		 * Only a name for the driver's instance, which exists as long
		 * as this process.
		 */
		atomic_store(&ctx->has_instance, false);
		return true;
	case VK_OBJECT_TYPE_DEVICE:
		vgpu_vk_device_destroy(ctx, object->priv,
				       (VkDevice)(uintptr_t)object->handle);
		return true;
	case VK_OBJECT_TYPE_QUEUE:
		return true; /* it belongs to its device */
	case VK_OBJECT_TYPE_DESCRIPTOR_UPDATE_TEMPLATE:
		free(object->priv);
		object->priv = NULL;
		return false;
	case VK_OBJECT_TYPE_DEVICE_MEMORY:
		vgpu_memory_end(ctx, object);
		return true;
	default:
		return false;
	}
}
