/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sockets that a service listens on. */
#include "ctl/common/listen.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "ctl/common/number.h"
#include "lib/util.h"

#define UNIX	   "unix:"
#define USEC_PER_S 1000000ULL

int ctl_listen_unix(const char *path, int type, int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd =
		socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (!path[0] || strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	memcpy(address.sun_path, path, strlen(path));
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

/* Nothing here is encrypted, nor asks who is there: this machine alone. */
static int parse_loopback(const char *text, struct sockaddr_in6 *ret6,
			  struct sockaddr_in *ret4)
{
	const char *colon = strrchr(text, ':');
	uint32_t port;

	if (!colon || !ctl_number_parse(colon + 1, &port) || port == 0 ||
	    port > UINT16_MAX)
		return -EINVAL;
	if (strncmp(text, "127.0.0.1:", 10) == 0 && colon == text + 9)
		*ret4 = (struct sockaddr_in){.sin_family = AF_INET,
					     .sin_port = htons((uint16_t)port),
					     .sin_addr.s_addr =
						     htonl(INADDR_LOOPBACK)};
	else if (strncmp(text, "[::1]:", 6) == 0 && colon == text + 5)
		*ret6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
					      .sin6_port = htons((uint16_t)port),
					      .sin6_addr = in6addr_loopback};
	else
		return -EINVAL;
	return 0;
}

static int listen_loopback(const char *text, int *ret_fd)
{
	struct sockaddr_in6 address6 = {};
	struct sockaddr_in address4 = {};
	vgpu_autoclose int fd = -1;
	int r = parse_loopback(text, &address6, &address4);
	const int on = 1;

	if (r < 0)
		return r;
	fd = socket(address4.sin_family ? AF_INET : AF_INET6,
		    SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	r = address4.sin_family
		    ? bind(fd, (struct sockaddr *)&address4, sizeof(address4))
		    : bind(fd, (struct sockaddr *)&address6, sizeof(address6));
	if (r < 0 || listen(fd, SOMAXCONN) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

int ctl_listen_at(const char *address, int *ret_fd)
{
	if (strncmp(address, UNIX, strlen(UNIX)) == 0)
		return ctl_listen_unix(address + strlen(UNIX), SOCK_STREAM,
				       ret_fd);
	return listen_loopback(address, ret_fd);
}

void ctl_listen_remove(const char *address)
{
	if (strncmp(address, UNIX, strlen(UNIX)) == 0)
		unlink(address + strlen(UNIX));
}

int ctl_listen_watch(sd_event *event, int fd, unsigned int accepts_per_s,
		     sd_event_io_handler_t on_connect, void *opaque,
		     sd_event_source **ret_source)
{
	vgpu_autoclose int ours = fd;
	sd_event_source *source = NULL;
	int r;

	r = sd_event_add_io(event, &source, ours, EPOLLIN, on_connect, opaque);
	if (r >= 0)
		r = sd_event_source_set_io_fd_own(source, true);
	if (r >= 0) {
		vgpu_steal_fd(&ours);
		r = sd_event_source_set_ratelimit(source, USEC_PER_S,
						  accepts_per_s);
	}
	if (r < 0) {
		sd_event_source_disable_unref(source);
		return r;
	}
	*ret_source = source;
	return 0;
}
