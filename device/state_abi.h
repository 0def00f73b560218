/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state block: all that a successor of a device process goes on from. */
#ifndef VGPU_DEVICE_STATE_ABI_H
#define VGPU_DEVICE_STATE_ABI_H

#include <assert.h>
#include <stdint.h>

#include "lib/control_abi.h"

/*
 * The block lies in a memfd of which vgpud holds a duplicate. It is the only
 * truth: the device works in place on it. A process can be killed between any
 * two of its instructions, so each change becomes real by one store of one
 * aligned word, and every change that needs several stores is either covered
 * by such a word, written last, or by the record of the vhost-user message
 * that asks for it, which is carried out again from its beginning.
 *
 * Whoever reads a block that it did not write itself checks all of it first.
 */
#define VGPU_STATE_MAGIC   0x4b434f4c42555047ULL /* "GPUBLOCK" */
#define VGPU_STATE_VERSION 6

#define VGPU_STATE_QUEUES      2    /* control and cursor (virtio 1.3, 5.7.2) */
#define VGPU_STATE_QUEUE_NUM   1024 /* largest ring; QEMU's limit too */
#define VGPU_STATE_PAYLOAD_MAX 320  /* the largest message we accept: 280 */
#define VGPU_STATE_MESSAGE_MAX (12 + VGPU_STATE_PAYLOAD_MAX) /* with header */

static_assert(VGPU_STATE_QUEUES <= VGPU_SLOT_QUEUE_MAX, "slots for queues");

/*
 * Which file an fd is of. A manager that is slow to read may be left with an
 * older fd in a slot when the device dies.
 */
struct vgpu_state_file {
	uint64_t device; /* st_dev and st_ino of stat(2) */
	uint64_t inode;
};

/* A region of guest memory; its fd is in VGPU_SLOT_MEMORY + index. */
struct vgpu_state_region {
	uint64_t guest_address;
	uint64_t bytes;
	uint64_t user_address; /* where the front end has it */
	uint64_t file_offset;
	struct vgpu_state_file file;
	uint32_t is_used; /* written last, cleared first */
	uint32_t pad;
};

/*
 * One request in flight, in the word of its head descriptor:
 *
 *   bit 0..3    enum vgpu_state_phase
 *   bit 4..7    how many processes died while they executed it
 *   bit 32..63  its number in the order of fetching
 *
 *   FREE -> FETCHED -> EXECUTING -> FREE         answered at once
 *                          |  ^
 *                          v  | (successor)
 *                       WAITING -> FREE          answered later
 *
 * A successor turns EXECUTING into WAITING with one death more.
 */
enum vgpu_state_phase {
	VGPU_REQUEST_FREE = 0,
	VGPU_REQUEST_FETCHED = 1,
	VGPU_REQUEST_EXECUTING = 2,
	VGPU_REQUEST_WAITING = 3,
};

/*
 * A request that is being put into the used ring, so that a successor puts
 * the same thing into the same place again:
 *
 *   bit 0..14   head descriptor
 *   bit 15      something is here
 *   bit 16..31  low bits of `answered` before
 *   bit 32..63  bytes written
 */
#define VGPU_STATE_COMPLETING (1U << 15)

struct vgpu_state_queue {
	uint64_t desc; /* the front end's addresses */
	uint64_t avail;
	uint64_t used;
	uint64_t fetched;    /* requests; the low 16 bits are avail's index */
	uint64_t answered;   /* requests; the low 16 bits are used's index */
	uint64_t completing; /* see above */
	uint32_t num;	     /* 0 until set */
	uint32_t is_addressed;
	uint32_t is_started;
	uint32_t is_enabled;
	uint32_t is_broken; /* the guest broke a rule: stopped until reset */
	uint32_t pad;
	uint64_t request[VGPU_STATE_QUEUE_NUM];
	/* What the device model noted of each; 0 before it is FETCHED. */
	uint64_t token[VGPU_STATE_QUEUE_NUM];
};

/*
 * The vhost-user message that is being handled. Its bytes leave the socket
 * through a pipe (VGPU_SLOT_PIPE_*), and its answer reaches the socket through
 * the same pipe, by splice(2): the kernel knows at any time how far that is,
 * so that nothing is lost and nothing is said twice.
 *
 *   NONE      nothing, or a message that nobody has looked at yet
 *   GATHERING the first `gathered` bytes and fds of it are here, as in RECORDED
 *   RECORDED  its text is here and its fds are in VGPU_SLOT_MESSAGE; if the
 *             pipe is empty and always was, it may still be all in the socket
 *   CONSUMED  it has left the socket; what is in the pipe does not matter
 *   ANSWERING what is in the pipe is still to go into the socket
 *
 * The pipe has room for a few pieces only. When it is full, `emptied` becomes
 * the number of bytes that have left the socket, with the mark; then the pipe
 * is emptied; then the mark goes.
 */
#define VGPU_STATE_EMPTYING (1U << 31)

enum vgpu_state_message_phase {
	VGPU_MESSAGE_NONE = 0,
	VGPU_MESSAGE_RECORDED = 1,
	VGPU_MESSAGE_CONSUMED = 2,
	VGPU_MESSAGE_ANSWERING = 3,
	VGPU_MESSAGE_GATHERING = 4,
};

struct vgpu_state_message {
	uint32_t phase;
	uint32_t n_fds;
	uint32_t gathered; /* bytes of text; from bit 16 on, fds */
	uint32_t emptied;  /* see above */
	union {
		struct {
			uint32_t request;
			uint32_t flags;
			uint32_t size; /* of the payload */
			uint8_t payload[VGPU_STATE_PAYLOAD_MAX];
		};
		uint8_t text[VGPU_STATE_MESSAGE_MAX];
	};
	uint32_t pad;
	struct vgpu_state_file file[VGPU_SLOT_MEMORY_MAX]; /* of the fds */
};

struct vgpu_state {
	uint64_t magic; /* written last, when the rest is made */
	uint32_t version;
	uint32_t generation; /* device processes before this one */
	uint64_t bytes;	     /* of the whole block */
	uint64_t gpu_offset; /* struct vgpu_gpu_state */
	uint64_t gpu_bytes;
	uint64_t features; /* accepted by the guest, with bit 30 */
	uint64_t protocol_features;
	struct vgpu_state_file frontend; /* of the connection */
	uint32_t is_connected;	     /* VGPU_SLOT_FRONTEND is a front end's */
	uint32_t has_config_changed; /* the front end is still to be told */
	uint32_t is_request_begun;   /* one of the back-end channel, maybe */
	uint32_t pad;
	struct vgpu_state_message message;
	struct vgpu_state_region region[VGPU_SLOT_MEMORY_MAX];
	struct vgpu_state_queue queue[VGPU_STATE_QUEUES];
	/* Of a mediated device: the session that all this is of; 0: none. */
	uint64_t mdev_session; /* commit */
};

static_assert(sizeof(struct vgpu_state_region) == 56, "region size");
static_assert(sizeof(struct vgpu_state_message) == 352 + 16 * 32, "message size");
static_assert(sizeof(struct vgpu_state_queue) == 72 + 16 * 1024, "queue size");
static_assert(sizeof(struct vgpu_state) == 88 + 864 + 56 * 32 + 2 * 16456 + 8,
	      "state size");

/* Commit one word: after all stores before it, before all after it. */
#define vgpu_state_commit(word, value)                                         \
	do {                                                                   \
		__atomic_store_n(&(word), (value), __ATOMIC_RELEASE);          \
		__atomic_signal_fence(__ATOMIC_SEQ_CST);                       \
	} while (0)

#endif
