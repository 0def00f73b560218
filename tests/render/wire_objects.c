/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The object table: ids of the guest's, families, and threads at once. */
#include "tests/render/context.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
	assert_int_equal(vgpu_objects_create((struct vgpu_objects **)state), 0);
	return 0;
}

static int tear_down(void **state)
{
	vgpu_objects_destroy(*state);
	return 0;
}

static struct vgpu_object *make(struct vgpu_objects *objects, uint64_t id,
				VkObjectType type, struct vgpu_object *parent)
{
	struct vgpu_object *object = vgpu_objects_reserve(objects, id, type);

	assert_non_null(object);
	object->handle = ~id;
	object->parent = parent;
	vgpu_objects_publish(objects, object);
	return object;
}

static void test_ids(void **state)
{
	struct vgpu_objects *objects = *state;
	struct vgpu_object *fence;

	assert_null(vgpu_objects_reserve(objects, 0, VK_OBJECT_TYPE_FENCE));
	assert_null(vgpu_objects_find(objects, 0, VK_OBJECT_TYPE_FENCE));
	assert_null(vgpu_objects_find(objects, 7, VK_OBJECT_TYPE_FENCE));

	fence = vgpu_objects_reserve(objects, 7, VK_OBJECT_TYPE_FENCE);
	assert_non_null(fence);
	assert_null(vgpu_objects_find(objects, 7, VK_OBJECT_TYPE_FENCE));
	assert_null(vgpu_objects_reserve(objects, 7, VK_OBJECT_TYPE_FENCE));
	assert_null(vgpu_objects_reserve(objects, 7, VK_OBJECT_TYPE_EVENT));
	vgpu_objects_publish(objects, fence);
	assert_ptr_equal(vgpu_objects_find(objects, 7, VK_OBJECT_TYPE_FENCE),
			 fence);
	assert_null(vgpu_objects_find(objects, 7, VK_OBJECT_TYPE_EVENT));
	assert_null(vgpu_objects_reserve(objects, 7, VK_OBJECT_TYPE_FENCE));

	assert_true(vgpu_objects_take(objects, fence));
	assert_false(vgpu_objects_take(objects, fence));
	assert_null(vgpu_objects_find(objects, 7, VK_OBJECT_TYPE_FENCE));
	assert_null(vgpu_objects_reserve(objects, 7, VK_OBJECT_TYPE_FENCE));
	vgpu_objects_remove(objects, fence);
	assert_non_null(make(objects, 7, VK_OBJECT_TYPE_EVENT, NULL));
	vgpu_objects_remove(objects, NULL);
}

/*
 * A ring may use what another destroys and another makes again: it calls by the
 * functions of the one or the other.
 */
static void test_reused(void **state)
{
	struct vgpu_objects *objects = *state;
	struct vgpu_object *device;

	device = make(objects, 1, VK_OBJECT_TYPE_DEVICE, NULL);
	device->vk = &vgpu_null_vk;
	assert_true(vgpu_objects_take(objects, device));
	vgpu_objects_remove(objects, device);
	assert_ptr_equal(device->vk, &vgpu_null_vk);
	assert_ptr_equal(vgpu_objects_reserve(objects, 2, VK_OBJECT_TYPE_DEVICE),
			 device);
	assert_ptr_equal(device->vk, &vgpu_null_vk);
}

static void test_too_many(void **state)
{
	struct vgpu_objects *objects = *state;
	uint64_t id = 1;

	while (vgpu_objects_reserve(objects, id, VK_OBJECT_TYPE_FENCE))
		id++;
	assert_int_equal(id - 1, 1 << 20);
}

static void test_family(void **state)
{
	struct vgpu_objects *objects = *state;
	struct vgpu_object *device, *child[3];

	device = make(objects, 1, VK_OBJECT_TYPE_DEVICE, NULL);
	for (uint32_t i = 0; i < 3; i++)
		child[i] = make(objects, 2 + i, VK_OBJECT_TYPE_FENCE, device);
	assert_true(vgpu_objects_take(objects, child[1]));
	vgpu_objects_remove(objects, child[1]);
	assert_ptr_equal(vgpu_objects_take_child(objects, device), child[2]);
	assert_ptr_equal(vgpu_objects_take_child(objects, device), child[0]);
	assert_null(vgpu_objects_take_child(objects, device));
	vgpu_objects_remove(objects, child[2]);
	vgpu_objects_remove(objects, child[0]);
	assert_true(vgpu_objects_take(objects, device));
	/* A child that comes too late is nobody's. */
	child[0] = make(objects, 9, VK_OBJECT_TYPE_FENCE, device);
	assert_null(vgpu_objects_take_child(objects, device));
	vgpu_objects_remove(objects, device);
	assert_non_null(vgpu_objects_find(objects, 9, VK_OBJECT_TYPE_FENCE));
}

/* Everything under an instance goes, the last made first. */
static void test_destroy(void **state)
{
	struct vgpu_object *instance;

	context_init();
	instance = vgpu_objects_find(context.objects,
				     context_id(VK_OBJECT_TYPE_INSTANCE),
				     VK_OBJECT_TYPE_INSTANCE);
	vgpu_venus_destroy(&context.d, instance);
	for (uint32_t i = 0; venus_test_types[i].type; i++) {
		VkObjectType type = venus_test_types[i].type;
		/* There are two instances; the other one is still there. */
		uint64_t id = context_id(type);

		assert_null(vgpu_objects_find(context.objects, id, type));
	}
	context_finish();
}

#define THREADS	  4
#define ROUNDS	  20000
#define STABLE	  1000
#define PER_ROUND 16

static void *come_and_go(void *argument)
{
	struct vgpu_objects *objects = *(struct vgpu_objects **)argument;
	static uint32_t turn;
	uint64_t base =
		1000000 *
		(1 + (uint64_t)__atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED));
	struct vgpu_object *mine[PER_ROUND];

	for (uint32_t round = 0; round < ROUNDS; round++) {
		uint64_t id = 1 + round % STABLE;
		struct vgpu_object *stable;

		for (uint32_t i = 0; i < PER_ROUND; i++)
			mine[i] = make(objects, base + i, VK_OBJECT_TYPE_FENCE,
				       NULL);
		stable = vgpu_objects_find(objects, id, VK_OBJECT_TYPE_FENCE);
		assert_non_null(stable);
		assert_int_equal(stable->handle, ~id);
		for (uint32_t i = 0; i < PER_ROUND; i++)
			vgpu_objects_remove(objects, mine[i]);
	}
	return NULL;
}

/* What stays is found, whatever others do meanwhile. */
static void test_threads(void **state)
{
	struct vgpu_objects *objects = *state;
	pthread_t thread[THREADS];

	for (uint64_t id = 1; id <= STABLE; id++)
		make(objects, id, VK_OBJECT_TYPE_FENCE, NULL);
	for (uint32_t i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, come_and_go,
						(void *)state),
				 0);
	for (uint32_t i = 0; i < THREADS; i++)
		pthread_join(thread[i], NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ids, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_many, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_family, set_up, tear_down),
		cmocka_unit_test(test_destroy),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
