// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * What the host configures a vGPU with, field by field. Layout and the values
 * of a working driver: "RFC v2 nvidia-vgpu" on the kvm list, patch 10 (for
 * 570.144); its structure is longer than the 88 bytes which that driver fills.
 */
#include "model/vgpu.h"

#define CONFIG_UUID	       0
#define CONFIG_DBDF	       16
#define CONFIG_INSTANCE	       24
#define CONFIG_TYPE	       28
#define CONFIG_VM_PID	       32
#define CONFIG_SWIZZ_ID	       36
#define CONFIG_CHANNELS	       40
#define CONFIG_PLUGIN_CHANNELS 44
#define CONFIG_HYPERVISOR      56
#define CONFIG_CPU_ARCH	       60
#define CONFIG_PAGE_SIZE       64
#define CONFIG_UVM	       75
#define CONFIG_INTERRUPTS      76
#define CONFIG_MIGRATION       77
#define CONFIG_CONSOLE	       79
#define CONFIG_EVENTS	       80
#define CONFIG_THRESHOLD       92

#define UUID_BYTES     16
#define SWIZZ_NONE     0xffffffff
#define HYPERVISOR_KVM 4
#define ARCH_AARCH64   1
#define ARCH_X86_64    2

const char *model_vgpu_configure(GpuModel *m, struct vgpu *v, const uint8_t *data)
{
	static const unsigned int flag[] = {CONFIG_UVM, CONFIG_INTERRUPTS,
					    CONFIG_MIGRATION, CONFIG_CONSOLE,
					    CONFIG_EVENTS};
	uint32_t arch = get32(data + CONFIG_CPU_ARCH);
	uint32_t type = get32(data + CONFIG_TYPE), was = v->type;
	g_autoptr(GString) text = NULL;
	const char *why;
	uint64_t page = ldq_le_p(data + CONFIG_PAGE_SIZE);
	unsigned int i;

	if (buffer_is_zero(data + CONFIG_UUID, UUID_BYTES))
		return "it has no UUID";
	if (get32(data + CONFIG_DBDF) != v->dbdf)
		return "this is another VF's address";
	if (get32(data + CONFIG_VM_PID) != v->vm_pid)
		return "this is another process than it was booted for";
	if (get32(data + CONFIG_SWIZZ_ID) &&
	    get32(data + CONFIG_SWIZZ_ID) != SWIZZ_NONE)
		return "there are no GPU instances";
	if (get32(data + CONFIG_CHANNELS) != v->channels ||
	    get32(data + CONFIG_PLUGIN_CHANNELS) != v->plugin_channels)
		return "not as many channels as it was booted with";
	if (get32(data + CONFIG_HYPERVISOR) != HYPERVISOR_KVM)
		return "the hypervisor is not KVM";
	if (arch != ARCH_AARCH64 && arch != ARCH_X86_64)
		return "there is no such processor";
	if (!is_power_of_2(page) || page < 4 * KiB || page > 64 * KiB)
		return "there are no such pages";
	for (i = 0; i < ARRAY_SIZE(flag); i++)
		if (data[flag[i]] > 1)
			return "a flag is neither 0 nor 1";
	if (get32(data + CONFIG_THRESHOLD) > 100)
		return "more than 100 percent of the channels";
	if (was && type != was)
		return "another type than it was booted as";
	v->type = type;
	why = model_vgpu_check_type(m, v);
	if (why) {
		v->type = was;
		return why;
	}
	v->instance = get32(data + CONFIG_INSTANCE);
	v->migratable = data[CONFIG_MIGRATION];
	text = g_string_new(NULL);
	for (i = 0; i < UUID_BYTES; i++)
		g_string_append_printf(text, "%02x", data[CONFIG_UUID + i]);
	model_log(m, "vgpu", "configured: dbdf %x, instance %x, uuid %s",
		  v->dbdf, v->instance, text->str);
	return NULL;
}
