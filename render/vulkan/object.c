/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The end of objects that we keep something with. */
#include "context.h"

bool vgpu_object_end(struct vgpu_decoder *d, struct vgpu_object *object)
{
	struct vgpu_context *ctx = vgpu_context_of(d);

	switch (object->type) {
	case VK_OBJECT_TYPE_INSTANCE:
		/* A name for the driver's, which lives as long as we do. */
		atomic_store(&ctx->has_instance, false);
		return true;
	case VK_OBJECT_TYPE_DEVICE:
		vgpu_vk_device_destroy(ctx, object->priv,
				       (VkDevice)(uintptr_t)object->handle);
		return true;
	case VK_OBJECT_TYPE_QUEUE:
		return true; /* its device's */
	case VK_OBJECT_TYPE_DEVICE_MEMORY:
		vgpu_memory_end(ctx, object);
		return true;
	default:
		return false;
	}
}
