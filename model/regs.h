/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * BAR0 of an AD102, as far as the model knows it. Behind each block is where
 * its numbers stand: OGK is NVIDIA/open-gpu-kernel-modules at tag 570.144, there
 * src/common/inc/swref/published/; nvkm is Linux drivers/gpu/drm/nouveau/nvkm/.
 */
#ifndef VGPU_MODEL_REGS_H
#define VGPU_MODEL_REGS_H

#define BIT_RANGE(value, high, low)                                            \
	(((value) >> (low)) & (uint32_t)((1ull << ((high) - (low) + 1)) - 1))

/* PMC, the chip's name: OGK turing/tu102/dev_boot.h, nvkm engine/device/base.c. */
#define PMC_BOOT_0	  0x000000
#define PMC_BOOT_0_AD102  0x192000a1
#define PMC_BOOT_1	  0x000004
#define PMC_BOOT_42	  0x000a00
#define PMC_BOOT_42_AD102 0x192a1000
#define PMC_ENABLE	  0x000200
#define PMC_DEVICE_ENABLE 0x000600

/* PBUS: OGK ada/ad102/dev_bus.h; the window on VRAM: nvkm subdev/instmem/nv50.c. */
#define PBUS_SW_SCRATCH		 0x001400
#define PBUS_SW_SCRATCH_COUNT	 64
#define PBUS_BAR0_WINDOW	 0x001700
#define PBUS_BAR0_WINDOW_BASE(v) ((uint64_t)((v) & 0xffffff) << 16)
#define PBUS_BAR1_BLOCK		 0x001704
#define SCRATCH_FWSEC_FRTS                                                     \
	0x0e		      /* error in 31:16, OGK kernel_gsp_frts_tu102.c */
#define SCRATCH_FWSEC_SB 0x15 /* error in 15:0 */

/* PTIMER: OGK turing/tu102/dev_timer.h. */
#define PTIMER_INTR_EN 0x009140
#define PTIMER_TIME_0  0x009400
#define PTIMER_TIME_1  0x009410

/* Where the GPU's writes to system memory are flushed: nvkm subdev/fb/gf100.c. */
#define PFB_FLUSH_SYSMEM_ADDR 0x100c10

/* Writes to VRAM settle: nvkm subdev/bar/g84.c. */
#define PFLUSH_SYSMEMBAR 0x070000

/* PCI configuration mirrored: OGK turing/tu102/dev_nv_xve.h, nvkm subdev/pci/. */
#define XVE_BASE      0x088000
#define XVE_SIZE      0x001000
#define XVE_ROM_CTRL  0x000050
#define XVE_MSI_REARM 0x000704

/* Straps and fuses: nvkm engine/device/base.c, devinit/ga100.c, gsp/ga102.c. */
#define PSTRAPS_BOOT_0	      0x101000
#define PSTRAPS_CRYSTAL_27MHZ 0x00400000
#define FUSE_DISPLAY	      0x820c04
#define FUSE_DISPLAY_DISABLED 0x00000001
#define FUSE_UCODE_SEC2	      0x824140 /* [ucode id - 1] */
#define FUSE_UCODE_NVDEC      0x824100 /* [ucode id - 1] */
#define FUSE_UCODE_GSP	      0x8241c0 /* [ucode id - 1] */
#define FUSE_UCODE_COUNT      16

/* WPR2 and the reach of the MMU: OGK turing/tu102/dev_fb.h. */
#define PFB_MMU_LOCK_PLM     0x1fa7c8
#define PFB_MMU_WPR2_ADDR_LO 0x1fa824
#define PFB_MMU_WPR2_ADDR_HI 0x1fa828
#define PFB_WPR_VAL(addr)    ((uint32_t)((addr) >> 12) << 4)
#define PFB_WPR_ADDR(val)    ((uint64_t)((val) >> 4) << 12)

/* Always-on scratch: OGK turing/tu102/dev_gc6_island.h, ad102's; fb/ga102.c. */
#define PGC6_SECURE_SCRATCH_14	       0x1180f8
#define PGC6_SECURE_SCRATCH_14_HANDOFF (1u << 26)
#define PGC6_SECURE_SCRATCH_15	       0x1180fc
#define PGC6_SCRUBBER_HANDOFF_DONE     (3u << 29)
#define PGC6_GROUP_05_PLM	       0x118128
#define PGC6_GROUP_05_PLM_READ_LEVEL0  0x00000001
#define PGC6_GROUP_05_0		       0x118234
#define PGC6_GFW_BOOT_COMPLETED	       0x000000ff
#define PGC6_USABLE_FB_SIZE_MIB	       0x1183a4

/* The board's ROM, and 1 MiB of VRAM seen through the window above. */
#define PROM_BASE   0x300000
#define PROM_SIZE   0x100000
#define PRAMIN_BASE 0x700000
#define PRAMIN_SIZE 0x100000

/*
 * What each VF has from 0 of its BAR0, and the PF at this place: OGK
 * turing/tu102/dev_vm.h; the scratch registers: ampere/ga102/dev_vm.h.
 */
#define VF_PRIV_BASE		    0xb80000
#define VF_PRIV_SIZE		    0x040000
#define VF_BAR1_BLOCK		    0x000f40
#define VF_BAR2_BLOCK		    0x000f48
#define VF_BIND_STATUS		    0x000f50
#define VF_INTR_LEAF		    0x001000
#define VF_INTR_LEAF_EN_SET	    0x001200
#define VF_INTR_LEAF_EN_CLEAR	    0x001400
#define VF_INTR_LEAF_COUNT	    8
#define VF_INTR_TOP		    0x001600
#define VF_INTR_TOP_EN_SET	    0x001608
#define VF_INTR_TOP_EN_CLEAR	    0x001610
#define VF_INTR_LEAF_TRIGGER	    0x001640
#define VF_SCRATCH		    0x002100
#define VF_DOORBELL		    0x002200
#define VF_TIMER		    0x002300
#define VF_MMU_FAULT_BUFFER	    0x003000
#define VF_MMU_FAULT_BUFFER_END	    0x003098
#define VF_MMU_INVALIDATE_PDB	    0x0030a0
#define VF_MMU_INVALIDATE_UPPER_PDB 0x0030a4
#define VF_MMU_INVALIDATE	    0x0030b0
#define VF_MMU_INVALIDATE_TRIGGER   (1u << 31)
#define VF_USER_TIME_0		    0x030080
#define VF_USER_TIME_1		    0x030084
#define VF_USER_DOORBELL	    0x030090

/*
 * A falcon's page, and the second one with its boot ROM and RISC-V core: OGK
 * ampere/ga102/dev_falcon_v4.h, dev_falcon_second_pri.h, dev_riscv_pri.h,
 * dev_fbif_v4.h, dev_gsp.h, dev_sec_pri.h.
 */
#define PGSP_BASE		   0x110000
#define PSEC_BASE		   0x840000
#define FALCON_SIZE		   0x2000
#define FALCON2			   0x1000
#define FALCON_IRQSCLR		   0x004
#define FALCON_IRQSTAT		   0x008
#define FALCON_IRQMSET		   0x010
#define FALCON_IRQMCLR		   0x014
#define FALCON_IRQMASK		   0x018
#define FALCON_IRQDEST		   0x01c
#define FALCON_IRQ_HALT		   (1u << 4)
#define FALCON_IRQ_SWGEN0	   (1u << 6)
#define FALCON_MAILBOX0		   0x040
#define FALCON_MAILBOX1		   0x044
#define FALCON_ITFEN		   0x048
#define FALCON_OS		   0x080
#define FALCON_RM		   0x084
#define FALCON_DEBUGINFO	   0x094
#define FALCON_HWCFG2		   0x0f4
#define FALCON_HWCFG2_RISCV	   (1u << 10)
#define FALCON_HWCFG2_RESET_READY  (1u << 31)
#define FALCON_CPUCTL		   0x100
#define FALCON_CPUCTL_STARTCPU	   (1u << 1)
#define FALCON_CPUCTL_HALTED	   (1u << 4)
#define FALCON_CPUCTL_ALIAS_EN	   (1u << 6)
#define FALCON_BOOTVEC		   0x104
#define FALCON_HWCFG		   0x108
#define FALCON_DMACTL		   0x10c
#define FALCON_DMATRFBASE	   0x110
#define FALCON_DMATRFMOFFS	   0x114
#define FALCON_DMATRFCMD	   0x118
#define FALCON_DMATRFCMD_IDLE	   (1u << 1)
#define FALCON_DMATRFCMD_IMEM	   (1u << 4)
#define FALCON_DMATRFCMD_WRITE	   (1u << 5)
#define FALCON_DMATRFFBOFFS	   0x11c
#define FALCON_DMATRFBASE1	   0x128
#define FALCON_HWCFG1		   0x12c
#define FALCON_CPUCTL_ALIAS	   0x130
#define FALCON_ENGINE		   0x3c0
#define FALCON_ENGINE_RESET	   (1u << 0)
#define FALCON_INTR_RETRIGGER	   0x3e8
#define FALCON_FBIF_TRANSCFG	   0x600
#define FALCON_FBIF_TRANSCFG_COUNT 8
#define FBIF_TRANSCFG_TARGET(v)	   ((v) & 3)
#define FBIF_TARGET_LOCAL_FB	   0
#define FBIF_TRANSCFG_PHYSICAL	   (1u << 2)
#define FALCON_FBIF_CTL		   0x624
#define FALCON_FBIF_CTL_ALLOW_PHYS (1u << 7)
#define FALCON_MAILBOX		   0x804
#define FALCON_QUEUE_HEAD	   0xc00
#define FALCON_QUEUE_COUNT	   8
#define FALCON2_MOD_SEL		   0x1180
#define FALCON2_MOD_SEL_RSA3K	   1
#define FALCON2_BROM_UCODE_ID	   0x1198
#define FALCON2_BROM_ENGIDMASK	   0x119c
#define FALCON2_BROM_PARAADDR	   0x1210
#define RISCV_CPUCTL		   0x1388
#define RISCV_CPUCTL_HALTED	   (1u << 4)
#define RISCV_CPUCTL_ACTIVE	   (1u << 7)
#define RISCV_IRQMASK		   0x1528
#define RISCV_IRQDEST		   0x152c
#define RISCV_BCR_CTRL		   0x1668
#define RISCV_BCR_VALID		   (1u << 0)
#define RISCV_BCR_CORE_RISCV	   (1u << 4)
#define RISCV_BCR_BRFETCH	   (1u << 8)

/* BROM_ENGIDMASK says for whom code is signed: nvkm falcon/ga100.c. */
#define ENGINE_ID_SEC2 0x0001
#define ENGINE_ID_GSP  0x0400

#endif
