/* SPDX-License-Identifier: GPL-2.0-or-later */
/* POSIX ACLs: access for users that a file's mode cannot name. */
#include "acl.h"

#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/xattr.h>

#include "lib/util.h"

#define NAME "system.posix_acl_access"

/* The owner, the group, the mask and others: what every ACL has beside names. */
#define FIXED 4

/* As the kernel takes it, see acl(5). */
struct acl {
	struct posix_acl_xattr_header header;
	struct posix_acl_xattr_entry entries[];
};

static_assert(sizeof(struct posix_acl_xattr_header) == 4, "an ACL's header");
static_assert(sizeof(struct posix_acl_xattr_entry) == 8, "an ACL's entry");

bool vgpu_acl_is_supported(const char *path)
{
	return lgetxattr(path, NAME, NULL, 0) >= 0 || errno == ENODATA;
}

/* Whether entry @i grants what neither the mode nor another entry does. */
static bool is_new(const struct stat *file,
		   const struct vgpu_acl_entry *entries, size_t i)
{
	const struct vgpu_acl_entry *entry = &entries[i];

	if (entry->id == 0 ||
	    entry->id == (entry->is_group ? file->st_gid : file->st_uid))
		return false;
	for (size_t other = 0; other < i; other++)
		if (entries[other].id == entry->id &&
		    entries[other].is_group == entry->is_group)
			return false;
	return true;
}

static bool has_own_group(const struct stat *file,
			  const struct vgpu_acl_entry *entries, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].is_group && entries[i].id > 0 &&
		    entries[i].id == file->st_gid)
			return true;
	return false;
}

static void put_entry(struct acl *acl, size_t *n, unsigned int tag,
		      unsigned int perm, uint32_t id)
{
	acl->entries[(*n)++] = (struct posix_acl_xattr_entry){
		.e_tag = htole16((uint16_t)tag),
		.e_perm = htole16((uint16_t)perm),
		.e_id = htole32(id),
	};
}

static void put_named(struct acl *acl, size_t *n, const struct stat *file,
		      const struct vgpu_acl_entry *entries, size_t count,
		      bool is_group, unsigned int perm)
{
	for (size_t i = 0; i < count; i++)
		if (entries[i].is_group == is_group && is_new(file, entries, i))
			put_entry(acl, n, is_group ? ACL_GROUP : ACL_USER, perm,
				  entries[i].id);
}

int vgpu_acl_set(const char *path, unsigned int own, unsigned int others,
		 const struct vgpu_acl_entry *entries, size_t count)
{
	vgpu_autofree struct acl *acl = NULL;
	unsigned int group;
	bool has_names;
	struct stat file;
	size_t n = 0;

	acl = malloc(sizeof(*acl) + (count + FIXED) * sizeof(acl->entries[0]));
	if (!acl)
		return -ENOMEM;
	if (lstat(path, &file) < 0)
		return -errno;
	group = has_own_group(&file, entries, count) ? others : 0;
	acl->header.a_version = htole32(POSIX_ACL_XATTR_VERSION);
	put_entry(acl, &n, ACL_USER_OBJ, own, ACL_UNDEFINED_ID);
	put_named(acl, &n, &file, entries, count, false, others);
	put_entry(acl, &n, ACL_GROUP_OBJ, group, ACL_UNDEFINED_ID);
	put_named(acl, &n, &file, entries, count, true, others);
	has_names = n > 2;
	if (has_names)
		put_entry(acl, &n, ACL_MASK, others, ACL_UNDEFINED_ID);
	put_entry(acl, &n, ACL_OTHER, 0, ACL_UNDEFINED_ID);
	/*
	 * Replaced in one call: whoever has access before and after keeps it.
	 */
	if (lsetxattr(path, NAME, acl,
		      sizeof(*acl) + n * sizeof(acl->entries[0]), 0) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	if (chmod(path, own << 6 | group << 3) < 0)
		return -errno;
	return has_names ? -EOPNOTSUPP : 0;
}
