/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A guest that does not wait, and a double of its contexts' processes. */
#include "tests/device/gpu_render.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

unsigned int render_alive;
struct vgpu_render *render_last;
int render_create_error;
bool render_is_slow;

int vgpu_render_create(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	struct vgpu_render *render;

	if (render_create_error)
		return vgpu_err_set(err, render_create_error, NULL, "no more");
	render = calloc(1, sizeof(*render));
	assert_non_null(render);
	render->config = *config;
	render->ops = ops;
	render->opaque = opaque;
	render->room = UINT_MAX;
	render_alive++;
	render_last = render;
	*ret_render = render;
	*state = (struct vgpu_render_state){.is_ready = !render_is_slow};
	if (!render_is_slow)
		ops->ready(opaque);
	return 0;
}

struct vgpu_render_spare *vgpu_render_spare_new(void)
{
	return NULL;
}

void vgpu_render_spare_free(struct vgpu_render_spare *spare)
{
}

void vgpu_render_destroy(struct vgpu_render *render)
{
	if (!render)
		return;
	render->config.memory->free_all(render->config.memory_opaque, render);
	render_alive--;
	free(render);
}

int vgpu_render_resume(const struct vgpu_render_config *config,
		       struct vgpu_render_state *state,
		       const struct vgpu_render_ops *ops, void *opaque,
		       struct vgpu_render **ret_render, struct vgpu_err *err)
{
	return vgpu_err_set(err, -ESRCH, NULL, "a double never survives");
}

bool vgpu_render_end_process(const struct vgpu_render_config *config,
			     uint64_t process)
{
	return true;
}

void vgpu_render_resume_told(struct vgpu_render *render,
			     const struct vgpu_render_told *told)
{
}

int vgpu_render_expect_fence(struct vgpu_render *render,
			     const struct vgpu_render_fence *fence,
			     uint64_t token)
{
	return -ENOSYS;
}

int vgpu_render_expect_export(struct vgpu_render *render, uint32_t resource_id,
			      uint64_t bytes, uint64_t token)
{
	return -ENOSYS;
}

const char *vgpu_render_last_words(struct vgpu_render *render)
{
	return NULL;
}

void vgpu_render_listen(struct vgpu_render *render)
{
}

bool vgpu_render_was_sent(const struct vgpu_render *render, uint64_t token)
{
	return token;
}

/* What it says when it is full it says before it takes anything. */
static int tell(struct vgpu_render *render, uint64_t *token)
{
	assert_non_null(token);
	assert_int_equal(*token, 0);
	if (render->room == 0)
		return -EAGAIN;
	if (render->error)
		return render->error;
	render->room--;
	*token = ++render->last_token;
	return 0;
}

int vgpu_render_submit(struct vgpu_render *render, const void *commands,
		       size_t bytes, const struct vgpu_render_fence *fence,
		       uint64_t *token)
{
	int r = tell(render, token);

	if (r < 0)
		return r;
	assert_true(bytes > 0 || fence);
	render->submitted_bytes += bytes;
	if (bytes)
		render->first_byte = *(const uint8_t *)commands;
	if (!fence)
		return 0;
	assert_true(render->n_fences < VGPU_ARRAY_SIZE(render->fence));
	render->fence[render->n_fences].ring_idx = fence->ring_idx;
	render->fence[render->n_fences++].id = fence->id;
	return 0;
}

int vgpu_render_resource_add(struct vgpu_render *render, uint32_t resource_id,
			     int fd, uint64_t bytes, uint64_t *token)
{
	int r = tell(render, token);

	if (r < 0)
		return r;
	render->added = resource_id;
	render->added_fd = fd;
	render->added_bytes = bytes;
	render->n_added++;
	return 0;
}

int vgpu_render_resource_remove(struct vgpu_render *render, uint32_t resource_id,
				bool is_memory, uint64_t bytes)
{
	uint64_t token = 0;
	int r = tell(render, &token);

	if (r < 0)
		return r;
	render->n_removed++;
	return 0;
}

int vgpu_render_export(struct vgpu_render *render, uint64_t memory_id,
		       uint32_t resource_id, uint64_t bytes, uint64_t *token)
{
	int r = tell(render, token);

	if (r < 0)
		return r;
	render->exported_memory = memory_id;
	render->n_exports++;
	return 0;
}

void render_finish_ring(struct vgpu_render *render, uint32_t ring_idx)
{
	unsigned int n = render->n_fences, kept = 0;

	/* Those that come meanwhile are behind. */
	for (unsigned int i = 0; i < n; i++)
		if (render->fence[i].ring_idx == ring_idx)
			render->ops->fence_done(render->opaque, ring_idx,
						render->fence[i].id);
	for (unsigned int i = 0; i < render->n_fences; i++)
		if (i >= n || render->fence[i].ring_idx != ring_idx)
			render->fence[kept++] = render->fence[i];
	render->n_fences = kept;
}

void render_finish(struct vgpu_render *render)
{
	for (uint32_t i = 0; i < VGPU_RENDER_TIMELINES; i++)
		render_finish_ring(render, i);
}

int render_alloc(struct vgpu_render *render, uint64_t bytes, uint64_t *ret_name,
		 int *ret_fd)
{
	const struct vgpu_render_config *config = &render->config;
	int fd = -1;
	int r;

	r = config->memory->alloc(config->memory_opaque, render, bytes, false,
				  ++render->last_question, ret_name, &fd);
	if (r >= 0)
		assert_true(fd >= 0);
	if (ret_fd)
		*ret_fd = fd;
	return r > 0 ? 0 : r;
}

int render_charge(struct vgpu_render *render, uint64_t bytes, uint64_t *ret_name)
{
	const struct vgpu_render_config *config = &render->config;
	int fd = -1;
	int r;

	r = config->memory->alloc(config->memory_opaque, render, bytes, true,
				  ++render->last_question, ret_name, &fd);
	assert_int_equal(fd, -1);
	return r;
}

int render_free(struct vgpu_render *render, uint64_t name)
{
	int64_t mapped = render->config.memory->free(
		render->config.memory_opaque, render, name);

	return mapped < 0 ? (int)mapped : 0;
}

int render_open(struct vgpu_render *render, uint32_t resource_id)
{
	uint64_t bytes;
	bool is_first;
	int fd = -1;
	int r = render->config.memory->open(render->config.memory_opaque, render,
					    resource_id, &fd, &bytes, &is_first);

	return r < 0 ? r : fd;
}

void render_give_room(struct vgpu_render *render, unsigned int n)
{
	render->room = n;
	render->ops->room(render->opaque);
}

enum vgpu_loss vgpu_render_loss(const struct vgpu_render *render)
{
	return render->loss;
}

void render_die(struct vgpu_render *render)
{
	render->ops->lost(render->opaque, "for a test");
}

static void *guest_range(void *opaque, uint64_t gpa, uint64_t len,
			 uint64_t *ret_part)
{
	struct machine *machine = opaque;

	if (gpa >= 1 << 20)
		return NULL;
	*ret_part = VGPU_MIN(len, (1 << 20) - gpa);
	return machine->memory + gpa;
}

static void complete(void *opaque, struct vgpu_gpu_request *request,
		     size_t written)
{
	struct sent *sent = vgpu_container_of(request, struct sent, request);

	assert_false(sent->is_done);
	sent->is_done = true;
	sent->written = written;
}

static void nothing(void *opaque)
{
}

static void fault(void *opaque, const char *text)
{
	struct machine *machine = opaque;

	machine->faults++;
}

static int window_map(void *opaque, uint64_t cookie,
		      const struct vgpu_gpu_mapping *mapping)
{
	struct machine *machine = opaque;

	if (machine->window_error)
		return machine->window_error;
	machine->n_maps++;
	machine->cookie = cookie;
	machine->mapping = *mapping;
	return 0;
}

static int window_unmap(void *opaque, uint64_t cookie,
			const struct vgpu_gpu_mapping *mapping)
{
	struct machine *machine = opaque;

	if (machine->window_error)
		return machine->window_error;
	machine->n_unmaps++;
	machine->cookie = cookie;
	machine->mapping = *mapping;
	return 0;
}

static void window_resume(void *opaque, const struct vgpu_gpu_mapping *mapping)
{
	struct machine *machine = opaque;

	machine->n_resumed++;
	machine->mapping = *mapping;
}

static void window_forget(void *opaque)
{
	struct machine *machine = opaque;

	machine->n_forgets++;
}

static void console_over(void *opaque)
{
}

static const struct vgpu_gpu_transport_ops transport_ops = {
	.guest_range = guest_range,
	.complete = complete,
	.config_changed = nothing,
	.guest_fault = fault,
	.status_changed = nothing,
	.window_map = window_map,
	.window_unmap = window_unmap,
	.window_resume = window_resume,
	.window_forget = window_forget,
	.console_over = console_over,
};

static void *map(uint64_t bytes)
{
	void *at = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
			MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	assert_ptr_not_equal(at, MAP_FAILED);
	return at;
}

static void begin(struct machine *machine)
{
	struct vgpu_err err = {};

	assert_int_equal(vgpu_gpu_create(&machine->config, &transport_ops, machine,
					 machine->state, &machine->gpu, &err),
			 0);
}

struct machine *machine_create(void)
{
	static const uint8_t capset[VGPU_GPU_CAPSET_BYTES] = {1, 2, 3};
	struct machine *machine = calloc(1, sizeof(*machine));

	assert_non_null(machine);
	render_create_error = 0;
	machine->config = (struct vgpu_gpu_config){
		.heads = 1,
		.max_width = 640,
		.max_height = 480,
		.render = &machine->render,
		.capset = capset,
		.window_bytes = WINDOW_BYTES,
		.framebuffer_bytes = FRAMEBUFFER_BYTES,
		.launcher = kept_create(),
	};
	machine->state = map(vgpu_gpu_state_bytes());
	machine->memory = map(1 << 20);
	begin(machine);
	vgpu_gpu_set_features(machine->gpu, vgpu_gpu_features(machine->gpu));
	return machine;
}

static void forget_sent(struct machine *machine)
{
	while (machine->n_sent)
		free(machine->sent[--machine->n_sent]);
}

void machine_destroy(struct machine *machine)
{
	vgpu_gpu_destroy(machine->gpu);
	for (unsigned int i = 0; i < machine->n_sent; i++)
		assert_true(machine->sent[i]->is_done);
	forget_sent(machine);
	munmap(machine->state, vgpu_gpu_state_bytes());
	kept_destroy(machine->config.launcher);
	munmap(machine->memory, 1 << 20);
	free(machine);
	assert_int_equal(render_alive, 0);
}

int machine_set_up(void **state)
{
	*state = machine_create();
	return 0;
}

int machine_tear_down(void **state)
{
	machine_destroy(*state);
	return 0;
}

uint64_t machine_used(struct machine *machine)
{
	struct vgpu_control_status status;

	vgpu_gpu_status(machine->gpu, &status);
	return status.framebuffer_used_bytes;
}

void machine_resume(struct machine *machine)
{
	vgpu_gpu_destroy(machine->gpu);
	assert_int_equal(render_alive, 0);
	forget_sent(machine);
	begin(machine);
}

struct sent *machine_send(struct machine *machine, uint32_t type,
			  const void *body, size_t body_bytes)
{
	const struct vgpu_gpu_header header = {
		.type = type,
		.flags = machine->flags,
		.fence_id = 7,
		.ctx_id = machine->context,
		.ring_idx = machine->ring_idx,
	};
	size_t bytes = sizeof(header) + body_bytes;
	struct sent *sent;

	sent = calloc(1, sizeof(*sent) + machine->more_bytes);
	assert_non_null(sent);
	assert_true(machine->n_sent < SENT_MAX);
	machine->sent[machine->n_sent++] = sent;
	assert_true(bytes <= sizeof(sent->bytes));
	memcpy(sent->bytes, &header, sizeof(header));
	if (body_bytes)
		memcpy(sent->bytes + sizeof(header), body, body_bytes);
	if (machine->more_bytes)
		memcpy(sent->bytes + bytes, machine->more, machine->more_bytes);
	bytes += machine->more_bytes;
	sent->readable = (struct iovec){sent->bytes, bytes};
	sent->writable = (struct iovec){&sent->answer, sizeof(sent->answer)};
	sent->request = (struct vgpu_gpu_request){
		.readable = &sent->readable,
		.writable = &sent->writable,
		.n_readable = 1,
		.n_writable = 1,
		.readable_bytes = bytes,
		.writable_bytes = sizeof(sent->answer),
		.is_retry = machine->is_retry,
		.token = &sent->token,
	};
	vgpu_gpu_control(machine->gpu, &sent->request);
	return sent;
}

uint32_t answer_of(const struct sent *sent)
{
	assert_true(sent->is_done);
	assert_true(sent->written >= sizeof(sent->answer.header));
	return sent->answer.header.type;
}

struct sent *send_context(struct machine *machine, uint32_t type, uint32_t id)
{
	const struct vgpu_gpu_ctx_create create = {
		.context_init = VGPU_GPU_CAPSET_VENUS,
	};
	bool is_create = type == VGPU_GPU_CTX_CREATE;

	machine->context = id;
	return machine_send(machine, type, &create,
			    is_create ? sizeof(create) : 0);
}

struct sent *send_resource(struct machine *machine, uint32_t type, uint32_t id)
{
	const struct vgpu_gpu_resource_only only = {.resource_id = id};

	return machine_send(machine, type, &only, sizeof(only));
}

struct sent *send_blob(struct machine *machine, uint32_t id, uint64_t blob_id,
		       uint64_t bytes)
{
	const struct vgpu_gpu_create_blob create = {
		.resource_id = id,
		.blob_mem = VGPU_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VGPU_GPU_BLOB_MAPPABLE,
		.blob_id = blob_id,
		.bytes = bytes,
	};

	return machine_send(machine, VGPU_GPU_RESOURCE_CREATE_BLOB, &create,
			    sizeof(create));
}

struct sent *send_map(struct machine *machine, uint32_t id, uint64_t offset)
{
	const struct vgpu_gpu_map_blob map_blob = {
		.resource_id = id,
		.offset = offset,
	};

	return machine_send(machine, VGPU_GPU_RESOURCE_MAP_BLOB, &map_blob,
			    sizeof(map_blob));
}

struct sent *send_submit(struct machine *machine, uint32_t bytes)
{
	const struct vgpu_gpu_submit_3d submit = {.bytes = bytes};

	return machine_send(machine, VGPU_GPU_SUBMIT_3D, &submit, sizeof(submit));
}

struct vgpu_render *machine_context(struct machine *machine, uint32_t id)
{
	assert_int_equal(
		answer_of(send_context(machine, VGPU_GPU_CTX_CREATE, id)), OK);
	return render_last;
}

uint64_t machine_memory(struct machine *machine, struct vgpu_render *render,
			uint32_t id, uint64_t bytes)
{
	struct sent *sent = send_blob(machine, id, 1000 + id, bytes);
	uint64_t offset;

	assert_int_equal(render_alloc(render, bytes, &offset, NULL), 0);
	render->ops->exported(render->opaque, id, 0, offset, bytes);
	assert_int_equal(answer_of(sent), OK);
	return offset;
}
