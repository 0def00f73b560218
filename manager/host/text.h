/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bounded copies of text, and escaping of untrusted text. */
#ifndef VGPU_MANAGER_HOST_TEXT_H
#define VGPU_MANAGER_HOST_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/* Copy @text, cut to @size with its NUL. False if it was cut. */
bool vgpu_text_copy(char *ret, size_t size, const char *text);
/* The same into an array. */
#define VGPU_TEXT_SET(array, text) vgpu_text_copy(array, sizeof(array), text)

/* Replace in place all that is not printable ASCII by '?'. */
void vgpu_text_make_printable(char *text);

#define VGPU_QUOTED_SIZE 72

/*
 * A copy of @text for a message: printable ASCII only and short, "..." at its
 * end where it was cut. Returns @ret.
 */
const char *vgpu_text_quote(char ret[VGPU_QUOTED_SIZE], const char *text);

#endif
