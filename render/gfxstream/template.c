/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Descriptor update templates. gfxstream's guest driver sends what a program's
 * template picked, one array for each kind of descriptor, and the template's
 * entry of each element.
 */
#include "render/vulkan/context.h"

#include <stdlib.h>
#include <string.h>

#include "gfxstream_calls.h"
#include "render/wire/gfxstream.h"

/*
 * What a template object's priv is. Commands of this wire come one after the
 * other, so that nothing uses one that is being destroyed.
 */
struct template
{
	uint32_t n;
	VkDescriptorUpdateTemplateEntry entry[];
};

void vgpu_handle_CreateDescriptorUpdateTemplate(
	struct vgpu_decoder *d,
	struct vgpu_args_CreateDescriptorUpdateTemplate *args)
{
	const VkDescriptorUpdateTemplateCreateInfo *info = args->pCreateInfo;
	uint32_t n = info->descriptorUpdateEntryCount;
	struct template *template;

	vgpu_default_CreateDescriptorUpdateTemplate(d, args);
	if (!vgpu_context_of(d)->is_gfxstream || d->fatal ||
	    args->ret != VK_SUCCESS)
		return;
	template = malloc(sizeof(*template) + n * sizeof(template->entry[0]));
	if (!template) {
		vgpu_decoder_fail(d, "no memory for a template");
		return;
	}
	template->n = n;
	if (n)
		memcpy(template->entry, info->pDescriptorUpdateEntries,
		       n * sizeof(template->entry[0]));
	args->new_pDescriptorUpdateTemplate[0]->priv = template;
}

/* What is written, so far. */
struct writes {
	const struct template *template;
	VkDescriptorSet set;
	VkWriteDescriptorSet *write;
	uint32_t n;
};

static bool has_kind(VkDescriptorType type, VkDescriptorType kind)
{
	switch (kind) {
	case VK_DESCRIPTOR_TYPE_SAMPLER:
		return vgpu_gfx_has_images(type);
	case VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER:
		return vgpu_gfx_has_buffers(type);
	default:
		return vgpu_gfx_has_views(type);
	}
}

/*
 * The next write: of elements from @i on, of @n, that are of the same entry.
 * NULL, with the error set, if the template has no such entry. *ret_next: the
 * element behind them.
 */
static VkWriteDescriptorSet *
add_write(struct vgpu_decoder *d, struct writes *writes, VkDescriptorType kind,
	  const uint32_t *entries, uint32_t i, uint32_t n, uint32_t *ret_next)
{
	const VkDescriptorUpdateTemplateEntry *entry;
	VkWriteDescriptorSet *write = &writes->write[writes->n];
	uint32_t count = 0;

	if (entries[i] >= writes->template->n) {
		vgpu_decoder_fail(d, "no such entry of a template");
		return NULL;
	}
	entry = &writes->template->entry[entries[i]];
	while (i + count < n && entries[i + count] == entries[i])
		count++;
	if (count > entry->descriptorCount ||
	    !has_kind(entry->descriptorType, kind)) {
		vgpu_decoder_fail(d, "another entry of a template");
		return NULL;
	}
	writes->n++;
	*write = (VkWriteDescriptorSet){
		.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
		.dstSet = writes->set,
		.dstBinding = entry->dstBinding,
		.dstArrayElement = entry->dstArrayElement,
		.descriptorCount = count,
		.descriptorType = entry->descriptorType,
	};
	*ret_next = i + count;
	return write;
}

/* Inline uniform blocks: their bytes lie one behind the other. */
static void add_blocks(struct vgpu_decoder *d, struct writes *writes,
		       const uint8_t *data, uint32_t bytes)
{
	uint32_t at = 0;

	for (uint32_t i = 0; i < writes->template->n && at < bytes; i++) {
		const VkDescriptorUpdateTemplateEntry *entry =
			&writes->template->entry[i];
		VkWriteDescriptorSetInlineUniformBlock *block;

		if (entry->descriptorType !=
		    VK_DESCRIPTOR_TYPE_INLINE_UNIFORM_BLOCK)
			continue;
		block = vgpu_decoder_alloc(d, 1, sizeof(*block));
		if (!block || entry->descriptorCount > bytes - at) {
			vgpu_decoder_fail(d, "part of an inline uniform block");
			return;
		}
		*block = (VkWriteDescriptorSetInlineUniformBlock){
			.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET_INLINE_UNIFORM_BLOCK,
			.dataSize = entry->descriptorCount,
			.pData = data + at,
		};
		writes->write[writes->n++] = (VkWriteDescriptorSet){
			.sType = VK_STRUCTURE_TYPE_WRITE_DESCRIPTOR_SET,
			.pNext = block,
			.dstSet = writes->set,
			.dstBinding = entry->dstBinding,
			.dstArrayElement = entry->dstArrayElement,
			.descriptorCount = entry->descriptorCount,
			.descriptorType = entry->descriptorType,
		};
		at += entry->descriptorCount;
	}
	if (at < bytes)
		vgpu_decoder_fail(d, "more than a template has");
}

void vgpu_handle_UpdateDescriptorSetWithTemplateSized2GOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_UpdateDescriptorSetWithTemplateSized2GOOGLE *args)
{
	struct writes writes = {
		.template = args->o_descriptorUpdateTemplate->priv,
		.set = args->descriptorSet,
	};
	uint64_t most = (uint64_t)args->imageInfoCount + args->bufferInfoCount +
			args->bufferViewCount;
	VkWriteDescriptorSet *write;

	if (!writes.template) {
		vgpu_decoder_fail(d, "no such template");
		return;
	}
	if ((args->imageInfoCount &&
	     (!args->pImageInfoEntryIndices || !args->pImageInfos)) ||
	    (args->bufferInfoCount &&
	     (!args->pBufferInfoEntryIndices || !args->pBufferInfos)) ||
	    (args->bufferViewCount &&
	     (!args->pBufferViewEntryIndices || !args->pBufferViews)) ||
	    (args->inlineUniformBlockCount && !args->pInlineUniformBlockData)) {
		vgpu_decoder_fail(d, "an array that is not there");
		return;
	}
	writes.write = vgpu_decoder_alloc(d, most + writes.template->n,
					  sizeof(*writes.write));
	for (uint32_t i = 0; i < args->imageInfoCount && !d->fatal;) {
		const VkDescriptorImageInfo *first = &args->pImageInfos[i];

		write = add_write(d, &writes, VK_DESCRIPTOR_TYPE_SAMPLER,
				  args->pImageInfoEntryIndices, i,
				  args->imageInfoCount, &i);
		if (write)
			write->pImageInfo = first;
	}
	for (uint32_t i = 0; i < args->bufferInfoCount && !d->fatal;) {
		const VkDescriptorBufferInfo *first = &args->pBufferInfos[i];

		write = add_write(d, &writes, VK_DESCRIPTOR_TYPE_UNIFORM_BUFFER,
				  args->pBufferInfoEntryIndices, i,
				  args->bufferInfoCount, &i);
		if (write)
			write->pBufferInfo = first;
	}
	for (uint32_t i = 0; i < args->bufferViewCount && !d->fatal;) {
		const VkBufferView *first = &args->pBufferViews[i];

		write = add_write(d, &writes,
				  VK_DESCRIPTOR_TYPE_UNIFORM_TEXEL_BUFFER,
				  args->pBufferViewEntryIndices, i,
				  args->bufferViewCount, &i);
		if (write)
			write->pTexelBufferView = first;
	}
	if (!d->fatal)
		add_blocks(d, &writes, args->pInlineUniformBlockData,
			   args->inlineUniformBlockCount);
	if (!d->fatal)
		args->o_device->vk->UpdateDescriptorSets(args->device, writes.n,
							 writes.write, 0, NULL);
}

void vgpu_handle_UpdateDescriptorSetWithTemplateSizedGOOGLE(
	struct vgpu_decoder *d,
	struct vgpu_args_UpdateDescriptorSetWithTemplateSizedGOOGLE *args)
{
	struct vgpu_args_UpdateDescriptorSetWithTemplateSized2GOOGLE more = {
		.device = args->device,
		.o_device = args->o_device,
		.descriptorSet = args->descriptorSet,
		.o_descriptorSet = args->o_descriptorSet,
		.descriptorUpdateTemplate = args->descriptorUpdateTemplate,
		.o_descriptorUpdateTemplate = args->o_descriptorUpdateTemplate,
		.imageInfoCount = args->imageInfoCount,
		.bufferInfoCount = args->bufferInfoCount,
		.bufferViewCount = args->bufferViewCount,
		.pImageInfoEntryIndices = args->pImageInfoEntryIndices,
		.pBufferInfoEntryIndices = args->pBufferInfoEntryIndices,
		.pBufferViewEntryIndices = args->pBufferViewEntryIndices,
		.pImageInfos = args->pImageInfos,
		.pBufferInfos = args->pBufferInfos,
		.pBufferViews = args->pBufferViews,
	};

	vgpu_handle_UpdateDescriptorSetWithTemplateSized2GOOGLE(d, &more);
}
