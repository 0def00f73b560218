/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device memory where there is no VM: a memfd for each allocation. */
#include "own_memory.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>

#include "lib/mark.h"
#include "lib/util.h"

#define GROWTH 64U
#define NONE   UINT32_MAX

struct allocation {
	const struct vgpu_render *owner; /* NULL: free, or kept */
	struct vgpu_fd_share *fds;	 /* its fd is one of these */
	uint64_t bytes;
	int fd;		 /* -1 for a mere charge */
	uint32_t serial; /* of this use of the slot */
	uint32_t next;	 /* free one, or NONE */
	bool is_given;	 /* its program has it */
};

struct vgpu_own_memory {
	vgpu_own_memory_fds *find_fds;
	void *opaque;
	uint64_t quota_bytes;
	uint64_t used_bytes;	      /* without those that are kept */
	struct vgpu_freed freed;      /* by slot */
	struct vgpu_reserve *reserve; /* may be NULL */
	bool has_dmabufs;
	struct allocation *slot;
	uint32_t n_slots;
	uint32_t first_free; /* or NONE */
};

static int create_memfd(const char *name, uint64_t bytes, int seals)
{
	vgpu_autoclose int fd = -1;

	if (bytes > INT64_MAX)
		return -EFBIG;
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 || ftruncate(fd, (off_t)bytes) < 0 ||
	    fcntl(fd, F_ADD_SEALS, seals | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	return vgpu_steal_fd(&fd);
}

int vgpu_sealed_memfd(const char *name, uint64_t bytes)
{
	int fd = create_memfd(name, bytes, F_SEAL_SHRINK);

	if (fd >= 0)
		vgpu_mark_file(fd);
	return fd;
}

int vgpu_lent_memfd(const char *name, uint64_t bytes)
{
	return create_memfd(name, bytes, 0);
}

void vgpu_lent_memfd_revoke(int fd)
{
	if (fd < 0)
		return;
	/*
	 * Not a hole: zeros in place of what a program maps would be an answer
	 * (a fence of Mesa's that reads 0 is signalled), and new pages would
	 * come to be in it that nobody has accounted for.
	 */
	if (ftruncate(fd, 0) < 0)
		perror("vgpu-device: cannot take memory back");
	close(fd);
}

int vgpu_own_memory_create(uint64_t quota_bytes, struct vgpu_reserve *reserve,
			   bool has_dmabufs, vgpu_own_memory_fds *find_fds,
			   void *opaque, struct vgpu_own_memory **ret_memory)
{
	struct vgpu_own_memory *memory = malloc(sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	*memory = (struct vgpu_own_memory){
		.find_fds = find_fds,
		.opaque = opaque,
		.quota_bytes = quota_bytes,
		.freed.bytes_max = vgpu_freed_bytes_max(quota_bytes),
		.reserve = reserve,
		.has_dmabufs = has_dmabufs,
		.first_free = NONE,
	};
	*ret_memory = memory;
	return 0;
}

/*
 * Let go of a file that nobody's context has any more. One of which there may be
 * dma-bufs cannot be made smaller. A program that still maps it finds what was
 * there, for zeros would be an answer, and its pages stay until it unmaps them.
 */
static void abandon_file(const struct vgpu_own_memory *memory, int fd)
{
	if (memory->has_dmabufs)
		vgpu_close(fd);
	else
		vgpu_lent_memfd_revoke(fd);
}

/* It does not count as used any more. */
static void release(struct vgpu_own_memory *memory, uint32_t index, bool is_lost)
{
	struct allocation *slot = &memory->slot[index];

	if (slot->fd >= 0)
		vgpu_fd_share_give(slot->fds, 1);
	if (slot->fd >= 0 && memory->has_dmabufs && !is_lost) {
		/* Who has freed it and still maps it finds zeros. */
		vgpu_reserve_drain(memory->reserve, slot->fd, slot->bytes);
	} else {
		abandon_file(memory, slot->fd);
		vgpu_reserve_uncharge(memory->reserve, slot->bytes);
	}
	slot->owner = NULL;
	slot->next = memory->first_free;
	memory->first_free = index;
}

/* Release one that is kept for @owner, for anybody if it is NULL. */
static bool release_kept(struct vgpu_own_memory *memory,
			 const struct vgpu_render *owner)
{
	uint64_t index;

	if (!vgpu_freed_pop(&memory->freed, owner, &index))
		return false;
	release(memory, (uint32_t)index, /* is_lost= */ false);
	return true;
}

/*
 * Keep a file for the context that had it. Who has a dma-buf of one may not be
 * its program: what that writes there later is none of theirs.
 */
static bool keep(struct vgpu_own_memory *memory, uint32_t index)
{
	struct allocation *slot = &memory->slot[index];

	if (slot->fd < 0 || (memory->has_dmabufs && slot->is_given) ||
	    slot->bytes > memory->freed.bytes_max)
		return false;
	while (!vgpu_freed_has_room(&memory->freed, slot->bytes))
		release_kept(memory, NULL);
	vgpu_freed_add(&memory->freed, slot->owner, slot->bytes, index);
	slot->owner = NULL;
	return true;
}

static void drop(struct vgpu_own_memory *memory, uint32_t index, bool is_lost)
{
	memory->used_bytes -= memory->slot[index].bytes;
	if (is_lost || !keep(memory, index))
		release(memory, index, is_lost);
}

void vgpu_own_memory_destroy(struct vgpu_own_memory *memory)
{
	if (!memory)
		return;
	while (release_kept(memory, NULL))
		;
	/* Those of a process that would not end are still there. */
	for (uint32_t i = 0; i < memory->n_slots; i++)
		if (memory->slot[i].owner)
			abandon_file(memory, memory->slot[i].fd);
	free(memory->slot);
	free(memory);
}

uint64_t vgpu_own_memory_used(const struct vgpu_own_memory *memory)
{
	return memory->used_bytes;
}

static bool grow(struct vgpu_own_memory *memory)
{
	uint32_t n = memory->n_slots + VGPU_MAX(GROWTH, memory->n_slots);
	struct allocation *slot;

	n = VGPU_MIN(n, VGPU_OWN_MEMORY_ALLOCATIONS_MAX);
	if (n == memory->n_slots)
		return false;
	slot = reallocarray(memory->slot, n, sizeof(*slot));
	if (!slot)
		return false;
	memory->slot = slot;
	while (memory->n_slots < n) {
		slot[memory->n_slots] = (struct allocation){
			.next = memory->first_free,
		};
		memory->first_free = memory->n_slots++;
	}
	return true;
}

/* Its name: the slot, and which use of it, so that old names mean nothing. */
static uint64_t name_of(const struct vgpu_own_memory *memory, uint32_t index)
{
	return (uint64_t)memory->slot[index].serial << 32 | index;
}

static struct allocation *find(const struct vgpu_own_memory *memory,
			       const struct vgpu_render *context, uint64_t name)
{
	uint32_t index = (uint32_t)name;

	if (index >= memory->n_slots || name_of(memory, index) != name ||
	    memory->slot[index].owner != context)
		return NULL;
	return &memory->slot[index];
}

/* A new file, without its pages. -ENOMEM, whatever it was. */
static int make_file(struct vgpu_own_memory *memory, struct vgpu_fd_share *fds,
		     uint64_t bytes)
{
	int fd;

	if (!fds)
		return -ENOMEM;
	while (!vgpu_fd_share_take(fds, 1))
		if (!release_kept(memory, NULL))
			return -ENOMEM;
	fd = memory->has_dmabufs ? vgpu_sealed_memfd("vgpu-memory", bytes)
				 : vgpu_lent_memfd("vgpu-memory", bytes);
	if (fd >= 0)
		return fd;
	vgpu_fd_share_give(fds, 1);
	return -ENOMEM;
}

/* Give @context again what it has freed, by another name. */
static bool reuse(struct vgpu_own_memory *memory,
		  const struct vgpu_render *context, uint64_t bytes,
		  uint64_t *ret_name, int *ret_fd)
{
	struct allocation *slot;
	uint64_t index;

	if (!vgpu_freed_take(&memory->freed, context, bytes, &index))
		return false;
	slot = &memory->slot[index];
	slot->owner = context;
	slot->serial++;
	memory->used_bytes += bytes;
	*ret_name = name_of(memory, (uint32_t)index);
	*ret_fd = slot->fd;
	return true;
}

/* What is kept makes room for what is wanted: bytes, and a slot. */
static bool make_room(struct vgpu_own_memory *memory, uint64_t bytes)
{
	if (bytes > memory->quota_bytes - memory->used_bytes)
		return false;
	while (bytes >
	       memory->quota_bytes - memory->used_bytes - memory->freed.bytes)
		release_kept(memory, NULL);
	return memory->first_free != NONE || grow(memory) ||
	       release_kept(memory, NULL);
}

static int own_alloc(void *opaque, struct vgpu_render *context, uint64_t bytes,
		     bool is_charge, uint64_t question, uint64_t *ret_name,
		     int *ret_fd)
{
	struct vgpu_own_memory *memory = opaque;
	struct vgpu_fd_share *fds = NULL;
	struct allocation *slot;
	int fd = -1;

	if (!is_charge && reuse(memory, context, bytes, ret_name, ret_fd))
		return 1;
	if (!make_room(memory, bytes))
		return -ENOMEM;
	if (is_charge) {
		vgpu_reserve_charge(memory->reserve, bytes);
	} else {
		fds = memory->find_fds(memory->opaque, context);
		fd = make_file(memory, fds, bytes);
		if (fd < 0)
			return fd;
	}
	slot = &memory->slot[memory->first_free];
	*slot = (struct allocation){
		.owner = context,
		.fds = fds,
		.bytes = bytes,
		.fd = fd,
		.serial = slot->serial + 1,
		.next = slot->next,
	};
	*ret_name = name_of(memory, memory->first_free);
	memory->first_free = slot->next;
	memory->used_bytes += bytes;
	*ret_fd = fd;
	return 0;
}

static int64_t own_free(void *opaque, struct vgpu_render *context, uint64_t offset)
{
	struct vgpu_own_memory *memory = opaque;
	const struct allocation *slot = find(memory, context, offset);
	int64_t bytes;

	if (!slot)
		return -EINVAL;
	bytes = slot->fd >= 0 ? (int64_t)slot->bytes : 0;
	drop(memory, (uint32_t)(slot - memory->slot), /* is_lost= */ false);
	return bytes;
}

static void own_free_all(void *opaque, struct vgpu_render *context)
{
	struct vgpu_own_memory *memory = opaque;

	while (release_kept(memory, context))
		;
	for (uint32_t i = 0; i < memory->n_slots; i++)
		if (memory->slot[i].owner == context)
			drop(memory, i, /* is_lost= */ true);
}

const struct vgpu_render_memory_ops vgpu_own_memory_ops = {
	.alloc = own_alloc,
	.free = own_free,
	.free_all = own_free_all,
};

int vgpu_own_memory_give(struct vgpu_own_memory *memory,
			 const struct vgpu_render *context, uint64_t offset,
			 uint64_t bytes)
{
	struct allocation *slot = find(memory, context, offset);

	if (!slot || slot->fd < 0 || bytes > slot->bytes)
		return -EINVAL;
	slot->is_given = true;
	return slot->fd;
}
