/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kinds of confined processes. */
#ifndef VGPU_SANDBOX_ROLE_H
#define VGPU_SANDBOX_ROLE_H

enum vgpu_sandbox_role {
	VGPU_SANDBOX_RENDER,   /* vgpu-render: a guest's Vulkan commands */
	VGPU_SANDBOX_DEVICE,   /* vgpu-device: a guest's virtqueues */
	VGPU_SANDBOX_VNC,      /* vgpu-vnc: viewers */
	VGPU_SANDBOX_LAUNCHER, /* vgpu-launch: starts vgpu-render */
	VGPU_SANDBOX_REPLAY,   /* vgpu-render --replay, run by a developer */
};

#endif
