/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Types files: the shipped one, good ones, and every way to be bad. */
#include "lib/type.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/util.h"
#include "test.h"

#define SHIPPED VGPU_SOURCE_DIR "/lib/types.ini"

/* A whole section, six lines after its name. */
#define KEYS(fb)                                                               \
	"framebuffer_mib = " fb "\nheads = 1\nmax_width = 1920\n"              \
	"max_height = 1080\nframe_rate_limit = 0\nweight = 100\n"
#define GOOD "[1Q]\n" KEYS("1024")

static int read_bytes(const void *bytes, size_t size,
		      struct vgpu_types **ret_types, struct vgpu_err *err)
{
	FILE *file = size ? fmemopen((void *)bytes, size, "r")
			  : fopen("/dev/null", "re");
	int rc;

	assert_non_null(file);
	rc = vgpu_types_read(file, "t.ini", ret_types, err);
	fclose(file);
	return rc;
}

static struct vgpu_types *read_good(const char *text)
{
	struct vgpu_types *types = NULL;
	struct vgpu_err err = {};
	int rc = read_bytes(text, strlen(text), &types, &err);

	if (rc < 0)
		fail_msg("%s", err.text);
	assert_int_equal(err.status, 0);
	return types;
}

/* @text is refused, at @line, for a reason with @reason in it. */
static void assert_bad(const char *text, int line, const char *reason)
{
	struct vgpu_types *types = NULL;
	struct vgpu_err err = {};
	char begin[32];
	int rc = read_bytes(text, strlen(text), &types, &err);

	if (rc != -EINVAL)
		fail_msg("accepted: %s", text);
	snprintf(begin, sizeof(begin), "t.ini:%d: ", line);
	if (strncmp(err.text, begin, strlen(begin)) || !strstr(err.text, reason))
		fail_msg("expected '%s...%s', got '%s'", begin, reason, err.text);
	assert_null(types);
	assert_int_equal(err.status, -EINVAL);
}

static void loads_the_shipped_catalogue(void **state)
{
	static const char *const first[] = {"1Q", "2Q", "3Q", "4Q"};
	const struct vgpu_type *type;
	struct vgpu_types *types = NULL;
	struct vgpu_err err = {};

	if (vgpu_types_load(SHIPPED, &types, &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(vgpu_types_count(types), 32);
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(first); i++)
		assert_string_equal(vgpu_types_at(types, i)->name, first[i]);

	type = vgpu_types_find(types, "4Q");
	assert_non_null(type);
	assert_int_equal(type->series, 'Q');
	assert_int_equal(type->framebuffer_mib, 4096);
	assert_int_equal(type->heads, 4);
	assert_int_equal(type->max_width, 5120);
	assert_int_equal(type->max_height, 2880);
	assert_int_equal(type->frame_rate_limit, 0);
	assert_int_equal(type->host_memory_mib, 512);
	type = vgpu_types_find(types, "2B");
	assert_non_null(type);
	assert_int_equal(type->framebuffer_mib, 2048);
	assert_int_equal(type->frame_rate_limit, 45);
	assert_int_equal(vgpu_types_find(types, "4C")->heads, 0);
	assert_null(vgpu_types_find(types, "4q"));
	assert_null(vgpu_types_find(types, ""));
	assert_null(vgpu_types_find(types, "5Q"));
	vgpu_types_destroy(types);
	vgpu_types_destroy(NULL);
}

static void sorts_by_series_then_size(void **state)
{
	static const char *const order[] = {"128MQ", "1Q", "10Q", "2B",
					    "1A",    "1C", "4C"};
	struct vgpu_types *types = read_good(
		"[4C]\n" KEYS("4096") "[10Q]\n" KEYS("10240") "[1A]\n" KEYS("1024") "[1Q]\n" KEYS(
			"1024") "[1C]\n" KEYS("1024") "[128MQ]\n" KEYS("128") "[2B]\n" KEYS("2048"));

	assert_int_equal(vgpu_types_count(types), VGPU_ARRAY_SIZE(order));
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(order); i++)
		assert_string_equal(vgpu_types_at(types, i)->name, order[i]);
	vgpu_types_destroy(types);
}

static void accepts_how_people_write(void **state)
{
	vgpu_types_destroy(read_good(GOOD));
	vgpu_types_destroy(read_good(
		"\n\n  # c\n; c\n\t[1Q]  ; c\n" KEYS("1024 ; inline") "\n"));
	/* DOS line ends, colons, indentation, a comment with an umlaut. */
	vgpu_types_destroy(
		read_good("# \xc3\xbc\r\n[1C]\r\n  framebuffer_mib:1024\r\n"
			  "\theads=0\r\n  max_width = 0\r\nmax_height=0\r\n"
			  "frame_rate_limit =0\r\nweight= 00100\r\n"));
	/* No newline at the end. */
	vgpu_types_destroy(
		read_good("[1C]\nframebuffer_mib=1024\nheads=0\nmax_width=0\n"
			  "max_height=0\nframe_rate_limit=0\nweight=1"));
}

static void knows_what_is_not_said(void **state)
{
	struct vgpu_types *types =
		read_good(GOOD "host_memory_mib = 128\n[2Q]\n" KEYS("2048"));

	assert_int_equal(vgpu_types_find(types, "1Q")->host_memory_mib, 128);
	assert_int_equal(vgpu_types_find(types, "2Q")->host_memory_mib,
			 VGPU_TYPE_HOST_MEMORY_MIB_DEFAULT);
	vgpu_types_destroy(types);
}

static void refuses_bad_lines(void **state)
{
	assert_bad(GOOD "what\n", 8, "neither");
	assert_bad("[1Q]\nheads\n", 2, "neither");
	assert_bad("heads = 1\n" GOOD, 1, "before any section");
	assert_bad("[1Q\n", 1, "']'");
	assert_bad("[1Q] heads = 1\n", 1, "nothing may follow");
	assert_bad(GOOD "colour = 1\n", 8, "no key 'colour'");
	assert_bad(GOOD "Heads = 1\n", 8, "no key 'Heads'");
	assert_bad(GOOD " = 1\n", 8, "no key ''");
	assert_bad(GOOD "heads = 1\n", 8, "heads twice");
	assert_bad(GOOD "[2Q]\n" GOOD, 8, "empty");
	assert_bad(GOOD "[2Q]\n", 8, "empty");
	assert_bad(GOOD GOOD, 8, "twice");
	assert_bad(GOOD "[2Q]\n" KEYS("2048") GOOD, 15, "twice");
	assert_bad("", 1, "no type");
	assert_bad("# nothing\n\n", 3, "no type");
	/* The first error counts, whoever found it. */
	assert_bad("what\n" GOOD "heads = 2\n", 1, "neither");
	assert_bad(GOOD "heads = 2\nwhat\n", 8, "twice");
	assert_bad("[1Q]\nheads 4\n" GOOD, 2, "neither");
}

static void refuses_missing_keys(void **state)
{
	static const char text[] = KEYS("1024");
	const char *line = text;

	for (int i = 0; i < 6; i++) {
		const char *end = strchr(line, '\n') + 1;
		char bad[256], reason[64];

		snprintf(bad, sizeof(bad), "\n[1Q]\n%.*s%s", (int)(line - text),
			 text, end);
		snprintf(reason, sizeof(reason), "has no %.*s",
			 (int)strcspn(line, " "), line);
		assert_bad(bad, 2, reason);
		line = end;
	}
}

static void refuses_bad_names(void **state)
{
	static const char *const bad[] = {
		"",
		"Q",
		"q",
		"1",
		"1q",
		"1X",
		"0Q",
		"01Q",
		"-1Q",
		"1QQ",
		"1 Q",
		" 1Q",
		"1MQQ",
		"1M",
		"M1Q",
		"1GQ",
		"1Q/",
		"../1Q",
		"1024MQ",
		"\xc3\xbc",
		"4294967297Q",
		"4194305Q",
		"99999999999999999Q",
		"4Q4Q4Q4Q4Q4Q4Q4Q4Q4Q4Q4Q4Q4Q",
	};
	char text[256];

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "#\n[%s]\n%s", bad[i], KEYS("1024"));
		assert_bad(text, 2, "no type's name");
	}
}

static void refuses_bad_numbers(void **state)
{
	static const struct {
		const char *key, *value;
	} bad[] = {
		{"framebuffer_mib", "0"},
		{"framebuffer_mib", "1048577"},
		{"framebuffer_mib", ""},
		{"framebuffer_mib", "1024M"},
		{"framebuffer_mib", "1024 2048"},
		{"framebuffer_mib", "0x400"},
		{"framebuffer_mib", "1e3"},
		{"framebuffer_mib", "1024.0"},
		{"framebuffer_mib", "-1024"},
		{"framebuffer_mib", "+1024"},
		{"framebuffer_mib", "4294968320"}, /* 2^32 + 1024 */
		{"framebuffer_mib", "18446744073709552640"},
		{"framebuffer_mib", "99999999999999999999999999999999"},
		{"framebuffer_mib", "many"},
		{"framebuffer_mib", "\xd9\xa1\xd9\xa2"}, /* Arabic digits */
		{"heads", "17"},
		{"heads", "-1"},
		{"max_width", "8193"},
		{"max_height", "8193"},
		{"frame_rate_limit", "241"},
		{"weight", "0"},
		{"weight", "10001"},
		{"host_memory_mib", "127"},
		{"host_memory_mib", "1048577"},
	};
	char text[256], reason[64];

	for (size_t i = 0; i < VGPU_ARRAY_SIZE(bad); i++) {
		snprintf(text, sizeof(text), "[1Q]\n%s = %s\n", bad[i].key,
			 bad[i].value);
		snprintf(reason, sizeof(reason), "%s must be a number",
			 bad[i].key);
		assert_bad(text, 2, reason);
	}
}

static void refuses_what_does_not_agree(void **state)
{
	assert_bad("\n[2Q]\n" KEYS("1024"), 2, "its name says 2048");
	assert_bad("[512MQ]\n" KEYS("1024"), 1, "its name says 512");
	assert_bad("[1C]\nframebuffer_mib=1024\nheads=0\nmax_width=640\n"
		   "max_height=0\nframe_rate_limit=0\nweight=1\n",
		   1, "must be 0");
	assert_bad("[1C]\nframebuffer_mib=1024\nheads=0\nmax_width=0\n"
		   "max_height=480\nframe_rate_limit=0\nweight=1\n",
		   1, "must be 0");
	assert_bad("[1Q]\nframebuffer_mib=1024\nheads=1\nmax_width=0\n"
		   "max_height=480\nframe_rate_limit=0\nweight=1\n",
		   1, "640x480");
	assert_bad("[1Q]\nframebuffer_mib=1024\nheads=1\nmax_width=640\n"
		   "max_height=479\nframe_rate_limit=0\nweight=1\n",
		   1, "640x480");
	assert_bad("[4Q]\nframebuffer_mib=4096\nheads=16\nmax_width=8192\n"
		   "max_height=8192\nframe_rate_limit=0\nweight=1\n"
		   "[128MQ]\nframebuffer_mib=128\nheads=4\nmax_width=5120\n"
		   "max_height=2880\nframe_rate_limit=0\nweight=1\n",
		   8, "needs 225 MiB");
}

static void refuses_too_many_types(void **state)
{
	char text[16384], *end = text;
	struct vgpu_types *types;

	for (int i = 1; i <= VGPU_TYPES_MAX; i++)
		end += snprintf(end, 200,
				"[%dMQ]\nframebuffer_mib=%d\nheads=0\n"
				"max_width=0\nmax_height=0\n"
				"frame_rate_limit=0\nweight=1\n",
				i, i);
	types = read_good(text);
	assert_int_equal(vgpu_types_count(types), VGPU_TYPES_MAX);
	vgpu_types_destroy(types);
	snprintf(end, sizeof(GOOD), "%s", GOOD);
	assert_bad(text, 7 * VGPU_TYPES_MAX + 1, "more than 64");
}

static void refuses_long_lines_and_files(void **state)
{
	size_t size = 300000;
	vgpu_autofree char *text = malloc(size + 1);
	char long_line[400];

	memset(long_line, '#', sizeof(long_line));
	long_line[399] = '\0';
	assert_bad(long_line, 1, "longer than 198");
	long_line[198] = '\n';
	snprintf(long_line + 199, sizeof(GOOD), "%s", GOOD);
	vgpu_types_destroy(read_good(long_line));

	assert_non_null(text);
	for (size_t i = 0; i < size; i++)
		text[i] = i % 64 ? '#' : '\n';
	text[size] = '\0';
	assert_bad(text, 262144 / 64 + 1, "longer than 262144");
}

static void refuses_garbage(void **state)
{
	struct vgpu_types *types = NULL;
	uint32_t random = 1;
	uint8_t bytes[4096];

	/* A NUL would end a C string: what follows it must not be hidden. */
	assert_int_equal(read_bytes(GOOD "\0x", sizeof(GOOD) + 1, &types, NULL),
			 -EINVAL);
	assert_bad("\x7f"
		   "ELF\x02\x01\x01",
		   1, "0x7f is no text");
	assert_bad(GOOD "\x1b[2J", 8, "0x1b is no text");
	assert_bad("\xef\xbb\xbf\xff\xfe", 1, "neither");

	/* Random bytes, and the shipped file with one byte changed. */
	for (int round = 0; round < 2000; round++) {
		struct vgpu_err err = {};

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525u + 1013904223u;
			bytes[i] = (uint8_t)(random >> 24);
		}
		assert_int_equal(read_bytes(bytes, sizeof(bytes), &types, &err),
				 -EINVAL);
		assert_memory_equal(err.text, "t.ini:", 6);
	}
}

/* Whatever one byte is changed to: accepted or refused, and nothing else. */
static void survives_every_changed_byte(void **state)
{
	char text[] = GOOD;

	for (size_t i = 0; i < sizeof(text) - 1; i++)
		for (int c = 0; c < 256; c++) {
			struct vgpu_types *types = NULL;
			struct vgpu_err err = {};
			char kept = text[i];
			int rc;

			text[i] = (char)c;
			rc = read_bytes(text, sizeof(text) - 1, &types, &err);
			text[i] = kept;
			assert_true(rc == 0 ? !!types : rc == -EINVAL && !types);
			assert_int_equal(rc == 0, err.text[0] == '\0');
			vgpu_types_destroy(types);
		}
}

static void survives_every_cut(void **state)
{
	struct vgpu_types *types;

	for (size_t i = 0; i < sizeof(GOOD) - 4; i++)
		assert_int_equal(read_bytes(GOOD, i, &types, NULL), -EINVAL);
}

static void says_why_a_path_cannot_be_read(void **state)
{
	char fifo[] = "/tmp/vgpu-types-XXXXXX";
	struct vgpu_types *types = NULL;
	struct vgpu_err err = {};

	assert_int_equal(vgpu_types_load("/nowhere/t.ini", &types, &err),
			 -ENOENT);
	assert_non_null(strstr(err.text, "/nowhere/t.ini: No such file"));
	assert_int_equal(vgpu_types_load("/", &types, &err), -EISDIR);
	assert_int_equal(vgpu_types_load("/dev/zero", &types, &err), -EINVAL);

	assert_non_null(mkdtemp(fifo));
	assert_int_equal(rmdir(fifo), 0);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_int_equal(vgpu_types_load(fifo, &types, &err), -EINVAL);
	assert_int_equal(unlink(fifo), 0);
	assert_null(types);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loads_the_shipped_catalogue),
		cmocka_unit_test(sorts_by_series_then_size),
		cmocka_unit_test(accepts_how_people_write),
		cmocka_unit_test(knows_what_is_not_said),
		cmocka_unit_test(refuses_bad_lines),
		cmocka_unit_test(refuses_missing_keys),
		cmocka_unit_test(refuses_bad_names),
		cmocka_unit_test(refuses_bad_numbers),
		cmocka_unit_test(refuses_what_does_not_agree),
		cmocka_unit_test(refuses_too_many_types),
		cmocka_unit_test(refuses_long_lines_and_files),
		cmocka_unit_test(refuses_garbage),
		cmocka_unit_test(survives_every_changed_byte),
		cmocka_unit_test(survives_every_cut),
		cmocka_unit_test(says_why_a_path_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
