/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Groups of users, by name or number. */
#ifndef VGPU_MANAGER_HOST_GROUP_H
#define VGPU_MANAGER_HOST_GROUP_H

#include <stdbool.h>
#include <stdint.h>

/* The gid of the group @name; 0 if there is none. */
uint32_t vgpu_group_find(const char *name);
/* A group by its name or its number; false if there is none, or it is root's. */
bool vgpu_group_parse(const char *text, uint32_t *ret_gid);

#endif
