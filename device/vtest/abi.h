/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Constants of the vtest protocol: version 3, venus only. */
#ifndef VGPU_DEVICE_VTEST_ABI_H
#define VGPU_DEVICE_VTEST_ABI_H

#include <stdint.h>

/*
 * Both ways: a header of two words, then so many words, in the host's order.
 * Where an answer brings an fd, it comes with one byte more.
 */
#define VTEST_VERSION 3

struct vtest_header {
	uint32_t length; /* in words; in bytes for CREATE_RENDERER */
	uint32_t command;
};

enum vtest_command {
	/* handle, flags. Answer: 1 word. Mesa sends it after its first PING. */
	VTEST_RESOURCE_UNREF = 3, /* id */
	VTEST_RESOURCE_BUSY_WAIT = 7,
	VTEST_CREATE_RENDERER = 8,	  /* the program's name */
	VTEST_PING_PROTOCOL_VERSION = 10, /* Answer: the header */
	VTEST_PROTOCOL_VERSION = 11,	  /* version. Answer: the one to use */
	VTEST_GET_PARAM = 15,	 /* param. Answer: is it valid, value */
	VTEST_GET_CAPSET = 16,	 /* id, version. Answer: is it valid, capset */
	VTEST_CONTEXT_INIT = 17, /* capset id */
	/* type, flags, size (2 words), id (2). Answer: id, fd */
	VTEST_RESOURCE_CREATE_BLOB = 18,
	VTEST_SYNC_CREATE = 19, /* value (2). Answer: id */
	VTEST_SYNC_UNREF = 20,	/* id */
	VTEST_SYNC_READ = 21,	/* id. Answer: value (2) */
	VTEST_SYNC_WRITE = 22,	/* id, value (2) */
	/* flags, timeout in ms, n times id and value (2). Answer: fd */
	VTEST_SYNC_WAIT = 23,
	/*
	 * n, n batches of 8 words, of which the last may lack two; commands
	 * and points (id, value (2)) lie behind.
	 */
	VTEST_SUBMIT_CMD2 = 24,
};

#define VTEST_PARAM_MAX_TIMELINE_COUNT 1
/* Ours: a bit for each capset that contexts can have. */
#define VTEST_PARAM_CAPSETS 0x76677075

#define VTEST_CAPSET_GFXSTREAM 3
#define VTEST_CAPSET_VENUS     4

#define VTEST_BLOB_HOST3D 2

#define VTEST_BLOB_MAPPABLE	(1U << 0)
#define VTEST_BLOB_SHAREABLE	(1U << 1)
#define VTEST_BLOB_CROSS_DEVICE (1U << 2)

#define VTEST_WAIT_ANY (1U << 0)

#define VTEST_POINT_WORDS      3UL
#define VTEST_BATCH_WORDS      8UL
#define VTEST_BATCH_LAST_WORDS 6UL
#define VTEST_BATCH_RING_IDX   (1U << 0)

struct vtest_batch { /* offsets and sizes are in words */
	uint32_t flags;
	uint32_t command_offset;
	uint32_t command_size;
	uint32_t point_offset;
	uint32_t points;
	uint32_t ring_idx;
};

#endif
