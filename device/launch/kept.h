/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What vgpu-launch keeps of render processes for a successor of the device. */
#ifndef VGPU_DEVICE_LAUNCH_KEPT_H
#define VGPU_DEVICE_LAUNCH_KEPT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "device/launch/abi.h"

struct vgpu_kept_process {
	pid_t pid; /* 0: none */
	uint64_t id;
	int socket[2]; /* the device's ends of COMMAND and MEMORY */
	int file[VGPU_LAUNCH_FILES_MAX];
	uint32_t n_files;
	int calls;	  /* see calls.h; -1: none */
	bool is_listener; /* ... or still the socket that brings it */
	int32_t call;	  /* forbidden, that it made; -1: none */
	bool is_named;	  /* by the device that runs now */
};

struct vgpu_kept {
	struct vgpu_kept_process process[VGPU_LAUNCH_PROCESSES_MAX];
	struct vgpu_kept_memory {
		int fd_plus_1; /* 0: none */
		bool is_named;
	} memory[VGPU_LAUNCH_MEMORY_MAX];
};

struct vgpu_kept_process *vgpu_kept_find_pid(struct vgpu_kept *kept, pid_t pid);
/* NULL if there is none. */
struct vgpu_kept_process *vgpu_kept_find_id(struct vgpu_kept *kept, uint64_t id);
/* Its process has ended. */
void vgpu_kept_forget(struct vgpu_kept_process *process);
/* Keep @fd if it is a memfd and there is room. Takes ownership of @fd. */
void vgpu_kept_add_file(struct vgpu_kept_process *process, int fd);
void vgpu_kept_put(struct vgpu_kept *kept, uint64_t id, int fd);
void vgpu_kept_drop(struct vgpu_kept *kept, uint64_t id);
/* It stays kept. -1: there is none. */
int vgpu_kept_get(struct vgpu_kept *kept, uint64_t id);
/* Nothing is named any more. */
void vgpu_kept_begin(struct vgpu_kept *kept);
/* Kill and drop what is not named. */
void vgpu_kept_end_others(struct vgpu_kept *kept);

#endif
