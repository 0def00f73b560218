/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The varlink server: the methods of io.openvgpu.Manager. */
#ifndef VGPU_MANAGER_API_METHODS_H
#define VGPU_MANAGER_API_METHODS_H

#include <systemd/sd-json.h>
#include <systemd/sd-varlink.h>

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

/* methods_display.c: each is an sd_varlink_method_t. */
int vgpu_method_capture(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_set_mode(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_set_vnc(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata);

/* methods_life.c: the same. */
int vgpu_method_create(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_define(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_check_definition(sd_varlink *link, sd_json_variant *parameters,
				 sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_start(sd_varlink *link, sd_json_variant *parameters,
		      sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_stop(sd_varlink *link, sd_json_variant *parameters,
		     sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_undefine(sd_varlink *link, sd_json_variant *parameters,
			 sd_varlink_method_flags_t flags, void *userdata);
int vgpu_method_destroy(sd_varlink *link, sd_json_variant *parameters,
			sd_varlink_method_flags_t flags, void *userdata);

/* methods_share.c: the same. */
int vgpu_method_set_scheduler(sd_varlink *link, sd_json_variant *parameters,
			      sd_varlink_method_flags_t flags, void *userdata);
/* An sd_json_dispatch_callback_t that takes a number into an int64_t. */
int vgpu_method_dispatch_number(const char *name, sd_json_variant *variant,
				sd_json_dispatch_flags_t flags, void *userdata);

/* methods_qemu.c: the same. */
int vgpu_method_get_qemu_arguments(sd_varlink *link, sd_json_variant *parameters,
				   sd_varlink_method_flags_t flags,
				   void *userdata);

/* methods_modify.c: the same. */
int vgpu_method_modify(sd_varlink *link, sd_json_variant *parameters,
		       sd_varlink_method_flags_t flags, void *userdata);

/* show.c: what is told of things. */
int vgpu_show_gpu(struct vgpu_manager *manager, struct vgpu_gpu *gpu,
		  sd_json_variant **ret_json);
int vgpu_show_type(struct vgpu_manager *manager, const struct vgpu_type *type,
		   struct vgpu_gpu *gpu, sd_json_variant **ret_json);
int vgpu_show_instance(struct vgpu_instance *instance,
		       sd_json_variant **ret_json);

#endif
