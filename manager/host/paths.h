/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the manager's files and sockets, and the lock against a second
 * manager.
 */
#ifndef VGPU_MANAGER_HOST_PATHS_H
#define VGPU_MANAGER_HOST_PATHS_H

#include <stdbool.h>
#include <sys/un.h>

#include "lib/err.h"

/* A file in the folder of a vGPU whose first process had no renderer. */
#define VGPU_PATHS_NO_RENDERER "no-renderer"
#define VGPU_PATHS_VNC_SUFFIX  ".vnc"

#define VGPU_PATH_STATE	  "/var/lib/vgpu"
#define VGPU_PATH_RUNTIME "/run/vgpu"

#define VGPU_SOCKET_PATH_SIZE sizeof(((struct sockaddr_un *)0)->sun_path)

/*
 * STATE/vgpus/UUID.json        definitions
 * STATE/types.ini              copy of the last good types file
 * RUNTIME/io.openvgpu.Manager  the varlink socket
 * RUNTIME/UUID/vhost.sock      where a VMM connects
 * RUNTIME/UUID/keyboard.sock   ... for the keyboard,
 * RUNTIME/UUID/tablet.sock     ... and for the pointer
 * RUNTIME/UUID/vtest.sock      ... or programs, of one for containers
 * RUNTIME/UUID/control.sock    where the next vgpud connects, without a deposit
 * RUNTIME/UUID/control.key     what it has to say there; vgpud's own
 * RUNTIME/UUID/device.pid      which process the device is
 */
struct vgpu_paths {
	char *state;   /* absolute */
	char *vgpus;   /* the folder of the definitions */
	char *types;   /* the copy of the last good types file */
	char *runtime; /* absolute */
	char socket[VGPU_SOCKET_PATH_SIZE];
	int state_lock; /* locked as long as this manager lives */
	int runtime_lock;
};

/*
 * Make the folders where they lack, and lock both against a second manager.
 * Refuses a runtime folder whose sockets' paths would be too long.
 */
int vgpu_paths_open(struct vgpu_paths *ret_paths, const char *state,
		    const char *runtime, struct vgpu_err *err);
void vgpu_paths_finish(struct vgpu_paths *paths);

/* RUNTIME/UUID/NAME; NAME may be NULL for the folder itself. */
void vgpu_paths_instance(const struct vgpu_paths *paths, const char *uuid,
			 const char *name, char ret[VGPU_SOCKET_PATH_SIZE]);

/* Remove the files of a device's listening control socket. */
void vgpu_paths_remove_control(const struct vgpu_paths *paths, const char *uuid);
int vgpu_paths_make_instance(const struct vgpu_paths *paths, const char *uuid);
/* Remove the folder and every file that this program makes in it. */
void vgpu_paths_remove_instance(const struct vgpu_paths *paths, const char *uuid);

/* Whether @name, of a file in one of our folders, is of a VNC server's socket. */
bool vgpu_paths_is_vnc_socket(const char *name);
/* Remove the sockets that killed VNC servers left in the folder @path. */
void vgpu_paths_remove_vnc_sockets(const char *path);

#endif
