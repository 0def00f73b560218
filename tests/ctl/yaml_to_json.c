/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reads YAML from standard input as vgpuctl does, and prints it as JSON. */
#include <stdio.h>

#include "ctl/plan/yaml.h"
#include "lib/util.h"

#define INPUT_MAX (1 << 20)

int main(void)
{
	vgpu_autofree char *text = calloc(1, INPUT_MAX + 1);
	vgpu_autofree char *json = NULL;
	sd_json_variant *value = NULL;
	struct vgpu_err err = {};

	if (!text)
		return 2;
	if (fread(text, 1, INPUT_MAX, stdin) == 0 && ferror(stdin))
		return 2;
	if (ctl_yaml_parse("stdin", text, &value, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	if (sd_json_variant_format(value, SD_JSON_FORMAT_NEWLINE, &json) < 0)
		return 2;
	sd_json_variant_unref(value);
	fputs(json, stdout);
	return 0;
}
