// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The PCI function of an L40S. Where capabilities lie is as on the board:
 * SR-IOV at 0xbcc (OGK turing/tu102/dev_nv_xve.h), the rest as lspci shows them
 * on GA102 and AD102 boards.
 */
#include "model/model.h"
#include "model/vf.h"
#include "model/vgpu.h"

#include "block/aio.h"
#include "hw/hotplug.h"
#include "hw/pci/msi.h"
#include "hw/pci/msix.h"
#include "hw/pci/pci_bridge.h"
#include "hw/pci/pci_bus.h"
#include "hw/pci/pci_regs.h"
#include "hw/pci/pcie.h"
#include "hw/pci/pcie_sriov.h"
#include "hw/qdev-properties.h"
#include "qemu/main-loop.h"
#include "qemu/module.h"

#define PCI_CAP_PM	0x60
#define PCI_CAP_MSI	0x68
#define PCI_CAP_EXPRESS 0x78
#define PCI_CAP_MSIX	0xc8
#define PCI_EXT_AER	0x100
#define PCI_EXT_ARI	0x160
#define PCI_EXT_SRIOV	0xbcc

#define MSIX_VECTORS 6
#define MSIX_TABLE   0xb90000
#define MSIX_PBA     0xba0000

static bool add_capabilities(PCIDevice *pci, Error **errp)
{
	uint8_t *conf = pci->config;
	int at;

	at = pci_add_capability(pci, PCI_CAP_ID_PM, PCI_CAP_PM, PCI_PM_SIZEOF,
				errp);
	if (at < 0)
		return false;
	pci_set_word(conf + at + PCI_PM_PMC, 0x3);
	pci_set_word(pci->wmask + at + PCI_PM_CTRL, PCI_PM_CTRL_STATE_MASK);
	if (MODEL_AD102(pci)->msi &&
	    msi_init(pci, PCI_CAP_MSI, 1, true, false, errp))
		return false;
	if (pcie_endpoint_cap_init(pci, PCI_CAP_EXPRESS) < 0) {
		error_setg(
			errp,
			"no PCI Express: put the device behind a pcie-root-port");
		return false;
	}
	pcie_cap_flr_init(pci);
	/* So that the host can have AER's errors reported. */
	pcie_cap_deverr_init(pci);
	if (pcie_aer_init(pci, PCI_ERR_VER, PCI_EXT_AER, PCI_ERR_SIZEOF, errp))
		return false;
	pcie_ari_init(pci, PCI_EXT_ARI);
	return true;
}

static void realize(PCIDevice *pci, Error **errp)
{
	GpuModel *m = MODEL_AD102(pci);

	if (!is_power_of_2(m->bar1_size) || !is_power_of_2(m->vf_bar1_size)) {
		error_setg(errp, "bar1-size and vf-bar1-size are powers of two");
		return;
	}
	m->log = m->log_path ? fopen(m->log_path, "w") : stderr;
	if (!m->log) {
		error_setg_file_open(errp, errno, m->log_path);
		return;
	}
	m->log_seen = g_hash_table_new(NULL, NULL);
	if (!model_fb_create(m, errp))
		return;
	model_vbios_create(m);
	m->vgpu = g_new0(struct vgpu, SRIOV_TOTAL_VFS);
	m->vgpu_type = g_new0(struct vgpu_type, VGPU_TYPES_MAX);
	model_falcon_init(m, &m->gsp, "gsp", PGSP_BASE);
	model_falcon_init(m, &m->sec2, "sec2", PSEC_BASE);
	model_bar0_init(m);
	model_mmu_init_bars(m);

	pci->config[PCI_INTERRUPT_PIN] = 1;
	pci_register_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY, &m->bar0);
	pci_register_bar(pci, 1,
			 PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH,
			 &m->bar1);
	pci_register_bar(pci, 3,
			 PCI_BASE_ADDRESS_MEM_TYPE_64 |
				 PCI_BASE_ADDRESS_MEM_PREFETCH,
			 &m->bar3);
	if (!add_capabilities(pci, errp))
		return;
	if (m->msix && msix_init(pci, MSIX_VECTORS, &m->bar0, 0, MSIX_TABLE,
				 &m->bar0, 0, MSIX_PBA, PCI_CAP_MSIX, errp))
		return;
	if (m->msix)
		msix_vector_use(pci, 0);
	if (!pcie_sriov_pf_init(pci, PCI_EXT_SRIOV, TYPE_MODEL_AD102_VF,
				DEVICE_L40S, SRIOV_TOTAL_VFS, SRIOV_TOTAL_VFS,
				SRIOV_VF_OFFSET, SRIOV_VF_STRIDE, errp))
		return;
	pcie_sriov_pf_init_vf_bar(pci, 0, PCI_BASE_ADDRESS_SPACE_MEMORY,
				  VF_BAR0_BYTES);
	pcie_sriov_pf_init_vf_bar(pci, 1,
				  PCI_BASE_ADDRESS_MEM_TYPE_64 |
					  PCI_BASE_ADDRESS_MEM_PREFETCH,
				  m->vf_bar1_size);
	pcie_sriov_pf_init_vf_bar(pci, 3,
				  PCI_BASE_ADDRESS_MEM_TYPE_64 |
					  PCI_BASE_ADDRESS_MEM_PREFETCH,
				  VF_BAR3_BYTES);
	model_reset(m);
	model_log(m, "pci", "an AD102 with %" PRIu64 " MiB", m->fb_size / MiB);
}

static void unrealize(PCIDevice *pci)
{
	GpuModel *m = MODEL_AD102(pci);

	model_gsp_stop(m);
	if (m->rm_timer)
		timer_free(m->rm_timer);
	if (m->vgpu_timer)
		timer_free(m->vgpu_timer);
	if (m->host_timer)
		timer_free(m->host_timer);
	model_falcon_finish(&m->gsp);
	model_falcon_finish(&m->sec2);
	pcie_sriov_pf_exit(pci);
	msix_uninit(pci, &m->bar0, &m->bar0);
	msi_uninit(pci);
	pcie_aer_exit(pci);
	pcie_cap_exit(pci);
	g_free(m->vbios);
	g_free(m->vgpu);
	g_free(m->vgpu_type);
	g_hash_table_unref(m->log_seen);
	if (m->log != stderr)
		fclose(m->log);
}

/*
 * QEMU's own ports have no event for a link that goes down. Linux asks for that
 * one, and not for the presence, of slots that have a button.
 */
static void tell_slot(PCIDevice *port)
{
	uint8_t *cap = port->config + port->exp.exp_cap;

	pci_word_test_and_clear_mask(cap + PCI_EXP_SLTSTA, PCI_EXP_SLTSTA_PDS);
	pci_word_test_and_clear_mask(cap + PCI_EXP_LNKSTA, PCI_EXP_LNKSTA_DLLLA);
	pci_word_test_and_set_mask(port->w1cmask + port->exp.exp_cap +
					   PCI_EXP_SLTSTA,
				   PCI_EXP_SLTSTA_DLLSC);
	pci_word_test_and_set_mask(cap + PCI_EXP_SLTSTA,
				   PCI_EXP_SLTSTA_PDC | PCI_EXP_SLTSTA_DLLSC);
	if (!(pci_get_word(cap + PCI_EXP_SLTCTL) & PCI_EXP_SLTCTL_HPIE))
		return;
	if (msix_enabled(port))
		msix_notify(port, pcie_cap_flags_get_vector(port));
	else if (msi_enabled(port))
		msi_notify(port, pcie_cap_flags_get_vector(port));
}

/* What nobody answers to on a bus reads as ones; QEMU has zeros. */
static void fill_bus(PCIBus *bus)
{
	MemoryRegion *nothing;

	if (memory_region_present(bus->address_space_mem, 0))
		return;
	nothing = g_new0(MemoryRegion, 1); /* as long as the port's */
	memory_region_init_io(nothing, OBJECT(bus->parent_dev),
			      &model_nothing_ops, NULL, "nothing", UINT64_MAX);
	memory_region_add_subregion_overlap(bus->address_space_mem, 0, nothing,
					    -1);
}

static void pull(void *opaque)
{
	DeviceState *dev = opaque;
	PCIDevice *port = pci_bridge_get_device(pci_get_bus(PCI_DEVICE(dev)));

	hotplug_handler_unplug(qdev_get_hotplug_handler(dev), dev, &error_abort);
	object_unparent(OBJECT(dev));
	tell_slot(port);
	object_unref(OBJECT(dev));
}

/* model_pull: out of its slot, at once, with nobody having been asked. */
void model_pull(GpuModel *m)
{
	model_log(m, "pci", "it is pulled out of its slot");
	fill_bus(pci_get_bus(&m->pci));
	object_ref(OBJECT(m));
	aio_bh_schedule_oneshot(qemu_get_aio_context(), pull, m);
}

/* A GPU that fell off its bus has no configuration space either. */
static uint32_t read_config(PCIDevice *pci, uint32_t addr, int len)
{
	if (MODEL_AD102(pci)->fault.kind == FAULT_BUS_LOST)
		return UINT32_MAX >> (32 - 8 * len);
	return pci_default_read_config(pci, addr, len);
}

static void write_config(PCIDevice *pci, uint32_t addr, uint32_t value, int len)
{
	pci_default_write_config(pci, addr, value, len);
	pcie_cap_flr_write_config(pci, addr, value, len);
	model_vf_enable_memory(MODEL_AD102(pci));
}

static void reset_hold(Object *obj, ResetType type)
{
	model_reset(MODEL_AD102(obj));
	pcie_sriov_pf_reset(PCI_DEVICE(obj));
}

static const Property properties[] = {
	DEFINE_PROP_SIZE("fb-size", GpuModel, fb_size, 4 * GiB),
	DEFINE_PROP_SIZE("bar1-size", GpuModel, bar1_size, 256 * MiB),
	DEFINE_PROP_SIZE("vf-bar1-size", GpuModel, vf_bar1_size, 64 * MiB),
	DEFINE_PROP_BOOL("vgpu-migration", GpuModel, vgpu_migration, true),
	DEFINE_PROP_UINT32("vgpu-version-min", GpuModel, vgpu_version_min, 1),
	DEFINE_PROP_BOOL("display", GpuModel, display, false),
	DEFINE_PROP_BOOL("ecc", GpuModel, ecc, true),
	DEFINE_PROP_BOOL("msi", GpuModel, msi, true),
	DEFINE_PROP_BOOL("msix", GpuModel, msix, true),
	DEFINE_PROP_STRING("log", GpuModel, log_path),
};

static void class_init(ObjectClass *klass, void *data)
{
	DeviceClass *dc = DEVICE_CLASS(klass);
	PCIDeviceClass *pc = PCI_DEVICE_CLASS(klass);

	pc->realize = realize;
	pc->exit = unrealize;
	pc->config_read = read_config;
	pc->config_write = write_config;
	pc->vendor_id = VENDOR_NVIDIA;
	pc->device_id = DEVICE_L40S;
	pc->subsystem_vendor_id = VENDOR_NVIDIA;
	pc->subsystem_id = SUBSYSTEM_L40S;
	pc->revision = REVISION_A1;
	pc->class_id = CLASS_3D_CONTROLLER;
	RESETTABLE_CLASS(klass)->phases.hold = reset_hold;
	dc->desc = "model of an NVIDIA AD102 (L40S)";
	set_bit(DEVICE_CATEGORY_DISPLAY, dc->categories);
	device_class_set_props(dc, properties);
	model_fault_add_property(klass);
}

static const TypeInfo types[] = {
	{
		.name = TYPE_MODEL_AD102,
		.parent = TYPE_PCI_DEVICE,
		.instance_size = sizeof(GpuModel),
		.class_init = class_init,
		.interfaces = (InterfaceInfo[]){{INTERFACE_PCIE_DEVICE}, {}},
	},
};

DEFINE_TYPES(types)
