/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl: create, watch and destroy vGPUs. */
#include <errno.h>
#include <locale.h>
#include <string.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "ctl/complete.h"
#include "ctl/ctl.h"

int main(int argc, char **argv)
{
	const struct ctl_command *command;
	struct ctl ctl = {};
	enum ctl_exit e;

	setlocale(LC_CTYPE, "");
	if (argc > 1 && strcmp(argv[1], CTL_COMPLETE) == 0)
		return ctl_complete(argc - 2, argv + 2);
	if (ctl_options_parse(&ctl, argc, argv, &command, &e))
		e = command->run(&ctl);
	ctl_manager_disconnect(&ctl);

	/* Output that could not be written is a failure. */
	if (fflush(stdout) != 0 || ferror(stdout)) {
		if (e == CTL_DONE)
			e = ctl_fail("cannot write the output: %s",
				     strerror(errno));
	}
	return e;
}
