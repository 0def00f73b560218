/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a process that serves a guest or a viewer confines itself. */
#include "sandbox/sandbox.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sandbox/gpu_nodes.h"
#include "sandbox/ids.h"
#include "sandbox/landlock.h"
#include "sandbox/namespaces.h"
#include "sandbox/threads.h"
#include "sandbox/rlimits.h"
#include "lib/util.h"

/* LeakSanitizer traces the other threads, which needs a dumpable process. */
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

static void report_landlock(int ruleset, struct vgpu_sandbox_report *report)
{
	int r = VGPU_MIN(ruleset, 0);

	if (!vgpu_sandbox_is_without(VGPU_LAYER_LANDLOCK))
		vgpu_sandbox_report_layer(report, VGPU_LAYER_LANDLOCK, r);
	if (!vgpu_sandbox_is_without(VGPU_LAYER_SCOPE))
		vgpu_sandbox_report_layer(report, VGPU_LAYER_SCOPE,
					  r < 0 ? r
					  : vgpu_landlock_has_scope()
						  ? 0
						  : -EOPNOTSUPP);
}

/* A kernel without Landlock, or with Landlock turned off, is not an error. */
static bool is_lack(int r)
{
	return r == -EOPNOTSUPP || r == -ENOSYS;
}

/* First what only root may do; drop capabilities last. */
static int leave_root(uint64_t kept, struct vgpu_sandbox_report *report,
		      struct vgpu_err *err)
{
	bool drops = !vgpu_sandbox_is_without(VGPU_LAYER_CAPABILITIES);
	int r = drops ? vgpu_sandbox_shrink_bounds(kept) : 0;

	if (r == 0 && drops)
		r = vgpu_sandbox_lock_bits();
	if (r == 0 && !vgpu_sandbox_is_without(VGPU_LAYER_IDS)) {
		r = vgpu_sandbox_leave_root();
		if (r < 0)
			return vgpu_err_set(err, r, NULL,
					    "cannot leave user id 0: %s; start"
					    " it as an ordinary user",
					    strerror(-r));
		vgpu_sandbox_report_layer(report, VGPU_LAYER_IDS, r);
	}
	if (r == 0 && drops)
		r = vgpu_sandbox_drop_capabilities(kept);
	if (r < 0)
		return vgpu_err_set(err, r, NULL,
				    "cannot give up capabilities: %s",
				    strerror(-r));
	if (drops)
		vgpu_sandbox_report_layer(report, VGPU_LAYER_CAPABILITIES, 0);
	return 0;
}

static int begin_landlock(enum vgpu_sandbox_role role,
			  struct vgpu_sandbox_report *report,
			  struct vgpu_err *err)
{
	vgpu_autoclose int ruleset = vgpu_landlock_prepare(
		role == VGPU_SANDBOX_LAUNCHER ? VGPU_LANDLOCK_ANY_FILES
					      : VGPU_LANDLOCK_DRIVER_FILES);
	int r = ruleset < 0 ? ruleset : vgpu_landlock_restrict(ruleset);

	report_landlock(r, report);
	return r < 0 && !is_lack(r)
		       ? vgpu_err_set(err, r, NULL,
				      "cannot be shut in by Landlock: %s",
				      strerror(-r))
		       : 0;
}

int vgpu_sandbox_begin(enum vgpu_sandbox_role role, uint64_t kept,
		       struct vgpu_sandbox_report *report, struct vgpu_err *err)
{
	int r;

	if (role == VGPU_SANDBOX_RENDER)
		kept |= 1ULL
			<< CAP_SYS_CHROOT; /* vgpu-launch may have given it that */
	r = leave_root(kept, report, err);
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
	return begin_landlock(role, report, err);
}

/* Runs in each thread, in the main thread last. */
static int finish_thread(void *opaque)
{
	int ruleset = *(int *)opaque;
	int r = 0;

	if (ruleset >= 0)
		r = vgpu_landlock_restrict(ruleset);
	/* The main thread still has to change the root of the process. */
	if (r == 0 && syscall(SYS_gettid) != getpid() &&
	    !vgpu_sandbox_is_without(VGPU_LAYER_CAPABILITIES))
		r = vgpu_sandbox_drop_capabilities(0);
	return r;
}

static int finish_root(int root, struct vgpu_sandbox_report *report)
{
	int r = 0;

	if (root >= 0 && vgpu_empty_root_is(root)) {
		r = vgpu_empty_root_enter(root);
		vgpu_sandbox_report_layer(report, VGPU_LAYER_ROOT, r);
	}
	return vgpu_sandbox_is_without(VGPU_LAYER_CAPABILITIES)
		       ? 0
		       : vgpu_sandbox_drop_capabilities(0);
}

/*
 * In a user namespace of its own a process has all capabilities there. It keeps
 * two until it has changed its root; nothing that it executes gets any.
 */
static int drop_gained(void)
{
	const uint64_t kept = 1ULL << CAP_SYS_CHROOT | 1ULL << CAP_SETPCAP;
	int r;

	if (vgpu_sandbox_is_without(VGPU_LAYER_CAPABILITIES))
		return 0;
	r = vgpu_sandbox_lock_bits();
	if (r == 0)
		r = vgpu_sandbox_drop_capabilities(kept);
	return r < 0 ? r : vgpu_sandbox_shrink_bounds(0);
}

/*
 * Others are born in theirs. *ret_root: an empty root directory, if the kernel
 * gives one and the process can do with that.
 */
static int separate(enum vgpu_sandbox_role role, bool needs_files,
		    int *ret_root, struct vgpu_sandbox_report *report)
{
	unsigned long flags;
	int r;

	if (role != VGPU_SANDBOX_DEVICE && role != VGPU_SANDBOX_VNC)
		return 0;
	/* What it gains there it must be able to give up again. */
	r = vgpu_sandbox_try_drop();
	if (r < 0) {
		vgpu_sandbox_report_layer(report, VGPU_LAYER_USER, r);
		return 0;
	}
	flags = vgpu_namespaces_enter(report);
	if (flags & CLONE_NEWNS && !needs_files) {
		*ret_root = vgpu_empty_root_open();
		if (*ret_root < 0)
			vgpu_sandbox_report_layer(report, VGPU_LAYER_ROOT,
						  *ret_root);
	}
	return flags ? drop_gained() : 0;
}

int vgpu_sandbox_finish(enum vgpu_sandbox_role role, int root,
			struct vgpu_sandbox_report *report, struct vgpu_err *err)
{
	/* LeakSanitizer reads /proc when the process exits. */
	bool needs_files = IS_DUMPABLE && role != VGPU_SANDBOX_RENDER;
	bool is_hardware = role == VGPU_SANDBOX_RENDER && vgpu_gpu_node_is_open();
	int gained = separate(role, needs_files, &root, report);
	vgpu_autoclose int ruleset =
		vgpu_landlock_prepare(needs_files   ? VGPU_LANDLOCK_DRIVER_FILES
				      : is_hardware ? VGPU_LANDLOCK_GPU_FILES
						    : VGPU_LANDLOCK_NO_FILES);
	int r = ruleset < 0 && !is_lack(ruleset) ? ruleset : gained;

	if (r == 0)
		r = vgpu_each_thread(finish_thread, &ruleset);
	/*
	 * A thread of the driver that blocks the signal is confined by seccomp
	 * only.
	 */
	if (r == -ESRCH) {
		vgpu_sandbox_report_layer(report, VGPU_LAYER_LANDLOCK, r);
		r = finish_thread(&ruleset);
	}
	/* In an empty root there are no nodes. Without Landlock that is best. */
	if (r == 0)
		r = finish_root(is_hardware && ruleset >= 0 ? -1 : root, report);
	return r < 0 ? vgpu_err_set(err, r, NULL, "cannot be shut in: %s",
				    strerror(-r))
		     : 0;
}
