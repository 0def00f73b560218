/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The provider of GPUs whose virtual functions are vGPUs. */
#ifndef VGPU_MANAGER_GPU_SRIOV_SRIOV_H
#define VGPU_MANAGER_GPU_SRIOV_SRIOV_H

#include "manager/vgpu/instance.h"

/*
 * Find physical functions that came, and put them into the inventory. What went
 * stays there, and says so.
 */
void vgpu_sriov_scan(struct vgpu_manager *manager);
/* Every definition is loaded: look now and then at what others do. */
void vgpu_sriov_start(struct vgpu_manager *manager);
/* Try again to make the vGPUs that failed. */
void vgpu_sriov_retry(struct vgpu_manager *manager);

/* What follows is between the provider's files. */

enum vgpu_vf_state {
	VGPU_VF_NONE,	 /* it has no type */
	VGPU_VF_DEFINED, /* it has one */
	VGPU_VF_ACTIVE,	 /* and is open */
	VGPU_VF_FAILED,	 /* failure says why */
};

/* A virtual function, as sysfs last said. */
struct vgpu_vf {
	struct vgpu_sriov *sriov;
	uint32_t number;  /* from 1 */
	char address[16]; /* "" while it is not enabled */
	uint32_t type;	  /* the backend's key of it, 0 for none */
	uint32_t placement;
	enum vgpu_vf_state state;
	char failure[160];
	pid_t opener; /* 0: not open, or not known */
	/* Since its driver was bound; and how many of them an event has told of. */
	uint64_t channel_errors, error_messages;
	uint64_t told_channel_errors, told_error_messages;
	/* Of its attribute state, while it has a vGPU; -1 and NULL else. */
	int watch_fd;
	sd_event_source *watch;
};

/* What drivers of physical functions differ in. All functions are required. */
struct vgpu_sriov_backend {
	const char *folder; /* of the PF in sysfs that only this driver makes */
	const char *watched; /* attribute of a VF, printf with %u; NULL: none */
	bool has_placements;
	bool keeps_driver; /* VFs are bound already, and stay so */
	/* The first VF gets its type while none is enabled. */
	bool is_set_before_enabling;
	/* What the field type of a VF is that has @type. */
	uint32_t (*key)(const struct vgpu_type *type);
	/* What can be told of a type of that key that is none of sriov's. */
	void (*describe)(uint32_t key, struct vgpu_type *ret_type);
	/* What a VF is bound to; the first one that is loaded. */
	const char *vf_drivers[2];
	/*
	 * Read what the GPU is into sriov->gpu: name, driver, memory, why it
	 * is unusable; and the types, if sriov has none. Fails if the driver
	 * is not there.
	 */
	int (*read_gpu)(struct vgpu_sriov *sriov);
	/* Fill in @vf from type on. */
	int (*read_vf)(struct vgpu_sriov *sriov, struct vgpu_vf *vf);
	/* To how many more VFs @type could be given. */
	uint64_t (*count)(struct vgpu_sriov *sriov, const struct vgpu_type *type);
	/*
	 * Give @vf, which has none, the type of @definition at the placement
	 * there, which need not be kept unless it is pinned.
	 */
	int (*set)(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		   const struct vgpu_definition *definition,
		   struct vgpu_err *err);
	int (*clear)(struct vgpu_sriov *sriov, struct vgpu_vf *vf,
		     struct vgpu_err *err);
	/* More fields, merged into *json. */
	int (*show_gpu)(struct vgpu_sriov *sriov, sd_json_variant **json);
	int (*show)(struct vgpu_sriov *sriov, const struct vgpu_vf *vf,
		    sd_json_variant **json);
};

extern const struct vgpu_sriov_backend vgpu_sriov_vgpu_backend;
extern const struct vgpu_sriov_backend vgpu_sriov_xe_backend;
extern const struct vgpu_sriov_backend vgpu_sriov_nvidia_backend;

/* A physical function. */
struct vgpu_sriov {
	struct vgpu_manager *manager;
	struct vgpu_gpu *gpu;
	const struct vgpu_sriov_backend *backend;
	bool is_present; /* its driver is bound */
	bool is_mixed;	 /* types of several sizes may share it */
	struct vgpu_type *types;
	size_t type_count;
	struct vgpu_vf *vfs; /* as many as there can be */
	size_t vf_count;
	size_t vfs_enabled;
};

/* The physical function of a GPU, which must be one of this provider's. */
struct vgpu_sriov *vgpu_sriov_of(struct vgpu_gpu *gpu);
/* The VF that a vGPU is or is to be; NULL if there is no such. */
struct vgpu_vf *vgpu_sriov_vf_of(const struct vgpu_instance *instance);
/* NULL if the driver has none of this key. */
const struct vgpu_type *vgpu_sriov_type(const struct vgpu_sriov *sriov,
					uint32_t key);
/* Whether @vf has the type that the definition of @instance says. */
bool vgpu_sriov_has_type(const struct vgpu_vf *vf,
			 const struct vgpu_instance *instance);
/* The driver that VFs are bound to. */
const char *vgpu_sriov_vf_driver(const struct vgpu_sriov *sriov);
/* Whether vGPUs can be made now; else its GPU says why not. */
bool vgpu_sriov_is_ready(const struct vgpu_sriov *sriov);
int vgpu_sriov_read_vf(struct vgpu_vf *vf);

/* sriov_make.c */

/* Make the VF of @instance what its definition says; undone on failure. */
int vgpu_sriov_make(struct vgpu_instance *instance, struct vgpu_err *err);
/* Why @vf is not given @type, where its backend knows no more than @r. */
int vgpu_sriov_explain(const struct vgpu_vf *vf, const struct vgpu_type *type,
		       int r, struct vgpu_err *err);
/* The provider's begin and release. */
void vgpu_sriov_begin(struct vgpu_instance *instance);
int vgpu_sriov_release(struct vgpu_instance *instance, struct vgpu_err *err);

/* sriov_follow.c */

/* Read all of the GPU, and let its vGPUs follow what it says. */
void vgpu_sriov_refresh(struct vgpu_gpu *gpu);
/* It was made: go to the phase that its VF's state says. */
void vgpu_sriov_settle(struct vgpu_instance *instance);
/* End watching and forget what is known of VFs. */
void vgpu_sriov_forget_vfs(struct vgpu_sriov *sriov);

#endif
