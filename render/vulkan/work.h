/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Processor time: our threads are made here, and the driver's are measured. */
#ifndef VGPU_RENDER_VULKAN_WORK_H
#define VGPU_RENDER_VULKAN_WORK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/*
 * Threads that the driver may have at a time; more it cannot make. lavapipe has
 * two pools of at most 32, and one a device.
 */
#define VGPU_THREADS_MAX 256

/* Sanitizers take address space and stacks of their own. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define VGPU_IS_LIMITED 0
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define VGPU_IS_LIMITED 0
#endif
#endif
#ifndef VGPU_IS_LIMITED
#define VGPU_IS_LIMITED 1
#endif

/* What the driver's threads had used at some moment. */
struct vgpu_work {
	uint32_t n;
	uint32_t generation[VGPU_THREADS_MAX];
	uint64_t begin_ns[VGPU_THREADS_MAX];
};

/* A thread of ours, not the driver's. Returns an errno, as pthread_create(). */
int vgpu_thread_create(pthread_t *ret_thread, size_t stack_bytes,
		       void *(*run)(void *), void *arg);
/* 0 if its thread has ended. */
uint64_t vgpu_clock_ns(clockid_t clock);

void vgpu_work_begin(struct vgpu_work *work);
/* Of the thread that has worked longest since then. */
uint64_t vgpu_work_ns(const struct vgpu_work *work);

#endif
