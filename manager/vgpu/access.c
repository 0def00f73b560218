/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is let in at the sockets. */
#include "access.h"

#include <string.h>

#include "manager/device/listen.h"
#include "manager/host/acl.h"
#include "manager/host/group.h"
#include "instance.h"
#include "lib/util.h"
#include "manager/host/log.h"

/* As the packages make them. */
#define MANAGERS "vgpu"
#define USERS	 "vgpu-vm"
#define WATCHERS "vgpu-watch"

#define USE	 (4 | 2) /* what connect() needs */
#define TRAVERSE 1

void vgpu_access_init(struct vgpu_manager *manager)
{
	struct vgpu_access *access = &manager->access;
	uint32_t managers = vgpu_group_find(MANAGERS);

	/* A private manager is for its user only, whatever groups exist. */
	access->managers = manager->config.managers;
	if (!access->managers && managers == getegid())
		access->managers = managers;
	access->users = manager->config.users;
	if (!access->users && access->managers)
		access->users = vgpu_group_find(USERS);
	access->watchers = manager->config.watchers;
	if (!access->watchers && access->managers)
		access->watchers = vgpu_group_find(WATCHERS);
	access->has_acls = vgpu_acl_is_supported(manager->paths.runtime);
}

static bool needs_acl(const struct vgpu_owner *owner)
{
	return (owner->uid > 0 && owner->uid != geteuid()) ||
	       (owner->gid > 0 && owner->gid != getegid());
}

void vgpu_access_choose_owner(const struct vgpu_manager *manager, int64_t uid,
			      struct vgpu_owner *ret_owner)
{
	struct vgpu_owner owner = {};

	/* Those of root are for the group that runs virtual machines. */
	if (uid <= 0)
		owner.gid = manager->access.users;
	else
		owner.uid = (uint32_t)uid;
	if (uid <= 0 && needs_acl(&owner) && !manager->access.has_acls)
		owner.gid = 0;
	*ret_owner = owner;
}

int vgpu_access_check_owner(const struct vgpu_manager *manager,
			    const struct vgpu_owner *owner, struct vgpu_err *err)
{
	if (!vgpu_owner_is_sound(owner))
		return vgpu_err_set(
			err, -EINVAL, "BadOwner",
			"an owner is a user or a group of its own, and not 'nobody'");
	if (needs_acl(owner) && !manager->access.has_acls)
		return vgpu_err_set(
			err, -EOPNOTSUPP, "BadOwner",
			"the file system of %s has no ACLs, so that nobody but vgpud's own user can be let in: give vgpud a runtime folder on a tmpfs",
			manager->paths.runtime);
	return 0;
}

void vgpu_access_open_manager(struct vgpu_manager *manager)
{
	vgpu_autofree struct vgpu_acl_entry *entries = NULL;
	struct vgpu_instance *instance;
	size_t n = 0;
	int r;

	if (!manager->accept)
		return;
	TAILQ_FOREACH(instance, &manager->instances, entry)
	n++;
	entries = calloc(n + 2, sizeof(*entries));
	n = 0;
	if (entries) {
		entries[n++] = (struct vgpu_acl_entry){manager->access.managers,
						       .is_group = true};
		entries[n++] = (struct vgpu_acl_entry){manager->access.watchers,
						       .is_group = true};
	}
	TAILQ_FOREACH(instance, &manager->instances, entry)
	if (entries)
		entries[n++] = (struct vgpu_acl_entry){
			instance->definition.owner.uid, .is_group = false};
	r = entries ? vgpu_acl_set(manager->paths.socket, USE, USE, entries, n)
		    : -ENOMEM;
	if (r < 0)
		vgpu_log("who may connect to %s cannot be set: %s",
			 manager->paths.socket, strerror(-r));
}

int vgpu_access_open_vgpu(const struct vgpu_manager *manager,
			  const struct vgpu_definition *definition,
			  struct vgpu_err *err)
{
	/* Managers use only the VNC servers' sockets in there. */
	const struct vgpu_acl_entry entries[] = {
		{definition->owner.uid, .is_group = false},
		{definition->owner.gid, .is_group = true},
		{manager->access.managers, .is_group = true},
	};
	const char *socket = vgpu_definition_socket(definition);
	char path[VGPU_SOCKET_PATH_SIZE];
	int r;

	/* The folder first: while it is closed nobody gets in. */
	vgpu_paths_instance(&manager->paths, definition->uuid, NULL, path);
	r = vgpu_acl_set(path, USE | TRAVERSE, TRAVERSE, entries,
			 VGPU_ARRAY_SIZE(entries));
	if (r >= 0 && socket) {
		vgpu_paths_instance(&manager->paths, definition->uuid, socket,
				    path);
		r = vgpu_acl_set(path, USE, USE, entries, 2);
	}
	for (size_t i = 0; r >= 0 && i < VGPU_INPUTS; i++) {
		vgpu_paths_instance(&manager->paths, definition->uuid,
				    vgpu_listen_input_socket[i], path);
		/* Not every vGPU has them. */
		if (access(path, F_OK) == 0)
			r = vgpu_acl_set(path, USE, USE, entries, 2);
	}
	if (r < 0)
		return vgpu_err_set(err, r, "BadOwner",
				    "its owner cannot be let in at %s: %s", path,
				    r == -EOPNOTSUPP ? "its file system has no ACLs"
						     : strerror(-r));
	return 0;
}

int vgpu_access_open_vnc(const struct vgpu_manager *manager,
			 const struct vgpu_definition *definition,
			 const char *path)
{
	/*
	 * Not the owning group: it runs virtual machines, which must not see
	 * each other's screens.
	 */
	const struct vgpu_acl_entry entries[] = {
		{definition->owner.uid, .is_group = false},
		{manager->access.managers, .is_group = true},
	};

	return vgpu_acl_set(path, USE, USE, entries, VGPU_ARRAY_SIZE(entries));
}
