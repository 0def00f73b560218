/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a process that meets a guest, or a viewer, shuts itself in. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <string.h>
#include <sys/prctl.h>

#include "sandbox/ids.h"
#include "sandbox/landlock.h"
#include "sandbox/rlimits.h"
#include "lib/util.h"

/* A build that looks for leaks has a thread of its own trace the others. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_DUMPABLE 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_DUMPABLE 1
#endif
#endif
#ifndef IS_DUMPABLE
#define IS_DUMPABLE 0
#endif

static int drop_privileges(void)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_DUMPABLE, IS_DUMPABLE, 0, 0, 0) < 0)
		return -errno;
	return 0;
}

static int enter_landlock(enum vgpu_landlock_files files, const char *record,
			  struct vgpu_sandbox_report *report,
			  struct vgpu_err *err)
{
	int r = vgpu_landlock_enter(files, record);

	vgpu_sandbox_report_layer(report, VGPU_LAYER_LANDLOCK, r);
	vgpu_sandbox_report_layer(report, VGPU_LAYER_SCOPE,
				  r < 0			      ? r
				  : vgpu_landlock_has_scope() ? 0
							      : -EOPNOTSUPP);
	/* A kernel without it, or that has it turned off. */
	if (r == 0 || r == -EOPNOTSUPP || r == -ENOSYS)
		return 0;
	return vgpu_err_set(err, r, NULL, "cannot be shut in by Landlock: %s",
			    strerror(-r));
}

/* What root may do comes first, and its capabilities last. */
static int leave_root(const char *record, struct vgpu_sandbox_report *report,
		      struct vgpu_err *err)
{
	bool drops = !vgpu_sandbox_is_without(VGPU_LAYER_CAPABILITIES);
	int r = drops ? vgpu_sandbox_shrink_bounds() : 0;

	/* The files of a recording are made by who owns the folder. */
	if (r == 0 && !record && !vgpu_sandbox_is_without(VGPU_LAYER_IDS)) {
		r = vgpu_sandbox_leave_root();
		if (r < 0)
			return vgpu_err_set(err, r, NULL,
					    "cannot leave user id 0: %s; start"
					    " it as an ordinary user",
					    strerror(-r));
		vgpu_sandbox_report_layer(report, VGPU_LAYER_IDS, r);
	}
	if (r == 0 && drops)
		r = vgpu_sandbox_drop_capabilities();
	if (r < 0)
		return vgpu_err_set(err, r, NULL,
				    "cannot give up capabilities: %s",
				    strerror(-r));
	if (drops)
		vgpu_sandbox_report_layer(report, VGPU_LAYER_CAPABILITIES, 0);
	return 0;
}

int vgpu_sandbox_begin(enum vgpu_sandbox_role role, const char *record,
		       struct vgpu_sandbox_report *report, struct vgpu_err *err)
{
	int r;

	r = leave_root(record, report, err);
	if (r < 0)
		return r;
	r = drop_privileges();
	if (r < 0)
		return vgpu_err_set(err, r, NULL, "cannot give up privileges: %s",
				    strerror(-r));
	vgpu_sandbox_report_layer(report, VGPU_LAYER_PRIVILEGES, r);
	if (!vgpu_sandbox_is_without(VGPU_LAYER_LIMITS))
		vgpu_sandbox_report_layer(report, VGPU_LAYER_LIMITS,
					  vgpu_sandbox_limit(role));
	return enter_landlock(VGPU_LANDLOCK_DRIVER_FILES, record, report, err);
}

int vgpu_sandbox_finish(enum vgpu_sandbox_role role,
			struct vgpu_sandbox_report *report, struct vgpu_err *err)
{
	return enter_landlock(VGPU_LANDLOCK_NO_FILES, NULL, report, err);
}
