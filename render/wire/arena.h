/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that lasts as long as one command. */
#ifndef VGPU_RENDER_WIRE_ARENA_H
#define VGPU_RENDER_WIRE_ARENA_H

#include <stddef.h>
#include <stdint.h>

/*
 * What all arenas of a process hold together, so that a context with many
 * streams takes no more than one with few: a command that needs so much is
 * alone in that.
 */
#define VGPU_ARENAS_BYTES_MAX ((size_t)72 * 1024 * 1024)

struct vgpu_arena_chunk;

/* Made by vgpu_arena_init(); belongs to one thread. */
struct vgpu_arena {
	uint8_t *at, *end; /* what is left of the newest chunk */
	struct vgpu_arena_chunk *chunk;
	size_t used_bytes, max_bytes; /* of all chunks */
};

/* A place to go back to. */
struct vgpu_arena_mark {
	struct vgpu_arena_chunk *chunk;
	uint8_t *at;
};

/* It never holds more than @max_bytes. Nothing is allocated yet. */
void vgpu_arena_init(struct vgpu_arena *arena, size_t max_bytes);
void vgpu_arena_finish(struct vgpu_arena *arena); /* zeroed is fine */

/* From a new chunk. NULL if there would be too much. Use vgpu_arena_alloc(). */
void *vgpu_arena_grow(struct vgpu_arena *arena, size_t bytes);
/* Frees the chunks made since; all but the first. */
void vgpu_arena_shrink(struct vgpu_arena *arena, struct vgpu_arena_mark mark);

/* Aligned to 8 bytes, not zeroed. NULL if there would be too much. */
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

/* All that was allocated since is free. */
static inline void vgpu_arena_reset(struct vgpu_arena *arena,
				    struct vgpu_arena_mark mark)
{
	if (__builtin_expect(arena->chunk != mark.chunk, 0))
		vgpu_arena_shrink(arena, mark);
	else
		arena->at = mark.at;
}

#endif
