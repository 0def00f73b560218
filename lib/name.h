/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and uuids of vGPUs. */
#ifndef VGPU_LIB_NAME_H
#define VGPU_LIB_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

/* Name of vgpud's varlink interface, and of its socket. */
#define VGPU_INTERFACE "io.openvgpu.Manager"

#define VGPU_NAME_MAX	 64 /* bytes, without the terminating NUL */
#define VGPU_UUID_LENGTH 36 /* 8-4-4-4-12 */
#define VGPU_UUID_SIZE	 (VGPU_UUID_LENGTH + 1)

/*
 * A name is 1 to VGPU_NAME_MAX of [A-Za-z0-9._-], beginning with a letter or
 * digit, and not of a uuid's form. Returns 0, or -EINVAL with err "BadName".
 */
int vgpu_name_check(const char *name, struct vgpu_err *err);

/*
 * Parse a uuid in the 8-4-4-4-12 form, any case, into lower case.
 * Returns 0, or -EINVAL with err "BadUuid"; the nil uuid is refused.
 */
int vgpu_uuid_parse(const char *text, char ret_uuid[VGPU_UUID_SIZE],
		    struct vgpu_err *err);
bool vgpu_uuid_has_form(const char *text);
/*
 * Parse a UUID into bytes. False, with @ret_bytes untouched, if @text is none.
 */
bool vgpu_uuid_bytes(const char *text, uint8_t ret_bytes[16]);
/* A random uuid, version 4 (RFC 9562). Returns 0 or -errno. */
int vgpu_uuid_random(char ret_uuid[VGPU_UUID_SIZE]);

#endif
