/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control groups (cgroup v2): one for each vGPU, whose processes are in it. */
#include "cgroup.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "cgroup_text.h"
#include "file.h"
#include "lib/util.h"

#define LEAF   "manager"
#define PREFIX "vgpu-"
/* Larger than any of the kernel's files read here. */
#define TEXT_MAX (1024 * 1024)

/* vgpud answers, whatever its vGPUs do. */
#define MANAGER_WEIGHT "10000"

/* A vgpud that was just killed takes a moment to release the lock. */
#define LOCK_WAIT_MS 3000
#define LOCK_STEP_MS 10

static const struct {
	unsigned int controller;
	const char *name;
	const char *promise;
} controllers[] = {
	{VGPU_CGROUP_CPU, "cpu", "shares of the processor"},
	{VGPU_CGROUP_MEMORY, "memory", "memory"},
	{VGPU_CGROUP_PIDS, "pids", "the number of processes and threads"},
};

static int read_at(int folder, const char *name, char **ret_text)
{
	char path[64 + NAME_MAX];
	size_t length;

	/* Opened by its fd, to be read as other files are. */
	snprintf(path, sizeof(path), "/proc/self/fd/%d/%s", folder, name);
	return vgpu_file_read(path, TEXT_MAX, ret_text, &length);
}

__attribute__((format(printf, 3, 4))) static int
write_at(int folder, const char *name, const char *fmt, ...)
{
	vgpu_autoclose int fd =
		openat(folder, name, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	char text[64];
	va_list args;
	int length;

	if (fd < 0)
		return -errno;
	va_start(args, fmt);
	length = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return write(fd, text, (size_t)length) < 0 ? -errno : 0;
}

static int make_group(int folder, const char *name, int *ret_group)
{
	int group;

	if (mkdirat(folder, name, 0755) < 0 && errno != EEXIST)
		return -errno;
	group = openat(folder, name,
		       O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (group < 0)
		return -errno;
	*ret_group = group;
	return 0;
}

__attribute__((format(printf, 2, 3))) static void
set_problem(struct vgpu_cgroups *cgroups, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(cgroups->problem, sizeof(cgroups->problem), fmt, args);
	va_end(args);
}

static bool is_set(int folder, const char *attribute)
{
	char value[8];
	ssize_t n = fgetxattr(folder, attribute, value, sizeof(value));

	return n == 1 && value[0] == '1';
}

/*
 * systemd marks what it gives away. Elsewhere a group is a user's if it was
 * given to that user; what is root's may be used by others of root's.
 */
static bool is_delegated(int folder)
{
	struct stat st;

	if (is_set(folder, "user.delegate") || is_set(folder, "trusted.delegate"))
		return true;
	return geteuid() != 0 && fstat(folder, &st) == 0 &&
	       st.st_uid == geteuid() &&
	       faccessat(folder, "cgroup.procs", W_OK, AT_EACCESS) == 0;
}

static char *find_own(const struct vgpu_cgroup_sources *sources)
{
	vgpu_autofree char *own = NULL, *mounts = NULL, *path = NULL;
	size_t length;

	if (vgpu_file_read(sources->own, TEXT_MAX, &own, &length) < 0 ||
	    vgpu_file_read(sources->mounts, TEXT_MAX, &mounts, &length) < 0)
		return NULL;
	path = vgpu_cgroup_text_own(own);
	return path ? vgpu_cgroup_text_locate(mounts, path) : NULL;
}

/* If somebody has put us into its leaf already, use the parent. */
static int open_delegated(char *path)
{
	char *leaf = strrchr(path, '/');
	vgpu_autoclose int folder = -1;

	if (leaf && leaf != path && strcmp(leaf, "/" LEAF) == 0) {
		*leaf = '\0';
		folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (folder >= 0 && is_delegated(folder))
			return vgpu_steal_fd(&folder);
		folder = vgpu_close(folder);
		*leaf = '/';
	}
	folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return folder >= 0 && is_delegated(folder) ? vgpu_steal_fd(&folder) : -1;
}

static bool lock_folder(int folder)
{
	for (int waited = 0; flock(folder, LOCK_EX | LOCK_NB) < 0;
	     waited += LOCK_STEP_MS) {
		if (errno != EWOULDBLOCK || waited >= LOCK_WAIT_MS)
			return false;
		usleep(LOCK_STEP_MS * 1000);
	}
	return true;
}

/*
 * Only a group without processes can have controllers for its children. Of a
 * vgpud before this one, that made no groups, devices may be in it.
 */
static void empty_group(int folder, int leaf)
{
	vgpu_autofree char *pids = NULL;
	char *saved = NULL;

	if (read_at(folder, "cgroup.procs", &pids) < 0)
		return;
	for (char *pid = strtok_r(pids, "\n", &saved); pid;
	     pid = strtok_r(NULL, "\n", &saved))
		write_at(leaf, "cgroup.procs", "%s", pid);
}

static int enter_leaf(int folder)
{
	vgpu_autoclose int leaf = -1;
	int r;

	r = make_group(folder, LEAF, &leaf);
	if (r < 0)
		return r;
	r = write_at(leaf, "cgroup.procs", "%d", getpid());
	if (r < 0)
		return r;
	empty_group(folder, leaf);
	return 0;
}

static void enable_controllers(struct vgpu_cgroups *cgroups)
{
	vgpu_autofree char *available = NULL;
	char lacking[128] = "";
	size_t used = 0;

	if (read_at(cgroups->folder, "cgroup.controllers", &available) < 0)
		available = NULL;
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(controllers); i++) {
		if (available &&
		    vgpu_cgroup_text_has(available, controllers[i].name) &&
		    write_at(cgroups->folder, "cgroup.subtree_control", "+%s",
			     controllers[i].name) == 0)
			cgroups->controllers |= controllers[i].controller;
		else
			used += (size_t)snprintf(
				lacking + used, sizeof(lacking) - used, "%s%s",
				used ? ", " : "", controllers[i].promise);
	}
	if (used)
		set_problem(cgroups, "%s has no controller that limits %s",
			    cgroups->path, lacking);
}

void vgpu_cgroups_init(struct vgpu_cgroups *ret_cgroups,
		       const struct vgpu_cgroup_sources *sources)
{
	static const struct vgpu_cgroup_sources real = {
		.own = "/proc/self/cgroup",
		.mounts = "/proc/self/mountinfo",
	};
	struct vgpu_cgroups *cgroups = ret_cgroups;
	int r;

	*cgroups = (struct vgpu_cgroups){.folder = -1};
	cgroups->path = find_own(sources ? sources : &real);
	if (!cgroups->path) {
		set_problem(cgroups, "no cgroup v2 of vgpud's can be found here");
		return;
	}
	cgroups->folder = open_delegated(cgroups->path);
	if (cgroups->folder < 0) {
		set_problem(cgroups, "%s is not delegated to vgpud",
			    cgroups->path);
	} else if (!lock_folder(cgroups->folder)) {
		set_problem(cgroups, "another vgpud uses %s", cgroups->path);
	} else {
		r = enter_leaf(cgroups->folder);
		if (r < 0)
			set_problem(cgroups, "%s cannot be divided: %s",
				    cgroups->path, strerror(-r));
		else
			enable_controllers(cgroups);
	}
	if (!cgroups->controllers)
		vgpu_cgroups_finish(cgroups);
	else if (cgroups->controllers & VGPU_CGROUP_CPU)
		write_at(cgroups->folder, LEAF "/cpu.weight", MANAGER_WEIGHT);
}

void vgpu_cgroups_finish(struct vgpu_cgroups *cgroups)
{
	free(cgroups->path);
	cgroups->path = NULL;
	cgroups->folder = vgpu_close(cgroups->folder);
	cgroups->controllers = 0;
}

static bool name_group(const struct vgpu_cgroups *cgroups, const char *uuid,
		       char ret_name[NAME_MAX + 1])
{
	if (cgroups->folder < 0)
		return false;
	snprintf(ret_name, NAME_MAX + 1, PREFIX "%s", uuid);
	return true;
}

void vgpu_cgroups_clean(const struct vgpu_cgroups *cgroups,
			bool (*is_known)(void *opaque, const char *uuid),
			void *opaque)
{
	int copy = cgroups->folder < 0
			   ? -1
			   : openat(cgroups->folder, ".",
				    O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *folder = copy < 0 ? NULL : fdopendir(copy);
	struct dirent *entry;

	if (!folder) {
		vgpu_close(copy);
		return;
	}
	while ((entry = readdir(folder))) {
		const char *uuid = entry->d_name + strlen(PREFIX);

		/* One with a process in it stays. */
		if (strncmp(entry->d_name, PREFIX, strlen(PREFIX)) == 0 &&
		    vgpu_uuid_has_form(uuid) && !is_known(opaque, uuid))
			vgpu_cgroup_remove(cgroups, uuid);
	}
	closedir(folder);
}

int vgpu_cgroup_open(const struct vgpu_cgroups *cgroups, const char *uuid,
		     int *ret_group)
{
	char name[NAME_MAX + 1];

	if (!name_group(cgroups, uuid, name))
		return -ENOENT;
	return make_group(cgroups->folder, name, ret_group);
}

static int limit_memory(int group, uint64_t bytes)
{
	int r;

	/* No swap; the OOM killer ends one process, not the whole group. */
	r = write_at(group, "memory.swap.max", "0");
	if (r < 0 && r != -ENOENT) /* a kernel without swap */
		return r;
	r = write_at(group, "memory.oom.group", "0");
	if (r < 0)
		return r;
	return write_at(group, "memory.max", "%" PRIu64, bytes);
}

static int limit_cpu(int group, const struct vgpu_cgroup_limits *limits)
{
	int r = write_at(group, "cpu.weight", "%" PRIu32, limits->cpu_weight);

	if (r < 0)
		return r;
	/* A kernel without CONFIG_CFS_BANDWIDTH has no such file. */
	if (limits->cpu_quota_usec == 0) {
		r = write_at(group, "cpu.max", "max");
		return r == -ENOENT ? 0 : r;
	}
	return write_at(group, "cpu.max", "%" PRIu64 " %" PRIu64,
			limits->cpu_quota_usec, limits->cpu_period_usec);
}

int vgpu_cgroup_limit(const struct vgpu_cgroups *cgroups, int group,
		      const struct vgpu_cgroup_limits *limits)
{
	int r = 0;

	if (cgroups->controllers & VGPU_CGROUP_MEMORY)
		r = limit_memory(group, limits->memory_bytes);
	if (r == 0 && cgroups->controllers & VGPU_CGROUP_PIDS)
		r = write_at(group, "pids.max", "%" PRIu32, limits->processes);
	if (r == 0 && cgroups->controllers & VGPU_CGROUP_CPU)
		r = limit_cpu(group, limits);
	return r;
}

int vgpu_cgroup_adopt(int group, pid_t pid)
{
	vgpu_autofree char *children = NULL, *here = NULL;
	char path[64], word[16];
	char *saved = NULL;
	size_t length;
	int r;

	snprintf(word, sizeof(word), "%d", pid);
	if (read_at(group, "cgroup.procs", &here) == 0 &&
	    vgpu_cgroup_text_has(here, word))
		return 0;
	r = write_at(group, "cgroup.procs", "%s", word);
	if (r < 0)
		return r;
	/* Children can be moved only where the kernel lists them. */
	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	if (vgpu_file_read(path, TEXT_MAX, &children, &length) < 0)
		return 0;
	for (char *child = strtok_r(children, " \n", &saved); child;
	     child = strtok_r(NULL, " \n", &saved))
		write_at(group, "cgroup.procs", "%s", child);
	return 0;
}

static bool read_number(int group, const char *name, const char *key,
			uint64_t *ret_value)
{
	vgpu_autofree char *text = NULL;

	if (read_at(group, name, &text) < 0)
		return false;
	if (key)
		return vgpu_cgroup_text_value(text, key, ret_value);
	return sscanf(text, "%" SCNu64, ret_value) == 1;
}

int vgpu_cgroup_read(const struct vgpu_cgroups *cgroups, int group,
		     struct vgpu_cgroup_usage *ret_usage)
{
	struct vgpu_cgroup_usage usage = {};
	uint64_t value;

	if (cgroups->controllers & VGPU_CGROUP_CPU &&
	    !read_number(group, "cpu.stat", "usage_usec", &usage.cpu_usec))
		return -EIO;
	if (cgroups->controllers & VGPU_CGROUP_MEMORY &&
	    !read_number(group, "memory.current", NULL, &usage.memory_bytes))
		return -EIO;
	if (cgroups->controllers & VGPU_CGROUP_PIDS) {
		if (!read_number(group, "pids.current", NULL, &value))
			return -EIO;
		usage.processes = (uint32_t)value;
	}
	*ret_usage = usage;
	return 0;
}

int vgpu_cgroup_kill(int group)
{
	return write_at(group, "cgroup.kill", "1");
}

int vgpu_cgroup_remove(const struct vgpu_cgroups *cgroups, const char *uuid)
{
	char name[NAME_MAX + 1];

	if (!name_group(cgroups, uuid, name))
		return 0;
	if (unlinkat(cgroups->folder, name, AT_REMOVEDIR) < 0 && errno != ENOENT)
		return -errno;
	return 0;
}
