/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every command: what the driver sees is what was sent, and so the answer. */
#include "tests/render/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static int set_up(void **state)
{
	context_init();
	return 0;
}

static int tear_down(void **state)
{
	context_finish();
	return 0;
}

static void check_command(const struct venus_test_command *command)
{
	void *args = context_sample(command);

	context_repair();
	context_encode(args, -1, 0);
	if (!context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES))
		fail_msg("%s: %s", command->name, context.d.fatal);
	if (context.d.at != context.d.end)
		fail_msg("%s: not all of it was read", command->name);
	if (context.n_calls != 1)
		fail_msg("%s: called %u times", command->name, context.n_calls);
	if (context.seen_bytes != context.sent_bytes ||
	    memcmp(context.seen, context.sent, context.sent_bytes) != 0)
		fail_msg("%s: the driver saw something else", command->name);
	if ((size_t)(context.d.reply - context.reply) != context.wanted_bytes ||
	    memcmp(context.reply, context.wanted, context.wanted_bytes) != 0)
		fail_msg("%s: the answer is wrong", command->name);
}

static void check_all(void)
{
	for (uint32_t i = 0; venus_test_commands[i].name; i++)
		check_command(&venus_test_commands[i]);
}

static void test_full(void **state)
{
	check_all();
}

static void test_sparse(void **state)
{
	context.sampler.is_sparse = true;
	check_all();
}

static void test_all_chained(void **state)
{
	context.sampler.chains = CHAIN_ALL;
	check_all();
}

static void test_each_chained(void **state)
{
	context.sampler.chains = CHAIN_ONE;
	for (uint32_t i = 0; venus_test_commands[i].name; i++) {
		context.sampler.chains_max = 1;
		for (uint32_t k = 0; k < context.sampler.chains_max; k++) {
			context.sampler.chain_one = k;
			check_command(&venus_test_commands[i]);
		}
	}
}

/* A driver without the command, or the extension. */
static void test_missing_function(void **state)
{
	static const struct vgpu_vk nothing;
	struct vgpu_object *device = vgpu_objects_find(
		context.objects, context_id(VK_OBJECT_TYPE_DEVICE),
		VK_OBJECT_TYPE_DEVICE);
	const struct venus_test_command *command = venus_test_commands;

	while (strcmp(command->name, "vkCreateFence") != 0)
		command++;
	device->vk = &nothing;
	context_encode(context_sample(command), -1, 0);
	assert_false(context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES));
	assert_string_equal(context.d.fatal,
			    "the host's driver has no vkCreateFence");
}

static void test_names(void **state)
{
	assert_string_equal(vgpu_venus_command_name(106), "vkCmdDraw");
	assert_null(vgpu_venus_command_name(VGPU_VENUS_COMMANDS));
	assert_null(vgpu_venus_command_name(UINT32_MAX));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_full, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sparse, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_all_chained, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_each_chained, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_missing_function, set_up,
						tear_down),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
