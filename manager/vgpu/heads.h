/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Settings of a vGPU's heads: modes and VNC servers. */
#ifndef VGPU_MANAGER_VGPU_HEADS_H
#define VGPU_MANAGER_VGPU_HEADS_H

#include <systemd/sd-json.h>

#include "store.h"

/* 0 x 0 is no mode: the head is unplugged. err "BadMode". */
int vgpu_heads_check_mode(const struct vgpu_type *type, uint32_t width,
			  uint32_t height, struct vgpu_err *err);

/*
 * Put the settings in @array, objects {head, preferredWidth, preferredHeight, vnc}, into
 * @definition, whose type is known; the others become unset. @definition is
 * changed on success only.
 */
int vgpu_heads_parse(sd_json_variant *array, const struct vgpu_paths *paths,
		     struct vgpu_definition *definition, struct vgpu_err *err);

/* Drop settings that its new type does not allow. */
void vgpu_heads_fit(struct vgpu_definition *definition);

/* The mode that a head prefers when its device is started. */
void vgpu_heads_first_mode(const struct vgpu_definition *definition,
			   uint32_t head, uint32_t *ret_width,
			   uint32_t *ret_height);

#endif
