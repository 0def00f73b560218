/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Errors: filled once, one line, always UTF-8. */
#include "lib/err.h"

#include <errno.h>
#include <string.h>

#include "test.h"

static void fills_and_returns_the_status(void **state)
{
	struct vgpu_err err = {};

	assert_int_equal(vgpu_err_set(&err, -ENOSPC, "NoRoom", "%d MiB", 7),
			 -ENOSPC);
	assert_int_equal(err.status, -ENOSPC);
	assert_string_equal(err.name, "NoRoom");
	assert_string_equal(err.text, "7 MiB");
}

static void accepts_no_err(void **state)
{
	assert_int_equal(vgpu_err_set(NULL, -EIO, NULL, "x"), -EIO);
}

static void check_text(const char *in, const char *out)
{
	struct vgpu_err err = {};

	vgpu_err_set(&err, -EINVAL, NULL, "%s", in);
	assert_string_equal(err.text, out);
}

static void replaces_control_characters(void **state)
{
	check_text("a\nb\tc\x1b[31m\x7f", "a?b?c?[31m?");
	check_text("\xc2\x9b next", "?? next"); /* C1: CSI */
}

static void keeps_utf8(void **state)
{
	check_text("Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x96\xa5",
		   "Gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x96\xa5");
}

static void replaces_what_is_no_utf8(void **state)
{
	check_text("\xff\xfe", "??");
	check_text("\x80x", "?x");		/* continuation alone */
	check_text("x\xc3", "x?");		/* cut off */
	check_text("x\xe2\x82", "x??");		/* cut off */
	check_text("\xc0\xaf", "??");		/* overlong '/' */
	check_text("\xe0\x80\xaf", "???");	/* overlong '/' */
	check_text("\xed\xa0\x80", "???");	/* surrogate */
	check_text("\xf4\x90\x80\x80", "????"); /* beyond Unicode */
}

static void cuts_long_text_between_characters(void **state)
{
	char text[2 * VGPU_ERR_TEXT_MAX];
	struct vgpu_err err = {};

	for (size_t i = 0; i < sizeof(text) - 2; i += 2)
		memcpy(text + i, "\xc3\xbc", 2);
	text[sizeof(text) - 2] = '\0';
	vgpu_err_set(&err, -EINVAL, NULL, "%s", text);
	assert_int_equal(strlen(err.text), VGPU_ERR_TEXT_MAX - 1);
	/* 511 bytes: the last one is half of a character. */
	assert_int_equal(err.text[VGPU_ERR_TEXT_MAX - 2], '?');
	assert_int_equal((unsigned char)err.text[VGPU_ERR_TEXT_MAX - 3], 0xbc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fills_and_returns_the_status),
		cmocka_unit_test(accepts_no_err),
		cmocka_unit_test(replaces_control_characters),
		cmocka_unit_test(keeps_utf8),
		cmocka_unit_test(replaces_what_is_no_utf8),
		cmocka_unit_test(cuts_long_text_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
