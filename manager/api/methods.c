/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The varlink server: the methods of io.openvgpu.Manager. */
#include "methods.h"

#include <string.h>

#include "accept.h"
#include "rights.h"
#include "manager/vgpu/capacity.h"
#include "manager/vgpu/create.h"
#include "interface.h"
#include "manager/host/json.h"
#include "lib/name.h"
#include "lib/util.h"
#include "manager/host/text.h"
#include "reply.h"
#include "subscribers.h"

/* Each may buffer an unfinished call of up to 16 MiB, libsystemd's limit. */
#define CONNECTIONS_MAX		256
#define CONNECTIONS_PER_UID_MAX 128

/* Those that may run; what a part of the time of all is reckoned by. */
static unsigned int count_processors(void)
{
	return (unsigned int)VGPU_MAX(sysconf(_SC_NPROCESSORS_ONLN), 1L);
}

int vgpu_method_get_info(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {{}};
	struct vgpu_manager *manager = userdata;
	const struct vgpu_catalogue *catalogue = &manager->catalogue;
	const struct vgpu_cgroups *cgroups = &manager->cgroups;
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, NULL);
	if (r != 0)
		return r;
	return sd_varlink_replybo(
		link, SD_JSON_BUILD_PAIR_STRING("version", VGPU_VERSION),
		SD_JSON_BUILD_PAIR_STRING("stateDirectory", manager->paths.state),
		SD_JSON_BUILD_PAIR_STRING("runtimeDirectory",
					  manager->paths.runtime),
		SD_JSON_BUILD_PAIR_STRING("typesFile", catalogue->file),
		SD_JSON_BUILD_PAIR_CONDITION(
			catalogue->problem[0], "typesProblem",
			SD_JSON_BUILD_STRING(catalogue->problem)),
		SD_JSON_BUILD_PAIR_CONDITION(!!cgroups->path, "cgroup",
					     SD_JSON_BUILD_STRING(cgroups->path)),
		SD_JSON_BUILD_PAIR_CONDITION(
			cgroups->problem[0], "cgroupProblem",
			SD_JSON_BUILD_STRING(cgroups->problem)),
		SD_JSON_BUILD_PAIR_CONDITION(
			manager->sandbox_problem[0], "sandboxProblem",
			SD_JSON_BUILD_STRING(manager->sandbox_problem)),
		SD_JSON_BUILD_PAIR_INTEGER("pid", getpid()),
		SD_JSON_BUILD_PAIR_UNSIGNED("processors", count_processors()));
}

static int reply_array(sd_varlink *link, const char *field, sd_json_variant *array)
{
	if (!array)
		return sd_varlink_replybo(link,
					  SD_JSON_BUILD_PAIR_EMPTY_ARRAY(field));
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT(field, array));
}

int vgpu_method_list_gpus(sd_varlink *link, sd_json_variant *parameters,
			  sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {{}};
	vgpu_autojson sd_json_variant *array = NULL;
	struct vgpu_manager *manager = userdata;
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, NULL);
	if (r != 0)
		return r;
	manager->hooks->refresh(manager);
	for (size_t i = 0; i < manager->inventory.count; i++) {
		vgpu_autojson sd_json_variant *gpu = NULL;

		r = vgpu_show_gpu(manager, &manager->inventory.gpus[i], &gpu);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, gpu);
		if (r < 0)
			return r;
	}
	return reply_array(link, "gpus", array);
}

static int append_types(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
			sd_json_variant **array)
{
	for (size_t i = 0; i < vgpu_capacity_type_count(manager, gpu); i++) {
		vgpu_autojson sd_json_variant *type = NULL;
		int r;

		r = vgpu_show_type(manager, gpu->ops->type_at(manager, gpu, i),
				   gpu, &type);
		if (r >= 0)
			r = sd_json_variant_append_array(array, type);
		if (r < 0)
			return r;
	}
	return 0;
}

int vgpu_method_list_types(sd_varlink *link, sd_json_variant *parameters,
			   sd_varlink_method_flags_t flags, void *userdata)
{
	struct parameters {
		const char *gpu;
	} p = {};
	static const sd_json_dispatch_field fields[] = {
		{"gpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct parameters, gpu), SD_JSON_NULLABLE},
		{},
	};
	vgpu_autojson sd_json_variant *array = NULL;
	struct vgpu_manager *manager = userdata;
	struct vgpu_gpu *only = NULL;
	struct vgpu_err err = {};
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, &p);
	if (r != 0)
		return r;
	manager->hooks->refresh(manager);
	if (p.gpu) {
		only = vgpu_inventory_choose(&manager->inventory, p.gpu, &err);
		if (!only)
			return vgpu_reply_error(link, &err);
	}
	for (size_t i = 0; i < manager->inventory.count; i++) {
		struct vgpu_gpu *gpu = &manager->inventory.gpus[i];

		r = only && gpu != only ? 0 : append_types(manager, gpu, &array);
		if (r < 0)
			return r;
	}
	return reply_array(link, "types", array);
}

int vgpu_method_list_vgpus(sd_varlink *link, sd_json_variant *parameters,
			   sd_varlink_method_flags_t flags, void *userdata)
{
	static const sd_json_dispatch_field fields[] = {{}};
	vgpu_autojson sd_json_variant *array = NULL;
	vgpu_autofree struct vgpu_instance **sorted = NULL;
	struct vgpu_manager *manager = userdata;
	size_t count;
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, NULL);
	if (r != 0)
		return r;
	manager->hooks->refresh(manager);
	r = vgpu_instance_sort(manager, &sorted, &count);
	if (r < 0)
		return r;
	for (size_t i = 0; i < count; i++) {
		vgpu_autojson sd_json_variant *json = NULL;

		if (!vgpu_rights_sees(manager, link, &sorted[i]->definition.owner))
			continue;
		r = vgpu_show_instance(sorted[i], &json);
		if (r >= 0)
			r = sd_json_variant_append_array(&array, json);
		if (r < 0)
			return r;
	}
	return reply_array(link, "vgpus", array);
}

int vgpu_method_find_vgpu(sd_varlink *link, sd_json_variant *parameters,
			  const sd_json_dispatch_field *fields,
			  void *ret_parameters, const char *const *vgpu,
			  struct vgpu_manager *manager,
			  struct vgpu_instance **ret_instance)
{
	struct vgpu_err err = {};
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, ret_parameters);
	if (r != 0)
		return VGPU_MIN(r, 0);
	manager->hooks->refresh(manager);
	*ret_instance = vgpu_instance_find(manager, *vgpu, &err);
	return *ret_instance ? 1 : vgpu_reply_error(link, &err);
}

int vgpu_method_get_vgpu(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata)
{
	struct parameters {
		const char *vgpu;
	} p = {};
	static const sd_json_dispatch_field fields[] = {
		{"vgpu", SD_JSON_VARIANT_STRING, sd_json_dispatch_const_string,
		 offsetof(struct parameters, vgpu), SD_JSON_MANDATORY},
		{},
	};
	vgpu_autojson sd_json_variant *json = NULL;
	struct vgpu_instance *instance;
	int r;

	r = vgpu_method_find_vgpu(link, parameters, fields, &p, &p.vgpu,
				  userdata, &instance);
	if (r <= 0)
		return r;
	r = vgpu_show_instance(instance, &json);
	if (r < 0)
		return r;
	return sd_varlink_replybo(link, SD_JSON_BUILD_PAIR_VARIANT("vgpu", json));
}

int vgpu_method_subscribe(sd_varlink *link, sd_json_variant *parameters,
			  sd_varlink_method_flags_t flags, void *userdata)
{
	struct parameters {
		int history;
		int follow;
	} p = {.history = -1, .follow = -1};
	static const sd_json_dispatch_field fields[] = {
		{"history", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		 offsetof(struct parameters, history), SD_JSON_NULLABLE},
		{"follow", SD_JSON_VARIANT_BOOLEAN, sd_json_dispatch_tristate,
		 offsetof(struct parameters, follow), SD_JSON_NULLABLE},
		{},
	};
	struct vgpu_manager *manager = userdata;
	uid_t owner = 0;
	int r;

	r = sd_varlink_dispatch(link, parameters, fields, &p);
	if (r == 0 && !vgpu_rights_sees_all(manager, link))
		r = sd_varlink_get_peer_uid(link, &owner);
	if (r != 0)
		return r;
	return vgpu_subscribers_add(manager->subscribers, &manager->events,
				    link, owner, p.history > 0, p.follow != 0);
}

int vgpu_methods_on_connect(sd_varlink *link)
{
	/* For Capture. */
	return sd_varlink_set_allow_fd_passing_output(link, true);
}

static void on_disconnect(sd_varlink_server *server, sd_varlink *link,
			  void *userdata)
{
	struct vgpu_manager *manager = userdata;

	vgpu_subscribers_forget(manager->subscribers, link);
}

/* Wrap each method in a check of the caller's right. */
#define CHECKED(name, method, right, about)                                      \
	static int checked_##name(sd_varlink *link, sd_json_variant *parameters, \
				  sd_varlink_method_flags_t flags,               \
				  void *userdata)                                \
	{                                                                        \
		int r = vgpu_rights_check(link, parameters,                      \
					  VGPU_RIGHT_##right, userdata);         \
                                                                                 \
		return r == 1 ? method(link, parameters, flags, userdata) : r;   \
	}

VGPU_METHODS(CHECKED)

static int bind_all(sd_varlink_server *server)
{
	int r = 0;

#define BIND(name, method, right, about)                                       \
	if (r >= 0)                                                            \
		r = sd_varlink_server_bind_method(                             \
			server, VGPU_INTERFACE "." #name, checked_##name);
	VGPU_METHODS(BIND)
#undef BIND
	return r;
}

int vgpu_methods_listen(struct vgpu_manager *manager)
{
	__attribute__((cleanup(sd_varlink_server_unrefp)))
	sd_varlink_server *server = NULL;
	int r;

	r = sd_varlink_server_new(&server,
				  SD_VARLINK_SERVER_ACCOUNT_UID |
					  SD_VARLINK_SERVER_INHERIT_USERDATA);
	if (r < 0)
		return r;
	sd_varlink_server_set_userdata(server, manager);
	r = sd_varlink_server_set_info(server, "OpenVGPU", "vgpud",
				       VGPU_VERSION, "");
	if (r >= 0)
		r = sd_varlink_server_add_interface(
			server, &vl_interface_io_openvgpu_Manager);
	if (r >= 0)
		r = bind_all(server);
	if (r >= 0)
		r = sd_varlink_server_bind_disconnect(server, on_disconnect);
	if (r >= 0)
		r = sd_varlink_server_set_connections_max(server,
							  CONNECTIONS_MAX);
	if (r >= 0)
		r = sd_varlink_server_set_connections_per_uid_max(
			server, CONNECTIONS_PER_UID_MAX);
	if (r >= 0)
		r = sd_varlink_server_attach_event(server, manager->event,
						   SD_EVENT_PRIORITY_NORMAL);
	if (r < 0)
		return r;
	manager->server = vgpu_steal(&server);
	return vgpu_accept_start(manager);
}
