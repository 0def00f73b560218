/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Arenas: a bump allocator in chunks, of which the first is kept. */
#include "render/wire/arena.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#define CHUNK_BYTES ((size_t)64 * 1024)

/* Bytes of all arenas of this process. */
static atomic_size_t total_bytes;

struct vgpu_arena_chunk {
	struct vgpu_arena_chunk *older;
	size_t bytes;
	uint8_t data[];
};

void vgpu_arena_init(struct vgpu_arena *arena, size_t max_bytes)
{
	*arena = (struct vgpu_arena){.max_bytes = max_bytes};
}

static bool charge(size_t bytes)
{
	if (atomic_fetch_add(&total_bytes, bytes) + bytes <= VGPU_ARENAS_BYTES_MAX)
		return true;
	atomic_fetch_sub(&total_bytes, bytes);
	return false;
}

static void pop_chunk(struct vgpu_arena *arena)
{
	struct vgpu_arena_chunk *chunk = arena->chunk;

	arena->chunk = chunk->older;
	arena->used_bytes -= chunk->bytes;
	atomic_fetch_sub(&total_bytes, chunk->bytes);
	free(chunk);
}

void vgpu_arena_finish(struct vgpu_arena *arena)
{
	while (arena->chunk)
		pop_chunk(arena);
	arena->at = arena->end = NULL;
}

void *vgpu_arena_grow(struct vgpu_arena *arena, size_t bytes)
{
	struct vgpu_arena_chunk *chunk;
	size_t size;

	if (bytes > arena->max_bytes)
		return NULL;
	size = bytes < CHUNK_BYTES ? CHUNK_BYTES : (bytes + 7) & ~(size_t)7;
	if (size > arena->max_bytes - arena->used_bytes || !charge(size))
		return NULL;
	chunk = malloc(sizeof(*chunk) + size);
	if (!chunk) {
		atomic_fetch_sub(&total_bytes, size);
		return NULL;
	}
	chunk->older = arena->chunk;
	chunk->bytes = size;
	arena->chunk = chunk;
	arena->used_bytes += size;
	arena->at = chunk->data + ((bytes + 7) & ~(size_t)7);
	arena->end = chunk->data + size;
	return chunk->data;
}

void vgpu_arena_shrink(struct vgpu_arena *arena, struct vgpu_arena_mark mark)
{
	while (arena->chunk != mark.chunk && (mark.chunk || arena->chunk->older ||
					      arena->chunk->bytes > CHUNK_BYTES))
		pop_chunk(arena);
	if (!arena->chunk) {
		arena->at = arena->end = NULL;
		return;
	}
	arena->at = arena->chunk == mark.chunk ? mark.at : arena->chunk->data;
	arena->end = arena->chunk->data + arena->chunk->bytes;
}
