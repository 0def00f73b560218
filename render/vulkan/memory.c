/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * VkDeviceMemory of the vGPU's framebuffer: what the guest may map is a file
 * that the device process gives us, imported into the driver (see
 * vulkan/import.h), so that nothing of the driver's is needed to show it to the
 * guest. What it cannot map is the driver's, and charged to the framebuffer all
 * the same.
 */
#include "image_copy.h"
#include "recording.h"

#include <string.h>
#include <sys/mman.h>

#define PAGE_BYTES 4096u

struct vgpu_memory {
	uint64_t name; /* between us and the device */
	uint64_t bytes;
	bool is_charge;			/* the bytes are the driver's */
	uint8_t *map;			/* imported as a host pointer */
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
	if (stream->ctx->host.import == VGPU_IMPORT_UDMABUF)
		message->flags |= VGPU_RENDER_FLAG_DMABUF;
	if (stream->ctx->replay) {
		vgpu_replay_ask(stream, message, ret_fd);
		return;
	}
	vgpu_channel_ask(stream->ctx, message, ret_fd);
	vgpu_record_answer(stream, message, *ret_fd);
}

/* *ret_fd: what is to be imported, if it is no host pointer. NULL past the quota. */
static struct vgpu_memory *memory_alloc(struct vgpu_stream *stream,
					uint64_t bytes, bool is_charge,
					int *ret_fd)
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
	memory->is_charge = is_charge;
	if (is_charge)
		return memory;
	if (ctx->host.import != VGPU_IMPORT_HOST_POINTER) {
		*ret_fd = vgpu_steal_fd(&fd);
		return memory;
	}
	map = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED) {
		memory_free(ctx, memory);
		return NULL;
	}
	memory->map = map;
	return memory;
}

/*
 * Take structures that are between the guest and us out of a chain, and what
 * imported memory may not have. Returns the resource to import, or NULL.
 */
static const VkImportMemoryResourceInfoMESA *
clean_chain(VkMemoryAllocateInfo *info, bool is_drivers)
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
			s->pNext = s->pNext->pNext;
			break;
		case VK_STRUCTURE_TYPE_MEMORY_DEDICATED_ALLOCATE_INFO:
			/* VUID-VkMemoryAllocateInfo-pNext-02806: no host memory. */
			if (is_drivers)
				s = s->pNext;
			else
				s->pNext = s->pNext->pNext;
			break;
		default:
			s = s->pNext;
		}
	}
	return import;
}

/*
 * The device memory of a resource, to be imported: where it is mapped, or an fd
 * in *ret_fd, as the driver takes it. False if there is none. A guest names all
 * that it maps itself, and hardly ever imports it: it is opened for that.
 */
static bool open_resource(struct vgpu_stream *stream,
			  struct vgpu_resource *resource, uint8_t **ret_map,
			  int *ret_fd)
{
	const struct vgpu_host *host = &stream->ctx->host;
	struct vgpu_render_message message = {
		.type = VGPU_RENDER_OPEN,
		.resource_id = resource->id,
		.bytes = resource->bytes,
	};
	vgpu_autoclose int fd = -1;
	void *at;

	if (!resource->is_memory)
		return false;
	*ret_map = vgpu_resource_get_map(stream->ctx, resource);
	if (*ret_map)
		return true;
	ask(stream, &message, &fd);
	if (message.status || message.bytes != resource->bytes)
		return false;
	if (host->import != VGPU_IMPORT_HOST_POINTER) {
		*ret_fd = vgpu_steal_fd(&fd);
		return true;
	}
	at = mmap(NULL, resource->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd,
		  0);
	if (at == MAP_FAILED)
		return false;
	*ret_map = vgpu_resource_put_map(stream->ctx, resource, at);
	return true;
}

static struct vgpu_memory *
memory_of_resource(struct vgpu_stream *stream,
		   const VkImportMemoryResourceInfoMESA *import, uint64_t bytes,
		   int *ret_fd)
{
	struct vgpu_resource *resource =
		vgpu_resource_get(stream->ctx, import->resourceId);
	struct vgpu_memory *memory = NULL;
	uint8_t *map = NULL;

	if (resource && bytes <= resource->bytes &&
	    open_resource(stream, resource, &map, ret_fd))
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

/*
 * The framebuffer bytes for an allocation, or NULL with the VkResult. *ret_fd:
 * see memory_alloc().
 */
static struct vgpu_memory *memory_for(struct vgpu_stream *stream,
				      VkMemoryAllocateInfo *info, int *ret_fd,
				      VkResult *ret)
{
	struct vgpu_context *ctx = stream->ctx;
	const VkPhysicalDeviceMemoryProperties *types = &ctx->host.view.guest;
	const VkImportMemoryResourceInfoMESA *import;
	struct vgpu_memory *memory;
	uint64_t bytes = info->allocationSize;
	bool is_drivers;

	if (info->memoryTypeIndex >= types->memoryTypeCount) {
		*ret = VK_ERROR_UNKNOWN;
		return NULL;
	}
	is_drivers = !(types->memoryTypes[info->memoryTypeIndex].propertyFlags &
		       VK_MEMORY_PROPERTY_HOST_VISIBLE_BIT);
	import = clean_chain(info, is_drivers);
	*ret = VK_ERROR_OUT_OF_DEVICE_MEMORY;
	if (bytes == 0 || bytes > ctx->framebuffer_bytes)
		return NULL;
	bytes = vgpu_align_up(bytes, PAGE_BYTES);
	if (import) {
		memory = memory_of_resource(stream, import, bytes, ret_fd);
		if (!memory)
			*ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
		return memory;
	}
	return memory_alloc(stream, bytes, is_drivers, ret_fd);
}

static VkExternalMemoryHandleTypeFlagBits handle_type(const struct vgpu_host *host)
{
	return host->import == VGPU_IMPORT_UDMABUF
		       ? VK_EXTERNAL_MEMORY_HANDLE_TYPE_DMA_BUF_BIT_EXT
		       : VK_EXTERNAL_MEMORY_HANDLE_TYPE_HOST_ALLOCATION_BIT_EXT;
}

void vgpu_handle_AllocateMemory(struct vgpu_decoder *d,
				struct vgpu_args_AllocateMemory *args)
{
	const struct vgpu_host *host = &vgpu_context_of(d)->host;
	VkImportMemoryHostPointerInfoEXT pointer = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_HOST_POINTER_INFO_EXT,
		.handleType = handle_type(host),
	};
	VkImportMemoryFdInfoKHR file = {
		.sType = VK_STRUCTURE_TYPE_IMPORT_MEMORY_FD_INFO_KHR,
		.handleType = handle_type(host),
		.fd = -1,
	};
	VkMemoryAllocateInfo info = *args->pAllocateInfo;
	struct vgpu_stream *stream = vgpu_stream_of(d);
	struct vgpu_memory *memory;

	memory = memory_for(stream, &info, &file.fd, &args->ret);
	if (!memory) {
		vgpu_close(file.fd);
		return;
	}
	info.memoryTypeIndex = host->view.real[info.memoryTypeIndex];
	/* The driver's own is not rounded up: an image's has the size it asks. */
	if (!memory->is_charge)
		info.allocationSize = memory->bytes;
	if (memory->map) {
		pointer.pNext = info.pNext;
		pointer.pHostPointer = memory->map;
		info.pNext = &pointer;
	} else if (file.fd >= 0) {
		file.pNext = info.pNext;
		info.pNext = &file;
	}
	args->ret = args->o_device->vk->AllocateMemory(args->device, &info,
						       NULL, args->pMemory);
	if (args->ret == VK_SUCCESS) {
		/* The fd is the driver's now. */
		args->new_pMemory[0]->priv = memory;
		return;
	}
	vgpu_close(file.fd);
	memory_free(stream->ctx, memory);
}

/* Take out what the guest says of kinds of memory that it is not offered. */
static const void *without(const void *chain, VkStructureType type)
{
	VkBaseOutStructure first = {.pNext = (VkBaseOutStructure *)chain};
	VkBaseOutStructure *s = &first;

	while (s->pNext) {
		if (s->pNext->sType == type)
			s->pNext = s->pNext->pNext;
		else
			s = s->pNext;
	}
	return first.pNext;
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

/*
 * What is bound to imported memory has to say so when it is made. The guest
 * knows nothing of that.
 */
void vgpu_handle_CreateBuffer(struct vgpu_decoder *d,
			      struct vgpu_args_CreateBuffer *args)
{
	VkExternalMemoryBufferCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_BUFFER_CREATE_INFO,
		.handleTypes = handle_type(&vgpu_context_of(d)->host),
	};
	/* The decoder's own copy. */
	VkBufferCreateInfo *info = (VkBufferCreateInfo *)args->pCreateInfo;

	if (!check_sharing(d, info->sharingMode, &info->queueFamilyIndexCount,
			   info->pQueueFamilyIndices))
		return;
	external.pNext = without(info->pNext, external.sType);
	info->pNext = &external;
	vgpu_default_CreateBuffer(d, args);
}

/*
 * Drivers of hardware lay an image out for those that it is shared with, or
 * have none such: as dma-bufs they are for a modifier, and what is on the GPU
 * is not imported.
 */
static bool is_image_external(const struct vgpu_host *host,
			      const VkImageCreateInfo *info)
{
	/*
	 * Vulkan has no image that is both imported and preinitialized: then
	 * what the guest has written counts more than the letter
	 * (VUID-VkImageCreateInfo-pNext-01443 against
	 * VUID-VkBindImageMemoryInfo-memory-02989).
	 */
	if (info->initialLayout == VK_IMAGE_LAYOUT_PREINITIALIZED)
		return false;
	return host->import == VGPU_IMPORT_HOST_POINTER &&
	       (host->is_software || info->tiling == VK_IMAGE_TILING_LINEAR);
}

void vgpu_handle_CreateImage(struct vgpu_decoder *d,
			     struct vgpu_args_CreateImage *args)
{
	const struct vgpu_host *host = &vgpu_context_of(d)->host;
	VkExternalMemoryImageCreateInfo external = {
		.sType = VK_STRUCTURE_TYPE_EXTERNAL_MEMORY_IMAGE_CREATE_INFO,
		.handleTypes = handle_type(host),
	};
	/* The decoder's own copy. */
	VkImageCreateInfo *info = (VkImageCreateInfo *)args->pCreateInfo;

	if (!check_sharing(d, info->sharingMode, &info->queueFamilyIndexCount,
			   info->pQueueFamilyIndices))
		return;
	info->pNext = without(info->pNext, external.sType);
	if (is_image_external(host, info)) {
		external.pNext = info->pNext;
		info->pNext = &external;
	}
	vgpu_default_CreateImage(d, args);
	if (!d->fatal && args->ret == VK_SUCCESS)
		vgpu_image_copy_note(args->new_pImage[0], info);
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
	is_there = memory && !memory->is_charge && !memory->resource &&
		   bytes <= memory->bytes;
	if (is_there) {
		*ret_name = memory->name;
		*ret_bytes = memory->bytes;
	}
	pthread_mutex_unlock(&ctx->memory_lock);
	return is_there;
}

/* What the driver says that a resource's memory could be imported as. */
static VkResult ask_types(const struct vgpu_vk *vk, VkDevice device,
			  const struct vgpu_host *host, const uint8_t *map,
			  int fd, uint32_t *ret_types)
{
	VkMemoryHostPointerPropertiesEXT pointer = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_HOST_POINTER_PROPERTIES_EXT,
	};
	VkMemoryFdPropertiesKHR file = {
		.sType = VK_STRUCTURE_TYPE_MEMORY_FD_PROPERTIES_KHR,
	};
	VkResult result;

	if (map) {
		result = vk->GetMemoryHostPointerPropertiesEXT(
			device, handle_type(host), map, &pointer);
		*ret_types = pointer.memoryTypeBits;
	} else {
		result = vk->GetMemoryFdPropertiesKHR(device, handle_type(host),
						      fd, &file);
		*ret_types = file.memoryTypeBits;
	}
	return result;
}

void vgpu_handle_GetMemoryResourcePropertiesMESA(
	struct vgpu_decoder *d,
	struct vgpu_args_GetMemoryResourcePropertiesMESA *args)
{
	struct vgpu_context *ctx = vgpu_context_of(d);
	VkMemoryResourcePropertiesMESA *out = args->pMemoryResourceProperties;
	struct vgpu_resource *resource = vgpu_resource_get(ctx, args->resourceId);
	vgpu_autoclose int fd = -1;
	uint8_t *map = NULL;
	uint32_t types = 0;
	VkBaseOutStructure *s;

	if (!resource) {
		vgpu_decoder_fail(d, "no such resource");
		return;
	}
	args->ret = VK_ERROR_INVALID_EXTERNAL_HANDLE;
	if (open_resource(vgpu_stream_of(d), resource, &map, &fd))
		args->ret = ask_types(args->o_device->vk, args->device,
				      &ctx->host, map, fd, &types);
	if (args->ret == VK_SUCCESS) {
		out->memoryTypeBits =
			vgpu_memory_view_bits(&ctx->host.view, types);
		for (s = out->pNext; s; s = s->pNext)
			if ((uint32_t)s->sType ==
			    VK_STRUCTURE_TYPE_MEMORY_RESOURCE_ALLOCATION_SIZE_PROPERTIES_MESA)
				((VkMemoryResourceAllocationSizePropertiesMESA *)s)
					->allocationSize = resource->bytes;
	}
	vgpu_resource_put(resource);
}
