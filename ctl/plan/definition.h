/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A new vGPU as the options of create and define say it. */
#ifndef VGPU_CTL_PLAN_DEFINITION_H
#define VGPU_CTL_PLAN_DEFINITION_H

#include "ctl/ctl.h"

#define CTL_DEFINITION_OPTIONS                                                  \
	(CTL_OPTION_FILE | CTL_OPTION_NEW_IDS | CTL_OPTION_TYPE |               \
	 CTL_OPTION_GPU | CTL_OPTION_NAME | CTL_OPTION_UUID | CTL_OPTION_MODE | \
	 CTL_OPTION_HEAD | CTL_OPTION_AUTOSTART | CTL_OPTION_WEIGHT |           \
	 CTL_OPTION_FRAME_RATE_LIMIT | CTL_OPTION_PLACEMENT |                   \
	 CTL_OPTION_OWNER | CTL_OPTION_CONTAINER | CTL_OPTION_TRANSPORT)
#define CTL_DEFINITION_WORDS                                                   \
	"--type T|--file FILE|- [--new-ids] [--gpu G] [--name N] [--uuid U] [--owner USER[:GROUP]] [--container | --transport T] [--mode WIDTHxHEIGHT [--head N]] [--autostart on|off] [--weight N] [--frame-rate-limit N] [--placement P]"
/* @autostart is what it is without the option. */
#define CTL_DEFINITION_HELP(autostart)                                                       \
	"  --type T              its type, as 'vgpuctl types' lists them\n"                  \
	"  --file FILE           what it is, as 'vgpuctl show --json' prints it; other\n"    \
	"                        options change that\n"                                      \
	"  --new-ids             not with the uuid and the name in the file\n"               \
	"  --gpu G               the GPU to make it on; else the first one where it fits,\n" \
	"                        of hardware if one has the type\n"                          \
	"  --name N              a name, up to 64 of A-Z a-z 0-9 . _ -\n"                    \
	"  --uuid U              its uuid; else a random one\n"                              \
	"  --owner USER[:GROUP]  who may connect a virtual machine to it, look at it, end\n" \
	"                        it; members of GROUP may connect one only. :GROUP names\n"  \
	"                        no user. Else you, and of root's the group vgpu-vm\n"       \
	"  --container           for programs in containers, or without any, and not for\n"  \
	"                        a virtual machine: it has no heads\n"                       \
	"  --transport T         how a virtual machine reaches it: vhost-user, if this\n"    \
	"                        is not given, or mdev, as a VFIO device\n"                  \
	"  --mode WIDTHxHEIGHT   the mode that a head prefers; else the first one the\n"     \
	"                        type's largest, and the others are unplugged\n"             \
	"  --head N              that head, counted from 0; else 0\n"                        \
	"  --autostart on|off    start it when the manager starts; else " autostart          \
	"\n"                                                                                 \
	"  --weight N            as modify's; else the type's, as the next\n"                \
	"  --frame-rate-limit N\n"                                                           \
	"  --placement P         where in the framebuffer, as the GPU's driver counts;\n"    \
	"                        else where it suits best. Of GPUs with virtual\n"           \
	"                        functions only\n"

/*
 * What the options say of a new vGPU, as parameters of Create and Define.
 * @verb names the command in what is said.
 */
enum ctl_exit ctl_definition_parameters(struct ctl *ctl, const char *verb,
					sd_json_variant **ret);
/* Call @method with @parameters, and print the uuid that it replies. */
enum ctl_exit ctl_definition_call(struct ctl *ctl, const char *method,
				  sd_json_variant *parameters);

#endif
