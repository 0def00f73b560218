/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Registers in BAR0 of an Ada GPU, as NVIDIA's public headers name them. */
#ifndef VGPU_KERNEL_CORE_HW_REGS_H
#define VGPU_KERNEL_CORE_HW_REGS_H

/* NV_PGC6: what the GPU's own boot firmware says, and the scrubber. */
#define REG_RELOAD_HANDOFF	   0x1180f8 /* SECURE_SCRATCH_14 */
#define REG_RELOAD_HANDOFF_DONE	   0x04000000
#define REG_SCRUBBER_HANDOFF	   0x1180fc /* SECURE_SCRATCH_15 */
#define REG_SCRUBBER_HANDOFF_SHIFT 29
#define REG_SCRUBBER_HANDOFF_DONE  3
#define REG_GFW_BOOT_MASK	   0x118128 /* who may read the next one */
#define REG_GFW_BOOT_MASK_READ	   0x1
#define REG_GFW_BOOT		   0x118234
#define REG_GFW_BOOT_PROGRESS	   0xff
#define REG_GFW_BOOT_DONE	   0xff
#define REG_USABLE_FB_MIB	   0x1183a4

/* NV_PBUS_VBIOS_SCRATCH: what FWSEC says of its commands. */
#define REG_FRTS_ERROR	     0x001438 /* scratch 0x0e */
#define REG_FRTS_ERROR_SHIFT 16
#define REG_SB_ERROR	     0x001454 /* scratch 0x15 */
#define REG_SB_ERROR_MASK    0xffff

/* NV_PBUS_BAR0_WINDOW: the framebuffer that PRAMIN shows, of 64 KiB units. */
#define REG_BAR0_WINDOW	      0x001700
#define REG_BAR0_WINDOW_SHIFT 16
#define REG_PRAMIN	      0x700000
#define REG_PRAMIN_BYTES      0x100000

/* NV_PFB_PRI_MMU_WPR2: its bounds, in units of 4 KiB from bit 4 on. */
#define REG_WPR2_LOW	    0x1fa824
#define REG_WPR2_HIGH	    0x1fa828
#define REG_WPR2_SHIFT	    4
#define REG_WPR2_UNIT_SHIFT 12

/* NV_VIRTUAL_FUNCTION_PRIV_CPU_INTR: leaves of 32 vectors, a bit for two. */
#define REG_INTR_VECTORS	  256
#define REG_INTR_LEAF(v)	  (0xb81000 + (v) / 32 * 4)
#define REG_INTR_LEAF_EN_SET(v)	  (0xb81200 + (v) / 32 * 4)
#define REG_INTR_LEAF_EN_CLEAR(v) (0xb81400 + (v) / 32 * 4)
#define REG_INTR_LEAF_BIT(v)	  (1u << (v) % 32)
#define REG_INTR_TOP		  0xb81600
#define REG_INTR_TOP_EN_SET	  0xb81608
#define REG_INTR_TOP_EN_CLEAR	  0xb81610
#define REG_INTR_TOP_BIT(v)	  (1u << (v) / 64)

/* NV_VIRTUAL_FUNCTION_PRIV_MMU_INVALIDATE, of the PF. */
#define REG_MMU_INVALIDATE_PDB		   0xb830a0
#define REG_MMU_INVALIDATE_PDB_SHIFT	   8 /* in units of 4 KiB, from bit 4 on */
#define REG_MMU_INVALIDATE_UPPER_PDB	   0xb830a4
#define REG_MMU_INVALIDATE_UPPER_PDB_SHIFT 40
#define REG_MMU_INVALIDATE		   0xb830b0
#define REG_MMU_INVALIDATE_ALL_VA	   0x00000001
#define REG_MMU_INVALIDATE_HUB_ONLY	   0x00000004
#define REG_MMU_INVALIDATE_TRIGGER	   0x80000000

/* NV_VIRTUAL_FUNCTION_DOORBELL, of the PF's channels. */
#define REG_CHANNEL_DOORBELL 0xbb0090

#define REG_DISPLAY_FUSE	  0x820c04
#define REG_DISPLAY_FUSE_DISABLED 0x1
#define REG_VGA_WORKSPACE	  0x625f04
#define REG_VGA_WORKSPACE_VALID	  0x8
#define REG_VGA_WORKSPACE_ADDRESS 0xffffff00 /* in units of 256 * 256 bytes */
#define REG_VGA_WORKSPACE_SHIFT	  8

#define REG_PROM       0x300000
#define REG_PROM_BYTES 0x100000

/* The configuration space as the GPU sees it. */
#define REG_CONFIG_MIRROR	0x088000
#define REG_CONFIG_MIRROR_BYTES 0x001000
#define REG_MSI_REARM		0x088704 /* a write lets the next one out */

/* Falcons: where they are, and the fuses of each one's microcode. */
#define REG_GSP_FALCON	 0x110000
#define REG_SEC2_FALCON	 0x840000
#define REG_GSP_FUSES	 0x8241c0
#define REG_SEC2_FUSES	 0x824140
#define REG_FUSE_COUNT	 16
#define REG_GSP_DOORBELL 0x110c00

/* From a falcon's place on. */
#define FALCON_IRQ_CLEAR	     0x004
#define FALCON_IRQ_STATUS	     0x008
#define FALCON_IRQ_HALT		     0x00000010
#define FALCON_IRQ_MESSAGE	     0x00000040 /* SWGEN0 */
#define FALCON_MAILBOX_0	     0x040
#define FALCON_MAILBOX_1	     0x044
#define FALCON_OS		     0x080
#define FALCON_RM		     0x084
#define FALCON_HWCFG2		     0x0f4
#define FALCON_HWCFG2_SCRUBBING	     0x00001000
#define FALCON_HWCFG2_RESET_READY    0x80000000
#define FALCON_CPUCTL		     0x100
#define FALCON_CPUCTL_START	     0x02
#define FALCON_CPUCTL_HALTED	     0x10
#define FALCON_CPUCTL_HAS_ALIAS	     0x40
#define FALCON_BOOT_VECTOR	     0x104
#define FALCON_DMACTL		     0x10c
#define FALCON_DMA_BASE		     0x110
#define FALCON_DMA_TO		     0x114
#define FALCON_DMA_COMMAND	     0x118
#define FALCON_DMA_FULL		     0x001
#define FALCON_DMA_IDLE		     0x002
#define FALCON_DMA_SECURE	     0x004
#define FALCON_DMA_CODE		     0x010
#define FALCON_DMA_256_BYTES	     0x600
#define FALCON_DMA_FROM		     0x11c
#define FALCON_DMA_BASE_HIGH	     0x128
#define FALCON_CPUCTL_ALIAS	     0x130
#define FALCON_ENGINE		     0x3c0
#define FALCON_ENGINE_RESET	     0x1
#define FALCON_IRQ_RETRIGGER	     0x3e8
#define FALCON_FBIF_CONFIG	     0x600
#define FALCON_FBIF_CONFIG_MASK	     0x7
#define FALCON_FBIF_SYSMEM_PHYSICAL  0x5
#define FALCON_FBIF_CTL		     0x624
#define FALCON_FBIF_CTL_ALLOW_NO_CTX 0x80
#define FALCON_BROM_ALGORITHM	     0x1180
#define FALCON_BROM_RSA3K	     1
#define FALCON_BROM_UCODE_ID	     0x1198
#define FALCON_BROM_ENGINES	     0x119c
#define FALCON_BROM_SIGNATURE	     0x1210
#define RISCV_CPUCTL		     0x1388
#define RISCV_CPUCTL_HALTED	     0x10
#define RISCV_CPUCTL_ACTIVE	     0x80
#define RISCV_IRQ_MASK		     0x1528 /* which reach the CPU */
#define RISCV_BCR		     0x1668
#define RISCV_BCR_VALID		     0x001
#define RISCV_BCR_IS_RISCV	     0x010
#define RISCV_BCR_FETCH		     0x100

#endif
