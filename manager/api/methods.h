/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The varlink server: the methods of io.openvgpu.Manager. */
#ifndef VGPU_MANAGER_API_METHODS_H
#define VGPU_MANAGER_API_METHODS_H

#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

#include "manager/api/method_table.h"
#include "manager/vgpu/instance.h"

/* Make manager->server, and let clients come to it. */
int vgpu_methods_listen(struct vgpu_manager *manager);
/* What a new client's connection needs. */
int vgpu_methods_on_connect(sd_varlink *link);

/*
 * For methods about one vGPU: read @parameters, of which *vgpu is one, by @fields
 * into *ret_parameters, and find it. Returns 1; else @link is answered, or -errno.
 */
int vgpu_method_find_vgpu(sd_varlink *link, sd_json_variant *parameters,
			  const sd_json_dispatch_field *fields,
			  void *ret_parameters, const char *const *vgpu,
			  struct vgpu_manager *manager,
			  struct vgpu_instance **ret_instance);

#define VGPU_METHOD_PROTOTYPE(name, function, right, about)                    \
	int function(sd_varlink *link, sd_json_variant *parameters,            \
		     sd_varlink_method_flags_t flags, void *userdata);
VGPU_METHODS(VGPU_METHOD_PROTOTYPE)
#undef VGPU_METHOD_PROTOTYPE

/* An sd_json_dispatch_callback_t that takes a number into an int64_t. */
int vgpu_method_dispatch_number(const char *name, sd_json_variant *variant,
				sd_json_dispatch_flags_t flags, void *userdata);

/* show.c: what is told of things. */
int vgpu_show_gpu(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		  sd_json_variant **ret_json);
int vgpu_show_type(struct vgpu_manager *manager, const struct vgpu_type *type,
		   struct vgpu_gpu *gpu, sd_json_variant **ret_json);
int vgpu_show_instance(struct vgpu_instance *instance,
		       sd_json_variant **ret_json);

#endif
