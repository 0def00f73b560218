/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names and uuids, good and bad. */
#include "lib/name.h"

#include <errno.h>
#include <string.h>

#include "lib/util.h"
#include "test.h"

static void assert_bad_name(const char *name)
{
	struct vgpu_err err = {};

	assert_int_equal(vgpu_name_check(name, &err), -EINVAL);
	assert_int_equal(err.status, -EINVAL);
	assert_string_equal(err.name, "BadName");
	assert_true(strlen(err.text) > 0);
	for (const char *c = err.text; *c; c++)
		assert_true((unsigned char)*c >= 0x20);
}

static void accepts_good_names(void **state)
{
	static const char *const good[] = {"a",	       "0",   "desk-1",
					   "win.11_x", "A--", "1a2b3c4d"};
	char longest[VGPU_NAME_MAX + 1];
	struct vgpu_err err = {};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(good); i++)
		assert_int_equal(vgpu_name_check(good[i], &err), 0);
	memset(longest, 'n', VGPU_NAME_MAX);
	longest[VGPU_NAME_MAX] = '\0';
	assert_int_equal(vgpu_name_check(longest, &err), 0);
	assert_int_equal(err.status, 0);
}

static void refuses_bad_names(void **state)
{
	static const char *const bad[] = {"",	      ".",
					  "..",	      "-a",
					  "_a",	      "a/b",
					  "/",	      "a b",
					  "a\n",      "\x1b[2J",
					  "a\x7f",    "a\\b",
					  "a%s",      "a'b",
					  "\xc3\xbc", "n\xcc\x88",
					  "\xff",     "a:b",
					  "a@b",      "$x",
					  "a\tb",     "\xf0\x9f\x96\xa5"};

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++)
		assert_bad_name(bad[i]);
	assert_bad_name("0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8");
	assert_bad_name("0B5E2A4C-1F6D-4E8A-9C3B-7D2F10E4A6B8");
}

static void refuses_every_other_byte(void **state)
{
	char name[] = "aXb";

	for (int c = 1; c < 256; c++) {
		bool is_good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			       (c >= '0' && c <= '9') || c == '.' || c == '_' ||
			       c == '-';

		name[1] = (char)c;
		if (is_good)
			assert_int_equal(vgpu_name_check(name, NULL), 0);
		else
			assert_bad_name(name);
	}
}

static void refuses_long_names(void **state)
{
	char name[301];

	memset(name, 'n', sizeof(name));
	name[300] = '\0';
	assert_bad_name(name);
	name[VGPU_NAME_MAX + 1] = '\0';
	assert_bad_name(name);
}

static void parses_uuids(void **state)
{
	char uuid[VGPU_UUID_SIZE];
	struct vgpu_err err = {};

	assert_int_equal(vgpu_uuid_parse("0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8",
					 uuid, &err),
			 0);
	assert_string_equal(uuid, "0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8");
	assert_int_equal(vgpu_uuid_parse("ABCDEF01-2345-6789-abcd-EF0123456789",
					 uuid, &err),
			 0);
	assert_string_equal(uuid, "abcdef01-2345-6789-abcd-ef0123456789");
	assert_int_equal(err.status, 0);
}

static void refuses_bad_uuids(void **state)
{
	static const char *const bad[] = {
		"",
		"x",
		"0b5e2a4c",
		"0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b",
		"0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8 ",
		" 0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8",
		"0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b88",
		"0b5e2a4c1f6d4e8a9c3b7d2f10e4a6b8",
		"{0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b8}",
		"0b5e2a4-c1f6d-4e8a-9c3b-7d2f10e4a6b8",
		"0b5e2a4g-1f6d-4e8a-9c3b-7d2f10e4a6b8",
		"0b5e2a4c-1f6d-4e8a-9c3b-7d2f10e4a6b\xb8",
		"0b5e2a4c_1f6d_4e8a_9c3b_7d2f10e4a6b8",
		"00000000-0000-0000-0000-000000000000",
	};
	char uuid[VGPU_UUID_SIZE] = "untouched";
	char text[301];

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++) {
		struct vgpu_err err = {};

		assert_int_equal(vgpu_uuid_parse(bad[i], uuid, &err), -EINVAL);
		assert_string_equal(err.name, "BadUuid");
	}
	memset(text, 'a', sizeof(text));
	text[300] = '\0';
	assert_int_equal(vgpu_uuid_parse(text, uuid, NULL), -EINVAL);
	assert_string_equal(uuid, "untouched");
}

static void makes_random_uuids(void **state)
{
	char a[VGPU_UUID_SIZE], b[VGPU_UUID_SIZE], parsed[VGPU_UUID_SIZE];

	for (int i = 0; i < 1000; i++) {
		assert_int_equal(vgpu_uuid_random(a), 0);
		assert_int_equal(vgpu_uuid_random(b), 0);
		assert_int_equal(vgpu_uuid_parse(a, parsed, NULL), 0);
		assert_string_equal(a, parsed);
		assert_string_not_equal(a, b);
		assert_int_equal(a[14], '4');
		assert_non_null(strchr("89ab", a[19]));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(accepts_good_names),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(refuses_every_other_byte),
		cmocka_unit_test(refuses_long_names),
		cmocka_unit_test(parses_uuids),
		cmocka_unit_test(refuses_bad_uuids),
		cmocka_unit_test(makes_random_uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
