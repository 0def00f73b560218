// SPDX-License-Identifier: GPL-2.0-or-later
/* vGPU types, out of a file that is made by make_types.py. */
#include "types.h"

#define HEAP_BYTES_MIN 0x400000 /* what both sides use of it, and some more */
#define BAR1_BYTES_MIN 0x10000
#define CRC_AT	       12 /* the first byte that it is of */

static_assert(sizeof(struct vgpu_type_file_header) == 64, "as the file has it");
static_assert(offsetof(struct vgpu_type_file_header, version) == CRC_AT,
	      "as the file has it");
static_assert(sizeof(struct vgpu_type) == 112, "as the file has it");

static bool types_is_text(const char *text, u32 bytes)
{
	u32 i;

	for (i = 0; i < bytes && text[i]; i++)
		if (text[i] < ' ' || text[i] > '~')
			return false;
	return i > 0 && i < bytes;
}

static const char *types_check_one(const struct vgpu_type *type, u32 gib)
{
	if (!type->id)
		return "a type has no number";
	if (!types_is_text(type->name, sizeof(type->name)) ||
	    !types_is_text(type->class, sizeof(type->class)))
		return "a type has no name or no class";
	if (!type->max_instances || type->max_instances > VGPU_INSTANCES_MAX)
		return "a type has no vGPUs, or too many";
	if (!type->gib || type->gib > gib / type->max_instances)
		return "a type's vGPUs are more than the GPU";
	if (!type->framebuffer_bytes || type->framebuffer_bytes >> 30 > type->gib)
		return "a type has no framebuffer, or more than its part";
	if (!vgpu_is_power_of_2(type->heap_bytes) ||
	    type->heap_bytes < HEAP_BYTES_MIN ||
	    type->heap_bytes > type->framebuffer_bytes)
		return "a type's heap is no power of two, too small or too large";
	if (!vgpu_is_power_of_2(type->bar1_bytes) ||
	    type->bar1_bytes < BAR1_BYTES_MIN)
		return "a type's BAR1 is no power of two, or too small";
	return NULL;
}

static const char *types_check_all(const struct vgpu_type_file *file)
{
	const char *why;
	u32 i, j;

	for (i = 0; i < file->count; i++) {
		why = types_check_one(&file->types[i], file->gib);
		if (why)
			return why;
		for (j = 0; j < i; j++)
			if (file->types[j].id == file->types[i].id)
				return "two types have one number";
	}
	return NULL;
}

static const char *types_check_header(const struct vgpu_type_file_header *header,
				      const u8 *file, u64 bytes)
{
	u64 rest;

	if (bytes < sizeof(*header) ||
	    memcmp(header->magic, VGPU_TYPE_FILE_MAGIC, sizeof(header->magic)))
		return "it is no file of types";
	if (header->version != VGPU_TYPE_FILE_VERSION)
		return "its format is of another version";
	if (header->crc != vgpu_crc32(file + CRC_AT, bytes - CRC_AT))
		return "its checksum is wrong";
	if (!types_is_text(header->firmware_version,
			   sizeof(header->firmware_version)))
		return "it names no firmware";
	if (header->type_count > VGPU_TYPES_MAX)
		return "it has more types than the firmware takes";
	if (header->type_bytes != sizeof(struct vgpu_type) || !header->type_count)
		return "it has no types, or of another size";
	rest = bytes - sizeof(*header);
	if (header->type_count * sizeof(struct vgpu_type) > rest)
		return "it ends among its types";
	rest -= header->type_count * sizeof(struct vgpu_type);
	if (header->payload_bytes != rest || rest == 0 || rest > U32_MAX)
		return "what the firmware is told is missing, or of another size";
	return NULL;
}

int vgpu_types_read(const u8 *file, u64 bytes, const char *version, u32 pci_id,
		    struct vgpu_type_file *ret_types, const char **ret_why)
{
	const struct vgpu_type_file_header *header = (const void *)file;
	struct vgpu_type_file types = {};
	const char *why;

	why = types_check_header(header, file, bytes);
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	if (strcmp(header->firmware_version, version) != 0 ||
	    header->pci_id != pci_id) {
		*ret_why = "it is for another firmware or another GPU";
		return -ENOENT;
	}
	types.gib = header->gib;
	types.count = header->type_count;
	types.types = (const void *)(file + sizeof(*header));
	types.payload = (const u8 *)(types.types + types.count);
	types.payload_bytes = header->payload_bytes;
	why = types_check_all(&types);
	if (why) {
		*ret_why = why;
		return -EBADMSG;
	}
	*ret_types = types;
	return 0;
}

const struct vgpu_type *vgpu_types_find(const struct vgpu_type_file *types, u32 id)
{
	u32 i;

	for (i = 0; i < types->count; i++)
		if (types->types[i].id == id)
			return &types->types[i];
	return NULL;
}
