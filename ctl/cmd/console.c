/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl console: open a head in a VNC viewer, or say where one finds it. */
#include "ctl/ctl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "ctl/doctor/process.h"
#include "lib/util.h"

#define UNIX "unix:"

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

/*
 * Start a server in the vGPU's own folder, where its owner may have one.
 * *ret_address is the caller's.
 */
static enum ctl_exit start_server(struct ctl *ctl, sd_json_variant *vgpu,
				  char **ret_address)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	vgpu_autofree char *address = NULL;
	const char *socket = ctl_json_string(vgpu, "socket");
	const char *end = socket ? strrchr(socket, '/') : NULL;
	enum ctl_exit e;

	if (!end)
		return ctl_fail(
			"the vGPU has no VNC server, and no folder for one");
	if (asprintf(&address, UNIX "%.*s/console-%u.vnc", (int)(end - socket),
		     socket, ctl->head) < 0)
		return ctl_fail("out of memory");
	e = ctl_head_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (sd_json_variant_set_field_string(&parameters, "address", address) < 0)
		return ctl_fail("out of memory");
	e = ctl_call(ctl, "SetVnc", parameters, /* ret_reply= */ NULL);
	if (e == CTL_DONE)
		*ret_address = vgpu_steal(&address);
	return e;
}

/* A viewer must not take it for an option. */
static bool is_address(const char *address)
{
	if (strncmp(address, UNIX, strlen(UNIX)) == 0)
		return address[strlen(UNIX)] == '/';
	return strrchr(address, ':') &&
	       (address[0] == '[' || (address[0] >= '0' && address[0] <= '9'));
}

static bool has_desktop(const struct ctl *ctl)
{
	const char *wayland = getenv("WAYLAND_DISPLAY");
	const char *x = getenv("DISPLAY");

	/* The address is another machine's. */
	if (ctl->host)
		return false;
	return (wayland && *wayland) || (x && *x);
}

/* Becomes the viewer. Returns if there is none, or it cannot be started. */
static enum ctl_exit open_viewer(const char *address)
{
	bool is_unix = strncmp(address, UNIX, strlen(UNIX)) == 0;
	/* TigerVNC's takes a socket, and a port after two colons. */
	vgpu_autofree char *tiger = ctl_process_find("vncviewer");
	vgpu_autofree char *remote = ctl_process_find("remote-viewer");
	vgpu_autofree char *where = NULL;
	const char *port = strrchr(address, ':');
	char *argv[] = {NULL, NULL, NULL};
	int n;

	if (is_unix || !remote) {
		argv[0] = tiger;
		n = is_unix ? asprintf(&where, "%s", address + strlen(UNIX))
			    : asprintf(&where, "%.*s:%s", (int)(port - address),
				       address, port);
	} else {
		argv[0] = remote;
		n = asprintf(&where, "vnc://%s", address);
	}
	if (n < 0) {
		where = NULL;
		return ctl_fail("out of memory");
	}
	if (!argv[0])
		return CTL_DONE;
	argv[1] = where;
	execv(argv[0], argv);
	return ctl_fail("%s cannot be started: %s", argv[0], strerror(errno));
}

static void print_address(const struct ctl *ctl, const char *address,
			  bool has_no_viewer)
{
	vgpu_autofree char *escaped = ctl_text_escape(address);
	bool is_unix = strncmp(address, UNIX, strlen(UNIX)) == 0;

	puts(escaped ? escaped : "?");
	if (has_no_viewer)
		ctl_note("note: this desktop has no %s in its PATH",
			 is_unix ? "vncviewer (TigerVNC's: others take no socket)"
				 : "remote-viewer or vncviewer");
	else if (ctl->host)
		ctl_note("note: that is on the other machine: forward it with 'ssh -L'");
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	ctl_autojson sd_json_variant *reply = NULL;
	vgpu_autofree char *address = NULL;
	sd_json_variant *vgpu, *head;
	const char *vnc;
	enum ctl_exit e;

	e = ctl_vgpu_parameters(ctl, &parameters);
	if (e == CTL_DONE)
		e = ctl_call(ctl, "GetVgpu", parameters, &reply);
	if (e != CTL_DONE)
		return e;
	vgpu = sd_json_variant_by_key(reply, "vgpu");
	head = find_head(vgpu, ctl->head);
	if (!head)
		return ctl_fail("the vGPU has no head %u", ctl->head);
	vnc = ctl_json_string(head, "vnc");
	if (vnc && *vnc)
		address = strdup(vnc);
	else
		e = start_server(ctl, vgpu, &address);
	if (e != CTL_DONE)
		return e;
	if (!address || !is_address(address))
		return ctl_fail_reply("GetVgpu",
				      "has a VNC server at no address");
	if (has_desktop(ctl)) {
		e = open_viewer(address);
		if (e != CTL_DONE)
			return e;
	}
	print_address(ctl, address, has_desktop(ctl));
	return CTL_DONE;
}

const struct ctl_command ctl_command_console = {
	.name = "console",
	.words = "V [--head N]",
	.summary = "Open a head in a VNC viewer",
	.help = "  --head N   the head, counted from 0; else 0\n"
		"\n"
		"If the head has no VNC server yet, one is started in the vGPU's folder (see\n"
		"'vgpuctl help vnc'). On a desktop the viewer is remote-viewer or TigerVNC's\n"
		"vncviewer, whichever is there and takes the address; elsewhere the address is\n"
		"printed.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl console cad\n"
		"  vgpuctl console cad --head 1\n",
	.options = CTL_OPTION_HEAD,
	.min_words = 1,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
