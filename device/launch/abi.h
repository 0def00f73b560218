/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between a device process and its vgpu-launch. */
#ifndef VGPU_DEVICE_LAUNCH_ABI_H
#define VGPU_DEVICE_LAUNCH_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * A SOCK_SEQPACKET socket pair. The device asks; START is answered by STARTED,
 * and by ENDED when that process has ended. All that runs is killed when the
 * socket closes: when nobody holds the device's end any more, which vgpud keeps
 * for a successor. Answers to an earlier device process may come first.
 *
 * What a successor needs of the fds that come and go with contexts is kept
 * here: the device's ends of the sockets to each process, as long as that
 * lives, and files of memory, until they are dropped. The sockets are made here
 * and nothing but memfds is taken in, so no device can leave something that
 * would keep this end of the socket, or any other, from closing.
 *
 * How a device process goes on: BEGIN; ADOPT for each process that it knows;
 * FETCH for each file; END_OTHERS, and what it did not name
 * is killed and dropped. If it does not come, that happens to all: some time
 * after the lease of the last one was closed (VGPU_LAUNCH_ALONE_S).
 */
enum vgpu_launch_type {
	/* to the launcher */
	VGPU_LAUNCH_START = 1, /* id */
	VGPU_LAUNCH_KILL,      /* id */
	/*
	 * id, and the memory that it may take from now on. A process cannot
	 * raise that itself, and the device cannot set it for any process.
	 */
	VGPU_LAUNCH_LIMIT,
	VGPU_LAUNCH_SYNC,	/* id; SYNCED when all before it is done */
	VGPU_LAUNCH_BEGIN,	/* id; BEGUN */
	VGPU_LAUNCH_ADOPT,	/* id; STARTED, with -ESRCH if it has ended */
	VGPU_LAUNCH_KEEP_FILE,	/* id of a process; a memfd of its driver's */
	VGPU_LAUNCH_KEEP,	/* id below VGPU_LAUNCH_MEMORY_MAX; a memfd */
	VGPU_LAUNCH_DROP,	/* the id of KEEP */
	VGPU_LAUNCH_FETCH,	/* the id of KEEP; FETCHED */
	VGPU_LAUNCH_END_OTHERS, /* than were named since BEGIN */

	/* from the launcher */
	/*
	 * id; status and text, or refused, and fds: the device's ends of
	 * COMMAND and MEMORY (render/abi.h), n_files that were kept, and its
	 * /proc/PID/statm if that can be read.
	 */
	VGPU_LAUNCH_STARTED = 32,
	VGPU_LAUNCH_ENDED,   /* id; code and status as of waitid(2); call */
	VGPU_LAUNCH_SYNCED,  /* id of the SYNC */
	VGPU_LAUNCH_BEGUN,   /* id of the BEGIN; the lease, for nobody else */
	VGPU_LAUNCH_FETCHED, /* id; the memfd, or status -ENOENT */
};

#define VGPU_LAUNCH_TEXT_MAX 200
/* Contexts, a spare, and those that are just ending. */
#define VGPU_LAUNCH_PROCESSES_MAX 256
/* Files: of shared memory, and of the framebuffer. */
#define VGPU_LAUNCH_MEMORY_MAX (4096 + 65536)
/* Memfds of one process: VGPU_RENDER_FILES_MAX. */
#define VGPU_LAUNCH_FILES_MAX 4
#define VGPU_LAUNCH_FDS_MAX   (3 + VGPU_LAUNCH_FILES_MAX)
/* VGPU_ALONE_SECONDS in its environment says another number. */
#define VGPU_LAUNCH_ALONE_S 60

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
	uint64_t id; /* of a process: unlike that of any other of the vGPU */
	uint64_t limit[VGPU_LAUNCH_LIMITS]; /* LIMIT */
};

struct vgpu_launch_reply {
	uint32_t type;
	int32_t status; /* STARTED, FETCHED: 0 or -errno; ENDED: si_status */
	uint64_t id;
	int32_t code;	  /* ENDED: si_code */
	uint32_t refused; /* STARTED: layers, as in READY (render/abi.h) */
	uint32_t n_files; /* STARTED */
	int32_t call;	  /* ENDED: for which the sandbox ended it; or -1 */
	char text[VGPU_LAUNCH_TEXT_MAX]; /* STARTED: why not */
};

static_assert(sizeof(struct vgpu_launch_request) == 40, "request size");
static_assert(sizeof(struct vgpu_launch_reply) == 232, "reply size");

#endif
