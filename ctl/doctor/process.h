/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Run a program and read its output, with limits on time and size. */
#ifndef VGPU_CTL_DOCTOR_PROCESS_H
#define VGPU_CTL_DOCTOR_PROCESS_H

#include "lib/err.h"

/* The path of an executable file @name in PATH: the caller's, or NULL. */
char *ctl_process_find(const char *name);

/*
 * Run argv[0] (a path) with no input, its stderr thrown away. Returns 0 and its
 * output (the caller's, NUL-terminated), or a negative errno with @err, which
 * then begins with the program's name: it could not be started, ended by a
 * signal or not with 0 (-ECHILD), ran too long (-ETIME) or printed too much.
 */
int ctl_process_run(char *const argv[], char **ret_output, struct vgpu_err *err);

#endif
