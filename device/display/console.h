/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Heads on the VMM's own display: QEMU's vhost-user-gpu and vhost-user-vga. */
#ifndef VGPU_DEVICE_DISPLAY_CONSOLE_H
#define VGPU_DEVICE_DISPLAY_CONSOLE_H

#include <systemd/sd-event.h>

#include "device/display/viewer.h"

struct vgpu_console;

/* What the VMM's display wants a head to be; 0 x 0: unplugged. */
struct vgpu_console_mode {
	uint32_t width;
	uint32_t height;
};

/* All are required. Neither may destroy the console. */
struct vgpu_console_ops {
	/* Answers all questions so far: a mode for each head. */
	void (*modes)(void *opaque, const struct vgpu_console_mode *mode);
	/*
	 * The VMM closed the socket (@why is NULL) or violated the protocol.
	 * Nothing is sent from now on, and no modes() follow.
	 */
	void (*over)(void *opaque, const char *why);
};

/*
 * Show @heads heads, each from its beginning, on the display behind @socket, a
 * connected stream socket that stays the caller's and outlives the console. The
 * modes are asked for at once.
 * Never waits for it. Returns 0 or -errno.
 */
int vgpu_console_create(sd_event *event, int socket, uint32_t heads,
			const struct vgpu_viewer_source *source,
			const struct vgpu_console_ops *ops, void *opaque,
			struct vgpu_console **ret_console);
void vgpu_console_destroy(struct vgpu_console *console); /* NULL is fine */

/* As of a viewer (device/display/viewer.h). NULL is fine. */
void vgpu_console_damage(struct vgpu_console *console, uint32_t head, uint32_t x,
			 uint32_t y, uint32_t width, uint32_t height);
void vgpu_console_picture_changed(struct vgpu_console *console, uint32_t head);
void vgpu_console_cursor_changed(struct vgpu_console *console, uint32_t head);
void vgpu_console_cursor_moved(struct vgpu_console *console, uint32_t head);

/* False if the console is NULL, or over. */
bool vgpu_console_is_open(const struct vgpu_console *console);
/* Ask the VMM for the modes. False if it is not open. */
bool vgpu_console_ask(struct vgpu_console *console);
/* Whether modes() is still to come. NULL is fine. */
bool vgpu_console_is_asking(const struct vgpu_console *console);

#endif
