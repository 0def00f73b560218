/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds of one vGPU by slot: what a successor of its device would need. */
#include "fd_store.h"

#include "closer.h"
#include "lib/control_abi.h"
#include "lib/util.h"

/* A vhost-user message has at most one fd for each memory region. */
#define MESSAGE_FDS_MAX VGPU_SLOT_MEMORY_MAX

static bool is_segment(uint32_t slot)
{
	return slot >= VGPU_SLOT_SEGMENT && slot < VGPU_SLOT_MAX;
}

bool vgpu_fd_store_is_slot(uint32_t slot)
{
	static const struct {
		uint32_t first;
		uint32_t count;
	} ranges[] = {
		{VGPU_SLOT_STATE, 1},
		{VGPU_SLOT_LISTEN, 1},
		{VGPU_SLOT_CONTROL, 1},
		{VGPU_SLOT_FRONTEND, 1},
		{VGPU_SLOT_BACKEND_REQ, 1},
		{VGPU_SLOT_PIPE_READ, 1},
		{VGPU_SLOT_PIPE_WRITE, 1},
		{VGPU_SLOT_MEMORY, VGPU_SLOT_MEMORY_MAX},
		{VGPU_SLOT_KICK, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_CALL, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_ERROR, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_MESSAGE, MESSAGE_FDS_MAX},
		{VGPU_SLOT_SEGMENT, VGPU_SLOT_MAX - VGPU_SLOT_SEGMENT},
	};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ranges); i++)
		if (slot >= ranges[i].first &&
		    slot - ranges[i].first < ranges[i].count)
			return true;
	return false;
}

static struct vgpu_fd_entry *find(const struct vgpu_fd_store *store, uint32_t slot)
{
	for (size_t i = 0; i < store->count; i++)
		if (store->entries[i].slot == slot)
			return &store->entries[i];
	return NULL;
}

int vgpu_fd_store_put(struct vgpu_fd_store *store, uint32_t slot, int fd)
{
	struct vgpu_fd_entry *entry = find(store, slot);

	if (!vgpu_fd_store_is_slot(slot)) {
		vgpu_closer_close(fd);
		return -EINVAL;
	}
	if (entry) {
		vgpu_closer_close(entry->fd);
		entry->fd = fd;
		return 0;
	}
	if (store->count == store->allocated) {
		size_t n = VGPU_MAX(2 * store->allocated, 32U);

		entry = reallocarray(store->entries, n, sizeof(*entry));
		if (!entry) {
			vgpu_closer_close(fd);
			return -ENOMEM;
		}
		store->entries = entry;
		store->allocated = n;
	}
	store->entries[store->count++] = (struct vgpu_fd_entry){slot, fd};
	return 0;
}

void vgpu_fd_store_drop(struct vgpu_fd_store *store, uint32_t slot)
{
	struct vgpu_fd_entry *entry = find(store, slot);

	if (!entry)
		return;
	vgpu_closer_close(entry->fd);
	*entry = store->entries[--store->count];
}

int vgpu_fd_store_get(const struct vgpu_fd_store *store, uint32_t slot)
{
	const struct vgpu_fd_entry *entry = find(store, slot);

	return entry ? entry->fd : -1;
}

size_t vgpu_fd_store_count_segments(const struct vgpu_fd_store *store)
{
	size_t n = 0;

	for (size_t i = 0; i < store->count; i++)
		n += is_segment(store->entries[i].slot);
	return n;
}

size_t vgpu_fd_store_take_segments(struct vgpu_fd_store *store, int *ret_fds,
				   size_t n)
{
	size_t taken = 0;
	size_t i = 0;

	while (i < store->count && taken < n) {
		if (is_segment(store->entries[i].slot)) {
			ret_fds[taken++] = store->entries[i].fd;
			store->entries[i] = store->entries[--store->count];
		} else {
			i++;
		}
	}
	return taken;
}

void vgpu_fd_store_keep_segments(struct vgpu_fd_store *store)
{
	size_t i = 0;

	while (i < store->count) {
		if (is_segment(store->entries[i].slot)) {
			i++;
		} else {
			vgpu_closer_close(store->entries[i].fd);
			store->entries[i] = store->entries[--store->count];
		}
	}
}

void vgpu_fd_store_finish(struct vgpu_fd_store *store)
{
	for (size_t i = 0; i < store->count; i++)
		vgpu_closer_close(store->entries[i].fd);
	free(store->entries);
	*store = (struct vgpu_fd_store){};
}
