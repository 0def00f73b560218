/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Landlock: which files a process can reach, and no signals to others. */
#ifndef VGPU_SANDBOX_LANDLOCK_H
#define VGPU_SANDBOX_LANDLOCK_H

enum vgpu_landlock_files {
	VGPU_LANDLOCK_NO_FILES,
	/*
	 * Files are not restricted, nor is mount(): only signals, abstract
	 * sockets, TCP.
	 */
	VGPU_LANDLOCK_ANY_FILES,
	/*
	 * Files can be read and executed, and devices used: what a driver
	 * needs.
	 */
	VGPU_LANDLOCK_DRIVER_FILES,
	/*
	 * The nodes that the driver has open can be opened again, and sysfs
	 * read: what it needs to create a device.
	 */
	VGPU_LANDLOCK_GPU_FILES,
};

/* The kernel's version of the Landlock ABI; 0 if it has none. */
int vgpu_landlock_abi(void);
/* Whether the kernel can restrict signals (ABI 6). */
_Bool vgpu_landlock_has_scope(void);

/*
 * A ruleset for vgpu_landlock_restrict(). Returns an fd, -EOPNOTSUPP or -ENOSYS
 * without Landlock, or another -errno.
 */
int vgpu_landlock_prepare(enum vgpu_landlock_files files);
/* Restrict the calling thread. Returns 0 or -errno. */
int vgpu_landlock_restrict(int ruleset);

#endif
