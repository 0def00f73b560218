/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GSP: what its files share. */
#ifndef VGPU_KERNEL_CORE_GSP_GSP_H
#define VGPU_KERNEL_CORE_GSP_GSP_H

#include <linux/list.h>
#include <linux/mutex.h>

#include "kernel/core/abi/abi.h"
#include "kernel/core/hw/memory.h"
#include "kernel/core/pure/fwfile.h"
#include "kernel/core/pure/msgq.h"
#include "kernel/core/pure/wpr.h"

#define VGPU_GSP_LOGS	     3
#define VGPU_GSP_QUEUE_BYTES 0x40000
#define VGPU_GSP_LOG_BYTES   0x10000

struct vgpu_gsp;

/*
 * What the GSP tells whoever booted it. All are required; the first two are
 * called with gsp->lock held, and may sleep.
 */
struct vgpu_gsp_ops {
	/* Nothing more is sent. Called once; @why is a static text. */
	void (*on_wedged)(struct vgpu_gsp *gsp, const char *why);
	/* An event of the firmware's. False: nobody has subscribed to it. */
	bool (*on_event)(struct vgpu_gsp *gsp, u32 event, const u8 *payload,
			 u32 bytes);
	/* Whether someone is about to reset or unload it: end long waits. */
	bool (*is_to_stop)(struct vgpu_gsp *gsp);
};

struct vgpu_gsp {
	struct vgpu_hw *hw;
	const struct vgpu_abi *abi;
	const struct vgpu_gsp_ops *ops;
	void *owner; /* of @ops */

	struct vgpu_radix3 firmware;
	struct vgpu_dma signature;
	struct vgpu_dma bootloader;
	struct vgpu_dma booter_load;
	struct vgpu_dma booter_unload;
	struct vgpu_dma scrubber;
	struct vgpu_booter load_image; /* without what it points to */
	struct vgpu_booter unload_image;
	struct vgpu_booter scrubber_image;
	struct vgpu_wpr_images images;
	struct vgpu_wpr_layout layout;
	u32 app_version;

	struct vgpu_dma fwsec;
	struct vgpu_dma wpr_meta;
	struct vgpu_dma libos;
	struct vgpu_dma logs[VGPU_GSP_LOGS];
	struct vgpu_dma rm_args;
	struct vgpu_dma queues;
	struct vgpu_static_info info; /* once it has booted; so are the next two */
	u32 boot_driver_ms;
	u32 boot_firmware_ms;
	bool has_interrupts; /* interrupt.c: they are enabled */
	u32 vector;	     /* of the GPU's tree of interrupts */

	/* One message is sent at a time, in all its records; before the next one. */
	struct mutex send_lock;
	u8 *record; /* which is sent; under send_lock */

	/*
	 * Protects what follows. A caller gives it up between looks for its
	 * reply, so that several calls may be on their way.
	 */
	struct mutex lock;
	struct list_head calls; /* that wait for their replies; rpc.c */
	struct vgpu_msgq_sender sender;
	struct vgpu_msgq_receiver receiver;
	bool is_linked;
	bool is_up;	/* everybody may call it */
	bool is_wedged; /* nothing more is sent; never false again */
	u32 sequence;
	u8 *message; /* which is received */
};

extern const char *const vgpu_gsp_log_names[VGPU_GSP_LOGS];

/* gsp.c: reset its core, ready to be started with the boot arguments. */
int vgpu_gsp_reset_core(struct vgpu_gsp *gsp);

/* args.c: what it is given before it starts. */
int vgpu_gsp_make_layout(struct vgpu_gsp *gsp, bool is_vgpu);
int vgpu_gsp_make_arguments(struct vgpu_gsp *gsp);
void vgpu_gsp_put_rm_args(struct vgpu_gsp *gsp, bool is_resume);
int vgpu_gsp_post_system_info(struct vgpu_gsp *gsp,
			      const struct vgpu_vf_info *vfs);

/* gsp.c: where WPR2 begins, 0 where there is none. */
u64 vgpu_gsp_wpr2_start(struct vgpu_hw *hw);

/* gsp.c: have Booter make WPR2 of what the metadata say, and start the GSP. */
int vgpu_gsp_start_riscv(struct vgpu_gsp *gsp, u64 meta_address);

/*
 * gsp.c: load the firmware and boot it, until it says that it is up. What it
 * fails with may leave WPR2 standing; vgpu_gsp_destroy() is the caller's.
 */
int vgpu_gsp_boot(struct vgpu_gsp *gsp, const struct vgpu_vf_info *vfs);

/* gsp.c: have the firmware end by itself. */
int vgpu_gsp_unload(struct vgpu_gsp *gsp, bool is_sleep);

/*
 * gsp.c: take WPR2 down again, whether the firmware came up in it or not; what
 * is in it is saved as the metadata of a sleep say, where there are any.
 */
#define VGPU_GSP_NO_META 0xff000000ffULL
void vgpu_gsp_take_down(struct vgpu_gsp *gsp, u64 meta_address);

void vgpu_gsp_destroy(struct vgpu_gsp *gsp);

/* sequencer.c: run what an event of the firmware asks for. */
int vgpu_gsp_run_sequencer(struct vgpu_gsp *gsp, const u8 *payload, u32 bytes);

/* files.c: the firmware files, copied to where the GPU reads them. */
int vgpu_gsp_load_files(struct vgpu_gsp *gsp);
void vgpu_gsp_drop_files(struct vgpu_gsp *gsp);

/* rpc.c: the queues, and calls through them. */
int vgpu_gsp_rpc_init(struct vgpu_gsp *gsp);
void vgpu_gsp_rpc_finish(struct vgpu_gsp *gsp);

/* Send, and wait for nothing. */
int vgpu_gsp_post(struct vgpu_gsp *gsp, u32 function, const void *payload,
		  u32 bytes);

/*
 * Send, and wait 5 s at most for the reply, which takes the place of the
 * payload; others may call meanwhile. -EREMOTEIO: the firmware says that it
 * failed; -EBADMSG: the reply is shorter than the payload; others: the GSP is
 * wedged.
 */
int vgpu_gsp_call(struct vgpu_gsp *gsp, u32 function, void *payload, u32 bytes);

/* Whoever calls the firmware has found it out of order; @why: a text for good. */
void vgpu_gsp_wedge(struct vgpu_gsp *gsp, const char *why);

/* Wait for the firmware to say that it is up. */
int vgpu_gsp_wait_init_done(struct vgpu_gsp *gsp);

/*
 * Take what the firmware has sent, while nobody waits for a reply; and find out
 * whether it crashed.
 */
void vgpu_gsp_take_events(struct vgpu_gsp *gsp);

/* interrupt.c: have its events taken as they come, by gsp->vector. */
int vgpu_gsp_enable_interrupts(struct vgpu_gsp *gsp);
void vgpu_gsp_disable_interrupts(struct vgpu_gsp *gsp);

#endif
