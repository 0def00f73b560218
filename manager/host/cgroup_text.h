/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parses what the kernel prints about control groups. */
#ifndef VGPU_MANAGER_HOST_CGROUP_TEXT_H
#define VGPU_MANAGER_HOST_CGROUP_TEXT_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The path of the version 2 group in @text, the contents of a file
 * /proc/PID/cgroup (cgroups(7)): the caller's. NULL if there is none that can
 * be reached from here, or no memory.
 */
char *vgpu_cgroup_text_own(const char *text);

/*
 * Where in the file system the version 2 group @path is, by the mounts in
 * @text, the contents of /proc/PID/mountinfo (proc_pid_mountinfo(5)). NULL as
 * above.
 */
char *vgpu_cgroup_text_locate(const char *text, const char *path);

/* Whether @word is one of the words in @text. */
bool vgpu_cgroup_text_has(const char *text, const char *word);

/* The number after @key in @text, of lines "KEY NUMBER". False: none. */
bool vgpu_cgroup_text_value(const char *text, const char *key,
			    uint64_t *ret_value);

#endif
