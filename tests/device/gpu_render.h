/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that does not wait, and a double of its contexts' processes. */
#ifndef VGPU_TESTS_DEVICE_GPU_RENDER_H
#define VGPU_TESTS_DEVICE_GPU_RENDER_H

#include "device/gpu/context/context.h"
#include "device/gpu/display/display.h"
#include "device/gpu/memory/memory.h"
#include "tests/device/gpu_kept.h"

#define WINDOW_BYTES	  (64u << 20)
#define FRAMEBUFFER_BYTES (16u << 20)
#define OK		  VGPU_GPU_OK_NODATA

/* The double of device/render: it keeps what it is told, and does nothing. */
struct vgpu_render {
	struct vgpu_render_config config;
	const struct vgpu_render_ops *ops;
	void *opaque;
	int error;	     /* what the next calls return */
	enum vgpu_loss loss; /* what it will have died of */
	unsigned int room;   /* for so many calls */
	uint64_t last_token;
	uint64_t last_question;
	uint64_t submitted_bytes;
	uint8_t first_byte; /* of the last submit */
	unsigned int n_fences;
	struct {
		uint32_t ring_idx;
		uint64_t id;
	} fence[4096];
	unsigned int n_exports;
	uint64_t exported_memory;
	uint32_t added; /* the last resource, and with what */
	int added_fd;
	uint64_t added_bytes;
	unsigned int n_added;
	unsigned int n_removed;
};

extern unsigned int render_alive;
extern struct vgpu_render *render_last;
extern int render_create_error;
extern bool render_is_slow; /* new ones are ready when the test says so */

/* All fences there are, or those of one timeline. */
void render_finish(struct vgpu_render *render);
void render_finish_ring(struct vgpu_render *render, uint32_t ring_idx);
/* An allocation, and the file that it is given. Returns -errno or 0. */
int render_alloc(struct vgpu_render *render, uint64_t bytes, uint64_t *ret_name,
		 int *ret_fd);
int render_charge(struct vgpu_render *render, uint64_t bytes, uint64_t *ret_name);
int render_free(struct vgpu_render *render, uint64_t name);
/* The file of a resource that it was told of, or -errno. */
int render_open(struct vgpu_render *render, uint32_t resource_id);
void render_die(struct vgpu_render *render);
/* It takes @n calls more, and says so. */
void render_give_room(struct vgpu_render *render, unsigned int n);

/* A request under way. */
struct sent {
	struct vgpu_gpu_request request;
	struct iovec readable;
	struct iovec writable;
	uint64_t token;
	bool is_done;
	size_t written;
	union {
		struct vgpu_gpu_header header;
		struct vgpu_gpu_answer_capset capset;
		struct vgpu_gpu_answer_capset_info capset_info;
		struct vgpu_gpu_answer_map_info map_info;
	} answer;
	uint8_t bytes[256];
};

#define SENT_MAX 1100

struct machine {
	struct vgpu_gpu *gpu;
	struct vgpu_gpu_config config;
	struct vgpu_render_config render;
	struct vgpu_gpu_state *state;
	uint8_t *memory; /* the guest's, from 0 on */
	unsigned int faults;

	/* How the next one is sent. */
	uint32_t context;
	uint32_t flags;
	uint8_t ring_idx;
	bool is_retry;
	const void *more; /* after the body */
	size_t more_bytes;

	unsigned int n_sent;
	struct sent *sent[SENT_MAX];

	/* What the window was asked for. */
	int window_error;
	unsigned int n_maps;
	unsigned int n_unmaps;
	unsigned int n_forgets;
	unsigned int n_resumed;
	uint64_t cookie; /* of the last */
	struct vgpu_gpu_mapping mapping;
};

struct machine *machine_create(void);
void machine_destroy(struct machine *machine);
/* For cmocka: *state is a struct machine. */
int machine_set_up(void **state);
int machine_tear_down(void **state);
/* Of the framebuffer, in bytes. */
uint64_t machine_used(struct machine *machine);
/* Another gpu on the same state, as a successor; what was under way is gone. */
void machine_resume(struct machine *machine);

/* Send without waiting. */
struct sent *machine_send(struct machine *machine, uint32_t type,
			  const void *body, size_t body_bytes);
/* The answer of one that must be answered at once. */
uint32_t answer_of(const struct sent *sent);

struct sent *send_context(struct machine *machine, uint32_t type, uint32_t id);
struct sent *send_resource(struct machine *machine, uint32_t type, uint32_t id);
struct sent *send_blob(struct machine *machine, uint32_t id, uint64_t blob_id,
		       uint64_t bytes);
struct sent *send_map(struct machine *machine, uint32_t id, uint64_t offset);
struct sent *send_submit(struct machine *machine, uint32_t bytes);
/* With a context of that id, which its process is returned of. */
struct vgpu_render *machine_context(struct machine *machine, uint32_t id);
/* A resource of @bytes of new device memory of @render's, the current context. */
uint64_t machine_memory(struct machine *machine, struct vgpu_render *render,
			uint32_t id, uint64_t bytes);

#endif
