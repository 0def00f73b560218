/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: a status, one line of text for people, a varlink error name. */
#ifndef VGPU_LIB_ERR_H
#define VGPU_LIB_ERR_H

#include <stdarg.h>

#define VGPU_ERR_TEXT_MAX 512

/*
 * Filled by a function that fails, never touched by one that succeeds.
 * Initialise with = {}. Passing NULL for an err argument is allowed.
 */
struct vgpu_err {
	int status;	  /* negative errno, or 0 while nothing has failed */
	const char *name; /* varlink error without its interface ("NoRoom"),
			   * a string with static lifetime, or NULL */
	char text[VGPU_ERR_TEXT_MAX]; /* one line: what, why, what to do */
};

/*
 * Fill @err and return @status (a negative errno), so that a failing function
 * can end with `return vgpu_err_set(err, -ENOSPC, "NoRoom", "...")`. Control
 * characters and invalid UTF-8 in the arguments become '?' in the text.
 */
__attribute__((format(printf, 4, 5))) int vgpu_err_set(struct vgpu_err *err,
						       int status,
						       const char *name,
						       const char *fmt, ...);

#endif
