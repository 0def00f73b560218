/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between vgpud and a vgpu-device, and the fds that pass with them. */
#ifndef VGPU_LIB_CONTROL_ABI_H
#define VGPU_LIB_CONTROL_ABI_H

#include <assert.h>
#include <stdint.h>

#include "lib/figures.h"

/*
 * The control socket is a SOCK_SEQPACKET unix socket; one message is one
 * struct vgpu_control_msg, with at most one fd attached (SCM_RIGHTS).
 *
 * How a device process begins. vgpud makes a socket pair, starts
 * `vgpu-device --control-fd N`, and sends
 *
 *     FD, FD, ...   every fd the vGPU has: on the first start the state
 *                   block, the listening sockets and the framebuffer segments;
 * for a successor also all that the one before it stored START         the configuration
 *
 * and the device answers STATUS: it now serves. A state block of zeroes means
 * a first start; otherwise the device goes on where the block says.
 *
 * While it runs the device sends FD for every fd that a successor would need,
 * before the state block refers to it, and FD_DROP when it needs one no more.
 * vgpud keeps a duplicate of each, so that nothing is closed by the death of
 * the device. A message that was sent arrives even if its sender dies.
 *
 * How a new vgpud takes over. Where systemd keeps fds for it, vgpud's end of the
 * socket pair outlives it: the next vgpud goes on with it, and begins with
 * ADOPT. The device sends FD for all it has, then STATUS with ADOPT's serial;
 * what comes before was meant for the earlier vgpud. If all ends of vgpud's
 * are closed the device ends: nobody could ever reach it again.
 *
 * Where nothing keeps fds, the device has a control listening socket, and goes
 * on without a vgpud. The next one connects and sends ADOPT with the key that
 * START gave the device, which drops its old manager and answers as above. A
 * connection that sends anything else is closed: to be let in by the socket's
 * mode proves nothing, for other devices run as the same user.
 */

#define VGPU_CONTROL_VERSION 6

enum vgpu_control_type {
	VGPU_CONTROL_FD = 1,  /* both ways; slot; one fd attached */
	VGPU_CONTROL_FD_DROP, /* from the device; slot */
	VGPU_CONTROL_START,   /* to the device; start */
	VGPU_CONTROL_STATUS,  /* from the device; status */
	VGPU_CONTROL_EVENT,   /* from the device; event */
	VGPU_CONTROL_CAPTURE, /* to the device; head. REPLY with reply.frame and
			       * a memfd of its pixels, cursor included */
	VGPU_CONTROL_VIEW,    /* to the device; view; the device's end of a
			       * viewer socket attached (viewer_abi.h). REPLY */
	VGPU_CONTROL_SET_MODE, /* to the device; mode. REPLY */
	VGPU_CONTROL_REPLY, /* from the device; reply; serial of the request */
	VGPU_CONTROL_ADOPT, /* to the device; key */
	VGPU_CONTROL_PING,  /* to the device, once a second; REPLY with its
			     * reply.figures */
	VGPU_CONTROL_SET_FRAME_RATE, /* to the device; frame_rate. REPLY */
	VGPU_CONTROL_SET_VGPUS,	     /* to the device; vgpus. REPLY */
	VGPU_CONTROL_SET_TIME,	     /* to the device; time. REPLY */
	VGPU_CONTROL_MAX
};

/* Which fd this is: one number for one purpose, the later one replaces. */
enum vgpu_control_slot {
	VGPU_SLOT_STATE = 1,	   /* the shared state block, a memfd */
	VGPU_SLOT_LISTEN = 2,	   /* vhost-user or vtest listening socket */
	VGPU_SLOT_CONTROL = 3,	   /* control listening socket, if any */
	VGPU_SLOT_FRONTEND = 4,	   /* vhost-user connection */
	VGPU_SLOT_BACKEND_REQ = 5, /* vhost-user back-end channel */
	VGPU_SLOT_PIPE_READ = 6,   /* what leaves and enters the connection */
	VGPU_SLOT_PIPE_WRITE = 7,
	VGPU_SLOT_LAUNCHER = 8,	 /* socket to vgpu-launch */
	VGPU_SLOT_DISPLAY = 9,	 /* socket to the VMM's own display, if any */
	VGPU_SLOT_MDEV = 10,	 /* file of a mediated device, in place of 2 */
	VGPU_SLOT_TIME = 11,	 /* memfd of a struct vgpu_gpu_time, if any */
	VGPU_SLOT_MEMORY = 16,	 /* + region, VGPU_SLOT_MEMORY_MAX of them */
	VGPU_SLOT_KICK = 64,	 /* + queue */
	VGPU_SLOT_CALL = 80,	 /* + queue */
	VGPU_SLOT_ERROR = 96,	 /* + queue */
	VGPU_SLOT_MESSAGE = 128, /* + i of the message being handled */
	/*
	 * + VGPU_SLOT_DEVICE_STRIDE * enum vgpu_input + a slot from
	 * above: the same of an input device, which has a state block, a
	 * listening socket and a front end of its own.
	 */
	VGPU_SLOT_INPUT = 256,
	VGPU_SLOT_SEGMENT = 1024, /* + index in the vGPU's framebuffer */
	VGPU_SLOT_MAX = 1024 + 8192,
};
#define VGPU_SLOT_MEMORY_MAX	32
#define VGPU_SLOT_QUEUE_MAX	16
#define VGPU_SLOT_DEVICE_STRIDE 256

/* The input devices of a vGPU: its seat. */
enum vgpu_input {
	VGPU_INPUT_KEYBOARD = 0,
	VGPU_INPUT_TABLET, /* a pointer with absolute positions */
	VGPU_INPUTS,
};

static_assert(VGPU_SLOT_INPUT + VGPU_INPUTS * VGPU_SLOT_DEVICE_STRIDE <=
		      VGPU_SLOT_SEGMENT,
	      "slots of input devices");

#define VGPU_CONTROL_TEXT_MAX 200

/* Its share of a hardware GPU's time; zeroes, as from older managers: no limit. */
struct vgpu_control_time {
	uint32_t part; /* of VGPU_SHARE_WHOLE */
	uint32_t slice_usec;
};

/* The secret of one vGPU: who knows it is a vgpud. */
#define VGPU_CONTROL_KEY_BYTES 32

struct vgpu_control_start {
	char uuid[40];
	char name[72];
	char type[16];
	uint32_t version; /* VGPU_CONTROL_VERSION */
	uint32_t heads;
	uint32_t max_width;
	uint32_t max_height;
	uint32_t segments; /* framebuffer segments given */
	uint32_t frame_rate_limit;
	uint64_t segment_bytes; /* size of each */
	uint64_t framebuffer_bytes;
	uint64_t host_visible_bytes; /* of the window; a power of two, or 0 */
	uint8_t gpu_uuid[16]; /* Vulkan's deviceUUID; zeroes: the embedded one */
	uint32_t has_renderer;	     /* guests get Vulkan */
	uint32_t is_framebuffer_new; /* no process has had it: it is whole */
	uint64_t host_memory_bytes;  /* for contexts, beyond the framebuffer */
	uint8_t key[VGPU_CONTROL_KEY_BYTES];
	uint32_t is_for_container; /* it serves vtest clients, and no VMM */
	/*
	 * Its vGPU is gone, and a VMM still has it that would abort without
	 * one. It answers that with nothing behind it, has no manager from now
	 * on, and ends when the VMM lets go.
	 */
	uint32_t is_retired;
	struct vgpu_control_time time;
};

enum vgpu_control_link {
	VGPU_LINK_LISTENING = 0,
	VGPU_LINK_ATTACHED =
		1, /* a VMM is connected, or a program has a context */
};

struct vgpu_control_head {
	uint16_t width; /* what the guest shows; 0 x 0 while it shows nothing */
	uint16_t height;
	uint16_t preferred_width;
	uint16_t preferred_height;
};

struct vgpu_control_status {
	uint32_t link;	  /* enum vgpu_control_link */
	int32_t peer_pid; /* the VMM's or a program's, 0 if unknown */
	uint32_t heads;
	uint32_t generation; /* device processes before this one */
	uint64_t commands; /* control commands handled since the VM attached */
	uint64_t errors;   /* of them answered with an error */
	uint64_t framebuffer_used_bytes;
	struct vgpu_control_head head[16];
	uint64_t frames;      /* that heads showed since the VM attached */
	uint64_t queue_depth; /* commands that are not answered yet */
};

enum vgpu_control_event_kind {
	VGPU_EVENT_GUEST_FAULT = 1, /* the guest or VMM broke a rule; text */
	VGPU_EVENT_RESUMED = 2,	    /* a successor goes on; text */
	VGPU_EVENT_REFUSED = 3, /* no vgpud, but it asked for the fds; text */
	VGPU_EVENT_SANDBOX = 4, /* what the kernel does not give; text */
	VGPU_EVENT_FROZEN = 5,	/* vgpu-launch does not answer; text */
	VGPU_EVENT_FORBIDDEN_CALL = 6, /* of a render process; text */
};

struct vgpu_control_event {
	uint32_t kind;
	uint32_t suppressed; /* events of this kind not sent since the last */
	char text[VGPU_CONTROL_TEXT_MAX];
};

struct vgpu_control_mode {
	uint32_t head;
	uint32_t width;
	uint32_t height;
};

struct vgpu_control_view {
	uint32_t head;
	/*
	 * The viewer may type, point and change the head's mode. 0, as from
	 * older managers: it may only look.
	 */
	uint32_t has_input;
};

/* Pixels are 32 bit little-endian x8r8g8b8 (DRM_FORMAT_XRGB8888). */
struct vgpu_control_frame {
	uint32_t width;
	uint32_t height;
	uint32_t stride_bytes;
	uint32_t pad;
};

struct vgpu_control_reply {
	int32_t status; /* 0, or a negative errno with text */
	uint32_t pad;
	union {
		struct {
			struct vgpu_control_frame frame;
			char text[VGPU_CONTROL_TEXT_MAX];
		};
		struct vgpu_figures figures; /* zeroes from older devices */
	};
};

struct vgpu_control_msg {
	uint32_t type;
	uint32_t serial; /* of a request, repeated in its answer; else 0 */
	union {
		uint32_t slot;
		uint32_t head;
		uint32_t frame_rate; /* the limit; 0 for none */
		uint32_t vgpus;	     /* that its VM has, itself included */
		struct vgpu_control_time time;
		struct vgpu_control_start start;
		struct vgpu_control_status status;
		struct vgpu_control_event event;
		struct vgpu_control_mode mode;
		struct vgpu_control_view view;
		struct vgpu_control_reply reply;
		uint8_t key[VGPU_CONTROL_KEY_BYTES];
		uint8_t size[256];
	};
};

static_assert(sizeof(struct vgpu_control_msg) == 264, "control message size");

#endif
