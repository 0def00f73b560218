/* SPDX-License-Identifier: GPL-2.0-or-later */
/* VNC servers: a vgpu-vnc process for each head that has one. */
#ifndef VGPU_MANAGER_VGPU_VNC_H
#define VGPU_MANAGER_VGPU_VNC_H

#include "instance.h"

/*
 * vgpu-vnc gets a SOCK_SEQPACKET control socket. It sends "R" when it listens,
 * "F" when it has a picture and takes clients, "O" when a viewer socket ended
 * and it needs another, or "E" and a text before it ends,
 * and "P" and the number of clients that look for each "P" that it gets. For each
 * device process it gets a packet "V" with a viewer socket attached
 * (device/display/viewer_abi.h); it ends when the control socket does.
 */

/*
 * The literal of a loopback address with a port, or unix:PATH of a file
 * NAME.vnc in the vGPU's own folder, or (@is_manager) in the runtime folder:
 * only there are both vgpud and whoever asked for it sure to see the same file.
 */
int vgpu_vnc_check_address(const struct vgpu_paths *paths, const char *uuid,
			   const char *address, bool is_manager,
			   struct vgpu_err *err);

/* Whether viewers can type it: 1 to 8 printable characters of ASCII. */
bool vgpu_vnc_is_password(const char *text);

/*
 * Start, move or (no address) end the server of @head, save that, and answer
 * @caller, at once or later. Fails, with nothing changed and nothing
 * answered, if it cannot begin.
 */
int vgpu_vnc_set(struct vgpu_instance *instance, uint32_t head,
		 const struct vgpu_vnc_setting *setting,
		 const struct vgpu_caller *caller, struct vgpu_err *err);

/* Clients of @head's server, a second old; 0 if it has no server. */
unsigned int vgpu_vnc_clients(const struct vgpu_instance *instance,
			      uint32_t head);
/* Set access again: those who may look have changed. */
void vgpu_vnc_open_again(struct vgpu_instance *instance);
/* A new device process serves: start saved servers, and connect all to it. */
void vgpu_vnc_on_serving(struct vgpu_instance *instance);
/* End all of a vGPU's servers; what is saved stays saved. */
void vgpu_vnc_finish(struct vgpu_instance *instance);
/* Let go of those that are still ending. */
void vgpu_vnc_forget_ending(struct vgpu_manager *manager);

#endif
