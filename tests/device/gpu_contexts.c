/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Contexts, their lanes and their fences, as guests use and abuse them. */
#include "tests/device/gpu_render.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define FENCE VGPU_GPU_FLAG_FENCE
#define RING  (VGPU_GPU_FLAG_FENCE | VGPU_GPU_FLAG_RING_IDX)

static uint32_t capset(struct machine *m, uint32_t id, uint32_t version)
{
	const struct vgpu_gpu_get_capset get = {id, version};

	return answer_of(machine_send(m, VGPU_GPU_GET_CAPSET, &get, sizeof(get)));
}

static uint32_t capset_info(struct machine *m, uint32_t index)
{
	const struct vgpu_gpu_get_capset_info get = {.capset_index = index};

	return answer_of(
		machine_send(m, VGPU_GPU_GET_CAPSET_INFO, &get, sizeof(get)));
}

static void test_capset(void **state)
{
	struct machine *m = *state;
	uint8_t config[VGPU_GPU_CONFIG_BYTES];
	const struct sent *sent;

	assert_int_equal(vgpu_gpu_features(m->gpu), 0x1f);
	vgpu_gpu_config_read(m->gpu, config);
	assert_int_equal(config[12], 1);

	assert_int_equal(capset_info(m, 0), VGPU_GPU_OK_CAPSET_INFO);
	sent = m->sent[m->n_sent - 1];
	assert_int_equal(sent->written, 40);
	assert_int_equal(sent->answer.capset_info.capset_id, 4);
	assert_int_equal(sent->answer.capset_info.max_version, 0);
	assert_int_equal(sent->answer.capset_info.max_bytes, 160);
	assert_int_equal(capset_info(m, 1), VGPU_GPU_ERR_INVALID_PARAMETER);

	assert_int_equal(capset(m, 4, 0), VGPU_GPU_OK_CAPSET);
	sent = m->sent[m->n_sent - 1];
	assert_int_equal(sent->written, 24 + 160);
	assert_memory_equal(sent->answer.capset.data, m->config.capset, 160);
	assert_int_equal(capset(m, 3, 0), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(capset(m, 4, 1), VGPU_GPU_ERR_INVALID_PARAMETER);
}

static struct vgpu_render *make_context(struct machine *m, uint32_t id,
					uint32_t wire)
{
	const struct vgpu_gpu_ctx_create create = {.context_init = wire};

	m->context = id;
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_CTX_CREATE, &create,
						sizeof(create))),
			 OK);
	assert_int_equal(render_last->config.wire, wire);
	return render_last;
}

/* The other wire, where it is offered: each context has its own. */
static void test_gfxstream(void **state)
{
	struct machine *m = *state;
	uint8_t config[VGPU_GPU_CONFIG_BYTES];
	const struct sent *sent;
	uint32_t words[40];

	m->config.has_gfxstream = true;
	machine_resume(m);
	vgpu_gpu_config_read(m->gpu, config);
	assert_int_equal(config[12], 2);
	assert_int_equal(capset_info(m, 0), VGPU_GPU_OK_CAPSET_INFO);
	assert_int_equal(m->sent[m->n_sent - 1]->answer.capset_info.capset_id, 4);
	assert_int_equal(capset_info(m, 1), VGPU_GPU_OK_CAPSET_INFO);
	assert_int_equal(m->sent[m->n_sent - 1]->answer.capset_info.capset_id, 3);
	assert_int_equal(capset_info(m, 2), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(capset(m, 3, 1), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(capset(m, 3, 0), VGPU_GPU_OK_CAPSET);
	sent = m->sent[m->n_sent - 1];
	memcpy(words, sent->answer.capset.data, sizeof(words));
	assert_int_equal(words[0], 1);
	assert_int_equal(words[1], 12288);
	assert_int_equal(words[2], 1 << 20);
	assert_int_equal(words[28], 0);

	render_is_slow = true;
	make_context(m, 1, 3);
	make_context(m, 2, 4);
	/* They were given nothing yet: a successor starts other processes. */
	machine_resume(m);
	assert_int_equal(render_alive, 2);
	assert_int_equal(render_last->config.wire, 4);
	assert_int_equal(m->state->context[0].capset, 3);
	render_is_slow = false;
}

static void test_no_renderer(void **state)
{
	struct machine *m = *state;
	uint8_t config[VGPU_GPU_CONFIG_BYTES];

	m->config.render = NULL;
	machine_resume(m);
	assert_int_equal(vgpu_gpu_features(m->gpu), 0x0e);
	vgpu_gpu_config_read(m->gpu, config);
	assert_int_equal(config[12], 0);
	assert_int_equal(capset_info(m, 0), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(capset(m, 4, 0), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 1)),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_blob(m, 1, 0, 4096)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
}

static void test_life(void **state)
{
	struct machine *m = *state;
	struct vgpu_gpu_ctx_create create = {};

	m->context = 9;
	for (uint32_t init = 0; init < 512; init++) {
		if (init == 4)
			continue;
		create.context_init = init;
		assert_int_equal(answer_of(machine_send(m, VGPU_GPU_CTX_CREATE,
							&create, sizeof(create))),
				 VGPU_GPU_ERR_INVALID_PARAMETER);
	}
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 0)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	for (uint32_t id = 1; id <= VGPU_GPU_CONTEXTS_MAX; id++)
		machine_context(m, id * 1000);
	assert_int_equal(render_alive, VGPU_GPU_CONTEXTS_MAX);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 5000)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 1)),
			 VGPU_GPU_ERR_OUT_OF_MEMORY);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 1)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 5000)),
			 OK);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 5000)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(render_alive, VGPU_GPU_CONTEXTS_MAX - 1);
	render_create_error = -EAGAIN;
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 1)),
			 VGPU_GPU_ERR_OUT_OF_MEMORY);
	render_create_error = 0;
	machine_context(m, 1);
	vgpu_gpu_reset(m->gpu);
	assert_int_equal(render_alive, 0);
	vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
	machine_context(m, 1);
}

/* Nobody waits for a ring of a process that is not there yet. */
static void test_slow_start(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render, *never;
	struct sent *blob, *map, *submit, *foreign;

	render_is_slow = true;
	render = machine_context(m, 3);
	never = machine_context(m, 4);
	render_is_slow = false;

	m->context = 3;
	blob = send_blob(m, 1, 0, 4096);
	map = send_map(m, 1, 0);
	submit = send_submit(m, 0);
	m->context = 4;
	foreign = send_blob(m, 2, 0, 4096);
	assert_false(blob->is_done);
	assert_false(map->is_done);
	assert_false(submit->is_done);
	assert_int_equal(capset(m, 4, 0), VGPU_GPU_OK_CAPSET);

	render->ops->ready(render->opaque);
	assert_int_equal(answer_of(blob), OK);
	assert_int_equal(answer_of(submit), OK);
	vgpu_gpu_window_done(m->gpu, m->cookie, 0);
	assert_int_equal(answer_of(map), VGPU_GPU_OK_MAP_INFO);

	/* Nobody waits for one that is lost before it is ready, either. */
	assert_false(foreign->is_done);
	never->ops->lost(never->opaque, "as it started");
	assert_int_equal(answer_of(foreign), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_blob(m, 3, 0, 4096)),
			 VGPU_GPU_ERR_UNSPEC);
}

static void test_submit(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	uint8_t *commands = calloc(1, VGPU_GPU_SUBMIT_MAX + 1);

	assert_non_null(commands);
	commands[0] = 0x42;
	m->more = commands;
	m->more_bytes = 100;
	assert_int_equal(answer_of(send_submit(m, 100)), OK);
	assert_int_equal(render->submitted_bytes, 100);
	assert_int_equal(render->first_byte, 0x42);
	/* What is behind does not matter; what is missing does. */
	assert_int_equal(answer_of(send_submit(m, 40)), OK);
	assert_int_equal(answer_of(send_submit(m, 101)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_submit(m, UINT32_MAX)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_submit(m, 0)), OK);
	assert_int_equal(render->submitted_bytes, 140);
	m->more_bytes = VGPU_GPU_SUBMIT_MAX + 1;
	assert_int_equal(answer_of(send_submit(m, VGPU_GPU_SUBMIT_MAX + 1)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_submit(m, VGPU_GPU_SUBMIT_MAX)), OK);
	m->more_bytes = 0;
	m->context = 4;
	assert_int_equal(answer_of(send_submit(m, 0)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	m->context = 0;
	assert_int_equal(answer_of(send_submit(m, 0)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	free(commands);
}

static void test_fences(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct sent *cpu, *first, *second, *third;

	m->flags = FENCE;
	cpu = send_submit(m, 0);
	m->flags = RING;
	m->ring_idx = 1;
	first = send_submit(m, 0);
	second = send_submit(m, 0);
	m->ring_idx = 63;
	third = send_submit(m, 0);
	m->ring_idx = 64;
	assert_int_equal(answer_of(send_submit(m, 0)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	m->ring_idx = 255;
	assert_int_equal(answer_of(send_submit(m, 0)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_false(cpu->is_done || first->is_done || second->is_done ||
		     third->is_done);

	render->ops->fence_done(render->opaque, 63, render->fence[3].id);
	assert_int_equal(answer_of(third), OK);
	assert_int_equal(third->answer.header.flags, RING);
	assert_int_equal(third->answer.header.fence_id, 7);
	assert_int_equal(third->answer.header.ctx_id, 3);
	assert_int_equal(third->answer.header.ring_idx, 63);
	/* A later one brings those before it, on its own timeline only. */
	render->ops->fence_done(render->opaque, 1, render->fence[2].id);
	assert_int_equal(answer_of(first), OK);
	assert_int_equal(answer_of(second), OK);
	assert_false(cpu->is_done);
	render->ops->fence_done(render->opaque, 0, render->fence[0].id);
	assert_int_equal(answer_of(cpu), OK);
	assert_int_equal(cpu->answer.header.flags, FENCE);
	/* What was said already, or never asked, changes nothing. */
	render->ops->fence_done(render->opaque, 0, render->fence[0].id);
	render->ops->fence_done(render->opaque, 7, UINT64_MAX);
	render->ops->fence_done(render->opaque, UINT32_MAX, 1);
}

static void test_death(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct vgpu_render *other = machine_context(m, 4);
	struct sent *sent[65], *its;

	m->flags = RING;
	m->ring_idx = 5;
	its = send_submit(m, 0);
	m->context = 3;
	for (uint32_t i = 0; i < 64; i++) {
		m->ring_idx = (uint8_t)i;
		sent[i] = send_submit(m, 0);
	}
	m->flags = FENCE;
	sent[64] = send_blob(m, 100, 1, 4096);
	m->faults = 0;
	render_die(render);
	for (uint32_t i = 0; i < 65; i++) {
		assert_int_equal(answer_of(sent[i]), VGPU_GPU_ERR_UNSPEC);
		assert_true(sent[i]->answer.header.flags & FENCE);
	}
	assert_int_equal(m->faults, 1);
	assert_false(its->is_done);
	/* It can be named still, but not used. */
	assert_int_equal(answer_of(send_submit(m, 0)), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_blob(m, 100, 1, 4096)),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_blob(m, 100, 0, 4096)),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(m->faults, 1);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 3)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 3)), OK);
	render = machine_context(m, 3);
	assert_int_equal(render_alive, 2);
	m->flags = RING;
	sent[0] = send_submit(m, 0);
	/* Whoever ends a context itself sees its fences end well. */
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 3)), OK);
	assert_int_equal(answer_of(sent[0]), OK);
	render_finish(other);
	assert_int_equal(answer_of(its), OK);
}

static void test_lost_while_told(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct sent *sent;

	render->error = -EPIPE;
	m->more = "abcd";
	m->more_bytes = 4;
	assert_int_equal(answer_of(send_submit(m, 4)), VGPU_GPU_ERR_UNSPEC);
	m->more_bytes = 0;
	m->flags = FENCE;
	sent = send_submit(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_blob(m, 1, 1, 4096)),
			 VGPU_GPU_ERR_UNSPEC);
	render_die(render);
}

static void test_figures(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct vgpu_figures figures;

	machine_context(m, 4);
	m->context = 3;
	m->more = "abcd";
	m->more_bytes = 4;
	assert_int_equal(answer_of(send_submit(m, 4)), OK);
	vgpu_gpu_figures(m->gpu, &figures);
	assert_int_equal(figures.is_known, 1);
	assert_int_equal(figures.contexts, 2);
	assert_int_equal(figures.submits, 1);
	assert_int_equal(figures.losses[VGPU_LOSS_TIME], 0);

	render->loss = VGPU_LOSS_TIME;
	render_die(render);
	assert_int_equal(answer_of(send_submit(m, 4)), VGPU_GPU_ERR_UNSPEC);
	m->context = 77;
	assert_int_equal(answer_of(send_submit(m, 4)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	vgpu_gpu_figures(m->gpu, &figures);
	assert_int_equal(figures.contexts, 1);
	assert_int_equal(figures.submits, 1);
	assert_int_equal(figures.losses[VGPU_LOSS_TIME], 1);
	assert_int_equal(figures.losses[VGPU_LOSS_OTHER], 0);
	assert_int_equal(figures.refusals[VGPU_REFUSAL_UNSPECIFIED], 1);
	assert_int_equal(figures.refusals[VGPU_REFUSAL_CONTEXT], 1);
	assert_int_equal(figures.refusals[VGPU_REFUSAL_PARAMETER], 0);
}

static uint32_t word_at(int fd, off_t offset)
{
	uint32_t word = 0;

	assert_int_equal(pread(fd, &word, sizeof(word), offset), sizeof(word));
	return word;
}

/* A lost context says so in its rings, and writes nowhere else. */
static void test_lost_rings(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct vgpu_render *other = machine_context(m, 4);
	int fds[2];

	m->context = 3;
	assert_int_equal(answer_of(send_blob(m, 1, 0, 4096)), OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	fds[0] = render->added_fd;
	m->context = 4;
	assert_int_equal(answer_of(send_blob(m, 2, 0, 4096)), OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 2)), OK);
	fds[1] = other->added_fd;
	/* Another context's, none, beyond its end, across it, not aligned. */
	render->ops->fail_ring(render->opaque, 2, 128);
	render->ops->fail_ring(render->opaque, 7, 128);
	render->ops->fail_ring(render->opaque, 1, 4096);
	render->ops->fail_ring(render->opaque, 1, 4094);
	render->ops->fail_ring(render->opaque, 1, UINT64_MAX - 3);
	render->ops->fail_ring(render->opaque, 1, 6);
	for (off_t at = 0; at < 4096; at += 4)
		assert_int_equal(word_at(fds[0], at) | word_at(fds[1], at), 0);
	render->ops->fail_ring(render->opaque, 1, 128);
	render->ops->fail_ring(render->opaque, 1, 4092);
	assert_int_equal(word_at(fds[0], 128), VGPU_RENDER_RING_STATUS_FATAL);
	assert_int_equal(word_at(fds[0], 4092), VGPU_RENDER_RING_STATUS_FATAL);
	assert_int_equal(word_at(fds[1], 128), 0);
	render_die(render);
}

static void test_attach(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct vgpu_render *other = machine_context(m, 4);
	const struct vgpu_gpu_resource_create_2d create = {50, 1, 16, 16};

	m->context = 3;
	assert_int_equal(answer_of(send_blob(m, 1, 0, 8192)), OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	assert_int_equal(render->added, 1);
	assert_true(render->added_fd >= 0);
	assert_int_equal(render->added_bytes, 8192);
	/* Twice is once. */
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	assert_int_equal(render->n_added, 1);
	m->context = 4;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 1)),
		VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 2)),
		VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	/* Linux attaches what it displays, too: nothing for a process. */
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_RESOURCE_CREATE_2D,
						&create, sizeof(create))),
			 OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 50)),
		OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 50)),
		OK);
	assert_int_equal(other->n_added, 1);
	assert_int_equal(other->n_removed, 0);

	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 1)), OK);
	assert_int_equal(other->n_removed, 1);
	/* The end of a resource reaches all that know it. */
	assert_int_equal(answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNREF, 1)),
			 OK);
	assert_int_equal(render->n_removed, 1);
	assert_int_equal(other->n_removed, 1);
	m->context = 5;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 50)),
		VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 50)),
		VGPU_GPU_ERR_INVALID_CONTEXT_ID);
}

static struct sent *flush(struct machine *m, uint32_t id)
{
	const struct vgpu_gpu_resource_flush body = {.resource_id = id};

	return machine_send(m, VGPU_GPU_RESOURCE_FLUSH, &body, sizeof(body));
}

static void test_lanes(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct vgpu_render *other = machine_context(m, 4);
	struct sent *create, *map, *attach, *submit, *shown, *foreign;
	uint64_t offset;

	m->context = 3;
	create = send_blob(m, 1, 77, 4096);
	assert_int_equal(render->exported_memory, 77);
	m->context = 0;
	map = send_map(m, 1, 0);
	shown = flush(m, 1);
	m->context = 3;
	/* Commands need not wait: the process has them in order. */
	assert_int_equal(answer_of(send_submit(m, 0)), OK);
	attach = send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1);
	/* But behind an attach that waits they do. */
	submit = send_submit(m, 0);
	m->context = 4;
	assert_int_equal(answer_of(send_submit(m, 0)), OK);
	foreign = send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1);
	assert_int_equal(answer_of(flush(m, 2)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_GET_CAPSET_INFO,
						"12345678", 8)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_false(create->is_done || map->is_done || attach->is_done ||
		     submit->is_done || shown->is_done || foreign->is_done);

	assert_int_equal(render_alloc(render, 4096, &offset, NULL), 0);
	render->ops->exported(render->opaque, 1, 0, offset, 4096);
	assert_int_equal(answer_of(create), OK);
	/* The map runs; what names the resource waits for it, in turn. */
	assert_int_equal(m->n_maps, 1);
	assert_false(map->is_done || attach->is_done || submit->is_done);
	vgpu_gpu_window_done(m->gpu, m->cookie, 0);
	assert_int_equal(answer_of(map), VGPU_GPU_OK_MAP_INFO);
	assert_int_equal(answer_of(shown), OK);
	assert_int_equal(answer_of(attach), OK);
	assert_int_equal(answer_of(submit), OK);
	assert_int_equal(answer_of(foreign), OK);
	assert_int_equal(render->added_fd, -1);
	assert_true(render_open(other, 1) >= 0);
	assert_int_equal(render_open(other, 1), render_open(render, 1));
}

static void test_lane_ends(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	struct sent *sent[4];

	for (int destroy = 0; destroy < 2; destroy++) {
		sent[0] = send_blob(m, 1, 77, 4096);
		sent[1] = send_map(m, 1, 0);
		sent[2] = send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1);
		m->flags = FENCE;
		sent[3] = send_submit(m, 0);
		m->flags = 0;
		if (destroy)
			assert_int_equal(answer_of(send_context(
						 m, VGPU_GPU_CTX_DESTROY, 3)),
					 OK);
		else
			render_die(render);
		assert_int_equal(answer_of(sent[0]), VGPU_GPU_ERR_UNSPEC);
		assert_int_equal(answer_of(sent[1]),
				 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
		assert_int_equal(answer_of(sent[2]), VGPU_GPU_ERR_UNSPEC);
		assert_int_equal(answer_of(sent[3]), VGPU_GPU_ERR_UNSPEC);
		if (!destroy) {
			send_context(m, VGPU_GPU_CTX_DESTROY, 3);
			render = machine_context(m, 3);
		}
	}
	assert_int_equal(render_alive, 0);
}

/* What its process does not take stays with the guest, in order. */
static void test_flood(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);
	uint8_t *commands = calloc(1, 1 << 20);
	struct sent *sent[100], *attach, *other, *unref;
	unsigned int n_done = 0;

	assert_non_null(commands);
	assert_int_equal(answer_of(send_blob(m, 1, 0, 4096)), OK);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	assert_int_equal(answer_of(send_blob(m, 2, 0, 4096)), OK);
	render->room = 8;
	m->more = commands;
	m->more_bytes = 1 << 20;
	for (int i = 0; i < 100; i++) {
		m->flags = i % 3 ? 0 : FENCE;
		sent[i] = send_submit(m, 1 << 20);
		n_done += sent[i]->is_done;
	}
	m->flags = 0;
	m->more_bytes = 0;
	/* It is held back, with no copy made of what waits. */
	assert_int_equal(n_done, 5);
	assert_int_equal(render->n_fences, 3);
	assert_int_equal(render->submitted_bytes, 8 << 20);
	attach = send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 2);
	m->context = 0;
	unref = send_resource(m, VGPU_GPU_RESOURCE_UNREF, 1);
	assert_false(attach->is_done || unref->is_done);
	/* Others, and what shows pictures, go on. */
	machine_context(m, 4);
	assert_int_equal(answer_of(send_submit(m, 0)), OK);
	other = send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 2);
	assert_false(other->is_done); /* of the same resource */

	render_give_room(render, 1);
	assert_int_equal(render->submitted_bytes, 9 << 20);
	assert_false(attach->is_done || unref->is_done);
	for (int i = 0; i < 92; i++)
		render_give_room(render, 1);
	/* The last of it went to whoever names no context. */
	assert_int_equal(render->submitted_bytes, 100 << 20);
	assert_int_equal(render->n_added + render->n_removed, 2);
	render_give_room(render, UINT_MAX);
	assert_int_equal(answer_of(attach), OK);
	assert_int_equal(answer_of(other), OK);
	assert_int_equal(answer_of(unref), OK);
	assert_int_equal(render->n_added, 2);
	assert_int_equal(render->n_removed, 1);
	for (int i = 0; i < 100; i++)
		assert_int_equal(sent[i]->is_done, i % 3 != 0);
	render_finish(render);
	for (int i = 0; i < 100; i++)
		assert_int_equal(answer_of(sent[i]), OK);
	free(commands);
}

static void test_reset(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 3);

	machine_memory(m, render, 5, 4096);
	m->flags = RING;
	m->ring_idx = 9;
	send_submit(m, 0);
	m->flags = 0;
	send_blob(m, 1, 77, 4096);
	send_map(m, 1, 0);
	send_map(m, 5, 8192);
	send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1);
	send_submit(m, 0);
	send_resource(m, VGPU_GPU_RESOURCE_UNREF, 5);
	vgpu_gpu_reset(m->gpu);
	assert_int_equal(m->n_forgets, 1);
	assert_int_equal(render_alive, 0);
	for (unsigned int i = 0; i < m->n_sent; i++)
		assert_true(m->sent[i]->is_done);
	/* What comes in late for the life before finds nobody. */
	vgpu_gpu_window_done(m->gpu, m->cookie, 0);
	vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
	render = machine_context(m, 3);
	machine_memory(m, render, 5, FRAMEBUFFER_BYTES);
	send_map(m, 5, 0);
	vgpu_gpu_window_done(m->gpu, m->cookie, 0);
	assert_int_equal(answer_of(m->sent[m->n_sent - 1]), VGPU_GPU_OK_MAP_INFO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, machine_set_up, machine_tear_down)
		TEST(test_capset),	TEST(test_gfxstream),
		TEST(test_no_renderer), TEST(test_life),
		TEST(test_slow_start),	TEST(test_submit),
		TEST(test_fences),	TEST(test_figures),
		TEST(test_death),	TEST(test_lost_while_told),
		TEST(test_lost_rings),	TEST(test_attach),
		TEST(test_lanes),	TEST(test_lane_ends),
		TEST(test_flood),	TEST(test_reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
