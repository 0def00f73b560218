/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The model of an AD102: one structure, and what its parts call in each other.
 * Everything here runs under QEMU's lock; what a driver wrote is never trusted.
 */
#ifndef VGPU_MODEL_H
#define VGPU_MODEL_H

#include "qemu/osdep.h"
#include "qemu/units.h"
#include "qemu/bswap.h"
#include "qemu/cutils.h"
#include "qemu/timer.h"
#include "qapi/error.h"
#include "hw/pci/pci_device.h"

#include "model/regs.h"
#include "model/fault.h"

#define TYPE_MODEL_AD102    "ad102"
#define TYPE_MODEL_AD102_VF "ad102-vf"
OBJECT_DECLARE_SIMPLE_TYPE(GpuModel, MODEL_AD102)

#define VENDOR_NVIDIA	    0x10de
#define DEVICE_L40S	    0x26b9
#define SUBSYSTEM_L40S	    0x1851
#define REVISION_A1	    0xa1
#define CLASS_3D_CONTROLLER 0x0302

/* As lspci shows them of AD102 boards; the sizes of VF BARs are the model's. */
#define SRIOV_TOTAL_VFS 32
#define SRIOV_VF_OFFSET 4
#define SRIOV_VF_STRIDE 1
#define VF_BAR0_BYTES	(256 * KiB)
#define VF_BAR3_BYTES	(32 * MiB)

/* What every falcon has; only two of an AD102's are modelled. */
#define FALCON_IMEM_SIZE (64 * KiB)
#define FALCON_DMEM_SIZE (64 * KiB)
#define FALCON_BLOCK	 256

struct falcon {
	GpuModel *model;
	const char *name;
	uint32_t base;
	uint32_t regs[FALCON_SIZE / 4]; /* those that only hold what was written */
	uint8_t imem[FALCON_IMEM_SIZE];
	uint8_t dmem[FALCON_DMEM_SIZE];
	uint32_t imem_tag[FALCON_IMEM_SIZE / FALCON_BLOCK]; /* ~0: not loaded */
	uint32_t imem_used; /* bytes of code, counted from 0 without a gap */
	uint32_t irqstat;
	uint32_t riscv_irqmask; /* which of irqstat reach the CPU; firmware's own */
	bool running, halted, riscv_active;
	QEMUTimer *done; /* when the code that was started ends */
};

/* The message queues, from the first doorbell to the unload. */
struct msgq {
	bool linked;
	uint64_t shared_pa, rmargs_pa;
	uint64_t *page; /* bus address of each page of the shared memory */
	uint32_t page_count;
	uint32_t cmd_offset, stat_offset;
	uint32_t cmd_count, stat_count; /* elements */
	uint32_t cmd_read, stat_write;
	uint32_t cmd_seq, stat_seq;
	/* A message that came in several records. */
	GByteArray *partial;
	uint32_t partial_total;
	/* Records that had no room in the status queue. */
	GQueue waiting;
	uint32_t waiting_pages;
	bool overran; /* more than may wait was to be sent */
	QEMUTimer *look;
};

/* A suspend: what the RM was told, and where it stands. */
struct suspend {
	bool prepared; /* FBSR_INIT told where the RM's memory may be kept */
	bool unloaded; /* the RM sleeps */
	bool saved;    /* Booter has put WPR into the driver's memory */
	uint64_t fbsr_page[2]; /* where the two page directories are kept */
	uint64_t meta_pa;      /* as FBSR_INIT said */
	uint64_t cookie;
	uint64_t wpr_start, wpr_end, rmargs_pa, bar1_pdb, bar2_pdb;
};

/* Interrupts of one function: leaf bits, and who may pass. */
struct intr_tree {
	uint32_t leaf[VF_INTR_LEAF_COUNT], leaf_en[VF_INTR_LEAF_COUNT];
	uint32_t top_en;
	bool level;
	bool is_held; /* by MSI: a message went out, and there was no rearm since */
};

struct rm_client;
struct late;
struct vgpu;
struct vgpu_type;

/* A BAR that shows what page tables say; without them, VRAM. */
struct window {
	GpuModel *m;
	const char *name;
	const uint64_t *pdb;
};

struct GpuModel {
	PCIDevice pci;
	MemoryRegion bar0, bar0_regs, bar1, bar3, vram;

	/* Properties. */
	uint64_t fb_size, bar1_size;
	uint64_t vf_bar1_size;
	bool vgpu_migration;	   /* vGPUs can be saved and restored */
	uint32_t vgpu_version_min; /* of what a host says to a vGPU's task */
	char *log_path;
	bool display, ecc;
	bool msi, msix;

	struct fault fault;
	struct late *late;
	QEMUTimer *late_timer; /* when a message that is late gets on its way */
	int64_t reply_ns;      /* the reply under way is to be this late */

	FILE *log;
	GHashTable *log_seen; /* unmodelled registers, each named once */

	uint8_t *fb; /* of vram */
	uint8_t *vbios;
	uint32_t vbios_size;

	uint32_t scratch[PBUS_SW_SCRATCH_COUNT];
	uint32_t bar0_window;
	uint32_t pmc_enable, device_enable;
	uint32_t rom_ctrl, timer_intr_en, flush_sysmem;
	uint64_t time_offset;
	uint32_t wpr2_lo, wpr2_hi; /* as the registers hold them; hi 0: none */
	uint64_t wpr_start, wpr_end;
	bool gsp_booted;
	bool scrubbed; /* more of VRAM than the GFW scrubs was scrubbed */
	uint64_t non_wpr_heap; /* what booter was told */
	uint64_t frts_offset;
	uint64_t libos_args_pa;

	struct intr_tree intr;
	uint32_t mmu_invalidate[5];
	uint32_t fault_buffer[(VF_MMU_FAULT_BUFFER_END - VF_MMU_FAULT_BUFFER) / 4];

	struct falcon gsp, sec2;
	struct msgq msgq;

	/* The firmware's resource manager. */
	QEMUTimer *rm_timer;
	bool rm_starting, rm_waking, rm_running;
	int64_t sequencer_end; /* when its program must have run, 0: none is */
	uint64_t log_pa[3];    /* LOGINIT, LOGINTR, LOGRM */
	uint64_t log_bytes[3];
	bool have_system_info, have_registry;
	bool sriov_mode; /* the registry's RMSetSriovMode */
	uint32_t vf_total;
	uint64_t bar1_pdb, bar2_pdb;
	struct window window[2]; /* BAR1, and BAR2 behind BAR3 */
	uint64_t rsvd_start; /* the RM's own memory, [rsvd_start, non_wpr_heap) */
	GHashTable *clients;
	struct suspend suspend;
	bool channels_stopped; /* for a suspend */
	GList *channels;
	QEMUTimer *host_timer;
	struct vgpu *vgpu; /* one for each VF */
	struct vgpu_type *vgpu_type;
	uint32_t vgpu_type_count;
	bool vgpu_heterogeneous;
	/* How they share the engines; 0 is the firmware's choice. */
	uint32_t vgpu_policy, vgpu_slice_ns, vgpu_arr_average;
	bool vgpu_arr;
	QEMUTimer *vgpu_timer;
	struct vgpu_use *vgpu_use; /* samples of their work; NULL: none yet */
};

/* log.c: one line each; a refusal is what a real GPU would not have done. */
void model_log(GpuModel *m, const char *part, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
void model_refuse(GpuModel *m, const char *part, const char *format, ...)
	G_GNUC_PRINTF(3, 4);
/* A register of the PF (gfid 0) or of a VF. */
void model_unmodelled(GpuModel *m, uint32_t gfid, bool write, uint32_t reg,
		      uint32_t value);

/* bar0.c */
void model_bar0_init(GpuModel *m);
uint64_t model_time_ns(const GpuModel *m);
void model_reset(GpuModel *m);

/* pci.c */
void model_pull(GpuModel *m);

/* intr.c */
#define INTR_VECTOR_GSP 0x89 /* leaf 4, bit 9; the RM tells the driver which */
uint32_t model_intr_tree_read(const struct intr_tree *t, uint32_t offset);
/* False: there is nothing to write. It may rise then. */
bool model_intr_tree_write(struct intr_tree *t, uint32_t offset, uint32_t value);
/* Whether it begins to have something to say; asked after each change. */
bool model_intr_tree_rises(struct intr_tree *t);
void model_intr_trigger(GpuModel *m, uint32_t vector);
void model_intr_update(GpuModel *m);
/* The driver is ready for the next message by MSI. */
void model_intr_rearm(GpuModel *m);
/* A message that nothing is behind; false: there are no messages by MSI. */
bool model_intr_disturb(GpuModel *m);

/* vbios.c */
#define VBIOS_FWSEC_UCODE_ID 9
#define VBIOS_FWSEC_FUSE_VERSION                                               \
	1 /* fuse bit 0: the highest set, counted from 1 */
void model_vbios_create(GpuModel *m);
bool model_vbios_is_fwsec(GpuModel *m, const struct falcon *f, uint32_t para,
			  const char **ret_why);
uint32_t model_vbios_dmem_size(void);

/* fb.c: VRAM. Access by the CPU stops at WPR2; firmware's own does not. */
bool model_fb_create(GpuModel *m, Error **errp);
uint64_t model_fb_read(GpuModel *m, uint64_t addr, unsigned int bytes);
void model_fb_write(GpuModel *m, uint64_t addr, uint64_t value,
		    unsigned int bytes);
bool model_fb_contains(const GpuModel *m, uint64_t addr, uint64_t bytes);

/* The same of an engine: false where it may not, nothing is done then. */
bool model_fb_engine_read(GpuModel *m, uint64_t addr, void *buf, uint64_t bytes);
bool model_fb_engine_write(GpuModel *m, uint64_t addr, const void *buf,
			   uint64_t bytes);
bool model_fb_engine_fill(GpuModel *m, uint64_t addr, uint32_t word,
			  uint64_t bytes);

/* mmu.c: BAR1 and BAR2 through the page tables that the driver writes. */
void model_mmu_init_bars(GpuModel *m);

/* falcon.c */
void model_falcon_init(GpuModel *m, struct falcon *f, const char *name,
		       uint32_t base);
void model_falcon_finish(struct falcon *f);
void model_falcon_reset(struct falcon *f);
uint32_t model_falcon_read(struct falcon *f, uint32_t offset);
void model_falcon_write(struct falcon *f, uint32_t offset, uint32_t value);
void model_falcon_raise(struct falcon *f, uint32_t irq);

/* boot.c: what the signed code on the falcons does. */
void model_boot_run(struct falcon *f);

/* dma.c: system memory through the PCI device, so through its IOMMU. */
bool model_dma_read(GpuModel *m, uint64_t addr, void *buf, size_t bytes);
bool model_dma_write(GpuModel *m, uint64_t addr, const void *buf, size_t bytes);

/* gsp.c: the firmware comes up, and goes. */
void model_gsp_start(GpuModel *m);
void model_gsp_stop(GpuModel *m);
void model_gsp_sleep(GpuModel *m);
void model_gsp_wake(GpuModel *m);
void model_gsp_doorbell(GpuModel *m);
void model_gsp_crash(GpuModel *m);
void model_gsp_log(GpuModel *m, unsigned int which, uint64_t word);

/* msgq.c */
bool model_msgq_link(GpuModel *m, uint64_t rmargs_pa, uint64_t rmargs_bytes);
void model_msgq_unlink(GpuModel *m);
void model_msgq_serve(GpuModel *m);
bool model_msgq_send(GpuModel *m, uint32_t function, uint32_t result,
		     uint32_t sequence, const void *payload, uint32_t bytes);

/* rpc.c: one whole message; the payload may be changed for the reply. */
void model_rpc(GpuModel *m, uint32_t function, uint32_t sequence,
	       uint8_t *payload, uint32_t bytes);

void model_rpc_forget_late(GpuModel *m);

/* rm.c: clients and their objects; NV_STATUS out. */
void model_rm_init(GpuModel *m);
void model_rm_finish(GpuModel *m);
uint32_t model_rm_alloc(GpuModel *m, uint32_t client, uint32_t parent,
			uint32_t handle, uint32_t oclass, uint8_t *params,
			uint32_t bytes);
uint32_t model_rm_free(GpuModel *m, uint32_t client, uint32_t handle);
/* The class of an object, 0xffffffff if there is none (ret_status says why). */
uint32_t model_rm_class(GpuModel *m, uint32_t client, uint32_t handle,
			uint32_t *ret_status);

/* ctrl.c */
uint32_t model_rm_control(GpuModel *m, uint32_t client, uint32_t handle,
			  uint32_t cmd, uint8_t *params, uint32_t bytes);

/* suspend.c: each gives NULL, or why not. */
bool model_suspend_is_meta(GpuModel *m, uint64_t meta_pa);
const char *model_suspend_save(GpuModel *m, uint64_t meta_pa);
const char *model_suspend_restore(GpuModel *m, uint64_t meta_pa);
bool model_suspend_unload(GpuModel *m);
bool model_suspend_wake(GpuModel *m);

/* boot.c */
void model_boot_set_wpr2(GpuModel *m, uint64_t start, uint64_t end);

/* fault.c */
bool model_fault_strikes(GpuModel *m, enum fault_kind kind, uint32_t function);
bool model_fault_strikes_vgpu(GpuModel *m, enum fault_kind kind, uint32_t gfid,
			      uint32_t number, uint32_t *ret_told);
bool model_fault_strikes_vram(GpuModel *m, uint64_t addr, uint64_t bytes);
void model_fault_add_property(ObjectClass *klass);

/* static_info.c */
void model_static_info(GpuModel *m, uint8_t *info, uint32_t bytes);

/* QEMU's own gives a signed one, which must not widen an address. */
static inline uint32_t get32(const void *p)
{
	return ldl_le_p(p);
}

/* NV_STATUS: OGK src/common/sdk/nvidia/inc/nvstatuscodes.h. */
#define NV_ERR_GENERIC		      0xffff
#define NV_OK			      0x00
#define NV_ERR_INSERT_DUPLICATE_NAME  0x19
#define NV_ERR_INSUFFICIENT_RESOURCES 0x1a
#define NV_ERR_INVALID_ADDRESS	      0x1e
#define NV_ERR_INVALID_ARGUMENT	      0x1f
#define NV_ERR_INVALID_CLASS	      0x22
#define NV_ERR_INVALID_CLIENT	      0x23
#define NV_ERR_INVALID_DATA	      0x25
#define NV_ERR_INVALID_FUNCTION	      0x2a
#define NV_ERR_INVALID_OBJECT_HANDLE  0x33
#define NV_ERR_INVALID_OBJECT_PARENT  0x36
#define NV_ERR_INVALID_PARAM_STRUCT   0x3a
#define NV_ERR_INVALID_STATE	      0x40
#define NV_ERR_NOT_SUPPORTED	      0x56
#define NV_ERR_VERSION_MISMATCH	      0x6a /* LIB_RM_VERSION_MISMATCH */
#define NV_ERR_OBJECT_NOT_FOUND	      0x57

#endif
