/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a device process counts for those who watch it, and what that is called. */
#ifndef VGPU_LIB_FIGURES_H
#define VGPU_LIB_FIGURES_H

#include <assert.h>
#include <stdint.h>

/* Why a context was lost. */
enum vgpu_loss {
	VGPU_LOSS_OTHER = 0,
	VGPU_LOSS_STREAM,	  /* commands that cannot be decoded */
	VGPU_LOSS_TIME,		  /* it worked or waited for too long */
	VGPU_LOSS_DEVICE,	  /* the host's driver lost the device */
	VGPU_LOSS_SIGNAL,	  /* its process died of a signal */
	VGPU_LOSS_FORBIDDEN_CALL, /* its process made one */
	VGPU_LOSS_MAX
};

/* Why a command of the guest was refused: virtio-gpu's errors, in its order. */
enum vgpu_refusal {
	VGPU_REFUSAL_UNSPECIFIED = 0,
	VGPU_REFUSAL_OUT_OF_MEMORY,
	VGPU_REFUSAL_SCANOUT,
	VGPU_REFUSAL_RESOURCE,
	VGPU_REFUSAL_CONTEXT,
	VGPU_REFUSAL_PARAMETER,
	VGPU_REFUSAL_MAX
};

/*
 * Times from one frame of a head to its next one are counted in as many
 * classes. Longer ones are pauses, for a desktop at rest shows nothing new, and
 * are not counted.
 */
#define VGPU_FRAME_INTERVALS	     14
#define VGPU_FRAME_INTERVAL_USEC_MAX 1000000u

/* Counters begin at 0 in each device process. */
struct vgpu_figures {
	uint32_t is_known; /* 0 from a process that does not count */
	uint32_t contexts; /* that are alive now */
	uint64_t submits;  /* command streams of the guest's kernel */
	uint64_t frames;   /* that heads showed */
	uint64_t refusals[VGPU_REFUSAL_MAX];
	uint64_t intervals[VGPU_FRAME_INTERVALS];
	uint64_t intervals_usec; /* their sum */
	uint32_t losses[VGPU_LOSS_MAX];
	uint64_t gpu_ns; /* of a hardware GPU; as render processes say */
};

static_assert(sizeof(struct vgpu_figures) == 224, "figures size");

/* Count a frame that comes @usec after the one before. */
void vgpu_figures_count_interval(struct vgpu_figures *figures, uint64_t usec);
/* The longest interval of a class. */
uint32_t vgpu_figures_interval_usec(unsigned int i);

/* What interfaces call them: "stream", "out-of-memory". */
const char *vgpu_loss_name(enum vgpu_loss loss);
const char *vgpu_refusal_name(enum vgpu_refusal refusal);

#endif
