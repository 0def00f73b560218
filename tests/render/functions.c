/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The driver's functions lie where a write ends the process. */
#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "render/vulkan/context.h"

/* One in the middle, one at the end: it may be on another page. */
static size_t offsets[] = {
	0,
	offsetof(struct vgpu_vk, CmdDraw),
	sizeof(struct vgpu_vk) - 1,
};

static int end_of_write(const struct vgpu_vk *vk, size_t offset)
{
	const struct rlimit no_core = {0, 0};
	volatile uint8_t *at = (uint8_t *)(uintptr_t)vk + offset;
	pid_t child = fork();
	int status = 0;

	assert_true(child >= 0);
	if (child == 0) {
		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL); /* a sanitizer's handler would exit */
		*at = 1;
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void assert_is_sealed(const struct vgpu_vk *vk)
{
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(offsets); i++)
		assert_int_equal(end_of_write(vk, offsets[i]), SIGSEGV);
}

static void test_write_ends_the_process(void **state)
{
	struct vgpu_vk vk;
	const struct vgpu_vk *sealed;

	memset(&vk, 0x5a, sizeof(vk));
	sealed = vgpu_functions_seal(&vk, NULL);
	assert_non_null(sealed);
	assert_memory_equal(sealed, &vk, sizeof(vk));
	assert_is_sealed(sealed);
}

/* A device's place is used again, for one with other extensions. */
static void test_another_takes_its_place(void **state)
{
	struct vgpu_vk vk;
	const struct vgpu_vk *sealed;

	memset(&vk, 0x5a, sizeof(vk));
	sealed = vgpu_functions_seal(&vk, NULL);
	assert_non_null(sealed);
	memset(&vk, 0xa5, sizeof(vk));
	assert_ptr_equal(vgpu_functions_seal(&vk, sealed), sealed);
	assert_memory_equal(sealed, &vk, sizeof(vk));
	assert_is_sealed(sealed);
	/* The same again moves nothing. */
	assert_ptr_equal(vgpu_functions_seal(&vk, sealed), sealed);
	assert_is_sealed(sealed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_ends_the_process),
		cmocka_unit_test(test_another_takes_its_place),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
