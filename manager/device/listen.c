/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creates what a device process starts with: its sockets and its state block.
 */
#include "listen.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "lib/control_abi.h"
#include "lib/util.h"
#include "manager/host/text.h"

/* One VMM, and the next one while the last disconnects. */
#define BACKLOG 4

const char *const vgpu_listen_input_socket[VGPU_INPUTS] = {
	[VGPU_INPUT_KEYBOARD] = "keyboard.sock",
	[VGPU_INPUT_TABLET] = "tablet.sock",
};

int vgpu_listen_at(const char *path, int type, mode_t mode, int backlog,
		   int *ret_fd)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	vgpu_autoclose int fd = -1;

	if (!VGPU_TEXT_SET(address.sun_path, path))
		return -ENAMETOOLONG;
	if (unlink(path) < 0 && errno != ENOENT)
		return -errno;

	fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/*
	 * bind() creates the file with the socket's mode: it is never open to
	 * others.
	 */
	if (fd < 0 || fchmod(fd, mode) < 0 ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 ||
	    listen(fd, backlog) < 0)
		return -errno;
	*ret_fd = vgpu_steal_fd(&fd);
	return 0;
}

static int add_socket(const struct vgpu_paths *paths, const char *uuid,
		      const char *name, int type, mode_t mode,
		      struct vgpu_fd_store *store, uint32_t slot)
{
	char path[VGPU_SOCKET_PATH_SIZE];
	int fd = -1;
	int r;

	vgpu_paths_instance(paths, uuid, name, path);
	r = vgpu_listen_at(path, type, mode, BACKLOG, &fd);
	return r < 0 ? r : vgpu_fd_store_put(store, slot, fd);
}

static int add_state_block(struct vgpu_fd_store *store, uint32_t slot)
{
	/* Empty: the device sets its size. */
	int fd = memfd_create("vgpu-state", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : vgpu_fd_store_put(store, slot, fd);
}

static uint32_t input_slot(uint32_t input, uint32_t slot)
{
	return VGPU_SLOT_INPUT + input * VGPU_SLOT_DEVICE_STRIDE + slot;
}

static int add_input(const struct vgpu_paths *paths, const char *uuid,
		     uint32_t input, struct vgpu_fd_store *store)
{
	int r = add_socket(paths, uuid, vgpu_listen_input_socket[input],
			   SOCK_STREAM, 0600, store,
			   input_slot(input, VGPU_SLOT_LISTEN));

	return r < 0 ? r
		     : add_state_block(store, input_slot(input, VGPU_SLOT_STATE));
}

bool vgpu_listen_has_seat(const struct vgpu_fd_store *store)
{
	return vgpu_fd_store_get(store, input_slot(VGPU_INPUTS - 1,
						   VGPU_SLOT_LISTEN)) >= 0;
}

int vgpu_listen_prepare(const struct vgpu_paths *paths, const char *uuid,
			const char *name, bool has_seat,
			struct vgpu_fd_store *store, struct vgpu_err *err)
{
	int r;

	r = vgpu_paths_make_instance(paths, uuid);
	/* Who may use the vGPU is let in later: vgpu_access_open_vgpu(). */
	if (r >= 0 && name)
		r = add_socket(paths, uuid, name, SOCK_STREAM, 0600, store,
			       VGPU_SLOT_LISTEN);
	/*
	 * With a deposit the next vgpud gets the connection to the device
	 * itself.
	 */
	if (r >= 0 && !store->deposit)
		r = add_socket(paths, uuid, "control.sock", SOCK_SEQPACKET,
			       0600, store, VGPU_SLOT_CONTROL);
	for (uint32_t i = 0; r >= 0 && has_seat && i < VGPU_INPUTS; i++)
		r = add_input(paths, uuid, i, store);
	if (r >= 0)
		r = add_state_block(store, VGPU_SLOT_STATE);
	if (r < 0)
		return vgpu_err_set(err, r, "Internal",
				    "the sockets below %s cannot be made: %s",
				    paths->runtime, strerror(-r));
	return 0;
}
