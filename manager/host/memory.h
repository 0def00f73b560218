/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Total and available memory, of the machine and of the control group. */
#ifndef VGPU_MANAGER_HOST_MEMORY_H
#define VGPU_MANAGER_HOST_MEMORY_H

#include <stdint.h>

/* What this process may ever use, in bytes; 0 if that cannot be found out. */
uint64_t vgpu_memory_total(void);
/* What can be had now without swapping; UINT64_MAX if that is not known. */
uint64_t vgpu_memory_available(void);

#endif
