/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Limits the host memory of a vGPU's contexts. */
#ifndef VGPU_DEVICE_RENDER_HOST_MEMORY_H
#define VGPU_DEVICE_RENDER_HOST_MEMORY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>
#include <systemd/sd-event.h>

#include "device/render/launcher.h"
#include "render/abi.h"

/*
 * One for a vGPU. Each render process is granted an amount that the kernel
 * holds it to (RLIMIT_AS or RLIMIT_DATA, and RLIMIT_FSIZE), set by the launcher
 * of the vGPU; the sum of all that
 * is granted, and of what is charged besides, is never above the limit. What
 * nobody uses is granted to those whose use grows, and taken back from them
 * before another gets it.
 */
struct vgpu_host_memory;

/*
 * One render process in it. Zeroed it is in none; nobody but host_memory.c
 * looks inside.
 */
struct vgpu_host_process {
	TAILQ_ENTRY(vgpu_host_process) link;
	struct vgpu_host_memory *memory; /* NULL: no limit */
	struct vgpu_launched *launched;	 /* NULL: not started */
	int file[VGPU_RENDER_FILES_MAX]; /* memfds of its driver */
	unsigned int n_files;
	bool is_ready;
	bool is_shrinking; /* to @less, when the launcher has answered */
	uint64_t less[2];
	uint64_t fixed_bytes;	 /* address space of programs and libraries */
	uint64_t shared_bytes;	 /* and of what is charged elsewhere: shared */
	uint64_t device_bytes;	 /* ... and device memory of its own */
	uint64_t attached_bytes; /* ... and of others */
	uint64_t added_usec;	 /* when that grew */
	/* What it uses of address space (or data) and of files; what it may. */
	uint64_t used[2], last_used, granted[2];
	uint64_t *kept; /* what is granted, for another device; or NULL */
	uint64_t asked[VGPU_LAUNCH_LIMITS]; /* the last of the launcher */
	/* It is held to too little for what it is to be told of. */
	struct vgpu_launcher_sync raise;
	bool is_raise_due; /* ... of still more */
	void (*raised)(void *opaque);
	void *opaque;
};

/* Whether the GPU of this deviceUUID is the embedded one. */
bool vgpu_render_is_software(const uint8_t gpu_uuid[16]);

/*
 * @framebuffer_bytes of the vGPU, besides @bytes_max. @is_software: the driver
 * works on the processor, and all that it maps it has allocated. Else what it
 * maps may be the GPU's, and only private memory counts.
 */
int vgpu_host_memory_create(sd_event *event, uint64_t bytes_max,
			    uint64_t framebuffer_bytes, bool is_software,
			    struct vgpu_host_memory **ret_memory);
void vgpu_host_memory_destroy(struct vgpu_host_memory *memory); /* NULL is fine */

/*
 * Charge what no process has: shared memory, commands that wait. Returns
 * whether there is room. A NULL @memory has room for all.
 */
bool vgpu_host_memory_charge(struct vgpu_host_memory *memory, uint64_t bytes);
void vgpu_host_memory_uncharge(struct vgpu_host_memory *memory, uint64_t bytes);

/*
 * A process is about to be started: *ret_bytes is what it may take until it is
 * ready, and holds itself to (0: no limit). -ENOMEM if there is not enough, or
 * for a spare one if others would get less.
 */
int vgpu_host_memory_join(struct vgpu_host_memory *memory,
			  struct vgpu_host_process *process, bool is_spare,
			  uint64_t *ret_bytes);
/*
 * It is there, or soon will be. @launched stays there until
 * vgpu_host_memory_leave(), and if its use cannot be looked at, it has what it
 * began with and never more. @raised comes from the event loop when
 * vgpu_host_memory_is_raising() has become false.
 */
void vgpu_host_memory_started(struct vgpu_host_process *process,
			      struct vgpu_launched *launched,
			      void (*raised)(void *opaque), void *opaque);
/*
 * It takes commands from now on; @fixed_bytes of its address space are no
 * memory of its own. 0: it cannot be limited. @files, its memfds, are taken
 * over.
 */
void vgpu_host_memory_ready(struct vgpu_host_process *process,
			    uint64_t fixed_bytes, const int *files,
			    unsigned int n_files);
/* What it is granted is in @kept, too, from now on: two words of the state. */
void vgpu_host_memory_keep(struct vgpu_host_process *process, uint64_t *kept);
/*
 * In place of the last four: an earlier device had it, and left @kept and
 * @fixed_bytes, which may be anything. -EINVAL if they cannot be; @files are
 * taken over in any case.
 */
int vgpu_host_memory_resume(struct vgpu_host_memory *memory,
			    struct vgpu_host_process *process,
			    struct vgpu_launched *launched,
			    uint64_t fixed_bytes, uint64_t *kept,
			    const int *files, unsigned int n_files,
			    void (*raised)(void *opaque), void *opaque);
/* ... and had told it of so much of each kind, which must be known first. */
void vgpu_host_memory_resume_told(struct vgpu_host_process *process,
				  uint64_t shared_bytes, uint64_t attached_bytes,
				  uint64_t device_bytes);
/* Whether it had next to nothing left of what it may have, at the last look. */
bool vgpu_host_memory_was_short(const struct vgpu_host_process *process);
/* It is dead, or was never started. */
void vgpu_host_memory_leave(struct vgpu_host_process *process);
/*
 * Whether it is held to too little still for what it has been given to map: it
 * may not be told of that before.
 */
bool vgpu_host_memory_is_raising(const struct vgpu_host_process *process);
/*
 * It is to be told of shared memory, to be given device memory of a resource,
 * or of its own, to map; it has no more of it.
 */
void vgpu_host_memory_share(struct vgpu_host_process *process, uint64_t bytes);
void vgpu_host_memory_unshare(struct vgpu_host_process *process, uint64_t bytes);
void vgpu_host_memory_attach(struct vgpu_host_process *process, uint64_t bytes);
void vgpu_host_memory_detach(struct vgpu_host_process *process, uint64_t bytes);
void vgpu_host_memory_map(struct vgpu_host_process *process, uint64_t bytes);
void vgpu_host_memory_unmap(struct vgpu_host_process *process, uint64_t bytes);

#endif
