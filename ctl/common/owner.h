/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Owners of vGPUs: translate names of users and groups to numbers and back. */
#ifndef VGPU_CTL_COMMON_OWNER_H
#define VGPU_CTL_COMMON_OWNER_H

#include <stdbool.h>

#include "ctl/ctl.h"

/*
 * Parse --owner, USER[:GROUP] or :GROUP, and set ownerUid and ownerGid in
 * *@parameters; 0 for one that is not named. Returns false, with a line
 * printed, if there is no such user or group, or if it is a name and the
 * manager another machine's.
 */
bool ctl_owner_set(const struct ctl *ctl, sd_json_variant **parameters);

/* "cad (1000), group vm (104)" of @vgpu, which the caller frees; NULL: nobody. */
char *ctl_owner_text(const struct ctl *ctl, sd_json_variant *vgpu);
/* "cad" or ":vm", which the caller frees; NULL: nobody. */
char *ctl_owner_short_text(const struct ctl *ctl, sd_json_variant *vgpu);

#endif
