/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl console: open a head in a VNC viewer or a browser, or say where it is. */
#include "ctl/ctl.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "ctl/common/message.h"
#include "ctl/common/text.h"
#include "ctl/console/agent.h"
#include "ctl/console/vnc.h"
#include "ctl/doctor/process.h"
#include "lib/util.h"

#define UNIX "unix:"

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

/* As a link to the web console, if that is wanted. False: it is not. */
static bool run_web(struct ctl *ctl, enum ctl_exit *ret)
{
	bool is_asked = ctl->web || !ctl->words[0];
	struct vgpu_err err = {};
	int fd = -1;

	if (!is_asked && (ctl->host || has_desktop(ctl)))
		return false;
	if (is_asked && ctl->host) {
		*ret = ctl_fail(
			"a link is made on the machine that it is for: run 'vgpuctl console --web' there");
		return true;
	}
	if (ctl_agent_connect(&fd, &err) < 0) {
		if (is_asked)
			*ret = ctl_fail("%s", err.text);
		return is_asked;
	}
	*ret = ctl_agent_run(ctl, fd, ctl->words[0], ctl->head);
	return true;
}

static enum ctl_exit run(struct ctl *ctl)
{
	vgpu_autofree char *address = NULL;
	struct vgpu_err err = {};
	enum ctl_exit e;

	if (!ctl->words[0] && ctl->has_head) {
		ctl_complain("--head is a head of one vGPU: name it");
		return CTL_USAGE;
	}
	if (run_web(ctl, &e))
		return e;
	if (ctl_console_find(ctl, ctl->words[0], ctl->head, &address, &err) < 0)
		return ctl_fail("%s", err.text);
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
	.words = "[V] [--head N] [--web]",
	.summary = "Open a head in a viewer or a browser",
	.help = "  --head N   the head, counted from 0; else 0\n"
		"  --web      print a link to the web console, on a desktop, too\n"
		"\n"
		"If the head has no VNC server yet, one is started in the vGPU's folder (see\n"
		"'vgpuctl help vnc'). On a desktop the viewer is remote-viewer or TigerVNC's\n"
		"vncviewer, whichever is there and takes the address. Elsewhere a link is\n"
		"printed, if vgpu-web runs (see vgpu-web(8)), and else the address. A link is for\n"
		"one use; what it shows ends with this command. Without V it is for all vGPUs\n"
		"that you may see.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl console cad\n"
		"  vgpuctl console cad --head 1\n"
		"  vgpuctl console cad --web\n"
		"  vgpuctl console\n",
	.options = CTL_OPTION_HEAD | CTL_OPTION_WEB,
	.min_words = 0,
	.max_words = 1,
	.values = {CTL_VALUE_VGPU},
	.run = run,
};
