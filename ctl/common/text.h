/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Make strings of any origin safe to print. */
#ifndef VGPU_CTL_COMMON_TEXT_H
#define VGPU_CTL_COMMON_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A copy of @text in which control characters, line ends, direction marks and
 * bytes that are not UTF-8 are escaped (\x1b, \u202e). The caller frees it;
 * NULL without memory.
 */
char *ctl_text_escape(const char *text);

/* Whether ctl_text_escape() would change @text. */
bool ctl_text_is_plain(const char *text);

/* Width of escaped @text on a terminal, in columns. */
size_t ctl_text_width(const char *text);

/* A copy of JSON @text in which the same characters are \u escapes. */
char *ctl_text_escape_json(const char *text);

/* @word for a shell, quoted where it must be. The caller's; NULL without memory. */
char *ctl_text_quote(const char *word);

/*
 * @text for an attribute of XML, in quotes of either kind. The caller's; NULL
 * without memory, or if it has a character that XML cannot hold (errno is
 * EILSEQ).
 */
char *ctl_text_escape_xml(const char *text);

#endif
