/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Numbers of the calls and events between a driver and the GSP, and the header
 * of each: OGK src/nvidia/inc/kernel/vgpu/rpc_global_enums.h and
 * src/nvidia/generated/g_rpc-message-header.h (tag 570.144).
 */
#ifndef VGPU_MODEL_RPC_H
#define VGPU_MODEL_RPC_H

#define RPC_HEADER_BYTES   32
#define RPC_HEADER_VERSION 0x03000000
#define RPC_SIGNATURE	   0x43505256 /* VRPC */
#define RPC_RESULT_PENDING 0xffffffff

#define RPC_ALLOC_MEMORY	   4
#define RPC_FREE		   10
#define RPC_UNLOADING_GUEST_DRIVER 47
#define RPC_GET_GSP_STATIC_INFO	   65
#define RPC_UPDATE_BAR_PDE	   70
#define RPC_CONTINUATION_RECORD	   71
#define RPC_GSP_SET_SYSTEM_INFO	   72
#define RPC_SET_REGISTRY	   73
#define RPC_GSP_RM_CONTROL	   76
#define RPC_GSP_RM_ALLOC	   103

#define RPC_EVENT_FIRST			    0x1000
#define RPC_EVENT_GSP_INIT_DONE		    0x1001
#define RPC_EVENT_RUN_CPU_SEQUENCER	    0x1002
#define RPC_EVENT_RC_TRIGGERED		    0x1004
#define RPC_EVENT_OS_ERROR_LOG		    0x1006
#define RPC_EVENT_PERFMON_UTIL_SAMPLES	    0x1008
#define RPC_EVENT_VGPU_GSP_PLUGIN_TRIGGERED 0x100d

#define RM_CONTROL_HEADER_BYTES 24
#define RM_ALLOC_HEADER_BYTES	32

/* rpc_alloc_memory_v13_01: g_rpc-structures.h; pages' addresses follow. */
#define ALLOC_MEMORY_BYTES    56
#define ALLOC_MEMORY_PAGES_AT 40

#endif
