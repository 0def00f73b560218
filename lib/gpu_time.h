/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * GPU time of one vGPU: what it has used, and what it may use. It lies in a
 * page that its device process makes and its render processes map, so that
 * nobody is asked before a submit. A render process may write there what it
 * likes, to its own vGPU's account.
 */
#ifndef VGPU_LIB_GPU_TIME_H
#define VGPU_LIB_GPU_TIME_H

#include <stdatomic.h>
#include <stdint.h>

struct vgpu_gpu_time {
	_Atomic uint32_t part; /* of VGPU_SHARE_WHOLE, which is no limit */
	_Atomic uint32_t slice_usec; /* by so much it may run ahead */
	_Atomic uint64_t used_ns;
	/* At this time of CLOCK_MONOTONIC its share makes up for what it used. */
	_Atomic uint64_t due_ns;
};

/* Debts beyond that are forgiven. */
#define VGPU_GPU_TIME_DEBT_NS_MAX UINT64_C(600000000000)

/*
 * A page for a vGPU without a limit: a sealed memfd and its mapping, both the
 * caller's. -errno.
 */
int vgpu_gpu_time_create(struct vgpu_gpu_time **ret_time, int *ret_fd);
/* The page of @fd, which stays the caller's; NULL if it is none. */
struct vgpu_gpu_time *vgpu_gpu_time_map(int fd);
void vgpu_gpu_time_unmap(struct vgpu_gpu_time *time); /* NULL is fine */

/* It may use @part of the GPU from now on, with slices of @slice_usec. */
void vgpu_gpu_time_grant(struct vgpu_gpu_time *time, uint32_t part,
			 uint32_t slice_usec);
/* For how many ns from @now_ns on nothing may be submitted. */
uint64_t vgpu_gpu_time_wait_ns(struct vgpu_gpu_time *time, uint64_t now_ns);
/* The GPU has worked for @ns, which ended at about @now_ns. */
void vgpu_gpu_time_charge(struct vgpu_gpu_time *time, uint64_t now_ns,
			  uint64_t ns);

#endif
