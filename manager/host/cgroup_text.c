/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses what the kernel prints about control groups. */
#include "cgroup_text.h"

#include <inttypes.h>
#include <string.h>

#include "lib/util.h"

/* The line after the one that @line begins, or NULL. */
static const char *next_line(const char *line)
{
	const char *end = strchr(line, '\n');

	return end && end[1] ? end + 1 : NULL;
}

char *vgpu_cgroup_text_own(const char *text)
{
	/* The other lines are of version 1 hierarchies: "4:memory:/". */
	for (const char *line = text; line; line = next_line(line)) {
		size_t length = strcspn(line, "\n");

		if (strncmp(line, "0::/", 4) != 0)
			continue;
		/* Outside of the cgroup namespace it is "/..". */
		if (strncmp(line + 3, "/..", 3) == 0)
			return NULL;
		return strndup(line + 3, length - 3);
	}
	return NULL;
}

/* Undo the kernel's escapes, "\040" for a space, in place. */
static void unescape_path(char *text)
{
	char *to = text;

	for (const char *c = text; *c; to++) {
		bool is_escape = c[0] == '\\' && c[1] >= '0' && c[1] <= '3' &&
				 c[2] >= '0' && c[2] <= '7' && c[3] >= '0' &&
				 c[3] <= '7';

		*to = is_escape ? (char)((c[1] - '0') << 6 | (c[2] - '0') << 3 |
					 (c[3] - '0'))
				: *c;
		c += is_escape ? 4 : 1;
	}
	*to = '\0';
}

/*
 * The part of @path below @root: empty, or beginning with '/'. NULL: it is not
 * below.
 */
static const char *below(const char *path, const char *root)
{
	size_t length = strlen(root);

	if (strcmp(root, "/") == 0)
		return strcmp(path, "/") == 0 ? "" : path;
	if (strncmp(path, root, length) != 0 ||
	    (path[length] != '/' && path[length] != '\0'))
		return NULL;
	return path + length;
}

char *vgpu_cgroup_text_locate(const char *text, const char *path)
{
	for (const char *line = text; line; line = next_line(line)) {
		vgpu_autofree char *copy = strndup(line, strcspn(line, "\n"));
		vgpu_autofree char *root = NULL, *point = NULL;
		const char *type, *rest;
		char *located;

		if (!copy)
			return NULL;
		/* Optional fields end with a hyphen, then comes the type. */
		type = strstr(copy, " - ");
		if (!type || strncmp(type + 3, "cgroup2 ", 8) != 0 ||
		    sscanf(copy, "%*d %*d %*s %ms %ms", &root, &point) != 2)
			continue;
		unescape_path(root);
		unescape_path(point);
		rest = below(path, root);
		if (!rest)
			continue;
		return asprintf(&located, "%s%s", point, rest) < 0 ? NULL
								   : located;
	}
	return NULL;
}

bool vgpu_cgroup_text_has(const char *text, const char *word)
{
	size_t length = strlen(word);

	for (const char *c = text; *c; c += strcspn(c, " \n")) {
		c += strspn(c, " \n");
		if (strcspn(c, " \n") == length && strncmp(c, word, length) == 0)
			return true;
	}
	return false;
}

bool vgpu_cgroup_text_value(const char *text, const char *key, uint64_t *ret_value)
{
	size_t length = strlen(key);

	for (const char *line = text; line; line = next_line(line))
		if (strncmp(line, key, length) == 0 && line[length] == ' ')
			return sscanf(line + length, "%" SCNu64, ret_value) == 1;
	return false;
}
