/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The core driver's objects in the firmware's resource manager (RM). */
#ifndef VGPU_KERNEL_CORE_RM_RM_H
#define VGPU_KERNEL_CORE_RM_RM_H

#include "kernel/core/gsp/gsp.h"
#include "pf.h"

/*
 * The handles of its objects. Any numbers will do that the firmware has not
 * taken for its own ones.
 */
enum vgpu_rm_handle {
	VGPU_RM_CLIENT = 0xc0de0001,
	VGPU_RM_DEVICE,
	VGPU_RM_SUBDEVICE,
	VGPU_RM_VASPACE, /* channel.c's, from here on */
	VGPU_RM_CHANNEL,
	VGPU_RM_COPY,
};

/* Make a client, a device and a subdevice, and ask what vGPUs will need. */
int vgpu_rm_start(struct vgpu_gsp *gsp, struct vgpu_properties *ret_properties);
/* Free what was made; of a wedged GSP nothing is asked. */
void vgpu_rm_stop(struct vgpu_gsp *gsp);

/*
 * An object @object of @class under @parent. An error of the RM's is one of
 * vgpu_rm_status_errno(), and logged.
 */
int vgpu_rm_alloc(struct vgpu_gsp *gsp, u32 parent, u32 object, u32 class,
		  const void *params, u32 bytes);
int vgpu_rm_free(struct vgpu_gsp *gsp, u32 object);

/* A control of one of the core driver's objects; the answer replaces @params. */
int vgpu_rm_control_object(struct vgpu_gsp *gsp, u32 object, u32 command,
			   void *params, u32 bytes);
/* A control of the core driver's subdevice; the answer replaces @params. */
int vgpu_rm_control(struct vgpu_gsp *gsp, u32 command, void *params, u32 bytes);
/* The same of the firmware's own subdevice, for what is internal. */
int vgpu_rm_control_internal(struct vgpu_gsp *gsp, u32 command, void *params,
			     u32 bytes);
/*
 * The same. After an error @ret_is_refused tells whether the firmware answered
 * with it, and so has done nothing; it is set only where the firmware has answered.
 */
int vgpu_rm_try_control_internal(struct vgpu_gsp *gsp, u32 command,
				 void *params, u32 bytes, bool *ret_is_refused);

/* Ask again whether the framebuffer's ECC is on. */
int vgpu_rm_read_ecc(struct vgpu_gsp *gsp, bool *ret_is_on);
/* The copy engine that the core driver has its channel for. -ENOENT: none. */
int vgpu_rm_read_copy_engine(struct vgpu_gsp *gsp,
			     struct vgpu_host_engine *ret_engine);
/* How much memory the engine of a channel needs for its methods at a fault. */
int vgpu_rm_read_method_buffer_bytes(struct vgpu_gsp *gsp, u32 *ret_bytes);
/* The vector of the GSP's interrupts. */
int vgpu_rm_read_gsp_vector(struct vgpu_gsp *gsp, u32 *ret_vector);

#endif
