/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device's end of the control socket (lib/control_abi.h). */
#ifndef VGPU_DEVICE_CONTROL_H
#define VGPU_DEVICE_CONTROL_H

#include <systemd/sd-event.h>

#include "device/slots.h"
#include "lib/control.h"
#include "lib/err.h"

struct vgpu_link;

/* What the link asks of its owner. All are required. */
struct vgpu_link_ops {
	void (*status)(void *opaque, struct vgpu_control_status *ret_status);
	void (*figures)(void *opaque, struct vgpu_figures *ret_figures);
	/*
	 * CAPTURE, VIEW or SET_MODE. @fd came with it and is taken over; -1 if
	 * none. *ret_fd, preset to -1, goes with the reply and is taken over.
	 */
	void (*request)(void *opaque, const struct vgpu_control_msg *msg, int fd,
			struct vgpu_control_reply *ret_reply, int *ret_fd);
};

/*
 * Read the fds that vgpud sends to a new device, which go into @slots, and the
 * configuration (START), from @socket.
 */
int vgpu_link_begin(int socket, struct vgpu_slots *slots,
		    struct vgpu_control_start *ret_start, struct vgpu_err *err);

/*
 * Serve the manager at @socket, of which this takes ownership, until another
 * one connects to VGPU_SLOT_CONTROL and sends @key. Without that slot the event
 * loop exits when the manager is gone. From here on changes of @slots are
 * announced to the manager. A manager that is slow to read fds is waited for
 * once, briefly; nothing else here waits for it.
 */
int vgpu_link_create(sd_event *event, struct vgpu_slots *slots, int socket,
		     const uint8_t key[VGPU_CONTROL_KEY_BYTES],
		     const struct vgpu_link_ops *ops, void *opaque,
		     struct vgpu_link **ret_link);
void vgpu_link_destroy(struct vgpu_link *link); /* NULL is fine */

/*
 * Send the status, at once or together with changes that follow shortly. NULL
 * is fine.
 */
void vgpu_link_status_now(struct vgpu_link *link);
void vgpu_link_status_soon(struct vgpu_link *link);
/*
 * Report an event. One that cannot be sent is counted in the next one's
 * @suppressed. NULL is fine.
 */
void vgpu_link_event(struct vgpu_link *link, uint32_t kind, uint32_t suppressed,
		     const char *text);

#endif
