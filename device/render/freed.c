/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which files of device memory were freed and are kept to be allocated again. */
#include "freed.h"

#include <assert.h>
#include <string.h>

bool vgpu_freed_has_room(const struct vgpu_freed *freed, uint64_t bytes)
{
	return freed->n < VGPU_FREED_FILES_MAX && bytes <= freed->bytes_max &&
	       freed->bytes <= freed->bytes_max - bytes;
}

void vgpu_freed_add(struct vgpu_freed *freed, const struct vgpu_render *owner,
		    uint64_t bytes, uint64_t name)
{
	assert(vgpu_freed_has_room(freed, bytes));
	freed->file[freed->n].owner = owner;
	freed->file[freed->n].bytes = bytes;
	freed->file[freed->n].name = name;
	freed->n++;
	freed->bytes += bytes;
}

static uint64_t remove_file(struct vgpu_freed *freed, uint32_t i)
{
	uint64_t name = freed->file[i].name;

	freed->bytes -= freed->file[i].bytes;
	freed->n--;
	memmove(&freed->file[i], &freed->file[i + 1],
		(freed->n - i) * sizeof(freed->file[0]));
	return name;
}

bool vgpu_freed_take(struct vgpu_freed *freed, const struct vgpu_render *owner,
		     uint64_t bytes, uint64_t *ret_name)
{
	for (uint32_t i = freed->n; i > 0; i--) {
		if (freed->file[i - 1].owner != owner ||
		    freed->file[i - 1].bytes != bytes)
			continue;
		*ret_name = remove_file(freed, i - 1);
		return true;
	}
	return false;
}

bool vgpu_freed_pop(struct vgpu_freed *freed, const struct vgpu_render *owner,
		    uint64_t *ret_name)
{
	for (uint32_t i = 0; i < freed->n; i++) {
		if (owner && freed->file[i].owner != owner)
			continue;
		*ret_name = remove_file(freed, i);
		return true;
	}
	return false;
}
