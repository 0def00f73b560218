/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accepting varlink clients. */
#include "accept.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include "manager/vgpu/access.h"
#include "lib/util.h"
#include "manager/device/listen.h"
#include "methods.h"

/* Limits wake-ups by a connection that cannot be accepted for want of an fd. */
#define ACCEPTS_PER_S 1000

static int on_connect(sd_event_source *source, int fd, uint32_t revents,
		      void *userdata)
{
	vgpu_autoclose int client =
		accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct vgpu_manager *manager = userdata;
	sd_varlink *link;

	/* Whatever is short now: a later connection may succeed. */
	if (client < 0 ||
	    sd_varlink_server_add_connection(manager->server, client, &link) < 0)
		return 0;
	client = -1; /* the link's now */
	if (vgpu_methods_on_connect(link) < 0)
		sd_varlink_close(link);
	return 0;
}

int vgpu_accept_start(struct vgpu_manager *manager)
{
	vgpu_autoclose int fd = -1;
	int r;

	r = vgpu_listen_at(manager->paths.socket, SOCK_STREAM, 0600, SOMAXCONN,
			   &fd);
	if (r >= 0)
		r = sd_event_add_io(manager->event, &manager->accept, fd,
				    EPOLLIN, on_connect, manager);
	if (r < 0)
		return r;
	r = sd_event_source_set_io_fd_own(manager->accept, true);
	if (r < 0)
		return r;
	fd = -1; /* the source's now */
	vgpu_access_open_manager(manager);
	return sd_event_source_set_ratelimit(manager->accept, 1000 * 1000,
					     ACCEPTS_PER_S);
}

void vgpu_accept_stop(struct vgpu_manager *manager)
{
	if (!manager->accept)
		return;
	unlink(manager->paths.socket);
	manager->accept = sd_event_source_disable_unref(manager->accept);
}
