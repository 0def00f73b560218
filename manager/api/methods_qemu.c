/* SPDX-License-Identifier: GPL-2.0-or-later */
/* GetQemuArguments: how QEMU is given a vGPU. */
#include <errno.h>
#include <stdio.h>

#include "lib/util.h"
#include "manager/device/listen.h"
#include "manager/host/json.h"
#include "manager/host/paths.h"
#include "manager/vgpu/heads.h"
#include "manager/vgpu/transport.h"
#include "methods.h"
#include "reply.h"

/* A virtio-gpu, described to QEMU's generic vhost-user device. */
#define QEMU_VIRTIO_ID	  16U
#define QEMU_QUEUES	  2U
#define QEMU_CONFIG_BYTES 16U
/* Its own device for a virtio-input that is described by the back end. */
#define QEMU_INPUT "vhost-user-input-pci"

/* vgpu-XXXXXXXX, and what an input device is */
#define ID_SIZE	    32
#define DEVICE_SIZE 160
#define NOTE_SIZE   160
/* Commas in the path are doubled in a chardev's option. */
#define CHARDEV_SIZE (2 * VGPU_SOCKET_PATH_SIZE + 64)

static int reply_provider_arguments(sd_varlink *link,
				    struct vgpu_instance *instance)
{
	vgpu_autojson sd_json_variant *arguments = NULL;
	vgpu_autojson sd_json_variant *device = NULL;
	struct vgpu_err err = {};
	const char *note = "";

	if (instance->gpu->ops->qemu_arguments(instance, &arguments, &device,
					       &note, &err) < 0)
		return vgpu_reply_error(link, &err);
	return sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_VARIANT("arguments", arguments),
		SD_JSON_BUILD_PAIR_VARIANT("device", device),
		SD_JSON_BUILD_PAIR_BOOLEAN("sharedMemory", false),
		SD_JSON_BUILD_PAIR_STRING("note", note));
}

/* A chardev's option with @path. */
static void set_chardev(const char *id, const char *path,
			char chardev[CHARDEV_SIZE])
{
	int n = snprintf(chardev, CHARDEV_SIZE, "socket,id=%s,path=", id);

	for (; *path && (size_t)n + 2 < CHARDEV_SIZE; path++) {
		if (*path == ',')
			chardev[n++] = ',';
		chardev[n++] = *path;
	}
	chardev[n] = '\0';
}

/*
 * QEMU's generic vhost-user device (11.0 or newer), with Vulkan: as the text of
 * a -device, and as JSON.
 */
static int describe_generic(const char *id, char text[DEVICE_SIZE],
			    sd_json_variant **ret_json)
{
	snprintf(text, DEVICE_SIZE,
		 "vhost-user-test-device-pci,virtio-id=%u,num_vqs=%u,config_size=%u,chardev=%s",
		 QEMU_VIRTIO_ID, QEMU_QUEUES, QEMU_CONFIG_BYTES, id);
	return sd_json_buildo(
		ret_json,
		SD_JSON_BUILD_PAIR_STRING("driver", "vhost-user-test-device-pci"),
		SD_JSON_BUILD_PAIR_UNSIGNED("virtio-id", QEMU_VIRTIO_ID),
		SD_JSON_BUILD_PAIR_UNSIGNED("num_vqs", QEMU_QUEUES),
		SD_JSON_BUILD_PAIR_UNSIGNED("config_size", QEMU_CONFIG_BYTES),
		SD_JSON_BUILD_PAIR_STRING("chardev", id));
}

/* QEMU's own GPU with a display, where the back end draws: 2D only. */
static int describe_display(const struct vgpu_instance *instance, const char *id,
			    char text[DEVICE_SIZE], sd_json_variant **ret_json)
{
	const struct vgpu_definition *definition = &instance->definition;
	uint32_t heads = definition->type.heads;
	uint32_t width, height;

	vgpu_heads_first_mode(definition, 0, &width, &height);
	snprintf(text, DEVICE_SIZE,
		 "vhost-user-vga,chardev=%s,max_outputs=%u,xres=%u,yres=%u", id,
		 heads, width, height);
	return sd_json_buildo(
		ret_json, SD_JSON_BUILD_PAIR_STRING("driver", "vhost-user-vga"),
		SD_JSON_BUILD_PAIR_STRING("chardev", id),
		SD_JSON_BUILD_PAIR_UNSIGNED("max_outputs", heads),
		SD_JSON_BUILD_PAIR_UNSIGNED("xres", width),
		SD_JSON_BUILD_PAIR_UNSIGNED("yres", height));
}

/* Keyboard and tablet of the vGPU: appended to what describes the GPU. */
static int add_input(const struct vgpu_instance *instance, uint32_t input,
		     sd_json_variant **arguments, sd_json_variant **devices)
{
	static const char *const names[VGPU_INPUTS] = {
		[VGPU_INPUT_KEYBOARD] = "keyboard",
		[VGPU_INPUT_TABLET] = "tablet",
	};
	vgpu_autojson sd_json_variant *json = NULL;
	char socket[VGPU_SOCKET_PATH_SIZE], chardev[CHARDEV_SIZE];
	char device[DEVICE_SIZE], id[ID_SIZE];
	const char *const words[] = {"-chardev", chardev, "-device", device};
	int r;

	vgpu_paths_instance(&instance->manager->paths, instance->definition.uuid,
			    vgpu_listen_input_socket[input], socket);
	snprintf(id, sizeof(id), "vgpu-%.8s-%s", instance->definition.uuid,
		 names[input]);
	set_chardev(id, socket, chardev);
	snprintf(device, sizeof(device), QEMU_INPUT ",chardev=%s", id);
	r = sd_json_buildo(&json, SD_JSON_BUILD_PAIR_STRING("driver", QEMU_INPUT),
			   SD_JSON_BUILD_PAIR_STRING("chardev", id));
	if (r >= 0)
		r = sd_json_variant_append_array(devices, json);
	for (size_t i = 0; r >= 0 && i < VGPU_ARRAY_SIZE(words); i++)
		r = sd_json_variant_append_arrayb(
			arguments, SD_JSON_BUILD_STRING(words[i]));
	return r;
}

/* A vhost-user device: its arguments, and the GPU's -device as an object. */
static int describe_vhost(const struct vgpu_instance *instance,
			  bool has_display, sd_json_variant **ret_arguments,
			  sd_json_variant **ret_device)
{
	char socket[VGPU_SOCKET_PATH_SIZE], chardev[CHARDEV_SIZE];
	char device[DEVICE_SIZE], id[ID_SIZE];
	int r;

	vgpu_paths_instance(&instance->manager->paths, instance->definition.uuid,
			    vgpu_definition_socket(&instance->definition),
			    socket);
	/*
	 * Eight digits of the uuid are enough to tell the vGPUs of one machine
	 * apart.
	 */
	snprintf(id, sizeof(id), "vgpu-%.8s", instance->definition.uuid);
	set_chardev(id, socket, chardev);
	r = has_display ? describe_display(instance, id, device, ret_device)
			: describe_generic(id, device, ret_device);
	return r < 0 ? r
		     : sd_json_build(ret_arguments,
				     SD_JSON_BUILD_ARRAY(
					     SD_JSON_BUILD_STRING("-chardev"),
					     SD_JSON_BUILD_STRING(chardev),
					     SD_JSON_BUILD_STRING("-device"),
					     SD_JSON_BUILD_STRING(device)));
}

static int check_vgpu(const struct vgpu_instance *instance, bool has_display,
		      struct vgpu_err *err)
{
	if (instance->definition.is_for_container)
		return vgpu_err_set(
			err, -EINVAL, "BadState",
			"the vGPU is for containers: `vgpuctl cdi` says how they are given it");
	if (has_display && instance->definition.type.heads == 0)
		return vgpu_err_set(
			err, -EINVAL, "NoSuchHead",
			"the vGPU has no head that QEMU's display could show");
	if (has_display && vgpu_transport_of(instance))
		return vgpu_err_set(
			err, -EOPNOTSUPP, "NoSuchHead",
			"QEMU's display cannot show a VFIO device of this kind: `vgpuctl vnc` and `vgpuctl console` show its heads");
	if (!vgpu_instance_is_serving(instance))
		return vgpu_err_set(
			err, -ENOTCONN, "NotActive",
			"the vGPU is %s: it has no device to connect to",
			vgpu_instance_state(instance));
	return 0;
}

static const char shared_note[] =
	"the VM's memory must be shared: --memory SIZE prints the arguments for that too (-object memory-backend-memfd,id=mem0,size=SIZE,share=on -machine memory-backend=mem0)";

static int reply_arguments(sd_varlink *link, struct vgpu_instance *instance,
			   bool has_display, bool has_input)
{
	vgpu_autojson sd_json_variant *arguments = NULL;
	vgpu_autojson sd_json_variant *devices = NULL;
	vgpu_autojson sd_json_variant *json = NULL;
	const struct vgpu_transport_ops *transport = vgpu_transport_of(instance);
	char note[NOTE_SIZE] = "";
	int r;

	has_input = has_input && vgpu_listen_has_seat(&instance->fds);
	r = transport ? transport->qemu_arguments(instance, &arguments, &json,
						  note, sizeof(note))
		      : describe_vhost(instance, has_display, &arguments, &json);
	if (r >= 0)
		r = sd_json_variant_append_array(&devices, json);
	for (uint32_t i = 0; r >= 0 && has_input && i < VGPU_INPUTS; i++)
		r = add_input(instance, i, &arguments, &devices);
	if (r < 0)
		return r;
	return sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_VARIANT("arguments", arguments),
		SD_JSON_BUILD_PAIR_VARIANT("device", json),
		SD_JSON_BUILD_PAIR_VARIANT("devices", devices),
		SD_JSON_BUILD_PAIR_BOOLEAN("sharedMemory",
					   !transport || has_input),
		SD_JSON_BUILD_PAIR_STRING(
			"note", transport && !has_input ? note : shared_note));
}

int vgpu_method_get_qemu_arguments(sd_varlink *link, sd_json_variant *parameters,
				   sd_varlink_method_flags_t flags,
				   void *userdata)
{
	struct parameters {
		const char *vgpu;
		bool has_display;
		bool has_input;
	} p = {.has_input = true};
	static const sd_json_dispatch_field fields[] = {
		{"vgpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct parameters, vgpu), SD_JSON_MANDATORY},
		{"display", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct parameters, has_display), SD_JSON_NULLABLE},
		{"input", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_stdbool,
		 offsetof(struct parameters, has_input), SD_JSON_NULLABLE},
		{},
	};
	struct vgpu_instance *instance;
	struct vgpu_err err = {};
	int r;

	r = vgpu_method_find_vgpu(link, parameters, fields, &p, &p.vgpu,
				  userdata, &instance);
	if (r <= 0)
		return r;
	if (instance->gpu && instance->gpu->ops &&
	    instance->gpu->ops->qemu_arguments) {
		if (!p.has_display)
			return reply_provider_arguments(link, instance);
		vgpu_err_set(
			&err, -EOPNOTSUPP, "NoSuchHead",
			"QEMU's display cannot show a virtual function: its guest's driver has the heads");
		return vgpu_reply_error(link, &err);
	}
	if (check_vgpu(instance, p.has_display, &err) < 0)
		return vgpu_reply_error(link, &err);
	return reply_arguments(link, instance, p.has_display, p.has_input);
}
