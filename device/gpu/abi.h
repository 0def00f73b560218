/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What passes on the virtio-gpu queues: the numbers and layouts of the standard. */
#ifndef VGPU_DEVICE_GPU_ABI_H
#define VGPU_DEVICE_GPU_ABI_H

#include <assert.h>
#include <endian.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Virtio 1.3, 5.7. All fields are little-endian. The device runs where guest
 * and host share memory, so both are, and fields are used as they are.
 */
static_assert(__BYTE_ORDER == __LITTLE_ENDIAN, "little-endian hosts only");

enum vgpu_gpu_feature {
	VGPU_GPU_F_VIRGL = 0,
	VGPU_GPU_F_EDID = 1,
	VGPU_GPU_F_RESOURCE_UUID = 2,
	VGPU_GPU_F_RESOURCE_BLOB = 3,
	VGPU_GPU_F_CONTEXT_INIT = 4,
};

enum vgpu_gpu_command {
	VGPU_GPU_GET_DISPLAY_INFO = 0x0100,
	VGPU_GPU_RESOURCE_CREATE_2D = 0x0101,
	VGPU_GPU_RESOURCE_UNREF = 0x0102,
	VGPU_GPU_SET_SCANOUT = 0x0103,
	VGPU_GPU_RESOURCE_FLUSH = 0x0104,
	VGPU_GPU_TRANSFER_TO_HOST_2D = 0x0105,
	VGPU_GPU_RESOURCE_ATTACH_BACKING = 0x0106,
	VGPU_GPU_RESOURCE_DETACH_BACKING = 0x0107,
	VGPU_GPU_GET_CAPSET_INFO = 0x0108,
	VGPU_GPU_GET_CAPSET = 0x0109,
	VGPU_GPU_GET_EDID = 0x010a,
	VGPU_GPU_RESOURCE_ASSIGN_UUID = 0x010b,
	VGPU_GPU_RESOURCE_CREATE_BLOB = 0x010c,
	VGPU_GPU_SET_SCANOUT_BLOB = 0x010d,
	VGPU_GPU_2D_END,

	VGPU_GPU_CTX_CREATE = 0x0200,
	VGPU_GPU_CTX_DESTROY = 0x0201,
	VGPU_GPU_CTX_ATTACH_RESOURCE = 0x0202,
	VGPU_GPU_CTX_DETACH_RESOURCE = 0x0203,
	VGPU_GPU_SUBMIT_3D = 0x0207,
	VGPU_GPU_RESOURCE_MAP_BLOB = 0x0208,
	VGPU_GPU_RESOURCE_UNMAP_BLOB = 0x0209,
	VGPU_GPU_3D_END,

	VGPU_GPU_UPDATE_CURSOR = 0x0300,
	VGPU_GPU_MOVE_CURSOR = 0x0301,
};

enum vgpu_gpu_answer {
	VGPU_GPU_OK_NODATA = 0x1100,
	VGPU_GPU_OK_DISPLAY_INFO = 0x1101,
	VGPU_GPU_OK_CAPSET_INFO = 0x1102,
	VGPU_GPU_OK_CAPSET = 0x1103,
	VGPU_GPU_OK_EDID = 0x1104,
	VGPU_GPU_OK_RESOURCE_UUID = 0x1105,
	VGPU_GPU_OK_MAP_INFO = 0x1106,

	VGPU_GPU_ERR_UNSPEC = 0x1200,
	VGPU_GPU_ERR_OUT_OF_MEMORY = 0x1201,
	VGPU_GPU_ERR_INVALID_SCANOUT_ID = 0x1202,
	VGPU_GPU_ERR_INVALID_RESOURCE_ID = 0x1203,
	VGPU_GPU_ERR_INVALID_CONTEXT_ID = 0x1204,
	VGPU_GPU_ERR_INVALID_PARAMETER = 0x1205,
};

/* Named by the order of bytes in memory: B8G8R8A8 is blue first. */
enum vgpu_gpu_format {
	VGPU_GPU_B8G8R8A8 = 1,
	VGPU_GPU_B8G8R8X8 = 2,
	VGPU_GPU_A8R8G8B8 = 3,
	VGPU_GPU_X8R8G8B8 = 4,
	VGPU_GPU_R8G8B8A8 = 67,
	VGPU_GPU_X8B8G8R8 = 68,
	VGPU_GPU_A8B8G8R8 = 121,
	VGPU_GPU_R8G8B8X8 = 134,
};

#define VGPU_GPU_FLAG_FENCE    (1u << 0)
#define VGPU_GPU_FLAG_RING_IDX (1u << 1)

#define VGPU_GPU_EVENT_DISPLAY (1u << 0)

#define VGPU_GPU_BLOB_MEM_GUEST	 1u
#define VGPU_GPU_BLOB_MEM_HOST3D 2u
#define VGPU_GPU_BLOB_MAPPABLE	 1u
/* mappable, shareable, shareable across devices */
#define VGPU_GPU_BLOB_FLAGS 7u

#define VGPU_GPU_CAPSET_GFXSTREAM 3u
#define VGPU_GPU_CAPSET_VENUS	  4u
/* Of venus'; zeros follow the other, of which guests take what they know. */
#define VGPU_GPU_CAPSET_BYTES 160u
#define VGPU_GPU_MAP_CACHED   1u

#define VGPU_GPU_SCANOUTS_MAX 16
#define VGPU_GPU_CURSOR_SIDE  64 /* pixels; 5.7.6.10 allows no other */
#define VGPU_GPU_EDID_MAX     1024

struct vgpu_gpu_header {
	uint32_t type;
	uint32_t flags;
	uint64_t fence_id;
	uint32_t ctx_id;
	uint8_t ring_idx;
	uint8_t padding[3];
};

struct vgpu_gpu_rect {
	uint32_t x;
	uint32_t y;
	uint32_t width;
	uint32_t height;
};

struct vgpu_gpu_entry {
	uint64_t gpa;
	uint32_t bytes;
	uint32_t padding;
};

/* Requests. Their header is read apart from them. */

struct vgpu_gpu_resource_create_2d {
	uint32_t resource_id;
	uint32_t format;
	uint32_t width;
	uint32_t height;
};

/* unref, detach backing, assign uuid */
struct vgpu_gpu_resource_only {
	uint32_t resource_id;
	uint32_t padding;
};

struct vgpu_gpu_set_scanout {
	struct vgpu_gpu_rect rect;
	uint32_t scanout_id;
	uint32_t resource_id;
};

struct vgpu_gpu_resource_flush {
	struct vgpu_gpu_rect rect;
	uint32_t resource_id;
	uint32_t padding;
};

struct vgpu_gpu_transfer_to_host_2d {
	struct vgpu_gpu_rect rect;
	uint64_t offset;
	uint32_t resource_id;
	uint32_t padding;
};

/* Its entries follow. */
struct vgpu_gpu_attach_backing {
	uint32_t resource_id;
	uint32_t n_entries;
};

struct vgpu_gpu_get_capset_info {
	uint32_t capset_index;
	uint32_t padding;
};

struct vgpu_gpu_get_capset {
	uint32_t capset_id;
	uint32_t capset_version;
};

struct vgpu_gpu_get_edid {
	uint32_t scanout_id;
	uint32_t padding;
};

/* Its entries follow. */
struct vgpu_gpu_create_blob {
	uint32_t resource_id;
	uint32_t blob_mem;
	uint32_t blob_flags;
	uint32_t n_entries;
	uint64_t blob_id;
	uint64_t bytes;
};

struct vgpu_gpu_ctx_create {
	uint32_t name_bytes;
	uint32_t context_init; /* capset id in the low 8 bits */
	char debug_name[64];
};

/* Its commands follow. */
struct vgpu_gpu_submit_3d {
	uint32_t bytes;
	uint32_t padding;
};

struct vgpu_gpu_map_blob {
	uint32_t resource_id;
	uint32_t padding;
	uint64_t offset; /* in the host-visible window */
};

struct vgpu_gpu_set_scanout_blob {
	struct vgpu_gpu_rect rect;
	uint32_t scanout_id;
	uint32_t resource_id;
	uint32_t width;
	uint32_t height;
	uint32_t format;
	uint32_t padding;
	uint32_t strides[4];
	uint32_t offsets[4];
};

/* update and move; a move uses the position only */
struct vgpu_gpu_cursor_request {
	uint32_t scanout_id;
	uint32_t x;
	uint32_t y;
	uint32_t padding;
	uint32_t resource_id;
	uint32_t hot_x;
	uint32_t hot_y;
	uint32_t padding2;
};

/* Answers, with their header. */

struct vgpu_gpu_answer_display_info {
	struct vgpu_gpu_header header;
	struct {
		struct vgpu_gpu_rect rect;
		uint32_t enabled;
		uint32_t flags;
	} modes[VGPU_GPU_SCANOUTS_MAX];
};

struct vgpu_gpu_answer_edid {
	struct vgpu_gpu_header header;
	uint32_t bytes;
	uint32_t padding;
	uint8_t edid[VGPU_GPU_EDID_MAX];
};

struct vgpu_gpu_answer_uuid {
	struct vgpu_gpu_header header;
	uint8_t uuid[16];
};

struct vgpu_gpu_answer_capset_info {
	struct vgpu_gpu_header header;
	uint32_t capset_id;
	uint32_t max_version;
	uint32_t max_bytes;
	uint32_t padding;
};

struct vgpu_gpu_answer_capset {
	struct vgpu_gpu_header header;
	uint8_t data[VGPU_GPU_CAPSET_BYTES];
};

struct vgpu_gpu_answer_map_info {
	struct vgpu_gpu_header header;
	uint32_t map_info;
	uint32_t padding;
};

/* The configuration space. */
struct vgpu_gpu_config_space {
	uint32_t events_read;
	uint32_t events_clear;
	uint32_t n_scanouts;
	uint32_t n_capsets;
};

static_assert(sizeof(struct vgpu_gpu_header) == 24, "5.7.6.7");
static_assert(offsetof(struct vgpu_gpu_header, ring_idx) == 20, "5.7.6.7");
static_assert(sizeof(struct vgpu_gpu_entry) == 16, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_resource_create_2d) == 16, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_resource_only) == 8, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_set_scanout) == 24, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_resource_flush) == 24, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_transfer_to_host_2d) == 32, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_attach_backing) == 8, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_get_capset_info) == 8, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_get_capset) == 8, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_get_edid) == 8, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_create_blob) == 32, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_ctx_create) == 72, "5.7.6.9");
static_assert(sizeof(struct vgpu_gpu_submit_3d) == 8, "5.7.6.9");
static_assert(sizeof(struct vgpu_gpu_map_blob) == 16, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_answer_capset_info) == 40, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_answer_map_info) == 32, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_set_scanout_blob) == 72, "5.7.6.8");
static_assert(offsetof(struct vgpu_gpu_set_scanout_blob, strides) == 40,
	      "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_cursor_request) == 32, "5.7.6.10");
static_assert(sizeof(struct vgpu_gpu_answer_display_info) == 408, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_answer_edid) == 1056, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_answer_uuid) == 40, "5.7.6.8");
static_assert(sizeof(struct vgpu_gpu_config_space) == 16, "5.7.4");

#endif
