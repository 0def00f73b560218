/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory that no free range is large enough for: it is made of several. */
#include "tests/device/gpu_render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#define MIB	      (1u << 20)
#define SEGMENT_BYTES (4 * MIB)
#define PAGES	      (FRAMEBUFFER_BYTES / 4096)

static int set_up(void **state)
{
	struct machine *m = machine_create();

	m->config.segment_bytes = SEGMENT_BYTES;
	machine_resume(m);
	vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
	*state = m;
	return 0;
}

static int tear_down(void **state)
{
	machine_destroy(*state);
	return 0;
}

static uint64_t used(struct machine *m)
{
	struct vgpu_control_status status;

	vgpu_gpu_status(m->gpu, &status);
	return status.framebuffer_used_bytes;
}

static uint32_t pieces_of(struct machine *m, uint64_t offset,
			  struct vgpu_render_piece *ret_piece)
{
	return vgpu_gpu_memory_ops.pieces(m->gpu, offset, 0, ret_piece);
}

/* Everything is given out, in parts of @bytes, and every second one free. */
static void fragment(struct vgpu_render *render, uint64_t bytes)
{
	uint64_t offset[PAGES];
	unsigned int n = 0;

	while (render_alloc(render, bytes, &offset[n], NULL) == 0)
		n++;
	assert_int_equal(n, FRAMEBUFFER_BYTES / bytes);
	for (unsigned int i = 0; i < n; i += 2)
		assert_int_equal(render_free(render, offset[i]), 0);
}

/* Half of the framebuffer is free, and all of that can be had at once. */
static void test_half(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	uint64_t offset, other;
	bool is_zero = true;
	uint8_t *range;

	fragment(render, MIB);
	assert_int_equal(used(m), FRAMEBUFFER_BYTES / 2);
	assert_int_equal(render_alloc(render, 8 * MIB, &offset, &is_zero), 0);
	assert_false(is_zero);
	assert_true(offset >= FRAMEBUFFER_BYTES);
	assert_int_equal(used(m), FRAMEBUFFER_BYTES);
	assert_int_equal(render_alloc(render, 4096, &other, NULL), -ENOMEM);
	assert_int_equal(pieces_of(m, offset, piece), 8);
	range = vgpu_gpu_storage_address(m->gpu, offset);
	for (uint32_t i = 0; i < 8; i++) {
		assert_int_equal(piece[i].bytes, MIB);
		assert_int_equal(piece[i].offset, 2 * i * MIB);
		/* It is the framebuffer that is seen there. */
		range[i * MIB + 5] = (uint8_t)(0x40 + i);
		assert_int_equal(m->framebuffer[piece[i].offset + 5], 0x40 + i);
	}
	/* A piece is no range that anybody could name. */
	assert_int_equal(render_free(render, piece[0].offset), -EINVAL);
	assert_int_equal(render_free(render, offset + MIB), -EINVAL);
	assert_int_equal(render_free(render, offset), 0);
	assert_int_equal(render_free(render, offset), -EINVAL);
	assert_int_equal(used(m), FRAMEBUFFER_BYTES / 2);
	assert_int_equal(render_alloc(render, 8 * MIB, &offset, NULL), 0);
	render_die(render);
	assert_int_equal(used(m), 0);
	/* Nothing is left of it that would keep others from being in one. */
	render = machine_context(m, 2);
	assert_int_equal(render_alloc(render, FRAMEBUFFER_BYTES, &offset, NULL),
			 0);
	assert_int_equal(offset, 0);
}

/* A picture that is scattered is written and shown like any other. */
static void test_picture(void **state)
{
	struct machine *m = *state;
	const struct vgpu_gpu_resource_create_2d create = {5, VGPU_GPU_B8G8R8A8,
							   600, 400};
	const struct {
		struct vgpu_gpu_attach_backing attach;
		struct vgpu_gpu_entry entry;
	} attach = {{5, 1}, {0, 600 * 400 * 4, 0}};
	const struct vgpu_gpu_transfer_to_host_2d transfer = {
		.rect = {0, 0, 600, 400}, .resource_id = 5};
	const struct vgpu_gpu_set_scanout show = {.rect = {0, 0, 600, 400},
						  .resource_id = 5};
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	const struct vgpu_gpu_state_resource *resource;
	struct vgpu_control_frame frame;
	struct vgpu_err err = {};
	const uint32_t *pixels;
	int fd;

	fragment(machine_context(m, 1), 16384);
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_RESOURCE_CREATE_2D,
						&create, sizeof(create))),
			 OK);
	resource = vgpu_gpu_resource_find(m->gpu, 5);
	assert_int_equal(pieces_of(m, resource->offset, piece),
			 (600 * 400 * 4 + 16383) / 16384);
	for (uint32_t i = 0; i < 600 * 400; i++)
		memcpy(m->memory + i * 4, &i, 4);
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_RESOURCE_ATTACH_BACKING,
						&attach, sizeof(attach))),
			 OK);
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_TRANSFER_TO_HOST_2D,
						&transfer, sizeof(transfer))),
			 OK);
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_SET_SCANOUT, &show,
						sizeof(show))),
			 OK);
	/* By a successor, too. */
	for (int round = 0; round < 2; round++) {
		assert_int_equal(vgpu_gpu_capture(m->gpu, 0, &frame, &fd, &err),
				 0);
		pixels = mmap(NULL, 600 * 400 * 4, PROT_READ, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(pixels, MAP_FAILED);
		for (uint32_t i = 0; i < 600 * 400; i++)
			assert_int_equal(pixels[i] & 0xffffff, i);
		munmap((void *)pixels, 600 * 400 * 4);
		close(fd);
		machine_resume(m);
	}
	assert_int_equal(answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNREF, 5)),
			 OK);
	assert_int_equal(used(m), 0);
}

static void done(struct machine *m)
{
	vgpu_gpu_window_done(m->gpu, m->cookie, 0);
}

/* The window gets its pieces, of which a successor knows. */
static void test_resource(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	uint64_t offset;
	uint32_t n;

	fragment(render, MIB);
	offset = machine_memory(m, render, 5, 3 * MIB);
	n = pieces_of(m, offset, piece);
	assert_int_equal(n, 3);
	send_map(m, 5, 0);
	assert_int_equal(m->mapping.n_pieces, 3);
	done(m);
	machine_resume(m);
	/* The context is gone, and what the guest does not name. */
	assert_int_equal(used(m), 3 * MIB);
	assert_int_equal(vgpu_gpu_resource_find(m->gpu, 5)->offset, offset);
	assert_int_equal(pieces_of(m, offset, piece), 3);
	vgpu_gpu_storage_address(m->gpu, offset)[MIB + 1] = 0x55;
	assert_int_equal(m->framebuffer[piece[1].offset + 1], 0x55);
	send_resource(m, VGPU_GPU_RESOURCE_UNREF, 5);
	assert_int_equal(m->mapping.n_pieces, 3);
	done(m);
	assert_int_equal(used(m), 0);
	/* A reset leaves nothing either. */
	vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
	render = machine_context(m, 2);
	fragment(render, MIB);
	machine_memory(m, render, 5, 3 * MIB);
	vgpu_gpu_reset(m->gpu);
	assert_int_equal(used(m), 0);
	assert_int_equal(m->state->pieces_used, 0);
}

struct live {
	uint64_t offset; /* 0 bytes: none */
	uint64_t bytes;
	uint32_t id; /* of a resource that names it; 0: none */
};

/* No byte of what is alive is another's, and none crosses a segment. */
static void check_apart(struct machine *m, const struct live *live, size_t n)
{
	static uint8_t taken[PAGES];
	struct vgpu_render_piece piece[VGPU_RENDER_PIECES_MAX];
	uint64_t sum = 0;

	memset(taken, 0, sizeof(taken));
	for (size_t i = 0; i < n; i++) {
		uint64_t bytes = 0;
		uint32_t pieces;

		if (!live[i].bytes)
			continue;
		pieces = pieces_of(m, live[i].offset, piece);
		if (!pieces)
			piece[pieces++] = (struct vgpu_render_piece){
				live[i].offset, live[i].bytes};
		else
			for (uint32_t k = 0; k < pieces; k++)
				assert_int_equal(
					piece[k].offset / SEGMENT_BYTES,
					(piece[k].offset + piece[k].bytes - 1) /
						SEGMENT_BYTES);
		for (uint32_t k = 0; k < pieces; k++) {
			bytes += piece[k].bytes;
			for (uint64_t at = 0; at < piece[k].bytes; at += 4096)
				assert_int_equal(
					taken[(piece[k].offset + at) / 4096]++,
					0);
		}
		assert_int_equal(bytes, live[i].bytes);
		sum += bytes;
	}
	assert_int_equal(used(m), sum);
}

/* As long as there is so much, in whatever parts, it can be had. */
static void test_random(void **state)
{
	static struct live live[400];
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	unsigned int refusals = 0, scattered = 0;

	srandom(1);
	for (int round = 0; round < 40000; round++) {
		struct live *at = &live[random() % VGPU_ARRAY_SIZE(live)];
		uint64_t bytes = 4096 * (1 + (uint64_t)random() %
						     (random() % 16 ? 24 : 600));
		uint64_t free = FRAMEBUFFER_BYTES - used(m);
		int r;

		if (at->bytes) {
			assert_int_equal(render_free(render, at->offset), 0);
			*at = (struct live){};
		} else {
			r = render_alloc(render, bytes, &at->offset, NULL);
			assert_int_equal(r, bytes <= free ? 0 : -ENOMEM);
			if (r == 0)
				at->bytes = bytes;
			refusals += r < 0;
			scattered += r == 0 && at->offset >= FRAMEBUFFER_BYTES;
		}
		if (round % 500 == 0)
			check_apart(m, live, VGPU_ARRAY_SIZE(live));
	}
	assert_true(refusals > 100 && scattered > 1000);
	check_apart(m, live, VGPU_ARRAY_SIZE(live));
	render_die(render);
	assert_int_equal(used(m), 0);
	memset(live, 0, sizeof(live));
}

/* The same with resources and successors, which know only the state. */
static void test_random_successors(void **state)
{
	static struct live live[60];
	struct machine *m = *state;
	unsigned int scattered = 0;

	srandom(2);
	for (int round = 0; round < 60; round++) {
		struct vgpu_render *render =
			machine_context(m, 1 + (uint32_t)round);

		for (int i = 0; i < 60; i++) {
			uint32_t k = (uint32_t)random() % VGPU_ARRAY_SIZE(live);
			uint64_t bytes = 4096 * (1 + (uint64_t)random() % 300);

			if (live[k].bytes) {
				send_resource(m, VGPU_GPU_RESOURCE_UNREF,
					      live[k].id);
				live[k] = (struct live){};
			} else if (bytes <= FRAMEBUFFER_BYTES - used(m)) {
				live[k] = (struct live){
					machine_memory(m, render, k + 1, bytes),
					bytes, k + 1};
				render_free(render, live[k].offset);
				scattered += live[k].offset >= FRAMEBUFFER_BYTES;
			}
		}
		check_apart(m, live, VGPU_ARRAY_SIZE(live));
		machine_resume(m);
		check_apart(m, live, VGPU_ARRAY_SIZE(live));
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
	}
	assert_true(scattered > 20);
	memset(live, 0, sizeof(live));
}

/* Whatever is in the table, what comes of it is sound. */
static void test_strange_pieces(void **state)
{
	struct machine *m = *state;

	srandom(3);
	for (int round = 0; round < 400; round++) {
		struct vgpu_render *render;
		struct vgpu_gpu_state *s = m->state;

		vgpu_gpu_reset(m->gpu);
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		render = machine_context(m, 1);
		fragment(render, MIB);
		machine_memory(m, render, 1, 2 * MIB);
		machine_memory(m, render, 2, 3 * MIB);
		for (int i = 0; i < 2; i++)
			((uint8_t *)&s->piece[random() % 5])[random() % 32] ^=
				(uint8_t)(1 << random() % 8);
		if (random() % 8 == 0)
			s->pieces_used = (uint32_t)random();
		machine_resume(m);
		assert_true(used(m) <= 5 * MIB);
		for (uint32_t id = 1; id < 3; id++)
			send_resource(m, VGPU_GPU_RESOURCE_UNREF, id);
		assert_int_equal(used(m), 0);
		/* All of it can be had again. */
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		fragment(machine_context(m, 2), MIB);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
		TEST(test_half),
		TEST(test_picture),
		TEST(test_resource),
		TEST(test_random),
		TEST(test_random_successors),
		TEST(test_strange_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
