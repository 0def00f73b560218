/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The framebuffer: 2D resources and the contexts' device memory, one quota. */
#include "device/gpu/memory/memory.h"

#include <assert.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "device/render/launcher.h"
#include "device/render/own_memory.h"

/*
 * Each 2D resource and each piece of device memory is a file, so that a
 * context's process can be given what is its own and nothing else. Its number
 * is that of its entry in the state. Of device memory, `owner` is the context's
 * process until it frees it or is gone, and `users` counts the guest's
 * resources that name it: it is free when there is neither.
 *
 * Files are kept by the launcher before the state names them. Their size is
 * sealed, for we map some of them, and so does the VMM: nobody may die of what
 * a context's process does to them. When one is free its pages are taken back,
 * whoever still has it, and no other context ever gets it. What such a process
 * then makes of it anew is its own, and counted in the vGPU's cgroup. One that
 * a single context has had is first kept a while for that context, see freed.h.
 */

static_assert(VGPU_GPU_CONTEXTS_MAX < VGPU_GPU_OWNER_NOBODY, "indices + 1");
static_assert(VGPU_LAUNCH_MEMORY_MAX ==
		      VGPU_GPU_KEPT_FILES + VGPU_GPU_ALLOCATIONS_MAX,
	      "a number for each slot and each allocation");

/*
 * Of fds that a process may have, what is for others than these files: shared
 * memory, contexts, segments, guest memory; half of all where there are few.
 */
#define OTHER_FILES 8192U

/* The owner of what nobody's process may still use. */
static const char nobody;

static struct vgpu_gpu_state_allocation *entry_of(const struct vgpu_gpu *gpu,
						  uint32_t number)
{
	return &gpu->state->allocation[number - 1];
}

static struct vgpu_gpu_file *file_of(const struct vgpu_gpu *gpu, uint32_t number)
{
	return &gpu->storage.file[number - 1];
}

static uint32_t kept_as(uint32_t number)
{
	return VGPU_GPU_KEPT_FILES + number - 1;
}

int vgpu_gpu_storage_init(struct vgpu_gpu *gpu)
{
	struct rlimit limit = {};

	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur -= VGPU_MIN(limit.rlim_cur / 2, (rlim_t)OTHER_FILES);
	gpu->storage.files_max =
		(uint32_t)VGPU_MIN(limit.rlim_cur, (rlim_t)VGPU_GPU_FILES_MAX);
	gpu->storage.freed.bytes_max =
		vgpu_freed_bytes_max(gpu->config.framebuffer_bytes);
	gpu->storage.file =
		calloc(VGPU_GPU_ALLOCATIONS_MAX, sizeof(gpu->storage.file[0]));
	return gpu->storage.file ? 0 : -ENOMEM;
}

static void unmap(const struct vgpu_gpu *gpu, uint32_t number)
{
	struct vgpu_gpu_file *file = file_of(gpu, number);

	if (file->map)
		munmap(file->map, file->bytes);
	file->map = NULL;
}

void vgpu_gpu_storage_finish(struct vgpu_gpu *gpu)
{
	for (uint32_t number = 1; number <= gpu->storage.n; number++) {
		unmap(gpu, number);
		vgpu_close(file_of(gpu, number)->fd_plus_1 - 1);
	}
	free(gpu->storage.file);
	gpu->storage = (struct vgpu_gpu_storage){};
}

static bool is_live(const struct vgpu_gpu_file *file)
{
	return file->owner || file->users;
}

static void free_number(struct vgpu_gpu *gpu, uint32_t number)
{
	*file_of(gpu, number) =
		(struct vgpu_gpu_file){.next = gpu->storage.first_free};
	gpu->storage.first_free = number;
}

/* Take its pages back. It does not count as used any more. */
static void release(struct vgpu_gpu *gpu, uint32_t number)
{
	const struct vgpu_gpu_file *file = file_of(gpu, number);
	uint64_t bytes = file->bytes;

	unmap(gpu, number);
	if (file->fd_plus_1) {
		gpu->storage.n_files--;
		vgpu_launcher_drop(gpu->config.launcher, kept_as(number));
		vgpu_reserve_drain(gpu->config.reserve, file->fd_plus_1 - 1,
				   bytes);
	} else {
		vgpu_reserve_uncharge(gpu->config.reserve, bytes);
	}
	free_number(gpu, number);
}

/* Release one that is kept for @owner, for anybody if it is NULL. */
static bool release_kept(struct vgpu_gpu *gpu, const struct vgpu_render *owner)
{
	uint64_t number;

	if (!vgpu_freed_pop(&gpu->storage.freed, owner, &number))
		return false;
	release(gpu, (uint32_t)number);
	return true;
}

/*
 * Keep it for who alone has had it, if it is small enough. To a successor it is
 * free.
 */
static bool keep(struct vgpu_gpu *gpu, uint32_t number)
{
	const struct vgpu_gpu_file *file = file_of(gpu, number);
	struct vgpu_freed *freed = &gpu->storage.freed;

	if (!file->only_user || !file->fd_plus_1 || file->bytes > freed->bytes_max)
		return false;
	while (!vgpu_freed_has_room(freed, file->bytes))
		release_kept(gpu, NULL);
	unmap(gpu, number);
	vgpu_freed_add(freed, file->only_user, file->bytes, number);
	return true;
}

/* It is nobody's any more, as the state says already. */
static void drop(struct vgpu_gpu *gpu, uint32_t number)
{
	gpu->storage.used_bytes -= file_of(gpu, number)->bytes;
	if (!keep(gpu, number))
		release(gpu, number);
}

static void drop_unused(struct vgpu_gpu *gpu, uint32_t number)
{
	if (!is_live(file_of(gpu, number)))
		drop(gpu, number);
}

void vgpu_gpu_storage_clear(struct vgpu_gpu *gpu)
{
	for (uint32_t i = gpu->storage.n; i > 0; i--) {
		vgpu_gpu_commit(&entry_of(gpu, i)->owner, 0u);
		file_of(gpu, i)->only_user = NULL;
		if (is_live(file_of(gpu, i)))
			drop(gpu, i);
	}
	while (release_kept(gpu, NULL))
		;
	vgpu_gpu_commit(&gpu->state->allocations_used, 0u);
	gpu->storage.n = 0;
	gpu->storage.first_free = 0;
}

/* Whoever owns it owns it no more. */
static void disown(struct vgpu_gpu *gpu, uint32_t number)
{
	file_of(gpu, number)->owner = NULL;
	vgpu_gpu_commit(&entry_of(gpu, number)->owner, 0u);
	drop_unused(gpu, number);
}

uint64_t vgpu_gpu_storage_used(const struct vgpu_gpu *gpu)
{
	return gpu->storage.used_bytes;
}

uint64_t vgpu_gpu_storage_of(const struct vgpu_gpu *gpu,
			     const struct vgpu_render *owner)
{
	uint64_t bytes = 0;

	for (uint32_t i = 1; i <= gpu->storage.n; i++)
		if (file_of(gpu, i)->owner == owner && file_of(gpu, i)->fd_plus_1)
			bytes += file_of(gpu, i)->bytes;
	return bytes;
}

static bool has_quota(const struct vgpu_gpu *gpu, uint64_t bytes)
{
	return bytes <= gpu->config.framebuffer_bytes - gpu->storage.used_bytes -
				gpu->storage.freed.bytes;
}

/* What is kept makes room for what is wanted. */
static bool make_room(struct vgpu_gpu *gpu, uint64_t bytes)
{
	if (bytes > gpu->config.framebuffer_bytes - gpu->storage.used_bytes)
		return false;
	while (!has_quota(gpu, bytes))
		release_kept(gpu, NULL);
	while (gpu->storage.n_files == gpu->storage.files_max &&
	       release_kept(gpu, NULL))
		;
	return true;
}

/* Entry @number has @bytes from now on, and @fd, if it is not -1. */
static void count(struct vgpu_gpu *gpu, uint32_t number, uint64_t bytes, int fd)
{
	gpu->storage.used_bytes += bytes;
	gpu->storage.n_files += fd >= 0;
	file_of(gpu, number)->fd_plus_1 = fd + 1;
	file_of(gpu, number)->bytes = bytes;
}

/* A number that is nobody's yet, with an entry that nobody's state names; or 0. */
static uint32_t take_number(struct vgpu_gpu *gpu)
{
	uint32_t number = gpu->storage.first_free;

	if (number) {
		gpu->storage.first_free = file_of(gpu, number)->next;
		return number;
	}
	number = gpu->storage.n + 1;
	if (number > VGPU_GPU_ALLOCATIONS_MAX)
		return 0;
	/* What a stranger left there must not come to life. */
	*entry_of(gpu, number) = (struct vgpu_gpu_state_allocation){};
	*file_of(gpu, number) = (struct vgpu_gpu_file){};
	vgpu_gpu_commit(&gpu->state->allocations_used, number);
	gpu->storage.n = number;
	return number;
}

/* A file for @number that its successor would find. Returns its fd or -ENOMEM. */
static int make_file(struct vgpu_gpu *gpu, uint32_t number, uint64_t bytes,
		     uint64_t *ret_inode)
{
	struct stat st;
	int fd = -1;

	if (gpu->storage.n_files < gpu->storage.files_max)
		fd = vgpu_sealed_memfd("vgpu-memory", bytes);
	if (fd < 0 || fstat(fd, &st) < 0) {
		vgpu_close(fd);
		return -ENOMEM;
	}
	vgpu_launcher_keep(gpu->config.launcher, kept_as(number), fd);
	*ret_inode = st.st_ino;
	return fd;
}

/* The entry is complete, and no context's nor any resource's yet. */
static int make(struct vgpu_gpu *gpu, uint64_t bytes, bool is_charge,
		uint64_t question, uint32_t *ret_number)
{
	uint64_t inode = 0;
	uint32_t number;
	int fd = -1;

	if (!make_room(gpu, bytes))
		return -ENOMEM;
	number = take_number(gpu);
	if (!number && release_kept(gpu, NULL))
		number = take_number(gpu);
	if (!number)
		return -ENOMEM;
	if (!is_charge) {
		fd = make_file(gpu, number, bytes, &inode);
		if (fd < 0) {
			free_number(gpu, number);
			return fd;
		}
	}
	*entry_of(gpu, number) = (struct vgpu_gpu_state_allocation){
		.inode = inode,
		.bytes = bytes,
		.question = question,
	};
	*file_of(gpu, number) = (struct vgpu_gpu_file){};
	count(gpu, number, bytes, fd);
	if (is_charge)
		vgpu_reserve_charge(gpu->config.reserve, bytes);
	*ret_number = number;
	return 0;
}

int vgpu_gpu_storage_take(struct vgpu_gpu *gpu, uint64_t bytes,
			  uint64_t *ret_number)
{
	uint32_t number;
	int r = make(gpu, vgpu_gpu_storage_bytes(bytes), /* is_charge= */ false,
		     /* question= */ 0, &number);

	if (r < 0)
		return r;
	file_of(gpu, number)->users = 1;
	file_of(gpu, number)->is_alone = true;
	*ret_number = number;
	return 0;
}

/* What may be named so; NULL if there is no such file. */
static struct vgpu_gpu_file *find(struct vgpu_gpu *gpu, uint64_t number)
{
	struct vgpu_gpu_file *file;

	if (number == 0 || number > gpu->storage.n)
		return NULL;
	file = file_of(gpu, (uint32_t)number);
	return file->fd_plus_1 ? file : NULL;
}

uint64_t vgpu_gpu_storage_share(struct vgpu_gpu *gpu,
				const struct vgpu_render *owner, uint64_t number)
{
	struct vgpu_gpu_file *file = find(gpu, number);

	if (!file || file->owner != owner)
		return 0;
	file->users++;
	return file->bytes;
}

int vgpu_gpu_storage_open(struct vgpu_gpu *gpu, uint64_t number)
{
	file_of(gpu, (uint32_t)number)->only_user = NULL;
	return vgpu_gpu_storage_fd(gpu, number);
}

void vgpu_gpu_storage_put(struct vgpu_gpu *gpu, uint64_t number)
{
	struct vgpu_gpu_file *file = find(gpu, number);

	assert(file && file->users);
	file->users--;
	drop_unused(gpu, (uint32_t)number);
	gpu->ops->status_changed(gpu->opaque);
}

uint8_t *vgpu_gpu_storage_map(struct vgpu_gpu *gpu, uint64_t number)
{
	struct vgpu_gpu_file *file = find(gpu, number);
	void *map;

	assert(file);
	if (file->map)
		return file->map;
	map = mmap(NULL, file->bytes, PROT_READ | PROT_WRITE, MAP_SHARED,
		   file->fd_plus_1 - 1, 0);
	if (map == MAP_FAILED)
		return NULL;
	madvise(map, file->bytes, MADV_DONTDUMP);
	file->map = map;
	return map;
}

/* Give @owner again what it has freed. */
static bool reuse(struct vgpu_gpu *gpu, const struct vgpu_render *owner,
		  uint64_t bytes, uint64_t question, uint32_t *ret_number)
{
	uint64_t number;

	if (!vgpu_freed_take(&gpu->storage.freed, owner, bytes, &number))
		return false;
	gpu->storage.used_bytes += bytes;
	entry_of(gpu, (uint32_t)number)->question = question;
	*ret_number = (uint32_t)number;
	return true;
}

static int memory_alloc(void *opaque, struct vgpu_render *owner, uint64_t bytes,
			bool is_charge, uint64_t question, uint64_t *ret_name,
			int *ret_fd)
{
	struct vgpu_gpu *gpu = opaque;
	uint32_t index = gpu->context_ops->index(gpu, owner);
	uint32_t number;
	int r = 1;

	if (bytes == 0 || bytes % VGPU_GPU_PAGE != 0)
		return -EINVAL;
	if (index == VGPU_GPU_NO_SLOT)
		return -ENOMEM;
	if (is_charge || !reuse(gpu, owner, bytes, question, &number))
		r = make(gpu, bytes, is_charge, question, &number);
	if (r < 0)
		return r;
	file_of(gpu, number)->owner = file_of(gpu, number)->only_user = owner;
	vgpu_gpu_commit(&entry_of(gpu, number)->owner, index + 1);
	*ret_name = number;
	*ret_fd = vgpu_gpu_storage_fd(gpu, number);
	gpu->ops->status_changed(gpu->opaque);
	return r;
}

static int memory_find(void *opaque, struct vgpu_render *owner,
		       uint64_t question, uint64_t *ret_name, int *ret_fd)
{
	struct vgpu_gpu *gpu = opaque;

	for (uint32_t i = 1; i <= gpu->storage.n; i++) {
		if (file_of(gpu, i)->owner != owner ||
		    entry_of(gpu, i)->question != question)
			continue;
		*ret_name = i;
		*ret_fd = vgpu_gpu_storage_fd(gpu, i);
		return 0;
	}
	return -ENOENT;
}

static int64_t memory_free(void *opaque, struct vgpu_render *owner, uint64_t name)
{
	struct vgpu_gpu *gpu = opaque;
	int64_t mapped;
	uint32_t number;

	if (name == 0 || name > gpu->storage.n)
		return -EINVAL;
	number = (uint32_t)name;
	if (file_of(gpu, number)->owner != owner)
		return -EINVAL;
	mapped = file_of(gpu, number)->fd_plus_1
			 ? (int64_t)file_of(gpu, number)->bytes
			 : 0;
	disown(gpu, number);
	gpu->ops->status_changed(gpu->opaque);
	return mapped;
}

static void memory_free_all(void *opaque, struct vgpu_render *owner)
{
	struct vgpu_gpu *gpu = opaque;

	while (release_kept(gpu, owner))
		;
	for (uint32_t i = 1; i <= gpu->storage.n; i++) {
		if (file_of(gpu, i)->only_user == owner)
			file_of(gpu, i)->only_user = NULL;
		if (file_of(gpu, i)->owner == owner)
			disown(gpu, i);
	}
	gpu->ops->status_changed(gpu->opaque);
}

void vgpu_gpu_storage_abandon(struct vgpu_gpu *gpu, uint32_t index)
{
	for (uint32_t i = 1; i <= gpu->storage.n; i++) {
		struct vgpu_gpu_state_allocation *entry = entry_of(gpu, i);

		if (entry->owner != index + 1)
			continue;
		entry->question = gpu->state->context[index].render.process;
		vgpu_gpu_commit(&entry->owner, VGPU_GPU_OWNER_NOBODY);
	}
}

/* Whether the process that it was left with may still use it. */
static bool is_in_use(struct vgpu_gpu *gpu,
		      const struct vgpu_gpu_state_allocation *entry)
{
	/* They come in no order, but there is hardly ever more than one. */
	if (gpu->last_ended != entry->question &&
	    vgpu_render_end_process(&gpu->render, entry->question))
		gpu->last_ended = entry->question;
	return gpu->last_ended != entry->question;
}

/* Bit @number is set in *needed for each file that something names. */
static void note_needed(const struct vgpu_gpu *gpu, uint8_t *needed)
{
	const struct vgpu_gpu_state *state = gpu->state;

	for (uint32_t i = 0; i < gpu->storage.n; i++)
		needed[i] = state->allocation[i].owner &&
			    state->allocation[i].inode;
	for (uint32_t slot = 0; slot < state->slots_used; slot++) {
		const struct vgpu_gpu_state_resource *resource;

		resource = &state->resource[slot];
		if (resource->id && resource->storage &&
		    resource->storage <= gpu->storage.n &&
		    (resource->kind == VGPU_GPU_KIND_2D ||
		     resource->kind == VGPU_GPU_KIND_MEMORY))
			needed[resource->storage - 1] = 1;
	}
}

/* Whether @fd is the file that the entry was made with. */
static bool is_file(const struct vgpu_gpu_state_allocation *entry, int fd)
{
	const int seals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;
	struct stat st;

	return fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode) &&
	       st.st_ino == entry->inode &&
	       (uint64_t)st.st_size == entry->bytes && entry->bytes &&
	       entry->bytes % VGPU_GPU_PAGE == 0 &&
	       (fcntl(fd, F_GET_SEALS) & seals) == seals;
}

/* Get the files again. What is not as it should be has none. */
static int fetch(struct vgpu_gpu *gpu)
{
	uint32_t used = gpu->storage.n;
	vgpu_autofree uint8_t *needed = calloc(used + 1, 1);
	vgpu_autofree uint32_t *kept = calloc(used + 1, sizeof(*kept));
	vgpu_autofree int *fd = calloc(used + 1, sizeof(*fd));
	size_t n = 0;

	if (!needed || !kept || !fd)
		return -ENOMEM;
	note_needed(gpu, needed);
	for (uint32_t i = 0; i < used; i++)
		if (needed[i])
			kept[n++] = kept_as(i + 1);
	vgpu_launcher_fetch(gpu->config.launcher, kept, fd, n);
	for (size_t i = 0; i < n; i++) {
		uint32_t number = kept[i] - VGPU_GPU_KEPT_FILES + 1;

		if (is_file(entry_of(gpu, number), fd[i]))
			file_of(gpu, number)->fd_plus_1 = fd[i] + 1;
		else
			vgpu_close(fd[i]);
	}
	return 0;
}

/* It counts from now on, if it can be. */
static bool recount(struct vgpu_gpu *gpu, uint32_t number)
{
	const struct vgpu_gpu_state_allocation *entry = entry_of(gpu, number);
	const struct vgpu_gpu_file *file = file_of(gpu, number);

	if (!entry->bytes || entry->bytes % VGPU_GPU_PAGE != 0 ||
	    (entry->inode != 0) != (file->fd_plus_1 != 0) ||
	    !has_quota(gpu, entry->bytes))
		return false;
	count(gpu, number, entry->bytes, file->fd_plus_1 - 1);
	return true;
}

static void resume_owner(struct vgpu_gpu *gpu, uint32_t number)
{
	struct vgpu_gpu_state_allocation *entry = entry_of(gpu, number);
	uint32_t index = entry->owner - 1;
	const void *who = NULL;

	if (entry->owner == VGPU_GPU_OWNER_NOBODY)
		who = is_in_use(gpu, entry) ? &nobody : NULL;
	else if (entry->owner)
		who = gpu->context_ops->owner(gpu, index);
	if (who && recount(gpu, number)) {
		file_of(gpu, number)->owner = who;
		return;
	}
	if (who && who != &nobody)
		gpu->context_ops->refuse(gpu, index,
					 "the state says that it has memory which"
					 " it cannot have");
	vgpu_gpu_commit(&entry->owner, 0u);
}

int vgpu_gpu_storage_resume(struct vgpu_gpu *gpu)
{
	gpu->storage.n =
		VGPU_MIN(gpu->state->allocations_used, VGPU_GPU_ALLOCATIONS_MAX);
	vgpu_gpu_commit(&gpu->state->allocations_used, gpu->storage.n);
	if (fetch(gpu) < 0)
		return -ENOMEM;
	for (uint32_t i = 1; i <= gpu->storage.n; i++)
		resume_owner(gpu, i);
	return 0;
}

bool vgpu_gpu_storage_claim(struct vgpu_gpu *gpu, uint64_t number,
			    uint64_t bytes, bool is_shared)
{
	struct vgpu_gpu_file *file = find(gpu, number);
	uint64_t its;

	if (!file || file->is_alone || (!is_shared && is_live(file)))
		return false;
	its = entry_of(gpu, (uint32_t)number)->bytes;
	bytes = vgpu_gpu_storage_bytes(bytes);
	if ((is_shared ? its < bytes : its != bytes) ||
	    (!is_live(file) && !recount(gpu, (uint32_t)number)))
		return false;
	file->users++;
	file->is_alone = !is_shared;
	return true;
}

void vgpu_gpu_storage_settle(struct vgpu_gpu *gpu)
{
	/* From the end, so that the lowest is taken first. */
	for (uint32_t i = gpu->storage.n; i > 0; i--) {
		if (is_live(file_of(gpu, i)))
			continue;
		/* The launcher drops what was not asked for, and we this. */
		if (file_of(gpu, i)->fd_plus_1)
			vgpu_launcher_drop(gpu->config.launcher, kept_as(i));
		vgpu_close(file_of(gpu, i)->fd_plus_1 - 1);
		free_number(gpu, i);
	}
	vgpu_reserve_resume(gpu->config.reserve, gpu->storage.used_bytes);
}

static int memory_open(void *opaque, struct vgpu_render *render,
		       uint32_t resource_id, int *ret_fd, uint64_t *ret_bytes,
		       bool *ret_is_first)
{
	struct vgpu_gpu *gpu = opaque;

	return gpu->context_ops->open(gpu, render, resource_id, ret_fd,
				      ret_bytes, ret_is_first);
}

const struct vgpu_render_memory_ops vgpu_gpu_memory_ops = {
	.alloc = memory_alloc,
	.find = memory_find,
	.free = memory_free,
	.open = memory_open,
	.free_all = memory_free_all,
};
