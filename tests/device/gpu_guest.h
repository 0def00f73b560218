/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest in the same process, for tests of device/gpu: memory and commands. */
#ifndef VGPU_TESTS_DEVICE_GPU_GUEST_H
#define VGPU_TESTS_DEVICE_GPU_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "device/gpu/display/display.h"
#include "device/gpu/memory/memory.h"
#include "tests/device/gpu_kept.h"

/* Where the guest's memory begins: nothing is below, nothing beyond. */
#define GUEST_BASE 0x100000000ull
#define GUEST_PAGE 4096u
/* Guest memory is contiguous for so long, and not with what follows. */
#define GUEST_PIECE  (1024u * 1024u + GUEST_PAGE)
#define GUEST_WIDTH  640u /* largest mode unless told otherwise */
#define GUEST_HEIGHT 480u

struct guest {
	struct vgpu_gpu *gpu;
	struct vgpu_gpu_config config;
	struct vgpu_gpu_state *state;
	uint8_t *memory;
	uint64_t memory_bytes;

	/* How the next command is sent. */
	bool is_retry;
	uint32_t flags;	 /* of the header; a fence of 0x1122334455667788 */
	size_t cut;	 /* bytes of one iovec; 0 for all in one */
	size_t writable; /* room for the answer */

	bool is_ended_by_completion; /* the process, before it sees an answer */

	/* What became of it. */
	unsigned int completions;
	unsigned int faults;
	unsigned int config_changes;
	size_t written;
	union {
		struct vgpu_gpu_header header;
		struct vgpu_gpu_answer_display_info display_info;
		struct vgpu_gpu_answer_edid edid;
		struct vgpu_gpu_answer_uuid uuid;
		uint8_t bytes[2048];
	} answer;
	uint8_t request[1 << 20];
};

/* Values around which mistakes are made, with resources of that side. */
#define GUEST_SIDE  32u
#define GUEST_N_ODD 15u
extern const uint32_t guest_odd_values[GUEST_N_ODD];

/* All features accepted. Fails the test, or aborts, if it cannot. */
struct guest *guest_create(uint32_t heads, uint32_t width, uint32_t height,
			   uint64_t framebuffer_mib, uint64_t memory_mib);
void guest_destroy(struct guest *guest);
/* Of a test with a guest of two heads, to which nothing bad has happened. */
int guest_set_up(void **state);
int guest_tear_down(void **state);
/* End the gpu and begin another on the same state, as a successor does. */
void guest_resume(struct guest *guest);

uint32_t guest_send(struct guest *guest, uint32_t type, const void *body,
		    size_t body_bytes);
uint32_t guest_send_entries(struct guest *guest, uint32_t type,
			    const void *body, size_t body_bytes,
			    const struct vgpu_gpu_entry *entries, size_t n);
uint32_t guest_send_cursor(struct guest *guest, uint32_t type,
			   const struct vgpu_gpu_cursor_request *cursor);

/* Good commands, each returning the answer. */
uint32_t guest_create_2d(struct guest *guest, uint32_t id, uint32_t format,
			 uint32_t width, uint32_t height);
uint32_t guest_unref(struct guest *guest, uint32_t id);
/* @bytes in one piece, at @at of the guest's memory. */
uint32_t guest_attach(struct guest *guest, uint32_t id, uint64_t at,
		      uint32_t bytes);
/* In pages, the later ones first. */
uint32_t guest_attach_scattered(struct guest *guest, uint32_t id, uint64_t at,
				uint32_t bytes);
uint32_t guest_detach(struct guest *guest, uint32_t id);
uint32_t guest_blob(struct guest *guest, uint32_t id, uint64_t at,
		    uint32_t bytes);
uint32_t guest_transfer(struct guest *guest, uint32_t id, uint32_t x, uint32_t y,
			uint32_t width, uint32_t height, uint64_t offset);
uint32_t guest_scanout(struct guest *guest, uint32_t head, uint32_t id,
		       uint32_t x, uint32_t y, uint32_t width, uint32_t height);
uint32_t guest_flush(struct guest *guest, uint32_t id, uint32_t x, uint32_t y,
		     uint32_t width, uint32_t height);
uint32_t guest_cursor(struct guest *guest, uint32_t head, uint32_t id,
		      int32_t x, int32_t y);

/* A 2D resource with backing at @at, filled from there, shown on @head. */
void guest_show(struct guest *guest, uint32_t head, uint32_t id, uint64_t at,
		uint32_t width, uint32_t height);

/* A picture of a head. */
struct picture {
	uint32_t width;
	uint32_t height;
	size_t bytes;
	uint32_t *pixels;
};
void guest_capture(struct guest *guest, uint32_t head, struct picture *ret);
void picture_finish(struct picture *picture);

/* Abort if what is private to the gpu does not agree with its state. */
void guest_check(const struct guest *guest);

#endif
