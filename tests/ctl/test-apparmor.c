/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of AppArmor's files lets libvirt's QEMU connect to vGPUs. */
#include "ctl/doctor/apparmor.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/lib/test.h"

static const char *const files[] = {
	"abstractions/libvirt-qemu",
	"abstractions/libvirt-qemu.d/openvgpu",
	"local/abstractions/libvirt-qemu",
};

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "we");
	int r;

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	r = fclose(f);
	assert_int_equal(r, 0);
}

static void test_rules(void **state)
{
	char folder[] = "/tmp/apparmor.XXXXXX";

	assert_non_null(mkdtemp(folder));
	assert_false(ctl_apparmor_allows_qemu(folder));
	assert_int_equal(chdir(folder), 0);
	assert_int_equal(mkdir("abstractions", 0755), 0);
	assert_int_equal(mkdir("abstractions/libvirt-qemu.d", 0755), 0);
	assert_int_equal(mkdir("local", 0755), 0);
	assert_int_equal(mkdir("local/abstractions", 0755), 0);
	for (unsigned int i = 0; i < 3; i++) {
		write_file(files[i], "  # /run/vgpu/*/vhost.sock rw,\n"
				     "  /run/vgp/* rw,\n");
		assert_false(ctl_apparmor_allows_qemu(folder));
		write_file(files[i], "  /dev/null rw,\n"
				     "  /run/vgpu/*/vhost.sock rw,\n");
		assert_true(ctl_apparmor_allows_qemu(folder));
		assert_int_equal(unlink(files[i]), 0);
	}
	assert_int_equal(rmdir("abstractions/libvirt-qemu.d"), 0);
	assert_int_equal(rmdir("abstractions"), 0);
	assert_int_equal(rmdir("local/abstractions"), 0);
	assert_int_equal(rmdir("local"), 0);
	assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_rules)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
