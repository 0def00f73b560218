/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GSP's message queues and RPC header, the same in 535.113.01 and 570.144. */
#ifndef VGPU_KERNEL_CORE_ABI_QUEUE_ABI_H
#define VGPU_KERNEL_CORE_ABI_QUEUE_ABI_H

#include "kernel/core/pure/port.h"

/*
 * Each direction has a queue: a page with two headers, then the entries. The
 * sender owns the whole page; its second header is where it says how far it
 * has read the *other* queue (VGPU_MSGQ_SWAP_RX), so that each page of the
 * shared memory is written by one side only.
 */
#define VGPU_MSGQ_VERSION	0
#define VGPU_MSGQ_ENTRY_BYTES	0x1000
#define VGPU_MSGQ_HEADER_BYTES	0x1000
#define VGPU_MSGQ_READ_OFFSET	0x20
#define VGPU_MSGQ_SWAP_RX	1
#define VGPU_MSGQ_ENTRIES_MAX	16 /* of one message */
#define VGPU_MSGQ_MESSAGE_BYTES (VGPU_MSGQ_ENTRIES_MAX * VGPU_MSGQ_ENTRY_BYTES)

struct vgpu_msgq_tx_header {
	u32 version;
	u32 size;
	u32 entry_bytes;
	u32 entry_count;
	u32 write_index;
	u32 flags;
	u32 read_offset;
	u32 entry_offset;
};
static_assert(sizeof(struct vgpu_msgq_tx_header) == 32, "msgqTxHeader");
static_assert(offsetof(struct vgpu_msgq_tx_header, write_index) == 16,
	      "msgqTxHeader.writePtr");
static_assert(offsetof(struct vgpu_msgq_tx_header, entry_offset) == 28,
	      "msgqTxHeader.entryOff");

/* Before the RPC in the first entry of a message. */
struct vgpu_msgq_element {
	u8 auth_tag[16];
	u8 aad[16];
	u32 checksum;
	u32 sequence;
	u32 entry_count;
	u32 padding;
};
static_assert(sizeof(struct vgpu_msgq_element) == 48, "GSP_MSG_QUEUE_ELEMENT");
static_assert(offsetof(struct vgpu_msgq_element, checksum) == 32,
	      "GSP_MSG_QUEUE_ELEMENT.checkSum");
static_assert(offsetof(struct vgpu_msgq_element, entry_count) == 40,
	      "GSP_MSG_QUEUE_ELEMENT.elemCount");

#define VGPU_RPC_VERSION	0x03000000
#define VGPU_RPC_SIGNATURE	0x43505256 /* "VRPC" */
#define VGPU_RPC_RESULT_PENDING 0xffffffff
#define VGPU_RPC_BYTES_MAX                                                     \
	(VGPU_MSGQ_MESSAGE_BYTES - sizeof(struct vgpu_msgq_element))

struct vgpu_rpc_header {
	u32 version;
	u32 signature;
	u32 length; /* this header included */
	u32 function;
	u32 result;
	u32 result_private;
	u32 sequence;
	u32 gfid; /* of the vGPU that the core driver acts for, or 0 */
};
static_assert(sizeof(struct vgpu_rpc_header) == 32, "rpc_message_header_v03_00");
static_assert(offsetof(struct vgpu_rpc_header, function) == 12,
	      "rpc_message_header_v03_00.function");
static_assert(offsetof(struct vgpu_rpc_header, sequence) == 24,
	      "rpc_message_header_v03_00.sequence");

/* Whose numbers all versions share; the others are in a version's table. */
enum vgpu_rpc_function {
	VGPU_RPC_ALLOC_MEMORY = 4,
	VGPU_RPC_FREE = 10,
	VGPU_RPC_UNLOADING_GUEST_DRIVER = 47,
	VGPU_RPC_GET_GSP_STATIC_INFO = 65,
	VGPU_RPC_UPDATE_BAR_PDE = 70,
	VGPU_RPC_CONTINUATION_RECORD = 71,
	VGPU_RPC_GSP_SET_SYSTEM_INFO = 72,
	VGPU_RPC_SET_REGISTRY = 73,
	VGPU_RPC_GSP_RM_CONTROL = 76,
	VGPU_RPC_GSP_RM_ALLOC = 103,

	VGPU_RPC_EVENT_FIRST = 0x1000,
	VGPU_RPC_EVENT_GSP_INIT_DONE = 0x1001,
	VGPU_RPC_EVENT_GSP_RUN_CPU_SEQUENCER = 0x1002,
	VGPU_RPC_EVENT_POST_EVENT = 0x1003,
	VGPU_RPC_EVENT_RC_TRIGGERED = 0x1004,
	VGPU_RPC_EVENT_MMU_FAULT_QUEUED = 0x1005,
	VGPU_RPC_EVENT_OS_ERROR_LOG = 0x1006,
	VGPU_RPC_EVENT_GPUACCT_PERFMON_UTIL_SAMPLES = 0x1008,
	VGPU_RPC_EVENT_UCODE_LIBOS_PRINT = 0x100c,
	VGPU_RPC_EVENT_VGPU_GSP_PLUGIN_TRIGGERED = 0x100d,
	VGPU_RPC_EVENT_VGPU_CONFIG = 0x1010,
};

#endif
