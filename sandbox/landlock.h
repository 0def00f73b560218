/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock: which files a process reaches, and no signals to others. */
#ifndef VGPU_SANDBOX_LANDLOCK_H
#define VGPU_SANDBOX_LANDLOCK_H

enum vgpu_landlock_files {
	VGPU_LANDLOCK_NO_FILES,
	/* Read and execute files and use devices: what a driver needs to open. */
	VGPU_LANDLOCK_DRIVER_FILES,
};

/* The kernel's version of Landlock, 0 without any. */
int vgpu_landlock_abi(void);
/* Whether it can keep signals in (ABI 6). */
_Bool vgpu_landlock_has_scope(void);

/*
 * Shut every thread of this process in. @record, if not NULL, is a folder in
 * which files may be made all the same. Returns 0 or -errno: -EOPNOTSUPP
 * without Landlock, -ESRCH if a thread could not be reached.
 */
int vgpu_landlock_enter(enum vgpu_landlock_files files, const char *record);

#endif
