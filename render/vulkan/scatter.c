/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device memory that is scattered over the framebuffer, in one range here. */
#include "context.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/*
 * Beyond the framebuffer, where it is mapped, there are addresses for the
 * arena's ranges (device/gpu/arena.c). A range has its place there as long as
 * anybody uses it: the memory that was allocated, the resource that names it.
 * What the guest gave up while it is still in use here may become another's:
 * whoever comes last has the place.
 */
struct vgpu_scatter {
	struct vgpu_scatter *next;
	struct vgpu_context *ctx;
	uint64_t offset;
	uint64_t bytes;
	unsigned int references;
	bool is_lost; /* the place, or a part of it, is another's */
	uint32_t n;
	struct vgpu_render_piece piece[];
};

static void unmap(struct vgpu_context *ctx, uint64_t offset, uint64_t bytes)
{
	/* The addresses stay ours. */
	if (mmap(ctx->framebuffer + offset, bytes, PROT_NONE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		vgpu_context_fatal(ctx, "memory cannot be unmapped: %s",
				   strerror(errno));
}

static bool map(struct vgpu_context *ctx, const struct vgpu_scatter *scatter)
{
	uint64_t at = scatter->offset;

	for (uint32_t i = 0; i < scatter->n; i++) {
		const struct vgpu_render_piece *piece = &scatter->piece[i];

		/* Of an old size of 0 comes a second mapping. */
		if (mremap(ctx->framebuffer + piece->offset, 0, piece->bytes,
			   MREMAP_MAYMOVE | MREMAP_FIXED,
			   ctx->framebuffer + at) == MAP_FAILED) {
			unmap(ctx, scatter->offset, scatter->bytes);
			return false;
		}
		at += piece->bytes;
	}
	return true;
}

/* The size of the range, or 0 if it cannot be. */
static uint64_t measure(const struct vgpu_context *ctx, uint64_t offset,
			const struct vgpu_render_piece *piece, uint32_t n)
{
	uint64_t bytes = 0, end;

	if (!ctx->framebuffer || offset < ctx->framebuffer_bytes)
		return 0;
	for (uint32_t i = 0; i < n; i++) {
		if (piece[i].bytes == 0 ||
		    !vgpu_checked_add(piece[i].offset, piece[i].bytes, &end) ||
		    end > ctx->framebuffer_bytes)
			return 0;
		bytes += piece[i].bytes; /* n times the framebuffer at most */
	}
	if (!vgpu_checked_add(offset, bytes, &end) ||
	    end > VGPU_RENDER_SPAN * ctx->framebuffer_bytes)
		return 0;
	return bytes;
}

/* The same one; others in its place lose it. Called with the lock. */
static struct vgpu_scatter *find(struct vgpu_context *ctx, uint64_t offset,
				 uint64_t bytes,
				 const struct vgpu_render_piece *piece,
				 uint32_t n)
{
	struct vgpu_scatter *at;

	for (at = ctx->scatters; at; at = at->next) {
		if (at->is_lost || at->offset >= offset + bytes ||
		    offset >= at->offset + at->bytes)
			continue;
		if (at->offset == offset && at->n == n &&
		    memcmp(at->piece, piece, n * sizeof(*piece)) == 0)
			return at;
		at->is_lost = true;
	}
	return NULL;
}

static struct vgpu_scatter *make(struct vgpu_context *ctx, uint64_t offset,
				 uint64_t bytes,
				 const struct vgpu_render_piece *piece,
				 uint32_t n)
{
	struct vgpu_scatter *scatter =
		malloc(sizeof(*scatter) + n * sizeof(*piece));

	if (!scatter)
		return NULL;
	*scatter = (struct vgpu_scatter){
		.next = ctx->scatters,
		.ctx = ctx,
		.offset = offset,
		.bytes = bytes,
		.n = n,
	};
	memcpy(scatter->piece, piece, n * sizeof(*piece));
	if (!map(ctx, scatter)) {
		free(scatter);
		return NULL;
	}
	ctx->scatters = scatter;
	return scatter;
}

struct vgpu_scatter *vgpu_scatter_get(struct vgpu_context *ctx, uint64_t offset,
				      uint64_t bytes,
				      const struct vgpu_render_piece *piece,
				      uint32_t n)
{
	uint64_t whole = measure(ctx, offset, piece, n);
	struct vgpu_scatter *scatter;

	if (whole == 0 || bytes > whole)
		return NULL;
	pthread_mutex_lock(&ctx->scatter_lock);
	scatter = find(ctx, offset, whole, piece, n);
	if (!scatter)
		scatter = make(ctx, offset, whole, piece, n);
	if (scatter)
		scatter->references++;
	pthread_mutex_unlock(&ctx->scatter_lock);
	return scatter;
}

void vgpu_scatter_put(struct vgpu_scatter *scatter)
{
	struct vgpu_context *ctx;
	struct vgpu_scatter **place;

	if (!scatter)
		return;
	ctx = scatter->ctx;
	pthread_mutex_lock(&ctx->scatter_lock);
	if (--scatter->references == 0) {
		place = &ctx->scatters;
		while (*place != scatter)
			place = &(*place)->next;
		*place = scatter->next;
		if (!scatter->is_lost)
			unmap(ctx, scatter->offset, scatter->bytes);
		free(scatter);
	}
	pthread_mutex_unlock(&ctx->scatter_lock);
}
