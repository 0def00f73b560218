/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Where a VNC server may listen: this machine only. */
#include <arpa/inet.h>
#include <dirent.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "lib/util.h"
#include "manager/host/text.h"
#include "vnc.h"

#define SUFFIX ".vnc"

static bool has_end(const char *name, const char *end)
{
	size_t n = strlen(name), m = strlen(end);

	return n > m && strcmp(name + n - m, end) == 0;
}

/* The name in @folder that @path is of, or NULL. */
static const char *name_in(const char *folder, const char *path)
{
	size_t n = strlen(folder);

	return strncmp(path, folder, n) == 0 && path[n] == '/' ? path + n + 1
							       : NULL;
}

static bool is_socket_name(const char *name)
{
	for (const char *c = name; *c; c++)
		if (*c < 0x21 || *c > 0x7e || *c == '/')
			return false;
	return name[0] != '.' && has_end(name, SUFFIX);
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
	if (name && is_socket_name(name))
		return 0;
	return vgpu_err_set(err, -EINVAL, "BadAddress",
			    "a VNC server's socket is a file NAME" SUFFIX
			    " in %s: elsewhere you might not see what vgpud makes",
			    is_manager ? paths->runtime : folder);
}

static void remove_socket(const char *folder, const char *name)
{
	vgpu_autofree char *path = NULL;
	struct stat file;

	if (asprintf(&path, "%s/%s", folder, name) < 0)
		path = NULL;
	else if (lstat(path, &file) == 0 && S_ISSOCK(file.st_mode))
		unlink(path);
}

void vgpu_vnc_clean_folder(const char *path)
{
	DIR *folder = opendir(path);
	struct dirent *entry;

	while (folder && (entry = readdir(folder)))
		if (is_socket_name(entry->d_name))
			remove_socket(path, entry->d_name);
	if (folder)
		closedir(folder);
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
