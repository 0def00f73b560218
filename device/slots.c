/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds that a successor needs, by slot number. */
#include "slots.h"

#include <assert.h>
#include <fcntl.h>

#include "lib/util.h"

struct vgpu_slots {
	vgpu_slots_announce *announce;
	void *opaque;
	/* fd + 1, so that the pages of empty slots are never touched */
	int fd_plus_1[VGPU_SLOT_MAX];
};

int vgpu_slots_create(struct vgpu_slots **ret_slots)
{
	struct vgpu_slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	*ret_slots = slots;
	return 0;
}

void vgpu_slots_destroy(struct vgpu_slots *slots)
{
	if (!slots)
		return;
	for (uint32_t i = 0; i < VGPU_SLOT_MAX; i++)
		vgpu_close(slots->fd_plus_1[i] - 1);
	free(slots);
}

void vgpu_slots_on_change(struct vgpu_slots *slots,
			  vgpu_slots_announce *announce, void *opaque)
{
	slots->announce = announce;
	slots->opaque = opaque;
}

int vgpu_slots_get(const struct vgpu_slots *slots, uint32_t slot)
{
	assert(slot < VGPU_SLOT_MAX);
	return slots->fd_plus_1[slot] - 1;
}

static void change_slot(struct vgpu_slots *slots, uint32_t slot, int fd)
{
	int old = vgpu_slots_get(slots, slot);

	if (old == fd)
		return;
	slots->fd_plus_1[slot] = fd + 1;
	vgpu_close(old);
	if (slots->announce)
		slots->announce(slots->opaque, slot);
}

void vgpu_slots_put(struct vgpu_slots *slots, uint32_t slot, int fd)
{
	assert(fd >= 0);
	change_slot(slots, slot, fd);
}

int vgpu_slots_copy(struct vgpu_slots *slots, uint32_t from, uint32_t to)
{
	int fd = fcntl(vgpu_slots_get(slots, from), F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	change_slot(slots, to, fd);
	return 0;
}

void vgpu_slots_drop(struct vgpu_slots *slots, uint32_t slot)
{
	change_slot(slots, slot, -1);
}
