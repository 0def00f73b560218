/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracepoints of calls to the GSP's firmware, and of what follows when it fails. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vgpu

#if !defined(VGPU_KERNEL_CORE_GSP_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VGPU_KERNEL_CORE_GSP_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#ifndef VGPU_TRACE_DEVICE_BYTES
#define VGPU_TRACE_DEVICE_BYTES 20 /* of a PCI address */
#define VGPU_TRACE_WHY_BYTES	64
#endif

// clang-format off
/* A call, or a message that has no answer: that has sequence 0. */
TRACE_EVENT(vgpu_rpc_sent,
	TP_PROTO(const char *device, u32 function, u32 sequence, u32 bytes),
	TP_ARGS(device, function, sequence, bytes),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__field(u32, function)
		__field(u32, sequence)
		__field(u32, bytes)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		__entry->function = function;
		__entry->sequence = sequence;
		__entry->bytes = bytes;
	),
	TP_printk("%s function=%u sequence=%u bytes=%u", __entry->device,
		  __entry->function, __entry->sequence, __entry->bytes)
);

DECLARE_EVENT_CLASS(vgpu_rpc_end,
	TP_PROTO(const char *device, u32 function, u32 sequence, u32 result,
		 s64 us),
	TP_ARGS(device, function, sequence, result, us),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__field(u32, function)
		__field(u32, sequence)
		__field(u32, result)
		__field(s64, us)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		__entry->function = function;
		__entry->sequence = sequence;
		__entry->result = result;
		__entry->us = us;
	),
	TP_printk("%s function=%u sequence=%u result=%#x us=%lld",
		  __entry->device, __entry->function, __entry->sequence,
		  __entry->result, __entry->us)
);

/* @result: the firmware's; @us: since it was sent. */
DEFINE_EVENT(vgpu_rpc_end, vgpu_rpc_answered,
	TP_PROTO(const char *device, u32 function, u32 sequence, u32 result,
		 s64 us),
	TP_ARGS(device, function, sequence, result, us)
);

/* @result: 0. */
DEFINE_EVENT(vgpu_rpc_end, vgpu_rpc_timed_out,
	TP_PROTO(const char *device, u32 function, u32 sequence, u32 result,
		 s64 us),
	TP_ARGS(device, function, sequence, result, us)
);

/* The GSP is wedged: a reset of the GPU follows. */
TRACE_EVENT(vgpu_gsp_wedged,
	TP_PROTO(const char *device, const char *why),
	TP_ARGS(device, why),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__array(char, why, VGPU_TRACE_WHY_BYTES)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		strscpy(__entry->why, why, VGPU_TRACE_WHY_BYTES);
	),
	TP_printk("%s %s", __entry->device, __entry->why)
);

DECLARE_EVENT_CLASS(vgpu_recovery,
	TP_PROTO(const char *device, int rc),
	TP_ARGS(device, rc),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__field(int, rc)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		__entry->rc = rc;
	),
	TP_printk("%s rc=%d", __entry->device, __entry->rc)
);

/* The recovery has tried to reset the GPU. */
DEFINE_EVENT(vgpu_recovery, vgpu_recovery_reset,
	TP_PROTO(const char *device, int rc),
	TP_ARGS(device, rc)
);

/* A reset, a sleep or an error of the bus is over: the GPU was booted again. */
DEFINE_EVENT(vgpu_recovery, vgpu_recovery_booted,
	TP_PROTO(const char *device, int rc),
	TP_ARGS(device, rc)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kernel/core/gsp
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
// clang-format on
#include <trace/define_trace.h>
