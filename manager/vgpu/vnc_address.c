/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a VNC server may listen: this machine only. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "lib/util.h"
#include "manager/host/text.h"
#include "vnc.h"

/* The name of @path within @folder, or NULL if it is not there. */
static const char *name_in(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1
							       : NULL;
}

static int check_path(const struct vgpu_paths *paths, const char *uuid,
		      const char *path, bool is_manager, struct vgpu_err *err)
{
	char folder[VGPU_SOCKET_PATH_SIZE];
	const char *name;

	if (strlen(path) >= VGPU_SOCKET_PATH_SIZE)
		return vgpu_err_set(
			err, -ENAMETOOLONG, "PathTooLong",
			"the VNC socket's path has %zu bytes, at most %zu are possible",
			strlen(path), VGPU_SOCKET_PATH_SIZE - 1);
	vgpu_paths_instance(paths, uuid, NULL, folder);
	name = name_in(folder, path);
	if (!name && is_manager)
		name = name_in(paths->runtime, path);
	if (name && vgpu_paths_is_vnc_socket(name))
		return 0;
	return vgpu_err_set(
		err, -EINVAL, "BadAddress",
		"a VNC server's socket is a file NAME" VGPU_PATHS_VNC_SUFFIX
		" in %s: elsewhere you might not see what vgpud makes",
		is_manager ? paths->runtime : folder);
}

static bool is_port(const char *text)
{
	size_t n = strspn(text, "0123456789");

	return n > 0 && n <= 5 && !text[n] && text[0] != '0' &&
	       strtoul(text, NULL, 10) <= 65535;
}

static bool is_loopback(const char *address)
{
	static const struct in6_addr loopback6 = IN6ADDR_LOOPBACK_INIT;
	const char *port = strrchr(address, ':');
	char host[64];
	struct in_addr v4;
	struct in6_addr v6;
	size_t n;

	if (!port || !is_port(port + 1))
		return false;
	n = (size_t)(port - address);
	if (n == 0 || n >= sizeof(host))
		return false;
	memcpy(host, address, n);
	host[n] = '\0';
	if (host[0] == '[' && host[n - 1] == ']') {
		host[n - 1] = '\0';
		return inet_pton(AF_INET6, host + 1, &v6) == 1 &&
		       IN6_ARE_ADDR_EQUAL(&v6, &loopback6);
	}
	return inet_pton(AF_INET, host, &v4) == 1 &&
	       ntohl(v4.s_addr) >> 24 == IN_LOOPBACKNET;
}

bool vgpu_vnc_is_password(const char *text)
{
	size_t n = strlen(text);

	for (size_t i = 0; i < n; i++)
		if (text[i] < 0x21 || text[i] > 0x7e)
			return false;
	/* A weak key of DES, which VNC makes of it: the library refuses that. */
	if (strcmp(text, "xxxxpppp") == 0)
		return false;
	return n > 0 && n < VGPU_VNC_PASSWORD_SIZE;
}

int vgpu_vnc_check_address(const struct vgpu_paths *paths, const char *uuid,
			   const char *address, bool is_manager,
			   struct vgpu_err *err)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (strncmp(address, "unix:", 5) == 0)
		return check_path(paths, uuid, address + 5, is_manager, err);
	if (!is_loopback(address))
		return vgpu_err_set(
			err, -EINVAL, "BadAddress",
			"'%s' is no address for a VNC server: unix:PATH, 127.0.0.1:PORT or [::1]:PORT",
			vgpu_text_quote(quoted, address));
	return 0;
}
