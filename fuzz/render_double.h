/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A double of all contexts' render processes, which an input makes play. */
#ifndef VGPU_FUZZ_RENDER_DOUBLE_H
#define VGPU_FUZZ_RENDER_DOUBLE_H

#include "fuzz/input.h"

/*
 * One of them becomes ready, finishes fences, answers an export or asks for
 * memory, rightly or not, or is lost.
 */
void play_render(struct input *in);

/* Those whose processes did not end when they were destroyed end now. */
void end_late_renders(void);

/* How many there are. */
extern unsigned int renders_alive;

#endif
