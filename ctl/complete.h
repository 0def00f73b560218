/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Completion: what a shell may offer for the next word. */
#ifndef VGPU_CTL_COMPLETE_H
#define VGPU_CTL_COMPLETE_H

#include "ctl/ctl.h"

/* The word by which the scripts of shells call it. Not a command for users. */
#define CTL_COMPLETE "__complete"

/*
 * Print what may come next on a command line of "vgpuctl" and @words, one
 * candidate a line, with its description behind a tab if there is one. The last
 * of @words is the beginning of the word to complete. For an option with '=',
 * print only what may follow that. A line ":files" means names of files.
 */
enum ctl_exit ctl_complete(int count, char **words);

#endif
