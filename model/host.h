/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Channels: rings of pushbuffers in a driver's memory, run when a doorbell rings.
 */
#ifndef VGPU_MODEL_HOST_H
#define VGPU_MODEL_HOST_H

#include "model/model.h"

#define CHANNEL_SUBCHANNELS 8
#define COPY_METHOD_BYTES   0x800

struct channel {
	GpuModel *m;
	uint32_t client, vaspace; /* handles */
	uint32_t chid, engine_type;
	int engine; /* index, as engines.c counts */
	uint64_t ring;
	uint32_t ring_entries, get;
	uint64_t userd;
	bool userd_in_fb;
	bool bound, scheduled, pending, dead;

	/* Where in a segment of methods it stands: a semaphore may hold it. */
	bool in_segment;
	uint64_t segment;
	uint32_t segment_words, word;
	/* The header under way: method, how many words it still takes. */
	uint32_t method, subchannel, words_left;
	bool increments, increments_once;

	uint32_t oclass[CHANNEL_SUBCHANNELS];
	uint32_t sem[5];		      /* SEM_ADDR_LO to SEM_EXECUTE */
	uint32_t copy[COPY_METHOD_BYTES / 4]; /* what the copy engine was told */
};

/* From the allocation's parameters; NULL and a status if they are wrong. */
struct channel *model_channel_create(GpuModel *m, uint32_t client,
				     const uint8_t *params, uint32_t *ret_status);
void model_channel_destroy(struct channel *c);
void model_channel_doorbell(GpuModel *m, uint32_t token);
void model_channel_resume(GpuModel *m);
uint64_t model_channel_pdb(struct channel *c);
/* The channel is at fault: the driver is told, and it runs no more. */
void model_channel_fault(struct channel *c, uint32_t type, uint64_t addr);

#define RC_TYPE_PBDMA	  32 /* ROBUST_CHANNEL_PBDMA_ERROR */
#define RC_TYPE_MMU_FAULT 31 /* ROBUST_CHANNEL_FIFO_ERROR_MMU_ERR_FLT */

/* copy.c: a method of a copy engine; false: it was at fault. */
bool model_copy_method(struct channel *c, uint32_t method, uint32_t data);

/* mmu.c: memory by a channel's addresses; false: no page at *ret_addr. */
bool model_va_read(GpuModel *m, uint64_t pdb, uint64_t va, void *buf,
		   uint64_t bytes, uint64_t *ret_addr);
bool model_va_write(GpuModel *m, uint64_t pdb, uint64_t va, const void *buf,
		    uint64_t bytes, uint64_t *ret_addr);
/* The same, of one repeated word; zeroes give VRAM's memory back. */
bool model_va_fill(GpuModel *m, uint64_t pdb, uint64_t va, uint32_t word,
		   uint64_t bytes, uint64_t *ret_addr);

#endif
