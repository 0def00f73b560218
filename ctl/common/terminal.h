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

/* How many columns it has now. */
unsigned int ctl_terminal_columns(void);

/* Show @text, cut where the screen ends. */
void ctl_terminal_draw(const char *text);

/* Wait for up to @milliseconds; true if the person wants to end. */
bool ctl_terminal_wait(int milliseconds);

#endif
