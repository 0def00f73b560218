/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Classes that the model's RM knows, and the handles of its own objects. */
#ifndef VGPU_MODEL_RM_H
#define VGPU_MODEL_RM_H

#include "model/model.h"

struct channel;

/* An object by its handles. */
struct rm_ref {
	uint32_t client, handle;
};

struct rm_object {
	uint32_t handle, parent, oclass;
	uint64_t pdb; /* of an address space: its directory in VRAM */
	struct channel *channel; /* of a channel */
	uint64_t page[2];	 /* of a memory list: its first pages */
};

/* A memory list; @entries are page numbers, little endian. */
uint32_t model_rm_alloc_memory(GpuModel *m, uint32_t client, uint32_t device,
			       uint32_t handle, uint32_t oclass,
			       const uint8_t *entries, uint32_t count);

/* NULL if there is none. */
struct rm_object *model_rm_object(GpuModel *m, uint32_t client, uint32_t handle);

/* OGK src/common/sdk/nvidia/inc/class/. */
#define CLASS_ROOT		 0x0000
#define CLASS_ROOT_NON_PRIV	 0x0001
#define CLASS_ROOT_CLIENT	 0x0041
#define CLASS_EVENT_KERNEL_EX	 0x007e
#define CLASS_DEVICE		 0x0080
#define CLASS_MEMORY_LIST_SYSTEM 0x0081
#define CLASS_MEMORY_LIST_FB	 0x0082
#define CLASS_SUBDEVICE		 0x2080
#define CLASS_TWOD		 0x902d
#define CLASS_VASPACE		 0x90f1
#define CLASS_CHANNEL_GROUP	 0xa06c
#define CLASS_CHANNEL_CONTROLS	 0xa06f /* by which any channel's controls go */
#define CLASS_INLINE_TO_MEMORY	 0xa140
#define CLASS_CHANNEL		 0xc56f
#define CLASS_USERMODE		 0xc561
#define CLASS_DMA_COPY		 0xc7b5
#define CLASS_THREED		 0xc997
#define CLASS_DECODER		 0xc9b0
#define CLASS_ENCODER		 0xc9b7
#define CLASS_COMPUTE		 0xc9c0
#define CLASS_OFA		 0xc9fa

/* The RM's own choice; a driver learns them from the static configuration. */
#define INTERNAL_CLIENT	   0xc1e00000
#define INTERNAL_DEVICE	   0xabcd0080
#define INTERNAL_SUBDEVICE 0xabcd2080

#endif
