/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that is scattered over the framebuffer, in one range of addresses. */
#include "device/gpu/internal.h"

#include <sys/mman.h>

/*
 * Where no free range of the framebuffer is as large as what is wanted, several
 * are taken together. What is made of them has a range in the arena: addresses
 * that follow the framebuffer's and are no memory, many times as many as the
 * framebuffer has bytes, so that a free range is always found among them. Its
 * offset there is its name, as another's is its offset in the framebuffer. We
 * and every process that uses it map its pieces to that range.
 *
 * As long as the range is in use each of its pieces is a range of the
 * framebuffer with one user, and has an entry in the state.
 */

static uint64_t arena_bytes(const struct vgpu_gpu *gpu)
{
	return (VGPU_RENDER_SPAN - 1) * gpu->storage.total;
}

static void *map_nothing(void *at, uint64_t bytes)
{
	return mmap(at, bytes, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE |
			    (at ? MAP_FIXED : 0),
		    -1, 0);
}

/* The framebuffer itself is never the arena's to give. */
static void begin(struct vgpu_gpu *gpu)
{
	vgpu_gpu_extents_claim(&gpu->arena, 0, gpu->storage.total);
	vgpu_gpu_extents_find(&gpu->arena, 0)->users = 1;
}

int vgpu_gpu_arena_init(struct vgpu_gpu *gpu)
{
	uint64_t total;
	void *map;

	if (!vgpu_checked_mul(gpu->storage.total, (uint64_t)VGPU_RENDER_SPAN,
			      &total) ||
	    vgpu_gpu_extents_init(&gpu->arena, total, VGPU_GPU_PIECES_MAX + 1) < 0)
		return -ENOMEM;
	map = map_nothing(NULL, arena_bytes(gpu));
	if (map == MAP_FAILED)
		return -ENOMEM;
	gpu->arena_map = map;
	begin(gpu);
	return 0;
}

void vgpu_gpu_arena_finish(struct vgpu_gpu *gpu)
{
	if (gpu->arena_map)
		munmap(gpu->arena_map, arena_bytes(gpu));
	vgpu_gpu_extents_finish(&gpu->arena);
}

void vgpu_gpu_arena_clear(struct vgpu_gpu *gpu)
{
	if (!gpu->arena_map)
		return;
	vgpu_gpu_extents_clear(&gpu->arena);
	begin(gpu);
	map_nothing(gpu->arena_map, arena_bytes(gpu));
}

static bool show(struct vgpu_gpu *gpu, uint64_t at,
		 const struct vgpu_render_piece *piece, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++) {
		/* Of an old size of 0 comes a second mapping. */
		if (mremap(gpu->framebuffer + piece[i].offset, 0,
			   piece[i].bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			   vgpu_gpu_storage_address(gpu, at)) == MAP_FAILED)
			return false;
		at += piece[i].bytes;
	}
	return true;
}

/* They are in use from now on, whatever becomes of this process. */
static bool note(struct vgpu_gpu *gpu, uint64_t at,
		 const struct vgpu_render_piece *piece, uint32_t n)
{
	struct vgpu_gpu_state *state = gpu->state;
	uint32_t done = 0;

	for (uint32_t i = 0; done < n && i < VGPU_GPU_PIECES_MAX; i++) {
		struct vgpu_gpu_state_piece *entry = &state->piece[i];

		if (i < state->pieces_used && entry->is_used)
			continue;
		*entry = (struct vgpu_gpu_state_piece){
			.at = at,
			.offset = piece[done].offset,
			.bytes = piece[done].bytes,
		};
		if (i >= state->pieces_used)
			vgpu_gpu_commit(&state->pieces_used, i + 1);
		vgpu_gpu_commit(&entry->is_used, 1u);
		at += piece[done++].bytes;
	}
	return done == n;
}

static void use(struct vgpu_gpu *gpu, const struct vgpu_render_piece *piece)
{
	vgpu_gpu_extents_find(&gpu->storage, piece->offset)->users++;
	gpu->state->storage_mark =
		VGPU_MAX(gpu->state->storage_mark, piece->offset + piece->bytes);
}

static void unuse(struct vgpu_gpu *gpu, uint64_t offset)
{
	struct vgpu_gpu_extent *extent;

	extent = vgpu_gpu_extents_find(&gpu->storage, offset);
	if (extent && extent->users)
		extent->users--;
}

static bool is_of(const struct vgpu_gpu_state_piece *entry, uint64_t offset,
		  uint64_t bytes)
{
	return entry->is_used && entry->at >= offset &&
	       entry->at - offset < bytes;
}

static void forget(struct vgpu_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	for (uint32_t i = 0; i < gpu->state->pieces_used; i++)
		if (is_of(&gpu->state->piece[i], offset, bytes))
			vgpu_gpu_commit(&gpu->state->piece[i].is_used, 0u);
	map_nothing(vgpu_gpu_storage_address(gpu, offset), bytes);
}

int vgpu_gpu_arena_alloc(struct vgpu_gpu *gpu, uint64_t bytes,
			 uint64_t *ret_offset)
{
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	uint64_t at;
	int n;

	n = vgpu_gpu_extents_gather(&gpu->storage, bytes,
				    gpu->config.segment_bytes, piece,
				    VGPU_ARRAY_SIZE(piece));
	if (n < 0)
		return -ENOMEM;
	for (int i = 0; i < n; i++)
		use(gpu, &piece[i]);
	if (vgpu_gpu_extents_alloc(&gpu->arena, bytes, &at) == 0) {
		if (show(gpu, at, piece, (uint32_t)n) &&
		    note(gpu, at, piece, (uint32_t)n)) {
			*ret_offset = at;
			return 0;
		}
		forget(gpu, at, bytes);
		vgpu_gpu_extents_free(&gpu->arena, at);
	}
	for (int i = 0; i < n; i++)
		unuse(gpu, piece[i].offset);
	vgpu_gpu_extents_sweep(&gpu->storage);
	return -ENOMEM;
}

void vgpu_gpu_arena_release(struct vgpu_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	for (uint32_t i = 0; i < gpu->state->pieces_used; i++)
		if (is_of(&gpu->state->piece[i], offset, bytes))
			unuse(gpu, gpu->state->piece[i].offset);
	vgpu_gpu_extents_sweep(&gpu->storage);
	forget(gpu, offset, bytes);
}

uint32_t vgpu_gpu_arena_pieces(void *opaque, uint64_t offset, uint64_t bytes,
			       struct vgpu_render_piece *ret_piece)
{
	const struct vgpu_gpu *gpu = opaque;
	uint32_t n = 0;

	if (offset < gpu->storage.total)
		return 0;
	if (!bytes)
		bytes = vgpu_gpu_extents_size(&gpu->arena, offset);
	for (uint32_t i = 0; i < gpu->state->pieces_used; i++) {
		const struct vgpu_gpu_state_piece *entry = &gpu->state->piece[i];
		uint64_t left;

		if (!is_of(entry, offset, bytes) || n == VGPU_RENDER_PIECES_MAX)
			continue;
		left = bytes - (entry->at - offset);
		ret_piece[n].offset = entry->offset;
		ret_piece[n++].bytes = VGPU_MIN(entry->bytes, left);
	}
	return n;
}

/* Whether the pieces, which a stranger may have noted, make up the range. */
static bool is_whole(const struct vgpu_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	const uint64_t segment = gpu->config.segment_bytes;
	uint64_t at = offset;
	uint32_t n = 0;

	for (uint32_t i = 0; i < gpu->state->pieces_used; i++) {
		const struct vgpu_gpu_state_piece *entry = &gpu->state->piece[i];
		uint64_t last;

		if (!is_of(entry, offset, bytes))
			continue;
		if (entry->at != at || !entry->bytes ||
		    entry->offset % VGPU_GPU_STORAGE_ALIGN != 0 ||
		    entry->bytes % VGPU_GPU_STORAGE_ALIGN != 0 ||
		    entry->bytes > bytes - (at - offset) ||
		    !vgpu_checked_add(entry->offset, entry->bytes - 1, &last) ||
		    (segment && entry->offset / segment != last / segment) ||
		    ++n > VGPU_RENDER_PIECES_MAX)
			return false;
		at += entry->bytes;
	}
	return at == offset + bytes;
}

bool vgpu_gpu_arena_claim(struct vgpu_gpu *gpu, uint64_t offset, uint64_t bytes)
{
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	uint32_t n, done = 0;

	if (!gpu->arena_map ||
	    vgpu_gpu_extents_claim(&gpu->arena, offset, bytes) < 0)
		return false;
	n = is_whole(gpu, offset, bytes)
		    ? vgpu_gpu_arena_pieces(gpu, offset, bytes, piece)
		    : 0;
	while (done < n &&
	       vgpu_gpu_extents_claim(&gpu->storage, piece[done].offset,
				      piece[done].bytes) == 0)
		use(gpu, &piece[done++]);
	if (n && done == n && show(gpu, offset, piece, n))
		return true;
	while (done > 0)
		unuse(gpu, piece[--done].offset);
	vgpu_gpu_extents_sweep(&gpu->storage);
	map_nothing(vgpu_gpu_storage_address(gpu, offset), bytes);
	vgpu_gpu_extents_free(&gpu->arena, offset);
	return false;
}

void vgpu_gpu_arena_settle(struct vgpu_gpu *gpu)
{
	struct vgpu_gpu_state *state = gpu->state;

	for (uint32_t i = 0; i < state->pieces_used; i++) {
		struct vgpu_gpu_state_piece *entry = &state->piece[i];
		const struct vgpu_gpu_extent *extent;

		if (!entry->is_used)
			continue;
		extent = vgpu_gpu_extents_find(&gpu->storage, entry->offset);
		if (!extent || !extent->users || extent->size != entry->bytes ||
		    !vgpu_gpu_extents_covers(&gpu->arena, entry->at))
			vgpu_gpu_commit(&entry->is_used, 0u);
	}
}
