/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The client that asked for a change of a vGPU, to be answered when it is done.
 */
#include "caller.h"

#include "events.h"

/* Clear it before answering: the answer may lead back here. */
static struct vgpu_caller take_caller(struct vgpu_caller *caller)
{
	struct vgpu_caller taken = *caller;

	*caller = (struct vgpu_caller){};
	return taken;
}

void vgpu_caller_succeed(struct vgpu_caller *caller, const char *uuid)
{
	struct vgpu_caller taken = take_caller(caller);

	if (taken.ops)
		taken.ops->succeed(taken.link, uuid);
}

void vgpu_caller_fail(struct vgpu_caller *caller, const struct vgpu_err *err)
{
	struct vgpu_caller taken = take_caller(caller);

	if (taken.ops)
		taken.ops->fail(taken.link, err);
}

void vgpu_caller_drop(struct vgpu_caller *caller)
{
	struct vgpu_caller taken = take_caller(caller);

	if (taken.ops)
		taken.ops->drop(taken.link);
}

int64_t vgpu_caller_uid(const struct vgpu_caller *caller)
{
	return caller->ops ? caller->uid : VGPU_EVENT_BY_NOBODY;
}
