/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device nodes that a GPU's driver has opened. */
#ifndef VGPU_SANDBOX_GPU_NODES_H
#define VGPU_SANDBOX_GPU_NODES_H

#include <stdbool.h>
#include <stdint.h>

/* Whether this process has one open. A software driver's has none. */
bool vgpu_gpu_node_is_open(void);
/* Let Landlock's @ruleset allow @access to each that is. Returns 0 or -errno. */
int vgpu_gpu_nodes_allow(int ruleset, uint64_t access);

#endif
