/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The driver's threads and the processor time of each, which on a software GPU
 * is the work of the guest's submits. This process cannot read /proc, so it
 * intercepts pthread_create(): the driver's calls come here, because symbols of
 * the program take precedence over the C library's.
 */
#include "work.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <time.h>

#include "lib/util.h"

typedef int create_fn(pthread_t *thread, const pthread_attr_t *attr,
		      void *(*run)(void *), void *arg);

struct slot {
	bool is_taken;
	bool is_running; /* its clock is valid */
	uint32_t generation;
	clockid_t clock;
};

struct start {
	void *(*run)(void *);
	void *arg;
	struct slot *slot;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* innermost */
static struct slot slots[VGPU_THREADS_MAX];
static uint32_t n_slots; /* number of slots ever used */
static create_fn *real_create;

/* The sanitizer's function in place of libc's, if there is one. */
/* NOLINTNEXTLINE(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
extern create_fn __interceptor_pthread_create __attribute__((weak));

static void find_real_create(void)
{
	real_create = __interceptor_pthread_create;
	if (!real_create)
		real_create = (create_fn *)dlsym(RTLD_NEXT, "pthread_create");
	if (!real_create)
		abort();
}

static create_fn *get_real_create(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, find_real_create);
	return real_create;
}

static struct slot *take_slot(void)
{
	struct slot *slot = NULL;
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < VGPU_THREADS_MAX && slots[i].is_taken; i++)
		;
	if (i < VGPU_THREADS_MAX) {
		slot = &slots[i];
		slot->is_taken = true;
		slot->generation++;
		n_slots = VGPU_MAX(n_slots, i + 1);
	}
	pthread_mutex_unlock(&lock);
	return slot;
}

static void put_slot(void *opaque)
{
	struct slot *slot = opaque;

	pthread_mutex_lock(&lock);
	slot->is_running = false;
	slot->is_taken = false;
	pthread_mutex_unlock(&lock);
}

static void *run_thread(void *opaque)
{
	struct start start = *(struct start *)opaque;
	void *ret;

	free(opaque);
	pthread_mutex_lock(&lock);
	start.slot->is_running =
		pthread_getcpuclockid(pthread_self(), &start.slot->clock) == 0;
	pthread_mutex_unlock(&lock);
	pthread_cleanup_push(put_slot, start.slot);
	ret = start.run(start.arg);
	pthread_cleanup_pop(1);
	return ret;
}

/* Called by the driver and its libraries. */
int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
		   void *(*run)(void *), void *arg)
{
	struct start *start = malloc(sizeof(*start));
	int r;

	if (!start)
		return EAGAIN;
	*start = (struct start){run, arg, take_slot()};
	if (!start->slot) {
		free(start);
		return EAGAIN;
	}
	r = get_real_create()(thread, attr, run_thread, start);
	if (r) {
		put_slot(start->slot);
		free(start);
	}
	return r;
}

int vgpu_thread_create(pthread_t *ret_thread, size_t stack_bytes,
		       void *(*run)(void *), void *arg)
{
	pthread_attr_t attr;
	int r = pthread_attr_init(&attr);

	if (r)
		return r;
	if (VGPU_IS_LIMITED)
		pthread_attr_setstacksize(&attr, stack_bytes);
	r = get_real_create()(ret_thread, &attr, run, arg);
	pthread_attr_destroy(&attr);
	return r;
}

uint64_t vgpu_clock_ns(clockid_t clock)
{
	struct timespec now;

	if (clock_gettime(clock, &now) < 0)
		return 0;
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

void vgpu_work_begin(struct vgpu_work *work)
{
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < n_slots; i++) {
		work->generation[i] = slots[i].generation;
		work->begin_ns[i] =
			slots[i].is_running ? vgpu_clock_ns(slots[i].clock) : 0;
	}
	work->n = n_slots;
	pthread_mutex_unlock(&lock);
}

uint64_t vgpu_work_ns(const struct vgpu_work *work)
{
	uint64_t longest = 0;
	uint32_t i;

	pthread_mutex_lock(&lock);
	for (i = 0; i < n_slots; i++) {
		uint64_t ns, begin = 0;

		if (!slots[i].is_running)
			continue;
		ns = vgpu_clock_ns(slots[i].clock);
		/* A younger thread has done all of its work since then. */
		if (i < work->n && work->generation[i] == slots[i].generation)
			begin = VGPU_MIN(work->begin_ns[i], ns);
		longest = VGPU_MAX(longest, ns - begin);
	}
	pthread_mutex_unlock(&lock);
	return longest;
}
