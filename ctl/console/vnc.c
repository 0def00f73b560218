/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The VNC server of a head: found or started, and connected to. */
#include "ctl/console/vnc.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include "ctl/common/manager.h"
#include "ctl/common/number.h"
#include "lib/util.h"

#define UNIX "unix:"
/* If its backlog is full. */
#define CONNECT_TIMEOUT_S 10

static sd_json_variant *find_head(sd_json_variant *vgpu, uint32_t head)
{
	sd_json_variant *heads = sd_json_variant_by_key(vgpu, "heads");
	uint64_t number;

	for (size_t i = 0; i < sd_json_variant_elements(heads); i++) {
		sd_json_variant *one = sd_json_variant_by_index(heads, i);

		if (ctl_json_unsigned(one, "head", &number) && number == head)
			return one;
	}
	return NULL;
}

static int set_vnc(struct ctl *ctl, const char *vgpu, uint32_t head,
		   const char *address, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	int r;

	r = sd_json_variant_set_field_string(&parameters, "vgpu", vgpu);
	/* The first one goes without saying. */
	if (r >= 0 && head > 0)
		r = sd_json_variant_set_field_unsigned(&parameters, "head", head);
	if (r >= 0)
		r = sd_json_variant_set_field_string(&parameters, "address",
						     address);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "out of memory");
	return ctl_manager_call(ctl, "SetVnc", parameters, &reply, err);
}

/* In the vGPU's own folder, where its owner may have one. */
static int start_server(struct ctl *ctl, const char *name, sd_json_variant *vgpu,
			uint32_t head, char **ret_address, struct vgpu_err *err)
{
	vgpu_autofree char *address = NULL;
	const char *socket = ctl_json_string(vgpu, "socket");
	const char *end = socket ? strrchr(socket, '/') : NULL;
	int r;

	if (!end)
		return vgpu_err_set(
			err, -ENOENT, NULL,
			"the vGPU has no VNC server, and no folder for one");
	if (asprintf(&address, UNIX "%.*s/console-%u.vnc", (int)(end - socket),
		     socket, head) < 0) {
		address = NULL;
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	}
	r = set_vnc(ctl, name, head, address, err);
	if (r >= 0)
		*ret_address = vgpu_steal(&address);
	return r;
}

/* A viewer must not take it for an option. */
static bool is_address(const char *address)
{
	if (strncmp(address, UNIX, strlen(UNIX)) == 0)
		return address[strlen(UNIX)] == '/';
	return strrchr(address, ':') &&
	       (address[0] == '[' || (address[0] >= '0' && address[0] <= '9'));
}

int ctl_console_find(struct ctl *ctl, const char *vgpu, uint32_t head,
		     char **ret_address, struct vgpu_err *err)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	vgpu_autofree char *address = NULL;
	sd_json_variant *found, *one;
	const char *vnc;
	int r;

	r = sd_json_variant_set_field_string(&parameters, "vgpu", vgpu);
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "no vGPU can be named so: %s",
				    strerror(-r));
	r = ctl_manager_call(ctl, "GetVgpu", parameters, &reply, err);
	if (r < 0)
		return r;
	found = sd_json_variant_by_key(reply, "vgpu");
	one = find_head(found, head);
	if (!one)
		return vgpu_err_set(err, -ENODEV, NULL,
				    "the vGPU has no head %u", head);
	vnc = ctl_json_string(one, "vnc");
	if (vnc && *vnc)
		address = strdup(vnc);
	else
		r = start_server(ctl, vgpu, found, head, &address, err);
	if (r < 0)
		return r;
	if (!address)
		return vgpu_err_set(err, -ENOMEM, NULL, "out of memory");
	if (!is_address(address))
		return ctl_manager_wrong_reply(
			"GetVgpu", "has a VNC server at no address", err);
	*ret_address = vgpu_steal(&address);
	return 0;
}

/* Of "127.0.0.1:PORT" or "[::1]:PORT". False: it is neither. */
static bool read_port(const char *address, const char *host, in_port_t *ret)
{
	uint32_t port;

	if (strncmp(address, host, strlen(host)) != 0 ||
	    !ctl_number_parse(address + strlen(host), &port) || port == 0 ||
	    port > UINT16_MAX)
		return false;
	*ret = htons((uint16_t)port);
	return true;
}

int ctl_console_connect(const char *address, int *ret_fd, struct vgpu_err *err)
{
	const struct timeval timeout = {.tv_sec = CONNECT_TIMEOUT_S};
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in v4 = {.sin_family = AF_INET,
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6,
				  .sin6_addr = IN6ADDR_LOOPBACK_INIT};
	const struct sockaddr *to;
	vgpu_autoclose int fd = -1;
	socklen_t bytes;

	if (strncmp(address, UNIX, strlen(UNIX)) == 0 &&
	    strlen(address) - strlen(UNIX) < sizeof(local.sun_path)) {
		memcpy(local.sun_path, address + strlen(UNIX),
		       strlen(address) - strlen(UNIX));
		to = (struct sockaddr *)&local;
		bytes = sizeof(local);
	} else if (read_port(address, "127.0.0.1:", &v4.sin_port)) {
		to = (struct sockaddr *)&v4;
		bytes = sizeof(v4);
	} else if (read_port(address, "[::1]:", &v6.sin6_port)) {
		to = (struct sockaddr *)&v6;
		bytes = sizeof(v6);
	} else {
		return vgpu_err_set(err, -EINVAL, NULL,
				    "the VNC server is not on this machine: %s",
				    address);
	}
	fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot make a socket: %m");
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
	if (connect(fd, to, bytes) < 0)
		return vgpu_err_set(err, -errno, NULL,
				    "cannot connect to the VNC server at %s: %m",
				    address);
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}
