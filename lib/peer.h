/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process at the other end of a unix socket. */
#ifndef VGPU_LIB_PEER_H
#define VGPU_LIB_PEER_H

#include <stdint.h>
#include <sys/socket.h>

/*
 * Who connected @socket, or made the pair that it is of; 0: nobody that this
 * pid namespace shows, or @socket is none.
 */
static inline int32_t vgpu_peer_pid(int socket)
{
	struct ucred peer = {};
	socklen_t bytes = sizeof(peer);

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &peer, &bytes) < 0)
		return 0;
	return peer.pid;
}

#endif
