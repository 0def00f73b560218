/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A device process without a vGPU, for a VMM whose vGPU was taken away. */
#include "retire.h"

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>

#include "lib/control.h"
#include "lib/util.h"
#include "manager/host/process.h"
#include "manager/host/reaper.h"

/* The least that a device takes for a framebuffer. */
#define FRAMEBUFFER_BYTES (64 * 1024)

/* The slots of the VMM's connection, and the state of its session. */
static bool is_of_vmm(uint32_t slot)
{
	return slot < VGPU_SLOT_SEGMENT &&
	       (!vgpu_fd_store_is_given(slot) ||
		slot % VGPU_SLOT_DEVICE_STRIDE == VGPU_SLOT_STATE);
}

static int make_framebuffer(void)
{
	vgpu_autoclose int fd = memfd_create("vgpu-none", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, FRAMEBUFFER_BYTES) < 0)
		return -errno;
	return vgpu_steal_fd(&fd);
}

/* Nobody reads the socket yet: a message that does not fit fails. */
static int send_all(int socket, const struct vgpu_fd_store *store,
		    const struct vgpu_control_start *start)
{
	vgpu_autoclose int framebuffer = make_framebuffer();
	struct vgpu_control_msg msg = {.type = VGPU_CONTROL_FD};
	int r = 0;

	if (framebuffer < 0)
		return framebuffer;
	for (size_t i = 0; r >= 0 && i < store->count; i++) {
		msg.slot = store->entries[i].slot;
		if (is_of_vmm(msg.slot))
			r = vgpu_control_send(socket, &msg, store->entries[i].fd);
	}
	msg.slot = VGPU_SLOT_SEGMENT;
	if (r >= 0)
		r = vgpu_control_send(socket, &msg, framebuffer);
	msg = (struct vgpu_control_msg){.type = VGPU_CONTROL_START,
					.start = *start};
	msg.start.is_retired = true;
	msg.start.heads = 0;
	msg.start.segments = 1;
	msg.start.segment_bytes = FRAMEBUFFER_BYTES;
	msg.start.framebuffer_bytes = FRAMEBUFFER_BYTES;
	msg.start.has_renderer = false;
	msg.start.is_framebuffer_new = true;
	memset(msg.start.key, 0, sizeof(msg.start.key));
	return r < 0 ? r : vgpu_control_send(socket, &msg, /* fd= */ -1);
}

int vgpu_retire(sd_event *event, const struct vgpu_fd_store *store,
		const struct vgpu_control_start *start, struct vgpu_err *err)
{
	char *const argv[] = {
		(char *)"vgpu-device", (char *)"--control-fd",
		(char *)"3",	       (char *)"--uuid",
		(char *)start->uuid,   start->name[0] ? (char *)"--name" : NULL,
		(char *)start->name,   NULL};
	vgpu_autoclose int ours = -1, theirs = -1;
	struct vgpu_process process;
	int pair[2];
	int r;

	if (vgpu_fd_store_get(store, VGPU_SLOT_FRONTEND) < 0)
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return vgpu_err_set(err, -errno, NULL, "no socket: %s",
				    strerror(errno));
	ours = pair[0];
	theirs = pair[1];
	/* In vgpud's own cgroup: the vGPU's is removed. */
	r = vgpu_process_start(argv, theirs, /* group= */ -1, 0, &process, err);
	if (r < 0)
		return r;
	r = send_all(ours, store, start);
	if (r < 0) {
		vgpu_process_signal(&process, SIGKILL);
		vgpu_err_set(err, r, NULL, "it cannot be told all: %s",
			     strerror(-r));
	}
	if (vgpu_reaper_watch(event, "last device", &process) < 0)
		vgpu_process_finish(&process);
	return r;
}
