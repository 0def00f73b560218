/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vGPU types, out of a file that is made by make_types.py. */
#ifndef VGPU_KERNEL_MGR_TYPES_H
#define VGPU_KERNEL_MGR_TYPES_H

#include "kernel/core/pure/port.h"

#define VGPU_TYPES_MAX	      64 /* NVA081_MAX_VGPU_TYPES_PER_PGPU */
#define VGPU_INSTANCES_MAX    32 /* NVA081_MAX_VGPU_PER_PGPU */
#define VGPU_TYPE_NAME_BYTES  32
#define VGPU_TYPE_CLASS_BYTES 16

/*
 * The file, little endian: the header, the types, and what the firmware is told
 * of them, which is passed on as it is: only NVIDIA can sign it for a real GPU.
 */
struct vgpu_type_file_header {
	char magic[8]; /* VGPU_TYPE_FILE_MAGIC */
	u32 crc;       /* CRC-32 as zlib has it, of all that follows it */
	u32 version;
	char firmware_version[16];
	u32 pci_id; /* of the GPU: device << 16 | vendor */
	u32 type_count;
	u32 type_bytes; /* of one type in the file */
	u32 gib;	/* what placement ids count: the board's memory */
	u64 payload_bytes;
	u64 reserved;
};

#define VGPU_TYPE_FILE_MAGIC   "OVGPUTYP"
#define VGPU_TYPE_FILE_VERSION 1

struct vgpu_type {
	u32 id;		  /* not 0 */
	u16 guest_device; /* PCI ids that the guest is shown */
	u16 guest_subsystem;
	char name[VGPU_TYPE_NAME_BYTES];
	char class[VGPU_TYPE_CLASS_BYTES];
	u32 heads;
	u32 max_width;
	u32 max_height;
	u32 frame_rate_limit; /* 0: none */
	u32 max_instances;
	u32 gib; /* the part of the GPU that it is */
	u32 flags;
	u32 reserved;
	u64 framebuffer_bytes; /* at most; what the GPU has left may be less */
	u64 heap_bytes;	       /* of its firmware task: a power of two */
	u64 bar1_bytes;	       /* a power of two */
};

#define VGPU_TYPE_ECC 0x1 /* of the flags: may be had with ECC on */

struct vgpu_type_file {
	u32 gib;
	u32 count;
	const struct vgpu_type *types; /* in the file */
	const u8 *payload;
	u64 payload_bytes;
};

/*
 * Check a file for firmware @version and the GPU @pci_id. @file is 8-byte
 * aligned and must last as long as the result. -EBADMSG: it is broken, *ret_why
 * says where; -ENOENT: it is for another GPU or another firmware.
 */
int vgpu_types_read(const u8 *file, u64 bytes, const char *version, u32 pci_id,
		    struct vgpu_type_file *ret_types, const char **ret_why);

/* The type with that number, or NULL. */
const struct vgpu_type *vgpu_types_find(const struct vgpu_type_file *types,
					u32 id);

#endif
