/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of users, by name or number. */
#include "group.h"

#include <errno.h>
#include <grp.h>
#include <stdlib.h>

uint32_t vgpu_group_find(const char *name)
{
	struct group entry, *found = NULL;
	char buffer[16384];

	return getgrnam_r(name, &entry, buffer, sizeof(buffer), &found) == 0 &&
			       found
		       ? found->gr_gid
		       : 0;
}

bool vgpu_group_parse(const char *text, uint32_t *ret_gid)
{
	unsigned long number;
	uint32_t gid;
	char *end;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (*text >= '0' && *text <= '9' && !*end)
		gid = errno == 0 && number < UINT32_MAX ? (uint32_t)number : 0;
	else
		gid = vgpu_group_find(text);
	if (gid == 0)
		return false;
	*ret_gid = gid;
	return true;
}
