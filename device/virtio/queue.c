/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One split virtqueue (virtio 1.3, 2.7) seen from the device. */
#include "queue.h"

#include <endian.h>
#include <linux/virtio_ring.h>

#include "lib/util.h"

static uint16_t load16(const __virtio16 *at)
{
	return le16toh(__atomic_load_n((const uint16_t *)at, __ATOMIC_ACQUIRE));
}

static void store16(__virtio16 *at, uint16_t value)
{
	__atomic_store_n((uint16_t *)at, htole16(value), __ATOMIC_RELEASE);
}

bool vgpu_queue_resolve(struct vgpu_queue *queue)
{
	struct vgpu_state_queue *state = queue->state;
	uint64_t num = state->num;
	const void *desc, *avail;
	void *used;

	queue->desc = NULL;
	queue->avail = NULL;
	queue->used = NULL;
	if (!num || !state->is_addressed)
		return false;
	desc = vgpu_memory_user(queue->memory, state->desc,
				num * sizeof(struct vring_desc));
	/* flags, idx, num heads, used_event; flags, idx, num, avail_event */
	avail = vgpu_memory_user(queue->memory, state->avail, 6 + 2 * num);
	used = vgpu_memory_user(queue->memory, state->used, 6 + 8 * num);
	if (!desc || !avail || !used || (uintptr_t)desc % 16 ||
	    (uintptr_t)avail % 2 || (uintptr_t)used % 4)
		return false;
	queue->desc = desc;
	queue->avail = avail;
	queue->used = used;
	return true;
}

bool vgpu_queue_is_running(const struct vgpu_queue *queue)
{
	return queue->used && queue->state->is_started &&
	       queue->state->is_enabled && !queue->state->is_broken;
}

int vgpu_queue_fetch(struct vgpu_queue *queue,
		     struct vgpu_queue_request *request, const char **ret_fault)
{
	struct vgpu_state_queue *state = queue->state;
	uint64_t fetched = state->fetched;
	uint16_t ready = load16(&queue->avail->idx) - (uint16_t)fetched;
	uint16_t head;

	if (!ready)
		return 0;
	if (ready > state->num) {
		*ret_fault = "an available index that jumps";
		return -EPROTO;
	}
	head = load16(&queue->avail->ring[fetched & (state->num - 1)]);
	if (head >= state->num) {
		*ret_fault = "an available descriptor beyond the table";
		return -EPROTO;
	}
	if (state->request[head]) {
		*ret_fault = "a descriptor made available while in flight";
		return -EPROTO;
	}
	state->token[head] = 0;
	vgpu_state_commit(state->request[head],
			  VGPU_REQUEST_FETCHED | fetched << 32);
	vgpu_state_commit(state->fetched, fetched + 1);
	queue->in_flight++;
	return vgpu_queue_fetch_again(queue, head, request, ret_fault);
}

int vgpu_queue_fetch_again(struct vgpu_queue *queue, uint16_t head,
			   struct vgpu_queue_request *request,
			   const char **ret_fault)
{
	int r = vgpu_chain_read(queue, head, request, ret_fault);

	return r < 0 ? r : 1;
}

static void answer_completing(struct vgpu_queue *queue)
{
	struct vgpu_state_queue *state = queue->state;
	uint64_t completing = state->completing;
	uint16_t head = completing & (VGPU_STATE_COMPLETING - 1);
	uint64_t answered = state->answered;
	struct vring_used_elem *elem;

	elem = &queue->used->ring[answered & (state->num - 1)];
	elem->id = htole32(head);
	elem->len = htole32((uint32_t)(completing >> 32));
	store16(&queue->used->idx, (uint16_t)(answered + 1));
	vgpu_state_commit(state->request[head], 0);
	vgpu_state_commit(state->answered, answered + 1);
	vgpu_state_commit(state->completing, 0);
}

void vgpu_queue_answer(struct vgpu_queue *queue, uint16_t head, uint32_t written)
{
	struct vgpu_state_queue *state = queue->state;

	vgpu_state_commit(state->completing,
			  (uint64_t)written << 32 |
				  (state->answered & 0xffff) << 16 |
				  VGPU_STATE_COMPLETING | head);
	answer_completing(queue);
	queue->in_flight--;
}

void vgpu_queue_recover(struct vgpu_queue *queue)
{
	struct vgpu_state_queue *state = queue->state;

	if (state->completing & VGPU_STATE_COMPLETING) {
		/* Else all but the last store was done. */
		if ((uint16_t)(state->completing >> 16) ==
		    (uint16_t)state->answered)
			answer_completing(queue);
		else
			vgpu_state_commit(state->completing, 0);
	}

	queue->in_flight = 0;
	for (uint32_t i = 0; i < state->num; i++) {
		uint64_t word = state->request[i];
		uint64_t deaths = (word >> 4) & 0xf;

		if (!word)
			continue;
		/*
		 * It does not count as fetched yet, and will be fetched again.
		 */
		if ((uint32_t)(word >> 32) == (uint32_t)state->fetched) {
			vgpu_state_commit(state->request[i], 0);
			continue;
		}
		queue->in_flight++;
		if ((word & 0xf) == VGPU_REQUEST_EXECUTING)
			vgpu_state_commit(state->request[i],
					  (word & ~0xffULL) |
						  VGPU_MIN(deaths + 1, 15ULL)
							  << 4 |
						  VGPU_REQUEST_WAITING);
	}
}

void vgpu_queue_quiet(struct vgpu_queue *queue)
{
	/* With event indices, an old avail_event keeps the guest quiet. */
	if (!queue->has_event_idx)
		store16(&queue->used->flags, VRING_USED_F_NO_NOTIFY);
}

bool vgpu_queue_listen(struct vgpu_queue *queue)
{
	uint16_t fetched = (uint16_t)queue->state->fetched;

	if (queue->has_event_idx)
		store16((__virtio16 *)&queue->used->ring[queue->state->num],
			fetched);
	else
		store16(&queue->used->flags, 0);
	/* Publish avail_event before checking for new requests. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(&queue->avail->idx) != fetched;
}

bool vgpu_queue_wants_call(struct vgpu_queue *queue)
{
	uint64_t before = queue->notified;
	uint64_t now = queue->state->answered;
	bool must_notify = queue->must_notify;
	uint16_t event;

	if (before == now && !must_notify)
		return false;
	queue->notified = now;
	queue->must_notify = false;
	/*
	 * Publish the answers before reading whether the guest wants a signal.
	 */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (must_notify)
		return true;
	if (!queue->has_event_idx)
		return !(load16(&queue->avail->flags) &
			 VRING_AVAIL_F_NO_INTERRUPT);
	event = load16(&queue->avail->ring[queue->state->num]);
	return (uint16_t)((uint16_t)now - event - 1) <
	       (uint16_t)((uint16_t)now - (uint16_t)before);
}
