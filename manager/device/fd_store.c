/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The fds of one vGPU by slot: what a successor of its device would need. */
#include "fd_store.h"

#include "manager/host/closer.h"
#include "lib/util.h"

/* A vhost-user message has at most one fd for each memory region. */
#define MESSAGE_FDS_MAX VGPU_SLOT_MEMORY_MAX

static bool is_segment(uint32_t slot)
{
	return slot >= VGPU_SLOT_SEGMENT && slot < VGPU_SLOT_MAX;
}

/* The slot of a device that @slot, perhaps of an input device, is like. */
static uint32_t plain_slot(uint32_t slot)
{
	return slot >= VGPU_SLOT_INPUT &&
			       slot < VGPU_SLOT_INPUT +
					       VGPU_INPUTS * VGPU_SLOT_DEVICE_STRIDE
		       ? slot % VGPU_SLOT_DEVICE_STRIDE
		       : slot;
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
		{VGPU_SLOT_LAUNCHER, 1},
		{VGPU_SLOT_DISPLAY, 1},
		{VGPU_SLOT_MDEV, 1},
		{VGPU_SLOT_TIME, 1},
		{VGPU_SLOT_MEMORY, VGPU_SLOT_MEMORY_MAX},
		{VGPU_SLOT_KICK, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_CALL, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_ERROR, VGPU_SLOT_QUEUE_MAX},
		{VGPU_SLOT_MESSAGE, MESSAGE_FDS_MAX},
		{VGPU_SLOT_SEGMENT, VGPU_SLOT_MAX - VGPU_SLOT_SEGMENT},
		{VGPU_SLOT_OWN_CONTROL, VGPU_SLOT_OWN_MAX - VGPU_SLOT_OWN_CONTROL},
	};

	slot = plain_slot(slot);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(ranges); i++)
		if (slot >= ranges[i].first &&
		    slot - ranges[i].first < ranges[i].count)
			return true;
	return false;
}

bool vgpu_fd_store_is_given(uint32_t slot)
{
	slot = plain_slot(slot);
	return slot < VGPU_SLOT_FRONTEND || slot == VGPU_SLOT_LAUNCHER ||
	       slot == VGPU_SLOT_MDEV || slot >= VGPU_SLOT_SEGMENT;
}

static struct vgpu_fd_entry *find_entry(const struct vgpu_fd_store *store,
					uint32_t slot)
{
	for (size_t i = 0; i < store->count; i++)
		if (store->entries[i].slot == slot)
			return &store->entries[i];
	return NULL;
}

static struct vgpu_fd_entry *append_entry(struct vgpu_fd_store *store,
					  uint32_t slot, int fd)
{
	struct vgpu_fd_entry *entry;

	if (store->count == store->allocated) {
		size_t n = VGPU_MAX(2 * store->allocated, 32U);

		entry = reallocarray(store->entries, n, sizeof(*entry));
		if (!entry)
			return NULL;
		store->entries = entry;
		store->allocated = n;
	}
	entry = &store->entries[store->count++];
	*entry = (struct vgpu_fd_entry){.slot = slot, .fd = fd};
	return entry;
}

/* The last entry takes its place. */
static void remove_entry(struct vgpu_fd_store *store, struct vgpu_fd_entry *entry)
{
	vgpu_deposit_remove(store->deposit, entry->kept);
	*entry = store->entries[--store->count];
}

int vgpu_fd_store_put(struct vgpu_fd_store *store, uint32_t slot, int fd)
{
	struct vgpu_fd_entry *entry = find_entry(store, slot);

	if (!vgpu_fd_store_is_slot(slot)) {
		vgpu_closer_close(fd);
		return -EINVAL;
	}
	if (entry) {
		vgpu_closer_close(entry->fd);
		entry->fd = fd;
		entry->is_recovered = false;
	} else {
		entry = append_entry(store, slot, fd);
	}
	if (!entry) {
		vgpu_closer_close(fd);
		return -ENOMEM;
	}
	entry->kept = vgpu_deposit_put(store->deposit, entry->kept, store->uuid,
				       slot, fd);
	return 0;
}

void vgpu_fd_store_drop(struct vgpu_fd_store *store, uint32_t slot)
{
	struct vgpu_fd_entry *entry = find_entry(store, slot);

	if (!entry)
		return;
	vgpu_closer_close(entry->fd);
	remove_entry(store, entry);
}

static void on_found(void *userdata, uint32_t slot, int fd, uint32_t kept)
{
	struct vgpu_fd_store *store = userdata;
	struct vgpu_fd_entry *entry = NULL;

	if (vgpu_fd_store_is_slot(slot) && !find_entry(store, slot))
		entry = append_entry(store, slot, fd);
	if (!entry) {
		vgpu_closer_close(fd);
		vgpu_deposit_remove(store->deposit, kept);
		return;
	}
	entry->kept = kept;
	entry->is_recovered = true;
}

void vgpu_fd_store_recover(struct vgpu_fd_store *store)
{
	vgpu_deposit_recover(store->deposit, store->uuid, on_found, store);
}

void vgpu_fd_store_drop_recovered(struct vgpu_fd_store *store)
{
	size_t i = 0;

	while (i < store->count) {
		struct vgpu_fd_entry *entry = &store->entries[i];

		if (entry->is_recovered && !vgpu_fd_store_is_given(entry->slot)) {
			vgpu_closer_close(entry->fd);
			remove_entry(store, entry);
		} else {
			i++;
		}
	}
}

int vgpu_fd_store_get(const struct vgpu_fd_store *store, uint32_t slot)
{
	const struct vgpu_fd_entry *entry = find_entry(store, slot);

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
			remove_entry(store, &store->entries[i]);
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
			remove_entry(store, &store->entries[i]);
		}
	}
}

void vgpu_fd_store_finish(struct vgpu_fd_store *store)
{
	while (store->count > 0) {
		struct vgpu_fd_entry *last = &store->entries[store->count - 1];

		vgpu_closer_close(last->fd);
		remove_entry(store, last);
	}
	free(store->entries);
	store->entries = NULL;
	store->allocated = 0;
}
