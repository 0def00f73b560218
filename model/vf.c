// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A VF as a PCI function. MSI-X lies as on the board (OGK turing/tu102/
 * dev_nv_xve3g_vf.h, dev_vm.h), and PCI Express fills what is before it; where
 * power management lies is the model's choice. BAR1 shows the vGPU's
 * framebuffer from its first byte, a linear mapping of the model's own: on a
 * GPU it goes through page tables that the guest's driver writes.
 */
#include "model/vf.h"
#include "model/vgpu.h"

#include "hw/pci/msix.h"
#include "hw/pci/pci_regs.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_sriov.h"
#include "qemu/module.h"

#define VF_CAP_EXPRESS 0x40
#define VF_CAP_MSIX    0x7c
#define VF_CAP_PM      0x88
#define VF_EXT_AER     0x100
#define VF_EXT_ARI     0x160

#define VF_MSIX_TABLE 0x10000
#define VF_MSIX_PBA   0x20000

ModelVf *model_vf_of(GpuModel *m, uint32_t gfid)
{
	PCIDevice *pci =
		gfid ? pcie_sriov_get_vf_at_index(&m->pci, gfid - 1) : NULL;

	return pci ? MODEL_AD102_VF(pci) : NULL;
}

bool model_vf_may_master(ModelVf *vf)
{
	const struct vgpu *v = model_vgpu_of(vf->m, vf->gfid);

	return model_vgpu_serves(vf->m, vf->gfid) && v->bus_master &&
	       v->migration == VGPU_RUNNING;
}

/* A segment is shown by a window that QEMU maps: without an exit for each word. */
void model_vf_show(GpuModel *m, uint32_t gfid)
{
	const struct vgpu *v;
	ModelVf *vf;
	unsigned int i;

	/* One that is disabled is shown nowhere; but it may be enabled again. */
	if (!m->pci.exp.sriov_pf.vf)
		return;
	v = model_vgpu_of(m, gfid);
	vf = MODEL_AD102_VF(m->pci.exp.sriov_pf.vf[gfid - 1]);
	for (i = 0; i < vf->bar1_windows; i++) {
		uint64_t addr = 0;
		bool shown =
			v->state == VGPU_UP && m->fault.kind != FAULT_BUS_LOST &&
			model_vgpu_address(v, i * (uint64_t)VMMU_SEGMENT, &addr);

		if (shown)
			memory_region_set_alias_offset(&vf->bar1_window[i], addr);
		memory_region_set_enabled(&vf->bar1_window[i], shown);
	}
	vf->bar1_refused = 0;
}

/* What no window shows: past the vGPU's framebuffer, or there is no vGPU. */
static void refused(ModelVf *vf, const char *what, hwaddr addr)
{
	/* A guest that has lost its vGPU does nothing wrong. */
	if (!model_vgpu_serves(vf->m, vf->gfid))
		return;
	/* It could fill the log with these. */
	if (is_power_of_2(++vf->bar1_refused))
		model_refuse(vf->m, "vf",
			     "gfid %u: %s of BAR1 at %" HWADDR_PRIx ", %" PRIu64
			     " until now",
			     vf->gfid, what, addr, vf->bar1_refused);
}

static uint64_t closed_read(void *opaque, hwaddr addr, unsigned int bytes)
{
	refused(opaque, "read", addr);
	return UINT64_MAX;
}

static void closed_write(void *opaque, hwaddr addr, uint64_t value,
			 unsigned int bytes)
{
	refused(opaque, "write", addr);
}

static const MemoryRegionOps closed_ops = {
	.read = closed_read,
	.write = closed_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8},
	.impl = {.min_access_size = 1, .max_access_size = 8},
};

static uint64_t nothing_read(void *opaque, hwaddr addr, unsigned int bytes)
{
	return UINT64_MAX;
}

static void nothing_write(void *opaque, hwaddr addr, uint64_t value,
			  unsigned int bytes)
{
}

const MemoryRegionOps model_nothing_ops = {
	.read = nothing_read,
	.write = nothing_write,
	.endianness = DEVICE_LITTLE_ENDIAN,
	.valid = {.min_access_size = 1, .max_access_size = 8},
	.impl = {.min_access_size = 1, .max_access_size = 8},
};

static void init_bar1(ModelVf *vf)
{
	uint64_t size = vf->m->vf_bar1_size;
	unsigned int i;

	memory_region_init(&vf->bar1, OBJECT(vf), "ad102-vf-bar1", size);
	memory_region_init_io(&vf->bar1_closed, OBJECT(vf), &closed_ops, vf,
			      "ad102-vf-closed", size);
	memory_region_add_subregion(&vf->bar1, 0, &vf->bar1_closed);
	vf->bar1_windows = DIV_ROUND_UP(size, VMMU_SEGMENT);
	vf->bar1_window = g_new0(MemoryRegion, vf->bar1_windows);
	for (i = 0; i < vf->bar1_windows; i++) {
		uint64_t at = i * (uint64_t)VMMU_SEGMENT;

		memory_region_init_alias(&vf->bar1_window[i], OBJECT(vf),
					 "ad102-vf-window", &vf->m->vram, 0,
					 MIN(VMMU_SEGMENT, size - at));
		memory_region_set_enabled(&vf->bar1_window[i], false);
		memory_region_add_subregion_overlap(&vf->bar1, at,
						    &vf->bar1_window[i], 1);
	}
}

static bool add_capabilities(ModelVf *vf, Error **errp)
{
	PCIDevice *pci = &vf->pci;
	int at;
	unsigned int i;

	if (pcie_endpoint_cap_init(pci, VF_CAP_EXPRESS) < 0) {
		error_setg(errp, "no PCI Express for a VF");
		return false;
	}
	pcie_cap_flr_init(pci);
	if (msix_init(pci, VF_MSIX_VECTORS, &vf->bar0, 0, VF_MSIX_TABLE,
		      &vf->bar0, 0, VF_MSIX_PBA, VF_CAP_MSIX, errp))
		return false;
	for (i = 0; i < VF_MSIX_VECTORS; i++)
		msix_vector_use(pci, i);
	at = pci_pm_init(pci, VF_CAP_PM, errp);
	if (at < 0)
		return false;
	pci_set_word(pci->config + at + PCI_PM_PMC, 0x3);
	pci_set_word(pci->config + at + PCI_PM_CTRL, PCI_PM_CTRL_NO_SOFT_RESET);
	pci_set_word(pci->wmask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
	if (pcie_aer_init(pci, PCI_ERR_VER, VF_EXT_AER, PCI_ERR_SIZEOF, errp))
		return false;
	pcie_ari_init(pci, VF_EXT_ARI);
	return true;
}

static void vf_realize(PCIDevice *pci, Error **errp)
{
	ModelVf *vf = MODEL_AD102_VF(pci);

	vf->m = MODEL_AD102(pcie_sriov_get_pf(pci));
	vf->gfid = pcie_sriov_vf_number(pci) + 1;
	memory_region_init(&vf->bar0, OBJECT(vf), "ad102-vf-bar0", VF_BAR0_BYTES);
	model_vf_regs_init(vf);
	init_bar1(vf);
	/* A guest's driver keeps page tables behind it, which are not modelled. */
	memory_region_init_io(&vf->bar3, OBJECT(vf), &model_nothing_ops, vf,
			      "ad102-vf-bar3", VF_BAR3_BYTES);
	pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &vf->bar0);
	pci_register_bar(pci, 1,
			 PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH,
			 &vf->bar1);
	pci_register_bar(pci, 3,
			 PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH,
			 &vf->bar3);
	pci_word_test_and_clear_mask(pci->wmask + PCI_COMMAND,
				     PCI_COMMAND_IO | PCI_COMMAND_MEMORY);
	add_capabilities(vf, errp);
}

static void vf_unrealize(PCIDevice *pci)
{
	ModelVf *vf = MODEL_AD102_VF(pci);

	msix_uninit(pci, &vf->bar0, &vf->bar0);
	pcie_aer_exit(pci);
	pcie_cap_exit(pci);
}

static void vf_finalize(Object *obj)
{
	g_free(MODEL_AD102_VF(obj)->bar1_window);
}

/*
 * A function level reset, and what enabling and disabling VFs does. The task
 * goes on: that is the host's to end. QEMU has reset the configuration space.
 */
static void vf_reset_hold(Object *obj, ResetType type)
{
	ModelVf *vf = MODEL_AD102_VF(obj);

	memset(&vf->state, 0, sizeof(vf->state));
	vf->bar1_refused = 0;
	model_vgpu_was_reset(vf->m, vf->gfid);
}

/*
 * The PF says whether its VFs decode memory; the bit of a VF's own command
 * reads as 0. QEMU goes by that bit, so it is kept there, out of sight.
 */
void model_vf_enable_memory(GpuModel *m)
{
	const uint8_t *ctrl =
		m->pci.config + m->pci.exp.sriov_cap + PCI_SRIOV_CTRL;
	bool on = pci_get_word(ctrl) & PCI_SRIOV_CTRL_MSE;
	unsigned int i;

	for (i = 0; i < SRIOV_TOTAL_VFS; i++) {
		PCIDevice *pci = m->pci.exp.sriov_pf.vf[i];
		uint16_t command = pci_get_word(pci->config + PCI_COMMAND);
		uint16_t wanted = on ? command | PCI_COMMAND_MEMORY
				     : command & ~PCI_COMMAND_MEMORY;

		if (wanted == command)
			continue;
		pci_set_word(pci->config + PCI_COMMAND, wanted);
		/* It maps or unmaps the BARs. */
		pci_default_write_config(pci, PCI_COMMAND, command, 2);
	}
}

/* The PF's fall off the bus is its VFs' too. */
static uint32_t vf_read_config(PCIDevice *pci, uint32_t addr, int len)
{
	uint32_t value = pci_default_read_config(pci, addr, len);

	if (MODEL_AD102_VF(pci)->m->fault.kind == FAULT_BUS_LOST)
		return UINT32_MAX >> (32 - 8 * len);
	if (addr <= PCI_COMMAND && addr + len > PCI_COMMAND)
		value &= ~((uint32_t)PCI_COMMAND_MEMORY
			   << 8 * (PCI_COMMAND - addr));
	return value;
}

static void vf_write_config(PCIDevice *pci, uint32_t addr, uint32_t value, int len)
{
	if (MODEL_AD102_VF(pci)->m->fault.kind == FAULT_BUS_LOST)
		return;
	pci_default_write_config(pci, addr, value, len);
	pcie_cap_flr_write_config(pci, addr, value, len);
}

static void vf_class_init(ObjectClass *klass, void *data)
{
	PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

	pc->realize = vf_realize;
	pc->exit = vf_unrealize;
	pc->config_read = vf_read_config;
	pc->config_write = vf_write_config;
	pc->vendor_id = VENDOR_NVIDIA;
	pc->device_id = DEVICE_L40S;
	pc->subsystem_vendor_id = VENDOR_NVIDIA;
	pc->subsystem_id = SUBSYSTEM_L40S;
	pc->revision = REVISION_A1;
	pc->class_id = CLASS_3D_CONTROLLER;
	RESETTABLE_CLASS(klass)->phases.hold = vf_reset_hold;
	DEVICE_CLASS(klass)->user_creatable = false;
}

static const TypeInfo types[] = {
	{
		.name = TYPE_MODEL_AD102_VF,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(ModelVf),
		.instance_finalize = vf_finalize,
		.class_init = vf_class_init,
		.interfaces = (InterfaceInfo[]){{INTERFACE_PCIE_DEVICE}, {}},
	},
};

DEFINE_TYPES(types)
