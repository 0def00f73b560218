/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes between a device process and its vgpu-launch. */
#ifndef VGPU_DEVICE_LAUNCH_ABI_H
#define VGPU_DEVICE_LAUNCH_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * A SOCK_SEQPACKET socket pair. The device asks; START is answered by STARTED,
 * and by ENDED when that process has ended. All that runs is killed when the
 * socket closes: when nobody holds the device's end any more, which vgpud keeps
 * for a successor. Answers to an earlier device process may come first.
 */
enum vgpu_launch_type {
	/* to the launcher */
	VGPU_LAUNCH_START =
		1,	  /* id; two fds: COMMAND and MEMORY (render/abi.h) */
	VGPU_LAUNCH_KILL, /* id */
	/*
	 * id, and the memory that it may take from now on. A process cannot
	 * raise that itself, and the device cannot set it for any process.
	 */
	VGPU_LAUNCH_LIMIT,
	VGPU_LAUNCH_SYNC, /* id; SYNCED when all before it is done */

	/* from the launcher */
	/*
	 * id; status and text, or refused, and an fd of its /proc/PID/statm if
	 * that can be read.
	 */
	VGPU_LAUNCH_STARTED = 32,
	VGPU_LAUNCH_ENDED,  /* id; code and status as of waitid(2) */
	VGPU_LAUNCH_SYNCED, /* id of the SYNC */
};

#define VGPU_LAUNCH_TEXT_MAX 200
/* Contexts, a spare, and those that are just ending. */
#define VGPU_LAUNCH_PROCESSES_MAX 256

/* Soft limits; VGPU_LAUNCH_UNLIMITED: none. */
enum vgpu_launch_limit {
	VGPU_LAUNCH_SPACE, /* RLIMIT_AS */
	VGPU_LAUNCH_DATA,  /* RLIMIT_DATA */
	VGPU_LAUNCH_FILES, /* RLIMIT_FSIZE */
	VGPU_LAUNCH_LIMITS,
};
#define VGPU_LAUNCH_UNLIMITED UINT64_MAX

struct vgpu_launch_request {
	uint32_t type;
	uint32_t pad;
	uint64_t id; /* unlike that of any other process of the vGPU */
	uint64_t limit[VGPU_LAUNCH_LIMITS]; /* LIMIT */
};

struct vgpu_launch_reply {
	uint32_t type;
	int32_t status; /* STARTED: 0 or -errno; ENDED: si_status */
	uint64_t id;
	int32_t code;	  /* ENDED: si_code */
	uint32_t refused; /* STARTED: layers, as in READY (render/abi.h) */
	char text[VGPU_LAUNCH_TEXT_MAX]; /* STARTED: why not */
};

static_assert(sizeof(struct vgpu_launch_request) == 40, "request size");
static_assert(sizeof(struct vgpu_launch_reply) == 224, "reply size");

#endif
