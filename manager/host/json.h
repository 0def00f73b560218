/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Scope cleanup for JSON values. */
#ifndef VGPU_MANAGER_HOST_JSON_H
#define VGPU_MANAGER_HOST_JSON_H

#include <systemd/sd-json.h>

/* The variable must be initialised where it is declared. */
#define vgpu_autojson __attribute__((cleanup(sd_json_variant_unrefp)))

#endif
