/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The vhost-user protocol's messages (QEMU's docs/interop/vhost-user.rst). */
#ifndef VGPU_DEVICE_VHOST_ABI_H
#define VGPU_DEVICE_VHOST_ABI_H

#include <assert.h>
#include <stdint.h>

/* From the front end, as far as they are implemented. */
enum vgpu_vhost_request {
	VHOST_USER_GET_FEATURES = 1,
	VHOST_USER_SET_FEATURES = 2,
	VHOST_USER_SET_OWNER = 3,
	VHOST_USER_RESET_OWNER = 4,
	VHOST_USER_SET_MEM_TABLE = 5,
	VHOST_USER_SET_VRING_NUM = 8,
	VHOST_USER_SET_VRING_ADDR = 9,
	VHOST_USER_SET_VRING_BASE = 10,
	VHOST_USER_GET_VRING_BASE = 11,
	VHOST_USER_SET_VRING_KICK = 12,
	VHOST_USER_SET_VRING_CALL = 13,
	VHOST_USER_SET_VRING_ERR = 14,
	VHOST_USER_GET_PROTOCOL_FEATURES = 15,
	VHOST_USER_SET_PROTOCOL_FEATURES = 16,
	VHOST_USER_GET_QUEUE_NUM = 17,
	VHOST_USER_SET_VRING_ENABLE = 18,
	VHOST_USER_SET_BACKEND_REQ_FD = 21,
	VHOST_USER_GET_CONFIG = 24,
	VHOST_USER_SET_CONFIG = 25,
	VHOST_USER_GPU_SET_SOCKET = 33,
	VHOST_USER_RESET_DEVICE = 34,
	VHOST_USER_GET_MAX_MEM_SLOTS = 36,
	VHOST_USER_ADD_MEM_REG = 37,
	VHOST_USER_REM_MEM_REG = 38,
	VHOST_USER_GET_SHMEM_CONFIG = 44,
	VHOST_USER_MAX
};

/* To the front end, on the back-end channel. */
enum vgpu_vhost_backend_request {
	VHOST_USER_BACKEND_CONFIG_CHANGE_MSG = 2,
	VHOST_USER_BACKEND_VRING_HOST_NOTIFIER_MSG = 3,
	VHOST_USER_BACKEND_SHMEM_MAP = 9,
	VHOST_USER_BACKEND_SHMEM_UNMAP = 10,
};

#define VHOST_USER_F_PROTOCOL_FEATURES 30

enum vgpu_vhost_protocol_feature {
	VHOST_USER_PROTOCOL_F_MQ = 0,
	VHOST_USER_PROTOCOL_F_REPLY_ACK = 3,
	VHOST_USER_PROTOCOL_F_BACKEND_REQ = 5,
	VHOST_USER_PROTOCOL_F_CONFIG = 9,
	VHOST_USER_PROTOCOL_F_BACKEND_SEND_FD = 10,
	VHOST_USER_PROTOCOL_F_HOST_NOTIFIER = 11,
	VHOST_USER_PROTOCOL_F_RESET_DEVICE = 13,
	VHOST_USER_PROTOCOL_F_CONFIGURE_MEM_SLOTS = 15,
	VHOST_USER_PROTOCOL_F_SHMEM = 22, /* QEMU 11.1.3 */
};

#define VHOST_USER_VERSION	1U
#define VHOST_USER_VERSION_MASK 3U
#define VHOST_USER_REPLY	(1U << 2)
#define VHOST_USER_NEED_REPLY	(1U << 3)

struct vhost_user_header {
	uint32_t request;
	uint32_t flags;
	uint32_t size; /* of the payload that follows */
};
static_assert(sizeof(struct vhost_user_header) == 12, "header size");

#define VHOST_USER_TABLE_MAX 8 /* regions of SET_MEM_TABLE */

struct vhost_user_region {
	uint64_t guest_address;
	uint64_t bytes;
	uint64_t user_address;
	uint64_t mmap_offset;
};

struct vhost_user_memory {
	uint32_t n_regions;
	uint32_t pad;
	struct vhost_user_region region[VHOST_USER_TABLE_MAX];
};

struct vhost_user_single_region {
	uint64_t pad;
	struct vhost_user_region region;
};
static_assert(sizeof(struct vhost_user_single_region) == 40, "region size");

struct vhost_user_vring_state {
	uint32_t index;
	uint32_t num;
};

struct vhost_user_vring_addr {
	uint32_t index;
	uint32_t flags;
	uint64_t desc;
	uint64_t used;
	uint64_t avail;
	uint64_t log;
};
static_assert(sizeof(struct vhost_user_vring_addr) == 40, "vring addr size");

/* The u64 of SET_VRING_KICK, _CALL and _ERR. */
#define VHOST_USER_VRING_INDEX_MASK 0xffU
#define VHOST_USER_VRING_NO_FD	    (1U << 8)

#define VHOST_USER_CONFIG_MAX 256

struct vhost_user_config {
	uint32_t offset;
	uint32_t size;
	uint32_t flags;
	uint8_t data[VHOST_USER_CONFIG_MAX];
};
#define VHOST_USER_CONFIG_HEADER 12
static_assert(sizeof(struct vhost_user_config) == 268, "config size");

struct vhost_user_shmem_config {
	uint32_t n_regions;
	uint32_t pad;
	uint64_t bytes[256]; /* by shared memory id */
};
static_assert(sizeof(struct vhost_user_shmem_config) == 2056, "shmem size");

struct vhost_user_mmap {
	uint8_t shmid;
	uint8_t pad[7];
	uint64_t fd_offset;
	uint64_t shm_offset;
	uint64_t bytes;
	uint64_t flags;
};
#define VHOST_USER_MAP_WRITABLE 1U
#define VHOST_USER_SHMID_WINDOW 1 /* virtio 1.3, 5.7.6: VIRTIO_GPU_SHM_ID */
static_assert(sizeof(struct vhost_user_mmap) == 40, "mmap size");

struct vhost_user_vring_area {
	uint64_t index; /* and VHOST_USER_VRING_NO_FD */
	uint64_t bytes;
	uint64_t offset;
};
static_assert(sizeof(struct vhost_user_vring_area) == 24, "area size");

#endif
