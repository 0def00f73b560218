/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The environment of render processes. */
#include "device/launch/environment.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysinfo.h>

#include "lib/util.h"

/*
 * Processors that the software driver may use. It has two threads for each,
 * whose stacks count as the context's memory.
 */
#define DRIVER_THREADS_MAX 8

/*
 * Variables that are passed on. Nothing else of our environment is needed to
 * carry out a guest's commands, and some of it (VN_DEBUG) would make the driver
 * connect back to us.
 */
static const char *const passed_on[] = {
	"VK_DRIVER_FILES",
	"VK_ICD_FILENAMES",
	"VK_INSTANCE_LAYERS",
	"VK_LAYER_PATH",
	"LP_NUM_THREADS",
	"ASAN_OPTIONS",
	"UBSAN_OPTIONS",
	"LSAN_OPTIONS",
	"TSAN_OPTIONS",
	"VGPU_SUBMIT_SECONDS_MAX",
	"VGPU_WORK_SECONDS_MAX",
	/* Of tests, and read only by programs that are built for them. */
	"VGPU_SANDBOX_WITHOUT",
	"VGPU_SANDBOX_ATTEMPT",
};
static_assert(VGPU_ARRAY_SIZE(passed_on) + 2 <= VGPU_ENVIRONMENT_MAX,
	      "room for two more");

static bool add_variable(struct vgpu_environment *environment, const char *name,
			 const char *value)
{
	char **item = &environment->item[environment->n];

	if (asprintf(item, "%s=%s", name, value) < 0) {
		*item = NULL;
		return false;
	}
	environment->n++;
	return true;
}

bool vgpu_environment_init(struct vgpu_environment *environment)
{
	*environment = (struct vgpu_environment){};
	for (size_t i = 0; i < VGPU_ARRAY_SIZE(passed_on); i++) {
		const char *value = getenv(passed_on[i]);

		if (value && !add_variable(environment, passed_on[i], value))
			return false;
	}
	/*
	 * Limit the driver's threads: one for each processor would be too many.
	 */
	if (!getenv("LP_NUM_THREADS") && get_nprocs() > DRIVER_THREADS_MAX &&
	    !add_variable(environment, "LP_NUM_THREADS", "8"))
		return false;
	/*
	 * A shared shader cache would show guests, by timing, what others have
	 * compiled.
	 */
	return add_variable(environment, "MESA_SHADER_CACHE_DISABLE", "true");
}

void vgpu_environment_finish(struct vgpu_environment *environment)
{
	for (size_t i = 0; i < environment->n; i++)
		free(environment->item[i]);
	*environment = (struct vgpu_environment){};
}
