/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client's resources: rings and device memory, shared with its render
 * process.
 */
#include "internal.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "lib/util.h"

#define PAGE_BYTES 4096U
#define GROWTH	   16U
/* Ours, and one that may be on its way to the render process. */
#define SHM_FDS 2U
#define FLAGS_KNOWN                                                            \
	(VTEST_BLOB_MAPPABLE | VTEST_BLOB_SHAREABLE | VTEST_BLOB_CROSS_DEVICE)

static bool grow_table(struct vgpu_resources *resources)
{
	uint32_t n = resources->n_slots + VGPU_MAX(GROWTH, resources->n_slots);
	struct resource *slot;

	n = VGPU_MIN(n, RESOURCE_IDS);
	slot = reallocarray(resources->slot, n, sizeof(*slot));
	if (!slot)
		return false;
	memset(slot + resources->n_slots, 0,
	       (n - resources->n_slots) * sizeof(*slot));
	resources->slot = slot;
	resources->n_slots = n;
	return true;
}

/*
 * The index of a free slot, or RESOURCE_IDS. One after the other in a circle:
 * the client's rings, which are ahead of what we tell the render process, must
 * not name a resource by an id that still means another there.
 */
static uint32_t find_free(struct vgpu_resources *resources)
{
	uint32_t i = resources->next;

	if (resources->n >= RESOURCES_MAX)
		return RESOURCE_IDS;
	while (i < resources->n_slots && resources->slot[i].kind)
		i = (i + 1) % RESOURCE_IDS;
	if (i >= resources->n_slots && !grow_table(resources))
		return RESOURCE_IDS;
	resources->next = (i + 1) % RESOURCE_IDS;
	return i;
}

static int answer_with(struct connection *c, uint32_t id, int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 3);

	if (copy < 0)
		return vgpu_connection_end(c, "no fd for its memory: %s",
					   strerror(errno));
	vgpu_connection_answer(c, &id, 1, copy);
	return 0;
}

static int create_shm(struct connection *c, uint32_t index, uint64_t bytes)
{
	struct vgpu_vtest *vtest = c->vtest;
	struct resource *slot = &c->resources.slot[index];
	int fd;

	if (bytes > VGPU_VTEST_SHM_BYTES_MAX - vtest->shm_bytes)
		return vgpu_connection_end(c,
					   "%" PRIu64 " bytes of shared memory"
					   " are more than are left",
					   bytes);
	if (!vgpu_fd_share_take(&c->fds, SHM_FDS))
		return vgpu_connection_end(c, "has more files than are for it");
	if (!vgpu_host_memory_charge(vtest->host_memory, bytes)) {
		vgpu_fd_share_give(&c->fds, SHM_FDS);
		return vgpu_connection_end(c,
					   "%" PRIu64 " bytes of shared memory"
					   " are more than the host's memory"
					   " for this vGPU has left",
					   bytes);
	}
	fd = vgpu_lent_memfd("vgpu-shm", bytes);
	if (fd < 0) {
		vgpu_fd_share_give(&c->fds, SHM_FDS);
		vgpu_host_memory_uncharge(vtest->host_memory, bytes);
		return vgpu_connection_end(c, "no shared memory: %s",
					   strerror(-fd));
	}
	*slot = (struct resource){RESOURCE_SHM, fd, bytes};
	c->resources.n++;
	vtest->shm_bytes += bytes;
	vgpu_render_resource_add(c->render, index + 1, fd, bytes,
				 /* token= */ NULL);
	if (c->is_ready)
		return answer_with(c, index + 1, fd);
	/* See struct vgpu_render_ops: it may be the first ring's. */
	c->held_resource = index + 1;
	return 0;
}

void vgpu_resources_ready(struct connection *c)
{
	uint32_t id = c->held_resource;

	c->is_ready = true;
	if (c->phase >= LOST || !id ||
	    c->resources.slot[id - 1].kind != RESOURCE_SHM)
		return;
	c->held_resource = 0;
	answer_with(c, id, c->resources.slot[id - 1].fd);
}

int vgpu_resource_create_blob(struct connection *c, const uint32_t *body)
{
	uint64_t bytes = vgpu_words_u64(body + 2);
	uint64_t id = vgpu_words_u64(body + 4);
	uint32_t index;

	if (body[0] != VTEST_BLOB_HOST3D || (body[1] & ~FLAGS_KNOWN) ||
	    !bytes || bytes > INT64_MAX)
		return vgpu_connection_end(c, "wants a blob that makes no sense");
	if (body[1] & VTEST_BLOB_CROSS_DEVICE)
		return vgpu_connection_end(c, "wants a dma-buf");
	bytes = vgpu_align_up(bytes, PAGE_BYTES);
	index = find_free(&c->resources);
	if (index == RESOURCE_IDS)
		return vgpu_connection_end(c, "has no room for more resources");
	if (!id)
		return create_shm(c, index, bytes);

	c->resources.slot[index] = (struct resource){RESOURCE_MEMORY, -1, bytes};
	c->resources.n++;
	c->held_resource = index + 1;
	c->held_bytes = bytes;
	vgpu_render_export(c->render, id, index + 1, bytes, /* token= */ NULL);
	return 0;
}

void vgpu_resource_exported(struct connection *c, uint32_t id, int status,
			    uint64_t offset, uint64_t bytes)
{
	int fd;

	if (c->phase >= LOST || id != c->held_resource)
		return;
	if (status < 0) {
		vgpu_connection_end(c, "wants memory that is not there: %s",
				    strerror(-status));
		return;
	}
	fd = vgpu_own_memory_give(c->vtest->memory, c->render, offset,
				  VGPU_MAX(bytes, c->held_bytes));
	if (fd < 0) {
		vgpu_connection_end(c, "its render process names memory that is"
				       " not there");
		return;
	}
	c->held_resource = 0;
	answer_with(c, id, fd);
}

void vgpu_resource_fail_ring(struct connection *c, uint32_t id,
			     uint64_t status_offset)
{
	const struct resource *slot;

	if (!id || id > c->resources.n_slots)
		return;
	slot = &c->resources.slot[id - 1];
	if (slot->kind == RESOURCE_SHM)
		vgpu_render_set_fatal(slot->fd, slot->bytes, status_offset);
}

static void drop_resource(struct connection *c, uint32_t index)
{
	struct resource *slot = &c->resources.slot[index];

	if (slot->kind == RESOURCE_SHM) {
		/* A connection of gfxstream's may still look at its ring. */
		if (c->capset == VTEST_CAPSET_GFXSTREAM)
			vgpu_close(slot->fd);
		else
			vgpu_lent_memfd_revoke(slot->fd);
		c->vtest->shm_bytes -= slot->bytes;
		vgpu_fd_share_give(&c->fds, SHM_FDS);
		vgpu_host_memory_uncharge(c->vtest->host_memory, slot->bytes);
	}
	slot->kind = RESOURCE_NONE;
	c->resources.n--;
}

int vgpu_resource_unref(struct connection *c, uint32_t id)
{
	const struct resource *slot;

	if (!id || id > c->resources.n_slots || !c->resources.slot[id - 1].kind)
		return vgpu_connection_end(c,
					   "gives up resource %u, which is"
					   " not there",
					   id);
	slot = &c->resources.slot[id - 1];
	vgpu_render_resource_remove(c->render, id, slot->kind == RESOURCE_MEMORY,
				    slot->kind == RESOURCE_SHM ? slot->bytes : 0);
	drop_resource(c, id - 1);
	return 0;
}

void vgpu_resources_finish(struct connection *c)
{
	for (uint32_t i = 0; i < c->resources.n_slots; i++)
		if (c->resources.slot[i].kind)
			drop_resource(c, i);
	free(c->resources.slot);
}
