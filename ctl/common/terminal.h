/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A terminal that is redrawn repeatedly, and restored at the end. */
#ifndef VGPU_CTL_COMMON_TERMINAL_H
#define VGPU_CTL_COMMON_TERMINAL_H

#include <stdbool.h>

/* Whether stdout is a terminal to draw on. */
bool ctl_terminal_is_there(void);

/* Take the screen; returns 0 or -errno. Ended by ctl_terminal_finish(). */
int ctl_terminal_init(void);
void ctl_terminal_finish(void);

/* How many columns and rows it has now. */
unsigned int ctl_terminal_columns(void);
unsigned int ctl_terminal_rows(void);

/* Show @text, cut where the screen ends. */
void ctl_terminal_draw(const char *text);

/* What is no character. */
enum ctl_key {
	CTL_KEY_NONE = 0, /* none was pressed in time */
	CTL_KEY_RESIZED = 0x100,
	CTL_KEY_END, /* the person wants to end */
	CTL_KEY_UP,
	CTL_KEY_DOWN,
	CTL_KEY_PAGE_UP,
	CTL_KEY_PAGE_DOWN,
	CTL_KEY_FIRST,
	CTL_KEY_LAST,
};

/* Wait for a key for up to @milliseconds: an enum ctl_key, or its character. */
int ctl_terminal_wait(int milliseconds);

#endif
