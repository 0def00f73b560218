// SPDX-License-Identifier: GPL-2.0-or-later
/* A falcon: reset, signed microcode, and the switch to its RISC-V core. */
#include "falcon.h"

#include <linux/bitops.h>
#include <linux/delay.h>
#include <linux/iopoll.h>

#include "hw.h"
#include "regs.h"

#define POLL_US	       20
#define RESET_READY_US 150 /* it may never say so, and be well */
#define RESET_US       10
#define SCRUBBING_US   20000
#define CORE_SWITCH_US 10000
#define DMA_US	       100000
#define ACTIVE_US      100000
#define RUN_US	       4000000
#define BLOCK_BYTES    256
#define DMA_HIGH_BITS  0x1ff

u32 vgpu_falcon_read(struct vgpu_falcon *falcon, u32 offset)
{
	return vgpu_hw_read(falcon->hw, falcon->base + offset);
}

void vgpu_falcon_write(struct vgpu_falcon *falcon, u32 offset, u32 value)
{
	vgpu_hw_write(falcon->hw, falcon->base + offset, value);
}

static void falcon_modify(struct vgpu_falcon *falcon, u32 offset, u32 mask,
			  u32 value)
{
	u32 old = vgpu_falcon_read(falcon, offset);

	vgpu_falcon_write(falcon, offset, (old & ~mask) | value);
}

/* Wait until the bits of @mask are @value. */
static int falcon_wait_bits(struct vgpu_falcon *falcon, u32 offset, u32 mask,
			    u32 value, u32 timeout_us)
{
	u32 seen;

	return read_poll_timeout(vgpu_falcon_read, seen, (seen & mask) == value,
				 POLL_US, timeout_us, false, falcon, offset);
}

int vgpu_falcon_fuse_version(struct vgpu_falcon *falcon, u32 ucode_id,
			     u32 *ret_version)
{
	if (ucode_id == 0 || ucode_id > REG_FUSE_COUNT)
		return -EINVAL;
	/* One more bit is blown for each version. */
	*ret_version =
		fls(vgpu_hw_read(falcon->hw, falcon->fuses + 4 * (ucode_id - 1)));
	return 0;
}

static int falcon_reset_engine(struct vgpu_falcon *falcon)
{
	falcon_wait_bits(falcon, FALCON_HWCFG2, FALCON_HWCFG2_RESET_READY,
			 FALCON_HWCFG2_RESET_READY, RESET_READY_US);
	falcon_modify(falcon, FALCON_ENGINE, FALCON_ENGINE_RESET,
		      FALCON_ENGINE_RESET);
	udelay(RESET_US);
	falcon_modify(falcon, FALCON_ENGINE, FALCON_ENGINE_RESET, 0);
	return falcon_wait_bits(falcon, FALCON_HWCFG2, FALCON_HWCFG2_SCRUBBING,
				0, SCRUBBING_US);
}

int vgpu_falcon_reset(struct vgpu_falcon *falcon)
{
	int rc = falcon_reset_engine(falcon);

	if (rc)
		return rc;
	if (vgpu_falcon_read(falcon, RISCV_BCR) & RISCV_BCR_IS_RISCV) {
		vgpu_falcon_write(falcon, RISCV_BCR, 0);
		rc = falcon_wait_bits(falcon, RISCV_BCR, RISCV_BCR_VALID,
				      RISCV_BCR_VALID, CORE_SWITCH_US);
		if (rc)
			return rc;
	}
	vgpu_falcon_write(falcon, FALCON_RM,
			  vgpu_hw_read(falcon->hw, VGPU_BOOT_0));
	return 0;
}

int vgpu_falcon_reset_for_dma(struct vgpu_falcon *falcon)
{
	int rc = vgpu_falcon_reset(falcon);

	if (rc)
		return rc;
	falcon_modify(falcon, FALCON_FBIF_CTL, FALCON_FBIF_CTL_ALLOW_NO_CTX,
		      FALCON_FBIF_CTL_ALLOW_NO_CTX);
	vgpu_falcon_write(falcon, FALCON_DMACTL, 0);
	return 0;
}

int vgpu_falcon_reset_into_riscv(struct vgpu_falcon *falcon)
{
	int rc = falcon_reset_engine(falcon);

	if (rc)
		return rc;
	vgpu_falcon_write(falcon, RISCV_BCR,
			  RISCV_BCR_IS_RISCV | RISCV_BCR_VALID | RISCV_BCR_FETCH);
	return 0;
}

int vgpu_falcon_wait_riscv_active(struct vgpu_falcon *falcon)
{
	return falcon_wait_bits(falcon, RISCV_CPUCTL, RISCV_CPUCTL_ACTIVE,
				RISCV_CPUCTL_ACTIVE, ACTIVE_US);
}

bool vgpu_falcon_is_riscv_halted(struct vgpu_falcon *falcon)
{
	return vgpu_falcon_read(falcon, RISCV_CPUCTL) & RISCV_CPUCTL_HALTED;
}

/*
 * Load @bytes, in blocks, to @to of the falcon's memory. Offset @from is told
 * beside the base @address, for it becomes the tag of a block of code.
 */
static int falcon_load_section(struct vgpu_falcon *falcon, u64 address,
			       u32 from, u32 to, u32 bytes, u32 command)
{
	u32 at;
	int rc;

	rc = falcon_wait_bits(falcon, FALCON_DMA_COMMAND, FALCON_DMA_FULL, 0,
			      DMA_US);
	if (rc)
		return rc;
	vgpu_falcon_write(falcon, FALCON_DMA_BASE, (u32)(address >> 8));
	vgpu_falcon_write(falcon, FALCON_DMA_BASE_HIGH,
			  (u32)(address >> 40) & DMA_HIGH_BITS);
	for (at = 0; at < bytes; at += BLOCK_BYTES) {
		rc = falcon_wait_bits(falcon, FALCON_DMA_COMMAND,
				      FALCON_DMA_FULL, 0, DMA_US);
		if (rc)
			return rc;
		vgpu_falcon_write(falcon, FALCON_DMA_TO, to + at);
		vgpu_falcon_write(falcon, FALCON_DMA_FROM, from + at);
		vgpu_falcon_write(falcon, FALCON_DMA_COMMAND,
				  command | FALCON_DMA_256_BYTES);
	}
	return falcon_wait_bits(falcon, FALCON_DMA_COMMAND, FALCON_DMA_IDLE,
				FALCON_DMA_IDLE, DMA_US);
}

static int falcon_load_image(struct vgpu_falcon *falcon,
			     const struct vgpu_falcon_image *image, u64 copy)
{
	int rc;

	falcon_modify(falcon, FALCON_FBIF_CONFIG, FALCON_FBIF_CONFIG_MASK,
		      FALCON_FBIF_SYSMEM_PHYSICAL);
	rc = falcon_load_section(
		falcon, copy + image->code_offset - image->code_virtual,
		image->code_virtual, image->code_physical, image->code_bytes,
		FALCON_DMA_CODE | FALCON_DMA_SECURE);
	if (rc)
		return rc;
	return falcon_load_section(falcon, copy + image->data_offset, 0,
				   image->data_physical, image->data_bytes, 0);
}

void vgpu_falcon_start(struct vgpu_falcon *falcon)
{
	u32 cpuctl = vgpu_falcon_read(falcon, FALCON_CPUCTL);

	vgpu_falcon_write(falcon,
			  cpuctl & FALCON_CPUCTL_HAS_ALIAS ? FALCON_CPUCTL_ALIAS
							   : FALCON_CPUCTL,
			  FALCON_CPUCTL_START);
}

int vgpu_falcon_wait_halted(struct vgpu_falcon *falcon)
{
	return falcon_wait_bits(falcon, FALCON_CPUCTL, FALCON_CPUCTL_HALTED,
				FALCON_CPUCTL_HALTED, RUN_US);
}

int vgpu_falcon_run(struct vgpu_falcon *falcon,
		    const struct vgpu_falcon_image *image, u64 copy,
		    u32 mailbox[2])
{
	int rc = vgpu_falcon_reset_for_dma(falcon);

	if (rc == 0)
		rc = falcon_load_image(falcon, image, copy);
	if (rc)
		return rc;
	/* Its boot ROM checks the signature with these. */
	vgpu_falcon_write(falcon, FALCON_BROM_SIGNATURE, image->signature_offset);
	vgpu_falcon_write(falcon, FALCON_BROM_ENGINES, image->engine_mask);
	vgpu_falcon_write(falcon, FALCON_BROM_UCODE_ID, image->ucode_id);
	vgpu_falcon_write(falcon, FALCON_BROM_ALGORITHM, FALCON_BROM_RSA3K);
	vgpu_falcon_write(falcon, FALCON_BOOT_VECTOR, image->code_virtual);
	vgpu_falcon_write(falcon, FALCON_MAILBOX_0, mailbox[0]);
	vgpu_falcon_write(falcon, FALCON_MAILBOX_1, mailbox[1]);
	vgpu_falcon_start(falcon);
	rc = vgpu_falcon_wait_halted(falcon);
	mailbox[0] = vgpu_falcon_read(falcon, FALCON_MAILBOX_0);
	mailbox[1] = vgpu_falcon_read(falcon, FALCON_MAILBOX_1);
	return rc;
}
