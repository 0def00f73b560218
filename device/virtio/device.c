/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The virtio device: queues on one side, the device model on the other. */
#include "device.h"

#include <assert.h>
#include <endian.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>
#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "device/state.h"
#include "device/virtio/internal.h"
#include "lib/util.h"

#define TRANSPORT_FEATURES                                                     \
	(1ULL << VIRTIO_F_VERSION_1 | 1ULL << VIRTIO_RING_F_INDIRECT_DESC |    \
	 1ULL << VIRTIO_RING_F_EVENT_IDX)
/* Requests of one queue before the others, and the manager, get a turn. */
#define BUDGET 64
/* ... or when this much time has passed, which large transfers can take. */
#define BUDGET_NS 2000000u
/* How often a queue without a kick fd is looked at. */
#define POLL_US 1000
/* Processes that may die on one request before it is refused. */
#define DEATHS_MAX 2
/* Requests kept for later ones; what a busy Linux guest has in flight. */
#define FREE_MAX 16

static struct vgpu_queue_request *take_request(struct vgpu_virtio *virtio)
{
	struct vgpu_queue_request *request = virtio->free;

	if (request) {
		virtio->free = request->next;
		virtio->n_free--;
	} else {
		request = malloc(sizeof(*request));
		if (!request)
			return NULL;
	}
	virtio->n_busy++;
	return request;
}

static void put_request(struct vgpu_virtio *virtio,
			struct vgpu_queue_request *request)
{
	virtio->n_busy--;
	if (!virtio->n_busy)
		vgpu_memory_release(virtio->memory);
	if (virtio->n_free < FREE_MAX) {
		request->next = virtio->free;
		virtio->free = request;
		virtio->n_free++;
	} else {
		free(request);
	}
}

static void signal_fd(const struct vgpu_virtio *virtio, uint32_t slot)
{
	static const uint64_t one = 1;
	struct pollfd poll_fd = {
		.fd = vgpu_slots_get(virtio->slots, slot),
		.events = POLLOUT,
	};

	/*
	 * Its flags are shared with the front end, which could have made it
	 * block again. A full counter is a signal too; another error has no
	 * remedy.
	 */
	if (poll_fd.fd < 0 || poll(&poll_fd, 1, 0) <= 0 ||
	    write(poll_fd.fd, &one, sizeof(one)) < 0)
		return;
}

static uint32_t index_of(const struct vgpu_ring *ring)
{
	return (uint32_t)(ring - ring->virtio->ring);
}

static void signal_guest(struct vgpu_ring *ring)
{
	struct vgpu_virtio *virtio = ring->virtio;

	if (!ring->queue.used || !vgpu_queue_wants_call(&ring->queue))
		return;
	if (virtio->ops->interrupt)
		virtio->ops->interrupt(virtio->opaque, index_of(ring));
	else
		signal_fd(virtio, VGPU_SLOT_CALL + index_of(ring));
}

static void report_fault(struct vgpu_ring *ring, const char *fault)
{
	const struct vgpu_virtio *virtio = ring->virtio;
	char text[VGPU_CONTROL_TEXT_MAX];

	snprintf(text, sizeof(text), "%s: %s",
		 virtio->model->queue_name[index_of(ring)], fault);
	virtio->ops->fault(virtio->opaque, text);
}

/* The guest corrupted the ring: stop it until it is reset. */
static void break_ring(struct vgpu_ring *ring, const char *fault)
{
	vgpu_state_commit(ring->queue.state->is_broken, 1U);
	report_fault(ring, fault);
	signal_fd(ring->virtio, VGPU_SLOT_ERROR + index_of(ring));
}

/* Forget the requests in flight: nobody waits for the answers any more. */
static void forget_requests(struct vgpu_ring *ring)
{
	struct vgpu_state_queue *state = ring->queue.state;

	ring->queue.life++;
	ring->queue.in_flight = 0;
	ring->is_draining = false;
	vgpu_state_commit(state->completing, 0);
	for (uint32_t i = 0; i < VGPU_STATE_QUEUE_NUM; i++)
		if (state->request[i])
			vgpu_state_commit(state->request[i], 0);
}

static void finish_request(struct vgpu_ring *ring, uint16_t head, uint32_t written)
{
	struct vgpu_virtio *virtio = ring->virtio;

	vgpu_queue_answer(&ring->queue, head, written);
	if (!virtio->is_in_batch)
		signal_guest(ring);
	if (ring->is_draining)
		virtio->ops->drained(virtio->opaque);
}

void vgpu_virtio_complete(struct vgpu_virtio *virtio,
			  struct vgpu_gpu_request *gpu_request, size_t written)
{
	struct vgpu_queue_request *request =
		vgpu_container_of(gpu_request, struct vgpu_queue_request, gpu);
	struct vgpu_ring *ring =
		vgpu_container_of(request->queue, struct vgpu_ring, queue);
	bool is_current = request->life == ring->queue.life;
	uint16_t head = request->head;

	assert(written <= gpu_request->writable_bytes);
	put_request(virtio, request);
	if (!is_current || ring->queue.state->is_broken)
		return;
	if (ring->queue.used)
		finish_request(ring, head, (uint32_t)written);
	else
		break_ring(ring, "its memory went away while it was in use");
}

static void execute_request(struct vgpu_ring *ring,
			    struct vgpu_queue_request *request)
{
	struct vgpu_virtio *virtio = ring->virtio;
	uint64_t *word = &ring->queue.state->request[request->head];
	uint32_t life = request->life;
	ssize_t written;

	request->gpu.token = &ring->queue.state->token[request->head];

	vgpu_state_commit(*word, (*word & ~0xfULL) | VGPU_REQUEST_EXECUTING);
	written = virtio->model->execute(virtio->model_opaque, index_of(ring),
					 &request->gpu);
	if (written >= 0) {
		vgpu_virtio_complete(virtio, &request->gpu, (size_t)written);
		return;
	}
	/*
	 * It waits now: a death from here on is not counted against this
	 * request.
	 */
	if (ring->queue.life == life && (*word & 0xf) == VGPU_REQUEST_EXECUTING)
		vgpu_state_commit(*word,
				  (*word & ~0xfULL) | VGPU_REQUEST_WAITING);
}

/* Fetch and execute one request. False if there is none, or no more. */
static bool run_one(struct vgpu_ring *ring)
{
	struct vgpu_queue_request *request = take_request(ring->virtio);
	const char *fault = NULL;
	int r;

	if (!request) {
		break_ring(ring, "no memory for a request");
		return false;
	}
	r = vgpu_queue_fetch(&ring->queue, request, &fault);
	if (r > 0) {
		execute_request(ring, request);
		return true;
	}
	put_request(ring->virtio, request);
	if (r < 0)
		break_ring(ring, fault);
	return false;
}

/* Answer the request at @head without executing it. */
static void refuse_request(struct vgpu_ring *ring, uint16_t head)
{
	struct vgpu_queue_request *request = take_request(ring->virtio);
	struct vgpu_virtio *virtio = ring->virtio;
	const char *fault;
	size_t written;

	if (!request) {
		break_ring(ring, "no memory for a request");
		return;
	}
	if (vgpu_queue_fetch_again(&ring->queue, head, request, &fault) < 0) {
		put_request(ring->virtio, request);
		break_ring(ring, fault);
		return;
	}
	written = virtio->model->refuse(virtio->model_opaque, &request->gpu);
	put_request(ring->virtio, request);
	finish_request(ring, head, (uint32_t)written);
}

/* The oldest request in flight that was fetched after @after others. */
static int find_oldest(const struct vgpu_ring *ring, uint32_t *age)
{
	const struct vgpu_state_queue *state = ring->queue.state;
	uint32_t best = 0;
	int head = -1;

	for (uint32_t i = 0; i < state->num; i++) {
		uint64_t word = state->request[i];
		uint32_t its = (uint32_t)state->fetched - (uint32_t)(word >> 32);

		if (word && its < *age && its > best) {
			best = its;
			head = (int)i;
		}
	}
	*age = best;
	return head;
}

/* Execute again, in order, what a predecessor left in flight. */
static void redo_requests(struct vgpu_ring *ring)
{
	struct vgpu_state_queue *state = ring->queue.state;
	uint32_t age = UINT32_MAX;
	int head;

	while (!state->is_broken && (head = find_oldest(ring, &age)) >= 0) {
		uint64_t word = state->request[head];
		struct vgpu_queue_request *request;
		const char *fault;

		if (((word >> 4) & 0xf) >= DEATHS_MAX) {
			report_fault(ring, "a request that killed its device twice "
					   "is refused");
			refuse_request(ring, (uint16_t)head);
			continue;
		}
		request = take_request(ring->virtio);
		if (!request) {
			break_ring(ring, "no memory for a request");
			return;
		}
		if (vgpu_queue_fetch_again(&ring->queue, (uint16_t)head,
					   request, &fault) < 0) {
			put_request(ring->virtio, request);
			break_ring(ring, fault);
			return;
		}
		request->gpu.is_retry = (word & 0xf) == VGPU_REQUEST_WAITING;
		execute_request(ring, request);
	}
}

static void resume_ring(struct vgpu_ring *ring)
{
	struct vgpu_queue *queue = &ring->queue;

	ring->must_resume = false;
	vgpu_queue_recover(queue);
	queue->notified = queue->state->answered;
	/* A predecessor may have died before it signalled an answer. */
	queue->must_notify = true;
	redo_requests(ring);
	if (index_of(ring) == 0)
		ring->virtio->model->resumed(ring->virtio->model_opaque);
	signal_guest(ring);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Whether the model would answer a request of @ring now. */
static bool is_ready(const struct vgpu_ring *ring)
{
	const struct vgpu_virtio *virtio = ring->virtio;

	return !virtio->model->is_ready ||
	       virtio->model->is_ready(virtio->model_opaque, index_of(ring));
}

static void run_ring(struct vgpu_ring *ring)
{
	struct vgpu_virtio *virtio = ring->virtio;
	struct vgpu_queue *queue = &ring->queue;
	unsigned int budget = BUDGET;
	uint64_t start = now_ns();

	if (ring->must_resume && queue->used)
		resume_ring(ring);
	if (!vgpu_queue_is_running(queue))
		return;
	virtio->is_in_batch = true;
	vgpu_queue_quiet(queue);
	do {
		while (budget && is_ready(ring) && run_one(ring))
			budget = now_ns() - start < BUDGET_NS ? budget - 1 : 0;
		/* A ring that is left alone needs no kicks, either. */
	} while (budget && vgpu_queue_is_running(queue) && is_ready(ring) &&
		 vgpu_queue_listen(queue));
	virtio->is_in_batch = false;
	if (!budget)
		sd_event_source_set_enabled(ring->again, SD_EVENT_ONESHOT);
	signal_guest(ring);
}

static int on_kick(sd_event_source *source, int fd, uint32_t revents, void *opaque)
{
	/* Edge-triggered: nothing is read, which saves a system call. */
	run_ring(opaque);
	return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *opaque)
{
	run_ring(opaque);
	return 0;
}

static int on_poll(sd_event_source *source, uint64_t usec, void *opaque)
{
	run_ring(opaque);
	sd_event_source_set_time_relative(source, POLL_US);
	return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int init_ring(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_ring *ring = &virtio->ring[index];
	int r;

	ring->virtio = virtio;
	ring->queue.state = &virtio->state->queue[index];
	ring->queue.memory = virtio->memory;
	/* A timer: the loop looks at no fd while a deferred source is enabled. */
	r = sd_event_add_time(virtio->event, &ring->again, CLOCK_MONOTONIC, 0,
			      1, on_again, ring);
	if (r < 0)
		return r;
	return sd_event_source_set_enabled(ring->again, SD_EVENT_OFF);
}

int vgpu_virtio_create(sd_event *event, struct vgpu_state *state,
		       struct vgpu_slots *slots,
		       const struct vgpu_virtio_config *config,
		       const struct vgpu_virtio_ops *ops, void *opaque,
		       struct vgpu_virtio **ret_virtio, struct vgpu_err *err)
{
	struct vgpu_virtio *virtio = calloc(1, sizeof(*virtio));
	int r;

	if (!virtio)
		return vgpu_err_set(err, -ENOMEM, NULL, "no memory");
	virtio->event = event;
	virtio->state = state;
	virtio->slots = slots;
	virtio->ops = ops;
	virtio->opaque = opaque;
	r = vgpu_memory_create(&virtio->memory);
	for (uint32_t i = 0; r >= 0 && i < VGPU_STATE_QUEUES; i++)
		r = init_ring(virtio, i);
	if (r < 0) {
		vgpu_err_set(err, r, NULL, "cannot make the queues: %s",
			     strerror(-r));
		goto fail;
	}
	virtio->model = config->model;
	virtio->model_opaque = config->model_opaque;
	if (!virtio->model)
		r = vgpu_virtio_make_gpu(virtio, &config->gpu, err);
	if (r < 0)
		goto fail;
	*ret_virtio = virtio;
	return 0;
fail:
	vgpu_virtio_destroy(virtio);
	return r;
}

void vgpu_virtio_destroy(struct vgpu_virtio *virtio)
{
	if (!virtio)
		return;
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		vgpu_virtio_unhook(virtio, i);
		sd_event_source_unref(virtio->ring[i].again);
		/* Free the requests unanswered: a successor answers them. */
		virtio->ring[i].queue.life++;
	}
	vgpu_gpu_destroy(virtio->gpu);
	while (virtio->free) {
		struct vgpu_queue_request *request = virtio->free;

		virtio->free = request->next;
		free(request);
	}
	vgpu_memory_destroy(virtio->memory);
	free(virtio);
}

struct vgpu_gpu *vgpu_virtio_gpu(struct vgpu_virtio *virtio)
{
	return virtio->gpu;
}

struct vgpu_memory *vgpu_virtio_memory(struct vgpu_virtio *virtio)
{
	return virtio->memory;
}

uint64_t vgpu_virtio_features(const struct vgpu_virtio *virtio)
{
	return TRANSPORT_FEATURES | virtio->model->features(virtio->model_opaque);
}

void vgpu_virtio_set_features(struct vgpu_virtio *virtio, uint64_t features)
{
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		struct vgpu_queue *queue = &virtio->ring[i].queue;

		queue->has_event_idx = features & 1ULL << VIRTIO_RING_F_EVENT_IDX;
		queue->has_indirect =
			features & 1ULL << VIRTIO_RING_F_INDIRECT_DESC;
	}
	virtio->model->set_features(
		virtio->model_opaque,
		features & virtio->model->features(virtio->model_opaque));
}

void vgpu_virtio_reset_model(struct vgpu_virtio *virtio)
{
	virtio->model->reset(virtio->model_opaque);
}

void vgpu_virtio_config_read(struct vgpu_virtio *virtio,
			     uint8_t ret_space[VGPU_MODEL_CONFIG_MAX])
{
	memset(ret_space, 0, VGPU_MODEL_CONFIG_MAX);
	virtio->model->config_read(virtio->model_opaque, ret_space);
}

int vgpu_virtio_config_write(struct vgpu_virtio *virtio, uint32_t offset,
			     const uint8_t *data, uint32_t size)
{
	return virtio->model->config_write(virtio->model_opaque, offset, data,
					   size);
}

bool vgpu_virtio_is_running(const struct vgpu_virtio *virtio, uint32_t index)
{
	return vgpu_queue_is_running(&virtio->ring[index].queue);
}

void vgpu_virtio_resolve(struct vgpu_virtio *virtio)
{
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++)
		vgpu_queue_resolve(&virtio->ring[i].queue);
	if (!virtio->n_busy)
		vgpu_memory_release(virtio->memory);
}

bool vgpu_virtio_is_resolved(const struct vgpu_virtio *virtio, uint32_t index)
{
	return virtio->ring[index].queue.used;
}

void vgpu_virtio_join(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_queue *queue = &virtio->ring[index].queue;

	queue->state->fetched = le16toh(queue->used->idx);
}

void vgpu_virtio_unhook(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_ring *ring = &virtio->ring[index];

	ring->kick = sd_event_source_disable_unref(ring->kick);
	ring->poll = sd_event_source_disable_unref(ring->poll);
}

static int watch_ring(struct vgpu_ring *ring)
{
	struct vgpu_virtio *virtio = ring->virtio;
	int fd = vgpu_slots_get(virtio->slots, VGPU_SLOT_KICK + index_of(ring));

	vgpu_virtio_unhook(virtio, index_of(ring));
	if (fd >= 0)
		return sd_event_add_io(virtio->event, &ring->kick, fd,
				       EPOLLIN | EPOLLET, on_kick, ring);
	return sd_event_add_time_relative(virtio->event, &ring->poll,
					  CLOCK_MONOTONIC, POLL_US, 0, on_poll,
					  ring);
}

int vgpu_virtio_start(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_ring *ring = &virtio->ring[index];
	struct vgpu_queue *queue = &ring->queue;

	if (!queue->used || watch_ring(ring) < 0)
		return -EINVAL;
	if (!queue->state->is_started) {
		queue->state->answered = le16toh(queue->used->idx);
		queue->notified = queue->state->answered;
		vgpu_state_commit(queue->state->is_started, 1U);
	}
	run_ring(ring);
	return 0;
}

int vgpu_virtio_stop(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_ring *ring = &virtio->ring[index];
	struct vgpu_state_queue *state = ring->queue.state;
	uint32_t held;

	if (ring->must_resume && ring->queue.used)
		resume_ring(ring);
	vgpu_state_commit(state->is_started, 0U);
	vgpu_virtio_unhook(virtio, index);
	sd_event_source_set_enabled(ring->again, SD_EVENT_OFF);
	if (state->is_broken || !ring->queue.used)
		forget_requests(ring);
	held = index == 0 && virtio->model->count_held
		       ? virtio->model->count_held(virtio->model_opaque)
		       : 0;
	if (ring->queue.in_flight > held) {
		ring->is_draining = true;
		return -EAGAIN;
	}
	ring->is_draining = false;
	vgpu_state_commit(state->is_broken, 0U);
	return 0;
}

void vgpu_virtio_abandon(struct vgpu_virtio *virtio, uint32_t index)
{
	struct vgpu_ring *ring = &virtio->ring[index];
	uint32_t age = UINT32_MAX;
	int head;

	/* Completions of older requests will be ignored. */
	ring->queue.life++;
	ring->is_draining = false;
	while (!ring->queue.state->is_broken && ring->queue.used &&
	       (head = find_oldest(ring, &age)) >= 0)
		refuse_request(ring, (uint16_t)head);
	forget_requests(ring);
}

void vgpu_virtio_run(struct vgpu_virtio *virtio, uint32_t index)
{
	run_ring(&virtio->ring[index]);
}

void vgpu_virtio_reset(struct vgpu_virtio *virtio)
{
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		struct vgpu_ring *ring = &virtio->ring[i];

		vgpu_state_commit(ring->queue.state->is_started, 0U);
		vgpu_virtio_unhook(virtio, i);
		sd_event_source_set_enabled(ring->again, SD_EVENT_OFF);
		forget_requests(ring);
		ring->queue.state->fetched = 0;
		ring->queue.state->is_enabled = 0;
		vgpu_state_commit(ring->queue.state->is_broken, 0U);
	}
	vgpu_virtio_reset_model(virtio);
}

void vgpu_virtio_resume(struct vgpu_virtio *virtio)
{
	for (uint32_t i = 0; i < VGPU_STATE_QUEUES; i++) {
		struct vgpu_ring *ring = &virtio->ring[i];

		ring->must_resume = true;
		if (ring->queue.state->is_started && watch_ring(ring) < 0)
			break_ring(ring, "a kick fd that cannot be polled");
	}
}
