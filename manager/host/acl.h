/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POSIX ACLs: access for users that a file's mode cannot name. */
#ifndef VGPU_MANAGER_HOST_ACL_H
#define VGPU_MANAGER_HOST_ACL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Who gets access: a user, or the members of a group. */
struct vgpu_acl_entry {
	uint32_t id;
	bool is_group;
};

/* Whether the file system that @path is on has ACLs. */
bool vgpu_acl_is_supported(const char *path);

/*
 * Set who may do what with @path, which is ours: @own and @others are rwx bits
 * of its owner and of those in @entries. Nobody else but root may do anything.
 * Entries that say nothing new, of root or of the file's owner, are left out;
 * if none remains no ACL is needed. -EOPNOTSUPP: one is, and there are none
 * here; the file is its owner's alone then.
 */
int vgpu_acl_set(const char *path, unsigned int own, unsigned int others,
		 const struct vgpu_acl_entry *entries, size_t count);

#endif
