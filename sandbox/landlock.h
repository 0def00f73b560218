/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock: which files a process reaches, and no signals to others. */
#ifndef VGPU_SANDBOX_LANDLOCK_H
#define VGPU_SANDBOX_LANDLOCK_H

enum vgpu_landlock_files {
	VGPU_LANDLOCK_NO_FILES,
	/* All, and mount() too: signals, abstract sockets and TCP only. */
	VGPU_LANDLOCK_ANY_FILES,
	/* Read and execute files and use devices: what a driver needs to open. */
	VGPU_LANDLOCK_DRIVER_FILES,
};

/* The kernel's version of Landlock, 0 without any. */
int vgpu_landlock_abi(void);
/* Whether it can keep signals in (ABI 6). */
_Bool vgpu_landlock_has_scope(void);

/*
 * A ruleset for vgpu_landlock_restrict(). Returns an fd, -EOPNOTSUPP or -ENOSYS
 * without Landlock, or another -errno.
 */
int vgpu_landlock_prepare(enum vgpu_landlock_files files);
/* Shut the calling thread in. Returns 0 or -errno. */
int vgpu_landlock_restrict(int ruleset);

#endif
