/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Every command with one thing wrong, in turn: fatal, and no more than that. T5
 * (counts) and T12 (lengths, pointers and counts that do not agree) are in it.
 */
#include "tests/render/context.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define UNKNOWN 0x7ffffffeu

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

/* Must it end the context? Else the value may happen to be right. */
static bool is_surely_wrong(const struct vgpu_encoder *e)
{
	uint64_t value = e->broken_value;

	switch (e->broken_site) {
	case VGPU_SITE_COUNT:
		return value != 0 && value != e->original;
	case VGPU_SITE_POINTER:
	case VGPU_SITE_CHAIN:
		return value > 1;
	case VGPU_SITE_COMMAND:
	case VGPU_SITE_STYPE:
	case VGPU_SITE_ENUM:
	case VGPU_SITE_TAG:
	case VGPU_SITE_ID:
		return value == UNKNOWN;
	case VGPU_SITE_NEW_ID:
		return value == 0;
	default:
		return false;
	}
}

static void check_site(const struct venus_test_command *command, int64_t site,
		       uint64_t value)
{
	struct vgpu_encoder e;
	bool is_fine;

	context_repair();
	e = context_encode(context_sample(command), site, value);
	/* It must stay unknown. */
	if (e.broken_site == VGPU_SITE_NEW_ID && value == UNKNOWN)
		return;
	is_fine = context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES);
	if (is_fine != !context.d.fatal)
		fail_msg("%s: neither fatal nor not", command->name);
	if (is_fine && is_surely_wrong(&e))
		fail_msg("%s: site %lld of kind %u, %#llx for %#llx, passes",
			 command->name, (long long)site, e.broken_site,
			 (long long)e.broken_value, (long long)e.original);
	if (!is_fine && context.n_calls)
		fail_msg("%s: the driver was called all the same: %s",
			 command->name, context.d.fatal);
}

static void check_sites(void)
{
	for (uint32_t i = 0; venus_test_commands[i].name; i++) {
		const struct venus_test_command *command =
			&venus_test_commands[i];
		struct vgpu_encoder e =
			context_encode(context_sample(command), -1, 0);

		for (int64_t site = 0; site < e.n_sites; site++) {
			check_site(command, site, 0);
			check_site(command, site, 1);
			check_site(command, site, 2);
			check_site(command, site, UNKNOWN);
			check_site(command, site, UINT64_MAX);
			check_site(command, site, (uint64_t)1 << 32 | 1);
			/* An object, but mostly of another type. */
			check_site(command, site,
				   context_id(VK_OBJECT_TYPE_IMAGE));
		}
	}
}

static void test_sites(void **state)
{
	check_sites();
}

static void test_sites_of_chains(void **state)
{
	context.sampler.chains = CHAIN_ALL;
	check_sites();
}

static void test_cut_short(void **state)
{
	context.sampler.chains = CHAIN_ALL;
	for (uint32_t i = 0; venus_test_commands[i].name; i++) {
		const struct venus_test_command *command =
			&venus_test_commands[i];

		context_encode(context_sample(command), -1, 0);
		for (size_t bytes = 0; bytes < context.sent_bytes; bytes++) {
			context_repair();
			context_encode(context_sample(command), -1, 0);
			if (context_dispatch(bytes, CONTEXT_STREAM_BYTES))
				fail_msg("%s: %zu bytes of it pass",
					 command->name, bytes);
			if (context.n_calls)
				fail_msg("%s: the driver was called",
					 command->name);
		}
	}
}

static void test_no_room_for_answers(void **state)
{
	for (uint32_t i = 0; venus_test_commands[i].name; i++) {
		const struct venus_test_command *command =
			&venus_test_commands[i];

		context_repair();
		context_encode(context_sample(command), -1, 0);
		context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES);
		context_repair();
		context_encode(context_sample(command), -1, 0);
		if (context_dispatch(context.sent_bytes, context.wanted_bytes - 1))
			fail_msg("%s: the answer passes", command->name);
	}
}

/* Each makes the decoder want more memory than it may have. */
static void test_too_much_memory(void **state)
{
	const struct venus_test_command *command = venus_test_commands;
	struct vgpu_args_GetQueryPoolResults *args;

	while (strcmp(command->name, "vkGetQueryPoolResults") != 0)
		command++;
	args = context_sample(command);
	context_encode(args, -1, 0);
	/* dataSize and the array's size are the same, and huge. */
	for (size_t at = 8 + 8 + 8 + 4 + 4; at <= 40; at += 8)
		memcpy(context.sent + at, &(uint64_t){UINT64_MAX / 2}, 8);
	assert_false(context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES));
	assert_string_equal(context.d.fatal,
			    "a command that needs too much memory");
}

/* T12: the array ends before its last byte does. */
static void test_half_a_word(void **state)
{
	const struct venus_test_command *command = venus_test_commands;
	/* The command, the device, the pointer, the struct's head and flags. */
	const size_t at = 8 + 8 + 8 + 12 + 4;
	uint64_t bytes;

	while (strcmp(command->name, "vkCreateShaderModule") != 0)
		command++;
	context_encode(context_sample(command), -1, 0);
	memcpy(&bytes, context.sent + at, 8);
	assert_int_equal(bytes, 8);
	bytes = 11;
	memcpy(context.sent + at, &bytes, 8);
	assert_false(context_dispatch(context.sent_bytes, CONTEXT_STREAM_BYTES));
	assert_string_equal(context.d.fatal, "half an element of an array");
}

static void test_chain_without_end(void **state)
{
	const struct venus_test_command *command = venus_test_commands;
	uint32_t stype = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_FEATURES_2;
	uint64_t more = 1;
	size_t at;

	while (strcmp(command->name, "vkGetPhysicalDeviceFeatures2") != 0)
		command++;
	context_encode(context_sample(command), -1, 0);
	/* The command, the physical device, the pointer, then the struct. */
	for (at = 24; at < CONTEXT_STREAM_BYTES - 12; at += 12) {
		memcpy(context.sent + at, &stype, 4);
		memcpy(context.sent + at + 4, &more, 8);
		stype = VK_STRUCTURE_TYPE_PHYSICAL_DEVICE_VULKAN_1_1_FEATURES;
	}
	assert_false(context_dispatch(at, CONTEXT_STREAM_BYTES));
	assert_string_equal(context.d.fatal, "a struct chained twice");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_sites, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_sites_of_chains, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_cut_short, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_no_room_for_answers,
						set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_too_much_memory, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_half_a_word, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(test_chain_without_end, set_up,
						tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
