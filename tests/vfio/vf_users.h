/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Checks of who may have a VF, and how it is taken from them. */
#ifndef VGPU_TESTS_VFIO_VF_USERS_H
#define VGPU_TESTS_VFIO_VF_USERS_H

#include "check.h"

void check_second(const struct arguments *arg);
void check_open(const struct arguments *arg);
void check_hold(const struct arguments *arg);
void check_gone(const struct arguments *arg);

#endif
