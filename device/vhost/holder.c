/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps a vGPU from others while a VMM that was disconnected still has it
 * mapped.
 */
#include <sys/epoll.h>
#include <sys/socket.h>

#include "device/vhost/internal.h"
#include "lib/peer.h"
#include "lib/util.h"

#ifndef SO_PEERPIDFD /* Linux 6.5 */
#define SO_PEERPIDFD 77
#endif

/*
 * A VMM that violated the protocol was disconnected, but its machine runs on
 * with the framebuffer mapped in its window. Until that process ends no other
 * gets the vGPU, which is shown as attached. Kernels without SO_PEERPIDFD do
 * not report the end: there the vGPU is free at once.
 */

static void let_go(struct vgpu_vhost *vhost)
{
	vhost->holder = sd_event_source_disable_unref(vhost->holder);
	vhost->holder_pid = 0;
}

static int on_end(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	struct vgpu_vhost *vhost = opaque;

	let_go(vhost);
	vhost->events->link_changed(vhost->opaque);
	return 0;
}

void vgpu_vhost_hold(struct vgpu_vhost *vhost)
{
	int connection = vgpu_slots_get(vhost->slots, VGPU_SLOT_FRONTEND);
	int32_t pid = vgpu_peer_pid(connection);
	vgpu_autoclose int fd = -1;
	socklen_t len = sizeof(fd);

	let_go(vhost);
	if (pid <= 0 ||
	    getsockopt(connection, SOL_SOCKET, SO_PEERPIDFD, &fd, &len) < 0)
		return;
	if (sd_event_add_io(vhost->event, &vhost->holder, fd, EPOLLIN, on_end,
			    vhost) < 0)
		return;
	sd_event_source_set_io_fd_own(vhost->holder, true);
	vgpu_steal_fd(&fd);
	vhost->holder_pid = pid;
}

bool vgpu_vhost_is_held_from(struct vgpu_vhost *vhost, int connection)
{
	if (!vhost->holder)
		return false;
	if (vgpu_peer_pid(connection) != vhost->holder_pid)
		return true;
	/* It is the same that comes again. */
	let_go(vhost);
	return false;
}
