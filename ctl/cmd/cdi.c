/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vgpuctl cdi: how podman and others give a container a vGPU. */
#include "ctl/ctl.h"

#include <ctype.h>
#include <string.h>
#include <sys/stat.h>

#include "ctl/common/manager.h"
#include "ctl/common/message.h"
#include "lib/util.h"

/* Of the Container Device Interface, in which this is written. */
#define CDI_VERSION "0.6.0"
#define CDI_KIND    "openvgpu.org/vgpu"

/* What a container sees. */
#define SOCKET "/run/vgpu.sock"
#define DRIVER "/usr/share/vulkan/icd.d/virtio_icd.json"

/* CDI's names are those of vGPUs, but begin and end with a letter or a digit. */
static bool is_name(const char *name)
{
	return name && name[0] && isalnum((unsigned char)name[0]) &&
	       isalnum((unsigned char)name[strlen(name) - 1]);
}

static int append_device(sd_json_variant **devices, const char *name,
			 const char *socket)
{
	return sd_json_variant_append_arraybo(
		devices, SD_JSON_BUILD_PAIR_STRING("name", name),
		SD_JSON_BUILD_PAIR_OBJECT(
			"containerEdits",
			SD_JSON_BUILD_PAIR_ARRAY(
				"env", SD_JSON_BUILD_STRING("VN_DEBUG=vtest"),
				SD_JSON_BUILD_STRING("VTEST_SOCKET_NAME=" SOCKET),
				SD_JSON_BUILD_STRING("VK_DRIVER_FILES=" DRIVER)),
			SD_JSON_BUILD_PAIR_ARRAY(
				"mounts",
				SD_JSON_BUILD_OBJECT(
					SD_JSON_BUILD_PAIR_STRING("hostPath",
								  socket),
					SD_JSON_BUILD_PAIR_STRING(
						"containerPath", SOCKET),
					SD_JSON_BUILD_PAIR_ARRAY(
						"options",
						SD_JSON_BUILD_STRING("bind"),
						SD_JSON_BUILD_STRING("nosuid"),
						SD_JSON_BUILD_STRING("nodev"))))));
}

/*
 * By its uuid, and by its name if it has one. Whoever starts containers puts
 * there what this says: a manager that lies is to have them given a socket, and
 * nothing else.
 */
static enum ctl_exit add_vgpu(sd_json_variant **devices, sd_json_variant *vgpu)
{
	const char *socket = ctl_json_string(vgpu, "socket");
	const char *uuid = ctl_json_string(vgpu, "uuid");
	const char *name = ctl_json_string(vgpu, "name");
	struct stat st;
	int r = 0;

	if (!is_name(uuid))
		return ctl_fail_reply("ListVgpus", "lacks a uuid");
	if (!socket) {
		ctl_note("%s is not started: it is left out", name ? name : uuid);
		return CTL_DONE;
	}
	if (socket[0] != '/' || lstat(socket, &st) < 0 || !S_ISSOCK(st.st_mode))
		return ctl_fail("the socket of %s cannot be found at %s",
				name ? name : uuid, socket);
	r = append_device(devices, uuid, socket);
	if (r >= 0 && is_name(name))
		r = append_device(devices, name, socket);
	return r < 0 ? ctl_fail("out of memory") : CTL_DONE;
}

static enum ctl_exit run(struct ctl *ctl)
{
	ctl_autojson sd_json_variant *devices = NULL;
	ctl_autojson sd_json_variant *vgpus = NULL;
	ctl_autojson sd_json_variant *spec = NULL;
	enum ctl_exit e;

	e = ctl_call_array(ctl, "ListVgpus", NULL, "vgpus", &vgpus);
	for (size_t i = 0; e == CTL_DONE && i < sd_json_variant_elements(vgpus);
	     i++) {
		sd_json_variant *vgpu = sd_json_variant_by_index(vgpus, i);

		if (ctl_json_is_true(vgpu, "container"))
			e = add_vgpu(&devices, vgpu);
	}
	if (e != CTL_DONE)
		return e;
	if (!devices)
		return ctl_fail(
			"no vGPU for containers is started: 'vgpuctl create --container' makes one");
	if (sd_json_buildo(&spec,
			   SD_JSON_BUILD_PAIR_STRING("cdiVersion", CDI_VERSION),
			   SD_JSON_BUILD_PAIR_STRING("kind", CDI_KIND),
			   SD_JSON_BUILD_PAIR_VARIANT("devices", devices)) < 0)
		return ctl_fail("out of memory");
	if (ctl->format == CTL_TEXT)
		ctl->format = CTL_JSON_PRETTY;
	return ctl_print_json(ctl, spec);
}

const struct ctl_command ctl_command_cdi = {
	.name = "cdi",
	.words = "[--json=pretty|short]",
	.summary = "Print how containers are given vGPUs, for podman",
	.help = "It is a file of the Container Device Interface, with the vGPUs made by\n"
		"'vgpuctl create --container' that are started and that you may see. It stays\n"
		"right when they start again. podman reads those in /etc/cdi, and with\n"
		"--cdi-spec-dir in another folder.\n"
		"\n"
		"Examples:\n"
		"  vgpuctl create --type 1Q --name c1 --container\n"
		"  vgpuctl cdi > /etc/cdi/openvgpu.json\n"
		"  podman run --device " CDI_KIND
		"=c1 IMAGE vulkaninfo --summary\n",
	.options = CTL_OPTION_JSON,
	.run = run,
};
