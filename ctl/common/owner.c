/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners of vGPUs: translate names of users and groups to numbers and back. */
#include "ctl/common/owner.h"

#include <grp.h>
#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/number.h"
#include "lib/util.h"

/* Users and groups of this machine are not those of another. */
static bool complain_of_name(const char *name)
{
	return ctl_complain(
		"--owner takes numbers with --host, not '%s': names of users are each machine's own",
		name);
}

static bool find_user(const struct ctl *ctl, const char *name, uint32_t *ret_uid)
{
	const struct passwd *entry;

	if (ctl_number_parse(name, ret_uid))
		return true;
	if (ctl->host)
		return complain_of_name(name);
	entry = getpwnam(name);
	if (!entry)
		return ctl_complain("there is no user '%s'", name);
	*ret_uid = entry->pw_uid;
	return true;
}

static bool find_group(const struct ctl *ctl, const char *name, uint32_t *ret_gid)
{
	const struct group *entry;

	if (ctl_number_parse(name, ret_gid))
		return true;
	if (ctl->host)
		return complain_of_name(name);
	entry = getgrnam(name);
	if (!entry)
		return ctl_complain("there is no group '%s'", name);
	*ret_gid = entry->gr_gid;
	return true;
}

bool ctl_owner_set(const struct ctl *ctl, sd_json_variant **parameters)
{
	const char *text = ctl->owner;
	const char *colon = strchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : strlen(text);
	vgpu_autofree char *user = strndup(text, length);
	uint32_t uid = 0, gid = 0;

	if (!user)
		return ctl_complain("out of memory");
	if ((!length && !colon) || (colon && !colon[1]))
		return ctl_complain(
			"--owner takes USER[:GROUP] or :GROUP, not '%s'", text);
	if ((length && !find_user(ctl, user, &uid)) ||
	    (colon && !find_group(ctl, colon + 1, &gid)))
		return false;
	if (sd_json_variant_set_field_unsigned(parameters, "ownerUid", uid) < 0 ||
	    sd_json_variant_set_field_unsigned(parameters, "ownerGid", gid) < 0)
		return ctl_complain("out of memory");
	return true;
}

/* The name, if it is safe to print, else the number. */
static char *name_of(const char *name, uint64_t id)
{
	char *text = NULL;

	for (const char *c = name; c && *c; c++)
		if (*c < '!' || *c > '~')
			name = NULL;
	if (asprintf(&text, "%s", name ? name : "") < 0)
		return NULL;
	if (*text)
		return text;
	free(text);
	return asprintf(&text, "%" PRIu64, id) < 0 ? NULL : text;
}

static char *user_name(const struct ctl *ctl, uint64_t uid)
{
	const struct passwd *entry = ctl->host ? NULL : getpwuid((uid_t)uid);

	return name_of(entry ? entry->pw_name : NULL, uid);
}

static char *group_name(const struct ctl *ctl, uint64_t gid)
{
	const struct group *entry = ctl->host ? NULL : getgrgid((gid_t)gid);

	return name_of(entry ? entry->gr_name : NULL, gid);
}

char *ctl_owner_text(const struct ctl *ctl, sd_json_variant *vgpu)
{
	vgpu_autofree char *user = NULL, *group = NULL;
	uint64_t uid = 0, gid = 0;
	char *text = NULL;
	int r = -1;

	if (ctl_json_unsigned(vgpu, "ownerUid", &uid) && uid > 0)
		user = user_name(ctl, uid);
	if (ctl_json_unsigned(vgpu, "ownerGid", &gid) && gid > 0)
		group = group_name(ctl, gid);
	if (user && group)
		r = asprintf(&text, "%s (%" PRIu64 "), group %s (%" PRIu64 ")",
			     user, uid, group, gid);
	else if (user)
		r = asprintf(&text, "%s (%" PRIu64 ")", user, uid);
	else if (group)
		r = asprintf(&text, "group %s (%" PRIu64 ")", group, gid);
	return r < 0 ? NULL : text;
}

char *ctl_owner_short_text(const struct ctl *ctl, sd_json_variant *vgpu)
{
	vgpu_autofree char *group = NULL;
	char *text = NULL;
	uint64_t id;

	if (ctl_json_unsigned(vgpu, "ownerUid", &id) && id > 0)
		return user_name(ctl, id);
	if (ctl_json_unsigned(vgpu, "ownerGid", &id) && id > 0)
		group = group_name(ctl, id);
	return group && asprintf(&text, ":%s", group) >= 0 ? text : NULL;
}
