/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Creating and destroying vGPUs, and restoring those that are defined. */
#ifndef VGPU_MANAGER_VGPU_CREATE_H
#define VGPU_MANAGER_VGPU_CREATE_H

#include "caller.h"
#include "context.h"
#include "store.h"

/* A new vGPU, as requested. Unset: as the type says, or the default. */
struct vgpu_create_request {
	const char *type;
	const char *gpu;    /* NULL: any where it fits */
	const char *name;   /* NULL: none */
	const char *uuid;   /* NULL: a random one */
	uint32_t placement; /* VGPU_PLACEMENT_ANY: where it suits best */
	int64_t weight;	    /* -1: unset, here and below */
	int64_t frame_rate_limit;
	int autostart;
	int is_for_container;
	bool is_transient;	/* see struct vgpu_definition */
	const char *transport;	/* NULL: vhost-user */
	sd_json_variant *heads; /* see heads.h; NULL: unset */
	int64_t owner_uid;
	int64_t owner_gid;
};

/*
 * Make a vGPU and answer @caller when it is active, or failed. Fails with
 * nothing answered and nothing left if it cannot begin. *ret_gpu is the
 * GPU that was chosen, if one was, also where err is "NoRoom".
 */
int vgpu_create(struct vgpu_manager *manager,
		const struct vgpu_create_request *request,
		const struct vgpu_caller *caller, struct vgpu_gpu **ret_gpu,
		struct vgpu_err *err);
/*
 * Only define a vGPU for user @uid. Returns it, or NULL with nothing left
 * behind. Answers nobody.
 */
struct vgpu_instance *vgpu_define(struct vgpu_manager *manager,
				  const struct vgpu_create_request *request,
				  int64_t uid, struct vgpu_err *err);

/* Whether vgpu_define() would, if no other had the name or the uuid. */
int vgpu_check_definition(struct vgpu_manager *manager,
			  const struct vgpu_create_request *request,
			  struct vgpu_err *err);

/*
 * What follows is said of a vGPU, by uuid or name, and answers @caller when it
 * is done, or fails with nothing answered and nothing changed.
 */

/* Start a vGPU that is stopped or failed; ret_gpu as above. */
int vgpu_start(struct vgpu_manager *manager, const char *uuid_or_name,
	       const struct vgpu_caller *caller, struct vgpu_gpu **ret_gpu,
	       struct vgpu_err *err);
/* End its process and free its framebuffer; its definition stays. */
int vgpu_stop(struct vgpu_manager *manager, const char *uuid_or_name, bool force,
	      const struct vgpu_caller *caller, struct vgpu_err *err);
/* Forget one that does not run. */
int vgpu_undefine(struct vgpu_manager *manager, const char *uuid_or_name,
		  const struct vgpu_caller *caller, struct vgpu_err *err);
/* End and forget one, whatever it does. */
int vgpu_destroy(struct vgpu_manager *manager, const char *uuid_or_name,
		 bool force, const struct vgpu_caller *caller,
		 struct vgpu_err *err);

/* A name that a vGPU can be given. */
int vgpu_create_check_name(struct vgpu_manager *manager, const char *name,
			   struct vgpu_err *err);
/* Put a weight and a frame rate limit, unless -1, into @type. */
int vgpu_create_set_share(struct vgpu_type *type, int64_t weight, int64_t rate,
			  struct vgpu_err *err);

/* Fail creations that wait for memory of @gpu, which has none. */
void vgpu_create_fail_waiting(struct vgpu_manager *manager, struct vgpu_gpu *gpu);

/* Restore a vGPU for every definition, at startup. (load.c) */
int vgpu_load(struct vgpu_manager *manager);
/*
 * After new types were read: start vGPUs that failed because their type was
 * missing. (load.c)
 */
void vgpu_load_retry(struct vgpu_manager *manager);
/* @gpu makes vGPUs with device processes, and did not: start those that wait. */
void vgpu_load_retry_on(struct vgpu_manager *manager, struct vgpu_gpu *gpu);

#endif
