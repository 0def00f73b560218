/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that lasts as long as one command. */
#ifndef VGPU_RENDER_WIRE_ARENA_H
#define VGPU_RENDER_WIRE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * Limit for all arenas of a process together, so that a context with many
 * streams takes no more memory than one with few. Only one command at a time
 * can use nearly all of it.
 */
#define VGPU_ARENAS_BYTES_MAX ((size_t)72 * 1024 * 1024)

struct vgpu_arena_chunk;

/* Initialised by vgpu_arena_init(); used by one thread. */
struct vgpu_arena {
	uint8_t *at, *end; /* free part of the newest chunk */
	struct vgpu_arena_chunk *chunk;
	size_t used_bytes, max_bytes; /* of all chunks */
};

/* A position to which an arena can be reset. */
struct vgpu_arena_mark {
	struct vgpu_arena_chunk *chunk;
	uint8_t *at;
};

/* It never holds more than @max_bytes. Nothing is allocated yet. */
void vgpu_arena_init(struct vgpu_arena *arena, size_t max_bytes);
void vgpu_arena_finish(struct vgpu_arena *arena); /* may be zeroed */

/*
 * Allocate from a new chunk; called by vgpu_arena_alloc(). NULL beyond the
 * limit.
 */
void *vgpu_arena_grow(struct vgpu_arena *arena, size_t bytes);
/* Free the chunks allocated since @mark, except the first. */
void vgpu_arena_shrink(struct vgpu_arena *arena, struct vgpu_arena_mark mark);

/* Aligned to 8 bytes, not zeroed. NULL beyond the limit. */
static inline void *vgpu_arena_alloc(struct vgpu_arena *arena, size_t bytes)
{
	size_t left = (size_t)(arena->end - arena->at);
	uint8_t *at = arena->at;

	if (__builtin_expect(bytes > left, 0))
		return vgpu_arena_grow(arena, bytes);
	/* Chunks end at a multiple of 8. */
	arena->at = at + ((bytes + 7) & ~(size_t)7);
	return at;
}

static inline struct vgpu_arena_mark vgpu_arena_get_mark(struct vgpu_arena *arena)
{
	return (struct vgpu_arena_mark){arena->chunk, arena->at};
}

/* Free all that was allocated since @mark. */
static inline void vgpu_arena_reset(struct vgpu_arena *arena,
				    struct vgpu_arena_mark mark)
{
	if (__builtin_expect(arena->chunk != mark.chunk, 0))
		vgpu_arena_shrink(arena, mark);
	else
		arena->at = mark.at;
}

#endif
