/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Tracepoints of a vGPU's life: created, destroyed, lost. */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM vgpu

#if !defined(VGPU_KERNEL_MGR_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define VGPU_KERNEL_MGR_TRACE_H

#include <linux/string.h>
#include <linux/tracepoint.h>

#ifndef VGPU_TRACE_DEVICE_BYTES
#define VGPU_TRACE_DEVICE_BYTES 20 /* of a PCI address */
#define VGPU_TRACE_WHY_BYTES	64
#endif

// clang-format off
DECLARE_EVENT_CLASS(vgpu_life,
	TP_PROTO(const char *device, u32 gfid, u32 type, u32 place, int rc,
		 s64 us),
	TP_ARGS(device, gfid, type, place, rc, us),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__field(u32, gfid)
		__field(u32, type)
		__field(u32, place)
		__field(int, rc)
		__field(s64, us)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		__entry->gfid = gfid;
		__entry->type = type;
		__entry->place = place;
		__entry->rc = rc;
		__entry->us = us;
	),
	TP_printk("%s gfid=%u type=%u place=%u rc=%d us=%lld", __entry->device,
		  __entry->gfid, __entry->type, __entry->place, __entry->rc,
		  __entry->us)
);

/* A VF was opened. @rc: 0, or why there is no vGPU; @us: how long it took. */
DEFINE_EVENT(vgpu_life, vgpu_created,
	TP_PROTO(const char *device, u32 gfid, u32 type, u32 place, int rc,
		 s64 us),
	TP_ARGS(device, gfid, type, place, rc, us)
);

/* A VF was closed. @rc: -EIO: its task may still run. */
DEFINE_EVENT(vgpu_life, vgpu_destroyed,
	TP_PROTO(const char *device, u32 gfid, u32 type, u32 place, int rc,
		 s64 us),
	TP_ARGS(device, gfid, type, place, rc, us)
);

TRACE_EVENT(vgpu_lost,
	TP_PROTO(const char *device, u32 gfid, const char *why),
	TP_ARGS(device, gfid, why),
	TP_STRUCT__entry(
		__array(char, device, VGPU_TRACE_DEVICE_BYTES)
		__field(u32, gfid)
		__array(char, why, VGPU_TRACE_WHY_BYTES)
	),
	TP_fast_assign(
		strscpy(__entry->device, device, VGPU_TRACE_DEVICE_BYTES);
		__entry->gfid = gfid;
		strscpy(__entry->why, why, VGPU_TRACE_WHY_BYTES);
	),
	TP_printk("%s gfid=%u %s", __entry->device, __entry->gfid, __entry->why)
);

#endif

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH kernel/mgr
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace
// clang-format on
#include <trace/define_trace.h>
