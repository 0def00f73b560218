// SPDX-License-Identifier: GPL-2.0-or-later
/* Which type a VF has, and what of the GPU is kept for it. */
#include "mgr.h"

/* Callers hold mgr->lock. */
static void lock_resources(struct vgpu_mgr *mgr)
{
	mutex_lock(&mgr->core->resources.lock);
}

static void unlock_resources(struct vgpu_mgr *mgr)
{
	mutex_unlock(&mgr->core->resources.lock);
}

int vgpu_mgr_scrub(struct vgpu_mgr *mgr, const struct vgpu_place *place)
{
	int rc = vgpu_core_scrub(mgr->core, place->fb_start, place->fb_bytes);

	if (rc == 0)
		rc = vgpu_core_scrub(mgr->core, place->heap_start,
				     place->heap_bytes);
	return rc;
}

/* What could not be scrubbed may be so now. */
static void scrub_again(struct vgpu_mgr *mgr)
{
	u32 i = 0;

	while (i < mgr->dirty_count) {
		struct vgpu_dirty *dirty = &mgr->dirty[i];

		if (dirty->is_orphan || vgpu_mgr_scrub(mgr, &dirty->place)) {
			i++;
			continue;
		}
		lock_resources(mgr);
		vgpu_place_scrubbed(&mgr->place, &dirty->place);
		unlock_resources(mgr);
		*dirty = mgr->dirty[--mgr->dirty_count];
	}
}

/* Of different sizes there are none where the placement is homogeneous. */
static bool goes_with_others(struct vgpu_mgr *mgr, const struct vgpu_type *type)
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

static bool is_offered(struct vgpu_mgr *mgr, const struct vgpu_type *type)
{
	return goes_with_others(mgr, type) &&
	       (!mgr->core->properties.is_ecc_on || type->flags & VGPU_TYPE_ECC);
}

static int provision(struct vgpu_vf *vf, const struct vgpu_type *type)
{
	struct vgpu_mgr *mgr = vf->mgr;
	int rc;

	if (!mgr->is_ready || mgr->is_gone || READ_ONCE(mgr->core->why_wedged))
		return -ENODEV;
	if (!is_offered(mgr, type))
		return -EINVAL;
	scrub_again(mgr);
	lock_resources(mgr);
	rc = vgpu_place_take(&mgr->place, mgr->mode, type, vf->wanted_place,
			     &vf->place);
	unlock_resources(mgr);
	if (rc)
		return rc;
	mgr->provisioned++;
	if (uuid_is_null(&vf->uuid))
		uuid_gen(&vf->uuid);
	WRITE_ONCE(vf->type, type);
	return 0;
}

static void unprovision(struct vgpu_vf *vf)
{
	struct vgpu_mgr *mgr = vf->mgr;

	lock_resources(mgr);
	vgpu_place_free(&mgr->place, &vf->place, !vf->is_dirty);
	unlock_resources(mgr);
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

static int set_type(struct vgpu_vf *vf, u32 id)
{
	const struct vgpu_type *type = vgpu_types_find(&vf->mgr->types, id);

	if (vf->is_open)
		return -EBUSY;
	if (id && !type)
		return -EINVAL;
	if (type == vf->type)
		return 0;
	if (!type) {
		unprovision(vf);
		return 0;
	}
	return vf->type ? -EBUSY : provision(vf, type);
}

int vgpu_vf_set_type(struct vgpu_vf *vf, u32 id)
{
	int rc;

	/* One that is being opened is in use. */
	if (!mutex_trylock(&vf->lock))
		return -EBUSY;
	mutex_lock(&vf->mgr->lock);
	rc = set_type(vf, id);
	mutex_unlock(&vf->mgr->lock);
	mutex_unlock(&vf->lock);
	vgpu_vf_state_changed(vf);
	return rc;
}

int vgpu_mgr_set_all_types(struct vgpu_mgr *mgr, u32 id)
{
	struct {
		u32 type, place;
		uuid_t uuid;
	} had[VGPU_INSTANCES_MAX];
	int rc = 0;
	u32 i;

	for (i = 0; i < mgr->vf_count; i++) {
		struct vgpu_vf *vf = &mgr->vfs[i];
		const struct vgpu_type *type = READ_ONCE(vf->type);

		had[i].type = type ? type->id : 0;
		had[i].place = type ? vf->place.id : READ_ONCE(vf->wanted_place);
		had[i].uuid = vf->uuid;
		rc = vgpu_vf_set_type(vf, id);
		if (rc)
			break;
	}
	while (rc && i-- > 0) {
		if (had[i].type == id)
			continue;
		vgpu_vf_set_type(&mgr->vfs[i], 0);
		vgpu_vf_set_place(&mgr->vfs[i], had[i].place);
		vgpu_vf_set_uuid(&mgr->vfs[i], &had[i].uuid);
		if (had[i].type)
			vgpu_vf_set_type(&mgr->vfs[i], had[i].type);
	}
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
	if (mgr->is_ready && !READ_ONCE(mgr->core->why_wedged) &&
	    is_offered(mgr, type)) {
		lock_resources(mgr);
		count = vgpu_place_available(&mgr->place, mgr->mode, type);
		unlock_resources(mgr);
	}
	count = min(count, mgr->vf_count - mgr->provisioned);
	mutex_unlock(&mgr->lock);
	return count;
}
