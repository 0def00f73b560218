/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A parser for the subset of YAML that configuration files use. */
#ifndef VGPU_CTL_PLAN_YAML_H
#define VGPU_CTL_PLAN_YAML_H

#include <systemd/sd-json.h>

#include "lib/err.h"

/*
 * Parse @text, which is modified: one document of mappings and sequences (in
 * lines, or in brackets on one line), plain and quoted scalars, and comments.
 * Anything else of YAML is refused, such as anchors, tags and scalars over
 * several lines, and so are duplicate keys. @name is used in messages. Returns
 * 0 and the value, which the caller unrefs, or a negative errno with @err,
 * which has the line.
 */
int ctl_yaml_parse(const char *name, char *text, sd_json_variant **ret,
		   struct vgpu_err *err);

#endif
