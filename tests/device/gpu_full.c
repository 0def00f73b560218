/* SPDX-License-Identifier: GPL-2.0-or-later */
/* All of the framebuffer can be had, in whatever sizes; and comes back. */
#include "tests/device/gpu_render.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

#define MIB   (1u << 20)
#define PAGES (FRAMEBUFFER_BYTES / 4096)

/* Everything is given out, in parts of @bytes, and every second one free. */
static void fragment(struct vgpu_render *render, uint64_t bytes)
{
	uint64_t name[PAGES];
	unsigned int n = 0;

	while (render_alloc(render, bytes, &name[n], NULL) == 0)
		n++;
	assert_int_equal(n, FRAMEBUFFER_BYTES / bytes);
	for (unsigned int i = 0; i < n; i += 2)
		assert_int_equal(render_free(render, name[i]), 0);
}

/* Half of the framebuffer is free, and all of that can be had at once. */
static void test_half(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	uint64_t name, other;
	int fd;

	fragment(render, MIB);
	assert_int_equal(machine_used(m), FRAMEBUFFER_BYTES / 2);
	assert_int_equal(render_alloc(render, 8 * MIB, &name, &fd), 0);
	assert_int_equal(machine_used(m), FRAMEBUFFER_BYTES);
	assert_int_equal(render_alloc(render, 4096, &other, NULL), -ENOMEM);
	assert_int_equal(lseek(fd, 0, SEEK_END), 8 * MIB);
	assert_int_equal(render_free(render, name), 0);
	assert_int_equal(render_free(render, name), -EINVAL);
	assert_int_equal(machine_used(m), FRAMEBUFFER_BYTES / 2);
	assert_int_equal(render_alloc(render, 8 * MIB, &name, NULL), 0);
	render_die(render);
	assert_int_equal(machine_used(m), 0);
	assert_int_equal(kept_count(m->config.launcher), 0);
	render = machine_context(m, 2);
	assert_int_equal(render_alloc(render, FRAMEBUFFER_BYTES, &name, NULL), 0);
}

/* There are so many files and no more, and those are to be had again. */
static void test_files(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	static uint64_t name[PAGES];

	m->gpu->storage.files_max = 1000;
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < 1000; i++)
			assert_int_equal(
				render_alloc(render, 4096, &name[i], NULL), 0);
		assert_int_equal(render_alloc(render, 4096, &name[1000], NULL),
				 -ENOMEM);
		assert_int_equal(kept_count(m->config.launcher), 1000);
		/* What is no file is had all the same. */
		assert_int_equal(render_charge(render, 4096, &name[1000]), 0);
		for (unsigned int i = 0; i <= 1000; i++)
			assert_int_equal(render_free(render, name[i]), 0);
		assert_int_equal(machine_used(m), 0);
		assert_int_equal(kept_count(m->config.launcher),
				 m->gpu->storage.freed.n);
	}
	render_die(render);
	assert_int_equal(kept_count(m->config.launcher), 0);
}

/* A file's pages are given back when it is, whoever has it still. */
static void test_pages(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	const uint64_t bytes[] = {MIB, FRAMEBUFFER_BYTES / 2};
	uint64_t name[2];
	struct stat st;
	int fd[2];

	for (int i = 0; i < 2; i++) {
		assert_int_equal(
			render_alloc(render, bytes[i], &name[i], &fd[i]), 0);
		fd[i] = dup(fd[i]);
		assert_int_equal(fallocate(fd[i], 0, 0, (off_t)bytes[i]), 0);
		assert_int_equal(render_free(render, name[i]), 0);
	}
	/* The small one is kept for its context, while there is that. */
	assert_int_equal(fstat(fd[0], &st), 0);
	assert_int_equal(st.st_blocks, MIB / 512);
	assert_int_equal(fstat(fd[1], &st), 0);
	assert_int_equal(st.st_blocks, 0);
	render_die(render);
	assert_int_equal(fstat(fd[0], &st), 0);
	assert_int_equal(st.st_blocks, 0);
	close(fd[0]);
	close(fd[1]);
}

struct live {
	uint64_t name;
	uint64_t bytes; /* 0: none */
	ino_t inode;
};

static ino_t inode_of(int fd)
{
	struct stat st;

	assert_int_equal(fstat(fd, &st), 0);
	return st.st_ino;
}

/* As long as there is so much it can be had, and no two have one file. */
static void test_random(void **state)
{
	static struct live live[400];
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	unsigned int refusals = 0;

	srandom(1);
	for (int round = 0; round < 40000; round++) {
		struct live *at = &live[random() % VGPU_ARRAY_SIZE(live)];
		uint64_t bytes = 4096 * (1 + (uint64_t)random() %
						     (random() % 16 ? 24 : 600));
		uint64_t free = FRAMEBUFFER_BYTES - machine_used(m);
		int fd, r;

		if (at->bytes) {
			assert_int_equal(render_free(render, at->name), 0);
			*at = (struct live){};
			continue;
		}
		r = render_alloc(render, bytes, &at->name, &fd);
		assert_int_equal(r, bytes <= free ? 0 : -ENOMEM);
		refusals += r < 0;
		if (r < 0)
			continue;
		at->bytes = bytes;
		at->inode = inode_of(fd);
		for (size_t i = 0; i < VGPU_ARRAY_SIZE(live); i++)
			assert_true(&live[i] == at || !live[i].bytes ||
				    (live[i].inode != at->inode &&
				     live[i].name != at->name));
	}
	assert_true(refusals > 100);
	render_die(render);
	assert_int_equal(machine_used(m), 0);
	memset(live, 0, sizeof(live));
}

/* The same with resources and successors, which know only the state. */
static void test_random_successors(void **state)
{
	static uint64_t live[60]; /* bytes of resource i + 1 */
	struct machine *m = *state;

	srandom(2);
	for (uint32_t round = 0; round < 60; round++) {
		struct vgpu_render *render = machine_context(m, 1 + round);
		uint64_t sum = 0;

		for (int i = 0; i < 60; i++) {
			uint32_t k = (uint32_t)random() % VGPU_ARRAY_SIZE(live);
			uint64_t bytes = 4096 * (1 + (uint64_t)random() % 300);
			uint64_t name;

			if (live[k]) {
				send_resource(m, VGPU_GPU_RESOURCE_UNREF, k + 1);
				live[k] = 0;
			} else if (bytes <= FRAMEBUFFER_BYTES - machine_used(m)) {
				live[k] = bytes;
				name = machine_memory(m, render, k + 1, bytes);
				*(uint64_t *)vgpu_gpu_storage_map(m->gpu, name) =
					bytes;
				render_free(render, name);
			}
		}
		machine_resume(m);
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		for (uint32_t k = 0; k < VGPU_ARRAY_SIZE(live); k++) {
			const struct vgpu_gpu_state_resource *resource;

			if (!live[k])
				continue;
			sum += live[k];
			resource = vgpu_gpu_resource_find(m->gpu, k + 1);
			assert_non_null(resource);
			assert_int_equal(*(uint64_t *)vgpu_gpu_storage_map(
						 m->gpu, resource->storage),
					 live[k]);
		}
		assert_int_equal(machine_used(m), sum);
	}
	memset(live, 0, sizeof(live));
}

/* Whatever is in the table, what comes of it is sound. */
static void test_strange_allocations(void **state)
{
	struct machine *m = *state;
	uint64_t name;

	srandom(3);
	for (int round = 0; round < 400; round++) {
		struct vgpu_gpu_state *s = m->state;
		struct vgpu_render *render;

		vgpu_gpu_reset(m->gpu);
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		render = machine_context(m, 1);
		assert_int_equal(render_alloc(render, MIB, &name, NULL), 0);
		machine_memory(m, render, 1, 2 * MIB);
		machine_memory(m, render, 2, 3 * MIB);
		for (int i = 0; i < 2; i++)
			((uint8_t *)&s->allocation[random() % 4])[random() % 32] ^=
				(uint8_t)(1 << random() % 8);
		if (random() % 8 == 0)
			s->allocations_used = (uint32_t)random();
		machine_resume(m);
		assert_true(machine_used(m) <= 6 * MIB);
		for (uint32_t id = 1; id < 3; id++)
			send_resource(m, VGPU_GPU_RESOURCE_UNREF, id);
		send_context(m, VGPU_GPU_CTX_DESTROY, 1);
		assert_int_equal(machine_used(m), 0);
		/* All of it can be had again. */
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		fragment(machine_context(m, 2), MIB);
	}
}

/* A picture whose file is lost, as with the launcher, is black and goes on. */
static void test_lost_picture(void **state)
{
	struct machine *m = *state;
	const struct vgpu_gpu_resource_create_2d create = {5, VGPU_GPU_B8G8R8A8,
							   64, 64};
	const struct {
		struct vgpu_gpu_attach_backing attach;
		struct vgpu_gpu_entry entry;
	} attach = {{5, 1}, {0, 64 * 64 * 4, 0}};
	const struct vgpu_gpu_transfer_to_host_2d transfer = {
		.rect = {0, 0, 64, 64}, .resource_id = 5};
	const struct vgpu_gpu_set_scanout show = {.rect = {0, 0, 64, 64},
						  .resource_id = 5};
	struct vgpu_launcher *other;

	memset(m->memory, 0x55, 64 * 64 * 4);
	machine_send(m, VGPU_GPU_RESOURCE_CREATE_2D, &create, sizeof(create));
	machine_send(m, VGPU_GPU_RESOURCE_ATTACH_BACKING, &attach,
		     sizeof(attach));
	machine_send(m, VGPU_GPU_SET_SCANOUT, &show, sizeof(show));
	for (uint32_t round = 0; round < 2; round++) {
		struct vgpu_control_frame frame;
		struct vgpu_err err = {};
		uint32_t pixel = 1;
		int fd = -1;

		assert_int_equal(
			answer_of(machine_send(m, VGPU_GPU_TRANSFER_TO_HOST_2D,
					       &transfer, sizeof(transfer))),
			OK);
		other = kept_create();
		kept_destroy(m->config.launcher);
		m->config.launcher = other;
		machine_resume(m);
		assert_int_equal(machine_used(m), 64 * 64 * 4);
		assert_int_equal(vgpu_gpu_capture(m->gpu, 0, &frame, &fd, &err),
				 0);
		assert_int_equal(frame.width, 64);
		assert_int_equal(pread(fd, &pixel, 4, 0), 4);
		assert_int_equal(pixel & 0xffffff, 0);
		close(fd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, machine_set_up, machine_tear_down)
		TEST(test_half),
		TEST(test_files),
		TEST(test_pages),
		TEST(test_random),
		TEST(test_random_successors),
		TEST(test_strange_allocations),
		TEST(test_lost_picture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
