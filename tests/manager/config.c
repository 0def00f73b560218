/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The configuration on a machine whose memory the test chooses. */
#include "manager/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/util.h"
#include "manager/host/memory.h"
#include "tests/lib/test.h"

static uint64_t total_mib;

uint64_t vgpu_memory_total(void)
{
	return total_mib * VGPU_MIB;
}

static int try_to_load(const char *text, struct vgpu_config *config,
		       struct vgpu_err *err)
{
	char path[] = "/tmp/vgpud-conf.XXXXXX";
	int fd = mkstemp(path);
	int r;

	assert_true(fd >= 0);
	assert_true(dprintf(fd, "[embedded]\n%s\n", text) > 0);
	close(fd);
	r = vgpu_config_load(path, config, err);
	unlink(path);
	return r;
}

static void load(const char *text, struct vgpu_config *config)
{
	struct vgpu_err err = {};

	if (try_to_load(text, config, &err) < 0)
		fail_msg("%s", err.text);
}

static void refuse(const char *text)
{
	struct vgpu_config config;
	struct vgpu_err err = {};

	assert_int_equal(try_to_load(text, &config, &err), -EINVAL);
	assert_non_null(strstr(err.text, "parent"));
}

/* What a machine does not have is not promised, and is told. */
static void test_more_than_memory(void **state)
{
	struct vgpu_config config;

	total_mib = 4096;
	load("framebuffer_mib = 1000000", &config);
	assert_int_equal(config.embedded_mib, 4096);
	assert_int_equal(config.embedded_wanted_mib, 1000000);
	load("framebuffer_mib = 4096", &config);
	assert_int_equal(config.embedded_mib, 4096);
	assert_int_equal(config.embedded_wanted_mib, 4096);
	load("framebuffer_mib = 0", &config);
	assert_int_equal(config.embedded_mib, 0);
	assert_int_equal(config.embedded_wanted_mib, 0);
}

static void test_default(void **state)
{
	struct vgpu_config config;

	total_mib = 6000;
	load("", &config);
	assert_int_equal(config.embedded_mib, VGPU_WITH_EMBEDDED ? 2000 : 0);
	total_mib = 1000000;
	load("", &config);
	assert_int_equal(config.embedded_mib, VGPU_WITH_EMBEDDED ? 8192 : 0);
	assert_int_equal(config.embedded_wanted_mib, config.embedded_mib);
}

static void test_parent(void **state)
{
	struct vgpu_config config;

	load("", &config);
	assert_string_equal(config.mdev_parent, "");
	load("[mdev]\nparent = 0000:c1:00.1", &config);
	assert_string_equal(config.mdev_parent, "0000:c1:00.1");
	load("[mdev]\nparent = vgpud", &config);
	assert_string_equal(config.mdev_parent, "vgpud");
	refuse("[mdev]\nparent = c1:00.1");
	refuse("[mdev]\nparent = 0000:c1:00.1/..");
	refuse("[mdev]\nparent = vgpu_mdev");
	refuse("[mdev]\nparents = vgpud");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_more_than_memory),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_parent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
