// SPDX-License-Identifier: GPL-2.0-or-later
/* The calls a driver makes of the firmware, one whole message at a time. */
#include "model/model.h"
#include "model/rm.h"
#include "model/rpc.h"

#include "hw/pci/pci_regs.h"

#define SYSTEM_INFO_BYTES     920 /* GspSystemInfo, OGK gsp_abi_check.c */
#define SYSTEM_INFO_BAR0      0
#define SYSTEM_INFO_DEVICE_ID 88
#define SYSTEM_INFO_VF	      856
#define VF_INFO_TOTAL	      0
#define VF_INFO_FIRST_OFFSET  4
#define VF_INFO_BAR0	      8
#define VF_INFO_BAR1	      16
#define VF_INFO_BAR2	      24 /* PCI's BAR3 */
#define VF_INFO_BAR0_64	      32
#define VF_INFO_BAR1_64	      33
#define VF_INFO_BAR2_64	      34

#define REGISTRY_HEADER_BYTES 8
#define REGISTRY_ENTRY_BYTES  16
#define REGISTRY_TYPE_DWORD   1
#define REGISTRY_TYPE_STRING  3

#define UPDATE_BAR_PDE_BYTES 24
#define UPDATE_BAR_1	     0
#define UPDATE_BAR_2	     1
#define TOP_LEVEL_SHIFT	     47

#define UNLOADING_BYTES 8
#define FREE_BYTES	16

/* A reply that is kept back, until the timer lets it go. */
struct late {
	GpuModel *m;
	uint32_t function, result, sequence, bytes;
	uint8_t payload[];
};

#define LATE_NS (8ll * NANOSECONDS_PER_SECOND)

void model_rpc_forget_late(GpuModel *m)
{
	if (m->late_timer)
		timer_free(m->late_timer);
	m->late_timer = NULL;
	g_free(m->late);
	m->late = NULL;
}

static void send_late(void *opaque)
{
	g_autofree struct late *l = opaque;

	l->m->late = NULL;
	model_rpc_forget_late(l->m);
	model_msgq_send(l->m, l->function, l->result, l->sequence, l->payload,
			l->bytes);
}

static void reply(GpuModel *m, uint32_t function, uint32_t result,
		  uint32_t sequence, const void *payload, uint32_t bytes)
{
	int64_t ns = m->reply_ns;
	struct late *l;

	m->reply_ns = 0;
	if (model_fault_strikes(m, FAULT_CRASH, function)) {
		model_gsp_crash(m);
		return;
	}
	if (model_fault_strikes(m, FAULT_NO_REPLY, function))
		return;
	if (model_fault_strikes(m, FAULT_ERROR_STATUS, function))
		result = NV_ERR_GENERIC;
	if (!m->late_timer && model_fault_strikes(m, FAULT_LATE_REPLY, function))
		ns = LATE_NS;
	if (m->late_timer || !ns) {
		model_msgq_send(m, function, result, sequence, payload, bytes);
		return;
	}
	l = g_malloc(sizeof(*l) + bytes);
	*l = (struct late){m, function, result, sequence, bytes};
	memcpy(l->payload, payload, bytes);
	m->late = l;
	m->late_timer = timer_new_ns(QEMU_CLOCK_VIRTUAL, send_late, l);
	timer_mod(m->late_timer, qemu_clock_get_ns(QEMU_CLOCK_VIRTUAL) + ns);
}

/* The firmware sends VF events by these addresses: they must be the true ones. */
static bool check_vf_info(GpuModel *m, const uint8_t *vf)
{
	const uint8_t *bar = m->pci.config + m->pci.exp.sriov_cap + PCI_SRIOV_BAR;
	const uint64_t mask = ~0xfull;
	uint64_t bar0 = get32(bar) & mask, bar1 = ldq_le_p(bar + 4) & mask;
	uint64_t bar3 = ldq_le_p(bar + 12) & mask;
	const char *why = NULL;

	if (!get32(vf + VF_INFO_TOTAL))
		return true;
	if (get32(vf + VF_INFO_TOTAL) != SRIOV_TOTAL_VFS ||
	    get32(vf + VF_INFO_FIRST_OFFSET) != SRIOV_VF_OFFSET)
		why = "not as many VFs, or not where they are";
	else if (!bar0 || ldq_le_p(vf + VF_INFO_BAR0) != bar0 ||
		 ldq_le_p(vf + VF_INFO_BAR1) != bar1 ||
		 ldq_le_p(vf + VF_INFO_BAR2) != bar3)
		why = "not where the VFs' BARs are";
	else if (vf[VF_INFO_BAR0_64] || !vf[VF_INFO_BAR1_64] ||
		 !vf[VF_INFO_BAR2_64])
		why = "not as wide as the VFs' BARs are";
	if (why)
		model_refuse(m, "rpc", "GSP_SET_SYSTEM_INFO: %s", why);
	return !why;
}

static void set_system_info(GpuModel *m, const uint8_t *info, uint32_t bytes)
{
	const uint8_t *vf = info + SYSTEM_INFO_VF;
	uint64_t bar0 = m->pci.io_regions[0].addr;

	if (bytes < SYSTEM_INFO_BYTES) {
		model_refuse(m, "rpc", "GSP_SET_SYSTEM_INFO of %u bytes", bytes);
		return;
	}
	if (ldq_le_p(info + SYSTEM_INFO_BAR0) != bar0) {
		model_refuse(m, "rpc",
			     "GSP_SET_SYSTEM_INFO: BAR0 at %" PRIx64
			     ", not %" PRIx64,
			     ldq_le_p(info + SYSTEM_INFO_BAR0), bar0);
		return;
	}
	if (get32(info + SYSTEM_INFO_DEVICE_ID) != 0x26b910de)
		model_refuse(m, "rpc", "GSP_SET_SYSTEM_INFO: PCI id %08x",
			     get32(info + SYSTEM_INFO_DEVICE_ID));
	if (!check_vf_info(m, vf))
		return;
	m->vf_total = get32(vf + VF_INFO_TOTAL);
	m->have_system_info = true;
	model_log(m, "rpc", "system info: %u VFs from %u, VF BAR0 at %" PRIx64,
		  m->vf_total, get32(vf + VF_INFO_FIRST_OFFSET),
		  ldq_le_p(vf + VF_INFO_BAR0));
}

static void set_registry(GpuModel *m, const uint8_t *table, uint32_t bytes)
{
	uint32_t i, count;

	if (bytes < REGISTRY_HEADER_BYTES || get32(table) > bytes) {
		model_refuse(m, "rpc", "SET_REGISTRY of %u bytes", bytes);
		return;
	}
	bytes = get32(table);
	count = get32(table + 4);
	if (bytes < REGISTRY_HEADER_BYTES ||
	    count > (bytes - REGISTRY_HEADER_BYTES) / REGISTRY_ENTRY_BYTES) {
		model_refuse(m, "rpc", "SET_REGISTRY: %u entries in %u bytes",
			     count, bytes);
		return;
	}
	for (i = 0; i < count; i++) {
		const uint8_t *entry =
			table + REGISTRY_HEADER_BYTES + i * REGISTRY_ENTRY_BYTES;
		uint32_t at = get32(entry), data = get32(entry + 8);
		const char *name = (const char *)table + at;

		if (at >= bytes || !memchr(name, 0, bytes - at) ||
		    entry[4] < REGISTRY_TYPE_DWORD ||
		    entry[4] > REGISTRY_TYPE_STRING) {
			model_refuse(m, "rpc",
				     "SET_REGISTRY: entry %u is no name and value",
				     i);
			return;
		}
		if (entry[4] == REGISTRY_TYPE_DWORD)
			model_log(m, "rpc", "registry: %s = %u", name, data);
		if (entry[4] == REGISTRY_TYPE_DWORD &&
		    !strcmp(name, "RMSetSriovMode"))
			m->sriov_mode = data == 1;
	}
	m->have_registry = true;
}

static uint32_t update_bar_pde(GpuModel *m, const uint8_t *call, uint32_t bytes)
{
	uint64_t pdb;

	if (bytes < UPDATE_BAR_PDE_BYTES)
		return NV_ERR_INVALID_PARAM_STRUCT;
	if (get32(call) != UPDATE_BAR_1 && get32(call) != UPDATE_BAR_2)
		return NV_ERR_INVALID_ARGUMENT;
	if (ldq_le_p(call + 16) != TOP_LEVEL_SHIFT)
		return NV_ERR_NOT_SUPPORTED;
	pdb = get32(call) == UPDATE_BAR_1 ? m->bar1_pdb : m->bar2_pdb;
	stq_le_p(m->fb + pdb, ldq_le_p(call + 8));
	return NV_OK;
}

static void unload(GpuModel *m, uint32_t function, uint32_t sequence,
		   const uint8_t *payload, uint32_t bytes)
{
	if (bytes < UNLOADING_BYTES) {
		reply(m, function, NV_ERR_INVALID_PARAM_STRUCT, sequence,
		      payload, bytes);
		return;
	}
	/* NvBool, NvBool, NvU32: to sleep, to GC6, and the level. */
	model_log(m, "rm", "unloads, level %u%s", get32(payload + 4),
		  payload[0] ? ", to sleep" : "");
	if (payload[0] && !model_suspend_unload(m)) {
		reply(m, function, NV_ERR_INVALID_STATE, sequence, payload,
		      bytes);
		return;
	}
	reply(m, function, NV_OK, sequence, payload, bytes);
	if (payload[0])
		model_gsp_sleep(m);
	else
		model_gsp_stop(m);
}

/* A list of pages of the driver's: of one kind, and under a device. */
static uint32_t alloc_memory(GpuModel *m, const uint8_t *call, uint32_t bytes)
{
	uint32_t pages;

	if (bytes < ALLOC_MEMORY_BYTES)
		return NV_ERR_INVALID_PARAM_STRUCT;
	pages = get32(call + ALLOC_MEMORY_PAGES_AT);
	if (!pages || pages > (bytes - ALLOC_MEMORY_BYTES) / 8 ||
	    ldq_le_p(call + 32) != pages * 4096ull)
		return NV_ERR_INVALID_PARAM_STRUCT;
	return model_rm_alloc_memory(m, get32(call), get32(call + 4),
				     get32(call + 8), get32(call + 12),
				     call + ALLOC_MEMORY_BYTES, pages);
}

static void control(GpuModel *m, uint8_t *call, uint32_t bytes)
{
	uint32_t cmd, status;

	cmd = get32(call + 8);
	status = model_rm_control(m, get32(call), get32(call + 4), cmd,
				  call + RM_CONTROL_HEADER_BYTES,
				  get32(call + 16));
	if (status)
		model_refuse(m, "rm", "control %08x of %08x:%08x: %x", cmd,
			     get32(call), get32(call + 4), status);
	stl_le_p(call + 12, status);
}

static void alloc(GpuModel *m, uint8_t *call, uint32_t bytes)
{
	uint32_t status;

	status = model_rm_alloc(m, get32(call), get32(call + 4),
				get32(call + 8), get32(call + 12),
				call + RM_ALLOC_HEADER_BYTES, get32(call + 20));
	if (status)
		model_refuse(m, "rm",
			     "alloc of class %x as %08x:%08x under %08x: %x",
			     get32(call + 12), get32(call), get32(call + 8),
			     get32(call + 4), status);
	stl_le_p(call + 16, status);
}

void model_rpc(GpuModel *m, uint32_t function, uint32_t sequence,
	       uint8_t *payload, uint32_t bytes)
{
	uint32_t result = NV_OK;

	switch (function) {
	/* Of these two a driver waits for no reply. */
	case RPC_GSP_SET_SYSTEM_INFO:
		set_system_info(m, payload, bytes);
		return;
	case RPC_SET_REGISTRY:
		set_registry(m, payload, bytes);
		return;
	case RPC_UNLOADING_GUEST_DRIVER:
		unload(m, function, sequence, payload, bytes);
		return;
	case RPC_GET_GSP_STATIC_INFO:
		model_static_info(m, payload, bytes);
		break;
	case RPC_ALLOC_MEMORY:
		result = alloc_memory(m, payload, bytes);
		break;
	case RPC_UPDATE_BAR_PDE:
		result = update_bar_pde(m, payload, bytes);
		break;
	case RPC_FREE:
		result = bytes < FREE_BYTES ? NV_ERR_INVALID_PARAM_STRUCT
					    : model_rm_free(m, get32(payload),
							    get32(payload + 8));
		break;
	case RPC_GSP_RM_CONTROL:
		if (bytes < RM_CONTROL_HEADER_BYTES ||
		    get32(payload + 16) > bytes - RM_CONTROL_HEADER_BYTES)
			result = NV_ERR_INVALID_PARAM_STRUCT;
		else
			control(m, payload, bytes);
		break;
	case RPC_GSP_RM_ALLOC:
		if (bytes < RM_ALLOC_HEADER_BYTES ||
		    get32(payload + 20) > bytes - RM_ALLOC_HEADER_BYTES)
			result = NV_ERR_INVALID_PARAM_STRUCT;
		else
			alloc(m, payload, bytes);
		break;
	default:
		result = NV_ERR_INVALID_FUNCTION;
	}
	if (result)
		model_refuse(m, "rpc", "function %u, %u bytes: %x", function,
			     bytes, result);
	reply(m, function, result, sequence, payload, bytes);
}
