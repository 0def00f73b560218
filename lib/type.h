/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPU types: the properties of a vGPU, and the catalogue read from a file. */
#ifndef VGPU_LIB_TYPE_H
#define VGPU_LIB_TYPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "err.h"
#include "type_fields.h"

#define VGPU_TYPE_NAME_MAX	      16 /* bytes, with the terminating NUL */
#define VGPU_TYPES_MAX		      64
#define VGPU_HEADS_MAX		      16 /* virtio 1.3, 5.7.4: num_scanouts is 1 to 16 */
#define VGPU_DIMENSION_MAX	      8192 /* pixels; what an EDID of ours can describe */
#define VGPU_TYPE_WIDTH_MIN	      640 /* of a type with heads */
#define VGPU_TYPE_HEIGHT_MIN	      480
#define VGPU_TYPE_FRAMEBUFFER_MIB_MAX (1024 * 1024)
/* Shared memory of contexts and guest besides the framebuffer, in bytes. */
#define VGPU_SHARED_MEMORY_MAX	 (256ULL << 20)
#define VGPU_TYPE_FRAME_RATE_MAX 240
#define VGPU_TYPE_WEIGHT_MAX	 10000
/* The minimum is what one context of a software renderer needs. */
#define VGPU_TYPE_HOST_MEMORY_MIB_MIN	  128
#define VGPU_TYPE_HOST_MEMORY_MIB_MAX	  (1024 * 1024)
#define VGPU_TYPE_HOST_MEMORY_MIB_DEFAULT 512

struct vgpu_type {
	char name[VGPU_TYPE_NAME_MAX]; /* "4Q" */
	char series;		       /* 'Q', 'B', 'A' or 'C' */
#define VGPU_TYPE_MEMBER(member, ...) member
	uint32_t VGPU_TYPE_FIELDS(VGPU_TYPE_MEMBER);
#undef VGPU_TYPE_MEMBER
	/* Only for types that a kernel driver has, not a types file: */
	uint32_t id;		/* the driver's number of it, else 0 */
	uint32_t max_instances; /* on an empty GPU */
};

/* "4Q" is 4 GiB, "128MQ" is 128 MiB; no leading zeroes, one name a size. */
bool vgpu_type_parse_name(const char *name, char *ret_series, uint32_t *ret_mib);

/* Set what has a fallback and is 0 to that. */
void vgpu_type_fill_in(struct vgpu_type *type);
/* Whether none of its fields is more than a types file can say. */
bool vgpu_type_is_in_range(struct vgpu_type type);

/*
 * Size of the host-visible window for a framebuffer of so many bytes and the
 * shared memory: a power of two, for it is a PCI BAR.
 */
uint64_t vgpu_type_window(uint64_t framebuffer_bytes);

/* A catalogue: types sorted by series, then by framebuffer. */
struct vgpu_types;

/*
 * Read a types file (INI: one section a type, named as the type). @name is
 * what messages call the file. On failure returns -EINVAL and says file, line
 * and reason. The caller owns *ret_types.
 */
int vgpu_types_read(FILE *file, const char *name, struct vgpu_types **ret_types,
		    struct vgpu_err *err);
/* The same from a path; -errno if it cannot be read. */
int vgpu_types_load(const char *path, struct vgpu_types **ret_types,
		    struct vgpu_err *err);
void vgpu_types_destroy(struct vgpu_types *types); /* NULL is fine */

size_t vgpu_types_count(const struct vgpu_types *types);
/* @i below the count. Borrowed from the catalogue. */
const struct vgpu_type *vgpu_types_at(const struct vgpu_types *types, size_t i);
/* NULL if there is none. Borrowed from the catalogue. */
const struct vgpu_type *vgpu_types_find(const struct vgpu_types *types,
					const char *name);

#endif
