/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl vnc: start or end a VNC server for a head. */
#include "ctl/ctl.h"

#include <string.h>

#include "ctl/common/manager.h"

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *parameters = NULL;
	enum ctl_exit e;
	int r;

	e = ctl_head_parameters(ctl, &parameters);
	if (e != CTL_DONE)
		return e;
	if (strcmp(ctl->words[1], "off") != 0) {
		r = sd_json_variant_set_field_string(&parameters, "address",
						     ctl->words[1]);
		if (r < 0)
			return ctl_parameters_failed(r);
	}
	return ctl_call(ctl, "SetVnc", parameters, /* ret_reply= */ NULL);
}

const struct ctl_command ctl_command_vnc = {
	.name = "vnc",
	.words = "V ADDRESS|off [--head N]",
	.summary = "Start or end a VNC server for a head",
	.help = "  --head N   the head, counted from 0; else 0\n"
		"\n"
		"ADDRESS is unix:PATH, 127.0.0.1:PORT or [::1]:PORT. The server only shows, takes\n"
		"no input and asks for no password: whoever can connect there sees the head. To a\n"
		"port everybody on this machine can; to a socket the vGPU's owner and managers.\n"
		"PATH ends in .vnc and is in /run/vgpu (for managers) or /run/vgpu/UUID.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl vnc cad unix:/run/vgpu/cad.vnc\n"
		"  vgpuctl vnc cad 127.0.0.1:5900 --head 1\n"
		"  vgpuctl vnc cad off\n",
	.options = CTL_OPTION_HEAD,
	.min_words = 2,
	.max_words = 2,
	.values = {CTL_VALUE_VGPU, CTL_VALUE_VNC},
	.run = run,
};
