/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who may call which method. */
#include "rights.h"

#include <stdlib.h>
#include <sys/socket.h>

#include "lib/util.h"
#include "manager/vgpu/events.h"
#include "manager/vgpu/instance.h"
#include "reply.h"

int64_t vgpu_rights_uid(sd_varlink *link)
{
	uid_t uid;

	return sd_varlink_get_peer_uid(link, &uid) < 0 ? VGPU_EVENT_BY_NOBODY
						       : (int64_t)uid;
}

static bool is_in_group(sd_varlink *link, uint32_t wanted)
{
	int fd = sd_varlink_get_fd(link);
	vgpu_autofree gid_t *more = NULL;
	gid_t few[32], gid = 0;
	const gid_t *groups = few;
	socklen_t bytes = sizeof(few);

	if (wanted == 0)
		return false;
	if (sd_varlink_get_peer_gid(link, &gid) >= 0 && gid == wanted)
		return true;
	/* Groups that the peer had when it connected. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, few, &bytes) < 0) {
		if (errno != ERANGE)
			return false;
		groups = more = malloc(bytes);
		if (!more ||
		    getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, more, &bytes) < 0)
			return false;
	}
	for (size_t i = 0; i < bytes / sizeof(groups[0]); i++)
		if (groups[i] == wanted)
			return true;
	return false;
}

bool vgpu_rights_is_manager(const struct vgpu_manager *manager, sd_varlink *link)
{
	uid_t uid;

	if (sd_varlink_get_peer_uid(link, &uid) < 0)
		return false;
	return uid == 0 || uid == geteuid() ||
	       is_in_group(link, manager->access.managers);
}

bool vgpu_rights_sees_all(const struct vgpu_manager *manager, sd_varlink *link)
{
	return vgpu_rights_is_manager(manager, link) ||
	       is_in_group(link, manager->access.watchers);
}

static bool is_owner(sd_varlink *link, const struct vgpu_owner *owner)
{
	uid_t uid;

	return owner->uid > 0 && sd_varlink_get_peer_uid(link, &uid) >= 0 &&
	       uid == owner->uid;
}

bool vgpu_rights_sees(const struct vgpu_manager *manager, sd_varlink *link,
		      const struct vgpu_owner *owner)
{
	return is_owner(link, owner) || vgpu_rights_sees_all(manager, link);
}

static int check_owner_of_named(sd_varlink *link, sd_json_variant *parameters,
				struct vgpu_manager *manager)
{
	sd_json_variant *name = sd_json_variant_by_key(parameters, "vgpu");
	struct vgpu_instance *instance;
	struct vgpu_err err = {};

	if (!sd_json_variant_is_string(name))
		return sd_varlink_error_invalid_parameter_name(link, "vgpu");
	instance =
		vgpu_instance_find(manager, sd_json_variant_string(name), &err);
	if (instance && is_owner(link, &instance->definition.owner))
		return 1;
	/* Do not reveal that others' vGPUs exist. */
	vgpu_instance_set_unknown(sd_json_variant_string(name), &err);
	return vgpu_reply_error(link, &err);
}

int vgpu_rights_check(sd_varlink *link, sd_json_variant *parameters,
		      enum vgpu_right right, struct vgpu_manager *manager)
{
	struct vgpu_err err = {};

	if (right == VGPU_RIGHT_ANYONE || vgpu_rights_is_manager(manager, link))
		return 1;
	if (right == VGPU_RIGHT_SEE && vgpu_rights_sees_all(manager, link))
		return 1;
	if (right != VGPU_RIGHT_MANAGE)
		return check_owner_of_named(link, parameters, manager);
	vgpu_err_set(
		&err, -EPERM, "NotAllowed",
		"that is for who manages vGPUs: root, vgpud's own user and members of its group");
	return vgpu_reply_error(link, &err);
}
