/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Device memory, shared memory, the window, and what a successor finds. */
#include "tests/device/gpu_kept.h"
#include "tests/device/gpu_render.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cmocka.h>

static uint32_t create_2d(struct machine *m, uint32_t id, uint32_t height)
{
	const struct vgpu_gpu_resource_create_2d create = {id, 1, 1024, height};

	return answer_of(machine_send(m, VGPU_GPU_RESOURCE_CREATE_2D, &create,
				      sizeof(create)));
}

static uint32_t unref(struct machine *m, uint32_t id)
{
	return answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNREF, id));
}

static void test_quota(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	uint64_t offset[4], charge;

	/* A quarter each: 2D, a's, b's, and a charge of a's. */
	assert_int_equal(create_2d(m, 1, 1024), OK);
	assert_int_equal(render_alloc(a, 4 << 20, &offset[0], NULL), 0);
	assert_int_equal(render_alloc(b, 4 << 20, &offset[1], NULL), 0);
	assert_int_equal(render_charge(a, 4 << 20, &charge), 0);
	assert_int_equal(machine_used(m), FRAMEBUFFER_BYTES);
	assert_int_equal(render_alloc(a, 4096, &offset[2], NULL), -ENOMEM);
	assert_int_equal(render_charge(b, 4096, &offset[2]), -ENOMEM);
	assert_int_equal(create_2d(m, 2, 1), VGPU_GPU_ERR_OUT_OF_MEMORY);

	/* Nobody frees what is another's, nor twice. */
	assert_int_equal(render_free(b, offset[0]), -EINVAL);
	assert_int_equal(render_free(b, charge), -EINVAL);
	assert_int_equal(render_free(a, 0), -EINVAL);
	assert_int_equal(render_free(a, UINT64_MAX), -EINVAL);
	assert_int_equal(render_free(a, offset[0] + (1ULL << 32)), -EINVAL);
	assert_int_equal(render_free(a, charge), 0);
	assert_int_equal(render_free(a, charge), -EINVAL);
	assert_int_equal(render_free(a, offset[0]), 0);
	assert_int_equal(render_free(a, offset[0]), -EINVAL);
	assert_int_equal(machine_used(m), FRAMEBUFFER_BYTES / 2);
	assert_int_equal(render_alloc(a, 0, &offset[2], NULL), -EINVAL);
	assert_int_equal(render_alloc(a, 4095, &offset[2], NULL), -EINVAL);
	assert_int_equal(render_alloc(a, UINT64_MAX - 4095, &offset[2], NULL),
			 -ENOMEM);
	assert_int_equal(render_charge(a, UINT64_MAX - 4095, &offset[2]),
			 -ENOMEM);
	assert_int_equal(unref(m, 1), OK);
	/* The end of a context is the end of what it had. */
	render_die(b);
	assert_int_equal(machine_used(m), 0);
}

/* What a process has been given is its own: all zeros, and nobody else's. */
static void test_apart(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	static const char secret[] = "what only this program may see";
	uint64_t name[3];
	char found[sizeof(secret)];
	int fd[3], kept;

	assert_int_equal(render_alloc(a, 1 << 20, &name[0], &fd[0]), 0);
	assert_int_equal(render_alloc(b, 1 << 20, &name[1], &fd[1]), 0);
	assert_int_equal(pwrite(fd[0], secret, sizeof(secret), 4096),
			 sizeof(secret));
	for (uint64_t at = 0; at < 1 << 20; at += 4096) {
		assert_int_equal(pread(fd[1], found, sizeof(found), (off_t)at),
				 sizeof(found));
		assert_int_equal(found[0], 0);
	}
	/*
	 * A process may keep what it gives up: it finds what it wrote itself,
	 * and nothing once its context is gone.
	 */
	kept = dup(fd[0]);
	assert_true(kept >= 0);
	assert_int_equal(render_free(a, name[0]), 0);
	assert_int_equal(render_alloc(b, 1 << 20, &name[2], &fd[2]), 0);
	assert_int_equal(pwrite(fd[2], secret, sizeof(secret), 0),
			 sizeof(secret));
	assert_int_equal(pread(kept, found, sizeof(found), 0), sizeof(found));
	assert_int_equal(found[0], 0);
	/* Nor can it make it smaller, which would end whoever maps it. */
	assert_int_equal(ftruncate(kept, 0), -1);
	assert_int_equal(ftruncate(fd[2], 0), -1);
	render_die(a);
	assert_int_equal(pread(kept, found, sizeof(found), 4096), sizeof(found));
	assert_int_equal(found[0], 0);
	close(kept);
}

/* The inode of a file that @render is given for @bytes. */
static ino_t alloc_inode(struct vgpu_render *render, uint64_t bytes,
			 uint64_t *ret_name)
{
	struct stat st;
	int fd;

	assert_int_equal(render_alloc(render, bytes, ret_name, &fd), 0);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(st.st_size, bytes);
	return st.st_ino;
}

/* A context gets again what it freed, of the same size, and nobody else does. */
static void test_kept(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	uint64_t name, other, last;
	ino_t first, second;

	first = alloc_inode(a, 1 << 20, &name);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(render_free(a, name), -EINVAL);
	assert_int_equal(machine_used(m), 0);
	assert_true(alloc_inode(b, 1 << 20, &other) != first);
	assert_true(alloc_inode(a, 8192, &other) != first);
	assert_true(alloc_inode(a, 1 << 20, &name) == first);
	assert_int_equal(machine_used(m), (2 << 20) + 8192);
	assert_true(alloc_inode(a, 1 << 20, &last) != first);
	assert_int_equal(render_free(a, last), 0);

	/* The one that was freed last is the one with warm pages. */
	assert_int_equal(render_free(a, name), 0);
	assert_true(alloc_inode(a, 1 << 20, &name) == first);

	/* A resource may have been the last to name it. */
	m->context = 1;
	name = machine_memory(m, a, 10, 16384);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(unref(m, 10), OK);
	second = alloc_inode(a, 16384, &last);
	assert_int_equal(last, name);

	/* What is too large is given back, and so is the oldest of many. */
	assert_int_equal(render_alloc(a, 4 << 20, &name, NULL), 0);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(m->gpu->storage.freed.bytes, 1 << 20);
	assert_int_equal(render_free(a, last), 0);
	for (int i = 0; i < 100; i++) {
		assert_int_equal(render_alloc(a, 4096 * (i + 5), &name, NULL), 0);
		assert_int_equal(render_free(a, name), 0);
		assert_true(m->gpu->storage.freed.bytes <= FRAMEBUFFER_BYTES / 8);
	}
	assert_true(alloc_inode(a, 16384, &last) != second);
}

/* Whoever needs the memory gets it, and nobody keeps another's. */
static void test_kept_is_free(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	uint64_t name, all, rest;
	uint8_t byte = 0x5a;
	int fd, theirs;

	assert_int_equal(render_alloc(a, 1 << 20, &name, NULL), 0);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(m->gpu->storage.freed.n, 1);
	assert_int_equal(render_alloc(b, FRAMEBUFFER_BYTES - 4096, &all, NULL),
			 0);
	assert_int_equal(m->gpu->storage.freed.n, 0);
	assert_int_equal(render_alloc(a, 4096, &rest, NULL), 0);
	assert_int_equal(render_alloc(a, 4096, &name, NULL), -ENOMEM);
	assert_int_equal(render_free(b, all), 0);

	/* Another context was given it: its pages are taken back at once. */
	m->context = 1;
	name = machine_memory(m, a, 10, 8192);
	m->context = 2;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 10)),
		OK);
	theirs = dup(render_open(b, 10));
	assert_int_equal(pwrite(theirs, &byte, 1, 5000), 1);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(unref(m, 10), OK);
	assert_int_equal(m->gpu->storage.freed.n, 0);
	assert_int_equal(pread(theirs, &byte, 1, 5000), 1);
	assert_int_equal(byte, 0);
	close(theirs);

	/* The end of its context is its end, also if a resource has it longer. */
	m->context = 1;
	name = machine_memory(m, a, 11, 8192);
	assert_int_equal(render_free(a, name), 0);
	assert_int_equal(render_free(a, rest), 0);
	assert_int_equal(m->gpu->storage.freed.n, 1);
	render_die(a);
	assert_int_equal(m->gpu->storage.freed.n, 0);
	assert_int_equal(unref(m, 11), OK);
	assert_int_equal(m->gpu->storage.freed.n, 0);
	assert_int_equal(machine_used(m), 0);

	/* And so is a reset. */
	assert_int_equal(render_alloc(b, 4096, &name, &fd), 0);
	assert_int_equal(render_free(b, name), 0);
	assert_int_equal(m->gpu->storage.freed.n, 1);
	vgpu_gpu_reset(m->gpu);
	assert_int_equal(m->gpu->storage.freed.n, 0);
}

/* What is shared can be opened as long as it is, and nothing else. */
static void test_open(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	uint8_t byte = 0x5a;
	int fd;

	m->context = 1;
	machine_memory(m, a, 10, 8192);
	assert_int_equal(create_2d(m, 11, 8), OK);
	assert_int_equal(answer_of(send_blob(m, 12, 0, 4096)), OK);
	for (uint32_t id = 0; id < 14; id++) {
		assert_int_equal(render_open(a, id), -EINVAL);
		assert_int_equal(render_open(b, id), -EINVAL);
	}
	for (uint32_t context = 1; context < 3; context++) {
		m->context = context;
		for (uint32_t id = 10; id < 13; id++)
			assert_int_equal(
				answer_of(send_resource(
					m, VGPU_GPU_CTX_ATTACH_RESOURCE, id)),
				OK);
	}
	/* Pixels are the device's alone, and rings came with the message. */
	for (uint32_t id = 11; id < 13; id++)
		assert_int_equal(render_open(b, id), -EINVAL);
	fd = render_open(a, 10);
	assert_int_equal(pwrite(fd, &byte, 1, 5000), 1);
	byte = 0;
	assert_int_equal(pread(render_open(b, 10), &byte, 1, 5000), 1);
	assert_int_equal(byte, 0x5a);
	m->context = 2;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 10)),
		OK);
	assert_int_equal(render_open(b, 10), -EINVAL);
	assert_true(render_open(a, 10) >= 0);
	assert_int_equal(unref(m, 10), OK);
	assert_int_equal(render_open(a, 10), -EINVAL);
}

static void test_many(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	uint64_t offset;

	for (uint32_t i = 0; i < FRAMEBUFFER_BYTES / 4096; i++)
		assert_int_equal(render_alloc(render, 4096, &offset, NULL), 0);
	assert_int_equal(render_alloc(render, 4096, &offset, NULL), -ENOMEM);
	render_die(render);
	assert_int_equal(machine_used(m), 0);
}

static void test_both_hold_it(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	uint64_t offset = machine_memory(m, render, 10, 1 << 20);
	uint64_t second;

	/* The guest names it still. */
	assert_int_equal(render_free(render, offset), 0);
	assert_int_equal(machine_used(m), 1 << 20);
	assert_int_equal(render_free(render, offset), -EINVAL);
	assert_int_equal(unref(m, 10), OK);
	assert_int_equal(machine_used(m), 0);
	/* The process has it still. */
	offset = machine_memory(m, render, 10, 1 << 20);
	assert_int_equal(unref(m, 10), OK);
	assert_int_equal(machine_used(m), 1 << 20);
	/* Two names for one file. */
	send_blob(m, 11, 5, 4096);
	render->ops->exported(render->opaque, 11, 0, offset, 1 << 20);
	send_blob(m, 12, 5, 1 << 20);
	render->ops->exported(render->opaque, 12, 0, offset, 1 << 20);
	render_die(render);
	assert_int_equal(machine_used(m), 1 << 20);
	assert_int_equal(unref(m, 11), OK);
	render = machine_context(m, 2);
	assert_int_equal(render_alloc(render, 4096, &second, NULL), 0);
	assert_int_not_equal(second, offset);
	assert_int_equal(unref(m, 12), OK);
	assert_int_equal(machine_used(m), 4096);
}

static void test_export_lies(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *a = machine_context(m, 1);
	struct vgpu_render *b = machine_context(m, 2);
	uint64_t its, charge;
	struct sent *sent;

	assert_int_equal(render_alloc(a, 8192, &its, NULL), 0);
	assert_int_equal(render_charge(b, 8192, &charge), 0);
	assert_int_equal(create_2d(m, 1, 8), OK);
	struct {
		int status;
		uint64_t offset;
		uint64_t bytes;
	} lie[] = {
		{0, its, 8192},	 {0, charge, 8192},	{0, its + 4096, 4096},
		{0, 8192, 4096}, {0, UINT64_MAX, 4096}, {0, its, 0},
		{-EINVAL, 0, 0}, {-ENOMEM, 0, 0},
	};
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(lie); i++) {
		m->context = 2;
		sent = send_blob(m, 20, 5, 4096);
		/* One that nobody asked for, first. */
		b->ops->exported(b->opaque, 21, 0, its, 4096);
		a->ops->exported(a->opaque, 20, 0, its, 4096);
		assert_false(sent->is_done);
		b->ops->exported(b->opaque, 20, lie[i].status, lie[i].offset,
				 lie[i].bytes);
		assert_true(answer_of(sent) >= VGPU_GPU_ERR_UNSPEC);
	}
	/* Its own, but smaller than what the guest wants of it. */
	m->context = 1;
	sent = send_blob(m, 20, 5, 12288);
	a->ops->exported(a->opaque, 20, 0, its, 12288);
	assert_int_equal(answer_of(sent), VGPU_GPU_ERR_INVALID_PARAMETER);
	sent = send_blob(m, 20, 5, 8192);
	a->ops->exported(a->opaque, 20, 0, its, 4096);
	assert_int_equal(answer_of(sent), VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(render_free(a, its), 0);
	assert_int_equal(machine_used(m), 32768 + 8192);
}

static void test_shared(void **state)
{
	struct machine *m = *state;
	struct vgpu_gpu_create_blob create = {
		.resource_id = 1,
		.blob_mem = VGPU_GPU_BLOB_MEM_HOST3D,
		.blob_flags = VGPU_GPU_BLOB_MAPPABLE,
		.bytes = 4096,
	};
	const uint64_t sizes[] = {0, 1, 4095, 4097, UINT64_MAX};

	machine_context(m, 1);
	for (uint32_t flags = 0; flags < 16; flags++) {
		if (flags == VGPU_GPU_BLOB_MAPPABLE)
			continue;
		create.blob_flags = flags;
		assert_int_equal(
			answer_of(machine_send(m, VGPU_GPU_RESOURCE_CREATE_BLOB,
					       &create, sizeof(create))),
			VGPU_GPU_ERR_INVALID_PARAMETER);
	}
	create.blob_flags = VGPU_GPU_BLOB_MAPPABLE;
	for (uint32_t mem = 3; mem < 6; mem++) {
		create.blob_mem = mem;
		assert_int_equal(
			answer_of(machine_send(m, VGPU_GPU_RESOURCE_CREATE_BLOB,
					       &create, sizeof(create))),
			VGPU_GPU_ERR_INVALID_PARAMETER);
	}
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(sizes); i++)
		assert_int_equal(answer_of(send_blob(m, 1, 0, sizes[i])),
				 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_blob(m, 0, 0, 4096)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	/* The cap is exact, and comes back. */
	assert_int_equal(answer_of(send_blob(m, 1, 0, VGPU_SHARED_MEMORY_MAX)),
			 OK);
	assert_int_equal(answer_of(send_blob(m, 1, 0, 4096)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(answer_of(send_blob(m, 2, 0, 4096)),
			 VGPU_GPU_ERR_OUT_OF_MEMORY);
	assert_int_equal(unref(m, 1), OK);
	assert_int_equal(answer_of(send_blob(m, 2, 0, VGPU_SHARED_MEMORY_MAX)),
			 OK);
	assert_int_equal(machine_used(m), 0);
	/* It is not shown, and takes no backing. */
	assert_int_equal(answer_of(machine_send(
				 m, VGPU_GPU_RESOURCE_ATTACH_BACKING,
				 &(struct vgpu_gpu_attach_backing){2, 1}, 8)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	const struct vgpu_gpu_set_scanout_blob show = {
		.rect = {0, 0, 64, 64},
		.resource_id = 2,
		.width = 64,
		.height = 64,
		.format = 1,
		.strides = {256},
	};
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_SET_SCANOUT_BLOB,
						&show, sizeof(show))),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
}

static void done(struct machine *m, int status)
{
	vgpu_gpu_window_done(m->gpu, m->cookie, status);
}

static void test_window(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	const uint64_t bad[] = {1,
				4095,
				2048,
				WINDOW_BYTES - 4096,
				WINDOW_BYTES,
				UINT64_MAX - 4095,
				UINT64_MAX};
	struct sent *sent, *again;
	uint64_t offset;

	offset = machine_memory(m, render, 1, 8192);
	assert_int_equal(answer_of(send_blob(m, 2, 0, 8192)), OK);
	assert_int_equal(create_2d(m, 3, 1), OK);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++)
		assert_int_equal(answer_of(send_map(m, 1, bad[i])),
				 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_map(m, 3, 0)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(answer_of(send_map(m, 4, 0)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1)),
		VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 4)),
		VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(m->n_maps, 0);

	sent = send_map(m, 1, WINDOW_BYTES - 8192);
	assert_true(m->mapping.fd >= 0);
	assert_int_equal(m->mapping.bytes, 8192);
	assert_int_equal(m->mapping.window_offset, WINDOW_BYTES - 8192);
	/* Overlaps count from the beginning. */
	assert_int_equal(answer_of(send_map(m, 2, WINDOW_BYTES - 12288)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	done(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_OK_MAP_INFO);
	assert_int_equal(sent->answer.map_info.map_info, 1);
	assert_int_equal(answer_of(send_map(m, 1, 0)), VGPU_GPU_ERR_UNSPEC);
	sent = send_map(m, 2, WINDOW_BYTES - 16384);
	assert_true(m->mapping.fd >= 0);
	/* What the VMM refuses is not mapped. */
	done(m, -EIO);
	assert_int_equal(answer_of(sent), VGPU_GPU_ERR_UNSPEC);
	m->window_error = -ENOTCONN;
	assert_int_equal(answer_of(send_map(m, 2, 0)), VGPU_GPU_ERR_UNSPEC);
	m->window_error = 0;
	sent = send_map(m, 2, 0);
	done(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_OK_MAP_INFO);

	/* Unmap, and in its wake the next that names it. */
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1);
	again = send_map(m, 1, 8192);
	assert_false(sent->is_done || again->is_done);
	assert_int_equal(m->n_unmaps, 1);
	done(m, 0);
	assert_int_equal(answer_of(sent), OK);
	done(m, 0);
	assert_int_equal(answer_of(again), VGPU_GPU_OK_MAP_INFO);
	/* The end of a resource waits until the guest sees it no more. */
	assert_int_equal(render_free(render, offset), 0);
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNREF, 1);
	again = send_resource(m, VGPU_GPU_RESOURCE_UNREF, 1);
	assert_int_equal(machine_used(m), 8192 + 4096);
	assert_false(sent->is_done);
	done(m, -ETIMEDOUT);
	assert_int_equal(answer_of(sent), OK);
	assert_int_equal(answer_of(again), VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	assert_int_equal(machine_used(m), 4096);
	done(m, 0);
	done(m, 0);
}

static void test_scanout(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	struct vgpu_gpu_set_scanout_blob show = {
		.rect = {1, 1, 16, 8},
		.resource_id = 1,
		.width = 32,
		.height = 16,
		.format = VGPU_GPU_R8G8B8A8,
		.strides = {132},
		.offsets = {64},
	};
	struct vgpu_control_frame frame;
	struct vgpu_err err = {};
	const uint32_t *pixels;
	uint64_t offset;
	uint8_t *at;
	int fd;

	machine_memory(m, render, 9, 4096);
	offset = machine_memory(m, render, 1, 4096);
	at = vgpu_gpu_storage_map(m->gpu, offset) + 64 + 132 + 4;
	for (int misaligned = 0; misaligned < 2; misaligned++) {
		show.offsets[0] = 64 + (uint32_t)misaligned;
		at += misaligned;
		for (int y = 0; y < 8; y++)
			for (int x = 0; x < 16; x++)
				memcpy(at + y * 132 + x * 4,
				       (uint8_t[]){(uint8_t)x, (uint8_t)y, 3, 4},
				       4);
		assert_int_equal(
			answer_of(machine_send(m, VGPU_GPU_SET_SCANOUT_BLOB,
					       &show, sizeof(show))),
			OK);
		assert_int_equal(vgpu_gpu_capture(m->gpu, 0, &frame, &fd, &err),
				 0);
		assert_int_equal(frame.width, 16);
		pixels = mmap(NULL, 16 * 8 * 4, PROT_READ, MAP_SHARED, fd, 0);
		assert_ptr_not_equal(pixels, MAP_FAILED);
		for (uint32_t y = 0; y < 8; y++)
			for (uint32_t x = 0; x < 16; x++)
				assert_int_equal(pixels[y * 16 + x],
						 x << 16 | y << 8 | 3);
		munmap((void *)pixels, 16 * 8 * 4);
		close(fd);
	}
	/* Nothing beyond the resource, whatever is in the framebuffer. */
	show.offsets[0] = 4096 - 15 * 132 - 128 + 1;
	assert_int_equal(answer_of(machine_send(m, VGPU_GPU_SET_SCANOUT_BLOB,
						&show, sizeof(show))),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	/* It is shown on by a successor, and without its context. */
	machine_resume(m);
	assert_non_null(vgpu_gpu_view_of(m->gpu, 0));
	assert_int_equal(unref(m, 1), OK);
	assert_null(vgpu_gpu_view_of(m->gpu, 0));
}

static void test_successor(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	uint64_t offset, next;
	struct sent *sent;
	uint8_t byte;

	offset = machine_memory(m, render, 1, 1 << 20);
	vgpu_gpu_storage_map(m->gpu, offset)[77] = 0x77;
	machine_memory(m, render, 2, 1 << 20);
	assert_int_equal(answer_of(send_blob(m, 3, 0, 8192)), OK);
	send_map(m, 1, 0);
	done(m, 0);
	send_map(m, 3, 2 << 20);
	done(m, 0);
	machine_context(m, 2);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 2)), OK);

	machine_resume(m);
	m->n_maps = m->n_unmaps = m->faults = 0;
	/* Contexts: known, but lost. */
	m->context = 1;
	m->flags = VGPU_GPU_FLAG_FENCE;
	m->is_retry = true;
	sent = send_submit(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_ERR_UNSPEC);
	assert_true(sent->answer.header.flags & VGPU_GPU_FLAG_FENCE);
	m->is_retry = false;
	m->flags = 0;
	assert_int_equal(answer_of(send_submit(m, 0)), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 1)), OK);
	assert_int_equal(answer_of(send_blob(m, 4, 9, 4096)),
			 VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(m->faults, 0);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_CREATE, 1)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 2)),
			 VGPU_GPU_ERR_INVALID_CONTEXT_ID);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 1)), OK);

	/* Device memory goes on, where it was and mapped as it was. */
	assert_int_equal(machine_used(m), 2 << 20);
	render = machine_context(m, 1);
	assert_int_equal(render_alloc(render, 1 << 20, &next, NULL), 0);
	assert_int_not_equal(next, offset);
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_ATTACH_RESOURCE, 1)), OK);
	assert_int_equal(pread(render_open(render, 1), &byte, 1, 77), 1);
	assert_int_equal(byte, 0x77);
	assert_int_equal(answer_of(send_map(m, 2, 4096)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1);
	assert_int_equal(m->mapping.window_offset, 0);
	done(m, 0);
	assert_int_equal(answer_of(sent), OK);

	/* Shared memory is lost, but for what the guest maps of it. */
	assert_int_equal(answer_of(send_map(m, 3, 1 << 20)), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_map(m, 2, 2 << 20)),
			 VGPU_GPU_ERR_INVALID_PARAMETER);
	assert_int_equal(answer_of(send_blob(m, 3, 0, 8192)),
			 VGPU_GPU_ERR_INVALID_RESOURCE_ID);
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNREF, 3);
	assert_int_equal(m->n_unmaps, 2);
	assert_int_equal(m->mapping.window_offset, 2 << 20);
	done(m, 0);
	assert_int_equal(answer_of(sent), OK);
	assert_int_equal(answer_of(send_blob(m, 3, 0, 8192)), OK);
}

/* What a guest maps of memory that is lost, as with the launcher, it unmaps. */
static void test_lost_memory(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	struct vgpu_launcher *other = kept_create();
	struct sent *sent;

	machine_memory(m, render, 1, 1 << 20);
	machine_memory(m, render, 2, 1 << 20);
	send_map(m, 1, 0);
	done(m, 0);
	kept_destroy(m->config.launcher);
	m->config.launcher = other;
	for (int round = 0; round < 2; round++) {
		machine_resume(m);
		assert_int_equal(machine_used(m), 0);
	}
	m->n_maps = m->n_unmaps = m->faults = 0;
	m->context = 1;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_CTX_DETACH_RESOURCE, 1)), OK);
	/* Its place in the window is taken until then. */
	assert_int_equal(answer_of(send_map(m, 2, 0)), VGPU_GPU_ERR_UNSPEC);
	assert_int_equal(answer_of(send_map(m, 2, 1 << 20)), VGPU_GPU_ERR_UNSPEC);
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1);
	assert_int_equal(m->n_unmaps, 1);
	assert_int_equal(m->mapping.window_offset, 0);
	done(m, 0);
	assert_int_equal(answer_of(sent), OK);
	assert_int_equal(unref(m, 1), OK);
	assert_int_equal(unref(m, 2), OK);
	assert_int_equal(answer_of(send_context(m, VGPU_GPU_CTX_DESTROY, 1)), OK);
	assert_int_equal(m->n_maps, 0);
	assert_int_equal(m->faults, 0);

	render = machine_context(m, 1);
	machine_memory(m, render, 1, 1 << 20);
	sent = send_map(m, 1, 0);
	done(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_OK_MAP_INFO);
}

static void test_retried_map(void **state)
{
	struct machine *m = *state;
	struct vgpu_render *render = machine_context(m, 1);
	struct sent *sent;

	machine_memory(m, render, 1, 1 << 20);
	send_map(m, 1, 4096);
	machine_resume(m);
	m->n_maps = m->n_unmaps = 0;
	m->is_retry = true;
	sent = send_map(m, 1, 4096);
	/* How far the dead one came is unknown: once more, from nothing. */
	assert_int_equal(m->n_unmaps, 1);
	assert_int_equal(m->n_maps, 0);
	done(m, -EIO);
	assert_int_equal(m->n_maps, 1);
	assert_false(sent->is_done);
	done(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_OK_MAP_INFO);
	/* One of which nothing was done is as new. */
	machine_resume(m);
	m->is_retry = false;
	sent = send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1);
	done(m, 0);
	m->is_retry = true;
	assert_int_equal(
		answer_of(send_resource(m, VGPU_GPU_RESOURCE_UNMAP_BLOB, 1)), OK);
	m->n_maps = m->n_unmaps = 0;
	sent = send_map(m, 1, 0);
	assert_int_equal(m->n_maps, 1);
	assert_int_equal(m->n_unmaps, 0);
	done(m, 0);
	assert_int_equal(answer_of(sent), VGPU_GPU_OK_MAP_INFO);
}

/* Whatever is in a state block, what comes of it is sound. */
static void test_strange_states(void **state)
{
	struct machine *m = *state;
	uint32_t seed = 1;

	for (int round = 0; round < 200; round++) {
		struct vgpu_gpu_state *s;
		struct vgpu_render *render;

		vgpu_gpu_reset(m->gpu);
		vgpu_gpu_set_features(m->gpu, vgpu_gpu_features(m->gpu));
		render = machine_context(m, 1);
		machine_memory(m, render, 1, 8192);
		machine_memory(m, render, 2, 4096);
		send_map(m, 1, 0);
		done(m, 0);
		assert_int_equal(answer_of(send_blob(m, 3, 0, 4096)), OK);
		s = m->state;
		for (int i = 0; i < 4; i++) {
			uint32_t slot =
				(seed = seed * 1664525 + 1013904223) >> 30;
			uint32_t at =
				((seed = seed * 1664525 + 1013904223) >> 16) %
				sizeof(s->resource[0]);

			((uint8_t *)&s->resource[slot % 3])[at] ^=
				(uint8_t)(1 << (seed & 7));
		}
		s->context[seed % VGPU_GPU_CONTEXTS_MAX].id = seed >> 30;
		machine_resume(m);
		assert_true(machine_used(m) <= FRAMEBUFFER_BYTES);
		for (uint32_t id = 1; id < 4; id++) {
			m->is_retry = false;
			send_resource(m, VGPU_GPU_RESOURCE_UNREF, id);
			done(m, 0);
		}
		send_context(m, VGPU_GPU_CTX_DESTROY, 1);
		for (unsigned int i = 0; i < m->n_sent; i++)
			assert_true(m->sent[i]->is_done);
		machine_resume(m);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define TEST(name)                                                             \
	cmocka_unit_test_setup_teardown(name, machine_set_up, machine_tear_down)
		TEST(test_quota),	   TEST(test_apart),
		TEST(test_open),	   TEST(test_many),
		TEST(test_kept),	   TEST(test_kept_is_free),
		TEST(test_both_hold_it),   TEST(test_export_lies),
		TEST(test_shared),	   TEST(test_window),
		TEST(test_scanout),	   TEST(test_successor),
		TEST(test_lost_memory),	   TEST(test_retried_map),
		TEST(test_strange_states),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
