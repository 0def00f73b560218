/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VkDeviceMemory of the vGPU's framebuffer: what the guest may map is a file
 * that the device process gives us, imported into the driver as host memory
 * (VK_EXT_external_memory_host), so that neither a dma-buf nor a render node is
 * needed to show it to the guest. What it cannot map is the driver's, and
 * charged to the framebuffer all the same.
 */
#include "recording.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

struct vgpu_memory {
	uint64_t name; /* between us and the device */
	uint64_t bytes;
	uint8_t *map;			/* NULL: the bytes are the driver's */
	struct vgpu_resource *resource; /* whose they are; NULL: ours */
};

static void memory_free(struct vgpu_context *ctx, struct vgpu_memory *memory)
{
	if (!memory)
		return;
	if (memory->resource) {
		vgpu_resource_put(memory->resource);
		free(memory);
		return;
	}
	if (memory->map)
		munmap(memory->map, memory->bytes);
	if (!ctx->replay) {
		struct vgpu_render_message message = {
			.type = VGPU_RENDER_FREE,
			.offset = memory->name,
		};
		int fd;

		vgpu_channel_ask(ctx, &message, &fd);
		vgpu_close(fd);
	}
	free(memory);
}

static void ask(struct vgpu_stream *stream, struct vgpu_render_message *message,
		int *ret_fd)
{
	if (stream->ctx->replay) {
		vgpu_replay_ask(stream, message, ret_fd);
		return;
	}
	vgpu_channel_ask(stream->ctx, message, ret_fd);
	vgpu_record_answer(stream, message, *ret_fd);
}

/* NULL past the quota. */
static struct vgpu_memory *memory_alloc(struct vgpu_stream *stream,
					uint64_t bytes, bool is_charge)
{
	struct vgpu_context *ctx = stream->ctx;
	struct vgpu_render_message message = {
		.type = VGPU_RENDER_ALLOC,
		.bytes = bytes,
		.flags = is_charge ? VGPU_RENDER_FLAG_CHARGE : 0,
	};
	vgpu_autoclose int fd = -1;
	struct vgpu_memory *memory;
	void *map;

	memory = calloc(1, sizeof(*memory));
	if (!memory)
		return NULL;
	ask(stream, &message, &fd);
	if (message.status) {
		free(memory);
		return NULL;
	}
	memory->name = message.offset;
	memory->bytes = bytes;
	if (is_charge)
		return memory;
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		memory_free(ctx, memory);
		return NULL;
	}
	memory->map = map;
	return memory;
}

/*
 * Take structures that are between the guest and us out of a chain. Returns
 * the resource to import, or NULL.
 */
static const VkImportMemoryResourceInfoMESA *clean_chain(VkMemoryAllocateInfo *info)
{
	const VkImportMemoryResourceInfoMESA *import = NULL;
	VkBaseOutStructure *s = (VkBaseOutStructure *)info;

	while (s->pNext) {
		switch ((uint32_t)s->pNext->sType) {
		case VK_STRUCTURE_TYPE_IMPORT_MEMORY_RESOURCE_INFO_MESA:
			import = (const void *)s->pNext;
			s->pNext = s->pNext->pNext;
			break;
		case VK_STRUCTURE_TYPE_EXPORT_MEMORY_ALLOCATE_INFO:
		/* Not for host memory: VUID-VkMemoryAllocateInfo-pNext-02806. */
		case VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO:
			s->pNext = s->pNext->pNext;
			break;
		default:
			s = s->pNext;
		}
	}
	return import;
}

/*
 * Where the device memory of a resource is mapped, or NULL. A guest names all
 * that it maps itself, and hardly ever imports it: it is opened for that.
 */
static uint8_t *map_resource(struct vgpu_stream *stream,
			     struct vgpu_resource *resource)
{
	struct vgpu_render_message message = {
		.type = VGPU_RENDER_OPEN,
		.resource_id = resource->id,
		.bytes = resource->bytes,
	};
	vgpu_autoclose int fd = -1;
	uint8_t *map;
	void *at;

	if (!resource->is_memory)
		return NULL;
	map = vgpu_resource_get_map(stream->ctx, resource);
	if (map)
		return map;
	ask(stream, &message, &fd);
	if (message.status || message.bytes != resource->bytes)
		return NULL;
	at = mmap(NULL, resource->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	return at == MAP_FAILED
		       ? NULL
		       : vgpu_resource_put_map(stream->ctx, resource, at);
}

static struct vgpu_memory *
memory_of_resource(struct vgpu_stream *stream,
		   const VkImportMemoryResourceInfoMESA *import, uint64_t bytes)
{
	struct vgpu_resource *resource =
		vgpu_resource_get(stream->ctx, import->resourceId);
	struct vgpu_memory *memory = NULL;
	uint8_t *map = NULL;

	if (resource && bytes <= resource->bytes)
		map = map_resource(stream, resource);
	if (map)
		memory = calloc(1, sizeof(*memory));
	if (!memory) {
		vgpu_resource_put(resource);
		return NULL;
	}
	memory->resource = resource;
	memory->bytes = bytes;
	memory->map = map;
	return memory;
}

/* The framebuffer bytes for an allocation, or NULL with the VkResult. */
static struct vgpu_memory *memory_for(struct vgpu_stream *stream,
				      VkMemoryAllocateInfo *info, VkResult *ret)
{
	struct vgpu_context *ctx = stream->ctx;
	const VkImportMemoryResourceInfoMESA *import = clean_chain(info);
	const struct vgpu_host *host = &ctx->host;
	VkMemoryPropertyFlags flags;
	struct vgpu_memory *memory;
	uint64_t bytes = info->allocationSize;

	*ret = VK_ERROR_OUT_OF_DEVICE_MEMORY;
	if (info->memoryTypeIndex >= host->memory.memoryTypeCount) {
		*ret = VK_ERROR_UNKNOWN;
		return NULL;
	}
	if (bytes == 0 || bytes > ctx->framebuffer_bytes)
		return NULL;
	bytes = vgpu_align_up(bytes, PAGE_BYTES);
	if (import) {
		memory = memory_of_resource(stream, import, bytes);
		if (!memory)
			*ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
		return memory;
	}
	flags = host->memory.memoryTypes[info->memoryTypeIndex].propertyFlags;
	return memory_alloc(stream, bytes,
			    !(flags & VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT));
}

void vgpu_handle_AllocateMemory(struct vgpu_decoder *d,
				struct vgpu_args_AllocateMemory *args)
{
	VkImportMemoryHostPointerInfoEXT import = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
		.handleType =
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
	};
	VkMemoryAllocateInfo info = *args->pAllocateInfo;
	struct vgpu_stream *stream = vgpu_stream_of(d);
	struct vgpu_memory *memory;

	memory = memory_for(stream, &info, &args->ret);
	if (!memory)
		return;
	info.allocationSize = memory->bytes;
	if (memory->map) {
		import.pNext = info.pNext;
		import.pHostPointer = memory->map;
		info.pNext = &import;
	}
	args->ret = args->o_device->vk->AllocateMemory(args->device, &info,
						       NULL, args->pMemory);
	if (args->ret == VK_SUCCESS)
		args->new_pMemory[0]->priv = memory;
	else
		memory_free(stream->ctx, memory);
}

/*
 * What is bound to imported memory has to say so when it is made. The guest
 * knows nothing of that: @ours goes before its chain, and what it says itself
 * of kinds of memory that it is not offered goes. Returns the new chain.
 */
static const void *external_chain(const void *chain, VkStructureType type,
				  VkBaseOutStructure *ours)
{
	VkBaseOutStructure *s = ours;

	ours->sType = type;
	ours->pNext = (VkBaseOutStructure *)chain;
	while (s->pNext) {
		if (s->pNext->sType == type)
			s->pNext = s->pNext->pNext;
		else
			s = s->pNext;
	}
	return ours;
}

/* Who does not share may have left anything there. */
static bool check_sharing(struct vgpu_decoder *d, VkSharingMode mode,
			  uint32_t *n, const uint32_t *families)
{
	if (mode != VK_SHARING_MODE_CONCURRENT)
		*n = 0;
	if (vgpu_host_has_families(&vgpu_context_of(d)->host, families, *n))
		return true;
	vgpu_decoder_fail(d, "no such queue family");
	return false;
}

void vgpu_handle_CreateBuffer(struct vgpu_decoder *d,
			      struct vgpu_args_CreateBuffer *args)
{
	VkExternalMemoryBufferCreateInfo external = {
		.handleTypes =
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
	};
	/* The decoder's own copy. */
	VkBufferCreateInfo *info = (VkBufferCreateInfo *)args->pCreateInfo;

	if (!check_sharing(d, info->sharingMode, &info->queueFamilyIndexCount,
			   info->pQueueFamilyIndices))
		return;
	info->pNext = external_chain(
		info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
		(VkBaseOutStructure *)&external);
	vgpu_default_CreateBuffer(d, args);
}

void vgpu_handle_CreateImage(struct vgpu_decoder *d,
			     struct vgpu_args_CreateImage *args)
{
	VkExternalMemoryImageCreateInfo external = {
		.handleTypes =
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
	};
	/* The decoder's own copy. */
	VkImageCreateInfo *info = (VkImageCreateInfo *)args->pCreateInfo;

	if (!check_sharing(d, info->sharingMode, &info->queueFamilyIndexCount,
			   info->pQueueFamilyIndices))
		return;
	/*
	 * Vulkan has no image that is both imported and preinitialized: then
	 * what the guest has written counts more than the letter
	 * (VUID-VkImageCreateInfo-pNext-01443 against
	 * VUID-VkBindImageMemoryInfo-memory-02989).
	 */
	if (info->initialLayout == VK_IMAGE_LAYOUT_PREINITIALIZED) {
		vgpu_default_CreateImage(d, args);
		return;
	}
	info->pNext = external_chain(
		info->pNext, VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
		(VkBaseOutStructure *)&external);
	vgpu_default_CreateImage(d, args);
}

void vgpu_memory_end(struct vgpu_context *ctx, struct vgpu_object *object)
{
	VkDevice device = (VkDevice)(uintptr_t)object->parent->handle;
	struct vgpu_memory *memory;

	pthread_mutex_lock(&ctx->memory_lock);
	memory = object->priv;
	object->priv = NULL;
	pthread_mutex_unlock(&ctx->memory_lock);
	object->vk->FreeMemory(device, (VkDeviceMemory)object->handle, NULL);
	memory_free(ctx, memory);
}

bool vgpu_memory_export(struct vgpu_context *ctx, uint64_t object_id,
			uint64_t bytes, uint64_t *ret_name, uint64_t *ret_bytes)
{
	struct vgpu_object *object = vgpu_objects_find(
		ctx->objects, object_id, VK_OBJECT_TYPE_DEVICE_MEMORY);
	const struct vgpu_memory *memory;
	bool is_there;

	pthread_mutex_lock(&ctx->memory_lock);
	memory = object ? object->priv : NULL;
	is_there = memory && memory->map && !memory->resource &&
		   bytes <= memory->bytes;
	if (is_there) {
		*ret_name = memory->name;
		*ret_bytes = memory->bytes;
	}
	pthread_mutex_unlock(&ctx->memory_lock);
	return is_there;
}

void vgpu_handle_GetMemoryResourcePropertiesMESA(
	struct vgpu_decoder *d,
	struct vgpu_args_GetMemoryResourcePropertiesMESA *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	VkMemoryResourcePropertiesMESA *out = args->pMemoryResourceProperties;
	VkMemoryHostPointerPropertiesEXT host = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
	};
	struct vgpu_resource *resource = vgpu_resource_get(ctx, args->resourceId);
	uint8_t *map;
	VkBaseOutStructure *s;

	if (!resource) {
		vgpu_decoder_fail(d, "no such resource");
		return;
	}
	args->ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
	map = map_resource(vgpu_stream_of(d), resource);
	if (map)
		args->ret = args->o_device->vk->GetMemoryHostPointerPropertiesEXT(
			args->device,
			VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT,
			map, &host);
	if (args->ret == VK_SUCCESS) {
		out->memoryTypeBits = host.memoryTypeBits;
		for (s = out->pNext; s; s = s->pNext)
			if ((uint32_t)s->sType ==
			    VK_STRUCTURE_TYPE_MEMORY_RESOURCE_ALLOCATION_SIZE_PROPERTIES_MESA)
				((VkMemoryResourceAllocationSizePropertiesMESA *)s)
					->allocationSize = resource->bytes;
	}
	vgpu_resource_put(resource);
}
