/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Give up user id 0 and all capabilities. */
#include "sandbox/ids.h"

#include <assert.h>
#include <errno.h>
#include <glob.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/securebits.h>
#include <pwd.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/util.h"

#define USER	   "vgpu"
#define NOBODY	   65534
#define GROUPS_MAX 64

struct identity {
	uid_t uid;
	gid_t gid;
	gid_t groups[GROUPS_MAX];
	int n_groups;
};

static void add_group(struct identity *identity, gid_t gid)
{
	for (int i = 0; i < identity->n_groups; i++)
		if (identity->groups[i] == gid)
			return;
	if (gid != 0 && identity->n_groups < GROUPS_MAX)
		identity->groups[identity->n_groups++] = gid;
}

/*
 * Keep the groups of the GPUs' device nodes, and of what dma-bufs are made
 * with: the driver opens them after the ids have changed.
 */
static void add_gpu_groups(struct identity *identity)
{
	static const char *const paths[] = {"/dev/dri/renderD*", "/dev/udmabuf"};

	for (size_t k = 0; k < VGPU_ARRAY_SIZE(paths); k++) {
		glob_t found = {};
		struct stat st;

		if (glob(paths[k], 0, NULL, &found) == 0)
			for (size_t i = 0; i < found.gl_pathc; i++)
				if (stat(found.gl_pathv[i], &st) == 0)
					add_group(identity, st.st_gid);
		globfree(&found);
	}
}

static void choose_identity(struct identity *ret_identity)
{
	struct identity identity = {.uid = NOBODY, .gid = NOBODY};
	const struct passwd *user = getpwnam(USER);

	if (user && user->pw_uid != 0) {
		identity.uid = user->pw_uid;
		identity.gid = user->pw_gid;
		identity.n_groups = GROUPS_MAX;
		if (getgrouplist(USER, user->pw_gid, identity.groups,
				 &identity.n_groups) < 0)
			identity.n_groups = 0;
	}
	add_gpu_groups(&identity);
	*ret_identity = identity;
}

/* In a user namespace, user 0 may be another user outside. */
static bool is_root_outside(void)
{
	vgpu_autofclose FILE *map = fopen("/proc/self/uid_map", "re");
	unsigned int inside, outside;

	return !map || fscanf(map, "%u %u", &inside, &outside) != 2 ||
	       inside != 0 || outside == 0;
}

int vgpu_sandbox_leave_root(void)
{
	struct identity identity;

	if (getuid() != 0 && geteuid() != 0)
		return 0;
	choose_identity(&identity);
	if (setgroups((size_t)identity.n_groups, identity.groups) < 0 ||
	    setresgid(identity.gid, identity.gid, identity.gid) < 0 ||
	    setresuid(identity.uid, identity.uid, identity.uid) < 0) {
		int r = -errno;

		return is_root_outside() ? r : 0;
	}
	return getuid() == 0 || geteuid() == 0 ? -EPERM : 0;
}

/*
 * All this needs CAP_SETPCAP; a process without it has no capability to drop.
 */
int vgpu_sandbox_shrink_bounds(uint64_t kept)
{
	for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
		if (!(i < 64 && kept & (1ULL << i)) &&
		    prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno != EPERM)
			return -errno;
	return 0;
}

int vgpu_sandbox_lock_bits(void)
{
	if (prctl(PR_SET_SECUREBITS, SECURE_ALL_BITS | SECURE_ALL_LOCKS, 0, 0,
		  0) < 0 &&
	    errno != EPERM)
		return -errno;
	return 0;
}

static int get_capabilities(struct __user_cap_header_struct *header,
			    struct __user_cap_data_struct *ret_now)
{
	header->version = _LINUX_CAPABILITY_VERSION_3;
	header->pid = 0;
	return syscall(SYS_capget, header, ret_now) < 0 ? -errno : 0;
}

int vgpu_sandbox_drop_capabilities(uint64_t kept)
{
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3], next[2];
	struct __user_cap_header_struct header;
	int r;

	static_assert(VGPU_ARRAY_SIZE(now) == VGPU_ARRAY_SIZE(next),
		      "64 capabilities");
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return -errno;
	r = get_capabilities(&header, now);
	if (r < 0)
		return r;
	for (int i = 0; i < 2; i++) {
		next[i].permitted =
			now[i].permitted & (uint32_t)(kept >> (32 * i));
		next[i].effective = next[i].permitted;
		next[i].inheritable = next[i].permitted;
	}
	/*
	 * Without any capability the call may be forbidden, and is not needed.
	 */
	if (memcmp(now, next, sizeof(now)) == 0)
		return 0;
	return syscall(SYS_capset, &header, next) < 0 ? -errno : 0;
}

int vgpu_sandbox_try_drop(void)
{
	struct __user_cap_data_struct now[_LINUX_CAPABILITY_U32S_3];
	struct __user_cap_header_struct header;
	int r = get_capabilities(&header, now);

	if (r < 0)
		return r;
	return syscall(SYS_capset, &header, now) < 0 ? -errno : 0;
}

int vgpu_sandbox_raise_ambient(uint64_t kept)
{
	for (unsigned long i = 0; i < 64; i++)
		if (kept & (1ULL << i) &&
		    prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, i, 0, 0) < 0)
			return -errno;
	return 0;
}
