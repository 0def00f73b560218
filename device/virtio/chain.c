/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Descriptor chains, which the guest may change at any time. */
#include <endian.h>
#include <linux/virtio_ring.h>
#include <string.h>

#include "device/virtio/queue.h"
#include "lib/util.h"

/* Each descriptor is read once, into a copy that the guest cannot change. */
static struct vring_desc read_desc(const char *table, uint32_t index)
{
	const char *from = table + (size_t)index * sizeof(struct vring_desc);
	struct vring_desc desc;

	memcpy(&desc, from, sizeof(desc));
	/* The compiler must not read the table again in place of the copy. */
	__asm__ volatile("" : "+m"(desc) : : "memory");
	desc.addr = le64toh(desc.addr);
	desc.len = le32toh(desc.len);
	desc.flags = le16toh(desc.flags);
	desc.next = le16toh(desc.next);
	return desc;
}

static const char *add_descriptor(struct vgpu_memory *memory,
				  struct vgpu_queue_request *request,
				  const struct vring_desc *desc)
{
	struct vgpu_gpu_request *gpu = &request->gpu;
	bool is_writable = desc->flags & VRING_DESC_F_WRITE;
	uint64_t address = desc->addr;
	uint64_t left = desc->len;
	uint64_t end;

	if (!left)
		return "a descriptor of no length";
	if (!vgpu_checked_add(address, left, &end))
		return "a descriptor that wraps around";
	if (!is_writable && gpu->n_writable)
		return "a readable descriptor after a writable one";
	/* virtio 1.3, 2.7.5: a chain has less than 2^32 bytes */
	if (gpu->readable_bytes + gpu->writable_bytes + left > UINT32_MAX)
		return "a chain of 4 GiB or more";

	while (left) {
		unsigned int n = gpu->n_readable + gpu->n_writable;
		uint64_t part;
		void *host;

		host = vgpu_memory_guest_part(memory, address, left, &part);
		if (!host)
			return "a descriptor outside guest memory";
		if (n == VGPU_CHAIN_PARTS_MAX)
			return "a chain of too many parts";
		request->part[n] = (struct iovec){host, part};
		if (is_writable) {
			gpu->n_writable++;
			gpu->writable_bytes += part;
		} else {
			gpu->n_readable++;
			gpu->readable_bytes += part;
		}
		address += part;
		left -= part;
	}
	return NULL;
}

/* Find the table of an indirect descriptor. */
static const char *enter_table(struct vgpu_queue *queue,
			       const struct vring_desc *desc,
			       const char **table, uint32_t *table_num)
{
	if (!queue->has_indirect)
		return "an indirect descriptor that was not negotiated";
	if (desc->flags & VRING_DESC_F_NEXT)
		return "an indirect descriptor with a next one";
	if (!desc->len || desc->len % sizeof(struct vring_desc))
		return "an indirect table of an odd size";
	*table = vgpu_memory_guest(queue->memory, desc->addr, desc->len);
	if (!*table)
		return "an indirect table outside guest memory";
	*table_num = desc->len / sizeof(struct vring_desc);
	return NULL;
}

static const char *read_chain(struct vgpu_queue *queue, uint32_t index,
			      struct vgpu_queue_request *request)
{
	const char *table = (const char *)queue->desc;
	uint32_t table_num = queue->state->num;
	bool is_indirect = false;
	const char *fault;

	for (int steps = 0; steps < VGPU_CHAIN_MAX; steps++) {
		struct vring_desc desc;

		if (index >= table_num)
			return "a descriptor number beyond the table";
		desc = read_desc(table, index);
		if (desc.flags & ~(VRING_DESC_F_NEXT | VRING_DESC_F_WRITE |
				   VRING_DESC_F_INDIRECT))
			return "a descriptor with unknown flags";
		if (desc.flags & VRING_DESC_F_INDIRECT) {
			if (is_indirect)
				return "an indirect table in an indirect table";
			fault = enter_table(queue, &desc, &table, &table_num);
			if (fault)
				return fault;
			is_indirect = true;
			index = 0;
			continue;
		}
		fault = add_descriptor(queue->memory, request, &desc);
		if (fault)
			return fault;
		if (!(desc.flags & VRING_DESC_F_NEXT))
			return NULL;
		index = desc.next;
	}
	return "a chain that is too long or runs in a circle";
}

int vgpu_chain_read(struct vgpu_queue *queue, uint16_t head,
		    struct vgpu_queue_request *request, const char **ret_fault)
{
	const char *fault;

	request->gpu = (struct vgpu_gpu_request){};
	request->queue = queue;
	request->head = head;
	request->life = queue->life;
	fault = read_chain(queue, head, request);
	if (fault) {
		*ret_fault = fault;
		return -EPROTO;
	}
	request->gpu.readable = request->part;
	request->gpu.writable = request->part + request->gpu.n_readable;
	return 0;
}

size_t vgpu_chain_copy_out(const struct vgpu_gpu_request *request, void *to,
			   size_t bytes)
{
	size_t n = 0;

	for (unsigned int i = 0; i < request->n_readable && n < bytes; i++) {
		const struct iovec *part = &request->readable[i];
		size_t size = VGPU_MIN(part->iov_len, bytes - n);

		memcpy((char *)to + n, part->iov_base, size);
		n += size;
	}
	return n;
}

size_t vgpu_chain_copy_in(const struct vgpu_gpu_request *request,
			  const void *from, size_t bytes)
{
	size_t n = 0;

	for (unsigned int i = 0; i < request->n_writable && n < bytes; i++) {
		const struct iovec *part = &request->writable[i];
		size_t size = VGPU_MIN(part->iov_len, bytes - n);

		memcpy(part->iov_base, (const char *)from + n, size);
		n += size;
	}
	return n;
}
