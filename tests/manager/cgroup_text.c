/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The kernel's words on control groups, as several hosts say them. */
#include "manager/host/cgroup_text.h"

#include <stdlib.h>

#include "lib/util.h"
#include "tests/lib/test.h"

static void assert_own(const char *text, const char *wanted)
{
	vgpu_autofree char *path = vgpu_cgroup_text_own(text);

	if (wanted)
		assert_string_equal(path, wanted);
	else
		assert_null(path);
}

static void finds_the_own_group(void **state)
{
	assert_own("0::/system.slice/vgpud.service/manager\n",
		   "/system.slice/vgpud.service/manager");
	assert_own("0::/", "/");
	/* A hybrid host has the controllers elsewhere. */
	assert_own("8:pids:/a\n1:name=systemd:/b\n0::/user.slice/x y\n",
		   "/user.slice/x y");
	assert_own("8:pids:/a\n4:memory:/0::/b\n", NULL);
	assert_own("10::/a\n", NULL);
	assert_own("", NULL);
	/* It cannot be reached from this cgroup namespace. */
	assert_own("0::/../../system.slice\n", NULL);
}

#define SYSFS "24 31 0:22 / /sys rw,nosuid shared:7 - sysfs sysfs rw\n"
#define UNIFIED                                                                \
	SYSFS "27 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev shared:9 - "        \
	      "cgroup2 cgroup2 rw,nsdelegate\n"
#define HYBRID                                                                 \
	SYSFS "27 24 0:23 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"              \
	      "28 27 0:24 / /sys/fs/cgroup/memory rw - cgroup cgroup rw\n"     \
	      "29 27 0:25 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n"
/* A container's: the root of what it sees is not the hierarchy's. */
#define CONTAINER                                                              \
	"9 8 0:26 /machine.slice/c /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
#define ODD "9 8 0:26 / /mnt/a\\040b\\134c rw - cgroup2 cgroup2 rw\n"

static void assert_located(const char *mounts, const char *path,
			   const char *wanted)
{
	vgpu_autofree char *located = vgpu_cgroup_text_locate(mounts, path);

	if (wanted)
		assert_string_equal(located, wanted);
	else
		assert_null(located);
}

static void locates_a_group(void **state)
{
	assert_located(UNIFIED, "/system.slice/vgpud.service",
		       "/sys/fs/cgroup/system.slice/vgpud.service");
	assert_located(UNIFIED, "/", "/sys/fs/cgroup");
	assert_located(HYBRID, "/a", "/sys/fs/cgroup/unified/a");
	assert_located(CONTAINER, "/machine.slice/c", "/sys/fs/cgroup");
	assert_located(CONTAINER, "/machine.slice/c/d", "/sys/fs/cgroup/d");
	assert_located(CONTAINER, "/machine.slice/cd", NULL);
	assert_located(CONTAINER, "/", NULL);
	assert_located(ODD, "/x", "/mnt/a b\\c/x");
	assert_located(SYSFS, "/a", NULL);
	assert_located("", "/a", NULL);
	assert_located("9 8 - cgroup2 \n", "/a", NULL);
}

static void finds_words(void **state)
{
	assert_true(vgpu_cgroup_text_has("cpuset cpu io\n", "cpu"));
	assert_true(vgpu_cgroup_text_has("cpu", "cpu"));
	assert_true(vgpu_cgroup_text_has("1\n12\n", "12"));
	assert_false(vgpu_cgroup_text_has("cpuset io\n", "cpu"));
	assert_false(vgpu_cgroup_text_has("112\n", "12"));
	assert_false(vgpu_cgroup_text_has("", "cpu"));
}

static void finds_values(void **state)
{
	const char *text = "usage_usec 123456789012\nuser_usec 5\nnr x\n";
	uint64_t value = 7;

	assert_true(vgpu_cgroup_text_value(text, "usage_usec", &value));
	assert_int_equal(value, 123456789012);
	assert_true(vgpu_cgroup_text_value(text, "user_usec", &value));
	assert_int_equal(value, 5);
	assert_false(vgpu_cgroup_text_value(text, "usec", &value));
	assert_false(vgpu_cgroup_text_value(text, "nr", &value));
	assert_false(vgpu_cgroup_text_value("", "nr", &value));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_the_own_group),
		cmocka_unit_test(locates_a_group),
		cmocka_unit_test(finds_words),
		cmocka_unit_test(finds_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
