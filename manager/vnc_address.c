/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a VNC server may listen: this machine only. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "lib/util.h"
#include "text.h"
#include "vnc.h"

static int check_path(const char *path, struct vgpu_err *err)
{
	if (path[0] != '/')
		return vgpu_err_set(
			err, -EINVAL, "BadAddress",
			"a VNC server's unix: address needs an absolute path");
	if (strlen(path) >= VGPU_SOCKET_PATH_SIZE)
		return vgpu_err_set(
			err, -ENAMETOOLONG, "PathTooLong",
			"the VNC socket's path has %zu bytes, at most %zu are possible",
			strlen(path), VGPU_SOCKET_PATH_SIZE - 1);
	for (const char *c = path; *c; c++)
		if (*c < 0x20 || *c > 0x7e)
			return vgpu_err_set(
				err, -EINVAL, "BadAddress",
				"the VNC socket's path has a letter that is not printable ASCII");
	return 0;
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

int vgpu_vnc_check_address(const char *address, struct vgpu_err *err)
{
	char quoted[VGPU_QUOTED_SIZE];

	if (strncmp(address, "unix:", 5) == 0)
		return check_path(address + 5, err);
	if (!is_loopback(address))
		return vgpu_err_set(
			err, -EINVAL, "BadAddress",
			"'%s' is no address for a VNC server: unix:PATH, 127.0.0.1:PORT or [::1]:PORT",
			vgpu_text_quote(quoted, address));
	return 0;
}
