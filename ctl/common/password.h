/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A password from standard input. */
#ifndef VGPU_CTL_COMMON_PASSWORD_H
#define VGPU_CTL_COMMON_PASSWORD_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Read one line, from a terminal without showing it. False if there is none. A
 * signal that ends the program does so once the terminal is as it was.
 */
bool ctl_password_read(char *password, size_t size);

#endif
