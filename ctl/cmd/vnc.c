/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl vnc: start or end a VNC server for a head. */
#include "ctl/ctl.h"

#include <stdio.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/common/password.h"

/* RFB takes eight characters: vgpud refuses a longer one. */
#define PASSWORD_SIZE 64

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	bool is_off = strcmp(ctl->words[1], "off") == 0;
	char password[PASSWORD_SIZE] = "";
	enum ctl_exit e;
	int r = 0;

	if (is_off && (ctl->view_only || ctl->password)) {
		ctl_complain(
			"'off' ends the server: neither --view-only nor --password goes with it");
		return CTL_USAGE;
	}
	e = ctl_head_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	/* A command line can be read by others. */
	if (ctl->password && !ctl_password_read(password, sizeof(password)))
		return ctl_fail("no password came on standard input");
	if (!is_off)
		r = sd_json_variant_set_field_string(&parameters, "address",
						     ctl->words[1]);
	if (r >= 0 && ctl->view_only)
		r = sd_json_variant_set_field_boolean(&parameters, "viewOnly",
						      true);
	if (r >= 0 && ctl->password)
		r = sd_json_variant_set_field_string(&parameters, "password",
						     password);
	explicit_bzero(password, sizeof(password));
	if (r < 0)
		return ctl_parameters_failed(r);
	return ctl_call(ctl, "SetVnc", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_vnc = {
	.name = "vnc",
	.words = "V ADDRESS|off [--head N] [--view-only] [--password]",
	.summary = "Start or end a VNC server for a head",
	.help = "  --head N      the head, counted from 0; else 0\n"
		"  --view-only   viewers only look\n"
		"  --password    viewers must say what is read from standard input: 8 characters\n"
		"                at most, and none too safe: VNC sends no more\n"
		"\n"
		"ADDRESS is unix:PATH, 127.0.0.1:PORT or [::1]:PORT. Whoever can connect there\n"
		"sees the head and, if the machine has what 'vgpuctl qemu-args' prints, types and\n"
		"points. To a port everybody on this machine can; to a socket the vGPU's owner\n"
		"and managers.\n"
		"PATH ends in .vnc and is in /run/vgpu (for managers) or /run/vgpu/UUID.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl vnc cad unix:/run/vgpu/cad.vnc\n"
		"  vgpuctl vnc cad 127.0.0.1:5900 --head 1 --view-only\n"
		"  vgpuctl vnc cad 127.0.0.1:5900 --password < password.txt\n"
		"  vgpuctl vnc cad off\n",
	.options = CTL_OPTION_HEAD | CTL_OPTION_VIEW_ONLY | CTL_OPTION_PASSWORD,
	.min_words = 2,
	.max_words = 2,
	.values = {CTL_VALUE_VGPU, CTL_VALUE_VNC},
	.run = run,
};
