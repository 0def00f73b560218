/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Guest memory: SET_MEM_TABLE, ADD_MEM_REG and REM_MEM_REG. */
#include <string.h>
#include <sys/stat.h>

#include "device/state.h"
#include "device/vhost/internal.h"
#include "lib/mark.h"
#include "lib/util.h"

static void forget_region(struct vgpu_vhost *vhost, uint32_t index)
{
	vgpu_state_commit(vhost->state->region[index].is_used, 0U);
	vgpu_memory_remove(vgpu_virtio_memory(vhost->virtio), index);
	vgpu_slots_drop(vhost->slots, VGPU_SLOT_MEMORY + index);
}

void vgpu_vhost_forget_memory(struct vgpu_vhost *vhost)
{
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		forget_region(vhost, i);
	vgpu_virtio_resolve(vhost->virtio);
}

bool vgpu_vhost_has_memory(const struct vgpu_vhost *vhost)
{
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		if (vhost->state->region[i].is_used)
			return true;
	return false;
}

static int map_region(struct vgpu_vhost *vhost, uint32_t index,
		      const struct vgpu_state_region *region)
{
	struct vgpu_err err = {};
	int r;

	r = vgpu_memory_add(
		vgpu_virtio_memory(vhost->virtio), index, region,
		vgpu_slots_get(vhost->slots, VGPU_SLOT_MEMORY + index), &err);
	if (r == -EINVAL)
		return vgpu_vhost_violation(vhost, "%s", err.text);
	/* -EAGAIN has another meaning for callers of handlers. */
	return r == -EAGAIN ? -ENOMEM : r;
}

/* Map fd number @from of the message as region @index. */
static int add_region(struct vgpu_vhost *vhost, uint32_t index, uint32_t from,
		      const struct vhost_user_region *wire)
{
	struct vgpu_state_region *region = &vhost->state->region[index];
	int r;

	r = vgpu_slots_copy(vhost->slots, VGPU_SLOT_MESSAGE + from,
			    VGPU_SLOT_MEMORY + index);
	if (r < 0)
		return r;
	region->guest_address = wire->guest_address;
	region->bytes = wire->bytes;
	region->user_address = wire->user_address;
	region->file_offset = wire->mmap_offset;
	vgpu_state_note_file(
		&region->file,
		vgpu_slots_get(vhost->slots, VGPU_SLOT_MEMORY + index));
	r = map_region(vhost, index, region);
	if (r < 0) {
		vgpu_slots_drop(vhost->slots, VGPU_SLOT_MEMORY + index);
		return r;
	}
	vgpu_state_commit(region->is_used, 1U);
	return 0;
}

static void resolve_queues(struct vgpu_vhost *vhost)
{
	vgpu_virtio_resolve(vhost->virtio);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		vgpu_virtio_run(vhost->virtio, i);
}

int vgpu_vhost_map_memory(struct vgpu_vhost *vhost)
{
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++) {
		const struct vgpu_state_region *region = &vhost->state->region[i];
		int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_MEMORY + i);
		int r;

		if (!region->is_used)
			continue;
		if (!vgpu_state_is_file(&region->file, fd))
			return vgpu_vhost_violation(
				vhost,
				"memory region %u is another file than before",
				i);
		r = map_region(vhost, i, region);
		if (r < 0)
			return r;
	}
	vgpu_virtio_resolve(vhost->virtio);
	return 0;
}

int vgpu_vhost_set_mem_table(struct vgpu_vhost *vhost,
			     struct vgpu_vhost_message *message)
{
	const struct vhost_user_memory *table = &message->memory;
	uint32_t n = table->n_regions;

	if (n > VHOST_USER_TABLE_MAX ||
	    message->header.size != offsetof(struct vhost_user_memory, region) +
					    n * sizeof(table->region[0]))
		return vgpu_vhost_violation(vhost,
					    "a memory table of %u regions"
					    " in %u bytes",
					    n, message->header.size);
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		forget_region(vhost, i);
	for (uint32_t i = 0; i < n; i++) {
		int r = add_region(vhost, i, i, &table->region[i]);

		if (r < 0) {
			vgpu_vhost_forget_memory(vhost);
			return r;
		}
	}
	resolve_queues(vhost);
	return 0;
}

static bool is_same(const struct vgpu_state_region *region,
		    const struct vhost_user_region *wire)
{
	return region->is_used && region->guest_address == wire->guest_address &&
	       region->bytes == wire->bytes &&
	       region->user_address == wire->user_address;
}

/*
 * QEMU 11.1.3 tells us of what is in windows, ours and other vGPUs', as if it
 * were the guest's memory. There may be hundreds of it, and no request has to
 * do with it.
 */
static bool is_in_window(struct vgpu_vhost *vhost)
{
	int fd = vgpu_slots_get(vhost->slots, VGPU_SLOT_MESSAGE);
	struct stat st;

	if (vgpu_is_marked(fd))
		return true;
	/* Of ours, what an earlier vgpud has made is not marked. */
	if (!vgpu_vhost_has_window(vhost) || fstat(fd, &st) < 0)
		return false;
	return vgpu_gpu_shares(vgpu_virtio_gpu(vhost->virtio), st.st_ino);
}

/*
 * QEMU 11.1.3 crashes when it starts a device again after memory is gone that
 * the device had taken, as when a machine is reset while the window is in use.
 * It only remarks that we do not take it; but to start a device, as when a
 * machine goes on after a pause, all must be taken.
 */
static int leave_out(const struct vgpu_vhost *vhost)
{
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		if (vhost->state->queue[i].is_started)
			return -ENOSPC;
	return 0;
}

int vgpu_vhost_add_mem_reg(struct vgpu_vhost *vhost,
			   struct vgpu_vhost_message *message)
{
	const struct vhost_user_region *wire = &message->single_region.region;
	int free = -1;
	int r;

	if (is_in_window(vhost))
		return leave_out(vhost);

	for (int i = VGPU_SLOT_MEMORY_MAX - 1; i >= 0; i--) {
		/* A predecessor may have added it. */
		if (is_same(&vhost->state->region[i], wire))
			return 0;
		if (!vhost->state->region[i].is_used)
			free = i;
	}
	/*
	 * Most likely another device's window: ignore it, for the guest's sake.
	 */
	if (free < 0) {
		vhost->events->fault(
			vhost->opaque,
			"the VM has more memory regions than a vGPU takes: what is in the others is not seen");
		return leave_out(vhost);
	}
	r = add_region(vhost, (uint32_t)free, 0, wire);
	if (r < 0)
		return r;
	resolve_queues(vhost);
	return 0;
}

int vgpu_vhost_rem_mem_reg(struct vgpu_vhost *vhost,
			   struct vgpu_vhost_message *message)
{
	const struct vhost_user_region *wire = &message->single_region.region;

	/*
	 * A region that is not there is fine: a predecessor may have removed
	 * it.
	 */
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++) {
		if (!is_same(&vhost->state->region[i], wire))
			continue;
		forget_region(vhost, i);
		resolve_queues(vhost);
		break;
	}
	return 0;
}
