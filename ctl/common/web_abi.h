/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between vgpu-web and the vgpuctl that acts for whoever is logged in. */
#ifndef VGPU_CTL_COMMON_WEB_ABI_H
#define VGPU_CTL_COMMON_WEB_ABI_H

#include <assert.h>
#include <stdint.h>

/*
 * vgpu-web has no rights at all. 'vgpuctl console' connects to it, a socket of
 * SOCK_SEQPACKET, and is from then on the agent of one browser's session: it
 * asks the manager, with the rights of whoever started it, and hands over what
 * came: a file of text, a file of a picture, a socket of a VNC server. The
 * session ends with this connection.
 *
 *   agent                        vgpu-web
 *   HELLO: version, head, uuid ->            what the page shows first
 *                              <- LINK       good for one use
 *                              <- OPENED     a browser has used it
 *                              <- LIST, PICTURE or VNC, with an id
 *   ANSWER: the id             ->            an fd, or why there is none
 *
 * Each packet is one message; the fd is attached. Files are memfds that are
 * sealed against writing and shrinking: else vgpu-web takes none.
 */
#define VGPU_WEB_DEFAULT_SOCKET "/run/vgpu-web/agents"
#define VGPU_WEB_VERSION	1
/* Of a file of text, and of a picture. */
#define VGPU_WEB_LIST_BYTES_MAX	   (4 * 1024 * 1024)
#define VGPU_WEB_PICTURE_BYTES_MAX (1024 * 1024)

enum vgpu_web_type {
	VGPU_WEB_HELLO = 1, /* id: VGPU_WEB_VERSION; text: a uuid, or "" */
	VGPU_WEB_LINK,	    /* text: the link */
	VGPU_WEB_OPENED,
	VGPU_WEB_LIST,
	VGPU_WEB_PICTURE, /* text: the uuid; head */
	VGPU_WEB_VNC,	  /* text: the uuid; head */
	VGPU_WEB_ANSWER,  /* text: why there is no fd, or "" */
};

struct vgpu_web_message {
	uint32_t type;
	uint32_t id;
	uint32_t head;
	uint32_t reserved;
	char text[496]; /* with a 0 byte in it */
};
static_assert(sizeof(struct vgpu_web_message) == 512, "on the wire");

#endif
