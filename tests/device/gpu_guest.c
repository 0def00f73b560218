/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest in the same process, for tests of device/gpu. */
#include "tests/device/gpu_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "lib/util.h"

#define FENCE_ID 0x1122334455667788ull

const uint32_t guest_odd_values[GUEST_N_ODD] = {
	0,	    1,		GUEST_SIDE - 1, GUEST_SIDE, GUEST_SIDE + 1,
	4095,	    4096,	0xffff,		0x10000,    0x3fffffff,
	0x40000000, 0x7fffffff, 0x80000000,	0xfffffffe, UINT32_MAX,
};

/* Not assert(): fuzzers and benchmarks are made without a test framework. */
#define must(condition)                                                        \
	do {                                                                   \
		if (!(condition)) {                                            \
			fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__,     \
				#condition);                                   \
			abort();                                               \
		}                                                              \
	} while (0)

/* In pieces that begin at every PIECE, as regions of guest memory may. */
static void *guest_range(void *opaque, uint64_t gpa, uint64_t len,
			 uint64_t *ret_part)
{
	struct guest *guest = opaque;
	uint64_t left;

	if (gpa < GUEST_BASE || gpa - GUEST_BASE >= guest->memory_bytes)
		return NULL;
	left = GUEST_PIECE - (gpa - GUEST_BASE) % GUEST_PIECE;
	left = VGPU_MIN(left, guest->memory_bytes - (gpa - GUEST_BASE));
	*ret_part = VGPU_MIN(len, left);
	return guest->memory + (gpa - GUEST_BASE);
}

static void complete(void *opaque, struct vgpu_gpu_request *request,
		     size_t written)
{
	struct guest *guest = opaque;

	if (guest->is_ended_by_completion)
		_exit(0);
	must(written <= request->writable_bytes);
	guest->completions++;
	guest->written = written;
}

static void config_changed(void *opaque)
{
	struct guest *guest = opaque;

	guest->config_changes++;
}

static void guest_fault(void *opaque, const char *text)
{
	struct guest *guest = opaque;

	must(strlen(text) > 0);
	guest->faults++;
}

static void status_changed(void *opaque)
{
}

/* Tests of contexts have a transport of their own. */
static int window_change(void *opaque, uint64_t cookie,
			 const struct vgpu_gpu_mapping *mapping)
{
	return -ENOTCONN;
}

static void window_resume(void *opaque, const struct vgpu_gpu_mapping *mapping)
{
}

static void window_forget(void *opaque)
{
}

static void console_over(void *opaque)
{
}

static const struct vgpu_gpu_transport_ops ops = {
	.guest_range = guest_range,
	.complete = complete,
	.config_changed = config_changed,
	.guest_fault = guest_fault,
	.status_changed = status_changed,
	.window_map = window_change,
	.window_unmap = window_change,
	.window_resume = window_resume,
	.window_forget = window_forget,
	.console_over = console_over,
};

static void *map(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	must(at != MAP_FAILED);
	return at;
}

static void begin(struct guest *guest)
{
	struct vgpu_err err = {};

	must(vgpu_gpu_create(&guest->config, &ops, guest, guest->state,
			     &guest->gpu, &err) == 0);
}

struct guest *guest_create(uint32_t heads, uint32_t width, uint32_t height,
			   uint64_t framebuffer_mib, uint64_t memory_mib)
{
	struct guest *guest = calloc(1, sizeof(*guest));

	must(guest);
	guest->config = (struct vgpu_gpu_config){
		.heads = heads,
		.max_width = width,
		.max_height = height,
		.framebuffer_bytes = framebuffer_mib * VGPU_MIB,
		.launcher = kept_create(),
	};
	guest->memory_bytes = memory_mib * VGPU_MIB;
	guest->state = map(vgpu_gpu_state_bytes());
	guest->memory = map(guest->memory_bytes);
	guest->writable = sizeof(guest->answer);
	begin(guest);
	vgpu_gpu_set_features(guest->gpu, vgpu_gpu_features(guest->gpu));
	return guest;
}

void guest_destroy(struct guest *guest)
{
	if (!guest)
		return;
	vgpu_gpu_destroy(guest->gpu);
	munmap(guest->state, vgpu_gpu_state_bytes());
	kept_destroy(guest->config.launcher);
	munmap(guest->memory, guest->memory_bytes);
	free(guest);
}

int guest_set_up(void **state)
{
	*state = guest_create(2, GUEST_WIDTH, GUEST_HEIGHT, 32, 32);
	return 0;
}

int guest_tear_down(void **state)
{
	guest_check(*state);
	guest_destroy(*state);
	return 0;
}

void guest_resume(struct guest *guest)
{
	vgpu_gpu_destroy(guest->gpu);
	begin(guest);
}

/* @bytes at @at as iovecs of guest->cut bytes. The caller frees them. */
static struct iovec *cut(const struct guest *guest, void *at, size_t bytes,
			 unsigned int *ret_n)
{
	size_t each = guest->cut ? guest->cut : VGPU_MAX(bytes, (size_t)1);
	size_t n = (bytes + each - 1) / each;
	struct iovec *iov = calloc(n + 1, sizeof(*iov));

	must(iov);
	for (size_t i = 0; i < n; i++) {
		iov[i].iov_base = (uint8_t *)at + i * each;
		iov[i].iov_len = VGPU_MIN(each, bytes - i * each);
	}
	*ret_n = n;
	return iov;
}

static uint32_t submit(struct guest *guest, size_t bytes, bool is_cursor)
{
	uint64_t token = 0;
	struct vgpu_gpu_request request = {.is_retry = guest->is_retry,
					   .token = &token};
	unsigned int completions = guest->completions;
	struct iovec *readable, *writable;

	memset(&guest->answer, 0xa5, sizeof(guest->answer));
	readable = cut(guest, guest->request, bytes, &request.n_readable);
	writable =
		cut(guest, &guest->answer, guest->writable, &request.n_writable);
	request.readable = readable;
	request.writable = writable;
	request.readable_bytes = bytes;
	request.writable_bytes = guest->writable;
	if (is_cursor)
		vgpu_gpu_cursor(guest->gpu, &request);
	else
		vgpu_gpu_control(guest->gpu, &request);
	free(readable);
	free(writable);
	must(guest->completions == completions + 1);
	/* What it did not say it wrote, it did not write. */
	for (size_t i = guest->written; i < sizeof(guest->answer); i++)
		must(guest->answer.bytes[i] == 0xa5);
	return guest->written >= sizeof(guest->answer.header)
		       ? guest->answer.header.type
		       : 0;
}

static size_t put_header(struct guest *guest, uint32_t type)
{
	const struct vgpu_gpu_header header = {
		.type = type,
		.flags = guest->flags,
		.fence_id = FENCE_ID,
		.ctx_id = 77,
		.ring_idx = 5,
	};

	memcpy(guest->request, &header, sizeof(header));
	return sizeof(header);
}

uint32_t guest_send_entries(struct guest *guest, uint32_t type,
			    const void *body, size_t body_bytes,
			    const struct vgpu_gpu_entry *entries, size_t n)
{
	size_t bytes = put_header(guest, type);

	must(bytes + body_bytes + n * sizeof(*entries) <= sizeof(guest->request));
	if (body_bytes)
		memcpy(guest->request + bytes, body, body_bytes);
	bytes += body_bytes;
	if (n)
		memcpy(guest->request + bytes, entries, n * sizeof(*entries));
	return submit(guest, bytes + n * sizeof(*entries), false);
}

uint32_t guest_send(struct guest *guest, uint32_t type, const void *body,
		    size_t body_bytes)
{
	return guest_send_entries(guest, type, body, body_bytes, NULL, 0);
}

uint32_t guest_send_cursor(struct guest *guest, uint32_t type,
			   const struct vgpu_gpu_cursor_request *cursor)
{
	size_t bytes = put_header(guest, type);

	memcpy(guest->request + bytes, cursor, sizeof(*cursor));
	return submit(guest, bytes + sizeof(*cursor), true);
}

uint32_t guest_create_2d(struct guest *guest, uint32_t id, uint32_t format,
			 uint32_t width, uint32_t height)
{
	const struct vgpu_gpu_resource_create_2d body = {id, format, width,
							 height};

	return guest_send(guest, VGPU_GPU_RESOURCE_CREATE_2D, &body,
			  sizeof(body));
}

static uint32_t send_only(struct guest *guest, uint32_t type, uint32_t id)
{
	const struct vgpu_gpu_resource_only body = {.resource_id = id};

	return guest_send(guest, type, &body, sizeof(body));
}

uint32_t guest_unref(struct guest *guest, uint32_t id)
{
	return send_only(guest, VGPU_GPU_RESOURCE_UNREF, id);
}

uint32_t guest_detach(struct guest *guest, uint32_t id)
{
	return send_only(guest, VGPU_GPU_RESOURCE_DETACH_BACKING, id);
}

uint32_t guest_attach(struct guest *guest, uint32_t id, uint64_t at,
		      uint32_t bytes)
{
	const struct vgpu_gpu_attach_backing body = {id, 1};
	const struct vgpu_gpu_entry entry = {GUEST_BASE + at, bytes, 0};

	return guest_send_entries(guest, VGPU_GPU_RESOURCE_ATTACH_BACKING,
				  &body, sizeof(body), &entry, 1);
}

uint32_t guest_attach_scattered(struct guest *guest, uint32_t id, uint64_t at,
				uint32_t bytes)
{
	uint32_t n = (bytes + GUEST_PAGE - 1) / GUEST_PAGE;
	const struct vgpu_gpu_attach_backing body = {id, n};
	struct vgpu_gpu_entry *entries = calloc(n, sizeof(*entries));
	uint32_t answer;

	must(entries);
	for (uint32_t i = 0; i < n; i++)
		entries[i] = (struct vgpu_gpu_entry){
			GUEST_BASE + at + (uint64_t)(n - 1 - i) * GUEST_PAGE,
			GUEST_PAGE, 0};
	answer = guest_send_entries(guest, VGPU_GPU_RESOURCE_ATTACH_BACKING,
				    &body, sizeof(body), entries, n);
	free(entries);
	return answer;
}

uint32_t guest_blob(struct guest *guest, uint32_t id, uint64_t at, uint32_t bytes)
{
	const struct vgpu_gpu_create_blob body = {
		.resource_id = id,
		.blob_mem = VGPU_GPU_BLOB_MEM_GUEST,
		.n_entries = 1,
		.bytes = bytes,
	};
	const struct vgpu_gpu_entry entry = {GUEST_BASE + at, bytes, 0};

	return guest_send_entries(guest, VGPU_GPU_RESOURCE_CREATE_BLOB, &body,
				  sizeof(body), &entry, 1);
}

uint32_t guest_transfer(struct guest *guest, uint32_t id, uint32_t x, uint32_t y,
			uint32_t width, uint32_t height, uint64_t offset)
{
	const struct vgpu_gpu_transfer_to_host_2d body = {
		.rect = {x, y, width, height},
		.offset = offset,
		.resource_id = id,
	};

	return guest_send(guest, VGPU_GPU_TRANSFER_TO_HOST_2D, &body,
			  sizeof(body));
}

uint32_t guest_scanout(struct guest *guest, uint32_t head, uint32_t id,
		       uint32_t x, uint32_t y, uint32_t width, uint32_t height)
{
	const struct vgpu_gpu_set_scanout body = {{x, y, width, height}, head, id};

	return guest_send(guest, VGPU_GPU_SET_SCANOUT, &body, sizeof(body));
}

uint32_t guest_flush(struct guest *guest, uint32_t id, uint32_t x, uint32_t y,
		     uint32_t width, uint32_t height)
{
	const struct vgpu_gpu_resource_flush body = {
		.rect = {x, y, width, height},
		.resource_id = id,
	};

	return guest_send(guest, VGPU_GPU_RESOURCE_FLUSH, &body, sizeof(body));
}

uint32_t guest_cursor(struct guest *guest, uint32_t head, uint32_t id,
		      int32_t x, int32_t y)
{
	return guest_send_cursor(guest, VGPU_GPU_UPDATE_CURSOR,
				 &(struct vgpu_gpu_cursor_request){
					 .scanout_id = head,
					 .x = (uint32_t)x,
					 .y = (uint32_t)y,
					 .resource_id = id,
				 });
}

void guest_show(struct guest *guest, uint32_t head, uint32_t id, uint64_t at,
		uint32_t width, uint32_t height)
{
	must(guest_create_2d(guest, id, VGPU_GPU_B8G8R8X8, width, height) ==
	     VGPU_GPU_OK_NODATA);
	must(guest_attach(guest, id, at, width * height * 4) ==
	     VGPU_GPU_OK_NODATA);
	must(guest_transfer(guest, id, 0, 0, width, height, 0) ==
	     VGPU_GPU_OK_NODATA);
	must(guest_scanout(guest, head, id, 0, 0, width, height) ==
	     VGPU_GPU_OK_NODATA);
}

void guest_capture(struct guest *guest, uint32_t head, struct picture *ret)
{
	struct vgpu_control_frame frame = {};
	struct vgpu_err err = {};
	void *pixels;
	int fd = -1;

	if (vgpu_gpu_capture(guest->gpu, head, &frame, &fd, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	must(frame.stride_bytes == frame.width * 4);
	*ret = (struct picture){
		.width = frame.width,
		.height = frame.height,
		.bytes = (size_t)frame.stride_bytes * frame.height,
	};
	pixels = mmap(NULL, ret->bytes, PROT_READ, MAP_SHARED, fd, 0);
	must(pixels != MAP_FAILED);
	ret->pixels = pixels;
	vgpu_close(fd);
}

void picture_finish(struct picture *picture)
{
	munmap(picture->pixels, picture->bytes);
}

/* Every range of @e is one that a live slot names, and they do not overlap. */
static void check_extents(const struct vgpu_gpu_extents *e)
{
	uint64_t used = 0, end = 0;

	for (size_t i = 0; i < e->n; i++) {
		must(e->extent[i].size > 0);
		must(e->extent[i].offset >= end);
		end = e->extent[i].offset + e->extent[i].size;
		must(end > e->extent[i].offset && end <= e->total);
		used += e->extent[i].size;
	}
	must(used == e->used);
}

void guest_check(const struct guest *guest)
{
	const struct vgpu_gpu *gpu = guest->gpu;
	const struct vgpu_gpu_state *state = guest->state;
	uint64_t storage = 0, entries = 0;
	size_t n_storage = 0, n_backings = 0;

	must(state->magic == VGPU_GPU_STATE_MAGIC);
	check_extents(&gpu->entries);
	must(state->slots_used <= VGPU_GPU_RESOURCES_MAX);
	for (uint32_t slot = 0; slot < state->slots_used; slot++) {
		const struct vgpu_gpu_state_resource *resource =
			&state->resource[slot];
		uint64_t bytes = 0;
		uint32_t first = resource->backing >> 32;
		uint32_t n = (uint32_t)resource->backing;

		if (resource->id == 0)
			continue;
		must(vgpu_gpu_slot_find(gpu, resource->id) == slot);
		if (resource->kind == VGPU_GPU_KIND_2D) {
			n_storage++;
			storage += vgpu_gpu_storage_bytes(resource->bytes);
		}
		if (!resource->backing)
			continue;
		n_backings++;
		entries += n;
		for (uint32_t i = first; i < first + n; i++)
			bytes += state->entry[i].bytes;
		must(bytes == gpu->slot[slot].backing_bytes);
	}
	must(n_storage == gpu->storage.n_files - gpu->storage.freed.n &&
	     storage == gpu->storage.used_bytes);
	must(n_backings == gpu->entries.n && entries == gpu->entries.used);
	for (uint32_t head = 0; head < gpu->config.heads; head++) {
		const struct vgpu_gpu_state_view *view;

		view = vgpu_gpu_view_of(gpu, head);
		must(!view || vgpu_gpu_slot_find(gpu, view->resource_id) !=
				      VGPU_GPU_NO_SLOT);
	}
}
