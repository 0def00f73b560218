// SPDX-License-Identifier: GPL-2.0-or-later
/* Runs the register programs that the GSP's firmware sends while it comes up. */
#include <linux/delay.h>
#include <linux/iopoll.h>
#include <linux/jiffies.h>

#include "gsp.h"
#include "kernel/core/hw/regs.h"
#include "kernel/core/pure/sequencer.h"

#define POLL_US	  20
#define RUN_MS	  10000 /* of a whole program */
#define ACTIVE_US 100000
#define RELOAD_US 4000000

static int sequencer_poll_register(struct vgpu_hw *hw,
				   const struct vgpu_sequencer_step *step)
{
	u32 seen;

	return read_poll_timeout(vgpu_hw_read, seen,
				 (seen & step->mask) == step->value, POLL_US,
				 step->us, false, hw, step->address);
}

/* The firmware stopped its core; SEC2 was left ready to start it again. */
static int sequencer_resume_core(struct vgpu_gsp *gsp)
{
	struct vgpu_hw *hw = gsp->hw;
	u32 seen, said;
	int rc;

	rc = vgpu_gsp_reset_core(gsp);
	if (rc)
		return rc;
	vgpu_falcon_start(&hw->sec2_falcon);
	rc = read_poll_timeout(vgpu_hw_read, seen,
			       seen & REG_RELOAD_HANDOFF_DONE, POLL_US,
			       RELOAD_US, false, hw, REG_RELOAD_HANDOFF);
	said = vgpu_falcon_read(&hw->sec2_falcon, FALCON_MAILBOX_0);
	if (rc || said) {
		pci_err(hw->pdev,
			"SEC2 did not resume the GSP: %d, it says %#x\n", rc,
			said);
		return rc ? rc : -EIO;
	}
	vgpu_falcon_write(&hw->gsp_falcon, FALCON_OS, gsp->app_version);
	return vgpu_falcon_wait_riscv_active(&hw->gsp_falcon);
}

static int sequencer_run_step(struct vgpu_gsp *gsp,
			      const struct vgpu_sequencer_step *step)
{
	struct vgpu_hw *hw = gsp->hw;
	u32 value;

	switch (step->op) {
	case VGPU_SEQUENCER_WRITE:
		vgpu_hw_write(hw, step->address, step->value);
		return 0;
	case VGPU_SEQUENCER_MODIFY:
		value = vgpu_hw_read(hw, step->address) & ~step->mask;
		vgpu_hw_write(hw, step->address, value | step->value);
		return 0;
	case VGPU_SEQUENCER_POLL:
		return sequencer_poll_register(hw, step);
	case VGPU_SEQUENCER_DELAY:
		fsleep(step->us);
		return 0;
	case VGPU_SEQUENCER_STORE:
		/* It is stored for later steps; there are none that read it. */
		vgpu_hw_read(hw, step->address);
		return 0;
	case VGPU_SEQUENCER_CORE_RESET:
		return vgpu_falcon_reset_for_dma(&hw->gsp_falcon);
	case VGPU_SEQUENCER_CORE_START:
		vgpu_falcon_start(&hw->gsp_falcon);
		return 0;
	case VGPU_SEQUENCER_CORE_WAIT_HALT:
		return vgpu_falcon_wait_halted(&hw->gsp_falcon);
	case VGPU_SEQUENCER_CORE_RESUME:
		return sequencer_resume_core(gsp);
	default:
		return -EINVAL;
	}
}

int vgpu_gsp_run_sequencer(struct vgpu_gsp *gsp, const u8 *payload, u32 bytes)
{
	unsigned long deadline = jiffies + msecs_to_jiffies(RUN_MS);
	struct vgpu_hw *hw = gsp->hw;
	struct vgpu_sequencer sequencer;
	struct vgpu_sequencer_step step;
	u32 steps = 0;
	int rc;

	rc = vgpu_sequencer_init(&sequencer, payload, bytes,
				 pci_resource_len(hw->pdev, 0));
	while (rc == 0) {
		rc = vgpu_sequencer_next(&sequencer, &step);
		if (rc == 0)
			rc = sequencer_run_step(gsp, &step);
		if (rc == 0 && time_after(jiffies, deadline))
			rc = -ETIMEDOUT;
		steps++;
	}
	if (rc == -ENOENT)
		return 0;
	pci_err(hw->pdev, "step %u of a register program failed: %d\n", steps,
		rc);
	return rc;
}
