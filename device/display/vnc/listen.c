/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Listens on a unix socket or a loopback port, and nowhere else. */
#include "device/display/vnc/listen.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/util.h"
#include "sandbox/remover.h"

#define BACKLOG 8
#define FLAGS	(SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK)

static int cannot(const char *address, struct vgpu_err *err)
{
	int saved = errno;

	return vgpu_err_set(err, -saved, "BadAddress",
			    "cannot listen on %s: %s", address, strerror(saved));
}

/* Remove a stale socket file, and no other file. */
static int remove_stale(const struct sockaddr_un *to, const char *address,
			struct vgpu_err *err)
{
	vgpu_autoclose int fd = -1;
	struct stat stat;

	if (lstat(to->sun_path, &stat) < 0)
		return errno == ENOENT ? 0 : cannot(address, err);
	if (!S_ISSOCK(stat.st_mode))
		return vgpu_err_set(
			err, -EEXIST, "BadAddress",
			"cannot listen on %s: a file that is no socket is in its place",
			address);
	fd = socket(AF_UNIX, FLAGS, 0);
	if (fd < 0)
		return cannot(address, err);
	if (connect(fd, (const struct sockaddr *)to, sizeof(*to)) == 0 ||
	    errno != ECONNREFUSED) {
		errno = EADDRINUSE;
		return cannot(address, err);
	}
	if (unlink(to->sun_path) < 0 && errno != ENOENT)
		return cannot(address, err);
	return 0;
}

static int listen_unix(struct vgpu_vnc_listener *listener, const char *address,
		       const char *path, struct vgpu_err *err)
{
	struct sockaddr_un to = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd = -1;
	mode_t mask;
	int ret;

	if (path[0] == '\0' || strlen(path) >= sizeof(to.sun_path))
		return vgpu_err_set(
			err, -ENAMETOOLONG, "PathTooLong",
			"cannot listen on %s: a socket's path has 1 to %zu bytes",
			address, sizeof(to.sun_path) - 1);
	memcpy(to.sun_path, path, strlen(path));
	ret = remove_stale(&to, address, err);
	if (ret < 0)
		return ret;

	fd = socket(AF_UNIX, FLAGS, 0);
	if (fd < 0)
		return cannot(address, err);
	/* There is no password: only the socket's owner may connect. */
	mask = umask(0177);
	ret = bind(fd, (struct sockaddr *)&to, sizeof(to));
	umask(mask);
	if (ret < 0)
		return cannot(address, err);
	ret = vgpu_remover_start(path, &listener->remover, err);
	if (ret < 0)
		return ret;
	if (listen(fd, BACKLOG) < 0) {
		ret = cannot(address, err);
		vgpu_vnc_listener_finish(listener);
		return ret;
	}
	listener->fd = vgpu_steal_fd(&fd);
	return 0;
}

static int parse_port(const char *text, uint16_t *ret_port)
{
	char *end;
	unsigned long port;

	if (text[0] < '1' || text[0] > '9')
		return -EINVAL;
	errno = 0;
	port = strtoul(text, &end, 10);
	if (errno || *end || port > UINT16_MAX)
		return -EINVAL;
	*ret_port = htons((uint16_t)port);
	return 0;
}

static int listen_tcp(struct vgpu_vnc_listener *listener, const char *address,
		      const struct sockaddr *to, socklen_t length,
		      struct vgpu_err *err)
{
	vgpu_autoclose int fd = socket(to->sa_family, FLAGS, 0);
	const int on = 1;

	if (fd < 0 ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
	    bind(fd, to, length) < 0 || listen(fd, BACKLOG) < 0)
		return cannot(address, err);
	listener->fd = vgpu_steal_fd(&fd);
	return 0;
}

int vgpu_vnc_listen(struct vgpu_vnc_listener *listener, const char *address,
		    struct vgpu_err *err)
{
	static const char unix_prefix[] = "unix:";
	static const char v4_prefix[] = "127.0.0.1:";
	static const char v6_prefix[] = "[::1]:";
	struct sockaddr_in v4 = {
		.sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	struct sockaddr_in6 v6 = {
		.sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	*listener = (struct vgpu_vnc_listener){.fd = -1, .remover = -1};
	if (strncmp(address, unix_prefix, sizeof(unix_prefix) - 1) == 0)
		return listen_unix(listener, address,
				   address + sizeof(unix_prefix) - 1, err);
	if (strncmp(address, v4_prefix, sizeof(v4_prefix) - 1) == 0 &&
	    parse_port(address + sizeof(v4_prefix) - 1, &v4.sin_port) == 0)
		return listen_tcp(listener, address, (struct sockaddr *)&v4,
				  sizeof(v4), err);
	if (strncmp(address, v6_prefix, sizeof(v6_prefix) - 1) == 0 &&
	    parse_port(address + sizeof(v6_prefix) - 1, &v6.sin6_port) == 0)
		return listen_tcp(listener, address, (struct sockaddr *)&v6,
				  sizeof(v6), err);
	return vgpu_err_set(err, -EINVAL, "BadAddress",
			    "%s is not unix:PATH, 127.0.0.1:PORT or [::1]:PORT",
			    address);
}

void vgpu_vnc_listener_finish(struct vgpu_vnc_listener *listener)
{
	vgpu_remover_finish(listener->remover);
	listener->remover = -1;
	listener->fd = vgpu_close(listener->fd);
}
