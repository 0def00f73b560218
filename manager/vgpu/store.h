/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Definitions of vGPUs on disk, one file each. */
#ifndef VGPU_MANAGER_VGPU_STORE_H
#define VGPU_MANAGER_VGPU_STORE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "lib/name.h"
#include "lib/placement.h"
#include "lib/type.h"
#include "manager/host/paths.h"

/*
 * Version of the file. A file of a later version is not used and not touched.
 * One that needs nothing of this version is written as the version before.
 */
#define VGPU_DEFINITION_VERSION		      8
#define VGPU_DEFINITION_VERSION_OF_TRANSPORTS 7
#define VGPU_DEFINITION_VERSION_OF_INPUT      6
#define VGPU_DEFINITION_VERSION_OF_CONTAINERS 5
#define VGPU_DEFINITION_VERSION_OF_OTHERS     4

#define VGPU_VNC_ADDRESS_SIZE  128 /* "unix:" and the longest socket path */
#define VGPU_VNC_PASSWORD_SIZE 9   /* RFB takes eight characters */
#define VGPU_GPU_ID_SIZE       32

struct vgpu_vnc_setting {
	char address[VGPU_VNC_ADDRESS_SIZE]; /* "" for no VNC server */
	/* Its viewers may type and point. Not in files before version 6. */
	bool has_input;
	char password[VGPU_VNC_PASSWORD_SIZE]; /* "": none is asked for */
};

struct vgpu_head_setting {
	bool has_mode;
	uint32_t width; /* 0 x 0: unplugged */
	uint32_t height;
	struct vgpu_vnc_setting vnc;
};

#define VGPU_VF_MAX	   65535 /* NumVFs has 16 bits */
#define VGPU_PLACEMENT_ANY UINT32_MAX

/* Which virtual function of its GPU a vGPU is. */
struct vgpu_vf_setting {
	/* From 1; 0: it is none. Of a stopped one it says only that it is one. */
	uint32_t number;
	uint32_t placement; /* as the driver counts, or VGPU_PLACEMENT_ANY */
	bool is_pinned;	    /* its creator chose the placement */
	bool is_mixed;	    /* types of several sizes shared the GPU */
};

/* Who may use it; 0 for none: root may, whatever this says. */
struct vgpu_owner {
	uint32_t uid; /* may call for it, too */
	uint32_t gid; /* of whom may connect a virtual machine to it */
};

/* How a virtual machine reaches a vGPU that has a device process. */
enum vgpu_transport {
	VGPU_TRANSPORT_VHOST_USER,
	VGPU_TRANSPORT_MDEV, /* a VFIO device. Not in files before version 7 */
	VGPU_TRANSPORT_MAX,
};

/* All that makes a vGPU what it is. */
struct vgpu_definition {
	char uuid[VGPU_UUID_SIZE];
	char name[VGPU_NAME_MAX + 1]; /* "" if it has none */
	struct vgpu_type type;	      /* as it was when the vGPU was created */
	char gpu[VGPU_GPU_ID_SIZE];
	struct vgpu_extent place; /* size 0: not known */
	struct vgpu_vf_setting vf;
	struct vgpu_owner owner;
	bool lacks_owner; /* read from a file that is older than owners */
	struct vgpu_head_setting heads[VGPU_HEADS_MAX];
	bool is_for_container; /* vtest clients use it, and no VM; no heads */
	enum vgpu_transport transport;
	/*
	 * Others made what its transport has on the host: it ends with that.
	 * Not in files before version 8.
	 */
	bool is_transient;
	bool is_manual;	 /* no vgpud starts it by itself */
	bool is_stopped; /* place and VF are those it had, not what it has */
};

/* Its socket for those who use it, in its folder. NULL: it has none. */
static inline const char *
vgpu_definition_socket(const struct vgpu_definition *definition)
{
	if (definition->transport == VGPU_TRANSPORT_MDEV)
		return NULL;
	return definition->is_for_container ? "vtest.sock" : "vhost.sock";
}

/* "vhost-user" or "mdev", as users write it. */
const char *vgpu_transport_name(enum vgpu_transport transport);
bool vgpu_transport_parse(const char *text, enum vgpu_transport *ret_transport);

/* Make @type its type. */
void vgpu_definition_set_type(struct vgpu_definition *definition,
			      const struct vgpu_type *type);

/* Whether neither id is a placeholder (-1, or the overflow id). */
bool vgpu_owner_is_sound(const struct vgpu_owner *owner);

int vgpu_store_save(const struct vgpu_paths *paths,
		    const struct vgpu_definition *definition,
		    struct vgpu_err *err);
int vgpu_store_remove(const struct vgpu_paths *paths, const char *uuid,
		      struct vgpu_err *err);

/*
 * Read the definition of @uuid. On failure err says what is wrong with it, and
 * *definition still has the uuid, and of name, type and GPU what can be told.
 */
int vgpu_store_load(const struct vgpu_paths *paths, const char *uuid,
		    struct vgpu_definition *definition, struct vgpu_err *err);

/* The uuids that have a definition, sorted; removes unfinished files. */
int vgpu_store_list(const struct vgpu_paths *paths,
		    char (**ret_uuids)[VGPU_UUID_SIZE], size_t *ret_count);

#endif
