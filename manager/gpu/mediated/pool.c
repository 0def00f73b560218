/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The embedded GPU's framebuffer: populated memory in segments, made ahead. */
#include "pool.h"

#include <fcntl.h>
#include <linux/memfd.h>
#include <pthread.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <time.h>

#include "lib/mark.h"
#include "lib/util.h"
#include "manager/host/memory.h"

#ifndef MFD_NOEXEC_SEAL /* Linux 6.3 */
#define MFD_NOEXEC_SEAL 0x0008U
#endif

#define SEGMENT_BYTES (VGPU_POOL_SEGMENT_MIB * VGPU_MIB)
/* Divides a segment; small enough to stay in a processor's cache. */
#define WRITE_BYTES (1024 * 1024)
/* Divides a segment; what is taken between two looks at how much there is. */
#define TAKE_BYTES (16 * VGPU_MIB)
/* What stays for the rest of the machine when the pool grows. */
#define MARGIN_BYTES (256 * VGPU_MIB)
/* How long until memory that was short is tried again. */
#define RETRY_S 5

struct vgpu_pool {
	size_t size; /* segments; never changes */
	vgpu_pool_progress_t progress;
	void *userdata;
	int progress_fd; /* eventfd: wakes the event loop */
	sd_event_source *progress_source;
	pthread_t thread;
	bool has_thread;

	pthread_mutex_t lock; /* protects all below */
	pthread_cond_t wake;  /* wakes the thread */
	int *ready;	      /* room for size */
	size_t n_ready;
	size_t n_held;
	int *trash;
	size_t n_trash;
	bool is_short;
	bool is_ending;
};

/*
 * Zeroing happens here, not at the first touch by a guest. Writing zeroes takes
 * a quarter less time than touching a mapping page by page.
 */
static int populate(int fd)
{
	static const char zeroes[WRITE_BYTES];

	for (uint64_t at = 0; at < SEGMENT_BYTES; at += WRITE_BYTES) {
		ssize_t n = pwrite(fd, zeroes, WRITE_BYTES, (off_t)at);

		if (n != WRITE_BYTES)
			return n < 0 ? -errno : -EIO;
	}
	return 0;
}

/*
 * Take the pages of a segment. Other managers, and whoever else is on this
 * machine, may take theirs at the same moment: who sees the margin touched
 * steps back, and what it has of the segment is given back by its closing.
 */
static int take_pages(int fd)
{
	for (uint64_t at = 0; at < SEGMENT_BYTES; at += TAKE_BYTES) {
		if (vgpu_memory_available() < SEGMENT_BYTES - at + MARGIN_BYTES)
			return -ENOMEM;
		/* All pages of the range or none. */
		if (fallocate(fd, 0, (off_t)at, TAKE_BYTES) < 0)
			return -errno;
	}
	return 0;
}

static int make_segment(int *ret_fd)
{
	vgpu_autoclose int fd = -1;
	int r;

	fd = memfd_create("vgpu-framebuffer",
			  MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);
	if (fd < 0 && errno == EINVAL)
		fd = memfd_create("vgpu-framebuffer",
				  MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;
	vgpu_mark_file(fd);
	r = take_pages(fd);
	if (r < 0)
		return r;
	if (fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
		return -errno;
	r = populate(fd);
	if (r < 0)
		return r;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static void report_progress(struct vgpu_pool *pool)
{
	eventfd_write(pool->progress_fd, 1);
}

/* Called with the lock, which it gives up meanwhile. */
static void close_trash(struct vgpu_pool *pool)
{
	int *trash = pool->trash;
	size_t n = pool->n_trash;

	pool->trash = NULL;
	pool->n_trash = 0;
	pthread_mutex_unlock(&pool->lock);
	for (size_t i = 0; i < n; i++)
		close(trash[i]);
	free(trash);
	pthread_mutex_lock(&pool->lock);
}

/* Called with the lock, which it gives up meanwhile. */
static void add_segment(struct vgpu_pool *pool)
{
	struct timespec until;
	int fd = -1;
	int r;

	pthread_mutex_unlock(&pool->lock);
	r = make_segment(&fd);
	pthread_mutex_lock(&pool->lock);

	if (r == 0) {
		pool->ready[pool->n_ready++] = fd;
		pool->is_short = false;
		report_progress(pool);
		return;
	}

	if (!pool->is_short) {
		pool->is_short = true;
		report_progress(pool);
	}
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += RETRY_S;
	if (!pool->is_ending && pool->n_trash == 0)
		pthread_cond_timedwait(&pool->wake, &pool->lock, &until);
}

static void *run(void *argument)
{
	struct vgpu_pool *pool = argument;

	pthread_mutex_lock(&pool->lock);
	while (!pool->is_ending) {
		if (pool->n_trash > 0)
			close_trash(pool);
		else if (pool->n_ready + pool->n_held < pool->size)
			add_segment(pool);
		else
			pthread_cond_wait(&pool->wake, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

static int on_progress(sd_event_source *source, int fd, uint32_t revents,
		       void *userdata)
{
	struct vgpu_pool *pool = userdata;
	eventfd_t count;

	eventfd_read(fd, &count);
	pool->progress(pool->userdata);
	return 0;
}

int vgpu_pool_create(sd_event *event, size_t segments,
		     vgpu_pool_progress_t progress, void *userdata,
		     struct vgpu_pool **ret_pool)
{
	pthread_condattr_t attributes;
	struct vgpu_pool *pool;
	int r;

	pool = calloc(1, sizeof(*pool));
	if (!pool)
		return -ENOMEM;
	pool->size = segments;
	pool->progress = progress;
	pool->userdata = userdata;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(&pool->wake, &attributes);
	pthread_condattr_destroy(&attributes);

	pool->ready = calloc(VGPU_MAX(segments, 1U), sizeof(int));
	pool->progress_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = pool->ready ? 0 : -ENOMEM;
	if (r == 0 && pool->progress_fd < 0)
		r = -errno;
	if (r == 0)
		r = sd_event_add_io(event, &pool->progress_source,
				    pool->progress_fd, EPOLLIN, on_progress,
				    pool);
	if (r < 0) {
		vgpu_pool_destroy(pool);
		return r;
	}
	*ret_pool = pool;
	return 0;
}

int vgpu_pool_start(struct vgpu_pool *pool)
{
	int r = pthread_create(&pool->thread, NULL, run, pool);

	if (r != 0)
		return -r;
	pool->has_thread = true;
	return 0;
}

void vgpu_pool_destroy(struct vgpu_pool *pool)
{
	if (!pool)
		return;
	if (pool->has_thread) {
		pthread_mutex_lock(&pool->lock);
		pool->is_ending = true;
		pthread_cond_signal(&pool->wake);
		pthread_mutex_unlock(&pool->lock);
		pthread_join(pool->thread, NULL);
	}
	sd_event_source_disable_unref(pool->progress_source);
	vgpu_close(pool->progress_fd);
	for (size_t i = 0; pool->ready && i < pool->n_ready; i++)
		close(pool->ready[i]);
	for (size_t i = 0; i < pool->n_trash; i++)
		close(pool->trash[i]);
	free(pool->ready);
	free(pool->trash);
	pthread_cond_destroy(&pool->wake);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

int vgpu_pool_take(struct vgpu_pool *pool, size_t n, int *ret_fds)
{
	int r = -EAGAIN;

	pthread_mutex_lock(&pool->lock);
	if (n <= pool->n_ready) {
		pool->n_ready -= n;
		pool->n_held += n;
		memcpy(ret_fds, pool->ready + pool->n_ready, n * sizeof(int));
		r = 0;
	}
	pthread_mutex_unlock(&pool->lock);
	return r;
}

void vgpu_pool_adopt(struct vgpu_pool *pool, size_t n)
{
	pthread_mutex_lock(&pool->lock);
	pool->n_held += n;
	pthread_mutex_unlock(&pool->lock);
}

void vgpu_pool_give(struct vgpu_pool *pool, size_t held, const int *fds, size_t n)
{
	int *trash;

	pthread_mutex_lock(&pool->lock);
	pool->n_held -= VGPU_MIN(held, pool->n_held);
	trash = reallocarray(pool->trash, pool->n_trash + n + 1, sizeof(int));
	if (trash) {
		memcpy(trash + pool->n_trash, fds, n * sizeof(int));
		pool->trash = trash;
		pool->n_trash += n;
	}
	pthread_cond_signal(&pool->wake);
	pthread_mutex_unlock(&pool->lock);

	/* Without memory for the list they are closed here, which is slow. */
	for (size_t i = 0; !trash && i < n; i++)
		close(fds[i]);
}

size_t vgpu_pool_ready(struct vgpu_pool *pool)
{
	size_t n;

	pthread_mutex_lock(&pool->lock);
	n = pool->n_ready;
	pthread_mutex_unlock(&pool->lock);
	return n;
}

bool vgpu_pool_is_short(struct vgpu_pool *pool)
{
	bool is_short;

	pthread_mutex_lock(&pool->lock);
	is_short = pool->is_short;
	pthread_mutex_unlock(&pool->lock);
	return is_short;
}
