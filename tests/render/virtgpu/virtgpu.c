/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A preload library for tests: it shows a program one node of the kernel's
 * virtio-gpu driver, and does what is asked of it over the vtest socket of a
 * vgpu-device, whose path is in VGPU_VIRTGPU_SOCKET. So Mesa's drivers for
 * guests run with their own DRM back end, and without a VM.
 *
 * Only what they use is here. Times are not the kernel's: a command takes a
 * round trip to the device process.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <drm/drm.h>
#include <drm/virtgpu_drm.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sync_file.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include "device/vtest/abi.h"
#include "lib/util.h"

#define NODE	     "/dev/dri/renderD128"
#define NODE_MAJOR   226
#define NODE_MINOR   128
#define FDS_MAX	     4096
#define BOS_MAX	     8192
#define FENCES_MAX   4096
#define POINTS_MAX   64
#define RINGS	     64
#define COMMANDS_MAX (4U << 20)

#define EXPORTED __attribute__((visibility("default")))

struct point {
	uint32_t sync;
	uint64_t value;
};

/* A buffer object; @memory is -1 where there is none. */
struct bo {
	uint32_t resource;
	int memory;
	uint64_t bytes;
	struct point busy; /* of the last commands that name it */
};

/* An open file of the node: its fd is the socket to the device. */
struct node {
	pthread_mutex_t lock; /* one command and its answer at a time */
	int fd;
	bool has_context;
	struct point ring[RINGS];
	struct bo bo[BOS_MAX]; /* by handle - 1 */
};

/* What a fence's fd, the read end of a pipe, stands for. */
struct fence {
	ino_t inode;
	struct node *node;
	uint32_t n;
	struct point point[POINTS_MAX];
};

static struct node *nodes[FDS_MAX]; /* by fd */
static struct fence fences[FENCES_MAX];
static uint32_t next_fence;
static pthread_mutex_t fences_lock = PTHREAD_MUTEX_INITIALIZER;

static struct node *find_node(int fd)
{
	return fd >= 0 && fd < FDS_MAX
		       ? __atomic_load_n(&nodes[fd], __ATOMIC_ACQUIRE)
		       : NULL;
}

static int fail(int error)
{
	errno = error;
	return -1;
}

/* -- the device ------------------------------------------------------------ */

static bool write_all(int fd, const void *data, size_t bytes)
{
	const char *at = data;

	while (bytes) {
		ssize_t n = send(fd, at, bytes, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool read_all(int fd, void *data, size_t bytes)
{
	char *at = data;

	while (bytes) {
		ssize_t n = recv(fd, at, bytes, 0);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

/* The byte that brings an fd, or -1. */
static int read_fd(int fd)
{
	union {
		struct cmsghdr header;
		char space[CMSG_SPACE(sizeof(int))];
	} control;
	char byte;
	struct iovec part = {&byte, 1};
	struct msghdr msg = {.msg_iov = &part,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	struct cmsghdr *cmsg;
	ssize_t n;
	int got;

	do {
		n = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
	if (!cmsg || cmsg->cmsg_type != SCM_RIGHTS)
		return -1;
	memcpy(&got, CMSG_DATA(cmsg), sizeof(got));
	return got;
}

/* @length: in words, but for a name. */
static bool send_command(struct node *node, uint32_t command, uint32_t length,
			 const void *body, size_t bytes)
{
	const struct vtest_header header = {length, command};

	return write_all(node->fd, &header, sizeof(header)) &&
	       write_all(node->fd, body, bytes);
}

/* How many words of an answer came; the first @max of them are kept. -1: none. */
static int read_answer(struct node *node, uint32_t *words, uint32_t max)
{
	struct vtest_header header;

	if (!read_all(node->fd, &header, sizeof(header)) || header.length > max ||
	    !read_all(node->fd, words, header.length * sizeof(*words)))
		return -1;
	return (int)header.length;
}

static int ask(struct node *node, uint32_t command, const uint32_t *body,
	       uint32_t n, uint32_t *words, uint32_t max)
{
	if (!send_command(node, command, n, body, n * sizeof(*body)))
		return -1;
	return read_answer(node, words, max);
}

static bool greet(struct node *node)
{
	static const char name[] = "virtgpu";
	const uint32_t version = VTEST_VERSION;
	uint32_t answer[2];

	return send_command(node, VTEST_CREATE_RENDERER, sizeof(name), name,
			    sizeof(name)) &&
	       ask(node, VTEST_PING_PROTOCOL_VERSION, NULL, 0, answer, 2) >= 0 &&
	       ask(node, VTEST_PROTOCOL_VERSION, &version, 1, answer, 2) == 1 &&
	       answer[0] == VTEST_VERSION;
}

static int open_node(void)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	const char *path = getenv("VGPU_VIRTGPU_SOCKET");
	struct node *node;
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return fail(ENAMETOOLONG);
	memcpy(address.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	node = calloc(1, sizeof(*node));
	if (fd < 0 || fd >= FDS_MAX || !node ||
	    connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		free(node);
		if (fd >= 0)
			syscall(SYS_close, fd);
		return fail(ENOENT);
	}
	node->fd = fd;
	pthread_mutex_init(&node->lock, NULL);
	if (!greet(node)) {
		free(node);
		syscall(SYS_close, fd);
		return fail(EIO);
	}
	__atomic_store_n(&nodes[fd], node, __ATOMIC_RELEASE);
	return fd;
}

/* -- fences ----------------------------------------------------------------- */

static void put_point(uint32_t *words, const struct point *point)
{
	words[0] = point->sync;
	words[1] = (uint32_t)point->value;
	words[2] = (uint32_t)(point->value >> 32);
}

/* An fd that can be read from once all points are reached. With the lock. */
static int wait_for(struct node *node, const struct point *point, uint32_t n)
{
	uint32_t words[2 + VTEST_POINT_WORDS * POINTS_MAX] = {0, UINT32_MAX};

	for (uint32_t i = 0; i < n; i++)
		put_point(words + 2 + i * VTEST_POINT_WORDS, &point[i]);
	if (ask(node, VTEST_SYNC_WAIT, words, 2 + n * VTEST_POINT_WORDS, NULL,
		0) < 0)
		return -1;
	return read_fd(node->fd);
}

static int make_fence(struct node *node, const struct point *point, uint32_t n)
{
	int fd = n <= POINTS_MAX ? wait_for(node, point, n) : -1;
	struct fence *fence;
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return -1;
	pthread_mutex_lock(&fences_lock);
	fence = &fences[next_fence++ % FENCES_MAX];
	*fence = (struct fence){.inode = st.st_ino, .node = node, .n = n};
	memcpy(fence->point, point, n * sizeof(*point));
	pthread_mutex_unlock(&fences_lock);
	return fd;
}

/* The latest fence with this file. */
static bool find_fence(int fd, struct fence *ret_fence)
{
	struct stat st;
	bool is_there = false;

	if (fstat(fd, &st) < 0 || !S_ISFIFO(st.st_mode))
		return false;
	pthread_mutex_lock(&fences_lock);
	for (uint32_t i = 1; i <= FENCES_MAX && !is_there; i++) {
		const struct fence *fence =
			&fences[(next_fence - i) % FENCES_MAX];

		is_there = fence->node && fence->inode == st.st_ino;
		if (is_there)
			*ret_fence = *fence;
	}
	pthread_mutex_unlock(&fences_lock);
	return is_there;
}

static int do_sync_file(int fd, unsigned long request, void *arg)
{
	struct fence one, two;

	if (!find_fence(fd, &one))
		return fail(ENOTTY);
	if (request == SYNC_IOC_FILE_INFO) {
		struct sync_file_info *info = arg;
		struct pollfd file = {fd, POLLIN, 0};

		info->num_fences = 0;
		info->status = poll(&file, 1, 0) > 0;
		return 0;
	}
	if (request == SYNC_IOC_MERGE) {
		struct sync_merge_data *merge = arg;

		if (!find_fence(merge->fd2, &two) || two.node != one.node ||
		    one.n + two.n > POINTS_MAX)
			return fail(EINVAL);
		memcpy(one.point + one.n, two.point,
		       two.n * sizeof(two.point[0]));
		pthread_mutex_lock(&one.node->lock);
		merge->fence = make_fence(one.node, one.point, one.n + two.n);
		pthread_mutex_unlock(&one.node->lock);
		return merge->fence < 0 ? fail(EIO) : 0;
	}
	return fail(ENOTTY);
}

/* -- ioctls of the node, with its lock -------------------------------------- */

static int do_version(struct node *node, void *arg)
{
	static const char name[] = "virtio_gpu";
	struct drm_version *version = arg;

	version->version_major = 0;
	version->version_minor = 1;
	version->version_patchlevel = 0;
	if (version->name && version->name_len)
		strncpy(version->name, name, version->name_len);
	version->name_len = strlen(name);
	version->date_len = version->desc_len = 0;
	return 0;
}

static int do_get_cap(struct node *node, void *arg)
{
	struct drm_get_cap *cap = arg;

	cap->value = cap->capability == DRM_CAP_PRIME
			     ? DRM_PRIME_CAP_IMPORT | DRM_PRIME_CAP_EXPORT
			     : 0;
	return 0;
}

static int do_getparam(struct node *node, void *arg)
{
	const struct drm_virtgpu_getparam *get = arg;
	const uint32_t capsets = VTEST_PARAM_CAPSETS;
	uint32_t answer[2] = {};
	int value = 1;

	switch (get->param) {
	case VIRTGPU_PARAM_3D_FEATURES:
	case VIRTGPU_PARAM_CAPSET_QUERY_FIX:
	case VIRTGPU_PARAM_RESOURCE_BLOB:
	case VIRTGPU_PARAM_HOST_VISIBLE:
	case VIRTGPU_PARAM_CONTEXT_INIT:
		break;
	case VIRTGPU_PARAM_CROSS_DEVICE:
		value = 0;
		break;
	case VIRTGPU_PARAM_SUPPORTED_CAPSET_IDs:
		if (ask(node, VTEST_GET_PARAM, &capsets, 1, answer, 2) != 2)
			return fail(EIO);
		value = (int)answer[1];
		break;
	default:
		return fail(EINVAL);
	}
	memcpy((void *)(uintptr_t)get->value, &value, sizeof(value));
	return 0;
}

static int do_get_caps(struct node *node, void *arg)
{
	const struct drm_virtgpu_get_caps *get = arg;
	const uint32_t body[2] = {get->cap_set_id, get->cap_set_ver};
	uint32_t answer[64];
	int n = ask(node, VTEST_GET_CAPSET, body, 2, answer, 64);

	if (n < 1 || !answer[0])
		return fail(n < 1 ? EIO : EINVAL);
	memcpy((void *)(uintptr_t)get->addr, answer + 1,
	       VGPU_MIN((size_t)get->size, ((size_t)n - 1) * sizeof(*answer)));
	return 0;
}

static int do_context_init(struct node *node, void *arg)
{
	const struct drm_virtgpu_context_init *init = arg;
	const struct drm_virtgpu_context_set_param *param =
		(const void *)(uintptr_t)init->ctx_set_params;
	uint32_t capset = 0;

	if (node->has_context)
		return fail(EEXIST);
	for (uint32_t i = 0; i < init->num_params; i++)
		if (param[i].param == VIRTGPU_CONTEXT_PARAM_CAPSET_ID)
			capset = (uint32_t)param[i].value;
	node->has_context = send_command(node, VTEST_CONTEXT_INIT, 1, &capset,
					 sizeof(capset));
	return node->has_context ? 0 : fail(EIO);
}

/* Reserves the next point of a ring. */
static bool next_point(struct node *node, uint32_t ring, struct point *ret_point)
{
	static const uint32_t zero[2];

	if (!node->ring[ring].sync && ask(node, VTEST_SYNC_CREATE, zero, 2,
					  &node->ring[ring].sync, 1) != 1)
		return false;
	node->ring[ring].value++;
	*ret_point = node->ring[ring];
	return true;
}

static bool submit(struct node *node, uint32_t ring, const void *commands,
		   uint32_t bytes, const struct point *point)
{
	uint32_t n_words = (bytes + 3) / 4, n_points = point ? 1 : 0;
	uint32_t length =
		1 + VTEST_BATCH_WORDS + n_words + n_points * VTEST_POINT_WORDS;
	const struct vtest_batch batch = {
		.flags = point ? VTEST_BATCH_RING_IDX : 0,
		.command_offset = 1 + VTEST_BATCH_WORDS,
		.command_size = n_words,
		.point_offset = 1 + VTEST_BATCH_WORDS + n_words,
		.points = n_points,
		.ring_idx = point ? ring : 0,
	};
	vgpu_autofree uint32_t *body = calloc(length, sizeof(*body));

	if (!body)
		return false;
	body[0] = 1;
	memcpy(body + 1, &batch, sizeof(batch));
	memcpy(body + batch.command_offset, commands, bytes);
	if (point)
		put_point(body + batch.point_offset, point);
	return send_command(node, VTEST_SUBMIT_CMD2, length, body,
			    length * sizeof(*body));
}

static struct bo *find_bo(struct node *node, uint32_t handle)
{
	if (!handle || handle > BOS_MAX || !node->bo[handle - 1].resource)
		return NULL;
	return &node->bo[handle - 1];
}

static int do_execbuffer(struct node *node, void *arg)
{
	struct drm_virtgpu_execbuffer *exec = arg;
	const uint32_t *handles = (const void *)(uintptr_t)exec->bo_handles;
	uint32_t ring =
		exec->flags & VIRTGPU_EXECBUF_RING_IDX ? exec->ring_idx : 0;
	bool is_fenced = exec->flags & VIRTGPU_EXECBUF_FENCE_FD_OUT;
	struct point point;

	if (ring >= RINGS || exec->size > COMMANDS_MAX)
		return fail(EINVAL);
	if (exec->flags & VIRTGPU_EXECBUF_FENCE_FD_IN) {
		struct pollfd file = {exec->fence_fd, POLLIN, 0};

		poll(&file, 1, -1);
	}
	if (!next_point(node, ring, &point) ||
	    !submit(node, ring, (const void *)(uintptr_t)exec->command,
		    exec->size, &point))
		return fail(EIO);
	for (uint32_t i = 0; i < exec->num_bo_handles; i++) {
		struct bo *bo = find_bo(node, handles[i]);

		if (bo)
			bo->busy = point;
	}
	if (!is_fenced)
		return 0;
	exec->fence_fd = make_fence(node, &point, 1);
	return exec->fence_fd < 0 ? fail(EIO) : 0;
}

static int do_create_blob(struct node *node, void *arg)
{
	struct drm_virtgpu_resource_create_blob *create = arg;
	const uint32_t body[6] = {
		create->blob_mem,	   create->blob_flags,
		(uint32_t)create->size,	   (uint32_t)(create->size >> 32),
		(uint32_t)create->blob_id, (uint32_t)(create->blob_id >> 32),
	};
	uint32_t handle = 1, resource;
	int memory;

	while (handle <= BOS_MAX && node->bo[handle - 1].resource)
		handle++;
	if (handle > BOS_MAX)
		return fail(ENOSPC);
	if (create->cmd_size &&
	    !submit(node, 0, (const void *)(uintptr_t)create->cmd,
		    create->cmd_size, NULL))
		return fail(EIO);
	if (ask(node, VTEST_RESOURCE_CREATE_BLOB, body, 6, &resource, 1) != 1)
		return fail(EIO);
	memory = read_fd(node->fd);
	if (memory < 0)
		return fail(EIO);
	node->bo[handle - 1] = (struct bo){resource, memory, create->size, {}};
	create->bo_handle = handle;
	create->res_handle = resource;
	return 0;
}

static int do_map(struct node *node, void *arg)
{
	struct drm_virtgpu_map *map = arg;

	if (!find_bo(node, map->handle))
		return fail(ENOENT);
	map->offset = (uint64_t)map->handle << 32;
	return 0;
}

static int do_wait(struct node *node, void *arg)
{
	const struct drm_virtgpu_3d_wait *wait = arg;
	const struct bo *bo = find_bo(node, wait->handle);
	struct pollfd file = {.events = POLLIN};

	if (!bo)
		return fail(ENOENT);
	if (!bo->busy.sync)
		return 0;
	file.fd = wait_for(node, &bo->busy, 1);
	if (file.fd < 0)
		return fail(EIO);
	poll(&file, 1, wait->flags & VIRTGPU_WAIT_NOWAIT ? 0 : -1);
	syscall(SYS_close, file.fd);
	return file.revents ? 0 : fail(EBUSY);
}

static int do_resource_info(struct node *node, void *arg)
{
	struct drm_virtgpu_resource_info *info = arg;
	const struct bo *bo = find_bo(node, info->bo_handle);

	if (!bo)
		return fail(ENOENT);
	info->res_handle = bo->resource;
	info->size = (uint32_t)bo->bytes;
	info->blob_mem = VIRTGPU_BLOB_MEM_HOST3D;
	return 0;
}

static int do_gem_close(struct node *node, void *arg)
{
	const struct drm_gem_close *gem = arg;
	struct bo *bo = find_bo(node, gem->handle);

	if (!bo)
		return fail(EINVAL);
	send_command(node, VTEST_RESOURCE_UNREF, 1, &bo->resource,
		     sizeof(bo->resource));
	syscall(SYS_close, bo->memory);
	*bo = (struct bo){};
	return 0;
}

static int do_handle_to_fd(struct node *node, void *arg)
{
	struct drm_prime_handle *prime = arg;
	const struct bo *bo = find_bo(node, prime->handle);

	if (!bo)
		return fail(ENOENT);
	prime->fd = fcntl(bo->memory, F_DUPFD_CLOEXEC, 3);
	return prime->fd < 0 ? -1 : 0;
}

static int do_fd_to_handle(struct node *node, void *arg)
{
	struct drm_prime_handle *prime = arg;
	struct stat wanted, st;

	if (fstat(prime->fd, &wanted) < 0)
		return -1;
	for (uint32_t i = 0; i < BOS_MAX; i++)
		if (node->bo[i].resource && fstat(node->bo[i].memory, &st) == 0 &&
		    st.st_ino == wanted.st_ino && st.st_dev == wanted.st_dev) {
			prime->handle = i + 1;
			return 0;
		}
	return fail(ENOENT);
}

static const struct {
	unsigned long request;
	int (*act)(struct node *node, void *arg);
} actions[] = {
	{DRM_IOCTL_VERSION, do_version},
	{DRM_IOCTL_GET_CAP, do_get_cap},
	{DRM_IOCTL_GEM_CLOSE, do_gem_close},
	{DRM_IOCTL_PRIME_HANDLE_TO_FD, do_handle_to_fd},
	{DRM_IOCTL_PRIME_FD_TO_HANDLE, do_fd_to_handle},
	{DRM_IOCTL_VIRTGPU_GETPARAM, do_getparam},
	{DRM_IOCTL_VIRTGPU_GET_CAPS, do_get_caps},
	{DRM_IOCTL_VIRTGPU_CONTEXT_INIT, do_context_init},
	{DRM_IOCTL_VIRTGPU_EXECBUFFER, do_execbuffer},
	{DRM_IOCTL_VIRTGPU_RESOURCE_CREATE_BLOB, do_create_blob},
	{DRM_IOCTL_VIRTGPU_MAP, do_map},
	{DRM_IOCTL_VIRTGPU_WAIT, do_wait},
	{DRM_IOCTL_VIRTGPU_RESOURCE_INFO, do_resource_info},
};

/* As in the kernel, but for the size: structs grow. */
static bool is_same(unsigned long a, unsigned long b)
{
	return _IOC_TYPE(a) == _IOC_TYPE(b) && _IOC_NR(a) == _IOC_NR(b);
}

/* -- what the program calls -------------------------------------------------- */

EXPORTED int ioctl(int fd, unsigned long request, ...)
{
	struct node *node = find_node(fd);
	va_list args;
	void *arg;
	int r = -1;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (_IOC_TYPE(request) == '>' && do_sync_file(fd, request, arg) == 0)
		return 0;
	if (!node)
		return (int)syscall(SYS_ioctl, fd, request, arg);
	errno = ENOTTY;
	pthread_mutex_lock(&node->lock);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(actions); i++)
		if (is_same(actions[i].request, request))
			r = actions[i].act(node, arg);
	pthread_mutex_unlock(&node->lock);
	return r;
}

static bool is_node(const char *path)
{
	return strcmp(path, NODE) == 0 && getenv("VGPU_VIRTGPU_SOCKET");
}

static int open_any(const char *path, int flags, mode_t mode)
{
	if (is_node(path))
		return open_node();
	return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

EXPORTED int open(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_any(path, flags, mode);
}

EXPORTED int open64(const char *path, int flags, ...)
{
	mode_t mode = 0;
	va_list args;

	va_start(args, flags);
	if (flags & (O_CREAT | __O_TMPFILE))
		mode = va_arg(args, mode_t);
	va_end(args);
	return open_any(path, flags, mode);
}

/* NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */
EXPORTED int __open_2(const char *path, int flags);
EXPORTED int __open64_2(const char *path, int flags);

EXPORTED int __open_2(const char *path, int flags)
{
	return open_any(path, flags, 0);
}

EXPORTED int __open64_2(const char *path, int flags)
{
	return open_any(path, flags, 0);
}
/* NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp) */

EXPORTED int stat(const char *path, struct stat *st)
{
	if (is_node(path)) {
		*st = (struct stat){
			.st_mode = S_IFCHR | 0666,
			.st_rdev = makedev(NODE_MAJOR, NODE_MINOR),
		};
		return 0;
	}
	return fstatat(AT_FDCWD, path, st, 0);
}

EXPORTED int stat64(const char *path, struct stat64 *st)
{
	/* The same struct, on this machine. */
	return stat(path, (struct stat *)st);
}

EXPORTED int close(int fd)
{
	struct node *node = find_node(fd);

	if (node) {
		__atomic_store_n(&nodes[fd], NULL, __ATOMIC_RELEASE);
		pthread_mutex_lock(&fences_lock);
		for (uint32_t i = 0; i < FENCES_MAX; i++)
			if (fences[i].node == node)
				fences[i].node = NULL;
		pthread_mutex_unlock(&fences_lock);
		for (uint32_t i = 0; i < BOS_MAX; i++)
			if (node->bo[i].resource)
				syscall(SYS_close, node->bo[i].memory);
		free(node);
	}
	return (int)syscall(SYS_close, fd);
}

EXPORTED void *mmap(void *at, size_t bytes, int protection, int flags, int fd,
		    off_t offset)
{
	struct node *node = flags & MAP_ANONYMOUS ? NULL : find_node(fd);

	if (node) {
		const struct bo *bo = find_bo(node, (uint32_t)(offset >> 32));

		if (!bo) {
			errno = EINVAL;
			return MAP_FAILED;
		}
		fd = bo->memory;
		offset &= UINT32_MAX;
	}
	/* NOLINTNEXTLINE(performance-no-int-to-ptr) */
	return (void *)syscall(SYS_mmap, at, bytes, protection, flags, fd,
			       offset);
}

EXPORTED void *mmap64(void *at, size_t bytes, int protection, int flags, int fd,
		      off64_t offset)
{
	return mmap(at, bytes, protection, flags, fd, offset);
}

/* -- libdrm's list of devices, as its header has it --------------------------- */

struct drm_device {
	char **nodes; /* primary, control, render */
	int available_nodes;
	int bus_type; /* 0: PCI */
	struct {
		uint16_t domain;
		uint8_t bus, device, function;
	} *bus;
	struct {
		uint16_t vendor, device, subvendor, subdevice;
		uint8_t revision;
	} *info;
};

#define RENDER_NODE 2

/* One piece of memory. */
struct one_device {
	struct drm_device device;
	char *nodes[3];
	char path[3][32];
	__typeof__(*((struct drm_device *)0)->bus) bus;
	__typeof__(*((struct drm_device *)0)->info) info;
};

EXPORTED int drmGetDevices2(uint32_t flags, struct drm_device **devices, int max);
EXPORTED void drmFreeDevices(struct drm_device **devices, int n);

EXPORTED int drmGetDevices2(uint32_t flags, struct drm_device **devices, int max)
{
	struct one_device *one;

	if (!getenv("VGPU_VIRTGPU_SOCKET"))
		return 0;
	if (!devices || max < 1)
		return 1;
	one = calloc(1, sizeof(*one));
	if (!one)
		return -ENOMEM;
	for (int i = 0; i < 3; i++)
		one->nodes[i] = one->path[i];
	strcpy(one->path[RENDER_NODE], NODE);
	one->bus.device = 3;
	one->info.vendor = 0x1af4;
	one->info.device = 0x1050;
	one->device = (struct drm_device){
		.nodes = one->nodes,
		.available_nodes = 1 << RENDER_NODE,
		.bus = &one->bus,
		.info = &one->info,
	};
	devices[0] = &one->device;
	return 1;
}

EXPORTED void drmFreeDevices(struct drm_device **devices, int n)
{
	for (int i = 0; devices && i < n; i++) {
		free(devices[i]);
		devices[i] = NULL;
	}
}
