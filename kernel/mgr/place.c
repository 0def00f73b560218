// SPDX-License-Identifier: GPL-2.0-or-later
/* Where on the GPU a vGPU of a type can be: the rules of placement. */
#include "place.h"

#define PARTS_MAX 16 /* NVIDIA divides no further */
#define GIB	  (1ULL << 30)

/* One of the GPU's 2^n equal parts, or what is halved to it. */
struct part {
	u64 start;
	u64 end;
};

static u32 place_prev_power_of_2(u32 n)
{
	u32 power = 1;

	while (power <= n / 2)
		power *= 2;
	return power;
}

/* Part @index of @parts; halved as it comes, so that odd sizes lose nothing. */
static struct part place_get_part(u64 start, u64 end, u32 parts, u32 index)
{
	struct part part = {start, end};
	u32 bit;

	for (bit = parts / 2; bit > 0; bit /= 2) {
		u64 middle = (part.start + part.end) / 2;

		if (index & bit)
			part.start = middle;
		else
			part.end = middle;
	}
	return part;
}

/* An area of @size units of @unit at the left or right end of a part. */
static u64 place_at_end(u64 start, u64 end, u64 unit, u64 size, u32 parts,
			u32 index, bool is_right)
{
	struct part part = place_get_part(start / unit, end / unit, parts, index);

	return (is_right ? part.end - size / unit : part.start) * unit;
}

u64 vgpu_place_fb_bytes(const struct vgpu_place_gpu *gpu,
			const struct vgpu_type *type)
{
	u64 bytes = (gpu->fb_end - gpu->fb_start) / type->max_instances;

	if (bytes > type->framebuffer_bytes)
		bytes = type->framebuffer_bytes;
	bytes = vgpu_align_down(bytes, gpu->fb->unit_bytes);
	/* The firmware's own memory may take an eighth; else it is a small GPU. */
	if (bytes < type->gib * GIB / 8 * 7)
		return 0;
	return bytes;
}

static int place_get_homogeneous(const struct vgpu_place_gpu *gpu,
				 const struct vgpu_type *type, u32 index,
				 struct vgpu_place *place)
{
	if (index >= type->max_instances)
		return -ENOENT;
	place->id = index * type->gib;
	place->fb_start = gpu->fb_start + index * place->fb_bytes;
	place->heap_start = gpu->heaps->base + index * place->heap_bytes;
	/* From the top, where ranges of any size are aligned. */
	place->first_chid = gpu->chids->total - (index + 1) * place->chids;
	return 0;
}

/* Of channel ids, ranges begin where the hardware can have them. */
static u32 place_chids_at_end(const struct vgpu_chids *chids, u32 count,
			      u32 parts, u32 index, bool is_right)
{
	struct part part = place_get_part(chids->own, chids->total, parts, index);
	u32 alignment = chids->is_power_of_2 ? count : 1;
	u64 first = part.start;

	if (is_right)
		return (u32)vgpu_align_down(part.end - count, alignment);
	return vgpu_align_up(first, alignment, &first) ? (u32)first : U32_MAX;
}

static int place_get_heterogeneous(const struct vgpu_place_gpu *gpu,
				   const struct vgpu_type *type, u32 index,
				   struct vgpu_place *place)
{
	u32 fitting = place_prev_power_of_2(type->max_instances);
	/* Those of whom there are fewer than would fit count as if alone, too. */
	bool has_both = fitting > 1 && fitting == type->max_instances &&
			fitting * type->gib == gpu->gib;
	u32 parts = has_both || fitting > PARTS_MAX ? fitting / 2 : fitting;
	u32 part = has_both ? index / 2 : index;
	bool is_right = index % 2 != 0;

	if (part >= parts)
		return -ENOENT;
	place->id = (u32)place_at_end(0, gpu->gib, 1, type->gib, parts, part,
				      is_right);
	place->fb_start =
		place_at_end(gpu->fb_start, gpu->fb_end, gpu->fb->unit_bytes,
			     place->fb_bytes, parts, part, is_right);
	place->heap_start = place_at_end(
		gpu->heaps->base, gpu->heaps->base + gpu->heaps->ranges.size,
		gpu->heaps->unit_bytes, place->heap_bytes, parts, part, is_right);
	place->first_chid = place_chids_at_end(gpu->chids, place->chids, parts,
					       part, is_right);
	return 0;
}

int vgpu_place_get(const struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
		   const struct vgpu_type *type, u32 index,
		   struct vgpu_place *ret_place)
{
	struct vgpu_place place = {
		.fb_bytes = vgpu_place_fb_bytes(gpu, type),
		.heap_bytes = type->heap_bytes,
		.chids = vgpu_chids_share(gpu->chids, type->max_instances),
	};
	int rc;

	if (!place.fb_bytes || !place.chids)
		return -ENOENT;
	rc = mode == VGPU_PLACE_HOMOGENEOUS
		     ? place_get_homogeneous(gpu, type, index, &place)
		     : place_get_heterogeneous(gpu, type, index, &place);
	if (rc == 0)
		*ret_place = place;
	return rc;
}

static int place_reserve(struct vgpu_place_gpu *gpu,
			 const struct vgpu_place *place)
{
	int rc;

	rc = vgpu_fb_alloc_at(gpu->fb, place->fb_start, place->fb_bytes);
	if (rc)
		return rc;
	rc = vgpu_fb_alloc_at(gpu->heaps, place->heap_start, place->heap_bytes);
	if (rc)
		goto err_fb;
	rc = vgpu_chids_alloc_at(gpu->chids, place->first_chid, place->chids);
	if (rc)
		goto err_heap;
	return 0;

err_heap:
	vgpu_fb_free(gpu->heaps, place->heap_start);
err_fb:
	vgpu_fb_free(gpu->fb, place->fb_start);
	return rc;
}

int vgpu_place_take(struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
		    const struct vgpu_type *type, u32 id,
		    struct vgpu_place *ret_place)
{
	struct vgpu_place place;
	bool is_known = id == VGPU_PLACE_AUTO;
	u32 index;

	for (index = 0; vgpu_place_get(gpu, mode, type, index, &place) == 0;
	     index++) {
		if (id != VGPU_PLACE_AUTO && place.id != id)
			continue;
		is_known = true;
		if (place_reserve(gpu, &place) == 0) {
			*ret_place = place;
			return 0;
		}
	}
	return is_known ? -ENOSPC : -EINVAL;
}

void vgpu_place_free(struct vgpu_place_gpu *gpu, const struct vgpu_place *place,
		     bool is_scrubbed)
{
	if (is_scrubbed) {
		vgpu_chids_free(gpu->chids, place->first_chid);
		vgpu_fb_free(gpu->heaps, place->heap_start);
		vgpu_fb_free(gpu->fb, place->fb_start);
	} else {
		vgpu_fb_quarantine(gpu->heaps, place->heap_start);
		vgpu_fb_quarantine(gpu->fb, place->fb_start);
	}
}

void vgpu_place_scrubbed(struct vgpu_place_gpu *gpu,
			 const struct vgpu_place *place)
{
	vgpu_chids_free(gpu->chids, place->first_chid);
	vgpu_fb_scrubbed(gpu->heaps, place->heap_start);
	vgpu_fb_scrubbed(gpu->fb, place->fb_start);
}

u32 vgpu_place_available(struct vgpu_place_gpu *gpu, enum vgpu_place_mode mode,
			 const struct vgpu_type *type)
{
	struct vgpu_place place;
	u32 index, count = 0;

	/* Places of one type do not overlap: each counts by itself. */
	for (index = 0; vgpu_place_get(gpu, mode, type, index, &place) == 0;
	     index++) {
		if (place_reserve(gpu, &place))
			continue;
		vgpu_place_free(gpu, &place, true);
		count++;
	}
	return count;
}
