/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The runtime of the generated decoder of gfxstream, beside that of all (decoder.h). */
#ifndef VGPU_RENDER_WIRE_GFXSTREAM_H
#define VGPU_RENDER_WIRE_GFXSTREAM_H

#include "render/wire/decoder.h"

/* A packet: its command's number and its bytes, these included. */
#define VGPU_GFX_HEADER_BYTES 8U

/*
 * Carry out one packet's command; its parameters are all of [d->at, d->end).
 * With d->recorded set it is one that is recorded in that command buffer,
 * without one any other. False once it is fatal.
 */
bool vgpu_gfx_dispatch(struct vgpu_decoder *d, uint32_t number);
/* Its place in the table of commands, or UINT32_MAX. */
uint32_t vgpu_gfx_find(uint32_t number);
/* The name of the command at that place; NULL if there is none. */
const char *vgpu_gfx_command_name(uint32_t place);
/*
 * Carry out recorded commands, a sequence of packets that are all of
 * [d->at, d->end).
 */
void vgpu_gfx_record(struct vgpu_decoder *d, struct vgpu_object *command_buffer);

/* The rest is for generated code. */

static inline uint32_t vgpu_get_be32(const uint8_t *at)
{
	return __builtin_bswap32(vgpu_get_u32(at));
}

static inline uint64_t vgpu_get_be64(const uint8_t *at)
{
	return __builtin_bswap64(vgpu_get_u64(at));
}

/* Read whether a pointer is not NULL. */
static inline bool vgpu_gfx_pointer(struct vgpu_decoder *d)
{
	return vgpu_get_u64(vgpu_decoder_take(d, 8)) != 0;
}

/* Check that @n elements of at least @wire_bytes can follow; 0 if not. */
uint64_t vgpu_gfx_count(struct vgpu_decoder *d, uint64_t n, size_t wire_bytes);
void vgpu_gfx_skip(struct vgpu_decoder *d, uint64_t bytes);
const char *vgpu_gfx_string(struct vgpu_decoder *d);
const char *const *vgpu_gfx_strings(struct vgpu_decoder *d, uint64_t n);
void *vgpu_gfx_chain(struct vgpu_decoder *d, const struct vgpu_chain *chain);
void *vgpu_gfx_shape_chain(struct vgpu_decoder *d,
			   const struct vgpu_chain *chain);
const uint64_t *vgpu_gfx_new_ids(struct vgpu_decoder *d, uint64_t n);

/* Which of the arrays of a VkWriteDescriptorSet count for a type. */
bool vgpu_gfx_has_images(VkDescriptorType type);
bool vgpu_gfx_has_buffers(VkDescriptorType type);
bool vgpu_gfx_has_views(VkDescriptorType type);

void vgpu_gfx_put(struct vgpu_decoder *d, const void *data, uint64_t bytes);
void vgpu_gfx_reply_chain(struct vgpu_decoder *d,
			  const struct vgpu_chain *chain, const void *first);

static inline void vgpu_gfx_put_u32(struct vgpu_decoder *d, uint32_t value)
{
	vgpu_gfx_put(d, &value, sizeof(value));
}

static inline void vgpu_gfx_put_u64(struct vgpu_decoder *d, uint64_t value)
{
	vgpu_gfx_put(d, &value, sizeof(value));
}

static inline void vgpu_gfx_put_be64(struct vgpu_decoder *d, uint64_t value)
{
	vgpu_gfx_put_u64(d, __builtin_bswap64(value));
}

#endif
