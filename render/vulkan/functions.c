/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's function pointers, in read-only memory. */
#include "context.h"

#include <string.h>
#include <sys/mman.h>

/*
 * An attacker who can write to memory of this process must not be able to
 * redirect these pointers. A copy that replaces another is made elsewhere and
 * moved into place (mremap): the place itself is never writable, and other
 * threads read the old or the new table.
 */
const struct vgpu_vk *vgpu_functions_seal(const struct vgpu_vk *functions,
					  const struct vgpu_vk *place)
{
	const size_t bytes = sizeof(*functions);
	struct vgpu_vk *copy;

	if (place && memcmp(place, functions, bytes) == 0)
		return place;
	copy = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (copy == MAP_FAILED)
		return NULL;
	memcpy(copy, functions, bytes);
	if (mprotect(copy, bytes, PROT_READ) < 0 ||
	    (place && mremap(copy, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED,
			     place) == MAP_FAILED)) {
		munmap(copy, bytes);
		return NULL;
	}
	return place ? place : copy;
}
