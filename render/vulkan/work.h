/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Processor time of threads, and creation of threads that are not the driver's.
 */
#ifndef VGPU_RENDER_VULKAN_WORK_H
#define VGPU_RENDER_VULKAN_WORK_H

#include <pthread.h>
#include <stdint.h>
#include <time.h>

/*
 * The most threads that the driver can have at a time. lavapipe has two pools
 * of at most 32, and one thread for each device.
 */
#define VGPU_THREADS_MAX 256

/* Sanitizers need more address space and stack than the limits allow. */
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

/* The driver's threads and their processor time at one moment. */
struct vgpu_work {
	uint32_t n;
	uint32_t generation[VGPU_THREADS_MAX];
	uint64_t begin_ns[VGPU_THREADS_MAX];
};

/*
 * Create a thread that is not the driver's. Returns an errno, as
 * pthread_create().
 */
int vgpu_thread_create(pthread_t *ret_thread, size_t stack_bytes,
		       void *(*run)(void *), void *arg);
/* 0 if its thread has ended. */
uint64_t vgpu_clock_ns(clockid_t clock);

void vgpu_work_begin(struct vgpu_work *work);
/* Processor time since then of the thread that worked longest. */
uint64_t vgpu_work_ns(const struct vgpu_work *work);

#endif
