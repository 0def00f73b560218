/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GPU time of one vGPU: what it has used, and what it may use. */
#include "gpu_time.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "share.h"
#include "util.h"

#define PAGE_BYTES 4096

static_assert(sizeof(struct vgpu_gpu_time) <= PAGE_BYTES, "one page");

struct vgpu_gpu_time *vgpu_gpu_time_map(int fd)
{
	struct stat st;
	void *map;

	if (fstat(fd, &st) < 0 || st.st_size != PAGE_BYTES)
		return NULL;
	map = mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	return map == MAP_FAILED ? NULL : map;
}

int vgpu_gpu_time_create(struct vgpu_gpu_time **ret_time, int *ret_fd)
{
	vgpu_autoclose int fd =
		memfd_create("vgpu-gpu-time", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	if (fd < 0 || ftruncate(fd, PAGE_BYTES) < 0 ||
	    fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	*ret_time = vgpu_gpu_time_map(fd);
	if (!*ret_time)
		return -ENOMEM;
	vgpu_gpu_time_grant(*ret_time, VGPU_SHARE_WHOLE, 0);
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

void vgpu_gpu_time_unmap(struct vgpu_gpu_time *time)
{
	if (time)
		munmap(time, PAGE_BYTES);
}

void vgpu_gpu_time_grant(struct vgpu_gpu_time *time, uint32_t part,
			 uint32_t slice_usec)
{
	atomic_store(&time->slice_usec, slice_usec);
	atomic_store(&time->part, part);
}

uint64_t vgpu_gpu_time_wait_ns(struct vgpu_gpu_time *time, uint64_t now_ns)
{
	uint64_t free_ns =
		now_ns + atomic_load(&time->slice_usec) * UINT64_C(1000);
	uint64_t due_ns = atomic_load(&time->due_ns);

	if (atomic_load(&time->part) >= VGPU_SHARE_WHOLE || due_ns <= free_ns)
		return 0;
	return VGPU_MIN(due_ns - free_ns, VGPU_GPU_TIME_DEBT_NS_MAX);
}

void vgpu_gpu_time_charge(struct vgpu_gpu_time *time, uint64_t now_ns, uint64_t ns)
{
	uint32_t part = VGPU_MAX(atomic_load(&time->part), 1u);
	uint64_t due_ns = atomic_load(&time->due_ns), began_ns, next_ns;

	/* Its product with a share does not overflow. */
	ns = VGPU_MIN(ns, VGPU_GPU_TIME_DEBT_NS_MAX);
	atomic_fetch_add(&time->used_ns, ns);
	if (part >= VGPU_SHARE_WHOLE)
		return;
	began_ns = now_ns - VGPU_MIN(ns, now_ns);
	do {
		next_ns = VGPU_MAX(due_ns, began_ns) +
			  ns * VGPU_SHARE_WHOLE / part;
		next_ns = VGPU_MIN(next_ns, now_ns + VGPU_GPU_TIME_DEBT_NS_MAX);
	} while (!atomic_compare_exchange_weak(&time->due_ns, &due_ns, next_ns));
}
