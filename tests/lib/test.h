/* SPDX-License-Identifier: GPL-2.0-or-later */
/* cmocka with the headers that it needs before it. */
#ifndef VGPU_TESTS_LIB_TEST_H
#define VGPU_TESTS_LIB_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#endif
