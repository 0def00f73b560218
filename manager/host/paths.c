/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the manager's files and sockets, and the lock against a second
 * manager.
 */
#include "paths.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "lib/name.h"
#include "lib/util.h"

/* The longest name of a socket in a vGPU's folder. */
#define LONGEST_SOCKET "control.sock"

/* Both kinds of lock may lie in one folder. */
#define STATE_LOCK   ".vgpud-state.lock"
#define RUNTIME_LOCK ".vgpud-runtime.lock"

#define LOCK_WAIT_MS 3000
#define LOCK_STEP_MS 50

static int make_folder(const char *path, mode_t mode)
{
	vgpu_autofree char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;

	for (char *c = copy + 1; *c; c++) {
		if (*c != '/')
			continue;
		*c = '\0';
		if (mkdir(copy, 0755) < 0 && errno != EEXIST)
			return -errno;
		*c = '/';
	}
	if (mkdir(copy, mode) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static int open_folder(const char *path, mode_t mode, char **ret_absolute,
		       struct vgpu_err *err)
{
	vgpu_autofree char *absolute = NULL;
	struct stat st;
	int r;

	if (!*path)
		return vgpu_err_set(err, -EINVAL, "Internal",
				    "a folder's name is empty");
	r = make_folder(path, mode);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the folder %s cannot be made: %s", path,
				    strerror(-r));
	absolute = realpath(path, NULL);
	if (!absolute || stat(absolute, &st) < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "the folder %s cannot be used: %s", path,
				    strerror(errno));
	if (!S_ISDIR(st.st_mode))
		return vgpu_err_set(err, -ENOTDIR, "Internal",
				    "%s is not a folder", path);
	*ret_absolute = vgpu_steal(&absolute);
	return 0;
}

static int lock_folder(const char *path, const char *name, int *ret_fd,
		       struct vgpu_err *err)
{
	vgpu_autofree char *file = NULL;
	vgpu_autoclose int fd = -1;
	unsigned int waited_ms = 0;

	if (asprintf(&file, "%s/%s", path, name) < 0)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");

	fd = open(file, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return vgpu_err_set(err, -errno, "Internal",
				    "%s cannot be opened: %s", file,
				    strerror(errno));
	/* A vgpud that was just killed takes a moment to free its memory. */
	while (flock(fd, LOCK_EX | LOCK_NB) < 0 && errno == EWOULDBLOCK &&
	       waited_ms < LOCK_WAIT_MS) {
		usleep(LOCK_STEP_MS * 1000);
		waited_ms += LOCK_STEP_MS;
	}
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (errno == EWOULDBLOCK)
			return vgpu_err_set(
				err, -EBUSY, "Internal",
				"another vgpud uses the folder %s: end it, or give this one another folder",
				path);
		return vgpu_err_set(err, -errno, "Internal",
				    "%s cannot be locked: %s", file,
				    strerror(errno));
	}
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static int check_lengths(const char *runtime, struct vgpu_err *err)
{
	size_t longest = VGPU_MAX(strlen(VGPU_INTERFACE),
				  VGPU_UUID_LENGTH + 1 + strlen(LONGEST_SOCKET));
	size_t length = strlen(runtime) + 1 + longest;

	if (length >= VGPU_SOCKET_PATH_SIZE)
		return vgpu_err_set(
			err, -ENAMETOOLONG, "PathTooLong",
			"the runtime folder's path is %zu bytes too long for sockets in it: %s",
			length - VGPU_SOCKET_PATH_SIZE + 1, runtime);
	return 0;
}

static int open_all(struct vgpu_paths *paths, const char *state,
		    const char *runtime, struct vgpu_err *err)
{
	int r;

	r = open_folder(runtime, 0755, &paths->runtime, err);
	if (r < 0)
		return r;
	r = check_lengths(paths->runtime, err);
	if (r < 0)
		return r;
	r = open_folder(state, 0700, &paths->state, err);
	if (r < 0)
		return r;

	if (asprintf(&paths->vgpus, "%s/vgpus", paths->state) < 0 ||
	    asprintf(&paths->types, "%s/types.ini", paths->state) < 0)
		return vgpu_err_set(err, -ENOMEM, "Internal", "out of memory");
	snprintf(paths->socket, sizeof(paths->socket), "%s/%s", paths->runtime,
		 VGPU_INTERFACE);

	r = lock_folder(paths->state, STATE_LOCK, &paths->state_lock, err);
	if (r < 0)
		return r;
	r = lock_folder(paths->runtime, RUNTIME_LOCK, &paths->runtime_lock, err);
	if (r < 0)
		return r;

	r = make_folder(paths->vgpus, 0700);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the folder %s cannot be made: %s",
				    paths->vgpus, strerror(-r));
	return 0;
}

int vgpu_paths_open(struct vgpu_paths *ret_paths, const char *state,
		    const char *runtime, struct vgpu_err *err)
{
	struct vgpu_paths paths = {.state_lock = -1, .runtime_lock = -1};
	int r;

	r = open_all(&paths, state, runtime, err);
	if (r < 0) {
		vgpu_paths_finish(&paths);
		return r;
	}
	*ret_paths = paths;
	return 0;
}

void vgpu_paths_finish(struct vgpu_paths *paths)
{
	free(paths->state);
	free(paths->vgpus);
	free(paths->types);
	free(paths->runtime);
	vgpu_close(paths->state_lock);
	vgpu_close(paths->runtime_lock);
	*paths = (struct vgpu_paths){.state_lock = -1, .runtime_lock = -1};
}

void vgpu_paths_instance(const struct vgpu_paths *paths, const char *uuid,
			 const char *name, char ret[VGPU_SOCKET_PATH_SIZE])
{
	/* It fits: check_lengths() saw to it. */
	snprintf(ret, VGPU_SOCKET_PATH_SIZE, "%s/%s%s%s", paths->runtime, uuid,
		 name ? "/" : "", name ? name : "");
}

int vgpu_paths_make_instance(const struct vgpu_paths *paths, const char *uuid)
{
	char path[VGPU_SOCKET_PATH_SIZE];

	vgpu_paths_instance(paths, uuid, NULL, path);
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return -errno;
	return 0;
}

static void remove_files(const struct vgpu_paths *paths, const char *uuid,
			 const char *const *names)
{
	char path[VGPU_SOCKET_PATH_SIZE];

	for (; *names; names++) {
		vgpu_paths_instance(paths, uuid, *names, path);
		unlink(path);
	}
}

void vgpu_paths_remove_control(const struct vgpu_paths *paths, const char *uuid)
{
	static const char *const names[] = {"control.sock", "control.key",
					    "control.new", "device.pid", NULL};

	remove_files(paths, uuid, names);
}

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

bool vgpu_paths_is_vnc_socket(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c < 0x21 || *c > 0x7e || *c == '/')
			return false;
	return name[0] != '.' && has_end(name, VGPU_PATHS_VNC_SUFFIX);
}

static void remove_socket(const char *folder, const char *name)
{
	vgpu_autofree char *path = NULL;
	struct stat file;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	else if (lstat(path, &file) == 0 && S_ISSOCK(file.st_mode))
		unlink(path);
}

void vgpu_paths_remove_vnc_sockets(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (vgpu_paths_is_vnc_socket(entry->d_name))
			remove_socket(path, entry->d_name);
	if (folder)
		closedir(folder);
}

void vgpu_paths_remove_instance(const struct vgpu_paths *paths, const char *uuid)
{
	static const char *const names[] = {
		"vhost.sock", "keyboard.sock", "tablet.sock",
		"vtest.sock", "device.new",    VGPU_PATHS_NO_RENDERER,
		NULL};
	char path[VGPU_SOCKET_PATH_SIZE];

	vgpu_paths_remove_control(paths, uuid);
	remove_files(paths, uuid, names);
	vgpu_paths_instance(paths, uuid, NULL, path);
	vgpu_paths_remove_vnc_sockets(path);
	rmdir(path);
}
