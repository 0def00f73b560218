/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Numbers that a person writes, or reads. */
#ifndef VGPU_CTL_NUMBER_H
#define VGPU_CTL_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* All of @text is decimal digits, and fits. */
bool ctl_number_parse(const char *text, uint32_t *ret);
/* "1920x1080" */
bool ctl_size_parse(const char *text, uint32_t *ret_width, uint32_t *ret_height);

/* @bytes in MiB, rounded up: a byte in use is not nothing. */
uint64_t ctl_mib(uint64_t bytes);

#endif
