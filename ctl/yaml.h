/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The part of YAML that configuration files are written in. */
#ifndef VGPU_CTL_YAML_H
#define VGPU_CTL_YAML_H

#include <systemd/sd-json.h>

#include "lib/err.h"

/*
 * Read @text, which is changed: one document of mappings and sequences, both in
 * lines and in brackets on one line, of scalars plain and quoted, with comments.
 * Anchors, tags, scalars over several lines and all else that YAML has are
 * refused, and so are keys that come twice. @name is what messages call it.
 * Returns 0 and the value, which the caller unrefs, or a negative errno with
 * @err, which says the line.
 */
int ctl_yaml_parse(const char *name, char *text, sd_json_variant **ret,
		   struct vgpu_err *err);

#endif
