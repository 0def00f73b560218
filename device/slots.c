/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds that a successor needs, by slot number. */
#include "slots.h"

#include <assert.h>
#include <fcntl.h>

#include "lib/util.h"

struct table {
	vgpu_slots_announce *announce;
	void *opaque;
	/* fd + 1, so that the pages of empty slots are never touched */
	int fd_plus_1[VGPU_SLOT_MAX];
};

struct vgpu_slots {
	struct table *table;
	uint32_t first; /* in the table; 0: this one owns it */
};

int vgpu_slots_create(struct vgpu_slots **ret_slots)
{
	vgpu_autofree struct vgpu_slots *slots = calloc(1, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	slots->table = calloc(1, sizeof(*slots->table));
	if (!slots->table)
		return -ENOMEM;
	*ret_slots = vgpu_steal(&slots);
	return 0;
}

int vgpu_slots_view(struct vgpu_slots *slots, uint32_t first,
		    struct vgpu_slots **ret_view)
{
	struct vgpu_slots *view = calloc(1, sizeof(*view));

	assert(first > 0);
	if (!view)
		return -ENOMEM;
	view->table = slots->table;
	view->first = slots->first + first;
	*ret_view = view;
	return 0;
}

void vgpu_slots_destroy(struct vgpu_slots *slots)
{
	if (!slots)
		return;
	if (slots->first == 0) {
		for (uint32_t i = 0; i < VGPU_SLOT_MAX; i++)
			vgpu_close(slots->table->fd_plus_1[i] - 1);
		free(slots->table);
	}
	free(slots);
}

void vgpu_slots_on_change(struct vgpu_slots *slots,
			  vgpu_slots_announce *announce, void *opaque)
{
	slots->table->announce = announce;
	slots->table->opaque = opaque;
}

int vgpu_slots_get(const struct vgpu_slots *slots, uint32_t slot)
{
	assert(slot < VGPU_SLOT_MAX - slots->first);
	return slots->table->fd_plus_1[slots->first + slot] - 1;
}

static void change_slot(struct vgpu_slots *slots, uint32_t slot, int fd)
{
	struct table *table = slots->table;
	int old = vgpu_slots_get(slots, slot);

	if (old == fd)
		return;
	table->fd_plus_1[slots->first + slot] = fd + 1;
	vgpu_close(old);
	if (table->announce)
		table->announce(table->opaque, slots->first + slot);
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
