/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a shell may offer for the next word. */
#ifndef VGPU_CTL_COMPLETE_H
#define VGPU_CTL_COMPLETE_H

#include "ctl.h"

/* How the scripts of shells ask for it: no command, and none to be typed. */
#define CTL_COMPLETE "__complete"

/*
 * Print, a line each, what may follow "vgpuctl" and @words, the last of which
 * is what was typed of its word; behind a tab what it is, where that is known.
 * Of an option with '=' only what may follow that. A line ":files" stands for
 * the names of files.
 */
enum ctl_exit ctl_complete(int count, char **words);

#endif
