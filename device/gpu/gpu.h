/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The virtio-gpu device model (virtio 1.3, 5.7), ignorant of its transport:
 * requests come in as iovecs, answers go out through a completion.
 */
#ifndef VGPU_DEVICE_GPU_H
#define VGPU_DEVICE_GPU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <systemd/sd-event.h>

#include "lib/control_abi.h"
#include "lib/err.h"

struct vgpu_gpu;
struct vgpu_gpu_state; /* device/gpu/state_abi.h: lives in the state block */
struct vgpu_launcher;  /* device/render/launcher.h */
struct vgpu_render_config; /* device/render/render.h */
struct vgpu_reserve;	   /* device/render/reserve.h */
struct vgpu_viewer_sink;   /* device/display/viewer.h */

struct vgpu_gpu_config {
	uint32_t heads; /* 0 to VGPU_HEADS_MAX; the guest is told at least 1 */
	uint32_t max_width;
	uint32_t max_height;
	uint32_t frame_rate_limit; /* of each head; 0 for none */
	sd_event *event; /* for what that keeps waiting; NULL: no limit */
	/*
	 * NULL for a GPU that only displays. Else what its contexts' processes
	 * are started with (all but the memory, which is the gpu's), what the
	 * guest is told of them (VGPU_GPU_CAPSET_BYTES), and the size of the
	 * window where it maps their memory. Both outlive the gpu.
	 */
	const struct vgpu_render_config *render;
	const void *capset;
	bool has_gfxstream; /* contexts may have that wire, too */
	bool is_retired; /* offers what its guest knew, and does nothing of it */
	uint64_t window_bytes;
	uint64_t framebuffer_bytes;
	bool is_framebuffer_new;      /* nobody had it: it has all its pages */
	struct vgpu_reserve *reserve; /* of it; outlives the gpu. Or NULL */
	struct vgpu_launcher *launcher; /* keeps it for a successor; or NULL */
};

/* What mappings count for: a context each, and 0 for none of them. */
#define VGPU_GPU_PROGRAMS 65

/* A range of the host-visible window and what the guest finds there. */
struct vgpu_gpu_mapping {
	uint64_t window_offset;
	uint64_t bytes;
	uint32_t program; /* whose it is: below VGPU_GPU_PROGRAMS */
	int fd; /* mapped from its beginning; an unmap may have none */
};

/*
 * One request from the guest. Readable parts come before writable ones
 * (virtio 1.3, 2.7.4.2). They point into guest memory, which the guest goes
 * on writing: each byte is read once, into a local copy.
 */
struct vgpu_gpu_request {
	const struct iovec *readable;
	const struct iovec *writable;
	unsigned int n_readable;
	unsigned int n_writable;
	size_t readable_bytes;
	size_t writable_bytes;
	/*
	 * The device process before this one died while it handled this very
	 * request: what it had done already must not count as an error.
	 */
	bool is_retry;
	/*
	 * For the gpu to note what it has done; outlasts this process like the
	 * state, as long as the request is not answered. 0 when it is new.
	 */
	uint64_t *token;
};

/* What the device model needs of its transport. All are required. */
struct vgpu_gpu_transport_ops {
	/*
	 * The host address of guest-physical [gpa, gpa + len), as far as it is
	 * one piece: *ret_part bytes, 1 to len. Adjacent regions of guest
	 * memory need not be adjacent here. NULL if gpa is not guest memory.
	 * Valid until control returns to the event loop; never kept.
	 */
	void *(*guest_range)(void *opaque, uint64_t gpa, uint64_t len,
			     uint64_t *ret_part);
	/* Answer @request with @written bytes; once for every request. */
	void (*complete)(void *opaque, struct vgpu_gpu_request *request,
			 size_t written);
	/* The configuration space changed: tell the guest. */
	void (*config_changed)(void *opaque);
	/* The guest broke a rule (rate-limited by the transport). */
	void (*guest_fault)(void *opaque, const char *text);
	/* A head or counter changed: the manager should hear (coalesced). */
	void (*status_changed)(void *opaque);
	/*
	 * Change the host-visible window. 0: vgpu_gpu_window_done() follows
	 * with @cookie, later; or -errno. An unmap is as the map was, and may
	 * be of one that a dead process did not get done.
	 */
	int (*window_map)(void *opaque, uint64_t cookie,
			  const struct vgpu_gpu_mapping *mapping);
	int (*window_unmap)(void *opaque, uint64_t cookie,
			    const struct vgpu_gpu_mapping *mapping);
	/*
	 * A predecessor had it mapped, or was about to. While the gpu is
	 * created: there are no others then.
	 */
	void (*window_resume)(void *opaque,
			      const struct vgpu_gpu_mapping *mapping);
	/* A reset: the VMM has emptied the window, no cookie counts any more. */
	void (*window_forget)(void *opaque);
	/* The VMM's display that vgpu_gpu_set_console() gave is used no more. */
	void (*console_over)(void *opaque);
};

/* Bytes to set aside for struct vgpu_gpu_state in the state block. */
size_t vgpu_gpu_state_bytes(void);

/*
 * @state is zeroed for a new vGPU; otherwise everything in it is checked as if
 * a stranger had written it, and the device goes on from it: entries that make
 * no sense are dropped. It stays the caller's and outlives the gpu.
 */
int vgpu_gpu_create(const struct vgpu_gpu_config *config,
		    const struct vgpu_gpu_transport_ops *ops, void *opaque,
		    struct vgpu_gpu_state *state, struct vgpu_gpu **ret_gpu,
		    struct vgpu_err *err);
void vgpu_gpu_destroy(struct vgpu_gpu *gpu); /* NULL is fine */

/* Device feature bits 0..23 (virtio 1.3, 5.7.3); the transport adds its own. */
uint64_t vgpu_gpu_features(const struct vgpu_gpu *gpu);
/* The guest accepted @features (a subset of those offered). */
void vgpu_gpu_set_features(struct vgpu_gpu *gpu, uint64_t features);

/*
 * All requests that a predecessor left have come, with is_retry. Contexts'
 * processes are listened to from now on.
 */
void vgpu_gpu_requests_resumed(struct vgpu_gpu *gpu);

/* Control and cursor queues. Each ends in one ops->complete(). */
void vgpu_gpu_control(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request);
void vgpu_gpu_cursor(struct vgpu_gpu *gpu, struct vgpu_gpu_request *request);

/* The answer to window_map or window_unmap: 0 or -errno. */
void vgpu_gpu_window_done(struct vgpu_gpu *gpu, uint64_t cookie, int status);

/*
 * How many requests of the control queue wait for the window, or behind one
 * that does: they stay as they are while the queue is stopped.
 */
uint32_t vgpu_gpu_count_held(struct vgpu_gpu *gpu);

/* Whether @inode is that of memory that a resource may show to the guest. */
bool vgpu_gpu_shares(const struct vgpu_gpu *gpu, uint64_t inode);

/* struct virtio_gpu_config (virtio 1.3, 5.7.4), little-endian, 16 bytes. */
#define VGPU_GPU_CONFIG_BYTES 16
void vgpu_gpu_config_read(struct vgpu_gpu *gpu,
			  uint8_t ret_config[VGPU_GPU_CONFIG_BYTES]);
/* Returns -EINVAL for a write beyond the config space; others are ignored. */
int vgpu_gpu_config_write(struct vgpu_gpu *gpu, uint32_t offset,
			  const uint8_t *data, uint32_t len);

/* Virtio device reset, or the VMM is gone: no resource, no scanout is left. */
void vgpu_gpu_reset(struct vgpu_gpu *gpu);

/* The heads and the counters of a status message; the rest is not touched. */
void vgpu_gpu_status(const struct vgpu_gpu *gpu,
		     struct vgpu_control_status *status);
/* What this process has counted. */
void vgpu_gpu_figures(const struct vgpu_gpu *gpu, struct vgpu_figures *figures);

/* Change a head's preferred mode and tell the guest; 0 x 0 unplugs the head. */
int vgpu_gpu_set_mode(struct vgpu_gpu *gpu, uint32_t head, uint32_t width,
		      uint32_t height, struct vgpu_err *err);

/*
 * Show all heads on the VMM's own display, too: @socket speaks the protocol of
 * device/display/console_abi.h, stays the caller's, and outlives the gpu or
 * the next call of this; -1: no display. It says what modes the heads have.
 * Returns 0 or -errno; then there is none.
 */
int vgpu_gpu_set_console(struct vgpu_gpu *gpu, int socket);

/* Where a head is among all of them, which have their top left at (0, 0). */
struct vgpu_gpu_layout {
	uint32_t x;
	uint32_t y;
	uint32_t head_width; /* 0: the head is unplugged */
	uint32_t head_height;
	uint32_t width; /* of all heads */
	uint32_t height;
};

/*
 * As the guest shows them, if it has one picture for all; else side by side,
 * from left to right, as it is told.
 */
void vgpu_gpu_layout(const struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_gpu_layout *ret_layout);

/* From the next frame on. */
void vgpu_gpu_set_frame_rate_limit(struct vgpu_gpu *gpu, uint32_t limit);

/*
 * What @head shows now, cursor included, in a new sealed memfd that the caller
 * owns. A head that shows nothing is black in its preferred mode.
 */
int vgpu_gpu_capture(struct vgpu_gpu *gpu, uint32_t head,
		     struct vgpu_control_frame *ret_frame, int *ret_fd,
		     struct vgpu_err *err);

/*
 * Attach a viewer (device/display/viewer_abi.h): frames by damage go to
 * @socket, a nonblocking SOCK_SEQPACKET, until it closes. Takes @socket over,
 * also on failure. One viewer a head; a later one replaces.
 * The gpu polls it through the caller: see vgpu_gpu_viewer_readable().
 */
int vgpu_gpu_view(struct vgpu_gpu *gpu, uint32_t head, int socket,
		  struct vgpu_err *err);
/*
 * What the viewer of @head types and points at goes to @sink from now on; it
 * outlives the viewer. Before, a viewer that sends such is cut off.
 */
void vgpu_gpu_take_input(struct vgpu_gpu *gpu, uint32_t head,
			 const struct vgpu_viewer_sink *sink, void *opaque);
/* The viewer socket of @head to poll for EPOLLIN, or -1. */
int vgpu_gpu_viewer_fd(const struct vgpu_gpu *gpu, uint32_t head);
/* Call when that fd is readable (an acknowledgement, or its end). */
void vgpu_gpu_viewer_readable(struct vgpu_gpu *gpu, uint32_t head);

#endif
