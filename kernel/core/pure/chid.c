// SPDX-License-Identifier: GPL-2.0-or-later
/* Channel ids: the core driver's own ones, and a range for each vGPU. */
#include "chid.h"

static bool chid_has_bit(const u64 *bits, u32 id)
{
	return bits[id / 64] >> (id % 64) & 1;
}

static void chid_set_bit(u64 *bits, u32 id)
{
	bits[id / 64] |= (u64)1 << (id % 64);
}

static void chid_clear_bit(u64 *bits, u32 id)
{
	bits[id / 64] &= ~((u64)1 << (id % 64));
}

int vgpu_chids_init(struct vgpu_chids *chids, u32 total, u32 own,
		    bool is_power_of_2)
{
	if (total == 0 || total > VGPU_CHIDS_MAX || own >= total)
		return -EINVAL;
	memset(chids, 0, sizeof(*chids));
	chids->total = total;
	chids->own = own;
	chids->is_power_of_2 = is_power_of_2;
	return 0;
}
VGPU_EXPORT(vgpu_chids_init);

static bool chid_is_range(const struct vgpu_chids *chids, u32 count)
{
	return count > 0 && count <= chids->total - chids->own &&
	       (!chids->is_power_of_2 || vgpu_is_power_of_2(count));
}

/* From @first on, how many ids are free, up to @count. */
static u32 chid_count_free(const struct vgpu_chids *chids, u32 first, u32 count)
{
	u32 n = 0;

	while (n < count && first + n < chids->total &&
	       !chid_has_bit(chids->used, first + n))
		n++;
	return n;
}

static void chid_mark_used(struct vgpu_chids *chids, u32 first, u32 count)
{
	u32 i;

	for (i = 0; i < count; i++)
		chid_set_bit(chids->used, first + i);
	chid_set_bit(chids->first, first);
}

u32 vgpu_chids_share(const struct vgpu_chids *chids, u32 vgpus)
{
	u32 share, first, n, power;

	if (vgpus == 0)
		return 0;
	share = (chids->total - chids->own) / vgpus;
	if (!chids->is_power_of_2 || share == 0)
		return share;
	for (power = 1; power <= share / 2;)
		power *= 2;
	/*
	 * The core driver's share may end where no range of this length can
	 * begin, which costs one.
	 */
	for (; power > 0; power /= 2) {
		first = (chids->own + power - 1) & ~(power - 1);
		n = first < chids->total ? (chids->total - first) / power : 0;
		if (n >= vgpus)
			break;
	}
	return power;
}

int vgpu_chids_alloc_at(struct vgpu_chids *chids, u32 first, u32 count)
{
	if (!chid_is_range(chids, count) || first < chids->own ||
	    !vgpu_is_inside(first, count, chids->total) ||
	    (chids->is_power_of_2 && !vgpu_is_aligned(first, count)))
		return -EINVAL;
	if (chid_count_free(chids, first, count) != count)
		return -EBUSY;
	chid_mark_used(chids, first, count);
	chids->used_by_vgpus += count;
	return 0;
}

int vgpu_chids_alloc_own(struct vgpu_chids *chids, u32 *ret_id)
{
	u32 id;

	for (id = 0; id < chids->own; id++) {
		if (chid_has_bit(chids->used, id))
			continue;
		chid_mark_used(chids, id, 1);
		chids->used_by_core++;
		*ret_id = id;
		return 0;
	}
	return -ENOSPC;
}
VGPU_EXPORT(vgpu_chids_alloc_own);

int vgpu_chids_free(struct vgpu_chids *chids, u32 first)
{
	u32 id = first;

	if (first >= chids->total || !chid_has_bit(chids->first, first))
		return -ENOENT;
	chid_clear_bit(chids->first, first);
	while (id < chids->total && chid_has_bit(chids->used, id) &&
	       !chid_has_bit(chids->first, id))
		chid_clear_bit(chids->used, id++);
	if (first < chids->own)
		chids->used_by_core -= id - first;
	else
		chids->used_by_vgpus -= id - first;
	return 0;
}
VGPU_EXPORT(vgpu_chids_free);
