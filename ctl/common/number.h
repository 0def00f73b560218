/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parse numbers and switches of the command line; format sizes. */
#ifndef VGPU_CTL_COMMON_NUMBER_H
#define VGPU_CTL_COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* All of @text is decimal digits, and fits. */
bool ctl_number_parse(const char *text, uint32_t *ret);
/* "on" or "off" */
bool ctl_switch_parse(const char *text, bool *ret);
/* "1920x1080" */
bool ctl_size_parse(const char *text, uint32_t *ret_width, uint32_t *ret_height);
/* "4G", "512M" or "512", as QEMU's -m has it: not 0. */
bool ctl_memory_parse(const char *text, uint64_t *ret_mib);

/* @bytes in MiB, rounded up, so that a byte in use is not shown as 0. */
uint64_t ctl_mib(uint64_t bytes);

#endif
