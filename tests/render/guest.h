/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a test guest encodes commands with, and makes up their values. */
#ifndef VGPU_TESTS_RENDER_GUEST_H
#define VGPU_TESTS_RENDER_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <vulkan/vulkan_core.h>

/* A handle of the null driver is the guest's id with these bits turned. */
#define GUEST_HANDLE_XOR 0x5a5a000000000000u

/* What a word on the wire is, and so how it can be wrong. */
enum vgpu_site {
	VGPU_SITE_VALUE, /* anything is right */
	VGPU_SITE_COMMAND,
	VGPU_SITE_LENGTH, /* a member that counts an array */
	VGPU_SITE_COUNT,
	VGPU_SITE_POINTER,
	VGPU_SITE_CHAIN,
	VGPU_SITE_STYPE,
	VGPU_SITE_ID,
	VGPU_SITE_NEW_ID,
	VGPU_SITE_ENUM,
	VGPU_SITE_LAX, /* an enum that is often ignored */
	VGPU_SITE_TAG,
	VGPU_SITE_STRING,
};

struct vgpu_encoder {
	uint8_t *start, *at, *end;
	bool is_full;
	uint64_t handle_xor;
	/* Site number @broken becomes @broken_value; -1 for none. */
	int64_t n_sites, broken;
	uint64_t broken_value;
	/* What that site was. */
	enum vgpu_site broken_site;
	uint64_t original;
	bool is_null_broken; /* ids: a zero may be right */
};

void vgpu_put_u32(struct vgpu_encoder *e, enum vgpu_site site, uint32_t value);
void vgpu_put_u64(struct vgpu_encoder *e, enum vgpu_site site, uint64_t value);
void vgpu_put_float(struct vgpu_encoder *e, float value);
void vgpu_put_bytes(struct vgpu_encoder *e, const void *data, uint64_t bytes);
void vgpu_put_string(struct vgpu_encoder *e, const char *string);
void vgpu_put_pointer(struct vgpu_encoder *e, const void *pointer);
uint64_t vgpu_get_id(const struct vgpu_encoder *e, uint64_t handle);
void vgpu_put_id(struct vgpu_encoder *e, uint64_t handle, VkObjectType type);
void vgpu_put_chain(struct vgpu_encoder *e, const void *next,
		    void (*body)(struct vgpu_encoder *e,
				 const VkBaseInStructure *s));

struct vgpu_sampler {
	uint8_t *memory;
	size_t bytes, used;
	uint32_t value; /* the next one */
	uint64_t new_id, handle;
	bool is_sparse; /* leaves out what may be NULL */
	/* Which of the structs that fit go into chains, if any. */
	enum { CHAIN_NONE, CHAIN_ALL, CHAIN_ONE } chains;
	uint32_t chain_one, chain_depth;
	uint32_t chains_max; /* the most that a struct could have */
	/* The id of the object of this type. */
	uint64_t (*get_id)(VkObjectType type);
};

struct vgpu_sample_link {
	int32_t stype;
	size_t bytes;
	void (*body)(struct vgpu_sampler *s, void *p);
};

uint64_t vgpu_sample_value(struct vgpu_sampler *s);
int64_t vgpu_sample_pick(struct vgpu_sampler *s, int64_t a, int64_t b,
			 int64_t c, int64_t d);
uint64_t vgpu_sample_id(struct vgpu_sampler *s, VkObjectType type);
uint64_t vgpu_sample_new_id(struct vgpu_sampler *s);
uint64_t vgpu_sample_handle(struct vgpu_sampler *s);
bool vgpu_sample_has(struct vgpu_sampler *s);
void *vgpu_sample_alloc(struct vgpu_sampler *s, size_t bytes);
const char *vgpu_sample_string(struct vgpu_sampler *s);
void *vgpu_sample_chain(struct vgpu_sampler *s,
			const struct vgpu_sample_link *links, uint32_t n);

#endif
