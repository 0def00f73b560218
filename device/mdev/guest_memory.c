/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The guest's memory, mapped from the device's file and pinned as it is used. */
#include "guest_memory.h"

#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "kernel/uapi/vgpu_mdev.h"
#include "lib/util.h"

/* Guest-physical addresses that can be reached. */
#define GUEST_BYTES (1ULL << 40)
#define PAGE_SHIFT  12
/*
 * Pages known to be pinned, each in the one place that its number leads to: the
 * kernel need not be asked for them again. 65536 are 256 MiB.
 */
#define KNOWN_MAX 65536u
/* For more pages than these it is asked once and not each of them looked up. */
#define LOOKED_UP_MAX 64u

struct vgpu_guest_memory {
	int fd;
	void *base;
	uint32_t session;
	uint64_t known[KNOWN_MAX]; /* page + 1 */
};

static uint64_t *place_of(struct vgpu_guest_memory *guest, uint64_t page)
{
	return &guest->known[page % KNOWN_MAX];
}

static bool is_known(struct vgpu_guest_memory *guest, uint64_t first,
		     uint64_t last)
{
	if (last - first >= LOOKED_UP_MAX)
		return false;
	for (uint64_t page = first; page <= last; page++)
		if (*place_of(guest, page) != page + 1)
			return false;
	return true;
}

/* How much of [gpa, gpa + len) is guest memory, from its beginning. */
static uint64_t pin_range(void *opaque, uint64_t gpa, uint64_t len)
{
	struct vgpu_guest_memory *guest = opaque;
	struct vgpu_mdev_pin pin = {
		.session = guest->session,
		.address = gpa,
		.bytes = len,
	};

	if (is_known(guest, gpa >> PAGE_SHIFT, (gpa + len - 1) >> PAGE_SHIFT))
		return len;
	if (ioctl(guest->fd, VGPU_MDEV_PIN, &pin) < 0 || !pin.bytes)
		return 0;
	for (uint64_t page = gpa >> PAGE_SHIFT;
	     page <= (gpa + pin.bytes - 1) >> PAGE_SHIFT; page++)
		*place_of(guest, page) = page + 1;
	return VGPU_MIN(pin.bytes, len);
}

int vgpu_guest_memory_create(int fd, struct vgpu_memory *memory,
			     struct vgpu_guest_memory **ret_guest)
{
	struct vgpu_guest_memory *guest = calloc(1, sizeof(*guest));
	int r;

	if (!guest)
		return -ENOMEM;
	guest->fd = fd;
	guest->base = mmap(NULL, GUEST_BYTES, PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_NORESERVE, fd, 0);
	if (guest->base == MAP_FAILED) {
		r = -errno;
		free(guest);
		return r;
	}
	vgpu_memory_use_pins(memory, guest->base, GUEST_BYTES, pin_range, guest);
	*ret_guest = guest;
	return 0;
}

void vgpu_guest_memory_destroy(struct vgpu_guest_memory *guest)
{
	if (!guest)
		return;
	munmap(guest->base, GUEST_BYTES);
	free(guest);
}

void vgpu_guest_memory_restart(struct vgpu_guest_memory *guest, uint32_t session)
{
	guest->session = session;
	memset(guest->known, 0, sizeof(guest->known));
}
