/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Control groups (cgroup v2): one for each vGPU, whose processes are in it.
 *
 *	the group that was delegated to vgpud
 *	  manager      vgpud itself, and who waits to be taken over
 *	  vgpu-UUID    the device, its launcher and VNC servers, and all that
 *	               these start
 */
#ifndef VGPU_MANAGER_HOST_CGROUP_H
#define VGPU_MANAGER_HOST_CGROUP_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/name.h"

enum vgpu_cgroup_controller {
	VGPU_CGROUP_CPU = 1 << 0,
	VGPU_CGROUP_MEMORY = 1 << 1,
	VGPU_CGROUP_PIDS = 1 << 2,
	VGPU_CGROUP_ALL = (1 << 3) - 1,
};

struct vgpu_cgroups {
	char *path; /* of the delegated group; NULL: there is none */
	int folder; /* the same; -1: there is none */
	unsigned int controllers; /* that limit its children, a bit each */
	char problem[256]; /* why some do not, for a person; "" if all do */
};

/* Where the kernel's files are: not the real ones in tests alone. */
struct vgpu_cgroup_sources {
	const char *own;    /* /proc/self/cgroup */
	const char *mounts; /* /proc/self/mountinfo */
};

/*
 * Find the group that vgpud was started in, make sure that it is vgpud's to
 * divide, go to a leaf of it, and turn the controllers on for its children.
 * What is not so is no failure, but the problem that *ret_cgroups names. NULL:
 * the real sources.
 */
void vgpu_cgroups_init(struct vgpu_cgroups *ret_cgroups,
		       const struct vgpu_cgroup_sources *sources);
/* Groups and what is in them stay. */
void vgpu_cgroups_finish(struct vgpu_cgroups *cgroups);
/* Remove groups in which no process is, but for those that @is_known. */
void vgpu_cgroups_clean(const struct vgpu_cgroups *cgroups,
			bool (*is_known)(void *opaque, const char *uuid),
			void *opaque);

struct vgpu_cgroup_limits {
	uint64_t memory_bytes;
	uint32_t processes; /* threads count as such */
	uint32_t cpu_weight;
	uint64_t cpu_quota_usec; /* in each period; 0 for no limit */
	uint64_t cpu_period_usec;
};

struct vgpu_cgroup_usage {
	uint64_t cpu_usec;     /* since the group was made */
	uint64_t memory_bytes; /* now */
	uint32_t processes;
};

/*
 * The group of a vGPU, made if it is not there: *ret_group is its folder.
 * -ENOENT where vGPUs have none.
 */
int vgpu_cgroup_open(const struct vgpu_cgroups *cgroups, const char *uuid,
		     int *ret_group);
int vgpu_cgroup_limit(const struct vgpu_cgroups *cgroups, int group,
		      const struct vgpu_cgroup_limits *limits);
/* Move a process, and what it started, into @group, if they are not there. */
int vgpu_cgroup_adopt(int group, pid_t pid);
int vgpu_cgroup_read(const struct vgpu_cgroups *cgroups, int group,
		     struct vgpu_cgroup_usage *ret_usage);
/* End all processes in it at once. */
int vgpu_cgroup_kill(int group);
/* -EBUSY while a process is in it. */
int vgpu_cgroup_remove(const struct vgpu_cgroups *cgroups, const char *uuid);

#endif
