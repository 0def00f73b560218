// SPDX-License-Identifier: GPL-2.0-or-later
/* Which type a VF has, and what of the GPU is kept for it. */
#include "mgr.h"

/* Callers hold mgr->lock. */
static void provision_lock_resources(struct vgpu_mgr *mgr)
{
	mutex_lock(mgr->pf->allocators_lock);
}

static void provision_unlock_resources(struct vgpu_mgr *mgr)
{
	mutex_unlock(mgr->pf->allocators_lock);
}

int vgpu_mgr_scrub_fb(struct vgpu_mgr *mgr, const struct vgpu_place *place)
{
	return mgr->pf->ops->scrub(mgr->pf, place->fb_start, place->fb_bytes);
}

int vgpu_mgr_scrub(struct vgpu_mgr *mgr, const struct vgpu_place *place)
{
	int rc = vgpu_mgr_scrub_fb(mgr, place);

	if (rc == 0)
		rc = mgr->pf->ops->scrub(mgr->pf, place->heap_start,
					 place->heap_bytes);
	return rc;
}

/* Remove the first one that is no orphan's, so that nobody else scrubs it. */
static bool provision_pop_dirty(struct vgpu_mgr *mgr, struct vgpu_dirty *ret_dirty)
{
	bool is_found = false;
	u32 i;

	mutex_lock(&mgr->lock);
	for (i = 0; i < mgr->dirty_count && mgr->dirty[i].is_orphan; i++)
		;
	if (i < mgr->dirty_count) {
		*ret_dirty = mgr->dirty[i];
		/* In their order: each is tried once. */
		mgr->dirty_count--;
		memmove(&mgr->dirty[i], &mgr->dirty[i + 1],
			(mgr->dirty_count - i) * sizeof(mgr->dirty[0]));
		is_found = true;
	}
	mutex_unlock(&mgr->lock);
	return is_found;
}

/*
 * What could not be scrubbed may be so now. This takes seconds: mgr->lock is not
 * held. While one is scrubbed it is still quarantined, and has its room here.
 */
static void provision_scrub_again(struct vgpu_mgr *mgr)
{
	u32 tries = READ_ONCE(mgr->dirty_count);
	struct vgpu_dirty dirty;

	while (tries-- && provision_pop_dirty(mgr, &dirty)) {
		int rc = vgpu_mgr_scrub(mgr, &dirty.place);

		mutex_lock(&mgr->lock);
		if (rc) {
			mgr->dirty[mgr->dirty_count++] = dirty;
		} else {
			provision_lock_resources(mgr);
			vgpu_place_scrubbed(&mgr->place, &dirty.place);
			provision_unlock_resources(mgr);
		}
		mutex_unlock(&mgr->lock);
	}
}

/* Of different sizes there are none where the placement is homogeneous. */
static bool provision_goes_with_others(struct vgpu_mgr *mgr,
				       const struct vgpu_type *type)
{
	u32 i;

	if (mgr->mode != VGPU_PLACE_HOMOGENEOUS)
		return true;
	for (i = 0; i < mgr->vf_count; i++) {
		const struct vgpu_type *other = READ_ONCE(mgr->vfs[i].type);

		if (other && other->gib != type->gib)
			return false;
	}
	return true;
}

static bool provision_is_offered(struct vgpu_mgr *mgr,
				 const struct vgpu_type *type)
{
	return provision_goes_with_others(mgr, type) &&
	       (!mgr->pf->is_ecc_on || type->flags & VGPU_TYPE_ECC);
}

static int provision_give_type(struct vgpu_vf *vf, const struct vgpu_type *type)
{
	struct vgpu_mgr *mgr = vf->mgr;
	int rc;

	if (!mgr->is_ready || mgr->is_gone || vgpu_pf_is_wedged(mgr->pf))
		return -ENODEV;
	if (!provision_is_offered(mgr, type))
		return -EINVAL;
	provision_lock_resources(mgr);
	rc = vgpu_place_take(&mgr->place, mgr->mode, type, vf->wanted_place,
			     &vf->place);
	provision_unlock_resources(mgr);
	if (rc)
		return rc;
	mgr->provisioned++;
	if (uuid_is_null(&vf->uuid))
		uuid_gen(&vf->uuid);
	WRITE_ONCE(vf->type, type);
	return 0;
}

static void provision_drop_type(struct vgpu_vf *vf)
{
	struct vgpu_mgr *mgr = vf->mgr;

	provision_lock_resources(mgr);
	vgpu_place_free(&mgr->place, &vf->place, !vf->is_dirty);
	provision_unlock_resources(mgr);
	/* Each has a piece of the heaps, of which there are not more. */
	if (vf->is_dirty)
		mgr->dirty[mgr->dirty_count++] = (struct vgpu_dirty){
			.place = vf->place,
			.is_orphan = vf->is_orphan,
		};
	vf->is_dirty = false;
	WRITE_ONCE(vf->is_orphan, false);
	vf->uuid = uuid_null;
	mgr->provisioned--;
	WRITE_ONCE(vf->type, NULL);
	vf->wanted_place = VGPU_PLACE_AUTO;
	WRITE_ONCE(vf->why_failed, NULL);
}

void vgpu_mgr_forget_orphans(struct vgpu_mgr *mgr)
{
	u32 i;

	mutex_lock(&mgr->lock);
	for (i = 0; i < mgr->vf_count; i++)
		WRITE_ONCE(mgr->vfs[i].is_orphan, false);
	for (i = 0; i < mgr->dirty_count; i++)
		mgr->dirty[i].is_orphan = false;
	mutex_unlock(&mgr->lock);
	for (i = 0; i < mgr->vf_count; i++)
		vgpu_vf_state_changed(&mgr->vfs[i]);
}

static int provision_set_type(struct vgpu_vf *vf, u32 id)
{
	const struct vgpu_type *type = vgpu_types_find(&vf->mgr->types, id);

	if (vf->is_open)
		return -EBUSY;
	if (id && !type)
		return -EINVAL;
	if (type == vf->type)
		return 0;
	if (!type) {
		provision_drop_type(vf);
		return 0;
	}
	return vf->type ? -EBUSY : provision_give_type(vf, type);
}

int vgpu_vf_set_type(struct vgpu_vf *vf, u32 id)
{
	int rc;

	if (id)
		provision_scrub_again(vf->mgr);
	/* One that is being opened is in use. */
	if (!mutex_trylock(&vf->lock))
		return -EBUSY;
	mutex_lock(&vf->mgr->lock);
	rc = provision_set_type(vf, id);
	mutex_unlock(&vf->mgr->lock);
	mutex_unlock(&vf->lock);
	vgpu_vf_state_changed(vf);
	return rc;
}

/* Whether anything is against giving all VFs this type, but for the room. */
static int provision_check_all(struct vgpu_mgr *mgr, const struct vgpu_type *type)
{
	u32 i;

	for (i = 0; i < mgr->vf_count; i++) {
		const struct vgpu_vf *vf = &mgr->vfs[i];

		if (vf->is_open || (type && vf->type && vf->type != type))
			return -EBUSY;
	}
	return 0;
}

/* All of them or none; callers hold every lock. */
static int provision_all(struct vgpu_mgr *mgr, u32 id)
{
	const struct vgpu_type *type = vgpu_types_find(&mgr->types, id);
	struct {
		bool is_given;
		u32 wanted_place;
		uuid_t uuid;
	} before[VGPU_INSTANCES_MAX];
	int rc = id && !type ? -EINVAL : provision_check_all(mgr, type);
	u32 i;

	for (i = 0; rc == 0 && i < mgr->vf_count; i++) {
		struct vgpu_vf *vf = &mgr->vfs[i];

		before[i].is_given = type && !vf->type;
		before[i].wanted_place = vf->wanted_place;
		before[i].uuid = vf->uuid;
		rc = provision_set_type(vf, id);
	}
	/* The last one that was tried has got nothing. */
	while (rc && i > 1) {
		struct vgpu_vf *vf = &mgr->vfs[--i - 1];

		if (!before[i - 1].is_given)
			continue;
		provision_drop_type(vf);
		vf->wanted_place = before[i - 1].wanted_place;
		vf->uuid = before[i - 1].uuid;
	}
	return rc;
}

int vgpu_mgr_set_all_types(struct vgpu_mgr *mgr, u32 id)
{
	u32 locked = 0, i;
	int rc = -EBUSY;

	if (id)
		provision_scrub_again(mgr);
	while (locked < mgr->vf_count && mutex_trylock(&mgr->vfs[locked].lock))
		locked++;
	if (locked == mgr->vf_count) {
		mutex_lock(&mgr->lock);
		rc = provision_all(mgr, id);
		mutex_unlock(&mgr->lock);
	}
	for (i = 0; i < locked; i++)
		mutex_unlock(&mgr->vfs[i].lock);
	for (i = 0; i < mgr->vf_count; i++)
		vgpu_vf_state_changed(&mgr->vfs[i]);
	return rc;
}

int vgpu_vf_set_place(struct vgpu_vf *vf, u32 id)
{
	int rc = -EBUSY;

	if (!mutex_trylock(&vf->lock))
		return -EBUSY;
	if (!vf->type) {
		WRITE_ONCE(vf->wanted_place, id);
		rc = 0;
	}
	mutex_unlock(&vf->lock);
	return rc;
}

int vgpu_vf_set_uuid(struct vgpu_vf *vf, const uuid_t *uuid)
{
	int rc = 0;

	if (!mutex_trylock(&vf->lock))
		return -EBUSY;
	mutex_lock(&vf->mgr->lock);
	/* One that has a type has one, too. */
	if (vf->is_open || (vf->type && uuid_is_null(uuid)))
		rc = -EBUSY;
	else
		vf->uuid = *uuid;
	mutex_unlock(&vf->mgr->lock);
	mutex_unlock(&vf->lock);
	return rc;
}

u32 vgpu_mgr_count_available(struct vgpu_mgr *mgr, const struct vgpu_type *type)
{
	u32 count = 0;

	mutex_lock(&mgr->lock);
	if (mgr->is_ready && !vgpu_pf_is_wedged(mgr->pf) &&
	    provision_is_offered(mgr, type)) {
		provision_lock_resources(mgr);
		count = vgpu_place_available(&mgr->place, mgr->mode, type);
		provision_unlock_resources(mgr);
	}
	count = min(count, mgr->vf_count - mgr->provisioned);
	mutex_unlock(&mgr->lock);
	return count;
}
