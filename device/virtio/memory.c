/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory: regions that the front end shares, mapped here. */
#include "memory.h"

#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "lib/util.h"

struct mapping {
	struct mapping *next; /* in the list of removed ones */
	uint64_t guest;
	uint64_t user;
	uint64_t bytes;
	char *host;
	void *map;
	size_t map_bytes;
};

struct vgpu_memory {
	struct mapping *mapping[VGPU_SLOT_MEMORY_MAX];
	struct mapping *removed;
	struct mapping *last; /* where the last address was found, or NULL */
	/* Or there are no regions, but this. */
	vgpu_memory_pin *pin;
	void *opaque;
	char *base;
	uint64_t bytes;
};

int vgpu_memory_create(struct vgpu_memory **ret_memory)
{
	struct vgpu_memory *memory = calloc(1, sizeof(*memory));

	if (!memory)
		return -ENOMEM;
	*ret_memory = memory;
	return 0;
}

void vgpu_memory_destroy(struct vgpu_memory *memory)
{
	if (!memory)
		return;
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++)
		vgpu_memory_remove(memory, i);
	vgpu_memory_release(memory);
	free(memory);
}

static bool do_overlap(uint64_t a, uint64_t a_bytes, uint64_t b, uint64_t b_bytes)
{
	return a < b + b_bytes && b < a + a_bytes;
}

static int check_region(const struct vgpu_memory *memory, uint32_t index,
			const struct vgpu_state_region *region, int fd,
			struct vgpu_err *err)
{
	uint64_t end;
	struct stat st;

	if (!region->bytes ||
	    !vgpu_checked_add(region->guest_address, region->bytes, &end) ||
	    !vgpu_checked_add(region->user_address, region->bytes, &end) ||
	    !vgpu_checked_add(region->file_offset, region->bytes, &end))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "memory region of %" PRIu64
				    " bytes wraps around or is empty",
				    region->bytes);
	if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
		return vgpu_err_set(err, -EINVAL, NULL,
				    "memory region is not backed by a file");
	if (end > (uint64_t)st.st_size)
		return vgpu_err_set(err, -EINVAL, NULL,
				    "memory region ends at %" PRIu64
				    ", its file at %" PRIu64,
				    end, (uint64_t)st.st_size);
	for (uint32_t i = 0; i < VGPU_SLOT_MEMORY_MAX; i++) {
		const struct mapping *other = memory->mapping[i];

		if (!other || i == index)
			continue;
		if (do_overlap(other->guest, other->bytes,
			       region->guest_address, region->bytes) ||
		    do_overlap(other->user, other->bytes, region->user_address,
			       region->bytes))
			return vgpu_err_set(err, -EINVAL, NULL,
					    "memory regions overlap at 0x"
					    "%" PRIx64,
					    region->guest_address);
	}
	return 0;
}

int vgpu_memory_add(struct vgpu_memory *memory, uint32_t index,
		    const struct vgpu_state_region *region, int fd,
		    struct vgpu_err *err)
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	uint64_t lead = region->file_offset & (page - 1);
	struct mapping *mapping;
	int r = check_region(memory, index, region, fd, err);

	if (r < 0)
		return r;
	mapping = calloc(1, sizeof(*mapping));
	if (!mapping)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	mapping->guest = region->guest_address;
	mapping->user = region->user_address;
	mapping->bytes = region->bytes;
	mapping->map_bytes = region->bytes + lead;
	mapping->map = mmap(NULL, mapping->map_bytes, PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_NORESERVE, fd,
			    (off_t)(region->file_offset - lead));
	if (mapping->map == MAP_FAILED) {
		r = -errno;
		free(mapping);
		return vgpu_err_set(err, r, NULL,
				    "cannot map a memory region of %" PRIu64
				    " bytes: %s",
				    region->bytes, strerror(-r));
	}
	madvise(mapping->map, mapping->map_bytes, MADV_DONTDUMP);
	mapping->host = (char *)mapping->map + lead;
	vgpu_memory_remove(memory, index);
	memory->mapping[index] = mapping;
	return 0;
}

void vgpu_memory_remove(struct vgpu_memory *memory, uint32_t index)
{
	struct mapping *mapping = memory->mapping[index];

	if (!mapping)
		return;
	memory->mapping[index] = NULL;
	memory->last = NULL;
	mapping->next = memory->removed;
	memory->removed = mapping;
}

void vgpu_memory_release(struct vgpu_memory *memory)
{
	while (memory->removed) {
		struct mapping *mapping = memory->removed;

		memory->removed = mapping->next;
		munmap(mapping->map, mapping->map_bytes);
		free(mapping);
	}
}

static bool has_address(const struct mapping *mapping, uint64_t gpa)
{
	return mapping && gpa >= mapping->guest &&
	       gpa - mapping->guest < mapping->bytes;
}

void vgpu_memory_use_pins(struct vgpu_memory *memory, void *base,
			  uint64_t bytes, vgpu_memory_pin *pin, void *opaque)
{
	memory->base = base;
	memory->bytes = bytes;
	memory->pin = pin;
	memory->opaque = opaque;
}

static void *find_pinned(struct vgpu_memory *memory, uint64_t gpa, uint64_t len,
			 uint64_t *ret_part)
{
	uint64_t part = 0;

	if (len && gpa < memory->bytes)
		part = memory->pin(memory->opaque, gpa,
				   VGPU_MIN(len, memory->bytes - gpa));
	*ret_part = part;
	return part ? memory->base + gpa : NULL;
}

void *vgpu_memory_guest_part(struct vgpu_memory *memory, uint64_t gpa,
			     uint64_t len, uint64_t *ret_part)
{
	struct mapping *mapping = memory->last;

	if (memory->pin)
		return find_pinned(memory, gpa, len, ret_part);
	for (int i = 0; !has_address(mapping, gpa); i++) {
		if (i == VGPU_SLOT_MEMORY_MAX)
			return NULL;
		mapping = memory->mapping[i];
	}
	memory->last = mapping;
	*ret_part = VGPU_MIN(len, mapping->bytes - (gpa - mapping->guest));
	return mapping->host + (gpa - mapping->guest);
}

void *vgpu_memory_guest(struct vgpu_memory *memory, uint64_t gpa, uint64_t len)
{
	uint64_t part;
	void *host = vgpu_memory_guest_part(memory, gpa, len, &part);

	return host && part == len ? host : NULL;
}

void *vgpu_memory_user(struct vgpu_memory *memory, uint64_t address, uint64_t len)
{
	if (memory->pin)
		return vgpu_memory_guest(memory, address, len);
	for (int i = 0; i < VGPU_SLOT_MEMORY_MAX; i++) {
		struct mapping *mapping = memory->mapping[i];

		if (mapping && address >= mapping->user &&
		    address - mapping->user < mapping->bytes &&
		    len <= mapping->bytes - (address - mapping->user))
			return mapping->host + (address - mapping->user);
	}
	return NULL;
}
